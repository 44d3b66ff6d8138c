# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a plan is made of: runs with their paths resolved, and what a commit should be."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotscience_jupyter.records.store import NewRun

from .record import FoundRun


@dataclass(slots=True)
class Declared:
    """A path that a run declared, resolved."""

    path: str  # folder path, or absolute when outside
    inside: bool
    derived: bool = False  # it was observed, the code declared none


@dataclass(slots=True, eq=False)
class Planned:
    """A found run with its paths resolved."""

    found: FoundRun
    inputs: list[Declared]
    outputs: list[Declared]
    workload: str | None  # folder path or None
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
    """

    manual: str | None = None
    initial: str = "Initial commit"
    author: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    message: str = ""
    derived: NewRun | None = None

    @property
    def only_runs(self) -> bool:
        """Whether nothing is to be done where there is no run that is not recorded."""
        return self.manual is None and not self.metadata
