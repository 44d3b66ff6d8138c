# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Command tasks: a command that is run for its runs (``jupyter dotscience run``).

A task has a folder ``.dotscience/tasks/<id>`` with its own spool, its logs and a lock. The command
inherits the lock, so the lock is free only when the command and its tracker are gone; what such a
task left behind is committed by the next scan of whichever committer comes by.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from filelock import FileLock, Timeout

from dotscience_jupyter.records.store import NewRun, Records

from . import runtext
from .environment import describe, shown_variables
from .output import BlockFile, LogFile, Pump
from .planned import Wish
from .reading import write_whole
from .record import FoundRun
from .signals import forwarded
from .spool import BAD, Spool
from .troubles import TROUBLES, trouble
from .types import Committed, CommitterError, FoundError

if TYPE_CHECKING:
    from dotscience_jupyter.snapshots.engine import Progress

    from .committer import Committer

BASELINE = "Files changed before a command was run"
ABANDONED = 24 * 3600.0
"""Seconds after which a task's folder that never got its description is removed."""

_QUIET = 2.0  # seconds without output after which what a command left running is not waited for
_DATE = "%Y%m%dT%H%M%S.%f"


@dataclass(slots=True)
class Task:
    """One command task and its folder."""

    folder: Path
    argv: list[str]
    description: str = ""
    author: str | None = None
    started: str = ""
    ended: str | None = None
    status: int | None = None  # None: nobody saw it end
    variables: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    host: str = ""

    @property
    def id(self) -> str:
        """Id of the task: the folder's name."""
        return self.folder.name

    @property
    def command_line(self) -> str:
        """The command as one would type it."""
        return runtext.clean(shlex.join(self.argv))

    def save(self) -> None:
        """Write what is known of the task beside its logs."""
        document = {name: getattr(self, name) for name in self.__slots__ if name != "folder"} | {
            "format": 1
        }
        write_whole(self.folder / "task.json", json.dumps(document).encode("ascii"))

    @classmethod
    def load(cls, folder: Path) -> Task:
        """Read a task. Raise OSError or ValueError if that cannot be done."""
        document = json.loads((folder / "task.json").read_bytes())
        if not isinstance(document, dict) or document.pop("format", None) != 1:
            raise ValueError("it was written by another version")
        known = {name: document[name] for name in cls.__slots__ if name in document}
        task = cls(folder, **known)
        if not (isinstance(task.argv, list) and all(isinstance(a, str) for a in task.argv)):
            raise ValueError("it names no command")
        return task

    def error(self) -> str | None:
        """Return why the task counts as failed, or None."""
        if self.status is None:
            return "The command was stopped together with what tracked it"
        if self.status > 128:
            return f"Stopped by signal {self.status - 128}"
        return f"Exit status {self.status}" if self.status else None


