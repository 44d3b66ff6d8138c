# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two moments differ, file by file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import ApiError
from dotscience_jupyter.api.comparison import SAFE_TYPES

from .base import BaseHandler, ProblemError

if TYPE_CHECKING:
    from dotscience_jupyter.server.app import DotscienceApp


class _ComparingHandler(BaseHandler):
    """A comparison, which ends when nobody waits for it any more."""

    def initialize(self, app: DotscienceApp) -> None:
        """Prepare to hear that the browser gave up."""
        super().initialize(app)
        self._gone = threading.Event()

    def on_connection_close(self) -> None:
        """Have the comparison end at its next step."""
        self._gone.set()
        super().on_connection_close()

    def check(self) -> None:
        """Raise ApiError when nobody waits any more; called in the comparison's thread."""
        if self._gone.is_set():
            raise ApiError(409, "cancelled", "The comparison was given up.")


class CompareHandler(_ComparingHandler):
    """How two moments differ."""

    path = "/v1/compare"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer values and a page of files that differ."""
        parameters = self.parameters()
        service = await self.service()
        await self.answer(service.comparison.compare, slow=True, check=self.check, **parameters)


class CompareFileHandler(_ComparingHandler):
    """How one file differs."""

    path = "/v1/compare/file"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what differs inside of a file."""
        parameters = self.parameters()
        service = await self.service()
        await self.answer(
            service.comparison.compare_file, slow=True, check=self.check, **parameters
        )


class BlobHandler(BaseHandler):
    """A large part of an output, written by who knows whom."""

    path = "/v1/compare/blob"

    @property
    def content_security_policy(self) -> str:
        """Confine what a browser might show of it to nothing at all."""
        return super().content_security_policy + "; default-src 'none'; sandbox"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the bytes, under a content type that nothing runs in."""
        parameters = self.parameters()
        service = await self.service()
        try:
            data, digest = await self.manager.run_slow(service.comparison.blob, **parameters)
        except ApiError as error:
            raise ProblemError(error) from error
        kind = SAFE_TYPES.get(str(parameters["mime"]), "application/octet-stream")
        self.set_header("Etag", f'"{digest}"')
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        if kind == "application/octet-stream":
            self.set_attachment_header("output")
        if self.check_etag_header():
            self.set_status(304)
            self.finish(set_content_type=kind)
            return
        self.write(data)
        self.finish(set_content_type=kind)


HANDLERS: list[type[BaseHandler]] = [CompareHandler, CompareFileHandler, BlobHandler]
