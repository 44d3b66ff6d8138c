# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of a merge."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import Param, Route

ROUTES: tuple[Route, ...] = (
    Route(
        "getMerge", "GET", "/v1/merge", "The merge that is under way, if any", models.MergeAnswer
    ),
    Route(
        "startMerge",
        "POST",
        "/v1/merge",
        "Begin to take another commit's changes into the workspace; nothing is written to it yet",
        models.Merge,
        body=models.StartMerge,
        statuses=(201,),
        errors=(409,),
    ),
    Route(
        "getMergeFile",
        "GET",
        "/v1/merge/file",
        "How one file is merged",
        models.MergeDetail,
        query=(Param("file", "In text form", required=True),),
    ),
    Route(
        "resolve",
        "POST",
        "/v1/merge/resolve",
        "Choose what becomes of a conflict",
        models.MergeDetail,
        body=models.Resolve,
        errors=(409,),
    ),
    Route(
        "finishMerge",
        "POST",
        "/v1/merge/finish",
        "Write the result and commit it with both parents; refused while a conflict is open",
        models.MergeResult,
        body=models.FinishMerge,
        errors=(409,),
    ),
    Route(
        "abortMerge",
        "POST",
        "/v1/merge/abort",
        "Give the merge up; the workspace is as it was, bit for bit",
        models.MergeResult,
        errors=(409,),
    ),
)
