# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading, hashing, cutting, compressing and storing a large file, all at the same time.

One thread reads and cuts, one hashes the file as a whole, some hash and compress chunks; whoever
does not wait is outside of the interpreter's lock. What is under way is bounded, so a file of any
size takes the same memory.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, Protocol

from blake3 import blake3

from .chunking import Cutter
from .database import Session
from .machine import processors
from .output import Data
from .packs import compress, hash_bytes

SLAB = 1 << 21
"""Bytes that are read at a time."""
_WORKERS = 8
_READ = 1 << 20
"""Bytes that a stream is asked for at a time."""
_ZEROS = bytes(1 << 20)

Listed = list[tuple[bytes, int]]
"""Id and length of chunks in order."""


class Content(NamedTuple):
    """What was read."""

    size: int
    digest: bytes
    chunks: Listed  # empty where nothing was to be stored
    at_mark: bytes


class _Chunk(NamedTuple):
    digest: bytes
    length: int
    codec: int
    stored: Data | None  # None if it is there already


class _Part(NamedTuple):
    """What is under way with some bytes of the file."""

    slab: mmap.mmap | None  # the memory in use, if any
    hashed: Future[None]
    chunks: Future[list[_Chunk]] | None


class Pipeline:
    """Reads large files one after the other, with the same threads and memory.

    Parameters
    ----------
    on_read
        Called with the number of bytes whenever some were read.
    """

    def __init__(self, on_read: Callable[[int], None] | None = None) -> None:
        self._on_read = on_read
        workers = min(_WORKERS, processors())
        self._depth = workers + 3
        self._pool = ThreadPoolExecutor(workers, "dotscience-chunk")
        self._hasher = ThreadPoolExecutor(1, "dotscience-hash")
        self._free: list[mmap.mmap] = []

    def close(self) -> None:
        """End the threads."""
        for pool in (self._pool, self._hasher):
            pool.shutdown(wait=True, cancel_futures=True)
        self._free.clear()

    def run(
        self, fd: int, start: int, size: int, *, limit: int, mark: int, session: Session | None
    ) -> Content:
        """Read up to ``size`` bytes of an open file from ``start``.

        Parameters
        ----------
        limit
            The most bytes of a chunk.
        mark
            How many bytes from the start to return another digest of, if there are so many.
        session
            What to add the chunks to; without one the bytes are only hashed.

        Raises
        ------
        OSError
            If the file cannot be read.
        StoreWriteError
            If the store cannot be written.
        """
        run = _Run(self._pool, self._hasher, self._free, self._depth, limit, mark, session)
        try:
            position, end = start, start + size
            holes = _Holes(fd, start, end)
            while position < end:
                hole = holes.left(position - run.kept)
                skipped = run.skip(hole) if hole else 0
                if not skipped:
                    count = min(SLAB, end - position)
                    skipped = run.read(fd, position, count, holes, last=position + count == end)
                    if skipped < count:
                        position += skipped
                        break  # it is shorter than it was
                position += skipped
                if self._on_read is not None:
                    self._on_read(skipped)
            return run.finish(position - start)
        finally:
            run.cancel()

    def run_stream(
        self, first: bytes, source: BinaryIO, *, limit: int, session: Session
    ) -> Content:
        """Read a stream to its end; it is cut as a file with the same bytes is.

        Parameters
        ----------
        first
            What was read of the stream before.

        Raises
        ------
        OSError
            If the stream cannot be read.
        StoreWriteError
            If the store cannot be written.
        """
        run = _Run(self._pool, self._hasher, self._free, self._depth, limit, -1, session)
        stream = _Stream(first, source)
        try:
            position, found = 0, SLAB
            while found == SLAB:  # less is the end
                found = run.read(0, position, SLAB, stream, last=False)
                position += found
                if self._on_read is not None:
                    self._on_read(found)
            return run.finish(position)
        finally:
            run.cancel()


