# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Everything that can be asked of one workspace, by the server's handlers and the command line."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dotscience_jupyter.committer import WENT_BACK, Committer
from dotscience_jupyter.records import Records, RecordsError, Workspace
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.snapshots import Kind, Progress, Skipped, SnapshotError, open_engine

from . import bodies, models
from .errors import ApiError
from .paths import PathMapper, folder_path
from .store import StoreService
from .tracking import create_workspace, no_workspace, suggest
from .translate import translated

# what only some questions need is imported when one of them comes: commands start sooner
if TYPE_CHECKING:
    from .comparison import Comparing
    from .explore import Exploring
    from .history import FileHistories
    from .merge import Merging
    from .provenance import Provenance
    from .sync import Syncing
    from .workspacedatasets import WorkspaceDatasets

__all__ = [
    "ApiError",
    "PathMapper",
    "WorkspaceService",
    "create_workspace",
    "no_workspace",
    "suggest",
]

OnChange = Callable[[str], None]

_NAMED = 3
"""How many files a message names."""


class WorkspaceService(StoreService):
    """One open workspace. All methods block and may be called from any thread.

    Every error that a user can act on is an :class:`ApiError`.
    """

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        author: str | None = None,
        contents_root: Path | None = None,
        on_change: OnChange | None = None,
        engine: str = "auto",
        mapper: PathMapper | None = None,
    ) -> WorkspaceService:
        """Open the workspace at or above a path.

        Parameters
        ----------
        path : Path
            Any file or folder; need not exist.
        author : str, optional
            Who commits where nobody is named; by default Git's or the system's user.
        contents_root : Path, optional
            What a server serves; paths of answers are then relative to it.
        on_change : callable, optional
            Told ``committing``, ``committed``, ``status`` or ``error``, from any thread.
        engine : str
            Name of the snapshot engine; that of content which is there already wins.
        mapper : PathMapper, optional
            In place of ``contents_root``, when the caller has one.

        Raises
        ------
        ApiError
            404 ``no_workspace``, or 500 ``unreadable`` if its records or store cannot be opened.
        """
        mapper = mapper or PathMapper(contents_root)
        with translated(mapper, Path(path)):
            workspace = Workspace.find(Path(path))
            if workspace is None:
                raise no_workspace()
        with translated(mapper, workspace.root):
            records = Records.open(workspace.database_url)
            try:
                store = open_engine(workspace.root, workspace.store, engine)
            except BaseException:
                records.close()
                raise
            committer = Committer(workspace, records, store, author=author, on_change=on_change)
        return cls(workspace, records, store, committer, mapper)

    def close(self) -> None:
        """Release the database and the store; the service is not used afterwards."""
        self.committer.close()
        self.engine.close()
        self.records.close()

    @cached_property
    def explore(self) -> Exploring:
        """Many runs as a table, points and series; runs that are under way."""
        from .explore import Exploring

        return Exploring(self)

    @cached_property
    def provenance(self) -> Provenance:
        """The graph of runs and file versions."""
        from .provenance import Provenance

        return Provenance(self)

    @cached_property
    def comparison(self) -> Comparing:
        """How two moments differ, file by file."""
        from .comparison import Comparing

        return Comparing(self)

    @cached_property
    def merge(self) -> Merging:
        """Taking the changes of another commit into the workspace."""
        from .merge import Merging

        return Merging(self)

    @cached_property
    def history(self) -> FileHistories:
        """The versions of a file, and bringing one back."""
        from .history import FileHistories

        return FileHistories(self)

    @cached_property
    def sync(self) -> Syncing:
        """The workspace's hub, and moving commits."""
        from .sync import Syncing

        return Syncing(self)

    @cached_property
    def datasets(self) -> WorkspaceDatasets:
        """The datasets that the workspace uses."""
        from .workspacedatasets import WorkspaceDatasets

        return WorkspaceDatasets(self)

    def info(self) -> models.Workspace:
        """Return what the workspace is and how much it holds."""
        with self.errors():
            head = self.records.head()
            commits, runs = self.records.counts()
        root = self.workspace.root
        return models.Workspace(
            id=self.workspace.id,
            path=self.mapper.to_contents(root) or "",
            prefix=self.mapper.prefix(root),
            name=to_text(root.name or str(root)),
            engine=self.engine.name,
            engine_state=models.EngineState(
                watching=self.committer.watching,
                put_off=head is not None and not self.known_content_id(head.snapshot),
            ),
            head=None if head is None else head.id,
            commits=commits,
            runs=runs,
            created=self.workspace.created,
        )

    def status(self, fresh: bool = False) -> models.Status:
        """Return the committer's state; ``fresh`` looks at the folder now."""
        with self.errors():
            found = self.committer.status(fresh)
        return bodies.status(found, self.clean)

    def commit(
        self, description: str, author: str | None = None, progress: Progress | None = None
    ) -> models.CommitResult:
        """Commit the workspace as it is, runs found on the way included."""
        with self.errors():
            done = self.committer.commit(description, author, progress)
            if not done.commits:
                return models.CommitResult(
                    commit=None,
                    message="Nothing has changed since the newest commit, so none was made.",
                )
            newest = self.records.get_commit(done.commits[-1].id)
        message = f"Committed {newest.id[:12]}."
        if done.runs:
            message += f" It holds {len(done.runs)} run{'s' if len(done.runs) > 1 else ''}."
        if done.skipped:
            message += f" Left out: {_left_out(done.skipped)}."
        return models.CommitResult(commit=bodies.commit(newest), message=message)

    def commits(self, offset: int = 0, limit: int = 100) -> models.CommitList:
        """Return a page of commits, newest first."""
        with self.errors():
            found, total = self.records.list_commits(offset=offset, limit=limit)
        return models.CommitList(
            items=[bodies.commit(row) for row in found], total=total, offset=offset
        )

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

    def restore(
        self,
        commit: str,
        to: Path,
        paths: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> models.RestoreResult:
        """Write a commit's files, or those below some paths (text form), to a new folder.

        The id of a snapshot that no commit has, such as one received, does as well.

        Raises
        ------
        ApiError
            409 ``not_empty`` if the folder holds something, 409 ``exists`` if it is a file,
            403 ``forbidden_path`` if it lies in ``.dotscience``, 404 if a path is not there.
        """
        wanted = [folder_path(path) for path in paths]
        to, name = self._new_folder(to)
        if to.is_dir() and any(os.scandir(to)):
            raise ApiError(
                409,
                "not_empty",
                f"{name!r} is not empty. Nothing was written, so that no work is overwritten; "
                "choose the name of a new folder.",
            )
        with self.errors():
            snapshot = self.snapshot_of(commit)
            for path in wanted:
                self.engine.entry(snapshot, path)
            count = self.engine.restore(snapshot, to, wanted, progress)
        return models.RestoreResult(path=name, files=count)

    def clone(self, commit: str, to: Path, progress: Progress | None = None) -> models.CloneResult:
        """Make a new folder with the content of a commit, or of a snapshot by its id.

        It is no workspace. Raise ApiError as :meth:`restore`, also where there is an empty folder.
        """
        to, name = self._new_folder(to)
        if to.is_dir():
            raise ApiError(
                409, "exists", f"There is a folder {name!r}. Choose the name of a new one."
            )
        with self.errors():
            self.engine.clone(self.snapshot_of(commit), to, progress)
        return models.CloneResult(path=name)

    def _new_folder(self, to: Path) -> tuple[Path, str]:
        """Return where something is to be written and what to call it to people."""
        to = Path(os.path.abspath(to))
        own = Path(os.path.realpath(self.workspace.folder))
        real = Path(os.path.realpath(to))
        name = self.mapper.to_contents(to) or to.name
        if real == own or own in real.parents:
            raise ApiError(
                403,
                "forbidden_path",
                "Nothing is restored into .dotscience, which holds the history itself. "
                "Choose another folder.",
            )
        if os.path.lexists(to) and not to.is_dir():
            raise ApiError(409, "exists", f"{name!r} is a file. Choose the name of a new folder.")
        return to, name

    def rollback(
        self, commit: str, author: str | None = None, progress: Progress | None = None
    ) -> models.RollbackResult:
        """Make the files what they were in a commit; what is there now is committed before.

        Only ever on a person's explicit request.
        """
        with self.errors():
            target = self.records.get_commit(commit)
            done = self.committer.go_back(target.id, author, progress)
            newest = self.records.get_commit(done.commits[-1].id if done.commits else "HEAD")
            if not done.commits or WENT_BACK not in newest.details:
                return models.RollbackResult(
                    before=bodies.commit(newest),
                    commit=None,
                    message=f"The files are as they were in commit {target.id[:12]} already.",
                )
            before = self.records.get_commit(newest.parents[0].parent_id)
        return models.RollbackResult(
            before=bodies.commit(before),
            commit=bodies.commit(newest),
            message=(
                f"Went back to {target.id[:12]}. What was there before is commit {before.id[:12]}."
            ),
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
            datasets = run_datasets(self.records, self.workspace.root, row)
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

    def metadata(self) -> list[dict[str, Any]]:
        """Return ``{"Id", "Metadata"}`` of every commit, oldest first: the original's array."""
        found: list[dict[str, Any]] = []
        for row in self._all_commits():
            metadata = {
                "type": row.type,
                "author": row.author,
                "message": row.message,
                # nanoseconds since the epoch, as Dotmesh stamped every commit
                "timestamp": str(int(row.created.timestamp() * 1_000_000) * 1000),
            }
            found.append({"Id": row.id, "Metadata": metadata | dict(row.details)})
        found.reverse()
        return found

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


def _left_out(skipped: Sequence[Skipped]) -> str:
    """Name what could not be frozen, and why; the first few of many."""
    named = [f"{to_text(each.path)} ({each.reason})" for each in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        named.append(f"{len(skipped) - _NAMED:,} more")
    return ", ".join(named)
