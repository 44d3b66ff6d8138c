# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of datasets that only point to objects, brought when somebody reads them."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from dotscience_jupyter.datasets.checkouts import place
from dotscience_jupyter.datasets.registry import Datasets
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots import Progress

from .bucket import WORKERS, Bucket, ChangedError
from .downloading import Brought, Downloads
from .importing import FOLDER, alone
from .keys import MANIFEST
from .manifest import Manifest, Pinned, read_manifest
from .places import Places
from .source import SourceError
from .state import Known, State
from .working import work_through

_LOCK_SECONDS = 3600.0
"""Seconds to wait for another program that fetches into the same folder."""


@dataclass(slots=True)
class Fetched:
    """What fetching came to.

    Attributes
    ----------
    files, bytes
        What was brought.
    present
        Files that were there already.
    unproven
        Files that were brought, and have no checksum that can be compared.
    """

    files: int = 0
    bytes: int = 0
    present: int = 0
    unproven: int = 0


def pinned_root(path: Path, datasets: Datasets | None = None) -> tuple[Path, str] | None:
    """Return the folder of the pinned dataset that a path lies in, and the path inside of it.

    Only folders that belong to a dataset of this machine count, its live one or a checkout: a
    manifest that lies about elsewhere makes nobody ask the service that it names. None otherwise.

    Raises
    ------
    DatasetError
        If the list of datasets cannot be read.
    """
    datasets = datasets or Datasets()
    real = Path(os.path.realpath(path))
    for folder in (real, *real.parents):
        if (folder / MANIFEST).is_file():
            if not _is_own(folder, datasets):
                return None
            inside = "" if folder == real else str(real.relative_to(folder))
            return folder, inside.replace(os.sep, "/")
    return None


def _is_own(folder: Path, datasets: Datasets) -> bool:
    found = datasets.owner(folder)
    if found is None:
        return False
    dataset, version = found
    top = dataset.root if version is None else place(datasets.folder, dataset.id, version)
    return os.path.realpath(top) == str(folder)


