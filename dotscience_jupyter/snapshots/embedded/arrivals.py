# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""What arrived of snapshots that are not whole yet, when objects come on their own.

``partial/arrived-<day>`` is the magic ``dsarrv1\n`` and ids of 32 bytes, in the order in which
they arrived on that day (days since 1970). The objects themselves are in packs like any others; gc
spares them for as long as the file says so. Keys of captured content may be among the ids: gc
spares the map that they are of.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator

from .partial import MAX_AGE
from .store import Store, fsync_folder, writing

_MAGIC = b"dsarrv1\n"
_NAME = re.compile(r"arrived-[0-9]{1,9}")
_READ = 1 << 20


def note(store: Store, ids: Iterable[bytes]) -> None:
    """Protect objects from gc for :data:`~.partial.MAX_AGE`, durably.

    The caller holds the store's shared lock, and the objects are durable.
    """
    data = b"".join(ids)
    if not data:
        return
    path = f"{store.partial}/arrived-{int(time.time() // 86400)}"
    with writing(store.folder):
        fd = _locked(path)
        try:
            size = os.fstat(fd).st_size
            end = size - (size - len(_MAGIC)) % 32  # one who was killed may have left a part
            if size < len(_MAGIC) or os.pread(fd, len(_MAGIC), 0) != _MAGIC:
                data, end = _MAGIC + data, 0
            os.ftruncate(fd, end)
            while data:
                count = os.pwrite(fd, data, end)
                data, end = data[count:], end + count
            os.fsync(fd)
            fsync_folder(store.partial)
        finally:
            os.close(fd)


def protected(store: Store) -> Iterator[bytes]:
    """Yield the ids of objects that arrived of late."""
    for path in _paths(store):
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                continue
            while data := file.read(_READ):
                for start in range(0, len(data) - 31, 32):
                    yield data[start : start + 32]


def remove_stale(store: Store) -> None:
    """Remove what is about objects that arrived long ago."""
    for path in _paths(store):
        with contextlib.suppress(OSError):
            if time.time() - os.stat(path).st_mtime > MAX_AGE:
                os.unlink(path)


def _locked(path: str) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # it was removed as stale just now


def _paths(store: Store) -> list[str]:
    try:
        names = sorted(filter(_NAME.fullmatch, os.listdir(store.partial)))
    except FileNotFoundError:
        return []
    return [f"{store.partial}/{name}" for name in names]
