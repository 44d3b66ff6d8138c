# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace: a folder under version control of ours, found as git finds a repository."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MARKER = ".dotscience"
_NAME = "workspace.json"
_UNFINISHED = "unfinished.json"  # what _NAME will be


class WorkspaceError(Exception):
    """A folder cannot be, or is not, a workspace; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tracked folder and the places of its parts below ``.dotscience/``."""

    root: Path
    id: str
    created: datetime

    @property
    def folder(self) -> Path:
        """Where everything of ours lives."""
        return self.root / MARKER

    @property
    def spool(self) -> Path:
        """Where programs leave run records, one atomically renamed file a run."""
        return self.folder / "spool"

    @property
    def live(self) -> Path:
        """Where programs tell of runs that are under way, one growing file a run."""
        return self.folder / "live"

    @property
    def store(self) -> Path:
        """Where the embedded engine keeps content."""
        return self.folder / "store"

    @property
    def tasks(self) -> Path:
        """Where command tasks that are under way keep their spool, logs and lock."""
        return self.folder / "tasks"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the records."""
        return f"sqlite:///{self.folder / 'records.db'}"

    @property
    def lock(self) -> Path:
        """Held while a commit is made, by whichever process makes it."""
        return self.folder / "lock"

    @staticmethod
    def is_at(root: Path) -> bool:
        """Whether a folder is the root of a workspace, as far as can be seen."""
        return os.path.isfile(root / MARKER / _NAME)

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """Open the workspace with exactly this root. Raise WorkspaceError if it is none."""
        return cls._read(root, _NAME)

    @classmethod
    def _read(cls, root: Path, name: str) -> Workspace:
        try:
            document = json.loads((root / MARKER / name).read_text("utf-8"))
            if document["format"] != 1:
                raise WorkspaceError(
                    f"The workspace in {root} was made by a newer version of dotscience-jupyter. "
                    "Nothing was changed. Upgrade dotscience-jupyter to work with it."
                )
            return cls(root, str(document["id"]), datetime.fromisoformat(document["created"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(
                f"{root} is not a workspace: its {MARKER}/{name} cannot be read ({error})."
            ) from None

    @classmethod
    def find(cls, path: Path) -> Workspace | None:
        """Return the workspace at or above a path, or None."""
        path = path.absolute()
        for folder in (path, *path.parents):
            if cls.is_at(folder):
                return cls.at(folder)
        return None

    @classmethod
    def create(cls, root: Path, *, force: bool = False) -> Workspace:
        """Make a folder a workspace, or open it if it is one already.

        Raises
        ------
        WorkspaceError
            If the folder does not exist, cannot be written, or is a home folder or ``/`` and
            ``force`` is not given.
        """
        root = root.absolute()
        if not root.is_dir():
            raise WorkspaceError(f"{root} is not a folder, so it cannot be tracked.")
        if cls.is_at(root):
            return cls.at(root)
        if not force and (reason := refusal(root)):
            raise WorkspaceError(reason)
        return cls._make(root, _NAME)

    @classmethod
    def begin(cls, root: Path) -> Workspace:
        """Prepare a folder that nobody takes for a workspace before :meth:`finish`; or go on.

        Raises
        ------
        WorkspaceError
            If the folder cannot be written, or is a home folder or ``/``.
        """
        root = root.absolute()
        if reason := refusal(root):
            raise WorkspaceError(reason)
        if cls.is_begun(root):
            return cls._read(root, _UNFINISHED)
        return cls._make(root, _UNFINISHED)

    @staticmethod
    def is_begun(root: Path) -> bool:
        """Whether a folder was prepared by :meth:`begin` and is not finished."""
        return (root / MARKER / _UNFINISHED).is_file() and not Workspace.is_at(root)

    def finish(self) -> None:
        """Make what was begun a workspace, in one step. Raise WorkspaceError if that fails."""
        try:
            if self.is_begun(self.root):
                os.replace(self.folder / _UNFINISHED, self.folder / _NAME)
        except OSError as error:
            raise _untracked(self.root, error) from None

    @classmethod
    def _make(cls, root: Path, name: str) -> Workspace:
        folder = root / MARKER
        document = {"format": 1, "id": str(uuid.uuid4()), "created": datetime.now(UTC).isoformat()}
        try:
            folder.mkdir(exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", "utf-8")
            temporary = folder / f".workspace-{document['id']}"
            temporary.write_text(json.dumps(document) + "\n", "utf-8")
            try:
                # a hard link never replaces: of two creators the first one wins
                os.link(temporary, folder / name)
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                if not (folder / name).exists():
                    temporary.replace(folder / name)
            temporary.unlink(missing_ok=True)
        except OSError as error:
            raise _untracked(root, error) from None
        return cls._read(root, name)


def _untracked(root: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{root} cannot be tracked: {error.strerror or error}. Nothing was changed; "
        "choose a folder that you can write to."
    )


def refusal(root: Path) -> str:
    """Return why a folder should not become a workspace unasked, or an empty string."""
    resolved = root.resolve()
    if resolved.parent == resolved:
        return "The root of the file system is not tracked unless told to (use --force)."
    if resolved == Path.home().resolve() or resolved.parent == Path("/home"):
        return (
            f"{root} is a home folder and is not tracked unless told to (use --force). "
            "Choose a project's folder instead."
        )
    return ""


def suggest_root(path: Path) -> Path:
    """Return what should become the workspace of a path: its Git work tree, else its folder."""
    path = path.absolute()
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists() and not refusal(candidate):
            return candidate
    return folder
