# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Looking after a store: proving that all of it is whole, and dropping what nobody needs."""

from __future__ import annotations

from collections.abc import Iterable

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Problem,
    Progress,
    SnapshotNotFoundError,
)

from .database import MERGE_LIMIT, PACK_LIMIT, Database
from .objects import FOLDER, LINK, Item
from .packs import FOOTER, INDEX_ITEM, PACK_MAGIC, Pack, PackWriter
from .store import fsync_folder, writing
from .trees import Trees

_REWRITE_FROM = 0.25
"""A pack is written anew without its garbage when the garbage is at least this share of it."""
_SMALL_PACKS = 8
_PATIENCE = 60.0


class Verification:
    """One verify: reads every object once, then names the paths that a damaged one spoils."""

    def __init__(self, database: Database, progress: Progress | None) -> None:
        self._database = database
        self._trees = Trees(database)
        self._progress = progress
        self._problems: list[Problem] = []
        self._needed: set[bytes] = set()
        self._bad: dict[bytes, str] = {}
        self._clean: set[bytes] = set()

    def run(self, snapshots: Iterable[str]) -> list[Problem]:
        """Return what is wrong."""
        self._database.refresh(force=True)
        roots: list[tuple[str, Item]] = []
        for snapshot in dict.fromkeys(snapshots):
            try:
                root = self._trees.root_item(snapshot)
            except SnapshotNotFoundError:
                self._add(snapshot, "", "The store does not hold this snapshot.")
            except CorruptStoreError as error:
                self._add(snapshot, "", f"The snapshot cannot be read at all: {error}")
            else:
                self._needed.add(bytes.fromhex(snapshot))
                roots.append((snapshot, root))
        seen: set[bytes] = set()
        for _, root in roots:
            self._gather(root, seen)
        self._read_all()
        if self._bad:
            for snapshot, root in roots:
                self._name(snapshot, "", root)
        return self._problems

    def _add(self, snapshot: str, path: str, message: str) -> None:
        self._problems.append(Problem(snapshot, path, message))

    def _gather(self, root: Item, seen: set[bytes]) -> None:
        """Collect the ids of all objects below a folder."""
        pending = [root]
        while pending:
            item = pending.pop()
            key = item.digest if item.code == FOLDER else item.list_id
            if not key:
                if item.size and item.digest:
                    self._needed.add(item.digest)
                continue
            if key in seen:
                continue
            seen.add(key)
            try:
                if item.code == FOLDER:
                    self._needed.add(item.digest)
                    self._needed.update(self._trees.pages(item.digest))
                    pending.extend(self._trees.items(item.digest).values())
                else:
                    self._needed.update(self._trees.lists(item))
                    self._needed.update(digest for digest, _ in self._trees.chunks(item))
            except CorruptStoreError as error:
                self._bad[key] = str(error)

    def _read_all(self) -> None:
        """Read every needed object from every pack that holds it, in the order of the file."""
        whole: set[bytes] = set()
        damaged: dict[bytes, tuple[Pack, str]] = {}
        done = 0
        for pack in self._database.packs:
            try:
                pack.check_frame()
            except CorruptStoreError as error:
                self._add(
                    "",
                    f"packs/{pack.name}",
                    f"This file of the snapshot store is damaged: {error}. Its objects were "
                    "checked one by one; those that are damaged too are named on their own.",
                )
            except OSError:
                continue  # merged into another pack by another process
            for at in sorted(range(len(pack)), key=pack.offset):
                digest = pack.digest(at)
                if digest not in self._needed:
                    continue
                done += 1
                if self._progress is not None and done % 256 == 1:
                    self._progress(min(done, len(self._needed)), len(self._needed), "Verifying")
                try:
                    pack.check(at)
                    whole.add(digest)
                except CorruptStoreError as error:
                    damaged[digest] = (pack, str(error))
                except FileNotFoundError:
                    break
        for digest, (pack, message) in damaged.items():
            try:
                self._database.get(digest)
            except CorruptStoreError:
                self._bad[digest] = message
            else:
                self._add(
                    "",
                    f"packs/{pack.name}",
                    f"This file of the snapshot store is damaged: {message} No content is lost.",
                )
        for digest in self._needed - whole - damaged.keys():
            try:
                self._database.get(digest)
            except CorruptStoreError as error:
                self._bad[digest] = str(error)

    def _name(self, snapshot: str, path: str, item: Item) -> bool:
        """Report the paths below an entry that are spoilt; return whether there are any."""
        key = item.digest if item.code == FOLDER else item.list_id
        if key in self._clean:
            return False
        spoilt = False
        try:
            if item.code == FOLDER:
                for page in (item.digest, *self._trees.pages(item.digest)):
                    self._raise_if_bad(page)
                prefix = f"{path}/" if path else ""
                for child in self._trees.children(item.digest):
                    spoilt |= self._name(snapshot, prefix + child.name, child)
            elif item.code != LINK:
                self._raise_if_bad(key or item.digest)
                for list_id in self._trees.lists(item):
                    self._raise_if_bad(list_id)
                for chunk, _ in self._trees.chunks(item):
                    self._raise_if_bad(chunk)
        except CorruptStoreError as error:
            spoilt = True
            what = "The list of what this folder holds" if item.code == FOLDER else "The content"
            self._add(snapshot, path, f"{what} is lost: {error}")
        if key and not spoilt:
            self._clean.add(key)
        return spoilt

    def _raise_if_bad(self, digest: bytes) -> None:
        if digest in self._bad:
            raise CorruptStoreError(self._bad[digest])


