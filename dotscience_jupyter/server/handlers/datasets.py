# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets that a workspace uses: which there are, and attaching them."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from dotscience_jupyter.api import hubs, models

from .base import BaseHandler
from .sync import HubHandler


class DatasetsHandler(BaseHandler):
    """The datasets of a workspace."""

    path = "/v1/datasets"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what is known here."""
        await self.answer((await self.service()).datasets.status)


class KnownDatasetsHandler(BaseHandler):
    """The datasets of this machine."""

    path = "/v1/datasets/known"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer all of them."""
        await self.answer((await self.service()).datasets.known, slow=True)


class HubDatasetsHandler(HubHandler):
    """The datasets of a hub."""

    path = "/v1/datasets/hub"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer those that the user may see."""
        await self.asked(hubs.datasets, self.parameters()["url"])


class DatasetVersionsHandler(BaseHandler):
    """The versions of a dataset."""

    path = "/v1/datasets/versions"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of them."""
        parameters = self.parameters()
        await self.answer((await self.service()).datasets.versions, slow=True, **parameters)


class AttachHandler(HubHandler):
    """A dataset in the workspace."""

    path = "/v1/datasets/attach"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Let it appear."""
        wanted = self.body(models.AttachDataset)
        await self.asked((await self.service()).datasets.attach, wanted)


class RestoreDatasetsHandler(HubHandler):
    """What the workspace's file says is attached."""

    path = "/v1/datasets/restore"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Attach it again."""
        wanted = self.body(models.RestoreDatasets)
        await self.asked((await self.service()).datasets.restore, wanted)


class CreateDatasetHandler(HubHandler):
    """A folder that becomes a dataset."""

    path = "/v1/datasets/create"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make it, and attach it."""
        wanted = self.body(models.CreateDataset)
        await self.asked((await self.service()).datasets.create, wanted, self.author())


class SaveDatasetHandler(HubHandler):
    """A version of a live folder."""

    path = "/v1/datasets/save"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make it."""
        wanted = self.body(models.SaveDataset)
        await self.asked((await self.service()).datasets.save, wanted, self.author())


class FetchDatasetHandler(HubHandler):
    """A dataset and its hub."""

    path = "/v1/datasets/fetch"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Bring its newest version."""
        wanted = self.body(models.NameDataset)
        await self.asked((await self.service()).datasets.fetch, wanted)


class DetachHandler(HubHandler):
    """A dataset that is not used any more."""

    path = "/v1/datasets/detach"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Take it out of the workspace."""
        wanted = self.body(models.NameDataset)
        await self.asked((await self.service()).datasets.detach, wanted)


class StopDatasetsHandler(BaseHandler):
    """What is under way."""

    path = "/v1/datasets/stop"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """End it."""
        await self.answer((await self.service()).datasets.stop)


HANDLERS: list[type[BaseHandler]] = [
    DatasetsHandler,
    KnownDatasetsHandler,
    HubDatasetsHandler,
    DatasetVersionsHandler,
    AttachHandler,
    RestoreDatasetsHandler,
    CreateDatasetHandler,
    SaveDatasetHandler,
    FetchDatasetHandler,
    DetachHandler,
    StopDatasetsHandler,
]
