# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes that compare two moments."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import OFFSET, Param, Route, limit

_SIDES = (
    Param("old", "A commit (id, prefix, HEAD~n), run:ID, or now", required=True),
    Param("new", "The same", required=True),
)

ROUTES: tuple[Route, ...] = (
    Route(
        "compare",
        "GET",
        "/v1/compare",
        "How two moments differ: values of their runs, and files",
        models.Comparison,
        query=(
            *_SIDES,
            Param("under", "Only what lies below this folder, in text form"),
            OFFSET,
            limit(1000, 10_000),
        ),
    ),
    Route(
        "compareFile",
        "GET",
        "/v1/compare/file",
        "How a file differs, inside",
        models.FileComparison,
        query=(
            *_SIDES,
            Param("file", "Its path in the newer moment, in text form", required=True),
            Param("old_file", "Its path in the older one, if it was another"),
            Param("outputs", "Compare outputs of cells", "boolean", True),
            Param("metadata", "Compare metadata", "boolean", False),
            Param("counts", "Compare execution counts", "boolean", False),
            Param("context", "How many unchanged lines to keep around", "integer", 3, maximum=1000),
        ),
    ),
    Route(
        "getBlob",
        "GET",
        "/v1/compare/blob",
        "A large part of an output of a cell, such as an image",
        query=(
            Param("ref", "A commit, the id of a snapshot, or now", required=True),
            Param("file", "The notebook, in text form", required=True),
            Param("cell", "Index of the cell, from 0", "integer", 0, required=True),
            Param("output", "Index of the output, from 0", "integer", 0, required=True),
            Param("mime", "Which of its forms", required=True),
        ),
        statuses=(200, 304),
    ),
)
