# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Importing a bucket: the folder made what is listed, then a version, if anything differs.

A process that dies anywhere in between leaves the newest version as it was; the next import goes on
where it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from dotscience_jupyter.datasets.dataset import Dataset
from dotscience_jupyter.datasets.errors import DatasetError
from dotscience_jupyter.records import Records
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots import Change, Engine, Kind, Progress

from .bucket import WORKERS, Bucket
from .keys import MANIFEST, KeyRules, Skipped
from .manifest import read_manifest
from .mirroring import Mirror
from .pinning import Pin
from .source import Source, SourceError
from .state import REPORTED, State

FOLDER = "s3"
"""Where below a dataset's ``.dotscience`` this room keeps what it knows."""

_ROUNDS = 3
_LOOK_BACK = 200  # commits in which the source is looked for, where it is not noted
_KEY = "s3.source"


@dataclass(slots=True)
class Imported:
    """What an import came to.

    Attributes
    ----------
    source : Source
        What was imported.
    commit : str or None
        Id of the new version; None if nothing differs from the newest one.
    pinned : bool
        Whether the dataset only points to the objects.
    objects, bytes : int
        What the version holds, or points to.
    fetched, fetched_bytes : int
        What was brought now.
    removed : int
        Files whose objects are gone.
    unproven : int
        Files that were brought now, and have no checksum that can be compared.
    skipped : list of Skipped
        Objects that cannot be files here; the first thousand.
    total_skipped : int
        How many they are.
    """

    source: Source
    commit: str | None = None
    pinned: bool = False
    objects: int = 0
    bytes: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    removed: int = 0
    unproven: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    total_skipped: int = 0


def import_bucket(
    dataset: Dataset,
    source: Source,
    *,
    author: str,
    pin: bool = False,
    workers: int = WORKERS,
    progress: Progress | None = None,
) -> Imported:
    """Make a dataset what a bucket holds, or what it points to, and make a version of it.

    Parameters
    ----------
    dataset : Dataset
        An empty one, or one that came from this source.
    source : Source
        What to import. The address of the service may be left out where it is known from the
        last time.
    author : str
        Who commits.
    pin : bool
        Only point to the objects. One that was imported so stays so.
    workers : int
        Objects to fetch at the same time.
    progress : callable, optional
        Told of bytes that are fetched; of other work in words.

    Raises
    ------
    DatasetError, RecordsError, SnapshotError, OSError
        No version was made. What was fetched is kept, and gone on with by the next import.
    """
    with alone(dataset.workspace.root) as folder, State(folder / "state.db") as state:
        with dataset.open() as (records, engine):
            known = state.source() or _recorded(dataset, records)
            if known is None:
                _check_empty(dataset, records, engine, source)
            elif source.same_place(known[0]) and not source.endpoint:
                source = replace(source, endpoint=known[0].endpoint)
            with Bucket(source, workers) as bucket:
                if known is not None:
                    _check_same(dataset, known, bucket.source, pin)
                    pin = known[1]
                partial = folder / "partial"
                worker: Mirror | Pin
                if pin:
                    worker = Pin(dataset.root, bucket, state, partial, workers)
                else:
                    worker = Mirror(dataset.root, bucket, state, partial, workers, progress)
                _check_committed(dataset, records, engine, worker)
                done = Imported(bucket.source, pinned=pin)
                state.set_source(bucket.source, pin)
                state.save()
                _bring_up(dataset, bucket, state, worker, done, progress)
        done.fetched, done.fetched_bytes = worker.done.fetched, worker.done.fetched_bytes
        done.removed, done.unproven = worker.done.removed, worker.done.unproven
        done.objects, done.bytes, digest = state.totals()
        state.save()
        commit = dataset.commit(
            _message(done), _metadata(done, digest), author=author, progress=_counted(progress)
        )
        done.commit = None if commit is None else commit.id
        shutil.rmtree(partial, ignore_errors=True)
    return done


def _bring_up(
    dataset: Dataset,
    bucket: Bucket,
    state: State,
    worker: Mirror | Pin,
    done: Imported,
    progress: Progress | None,
) -> None:
    """List and bring, until nothing changes in between."""
    for _ in range(_ROUNDS):
        rules = KeyRules(dataset.root, bucket.source.prefix, pinned=done.pinned)
        done.skipped, done.total_skipped = [], 0
        state.begin_listing()
        listed = 0
        for page in bucket.objects():
            _add(done, state.add_listed(page, rules))
            listed += len(page)
            if progress is not None:
                progress(0, 0, f"Listing: {listed:,} objects")
        _add(done, state.drop_files_above_files())
        if worker.run():
            return
    raise SourceError(
        "changed",
        f"Objects below {bucket.source} are being changed or removed while they are imported, so "
        "they cannot be had as they were at one moment. What was fetched is kept; no version was "
        "made. Import again when nobody writes there.",
    )


