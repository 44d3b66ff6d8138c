# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One dataset: a workspace of its own, opened, frozen, committed, and checked out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from dotscience_jupyter.records import (
    NewChange,
    NewCommit,
    Records,
    Workspace,
    WorkspaceError,
    models,
    to_text,
)
from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    Difference,
    Engine,
    Kind,
    Progress,
    SnapshotError,
    open_engine,
)

from .errors import DatasetError

INITIAL = "dotscience.initial"
FILES = "dotscience.files.v1"
RUN_OUTPUT = "dotscience.run-output.v1"
"""Type of a commit with what runs of a workspace wrote (run metadata format v1, section 3.3)."""

LOCK_SECONDS = 600.0
"""Seconds to wait for another program that commits to the dataset."""


@dataclass(slots=True)
class Frozen:
    """A dataset as it is now, beside its newest commit.

    Attributes
    ----------
    snapshot : str
        Id of the snapshot.
    head : Commit or None
        The newest commit.
    changed : dict
        Differences from it by folder path, folders left out.
    different : bool
        Whether anything differs, be it an empty folder only.
    """

    snapshot: str
    head: models.Commit | None
    changed: dict[str, Difference] = field(default_factory=dict)
    different: bool = False


class OpenDataset:
    """A dataset whose records and engine are open."""

    def __init__(self, dataset: Dataset, records: Records, engine: Engine) -> None:
        self.dataset = dataset
        self.records = records
        self.engine = engine

    def freeze(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Frozen:
        """Freeze the folder and compare it with the newest commit; record nothing.

        Raises
        ------
        SnapshotError, RecordsError
        """
        snapshot = self.engine.snapshot(progress, look_at).id
        head = self.records.head()
        found = Frozen(snapshot, head)
        if head is not None and head.snapshot != snapshot:
            differences = self.engine.diff(head.snapshot, snapshot)
            found.different = bool(differences)
            found.changed = {each.path: each for each in differences if not _is_folder(each)}
        return found

    def record(
        self, head: models.Commit | None, commits: Sequence[NewCommit]
    ) -> list[models.Commit]:
        """Record commits after the newest one, in one transaction. Raise RecordsError."""
        made = self.records.commit(commits, expected_head=None if head is None else head.id)
        # what is not protected now is protected by the next gc
        with suppress(SnapshotError, OSError):
            self.engine.hold({commit.snapshot for commit in made}, COMMIT_HOLD)
        return made


class Dataset:
    """A versioned folder of its own: a workspace that others attach.

    Attributes
    ----------
    name : str
        What it is called on this machine.
    id : str
        A UUID, the same for every clone: it follows from the first commit.
    root : pathlib.Path
        Its live folder.
    """

    def __init__(self, name: str, id: str, root: Path) -> None:  # noqa: A002 - as everywhere here
        self.name = name
        self.id = id
        self.root = root

    def __repr__(self) -> str:
        """Return what it is called and where it is."""
        return f"Dataset({self.name!r}, {self.id!r}, {str(self.root)!r})"

    @property
    def workspace(self) -> Workspace:
        """The workspace that it is. Raise DatasetError where it is gone."""
        try:
            return Workspace.at(self.root)
        except WorkspaceError as error:
            raise DatasetError(
                "not_found",
                f"The dataset {self.name} is not where it should be: {error} If its folder was "
                f"moved, say where it is: 'ds dataset create {self.name} FOLDER'.",
            ) from None

    @contextmanager
    def opened(self) -> Iterator[OpenDataset]:
        """Open records and engine. Raise DatasetError, RecordsError or SnapshotError."""
        with opened(self.workspace) as (records, engine):
            yield OpenDataset(self, records, engine)

    @contextmanager
    def open(self) -> Iterator[tuple[Records, Engine]]:
        """Open records and engine, as a pair; see :meth:`opened`."""
        with self.opened() as found:
            yield found.records, found.engine

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else commit to it meanwhile. Raise DatasetError ``busy``."""
        try:
            # a new lock object each time: one object would let the threads of a process in together
            with FileLock(self.workspace.lock, timeout=LOCK_SECONDS, poll_interval=0.01):
                yield
        except Timeout:
            raise DatasetError(
                "busy",
                f"Another program has been committing to the dataset {self.name} for ten minutes. "
                "Nothing was changed; try again when it is done.",
            ) from None

    def commit(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        author: str,
        progress: Progress | None = None,
    ) -> models.Commit | None:
        """Make a version of the live folder as it is now; None if nothing has changed.

        Parameters
        ----------
        message : str
            For people.
        metadata : mapping, optional
            More keys of the commit's metadata; they begin with a lower-case letter, and hold no
            secrets.
        author : str
            Who commits.
        progress : callable, optional
            Told of the snapshot's progress.

        Raises
        ------
        DatasetError, RecordsError, SnapshotError
            Nothing was recorded.
        """
        with self.opened() as found, self.locked():
            frozen = found.freeze(progress)
            if frozen.head is not None and not frozen.different:
                return None
            new = NewCommit(frozen.snapshot, FILES if frozen.head else INITIAL, message, author)
            new.changes = [change_of(each) for each in frozen.changed.values()]
            new.metadata = dict(metadata or {})
            return found.record(frozen.head, [new])[0]


@contextmanager
def opened(workspace: Workspace) -> Iterator[tuple[Records, Engine]]:
    """Open a workspace's records and engine. Raise RecordsError or SnapshotError."""
    records = Records.open(workspace.database_url)
    try:
        engine = open_engine(workspace.root, workspace.store)
        try:
            yield records, engine
        finally:
            engine.close()
    finally:
        records.close()


def identity(records: Records) -> str | None:
    """Return the id of the dataset with this history: a UUID made of its first commit's id.

    None where there is no commit yet. Clones have the same history, and so the same id.
    """
    first = records.files.first()
    if first is None:
        return None
    return str(uuid.UUID(bytes=bytes.fromhex(first.id)[:16], version=4))


def change_of(difference: Difference) -> NewChange:
    """Return a difference of two snapshots as a commit lists it."""
    digest = difference.new.digest if difference.new is not None else ""
    return NewChange(to_text(difference.path), difference.change.value, digest or None)


def _is_folder(difference: Difference) -> bool:
    entry = difference.new or difference.old
    return entry is not None and entry.kind is Kind.FOLDER
