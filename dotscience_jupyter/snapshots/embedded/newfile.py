# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Writing files that are new, in this process or as the program of a child process.

Making a small file costs Python as much time as the system, and Python's global lock lets one
thread do so at a time. :mod:`.beside` therefore runs this file by its path, so it needs the
standard library only: importing the package would take longer than a thousand files.
"""

from __future__ import annotations

import marshal
import os
import struct
import sys
from collections.abc import Iterator

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
HEAD = struct.Struct("<II")
"""Before each message to a child process: the bytes of what says what to write, and of contents."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAGE = 4096
_HOLE = 16
"""So many pages of zeros become a hole."""
_ZERO_PAGE = bytes(_PAGE)
_UNKNOWN_ERROR = 255

Small = tuple[bytes, int, int, bytes | memoryview]
"""A small file to be written: name, permissions, mtime in nanoseconds, content."""


def write_small(folder: int, files: list[Small]) -> None:
    """Write some small files into an open folder."""
    for name, mode, mtime_ns, data in files:
        fd = os.open(name, NEW_FILE, 0o600, dir_fd=folder)
        try:
            if len(data) >= _HOLE * _PAGE:
                os.ftruncate(fd, len(data))
                write_at(fd, data, 0)
            elif data and (count := os.write(fd, data)) < len(data):
                _write_all(fd, memoryview(data)[count:])
            set_right(fd, mode, mtime_ns)
        finally:
            os.close(fd)


def set_right(fd: int, mode: int, mtime_ns: int) -> None:
    """Set permissions and time of an open file or folder."""
    os.fchmod(fd, mode)
    os.utime(fd, ns=(mtime_ns, mtime_ns))


def _write_all(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


def write_at(fd: int, data: bytes | memoryview, offset: int) -> bool:
    """Write data at an offset of a new file that has its size; long runs of zeros stay holes.

    Returns whether there was anything to write.
    """
    view = memoryview(data)
    written = False
    for start, end in _solid(data, offset):
        written = True
        while start < end:
            start += os.pwrite(fd, view[start:end], offset + start)
    return written


def _solid(data: bytes | memoryview, offset: int) -> Iterator[tuple[int, int]]:
    """Yield what of some data, which is for this offset of a file, is not a hole.

    Holes are looked for in whole pages of the file. What is left of a page at either end of the
    data belongs to the hole beside it, if it is zero: it need not be written in any case.
    """
    head = -offset % _PAGE
    # the first byte of each page; where these are not zero for long there is no need to look on
    firsts = bytes(memoryview(data)[head::_PAGE])
    many = bytes(_HOLE)
    start = 0
    at = firsts.find(many)
    while at >= 0:
        page = at
        while page < len(firsts) and not firsts[page]:
            place = head + page * _PAGE
            if bytes(data[place : place + _PAGE]) != _ZERO_PAGE[: len(data) - place]:
                break
            page += 1
        if page - at >= _HOLE:
            hole = head + at * _PAGE
            if not at and bytes(data[:head]) == _ZERO_PAGE[:head]:
                hole = 0
            if hole > start:
                yield start, hole
            start = min(head + page * _PAGE, len(data))
        at = firsts.find(many, max(page, at + 1))
    if start < len(data):
        yield start, len(data)


# -- the child process --------------------------------------------------------------------------


def _opened(top: int, path: bytes) -> int:
    """Open a folder below an open one, with no link on the way."""
    fd = os.dup(top)
    for name in path.split(b"/") if path else ():
        try:
            inner = os.open(name, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def _serve(top: int) -> int:
    """Write what the messages say until there are no more; answer each with a byte.

    A message is a list of (path of a folder, files to be written into it: name, permissions, time
    and length), and behind it the contents of all. The answer is 0, or the number of the error
    after which this process ends.
    """
    source = sys.stdin.buffer
    while len(head := source.read(HEAD.size)) == HEAD.size:
        length, size = HEAD.unpack(head)
        message, content = source.read(length), memoryview(source.read(size))
        if len(content) < size or len(message) < length:
            break  # whoever wrote it is gone
        answer = _answer(top, message, content)
        os.write(sys.stdout.fileno(), bytes((answer,)))
        if answer:
            return 1
    return 0


def _answer(top: int, message: bytes, content: memoryview) -> int:
    at = 0
    try:
        for path, described in marshal.loads(message):  # noqa: S302  # our own parent's
            files: list[Small] = []
            for name, mode, mtime_ns, size in described:
                files.append((name, mode, mtime_ns, content[at : at + size]))
                at += size
            folder = _opened(top, path)
            try:
                write_small(folder, files)
            finally:
                os.close(folder)
    except OSError as error:
        return min(error.errno or _UNKNOWN_ERROR, _UNKNOWN_ERROR)
    return 0


if __name__ == "__main__":
    sys.exit(_serve(int(sys.argv[1])))
