# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What several stores of records need of each other: refs, who has which commits, and the commits.

A part of :class:`.store.Records`, of which it is the base.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from . import exchange, graph, history, models, reading, refs
from .database import Database
from .exchange import Taken


class Sharing:
    """The history as a graph with names, and commits that travel."""

    _database: Database

    def refs(self) -> dict[str, str]:
        """Return the id of the commit that each ref stands at, by name."""
        with self._database.reading() as session:
            return refs.all_refs(session)

    def set_ref(self, name: str, commit_id: str | None, *, expected: str | None) -> None:
        """Let a ref stand at another commit, if it is where it is expected to be.

        Parameters
        ----------
        name : str
            ``HEAD``, or words of letters, digits, ``_``, ``-`` and ``.`` with slashes between them
            such as ``branch/x``.
        commit_id : str or None
            The whole id of the commit; None deletes the ref.
        expected : str or None
            Where the ref must be now; None for one that does not exist.

        Raises
        ------
        RecordsError
            ConflictError if the ref is somewhere else, NotFoundError if there is no such commit;
            or if the name is none, or HEAD would be deleted. Nothing is changed then.
        """
        refs.check_name(name)
        with self._database.writing() as session:
            refs.compare(name, refs.ref_id(session, name), expected)
            refs.move(session, name, commit_id)

    def log(
        self, ref_or_id: str, *, offset: int = 0, limit: int = 100
    ) -> tuple[list[models.Commit], int]:
        """Return a page of a commit and its ancestors along all parents, newest first.

        Parameters
        ----------
        ref_or_id : str
            What :meth:`.store.Records.get_commit` takes: an id, its beginning, a ref, ``HEAD~2``.
        offset, limit : int
            Which page.

        Returns
        -------
        list of Commit, int
            The commits as ``get_commit`` gives them, and how many there are altogether.

        Raises
        ------
        RecordsError
            NotFoundError if there is no such commit, AmbiguousError if there are several.
        """
        with self._database.reading() as session:
            last = history.find_commit(session, ref_or_id)
            return reading.page_of_ancestors(session, last, offset, limit)

    def known_commits(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids (whole ones) that are recorded."""
        with self._database.reading() as session:
            return set(graph.known_commits(session, ids))

    def missing_from(self, want: str, have: Collection[str]) -> list[str]:
        """Return the commits that somebody lacks who has others.

        Parameters
        ----------
        want : str
            Whole id of a commit that is recorded here.
        have : collection of str
            Ids of the others, who are had with all of their ancestors. Those that are not
            recorded here are passed over.

        Returns
        -------
        list of str
            Ids of all that can be reached from ``want`` and from none of ``have``; parents come
            before their children.

        Raises
        ------
        NotFoundError
            If ``want`` is not recorded.
        """
        with self._database.reading() as session:
            last = graph.sequence_of(session, want)
            return graph.reachable(session, last, graph.known_commits(session, have).values())

    def export(self, ids: Iterable[str]) -> Iterator[bytes]:
        """Yield commits as lines, in the order of their ids, for :meth:`take` elsewhere.

        A line has everything of its commit, runs with their values, files, points and environments
        included, and proves itself. An environment goes along with the first commit that needs it,
        so lines are taken in the order in which they are given. A line is as large as what its
        runs recorded; one at a time is in memory.

        Raises
        ------
        NotFoundError
            If one of the ids (whole ones) is not recorded; lines before it were given by then.
        """
        return exchange.export(self._database, ids)

    def take(
        self,
        lines: Iterable[bytes],
        *,
        ref: str | None,
        expected: str | None = None,
        others: Mapping[str, str] | None = None,
    ) -> Taken:
        """Record what :meth:`export` told elsewhere: all of it in one transaction, or nothing.

        Every id and every digest is computed again from the content. What is recorded already is
        passed over, so taking the same lines again does no harm. A run of which another commit
        tells already is recorded a second time, under its id with ``~2`` behind it. The database
        is locked for other writers only after the last line was read and proved.

        Parameters
        ----------
        lines : iterable of bytes
            The lines, with or without their line feeds. Parents come before their children, or
            are recorded already.
        ref : str or None
            A ref to move to the commit of the last line; None moves none. Without lines it stays.
        expected : str or None
            Where that ref must be now; None for one that does not exist. One that is at the last
            line's commit already is right too.
        others : mapping, optional
            More refs to set, by name to whole ids, wherever they were.

        Returns
        -------
        Taken
            What was recorded, and how many were known.

        Raises
        ------
        RecordsError
            RefusedError if a line is damaged, changed, incomplete, or out of order; ConflictError
            if the ref is somewhere else; NotFoundError if a ref of ``others`` is to stand at no
            commit; or if the database cannot be written. Nothing is recorded then.
        """
        return exchange.take(self._database, lines, ref, expected, others or {})
