# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Capturing live files by sharing their blocks, as far as the file system can.

A file's whole blocks are shared, the bytes behind the last of them are copied: sharing a block that
is not full makes the file system read and write one. The copies of many small files are together.
All files of a snapshot go into one file, so that only one has to be synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import struct
from array import array
from operator import attrgetter

from blake3 import blake3

from .capture import Clock, Fingerprint, Taken, fingerprint, is_settled
from .captures import BLOCK, FOOTER, KEY, PART, RANGE, TABLE_MAGIC, folder_of
from .store import Store, fsync_folder, writing

BUDGET = 2 << 20
"""Bytes of small files that a snapshot reads itself, so that a small change is hashed at once."""
PER_FILE = 16 << 10
"""What reading a file costs beside its bytes, in bytes."""

_CLONE_RANGE = 0x4020940D
_CLONE = struct.Struct("<qQQQ")
"""``struct file_clone_range``: see ioctl_ficlonerange(2)."""
_REFUSALS = (errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV)
_JUST_NOW = 1_000_000_000
"""Nanoseconds; a file with a time beyond that was not written now, its times are wrong."""
_LARGEST_UNIT = 1 << 21
_TAILS = 1 << 18
"""Room that is kept for the ends of small files at a time."""


_inode = attrgetter("st_dev", "st_ino")


class CaptureWriter:
    """The capture of one snapshot in the making. Used by one thread.

    Parameters
    ----------
    refused
        Numbers of the file systems that share no blocks with the store; more are added here.
    """

    def __init__(self, store: Store, clock: Clock, refused: set[int]) -> None:
        self._store = store
        self._clock = clock
        self._refused = refused
        self._left = BUDGET
        self._id = b""
        self._path = ""
        self._fd = -1
        self._end = 0
        self._ranges = array("Q")
        self._tails: list[bytes] = []
        self._tails_at = self._tails_end = self._tails_limit = 0
        self._last: os.stat_result | None = None
        self._linked: dict[tuple[int, int], tuple[Fingerprint, Taken]] = {}

    def take(self, fd: int, status: os.stat_result) -> Taken | None:
        """Capture an open file; return what was captured, or None if it is to be read as usual.

        Unless it is steady, the caller has to look whether the file stood still. A file whose
        times do not vouch for it would have another key each time, so it is read; but not a large
        one that is being written just now.
        """
        size, unit = status.st_size, status.st_blksize
        if unit < BLOCK or unit > _LARGEST_UNIT or unit & (unit - 1):
            unit = BLOCK
        if status.st_dev in self._refused or size < unit:
            return None
        now = self._clock.now()
        last, self._last = self._last, status
        # the caller comes again with a file that did not stand still
        moved = last is not None and (
            _inode(last) == _inode(status) and fingerprint(last) != fingerprint(status)
        )
        steady = moved or not is_settled(status, now)
        if steady and (size <= BUDGET or status.st_mtime_ns > now + _JUST_NOW):
            return None
        if size <= BUDGET and self._left > 0:
            self._left -= size + PER_FILE
            return None
        if status.st_nlink > 1 and _inode(status) in self._linked:
            seen, known = self._linked[_inode(status)]
            if seen == fingerprint(status):
                return known
        try:
            place = self._clone_all(fd, size) if steady else self._clone(fd, size, unit)
        except OSError as error:
            # it can be read at any rate; single files may be refused for reasons of their own
            if error.errno in _REFUSALS:
                self._refused.add(status.st_dev)
            self._cut()
            return None
        if place is None:
            return None
        where, tail, size = place
        self._ranges.extend(place)
        taken = Taken(KEY.pack(self._id, where, tail), size, steady)
        if status.st_nlink > 1:
            self._linked[_inode(status)] = (fingerprint(status), taken)
        return taken

    def _start(self) -> None:
        if self._fd < 0:
            with writing(self._store.folder):
                self._path, self._fd = self._store.temporary()
            self._id = secrets.token_bytes(16)

    def _clone_all(self, fd: int, least: int) -> tuple[int, int, int] | None:
        """Share all of a file as it is at this moment; return where, tail and size of it.

        None if that is less than its size was: it shrank, or it is on OpenZFS 2.2.0 to 2.2.2, which
        leave out without a word what is not on disk yet.
        """
        self._start()
        at = _aligned(self._end, _LARGEST_UNIT)
        fcntl.ioctl(self._fd, _CLONE_RANGE, _CLONE.pack(fd, 0, 0, at))
        size = os.fstat(self._fd).st_size - at
        if size < least:
            self._cut()
            return None
        self._end = at + size
        return at, 0, size

    def _clone(self, fd: int, size: int, unit: int) -> tuple[int, int, int] | None:
        """Share a file's whole blocks and copy the rest; return where, tail and size of it.

        None if it shrank.
        """
        self._start()
        shared = size - size % unit
        rest = size - shared
        apart = rest and size <= PART
        if apart and self._tails_end + rest > self._tails_limit:
            self._write_tails()
            self._tails_at = self._tails_end = _aligned(self._end, BLOCK)
            self._tails_limit = self._end = self._tails_at + max(_TAILS, unit)
        at = _aligned(self._end, unit)
        fcntl.ioctl(self._fd, _CLONE_RANGE, _CLONE.pack(fd, 0, shared, at))
        self._end = at + shared
        tail = os.pread(fd, rest, shared)
        if len(tail) != rest:
            return None
        place = 0
        if apart:
            place = self._tails_end
            self._tails.append(tail)
            self._tails_end += rest
        elif rest:
            place = self._end
            self._end = _aligned(at + size, BLOCK)
            # a full block, so that what comes behind it finds nothing to fill up with zeros
            self._write(tail.ljust(self._end - place, b"\0"), place)
        return at + unit.bit_length() - 1, place, size

    def _cut(self) -> None:
        """Drop the blocks of a file that could be shared in part only.

        So it is on ZFS where the rest is not on disk yet. What is left would be taken for the end
        of the next file that is shared as a whole, or hide the table.
        """
        if self._fd >= 0 and os.fstat(self._fd).st_size > self._end:
            os.ftruncate(self._fd, self._end)

    def _write_tails(self) -> None:
        self._write(b"".join(self._tails), self._tails_at)
        self._tails = []

    def _write(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        with writing(self._store.folder):
            while view:
                count = os.pwrite(self._fd, view, at)
                view, at = view[count:], at + count

    def publish(self) -> None:
        """Make what was captured durable; a snapshot that has keys of it may follow."""
        if not self._ranges:
            self.abort()
            return
        self._write_tails()
        at = _aligned(self._end, BLOCK)
        count = len(self._ranges) // 3
        values = iter(self._ranges)
        table = b"".join([RANGE.pack(*entry) for entry in zip(values, values, values, strict=True)])
        hasher = blake3(table)
        hasher.update(struct.pack("<Q16sQ", at, self._id, count))
        self._write(table + FOOTER.pack(at, self._id, count, hasher.digest(), TABLE_MAGIC), at)
        folder = folder_of(self._store)
        with writing(self._store.folder):
            self._store.make_part(folder)
            os.fsync(self._fd)
            os.rename(self._path, f"{folder}/{self._id.hex()}.cap")
            fsync_folder(folder)
        os.close(self._fd)
        self._fd = -1

    def abort(self) -> None:
        """Drop what was captured; harmless after :meth:`publish`."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        with contextlib.suppress(OSError):  # it is a leftover then, which gc removes
            os.unlink(self._path)


def _aligned(offset: int, unit: int) -> int:
    return -(-offset // unit) * unit
