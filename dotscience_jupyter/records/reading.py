# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Queries over runs and commits, made for ten thousand of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from .chunking import chunks
from .expressions import condition, contains
from .graph import ancestors
from .lines import is_ancestor
from .models import Beside, Commit, Run, RunValue
from .where import parse_where

_MAX_WORDS = 20
_KINDS = ("parameter", "metric", "label")


def matching(session: Session, text: str, search: str) -> Select[Any]:
    """Return the query of the sequences of the runs that match, newest first."""
    conditions = []
    node = parse_where(text)
    if node is not None:
        conditions.append(condition(node))
    for word in search.split()[:_MAX_WORDS]:
        conditions.append(_found(session, word[:200]))
    return select(Run.sequence).where(*conditions).order_by(Run.sequence.desc())


def runs_in_order(session: Session, sequences: Sequence[int]) -> list[Run]:
    """Return runs by their sequences, in that order, values and commit loaded.

    But for their details: those of a commit tell of all its runs, and are read for each of them.
    """
    options = (
        selectinload(Run.values),
        defer(Run.details, raiseload=True),
        joinedload(Run.commit).defer(Commit.details, raiseload=True),
    )
    runs = {run.sequence: run for run in _runs_where(session, Run.sequence, sequences, *options)}
    return [runs[sequence] for sequence in sequences]


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


def page_of_commits(session: Session, offset: int, limit: int) -> tuple[list[Commit], int]:
    """Return a page of HEAD and its ancestors, newest first, and how many there are."""
    query = select(Commit).where(is_ancestor(Commit.sequence)).order_by(Commit.sequence.desc())
    query = query.options(*whole_commit()).offset(_bounded(offset)).limit(_bounded(limit))
    return list(session.scalars(query)), count_commits(session)


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
    return {kind: sorted(_names(session, kind)) for kind in _KINDS}


def _names(session: Session, kind: str) -> Sequence[str]:
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


def _found(session: Session, word: str) -> Any:
    """Return whether a run tells of a word anywhere that people would look for it."""
    columns = [Run.description, Run.workload_file, Run.author, Run.error]
    terms = [and_(column.is_not(None), contains(column, word)) for column in columns]
    # names are few and values many: which names match is found out first
    for kind in _KINDS:
        matching = [n for n in _names(session, kind) if word.lower() in n.lower()][:500]
        if matching:
            terms.append(
                Run.sequence.in_(
                    select(RunValue.run_sequence).where(
                        RunValue.kind == kind, RunValue.name.in_(matching)
                    )
                )
            )
    labels = select(RunValue.run_sequence).where(
        RunValue.kind == "label", contains(RunValue.text, word)
    )
    return or_(*terms, Run.sequence.in_(labels))
