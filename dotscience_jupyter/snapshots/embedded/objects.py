# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Objects of the embedded store as bytes: snapshots, folders and lists of chunks.

The format is described in ``docs/embedded-store-format.md``; this is the only module that knows it.
Everything that is decoded here may have been written by someone else, so it is checked.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import CorruptStoreError, Entry, Kind

SNAPSHOT_MAGIC = b"dsS1"
FOLDER_MAGIC = b"dsF1"
PAGES_MAGIC = b"dsP1"
LIST_MAGIC = b"dsL1"

FILE, LISTED_FILE, FOLDER, LINK, CAPTURED_FILE = 1, 2, 3, 4, 5
KINDS = {
    FILE: Kind.FILE,
    LISTED_FILE: Kind.FILE,
    FOLDER: Kind.FOLDER,
    LINK: Kind.SYMLINK,
    CAPTURED_FILE: Kind.FILE,
}
HARD_LINKED = 0x80
"""Set in the kind of a file that has other names: the number of its group follows the entry."""

SNAPSHOT_HEAD = struct.Struct("<4sHqQQ32s")
ENTRY_HEAD = struct.Struct("<BHqQH")
LIST_HEAD = struct.Struct("<4sB")
LIST_ITEM = struct.Struct("<32sQ")
GROUP = struct.Struct("<Q")

PAGED_FROM = 512
"""A folder with more entries than this is stored in pages, so that one change rewrites one page."""
GROUP_LIMIT = 1024
"""The most items that one list of chunks holds before it becomes a list of lists."""


class Root(NamedTuple):
    """A snapshot object: the root folder, and what is below it added up."""

    mode: int
    mtime_ns: int
    files: int
    size: int
    tree: bytes


class Item(NamedTuple):
    """One entry of a folder object."""

    name: str
    code: int  # FILE, LISTED_FILE, FOLDER, LINK or CAPTURED_FILE
    mode: int
    mtime_ns: int
    size: int
    digest: bytes  # BLAKE3 of the file's bytes; id of the folder object; empty for links; the
    # key of what was captured for a CAPTURED_FILE, whose content was not yet hashed
    list_id: bytes  # of a LISTED_FILE: the object that lists its chunks
    target: str
    group: int = 0  # files of one snapshot with the same group other than 0 are one file (inode)

    @property
    def kind(self) -> Kind:
        """What it is to the world."""
        return KINDS[self.code]

    def same(self, other: Item) -> bool:
        """Whether kind, permissions and content are the same; a touched file is not another one."""
        return (
            self.mode == other.mode
            and self.digest == other.digest
            and self.target == other.target
            and self.kind == other.kind
        )

    def entry(self, path: str) -> Entry:
        """Return it as the interface shows it."""
        digest = self.digest.hex() if self.code in (FILE, LISTED_FILE) else ""
        return Entry(path, self.kind, self.mode, self.size, self.mtime_ns, digest, self.target)


def storable_time(ns: int) -> int:
    """Return a time that fits: some file systems can have later ones than the year 2262."""
    return max(-(1 << 63), min(ns, (1 << 63) - 1))


def encode_snapshot(root: Root) -> bytes:
    """Return a snapshot object; its BLAKE3 is the snapshot's id."""
    return SNAPSHOT_HEAD.pack(SNAPSHOT_MAGIC, *root)


def decode_snapshot(data: bytes) -> Root:
    """Return what a snapshot object says."""
    try:
        magic, *fields = SNAPSHOT_HEAD.unpack(data)
    except struct.error:
        raise CorruptStoreError("A snapshot's root is not in a known format.") from None
    if magic != SNAPSHOT_MAGIC:
        raise CorruptStoreError("A snapshot's root is not in a known format.")
    return Root(*fields)


