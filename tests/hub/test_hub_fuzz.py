# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Nonsense sent to every address of our own REST: refused in words, never a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub_world import RunningHub, emptied, hub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_hub_access import address

from dotscience_jupyter.hub.handlers import account, admin, base, health, projects

ROUTES = [*account.ROUTES, *admin.ROUTES, *projects.ROUTES, *health.ROUTES]
CASES = [(path, method) for path, handler in ROUTES for method in sorted(handler.needs)]

NASTY = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "\0",
            "a\0b",
            "'; DROP TABLE users; --",
            "%",
            "../..",
            "\u202e",
            "x" * 5000,
            "HEAD~99999999",
        ]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NASTY),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NASTY, inner, max_size=3)),
    max_leaves=4,
)
NAMES = ["name", "access", "password", "new", "user", "expires", "admin", "disabled", "xyz"]
BODIES = st.one_of(
    st.binary(max_size=50),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3).map(
        lambda body: json.dumps(body).encode()
    ),
)
QUERIES = st.dictionaries(
    st.sampled_from(["where", "search", "sort", "offset", "limit", "ref", "confirm", "x"]),
    NASTY,
    max_size=3,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningHub, str, tuple[str, str]]]:
    path: Path = tmp_path_factory.mktemp("fuzz")
    db = ""
    if request.param == "postgresql":
        db = emptied(str(request.getfixturevalue("hub_postgresql_server")))
    before = base._AFTER_WRONG
    base._AFTER_WRONG = 0.0
    with hub(path, db=db) as running:
        # an admin who may be disabled by a lucky guess; the first one brings it back
        root = running.user("root", admin=True)
        yield running, running.project("root", "p"), root
    base._AFTER_WRONG = before


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=st.sampled_from(CASES), body=BODIES, query=QUERIES, name=NASTY)
def test_no_nonsense_is_a_fault_of_ours(
    fuzzed: tuple[RunningHub, str, tuple[str, str]],
    case: tuple[str, str],
    body: bytes,
    query: dict[str, str],
    name: str,
) -> None:
    running, id_, root = fuzzed
    path, method = case
    told = address(path, id_).replace("nobody-of-that-name", quote(name or "x", safe=""))
    asked = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    answer = running.call(method, f"{told}?{asked}", root, body if method != "GET" else None)
    assert answer.status < 500, (method, told, asked, body, answer.body)
    if answer.status >= 400 and method != "HEAD":
        problem = answer.json()
        assert problem["code"] and problem["message"]
        assert "Traceback" not in problem["message"] and str(running.data) not in problem["message"]
