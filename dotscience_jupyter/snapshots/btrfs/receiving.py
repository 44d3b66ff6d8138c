# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking in a snapshot: what arrives is kept until it is whole, then btrfs unpacks it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

from blake3 import blake3

from dotscience_jupyter.snapshots import staging
from dotscience_jupyter.snapshots.embedded.store import (
    Store,
    StoreWriteError,
    fsync_folder,
    writing,
)
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.stream import FrameReader, require_engine

from . import ioctls, sendstream
from .checking import find_tool
from .transfer import FORMAT, ID, Token

MAX_AGE = 7 * 86400.0
"""Seconds after which a transfer that was cut is given up, and gc drops what arrived."""

_PIECE = 1 << 20
_STEP = 1 << 26
_FILE = re.compile(rf"({ID})\.({ID})?\.stream")


class Receiver(Protocol):
    """What receiving needs of the engine."""

    def exists(self, snapshot: str) -> bool:
        """Whether a snapshot is there."""

    def arrived(self, snapshot: str, content: str) -> None:
        """Take notice of a snapshot that btrfs has received; prove its content id.

        Raise SnapshotError, and drop it, if it is not what was sent.
        """


class Header(NamedTuple):
    """What the sender says first."""

    snapshot: str
    base: str | None
    content: str
    resume: int
    before: str
    bytes: int

    @classmethod
    def read(cls, header: dict[str, Any]) -> Header:
        """Check a header that somebody sent. Raise SnapshotError if it is not right."""
        try:
            self = cls(*(header[name] for name in cls._fields))
        except KeyError:
            self = None
        if (
            self is None
            or not _is_id(self.snapshot)
            or not (self.base is None or _is_id(self.base))
            or not all(isinstance(text, str) for text in (self.content, self.before))
            or not re.fullmatch("([0-9a-f]{64})?", self.content)
            or not all(
                type(number) is int and 0 <= number < 1 << 62
                for number in (self.resume, self.bytes)
            )
        ):
            raise SnapshotError("The stream's header is not right. Nothing was changed.")
        return self


class _Spool:
    """The file with what has arrived of one stream, locked against others that receive it."""

    def __init__(self, store: Store, header: Header) -> None:
        self._store = store
        self._header = header
        self.path = f"{store.partial}/{header.snapshot}.{header.base or ''}.stream"
        self._hasher = blake3()
        self._length = 0
        with writing(store.folder):
            lock = _lock(store, header.snapshot)
            if lock is None:
                raise SnapshotError(
                    f"The snapshot {header.snapshot} is being received already. Nothing was "
                    "changed. Wait for that transfer to end."
                )
            self._lock = lock
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def go_on(self) -> bool:
        """Make ready to write behind what the sender left out; False if that is not here."""
        hasher, length = _hash(self._fd, self._header.resume)
        if length < self._header.resume or hasher.hexdigest() != self._header.before:
            return False
        self._hasher, self._length = hasher, length
        with writing(self._store.folder):
            os.ftruncate(self._fd, length)
            os.lseek(self._fd, length, os.SEEK_SET)
        return True

    def write(self, data: bytes) -> None:
        """Keep what arrived."""
        with writing(self._store.folder):
            view = memoryview(data)
            while view:
                count = os.write(self._fd, view)
                self._hasher.update(view[:count])
                self._length += count
                view = view[count:]

    @property
    def length(self) -> int:
        """The bytes that arrived."""
        return self._length

    def sync(self) -> None:
        """Make what arrived durable."""
        with writing(self._store.folder):
            os.fsync(self._fd)
            fsync_folder(self._store.partial)

    def token(self) -> str:
        """Return what lets the sender go on; "" if nothing arrived."""
        if not self._length:
            return ""
        header = self._header
        token = Token(header.snapshot, header.base, self._length, self._hasher.hexdigest())
        return str(token)

    def kept(self) -> str:
        """Return a token for what is here of an earlier transfer."""
        self._hasher, self._length = _hash(self._fd)
        return self.token()

    def remove(self) -> None:
        """Remove the file: the snapshot is there, or will never be."""
        self._length = 0
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def close(self) -> None:
        """Let go of the file; if nothing arrived it is removed."""
        if not self._length:
            self.remove()
        os.close(self._fd)
        _unlock(self._store, self._header.snapshot, self._lock)


