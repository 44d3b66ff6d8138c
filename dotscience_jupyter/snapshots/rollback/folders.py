# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Folders and files by descriptors, never through a link."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator

from dotscience_jupyter.snapshots.engine import Entry, Kind
from dotscience_jupyter.snapshots.flushing import flush
from dotscience_jupyter.snapshots.staging import FOLDER_FLAGS

FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.SYMLINK}


class Folders:
    """Opens folders below an open one, never through a link; keeps the last one open.

    Parameters
    ----------
    base
        A descriptor of the uppermost folder, which is closed with the others.
    """

    def __init__(self, base: int) -> None:
        self._base = base
        self._path = ""
        self._fd = base

    def at(self, path: str) -> int:
        """Return a descriptor of a folder, which is good until the next call."""
        if path != self._path:
            self._forget()
            fd = self._descend(path)
            self._path, self._fd = path, fd
        return self._fd

    @contextlib.contextmanager
    def reopened(self, path: str) -> Iterator[int]:
        """Open a folder anew."""
        self._forget()
        fd = self._descend(path)
        try:
            yield fd
        finally:
            if fd != self._base:
                os.close(fd)

    def _descend(self, path: str) -> int:
        fd = self._base
        for name in path.split("/") if path else ():
            try:
                below = os.open(name, FOLDER_FLAGS, dir_fd=fd)
            finally:
                if fd != self._base:
                    os.close(fd)
            fd = below
        return fd

    def _forget(self) -> None:
        if self._fd != self._base:
            os.close(self._fd)
        self._path, self._fd = "", self._base

    def close(self) -> None:
        """Let go of the folders."""
        self._forget()
        os.close(self._base)


def join(folder: str, name: str) -> str:
    """Return the path of what has a name in a folder; "" is the root, or the folder itself."""
    return f"{folder}/{name}" if folder and name else folder or name


def kind_of(status: os.stat_result) -> Kind | None:
    """Return what something is; None if it is nothing that is frozen."""
    return _KINDS.get(stat.S_IFMT(status.st_mode))


def looks(status: os.stat_result, entry: Entry) -> bool:
    """Whether all that lstat tells of something live is as in its entry."""
    kind = kind_of(status)
    return (
        kind is entry.kind
        and status.st_mtime_ns == entry.mtime_ns
        and (kind is Kind.SYMLINK or stat.S_IMODE(status.st_mode) == entry.mode)
        and (kind is not Kind.FILE or status.st_size == entry.size)
    )


def lstat(name: str, fd: int) -> os.stat_result | None:
    """Look at what has a name in an open folder; None if nothing has."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def exists(name: str, fd: int) -> bool:
    """Whether anything can be seen at a path below an open folder."""
    with contextlib.suppress(OSError):
        return lstat(name, fd) is not None
    return False


def make_writable(fd: int) -> None:
    """Let this process change what is in a folder, whose mode is set again at the end."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o300 != 0o300:
        os.fchmod(fd, mode | 0o300)


def remove_folder(name: str, fd: int) -> None:
    """Remove a folder of ours, read-only folders in it included."""
    for _, folders, _, below in os.fwalk(name, dir_fd=fd):
        for folder in folders:
            status = os.stat(folder, dir_fd=below, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.chmod(folder, 0o700, dir_fd=below)
    shutil.rmtree(name, dir_fd=fd)


def sync(fd: int) -> None:
    """Write out what was written to a file system."""
    try:
        flush(fd)
    except (AttributeError, OSError):  # only Linux can tell file systems apart
        os.sync()
