# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What all handlers share: parameters by the route table, bodies as answers, errors as Problems."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from pydantic import ValidationError
from tornado import web
from tornado.escape import url_escape

from dotscience_jupyter.api import ApiError, WorkspaceService, models
from dotscience_jupyter.api.routes import PATH, Param, find_route

if TYPE_CHECKING:
    from dotscience_jupyter.server.app import DotscienceApp
    from dotscience_jupyter.server.manager import WorkspaceManager
    from dotscience_jupyter.server.opened import OpenedWorkspace

AUTH_RESOURCE = "dotscience"

RequestBody = TypeVar("RequestBody", bound=models.Body)

_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"0", "false", "no", ""})
# what jupyter_server calls somebody who has the token and no name
_ANONYMOUS = re.compile(r"[0-9a-f]{32}")

_CODES = {
    400: ("invalid_request", "The request is not understood."),
    403: ("forbidden", "You are not allowed to do that on this server."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not understand that method."),
    413: ("too_large", "The request is larger than the server accepts."),
}


class ProblemError(web.HTTPError):
    """An error of the API on its way through tornado."""

    def __init__(self, error: ApiError, headers: dict[str, str] | None = None) -> None:
        super().__init__(error.status, error.message)
        self.problem = error.problem()
        self.headers = headers or {}


class BaseHandler(APIHandler):
    """Base of all handlers.

    Verbs are decorated in the concrete classes: ``@authorized`` remembers the resource and action
    of its first call, so a verb in a base class would answer for all of them.
    """

    auth_resource = AUTH_RESOURCE
    path: ClassVar[str] = ""  # as in the route table

    def initialize(self, app: DotscienceApp) -> None:
        """Take the extension whose workspaces are served."""
        self.app = app
        self._fault = ""

    @property
    def manager(self) -> WorkspaceManager:
        """The open workspaces. Raise when the server is stopping."""
        if self.app.manager is None:
            raise ProblemError(
                ApiError(503, "stopping", "The server is stopping. Try again when it is back.")
            )
        return self.app.manager

    def parameters(self) -> dict[str, Any]:
        """Return the query parameters that the route table declares, checked and converted.

        Raises
        ------
        ProblemError
            400 ``invalid_request`` if one is missing or is not what it should be.
        """
        method = (self.request.method or "GET").replace("HEAD", "GET")
        route = find_route(method, self.path)
        return {param.name: self._parameter(param) for param in route.query}

    def _parameter(self, param: Param) -> str | int | bool:
        text = self.get_query_argument(param.name, None, strip=False)
        if text is None:
            if param.required:
                raise _invalid(f"The parameter {param.name!r} is missing.")
            return param.default
        if param.kind == "boolean":
            if text.lower() in _TRUE:
                return True
            if text.lower() in _FALSE:
                return False
            raise _invalid(f"The parameter {param.name!r} is either 1 or 0.")
        if param.kind == "integer":
            if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
                raise _invalid(
                    f"The parameter {param.name!r} is a whole number, not {text[:40]!r}."
                )
            value = int(text)
            if value < param.minimum or (param.maximum is not None and value > param.maximum):
                most = "" if param.maximum is None else f" and at most {param.maximum}"
                raise _invalid(f"The parameter {param.name!r} is at least {param.minimum}{most}.")
            return value
        return text

    def body(self, kind: type[RequestBody]) -> RequestBody:
        """Return the request's body. Raise ProblemError 400 if it is not one of that kind."""
        try:
            return kind.model_validate_json(self.request.body.strip() or b"{}")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "The body"
            raise _invalid(f"{where}: {first['msg']}.") from None

    async def opened(self) -> OpenedWorkspace:
        """Return the workspace that the request's ``path`` means."""
        contents_path = str(self._parameter(PATH))
        try:
            return await self.manager.get(contents_path)
        except ApiError as error:
            raise ProblemError(error) from None

    async def service(self) -> WorkspaceService:
        """Return the service of the workspace that the request's ``path`` means."""
        return (await self.opened()).service

    async def call(
        self, function: Callable[..., models.Body], *args: Any, slow: bool = False, **kwargs: Any
    ) -> tuple[models.Body, str]:
        """Ask the service in a thread; return the body and its JSON, made there as well."""

        def work() -> tuple[models.Body, str]:
            body = function(*args, **kwargs)
            return body, body.model_dump_json()

        run = self.manager.run_slow if slow else self.manager.run
        try:
            return await run(work)
        except ApiError as error:
            raise ProblemError(error) from error

    async def answer(
        self, function: Callable[..., models.Body], *args: Any, slow: bool = False, **kwargs: Any
    ) -> None:
        """Answer with what the service says."""
        _, text = await self.call(function, *args, slow=slow, **kwargs)
        self.finish(text)

    async def new_folder(self, contents_path: str) -> Path:
        """Return the OS path of a folder that is to be made. Raise ProblemError if it may not."""
        manager = self.manager
        try:
            return await manager.run(manager.mapper.to_write, contents_path)
        except ApiError as error:
            raise ProblemError(error) from None

    def made(self, contents_path: str) -> None:
        """Say with the answer that a folder was made, and where."""
        self.set_status(201)
        self.set_header(
            "Location",
            url_path_join(self.base_url, "api/contents", url_escape(contents_path, plus=False)),
        )

    def author(self) -> str | None:
        """Return the name of who asks, or None when Jupyter does not know one."""
        user = self.current_user
        if user is None or (
            _ANONYMOUS.fullmatch(user.username) and user.name.startswith("Anonymous ")
        ):
            return None
        return str(user.display_name or user.name or user.username)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log a fault of ours under an id that the answer gives as well."""
        if isinstance(value, web.HTTPError):
            super().log_exception(typ, value, tb)
            return
        self._fault = uuid.uuid4().hex[:12]
        self.log.error(
            "Fault %s while answering %s %s",
            self._fault,
            self.request.method,
            self.request.path,
            exc_info=(typ, value, tb),
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a Problem; nothing of an exception that was not meant for users is shown."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, ProblemError):
            problem = error.problem
            for name, value in error.headers.items():
                self.set_header(name, value)
        elif isinstance(error, web.HTTPError):
            code, message = _CODES.get(status_code, ("error", HTTPStatus(status_code).phrase + "."))
            if status_code == 403 and not self.current_user:
                code = "unauthenticated"
                message = "The request holds no valid token or login. Log in and try again."
            elif status_code == 403 and "_xsrf" in str(error.log_message):
                message = (
                    "The request came without the page's _xsrf token, so it may not be yours. "
                    "Reload the page and try again."
                )
            problem = models.Problem(code=code, message=message)
        else:
            problem = models.Problem(
                code="internal",
                message=(
                    "Something went wrong inside dotscience-jupyter. Your files and recorded runs "
                    f"are unchanged. The server's log has the details under {self._fault}."
                ),
                details=self._fault or None,
            )
        self.finish(problem.model_dump_json())


class UnknownPath(BaseHandler):
    """Whatever begins like our addresses and is none of them."""

    def _nothing(self) -> None:
        raise web.HTTPError(404)

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer 404, as JSON."""
        self._nothing()

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer 404, as JSON."""
        self._nothing()

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Answer 404, as JSON."""
        self._nothing()

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Answer 404, as JSON."""
        self._nothing()


def _invalid(message: str) -> ProblemError:
    return ProblemError(ApiError(400, "invalid_request", message))
