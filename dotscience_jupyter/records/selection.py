# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which runs match a filter and a search: a mark for each run, put together and kept.

Each comparison of a filter and each word of a search is looked up by itself, and ``and``, ``or``
and ``not`` join the marks. Runs never change once they are recorded, so where something was looked
up before, only newer runs are looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from . import where
from .expressions import in_indexes_of_texts, runs_with
from .models import Run, RunValue
from .plainrows import batches
from .reading import names_of
from .sqltext import contains

KEPT = 64
"""So many comparisons and words are remembered; one takes 0.1 MB where there are 100,000 runs."""

KINDS = ("parameter", "metric", "label")

_MOST_WORDS = 20
_LONGEST_WORD = 200
_MOST_NAMES = 500


@dataclass(slots=True)
class _Marks:
    """Which runs something is true for: a byte for each sequence from 0, 1 where it is."""

    marks: bytearray
    head: int  # sequence of the newest run that was looked at


class Selection:
    """Finds the runs that match, of one database. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Marks] = OrderedDict()
        self._runs = _Marks(bytearray(1), 0)

    def find(self, session: Session, text: str, search: str, head: int) -> bytes:
        """Return a byte for each sequence from 0 to the head's, 1 where the run matches.

        Raises
        ------
        WhereError
            If the filter cannot be understood.
        """
        node = where.parse_where(text)
        runs = self._all(session, head)
        found = runs
        if node is not None:
            found &= self._of(session, node, runs, head)
        for word in search.split()[:_MOST_WORDS]:
            found &= self._with(session, word[:_LONGEST_WORD], head)
        return found.to_bytes(head + 1, "little")

    def _of(self, session: Session, node: where.Node, runs: int, head: int) -> int:
        """Return the marks of a tree as one number: operations on bits are those on runs."""
        match node:
            case where.And(nodes):
                found = runs
                for each in nodes:
                    found &= self._of(session, each, runs, head)
                return found
            case where.Or(nodes):
                found = 0
                for each in nodes:
                    found |= self._of(session, each, runs, head)
                return found
            case where.Not(inner):
                return runs & ~self._of(session, inner, runs, head)
        found = self._looked_up(session, _key(node), head, lambda: runs_with(node))
        return runs & ~found if isinstance(node, where.IsNull) else found

    def _with(self, session: Session, word: str, head: int) -> int:
        """Return the marks of the runs that tell of a word anywhere that people look for it."""
        return self._looked_up(session, word, head, lambda: _telling(session, word))

    def _looked_up(
        self, session: Session, key: Hashable, head: int, queries: Callable[[], list[Select[Any]]]
    ) -> int:
        known = self._known.get(key)
        if known is None or known.head > head:  # another database in the place of that one
            known = self._known[key] = _Marks(bytearray(1), 0)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        if known.head < head:
            for query in queries():
                _mark(known, batches(session, _newer(query, known.head)), head)
            known.head = head
        return int.from_bytes(known.marks, "little")

    def _all(self, session: Session, head: int) -> int:
        """Return the marks of all runs there are."""
        known = self._runs
        if known.head > head:
            known = self._runs = _Marks(bytearray(1), 0)
        if known.head < head:
            new = Run.sequence > known.head, Run.sequence <= head
            count = session.scalar(select(func.count()).select_from(Run).where(*new))
            if count == head - known.head:
                known.marks[known.head + 1 :] = b"\1" * count
            else:
                _mark(known, batches(session, select(Run.sequence).where(*new)), head)
            known.head = head
        return int.from_bytes(known.marks, "little")


def _mark(known: _Marks, found: Iterable[list[tuple[Any, ...]]], head: int) -> None:
    marks = known.marks
    marks.extend(bytes(max(0, head + 1 - len(marks))))
    for rows in found:
        try:
            for row in rows:
                marks[row[0]] = 1
        except IndexError:  # runs that came after the head are among them
            for row in rows:
                if row[0] <= head:
                    marks[row[0]] = 1


def _newer(query: Select[Any], head: int) -> Select[Any]:
    """Return a query of the runs behind one."""
    if not head:
        return query  # a condition that is always true would only lead to another index
    return query.where(query.selected_columns[0] > head)


def _key(node: where.Comparison | where.In | where.IsNull) -> Hashable:
    """Return what says which runs a comparison is true for, wherever in a text it stands."""
    match node:
        case where.IsNull(field):
            return (field,)
        case where.In(field, literals):
            return field, "in", tuple(map(_written, literals))
        case where.Comparison(field, operator, literal):
            return field, operator, _written(literal)


def _written(literal: where.Literal) -> Hashable:
    return type(literal.value), literal.value, literal.source


def _telling(session: Session, word: str) -> list[Select[Any]]:
    columns = [Run.description, Run.workload_file, Run.author, Run.error]
    terms = [and_(column.is_not(None), contains(column, word)) for column in columns]
    queries = [select(Run.sequence).where(or_(*terms))]
    # names are few and values many: which names match is found out first
    for kind in KINDS:
        named = [name for name in names_of(session, kind) if word.lower() in name.lower()]
        if named:
            values = select(RunValue.run_sequence).where(RunValue.kind == kind)
            queries.append(values.where(RunValue.name.in_(named[:_MOST_NAMES])))
    labels = select(RunValue.run_sequence).where(
        RunValue.kind == "label", contains(RunValue.text, word)
    )
    return [*queries, *in_indexes_of_texts(labels, "label")]
