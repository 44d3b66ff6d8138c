# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Request and response bodies of the REST API.

The OpenAPI document and the TypeScript types come from here. All paths are text forms (see
:mod:`dotscience_jupyter.records.paths`) except contents paths, which are as Jupyter's contents API
writes them; times are UTC ISO 8601.
Numbers that JSON cannot hold (NaN, infinities) are given as the strings ``nan``, ``inf``, ``-inf``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str | None
LiveChange = Literal["added", "modified", "removed"]


class Body(BaseModel):
    """Base of all bodies: unknown keys in a request are an error, not a silent nothing."""

    model_config = ConfigDict(
        extra="forbid",
        ser_json_inf_nan="strings",
        json_schema_serialization_defaults_required=True,
    )


class Problem(Body):
    """What an error answer holds."""

    code: str = Field(description="Machine-readable, stable, snake_case")
    message: str = Field(description="One clear sentence: what happened and what to do")
    details: str | None = None


class ErrorDetail(Body):
    """One thing the committer could not read; the shape of the original."""

    type: str
    notebook: str | None = None
    cell: int | None = None
    message: str


class ChangedFile(Body):
    """A file that differs from the newest commit; the shape of the original."""

    filename: str
    file_status: LiveChange
    size: int = 0


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


class CreateCommit(Body):
    """Commit the workspace as it is now."""

    description: str = ""


class Commit(Body):
    """A frozen moment."""

    id: str
    sequence: int
    parents: list[str]
    snapshot: str
    type: str
    message: str
    author: str
    created: datetime
    runs: list[str] = Field(description="Ids of its runs")


class CommitDetail(Commit):
    """A commit with its flat metadata (run format v1)."""

    metadata: dict[str, str]
    content_id: str = Field(
        "",
        description=(
            "Merkle root over names, modes and contents of its files, the same whatever engine "
            "holds them; empty while it is not known"
        ),
    )


class CommitList(Body):
    """A page of commits, newest first."""

    items: list[Commit]
    total: int
    offset: int


class CommitResult(Body):
    """What a manual commit did."""

    commit: Commit | None = Field(description="None when nothing had changed")
    message: str


class RunSummary(Body):
    """A run as a row of a table."""

    id: str
    sequence: int
    commit: str
    description: str
    authority: Literal["workload", "derived", "correction", "remote"]
    status: Literal["succeeded", "failed"]
    error: str | None
    author: str
    workload_type: str
    workload_file: str | None
    started: datetime | None
    ended: datetime | None
    seconds: float | None
    created: datetime = Field(description="When its commit was made")
    parameters: dict[str, Scalar]
    metrics: dict[str, Scalar]
    labels: dict[str, str]


class RunList(Body):
    """A page of runs."""

    items: list[RunSummary]
    total: int
    offset: int
    parameters: list[str] = Field(description="All parameter names in the workspace, sorted")
    metrics: list[str] = Field(description="All metric names in the workspace, sorted")


class RunFile(Body):
    """A file that a run read or wrote."""

    path: str
    version: str | None = Field(description="Commit that last wrote it before the run (inputs)")
    digest: str | None = Field(description="BLAKE3 of its bytes")
    size: int | None
    made_by: str | None = Field(
        None, description="Run that wrote this version of an input, if one did"
    )


class SeriesInfo(Body):
    """A metric that has more than its final value."""

    name: str
    count: int


class Cell(Body):
    """The notebook cell that published."""

    id: str | None = None
    index: int | None = None
    execution_count: int | None = None


class LogInfo(Body):
    """A log that came with a run's commit."""

    name: str
    size: int


class RunDetail(RunSummary):
    """Everything known of a run."""

    inputs: list[RunFile]
    outputs: list[RunFile]
    series: list[SeriesInfo]
    environment: dict[str, object] | None
    traceback: str | None = Field(
        description="The last line of the traceback, when it failed with one"
    )
    cell: Cell | None
    seeds: dict[str, Scalar]
    resources: dict[str, Scalar]
    logs: list[LogInfo]
    models: list[str] = Field(description="Names of the models it registered")


