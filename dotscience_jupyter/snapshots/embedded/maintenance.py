# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Dropping what nobody needs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    CorruptStoreError,
    Progress,
    SnapshotNotFoundError,
    UnavailableError,
)

from . import arrivals, partial
from .database import MERGE_LIMIT, PACK_LIMIT, Database
from .objects import CAPTURED_FILE, FILE, FOLDER, LISTED_FILE, Item
from .packs import FOOTER, INDEX_ITEM, PACK_MAGIC, Pack, PackWriter
from .store import NoRoomError, fsync_folder, writing
from .trees import Trees

_REWRITE_FROM = 0.25
"""A pack is written anew without its garbage when the garbage is at least this share of it."""
_SMALL_PACKS = 8
_PATIENCE = 60.0


def mark(trees: Trees, item: Item, live: set[bytes], seen: set[bytes]) -> None:
    """Add to ``live`` the ids of all that an entry needs, or raise CorruptStoreError.

    What was gone through is kept in ``seen`` and not read off ``live``: a file may have the very
    bytes of a folder object, and then being needed says nothing of what that folder holds. Of what
    was captured the key is added too: it tells which captures and maps are needed.
    """
    pending = [item]
    while pending:
        item = pending.pop()
        if item.code == CAPTURED_FILE:
            live.add(item.digest)
            item = trees.resolved(item)
            if item.code == CAPTURED_FILE:
                continue
        key = item.digest if item.code == FOLDER else item.list_id
        if not key:
            if item.size and item.digest:
                live.add(item.digest)
            continue
        if key in seen:
            continue
        seen.add(key)
        if item.code == FOLDER:
            live.update(trees.pages(item.digest))
            pending.extend(trees.items(item.digest).values())
        else:
            live.update(trees.lists(item))
            live.update(digest for digest, _ in trees.chunks(item))
        live.add(key)


