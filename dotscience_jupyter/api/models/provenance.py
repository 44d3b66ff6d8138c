# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body, Scalar


class GraphNode(Body):
    """A run or a version of a file."""

    id: str = Field(
        description="run:ID or file:PATH@COMMIT; file:PATH@ where no commit holds it, "
        "file:PATH@=DIGEST where its content is known all the same"
    )
    kind: Literal["run", "file"]
    label: str = Field(description="For people: a run's description, a file's name")
    order: int = Field(
        description="Sequence of the commit it came with; layouts by it never move older nodes"
    )
    workspace: str | None = Field(
        None, description="Id of the other workspace that it is in; None: the one that was asked"
    )
    # of a run
    run: str | None = None
    status: Literal["succeeded", "failed"] | None = None
    authority: str | None = None
    workload_file: str | None = None
    author: str | None = None
    # of both
    commit: str | None = Field(None, description="That it came with")
    created: datetime | None = None
    # of a file
    path: str | None = None
    dataset: str | None = Field(
        None,
        description="Name of the dataset that a file belongs to; its path is NAME//PATH then, and "
        "its id ends in a commit of the dataset",
    )
    digest: str | None = None
    size: int | None = None
    models: list[str] = Field([], description="Names of the models that are this file, or a run's")
    source: bool = Field(False, description="Raw data: no run wrote it")
    hidden_up: int = Field(0, description="How many neighbours towards its origin are left out")
    hidden_down: int = Field(
        0, description="How many that came of it are left out; at most 1000 are counted"
    )
    depth: int = Field(0, description="How many runs lie between it and the start")


class GraphEdge(Body):
    """An arrow in the direction of time."""

    source: str
    target: str
    kind: Literal["read", "wrote", "same"] = Field(
        description="read: file to run, wrote: run to file, same: identical content"
    )
    authority: str = Field("workload", description="derived where we observed it")


class GraphWorkspace(Body):
    """Another workspace that a lineage was followed into."""

    id: str
    name: str = Field(description="For people: the name of its folder")
    path: str | None = Field(
        description="Contents path of its folder; None if the server does not serve it"
    )
    problem: str | None = Field(
        None, description="Why it was not looked into: what it made is missing here"
    )


class Graph(Body):
    """A part of the graph, oldest nodes first."""

    start: list[str] = Field(description="Ids of the nodes that were asked for")
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    truncated: bool = Field(description="Whether nodes were left out because of the limit")
    workspaces: list[GraphWorkspace] = Field(
        [],
        description="The other workspaces that were looked into, or could not be, if asked for",
    )


class LineageChange(Body):
    """A file that two lineages have in different versions, or only one has."""

    path: str
    a: str | None = Field(description="Commit of the version in the first")
    b: str | None
    a_digest: str | None
    b_digest: str | None


class ValueChange(Body):
    """A parameter or metric that differs."""

    run_file: str | None = Field(None, description="The program whose runs differ")
    name: str
    a: Scalar
    b: Scalar


class LineageComparison(Body):
    """What changed between the lineages of two things."""

    a: str
    b: str
    files: list[LineageChange]
    parameters: list[ValueChange]
    programs: list[LineageChange] = Field(description="Notebooks and scripts that differ")
    environments: list[ValueChange] = Field(description="Packages and machines that differ")
    only_a: list[GraphNode]
    only_b: list[GraphNode]
    truncated: bool = Field(
        False, description="Whether a lineage was too large to be compared as a whole"
    )
