# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the committer tells its callers."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotscience_jupyter.records import models
from dotscience_jupyter.snapshots.engine import LiveChange, Skipped


class CommitterError(Exception):
    """Something a user can understand and act on went wrong; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FoundError:
    """One thing that could not be read or recorded; the shape of the original's ``error_detail``.

    ``type`` is ``json`` (a notebook, or with ``cell`` a run in it, is not readable), ``spool`` (a
    run record in the spool is not), ``task`` (what a command printed), ``snapshot`` or ``records``
    (the run was found and cannot be recorded for now). ``notebook`` is in text form, ``cell`` is
    the index in the notebook's list of cells.
    """

    type: str
    message: str
    notebook: str | None = None
    cell: int | None = None


@dataclass(slots=True)
class CommitterStatus:
    """What is not committed and what went wrong."""

    state: str  # clean, changed, committing, error
    errors: list[FoundError] = field(default_factory=list)
    changed: list[LiveChange] = field(default_factory=list)  # folder paths
    unclaimed: list[str] = field(default_factory=list)  # text form
    notebooks: dict[str, int] = field(default_factory=dict)  # text form -> published runs
    message: str = ""


@dataclass(slots=True)
class Committed:
    """What one look at the workspace brought."""

    commits: list[models.Commit] = field(default_factory=list)  # oldest first
    runs: list[str] = field(default_factory=list)  # ids, derived and correction runs included
    errors: list[FoundError] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()

    def add(self, other: Committed) -> None:
        """Append what a later look brought."""
        self.commits += other.commits
        self.runs += other.runs
        self.errors += other.errors
        self.skipped = other.skipped or self.skipped
