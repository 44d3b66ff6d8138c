# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which commits count when somebody asks who wrote a file last: a commit and its first parents.

A commit lists its changes against its first parent, so its *line*, that parent and the first parent
of that one and so on, tells of every file exactly once. The line of ``HEAD`` is what nearly every
question is about. The commits that are not on it (fetched ones, those of other refs, what a merge
took in) are noted in ``commits_beside``, which is empty as long as the history is one line.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, func, insert, literal, select, update
from sqlalchemy import delete as remove
from sqlalchemy.orm import Session

from .chunking import chunks
from .models import Beside, Commit, CommitParent


@dataclass(frozen=True, slots=True)
class Line:
    """A commit and its first parents: those of ``HEAD``'s line up to one, and some beside it."""

    upto: int  # sequence of the newest that is on the line of HEAD; 0 if none is
    own: frozenset[int] = frozenset()  # sequences of those that are not
    whole: bool = False  # there are no other commits, so nobody needs to ask

    def has(self, sequence: Any) -> list[ColumnElement[bool]]:
        """Return the conditions that a commit, given by the column, is of the first kind."""
        return [] if self.whole else [sequence <= self.upto, on_main(sequence)]


def on_main(sequence: Any) -> ColumnElement[bool]:
    """Return the condition that a commit, given by the column, is on the line of ``HEAD``."""
    condition: ColumnElement[bool] = sequence.not_in(select(Beside.sequence))
    return condition


def is_ancestor(sequence: Any) -> ColumnElement[bool]:
    """Return the condition that a commit is ``HEAD`` or an ancestor of it, merged ones included."""
    others = select(Beside.sequence).where(~Beside.merged)
    condition: ColumnElement[bool] = sequence.not_in(others)
    return condition


def line_of(session: Session, commit: str | None) -> Line:
    """Return the line that ends with a commit (whole id); the empty one of None."""
    if commit is None:
        return Line(0)
    if session.scalar(select(Beside.sequence).limit(1)) is None:
        last = session.scalar(select(Commit.sequence).where(Commit.id == commit)) or 0
        newest = session.scalar(select(func.max(Commit.sequence)))
        return Line(last, whole=last == newest)
    walk = select(literal(commit, String(64)).label("id")).cte("walk", recursive=True)
    walk = walk.union_all(
        select(CommitParent.parent_id)
        .select_from(walk)
        .join(Commit, Commit.id == walk.c.id)
        .join(Beside, Beside.sequence == Commit.sequence)  # it stops where it meets HEAD's line
        .join(CommitParent, CommitParent.commit_id == walk.c.id)
        .where(CommitParent.position == 0)
    )
    query = (
        select(Commit.sequence, Beside.sequence)
        .select_from(walk)
        .join(Commit, Commit.id == walk.c.id)
        .join(Beside, Beside.sequence == Commit.sequence, isouter=True)
    )
    rows = session.execute(query).all()
    met = [sequence for sequence, beside in rows if beside is None]
    own = frozenset(sequence for sequence, beside in rows if beside is not None)
    return Line(met[0] if met else 0, own)


def line_upto(session: Session, sequence: int) -> Line:
    """Return the line that ends with the commit of a sequence, or with the last before it."""
    query = select(Commit.id).where(Commit.sequence <= sequence)
    return line_of(session, session.scalar(query.order_by(Commit.sequence.desc()).limit(1)))


def first_on(session: Session, line: Line) -> str | None:
    """Return the id of the first commit of a line: the one that wrote all that no later did."""
    first = Commit.sequence == min(line.own, default=0)
    if line.upto:
        first = (Commit.sequence <= line.upto) & on_main(Commit.sequence)
    return session.scalar(select(Commit.id).where(first).order_by(Commit.sequence).limit(1))


def put_beside(session: Session, sequences: Collection[int]) -> None:
    """Note new commits of which none is on the line of ``HEAD``, or not yet."""
    _note(session, [{"sequence": sequence, "merged": False} for sequence in sequences])


def merged_by(session: Session, commits: Collection[str]) -> None:
    """Note what commits that are now on the line of ``HEAD`` took in by their further parents."""
    taken: set[str] = set()
    for some in chunks(commits):
        query = select(CommitParent.parent_id).where(
            CommitParent.commit_id.in_(some), CommitParent.position > 0
        )
        taken.update(session.scalars(query))
    for some in chunks(taken):
        walk = _not_merged().where(Commit.id.in_(some)).cte("walk", recursive=True)
        walk = walk.union(
            _not_merged()
            .join(CommitParent, CommitParent.parent_id == Commit.id)
            .join(walk, walk.c.id == CommitParent.commit_id)
        )
        sequences = session.scalars(select(walk.c.sequence)).all()
        for numbers in chunks(sequences):
            session.execute(update(Beside).where(Beside.sequence.in_(numbers)).values(merged=True))


def head_moved(session: Session, head: str) -> None:
    """Bring the notes up to date before ``HEAD`` moves to a commit that is noted or on its line."""
    line = line_of(session, head)
    newest = session.scalar(select(func.max(Commit.sequence)).where(on_main(Commit.sequence)))
    if line.upto != (newest or 0):
        _rebuild(session, head)
        return
    for numbers in chunks(line.own):
        session.execute(remove(Beside).where(Beside.sequence.in_(numbers)))
    ids: list[str] = []
    for numbers in chunks(line.own):
        ids += session.scalars(select(Commit.id).where(Commit.sequence.in_(numbers)))
    merged_by(session, ids)


def beside(session: Session, head: str | None) -> dict[int, bool]:
    """Return what is to be noted where HEAD is a commit: by sequence, whether it was merged."""
    sequences = {row[0]: row[1] for row in session.execute(select(Commit.id, Commit.sequence))}
    parents: dict[str, list[str]] = {}
    query = select(CommitParent.commit_id, CommitParent.parent_id)
    for id_, parent in session.execute(query.order_by(CommitParent.position)):
        parents.setdefault(id_, []).append(parent)
    line: set[str] = set()
    at = head
    while at is not None and at not in line:  # a damaged database may hold a ring
        line.add(at)
        at = next(iter(parents.get(at, ())), None)
    known, waiting = set(line), list(line)
    while waiting:
        found = [each for each in parents.get(waiting.pop(), ()) if each not in known]
        known.update(found)
        waiting += found
    return {number: id_ in known for id_, number in sequences.items() if id_ not in line}


def _rebuild(session: Session, head: str) -> None:
    session.execute(remove(Beside))
    rows = beside(session, head).items()
    _note(session, [{"sequence": sequence, "merged": merged} for sequence, merged in rows])


def _note(session: Session, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(Beside.__table__), rows)  # type: ignore[arg-type]  # it is a table


def _not_merged() -> Any:
    return (
        select(Commit.id, Commit.sequence)
        .join(Beside, Beside.sequence == Commit.sequence)
        .where(~Beside.merged)
    )
