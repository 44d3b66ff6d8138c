# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Filling a folder that is new or empty, so that all of it is there or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .engine import CorruptStoreError, SnapshotError
from .ignore import RESTORE_PREFIX

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Filling(Protocol):
    """What a folder is filled with."""

    def fill(self, fd: int) -> None:
        """Write everything into an open folder that is empty."""

    def finish(self, fd: int) -> None:
        """Set permissions and times of the folders directly in an open folder.

        Nothing is written to them any more; a folder that may not be written cannot be moved.
        """

    def seal(self, fd: int) -> None:
        """Set permissions and times of the open folder itself."""


def fill(to: Path, filling: Filling) -> None:
    """Write into a folder that is new or empty.

    Everything is written to a folder beside ``to`` (or, where ``to`` exists, inside it) and put
    into place with renames at the end, so a failure leaves nothing behind.

    Raises
    ------
    SnapshotError
        If ``to`` is not empty or cannot be written; also where content turns out to be damaged.
    """
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
        with opened(stage) as fd:
            filling.fill(fd)
            if existing is None:
                filling.finish(fd)
                os.rename(stage, target)
                stage = ""
                filling.seal(fd)
            else:
                _move_up(stage, target, filling)
                stage = ""
    except BaseException as error:
        if stage:
            remove(stage)
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


@contextlib.contextmanager
def opened(name: str, dir_fd: int | None = None) -> Iterator[int]:
    """Open a folder."""
    fd = os.open(name, FOLDER_FLAGS, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _move_up(stage: str, target: str, filling: Filling) -> None:
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
        with opened(target) as fd:
            filling.finish(fd)
    except BaseException:
        for name in moved:
            remove(f"{target}/{name}")
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


def remove(path: str) -> None:
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
