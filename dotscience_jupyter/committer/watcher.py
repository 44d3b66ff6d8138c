# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Asking the committer to look as soon as there may be something: the event loop's side."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from dotscience_jupyter.snapshots.ignore import IGNORE_FILE

from .committer import Committer
from .notebooks import is_notebook
from .watching import Changes, FileWatch

GRACE = 10.0
"""Seconds that a notebook's record in the spool waits for the save of the notebook."""

QUIET = 0.5
"""Seconds after the last change before the folder is compared with the newest commit."""

RETRY = 10.0
"""Seconds until what could not be recorded is tried again without a new event."""

HOUSEKEEPING = 30.0
"""Seconds between looks at the spool and the tasks that no event asked for."""

POLL = 2.0
"""The same where files cannot be watched."""

LIVE = 0.5
"""Seconds between two tellings that runs under way went on."""

NOTICE = (
    "Files cannot be watched here ({}), so only saves made in Jupyter and runs of scripts are "
    "noticed by themselves. Nothing else is lost; it is found by the next commit."
)


@dataclass(slots=True)
class _Work:
    """What is to be done next; several wishes become one look."""

    notebooks: dict[str, None] = field(default_factory=dict)
    full: bool = False  # every notebook
    look: bool = False  # the spool and the tasks at least
    compare: bool = False  # the folder with the newest commit
    arm: bool = False  # the watches anew
    others: bool = False  # for commits of other programs
    live: bool = False  # at the runs that are under way

    def __bool__(self) -> bool:
        return (
            bool(self.notebooks)
            or self.full
            or self.look
            or self.compare
            or self.arm
            or self.others
            or self.live
        )


