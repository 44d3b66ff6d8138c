# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What was recorded, as the API tells it: of a workspace by its server, of a project by a hub."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.records import NotFoundError, Records, RecordsError
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.snapshots import Engine, Kind, SnapshotError

from . import bodies, models
from .errors import ApiError
from .paths import folder_path


class Reading:
    """Reads commits with their files, and runs. All methods block; any thread may call them.

    Parameters
    ----------
    records, engine
        Where they are recorded, and where their content is.
    root
        The workspace's folder, where they are those of one.
    errors
        Gives a context in which errors of the rooms below become errors of the API.
    """

    def __init__(
        self,
        records: Records,
        engine: Engine,
        root: Path | None,
        errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.records = records
        self.engine = engine
        self.root = root
        self.errors = errors

    def snapshot_of(self, name: str) -> str:
        """Return the snapshot of a commit (id, unique prefix, ``HEAD~n``), or one by its own id.

        Raises
        ------
        RecordsError
            If there is neither.
        """
        try:
            return self.records.get_commit(name).snapshot
        except NotFoundError:
            if self.engine.exists(name):
                return name
            raise

    def known_content_id(self, snapshot: str) -> str:
        """Return a content id if it is known. Damage is for others to report."""
        with suppress(SnapshotError):
            return self.engine.content_id(snapshot, compute=False)
        return ""

    def commits(self, offset: int = 0, limit: int = 100, search: str = "") -> models.CommitList:
        """Return a page of commits, newest first."""
        with self.errors():
            found, total = self.records.list_commits(search=search, offset=offset, limit=limit)
        return self._page(found, total, offset)

    def leading_to(self, newest: str, offset: int = 0, limit: int = 100) -> models.CommitList:
        """Return a page of the commits that led to one, newest first, itself included."""
        with self.errors():
            found, total = self.records.log(newest, offset=offset, limit=limit)
        return self._page(found, total, offset)

    def _page(self, found: Sequence[rows.Commit], total: int, offset: int) -> models.CommitList:
        with self.errors():
            changed = self.records.counted_changes([row.id for row in found])
        items = [bodies.commit(row, files=changed.get(row.id, 0)) for row in found]
        return models.CommitList(items=items, total=total, offset=offset)

    def commit_detail(
        self,
        id: str,  # noqa: A002 - the API's own word
        content_id: bool = False,
    ) -> models.CommitDetail:
        """Return a commit (id, unique prefix, ``HEAD``, ``HEAD~n``) with its metadata.

        With ``content_id`` that is computed if it is not known.
        """
        with self.errors():
            row = self.records.get_commit(id)
            known = (
                self.engine.content_id(row.snapshot)
                if content_id
                else self.known_content_id(row.snapshot)
            )
        return bodies.commit_detail(row, known)

    def files(self, commit: str, path: str = "") -> models.FileList:
        """Return the children of a folder of a commit; ``path`` in text form."""
        folder = folder_path(path)
        with self.errors():
            snapshot = self.records.get_commit(commit).snapshot
            if folder and self.engine.entry(snapshot, folder).kind is not Kind.FOLDER:
                raise ApiError(400, "invalid_request", f"{path!r} is not a folder in that commit.")
            found = self.engine.list(snapshot, folder)
        return models.FileList(
            path=to_text(folder), items=[bodies.file_entry(entry) for entry in found]
        )

    def open_file(self, commit: str, path: str) -> tuple[models.FileEntry, BinaryIO]:
        """Open a file of a commit for reading; seekable, closed by the caller."""
        entry, reader = self.find_file(commit, path)
        return entry, reader()

    def find_file(self, commit: str, path: str) -> tuple[models.FileEntry, Callable[[], BinaryIO]]:
        """Return what is known of a file of a commit and what opens it."""
        folder = folder_path(path)
        with self.errors():
            snapshot = self.records.get_commit(commit).snapshot
            entry = self.engine.entry(snapshot, folder)
        if entry.kind is Kind.SYMLINK:
            raise ApiError(
                400,
                "invalid_request",
                f"{path!r} is a symbolic link to {to_text(entry.target)!r}; ask for that file.",
            )
        if entry.kind is not Kind.FILE:
            raise ApiError(400, "invalid_request", f"{path!r} is a folder, not a file.")

        def opened() -> BinaryIO:
            with self.errors():
                return self.engine.open(snapshot, folder)

        return bodies.file_entry(entry), opened

    def diff(
        self, old: str, new: str, under: str = "", offset: int = 0, limit: int = 1000
    ) -> models.Diff:
        """Return how the files of two commits differ, by path."""
        folder = folder_path(under)
        with self.errors():
            first, second = self.records.get_commit(old), self.records.get_commit(new)
            found = self.engine.diff(first.snapshot, second.snapshot, folder, renames=True)
        return models.Diff(
            old=first.id,
            new=second.id,
            items=[bodies.file_difference(item) for item in found[offset : offset + limit]],
            total=len(found),
        )

    def runs(
        self, where: str = "", search: str = "", sort: str = "", offset: int = 0, limit: int = 100
    ) -> models.RunList:
        """Return a page of runs, newest first unless sorted."""
        with self.errors():
            found, total = self.records.list_runs(
                where=where, search=search, sort=sort, offset=offset, limit=limit
            )
            names = self.records.value_names()
        return models.RunList(
            items=[bodies.run_summary(row) for row in found],
            total=total,
            offset=offset,
            parameters=names.get("parameter", []),
            metrics=names.get("metric", []),
        )

    def run(self, id: str) -> models.RunDetail:  # noqa: A002 - the API's own word
        """Return everything known of a run (id or unique prefix)."""
        from .useddatasets import run_datasets

        with self.errors():
            row = self.records.get_run(id)
            logs = self.records.logs(row.commit_id)
            made_by = self.records.writers_of(_versions(row))
            datasets = run_datasets(self.records, self.root, row)
            detail = bodies.run_detail(row, logs, made_by, datasets)
            for file in (*detail.inputs, *detail.outputs):
                if file.digest is None and file.size is not None:
                    file.digest = self._late_digest(file, detail.commit)
        return detail

    def _late_digest(self, file: models.RunFile, commit: str) -> str | None:
        """Return the digest of a file that was too large to be read for its commit, if it is known.

        An input is as the commit has it that is its version, an output as that of its run does.
        """
        with suppress(RecordsError, SnapshotError):
            snapshot = self.records.get_commit(file.version or commit).snapshot
            if self.known_content_id(snapshot):
                entry = self.engine.entry(snapshot, from_text(file.path))
                return entry.digest if entry.size == file.size else None
        return None

    def series(self, id: str, name: str, points: int = 2000) -> models.SeriesPoints:  # noqa: A002 - the API's own word
        """Return the points of one metric, at most ``points`` of them (2 or more)."""
        with self.errors():
            found = self.records.series(self._run_id(id), name)
        return bodies.series(name, found, max(2, points))

    def log(self, run_id: str, name: str, tail: int = 1_000_000) -> models.LogText:
        """Return the last ``tail`` bytes of a log that came with a run's commit, as text."""
        with self.errors():
            row = self.records.get_run(run_id)
            for log in self.records.logs(row.commit_id):
                if log.name == name:
                    data = zlib.decompress(log.data)
                    break
            else:
                raise ApiError(404, "not_found", f"The run came with no log {name!r}.")
        shown = data[max(0, len(data) - tail) :]
        if len(shown) < len(data):
            # what is cut off must not leave the end of a character behind
            start = 0
            while start < min(4, len(shown)) and 0x80 <= shown[start] < 0xC0:
                start += 1
            shown = shown[start:]
        return models.LogText(
            name=name,
            size=len(data),
            text=shown.decode("utf-8", "replace"),
            truncated=len(shown) < len(data),
        )

    def lineage(self, run_id: str) -> models.Lineage:
        """Return all runs that a run depends on, itself first, down to the raw data."""
        from dotscience_jupyter.provenance import lineage

        with self.errors():
            graph = lineage(self.records, run_id)
        return bodies.lineage(graph)

    def _run_id(self, prefix: str) -> str:
        if prefix in self.records.known_runs([prefix]):
            return prefix
        return self.records.get_run(prefix).id


def _versions(row: rows.Run) -> list[tuple[str, str]]:
    return [
        (item.path, item.version)
        for item in row.files
        if item.direction == "input" and item.version
    ]
