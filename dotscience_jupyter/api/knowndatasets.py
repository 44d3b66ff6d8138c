# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is known of the datasets of this machine: their newest versions, and who made each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dotscience_jupyter.datasets import Dataset, Datasets
from dotscience_jupyter.records import NotFoundError, Records
from dotscience_jupyter.records import models as rows

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Known:
    """A dataset of this machine.

    Attributes
    ----------
    dataset : Dataset
        The dataset.
    head : Commit or None
        Its newest version.
    error : str
        Why it cannot be read; "" if it can.
    """

    dataset: Dataset
    head: rows.Commit | None
    error: str = ""


@contextmanager
def records_of(dataset: Dataset) -> Iterator[Records]:
    """Open the records of a dataset without its engine. Raise DatasetError or RecordsError."""
    records = Records.open(dataset.workspace.database_url)
    try:
        yield records
    finally:
        records.close()


@dataclass(slots=True)
class _Seen:
    """What records said when their files were as they are in ``state``."""

    state: list[tuple[int, int]]
    newest: rows.Commit | None
    found: dict[str, rows.Commit | None] = field(default_factory=dict)


class KnownVersions:
    """Versions of datasets; records are opened again only where their files have changed.

    Opening them takes 15 ms each, and a panel looks at all datasets of a workspace quite often.
    Several threads may use it: at worst they look twice.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, _Seen] = {}

    def newest(self, dataset: Dataset) -> rows.Commit | None:
        """Return the newest version. Raise DatasetError or RecordsError."""
        return self._look(dataset).newest

    def get(self, dataset: Dataset, commit: str) -> rows.Commit | None:
        """Return a version by its whole id, None if there is none. Raise as :meth:`newest`."""
        seen = self._look(dataset)
        if commit not in seen.found:
            with records_of(dataset) as records:
                seen.found[commit] = _find(records, commit)
        return seen.found[commit]

    def _look(self, dataset: Dataset) -> _Seen:
        folder = dataset.workspace.folder
        # the log is where SQLite writes first
        state = [_state(folder / name) for name in ("records.db", "records.db-wal")]
        seen = self._seen.get(folder)
        if seen is None or seen.state != state:
            with records_of(dataset) as records:
                seen = self._seen[folder] = _Seen(state, records.head())
        return seen


def known_datasets(datasets: Datasets) -> list[Known]:
    """Return the datasets of this machine by name. Raise DatasetError if the list is damaged."""
    found = []
    for dataset in datasets.all():
        try:
            with records_of(dataset) as records:
                found.append(Known(dataset, records.head()))
        except Exception as error:
            # one that cannot be read must not hide the others
            found.append(Known(dataset, None, str(error)))
    return found


def versions(dataset: Dataset, offset: int, limit: int) -> tuple[list[rows.Commit], int]:
    """Return versions of a dataset, newest first, and how many there are.

    Raises
    ------
    DatasetError, RecordsError
    """
    found: list[rows.Commit] = []
    with records_of(dataset) as records:
        while True:
            some = min(_PAGE, limit - len(found))
            page, total = records.list_commits(offset=offset + len(found), limit=some)
            found += page
            if not page or len(found) >= limit:
                return found, total


def makers(version: rows.Commit) -> list[str]:
    """Return the ids of the runs that made a version, of a workspace's or of its own."""
    found = [
        key.split(".")[1]
        for key in sorted(version.details)
        if key.startswith("run.") and key.endswith(".dataset-output-files")
    ]
    return [*found, *(run.id for run in version.runs)]


def _find(records: Records, commit: str) -> rows.Commit | None:
    try:
        return records.get_commit(commit)
    except NotFoundError:
        return None


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
