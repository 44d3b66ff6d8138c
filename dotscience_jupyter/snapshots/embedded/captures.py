# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content that was frozen by sharing blocks with the live file, to be hashed later.

Where the file system has reflinks, the files of one snapshot are captured into one file,
``captures/<id>.cap``, which costs the time of some system calls however large they are. The
snapshot's folders name such content by a *key*. Once it was hashed and put into packs (see
:mod:`.settling`), ``captures/<id>.map`` says what each key stands for, and the capture is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .store import Store, fsync_folder, writing

TABLE_MAGIC = b"dscapt1\n"
MAP_MAGIC = b"dscapm1\n"

KEY = struct.Struct("<16sQQ")
"""The id of the capture; where the blocks are; where the bytes behind the last block are."""
RANGE = struct.Struct("<QQQ")
"""Both places and the size of a captured file."""
FOOTER = struct.Struct("<Q16sQ32s8s")
"""At the end of a capture: the table's offset, id, number of ranges, BLAKE3 of all that, magic."""
MAP_HEAD = struct.Struct("<8s16sQ")
"""At the start of a map: magic, id of the capture, number of entries."""
MAP_ENTRY = struct.Struct("<QQQ32s32s")
"""The range; BLAKE3 of the content; the object that lists its chunks, zero if there is one."""
_CONTENT_END = RANGE.size + 32
"""Up to there an entry says which content it is; behind that, how it is stored."""
CHECK = 8
"""Bytes of each entry's BLAKE3 that follow it: one flipped bit spoils one file, not all."""
ENTRY = MAP_ENTRY.size + CHECK
DIGEST = 32

PART = 1 << 20
"""A file above this size has its last bytes behind its blocks; it is read in parts of this size."""

BLOCK = 4096
"""Offsets of blocks in a capture are multiples of this."""
_NAME = re.compile(r"([0-9a-f]{32})\.(cap|map)")
_KEPT_FILES = 32
_KEPT_MAP = 1 << 22
_KEPT_MAPS = 1 << 25
_KEPT_DIGESTS = 50_000


class Range(NamedTuple):
    """Where the content of a captured file is."""

    blocks: int
    shared: int  # bytes that are there; the others are at ``tail``
    tail: int
    size: int


class Resolution(NamedTuple):
    """What a key stands for."""

    size: int
    digest: bytes
    list_id: bytes  # empty where the content is one object


def folder_of(store: Store) -> str:
    """Return the folder with a store's captures, which is made with the first one."""
    return f"{store.folder}/captures"


def _range(where: int, tail: int, size: int) -> Range:
    """Read a place: offsets are multiples of a block, so there is room for the unit's logarithm."""
    unit = 1 << (where % BLOCK & 63)
    return Range(where - where % BLOCK, size - size % unit, tail, size)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


