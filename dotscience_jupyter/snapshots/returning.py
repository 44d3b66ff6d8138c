# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""When, and in which order, snapshots were returned, told so that a clock that is set is no matter.

The clock of a computer may be set, by a day or by years, in either direction. Two things must not
hang on it: which of two snapshots is the older one, and whether one was returned so lately that
whoever asked for it may still be about to record it. So the file that stands for a snapshot has,
beside its mtime, an extended attribute with

- which start of the system this is, and the seconds that it had been awake then;
- a number that is the time of day, or one more than the last number where that is not later.

Where the file system or the operating system has no such attributes, and after a restart, the
mtime is all there is.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time

_RETURNED = "user.dotscience.returned"
_NEWEST = "user.dotscience.newest"
_BOOT = "/proc/sys/kernel/random/boot_id"
_UNKNOWN = "-"


def note(path: str) -> None:
    """Note at a file that what it stands for is returned now; what cannot be noted is left out."""
    if sys.platform != "linux":
        return
    folder = os.path.dirname(path)
    number = time.time_ns()
    with contextlib.suppress(OSError, ValueError):
        number = max(number, int(os.getxattr(folder, _NEWEST)) + 1)
    with contextlib.suppress(OSError):
        os.setxattr(path, _RETURNED, f"{_boot()} {time.monotonic()} {number}".encode())
        os.setxattr(folder, _NEWEST, str(number).encode("utf-8"))


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


def _noted(path: str) -> tuple[str, float, int]:
    """Return the start of the system, the seconds it had been awake, and the number."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            boot, awake, number = os.getxattr(path, _RETURNED).decode("utf-8", "replace").split()
            return boot, float(awake), int(number)
    return "", 0.0, 0


@functools.cache
def _boot() -> str:
    """Return what tells this start of the system from others."""
    try:
        with open(_BOOT, encoding="utf-8") as file:
            return file.read().strip() or _UNKNOWN
    except OSError:
        return _UNKNOWN
