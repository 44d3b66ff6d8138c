# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table: their order worked out once, then read page by page.

Runs never change once they are recorded, so what matches a filter, in which order, stays right
until a newer run is there. The last few orders are kept; a page of one is a slice and a look at its
rows.
"""

from __future__ import annotations

import math
import sys
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Executable, func, select
from sqlalchemy.orm import Session

from .cells import Cell, cell, time_text
from .chunking import chunks
from .columns import ColumnFacts, Columns
from .database import Database
from .expressions import arranged, field_column
from .models import Run, RunValue
from .reading import matching
from .rows import clean
from .where import COLUMNS, Field, Sort, parse_sort

KEPT = 12
"""So many orders are remembered; one of 100,000 runs takes 0.8 MB."""

_FEW = 1000  # of so few matching runs the extremes are read from the runs themselves
_LARGEST = sys.float_info.max

Sequences: TypeAlias = "array[int]"


@dataclass(slots=True)
class Found:
    """The runs that match a filter, in an order."""

    sequences: Sequences
    head: int  # sequence of the newest run there was
    everything: bool  # nothing was left out
    extremes: dict[Field, tuple[float, float] | None] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """Some of the runs that match."""

    ids: list[str]
    rows: list[list[Cell]]
    total: int
    head: int
    extremes: dict[Field, tuple[float, float]]


class RunTables:
    """Runs as rows. Thread-safe.

    Methods raise WhereError where a filter or sort cannot be understood, RecordsError where the
    database cannot be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # several views ask at once when a filter changes: the second one finds what the first made
        self._lock = threading.RLock()
        # counted under a lock of its own: a first page need not wait for it
        self._counting = threading.Lock()
        self._found: OrderedDict[tuple[str, str, str], Found] = OrderedDict()
        self._columns = Columns()
        self._seconds: array[float] = array("d")  # by sequence less 1; NaN where it is not known

    def page(
        self,
        fields: Sequence[Field],
        *,
        where: str = "",
        search: str = "",
        sort: str = "",
        offset: int = 0,
        limit: int = 200,
    ) -> Page:
        """Return a page, and the extremes of each number field among all runs that match."""
        with self._database.reading() as session:
            found = self.find(session, where, search, sort)
            offset = min(max(0, offset), len(found.sequences))
            wanted = found.sequences[offset : offset + max(0, limit)]
            ids, rows = self._cells(session, wanted, fields)
            extremes = self._extremes(session, found, where, search, fields)
        return Page(ids, rows, len(found.sequences), found.head, extremes)

    def sample(
        self, fields: Sequence[Field], most: int, *, where: str = "", search: str = ""
    ) -> Page:
        """Return all runs that match, newest first, or ``most`` of them, evenly chosen.

        The same ones each time.
        """
        with self._database.reading() as session:
            found = self.find(session, where, search, "")
            total = len(found.sequences)
            wanted = found.sequences
            if total > most:
                wanted = array("q", (wanted[i * total // most] for i in range(most)))
            ids, rows = self._cells(session, wanted, fields)
        return Page(ids, rows, total, found.head, {})

    def batches(
        self, fields: Sequence[Field], *, where: str = "", search: str = "", sort: str = ""
    ) -> Iterator[list[list[Cell]]]:
        """Yield the rows of all runs that match, some hundreds at a time."""
        with self._database.reading() as session:
            sequences = self.find(session, where, search, sort).sequences
        for chunk in chunks(sequences):
            with self._database.reading() as session:
                rows = self._cells(session, chunk, fields)[1]
            yield rows

    def columns(self) -> list[ColumnFacts]:
        """Return what runs have: fields, then parameters, metrics and labels by name."""
        with self._counting, self._database.reading() as session:
            return self._columns.all(session)

    def find(self, session: Session, where: str, search: str, sort: str) -> Found:
        """Return the runs that match, in order; worked out now or remembered."""
        head = session.scalar(select(func.max(Run.sequence))) or 0
        where, search, sort = clean(where).strip(), clean(search).strip(), clean(sort).strip()
        with self._lock:
            return self._remembered(session, where, search, sort, head)

    def _remembered(self, session: Session, where: str, search: str, sort: str, head: int) -> Found:
        key = (where, search, sort)
        found = self._found.get(key)
        if found is None or found.head != head:
            sorts = parse_sort(sort)
            if sorts:
                plain = self._remembered(session, where, search, "", head)
                ordered = _in_order(session, plain, sorts)
                found = Found(ordered, head, plain.everything, plain.extremes)
            else:
                sequences = array(
                    "q", (r[0] for r in raw(session, matching(session, where, search)))
                )
                found = Found(sequences, head, not where and not search)
            self._found[key] = found
            while len(self._found) > KEPT:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return found

    def _cells(
        self, session: Session, sequences: Sequence[int], fields: Sequence[Field]
    ) -> tuple[list[str], list[list[Cell]]]:
        """Return ids and rows of runs, in their order."""
        width = len(fields)
        rows: dict[int, list[Cell]] = {sequence: [None] * width for sequence in sequences}
        ids: dict[int, str] = {}
        places: dict[tuple[str, str], list[int]] = {}
        own: list[tuple[int, str]] = []
        for place, each in enumerate(fields):
            if each.kind == "column":
                own.append((place, COLUMNS[each.name]))
            else:
                places.setdefault((each.kind, each.name), []).append(place)
        heads = select(
            Run.sequence, Run.id, *(field_column(fields[p]).label(f"c{p}") for p, _ in own)
        )
        values = select(
            RunValue.run_sequence,
            RunValue.kind,
            RunValue.name,
            RunValue.text,
            RunValue.type,
            RunValue.number,
        ).where(
            RunValue.kind.in_({kind for kind, _ in places}),
            RunValue.name.in_({name for _, name in places}),
        )
        for chunk in chunks(sequences):
            for sequence, id_, *found in session.execute(heads.where(Run.sequence.in_(chunk))):
                ids[sequence] = id_
                row = rows[sequence]
                for (place, nature), value in zip(own, found, strict=True):
                    row[place] = time_text(value) if nature == "time" else value
            if not places:
                continue
            chosen = values.where(RunValue.run_sequence.in_(chunk))
            for sequence, kind, name, text, type_, number in raw(session, chosen):
                for place in places.get((kind, name), ()):
                    rows[sequence][place] = cell(text, type_, number)
        return [ids[sequence] for sequence in sequences], list(rows.values())

    # -- extremes ------------------------------------------------------------------------------

    def _extremes(
        self, session: Session, found: Found, where: str, search: str, fields: Sequence[Field]
    ) -> dict[Field, tuple[float, float]]:
        members: frozenset[int] | None = None
        result = {}
        for each in fields:
            if each.kind == "column" and COLUMNS[each.name] != "number":
                continue
            if each not in found.extremes:
                if not found.everything and members is None:
                    members = frozenset(found.sequences)
                if each.kind == "column":
                    found.extremes[each] = self._longest(session, found, members)
                else:
                    found.extremes[each] = _extremes(session, each, members)
            known = found.extremes[each]
            if known is not None:
                result[each] = known
        return result

    def _longest(
        self, session: Session, found: Found, members: frozenset[int] | None
    ) -> tuple[float, float] | None:
        """Return the least and the most seconds that runs took.

        No index has them, so they are read once and kept.
        """
        with self._lock:
            known = len(self._seconds)
            if known < found.head:
                self._seconds.extend([math.nan] * (found.head - known))
                new = select(Run.sequence, Run.seconds).where(
                    Run.sequence > known, Run.seconds.between(-_LARGEST, _LARGEST)
                )
                for sequence, number in raw(session, new):
                    if sequence <= found.head:
                        self._seconds[sequence - 1] = number
            seconds = self._seconds
        chosen = seconds if members is None else [seconds[each - 1] for each in members]
        numbers = [number for number in chosen if number == number]
        return (min(numbers), max(numbers)) if numbers else None


def raw(session: Session, query: Executable) -> list[tuple[Any, ...]]:
    """Return the rows of a query on numbers and texts as the driver gives them.

    A third of the time of rows that know their columns' names and types, which tells where there
    are a hundred thousand of them.
    """
    result = session.connection().execute(query)
    try:
        assert result.cursor is not None
        return list(result.cursor.fetchall())
    finally:
        result.close()


def _in_order(session: Session, found: Found, sorts: Sequence[Sort]) -> Sequences:
    """Return the runs in the order asked for: missing values last, ties newest first."""
    order = list(found.sequences)
    for sort in reversed(sorts):
        queries = arranged(sort)
        if sort is sorts[-1]:
            # the database has sorted already, and ties are as they should be
            only = [query.with_only_columns(query.selected_columns[0]) for query in queries]
            there = [row[0] for query in only for row in raw(session, query)]
            if not found.everything:
                members = frozenset(order)
                there = [sequence for sequence in there if sequence in members]
            if len(there) < len(order):
                known = frozenset(there)
                there += [sequence for sequence in order if sequence not in known]
            order = there
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
        missing = rank + 1
        order.sort(key=partial(_rank, ranks, missing))
    return array("q", order)


def _rank(ranks: dict[int, int], missing: int, sequence: int) -> int:
    return ranks.get(sequence, missing)


def _extremes(
    session: Session, each: Field, members: frozenset[int] | None
) -> tuple[float, float] | None:
    """Return the lowest and highest finite number of a value among some runs, or among all."""
    sequence, number = RunValue.run_sequence, RunValue.number
    of = (
        (RunValue.kind == each.kind)
        & (RunValue.name == each.name)
        & number.between(-_LARGEST, _LARGEST)
    )
    if members is None:
        # one at a time: of an index either end is one look-up, both together are a walk
        low = session.scalar(select(func.min(number)).where(of))
        high = session.scalar(select(func.max(number)).where(of))
        return None if low is None or high is None else (low, high)
    if len(members) <= _FEW:
        numbers = [
            row[0]
            for chunk in chunks(members)
            for row in raw(session, select(number).where(of, sequence.in_(chunk)))
        ]
        return (min(numbers), max(numbers)) if numbers else None
    ends = []
    for order in (number.asc(), number.desc()):
        # along the index until a run is among them, which is soon where they are many
        query = select(sequence, number).where(of).order_by(order)
        end = _first(session, query, members)
        if end is None:
            return None
        ends.append(end)
    return ends[0], ends[1]


def _first(session: Session, query: Executable, members: frozenset[int]) -> float | None:
    result = session.connection().execute(query)
    try:
        assert result.cursor is not None
        count = 16
        while rows := result.cursor.fetchmany(count):
            for sequence, number in rows:
                if sequence in members:
                    return float(number)
            count = min(2 * count, 4096)
        return None
    finally:
        result.close()
