# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading many stored objects in the order in which they are stored.

What is together in a pack is read at one go, and long runs past the page cache: they are needed
once, and would displace what the user works with.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .output import Data
from .packs import RECORD, Handle, Pack
from .trees import Trees

RUN = 1 << 23
"""Bytes of a pack that are read at one go; a longer object is read whole."""
GAP = 1 << 14
"""Fewer bytes that nobody asked for are read too: that is cheaper than another call."""
_PART = 1 << 19
"""Bytes that are copied out of the page cache at one go: so few are still in the processor's own
cache when they are hashed, and when they are written."""
_DIRECT_FROM = 1 << 20
_UNIT = 1 << 12
_OPEN = 32
_DIRECT = getattr(os, "O_DIRECT", 0)
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)

_Place = tuple[int, int, int, int]
"""Where an object's record starts and ends, its position in the index, and its number among what
is wanted."""


class Reader:
    """Reads objects of a store. Thread-safe."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._database = trees.database
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int], Handle] = OrderedDict()
        self._local = threading.local()
        self._how = _NOWAIT

    def read(self, wanted: Sequence[tuple[bytes, int]]) -> Iterator[tuple[int, Data]]:
        """Yield (position in ``wanted``, content) of objects (id, length), verified.

        The order is that of the store, and content is valid until the next is asked for. The ids
        may also be those of parts of captured files; see :meth:`Trees.chunks`.

        Raises
        ------
        CorruptStoreError
            If an object is not there whole.
        """
        places: dict[Pack, list[_Place]] = {}
        for number, (digest, length) in enumerate(wanted):
            found = self._database.find(digest) if len(digest) == 32 else None
            if found is None:
                yield number, self._trees.read_chunk(digest, length)
            else:
                pack, at = found
                places.setdefault(pack, []).append((*pack.extent(at), at, number))
        for pack, found_there in places.items():
            found_there.sort()
            for run in _runs(found_there, RUN):
                yield from self._read_run(pack, run, wanted)

    def _read_run(
        self, pack: Pack, run: list[_Place], wanted: Sequence[tuple[bytes, int]]
    ) -> Iterator[tuple[int, Data]]:
        """Yield the objects of a run: in parts while the page cache has them, then at one go."""
        done = 0
        for part in _runs(run, _PART):
            start, length = _extent(part)
            data = self._cached(pack, start, length)
            if data is None:
                break
            yield from self._objects(pack, part, data, wanted)
            done += len(part)
        if done < len(run):
            rest = run[done:]
            yield from self._objects(pack, rest, self.fetch(pack, *_extent(rest)), wanted)

    def _objects(
        self,
        pack: Pack,
        places: list[_Place],
        data: memoryview | None,
        wanted: Sequence[tuple[bytes, int]],
    ) -> Iterator[tuple[int, Data]]:
        first = places[0][0]
        for start, end, at, number in places:
            digest, length = wanted[number]
            found: Data | None = None
            if data is not None and pack.length(at) == length:
                stored = data[start - first + RECORD.size : end - first]
                try:  # noqa: SIM105  # this runs for every file
                    found = pack.unproven(at, stored)
                except CorruptStoreError:
                    pass  # there may be another copy
            if found is None or blake3(found).digest() != digest:
                found = self._trees.read_chunk(digest, length)
            yield number, found

    def fetch(self, pack: Pack, offset: int, length: int) -> memoryview | None:
        """Return a part of a pack; None if it cannot be read, which may have many reasons.

        It is valid until this thread asks for another one.
        """
        try:
            if length >= _DIRECT_FROM:
                return self._long(pack, offset, length)
            data = os.pread(self._handle(pack, 0).fd, length, offset)
        except OSError:
            return None
        return memoryview(data) if len(data) == length else None

    def _cached(self, pack: Pack, offset: int, length: int) -> memoryview | None:
        """Return a part of a pack if it is in memory, or nobody can tell whether it is."""
        view = self._memory(length)
        try:
            fd = self._handle(pack, 0).fd
            done = self._preadv(fd, view, offset)
            while 0 < done < length:
                count = self._preadv(fd, view[done:], offset + done)
                done = done + count if count else 0
        except OSError:
            return None
        return view if done else None

    def _preadv(self, fd: int, view: memoryview, offset: int) -> int:
        try:
            return os.preadv(fd, [view], offset, self._how)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP or not self._how:
                raise
        self._how = 0  # this file system does not say what is in memory
        return os.preadv(fd, [view], offset)

    def _long(self, pack: Pack, offset: int, length: int) -> memoryview | None:
        first = offset - offset % _UNIT
        end = offset + length - first
        view = self._memory(-(-end // _UNIT) * _UNIT)
        # what the page cache has; if that is not all, past it; where that cannot be, through it
        for flags, how in ((0, _NOWAIT), (_DIRECT, 0), (0, 0)):
            if self._read_into(view, end, self._handle(pack, flags).fd, first, how):
                return view[offset - first : end]
        return None

    def _read_into(self, view: memoryview, end: int, fd: int, first: int, how: int) -> bool:
        done = 0
        while done < end:
            try:
                count = os.preadv(fd, [view[done:]], first + done, how)
            except OSError:
                return False
            if not count:
                return False
            done += count
        return True

    def _memory(self, size: int) -> memoryview:
        """Return memory of this thread, which starts at a page."""
        memory: mmap.mmap | None = getattr(self._local, "memory", None)
        if memory is None or len(memory) < size:
            memory = self._local.memory = mmap.mmap(-1, max(size, RUN + 2 * _UNIT))
        return memoryview(memory)[:size]

    def _handle(self, pack: Pack, flags: int) -> Handle:
        with self._lock:
            handle = self._open.get((pack.name, flags))
            if handle is None:
                handle = self._opened(pack, flags)
                self._open[pack.name, flags] = handle
                if len(self._open) > _OPEN:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end((pack.name, flags))
            return handle

    @staticmethod
    def _opened(pack: Pack, flags: int) -> Handle:
        try:
            return Handle(pack.path, flags)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return Handle(pack.path)  # not every file system reads past the page cache

    def close(self) -> None:
        """Let go of open files."""
        with self._lock:
            self._open.clear()


def _extent(places: list[_Place]) -> tuple[int, int]:
    """Return where some places start, and how many bytes they take with what is between them."""
    start = places[0][0]
    return start, max(end for _, end, _, _ in places) - start


def _runs(places: list[_Place], limit: int) -> Iterator[list[_Place]]:
    """Yield places that are to be read together: so many bytes, or one longer object."""
    run: list[_Place] = []
    first = last = 0
    for place in places:
        start, end, _, _ = place
        if run and (start > last + GAP or end - first > limit):
            yield run
            run = []
        if not run:
            first = start
        run.append(place)
        last = end
    yield run