def _add(done: Imported, skipped: list[Skipped]) -> None:
    done.total_skipped += len(skipped)
    done.skipped += skipped[: REPORTED - len(done.skipped)]


def _check_empty(dataset: Dataset, records: Records, engine: Engine, source: Source) -> None:
    """Raise SourceError ``exists`` if the dataset holds anything."""
    head = records.head()
    if engine.changes(None) or (head is not None and engine.list(head.snapshot)):
        raise SourceError(
            "exists",
            f"The dataset {dataset.name} has files that do not come from {source}. Nothing was "
            "changed. Import under another name.",
        )


def _check_same(dataset: Dataset, known: tuple[Source, bool], source: Source, pin: bool) -> None:
    """Raise SourceError ``exists`` if the dataset is of something else, or of another kind."""
    before, pinned = known
    if not source.same_place(before) or source.endpoint != before.endpoint:
        raise SourceError(
            "exists",
            f"The dataset {dataset.name} comes from {_where(before)}, not from {_where(source)}. "
            "Nothing was changed. Import under another name.",
        )
    if pin and not pinned:
        raise SourceError(
            "exists",
            f"The dataset {dataset.name} holds the objects of {source} themselves. Nothing was "
            "changed. To only point to them, import under another name.",
        )


def _where(source: Source) -> str:
    return f"{source} at {source.endpoint or 'AWS'}"


def _recorded(dataset: Dataset, records: Records) -> tuple[Source, bool] | None:
    """Return the source that the dataset's own content tells: it may be a clone."""
    try:
        return read_manifest((dataset.root / MANIFEST).read_bytes()).source, True
    except FileNotFoundError:
        pass
    for commit in records.list_commits(limit=_LOOK_BACK)[0]:
        if _KEY in commit.details:
            return Source.parse(commit.details[_KEY], commit.details.get("s3.endpoint", "")), False
    return None


def _check_committed(
    dataset: Dataset, records: Records, engine: Engine, worker: Mirror | Pin
) -> None:
    """Raise DatasetError if the folder holds work that is in no version yet."""
    head = records.head()
    lost = [
        to_text(change.path)
        for change in engine.changes(None if head is None else head.snapshot)
        if change.kind is not Kind.FOLDER
        and change.change is not Change.REMOVED
        and not worker.is_ours(change.path)
    ]
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise DatasetError(
            "uncommitted_changes",
            f"The dataset {dataset.name} has changed files that are in no version: "
            f"{', '.join(lost[:5])}{more}. An import may replace them, so nothing was changed. "
            f"'ds dataset commit {dataset.name}' keeps them; then import again.",
        )


def _counted(progress: Progress | None) -> Progress | None:
    """Return what tells of files in words, where numbers mean bytes."""
    if progress is None:
        return None
    tell = progress
    return lambda done, total, what: tell(
        0, 0, f"{what}: {done:,}" + (f" of {total:,}" if total else "")
    )


def _message(done: Imported) -> str:
    if done.pinned:
        return f"Pinned {done.source}: {done.objects:,} objects"
    told = [f"{done.fetched:,} fetched"]
    told += [f"{done.removed:,} removed"] if done.removed else []
    return f"Imported {done.source}: {', '.join(told)}"


def _metadata(done: Imported, digest: str) -> dict[str, str]:
    found = {
        _KEY: str(done.source),
        "s3.objects": str(done.objects),
        "s3.bytes": str(done.bytes),
        "s3.listing": digest,
    }
    if done.source.endpoint:
        found["s3.endpoint"] = done.source.endpoint
    if done.pinned:
        found["s3.pinned"] = "true"
    if done.total_skipped:
        found["s3.skipped"] = str(done.total_skipped)
    return found


@contextmanager
def alone(root: Path, wait: float = 0.0) -> Iterator[Path]:
    """Let nobody else import or fetch into a dataset's live folder; give our folder in it.

    Raises
    ------
    DatasetError
        ``busy`` where somebody does so for longer than ``wait`` seconds.
    """
    folder = root / MARKER / FOLDER
    try:
        os.makedirs(folder, exist_ok=True)
        with FileLock(folder / "lock", timeout=wait):
            yield folder
    except Timeout:
        raise DatasetError(
            "busy",
            f"Another program is importing or fetching into {root}. Nothing was changed; wait for "
            "it.",
        ) from None
