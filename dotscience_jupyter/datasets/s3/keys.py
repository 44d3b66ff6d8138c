# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which keys can be files, and under which paths. A key may be any text, a path may not.

What cannot be a file, or would not be frozen, is left out and reported: nothing is ever written
outside of the dataset's folder, and no version holds less than it seems to.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from dotscience_jupyter.snapshots.embedded.editing import path_trouble
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, MARKERS, NEVER, IgnoreRules

MANIFEST = "dotscience-s3.json"
"""The file that says which objects a dataset points to."""

_SPECIAL = MARKERS | {IGNORE_FILE, MANIFEST}
"""Files that say what a dataset holds: from a bucket, they could hide the files beside them."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An object that was left out, and why."""

    key: str
    reason: str


class KeyRules:
    """Which keys become which paths of one dataset.

    Parameters
    ----------
    root
        The dataset's folder. Its own ignore file counts: a file that is not frozen is not fetched.
    prefix
        What all keys begin with and no path does.
    pinned
        Whether the objects are only pointed to: then nothing of them is frozen anyway.
    """

    def __init__(self, root: Path, prefix: str, *, pinned: bool = False) -> None:
        self._prefix = prefix
        self._ignore = None if pinned else IgnoreRules(root)
        self.folds = folds_names(root)

    def place(self, key: str) -> tuple[str, bool, str]:
        """Return the folder path of a key, whether it is a folder's, and why it is left out.

        The reason is "" if it is not left out.
        """
        path = key.removeprefix(self._prefix)
        folder = path.endswith("/")
        path = path[:-1] if folder else path
        reason = path_trouble(path) or _unfit(path)
        if not reason and self._ignore is not None and self._ignore.is_ignored(path, folder):
            reason = "files of this name are ignored, so no version would hold it"
        return path, folder, reason

    def name(self, path: str) -> str:
        """Return what two paths have in common if they are the same file on this file system."""
        return unicodedata.normalize("NFC", path).casefold() if self.folds else path


def _unfit(path: str) -> str:
    for name in path.split("/"):
        # on some file systems .Git is .git
        if unicodedata.normalize("NFKC", name).lower() in NEVER:
            return f"{name!r} could be taken for the folder of a version control"
        if name in _SPECIAL:
            return f"a file {name!r} would change what is versioned beside it"
    return ""


def folds_names(root: Path) -> bool:
    """Whether names that differ in case only are one file there."""
    return os.path.lexists(root / ".DOTSCIENCE")


def safe_path(path: object) -> bool:
    """Whether what a manifest says is the path of a file inside the folder that it lies in."""
    return isinstance(path, str) and not path_trouble(path) and not _unfit(path)
