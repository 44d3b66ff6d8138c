# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of the graph of runs and file versions."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import Param, Route, limit

_START = Param(
    "start",
    "run:ID, file:PATH (its newest version), file:PATH@COMMIT, model:NAME, digest:HEX; "
    "empty: the whole workspace, newest first",
)
_DIRECTION = Param(
    "direction", "up (what it was made from), down (what came of it) or both, the default"
)

_DEPTH = Param("depth", "How many runs away at most; 0: any", "integer", 0, maximum=100_000)
_ACROSS = Param(
    "across",
    "Follow it into the other workspaces that the server finds around its root; only with a start, "
    "which may be the id of a node of another workspace as it was answered",
    "boolean",
    False,
)

ROUTES: tuple[Route, ...] = (
    Route(
        "getProvenance",
        "GET",
        "/v1/provenance",
        "A part of the graph of runs and file versions",
        models.Graph,
        query=(
            _START,
            _DIRECTION,
            _DEPTH,
            limit(2000, 20_000),
            _ACROSS,
        ),
    ),
    Route(
        "exportProvenance",
        "GET",
        "/v1/provenance/export",
        "The same as W3C PROV-JSON, OpenLineage events or Graphviz",
        query=(
            _START,
            _DIRECTION,
            _DEPTH,
            _ACROSS,
            Param("format", "prov, openlineage or dot", required=True),
        ),
    ),
    Route(
        "compareLineages",
        "GET",
        "/v1/provenance/compare",
        "What changed between the lineages of two runs, files or models",
        models.LineageComparison,
        query=(
            Param("a", "As start of v1/provenance", required=True),
            Param("b", "As start of v1/provenance", required=True),
        ),
    ),
)
