# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""An engine of a file system beside a store through which snapshots go to hubs and come from them.

The store, ``exchange/`` in the engine's own, is one of the embedded engine's. Of the file system's
snapshots it has folders and references to their contents, of snapshots that came from elsewhere
all. Whatever is asked of a snapshot, the file system is asked first.
"""

from __future__ import annotations

import builtins
import heapq
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from dotscience_jupyter.snapshots.embedded import EmbeddedEngine
from dotscience_jupyter.snapshots.embedded.compare import diff_items
from dotscience_jupyter.snapshots.embedded.database import Database, MissingObjectError, Session
from dotscience_jupyter.snapshots.embedded.objects import Item
from dotscience_jupyter.snapshots.embedded.packs import Pack
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import (
    Change,
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    LiveChange,
    PathNotFoundError,
    Problem,
    Progress,
    Repaired,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
    Usage,
)
from dotscience_jupyter.snapshots.portable import PortableEngine
from dotscience_jupyter.snapshots.renames import below, live_renamed, renamed
from dotscience_jupyter.snapshots.rollback import rollback

from .bringing import Before, Bringing
from .compare import above_of
from .engine import NativeEngine
from .references import Reference, References

HOLD = "exchange"
"""The tag of the file system's snapshots that have the content of what the store refers to."""


