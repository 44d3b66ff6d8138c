# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making a manifest of a snapshot from the one before and what changed since."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.embedded import objects
from dotscience_jupyter.snapshots.embedded.objects import FOLDER, LINK, Item, Root
from dotscience_jupyter.snapshots.embedded.packs import hash_bytes
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import CorruptStoreError, Kind

from .compare import Touched, above_of, to_look_at, unchanged
from .tree import FILE_FLAGS, Node, Open, Tree

_PIECE = 1 << 22


def hash_open(fd: int, on_read: Callable[[int], None] | None = None) -> tuple[bytes, int]:
    """Return the BLAKE3 of an open file from its position on, and the number of bytes."""
    hasher = blake3(max_threads=blake3.AUTO)
    total = 0
    # not through a memory map: where the disk fails, that would end the process
    while data := os.read(fd, _PIECE):
        hasher.update(data)
        total += len(data)
        if on_read is not None:
            on_read(len(data))
    return hasher.digest(), total


class Base(NamedTuple):
    """A snapshot whose manifest is known, and what changed since."""

    tree: Tree
    root: Root
    frozen_ns: int
    touched: Touched | None


class Builder:
    """Makes the objects of a manifest.

    Parameters
    ----------
    on_read
        Told of each file that is read, and of each part of it: its path, and the bytes. It may
        raise an exception to give up.

    Attributes
    ----------
    folders
        Ids and bytes of the folder objects, without those that are the base's.
    """

    def __init__(
        self,
        tree: Tree,
        base: Base | None,
        trees: Trees,
        on_read: Callable[[str, int], None],
    ) -> None:
        self._tree = tree
        self._base = base
        self._trees = trees
        self._on_read = on_read
        self.folders: list[tuple[bytes, bytes]] = []
        self._files = 0
        self._bytes = 0
        self._touched: Touched | None = None
        self._around: set[str] = set()
        if base is not None:
            self._files, self._bytes = base.root.files, base.root.size
            if base.touched is not None:
                self._touched = dict(to_look_at(base.touched))
                for path in self._touched:
                    self._around.update((path, *above_of(path)))

    def run(self) -> Root:
        """Build and return the root. Raise CorruptStoreError if a file cannot be read."""
        status = self._tree.status
        base = self._base
        with contextlib.ExitStack() as stack:
            here = stack.enter_context(self._tree.top())
            before = None
            item = None
            if base is not None:
                before = stack.enter_context(base.tree.top())
                item = Item("", FOLDER, 0, 0, 0, base.root.tree, b"", "")
            deep = self._touched is None or self._touched.get("", False)
            tree = self._folder(here, before, item, deep)
        return Root(status.st_mode & 0o7777, status.st_mtime_ns, self._files, self._bytes, tree)

    def _folder(self, here: Open, before: Open | None, item: Item | None, deep: bool) -> bytes:
        """Return the id of the object of a folder that is not known to be the same.

        ``item`` is what the base's manifest says of it, ``before`` the same folder in the base.
        """
        known = {} if item is None else self._trees.items(item.digest)
        for old in known.values():
            self._count(old, -1)
        encoded: dict[str, bytes] = {}
        for node in self._tree.children(here):
            encoded[node.name] = self._entry(node, here, before, known.pop(node.name, None), deep)
        for old in known.values():
            self._count_below(old, -1)
        pages = objects.encode_folder(encoded)
        ids = [hash_bytes(page) for page in pages]
        self.folders += zip(ids, pages, strict=True)
        if len(pages) == 1:
            return ids[0]
        listing = objects.encode_pages(ids)
        digest = hash_bytes(listing)
        self.folders.append((digest, listing))
        return digest

    def _entry(
        self, node: Node, here: Open, before: Open | None, known: Item | None, deep: bool
    ) -> bytes:
        mtime_ns = node.status.st_mtime_ns
        if node.kind is Kind.SYMLINK:
            self._forget_folder(known)
            return objects.encode_link(node.name, mtime_ns, node.target)
        deep = deep or (self._touched is not None and self._touched.get(node.path, False))
        if node.kind is Kind.FOLDER:
            if known is not None and known.code != FOLDER:
                known = None
            if known is not None and not deep and node.path not in self._around:
                return objects.encode_folder_entry(node.name, node.mode, mtime_ns, known.digest)
            with contextlib.ExitStack() as stack:
                inside = stack.enter_context(self._tree.inside(here, node.name))
                if inside is None:
                    raise CorruptStoreError(f"The folder {node.path!r} cannot be read.")
                old = None
                if known is not None and before is not None and self._base is not None:
                    old = stack.enter_context(self._base.tree.inside(before, node.name))
                tree = self._folder(inside, old, known, deep)
            return objects.encode_folder_entry(node.name, node.mode, mtime_ns, tree)
        self._forget_folder(known)
        digest = self._known_digest(node, before, known, deep)
        if not digest:
            digest = self._hash(node, here)
        self._files += 1
        self._bytes += node.size
        group = node.status.st_ino if node.status.st_nlink > 1 else 0
        return objects.encode_file(node.name, node.mode, mtime_ns, node.size, digest, b"", group)

    def _known_digest(
        self, node: Node, before: Open | None, known: Item | None, deep: bool
    ) -> bytes:
        """Return a file's digest if the base has the file as it is, else nothing."""
        if self._base is None or before is None or known is None:
            return b""
        if known.kind is not Kind.FILE or known.size != node.size:
            return b""
        if not deep and self._touched is not None and node.path not in self._around:
            return known.digest
        old = self._base.tree.child(before, node.name)
        if old is None or not unchanged(old, node, self._base.frozen_ns):
            return b""
        return known.digest

    def _hash(self, node: Node, here: Open) -> bytes:
        self._on_read(node.path, 0)
        try:
            fd = os.open(node.name, FILE_FLAGS, dir_fd=here.fd)
            try:
                digest, size = hash_open(fd, lambda count: self._on_read(node.path, count))
            finally:
                os.close(fd)
        except OSError as error:
            raise CorruptStoreError(
                f"{node.path!r} cannot be read: {error.strerror or error}."
            ) from error
        if size != node.size:
            raise CorruptStoreError(f"{node.path!r} has {size} bytes and should have {node.size}.")
        return digest

    # -- counting --------------------------------------------------------------------------------

    def _count(self, item: Item, sign: int) -> None:
        if item.code not in (FOLDER, LINK):
            self._files += sign
            self._bytes += sign * item.size

    def _forget_folder(self, known: Item | None) -> None:
        """Take off what was counted below a folder that something else stands in place of."""
        if known is not None:
            self._count_below(known, -1)

    def _count_below(self, item: Item, sign: int) -> None:
        if item.code == FOLDER:
            for _, below in self._trees.walk(item.digest, ""):
                self._count(below, sign)
