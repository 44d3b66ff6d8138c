# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What workspaces push and pull through; docs/sync.md describes each request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Literal

from pydantic import Field

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Body
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import BYTES, Media, Operation, Param
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.publishing import LackingError, blamed_on_sender, equate, publish
from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    Equal,
    SnapshotError,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.embedded.equals import is_foreign
from dotscience_jupyter.sync.lines import Line, read_line

from .base import HubHandler
from .cutting import CutHandler
from .sending import Sending
from .uploading import UploadHandler

MOST_IDS = 65_536
MOST_COMMITS = 10_000

MOST_EQUALS = 1000

PAGE = 1000
"""Commits that one answer holds at most."""

PAGE_BYTES = 1 << 25
_PART = 1 << 18

_ID = re.compile(r"[0-9a-f]{64}")
_COMMITS = "application/x-ndjson"
_BINARY = "application/octet-stream"
_LINES = Media(_COMMITS)
_HEAD = Param("head", "Id of the commit to publish, known or the last of the lines", required=True)


class Refs(Body):
    """The heads of a project's histories, by name."""

    refs: dict[str, str]
    streams: list[str] = Field(
        default=[], description="Engines whose streams are taken, see POST streams"
    )


class Have(Body):
    """Commits that the hub is asked about."""

    commits: list[str] = Field(max_length=MOST_COMMITS)


class Wanted(Body):
    """A commit that is wanted with all before it, and commits that the asker has."""

    want: str
    have: list[str] = Field(default=[], max_length=MOST_COMMITS)


class Item(Body):
    """A snapshot that is wanted, what it builds upon, and the token of a transfer that was cut."""

    snapshot: str
    base: str = ""
    resume: str = ""


class Items(Body):
    """Snapshots that are wanted, one after the other."""

    items: list[Item] = Field(min_length=1, max_length=1000)


class Published(Body):
    """What became of commits that were pushed."""

    state: str = Field(description="published, known or diverged")
    head: str = Field(description="The newest commit of the project now")
    ref: str = Field(description="Where the commits are")


class Lacking(Body):
    """Why commits were not recorded: some of their content is not there yet."""

    code: Literal["lacking"] = "lacking"
    message: str = (
        "Content of these commits is not there yet, so none of them was recorded. Send it, and "
        "then the commits again."
    )
    lacking: list[str] = Field(description="Objects that are not there, or some of them")


class EqualSnapshot(Body):
    """What a snapshot of an engine that is not the hub's is on the hub."""

    snapshot: str = Field(description="The id of the engine that took it", max_length=200)
    equal: str = Field(description="The hub's id", pattern=f"^{_ID.pattern}$")
    content: str = Field(description="The content id of both", pattern=f"^{_ID.pattern}$")


class Equals(Body):
    """What such snapshots are."""

    equal: list[EqualSnapshot] = Field(max_length=MOST_EQUALS)


class Foreign(Body):
    """Snapshots of other engines, of which is asked what they are."""

    snapshots: list[str] = Field(max_length=MOST_EQUALS)


class RefsHandler(HubHandler):
    """The heads of the histories."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(Refs)}

    async def get(self, project: str) -> None:
        """Answer with them."""

        def work(opened: Project) -> Refs:
            streams = [] if opened.arrivals is None else [opened.arrivals.kind]
            return Refs(refs=opened.records.refs(), streams=streams)

        self.answer(await self.in_project(work))


class HaveHandler(HubHandler):
    """Which commits are there."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {"POST": Operation(Have, body=Have)}

    async def post(self, project: str) -> None:
        """Answer with those of the commits that are."""
        asked = self.body(Have)

        def work(opened: Project) -> list[str]:
            known = opened.records.known_commits(asked.commits)
            return [id_ for id_ in asked.commits if id_ in known]

        self.answer(Have(commits=await self.in_project(work)))


class EqualHandler(HubHandler):
    """What snapshots of other engines are on the hub."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.READ, "PUT": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(Equals, body=Foreign),
        "PUT": Operation(Equals, body=Equals, errors=(409,)),
    }

    async def post(self, project: str) -> None:
        """Answer with what is known of them."""
        asked = self.body(Foreign)
        self.answer(await self.in_project(lambda opened: _equals(opened, asked.snapshots)))

    async def put(self, project: str) -> None:
        """Note what is said of them; it is proved when commits with them are published."""
        said = self.body(Equals)

        def work(opened: Project) -> Equals:
            equate(
                opened,
                {each.snapshot: Equal(each.equal, each.content) for each in said.equal},
            )
            return said

        self.answer(await self.in_project(work))


class MissingHandler(HubHandler):
    """Which objects are there."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {"POST": Operation(BYTES, body=BYTES)}

    async def post(self, project: str) -> None:
        """Answer with those of the ids, 32 bytes each, that are not."""
        body = self.request.body
        if len(body) % 32 or len(body) > 32 * MOST_IDS:
            raise ApiError(400, "invalid_request", f"The body is up to {MOST_IDS} ids of 32 bytes.")
        ids = [body[at : at + 32] for at in range(0, len(body), 32)]
        await ObjectsHandler.settled(self.info.id)
        found = await self.in_project(lambda opened: opened.engine.missing(ids))
        self.set_header("Content-Type", _BINARY)
        self.finish(b"".join(found))