class _Open:
    """A capture that lives as long as someone reads from it, also when it was removed."""

    __slots__ = ("fd", "identity", "size")

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self.fd)
        self.size = status.st_size
        self.identity = _identity(status)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class _Map:
    """A map; a small one is kept in memory."""

    def __init__(self, path: str) -> None:
        opened = _Open(path)
        # not what the head says, which may be damaged
        self._count = max(0, opened.size - MAP_HEAD.size - DIGEST) // ENTRY
        self._opened = opened if opened.size > _KEPT_MAP else None
        self._data = b"" if self._opened else _pread(opened, opened.size, 0)
        self._size = opened.size
        self._sound: bool | None = None
        self.identity = opened.identity
        self.cost = len(self._data) + 1024

    def _bytes(self, start: int, count: int) -> bytes:
        if self._opened is None:
            return self._data[start : start + count]
        return _pread(self._opened, count, start)

    def find(self, where: int) -> tuple[int, Resolution] | None:
        """Return where a range's last bytes were and what it stands for, None if that is lost."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._where(middle) < where:
                low = middle + 1
            else:
                high = middle
        if low < self._count and self._where(low) == where:
            return self._entry(low)
        if self._is_sound():
            return None
        # a damaged place may have led us astray
        found = (at for at in range(self._count) if self._where(at) == where)
        at = next(found, -1)
        return None if at < 0 else self._entry(at)

    def _is_sound(self) -> bool:
        if self._sound is None:
            hasher = blake3()
            for start in range(0, self._size - DIGEST, PART):
                hasher.update(self._bytes(start, min(PART, self._size - DIGEST - start)))
            digest = self._bytes(max(0, self._size - DIGEST), min(DIGEST, self._size))
            self._sound = hasher.digest() == digest
        return self._sound

    def _where(self, at: int) -> int:
        return int.from_bytes(self._bytes(MAP_HEAD.size + at * ENTRY, 8), "little")

    def _entry(self, at: int) -> tuple[int, Resolution] | None:
        data = self._bytes(MAP_HEAD.size + at * ENTRY, ENTRY)
        raw = data[: MAP_ENTRY.size]
        if blake3(raw).digest(CHECK) != data[MAP_ENTRY.size :]:
            return None
        _, tail, size, digest, list_id = MAP_ENTRY.unpack(raw)
        return tail, Resolution(size, digest, list_id if any(list_id) else b"")


class Captures:
    """The captures and maps of a store. Thread-safe; other processes may settle them meanwhile."""

    def __init__(self, store: Store) -> None:
        self.folder = folder_of(store)
        self._store = store
        self._lock = threading.Lock()
        self._maps: OrderedDict[bytes, _Map] = OrderedDict()
        self._cost = 0
        self._opened: OrderedDict[bytes, _Open] = OrderedDict()
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()

    def close(self) -> None:
        """Let go of open files."""
        with self._lock:
            self._opened.clear()
            self._maps.clear()
            self._cost = 0

    def ids(self, suffix: str = "cap") -> list[bytes]:
        """Return the ids of the captures that are there ("cap"), or of the maps ("map")."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        found = (_NAME.fullmatch(name) for name in names)
        return [bytes.fromhex(match[1]) for match in found if match and match[2] == suffix]

    def path(self, capture: bytes, suffix: str = "cap") -> str:
        """Return the path of a capture ("cap") or map ("map"), which need not be there."""
        return f"{self.folder}/{capture.hex()}.{suffix}"

    # -- what a key stands for -----------------------------------------------------------------

    def resolve(self, key: bytes) -> Resolution | None:
        """Return what a key stands for, or None if that is not known yet.

        Raises
        ------
        CorruptStoreError
            If it was known, and is lost.
        """
        capture, where, tail = KEY.unpack(key)
        try:
            known = self._map(capture)
            found = known.find(where)
            if found is None and _identity(os.stat(self.path(capture, "map"))) != known.identity:
                # it has grown, or was mended, since it was read
                self._forget(capture)
                found = self._map(capture).find(where)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptStoreError(
                f"What captured content became cannot be read: {error.strerror or error}."
            ) from error
        if found is not None and found[0] == tail:
            return found[1]
        if os.path.exists(self.path(capture)):
            return None
        raise CorruptStoreError(
            f"What captured content became is lost: captures/{capture.hex()}.map is damaged."
        )

    def _map(self, capture: bytes) -> _Map:
        with self._lock:
            known = self._maps.get(capture)
            if known is not None:
                self._maps.move_to_end(capture)
                return known
            known = self._maps[capture] = _Map(self.path(capture, "map"))
            self._cost += known.cost
            while self._cost > _KEPT_MAPS and len(self._maps) > 1:
                self._cost -= self._maps.popitem(last=False)[1].cost
            return known

    def _forget(self, capture: bytes) -> None:
        with self._lock:
            self._opened.pop(capture, None)
            known = self._maps.pop(capture, None)
            self._cost -= known.cost if known is not None else 0

    # -- what was not hashed yet ---------------------------------------------------------------

    def exists(self, key: bytes) -> bool:
        """Whether the capture is there that holds what was not hashed yet."""
        return os.path.exists(self.path(key[:16]))

    def read(self, key: bytes, size: int, position: int, length: int) -> bytes:
        """Return ``length`` bytes of a captured file.

        Raises
        ------
        FileNotFoundError
            If the capture is gone: its map says what became of it.
        CorruptStoreError
            If it cannot be read.
        """
        capture, where, tail = KEY.unpack(key)
        return _read(self._capture(capture), _range(where, tail, size), position, length)

    def one_piece(self, key: bytes, size: int) -> int | None:
        """Return where in its capture a captured file is, or None if it is not in one piece."""
        _, where, tail = KEY.unpack(key)
        place = _range(where, tail, size)
        if place.shared == size or place.tail == place.blocks + place.shared:
            return place.blocks
        return None

    def _capture(self, capture: bytes) -> _Open:
        with self._lock:
            known = self._opened.get(capture)
            if known is None:
                known = self._opened[capture] = _Open(self.path(capture))
                if len(self._opened) > _KEPT_FILES:
                    self._opened.popitem(last=False)
            return known

    def digest(self, key: bytes, size: int) -> bytes:
        """Return the BLAKE3 of a captured file by reading it; raises what :meth:`read` does."""
        with self._lock:
            if (known := self._digests.get(key)) is not None:
                return known
        hasher = blake3()
        for position in range(0, size, PART):
            hasher.update(self.read(key, size, position, min(PART, size - position)))
        with self._lock:
            self._digests[key] = hasher.digest()
            if len(self._digests) > _KEPT_DIGESTS:
                self._digests.popitem(last=False)
        return hasher.digest()

    # -- maps ----------------------------------------------------------------------------------

    def write_map(self, capture: bytes, found: dict[tuple[int, int], Resolution]) -> None:
        """Make durable what ranges (where, tail) of a capture stand for.

        As long as the capture is there, it need not be all of them.
        """
        entries = (encode_entry(*place, became) for place, became in sorted(found.items()))
        self.write_entries(capture, b"".join(entries))

    def write_entries(self, capture: bytes, *parts: bytes | memoryview) -> None:
        """Make durable what ranges of a capture stand for, encoded and in their order."""
        with writing(self._store.folder):
            self._store.make_part(self.folder)
            path, fd = self._store.temporary()
            try:
                for part in map_parts(capture, *parts):
                    view = memoryview(part)
                    while view:
                        view = view[os.write(fd, view) :]
                os.fsync(fd)
                os.rename(path, self.path(capture, "map"))
            except OSError:
                os.unlink(path)
                raise
            finally:
                os.close(fd)
            fsync_folder(self.folder)
        self._forget(capture)

    def entries(self, capture: bytes) -> memoryview:
        """Return a map's entries, encoded; none if there is no map or it is damaged."""
        with contextlib.suppress(CorruptStoreError):
            return memoryview(self.export_map(capture))[MAP_HEAD.size : -DIGEST]
        return memoryview(b"")

    def export_map(self, capture: bytes) -> bytes:
        """Return a map for another store, verified. Raise CorruptStoreError if it is not whole."""
        try:
            with open(self.path(capture, "map"), "rb") as file:
                data = file.read()
        except OSError as error:
            raise CorruptStoreError(
                f"captures/{capture.hex()}.map cannot be read: {error.strerror or error}."
            ) from error
        if _map_id(data) != capture:
            raise CorruptStoreError(f"captures/{capture.hex()}.map is damaged.")
        return data

    def import_map(self, data: bytes, *, strict: bool = False) -> None:
        """Take in what another store's map knows and the one here does not.

        Raises
        ------
        CorruptStoreError
            If it is not whole, or, with ``strict``, says something else than the one here.
        """
        capture = _map_id(data)
        if not capture:
            raise CorruptStoreError("A list of what captured content became is damaged.")
        known = dict(_places(self.entries(capture)))
        news = dict(_places(memoryview(data)[MAP_HEAD.size : -DIGEST]))
        if strict:
            for where in known.keys() & news.keys():
                if known[where][:_CONTENT_END] != news[where][:_CONTENT_END]:
                    raise CorruptStoreError(
                        "It says of captured content something else than what is known here."
                    )
        if news.keys() - known.keys():
            news.update(known)
            self.write_entries(capture, *(news[where] for where in sorted(news)))

    # -- looking after them --------------------------------------------------------------------

    def check(self, key: bytes, size: int) -> None:
        """Raise CorruptStoreError unless a captured file that is not resolved can be read."""
        try:
            for position in range(0, size, PART):
                self.read(key, size, position, min(PART, size - position))
        except FileNotFoundError:
            raise CorruptStoreError(
                f"captures/{key[:16].hex()}.cap, which holds it, is missing."
            ) from None

    def unneeded(self, live: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Return the captures and maps, as (id, suffix), that no key among ``live`` is of."""
        found = [(capture, suffix) for suffix in ("cap", "map") for capture in self.ids(suffix)]
        present = {capture for capture, _ in found}
        needed = {key[:16] for key in live if key[:16] in present}
        return [(capture, suffix) for capture, suffix in found if capture not in needed]

    def remove(self, capture: bytes, suffix: str = "cap") -> int:
        """Remove a capture whose map is durable, or one, or a map, that nobody needs.

        Returns the bytes that surely are free now: those of a capture may be the live file's too.
        """
        freed = 0
        with writing(self._store.folder), contextlib.suppress(FileNotFoundError):
            path = self.path(capture, suffix)
            freed = os.stat(path).st_size if suffix == "map" else 0
            os.unlink(path)
        self._forget(capture)
        return freed


def encode_entry(where: int, tail: int, found: Resolution) -> bytes:
    """Return a map's entry."""
    entry = MAP_ENTRY.pack(where, tail, found.size, found.digest, found.list_id or bytes(32))
    return entry + blake3(entry).digest(CHECK)


def map_parts(capture: bytes, *entries: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """Return the parts of a map with these entries, encoded and in their order."""
    head = MAP_HEAD.pack(MAP_MAGIC, capture, sum(map(len, entries)) // ENTRY)
    hasher = blake3(head)
    for part in entries:
        hasher.update(part)
    return (head, *entries, hasher.digest())


def _places(entries: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (where, encoded entry)."""
    for at in range(0, len(entries), ENTRY):
        yield int.from_bytes(entries[at : at + 8], "little"), entries[at : at + ENTRY]


def _map_id(data: bytes) -> bytes:
    """Return whose map this is; empty if it is not whole."""
    if len(data) < MAP_HEAD.size + DIGEST:
        return b""
    magic, capture, count = MAP_HEAD.unpack_from(data)
    whole = len(data) == MAP_HEAD.size + count * ENTRY + DIGEST
    if (
        magic != MAP_MAGIC
        or not whole
        or blake3(memoryview(data)[:-DIGEST]).digest() != data[-DIGEST:]
    ):
        return b""
    return bytes(capture)


def _read(opened: _Open, place: Range, position: int, length: int) -> bytes:
    """Return a part of a captured file, from its blocks and from behind them."""
    end = min(position + length, place.size)
    parts: list[bytes] = []
    if position < place.shared:
        count = min(end, place.shared) - position
        parts.append(_pread(opened, count, place.blocks + position))
        position += count
    if position < end:
        parts.append(_pread(opened, end - position, place.tail + position - place.shared))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _pread(opened: _Open, count: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while count:
        try:
            data = os.pread(opened.fd, count, offset)
        except (OSError, OverflowError) as error:
            raise CorruptStoreError(f"Captured content cannot be read: {error}.") from error
        if not data:
            raise CorruptStoreError("Captured content is cut off.")
        parts.append(data)
        offset, count = offset + len(data), count - len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_table(fd: int, capture: bytes) -> bytes:
    """Return the ranges that a capture's own table names, encoded and in their order.

    Raises
    ------
    CorruptStoreError
        If it is damaged; the folders of the snapshot know the ranges too.
    """
    with contextlib.suppress(OSError):
        size = os.fstat(fd).st_size
        footer = os.pread(fd, FOOTER.size, max(0, size - FOOTER.size))
        if len(footer) == FOOTER.size:
            start, found, count, digest, magic = FOOTER.unpack(footer)
            length = count * RANGE.size
            if (magic, found, start + length + FOOTER.size) == (TABLE_MAGIC, capture, size):
                table = os.pread(fd, length, start)
                hasher = blake3(table)
                hasher.update(footer[:32])
                if hasher.digest() == digest:
                    return table
    raise CorruptStoreError(f"The table of captures/{capture.hex()}.cap is damaged.")
