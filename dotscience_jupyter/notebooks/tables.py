# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two tables differ, row by row: CSV, TSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from .sequences import gaps, matches
from .texts import decode
from .values import Check, DamagedError, unchecked

MOST_ROWS = 200_000
"""Rows of each side that are compared."""

MOST_ANSWERED = 500
"""Rows that differ that are given."""

_MOST_BEYOND = 5_000_000  # rows after those that are compared in which a missing one is looked for
_CHECKED = 10_000  # rows between two looks whether anybody still wants the answer
_MOST_VALUE = 1000  # characters of a value that are shown
_MOST_COLUMNS = 5000
_OVERLAP = 0.5  # of the smaller side's keys that the other one must have
_SNIFFED = 64 * 1024
_FIELD_LIMIT = 16 * 1024 * 1024

Scalar = bool | int | float | str | None
Row = tuple[Scalar, ...]


@dataclass(slots=True)
class TableCell:
    """A value of a row that differs."""

    column: str
    old: Scalar
    new: Scalar


@dataclass(slots=True)
class TableRow:
    """A row that differs; rows count from 1, without the header."""

    change: Literal["added", "removed", "modified"]
    old_row: int | None
    new_row: int | None
    values: list[TableCell]


@dataclass(slots=True)
class TableComparison:
    """How two tables differ."""

    columns: list[str]
    added_columns: list[str]
    removed_columns: list[str]
    key: str = ""
    added: int = 0
    removed: int = 0
    modified: int = 0
    rows: list[TableRow] = field(default_factory=list)
    old_rows: int = 0
    new_rows: int = 0
    sampled: bool = False


@dataclass(slots=True)
class Table:
    """The beginning of a table, and how many rows it has in all."""

    columns: list[str]
    rows: list[Row]
    total: int
    beyond: Callable[[list[int]], Iterator[Row]] = lambda places: iter(())
    """Gives the values of some columns of the rows that come after."""


def compare_tables(
    old: bytes | None, new: bytes | None, path: str, check: Check = unchecked
) -> TableComparison:
    """Compare two tables; the ending of the path tells their format.

    Rows are matched by the first column that both sides have, whose values are all different on
    each side and mostly the same on both; where there is none, by their content. Of long tables the
    first rows are compared; one that is among these on one side only is told if the other side does
    not have it further down.

    ``check`` is called now and then; what it raises ends the comparison.

    Raises
    ------
    DamagedError
        If one cannot be read.
    """
    read = read_parquet if path.lower().endswith((".parquet", ".pq")) else read_csv
    a, b = (Table([], [], 0) if data is None else read(data, check) for data in (old, new))
    common = [column for column in b.columns if column in set(a.columns)]
    result = TableComparison(
        columns=b.columns + [column for column in a.columns if column not in set(b.columns)],
        added_columns=[column for column in b.columns if column not in set(a.columns)],
        removed_columns=[column for column in a.columns if column not in set(b.columns)],
        old_rows=a.total,
        new_rows=b.total,
        sampled=max(a.total, b.total) > MOST_ROWS,
    )
    if old is None or new is None:
        pairs: Iterable[tuple[int | None, int | None]] = [
            *((i, None) for i in range(len(a.rows))),
            *((None, j) for j in range(len(b.rows))),
        ]
    else:
        x, y = _projected(a, common), _projected(b, common)
        place = _key(x, y, len(common))
        if place is not None:
            result.key = common[place]
            pairs = _by_key(x, y, place)
        else:
            pairs = _by_content(x, y)
        if result.sampled:
            check()
            pairs = _surely(list(pairs), (a, b), (x, y), common, place, check)
    for i, j in pairs:
        _tell(result, a, b, common, i, j)
    return result


def _surely(
    pairs: list[tuple[int | None, int | None]],
    tables: tuple[Table, Table],
    rows: tuple[list[Row], list[Row]],
    common: list[str],
    place: int | None,
    check: Check,
) -> Iterator[tuple[int | None, int | None]]:
    """Leave rows out that only miss because of where the other side was cut."""
    wanted = common if place is None else [common[place]]
    there: list[set[int]] = []
    for side, other in ((0, 1), (1, 0)):
        missing = [pair[side] for pair in pairs if pair[other] is None]
        keys = {
            i: rows[side][i] if place is None else (rows[side][i][place],)
            for i in missing
            if i is not None
        }
        there.append(_found_beyond(keys, tables[other], wanted, check))
    for i, j in pairs:
        if (j is None and i in there[0]) or (i is None and j in there[1]):
            continue
        yield i, j


