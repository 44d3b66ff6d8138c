# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Names of the original: dots and their branches, buckets, keys, and the ids of file systems."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass

from dotscience_jupyter.records import HEAD

NAME = re.compile(r"[a-zA-Z0-9_\-]{1,64}", re.ASCII)
MASTER = "master"
MAX_KEY = 4096
"""Bytes of a key at most."""

_OWN = ".dotscience"
_BRANCH_REF = "branch/"
_BUCKET = re.compile(r"([^:/]*):([^:@/]*)(?:@([^:@/]*))?")


class BadNameError(ValueError):
    """A name that cannot be one; the message says why, for users."""


def check_names(namespace: str, name: str, branch: str = "") -> None:
    """Raise BadNameError unless these can be the names of a dot and a branch (perhaps empty)."""
    for what, text in (("namespace", namespace), ("dot", name), ("branch", branch)):
        if what == "branch" and not text:
            continue
        if not NAME.fullmatch(text):
            raise BadNameError(
                f"{text[:80]!r} is not the name of a {what}: names are 1 to 64 letters (a-z), "
                "digits, dashes and underscores."
            )


def branch_ref(branch: str) -> str:
    """Return the ref that a branch is; ``master`` may be the empty text."""
    return HEAD if branch in ("", MASTER) else _BRANCH_REF + branch


def branches(refs: dict[str, str]) -> list[str]:
    """Return the names of the branches among refs, but for master, sorted."""
    return sorted(ref[len(_BRANCH_REF) :] for ref in refs if ref.startswith(_BRANCH_REF))


def filesystem_id(project: str, branch: str = "") -> str:
    """Return what clients take for the id of a branch's file system."""
    return project if branch in ("", MASTER) else f"{project}@{branch}"


def split_filesystem_id(text: str) -> tuple[str, str]:
    """Return a project's id and the branch ("" for master) that :func:`filesystem_id` joined."""
    project, _, branch = text.partition("@")
    return project, branch


def project_prefix(dot: str) -> str | None:
    """Return the first characters of the id of the project whose workspace dot has that name."""
    match = re.fullmatch(r"project-([0-9a-f]{8})-default-workspace", dot)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A branch of a dot, as the file endpoint names it."""

    namespace: str
    name: str
    branch: str = ""  # "" is master

    @classmethod
    def parse(cls, text: str) -> Bucket:
        """Read ``NAMESPACE:DOT`` or ``NAMESPACE:DOT@BRANCH``; raise BadNameError.

        The namespace may be any text: users of JupyterHub call theirs by their names there, see
        :meth:`.dots.Asker.namespace`.
        """
        match = _BUCKET.fullmatch(text)
        if match is None:
            raise BadNameError(
                f"{text[:160]!r} is not a bucket. It is written NAMESPACE:DOT or "
                "NAMESPACE:DOT@BRANCH."
            )
        branch = match[3] or ""
        check_names("any", match[2], branch)
        return cls(match[1], match[2], "" if branch == MASTER else branch)

    @property
    def title(self) -> str:
        """What the original calls it in its answers."""
        return "-".join(part for part in (self.namespace, self.name, self.branch) if part)


def clean_key(key: str) -> str:
    """Return a key of the file endpoint as a folder path.

    Raises
    ------
    BadNameError
        If no file could be there: it leaves the folder, is our own, or is too long.
    """
    path = posixpath.normpath(key) if key else ""
    parts = path.split("/")
    if not path or path == "." or path.startswith("/") or ".." in key.split("/"):
        raise BadNameError(f"{key[:160]!r} is not the path of a file in a dot.")
    if "\0" in path or len(os.fsencode(path)) > MAX_KEY:
        raise BadNameError("The path of the file is too long, or holds a NUL.")
    if any(len(os.fsencode(part)) > 255 for part in parts):
        raise BadNameError("A name in the path of the file has more than 255 bytes.")
    if parts[0] == _OWN:
        raise BadNameError(f"{_OWN} is our own folder in every workspace; it is never uploaded.")
    return path
