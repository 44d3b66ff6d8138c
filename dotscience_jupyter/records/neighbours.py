# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What lies beside runs and file versions: who read them, who wrote them, who has the same bytes.

Columns only, no objects: a walk over a hundred thousand runs asks for many of these rows. Every
query finds its rows by the primary key of ``run_files`` or by one of its indexes.

Readers of a version are looked for between the commit that wrote it and the next that wrote its
path, since an input's version is the newest earlier commit that did (docs/records.md). Where
commits lie beside the line of HEAD, the next one may be on another line, and all later runs are
looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy.orm import Session

from . import neighbourqueries as queries
from .chunking import chunks
from .history import head_id, last_changes
from .lines import Line, first_on, line_of, line_upto
from .models import MODEL_LABEL
from .rows import clean

_MANY = 10_000  # digests in one query; SQLite takes 32,766 parameters
_PAIRS = 20  # paths times sequences that one query looks up
_END = 2**31 - 1  # after all sequences


class Version(NamedTuple):
    """A version of a file: its path in text form and the commit that wrote it.

    ``version`` is None for what no commit holds (a file outside of the workspace, one that was
    ignored); such contents are told apart by ``digest``, where it is known.
    """

    path: str
    version: str | None
    digest: str | None = None

    @classmethod
    def of(cls, path: str, version: str | None, digest: str | None) -> Version:
        """Return the version that a row of ``run_files`` tells of."""
        return cls(path, version, None if version else digest)


class Life(NamedTuple):
    """The sequences of the commit that wrote a version and of the next that wrote its path.

    ``until`` is None too where the next one may be on another line than a reader.
    """

    since: int
    until: int | None


@dataclass(slots=True)
class FileRow:
    """A file that a run read or wrote."""

    run: str
    file: Version
    digest: str | None
    size: int | None
    sequence: int  # of the run's commit
    since: int | None = None  # sequence of the commit that wrote the version
    writer: str | None = None  # the run that wrote the version
    life: Life | None = None  # of an output
    authority: str = "workload"


@dataclass(slots=True)
class RunHead:
    """What a graph shows of a run."""

    id: str
    sequence: int
    commit: str
    order: int  # the commit's sequence
    created: datetime
    authority: str
    status: str
    description: str
    error: str | None
    workload_type: str
    workload_file: str | None
    author: str
    started: datetime | None
    ended: datetime | None
    environment: str | None


