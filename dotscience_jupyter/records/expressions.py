# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""SQL for the comparisons of :mod:`.where`: every value is bound, every name compared as a value.

A comparison becomes queries of the runs for which it is true, each of which one index answers
alone; :mod:`.selection` puts them together. Where a run has no such value a comparison is false,
never unknown, so ``not`` means just that on every database.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select

from . import where
from .models import Commit, Run, RunValue, is_long, is_short
from .sqltext import contains, ordered

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


def runs_with(node: where.Comparison | where.In | where.IsNull) -> list[Select[Any]]:
    """Return queries of the sequences of all runs for which a comparison is true.

    Of ``is null`` for which it is false: a run may lack a value in more ways than it may have one.
    """
    match node:
        case where.IsNull(field):
            return _present(field)
        case where.In(field, literals):
            return _either(field, [("=", literal) for literal in literals])
        case where.Comparison(field, operator, literal):
            return _either(field, [(operator, literal)])


def _present(field: where.Field) -> list[Select[Any]]:
    if field.kind == "column":
        return [select(Run.sequence).where(_COLUMNS[field.name].is_not(None))]
    # numbers are there; of all others the type tells, which is not in the index of numbers
    numbers = _values(field).where(RunValue.number.is_not(None))
    other = and_(RunValue.number.is_(None), RunValue.type != "none")
    return [numbers, *(query.where(other) for query in _texts(field))]


def _either(field: where.Field, pairs: list[tuple[str, where.Literal]]) -> list[Select[Any]]:
    """Return the runs of which the field is there and satisfies one of the comparisons."""
    if field.kind == "column":
        return [_on_runs(field.name, pairs)]
    queries = []
    if numbers := [pair for pair in pairs if _is_number(*pair)]:
        terms = [_on_number(operator, literal) for operator, literal in numbers]
        queries.append(_values(field).where(or_(*terms)))
    if texts := [pair for pair in pairs if not _is_number(*pair)]:
        terms = [_on_text(operator, literal) for operator, literal in texts]
        queries += [query.where(or_(*terms)) for query in _texts(field)]
    return queries


def _values(field: where.Field) -> Select[Any]:
    return select(RunValue.run_sequence).where(
        RunValue.kind == field.kind, RunValue.name == field.name
    )


def _texts(field: where.Field) -> list[Select[Any]]:
    """Return queries of all that runs have of a field, where texts are looked at."""
    return in_indexes_of_texts(_values(field), field.kind)


def in_indexes_of_texts(query: Select[Any], kind: str) -> list[Select[Any]]:
    """Return queries that find together what one of values finds, in the indexes of texts.

    Metrics are not in these: their texts are numbers that hardly anybody compares as texts.
    """
    if kind == "metric":
        return [query]
    return [query.where(*is_short()), query.where(*is_long())]


def _is_number(operator: str, literal: where.Literal) -> bool:
    """Whether a comparison with a parameter, metric or label is one of numbers."""
    if operator == "~" or isinstance(literal.value, str):
        return False
    return not isinstance(literal.value, bool) or operator not in ("=", "!=")


def _on_number(operator: str, literal: where.Literal) -> _Bool:
    value = float(literal.value or 0.0)
    # what is not a number differs from every number
    if operator == "!=":
        return or_(RunValue.number.is_(None), RunValue.number != value)
    return and_(RunValue.number.is_not(None), _compare(RunValue.number, operator, value))


def _on_text(operator: str, literal: where.Literal) -> _Bool:
    if operator == "~":
        return contains(RunValue.text, literal.source)
    if isinstance(literal.value, bool):
        equal: _Bool = func.lower(RunValue.text) == literal.source
        return equal if operator == "=" else not_(equal)
    # as the index has it
    return _compare(ordered(RunValue.text), operator, literal.value)


def _on_runs(name: str, pairs: list[tuple[str, where.Literal]]) -> Select[Any]:
    column, nature = _COLUMNS[name], where.COLUMNS[name]
    if name == "created":  # runs are many, commits are fewer
        terms = [_on_column(Commit.created, nature, *pair) for pair in pairs]
        return select(Run.sequence).join(Commit, Commit.id == Run.commit_id).where(or_(*terms))
    terms = [_on_column(column, nature, operator, literal) for operator, literal in pairs]
    return select(Run.sequence).where(column.is_not(None), or_(*terms))


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


def long_texts(field: where.Field) -> Select[Any] | None:
    """Return the query of the runs that have a long text there; None where no index tells that."""
    if field.kind in ("column", "metric"):
        return None
    return _values(field).where(*is_long())


def arranged(sort: where.Sort, *, only_short: bool = False) -> list[Select[Any]]:
    """Return queries of (sequence, key), whose rows one after the other are runs in order.

    Runs without a value are in none of them, numbers come before texts, ties newest first. Keys of
    one query are equal exactly where the runs are equal in this order.

    Parameters
    ----------
    sort
        What they are sorted by.
    only_short
        Set where :func:`long_texts` finds none: an index has the others in their order.
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
    values = select(RunValue.run_sequence).where(
        RunValue.kind == field.kind, RunValue.name == field.name
    )
    numbers = values.add_columns(RunValue.number).where(RunValue.number.is_not(None))
    key = ordered(RunValue.text)
    texts = values.add_columns(key).where(RunValue.number.is_(None), RunValue.type != "none")
    if only_short:
        texts = texts.where(*is_short())
    return [
        query.order_by(_directed(column, sort), RunValue.run_sequence.desc())
        for query, column in ((numbers, RunValue.number), (texts, key))
    ]


def _directed(column: Any, sort: where.Sort) -> Any:
    return column.desc() if sort.descending else column.asc()