def fetch_files(
    root: Path,
    paths: Iterable[str] = (),
    *,
    workers: int = WORKERS,
    progress: Progress | None = None,
) -> Fetched:
    """Bring files of a pinned dataset into its live folder, or into a checkout.

    Parameters
    ----------
    root : pathlib.Path
        As :func:`pinned_root` found it.
    paths : iterable of str
        Folder paths of files or folders; none for everything.
    workers : int
        Objects to fetch at the same time.
    progress : callable, optional
        Told of bytes.

    Raises
    ------
    SourceError, OSError
        ``not_found`` for a path that the manifest does not have, ``changed`` where an object is
        not any more what the version points to. What was fetched until then is there.
    """
    try:
        manifest = read_manifest((root / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SourceError(
            "not_found", f"{root} holds no {MANIFEST}: all of its files are there already."
        ) from None
    wanted = _wanted(manifest, list(paths) or [""])
    live = (root / MARKER).is_dir()
    kind: type[_Fetch] = _Live if live else _Checkout
    return kind(root, manifest, workers, progress).fetch(wanted)


def _wanted(manifest: Manifest, paths: list[str]) -> list[Pinned]:
    found: dict[str, Pinned] = {}
    for path in paths:
        below = manifest.below(path.strip("/"))
        if not below and path.strip("/"):
            raise SourceError(
                "not_found",
                f"The dataset's version has neither a file nor a folder {path!r}. Nothing was "
                "fetched.",
            )
        found |= {each.path: each for each in below}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file that is in place now, and its time there in nanoseconds since 1970."""

    brought: Brought
    mtime: int


class _Fetch(ABC):
    """Brings files into one folder; what differs between the kinds of folders is in subclasses."""

    places: Places
    read_only = False

    def __init__(
        self,
        root: Path,
        manifest: Manifest,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.root = root
        self.manifest = manifest
        self.done = Fetched()
        self._workers = workers
        self._progress = progress
        self._bytes = self._total = 0

    def fetch(self, wanted: list[Pinned]) -> Fetched:
        """Bring what is not there."""
        missing = [each for each in wanted if not self.is_there(each)]
        self.done.present = len(wanted) - len(missing)
        self._total = sum(each.size for each in missing)
        if missing:
            with Bucket(self.manifest.source, self._workers) as bucket:
                self._downloads = Downloads(bucket, self.partial, self._arrived)
                work_through(missing, self._bring, self._brought, self._stop, self._workers)
        return self.done

    @property
    @abstractmethod
    def partial(self) -> Path:
        """A folder for files that are under way, on the same file system."""

    @abstractmethod
    def is_there(self, pinned: Pinned) -> bool:
        """Whether the file is in place. Raise SourceError if something else is."""

    def note(self, pinned: Pinned, version: str, mtime: int) -> None:  # noqa: B027 - not all do
        """Remember a file that was put into place."""

    def bring(self, pinned: Pinned, downloads: Downloads) -> _Placed | None:
        """Bring a file and put it into place; None if somebody else has done so meanwhile."""
        item = self.manifest.object(pinned)
        try:
            brought = downloads.bring(item)
        except ChangedError as error:
            source = self.manifest.source
            what = "is not there any more" if error.gone else "is another one now"
            raise SourceError(
                "changed",
                f"s3://{source.bucket}/{item.key}, to which this version of the dataset points, "
                f"{what}. Nothing was put in its place. Without versions kept by the bucket the "
                "old one cannot be had again; importing again makes a version of what is there.",
            ) from None

        mtime = self.places.put(
            brought.temporary, pinned.path, mtime=pinned.modified, read_only=self.read_only
        )
        return _Placed(brought, mtime)

    def _bring(self, pinned: Pinned) -> _Placed | None:
        return self.bring(pinned, self._downloads)

    def _brought(self, pinned: Pinned, placed: _Placed | None) -> None:
        if placed is None:
            self.done.present += 1
            return
        self.note(pinned, placed.brought.version, placed.mtime)
        self.done.files += 1
        self.done.bytes += pinned.size
        self.done.unproven += not placed.brought.proven

    def _stop(self) -> None:
        self._downloads.stopped = True

    def _arrived(self, count: int) -> None:
        self._bytes += count
        if self._progress is not None:
            self._progress(self._bytes, self._total, "Fetching")


class _Checkout(_Fetch):
    """A version that nobody writes to; what is there was put there whole."""

    read_only = True

    def __init__(
        self, root: Path, manifest: Manifest, workers: int, progress: Progress | None
    ) -> None:
        super().__init__(root, manifest, workers, progress)
        self.places = Places(root, root.with_name(f"{root.name}.lock"))

    @property
    def partial(self) -> Path:
        """See :class:`_Fetch`."""
        return self.root.with_name(f"{self.root.name}.partial")

    def is_there(self, pinned: Pinned) -> bool:
        """See :class:`_Fetch`."""
        there = self.places.stat(pinned.path)
        return there is not None and stat.S_ISREG(there.st_mode) and there.st_size == pinned.size

    def bring(self, pinned: Pinned, downloads: Downloads) -> _Placed | None:
        """See :class:`_Fetch`; several programs may want the same file at the same time."""
        name = downloads.path_of(self.manifest.object(pinned)).name
        # a few files serve for all; a new lock object each time, or threads would share it
        with FileLock(self.partial / f"{name[:2]}.lock"):
            if self.is_there(pinned):
                return None
            return super().bring(pinned, downloads)


class _Live(_Fetch):
    """The dataset's live folder, where somebody may have written something else."""

    def __init__(
        self, root: Path, manifest: Manifest, workers: int, progress: Progress | None
    ) -> None:
        super().__init__(root, manifest, workers, progress)
        self.places = Places(root)

    @property
    def partial(self) -> Path:
        """See :class:`_Fetch`."""
        return self.root / MARKER / FOLDER / "partial"

    def fetch(self, wanted: list[Pinned]) -> Fetched:
        """See :class:`_Fetch`."""
        with (
            alone(self.root, _LOCK_SECONDS) as folder,
            State(folder / "state.db") as self._state,
        ):
            return super().fetch(wanted)

    def is_there(self, pinned: Pinned) -> bool:
        """See :class:`_Fetch`."""
        there = self.places.stat(pinned.path)
        if there is None:
            return False
        known = self._state.known(pinned.path)
        if known is not None and (there.st_size, there.st_mtime_ns) == (known.size, known.mtime):
            return known.etag == pinned.etag
        raise SourceError(
            "in_the_way",
            f"{self.root / pinned.path} is a file of your own, or was changed since it was "
            "fetched. It was not touched. Move it away, then fetch again.",
        )

    def note(self, pinned: Pinned, version: str, mtime: int) -> None:
        """See :class:`_Fetch`."""
        self._state.put(Known(pinned.path, pinned.etag, version, pinned.size, mtime))
