# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading one live file so that what is kept is a state that the file really had."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from typing import NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import SnapshotError

from . import objects
from .database import Session
from .packs import compress, hash_bytes

CHUNK = 1 << 20
"""Bytes in a chunk of a large file; a file of at most this size is one object."""

ATTEMPTS = 4

Fingerprint = tuple[int, int, int, int, int]
"""Mode, size, mtime, ctime (nanoseconds) and inode of a file."""

fingerprint = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")

_TICK_NS = 20_000_000
"""Kernels stamp files by a clock that ticks every 1 to 10 ms: two writes can look like one."""
_COARSE_NS = 2_500_000_000
"""The same for file systems whose times have steps of up to two seconds."""
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotCapturedError(Exception):
    """A file could not be read in a consistent state; the message is the reason for the user."""


class OtherKindError(Exception):
    """What was a regular file a moment ago is something else now."""


class Captured(NamedTuple):
    """What was read of a file."""

    stat: os.stat_result
    settled: bool  # its fingerprint vouches for its content from now on
    size: int
    digest: bytes
    list_id: bytes

    def encode(self, name: str) -> bytes:
        """Return the entry for a folder object."""
        return objects.encode_file(
            name,
            stat.S_IMODE(self.stat.st_mode),
            self.stat.st_mtime_ns,
            self.size,
            self.digest,
            self.list_id,
        )


def is_settled(status: os.stat_result, now_ns: int) -> bool:
    """Whether a file read at ``now_ns`` cannot have changed since without its times telling.

    A file that was written just before it was read may be written again within the same tick of
    the clock that stamps it; Git calls such an entry racy. A ctime without fractions of a
    millisecond shows a file system with a coarse clock. A time in the future is never settled.
    """
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    return newest < now_ns - (_TICK_NS if status.st_ctime_ns % 1_000_000 else _COARSE_NS)


class Clock:
    """The time as the file system stamps it, which over a network is not ours.

    Parameters
    ----------
    probe
        A file of the same file system that may be touched, to read its clock.
    device
        The file system's number; where the probe is elsewhere, its clock may be seconds off.
    """

    def __init__(self, probe: str, device: int) -> None:
        self._behind = _COARSE_NS
        self._patience_ns = 250_000_000
        try:
            os.utime(probe)
            status = os.stat(probe)
        except OSError:
            return
        if status.st_dev == device:
            self._behind = max(0, time.time_ns() - status.st_ctime_ns)

    def now(self) -> int:
        """Return nanoseconds since the epoch, rather too few than too many."""
        return time.time_ns() - self._behind

    def wait_for_tick(self, status: os.stat_result) -> bool:
        """Sleep until a file that was written just now is settled; True if it slept.

        A write from then on shows in the file's times, so it is noticed while the file is read,
        and the file need not be read again. The time for this is limited for each walk.
        """
        left = max(status.st_mtime_ns, status.st_ctime_ns) + _TICK_NS - self.now() + 1_000_000
        if not 0 < left <= 2 * _TICK_NS or left > self._patience_ns:
            return False
        time.sleep(left / 1e9)
        self._patience_ns -= left
        return True


