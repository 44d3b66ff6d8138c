# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two frozen folders differ, and how the live folder differs from a frozen one.

In both a folder is a set of files and links; folders themselves are listed only where an empty one
came or went, or where the permissions of one that stayed are others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace

from dotscience_jupyter.snapshots.engine import (
    Change,
    CorruptStoreError,
    Difference,
    Entry,
    Kind,
    LiveChange,
    PathNotFoundError,
)
from dotscience_jupyter.snapshots.renames import live_renamed

from . import objects
from .objects import FOLDER, Item
from .scan import Folder
from .trees import Trees


def diff(trees: Trees, old: str | None, new: str, under: str = "") -> list[Difference]:
    """Compare two snapshots; see :meth:`Engine.diff`."""
    before: Item | None = None
    after: Item | None = None
    error: PathNotFoundError | None = None
    try:
        before = None if old is None else trees.lookup(old, under)
    except PathNotFoundError as missing:
        error = missing
    try:
        after = trees.lookup(new, under)
    except PathNotFoundError as missing:
        if before is None:
            raise (error or missing) from None
    return diff_items(trees, before, after, under)


def diff_items(
    trees: Trees, before: Item | None, after: Item | None, path: str
) -> list[Difference]:
    """Compare what two snapshots have at a path, None for nothing; see :meth:`Engine.diff`."""
    found = list(_diff(trees, path, before, after))
    found.sort(key=lambda difference: difference.path)
    return found


def hashed(
    trees: Trees, old: str | None, new: str, differences: list[Difference]
) -> list[Difference]:
    """Return differences with the digests that telling renames takes.

    Captured content has one when it was hashed; here it is where a file of equal size went and
    came.
    """
    gone = {_file_size(difference.old) for difference in differences if not difference.new}
    came = {_file_size(difference.new) for difference in differences if not difference.old}
    sizes = (gone & came) - {0}

    def whole(snapshot: str | None, entry: Entry | None) -> Entry | None:
        if snapshot is None or entry is None or entry.digest or _file_size(entry) not in sizes:
            return entry
        return trees.entry(trees.lookup(snapshot, entry.path), entry.path, hashed=True)

    return [
        difference
        if difference.old and difference.new
        else replace(difference, old=whole(old, difference.old), new=whole(new, difference.new))
        for difference in differences
    ]


def _file_size(entry: Entry | None) -> int:
    return entry.size if entry is not None and entry.kind is Kind.FILE else 0


def _diff(trees: Trees, path: str, old: Item | None, new: Item | None) -> Iterator[Difference]:
    if old is not None and new is not None and old.code == new.code == FOLDER:
        if old.mode != new.mode and path:
            yield Difference(path, Change.MODIFIED, trees.entry(old, path), trees.entry(new, path))
        if old.digest != new.digest:
            prefix = f"{path}/" if path else ""
            olds, news = _unshared(trees, old.digest, new.digest)
            for name in olds.keys() | news.keys():
                a, b = olds.get(name), news.get(name)
                if a != b:
                    yield from _diff(trees, prefix + name, a, b)
        return
    before = [] if old is None else list(_leaves(trees, path, old))
    after = [] if new is None else list(_leaves(trees, path, new))
    if before and after and before[0][0] == after[0][0]:
        # one thing became another under the same name
        (_, a), (_, b) = before.pop(0), after.pop(0)
        if not trees.same(a, b):
            yield Difference(path, Change.MODIFIED, trees.entry(a, path), trees.entry(b, path))
    for place, item in before:
        yield Difference(place, Change.REMOVED, trees.entry(item, place), None)
    for place, item in after:
        yield Difference(place, Change.ADDED, None, trees.entry(item, place))


def _unshared(trees: Trees, old: bytes, new: bytes) -> tuple[dict[str, Item], dict[str, Item]]:
    """Return the entries of two folders by name, without those in pages that both have."""
    old_pages, new_pages = trees.pages(old), trees.pages(new)
    shared = set(old_pages) & set(new_pages)
    first, second = (
        {item.name: item for page in pages if page not in shared for item in trees.page(page)}
        for pages in (old_pages, new_pages)
    )
    return first, second


def _leaves(trees: Trees, path: str, item: Item) -> Iterator[tuple[str, Item]]:
    """Yield the files, links and empty folders that an entry stands for."""
    if item.code != FOLDER:
        yield path, item
        return
    children = trees.children(item.digest)
    if not children:
        if path:
            yield path, item
        return
    prefix = f"{path}/" if path else ""
    for child in children:
        yield from _leaves(trees, prefix + child.name, child)


