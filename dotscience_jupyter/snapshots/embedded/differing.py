# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a snapshot has in common with another one, and chunks as differences to those before.

Where a large file changed, the chunks around the change hold much that is not new. Such a chunk
can be sent as what zstd makes of it when it knows the chunks that were there before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import zstandard

from dotscience_jupyter.snapshots.engine import CorruptStoreError, SnapshotError

from .database import Database
from .objects import FILE, FOLDER, LISTED_FILE, Item
from .packs import hash_bytes
from .trees import Trees

Deltas = dict[bytes, tuple[bytes, ...]]
"""Ids of chunks, and of the chunks that they may be sent as differences to."""

MAX_BEFORE = 1 << 25
"""Chunks that others are differences to have at most so many bytes together."""
_EDGE = 4
"""So many chunks at either end of what was replaced may hold something that is not new."""
_ID = 32
_MAX_REFERENCES = 2 * _EDGE
_PARAMETERS = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST,
    window_log=24,
    hash_log=20,
    chain_log=15,
    search_log=1,
    min_match=6,
    target_length=0,
    write_content_size=True,
    write_checksum=False,
)


def common(trees: Trees, snapshot: str, base: str, deltas: Deltas | None) -> Iterator[bytes]:
    """Yield ids of objects that a base has, of those places where the snapshot is another.

    Fills ``deltas`` for large files at the same path. Where the base cannot be read it ends.
    """
    with contextlib.suppress(SnapshotError):
        pending = [(trees.root_item(snapshot), trees.root_item(base))]
        yield bytes.fromhex(base)
        while pending:
            new, old = pending.pop()
            yield old.digest
            if new.digest != old.digest:
                yield from _folder(trees, new, old, pending, deltas)


def _folder(
    trees: Trees, new: Item, old: Item, pending: list[tuple[Item, Item]], deltas: Deltas | None
) -> Iterator[bytes]:
    """Yield what a folder of the base has; add the folders in both to what is pending."""
    pages, before = trees.pages(new.digest), trees.pages(old.digest)
    yield from before
    known: dict[str, Item] = {}
    for page in set(before).difference(pages):
        for item in map(trees.resolved, trees.page(page)):
            known[item.name] = item
            if item.code in (FILE, FOLDER):
                yield item.digest
            elif item.code == LISTED_FILE:
                yield item.list_id
    for page in set(pages).difference(before):
        for item in trees.page(page):
            was = known.get(item.name)
            if was is None or was.digest == item.digest:
                continue
            item = trees.resolved(item)
            if item.code == was.code == FOLDER:
                pending.append((item, was))
            elif item.code == was.code == LISTED_FILE:
                yield from trees.lists(was)
                chunks = [digest for digest, _ in trees.chunks(was)]
                yield from chunks
                if deltas is not None:
                    deltas.update(_replaced([digest for digest, _ in trees.chunks(item)], chunks))


def _replaced(new: Sequence[bytes], old: Sequence[bytes]) -> Deltas:
    """Return the chunks of a file that are new, and for each those that were in that place."""
    found: Deltas = {}
    places = {digest: at for at, digest in enumerate(old)}
    run: list[bytes] = []
    start = 0
    for digest in (*new, b""):
        at = places.get(digest, None if digest else len(old))
        if at is None:
            run.append(digest)
            continue
        if run and start < at:
            found.update(dict.fromkeys(_ends(run), tuple(_ends(old[start:at]))))
        run = []
        start = at + 1
    return found


def _ends(chunks: Sequence[bytes]) -> Sequence[bytes]:
    return chunks if len(chunks) <= 2 * _EDGE else [*chunks[:_EDGE], *chunks[-_EDGE:]]


class Differ:
    """Makes and reads differences. Used by one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._references: tuple[bytes, ...] = ()
        self._before = zstandard.ZstdCompressionDict(b"")

    def difference(self, data: bytes, references: tuple[bytes, ...]) -> bytes:
        """Return an object as a difference to others, which the store has."""
        compressor = zstandard.ZstdCompressor(
            dict_data=self._known(references), compression_params=_PARAMETERS
        )
        head = bytes([len(references)]) + b"".join(references)
        return head + compressor.compress(data)

    def whole(self, difference: bytes, length: int, digest: bytes) -> bytes:
        """Return an object from a difference, verified.

        Raises
        ------
        CorruptStoreError
            If it is none of that object, or what it is based on is not there whole.
        """
        count = difference[0] if difference else 0
        end = 1 + _ID * count
        if not 1 <= count <= _MAX_REFERENCES or len(difference) < end:
            raise CorruptStoreError("A difference is damaged.")
        references = tuple(difference[at : at + _ID] for at in range(1, end, _ID))
        frame = difference[end:]
        decompressor = zstandard.ZstdDecompressor(dict_data=self._known(references))
        try:
            # the frame names its own length, which may be damaged: never allocate by it
            if zstandard.frame_content_size(frame) != length:
                raise CorruptStoreError("A difference is damaged.")
            data = decompressor.decompress(frame)
        except zstandard.ZstdError:
            raise CorruptStoreError("A difference is damaged.") from None
        if hash_bytes(data) != digest:
            raise CorruptStoreError("A difference is damaged.")
        return data

    def _known(self, references: tuple[bytes, ...]) -> zstandard.ZstdCompressionDict:
        if references != self._references:
            places = [self._database.find(digest) for digest in references]
            if sum(place[0].length(place[1]) for place in places if place) > MAX_BEFORE:
                raise CorruptStoreError("A difference is based on too much.")
            before = b"".join(map(self._database.get, references))
            self._before = zstandard.ZstdCompressionDict(
                before, dict_type=zstandard.DICT_TYPE_RAWCONTENT
            )
            self._references = references
        return self._before
