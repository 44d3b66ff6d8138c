# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The truth: commits, runs and what belongs to them, in SQLite beside the work or in PostgreSQL.

Also what a workspace is (a tracked folder) and how paths are written where they leave the process.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AmbiguousError,
    ConflictError,
    DuplicateRunError,
    NotFoundError,
    RecordsError,
    RefusedError,
)
from .new import (
    DatasetVersion,
    NewChange,
    NewCommit,
    NewDatasetFile,
    NewFile,
    NewRun,
    NewSeries,
    NewValue,
)
from .paths import from_text, to_text
from .workspace import Workspace, WorkspaceError, suggest_root

if TYPE_CHECKING:
    from .exchange import Taken
    from .refs import HEAD
    from .store import Records
    from .where import WhereError

__all__ = [
    "HEAD",
    "AmbiguousError",
    "ConflictError",
    "DatasetVersion",
    "DuplicateRunError",
    "NewChange",
    "NewCommit",
    "NewDatasetFile",
    "NewFile",
    "NewRun",
    "NewSeries",
    "NewValue",
    "NotFoundError",
    "Records",
    "RecordsError",
    "RefusedError",
    "Taken",
    "WhereError",
    "Workspace",
    "WorkspaceError",
    "from_text",
    "suggest_root",
    "to_text",
]


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes a fifth of a second to import; finding a workspace does not need it
    module = {
        "HEAD": ".refs",
        "Records": ".store",
        "Taken": ".exchange",
        "WhereError": ".where",
    }.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module, __name__), name)
