# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is handed to :meth:`.store.Records.commit`: what is not recorded yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class NewValue:
    """A parameter, metric or label to record."""

    kind: str  # parameter, metric, label
    name: str
    text: str
    type: str = "str"


@dataclass(slots=True)
class NewFile:
    """A file that a run declared; paths in text form."""

    direction: str  # input, output
    path: str
    version: str | None = None  # of an input: None to find it out, "" where no commit holds it
    digest: str | None = None
    size: int | None = None
    authority: str = "workload"  # derived: it was observed, the code declared none


@dataclass(slots=True)
class NewDatasetFile:
    """A file of a dataset that a run read or wrote; paths within the dataset, in text form."""

    direction: str  # input, output
    dataset: str  # its name
    path: str
    version: str | None = None  # the dataset's commit that wrote it, where that is known
    digest: str | None = None
    size: int | None = None
    authority: str = "workload"  # as that of a file


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """The version of a dataset that a commit's runs read, or made."""

    direction: str  # input, output
    name: str
    id: str
    version: str  # a commit of the dataset


@dataclass(slots=True)
class NewSeries:
    """All points of one metric, float64 little-endian arrays of equal length."""

    name: str
    count: int
    steps: bytes
    values: bytes
    times: bytes


@dataclass(slots=True)
class NewRun:
    """A run to record."""

    id: str
    authority: str
    description: str = ""
    error: str | None = None  # its presence makes the run a failed one
    author: str = ""
    workload_type: str = "jupyter"
    workload_file: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    values: list[NewValue] = field(default_factory=list)
    files: list[NewFile] = field(default_factory=list)
    series: list[NewSeries] = field(default_factory=list)
    datasets: list[NewDatasetFile] = field(default_factory=list)
    environment: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class NewChange:
    """A file that a commit wrote or removed; path in text form."""

    path: str
    change: str
    digest: str | None = None


@dataclass(slots=True)
class NewCommit:
    """A commit to record; its first parent is the head, its id is computed."""

    snapshot: str
    type: str  # dotscience.run.v1, .files.v1, .merge.v1, .initial
    message: str
    author: str
    runs: list[NewRun] = field(default_factory=list)
    changes: list[NewChange] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)  # beyond what follows from the fields
    logs: dict[str, bytes] = field(default_factory=dict)
    parents: list[str] = field(default_factory=list)  # ids of further ones: what it merges
    datasets: list[DatasetVersion] = field(default_factory=list)
