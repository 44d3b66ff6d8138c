# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import ApiError
from dotscience_jupyter.api.provenance import FORMATS

from .base import BaseHandler, ProblemError


class _GraphHandler(BaseHandler):
    """What requests for a graph have in common."""

    async def graph_parameters(self) -> dict[str, Any]:
        """Return the parameters, with the workspaces around in the place of ``across``."""
        parameters = self.parameters()
        if parameters.pop("across"):
            parameters["others"] = await self.manager.around()
        return parameters


class GraphHandler(_GraphHandler):
    """A part of the graph."""

    path = "/v1/provenance"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the nodes and arrows around a start."""
        parameters = await self.graph_parameters()
        await self.answer((await self.service()).provenance.graph, **parameters, slow=True)


class ExportHandler(_GraphHandler):
    """The graph in the words of others."""

    path = "/v1/provenance/export"

    @property
    def content_security_policy(self) -> str:
        """Confine what a browser might show of it to nothing at all."""
        return super().content_security_policy + "; sandbox"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a document to be saved."""
        parameters = await self.graph_parameters()
        service = await self.service()
        manager = self.manager
        try:
            text, kind = await manager.run_slow(lambda: service.provenance.export(**parameters))
        except ApiError as error:
            raise ProblemError(error) from error
        ending = FORMATS[parameters["format"]][1]
        self.set_header(
            "Content-Disposition",
            f'attachment; filename="provenance-{parameters["format"]}.{ending}"',
        )
        self.finish(text, set_content_type=f"{kind}; charset=utf-8")


class CompareHandler(BaseHandler):
    """Two lineages."""

    path = "/v1/provenance/compare"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what changed between them."""
        parameters = self.parameters()
        await self.answer((await self.service()).provenance.compare, **parameters, slow=True)


HANDLERS: list[type[BaseHandler]] = [GraphHandler, ExportHandler, CompareHandler]
