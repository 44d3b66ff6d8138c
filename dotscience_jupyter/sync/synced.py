# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One workspace and its project on a hub: push, fetch, pull, and how both stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from filelock import BaseFileLock, FileLock, Timeout

from dotscience_jupyter.records import HEAD, Records, RecordsError, Workspace
from dotscience_jupyter.snapshots import Engine, PortableEngine, Progress, SnapshotError

from .connection import Connection, Patience
from .credentials import Credentials
from .errors import OfflineError, SyncError
from .fetching import REMOTE_HEAD, Fetched, Fetching, note_remote_head
from .hubproject import HubProject
from .pulling import forward, relation
from .pushing import Pushed, Pushing
from .remote import Last, Remote, RemoteStore

LOCK_SECONDS = 600.0
"""Seconds to wait for another program that moves commits, or makes one."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did.

    Attributes
    ----------
    fetched : int
        How many commits are new here.
    commits : int
        By how many the workspace went forward.
    head : str
        Its head; "" if there is none.
    """

    fetched: int
    commits: int
    head: str


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How a workspace and its hub stand to each other, as far as is known here.

    Attributes
    ----------
    remote : Remote or None
        The hub's project.
    ahead, behind : int
        Commits that only the workspace has; only the hub has, of those that were fetched.
    newer : bool
        Whether the hub was seen to have commits that are not here yet.
    diverged : bool
        Whether both have some that the other one does not build upon.
    theirs : str or None
        The hub's newest commit of those that were fetched.
    last : Last
        How it went the last time.
    """

    remote: Remote | None
    ahead: int
    behind: int
    newer: bool
    diverged: bool
    theirs: str | None
    last: Last


class Sync:
    """One workspace and its project on a hub. Thread-safe; several processes take turns.

    Parameters
    ----------
    workspace, records, engine
        The workspace, open.
    credentials
        Where the user's API keys are; by default the user's own file.
    patience
        How long a hub that cannot be reached is tried.
    alone
        Gives a context in which nobody in this process commits, for :meth:`pull`.
    """

    def __init__(
        self,
        workspace: Workspace,
        records: Records,
        engine: Engine,
        *,
        credentials: Credentials | None = None,
        patience: Patience | None = None,
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.workspace = workspace
        self.remotes = RemoteStore(workspace.folder)
        self.patience = patience or Patience()
        self._records = records
        self._engine = engine
        self._credentials = credentials or Credentials()
        self._alone = alone

    # -- which hub --------------------------------------------------------------------------------

    @property
    def remote(self) -> Remote | None:
        """The project that the workspace belongs to."""
        return self.remotes.get()

    def add(self, remote: Remote) -> None:
        """Make a project the one that the workspace belongs to.

        Raises
        ------
        SyncError
            ``exists`` if it belongs to another one.
        """
        self._portable()
        with self._turn():
            there = self.remote
            if there is not None and (there.url, there.project) != (remote.url, remote.project):
                raise SyncError(
                    "exists",
                    f"This workspace belongs to {there} already. Nothing was changed; to give it "
                    "to another project, remove that remote first.",
                )
            self.remotes.put(remote)

    def remove(self) -> Remote:
        """Make the workspace belong to no hub. Commits stay where they are, on both sides."""
        with self._turn():
            there = self.require()
            self.remotes.remove()
            known = self._records.refs().get(REMOTE_HEAD)
            if known is not None:
                self._records.set_ref(REMOTE_HEAD, None, expected=known)
        return there

    # -- moving -----------------------------------------------------------------------------------

    def push(self, progress: Progress | None = None) -> Pushed:
        """Send the hub what it does not have of the workspace's history.

        Raises
        ------
        SyncError, RecordsError, SnapshotError
            What arrived is kept there, and the next push goes on with the rest.
        """
        engine = self._portable()
        with self._turn(progress), self._hub(progress) as hub:
            done = Pushing(self._records, engine, hub, progress).run()
            if done.head and self._records.known_commits([done.head]):
                note_remote_head(self._records, done.head)
            self._note(done.head, diverged=done.state == "diverged")
        return done

    def fetch(self, progress: Progress | None = None) -> Fetched:
        """Take the hub's commits that are not here; head and files stay as they are.

        Raises
        ------
        SyncError, RecordsError, SnapshotError
            What arrived is kept here, and the next fetch goes on with the rest.
        """
        engine = self._portable()
        with self._turn(progress), self._hub(progress) as hub:
            done = Fetching(self._records, engine, hub, progress).run()
            self._note(done.head)
        return done

    def pull(self, progress: Progress | None = None) -> Pulled:
        """Fetch, and bring head and files to the hub's head if it builds upon them.

        Raises
        ------
        SyncError, RecordsError, SnapshotError
            As :meth:`fetch` and :func:`.pulling.forward`.
        """
        engine = self._portable()
        done = self.fetch(progress)
        with self._turn(progress), self._alone(), self._committing():
            target = self._records.refs().get(REMOTE_HEAD)
            count = forward(self._records, engine, target, progress) if target else 0
            head = self._records.head()
        return Pulled(done.commits, count, "" if head is None else head.id)

    def status(self) -> SyncStatus:
        """Return how both stand, without asking the hub. Raise SyncError or RecordsError."""
        remote = self.remote
        if remote is None:
            return SyncStatus(None, 0, 0, False, False, None, Last())
        refs = self._records.refs()
        theirs = refs.get(REMOTE_HEAD)
        found = relation(self._records, refs.get(HEAD), theirs)
        last = self.remotes.last()
        newer = bool(last.head) and not self._records.known_commits([last.head])
        diverged = found.diverged or (newer and found.ahead > 0 and last.diverged)
        return SyncStatus(remote, found.ahead, found.behind, newer, diverged, theirs, last)

    # -- what they share --------------------------------------------------------------------------

    def _portable(self) -> PortableEngine:
        if not isinstance(self._engine, PortableEngine):
            raise SyncError(
                "unsupported_engine",
                f"The content of this workspace is kept by the engine {self._engine.name!r}, which "
                "cannot give it to a hub. Nothing was changed. 'send' and 'receive' move content "
                "between workspaces of the same engine.",
            )
        return self._engine

    def require(self) -> Remote:
        """Return the remote. Raise SyncError ``no_remote`` if there is none."""
        remote = self.remote
        if remote is None:
            raise SyncError(
                "no_remote",
                "This workspace belongs to no hub. Say which with 'ds remote add URL/PROJECT'.",
            )
        return remote

    @contextmanager
    def _hub(self, progress: Progress | None) -> Iterator[HubProject]:
        """Give the hub's project; that something failed is written down."""
        remote = self.require()

        def waiting(error: OfflineError) -> None:
            if progress is not None:
                away = "is busy" if error.code == "busy" else "cannot be reached"
                progress(0, 0, f"The hub {away}; trying again")

        try:
            self.patience.tell = waiting
            login = self._credentials.get(remote.url)
            if login is None:
                raise not_logged_in(remote.url)
            connection = Connection(remote.url, login.key, self.patience)
            try:
                yield HubProject(connection, remote.project)
            finally:
                connection.close()
        except (SyncError, RecordsError, SnapshotError) as error:
            code = error.code if isinstance(error, SyncError) else "failed"
            if code != "stopped":
                last = self.remotes.last()
                self.remotes.note(replace(last, when=time.time(), error=str(error), code=code))
            raise
        finally:
            self.patience.tell = None

    def _note(self, head: str, *, diverged: bool = False) -> None:
        self.remotes.note(Last(time.time(), head, diverged=diverged))

    @contextmanager
    def _turn(self, progress: Progress | None = None) -> Iterator[None]:
        """Wait until no other program moves commits of this workspace."""
        # a new lock object each time: one object would let the threads of a process in together
        lock = FileLock(self.remotes.lock, poll_interval=0.05)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if progress is not None:
                progress(0, 0, "Waiting for another program that moves commits")
            self._wait(lock)
        try:
            yield
        finally:
            lock.release()

    @staticmethod
    def _wait(lock: BaseFileLock) -> None:
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise SyncError(
                "busy",
                "Another program has been moving commits of this workspace for ten minutes. "
                "Nothing was changed; try again when it is done.",
            ) from None

    @contextmanager
    def _committing(self) -> Iterator[None]:
        try:
            with FileLock(self.workspace.lock, timeout=LOCK_SECONDS, poll_interval=0.01):
                yield
        except Timeout:
            raise SyncError(
                "busy",
                "Another program has been committing to this workspace for ten minutes. No file "
                "was changed; try again when it is done.",
            ) from None


def not_logged_in(url: str) -> SyncError:
    """Return the error of a hub on which nobody is logged in."""
    return SyncError(
        "not_logged_in", f"You are not logged in on {url}. Nothing was moved. Do: ds login {url}"
    )
