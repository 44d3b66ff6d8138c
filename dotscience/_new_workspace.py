# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making a workspace where a notebook has none, and reading a workspace's id.

This is the rule of ``docs/run-format.md`` section 3 in the standard library, since a kernel may run
in an environment that has nothing else of ours.
"""

from __future__ import annotations

import os

from ._text import dumps, new_id
from ._workspace import FILE, MARKER


class WorkspaceRefusedError(Exception):
    """No workspace can be made; the message says why."""


def workspace_id(root: str) -> str | None:
    """Return the id of the workspace in a folder, or None if it cannot be read."""
    try:
        with open(os.path.join(root, MARKER, FILE), encoding="utf-8") as file:
            text = file.read(65536)
    except (OSError, ValueError):
        return None
    # our own small file: not worth importing a JSON parser for, in a script's first publish
    value = text.partition('"id"')[2].partition('"')[2].partition('"')[0]
    return value or None


def suggest_root(path: str) -> str:
    """Return what should become the workspace of a folder: its Git work tree, else itself."""
    path = os.path.abspath(path)
    folder = path
    while True:
        if os.path.exists(os.path.join(folder, ".git")) and not refusal(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return path
        folder = parent


def refusal(root: str) -> str:
    """Return why a folder must not become a workspace unasked, or an empty string."""
    resolved = os.path.realpath(root)
    if os.path.dirname(resolved) == resolved:
        return "the root of the file system is not tracked unasked"
    home = os.path.realpath(os.path.expanduser("~"))
    if resolved == home or os.path.dirname(resolved) == "/home":
        return f"{root} is a home folder, which is not tracked unasked"
    return ""


def create_workspace(root: str) -> str:
    """Make a folder a workspace if it is none, and return it.

    Raises
    ------
    WorkspaceRefusedError
        If the folder is a home folder or ``/``, or cannot be written to.
    """
    reason = refusal(root)
    if reason:
        raise WorkspaceRefusedError(reason)
    # loaded in every kernel already, and only kernels make workspaces
    import datetime

    folder = os.path.join(root, MARKER)
    final = os.path.join(folder, FILE)
    id = new_id()
    document = {"format": 1, "id": id, "created": datetime.datetime.now(datetime.UTC).isoformat()}
    temporary = os.path.join(folder, f".workspace-{id}")
    try:
        os.makedirs(folder, exist_ok=True)
        try:
            with open(os.path.join(folder, ".gitignore"), "x", encoding="utf-8") as file:
                file.write("*\n")
        except FileExistsError:
            pass  # another creator's, or the user's own
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(dumps(document) + "\n")
        try:
            # a hard link never replaces: of two creators the first one wins
            os.link(temporary, final)
        except FileExistsError:
            pass  # the other creator's workspace is as good as ours
        except OSError:  # a file system without hard links
            if not os.path.exists(final):
                os.replace(temporary, final)
        if os.path.lexists(temporary):
            os.unlink(temporary)
    except OSError as error:
        raise WorkspaceRefusedError(
            f"{root} cannot be tracked ({error.strerror or error})"
        ) from None
    return root
