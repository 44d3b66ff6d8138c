# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a snapshot engine is: the one interface behind which content is frozen, read and restored.

Paths given to and returned by an engine are *folder paths*: relative to the folder's root, ``/``
separated, without a leading ``/`` and without ``.`` or ``..``. They are ``str`` as ``os.fsdecode``
makes them, so a name that is not valid UTF-8 survives as surrogate escapes; use
:mod:`dotscience_jupyter.records.paths` where a path leaves the process.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO


class SnapshotError(Exception):
    """Something went wrong that a user can act on; the message says what and what to do."""


class SnapshotNotFoundError(SnapshotError):
    """No snapshot has that id."""


class PathNotFoundError(SnapshotError):
    """The snapshot holds no such path, or the path is of the wrong kind."""


class CorruptStoreError(SnapshotError):
    """Stored content does not have the digest it should have, or cannot be read."""


class Kind(StrEnum):
    """What an entry of a snapshot is."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"


class Change(StrEnum):
    """How a path differs between two states."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or symbolic link in a snapshot."""

    path: str
    kind: Kind
    mode: int  # permission bits only, 0o7777 at most
    size: int  # bytes; 0 for folders, length of the target for links
    mtime_ns: int
    digest: str  # BLAKE3 of a file's bytes, 64 hex digits; "" for folders and links
    target: str = ""  # where a symbolic link points, exactly as it was


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that differs. ``old`` is None when added, ``new`` is None when removed."""

    path: str
    change: Change
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One path of the live folder that differs from a snapshot, found by stat where possible."""

    path: str
    change: Change
    kind: Kind
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that could not be frozen and why (a socket, a device, an unreadable file)."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A frozen folder. ``id`` is all that is needed to find it again.

    ``files`` and ``bytes`` are those of regular files; folders and links are not counted.
    """

    id: str
    files: int
    bytes: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that ``verify`` found wrong."""

    snapshot: str
    path: str
    message: str


@dataclass(slots=True)
class Usage:
    """How much room the store takes."""

    stored_bytes: int = 0  # on disk, after deduplication and compression
    logical_bytes: int = 0  # what the snapshots add up to if each were a plain copy
    snapshots: int = 0
    extra: dict[str, int] = field(default_factory=dict)


Progress = Callable[[int, int, str], None]
"""Called now and then with (done, total or 0 when unknown, what is being done)."""


class Engine(ABC):
    """Freezes one folder and keeps what was frozen.

    All methods block and may be called from any thread. Two engines (also in two processes) on
    one store never corrupt it. A snapshot that was returned survives ``kill -9`` and power loss.
    """

    name: str

    @abstractmethod
    def snapshot(self, progress: Progress | None = None) -> Snapshot:
        """Freeze the folder as it is now. An unchanged folder gives the same id again."""

    @abstractmethod
    def exists(self, snapshot: str) -> bool:
        """Whether the store holds that snapshot."""

    @abstractmethod
    def changes(self, snapshot: str | None) -> list[LiveChange]:
        """How the live folder differs from a snapshot (None: from an empty folder), by path.

        Folders are listed only when the folder itself (empty, or its mode) is what changed. What
        differs in times only is not listed, nor is what cannot be looked at now.
        """

    @abstractmethod
    def diff(self, old: str | None, new: str, under: str = "") -> list[Difference]:
        """How two snapshots differ, sorted by path; unchanged folders cost nothing.

        Folders are listed only where an empty folder came or went, or its mode changed.
        """

    @abstractmethod
    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry ("" is the root folder). Raise PathNotFoundError where there is none."""

    @abstractmethod
    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return the direct children of a folder, sorted by name."""

    @abstractmethod
    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield every entry below a folder, depth first, sorted by name."""

    @abstractmethod
    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file for reading; seekable, ranges are cheap, every chunk is verified."""

    @abstractmethod
    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot, or some paths of it, into a folder that is new or empty.

        Returns the number of regular files written. Names, bytes, permissions, links, empty
        folders and modification times are as they were. Raises SnapshotError when ``to`` is not
        empty or a path is not in the snapshot; what was asked for is there whole or not at all.
        """

    @abstractmethod
    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read every stored byte that these snapshots need and compare its digest."""

    @abstractmethod
    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what no snapshot in ``keep`` needs; returns the bytes freed.

        Safe beside :meth:`snapshot`: what was returned a short while ago stays although it is not
        in ``keep``, because whoever asked for it may be about to record it. Raises SnapshotError,
        and drops nothing, when a snapshot in ``keep`` is not there whole.
        """

    @abstractmethod
    def usage(self) -> Usage:
        """How much room the store takes."""

    @abstractmethod
    def close(self) -> None:
        """Release files and caches; the engine is not used afterwards."""