class _Source(Protocol):
    """What bytes are read from."""

    def read_into(self, fd: int, view: memoryview, position: int) -> int:
        """Fill memory with what is at a position; return how many bytes there are."""


class _Run:
    """The reading of one file."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        hasher: ThreadPoolExecutor,
        free: list[mmap.mmap],
        depth: int,
        limit: int,
        mark: int,
        session: Session | None,
    ) -> None:
        self._pool, self._hasher, self._free, self._depth = pool, hasher, free, depth
        self._limit = limit
        self._session = session
        self._cutter = Cutter(limit)
        self._whole = _Whole(mark)
        self._chunks: Listed = []
        self._flight: deque[_Part] = deque()
        self._rest = memoryview(b"")  # the start of a chunk, in the slab before

    @property
    def kept(self) -> int:
        """The bytes that were read and are in no chunk yet."""
        return len(self._rest)

    def read(self, fd: int, position: int, count: int, source: _Source, *, last: bool) -> int:
        """Read some bytes and set the threads to work on them; return how many there were."""
        slab = self._slab()
        view = memoryview(slab)
        kept = len(self._rest)
        view[:kept] = self._rest
        found = source.read_into(fd, view[kept : kept + count], position)
        new = view[kept : kept + found]
        hashed = self._hasher.submit(self._whole.update, new)
        chunks = None
        if self._session is not None:
            filled = view[: kept + found]
            lengths = self._cutter.cut(filled, last or found < count)
            self._rest = filled[sum(lengths) :]
            chunks = self._pool.submit(_encode, filled, lengths, self._session)
        self._flight.append(_Part(slab, hashed, chunks))
        return found

    def skip(self, zeros: int) -> int:
        """Take zeros without reading them; return how many bytes of the file this went on.

        What was read and is in no chunk yet is the first of these ``zeros``. Only whole chunks
        are taken, and none of the last ones: it depends on what follows where they end.
        """
        if self._session is None:
            count, each = zeros, 0
        else:
            if zeros < 4 * self._limit:
                return 0
            each, digest = _zero_chunk(self._limit)
            times = zeros // self._limit - 1
            count = times * each - len(self._rest)
            # nothing that was read before is in these chunks, so they can be put in line
            chunk = _Chunk(digest, each, *compress(bytes(each)))
            done: Future[list[_Chunk]] = Future()
            done.set_result([chunk] * times)
            self._rest = memoryview(b"")
        hashed = self._hasher.submit(self._whole.update_zeros, count)
        while len(self._flight) >= self._depth:
            self._land()
        self._flight.append(_Part(None, hashed, done if each else None))
        return count

    def finish(self, size: int) -> Content:
        """Wait until all is done, and return what it was."""
        while self._flight:
            self._land()
        return Content(size, self._whole.hasher.digest(), self._chunks, self._whole.at_mark)

    def cancel(self) -> None:
        """Wait for what is under way, and forget it."""
        for part in self._flight:
            part.hashed.cancel()
            if part.chunks is not None:
                part.chunks.cancel()
        for part in self._flight:
            for future in (part.hashed, part.chunks):
                if future is not None and not future.cancelled():
                    future.exception()
        self._flight.clear()

    def _slab(self) -> mmap.mmap:
        """Return memory for a slab and what is kept of the one before."""
        while len(self._flight) >= self._depth:
            self._land()
        size = self._limit + SLAB
        while self._free:
            slab = self._free.pop()
            if len(slab) == size:
                return slab
        return mmap.mmap(-1, size)

    def _land(self) -> None:
        """Store the oldest part's chunks when they are ready."""
        part = self._flight[0]
        part.hashed.result()
        if part.chunks is not None:
            session = self._session
            assert session is not None
            for chunk in part.chunks.result():
                self._chunks.append((chunk.digest, chunk.length))
                if chunk.stored is not None and not session.has(chunk.digest):
                    session.append(chunk.digest, chunk.codec, chunk.stored, chunk.length)
        self._flight.popleft()
        if part.slab is not None:
            self._free.append(part.slab)


