# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What btrfs and FIEMAP offer through ``ioctl``: layouts and numbers are those of Linux's headers.

``linux/btrfs.h``, ``linux/fiemap.h`` and ``linux/magic.h``; all functions raise OSError.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import uuid
from collections.abc import Hashable, Iterator
from typing import NamedTuple

MAGIC = 0x9123683E
"""The type that ``statfs`` gives for a btrfs file system."""
ROOT_INODE = 256
"""The inode number of the root folder of every subvolume (BTRFS_FIRST_FREE_OBJECTID)."""
EMPTY_INODE = 2
"""The inode number of the empty folder that stands for a subvolume inside a snapshot."""

_TYPE = 0x94  # BTRFS_IOCTL_MAGIC


def _number(direction: int, number: int, size: int, kind: int = _TYPE) -> int:
    return direction << 30 | size << 16 | kind << 8 | number


_NONE, _WRITE, _READ = 0, 1, 2
_MOST = 2**64 - 1

# struct btrfs_ioctl_vol_args_v2: fd, transid, flags, unused[4], name[4040]
_VOLUME = struct.Struct("=qQQ32x4040s")
_SNAP_CREATE_V2 = _number(_WRITE, 23, _VOLUME.size)
_SUBVOL_CREATE_V2 = _number(_WRITE, 24, _VOLUME.size)
_SNAP_DESTROY_V2 = _number(_WRITE, 63, _VOLUME.size)
_READ_ONLY = 1 << 1  # BTRFS_SUBVOL_RDONLY

_SYNC = _number(_NONE, 8, 0)
_SUBVOL_SETFLAGS = _number(_WRITE, 26, 8)

# struct btrfs_ioctl_get_subvol_info_args: treeid, name[256], parent_id, dirid, generation, flags,
# uuid, parent_uuid, received_uuid, ctransid, otransid, stransid, rtransid, four times, reserved[8]
_INFO = struct.Struct("=Q256sQQQQ16s16s16sQQQQ" + 4 * "QI4x" + "64x")
_GET_SUBVOL_INFO = _number(_READ, 60, _INFO.size)
_ROOT_READ_ONLY = 1 << 0  # BTRFS_ROOT_SUBVOL_RDONLY

# struct btrfs_ioctl_send_args: send_fd, clone_sources_count, clone_sources, parent_root, flags,
# version, reserved[28]
_SEND_ARGUMENTS = struct.Struct("=qQQQQI28x")
_SEND = _number(_WRITE, 38, _SEND_ARGUMENTS.size)
_SEND_NO_FILE_DATA = 1 << 0

# struct btrfs_ioctl_fs_info_args: max_id, num_devices, fsid[16], ...
_FS_INFO_SIZE = 1024
_FS_INFO_UUID = slice(16, 32)
_FS_INFO = _number(_READ, 31, _FS_INFO_SIZE)

# struct btrfs_ioctl_search_args: tree, lowest and highest object, offset and transaction, lowest
# and highest type, count, unused; then what was found
_SEARCH_KEY = struct.Struct("=QQQQQQQIIII32x")
_SEARCH_SIZE = 4096
_TREE_SEARCH = _number(_READ | _WRITE, 17, _SEARCH_SIZE)
_ROOT_TREE, _ROOT_ITEM = 1, 132
_BUFFER = 1 << 20
_TREE_SEARCH_V2 = _number(_READ | _WRITE, 17, _SEARCH_KEY.size + 8)
# struct btrfs_ioctl_search_header: transaction, object, offset, type, length
_FOUND = struct.Struct("=QQQII")
# struct btrfs_file_extent_item: generation, ram_bytes, compression, encryption, other_encoding,
# type, disk_bytenr, disk_num_bytes, ...
_FILE_EXTENT = struct.Struct("<QQBBHBQQ")
_EXTENT_DATA, _INLINE = 108, 0

