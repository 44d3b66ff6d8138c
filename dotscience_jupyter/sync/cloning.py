# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A new workspace with the history and the newest files of a project.

The folder becomes a workspace in the last step: whoever is killed before that leaves one that
nobody takes for a workspace, and cloning to it again goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dotscience_jupyter.records import Records, Workspace, WorkspaceError
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots import Progress, open_engine

from .connection import Connection, Patience
from .credentials import Credentials, Login
from .errors import SyncError
from .hubproject import HubProject
from .remote import Remote, RemoteStore
from .synced import Sync, not_logged_in

_CONTENT = frozenset({"workspace.json", "records.db", "store"})


@dataclass(frozen=True, slots=True)
class Cloned:
    """What a clone made: a folder, and how many commits it has of the project."""

    folder: Path
    commits: int
    head: str


def clone(
    remote: Remote,
    folder: Path,
    *,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
    progress: Progress | None = None,
    engine: str = "auto",
) -> Cloned:
    """Make a new workspace with a project's history and its newest files.

    A clone that was cut goes on when it is begun again with the same folder.

    Parameters
    ----------
    remote
        The project.
    folder
        A new or an empty folder, or what a clone of this project has made already.
    credentials, patience
        As :class:`.synced.Sync` has them.
    progress
        Told of the progress; what it raises ends the clone.
    engine
        Name of the snapshot engine that is to keep the content.

    Raises
    ------
    SyncError
        As :func:`require_free`, ``busy`` if another program clones to the folder; otherwise as
        :meth:`.Sync.pull`.
    """
    credentials = credentials or Credentials()
    patience = patience or Patience()
    login = credentials.get(remote.url)
    if login is None:
        raise not_logged_in(remote.url)
    require_free(folder, remote)
    _ask(login, remote, patience)
    with _begun(folder, remote) as workspace:
        records = Records.open(workspace.database_url)
        try:
            kept = open_engine(workspace.root, workspace.store, engine)
            try:
                sync = Sync(workspace, records, kept, credentials=credentials, patience=patience)
                sync.add(remote)
                done = sync.pull(progress)
                _, total = records.list_commits(limit=1)
            finally:
                kept.close()
        finally:
            records.close()
        workspace.finish()
    return Cloned(workspace.root, total, done.head)


def require_free(folder: Path, remote: Remote) -> None:
    """See to it that a project can be cloned to a folder: nothing of anybody's is in there.

    Raises
    ------
    SyncError
        ``exists`` if there is something else than what a clone of the project has made.
    """
    try:
        begun = Workspace.is_begun(folder)
        if not _holds_something(folder) or (
            (begun or Workspace.is_at(folder)) and _belongs(folder, remote)
        ):
            return
    except OSError as error:
        raise _unreadable(error) from None
    raise SyncError(
        "exists",
        f"{str(folder)!r} holds the beginning of a clone of another project. Nothing was changed; "
        "choose the name of a new folder, or delete this one."
        if begun
        else f"{str(folder)!r} is there already and is not empty. Nothing was changed; choose the "
        "name of a new folder. In a workspace that was cloned, 'pull' brings what is new.",
    )


def _belongs(folder: Path, remote: Remote) -> bool:
    there = RemoteStore(folder / MARKER).get()
    return there is not None and (there.url, there.project) == (remote.url, remote.project)


def _holds_something(folder: Path) -> bool:
    """Whether a folder holds more than what is left of a clone that had not begun to take."""
    if not os.path.lexists(folder):
        return False
    if not folder.is_dir() or {entry.name for entry in folder.iterdir()} - {MARKER}:
        return True
    own = folder / MARKER
    return own.is_dir() and any(entry.name in _CONTENT for entry in own.iterdir())


def _ask(login: Login, remote: Remote, patience: Patience) -> None:
    """Ask for the project, so that no folder is made where the hub's answer is no."""
    connection = Connection(remote.url, login.key, patience)
    try:
        HubProject(connection, remote.project).refs()
    finally:
        connection.close()


@contextmanager
def _begun(folder: Path, remote: Remote) -> Iterator[Workspace]:
    """Give the folder as what becomes a workspace, or is one of the project; to nobody else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workspace = Workspace.at(folder) if Workspace.is_at(folder) else Workspace.begin(folder)
        remotes = RemoteStore(workspace.folder)
        remotes.folder.mkdir(exist_ok=True)
        lock = FileLock(remotes.folder / "clone.lock")
        lock.acquire(blocking=False)
    except Timeout:
        raise SyncError(
            "busy",
            f"Another program is cloning to {str(folder)!r}. Nothing was changed; wait for it, or "
            "choose the name of another folder.",
        ) from None
    except (OSError, WorkspaceError) as error:
        raise _unreadable(error) from None
    try:
        # others may have been there between
        require_free(folder, remote)
        remotes.put(remote)
        yield workspace
    except WorkspaceError as error:
        raise _unreadable(error) from None
    finally:
        lock.release()


def _unreadable(error: Exception) -> SyncError:
    reason = error.strerror if isinstance(error, OSError) else None
    return SyncError("unreadable", f"The new folder cannot be made: {reason or error}")
