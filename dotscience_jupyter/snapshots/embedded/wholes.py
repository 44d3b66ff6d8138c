# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving a large file's digest from the bytes of its chunks: read ahead, and hashed once.

That each chunk has the digest that is its id was proven when it was stored. Where it is said which
digest the file has, that need not be proven of each chunk once more: bytes that have the digest are
the file's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .database import Database
from .objects import Item
from .output import Data
from .packs import RECORD, Pack
from .prefixes import places
from .readahead import GAP, RUN, Reader
from .trees import Trees

_WORKERS = 2
"""One hashes, the other reads what comes behind."""
_AHEAD = 4

_Piece = tuple[Pack, int, bytes, int]
"""A chunk: its pack and the position in its index, id, length."""


def is_whole(trees: Trees, item: Item) -> bool:
    """Whether what is stored as a file's chunks has the digest that its entry says.

    If not, a chunk may be damaged; which one, and whether, is for the caller to find out.

    Raises
    ------
    CorruptStoreError
        If a chunk is not there, has another length than its list says, or cannot be read.
    """
    marks = places(trees.chunks(item))
    done, hasher = trees.prefixes.longest(marks)
    keys = {count - done: key for count, key in marks if count > done}
    states: dict[bytes, blake3] = {}
    chunks = _stored(trees.database, trees.chunks(item))
    for _ in islice(chunks, done):
        pass  # their bytes are known to be right, and they are there
    reader = Reader(trees)
    depot = trees.database.store.depot

    def work(run: list[_Piece], count: int, before: Future[None] | None) -> None:
        if depot is not None:
            depot.used(run[0][0].name)
        start = run[0][0].offset(run[0][1])
        data = reader.fetch(run[0][0], start, _end(run[-1]) - start)
        contents = [_content(trees, piece, data, start) for piece in run]
        if before is not None:
            before.result()  # the pool begins them in order, so it is under way
        for content in contents:
            hasher.update(content)
        if count in keys:
            states[keys[count]] = hasher.copy()

    under_way: deque[Future[None]] = deque()
    before: Future[None] | None = None
    try:
        with ThreadPoolExecutor(_WORKERS, "dotscience-prove") as pool:
            try:
                for run, count in _runs(chunks, keys):
                    before = pool.submit(work, run, count, before)
                    under_way.append(before)
                    if len(under_way) >= _AHEAD:
                        under_way.popleft().result()
                while under_way:
                    under_way.popleft().result()
            finally:
                for each in under_way:
                    each.cancel()
    finally:
        reader.close()
    if hasher.digest() != item.digest:
        return False
    trees.prefixes.keep(states)
    return True


def _stored(database: Database, chunks: Iterable[tuple[bytes, int]]) -> Iterator[_Piece]:
    """Yield where chunks are; raise CorruptStoreError if one is not there with its length."""
    for digest, length in chunks:
        found = database.find(digest) if len(digest) == 32 else None
        if found is None or found[0].length(found[1]) != length:
            raise CorruptStoreError("A chunk of a file is not there.")
        yield *found, digest, length


def _runs(pieces: Iterator[_Piece], ends: Collection[int]) -> Iterator[tuple[list[_Piece], int]]:
    """Yield chunks that follow each other in a pack, and how many there were up to their end.

    They can be read at one go. Behind as many chunks as one of ``ends`` is the end of a run.
    """
    run: list[_Piece] = []
    start = end = size = count = 0
    for piece in pieces:
        pack, at, _, length = piece
        offset, behind = pack.offset(at), _end(piece)
        follows = run and pack is run[0][0] and end <= offset <= end + GAP and count not in ends
        if not follows or behind - start > RUN or size + length > 2 * RUN:
            if run:
                yield run, count
            run, start, size = [], offset, 0
        run.append(piece)
        end = behind
        size += length
        count += 1
    if run:
        yield run, count


def _end(piece: _Piece) -> int:
    pack, at, _, _ = piece
    return pack.offset(at) + pack.stored(at)


def _content(trees: Trees, piece: _Piece, data: memoryview | None, start: int) -> Data:
    pack, at, digest, length = piece
    if data is None:
        # it is not at hand, or was merged into another pack meanwhile
        return trees.read_chunk(digest, length)
    begin = pack.offset(at) - start + RECORD.size
    return pack.unproven(at, data[begin : _end(piece) - start])
