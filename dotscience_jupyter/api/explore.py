# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table, points and series; runs that are under way."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from dotscience_jupyter.committer import LiveRun
from dotscience_jupyter.records import NotFoundError, WhereError, completing
from dotscience_jupyter.records.columns import ColumnFacts
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.records.where import Field, parse_field, write_field

from . import bodies, models
from .core import Core
from .csvtext import csv_row
from .errors import ApiError
from .importance import MOST_RUNS, weights

MOST_COLUMNS = 500
MOST_OVERLAID = 50


class Exploring:
    """Many runs as a table, points and series; runs that are under way.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tables = core.records.tables

    def columns(self) -> models.ColumnList:
        """Return all that runs have: fields, then parameters, metrics and labels by name."""
        with self._core.errors():
            found = self._tables.columns()
        return models.ColumnList(items=[_column(facts) for facts in found])

    def table(
        self,
        where: str = "",
        search: str = "",
        sort: str = "",
        columns: str = "[]",
        offset: int = 0,
        limit: int = 200,
    ) -> models.Table:
        """Return a page of runs as rows.

        Raises
        ------
        ApiError
            400 ``invalid_where`` or ``invalid_request`` if something asked for is not understood.
        """
        keys = _strings(columns, "columns", MOST_COLUMNS)
        fields = [_field(key) for key in keys]
        with self._core.errors():
            page = self._tables.page(
                fields, where=where, search=search, sort=sort, offset=offset, limit=limit
            )
        best = {
            key: list(page.extremes[field])
            for key, field in zip(keys, fields, strict=True)
            if field in page.extremes
        }
        return models.Table(
            columns=keys,
            runs=page.ids,
            rows=page.rows,
            best=best,
            total=page.total,
            offset=offset,
            head=page.head,
        )

    def csv(
        self, where: str = "", search: str = "", sort: str = "", columns: str = "[]"
    ) -> Iterator[str]:
        """Yield all runs that match as CSV (RFC 4180), a head of keys first.

        What is wrong with the request is raised before the first text.
        """
        keys = _strings(columns, "columns", MOST_COLUMNS)
        fields = [_field(key) for key in keys]
        core, tables = self._core, self._tables
        batches = tables.batches(fields, where=where, search=search, sort=sort)
        with core.errors():
            first = next(batches, [])

        def texts() -> Iterator[str]:
            # a byte order mark, without which spreadsheets take the text for the system's encoding
            yield "\ufeff" + csv_row(keys)
            rows = first
            while rows:
                yield "".join(map(csv_row, rows))
                with core.errors():
                    rows = next(batches, [])

        return texts()

    def points(
        self, where: str = "", search: str = "", columns: str = "[]", limit: int = 5000
    ) -> models.Points:
        """Return values of the runs that match, newest first, or of some, evenly chosen."""
        keys = _strings(columns, "columns", MOST_COLUMNS)
        fields = [_field(key) for key in keys]
        with self._core.errors():
            page = self._tables.sample(fields, max(1, limit), where=where, search=search)
        by_column = zip(*page.rows, strict=True) if page.rows else [()] * len(keys)
        return models.Points(
            columns={key: list(values) for key, values in zip(keys, by_column, strict=False)},
            runs=page.ids,
            total=page.total,
            sampled=len(page.ids) < page.total,
        )

    def importance(self, metric: str, where: str = "", search: str = "") -> models.Importance:
        """Return how much each parameter has to do with a metric, of at most 10,000 runs."""
        field = _field(metric)
        with self._core.errors():
            found = self._tables.columns()
            parameters = [facts.field for facts in found if facts.field.kind == "parameter"]
            page = self._tables.sample(
                [field, *parameters[:MOST_COLUMNS]], MOST_RUNS, where=where, search=search
            )
        numbers = [row[0] for row in page.rows]
        columns = {
            write_field(each): [row[place] for row in page.rows]
            for place, each in enumerate(parameters[:MOST_COLUMNS], 1)
        }
        runs, items = weights(numbers, columns)
        return models.Importance(
            metric=metric,
            runs=runs,
            items=[
                models.ParameterWeight(
                    key=each.key,
                    runs=each.runs,
                    distinct=each.distinct,
                    pearson=each.pearson,
                    spearman=each.spearman,
                    importance=each.importance,
                )
                for each in items
            ],
        )

    def overlay(self, name: str, runs: str = "[]", points: int = 1000) -> models.Overlay:
        """Return one metric of several runs over its steps; runs without it are left out."""
        items = []
        ids = _strings(runs, "runs", MOST_OVERLAID)
        with self._core.errors():
            under_way = {run.id: run for run in self._core.committer.live.look()}
        for id_ in dict.fromkeys(ids):
            live = under_way.get(id_)
            if live is not None:
                data = live.series.get(name, ())
                series = data[0::3], data[1::3], data[2::3]
                if data:
                    items.append(_series(id_, name, series, points, live=live.running))
                continue
            with self._core.errors():
                try:
                    found = self._core.records.series(id_, name)
                except NotFoundError:
                    continue
            items.append(_series(id_, name, found, points, live=False))
        return models.Overlay(name=name, items=items)

    def live(self) -> models.LiveList:
        """Return the runs that are under way, or were when their process ended, newest first."""
        with self._core.errors():
            found = self._core.committer.live.look()
        return models.LiveList(items=[_live_run(run) for run in found])

    def abandon(self, run: str) -> models.Abandoned:
        """Record a run whose process is gone as failed, with all that it had told.

        Raises
        ------
        ApiError
            404 ``not_found`` if no such run is under way, 409 ``conflict`` if it still goes on,
            500 ``unreadable`` if its record cannot be written.
        """
        core = self._core
        with core.errors():
            found = core.committer.live.find(run)
            if found is None:
                raise ApiError(404, "not_found", f"No run {run[:80]!r} is under way.")
            if found.running:
                raise ApiError(
                    409,
                    "conflict",
                    "The run's process is still there, so the run is not abandoned. End the "
                    "process (of a notebook: restart its kernel) and try again.",
                )
            try:
                core.committer.live.hand_over(found)
            except OSError as error:
                raise ApiError(
                    500,
                    "unreadable",
                    f"The run could not be recorded ({error.strerror or error}). What it has told "
                    "is kept where it is; try again.",
                ) from None
            core.committer.scan([])
            recorded = core.records.known_runs([run])
        return models.Abandoned(
            run=run,
            message=(
                "The run is recorded as failed."
                if recorded
                else "The run waits to be recorded as failed; the status says why it does."
            ),
        )

    def complete(self, where: str = "", position: int = 0) -> models.Completion:
        """Return how a filter may go on at a position, and what is wrong with it."""
        with self._core.errors():
            columns = self._tables.columns()
        found = completing.complete(where, position, columns)
        return models.Completion(
            start=found.start,
            end=found.end,
            items=[
                models.Suggestion(
                    text=each.text,
                    label=each.label,
                    kind=cast("Any", each.kind),
                    detail=each.detail,
                )
                for each in found.items
            ],
            error=found.error,
            position=found.position,
        )


def _series(
    id_: str,
    name: str,
    series: tuple[Sequence[float], Sequence[float], Sequence[float]],
    most: int,
    *,
    live: bool,
) -> models.RunSeries:
    drawn = bodies.series(name, series, max(2, most))
    return models.RunSeries(
        run=id_,
        live=live,
        count=drawn.count,
        steps=drawn.steps,
        values=drawn.values,
        times=drawn.times,
    )


def _live_run(run: LiveRun) -> models.LiveRun:
    updated = datetime.fromtimestamp(run.updated, UTC)
    return models.LiveRun(
        id=run.id,
        state="running" if run.running else "gone",
        description=run.description,
        author=run.author,
        workload_file=None if run.file is None else to_text(run.file),
        started=run.start or updated,
        updated=updated,
        parameters=_values(run, "parameters"),
        metrics=_values(run, "summary"),
        labels=dict(run.labels),
        series=[
            models.LiveSeries(
                name=name,
                count=len(points) // 3,
                last=_finite(points[-2]),
                step=_finite(points[-3]),
            )
            for name, points in sorted(run.series.items())
            if points
        ],
    )


def _values(run: LiveRun, section: str) -> dict[str, models.Scalar]:
    types = run.types.get(section, {})
    values: dict[str, str] = getattr(run, section)
    return {name: bodies.typed(text, types.get(name, "str")) for name, text in values.items()}


def _column(facts: ColumnFacts) -> models.Column:
    field = facts.field
    return models.Column(
        key=write_field(field),
        kind=cast("Any", "field" if field.kind == "column" else field.kind),
        name=field.name,
        type=cast("Any", facts.type),
        runs=facts.runs,
        minimum=_finite(facts.minimum),
        maximum=_finite(facts.maximum),
        values=facts.values,
    )


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _field(key: str) -> Field:
    try:
        return parse_field(key)
    except WhereError as error:
        raise ApiError(
            400, "invalid_request", f"There is no column {key[:80]!r}: {error}."
        ) from None


def _strings(text: str, what: str, most: int) -> list[str]:
    """Return what a query parameter holds as a JSON array of strings."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ApiError(
            400, "invalid_request", f"The parameter {what!r} is not a JSON array of strings."
        )
    if len(found) > most:
        raise ApiError(
            400, "invalid_request", f"The parameter {what!r} names more than {most} of them."
        )
    return found
