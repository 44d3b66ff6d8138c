# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every address of the hub asked as its OpenAPI document says, and otherwise: answers are as told.

Requests are made by schemathesis from the document, by several kinds of users, against a real hub.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hub_world import RunningHub, hub
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dotscience_jupyter.hub import openapi
from dotscience_jupyter.hub.handlers import base

THOROUGH = bool(os.environ.get("DOTSCIENCE_THOROUGH"))
EXAMPLES = 100 if THOROUGH else 5
SECONDS = 20.0
"""No answer takes longer, on a machine that does other things as well."""

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
IDENTITIES = ("owner", "member", "reader", "stranger", "admin", "nobody", "wrong")

schemathesis.serializer.alias("application/x-ndjson", "application/octet-stream")
SCHEMA = schemathesis.openapi.from_dict(openapi.document())
OPERATIONS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations()}


@dataclass
class Fuzzed:
    """A hub with something in it, and what its addresses may be about."""

    hub: RunningHub
    session: requests.Session
    names: dict[str, list[str]]

    def headers(self, identity: str) -> dict[str, str]:
        if identity == "nobody":
            return {}
        if identity == "wrong":
            return {"Authorization": "Bearer dsk_" + "x" * 43}
        return {"Authorization": f"Bearer {self.hub.user(identity)[1]}"}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    before = base._AFTER_WRONG
    base._AFTER_WRONG = 0.0
    path: Path = tmp_path_factory.mktemp("routes")
    with hub(path) as running, requests.Session() as session:
        session.trust_env = False
        running.user("admin-of-all", admin=True)
        running._users["admin"] = running.user("admin-of-all", admin=True)[1]
        for name in ("owner", "member", "reader", "stranger"):
            running.user(name)
        id_ = running.project("owner", "p")
        members = f"/api/v1/projects/{id_}/members"
        owner = running.user("owner")
        for name, access in (("member", "write"), ("reader", "read")):
            member = {"name": name, "access": access}
            assert running.call("POST", members, owner, member).status == 204
        dot = f"owner:project-{id_[:8]}-default-workspace"
        put = running.call("PUT", f"/v2/dotmesh/s3/{dot}/d/a.txt", owner, b"content")
        assert put.status == 200
        run = "7e5b5a8e-7a0f-4b0c-8f3c-111111111111"
        metadata = {"type": "dotscience.run.v1", "runs": f'["{run}"]'}
        metadata[f"run.{run}.label.artefact:m"] = '{"files": {}}'
        params = {"Namespace": "owner", "Name": dot.partition(":")[2], "Branch": ""}
        params |= {"Message": "m", "Metadata": metadata}
        body = {"jsonrpc": "2.0", "method": "DotmeshRPC.Commit", "params": params, "id": 1}
        commit = running.call("POST", "/v2/dotmesh/rpc", owner, body).json()["result"]
        yield Fuzzed(
            running,
            session,
            {
                "project": [id_],
                "bucket": [dot, f"{dot}@branch", "p", "owner.p", id_],
                "rest": ["snapshot/latest/d/a.txt", "snapshot/latest", "d/a.txt", "d", ""],
                "key": ["d/a.txt", "d/", "new", "d"],
                "snapshot": ["latest", commit],
                "model": [f"{id_}.{run}.0"],
                "name": ["member", "reader", "stranger"],
            },
        )
    base._AFTER_WRONG = before


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_answers_are_as_the_document_says(fuzzed: Fuzzed, label: str) -> None:
    operation = OPERATIONS[label]
    told = operation.definition.raw
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not THOROUGH,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, who=st.sampled_from(IDENTITIES), data=st.data())
    def ask(case: schemathesis.Case, who: str, data: st.DataObject) -> None:
        # most made-up names are of nothing that there is
        for name in case.path_parameters or {}:
            known = fuzzed.names.get(name)
            if known and data.draw(st.integers(0, 4)):
                case.path_parameters[name] = data.draw(st.sampled_from(known))
        case.headers.pop("Authorization", None)
        answer = case.call(
            base_url=fuzzed.hub.url,
            session=fuzzed.session,
            headers=fuzzed.headers(who),
            timeout=SECONDS,
        )
        allowed = {501} if told["tags"] == ["s3"] else set()
        assert answer.status_code < 500 or answer.status_code in allowed, (who, answer.text)
        assert "Traceback (most" not in answer.text and str(fuzzed.hub.data) not in answer.text
        values = [str(value) for value in (case.path_parameters or {}).values()]
        if not any(part in ("", ".", "..") for value in values for part in value.split("/")):
            # else it is another address that was asked
            case.validate_response(answer, checks=CHECKS)

    run: Callable[[], Any] = ask
    run()
