# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which commits can be reached from others: what one side has and the other lacks.

Parents have lower sequences than their children, so a walk that always goes on with the highest
sequence meets every commit after all of its children, and ends where the two sides have met.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heappop, heappush

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from .chunking import chunks
from .errors import NotFoundError
from .lines import is_ancestor, on_main
from .models import Beside, Commit, CommitParent
from .rows import clean

_BLOCK = 1000
_WANTED, _HAD = 1, 2


def known_commits(session: Session, ids: Iterable[str]) -> dict[str, int]:
    """Return the sequences of those of the commits (whole ids) that are recorded."""
    found: dict[str, int] = {}
    for chunk in chunks(clean(id_) for id_ in ids):
        query = select(Commit.id, Commit.sequence).where(Commit.id.in_(chunk))
        found.update((id_, sequence) for id_, sequence in session.execute(query))
    return found


def sequence_of(session: Session, commit: str) -> int:
    """Return a commit's sequence.

    Raises
    ------
    NotFoundError
        If there is none of that whole id.
    """
    sequence = known_commits(session, [commit]).get(commit)
    if sequence is None:
        raise NotFoundError(f"There is no commit {commit!r} here.")
    return sequence


def reachable(session: Session, want: int, have: Collection[int]) -> list[str]:
    """Return the commits that can be reached from one and from none of others, parents first.

    Parameters
    ----------
    want : int
        Sequence of the one.
    have : collection of int
        Sequences of the others.
    """
    graph = _Graph(session)
    sides: dict[int, int] = {}
    heap: list[int] = []
    found: list[str] = []
    open_ends = 0  # of those in the heap that are wanted and not had

    def meet(sequence: int, side: int) -> None:
        nonlocal open_ends
        before = sides.get(sequence)
        if before is None:
            heappush(heap, -sequence)
        after = (before or 0) | side
        sides[sequence] = after
        open_ends += (after == _WANTED) - (before == _WANTED)

    meet(want, _WANTED)
    for sequence in have:
        meet(sequence, _HAD)
    while open_ends:
        sequence = -heappop(heap)
        side = sides.pop(sequence)
        id_, parents = graph.at(sequence)
        if side == _WANTED:
            open_ends -= 1
            found.append(id_)
        for parent in parents:
            meet(parent, side)
    found.reverse()
    return found


def ancestors(session: Session, commit: str, offset: int, limit: int) -> tuple[list[str], int]:
    """Return some of a commit and its ancestors, newest first, and how many there are."""
    last = sequence_of(session, commit)
    if not _is_plain(session, last):
        ids = reachable(session, last, ())
        return ids[::-1][offset : offset + limit], len(ids)
    others = select(func.count()).select_from(Beside)
    others = others.where(Beside.sequence <= last, ~Beside.merged)
    commits = select(func.count()).select_from(Commit).where(Commit.sequence <= last)
    total = (session.scalar(commits) or 0) - (session.scalar(others) or 0)
    query = select(Commit.id).where(Commit.sequence <= last, is_ancestor(Commit.sequence))
    query = query.order_by(Commit.sequence.desc()).offset(offset).limit(limit)
    return list(session.scalars(query)), total


def _is_plain(session: Session, last: int) -> bool:
    """Return whether a commit's ancestors are those of HEAD up to it."""
    if session.get(Beside, last) is not None:
        return False
    merged = select(Beside.sequence).where(Beside.sequence < last, Beside.merged)
    if session.scalar(merged.limit(1)) is None:
        return True
    # what a later merge took in may be older than this commit, but not than HEAD
    return session.scalar(select(func.max(Commit.sequence)).where(on_main(Commit.sequence))) == last


class _Graph:
    """Commits and the sequences of their parents, read a block at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._block: dict[int, tuple[str, list[int]]] = {}

    def at(self, sequence: int) -> tuple[str, list[int]]:
        """Return the id and the parents of a commit; sequences are asked for in falling order."""
        if sequence not in self._block:
            self._load(sequence)
        return self._block[sequence]

    def _load(self, upto: int) -> None:
        parent = aliased(Commit)
        query = (
            select(Commit.sequence, Commit.id, parent.sequence)
            .join(CommitParent, CommitParent.commit_id == Commit.id, isouter=True)
            .join(parent, parent.id == CommitParent.parent_id, isouter=True)
            .where(Commit.sequence <= upto, Commit.sequence > upto - _BLOCK)
        )
        self._block = {}
        for sequence, id_, of in self._session.execute(query):
            parents = self._block.setdefault(sequence, (id_, []))[1]
            if of is not None:
                parents.append(of)
