# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots that arrive as streams of the file system that both sides are on; docs/sync.md."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

from pydantic import Field

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Body
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import BYTES, Operation
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.publishing import blamed_on_sender
from dotscience_jupyter.hub.storage.arrivals import Arrivals

from .base import HubHandler
from .cutting import CutHandler
from .sync import EqualSnapshot, Foreign


class Arrived(Body):
    """What a project has received as streams."""

    have: list[str] = Field(description="Those of the snapshots that are there whole")
    resume: dict[str, str] = Field(
        description="Of those that were cut, by snapshot, the tokens with which to go on"
    )


class Taken(Body):
    """A snapshot that was received."""

    snapshot: str = Field(max_length=200)


class StreamStateHandler(HubHandler):
    """Which snapshots were received."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(Arrived, body=Foreign, errors=(409,))
    }

    async def post(self, project: str) -> None:
        """Answer with those of the ones that are asked about."""
        asked = self.body(Foreign)
        await StreamHandler.settled(self.info.id)

        def work(opened: Project) -> Arrived:
            have, resume = _arrivals(opened).state(asked.snapshots)
            return Arrived(have=have, resume=resume)

        self.answer(await self.in_project(work))


class StreamHandler(CutHandler):
    """A stream that arrives."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(EqualSnapshot, body=BYTES, errors=(409, 413, 507))
    }

    async def post(self, project: str) -> None:
        """Receive it, and make it content of the project."""
        file = await self.upload.finish()

        def work(opened: Project) -> EqualSnapshot:
            return _take(opened, self.take_in(opened, file))

        self.answer(await self.in_project(work))

    @staticmethod
    def take_in(opened: Project, file: BinaryIO) -> str:
        """Receive it: of one that was cut ZFS keeps what arrived, with a token to go on with."""
        with blamed_on_sender():
            return _arrivals(opened).receive(file)


class StreamTakeHandler(HubHandler):
    """A snapshot that was received becomes content."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(EqualSnapshot, body=Taken, errors=(409, 413))
    }

    async def post(self, project: str) -> None:
        """Do so, for whoever was cut before the answer to the stream came."""
        asked = self.body(Taken)
        self.answer(await self.in_project(_take, asked.snapshot))


def _arrivals(opened: Project) -> Arrivals:
    if opened.arrivals is None:
        raise ApiError(
            409,
            "no_streams",
            "The content of this hub is not on ZFS, so it takes no streams of ZFS. Nothing was "
            "changed. Send objects instead.",
        )
    return opened.arrivals


def _take(opened: Project, snapshot: str) -> EqualSnapshot:
    with blamed_on_sender():
        equal = _arrivals(opened).take(snapshot)
    return EqualSnapshot(snapshot=snapshot, equal=equal.snapshot, content=equal.content)


_PROJECT = r"/api/v1/projects/(?P<project>[^/]+)"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (rf"{_PROJECT}/streams", StreamHandler),
    (rf"{_PROJECT}/streams/have", StreamStateHandler),
    (rf"{_PROJECT}/streams/take", StreamTakeHandler),
]
