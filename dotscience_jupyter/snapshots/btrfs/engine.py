# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The btrfs engine: the folder is a subvolume, a snapshot is a read-only one beside it."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import secrets
import time
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.snapshots.embedded.store import writing
from dotscience_jupyter.snapshots.engine import (
    Check,
    CorruptStoreError,
    Progress,
    SnapshotError,
    SnapshotNotFoundError,
    SnapshotUsage,
    Usage,
)
from dotscience_jupyter.snapshots.flushing import flush
from dotscience_jupyter.snapshots.ignore import RESTORE_PREFIX
from dotscience_jupyter.snapshots.native import GRACE, NativeEngine, NativeSnapshot, Touched
from dotscience_jupyter.snapshots.native.stripping import strip
from dotscience_jupyter.snapshots.native.tree import Tree

from . import ioctls, sendstream, sharing
from .checking import checks, has_own_id, may_snapshot, require_own_id, require_subvolume
from .ioctls import Subvolume
from .receiving import (
    Receiving,
    destroy,
    partial_tokens,
    remove_leftovers,
    remove_stale,
)
from .room import Room
from .transfer import Sent, send, sending

_PREFIX = "btrfs-"
_CLEANING = 10.0
"""Seconds to wait for the file system to free the room of subvolumes that were dropped."""


