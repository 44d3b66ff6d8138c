# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Mending a damaged store from what is whole: other copies, and the live folder.

Nothing is thrown away: damaged files are moved to ``lost+found/`` after all that is whole in them
is durable elsewhere. So whoever dies meanwhile leaves a store that has at least what it had.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    Repaired,
    SnapshotError,
    SnapshotNotFoundError,
)

from . import objects
from .captures import KEY, Resolution
from .database import PACK_LIMIT, Database
from .objects import CAPTURED_FILE, FOLDER, LINK, LISTED_FILE, Item
from .packs import (
    FOOTER,
    INDEX_ITEM,
    PREFIX,
    RECORD,
    Pack,
    PackWriter,
    decompress,
    hash_bytes,
)
from .store import fsync_folder, is_snapshot_id, writing
from .trees import Trees
from .verification import Verification

LOST = "lost+found"
"""The folder of the store that damaged files are moved to; it is for people to empty."""

_WINDOW = 1 << 23
_OVERLAP = 64
_BLOCK = 4096
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PATIENCE = 60.0
_PLACES = 8
"""How many places in the live folder are tried for a lost chunk."""

# what follows a record's id and tells a record: its two equal lengths and the way of storing, not
# compressed; the way of storing, compressed, and the start of a zstd frame
_RAW_RECORD = re.compile(rb"(?=(?!\0{4})(....)\1\0{4})", re.DOTALL)
_ZSTD_RECORD = re.compile(rb"(?=\x01\0{3}\x28\xb5\x2f\xfd)")

Found = tuple[bytes, int, bytes, int]
"""Id, way of storing, stored form and length of an object."""


