# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions: which run made this, and from what, back to the raw data.

A query over the records, never a second truth; :func:`lineage` walks from a run to its sources.
"""

from .graph import FileVersion, LineageGraph, LineageNode, lineage, writer_of

__all__ = ["FileVersion", "LineageGraph", "LineageNode", "lineage", "writer_of"]
