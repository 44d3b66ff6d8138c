# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A store's folder: its parts, its format, its locks, and errors in words.

::

    format         what this is, in JSON
    packs/         <32 hex>.pack: objects and their index, complete and never changed
    snapshots/     one file a snapshot, named by its id; mtime, and the line of returning.py in it:
                   when it was last returned
    newest         the line of the snapshot that was returned last
    holds/         <snapshot id>.<tag>: one empty file for each hold on a snapshot
    equal/         what snapshots of other engines are here; see equals.py
    partial/       what arrived of a snapshot that is being received; see partial.py
    tmp/           what is being written; locked by the writer, else a leftover
    generation     changes whenever objects were dropped; missing while they are
    stat-cache     fingerprints of files that need not be read again
    lock, gc.lock  see Store.shared and Store.exclusive
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    HeldError,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.returning import age, note, order

if TYPE_CHECKING:
    from .depot import Depot

FORMAT = 2
"""Format 1 is read as well; the first thing that is written makes it this one."""

Elsewhere = Callable[[bytes, int], bytes]
"""Returns the bytes that a reference means, so many of them, or raises CorruptStoreError."""

_ID = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_PATIENCE = 60.0
_BELIEVED = 3600.0
"""Seconds for which a depot surely has a snapshot that was there."""


class StoreWriteError(SnapshotError):
    """The store could not be written; it is as valid as it was before."""


class NoRoomError(StoreWriteError):
    """The disk is full, or the user's quota."""


@contextlib.contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn what the system says about a failed write into a sentence for the user."""
    try:
        yield
    except OSError as error:
        kind = StoreWriteError
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            kind = NoRoomError
            what = "The disk is full" if error.errno == errno.ENOSPC else "Your quota is used up"
            advice = "Free some room and try again."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what = "It cannot be written by this program"
            advice = "Check its owner and permissions, then try again."
        elif error.errno in (errno.EMFILE, errno.ENFILE):
            what = "Too many files are open"
            advice = "Close other programs or raise the limit (ulimit -n), then try again."
        else:
            what = f"The system says: {error.strerror or error}"
            advice = "Check the disk, then try again."
        raise kind(
            f"Nothing could be added to the snapshot store {place}. {what}. Earlier snapshots and "
            f"your files are untouched. {advice}"
        ) from error


def fsync_folder(path: str) -> None:
    """Make names that were created in or renamed into a folder survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _with_missing(folder: str) -> list[str]:
    """Return a folder and those above it that are not there."""
    found = [folder]
    while not os.path.isdir(above := os.path.dirname(found[-1])):
        found.append(above)
    return found


