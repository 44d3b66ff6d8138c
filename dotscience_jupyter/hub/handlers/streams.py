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
from .sending import Sending
from .sync import MOST_EQUALS, EqualSnapshot, Foreign


class Arrived(Body):
    """What a project has received as streams."""

    have: list[str] = Field(description="Those of the snapshots that are there whole")
    resume: dict[str, str] = Field(
        description="Of those that were cut, by snapshot, the tokens with which to go on"
    )


class Taken(Body):
    """A snapshot that was received."""

    snapshot: str = Field(max_length=200)


class WantedStream(Body):
    """A snapshot that is wanted as a stream, and what the asker has already."""

    snapshot: str = Field(max_length=200)
    have: list[str] = Field(
        default=[], max_length=MOST_EQUALS, description="Snapshots since which it may be"
    )
    resume: str = Field(
        default="", max_length=4096, description="The token of a transfer that was cut"
    )


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

    def take_in(self, opened: Project, file: BinaryIO) -> str:
        """Receive it: of one that was cut ZFS keeps what arrived, with a token to go on with."""
        with blamed_on_sender():
            return _arrivals(opened).receive(file, self.asker.id)


class StreamOfferHandler(HubHandler):
    """Which snapshots can be had as streams."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(Foreign, body=Foreign, errors=(409,))
    }

    async def post(self, project: str) -> None:
        """Answer with those of the ones that are asked about that the asker had sent."""
        asked, reader = self.body(Foreign), self.asker.id

        def work(opened: Project) -> Foreign:
            return Foreign(snapshots=_arrivals(opened).offered(asked.snapshots, reader))

        self.answer(await self.in_project(work))


class StreamGetHandler(HubHandler):
    """A stream that leaves."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(BYTES, body=WantedStream, errors=(409,))
    }

    async def post(self, project: str) -> None:
        """Answer with it, to the one who had sent it."""
        asked, reader = self.body(WantedStream), self.asker.id
        self.set_header("Content-Type", "application/octet-stream")
        async with self.opened() as opened:

            def work(to: BinaryIO) -> None:
                _arrivals(opened).send(asked.snapshot, reader, asked.have, asked.resume, to)

            await Sending(self).run(work)


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
            "The content of this hub is not on ZFS, so it takes and gives no streams of ZFS. "
            "Nothing was changed. Objects are what it takes and gives.",
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
    (rf"{_PROJECT}/streams/offered", StreamOfferHandler),
    (rf"{_PROJECT}/streams/get", StreamGetHandler),
]