# struct btrfs_ioctl_ino_path_args: inode, size, reserved[4], address; what is found has the head
# bytes_left, bytes_missing, count, missed, then offsets of the paths from the end of the head
_PATHS_ARGUMENTS = struct.Struct("=QQ32xQ")
_PATHS_HEAD = struct.Struct("=IIII")
_PATHS_SIZE = 4096
_INO_PATHS = _number(_READ | _WRITE, 35, _PATHS_ARGUMENTS.size)

# struct fiemap: start, length, flags, mapped, count, reserved; struct fiemap_extent: logical,
# physical, length, reserved[2], flags, reserved[3]
_FIEMAP_HEAD = struct.Struct("=QQIIII")
_FIEMAP_EXTENT = struct.Struct("=QQQ16xI12x")
_FIEMAP_COUNT = 256
_FIEMAP = _number(_READ | _WRITE, 11, _FIEMAP_HEAD.size, ord("f"))
_FIEMAP_SYNC = 1
_EXTENT_LAST = 0x1
_EXTENT_UNKNOWN = 0x2
_EXTENT_DELALLOC = 0x4
_EXTENT_ENCODED = 0x8
_EXTENT_INLINE = 0x200
_EXTENT_UNWRITTEN = 0x800
_NOT_ON_DISK = _EXTENT_UNKNOWN | _EXTENT_DELALLOC | _EXTENT_INLINE


class Subvolume(NamedTuple):
    """What is known of a subvolume."""

    number: int  # its id, which is also that of its tree
    uuid: uuid.UUID
    parent: uuid.UUID  # of what it is a snapshot; zero if of nothing
    received: uuid.UUID  # of what it is a received copy; zero if of nothing
    read_only: bool
    created: float  # seconds since 1970; of a received one when all of it was there
    origin: int  # the transaction in which it was made


class Extent(NamedTuple):
    """A piece of a file and where on disk it is."""

    start: int
    length: int
    physical: int
    flags: int

    @property
    def is_on_disk(self) -> bool:
        """Whether it has blocks of its own, at a place that is known."""
        return not self.flags & _NOT_ON_DISK and self.physical != 0

    @property
    def tells_content(self) -> bool:
        """Whether the same place on disk means the same bytes.

        Of a compressed piece it is not said which part of what is there is meant.
        """
        return self.is_on_disk and not self.flags & (_EXTENT_ENCODED | _EXTENT_UNWRITTEN)


class _StatFs(ctypes.Structure):
    # only the first field counts here; the rest is room for what glibc writes
    _fields_ = (("type", ctypes.c_long), ("rest", ctypes.c_byte * 256))


_libc = ctypes.CDLL(None, use_errno=True)


