# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The three addresses of the original JupyterLab plugin's backend, in its shapes."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import ApiError, models

from .base import BaseHandler, ProblemError


class OriginalStatusHandler(BaseHandler):
    """``GET dotscience/status``."""

    path = "/status"
    _track_activity = False  # the original's panel asks every second

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the committer's state; ``no-workspace`` where nothing is tracked.

        The original's panel shows the word as it is, and takes an error for a broken server.
        """
        try:
            service = await self.service()
        except ProblemError as error:
            if error.problem.code != "no_workspace":
                raise
            answer = models.Status(status="no-workspace", message=error.problem.message)
            self.finish(answer.model_dump_json())
            return
        await self.answer(service.status)


class OriginalCommitHandler(BaseHandler):
    """``PUT dotscience/commit?description=``."""

    path = "/commit"

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Save and commit."""
        description = str(self.parameters()["description"])
        service = await self.service()
        await self.answer(service.commit, description, self.author(), slow=True)


class OriginalCommitsHandler(BaseHandler):
    """``GET dotscience/commits``."""

    path = "/commits"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer ``[{"Id", "Metadata"}]``, oldest first; empty where nothing is tracked."""
        try:
            service = await self.service()
        except ProblemError as error:
            if error.problem.code != "no_workspace":
                raise
            self.finish("[]")
            return
        try:
            text = await self.manager.run(lambda: json.dumps(service.metadata()))
        except ApiError as error:
            raise ProblemError(error) from error
        self.finish(text)


HANDLERS: list[type[BaseHandler]] = [
    OriginalStatusHandler,
    OriginalCommitHandler,
    OriginalCommitsHandler,
]
