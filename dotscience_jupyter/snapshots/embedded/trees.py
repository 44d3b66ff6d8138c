# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading frozen folders and files out of the store."""

from __future__ import annotations

import io
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dotscience_jupyter.snapshots.engine import CorruptStoreError, Kind, PathNotFoundError

from . import objects
from .database import Database
from .objects import Item, Root

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT_ITEMS = 50_000


class Trees:
    """Decoded folder objects, the lately used ones kept. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[Item, ...]] = OrderedDict()
        self._count = 0

    def root(self, snapshot: str) -> Root:
        """Return a snapshot object. Raise SnapshotNotFoundError if there is no such snapshot."""
        return objects.decode_snapshot(
            self._database.get(self._database.store.require_snapshot(snapshot))
        )

    def root_item(self, snapshot: str) -> Item:
        """Return a snapshot's root folder as if it were an entry."""
        root = self.root(snapshot)
        return Item("", objects.FOLDER, root.mode, root.mtime_ns, 0, root.tree, b"", "")

    def pages(self, tree: bytes) -> list[bytes]:
        """Return the ids of a folder's pages; a small folder is its own page."""
        with self._lock:
            if tree in self._kept:
                return [tree]
        pages = objects.decode_pages(self._database.get(tree))
        return [tree] if pages is None else pages

    def page(self, page: bytes) -> tuple[Item, ...]:
        """Return the entries of one page."""
        with self._lock:
            if (known := self._kept.get(page)) is not None:
                self._kept.move_to_end(page)
                return known
        items = tuple(objects.decode_page(self._database.get(page)))
        with self._lock:
            if page not in self._kept:
                self._kept[page] = items
                self._count += len(items) + 1
                while self._count > _KEPT_ITEMS and len(self._kept) > 1:
                    self._count -= len(self._kept.popitem(last=False)[1]) + 1
        return items

    def items(self, tree: bytes) -> dict[str, Item]:
        """Return a folder's entries by name.

        Raises
        ------
        CorruptStoreError
            If it cannot be read, or names something twice.
        """
        found: dict[str, Item] = {}
        count = 0
        for page in self.pages(tree):
            items = self.page(page)
            count += len(items)
            for item in items:
                found[item.name] = item
        if len(found) != count:
            raise CorruptStoreError("A folder's listing names something twice.")
        return found

    def lookup(self, snapshot: str, path: str) -> Item:
        """Return the entry at a path ("" is the root). Raise PathNotFoundError if there is none."""
        item = self.root_item(snapshot)
        if not path:
            return item
        for name in path.split("/"):
            found = self.items(item.digest).get(name) if item.code == objects.FOLDER else None
            if found is None:
                raise PathNotFoundError(f"The snapshot holds no {path!r}.")
            item = found
        return item

    def folder(self, snapshot: str, path: str) -> Item:
        """Return the folder at a path. Raise PathNotFoundError if there is none."""
        item = self.lookup(snapshot, path)
        if item.code != objects.FOLDER:
            raise PathNotFoundError(f"{path!r} is not a folder in this snapshot.")
        return item

    def children(self, tree: bytes) -> list[Item]:
        """Return a folder's entries sorted by name."""
        items = self.items(tree)
        return [items[name] for name in sorted(items)]

    def walk(self, tree: bytes, under: str = "") -> Iterator[tuple[str, Item]]:
        """Yield (path, entry) of all that is below a folder, depth first."""
        stack = [iter(self.children(tree))]
        prefixes = [f"{under}/" if under else ""]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
                prefixes.pop()
                continue
            path = prefixes[-1] + item.name
            yield path, item
            if item.code == objects.FOLDER:
                stack.append(iter(self.children(item.digest)))
                prefixes.append(path + "/")

    def chunks(self, item: Item) -> Iterator[tuple[bytes, int]]:
        """Yield (id, length) of a file's chunks in order; nothing for a link.

        Raises
        ------
        CorruptStoreError
            If a list of chunks cannot be read, or does not add up to the file's size.
        """
        if item.code != objects.LISTED_FILE:
            if item.code == objects.FILE and item.size:
                yield item.digest, item.size
            return
        total = 0
        for digest, length in self._listed(item.list_id, None):
            total += length
            yield digest, length
        if total != item.size:
            raise CorruptStoreError("A file's list of chunks does not add up to its size.")

    def _listed(self, list_id: bytes, expected: int | None) -> Iterator[tuple[bytes, int]]:
        level, items = objects.decode_list(self._database.get(list_id))
        if expected is not None and level != expected:
            raise CorruptStoreError("A file's lists of chunks are out of order.")
        if level == 0:
            yield from items
            return
        for child, _ in items:
            yield from self._listed(child, level - 1)

    def lists(self, item: Item) -> Iterator[bytes]:
        """Yield the ids of the objects that list a file's chunks."""
        if item.code == objects.LISTED_FILE:
            pending = [item.list_id]
            while pending:
                list_id = pending.pop()
                yield list_id
                level, items = objects.decode_list(self._database.get(list_id))
                if level:
                    pending.extend(child for child, _ in items)

    def chunk_at(self, item: Item, offset: int) -> tuple[bytes, int, int]:
        """Return (id, start, length) of the chunk of a file that holds an offset below its size."""
        if item.code == objects.FILE:
            return item.digest, 0, item.size
        list_id, start, expected = item.list_id, 0, -1
        while True:
            level, items = objects.decode_list(self._database.get(list_id))
            if expected >= 0 and level != expected:
                raise CorruptStoreError("A file's lists of chunks are out of order.")
            ends: list[int] = []
            end = start
            for _, length in items:
                end += length
                ends.append(end)
            at = bisect_right(ends, offset)
            if at == len(items):
                raise CorruptStoreError("A file's list of chunks does not add up to its size.")
            digest, length = items[at]
            start = ends[at] - length
            if level == 0:
                return digest, start, length
            list_id, expected = digest, level - 1

    def read_chunk(self, digest: bytes, length: int) -> bytes:
        """Return a chunk, verified."""
        data = self._database.get(digest)
        if len(data) != length:
            raise CorruptStoreError("A chunk of a file does not have the length it should have.")
        return data


class FrozenFile(io.RawIOBase):
    """A file of a snapshot; reads only the chunks that are asked for."""

    def __init__(self, trees: Trees, item: Item, path: str) -> None:
        super().__init__()
        if item.kind is not Kind.FILE:
            raise PathNotFoundError(f"{path!r} is not a file in this snapshot.")
        self.name = path
        self._trees = trees
        self._item = item
        self._position = 0
        self._start = 0
        self._chunk = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which may be behind the end, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._item.size}
        if whence not in base:
            raise ValueError(f"whence is {whence}, and should be 0, 1 or 2")
        if base[whence] + offset < 0:
            raise ValueError("a position before the start of the file")
        self._position = base[whence] + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what is left of the chunk at the position. Raise CorruptStoreError if damaged."""
        if self.closed:
            raise ValueError("read of a closed file")
        if self._position >= self._item.size:
            return 0
        if not self._start <= self._position < self._start + len(self._chunk):
            digest, start, length = self._trees.chunk_at(self._item, self._position)
            self._chunk = self._trees.read_chunk(digest, length)
            self._start = start
        view = memoryview(buffer).cast("B")
        at = self._position - self._start
        count = min(len(view), len(self._chunk) - at)
        view[:count] = memoryview(self._chunk)[at : at + count]
        self._position += count
        return count
