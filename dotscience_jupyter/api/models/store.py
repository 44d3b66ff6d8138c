# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The stored content and its moves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Body
from .commits import Commit


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
