# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Recording commits: everything is prepared first, then written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from . import models
from .database import Database
from .errors import ConflictError, DuplicateRunError, RecordsError
from .history import HEAD, chunks, first_id, head_id, newest_writers
from .metadata import commit_id, commit_metadata, digest
from .new import NewChange, NewCommit, NewRun
from .rows import (
    CHANGES,
    RUN_ID,
    Row,
    clean,
    clean_json,
    file_row,
    log_row,
    run_row,
    series_row,
    value_row,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = (
    models.Environment,
    models.Commit,
    models.CommitParent,
    models.Run,
    models.RunValue,
    models.RunFile,
    models.Series,
    models.Log,
    models.FileChange,
)


@dataclass(slots=True)
class _Run:
    """The rows of a run to be."""

    row: Row
    values: list[Row]
    files: list[Row]
    series: list[Row]


@dataclass(slots=True)
class _Commit:
    """The rows of a commit to be."""

    new: NewCommit
    runs: list[_Run]
    changes: list[Row]
    logs: list[Row]


@dataclass(slots=True)
class _Rows:
    """Rows by table, collected so that each table is written at once."""

    of: dict[type[models.Base], list[Row]] = field(
        default_factory=lambda: {table: [] for table in _TABLES}
    )


def record(
    database: Database,
    commits: Sequence[NewCommit],
    expected_head: str | None,
    clock: Callable[[], int],
) -> list[str]:
    """Record commits in one transaction; return their ids. See :meth:`.store.Records.commit`."""
    environments: dict[str, Row] = {}
    prepared = [_prepare(new, environments) for new in commits]
    ids = [run.row["id"] for commit in prepared for run in commit.runs]
    if len(set(ids)) < len(ids):
        raise _duplicate({id_ for id_ in ids if ids.count(id_) > 1})
    with database.writing() as session:
        head = head_id(session)
        if head != expected_head:
            raise ConflictError(
                "Another program has made a commit in the meantime, so nothing was written. "
                "Try again."
            )
        if known := known_runs(session, ids):
            raise _duplicate(known)
        return _write(session, prepared, environments, head, clock)


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
    changes = {row["path"]: row for row in map(_change_row, new.changes)}
    logs = {row["name"]: row for row in (log_row(n, data) for n, data in new.logs.items())}
    runs = [_prepare_run(run, new.author, environments) for run in new.runs]
    return _Commit(new, runs, list(changes.values()), list(logs.values()))


def _prepare_run(run: NewRun, author: str, environments: dict[str, Row]) -> _Run:
    # the last one of a name counts, as in a dict
    values = {(row["kind"], row["name"]): row for row in map(value_row, run.values)}
    files = {(row["direction"], row["path"]): row for row in map(file_row, run.files)}
    series = {row["name"]: row for row in map(series_row, run.series)}
    row = run_row(run, author)
    row["environment_id"] = None
    if run.environment is not None:
        document = clean_json(run.environment)
        row["environment_id"] = id_ = digest(document)
        environments[id_] = {"id": id_, "document": document}
    return _Run(row, list(values.values()), list(files.values()), list(series.values()))


def _change_row(change: NewChange) -> Row:
    if change.change not in CHANGES:
        raise RecordsError(f"{change.change!r} is not a change that files undergo.")
    return {"path": clean(change.path), "change": change.change, "digest": change.digest}


class _Versions:
    """Which commit wrote a path last, as the commits of one call are added."""

    def __init__(self, session: Session, commits: Sequence[_Commit]) -> None:
        paths = {file["path"] for commit in commits for file in _unresolved(commit)}
        self._newest = newest_writers(session, paths)
        self._first = first_id(session)

    def resolve(self, commit: _Commit) -> None:
        for file in _unresolved(commit):
            file["version"] = self._newest.get(file["path"], self._first)
        for run in commit.runs:
            for file in run.files:
                # "" is no commit: the file was never part of the workspace
                file["version"] = file["version"] or None

    def add(self, commit: _Commit, id_: str) -> None:
        for run in commit.runs:
            for file in run.files:
                if file["direction"] == "output":
                    self._newest[file["path"]] = id_
        for change in commit.changes:
            self._newest[change["path"]] = None if change["change"] == "removed" else id_
        self._first = self._first or id_


def _unresolved(commit: _Commit) -> list[Row]:
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
    clock: Callable[[], int],
) -> list[str]:
    rows = _Rows().of
    stored = session.scalars(
        select(models.Environment.id).where(models.Environment.id.in_(environments))
    )
    for id_ in list(stored):
        del environments[id_]
    rows[models.Environment] = list(environments.values())
    sequence = session.scalar(select(func.max(models.Commit.sequence))) or 0
    run_sequence = session.scalar(select(func.max(models.Run.sequence))) or 0
    versions = _Versions(session, commits)
    _check_parents(session, commits, head)
    parent, ids = head, list[str]()
    for commit in commits:
        sequence += 1
        versions.resolve(commit)
        parent = _add(rows, commit, parent, sequence, run_sequence, clock())
        run_sequence += len(commit.runs)
        versions.add(commit, parent)
        ids.append(parent)
    for table, new in rows.items():
        if new:
            session.execute(insert(table), new)
    if ids and head is None:
        session.execute(insert(models.Ref), {"name": HEAD, "commit_id": ids[-1]})
    elif ids:
        session.execute(update(models.Ref).where(models.Ref.name == HEAD).values(commit_id=ids[-1]))
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


def _add(
    rows: dict[type[models.Base], list[Row]],
    commit: _Commit,
    parent: str | None,
    sequence: int,
    run_sequence: int,
    timestamp: int,
) -> str:
    """Add the rows of a commit whose input versions are known; return its id."""
    parents = [] if parent is None else [parent]
    parents += [id_ for id_ in dict.fromkeys(commit.new.parents) if id_ not in parents]
    metadata = commit_metadata(
        commit.new,
        timestamp,
        [(run.row, run.values, run.files, run.series) for run in commit.runs],
        commit.changes,
        commit.logs,
    )
    snapshot = clean(commit.new.snapshot)
    id_ = commit_id(snapshot, parents, metadata)
    rows[models.Commit].append(
        {
            "id": id_,
            "sequence": sequence,
            "snapshot": snapshot,
            "type": metadata["type"],
            "message": metadata["message"],
            "author": metadata["author"],
            "created": created(metadata["timestamp"]),
            "details": metadata,
        }
    )
    rows[models.CommitParent].extend(
        {"commit_id": id_, "position": position, "parent_id": each}
        for position, each in enumerate(parents)
    )
    rows[models.Log].extend({"commit_id": id_} | row for row in commit.logs)
    rows[models.FileChange].extend(
        {"commit_id": id_, "sequence": sequence} | row for row in commit.changes
    )
    for position, run in enumerate(commit.runs):
        run_sequence += 1
        place = {"commit_id": id_, "position": position, "sequence": run_sequence}
        rows[models.Run].append(run.row | place)
        key = {"run_id": run.row["id"]}
        rows[models.RunValue].extend({"run_sequence": run_sequence} | row for row in run.values)
        rows[models.RunFile].extend(key | {"sequence": sequence} | row for row in run.files)
        rows[models.Series].extend(key | row for row in run.series)
    return id_


def created(timestamp: str) -> datetime:
    """Return the time that a commit's ``timestamp`` (nanoseconds) means, to the microsecond."""
    return _EPOCH + timedelta(microseconds=int(timestamp) // 1000)
