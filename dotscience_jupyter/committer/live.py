# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs that have begun and are not published: run format, section 4.

Programs append to their files while we read, so only whole lines count, and each is read once. What
stands in them is checked as a record is, since anybody may have written it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dotscience_jupyter.records.workspace import Workspace

from . import runtext
from .reading import open_regular
from .record import MAX_POINTS, TYPES

SIGN_OF_LIFE = 60.0
"""Seconds without one until a process that cannot be looked at from here counts as gone; it gives
one every ten."""

ENDED = "The process ended before the run was published."

_SUFFIX = ".jsonl"
_WAITED = 3600.0
_MOST_FILES = 1000
_CHUNK = 4 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_MOST_VALUES = 100_000
_SECTIONS = ("parameters", "summary", "labels")


@dataclass(slots=True)
class LiveRun:
    """What a run that is under way has told so far."""

    id: str
    root: str | None = None
    workspace: str | None = None
    start: datetime | None = None
    updated: float = 0.0  # seconds since the epoch
    running: bool = True
    source: dict[str, Any] = field(default_factory=dict)
    process: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] | None = None
    description: str = ""
    error: str | None = None
    workload_file: str | None = None
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    series: dict[str, array[float]] = field(default_factory=dict)  # step, value, time, step ...

    @property
    def author(self) -> str:
        """Who started it, as far as its process knows."""
        user = self.process.get("user")
        return user if isinstance(user, str) else ""

    @property
    def file(self) -> str | None:
        """The notebook or script, relative to the root where it lies below it."""
        if self.workload_file:
            return self.workload_file
        path = self.source.get("path")
        if not isinstance(path, str) or not path:
            return None
        if self.root and path.startswith(self.root.rstrip("/") + "/"):
            return path[len(self.root.rstrip("/")) + 1 :]
        return path


