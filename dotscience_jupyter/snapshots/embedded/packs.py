# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One pack: many objects in one file, with their index at its end.

A pack is written under a temporary name, made durable and renamed; from then on it never changes,
so whoever sees it can read it without a lock.
"""

from __future__ import annotations

import os
import secrets
import struct
import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable

import zstandard
from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .store import Store, writing

PACK_MAGIC = b"dspack1\n"
INDEX_MAGIC = b"dsindex1"
RECORD = struct.Struct("<32sIIB3x")
"""Before each object: its id, its length as stored and as it is, and how it is stored."""
FOOTER = struct.Struct("<QQ32s8s")
"""At the end of a pack: where the index starts, how many objects, BLAKE3 of all that, magic."""
INDEX_ITEM = 49
"""Bytes that an object takes in the index."""
RAW, ZSTD = 0, 1
PREFIX = struct.Struct(">Q")

_LEVEL = 1
_WORTH = 64
"""Shorter objects are stored as they are."""
_PROBE = 1 << 16
_BUFFER = 1 << 20

_local = threading.local()


def hash_bytes(data: bytes) -> bytes:
    """Return the BLAKE3 digest, which is the object's id."""
    return blake3(data).digest()


def compress(data: bytes) -> tuple[int, bytes]:
    """Return (RAW or ZSTD, bytes to store): compressed only where that saves a sixteenth."""
    if len(data) < _WORTH:
        return RAW, data
    try:
        compressor: zstandard.ZstdCompressor = _local.compressor
    except AttributeError:  # one for each thread: they are not safe to share
        compressor = _local.compressor = zstandard.ZstdCompressor(_LEVEL, write_checksum=False)
    if len(data) > 4 * _PROBE and not _pays(_PROBE, compressor.compress(data[:_PROBE])):
        return RAW, data
    small = compressor.compress(data)
    return (ZSTD, small) if _pays(len(data), small) else (RAW, data)


def _pays(length: int, small: bytes) -> bool:
    return len(small) < length - length // 16


def decompress(codec: int, data: bytes, length: int) -> bytes:
    """Return an object from its stored form."""
    if codec == RAW:
        return data
    if codec != ZSTD:
        raise CorruptStoreError("An object is stored in a way that this version does not know.")
    try:
        decompressor: zstandard.ZstdDecompressor = _local.decompressor
    except AttributeError:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    try:
        # the frame names its own length, which may be damaged: never allocate by it
        if zstandard.frame_content_size(data) != length:
            raise CorruptStoreError("A compressed object is damaged.")
        return decompressor.decompress(data)
    except zstandard.ZstdError:
        raise CorruptStoreError("A compressed object is damaged.") from None


