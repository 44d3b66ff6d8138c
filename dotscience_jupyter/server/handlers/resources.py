# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Workspace, status, commits, differences and runs."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from dotscience_jupyter.api import ApiError, WorkspaceService, models, openapi
from dotscience_jupyter.api.service import suggest
from dotscience_jupyter.api.version import package_version

from .base import BaseHandler, ProblemError


class VersionHandler(BaseHandler):
    """The server side's version."""

    path = "/v1/version"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the version, for the handshake with the front end."""
        self.finish(models.Version(version=package_version()).model_dump_json())


class OpenapiHandler(BaseHandler):
    """The OpenAPI document."""

    path = "/v1/openapi.json"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the document, the same as ``docs/openapi.json``."""
        self.finish(await self.manager.run(openapi.render))


class WorkspaceHandler(BaseHandler):
    """The workspace that holds a path."""

    path = "/v1/workspace"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the workspace, or where one would be made."""
        contents_path = str(self.parameters()["path"])
        manager = self.manager
        try:
            service = (await manager.get(contents_path)).service
        except ApiError as error:
            if error.code != "no_workspace":
                raise ProblemError(error) from None
            mapper = manager.mapper
            path = await manager.run(mapper.to_os, contents_path)
            suggested, reason = await manager.run(suggest, path, mapper)
            answer = models.WorkspaceAnswer(workspace=None, suggested_path=suggested, reason=reason)
            self.finish(answer.model_dump_json())
            return
        await self.answer(_workspace_answer, service)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start tracking a folder."""
        wanted = self.body(models.CreateWorkspace)
        try:
            opened, new = await self.manager.create(wanted.path, force=wanted.force)
        except ApiError as error:
            raise ProblemError(error) from None
        _, text = await self.call(opened.service.info)
        self.set_status(201 if new else 200)
        self.finish(text)


def _workspace_answer(service: WorkspaceService) -> models.WorkspaceAnswer:
    return models.WorkspaceAnswer(workspace=service.info(), suggested_path=None)


class StatusHandler(BaseHandler):
    """The committer's state."""

    path = "/v1/status"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the state, as last seen or, with ``fresh``, as it is now."""
        fresh = bool(self.parameters()["fresh"])
        await self.answer((await self.service()).status, fresh, slow=fresh)


class CommitsHandler(BaseHandler):
    """The list of commits, and making one."""

    path = "/v1/commits"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of commits, newest first."""
        parameters = self.parameters()
        await self.answer((await self.service()).commits, **parameters)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Commit the workspace as it is now."""
        wanted = self.body(models.CreateCommit)
        service = await self.service()
        # once begun it is made, whether or not the client still waits for the answer
        body, text = await asyncio.shield(
            asyncio.ensure_future(
                self.call(service.commit, wanted.description, self.author(), slow=True)
            )
        )
        assert isinstance(body, models.CommitResult)
        if body.commit is not None:
            self.set_status(201)
            self.set_header(
                "Location",
                url_path_join(self.base_url, "dotscience/v1/commits", body.commit.id),
            )
        self.finish(text)


class CommitHandler(BaseHandler):
    """One commit."""

    path = "/v1/commits/{commit}"

    @web.authenticated
    @authorized
    async def get(self, commit: str) -> None:
        """Answer the commit with its metadata."""
        compute = bool(self.parameters()["content_id"])
        await self.answer((await self.service()).commit_detail, commit, compute, slow=compute)


class FilesHandler(BaseHandler):
    """The folders of a commit."""

    path = "/v1/commits/{commit}/files"

    @web.authenticated
    @authorized
    async def get(self, commit: str) -> None:
        """Answer the children of a folder."""
        under = self.parameters()["under"]
        await self.answer((await self.service()).files, commit, under)


class RestoreHandler(BaseHandler):
    """A commit's files in a new folder."""

    path = "/v1/commits/{commit}/restore"

    @web.authenticated
    @authorized
    async def post(self, commit: str) -> None:
        """Write a commit's files to a new folder."""
        wanted = self.body(models.Restore)
        service = await self.service()
        to = await self.new_folder(wanted.to)
        body, text = await self.call(service.restore, commit, to, wanted.paths, slow=True)
        assert isinstance(body, models.RestoreResult)
        self.made(body.path)
        self.finish(text)


class CloneHandler(BaseHandler):
    """A folder of its own with a commit's content."""

    path = "/v1/commits/{commit}/clone"

    @web.authenticated
    @authorized
    async def post(self, commit: str) -> None:
        """Make the folder."""
        wanted = self.body(models.Clone)
        service = await self.service()
        to = await self.new_folder(wanted.to)
        body, text = await self.call(service.clone, commit, to, slow=True)
        assert isinstance(body, models.CloneResult)
        self.made(body.path)
        self.finish(text)


class RollbackHandler(BaseHandler):
    """Going back in place."""

    path = "/v1/commits/{commit}/rollback"

    @web.authenticated
    @authorized
    async def post(self, commit: str) -> None:
        """Make the workspace's files what they were; the body says that a person wants it."""
        self.body(models.Rollback)
        service = await self.service()
        # once begun it is done, whether or not the client still waits for the answer
        _, text = await asyncio.shield(
            asyncio.ensure_future(self.call(service.rollback, commit, self.author(), slow=True))
        )
        self.finish(text)


class UsageHandler(BaseHandler):
    """How much room the stored content takes."""

    path = "/v1/usage"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the sums, and on request what each snapshot takes."""
        each = bool(self.parameters()["each"])
        await self.answer((await self.service()).usage, each, slow=True)


class DiffHandler(BaseHandler):
    """What differs between two commits."""

    path = "/v1/diff"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of differing paths."""
        parameters = self.parameters()
        await self.answer((await self.service()).diff, **parameters)


class RunsHandler(BaseHandler):
    """The table of runs."""

    path = "/v1/runs"
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer a page of runs, filtered and sorted."""
        parameters = self.parameters()
        await self.answer((await self.service()).runs, **parameters)


class RunHandler(BaseHandler):
    """One run."""

    path = "/v1/runs/{run}"

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer everything known of the run."""
        await self.answer((await self.service()).run, run)


class SeriesHandler(BaseHandler):
    """A metric over its steps."""

    path = "/v1/runs/{run}/series/{name...}"

    @web.authenticated
    @authorized
    async def get(self, run: str, name: str) -> None:
        """Answer the points."""
        parameters = self.parameters()
        await self.answer((await self.service()).series, run, name, **parameters)


class LogHandler(BaseHandler):
    """A log that came with a run."""

    path = "/v1/runs/{run}/logs/{name...}"

    @web.authenticated
    @authorized
    async def get(self, run: str, name: str) -> None:
        """Answer the end of the log."""
        parameters = self.parameters()
        await self.answer((await self.service()).log, run, name, **parameters)


class LineageHandler(BaseHandler):
    """Where a run's results came from."""

    path = "/v1/runs/{run}/lineage"

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer the runs and the raw data that it depends on."""
        await self.answer((await self.service()).lineage, run)


HANDLERS: list[type[BaseHandler]] = [
    VersionHandler,
    OpenapiHandler,
    WorkspaceHandler,
    StatusHandler,
    CommitsHandler,
    CommitHandler,
    FilesHandler,
    RestoreHandler,
    CloneHandler,
    RollbackHandler,
    UsageHandler,
    DiffHandler,
    RunsHandler,
    RunHandler,
    SeriesHandler,
    LogHandler,
    LineageHandler,
]
