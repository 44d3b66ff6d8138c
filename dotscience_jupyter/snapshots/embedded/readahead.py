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

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .output import Data
from .packs import RECORD, Handle, Pack
from .trees import Trees

RUN = 1 << 23
"""Bytes of a pack that are read at one go; a longer object is read whole."""
_GAP = 1 << 14
"""Fewer bytes that nobody asked for are read too: that is cheaper than another call."""
_DIRECT_FROM = 1 << 20
_UNIT = 1 << 12
_OPEN = 32
_DIRECT = getattr(os, "O_DIRECT", 0)
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)


class Reader:
    """Reads objects of a store. Thread-safe."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._database = trees.database
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int], Handle] = OrderedDict()
        self._local = threading.local()

    def read(self, wanted: Sequence[tuple[bytes, int]]) -> Iterator[tuple[int, Data]]:
        """Yield (position in ``wanted``, content) of objects (id, length), verified.

        The order is that of the store, and content is valid until the next is asked for. The ids
        may also be those of parts of captured files; see :meth:`Trees.chunks`.

        Raises
        ------
        CorruptStoreError
            If an object is not there whole.
        """
        places: dict[Pack, list[tuple[int, int, int]]] = {}
        for number, (digest, length) in enumerate(wanted):
            found = self._database.find(digest) if len(digest) == 32 else None
            if found is None:
                yield number, self._trees.read_chunk(digest, length)
            else:
                pack, at = found
                places.setdefault(pack, []).append((pack.offset(at), at, number))
        for pack, found_there in places.items():
            found_there.sort()
            for run in _runs(pack, found_there):
                start = run[0][0]
                data = self._fetch(
                    pack, start, max(o + pack.stored(at) for o, at, _ in run) - start
                )
                for offset, at, number in run:
                    digest, length = wanted[number]
                    yield number, self._object(pack, at, data, offset - start, digest, length)

    def _object(
        self, pack: Pack, at: int, data: memoryview | None, offset: int, digest: bytes, length: int
    ) -> Data:
        if data is not None and pack.length(at) == length:
            try:
                return pack.unpacked(at, data[offset + RECORD.size : offset + pack.stored(at)])
            except CorruptStoreError:
                pass  # there may be another copy
        return self._trees.read_chunk(digest, length)

    def _fetch(self, pack: Pack, offset: int, length: int) -> memoryview | None:
        """Return a part of a pack; None if it cannot be read, which may have many reasons."""
        try:
            if length >= _DIRECT_FROM:
                return self._long(pack, offset, length)
            data = os.pread(self._handle(pack, 0).fd, length, offset)
        except OSError:
            return None
        return memoryview(data) if len(data) == length else None

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


def _runs(pack: Pack, places: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield places that are to be read together."""
    run: list[tuple[int, int, int]] = []
    end = 0
    for place in places:
        behind = place[0] + pack.stored(place[1])
        if run and (place[0] > end + _GAP or behind - run[0][0] > RUN):
            yield run
            run = []
        run.append(place)
        end = behind
    yield run
