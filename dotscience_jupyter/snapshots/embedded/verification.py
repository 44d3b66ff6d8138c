# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving that all that snapshots need is whole, or saying exactly which paths are not."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable
from pathlib import Path

from blake3 import blake3

from dotscience_jupyter.snapshots.content import content_id
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Problem,
    Progress,
    SnapshotError,
    SnapshotNotFoundError,
)

from .captures import read_table
from .contents import FILES, SNAPSHOTS, ContentCache, FolderIds
from .database import Database
from .objects import CAPTURED_FILE, FOLDER, LINK, LISTED_FILE, Item
from .packs import PREFIX, Pack
from .store import Store
from .trees import Trees

_COMPACT = 1 << 20
_MAX_DEPTH = 400
_UNSEEN, _DAMAGED, _WHOLE = 0, 1, 2


class Needed:
    """Ids of objects, in eight bytes each: their first ones, which tell them apart."""

    def __init__(self) -> None:
        self._prefixes = array("Q")
        self._limit = _COMPACT
        self.state = bytearray()

    def __len__(self) -> int:
        return len(self._prefixes)

    def add(self, digest: bytes) -> None:
        """Add an id."""
        self._prefixes.append(PREFIX.unpack_from(digest)[0])
        if len(self._prefixes) >= self._limit:
            self._compact()

    def _compact(self) -> None:
        self._prefixes = array("Q", sorted(set(self._prefixes)))
        self._limit = 2 * len(self._prefixes) + _COMPACT

    def complete(self) -> None:
        """Make a state, 0 at first, for each id; nothing is added any more."""
        self._compact()
        self.state = bytearray(len(self._prefixes))

    def find(self, digest: bytes) -> int:
        """Return the place of an id's state, or -1."""
        prefix = PREFIX.unpack_from(digest)[0]
        at = bisect_left(self._prefixes, prefix)
        return at if at < len(self._prefixes) and self._prefixes[at] == prefix else -1


