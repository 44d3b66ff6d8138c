# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finds runs (saved notebooks, the spool, what commands print), freezes the files and records both.

``Committer`` does the work, blocking, for whoever asks; ``Watcher`` asks as soon as files change.
"""

from __future__ import annotations

from .committer import Committer
from .recorder import WENT_BACK
from .types import Committed, CommitterError, CommitterStatus, FoundError
from .watcher import Watcher

__all__ = [
    "WENT_BACK",
    "Committed",
    "Committer",
    "CommitterError",
    "CommitterStatus",
    "FoundError",
    "Watcher",
]
