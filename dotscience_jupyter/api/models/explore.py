# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The metric explorer: many runs as a table, as points, as series; runs that are under way."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body, Scalar


class Column(Body):
    """Something that every run may have: a field, a parameter, a metric or a label."""

    key: str = Field(description="As in filters and sorts, quoted where need be: metrics.accuracy")
    kind: Literal["field", "parameter", "metric", "label"]
    name: str = Field(description="Without the kind: accuracy")
    type: Literal["number", "text", "bool", "time", "mixed"]
    runs: int = Field(description="How many runs have it")
    minimum: float | None = Field(description="Of the finite numbers")
    maximum: float | None = Field(description="Of the finite numbers")
    values: list[str] = Field(description="The commonest texts, at most 20, most frequent first")


class ColumnList(Body):
    """All columns of a workspace: fields first, then parameters, metrics and labels by name."""

    items: list[Column]


class Table(Body):
    """A page of runs as rows of a table."""

    columns: list[str] = Field(description="Keys, in the order that was asked for")
    runs: list[str] = Field(description="Ids, one a row")
    rows: list[list[Scalar]] = Field(description="Values, one a column; None where there is none")
    best: dict[str, list[float]] = Field(
        description="Lowest and highest number of each number column among all rows, not the page's"
    )
    total: int
    offset: int
    head: int = Field(description="Sequence of the newest run; it changes when the rows may have")


class Points(Body):
    """Values of many runs by column, for charts."""

    columns: dict[str, list[Scalar]] = Field(description="By key; one value a run")
    runs: list[str]
    total: int = Field(description="How many runs match")
    sampled: bool = Field(description="Whether the runs are only some of them, evenly chosen")


class ParameterWeight(Body):
    """How much a parameter has to do with a metric; docs/explorer.md has the formulas."""

    key: str
    runs: int = Field(description="How many runs have both")
    distinct: int
    pearson: float | None = Field(description="-1 to 1; None unless both are numbers that vary")
    spearman: float | None = Field(description="The same of the ranks")
    importance: float = Field(description="0 to 1: share of the metric's variance it explains")


class Importance(Body):
    """The parameters by their weight for a metric, heaviest first."""

    metric: str
    runs: int
    items: list[ParameterWeight]


class RunSeries(Body):
    """The points of one metric of one run."""

    run: str
    live: bool = Field(description="Whether the run is still going")
    count: int
    steps: list[float]
    values: list[float | None]
    times: list[float] = Field(description="Seconds since the epoch")


class Overlay(Body):
    """The same metric of several runs; runs without it are left out."""

    name: str
    items: list[RunSeries]


class Suggestion(Body):
    """One way to go on in a filter."""

    text: str = Field(description="What to put in place of start to end")
    label: str
    kind: Literal["field", "parameter", "metric", "label", "operator", "value", "keyword"]
    detail: str = ""


class Completion(Body):
    """How a filter may go on at a position."""

    start: int
    end: int
    items: list[Suggestion]
    error: str = Field(description="What is wrong with the whole filter, if something is")
    position: int = Field(description="Where it is wrong; -1 where nothing is")


class LiveSeries(Body):
    """What a run that is under way has recorded of a metric so far."""

    name: str
    count: int
    last: float | None
    step: float | None


class LiveRun(Body):
    """A run that has begun and is not published."""

    id: str
    state: Literal["running", "gone"] = Field(
        description="gone: its process has ended and it was not published"
    )
    description: str
    author: str
    workload_file: str | None
    started: datetime
    updated: datetime
    parameters: dict[str, Scalar]
    metrics: dict[str, Scalar]
    labels: dict[str, str]
    series: list[LiveSeries]


class LiveList(Body):
    """The runs that are under way, newest first."""

    items: list[LiveRun]


class Abandoned(Body):
    """What became of a run whose process is gone."""

    run: str
    message: str
