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
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import zstandard
from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .output import Data, Output
from .store import Elsewhere, Store, writing

PACK_MAGIC = b"dspack1\n"
INDEX_MAGIC = b"dsindex1"
RECORD = struct.Struct("<32sIIB3x")
"""Before each object: its id, its length as stored and as it is, and how it is stored."""
FOOTER = struct.Struct("<QQ32s8s")
"""At the end of a pack: where the index starts, how many objects, BLAKE3 of all that, magic."""
INDEX_ITEM = 49
"""Bytes that an object takes in the index."""
RAW, ZSTD = 0, 1
REFERENCE = 2
"""An object is not in the pack: what is stored says where its bytes are; see :class:`Pack`."""
PREFIX = struct.Struct(">Q")

_FAST = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST,
    window_log=20,
    hash_log=17,
    chain_log=15,
    search_log=1,
    min_match=6,
    target_length=0,
    write_content_size=True,
    write_checksum=False,
)
"""As fast as zstd's level 2, as small as its level 3: a large table finds what far steps miss."""
_WORTH = 64
"""Shorter objects are stored as they are."""
_PROBE = 1 << 12
_PROBED_FROM = 1 << 14

_local = threading.local()


def hash_bytes(data: Data) -> bytes:
    """Return the BLAKE3 digest, which is the object's id."""
    return blake3(data).digest()


def compress(data: Data) -> tuple[int, Data]:
    """Return (RAW or ZSTD, bytes to store): compressed only where that saves a sixteenth."""
    if not is_promising(data):
        return RAW, data
    small = _compressor().compress(data)
    return (ZSTD, small) if _pays(len(data), small) else (RAW, data)