class Collection:
    """One garbage collection.

    Objects are copied out of packs with garbage while snapshots go on. Only then is the store
    locked for the moment that it takes to see which snapshots were made meanwhile, and to delete
    packs of which every needed object is elsewhere.

    On a full disk it goes step by step: what nobody needs at all goes first, which needs no room,
    and makes room for copying what is needed of one more pack, and so on.
    """

    def __init__(self, database: Database, grace: float, progress: Progress | None) -> None:
        self._database = database
        self._store = database.store
        self._trees = Trees(database)
        self._grace = grace
        self._progress = progress
        self._live: set[bytes] = set()
        self._seen: set[bytes] = set()
        self._new: set[str] = set()
        self._marked: set[str] = set()
        self._pending: set[bytes] = set()
        # where the disk is full: how many bytes the next pack would take
        self._lacking = 0

    def run(self, keep: Iterable[str]) -> int:
        """Drop what nobody needs; return bytes freed.

        Needed are the snapshots to keep, recent ones, those that are held for another reason than
        a commit, and what arrived in transfers that may go on.
        """
        depot = self._store.depot
        began = time.time()
        with self._store.collecting():
            self._database.refresh(force=True, look=0.0)
            if depot is not None and depot.is_out_of_reach:
                raise UnavailableError(
                    "Nothing was dropped, because the storage that keeps the content cannot be "
                    "reached just now. Try again in a while."
                )
            kept = set(keep)
            # before anything else is written: there may be no other room
            freed = self._store.remove_leftovers()
            is_held = False
            with contextlib.suppress(NoRoomError):  # then there may be when this is done
                self._hold(kept)
                is_held = True
            freed += self._round(kept)
            more = self._lacking
            while more > 0:
                more = self._round(kept, sparing=True)
                freed += more
            if depot is not None:
                depot.purge(began)
            if self._lacking and freed <= 0:
                raise self._no_room()
            if not is_held:
                self._hold(kept)
            return max(0, freed)

    def _round(self, kept: set[str], *, sparing: bool = False) -> int:
        """Drop what can be dropped with the room that there is; return bytes freed."""
        depot = self._store.depot
        self._database.refresh(force=True)
        self._pending.update(self._trees.captures.ids())
        partial.remove_stale(self._store)
        arrivals.remove_stale(self._store)
        self._spare_arrived()
        for snapshot in sorted(kept | self._spared(kept)):
            self._mark(snapshot)
        self._database.revive(self._live)
        doomed, written = self._copy_out(sparing)
        if depot is not None:
            # before nobody else can write any more: it may take long
            depot.settle()
        with self._store.exclusive(_PATIENCE):
            # what is needed since then, which may be in packs that seemed useless
            self._database.refresh(force=True)
            self._spare_arrived()
            for snapshot in self._spared(kept):
                self._mark(snapshot)
            self._mark_settled()
            # what came since may be hashed before the next round
            self._pending.update(self._trees.captures.ids())
            self._database.revive(self._live)
            captures = self._trees.captures.unneeded(self._live)
            staying = [pack for pack in self._database.packs if pack.name not in doomed]
            going: list[Pack] = []
            for pack in self._database.packs:
                if pack.name not in doomed:
                    continue
                if self._is_elsewhere(pack, staying):
                    going.append(pack)
                else:
                    staying.append(pack)
            self._store.release(self._store.held().keys() - kept, COMMIT_HOLD)
            forgotten = set(self._store.snapshot_ids()) - self._marked
            is_less = bool(going or forgotten or captures)
            with self._store.dropping() if is_less else contextlib.nullcontext():
                if forgotten:
                    with writing(self._store.folder):
                        for snapshot in forgotten:
                            self._store.forget(snapshot)
                        # a snapshot must not outlive its content
                        fsync_folder(self._store.snapshots)
                if depot is not None:
                    depot.settle()
                    depot.sort_maps([capture for capture, _ in captures])
                freed = self._database.remove(going)
                freed += sum(self._trees.captures.remove(*capture) for capture in captures)
        return freed - written

    def _hold(self, kept: set[str]) -> None:
        try:
            self._store.hold(kept, COMMIT_HOLD)
        except SnapshotNotFoundError as error:
            raise SnapshotNotFoundError(
                f"Nothing was dropped, because a snapshot that is to be kept is not there: {error} "
                "Run 'jupyter dotscience verify' to see what is missing."
            ) from error

    def _no_room(self) -> NoRoomError:
        return NoRoomError(
            f"Nothing could be dropped from the snapshot store {self._store.folder}: the disk is "
            "full, and what is still needed has to be copied before the rest can go. No snapshot "
            "that is needed, and none of your files, was touched. Free about "
            f"{self._lacking / 1e6 + 1:.0f} MB on that disk and try again."
        )

    def _spare_arrived(self) -> None:
        """Keep what arrived of snapshots that may come to be whole."""
        self._live.update(partial.protected(self._store))
        self._live.update(arrivals.protected(self._store))

    def _spared(self, kept: set[str]) -> set[str]:
        """Return other snapshots that stay.

        They are held, or somebody was given them so lately that they may not be recorded yet.
        """
        held = self._store.held()
        return {
            snapshot
            for snapshot in set(self._store.snapshot_ids()) - kept
            if set(held.get(snapshot, ())) - {COMMIT_HOLD}
            or self._store.age(snapshot) < self._grace
        }

    def _mark(self, snapshot: str) -> None:
        if snapshot in self._marked:
            return
        if self._progress is not None:
            self._progress(len(self._marked), 0, "Looking for what is needed")
        try:
            root = self._trees.root_item(snapshot)
            mark(self._trees, root, self._live, self._seen)
        except SnapshotNotFoundError:
            raise SnapshotNotFoundError(
                f"Nothing was dropped: the store does not hold the snapshot {snapshot[:64]!r}, "
                "which is to be kept. Run 'jupyter dotscience verify' to see what is missing."
            ) from None
        except CorruptStoreError as error:
            raise CorruptStoreError(
                f"Nothing was dropped, because what snapshot {snapshot} needs cannot be told: "
                f"{error} Run 'jupyter dotscience verify' to see what is damaged."
            ) from error
        self._live.add(bytes.fromhex(snapshot))
        self._marked.add(snapshot)

    def _mark_settled(self) -> None:
        """Mark what needed captures became that were not hashed when they were marked."""
        for key in [key for key in self._live if key[:16] in self._pending]:
            found = self._trees.captures.resolve(key)
            if found is not None:
                code = LISTED_FILE if found.list_id else FILE
                item = Item("", code, 0, 0, found.size, found.digest, found.list_id, "")
                mark(self._trees, item, self._live, self._seen)

    def _needed(self, pack: Pack) -> list[int]:
        return [at for at in range(len(pack)) if pack.digest(at) in self._live]

    def _is_elsewhere(self, pack: Pack, staying: list[Pack]) -> bool:
        """Whether all that is needed of a pack is whole in another one."""
        return all(
            any(self._is_whole(other, pack.digest(at)) for other in staying)
            for at in self._needed(pack)
        )

    def _is_whole(self, pack: Pack, digest: bytes) -> bool:
        at = pack.find(digest)
        if at < 0:
            return False
        if pack.name in self._new:
            return True  # what was copied was verified
        try:
            pack.read(at)
        except (CorruptStoreError, FileNotFoundError):
            return False
        return True

    def _copy_out(self, sparing: bool) -> tuple[set[str], int]:
        """Copy needed objects out of packs with garbage; return those packs, bytes written.

        Ends where the disk is full. With ``sparing`` only the pack of which least is needed is
        copied from.
        """
        small = [pack for pack in self._database.packs if pack.size < MERGE_LIMIT]
        gather_small = len(small) > _SMALL_PACKS
        claimed: set[bytes] = set()
        useless: set[str] = set()
        rewrite: list[tuple[int, Pack, list[int]]] = []
        packs = sorted(self._database.packs, key=lambda pack: -pack.size)
        for pack in packs:
            needed = [at for at in self._needed(pack) if pack.digest(at) not in claimed]
            useful = sum(pack.stored(at) for at in needed)
            garbage = pack.size - useful - INDEX_ITEM * len(pack) - len(PACK_MAGIC) - FOOTER.size
            claimed.update(pack.digest(at) for at in needed)
            if self._store.depot is not None and self._store.depot.is_young(pack.name):
                continue  # another process may be about to record what needs it
            gathered = gather_small and pack.size < MERGE_LIMIT and not sparing
            if needed and garbage < _REWRITE_FROM * pack.size and not gathered:
                continue
            if needed:
                rewrite.append((useful, pack, needed))
            else:
                useless.add(pack.name)
        if sparing:
            rewrite.sort(key=lambda found: found[0])
        new: list[Pack] = []
        writer: PackWriter | None = None
        copied: set[str] = set()
        unpublished: set[str] = set()
        self._lacking = 0
        try:
            for number, (_, pack, needed) in enumerate(rewrite):
                if self._progress is not None:
                    self._progress(number, len(rewrite), "Copying what is needed")
                try:
                    for at in sorted(needed, key=pack.offset):
                        if writer is None:
                            writer = PackWriter(self._store)
                        unpublished.add(pack.name)
                        writer.copy(pack, at)
                        if writer.size >= PACK_LIMIT:
                            new.append(writer.publish())
                            writer, unpublished = None, set()
                except (CorruptStoreError, FileNotFoundError):
                    continue  # damaged: kept as it is, for verify to report
                finally:
                    pack.forget_handle()
                copied.add(pack.name)
                if sparing:
                    break
            if writer is not None and writer.count:
                new.append(writer.publish())
                unpublished = set()
        except NoRoomError:
            self._lacking = 1 + min(useful for useful, _, _ in rewrite)
        finally:
            if writer is not None:
                writer.abort()
        if new:
            with writing(self._store.folder):
                fsync_folder(self._store.packs)
        self._new.update(pack.name for pack in new)
        return useless | (copied - unpublished), sum(pack.size for pack in new)
