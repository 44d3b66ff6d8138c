# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content ids of frozen folders, and the cache that makes the next one cheap.

Which id belongs to a folder object, or to a snapshot, never changes, so what was computed once is
kept in ``content.db``. That file is a cache and nothing else: it may be deleted at any time, and
one that is damaged, or of another version, is made anew.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from blake3 import blake3

from dotscience_jupyter.snapshots.content import Part, content_id, folder_id, link_hash
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Kind,
    Progress,
    SnapshotNotFoundError,
)

from .objects import FOLDER, Item
from .store import Store
from .trees import Trees

FOLDERS, SNAPSHOTS, FILES = "folders", "snapshots", "files"
"""The tables: id of a folder by its object, content id by snapshot, and the digest of a file by
its list of chunks where the one was proven from the other."""

_VERSION = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS {} (key BLOB PRIMARY KEY, value BLOB, proof BLOB) WITHOUT ROWID"
)
_PATIENCE = 5.0
_BATCH = 500
_KEEP_EVERY = 10_000
_MAX_DEPTH = 400
_HARMLESS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

Result = TypeVar("Result")


class ContentCache:
    """The file ``content.db``: maps of 32 bytes to 32 bytes. Open while in a ``with`` block.

    No method fails: what cannot be read is not known, and what cannot be written is not kept.
    Each row has a checksum, so that a flipped bit makes it unknown and not wrong.
    """

    def __init__(self, store: Store) -> None:
        self._path = os.path.join(store.folder, "content.db")
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> ContentCache:
        if self._try(self._connected) is None:
            # what was there is damaged and gone now, or cannot be opened at all
            self._try(self._connected)
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _connected(self) -> bool:
        database = sqlite3.connect(self._path, timeout=_PATIENCE)
        self._database = database
        # what a power cut damages is known by the rows' checksums, or is no database any more
        database.execute("PRAGMA synchronous = OFF")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("another version")
        if version == 0:
            with database:
                database.execute("BEGIN IMMEDIATE")
                for table in (FOLDERS, SNAPSHOTS, FILES):
                    database.execute(_TABLE.format(table))
                database.execute(f"PRAGMA user_version = {_VERSION}")
        return True

    def _try(self, work: Callable[[], Result]) -> Result | None:
        """Return what ``work`` does, or None; a damaged file is removed."""
        try:
            return work()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            self.__exit__()
            if code is None or code & 0xFF not in _HARMLESS:
                for suffix in ("", "-journal"):
                    with contextlib.suppress(OSError):
                        os.unlink(self._path + suffix)
            return None

    def get(self, table: str, keys: list[bytes]) -> dict[bytes, bytes]:
        """Return what is known of some keys."""
        found: dict[bytes, bytes] = {}
        for at in range(0, len(keys), _BATCH):
            part = keys[at : at + _BATCH]
            found |= self._rows(table, f"WHERE key IN ({','.join('?' * len(part))})", part)
        return found

    def all(self, table: str) -> dict[bytes, bytes]:
        """Return all that is known."""
        return self._rows(table, "", [])

    def _rows(self, table: str, which: str, values: list[bytes]) -> dict[bytes, bytes]:
        database = self._database
        if database is None:
            return {}
        query = f"SELECT key, value, proof FROM {table} {which}"  # noqa: S608  # names of ours
        rows = self._try(lambda: database.execute(query, values).fetchall())
        return {
            key: value
            for key, value, proof in rows or ()
            if isinstance(key, bytes) and isinstance(value, bytes) and proof == _proof(key, value)
        }

    def put(self, table: str, values: dict[bytes, bytes]) -> None:
        """Keep what was computed."""
        query = f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)"  # noqa: S608  # a name of ours
        self._write(query, [(key, value, _proof(key, value)) for key, value in values.items()])

    def drop(self, table: str, keys: Iterable[bytes]) -> None:
        """Forget some keys."""
        query = f"DELETE FROM {table} WHERE key = ?"  # noqa: S608  # a name of ours
        self._write(query, [(key,) for key in keys])

    def _write(self, query: str, rows: Sequence[tuple[bytes, ...]]) -> None:
        database = self._database
        if database is None or not rows:
            return

        def work() -> None:
            with database:
                database.executemany(query, rows)

        self._try(work)


def _proof(key: bytes, value: bytes) -> bytes:
    return blake3(key + value).digest()[:8]


