# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding the workspaces around a server's root without crawling somebody's home."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

from dotscience_jupyter.records import Workspace, WorkspaceError

# never projects, often huge; whatever starts with a dot is left out as well
IGNORED = frozenset(
    {"node_modules", "__pycache__", "site-packages", "dist-packages", "venv", "env", "Library"}
)


def discover(root: Path, *, depth: int = 3, most: int = 2000) -> list[Workspace]:
    """Return the workspaces at, above and below a folder.

    Parameters
    ----------
    root : Path
        Where to begin.
    depth : int
        How many levels below ``root`` are looked at; 0 looks at ``root`` and above only.
    most : int
        How many folders are looked into at most, the shallow ones first.

    Returns
    -------
    list of Workspace
        Each once; the one that holds ``root`` first, then by depth. Unreadable folders, symbolic
        links, hidden folders and virtual environments are passed over.
    """
    found: dict[Path, Workspace] = {}
    try:
        around = Workspace.find(root)
    except WorkspaceError:
        around = None  # it says so as soon as somebody asks for it
    if around is not None:
        found[around.root] = around
    waiting = deque([(root, 0)])
    looked = 0
    while waiting and looked < most:
        folder, level = waiting.popleft()
        looked += 1
        try:
            with os.scandir(folder) as entries:
                names = {entry.name: _is_folder(entry) for entry in entries}
        except OSError:
            continue
        if names.get(".dotscience") and folder not in found:
            # a half-made or foreign folder of that name is no workspace
            with contextlib.suppress(WorkspaceError):
                found[folder] = Workspace.at(folder)
        if level >= depth or "pyvenv.cfg" in names:
            continue
        for name in sorted(names):
            if names[name] and not name.startswith(".") and name not in IGNORED:
                waiting.append((folder / name, level + 1))
    return list(found.values())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def has_waiting_work(workspace: Workspace) -> bool:
    """Whether something was left in the spool or by a task while nobody watched.

    ``bad`` is where the committer puts what it could not read.
    """
    for folder in (workspace.spool, workspace.tasks):
        try:
            with os.scandir(folder) as entries:
                if any(entry.name != "bad" and entry.name[0] != "." for entry in entries):
                    return True
        except OSError:
            continue
    return False


def holds_run(path: Path) -> bool:
    """Whether a file holds the beginning of a published run; reads it in pieces."""
    mark = b"DOTSCIENCE-RUN:"
    tail = b""
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                if mark in tail + piece:
                    return True
                tail = piece[-len(mark) :]
    except OSError:
        return False
    return False