def engine_of(folder: Path) -> str | None:
    """Return the name of the engine that a store folder belongs to; None if there is no store."""
    try:
        with open(f"{os.fspath(folder)}/format", encoding="utf-8") as file:
            engine = json.load(file)["engine"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return engine if isinstance(engine, str) else None


def is_snapshot_id(text: str) -> bool:
    """Whether a text has the form of a snapshot's id, which is safe as a file's name."""
    return bool(_ID.fullmatch(text))


def require_tag(tag: str) -> None:
    """Raise SnapshotError unless a text can be the tag of a hold."""
    if not _TAG.fullmatch(tag) or not tag.strip("."):
        raise SnapshotError(
            f"{tag[:120]!r} cannot be the tag of a hold. Nothing was changed. A tag is 1 to 100 "
            "letters, digits and any of '-_.', not only dots."
        )


def require_not_held(snapshot: str, tags: Collection[str]) -> None:
    """Raise HeldError if there are any tags, saying what they mean and what to do."""
    others = [tag for tag in tags if tag != COMMIT_HOLD]
    reasons: list[str] = []
    advice: list[str] = []
    if COMMIT_HOLD in tags:
        reasons.append("commits need it")
        advice.append("delete those commits and clean up")
    if others:
        names = ", ".join(repr(tag) for tag in others)
        reasons.append(f"it is held as {names}")
        advice.append(f"release {names}")
    if reasons:
        raise HeldError(
            f"The snapshot {snapshot} was not destroyed: {' and '.join(reasons)}. Nothing was "
            f"changed. If it is to go, first {' and '.join(advice)}."
        )


class Store:
    """One store on disk. Creates it where there is none.

    Parameters
    ----------
    engine
        The name of the engine whose store this is.
    elsewhere
        Makes objects of references to them, where the store has such; see :mod:`.packs`.
    depot
        Where its packs are for good, if not here; see :mod:`.depot`.

    Raises
    ------
    SnapshotError
        If it cannot be created, is another engine's or of a newer format, or its format cannot be
        read.
    """

    def __init__(
        self,
        folder: Path,
        engine: str = "embedded",
        elsewhere: Elsewhere | None = None,
        depot: Depot | None = None,
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.elsewhere = elsewhere
        self.depot = depot
        self.engine = engine
        self.packs = f"{self.folder}/packs"
        self.snapshots = f"{self.folder}/snapshots"
        self.newest = f"{self.folder}/newest"
        self.holds = f"{self.folder}/holds"
        self.partial = f"{self.folder}/partial"
        self.tmp = os.path.join(self.folder, "tmp")
        self.cache = f"{self.folder}/stat-cache"
        self._generation = f"{self.folder}/generation"
        self._format = f"{self.folder}/format"
        if os.path.exists(self._format):
            self._check_format()
        else:
            self.prepare()
        if depot is not None:
            depot.open(self)

    def prepare(self) -> None:
        """Make the store ready to be written: create what is missing, bring its format up to date.

        Cheap where all is there. Raises SnapshotError as opening does.
        """
        parts = (self.packs, self.snapshots, self.holds, self.partial, self.tmp)
        with writing(self.folder):
            lacking = [part for part in parts if not os.path.isdir(part)]
            above = _with_missing(self.folder)
            for part in lacking:
                os.makedirs(part, exist_ok=True)
            if not os.path.exists(self._format):
                self.replace(self._generation, secrets.token_hex(16))
                for lock in ("lock", "gc.lock"):  # later the disk may be full
                    os.close(os.open(f"{self.folder}/{lock}", os.O_WRONLY | os.O_CREAT, 0o666))
                fsync_folder(self.folder)  # what has a format has its folders
                self._write_format()
                for folder in above:
                    fsync_folder(os.path.dirname(folder))
            elif lacking:
                fsync_folder(self.folder)
        if self._check_format() < FORMAT:
            with writing(self.folder):
                self._write_format()

    def _document(self) -> dict[str, Any]:
        return {"format": FORMAT, "engine": self.engine, "hash": "blake3"}

    def _write_format(self) -> None:
        self.replace(self._format, json.dumps(self._document()) + "\n")
        fsync_folder(self.folder)

    def replace(self, path: str, text: str) -> None:
        """Write a small file in one step; the folder's names are not synced here."""
        temporary, fd = self.temporary()
        try:
            os.write(fd, text.encode())
            os.fsync(fd)
            os.rename(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)

    def _check_format(self) -> int:
        """Return the format's version."""
        try:
            with open(self._format, encoding="utf-8") as file:
                document = json.load(file)
            version, engine, digest = (document[key] for key in ("format", "engine", "hash"))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise SnapshotError(
                f"The snapshot store {self.folder} cannot be used: its file 'format' cannot be "
                "read. Nothing was changed. Restore that file from a backup, or put "
                f"{json.dumps(self._document())} into it."
            ) from None
        if engine != self.engine:
            raise SnapshotError(
                f"The snapshot store {self.folder} was made by the engine {str(engine)[:80]!r}, "
                f"and cannot be used by the engine {self.engine!r}. Nothing was changed. Use the "
                "engine that made it, or another folder for the store."
            )
        if type(version) is not int or not 1 <= version <= FORMAT or digest != "blake3":
            raise SnapshotError(
                f"The snapshot store {self.folder} has a format that this version does not know "
                f"({engine} {version}, {digest}). Nothing was changed. Upgrade dotscience-jupyter."
            )
        return version

    # -- what is where -------------------------------------------------------------------------

    def generation(self) -> str:
        """Return what changes whenever objects were dropped from the store.

        Never the same twice while there is none: something is being dropped then, or whoever did
        that was killed.
        """
        try:
            with open(self._generation, "rb") as file:
                # UTF-8 needs no codec to be imported, which may fail without privileges
                text = file.read().decode("utf-8", "replace")
        except OSError:
            text = ""
        return text or secrets.token_hex(16)

    def next_generation(self) -> None:
        """Tell every engine on this store to check again what it believes to be stored.

        Its name is not synced: the old one was durably gone before anything was dropped, so a
        power cut leaves the new one or none, which say the same.
        """
        self.replace(self._generation, secrets.token_hex(16))

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Within it objects may go; the caller holds the store's lock.

        What anybody looked at before it was left is looked at again. To begin takes no room on the
        disk, so that there can be made some where there is none.
        """
        with writing(self.folder):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._generation)
            fsync_folder(self.folder)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # a missing one says the same, and costs time only
                self.next_generation()

    def temporary(self) -> tuple[str, int]:
        """Create a file to write to, locked for as long as its descriptor is open."""
        while True:
            path = f"{self.tmp}/{secrets.token_hex(16)}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(fd, fcntl.LOCK_EX)
            # between its creation and its locking somebody may have taken it for a leftover
            if os.fstat(fd).st_nlink:
                return path, fd
            os.close(fd)

    def remove_leftovers(self) -> int:
        """Remove what killed writers left; returns the bytes freed."""
        freed = 0
        with os.scandir(self.tmp) as entries:
            for entry in entries:
                try:
                    fd = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                except OSError:
                    continue
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    size = os.fstat(fd).st_size
                    os.unlink(entry.path)
                    freed += size
                except (BlockingIOError, FileNotFoundError):
                    continue  # a writer is at work
                finally:
                    os.close(fd)
        return freed

    def make_part(self, path: str) -> None:
        """Make a folder of the store unless it is there, so that what is in it can be durable."""
        if not os.path.isdir(path):
            os.makedirs(path, exist_ok=True)
            fsync_folder(self.folder)

    # -- snapshots -----------------------------------------------------------------------------

    def snapshot_ids(self) -> list[str]:
        """Return the ids of all snapshots that were ever returned and not dropped."""
        with os.scandir(self.snapshots) as entries:
            return [entry.name for entry in entries if _ID.fullmatch(entry.name)]

    def has_snapshot(self, snapshot: str) -> bool:
        """Whether that snapshot was returned to somebody and not dropped."""
        if not _ID.fullmatch(snapshot):
            return False
        if self.depot is None:
            return os.path.exists(f"{self.snapshots}/{snapshot}")
        if self.age(snapshot) < _BELIEVED:
            return True
        # the list may have been lost; a commit with it may have come from elsewhere; and others may
        # have dropped what no commit needs
        if not self.depot.is_recorded(snapshot):
            return False
        self.register(snapshot)
        return True

    def require_snapshot(self, snapshot: str) -> bytes:
        """Return a snapshot's id as bytes, or raise SnapshotNotFoundError."""
        if not self.has_snapshot(snapshot):
            raise SnapshotNotFoundError(
                f"There is no snapshot {snapshot[:64]!r} in this workspace."
            )
        return bytes.fromhex(snapshot)

    def register(self, snapshot: str) -> None:
        """Write down that a snapshot is complete and is being returned now."""
        path = f"{self.snapshots}/{snapshot}"
        with writing(self.folder):
            if note(path, self.newest):
                fsync_folder(self.snapshots)

    def age(self, snapshot: str) -> float:
        """Return the seconds since a snapshot was last returned; see :func:`.returning.age`."""
        return age(f"{self.snapshots}/{snapshot}")

    def listing(self) -> list[SnapshotInfo]:
        """Return all snapshots, the oldest first, without what only their content tells."""
        holds = self.held()
        found: list[tuple[int, str, int]] = []
        for snapshot in self.snapshot_ids():
            path = f"{self.snapshots}/{snapshot}"
            with contextlib.suppress(FileNotFoundError):  # destroyed just now
                time_ns = os.stat(path).st_mtime_ns
                found.append((order(path, time_ns), snapshot, time_ns))
        return [
            SnapshotInfo(snapshot, time_ns / 1e9, holds.get(snapshot, ()))
            for _, snapshot, time_ns in sorted(found)
        ]

    def forget(self, snapshot: str) -> None:
        """Take a snapshot off the list."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.snapshots}/{snapshot}")

    def destroy(self, snapshot: str) -> None:
        """Take a snapshot off the list for good, unless it is held; gc frees its room.

        Raises
        ------
        SnapshotNotFoundError
            If there is none.
        HeldError
            If it is held; the message says for what.
        """
        self.require_snapshot(snapshot)
        # alone, so that nobody holds it between the look at its holds and its end
        with self.exclusive(_PATIENCE):
            self.require_snapshot(snapshot)
            require_not_held(snapshot, self.held().get(snapshot, ()))
            with writing(self.folder):
                self.forget(snapshot)
                fsync_folder(self.snapshots)

    # -- holds ---------------------------------------------------------------------------------

    def held(self) -> dict[str, tuple[str, ...]]:
        """Return the tags, sorted, of each snapshot that has any."""
        found: dict[str, list[str]] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.holds) as entries:
            for entry in entries:
                snapshot, dot, tag = entry.name.partition(".")
                if dot and _ID.fullmatch(snapshot):
                    found.setdefault(snapshot, []).append(tag)
        return {snapshot: tuple(sorted(tags)) for snapshot, tags in found.items()}

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Put a tag on snapshots, durably; see :meth:`Engine.hold`."""
        require_tag(tag)
        wanted = list(dict.fromkeys(snapshots))
        if not wanted:
            return
        self.prepare()
        if self.depot is not None:
            # what is held is there for good
            self.depot.settle()
        with self.shared("nothing was held"):
            for snapshot in wanted:
                self.require_snapshot(snapshot)
            with writing(self.folder):
                for snapshot in wanted:
                    path = f"{self.holds}/{snapshot}.{tag}"
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
                fsync_folder(self.holds)

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots, durably; see :meth:`Engine.release`."""
        require_tag(tag)
        released = False
        with writing(self.folder):
            for snapshot in snapshots:
                if _ID.fullmatch(snapshot):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f"{self.holds}/{snapshot}.{tag}")
                        released = True
            if released:
                fsync_folder(self.holds)

    # -- locks ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _flock(self, name: str, how: int, patience: float, busy: str) -> Iterator[None]:
        with writing(self.folder):
            fd = os.open(f"{self.folder}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(fd, how | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise SnapshotError(busy) from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def shared(self, otherwise: str = "no snapshot was taken") -> Iterator[None]:
        """Held while a snapshot is taken: nothing is dropped meanwhile.

        ``otherwise`` says, to the user, what it means that the lock could not be had.
        """
        with self._flock(
            "lock",
            fcntl.LOCK_SH,
            300,
            f"Another program has been cleaning the snapshot store for five minutes, so {otherwise}"
            ". Nothing is lost; try again when it is done.",
        ):
            if not os.path.exists(self._generation):
                # whoever dropped something was killed, or the disk was full
                with contextlib.suppress(OSError):
                    self.next_generation()
            yield

    def exclusive(self, patience: float) -> contextlib.AbstractContextManager[None]:
        """Held while objects are dropped."""
        return self._flock(
            "lock",
            fcntl.LOCK_EX,
            patience,
            "A snapshot is being taken, so nothing was dropped. Try again when it is done.",
        )

    def collecting(self) -> contextlib.AbstractContextManager[None]:
        """Held by the one garbage collection that may run."""
        return self._flock(
            "gc.lock",
            fcntl.LOCK_EX,
            5,
            "Another program is cleaning this snapshot store already. Nothing is lost.",
        )
