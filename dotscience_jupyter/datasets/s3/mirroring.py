# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A dataset's folder made what a bucket holds: what is unchanged is not fetched, what went goes."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from dotscience_jupyter.snapshots import Progress

from .bucket import Bucket, ChangedError
from .downloading import Brought, Downloads
from .places import Places
from .state import Known, State, Wanted
from .working import work_through

_SAVE_EVERY = 200


@dataclass(slots=True)
class Done:
    """What was done to a folder.

    Attributes
    ----------
    fetched, fetched_bytes
        Files that were brought.
    kept
        Files that were there already.
    removed
        Files and empty folders whose objects are gone.
    unproven
        Files that were brought, and of which the service has no checksum that can be compared.
    """

    fetched: int = 0
    fetched_bytes: int = 0
    kept: int = 0
    removed: int = 0
    unproven: int = 0


class Mirror:
    """Brings a folder to what is listed in a state.

    Parameters
    ----------
    root
        The dataset's folder.
    bucket
        Where the objects are.
    state
        What is listed, and what is there.
    partial
        A folder for files that are under way, on the same file system as ``root``.
    workers
        Objects to fetch at the same time.
    progress
        Told of bytes.
    """

    def __init__(
        self,
        root: Path,
        bucket: Bucket,
        state: State,
        partial: Path,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.places = Places(root)
        self._state = state
        self._workers = workers
        self._progress = progress
        self.downloads = Downloads(bucket, partial, self._arrived)
        self.done = Done()
        self._bytes = 0
        self._total = 0
        self._changed = False

    def run(self) -> bool:
        """Remove what is not listed and fetch what is not here.

        Returns
        -------
        bool
            Whether the folder is as listed; False if objects changed meanwhile: list again.

        Raises
        ------
        SourceError, OSError
            What was fetched until then is noted and kept.
        """
        self._changed = False
        for known in self._state.surplus():
            self.places.remove(known.path, known.folder)
            self._state.forget(known.path)
            self.done.removed += 1
        self.done.kept = 0
        for wanted in self._state.wanted():
            self._look(wanted)
        self._state.save()
        self._total = self._bytes + self._state.marked()[1]
        work_through(
            self._state.wanted(todo=True), self._bring, self._brought, self._stop, self._workers
        )
        self._state.save()
        return not self._changed

    def is_ours(self, path: str) -> bool:
        """Whether what is at a path is what an import has put there, also one that was cut."""
        try:
            known, wanted = self._state.known(path), self._state.listed(path)
        except UnicodeEncodeError:
            return False  # no key is called so
        if known is not None and self._intact(known):
            return True
        return wanted is not None and self._there(wanted)

    def _look(self, wanted: Wanted) -> None:
        item = wanted.object
        known = self._state.known(wanted.path)
        if wanted.folder:
            self.places.make_folder(wanted.path)
        elif known is None or known.etag != item.etag or not self._intact(known, item.size):
            self._state.mark(wanted.path)
            return
        else:
            self.done.kept += 1
            if known.version == item.version:
                return
        mtime = 0 if known is None else known.mtime
        self._state.put(
            Known(wanted.path, item.etag, item.version, item.size, mtime, wanted.folder)
        )

    def _intact(self, known: Known, size: int | None = None) -> bool:
        """Whether a file is as it was put into place, as far as its size and time tell."""
        there = self.places.stat(known.path)
        return (
            there is not None
            and stat.S_ISREG(there.st_mode)
            and there.st_size == known.size
            and there.st_mtime_ns == known.mtime
            and size in (None, known.size)
        )

    def _there(self, wanted: Wanted) -> bool:
        """Whether the bytes of an object are in place already; reads them."""
        there = self.places.stat(wanted.path)
        return (
            there is not None
            and stat.S_ISREG(there.st_mode)
            and there.st_size == wanted.object.size
            and self.downloads.here(self.places, wanted.path, wanted.object)
        )

    def _bring(self, wanted: Wanted) -> Brought | ChangedError | None:
        if self._there(wanted):
            return None
        try:
            return self.downloads.bring(wanted.object)
        except ChangedError as error:
            return error

    def _brought(self, wanted: Wanted, found: Brought | ChangedError | None) -> None:
        item = wanted.object
        if isinstance(found, ChangedError):
            self._changed = True
            return
        version = item.version
        if found is None:
            there = self.places.stat(wanted.path)
            if there is None:
                self._changed = True
                return
            mtime = there.st_mtime_ns
            self.done.kept += 1
            self._arrived(item.size)
        else:
            mtime = self.places.put(found.temporary, wanted.path, mtime=item.modified)
            version = found.version
            self.done.fetched += 1
            self.done.fetched_bytes += item.size
            self.done.unproven += not found.proven
        self._state.put(Known(wanted.path, item.etag, version, item.size, mtime))
        if (self.done.fetched + self.done.kept) % _SAVE_EVERY == 0:
            self._state.save()

    def _stop(self) -> None:
        self.downloads.stopped = True

    def _arrived(self, count: int) -> None:
        self._bytes += count
        if self._progress is not None:
            self._progress(self._bytes, self._total, "Fetching")
