# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table: which match and in which order worked out once, then read page by page.

Runs never change once they are recorded, so what matches a filter, in which order, stays right
until a newer run is there. What was found of the last few is kept; a page of one is a slice and a
look at its rows.
"""

from __future__ import annotations

import math
import sys
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress

from sqlalchemy import Executable, func, select
from sqlalchemy.orm import Session

from .cells import Cell, cell, time_text
from .chunking import chunks
from .columns import ColumnFacts, Columns
from .database import Database
from .expressions import field_column
from .models import Run, RunValue
from .ordering import Orders, newest_first
from .plainrows import raw
from .reading import value_names
from .rows import clean
from .selection import Selection
from .where import COLUMNS, Field

KEPT = 12
"""So many filters are remembered; one takes 0.1 MB where there are 100,000 runs."""

_FEW = 1000  # of so few matching runs the extremes are read from the runs themselves
_LARGEST = sys.float_info.max


@dataclass(slots=True)
class Found:
    """The runs that match a filter."""

    marks: bytes  # for each sequence from 0, 1 where the run matches
    head: int  # sequence of the newest run there was
    total: int
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
        self._found: OrderedDict[tuple[str, str], Found] = OrderedDict()
        self._selection = Selection()
        self._orders = Orders()
        self._names: tuple[int, dict[str, list[str]]] = (-1, {})  # of which head
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
            found, wanted = self.find(session, where, search, sort, offset, limit)
            ids, rows = self._cells(session, wanted, fields)
            extremes = self._extremes(session, found, fields)
        return Page(ids, rows, found.total, found.head, extremes)

    def sample(
        self, fields: Sequence[Field], most: int, *, where: str = "", search: str = ""
    ) -> Page:
        """Return all runs that match, newest first, or ``most`` of them, evenly chosen.

        The same ones each time.
        """
        with self._database.reading() as session:
            found = self.matching(session, where, search)
            wanted, total = list(newest_first(found.marks)), found.total
            if total > most:
                wanted = [wanted[i * total // most] for i in range(most)]
            ids, rows = self._cells(session, wanted, fields)
        return Page(ids, rows, total, found.head, {})

    def batches(
        self, fields: Sequence[Field], *, where: str = "", search: str = "", sort: str = ""
    ) -> Iterator[list[list[Cell]]]:
        """Yield the rows of all runs that match, some hundreds at a time."""
        with self._database.reading() as session:
            sequences = self.find(session, where, search, sort)[1]
        for chunk in chunks(sequences):
            with self._database.reading() as session:
                rows = self._cells(session, chunk, fields)[1]
            yield rows

    def names(self) -> dict[str, list[str]]:
        """Return all names by kind (``parameter``, ``metric``, ``label``), sorted."""
        with self._database.reading() as session:
            head = _head(session)
            known, names = self._names
            if known != head:
                names = value_names(session)
                self._names = head, names
        return {kind: list(found) for kind, found in names.items()}

    def columns(self) -> list[ColumnFacts]:
        """Return what runs have: fields, then parameters, metrics and labels by name."""
        with self._counting, self._database.reading() as session:
            return self._columns.all(session)

    def find(
        self,
        session: Session,
        where: str,
        search: str,
        sort: str,
        offset: int = 0,
        limit: int | None = None,
    ) -> tuple[Found, list[int]]:
        """Return which runs match, and the sequences of some (all, without a limit) in order."""
        start = min(max(0, offset), sys.maxsize)
        stop = sys.maxsize if limit is None else min(start + max(0, limit), sys.maxsize)
        with self._lock:
            found = self.matching(session, where, search)
            runs = found.marks if found.everything else self._all(session, found.head).marks
            order = clean(sort).strip()
            return found, self._orders.some(session, order, runs, found.marks, start, stop)

    def matching(self, session: Session, where: str, search: str) -> Found:
        """Return which runs match; worked out now or remembered."""
        where, search = clean(where).strip(), clean(search).strip()
        return self._remembered(session, where, search, _head(session))

    def _all(self, session: Session, head: int) -> Found:
        return self._remembered(session, "", "", head)

    def _remembered(self, session: Session, where: str, search: str, head: int) -> Found:
        key = (where, search)
        with self._lock:
            found = self._found.get(key)
            if found is None or found.head != head:
                marks = self._selection.find(session, where, search, head)
                found = Found(marks, head, marks.count(1), not where and not search)
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
        self, session: Session, found: Found, fields: Sequence[Field]
    ) -> dict[Field, tuple[float, float]]:
        result = {}
        for each in fields:
            if each.kind == "column" and COLUMNS[each.name] != "number":
                continue
            if each not in found.extremes:
                if each.kind == "column":
                    found.extremes[each] = self._longest(session, found)
                else:
                    found.extremes[each] = _extremes(session, each, found)
            known = found.extremes[each]
            if known is not None:
                result[each] = known
        return result

    def _longest(self, session: Session, found: Found) -> tuple[float, float] | None:
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
        chosen = compress(seconds, memoryview(found.marks)[1:])
        numbers = [number for number in chosen if number == number]
        return (min(numbers), max(numbers)) if numbers else None


def _head(session: Session) -> int:
    """Return the sequence of the newest run, 0 if there is none."""
    return session.scalar(select(func.max(Run.sequence))) or 0


def _extremes(session: Session, each: Field, found: Found) -> tuple[float, float] | None:
    """Return the lowest and highest finite number of a value among the runs that match."""
    sequence, number = RunValue.run_sequence, RunValue.number
    of = (
        (RunValue.kind == each.kind)
        & (RunValue.name == each.name)
        & number.between(-_LARGEST, _LARGEST)
    )
    if found.everything:
        # one at a time: of an index either end is one look-up, both together are a walk
        low = session.scalar(select(func.min(number)).where(of))
        high = session.scalar(select(func.max(number)).where(of))
        return None if low is None or high is None else (low, high)
    if found.total <= _FEW:
        numbers = [
            row[0]
            for chunk in chunks(newest_first(found.marks))
            for row in raw(session, select(number).where(of, sequence.in_(chunk)))
        ]
        return (min(numbers), max(numbers)) if numbers else None
    ends = []
    for order in (number.asc(), number.desc()):
        # along the index until a run is among them, which is soon where they are many
        query = select(sequence, number).where(of, sequence <= found.head).order_by(order)
        end = _first(session, query, found.marks)
        if end is None:
            return None
        ends.append(end)
    return ends[0], ends[1]


def _first(session: Session, query: Executable, marks: bytes) -> float | None:
    result = session.connection().execute(query)
    try:
        assert result.cursor is not None
        count = 16
        while rows := result.cursor.fetchmany(count):
            for sequence, number in rows:
                if marks[sequence]:
                    return float(number)
            count = min(2 * count, 4096)
        return None
    finally:
        result.close()
