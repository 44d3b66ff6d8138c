# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The stat cache on disk: what the last walk knew, so that the next process reads nothing again.

It can be deleted at any time. It is private to this engine and not part of the store's format; a
cache that is damaged, or of another version, is no cache.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator

from blake3 import blake3

from . import objects
from .capture import Fingerprint
from .scan import Folder
from .store import Store

_MAGIC = b"dsstat1\n"
_FOLDER = struct.Struct("<HHqII32s16sQQI")
"""Length of the name, mode, mtime, entries, ignored, tree, rules, files, bytes, folders."""
_ENTRY = struct.Struct("<qQI")
"""ctime and inode, both 0 where the file must be read again; length of the entry behind it."""
_IGNORED = struct.Struct("<H?")
_FORMATS = {
    objects.FILE: stat.S_IFREG,
    objects.LISTED_FILE: stat.S_IFREG,
    objects.LINK: stat.S_IFLNK,
}


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
        with os.fdopen(os.dup(fd), "wb") as file:
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
        with open(store.cache, "rb") as file:
            data = file.read()
    except OSError:
        return None
    if data[:8] != _MAGIC or blake3(memoryview(data)[:-32]).digest() != data[-32:]:
        return None
    try:
        length = data[8]
        folder, at = _decode(data, 9 + length)
        if at != len(data) - 32:
            return None
        return folder, data[9 : 9 + length].decode("ascii", "replace")
    except (_DamagedError, struct.error, IndexError, RecursionError):
        return None


def _encode(folder: Folder, generation: str) -> Iterator[bytes]:
    raw = generation.encode("ascii", "replace")
    yield _MAGIC + bytes([len(raw)]) + raw
    yield from _encode_folder("", folder)


def _encode_folder(name: str, folder: Folder) -> Iterator[bytes]:
    raw_name = os.fsencode(name)
    parts = [
        _FOLDER.pack(
            len(raw_name),
            folder.mode,
            folder.mtime_ns,
            len(folder.raw),
            len(folder.ignored),
            folder.tree,
            folder.rules_id,
            folder.files,
            folder.bytes,
            len(folder.folders),
        ),
        raw_name,
    ]
    for ignored, is_dir in folder.ignored.items():
        raw = os.fsencode(ignored)
        parts.append(_IGNORED.pack(len(raw), is_dir) + raw)
    prints = folder.prints
    pack = _ENTRY.pack
    for entry_name, entry in folder.raw.items():
        assert entry is not None
        known = prints[entry_name]
        if known is None:
            parts.append(pack(0, 0, len(entry)))
        else:
            parts.append(pack(known[3], known[4], len(entry)))
        parts.append(entry)
    yield b"".join(parts)
    for child_name, child in folder.folders.items():
        yield from _encode_folder(child_name, child)


def _decode(data: bytes, at: int) -> tuple[Folder, int]:
    """Decode the folder at an offset and all below it; return it and the offset behind."""
    root, _, count, at = _decode_folder(data, at)
    stack = [(root, count)]
    while stack:
        folder, left = stack.pop()
        if not left:
            continue
        stack.append((folder, left - 1))
        child, name, count, at = _decode_folder(data, at)
        folder.folders[name] = child
        stack.append((child, count))
    return root, at


def _decode_folder(data: bytes, at: int) -> tuple[Folder, str, int, int]:
    folder = Folder()
    length, folder.mode, folder.mtime_ns, entries, ignored, *rest = _FOLDER.unpack_from(data, at)
    folder.tree, folder.rules_id, folder.files, folder.bytes, below = rest
    at += _FOLDER.size
    name = os.fsdecode(data[at : at + length])
    at += length
    for _ in range(ignored):
        length, is_dir = _IGNORED.unpack_from(data, at)
        at += _IGNORED.size
        folder.ignored[os.fsdecode(data[at : at + length])] = is_dir
        at += length
    raws, prints = folder.raw, folder.prints
    unpack, head = _ENTRY.unpack_from, objects.ENTRY_HEAD
    head_size = head.size
    for _ in range(entries):
        ctime_ns, inode, length = unpack(data, at)
        at += 20
        raw = data[at : at + length]
        at += length
        code, mode, mtime_ns, size, length = head.unpack_from(raw)
        if code not in _FORMATS or len(raw) < head_size + length:
            raise _DamagedError
        entry = raw[head_size : head_size + length]
        entry_name = entry.decode() if entry.isascii() else os.fsdecode(entry)
        raws[entry_name] = raw
        known: Fingerprint | None = None
        if inode:
            known = (_FORMATS[code] | mode, size, mtime_ns, ctime_ns, inode)
        prints[entry_name] = known
    return folder, name, below, at
