# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making the manifests of snapshots, each from the one before where that is known."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    SnapshotNotFoundError,
)

from .building import Base, Builder
from .compare import Touched
from .hooks import NativeSnapshot
from .manifests import Manifests
from .tree import Tree


class Settling:
    """Makes manifests; one at a time, however many threads ask.

    Parameters
    ----------
    manifests
        Where they are kept.
    native
        Returns the snapshots that are there, the oldest first.
    require
        Raises SnapshotNotFoundError if a snapshot is gone.
    tree
        Returns what is to be shown of a snapshot.
    differing
        Returns what may differ between two snapshots; None if all is to be looked at.
    """

    def __init__(
        self,
        manifests: Manifests,
        native: Callable[[], list[NativeSnapshot]],
        require: Callable[[str], object],
        tree: Callable[[str], Tree],
        differing: Callable[[str, str], Touched | None],
    ) -> None:
        self._manifests = manifests
        self._native = native
        self._require = require
        self._tree = tree
        self._differing = differing
        self._lock = threading.Lock()

    def run(self, progress: Progress | None) -> None:
        """Make the manifests and content ids that are missing, the oldest first.

        Raises
        ------
        CorruptStoreError
            If one cannot be made, when all others are.
        """
        damage: CorruptStoreError | None = None
        for found in self._native():
            try:
                self.settle(found.id, progress)
            except SnapshotNotFoundError:
                continue  # dropped meanwhile
            except CorruptStoreError as error:
                damage = damage or error
        if damage is not None:
            raise damage

    def settle(self, snapshot: str, progress: Progress | None) -> str:
        """Return a snapshot's manifest, made now if need be, with its content id."""
        with self._lock:
            manifest = self._manifests.find(snapshot)
            if manifest and self._manifests.content_id(manifest, compute=False):
                return manifest
            manifest = manifest or self._build(snapshot, progress)
            try:
                self._manifests.content_id(manifest, compute=True)
            except CorruptStoreError:
                manifest = self._build_alone(snapshot, progress)
                self._manifests.content_id(manifest, compute=True)
            return manifest

    def proven(self, snapshot: str, progress: Progress | None) -> str:
        """Return a snapshot's manifest, all of which can be read; "" if it cannot be made."""
        try:
            manifest = self.settle(snapshot, progress)
            try:
                self._manifests.check(manifest)
            except CorruptStoreError:
                with self._lock:
                    manifest = self._build_alone(snapshot, progress)
            return manifest
        except SnapshotNotFoundError:
            raise
        except SnapshotError:
            return ""  # a file cannot be read, or the store not be written

    def _build_alone(self, snapshot: str, progress: Progress | None) -> str:
        """Make a manifest anew, and not from the one before: they share what cannot be read."""
        self._manifests.forget(snapshot)
        return self._build(snapshot, progress, from_base=False)

    def _build(self, snapshot: str, progress: Progress | None, *, from_base: bool = True) -> str:
        tree = self._tree(snapshot)
        read = 0

        def on_read(path: str, count: int) -> None:
            nonlocal read
            read += count
            if progress is not None:
                progress(read, 0, f"Hashing {path}")

        try:
            base = self._base(snapshot) if from_base else None
            builder = Builder(tree, base, self._manifests.trees, on_read)
            root = builder.run()
        except CorruptStoreError:
            if base is None:
                raise
            # what is damaged may be the base's manifest
            builder = Builder(tree, None, self._manifests.trees, on_read)
            root = builder.run()
        self._require(snapshot)  # one that was dropped while it was read is not to be noted
        return self._manifests.add(snapshot, root, builder.folders, tree.skipped)

    def _base(self, snapshot: str) -> Base | None:
        """Return the snapshot before, whose manifest is known, to start from."""
        earlier: list[NativeSnapshot] = []
        for found in self._native():
            if found.id == snapshot:
                earlier = [each for each in earlier if each.received == found.received]
                break
            if self._manifests.find(found.id):
                earlier.append(found)
        if not earlier:
            return None
        last = earlier[-1]
        try:
            root = self._manifests.root(self._manifests.find(last.id))
            touched = self._differing(last.id, snapshot)
            return Base(self._tree(last.id), root, int(last.created * 1e9), touched)
        except (CorruptStoreError, SnapshotNotFoundError):
            return None