class Capture:
    """Reads files and adds their chunks to a session; without a session it only hashes."""

    def __init__(
        self, clock: Clock, session: Session | None, on_read: Callable[[int], None] | None = None
    ) -> None:
        self._clock = clock
        self._session = session
        self._on_read = on_read
        self._pool: ThreadPoolExecutor | None = None
        self._hasher: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """End the threads."""
        for pool in (self._pool, self._hasher):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._hasher = None

    def read(self, name: str, dir_fd: int | None) -> Captured:
        """Read a file in a state that it really had.

        A file whose times or size moved while it was read is read again. Where it keeps growing,
        its first bytes are taken as of the moment when they were first seen, once two readings of
        them were equal.

        Raises
        ------
        FileNotFoundError
            If it vanished.
        OtherKindError
            If it is no regular file any more.
        NotCapturedError
            If it cannot be read, or did not stand still.
        """
        last: Captured | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.01 * 2**attempt)
            try:
                fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
            except OSError as error:
                raise _translate(error) from None
            try:
                before = os.fstat(fd)
                if not stat.S_ISREG(before.st_mode):
                    raise OtherKindError
                if self._clock.wait_for_tick(before):
                    before = os.fstat(fd)
                start = self._clock.now()
                mark = last.size if last is not None else -1
                size, digest, list_id, at_mark = self._content(fd, before.st_size, mark)
                after = os.fstat(fd)
            except OSError as error:
                raise _translate(error) from None
            finally:
                os.close(fd)
            # reading moves atime only, so equal fingerprints mean that nobody wrote
            if size == before.st_size and fingerprint(before) == fingerprint(after):
                return Captured(before, is_settled(before, start), size, digest, list_id)
            if last is not None and at_mark == last.digest:
                return last
            last = Captured(before, False, size, digest, list_id)
        raise NotCapturedError("it was being written all the time, so no consistent state was read")

    def _content(self, fd: int, size: int, mark: int) -> tuple[int, bytes, bytes, bytes]:
        """Read up to ``size`` bytes; return their number, digest, list, and digest at ``mark``."""
        if size <= CHUNK:
            data = os.read(fd, size) if size else b""
            while len(data) < size:
                more = os.read(fd, size - len(data))
                if not more:
                    break
                data += more
            digest = hash_bytes(data)
            if self._session is not None and data:
                self._session.put(digest, data)
            at_mark = b""
            if 0 <= mark <= len(data):
                at_mark = digest if mark == len(data) else hash_bytes(data[:mark])
            return len(data), digest, b"", at_mark
        return self._large(fd, size, mark)

    def _large(self, fd: int, size: int, mark: int) -> tuple[int, bytes, bytes, bytes]:
        """Like _content; hashes and compresses in threads while this one reads and writes."""
        if self._pool is None or self._hasher is None:
            self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "dotscience-chunk")
            self._hasher = ThreadPoolExecutor(1, "dotscience-hash")
        whole = _Whole(mark)
        chunks: list[tuple[bytes, int]] = []
        flight: deque[tuple[bytes, Future[None], Future[_Encoded] | None]] = deque()

        def land() -> None:
            data, hashed, encoded = flight.popleft()
            hashed.result()
            if encoded is None:
                return
            digest, codec, stored, length = encoded.result()
            chunks.append((digest, length))
            session = self._session
            if session is not None and not session.has(digest):
                session.append(digest, codec, stored or data, length)

        total = 0
        try:
            for data in _blocks(fd, size):
                total += len(data)
                if self._on_read is not None:
                    self._on_read(len(data))
                hashed = self._hasher.submit(whole.update, data)
                encoded = None
                if self._session is not None:
                    encoded = self._pool.submit(_encode, data, self._session)
                flight.append((data, hashed, encoded))
                if len(flight) >= 8:
                    land()
            while flight:
                land()
        finally:
            for _, hashed, encoded in flight:
                hashed.cancel()
                if encoded is not None:
                    encoded.cancel()
        digest = whole.hasher.digest()
        if self._session is None:
            return total, digest, b"", whole.at_mark
        if total <= CHUNK:  # it shrank meanwhile, and is one object now
            return total, digest, b"", whole.at_mark
        return total, digest, self._store_lists(chunks), whole.at_mark

    def _store_lists(self, items: list[tuple[bytes, int]]) -> bytes:
        assert self._session is not None
        level = 0
        while True:
            lists = objects.encode_lists(items, level)
            items = []
            for data, length in lists:
                digest = hash_bytes(data)
                self._session.put(digest, data)
                items.append((digest, length))
            if len(items) == 1:
                return items[0][0]
            level += 1


_Encoded = tuple[bytes, int, bytes, int]


class _Whole:
    """The digest of a whole file, and of its first ``mark`` bytes on the way."""

    def __init__(self, mark: int) -> None:
        self.hasher = blake3()
        self.at_mark = self.hasher.digest() if mark == 0 else b""
        self._left = mark

    def update(self, data: bytes) -> None:
        if 0 < self._left <= len(data):
            self.hasher.update(data[: self._left])
            self.at_mark = self.hasher.digest()
            data = data[self._left :]
            self._left = 0
        elif self._left > 0:
            self._left -= len(data)
        self.hasher.update(data)


def _encode(data: bytes, session: Session) -> _Encoded:
    """Return id, codec, stored form (empty: the data, or not needed) and length of a chunk."""
    digest = hash_bytes(data)
    if session.has(digest):
        return digest, 0, b"", len(data)
    codec, stored = compress(data)
    return digest, codec, stored, len(data)


def _blocks(fd: int, size: int) -> Iterator[bytes]:
    """Yield chunks of a file, up to ``size`` bytes."""
    while size > 0:
        data = os.read(fd, min(CHUNK, size))
        while len(data) < min(CHUNK, size):
            more = os.read(fd, min(CHUNK, size) - len(data))
            if not more:
                break
            data += more
        if not data:
            return
        yield data
        if len(data) < CHUNK:
            return
        size -= len(data)


def _translate(error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ESTALE):
        return FileNotFoundError(error.errno, error.strerror)
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.ENODEV):
        return OtherKindError()
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return SnapshotError(
            f"The folder could not be read: {error.strerror}. Nothing was frozen, and nothing is "
            "lost. Close other programs or raise the limit (ulimit -n), then try again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotCapturedError("this program may not read it")
    return NotCapturedError(f"it cannot be read: {error.strerror or error}")
