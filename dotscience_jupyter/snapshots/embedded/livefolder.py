# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The folder that the embedded engine freezes: what is known of it, and who tells of changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable

from dotscience_jupyter.snapshots.engine import LiveChange, Progress, Snapshot, SnapshotError
from dotscience_jupyter.snapshots.ignore import Rules
from dotscience_jupyter.snapshots.renames import below

from . import objects
from .capture import (
    Capture,
    Clock,
    Fingerprint,
    NotCapturedError,
    OtherKindError,
    fingerprint,
    is_settled,
)
from .capturing import CaptureWriter
from .compare import LiveComparison
from .database import Database, Session
from .known import Known
from .live import LiveWatch, watch_folder
from .objects import Item, Root
from .packs import hash_bytes
from .scan import Walk, changed_folders, revived
from .store import Store
from .trees import Trees

log = logging.getLogger(__name__)

_AUDIT = 300.0
"""Seconds after which all is walked once more to see whether all changes were told of."""
_AUDIT_SHARE = 200
_MAX_HASHED = 100_000


def require_folder(root: str) -> None:
    """Raise SnapshotError unless the folder is there.

    One that is gone, or not mounted, is not one that was emptied.
    """
    if not os.path.isdir(root):
        raise SnapshotError(
            f"The folder {root} cannot be read: it is not there. Nothing was frozen or changed."
        )


def clock_of(store: Store, root: str = "") -> Clock:
    """Return the time as the file system of a folder stamps it, read off the store's lock."""
    try:
        device = os.stat(root).st_dev
    except OSError:
        device = -1
    return Clock(f"{store.folder}/lock", device)