def is_btrfs(path: str) -> bool:
    """Whether a path is on a btrfs file system."""
    status = _StatFs()
    if _libc.statfs(os.fsencode(path), ctypes.byref(status)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(status.type) & 0xFFFFFFFF == MAGIC


def is_subvolume(path: str) -> bool:
    """Whether a path is the root folder of a btrfs subvolume."""
    return os.stat(path).st_ino == ROOT_INODE and is_btrfs(path)


def is_same_file_system(one: str, other: str) -> bool:
    """Whether two paths are on the same btrfs file system, whatever their subvolumes."""
    return is_btrfs(one) and is_btrfs(other) and _file_system(one) == _file_system(other)


def _file_system(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = bytearray(_FS_INFO_SIZE)
        fcntl.ioctl(fd, _FS_INFO, found)
    finally:
        os.close(fd)
    return bytes(found[_FS_INFO_UUID])


def open_folder(path: str) -> int:
    """Open a folder, for the functions below that take a descriptor."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def create(folder: str, name: str) -> None:
    """Make an empty subvolume."""
    _in_folder(folder, _SUBVOL_CREATE_V2, _VOLUME.pack(0, 0, 0, os.fsencode(name)))


def snapshot(source: str, folder: str, name: str, *, read_only: bool) -> None:
    """Make a snapshot of a subvolume.

    The kernel flushes its files first, and the transaction is committed to disk when this returns.
    A file that a program is writing to may be passed over by that.
    """
    fd = open_folder(source)
    try:
        flags = _READ_ONLY if read_only else 0
        _in_folder(folder, _SNAP_CREATE_V2, _VOLUME.pack(fd, 0, flags, os.fsencode(name)))
    finally:
        os.close(fd)


def destroy(folder: str, name: str) -> None:
    """Drop a subvolume; the room is freed by the file system later on."""
    _in_folder(folder, _SNAP_DESTROY_V2, _VOLUME.pack(0, 0, 0, os.fsencode(name)))


def _in_folder(folder: str, number: int, arguments: bytes) -> None:
    fd = open_folder(folder)
    try:
        _call(fd, number, bytearray(arguments))
    finally:
        os.close(fd)


def _call(fd: int, number: int, arguments: bytearray) -> None:
    """Do what ``fcntl.ioctl`` does, and let other threads run meanwhile.

    With more than 1024 bytes that holds the interpreter's lock until the kernel is done, which may
    first have gigabytes to write.
    """
    buffer = (ctypes.c_char * len(arguments)).from_buffer(arguments)
    if _libc.ioctl(fd, ctypes.c_ulong(number), buffer) < 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed))


def info(path: str) -> Subvolume:
    """Return what is known of the subvolume that a path is in."""
    fd = open_folder(path)
    try:
        found = bytearray(_INFO.size)
        fcntl.ioctl(fd, _GET_SUBVOL_INFO, found)
    finally:
        os.close(fd)
    number, _, _, _, _, flags, own, parent, received, *rest = _INFO.unpack(found)
    _, origin, _, _ = rest[:4]
    times = [second + part / 1e9 for second, part in zip(rest[4::2], rest[5::2], strict=True)]
    return Subvolume(
        number,
        uuid.UUID(bytes=own),
        uuid.UUID(bytes=parent),
        uuid.UUID(bytes=received),
        bool(flags & _ROOT_READ_ONLY),
        times[3] or times[1],
        origin,
    )


def is_there(path: str, number: int) -> bool:
    """Whether a file system still has the tree of a subvolume, perhaps one that was dropped."""
    found = bytearray(_SEARCH_SIZE)
    key = (_ROOT_TREE, number, number, 0, _MOST, 0, _MOST, _ROOT_ITEM, _ROOT_ITEM, 1, 0)
    _SEARCH_KEY.pack_into(found, 0, *key)
    fd = open_folder(path)
    try:
        _call(fd, _TREE_SEARCH, found)
    finally:
        os.close(fd)
    return bool(_SEARCH_KEY.unpack_from(found)[9])


def names(path: str, inode: int) -> list[str] | None:
    """Return the paths of a file of a subvolume, from its root; None if they are too many.

    Only for root. None at all are returned of a file that does not exist.
    """
    buffer = ctypes.create_string_buffer(_PATHS_SIZE)
    fd = open_folder(path)
    try:
        arguments = _PATHS_ARGUMENTS.pack(inode, _PATHS_SIZE, ctypes.addressof(buffer))
        fcntl.ioctl(fd, _INO_PATHS, arguments)
    except FileNotFoundError:
        return []
    finally:
        os.close(fd)
    found = buffer.raw
    _, _, count, missed = _PATHS_HEAD.unpack_from(found)
    if missed:
        return None
    offsets = struct.unpack_from(f"={count}Q", found, _PATHS_HEAD.size)
    return [_text(found, _PATHS_HEAD.size + offset) for offset in offsets]


def _text(found: bytes, at: int) -> str:
    return os.fsdecode(found[at : found.index(b"\0", at)])


def file_extents(path: str, number: int, since: int = 0) -> Iterator[tuple[Hashable, int]]:
    """Yield (key, bytes) of all that the files of a subvolume need on disk; only for root.

    What has the same key is kept once for all that need it. Parts of an extent may be yielded
    several times, and always as the whole, because all of it is kept for as long as any part is
    needed. The key is the place on disk; of what is inside the tree itself, the file and the
    transaction that wrote it.

    Parameters
    ----------
    number
        The subvolume.
    since
        Pass over parts of the tree that are older than this transaction.
    """
    # an item of a file that is inside the tree may be shorter than what is unpacked of it
    found = bytearray(_SEARCH_KEY.size + 8 + _BUFFER + _FILE_EXTENT.size)
    fd = open_folder(path)
    try:
        at = (ROOT_INODE, 0, 0)
        while at[0] < _MOST:
            lowest, kind, offset = at
            key = (number, lowest, _MOST, offset, _MOST, since, _MOST, kind, 0xFF, 1 << 31, 0)
            _SEARCH_KEY.pack_into(found, 0, *key)
            struct.pack_into("=Q", found, _SEARCH_KEY.size, _BUFFER)
            _call(fd, _TREE_SEARCH_V2, found)
            count = _SEARCH_KEY.unpack_from(found)[9]
            if not count:
                return
            position = _SEARCH_KEY.size + 8
            for _ in range(count):
                _, item, item_offset, item_kind, length = _FOUND.unpack_from(found, position)
                position += _FOUND.size
                if item_kind == _EXTENT_DATA:
                    written, *_, form, place, size = _FILE_EXTENT.unpack_from(found, position)
                    if form == _INLINE:
                        yield (item, written), length
                    elif place:
                        yield place, size
                position += length
            if item_offset < _MOST:
                at = (item, item_kind, item_offset + 1)
            elif item_kind < 0xFF:
                at = (item, item_kind + 1, 0)
            else:
                at = (item + 1, 0, 0)
    finally:
        os.close(fd)


def make_writable(path: str) -> None:
    """Take the mark of being read-only off a subvolume."""
    fd = open_folder(path)
    try:
        fcntl.ioctl(fd, _SUBVOL_SETFLAGS, struct.pack("=Q", 0))
    finally:
        os.close(fd)


def sync(path: str) -> None:
    """Commit what was done to disk, and have dropped subvolumes cleaned up from now on."""
    fd = open_folder(path)
    try:
        fcntl.ioctl(fd, _SYNC)
    finally:
        os.close(fd)


def send(path: str, out: int, parent: int, *, data: bool) -> None:
    """Write the stream of a read-only subvolume to a descriptor; blocks until it is written.

    Parameters
    ----------
    out
        Where to write, most often the end of a pipe.
    parent
        The number of the subvolume that the receiver has, or 0.
    data
        Whether to send what is in files, or only where something new is.
    """
    sources = struct.pack("=Q", parent)
    buffer = ctypes.create_string_buffer(sources, len(sources))
    flags = 0 if data else _SEND_NO_FILE_DATA
    fd = open_folder(path)
    try:
        count, address = (1, ctypes.addressof(buffer)) if parent else (0, 0)
        fcntl.ioctl(fd, _SEND, _SEND_ARGUMENTS.pack(out, count, address, parent, flags, 0))
    finally:
        os.close(fd)


def extents(fd: int) -> Iterator[Extent]:
    """Yield the pieces of a file that are on disk, in their order; holes are left out."""
    start = 0
    while True:
        size = _FIEMAP_HEAD.size + _FIEMAP_COUNT * _FIEMAP_EXTENT.size
        found = bytearray(size)
        _FIEMAP_HEAD.pack_into(
            found, 0, start, 2**64 - 1 - start, _FIEMAP_SYNC, 0, _FIEMAP_COUNT, 0
        )
        _call(fd, _FIEMAP, found)
        mapped = _FIEMAP_HEAD.unpack_from(found)[3]
        for number in range(mapped):
            at = _FIEMAP_HEAD.size + number * _FIEMAP_EXTENT.size
            logical, physical, length, flags = _FIEMAP_EXTENT.unpack_from(found, at)
            yield Extent(logical, length, physical, flags)
            start = logical + length
            if flags & _EXTENT_LAST:
                return
        if not mapped:
            return
