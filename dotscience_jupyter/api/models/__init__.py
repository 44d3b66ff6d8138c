# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Request and response bodies of the REST API.

The OpenAPI document and the TypeScript types come from here. All paths are text forms (see
:mod:`dotscience_jupyter.records.paths`) except contents paths, which are as Jupyter's contents API
writes them; times are UTC ISO 8601.
Numbers that JSON cannot hold (NaN, infinities) are given as the strings ``nan``, ``inf``, ``-inf``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import (
        Body,
        LiveChange,
        Problem,
        Scalar,
    )
    from .clones import (
        CloneProject,
        CloneState,
        EndClone,
        NewestCommit,
        NewestCommits,
        ProjectClone,
        ProjectClones,
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
    from .comparison import (
        Blob,
        CellOutput,
        CellPair,
        ComparedFile,
        ComparedValue,
        Comparison,
        FileComparison,
        FileType,
        NotebookComparison,
        OutputPair,
        Side,
        TableCell,
        TableComparison,
        TableRow,
        TextComparison,
        TextRow,
    )
    from .datasets import (
        AttachDataset,
        AttachedDataset,
        CreateDataset,
        DatasetActivity,
        DatasetMode,
        DatasetPlace,
        DatasetStatus,
        DatasetUse,
        DatasetVersion,
        DatasetVersionList,
        DatasetWork,
        KnownDataset,
        KnownDatasets,
        ListedVersion,
        NameDataset,
        RestoreDatasets,
        SaveDataset,
    )
    from .explore import (
        Abandoned,
        Column,
        ColumnList,
        Completion,
        Importance,
        LiveList,
        LiveRun,
        LiveSeries,
        Overlay,
        ParameterWeight,
        Points,
        RunSeries,
        Suggestion,
        Table,
    )
    from .history import (
        BringBack,
        BringBackResult,
        FileHistory,
        FileVersion,
        ScratchCopy,
        ScratchCopyResult,
    )
    from .lineage import (
        Lineage,
        LineageNode,
    )
    from .merge import (
        Choice,
        Conflict,
        FinishMerge,
        Merge,
        MergeAnswer,
        MergeCell,
        MergeDetail,
        MergeFile,
        MergeResult,
        MergeSegment,
        Resolve,
        StartMerge,
    )
    from .provenance import (
        Graph,
        GraphEdge,
        GraphNode,
        GraphWorkspace,
        LineageChange,
        LineageComparison,
        ValueChange,
    )
    from .runs import (
        Cell,
        LogInfo,
        LogText,
        RunDataset,
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
    from .sync import (
        ConnectHub,
        HubLogin,
        HubLogins,
        HubProject,
        HubProjects,
        LogIn,
        LogOut,
        SyncActivity,
        SyncProgress,
        SyncRemote,
        SyncResult,
        SyncState,
        SyncStatus,
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
    "Abandoned",
    "AttachDataset",
    "AttachedDataset",
    "Blob",
    "Body",
    "BringBack",
    "BringBackResult",
    "Cell",
    "CellOutput",
    "CellPair",
    "ChangedFile",
    "Choice",
    "Clone",
    "CloneProject",
    "CloneResult",
    "CloneState",
    "Column",
    "ColumnList",
    "Commit",
    "CommitDetail",
    "CommitList",
    "CommitResult",
    "ComparedFile",
    "ComparedValue",
    "Comparison",
    "Completion",
    "Conflict",
    "ConnectHub",
    "CreateCommit",
    "CreateDataset",
    "CreateWorkspace",
    "DatasetActivity",
    "DatasetMode",
    "DatasetPlace",
    "DatasetStatus",
    "DatasetUse",
    "DatasetVersion",
    "DatasetVersionList",
    "DatasetWork",
    "Diff",
    "EndClone",
    "EngineState",
    "ErrorDetail",
    "FileComparison",
    "FileDifference",
    "FileEntry",
    "FileHistory",
    "FileList",
    "FileType",
    "FileVersion",
    "FinishMerge",
    "GcResult",
    "Graph",
    "GraphEdge",
    "GraphNode",
    "GraphWorkspace",
    "HubLogin",
    "HubLogins",
    "HubProject",
    "HubProjects",
    "Importance",
    "KnownDataset",
    "KnownDatasets",
    "Lineage",
    "LineageChange",
    "LineageComparison",
    "LineageNode",
    "ListedVersion",
    "LiveChange",
    "LiveList",
    "LiveRun",
    "LiveSeries",
    "LogIn",
    "LogInfo",
    "LogOut",
    "LogText",
    "Merge",
    "MergeAnswer",
    "MergeCell",
    "MergeDetail",
    "MergeFile",
    "MergeResult",
    "MergeSegment",
    "NameDataset",
    "NewestCommit",
    "NewestCommits",
    "NotebookComparison",
    "NotebookRuns",
    "OriginalCommit",
    "OutputPair",
    "Overlay",
    "ParameterWeight",
    "Points",
    "Problem",
    "ProjectClone",
    "ProjectClones",
    "RepairResult",
    "Resolve",
    "Restore",
    "RestoreDatasets",
    "RestoreResult",
    "Rollback",
    "RollbackResult",
    "RunDataset",
    "RunDetail",
    "RunFile",
    "RunList",
    "RunSeries",
    "RunSummary",
    "SaveDataset",
    "Scalar",
    "ScratchCopy",
    "ScratchCopyResult",
    "SeriesInfo",
    "SeriesPoints",
    "Side",
    "SnapshotUsage",
    "StartMerge",
    "Status",
    "Suggestion",
    "SyncActivity",
    "SyncProgress",
    "SyncRemote",
    "SyncResult",
    "SyncState",
    "SyncStatus",
    "Table",
    "TableCell",
    "TableComparison",
    "TableRow",
    "TextComparison",
    "TextRow",
    "Usage",
    "ValueChange",
    "VerifyProblem",
    "VerifyResult",
    "Version",
    "Workspace",
    "WorkspaceAnswer",
]

# where each body is: a command imports those that it needs
_MODULES = {
    "base": "Body LiveChange Problem Scalar",
    "clones": (
        "CloneProject CloneState EndClone NewestCommit NewestCommits ProjectClone ProjectClones"
    ),
    "commits": (
        "Commit CommitDetail CommitList CommitResult CreateCommit Diff FileDifference FileEntry "
        "FileList OriginalCommit"
    ),
    "comparison": (
        "Blob CellOutput CellPair ComparedFile ComparedValue Comparison FileComparison FileType "
        "NotebookComparison OutputPair Side TableCell TableComparison TableRow TextComparison "
        "TextRow"
    ),
    "datasets": (
        "AttachDataset AttachedDataset CreateDataset DatasetActivity DatasetMode DatasetPlace "
        "DatasetStatus DatasetUse DatasetVersion DatasetVersionList DatasetWork KnownDataset "
        "KnownDatasets ListedVersion NameDataset RestoreDatasets SaveDataset"
    ),
    "explore": (
        "Abandoned Column ColumnList Completion Importance LiveList LiveRun LiveSeries Overlay "
        "ParameterWeight Points RunSeries Suggestion Table"
    ),
    "history": ("BringBack BringBackResult FileHistory FileVersion ScratchCopy ScratchCopyResult"),
    "lineage": "Lineage LineageNode",
    "merge": (
        "Choice Conflict FinishMerge Merge MergeAnswer MergeCell MergeDetail MergeFile "
        "MergeResult MergeSegment Resolve StartMerge"
    ),
    "provenance": (
        "Graph GraphEdge GraphNode GraphWorkspace LineageChange LineageComparison ValueChange"
    ),
    "runs": (
        "Cell LogInfo LogText RunDataset RunDetail RunFile RunList RunSummary SeriesInfo "
        "SeriesPoints"
    ),
    "store": (
        "Clone CloneResult GcResult RepairResult Restore RestoreResult Rollback RollbackResult "
        "SnapshotUsage Usage VerifyProblem VerifyResult"
    ),
    "sync": (
        "ConnectHub HubLogin HubLogins HubProject HubProjects LogIn LogOut SyncActivity "
        "SyncProgress SyncRemote SyncResult SyncState SyncStatus"
    ),
    "workspace": (
        "ChangedFile CreateWorkspace EngineState ErrorDetail NotebookRuns Status Version "
        "Workspace WorkspaceAnswer"
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

if not TYPE_CHECKING:  # else mypy would take any name

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        return globals().setdefault(name, found)
