# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which blocks on disk files have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterator

from dotscience_jupyter.snapshots.native.tree import FILE_FLAGS

from . import ioctls

_PIECE = 1 << 20


def same_content(old_fd: int, new_fd: int, size: int) -> bool:
    """Whether two files of a size hold the same bytes; reads what is not the same blocks."""
    at = 0
    for start, end in shared(old_fd, new_fd):
        if not _same_bytes(old_fd, new_fd, at, min(start, size)):
            return False
        at = max(at, end)
    return _same_bytes(old_fd, new_fd, at, size)


def shared(old_fd: int, new_fd: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of two files that are the same blocks, in their order."""
    olds = (extent for extent in ioctls.extents(old_fd) if extent.tells_content)
    old = next(olds, None)
    for new in ioctls.extents(new_fd):
        if not new.tells_content:
            continue
        while old is not None and old.start + old.length <= new.start:
            old = next(olds, None)
        while old is not None and old.start < new.start + new.length:
            if old.physical - old.start == new.physical - new.start:
                end = min(old.start + old.length, new.start + new.length)
                yield max(old.start, new.start), end
            if old.start + old.length > new.start + new.length:
                break
            old = next(olds, None)


def _same_bytes(old_fd: int, new_fd: int, start: int, end: int) -> bool:
    at = start
    while at < end:
        data = os.pread(old_fd, min(_PIECE, end - at), at)
        if not data or data != os.pread(new_fd, len(data), at):
            return False
        at += len(data)
    return True


def same_blocks(old_fd: int, new_fd: int) -> bool:
    """Whether all of two files is the same blocks on disk."""
    old, new = (list(ioctls.extents(fd)) for fd in (old_fd, new_fd))
    return old == new and all(extent.is_on_disk for extent in old)


def pieces_of_files(place: str) -> Iterator[tuple[Hashable, int]]:
    """Yield the places on disk of a folder's files, as far as they can be read."""
    for _, _, names, fd in os.fwalk(place):
        for name in names:
            with contextlib.suppress(OSError):
                file = os.open(name, FILE_FLAGS, dir_fd=fd)
                try:
                    for extent in ioctls.extents(file):
                        yield extent.physical, extent.length
                finally:
                    os.close(file)
