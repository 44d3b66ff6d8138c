# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""In which order runs are: what comes first as an index has it, all of it where that is asked.

An order is that of all runs; of those that match a filter it is the same with the others left out.
So one that was worked out for a filter serves every other.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import compress, islice
from typing import TypeAlias

from sqlalchemy.orm import Session

from .expressions import arranged, long_texts
from .plainrows import numbers, raw
from .where import Sort, parse_sort

KEPT = 8
"""So many orders are remembered; one of 100,000 runs takes 0.4 MB."""

FIRST = 2000
"""So many runs are read of a new order at least: the first pages of most filters are in them."""

FEW = 500
"""So few runs that match, of many, are sorted by themselves."""

Sequences: TypeAlias = "array[int]"


class Orders:
    """Orders of the runs of one database. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        # by what they are sorted by: of which head, and the runs
        self._first: OrderedDict[str, tuple[int, Sequences]] = OrderedDict()
        self._whole: OrderedDict[str, tuple[int, Sequences]] = OrderedDict()

    def some(
        self, session: Session, sort: str, runs: bytes, marks: bytes, start: int, stop: int
    ) -> list[int]:
        """Return a slice of the runs that are marked, in an order.

        Parameters
        ----------
        sort
            What they are sorted by, see :func:`.where.parse_sort`; newest first if it is empty.
        runs, marks
            Of all runs there are, and of those that match; see :class:`.selection.Selection`.
        start, stop
            Which of them.

        Raises
        ------
        WhereError
            If the sort cannot be understood.
        """
        sorts = parse_sort(sort)
        if not sorts:
            return list(islice(newest_first(marks), start, stop))
        head, everything, total = len(runs) - 1, runs.count(1), marks.count(1)
        stop = min(stop, total)
        if start >= stop:
            return []
        if self._whole.get(sort, (0,))[0] != head:
            if total <= FEW < everything // 4:
                return _in_order(session, sorts, marks, list(newest_first(marks)))[start:stop]
            if len(sorts) == 1 and everything > FIRST:
                # where those that match are spread evenly, and some more
                needed = stop * everything // total * 5 // 4
                if needed < len(runs) // 2:
                    most = FIRST
                    while most < needed:
                        most *= 2  # so that whoever turns the pages has few of them read anew
                    first = self._begin(session, sort, sorts[0], head, most)
                    found = list(islice(_marked(first, marks), stop))
                    if len(found) >= stop:
                        return found[start:]
        return list(islice(_marked(self._all(session, sort, sorts, runs), marks), start, stop))

    def _begin(self, session: Session, sort: str, first: Sort, head: int, most: int) -> Sequences:
        """Return the first runs of an order, so many or all that have a value."""
        known = self._first.get(sort)
        if known is None or known[0] != head or len(known[1]) < most:
            found: list[int] = []
            for query in arranged(first, only_short=_only_short(session, first)):
                only = query.with_only_columns(query.selected_columns[0])
                found += numbers(session, only.limit(most - len(found)), head)
                if len(found) >= most:
                    break
            known = self._first[sort] = head, array("i", found)
            _forget(self._first)
        self._first.move_to_end(sort)
        return known[1]

    def _all(self, session: Session, sort: str, sorts: Sequence[Sort], runs: bytes) -> Sequences:
        """Return all runs in an order."""
        head = len(runs) - 1
        known = self._whole.get(sort)
        if known is None or known[0] != head:
            known = self._whole[sort] = head, array("i", _in_order(session, sorts, runs))
            _forget(self._whole)
        self._whole.move_to_end(sort)
        return known[1]


def newest_first(marks: bytes) -> Iterator[int]:
    """Yield the sequences that are marked, the last one first."""
    return compress(range(len(marks) - 1, -1, -1), reversed(marks))


def _marked(sequences: Sequence[int], marks: bytes) -> Iterator[int]:
    return compress(sequences, map(marks.__getitem__, sequences))


def _forget(kept: OrderedDict[str, tuple[int, Sequences]]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _only_short(session: Session, sort: Sort) -> bool:
    """Whether no run has a long text there, so that an index has the order."""
    query = long_texts(sort.field)
    return query is not None and not list(raw(session, query.limit(1)))


def _in_order(
    session: Session, sorts: Sequence[Sort], runs: bytes, only: Sequence[int] = ()
) -> list[int]:
    """Return runs in the order asked for: missing values last, ties newest first.

    All that are marked; only these are asked for if they are given as well.
    """
    head = len(runs) - 1
    order = list(newest_first(runs))
    for sort in reversed(sorts):
        queries = arranged(sort, only_short=not only and _only_short(session, sort))
        if only:
            queries = [query.where(query.selected_columns[0].in_(only)) for query in queries]
        if sort is sorts[-1]:
            # the database has sorted already, and ties are as they should be
            keyless = [query.with_only_columns(query.selected_columns[0]) for query in queries]
            there = [sequence for query in keyless for sequence in numbers(session, query, head)]
            order = there if len(there) == len(order) else [*there, *_others(runs, there)]
            continue
        ranks: dict[int, int] = {}
        rank = 0
        for query in queries:
            last: object = None  # no key is None
            for sequence, key in raw(session, query):
                if key != last:
                    rank += 1
                    last = key
                ranks[sequence] = rank
        order.sort(key=partial(_rank, ranks, rank + 1))
    return order


def _others(runs: bytes, there: Iterable[int]) -> Iterator[int]:
    """Yield the runs that are not there, newest first."""
    marks = bytearray(runs)
    for sequence in there:
        marks[sequence] = 0
    return newest_first(bytes(marks))


def _rank(ranks: dict[int, int], missing: int, sequence: int) -> int:
    return ranks.get(sequence, missing)