class LiveComparison:
    """Compares the result of a walk that read nothing with a frozen folder."""

    def __init__(
        self,
        trees: Trees,
        unread: dict[str, os.stat_result],
        skipped: set[str],
        digest: Callable[[str, os.stat_result], bytes | None],
        *,
        renames: bool = False,
    ) -> None:
        self._trees = trees
        self._unread = unread
        self._skipped = skipped
        self._digest = digest
        self.changes: list[LiveChange] = []
        # the files that went, and those that came: None for one that was not read
        self._renames = renames
        self._went: dict[str, Item] = {}
        self._came: dict[str, bytes | None] = {}

    def run(self, live: Folder, frozen: Item | None) -> list[LiveChange]:
        """Return the changes from ``frozen`` to ``live``, sorted by path, renames untold."""
        self._folder("", live, frozen)
        self.changes.sort(key=lambda change: change.path)
        return self.changes

    def renamed(self, changes: list[LiveChange]) -> list[LiveChange]:
        """Tell renames, if that was wanted, among changes that :meth:`run` found."""
        if not self._renames:
            return changes
        return live_renamed(changes, self._frozen_digest, self._live_digest)

    def _frozen_digest(self, path: str) -> str:
        try:
            return self._trees.digest(self._went[path]).hex()
        except CorruptStoreError:
            return ""

    def _live_digest(self, path: str) -> str:
        raw = self._came[path]
        try:
            if raw is None:
                return (self._digest(path, self._unread[path]) or b"").hex()
            return self._trees.digest(objects.decode_entry(raw)[0]).hex()
        except CorruptStoreError:
            return ""

    def _add(self, path: str, change: Change, kind: Kind, size: int) -> None:
        self.changes.append(LiveChange(path, change, kind, size))

    def _folder(self, path: str, live: Folder, frozen: Item | None) -> None:
        if frozen is not None and live.tree and live.tree == frozen.digest:
            items: dict[str, Item] | None = None
        else:
            items = {} if frozen is None else self._trees.items(frozen.digest)
        if frozen is not None and live.mode != frozen.mode and path:
            self._add(path, Change.MODIFIED, Kind.FOLDER, 0)
        if items is None:
            return
        prefix = f"{path}/" if path else ""
        files = live.listing.raw()
        if frozen is None and path and not files and not live.folders:
            self._add(path, Change.ADDED, Kind.FOLDER, 0)
        for name, raw in files.items():
            self._file(prefix + name, raw, items.get(name))
        for name, child in live.folders.items():
            item = items.get(name)
            if item is None or item.code == FOLDER:
                self._folder(prefix + name, child, item)
            elif not child.listing and not child.folders:
                self._add(prefix + name, Change.MODIFIED, Kind.FOLDER, 0)
            else:
                self._removed(prefix + name, item)
                self._folder(prefix + name, child, None)
        for name, item in items.items():
            if name not in files and name not in live.folders:
                self._gone(prefix + name, item)

    def _file(self, path: str, raw: bytes | None, frozen: Item | None) -> None:
        if frozen is not None and frozen.code == FOLDER:
            before = list(_leaves(self._trees, path, frozen))
            if before[0][0] == path:  # it was empty
                kind, size = self._describe(path, raw)
                self._add(path, Change.MODIFIED, kind, size)
                return
            self._gone(path, frozen)
            frozen = None
        if raw is None:
            self._unread_file(path, self._unread[path], frozen)
            return
        if frozen is not None:
            item = objects.decode_entry(raw)[0]
            if item == frozen or self._trees.same(item, frozen):
                return
        kind, size = self._describe(path, raw)
        if frozen is None and self._renames:
            self._came[path] = raw
        self._add(path, Change.ADDED if frozen is None else Change.MODIFIED, kind, size)

    def _describe(self, path: str, raw: bytes | None) -> tuple[Kind, int]:
        if raw is None:
            return Kind.FILE, self._unread[path].st_size
        item = objects.decode_entry(raw)[0]
        return item.kind, item.size

    def _unread_file(self, path: str, status: os.stat_result, frozen: Item | None) -> None:
        change = Change.MODIFIED
        if frozen is None:
            change = Change.ADDED
            if self._renames:
                self._came[path] = None
        elif (
            frozen.kind is Kind.FILE
            and frozen.size == status.st_size
            and frozen.mode == stat.S_IMODE(status.st_mode)
        ):
            # all that lstat can tell is the same, so only its bytes can say
            digest = self._digest(path, status)
            if digest is None or digest == self._trees.digest(frozen):
                return
        self._add(path, change, Kind.FILE, status.st_size)

    def _gone(self, path: str, frozen: Item) -> None:
        for place, item in _leaves(self._trees, path, frozen):
            if not self._is_skipped(place):
                self._removed(place, item)

    def _removed(self, path: str, frozen: Item) -> None:
        if self._renames:
            self._went[path] = frozen
        self._add(path, Change.REMOVED, frozen.kind, frozen.size)

    def _is_skipped(self, path: str) -> bool:
        """Whether a path is there but could not be looked at, so that nothing is known of it."""
        while path:
            if path in self._skipped:
                return True
            path = path.rpartition("/")[0]
        return False
