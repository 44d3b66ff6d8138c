# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits and their files."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Body


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
    files: int | None = Field(
        None,
        description=(
            "How many files it added, changed or removed since its first parent; only lists tell "
            "it. null of the first commit, which holds everything"
        ),
    )


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


class OriginalCommit(Body):
    """A commit in the shape of the original's ``/commits``."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str = Field(alias="Id")
    metadata: dict[str, str] = Field(alias="Metadata")