def encode_file(
    name: str,
    mode: int,
    mtime_ns: int,
    size: int,
    digest: bytes,
    list_id: bytes,
    group: int = 0,
    captured: bool = False,
) -> bytes:
    """Return a file's entry; ``list_id`` is empty for a file that is one object.

    ``group`` is not 0 for a file with several names. ``captured`` tells that ``digest`` is the
    key of a capture.
    """
    raw = os.fsencode(name)
    mtime_ns = storable_time(mtime_ns)
    code = CAPTURED_FILE if captured else LISTED_FILE if list_id else FILE
    if not group:
        return ENTRY_HEAD.pack(code, mode, mtime_ns, size, len(raw)) + raw + digest + list_id
    head = ENTRY_HEAD.pack(code | HARD_LINKED, mode, mtime_ns, size, len(raw))
    return head + raw + digest + list_id + GROUP.pack(group)


def encode_folder_entry(name: str, mode: int, mtime_ns: int, tree: bytes) -> bytes:
    """Return a folder's entry."""
    raw = os.fsencode(name)
    return ENTRY_HEAD.pack(FOLDER, mode, mtime_ns, 0, len(raw)) + raw + tree


def encode_link(name: str, mtime_ns: int, target: str) -> bytes:
    """Return a symbolic link's entry."""
    raw, to = os.fsencode(name), os.fsencode(target)
    # a link's own permissions mean nothing on Linux and cannot be set there
    return ENTRY_HEAD.pack(LINK, 0o777, storable_time(mtime_ns), len(to), len(raw)) + raw + to


def encode_item(item: Item) -> bytes:
    """Return an entry as it stands in a folder object."""
    if item.code == FOLDER:
        return encode_folder_entry(item.name, item.mode, item.mtime_ns, item.digest)
    if item.code == LINK:
        return encode_link(item.name, item.mtime_ns, item.target)
    return encode_file(
        item.name,
        item.mode,
        item.mtime_ns,
        item.size,
        item.digest,
        item.list_id,
        item.group,
        item.code == CAPTURED_FILE,
    )


def decode_entry(data: bytes, at: int = 0) -> tuple[Item, int]:
    """Return the entry at an offset, and the offset behind it.

    Raises
    ------
    CorruptStoreError
        If it is cut off or of an unknown kind, or its name could lead out of its folder.
    """
    try:
        code, mode, mtime_ns, size, length = ENTRY_HEAD.unpack_from(data, at)
    except struct.error:
        raise CorruptStoreError("A folder's listing is cut off.") from None
    at += ENTRY_HEAD.size
    raw = data[at : at + length]
    at += length
    digest = list_id = b""
    target = ""
    group = 0
    linked = code & HARD_LINKED
    code &= ~HARD_LINKED
    if linked and KINDS.get(code) is not Kind.FILE:
        raise CorruptStoreError("A folder's listing holds an entry of an unknown kind.")
    if code in (FILE, FOLDER, CAPTURED_FILE):
        end = at + 32
        digest = data[at:end]
    elif code == LISTED_FILE:
        end = at + 64
        digest, list_id = data[at : at + 32], data[at + 32 : end]
    elif code == LINK:
        end = at + size
        target = os.fsdecode(data[at:end])
    else:
        raise CorruptStoreError("A folder's listing holds an entry of an unknown kind.")
    if linked:
        end += GROUP.size
    if end > len(data):
        raise CorruptStoreError("A folder's listing is cut off.")
    if linked:
        group = GROUP.unpack_from(data, end - GROUP.size)[0]
    if not raw or b"/" in raw or b"\0" in raw or raw == b"." or raw == b"..":
        raise CorruptStoreError("A folder's listing holds a name that no file can have.")
    return Item(os.fsdecode(raw), code, mode, mtime_ns, size, digest, list_id, target, group), end


def sorted_names(names: Iterable[str]) -> list[str]:
    """Return names in the order of their bytes, which is the order in a folder object."""
    names = list(names)
    # for ASCII, and so nearly always, the order of characters is the order of bytes
    if all(map(str.isascii, names)):
        names.sort()
    else:
        names.sort(key=os.fsencode)
    return names


