# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The base of the engines whose snapshots are the file system's own."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from dotscience_jupyter.snapshots.embedded.objects import Root
from dotscience_jupyter.snapshots.embedded.store import Store, require_not_held, require_tag
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    CorruptStoreError,
    Engine,
    HeldError,
    Problem,
    Progress,
    Repaired,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.rollback import rollback

from .compare import Comparison
from .hooks import NativeSnapshot
from .ledger import Ledger
from .reading import Reading
from .settling import Settling
from .verification import Frozen, Verification

GRACE = 900.0
"""Seconds for which a snapshot that was returned is kept by gc although it is not recorded."""

_MAX_TOUCHED = 20_000
_PATIENCE = 1.0
_MAX_READ = 1 << 24
"""Of a folder in which so much was written, or that takes so many seconds to look at, it is not
told any more whether that left everything as it was: a new snapshot is always right."""

_LOCK_PATIENCE = 60.0


class NativeEngine(Reading):
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
        self._require_folder()  # before a store is made for it
        super().__init__(self.root, Store(store, engine=self.name))
        self.grace = grace
        self._ledger = Ledger(self._store)
        self._settling = Settling(
            self._manifests, self._native, self._require, self._tree, self._differing
        )
        self._taking = threading.Lock()

    def _tags(self) -> dict[str, set[str]]:
        return self._ledger.held()

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
        self._settling.run(progress)

    def _settle(self, snapshot: str, progress: Progress | None) -> str:
        """Return a snapshot's manifest, made now if need be, with its content id."""
        return self._settling.settle(snapshot, progress)

    def manifest(self, snapshot: str, progress: Progress | None = None) -> tuple[Trees, Root]:
        """Return what reads a snapshot's manifest, and its root; it is made now if need be."""
        return self._manifests.trees, self._manifests.root(self._settle(snapshot, progress))

    def renew(self, snapshot: str, progress: Progress | None = None) -> None:
        """Make a manifest anew unless all of it can be read."""
        self._settling.proven(snapshot, progress)

    def contents(self) -> dict[str, str]:
        """Return the content ids of all snapshots, the oldest first; "" where it is not known.

        Cheaper than :meth:`snapshots`, which asks the file system what is held.
        """
        known = self._manifests.known_content_ids()
        return {each.id: known.get(self._manifests.find(each.id), "") for each in self._native()}

    @property
    def store(self) -> str:
        """The folder of locks, manifests and holds."""
        return self._store.folder

    def ancestors(self, snapshot: str) -> list[str] | None:
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

    def portable(self) -> Engine:
        """Return this engine with a store beside it; see :class:`.portable.PortableNative`."""
        from .portable import PortableNative

        return PortableNative(self)

    def snapshots(self) -> list[SnapshotInfo]:
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

    # -- giving back ---------------------------------------------------------------------------

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

    def verify(self, snapshots: Iterable[str], progress: Progress | None = None) -> list[Problem]:
        """Read all files of these snapshots; see :meth:`Engine.verify`.

        What is read is compared with the manifest; where there is none it becomes one. Blocks that
        a file shares with the snapshot that was read before are not read twice.
        """

        def opened(snapshot: str) -> Frozen:
            tree = self._tree(snapshot)
            manifest = self._settling.proven(snapshot, progress)
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