def _found_beyond(keys: dict[int, Row], table: Table, columns: list[str], check: Check) -> set[int]:
    """Return which rows a table has after those that were read, or may have."""
    left = table.total - len(table.rows)
    if not keys or not left:
        return set()
    if left > _MOST_BEYOND:
        return set(keys)
    waiting: dict[Row, list[int]] = {}
    for i, key in keys.items():
        waiting.setdefault(key, []).append(i)
    found: set[int] = set()
    for number, row in enumerate(table.beyond([table.columns.index(name) for name in columns])):
        if number % _CHECKED == 0:
            check()
        if rows := waiting.get(row):
            found.add(rows.pop())
            if len(found) == len(keys):
                break
    return found


def _tell(
    result: TableComparison,
    a: Table,
    b: Table,
    common: list[str],
    i: int | None,
    j: int | None,
) -> None:
    change: Literal["added", "removed", "modified"]
    change = "added" if i is None else "removed" if j is None else "modified"
    setattr(result, change, getattr(result, change) + 1)
    if len(result.rows) >= MOST_ANSWERED:
        return
    before = {} if i is None else dict(zip(a.columns, a.rows[i], strict=True))
    after = {} if j is None else dict(zip(b.columns, b.rows[j], strict=True))
    columns = common if change == "modified" else list(before or after)
    values = [
        TableCell(column, _shown(before.get(column)), _shown(after.get(column)))
        for column in columns
        if change != "modified" or before[column] != after[column]
    ]
    result.rows.append(
        TableRow(change, None if i is None else i + 1, None if j is None else j + 1, values)
    )


def _projected(table: Table, columns: list[str]) -> list[Row]:
    if columns == table.columns:
        return table.rows
    places = [table.columns.index(column) for column in columns]
    return [tuple(row[place] for place in places) for row in table.rows]


def _key(a: list[Row], b: list[Row], columns: int) -> int | None:
    if not a or not b:
        return None
    for place in range(columns):
        keys = []
        for rows in (a, b):
            found = {row[place] for row in rows}
            if len(found) < len(rows) or None in found or "" in found:
                break
            keys.append(found)
        if len(keys) == 2:
            smaller = min(len(keys[0]), len(keys[1]))
            if len(keys[0] & keys[1]) >= _OVERLAP * smaller:
                return place
    return None


def _by_key(a: list[Row], b: list[Row], place: int) -> Iterator[tuple[int | None, int | None]]:
    old = {row[place]: i for i, row in enumerate(a)}
    there = {row[place] for row in b}
    for i, row in enumerate(a):
        if row[place] not in there:
            yield i, None
    for j, row in enumerate(b):
        found = old.get(row[place])
        if found is None:
            yield None, j
        elif a[found] != row:
            yield found, j


def _by_content(a: list[Row], b: list[Row]) -> list[tuple[int | None, int | None]]:
    found = list(gaps(matches(a, b), len(a), len(b)))
    # a row that only stands elsewhere is no difference
    went = Counter(a[i] for i0, i1, _, _ in found for i in range(i0, i1))
    came = Counter(b[j] for _, _, j0, j1 in found for j in range(j0, j1))
    moved = went & came, went & came
    result: list[tuple[int | None, int | None]] = []
    for i0, i1, j0, j1 in found:
        old = [i for i in range(i0, i1) if not _taken(moved[0], a[i])]
        new = [j for j in range(j0, j1) if not _taken(moved[1], b[j])]
        if len(old) == len(new) and all(_alike(a[i], b[j]) for i, j in zip(old, new, strict=True)):
            result += zip(old, new, strict=True)
        else:
            result += [(i, None) for i in old]
            result += [(None, j) for j in new]
    return result


def _taken(left: Counter[Row], row: Row) -> bool:
    """Whether a row is one of those that are left; it is one less then."""
    if left[row] <= 0:
        return False
    left[row] -= 1
    return True


def _alike(a: Row, b: Row) -> bool:
    return 2 * sum(x == y for x, y in zip(a, b, strict=True)) >= len(a)


def _shown(value: Scalar) -> Scalar:
    if isinstance(value, str) and len(value) > _MOST_VALUE:
        return value[: _MOST_VALUE - 1] + "…"
    return value


def _unique(names: Sequence[str]) -> list[str]:
    """Return names that are all different: later ones of a name get a number."""
    times: Counter[str] = Counter()
    taken: set[str] = set()
    found = []
    for name in names:
        times[name] += 1
        other = name
        while other in taken:
            other = f"{name} ({times[name]})"
            times[name] += 1
        taken.add(other)
        found.append(other)
    return found