def encode_folder(entries: dict[str, bytes]) -> list[bytes]:
    """Return the pages of a folder with these encoded entries; a single page is the folder object.

    Pages end behind names that a checksum picks, so that they stay the same when names come and
    go elsewhere in the folder.
    """
    names = sorted_names(entries)
    if len(names) <= PAGED_FROM:
        return [encode_page(names, entries)]
    pages, rest = split_pages(names, entries)
    return [*pages, encode_page(rest, entries)] if rest else pages


def split_pages(names: list[str], entries: Mapping[str, bytes]) -> tuple[list[bytes], list[str]]:
    """Return the pages that end behind one of these names, and the names behind the last page.

    The names are in their order, and begin where a page does.
    """
    pages: list[bytes] = []
    page: list[str] = []
    for name in names:
        page.append(name)
        if zlib.crc32(os.fsencode(name)) & 0xFF == 0:
            pages.append(encode_page(page, entries))
            page = []
    return pages, page


def encode_page(names: Iterable[str], entries: Mapping[str, bytes]) -> bytes:
    """Return a page with these entries."""
    return FOLDER_MAGIC + b"".join([entries[name] for name in names])


def encode_pages(ids: Iterable[bytes]) -> bytes:
    """Return the folder object of a folder that is stored in pages."""
    return PAGES_MAGIC + b"".join(ids)


def decode_pages(data: bytes) -> list[bytes] | None:
    """Return the ids of a folder object's pages, or None if it holds its entries itself."""
    if data[:4] == FOLDER_MAGIC:
        return None
    if data[:4] != PAGES_MAGIC or len(data) % 32 != 4:
        raise CorruptStoreError("A folder's listing is not in a known format.")
    return [data[at : at + 32] for at in range(4, len(data), 32)]


def decode_page(data: bytes) -> list[Item]:
    """Return the entries of a page or of a folder object without pages."""
    if data[:4] != FOLDER_MAGIC:
        raise CorruptStoreError("A folder's listing is not in a known format.")
    items: list[Item] = []
    at = 4
    while at < len(data):
        item, at = decode_entry(data, at)
        items.append(item)
    return items


def first_name(data: bytes) -> str:
    """Return the first name in a page; "" if it is empty."""
    if data[:4] != FOLDER_MAGIC:
        raise CorruptStoreError("A folder's listing is not in a known format.")
    return decode_entry(data, 4)[0].name if len(data) > 4 else ""


def encode_lists(items: list[tuple[bytes, int]], level: int) -> list[tuple[bytes, int]]:
    """Return the list objects (bytes, length of the content) that hold these items.

    A list ends behind an item whose id starts with a zero byte, or at :data:`GROUP_LIMIT`
    items, so that an insertion changes the lists around it and not those behind it.
    """
    lists: list[tuple[bytes, int]] = []
    group: list[bytes] = []
    total = 0
    for number, (digest, length) in enumerate(items, 1):
        group.append(LIST_ITEM.pack(digest, length))
        total += length
        if number == len(items) or digest[0] == 0 or len(group) == GROUP_LIMIT:
            lists.append((LIST_HEAD.pack(LIST_MAGIC, level) + b"".join(group), total))
            group, total = [], 0
    return lists


def decode_list(data: bytes) -> tuple[int, list[tuple[bytes, int]]]:
    """Return a list object's level (0: its items are chunks) and its items (id, length)."""
    if len(data) < LIST_HEAD.size or (len(data) - LIST_HEAD.size) % LIST_ITEM.size:
        raise CorruptStoreError("A file's list of chunks is not in a known format.")
    magic, level = LIST_HEAD.unpack_from(data)
    if magic != LIST_MAGIC:
        raise CorruptStoreError("A file's list of chunks is not in a known format.")
    return level, list(LIST_ITEM.iter_unpack(memoryview(data)[LIST_HEAD.size :]))
