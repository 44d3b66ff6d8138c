# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""What has arrived of a snapshot whose transfer is under way or was cut.

``partial/<snapshot id>`` is the magic ``dspart1\n``, the id of the snapshot that the transfer is
based on (32 zero bytes if on none), and the ids of the objects that arrived, in that order. The
objects themselves are in packs like any others; gc spares them for as long as the file says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import SnapshotError

from .store import Store, fsync_folder, is_snapshot_id, writing

MAX_AGE = 7 * 86400.0
"""Seconds after which a transfer that was cut is given up, and gc drops what arrived."""

_MAGIC = b"dspart1\n"
_HEAD = len(_MAGIC) + 32
_NO_BASE = bytes(32)
_TOKEN = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{64})?\.([0-9]{1,15})\.([0-9a-f]{64})")


class Token(NamedTuple):
    """Up to where a transfer came."""

    snapshot: str
    base: str | None
    arrived: int  # objects
    digest: str  # of their ids

    def __str__(self) -> str:
        """Return the token as it is handed around."""
        return f"{self.snapshot}.{self.base or ''}.{self.arrived}.{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """Read a token; None if it is none."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        snapshot, base, count, digest = match.groups()
        return cls(snapshot, base or None, int(count), digest)


class Partial:
    """The record of one transfer, locked against others that receive the same snapshot.

    Nothing counts until :meth:`save`. Raises SnapshotError if the snapshot is being received
    already, or the store cannot be written.
    """

    def __init__(self, store: Store, snapshot: str, base: str | None) -> None:
        self._store = store
        self._snapshot = snapshot
        self._base = base
        self._path = f"{store.partial}/{snapshot}"
        with writing(store.folder):
            self._fd = self._locked()
            try:
                data = _read(self._fd)
            except OSError:
                os.close(self._fd)
                raise
        self._head = _MAGIC + (bytes.fromhex(base) if base else _NO_BASE)
        self._begun = data[:_HEAD] == self._head
        if not self._begun:
            data = self._head  # of another base, and so in another order, or damaged
        self._ids = bytearray(data[_HEAD : len(data) - (len(data) - _HEAD) % 32])
        self._saved = self.count
        self.at = 0

    def _locked(self) -> int:
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                raise SnapshotError(
                    f"The snapshot {self._snapshot} is being received already. Nothing was "
                    "changed. Wait for that transfer to end."
                ) from None
            # between its opening and its locking the transfer may have been completed
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)

    @property
    def count(self) -> int:
        """The number of objects that are known to have arrived, in this transfer or before."""
        return len(self._ids) // 32

    def limit(self, has: Callable[[bytes], bool]) -> None:
        """Forget what arrived from the first object on that the store does not have."""
        for at in range(self.count):
            if not has(bytes(self._ids[32 * at : 32 * at + 32])):
                self.forget_from(at)
                return

    def skip(self, count: int, digest: str) -> bool:
        """Go on behind ``count`` objects; False if these are not the ones that arrived."""
        if count > self.count or self.digest(count) != digest:
            return False
        self.at = count
        return True

    def arrived(self, digest: bytes) -> None:
        """Note the next object."""
        start = 32 * self.at
        if self._ids[start : start + 32] != digest:
            self.forget_from(self.at)
            self._ids += digest
        self.at += 1

    def unsaved(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, id) of the objects that were noted since they were last saved."""
        for at in range(self._saved, self.count):
            yield at, bytes(self._ids[32 * at : 32 * at + 32])

    def forget_from(self, at: int) -> None:
        """Forget the objects from this number on."""
        del self._ids[32 * at :]
        self._saved = min(self._saved, at)
        self.at = min(self.at, at)

    def save(self) -> None:
        """Write down what arrived, durably. The objects are durable and cannot be dropped now."""
        offset = _HEAD + 32 * self._saved
        data = bytes(self._ids[32 * self._saved :])
        if not self._begun:
            offset, data = 0, self._head + data
        with writing(self._store.folder):
            os.ftruncate(self._fd, offset)
            while data:
                count = os.pwrite(self._fd, data, offset)
                data, offset = data[count:], offset + count
            os.fsync(self._fd)
            if not self._begun:
                fsync_folder(self._store.partial)
        self._begun = True
        self._saved = self.count

    def digest(self, count: int) -> str:
        """Return the BLAKE3 of the ids of the first ``count`` objects."""
        return blake3(memoryview(self._ids)[: 32 * count]).hexdigest()

    def token(self) -> str:
        """Return what lets the sender go on behind what was saved; "" if nothing was."""
        if not self._saved:
            return ""
        return str(Token(self._snapshot, self._base, self._saved, self.digest(self._saved)))

    def remove(self) -> None:
        """Remove the record: the snapshot is there, or will never be."""
        with contextlib.suppress(OSError):  # else gc does it
            os.unlink(self._path)

    def close(self) -> None:
        """Let go of the record; one of a transfer of which nothing arrived is removed."""
        if not self._saved and os.fstat(self._fd).st_nlink:
            self.remove()
        os.close(self._fd)


def tokens(store: Store, has: Callable[[bytes], bool]) -> dict[str, str]:
    """Return a token for each transfer that was cut and not completed since."""
    found: dict[str, str] = {}
    for snapshot in _names(store):
        if store.has_snapshot(snapshot):
            continue
        data = _content(store, snapshot)
        ids = data[_HEAD:]
        count = next(
            (at for at in range(len(ids) // 32) if not has(ids[32 * at : 32 * at + 32])),
            len(ids) // 32,
        )
        if count:
            base = data[len(_MAGIC) : _HEAD]
            digest = blake3(ids[: 32 * count]).hexdigest()
            known = None if base == _NO_BASE else base.hex()
            found[snapshot] = str(Token(snapshot, known, count, digest))
    return found


def protected(store: Store) -> Iterator[bytes]:
    """Yield the ids of objects of transfers that may still go on."""
    for snapshot in _names(store):
        ids = _content(store, snapshot)[_HEAD:]
        for start in range(0, len(ids) - 31, 32):
            yield ids[start : start + 32]


def remove_stale(store: Store) -> None:
    """Remove the records of transfers that are complete, or were cut long ago."""
    for snapshot in _names(store):
        path = f"{store.partial}/{snapshot}"
        with contextlib.suppress(OSError):  # under way, or gone
            if time.time() - os.stat(path).st_mtime <= MAX_AGE and not store.has_snapshot(snapshot):
                continue
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(fd)


def _names(store: Store) -> list[str]:
    try:
        return sorted(filter(is_snapshot_id, os.listdir(store.partial)))
    except FileNotFoundError:
        return []


def _content(store: Store, snapshot: str) -> bytes:
    """Return a record; nothing if it is gone, or none."""
    try:
        with open(f"{store.partial}/{snapshot}", "rb") as file:
            data = file.read()
    except OSError:
        return b""
    return data if data.startswith(_MAGIC) and len(data) >= _HEAD else b""


def _read(fd: int) -> bytes:
    with open(os.dup(fd), "rb") as file:
        return file.read()
