# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The one REST API: what can be asked of a workspace, the bodies, the routes and their document.

:class:`WorkspaceService` answers; the server's handlers and the command line are thin around it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ApiError
from .paths import PathMapper

if TYPE_CHECKING:
    from .service import WorkspaceService

__all__ = ["ApiError", "PathMapper", "WorkspaceService"]


def __getattr__(name: str) -> Any:
    # the service brings the database and the engines along; the bodies and routes need neither
    if name == "WorkspaceService":
        return import_module(".service", __name__).WorkspaceService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
