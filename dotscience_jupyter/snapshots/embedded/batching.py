# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Compressing objects in threads, so that whoever finds them need not wait.

Small objects go in batches: compressed one by one they would cost more in handing the interpreter
from thread to thread than in compressing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from .machine import processors
from .output import Data
from .packs import RAW, compress_all, is_promising

_BATCH = 1 << 20
"""Bytes of a batch."""
_BATCH_OBJECTS = 512
_FEW = 1 << 16
"""So many bytes are compressed sooner than a thread is started."""
_WORKERS = 4

Store = Callable[[bytes, int, Data, int], None]


class Batches:
    """Objects on their way to a pack. Used by one thread; any may ask what is in it.

    Parameters
    ----------
    store
        Called, in the thread that uses this, with each object's id, codec, stored form and length.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._objects: dict[bytes, bytes] = {}
        self._batch: list[bytes] = []
        self._size = 0
        self._flight: deque[tuple[list[bytes], Future[list[tuple[int, Data]]]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._workers = min(_WORKERS, processors())

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._objects

    def put(self, digest: bytes, data: bytes) -> None:
        """Take an object that is not there yet."""
        if not is_promising(data):
            self._store(digest, RAW, data, len(data))
            return
        self._objects[digest] = data
        self._batch.append(digest)
        self._size += len(data)
        if self._size >= _BATCH or len(self._batch) >= _BATCH_OBJECTS:
            self._send()

    def _send(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, "dotscience-compress")
        batch, self._batch, self._size = self._batch, [], 0
        found = self._pool.submit(compress_all, [self._objects[digest] for digest in batch])
        self._flight.append((batch, found))
        while len(self._flight) > self._workers + 1:
            self._land()

    def _land(self) -> None:
        batch, found = self._flight.popleft()
        for digest, (codec, stored) in zip(batch, found.result(), strict=True):
            self._store(digest, codec, stored, len(self._objects[digest]))
            del self._objects[digest]  # after it came to be elsewhere, for those who ask

    def flush(self) -> None:
        """Store all that was taken."""
        if self._batch and (self._flight or self._size > _FEW):
            self._send()
        while self._flight:
            self._land()
        if self._batch:  # they are so few that a thread would take longer
            done: Future[list[tuple[int, Data]]] = Future()
            done.set_result(compress_all([self._objects[digest] for digest in self._batch]))
            self._flight.append((self._batch, done))
            self._batch, self._size = [], 0
            self._land()

    def close(self) -> None:
        """Drop what was not stored, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._flight.clear()
        self._objects.clear()
        self._batch, self._size = [], 0
