# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A copy of a folder, for a dataset of files that lie inside of a workspace."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from pathlib import Path

from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots import Progress

from .errors import DatasetError


def copy_folder(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copy a folder's files and links; the copy is there whole, or it is not there.

    Sockets, pipes and devices have no content and are left out, and so is what makes a folder a
    workspace.

    Parameters
    ----------
    source
        The folder.
    target
        Where the copy is to be; nothing, or an empty folder.
    progress
        Told of the files that were copied.

    Raises
    ------
    DatasetError
        ``exists`` if something is at the target; ``unreadable`` if a file cannot be read, or the
        copy not be written. The folder is as it was, and there is no copy.
    """
    if target.is_dir() and any(target.iterdir()):
        raise DatasetError(
            "exists",
            f"There is a folder {target} with files in it already. Nothing was changed; choose "
            "another name.",
        )
    part = target.with_name(f".~{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        try:
            _copy(source, part, progress)
            if target.is_dir():
                target.rmdir()
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        what = error.filename or source
        raise DatasetError(
            "unreadable",
            f"{what} cannot be copied ({error.strerror or error}). Your files are as they were, "
            "and no dataset was made.",
        ) from None


def _copy(source: Path, target: Path, progress: Progress | None) -> None:
    count = 0
    for folder, names, files in os.walk(source, onerror=_fail):
        place = os.path.join(target, os.path.relpath(folder, source))
        names[:] = [name for name in names if name != MARKER]
        for name in (*names, *files):
            path, copy = os.path.join(folder, name), os.path.join(place, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(path), copy)
            elif stat.S_ISDIR(mode):
                os.mkdir(copy)
            elif stat.S_ISREG(mode):
                shutil.copy2(path, copy)
                # also what comes from a version that nobody may change
                os.chmod(copy, stat.S_IMODE(mode) | stat.S_IWUSR)
                count += 1
                if progress is not None:
                    progress(count, 0, "Copying files")


def _fail(error: OSError) -> None:
    raise error
