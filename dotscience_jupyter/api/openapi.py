# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The OpenAPI 3.1 document, built from the bodies and the route table.

``python -m dotscience_jupyter.api.openapi > docs/openapi.json`` writes the stored copy, from which
the front end's types are generated.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from . import models
from .routes import PATH, ROUTES, Param, Route, placeholders

API_VERSION = "1.0.0"  # of the API, not of the package: the document changes only when the API does
_REF = "#/components/schemas/"
_STATUS_TEXT = {
    200: "Done",
    201: "Made",
    206: "The part of the file that was asked for",
    304: "The file that the client has is the one",
    400: "The request is not understood: invalid_request, invalid_where or ambiguous",
    401: "No valid token or cookie",
    403: "Not allowed: forbidden, or a path outside what this server serves (forbidden_path)",
    404: "There is no such thing: not_found or no_workspace",
    409: "It cannot be done as things are: exists, not_empty or conflict",
    416: "The file has no such range",
    500: "A fault of ours; the server's log has the details (internal)",
    502: "The hub cannot be reached, is busy, or is not one: offline, busy, untrusted or damaged",
}
_BYTES = {
    "getFile": "application/octet-stream",
    "getBlob": "application/octet-stream",
    "getTableCsv": "text/csv",
}
_PLACEHOLDER_TEXT = {
    "commit": "Id of a commit, a unique prefix of it, HEAD or HEAD~n",
    "run": "Id of a run or a unique prefix of it",
    "file": "Path of a file in text form; its slashes may be percent-encoded or not",
    "name": "Name as it was recorded; its slashes may be percent-encoded or not",
}


def _schemas() -> dict[str, Any]:
    """Return the JSON schemas of all bodies: requests as read, answers as written."""
    used: dict[tuple[type[models.Body], JsonSchemaMode], None] = {
        (models.Problem, "serialization"): None
    }
    for route in ROUTES:
        if route.body is not None:
            used[route.body, "validation"] = None
        if route.answer is not None:
            used[route.answer, "serialization"] = None
    _, document = models_json_schema(list(used), ref_template=_REF + "{model}")
    return dict(sorted(document["$defs"].items()))


def parameter(param: Param, where: str = "query") -> dict[str, Any]:
    """Return what the document says of a parameter in an address, or in a header."""
    schema: dict[str, Any] = {"type": param.kind}
    if param.kind == "integer":
        schema["minimum"] = param.minimum
        if param.maximum is not None:
            schema["maximum"] = param.maximum
    if not param.required:
        schema["default"] = param.default
    return {
        "name": param.name,
        "in": where,
        "required": param.required,
        "description": param.description,
        "schema": schema,
    }


def _answer(route: Route, status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _STATUS_TEXT[status]}
    if status == 304:
        return answer
    if route.answer is not None:
        schema: dict[str, Any] = {"$ref": _REF + route.answer.__name__}
        if route.many:
            schema = {"type": "array", "items": schema}
        answer["content"] = {"application/json": {"schema": schema}}
    elif route.operation in _BYTES:
        answer["content"] = {_BYTES[route.operation]: {"schema": {"type": "string"}}}
        if 304 in route.statuses:
            answer["headers"] = {
                "ETag": {"description": "The digest of the bytes", "schema": {"type": "string"}}
            }
    else:
        answer["content"] = {"application/json": {"schema": {"type": "object"}}}
    return answer


def _operation(route: Route) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    for name, several in placeholders(route.path):
        placed = {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PLACEHOLDER_TEXT[name],
            "schema": {"type": "string"},
        }
        if several:
            placed["x-multi-segment"] = True
        parameters.append(placed)
    query = ((PATH,) if route.workspace else ()) + route.query
    parameters += [parameter(param) for param in query]
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [_tag(route)],
    }
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF + route.body.__name__}}},
        }
    responses = {str(status): _answer(route, status) for status in route.statuses}
    errors = {401, 403, 500, *route.errors}
    if route.workspace:
        errors |= {400, 404}
    for status in sorted(errors):
        responses[str(status)] = {
            "description": _STATUS_TEXT[status],
            "content": {"application/json": {"schema": {"$ref": _REF + "Problem"}}},
        }
    operation["responses"] = responses
    return operation


def _tag(route: Route) -> str:
    parts = route.path.strip("/").split("/")
    if parts[0] != "v1":
        return "original"
    return {
        "version": "server",
        "openapi.json": "server",
        "diff": "commits",
        "usage": "workspace",
        "columns": "explorer",
        "table": "explorer",
        "table.csv": "explorer",
        "points": "explorer",
        "importance": "explorer",
        "overlay": "explorer",
        "complete": "explorer",
        "live": "explorer",
        "history": "commits",
    }.get(parts[1], parts[1])


def document() -> dict[str, Any]:
    """Return the OpenAPI document; the same for the same code, keys in a fixed order."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        path = route.path.replace("...}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dotscience-jupyter",
            "version": API_VERSION,
            "summary": "Runs, commits and files of tracked folders, inside Jupyter Server",
            "description": (
                "All paths in bodies and parameters are text forms: bytes of a name that are not "
                "UTF-8 are written \\xNN and every backslash is doubled. Times are UTC, ISO 8601. "
                "A number that JSON cannot hold is given as the string nan, inf or -inf."
            ),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [
            {
                "url": "{base_url}dotscience",
                "variables": {
                    "base_url": {
                        "default": "http://localhost:8888/",
                        "description": "Where Jupyter Server answers, its base_url included",
                    }
                },
            }
        ],
        "security": [{"token": []}, {"query": []}, {"cookie": []}],
        "tags": [
            {"name": "workspace", "description": "The tracked folder"},
            {"name": "status", "description": "What the committer does"},
            {"name": "commits", "description": "Frozen moments and their files"},
            {"name": "runs", "description": "Tracked executions"},
            {"name": "explorer", "description": "Many runs side by side, and runs under way"},
            {"name": "provenance", "description": "What was made from what"},
            {"name": "compare", "description": "How two moments differ"},
            {"name": "merge", "description": "Taking the changes of another commit in"},
            {"name": "server", "description": "The server itself"},
            {"name": "original", "description": "The three addresses of the plugin of 2018"},
        ],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token <Jupyter Server's token>`",
                },
                "query": {"type": "apiKey", "in": "query", "name": "token"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "_xsrf",
                    "description": (
                        "A browser's login cookie; what changes something also needs the header "
                        "X-XSRFToken with this cookie's value"
                    ),
                },
            },
        },
    }


def render() -> str:
    """Return the document as the text that is stored in ``docs/openapi.json``."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
