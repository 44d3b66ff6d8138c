# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The errors that may come from the rooms below, and what they mean for what was published."""

from __future__ import annotations

from dotscience_jupyter.records.errors import RecordsError
from dotscience_jupyter.snapshots.engine import SnapshotError

from .record import FoundRun
from .types import CommitterError, FoundError

TROUBLES = (SnapshotError, RecordsError, CommitterError, OSError)


def trouble(error: Exception, run: FoundRun | None = None) -> FoundError:
    """Say what an error means for what was published."""
    which = "What was published" if run is None else f"Run {run.id}"
    kind = "snapshot" if isinstance(error, SnapshotError) else "records"
    return FoundError(
        kind,
        f"{reason(error)}. {which} is not recorded yet. It is kept where it was published and is "
        "tried again with the next save.",
        None,
        None if run is None else run.cell,
    )


def reason(error: Exception) -> str:
    """Return what an error says, without a full stop."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text.rstrip(".")
