# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What runs have: every field, parameter, metric and label with its type, extremes and values."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from dataclasses import field as by_default
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from .cells import Cell
from .models import Run, RunValue
from .where import COLUMNS, Field

SHOWN_VALUES = 20
RECENT = 5000
"""Commonest values are those of so many of the newest runs, and of all that come after."""

_MOST_COUNTED = 5000  # different values; beyond that the rarest are forgotten
_LONGEST = 200  # longer texts are no values that anybody chooses from a list
_ORDER = {"parameter": 0, "metric": 1, "label": 2}
_LARGEST = sys.float_info.max
_COUNTED = ("status", "error", "author", "file", "authority")
_COLUMN_TYPES = {"id": "text", "text": "text", "time": "time", "number": "number"}


@dataclass(slots=True)
class ColumnFacts:
    """What is known of one field of all runs."""

    field: Field
    type: str = "text"  # number, text, bool, time, mixed
    runs: int = 0
    minimum: float | None = None
    maximum: float | None = None
    values: list[str] = by_default(default_factory=list)


@dataclass(slots=True)
class _Known:
    """What has been counted of one field so far."""

    runs: int = 0
    numbers: int = 0
    minimum: float | None = None
    maximum: float | None = None
    texts: bool = False  # a text that is no number is among them
    bools: bool = False
    plain: bool = False  # a number that is no bool is among them
    values: Counter[str] = by_default(default_factory=Counter)

    def extend(self, low: float | None, high: float | None) -> None:
        """Take more extremes."""
        if low is not None:
            self.minimum = low if self.minimum is None else min(self.minimum, low)
        if high is not None:
            self.maximum = high if self.maximum is None else max(self.maximum, high)

    def count(self, values: Counter[str]) -> None:
        """Take more values."""
        self.values.update(values)
        if len(self.values) > _MOST_COUNTED:
            self.values = Counter(dict(self.values.most_common(_MOST_COUNTED // 2)))

    def type(self) -> str:
        """Return the type that fits all of them."""
        if self.texts:
            return "mixed" if self.numbers else "text"
        if not self.numbers:
            return "text"
        return "bool" if self.bools and not self.plain else "number"


class Columns:
    """Facts on all columns, kept up with new runs: of those recorded before nothing changes."""

    def __init__(self) -> None:
        self._head = 0
        self._known: dict[Field, _Known] = {}

    def all(self, session: Session) -> list[ColumnFacts]:
        """Return the fields of runs in their usual order, then parameters, metrics, labels."""
        head = session.scalar(select(func.max(Run.sequence))) or 0
        if head < self._head:
            # another database in the place of the one that was counted
            self._known.clear()
            self._head = 0
        if head > self._head:
            self._count_fields(session, head)
            self._count_values(session, head)
            self._head = head
        names = sorted(
            (each for each in self._known if each.kind != "column"),
            key=lambda each: (_ORDER[each.kind], each.name),
        )
        fields = [Field("column", name) for name in COLUMNS]
        return [self._facts(each) for each in (*fields, *names)]

    def _facts(self, each: Field) -> ColumnFacts:
        known = self._known.get(each, _Known())
        column = each.kind == "column"
        values = known.values.most_common(SHOWN_VALUES)
        if len(known.values) > SHOWN_VALUES and values[0][1] == 1:
            values = []  # all are different: none is commoner than another
        return ColumnFacts(
            each,
            _COLUMN_TYPES[COLUMNS[each.name]] if column else known.type(),
            known.runs,
            known.minimum,
            known.maximum,
            [text for text, _ in values],
        )

    def _count_fields(self, session: Session, head: int) -> None:
        new = (Run.sequence > self._head) & (Run.sequence <= head)
        nullable = {
            "error": Run.error,
            "file": Run.workload_file,
            "started": Run.started,
            "ended": Run.ended,
            "seconds": Run.seconds,
        }
        counts = [func.count(column) for column in nullable.values()]
        seconds = (func.min(Run.seconds), func.max(Run.seconds))
        total, low, high, *found = session.execute(
            select(func.count(), *seconds, *counts).where(new)
        ).one()
        runs = dict(zip(nullable, found, strict=True))
        for name in COLUMNS:
            self._of(Field("column", name)).runs += runs.get(name, total)
        self._of(Field("column", "seconds")).extend(low, high)
        recent = (Run.sequence > max(self._head, head - RECENT)) & (Run.sequence <= head)
        columns = (Run.status, Run.error, Run.author, Run.workload_file, Run.authority)
        for name, column in zip(_COUNTED, columns, strict=True):
            known = self._of(Field("column", name))
            known.count(_counter(session, column, recent & column.is_not(None)))

    def _count_values(self, session: Session, head: int) -> None:
        number = RunValue.number
        finite = case((number.between(-_LARGEST, _LARGEST), number))
        query = select(
            RunValue.kind,
            RunValue.name,
            func.count(),
            func.count(number),
            func.min(finite),
            func.max(finite),
        ).group_by(RunValue.kind, RunValue.name)
        if self._head:  # else the index alone answers
            query = query.where(RunValue.run_sequence > self._head)
        for kind, name, runs, numbers, low, high in session.execute(query).all():
            known = self._of(Field(kind, name))
            known.runs += runs
            known.numbers += numbers
            known.extend(low, high)
            self._look(session, Field(kind, name), known, numbers < runs, head)

    def _look(self, session: Session, each: Field, known: _Known, others: bool, head: int) -> None:
        """Find out types and common values of the new values of one field."""
        number = RunValue.number
        of = (
            (RunValue.kind == each.kind)
            & (RunValue.name == each.name)
            & (RunValue.run_sequence > self._head)
        )
        recent = of & (RunValue.run_sequence > head - RECENT)
        if known.numbers:
            bools = of & number.in_((0.0, 1.0)) & (RunValue.type == "bool")
            known.bools = known.bools or _any(session, bools)
            plain = recent & number.is_not(None) & (RunValue.type != "bool")
            known.plain = known.plain or not known.bools or _any(session, plain)
        if others:
            texts = of & number.is_(None) & RunValue.type.not_in(("none", "float"))
            known.texts = known.texts or _any(session, texts)
        if known.texts:
            known.count(_counter(session, RunValue.text, recent & number.is_(None)))
        elif known.type() == "bool":
            known.values = Counter({"true": 1, "false": 1})
        elif each.kind != "metric" and known.numbers:
            known.count(_counter(session, number, recent & number.is_not(None)))

    def _of(self, each: Field) -> _Known:
        return self._known.setdefault(each, _Known())


def _any(session: Session, condition: Any) -> bool:
    return session.scalar(select(RunValue.run_sequence).where(condition).limit(1)) is not None


def _counter(session: Session, column: Any, condition: Any) -> Counter[str]:
    query = select(column, func.count()).where(condition).group_by(column)
    rows = session.execute(query.order_by(func.count().desc()).limit(_MOST_COUNTED))
    found = ((value_text(value), count) for value, count in rows)
    return Counter({text: count for text, count in found if len(text) <= _LONGEST})


def value_text(value: Cell) -> str:
    """Return a value as it is written in a filter, without quotes: 3.0 is ``3``."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
