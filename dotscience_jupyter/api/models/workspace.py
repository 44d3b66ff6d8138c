# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The workspace and its state."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .base import Body, LiveChange


class ErrorDetail(Body):
    """One thing the committer could not read; the shape of the original."""

    type: str
    notebook: str | None = None
    cell: int | None = None
    message: str


class ChangedFile(Body):
    """A file that differs from the newest commit; the shape of the original and renames."""

    filename: str
    file_status: LiveChange
    size: int = 0
    old_filename: str | None = Field(
        None, description="What the newest commit calls it, where it was renamed"
    )


class NotebookRuns(Body):
    """How many runs a notebook has published."""

    runs: int


class Status(Body):
    """The committer's state, in the shape of the original's ``/status`` plus what came since."""

    status: str = Field(description="clean, changed, committing, error or no-workspace")
    error_detail: list[ErrorDetail] = []
    changed_files: list[ChangedFile] = []
    more_changed_files: int = 0
    unclaimed_files: list[str] = []
    more_unclaimed_files: int = 0
    notebooks: dict[str, NotebookRuns] = {}
    message: str = Field(default="", description="One sentence for people")


class EngineState(Body):
    """How the snapshot engine of a workspace is doing."""

    watching: bool = Field(
        description=(
            "Whether it is told of changes, so that an unchanged folder is not walked; false also "
            "where it need not be, as the file system knows"
        )
    )
    put_off: bool = Field(
        description=(
            "Whether work on the newest commit is still to be done in the background, such as "
            "reading what was captured and computing its content id"
        )
    )


class Workspace(Body):
    """The workspace that holds a path."""

    id: str
    path: str = Field(
        description="The workspace's root as a contents path of this server ('' is its root)"
    )
    prefix: str = Field(
        default="",
        description=(
            "Where the workspace begins above what this server serves: the folder path of the "
            "server's root within it, in text form. Empty otherwise"
        ),
    )
    name: str = Field(description="The folder's name, for people")
    engine: str = Field(description="Name of the snapshot engine")
    engine_state: EngineState
    head: str | None = Field(description="Id of the newest commit")
    commits: int
    runs: int
    created: datetime


class WorkspaceAnswer(Body):
    """Whether a path lies in a workspace, and where one would be made."""

    workspace: Workspace | None
    suggested_path: str | None = Field(
        description="Contents path of the folder that 'start tracking' would take"
    )
    reason: str = Field(default="", description="Why no workspace can be suggested, when none can")


class CreateWorkspace(Body):
    """Start tracking a folder."""

    path: str = ""
    force: bool = Field(
        False, description="Also when the folder is a home folder or the file system's root"
    )


class Version(Body):
    """The server side's version, for the handshake with the front end."""

    version: str
