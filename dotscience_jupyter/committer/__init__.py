# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finds runs (saved notebooks, the spool, what commands print), freezes the files and records both.

``Committer`` does the work, blocking, for whoever asks; ``Watcher`` asks as soon as files change.
"""

from __future__ import annotations

from dotscience_jupyter.records.ancestry import WENT_BACK

from .committer import Committer
from .live import LiveRun
from .merging import MERGE_HOLD, MERGED, MergeWish, OverwrittenError, read_json, write_json
from .placing import Placed
from .types import Committed, CommitterError, CommitterStatus, FoundError
from .watcher import Watcher

__all__ = [
    "MERGED",
    "MERGE_HOLD",
    "WENT_BACK",
    "Committed",
    "Committer",
    "CommitterError",
    "CommitterStatus",
    "FoundError",
    "LiveRun",
    "MergeWish",
    "OverwrittenError",
    "Placed",
    "Watcher",
    "read_json",
    "write_json",
]