class PortableNative(PortableEngine):
    """What :func:`..finding.open_engine` gives for a folder on ZFS or btrfs.

    Parameters
    ----------
    native
        The engine of the file system, which is closed with this one.
    place
        Where the store through which they move is, if not in the engine's own.
    """

    def __init__(self, native: NativeEngine, place: Path | None = None) -> None:
        self.native = native
        self.name = native.name
        self.root = native.root
        self._place = place or Path(native.store) / "exchange"
        self._references = References(native)
        self._opening = threading.Lock()
        self._store: EmbeddedEngine | None = None
        self._twins: dict[str, str] = {}
        self._others: set[str] = set()  # that were found in the store
        self._brought = ""  # the last one

    # -- moving through the store ----------------------------------------------------------------

    @property
    def exchange(self) -> EmbeddedEngine:
        """The store; it is made when it is needed for the first time."""
        with self._opening:
            if self._store is None:
                self._store = EmbeddedEngine.open_store(
                    self._place, grace=self.native.grace, elsewhere=self._references.read
                )
            return self._store

    def _exchange(self) -> EmbeddedEngine | None:
        """Return the store if there is one."""
        return self.exchange if self._store or os.path.isdir(self._place) else None

    def bring(self, snapshot: str, progress: Progress | None = None) -> str:
        """See to it that the store has a snapshot; see :meth:`PortableEngine.bring`.

        Of one that the file system has, only large files are read that are new since another one
        was brought.
        """
        exchange = self.exchange
        if exchange.exists(snapshot):
            return exchange.equal(snapshot)
        content = self.native.content_id(snapshot)
        try:
            brought = self._bring(exchange, snapshot, progress)
        except CorruptStoreError:
            # what is damaged may be the manifest, which can be made anew
            self.native.renew(snapshot, progress)
            brought = self._bring(exchange, snapshot, progress)
        if exchange.content_id(brought) != content:
            raise CorruptStoreError(
                f"The snapshot {snapshot} cannot be moved: what was read of it is not what its "
                "content id says. Nothing was changed. Run 'jupyter dotscience verify' to see what "
                "is damaged."
            )
        exchange.equate(snapshot, brought, content)
        self._brought = snapshot
        return brought

    def _bring(self, exchange: EmbeddedEngine, snapshot: str, progress: Progress | None) -> str:
        manifests, root = self.native.manifest(snapshot, progress)
        before = self._brought_before(exchange, snapshot)

        def tell(path: str, count: int) -> None:
            if progress is not None:
                progress(count, 0, f"Cutting {path}")

        def make(trees: Trees, session: Session) -> Snapshot:
            # before there is a reference to it, and while nobody looks which ones there are
            self.native.hold([snapshot], HOLD)
            bringing = Bringing(
                snapshot,
                manifests,
                lambda path: self.native.open(snapshot, path),
                trees,
                session,
                before,
                tell,
            )
            return bringing.run(root)

        return exchange.build(make).id

    def _brought_before(self, exchange: EmbeddedEngine, snapshot: str) -> Before | None:
        """Return the newest snapshot before this one, or else of all, that was brought."""
        if self._is_brought(exchange, self._brought):
            return self._before(exchange, self._brought)
        there = builtins.list(self.native.contents())
        at = there.index(snapshot) if snapshot in there else len(there)
        for other in [*reversed(there[:at]), *there[at:]]:
            if self._is_brought(exchange, other):
                return self._before(exchange, other)
        return None

    def _is_brought(self, exchange: EmbeddedEngine, snapshot: str) -> bool:
        return self.native.exists(snapshot) and exchange.exists(snapshot)

    def _before(self, exchange: EmbeddedEngine, snapshot: str) -> Before:
        manifest, brought = self.native.manifest(snapshot)[1], exchange.manifest(snapshot)[1]
        return Before(manifest.tree, brought.tree)

    @property
    def streams(self) -> str:
        """The engine's name, if hubs take its streams; see :attr:`PortableEngine.streams`."""
        return self.name if self.native.streams else ""

    @property
    def takes_streams(self) -> str:
        """The engine's name, if it can read them; see :attr:`PortableEngine.takes_streams`."""
        return self.streams if self.native.reads_received else ""

    def bases(self) -> builtins.list[str]:
        """Return what the file system has; see :meth:`PortableEngine.bases`."""
        return builtins.list(self.native.contents()) if self.native.streams else []

    def ancestors(self, snapshot: str) -> builtins.list[str] | None:
        """Return since which snapshots it can be sent; see :meth:`PortableEngine.ancestors`."""
        return None if self._is_elsewhere(snapshot) else self.native.ancestors(snapshot)

    def unshown(self, snapshot: str, since: str = "") -> str:
        """Return what would go along and is not shown; see :meth:`PortableEngine.unshown`."""
        return self.native.unshown(snapshot, since)

    # -- which of the two has a snapshot ---------------------------------------------------------

    def _of(self, snapshot: str) -> Engine:
        """Return what has a snapshot. Raise SnapshotNotFoundError if neither has."""
        # the file system may have to list all that it has to tell that it has not got one
        if snapshot in self._others or not self.native.exists(snapshot):
            exchange = self._exchange()
            if exchange is not None and exchange.exists(snapshot):
                self._others.add(snapshot)
                return exchange
        return self.native  # which tells where it has not

    def _is_elsewhere(self, snapshot: str) -> bool:
        """Whether the store has a snapshot, and the file system has not."""
        return self._of(snapshot) is not self.native

    def _split(self, snapshots: Iterable[str]) -> tuple[builtins.list[str], builtins.list[str]]:
        """Return the file system's snapshots, with those that are nowhere, and the store's."""
        ours: builtins.list[str] = []
        others: builtins.list[str] = []
        for snapshot in dict.fromkeys(snapshots):
            (others if self._is_elsewhere(snapshot) else ours).append(snapshot)
        return ours, others

    def _twin(self, snapshot: str) -> str:
        """Return a snapshot of the file system with the content of one of the store's, or ""."""
        known = self._twins.get(snapshot, "")
        if known and self.native.exists(known):
            return known
        content = self.exchange.content_id(snapshot)
        contents = self.native.contents()
        found = next((each for each in reversed(contents) if contents[each] == content), "")
        if found:
            self._twins[snapshot] = found
        return found

    # -- freezing --------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        """Freeze the folder; see :meth:`Engine.snapshot`."""
        return self.native.snapshot(progress, look_at)

    def watch(self) -> bool:
        """Begin to take notice of changes; see :meth:`Engine.watch`."""
        return self.native.watch()

    def settle(self, progress: Progress | None = None) -> None:
        """Do the work that was put off; see :meth:`Engine.settle`."""
        self.native.settle(progress)

    def exists(self, snapshot: str) -> bool:
        """Whether the file system or the store has that snapshot."""
        return self._of(snapshot).exists(snapshot)

    def snapshots(self) -> builtins.list[SnapshotInfo]:
        """Return all snapshots, the oldest first."""
        found = self.native.snapshots()
        exchange = self._exchange()
        if exchange is not None:
            ours = {info.id for info in found}
            more = [info for info in exchange.snapshots() if info.id not in ours]
            # each is in its order already, which need not be that of the clock
            found = [*heapq.merge(found, more, key=lambda info: info.created)]
        return found

    def content_id(self, snapshot: str, *, compute: bool = True) -> str:
        """Return the content id; see :meth:`Engine.content_id`."""
        return self._of(snapshot).content_id(snapshot, compute=compute)

    # -- comparing -------------------------------------------------------------------------------

    def changes(
        self, snapshot: str | None, under: str = "", *, renames: bool = False
    ) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        With one of the store's the folder is frozen first, unless the file system has the same
        content.
        """
        if snapshot is not None and self._is_elsewhere(snapshot):
            snapshot = self._twin(snapshot) or snapshot
        if snapshot is None or not self._is_elsewhere(snapshot):
            return self.native.changes(snapshot, under, renames=renames)
        now = self.native.snapshot().id
        unseen = {skipped.path for skipped in self.native.skipped(now)}
        found: builtins.list[LiveChange] = []
        for each in self.diff(snapshot, now):
            entry = each.new or each.old
            if entry is None or (
                each.change is Change.REMOVED
                and not unseen.isdisjoint((each.path, *above_of(each.path)))
            ):
                continue
            found.append(LiveChange(each.path, each.change, entry.kind, entry.size))
        found = below(under, found)
        if not renames:
            return found
        return live_renamed(
            found,
            lambda path: self._digest(snapshot, path),
            lambda path: self._digest(now, path),
        )

    def _digest(self, snapshot: str, path: str) -> str:
        try:
            return self.entry(snapshot, path).digest
        except SnapshotError:
            return ""  # it is damaged, which verify says

    def diff(
        self, old: str | None, new: str, under: str = "", *, renames: bool = False
    ) -> builtins.list[Difference]:
        """Compare two snapshots; see :meth:`Engine.diff`."""
        named = [each for each in (old, new) if each is not None]
        others = [each for each in named if self._is_elsewhere(each)]
        if not others:
            return self.native.diff(old, new, under, renames=renames)
        if others == named:
            return self.exchange.diff(old, new, under, renames=renames)
        assert old is not None
        if twin := self._twin(others[0]):
            pair = (twin, new) if old == others[0] else (old, twin)
            return self.native.diff(*pair, under, renames=renames)
        found = self._diff(old, new, under)
        return renamed(found) if renames else found

    def _diff(self, old: str, new: str, under: str) -> builtins.list[Difference]:
        """Compare one of the file system's snapshots with one of the store's."""
        items: builtins.list[Item | None] = []
        databases: builtins.list[Database] = []
        for snapshot in (old, new):
            elsewhere = self._is_elsewhere(snapshot)
            engine = self.exchange if elsewhere else self.native
            trees, root = engine.manifest(snapshot)
            databases.insert(0 if elsewhere else 1, trees.database)
            try:
                items.append(trees.below(root, under))
            except PathNotFoundError:
                if items == [None]:
                    raise
                items.append(None)
        trees = Trees(cast(Database, _Joint(*databases)))  # all that it is asked for
        return diff_items(trees, items[0], items[1], under)

    # -- reading ---------------------------------------------------------------------------------

    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry; see :meth:`Engine.entry`."""
        return self._of(snapshot).entry(snapshot, path)

    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return a folder's direct children; see :meth:`Engine.list`."""
        return self._of(snapshot).list(snapshot, path)

    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield all that is below a folder; see :meth:`Engine.walk`."""
        return self._of(snapshot).walk(snapshot, under)

    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file; see :meth:`Engine.open`."""
        return self._of(snapshot).open(snapshot, path)

    # -- giving back -----------------------------------------------------------------------------

    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot to a new or empty folder; see :meth:`Engine.restore`."""
        return self._of(snapshot).restore(snapshot, to, paths, progress)

    def rollback(self, snapshot: str, progress: Progress | None = None) -> Snapshot:
        """Make the live folder what it was; see :meth:`Engine.rollback`.

        The folder is frozen afterwards too, so that the file system has the content from then on.
        """
        if not self._is_elsewhere(snapshot):
            return self.native.rollback(snapshot, progress)
        before = rollback(self, self.root, snapshot, progress)
        self.native.content_id(self.native.snapshot(progress).id)
        return before

    def clone(self, snapshot: str, to: Path, progress: Progress | None = None) -> None:
        """Make a new writable folder with a snapshot's content; see :meth:`Engine.clone`."""
        self._of(snapshot).clone(snapshot, to, progress)

    # -- moving by hand --------------------------------------------------------------------------

    def send(
        self,
        snapshot: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write a snapshot as a stream of the engine that has it; see :meth:`Engine.send`."""
        self._of(snapshot).send(snapshot, to, base, resume, progress)

    def send_size(self, snapshot: str, base: str | None = None) -> int:
        """Estimate the bytes that :meth:`send` would write."""
        return self._of(snapshot).send_size(snapshot, base)

    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in a snapshot that the same kind of file system sent; see :meth:`Engine.receive`."""
        return self.native.receive(source, progress)

    def partial(self) -> dict[str, str]:
        """Return transfers that were cut; see :meth:`Engine.partial`."""
        return self.native.partial()

    # -- looking after both ----------------------------------------------------------------------

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Protect snapshots from being destroyed; see :meth:`Engine.hold`."""
        ours, others = self._split(snapshots)
        self.native.hold(ours, tag)
        if others:
            self.exchange.hold(others, tag)

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots; see :meth:`Engine.release`."""
        ours, others = self._split(snapshots)
        self.native.release(ours, tag)
        if others:
            self.exchange.release(others, tag)

    def destroy(self, snapshot: str) -> None:
        """Drop a snapshot for good; see :meth:`Engine.destroy`."""
        self._of(snapshot).destroy(snapshot)

    def drop(self, snapshot: str) -> None:
        """Destroy a snapshot of the file system that could not be brought to the store."""
        self.native.release([snapshot], HOLD)
        self.native.destroy(snapshot)

    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read all that these snapshots need; see :meth:`Engine.verify`."""
        ours, others = self._split(snapshots)
        found = self.native.verify(ours, progress)
        return found + (self.exchange.verify(others, progress) if others else [])

    def repair(self, snapshots: Iterable[str], progress: Progress | None = None) -> Repaired:
        """Mend what can be mended; see :meth:`Engine.repair`."""
        ours, others = self._split(snapshots)
        result = self.native.repair(ours, progress)
        if others:
            found, lost = self.exchange.repair(others, progress)
            result = Repaired(result.found + found, result.lost + lost)
        return result

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what is not needed; see :meth:`Engine.gc`."""
        ours, others = self._split(keep)
        for snapshot in ours:
            if not self.native.exists(snapshot):
                raise SnapshotNotFoundError(
                    f"Nothing was dropped: there is no snapshot {snapshot[:64]!r}, which is to be "
                    "kept. Run 'jupyter dotscience verify' to see what is missing."
                )
        freed = 0
        exchange = self._exchange()
        if exchange is not None:
            brought = [each for each in ours if exchange.exists(each)]
            freed = exchange.gc([*others, *brought], progress)
            self._let_go(exchange)
        return freed + self.native.gc(ours, progress)

    def _let_go(self, exchange: EmbeddedEngine) -> None:
        """Release the file system's snapshots that nothing in the store refers to any more."""
        with exchange.alone():
            needed = {Reference.decode(stored).snapshot for stored in exchange.references()}
            held = [info.id for info in self.native.snapshots() if HOLD in info.holds]
            self.native.release([each for each in held if each not in needed], HOLD)

    def usage(self, *, each: bool = False) -> Usage:
        """How much room the file system's snapshots take, with all that is in its store."""
        return self.native.usage(each=each)

    def close(self) -> None:
        """Let go of open files."""
        self._references.close()
        with self._opening:
            if self._store is not None:
                self._store.close()
        self.native.close()


class _Joint:
    """Objects of two stores; an id means the same in each.

    What captured content became is known to the first one alone.
    """

    def __init__(self, exchange: Database, native: Database) -> None:
        self.store = exchange.store
        self._databases = (exchange, native)

    def get(self, digest: bytes) -> bytes:
        """Return an object, verified; raises as :meth:`Database.get`."""
        for database in self._databases:
            if database.has(digest):
                return database.get(digest)
        raise MissingObjectError("A stored object is missing.")

    def find(self, digest: bytes) -> tuple[Pack, int] | None:
        """Return where an object is, or None."""
        found = (database.find(digest) for database in self._databases)
        return next((place for place in found if place is not None), None)
