# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs that are under way, for others to see: run format, section 4.

A thread looks twice a second at what runs have recorded and appends what is new to a file in the
workspace. Recording itself does nothing for that, so it costs what it did; and a run that is
published within half a second leaves no trace on the disk. Nothing in here ever raises into the
program: what cannot be shown to others is not shown.
"""

from __future__ import annotations

import _thread
import os
import sys
from _weakref import ref
from time import sleep, time

from . import _environment, _new_workspace, _notebook, _observed, _workspace
from ._text import dumps, new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any

    from ._run import Run

FORMAT = 1
INTERVAL = 0.5  # seconds between two looks
SIGN_OF_LIFE = 10.0  # seconds after which a file that nothing is added to is touched
MOST_POINTS = 100_000  # of one series, in one line

_OFF = frozenset({"0", "false", "no", "off"})
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
_APPEND = os.O_WRONLY | os.O_APPEND
_APPEND |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class _State:
    """The thread and what it looks at; one of each process."""

    lock = _thread.allocate_lock()
    lives: list[Live] = []  # noqa: RUF012 - one for all, on purpose
    running = False
    prepared = False


class Live:
    """One run that is under way, as others are told of it."""

    __slots__ = (
        "beat",
        "ended",
        "folder",
        "id",
        "lock",
        "made",
        "pid",
        "points",
        "run",
        "sent",
        "source",
    )

    def __init__(self, run: Run) -> None:
        self.id = new_id()
        self.pid = os.getpid()
        self.lock = _thread.allocate_lock()
        # nothing of ours keeps a run that the program has dropped
        self.run = ref(run)
        self.ended = False
        self.made = False
        self.folder: str | None = None
        self.sent: dict[str, Any] = {}
        self.points: dict[str, int] = {}
        self.beat = 0.0
        # now: the cell that runs later may be another one
        self.source = _notebook.source()

    def look(self, last: bool = False) -> None:
        """Append what is new; end with the run. Raise OSError if it cannot be written."""
        with self.lock:
            run = self.run()
            if self.ended:
                return
            if run is None or (last and not _recorded(run)):
                self.ended = True
                self._remove()
                return
            if not self.made and not self._make(run):
                self.ended = True
                return
            while self._append_news(run):
                pass
            if time() - self.beat > SIGN_OF_LIFE:
                os.utime(self._path())
                self.beat = time()

    def end(self) -> None:
        """Take the run out of others' sight: it is published."""
        with self.lock:
            self.ended = True
            self._remove()

    def _path(self) -> str:
        return os.path.join(self.folder or "", f"{self.id}.jsonl")

    def _make(self, run: Run) -> bool:
        root = _workspace.find_workspace(os.path.abspath(run._root))
        if root is None or run._start is None:
            return False
        self.folder = os.path.join(root, _workspace.MARKER, "live")
        facts = {
            "format": FORMAT,
            "id": self.id,
            "start": run._start.strftime("%Y%m%dT%H%M%S.%f"),
            "root": os.path.abspath(run._root),
            "workspace": _new_workspace.workspace_id(root),
            "source": self.source,
            "process": {**_environment.process(), **_process()},
        }
        try:
            facts["environment"] = _environment.describe(run)
        except Exception:
            facts["environment"] = None  # the publishing of the run complains of that
        if not os.path.isdir(self.folder):
            os.mkdir(self.folder)
        self._write(dumps(facts, compact=True), os.O_CREAT | os.O_EXCL)
        self.made = True
        return True

    def _append_news(self, run: Run) -> bool:
        """Append what was recorded since the last time; return whether there is more."""
        known, news = self.sent, {}
        for key, value in _said(run).items():
            if value != known.get(key):
                news[key] = value
        more = False
        series: dict[str, object] = {}
        points = dict(self.points)
        for name, each in run.series().items():
            start = points.get(name, 0)
            data = each.data[3 * start : 3 * (start + MOST_POINTS)]
            if data:
                count = len(data) // 3
                series[name] = {"count": count, "data": _encoded(data)}
                points[name] = start + count
                more = more or count == MOST_POINTS
        if series:
            news["series"] = series
        if news:
            self._write(dumps({"time": time(), **_changes(known, news)}, compact=True))
            news.pop("series", None)
            self.sent = {**known, **news}
            self.points = points
        return more

    def _write(self, line: str, flags: int = 0) -> None:
        folder = self.folder or ""
        descriptor: int | None = None
        if os.open in os.supports_dir_fd:
            # not through a link: a workspace that came from elsewhere must not send our files to
            # places of its choice
            descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | _NOFOLLOW)
        try:
            path = self._path() if descriptor is None else f"{self.id}.jsonl"
            file = os.open(path, _APPEND | flags, 0o666, dir_fd=descriptor)
            try:
                data = memoryview(line.encode("ascii") + b"\n")
                while data:
                    data = data[os.write(file, data) :]
            finally:
                os.close(file)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        self.beat = time()

    def _remove(self) -> None:
        made, self.made = self.made, False
        try:
            if made:
                os.unlink(self._path())
        except OSError:
            return  # it is gone, or stays: readers know published runs by their ids