class _File:
    """One run's file, read as far as it goes."""

    def __init__(self, path: str, id_: str) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self.size = -1
        self.run: LiveRun | None = None
        self._id = id_

    def read(self) -> None:
        """Read what was added. Raise OSError if the file is not there, or is none of ours."""
        descriptor = open_regular(self._path)
        try:
            info = os.fstat(descriptor)
            if info.st_ino != self._inode or info.st_size < self._offset:
                self._inode, self._offset, self.run = info.st_ino, 0, None
            self.size = info.st_size
            os.lseek(descriptor, self._offset, os.SEEK_SET)
            rest = b""
            while chunk := os.read(descriptor, _CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._offset += len(line) + 1
                    self._take(line)
                if len(rest) > _LONGEST_LINE:
                    raise OSError("a line of it is too long")
        finally:
            os.close(descriptor)
        if self.run is not None:
            self.run.updated = max(self.run.updated, info.st_mtime)

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return  # torn by a full disk; what came after it may be whole
        if not isinstance(told, dict):
            return
        if self.run is None:
            if told.get("format") == 1 and told.get("id") == self._id:
                self.run = _begun(self._id, told)
            return
        _go_on(self.run, told)


class LiveRuns:
    """The runs of one workspace that are under way. Thread-safe.

    Parameters
    ----------
    workspace : Workspace
        Whose runs.
    known : callable
        Which of some ids are recorded: those runs are published, whatever their files say.
    """

    def __init__(
        self, workspace: Workspace, known: Callable[[Collection[str]], Collection[str]]
    ) -> None:
        self._workspace = workspace
        self.folder = workspace.live
        self._known = known
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self._seen: object = None

    def look(self) -> list[LiveRun]:
        """Return the runs that are under way, newest first."""
        with self._lock:
            self._read()
            runs = [file.run for file in self._files.values() if file.run is not None]
            published = self._known([run.id for run in runs]) if runs else ()
            for id_ in published:
                # its program was killed between publishing it and taking it out of here
                self._forget(id_)
            runs = [run for run in runs if run.id not in published]
            for run in runs:
                run.running = is_running(run)
        runs.sort(key=lambda run: (run.start or datetime.min.replace(tzinfo=UTC), run.id))
        return runs[::-1]

    def find(self, id_: str) -> LiveRun | None:
        """Return a run that is under way, or None."""
        return next((run for run in self.look() if run.id == id_), None)

    def changed(self) -> bool:
        """Return whether there is anything new since the last call: files, lines, ended processes.

        Signs of life alone are nothing new.
        """
        with self._lock:
            self._read()
            seen = {
                id_: (file.size, file.run is not None and is_running(file.run))
                for id_, file in self._files.items()
            }
            before, self._seen = self._seen, seen
        return seen != (before or {})

    def processes(self) -> list[int]:
        """Return the processes of this machine that have runs under way."""
        with self._lock:
            runs = [file.run for file in self._files.values() if file.run is not None]
        found = {run.process.get("pid") for run in runs if is_here(run) and is_running(run)}
        return sorted(pid for pid in found if isinstance(pid, int))

    def hand_over(self, run: LiveRun) -> None:
        """Put a run whose process is gone into the spool, as a failed one, and forget it here.

        Raises
        ------
        OSError
            If that cannot be written; then the run stays where it is.
        """
        spool = self._workspace.spool
        spool.mkdir(exist_ok=True)
        if spool.is_symlink():
            raise OSError("the spool is a link to another place")
        temporary, final = spool / f".{run.id}.tmp", spool / f"{run.id}.json"
        if not final.exists():  # else it was published, and killed before it was taken out of here
            with open(temporary, "w", encoding="ascii") as file:
                json.dump(record_of(run), file)
                file.flush()
                os.fsync(file.fileno())
            # old enough not to wait for its notebook to be saved, which nobody will do for it
            os.utime(temporary, (run.updated - _WAITED, run.updated - _WAITED))
            os.replace(temporary, final)
        with self._lock:
            self._forget(run.id)

    def _forget(self, id_: str) -> None:
        with suppress(OSError):
            os.unlink(self.folder / f"{id_}{_SUFFIX}")
        self._files.pop(id_, None)

    def _read(self) -> None:
        try:
            # a link in its place leads to what is not of this workspace
            names = [] if self.folder.is_symlink() else os.listdir(self.folder)
        except OSError:
            names = []
        ids = [
            name[: -len(_SUFFIX)]
            for name in sorted(names)
            if name.endswith(_SUFFIX) and runtext.is_id(name[: -len(_SUFFIX)])
        ][:_MOST_FILES]
        for gone in self._files.keys() - set(ids):
            del self._files[gone]
        for id_ in ids:
            file = self._files.get(id_)
            if file is None:
                file = self._files[id_] = _File(str(self.folder / f"{id_}{_SUFFIX}"), id_)
            try:
                file.read()
            except OSError:
                self._files.pop(id_, None)


def is_here(run: LiveRun) -> bool:
    """Return whether a run's process would be seen from here."""
    boot, namespace = _machine()
    if boot is not None:
        told = run.process.get("boot"), run.process.get("namespace")
        return told == (boot, namespace)
    return run.process.get("host") == (os.uname().nodename if hasattr(os, "uname") else "")


def is_running(run: LiveRun) -> bool:
    """Return whether the process that tells of a run is still there."""
    pid = run.process.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 2**31:
        return False
    if not is_here(run):
        return time.time() - run.updated < SIGN_OF_LIFE
    started = process_started(pid)
    if started is not None:
        # else the number belongs to another process by now
        return bool(started == run.process.get("started"))
    if _machine()[0] is not None or sys.platform == "win32":
        return _machine()[0] is None and time.time() - run.updated < SIGN_OF_LIFE
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def process_started(pid: int) -> int | None:
    """Return when a process of this machine began, in clock ticks since it was booted, or None.

    None also of one that has ended and whose parent has not taken notice.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            parts = file.read().rpartition(")")[2].split()
        return None if parts[0] in ("Z", "X") else int(parts[19])
    except (OSError, ValueError, IndexError):
        return None


def _machine() -> tuple[str | None, str | None]:
    """Return what tells this machine, as it runs now, and this container from others; Linux."""
    global _known_machine
    if _known_machine is None:
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                _known_machine = file.read().strip(), os.readlink("/proc/self/ns/pid")
        except OSError:
            _known_machine = None, None
    return _known_machine


_known_machine: tuple[str | None, str | None] | None = None


# -- reading ---------------------------------------------------------------------------------------


def _begun(id_: str, told: dict[str, Any]) -> LiveRun:
    run = LiveRun(id_)
    root = told.get("root")
    if isinstance(root, str) and os.path.isabs(root):
        run.root = runtext.clean_path(root)
    workspace = told.get("workspace")
    run.workspace = workspace if isinstance(workspace, str) else None
    start = told.get("start")
    with suppress(ValueError):
        run.start = runtext.parse_time(start) if isinstance(start, str) else None
    for name, into in (("source", run.source), ("process", run.process)):
        found = told.get(name)
        if isinstance(found, dict):
            for key, value in list(found.items())[:100]:
                if isinstance(value, str):
                    into[key] = runtext.clean_path(value)
                elif value is None or isinstance(value, bool | int):
                    into[key] = value
    environment = told.get("environment")
    run.environment = environment if isinstance(environment, dict) else None
    return run


def _go_on(run: LiveRun, told: dict[str, Any]) -> None:
    """Take in what one more line tells."""
    when = told.get("time")
    if isinstance(when, float) and math.isfinite(when) and 0 < when < 2**36:
        run.updated = max(run.updated, when)
    for name in _SECTIONS:
        values = told.get(name)
        if isinstance(values, dict):
            into: dict[str, str] = getattr(run, name)
            for key, value in values.items():
                if isinstance(value, str) and (key in into or len(into) < _MOST_VALUES):
                    into[runtext.clean(key)] = runtext.clean(value)
    types = told.get("types")
    if isinstance(types, dict):
        run.types = {
            section: {runtext.clean(key): kind for key, kind in kinds.items() if kind in TYPES}
            for section, kinds in types.items()
            if section in _SECTIONS and isinstance(kinds, dict)
        }
    for name, attribute in (("input", "inputs"), ("output", "outputs")):
        paths = told.get(name)
        if isinstance(paths, list):
            found = [runtext.clean_path(path) for path in paths if isinstance(path, str)]
            setattr(run, attribute, found[: runtext.MAX_FILES])
    if isinstance(told.get("description"), str):
        run.description = runtext.clean(told["description"])
    if "error" in told:
        error = told["error"]
        run.error = runtext.clean(error) if isinstance(error, str) else None
    workload = told.get("workload-file")
    if isinstance(workload, str) and workload:
        run.workload_file = runtext.clean_path(workload)
    series = told.get("series")
    if isinstance(series, dict):
        for name, each in series.items():
            if isinstance(each, dict):
                _add_points(run, runtext.clean(name), each.get("data"))


def _add_points(run: LiveRun, name: str, text: object) -> None:
    if not isinstance(text, str) or (name not in run.series and len(run.series) >= _MOST_VALUES):
        return
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    points = run.series.setdefault(name, array("d"))
    if len(data) % 24 or len(points) + len(data) // 8 > 3 * MAX_POINTS:
        return
    more = array("d", data)
    if sys.byteorder == "big":
        more.byteswap()
    points.extend(more)


# -- recording -------------------------------------------------------------------------------------


def record_of(run: LiveRun) -> dict[str, Any]:
    """Return the full record (run format, section 2) of a run whose process is gone."""
    document: dict[str, Any] = {
        "version": "1",
        "input": run.inputs,
        "output": run.outputs,
        "labels": run.labels,
        "summary": run.summary,
        "parameters": run.parameters,
        "error": ENDED if run.error is None else run.error,
        "end": _time_text(datetime.fromtimestamp(run.updated, UTC)),
    }
    if run.start is not None:
        document["start"] = _time_text(run.start)
    if run.description:
        document["description"] = run.description
    if run.workload_file:
        document["workload-file"] = run.workload_file
    record: dict[str, Any] = {
        "format": 1,
        "id": run.id,
        "run": document,
        "types": run.types,
        "series": {name: _encoded(points) for name, points in run.series.items() if points},
        "source": run.source,
        "process": {key: run.process[key] for key in ("pid", "host", "user") if key in run.process},
    }
    if run.root is not None:
        record |= {"root": run.root, "workspace": run.workspace}
    if run.environment is not None:
        record["environment"] = run.environment
    return record


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")


def _encoded(points: array[float]) -> dict[str, object]:
    data = points[:]
    if sys.byteorder == "big":
        data.byteswap()
    steps, values, times = (
        base64.b64encode(data[offset::3].tobytes()).decode("ascii") for offset in range(3)
    )
    return {"count": len(data) // 3, "steps": steps, "values": values, "times": times}
