# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading snapshots that are folder trees on disk."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.snapshots.embedded.store import Store
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Difference,
    Entry,
    Kind,
    LiveChange,
    Progress,
    Skipped,
    SnapshotError,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.ignore import Rules
from dotscience_jupyter.snapshots.renames import below, live_renamed, renamed

from .compare import Comparison, Touched, with_all_names
from .copying import restore
from .differing import by_manifests, of_live, with_digests
from .digests import Digests
from .hooks import Hooks
from .manifests import Manifests
from .tree import FrozenFile, Tree


class Reading(Hooks):
    """What :class:`NativeEngine` offers to those who read snapshots; nothing is written.

    Parameters
    ----------
    root
        Absolute path of the folder that was frozen.
    store
        Where manifests are kept.
    """

    def __init__(self, root: str, store: Store) -> None:
        self.root = root
        self._store = store
        self._manifests = Manifests(store)
        self._digests = Digests(self._manifests, self._tree)
        self._rules: dict[bytes, Rules] = {}

    def _require(self, snapshot: str) -> str:
        """Return where a snapshot's tree is, or raise SnapshotNotFoundError."""
        place = self._place(snapshot)
        if not place:
            raise SnapshotNotFoundError(
                f"There is no snapshot {snapshot[:64]!r} in this workspace."
            )
        return place

    def _tree(self, snapshot: str) -> Tree:
        """Return what is to be shown of a snapshot."""
        return Tree(self._require(snapshot), self._is_other, rules=self._rules)

    def _logical(self, snapshot: str) -> int:
        """Return the sizes of a snapshot's files added up."""
        manifest = self._manifests.find(snapshot)
        if manifest:
            with contextlib.suppress(CorruptStoreError):
                return self._manifests.root(manifest).size
        return sum(node.size for node in self._tree(snapshot).walk() if node.kind is Kind.FILE)

    def exists(self, snapshot: str) -> bool:
        """Whether that snapshot is there."""
        return bool(self._place(snapshot))

    def skipped(self, snapshot: str) -> tuple[Skipped, ...]:
        """Return what could not be frozen, as far as a manifest tells."""
        return self._manifests.skipped(snapshot)

    def logical_bytes(self, snapshot: str) -> int:
        """Return the sizes of a snapshot's files added up; no file is read."""
        return self._logical(snapshot)

    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry; see :meth:`Engine.entry`. A file may be read for its digest."""
        node = self._tree(snapshot).node(path)
        if node.kind is not Kind.FILE:
            return node.entry()
        return node.entry(self._digests.of(snapshot, node))

    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return a folder's direct children; see :meth:`Engine.list`."""
        tree = self._tree(snapshot)
        with tree.folder(path) as folder:
            nodes = tree.children(folder)
        digests = self._digests.inside(snapshot, path)
        return [node.entry(digests.get(node.name, "")) for node in nodes]

    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield all that is below a folder; see :meth:`Engine.walk`."""
        tree = self._tree(snapshot)
        with tree.folder(under):
            pass  # an error is raised now, and not when the first entry is asked for
        return self._walk(snapshot, tree, under)

    def _walk(self, snapshot: str, tree: Tree, under: str) -> Iterator[Entry]:
        digests: dict[str, str] = {}
        folder: str | None = None
        for node in tree.walk(under):
            above = node.path.rpartition("/")[0]
            if node.kind is Kind.FILE and above != folder:
                folder, digests = above, self._digests.inside(snapshot, above)
            yield node.entry(digests.get(node.name, "") if node.kind is Kind.FILE else "")

    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file; the file system verifies what is read by its own checksums."""
        return io.BufferedReader(FrozenFile(self._tree(snapshot).open(path), path), 1 << 16)

    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot to a new or empty folder; see :meth:`Engine.restore`."""
        return restore(self._tree(snapshot), to, paths, progress)

    # -- comparing -----------------------------------------------------------------------------

    def changes(
        self, snapshot: str | None, under: str = "", *, renames: bool = False
    ) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        Files are read only where their size is the same and their times are not.
        """
        frozen = None if snapshot is None else self._tree(snapshot)
        created = 0.0 if snapshot is None else self._created(snapshot)
        live = Tree(self.root, self._is_other, self._store_identity(), self._rules)
        comparison = Comparison(frozen, live, int(created * 1e9), self._same_content)
        found = below(under, of_live(comparison.run(), live.skipped))
        if frozen is None or not renames:
            return found
        assert snapshot is not None
        before, name = frozen, snapshot

        def frozen_digest(path: str) -> str:
            try:
                return self._digests.of(name, before.node(path))
            except SnapshotError:
                return ""

        return live_renamed(found, frozen_digest, lambda path: self._digests.live(live, path))

    def _store_identity(self) -> tuple[int, int]:
        status = os.stat(self._store.folder)
        return status.st_dev, status.st_ino

    def _created(self, snapshot: str) -> float:
        return next((each.created for each in self._native() if each.id == snapshot), 0.0)

    def diff(
        self, old: str | None, new: str, under: str = "", *, renames: bool = False
    ) -> builtins.list[Difference]:
        """Compare two snapshots; see :meth:`Engine.diff`.

        Where their manifests are known nothing is read. Else the file system tells what may
        differ, and of that only what is new and small is read for its digest.
        """
        for snapshot in (old, new):
            if snapshot is not None:
                self._require(snapshot)
        found = by_manifests(self._manifests, old, new, under)
        if found is None:
            found = self._diff_by_trees(old, new, under, renames)
        return renamed(found) if renames else found

    def _diff_by_trees(
        self, old: str | None, new: str, under: str, renames: bool
    ) -> builtins.list[Difference]:
        before = None if old is None else self._tree(old)
        created = 0.0 if old is None else self._created(old)
        touched = None if old is None else self._differing(old, new)
        comparison = Comparison(before, self._tree(new), int(created * 1e9), self._same_content)
        return with_digests(
            comparison.run(under, touched), self._digests, old, new, renames=renames
        )

    def _differing(self, old: str, new: str, limit: int = 0) -> Touched | None:
        """Return what may differ between two snapshots; None if all is to be looked at."""
        touched = self._touched(old, new, limit)
        if touched is None:
            return None
        places = (self._require(old), self._require(new))
        return with_all_names(touched, places, lambda inode: self._names(new, inode))
