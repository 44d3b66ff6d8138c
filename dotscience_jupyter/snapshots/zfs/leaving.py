# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a stream of ZFS would take along that a snapshot does not show.

A stream holds a data set as it is, so ignored files too: virtual environments, ``.git``, whatever
``.dotscienceignore`` names because nobody else shall have it. Our own folder, and caches whose
content is the same as what is shown, may leave.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from dotscience_jupyter.snapshots.engine import PathNotFoundError
from dotscience_jupyter.snapshots.ignore import FILES
from dotscience_jupyter.snapshots.native.tree import Open, Tree

_OURS = ".dotscience"
_CACHES = FILES | {
    ".ipynb_checkpoints",
    ".virtual_documents",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}


def unshown(tree: Tree) -> str:
    """Return the path of something in a tree that is not shown and is not to leave; "" if none."""
    with tree.top() as top:
        return _in_folder(tree, top)


def _in_folder(tree: Tree, folder: Open) -> str:
    nodes = tree.children(folder)
    shown = {node.name for node in nodes}
    for name in os.listdir(folder.fd):
        if name not in shown and not _may_leave(folder.place(name)):
            status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            if _has_content(status):
                return folder.place(name)
    for node in nodes:
        if stat.S_ISDIR(node.status.st_mode):
            with tree.inside(folder, node.name) as below:
                found = "" if below is None else _in_folder(tree, below)
            if found:
                return found
    return ""


def unshown_of(tree: Tree, paths: Iterable[str]) -> str:
    """Return the first of some paths that is there and not shown, and is not to leave."""
    for path in paths:
        if not path or _may_leave(path):
            continue
        try:
            status = os.lstat(f"{tree.root}/{path}")
        except OSError:
            continue  # it is what went
        try:
            tree.node(path)
        except PathNotFoundError:
            if _has_content(status):
                return path
    return ""


def _may_leave(path: str) -> bool:
    parts = path.split("/")
    return parts[0] == _OURS or not _CACHES.isdisjoint(parts)


def _has_content(status: os.stat_result) -> bool:
    mode = status.st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
