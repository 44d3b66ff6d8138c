# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Whether the hub works, and its numbers."""

from __future__ import annotations

from typing import ClassVar

from dotscience_jupyter._version import __version__
from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import models
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import Media, Operation

from .base import HubHandler


class HealthHandler(HubHandler):
    """For load balancers."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.Health, also={503: models.Health})
    }

    async def prepare(self) -> None:
        """Answer also those who ask often."""

    async def get(self) -> None:
        """Answer 200, or 503 if the database does not answer."""
        try:
            await self.run(self.hub.database.ping)
        except ApiError as error:
            self.answer(
                models.Health(status="failed", version=__version__, message=error.message), 503
            )
            return
        self.answer(models.Health(status="ok", version=__version__))


class MetricsHandler(HubHandler):
    """For Prometheus, with the key of an admin."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(Media("text/plain"))}

    async def get(self) -> None:
        """Answer with all numbers."""

        def work() -> bytes:
            projects = self.hub.projects
            return self.hub.metrics.text(
                projects=projects.count(),
                open_projects=projects.count_open(),
                users=self.hub.identity.count_users(),
            )

        text = await self.run(work)
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(text)


ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/health", HealthHandler),
    (r"/metrics", MetricsHandler),
]