class LiveFolder:
    """A folder that snapshots are taken of. Thread-safe.

    Parameters
    ----------
    root
        Its path.
    database, trees
        What its content is added to, and compared with.

    Raises
    ------
    SnapshotError
        If there is no such folder.
    """

    def __init__(self, root: str, database: Database, trees: Trees) -> None:
        require_folder(root)
        self.root = root
        self._store = database.store
        self._database = database
        self._trees = trees
        self._taking = threading.Lock()
        self._rules: dict[bytes, Rules] = {}
        self._known = Known(self._store)
        self._generation = ""
        # told of changes, and when all was walked last and how long that took
        self._live: LiveWatch | None = None
        self._arming = threading.Lock()
        self._walked = self._walk_cost = 0.0
        self._hashed: dict[str, tuple[Fingerprint, bytes]] = {}
        # file systems whose blocks the store cannot share
        self._refused: set[int] = set()

    def clock(self) -> Clock:
        """Return the time as the folder's file system stamps it."""
        return clock_of(self._store, self.root)

    def close(self) -> None:
        """Save the stat cache, and take no more notice of changes."""
        with self._taking:
            self._known.save()
            if self._live is not None:
                self._live.close()

    # -- freezing ------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None, look_at: Iterable[str]) -> Snapshot:
        """Freeze the folder; see :meth:`EmbeddedEngine.snapshot`."""
        with self._taking:
            require_folder(self.root)
            self._store.prepare()
            with self._store.shared():
                return self._snapshot(_Ticker(progress), look_at)

    def _snapshot(self, ticker: _Ticker, look_at: Iterable[str]) -> Snapshot:
        started = time.monotonic()
        generation = self._store.generation()
        self._database.refresh(force=generation != self._generation)
        self._generation = generation
        live = self._watcher()
        ticket = None if live is None else live.take()
        marks = None if ticket is None else ticket.marks
        if marks is not None:
            for path in look_at:
                marks.add(path)
        old, known_for = self._known.get()
        session = self._database.session()
        clock = self.clock()
        captures = CaptureWriter(self._store, clock, self._refused)
        capture = Capture(clock, session, ticker.on_read, captures)
        try:
            if old is not None and known_for != generation:
                old = revived(old, self._trees.is_stored, session)
            on_folder = None if live is None else live.enter
            walk = self._walk_with(clock, capture, session, on_folder, ticker.on_file)
            new = walk.run(old, marks)
            data = objects.encode_snapshot(
                Root(new.mode, new.mtime_ns, new.files, new.bytes, new.tree)
            )
            digest = hash_bytes(data)
            session.put(digest, data)
            added = session.added
            captures.publish()
            session.commit()
            self._store.register(digest.hex())
        finally:
            capture.close()
            captures.abort()
            session.close()
        self._known.replace(new, generation)
        if live is not None and ticket is not None:
            live.done(ticket, whole=walk.whole, gone=walk.gone)
        if walk.whole:
            self._note_walk(started)
        self._hashed = {}
        if added:
            self._database.merge_small()
        self._known.save(time.monotonic() - started)
        return Snapshot(digest.hex(), new.files, new.bytes, tuple(walk.skipped))

    def _walk_with(
        self,
        clock: Clock,
        capture: Capture,
        session: Session | None,
        on_folder: Callable[[int, str], None] | None = None,
        on_file: Callable[[str], None] | None = None,
        *,
        keep_unread: bool = True,
    ) -> Walk:
        return Walk(
            self.root,
            store=self._store.folder,
            clock=clock,
            capture=capture,
            session=session,
            rules=self._rules,
            on_file=on_file,
            on_folder=on_folder,
            keep_unread=keep_unread,
        )

    # -- being told of changes -----------------------------------------------------------------

    def watch(self) -> bool:
        """Begin to take notice of changes; see :meth:`EmbeddedEngine.watch`."""
        with self._arming:
            if self._watcher() is None:
                self._live = watch_folder(self.root)
            self._audit_now(None)
            return self._watcher() is not None

    def _watcher(self) -> LiveWatch | None:
        """Return what tells of changes, if it still can."""
        live = self._live
        if live is None or not live.is_ours:
            return None
        if live.failure:
            self._live = None
            log.warning("%s", live.failure)
            live.close()
            return None
        return live

    def _note_walk(self, started: float) -> None:
        self._walked = time.monotonic()
        self._walk_cost = self._walked - started

    def audit(self, progress: Progress | None = None) -> None:
        """Save what is known, and look now and then whether all changes were told of.

        For :meth:`settle`. Nothing waits for it, and it is one walk that reads nothing.
        """
        self._known.save()
        with self._arming:
            live = self._watcher()
            rest = max(_AUDIT, _AUDIT_SHARE * self._walk_cost)
            if live is not None and (not live.armed or time.monotonic() - self._walked > rest):
                self._audit_now(progress)

    def _audit_now(self, progress: Progress | None) -> None:
        """Walk everything, and mark what is not as it is known for the next snapshot."""
        live = self._watcher()
        known = self._known.get()[0]
        if live is None or known is None:
            return  # without something known the first snapshot walks everything

        def on_folder(fd: int, path: str) -> None:
            live.enter(fd, path, ticket)
            if progress is not None:
                progress(0, 0, f"Looking at {path}")

        started = time.monotonic()
        ticket = live.begin()
        clock = self.clock()
        capture = Capture(clock, None)
        try:
            walk = self._walk_with(clock, capture, None, on_folder, keep_unread=False)
            live.found(ticket, changed_folders(known, walk.run(known)))
        finally:
            capture.close()
        self._note_walk(started)

    # -- comparing -----------------------------------------------------------------------------

    def changes(
        self, frozen: Item | None, under: str = "", *, renames: bool = False
    ) -> list[LiveChange]:
        """Compare the folder with a snapshot's root; see :meth:`EmbeddedEngine.changes`."""
        clock = self.clock()
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
            # the marks first: what they tell is true of all that is known later
            watcher = self._watcher()
            marks = None if watcher is None else watcher.peek()
            walk = self._walk_with(clock, capture, None)
            live = walk.run(self._known.get()[0], marks)
            skipped = {entry.path for entry in walk.skipped}
            comparison = LiveComparison(
                self._trees, walk.unread, skipped, digest, renames=renames and frozen is not None
            )
            return comparison.renamed(below(under, comparison.run(live, frozen)))
        finally:
            capture.close()


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
