# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The REST API of the original: projects and models; builds, deployers and runners there are none.

Answers are bare arrays and objects, as its clients read them.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from dotscience_jupyter._version import __version__
from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Problem
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.operations import ARRAY, NEVER, OBJECT, Media, Operation
from dotscience_jupyter.hub.project import ProjectInfo

from . import library

_NEW_PROJECT = Media(
    "application/json",
    {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
)


class RestHandler(HubHandler):
    """What these handlers share."""

    def answer_json(self, value: Any, status: int = 200) -> None:
        """Answer with JSON of any shape."""
        self.set_status(status)
        self.finish(json.dumps(value))


class VersionHandler(RestHandler):
    """Which version this is; clients ask it to find out whether they are let in."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(OBJECT)}

    async def get(self) -> None:
        """Answer with the version."""
        self.answer_json({"version": __version__})


class ProjectsHandler(RestHandler):
    """The projects that one may see."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER, "POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(ARRAY),
        "POST": Operation(OBJECT, 201, also={200: OBJECT}, body=_NEW_PROJECT, errors=(409,)),
    }

    async def get(self) -> None:
        """Answer with all of them, one's own first: clients take the first of a name."""
        self.answer_json(await self.run(_projects, self.hub, self.asker))

    async def post(self) -> None:
        """Make a project; if there is one of that name already, it is the answer.

        Two programs that publish to a new project at the same time both find none and make it.
        """
        try:
            given = json.loads(self.request.body)
        except (ValueError, RecursionError):
            given = None
        name = given.get("name") if isinstance(given, dict) else None
        if not isinstance(name, str):
            raise ApiError(400, "invalid_request", 'The body must be {"name": "..."}.')
        made, status = await self.run(_make, self.hub, self.asker, name)
        self.answer_json(await self.run(_project, self.hub, made), status)


class ModelsHandler(RestHandler):
    """The model library."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(ARRAY)}

    async def get(self) -> None:
        """Answer with the models of all projects that one may see."""
        known = library.library_of(self.hub)
        self.finish(await self.run(known.all_models, self.asker))


class ModelHandler(RestHandler):
    """One model."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(OBJECT, errors=(404,))}

    async def get(self, model: str) -> None:
        """Answer with it."""
        self.answer_json(await self.model(model))

    async def model(self, id_: str) -> library.Model:
        """Return the model. Raise ApiError 404 where there is none that one may see."""
        found = await self.run(library.find_model, self.hub, self.asker, id_)
        if found is None:
            raise ApiError(404, "not_found", "There is no such model, or you may not see it.")
        return found


class BuildsHandler(ModelHandler):
    """The builds of a model: none, since this hub has no builder."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER, "POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(ARRAY, errors=(404,)),
        "POST": Operation(Problem, 409, body=OBJECT, errors=(404,)),
    }

    async def get(self, model: str) -> None:
        """Answer with none."""
        await self.model(model)
        self.answer_json([])

    async def post(self, model: str) -> None:
        """Refuse."""
        await self.model(model)
        raise ApiError(
            409,
            "none_configured",
            "No builder is configured on this hub, so no image was built. The model and its files "
            "are recorded; publish without build and deploy.",
        )


class BuildHandler(ModelHandler):
    """One build of a model."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": NEVER}

    async def get(self, model: str, build: str = "") -> None:
        """Answer that there is none."""
        await self.model(model)
        raise ApiError(404, "not_found", "There is no such build: this hub has no builder.")


class DeployersHandler(RestHandler):
    """The deployers: none."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(ARRAY)}

    async def get(self) -> None:
        """Answer with none."""
        self.answer_json([])


class NoDeployerHandler(RestHandler):
    """Whatever belongs to a deployer."""

    needs: ClassVar[dict[str, Need]] = {
        "GET": Need.USER,
        "POST": Need.USER,
        "PUT": Need.USER,
        "DELETE": Need.USER,
    }
    operations: ClassVar[dict[str, Operation]] = dict.fromkeys(needs, NEVER)

    def _refuse(self) -> None:
        raise ApiError(
            404,
            "not_found",
            "There is no such deployer: none is configured on this hub. Nothing was deployed.",
        )

    async def get(self) -> None:
        """Answer that there is none."""
        self._refuse()

    async def post(self) -> None:
        """Answer that there is none."""
        self._refuse()

    async def put(self) -> None:
        """Answer that there is none."""
        self._refuse()

    async def delete(self) -> None:
        """Answer that there is none."""
        self._refuse()


class RunnersHandler(RestHandler):
    """The runners: none."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(ARRAY)}

    async def get(self) -> None:
        """Answer with none."""
        self.answer_json([])


class RunnerHandler(RestHandler):
    """Whatever belongs to a runner."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.ADMIN, "DELETE": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = dict.fromkeys(needs, NEVER)

    def _refuse(self) -> None:
        raise ApiError(404, "not_found", "There is no such runner: none is registered on this hub.")

    async def post(self) -> None:
        """Answer that there is none."""
        self._refuse()

    async def delete(self) -> None:
        """Answer that there is none."""
        self._refuse()


def _projects(hub: Services, user: User) -> list[dict[str, Any]]:
    found = hub.projects.visible_to(user, "project")
    found.sort(key=lambda info: info.owner_id != user.id)
    return [_project(hub, info) for info in found]


def _project(hub: Services, info: ProjectInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "owner": info.owner,
        "dots": [info.dot],
        "collaborators": [user.name for user, _ in hub.members.of(info)[1:]],
        "created": info.created.isoformat(),
    }


def _make(hub: Services, user: User, name: str) -> tuple[ProjectInfo, int]:
    try:
        return hub.projects.create(user, name), 201
    except ApiError as error:
        found = hub.projects.by_name(user.name, name) if error.code == "exists" else None
        if found is None:
            raise
        return found, 200
