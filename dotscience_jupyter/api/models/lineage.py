# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What runs were made from."""

from __future__ import annotations

from pydantic import Field

from .base import Body
from .runs import RunFile, RunSummary


class LineageNode(Body):
    """A run and the file versions it came from; what a model was made from."""

    run: RunSummary
    inputs: list[RunFile]
    outputs: list[RunFile]


class Lineage(Body):
    """All runs that a run depends on, itself first, each once."""

    run: str
    nodes: list[LineageNode]
    sources: list[RunFile] = Field(description="Inputs that no run wrote: the raw data")
