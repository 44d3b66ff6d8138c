# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Turning what is to be recorded into rows that every database can hold, cleaned and complete.

Text from programs is wild: lone surrogates, NULs, NaN in JSON, names of a megabyte. A run is never
lost for that; what no database can hold is replaced, and only then hashed.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import RecordsError
from .new import NewChange, NewDatasetFile, NewFile, NewRun, NewSeries, NewValue

Row = dict[str, Any]

TYPES = frozenset({"str", "int", "float", "bool", "none"})
KINDS = frozenset({"parameter", "metric", "label"})
AUTHORITIES = frozenset({"workload", "derived", "correction", "remote"})
DIRECTIONS = frozenset({"input", "output"})
CHANGES = frozenset({"added", "modified", "removed"})
NAME_LENGTH = 512
DATASET_LENGTH = 255

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf", re.ASCII)
RUN_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_DEPTH = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clean(text: str) -> str:
    """Replace what UTF-8 or PostgreSQL cannot hold (lone surrogates, NUL) by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def fit(text: str, length: int) -> str:
    """Return clean text of at most ``length`` characters; different long names stay different."""
    text = clean(text)
    if len(text) <= length:
        return text
    if length < 64:
        return text[:length]
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: length - 17]}~{digest}"


def clean_json(value: Any, depth: int = 0) -> Any:
    """Return a JSON value that every database and reader can hold; NaN and infinities as text."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= _MAX_DEPTH:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item, depth + 1) for item in value]
    return clean(str(value))


def to_number(text: str, type: str) -> float | None:  # noqa: A002 - it is what the column is called
    """Return the number that a value is, or None. NaN is none: nothing compares with it.

    Text of the original format carries no types, so text that is written as a number is one.
    """
    if type == "bool":
        return 1.0 if text.lower() == "true" else 0.0
    if type == "none" or not _NUMBER.fullmatch(text):
        return None
    return float(text) + 0.0  # SQLite knows no negative zero


def value_row(value: NewValue) -> Row:
    """Return the columns of a parameter, metric or label."""
    if value.kind not in KINDS:
        raise RecordsError(f"{value.kind!r} is not a kind of value that runs have.")
    text = clean(value.text)
    type_ = value.type if value.type in TYPES else "str"
    return {
        "kind": value.kind,
        "name": fit(value.name, NAME_LENGTH),
        "text": text,
        "type": type_,
        "number": to_number(text, type_),
    }


def dataset_row(file: NewDatasetFile) -> Row:
    """Return the columns of a file of a dataset that a run read or wrote."""
    return {"dataset": fit(file.dataset, DATASET_LENGTH), **file_row(file)}


def file_row(file: NewFile | NewDatasetFile) -> Row:
    """Return the columns of a file that a run read or wrote."""
    if file.direction not in DIRECTIONS:
        raise RecordsError(f"{file.direction!r} is not a direction that files of runs have.")
    if file.authority not in AUTHORITIES:
        raise RecordsError(f"{file.authority!r} is not an authority that files of runs have.")
    return {
        "direction": file.direction,
        "path": clean(file.path),
        "version": _short(file.version),
        "digest": _short(file.digest),
        "size": file.size,
        "authority": file.authority,
    }


def _short(text: str | None) -> str | None:
    """Return an id or a digest as its column holds it."""
    return None if text is None else fit(text, 64)


def change_row(change: NewChange) -> Row:
    """Return the columns of a file that a commit wrote or removed."""
    if change.change not in CHANGES:
        raise RecordsError(f"{change.change!r} is not a change that files undergo.")
    return {
        "path": clean(change.path),
        "change": change.change,
        "digest": _short(change.digest),
    }


def series_row(series: NewSeries) -> Row:
    """Return the columns of a metric's points.

    Raises
    ------
    RecordsError
        If the arrays do not hold ``count`` points each.
    """
    if not len(series.steps) == len(series.values) == len(series.times) == 8 * series.count:
        raise RecordsError(
            f"The points of the metric {series.name!r} are incomplete, so they were not recorded."
        )
    data = series.steps + series.values + series.times
    return {
        "name": fit(series.name, NAME_LENGTH),
        "count": series.count,
        "digest": hashlib.sha256(data).hexdigest(),
        # a quarter of the default level's time for nearly its size: floats hardly compress
        "data": zlib.compress(data, 1),
    }


def log_row(name: str, data: bytes) -> Row:
    """Return the columns of a log."""
    return {
        "name": fit(name, 255),
        "size": len(data),
        "digest": hashlib.sha256(data).hexdigest(),
        "data": zlib.compress(data),
    }


def run_row(run: NewRun, author: str) -> Row:
    """Return the columns of a run that do not depend on where in the history it stands."""
    if not RUN_ID.fullmatch(run.id):
        raise RecordsError(
            f"{fit(run.id, 80)!r} is not the id of a run: ids are up to 64 letters, digits, "
            "dashes and underscores."
        )
    if run.authority not in AUTHORITIES:
        raise RecordsError(f"{run.authority!r} is not an authority that runs have.")
    return {
        "id": run.id,
        "authority": run.authority,
        "status": "succeeded" if run.error is None else "failed",
        "description": clean(run.description),
        "error": None if run.error is None else clean(run.error),
        "author": clean(run.author or author),
        "workload_type": fit(run.workload_type, 16),
        "workload_file": None if run.workload_file is None else clean(run.workload_file),
        "started": _utc(run.started),
        "ended": _utc(run.ended),
        "seconds": _seconds(run.started, run.ended),
        "details": clean_json(run.details),
    }


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise RecordsError("A time without a zone cannot be recorded.")
    return time.astimezone(UTC)


def _seconds(started: datetime | None, ended: datetime | None) -> float | None:
    if started is None or ended is None:
        return None
    return (ended - started).total_seconds()


def commit_row(id_: str, snapshot: str, metadata: Mapping[str, str]) -> Row:
    """Return the columns of a commit that do not depend on where in the history it stands."""
    return {
        "id": id_,
        "snapshot": snapshot,
        "type": metadata["type"],
        "message": metadata["message"],
        "author": metadata["author"],
        "created": created(metadata["timestamp"]),
        "details": metadata,
    }


def parent_rows(parents: Sequence[str]) -> list[Row]:
    """Return the columns of the arrows to a commit's parents."""
    return [{"position": position, "parent_id": id_} for position, id_ in enumerate(parents)]


def created(timestamp: str) -> datetime:
    """Return the time that a commit's ``timestamp`` (nanoseconds) means, to the microsecond."""
    return _EPOCH + timedelta(microseconds=int(timestamp) // 1000)
