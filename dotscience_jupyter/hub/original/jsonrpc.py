# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""JSON-RPC 2.0 as the clients of the original speak it: one call a request.

``params`` are by name, absent where there are none; methods that take one id take it as it is. An
answer holds ``result`` or ``error``, never both: their client refuses an ``"error": null``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
"""What the original answers with when a method fails, whatever the reason."""

PREFIX = "DotmeshRPC."

Id = str | int | float | None


class RpcError(Exception):
    """A call that cannot be answered; the message is for users.

    Attributes
    ----------
    code : int
        The error's code on the wire.
    """

    def __init__(self, message: str, code: int = SERVER_ERROR) -> None:
        super().__init__(message)
        self.code = code


class BadCallError(RpcError):
    """A request that is no call; ``id`` is its id as far as one could be read."""

    def __init__(self, message: str, code: int, id: Id = None) -> None:  # noqa: A002 - as on the wire
        super().__init__(message, code)
        self.id = id


@dataclass(frozen=True, slots=True)
class Call:
    """A method called with parameters by name, or with one text."""

    method: str  # without its prefix
    params: dict[str, Any] | str
    id: Id
    notification: bool = False  # nobody waits for an answer

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text among the parameters. Raise RpcError where there is none such."""
        params = self.params if isinstance(self.params, dict) else {}
        value = params.get(name)
        if value is None:
            if default is not None:
                return default
            raise RpcError(f"The parameter {name!r} is missing.", INVALID_PARAMS)
        if not isinstance(value, str):
            raise RpcError(f"The parameter {name!r} must be a text.", INVALID_PARAMS)
        return value

    def value(self, name: str) -> Any:
        """Return a parameter as it is, None where there is none."""
        return self.params.get(name) if isinstance(self.params, dict) else None

    def only(self, *names: str) -> str:
        """Return the one text that a method takes, given alone or by one of these names."""
        if isinstance(self.params, str):
            return self.params
        for name in names:
            if name in self.params:
                return self.text(name)
        raise RpcError(f"The parameter must be the {names[0]} as a text.", INVALID_PARAMS)


def parse(body: bytes | bytearray) -> Call:
    """Return the call that a request's body is.

    Raises
    ------
    BadCallError
        If it is none; with the codes of JSON-RPC 2.0.
    """
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadCallError("The request's body is not JSON.", PARSE_ERROR) from None
    if isinstance(document, list):
        raise BadCallError("Send one call a request: batches are not taken.", INVALID_REQUEST)
    if not isinstance(document, dict):
        raise BadCallError("The request's body is not a JSON-RPC call.", INVALID_REQUEST)
    raw = document.get("id")
    usable = (
        raw is None
        or isinstance(raw, str)
        or (
            isinstance(raw, int | float)
            and not isinstance(raw, bool)
            and (isinstance(raw, int) or math.isfinite(raw))
        )
    )
    if not usable:
        raise BadCallError("A call's id is a text or a number.", INVALID_REQUEST)
    id_: Id = raw
    method = document.get("method")
    if document.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise BadCallError("The request's body is not a JSON-RPC 2.0 call.", INVALID_REQUEST, id_)
    if not method.startswith(PREFIX):
        raise BadCallError(f"There is no method {method[:80]!r}.", METHOD_NOT_FOUND, id_)
    params = document.get("params")
    if isinstance(params, list) and len(params) <= 1:
        params = params[0] if params else None  # what some clients wrap the one argument in
    if params is None:
        params = {}
    if not isinstance(params, dict | str):
        raise BadCallError("The parameters must be given by name.", INVALID_PARAMS, id_)
    return Call(method[len(PREFIX) :], params, id_, "id" not in document)


def result(id: Id, value: Any) -> str:  # noqa: A002 - as on the wire
    """Return the answer of a call that went well, as JSON."""
    return json.dumps({"jsonrpc": "2.0", "result": value, "id": id})


def error(id: Id, code: int, message: str) -> str:  # noqa: A002 - as on the wire
    """Return the answer of a call that did not, as JSON."""
    return json.dumps({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id})


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
