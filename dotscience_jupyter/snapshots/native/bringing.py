# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making a snapshot of the embedded engine's of one of the file system's, without its contents.

The manifest has the folders already. What is added is where files of more than one chunk are cut,
and a reference for each chunk, so only large files that are new are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.embedded import objects
from dotscience_jupyter.snapshots.embedded.capture import CHUNK, store_lists
from dotscience_jupyter.snapshots.embedded.chunking import Cutter
from dotscience_jupyter.snapshots.embedded.database import Session
from dotscience_jupyter.snapshots.embedded.objects import FILE, FOLDER, LISTED_FILE, Item, Root
from dotscience_jupyter.snapshots.embedded.packs import REFERENCE, hash_bytes
from dotscience_jupyter.snapshots.embedded.pipeline import Listed
from dotscience_jupyter.snapshots.embedded.scan import store_pages
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import CorruptStoreError, Snapshot

from .references import Reference

_SLAB = 1 << 22


class Before(NamedTuple):
    """The folder that a snapshot's manifest begins with, and what it became when it was brought."""

    manifest: bytes
    brought: bytes


class Bringing:
    """Brings one snapshot.

    Parameters
    ----------
    snapshot
        Its id, for the references.
    manifests
        Reads its manifest.
    open_file
        Opens one of its files by its path.
    trees, session
        The store's, to which it is brought.
    before
        Another one that was brought; what is the same is not looked at.
    on_read
        Told of each file that is read, and how many bytes were read so far.
    """

    def __init__(
        self,
        snapshot: str,
        manifests: Trees,
        open_file: Callable[[str], BinaryIO],
        trees: Trees,
        session: Session,
        before: Before | None,
        on_read: Callable[[str, int], None],
    ) -> None:
        self._snapshot = snapshot
        self._manifests = manifests
        self._open_file = open_file
        self._trees = trees
        self._session = session
        self._on_read = on_read
        self._read = 0
        # folders by their manifests' ids, files by their digests
        self._folders: dict[bytes, bytes] = {}
        self._lists: dict[bytes, bytes] = {}
        if before is not None:
            self._folders[before.manifest] = before.brought
        self._before = before

    def run(self, root: Root) -> Snapshot:
        """Add the objects of the snapshot to the session; return it.

        Raises
        ------
        CorruptStoreError
            If the manifest or a file cannot be read.
        """
        tree = self._folder("", root.tree, self._before)
        data = objects.encode_snapshot(root._replace(tree=tree))
        digest = hash_bytes(data)
        self._session.put(digest, data)
        return Snapshot(digest.hex(), root.files, root.size)

    def _folder(self, path: str, tree: bytes, before: Before | None) -> bytes:
        """Add a folder's objects; return the id of the one that stands for it."""
        known = self._folders.get(tree)
        if known is not None:
            return known
        olds: dict[str, Item] = {}
        became: dict[str, Item] = {}
        if before is not None:
            olds = self._manifests.items(before.manifest)
            became = self._trees.items(before.brought)
        entries: dict[str, bytes] = {}
        for name, item in self._manifests.items(tree).items():
            place = f"{path}/{name}" if path else name
            old, now = olds.get(name), became.get(name)
            if item.code == FOLDER:
                below = None
                if old is not None and now is not None and old.code == now.code == FOLDER:
                    below = Before(old.digest, now.digest)
                    self._folders.setdefault(*below)
                item = item._replace(digest=self._folder(place, item.digest, below))
            elif item.code == FILE and item.size > CHUNK:
                if now is not None and now.code == LISTED_FILE and now.digest == item.digest:
                    self._lists.setdefault(item.digest, now.list_id)
                item = item._replace(code=LISTED_FILE, list_id=self._listed(place, item))
            elif item.code == FILE and item.size:
                self._refer(item.digest, place, 0, item.size)
            entries[name] = objects.encode_item(item)
        found = self._folders[tree] = store_pages(entries, self._session)
        return found

    def _refer(self, digest: bytes, path: str, position: int, length: int) -> None:
        if not self._session.has(digest):
            reference = Reference(self._snapshot, path, position)
            self._session.append(digest, REFERENCE, reference.encode(), length)

    def _listed(self, path: str, item: Item) -> bytes:
        """Return the id of the list of a file's chunks; cuts the file if it is new."""
        if item.digest not in self._lists:
            self._lists[item.digest] = store_lists(self._cut(path, item), self._session)
        return self._lists[item.digest]

    def _cut(self, path: str, item: Item) -> Listed:
        chunks: Listed = []
        whole = blake3(max_threads=blake3.AUTO)
        cutter = Cutter(CHUNK)
        position = 0
        waiting = b""
        try:
            with self._open_file(path) as file:
                while True:
                    part = file.read(_SLAB)
                    whole.update(part)
                    view = memoryview(waiting + part)
                    at = 0
                    for length in cutter.cut(view, len(part) < _SLAB) if view else ():
                        digest = hash_bytes(view[at : at + length])
                        self._refer(digest, path, position, length)
                        chunks.append((digest, length))
                        at += length
                        position += length
                    waiting = bytes(view[at:])
                    self._read += len(part)
                    self._on_read(path, self._read)
                    if len(part) < _SLAB:
                        break
        except OSError as error:
            raise CorruptStoreError(
                f"{path!r} cannot be read: {error.strerror or error}."
            ) from error
        if whole.digest() != item.digest:
            raise CorruptStoreError(f"{path!r} is not what it was when it was first read.")
        return chunks
