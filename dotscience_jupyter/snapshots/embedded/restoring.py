# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Writing a frozen folder, or some of it, into a folder that is new or empty."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    PathNotFoundError,
    Progress,
    SnapshotError,
)
from dotscience_jupyter.snapshots.ignore import RESTORE_PREFIX

from .objects import FOLDER, LINK, Item
from .trees import Trees

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_DEPTH = 400
_ZEROS = bytes(1 << 20)

Selection = dict[str, "Selection | None"]
"""Names to take of a folder; None stands for all that is below a name."""


def restore(
    trees: Trees, snapshot: str, to: Path, paths: Iterable[str], progress: Progress | None
) -> int:
    """Write a snapshot; see :meth:`Engine.restore`.

    Everything is written to a folder beside ``to`` (or, where ``to`` exists, inside it) and put
    into place with renames at the end, so a failure leaves nothing behind.
    """
    root = trees.root_item(snapshot)
    selection = _select(trees, root, paths)
    target = os.path.abspath(to)
    try:
        existing = os.listdir(target)
    except FileNotFoundError:
        existing = None
    except OSError as error:
        raise SnapshotError(
            f"{to} cannot be restored to: {error.strerror or error}. Choose a new or empty folder."
        ) from None
    if existing:
        raise SnapshotError(
            f"{to} is not empty, so nothing was restored: a restore never touches existing files. "
            "Choose a new or empty folder."
        )
    made: list[str] = []
    stage = ""
    try:
        if existing is None:
            made = _make_parents(os.path.dirname(target))
            stage = os.path.join(os.path.dirname(target), RESTORE_PREFIX + secrets.token_hex(8))
        else:
            stage = os.path.join(target, RESTORE_PREFIX + secrets.token_hex(8))
        os.mkdir(stage, 0o700)
        writer = _Writer(trees, progress)
        with _opened(stage) as fd:
            late = writer.fill(fd, root, selection)
            if existing is None:
                writer.finish(fd, late)
                os.rename(stage, target)
                stage = ""
                _set(fd, root)
            else:
                _move_up(stage, target, writer, late)
                stage = ""
        return writer.files
    except BaseException as error:
        if stage:
            _remove(stage)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if isinstance(error, OSError):
            raise SnapshotError(
                f"The snapshot could not be restored to {to}: {error.strerror or error}. What had "
                "been written was removed again; the snapshot is untouched."
            ) from error
        if isinstance(error, CorruptStoreError):
            raise CorruptStoreError(
                f"Nothing was restored, because stored content is damaged: {error} "
                "Run 'jupyter dotscience verify' to see what is affected; other files of the "
                "snapshot can be restored by naming them."
            ) from error
        raise


def _select(trees: Trees, root: Item, paths: Iterable[str]) -> Selection | None:
    """Return which entries the paths mean. Raise PathNotFoundError where there is no such path."""
    chosen: Selection = {}
    any_path = False
    for path in paths:
        any_path = True
        names = path.split("/") if path else []
        if not names:
            return None
        item: Item | None = root
        level: Selection | None = chosen
        for number, name in enumerate(names, 1):
            found = None
            if item is not None and item.code == FOLDER:
                found = trees.items(item.digest).get(name)
            if found is None:
                raise PathNotFoundError(f"The snapshot holds no {path!r}, so nothing was restored.")
            item = found
            if level is None:
                continue  # all of a folder above is wanted already
            if number == len(names):
                level[name] = None
            else:
                level = level.setdefault(name, {})
    return chosen if any_path else None


class _Writer:
    """Writes entries below an open folder, never through a link and never over anything."""

    def __init__(self, trees: Trees, progress: Progress | None) -> None:
        self.files = 0
        self._trees = trees
        self._progress = progress

    def fill(self, fd: int, folder: Item, selection: Selection | None) -> list[Item]:
        """Write a folder's entries; return its folders, which :meth:`finish` has to be given."""
        return self._fill(fd, folder, selection, 0)

    def _fill(self, fd: int, folder: Item, selection: Selection | None, depth: int) -> list[Item]:
        if depth > _MAX_DEPTH:
            raise CorruptStoreError("The stored folders are nested deeper than any that we freeze.")
        late: list[Item] = []
        for item in self._trees.children(folder.digest):
            if selection is not None and item.name not in selection:
                continue
            if item.code == FOLDER:
                os.mkdir(item.name, 0o700, dir_fd=fd)
                below = None if selection is None else selection[item.name]
                with _opened(item.name, fd) as child:
                    self.finish(child, self._fill(child, item, below, depth + 1))
                late.append(item)
            elif item.code == LINK:
                os.symlink(item.target, item.name, dir_fd=fd)
                times = (item.mtime_ns, item.mtime_ns)
                os.utime(item.name, ns=times, dir_fd=fd, follow_symlinks=False)
            else:
                self._file(fd, item)
        return late

    def finish(self, fd: int, folders: list[Item]) -> None:
        """Set modes and times of folders that nothing is written to any more."""
        for item in folders:
            with _opened(item.name, fd) as child:
                _set(child, item)

    def _file(self, fd: int, item: Item) -> None:
        out = os.open(item.name, _NEW_FILE, 0o600, dir_fd=fd)
        try:
            hole = False
            for digest, length in self._trees.chunks(item):
                chunk = self._trees.read_chunk(digest, length)
                hole = chunk == _ZEROS
                if hole:
                    os.lseek(out, length, os.SEEK_CUR)
                    continue
                data = memoryview(chunk)
                while data:
                    data = data[os.write(out, data) :]
            if hole:
                os.ftruncate(out, item.size)
            _set(out, item)
        finally:
            os.close(out)
        self.files += 1
        if self._progress is not None and self.files % 64 == 1:
            self._progress(self.files, 0, "Restoring files")


def _set(fd: int, item: Item) -> None:
    os.fchmod(fd, item.mode & 0o7777)
    os.utime(fd, ns=(item.mtime_ns, item.mtime_ns))


@contextlib.contextmanager
def _opened(name: str, dir_fd: int | None = None) -> Iterator[int]:
    fd = os.open(name, _FOLDER_FLAGS, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _move_up(stage: str, target: str, writer: _Writer, late: list[Item]) -> None:
    """Move everything from the stage into the folder around it; undo that if it fails."""
    moved: list[str] = []
    try:
        for name in os.listdir(stage):
            if os.path.lexists(f"{target}/{name}"):
                raise SnapshotError(
                    f"{target} is not empty any more, so nothing was restored. Choose a new folder."
                )
            os.rename(f"{stage}/{name}", f"{target}/{name}")
            moved.append(name)
        os.rmdir(stage)
        # a folder can only be moved while it is writable, so this comes last
        fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            writer.finish(fd, late)
        finally:
            os.close(fd)
    except BaseException:
        for name in moved:
            _remove(f"{target}/{name}")
        raise


def _make_parents(folder: str) -> list[str]:
    """Create missing folders; return those that were made, outermost first."""
    missing: list[str] = []
    while not os.path.isdir(folder):
        missing.append(folder)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    made: list[str] = []
    try:
        for path in reversed(missing):
            os.mkdir(path)
            made.append(path)
    except OSError:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise
    return made


def _remove(path: str) -> None:
    """Remove what a failed restore wrote, read-only folders included."""
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            _make_removable(path)
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _make_removable(path: str) -> None:
    os.chmod(path, 0o700)
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _make_removable(entry.path)
