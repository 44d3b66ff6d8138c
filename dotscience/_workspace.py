# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding the workspace at or above a folder, as git finds a repository."""

from __future__ import annotations

import os

MARKER = ".dotscience"
FILE = "workspace.json"


def find_workspace(path: str) -> str | None:
    """Return the root of the workspace at or above a folder, or None."""
    folder = os.path.abspath(path)
    while True:
        if os.path.isfile(os.path.join(folder, MARKER, FILE)):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def find_root() -> str:
    """Return the folder that a run's paths are relative to (section 1 of the format)."""
    root = os.environ.get("DOTSCIENCE_PROJECT_DOT_ROOT")
    if root:
        return root
    try:
        here = os.getcwd()
    except OSError:  # the current folder was removed: relative paths mean nothing here
        return os.sep
    return find_workspace(here) or here
