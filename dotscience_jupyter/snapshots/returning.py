# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""When, and in which order, snapshots were returned, told so that a clock that is set is no matter.

The clock of a computer may be set, by a day or by years, in either direction. Two things must not
hang on it: which of two snapshots is the older one, and whether one was returned so lately that
whoever asked for it may still be about to record it. So the file that stands for a snapshot has,
beside its mtime, a line with

- which start of the system this is, and the seconds that it had been awake then;
- a number that is the time of day, or one more than the last number where that is not later;
- a checksum, so that a line of which a part was written is none.

The last number is in a file of its own, in such a line. Where there is no line (the disk was full,
an earlier version made the file) and after a restart, the mtime is all there is. It is no extended
attribute because ZFS keeps each in hidden files, of which its estimates of streams do not know.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import zlib

_BOOT = "/proc/sys/kernel/random/boot_id"
_UNKNOWN = b"-"
_WIDTH = 36 + 1 + 17 + 1 + 20 + 1 + 8 + 1
_WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
"""A link that others put there never leads what is written elsewhere."""


def note(path: str, newest: str) -> bool:
    """Note at a file that what it stands for is returned now.

    Its mtime becomes what the clock says. Nothing is synced, and a line that cannot be written is
    left out.

    Parameters
    ----------
    path
        The file, which is made if need be.
    newest
        The file with the last number of its store.

    Returns
    -------
    bool
        Whether the file is new.

    Raises
    ------
    OSError
        If it can neither be made nor be given an mtime, and is not merely someone else's.
    """
    now = time.time_ns()
    line = _line(max(now, _noted(newest)[2] + 1))
    try:
        fd, new = os.open(path, _WRITE), False
    except FileNotFoundError:
        fd, new = os.open(path, _WRITE | os.O_CREAT, 0o666), True
    except PermissionError:
        _touch(path, now)
        return False
    try:
        _put(fd, line)
        _touch(fd, now)
    finally:
        os.close(fd)
    with contextlib.suppress(OSError):
        fd = _open_newest(newest)
        try:
            _put(fd, line)
        finally:
            os.close(fd)
    return new


def age(path: str) -> float:
    """Return the seconds since what a file stands for was returned, rather too few than too many.

    Below 0 where the clock went back and nothing better is known; infinite where there is no file.
    """
    try:
        seconds = time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")
    boot, awake, _ = _noted(path)
    if boot and boot == _boot() != _UNKNOWN:
        seconds = min(seconds, max(0.0, time.monotonic() - awake))
    return seconds


def order(path: str, time_ns: int) -> int:
    """Return a number that is the greater the later something was returned.

    Parameters
    ----------
    path
        The file that stands for it, or one that is not there.
    time_ns
        What the clock said then.
    """
    return _noted(path)[2] or time_ns


def _touch(file: int | str, now: int) -> None:
    """Set a file's mtime as exactly as the clock has it, so that there is an order."""
    # someone else's file: writing to it has set it to the file system's time, and who may not do
    # that leaves gc to its owner, who sees the snapshot in their records
    with contextlib.suppress(PermissionError):
        os.utime(file, ns=(now, now))


def _line(number: int) -> bytes:
    """Return a line that says now, always of the same length, so that it is written over whole."""
    words = b"%-36b %017.6f %020d" % (_boot(), time.monotonic(), number)
    return b"%b %08x\n" % (words, zlib.crc32(words))


def _put(fd: int, line: bytes) -> None:
    """Write a line over the one before; where it cannot be written there is none."""
    with contextlib.suppress(OSError):
        if os.pwrite(fd, line, 0) == len(line):
            return
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)


def _open_newest(path: str) -> int:
    """Open the file with the last number; one that is another user's alone is made anew."""
    try:
        return os.open(path, _WRITE | os.O_CREAT, 0o666)
    except PermissionError:
        os.unlink(path)
        return os.open(path, _WRITE | os.O_CREAT, 0o666)


def _noted(path: str) -> tuple[bytes, float, int]:
    """Return the start of the system, the seconds it had been awake, and the number."""
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            words, _, checksum = os.read(fd, _WIDTH).rpartition(b" ")
        finally:
            os.close(fd)
        if int(checksum, 16) == zlib.crc32(words):
            boot, awake, number = words.split()
            return boot, float(awake), int(number)
    return b"", 0.0, 0


@functools.cache
def _boot() -> bytes:
    """Return what tells this start of the system from others."""
    try:
        with open(_BOOT, "rb") as file:
            return file.read(36).strip() or _UNKNOWN
    except OSError:
        return _UNKNOWN
