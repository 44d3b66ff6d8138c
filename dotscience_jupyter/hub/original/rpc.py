# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The Dotmesh API: one address, to which calls are posted.

A request that is no call of ours, or a call that fails, is answered with status 200 and an error
in the body, as clients expect it. Only who is not let in gets another status.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, cast

from tornado import web
from tornado.http1connection import HTTP1Connection

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.operations import Media, Operation

from . import commits, jsonrpc, methods
from .dots import Asker, Dot
from .jsonrpc import BadCallError, Call, RpcError
from .names import MASTER, BadNameError
from .runmetadata import MetadataError
from .turns import claimed_user, turns_of

# how a call says which dot it is about
By: TypeAlias = Literal["none", "name", "id"]


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it does, what it needs, how the dot is named."""

    work: Callable[[Asker, Any, Call], Any]
    need: Need
    by: By = "name"
    ids: tuple[str, ...] = ()  # names of the parameter that is the dot's id
    branch: str = "Branch"  # name of the parameter that is the branch
    missing: bool = False  # whether it may be about a dot that is not there
    waits: bool = False  # whether it comes after the uploads that the user has begun before
    slow: bool = False  # whether it hashes a password


METHODS: dict[str, Method] = {
    "Ping": Method(methods.ping, Need.USER, "none"),
    "Version": Method(methods.version, Need.USER, "none"),
    "CheckNameIsValid": Method(methods.check_name_is_valid, Need.USER, "none"),
    "CurrentUser": Method(methods.current_user, Need.USER, "none"),
    "GetApiKey": Method(methods.get_api_key, Need.USER, "none"),
    "ResetApiKey": Method(methods.reset_api_key, Need.USER, "none"),
    "UpdatePassword": Method(methods.update_password, Need.USER, "none", slow=True),
    "RegisterNewUser": Method(methods.register_new_user, Need.ADMIN, "none", slow=True),
    "List": Method(methods.list_dots, Need.USER, "none"),
    "AllDotsAndBranches": Method(methods.all_dots_and_branches, Need.USER, "none"),
    "Create": Method(methods.create, Need.USER, "none"),
    "Lookup": Method(methods.lookup, Need.READ),
    "Exists": Method(methods.exists, Need.READ, missing=True),
    "Get": Method(methods.get, Need.READ, "id", ("FilesystemId", "Id")),
    "Delete": Method(methods.delete, Need.OWNER),
    "Fork": Method(methods.fork, Need.READ, "id", ("MasterBranchID",), waits=True),
    "AddCollaborator": Method(methods.add_collaborator, Need.OWNER, "id", ("MasterBranchID",)),
    "RemoveCollaborator": Method(
        methods.remove_collaborator, Need.OWNER, "id", ("MasterBranchID",)
    ),
    "LastModified": Method(methods.last_modified, Need.READ, waits=True),
    "Commit": Method(commits.commit, Need.WRITE, waits=True),
    "Commits": Method(commits.commits, Need.READ, waits=True),
    "CommitsById": Method(commits.commits, Need.READ, "id", ("FilesystemId", "Id"), waits=True),
    "Branch": Method(commits.branch, Need.WRITE, branch="SourceBranch", waits=True),
    "Branches": Method(commits.branches, Need.READ),
    "Rollback": Method(commits.rollback, Need.OWNER, waits=True),
    "Diff": Method(commits.diff, Need.READ, "id", ("FilesystemID", "FilesystemId")),
}


_PUSH = (
    "Nothing was moved: a hub does not copy dots from or to other clusters. Projects and their "
    "workspaces are pushed and pulled with `jupyter dotscience push` and `pull`."
)
ELSEWHERE: dict[str, str] = {
    "MountCommit": "Nothing was mounted: a hub has no disk that a client could see. The files of a "
    "commit are read at /v2/dotmesh/s3/NAMESPACE:DOT/snapshot/COMMIT/KEY.",
    "Transfer": _PUSH,
    "GetTransfer": _PUSH,
    "S3Transfer": "Nothing was moved. Every project of this hub is a bucket of its S3 endpoint, "
    "/s3, with which tools for S3 copy from and to other buckets.",
}
"""What to do instead, by the name of a method that is not available here."""

MAX_CALL = 64 << 20
"""Bytes of a call at most: a commit's metadata may hold all points of long series."""


