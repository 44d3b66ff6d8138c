# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine: works anywhere, needs no root, reads only what changed."""

from __future__ import annotations

import builtins
import contextlib
import io
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Difference,
    Entry,
    LiveChange,
    Problem,
    Progress,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
    Usage,
)
from dotscience_jupyter.snapshots.ignore import Rules
from dotscience_jupyter.snapshots.portable import PortableEngine
from dotscience_jupyter.snapshots.renames import renamed
from dotscience_jupyter.snapshots.rollback import rollback

from . import exchange, objects, partial, transfer
from .asking import Needed
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
from .compare import LiveComparison, diff, hashed
from .contents import Contents
from .database import Database, Session
from .depot import Depot
from .differing import Deltas
from .editing import Edit, Editing
from .equals import Equal, Equals
from .known import Known
from .live import LiveWatch, watch_folder
from .maintenance import Collection
from .objects import Root
from .packs import hash_bytes
from .receiving import Receiving
from .repair import Repair
from .restoring import restore
from .scan import Walk, changed_folders, revived
from .settling import Settling, StoppedError, stoppable
from .store import Elsewhere, Store
from .trees import FrozenFile, Trees
from .usage import Accounting
from .verification import Verification

log = logging.getLogger(__name__)

GRACE = 900.0
"""Seconds for which a snapshot that was returned is kept by gc although it is not recorded."""

_AUDIT = 300.0
"""Seconds after which all is walked once more to see whether all changes were told of."""
_AUDIT_SHARE = 200
_MAX_HASHED = 100_000
_PATIENCE = 60.0


