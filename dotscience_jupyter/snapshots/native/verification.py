# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving from their bytes that native snapshots are whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from dotscience_jupyter.snapshots.content import Part, content_id, folder_id, link_hash
from dotscience_jupyter.snapshots.embedded.objects import Item
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Kind,
    Problem,
    Progress,
    SnapshotError,
    SnapshotNotFoundError,
)

from .building import hash_open
from .compare import unchanged
from .manifests import Manifests
from .tree import FILE_FLAGS, Node, Open, Tree


class Frozen(NamedTuple):
    """What is to be proven."""

    tree: Tree
    manifest: str  # "" if it could not be made, because something cannot be read
    skipped: frozenset[str]  # paths that the manifest does not speak of
    frozen_ns: int


class Verification:
    """One verify: reads each snapshot, except for blocks that it shares with the one before.

    Parameters
    ----------
    open_snapshot
        Returns what is to be proven, or raises SnapshotNotFoundError.
    same_blocks
        Tells of two open files that seem to be the same file whether they are the same blocks.
    """

    def __init__(
        self,
        manifests: Manifests,
        open_snapshot: Callable[[str], Frozen],
        same_blocks: Callable[[int, int], bool],
        progress: Progress | None,
    ) -> None:
        self._manifests = manifests
        self._open = open_snapshot
        self._same_blocks = same_blocks
        self._progress = progress
        self._problems: list[Problem] = []
        self._snapshot = ""
        self._now: Frozen | None = None
        self._before: Frozen | None = None
        self._read_before: dict[str, bytes] = {}
        self._read: dict[str, bytes] = {}
        self._done = 0

    def run(self, snapshots: Iterable[str]) -> list[Problem]:
        """Return what is wrong."""
        for snapshot in dict.fromkeys(snapshots):
            self._snapshot = snapshot
            try:
                self._now = self._open(snapshot)
                self._verify(self._now)
            except SnapshotNotFoundError:
                self._add("", "There is no such snapshot.")
                continue
            except SnapshotError as error:
                self._add("", f"The snapshot cannot be read: {error}")
                continue
            self._before, self._read_before, self._read = self._now, self._read, {}
        return self._problems

    def _add(self, path: str, message: str) -> None:
        self._problems.append(Problem(self._snapshot, path, message))

    def _verify(self, now: Frozen) -> None:
        item: Item | None = None
        if now.manifest:
            item = self._manifests.item(now.manifest, "")
        count = len(self._problems)
        with contextlib.ExitStack() as stack:
            here = stack.enter_context(now.tree.top())
            before = stack.enter_context(self._before.tree.top()) if self._before else None
            folder = self._folder(here, before, item)
        if len(self._problems) > count or not now.manifest:
            return
        known = self._manifests.content_id(now.manifest, compute=False)
        if known and content_id(now.tree.status.st_mode & 0o7777, folder) != known:
            self._add("", "What it holds is not what its content id says.")

    def _folder(self, here: Open, before: Open | None, item: Item | None) -> bytes:
        """Check what is in an open folder and return its part of the content id."""
        assert self._now is not None
        tree, skipped = self._now.tree, self._now.skipped
        known = None if item is None else self._manifests.trees.items(item.digest)
        parts: list[Part] = []
        names: set[str] = set()
        for node in tree.children(here):
            if node.path in skipped:
                continue
            names.add(node.name)
            expected = None if known is None else known.get(node.name)
            hashed = b""
            if node.kind is Kind.FOLDER:
                with contextlib.ExitStack() as stack:
                    inside = stack.enter_context(tree.inside(here, node.name))
                    if inside is None:
                        self._add(node.path, "The folder cannot be read.")
                        continue
                    old = None
                    if before is not None and self._before is not None:
                        old = stack.enter_context(self._before.tree.inside(before, node.name))
                    is_folder = expected is not None and expected.kind is Kind.FOLDER
                    hashed = self._folder(inside, old, expected if is_folder else None)
            elif node.kind is Kind.SYMLINK:
                hashed = link_hash(node.target)
            else:
                hashed = self._file(node, here, before)
            parts.append(Part(node.name, node.kind, node.mode, hashed))
            if known is not None and hashed:
                self._compare(node, expected, hashed)
        self._find_missing(here, set(known or ()) - names)
        return folder_id(parts)

    def _compare(self, node: Node, expected: Item | None, hashed: bytes) -> None:
        if expected is None or expected.kind is not node.kind:
            self._add(node.path, "It was not there when the snapshot was first read.")
        elif node.kind is Kind.FILE and expected.digest != hashed:
            self._add(node.path, "The content is not what it was when the snapshot was first read.")
        elif node.kind is Kind.SYMLINK and expected.target != node.target:
            self._add(node.path, "The link is not what it was when the snapshot was first read.")

    def _find_missing(self, here: Open, missing: set[str]) -> None:
        assert self._now is not None
        reasons = {skipped.path: skipped.reason for skipped in self._now.tree.skipped}
        for name in sorted(missing):
            path = here.place(name)
            self._add(path, f"It is missing: {reasons.get(path, 'the folder does not hold it')}.")

    def _file(self, node: Node, here: Open, before: Open | None) -> bytes:
        """Return a file's digest from its bytes; nothing, and a problem, if it cannot be read."""
        self._done += 1
        if self._progress is not None and self._done % 64 == 1:
            self._progress(self._done, 0, f"Reading {node.path}")
        try:
            fd = os.open(node.name, FILE_FLAGS, dir_fd=here.fd)
            try:
                digest = self._shared(node, fd, before)
                if not digest:
                    # what is in memory says nothing of the disk
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    digest, size = hash_open(fd)
                    if size != node.size:
                        raise CorruptStoreError("it ends before its size")
            finally:
                os.close(fd)
        except OSError as error:
            self._add(node.path, f"The content is lost: {error.strerror or error}.")
            return b""
        except CorruptStoreError as error:
            self._add(node.path, f"The content is lost: {error}.")
            return b""
        self._read[node.path] = digest
        return digest

    def _shared(self, node: Node, fd: int, before: Open | None) -> bytes:
        """Return the digest of the same blocks if they were read for the snapshot before."""
        digest = self._read_before.get(node.path, b"")
        if not digest or before is None or self._before is None:
            return b""
        old = self._before.tree.child(before, node.name)
        if old is None or not unchanged(old, node, self._before.frozen_ns):
            return b""
        other = os.open(node.name, FILE_FLAGS, dir_fd=before.fd)
        try:
            return digest if self._same_blocks(other, fd) else b""
        finally:
            os.close(other)