class ObjectsHandler(CutHandler):
    """Objects that arrive."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(status=204, body=BYTES, errors=(409, 507))
    }

    async def post(self, project: str) -> None:
        """Take them in."""
        file = await self.upload.finish()

        await self.in_project(self.take_in, file)
        self.set_status(204)

    def take_in(self, opened: Project, file: BinaryIO) -> object:
        """Take in what there is of a body."""
        with blamed_on_sender():
            return opened.engine.unpack(file)


class PushHandler(UploadHandler):
    """Commits that arrive."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(
            Published, body=_LINES, query=(_HEAD,), also={409: Lacking}, errors=(409, 423, 507)
        )
    }

    async def post(self, project: str) -> None:
        """Record and publish them, or answer with what of their content is lacking."""
        head = self.get_query_argument("head", "")
        if not _ID.fullmatch(head):
            raise ApiError(400, "invalid_request", "The parameter 'head' is the id of a commit.")
        file = await self.upload.finish()

        def work(opened: Project) -> Published:
            done = publish(
                opened,
                head,
                _lines(file),
                file,
                lambda: self.hub.locks.require_push(self.info, self.asker),
            )
            if done.state != "known":
                self.hub.audit.append(
                    self.asker.name,
                    "project.push",
                    f"project:{self.info.id}",
                    {"head": head, "ref": done.ref, "commits": done.commits},
                )
            return Published(state=done.state, head=done.head, ref=done.ref)

        try:
            self.answer(await self.in_project(work))
        except LackingError as error:
            self.answer(Lacking(lacking=[id_.hex() for id_ in error.ids]), 409)


class PullHandler(HubHandler):
    """Commits that leave."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {"POST": Operation(_LINES, body=Wanted)}

    async def post(self, project: str) -> None:
        """Answer with the first of those that the asker does not have, parents first."""
        asked = self.body(Wanted)
        async with self.opened() as opened:
            ids = await self.run(_outbox, opened, asked)
            self.set_header("Content-Type", _COMMITS)
            await self.stream(_page(opened.records.export(ids)))


class ContentHandler(HubHandler):
    """Content that leaves."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(BYTES, body=Items, errors=(409,))
    }

    async def post(self, project: str) -> None:
        """Answer with snapshots as streams, one after the other."""
        items = self.body(Items).items
        self.set_header("Content-Type", _BINARY)
        async with self.opened() as opened:

            def work(to: BinaryIO) -> None:
                for item in items:
                    _send(opened, item, to)

            await Sending(self).run(work)


def _equals(opened: Project, snapshots: list[str]) -> Equals:
    found = opened.engine.equals(snapshots)
    return Equals(
        equal=[
            EqualSnapshot(snapshot=snapshot, equal=equal.snapshot, content=equal.content)
            for snapshot, equal in found.items()
        ]
    )


def _send(opened: Project, item: Item, to: BinaryIO) -> None:
    try:
        opened.engine.send(item.snapshot, to, item.base or None, item.resume)
    except (SnapshotNotFoundError, CorruptStoreError):
        raise
    except SnapshotError as error:
        if not item.resume:
            raise
        raise ApiError(409, "resume", str(error)) from error


def _lines(file: BinaryIO) -> Iterator[Line]:
    """Yield what a body tells of commits. Raise ApiError 400 if it is not what it should be."""
    file.seek(0)
    for number, text in enumerate(file, 1):
        try:
            line = read_line(text)
            if not _ID.fullmatch(line.snapshot) and not is_foreign(line.snapshot):
                raise ValueError("its content has no id")
            yield line
        except ValueError as error:
            raise ApiError(
                400,
                "invalid_request",
                f"Commit number {number} cannot be read: {error}. Nothing was recorded.",
            ) from None


def _outbox(opened: Project, asked: Wanted) -> list[str]:
    records = opened.records
    if not records.known_commits([asked.want]):
        raise ApiError(404, "not_found", f"There is no commit {asked.want[:64]!r} here.")
    found = records.missing_from(asked.want, records.known_commits(asked.have))
    return found[:PAGE]


def _page(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines in parts of some size, up to about the size of a page."""
    total = 0
    part = bytearray()
    for line in lines:
        part += line
        total += len(line)
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
        if total >= PAGE_BYTES:
            break
    if part:
        yield bytes(part)


_PROJECT = r"/api/v1/projects/(?P<project>[^/]+)"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (rf"{_PROJECT}/refs", RefsHandler),
    (rf"{_PROJECT}/have", HaveHandler),
    (rf"{_PROJECT}/equal", EqualHandler),
    (rf"{_PROJECT}/objects/missing", MissingHandler),
    (rf"{_PROJECT}/objects/get", ContentHandler),
    (rf"{_PROJECT}/objects", ObjectsHandler),
    (rf"{_PROJECT}/push", PushHandler),
    (rf"{_PROJECT}/pull", PullHandler),
]
