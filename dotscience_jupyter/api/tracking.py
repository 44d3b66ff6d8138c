# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making workspaces, and saying where one would be made."""

from __future__ import annotations

from pathlib import Path

from dotscience_jupyter.records import Workspace, WorkspaceError
from dotscience_jupyter.records.workspace import refusal, suggest_root

from .errors import ApiError
from .paths import PathMapper


def no_workspace() -> ApiError:
    """Return the error of a path that lies in no workspace."""
    return ApiError(
        404,
        "no_workspace",
        "This folder is not tracked. Start tracking it, publish a run in it, or use "
        "'jupyter dotscience init'.",
    )


def create_workspace(path: Path, mapper: PathMapper, *, force: bool = False) -> Workspace:
    """Make a folder a workspace.

    Raises
    ------
    ApiError
        404 ``not_found`` if there is no such folder, 409 ``refused`` if it is a home folder or the
        file system's root and ``force`` is not given, 403 ``unreadable`` if it cannot be written.
    """
    name = mapper.to_contents(path) or path.name
    if not path.is_dir():
        raise ApiError(404, "not_found", f"There is no folder {name!r}, so it cannot be tracked.")
    if not force and not Workspace.is_at(path) and refusal(path):
        raise ApiError(
            409,
            "refused",
            "A home folder or the root of the file system is not tracked unless told to (force). "
            "Choose a project's folder instead.",
        )
    try:
        return Workspace.create(path, force=force)
    except WorkspaceError as error:
        raise ApiError(403, "unreadable", mapper.scrub(str(error), path)) from None


def suggest(path: Path, mapper: PathMapper) -> tuple[str | None, str]:
    """Return the contents path of the folder that should be tracked for a path, or why none."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return None, "There is no such folder."
    for candidate in (suggest_root(folder), folder):
        contents = mapper.to_contents(candidate)
        if contents is not None and not refusal(candidate):
            return contents, ""
    return None, (
        "A home folder or the root of the file system is not tracked unless told to. "
        "Open or make a project's folder."
    )
