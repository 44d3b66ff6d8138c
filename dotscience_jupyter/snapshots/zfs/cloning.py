# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making a writable folder that shares its content with a snapshot: a clone of ZFS."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable

from dotscience_jupyter.snapshots.engine import Kind, SnapshotError
from dotscience_jupyter.snapshots.native.tree import Open, Tree

from . import command, names
from .libzfs import Libzfs


def clone(
    libzfs: Libzfs,
    volume: str,
    snapshot: str,
    to: str,
    is_other: Callable[[os.stat_result, os.stat_result], bool],
) -> None:
    """Clone a snapshot into a new dataset beside the volume, and mount it; takes root.

    What snapshots do not show (ignored files, our own folder) is removed from it.

    Raises
    ------
    SnapshotError
        If that cannot be done; the dataset is destroyed again.
    """
    # beside it, so that destroying the volume with all below it does not take somebody's work
    name = f"{volume}-clone-{secrets.token_hex(4)}"
    if "/" not in volume:
        name = f"{volume}/clone-{secrets.token_hex(4)}"
    libzfs.clone(name, snapshot, {"mountpoint": to})
    try:
        if not names.mount_point(name):
            command.run("mount a clone", name, "mount", name)
        _strip(Tree(to, is_other))
    except BaseException as error:
        with contextlib.suppress(SnapshotError):
            libzfs.destroy(name)
        with contextlib.suppress(OSError):
            os.rmdir(to)
        if isinstance(error, OSError):
            raise SnapshotError(
                f"The snapshot could not be cloned to {to}: {error.strerror or error}. What had "
                "been made was removed again; the snapshot is untouched."
            ) from error
        raise


def _strip(tree: Tree) -> None:
    with tree.top() as top:
        _strip_folder(tree, top)


def _strip_folder(tree: Tree, folder: Open) -> None:
    status = os.fstat(folder.fd)
    shown = {node.name: node for node in tree.children(folder)}
    for name in os.listdir(folder.fd):
        if name not in shown:
            _remove(name, folder.fd)
    for node in shown.values():
        if node.kind is Kind.FOLDER:
            with tree.inside(folder, node.name) as inside:
                if inside is not None:
                    _strip_folder(tree, inside)
    os.utime(folder.fd, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(name: str, fd: int) -> None:
    if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=fd)
    else:
        os.unlink(name, dir_fd=fd)
