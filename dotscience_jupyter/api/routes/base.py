# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a route is, and how its path is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dotscience_jupyter.api.models import Body


@dataclass(frozen=True, slots=True)
class Param:
    """A query parameter."""

    name: str
    description: str
    kind: Literal["string", "integer", "boolean"] = "string"
    default: str | int | bool = ""
    required: bool = False
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One verb on one path.

    ``{name}`` in a path stands for one segment, ``{name...}`` for all that follows, slashes
    included. ``answer`` is None when the answer is a file's bytes or the OpenAPI document.
    """

    operation: str
    method: Literal["GET", "POST", "PUT"]
    path: str
    summary: str
    answer: type[Body] | None = None
    many: bool = False  # the answer is a JSON array of ``answer``
    body: type[Body] | None = None
    query: tuple[Param, ...] = ()
    statuses: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
    workspace: bool = True  # takes ``path`` and answers 404 no_workspace where there is none


PATH = Param(
    "path",
    "Contents path of any file or folder; the workspace at or above it is the one that is meant",
)
OFFSET = Param("offset", "How many items to leave out", "integer", 0)


def limit(default: int, maximum: int) -> Param:
    """Return the parameter of a page's length."""
    return Param("limit", "How many items at most", "integer", default, maximum=maximum)


_PLACEHOLDER = re.compile(r"\{(\w+)(\.\.\.)?\}")


def pattern(path: str) -> str:
    """Return the regular expression of a route's path; a group for each placeholder.

    >>> pattern("/v1/runs/{run}/series/{name...}")
    '/v1/runs/(?P<run>[^/]+)/series/(?P<name>.+)'
    """
    return (
        _PLACEHOLDER.sub(lambda match: f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})", path)
        .replace(".json", r"\.json")
        .replace(".csv", r"\.csv")
    )


def placeholders(path: str) -> list[tuple[str, bool]]:
    """Return the names in a path's placeholders and whether each takes several segments."""
    return [(match[1], bool(match[2])) for match in _PLACEHOLDER.finditer(path)]
