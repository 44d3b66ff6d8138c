# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Streams that btrfs makes of a subvolume: having them made, and reading what they say.

The format is that of ``btrfs send``, versions 1 and 2: the magic, a version, then commands, each a
head (length, number, CRC-32C) and attributes (number, length, value), all little-endian.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dotscience_jupyter.snapshots.engine import CorruptStoreError
from dotscience_jupyter.snapshots.native import Touched

from . import ioctls

MAGIC = b"btrfs-stream\0"
_VERSION = struct.Struct("<I")
_HEAD = struct.Struct("<IHI")
_ATTRIBUTE = struct.Struct("<HH")
_NUMBER = struct.Struct("<Q")
_MAX_COMMAND = 1 << 26

SUBVOLUME, SNAPSHOT, END, UPDATE_EXTENT = 1, 2, 21, 22
# mkfile, mkdir, mknod, mkfifo, mksock, symlink, rename, link, unlink, rmdir: what comes or goes
_COMES_OR_GOES = frozenset(range(3, 13))

UUID, SIZE, PATH, PATH_TO = 1, 4, 15, 16
_DATA = 19  # from version 2 on it is the last attribute, and has no length


class Command(NamedTuple):
    """One command of a stream."""

    number: int
    attributes: dict[int, bytes]

    def path(self, attribute: int = PATH) -> str:
        """Return a path among the attributes; "" if it is the root, or there is none."""
        return os.fsdecode(self.attributes.get(attribute, b""))


def commands(stream: BinaryIO) -> Iterator[Command]:
    """Yield the commands of a stream up to its end.

    Raises
    ------
    CorruptStoreError
        If it is no such stream, or cut.
    """
    if _exactly(stream, len(MAGIC)) != MAGIC:
        raise CorruptStoreError("This is not a stream of btrfs.")
    (version,) = _VERSION.unpack(_exactly(stream, _VERSION.size))
    while True:
        length, number, _ = _HEAD.unpack(_exactly(stream, _HEAD.size))
        if length > _MAX_COMMAND:
            raise CorruptStoreError("A stream of btrfs is damaged.")
        data = _exactly(stream, length)
        attributes: dict[int, bytes] = {}
        at = 0
        while at < length:
            if version > 1 and data[at : at + 2] == _DATA.to_bytes(2, "little"):
                attributes[_DATA] = data[at + 2 :]
                break
            if at + _ATTRIBUTE.size > length:
                raise CorruptStoreError("A stream of btrfs is damaged.")
            attribute, size = _ATTRIBUTE.unpack_from(data, at)
            at += _ATTRIBUTE.size
            attributes[attribute] = data[at : at + size]
            at += size
        yield Command(number, attributes)
        if number == END:
            return


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise CorruptStoreError("A stream of btrfs is cut off.")
    return data


class _Sender(threading.Thread):
    """Has the file system write a stream into a pipe."""

    def __init__(self, place: str, out: int, parent: int, data: bool) -> None:
        super().__init__(name="dotscience-btrfs-send", daemon=True)
        self._arguments = (place, out, parent, data)
        self.error: OSError | None = None

    def run(self) -> None:
        place, out, parent, data = self._arguments
        try:
            ioctls.send(place, out, parent, data=data)
        except OSError as error:
            self.error = error
        finally:
            os.close(out)


@contextlib.contextmanager
def stream_of(place: str, parent: int = 0, *, data: bool = True) -> Iterator[BinaryIO]:
    """Open the stream of a read-only subvolume.

    Reading gives OSError where the file system could not write it, instead of an end.

    Parameters
    ----------
    parent
        The number of the subvolume to start from, or 0.
    data
        Whether what is in files is part of it, or only where something was written.
    """
    reading, writing = os.pipe()
    sender = _Sender(place, writing, parent, data)
    with _Pipe(reading, sender) as raw:
        sender.start()
        try:
            yield io.BufferedReader(raw, 1 << 18)
        finally:
            raw.close()  # the sender stops at its next write
            sender.join()


class _Pipe(io.FileIO):
    """The end of the pipe to read from; where it ends, an error of the sender is raised."""

    def __init__(self, fd: int, sender: _Sender) -> None:
        super().__init__(fd, "rb")
        self._sender = sender

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = super().readinto(buffer) or 0
        if not count:
            self._sender.join()
            if self._sender.error is not None:
                raise self._sender.error
        return count


def touched(place: str, parent: int, limit: int) -> Touched | None:
    """Return the paths that differ between two snapshots; None if these are more than a limit.

    Parameters
    ----------
    place
        Where the newer one is.
    parent
        The number of the older one.
    limit
        0 for none.
    """
    found: Touched = {}
    with stream_of(place, parent, data=False) as stream:
        for command in commands(stream):
            if command.number in (SUBVOLUME, SNAPSHOT, END):
                continue
            deep = command.number in _COMES_OR_GOES
            for attribute in (PATH, PATH_TO):
                if attribute in command.attributes:
                    path = command.path(attribute)
                    found[path] = found.get(path, False) or deep
            if limit and len(found) > limit:
                return None
    return found


def size_of(place: str, parent: int = 0) -> int:
    """Estimate the bytes of a stream from one without what is in files."""
    total = len(MAGIC) + _VERSION.size
    with stream_of(place, parent, data=False) as stream:
        for command in commands(stream):
            total += _HEAD.size
            total += sum(_ATTRIBUTE.size + len(value) for value in command.attributes.values())
            if command.number == UPDATE_EXTENT:
                total += _NUMBER.unpack(command.attributes[SIZE])[0]
    return total
