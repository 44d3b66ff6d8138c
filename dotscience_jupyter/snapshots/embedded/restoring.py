# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Writing a frozen folder, or some of it, into a folder that is new or empty.

One thread goes through the folders, and reads and verifies small files, many at a time; a child
process writes those that it can keep up with, this one the others. More threads read, verify and
write parts of large files. What is under way is bounded, and so is the number of open folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dotscience_jupyter.snapshots import staging
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    PathNotFoundError,
    Progress,
)
from dotscience_jupyter.snapshots.staging import opened

from .beside import Beside
from .machine import processors
from .newfile import NEW_FILE, Small, set_right, write_at, write_small
from .objects import FILE, FOLDER, LINK, Item
from .readahead import RUN, Reader
from .trees import Trees

_MAX_DEPTH = 400
_WORKERS = 8
_AHEAD = 128
"""So many parts of large files wait, each with an open file at most."""
_SMALL = 1 << 20
"""A file of more bytes is written in parts, by several threads."""
_BATCH_BYTES = 1 << 21
_BATCH_FILES = 128
_BATCH_FOLDERS = 16
_MANY = 1000
"""For so many small files a child process is worth its start."""

Selection = dict[str, "Selection | None"]
"""Names to take of a folder; None stands for all that is below a name."""


def restore(
    trees: Trees, snapshot: str, to: Path, paths: Iterable[str], progress: Progress | None
) -> int:
    """Write a snapshot; see :meth:`Engine.restore`."""
    root = trees.root_item(snapshot)
    work = _Restore(trees, root, _select(trees, root, paths), progress)
    staging.fill(to, work)
    return work.files


def _select(trees: Trees, root: Item, paths: Iterable[str]) -> Selection | None:
    """Return which entries the paths mean. Raise PathNotFoundError where there is no such path."""
    asked = _Asked()
    for path in paths:
        level = asked
        for name in path.split("/") if path else ():
            level = level.below.setdefault(name, _Asked())
        level.path = path
    return _found(trees, root, asked)


class _Asked:
    """What is asked for of an entry: all of it, if it has a path, or what is below it."""

    __slots__ = ("below", "path")

    def __init__(self) -> None:
        self.path: str | None = None
        self.below: dict[str, _Asked] = {}

    def any_path(self) -> str:
        """Return one of the paths that were asked for."""
        level = self
        while level.path is None:
            level = next(iter(level.below.values()))
        return level.path


def _found(trees: Trees, item: Item, asked: _Asked) -> Selection | None:
    chosen: Selection = {}
    found: dict[str, Item] = {}
    if asked.below and item.code == FOLDER:
        found = trees.named(item.digest, asked.below.keys())
    for name, below in asked.below.items():
        if name not in found:
            raise PathNotFoundError(
                f"The snapshot holds no {below.any_path()!r}, so nothing was restored."
            )
        chosen[name] = _found(trees, found[name], below)
    return chosen if chosen and asked.path is None else None


class _Folder:
    """An open folder that is written to.

    Attributes
    ----------
    left
        How many are at work in it.
    """

    __slots__ = ("above", "fd", "item", "left", "path")

    def __init__(self, fd: int, path: str, item: Item | None, above: _Folder | None) -> None:
        self.fd = fd
        self.path = path
        self.item = item  # None where permissions and times are set by someone else
        self.above = above
        self.left = 1


class _File:
    """An open file that is written to.

    Attributes
    ----------
    writing
        Held while something is written: the system lets only one write at a time, and others
        would burn time until it is their turn.
    """

    __slots__ = ("fd", "folder", "item", "left", "writing")

    def __init__(self, fd: int, item: Item, folder: _Folder) -> None:
        self.fd = fd
        self.item = item
        self.folder = folder
        self.left = 1
        self.writing = threading.Lock()


