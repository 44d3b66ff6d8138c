# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The one place where paths change their form.

Four forms meet in the API:

- an *OS path*: absolute, as ``os.fsdecode`` makes it;
- a *contents path*: what Jupyter's contents API calls a file: relative to the server's root,
  ``/`` separated, ``""`` for the root itself. Where a name holds bytes that are not UTF-8, which
  that API cannot name at all, the text form of the whole path stands in;
- a *folder path*: relative to a workspace's root, ``/`` separated;
- the *text form* of a folder path, see :mod:`dotscience_jupyter.records.paths`.

What is reachable is what the contents manager serves: a path is contained in the root by its
names, and a symbolic link inside the root may be read through, as in Jupyter's own file browser.
What is about to be *written* must lie inside the root after all links are resolved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from dotscience_jupyter.records.paths import from_text, to_text

from .errors import ApiError

_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def folder_path(text: str) -> str:
    """Return the folder path that a caller's text form stands for.

    Slashes at the end are dropped; ``""`` is the workspace's root.

    Raises
    ------
    ApiError
        403 ``forbidden_path`` if it is absolute or leads upwards, 400 ``invalid_request`` if it
        can name nothing.
    """
    path = from_text(text)
    if path.startswith("/"):
        raise ApiError(
            403,
            "forbidden_path",
            "Paths are relative to the workspace's root; this one is absolute.",
        )
    path = path.rstrip("/")
    if not path:
        return ""
    parts = path.split("/")
    if ".." in parts:
        raise ApiError(
            403, "forbidden_path", "A path of the workspace must not lead out of it with '..'."
        )
    if "\0" in path or "." in parts or "" in parts:
        raise ApiError(
            400,
            "invalid_request",
            f"{text!r} is not a path: it holds an empty name, '.' or a NUL character.",
        )
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ApiError(
            400, "invalid_request", "The path holds characters that no file name can hold."
        ) from None
    return path


class PathMapper:
    """Converts between contents paths and OS paths, contained in the contents root.

    Parameters
    ----------
    root : Path or None
        The contents root. None when there is no server (the command line): contents paths are
        then absolute OS paths, and nothing is out of bounds.
    resolve : callable, optional
        The contents manager's own conversion of a contents path to an OS path, which raises for
        what it does not serve. Without it the names alone decide.
    allow_hidden : bool
        Whether folders whose names start with a dot may be written to.
    """

    def __init__(
        self,
        root: Path | None,
        *,
        resolve: Callable[[str], str] | None = None,
        allow_hidden: bool = False,
    ) -> None:
        self.root = None if root is None else Path(os.path.abspath(root))
        self._resolve = resolve
        self._allow_hidden = allow_hidden

    def to_os(self, contents: str) -> Path:
        """Return the OS path of a contents path, which need not exist.

        Raises
        ------
        ApiError
            403 ``forbidden_path`` if it lies outside the root, 400 ``invalid_request`` if it can
            name nothing.
        """
        literal = self._to_os(contents)
        if _BYTE.search(contents) and not os.path.lexists(literal):
            other = self._to_os(from_text(contents))
            if os.path.lexists(other):
                return other
        return literal

    def _to_os(self, contents: str) -> Path:
        if "\0" in contents:
            raise ApiError(400, "invalid_request", "A path cannot hold a NUL character.")
        try:
            os.fsencode(contents)
        except UnicodeEncodeError:
            raise ApiError(
                400, "invalid_request", "The path holds characters that no file name can hold."
            ) from None
        if self.root is None:
            return Path(os.path.abspath(contents or "."))
        relative = contents.strip("/")
        parts = [part for part in relative.split("/") if part not in ("", ".")]
        if ".." in parts or os.path.splitdrive(relative)[0] or os.path.isabs(relative):
            raise self._outside()
        if self._resolve is not None:
            # the contents manager raises tornado's HTTPError, which this room does not know
            try:
                resolved = self._resolve(relative)
            except Exception:
                raise self._outside() from None
            path = Path(os.path.abspath(resolved))
        else:
            path = self.root.joinpath(*parts)
        if path != self.root and self.root not in path.parents:
            raise self._outside()
        return path

    def to_write(self, contents: str) -> Path:
        """Return the OS path of a contents path that is about to be written.

        Raises
        ------
        ApiError
            403 ``forbidden_path`` if a symbolic link leads out of the root, or if the server
            hides what it would make; and as :meth:`to_os`.
        """
        path = self.to_os(contents)
        if self.root is None:
            return path
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(self.root))
        if real != root and root not in real.parents:
            raise ApiError(
                403,
                "forbidden_path",
                "A symbolic link leads this path out of the folder that the server serves, so "
                "nothing is written there. Choose another folder.",
            )
        hidden = any(part.startswith(".") for part in path.relative_to(self.root).parts)
        if hidden and not self._allow_hidden:
            raise ApiError(
                403,
                "forbidden_path",
                "This server hides folders whose names start with a dot, so you would not see "
                "what is written there. Choose another folder.",
            )
        return path

    def to_contents(self, path: Path) -> str | None:
        """Return the contents path of an OS path, or None if the server does not serve it."""
        if self.root is None:
            return to_text(str(path))
        absolute = Path(os.path.abspath(path))
        if absolute != self.root and self.root not in absolute.parents:
            # the caller may hold the resolved name of what is served under another one
            absolute, root = Path(os.path.realpath(absolute)), Path(os.path.realpath(self.root))
            if absolute != root and root not in absolute.parents:
                return None
            relative = absolute.relative_to(root).parts
        else:
            relative = absolute.relative_to(self.root).parts
        contents = "/".join(relative)
        return to_text(contents) if _SURROGATE.search(contents) else contents

    def prefix(self, workspace: Path) -> str:
        """Return the folder path, in text form, of the contents root within a workspace around it.

        Empty when the workspace lies at or below the contents root.
        """
        if self.root is None or workspace == self.root or workspace not in self.root.parents:
            return ""
        return to_text("/".join(self.root.relative_to(workspace).parts))

    def scrub(self, message: str, *roots: Path) -> str:
        """Return a message without OS paths: those of the root and of others become relative."""
        if self.root is None:
            return message
        for root in sorted({str(self.root), *map(str, roots)}, key=len, reverse=True):
            if root != os.path.sep:
                message = message.replace(root + os.path.sep, "").replace(root, "this folder")
        return message

    @staticmethod
    def _outside() -> ApiError:
        return ApiError(
            403,
            "forbidden_path",
            "That path lies outside the folder that this server serves.",
        )
