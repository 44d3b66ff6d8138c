# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Versions of datasets as folders that nobody changes, shared by all workspaces of this machine."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from filelock import FileLock, Timeout

from dotscience_jupyter.snapshots import Progress

from .dataset import Dataset
from .errors import DatasetError

FOLDER = "checkouts"
_LOCK_SECONDS = 3600.0
_COMMIT = re.compile(r"[0-9a-f]{64}")
_WRITING = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def place(folder: Path, id: str, commit: str) -> Path:  # noqa: A002 - as everywhere here
    """Return where the checkout of a commit is, or would be."""
    return folder / FOLDER / id / commit


def version_of(target: Path, id: str) -> str | None:  # noqa: A002 - as everywhere here
    """Return the commit that a folder is a checkout of; None if it is none of that dataset."""
    if target.parent.name == id and target.parent.parent.name == FOLDER:
        return target.name if _COMMIT.fullmatch(target.name) else None
    return None


def check_out(
    folder: Path, dataset: Dataset, commit: str, progress: Progress | None = None
) -> Path:
    """Write a version of a dataset into a folder of its own, unless that is there.

    Files and folders there are not to be written to, so that what runs read is what the version
    holds.

    Parameters
    ----------
    folder
        Ours in Jupyter's data folder.
    dataset
        The dataset.
    commit
        Whole id of one of its commits.
    progress
        Told of the progress.

    Raises
    ------
    DatasetError, RecordsError, SnapshotError
        Nothing is there then.
    """
    target = place(folder, dataset.id, commit)
    if _is_protected(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock", timeout=_LOCK_SECONDS):
            if not target.is_dir():
                with dataset.opened() as found:
                    snapshot = found.records.get_commit(commit).snapshot
                    # it is moved into place whole
                    found.engine.restore(snapshot, target, progress=progress)
            # also after somebody else was killed between the two
            if not _is_protected(target):
                _protect(target)
    except Timeout:
        raise DatasetError(
            "busy",
            f"Another program has been writing {dataset.name} at {commit[:12]} for an hour. "
            "Nothing was changed; try again when it is done.",
        ) from None
    except OSError as error:
        raise DatasetError(
            "unreadable",
            f"The version {commit[:12]} of {dataset.name} cannot be written to {target} "
            f"({error.strerror or error}). The dataset itself is not affected.",
        ) from None
    return target


def _is_protected(target: Path) -> bool:
    """Whether a checkout is there and its top folder cannot be written to."""
    return target.is_dir() and not target.stat().st_mode & _WRITING


def _protect(target: Path) -> None:
    """Take the permission to write from everybody, of the top folder last."""
    for folder, _, files in os.walk(target, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~_WRITING)
        os.chmod(folder, stat.S_IMODE(os.lstat(folder).st_mode) & ~_WRITING)
