# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Writing one large new file at the speed of the disk.

A thread writes full blocks while the next one is filled. It writes them past the page cache
(``O_DIRECT``) where there is much to write and the file system can: it would displace what the
user works with. Otherwise it lets the disk begin early, so that little is left to wait for.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from .store import writing

BLOCK = 1 << 20
"""Bytes written at a time: a multiple of every file system's unit."""

_AHEAD = 8
_SYNC = 32
"""After so many blocks the disk is told to begin."""
_DIRECT = getattr(os, "O_DIRECT", 0)

Data = bytes | memoryview


class Output:
    """A file that is written from front to end. Used by one thread.

    What is given to :meth:`write` is copied, so its memory may be used again at once. Errors may
    come up later than where they happened, at the latest in :meth:`sync`.

    Parameters
    ----------
    fd
        The open file, which is empty. It stays the caller's.
    folder
        The store's folder, for error messages.
    direct
        Whether to write past the page cache.
    """

    def __init__(self, fd: int, folder: str, *, direct: bool) -> None:
        self._fd = fd
        self._folder = folder
        self._wanted = direct
        self._block = mmap.mmap(-1, BLOCK)  # direct writes want memory that starts at a page
        self._filled = 0
        self._free: list[mmap.mmap] = []
        self._flight: deque[tuple[mmap.mmap, Future[None]]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._direct = False
        self._syncer: ThreadPoolExecutor | None = None
        self._syncs: list[Future[None]] = []
        self._unsynced = 0

    def write(self, *parts: Data) -> None:
        """Append bytes. Raises StoreWriteError."""
        for part in parts:
            filled = self._filled
            end = filled + len(part)
            if end < BLOCK:
                self._block[filled:end] = part
                self._filled = end
            else:
                self._write_long(memoryview(part))

    def _write_long(self, data: memoryview) -> None:
        while data:
            count = min(BLOCK - self._filled, len(data))
            self._block[self._filled : self._filled + count] = data[:count]
            self._filled += count
            data = data[count:]
            if self._filled == BLOCK:
                self._send()

    def _send(self) -> None:
        """Hand the block to the thread, and take another one."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "dotscience-write")
            self._set_direct(self._wanted)
        self._flight.append((self._block, self._thread.submit(self._put, self._block)))
        if len(self._flight) > _AHEAD:
            self._land()
        self._block = self._free.pop() if self._free else mmap.mmap(-1, BLOCK)
        self._filled = 0

    def _land(self) -> None:
        block, written = self._flight.popleft()
        with writing(self._folder):
            written.result()
        self._free.append(block)
        self._unsynced += 1
        if self._unsynced >= _SYNC and not self._direct:
            if self._syncer is None:
                self._syncer = ThreadPoolExecutor(1, "dotscience-sync")
            # not every system has the one that leaves out the times
            sync = getattr(os, "fdatasync", os.fsync)
            self._syncs.append(self._syncer.submit(sync, self._fd))
            self._unsynced = 0

    def _put(self, data: Data | mmap.mmap) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._set_direct(False)  # what this file system wants of direct writes is unknown
            if view:
                self._set_direct(False)  # the rest starts anywhere

    def _set_direct(self, wanted: bool) -> None:
        """Switch direct writes on or off; off they remain where the file system has none."""
        if not _DIRECT or wanted == self._direct:
            return
        flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | _DIRECT if wanted else flags & ~_DIRECT)
        except OSError:
            return
        self._direct = wanted

    def sync(self) -> None:
        """Make all that was written durable. Raises StoreWriteError."""
        while self._flight:
            self._land()
        self._set_direct(False)
        with writing(self._folder):
            self._put(memoryview(self._block)[: self._filled])
            self._filled = 0
            for synced in self._syncs:
                synced.result()  # the system tells of a failed write only once
            os.fsync(self._fd)
        self.close()

    def close(self) -> None:
        """Wait until nothing is being written any more."""
        for thread in (self._thread, self._syncer):
            if thread is not None:
                thread.shutdown(wait=True, cancel_futures=True)
        self._thread = self._syncer = None
        self._flight.clear()
        self._free.clear()
