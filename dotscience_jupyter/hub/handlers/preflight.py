# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Browsers that ask what a page of another site may; see :mod:`dotscience_jupyter.hub.origins`."""

from __future__ import annotations

from typing import ClassVar

from tornado import web

from dotscience_jupyter.hub.access import Need

from .base import HubHandler


class PreflightHandler(HubHandler):
    """Answers OPTIONS at every address, where pages of some other site are let in at all."""

    needs: ClassVar[dict[str, Need]] = {"OPTIONS": Need.PUBLIC}

    async def prepare(self) -> None:
        """Count the request; a browser asks without a login."""
        self.count()

    async def options(self, *args: str) -> None:
        """Say what a page may send; 405 for who is no browser that asks for one."""
        asked = self.request.headers
        if "Access-Control-Request-Method" not in asked:
            raise web.HTTPError(405)
        wanted = asked.get("Access-Control-Request-Headers", "")
        for name, value in self.origin_headers(wanted).items():
            self.set_header(name, value)
        self.clear_header("Content-Type")
        self.set_status(204)
