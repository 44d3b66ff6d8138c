# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving that all that a snapshot needs arrived, and fits together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError, SnapshotError
from dotscience_jupyter.snapshots.ignore import NEVER

from . import objects
from .contents import FILES, ContentCache
from .database import Database
from .objects import CAPTURED_FILE, FILE, FOLDER, LISTED_FILE, Item, Root
from .packs import hash_bytes
from .trees import Trees
from .wholes import is_whole

MAX_LACKING = 100_000
"""So many ids of what is lacking are gathered at most."""

_EMPTY = hash_bytes(b"")
_MAX_DEPTH = 400
_DISORDER = "A folder's listing is out of order."


class Proof:
    """Proves that all that snapshots need is there, and fits together.

    Parameters
    ----------
    cache
        What is known of files in chunks that were hashed as a whole before, and where more of it
        is kept.

    Attributes
    ----------
    lacking
        Ids of objects that are not there, or damaged; at most :data:`MAX_LACKING`.
    """

    def __init__(self, database: Database, trees: Trees, cache: ContentCache) -> None:
        self._database = database
        self._trees = trees
        self._cache = cache
        self._proven: set[bytes] = set()
        self._pages: set[bytes] = set()
        self._pairs: set[tuple[bytes, bytes]] = set()
        self._hashed: dict[bytes, bytes] = {}
        self.lacking: dict[bytes, None] = {}

    def run(self, snapshot: str, bases: Iterable[str]) -> Root | None:
        """Go through a snapshot that is not on the list yet; what ``bases`` have is trusted.

        Returns the snapshot's object; None if something is lacking.

        Raises
        ------
        CorruptStoreError
            If something is not what the snapshot says of it.
        """
        before = len(self.lacking)
        try:
            root = self._run(bytes.fromhex(snapshot), bases)
        finally:
            self._cache.put(FILES, self._hashed)
            self._hashed = {}
        return root if len(self.lacking) == before else None

    def _run(self, snapshot: bytes, bases: Iterable[str]) -> Root | None:
        if self._lacks(snapshot):
            return None
        root = objects.decode_snapshot(self._database.get(snapshot))
        item = Item("", FOLDER, root.mode, root.mtime_ns, 0, root.tree, b"", "")
        known: list[Item] = []
        for base in bases:
            with contextlib.suppress(SnapshotError):  # damaged, or destroyed meanwhile
                known.append(self._trees.root_item(base))
        pending: list[tuple[Item, list[Item], int]] = [(item, known, 0)]
        while pending and len(self.lacking) < MAX_LACKING:
            item, known, depth = pending.pop()
            if depth > _MAX_DEPTH:
                raise CorruptStoreError("Its folders are nested deeper than any that we freeze.")
            if item.mode > 0o7777:
                raise CorruptStoreError("It holds permissions that no file can have.")
            if item.code == FOLDER:
                pending.extend((*pair, depth + 1) for pair in self._folder(item, known))
            else:
                self._file(item, known)
        return root

    def _folder(self, item: Item, known: list[Item]) -> Iterator[tuple[Item, list[Item]]]:
        """Yield a folder's entries that are not trusted, with those of the same name before."""
        known = [old for old in known if old.code == FOLDER]
        if item.digest in self._proven or any(old.digest == item.digest for old in known):
            return
        self._proven.add(item.digest)
        try:
            pages = self._trees.pages(item.digest)
        except CorruptStoreError:
            if self._lacks(item.digest):
                return
            raise
        trusted, pairs, before = self._before(known, set(pages))
        for page in pages:
            if page not in trusted and page not in self._pages:
                self._pages.add(page)
                yield from self._page(page, before)
        for pair in pairwise(pages):
            if pair not in pairs and pair not in self._pairs:
                self._follows(*pair)
                self._pairs.add(pair)

    def _follows(self, page: bytes, other: bytes) -> None:
        """Raise CorruptStoreError unless all names of a page are before those of another one."""
        try:
            before, after = self._trees.page(page), self._trees.page(other)
        except CorruptStoreError:
            if self._lacks(page) or self._lacks(other):
                return
            raise
        if not before or not after or _name(before[-1]) >= _name(after[0]):
            raise CorruptStoreError(_DISORDER)

    def _page(
        self, page: bytes, before: dict[str, list[Item]]
    ) -> Iterator[tuple[Item, list[Item]]]:
        try:
            entries = self._trees.page(page)
        except CorruptStoreError:
            if self._lacks(page):
                return
            raise
        if any(_name(one) >= _name(other) for one, other in pairwise(entries)):
            raise CorruptStoreError(_DISORDER)
        for entry in entries:
            if entry.name in NEVER:
                raise CorruptStoreError(
                    f"It holds {entry.name!r}, which is never part of a snapshot."
                )
            if entry.code != CAPTURED_FILE or not self._lacks_map(entry, page):
                yield entry, before.get(entry.name, [])

    def _before(
        self, known: list[Item], pages: set[bytes]
    ) -> tuple[set[bytes], set[tuple[bytes, bytes]], dict[str, list[Item]]]:
        """Return the pages of known folders, which of them follow which, and what is in others.

        The last is by name, of those that are not ``pages``. What cannot be read is not known.
        """
        trusted: set[bytes] = set()
        pairs: set[tuple[bytes, bytes]] = set()
        before: dict[str, list[Item]] = {}
        for digest in {old.digest for old in known}:
            with contextlib.suppress(CorruptStoreError):
                found = self._trees.pages(digest)
                trusted.update(found)
                pairs.update(pairwise(found))
        for page in trusted - pages:
            with contextlib.suppress(CorruptStoreError):
                for old in self._trees.page(page):
                    if old.code in (FOLDER, LISTED_FILE, CAPTURED_FILE):
                        before.setdefault(old.name, []).append(old)
        return trusted, pairs, before

    def _file(self, item: Item, known: list[Item]) -> None:
        if any(_content(old) == _content(item) for old in known):
            return
        item = self._trees.resolved(item)
        if item.code == FILE:
            if item.size:
                self._require(item.digest, item.size)
            elif item.digest != _EMPTY:
                raise CorruptStoreError("An empty file is said to have a content.")
        elif item.code == LISTED_FILE:
            try:
                self._listed(item)
            except CorruptStoreError:
                if not self._lacks_chunks(item):
                    raise
        elif not item.target or "\0" in item.target:
            raise CorruptStoreError("A link points to what no link can point to.")

    def _listed(self, item: Item) -> None:
        """Prove a file in chunks, by hashing all of it if that was never done."""
        if item.list_id + item.digest in self._proven:
            return
        known = self._cache.get(FILES, [item.list_id]).get(item.list_id)
        if known is None:
            known = self._hashed[item.list_id] = self._whole(item)
        else:
            for chunk, length in self._trees.chunks(item):
                self._require(chunk, length)
        if known != item.digest:
            raise CorruptStoreError("A file is not what it is said to be.")
        if not self.lacking:
            self._proven.add(item.list_id + item.digest)

    def _whole(self, item: Item) -> bytes:
        """Return the digest that a file in chunks has."""
        with contextlib.suppress(CorruptStoreError):
            if is_whole(self._trees, item):
                return item.digest
        # it is not what it is said to be, or a chunk is damaged or not there: each is looked at
        hasher = blake3()
        for chunk, length in self._trees.chunks(item):
            hasher.update(self._trees.read_chunk(chunk, length))
        return hasher.digest()

    def _require(self, digest: bytes, length: int) -> None:
        found = self._database.find(digest)
        if found is None:
            self.lacking[digest] = None
            return
        pack, at = found
        if pack.length(at) != length:
            raise CorruptStoreError("A file does not have the size that it is said to have.")

    # -- what is lacking -----------------------------------------------------------------------

    def _lacks(self, digest: bytes) -> bool:
        """Whether an object is not there whole; then it is noted."""
        try:
            if self._database.has(digest):  # looking for what is nowhere takes long
                self._database.get(digest)
                return False
        except CorruptStoreError:
            pass
        self.lacking[digest] = None
        return True

    def _lacks_map(self, item: Item, page: bytes) -> bool:
        """Whether it is not known what captured content became.

        Then the page that names it is noted: it comes with what is known of that.
        """
        try:
            if self._trees.resolved(item).code != CAPTURED_FILE:
                return False
        except CorruptStoreError:
            pass
        self.lacking[page] = None
        return True

    def _lacks_chunks(self, item: Item) -> bool:
        """Whether a part of a file is not there whole; all those parts are noted."""
        found = False
        pending = [item.list_id]
        while pending and len(self.lacking) < MAX_LACKING:
            list_id = pending.pop()
            if self._lacks(list_id):
                found = True
                continue
            level, items = objects.decode_list(self._database.get(list_id))
            if level:
                pending.extend(child for child, _ in items)
                continue
            for chunk, _ in items:
                found |= self._lacks(chunk)
        return found


def _name(item: Item) -> bytes:
    return os.fsencode(item.name)


def _content(item: Item) -> tuple[int, int, bytes, bytes]:
    return item.code, item.size, item.digest, item.list_id
