# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of the metric explorer and of runs that are under way."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import OFFSET, Param, Route, limit

_WHERE = (
    Param("where", "A condition, such as metrics.accuracy > 0.9 and parameters.model = 'svm'"),
    Param("search", "Words that must occur in description, file, author, error or values"),
)
_SORT = Param("sort", "Keys, each with asc or desc or neither: metrics.accuracy desc, started")
_COLUMNS = Param("columns", "Keys of columns, as a JSON array of strings", required=True)

ROUTES: tuple[Route, ...] = (
    Route("listColumns", "GET", "/v1/columns", "What runs have, as columns", models.ColumnList),
    Route(
        "getTable",
        "GET",
        "/v1/table",
        "A page of runs as rows of a table",
        models.Table,
        query=(*_WHERE, _SORT, _COLUMNS, OFFSET, limit(200, 1000)),
    ),
    Route(
        "getTableCsv",
        "GET",
        "/v1/table.csv",
        "All runs that match, as CSV",
        query=(*_WHERE, _SORT, _COLUMNS),
    ),
    Route(
        "getPoints",
        "GET",
        "/v1/points",
        "Values of many runs by column, for charts",
        models.Points,
        query=(*_WHERE, _COLUMNS, limit(5000, 20_000)),
    ),
    Route(
        "getImportance",
        "GET",
        "/v1/importance",
        "How much each parameter has to do with a metric",
        models.Importance,
        query=(*_WHERE, Param("metric", "The metric's key", required=True)),
    ),
    Route(
        "getOverlay",
        "GET",
        "/v1/overlay",
        "One metric over its steps for several runs, those under way included",
        models.Overlay,
        query=(
            Param("name", "The metric's name", required=True),
            Param("runs", "Ids, as a JSON array of at most 50 strings", required=True),
            Param(
                "points",
                "How many points a run at most; the extremes between them are kept",
                "integer",
                1000,
                minimum=2,
                maximum=100_000,
            ),
        ),
    ),
    Route(
        "completeWhere",
        "GET",
        "/v1/complete",
        "How a filter may go on",
        models.Completion,
        query=(
            Param("where", "The filter as it stands"),
            Param("position", "Where the cursor is, in characters", "integer", 0),
        ),
    ),
    Route(
        "listLiveRuns",
        "GET",
        "/v1/live",
        "Runs that have begun and are not published",
        models.LiveList,
    ),
    Route(
        "abandonRun",
        "POST",
        "/v1/live/{run}/abandon",
        "Record a run whose process is gone as failed",
        models.Abandoned,
        errors=(409,),
    ),
)
