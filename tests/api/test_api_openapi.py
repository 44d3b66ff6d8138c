# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The stored OpenAPI document is valid, fresh, and says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from dotscience_jupyter.api import models, openapi
from dotscience_jupyter.api.routes import ROUTES, find_route, pattern, placeholders

ROOT = Path(__file__).resolve().parents[2]


def test_the_stored_document_is_fresh():
    stored = (ROOT / "docs" / "openapi.json").read_text("utf-8")
    assert stored == openapi.render(), "run: python scripts/check_generated.py --write"


def test_the_typescript_types_are_of_this_document():
    """A full comparison needs Node (scripts/check_generated.py); names are compared here."""
    text = (ROOT / "src" / "api" / "schema.ts").read_text("utf-8")
    document = openapi.document()
    for name in document["components"]["schemas"]:
        assert f"export type {name} =" in text
    for path in document["paths"]:
        assert f'"{path}":' in text


def test_the_document_is_valid():
    validate(openapi.document())


def test_rendering_is_stable():
    assert openapi.render() == openapi.render()
    assert json.loads(openapi.render()) == openapi.document()


def test_every_answer_body_is_described():
    schemas = openapi.document()["components"]["schemas"]
    for route in ROUTES:
        for model in (route.answer, route.body):
            if model is not None:
                assert set(schemas[model.__name__]["properties"]) == {
                    field.alias or name for name, field in model.model_fields.items()
                }


def test_fields_of_answers_with_defaults_are_always_there():
    """What the front end reads is not optional only because the server has a default for it."""
    schemas = openapi.document()["components"]["schemas"]
    assert set(schemas["Status"]["required"]) == set(models.Status.model_fields)
    assert "required" not in schemas["CreateCommit"]


def test_operations_are_named_once():
    names = [route.operation for route in ROUTES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_patterns_match_their_paths_and_nothing_shorter(route):
    regex = re.compile(pattern(route.path))
    filled = route.path
    for name, several in placeholders(route.path):
        filled = filled.replace("{" + name + ("..." if several else "") + "}", "x%2Fy")
    match = regex.fullmatch(filled)
    assert match and set(match.groupdict()) == {name for name, _ in placeholders(route.path)}
    assert not regex.fullmatch(filled.rsplit("/", 1)[0])


def test_finding_a_route():
    assert find_route("GET", "/v1/runs").operation == "listRuns"
    with pytest.raises(KeyError):
        find_route("DELETE", "/v1/runs")


def test_unknown_keys_of_requests_are_errors():
    with pytest.raises(ValueError, match="colour"):
        models.CreateCommit.model_validate_json('{"colour": "red"}')
