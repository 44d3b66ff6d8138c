# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of a file's versions."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import OFFSET, Param, Route, limit

ROUTES: tuple[Route, ...] = (
    Route(
        "getHistory",
        "GET",
        "/v1/history",
        "The versions of a file, newest first, followed through renames",
        models.FileHistory,
        query=(Param("file", "In text form", required=True), OFFSET, limit(100, 1000)),
    ),
    Route(
        "bringBack",
        "POST",
        "/v1/commits/{commit}/bring-back",
        "Put a file of a commit in the place of the present one, which is committed before",
        models.BringBackResult,
        body=models.BringBack,
        errors=(403, 409),
    ),
    Route(
        "scratchCopy",
        "POST",
        "/v1/commits/{commit}/scratch-copy",
        "Copy a file of a commit beside the present one, under a new name",
        models.ScratchCopyResult,
        body=models.ScratchCopy,
        statuses=(201,),
        errors=(403, 409),
    ),
)