class Contents:
    """Knows and computes the content ids of a store's snapshots."""

    def __init__(self, store: Store, trees: Trees) -> None:
        self._store = store
        self._trees = trees

    def known(self) -> dict[str, str]:
        """Return the content ids that have been computed, by snapshot."""
        with ContentCache(self._store) as cache:
            return {key.hex(): value.hex() for key, value in cache.all(SNAPSHOTS).items()}

    def get(self, snapshot: str) -> str:
        """Return a snapshot's content id, "" if it was not computed yet.

        Raise SnapshotNotFoundError where there is no such snapshot.
        """
        key = self._store.require_snapshot(snapshot)
        with ContentCache(self._store) as cache:
            return cache.get(SNAPSHOTS, [key]).get(key, b"").hex()

    def compute(self, snapshot: str, on_folder: Callable[[], None] | None = None) -> str:
        """Return a snapshot's content id, computed from the folders that are new if need be.

        ``on_folder`` is called for each of these.

        Raises
        ------
        SnapshotNotFoundError
            If there is no such snapshot.
        CorruptStoreError
            If a folder's listing cannot be read, or captured content that was not hashed yet.
        """
        key = self._store.require_snapshot(snapshot)
        with ContentCache(self._store) as cache:
            known = cache.get(SNAPSHOTS, [key])
            if key not in known:
                root = self._trees.root(snapshot)
                folders = FolderIds(self._trees, cache, on_folder)
                content = content_id(root.mode & 0o7777, folders.of(root.tree))
                folders.keep()
                known = {key: bytes.fromhex(content)}
                cache.put(SNAPSHOTS, known)
            return known[key].hex()

    def compute_all(self, progress: Progress | None = None) -> None:
        """Compute all that are not known, of the newest snapshots first; damaged ones are skipped.

        Cheap where nothing is to be done.
        """
        known = self.known()
        pending = [s for s in self._store.snapshot_ids() if s not in known]
        pending.sort(key=self._store.age)
        done = 0

        def tell() -> None:
            if progress is not None:
                progress(done, len(pending), "Computing content ids")

        for done, snapshot in enumerate(pending):  # noqa: B007  # tell reads it
            try:
                self.compute(snapshot, tell)
            except (CorruptStoreError, SnapshotNotFoundError):
                continue  # for verify to report; dropped meanwhile

    def prune(self, is_stored: Callable[[bytes], bool]) -> None:
        """Forget what belongs to snapshots and folder objects that the store dropped."""
        snapshots = {bytes.fromhex(snapshot) for snapshot in self._store.snapshot_ids()}
        with ContentCache(self._store) as cache:
            cache.drop(SNAPSHOTS, cache.all(SNAPSHOTS).keys() - snapshots)
            for table in (FOLDERS, FILES):
                cache.drop(table, [key for key in cache.all(table) if not is_stored(key)])


class FolderIds:
    """Computes the ids of folders, each folder object once."""

    def __init__(
        self,
        trees: Trees,
        cache: ContentCache | None,
        on_folder: Callable[[], None] | None = None,
    ) -> None:
        self._trees = trees
        self._cache = cache
        self._on_folder = on_folder
        self._new: dict[bytes, bytes] = {}

    def of(self, tree: bytes, depth: int = 0) -> bytes:
        """Return the id of the folder with this object; see ``snapshots/content.py``."""
        if depth > _MAX_DEPTH:
            raise CorruptStoreError("The stored folders are nested deeper than any that we freeze.")
        if depth == 0 and (known := self._known([tree]).get(tree)):
            return known
        if self._on_folder is not None:
            self._on_folder()
        items = self._trees.children(tree)
        known_ids = self._known([item.digest for item in items if item.code == FOLDER])
        parts = []
        for item in items:
            if item.code == FOLDER:
                hashed = known_ids.get(item.digest) or self.of(item.digest, depth + 1)
                known_ids[item.digest] = hashed
            else:
                hashed = self._leaf(item)
            parts.append(Part(item.name, item.kind, item.mode & 0o7777, hashed))
        result = self._new[tree] = folder_id(parts)
        if self._cache is not None and len(self._new) >= _KEEP_EVERY:
            self.keep()
        return result

    def _known(self, trees: list[bytes]) -> dict[bytes, bytes]:
        found = {tree: self._new[tree] for tree in trees if tree in self._new}
        if self._cache is not None:
            found |= self._cache.get(FOLDERS, [tree for tree in trees if tree not in found])
        return found

    def _leaf(self, item: Item) -> bytes:
        if item.kind is Kind.SYMLINK:
            return link_hash(item.target)
        return self._trees.digest(item)

    def keep(self) -> None:
        """Write what was computed to the cache."""
        if self._cache is not None:
            self._cache.put(FOLDERS, self._new)
            self._new = {}
