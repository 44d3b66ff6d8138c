# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every route of the REST API, declared once.

The OpenAPI document is built from this table, the server's handlers read their parameters by it,
and a test holds that each entry has a handler and each handler an entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from . import models


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
    answer: type[models.Body] | None = None
    many: bool = False  # the answer is a JSON array of ``answer``
    body: type[models.Body] | None = None
    query: tuple[Param, ...] = ()
    statuses: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
    workspace: bool = True  # takes ``path`` and answers 404 no_workspace where there is none


PATH = Param(
    "path",
    "Contents path of any file or folder; the workspace at or above it is the one that is meant",
)
_OFFSET = Param("offset", "How many items to leave out", "integer", 0)


def _limit(default: int, maximum: int) -> Param:
    return Param("limit", "How many items at most", "integer", default, maximum=maximum)


ROUTES: tuple[Route, ...] = (
    Route(
        "getVersion",
        "GET",
        "/v1/version",
        "The server side's version",
        models.Version,
        workspace=False,
    ),
    Route("getOpenapi", "GET", "/v1/openapi.json", "This document", workspace=False),
    Route(
        "getWorkspace",
        "GET",
        "/v1/workspace",
        "The workspace that holds a path, or where one would be made",
        models.WorkspaceAnswer,
        query=(PATH,),
        errors=(400, 403),
        workspace=False,
    ),
    Route(
        "createWorkspace",
        "POST",
        "/v1/workspace",
        "Start tracking a folder; a folder that is tracked already answers 200",
        models.Workspace,
        body=models.CreateWorkspace,
        statuses=(200, 201),
        errors=(400, 403, 404, 409),
        workspace=False,
    ),
    Route(
        "getStatus",
        "GET",
        "/v1/status",
        "The committer's state and what changed since the newest commit",
        models.Status,
        query=(
            Param("fresh", "Look at the folder now, not at what was last seen", "boolean", False),
        ),
    ),
    Route(
        "listCommits",
        "GET",
        "/v1/commits",
        "Commits, newest first",
        models.CommitList,
        query=(_OFFSET, _limit(100, 1000)),
    ),
    Route(
        "createCommit",
        "POST",
        "/v1/commits",
        "Commit the workspace as it is now; 200 when nothing had changed",
        models.CommitResult,
        body=models.CreateCommit,
        statuses=(200, 201),
        errors=(409,),
    ),
    Route(
        "getCommit",
        "GET",
        "/v1/commits/{commit}",
        "A commit (id, unique prefix, HEAD or HEAD~n) with its flat metadata",
        models.CommitDetail,
        query=(
            Param(
                "content_id",
                "Compute its content id if it is not known, which may read all of its files",
                "boolean",
                False,
            ),
        ),
    ),
    Route(
        "listFiles",
        "GET",
        "/v1/commits/{commit}/files",
        "The children of a folder of a commit",
        models.FileList,
        query=(Param("under", "The folder, in text form; empty is the workspace's root"),),
    ),
    Route(
        "getFile",
        "GET",
        "/v1/commits/{commit}/files/{file...}",
        "A file's bytes as they were; ranges and If-None-Match are understood",
        statuses=(200, 206, 304),
        errors=(416,),
    ),
    Route(
        "restore",
        "POST",
        "/v1/commits/{commit}/restore",
        "Write a commit's files, or some of them, to a new folder",
        models.RestoreResult,
        body=models.Restore,
        statuses=(201,),
        errors=(403, 409),
    ),
    Route(
        "clone",
        "POST",
        "/v1/commits/{commit}/clone",
        "Make a new folder with a commit's content, which shares room with it where that can be",
        models.CloneResult,
        body=models.Clone,
        statuses=(201,),
        errors=(403, 409),
    ),
    Route(
        "rollback",
        "POST",
        "/v1/commits/{commit}/rollback",
        "Make the workspace's files what they were in a commit; what is there now is committed "
        "before, so that nothing is lost",
        models.RollbackResult,
        body=models.Rollback,
        errors=(409,),
    ),
    Route(
        "diff",
        "GET",
        "/v1/diff",
        "How the files of two commits differ, by path; a file that was renamed is one difference",
        models.Diff,
        query=(
            Param("old", "The older commit", required=True),
            Param("new", "The newer commit", required=True),
            Param("under", "Only what lies below this folder, in text form"),
            _OFFSET,
            _limit(1000, 10_000),
        ),
    ),
    Route(
        "getUsage",
        "GET",
        "/v1/usage",
        "How much room the stored content takes",
        models.Usage,
        query=(
            Param("each", "Also tell it of each snapshot, which takes longer", "boolean", False),
        ),
    ),
    Route(
        "listRuns",
        "GET",
        "/v1/runs",
        "Runs, newest first unless sorted",
        models.RunList,
        query=(
            Param(
                "where",
                "A condition, such as metrics.accuracy > 0.9 and parameters.model = 'svm'",
            ),
            Param("search", "Words that must occur in description, file, author, error or values"),
            Param("sort", "Keys, each with asc or desc or neither: metrics.accuracy desc, started"),
            _OFFSET,
            _limit(100, 1000),
        ),
    ),
    Route(
        "getRun",
        "GET",
        "/v1/runs/{run}",
        "Everything known of a run (id or unique prefix)",
        models.RunDetail,
    ),
    Route(
        "getSeries",
        "GET",
        "/v1/runs/{run}/series/{name...}",
        "The points of a metric over its steps",
        models.SeriesPoints,
        query=(
            Param(
                "points",
                "How many points at most; the extremes between them are kept",
                "integer",
                2000,
                minimum=2,
                maximum=1_000_000,
            ),
        ),
    ),
    Route(
        "getLog",
        "GET",
        "/v1/runs/{run}/logs/{name...}",
        "The end of a log that came with a run",
        models.LogText,
        query=(
            Param(
                "tail",
                "How many bytes at most, counted from the end",
                "integer",
                1_000_000,
                maximum=16_000_000,
            ),
        ),
    ),
    Route(
        "getLineage",
        "GET",
        "/v1/runs/{run}/lineage",
        "All runs that a run depends on, down to the raw data",
        models.Lineage,
    ),
    Route(
        "getOriginalStatus",
        "GET",
        "/status",
        "The committer's state, at the address that the original plugin asks; no-workspace where "
        "nothing is tracked",
        models.Status,
    ),
    Route(
        "putOriginalCommit",
        "PUT",
        "/commit",
        "Save and commit, at the address that the original plugin uses",
        models.CommitResult,
        query=(Param("description", "What the commit is about; may be empty", required=True),),
        errors=(409,),
    ),
    Route(
        "getOriginalCommits",
        "GET",
        "/commits",
        "All commits with their flat metadata, oldest first, in the original's shape",
        models.OriginalCommit,
        many=True,
    ),
)

_PLACEHOLDER = re.compile(r"\{(\w+)(\.\.\.)?\}")


def pattern(path: str) -> str:
    """Return the regular expression of a route's path; a group for each placeholder.

    >>> pattern("/v1/runs/{run}/series/{name...}")
    '/v1/runs/(?P<run>[^/]+)/series/(?P<name>.+)'
    """
    return _PLACEHOLDER.sub(
        lambda match: f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})", path
    ).replace(".json", r"\.json")


def placeholders(path: str) -> list[tuple[str, bool]]:
    """Return the names in a path's placeholders and whether each takes several segments."""
    return [(match[1], bool(match[2])) for match in _PLACEHOLDER.finditer(path)]


def find_route(method: str, path: str) -> Route:
    """Return the declaration of a verb on a path. Raise KeyError if there is none."""
    for route in ROUTES:
        if route.method == method and route.path == path:
            return route
    raise KeyError(f"{method} {path}")
