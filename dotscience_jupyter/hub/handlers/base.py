# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What all handlers of the hub share: who asks, whether that is allowed, errors as Problems."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar, cast

from pydantic import ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from dotscience_jupyter.api import PathMapper, models
from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.translate import translated
from dotscience_jupyter.hub import origins
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.config import Services, log
from dotscience_jupyter.hub.credentials import read_basic
from dotscience_jupyter.hub.failedlogins import Way
from dotscience_jupyter.hub.identity import KEY_PREFIX, User
from dotscience_jupyter.hub.operations import Media, Operation
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.records import RefusedError
from dotscience_jupyter.snapshots.embedded.store import StoreWriteError
from dotscience_jupyter.snapshots.engine import BadPathError
from dotscience_jupyter.sync.jupyterhub import hub_name

P = ParamSpec("P")
T = TypeVar("T")
RequestBody = TypeVar("RequestBody", bound=models.Body)

SMALL_BODY = 4 << 20
"""Bytes of a request that is kept in memory; larger ones go to handlers that stream."""

_AFTER_WRONG = 0.3  # seconds that the answer to a wrong password or key takes

_CODES = {
    400: ("invalid_request", "The request is not understood."),
    401: ("unauthenticated", "Log in first: with a user name and an API key, or a Bearer token."),
    403: ("forbidden", "You are not allowed to do that."),
    404: ("not_found", "There is nothing at this address, or you may not see it."),
    405: ("method_not_allowed", "This address does not understand that method."),
    413: ("too_large", "The request is larger than the hub accepts. Nothing was changed."),
}


