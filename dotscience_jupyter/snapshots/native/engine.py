# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The base of the engines whose snapshots are the file system's own."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

from dotscience_jupyter.snapshots.embedded.compare import diff
from dotscience_jupyter.snapshots.embedded.objects import Root
from dotscience_jupyter.snapshots.embedded.store import Store, require_not_held, require_tag
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    Change,
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    HeldError,
    Kind,
    LiveChange,
    PathNotFoundError,
    Problem,
    Progress,
    Repaired,
    Skipped,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.ignore import Rules
from dotscience_jupyter.snapshots.renames import below, live_renamed, renamed
from dotscience_jupyter.snapshots.rollback import rollback

from .building import Base, Builder, hash_open
from .compare import Comparison, Differs, Touched, above_of
from .copying import restore
from .hooks import Hooks, NativeSnapshot
from .ledger import Ledger
from .manifests import Manifests
from .tree import FrozenFile, Node, Tree
from .verification import Frozen, Verification

GRACE = 900.0
"""Seconds for which a snapshot that was returned is kept by gc although it is not recorded."""

_MAX_TOUCHED = 20_000
_PATIENCE = 1.0
_MAX_READ = 1 << 24
"""Of a folder in which so much was written, or that takes so many seconds to look at, it is not
told any more whether that left everything as it was: a new snapshot is always right."""

_MAX_HASHED = 1 << 26
"""Bytes that a comparison reads for digests that are not known yet: more would hold up a commit."""
_MAX_DIGESTS = 100_000
_SETTLED = 2.0
"""Seconds after which the next write to a file certainly gives it other stamps."""
_LOCK_PATIENCE = 60.0


