# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""SQL for the trees of :mod:`.where`: every value is bound, every name compared as a value.

A comparison is either true or false, never unknown: where a run has no such value it is false, so
``not`` means just that on every database.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    String,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from . import where
from .models import Run, RunValue

_Bool: TypeAlias = ColumnElement[bool]

_COLUMNS: dict[str, Any] = {
    "description": Run.description,
    "status": Run.status,
    "error": Run.error,
    "author": Run.author,
    "file": Run.workload_file,
    "authority": Run.authority,
    "commit": Run.commit_id,
    "id": Run.id,
    "started": Run.started,
    "ended": Run.ended,
    "seconds": Run.seconds,
}


class ordered(FunctionElement[str]):  # noqa: N801 - named like the SQL functions it stands among
    """Text that compares by code points, whatever the database's collation."""

    type = String()
    inherit_cache = True


class lowered(FunctionElement[str]):  # noqa: N801 - named like the SQL functions it stands among
    """Text in lower case, letters beyond ASCII included."""

    type = String()
    inherit_cache = True


@compiles(ordered)
def _ordered(element: ordered, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ordered, "postgresql")
def _ordered_postgresql(element: ordered, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)}) COLLATE "C"'


@compiles(lowered)
def _lowered(element: lowered, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(lowered, "sqlite")
def _lowered_sqlite(element: lowered, compiler: SQLCompiler, **options: Any) -> str:
    return f"dotscience_lower({compiler.process(element.clauses, **options)})"


class matches(FunctionElement[bool]):  # noqa: N801 - named like the SQL functions it stands among
    """Text that matches a LIKE pattern, ASCII letters in upper or lower case."""

    type = Boolean()
    inherit_cache = True


@compiles(matches)
def _matches(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    text, pattern = (compiler.process(each, **options) for each in element.clauses)
    return f"({text} ILIKE {pattern} ESCAPE '/')"


@compiles(matches, "sqlite")
def _matches_sqlite(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    # in SQLite LIKE ignores case by itself, in half the time of comparing lower() of both
    text, pattern = (compiler.process(each, **options) for each in element.clauses)
    return f"({text} LIKE {pattern} ESCAPE '/')"


def contains(column: Any, word: str) -> _Bool:
    """Return whether a text contains a word, in upper or lower case."""
    if word.isascii():
        escaped = word.replace("/", "//").replace("%", "/%").replace("_", "/_")
        return matches(column, f"%{escaped}%")
    return lowered(column).contains(word.lower(), autoescape=True)


def condition(node: where.Node) -> _Bool:
    """Return the condition on runs that a tree means."""
    match node:
        case where.And(nodes):
            return and_(true(), *map(condition, nodes))
        case where.Or(nodes):
            return or_(false(), *map(condition, nodes))
        case where.Not(inner):
            return not_(condition(inner))
        case where.IsNull(field):
            if field.kind == "column":
                return _COLUMNS[field.name].is_(None)  # type: ignore[no-any-return]  # Any
            return Run.sequence.not_in(_values(field).where(RunValue.type != "none"))
        case where.In(field, literals):
            return _either(field, [("=", literal) for literal in literals])
        case where.Comparison(field, operator, literal):
            return _either(field, [(operator, literal)])


def _either(field: where.Field, pairs: list[tuple[str, where.Literal]]) -> _Bool:
    """Return whether the field is there and satisfies one of the comparisons."""
    if field.kind != "column":
        terms = [_on_value(operator, literal) for operator, literal in pairs]
        return Run.sequence.in_(_values(field).where(or_(*terms)))
    column = _COLUMNS[field.name]
    nature = where.COLUMNS[field.name]
    terms = [_on_column(column, nature, operator, literal) for operator, literal in pairs]
    return and_(column.is_not(None), or_(*terms))


def _values(field: where.Field) -> Select[Any]:
    return select(RunValue.run_sequence).where(
        RunValue.kind == field.kind, RunValue.name == field.name
    )


def _on_value(operator: str, literal: where.Literal) -> _Bool:
    """Return a comparison with a parameter, metric or label."""
    value = literal.value
    if operator == "~":
        return contains(RunValue.text, literal.source)
    if isinstance(value, bool):
        equal: _Bool = func.lower(RunValue.text) == literal.source
        if operator in ("=", "!="):
            return equal if operator == "=" else not_(equal)
        value = float(value)
    if isinstance(value, float):
        # what is not a number differs from every number
        if operator == "!=":
            return or_(RunValue.number.is_(None), RunValue.number != value)
        return and_(RunValue.number.is_not(None), _compare(RunValue.number, operator, value))
    return _compare(_text(RunValue.text, operator), operator, value)


def _on_column(column: Any, nature: str, operator: str, literal: where.Literal) -> _Bool:
    if operator == "~":
        return contains(column, literal.source)
    if nature == "number":
        return _compare(column, operator, literal.value)
    if nature == "time":
        return _compare(column, operator, where.parse_time(literal.source))
    if nature == "id" and operator in ("=", "!="):
        # ids are shown shortened
        start: _Bool = func.substr(column, 1, len(literal.source)) == literal.source
        return start if operator == "=" else not_(start)
    return _compare(_text(column, operator), operator, literal.source)


def _text(column: Any, operator: str) -> Any:
    # equality is the same in every collation, and may use an index
    return column if operator in ("=", "!=") else ordered(column)


def _compare(column: Any, operator: str, value: Any) -> _Bool:
    match operator:
        case "=":
            result = column == value
        case "!=":
            result = column != value
        case "<":
            result = column < value
        case "<=":
            result = column <= value
        case ">":
            result = column > value
        case _:
            result = column >= value
    return result  # type: ignore[no-any-return]  # column: Any


def sorted_by(query: Select[Any], sorts: list[where.Sort]) -> Select[Any]:
    """Return a query on runs in the order asked for: missing values last, ties newest first."""
    for sort in sorts:
        if sort.field.kind == "column":
            column = _COLUMNS[sort.field.name]
            text = where.COLUMNS[sort.field.name] in ("text", "id")
            query = query.order_by(column.is_(None))
            query = query.order_by(_directed(ordered(column) if text else column, sort))
        else:
            value = aliased(RunValue)
            query = query.outerjoin(
                value,
                and_(
                    value.run_sequence == Run.sequence,
                    value.kind == sort.field.kind,
                    value.name == sort.field.name,
                ),
            ).order_by(
                value.run_sequence.is_(None),
                value.number.is_(None),  # numbers before texts
                _directed(value.number, sort),
                _directed(ordered(value.text), sort),
            )
    return query.order_by(Run.sequence.desc())


def _directed(column: Any, sort: where.Sort) -> Any:
    return column.desc() if sort.descending else column.asc()