class _Handle:
    """A descriptor that lives as long as someone reads through it."""

    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class Pack:
    """A published pack and its index, which is held in memory (49 bytes an object)."""

    def __init__(self, path: str, size: int, entries: _Columns, damage: str = "") -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.size = size
        self.damage = damage
        self._columns = entries
        self._handle: _Handle | None = None

    def __len__(self) -> int:
        return len(self._columns.prefixes)

    @classmethod
    def load(cls, path: str) -> Pack:
        """Read a pack's index. A damaged one is made again from the records before it."""
        handle = _Handle(path)
        size = os.fstat(handle.fd).st_size
        columns, damage = _Columns(), ""
        try:
            columns = _read_index(handle.fd, size)
        except CorruptStoreError as error:
            columns, damage = _scan(handle.fd, size), str(error)
        pack = cls(path, size, columns, damage)
        return pack

    def find(self, digest: bytes) -> int:
        """Return the position of an object in the index, or -1."""
        prefixes, rest = self._columns.prefixes, self._columns.rest
        prefix = PREFIX.unpack_from(digest)[0]
        at = bisect_left(prefixes, prefix)
        while at < len(prefixes) and prefixes[at] == prefix:
            if rest[at * 24 : at * 24 + 24] == digest[8:]:
                return at
            at += 1
        return -1

    def digest(self, at: int) -> bytes:
        """Return the id of the object at a position of the index."""
        columns = self._columns
        return PREFIX.pack(columns.prefixes[at]) + bytes(columns.rest[at * 24 : at * 24 + 24])

    def offset(self, at: int) -> int:
        """Return where an object's record starts."""
        return self._columns.offsets[at]

    def length(self, at: int) -> int:
        """Return an object's length."""
        return self._columns.lengths[at]

    def stored(self, at: int) -> int:
        """Return how many bytes of the file an object takes, its record's head included."""
        return self._columns.stored[at] + RECORD.size

    def _fd(self) -> _Handle:
        handle = self._handle
        if handle is None:
            handle = self._handle = _Handle(self.path)
        return handle

    def forget_handle(self) -> None:
        """Let go of the open file; readers at work keep theirs."""
        self._handle = None

    def read(self, at: int) -> bytes:
        """Return an object, its digest verified. Raise CorruptStoreError or FileNotFoundError."""
        return self._read(at)[0]

    def verified(self, at: int) -> tuple[int, bytes, int]:
        """Return an object's codec, stored form and length, its digest verified."""
        data, stored = self._read(at)
        return self._columns.codecs[at], stored, len(data)

    def _read(self, at: int) -> tuple[bytes, bytes]:
        columns = self._columns
        stored = self._pread(columns.offsets[at] + RECORD.size, columns.stored[at])
        data = decompress(columns.codecs[at], stored, columns.lengths[at])
        if hash_bytes(data) != self.digest(at):
            raise CorruptStoreError("A stored object does not have the digest it should have.")
        return data, stored

    def check(self, at: int) -> None:
        """Raise CorruptStoreError unless an object and its record's head are as they should be."""
        columns = self._columns
        head = RECORD.pack(
            self.digest(at), columns.stored[at], columns.lengths[at], columns.codecs[at]
        )
        self.read(at)
        if self._pread(columns.offsets[at], RECORD.size) != head:
            raise CorruptStoreError("The head of a stored object is damaged; its content is whole.")

    def check_frame(self) -> None:
        """Raise CorruptStoreError unless what is not an object is as it should be."""
        if self.damage:
            raise CorruptStoreError(self.damage)
        if self._pread(0, len(PACK_MAGIC)) != PACK_MAGIC:
            raise CorruptStoreError("its first bytes are damaged")
        _read_index(self._fd().fd, self.size)

    def _pread(self, offset: int, length: int) -> bytes:
        handle = self._fd()
        try:
            data = os.pread(handle.fd, length, offset)
            while len(data) < length:
                more = os.pread(handle.fd, length - len(data), offset + len(data))
                if not more:
                    raise CorruptStoreError("A pack file is cut off.")
                data += more
        except OSError as error:
            raise CorruptStoreError(
                f"A pack file cannot be read: {error.strerror or error}."
            ) from error
        return data


class _Columns:
    """An index in memory, ordered by id."""

    __slots__ = ("codecs", "lengths", "offsets", "prefixes", "rest", "stored")

    def __init__(self) -> None:
        self.prefixes = array("Q")
        self.offsets = array("Q")
        self.stored = array("I")
        self.lengths = array("I")
        self.codecs = bytearray()
        self.rest = bytearray()

    @classmethod
    def of(cls, entries: Iterable[tuple[bytes, int, int, int, int]]) -> _Columns:
        """Order (id, offset, stored, length, codec) by id."""
        self = cls()
        # many small sorts instead of one: a sort cannot be interrupted by other threads
        buckets: list[list[tuple[bytes, int, int, int, int]]] = [[] for _ in range(256)]
        for entry in entries:
            buckets[entry[0][0]].append(entry)
        for bucket in buckets:
            bucket.sort()
            for digest, offset, stored, length, codec in bucket:
                self.prefixes.append(PREFIX.unpack_from(digest)[0])
                self.offsets.append(offset)
                self.stored.append(stored)
                self.lengths.append(length)
                self.codecs.append(codec)
                self.rest += digest[8:]
        return self

    def to_bytes(self) -> bytes:
        """Return the index as it stands in a pack."""
        parts = []
        for column in (self.prefixes, self.offsets, self.stored, self.lengths):
            if sys.byteorder == "big":
                column = array(column.typecode, column)
                column.byteswap()
            parts.append(column.tobytes())
        return b"".join(parts) + bytes(self.codecs) + bytes(self.rest)

    @classmethod
    def from_bytes(cls, data: bytes, count: int) -> _Columns:
        """Read an index of ``count`` objects."""
        self, at = cls(), 0
        for column in (self.prefixes, self.offsets, self.stored, self.lengths):
            end = at + count * column.itemsize
            column.frombytes(data[at:end])
            if sys.byteorder == "big":
                column.byteswap()
            at = end
        self.codecs += data[at : at + count]
        self.rest += data[at + count :]
        return self