class Neighbours:
    """Queries for the neighbours of runs and file versions, within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._one_line = session.scalar(queries.ANY_BESIDE) is None

    def runs(self, ids: Iterable[str]) -> dict[str, RunHead]:
        """Return the heads of runs."""
        found: dict[str, RunHead] = {}
        for chunk in chunks(ids):
            rows = self._session.execute(queries.HEADS, {"runs": chunk})
            found.update((row[0], RunHead(*tuple(row))) for row in rows)
        return found

    def newest(self, most: int) -> list[str]:
        """Return the ids of the newest runs, newest first; corrections are none."""
        return list(self._session.scalars(queries.NEWEST, {"most": most}))

    def commits(self, ids: Iterable[str]) -> dict[str, tuple[int, datetime]]:
        """Return the sequence and time of commits."""
        found: dict[str, tuple[int, datetime]] = {}
        for chunk in chunks(ids):
            rows = self._session.execute(queries.COMMITS, {"commits": chunk})
            found.update((id_, (sequence, created)) for id_, sequence, created in rows)
        return found

    def inputs(self, runs: Iterable[str]) -> Iterator[FileRow]:
        """Yield what runs read, with the run that wrote each version."""
        for chunk in chunks(runs):
            last: dict[tuple[str, str], tuple[int, FileRow]] = {}
            for row in self._session.execute(queries.INPUTS, {"runs": chunk}):
                # of several writers in one commit the last one made the version
                rank = row[8] if row[7] is not None and row[9] != queries.CORRECTION else 0
                key = (row[0], row[1])
                if key in last and last[key][0] >= rank:
                    continue
                file = Version.of(row[1], row[2], row[3])
                found = FileRow(row[0], file, *row[3:6], since=row[6])
                found.writer = row[7] if rank else None
                found.authority = row[10]
                last[key] = (rank, found)
            yield from (found for _, found in last.values())

    def outputs(self, runs: Iterable[str]) -> Iterator[FileRow]:
        """Yield the file versions that runs made.

        What a later run of the same commit wrote over never was a version. A correction makes
        none: it tells of changes that no run explains.
        """
        for chunk in chunks(runs):
            for row in self._session.execute(queries.OUTPUTS, {"runs": chunk}):
                run, path, commit, digest, size, sequence, authority, *following = row
                yield FileRow(
                    run,
                    Version(path, commit),
                    digest,
                    size,
                    sequence,
                    since=sequence,
                    writer=run,
                    life=self._life(sequence, following),
                    authority=authority,
                )

    def writers(self, files: Iterable[Version]) -> dict[Version, FileRow]:
        """Return, for versions that a run wrote, the output that they were."""
        wanted = {file for file in files if file.version}
        at = self.commits({file.version for file in wanted if file.version})
        by_place = {(file.path, at[file.version][0]): file for file in wanted if file.version in at}
        found: dict[Version, FileRow] = {}
        for chunk in chunks(sorted(by_place, key=lambda place: (place[1], place[0])), _PAIRS):
            places = {
                "paths": list({path for path, _ in chunk}),
                "sequences": list({sequence for _, sequence in chunk}),
            }
            for row in self._session.execute(queries.WRITERS, places):
                run, path, digest, size, sequence = row
                if file := by_place.get((path, sequence)):
                    found[file] = FileRow(
                        run, file, digest, size, sequence, since=sequence, writer=run
                    )
        return found

    def life(self, file: Version) -> Life | None:
        """Return between which commits a version was the newest; None where no commit holds it."""
        since = self.commits([file.version]) if file.version else {}
        if file.version not in since:
            return None
        sequence = since[file.version][0]
        place = {"path": file.path, "since": sequence}
        return self._life(sequence, self._session.execute(queries.NEXT_WRITES, place).one())

    def _life(self, since: int, following: Iterable[int | None]) -> Life:
        return Life(since, _least(following) if self._one_line else None)

    def readers(self, files: Mapping[Version, Life | None]) -> Iterator[FileRow]:
        """Yield who read versions; of each few hundred versions the oldest readers first."""
        held = [(life, file) for file, life in files.items() if life is not None and file.version]
        for some in chunks(sorted(held, key=lambda item: (item[0].since, item[1].path))):
            ends = [_END if life.until is None else life.until for life, _ in some]
            wanted = {
                "paths": sorted({file.path for _, file in some}),
                "versions": sorted({file.version or "" for _, file in some}),
                "since": min(life.since for life, _ in some),
                "until": max(ends),
            }
            rows = self._session.execute(queries.READERS, wanted)
            yield from _readers(rows, {file: life for life, file in some})
        loose: dict[Version, Life | None] = {file: None for file in files if not file.version}
        for paths in chunks(sorted({file.path for file in loose})):
            rows = self._session.execute(queries.READERS_OUTSIDE, {"paths": paths})
            yield from _readers(rows, loose)

    def count_readers(self, file: Version, life: Life | None, most: int) -> int:
        """Return how many runs read a version, counted up to ``most``."""
        if life is not None:
            wanted = {
                "path": file.path,
                "version": file.version,
                "since": life.since,
                "until": _END if life.until is None else life.until,
                "most": most,
            }
            return self._session.scalar(queries.COUNT_READERS, wanted) or 0
        place = {"path": file.path, "digest": file.digest, "most": most}
        return self._session.scalar(queries.COUNT_READERS_OUTSIDE, place) or 0

    def first_readings(self, paths: Iterable[str]) -> dict[Version, int]:
        """Return when (a commit's sequence) each version that no commit holds was first read."""
        found: dict[Version, int] = {}
        for chunk in chunks(paths):
            rows = self._session.execute(queries.FIRST_READINGS, {"paths": chunk})
            found.update((Version.of(path, None, digest), first) for path, digest, first in rows)
        return found

    def identical(
        self, digests: Collection[str], *directions: Literal["input", "output"]
    ) -> tuple[list[FileRow], list[FileRow]]:
        """Return the versions with these digests that runs read, and those that runs made.

        Each version is told once; empty files are none. ``sequence`` of what was read is that of
        the first commit that read it, ``since`` that of its own. The table is read once.

        Parameters
        ----------
        digests : collection of str
            What to look for.
        *directions : str
            Whether to look among inputs, outputs, or both.
        """
        read: list[FileRow] = []
        made: list[FileRow] = []
        for chunk in chunks(sorted(digests), _MANY):
            wanted = {"digests": chunk, "directions": list(directions)}
            rows = self._session.execute(queries.IDENTICAL, wanted).all()
            at = self.commits({row[2] for row in rows if row[2]})
            runs: dict[str, None] = {}
            for run, path, version, digest, size, first in rows:
                if run:
                    runs[run] = None
                    continue
                row = FileRow("", Version.of(path, version, digest), digest, size, first)
                row.since = at[version][0] if version in at else None
                read.append(row)
            asked = set(chunk)
            made += [row for row in self.outputs(runs) if row.digest in asked and row.size != 0]
        return read, made

    def with_digest(self, prefix: str) -> list[Version]:
        """Return every version whose digest begins so, as runs and commits tell of it."""
        start = {"prefix": clean(prefix), "length": len(clean(prefix))}
        found: set[Version] = set()
        for query in (queries.FILES_WITH_DIGEST, queries.CHANGES_WITH_DIGEST):
            found |= {Version.of(*row) for row in self._session.execute(query, start)}
        return sorted(found, key=lambda file: (file.path, file.version or "", file.digest or ""))

    def newest_version(self, path: str, upto: int | None = None) -> Version | None:
        """Return the newest version of a path, or the newest up to a commit's sequence, or None.

        Only HEAD, or that commit, and its first parents count. That it was removed since makes no
        difference. None means that no commit tells of it: the first commit may hold it all the
        same.
        """
        path = clean(path)
        line = self._head_line() if upto is None else line_upto(self._session, upto)
        place = {"path": path, "upto": line.upto}
        last: list[int | None] = list(self._session.execute(queries.LAST_WRITES, place).one())
        if line.own:
            changes = last_changes(self._session, [path], line)
            last += [sequence for _, change, sequence in changes if change != "removed"]
        known = max((sequence for sequence in last if sequence is not None), default=0)
        if known:
            commit = self._session.scalar(queries.COMMIT_AT, {"sequence": known})
            return Version(path, commit)
        read = self._session.execute(queries.LAST_READ, {"path": path}).one_or_none()
        return None if read is None else Version.of(path, *read)

    def first_version(self, path: str) -> Version:
        """Return a path as the first commit has it."""
        return Version(clean(path), first_on(self._session, self._head_line()))

    def _head_line(self) -> Line:
        return line_of(self._session, head_id(self._session))

    def described(self, file: Version) -> FileRow:
        """Return what is known of one version, from whoever tells of it."""
        if written := self.writers([file]).get(file):
            return written
        row = FileRow("", file, file.digest, None, 0)
        at = self.commits([file.version]) if file.version else {}
        if file.version in at:
            row.since = row.sequence = at[file.version][0]
            place = {"path": file.path, "version": file.version, "since": row.since}
            told = self._session.execute(queries.TOLD, place).one_or_none()
            if told is not None:
                row.digest, row.size = told
            else:
                change = {"path": file.path, "commit": file.version}
                row.digest = self._session.scalar(queries.CHANGE_DIGEST, change)
        return row

    def models(self, runs: Iterable[RunHead]) -> dict[str, dict[str, str]]:
        """Return, by run, the models it registered: name to the JSON text that says its files."""
        ids = {head.sequence: head.id for head in runs}
        found: dict[str, dict[str, str]] = {}
        for chunk in chunks(ids):
            for sequence, name, text in self._session.execute(queries.MODELS, {"runs": chunk}):
                model = name.removeprefix(MODEL_LABEL)
                found.setdefault(ids[sequence], {})[model] = text
        return found

    def model(self, name: str) -> tuple[str, str] | None:
        """Return the newest run that registered a model of that name, and what it said of it."""
        label = {"name": MODEL_LABEL + clean(name)}
        row = self._session.execute(queries.MODEL, label).one_or_none()
        return None if row is None else (row[0], row[1])

    def parameters(self, runs: Iterable[RunHead]) -> dict[str, dict[str, tuple[str, str]]]:
        """Return, by run, its parameters: name to text and type."""
        ids = {head.sequence: head.id for head in runs}
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for chunk in chunks(ids):
            for sequence, name, text, kind in self._session.execute(
                queries.PARAMETERS, {"runs": chunk}
            ):
                found.setdefault(ids[sequence], {})[name] = (text, kind)
        return found

    def environments(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return environments by their ids."""
        found: dict[str, dict[str, Any]] = {}
        for chunk in chunks(ids):
            rows = self._session.execute(queries.ENVIRONMENTS, {"ids": chunk})
            found.update((id_, document) for id_, document in rows)
        return found


def _least(sequences: Iterable[int | None]) -> int | None:
    return min((sequence for sequence in sequences if sequence is not None), default=None)


def _readers(rows: Iterable[Any], wanted: Mapping[Version, Life | None]) -> Iterator[FileRow]:
    for run, path, version, digest, size, sequence, authority in rows:
        file = Version.of(path, version, digest)
        if file in wanted:
            row = FileRow(run, file, digest, size, sequence, authority=authority)
            life = wanted[file]
            row.since = None if life is None else life.since
            yield row