class Watcher:
    """Watches one workspace and lets its committer look, one look at a time, in a thread.

    All methods are called on the event loop; none blocks it.

    Parameters
    ----------
    committer : Committer
        Whose workspace is watched. Its ``notebook_grace`` is set.
    loop : asyncio.AbstractEventLoop, optional
        By default the running one when :meth:`start` is called.
    log : logging.Logger, optional
        Where failures go.
    """

    def __init__(
        self,
        committer: Committer,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None,
    ) -> None:
        self._committer = committer
        self._loop = loop
        self._log = log or logging.getLogger(__name__)
        self._work = _Work()
        self._task: asyncio.Task[None] | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._watch = FileWatch(committer.workspace, self._from_thread, self._failed_in_thread)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._compare_cost = 0.0
        self._watching = True
        self._engine_asked = False
        self._stopped = True
        self._live_told = float("-inf")  # when, monotonic
        self._alive: list[int] = []  # processes with runs under way
        self._followed: dict[int, int] = {}  # those that are waited for, with their descriptors

    def start(self) -> None:
        """Begin: look at everything once, then at what changes."""
        self._loop = self._loop or asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="dotscience-committer")
        self._stopped = False
        self._committer.notebook_grace = GRACE
        self._ask(full=True, compare=True, arm=True)
        self._later("housekeeping", HOUSEKEEPING, self._housekeep)

    async def stop(self) -> None:
        """End; a commit under way is finished."""
        if self._stopped:
            return
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for pid in list(self._followed):
            self._leave(pid)
        assert self._loop is not None and self._executor is not None
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._loop.run_in_executor(self._executor, self._watch.close)
        await self._loop.run_in_executor(None, self._executor.shutdown)
        self._committer.notebook_grace = 0.0

    def notebook_saved(self, path: str) -> None:
        """Look at a notebook (folder path) that was saved just now."""
        self._ask(notebooks=[path])
        self.changed()

    def changed(self) -> None:
        """Compare the folder with the newest commit when things are quiet again."""
        # comparing takes at most a tenth of the time, however busy the folder is
        delay = max(QUIET, 10 * self._compare_cost)
        if "compare" not in self._timers:
            self._later("compare", delay, lambda: self._ask(compare=True))

    def _ask(
        self,
        *,
        notebooks: Iterable[str] = (),
        full: bool = False,
        look: bool = False,
        compare: bool = False,
        arm: bool = False,
        others: bool = False,
        live: bool = False,
    ) -> None:
        if self._stopped:
            return
        self._work.notebooks.update(dict.fromkeys(notebooks))
        self._work.full |= full
        self._work.look |= look
        self._work.compare |= compare
        self._work.arm |= arm
        self._work.others |= others
        self._work.live |= live
        if self._work and (self._task is None or self._task.done()):
            assert self._loop is not None
            self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        assert self._loop is not None
        while self._work and not self._stopped:
            work, self._work = self._work, _Work()
            wait = await self._loop.run_in_executor(self._executor, self._do, work)
            for pid in self._alive:
                self._follow(pid)
            if wait is not None:
                self._later("again", wait, lambda: self._ask(look=True), replace=True)

    def _do(self, work: _Work) -> float | None:
        """Do it, in the thread; return after how many seconds to look again, if at all."""
        committer = self._committer
        try:
            if work.arm and self._watching:
                self._watch.arm()
            paths = [path for path in work.notebooks if not committer.looked_at(path)]
            if work.live:
                self._alive = committer.live.processes()
                if committer.live.changed():
                    self._live_told = time.monotonic()
                    committer.tell("live")
                    self._alive = committer.live.processes()
            if work.full:
                committer.scan()
            elif paths or work.look:
                committer.scan(paths)
            others = work.others and committer.others_committed()
            if others:
                committer.settle()
            if work.compare or others:
                begin = time.monotonic()
                if committer.refresh() or others:
                    committer.tell("status")
                self._compare_cost = time.monotonic() - begin
            if not self._engine_asked:
                # not before: what waits to be recorded should not wait for this
                self._engine_asked = True
                committer.watch()
            wait = committer.next_look()
            if committer.troubled:
                wait = min(RETRY, wait) if wait is not None else RETRY
        except Exception:
            # one look that fails must not end all watching; the next event brings another
            self._log.exception("Looking for runs in a workspace failed")
            return RETRY
        return wait

    # -- what the watches tell, in their thread ----------------------------------------------------

    def _from_thread(self, changes: Changes | None) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._heard, changes)

    def _failed_in_thread(self, reason: str) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._failed, reason)

    def _heard(self, changes: Changes | None) -> None:
        if changes is None:  # armed: what changed between the last look and now was not heard of
            self._ask(full=True, compare=True, others=True, live=True)
            return
        rules = any(path.rpartition("/")[2] == IGNORE_FILE for path in changes.paths)
        self._ask(
            notebooks=[path for path in changes.paths if is_notebook(path.rpartition("/")[2])],
            look=changes.spool,
            full=changes.folders or rules,
            arm=changes.top_folders or rules,
        )
        if changes.paths or changes.folders:
            self.changed()
        if changes.live:
            delay = max(0.0, self._live_told + LIVE - time.monotonic())
            self._later("live", delay, lambda: self._ask(live=True))
        if changes.records:
            self._later("others", QUIET, lambda: self._ask(others=True))

    def _failed(self, reason: str) -> None:
        if self._stopped or not self._watching:
            return
        self._watching = False
        self._log.warning(
            "Files in %s cannot be watched: %s", self._committer.workspace.root, reason
        )
        self._committer.notice = NOTICE.format(reason)
        self._later("housekeeping", POLL, self._housekeep, replace=True)

    # -- processes of runs that are under way ------------------------------------------------------

    def _follow(self, pid: int) -> None:
        """Hear of the end of a process at once, where the system tells (Linux)."""
        if self._stopped or pid in self._followed or not hasattr(os, "pidfd_open"):
            return
        assert self._loop is not None
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return  # it has ended, which the next look sees
        self._followed[pid] = descriptor
        self._loop.add_reader(descriptor, self._ended, pid)

    def _ended(self, pid: int) -> None:
        self._leave(pid)
        self._ask(live=True)

    def _leave(self, pid: int) -> None:
        assert self._loop is not None
        descriptor = self._followed.pop(pid)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    # -- timers ------------------------------------------------------------------------------------

    def _later(
        self, name: str, delay: float, call: Callable[[], None], *, replace: bool = False
    ) -> None:
        assert self._loop is not None
        if self._stopped:
            return
        if (timer := self._timers.get(name)) is not None:
            if not replace:
                return
            timer.cancel()

        def due() -> None:
            self._timers.pop(name, None)
            call()

        self._timers[name] = self._loop.call_later(delay, due)

    def _housekeep(self) -> None:
        """Look at the spool and the tasks if there is something in them."""
        workspace = self._committer.workspace
        if any(_holds_something(str(folder)) for folder in (workspace.spool, workspace.tasks)):
            self._ask(look=True)
        if _holds_something(str(workspace.live)):
            self._ask(live=True)  # their processes may have ended without anybody telling
        self._later("housekeeping", HOUSEKEEPING if self._watching else POLL, self._housekeep)


def _holds_something(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name != "bad" and entry.name[0] != "." for entry in entries)
    except OSError:
        return False