class Verification:
    """One verify: reads every object once, then names the paths that a damaged one spoils.

    Parameters
    ----------
    every
        Whether objects that no snapshot needs are read as well.
    whole
        Names of packs that were found whole just now: what is in them is not read again.

    Attributes
    ----------
    packs
        Of each pack that was read, whether all that was read of it is whole.
    """

    def __init__(
        self,
        database: Database,
        progress: Progress | None,
        *,
        every: bool = False,
        whole: Collection[str] = (),
    ) -> None:
        self.packs: dict[str, bool] = {}
        self._every = every
        self._whole = whole
        self._database = database
        self._store = database.store
        self._trees = Trees(database)
        self._progress = progress
        self._problems: list[Problem] = []
        self._needed = Needed()
        self._seen: set[bytes] = set()
        self._listed: dict[bytes, Item] = {}
        # objects by id, captured content by key, and files by list and digest
        self._bad: dict[bytes, str] = {}
        self._clean: set[bytes] = set()

    def run(self, snapshots: Iterable[str]) -> list[Problem]:
        """Return what is wrong."""
        self._database.refresh(force=True)
        wanted = list(dict.fromkeys(snapshots))
        self._check_store(set(wanted))
        roots: list[tuple[str, Item]] = []
        for snapshot in wanted:
            try:
                root = self._trees.root_item(snapshot)
            except SnapshotNotFoundError:
                self._add(snapshot, "", "The store does not hold this snapshot.")
            except CorruptStoreError as error:
                self._add(snapshot, "", f"The snapshot cannot be read at all: {error}")
            else:
                self._needed.add(bytes.fromhex(snapshot))
                roots.append((snapshot, root))
        for _, root in roots:
            self._gather(root)
        self._needed.complete()
        self._read_all()
        self._prove_files()
        spoilt: set[str] = set()
        if self._bad or _UNSEEN in self._needed.state or _DAMAGED in self._needed.state:
            for snapshot, root in roots:
                if self._name(snapshot, "", root, 0):
                    spoilt.add(snapshot)
        self._prove_contents([root for root in roots if root[0] not in spoilt])
        return self._problems

    def _add(self, snapshot: str, path: str, message: str) -> None:
        self._problems.append(Problem(snapshot, path, message))

    def _tell(self, done: int, total: int, text: str) -> None:
        if self._progress is not None:
            self._progress(min(done, total), total, text)

    # -- what belongs to no snapshot -----------------------------------------------------------

    def _check_store(self, wanted: set[str]) -> None:
        try:
            Store(Path(self._store.folder), self._store.engine)
        except SnapshotError as error:
            self._add("", "format", str(error))
        if self._store.depot is None:  # else others may have dropped what no commit needs
            self._check_lists(wanted)
        captures = self._trees.captures
        for capture in captures.ids("map"):
            try:
                captures.export_map(capture)
            except CorruptStoreError as error:
                if os.path.exists(captures.path(capture, "map")):
                    self._add_harmless(f"captures/{capture.hex()}.map", str(error))
        for capture in captures.ids():
            try:
                with open(captures.path(capture), "rb") as file:
                    read_table(file.fileno(), capture)
            except CorruptStoreError as error:
                self._add_harmless(f"captures/{capture.hex()}.cap", str(error))
            except OSError:
                continue  # hashed just now; and if not, the paths are named below

    def _check_lists(self, wanted: set[str]) -> None:
        for snapshot in set(self._store.snapshot_ids()) - wanted:
            if not self._database.has(bytes.fromhex(snapshot)):
                self._database.refresh()
                if not self._database.has(bytes.fromhex(snapshot)) and (
                    self._store.has_snapshot(snapshot)  # not dropped since
                ):
                    self._add(
                        "",
                        f"snapshots/{snapshot}",
                        "The list of snapshots names this one, of which nothing is stored. "
                        "Destroy the snapshot to take it off the list.",
                    )
        for snapshot, tags in self._store.held().items():
            if (
                snapshot not in wanted
                and not self._store.has_snapshot(snapshot)
                and snapshot in self._store.held()  # not released and dropped since
            ):
                self._add(
                    "",
                    f"holds/{snapshot}.{tags[0]}",
                    "A snapshot is held that is not on the list of snapshots. If it is stored, "
                    "repair puts it there again.",
                )

    def _add_harmless(self, file: str, message: str) -> None:
        self._add(
            "",
            file,
            f"This file of the snapshot store is damaged: {message} Content that is lost by that "
            "is named on its own.",
        )

    # -- what is needed ------------------------------------------------------------------------

    def _gather(self, root: Item) -> None:
        """Collect the ids of all objects below a folder, as far as it can be read."""
        pending = [root.digest]
        while pending:
            tree = pending.pop()
            if tree in self._seen:
                continue
            self._seen.add(tree)
            self._needed.add(tree)
            try:
                pages = self._trees.pages(tree)
            except CorruptStoreError as error:
                self._bad[tree] = str(error)
                continue
            last = b""
            ordered = True
            for page in pages:
                self._needed.add(page)
                try:
                    items = self._trees.page(page)
                except CorruptStoreError as error:
                    self._bad[page] = str(error)
                    continue
                for item in items:
                    name = os.fsencode(item.name)
                    ordered, last = ordered and last < name, name
                    if item.code == FOLDER:
                        pending.append(item.digest)
                    elif item.code != LINK:
                        self._gather_file(item)
            if not ordered:
                self._bad[tree] = "A folder's listing is not in order, or names something twice."

    def _gather_file(self, item: Item) -> None:
        if item.code == CAPTURED_FILE:
            if item.digest in self._seen:
                return
            self._seen.add(item.digest)
            try:
                if (found := self._settled(item)) is None:
                    return
            except CorruptStoreError as error:
                self._bad[item.digest] = str(error)
                return
            item = found
        if item.code != LISTED_FILE:
            if item.size:
                self._needed.add(item.digest)
            return
        key = item.list_id + item.digest
        if key in self._listed:
            return
        self._listed[key] = item
        if item.list_id in self._seen:
            return
        self._seen.add(item.list_id)
        try:
            for list_id in self._trees.lists(item):
                self._needed.add(list_id)
            for chunk, _ in self._trees.chunks(item):
                self._needed.add(chunk)
        except CorruptStoreError as error:
            self._bad[item.list_id] = str(error)

    def _settled(self, item: Item) -> Item | None:
        """Return what captured content became; None if it was not hashed yet, and can be read."""
        found = self._trees.resolved(item)
        if found.code == CAPTURED_FILE:
            try:
                self._trees.captures.check(item.digest, item.size)
            except CorruptStoreError:
                found = self._trees.resolved(item)
                if found.code == CAPTURED_FILE:  # and not hashed just now
                    raise
            else:
                return None
        return found

    # -- reading -------------------------------------------------------------------------------

    def _read_all(self) -> None:
        """Read every needed object from every pack that holds it, in the order of the file."""
        damaged: dict[bytes, list[tuple[Pack, str]]] = {}
        read: set[str] = set()
        done = 0
        while packs := [pack for pack in self._database.packs if pack.name not in read]:
            for pack in packs:
                read.add(pack.name)
                done = self._read_pack(pack, damaged, done)
            self._database.refresh(force=True)
        for digest, copies in damaged.items():
            if self._needed.state[self._needed.find(digest)] != _WHOLE:
                self._bad.setdefault(digest, copies[-1][1])
                continue
            for pack, message in copies:
                self._add(
                    "",
                    f"packs/{pack.name}",
                    f"This file of the snapshot store is damaged: {message} No content is lost.",
                )

    def _read_pack(
        self, pack: Pack, damaged: dict[bytes, list[tuple[Pack, str]]], done: int
    ) -> int:
        """Read one pack; return how many objects have been read by now."""
        state = self._needed.state
        if pack.name in self._whole:
            for place in map(self._needed.find, map(pack.digest, range(len(pack)))):
                if place >= 0:
                    state[place] = _WHOLE
            return done
        whole = True
        try:
            pack.check_frame()
        except FileNotFoundError:
            return done  # merged into another pack by another process
        except (CorruptStoreError, OSError) as error:
            whole = False
            self._add(
                "",
                f"packs/{pack.name}",
                f"This file of the snapshot store is damaged: {error}. Its objects were "
                "checked one by one; those that are damaged too are named on their own.",
            )
        for at in sorted(range(len(pack)), key=pack.offset):
            digest = pack.digest(at)
            place = self._needed.find(digest)
            if place < 0 and not self._every:
                continue
            done += 1
            if done % 256 == 1:
                self._tell(done, len(state), "Verifying")
            try:
                pack.check(at)
                if place >= 0:
                    state[place] = _WHOLE
            except CorruptStoreError as error:
                whole = False
                if place >= 0:
                    damaged.setdefault(digest, []).append((pack, str(error)))
                    readable = self._is_readable(pack, at)
                    state[place] = _WHOLE if readable else max(state[place], _DAMAGED)
            except FileNotFoundError:
                return done
        self.packs[pack.name] = whole
        return done

    def _is_readable(self, pack: Pack, at: int) -> bool:
        """Whether only the head of an object's record is damaged."""
        try:
            pack.read(at)
        except (CorruptStoreError, FileNotFoundError):
            return False
        return True

    def _prove_files(self) -> None:
        """Hash files that are stored in chunks as a whole, unless that was done for good before.

        Chunks are hashed each time; what they are together never changes.
        """
        with ContentCache(self._store) as cache:
            proven = cache.get(FILES, [item.list_id for item in self._listed.values()])
            for number, (key, item) in enumerate(self._listed.items()):
                if proven.get(item.list_id) == item.digest:
                    continue
                self._tell(number, len(self._listed), "Verifying large files")
                try:
                    hasher = blake3()
                    for chunk, length in self._trees.chunks(item):
                        self._raise_if_bad(chunk)
                        hasher.update(self._trees.read_chunk(chunk, length))
                except CorruptStoreError:
                    continue  # named for that
                if hasher.digest() == item.digest:
                    cache.put(FILES, {item.list_id: item.digest})
                else:
                    self._bad[key] = "Its digest is not that of its content."

    def _prove_contents(self, roots: list[tuple[str, Item]]) -> None:
        """Compute content ids that were kept again, from nothing but the stored objects."""
        with ContentCache(self._store) as cache:
            known = cache.get(SNAPSHOTS, [bytes.fromhex(snapshot) for snapshot, _ in roots])
            folders = FolderIds(self._trees, None)
            for number, (snapshot, root) in enumerate(roots):
                key = bytes.fromhex(snapshot)
                if key not in known:
                    continue
                self._tell(number, len(roots), "Verifying content ids")
                try:
                    content = content_id(root.mode & 0o7777, folders.of(root.digest))
                except CorruptStoreError as error:
                    self._add(snapshot, "", f"Its content id cannot be computed: {error}")
                    continue
                if content != known[key].hex():
                    cache.drop(SNAPSHOTS, [key])
                    self._add(
                        snapshot,
                        "",
                        f"The content id that was kept for it, {known[key].hex()}, is not that of "
                        f"its content, {content}. It was forgotten; the content itself is whole.",
                    )

    # -- naming --------------------------------------------------------------------------------

    def _name(self, snapshot: str, path: str, item: Item, depth: int) -> bool:
        """Report the paths below an entry that are spoilt; return whether there are any."""
        if item.code == LINK:
            return False
        if item.code == FOLDER:
            return self._name_folder(snapshot, path, item, depth)
        try:
            self._raise_if_bad(item.digest)
            resolved = self._trees.resolved(item)
            if resolved.code == LISTED_FILE:
                key = resolved.list_id + resolved.digest
                if key in self._clean:
                    return False
                for bad in (key, resolved.list_id):
                    if bad in self._bad:
                        raise CorruptStoreError(self._bad[bad])
                for list_id in self._trees.lists(resolved):
                    self._raise_if_bad(list_id)
                for chunk, _ in self._trees.chunks(resolved):
                    self._raise_if_bad(chunk)
                self._clean.add(key)
            elif resolved.code != CAPTURED_FILE and resolved.size:
                self._raise_if_bad(resolved.digest)
        except CorruptStoreError as error:
            self._add(snapshot, path, f"The content is lost: {error}")
            return True
        return False

    def _name_folder(self, snapshot: str, path: str, item: Item, depth: int) -> bool:
        tree = item.digest
        if tree in self._clean:
            return False
        try:
            if depth > _MAX_DEPTH:
                raise CorruptStoreError("it is nested deeper than any that we freeze.")
            self._raise_if_bad(tree)
            pages = self._trees.pages(tree)
        except CorruptStoreError as error:
            self._add(snapshot, path, f"The list of what this folder holds is lost: {error}")
            return True
        prefix = f"{path}/" if path else ""
        spoilt = False
        for page in pages:
            try:
                self._raise_if_bad(page)
                children = self._trees.page(page)
            except CorruptStoreError as error:
                spoilt = True
                self._add(
                    snapshot,
                    path,
                    f"A part of the list of what this folder holds is lost: {error}",
                )
                continue
            for child in children:
                spoilt |= self._name(snapshot, prefix + child.name, child, depth + 1)
        if not spoilt:
            self._clean.add(tree)
        return spoilt

    def _raise_if_bad(self, digest: bytes) -> None:
        """Raise if an object is not whole; ids of what is in no pack are passed over."""
        if digest in self._bad:
            raise CorruptStoreError(self._bad[digest])
        place = self._needed.find(digest)
        if place >= 0 and self._needed.state[place] != _WHOLE:
            raise CorruptStoreError("A stored object is missing.")
