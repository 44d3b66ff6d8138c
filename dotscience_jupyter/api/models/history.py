# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of one file, and bringing one back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body
from .runs import RunSummary


class FileVersion(Body):
    """A file as a commit wrote it."""

    commit: str
    path: str = Field(description="What it was called then")
    created: datetime
    author: str
    message: str
    change: Literal["first", "added", "modified", "renamed", "removed"]
    digest: str | None
    size: int | None
    runs: list[RunSummary] = Field(
        description="That wrote it (again), or that are of this notebook or script; newest first, "
        "the first few"
    )
    total_runs: int = Field(description="How many there are of these")


class FileHistory(Body):
    """The versions of a file, newest first."""

    path: str
    items: list[FileVersion]
    total: int
    offset: int
    changed: bool = Field(description="Whether the file differs from its newest version")
    present: str | None = Field(
        description="BLAKE3 of the file as it is now; None where there is no regular file"
    )


class BringBack(Body):
    """Put a file of a commit in the place of the present one."""

    path: str = Field(description="Of the file in the commit, in text form")
    to: str = Field("", description="Contents path where it goes; empty: where it was")
    expected: str | None = Field(
        description="Digest of what is there now, as was shown; None: nothing is there"
    )


class BringBackResult(Body):
    """A file that was brought back."""

    path: str = Field(description="Contents path")
    before: str | None = Field(description="Commit that holds what was there before")
    commit: str | None = Field(description="Commit that holds what is there now, if it is new")
    message: str


class ScratchCopy(Body):
    """Copy a file of a commit, to work on it."""

    path: str


class ScratchCopyResult(Body):
    """Where the copy is."""

    path: str = Field(description="Contents path")
