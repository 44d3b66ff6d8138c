# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of a file, and bringing one back."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import models

from .base import BaseHandler


class HistoryHandler(BaseHandler):
    """The versions of a file."""

    path = "/v1/history"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of versions, newest first."""
        parameters = self.parameters()
        service = await self.service()
        await self.answer(service.history.versions, slow=True, **parameters)


class BringBackHandler(BaseHandler):
    """A file of a commit in the place of the present one."""

    path = "/v1/commits/{commit}/bring-back"

    @web.authenticated
    @authorized
    async def post(self, commit: str) -> None:
        """Put it there; the body says what was shown to be there."""
        wanted = self.body(models.BringBack)
        opened = await self.opened()
        # once begun it is done, whether or not the client still waits for the answer
        _, text = await asyncio.shield(
            asyncio.ensure_future(
                self.call(
                    opened.service.history.bring_back, commit, wanted, self.author(), slow=True
                )
            )
        )
        self.finish(text)


class ScratchCopyHandler(BaseHandler):
    """A copy of a file of a commit, to work on it."""

    path = "/v1/commits/{commit}/scratch-copy"

    @web.authenticated
    @authorized
    async def post(self, commit: str) -> None:
        """Write the copy beside the present file."""
        wanted = self.body(models.ScratchCopy)
        service = await self.service()
        body, text = await self.call(service.history.scratch_copy, commit, wanted, slow=True)
        assert isinstance(body, models.ScratchCopyResult)
        self.made(body.path)
        self.finish(text)


HANDLERS: list[type[BaseHandler]] = [HistoryHandler, BringBackHandler, ScratchCopyHandler]
