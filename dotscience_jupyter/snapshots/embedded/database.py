# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""All packs of a store as one set of objects, and the sessions that add to it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    SnapshotError,
    UnavailableError,
)

from .batching import Batches
from .depot import LOOK_AGAIN, LOOK_EVERY, DepotPack
from .machine import room_in_cache
from .output import Data
from .packs import Pack, PackWriter
from .packset import PackSet
from .store import NoRoomError, Store, fsync_folder, writing

PACK_LIMIT = 1 << 28
"""A pack is closed when it has grown to this many bytes,"""
PACK_OBJECTS = 1 << 16
"""or holds this many objects: while it is written, its index takes a lot of memory."""
MERGE_FROM = 40
"""Small packs are merged when there are this many."""
MERGE_LIMIT = 1 << 24
"""Packs below this size are small, unless they were closed for their number of objects."""

_OPEN_PACKS = 64
_Read = TypeVar("_Read")


class MissingObjectError(CorruptStoreError):
    """No pack holds an object that should be there."""


class Database:
    """The objects of one store. Thread-safe; other processes may add and merge packs meanwhile."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._packs = PackSet()
        self._seen: tuple[int, int] | None = None
        self._open: OrderedDict[str, Pack] = OrderedDict()
        # those of the depot that are condemned, and the stamp that they are of
        self._condemned = PackSet()
        self._condemned_at = -1
        if store.depot is not None:
            store.depot.on_evicted = self._forget
        self.refresh()

    def refresh(self, force: bool = False, *, look: float = LOOK_EVERY) -> None:
        """Take notice of packs that came and went.

        ``look`` is for how many seconds what a depot was seen to hold is believed.
        """
        depot = self.store.depot
        if depot is not None:
            depot.look(look)  # not with the lock: who reads what is here waits for nobody
        with self._lock:
            try:
                stamp = 0 if depot is None else depot.stamp
                seen = os.stat(self.store.packs).st_mtime_ns, stamp
                if seen == self._seen and not force:
                    return
                names = {name for name in os.listdir(self.store.packs) if name.endswith(".pack")}
            except OSError as error:
                raise SnapshotError(
                    f"The snapshot store {self.store.folder} cannot be read: "
                    f"{error.strerror or error}. Check that the disk is there."
                ) from error
            sizes: Mapping[str, int] = {}
            if depot is not None:
                sizes = depot.packs()
                names = {name for name in names if not depot.is_gone(name)} | sizes.keys()
            known = self._packs.by_name
            came = []
            complete = True
            for name in names:
                if name in known:
                    continue
                try:
                    came.append(self._load(name, sizes.get(name, 0)))
                except FileNotFoundError:
                    continue  # merged into another one since
                except UnavailableError:
                    complete = False  # what it holds is not known now, which no read believes
                except OSError as error:
                    raise CorruptStoreError(
                        f"The pack {name} of the snapshot store cannot be read: "
                        f"{error.strerror or error}."
                    ) from error
            went = [known[name] for name in known.keys() - names]
            self._change(came, went)
            self._seen = seen if complete else None

    def _load(self, name: str, size: int) -> Pack:
        path = f"{self.store.packs}/{name}"
        if self.store.depot is None:
            return Pack.load(path, self.store.elsewhere)
        return DepotPack.load_from(path, size, self.store.depot)

    @property
    def packs(self) -> tuple[Pack, ...]:
        """The packs known now."""
        return self._packs.packs

    def find(self, digest: bytes) -> tuple[Pack, int] | None:
        """Return where an object is, or None."""
        return self._packs.first(digest)

    def has(self, digest: bytes) -> bool:
        """Whether the object is stored."""
        return self.find(digest) is not None

    def get(self, digest: bytes) -> bytes:
        """Return an object, verified.

        Raises
        ------
        MissingObjectError
            If it is in no pack.
        CorruptStoreError
            If every copy of it is damaged.
        """
        return self._read(digest, Pack.read)

    def stored(self, digest: bytes) -> tuple[int, bytes, int]:
        """Return an object's codec, stored form and length, verified. Raises as :meth:`get`."""
        return self._read(digest, Pack.verified)

    def both(self, digest: bytes) -> tuple[int, bytes, bytes]:
        """Return an object's codec, stored form and bytes, verified. Raises as :meth:`get`."""
        return self._read(digest, Pack.both)

    def _read(self, digest: bytes, read: Callable[[Pack, int], _Read]) -> _Read:
        damage: CorruptStoreError | UnavailableError | None = None
        for _ in range(5):
            look = LOOK_AGAIN
            for pack, at in self._packs.places(digest):
                self._note_use(pack)
                try:
                    return read(pack, at)
                except (CorruptStoreError, UnavailableError) as error:
                    damage = error
                except FileNotFoundError:
                    look = 0.0
                    break  # merged into another pack since; look again
            else:
                if damage is not None:
                    raise damage
            self.refresh(force=True, look=look)
        return self._read_condemned(digest, read)

    def _read_condemned(self, digest: bytes, read: Callable[[Pack, int], _Read]) -> _Read:
        """Read an object that somebody relied upon while its pack was being condemned."""
        for pack, at in self._condemned_packs().places(digest):
            with contextlib.suppress(FileNotFoundError):  # deleted since
                return read(pack, at)
        if self.store.depot is not None and (
            self.store.depot.is_out_of_reach or self._seen is None
        ):
            raise UnavailableError(
                "Not all of the content is at hand, and where it is kept cannot be reached just "
                "now. Nothing is lost; try again in a while."
            )
        raise MissingObjectError("A stored object is missing.")

    def _condemned_packs(self) -> PackSet:
        depot = self.store.depot
        if depot is None:
            return self._condemned
        stamp = depot.stamp
        if stamp != self._condemned_at:
            found = PackSet()
            for name, size in depot.condemned().items():
                with contextlib.suppress(FileNotFoundError):
                    found.change([self._load(name, size)])
            self._condemned, self._condemned_at = found, stamp
        return self._condemned

    def revive(self, needed: Collection[bytes]) -> None:
        """Keep those condemned packs that have something needed which is nowhere else."""
        depot = self.store.depot
        if depot is None:
            return
        packs = self._condemned_packs().packs
        lacking = {digest for digest in needed if not self.has(digest)} if packs else set()
        names = [
            pack.name
            for pack in packs
            if any(pack.digest(at) in lacking for at in range(len(pack)))
        ]
        if names:
            depot.revive(names)
            self.refresh(force=True)

    def _forget(self, name: str) -> None:
        """Let go of a pack's file, which was removed to make room."""
        known = self._packs.by_name.get(name)
        if known is not None:
            known.forget_handle()

    def _note_use(self, pack: Pack) -> None:
        if self.store.depot is not None:
            self.store.depot.used(pack.name)
        with self._lock:
            self._open[pack.name] = pack
            self._open.move_to_end(pack.name)
            if len(self._open) > _OPEN_PACKS:
                self._open.popitem(last=False)[1].forget_handle()

    def add(self, *packs: Pack) -> None:
        """Take notice of packs that were just published."""
        depot = self.store.depot
        if depot is not None:
            packs = tuple(DepotPack.of(pack, depot) for pack in packs)
            depot.published(packs)
        with self._lock:
            self._packs.change(packs)

    def remove(self, packs: list[Pack], *, merged: bool = False) -> int:
        """Delete packs whose objects are elsewhere or not needed; returns the bytes freed.

        ``merged`` says that all of their objects are in another pack, needed or not.
        """
        freed = 0
        depot = self.store.depot
        if depot is not None:
            (depot.supersede if merged else depot.condemn)(pack.name for pack in packs)
        with self._lock, writing(self.store.folder):
            for pack in packs:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(pack.path)
                    freed += pack.size
            self._change((), packs)
        return freed

    def _change(self, came: Sequence[Pack], went: Sequence[Pack]) -> None:
        """Take notice of packs; the room of a deleted one is free when it is closed."""
        self._packs.change(came, went)
        for pack in went:
            self._open.pop(pack.name, None)

    def session(self) -> Session:
        """Start adding objects."""
        return Session(self)

    def merge_small(self) -> None:
        """Merge packs when there are many small ones. The caller holds the store's shared lock.

        Where there is no room for that they stay as they are.

        Of the small packs the smallest are taken, up to the one that is larger than all before it
        together, so that an object is copied a number of times that grows with the logarithm of
        what is stored.
        """
        small = sorted((p for p in self.packs if _is_small(p)), key=lambda p: p.size)
        if len(small) < MERGE_FROM:
            return
        total, count = 0, 0
        for number, pack in enumerate(small):
            if number >= MERGE_FROM // 2 and pack.size > total:
                break
            total += pack.size
            count = number + 1
        with contextlib.suppress(NoRoomError):
            self.replace(small[:count])

    def replace(self, packs: list[Pack]) -> None:
        """Copy all objects of some packs into one new pack, then delete them."""
        writer = PackWriter(self.store)
        damaged: set[bytes] = set()
        try:
            for pack in packs:
                for at in sorted(range(len(pack)), key=pack.offset):
                    digest = pack.digest(at)
                    if digest in writer:
                        continue
                    try:
                        writer.copy(pack, at)
                    except CorruptStoreError:
                        damaged.add(digest)
                    except FileNotFoundError:
                        return  # another process merged it just now
            if not all(digest in writer for digest in damaged):
                return  # for verify to report
            merged = writer.publish()
        finally:
            writer.abort()
        with writing(self.store.folder):
            fsync_folder(self.store.packs)
        self.add(merged)
        self.remove(packs, merged=True)

    def close(self) -> None:
        """Let go of open files."""
        with self._lock:
            for pack in self._packs.packs:
                pack.forget_handle()
            self._open.clear()