def is_promising(data: Data) -> bool:
    """Whether some data may be worth compressing.

    More than a little is tried on a few kilobytes at its start and in its middle.
    """
    length = len(data)
    if length <= _PROBED_FROM:
        return length >= _WORTH
    compressor = _compressor()
    view = memoryview(data)
    return any(
        _pays(_PROBE, compressor.compress(view[at : at + _PROBE])) for at in (0, length // 2)
    )


def compress_all(objects: list[bytes]) -> list[tuple[int, Data]]:
    """Return what :func:`compress` does, for objects that are promising."""
    compressor = _compressor()
    many = getattr(compressor, "multi_compress_to_buffer", None)  # not in all builds of zstandard
    found: Iterable[Any] = map(compressor.compress, objects)
    if many is not None:
        found = many(objects, threads=1)
    return [
        (ZSTD, bytes(small)) if _pays(len(data), small) else (RAW, data)
        for data, small in zip(objects, found, strict=True)
    ]


def _compressor() -> zstandard.ZstdCompressor:
    try:
        compressor: zstandard.ZstdCompressor = _local.compressor
    except AttributeError:  # one for each thread: they are not safe to share
        compressor = _local.compressor = zstandard.ZstdCompressor(compression_params=_FAST)
    return compressor


def _pays(length: int, small: Sized) -> bool:
    return len(small) < length - length // 16


def decompress(codec: int, data: Data, length: int) -> Data:
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


class Handle:
    """A descriptor that lives as long as someone reads through it."""

    __slots__ = ("fd",)

    def __init__(self, path: str, flags: int = 0) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class Pack:
    """A published pack and its index, which is held in memory (49 bytes an object).

    Of an object it may have a :data:`REFERENCE` only, which ``elsewhere`` makes the object of.
    """

    def __init__(
        self,
        path: str,
        size: int,
        entries: _Columns,
        damage: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.size = size
        self.damage = damage
        self._columns = entries
        self._elsewhere = elsewhere
        self._handle: Handle | None = None

    def __len__(self) -> int:
        return len(self._columns.prefixes)

    @classmethod
    def load(cls, path: str, elsewhere: Elsewhere | None = None) -> Pack:
        """Read a pack's index. A damaged one is made again from the records before it."""
        handle = Handle(path)
        size = os.fstat(handle.fd).st_size
        columns, damage = _Columns(), ""
        try:
            columns = _read_index(handle.fd, size)
        except CorruptStoreError as error:
            columns, damage = _scan(handle.fd, size), str(error)
        except OSError as error:  # of the disk: what it still reads of the pack is to be had
            columns = _scan(handle.fd, size)
            damage = f"its index cannot be read: {error.strerror or error}"
        return cls(path, size, columns, damage, elsewhere)

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

    @property
    def prefixes(self) -> array[int]:
        """The first eight bytes of each id as a big-endian integer, in order."""
        return self._columns.prefixes

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

    def extent(self, at: int) -> tuple[int, int]:
        """Return where an object's record starts and ends."""
        start = self._columns.offsets[at]
        return start, start + RECORD.size + self._columns.stored[at]

    def _fd(self) -> Handle:
        handle = self._handle
        if handle is None:
            handle = self._handle = Handle(self.path)
        return handle

    def forget_handle(self) -> None:
        """Let go of the open file; readers at work keep theirs."""
        self._handle = None

    def read(self, at: int) -> bytes:
        """Return an object, its digest verified. Raise CorruptStoreError or FileNotFoundError."""
        return self._read(at)[0]

    def verified(self, at: int) -> tuple[int, bytes, int]:
        """Return an object's codec, stored form and length, its digest verified."""
        codec, stored, data = self.both(at)
        return codec, stored, len(data)

    def both(self, at: int) -> tuple[int, bytes, bytes]:
        """Return an object's codec, stored form and bytes, its digest verified."""
        data, stored = self._read(at)
        codec = self._columns.codecs[at]
        if codec == REFERENCE:
            # it means nothing to anybody else
            codec, packed = compress(data)
            stored = bytes(packed)
        return codec, stored, data

    def as_it_is(self, at: int) -> tuple[int, bytes, int]:
        """Return an object's codec, stored form and length for another pack of the same store.

        It is verified, except for a reference, whose object is not looked at.
        """
        columns = self._columns
        if columns.codecs[at] != REFERENCE:
            return self.verified(at)
        stored = self._pread(columns.offsets[at] + RECORD.size, columns.stored[at])
        return REFERENCE, stored, columns.lengths[at]

    def references(self) -> Iterator[bytes]:
        """Yield the references to objects that are elsewhere."""
        columns = self._columns
        for at, codec in enumerate(columns.codecs):
            if codec == REFERENCE:
                yield self._pread(columns.offsets[at] + RECORD.size, columns.stored[at])

    def _read(self, at: int) -> tuple[bytes, bytes]:
        columns = self._columns
        stored = self._pread(columns.offsets[at] + RECORD.size, columns.stored[at])
        return bytes(self.unpacked(at, stored)), stored

    def unpacked(self, at: int, stored: Data) -> Data:
        """Return an object from its stored form, verified. Raise CorruptStoreError."""
        data = self.unproven(at, stored)
        if hash_bytes(data) != self.digest(at):
            raise CorruptStoreError("A stored object does not have the digest it should have.")
        return data

    def unproven(self, at: int, stored: Data) -> Data:
        """Return an object from its stored form, for those who prove it in another way."""
        columns = self._columns
        codec = columns.codecs[at]
        if codec == REFERENCE and self._elsewhere is not None:
            return self._elsewhere(bytes(stored), columns.lengths[at])
        return decompress(codec, stored, columns.lengths[at])

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

    def add(self, offset: int, stored: int, length: int, codec: int) -> None:
        """Append an object, whose id :meth:`ordered` has to be given."""
        self.offsets.append(offset)
        self.stored.append(stored)
        self.lengths.append(length)
        self.codecs.append(codec)

    def ordered(self, ids: list[bytes]) -> _Columns:
        """Return what was added, in the order of these ids, which it had in the order of adding."""
        # many small sorts instead of one: a sort cannot be interrupted by other threads
        buckets: list[list[int]] = [[] for _ in range(256)]
        for at, digest in enumerate(ids):
            buckets[digest[0]].append(at)
        result = _Columns()
        for bucket in buckets:
            bucket.sort(key=ids.__getitem__)
            for digest in map(ids.__getitem__, bucket):
                result.prefixes.append(PREFIX.unpack_from(digest)[0])
                result.rest += digest[8:]
            result.offsets.extend(map(self.offsets.__getitem__, bucket))
            result.stored.extend(map(self.stored.__getitem__, bucket))
            result.lengths.extend(map(self.lengths.__getitem__, bucket))
            result.codecs.extend(map(self.codecs.__getitem__, bucket))
        return result

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
    length = tail_length(footer, size)
    return index_of(os.pread(fd, length - FOOTER.size, size - length) + footer, size)


def tail_length(footer: bytes, size: int) -> int:
    """Return how many bytes a pack's index and footer take. Raise CorruptStoreError if damaged."""
    if len(footer) < FOOTER.size:
        raise CorruptStoreError("it is cut off")
    start, count, _, magic = FOOTER.unpack(footer)
    if magic != INDEX_MAGIC or start + count * INDEX_ITEM + FOOTER.size != size:
        raise CorruptStoreError("the end of its index is damaged")
    return int(count) * INDEX_ITEM + FOOTER.size


def index_of(tail: bytes, size: int) -> _Columns:
    """Read a pack's index from its bytes and the footer behind them.

    Raises
    ------
    CorruptStoreError
        If they are damaged, or not those of a pack of this size.
    """
    if tail_length(tail[-FOOTER.size :], size) != len(tail):
        raise CorruptStoreError("the end of its index is damaged")
    data = tail[: -FOOTER.size]
    footer = tail[-FOOTER.size :]
    _, count, digest, _ = FOOTER.unpack(footer)
    hasher = blake3(data)
    hasher.update(footer[:16])
    if hasher.digest() != digest:
        raise CorruptStoreError("its index is damaged")
    return _Columns.from_bytes(data, count)


def _scan(fd: int, size: int) -> _Columns:
    """Find the objects of a pack whose index is lost by going from record to record."""
    ids: list[bytes] = []
    columns = _Columns()
    offset = len(PACK_MAGIC)
    while True:
        try:
            head = os.pread(fd, RECORD.size, offset)
        except OSError:
            break
        if len(head) < RECORD.size:
            break
        digest, stored, length, codec = RECORD.unpack(head)
        end = offset + RECORD.size + stored
        if codec not in (RAW, ZSTD, REFERENCE) or end > size or head[-3:] != b"\0\0\0":
            break
        ids.append(digest)
        columns.add(offset, stored, length, codec)
        offset = end
    return columns.ordered(ids)


class PackWriter:
    """A pack in the making.

    Whether it holds an object may be asked from any thread, also when it was published.

    Parameters
    ----------
    store
        Where it will be.
    direct
        Whether to write past the page cache.
    """

    def __init__(self, store: Store, *, direct: bool = True) -> None:
        self._store = store
        with writing(store.folder):
            self._path, self._fd = store.temporary()
        self._output = Output(self._fd, store.folder, direct=direct)
        self._output.write(PACK_MAGIC)
        self._columns = _Columns()
        self._ids: dict[bytes, None] | None = {}
        self._pack: Pack | None = None
        self.size = len(PACK_MAGIC)

    def __contains__(self, digest: bytes) -> bool:
        ids = self._ids
        if ids is not None:
            return digest in ids
        return self._pack is not None and self._pack.find(digest) >= 0

    @property
    def count(self) -> int:
        """How many objects it holds."""
        return len(self._columns.codecs)

    def add(self, digest: bytes, codec: int, stored: Data, length: int) -> None:
        """Append an object that is not in it yet; its bytes are copied."""
        assert self._ids is not None
        count = len(stored)
        self._output.write(RECORD.pack(digest, count, length, codec), stored)
        self._ids[digest] = None
        self._columns.add(self.size, count, length, codec)
        self.size += RECORD.size + count

    def copy(self, pack: Pack, at: int) -> None:
        """Append an object of another pack as it is stored. Raise CorruptStoreError if damaged."""
        self.add(pack.digest(at), *pack.as_it_is(at))

    def publish(self) -> Pack:
        """Make it durable and visible, and return it. The folder's names are not synced here."""
        assert self._ids is not None
        columns = self._columns.ordered(list(self._ids))
        index = columns.to_bytes()
        head = struct.pack("<QQ", self.size, self.count)
        hasher = blake3(index)
        hasher.update(head)
        self._output.write(index, head, hasher.digest(), INDEX_MAGIC)
        self._output.sync()
        path = f"{self._store.packs}/{secrets.token_hex(16)}.pack"
        with writing(self._store.folder):
            os.rename(self._path, path)
        os.close(self._fd)
        self._fd = -1
        size = self.size + len(index) + FOOTER.size
        pack = Pack(path, size, columns, elsewhere=self._store.elsewhere)
        # from now on the index tells what it holds, in less memory
        self._pack, self._ids, self._columns = pack, None, columns
        return pack

    def abort(self) -> None:
        """Remove it; harmless after :meth:`publish`."""
        if self._fd < 0:
            return
        self._output.close()
        os.close(self._fd)
        self._fd = -1
        try:
            os.unlink(self._path)
        except OSError:
            return  # it is a leftover then, which gc removes