class BtrfsEngine(NativeEngine):
    """Freezes a subvolume by btrfs's own snapshots.

    The store is made a subvolume too where it does not exist, so that snapshots do not hold it::

        subvolumes/    the snapshots taken here, named by their time
        received/      those received, named by their id
        partial/       streams of which not all has arrived

    Raises
    ------
    SnapshotError
        If the folder is no subvolume, or the store is not on the same file system.
    """

    name = "btrfs"

    def __init__(self, root: Path, store: Path, *, grace: float = GRACE) -> None:
        require_subvolume(root)
        self._made = f"{os.path.abspath(store)}/subvolumes"
        self._received = f"{os.path.abspath(store)}/received"
        self._infos: dict[str, Subvolume] = {}
        self._places: dict[str, str] = {}
        self._dropped: set[int] = set()
        _make_store(Path(root), Path(store))
        super().__init__(root, store, grace=grace)
        with writing(self._store.folder):
            for folder in (self._made, self._received):
                os.makedirs(folder, exist_ok=True)

    # -- choosing ------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, store: Path) -> BtrfsEngine:
        """Make a new subvolume and open an engine on it."""
        place = os.path.abspath(folder)
        if os.path.lexists(place):
            raise SnapshotError(f"{folder} is there already. Choose a name that is not taken.")
        above, name = os.path.split(place)
        try:
            if not ioctls.is_btrfs(above):
                raise SnapshotError(
                    f"{above} is not on a btrfs file system, so no subvolume can be made in it. "
                    "Nothing was changed. Choose a place on btrfs, or another engine."
                )
            ioctls.create(above, name)
        except OSError as error:
            raise SnapshotError(
                f"The subvolume {folder} could not be made: {error.strerror or error}. Nothing was "
                "changed."
            ) from error
        return cls(folder, store)

    @classmethod
    def suits(cls, folder: Path) -> bool:
        """Whether a folder is a subvolume that this program may take snapshots of."""
        try:
            place = os.fspath(folder)
            return ioctls.is_subvolume(place) and has_own_id(place) and may_snapshot(folder)
        except OSError:
            return False

    @classmethod
    def check(cls, folder: Path) -> builtins.list[Check]:
        """Say what is needed and what is missing; see :meth:`Engine.check`."""
        try:
            return builtins.list(checks(folder))
        except OSError as error:
            return [
                Check(
                    "a folder that can be looked at",
                    False,
                    error.strerror or str(error),
                    "Check its path and permissions.",
                )
            ]

    # -- what the file system offers -------------------------------------------------------------

    def _freeze(self) -> str:
        require_subvolume(Path(self.root))
        require_own_id(self.root)
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        with writing(self._store.folder):
            # The kernel flushes what is on a list of files with something new. A write to a part of
            # a file that is new already takes the file off that list for a moment, and then puts it
            # at the end of another one if that list is being walked just then. So what is written
            # to steadily may be left out, with all that it was given since the last flush.
            # BTRFS_IOC_SYNC walks the same list; syncfs asks the kernel's own one, which is no
            # btrfs's, and waits for each page. It does so for all subvolumes.
            flush(self.root)
            ioctls.snapshot(self.root, self._made, name, read_only=True)
        return self._id(self._info(f"{self._made}/{name}"))

    @staticmethod
    def _id(info: Subvolume) -> str:
        return f"{_PREFIX}{info.received if info.received.int else info.uuid}"

    def _info(self, place: str) -> Subvolume:
        """Return what is known of a snapshot; it does not change, so it is asked for once."""
        known = self._infos.get(place)
        if known is None:
            known = self._infos[place] = ioctls.info(place)
        return known

    def _found(self) -> Iterator[tuple[str, Subvolume]]:
        """Yield the places of all snapshots that are there whole."""
        for folder in (self._made, self._received):
            try:
                names = os.listdir(folder)
            except FileNotFoundError:
                continue  # the whole store is gone
            for name in names:
                place = f"{folder}/{name}"
                try:
                    if os.lstat(place).st_ino != ioctls.ROOT_INODE:
                        continue
                    info = self._info(place)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # dropped just now
                # what is being received becomes read-only at its end
                if info.read_only and (folder == self._made or info.received.int):
                    yield place, info
                else:
                    self._infos.pop(place, None)

    def _native(self) -> builtins.list[NativeSnapshot]:
        places: dict[str, str] = {}
        found: builtins.list[tuple[int, NativeSnapshot]] = []
        for place, info in self._found():
            snapshot = self._id(info)
            if snapshot not in places:
                places[snapshot] = place
                received = place.startswith(f"{self._received}/")
                found.append((info.origin, NativeSnapshot(snapshot, info.created, received)))
        self._places = places
        found.sort(key=lambda pair: pair[0])
        return [snapshot for _, snapshot in found]

    def _place(self, snapshot: str) -> str:
        if not snapshot.startswith(_PREFIX):
            return ""
        place = self._places.get(snapshot)
        if place is None or not os.path.isdir(place):
            self._native()
            place = self._places.get(snapshot, "")
        return place

    def _number(self, snapshot: str) -> int:
        return self._info(self._require(snapshot)).number

    def _discard(self, snapshot: str) -> None:
        self._destroy(snapshot)

    def _drop(self, snapshots: Iterable[str]) -> None:
        self._dropped.update(map(self._destroy, snapshots))
        with contextlib.suppress(OSError):  # else they may be there again after a power cut
            ioctls.sync(self.root)

    def _destroy(self, snapshot: str) -> int:
        """Drop a snapshot if it is there, and return the number of its subvolume."""
        place = self._place(snapshot)
        if not place:
            return 0
        number = self._info(place).number
        with writing(self._store.folder):
            destroy(place)
        self._infos.pop(place, None)
        self._places.pop(snapshot, None)
        return number

    def _touched(self, old: str, new: str, limit: int = 0) -> Touched | None:
        try:
            return sendstream.touched(self._require(new), self._number(old), limit)
        except (OSError, CorruptStoreError):
            return None  # it is for root only, and not while the file system is balanced

    def _names(self, snapshot: str, inode: int) -> builtins.list[str] | None:
        try:
            return ioctls.names(self._require(snapshot), inode)
        except OSError:
            return None

    def _is_other(self, status: os.stat_result, root: os.stat_result) -> bool:
        return status.st_ino in (ioctls.EMPTY_INODE, ioctls.ROOT_INODE) or super()._is_other(
            status, root
        )

    def _same_content(self, old_fd: int, new_fd: int, size: int) -> bool:
        """Compare two files; what they share on disk is not read."""
        return sharing.same_content(old_fd, new_fd, size)

    def _same_blocks(self, old_fd: int, new_fd: int) -> bool:
        return sharing.same_blocks(old_fd, new_fd)

    def _free_bytes(self) -> int:
        """Return the free room when what was dropped is cleaned up, or after some seconds."""
        self._dropped.discard(0)
        with contextlib.suppress(OSError):
            ioctls.sync(self.root)
            deadline = time.monotonic() + _CLEANING
            while self._dropped and time.monotonic() < deadline:
                self._dropped = {
                    number for number in self._dropped if ioctls.is_there(self.root, number)
                }
                if self._dropped:
                    time.sleep(0.02)
            ioctls.sync(self.root)
        self._dropped.clear()
        return super()._free_bytes()

    # -- giving back ---------------------------------------------------------------------------

    def clone(self, snapshot: str, to: Path, progress: Progress | None = None) -> None:
        """Make a new subvolume with the snapshot's content; it shares all blocks with it.

        What the ignore rules leave out was frozen as well, and is removed from it.
        """
        place = self._require(snapshot)
        target = os.path.abspath(to)
        if os.path.lexists(target):
            raise SnapshotError(f"{to} is there already. Choose another name for the new folder.")
        above = os.path.dirname(target)
        stage = f"{RESTORE_PREFIX}{secrets.token_hex(8)}"
        try:
            ioctls.snapshot(place, above, stage, read_only=False)
        except OSError as error:
            raise SnapshotError(_no_clone(to, error)) from error
        try:
            if progress is not None:
                progress(0, 0, "Making the new folder")
            strip(Tree(f"{above}/{stage}", self._is_other))
            os.rename(f"{above}/{stage}", target)
        except BaseException as error:
            destroy(f"{above}/{stage}")
            if isinstance(error, OSError):
                raise SnapshotError(_no_clone(to, error)) from error
            raise

    # -- moving --------------------------------------------------------------------------------

    def send(
        self,
        snapshot: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write a snapshot as a stream; see :meth:`Engine.send`. Needs root."""
        place = self._require(snapshot)
        parent = 0 if base is None else self._number(base)
        content = self.content_id(snapshot, compute=False)
        send(Sent(snapshot, base, content, place, parent), to, resume, progress)

    def send_size(self, snapshot: str, base: str | None = None) -> int:
        """Estimate the bytes of a stream from what btrfs would put into it. Needs root."""
        place = self._require(snapshot)
        parent = 0 if base is None else self._number(base)
        with sending():
            return sendstream.size_of(place, parent)

    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in a sent snapshot; see :meth:`Engine.receive`. Needs root and ``btrfs-progs``.

        The stream is kept until it is whole, so it takes its room twice for a moment.
        """
        self._store.prepare()
        return Receiving(self, self._store, self._received, progress).run(source)

    def partial(self) -> dict[str, str]:
        """Return transfers that were cut; see :meth:`Engine.partial`."""
        return partial_tokens(self._store, self.exists)

    # -- looking after the store ---------------------------------------------------------------

    def usage(self, *, each: bool = False) -> Usage:
        """How much room the store takes: what its files share on disk is counted once.

        What the live folder shares with a snapshot counts here as well. It is found out from where
        the files are on disk, without what small files take inside btrfs's own trees.
        """
        usage = Usage()
        native = self._native()
        usage.snapshots = len(native)
        room = Room()
        owners: dict[str, int] = {}
        since = {False: 0, True: 0}
        for snapshot in native:
            with contextlib.suppress(SnapshotNotFoundError):  # dropped just now
                usage.logical_bytes += self._logical(snapshot.id)
                # what is as old as the snapshot before was counted there
                older = 0 if each else since[snapshot.received]
                owners[snapshot.id] = room.add(self._pieces(snapshot.id, older))
                since[snapshot.received] = self._info(self._place(snapshot.id)).origin
        usage.stored_bytes = room.all + self._own_bytes()
        if each:
            room.add(self._pieces_in(self.root))
            for snapshot in native:
                if snapshot.id in owners:
                    alone, shared = room.of(owners[snapshot.id])
                    logical = self._logical(snapshot.id)
                    usage.each.append(SnapshotUsage(snapshot.id, alone, shared, logical))
        return usage

    def _pieces(self, snapshot: str, since: int) -> Iterable[tuple[Hashable, int]]:
        return self._pieces_in(self._require(snapshot), since)

    def _pieces_in(self, place: str, since: int = 0) -> Iterable[tuple[Hashable, int]]:
        """Return the places on disk, and their bytes, that a subvolume needs."""
        try:
            return builtins.list(ioctls.file_extents(place, ioctls.info(place).number, since))
        except PermissionError:
            # only root may look into btrfs's trees; files are asked one by one
            return builtins.list(sharing.pieces_of_files(place))

    def _own_bytes(self) -> int:
        """Return the bytes of the store's own files: manifests, what is being received."""
        total = 0
        for folder, folders, names in os.walk(self._store.folder):
            if folder == self._store.folder:
                folders[:] = [name for name in folders if name not in ("subvolumes", "received")]
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(f"{folder}/{name}").st_size
        return total

    def _tidy(self) -> None:
        remove_stale(self._store, self.exists)
        with contextlib.suppress(OSError):
            remove_leftovers(self._received)

    def arrived(self, snapshot: str, content: str) -> None:
        """Take notice of a snapshot that btrfs has received, and prove its content id."""
        with writing(self._store.folder):
            ioctls.sync(self._received)
        self._require(snapshot)
        try:
            self._check_arrived(snapshot, content)
        except CorruptStoreError:
            self._drop([snapshot])
            raise
        self._returned(snapshot)


def _make_store(root: Path, store: Path) -> None:
    """Make the store a subvolume of its own, if there is none."""
    place = os.path.abspath(store)
    with writing(place):
        if not os.path.lexists(place):
            above, name = os.path.split(place)
            os.makedirs(above, exist_ok=True)
            if ioctls.is_btrfs(above):
                with contextlib.suppress(FileExistsError):  # by another process
                    ioctls.create(above, name)
        there = place if os.path.isdir(place) else os.path.dirname(place)
        if not ioctls.is_same_file_system(os.fspath(root), there):
            raise SnapshotError(
                f"The store {store} is not on the same file system as {root}, so no snapshot of "
                "it can be kept there. Nothing was changed. Put the store below the folder."
            )


def _no_clone(to: Path, error: OSError) -> str:
    if error.errno in (errno.EXDEV, errno.ENOTTY):
        return (
            f"{to} is not on the same file system as the snapshot, so nothing was made: a clone "
            "shares its blocks. Restore the snapshot there instead."
        )
    return f"The clone {to} could not be made: {error.strerror or error}. Nothing was changed."
