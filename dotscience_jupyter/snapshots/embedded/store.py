# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded store's folder: its parts, its format, its locks, and errors in words.

::

    format         what this is, in JSON
    packs/         <32 hex>.pack: objects and their index, complete and never changed
    snapshots/     one empty file a snapshot, named by its id; mtime: when it was last returned
    tmp/           what is being written; locked by the writer, else a leftover
    generation     changes whenever objects were dropped
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
from collections.abc import Iterator
from pathlib import Path

from dotscience_jupyter.snapshots.engine import SnapshotError, SnapshotNotFoundError

FORMAT = 1
_ID = re.compile(r"[0-9a-f]{64}")


class StoreWriteError(SnapshotError):
    """The store could not be written; it is as valid as it was before."""


@contextlib.contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn what the system says about a failed write into a sentence for the user."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
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
        raise StoreWriteError(
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


class Store:
    """One store on disk. Creates it where there is none.

    Raises
    ------
    SnapshotError
        If it cannot be created, or is of a newer format, or its format cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.abspath(folder)
        self.packs = f"{self.folder}/packs"
        self.snapshots = f"{self.folder}/snapshots"
        self.tmp = os.path.join(self.folder, "tmp")
        self.cache = f"{self.folder}/stat-cache"
        self._generation = f"{self.folder}/generation"
        self._format = f"{self.folder}/format"
        self.prepare()

    def prepare(self) -> None:
        """Create what is missing and check the format; cheap where all is there."""
        with writing(self.folder):
            for part in (self.folder, self.packs, self.snapshots, self.tmp):
                os.makedirs(part, exist_ok=True)
            if not os.path.exists(self._format):
                self._create()
        self._check_format()

    def _create(self) -> None:
        document = {"format": FORMAT, "engine": "embedded", "hash": "blake3"}
        self._replace(self._generation, secrets.token_hex(16))
        self._replace(self._format, json.dumps(document) + "\n")
        fsync_folder(self.folder)
        fsync_folder(os.path.dirname(self.folder))

    def _replace(self, path: str, text: str) -> None:
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

    def _check_format(self) -> None:
        try:
            with open(self._format, encoding="utf-8") as file:
                document = json.load(file)
            version, engine, digest = (document[key] for key in ("format", "engine", "hash"))
        except (OSError, ValueError, KeyError, TypeError):
            raise SnapshotError(
                f"The snapshot store {self.folder} cannot be used: its file 'format' cannot be "
                "read. Nothing was changed. Restore that file from a backup, or put "
                f'{{"format": {FORMAT}, "engine": "embedded", "hash": "blake3"}} into it.'
            ) from None
        if (version, engine, digest) != (FORMAT, "embedded", "blake3"):
            raise SnapshotError(
                f"The snapshot store {self.folder} has a format that this version does not know "
                f"({engine} {version}, {digest}). Nothing was changed. Upgrade dotscience-jupyter."
            )

    # -- what is where -------------------------------------------------------------------------

    def generation(self) -> str:
        """Return what changes whenever objects were dropped from the store."""
        try:
            with open(self._generation, encoding="ascii", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def next_generation(self) -> None:
        """Tell every engine on this store to check again what it believes to be stored."""
        self._replace(self._generation, secrets.token_hex(16))
        fsync_folder(self.folder)

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

    # -- snapshots -----------------------------------------------------------------------------

    def snapshot_ids(self) -> list[str]:
        """Return the ids of all snapshots that were ever returned and not dropped."""
        with os.scandir(self.snapshots) as entries:
            return [entry.name for entry in entries if _ID.fullmatch(entry.name)]

    def has_snapshot(self, snapshot: str) -> bool:
        """Whether that snapshot was returned to somebody and not dropped."""
        return bool(_ID.fullmatch(snapshot)) and os.path.exists(f"{self.snapshots}/{snapshot}")

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
        try:
            os.utime(path)
        except FileNotFoundError:
            with writing(self.folder):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
                fsync_folder(self.snapshots)
        except PermissionError:
            # someone else's file: gc is theirs to run, and they see the snapshot in their records
            pass

    def age(self, snapshot: str) -> float:
        """Return the seconds since a snapshot was last returned; below 0 if the clock went back."""
        try:
            return time.time() - os.stat(f"{self.snapshots}/{snapshot}").st_mtime
        except FileNotFoundError:
            return float("inf")

    def forget(self, snapshot: str) -> None:
        """Take a snapshot off the list."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.snapshots}/{snapshot}")

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

    def shared(self) -> contextlib.AbstractContextManager[None]:
        """Held while a snapshot is taken: nothing is dropped meanwhile."""
        return self._flock(
            "lock",
            fcntl.LOCK_SH,
            300,
            "Another program has been cleaning the snapshot store for five minutes, so no snapshot "
            "was taken. Nothing is lost; try again when it is done.",
        )

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
