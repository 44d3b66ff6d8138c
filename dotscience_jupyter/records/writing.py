# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Recording commits: everything is prepared first, then written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from . import models
from .chunking import chunks
from .database import Database
from .errors import DuplicateRunError, RecordsError
from .history import newest_writers
from .lines import first_on, line_of, merged_by, put_beside
from .metadata import commit_id, commit_metadata, digest
from .new import NewCommit, NewRun
from .refs import HEAD, check_name, compare, point, ref_id
from .rows import (
    RUN_ID,
    Row,
    change_row,
    clean,
    clean_json,
    commit_row,
    dataset_row,
    file_row,
    log_row,
    parent_rows,
    run_row,
    series_row,
    value_row,
)
from .stored import Rows, StoredCommit, StoredRun


@dataclass(slots=True)
class _Commit:
    """A commit to be, and its rows as far as they are known."""

    new: NewCommit
    stored: StoredCommit


def record(
    database: Database,
    commits: Sequence[NewCommit],
    expected_head: str | None,
    ref: str,
    clock: Callable[[], int],
) -> list[str]:
    """Record commits in one transaction; return their ids. See :meth:`.store.Records.commit`."""
    check_name(ref)
    environments: dict[str, Row] = {}
    prepared = [_prepare(new, environments) for new in commits]
    ids = [run.row["id"] for commit in prepared for run in commit.stored.runs]
    if len(set(ids)) < len(ids):
        raise _duplicate({id_ for id_ in ids if ids.count(id_) > 1})
    with database.writing() as session:
        head = ref_id(session, ref)
        compare(ref, head, expected_head)
        if known := known_runs(session, ids):
            raise _duplicate(known)
        ids = _write(session, prepared, environments, head, ref == HEAD, clock)
        if ids:
            point(session, ref, ids[-1])
        return ids


def known_runs(session: Session, ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are recorded."""
    found: set[str] = set()
    for chunk in chunks(id_ for id_ in ids if RUN_ID.fullmatch(id_)):
        found.update(session.scalars(select(models.Run.id).where(models.Run.id.in_(chunk))))
    return found


def _duplicate(ids: set[str]) -> DuplicateRunError:
    names = ", ".join(sorted(ids)[:5])
    return DuplicateRunError(
        f"Recorded already: {len(ids)} of the runs ({names}). Nothing was written.", frozenset(ids)
    )


def _prepare(new: NewCommit, environments: dict[str, Row]) -> _Commit:
    if not new.snapshot or len(new.snapshot) > 255 or not new.type or len(new.type) > 64:
        raise RecordsError("A commit needs the id of a snapshot and a type.")
    changes = {row["path"]: row for row in map(change_row, new.changes)}
    logs = {row["name"]: row for row in (log_row(n, data) for n, data in new.logs.items())}
    runs = [_prepare_run(run, new.author, environments) for run in new.runs]
    stored = StoredCommit({}, runs=runs, changes=list(changes.values()), logs=list(logs.values()))
    return _Commit(new, stored)


def _prepare_run(run: NewRun, author: str, environments: dict[str, Row]) -> StoredRun:
    # the last one of a name counts, as in a dict
    values = {(row["kind"], row["name"]): row for row in map(value_row, run.values)}
    files = {(row["direction"], row["path"]): row for row in map(file_row, run.files)}
    series = {row["name"]: row for row in map(series_row, run.series)}
    datasets = {
        (row["direction"], row["dataset"], row["path"]): row
        for row in map(dataset_row, run.datasets)
    }
    row = run_row(run, author)
    row["environment_id"] = None
    if run.environment is not None:
        document = clean_json(run.environment)
        row["environment_id"] = id_ = digest(document)
        environments[id_] = {"id": id_, "document": document}
    made = StoredRun(row, list(values.values()), list(files.values()), list(series.values()))
    made.datasets = list(datasets.values())
    return made


class _Versions:
    """Which commit wrote a path last, as the commits of one call are added."""

    def __init__(self, session: Session, commits: Sequence[_Commit], head: str | None) -> None:
        paths = {file["path"] for commit in commits for file in _unresolved(commit.stored)}
        self._newest: dict[str, str | None] = {}
        self._first: str | None = None
        if paths:
            line = line_of(session, head)
            self._newest = newest_writers(session, paths, line)
            self._first = first_on(session, line)

    def resolve(self, commit: StoredCommit) -> None:
        for file in _unresolved(commit):
            file["version"] = self._newest.get(file["path"], self._first)
        for run in commit.runs:
            for file in run.files:
                # "" is no commit: the file was never part of the workspace
                file["version"] = file["version"] or None

    def add(self, commit: StoredCommit, id_: str) -> None:
        for run in commit.runs:
            for file in run.files:
                if file["direction"] == "output":
                    self._newest[file["path"]] = id_
        for change in commit.changes:
            self._newest[change["path"]] = None if change["change"] == "removed" else id_
        self._first = self._first or id_


def _unresolved(commit: StoredCommit) -> list[Row]:
    return [
        file
        for run in commit.runs
        for file in run.files
        if file["direction"] == "input" and file["version"] is None
    ]


def _write(
    session: Session,
    commits: Sequence[_Commit],
    environments: dict[str, Row],
    head: str | None,
    on_main: bool,
    clock: Callable[[], int],
) -> list[str]:
    rows = Rows()
    table = models.Environment
    stored = session.scalars(select(table.id).where(table.id.in_(environments)))
    for id_ in list(stored):
        del environments[id_]
    rows.of[table] = list(environments.values())
    sequence = session.scalar(select(func.max(models.Commit.sequence))) or 0
    run_sequence = session.scalar(select(func.max(models.Run.sequence))) or 0
    versions = _Versions(session, commits, head)
    _check_parents(session, commits, head)
    parent, ids, sequences = head, list[str](), list[int]()
    for commit in commits:
        sequence += 1
        versions.resolve(commit.stored)
        parent = _complete(commit, parent, clock())
        rows.add(commit.stored, sequence, run_sequence)
        run_sequence += len(commit.stored.runs)
        versions.add(commit.stored, parent)
        ids.append(parent)
        sequences.append(sequence)
    rows.write(session)
    if not on_main:
        put_beside(session, sequences)
    elif any(commit.new.parents for commit in commits):
        merged_by(session, ids)
    return ids


def _check_parents(session: Session, commits: Sequence[_Commit], head: str | None) -> None:
    wanted = {id_ for commit in commits for id_ in commit.new.parents}
    if not wanted:
        return
    known = session.scalars(select(models.Commit.id).where(models.Commit.id.in_(wanted)))
    if head is None or wanted - set(known):
        raise RecordsError(
            "A commit cannot have parents that are not recorded here. Nothing was written."
        )


def _complete(commit: _Commit, parent: str | None, timestamp: int) -> str:
    """Fill in the rest of a commit whose input versions are known; return its id."""
    stored = commit.stored
    parents = [] if parent is None else [parent]
    parents += [id_ for id_ in dict.fromkeys(commit.new.parents) if id_ not in parents]
    metadata = commit_metadata(
        commit.new,
        timestamp,
        [(run.row, run.values, run.files, run.series, run.datasets) for run in stored.runs],
        stored.changes,
        stored.logs,
    )
    snapshot = clean(commit.new.snapshot)
    stored.row = commit_row(commit_id(snapshot, parents, metadata), snapshot, metadata)
    stored.parents = parent_rows(parents)
    return str(stored.row["id"])
