# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading one live file so that what is kept is a state that the file really had."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from operator import attrgetter
from typing import BinaryIO, NamedTuple, Protocol

from dotscience_jupyter.snapshots.engine import SnapshotError

from . import objects
from .database import Session
from .packs import hash_bytes
from .pipeline import Listed, Pipeline

CHUNK = 1 << 20
"""The most bytes of a chunk; a file of at most this size is one object."""

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
    digest: bytes  # of the content; where ``captured``, the key of the copy that was taken
    list_id: bytes
    captured: bool = False

    @property
    def group(self) -> int:
        """The number that all names of a file with several names share; 0 for one name."""
        return self.stat.st_ino if self.stat.st_nlink > 1 else 0

    def encode(self, name: str) -> bytes:
        """Return the entry for a folder object."""
        return objects.encode_file(
            name,
            stat.S_IMODE(self.stat.st_mode),
            self.stat.st_mtime_ns,
            self.size,
            self.digest,
            self.list_id,
            self.group,
            self.captured,
        )


class Taken(NamedTuple):
    """A copy that was taken of a file at once."""

    key: bytes
    size: int
    steady: bool  # it is what the file was at one moment, whoever writes to the file


class Captures(Protocol):
    """Keeps a file's content at once without reading it, where the file system can."""

    def take(self, fd: int, status: os.stat_result) -> Taken | None:
        """Copy an open file; return the copy, or None: then it is read as usual."""


def is_settled(status: os.stat_result, now_ns: int) -> bool:
    """Whether a file read at ``now_ns`` cannot have changed since without its times telling.

    A file that was written just before it was read may be written again within the same tick of
    the clock that stamps it; Git calls such an entry racy. A ctime without fractions of a
    millisecond shows a file system with a coarse clock. A time in the future is never settled.
    """
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    return newest < now_ns - (_TICK_NS if status.st_ctime_ns % 1_000_000 else _COARSE_NS)


def wait_for_writers(fd: int) -> None:
    """Let system calls that write to a file just now come to their end.

    A write changes the file's times when it begins. One that takes longer than the clock ticks
    would be taken for one that is over, and half of it would be read. Looking for a hole takes the
    lock that writes hold on ext4, btrfs and tmpfs; on XFS reading itself takes it.
    """
    try:  # noqa: SIM105  # this runs for every file
        os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError:
        pass


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
        self,
        clock: Clock,
        session: Session | None,
        on_read: Callable[[int], None] | None = None,
        captures: Captures | None = None,
    ) -> None:
        self._clock = clock
        self._session = session
        self._on_read = on_read
        self._captures = captures
        self._pipeline: Pipeline | None = None

    def close(self) -> None:
        """End the threads."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

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
                wait_for_writers(fd)
                before = os.fstat(fd)
                if not stat.S_ISREG(before.st_mode):
                    raise OtherKindError
                if self._clock.wait_for_tick(before):
                    before = os.fstat(fd)
                start = self._clock.now()
                # what keeps growing is read in the end: that can tell what only grew
                if self._captures is not None and attempt < ATTEMPTS // 2:
                    taken = self._captures.take(fd, before)
                    if taken is not None:
                        if taken.steady or fingerprint(before) == fingerprint(os.fstat(fd)):
                            settled = is_settled(before, start)
                            return Captured(before, settled, taken.size, taken.key, b"", True)
                        continue
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

    def store_range(self, fd: int, offset: int, size: int) -> tuple[bytes, bytes]:
        """Store a part of an open file that does not change, as a file's content.

        Returns the digest and, if it is more than one object, the id of the list of chunks.

        Raises
        ------
        OSError
            If it cannot be read, or the file ends before.
        """
        found, digest, list_id, _ = self._part(fd, offset, size, -1)
        if found != size:
            raise OSError(errno.EIO, "The file is shorter than it should be")
        return digest, list_id

    def store_stream(self, source: BinaryIO) -> tuple[int, bytes, bytes]:
        """Store all that a stream still has, as a file's content; the stream may be of any length.

        Returns the size, the digest and, if it is more than one object, the id of the list of
        chunks: the same as of a file with these bytes.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        assert self._session is not None
        parts: list[bytes] = []
        left = CHUNK + 1
        while left and (part := source.read(left)):
            parts.append(part)
            left -= len(part)
        first = b"".join(parts)
        if left:
            digest = hash_bytes(first)
            if first:
                self._session.put(digest, first)
            return len(first), digest, b""
        if self._pipeline is None:
            self._pipeline = Pipeline(self._on_read)
        content = self._pipeline.run_stream(first, source, limit=CHUNK, session=self._session)
        return content.size, content.digest, store_lists(content.chunks, self._session)

    def _content(self, fd: int, size: int, mark: int) -> tuple[int, bytes, bytes, bytes]:
        """Read up to ``size`` bytes; return their number, digest, list, and digest at ``mark``."""
        return self._part(fd, 0, size, mark)

    def _part(self, fd: int, offset: int, size: int, mark: int) -> tuple[int, bytes, bytes, bytes]:
        if size > CHUNK:
            return self._large(fd, offset, size, mark)
        data = os.pread(fd, size, offset) if size else b""
        while len(data) < size:
            more = os.pread(fd, size - len(data), offset + len(data))
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

    def _large(self, fd: int, offset: int, size: int, mark: int) -> tuple[int, bytes, bytes, bytes]:
        if self._pipeline is None:
            self._pipeline = Pipeline(self._on_read)
        content = self._pipeline.run(
            fd, offset, size, limit=CHUNK, mark=mark, session=self._session
        )
        if content.size <= CHUNK:  # it shrank meanwhile, and is to be one object
            return self._part(fd, offset, content.size, mark)
        list_id = b"" if self._session is None else store_lists(content.chunks, self._session)
        return content.size, content.digest, list_id, content.at_mark


def store_lists(items: Listed, session: Session) -> bytes:
    """Add what lists a file's chunks to a session; return the id of the uppermost list."""
    level = 0
    while True:
        lists = objects.encode_lists(items, level)
        items = []
        for data, length in lists:
            digest = hash_bytes(data)
            session.put(digest, data)
            items.append((digest, length))
        if len(items) == 1:
            return items[0][0]
        level += 1


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