def _read_index(fd: int, size: int) -> _Columns:
    footer = os.pread(fd, FOOTER.size, max(size - FOOTER.size, 0))
    if len(footer) < FOOTER.size:
        raise CorruptStoreError("it is cut off")
    start, count, digest, magic = FOOTER.unpack(footer)
    if magic != INDEX_MAGIC or start + count * INDEX_ITEM + FOOTER.size != size:
        raise CorruptStoreError("the end of its index is damaged")
    data = os.pread(fd, count * INDEX_ITEM, start)
    hasher = blake3(data)
    hasher.update(footer[:16])
    if hasher.digest() != digest:
        raise CorruptStoreError("its index is damaged")
    return _Columns.from_bytes(data, count)


def _scan(fd: int, size: int) -> _Columns:
    """Find the objects of a pack whose index is lost by going from record to record."""
    entries: list[tuple[bytes, int, int, int, int]] = []
    offset = len(PACK_MAGIC)
    while True:
        head = os.pread(fd, RECORD.size, offset)
        if len(head) < RECORD.size:
            break
        digest, stored, length, codec = RECORD.unpack(head)
        end = offset + RECORD.size + stored
        if codec not in (RAW, ZSTD) or end > size or head[-3:] != b"\0\0\0":
            break
        entries.append((digest, offset, stored, length, codec))
        offset = end
    return _Columns.of(entries)


class PackWriter:
    """A pack in the making."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with writing(store.folder):
            self._path, self._fd = store.temporary()
        self.entries: dict[bytes, tuple[bytes, int, int, int, int]] = {}
        self.size = len(PACK_MAGIC)
        self._buffer: list[bytes] = [PACK_MAGIC]
        self._buffered = len(PACK_MAGIC)

    def add(self, digest: bytes, codec: int, stored: bytes, length: int) -> None:
        """Append an object that is not in it yet."""
        self._append(RECORD.pack(digest, len(stored), length, codec), stored)
        self.entries[digest] = (digest, self.size, len(stored), length, codec)
        self.size += RECORD.size + len(stored)

    def copy(self, pack: Pack, at: int) -> None:
        """Append an object of another pack as it is stored. Raise CorruptStoreError if damaged."""
        self.add(pack.digest(at), *pack.verified(at))

    def _append(self, *parts: bytes) -> None:
        for part in parts:
            self._buffer.append(part)
            self._buffered += len(part)
        if self._buffered >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        with writing(self._store.folder):
            data = memoryview(b"".join(self._buffer))
            while data:
                data = data[os.write(self._fd, data) :]
        self._buffer, self._buffered = [], 0

    def publish(self) -> Pack:
        """Make it durable and visible, and return it. The folder's names are not synced here."""
        columns = _Columns.of(self.entries.values())
        index = columns.to_bytes()
        head = struct.pack("<QQ", self.size, len(self.entries))
        hasher = blake3(index)
        hasher.update(head)
        self._append(index, head, hasher.digest(), INDEX_MAGIC)
        self._flush()
        path = f"{self._store.packs}/{secrets.token_hex(16)}.pack"
        with writing(self._store.folder):
            os.fsync(self._fd)
            os.rename(self._path, path)
        os.close(self._fd)
        self._fd = -1
        return Pack(path, self.size + len(index) + FOOTER.size, columns)

    def abort(self) -> None:
        """Remove it; harmless after :meth:`publish`."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        try:
            os.unlink(self._path)
        except OSError:
            return  # it is a leftover then, which gc removes