class EmbeddedEngine(PortableEngine):
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
        self._open(os.path.abspath(root), store, grace)

    @classmethod
    def open_store(
        cls,
        store: Path,
        *,
        grace: float = GRACE,
        elsewhere: Elsewhere | None = None,
        depot: Depot | None = None,
    ) -> EmbeddedEngine:
        """Open a store that has no live folder, or whose live folder is not to be looked at.

        Snapshots come into it by :meth:`edit`, :meth:`receive`, and :meth:`unpack` with
        :meth:`adopt`. What is about a live folder raises SnapshotError.

        Parameters
        ----------
        store
            As in the constructor.
        grace
            As in the constructor.
        elsewhere
            Makes objects of references to them, which :meth:`build` may add.
        depot
            Where packs are for good; the folder only keeps copies of them then. It is closed with
            the engine.

        Raises
        ------
        SnapshotError
            As the constructor does.
        """
        self = cls.__new__(cls)
        self._open("", store, grace, elsewhere, depot)
        return self

    def _open(
        self,
        root: str,
        store: Path,
        grace: float,
        elsewhere: Elsewhere | None = None,
        depot: Depot | None = None,
    ) -> None:
        # without a live folder the root is ""
        self.root = root
        self.grace = grace
        if root:
            self._require_folder()
        self._store = Store(store, elsewhere=elsewhere, depot=depot)
        self._equals = Equals(self._store)
        self._database = Database(self._store)
        self._trees = Trees(self._database)
        self._contents = Contents(self._store, self._trees)
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
        self._settling = threading.Lock()
        self._closing = threading.Event()

    # -- freezing ------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        """Freeze the folder; see :meth:`Engine.snapshot`.

        Costs a walk plus what changed; without the walk if the folder is watched.
        """
        with self._taking:
            # a folder that is gone, or not mounted, is not one that was emptied
            self._require_folder()
            self._store.prepare()
            with self._store.shared():
                return self._snapshot(_Ticker(progress), look_at)

    def _require_live(self) -> None:
        if not self.root:
            raise SnapshotError(
                f"The snapshot store {self._store.folder} was opened without a folder to freeze, "
                "so there is nothing to look at. Nothing was changed."
            )

    def _require_folder(self) -> None:
        self._require_live()
        if not os.path.isdir(self.root):
            raise SnapshotError(
                f"The folder {self.root} cannot be read: it is not there. Nothing was frozen or "
                "changed."
            )

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
        clock = self._clock()
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

    def _clock(self) -> Clock:
        try:
            device = os.stat(self.root).st_dev
        except OSError:
            device = -1
        return Clock(f"{self._store.folder}/lock", device)

    def edit(
        self, base: str | None, edits: Iterable[Edit], progress: Progress | None = None
    ) -> Snapshot:
        """Take a snapshot of what another one would be with some changes, in their order.

        The live folder is not looked at. What is not changed is shared; content is cut and
        stored as that of files is, streams in parts, so that memory stays flat. The snapshot
        has the same id as one of a folder with the same content, permissions and times. A folder
        in which something comes, goes or is replaced gets the current time. No change, or one
        that makes nothing different, gives the same snapshot again.

        Sources should be at hand (files, not connections): nothing can be dropped from the
        store until they have been read.

        Parameters
        ----------
        base
            The snapshot to start from; None for an empty folder.
        edits
            What is to change; see :class:`Edit`.

        Raises
        ------
        SnapshotNotFoundError
            If there is no such base.
        BadPathError
            If no snapshot can hold one of the paths.
        PathNotFoundError
            If there is nothing to remove at a path, or a file stands where a folder is needed.
        SnapshotError
            If an edit makes no sense, its source cannot be read, or the store cannot be written.
            Whatever is raised, no snapshot was taken.
        """
        known = None if base is None else self.equal(base)
        return self.build(
            lambda trees, session: Editing(trees, session, self._clock(), progress).run(
                known, edits
            )
        )

    def build(self, make: Callable[[Trees, Session], Snapshot]) -> Snapshot:
        """Add a snapshot that somebody makes of objects.

        Nothing is dropped from the store meanwhile.

        Parameters
        ----------
        make
            Given what reads folder objects and the session that objects are added to; returns
            the snapshot. Whatever it raises, nothing was added.

        Raises
        ------
        SnapshotError
            If the store cannot be written.
        """
        self._store.prepare()
        with self._store.shared():
            self._database.refresh(force=True)
            session = self._database.session()
            try:
                snapshot = make(self._trees, session)
                added = session.added
                session.commit()
            finally:
                session.close()
            self._store.register(snapshot.id)
            if added:
                self._database.merge_small()
        return snapshot

    # -- snapshots of other engines ------------------------------------------------------------

    @property
    def exchange(self) -> EmbeddedEngine:
        """The engine itself: what a hub keeps is what it keeps."""
        return self

    def bring(self, snapshot: str, progress: Progress | None = None) -> str:
        """Return the id of a snapshot that is there; see :meth:`PortableEngine.bring`."""
        return self._store.require_snapshot(self.equal(snapshot)).hex()

    def equate(self, foreign: str, snapshot: str, content: str) -> None:
        """Note that a snapshot of another engine is one of this store, which may be still to come.

        From then on each method takes the other engine's id for it. It is for the caller to see
        to it that the snapshot, when it is here, has this content id.

        Raises
        ------
        SnapshotError
            If these are no ids, or the store cannot be written.
        """
        self._equals.put(foreign, Equal(snapshot, content))

    def equal(self, snapshot: str) -> str:
        """Return the id that a snapshot has here: of another engine's what it was noted to be."""
        found = self._equals.get(snapshot)
        return snapshot if found is None else found.snapshot

    def equals(self, snapshots: Iterable[str]) -> dict[str, Equal]:
        """Return what snapshots of other engines are here, of those of which that was noted."""
        found = {snapshot: self._equals.get(snapshot) for snapshot in snapshots}
        return {snapshot: equal for snapshot, equal in found.items() if equal is not None}

    def manifest(self, snapshot: str) -> tuple[Trees, Root]:
        """Return what reads a snapshot's folders, and its root."""
        return self._trees, self._trees.root(self.equal(snapshot))

    def references(self) -> Iterator[bytes]:
        """Yield all references to objects that are not in the store; see :meth:`build`."""
        self._database.refresh(force=True)
        for pack in self._database.packs:
            yield from pack.references()

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Hold off all who add something to the store, for a moment."""
        return self._store.exclusive(_PATIENCE)

    # -- being told of changes -----------------------------------------------------------------

    def watch(self) -> bool:
        """Begin to take notice of changes; see :meth:`Engine.watch`. Walks the folder once.

        False where this is not Linux, the file system may be changed by others than this
        machine, or the system allows too few watches; the log says which.
        """
        self._require_live()
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

    def _audit(self, progress: Progress | None = None) -> None:
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
        clock = self._clock()
        capture = Capture(clock, None)
        try:
            walk = self._walk_with(clock, capture, None, on_folder, keep_unread=False)
            live.found(ticket, changed_folders(known, walk.run(known)))
        finally:
            capture.close()
        self._note_walk(started)

    def settle(self, progress: Progress | None = None) -> None:
        """Hash what was captured, compute content ids; see :meth:`Engine.settle`.

        Ends early, and without an error, when the engine is closed meanwhile.
        """
        with self._settling, contextlib.suppress(StoppedError):
            tell = stoppable(progress, self._closing)
            try:
                self._audit(tell)
            finally:
                try:
                    Settling(self._database, self._trees, self._clock(), tell).run()
                finally:
                    self._compute_contents(tell)

    def content_id(self, snapshot: str, *, compute: bool = True) -> str:
        """Return the content id; see :meth:`Engine.content_id`."""
        snapshot = self.equal(snapshot)
        contents = self._contents
        return contents.compute(snapshot) if compute else contents.get(snapshot)

    def _compute_contents(self, progress: Progress | None = None) -> None:
        """Compute the content ids that are not known, of the newest snapshots first."""
        self._contents.compute_all(progress)

    # -- comparing -----------------------------------------------------------------------------

    def changes(self, snapshot: str | None) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        Files are read only where ``lstat`` cannot tell. What could not be looked at now (an
        unreadable folder) is not called removed.
        """
        self._require_live()
        frozen = None if snapshot is None else self._trees.root_item(self.equal(snapshot))
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
            # the marks first: what they tell is true of all that is known later
            watcher = self._watcher()
            marks = None if watcher is None else watcher.peek()
            walk = self._walk_with(clock, capture, None)
            live = walk.run(self._known.get()[0], marks)
            skipped = {entry.path for entry in walk.skipped}
            return LiveComparison(self._trees, walk.unread, skipped, digest).run(live, frozen)
        finally:
            capture.close()

    def diff(
        self, old: str | None, new: str, under: str = "", *, renames: bool = False
    ) -> builtins.list[Difference]:
        """Compare two snapshots; see :meth:`Engine.diff`."""
        old, new = None if old is None else self.equal(old), self.equal(new)
        found = diff(self._trees, old, new, under)
        return renamed(hashed(self._trees, old, new, found)) if renames else found

    # -- reading -------------------------------------------------------------------------------

    def exists(self, snapshot: str) -> bool:
        """Whether the store holds that snapshot."""
        return self._store.has_snapshot(self.equal(snapshot))

    def snapshots(self) -> builtins.list[SnapshotInfo]:
        """Return all snapshots, the oldest first; see :meth:`Engine.snapshots`."""
        known = self._contents.known()
        names = self._names()
        return [
            replace(info, id=names.get(info.id, info.id), content=known.get(info.id, ""))
            for info in self._store.listing()
        ]

    def _names(self) -> dict[str, str]:
        """Return the names that commits have for snapshots of other engines, by the id here."""
        return {equal.snapshot: foreign for foreign, equal in self._equals.all().items()}

    def totals(self, snapshot: str) -> tuple[int, int]:
        """Return the number of a snapshot's files, and their sizes added up; reads one object."""
        root = self._trees.root(self.equal(snapshot))
        return root.files, root.size

    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry; see :meth:`Engine.entry`."""
        return self._trees.entry(self._trees.lookup(self.equal(snapshot), path), path, hashed=True)

    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return a folder's direct children; see :meth:`Engine.list`."""
        prefix = f"{path}/" if path else ""
        tree = self._trees.folder(self.equal(snapshot), path).digest
        return [self._trees.entry(item, prefix + item.name) for item in self._trees.children(tree)]

    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield all that is below a folder; see :meth:`Engine.walk`."""
        tree = self._trees.folder(self.equal(snapshot), under).digest
        return (self._trees.entry(item, path) for path, item in self._trees.walk(tree, under))

    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file; see :meth:`Engine.open`."""
        item = self._trees.lookup(self.equal(snapshot), path)
        return io.BufferedReader(FrozenFile(self._trees, item, path), 1 << 16)

    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot to a new or empty folder; see :meth:`Engine.restore`."""
        return restore(self._trees, self.equal(snapshot), to, paths, progress)

    def rollback(self, snapshot: str, progress: Progress | None = None) -> Snapshot:
        """Make the live folder what it was; see :meth:`Engine.rollback`."""
        self._require_live()
        return rollback(self, self.root, self.equal(snapshot), progress)

    def clone(self, snapshot: str, to: Path, progress: Progress | None = None) -> None:
        """Make a new folder with the content: what is stored is compressed, so it is a restore."""
        if os.path.lexists(to):
            raise SnapshotError(f"{to} is there already. Choose another name for the new folder.")
        restore(self._trees, self.equal(snapshot), to, (), progress)

    # -- moving --------------------------------------------------------------------------------

    def send(
        self,
        snapshot: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write a snapshot as a stream; see :meth:`Engine.send`. Settles first if need be."""
        plan = self._plan(snapshot, base)
        content = self.content_id(snapshot, compute=False)
        transfer.send(self._database, self._trees, plan, to, resume, content, progress)

    def send_size(self, snapshot: str, base: str | None = None) -> int:
        """Return the bytes of the objects that :meth:`send` would write."""
        return self._plan(snapshot, base).size()

    def _plan(self, snapshot: str, base: str | None) -> transfer.Plan:
        snapshot, base = self.equal(snapshot), None if base is None else self.equal(base)
        try:
            return transfer.Plan(self._database, self._trees, snapshot, base)
        except transfer.UnsettledError:
            with contextlib.suppress(SnapshotError):  # it may be about other snapshots
                self.settle()
            return transfer.Plan(self._database, self._trees, snapshot, base)

    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in a sent snapshot; see :meth:`Engine.receive`."""
        return Receiving(self._database, self._trees, self.settle, progress).run(source)

    def partial(self) -> dict[str, str]:
        """Return transfers that were cut; see :meth:`Engine.partial`."""
        self._database.refresh()
        return partial.tokens(self._store, self._database.has)

    # -- exchanging objects --------------------------------------------------------------------

    def missing(self, ids: Sequence[bytes]) -> builtins.list[bytes]:
        """Return those of some objects (ids of 32 bytes) that the store does not have, each once.

        What an object refers to may be missing although it is there; :meth:`adopt` tells.
        """
        self._database.refresh(force=True)
        return [digest for digest in dict.fromkeys(ids) if not self._database.has(digest)]

    def needed(
        self,
        snapshot: str,
        lacks: Callable[[builtins.list[bytes]], builtins.list[bytes]],
        progress: Progress | None = None,
        *,
        also: Sequence[bytes] = (),
        bases: Sequence[str] = (),
        deltas: Deltas | None = None,
    ) -> Iterator[bytes]:
        """Yield the ids of those objects of a snapshot that another store lacks, for :meth:`pack`.

        An object comes after all that it refers to, so whatever arrives is complete below;
        and it comes once. Content that was captured is hashed first.

        Parameters
        ----------
        lacks
            Asks the other side, whose :meth:`missing` answers: takes ids, at most 65,536 of
            them, and returns those that are lacking. What is below an object that is not
            lacking is not asked about. One call does where the other side has the snapshot, or
            the snapshot has few objects.
        also
            Ids that are known to be lacking, from :meth:`adopt`. With any, all of the snapshot
            is asked about, because what refers to them may be there.
        bases
            Snapshots that the other side has whole, those of parent commits for example. What
            they have where this snapshot is another is not asked about. Those that are not here
            are passed over, and with ``also`` all of them.
        deltas
            A dict to be filled, for :meth:`pack`, with chunks of large files that changed since
            the bases.

        Raises
        ------
        SnapshotNotFoundError
            If there is no such snapshot.
        CorruptStoreError
            On the way, if a part of the snapshot is missing or damaged here.
        """
        if self._trees.captures.ids():
            with contextlib.suppress(SnapshotError):  # it may be about other snapshots
                self.settle()
        snapshot, known = self.equal(snapshot), [self.equal(base) for base in bases]
        needed = Needed(self._database, self._trees, snapshot, lacks, also, known, deltas, progress)
        return needed.ids()

    def pack(
        self,
        ids: Iterable[bytes],
        to: BinaryIO,
        progress: Progress | None = None,
        *,
        deltas: Deltas | None = None,
    ) -> int:
        """Write objects as a stream that :meth:`unpack` takes in; return their number.

        Each is verified as it is read. Memory stays flat whatever their number.

        Parameters
        ----------
        deltas
            What :meth:`needed` filled: these chunks are sent as differences to chunks that the
            other side has, where that is shorter.

        Raises
        ------
        CorruptStoreError
            If one is missing or damaged; the stream has no end then, and so counts as cut.
        SnapshotError
            If the stream cannot be written.
        """
        return exchange.pack(self._database, self._trees, ids, to, progress, deltas)

    def unpack(self, source: BinaryIO, progress: Progress | None = None) -> int:
        """Take in the objects of a stream; return their number.

        Each is verified. They are made durable in steps of 64 MiB or 30 seconds, and what
        arrived is spared by gc for 7 days. No snapshot is there before :meth:`adopt`.

        Raises
        ------
        TransferError
            If the stream was cut or damaged, or what a difference is based on is not here; what
            came before is kept.
        SnapshotError
            If this is no such stream, or the store cannot be written.
        """
        unpacking = exchange.Unpacking(self._database, self._trees, self.settle, progress)
        return unpacking.run(source)

    def adopt(
        self, snapshots: Iterable[str], hold: str, bases: Sequence[str] = ()
    ) -> builtins.list[bytes]:
        """Prove that snapshots are there whole, put them on the list, and hold all of them.

        What the newest snapshots on the list have is trusted; everything else of the others is
        gone through once, and large files are hashed as a whole unless they ever were.

        Parameters
        ----------
        hold
            The tag under which they are held; see :meth:`hold`.
        bases
            More snapshots on the list that are trusted, such as those of the parent commits.

        Returns
        -------
        list of bytes
            Nothing if all was there. Otherwise the ids of objects that are lacking or damaged, at
            most 100,000, and none of the snapshots was put on the list. There may be more below
            those: hand them to the sender's :meth:`needed` as ``also``.

        Raises
        ------
        SnapshotError
            If one is not what a snapshot has to be, and so can never be taken in.
        """
        known = [self.equal(base) for base in bases]
        return exchange.adopt(self._database, self._trees, snapshots, hold, known)

    # -- looking after the store ---------------------------------------------------------------

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Protect snapshots from being destroyed; see :meth:`Engine.hold`."""
        self._store.hold(map(self.equal, snapshots), tag)

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots; see :meth:`Engine.release`."""
        self._store.release(map(self.equal, snapshots), tag)

    def destroy(self, snapshot: str) -> None:
        """Drop a snapshot; see :meth:`Engine.destroy`. Its room is freed by :meth:`gc`."""
        self._store.destroy(self.equal(snapshot))

    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read and hash all that these snapshots need; see :meth:`Engine.verify`."""
        wanted = {snapshot: self.equal(snapshot) for snapshot in snapshots}
        found = Verification(self._database, progress).run(wanted.values())
        return self._named(wanted, [*found, *self._unequal(wanted, found)])

    def _unequal(self, wanted: dict[str, str], found: Iterable[Problem]) -> Iterator[Problem]:
        """Yield a problem for each snapshot of another engine that has another content here."""
        spoilt = {problem.snapshot for problem in found}
        for snapshot, here in wanted.items():
            noted = self._equals.get(snapshot) if snapshot != here else None
            if noted is not None and here not in spoilt:
                content = self._contents.compute(here)
                if content != noted.content:
                    yield Problem(here, "", "What it holds is not what its content id says.")

    @staticmethod
    def _named(wanted: dict[str, str], found: Iterable[Problem]) -> builtins.list[Problem]:
        """Return problems by the names that the snapshots were asked for."""
        names = {here: snapshot for snapshot, here in wanted.items()}
        return [replace(each, snapshot=names.get(each.snapshot, each.snapshot)) for each in found]

    def repair(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Mend what can be mended; see :meth:`Engine.repair`.

        What is damaged is kept in the store's folder ``lost+found``.
        """
        wanted = {snapshot: self.equal(snapshot) for snapshot in snapshots}
        mending = Repair(self._database, self.root, self.snapshot, self.settle, progress)
        return self._named(wanted, mending.run(wanted.values()))

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what is not needed; see :meth:`Engine.gc` and the parameter ``grace``."""
        freed = Collection(self._database, self.grace, progress).run(map(self.equal, keep))
        self._equals.prune(self._store.has_snapshot)
        self._contents.prune(self._database.has)
        return freed

    def usage(self, *, each: bool = False) -> Usage:
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
        if each:
            snapshots = [info.id for info in self._store.listing()]
            called = self._names()
            usage.each = [
                replace(found, id=called.get(found.id, found.id))
                for found in Accounting(self._database, self._trees).run(snapshots)
            ]
        return usage

    def close(self) -> None:
        """Save the stat cache and let go of open files."""
        self._closing.set()
        with self._taking, self._settling:
            self._known.save()
            if self._live is not None:
                self._live.close()
            self._database.close()
            if self._store.depot is not None:
                self._store.depot.close()


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
