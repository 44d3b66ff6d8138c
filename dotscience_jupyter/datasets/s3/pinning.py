# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A dataset that only points to a bucket: its content is the manifest, a list of objects."""

from __future__ import annotations

import filecmp
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from dotscience_jupyter.snapshots.ignore import IGNORE_FILE

from .bucket import Bucket, ChangedError
from .keys import MANIFEST
from .manifest import write_manifest
from .mirroring import Done
from .places import Places
from .state import Known, State, Wanted
from .working import work_through

RULES = f"""# The files of this dataset are in S3, and {MANIFEST} says which.
# Those that were fetched are left out here.
/*
!/{MANIFEST}
!/{IGNORE_FILE}
"""


class Pin:
    """Writes down what is listed in a state, in the folder of a dataset.

    Parameters
    ----------
    root
        The dataset's folder.
    bucket
        Where the objects are.
    state
        What is listed, and which files were fetched.
    partial
        A folder for files that are being written, on the same file system as ``root``.
    workers
        Requests at the same time, where the listing tells no versions.
    """

    def __init__(
        self, root: Path, bucket: Bucket, state: State, partial: Path, workers: int
    ) -> None:
        self._places = Places(root)
        self._root = root
        self._bucket = bucket
        self._state = state
        self._partial = partial
        self._workers = workers
        self._stopped = False
        self._changed = False
        self.done = Done()

    def run(self) -> bool:
        """Ask for versions that the listing does not tell, then replace the manifest.

        Returns
        -------
        bool
            False if objects changed meanwhile: list again.

        Raises
        ------
        SourceError, OSError
            The manifest is as it was.
        """
        self._changed = False
        self._add_versions()
        self._state.save()
        if self._changed:
            return False
        self._partial.mkdir(parents=True, exist_ok=True)
        self._write(IGNORE_FILE, lambda path: path.write_text(RULES, "utf-8"))
        self._write(
            MANIFEST, lambda path: write_manifest(path, self._bucket.source, self._state.wanted())
        )
        self._drop_stale()
        return True

    def is_ours(self, path: str) -> bool:
        """Whether a file is as an import has left it."""
        try:
            known = self._state.known(path)
        except UnicodeEncodeError:
            return False
        there = self._places.stat(path)
        return (
            known is not None
            and there is not None
            and (there.st_size, there.st_mtime_ns) == (known.size, known.mtime)
        )

    def _add_versions(self) -> None:
        """Ask for the version of each object of a bucket that keeps some but lists none."""
        wanted = self._state.wanted()
        first = next((each for each in wanted if not each.folder), None)
        if first is None or first.object.version:
            return
        # one is enough to know whether the bucket has any
        version = self._version(first)
        if not version:
            self._changed = version is None
            return
        work_through(
            (each for each in self._state.wanted() if not each.folder),
            self._version,
            self._put_version,
            self._stop,
            self._workers,
        )

    def _stop(self) -> None:
        self._stopped = True

    def _version(self, wanted: Wanted) -> str | None:
        if self._stopped:
            return None
        try:
            return self._bucket.version_of(wanted.object)
        except ChangedError:
            return None

    def _put_version(self, wanted: Wanted, version: str | None) -> None:
        if version is None:
            self._changed = True
        else:
            self._state.set_version(wanted.path, version)

    def _write(self, name: str, fill: Callable[[Path], object]) -> None:
        """Replace a file in one step, unless it holds just that."""
        temporary = self._partial / f"{name}.{secrets.token_hex(8)}"
        try:
            fill(temporary)
            try:
                same = filecmp.cmp(temporary, self._root / name, shallow=False)
            except OSError:
                same = False
            if not same:
                self._places.put(temporary, name, mtime=time.time_ns())
        finally:
            temporary.unlink(missing_ok=True)
        there = os.stat(self._root / name, follow_symlinks=False)
        self._state.put(Known(name, "", "", there.st_size, there.st_mtime_ns))

    def _drop_stale(self) -> None:
        """Remove files that were fetched of objects that are others now, or gone."""
        for known in self._state.stale():
            if known.path in (MANIFEST, IGNORE_FILE):
                continue
            if self.is_ours(known.path):
                self._places.remove(known.path, False)
                self.done.removed += 1
            self._state.forget(known.path)
