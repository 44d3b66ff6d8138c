# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The OpenAPI 3.1 document of a hub, built from the table of its addresses and their handlers.

``python -m dotscience_jupyter.hub.openapi > docs/hub-openapi.json`` writes the stored copy.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from dotscience_jupyter.api.models import Body
from dotscience_jupyter.api.openapi import parameter

from .access import Need
from .handlers.base import HubHandler
from .operations import JSON, TEXT, XML, Media, Operation
from .routes import ROUTES

API_VERSION = "1.0.0"  # of the API, not of the package: the document changes only when the API does

_Schemas = dict[tuple[type[Body], JsonSchemaMode], dict[str, Any]]

_STATUS_TEXT = {
    200: "Done",
    201: "Made",
    204: "Done; there is nothing to tell",
    206: "The part that was asked for",
    302: "Go on there",
    304: "What the client has is the newest",
    400: "The request is not understood",
    401: "No login, or one that is not good (any more)",
    403: "Not allowed",
    404: "There is no such thing, or one that the user may not see",
    409: "It cannot be done as things are",
    412: "It is not what the request wants it to be",
    413: "The body is larger than the hub accepts",
    423: "A task has the workspace to itself; it is told which",
    429: "Too many requests, or wrong passwords; Retry-After says how long to wait",
    500: "A fault of the hub; its log has the details",
    501: "S3 has that, and this hub has not",
    503: "The hub cannot do it just now",
    507: "The hub has no room for it",
}
_PLACEHOLDER_TEXT = {
    "project": "Id of a project",
    "key": "Id of a key; of S3, the path of a file",
    "name": "Name of a user; below a run, of a metric or a log",
    "lock": "Id of a lock",
    "bucket": "NAMESPACE:DOT or NAMESPACE:DOT@BRANCH; of S3, NAME, OWNER.NAME or a project's id",
    "rest": "What follows, slashes included",
    "snapshot": "Id of a commit, or latest",
    "model": "Id of a model",
    "build": "Id of a build",
    "run": "Id of a run, or the beginning of one",
    "commit": "Id of a commit, the beginning of one, HEAD or HEAD~n",
    "file": "A file of a commit, in text form, slashes included",
}
_LOGINS: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}]


def addresses() -> Iterator[tuple[str, list[tuple[str, bool]], type[HubHandler]]]:
    """Yield each address as OpenAPI writes it, its placeholders and its handler.

    A placeholder has a name, and may stand for several segments.
    """
    for pattern, handler in ROUTES:
        found: list[tuple[str, bool]] = []
        names = iter(("bucket", "key"))  # of the groups without a name, which are those of S3

        def replace(
            match: re.Match[str],
            found: list[tuple[str, bool]] = found,
            names: Iterator[str] = names,
        ) -> str:
            name = match["name"] or ("rest" if match["open"] else next(names))
            found.append((name, "[^/]" not in match[0]))
            return f"{{{name}}}"

        path = re.sub(
            r"\((?:\?P<(?P<name>\w+)>|\?:)(?:\[\^/\]\+|\.[+*])\)|(?P<open>\.[+*])", replace, pattern
        )
        yield path.removesuffix("/?").replace("\\", ""), found, handler


def _operations() -> Iterator[tuple[str, list[tuple[str, bool]], type[HubHandler], str, Operation]]:
    for path, names, handler in addresses():
        for method in handler.needs:
            yield path, names, handler, method, handler.operations[method]


def _schemas() -> tuple[_Schemas, dict[str, Any]]:
    """Return how all models are referred to, and their JSON schemas."""
    used: dict[tuple[type[Body], JsonSchemaMode], None] = {}
    for _, _, handler, _, operation in _operations():
        for answer in (operation.answer, *operation.also.values(), handler.problem):
            if answer is not None and not isinstance(answer, Media):
                used[answer, "serialization"] = None
        if operation.body is not None and not isinstance(operation.body, Media):
            used[operation.body, "validation"] = None
    references, document = models_json_schema(
        list(used), ref_template="#/components/schemas/{model}"
    )
    return cast(_Schemas, references), dict(sorted(document["$defs"].items()))


def _content(
    bodies: list[type[Body] | Media], schemas: _Schemas, mode: JsonSchemaMode
) -> dict[str, Any]:
    """Return what the document says of a body, which may be one of several."""
    found: dict[str, list[dict[str, Any]]] = {}
    for body in bodies:
        if isinstance(body, Media):
            found.setdefault(body.type, []).append(dict(body.schema))
        else:
            found.setdefault(JSON, []).append(schemas[body, mode])
    return {
        kind: {"schema": each[0] if len(each) == 1 else {"anyOf": each}}
        for kind, each in found.items()
    }


