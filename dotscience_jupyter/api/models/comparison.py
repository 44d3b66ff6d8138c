# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two moments differ, file by file, inside the files."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Body, Scalar

FileType = Literal["notebook", "text", "table", "image", "model", "binary", "folder", "link"]


class Side(Body):
    """One of two moments."""

    ref: str = Field(description="Id of the commit, or now")
    run: str | None = Field(default=None, description="The run by which it was named, if it was")
    label: str = Field(description="For people")
    created: datetime | None


class ComparedFile(Body):
    """A file that differs."""

    path: str
    old_path: str | None = Field(default=None, description="Where it was before, if it was renamed")
    change: Literal["added", "modified", "removed", "renamed"]
    type: FileType
    old_size: int | None
    new_size: int | None
    old_digest: str | None
    new_digest: str | None
    added: int | None = Field(
        default=None, description="Lines, or cells of a notebook, if that is cheap to know"
    )
    removed: int | None = None


class ComparedValue(Body):
    """A parameter or metric that differs."""

    kind: Literal["parameter", "metric"]
    name: str
    old: Scalar
    new: Scalar


class Comparison(Body):
    """How two moments differ."""

    old: Side
    new: Side
    values: list[ComparedValue] = Field(description="Of the runs of the two, if they have any")
    files: list[ComparedFile]
    total: int
    offset: int


class TextRow(Body):
    """A line, or a number of unchanged lines that are folded."""

    change: Literal["same", "added", "removed", "modified", "folded"]
    old_line: int | None = Field(default=None, description="From 1; of the first line where folded")
    new_line: int | None = None
    old: str | None = None
    new: str | None = None
    old_spans: list[list[int]] = Field(
        default=[], description="Start and end, in UTF-16 units, of what differs within the line"
    )
    new_spans: list[list[int]] = []
    count: int = Field(default=1, description="How many lines")


class TextComparison(Body):
    """How two texts differ."""

    rows: list[TextRow]
    added: int
    removed: int
    truncated: bool = Field(
        default=False, description="Whether rows were left out: the text is very long"
    )


class Blob(Body):
    """A large part of an output, to be asked for: GET v1/compare/blob with these."""

    ref: str
    path: str
    cell: int
    output: int
    mime: str
    digest: str
    size: int


class CellOutput(Body):
    """An output of a cell, as nbformat has it, large parts taken out."""

    output: dict[str, Any]
    blobs: list[Blob] = []


class OutputPair(Body):
    """An output before and after."""

    change: Literal["same", "added", "removed", "modified"]
    old: CellOutput | None
    new: CellOutput | None
    text: TextComparison | None = Field(default=None, description="Where both are text")


class CellPair(Body):
    """A cell before and after, or a number of unchanged ones that are folded."""

    change: Literal["same", "added", "removed", "modified", "moved", "folded"]
    count: int = Field(default=1, description="How many cells, where folded")
    old_index: int | None = Field(default=None, description="From 0; of the first where folded")
    new_index: int | None = None
    id: str | None = None
    type: Literal["code", "markdown", "raw"] | None = None
    source: TextComparison | None = None
    outputs: list[OutputPair] = []
    metadata: TextComparison | None = Field(default=None, description="As JSON, if it differs")
    old_count: int | None = Field(default=None, description="Execution count")
    new_count: int | None = None


class NotebookComparison(Body):
    """How two notebooks differ; identical outputs are never sent."""

    cells: list[CellPair]
    metadata: TextComparison | None
    language: str = ""
    added: int
    removed: int
    modified: int


class TableCell(Body):
    """A value of a row that differs."""

    column: str
    old: Scalar
    new: Scalar


class TableRow(Body):
    """A row that differs."""

    change: Literal["added", "removed", "modified"]
    old_row: int | None
    new_row: int | None
    values: list[TableCell]


class TableComparison(Body):
    """How two tables differ."""

    columns: list[str]
    added_columns: list[str]
    removed_columns: list[str]
    key: str = Field(description="The column by which rows were matched; empty: by content")
    added: int
    removed: int
    modified: int
    rows: list[TableRow] = Field(description="At most 500")
    old_rows: int
    new_rows: int
    sampled: bool = Field(description="Whether only the first rows of large tables were compared")


class FileComparison(Body):
    """How a file differs; one of notebook, text and table is given, none for other types."""

    file: ComparedFile
    old: Side
    new: Side
    notebook: NotebookComparison | None = None
    text: TextComparison | None = None
    table: TableComparison | None = None
    note: str = Field(default="", description="What was not compared, and why")
    took: float = Field(default=0, description="Seconds")