def begin(run: Run) -> None:
    """Let others see a run that begins, unless ``DOTSCIENCE_LIVE=0``. Never raises."""
    try:
        if os.environ.get("DOTSCIENCE_LIVE", "").lower() in _OFF:
            return
        _prepare()
        live = Live(run)
        with _State.lock:
            _State.lives.append(live)
            if not _State.running:
                _thread.start_new_thread(_tend, ())
                _State.running = True
    except Exception:
        return  # as at the end of the interpreter, when no thread can be started


def take(run: Run) -> Live | None:
    """Return what others were told of a run, once: whoever takes it publishes it under its id."""
    with _State.lock:
        for live in reversed(_State.lives):
            if live.run() is run and not live.ended:
                _State.lives.remove(live)
                return live
    return None


def _prepare() -> None:
    if _State.prepared:
        return
    import atexit

    _State.prepared = True
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    # the thread did not come along, and what it held stays locked
    _State.lock = _thread.allocate_lock()
    _State.lives = []
    _State.running = False


def _at_exit() -> None:
    for live in _State.lives.copy():
        try:
            if live.made:
                live.look(last=True)
        except Exception:  # noqa: S112 - the program has ended; what was written before is there
            continue


def _tend() -> None:
    """Look at all runs until there are none; in a thread."""
    _observed._State.own_thread = _thread.get_ident()
    try:
        while True:
            sleep(INTERVAL)
            for live in _State.lives.copy():
                try:
                    live.look()
                except Exception:
                    # a folder that cannot be written to will not become one that can
                    live.ended = True
            with _State.lock:
                _State.lives[:] = [live for live in _State.lives if not live.ended]
                if not _State.lives:
                    _State.running = False
                    _observed._State.own_thread = 0  # another thread may get its number
                    return
    except (AttributeError, TypeError, ImportError):
        return  # the interpreter is being torn down under this thread


def _recorded(run: Run) -> bool:
    said = _said(run)
    return any(said[key] for key in said if key != "types") or bool(run.series())


def _said(run: Run) -> dict[str, Any]:
    """Return what a run says of itself now, as the public text has it but for its times."""
    return {
        "description": run._description,
        "error": run._error,
        "workload-file": run._workload_file,
        "input": sorted(run._inputs.copy()),
        "output": sorted(run._outputs.copy()),
        "labels": run._labels.copy(),
        "parameters": run._parameters.copy(),
        "summary": {
            name: value if type(value) is str else str(value)
            for name, value in run._metric.copy().items()
        },
        "types": run.types(),
    }


def _changes(known: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Return news in which long objects hold only what changed in them."""
    result = {}
    for key, value in news.items():
        before = known.get(key)
        if key in ("labels", "parameters", "summary") and isinstance(before, dict):
            value = {name: text for name, text in value.items() if before.get(name) != text}
        result[key] = value
    return result


def _encoded(data: array[float]) -> str:
    """Return points as base64 of little-endian float64: step, value, time; step, value, time ..."""
    from binascii import b2a_base64

    if sys.byteorder == "big":
        data.byteswap()
    return b2a_base64(data.tobytes(), newline=False).decode()


def _process() -> dict[str, object]:
    """Return what tells this process from one that gets its number later, or has it elsewhere."""
    result: dict[str, object] = {}
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            # the program's name, in parentheses, may hold anything; see proc_pid_stat(5)
            result["started"] = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            result["boot"] = file.read().strip()
        result["namespace"] = os.readlink("/proc/self/ns/pid")
    except (OSError, ValueError, IndexError):
        pass  # not Linux: the process's number and the signs of life have to do
    return result
