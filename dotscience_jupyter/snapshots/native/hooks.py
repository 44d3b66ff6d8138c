# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a file system has to offer to an engine that is built on its snapshots."""

from __future__ import annotations

import builtins
import os
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from dotscience_jupyter.snapshots.engine import Engine

from .compare import Touched, same_bytes


@dataclass(frozen=True, slots=True)
class NativeSnapshot:
    """A snapshot as the file system has it."""

    id: str
    created: float  # seconds since 1970, when it was taken or received
    received: bool = False  # or taken of the live folder


class Hooks(Engine):
    """The methods that :class:`NativeEngine` calls, and an engine of a file system overrides.

    Ids of snapshots are of the engine's own making, valid as file names, and the same wherever a
    snapshot is sent. Beside these methods such an engine has of :class:`Engine`: ``create``,
    ``suits``, ``check``, ``clone``, ``send``, ``send_size``, ``receive``, ``partial``, ``usage``.
    """

    root: str

    @abstractmethod
    def _freeze(self) -> str:
        """Take a snapshot and return its id.

        It holds all that was written before, and survives a power cut. The folder is known to be
        there; the store's shared lock is held.
        """

    @abstractmethod
    def _native(self) -> builtins.list[NativeSnapshot]:
        """Return all snapshots that are there whole (taken here or received), the oldest first.

        This is what decides which snapshots exist. It is called often.
        """

    @abstractmethod
    def _place(self, snapshot: str) -> str:
        """Return the path of a snapshot's tree; "" where there is none, whatever the string."""

    @abstractmethod
    def _drop(self, snapshots: Iterable[str]) -> None:
        """Destroy snapshots whose holds were looked at; those gone already are passed over.

        Raise HeldError where a clone or the like needs one.
        """

    def _discard(self, snapshot: str) -> None:
        """Destroy a snapshot that was taken just now, of which nobody knows."""
        self._drop([snapshot])

    def _tidy(self) -> None:
        """Remove what killed processes left, as a part of gc."""
        return None

    def _touched(self, old: str, new: str, limit: int = 0) -> Touched | None:
        """Return the file system's own list of what differs between two snapshots.

        A path may be named although it does not differ. A path that came, went or was renamed is
        True; a folder of which only times or permissions differ, or a file that was written, is
        False. Return None where it cannot be told, or would name more than ``limit`` paths (0: no
        limit).
        """
        return None

    def _names(self, snapshot: str, inode: int) -> builtins.list[str] | None:
        """Return all paths of a file that has several names, or None where that is not known.

        ``_touched`` may tell a changed file by one of its names only. Without knowing the others
        all files are looked at.
        """
        return None

    def _is_other(self, status: os.stat_result, root: os.stat_result) -> bool:
        """Whether a folder is none of the tree's own: a mount point, a subvolume, a dataset.

        Told from its ``lstat`` and that of the tree's root, for live and for frozen trees.
        """
        return status.st_dev != root.st_dev

    def _same_content(self, old_fd: int, new_fd: int, size: int) -> bool:
        """Whether two open files of the same size hold the same bytes.

        They are read; a file system may know of some bytes without reading them.
        """
        return same_bytes(old_fd, new_fd, size)

    def _same_blocks(self, old_fd: int, new_fd: int) -> bool:
        """Whether two open files of two snapshots, which seem to be one, are the same blocks."""
        return True

    def _free_bytes(self) -> int:
        """Return the free room when all that was dropped is really freed, waiting a little."""
        status = os.statvfs(self.root)
        return status.f_bfree * status.f_frsize

    @abstractmethod
    def _tags(self) -> dict[str, set[str]]:
        """Return the holds by snapshot; real ones are overridden with ``hold`` and ``release``."""
