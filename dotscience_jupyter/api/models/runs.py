# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body, Scalar


class RunSummary(Body):
    """A run as a row of a table."""

    id: str
    sequence: int
    commit: str
    description: str
    authority: Literal["workload", "derived", "correction", "remote"]
    status: Literal["succeeded", "failed"]
    error: str | None
    author: str
    workload_type: str
    workload_file: str | None
    started: datetime | None
    ended: datetime | None
    seconds: float | None
    created: datetime = Field(description="When its commit was made")
    parameters: dict[str, Scalar]
    metrics: dict[str, Scalar]
    labels: dict[str, str]


class RunList(Body):
    """A page of runs."""

    items: list[RunSummary]
    total: int
    offset: int
    parameters: list[str] = Field(description="All parameter names in the workspace, sorted")
    metrics: list[str] = Field(description="All metric names in the workspace, sorted")


class RunFile(Body):
    """A file that a run read or wrote."""

    path: str
    version: str | None = Field(description="Commit that last wrote it before the run (inputs)")
    digest: str | None = Field(description="BLAKE3 of its bytes")
    size: int | None
    made_by: str | None = Field(
        None, description="Run that wrote this version of an input, if one did"
    )
    made_in: str | None = Field(
        default=None,
        description="Id of the workspace that this run is in, empty if it is not known; null if it "
        "is in this one",
    )
    authority: str = Field(
        default="workload",
        description="As the run's, but derived where the code declared no such file and it was "
        "observed",
    )


class RunDataset(Body):
    """A dataset that a run read, or wrote to."""

    name: str
    dataset: str = Field(description="The dataset's id; empty if it is not known")
    direction: Literal["input", "output"]
    version: str | None = Field(
        description="The dataset's commit that the run read, or that holds what it wrote"
    )
    path: str | None = Field(
        description="Where it is attached to the workspace now, relative to the workspace's root"
    )
    files: list[RunFile] = Field(
        description="Paths within the dataset; versions are commits of the dataset"
    )


class SeriesInfo(Body):
    """A metric that has more than its final value."""

    name: str
    count: int


class Cell(Body):
    """The notebook cell that published."""

    id: str | None = None
    index: int | None = None
    execution_count: int | None = None


class LogInfo(Body):
    """A log that came with a run's commit."""

    name: str
    size: int


class RunDetail(RunSummary):
    """Everything known of a run."""

    inputs: list[RunFile]
    outputs: list[RunFile]
    datasets: list[RunDataset]
    series: list[SeriesInfo]
    environment: dict[str, object] | None
    traceback: str | None = Field(
        description="The last line of the traceback, when it failed with one"
    )
    cell: Cell | None
    seeds: dict[str, Scalar]
    resources: dict[str, Scalar]
    logs: list[LogInfo]
    models: list[str] = Field(description="Names of the models it registered")


class SeriesPoints(Body):
    """The points of one metric; decimated to at most the number asked for, extremes kept."""

    name: str
    count: int = Field(description="How many points there are in all")
    steps: list[float]
    values: list[float | None] = Field(description="None where a value is not a finite number")
    times: list[float] = Field(description="Seconds since the epoch")


class LogText(Body):
    """The end of a log."""

    name: str
    size: int
    text: str
    truncated: bool