class Repair:
    """One repair.

    Parameters
    ----------
    root
        The live folder; "" if there is none.
    freeze
        Takes a snapshot, which stores anew what the live folder has of what is missing.
    settle
        Hashes what was captured, which needs no capture's own table.
    """

    def __init__(
        self,
        database: Database,
        root: str,
        freeze: Callable[[], object],
        settle: Callable[[], object],
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._store = database.store
        self._root = root
        self._freeze = freeze
        self._settle = settle
        self._progress = progress

    def run(self, snapshots: Iterable[str]) -> Repaired:
        """Mend what can be mended; return what of these snapshots was wrong, and what is lost.

        What is whole is read once: afterwards only what was written anew is read again.
        """
        wanted = list(dict.fromkeys(snapshots))
        before = Verification(self._database, self._progress, every=True)
        problems = before.run([*wanted, *self._store.snapshot_ids()])
        if not problems:
            return Repaired([], [])
        with self._store.collecting():
            self._mend_packs(before.packs)
            self._list_again({*wanted, *self._store.held()})
            self._mend_maps(problem.path for problem in problems)
        if self._missing():
            with self._store.shared("nothing was mended"), self._store.dropping():
                pass  # or what is missing would be believed to be stored
            # a folder that is not there now has nothing to offer; what is lost is told below
            with contextlib.suppress(SnapshotError):
                self._freeze()
            if self._root:
                self._read_live(self._missing())
        if any(problem.path.endswith(".cap") for problem in problems):
            with contextlib.suppress(SnapshotError):
                self._settle()
        whole = {name for name, is_whole in before.packs.items() if is_whole}
        lost = Verification(self._database, self._progress, whole=whole).run(wanted)
        concerned = {"", *wanted}
        return Repaired([each for each in problems if each.snapshot in concerned], lost)

    def _set_aside(self, *paths: str, keep: bool = False) -> None:
        """Move damaged files to ``lost+found/``, durably; with ``keep`` they stay as well."""
        folder = f"{self._store.folder}/{LOST}"
        os.makedirs(folder, exist_ok=True)
        fsync_folder(self._store.folder)  # or what is moved there may be nowhere
        for path in paths:
            to = f"{folder}/{os.path.basename(path)}"
            with contextlib.suppress(FileNotFoundError):
                if keep:
                    with contextlib.suppress(FileExistsError):
                        os.link(path, to)
                else:
                    os.rename(path, to)
        fsync_folder(folder)

    # -- packs ---------------------------------------------------------------------------------

    def _mend_packs(self, known: Mapping[str, bool]) -> None:
        """Copy all whole objects of damaged packs to new ones, and set the damaged ones aside.

        ``known`` says of packs, by their names, whether they are whole.
        """
        self._database.refresh(force=True)
        healthy: list[Pack] = []
        damaged: list[Pack] = []
        for number, pack in enumerate(self._database.packs):
            self._tell(number, len(self._database.packs), "Looking for damage")
            with contextlib.suppress(FileNotFoundError):  # merged meanwhile
                is_whole = known[pack.name] if pack.name in known else _is_whole(pack)
                (healthy if is_whole else damaged).append(pack)
        if not damaged:
            return
        writer: PackWriter | None = None
        new: list[Pack] = []
        try:
            for number, pack in enumerate(damaged):
                self._tell(number, len(damaged), "Saving what is whole")
                for digest, codec, stored, length in _salvage(pack):
                    if any(other.find(digest) >= 0 for other in (*healthy, *new)):
                        continue
                    writer = writer or PackWriter(self._store)
                    if digest not in writer:
                        writer.add(digest, codec, stored, length)
                    if writer.size >= PACK_LIMIT:
                        new.append(writer.publish())
                        writer = None
            if writer is not None:
                new.append(writer.publish())
        finally:
            if writer is not None:
                writer.abort()
        with self._store.exclusive(_PATIENCE), writing(self._store.folder):
            fsync_folder(self._store.packs)
            # everyone has to look again whether what they believe to be stored is
            with self._store.dropping():
                self._set_aside(*(pack.path for pack in damaged))
        if self._store.depot is not None:
            self._store.depot.settle()
            self._store.depot.condemn([pack.name for pack in damaged])
        self._database.refresh(force=True)

    def _tell(self, done: int, total: int, text: str) -> None:
        if self._progress is not None:
            self._progress(done, total, text)

    # -- lists ---------------------------------------------------------------------------------

    def _list_again(self, wanted: Iterable[str]) -> None:
        """Put snapshots that are stored, but not on the list any more, on the list again."""
        for snapshot in wanted:
            if not is_snapshot_id(snapshot) or self._store.has_snapshot(snapshot):
                continue
            with contextlib.suppress(CorruptStoreError):
                objects.decode_snapshot(self._database.get(bytes.fromhex(snapshot)))
                self._store.register(snapshot)

    def _mend_maps(self, paths: Iterable[str]) -> None:
        """Write damaged maps of captures anew, with the entries that are whole."""
        captures = Trees(self._database).captures
        damaged = {
            path[9:-4] for path in paths if re.fullmatch(r"captures/[0-9a-f]{32}\.map", path)
        }
        found: dict[bytes, dict[tuple[int, int], Resolution]] = {
            bytes.fromhex(name): {} for name in damaged
        }
        if not found:
            return
        trees = Trees(self._database)
        for _, item in self._entries(trees):
            if item.code != CAPTURED_FILE or item.digest[:16] not in found:
                continue
            capture, where, tail = KEY.unpack(item.digest)
            with contextlib.suppress(CorruptStoreError):
                resolution = trees.captures.resolve(item.digest)
                if resolution is not None:
                    found[capture][where, tail] = resolution
        for capture, entries in found.items():
            with writing(self._store.folder):
                self._set_aside(captures.path(capture, "map"), keep=True)
            captures.write_map(capture, entries)

    # -- what only the live folder may have ----------------------------------------------------

    def _entries(self, trees: Trees) -> Iterator[tuple[str, Item]]:
        """Yield (path, entry) of all that snapshots hold, as far as their folders can be read.

        Folders that snapshots share are gone through once, those of the newest ones first.
        """
        seen: set[bytes] = set()
        for snapshot in sorted(self._store.snapshot_ids(), key=self._store.age):
            try:
                pending = [("", trees.root_item(snapshot))]
            except (CorruptStoreError, SnapshotNotFoundError):
                continue
            while pending:
                path, item = pending.pop()
                yield path, item
                if item.code != FOLDER or item.digest in seen:
                    continue
                seen.add(item.digest)
                prefix = f"{path}/" if path else ""
                with contextlib.suppress(CorruptStoreError):
                    for page in trees.pages(item.digest):
                        with contextlib.suppress(CorruptStoreError):
                            for child in trees.page(page):
                                pending.append((prefix + child.name, child))

    def _missing(self) -> dict[bytes, list[tuple[str, int, int]]]:
        """Return the ids of objects that are in no pack, and for chunks (path, offset, length)."""
        trees = Trees(self._database)
        missing: dict[bytes, list[tuple[str, int, int]]] = {}

        def need(digest: bytes) -> bool:
            if self._database.has(digest):
                return False
            missing.setdefault(digest, [])
            return True

        for snapshot in self._store.snapshot_ids():
            need(bytes.fromhex(snapshot))
        for path, item in self._entries(trees):
            with contextlib.suppress(CorruptStoreError):
                item = trees.resolved(item)
                if item.code == FOLDER:
                    if not need(item.digest):
                        for page in trees.pages(item.digest):
                            need(page)
                elif item.code == LISTED_FILE:
                    for list_id in trees.lists(item):
                        need(list_id)
                    offset = 0
                    for chunk, length in trees.chunks(item):
                        if need(chunk) and len(missing[chunk]) < _PLACES:
                            missing[chunk].append((path, offset, length))
                        offset += length
                elif item.code not in (LINK, CAPTURED_FILE) and item.size:
                    need(item.digest)
        return missing

    def _read_live(self, missing: dict[bytes, list[tuple[str, int, int]]]) -> None:
        """Take chunks from where they were, if the live file still has them there.

        Freezing divides a file into chunks in today's way, which need not be the one of then.
        """
        session = self._database.session()
        try:
            with self._store.shared("nothing was mended"):
                for digest, places in missing.items():
                    for path, offset, length in places:
                        data = self._live_bytes(path, offset, length)
                        if hash_bytes(data) == digest:
                            session.put(digest, data)
                            break
                session.commit()
        finally:
            session.close()

    def _live_bytes(self, path: str, offset: int, length: int) -> bytes:
        try:
            fd = os.open(f"{self._root}/{path}", _READ_FLAGS)
        except OSError:
            return b""
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return b""
            return os.pread(fd, length, offset)
        except OSError:
            return b""
        finally:
            os.close(fd)


def _is_whole(pack: Pack) -> bool:
    """Whether every byte of a pack is as it should be. Raise FileNotFoundError if it is gone."""
    try:
        pack.check_frame()
        for at in sorted(range(len(pack)), key=pack.offset):
            pack.check(at)
    except FileNotFoundError:
        raise
    except (CorruptStoreError, OSError):
        return False
    return True


def _salvage(pack: Pack) -> Iterator[Found]:
    """Yield all objects of a damaged pack that are whole."""
    for at in sorted(range(len(pack)), key=pack.offset):
        with contextlib.suppress(CorruptStoreError):
            yield pack.digest(at), *pack.verified(at)
    if not pack.damage:
        return
    # the index was made from the records that follow each other from the start; what is behind a
    # damaged one is found by what is left of the index, or by what a record looks like
    try:
        fd = os.open(pack.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        yield from _indexed(fd)
        yield from _scattered(fd)
    finally:
        os.close(fd)


def _indexed(fd: int) -> Iterator[Found]:
    """Yield the objects that a damaged index still leads to."""
    size = os.fstat(fd).st_size
    footer = _pread(fd, FOOTER.size, max(0, size - FOOTER.size))
    if len(footer) < FOOTER.size:
        return
    count = FOOTER.unpack(footer)[1]
    start = size - FOOTER.size - count * INDEX_ITEM
    if count > size // INDEX_ITEM or start < 0:
        return
    data = _readable(fd, count * INDEX_ITEM, start)
    columns = (array("Q"), array("Q"), array("I"), array("I"))
    at = 0
    for column in columns:
        end = at + count * column.itemsize
        column.frombytes(data[at:end])
        if sys.byteorder == "big":
            column.byteswap()
        at = end
    codecs, rest = data[at : at + count], data[at + count :]
    prefixes, offsets, stored, lengths = columns
    for number in range(count):
        digest = PREFIX.pack(prefixes[number]) + rest[number * 24 : number * 24 + 24]
        yield from _record(
            fd, offsets[number], (digest, stored[number], lengths[number], codecs[number])
        )


def _scattered(fd: int) -> Iterator[Found]:
    """Yield the objects whose records can be found by looking for them everywhere."""
    for at in range(0, os.fstat(fd).st_size, _WINDOW):
        window = _readable(fd, _WINDOW + _OVERLAP, at)
        for pattern, back in ((_RAW_RECORD, 32), (_ZSTD_RECORD, 40)):
            for match in pattern.finditer(window):
                offset = at + match.start() - back
                if match.start() < _WINDOW and offset >= 0:
                    head = _pread(fd, RECORD.size, offset)
                    if len(head) == RECORD.size:
                        yield from _record(fd, offset, RECORD.unpack(head))


def _record(fd: int, offset: int, head: tuple[bytes, int, int, int]) -> Iterator[Found]:
    """Yield the object of a record if it is what its head says."""
    digest, count, length, codec = head
    if offset + RECORD.size + count > os.fstat(fd).st_size:
        return
    stored = _pread(fd, count, offset + RECORD.size)
    if len(stored) != count:
        return
    with contextlib.suppress(CorruptStoreError):
        data = decompress(codec, stored, length)
        if hash_bytes(data) == digest:
            yield digest, codec, stored, len(data)


def _pread(fd: int, count: int, offset: int) -> bytes:
    """Read what can be read; nothing where the disk or a damaged offset says no."""
    try:
        return os.pread(fd, count, offset)
    except (OSError, OverflowError):
        return b""


def _readable(fd: int, count: int, offset: int) -> bytes:
    """Read what can be read, with zeros in place of the blocks that cannot."""
    count = min(count, os.fstat(fd).st_size - offset)
    data = _pread(fd, count, offset)
    if len(data) == count:
        return data
    blocks = [
        _pread(fd, min(_BLOCK, count - at), offset + at).ljust(min(_BLOCK, count - at), b"\0")
        for at in range(0, count, _BLOCK)
    ]
    return b"".join(blocks)
