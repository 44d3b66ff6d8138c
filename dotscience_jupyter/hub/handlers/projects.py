# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects: which there are, and who may use them."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from dotscience_jupyter.hub import models
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import Operation, Param
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.hub.projects import Kind
from dotscience_jupyter.records import HEAD

from .base import HubHandler

_CONFIRM = Param("confirm", "The project's name, so that nobody deletes the wrong one")


class ProjectsHandler(HubHandler):
    """All projects that one may see."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER, "POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.ProjectList),
        "POST": Operation(models.Project, 201, body=models.NewProject, errors=(409,)),
    }

    async def get(self) -> None:
        """Answer with them; dots that belong to none are among them."""
        found = await self.run(self.hub.projects.visible_to, self.asker)
        self.answer(models.ProjectList(items=[_project(info) for info in found]))

    async def post(self) -> None:
        """Make one."""
        given = self.body(models.NewProject)
        info = await self.run(self.hub.projects.create, self.asker, given.name, given.kind)
        base = self.hub.config.base_url or self.hub.config.prefix
        self.set_header("Location", f"{base}/api/v1/projects/{info.id}")
        self.answer(_project(info, role="owner", access="write", commits=0, runs=0), 201)


class ProjectHandler(HubHandler):
    """A project."""

    needs: ClassVar[dict[str, Need]] = {
        "GET": Need.READ,
        "PATCH": Need.OWNER,
        "DELETE": Need.OWNER,
    }
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.Project),
        "PATCH": Operation(models.Project, body=models.ChangedProject, errors=(409,)),
        "DELETE": Operation(status=204, query=(_CONFIRM,), errors=(409,)),
    }

    async def get(self, project: str) -> None:
        """Answer with what is known of it."""

        def work(project: Project) -> dict[str, Any]:
            commits, runs = project.records.counts()
            told = {"commits": commits, "runs": runs, "head": project.commit_id(HEAD)}
            role = self.hub.members.role(self.asker, self.info)
            if role is not None:  # it is, unless it was taken away a moment ago
                told |= {"role": role.name, "access": role.access}
            return told

        self.answer(_project(self.info, **await self.in_project(work)))

    async def patch(self, project: str) -> None:
        """Give it another name."""
        given = self.body(models.ChangedProject)
        info = await self.run(
            self.hub.projects.rename, self.info, given.name, actor=self.asker.name
        )
        self.answer(_project(info))

    async def delete(self, project: str) -> None:
        """Take it away; the parameter ``confirm`` has to be its name."""
        confirm = self.get_query_argument("confirm", "", strip=False)
        await self.run(self.hub.projects.delete, self.info, confirm=confirm, actor=self.asker.name)
        self.set_status(204)


class MembersHandler(HubHandler):
    """Who may use a project."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.READ, "POST": Need.OWNER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.MemberList),
        "POST": Operation(status=204, body=models.NewMember),
    }

    async def get(self, project: str) -> None:
        """Answer with the owner and the collaborators."""
        found = await self.run(self.hub.members.of, self.info)
        members = [
            models.Member(name=user.name, role=role.name, access=role.access)
            for user, role in found
        ]
        self.answer(models.MemberList(items=members))

    async def post(self, project: str) -> None:
        """Let a user read, or read and write."""
        given = self.body(models.NewMember)
        user = await self.run(self.hub.identity.get_user, given.name)
        await self.run(self.hub.members.add, self.info, user, given.access, actor=self.asker.name)
        self.set_status(204)


class MemberHandler(HubHandler):
    """Somebody who may use a project."""

    needs: ClassVar[dict[str, Need]] = {"DELETE": Need.OWNER}
    operations: ClassVar[dict[str, Operation]] = {"DELETE": Operation(status=204, errors=(409,))}

    async def delete(self, project: str, name: str) -> None:
        """Let that user in no more."""
        user = await self.run(self.hub.identity.get_user, name)
        await self.run(self.hub.members.remove, self.info, user, actor=self.asker.name)
        self.set_status(204)


def _project(info: ProjectInfo, **more: Any) -> models.Project:
    return models.Project(
        id=info.id,
        name=info.name,
        owner=info.owner,
        kind=cast(Kind, info.kind),
        dot=info.dot,
        created=info.created,
        **more,
    )


_ONE = r"/api/v1/projects/(?P<project>[^/]+)"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/api/v1/projects", ProjectsHandler),
    (_ONE, ProjectHandler),
    (rf"{_ONE}/members", MembersHandler),
    (rf"{_ONE}/members/(?P<name>[^/]+)", MemberHandler),
]
