# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Queries over runs and commits, made for ten thousand of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from .chunking import chunks
from .graph import ancestors
from .lines import is_ancestor
from .models import Beside, Commit, FileChange, Run, RunValue
from .plainrows import raw
from .rows import clean
from .sqltext import contains

_KINDS = ("parameter", "metric", "label")
_MOST_WORDS = 10  # of a search; more are left out
_LONGEST_WORD = 200


class ValueHead(NamedTuple):
    """A parameter, metric or label of a run in a list; see :class:`.models.RunValue`."""

    kind: str
    name: str
    text: str
    type: str
    number: float | None


class CommitHead(NamedTuple):
    """What a run in a list tells of its commit."""

    id: str
    created: datetime


@dataclass(slots=True)
class RunHead:
    """A run in a list: the columns of :class:`.models.Run` that every run has.

    Not the model itself: a page of a hundred runs with their values is a thousand and more rows,
    of which the database has read most after a fifth of the time that the models would take.
    """

    id: str
    sequence: int
    commit_id: str
    authority: str
    status: str
    description: str
    error: str | None
    author: str
    workload_type: str
    workload_file: str | None
    started: datetime | None
    ended: datetime | None
    seconds: float | None
    commit: CommitHead
    values: list[ValueHead] = field(default_factory=list)


_HEAD = [
    getattr(Run, each.name) for each in fields(RunHead) if each.name not in ("commit", "values")
]


def runs_in_order(session: Session, sequences: Sequence[int]) -> list[RunHead]:
    """Return runs by their sequences, in that order, values and commit loaded.

    But for their details: those of a commit tell of all its runs, and are read for each of them.
    """
    found: dict[int, RunHead] = {}
    heads = select(*_HEAD, Commit.created).join(Commit, Commit.id == Run.commit_id)
    values = select(
        RunValue.run_sequence,
        RunValue.kind,
        RunValue.name,
        RunValue.text,
        RunValue.type,
        RunValue.number,
    ).order_by(RunValue.run_sequence, RunValue.kind, RunValue.name)
    for chunk in chunks(sequences):
        for row in session.execute(heads.where(Run.sequence.in_(chunk))):
            columns = row._asdict()
            commit = CommitHead(row.commit_id, columns.pop("created"))
            found[row.sequence] = RunHead(**columns, commit=commit)
        for value in raw(session, values.where(RunValue.run_sequence.in_(chunk))):
            found[value[0]].values.append(ValueHead._make(value[1:]))
    return [found[sequence] for sequence in sequences]


def _bounded(number: int) -> int:
    """Return what every database takes for an offset or a limit."""
    return min(max(0, number), 2**31 - 1)


def runs_by_id(session: Session, ids: Collection[str], *options: Any) -> dict[str, Run]:
    """Return runs with what the options load."""
    return {run.id: run for run in _runs_where(session, Run.id, ids, *options)}


def _runs_where(
    session: Session, column: Any, keys: Collection[Any], *options: Any
) -> Iterator[Run]:
    for chunk in chunks(keys):
        yield from session.scalars(select(Run).where(column.in_(chunk)).options(*options))


def whole_run() -> tuple[Any, ...]:
    """Return the options that load all that belongs to a run (of series all but the points)."""
    return (
        selectinload(Run.values),
        selectinload(Run.files),
        selectinload(Run.series),
        selectinload(Run.datasets),
        joinedload(Run.environment),
        joinedload(Run.commit),
    )


def page_of_commits(
    session: Session, offset: int, limit: int, search: str = ""
) -> tuple[list[Commit], int]:
    """Return a page of HEAD and its ancestors, newest first, and how many there are.

    With ``search`` those whose message or author contains each of its words, or whose id begins
    with it.
    """
    words = clean(search).split()[:_MOST_WORDS]
    wanted = [is_ancestor(Commit.sequence), *(_tells_of(word[:_LONGEST_WORD]) for word in words)]
    query = select(Commit).where(*wanted).order_by(Commit.sequence.desc())
    query = query.options(*whole_commit()).offset(_bounded(offset)).limit(_bounded(limit))
    found = list(session.scalars(query))
    if not words:
        return found, count_commits(session)
    total = session.scalar(select(func.count()).select_from(Commit).where(*wanted))
    return found, total or 0


def _tells_of(word: str) -> ColumnElement[bool]:
    begins = Commit.id.startswith(word.lower(), autoescape=True)
    return contains(Commit.message, word) | contains(Commit.author, word) | begins


def counted_changes(session: Session, commits: Collection[str]) -> dict[str, int]:
    """Return how many files commits changed, but for those that changed none."""
    found: dict[str, int] = {}
    for chunk in chunks(commits):
        query = select(FileChange.commit_id, func.count()).group_by(FileChange.commit_id)
        rows = session.execute(query.where(FileChange.commit_id.in_(chunk)))
        found.update((row[0], row[1]) for row in rows)
    return found


def page_of_ancestors(
    session: Session, last: str, offset: int, limit: int
) -> tuple[list[Commit], int]:
    """Return a page of a commit and its ancestors, newest first, and how many there are."""
    ids, total = ancestors(session, last, _bounded(offset), _bounded(limit))
    return commits_by_id(session, ids), total


def count_commits(session: Session) -> int:
    """Return how many commits HEAD and its ancestors are."""
    others = select(func.count()).select_from(Beside).where(~Beside.merged).scalar_subquery()
    return session.scalar(select(func.count() - others).select_from(Commit)) or 0


def commits_by_id(session: Session, ids: Sequence[str]) -> list[Commit]:
    """Return commits in the order of their ids, as :func:`whole_commit` loads them."""
    found: dict[str, Commit] = {}
    for chunk in chunks(ids):
        query = select(Commit).where(Commit.id.in_(chunk)).options(*whole_commit())
        found.update((commit.id, commit) for commit in session.scalars(query))
    return [found[id_] for id_ in ids]


def whole_commit() -> tuple[Any, ...]:
    """Return the options that load a commit's parents and the heads of its runs."""
    return (selectinload(Commit.parents), selectinload(Commit.runs).options(defer(Run.details)))


def value_names(session: Session) -> dict[str, list[str]]:
    """Return all names by kind, sorted."""
    return {kind: sorted(names_of(session, kind)) for kind in _KINDS}


def names_of(session: Session, kind: str) -> Sequence[str]:
    """Return the names of one kind, leaping through the index from each name to the next.

    ``SELECT DISTINCT`` would read the values of every run.
    """
    first = select(func.min(RunValue.name).label("name")).where(RunValue.kind == kind)
    names = first.cte("names", recursive=True)
    following = (
        select(func.min(RunValue.name))
        .where(RunValue.kind == kind, RunValue.name > names.c.name)
        .scalar_subquery()
    )
    names = names.union_all(select(following).where(names.c.name.is_not(None)))
    return session.scalars(select(names.c.name).where(names.c.name.is_not(None))).all()