class _Whole:
    """The digest of a whole file, and of its first ``mark`` bytes on the way."""

    def __init__(self, mark: int) -> None:
        self.hasher = blake3()
        self.at_mark = self.hasher.digest() if mark == 0 else b""
        self._left = mark

    def update(self, data: Data) -> None:
        if 0 < self._left <= len(data):
            self.hasher.update(data[: self._left])
            self.at_mark = self.hasher.digest()
            data = data[self._left :]
            self._left = 0
        elif self._left > 0:
            self._left -= len(data)
        self.hasher.update(data)

    def update_zeros(self, count: int) -> None:
        view = memoryview(_ZEROS)
        while count:
            self.update(view[:count])
            count -= min(count, len(view))


class _Holes:
    """Where a file has holes, which read as zeros and need not be read."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd = fd
        self._end = end
        self._any = self._seek(start, os.SEEK_HOLE) < end
        self._from = self._to = start  # the hole known last
        self._data = start  # data is known from there on
        self._until = start if self._any else end  # up to here

    def _seek(self, offset: int, whence: int) -> int:
        try:
            return min(os.lseek(self._fd, offset, whence), self._end)
        except OSError as error:
            if error.errno == errno.ENXIO and whence == os.SEEK_DATA:
                return min(max(offset, os.fstat(self._fd).st_size), self._end)
            return (
                self._end if whence == os.SEEK_HOLE else offset
            )  # it is all data, as far as known

    def left(self, position: int) -> int:
        """Return how many bytes of a hole there are from a position on."""
        if not self._any or self._data <= position < self._until:
            return 0
        if not self._from <= position < self._to:
            self._from, self._to = position, self._seek(position, os.SEEK_DATA)
            if self._to <= position:
                self._data, self._until = position, self._seek(position, os.SEEK_HOLE)
                return 0
        return self._to - position

    def read_into(self, fd: int, view: memoryview, position: int) -> int:
        """Fill memory with what is at a position; return how many bytes there are."""
        done = 0
        while done < len(view):
            at = position + done
            hole = min(self.left(at), len(view) - done)
            if hole:
                # a slab was used before
                for start in range(done, done + hole, len(_ZEROS)):
                    end = min(start + len(_ZEROS), done + hole)
                    view[start:end] = _ZEROS[: end - start]
                done += hole
                continue
            limit = min(len(view), self._until - position) if self._any else len(view)
            count = os.preadv(fd, [view[done:limit]], at)
            if not count:
                break
            done += count
        return done


class _Stream:
    """A stream that is read from front to end."""

    def __init__(self, first: bytes, source: BinaryIO) -> None:
        self._first = memoryview(first)
        self._source = source

    def read_into(self, fd: int, view: memoryview, position: int) -> int:
        """Fill memory with what comes next; less only at the end."""
        done = min(len(self._first), len(view))
        view[:done] = self._first[:done]
        self._first = self._first[done:]
        while done < len(view):
            part = self._source.read(min(len(view) - done, _READ))
            if not part:
                break
            view[done : done + len(part)] = part
            done += len(part)
        return done


def _encode(data: memoryview, lengths: list[int], session: Session) -> list[_Chunk]:
    """Hash chunks, and compress those that are not stored."""
    chunks = []
    at = 0
    for length in lengths:
        piece = data[at : at + length]
        at += length
        digest = hash_bytes(piece)
        if session.has(digest):
            chunks.append(_Chunk(digest, length, 0, None))
        else:
            chunks.append(_Chunk(digest, length, *compress(piece)))
    return chunks


def _zero_chunk(limit: int) -> tuple[int, bytes]:
    """Return length and id of the chunk that many zeros are cut into."""
    zeros = bytes(limit)
    length = Cutter(limit).cut(memoryview(zeros), False)[0]
    return length, hash_bytes(zeros[:length])