_CALL = Media(
    "application/json",
    {
        "type": "object",
        "required": ["jsonrpc", "method"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "method": {"enum": [jsonrpc.PREFIX + name for name in METHODS]},
            "params": {"description": "An object; for Get and CommitsById the id itself as well"},
            "id": {"type": ["integer", "string", "null"]},
        },
    },
)
_ANSWER = Media(
    "application/json",
    {
        "type": "object",
        "required": ["jsonrpc", "id"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {},
            "result": {},
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            },
        },
    },
)


@web.stream_request_body
class RpcHandler(HubHandler):
    """The address of all methods."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(_ANSWER, also={204: None}, body=_CALL)
    }

    async def prepare(self) -> None:
        """Make room for larger bodies than others have; only who is let in fills it."""
        self._body = bytearray()
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_max_body_size(MAX_CALL)
        await super().prepare()

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._body += chunk

    async def post(self) -> None:
        """Answer a call."""
        try:
            call = await self.run(jsonrpc.parse, self._body)
        except BadCallError as error:
            self.finish(jsonrpc.error(error.id, error.code, str(error)))
            return
        try:
            text = jsonrpc.result(call.id, await self._done(call))
        except (RpcError, BadNameError, MetadataError) as error:
            code = error.code if isinstance(error, RpcError) else jsonrpc.INVALID_PARAMS
            text = jsonrpc.error(call.id, code, str(error))
        except Exception as error:
            told = self.explain(error)
            if told.status >= 500:
                self.log_exception(type(error), error, error.__traceback__)
                told = self.explain(error)
            code = jsonrpc.INTERNAL_ERROR if told.status == 500 else jsonrpc.SERVER_ERROR
            text = jsonrpc.error(call.id, code, told.message)
        if call.notification:
            self.set_status(204)
            self.clear_header("Content-Type")
        else:
            self.write(text)
        self.finish()

    async def _done(self, call: Call) -> Any:
        method = METHODS.get(call.method)
        if method is None:
            absent = f"There is no method {jsonrpc.PREFIX}{call.method[:80]}."
            raise RpcError(ELSEWHERE.get(call.method, absent), jsonrpc.METHOD_NOT_FOUND)
        asker = Asker(self.hub, self.asker, self.by_password)
        dot = await self._dot(asker, method, call)
        if method.waits and dot is not None:
            turns = turns_of(self.hub)
            # an upload is noted under the name that its request gave, before that was looked at
            claimed = claimed_user(self.request.headers.get("Authorization", ""))
            ended = True
            for name in {self.asker.name, claimed or self.asker.name}:
                ended = await turns.wait(name, dot.info.dot, dot.branch) and ended
            if not ended and method.need is not Need.READ:
                raise RpcError(
                    "An upload of yours to this dot that began before has not come to its end for "
                    "ten minutes, so nothing was done. Try again."
                )
        run = self.hub.run_slow if method.slow else self.run
        return await run(method.work, asker, dot, call)

    async def _dot(self, asker: Asker, method: Method, call: Call) -> Dot | None:
        """Return the dot that a call is about, None where it is about none.

        Raises
        ------
        RpcError
            If there is no such dot that the user may see, or the user may not do that with it.
        """
        if method.by == "none":
            if method.need is Need.ADMIN and not asker.user.admin:
                raise RpcError("Only an admin of this hub may do that. Nothing was changed.")
            return None
        if method.by == "id":
            what = call.only(*method.ids)
            dot = await self.run(asker.by_id, what)
        else:
            namespace, name = call.text("Namespace"), call.text("Name")
            branch = call.text(method.branch, "")
            what = f"{namespace}/{name}"
            dot = await self.run(asker.dot, namespace, name, "" if branch == MASTER else branch)
        if dot is None:
            if method.missing:
                return None
            raise RpcError(f"There is no dot {what[:160]}, or you may not see it.")
        if not method.need.met_by(dot.role):
            raise RpcError(method.need.refusal(what[:160], dot.info.owner))
        return dot
