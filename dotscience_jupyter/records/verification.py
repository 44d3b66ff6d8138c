# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving that the records are what they were when they were made.

A commit's id is the hash of its snapshot, parents and metadata; the metadata holds digests over all
that the other tables keep of it. So every column is proved by the ids, and all ids by the head's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from .chunking import chunks
from .database import Database
from .errors import RecordsError
from .history import head_id
from .lines import beside
from .metadata import changes_digest, commit_id, digest, logs_digest, run_digest, run_metadata
from .models import Beside, Commit, Environment, Log, Run, Series
from .rows import Row, created
from .stored import StoredCommit, StoredRun, load, unpacks

Progress = Callable[[int, int, str], None]
Problems = list[tuple[str | None, str]]

# what reading a column raises that does not hold what it should
_UNREADABLE = (StatementError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
_CHUNK = 200


def verify(database: Database, progress: Progress | None) -> Problems:
    """Check everything. See :meth:`.store.Records.verify`."""
    problems: Problems = []
    try:
        problems += [(None, message) for message in database.damage()]
        with database.reading() as session:
            sequences = _order(session, problems)
            _head(session, sequences, problems)
            _run_order(session, problems)
            environments = _environments(session, problems)
            done = 0
            for ids in chunks(sequences, _CHUNK):
                for commit in _stored(session, ids, problems):
                    found = _guarded(lambda c=commit: _check(c, sequences, environments))  # type: ignore[misc]  # mypy infers no default's type
                    problems += [(commit.row["id"], message) for message in found]
                problems += _contents(session, ids)
                done += len(ids)
                if progress is not None:
                    progress(done, len(sequences), "Checking commits")
    except RecordsError as error:
        problems.append((None, str(error)))
    return problems


def _guarded(check: Callable[[], list[str]]) -> list[str]:
    try:
        return check()
    except _UNREADABLE as error:
        return [f"What is recorded of the commit cannot be read: {_reason(error)}."]


def _reason(error: BaseException) -> str:
    return str(error.orig if isinstance(error, StatementError) else error) or type(error).__name__


def _order(session: Session, problems: Problems) -> dict[str, int]:
    """Return every commit's place in the history, oldest first."""
    query = select(Commit.id, Commit.sequence).order_by(Commit.sequence)
    sequences = {row[0]: row[1] for row in session.execute(query)}
    for place, (id_, sequence) in enumerate(sequences.items(), 1):
        if sequence != place:
            problems.append(
                (
                    id_,
                    f"The commit stands at place {sequence} of the history where place {place} "
                    "should be: a commit is missing, or its place was changed.",
                )
            )
            break  # all later ones are shifted by the same one
    for id_ in [id_ for id_ in sequences if not isinstance(id_, str)]:
        # SQLite keeps any type in any column; a query for such an id cannot even be asked
        problems.append((None, f"The id of the commit at place {sequences.pop(id_)} is no text."))
    return sequences


def _head(session: Session, sequences: dict[str, int], problems: Problems) -> None:
    head = head_id(session)
    if head is not None and head not in sequences:
        problems.append((None, f"HEAD is {head}, which is no commit here."))
        return
    # what is noted of the commits beside HEAD's line follows from where HEAD is
    noted = {row[0]: row[1] for row in session.execute(select(Beside.sequence, Beside.merged))}
    wrong = noted.items() ^ beside(session, head).items()
    if wrong:
        ids = {sequence: id_ for id_, sequence in sequences.items()}
        problems.append(
            (
                ids.get(max(sequence for sequence, _ in wrong)),
                f"HEAD is {head or 'missing'}, and what is noted of the commits that are not on "
                "its line does not fit: HEAD was moved, or a commit is missing.",
            )
        )


def _run_order(session: Session, problems: Problems) -> None:
    query = select(Run.sequence, Run.id, Commit.id, Commit.sequence, Run.position).join(Commit)
    before: tuple[Any, Any] = (0, -1)
    for place, row in enumerate(session.execute(query.order_by(Run.sequence)), 1):
        after = (row[3], row[4])
        try:
            right = row[0] == place and before < after
        except TypeError:
            right = False
        if not right:
            problems.append(
                (row[2], f"The run {row[1]} is not in its place: runs are missing or were moved.")
            )
            return
        before = after


def _environments(session: Session, problems: Problems) -> set[str]:
    """Return the ids of the environments that are there."""
    ids = list(session.scalars(select(Environment.id)))
    for id_ in ids:
        try:
            query = select(Environment.document).where(Environment.id == id_)
            right = digest(session.scalar(query)) == id_
        except _UNREADABLE:
            right = False
        if not right:
            message = f"The environment {id_} is not what was recorded; runs refer to it."
            problems.append((None, message))
    return set(ids)


def _stored(session: Session, ids: Sequence[str], problems: Problems) -> list[StoredCommit]:
    """Return what the tables hold of some commits; those that cannot be read are problems."""
    try:
        return load(session, ids)
    except _UNREADABLE as error:
        if len(ids) == 1:
            message = f"What is recorded of the commit cannot be read: {_reason(error)}."
            problems.append((ids[0], message))
            return []
    return [commit for id_ in ids for commit in _stored(session, [id_], problems)]


def _check(commit: StoredCommit, sequences: dict[str, int], environments: set[str]) -> list[str]:
    """Return what is wrong with a commit and its runs."""
    row, metadata = commit.row, commit.row["details"]
    found = _check_chain(commit, sequences)
    parents = [parent["parent_id"] for parent in sorted(commit.parents, key=_position)]
    if commit_id(row["snapshot"], parents, metadata) != row["id"]:
        found.append(
            "The commit's snapshot, parents or metadata are not those that its id stands for: "
            "it was changed after it was made."
        )
    for column in ("type", "message", "author"):
        if row[column] != metadata.get(column):
            found.append(f"The commit's {column} is not the one in its metadata.")
    if row["created"] != created(metadata["timestamp"]):
        found.append("The commit's time is not the one in its metadata.")
    if changes_digest(commit.changes) != metadata.get("changes-digest"):
        found.append("The list of files that the commit changed is not the one that was recorded.")
    if logs_digest(commit.logs) != metadata.get("logs-digest"):
        found.append("The list of the commit's logs is not the one that was recorded.")
    runs = json.loads(metadata.get("runs", "[]"))
    places = [(run.row["position"], run.row["id"]) for run in commit.runs]
    if places != list(enumerate(runs)):
        found.append("The runs of the commit are not those, or not in the order, of its metadata.")
    for run in commit.runs:
        found += _check_run(run, metadata, environments)
    placed = [*commit.changes, *(file for run in commit.runs for file in run.files)]
    if any(each["sequence"] != row["sequence"] for each in placed):
        found.append("Files of the commit stand at another place of the history than the commit.")
    return found


def _position(row: Row) -> int:
    return int(row["position"])


def _check_chain(commit: StoredCommit, sequences: dict[str, int]) -> list[str]:
    found = []
    sequence = sequences[commit.row["id"]]
    for place, parent in enumerate(sorted(commit.parents, key=_position)):
        if parent["position"] != place:
            found.append("The commit's parents are not numbered from 0.")
        before = sequences.get(parent["parent_id"])
        if before is None:
            found.append(f"The commit's parent {parent['parent_id']} does not exist.")
        elif before >= sequence:
            found.append(f"The commit's parent {parent['parent_id']} does not come before it.")
    return found


def _check_run(run: StoredRun, metadata: dict[str, str], environments: set[str]) -> list[str]:
    id_ = run.row["id"]
    prefix = f"run.{id_}."
    found = []
    if (environment := run.row["environment_id"]) is not None and environment not in environments:
        found.append(f"The environment of the run {id_} is missing.")
    try:
        right = run_digest(
            run.row, run.values, run.files, run.series, run.datasets
        ) == metadata.get(f"{prefix}details-digest")
        flat = run_metadata(run.row, run.values, run.files, run.datasets)
    except _UNREADABLE as error:
        return [*found, f"What is recorded of the run {id_} cannot be read: {_reason(error)}."]
    if right:
        return found
    said = {key.removeprefix(prefix): v for key, v in metadata.items() if key.startswith(prefix)}
    said.pop("details-digest", None)
    other = sorted(key for key in said.keys() | flat.keys() if said.get(key) != flat.get(key))
    what = f" ({', '.join(other[:5])})" if other else " (types, sizes, digests or details)"
    return [*found, f"What is recorded of the run {id_} was changed after its commit{what}."]


def _contents(session: Session, ids: Sequence[str]) -> Problems:
    """Return what is wrong with packed data; it is read piece by piece, since it may be large."""
    series = (
        select(
            Run.commit_id, Series.run_id, Series.name, Series.count * 24, Series.digest, Series.data
        )
        .join(Run, Run.id == Series.run_id)
        .where(Run.commit_id.in_(ids))
    )
    logs = select(Log.commit_id, Log.commit_id, Log.name, Log.size, Log.digest, Log.data).where(
        Log.commit_id.in_(ids)
    )
    problems: Problems = []
    for query, what in ((series, "points of the metric"), (logs, "log")):
        rows = iter(session.execute(query.execution_options(yield_per=1)))
        while True:
            try:
                row = next(rows, None)
                if row is None:
                    break
                commit, _, name, size, sha256, data = row
                right = unpacks(data, size, sha256)
            except _UNREADABLE as error:
                problems.append((None, f"Packed data cannot be read: {_reason(error)}."))
                break
            if not right:
                problems.append((commit, f"The {what} {name!r} is damaged."))
    return problems
