# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What was recorded in a project, at the addresses and in the words of the Jupyter server's API."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import BinaryIO, ClassVar

from tornado.escape import url_escape

from dotscience_jupyter.api import models as api
from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.reading import Reading
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import BYTES, OFFSET, Operation, Param, limit
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import HEAD

from .base import HubHandler

_PAGE = 1000
_PART = 1 << 18
_MOST_POINTS = 1_000_000
_MOST_TAIL = 16_000_000
_ASKED = (
    Param("where", "A filter, such as metrics.loss < 0.1"),
    Param("search", "Words that the runs hold"),
    Param("sort", "Keys, each with asc or desc or neither: metrics.accuracy desc, started"),
)
_REF = Param("ref", "HEAD, another ref, or the id of a commit", default=HEAD)
_UNDER = Param("under", "A folder, in text form; empty is the uppermost")


def _reading(project: Project) -> Reading:
    # the base of all handlers tells of errors
    return Reading(project.records, project.engine, None, nullcontext)


class ReadingHandler(HubHandler):
    """Base of those that answer with what a project's :class:`.Reading` gives."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.READ}

    async def tell(self, what: Callable[[Reading], api.Body]) -> None:
        """Ask in a thread, and answer; the text is made there too."""

        def work(project: Project) -> str:
            return what(_reading(project)).model_dump_json()

        self.finish(await self.in_project(work))


class RunsHandler(ReadingHandler):
    """The runs of a project."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(api.RunList, query=(*_ASKED, OFFSET, limit(_PAGE)), errors=(400,))
    }

    async def get(self, project: str) -> None:
        """Answer with a page of them."""
        where, search, sort = (
            self.get_query_argument(name, "", strip=False) for name in ("where", "search", "sort")
        )
        offset, limit = self.number("offset", 0), self.number("limit", 100, most=_PAGE)
        await self.tell(lambda reading: reading.runs(where, search, sort, offset, limit))


class RunHandler(ReadingHandler):
    """A run."""

    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(api.RunDetail, errors=(400,))}

    async def get(self, project: str, run: str) -> None:
        """Answer with everything known of it; the beginning of its id does."""
        await self.tell(lambda reading: reading.run(run))


class SeriesHandler(ReadingHandler):
    """A metric over its steps."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(
            api.SeriesPoints,
            query=(Param("points", "How many points at most", "integer", 2000),),
            errors=(400,),
        )
    }

    async def get(self, project: str, run: str, name: str) -> None:
        """Answer with its points; the extremes between them are kept."""
        points = self.number("points", 2000, most=_MOST_POINTS)
        await self.tell(lambda reading: reading.series(run, name, points))


class LogHandler(ReadingHandler):
    """A log that came with a run."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(
            api.LogText,
            query=(Param("tail", "How many bytes at most, from the end", "integer", 1_000_000),),
            errors=(400,),
        )
    }

    async def get(self, project: str, run: str, name: str) -> None:
        """Answer with its end."""
        tail = self.number("tail", 1_000_000, most=_MOST_TAIL)
        await self.tell(lambda reading: reading.log(run, name, tail))


class LineageHandler(ReadingHandler):
    """Where a run's results came from."""

    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(api.Lineage, errors=(400,))}

    async def get(self, project: str, run: str) -> None:
        """Answer with all runs that it depends on, down to the raw data."""
        await self.tell(lambda reading: reading.lineage(run))


class CommitsHandler(ReadingHandler):
    """The commits of a project."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(api.CommitList, query=(_REF, OFFSET, limit(_PAGE)), errors=(400,))
    }

    async def get(self, project: str) -> None:
        """Answer with a page of those that led to a ref (``HEAD`` by default), newest first."""
        ref = self.get_query_argument("ref", HEAD, strip=False)
        offset, limit = self.number("offset", 0), self.number("limit", 100, most=_PAGE)

        def work(project: Project) -> str:
            newest = project.commit_id(ref)
            if newest is None:
                found = api.CommitList(items=[], total=0, offset=offset)
            else:
                found = _reading(project).leading_to(newest, offset, limit)
            return found.model_dump_json()

        self.finish(await self.in_project(work))


class CommitHandler(ReadingHandler):
    """A commit."""

    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(api.CommitDetail, errors=(400,))}

    async def get(self, project: str, commit: str) -> None:
        """Answer with it (id, beginning of one, ``HEAD`` or ``HEAD~n``) and its flat metadata."""
        await self.tell(lambda reading: reading.commit_detail(commit))


class FilesHandler(ReadingHandler):
    """The files of a commit."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(api.FileList, query=(_UNDER,), errors=(400,))
    }

    async def get(self, project: str, commit: str) -> None:
        """Answer with the children of a folder."""
        under = self.get_query_argument("under", "", strip=False)
        await self.tell(lambda reading: reading.files(commit, under))


class FileHandler(ReadingHandler):
    """A file of a commit."""

    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(BYTES, errors=(400,))}

    async def get(self, project: str, commit: str, file: str) -> None:
        """Answer with its bytes, and nothing that a browser would run."""
        async with self.opened() as opened:
            entry, opener = await self.run(_reading(opened).find_file, commit, file)
            source = await self.run(opener)
            try:
                first = await self.run(source.read, _PART)
                kind = mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
                self.set_header("Content-Type", kind)
                self.set_header("Content-Length", str(entry.size))
                self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
                name = url_escape(entry.name, plus=False)
                self.set_header("Content-Disposition", f"attachment; filename*=utf-8''{name}")
                await self.stream(_parts(first, source, entry.size))
            finally:
                await self.run(source.close)


def _parts(first: bytes, source: BinaryIO, size: int) -> Iterator[bytes]:
    part, left = first, size
    while left:
        if not part:
            raise ApiError(500, "unreadable", "The stored file is shorter than it was recorded.")
        yield part
        left -= len(part)
        part = source.read(min(_PART, left)) if left else b""


class DiffHandler(ReadingHandler):
    """What differs between two commits."""

    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(
            api.Diff,
            query=(
                Param("old", "The older commit", required=True),
                Param("new", "The newer commit", required=True),
                _UNDER,
                OFFSET,
                limit(_PAGE),
            ),
            errors=(400,),
        )
    }

    async def get(self, project: str) -> None:
        """Answer with a page of files; one that was renamed is one difference."""
        old, new, under = (
            self.get_query_argument(name, "", strip=False) for name in ("old", "new", "under")
        )
        if not old or not new:
            raise ApiError(400, "invalid_request", "The parameters 'old' and 'new' are commits.")
        offset, limit = self.number("offset", 0), self.number("limit", 100, most=_PAGE)
        await self.tell(lambda reading: reading.diff(old, new, under, offset, limit))


_PROJECT = r"/api/v1/projects/(?P<project>[^/]+)"
_RUN = rf"{_PROJECT}/runs/(?P<run>[^/]+)"
_COMMIT = rf"{_PROJECT}/commits/(?P<commit>[^/]+)"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (rf"{_PROJECT}/runs", RunsHandler),
    (_RUN, RunHandler),
    (rf"{_RUN}/series/(?P<name>.+)", SeriesHandler),
    (rf"{_RUN}/logs/(?P<name>.+)", LogHandler),
    (rf"{_RUN}/lineage", LineageHandler),
    (rf"{_PROJECT}/commits", CommitsHandler),
    (_COMMIT, CommitHandler),
    (rf"{_COMMIT}/files", FilesHandler),
    (rf"{_COMMIT}/files/(?P<file>.+)", FileHandler),
    (rf"{_PROJECT}/diff", DiffHandler),
]
