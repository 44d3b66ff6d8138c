# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How notebooks, texts and tables differ, and how changes of both sides come together.

Pure: bytes in, values out. What is compared comes from the caller.
"""

from .comparing import compare_notebooks
from .comparing import counts as notebook_counts
from .documents import language as notebook_language
from .documents import read_notebook
from .notebookmerge import MergedCell, MergedNotebook, check_valid, merge_notebooks
from .outputs import blob, pair_outputs
from .sequences import gaps, matches
from .tables import compare_tables
from .textmerge import Segment, has_markers, lines, merge_text
from .textmerge import joined as text_joined
from .texts import compare_text, decode
from .texts import counts as text_counts
from .values import (
    Check,
    DamagedError,
    Document,
    NotebookComparison,
    Options,
    OutputPair,
    Place,
    TextComparison,
    unchecked,
)


def line_gaps(old: list[str], new: list[str]) -> list[tuple[int, int, int, int]]:
    """Return what differs of two lists of lines: (old start, old end, new start, new end)."""
    return gaps(matches(old, new), len(old), len(new))


__all__ = [
    "Check",
    "DamagedError",
    "Document",
    "MergedCell",
    "MergedNotebook",
    "NotebookComparison",
    "Options",
    "OutputPair",
    "Place",
    "Segment",
    "TextComparison",
    "blob",
    "check_valid",
    "compare_notebooks",
    "compare_tables",
    "compare_text",
    "decode",
    "has_markers",
    "line_gaps",
    "lines",
    "merge_notebooks",
    "merge_text",
    "notebook_counts",
    "notebook_language",
    "pair_outputs",
    "read_notebook",
    "text_counts",
    "text_joined",
    "unchecked",
]
