# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table, points and series; runs that are under way."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from dotscience_jupyter.api import ApiError

from .base import BaseHandler, ProblemError


class ColumnsHandler(BaseHandler):
    """What runs have."""

    path = "/v1/columns"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer all columns."""
        await self.answer((await self.service()).explore.columns)


class TableHandler(BaseHandler):
    """Runs as rows."""

    path = "/v1/table"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of rows."""
        parameters = self.parameters()
        await self.answer((await self.service()).explore.table, **parameters)


class TableCsvHandler(BaseHandler):
    """Runs as CSV."""

    path = "/v1/table.csv"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer all runs that match, as they are read."""
        parameters = self.parameters()
        service = await self.service()
        manager = self.manager
        try:
            texts = await manager.run(lambda: service.explore.csv(**parameters))
        except ApiError as error:
            raise ProblemError(error) from None
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="runs.csv"')
        self.set_header("X-Content-Type-Options", "nosniff")
        try:
            while (text := await manager.run(lambda: next(texts, None))) is not None:
                self.write(text)
                await self.flush()
            self.finish(set_content_type="text/csv; charset=utf-8")
        except StreamClosedError:
            self.log.debug("The client went away while a table was sent.")


class PointsHandler(BaseHandler):
    """Values of many runs, for charts."""

    path = "/v1/points"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer values by column."""
        parameters = self.parameters()
        await self.answer((await self.service()).explore.points, **parameters)


class ImportanceHandler(BaseHandler):
    """How much parameters have to do with a metric."""

    path = "/v1/importance"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the parameters, heaviest first."""
        parameters = self.parameters()
        await self.answer((await self.service()).explore.importance, **parameters)


class OverlayHandler(BaseHandler):
    """One metric of several runs."""

    path = "/v1/overlay"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the series."""
        parameters = self.parameters()
        await self.answer((await self.service()).explore.overlay, **parameters)


class CompleteHandler(BaseHandler):
    """How a filter may go on."""

    path = "/v1/complete"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer suggestions."""
        parameters = self.parameters()
        await self.answer((await self.service()).explore.complete, **parameters)


class LiveHandler(BaseHandler):
    """Runs that are under way."""

    path = "/v1/live"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the runs that are under way, newest first."""
        await self.answer((await self.service()).explore.live)


class AbandonHandler(BaseHandler):
    """A run whose process is gone."""

    path = "/v1/live/{run}/abandon"

    @web.authenticated
    @authorized
    async def post(self, run: str) -> None:
        """Record the run as failed."""
        await self.answer((await self.service()).explore.abandon, run, slow=True)


HANDLERS: list[type[BaseHandler]] = [
    ColumnsHandler,
    TableHandler,
    TableCsvHandler,
    PointsHandler,
    ImportanceHandler,
    OverlayHandler,
    CompleteHandler,
    LiveHandler,
    AbandonHandler,
]
