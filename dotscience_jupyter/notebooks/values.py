# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a comparison finds; the shapes are those of the API's bodies of the same names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Document = dict[str, Any]
"""A parsed JSON object, such as a notebook or a cell."""


Check = Callable[[], None]
"""Called now and then in a long comparison; what it raises ends it."""


def unchecked() -> None:
    """Let a comparison go on to its end."""


class DamagedError(ValueError):
    """Bytes are not what their name says; the message says why, without a full stop."""


@dataclass(slots=True)
class TextRow:
    """A line on both sides, or a number of unchanged lines that are folded.

    Lines count from 1. Spans are ``[start, end]`` in UTF-16 code units of the line.
    """

    change: Literal["same", "added", "removed", "modified", "folded"]
    old_line: int | None = None
    new_line: int | None = None
    old: str | None = None
    new: str | None = None
    old_spans: list[list[int]] = field(default_factory=list)
    new_spans: list[list[int]] = field(default_factory=list)
    count: int = 1


@dataclass(slots=True)
class TextComparison:
    """How two texts differ."""

    rows: list[TextRow]
    added: int
    removed: int
    truncated: bool = False


@dataclass(slots=True)
class Place:
    """Where a notebook is: what a caller needs to ask for a part of it."""

    ref: str
    path: str


@dataclass(slots=True)
class Blob:
    """A large part of an output that was taken out; ``digest`` is BLAKE3 of its text."""

    ref: str
    path: str
    cell: int
    output: int
    mime: str
    digest: str
    size: int


@dataclass(slots=True)
class CellOutput:
    """An output without its large parts."""

    output: Document
    blobs: list[Blob] = field(default_factory=list)


@dataclass(slots=True)
class OutputPair:
    """An output before and after; neither is given where they are the same."""

    change: Literal["same", "added", "removed", "modified"]
    old: CellOutput | None = None
    new: CellOutput | None = None
    text: TextComparison | None = None


@dataclass(slots=True)
class CellPair:
    """A cell before and after, or a number of unchanged ones; indices from 0."""

    change: Literal["same", "added", "removed", "modified", "moved", "folded"]
    count: int = 1
    old_index: int | None = None
    new_index: int | None = None
    id: str | None = None
    type: Literal["code", "markdown", "raw"] | None = None
    source: TextComparison | None = None
    outputs: list[OutputPair] = field(default_factory=list)
    metadata: TextComparison | None = None
    old_count: int | None = None
    new_count: int | None = None


@dataclass(slots=True)
class NotebookComparison:
    """How two notebooks differ."""

    cells: list[CellPair]
    metadata: TextComparison | None
    language: str
    added: int
    removed: int
    modified: int


@dataclass(frozen=True, slots=True)
class Options:
    """What of notebooks is compared, beside sources, types and attachments of cells.

    ``context`` is how many unchanged lines are kept around changed ones.
    """

    outputs: bool = True
    metadata: bool = False
    counts: bool = False
    context: int = 3
