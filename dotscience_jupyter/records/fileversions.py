# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which commits changed a file, and which runs wrote it; made for ten thousand commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import collate, func, select
from sqlalchemy.orm import defer, joinedload, selectinload

from .chunking import chunks
from .database import Database
from .lines import first_on, line_of, on_main
from .models import Commit, FileChange, Run, RunFile
from .reading import runs_by_id
from .refs import HEAD, ref_id
from .rows import clean

LAST = 2**31 - 1
"""More than any sequence of a commit."""


@dataclass(frozen=True, slots=True)
class Written:
    """A commit that changed a file; all paths in text form."""

    sequence: int  # of the commit
    commit: str
    change: str  # added, modified, removed


@dataclass(frozen=True, slots=True)
class Listed:
    """A change of a file, as a list over many files has it; the path in text form."""

    path: str
    sequence: int  # of the commit
    commit: str
    change: str  # added, modified, removed
    digest: str | None
    created: datetime  # when the commit was made


class FileVersions:
    """The versions of files, as the commits and runs on the line of ``HEAD`` tell of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changes(
        self,
        path: str,
        since: int = 0,
        before: int = LAST,
        *,
        change: str | None = None,
        offset: int = 0,
        limit: int = LAST,
    ) -> list[Written]:
        """Return changes of a path, newest first. What is read of them is all in one index.

        Parameters
        ----------
        path : str
            In text form.
        since, before : int
            Bounds of the commits' sequence; ``before`` is left out.
        change : str, optional
            Only changes of that kind.
        offset, limit : int
            Which of these.
        """
        query = (
            select(FileChange.sequence, FileChange.commit_id, FileChange.change)
            .where(*_within(path, since, before))
            .order_by(FileChange.sequence.desc())
            .offset(offset)
            .limit(limit)
        )
        if change is not None:
            query = query.where(FileChange.change == change)
        with self._database.reading() as session:
            return [Written(*row) for row in session.execute(query)]

    def oldest(self, path: str, before: int = LAST) -> Written | None:
        """Return the first change of a path."""
        query = (
            select(FileChange.sequence, FileChange.commit_id, FileChange.change)
            .where(*_within(path, 0, before))
            .order_by(FileChange.sequence)
            .limit(1)
        )
        with self._database.reading() as session:
            row = session.execute(query).first()
            return None if row is None else Written(*row)

    def digests(self, path: str, commits: Collection[str]) -> dict[str, str | None]:
        """Return the digests of a path in commits that changed it, as far as they were known."""
        found: dict[str, str | None] = {}
        with self._database.reading() as session:
            for chunk in chunks(commits):
                query = select(FileChange.commit_id, FileChange.digest).where(
                    FileChange.commit_id.in_(chunk), FileChange.path == path
                )
                found.update((row[0], row[1]) for row in session.execute(query))
        return found

    def count(self, path: str, since: int = 0, before: int = LAST) -> int:
        """Return how many changes of a path there are; see :meth:`changes`."""
        query = select(func.count()).select_from(FileChange).where(*_within(path, since, before))
        with self._database.reading() as session:
            return session.scalar(query) or 0

    def versions(
        self, prefix: str = "", *, after: tuple[str, int] | None = None, limit: int = 1000
    ) -> list[Listed]:
        """Return the changes of all files below a prefix, by path and of one path newest first.

        What the first commit holds is no change.

        Parameters
        ----------
        prefix : str
            How the paths begin, in text form, code point by code point.
        after : tuple of str and int, optional
            Path and sequence of the last one of the page before.
        limit : int
            So many at most.
        """
        # code points, whatever language the database sorts by
        path: Any = FileChange.path
        prefix = clean(prefix)
        if self._database.engine.dialect.name == "postgresql":
            path = collate(path, "C")
        conditions = [on_main(FileChange.sequence), path >= prefix]
        if (end := _after_all(prefix)) is not None:
            conditions.append(path < end)
        if after is not None:
            conditions.append(path >= after[0])
            conditions.append((path > after[0]) | (FileChange.sequence < after[1]))
        query = (
            select(
                FileChange.path,
                FileChange.sequence,
                FileChange.commit_id,
                FileChange.change,
                FileChange.digest,
                Commit.created,
            )
            .join(Commit, Commit.id == FileChange.commit_id)
            .where(*conditions)
            .order_by(path, FileChange.sequence.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return [Listed(*row) for row in session.execute(query)]

    def removing(self, commits: Collection[str]) -> set[str]:
        """Return those of the commits that removed any file: a file may have been renamed there."""
        found: set[str] = set()
        with self._database.reading() as session:
            for chunk in chunks(commits):
                query = select(FileChange.commit_id).distinct()
                query = query.where(FileChange.commit_id.in_(chunk), FileChange.change == "removed")
                found.update(session.scalars(query))
        return found

    def commits(self, sequences: Iterable[int]) -> dict[int, Commit]:
        """Return commits by their sequence, with their parents."""
        found: dict[int, Commit] = {}
        with self._database.reading() as session:
            for chunk in chunks(sequences):
                query = select(Commit).where(Commit.sequence.in_(chunk))
                query = query.options(selectinload(Commit.parents), defer(Commit.details))
                found.update((row.sequence, row) for row in session.scalars(query))
        return found

    def first(self) -> Commit | None:
        """Return the first commit, which holds all files and lists none."""
        with self._database.reading() as session:
            id_ = first_on(session, line_of(session, ref_id(session, HEAD)))
            return None if id_ is None else session.get(Commit, id_)

    def writers(self, path: str, since: int, before: int) -> list[tuple[int, str]]:
        """Return the runs that wrote a path as (sequence of the commit, id), newest first.

        ``since`` and ``before`` bound the sequence of their commits. A correction wrote nothing.
        """
        query = (
            select(RunFile.sequence, RunFile.run_id)
            .join(Run, Run.id == RunFile.run_id)
            .where(
                RunFile.path == path,
                RunFile.direction == "output",
                RunFile.sequence >= since,
                RunFile.sequence < before,
                on_main(RunFile.sequence),
                Run.authority != "correction",
            )
            .order_by(Run.sequence.desc())
        )
        with self._database.reading() as session:
            return [(row[0], row[1]) for row in session.execute(query)]

    def executed(self, path: str, commits: Collection[str]) -> list[tuple[str, str]]:
        """Return the runs of a notebook or script as (commit, id), newest first."""
        found: list[tuple[str, str]] = []
        with self._database.reading() as session:
            for chunk in chunks(commits):
                query = select(Run.commit_id, Run.id).where(
                    Run.commit_id.in_(chunk), Run.workload_file == path
                )
                rows = session.execute(query.order_by(Run.sequence.desc()))
                found.extend((row[0], row[1]) for row in rows)
        return found

    def runs(self, ids: Collection[str]) -> dict[str, Run]:
        """Return runs with their values and commits."""
        with self._database.reading() as session:
            return runs_by_id(session, ids, selectinload(Run.values), joinedload(Run.commit))


def _after_all(prefix: str) -> str | None:
    """Return the first text after all that begin with a prefix; None if there is no such text."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    # surrogates are no text
    return stem[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def _within(path: str, since: int, before: int) -> tuple[Any, ...]:
    return (
        FileChange.path == path,
        FileChange.sequence >= since,
        FileChange.sequence < before,
        on_main(FileChange.sequence),
    )
