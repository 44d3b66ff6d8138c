# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The full record of a run (docs/run-format.md, section 2), checked; all that is known of a run.

A record that lies about one part loses that part, with an error that says so; the run itself is
lost only when its id or its public text object is not readable.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

from dotscience_jupyter.records.store import NewSeries

from . import runtext
from .runtext import RunText

TYPES = frozenset({"str", "int", "float", "bool", "none"})
MAX_POINTS = 10_000_000
MAX_DEPTH = 20
MAX_ITEMS = 100_000
MAX_OBSERVED = 1000


@dataclass(slots=True)
class FoundRun:
    """One run that was found, from everywhere it was found in."""

    text: RunText
    root: str | None = None  # what its paths are relative to; None when only the text is known
    workspace: str | None = None
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    series: list[NewSeries] = field(default_factory=list)
    environment: dict[str, Any] | None = None
    traceback: str | None = None
    seeds: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    # files that it opened, by direction; None where it does not want any to be found
    observed: dict[str, list[str]] | None = None
    process: dict[str, Any] = field(default_factory=dict)
    full: bool = False  # whether a record (not only the text) was found
    reduced: bool = False  # whether that record was the notebook's, without series and packages
    notebook: str | None = None  # folder path of the notebook it was found in
    cell: int | None = None
    cell_id: str | None = None
    execution_count: int | None = None
    spool: tuple[str, ...] = ()  # its spool files, removed once the run is committed
    task: str | None = None  # the command task that published it
    problems: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.text.id

    @property
    def from_notebook(self) -> bool:
        """Whether a notebook published it, seen or not.

        A script that a cell started prints into the notebook, and is a script all the same.
        """
        kind = self.source.get("kind")
        if kind is None:
            return self.notebook is not None and self.text.workload_file is None
        return bool(kind == "notebook")

    def merge(self, other: FoundRun) -> FoundRun:
        """Return what both finds of one run know together; the fuller record wins."""
        rank = (self.full and not self.reduced, self.full)
        best, rest = (
            (self, other)
            if rank >= (other.full and not other.reduced, other.full)
            else (other, self)
        )
        for name in ("notebook", "cell", "cell_id", "execution_count", "task"):
            if getattr(best, name) is None:
                setattr(best, name, getattr(rest, name))
        best.spool = tuple(dict.fromkeys((*best.spool, *rest.spool)))
        if best.root is None:
            best.root, best.workspace = rest.root, rest.workspace
        return best


def from_record(document: dict[str, Any], arrays: list[bytes]) -> FoundRun:
    """Check a run record whose arrays were taken out by :func:`.scan_notebook.split_record`.

    Raises
    ------
    ValueError
        When it is no record, or its id or its ``run`` object cannot be read; a sentence.
    """
    if document.get("format") != 1:
        raise ValueError("its format is not 1; a newer version of dotscience-jupyter may read it.")
    run_id = document.get("id")
    if not runtext.is_id(run_id):
        raise ValueError("it has no usable id.")
    assert isinstance(run_id, str)
    found = FoundRun(runtext.from_document(run_id, document.get("run")), full=True)
    found.reduced = document.get("reduced") is True
    root = document.get("root")
    if isinstance(root, str) and os.path.isabs(root):
        found.root = runtext.clean_path(root)
    workspace = document.get("workspace")
    found.workspace = workspace if isinstance(workspace, str) else None
    for kind, names in _object(document, "types").items():
        for name, value in (names if isinstance(names, dict) else {}).items():
            if value in TYPES:
                found.types[kind, runtext.clean(name)] = value
    found.series = _series(_object(document, "series"), arrays, found)
    environment = document.get("environment")
    if isinstance(environment, dict):
        cleaned = plain(environment)
        assert isinstance(cleaned, dict)
        found.environment = cleaned
    traceback = document.get("traceback")
    if isinstance(traceback, str):
        found.traceback = runtext.clean(traceback[-20_000:])
    found.seeds = _scalars(document, "seeds")
    found.resources = _scalars(document, "resources")
    found.source = _scalars(document, "source")
    found.process = _scalars(document, "process")
    if isinstance(document.get("observed"), dict):
        observed = _object(document, "observed")
        found.observed = {key: _paths(observed.get(key)) for key in ("input", "output")}
    cell_id, count = found.source.get("cell_id"), found.source.get("execution_count")
    found.cell_id = cell_id if isinstance(cell_id, str) else None
    found.execution_count = count if isinstance(count, int) else None
    return found


def _object(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _paths(value: object) -> list[str]:
    """Return a list of paths; what is none is dropped: nobody declared it."""
    paths = value[:MAX_OBSERVED] if isinstance(value, list) else []
    return [runtext.clean_path(path) for path in paths if isinstance(path, str) and path]


def _scalars(document: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the scalars of an object of the record; what is none is dropped."""
    return {
        runtext.clean(name): plain(value)
        for name, value in list(_object(document, key).items())[:1000]
        if value is None or isinstance(value, str | bool | int | float)
    }


def plain(value: Any, depth: int = 0) -> Any:
    """Return JSON that every database and JSON reader takes: no NaN, no NUL, no abyss."""
    if isinstance(value, str):
        return runtext.clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(value)
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return {}
        return {
            runtext.clean(str(key)): plain(item, depth + 1)
            for key, item in list(value.items())[:MAX_ITEMS]
        }
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value[:MAX_ITEMS]] if depth < MAX_DEPTH else []
    return value


def _series(series: dict[str, Any], arrays: list[bytes], found: FoundRun) -> list[NewSeries]:
    """Return the series whose arrays agree with each other and with what is said of them."""
    result = []
    taken = iter(arrays)
    for raw_name, entry in series.items():
        if not isinstance(entry, dict):
            found.problems.append(f"The points of metric {raw_name[:80]!r} cannot be read.")
            continue
        if "bytes" not in entry:
            # the notebook's reduced record holds the number of points and the last one only
            if not found.reduced:
                found.problems.append(f"The points of metric {raw_name[:80]!r} cannot be read.")
            continue
        steps, values, times = (next(taken, b"") for _ in range(3))
        name, count = runtext.clean(raw_name), entry.get("count")
        if not (len(steps) == len(values) == len(times)) or len(steps) % 8 or not steps:
            found.problems.append(f"The points of metric {name[:80]!r} are not of equal number.")
        elif count is not None and count != len(steps) // 8:
            found.problems.append(f"The points of metric {name[:80]!r} are not as many as told.")
        elif len(steps) // 8 > MAX_POINTS:
            found.problems.append(f"Metric {name[:80]!r} has more than {MAX_POINTS:,} points.")
        else:
            result.append(NewSeries(name, len(steps) // 8, steps, values, times))
    return result