class NativeEngine(Hooks):
    """Reads, compares and restores snapshots that are read-only folder trees on disk.

    Nothing of the data is read when a snapshot is taken. Digests and content ids come from
    *manifests* that :meth:`settle` makes in the background, each from the one before and what
    changed since; without one they are computed when asked for, or "". How many files a snapshot
    has, and what was skipped, is known from then on too.

    An engine of a file system overrides :class:`Hooks`, and has for its own use: ``root`` (absolute
    path of the folder), ``_store`` (the folder for locks, manifests and holds; ``_store.folder`` is
    its path), ``_require(snapshot)`` (where it is, or SnapshotNotFoundError), ``_tree(snapshot)``
    (what is to be shown of it), ``_logical(snapshot)`` (its files' sizes added up),
    ``_returned(snapshot)`` (note that it was returned just now: to be called for a received one),
    and ``_check_arrived(snapshot, content)`` (prove a content id from the bytes).

    Parameters
    ----------
    root
        The folder to freeze.
    store
        Where manifests and holds are kept; created if need be.
    grace
        Seconds for which :meth:`gc` spares a snapshot that was taken, or returned again, but is
        not in ``keep``: the process that took it may be about to record it.
    """

    streams: ClassVar[bool] = False
    """Whether a hub on the same kind of file system may take what :meth:`send` writes."""

    def __init__(self, root: Path, store: Path, *, grace: float = GRACE) -> None:
        self.root = os.path.abspath(root)
        self.grace = grace
        self._require_folder()
        self._store = Store(store, engine=self.name)
        self._ledger = Ledger(self._store)
        self._manifests = Manifests(self._store)
        self._taking = threading.Lock()
        self._settling = threading.Lock()
        self._rules: dict[bytes, Rules] = {}
        self._digests: dict[tuple[str, str], str] = {}
        # of live files, with the stamps that they had when they were read
        self._read: dict[str, tuple[tuple[int, int, int, int], str]] = {}

    # -- what is made of the hooks ---------------------------------------------------------------

    def _tags(self) -> dict[str, set[str]]:
        return self._ledger.held()

    def _differing(self, old: str, new: str, limit: int = 0) -> Touched | None:
        """Return what may differ between two snapshots; None if all is to be looked at."""
        touched = self._touched(old, new, limit)
        if touched is None:
            return None
        places = (self._require(old), self._require(new))
        for path in [path for path, deep in touched.items() if path and not deep]:
            found = False
            for place in places:
                try:
                    status = os.lstat(f"{place}/{path}")
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError:
                    return None  # a path that is too long for the system
                found = True
                if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                    names = self._names(new, status.st_ino)
                    if names is None:
                        return None
                    for name in names:
                        touched.setdefault(name, False)
            if not found:
                return None  # it was named as it was for a moment only
        return touched

    # -- what they are given ---------------------------------------------------------------------

    def _require(self, snapshot: str) -> str:
        """Return where a snapshot's tree is, or raise SnapshotNotFoundError."""
        place = self._place(snapshot)
        if not place:
            raise SnapshotNotFoundError(
                f"There is no snapshot {snapshot[:64]!r} in this workspace."
            )
        return place

    def _tree(self, snapshot: str) -> Tree:
        """Return what is to be shown of a snapshot."""
        return Tree(self._require(snapshot), self._is_other, rules=self._rules)

    def _logical(self, snapshot: str) -> int:
        """Return the sizes of a snapshot's files added up."""
        manifest = self._manifests.find(snapshot)
        if manifest:
            with contextlib.suppress(CorruptStoreError):
                return self._manifests.root(manifest).size
        return sum(node.size for node in self._tree(snapshot).walk() if node.kind is Kind.FILE)

    def _returned(self, snapshot: str) -> None:
        """Note that a snapshot is being returned to somebody now."""
        self._ledger.returned(snapshot)

    def _check_arrived(self, snapshot: str, content: str) -> None:
        """Prove the content id of a snapshot that was received; "" if the sender knew none.

        Raises
        ------
        CorruptStoreError
            If it is another one; the snapshot is for the caller to drop.
        """
        if content and self.content_id(snapshot) != content:
            self._manifests.forget(snapshot)
            raise CorruptStoreError(
                f"What arrived of snapshot {snapshot} is not what was sent: its content id "
                "differs. It was dropped again. Send it again."
            )

    # -- freezing ------------------------------------------------------------------------------

    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        """Freeze the folder; see :meth:`Engine.snapshot`. Costs the same however large it is.

        How many files there are, and what was skipped, is known once :meth:`settle` has looked at
        the snapshot, and said from then on: counting would mean to look at every file.
        """
        if progress is not None:
            progress(0, 0, "Freezing the folder")
        with self._taking:
            # a folder that is gone, or not mounted, is not one that was emptied
            self._require_folder()
            self._store.prepare()
            with self._store.shared(), self._ledger.alone():
                snapshot = self._unchanged_or_new()
                self._returned(snapshot)
        return self._described(snapshot)

    def _require_folder(self) -> None:
        if not os.path.isdir(self.root):
            raise SnapshotError(
                f"The folder {self.root} cannot be read: it is not there. Nothing was frozen or "
                "changed."
            )

    def _unchanged_or_new(self) -> str:
        last = next((found for found in reversed(self._native()) if not found.received), None)
        new = self._freeze()
        if last is not None and self._is_same(last, new):
            self._discard(new)
            return last.id
        return new

    def _is_same(self, last: NativeSnapshot, new: str) -> bool:
        """Whether nothing that counts changed. Where that takes long to tell, it is not the same.

        What does not count, like our own records inside the folder, changes with every commit.
        """
        deadline = time.monotonic() + _PATIENCE

        def same_content(old_fd: int, new_fd: int, size: int) -> bool:
            return size <= _MAX_READ and self._same_content(old_fd, new_fd, size)

        comparison = Comparison(
            self._tree(last.id),
            self._tree(new),
            int(last.created * 1e9),
            same_content,
            exact=True,
            on_node=lambda: _require_time(deadline),
        )
        try:
            touched = self._differing(last.id, new, _MAX_TOUCHED)
            return next(comparison.run(touched=touched), None) is None
        except (_TooLongError, SnapshotError):
            return False

    def _described(self, snapshot: str) -> Snapshot:
        manifest = self._manifests.find(snapshot)
        if manifest:
            with contextlib.suppress(CorruptStoreError):
                root = self._manifests.root(manifest)
                skipped = self._manifests.skipped(snapshot)
                return Snapshot(snapshot, root.files, root.size, skipped)
        return Snapshot(snapshot, 0, 0)

    def settle(self, progress: Progress | None = None) -> None:
        """Make the manifests and content ids that are missing, the oldest first."""
        damage: CorruptStoreError | None = None
        for found in self._native():
            try:
                self._settle(found.id, progress)
            except SnapshotNotFoundError:
                continue  # dropped meanwhile
            except CorruptStoreError as error:
                damage = damage or error
        if damage is not None:
            raise damage

    def _settle(self, snapshot: str, progress: Progress | None) -> str:
        """Return a snapshot's manifest, made now if need be, with its content id."""
        with self._settling:
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

    def _build_alone(self, snapshot: str, progress: Progress | None) -> str:
        """Make a manifest anew, and not from the one before: they share what cannot be read."""
        self._manifests.forget(snapshot)
        return self._build(snapshot, progress, from_base=False)

    def _proven_manifest(self, snapshot: str, progress: Progress | None) -> str:
        """Return a snapshot's manifest, all of which can be read; "" if it cannot be made."""
        try:
            manifest = self._settle(snapshot, progress)
            try:
                self._manifests.check(manifest)
            except CorruptStoreError:
                with self._settling:
                    manifest = self._build_alone(snapshot, progress)
            return manifest
        except SnapshotNotFoundError:
            raise
        except SnapshotError:
            return ""  # a file cannot be read, or the store not be written

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
        earlier: builtins.list[NativeSnapshot] = []
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

    def manifest(self, snapshot: str, progress: Progress | None = None) -> tuple[Trees, Root]:
        """Return what reads a snapshot's manifest, and its root; it is made now if need be."""
        return self._manifests.trees, self._manifests.root(self._settle(snapshot, progress))

    def renew(self, snapshot: str, progress: Progress | None = None) -> None:
        """Make a manifest anew unless all of it can be read."""
        self._proven_manifest(snapshot, progress)

    def contents(self) -> dict[str, str]:
        """Return the content ids of all snapshots, the oldest first; "" where it is not known.

        Cheaper than :meth:`snapshots`, which asks the file system what is held.
        """
        known = self._manifests.known_content_ids()
        return {each.id: known.get(self._manifests.find(each.id), "") for each in self._native()}

    def skipped(self, snapshot: str) -> tuple[Skipped, ...]:
        """Return what could not be frozen, as far as a manifest tells."""
        return self._manifests.skipped(snapshot)

    @property
    def store(self) -> str:
        """The folder of locks, manifests and holds."""
        return self._store.folder

    def ancestors(self, snapshot: str) -> builtins.list[str] | None:
        """Return the snapshots since which what is new in one can be sent, the oldest first.

        None if the snapshot cannot be sent in a way that everybody can read.
        """
        return None

    @property
    def reads_received(self) -> bool:
        """Whether snapshots that :meth:`receive` took in can be read by this user."""
        return True

    def unshown(self, snapshot: str, since: str = "") -> str:
        """Return a path that :meth:`send` would send along and the snapshot does not show.

        "" if there is nothing but our own folder and caches, so that nothing leaves that was to
        stay here. With ``since`` only what is new since that snapshot is looked at.
        """
        return ""

    def logical_bytes(self, snapshot: str) -> int:
        """Return the sizes of a snapshot's files added up; no file is read."""
        return self._logical(snapshot)

    def portable(self) -> Engine:
        """Return this engine with a store beside it; see :class:`.portable.PortableNative`."""
        from .portable import PortableNative

        return PortableNative(self)

    def exists(self, snapshot: str) -> bool:
        """Whether that snapshot is there."""
        return bool(self._place(snapshot))

    def snapshots(self) -> builtins.list[SnapshotInfo]:
        """Return all snapshots, the oldest first."""
        tags, times = self._tags(), self._ledger.times()
        contents = self._manifests.known_content_ids()
        found = []
        for each in self._native():
            created = max(each.created, times.get(each.id, 0.0))
            holds = tuple(sorted(tags.get(each.id, ())))
            content = contents.get(self._manifests.find(each.id), "")
            found.append(SnapshotInfo(each.id, created, holds, content))
        found.sort(key=lambda info: self._ledger.order(info.id, info.created))
        return found

    def content_id(self, snapshot: str, *, compute: bool = True) -> str:
        """Return a snapshot's content id; see :meth:`Engine.content_id`.

        It is computed from the snapshot before and what changed since; where there is none, all
        files are read.
        """
        self._require(snapshot)
        manifest = self._settle(snapshot, None) if compute else self._manifests.find(snapshot)
        return self._manifests.content_id(manifest, compute=compute) if manifest else ""

    # -- comparing -----------------------------------------------------------------------------

    def changes(
        self, snapshot: str | None, under: str = "", *, renames: bool = False
    ) -> builtins.list[LiveChange]:
        """Compare the live folder with a snapshot; see :meth:`Engine.changes`.

        Files are read only where their size is the same and their times are not.
        """
        frozen = None if snapshot is None else self._tree(snapshot)
        created = 0.0 if snapshot is None else self._created(snapshot)
        live = Tree(self.root, self._is_other, self._store_identity(), self._rules)
        comparison = Comparison(frozen, live, int(created * 1e9), self._same_content)
        found: builtins.list[LiveChange] = []
        for each in comparison.run():
            node = each.new or each.old
            assert node is not None
            found.append(LiveChange(each.path, each.change, node.kind, node.size))
        unknown = {skipped.path for skipped in live.skipped}
        found = [
            each
            for each in found
            if each.change is not Change.REMOVED
            or unknown.isdisjoint((each.path, *above_of(each.path)))
        ]
        found.sort(key=lambda change: change.path)
        found = below(under, found)
        if frozen is None or not renames:
            return found
        assert snapshot is not None
        before, name = frozen, snapshot

        def frozen_digest(path: str) -> str:
            try:
                node = before.node(path)
                return self._known_digest(name, node) or self._digest(name, node)
            except SnapshotError:
                return ""

        return live_renamed(found, frozen_digest, lambda path: self._live_digest(live, path))

    def _live_digest(self, live: Tree, path: str) -> str:
        """Return a live file's digest; "" if it cannot be read, or is written to meanwhile."""
        try:
            fd = live.open(path)
        except SnapshotError:
            return ""
        try:
            status = os.fstat(fd)
            mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._read.get(path)
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
            if len(self._read) >= _MAX_DIGESTS:
                self._read.clear()
            self._read[path] = (mark, digest)
        return digest

    def _store_identity(self) -> tuple[int, int]:
        status = os.stat(self._store.folder)
        return status.st_dev, status.st_ino

    def _created(self, snapshot: str) -> float:
        return next((each.created for each in self._native() if each.id == snapshot), 0.0)

    def diff(
        self, old: str | None, new: str, under: str = "", *, renames: bool = False
    ) -> builtins.list[Difference]:
        """Compare two snapshots; see :meth:`Engine.diff`.

        Where their manifests are known nothing is read. Else the file system tells what may
        differ, and of that only what is new and small is read for its digest.
        """
        found = self._diff_by_manifests(old, new, under)
        if found is None:
            found = self._diff_by_trees(old, new, under, renames)
        return renamed(found) if renames else found

    def _diff_by_manifests(
        self, old: str | None, new: str, under: str
    ) -> builtins.list[Difference] | None:
        for snapshot in (old, new):
            if snapshot is not None:
                self._require(snapshot)
        after = self._manifests.find(new)
        before = None if old is None else self._manifests.find(old)
        if not after or before == "":
            return None
        try:
            self._manifests.root(after)
            return diff(self._manifests.trees, before, after, under)
        except CorruptStoreError:
            for snapshot in (old, new):
                if snapshot is not None:
                    self._manifests.forget(snapshot)
            return None

    def _diff_by_trees(
        self, old: str | None, new: str, under: str, renames: bool
    ) -> builtins.list[Difference]:
        before = None if old is None else self._tree(old)
        created = 0.0 if old is None else self._created(old)
        touched = None if old is None else self._differing(old, new)
        comparison = Comparison(before, self._tree(new), int(created * 1e9), self._same_content)
        differs = {each.path: each for each in comparison.run(under, touched)}
        wanted = _may_be_renamed(differs.values()) if renames else set()
        left = _MAX_HASHED
        found: builtins.list[Difference] = []
        for path in sorted(differs):
            each = differs[path]
            entries: builtins.list[Entry | None] = []
            for snapshot, node in ((old, each.old), (new, each.new)):
                digest = ""
                if node is not None and node.kind is Kind.FILE:
                    assert snapshot is not None
                    digest = self._known_digest(snapshot, node)
                    if not digest and (node.size <= left or node.size in wanted):
                        left -= node.size
                        digest = self._digest(snapshot, node)
                entries.append(None if node is None else node.entry(digest))
            found.append(Difference(path, each.change, entries[0], entries[1]))
        return found

    # -- reading -------------------------------------------------------------------------------

    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry; see :meth:`Engine.entry`. A file may be read for its digest."""
        node = self._tree(snapshot).node(path)
        if node.kind is not Kind.FILE:
            return node.entry()
        return node.entry(self._known_digest(snapshot, node) or self._digest(snapshot, node))

    def _known_digest(self, snapshot: str, node: Node) -> str:
        """Return a file's digest if it is known, else ""."""
        key = (snapshot, node.path)
        if key in self._digests:
            return self._digests[key]
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

    def _digest(self, snapshot: str, node: Node) -> str:
        """Return a file's digest from its bytes."""
        fd = self._tree(snapshot).open(node.path)
        try:
            digest = hash_open(fd)[0].hex()
        except OSError as error:
            raise CorruptStoreError(
                f"{node.path!r} cannot be read: {error.strerror or error}."
            ) from error
        finally:
            os.close(fd)
        if len(self._digests) >= _MAX_DIGESTS:
            self._digests.clear()
        self._digests[(snapshot, node.path)] = digest
        return digest

    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return a folder's direct children; see :meth:`Engine.list`."""
        tree = self._tree(snapshot)
        with tree.folder(path) as folder:
            nodes = tree.children(folder)
        digests = self._digests_in(snapshot, path)
        return [node.entry(digests.get(node.name, "")) for node in nodes]

    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield all that is below a folder; see :meth:`Engine.walk`."""
        tree = self._tree(snapshot)
        with tree.folder(under):
            pass  # an error is raised now, and not when the first entry is asked for
        return self._walk(snapshot, tree, under)

    def _walk(self, snapshot: str, tree: Tree, under: str) -> Iterator[Entry]:
        digests: dict[str, str] = {}
        folder: str | None = None
        for node in tree.walk(under):
            above = node.path.rpartition("/")[0]
            if node.kind is Kind.FILE and above != folder:
                folder, digests = above, self._digests_in(snapshot, above)
            yield node.entry(digests.get(node.name, "") if node.kind is Kind.FILE else "")

    def _digests_in(self, snapshot: str, path: str) -> dict[str, str]:
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

    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file; the file system verifies what is read by its own checksums."""
        return io.BufferedReader(FrozenFile(self._tree(snapshot).open(path), path), 1 << 16)

    # -- giving back ---------------------------------------------------------------------------

    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot to a new or empty folder; see :meth:`Engine.restore`."""
        return restore(self._tree(snapshot), to, paths, progress)

    def rollback(self, snapshot: str, progress: Progress | None = None) -> Snapshot:
        """Make the live folder what it was; see :meth:`Engine.rollback`."""
        self._require(snapshot)
        return rollback(self, self.root, snapshot, progress)

    # -- looking after the store ---------------------------------------------------------------

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Protect snapshots from being destroyed; see :meth:`Engine.hold`."""
        wanted = list(dict.fromkeys(snapshots))
        require_tag(tag)
        if not wanted:
            return
        self._store.prepare()
        with self._store.shared("nothing was held"):
            for snapshot in wanted:
                self._require(snapshot)
            self._ledger.hold(wanted, tag)

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots; see :meth:`Engine.release`."""
        self._ledger.release(snapshots, tag)

    def destroy(self, snapshot: str) -> None:
        """Drop a snapshot for good; see :meth:`Engine.destroy`."""
        self._require(snapshot)
        # alone, so that nobody holds it between the look at its holds and its end
        with self._store.exclusive(_LOCK_PATIENCE):
            self._require(snapshot)
            require_not_held(snapshot, self._tags().get(snapshot, ()))
            self._drop([snapshot])
            self._forget(snapshot)

    def _forget(self, snapshot: str) -> None:
        self._manifests.forget(snapshot)
        self._ledger.forget(snapshot)

    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read all files of these snapshots; see :meth:`Engine.verify`.

        What is read is compared with the manifest; where there is none it becomes one. Blocks that
        a file shares with the snapshot that was read before are not read twice.
        """

        def opened(snapshot: str) -> Frozen:
            tree = self._tree(snapshot)
            manifest = self._proven_manifest(snapshot, progress)
            skipped = frozenset(each.path for each in self._manifests.skipped(snapshot))
            return Frozen(tree, manifest, skipped, int(self._created(snapshot) * 1e9))

        verification = Verification(self._manifests, opened, self._same_blocks, progress)
        return verification.run(snapshots)

    def repair(self, snapshots: Iterable[str], progress: Progress | None = None) -> Repaired:
        """Return what :meth:`verify` finds: only the file system can mend its blocks.

        With a second copy of them (RAID, ``copies``) it does so whenever it reads a damaged one.
        """
        found = self.verify(snapshots, progress)
        return Repaired(found, found)

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop snapshots that are not needed; see :meth:`Engine.gc` and the parameter ``grace``."""
        kept = set(keep)
        for snapshot in sorted(kept):
            if not self.exists(snapshot):
                raise SnapshotNotFoundError(
                    f"Nothing was dropped: there is no snapshot {snapshot[:64]!r}, which is to be "
                    "kept. Run 'jupyter dotscience verify' to see what is missing."
                )
        self._store.prepare()
        tags = self._tags()
        self.hold(
            [each for each in sorted(kept) if COMMIT_HOLD not in tags.get(each, ())], COMMIT_HOLD
        )
        free = self._free_bytes()
        with self._store.exclusive(_LOCK_PATIENCE):
            there = self.snapshots()
            others = [info for info in there if info.id not in kept]
            self.release([each.id for each in others if COMMIT_HOLD in each.holds], COMMIT_HOLD)
            now = time.time()
            doomed = [
                each.id
                for each in others
                if not set(each.holds) - {COMMIT_HOLD}
                and min(now - each.created, self._ledger.age(each.id)) >= self.grace
            ]
            for number, snapshot in enumerate(doomed):
                if progress is not None:
                    progress(number, len(doomed), "Dropping snapshots")
                with contextlib.suppress(HeldError):  # a clone needs it
                    self._drop([snapshot])
                    self._forget(snapshot)
        self._tidy()
        self._manifests.forget_all_but(found.id for found in self._native())
        return max(0, self._free_bytes() - free) if doomed else 0

    def close(self) -> None:
        """Let go of open files."""
        self._manifests.close()


class _TooLongError(Exception):
    """It takes too long to tell whether something changed."""


def _require_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise _TooLongError


def _may_be_renamed(differs: Iterable[Differs]) -> set[int]:
    """Return the sizes of which a file went and one came."""
    sizes: dict[Change, set[int]] = {Change.ADDED: set(), Change.REMOVED: set()}
    for each in differs:
        node = each.old or each.new
        if each.change in sizes and node is not None and node.kind is Kind.FILE:
            sizes[each.change].add(node.size)
    return sizes[Change.ADDED] & sizes[Change.REMOVED]
