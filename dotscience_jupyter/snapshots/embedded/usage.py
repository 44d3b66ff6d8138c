# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much room each snapshot takes, alone and together with others."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    SnapshotNotFoundError,
    SnapshotUsage,
    Usage,
)

from .database import Database
from .objects import CAPTURED_FILE, FOLDER, LINK, Item
from .packset import PackSet
from .trees import Trees

_SEVERAL = (1 << 32) - 1


class _Node(NamedTuple):
    """An object that refers to others."""

    id: bytes
    item: Item | None  # whose folder object or list of chunks it is; None for a folder's page


def total(database: Database, trees: Trees) -> Usage:
    """Return how much room all of a store takes; ``extra`` has the number of packs and objects."""
    usage = Usage()
    for folder, _, names in os.walk(database.store.folder):
        for name in names:
            try:
                usage.stored_bytes += os.lstat(f"{folder}/{name}").st_size
            except FileNotFoundError:
                continue  # merged or finished just now
    for snapshot in database.store.snapshot_ids():
        usage.snapshots += 1
        try:
            usage.logical_bytes += trees.root(snapshot).size
        except (CorruptStoreError, SnapshotNotFoundError):
            continue  # for verify to report
    usage.extra["packs"] = len(database.packs)
    usage.extra["objects"] = sum(map(len, database.packs))
    return usage


class Accounting:
    """Adds up what snapshots need, going from each one to the next by what differs.

    Every object has the number of references that the current snapshot's objects have to it. The
    next snapshot's root is referred to before the last one's is let go, so nothing is looked at
    that both have. An object comes into a snapshot with its first reference and leaves with its
    last, which tells how many snapshots it was in.
    """

    def __init__(self, database: Database, trees: Trees) -> None:
        self._trees = trees
        self._packs = PackSet()
        self._packs.change(database.packs)
        self._starts: dict[str, int] = {}
        total = 0
        for pack in self._packs.packs:
            self._starts[pack.name] = total
            total += len(pack)
        self._references = array("Q", bytes(8 * total))
        # the number, from 1, of the snapshot that an object came with; the only one that it was in
        self._came = array("I", bytes(4 * total))
        self._only = array("I", bytes(4 * total))
        # captured content has no place in a pack until it is hashed
        self._captured: dict[bytes, tuple[int, int]] = {}
        self._nodes: dict[bytes, int] = {}
        self._now = 0
        self._room = 0
        self._alone: list[int] = []

    def run(self, snapshots: Iterable[str]) -> list[SnapshotUsage]:
        """Return the usage of snapshots, in their order; those that cannot be read are left out."""
        found: list[tuple[str, int, int]] = []
        last: Iterable[_Node] = ()
        last_id = b""
        for snapshot in snapshots:
            try:
                root = self._trees.root(snapshot)
                item = self._trees.root_item(snapshot)
            except (CorruptStoreError, SnapshotNotFoundError):
                continue
            self._now = len(found) + 1
            key = bytes.fromhex(snapshot)
            self._refer(key, 1)
            self._count([_Node(item.digest, item)], 1)
            self._now -= 1
            self._let_go(last_id, last)
            found.append((snapshot, self._room, root.size))
            last, last_id = [_Node(item.digest, item)], key
        self._now = len(found)
        self._let_go(last_id, last)
        alone = [0] * (len(found) + 1)
        for pack in self._packs.packs:
            start = self._starts[pack.name]
            for at in range(len(pack)):
                only = self._only[start + at]
                if only not in (0, _SEVERAL):
                    alone[only] += pack.stored(at)
        for number, size in self._captured.values():
            if self._only[number] not in (0, _SEVERAL):
                alone[self._only[number]] += size
        return [
            SnapshotUsage(snapshot, alone[number], room - alone[number], logical)
            for number, (snapshot, room, logical) in enumerate(found, 1)
        ]

    def _let_go(self, snapshot: bytes, nodes: Iterable[_Node]) -> None:
        if snapshot:
            self._refer(snapshot, -1)
            self._count(list(nodes), -1)

    def _count(self, pending: list[_Node], step: int) -> None:
        """Add or take away a reference to objects, and to what they refer to if they come or go."""
        while pending:
            node = pending.pop()
            self._refer(node.id, step)
            before = self._nodes.get(node.id, 0)
            after = before + step
            if after:
                self._nodes[node.id] = after
            else:
                del self._nodes[node.id]
            if before and after:
                continue
            try:
                pending.extend(self._below(node, step))
            except CorruptStoreError:
                continue  # for verify to report

    def _below(self, node: _Node, step: int) -> Iterator[_Node]:
        """Yield the objects that one refers to, as far as they refer to others; count the rest."""
        if node.item is not None and node.item.code != FOLDER:
            for list_id in self._trees.lists(node.item):
                if list_id != node.id:
                    self._refer(list_id, step)
            for chunk, _ in self._trees.chunks(node.item):
                self._refer(chunk, step)
            return
        pages = [node.id] if node.item is None else self._trees.pages(node.id)
        if pages != [node.id]:
            for page in pages:
                yield _Node(page, None)
            return
        for item in self._trees.page(node.id):
            if item.code == LINK:
                continue
            found = self._trees.resolved(item)
            if found.code == FOLDER:
                yield _Node(found.digest, found)
            elif found.list_id:
                yield _Node(found.list_id, found)
            elif found.size:
                if found.code == CAPTURED_FILE and found.digest not in self._captured:
                    self._captured[found.digest] = (len(self._only), found.size)
                    for column in (self._references, self._came, self._only):
                        column.append(0)
                self._refer(found.digest, step)

    def _refer(self, digest: bytes, step: int) -> None:
        number, room = self._place(digest)
        if number < 0:
            return
        before = self._references[number]
        after = self._references[number] = before + step
        if not before:
            self._came[number] = self._now
            self._room += room
        elif not after:
            self._room -= room
            alone = self._came[number] == self._now and not self._only[number]
            self._only[number] = self._now if alone else _SEVERAL

    def _place(self, digest: bytes) -> tuple[int, int]:
        """Return an object's number, -1 if it is missing, and the bytes that it takes."""
        if digest in self._captured:
            return self._captured[digest]
        for pack, at in self._packs.places(digest):
            return self._starts[pack.name] + at, pack.stored(at)
        return -1, 0
