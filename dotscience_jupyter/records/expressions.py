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
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from . import where
from .models import Commit, Run, RunValue

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
    "created": select(Commit.created).where(Commit.id == Run.commit_id).scalar_subquery(),
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
            # in two parts, as an index alone answers the first, which is that of most values
            numbers = _values(field).where(RunValue.number.is_not(None))
            others = _values(field).where(RunValue.number.is_(None), RunValue.type != "none")
            return and_(Run.sequence.not_in(numbers), Run.sequence.not_in(others))
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


def field_column(field: where.Field) -> Any:
    """Return the expression on runs that a field of kind "column" means."""
    return _COLUMNS[field.name]


def arranged(sort: where.Sort) -> list[Select[Any]]:
    """Return queries of (sequence, key), whose rows one after the other are runs in order.

    Runs without a value are in none of them, numbers come before texts, ties newest first. Keys of
    one query are equal exactly where the runs are equal in this order.
    """
    field = sort.field
    if field.kind == "column":
        column = _COLUMNS[field.name]
        text = where.COLUMNS[field.name] in ("text", "id")
        query = select(Run.sequence, column).where(column.is_not(None))
        if field.name == "created":  # a join is read once, a sub-query for each run
            column = Commit.created
            query = select(Run.sequence, column).join(Commit, Commit.id == Run.commit_id)
        order = _directed(ordered(column) if text else column, sort)
        return [query.order_by(order, Run.sequence.desc())]
    queries: list[Select[Any]] = []
    key: Any
    for key in (RunValue.number, RunValue.text):
        query = select(RunValue.run_sequence, key).where(
            RunValue.kind == field.kind, RunValue.name == field.name
        )
        if key is RunValue.number:
            query = query.where(key.is_not(None))
        else:
            query = query.where(RunValue.number.is_(None), RunValue.type != "none")
        order = _directed(key if key is RunValue.number else ordered(key), sort)
        queries.append(query.order_by(order, RunValue.run_sequence.desc()))
    return queries


def _directed(column: Any, sort: where.Sort) -> Any:
    return column.desc() if sort.descending else column.asc()