def read_csv(data: bytes, check: Check = unchecked) -> Table:
    """Read a table of separated values whose first row names the columns."""
    text = decode(data)
    csv.field_size_limit(_FIELD_LIMIT)
    head = text[:_SNIFFED]
    delimiter = max(",;\t|", key=lambda each: (_regular(head, each), each == ","))

    def start() -> Any:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def beyond(places: list[int]) -> Iterator[Row]:
        # the header is the first row that is there
        for row in islice((row for row in start() if row), MOST_ROWS + 1, None):
            yield tuple(row[place] if place < len(row) else "" for place in places)

    reader = start()
    try:
        header = next(reader, None)
        if header is None:
            return Table([], [], 0)
        if len(header) > _MOST_COLUMNS:
            raise DamagedError(f"it has more than {_MOST_COLUMNS} columns")
        columns = _unique([name.strip() for name in header])
        width = len(columns)
        rows: list[Row] = []
        for number, row in enumerate(islice((row for row in reader if row), MOST_ROWS)):
            if number % _CHECKED == 0:
                check()
            if len(row) != width:
                if len(row) > width:
                    raise DamagedError(f"line {reader.line_num} has more values than the header")
                row += [""] * (width - len(row))
            rows.append(tuple(row))
        total = len(rows)
        for row in reader:
            total += bool(row)
            if total % _CHECKED == 0:
                check()
        return Table(columns, rows, total, beyond)
    except csv.Error as error:
        raise DamagedError(f"line {reader.line_num} cannot be read ({error})") from None


def _regular(head: str, delimiter: str) -> int:
    """Return how many columns all of the first lines have with a delimiter; 0 if they differ."""
    try:
        lines = list(islice(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), 20))
    except csv.Error:
        return 0
    if len(head) == _SNIFFED and len(lines) < 20:
        lines = lines[:-1]  # it is cut off
    widths = {len(line) for line in lines if line}
    width = widths.pop() if len(widths) == 1 else 0
    return width if width > 1 else 0


def read_parquet(data: bytes, check: Check = unchecked) -> Table:
    """Read a Parquet file. Raise DamagedError also where pyarrow is missing, saying so."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DamagedError(
            "Parquet files are compared where pyarrow is installed: "
            "pip install 'dotscience-jupyter[tables]'"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(io.BytesIO(data)) as file:
            total = int(file.metadata.num_rows)
            names = list(file.schema_arrow.names)
            if len(names) > _MOST_COLUMNS:
                raise DamagedError(f"it has more than {_MOST_COLUMNS} columns")
            values: list[list[Scalar]] = [[] for _ in names]
            left = MOST_ROWS
            for batch in file.iter_batches(batch_size=min(50_000, MOST_ROWS)):
                check()
                part = batch.slice(0, left)
                left -= part.num_rows
                for column, target in zip(part.columns, values, strict=True):
                    target += _scalars(column.to_pylist())
                if not left:
                    break
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError("it cannot be read as Parquet") from None

    def beyond(places: list[int]) -> Iterator[Row]:
        wanted = [names[place] for place in places]
        # of two columns with one name all are read, since only their places tell them apart
        chosen = wanted if len(set(names)) == len(names) else None
        skip = MOST_ROWS
        try:
            with pyarrow.parquet.ParquetFile(io.BytesIO(data)) as file:
                for batch in file.iter_batches(batch_size=50_000, columns=chosen):
                    part = batch.slice(skip)
                    skip = max(0, skip - batch.num_rows)
                    columns = [part.column(each) for each in (places if chosen is None else wanted)]
                    yield from zip(*(_scalars(each.to_pylist()) for each in columns), strict=True)
        except (pyarrow.ArrowException, OSError) as error:
            raise DamagedError("it cannot be read as Parquet") from error

    return Table(_unique(names), list(zip(*values, strict=True)), total, beyond)


def _scalars(values: list[Any]) -> list[Scalar]:
    kinds = {type(value) for value in values}
    if kinds <= {str, int, bool, type(None)}:
        return values
    return [_SCALARS.get(type(value), _told)(value) for value in values]


def _told(value: Any) -> Scalar:
    isoformat: Callable[[], str] | None = getattr(value, "isoformat", None)
    return isoformat() if isoformat is not None else str(value)


def _float(value: float) -> Scalar:
    # a number that is none differs from itself, and JSON has no infinities
    return value if math.isfinite(value) else str(value)


def _same(value: Any) -> Any:
    return value


_SCALARS: dict[type, Callable[[Any], Scalar]] = {
    **dict.fromkeys((str, int, bool, type(None)), _same),
    float: _float,
    bytes: lambda value: value[: _MOST_VALUE // 2].hex(),
}
