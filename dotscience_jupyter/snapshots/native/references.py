# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content that a store has not: it says in which of the file system's snapshots the bytes are.

A reference is the position in the file (8 bytes), the length of the snapshot's id (2), the id and
the file's path, as the file system has it.
"""

from __future__ import annotations

import os
import struct
import threading
from typing import BinaryIO, NamedTuple

from dotscience_jupyter.snapshots.engine import CorruptStoreError, Engine, SnapshotError

_HEAD = struct.Struct("<QH")


class Reference(NamedTuple):
    """Where some bytes are."""

    snapshot: str
    path: str
    position: int

    def encode(self) -> bytes:
        """Return it as it is stored."""
        snapshot = self.snapshot.encode()
        return _HEAD.pack(self.position, len(snapshot)) + snapshot + os.fsencode(self.path)

    @classmethod
    def decode(cls, data: bytes) -> Reference:
        """Return what is stored. Raise CorruptStoreError if it is no reference."""
        try:
            position, length = _HEAD.unpack_from(data)
            end = _HEAD.size + length
            return cls(data[_HEAD.size : end].decode(), os.fsdecode(data[end:]), position)
        except (struct.error, UnicodeDecodeError):
            raise CorruptStoreError("What says where an object is cannot be read.") from None


class References:
    """Reads what references mean. Thread-safe.

    Parameters
    ----------
    engine
        Whose snapshots they are about.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None  # the chunks of a large file come one after the other
        self._open: tuple[str, str] = ("", "")

    def read(self, stored: bytes, length: int) -> bytes:
        """Return the bytes that a reference means; whoever asks looks whether they are right.

        Raises
        ------
        CorruptStoreError
            If the snapshot or the file is not there, cannot be read, or is too short.
        """
        where = Reference.decode(stored)
        with self._lock:
            try:
                file = self._opened(where.snapshot, where.path)
                file.seek(where.position)
                data = file.read(length)
                if len(data) < length or not file.read(1):
                    self._close()  # nothing follows, and a snapshot in use cannot be dropped
            except (OSError, SnapshotError) as error:
                self._close()
                raise CorruptStoreError(
                    f"It is in {where.path!r} of the snapshot {where.snapshot}, which cannot be "
                    f"read: {error}"
                ) from error
        if len(data) < length:
            raise CorruptStoreError(f"{where.path!r} ends before its size.")
        return data

    def _opened(self, snapshot: str, path: str) -> BinaryIO:
        if self._file is None or self._open != (snapshot, path):
            self._close()
            self._file = self._engine.open(snapshot, path)
            self._open = (snapshot, path)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def close(self) -> None:
        """Let go of an open file."""
        with self._lock:
            self._close()
