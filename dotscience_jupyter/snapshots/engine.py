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
from typing import BinaryIO, NamedTuple


class SnapshotError(Exception):
    """Something went wrong that a user can act on; the message says what and what to do."""


class SnapshotNotFoundError(SnapshotError):
    """No snapshot has that id."""


class PathNotFoundError(SnapshotError):
    """The snapshot holds no such path, or the path is of the wrong kind."""


class BadPathError(SnapshotError):
    """No snapshot can hold such a path; the message says why."""


class CorruptStoreError(SnapshotError):
    """Stored content does not have the digest it should have, or cannot be read."""


class HeldError(SnapshotError):
    """The snapshot cannot be destroyed, because something refers to it; the message says what."""


class UnavailableError(SnapshotError):
    """What keeps the content for good cannot be reached now; nothing is lost, try again later."""


class TransferError(SnapshotError):
    """A sent snapshot did not arrive whole; what arrived is kept and the transfer can go on.

    Attributes
    ----------
    token
        What to hand to the sender's :meth:`Engine.send` as ``resume``; "" to begin anew.
    """

    def __init__(self, message: str, token: str = "") -> None:
        super().__init__(message)
        self.token = token


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
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or symbolic link in a snapshot."""

    path: str
    kind: Kind
    mode: int  # permission bits only, 0o7777 at most
    size: int  # bytes; 0 for folders, length of the target for links
    mtime_ns: int
    digest: str  # BLAKE3 of a file's bytes, 64 hex digits; "" for folders, links and if not known
    target: str = ""  # where a symbolic link points, exactly as it was


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that differs. ``old`` is None when added, ``new`` is None when removed.

    Of a renamed file ``path`` is the new path, and ``old.path`` the one before.
    """

    path: str
    change: Change
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One path of the live folder that differs from a snapshot, found by stat where possible.

    Of a renamed file ``path`` is where it is now, and ``old_path`` where the snapshot has it.
    """

    path: str
    change: Change
    kind: Kind
    size: int
    old_path: str = ""  # only where renamed


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that could not be frozen and why (a socket, a device, an unreadable file)."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A frozen folder. ``id`` is all that is needed to find it again.

    ``files`` and ``bytes`` are those of regular files; folders and links are not counted. An engine
    that freezes without looking (ZFS, btrfs) gives 0 and nothing skipped: :meth:`Engine.settle`
    finds that out afterwards.
    """

    id: str
    files: int
    bytes: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What is known of a snapshot without looking into it."""

    id: str
    created: float  # seconds since 1970; when it was taken, received, or returned again
    holds: tuple[str, ...] = ()  # tags, sorted; see Engine.hold
    content: str = ""  # content id, "" while it is not known


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that ``verify`` found wrong, or that ``repair`` could not save."""

    snapshot: str
    path: str
    message: str


class Repaired(NamedTuple):
    """What a repair found wrong, and what of that is wrong still."""

    found: list[Problem]
    lost: list[Problem]


