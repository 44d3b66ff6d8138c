# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What lies beside runs and the files of datasets, told as if these were files of the workspace.

The path of such a file is ``NAME//PATH``, which no file of the workspace has; its version is a
commit of the dataset. Where there are no datasets, next to nothing more is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from .chunking import chunks
from .models import Commit, Run, RunDatasetFile
from .neighbours import FileRow, Life, Neighbours, Version
from .rows import clean

_BETWEEN = "//"
_MANY = 10_000  # digests in one query
_F = RunDatasetFile
_AUTHORITY = case((Run.authority == "derived", "derived"), else_=_F.authority)


class InDataset(NamedTuple):
    """A file of a dataset: the dataset's name and the path within it."""

    dataset: str
    path: str

    def __str__(self) -> str:
        """Return the path as a graph has it."""
        return f"{self.dataset}{_BETWEEN}{self.path}"


def in_dataset(path: str) -> InDataset | None:
    """Return what a path of a graph means in a dataset; None for a file of the workspace."""
    name, between, inner = path.partition(_BETWEEN)
    return InDataset(name, inner) if between and name and "/" not in name else None


class DatasetNeighbours(Neighbours):
    """Queries for the neighbours of runs and file versions, those of datasets included."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._any = session.scalar(select(_F.run_id).limit(1)) is not None

    def inputs(self, runs: Iterable[str]) -> Iterator[FileRow]:
        """Yield what runs read, with the run that wrote each version."""
        runs = list(runs)
        yield from super().inputs(runs)
        yield from self._rows("input", _F.run_id, runs)

    def outputs(self, runs: Iterable[str]) -> Iterator[FileRow]:
        """Yield the file versions that runs made.

        Of several runs that wrote one version of a dataset's file the first commit's last one did.
        """
        runs = list(runs)
        yield from super().outputs(runs)
        for row in self._rows("output", _F.run_id, runs):
            if row.writer in (row.run, None):
                row.since, row.writer = row.sequence, row.run
                yield row

    def writers(self, files: Iterable[Version]) -> dict[Version, FileRow]:
        """Return, for versions that a run wrote, the output that they were."""
        files = list(files)
        found = super().writers(file for file in files if in_dataset(file.path) is None)
        return found | self._makers(files)

    def readers(self, files: Mapping[Version, Life | None]) -> Iterator[FileRow]:
        """Yield who read versions."""
        yield from super().readers(files)
        wanted = {file for file in files if file.version and in_dataset(file.path)}
        if wanted:
            paths = {place.path for file in wanted if (place := in_dataset(file.path))}
            for row in self._rows("input", _F.path, sorted(paths)):
                if row.file in wanted:
                    yield row

    def count_readers(self, file: Version, life: Life | None, most: int) -> int:
        """Return how many runs read a version, counted up to ``most``."""
        place = in_dataset(file.path)
        if place is None:
            return super().count_readers(file, life, most)
        query = (
            select(_F.run_id)
            .where(_F.path == place.path, _F.dataset == place.dataset, _F.direction == "input")
            .where(_F.version == file.version)
            .limit(most)
        )
        found = select(func.count()).select_from(query.subquery())
        return self._session.scalar(found) or 0

    def identical(
        self, digests: Collection[str], *directions: Literal["input", "output"]
    ) -> tuple[list[FileRow], list[FileRow]]:
        """Return the versions with these digests that runs read, and those that runs made."""
        read, made = super().identical(digests, *directions)
        known = {(row.run, row.file) for row in made}
        for direction in directions:
            first: dict[Version, FileRow] = {}
            for row in self._rows(direction, _F.digest, sorted(digests)):
                if row.size == 0:
                    continue
                if direction == "input":
                    row.run = ""
                    first.setdefault(row.file, row)
                elif row.writer in (row.run, None) and (row.run, row.file) not in known:
                    row.since, row.writer = row.sequence, row.run
                    made.append(row)
            read += first.values()
        return read, made

    def described(self, file: Version) -> FileRow:
        """Return what is known of one version, from whoever tells of it."""
        place = in_dataset(file.path)
        if place is None:
            return super().described(file)
        if written := self._makers([file]).get(file):
            return written
        for row in self.readers({file: None}):
            return FileRow("", file, row.digest, row.size, row.sequence)
        return FileRow("", file, file.digest, None, 0)

    def with_digest(self, prefix: str) -> list[Version]:
        """Return every version whose digest begins so, as runs and commits tell of it."""
        found = set(super().with_digest(prefix))
        if self._any:
            wanted = clean(prefix)
            query = select(_F.dataset, _F.path, _F.version, _F.digest).where(
                func.substr(_F.digest, 1, len(wanted)) == wanted
            )
            for dataset, path, version, digest in self._session.execute(query):
                found.add(Version.of(str(InDataset(dataset, path)), version, digest))
        return sorted(found, key=lambda file: (file.path, file.version or "", file.digest or ""))

    def in_datasets(
        self, direction: Literal["input", "output"], files: Collection[Version]
    ) -> dict[Version, list[Version]]:
        """Return what runs here read or wrote of files of datasets, whatever these are called here.

        Parameters
        ----------
        direction : str
            ``input`` or ``output``.
        files : collection of Version
            Paths within datasets, and commits of them.

        Returns
        -------
        dict
            The versions as a graph has them, by those that were asked for.
        """
        found: dict[Version, dict[Version, None]] = {}
        wanted: dict[tuple[str, str | None], Version]
        wanted = {(file.path, file.version): file for file in files if file.version}
        for row in self._rows(direction, _F.path, sorted({path for path, _ in wanted})):
            place = in_dataset(row.file.path)
            if place is not None and (file := wanted.get((place.path, row.file.version))):
                found.setdefault(file, {})[row.file] = None
        return {file: list(rows) for file, rows in found.items()}

    def newest_in_dataset(self, place: InDataset, version: str = "") -> Version | None:
        """Return the version of a file that a run used last, or the one whose commit begins so."""
        query = (
            select(_F.version, _F.digest)
            .join(Run, Run.id == _F.run_id)
            .where(_F.dataset == place.dataset, _F.path == place.path)
            .order_by(Run.sequence.desc())
            .limit(1)
        )
        if version:
            query = query.where(func.substr(_F.version, 1, len(version)) == version)
        row = self._session.execute(query).one_or_none()
        return None if row is None else Version.of(str(place), *row)

    def _rows(
        self, direction: Literal["input", "output"], column: Any, keys: Collection[str]
    ) -> list[FileRow]:
        """Return files of datasets, those of the oldest runs first; with the run that made each."""
        found: list[FileRow] = []
        if not self._any:
            return found
        for chunk in chunks(keys, _MANY if column is _F.digest else 500):
            for row in self._session.execute(_query(direction).where(column.in_(chunk))):
                run, dataset, path, version, digest, size, sequence, authority = row
                file = Version.of(str(InDataset(dataset, path)), version, digest)
                found.append(FileRow(run, file, digest, size, sequence, authority=authority))
        makers = self._makers({row.file for row in found})
        for each in found:
            if maker := makers.get(each.file):
                each.since, each.writer = maker.sequence, maker.run
        return found

    def _makers(self, files: Iterable[Version]) -> dict[Version, FileRow]:
        """Return the outputs that versions of datasets' files were."""
        wanted = {file for file in files if file.version and in_dataset(file.path)}
        found: dict[Version, FileRow] = {}
        if not self._any or not wanted:
            return found
        paths = {place.path for file in wanted if (place := in_dataset(file.path))}
        for chunk in chunks(sorted(paths)):
            for row in self._session.execute(_query("output").where(_F.path.in_(chunk))):
                run, dataset, path, version, digest, size, sequence, authority = row
                file = Version(str(InDataset(dataset, path)), version)
                if file not in wanted:
                    continue
                if file in found and found[file].sequence < sequence:
                    continue  # the same bytes were written again
                found[file] = FileRow(run, file, digest, size, sequence, since=sequence)
                found[file].writer, found[file].authority = run, authority
        return found


def _query(direction: str) -> Select[Any]:
    columns = (_F.run_id, _F.dataset, _F.path, _F.version, _F.digest, _F.size)
    query = (
        select(*columns, Commit.sequence, _AUTHORITY)
        .select_from(_F)
        .join(Run, Run.id == _F.run_id)
        .join(Commit, Commit.id == Run.commit_id)
        .where(_F.direction == direction)
        .order_by(Run.sequence, _F.dataset, _F.path)
    )
    return query if direction == "input" else query.where(Run.authority != "correction")
