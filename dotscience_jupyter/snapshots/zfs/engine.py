# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The engine of folders that are ZFS datasets."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path

from dotscience_jupyter.snapshots.embedded.store import require_tag, writing
from dotscience_jupyter.snapshots.engine import (
    Check,
    HeldError,
    Progress,
    SnapshotError,
    SnapshotNotFoundError,
    SnapshotUsage,
    Usage,
)
from dotscience_jupyter.snapshots.flushing import flush_by
from dotscience_jupyter.snapshots.native import GRACE, NativeSnapshot, Touched
from dotscience_jupyter.snapshots.native.tree import Tree

from . import checking, command, differences, names
from .cloning import clone
from .errors import ZfsError
from .libzfs import Libzfs
from .listing import Frozen, Listing, properties
from .moving import MovingEngine
from .replicas import NotMountedError, Replicas

TAG = "dotscience:"
"""What our holds begin with, as ``zfs holds`` shows them."""

PROPERTY = "dotscience:snapshot"
"""The user property of snapshots that were taken by this engine."""

_PATIENCE = 5.0
_FREEING_PATIENCE = 10.0
_AT_ONCE = 200


class ZfsEngine(MovingEngine):
    """Freezes a folder that is the mount point of a dataset.

    Snapshots are ZFS's own, read through ``.zfs/snapshot``, and named ``ds-<UTC>-<hex>``; their ids
    are their guids, which ZFS keeps when it sends them. Holds are ZFS's own as well.

    Parameters
    ----------
    root
        The folder to freeze: exactly where a dataset is mounted.
    store
        Where manifests are kept.
    grace
        Seconds for which :meth:`gc` spares a snapshot that was taken, or returned again, but is
        not in ``keep``.

    Raises
    ------
    SnapshotError
        If the folder is no dataset's, or ZFS cannot be used.
    """

    def __init__(self, root: Path, store: Path, *, grace: float = GRACE) -> None:
        self._libzfs = Libzfs.open()
        self.dataset = names.mounted_at(os.path.abspath(root))
        if not self.dataset:
            raise SnapshotError(
                f"The folder {root} is not where a ZFS dataset is mounted, so the engine 'zfs' "
                "cannot freeze it. Nothing was changed. Run 'jupyter dotscience engine check' to "
                "see what is missing, or choose another engine."
            )
        super().__init__(root, store, grace=grace)
        self._replicas = Replicas(self._libzfs, self.dataset, self._store)
        self._listing = Listing(self._libzfs, self.dataset, self.root, self._replicas)
        self._nothing_written: tuple[str, str] = ("", "")

    # -- choosing ------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, store: Path) -> ZfsEngine:
        """Make a dataset for a new folder below the dataset that the folder above it is in."""
        place = os.path.abspath(folder)
        around = names.holding(os.path.dirname(place))
        component = os.path.basename(place)
        if os.path.lexists(place):
            raise SnapshotError(f"{folder} exists already. Nothing was changed. Choose a new name.")
        if around is None:
            raise SnapshotError(
                f"{os.path.dirname(place)} is not on ZFS, so no dataset was made. Choose a place "
                "that is, or another engine."
            )
        if not names.is_component(component):
            raise SnapshotError(
                f"{component!r} cannot be the name of a dataset: only letters, digits, spaces and "
                "any of '-_.:' can be in it. Nothing was changed. Choose another name."
            )
        if os.geteuid():
            raise SnapshotError(
                "On Linux only root may mount a dataset. Nothing was changed. As root, run: "
                f"zfs create -o mountpoint={place} {around.dataset}/{component} && "
                f"chown {os.geteuid()} {place}"
            )
        dataset = f"{around.dataset}/{component}"
        libzfs = Libzfs.open()
        libzfs.create(dataset, {"mountpoint": place})
        try:
            if not names.mounted_at(place):
                command.run("mount a dataset", dataset, "mount", dataset)
            return cls(folder, store)
        except SnapshotError:
            with contextlib.suppress(SnapshotError):
                libzfs.destroy(dataset)
            raise

    @classmethod
    def suits(cls, folder: Path) -> bool:
        """Whether the folder is a dataset and all that is needed is there."""
        return checking.suits(os.path.abspath(folder))

    @classmethod
    def check(cls, folder: Path) -> builtins.list[Check]:
        """Say what is needed, and what of it is missing; see :meth:`Engine.check`."""
        return checking.check(os.path.abspath(folder))

    # -- freezing ------------------------------------------------------------------------------

    def _require_folder(self) -> None:
        super()._require_folder()
        if names.mounted_at(self.root) != self.dataset:
            raise SnapshotError(
                f"The folder {self.root} cannot be read: its dataset {self.dataset} is not mounted "
                f"there. Nothing was frozen or changed. As root, run: zfs mount {self.dataset}"
            )

    def _freeze(self) -> str:
        last = next((each for each in reversed(self._listing.all()) if not each.received), None)
        # ZFS has what was written to files, but not what is in mapped memory only. That comes with
        # its next group of transactions, which is 5 seconds away unless one is asked for.
        with writing(self._store.folder):
            flush_by(self.root, self._hurry)
        name = f"{self.dataset}@{names.new_snapshot(time.time())}"
        self._libzfs.snapshot(name, {PROPERTY: "1"})
        try:
            # what was written since the last one is asked for along with the id
            wanted = "guid,createtxg" + ("" if last is None else f",written@{last.short}")
            guid, transaction, *written = properties(name, wanted)
            frozen = self._listing.learn(name, int(guid), int(transaction))
        except BaseException:
            with contextlib.suppress(SnapshotError):
                self._libzfs.destroy_snapshots([name])
            raise
        nothing = last is not None and written == ["0"]
        self._nothing_written = (last.id, frozen.id) if last is not None and nothing else ("", "")
        return frozen.id

    def _hurry(self) -> None:
        with contextlib.suppress(SnapshotError):  # it takes a few seconds more
            self._libzfs.sync(self.dataset.partition("/")[0])

    def _is_same(self, last: NativeSnapshot, new: str) -> bool:
        return self._nothing_written == (last.id, new) or super()._is_same(last, new)

    def settle(self, progress: Progress | None = None) -> None:
        """Make the manifests and content ids that are missing, of all that can be read."""
        for found in self._native():
            with contextlib.suppress(SnapshotNotFoundError, NotMountedError):
                self._settle(found.id, progress)

    # -- what there is -------------------------------------------------------------------------

    def _native(self) -> builtins.list[NativeSnapshot]:
        return [
            NativeSnapshot(each.id, each.created, each.received) for each in self._listing.all()
        ]

    def _place(self, snapshot: str) -> str:
        found = self._listing.find(snapshot)
        return "" if found is None else self._listing.place(found)

    def _tree(self, snapshot: str) -> Tree:
        self._listing.enter(self._listing.get(snapshot))
        return super()._tree(snapshot)

    def _touched(self, old: str, new: str, limit: int = 0) -> Touched | None:
        first, second = sorted(
            (self._listing.get(old), self._listing.get(new)), key=lambda each: each.transaction
        )
        if first.dataset != second.dataset:
            return None
        for each in (first, second):
            self._listing.enter(each)
        return differences.touched(
            first.name,
            second.name,
            names.mount_point(first.dataset),
            (self._listing.place(first), self._listing.place(second)),
            limit,
            _PATIENCE if limit else 0.0,
        )

    # -- dropping ------------------------------------------------------------------------------

    def _drop(self, snapshots: Iterable[str]) -> None:
        doomed = self._listing.named(set(snapshots))
        # one that was received may be a clone of another, but never the other way round
        for found in sorted(doomed, key=lambda each: (not each.received, -each.transaction)):
            self._destroy(found)
        if any(found.received for found in doomed):
            self._replicas.drop_empty()
            self._replicas.changed()

    def _discard(self, snapshot: str) -> None:
        # where somebody is looking at it already, there is one more snapshot of the same
        with contextlib.suppress(HeldError):
            self._destroy(self._listing.get(snapshot))

    def _tidy(self) -> None:
        self._replicas.drop_abandoned(self._ledger.times())
        self._replicas.drop_empty()

    def _destroy(self, found: Frozen) -> None:
        try:
            self._libzfs.destroy_snapshots([found.name])
        except ZfsError as error:
            if error.errno == errno.EEXIST:
                raise self._cloned(found) from error
            if error.errno == errno.EBUSY:
                raise self._busy(found) from error
            if error.errno != errno.ENOENT:
                raise
        self._listing.forget(found.name)

    def _cloned(self, found: Frozen) -> HeldError:
        clones = properties(found.name, "clones")[0].split(",")
        received = [name for name in clones if names.is_replica(name, self.dataset)]
        others = [name for name in clones if name not in received]
        reasons, advice = [], []
        if others:
            reasons.append(f"the clone {', '.join(others)} shares its content")
            advice.append(f"zfs destroy {others[0]}")
        if received:
            reasons.append(f"what was received as new since then ({', '.join(received)}) needs it")
            advice.append("drop the snapshots that were received later")
        return HeldError(
            f"The snapshot {found.id} was not destroyed: {' and '.join(reasons)}. Nothing was "
            f"changed. If it is to go, first {' and '.join(advice)}."
        )

    def _busy(self, found: Frozen) -> HeldError:
        tags = self._libzfs.holds([found.name])[found.name]
        why = f"it is held in ZFS as {', '.join(sorted(tags))}" if tags else "it is being read"
        advice = "release the hold (zfs release)" if tags else "try again when that is done"
        return HeldError(
            f"The snapshot {found.id} ({found.name}) was not destroyed: {why}. Nothing was "
            f"changed. If it is to go, {advice}."
        )

    def _free_bytes(self) -> int:
        pool = self.dataset.partition("/")[0]
        deadline = time.monotonic() + _FREEING_PATIENCE
        with contextlib.suppress(SnapshotError):
            while True:
                self._libzfs.sync(pool)
                freeing = command.run(
                    "wait for the pool", pool, "get", "-Hp", "-o", "value", "freeing", pool,
                    name="zpool",
                )  # fmt: skip
                if freeing.strip() in ("0", "-") or time.monotonic() > deadline:
                    break
        return super()._free_bytes()

    # -- holds ---------------------------------------------------------------------------------

    def _tags(self) -> dict[str, set[str]]:
        known = {found.name: found.id for found in self._listing.all()}
        tags: dict[str, set[str]] = {}
        for name, held in self._libzfs.holds([*known]).items():
            ours = {tag.removeprefix(TAG) for tag in held if tag.startswith(TAG)}
            if ours:
                tags[known[name]] = ours
        return tags

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Protect snapshots by holds of ZFS; see :meth:`Engine.hold`."""
        wanted = list(dict.fromkeys(snapshots))
        require_tag(tag)
        self._store.prepare()
        with self._store.shared("nothing was held"):
            found = [self._listing.get(snapshot).name for snapshot in wanted]
            held = self._libzfs.holds(found)
            fresh = [name for name in found if TAG + tag not in held[name]]
            if not fresh:
                return
            try:
                missing = self._libzfs.hold(fresh, TAG + tag)
            except ZfsError as error:
                if error.errno != errno.EEXIST:
                    raise
                # another process was first with one of them, so none was held
                missing = [name for each in fresh for name in self._hold_one(each, TAG + tag)]
            if missing:
                self._libzfs.release([name for name in fresh if name not in missing], TAG + tag)
                raise SnapshotNotFoundError(
                    f"There is no snapshot {missing[0]} any more. Nothing was held."
                )

    def _hold_one(self, name: str, tag: str) -> builtins.list[str]:
        try:
            return self._libzfs.hold([name], tag)
        except ZfsError as error:
            if error.errno != errno.EEXIST:
                raise
            return []

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a hold of ZFS off snapshots; see :meth:`Engine.release`."""
        require_tag(tag)
        wanted = set(snapshots)
        found = [each.name for each in self._listing.all() if each.id in wanted]
        held = self._libzfs.holds(found)
        names_ = [name for name in found if TAG + tag in held[name]]
        if names_:
            self._libzfs.release(names_, TAG + tag)

    # -- giving back ---------------------------------------------------------------------------

    def clone(self, snapshot: str, to: Path, progress: Progress | None = None) -> None:
        """Make a dataset that begins as the snapshot, mounted at ``to``.

        It shares all room with the snapshot, which cannot be destroyed until the dataset is. Where
        this user may not mount, the files are copied instead.
        """
        if os.path.lexists(to):
            raise SnapshotError(f"{to} exists already, so nothing was cloned. Choose a new folder.")
        name = self._listing.get(snapshot).name
        if os.geteuid():
            self.restore(snapshot, to, progress=progress)
            return
        clone(self._libzfs, self.dataset, name, os.path.abspath(to), self._is_other)

    # -- looking after the store ---------------------------------------------------------------

    def usage(self, *, each: bool = False) -> Usage:
        """How much room the dataset and its received snapshots take; see :meth:`Engine.usage`.

        ``stored_bytes`` is what the folder and its snapshots take together: ZFS keeps no copy of
        what they share. ``extra`` tells the parts.
        """
        known = self._listing.all()
        usage = Usage(snapshots=len(known))
        datasets = [self.dataset, *self._replicas.datasets()]
        wanted = "usedbydataset,usedbysnapshots"
        lines = command.table(
            "look for room", self.dataset, "get", "-Hp", "-o", "name,property,value", wanted,
            *datasets,
        )  # fmt: skip
        parts = {"folder bytes": 0, "snapshots bytes": 0, "received bytes": 0}
        for dataset, name, value in lines:
            part = "snapshots bytes" if name == "usedbysnapshots" else "folder bytes"
            parts["received bytes" if dataset != self.dataset else part] += int(value)
        usage.stored_bytes = sum(parts.values())
        usage.extra = parts
        sizes = self._sizes([found.name for found in known]) if each else {}
        for found in known:
            try:
                logical = self._logical(found.id)
            except NotMountedError:
                logical = 0
            usage.logical_bytes += logical
            if each:
                alone, referenced = sizes.get(found.name, (0, 0))
                shared = max(0, referenced - alone)
                usage.each.append(SnapshotUsage(found.id, alone, shared, logical))
        return usage

    @staticmethod
    def _sizes(found: builtins.list[str]) -> dict[str, tuple[int, int]]:
        """Return what each snapshot takes alone and what it refers to, in bytes."""
        sizes: dict[str, tuple[int, int]] = {}
        for start in range(0, len(found), _AT_ONCE):
            lines = command.table(
                "look for room", found[start], "list", "-Hp", "-t", "snapshot",
                "-o", "name,used,referenced", *found[start : start + _AT_ONCE],
            )  # fmt: skip
            sizes |= {name: (int(alone), int(all_)) for name, alone, all_ in lines}
        return sizes