class _Restore:
    """Writes entries below an open folder, never through a link and never over anything."""

    def __init__(
        self, trees: Trees, root: Item, selection: Selection | None, progress: Progress | None
    ) -> None:
        self.files = 0
        self._trees = trees
        self._root = root
        self._selection = selection
        self._progress = progress
        self._reader = Reader(trees)
        self._lock = threading.Lock()
        self._fds: set[int] = set()
        workers = min(_WORKERS, processors())
        self._pool = ThreadPoolExecutor(workers, "dotscience-restore")
        self._flight: deque[Future[None]] = deque()
        self._batch: list[tuple[_Folder, Item]] = []
        self._batch_bytes = self._batch_folders = 0
        self._top: list[Item] = []
        self._top_fd = -1
        self._linked: dict[tuple[int, bytes, int, int], str] = {}
        self._zeros: set[bytes] = set()  # chunks without anything to write
        self._beside: Beside[list[_Folder]] | None = None
        self._is_shared = False  # whether the child process was tried to be started

    # -- what the stage asks for ---------------------------------------------------------------

    def fill(self, fd: int) -> None:
        """Write everything into an open folder."""
        self._top_fd = fd
        try:
            self._fill(_Folder(fd, "", None, None), self._root, self._selection, 0)
            self._send()
            while self._flight:
                self._flight.popleft().result()
            if self._beside is not None:
                for written in self._beside.written(wait=True):
                    self._leave_all(written)
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            if self._beside is not None:
                self._beside.close()
            self._reader.close()
            for left in self._fds:
                os.close(left)
            self._fds.clear()

    def finish(self, fd: int) -> None:
        """Set permissions and times of the uppermost folders."""
        for item in self._top:
            with opened(item.name, fd) as child:
                _set(child, item)

    def seal(self, fd: int) -> None:
        """Set permissions and times of the root folder."""
        _set(fd, self._root)

    # -- the thread that goes through the folders ----------------------------------------------

    def _fill(
        self, folder: _Folder, listing: Item, selection: Selection | None, depth: int
    ) -> None:
        if depth > _MAX_DEPTH:
            raise CorruptStoreError("The stored folders are nested deeper than any that we freeze.")
        if self._batch_folders >= _BATCH_FOLDERS:
            self._send()
        self._batch_folders += 1
        for item in self._trees.children(listing.digest, selection):
            if item.code == FOLDER:
                os.mkdir(item.name, 0o700, dir_fd=folder.fd)
                child = self._enter(folder, item, depth)
                below = None if selection is None else selection[item.name]
                self._fill(child, item, below, depth + 1)
                self._leave(child)
            elif item.code == LINK:
                os.symlink(item.target, item.name, dir_fd=folder.fd)
                times = (item.mtime_ns, item.mtime_ns)
                os.utime(item.name, ns=times, dir_fd=folder.fd, follow_symlinks=False)
            else:
                self._file(folder, item)

    def _enter(self, above: _Folder, item: Item, depth: int) -> _Folder:
        fd = self._open(item.name, staging.FOLDER_FLAGS, above)
        path = f"{above.path}/{item.name}" if above.path else item.name
        if depth:
            folder = _Folder(fd, path, item, above)
        else:
            # it can only be moved while it may be written
            self._top.append(item)
            folder = _Folder(fd, path, None, above)
        with self._lock:
            above.left += 1
        return folder

    def _open(self, name: str, flags: int, folder: _Folder) -> int:
        fd = os.open(name, flags, 0o600, dir_fd=folder.fd)
        with self._lock:
            self._fds.add(fd)
        return fd

    def _close(self, fd: int) -> None:
        with self._lock:
            self._fds.discard(fd)
        os.close(fd)

    def _leave(self, folder: _Folder) -> None:
        """Note that someone is done with a folder; set it right after the last one."""
        while True:
            with self._lock:
                folder.left -= 1
                if folder.left:
                    return
            if folder.above is None:
                return  # the top, which is the stage's
            if folder.item is not None:
                _set(folder.fd, folder.item)
            self._close(folder.fd)
            folder = folder.above

    def _file(self, folder: _Folder, item: Item) -> None:
        self.files += 1
        if self._progress is not None and self.files % 64 == 1:
            self._progress(self.files, 0, "Restoring files")
        if item.group:
            if not self._link(folder, item):
                self._large(folder, item)
        elif item.size > _SMALL:
            self._large(folder, item)
        else:
            if not self._batch or self._batch[-1][0] is not folder:
                with self._lock:
                    folder.left += 1
            self._batch.append((folder, item))
            self._batch_bytes += item.size
            if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_FILES:
                self._send()

    def _link(self, folder: _Folder, item: Item) -> bool:
        """Make a file a further name of one that is there, if it was one."""
        path = f"{folder.path}/{item.name}" if folder.path else item.name
        same = (item.group, item.digest, item.mode, item.mtime_ns)
        first = self._linked.setdefault(same, path)
        if first is path:
            return False
        try:
            # no part of this path can be a link: we made its folders, in a folder of our own
            os.link(
                first,
                item.name,
                src_dir_fd=self._top_fd,
                dst_dir_fd=folder.fd,
                follow_symlinks=False,
            )
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                return False
            raise
        return True

    def _large(self, folder: _Folder, item: Item) -> None:
        """Make a file, which may be linked to from now on, and have its parts written."""
        file = _File(self._open(item.name, NEW_FILE, folder), item, folder)
        with self._lock:
            folder.left += 1
        os.ftruncate(file.fd, item.size)
        for start, wanted in _parts(self._trees.chunks(item)):
            with self._lock:
                file.left += 1
            self._submit(self._write_part, file, start, wanted)
        self._done(file)

    def _done(self, file: _File) -> None:
        """Note that someone is done with a file; set it right after the last one."""
        with self._lock:
            file.left -= 1
            if file.left:
                return
        _set(file.fd, file.item)
        self._close(file.fd)
        self._leave(file.folder)

    def _send(self) -> None:
        """Write the small files that came together, or have them written."""
        batch, self._batch = self._batch, []
        self._batch_bytes = self._batch_folders = 0
        if not batch:
            return
        contents = self._contents([item for _, item in batch])
        folders: list[_Folder] = []
        files: list[list[Small]] = []
        for (folder, item), data in zip(batch, contents, strict=True):
            if not folders or folders[-1] is not folder:
                folders.append(folder)
                files.append([])
            files[-1].append((os.fsencode(item.name), item.mode & 0o7777, item.mtime_ns, data))
        self._hand_over(folders, files, sum(map(len, contents)))

    def _contents(self, items: list[Item]) -> list[bytes]:
        """Return what is in some small files."""
        contents = [b""] * len(items)
        wanted: list[tuple[bytes, int]] = []
        numbers: list[int] = []
        for number, item in enumerate(map(self._trees.resolved, items)):
            if item.code == FILE:
                if item.size:
                    wanted.append((item.digest, item.size))
                    numbers.append(number)
            else:
                chunks = self._trees.chunks(item)
                contents[number] = b"".join([self._trees.read_chunk(*chunk) for chunk in chunks])
        for number, content in self._reader.read(wanted):
            contents[numbers[number]] = bytes(content)
        return contents

    def _hand_over(self, folders: list[_Folder], files: list[list[Small]], size: int) -> None:
        """Have files written by the child process if there is one and it can, or write them."""
        if self.files >= _MANY and not self._is_shared:
            self._is_shared = True
            if processors() > 1:
                with contextlib.suppress(OSError):  # then it goes on alone
                    self._beside = Beside(self._top_fd)
        beside = self._beside
        if beside is not None:
            for written in beside.written():
                self._leave_all(written)
            paths = [os.fsencode(folder.path) for folder in folders]
            if beside.offer([*zip(paths, files, strict=True)], size, folders):
                return
        for folder, small in zip(folders, files, strict=True):
            write_small(folder.fd, small)
        self._leave_all(folders)

    def _leave_all(self, folders: list[_Folder]) -> None:
        for folder in folders:
            self._leave(folder)

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._flight.append(self._pool.submit(work, *arguments))
        while len(self._flight) > _AHEAD:
            self._flight.popleft().result()

    # -- the threads that write ----------------------------------------------------------------

    def _write_part(self, file: _File, start: int, wanted: list[tuple[bytes, int]]) -> None:
        places = []
        needed = []
        for digest, length in wanted:
            if digest not in self._zeros:
                places.append(start)
                needed.append((digest, length))
            start += length
        for number, data in self._reader.read(needed):
            with file.writing:
                if not write_at(file.fd, data, places[number]):
                    self._zeros.add(needed[number][0])
        self._done(file)


def _parts(
    chunks: Iterable[tuple[bytes, int]],
) -> Iterator[tuple[int, list[tuple[bytes, int]]]]:
    """Yield runs of chunks, and where in the file they start."""
    start = end = 0
    part: list[tuple[bytes, int]] = []
    for chunk in chunks:
        part.append(chunk)
        end += chunk[1]
        if end - start >= RUN:
            yield start, part
            start, part = end, []
    if part:
        yield start, part


def _set(fd: int, item: Item) -> None:
    set_right(fd, item.mode & 0o7777, item.mtime_ns)
