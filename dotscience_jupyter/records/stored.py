# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits as the tables hold them, row by row and without what is packed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from .chunking import chunks
from .models import (
    Base,
    Commit,
    CommitParent,
    Environment,
    FileChange,
    Log,
    Run,
    RunDatasetFile,
    RunFile,
    RunValue,
    Series,
)
from .rows import Row

_PIECE = 1 << 20
_TABLES = (
    Environment,
    Commit,
    CommitParent,
    Run,
    RunValue,
    RunFile,
    RunDatasetFile,
    Series,
    Log,
    FileChange,
)  # in the order in which rows of one refer to those of another


TWIN = "~"
"""In the key of a run of which another commit told first; see :class:`StoredRun`."""


@dataclass(slots=True)
class StoredRun:
    """The rows of a run.

    Two commits may tell of the same run where histories diverged: a notebook was copied, say. The
    second one is kept under a key that is not its id, made of the id, :data:`TWIN` and a number.
    """

    row: Row
    values: list[Row] = field(default_factory=list)
    files: list[Row] = field(default_factory=list)
    series: list[Row] = field(default_factory=list)
    datasets: list[Row] = field(default_factory=list)  # files of datasets
    key: str = ""  # where it is not the id


@dataclass(slots=True)
class StoredCommit:
    """The rows of a commit."""

    row: Row
    parents: list[Row] = field(default_factory=list)
    runs: list[StoredRun] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)


class Rows:
    """Rows to be written, by table, so that each table is written at once."""

    def __init__(self) -> None:
        self.of: dict[type[Base], list[Row]] = {table: [] for table in _TABLES}

    def add(self, commit: StoredCommit, sequence: int, run_sequence: int) -> None:
        """Add all rows of a commit.

        Parameters
        ----------
        commit : StoredCommit
            Its rows, without the columns that tell where they belong.
        sequence : int
            Of the commit.
        run_sequence : int
            Of the last run before its first.
        """
        of, id_ = self.of, commit.row["id"]
        of[Commit].append(commit.row | {"sequence": sequence})
        of[CommitParent].extend({"commit_id": id_} | row for row in commit.parents)
        of[Log].extend({"commit_id": id_} | row for row in commit.logs)
        place = {"commit_id": id_, "sequence": sequence}
        of[FileChange].extend(place | row for row in commit.changes)
        for position, run in enumerate(commit.runs):
            run_sequence += 1
            own = {"commit_id": id_, "position": position, "sequence": run_sequence}
            id_of_run = run.key or run.row["id"]
            of[Run].append(run.row | own | {"id": id_of_run})
            key = {"run_id": id_of_run}
            of[RunValue].extend({"run_sequence": run_sequence} | row for row in run.values)
            of[RunFile].extend(key | {"sequence": sequence} | row for row in run.files)
            of[RunDatasetFile].extend(key | row for row in run.datasets)
            of[Series].extend(key | row for row in run.series)

    def write(self, session: Session) -> None:
        """Write them, and forget them."""
        for table, rows in self.of.items():
            if rows:
                # the table: the ORM would write rows with other columns empty by other statements
                session.execute(insert(table.__table__), rows)  # type: ignore[arg-type]  # it is one
                rows.clear()


def load(session: Session, ids: Sequence[str]) -> list[StoredCommit]:
    """Return what the tables hold of some commits, in no order; a few hundred at most."""
    commits = {row["id"]: StoredCommit(row) for row in _rows(session, Commit, Commit.id, ids)}
    for row in _rows(session, CommitParent, CommitParent.commit_id, ids):
        commits[row["commit_id"]].parents.append(row)
    for row in _rows(session, FileChange, FileChange.commit_id, ids):
        commits[row["commit_id"]].changes.append(row)
    for row in _rows(session, Log, Log.commit_id, ids, "data"):
        commits[row["commit_id"]].logs.append(row)
    runs = {row["id"]: StoredRun(row) for row in _rows(session, Run, Run.commit_id, ids)}
    for run in sorted(runs.values(), key=lambda run: int(run.row["position"])):
        commits[run.row["commit_id"]].runs.append(run)
    by_sequence = {run.row["sequence"]: run for run in runs.values()}
    for numbers in chunks(by_sequence):
        for row in _rows(session, RunValue, RunValue.run_sequence, numbers):
            by_sequence[row["run_sequence"]].values.append(row)
    for some in chunks(runs):
        for row in _rows(session, RunFile, RunFile.run_id, some):
            runs[row["run_id"]].files.append(row)
        for row in _rows(session, RunDatasetFile, RunDatasetFile.run_id, some):
            runs[row["run_id"]].datasets.append(row)
        for row in _rows(session, Series, Series.run_id, some, "data"):
            runs[row["run_id"]].series.append(row)
    for commit in commits.values():
        _name_twins(commit)
    return list(commits.values())


def _name_twins(commit: StoredCommit) -> None:
    """Give runs that are kept under another key their ids: the commit's metadata has them."""
    twins = [run for run in commit.runs if TWIN in run.row["id"]]
    if twins:
        ids = json.loads(commit.row["details"]["runs"])
        for run in twins:
            run.key, run.row["id"] = run.row["id"], ids[run.row["position"]]


def _rows(
    session: Session, table: Any, key: Any, ids: Sequence[str | int], without: str = ""
) -> Iterable[Row]:
    columns = [column for column in table.__table__.columns if column.name != without]
    query: Select[Any] = select(*columns).where(key.in_(ids))
    return (dict(row) for row in session.execute(query).mappings())


def unpacks(data: bytes, size: int, sha256: str) -> bool:
    """Return whether packed data is so many bytes of that digest; a piece of it is in memory."""
    unpacker = zlib.decompressobj()
    seen, found = 0, hashlib.sha256()
    try:
        while not unpacker.eof:
            # never more than was said, however well it was packed
            piece = unpacker.decompress(data, _PIECE)
            seen += len(piece)
            found.update(piece)
            data = unpacker.unconsumed_tail
            if seen > size or not (piece or data or unpacker.eof):
                return False
    except zlib.error:
        return False
    whole = seen == size and not unpacker.unused_data
    return whole and found.hexdigest() == sha256
