# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions: which run made this, and from what, back to the raw data.

A query over the records, never a second truth; :func:`provenance` walks it from anything,
up to the sources or down to all that came of it.
"""

from .answers import LIMIT, affected, made_from, provenance, which_run
from .assembly import Direction, walk
from .graph import Edge, Graph, Node, node_id
from .lineage import FileVersion, LineageGraph, LineageNode, lineage, writer_of
from .starts import resolve

__all__ = [
    "LIMIT",
    "Direction",
    "Edge",
    "FileVersion",
    "Graph",
    "LineageGraph",
    "LineageNode",
    "Node",
    "affected",
    "lineage",
    "made_from",
    "node_id",
    "provenance",
    "resolve",
    "walk",
    "which_run",
    "writer_of",
]
