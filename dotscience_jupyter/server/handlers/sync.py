# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub of a workspace: who the user is there, and moving commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import ApiError, hubs, models

from .base import BaseHandler, ProblemError


class SyncHandler(BaseHandler):
    """How a workspace and its hub stand."""

    path = "/v1/sync"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what is known here."""
        await self.answer((await self.service()).sync.status)


class HubsHandler(BaseHandler):
    """Hubs that are known."""

    path = "/v1/sync/hubs"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer who the user is on which."""
        await self.answer(hubs.hubs)


class HubHandler(BaseHandler):
    """Base of what asks a hub, which goes on when the client does not wait for it any more."""

    async def asked(self, function: Callable[..., models.Body], *args: Any) -> None:
        """Answer with what came of it."""
        manager = self.manager
        try:
            text = await asyncio.shield(
                asyncio.ensure_future(manager.run_apart(lambda: function(*args).model_dump_json()))
            )
        except ApiError as error:
            raise ProblemError(error) from error
        self.finish(text)


class LogInHandler(HubHandler):
    """Logging in on a hub."""

    path = "/v1/sync/login"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Exchange what the body holds for a login that is remembered."""
        await self.asked(hubs.log_in_on, self.body(models.LogIn))


class LogOutHandler(HubHandler):
    """Logging out of a hub."""

    path = "/v1/sync/logout"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Forget the login on the hub that the body names."""
        await self.asked(hubs.log_out_on, self.body(models.LogOut))


class HubProjectsHandler(HubHandler):
    """The projects of a hub."""

    path = "/v1/sync/projects"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer those that the user may see."""
        parameters = self.parameters()
        await self.asked(hubs.projects, parameters["url"], parameters["datasets"])


class NewestCommitsHandler(HubHandler):
    """What was last done to projects of a hub."""

    path = "/v1/sync/projects/newest"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer their newest commits."""
        parameters = self.parameters()
        await self.asked(hubs.newest, parameters["url"], parameters["projects"])


class ClonesHandler(HubHandler):
    """Projects that become folders of this server."""

    path = "/v1/sync/clones"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer those that are under way, and those that have ended."""
        await self.answer(self.manager.clones.all)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin to clone one."""
        wanted = self.body(models.CloneProject)
        manager = self.manager
        self.set_status(201)
        await self.asked(manager.clones.begin, wanted, manager.mapper, manager.engine)


class EndCloneHandler(BaseHandler):
    """The end of a clone."""

    path = "/v1/sync/clones/end"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Stop it, or forget it."""
        await self.answer(self.manager.clones.end, self.body(models.EndClone))


class ConnectHandler(HubHandler):
    """Which project a workspace belongs to."""

    path = "/v1/sync/remote"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Choose it, or make it."""
        wanted = self.body(models.ConnectHub)
        await self.asked((await self.service()).sync.connect, wanted)


class DisconnectHandler(HubHandler):
    """A workspace without a hub."""

    path = "/v1/sync/disconnect"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Forget the project."""
        await self.asked((await self.service()).sync.disconnect)


class PushHandler(HubHandler):
    """Commits on their way to the hub."""

    path = "/v1/sync/push"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Send them."""
        await self.asked((await self.service()).sync.push)


class FetchHandler(HubHandler):
    """Commits on their way from the hub."""

    path = "/v1/sync/fetch"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin to take them."""
        await self.asked((await self.service()).sync.fetch)


class PullHandler(HubHandler):
    """Commits and files from the hub."""

    path = "/v1/sync/pull"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin to take them, and to bring the files along."""
        await self.asked((await self.service()).sync.pull)


HANDLERS: list[type[BaseHandler]] = [
    SyncHandler,
    HubsHandler,
    LogInHandler,
    LogOutHandler,
    HubProjectsHandler,
    NewestCommitsHandler,
    ClonesHandler,
    EndCloneHandler,
    ConnectHandler,
    DisconnectHandler,
    PushHandler,
    FetchHandler,
    PullHandler,
]