class SeriesPoints(Body):
    """The points of one metric; decimated to at most the number asked for, extremes kept."""

    name: str
    count: int = Field(description="How many points there are in all")
    steps: list[float]
    values: list[float | None] = Field(description="None where a value is not a finite number")
    times: list[float] = Field(description="Seconds since the epoch")


class LogText(Body):
    """The end of a log."""

    name: str
    size: int
    text: str
    truncated: bool


class FileEntry(Body):
    """A file, folder or link of a commit."""

    path: str
    name: str
    kind: Literal["file", "folder", "symlink"]
    size: int
    mode: int
    modified: datetime
    digest: str
    target: str = ""


class FileList(Body):
    """The children of a folder of a commit."""

    path: str
    items: list[FileEntry]


class FileDifference(Body):
    """A path that differs between two commits."""

    path: str
    old_path: str | None = Field(None, description="Where it was before, if it was renamed")
    change: Literal["added", "modified", "removed", "renamed"]
    kind: Literal["file", "folder", "symlink"]
    old_size: int | None
    new_size: int | None
    old_digest: str | None
    new_digest: str | None


class Diff(Body):
    """How the files of two commits differ."""

    old: str
    new: str
    items: list[FileDifference]
    total: int


class Restore(Body):
    """Write a commit's files to a new folder."""

    to: str = Field(description="Contents path of the new folder; it must not exist or be empty")
    paths: list[str] = []


class RestoreResult(Body):
    """Where the files went."""

    path: str
    files: int


class Rollback(Body):
    """Make the workspace's files what they were in a commit."""

    confirm: Literal[True] = Field(
        description="That a person asked for it: the files of the workspace are changed"
    )


class RollbackResult(Body):
    """What going back did."""

    before: Commit | None = Field(
        description="The newest commit of what was there before, by which it can be had again"
    )
    commit: Commit | None = Field(
        description="The commit of what is there now; None when nothing differed"
    )
    message: str


class Clone(Body):
    """Make a new folder with a commit's content."""

    to: str = Field(description="Contents path of the new folder; it must not exist")


class CloneResult(Body):
    """Where the new folder is."""

    path: str


class VerifyProblem(Body):
    """One thing that is not as recorded."""

    commit: str | None
    path: str | None
    message: str


class VerifyResult(Body):
    """The outcome of a verification."""

    commits: int
    snapshots: int
    problems: list[VerifyProblem]


class RepairResult(Body):
    """The outcome of a repair."""

    snapshots: int
    mended: list[VerifyProblem] = Field(description="What was damaged and is whole again")
    lost: list[VerifyProblem] = Field(description="What is damaged still; all else can be read")


class SnapshotUsage(Body):
    """How much room a snapshot takes, in bytes on disk."""

    snapshot: str
    commits: list[str] = Field(description="Ids of the commits that need it, oldest first")
    alone: int = Field(description="What nothing else needs")
    shared: int = Field(description="What other snapshots or the live folder need as well")
    logical: int = Field(description="The sizes of its files added up")


class Usage(Body):
    """How much room the stored content takes."""

    engine: str
    snapshots: int
    stored_bytes: int = Field(description="On disk")
    logical_bytes: int = Field(description="If each snapshot were a plain copy")
    extra: dict[str, int] = Field(description="Numbers of the engine's own")
    each: list[SnapshotUsage] = Field(description="Only if asked for, oldest first")


class GcResult(Body):
    """What a clean-up freed."""

    freed_bytes: int
    stored_bytes: int


class LineageNode(Body):
    """A run and the file versions it came from; what a model was made from."""

    run: RunSummary
    inputs: list[RunFile]
    outputs: list[RunFile]


class Lineage(Body):
    """All runs that a run depends on, itself first, each once."""

    run: str
    nodes: list[LineageNode]
    sources: list[RunFile] = Field(description="Inputs that no run wrote: the raw data")


class Version(Body):
    """The server side's version, for the handshake with the front end."""

    version: str


class OriginalCommit(Body):
    """A commit in the shape of the original's ``/commits``."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str = Field(alias="Id")
    metadata: dict[str, str] = Field(alias="Metadata")
