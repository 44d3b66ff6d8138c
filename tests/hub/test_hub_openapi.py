# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub's OpenAPI document: stored, valid, complete, and served."""

from __future__ import annotations

import json
from pathlib import Path

from hub_world import RunningHub
from openapi_spec_validator import validate

from dotscience_jupyter.hub import openapi
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.routes import ROUTES

STORED = Path(__file__).parents[2] / "docs" / "hub-openapi.json"


def test_the_stored_document_is_what_the_code_gives() -> None:
    assert STORED.read_text("utf-8") == openapi.render(), "run `make generate`"


def test_the_document_is_valid() -> None:
    validate(openapi.document())


def test_every_verb_of_every_address_is_in_it() -> None:
    document = openapi.document()
    told = [
        (path, verb.upper(), operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    declared = [
        (handler, method, need) for _, handler in ROUTES for method, need in handler.needs.items()
    ]
    assert len(told) == len(declared)
    for (_, method, operation), (handler, verb, need) in zip(told, declared, strict=True):
        assert method == verb and operation["x-needs"] == need.value, handler
        assert ({} in operation["security"]) is (need is Need.PUBLIC)
    ids = [operation["operationId"] for _, _, operation in told]
    assert len(set(ids)) == len(ids)
    for path, _, operation in told:
        assert "(" not in path and "?" not in path
        places = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert places == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path


def test_a_hub_gives_it_to_anybody(running: RunningHub) -> None:
    answer = running.call("GET", "/api/v1/openapi.json")
    assert answer.status == 200
    assert json.loads(answer.body) == openapi.document()
