# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace and its hub: how they stand, and moving commits, also without being asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import quote

from dotscience_jupyter.datasets import Datasets
from dotscience_jupyter.snapshots import PortableEngine
from dotscience_jupyter.sync import (
    Credentials,
    Last,
    Patience,
    Pusher,
    Remote,
    Sync,
    SyncError,
    SyncStatus,
    find_project,
)

from . import models
from .core import Core
from .errors import ApiError
from .hubs import ATTEMPTS, known, translated_sync
from .translate import translated_datasets

STOP = 3.0
"""Seconds in which what is being moved has to end when the workspace is closed."""

TELL = 0.2
"""Seconds between two words about the bytes that were moved, at least."""

log = logging.getLogger(__name__)

_AGAIN = frozenset({"offline", "busy", "locked"})

_SAID = {
    "nothing": "There is no commit yet, so nothing was sent.",
    "current": "The hub has every commit.",
    "behind": "The hub has every commit, and more.",
    "diverged": "The hub has commits that these do not build upon. These are kept there, beside "
    "its newest. Fetch and merge the hub's, then push again.",
}


class Syncing:
    """One workspace and its hub.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._works: list[_Work] = []  # what is under way, oldest first
        self._stopped = threading.Event()
        self._sync = self._new_sync(Patience(attempts=ATTEMPTS, stopped=self._stopped))
        self._pusher: Pusher | None = None
        self._is_pushing = False  # whether commits are sent without being asked
        self._taking: set[models.SyncActivity] = set()
        self._took: dict[models.SyncActivity, models.SyncResult] = {}  # what the last came to
        self._on_change: Callable[[], None] = _nobody
        self._on_files: Callable[[], None] = _nobody

    # -- looking ----------------------------------------------------------------------------------

    def status(self) -> models.SyncStatus:
        """Return how both stand, without asking the hub."""
        supported = isinstance(self._core.engine, PortableEngine)
        try:
            with self._core.errors():
                found = self._sync.status()
        except SyncError as error:
            last = Last(error=error.message, code=error.code)
            found = SyncStatus(None, 0, 0, False, False, None, last)
        with self._lock:
            # of several the others wait for one, which is the one that moves something
            work = next((each for each in self._works if each.done), None)
            work = work or next(iter(self._works), None)
            retries = self._pusher is not None and found.last.code in _AGAIN
            took = dict(self._took)
        return models.SyncStatus(
            supported=supported,
            remote=None if found.remote is None else _remote(found.remote),
            activity="idle" if work is None else work.activity,
            progress=None if work is None else work.progress(),
            ahead=found.ahead,
            behind=found.behind,
            newer=found.newer,
            diverged=found.diverged,
            theirs=found.theirs,
            asked=datetime.fromtimestamp(found.last.when, UTC) if found.last.when else None,
            error=self._core.clean(found.last.error),
            code=found.last.code,
            fetched=took.get("fetching"),
            pulled=took.get("pulling"),
            retries=retries,
        )

    # -- which hub --------------------------------------------------------------------------------

    def connect(self, wanted: models.ConnectHub) -> models.SyncStatus:
        """Let the workspace belong to a project; what is committed is sent there from now on.

        Raises
        ------
        ApiError
            400 ``invalid_request`` or ``invalid_url``; 404 ``not_found``; 409 ``exists``,
            ``not_logged_in`` or ``unsupported_engine``; 502 ``offline``; or what the hub says.
        """
        if bool(wanted.project) == bool(wanted.name.strip()):
            raise ApiError(
                400, "invalid_request", "Either a project is chosen or a new one is named."
            )
        patience = Patience(attempts=ATTEMPTS, stopped=self._stopped)
        with self._errors(), translated_datasets(self._core.clean):
            login = known(wanted.url)
            name = wanted.project or f"{login.user}/{wanted.name.strip()}"
            address = f"{login.url}/{quote(name, safe='')}"
            kind = "dataset" if Datasets().at(self._core.workspace.root) else "project"
            create = not wanted.project
            self._sync.add(find_project(address, create=create, kind=kind, patience=patience))
        self.wake()
        self._on_change()
        return self.status()

    def disconnect(self) -> models.SyncStatus:
        """Let the workspace belong to no hub. Commits stay where they are, on both sides.

        Raises
        ------
        ApiError
            409 ``no_remote``, or ``busy`` if commits are being moved.
        """
        with self._lock:
            pusher, self._pusher = self._pusher, None
        if pusher is not None and not pusher.stop():
            raise ApiError(
                409,
                "busy",
                "Commits are on their way to the hub. Nothing was changed; try again in a moment.",
            )
        with self._errors():
            self._sync.remove()
        self._on_change()
        return self.status()

    # -- moving -----------------------------------------------------------------------------------

    def push(self) -> models.SyncResult:
        """Send the hub every commit that it does not have.

        Raises
        ------
        ApiError
            409 ``no_remote`` or ``not_logged_in``, 502 ``offline``, or what the hub says. What
            arrived is kept there, and the next push goes on with the rest.
        """
        with self._work("pushing") as work, self._errors():
            done = self._sync.push(work.tell)
        sent = f"Sent {_commits(done.commits)}."
        return models.SyncResult(
            state=done.state,
            commits=done.commits,
            head=done.head or None,
            message=_SAID.get(done.state, sent),
        )

    def fetch(self) -> models.SyncStatus:
        """Begin to take the hub's commits that are not here; head and files stay as they are.

        Somebody who listens is told when it has ended. ``fetched`` of the status is what it came
        to then.

        Raises
        ------
        ApiError
            409 ``no_remote``, or ``stopped`` when the workspace is being closed.
        """
        return self._begin_taking("fetching", self._fetch)

    def _fetch(self, work: _Work) -> models.SyncResult:
        done = self._sync.fetch(work.tell)
        return _taken("fetched", done.commits, done.head, f"Fetched {_commits(done.commits)}.")

    def pull(self) -> models.SyncStatus:
        """Begin to fetch, and to bring files and head to the hub's newest if it builds upon them.

        As :meth:`fetch`, with ``pulled`` of the status: ``failed`` with the code ``diverged`` or
        ``uncommitted_changes`` when no file was changed.

        Raises
        ------
        ApiError
            As :meth:`fetch`.
        """
        return self._begin_taking("pulling", self._pull)

    def _pull(self, work: _Work) -> models.SyncResult:
        try:
            done = self._sync.pull(work.tell)
        finally:
            self._on_files()  # also where only a part came
        said = f"The files are {_commits(done.commits)} further now."
        return _taken("pulled", done.commits, done.head, said)

    def _begin_taking(
        self, activity: models.SyncActivity, take: Callable[[_Work], models.SyncResult]
    ) -> models.SyncStatus:
        with self._errors():
            self._sync.require()
            self._sync.patience.check()
        with self._lock:
            begins = activity not in self._taking
            if begins:
                self._taking.add(activity)
                self._took.pop(activity, None)  # before anybody is told that it is under way
        if begins:
            work = _Work(activity, self._tell)
            self._begin(work)
            threading.Thread(
                target=self._take, args=(work, take), name=f"dotscience-{activity}", daemon=True
            ).start()
        return self.status()

    def _take(self, work: _Work, take: Callable[[_Work], models.SyncResult]) -> None:
        try:
            with self._errors():
                came = take(work)
            self.wake()  # it is there, so it can be given what waits
        except ApiError as error:
            came = _failed(error.message, error.code)
        except Exception:
            # a thread that nobody looks at must not die silently
            log.exception("Taking commits of the hub failed")
            came = _failed("It failed; the server's log says why.", "failed")
        with self._lock:
            self._taking.discard(work.activity)
            self._took[work.activity] = came
        self._end(work)

    # -- in the background ------------------------------------------------------------------------

    def listen(
        self, on_change: Callable[[], None], on_files: Callable[[], None] | None = None
    ) -> None:
        """Have somebody told whenever the status may be another one; from any thread.

        ``on_files`` is told when files and commits came by a pull.
        """
        self._on_change = on_change
        self._on_files = on_files or _nobody

    def push_by_itself(self) -> None:
        """Send commits without being asked from now on, and what has waited since the last time."""
        self._is_pushing = True
        self.wake()

    def wake(self) -> None:
        """Look for commits that the hub does not have; to be called when there is a new one."""
        if not self._is_pushing or self._stopped.is_set():
            return
        try:
            if self._sync.remote is None or not isinstance(self._core.engine, PortableEngine):
                return
        except SyncError:
            return  # the status tells of it
        with self._lock:
            if self._pusher is None:
                work = _Work("pushing", self._tell)
                # an attempt is soon over; the pusher itself waits between them, and never gives up
                self._pusher = Pusher(
                    self._new_sync(Patience(attempts=ATTEMPTS)),
                    lambda what: self._pushed(what, work),
                    work.tell,
                )
                self._pusher.start()
            else:
                self._pusher.wake()

    def give_up(self) -> None:
        """End what is being moved as soon as can be; nothing is moved afterwards."""
        self._stopped.set()
        with self._lock:
            pusher = self._pusher
        if pusher is not None:
            pusher.stop(0)

    def stop(self) -> bool:
        """Give up, and wait a moment. Return whether nothing is being moved any more."""
        self.give_up()
        deadline = time.monotonic() + STOP
        while self._is_moving():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _is_moving(self) -> bool:
        with self._lock:
            pusher = self._pusher
            works = bool(self._works)
        return works or (pusher is not None and not pusher.stop(0))

    # -- what they share --------------------------------------------------------------------------

    def _new_sync(self, patience: Patience) -> Sync:
        core = self._core
        return Sync(
            core.workspace,
            core.records,
            core.engine,
            patience=patience,
            alone=core.committer.alone,
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with self._core.errors(), translated_sync(self._core.clean):
            yield

    @contextmanager
    def _work(self, activity: models.SyncActivity) -> Iterator[_Work]:
        work = _Work(activity, self._tell)
        self._begin(work)
        try:
            yield work
        finally:
            self._end(work)

    def _pushed(self, what: str, work: _Work) -> None:
        """Take what the pusher says."""
        if what == "pushing":
            work.done = work.total = 0
            self._begin(work)
        else:
            self._end(work)

    def _begin(self, work: _Work) -> None:
        with self._lock:
            self._works.append(work)
        self._tell()

    def _end(self, work: _Work) -> None:
        with self._lock:
            if work in self._works:
                self._works.remove(work)
        self._tell()

    def _tell(self) -> None:
        self._on_change()


class _Work:
    """Something that is under way."""

    def __init__(self, activity: models.SyncActivity, on_change: Callable[[], None]) -> None:
        self.activity = activity
        self.done = self.total = 0
        self._on_change = on_change
        self._told = 0.0

    def tell(self, done: int, total: int, _what: str) -> None:
        """Take how many bytes were moved."""
        self.done, self.total = done, total
        now = time.monotonic()
        if now - self._told >= TELL:
            self._told = now
            self._on_change()

    def progress(self) -> models.SyncProgress | None:
        if not self.done:
            return None
        return models.SyncProgress(done=self.done, total=self.total)


def _nobody() -> None:
    """Tell nobody."""


def _remote(remote: Remote) -> models.SyncRemote:
    login = None
    with suppress(SyncError):  # whoever moves commits is told of a file that cannot be read
        login = Credentials().get(remote.url)
    return models.SyncRemote(
        url=remote.url,
        project=remote.project,
        name=remote.name,
        user=None if login is None else login.user,
    )


def _taken(state: models.SyncState, commits: int, head: str, message: str) -> models.SyncResult:
    if not head:
        state, message = "nothing", "The hub has no commit yet."
    elif not commits:
        state, message = "current", "There is nothing newer on the hub."
    return models.SyncResult(
        state=state,
        commits=commits,
        head=head or None,
        message=message,
    )


def _failed(message: str, code: str) -> models.SyncResult:
    return models.SyncResult(state="failed", commits=0, head=None, message=message, code=code)


def _commits(count: int) -> str:
    return f"{count:,} commit{'' if count == 1 else 's'}"
