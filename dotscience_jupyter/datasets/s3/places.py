# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Putting files into a folder, and taking them out, without ever following a link out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from .source import SourceError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_WAY = (errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)


class Places:
    """The files of one folder, by folder path.

    Parameters
    ----------
    root
        The folder.
    lock
        For a folder that may not be written to (a read-only checkout): its folders are made
        writable for a moment, by one at a time, while this file is locked.
    """

    def __init__(self, root: Path, lock: Path | None = None) -> None:
        self.root = root
        self._lock = lock

    def stat(self, path: str) -> os.stat_result | None:
        """Return what the system tells of a path, of a link itself; None if nothing is there."""
        try:
            with self._folder(path) as fd:
                return os.stat(_name(path), dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """Open a regular file for reading. Raise OSError."""
        with self._folder(path) as folder:
            fd = os.open(_name(path), _READ, dir_fd=folder)
        try:
            yield fd
        finally:
            os.close(fd)

    def put(self, temporary: Path, path: str, *, mtime: int, read_only: bool = False) -> int:
        """Move a finished file to its place; return its time there, in nanoseconds since 1970.

        Raises
        ------
        SourceError
            ``in_the_way`` where a folder that is not empty, or a link, is.
        """
        os.utime(temporary, ns=(mtime, mtime))
        if read_only:
            os.chmod(temporary, 0o444)
        there = os.stat(temporary, follow_symlinks=False)
        with self._telling(path), self._alone(), self._folder(path, make=True) as fd:
            try:
                os.rename(temporary, _name(path), dst_dir_fd=fd)
            except IsADirectoryError:
                # an empty one is nobody's work
                os.rmdir(_name(path), dir_fd=fd)
                os.rename(temporary, _name(path), dst_dir_fd=fd)
        # a file system may keep times less exactly than they are given
        return there.st_mtime_ns

    def make_folder(self, path: str) -> None:
        """Make an empty folder, unless there is one. Raise SourceError ``in_the_way``."""
        with self._telling(path), self._alone(), self._folder(f"{path}/.", make=True):
            pass

    def remove(self, path: str, folder: bool) -> None:
        """Remove a file, or a folder if it is empty; and the folders above that are empty then."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            with self._folder(path) as fd:
                try:
                    (os.rmdir if folder else os.unlink)(_name(path), dir_fd=fd)
                except OSError as error:
                    # somebody's own folder is there, or something in it
                    if error.errno not in (*_WAY, errno.EPERM):
                        raise
                    return
            while path := path.rpartition("/")[0]:
                with self._folder(path) as fd:
                    try:
                        os.rmdir(_name(path), dir_fd=fd)
                    except OSError:
                        return

    @contextlib.contextmanager
    def _folder(self, path: str, make: bool = False) -> Iterator[int]:
        """Open the folder that a path lies in; with ``make``, missing ones are made."""
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        protected: list[tuple[int, int]] = []  # folders that are open, and their modes in the end
        mode = _mode(fd)
        try:
            for name in path.split("/")[:-1]:
                made = make and self._make(fd, name, protected)
                below = os.open(name, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
                if not made:
                    mode = _mode(fd)
                elif self._lock is not None and not mode & stat.S_IWUSR:
                    # as the folder that it was made in
                    protected.append((os.dup(fd), mode))
            if make:
                self._open_up(fd, protected)
            yield fd
        finally:
            os.close(fd)
            for each, mode in protected:
                os.fchmod(each, mode)
                os.close(each)

    def _make(self, fd: int, name: str, protected: list[tuple[int, int]]) -> bool:
        """Make a folder; return whether there was nothing before."""
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=fd, follow_symlinks=False)
            return False
        self._open_up(fd, protected)
        try:
            os.mkdir(name, dir_fd=fd)
        except FileExistsError:  # another program was faster
            return False
        return True

    def _open_up(self, fd: int, protected: list[tuple[int, int]]) -> None:
        """Let a read-only folder be written to."""
        mode = _mode(fd)
        if self._lock is not None and not mode & stat.S_IWUSR:
            os.fchmod(fd, mode | stat.S_IWUSR)
            protected.append((os.dup(fd), mode))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread or program change modes meanwhile."""
        if self._lock is None:
            yield
            return
        # a new lock object each time: one object would let the threads of a process in together
        with FileLock(self._lock):
            yield

    @contextlib.contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _WAY:
                raise
            raise SourceError(
                "in_the_way",
                f"{self.root / path} cannot be made: something else is there already, or in place "
                "of a folder above it. Nothing of it was touched, and no version was made. Move it "
                "away, then import again.",
            ) from None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _mode(fd: int) -> int:
    return stat.S_IMODE(os.fstat(fd).st_mode)