def _lock(store: Store, snapshot: str) -> int | None:
    """Lock what arrives of a snapshot, whatever its base; None if somebody else has."""
    path = f"{store.partial}/{snapshot}.lock"
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        # between its opening and its locking whoever had it may have removed it
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)


def _unlock(store: Store, snapshot: str, lock: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(f"{store.partial}/{snapshot}.lock")
    os.close(lock)


def _hash(fd: int, limit: int | None = None) -> tuple[blake3, int]:
    """Hash the beginning of a file; return the hasher and the number of bytes."""
    hasher = blake3()
    at = 0
    while limit is None or at < limit:
        count = _PIECE if limit is None else min(_PIECE, limit - at)
        data = os.pread(fd, count, at)
        if not data:
            break
        hasher.update(data)
        at += len(data)
    return hasher, at


def partial_tokens(store: Store, exists: Callable[[str], bool]) -> dict[str, str]:
    """Return a token for each transfer that was cut and not completed since."""
    found: dict[str, str] = {}
    for name in sorted(os.listdir(store.partial)):
        match = _FILE.fullmatch(name)
        if match is None or exists(match[1]):
            continue
        try:
            fd = os.open(f"{store.partial}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # completed just now
        try:
            hasher, length = _hash(fd)
        finally:
            os.close(fd)
        if length:
            found[match[1]] = str(Token(match[1], match[2] or None, length, hasher.hexdigest()))
    return found


def remove_stale(store: Store, exists: Callable[[str], bool]) -> None:
    """Remove what arrived of transfers that are complete, or were cut long ago."""
    for name in os.listdir(store.partial):
        match = _FILE.fullmatch(name)
        if match is None:
            continue
        path = f"{store.partial}/{name}"
        with contextlib.suppress(OSError):
            if time.time() - os.stat(path).st_mtime <= MAX_AGE and not exists(match[1]):
                continue
            lock = _lock(store, match[1])
            if lock is not None:
                os.unlink(path)
                _unlock(store, match[1], lock)


class Receiving:
    """One transfer into a store.

    Parameters
    ----------
    place
        The folder that received subvolumes are made in.
    """

    def __init__(
        self, engine: Receiver, store: Store, place: str, progress: Progress | None
    ) -> None:
        self._engine = engine
        self._store = store
        self._place = place
        self._progress = progress

    def run(self, source: BinaryIO) -> str:
        """Take in a snapshot and return its id; see :meth:`Engine.receive`."""
        reader = FrameReader(source)
        require_engine(reader.header, "btrfs", FORMAT)
        header = Header.read(reader.header)
        if self._engine.exists(header.snapshot):
            self._engine.arrived(header.snapshot, "")
            with contextlib.suppress(TransferError):
                while reader.read(_PIECE):
                    pass  # let the sender come to its end
            return header.snapshot
        if header.base is not None and not self._engine.exists(header.base):
            raise SnapshotError(
                f"What was sent is only what is new since the snapshot {header.base}, which is not "
                "here. Nothing was changed. Receive that one first, or send all of it."
            )
        spool = _Spool(self._store, header)
        try:
            self._take(reader, header, spool)
            self._hand_over(header, spool)
        finally:
            spool.close()
        return header.snapshot

    def _take(self, reader: FrameReader, header: Header, spool: _Spool) -> None:
        if not spool.go_on():
            raise TransferError(
                "What was sent goes on where another transfer ended than the one that is kept "
                "here. Nothing was changed. Send it again with the token from here.",
                spool.kept(),
            )
        synced = spool.length
        try:
            while data := reader.read(_PIECE):
                spool.write(data)
                if spool.length - synced >= _STEP:
                    spool.sync()
                    synced = spool.length
                if self._progress is not None:
                    total = max(spool.length, header.bytes)
                    self._progress(spool.length, total, "Receiving")
            spool.sync()
        except (TransferError, StoreWriteError) as error:
            with contextlib.suppress(SnapshotError):
                spool.sync()
            token = spool.token()
            kept = " What arrived is kept here, and the transfer can go on behind it."
            raise TransferError(f"{error}{kept if token else ''}", token) from error

    def _hand_over(self, header: Header, spool: _Spool) -> None:
        """Have btrfs make the subvolume of a stream that is whole."""
        if self._progress is not None:
            self._progress(spool.length, max(spool.length, header.bytes), "Unpacking")
        try:
            name = _name_in(spool.path, header.snapshot)
            with writing(self._store.folder), unpacking(self._place):
                _remove_leftover(self._place, name)
                _unpack(spool.path, self._place, name)
                self._engine.arrived(header.snapshot, header.content)
        except CorruptStoreError as error:
            spool.remove()
            raise SnapshotError(
                f"The snapshot {header.snapshot} was not received, because it is not right: "
                f"{error} Earlier snapshots are untouched. Have it verified where it was sent "
                "from, then send all of it again."
            ) from error
        spool.remove()


@contextlib.contextmanager
def unpacking(place: str, *, alone: bool = False) -> Iterator[bool]:
    """Keep what is being unpacked from being taken for a leftover.

    With ``alone`` this is for who removes leftovers, and False says that something is unpacked.
    """
    fd = os.open(f"{place}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def _name_in(path: str, snapshot: str) -> str:
    """Return the name of the subvolume that a stream makes, if it is the right one."""
    with open(path, "rb") as stream:
        first = next(sendstream.commands(stream))
    name = first.path()
    own = first.attributes.get(sendstream.UUID, b"")
    if first.number not in (sendstream.SUBVOLUME, sendstream.SNAPSHOT) or len(own) != 16:
        raise CorruptStoreError("The stream does not begin with a subvolume.")
    if f"btrfs-{uuid.UUID(bytes=own)}" != snapshot:
        raise CorruptStoreError("The stream is that of another snapshot.")
    if not name or "/" in name or name.startswith("."):
        raise CorruptStoreError("The stream's subvolume has a name that it cannot have.")
    return name


def _remove_leftover(place: str, name: str) -> None:
    """Remove what a killed process left of a subvolume that was being received."""
    path = f"{place}/{name}"
    if not os.path.lexists(path):
        return
    if ioctls.info(path).read_only:
        raise SnapshotError(
            f"There is another snapshot in {path} already. Nothing was changed. Rename the "
            "snapshot where it is sent from."
        )
    destroy(path)


def remove_leftovers(place: str) -> None:
    """Remove all that killed processes left of subvolumes that were being received."""
    with unpacking(place, alone=True) as alone:
        if not alone:
            return
        for name in os.listdir(place):
            path = f"{place}/{name}"
            if ioctls.is_subvolume(path) and not ioctls.info(path).read_only:
                destroy(path)


def destroy(place: str) -> None:
    """Drop a subvolume; one file after the other where this program may not do it at once."""
    folder, name = os.path.split(place)
    try:
        ioctls.destroy(folder, name)
    except FileNotFoundError:
        return
    except PermissionError:
        ioctls.make_writable(place)
        staging.remove(place)
        if os.path.lexists(place):
            raise


def _unpack(path: str, place: str, name: str) -> None:
    tool = find_tool()
    if tool is None:
        raise SnapshotError(
            "The snapshot was not received: the command 'btrfs' cannot be found. What arrived is "
            "kept here. Install btrfs-progs, then receive it again."
        )
    done = subprocess.run([tool, "receive", "-f", path, place], capture_output=True, check=False)
    if done.returncode:
        with contextlib.suppress(OSError, SnapshotError):
            _remove_leftover(place, name)
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise SnapshotError(
            f"The snapshot was not received. btrfs says: {said or done.returncode}. Earlier "
            "snapshots are untouched, and what arrived is kept here. Receive it again when that "
            "is mended; it takes root, and room for as much as is sent."
        )


def _is_id(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(ID, text) is not None
