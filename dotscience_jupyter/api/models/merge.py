# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking the changes of another commit into the workspace."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import Body
from .comparison import FileType, OutputPair, Side

Choice = Literal["yours", "theirs", "both", "edited", "base"]


class StartMerge(Body):
    """Whose changes to take in."""

    theirs: str = Field(description="A commit (id, prefix, HEAD~n), or run:ID")
    base: str = Field(
        default="", description="The common ancestor; empty: the nearest in the history"
    )


class MergeFile(Body):
    """What becomes of a file."""

    path: str
    type: FileType
    state: Literal["yours", "theirs", "merged", "conflict", "resolved"] = Field(
        description="yours, theirs: only that side changed it; merged: both, without a conflict"
    )
    change: Literal["added", "modified", "removed"] | None = Field(
        description="What finishing does to the workspace; None where nothing"
    )
    conflicts: int = Field(description="Open ones")
    message: str = Field(default="", description="Such as: removed by them, changed by you")


class Merge(Body):
    """A merge that is under way. Nothing is written to the workspace before it is finished."""

    id: str
    base: Side
    yours: Side
    theirs: Side
    files: list[MergeFile] = Field(description="What differs, conflicts first")
    conflicts: int = Field(description="Open ones, of all files")
    stale: bool = Field(description="Whether the workspace has changed since the merge was begun")
    markers: bool = Field(
        default=False,
        description="Whether it was begun on the command line, with conflicts in the files",
    )


class MergeAnswer(Body):
    """The merge that is under way, if one is."""

    merge: Merge | None


class Conflict(Body):
    """One place where both sides changed something."""

    id: str
    where: str = Field(description="For people: cell 3, lines 10 to 14, the whole file")
    base: str | None = Field(description="Text; None where there is none")
    yours: str | None
    theirs: str | None
    result: str | None = Field(
        description="As it would be now; None where nothing is chosen. Where both cells of a "
        "notebook are kept: their sources, with an empty line in between"
    )
    choice: Choice | None
    choices: list[Choice] = Field(description="What can be chosen")


class MergeCell(Body):
    """A cell of a notebook that is merged."""

    state: Literal["same", "yours", "theirs", "merged", "conflict", "resolved"]
    conflict: str | None = Field(default=None, description="Id of its conflict, if it has one")
    base: dict[str, Any] | None = Field(
        default=None, description="nbformat cell, its outputs taken out"
    )
    yours: dict[str, Any] | None = None
    theirs: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    count: int = Field(default=1, description="How many unchanged cells it stands for")
    outputs: list[OutputPair] = Field(
        default=[], description="Of a conflict: those of yours as old, those of theirs as new"
    )
    cleared: bool = Field(
        default=False,
        description="Whether the result has no outputs although the cell it is made of has: they "
        "belong to another source, and the cell is to be run again",
    )


class MergeSegment(Body):
    """Some lines of a text that is merged."""

    state: Literal["same", "yours", "theirs", "merged", "conflict", "resolved"]
    conflict: str | None = None
    text: str | None = Field(default=None, description="As it would be; None in an open conflict")


class MergeDetail(Body):
    """How one file is merged; cells for a notebook, segments for text, else one conflict."""

    file: MergeFile
    conflicts: list[Conflict]
    cells: list[MergeCell] = []
    segments: list[MergeSegment] = []
    language: str = Field(default="", description="Of a notebook's code, as CodeMirror may know it")


class Resolve(Body):
    """What to do about a conflict, or all of a file."""

    path: str
    conflict: str = Field(default="", description="Its id; empty: all of the file")
    choice: Choice | None = Field(description="None opens it again")
    text: str | None = Field(default=None, description="The result, where the choice is edited")


class FinishMerge(Body):
    """Make the commit of a merge."""

    description: str = ""


class MergeResult(Body):
    """What a merge brought."""

    commit: str | None
    written: list[str] = Field(description="Files that were written or removed")
    message: str