def mark(trees: Trees, item: Item, live: set[bytes], seen: set[bytes]) -> None:
    """Add to ``live`` the ids of all that an entry needs, or raise CorruptStoreError.

    What was gone through is kept in ``seen`` and not read off ``live``: a file may have the very
    bytes of a folder object, and then being needed says nothing of what that folder holds.
    """
    pending = [item]
    while pending:
        item = pending.pop()
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

    def run(self, keep: Iterable[str]) -> int:
        """Drop what neither the snapshots to keep nor recent ones need; return bytes freed."""
        with self._store.collecting():
            self._database.refresh(force=True)
            kept = set(keep)
            for snapshot in sorted(kept | self._recent(kept)):
                self._mark(snapshot)
            doomed, written = self._copy_out()
            with self._store.exclusive(_PATIENCE):
                # what the snapshots since then need, which may be in packs that seemed useless
                self._database.refresh(force=True)
                for snapshot in self._recent(kept):
                    self._mark(snapshot)
                staying = [pack for pack in self._database.packs if pack.name not in doomed]
                going: list[Pack] = []
                for pack in self._database.packs:
                    if pack.name not in doomed:
                        continue
                    if self._is_elsewhere(pack, staying):
                        going.append(pack)
                    else:
                        staying.append(pack)
                forgotten = set(self._store.snapshot_ids()) - self._marked
                if going or forgotten:
                    with writing(self._store.folder):
                        self._store.next_generation()
                        for snapshot in forgotten:
                            self._store.forget(snapshot)
                        # a snapshot must not outlive its content
                        fsync_folder(self._store.snapshots)
                freed = self._database.remove(going)
            freed += self._store.remove_leftovers()
            return max(0, freed - written)

    def _recent(self, kept: set[str]) -> set[str]:
        """Return snapshots that somebody was given so lately that they may not be recorded yet."""
        ids = set(self._store.snapshot_ids()) - kept
        return {snapshot for snapshot in ids if self._store.age(snapshot) < self._grace}

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

    def _copy_out(self) -> tuple[set[str], int]:
        """Copy needed objects out of packs with garbage; return those packs, bytes written."""
        small = [pack for pack in self._database.packs if pack.size < MERGE_LIMIT]
        gather_small = len(small) > _SMALL_PACKS
        claimed: set[bytes] = set()
        doomed: set[str] = set()
        rewrite: list[tuple[Pack, list[int]]] = []
        packs = sorted(self._database.packs, key=lambda pack: -pack.size)
        for pack in packs:
            needed = [at for at in self._needed(pack) if pack.digest(at) not in claimed]
            useful = sum(pack.stored(at) for at in needed)
            garbage = pack.size - useful - INDEX_ITEM * len(pack) - len(PACK_MAGIC) - FOOTER.size
            claimed.update(pack.digest(at) for at in needed)
            gathered = gather_small and pack.size < MERGE_LIMIT
            if needed and garbage < _REWRITE_FROM * pack.size and not gathered:
                continue
            doomed.add(pack.name)
            if needed:
                rewrite.append((pack, needed))
        new: list[Pack] = []
        writer: PackWriter | None = None
        try:
            for number, (pack, needed) in enumerate(rewrite):
                if self._progress is not None:
                    self._progress(number, len(rewrite), "Copying what is needed")
                try:
                    for at in sorted(needed, key=pack.offset):
                        if writer is None:
                            writer = PackWriter(self._store)
                        writer.copy(pack, at)
                        if writer.size >= PACK_LIMIT:
                            new.append(writer.publish())
                            writer = None
                except (CorruptStoreError, FileNotFoundError):
                    doomed.discard(pack.name)  # damaged: kept as it is, for verify to report
            if writer is not None and writer.entries:
                new.append(writer.publish())
        finally:
            if writer is not None:
                writer.abort()
        if new:
            with writing(self._store.folder):
                fsync_folder(self._store.packs)
        self._new = {pack.name for pack in new}
        return doomed, sum(pack.size for pack in new)
