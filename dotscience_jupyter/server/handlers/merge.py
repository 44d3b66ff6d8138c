# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking the changes of another commit into the workspace."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import models

from .base import BaseHandler


class MergeHandler(BaseHandler):
    """The merge that is under way, and beginning one."""

    path = "/v1/merge"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the merge, or that there is none."""
        service = await self.service()
        await self.answer(service.merge.get, slow=True)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin one; nothing is written to the folder yet."""
        wanted = self.body(models.StartMerge)
        service = await self.service()
        _, text = await self.call(
            service.merge.start, wanted.theirs, wanted.base, self.author(), slow=True
        )
        self.set_status(201)
        self.finish(text)


class MergeFileHandler(BaseHandler):
    """How one file is merged."""

    path = "/v1/merge/file"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what is in conflict and what the result is."""
        file = str(self.parameters()["file"])
        service = await self.service()
        await self.answer(service.merge.file, file, slow=True)


class ResolveHandler(BaseHandler):
    """Choosing what becomes of a conflict."""

    path = "/v1/merge/resolve"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Note the choice; answer the file as it would be."""
        wanted = self.body(models.Resolve)
        service = await self.service()
        await self.answer(service.merge.resolve, wanted, slow=True)


class FinishMergeHandler(BaseHandler):
    """Making the commit."""

    path = "/v1/merge/finish"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Write and commit the result."""
        wanted = self.body(models.FinishMerge)
        service = await self.service()
        # once begun it is done, whether or not the client still waits for the answer
        _, text = await asyncio.shield(
            asyncio.ensure_future(
                self.call(service.merge.finish, wanted.description, self.author(), slow=True)
            )
        )
        self.finish(text)


class AbortMergeHandler(BaseHandler):
    """Giving the merge up."""

    path = "/v1/merge/abort"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make the folder what it was before the merge."""
        service = await self.service()
        _, text = await asyncio.shield(
            asyncio.ensure_future(self.call(service.merge.abort, slow=True))
        )
        self.finish(text)


HANDLERS: list[type[BaseHandler]] = [
    MergeHandler,
    MergeFileHandler,
    ResolveHandler,
    FinishMergeHandler,
    AbortMergeHandler,
]