class Session:
    """Adds objects; nothing counts until :meth:`commit` returned.

    :meth:`has` may be called from any thread, the other methods from one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batches = Batches(self._append)
        self._writer: PackWriter | None = None
        # packs that are being made durable while the next one is filled, and those that are;
        # an object is always in the one place before it is taken out of the other
        self._closing: tuple[tuple[PackWriter, Future[Pack]], ...] = ()
        self._closed = PackSet()
        self._publisher: ThreadPoolExecutor | None = None
        self.added = 0

    def has(self, digest: bytes) -> bool:
        """Whether an object is stored, or was added in this session."""
        if digest in self._batches:
            return True
        writer = self._writer
        if writer is not None and digest in writer:
            return True
        return (
            any(digest in writer for writer, _ in self._closing)
            or self._closed.first(digest) is not None
            or self._database.has(digest)
        )

    def put(self, digest: bytes, data: bytes) -> None:
        """Add an object unless it is there."""
        if not self.has(digest):
            self._batches.put(digest, data)
            self.added += 1

    def append(self, digest: bytes, codec: int, stored: Data, length: int) -> None:
        """Add an object that is known not to be there, in its stored form."""
        self._append(digest, codec, stored, length)
        self.added += 1

    def _append(self, digest: bytes, codec: int, stored: Data, length: int) -> None:
        writer = self._writer
        if writer is None:
            # what is much would displace everything else from the page cache
            direct = len(self._closed.packs) * PACK_LIMIT > room_in_cache()
            writer = self._writer = PackWriter(self._database.store, direct=direct)
        writer.add(digest, codec, stored, length)
        if writer.size >= PACK_LIMIT or writer.count >= PACK_OBJECTS:
            if self._publisher is None:
                self._publisher = ThreadPoolExecutor(1, "dotscience-pack")
            self._closing += ((writer, self._publisher.submit(writer.publish)),)
            self._writer = None
            # one at a time: each keeps its index in memory in a form that takes a lot of it
            self._finish(1)

    def _finish(self, leave: int) -> None:
        """Wait until no more than so many packs are being made durable."""
        while len(self._closing) > leave:
            self._closed.change([self._closing[0][1].result()])
            self._closing = self._closing[1:]

    def commit(self) -> None:
        """Make all that was added durable and visible."""
        try:
            self._batches.flush()
            self._finish(0)
            packs = list(self._closed.packs)
            if self._writer is not None:
                packs.append(self._writer.publish())
            if packs:
                with writing(self._database.store.folder):
                    fsync_folder(self._database.store.packs)
                self._database.add(*packs)
                self._writer = None
        finally:
            self.close()

    def close(self) -> None:
        """Drop what was not committed; packs that are complete stay, for the next one to find."""
        self._batches.close()
        if self._publisher is not None:
            self._publisher.shutdown(wait=True)
            self._publisher = None
        if self._writer is not None:
            self._writer.abort()
            self._writer = None
        for writer, _ in self._closing:
            writer.abort()
        self._closing = ()
        self._closed = PackSet()


def _is_small(pack: Pack) -> bool:
    return pack.size < MERGE_LIMIT and len(pack) < PACK_OBJECTS
