# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshot engines: they freeze a folder, tell what changed, and give back what was frozen.

``engine`` is the interface, ``embedded`` what works anywhere; others come by entry points.
"""

from .embedded import Edit, EmbeddedEngine, Equal
from .engine import (
    COMMIT_HOLD,
    BadPathError,
    Change,
    Check,
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    HeldError,
    Kind,
    LiveChange,
    PathNotFoundError,
    Problem,
    Progress,
    Repaired,
    Skipped,
    Snapshot,
    SnapshotError,
    SnapshotInfo,
    SnapshotNotFoundError,
    SnapshotUsage,
    TransferError,
    UnavailableError,
    Usage,
)
from .finding import check_engine, engine_names, open_engine
from .ignore import IgnoreRules
from .portable import PortableEngine

__all__ = [
    "COMMIT_HOLD",
    "BadPathError",
    "Change",
    "Check",
    "CorruptStoreError",
    "Difference",
    "Edit",
    "EmbeddedEngine",
    "Engine",
    "Entry",
    "Equal",
    "HeldError",
    "IgnoreRules",
    "Kind",
    "LiveChange",
    "PathNotFoundError",
    "PortableEngine",
    "Problem",
    "Progress",
    "Repaired",
    "Skipped",
    "Snapshot",
    "SnapshotError",
    "SnapshotInfo",
    "SnapshotNotFoundError",
    "SnapshotUsage",
    "TransferError",
    "UnavailableError",
    "Usage",
    "check_engine",
    "engine_names",
    "open_engine",
]
