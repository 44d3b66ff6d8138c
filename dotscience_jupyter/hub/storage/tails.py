# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The indexes of packs that are in the bucket, kept in the data folder.

``store/tails/<name>.idx`` is what the pack ends with: its index and footer. That there is such a
file says that the pack is in the bucket, so its copy may go. They make a start without the bucket
possible, and one with it quick.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime

from dotscience_jupyter.snapshots import CorruptStoreError
from dotscience_jupyter.snapshots.embedded.packs import FOOTER, index_of, tail_length
from dotscience_jupyter.snapshots.embedded.store import Store, StoreWriteError, writing

from .bucket import Bucket, Stored
from .copies import TAIL

_GUESS = 1 << 16


class Tails:
    """Those of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = f"{store.folder}/tails"
        with writing(store.folder):
            os.makedirs(self._folder, exist_ok=True)

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}{TAIL}"

    def names(self) -> set[str]:
        """Return the names of the packs."""
        return {name.removesuffix(TAIL) for name in os.listdir(self._folder) if name.endswith(TAIL)}

    def age_of(self, name: str, now: float) -> float | None:
        """Return for how many seconds a pack is known to be in the bucket; None if it is not."""
        try:
            return now - os.stat(self._path(name)).st_mtime
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """Return a tail, which may be damaged; None if there is none."""
        with contextlib.suppress(FileNotFoundError), open(self._path(name), "rb") as file:
            return file.read()
        return None

    def fetch(self, bucket: Bucket, key: str, name: str, size: int) -> bytes:
        """Read a tail from the bucket and keep it.

        Raises
        ------
        FileNotFoundError
            If there is no such pack.
        CorruptStoreError
            If it is damaged there.
        UnavailableError
            If it cannot be read now.
        """
        data = bucket.read(key, None, min(size, _GUESS))
        length = tail_length(data[-FOOTER.size :], size)
        if length > len(data):
            data = bucket.read(key, size - length, length)
        data = data[-length:]
        index_of(data, size)
        with contextlib.suppress(StoreWriteError):  # it can be read without being kept
            self.keep(name, data)
        return data

    def keep(self, name: str, data: bytes) -> None:
        """Write down that a pack is in the bucket, with its tail."""
        with writing(self._store.folder):
            path, fd = self._store.temporary()
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.rename(path, self._path(name))
            except OSError:
                os.unlink(path)
                raise
            finally:
                os.close(fd)

    def forget(self, name: str) -> None:
        """Remove a tail: the pack is in the bucket no more. Its copy has to be gone before."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def remembered(self) -> Iterator[tuple[str, Stored]]:
        """Yield the packs that were in the bucket, as far as their tails are whole."""
        for name in self.names():
            data = self.read(name) or b""
            with contextlib.suppress(OSError, CorruptStoreError):
                if len(data) >= FOOTER.size:
                    size = FOOTER.unpack(data[-FOOTER.size :])[0] + len(data)
                    index_of(data, size)
                    modified = datetime.fromtimestamp(os.stat(self._path(name)).st_mtime, UTC)
                    yield name, Stored(name, size, modified)


def tail_of(path: str, size: int) -> bytes:
    """Return what a pack's file ends with; nothing if that is damaged.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(CorruptStoreError):
            length = tail_length(os.pread(fd, FOOTER.size, max(0, size - FOOTER.size)), size)
            return os.pread(fd, length, size - length)
        return b""
    finally:
        os.close(fd)
