# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Copying a frozen tree, or some of it: sharing blocks where the file system can."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from dotscience_jupyter.snapshots import staging
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Kind,
    PathNotFoundError,
    Progress,
)
from dotscience_jupyter.snapshots.staging import opened

from .tree import FILE_FLAGS, Node, Open, Tree

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONE = 0x40049409  # linux/fs.h
_PIECE = 1 << 24

Selection = dict[str, "Selection | None"]
"""Names to take of a folder; None stands for all that is below a name."""


def restore(tree: Tree, to: Path, paths: Iterable[str], progress: Progress | None) -> int:
    """Write a tree, or some paths of it, to a new or empty folder; see :meth:`Engine.restore`."""
    copy = Copy(tree, _select(tree, paths), progress)
    staging.fill(to, copy)
    return copy.files


def _select(tree: Tree, paths: Iterable[str]) -> Selection | None:
    """Return which entries the paths mean. Raise PathNotFoundError where there is no such path."""
    chosen: Selection = {}
    any_path = False
    for path in paths:
        any_path = True
        if not path:
            return None
        try:
            tree.node(path)
        except PathNotFoundError:
            raise PathNotFoundError(
                f"The snapshot holds no {path!r}, so nothing was restored."
            ) from None
        level: Selection | None = chosen
        *above, last = path.split("/")
        for name in above:
            if level is None:
                break  # all of a folder above is wanted already
            level = level.setdefault(name, {})
        if level is not None:
            level[last] = None
    return chosen if any_path else None


class Copy:
    """Writes a tree below an open folder, never through a link and never over anything.

    Attributes
    ----------
    files
        The number of regular files written.
    """

    def __init__(self, tree: Tree, selection: Selection | None, progress: Progress | None) -> None:
        self.files = 0
        self._tree = tree
        self._selection = selection
        self._progress = progress
        self._clones = True
        self._top_fd = -1
        self._top_folders: list[Node] = []
        self._linked: dict[int, str] = {}

    def fill(self, fd: int) -> None:
        """Write everything into an open folder."""
        self._top_fd = fd
        with self._tree.top() as source:
            self._top_folders = self._fill(fd, source, self._selection)

    def finish(self, fd: int) -> None:
        """Set permissions and times of the uppermost folders."""
        _finish(fd, self._top_folders)

    def seal(self, fd: int) -> None:
        """Set permissions and times of the root folder."""
        _set(fd, self._tree.status)

    def _fill(self, fd: int, source: Open, selection: Selection | None) -> list[Node]:
        folders: list[Node] = []
        for node in self._tree.children(source):
            if selection is not None and node.name not in selection:
                continue
            if node.kind is Kind.FOLDER:
                os.mkdir(node.name, 0o700, dir_fd=fd)
                below = None if selection is None else selection[node.name]
                with self._tree.inside(source, node.name) as inside:
                    if inside is None:
                        raise CorruptStoreError(f"The folder {node.path!r} cannot be read.")
                    with opened(node.name, fd) as child:
                        _finish(child, self._fill(child, inside, below))
                folders.append(node)
            elif node.kind is Kind.SYMLINK:
                os.symlink(node.target, node.name, dir_fd=fd)
                times = (node.status.st_mtime_ns, node.status.st_mtime_ns)
                os.utime(node.name, ns=times, dir_fd=fd, follow_symlinks=False)
            else:
                self._file(fd, source, node)
        return folders

    def _file(self, fd: int, source: Open, node: Node) -> None:
        if not self._link(fd, node):
            self._content(fd, source, node)
        self.files += 1
        if self._progress is not None and self.files % 64 == 1:
            self._progress(self.files, 0, "Restoring files")

    def _link(self, fd: int, node: Node) -> bool:
        """Make a file a further name of one that was written already, if it was one."""
        if node.status.st_nlink < 2:
            return False
        first = self._linked.setdefault(node.status.st_ino, node.path)
        if first == node.path:
            return False
        try:
            os.link(first, node.name, src_dir_fd=self._top_fd, dst_dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                return False
            raise
        return True

    def _content(self, fd: int, source: Open, node: Node) -> None:
        try:
            frozen = os.open(node.name, FILE_FLAGS, dir_fd=source.fd)
        except OSError as error:
            raise _damaged(node, error) from error
        try:
            out = os.open(node.name, _NEW_FILE, 0o600, dir_fd=fd)
            try:
                if not self._clone(frozen, out):
                    self._copy(frozen, out, node)
                _set(out, node.status)
            finally:
                os.close(out)
        finally:
            os.close(frozen)

    def _clone(self, source: int, out: int) -> bool:
        """Share the blocks of a file; False where that cannot be."""
        if not self._clones:
            return False
        try:
            fcntl.ioctl(out, _FICLONE, source)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            # on another file system no file can be shared; a single one may be special
            self._clones = error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY)
            return False
        return True

    def _copy(self, source: int, out: int, node: Node) -> None:
        """Copy what is in a file; holes stay holes."""
        size = node.size
        at = 0
        while at < size:
            try:
                start = os.lseek(source, at, os.SEEK_DATA)
                end = os.lseek(source, start, os.SEEK_HOLE)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break  # nothing but a hole is left
                if error.errno != errno.EINVAL:
                    raise _damaged(node, error) from error
                start, end = at, size
            os.lseek(out, start, os.SEEK_SET)
            at = start
            while at < min(end, size):
                try:
                    data = os.pread(source, min(_PIECE, end - at), at)
                except OSError as error:
                    raise _damaged(node, error) from error
                if not data:
                    raise CorruptStoreError(f"{node.path!r} ends before its size.")
                at += len(data)
                view = memoryview(data)
                while view:
                    view = view[os.write(out, view) :]
        os.ftruncate(out, size)


def _damaged(node: Node, error: OSError) -> CorruptStoreError:
    return CorruptStoreError(f"{node.path!r} cannot be read: {error.strerror or error}.")


def _finish(fd: int, folders: list[Node]) -> None:
    for node in folders:
        with opened(node.name, fd) as child:
            _set(child, node.status)


def _set(fd: int, status: os.stat_result) -> None:
    os.fchmod(fd, status.st_mode & 0o7777)
    os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))
