# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Turning the paths that runs declare into folder paths of the workspace."""

from __future__ import annotations

import os
from pathlib import Path

from dotscience_jupyter.records.workspace import MARKER

from .record import FoundRun


class Rebaser:
    """Resolves declared paths against one workspace; nothing but names is looked at unless said."""

    def __init__(self, root: Path, workspace_id: str) -> None:
        self.root = str(root)
        self._real = os.path.realpath(root)
        self._id = workspace_id

    def base_of(self, run: FoundRun) -> str:
        """Return the absolute folder that a run's declared paths are relative to.

        A record says it. If its folder is gone (the workspace was moved, or is a copy on another
        machine) and the record is of this workspace, it is the workspace's root, as the library
        takes it. Where only the text is known it is the root, unless none of the files is there and
        they are beside the notebook.
        """
        if run.root is not None:
            if (
                run.workspace == self._id
                and self.inside(run.root) is None
                and not os.path.isdir(run.root)
            ):
                return self.root
            return run.root
        if run.notebook is not None and "/" in run.notebook:
            declared = [*run.text.inputs, *run.text.outputs]
            beside = os.path.join(self.root, os.path.dirname(run.notebook))
            if (
                declared
                and not any(os.path.lexists(os.path.join(self.root, path)) for path in declared)
                and any(os.path.lexists(os.path.join(beside, path)) for path in declared)
            ):
                return beside
        return self.root

    def inside(self, path: str) -> str | None:
        """Return the folder path of an absolute path, "" for the root, or None when it is outside.

        The workspace may have been reached through a link, by us or by the program.
        """
        path = os.path.normpath(path)
        for candidate in (path, None):
            if candidate is None:
                # the folder is resolved, not the file: a link is versioned as a link
                head, tail = os.path.split(path)
                candidate = os.path.join(os.path.realpath(head), tail)
            for root in (self.root, self._real):
                if candidate == root:
                    return ""
                if candidate.startswith(root.rstrip(os.sep) + os.sep):
                    relative = candidate[len(root.rstrip(os.sep)) + 1 :]
                    return relative.replace(os.sep, "/")
        return None

    def resolve(self, base: str, path: str) -> tuple[str, bool]:
        """Return a declared path as a folder path and True, or as an absolute path and False."""
        full = os.path.normpath(os.path.join(base, path))
        inside = self.inside(full)
        if inside is None or inside == MARKER or inside.startswith(MARKER + "/"):
            return full.replace(os.sep, "/"), False
        return inside, True

    def notebook_hint(self, hint: object) -> str | None:
        """Return the notebook that a kernel means: absolute, or relative to a server's root."""
        if not isinstance(hint, str) or not hint.endswith(".ipynb"):
            return None
        if os.path.isabs(hint):
            inside = self.inside(hint)
            if inside and os.path.isfile(os.path.join(self.root, inside)):
                return inside
            return None
        parts = [part for part in hint.replace(os.sep, "/").split("/") if part not in ("", ".")]
        if ".." in parts:
            return None
        # the server's root may be the workspace or any folder above it
        for start in range(len(parts)):
            candidate = "/".join(parts[start:])
            if os.path.isfile(os.path.join(self.root, candidate)):
                return candidate
        return None
