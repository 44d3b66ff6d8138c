# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One project of a hub: its records, its content, and the one way to write to both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import filelock

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.records import HEAD, NewChange, NewCommit, NewRun, Records, models, to_text
from dotscience_jupyter.records.schema import NewerTablesError, OlderTablesError
from dotscience_jupyter.snapshots import Entry
from dotscience_jupyter.snapshots.embedded import EmbeddedEngine
from dotscience_jupyter.snapshots.embedded.editing import Edit
from dotscience_jupyter.snapshots.engine import COMMIT_HOLD, Change, Difference

from .storage import Content, ContentStorage, move_records

RECORDS = "records.db"
OLDER, NEWER = "older_records", "newer_records"
"""Codes of the errors that tell of records of another version."""

LOCK_SECONDS = 600.0
MOST_WAITING = 24  # each is one of the hub's threads, and others want to read meanwhile

# kept of each open project; there are many, and a PostgreSQL server takes a hundred connections
_CONNECTIONS = 1


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """What the hub's database says of a project."""

    id: str
    owner_id: str
    owner: str  # name
    kind: str  # project, dot, dataset
    name: str
    dot: str  # its default workspace's name in the owner's namespace
    created: datetime
    deleted: datetime | None = None


class ProjectLock:
    """Holds off every other writer of one project, in this process and in others. Re-entrant."""

    def __init__(self, path: Path) -> None:
        self._threads = threading.RLock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._file = filelock.FileLock(path, thread_local=False)

    def acquire(self) -> None:
        """Wait for the lock and take it.

        Raises
        ------
        ApiError
            503 ``busy`` if another writer keeps it for ten minutes, or too many wait already.
        """
        with self._counting:
            if self._waiting >= MOST_WAITING:
                raise ApiError(
                    503,
                    "busy",
                    "Very many are writing to this project at once. Nothing of yours was changed; "
                    "try again.",
                )
            self._waiting += 1
        try:
            self._wait()
        finally:
            with self._counting:
                self._waiting -= 1

    def _wait(self) -> None:
        # a lock of a file counts how often one process took it, so the threads are first in line
        if not self._threads.acquire(timeout=LOCK_SECONDS):
            raise _busy()
        try:
            self._file.acquire(timeout=LOCK_SECONDS)
        except filelock.Timeout:
            self._threads.release()
            raise _busy() from None
        except BaseException:
            self._threads.release()
            raise

    def release(self) -> None:
        """Give it back."""
        self._file.release()
        self._threads.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Project:
    """An open project; :meth:`.projects.Projects.open` gives one. Thread-safe.

    Attributes
    ----------
    info : ProjectInfo
    records : Records
        ``HEAD`` is the master branch, ``branch/X`` the branch X.
    engine : EmbeddedEngine
        Of a store without a live folder.
    arrivals : Arrivals or None
        Takes streams of the file system that the project is on, if it has such.
    tmp : Path
        A folder for what is being uploaded.
    lock : ProjectLock
        ``with project.lock:`` around whatever reads something and writes what follows from it.
    require_free : callable
        Raises ApiError 423 while a task has the project to itself; asked before every write but
        for a push, by which the task brings back what it made (:meth:`.TaskLocks.require_push`).
    """

    def __init__(self, info: ProjectInfo, folder: Path, records: Records, content: Content) -> None:
        self.info = info
        self.records = records
        self.engine, self.arrivals = content
        self.tmp = folder / "tmp"
        self.lock = ProjectLock(folder / "lock")
        self.require_free: Callable[[], None] = lambda: None

    @classmethod
    def load(
        cls,
        info: ProjectInfo,
        folder: Path,
        records_url: str = "",
        storage: ContentStorage | None = None,
        *,
        upgrade: bool = False,
    ) -> Project:
        """Open a project in its folder, made if need be; see :class:`.projects.Projects`.

        Raises
        ------
        RecordsError, SnapshotError
            If its records or content cannot be opened.
        ApiError
            If its folder cannot be made; 503 :data:`OLDER` or :data:`NEWER` if another version of
            the software has to do with its records first.
        """
        try:
            if storage is not None:
                storage.prepare(folder)
            (folder / "tmp").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ApiError(
                503,
                "unwritable",
                f"The project's folder cannot be made: {error.strerror or error}. Nothing was "
                "changed; the hub's disk may be full.",
            ) from None
        url: str = records_url
        schema: str | None = cls.schema_of(info.id)
        if not records_url:
            beside = storage is not None and storage.beside
            file = move_records(folder / RECORDS) if beside else folder / RECORDS
            url, schema = f"sqlite:///{file}", None
        try:
            records = Records.open(url, schema=schema, pool=_CONNECTIONS, upgrade=upgrade)
        except OlderTablesError:
            raise ApiError(
                503,
                OLDER,
                f"The records of the project {info.name!r} ({info.id}) were written by an older "
                "version of dotscience-jupyter. Nothing was changed. Stop the hub, make a backup, "
                "run `jupyter dotscience hub upgrade`, and start it again.",
            ) from None
        except NewerTablesError:
            raise ApiError(
                503,
                NEWER,
                f"The records of the project {info.name!r} ({info.id}) were written by a newer "
                "version of dotscience-jupyter. Nothing was changed. Upgrade dotscience-jupyter on "
                "the hub to use this project; the others are not concerned.",
            ) from None
        try:
            if storage is None:
                content = Content(EmbeddedEngine.open_store(folder / "store"))
            else:
                content = storage.content(folder, records.needs_snapshot)
        except BaseException:
            records.close()
            raise
        return cls(info, folder, records, content)

    @staticmethod
    def schema_of(id_: str) -> str:
        """Return the name of the PostgreSQL schema that has a project's records."""
        return f"p_{id_.replace('-', '')}"

    def close(self) -> None:
        """Let go of the database and the store."""
        self.records.close()
        (self.arrivals or self.engine).close()

    # -- reading -------------------------------------------------------------------------------

    def commit_id(self, ref_or_commit: str) -> str | None:
        """Return the commit that a ref (``HEAD``, ``branch/X``) or an id means.

        None for a ref that has none yet.

        Raises
        ------
        RecordsError
            NotFoundError if nothing is called that, AmbiguousError for the prefix of several ids.
        """
        refs = self.records.refs()
        if ref_or_commit in refs:
            return refs[ref_or_commit]
        if ref_or_commit == HEAD:
            return None
        return self.records.get_commit(ref_or_commit).id

    def snapshot_of(self, ref_or_commit: str) -> str:
        """Return the snapshot of a commit. Raise NotFoundError where there is none."""
        id_ = self.commit_id(ref_or_commit)
        return self.records.get_commit(id_ or ref_or_commit).snapshot

    def entries(self, commit: str, path: str = "") -> list[Entry]:
        """Return the direct children of a folder (a folder path) in a commit."""
        return self.engine.list(self.snapshot_of(commit), path)

    def entry(self, commit: str, path: str) -> Entry:
        """Return one entry of a commit; PathNotFoundError where there is none."""
        return self.engine.entry(self.snapshot_of(commit), path)

    def open(self, commit: str, path: str) -> BinaryIO:
        """Open a file of a commit for reading; see :meth:`Engine.open`."""
        return self.engine.open(self.snapshot_of(commit), path)

    # -- writing -------------------------------------------------------------------------------

    def write(
        self,
        edits: Iterable[Edit],
        *,
        author: str,
        message: str,
        type: str,  # noqa: A002 - the records' word
        metadata: Mapping[str, str] | None = None,
        runs: Sequence[NewRun] = (),
        ref: str = HEAD,
        wrote: Iterable[str] = (),
    ) -> models.Commit:
        """Make a commit on a ref: what it has with some edits, and perhaps runs.

        Parameters
        ----------
        edits
            In order; none: the commit has the content of the one before.
        type
            Of the commit, such as ``upload``.
        metadata
            Beyond what follows from the other parameters.
        wrote
            Folder paths of files that count as written by this commit although their content is
            what it was.

        Raises
        ------
        SnapshotError
            PathNotFoundError for the removal of what is not there; nothing was changed.
        RecordsError
            DuplicateRunError for runs that are there already; nothing was changed.
        ApiError
            423 ``locked`` while a task has the project to itself.
        """
        with self.lock:
            self.require_free()
            head = self.records.refs().get(ref)
            base = None if head is None else self.records.get_commit(head).snapshot
            changing = list(edits)
            snapshot = base
            if snapshot is None or changing:
                snapshot = self.engine.edit(base, changing).id
            self.engine.hold([snapshot], COMMIT_HOLD)
            commit = NewCommit(
                snapshot=snapshot,
                type=type,
                message=message,
                author=author,
                runs=list(runs),
                metadata=dict(metadata or {}),
            )
            if base is not None:
                commit.changes = self._changes(base, snapshot, wrote)
            return self.records.commit([commit], expected_head=head, ref=ref)[0]

    def gc(self) -> int:
        """Drop content that no commit needs; return the bytes freed. Raise SnapshotError."""
        with self.lock:
            engine = self.engine if self.arrivals is None else self.arrivals.engine
            return engine.gc(self.records.snapshots())

    def _changes(self, base: str, snapshot: str, wrote: Iterable[str]) -> list[NewChange]:
        differences = [] if base == snapshot else self.engine.diff(base, snapshot)
        changes = [_change(each) for each in differences]
        listed = {each.path for each in differences}
        for path in sorted(set(wrote) - listed):
            digest = self.engine.entry(snapshot, path).digest
            changes.append(NewChange(to_text(path), Change.MODIFIED.value, digest or None))
        return changes


def _change(difference: Difference) -> NewChange:
    digest = difference.new.digest if difference.new is not None else ""
    return NewChange(to_text(difference.path), difference.change.value, digest or None)


def _busy() -> ApiError:
    return ApiError(
        503,
        "busy",
        "Somebody else has been writing to this project for ten minutes. Nothing of yours was "
        "changed; try again later.",
    )
