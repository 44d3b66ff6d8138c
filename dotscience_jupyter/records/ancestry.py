# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which commits another one came from, and what two of them have in common."""

from __future__ import annotations

from sqlalchemy import select

from .database import Database
from .models import Commit, CommitParent

WENT_BACK = "rollback.commit"
"""Key of a commit's metadata: the commit whose files it brought back."""


class Ancestry:
    """The graph of commits as a merge sees it.

    A commit made by going back holds what the commit gone back to held, so it counts as a child of
    that one and not of the one before it: what was done in between is not in it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether a commit (whole id) is another one or is contained in it."""
        return commit in self._ancestors(self._parents(), of)

    def common(self, first: str, second: str) -> str | None:
        """Return the nearest commit that two (whole ids) came from, or None.

        Of several that are equally near it is the newest.
        """
        parents = self._parents()
        shared = self._ancestors(parents, first) & self._ancestors(parents, second)
        if not shared:
            return None
        # parents come before their children, so the newest is nobody's ancestor among them
        return max(shared, key=lambda id_: parents[id_][0])

    @staticmethod
    def _ancestors(parents: dict[str, tuple[int, list[str]]], start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            id_ = waiting.pop()
            if id_ in parents and id_ not in found:
                found.add(id_)
                waiting += parents[id_][1]
        return found

    def _parents(self) -> dict[str, tuple[int, list[str]]]:
        """Return the sequence and the parents of every commit."""
        back = Commit.details[WENT_BACK].as_string()
        with self._database.reading() as session:
            found: dict[str, tuple[int, list[str]]] = {
                id_: (sequence, [])
                for id_, sequence in session.execute(select(Commit.id, Commit.sequence))
            }
            gone_back = {
                id_: target
                for id_, target in session.execute(
                    # going back lists no runs, and JSON is slow to look into
                    select(Commit.id, back).where(~Commit.runs.any(), back.is_not(None))
                )
                if target in found
            }
            query = select(CommitParent.commit_id, CommitParent.parent_id, CommitParent.position)
            for id_, parent, position in session.execute(query):
                first = gone_back.get(id_, parent) if position == 0 else parent
                found[id_][1].append(first)
        return found
