# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a plan is made of: runs with their paths resolved, and what a commit should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from dotscience_jupyter.records.store import DatasetVersion, NewDatasetFile, NewRun

from .mounts import Mount
from .record import FoundRun


@dataclass(slots=True)
class Declared:
    """A path that a run declared, resolved."""

    path: str  # folder path, or absolute when outside
    inside: bool
    derived: bool = False  # it was observed, the code declared none


@dataclass(frozen=True, slots=True)
class UsedFile:
    """A file of a dataset that a run read or wrote, or a folder of one, as it was declared."""

    mount: Mount
    path: str  # folder path within the dataset; "" for all of it
    derived: bool = False  # it was observed, the code declared none

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: the dataset's name and the path."""
        return self.mount.name, self.path


@dataclass(slots=True, eq=False)
class Use:
    """What a run did with datasets: first what it says, then what is to be recorded of that."""

    run: str  # its id
    started: datetime | None = None
    ended: datetime | None = None
    found: FoundRun | None = None  # None of a command that published no run
    position: int = 0  # among the runs of this find
    read: list[UsedFile] = field(default_factory=list)
    wrote: list[UsedFile] = field(default_factory=list)
    files: list[NewDatasetFile] = field(default_factory=list)
    versions: list[DatasetVersion] = field(default_factory=list)

    @classmethod
    def of(cls, found: FoundRun) -> Use:
        """Return what is to be filled in for a run."""
        return cls(found.id, found.text.start, found.text.end, found)

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """Dataset and path of its inputs."""
        return frozenset(each.key for each in self.read)

    @property
    def writes(self) -> frozenset[tuple[str, str]]:
        """Dataset and path of its outputs."""
        return frozenset(each.key for each in self.wrote)


@dataclass(slots=True, eq=False)
class Planned:
    """A found run with its paths resolved."""

    found: FoundRun
    inputs: list[Declared]
    outputs: list[Declared]
    workload: str | None  # folder path or None
    use: Use  # of datasets
    folders: list[str] = field(default_factory=list)  # declared folders: they claim what is inside
    reads: frozenset[str] = frozenset()  # folder paths of its inputs
    writes: frozenset[str] = frozenset()  # folder paths of its outputs
    position: int = 0  # among the runs of this find


@dataclass(slots=True)
class Wish:
    """What a commit should be beyond the runs that were found.

    Attributes
    ----------
    manual
        Message of a commit that is wanted also without a run: changes that no run explains are
        then its content, not a correction. None where only runs are to be committed.
    initial
        Message of the workspace's first commit.
    author
        Who commits, if not the default.
    metadata, logs, message, derived
        What a command task adds to the last commit of its runs; ``derived`` is the run to record
        when it published none.
    datasets
        The versions that ``derived`` made of datasets, found out on the way.
    """

    manual: str | None = None
    initial: str = "Initial commit"
    author: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    message: str = ""
    derived: NewRun | None = None
    datasets: list[DatasetVersion] = field(default_factory=list)

    @property
    def only_runs(self) -> bool:
        """Whether nothing is to be done where there is no run that is not recorded."""
        return self.manual is None and not self.metadata
