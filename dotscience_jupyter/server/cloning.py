# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a server clones, and the events about it."""

from __future__ import annotations

import asyncio
from typing import Any

from dotscience_jupyter.api import models
from dotscience_jupyter.api.clones import Clones

from .opened import Emit, Log


def open_clones(emit: Emit, log: Log) -> Clones:
    """Return what clones projects and tells of it by events; on the event loop only."""
    loop = asyncio.get_running_loop()

    def told(clone: models.ProjectClone) -> None:
        try:
            loop.call_soon_threadsafe(emit, _event(clone))
        except RuntimeError:
            log.debug("The server has stopped; the clone of %s is not told of.", clone.name)

    return Clones(told)


def _event(clone: models.ProjectClone) -> dict[str, Any]:
    return {
        "workspace": clone.folder,
        "workspace_id": "",
        "action": "clone",
        "state": "error" if clone.state == "failed" else "clean",
        "changed": 0,
        "message": clone.message,
        "head": None,
        "runs": [],
        "total_runs": 0,
        "clone": clone.model_dump(mode="json"),
    }
