# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The stat cache on disk: what the last walk knew, so that the next process reads nothing again.

It can be deleted at any time. It is private to this engine and not part of the store's format; a
cache that is damaged, or of another version, is no cache.

A magic and the store's generation are followed by the folders, each before those in it, and a
BLAKE3 hash. A folder is written as it is in memory, so that to save or load a million files is to
copy bytes, a folder at a time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from blake3 import blake3

from .listing import Listing
from .scan import Folder
from .store import Store

_MAGIC = b"dsstat4\n"
_FOLDER = struct.Struct("<HqQQI?B32s16s")
"""Mode, mtime, files, bytes, folders in it, unsure (of its listing, of itself), tree, rules."""
_LENGTHS = struct.Struct("<6I")
"""Of what follows: name, ignored names, and the four columns of the listing."""
_HASH = 32
_BUFFER = 1 << 18


class _DamagedError(Exception):
    pass


def save(store: Store, folder: Folder, generation: str) -> None:
    """Replace the cache. A failure is no harm: the next process only has more to read."""
    try:
        path, fd = store.temporary()
    except OSError:
        return
    try:
        hasher = blake3()
        with os.fdopen(os.dup(fd), "wb", _BUFFER) as file:
            for part in _encode(folder, generation):
                hasher.update(part)
                file.write(part)
            file.write(hasher.digest())
        os.rename(path, store.cache)
    except OSError:
        os.unlink(path)
    finally:
        os.close(fd)


def load(store: Store) -> tuple[Folder, str] | None:
    """Return the last walk's result and the store's generation at that time, or None."""
    try:
        with open(store.cache, "rb", _BUFFER) as file:
            return _decode(_Reader(file))
    except (OSError, _DamagedError, struct.error, ValueError):
        return None


def _encode(folder: Folder, generation: str) -> Iterator[bytes]:
    raw = generation.encode("ascii", "replace")
    yield _MAGIC + bytes([len(raw)]) + raw
    stack = [("", folder)]
    while stack:
        name, folder = stack.pop()
        listing = folder.listing
        parts = (
            os.fsencode(name),
            os.fsencode("/".join(f"{is_dir:d}{name}" for name, is_dir in folder.ignored.items())),
            listing.names,
            listing.prints,
            listing.entries,
            listing.lengths,
        )
        yield _FOLDER.pack(
            folder.mode,
            folder.mtime_ns,
            folder.files,
            folder.bytes,
            len(folder.folders),
            listing.unsure,
            folder.unsure,
            folder.tree,
            folder.rules_id,
        ) + _LENGTHS.pack(*map(len, parts))
        yield from parts
        stack.extend(folder.folders.items())


class _Reader:
    """Reads the cache, hashing on the way, and never more than there is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size - _HASH
        self._hasher = blake3()

    def read(self, length: int) -> bytes:
        """Return so many bytes."""
        if length > self._left:
            raise _DamagedError
        data = self._file.read(length)
        if len(data) < length:
            raise _DamagedError
        self._left -= length
        self._hasher.update(data)
        return data

    def finish(self) -> None:
        """Raise _DamagedError unless all was read, and is what was written."""
        if self._left or self._file.read() != self._hasher.digest():
            raise _DamagedError


def _decode(reader: _Reader) -> tuple[Folder, str]:
    if reader.read(len(_MAGIC)) != _MAGIC:
        raise _DamagedError
    generation = reader.read(reader.read(1)[0]).decode("ascii", "replace")
    _, root, count = _decode_folder(reader)
    stack = [(root, count)]
    while stack:
        folder, left = stack.pop()
        if not left:
            continue
        stack.append((folder, left - 1))
        name, child, count = _decode_folder(reader)
        folder.folders[name] = child
        stack.append((child, count))
    reader.finish()
    return root, generation


def _decode_folder(reader: _Reader) -> tuple[str, Folder, int]:
    """Return a folder's name, the folder, and how many folders are to be put into it."""
    head = reader.read(_FOLDER.size + _LENGTHS.size)
    folder = Folder()
    (
        folder.mode,
        folder.mtime_ns,
        folder.files,
        folder.bytes,
        count,
        listing_unsure,
        folder.unsure,
        folder.tree,
        folder.rules_id,
    ) = _FOLDER.unpack_from(head)
    lengths = _LENGTHS.unpack_from(head, _FOLDER.size)
    body = reader.read(sum(lengths))
    parts = []
    at = 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    name, ignored, names, prints, entries, entry_lengths = parts
    if ignored:
        folder.ignored = {name[1:]: name[0] == "1" for name in os.fsdecode(ignored).split("/")}
    if names:
        folder.listing = Listing(names, prints, entries, entry_lengths, listing_unsure)
    if count:
        folder.folders = {}
    return os.fsdecode(name), folder, count
