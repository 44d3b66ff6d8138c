# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What moving commits needs to know of them, read from the lines that the records export."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A commit on its way; nothing of it is proved yet."""

    id: str
    snapshot: str
    parents: tuple[str, ...]


def read_line(text: bytes) -> Line:
    """Read a line. Raise ValueError if it is none, or not whole."""
    if not text.endswith(b"\n"):
        raise ValueError("it is not whole")
    try:
        document = json.loads(text)
        commit = document["commit"]
        found = Line(document["id"], commit["snapshot"], tuple(commit["parents"]))
    except (KeyError, TypeError, RecursionError):
        raise ValueError("it is no commit") from None
    if not all(isinstance(each, str) for each in (found.id, found.snapshot, *found.parents)):
        raise ValueError("it is no commit")
    return found
