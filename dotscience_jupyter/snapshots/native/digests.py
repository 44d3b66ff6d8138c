# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the digests of frozen and of live files are: known from manifests, or read now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Kind,
    PathNotFoundError,
    SnapshotError,
)

from .building import hash_open
from .manifests import Manifests
from .tree import Node, Tree

_MAX_DIGESTS = 100_000
_SETTLED = 2.0
"""Seconds after which the next write to a file certainly gives it other stamps."""


class Digests:
    """The digests of one folder's files; what was read is remembered.

    Parameters
    ----------
    manifests
        Where those of snapshots are known.
    tree
        Returns what is to be shown of a snapshot.
    """

    def __init__(self, manifests: Manifests, tree: Callable[[str], Tree]) -> None:
        self._manifests = manifests
        self._tree = tree
        self._frozen: dict[tuple[str, str], str] = {}
        # of live files, with the stamps that they had when they were read
        self._live: dict[str, tuple[tuple[int, int, int, int], str]] = {}

    def of(self, snapshot: str, node: Node) -> str:
        """Return the digest of a frozen file, which is read if need be.

        Raises
        ------
        CorruptStoreError
            If it cannot be read.
        """
        return self.known(snapshot, node) or self._read(snapshot, node)

    def known(self, snapshot: str, node: Node) -> str:
        """Return the digest of a frozen file if it is known, else ""."""
        key = (snapshot, node.path)
        if key in self._frozen:
            return self._frozen[key]
        manifest = self._manifests.find(snapshot)
        if manifest:
            try:
                item = self._manifests.item(manifest, node.path)
            except PathNotFoundError:
                return ""
            except CorruptStoreError:
                self._manifests.forget(snapshot)
                return ""
            if item.kind is Kind.FILE and item.size == node.size:
                return item.digest.hex()
        return ""

    def _read(self, snapshot: str, node: Node) -> str:
        fd = self._tree(snapshot).open(node.path)
        try:
            digest = hash_open(fd)[0].hex()
        except OSError as error:
            raise CorruptStoreError(
                f"{node.path!r} cannot be read: {error.strerror or error}."
            ) from error
        finally:
            os.close(fd)
        if len(self._frozen) >= _MAX_DIGESTS:
            self._frozen.clear()
        self._frozen[(snapshot, node.path)] = digest
        return digest

    def inside(self, snapshot: str, path: str) -> dict[str, str]:
        """Return the digests of a folder's files by name, as far as a manifest has them."""
        manifest = self._manifests.find(snapshot)
        if not manifest:
            return {}
        try:
            item = self._manifests.item(manifest, path)
            if item.kind is not Kind.FOLDER:
                return {}
            items = self._manifests.trees.items(item.digest)
        except PathNotFoundError:
            return {}
        except CorruptStoreError:
            self._manifests.forget(snapshot)
            return {}
        return {each.name: each.digest.hex() for each in items.values() if each.kind is Kind.FILE}

    def live(self, tree: Tree, path: str) -> str:
        """Return a live file's digest; "" if it cannot be read, or is written to meanwhile."""
        try:
            fd = tree.open(path)
        except SnapshotError:
            return ""
        try:
            status = os.fstat(fd)
            mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._live.get(path)
            if known is not None and known[0] == mark:
                return known[1]
            # a file may be written to twice within the time that its stamps do not tell apart
            settled = time.time() - status.st_ctime > _SETTLED
            digest = hash_open(fd)[0].hex()
            after = os.fstat(fd)
        except OSError:
            return ""
        finally:
            os.close(fd)
        if mark != (after.st_ino, after.st_size, after.st_mtime_ns, after.st_ctime_ns):
            return ""
        if settled:
            if len(self._live) >= _MAX_DIGESTS:
                self._live.clear()
            self._live[path] = (mark, digest)
        return digest
