# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking out of a writable copy of a snapshot what snapshots do not show."""

from __future__ import annotations

import os

from dotscience_jupyter.snapshots import staging
from dotscience_jupyter.snapshots.engine import Kind

from .tree import Open, Tree


def strip(tree: Tree) -> None:
    """Remove ignored files, and our own folder, from a tree that may be written."""
    with tree.top() as folder:
        _strip(tree, folder)


def _strip(tree: Tree, folder: Open) -> None:
    shown = {node.name: node for node in tree.children(folder)}
    hidden = [name for name in os.listdir(folder.fd) if name not in shown]
    status = os.fstat(folder.fd)
    if hidden:
        os.fchmod(folder.fd, status.st_mode & 0o7777 | 0o700)
        for name in hidden:
            staging.remove(f"/proc/self/fd/{folder.fd}/{name}")
    for node in shown.values():
        if node.kind is Kind.FOLDER:
            with tree.inside(folder, node.name) as inside:
                if inside is not None:
                    _strip(tree, inside)
    if hidden:
        os.fchmod(folder.fd, status.st_mode & 0o7777)
        os.utime(folder.fd, ns=(status.st_atime_ns, status.st_mtime_ns))
