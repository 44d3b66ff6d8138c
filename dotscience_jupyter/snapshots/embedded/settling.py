# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Hashing what was captured and moving it into packs; see :mod:`.captures`.

The chunks are durable before the map that names them is, and the map before the capture goes. A
map may name a part only, as long as the capture is there. So whoever dies meanwhile leaves nothing
that cannot be read, and the next one goes on behind what is in the map.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from array import array

from dotscience_jupyter.snapshots.engine import CorruptStoreError, Progress

from .capture import Capture, Clock
from .captures import ENTRY, KEY, PART, RANGE, Captures, Resolution, encode_entry, read_table
from .database import Database, Session
from .objects import CAPTURED_FILE
from .packs import hash_bytes
from .trees import Trees

_STEP_BYTES = 1 << 30
_STEP_FILES = 50_000
"""What was hashed is made durable when it has come to either."""


class StoppedError(Exception):
    """The work was told to end; what is not done is for the next time."""


def stoppable(progress: Progress | None, stop: threading.Event) -> Progress:
    """Return a callback for progress that raises StoppedError once ``stop`` is set."""

    def tell(done: int, total: int, what: str) -> None:
        if stop.is_set():
            raise StoppedError
        if progress is not None:
            progress(done, total, what)

    return tell


class Settling:
    """One settle of all captures that wait for it."""

    def __init__(
        self,
        database: Database,
        trees: Trees,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._database = database
        self._store = database.store
        self._trees = trees
        self._captures: Captures = trees.captures
        self._clock = clock
        self._progress = progress
        self._done = self._total = self._unsaid = 0

    def run(self) -> None:
        """Settle the captures; those that another process is at are left to it.

        Raises
        ------
        SnapshotError
            If one could not be settled. The others are, and nothing is lost.
        """
        failure: Exception | None = None
        for capture in self._captures.ids():
            try:
                self._settle(capture)
            except CorruptStoreError as error:
                failure = failure or error
        if failure is not None:
            raise CorruptStoreError(
                f"Some of what was captured could not be hashed: {failure} It stays as it is. Run "
                "'jupyter dotscience verify' to see what is affected."
            ) from failure

    def _settle(self, capture: bytes) -> None:
        path = self._captures.path(capture)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CorruptStoreError(f"{path} cannot be read: {error.strerror or error}.") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            while self._step(fd, capture):
                pass
        finally:
            os.close(fd)

    def _step(self, fd: int, capture: bytes) -> bool:
        """Hash a part of a capture; return whether there is more to do.

        In parts, so that nobody waits for the store, and what is done stays done.
        """
        with self._store.shared("nothing was hashed"):
            if not os.fstat(fd).st_nlink:
                return False  # nobody needed it any more
            table = self._table(fd, capture)
            entries = self._begun(capture, table)
            done, count = len(entries) // ENTRY, len(table) // RANGE.size
            if done < count:
                self._database.refresh(force=True)
                fresh = self._hash(fd, capture, table, done)
                self._captures.write_entries(capture, entries, fresh)
                done += len(fresh) // ENTRY
            if not count or done < count:
                return bool(count)
            self._database.merge_small()
        self._captures.remove(capture)
        return False

    def _table(self, fd: int, capture: bytes) -> bytes:
        """Return the ranges of a capture, encoded, in their order; none if nobody needs any."""
        with contextlib.suppress(CorruptStoreError):
            return read_table(fd, capture)
        found: set[tuple[int, int, int]] = set()
        for snapshot in self._store.snapshot_ids():
            for _, item in self._trees.walk(self._trees.root(snapshot).tree):
                if item.code == CAPTURED_FILE:
                    name, where, tail = KEY.unpack(item.digest)
                    if name == capture:
                        found.add((where, tail, item.size))
        return b"".join(RANGE.pack(*place) for place in sorted(found))

    def _begun(self, capture: bytes, table: bytes) -> memoryview:
        """Return what is hashed of a capture, as the entries of its map."""
        entries = self._captures.entries(capture)
        for number in range(len(entries) // ENTRY):
            at, start = number * ENTRY, number * RANGE.size
            # an entry begins with its range
            if entries[at : at + RANGE.size] != table[start : start + RANGE.size]:
                return memoryview(b"")  # it was mended, and some are missing
        return entries

    def _hash(self, fd: int, capture: bytes, table: bytes, start: int) -> bytes:
        """Put the content of ranges from ``start`` on into packs; return their entries."""
        sizes = array("Q", (size for _, _, size in RANGE.iter_unpack(table)))
        self._done, self._total, self._unsaid = sum(sizes[:start]), sum(sizes), 0
        limit = self._done + _STEP_BYTES
        entries: list[bytes] = []
        session = self._database.session()
        reader = Capture(self._clock, session, self._on_read)
        try:
            for where, tail, size in RANGE.iter_unpack(memoryview(table)[start * RANGE.size :]):
                key = KEY.pack(capture, where, tail)
                digest, list_id = self._store_content(fd, key, size, reader, session)
                entries.append(encode_entry(where, tail, Resolution(size, digest, list_id)))
                if self._done >= limit or len(entries) >= _STEP_FILES:
                    break
            session.commit()
        finally:
            reader.close()
            session.close()
        return b"".join(entries)

    def _store_content(
        self, fd: int, key: bytes, size: int, reader: Capture, session: Session
    ) -> tuple[bytes, bytes]:
        """Store what a key stands for; return its digest and, if it has one, its list of chunks."""
        start = self._captures.one_piece(key, size)
        if start is not None and size > PART:
            try:
                return reader.store_range(fd, start, size)
            except OSError as error:
                raise CorruptStoreError(
                    f"captures/{key[:16].hex()}.cap cannot be read: {error.strerror or error}."
                ) from error
        data = self._captures.read(key, size, 0, size)
        self._on_read(size)
        digest = hash_bytes(data)
        session.put(digest, data)
        return digest, b""

    def _on_read(self, count: int) -> None:
        self._done += count
        self._unsaid += count
        if self._unsaid >= 1 << 23:
            self._unsaid = 0
            self._progress(self._done, self._total, "Hashing what was captured")
