# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine: works anywhere, needs no root, reads only what changed."""

from __future__ import annotations

import builtins
import io
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    LiveChange,
    Problem,
    Progress,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
    Usage,
)
from dotscience_jupyter.snapshots.ignore import Rules

from . import objects, statcache
from .capture import (
    Capture,
    Clock,
    Fingerprint,
    NotCapturedError,
    OtherKindError,
    fingerprint,
    is_settled,
)
from .compare import LiveComparison, diff
from .database import Database, Session
from .maintenance import Collection, Verification
from .objects import Root
from .packs import hash_bytes
from .restoring import restore
from .scan import Folder, Walk, store_tree
from .store import Store
from .trees import FrozenFile, Trees

GRACE = 900.0
"""Seconds for which a snapshot that was returned is kept by gc although it is not recorded."""

_SAVE_SHARE = 20
_MAX_HASHED = 100_000


class EmbeddedEngine(Engine):
    """Keeps a folder's history as chunks in pack files, a Merkle tree per snapshot.

    The format is described in ``docs/embedded-store-format.md``.

    Parameters
    ----------
    root
        The folder to freeze.
    store
        Where content is kept; created if need be. It may be inside ``root``, and is never frozen.
    grace
        Seconds for which :meth:`gc` spares a snapshot that was taken, or returned again, but is
        not in ``keep``: the process that took it may be about to record it.

    Raises
    ------
    SnapshotError
        If there is no such folder, or the store cannot be created or read, or is of a newer format.
    """

    name = "embedded"

    def __init__(self, root: Path, store: Path, *, grace: float = GRACE) -> None:
        self.root = os.path.abspath(root)
        self.grace = grace
        self._require_folder()
        self._store = Store(store)
        self._database = Database(self._store)
        self._trees = Trees(self._database)
        self._taking = threading.Lock()
        self._loading = threading.Lock()
        self._rules: dict[bytes, Rules] = {}
        # what the last walk knew, the generation of the store that this holds for, and whether
        # the cache on disk has it
        self._state: Folder | None = None
        self._state_generation = ""
        self._saved: Folder | None = None
        self._generation = ""
        self._loaded = False
        self._save_after = 0.0
        self._hashed: dict[str, tuple[Fingerprint, bytes]] = {}

    # -- freezing ------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None = None) -> Snapshot:
        """Freeze the folder; see :meth:`Engine.snapshot`. Costs a walk plus what changed."""
        with self._taking:
            # a folder that is gone, or not mounted, is not one that was emptied
            self._require_folder()
            self._store.prepare()
            with self._store.shared():
                return self._snapshot(_Ticker(progress))

    def _require_folder(self) -> None:
        if not os.path.isdir(self.root):
            raise SnapshotError(
                f"The folder {self.root} cannot be read: it is not there. Nothing was frozen or "
                "changed."
            )

    def _snapshot(self, ticker: _Ticker) -> Snapshot:
        generation = self._store.generation()
        self._database.refresh(force=generation != self._generation)
        self._generation = generation
        old = self._known()
        session = self._database.session()
        clock = self._clock()
        capture = Capture(clock, session, ticker.on_read)
        try:
            if old is not None and self._state_generation != generation:
                old = self._revived(old, session)
            walk = Walk(
                self.root,
                store=self._store.folder,
                clock=clock,
                capture=capture,
                session=session,
                rules=self._rules,
                on_file=ticker.on_file,
            )
            new = walk.run(old)
            data = objects.encode_snapshot(
                Root(new.mode, new.mtime_ns, new.files, new.bytes, new.tree)
            )
            digest = hash_bytes(data)
            session.put(digest, data)
            added = session.added
            session.commit()
            self._store.register(digest.hex())
        finally:
            capture.close()
            session.close()
        self._state, self._state_generation = new, generation
        self._hashed = {}
        if added:
            self._database.merge_small()
        self._save()
        return Snapshot(digest.hex(), new.files, new.bytes, tuple(walk.skipped))

    def _clock(self) -> Clock:
        try:
            device = os.stat(self.root).st_dev
        except OSError:
            device = -1
        return Clock(f"{self._store.folder}/lock", device)

    def _known(self) -> Folder | None:
        """Return what the last walk knew, in this process or another."""
        with self._loading:
            if not self._loaded:
                self._loaded = True
                loaded = statcache.load(self._store)
                if loaded is not None:
                    self._state, self._state_generation = loaded
                    self._saved = self._state
            return self._state

    def _save(self, *, now: bool = False) -> None:
        """Save the stat cache if it is out of date; not so often that this would cost much."""
        state = self._state
        started = time.monotonic()
        if state is None or state is self._saved or (started < self._save_after and not now):
            return
        statcache.save(self._store, state, self._state_generation)
        self._saved = state
        ended = time.monotonic()
        self._save_after = ended + _SAVE_SHARE * (ended - started)

    def _revived(self, folder: Folder, session: Session) -> Folder:
        """Return what is known of a folder with what the store has lost marked to be read again."""
        result = Folder()
        for name in ("mode", "mtime_ns", "raw", "ignored", "rules_id"):
            setattr(result, name, getattr(folder, name))
        for name, raw in folder.raw.items():
            assert raw is not None
            stored = self._is_stored(objects.decode_entry(raw)[0])
            result.prints[name] = folder.prints[name] if stored else None
        for name, child in folder.folders.items():
            result.folders[name] = self._revived(child, session)
        store_tree(result, session)
        return result

    def _is_stored(self, item: objects.Item) -> bool:
        try:
            return all(self._database.has(digest) for digest, _ in self._trees.chunks(item))
        except CorruptStoreError:
            return False

    # -- comparing -----------------------------------------------------------------------------

    def changes(self, snapshot: str | None) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        Files are read only where ``lstat`` cannot tell. What could not be looked at now (an
        unreadable folder) is not called removed.
        """
        frozen = None if snapshot is None else self._trees.root_item(snapshot)
        clock = self._clock()
        capture = Capture(clock, None)

        def digest(path: str, status: os.stat_result) -> bytes | None:
            known = self._hashed.get(path)
            if known is not None and known[0] == fingerprint(status):
                return known[1]
            started = clock.now()
            try:
                captured = capture.read(f"{self.root}/{path}", None)
            except (OSError, OtherKindError, NotCapturedError):
                return None
            if is_settled(captured.stat, started) and len(self._hashed) < _MAX_HASHED:
                self._hashed[path] = (fingerprint(captured.stat), captured.digest)
            return captured.digest

        try:
            walk = Walk(
                self.root,
                store=self._store.folder,
                clock=clock,
                capture=capture,
                session=None,
                rules=self._rules,
            )
            live = walk.run(self._known())
            skipped = {entry.path for entry in walk.skipped}
            return LiveComparison(self._trees, walk.unread, skipped, digest).run(live, frozen)
        finally:
            capture.close()

    def diff(self, old: str | None, new: str, under: str = "") -> builtins.list[Difference]:
        """Compare two snapshots; see :meth:`Engine.diff`."""
        return diff(self._trees, old, new, under)

    # -- reading -------------------------------------------------------------------------------

    def exists(self, snapshot: str) -> bool:
        """Whether the store holds that snapshot."""
        return self._store.has_snapshot(snapshot)

    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry; see :meth:`Engine.entry`."""
        return self._trees.lookup(snapshot, path).entry(path)

    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return a folder's direct children; see :meth:`Engine.list`."""
        prefix = f"{path}/" if path else ""
        tree = self._trees.folder(snapshot, path).digest
        return [item.entry(prefix + item.name) for item in self._trees.children(tree)]

    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield all that is below a folder; see :meth:`Engine.walk`."""
        tree = self._trees.folder(snapshot, under).digest
        return (item.entry(path) for path, item in self._trees.walk(tree, under))

    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file; see :meth:`Engine.open`."""
        item = self._trees.lookup(snapshot, path)
        return io.BufferedReader(FrozenFile(self._trees, item, path), 1 << 16)

    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot to a new or empty folder; see :meth:`Engine.restore`."""
        return restore(self._trees, snapshot, to, paths, progress)

    # -- looking after the store ---------------------------------------------------------------

    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read and hash all that these snapshots need; see :meth:`Engine.verify`."""
        return Verification(self._database, progress).run(snapshots)

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what is not needed; see :meth:`Engine.gc` and the parameter ``grace``."""
        return Collection(self._database, self.grace, progress).run(keep)

    def usage(self) -> Usage:
        """How much room the store takes; ``extra`` has the number of packs and objects."""
        usage = Usage()
        for folder, _, names in os.walk(self._store.folder):
            for name in names:
                try:
                    usage.stored_bytes += os.lstat(f"{folder}/{name}").st_size
                except FileNotFoundError:
                    continue  # merged or finished just now
        for snapshot in self._store.snapshot_ids():
            usage.snapshots += 1
            try:
                usage.logical_bytes += self._trees.root(snapshot).size
            except (CorruptStoreError, SnapshotNotFoundError):
                continue  # for verify to report
        self._database.refresh()
        usage.extra["packs"] = len(self._database.packs)
        usage.extra["objects"] = sum(map(len, self._database.packs))
        return usage

    def close(self) -> None:
        """Save the stat cache and let go of open files."""
        with self._taking:
            self._save(now=True)
            self._database.close()


class _Ticker:
    """Tells a progress callback what is being read, not too often."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._files = 0
        self._path = ""
        self._unsaid = 0

    def on_file(self, path: str) -> None:
        self._files += 1
        self._path = path
        if self._files % 100 == 1:
            self._say()

    def on_read(self, count: int) -> None:
        self._unsaid += count
        if self._unsaid >= 1 << 25:
            self._say()

    def _say(self) -> None:
        self._unsaid = 0
        if self._progress is not None:
            self._progress(self._files, 0, f"Reading {self._path}")
