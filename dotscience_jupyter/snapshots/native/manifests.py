# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is known of the content of native snapshots: digests, sizes, content ids.

A manifest is the tree of folder objects that the embedded engine would have made of the snapshot,
without the files' content: unchanged folders are one object in all of them. It is derived from the
snapshot and may be made anew at any time::

    packs/, snapshots/    the folder objects and the roots, as in the embedded engine's store
    manifests/<id>        JSON: the id of the root object ("manifest"), and what was skipped
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

from dotscience_jupyter.snapshots.embedded import objects
from dotscience_jupyter.snapshots.embedded.contents import Contents
from dotscience_jupyter.snapshots.embedded.database import Database
from dotscience_jupyter.snapshots.embedded.maintenance import Collection
from dotscience_jupyter.snapshots.embedded.objects import Item, Root
from dotscience_jupyter.snapshots.embedded.packs import compress, hash_bytes
from dotscience_jupyter.snapshots.embedded.store import Store, fsync_folder, writing
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import CorruptStoreError, Skipped, SnapshotError

_MAX_SKIPPED = 10_000
_GRACE = 60.0
"""Seconds for which a manifest is kept that nothing refers to: the reference is written last."""


class Manifests:
    """The manifests of one store.

    Attributes
    ----------
    trees
        Reads them; their ids are those that :meth:`find` returns.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = Database(store)
        self.trees = Trees(self._database)
        self._contents = Contents(store, self.trees)
        self._folder = f"{store.folder}/manifests"
        self._known: dict[str, tuple[str, tuple[Skipped, ...]]] = {}
        with writing(store.folder):
            store.make_part(self._folder)

    def find(self, snapshot: str) -> str:
        """Return the id of a snapshot's manifest, "" if there is none."""
        return self._load(snapshot)[0]

    def skipped(self, snapshot: str) -> tuple[Skipped, ...]:
        """Return what was skipped of a snapshot, as far as its manifest says so."""
        return self._load(snapshot)[1]

    def _load(self, snapshot: str) -> tuple[str, tuple[Skipped, ...]]:
        known = self._known.get(snapshot)
        if known is None:
            try:
                with open(f"{self._folder}/{snapshot}", encoding="utf-8") as file:
                    document = json.load(file)
                skipped = tuple(Skipped(str(a), str(b)) for a, b in document["skipped"])
                known = str(document["manifest"]), skipped
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                return "", ()
            self._known[snapshot] = known
        if not self._store.has_snapshot(known[0]):
            self._known.pop(snapshot, None)
            return "", ()
        return known

    def check(self, manifest: str) -> None:
        """Read all of a manifest. Raise CorruptStoreError if it cannot be read."""
        for _ in self.trees.walk(self.root(manifest).tree, ""):
            pass

    def root(self, manifest: str) -> Root:
        """Return what a manifest says of the whole."""
        self._database.refresh()
        return self.trees.root(manifest)

    def add(
        self,
        snapshot: str,
        root: Root,
        folders: Iterable[tuple[bytes, bytes]],
        skipped: Iterable[Skipped],
    ) -> str:
        """Keep a manifest, durably, and return its id.

        Parameters
        ----------
        folders
            Ids and bytes of the folder objects that may be new.
        """
        self._store.prepare()
        with self._store.shared("nothing was noted of the snapshot"):
            self._database.refresh(force=True)
            session = self._database.session()
            try:
                data = objects.encode_snapshot(root)
                manifest = hash_bytes(data)
                for digest, content in {manifest: data, **dict(folders)}.items():
                    if not self._is_readable(digest):
                        session.append(digest, *compress(content), len(content))
                session.commit()
            finally:
                session.close()
            self._database.merge_small()
            self._store.register(manifest.hex())
            listed = sorted((each.path, each.reason) for each in skipped)[:_MAX_SKIPPED]
            document = {"manifest": manifest.hex(), "skipped": listed}
            with writing(self._store.folder):
                self._replace(f"{self._folder}/{snapshot}", json.dumps(document))
        self._known.pop(snapshot, None)
        return manifest.hex()

    def _is_readable(self, digest: bytes) -> bool:
        try:
            self._database.get(digest)
        except CorruptStoreError:
            return False
        return True

    def _replace(self, path: str, text: str) -> None:
        temporary, fd = self._store.temporary()
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(fd)
                os.rename(temporary, path)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        fsync_folder(self._folder)

    def forget(self, snapshot: str) -> None:
        """Drop a snapshot's manifest: the snapshot is gone, or the manifest cannot be read."""
        self._known.pop(snapshot, None)
        with contextlib.suppress(OSError):  # it will be replaced
            os.unlink(f"{self._folder}/{snapshot}")

    def forget_all_but(self, snapshots: Iterable[str]) -> None:
        """Drop the manifests of snapshots that are gone, and what only they needed."""
        kept = set(snapshots)
        for name in os.listdir(self._folder):
            if name not in kept:
                self.forget(name)
        manifests = {self.find(snapshot) for snapshot in kept} - {""}
        with contextlib.suppress(SnapshotError):  # what is too much goes the next time
            try:
                Collection(self._database, _GRACE, None).run(manifests)
            except CorruptStoreError:
                # a damaged one keeps it from being told what the others need: all are made anew
                for snapshot in kept:
                    self.forget(snapshot)
                Collection(self._database, 0, None).run([])

    def content_id(self, manifest: str, *, compute: bool) -> str:
        """Return the content id of a manifest, "" if it is not known and not to be computed."""
        return self._contents.compute(manifest) if compute else self._contents.get(manifest)

    def known_content_ids(self) -> dict[str, str]:
        """Return the content ids that are known, by manifest."""
        return self._contents.known()

    def item(self, manifest: str, path: str) -> Item:
        """Return what a manifest says of a path; raise PathNotFoundError if nothing."""
        self._database.refresh()
        return self.trees.lookup(manifest, path)

    def close(self) -> None:
        """Let go of open files."""
        self._database.close()
