# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What ``zfs diff`` says of two snapshots of one dataset.

It compares block pointers, so it takes as long as there are changes, however large the dataset is.
Of a file with several names it knows one only, so then it is not relied on.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading

from dotscience_jupyter.snapshots.native import Touched

from . import command
from .errors import ZfsError

_ESCAPE = re.compile(rb"\\0([0-7]{3})")
_FOLDER = b"/"
_ATTRIBUTES = b"<xattrdir>"  # the hidden folder of a file's extended attributes


class _CannotTellError(Exception):
    """The list does not say all that changed."""


def touched(
    old: str, new: str, point: str, places: tuple[str, str], limit: int, patience: float
) -> Touched | None:
    """Return the paths that may differ between two snapshots; None where that cannot be told.

    Parameters
    ----------
    old, new
        Names of snapshots of the same dataset, the earlier one first.
    point
        Where the dataset is mounted.
    places
        Where the trees of the two are.
    limit
        The most paths to tell; 0 for any number.
    patience
        Seconds after which it is given up; 0 for no end.
    """
    try:
        process = command.start("diff", "-FH", old, new, stdin=subprocess.DEVNULL)
    except ZfsError:
        return None
    timer = threading.Timer(patience, process.kill) if patience else None
    found: Touched = {}
    with process:
        if timer is not None:
            timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                _add(found, line.rstrip(b"\n"), os.fsencode(point), places)
                if limit and len(found) > limit:
                    raise _CannotTellError
            process.stdout.close()
            assert process.stderr is not None
            process.stderr.read()
            return found if process.wait() == 0 else None
        except _CannotTellError:
            return None
        finally:
            if timer is not None:
                timer.cancel()
            process.kill()


def _add(found: Touched, line: bytes, point: bytes, places: tuple[str, str]) -> None:
    fields = line.split(b"\t")
    if len(fields) < 3:
        raise _CannotTellError
    change, kind = fields[:2]
    renamed = change == b"R"
    if change not in (b"M", b"+", b"-", b"R") or (renamed and len(fields) < 4):
        raise _CannotTellError
    if _ATTRIBUTES in line:
        return
    old_place, new_place = places
    looks = [(fields[2], old_place if change in b"-R" else new_place)]
    if renamed:
        looks.append((fields[3], new_place))
    elif change == b"M":
        looks.append((fields[2], old_place))
    for raw, place in looks:
        path = _relative(raw, point)
        if kind != _FOLDER:
            _require_single(f"{place}/{path}")
        found[path] = found.get(path, False) or change != b"M"


def _relative(raw: bytes, point: bytes) -> str:
    """Return a printed path as a folder path."""
    path = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), raw)
    prefix = point.rstrip(b"/") + b"/"
    if path.rstrip(b"/") == point.rstrip(b"/"):
        return ""
    if not path.startswith(prefix):
        raise _CannotTellError
    return os.fsdecode(path[len(prefix) :].strip(b"/"))


def _require_single(path: str) -> None:
    """Raise unless there is such a file or link, with one name only."""
    try:
        status = os.lstat(path)
    except OSError:
        raise _CannotTellError from None
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        raise _CannotTellError