@dataclass(frozen=True, slots=True)
class SnapshotUsage:
    """How much room a snapshot takes, in bytes on disk."""

    id: str
    alone: int  # what destroying it (and only it) would free
    shared: int  # what it needs and other snapshots, or the live folder, need as well
    logical: int  # the sizes of its files added up


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an engine needs, whether it is there, and what to do if not."""

    what: str
    ok: bool
    found: str = ""  # what was found, for people
    advice: str = ""  # commands or words; "" when ok


@dataclass(slots=True)
class Usage:
    """How much room the store takes."""

    stored_bytes: int = 0  # on disk, after deduplication and compression
    logical_bytes: int = 0  # what the snapshots add up to if each were a plain copy
    snapshots: int = 0
    extra: dict[str, int] = field(default_factory=dict)  # the engine's own; sizes end in " bytes"
    each: list[SnapshotUsage] = field(default_factory=list)  # only if asked for, oldest first


Progress = Callable[[int, int, str], None]
"""Called now and then with (done, total or 0 when unknown, what is being done)."""


COMMIT_HOLD = "commit"
"""The tag under which snapshots that a commit needs are held."""


class Engine(ABC):
    """Freezes one folder and keeps what was frozen.

    All methods block and may be called from any thread. Two engines (also in two processes) on
    one store never corrupt it. A snapshot that was returned survives ``kill -9`` and power loss.

    What is frozen of the folder is what :mod:`.ignore` leaves of it. An engine that freezes more
    because it cannot do otherwise (a file system's snapshot holds everything) shows no more.
    """

    name: str

    # -- choosing ------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, store: Path) -> Engine:
        """Make a new versioned folder and open an engine on it.

        Raises SnapshotError where there is something already, or where it cannot be made.
        """
        raise NotImplementedError

    @classmethod
    def suits(cls, folder: Path) -> bool:
        """Whether this engine would be the choice for an existing folder. Never raises."""
        return False

    @classmethod
    def check(cls, folder: Path) -> builtins.list[Check]:
        """Say what this engine needs on a folder, and what of that is missing. Never raises."""
        return []

    def portable(self) -> Engine:
        """Return an engine on the same folder whose snapshots can go to hubs, as far as any can.

        It takes the place of this one.
        """
        return self

    # -- freezing ------------------------------------------------------------------------------

    @abstractmethod
    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        """Freeze the folder as it is now. An unchanged folder gives the same id again.

        ``look_at`` are folder paths to look at in any case: where the engine relies on being
        told of changes (see :meth:`watch`), a program that still holds a file in a shared memory
        map may not have been heard of.
        """

    def watch(self) -> bool:
        """Begin to take notice of changes, so that an unchanged folder is not walked.

        For processes that live long. Return False where the engine needs no such thing, or
        cannot have it; everything works all the same.
        """
        return False

    def settle(self, progress: Progress | None = None) -> None:
        """Do the work that was put off: hash what was captured, compute content ids.

        For a background thread, after snapshots. Raises SnapshotError if it could not be done;
        then nothing is lost, and the next call tries again.
        """
        return None

    @abstractmethod
    def exists(self, snapshot: str) -> bool:
        """Whether the store holds that snapshot."""

    @abstractmethod
    def snapshots(self) -> builtins.list[SnapshotInfo]:
        """Return all snapshots, the oldest first."""

    @abstractmethod
    def content_id(self, snapshot: str, *, compute: bool = True) -> str:
        """Return the snapshot's content id, 64 hex digits; see :mod:`.content`.

        Equal for equal content whatever the engine. With ``compute=False`` "" is returned when
        it has not been computed yet.
        """

    # -- comparing -----------------------------------------------------------------------------

    @abstractmethod
    def changes(
        self, snapshot: str | None, under: str = "", *, renames: bool = False
    ) -> builtins.list[LiveChange]:
        """How the live folder differs from a snapshot (None: from an empty folder), by path.

        Folders are listed only when the folder itself (empty, or its mode) is what changed. What
        differs in times only is not listed, nor is what cannot be looked at now. With ``renames``
        a file that went and one with the same content that came are one change, by the rule of
        :meth:`diff`; files of equal size are read for it, within the limit of
        :func:`.renames.live_renamed`.
        """

    @abstractmethod
    def diff(
        self, old: str | None, new: str, under: str = "", *, renames: bool = False
    ) -> builtins.list[Difference]:
        """How two snapshots differ, sorted by path; unchanged folders cost nothing.

        Folders are listed only where an empty folder came or went, or its mode changed. With
        ``renames`` a file that went and one with the same content that came are one difference.
        """

    # -- reading -------------------------------------------------------------------------------

    @abstractmethod
    def entry(self, snapshot: str, path: str) -> Entry:
        """Return one entry ("" is the root folder), a file's digest included.

        Raise PathNotFoundError where there is none.
        """

    @abstractmethod
    def list(self, snapshot: str, path: str = "") -> builtins.list[Entry]:
        """Return the direct children of a folder, sorted by name."""

    @abstractmethod
    def walk(self, snapshot: str, under: str = "") -> Iterator[Entry]:
        """Yield every entry below a folder, depth first, sorted by name."""

    @abstractmethod
    def open(self, snapshot: str, path: str) -> BinaryIO:
        """Open a frozen file for reading; seekable, ranges are cheap, what is read is verified."""

    # -- giving back ---------------------------------------------------------------------------

    @abstractmethod
    def restore(
        self,
        snapshot: str,
        to: Path,
        paths: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> int:
        """Write a snapshot, or some paths of it, into a folder that is new or empty.

        Returns the number of regular files written. Names, bytes, permissions, links (hard ones
        too), holes, empty folders and modification times are as they were. Raises SnapshotError
        when ``to`` is not empty or a path is not in the snapshot; what was asked for is there
        whole or not at all.
        """

    @abstractmethod
    def rollback(self, snapshot: str, progress: Progress | None = None) -> Snapshot:
        """Make the live folder what it was; only ever on a person's explicit request.

        The folder is frozen first, and that snapshot is returned, so nothing is lost. Ignored
        files and our own folder stay as they are, and so do later snapshots. If it is
        interrupted, some files are old and some new, and doing it again completes it.
        """

    @abstractmethod
    def clone(self, snapshot: str, to: Path, progress: Progress | None = None) -> None:
        """Make a new writable folder with the snapshot's content; ``to`` must not exist.

        It shares room with the snapshot where the file system can.
        """

    # -- moving --------------------------------------------------------------------------------

    @abstractmethod
    def send(
        self,
        snapshot: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write a snapshot as a stream that :meth:`receive` of the same kind of engine reads.

        See :mod:`.stream` for its frame.

        Parameters
        ----------
        base
            A snapshot that the receiver has; only what is new since is sent.
        resume
            The token of a transfer of the same snapshot that was cut.
        """

    @abstractmethod
    def send_size(self, snapshot: str, base: str | None = None) -> int:
        """Estimate the bytes that :meth:`send` would write."""

    @abstractmethod
    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in a sent snapshot and return its id; the live folder is not touched.

        All that arrives is verified. The snapshot is there whole or not at all. Raises
        TransferError with a token when the stream was cut or damaged, and SnapshotError when it
        can never be taken in (another engine's, its base is not here).
        """

    @abstractmethod
    def partial(self) -> dict[str, str]:
        """Return transfers that were cut: snapshot id -> token for the sender."""

    # -- looking after the store ---------------------------------------------------------------

    @abstractmethod
    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Protect snapshots from being destroyed, by a tag of letters, digits and ``-_.``.

        Holding twice is holding once. Raises SnapshotNotFoundError, and holds none.
        """

    @abstractmethod
    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots; those without it, or gone, are passed over."""

    @abstractmethod
    def destroy(self, snapshot: str) -> None:
        """Drop a snapshot for good. Room may be freed only by :meth:`gc`.

        Raises HeldError while something refers to it (a hold, a clone that shares with it).
        """

    @abstractmethod
    def verify(
        self, snapshots: Iterable[str], progress: Progress | None = None
    ) -> builtins.list[Problem]:
        """Read every stored byte that these snapshots need and compare its digest.

        Where a content id is known it is proven again from the bytes.
        """

    @abstractmethod
    def repair(self, snapshots: Iterable[str], progress: Progress | None = None) -> Repaired:
        """Mend what can be mended; return what was wrong, and exactly what of it is lost.

        Damaged content is taken from wherever else it is whole: another copy in the store, or
        a file of the live folder that still has it. What is lost stays reported by
        :meth:`verify`, everything else of the same snapshot can be read and restored. Nothing
        that can be read is ever dropped. An engine that cannot mend says so: what
        :meth:`verify` finds is lost then.
        """

    @abstractmethod
    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        """Drop what no snapshot in ``keep`` needs; returns the bytes freed, as far as known.

        Those in ``keep`` are held as :data:`COMMIT_HOLD` from then on, the others not any more;
        what is held otherwise stays. Safe beside :meth:`snapshot`: what was returned a short
        while ago stays although it is not in ``keep``, because whoever asked for it may be about
        to record it. Raises SnapshotError, and drops nothing, when a snapshot in ``keep`` is not
        there whole.
        """

    @abstractmethod
    def usage(self, *, each: bool = False) -> Usage:
        """How much room the store takes; with ``each`` how much every snapshot does."""

    @abstractmethod
    def close(self) -> None:
        """Release files and caches; the engine is not used afterwards."""
