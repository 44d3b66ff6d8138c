# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots that arrive in a project as streams of the file system, and become its content.

Of a snapshot that was received the project's store gets folders and references to its contents, as
a workspace's exchange store has them of the workspace's own snapshots. So nothing is kept twice,
and clients of every engine can read it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    Equal,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.native.portable import PortableNative
from dotscience_jupyter.snapshots.zfs import ZfsEngine
from dotscience_jupyter.snapshots.zfs.errors import ZfsError
from dotscience_jupyter.snapshots.zfs.replicas import NotMountedError

_PATIENCE = 600.0
_PATIENCE_ASKING = 60.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Arrivals:
    """Those of one project. Thread-safe; several processes take turns.

    Parameters
    ----------
    native
        The engine of the file system on the project's folder, closed with this one.
    store
        The folder of the project's store.
    lock
        A file that is locked while something arrives.
    most
        Bytes that the files of one snapshot may have together.

    Attributes
    ----------
    kind : str
        Whose streams it takes.
    """

    def __init__(self, native: ZfsEngine, store: Path, lock: Path, most: int) -> None:
        self.kind = native.name
        self._native = native
        self._portable = PortableNative(native, store)
        self._lock = lock
        self._most = most

    @property
    def engine(self) -> PortableNative:
        """What reads both what was received and the store; its ``exchange`` is the latter."""
        return self._portable

    @contextlib.contextmanager
    def _alone(self, seconds: float = _PATIENCE) -> Iterator[None]:
        try:
            with filelock.FileLock(self._lock, timeout=seconds, thread_local=False):
                yield
        except filelock.Timeout:
            raise ApiError(
                503,
                "busy",
                "The hub is still taking in what was sent to this project before. Nothing is lost; "
                "try again in a while.",
            ) from None

    def state(self, snapshots: Iterable[str]) -> tuple[list[str], dict[str, str]]:
        """Return which snapshots were received, and the tokens of those that were cut.

        Waits for what is just being received, since that may be one of them.

        Raises
        ------
        ApiError
            503 ``busy`` if that takes long.
        """
        with self._alone(_PATIENCE_ASKING):
            asked = list(dict.fromkeys(snapshots))
            cut = self._native.partial()
            return (
                [each for each in asked if self._native.exists(each)],
                {each: cut[each] for each in asked if each in cut},
            )

    def receive(self, source: BinaryIO, sender: str) -> str:
        """Receive a stream; return the snapshot's id.

        Parameters
        ----------
        sender
            The id of the user whose it is, to whom alone it is given again: a stream holds more
            than commits show.

        Raises
        ------
        TransferError
            If it was cut or damaged; what came before may be kept, see :meth:`state`.
        SnapshotError
            If it can never be taken in.
        ApiError
            507 ``unwritable`` if there is no room.
        """
        with self._alone():
            before = set(self._native.contents())
            try:
                snapshot = self._native.receive(source)
                if snapshot not in before:
                    self._native.set_sender(snapshot, sender)
                return snapshot
            except (TransferError, ZfsError) as error:
                cause = error if isinstance(error, ZfsError) else error.__cause__
                if isinstance(cause, ZfsError) and cause.errno in _NO_ROOM:
                    raise ApiError(
                        507,
                        "unwritable",
                        "The hub has no room for what was sent. What arrived is kept, and nothing "
                        "that was there before was changed.",
                    ) from None
                raise

    def take(self, snapshot: str, progress: Progress | None = None) -> Equal:
        """Make a snapshot that was received part of the project's content.

        Returns
        -------
        Equal
            Its id in the store, and the content id of what was read.

        Raises
        ------
        ApiError
            404 if it was not received; 413 if its files are larger than is allowed.
        SnapshotError
            If it cannot be read, or the store not be written.
        """
        store = self._portable.exchange
        with self._alone():
            if not self._native.exists(snapshot):
                raise ApiError(404, "not_found", f"The snapshot {snapshot[:64]!r} is not here.")
            try:
                if not store.exists(snapshot):
                    if self._native.logical_bytes(snapshot) > self._most:
                        raise ApiError(
                            413,
                            "too_large",
                            f"The files of this snapshot have more than {self._most:,} bytes "
                            "together, more than the hub accepts. Nothing was changed.",
                        )
                    self._portable.bring(snapshot, progress)
            except (CorruptStoreError, NotMountedError, ApiError):
                # nobody can read it, so nobody can build upon it
                with contextlib.suppress(SnapshotError):
                    self._portable.drop(snapshot)
                raise
            return store.equals([snapshot])[snapshot]

    def offered(self, snapshots: Iterable[str], reader: str) -> list[str]:
        """Return which snapshots can be sent to a user: those that this user had sent."""
        senders = self._native.senders()
        return [each for each in dict.fromkeys(snapshots) if senders.get(each) == reader]

    def send(
        self, snapshot: str, reader: str, have: Iterable[str], resume: str, to: BinaryIO
    ) -> None:
        """Write a snapshot as a stream: what is new since the newest that the reader has.

        Raises
        ------
        ApiError
            404 if it is not offered to that user; 409 ``resume`` if the token does not fit.
        SnapshotError
            If it cannot be read.
        """
        if not self.offered([snapshot], reader):
            raise ApiError(
                404,
                "not_found",
                f"The snapshot {snapshot[:64]!r} was not sent to this hub as a stream by you, so "
                "it is not given as one. Ask for it as objects.",
            )
        known = set(have)
        ancestors = self._native.ancestors(snapshot) or []
        base = next((each for each in reversed(ancestors) if each in known), None)
        try:
            self._native.send(snapshot, to, base, resume)
        except SnapshotError as error:
            if not resume:
                raise
            raise ApiError(409, "resume", str(error)) from error

    def close(self) -> None:
        """Let go of open files, and of the store."""
        self._portable.close()