def run_command(
    committer: Committer,
    argv: list[str],
    description: str,
    author: str | None,
    stdout: BinaryIO,
    stderr: BinaryIO,
    env: dict[str, str] | None,
    cwd: Path | None,
) -> tuple[int, Committed]:
    """See :meth:`.committer.Committer.run_command`."""
    if not argv:
        raise CommitterError("There is no command to run.")
    root = committer.workspace.root
    task = Task(committer.workspace.tasks / str(uuid.uuid4()), list(argv), description, author)
    variables = dict(os.environ if env is None else env)
    variables.setdefault("PYTHONUNBUFFERED", "1")
    variables |= {
        "DOTSCIENCE_SPOOL": str(task.folder / "spool"),
        "DOTSCIENCE_WORKLOAD_TYPE": "command",
        "DOTSCIENCE_PROJECT_DOT_ROOT": str(root),
        "DOTSCIENCE_TASK_ID": task.id,
    }
    task.variables = shown_variables(variables)
    task.environment = describe()
    task.host = socket.gethostname()
    try:
        (task.folder / "spool").mkdir(parents=True)
        lock = _TaskLock(task.folder)
    except OSError as error:
        raise CommitterError(
            f"The command was not started: {task.folder.parent} cannot be written "
            f"({error.strerror or error})."
        ) from None
    result = Committed()
    try:
        # what was changed by hand before is not the command's work
        result.add(_baseline(committer, task))
        task.started = datetime.now(UTC).strftime(_DATE)
        task.save()
        task.status = _run(task, variables, cwd, stdout, stderr, lock)
        task.ended = datetime.now(UTC).strftime(_DATE)
        with suppress(OSError):  # a full disk: the outcome is known to us all the same
            task.save()
    except BaseException as error:
        lock.release()
        if task.status is None:
            shutil.rmtree(task.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise CommitterError(
                f"{argv[0]!r} could not be started: {error.strerror or error}. "
                "Nothing was recorded."
            ) from None
        raise
    status = task.status
    try:
        result.add(_finish(committer, task, None, adopted=False))
    finally:
        lock.release()
    return status, result


def adopt(committer: Committer, progress: Progress | None = None) -> Committed:
    """Commit what tasks left behind whose tracker died."""
    result = Committed()
    committer.task_errors = []
    try:
        folders = sorted(path for path in committer.workspace.tasks.iterdir() if path.is_dir())
    except OSError:
        return result  # there never was a task
    for folder in folders:
        lock = FileLock(folder / "lock", timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue  # alive, or gone meanwhile
        try:
            try:
                task = Task.load(folder)
            except FileNotFoundError:
                if time.time() - folder.stat().st_mtime > ABANDONED:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            result.add(_finish(committer, task, progress, adopted=True))
        except (OSError, ValueError, TypeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            committer.task_errors.append(
                FoundError(
                    "task",
                    f"What a command left in .dotscience/tasks/{folder.name} cannot be read "
                    f"({reason}), so it is not recorded. It stays there; delete it to dismiss.",
                )
            )
        finally:
            lock.release()
    return result


def _baseline(committer: Committer, task: Task) -> Committed:
    """Commit the folder as it is before the command starts. Trouble waits until the end."""
    try:
        return committer.record([], Wish(manual=BASELINE, author=task.author))
    except TROUBLES:
        return Committed()


def _run(
    task: Task,
    variables: dict[str, str],
    cwd: Path | None,
    stdout: BinaryIO,
    stderr: BinaryIO,
    lock: _TaskLock,
) -> int:
    """Run the command to its end; return its exit status. Raise OSError if it does not start."""
    before = _usage()
    process = subprocess.Popen(
        task.argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        cwd=cwd,
        bufsize=0,
        pass_fds=lock.descriptors,
    )
    assert process.stdout is not None and process.stderr is not None
    pumps = [
        Pump(
            cast(BinaryIO, process.stdout),
            stdout,
            LogFile(task.folder, "stdout"),
            BlockFile(task.folder / "runs.txt"),
        ),
        Pump(cast(BinaryIO, process.stderr), stderr, LogFile(task.folder, "stderr"), None),
    ]
    with forwarded(process):
        for pump in pumps:
            pump.start()
        process.wait()
    _drain(pumps)
    after = _usage()
    if after is not None and before is not None:
        task.resources = {"cpu_seconds": round(after[0] - before[0], 6), "peak_ram": after[1]}
    code = process.returncode
    return code if code >= 0 else 128 - code


def _drain(pumps: list[Pump]) -> None:
    """Wait for the rest of the output, but not for ever for what the command left running."""
    moved, since = -1, time.monotonic()
    while any(pump.is_alive() for pump in pumps):
        for pump in pumps:
            pump.join(0.02)
        now = sum(pump.moved for pump in pumps)
        if now != moved:
            moved, since = now, time.monotonic()
        elif time.monotonic() - since > _QUIET:
            break
    for pump in pumps:
        pump.finish()


def _usage() -> tuple[float, int] | None:
    """Return the CPU seconds and the peak memory in bytes of all children that ended."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def _finish(
    committer: Committer, task: Task, progress: Progress | None, *, adopted: bool
) -> Committed:
    """Commit what a task published, else a derived run; remove its folder."""
    spool = Spool(task.folder / "spool", f".dotscience/tasks/{task.id}/spool", task.id)
    found = {run.id: run for run in spool.look()}
    errors: list[FoundError] = []
    try:
        printed = (task.folder / "runs.txt").read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        printed = ""
    texts, broken = runtext.parse(printed)
    for text in texts:
        run = FoundRun(text, task=task.id)
        found[text.id] = found[text.id].merge(run) if text.id in found else run
    errors += [
        FoundError("task", f"{error.message} The command {task.command_line!r} printed it.")
        for error in broken
    ]
    logs = {
        f"{task.id}/workload-{name}.log": data
        for name in ("stdout", "stderr")
        if (data := LogFile(task.folder, name).read())
    }
    result = Committed()
    try:
        if not (adopted and _is_recorded(committer.records, task)):
            with committer.finding(list(found.values())) as runs:
                wish = _wish(task, logs, not found)
                result.add(committer.record(runs, wish, progress))
    except TROUBLES as error:
        committer.task_errors.append(trouble(error))
        result.errors += [*errors, committer.task_errors[-1]]
        return result  # the folder stays, and the next scan tries again
    result.errors += errors
    if _rescued(spool, committer.workspace.spool):
        shutil.rmtree(task.folder, ignore_errors=True)
    return result


def _is_recorded(records: Records, task: Task) -> bool:
    """Whether a task was committed before its tracker died; that cannot be many commits ago."""
    commits, _ = records.list_commits(limit=1000)
    return any(commit.details.get("exec.task") == task.id for commit in commits)


def _wish(task: Task, logs: dict[str, bytes], derived: bool) -> Wish:
    error = task.error()
    wish = Wish(author=task.author, logs=logs)
    wish.metadata = {
        "workload.type": "command",
        "workload.command": json.dumps([runtext.clean(part) for part in task.argv]),
        "workload.environment": json.dumps(
            {runtext.clean(name): runtext.clean(value) for name, value in task.variables.items()}
        ),
        "exec.start": task.started,
        "exec.task": task.id,
        "success": "true" if error is None else "false",
    }
    if task.ended:
        wish.metadata["exec.end"] = task.ended
    if task.status is not None:
        wish.metadata["exec.status"] = str(task.status)
    if "cpu_seconds" in task.resources:
        wish.metadata["exec.cpu-seconds"] = str(task.resources["cpu_seconds"])
        wish.metadata["exec.ram"] = str(task.resources["peak_ram"])
    if task.host:
        wish.metadata["runner.name"] = task.host
    said = task.description or (task.command_line if derived or error else "")
    wish.message = f"{error}: {said}" if error else said
    if derived:
        wish.derived = NewRun(
            # the same id whoever records it, so that it is recorded once
            id=str(uuid.uuid5(uuid.UUID(task.id), "derived")),
            authority="derived",
            description=task.description or task.command_line,
            error=error,
            workload_type="command",
            started=runtext.parse_time(task.started) if task.started else None,
            ended=runtext.parse_time(task.ended) if task.ended else None,
            environment=task.environment or None,
            details={"task": task.id, "resources": task.resources, "process": {"host": task.host}},
        )
    return wish


def _rescued(spool: Spool, target: Path) -> bool:
    """Move what could not be read to the workspace's spool; return whether nothing is left."""
    try:
        kept = list((spool.folder / BAD).iterdir())
    except OSError:
        kept = []
    try:
        for path in kept:
            (target / BAD).mkdir(parents=True, exist_ok=True)
            os.rename(path, target / BAD / f"{path.stem}-{uuid.uuid4().hex[:8]}.json")
        left = [p for p in spool.folder.glob("*.json") if not p.name.startswith(".")]
    except OSError:
        return False
    return not left


class _TaskLock:
    """The lock of a task's folder, held by us and by everything that the command starts."""

    def __init__(self, folder: Path) -> None:
        self._lock: FileLock | None = None
        self._descriptor: int | None = None
        try:
            import fcntl
        except ImportError:  # Windows: the command cannot inherit it
            self._lock = FileLock(folder / "lock")
            self._lock.acquire()
            return
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # whoever looks at the folder just now lets go at once
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the command inherits."""
        return () if self._descriptor is None else (self._descriptor,)

    def release(self) -> None:
        """Let go, for the command's descendants as well."""
        if self._lock is not None:
            self._lock.release()
        if self._descriptor is not None:
            import fcntl

            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None
