# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The original's REST API: projects, models, and honest answers where there is nothing."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from hub_world import RunningHub


def publish(
    running: RunningHub, user: str, project: dict[str, object], labels: dict[str, str]
) -> str:
    """Record a run with some labels; return its id."""
    run = str(uuid4())
    metadata = {"type": "dotscience.run.v1", "runs": json.dumps([run])}
    metadata |= {f"run.{run}.label.{name}": text for name, text in labels.items()}
    params = {"Namespace": project["owner"], "Name": project["dots"][0], "Branch": ""}
    params |= {"Message": "m", "Metadata": metadata}
    body = {"jsonrpc": "2.0", "method": "DotmeshRPC.Commit", "params": params, "id": 1}
    answer = running.call("POST", "/v2/dotmesh/rpc", running.user(user), body).json()
    assert "result" in answer, answer
    return run


def test_the_version_needs_a_login(running: RunningHub) -> None:
    assert running.call("GET", "/v2/version", running.user("alice")).json()["version"]
    assert running.call("GET", "/v2/version").status == 401


def test_projects_are_made_once_and_listed(running: RunningHub) -> None:
    alice, bob = running.user("alice"), running.user("bob")
    made = running.call("POST", "/v2/projects", alice, {"name": "p"})
    assert made.status == 201
    id_ = made.json()["id"]
    again = running.call("POST", "/v2/projects", alice, {"name": "p"})
    assert again.status == 200 and again.json()["id"] == id_
    other = running.call("POST", "/v2/projects", bob, {"name": "p"}).json()
    assert other["id"] != id_
    running.call("POST", f"/api/v1/projects/{id_}/members", alice, {"name": "bob"})
    found = running.call("GET", "/v2/projects", bob).json()
    # one's own first: clients take the first of a name
    assert [each["owner"] for each in found] == ["bob", "alice"]
    assert found[1] == {
        "id": id_,
        "name": "p",
        "owner": "alice",
        "dots": [f"project-{id_[:8]}-default-workspace"],
        "collaborators": ["bob"],
        "created": found[1]["created"],
    }
    assert [each["id"] for each in running.call("GET", "/v2/projects", alice).json()] == [id_]
    body = {
        "jsonrpc": "2.0",
        "method": "DotmeshRPC.Create",
        "params": {"Namespace": "alice", "Name": "d"},
        "id": 1,
    }
    running.call("POST", "/v2/dotmesh/rpc", alice, body)
    assert len(running.call("GET", "/v2/projects", alice).json()) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"name": 3}', b'{"name": ""}'])
def test_bad_projects_are_refused(running: RunningHub, body: bytes) -> None:
    answer = running.call("POST", "/v2/projects", running.user("alice"), body)
    assert answer.status == 400 and answer.json()["message"]


def test_models_are_the_runs_that_registered_them(running: RunningHub) -> None:
    alice, bob = running.user("alice"), running.user("bob")
    project = running.call("POST", "/v2/projects", alice, {"name": "p"}).json()
    assert running.call("GET", "/v2/models", alice).json() == []
    said = '{"files":{"classes":"m/c.json","model":"m"},"type":"tensorflow-model","version":"2.1"}'
    first = publish(running, "alice", project, {"artefact:digits": said, "artefact:a\"b'c": "hand"})
    publish(running, "alice", project, {"artefact": "no model", "x": "y"})
    last = publish(running, "alice", project, {"artefact:digits": "[1]"})
    found = running.call("GET", "/v2/models", alice).json()
    assert [(each["run_id"], each["name"]) for each in found] == [
        (last, "digits"),
        (first, "a\"b'c"),
        (first, "digits"),
    ]
    whole = found[2]
    assert whole["type"] == "tensorflow-model" and whole["version"] == "2.1"
    assert whole["files"] == {"classes": "m/c.json", "model": "m"}
    assert (whole["project_id"], whole["project_name"]) == (project["id"], "p")
    assert found[0]["type"] == "" and found[0]["files"] == {}
    for each in found:
        assert running.call("GET", f"/v2/models/{each['id']}", alice).json() == each
        assert running.call("GET", f"/v2/models/{each['id']}", bob).status == 404
    assert running.call("GET", "/v2/models", bob).json() == []
    for wrong in ("x", "a.b.c", f"{project['id']}.{first}.9", f"{project['id']}.{uuid4()}.0"):
        assert running.call("GET", f"/v2/models/{wrong}", alice).status == 404


def test_hundreds_of_models_are_found(running: RunningHub) -> None:
    project = running.call("POST", "/v2/projects", running.user("alice"), {"name": "p"}).json()
    for some in range(3):
        labels = {f"artefact:{some}-{n}-{'x' * 40}": "{}" for n in range(100)}
        publish(running, "alice", project, labels)
    found = running.call("GET", "/v2/models", running.user("alice")).json()
    assert len(found) == len({each["id"] for each in found}) == 300


def test_nothing_is_built_or_deployed_and_that_is_said(running: RunningHub) -> None:
    alice = running.user("alice")
    project = running.call("POST", "/v2/projects", alice, {"name": "p"}).json()
    publish(running, "alice", project, {"artefact:m": "{}"})
    (model,) = running.call("GET", "/v2/models", alice).json()
    builds = f"/v2/models/{model['id']}/builds"
    assert running.call("GET", builds, alice).json() == []
    answer = running.call("POST", builds, alice, {"builder": ""})
    assert answer.status == 409 and "No builder is configured" in answer.json()["message"]
    assert running.call("GET", f"{builds}/1", alice).status == 404
    assert running.call("POST", "/v2/models/x/builds", alice, {}).status == 404
    assert running.call("GET", "/v2/deployers", alice).json() == []
    for path in ("/v2/deployers/1/deployments", "/v2/deployers/1/deployments/2/dashboard"):
        answer = running.call("POST", path, alice, {})
        assert answer.status == 404 and "Nothing was deployed" in answer.json()["message"]
    assert running.call("GET", "/admin/v1/runners", running.admin_auth).json() == []
    assert running.call("GET", "/admin/v1/runners", alice).status == 403
    path = "/admin/v1/runners/account/runner"
    assert running.call("POST", f"{path}/action", running.admin_auth, {}).status == 404
    assert running.call("DELETE", path, running.admin_auth).status == 404
    assert running.call("DELETE", path, alice).status == 403
