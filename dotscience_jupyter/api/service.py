# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Everything that can be asked of one workspace, by the server's handlers and the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotscience_jupyter.committer import WENT_BACK, Committer
from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Progress, Skipped, open_engine

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


def _left_out(skipped: Sequence[Skipped]) -> str:
    """Name what could not be frozen, and why; the first few of many."""
    named = [f"{to_text(each.path)} ({each.reason})" for each in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        named.append(f"{len(skipped) - _NAMED:,} more")
    return ", ".join(named)
