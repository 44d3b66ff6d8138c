# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading frozen folders and files out of the store."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Entry,
    Kind,
    PathNotFoundError,
)

from . import objects
from .captures import PART, Captures
from .database import Database
from .objects import Item, Root
from .prefixes import Prefixes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT_ITEMS = 50_000
_FEW_PAGES = 4
"""So many pages for each name that is looked for are read one after the other."""

_PART = struct.Struct("<32sQQ")
"""In place of a chunk's id, for a part of a captured file: its key, its size, the position."""


class Trees:
    """Decoded folder objects, the lately used ones kept, and what their entries stand for.

    Thread-safe. Entries are as they are stored: one whose content was captured and not hashed at
    once says so for ever, because snapshots do not change. :meth:`resolved` and all that takes an
    entry look up what became of it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.captures = Captures(database.store)
        self.prefixes = Prefixes()
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[Item, ...]] = OrderedDict()
        self._count = 0

    @property
    def database(self) -> Database:
        """What the entries are read from."""
        return self._database

    def root(self, snapshot: str) -> Root:
        """Return a snapshot object. Raise SnapshotNotFoundError if there is no such snapshot."""
        return objects.decode_snapshot(
            self._database.get(self._database.store.require_snapshot(snapshot))
        )

    def root_item(self, snapshot: str) -> Item:
        """Return a snapshot's root folder as if it were an entry."""
        return _as_item(self.root(snapshot))

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

    def size(self, pages: Iterable[bytes]) -> int:
        """Return the bytes of some pages; nothing of them is read."""
        places = map(self._database.find, pages)
        return sum(place[0].length(place[1]) for place in places if place is not None)

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

    def named(self, tree: bytes, names: Collection[str]) -> dict[str, Item]:
        """Return those of some names that a folder holds.

        Only a name that is not found raises CorruptStoreError for a page that cannot be read.
        """
        found: dict[str, Item] = {}
        damage: CorruptStoreError | None = None
        for page in self._pages_with(self.pages(tree), names):
            try:
                found.update((item.name, item) for item in self.page(page) if item.name in names)
            except CorruptStoreError as error:
                damage = error
        if damage is not None and len(found) < len(names):
            raise damage
        return found

    def _pages_with(self, pages: list[bytes], names: Collection[str]) -> list[bytes]:
        """Return those of a folder's pages that may hold some names."""
        if len(pages) <= _FEW_PAGES * len(names):
            return pages
        try:
            return [pages[at] for at in sorted({self.page_for(pages, name) for name in names})]
        except CorruptStoreError:
            return pages  # others may be there

    def page_for(self, pages: list[bytes], name: str) -> int:
        """Return the number of the page that holds a name, or would if it were there."""
        return max(0, bisect_right(pages, os.fsencode(name), key=self._first) - 1)

    def _first(self, page: bytes) -> bytes:
        """Return the first name in a page."""
        with self._lock:
            known = self._kept.get(page)
        return os.fsencode(known[0].name if known else objects.first_name(self._database.get(page)))

    def lookup(self, snapshot: str, path: str) -> Item:
        """Return the entry at a path ("" is the root). Raise PathNotFoundError if there is none."""
        return self.below(self.root(snapshot), path)

    def below(self, root: Root, path: str) -> Item:
        """Return the entry at a path below a root; see :meth:`lookup`."""
        item = _as_item(root)
        if not path:
            return item
        for name in path.split("/"):
            found = None
            if item.code == objects.FOLDER:
                found = self.named(item.digest, (name,)).get(name)
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

    def children(self, tree: bytes, names: Collection[str] | None = None) -> list[Item]:
        """Return a folder's entries, or those with some names, sorted by name."""
        items = self.items(tree) if names is None else self.named(tree, names)
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

    # -- what an entry stands for --------------------------------------------------------------

    def resolved(self, item: Item) -> Item:
        """Return an entry with its content's digest and chunks, if these are known by now.

        An entry whose content was captured stays as it is until it was hashed.

        Raises
        ------
        CorruptStoreError
            If they were known, and are lost.
        """
        if item.code != objects.CAPTURED_FILE:
            return item
        found = self.captures.resolve(item.digest)
        if found is None:
            return item
        if found.size != item.size:
            raise CorruptStoreError("What captured content became does not have its size.")
        code = objects.LISTED_FILE if found.list_id else objects.FILE
        return item._replace(code=code, digest=found.digest, list_id=found.list_id)

    def digest(self, item: Item) -> bytes:
        """Return the BLAKE3 of a file's content, by reading all of it if need be."""
        while True:
            item = self.resolved(item)
            if item.code != objects.CAPTURED_FILE:
                return item.digest
            with contextlib.suppress(FileNotFoundError):  # hashed just now
                return self.captures.digest(item.digest, item.size)
            self._require_resolved(item)

    def _require_resolved(self, item: Item) -> Item:
        resolved = self.resolved(item)
        if resolved.code == objects.CAPTURED_FILE:
            raise CorruptStoreError(
                f"captures/{item.digest[:16].hex()}.cap, which holds its content, is missing."
            )
        return resolved

    def entry(self, item: Item, path: str, *, hashed: bool = False) -> Entry:
        """Return an entry as the interface shows it, with the digest if it is known.

        With ``hashed`` it is always known, and what is damaged raises CorruptStoreError.
        """
        if item.code != objects.CAPTURED_FILE:
            return item.entry(path)
        if hashed:
            return replace(item.entry(path), digest=self.digest(item).hex())
        with contextlib.suppress(CorruptStoreError):  # it is told when the content is read
            item = self.resolved(item)
        return item.entry(path)

    def same(self, one: Item, other: Item) -> bool:
        """Whether kind, permissions and content of two entries are the same."""
        if one.same(other):
            return True
        if objects.CAPTURED_FILE not in (one.code, other.code):
            return False
        if (one.kind, one.mode, one.size) != (other.kind, other.mode, other.size):
            return False
        return self.digest(one) == self.digest(other)

    def is_stored(self, item: Item) -> bool:
        """Whether all that a file needs is there; nothing of it is read."""
        try:
            item = self.resolved(item)
            if item.code == objects.CAPTURED_FILE:
                return self.captures.exists(item.digest)
            return all(self._database.has(digest) for digest, _ in self.chunks(item))
        except CorruptStoreError:
            return False

    def chunks(self, item: Item) -> Iterator[tuple[bytes, int]]:
        """Yield (id, length) of a file's chunks in order; nothing for a link.

        What was not hashed yet has no chunks in packs: its ids are only for :meth:`read_chunk`.

        Raises
        ------
        CorruptStoreError
            If a list of chunks cannot be read, or does not add up to the file's size.
        """
        item = self.resolved(item)
        if item.code == objects.CAPTURED_FILE:
            for position in range(0, item.size, PART):
                length = min(PART, item.size - position)
                yield _PART.pack(item.digest, item.size, position), length
            return
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
        item = self.resolved(item)
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
        item = self.resolved(item)
        if item.code == objects.CAPTURED_FILE:
            start = offset - offset % PART
            part = _PART.pack(item.digest, item.size, start)
            return part, start, min(PART, item.size - start)
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
        if len(digest) == _PART.size:
            key, size, position = _PART.unpack(digest)
            return self._read_part(key, size, position, length)
        data = self._database.get(digest)
        if len(data) != length:
            raise CorruptStoreError("A chunk of a file does not have the length it should have.")
        return data

    def _read_part(self, key: bytes, size: int, position: int, length: int) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            return self.captures.read(key, size, position, length)
        # it was hashed since, so it is in packs now
        item = Item("", objects.CAPTURED_FILE, 0, 0, size, key, b"", "")
        item = self._require_resolved(item)
        parts: list[bytes] = []
        end = position + length
        while position < end:
            digest, start, count = self.chunk_at(item, position)
            data = self.read_chunk(digest, count)[position - start : end - start]
            parts.append(data)
            position += len(data)
        return b"".join(parts)


def _as_item(root: Root) -> Item:
    return Item("", objects.FOLDER, root.mode, root.mtime_ns, 0, root.tree, b"", "")


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
