# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits that travel: told line by line to another store, and taken from one.

Taking is done in two steps. First every line is read and proved, without a lock: they may come over
a slow network. Then all of them are written in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from . import models
from .chunking import chunks
from .database import Database
from .documents import Refused, Told, read, unfold, write
from .errors import NotFoundError, RecordsError, RefusedError
from .graph import known_commits
from .lines import put_beside
from .proving import prove
from .refs import check_name, compare, move, ref_id
from .stored import TWIN, Rows, StoredCommit, StoredRun, load
from .writing import known_runs

_AT_ONCE = 200  # commits
_IN_MEMORY = 16 << 20  # bytes of lines, and of packed data
_STEM = 52  # characters of a run's id that its second key begins with


@dataclass(slots=True)
class Taken:
    """What came of taking commits from another store."""

    new: list[str] = field(default_factory=list)
    """The ids of those that were recorded, in the order of the lines."""

    known: int = 0
    """How many were recorded already."""


def export(database: Database, ids: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines of commits. See :meth:`.sharing.Sharing.export`."""
    told: set[str] = set()  # environments
    for some in chunks(ids, _AT_ONCE):
        with database.reading() as session:
            commits = {commit.row["id"]: commit for commit in load(session, some)}
            if lacking := [id_ for id_ in some if id_ not in commits]:
                raise NotFoundError(f"There is no commit {lacking[0]!r} here.")
            documents = _environments(session, commits.values(), told)
        for group in _groups([commits[id_] for id_ in some]):
            with database.reading() as session:
                packed = _packed(session, group)
            for commit in group:
                new = {run.row["environment_id"] for run in commit.runs} - told - {None}
                told |= new
                new_documents = {id_: documents[id_] for id_ in new}
                yield write(commit, new_documents, packed[commit.row["id"]])


def take(
    database: Database,
    lines: Iterable[bytes],
    ref: str | None,
    expected: str | None,
    others: Mapping[str, str],
) -> Taken:
    """Record commits that another store told. See :meth:`.sharing.Sharing.take`."""
    for name in (*others, *(() if ref is None else (ref,))):
        check_name(name)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        proving = _Proving(database, spool)
        proving.all(lines)
        spool.seek(0)
        with database.writing() as session:
            if ref is not None and proving.last is not None:
                now = ref_id(session, ref)
                if now != proving.last:  # else it was taken before, and the answer was lost
                    compare(ref, now, expected)
            taken = _Writer(session).write(spool)
            if ref is not None and proving.last is not None:
                move(session, ref, proving.last)
            for name, commit in others.items():
                move(session, name, commit)
    taken.known += proving.known
    return taken


class _Proving:
    """Reads and proves lines, and keeps those of commits that are not known."""

    def __init__(self, database: Database, spool: IO[bytes]) -> None:
        self._database = database
        self._spool = spool
        self._number = 0
        self._kept: set[str] = set()
        self.last: str | None = None  # id that the last line tells of
        self.known = 0

    def all(self, lines: Iterable[bytes]) -> None:
        for batch in _batches(lines):
            first = self._number + 1
            told = [self._read(line) for line in batch]
            with self._database.reading() as session:
                known = known_commits(session, (each.id for each in told))
            for number, (each, line) in enumerate(zip(told, batch, strict=True), first):
                self.last = each.id
                if each.id in known or each.id in self._kept:
                    self.known += 1
                    continue
                with _numbered(number):
                    prove(each)
                self._kept.add(each.id)
                self._keep(number, line)

    def _read(self, line: bytes) -> Told:
        self._number += 1
        with _numbered(self._number):
            return read(line)

    def _keep(self, number: int, line: bytes) -> None:
        try:
            self._spool.write(b"%d %s\n" % (number, line.removesuffix(b"\n")))
        except OSError as error:
            raise RecordsError(
                f"What was received cannot be kept until all of it is checked: {error.strerror}. "
                "Nothing was recorded. Make room where temporary files are kept, and try again."
            ) from error


@contextmanager
def _numbered(number: int) -> Iterator[None]:
    """Say which line was refused."""
    try:
        yield
    except Refused as reason:
        raise _refusal(number, reason) from None


def _refusal(number: int, reason: object) -> RefusedError:
    return RefusedError(
        f"What was received cannot be recorded: commit number {number} of it {reason}. "
        "Nothing was recorded. Transfer it again; if that does not help, verify the records that "
        "it came from."
    )


class _Writer:
    """Writes proved commits, within a transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._commit = session.scalar(select(func.max(models.Commit.sequence))) or 0
        self._run = session.scalar(select(func.max(models.Run.sequence))) or 0
        self._runs: set[str] = set()  # keys of those that were written
        self.taken = Taken()

    def write(self, spool: IO[bytes]) -> Taken:
        """Write all commits that a spool tells of and that are not known."""
        for batch in _batches(spool):
            new: dict[str, tuple[int, Told]] = {}
            for kept in batch:
                number, _, line = kept.partition(b" ")
                each = Told.of(json.loads(line))
                new[each.id] = int(number), each
            # another program may have been faster
            for id_ in known_commits(self._session, new):
                del new[id_]
                self.taken.known += 1
            self._write(new)
            self.taken.new += new
        return self.taken

    def _write(self, new: Mapping[str, tuple[int, Told]]) -> None:
        parents = {id_ for _, each in new.values() for id_ in each.document["commit"]["parents"]}
        here = set(known_commits(self._session, parents - new.keys()))
        environments: dict[str, Any] = {}
        rows = Rows()
        numbers = []
        commits = [(number, each, unfold(each)) for number, each in new.values()]
        runs = [run.row["id"] for _, _, commit in commits for run in commit.runs]
        self._runs |= known_runs(self._session, runs)
        for number, each, commit in commits:
            if not {parent["parent_id"] for parent in commit.parents} <= here:
                raise _refusal(number, "comes after a commit that is neither here nor before it")
            here.add(each.id)
            self._commit += 1
            numbers.append(self._commit)
            environments |= each.document["environments"]
            for run in commit.runs:
                self._set_key(run)
            rows.add(commit, self._commit, self._run)
            self._run += len(commit.runs)
        self._add_environments(rows, environments)
        rows.write(self._session)
        put_beside(self._session, numbers)

    def _set_key(self, run: StoredRun) -> None:
        """Choose another key for a run of which another commit tells already."""
        id_ = run.row["id"]
        if id_ in self._runs:
            stem = id_ if len(id_) <= _STEM else hashlib.sha256(id_.encode()).hexdigest()[:_STEM]
            number = 2
            while self._is_key(key := f"{stem}{TWIN}{number}"):
                number += 1
            run.key = key
        self._runs.add(run.key or id_)

    def _is_key(self, key: str) -> bool:
        query = select(models.Run.id).where(models.Run.id == key)
        return key in self._runs or self._session.scalar(query) is not None

    def _add_environments(self, rows: Rows, told: Mapping[str, Any]) -> None:
        needed = {row["environment_id"] for row in rows.of[models.Run]} - {None}
        table = models.Environment
        for some in chunks(needed):
            query = select(table.id).where(table.id.in_(some))
            stored = set(self._session.scalars(query))
            for id_ in some:
                if id_ in stored:
                    continue
                if id_ not in told:
                    raise RefusedError(
                        f"What was received cannot be recorded: the environment {id_} of a run is "
                        "neither here nor among it. Nothing was recorded. Transfer it again."
                    )
                rows.of[table].append({"id": id_, "document": told[id_]})


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield lines, some at a time, so many that they fit into memory."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) >= _AT_ONCE or size >= _IN_MEMORY:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _groups(commits: Iterable[StoredCommit]) -> Iterator[list[StoredCommit]]:
    """Yield commits, some at a time, so many that their packed data fits into memory."""
    group: list[StoredCommit] = []
    size = 0
    for commit in commits:
        group.append(commit)
        size += sum(log["size"] for log in commit.logs)
        size += 24 * sum(each["count"] for run in commit.runs for each in run.series)
        if size >= _IN_MEMORY:
            yield group
            group, size = [], 0
    if group:
        yield group


def _packed(session: Session, group: Iterable[StoredCommit]) -> dict[str, dict[str, bytes]]:
    """Return the packed data of commits by commit and digest."""
    found: dict[str, dict[str, bytes]] = {commit.row["id"]: {} for commit in group}
    owners = {
        run.key or run.row["id"]: commit.row["id"]
        for commit in group
        for run in commit.runs
        if run.series
    }
    series, log = models.Series, models.Log
    for runs in chunks(owners):
        query = select(series.run_id, series.digest, series.data).where(series.run_id.in_(runs))
        for run, sha256, data in session.execute(query):
            found[owners[run]][sha256] = data
    for ids in chunks(commit.row["id"] for commit in group if commit.logs):
        of_logs = select(log.commit_id, log.digest, log.data).where(log.commit_id.in_(ids))
        for id_, sha256, data in session.execute(of_logs):
            found[id_][sha256] = data
    return found


def _environments(
    session: Session, commits: Iterable[StoredCommit], told: Collection[str]
) -> dict[str, Any]:
    """Return the environments of commits that were not told yet, by id."""
    ids = {run.row["environment_id"] for commit in commits for run in commit.runs}
    table = models.Environment
    found: dict[str, Any] = {}
    for some in chunks(ids.difference(told, [None])):
        query = select(table.id, table.document).where(table.id.in_(some))
        found.update((row[0], row[1]) for row in session.execute(query))
    return found