class HubHandler(web.RequestHandler):
    """Base of all handlers.

    A class says in ``needs`` what each of its methods needs; that is checked, with the rate of
    requests, before the method is called. For the needs that are about a project it is found by
    :meth:`find_project` first, and ``info`` is set. What a method takes and gives is said in
    ``operations``, and how errors are told in ``problem``: the OpenAPI document is made of these.

    Attributes
    ----------
    hub : Services
    user : User or None
    by_password : bool
        Whether the request came with the password, not with a key.
    token : str
        Something that is the same for all requests with one key or token; "" for others.
    info : ProjectInfo
        The request's project, where it has one.
    """

    needs: ClassVar[dict[str, Need]] = {}
    operations: ClassVar[dict[str, Operation]] = {}
    problem: ClassVar[type[models.Body] | Media] = models.Problem
    takes_one_time: ClassVar[bool] = False
    """Whether a password that only logs in, once, is good as well."""

    def initialize(self) -> None:
        """Take the hub that is served."""
        self.hub = cast(Services, self.settings["hub"])
        self.user: User | None = None
        self.by_password = False
        self.token = ""
        self._info: ProjectInfo | None = None
        self._fault = ""

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        # a hub that stops waits for these; on_finish is not called where the client went away
        self.hub.active.add(self)
        try:
            await super()._execute(*args, **kwargs)
        finally:
            self.hub.active.discard(self)

    @property
    def info(self) -> ProjectInfo:
        """The request's project."""
        assert self._info is not None
        return self._info

    @info.setter
    def info(self, info: ProjectInfo) -> None:
        self._info = info

    @property
    def asker(self) -> User:
        """The user of a request that needs one."""
        assert self.user is not None
        return self.user

    def set_default_headers(self) -> None:
        """Nothing here is a page, and nothing is to be kept by anybody on the way."""
        self.set_header("Server", "dotscience-hub")
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        for name, value in self.origin_headers().items():
            self.set_header(name, value)

    def origin_headers(self, wanted: str | None = None) -> Mapping[str, str]:
        """Return what lets a page of another site read the answer; see :mod:`.origins`."""
        config = cast(Services, self.settings["hub"]).config
        path, origin = self.request.path, self.request.headers.get("Origin")
        return origins.headers(
            config.allow_origins, path.removeprefix(config.prefix), origin, wanted
        )

    # -- who asks, and whether that is allowed -------------------------------------------------

    async def prepare(self) -> None:
        """Authenticate, count and allow the request, or end it with a Problem."""
        method = self.request.method or ""
        need = self.needs.get("GET" if method == "HEAD" and "HEAD" not in self.needs else method)
        if need is None:
            verb = getattr(type(self), method.lower(), web.RequestHandler._unimplemented_method)
            if verb is web.RequestHandler._unimplemented_method:
                raise web.HTTPError(405)
            raise ApiError(500, "internal", "What this address needs was not declared.")
        self.user = await self.authenticate()
        self.count()
        await self.allow(need)

    async def authenticate(self) -> User | None:
        """Return who asks; None if the request does not say.

        Raises
        ------
        ApiError
            401 if what it says is wrong, 429 after too many wrong passwords; what JupyterHub's
            tokens are refused with, see :class:`.jupyterhub.door.Door`.
        """
        header = self.request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, rest = header.partition(" ")
        user: User | None = None
        name = ""
        door = self.hub.jupyterhub
        if scheme.lower() == "bearer":
            token = rest.strip()
            self.token = _mark(token)
            if door is None or token.startswith(KEY_PREFIX):
                user = await self.run(self.hub.identity.authenticate_bearer, token)
            else:
                user = await door.authenticate(token)
        elif scheme.lower() == "basic" and (found := read_basic(rest)) is not None:
            name, secret = found
            self.token = _mark(secret)
            identity, address = self.hub.identity, self.request.remote_ip or ""
            if secret.startswith(KEY_PREFIX):
                user = await self.run(identity.authenticate_basic, name, secret, address)
                if user is None and door is not None:
                    # the name that the user has at JupyterHub is as good
                    own = hub_name(name)
                    user = await self.run(identity.authenticate_basic, own, secret, address)
            elif door is not None:
                user = await door.authenticate_basic(name, secret)
            if user is None and not secret.startswith(KEY_PREFIX):
                self.by_password = True
                user = await self.hub.run_slow(
                    identity.authenticate_password, name, secret, address
                )
        if user is None:
            self.count()
            await self.note_failed(name, "password" if self.by_password else "key")
            await asyncio.sleep(_AFTER_WRONG)
            raise ApiError(
                401,
                "unauthenticated",
                "The user name, password or key is wrong, or is not good any more.",
            )
        if self.by_password and user.admin and not self.takes_one_time:
            await self.run(self.hub.identity.one_time.refuse, user.id)
        return user

    async def note_failed(self, name: str, way: Way, access_key: str = "") -> None:
        """Note that somebody was not let in; see :class:`.failedlogins.FailedLogins`."""
        address = self.request.remote_ip or ""
        await self.run(self.hub.failed_logins.note, name, way, address, access_key)

    def count(self) -> None:
        """Count the request. Raise ApiError 429 if the client made too many.

        Each key counts for itself: a program that runs wild holds up no other one of its user.
        """
        client = f"address {self.request.remote_ip}"
        if self.user is not None:
            client = f"{self.user.id} {'' if self.by_password else self.token}"
        if wait := self.hub.limit.take(client):
            raise ApiError(
                429,
                "too_many_requests",
                "You ask more often than this hub allows. Nothing was changed; wait and go on.",
                str(math.ceil(wait)),
            )

    async def allow(self, need: Need) -> None:
        """Set ``info`` where the need is about a project. Raise ApiError 401, 403 or 404."""
        if need is Need.PUBLIC:
            return
        if self.user is None:
            raise ApiError(401, *_CODES[401])
        if need is Need.ADMIN and not self.user.admin:
            raise ApiError(403, "forbidden", "Only an admin of this hub may do that.")
        if need.of_project:
            self._info = await self.allowed(await self.find_project(), need)

    async def find_project(self) -> ProjectInfo | None:
        """Return the project that the request is about: by default the id in its address."""
        return await self.run(self.hub.projects.get, self.path_kwargs["project"])

    async def allowed(self, info: ProjectInfo | str | None, need: Need) -> ProjectInfo:
        """Return a project (given itself or by id) that the user may use in that way.

        Raises
        ------
        ApiError
            404 if there is none, or none that the user may see; 403 ``read_only`` or
            ``forbidden`` if the user sees it and needs more than that.
        """
        if isinstance(info, str):
            info = await self.run(self.hub.projects.get, info)
        if info is not None and self.user is not None:
            role = await self.run(self.hub.members.role, self.user, info)
            if need.met_by(role):
                return info
            if role is not None:
                code = "read_only" if need is Need.WRITE else "forbidden"
                raise ApiError(403, code, need.refusal("this project", info.owner))
        raise ApiError(404, "not_found", "There is no such project, or you may not see it.")

    # -- work ----------------------------------------------------------------------------------

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that blocks, in a thread."""
        return await self.hub.run(function, *args, **kwargs)

    async def in_project(
        self, function: Callable[Concatenate[Project, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do something with the request's project, which is opened for it, in a thread."""

        def work() -> T:
            with self.hub.projects.open(self.info) as project:
                return function(project, *args, **kwargs)

        return await self.run(work)

    @contextlib.asynccontextmanager
    async def opened(self, info: ProjectInfo | None = None) -> AsyncIterator[Project]:
        """Give a project (the request's, if none is given), open until the end of the block."""
        manager = self.hub.projects.open(info or self.info)
        project = await self.run(manager.__enter__)
        try:
            yield project
        finally:
            await self.run(manager.__exit__, None, None, None)

    def body(self, kind: type[RequestBody]) -> RequestBody:
        """Return the request's JSON body. Raise ApiError 400 if it is not one of that kind."""
        try:
            return kind.model_validate_json(self.request.body.strip() or b"{}")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "The body"
            raise ApiError(400, "invalid_request", f"{where}: {first['msg']}.") from None

    def number(self, name: str, default: int, *, most: int | None = None) -> int:
        """Return a query parameter that is a whole number. Raise ApiError 400 if it is not."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise ApiError(
                400, "invalid_request", f"The parameter {name!r} is a whole number, 0 or more."
            )
        return int(text) if most is None else min(int(text), most)

    def answer(self, body: models.Body, status: int = 200) -> None:
        """Answer with a body."""
        self.set_status(status)
        self.finish(body.model_dump_json())

    async def stream(self, parts: Iterator[bytes]) -> None:
        """Write what an iterator gives, which is asked in threads and no faster than is sent.

        A client that goes away ends it; nothing is raised.
        """
        try:
            while (part := await self.run(next, parts, None)) is not None:
                self.write(part)
                await self.flush()
        except StreamClosedError:
            return
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                await self.run(close)

    # -- errors --------------------------------------------------------------------------------

    def explain(self, error: BaseException | None) -> ApiError:
        """Return what to tell of an error: nothing that was not meant for users.

        Protocols with codes of their own override this.
        """
        if isinstance(error, ApiError):
            return error
        if isinstance(error, web.HTTPError):
            status = error.status_code
            code, message = _CODES.get(status, ("error", f"{HTTPStatus(status).phrase}."))
            return ApiError(status, code, message)
        if isinstance(error, BadPathError | RefusedError):
            return ApiError(400, "invalid_request", str(error))
        if isinstance(error, StoreWriteError):
            # whose disk it is has to be said: the client's own programs use the same words
            cause = error.__cause__
            reason = cause.strerror if isinstance(cause, OSError) else None
            return ApiError(
                507,
                "unwritable",
                f"The hub could not keep what was sent: {reason or 'its disk cannot be written'}. "
                "What was published before is untouched, and so is what you have. Tell whoever "
                "looks after the hub, and try again when there is room.",
            )
        data = self.hub.config.data
        try:
            with translated(PathMapper(data), data):
                if isinstance(error, Exception):
                    raise error
        except ApiError as known:
            return known
        except Exception:  # noqa: S110 - it is the one that is told of below
            pass
        return ApiError(
            500,
            "internal",
            "Something went wrong inside the hub. What was recorded is kept. The hub's log has "
            f"the details under {self._fault}.",
            self._fault or None,
        )

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log a fault of ours under an id that the answer gives as well."""
        if isinstance(value, StreamClosedError) or self.explain(value).status < 500:
            return
        if isinstance(value, ApiError):
            log.error("%s (%s)", value.message, value.details)
            return
        if isinstance(value, StoreWriteError):
            log.error("%s", value)
            return
        self._fault = uuid.uuid4().hex[:12]
        log.error(
            "Fault %s while answering %s %s",
            self._fault,
            self.request.method,
            self.request.path,
            exc_info=(typ, value, tb),
        )

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer an error with its own status; see :meth:`write_error`."""
        error = self.explain(kwargs.get("exc_info", (None, None, None))[1])
        if self._headers_written:
            # the status was sent: all that can be told is that this is not the end
            cast(Any, self.request.connection).stream.close()
            return
        self.clear()
        self.set_status(error.status)
        if error.status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="dotscience"')
        elif error.status == 429:
            self.set_header("Retry-After", error.details or "1")
        elif error.code in ("busy", "jupyterhub", "unavailable"):
            self.set_header("Retry-After", "1")
        self.write_problem(error)

    def write_problem(self, error: ApiError) -> None:
        """Finish the answer that tells of an error; protocols with other shapes override this."""
        details = None if error.status in (429, 503) else error.details
        problem = models.Problem(code=error.code, message=error.message, details=details)
        self.finish(problem.model_dump_json())


def _mark(secret: str) -> str:
    """Return what tells a key from others, and is not the key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class NotFound(HubHandler):
    """Whatever is at none of our addresses."""

    needs: ClassVar[dict[str, Need]] = dict.fromkeys(
        web.RequestHandler.SUPPORTED_METHODS, Need.PUBLIC
    )

    async def prepare(self) -> None:
        """Answer 404 to everybody alike."""
        self.count()
        raise web.HTTPError(404)