def _errors(handler: type[HubHandler], need: Need, operation: Operation) -> set[int]:
    errors = {401, 429, 500, 503, *operation.errors}
    if need.of_project:
        errors.add(404)
    if need in (Need.WRITE, Need.OWNER, Need.ADMIN):
        errors.add(403)
    if operation.body is not None:
        errors |= {400, 413}
    if handler.problem is XML:  # as S3 has them
        errors = (errors - {401, 413, 429}) | {400, 403, 404, 501}
    elif handler.problem is TEXT:
        errors |= {400, 413} if operation.body is not None else {400}
    return errors


def _responses(
    handler: type[HubHandler], method: str, operation: Operation, schemas: _Schemas
) -> dict[str, Any]:
    found: dict[int, list[type[Body] | Media]] = {}
    for status, answer in {operation.status: operation.answer, **operation.also}.items():
        found[status] = [] if answer is None else [answer]
    for status in _errors(handler, handler.needs[method], operation):
        told = found.setdefault(status, [])
        if handler.problem not in told:
            told.append(handler.problem)
    responses: dict[str, Any] = {}
    for status, bodies in sorted(found.items()):
        text = _STATUS_TEXT.get(status, HTTPStatus(status).phrase)
        responses[str(status)] = {"description": text}
        if bodies and method != "HEAD":
            responses[str(status)]["content"] = _content(bodies, schemas, "serialization")
    return responses


def _operation(
    id_: str,
    names: list[tuple[str, bool]],
    handler: type[HubHandler],
    method: str,
    operation: Operation,
    schemas: _Schemas,
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    for name, several in names:
        placeholder: dict[str, Any] = {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PLACEHOLDER_TEXT[name],
            "schema": {"type": "string", "minLength": 1},
        }
        if several:
            placeholder["x-multi-segment"] = True
        parameters.append(placeholder)
    parameters += [parameter(each) for each in operation.query]
    parameters += [parameter(each, "header") for each in operation.headers]
    # the verb that answers HEAD may be that of GET
    verb = getattr(handler, method.lower())
    need = handler.needs[method]
    told: dict[str, Any] = {
        "operationId": id_,
        "summary": _first_line(handler),
        "description": _first_line(verb),
        "tags": [_tag(handler)],
        "x-needs": need.value,
        "security": [{}, *_LOGINS] if need is Need.PUBLIC else _LOGINS,
    }
    if parameters:
        told["parameters"] = parameters
    if operation.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": _content([operation.body], schemas, "validation"),
        }
    told["responses"] = _responses(handler, method, operation, schemas)
    return told


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _tag(handler: type[HubHandler]) -> str:
    """Return the protocol that a handler speaks, or the module of ours that it is in."""
    _, room, *rest = handler.__module__.split(".")[1:]
    return rest[0] if room == "handlers" else room


def _id(handler: type[HubHandler], method: str, names: list[tuple[str, bool]]) -> str:
    """Return a name that stays while the address does; each has one of its own."""
    tag = _tag(handler)
    several = sum(other is handler for _, other in ROUTES) > 1
    last = names[-1][0].capitalize() if several and names else ""
    what = handler.__name__.removesuffix("Handler")
    return f"{tag}{method.capitalize()}{what}{last}"


def document() -> dict[str, Any]:
    """Return the OpenAPI document; the same for the same code, keys in a fixed order."""
    schemas, definitions = _schemas()
    paths: dict[str, Any] = {}
    for path, names, handler, method, operation in _operations():
        told = _operation(_id(handler, method, names), names, handler, method, operation, schemas)
        paths.setdefault(path, {})[method.lower()] = told
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dotscience-jupyter hub",
            "version": API_VERSION,
            "summary": "Projects, commits, runs and models of a team",
            "description": (
                "Beside the hub's own API (/api/v1) the protocols of the original (/v2, /admin) "
                "and an S3 endpoint (/s3), whose requests are signed (AWS Signature V4) or carry "
                "a login as all others. x-needs says what the user of a request has to be. Times "
                "are UTC, ISO 8601."
            ),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [
            {
                "url": "{hub}",
                "variables": {
                    "hub": {
                        "default": "http://127.0.0.1:8770",
                        "description": "Where the hub is, with the prefix of a proxy if it has one",
                    }
                },
            }
        ],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "User name, and password or API key",
                },
                "bearer": {"type": "http", "scheme": "bearer", "description": "API key"},
            },
        },
    }


def render() -> str:
    """Return the document as the text that is stored in ``docs/hub-openapi.json``."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
