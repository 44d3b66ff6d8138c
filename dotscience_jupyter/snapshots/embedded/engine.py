# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine: works anywhere, needs no root, reads only what changed."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.snapshots.engine import (
    Difference,
    Entry,
    LiveChange,
    Problem,
    Progress,
    Repaired,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    Usage,
)
from dotscience_jupyter.snapshots.portable import PortableEngine
from dotscience_jupyter.snapshots.renames import renamed
from dotscience_jupyter.snapshots.rollback import rollback

from . import exchange, partial, transfer
from .asking import Needed
from .capture import Clock
from .compare import diff, hashed
from .contents import Contents
from .database import Database, Session
from .depot import Depot
from .differing import Deltas
from .editing import Edit, Editing
from .equals import Equal, Equals
from .livefolder import LiveFolder, clock_of, require_folder
from .maintenance import Collection
from .objects import Root
from .receiving import Receiving
from .repair import Repair
from .restoring import restore
from .settling import Settling, StoppedError, stoppable
from .store import Elsewhere, Store
from .trees import FrozenFile, Trees
from .usage import Accounting, total
from .verification import Verification

GRACE = 900.0
"""Seconds for which a snapshot that was returned is kept by gc although it is not recorded."""

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
    def create(cls, folder: Path, store: Path) -> EmbeddedEngine:
        """Make a new folder and open an engine on it; see :meth:`Engine.create`."""
        try:
            folder.mkdir()
        except FileExistsError:
            raise SnapshotError(
                f"{folder} is there already. Nothing was changed. Choose a name that is not taken."
            ) from None
        except OSError as error:
            raise SnapshotError(
                f"The folder {folder} could not be made: {error.strerror or error}. Nothing was "
                "changed. Choose a place that is there and that you may write to."
            ) from error
        try:
            return cls(folder, store)
        except SnapshotError:
            with contextlib.suppress(OSError):  # the store may have been begun in it
                folder.rmdir()
            raise

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
            require_folder(root)  # before a store is made for it
        self._store = Store(store, elsewhere=elsewhere, depot=depot)
        self._equals = Equals(self._store)
        self._database = Database(self._store)
        self._trees = Trees(self._database)
        self._contents = Contents(self._store, self._trees)
        self._folder = LiveFolder(root, self._database, self._trees) if root else None
        self._settling = threading.Lock()
        self._closing = threading.Event()

    # -- freezing ------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        """Freeze the folder; see :meth:`Engine.snapshot`.

        Costs a walk plus what changed; without the walk if the folder is watched.
        """
        return self._live_folder().snapshot(progress, look_at)

    def _live_folder(self) -> LiveFolder:
        if self._folder is None:
            raise SnapshotError(
                f"The snapshot store {self._store.folder} was opened without a folder to freeze, "
                "so there is nothing to look at. Nothing was changed."
            )
        return self._folder

    def _clock(self) -> Clock:
        return clock_of(self._store) if self._folder is None else self._folder.clock()

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
        return self._live_folder().watch()

    def settle(self, progress: Progress | None = None) -> None:
        """Hash what was captured, compute content ids; see :meth:`Engine.settle`.

        Ends early, and without an error, when the engine is closed meanwhile.
        """
        with self._settling, contextlib.suppress(StoppedError):
            tell = stoppable(progress, self._closing)
            try:
                if self._folder is not None:
                    self._folder.audit(tell)
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

    def changes(
        self, snapshot: str | None, under: str = "", *, renames: bool = False
    ) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        Files are read only where ``lstat`` cannot tell. What could not be looked at now (an
        unreadable folder) is not called removed.
        """
        folder = self._live_folder()
        frozen = None if snapshot is None else self._trees.root_item(self.equal(snapshot))
        return folder.changes(frozen, under, renames=renames)

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
        return rollback(self, self._live_folder().root, self.equal(snapshot), progress)

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

    def repair(self, snapshots: Iterable[str], progress: Progress | None = None) -> Repaired:
        """Mend what can be mended; see :meth:`Engine.repair`.

        What is damaged is kept in the store's folder ``lost+found``.
        """
        wanted = {snapshot: self.equal(snapshot) for snapshot in snapshots}
        mending = Repair(self._database, self.root, self.snapshot, self.settle, progress)
        result = mending.run(wanted.values())
        unequal = [*self._unequal(wanted, result.lost)]
        return Repaired(
            self._named(wanted, [*result.found, *unequal]),
            self._named(wanted, [*result.lost, *unequal]),
        )

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what is not needed; see :meth:`Engine.gc` and the parameter ``grace``."""
        freed = Collection(self._database, self.grace, progress).run(map(self.equal, keep))
        self._equals.prune(self._store.has_snapshot)
        self._contents.prune(self._database.has)
        return freed

    def usage(self, *, each: bool = False) -> Usage:
        """How much room the store takes; ``extra`` has the number of packs and objects."""
        self._database.refresh()
        usage = total(self._database, self._trees)
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
        with self._settling:
            if self._folder is not None:
                self._folder.close()
            self._database.close()
            if self._store.depot is not None:
                self._store.depot.close()
