# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshot engines: they freeze a folder, tell what changed, and give back what was frozen.

``engine`` is the interface, ``embedded`` what works anywhere; others come by entry points.
"""

from .embedded import EmbeddedEngine
from .engine import (
    Change,
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    Kind,
    LiveChange,
    PathNotFoundError,
    Problem,
    Progress,
    Skipped,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
    Usage,
)
from .finding import open_engine
from .ignore import IgnoreRules

__all__ = [
    "Change",
    "CorruptStoreError",
    "Difference",
    "EmbeddedEngine",
    "Engine",
    "Entry",
    "IgnoreRules",
    "Kind",
    "LiveChange",
    "PathNotFoundError",
    "Problem",
    "Progress",
    "Skipped",
    "Snapshot",
    "SnapshotError",
    "SnapshotNotFoundError",
    "Usage",
    "open_engine",
]
