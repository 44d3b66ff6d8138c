# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Request and response bodies of the REST API.

The OpenAPI document and the TypeScript types come from here. All paths are text forms (see
:mod:`dotscience_jupyter.records.paths`) except contents paths, which are as Jupyter's contents API
writes them; times are UTC ISO 8601.
Numbers that JSON cannot hold (NaN, infinities) are given as the strings ``nan``, ``inf``, ``-inf``.
"""

from __future__ import annotations

from .base import (
    Body,
    LiveChange,
    Problem,
    Scalar,
)
from .commits import (
    Commit,
    CommitDetail,
    CommitList,
    CommitResult,
    CreateCommit,
    Diff,
    FileDifference,
    FileEntry,
    FileList,
    OriginalCommit,
)
from .lineage import (
    Lineage,
    LineageNode,
)
from .runs import (
    Cell,
    LogInfo,
    LogText,
    RunDetail,
    RunFile,
    RunList,
    RunSummary,
    SeriesInfo,
    SeriesPoints,
)
from .store import (
    Clone,
    CloneResult,
    GcResult,
    RepairResult,
    Restore,
    RestoreResult,
    Rollback,
    RollbackResult,
    SnapshotUsage,
    Usage,
    VerifyProblem,
    VerifyResult,
)
from .workspace import (
    ChangedFile,
    CreateWorkspace,
    EngineState,
    ErrorDetail,
    NotebookRuns,
    Status,
    Version,
    Workspace,
    WorkspaceAnswer,
)

__all__ = [
    "Body",
    "Cell",
    "ChangedFile",
    "Clone",
    "CloneResult",
    "Commit",
    "CommitDetail",
    "CommitList",
    "CommitResult",
    "CreateCommit",
    "CreateWorkspace",
    "Diff",
    "EngineState",
    "ErrorDetail",
    "FileDifference",
    "FileEntry",
    "FileList",
    "GcResult",
    "Lineage",
    "LineageNode",
    "LiveChange",
    "LogInfo",
    "LogText",
    "NotebookRuns",
    "OriginalCommit",
    "Problem",
    "RepairResult",
    "Restore",
    "RestoreResult",
    "Rollback",
    "RollbackResult",
    "RunDetail",
    "RunFile",
    "RunList",
    "RunSummary",
    "Scalar",
    "SeriesInfo",
    "SeriesPoints",
    "SnapshotUsage",
    "Status",
    "Usage",
    "VerifyProblem",
    "VerifyResult",
    "Version",
    "Workspace",
    "WorkspaceAnswer",
]
