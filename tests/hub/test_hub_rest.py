# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Our own REST: login, keys, projects, members, users, runs and commits, the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_world import PASSWORD, RunningHub

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import NewRun, NewValue
from dotscience_jupyter.snapshots.embedded.editing import Edit


def projects_of(running: RunningHub, name: str) -> list[str]:
    items = running.call("GET", "/api/v1/projects", running.user(name)).json()["items"]
    return [item["name"] for item in items]


def fill(running: RunningHub, id_: str) -> list[str]:
    """Three commits with a run each; their ids, newest first."""
    assert running.services is not None
    projects = running.services.projects
    info = projects.get(id_)
    assert info is not None
    made = []
    with projects.open(info) as project:
        for number in range(3):
            run = NewRun(
                id=f"run-0000{number}",
                authority="workload",
                description=f"try {number}",
                author="alice",
                values=[
                    NewValue("metric", "accuracy", str(0.5 + number / 10), "float"),
                    NewValue("parameter", "lr", str(number), "int"),
                ],
            )
            made.append(write(project, number, run))
    return made[::-1]


def write(project: Project, number: int, run: NewRun) -> str:
    edit = Edit("a.txt", str(number).encode())
    return project.write(
        [edit], author="alice", message=f"m{number}", type="dotscience.run.v1", runs=[run]
    ).id


def test_a_password_is_exchanged_for_a_key(running: RunningHub) -> None:
    running.user("alice")
    given = {"user": "alice", "password": PASSWORD, "name": "laptop"}
    answer = running.call("POST", "/api/v1/login", body=given)
    assert answer.status == 201
    assert answer.json()["user"] == {"name": "alice", "admin": False}
    key = answer.json()["key"]
    assert running.call("GET", "/api/v1/user", key).json()["name"] == "alice"
    names = [item["name"] for item in running.call("GET", "/api/v1/keys", key).json()["items"]]
    assert names == ["first", "laptop"]
    assert running.call("POST", "/api/v1/login", body={**given, "password": "wrong"}).status == 401
    assert running.call("POST", "/api/v1/login", body={"user": "alice"}).status == 400


def test_keys_are_made_listed_and_revoked(running: RunningHub) -> None:
    alice = running.user("alice")
    made = running.call("POST", "/api/v1/keys", alice, {"name": "ci"})
    assert made.status == 201
    key, id_ = made.json()["key"], made.json()["id"]
    listed = running.call("GET", "/api/v1/keys", key)
    assert [item["name"] for item in listed.json()["items"]] == ["first", "ci"]
    assert key.encode() not in listed.body
    others = running.user("bob")
    assert running.call("DELETE", f"/api/v1/keys/{id_}", others).status == 404
    assert running.call("DELETE", f"/api/v1/keys/{id_}", alice).status == 204
    assert running.call("GET", "/api/v1/user", key).status == 401


def test_a_key_may_expire(running: RunningHub) -> None:
    alice = running.user("alice")

    def make(expires: str) -> Any:
        return running.call("POST", "/api/v1/keys", alice, {"name": "x", "expires": expires})

    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = make(soon)
    assert made.status == 201
    assert running.call("GET", "/api/v1/user", made.json()["key"]).status == 200
    past = make("2020-01-01T00:00:00Z")
    assert running.call("GET", "/api/v1/user", past.json()["key"]).status == 401
    assert make("2030-01-01T00:00:00").status == 400
    assert make("some day").status == 400


def test_s3_keys_are_made_listed_and_revoked(running: RunningHub) -> None:
    id_, secret = running.s3_key("alice")
    assert running.services is not None
    found = running.services.identity.s3_secret(id_)
    assert found is not None and (found[0].name, found[1]) == ("alice", secret)
    alice = running.user("alice")
    listed = running.call("GET", "/api/v1/s3keys", alice)
    assert [item["id"] for item in listed.json()["items"]] == [id_]
    assert secret.encode() not in listed.body
    wrong = {"name": "x", "expires": "2030-01-01T00:00:00Z"}
    assert running.call("POST", "/api/v1/s3keys", alice, wrong).status == 400
    assert running.call("DELETE", f"/api/v1/s3keys/{id_}", running.user("bob")).status == 404
    assert running.call("DELETE", f"/api/v1/s3keys/{id_}", alice).status == 204
    assert running.services.identity.s3_secret(id_) is None


def test_one_changes_ones_own_password(running: RunningHub) -> None:
    alice = running.user("alice")
    path = "/api/v1/user/password"
    wrong = running.call("PUT", path, alice, {"password": "a guess", "new": "taken over"})
    assert wrong.status == 403
    short = running.call("PUT", path, alice, {"password": PASSWORD, "new": "short"})
    assert short.status == 400
    assert running.call("GET", "/api/v1/user", ("alice", PASSWORD)).status == 200
    given = {"password": PASSWORD, "new": "another one"}
    assert running.call("PUT", path, alice, given).status == 204
    assert running.call("GET", "/api/v1/user", ("alice", PASSWORD)).status == 401
    assert running.call("GET", "/api/v1/user", ("alice", "another one")).status == 200


def test_projects_are_made_renamed_and_deleted(running: RunningHub) -> None:
    alice = running.user("alice")
    made = running.call("POST", "/api/v1/projects", alice, {"name": "One"})
    assert made.status == 201
    id_ = made.json()["id"]
    assert made.headers["Location"] == f"/api/v1/projects/{id_}"
    again = running.call("POST", "/api/v1/projects", alice, {"name": "One"})
    assert (again.status, again.json()["code"]) == (409, "exists")
    one = f"/api/v1/projects/{id_}"
    assert running.call("PATCH", one, alice, {"name": "Two"}).json()["name"] == "Two"
    assert projects_of(running, "alice") == ["Two"]
    assert running.call("DELETE", one, alice).status == 409
    assert running.call("DELETE", f"{one}?confirm=One", alice).status == 409
    assert running.call("DELETE", f"{one}?confirm=Two", alice).status == 204
    assert running.call("GET", one, alice).status == 404
    assert projects_of(running, "alice") == []


def test_a_project_tells_what_is_in_it(running: RunningHub) -> None:
    alice, id_ = running.user("alice"), running.project("alice", "p")
    empty = running.call("GET", f"/api/v1/projects/{id_}", alice).json()
    assert (empty["commits"], empty["runs"], empty["head"], empty["role"]) == (0, 0, None, "owner")
    commits = fill(running, id_)
    told = running.call("GET", f"/api/v1/projects/{id_}", running.admin_auth).json()
    assert (told["commits"], told["runs"], told["head"]) == (3, 3, commits[0])
    assert told["role"] == "admin"


def test_members_come_and_go(running: RunningHub) -> None:
    alice, bob = running.user("alice"), running.user("bob")
    id_ = running.project("alice", "p")
    members = f"/api/v1/projects/{id_}/members"
    assert projects_of(running, "bob") == []
    assert running.call("POST", members, alice, {"name": "nobody"}).status == 404
    assert running.call("POST", members, alice, {"name": "BOB"}).status == 204
    assert projects_of(running, "bob") == ["p"]
    assert running.call("GET", members, bob).json()["items"] == [
        {"name": "alice", "role": "owner", "access": "write"},
        {"name": "bob", "role": "collaborator", "access": "write"},
    ]
    assert running.call("POST", members, alice, {"name": "bob", "access": "read"}).status == 204
    assert running.call("POST", members, alice, {"name": "bob", "access": "all"}).status == 400
    one = running.call("GET", f"/api/v1/projects/{id_}", bob).json()
    assert (one["role"], one["access"]) == ("collaborator", "read")
    assert running.call("DELETE", f"{members}/bob", alice).status == 204
    assert running.call("DELETE", f"{members}/alice", alice).status == 409
    assert projects_of(running, "bob") == []


def test_runs_are_filtered_sorted_and_paged(running: RunningHub) -> None:
    alice, id_ = running.user("alice"), running.project("alice", "p")
    fill(running, id_)
    runs = f"/api/v1/projects/{id_}/runs"

    def ids(query: str) -> list[str]:
        answer = running.call("GET", f"{runs}?{query}", alice)
        assert answer.status == 200, answer.body
        return [item["id"] for item in answer.json()["items"]]

    newest = ["run-00002", "run-00001", "run-00000"]
    assert ids("") == newest
    assert ids("sort=metrics.accuracy") == newest[::-1]
    assert ids("where=metrics.accuracy%20%3E%200.55") == newest[:2]
    assert ids("search=try%201") == ["run-00001"]
    assert ids("offset=1&limit=1") == ["run-00001"]
    told = running.call("GET", f"{runs}?limit=1", alice).json()
    assert (told["total"], told["metrics"], told["parameters"]) == (3, ["accuracy"], ["lr"])
    wrong = running.call("GET", f"{runs}?where=metrics.accuracy%20%3E", alice)
    assert (wrong.status, wrong.json()["code"]) == (400, "invalid_where")


def test_commits_are_listed_by_branch(running: RunningHub) -> None:
    alice, id_ = running.user("alice"), running.project("alice", "p")
    made = fill(running, id_)
    assert running.services is not None
    info = running.services.projects.get(id_)
    assert info is not None
    with running.services.projects.open(info) as project:
        project.records.set_ref("branch/old", made[1], expected=None)
    commits = f"/api/v1/projects/{id_}/commits"

    def ids(query: str) -> list[str]:
        return [c["id"] for c in running.call("GET", f"{commits}?{query}", alice).json()["items"]]

    assert ids("") == made
    assert ids("limit=1&offset=1") == [made[1]]
    assert ids("ref=branch/old") == made[1:]
    assert ids(f"ref={made[2]}") == [made[2]]
    assert running.call("GET", f"{commits}?ref=branch/none", alice).status in (400, 404)
    assert running.call("GET", f"{commits}?ref=HEAD", alice).json()["total"] == 3


def test_admins_look_after_users(running: RunningHub) -> None:
    admin = running.admin_auth
    made = running.call("POST", "/api/v1/users", admin, {"name": "carol"})
    assert made.status == 201
    key = made.json()["key"]
    assert running.call("GET", "/api/v1/user", key).json() == {"name": "carol", "admin": False}
    change = {"password": "carols word", "admin": True}
    assert running.call("PATCH", "/api/v1/users/carol", admin, change).status == 204
    assert running.call("GET", "/api/v1/users", ("carol", "carols word")).status == 200
    assert running.call("PATCH", "/api/v1/users/carol", admin, {"disabled": True}).status == 204
    assert running.call("GET", "/api/v1/user", key).status == 401
    users = {u["name"]: u for u in running.call("GET", "/api/v1/users", admin).json()["items"]}
    assert users["carol"]["disabled"] and users["carol"]["admin"]
    alone = running.call("PATCH", "/api/v1/users/admin", admin, {"admin": False})
    assert (alone.status, alone.json()["code"]) == (409, "refused")
    assert running.call("PATCH", "/api/v1/users/nobody", admin, {"admin": True}).status == 404


def test_the_audit_log_tells_who_did_it(running: RunningHub) -> None:
    id_ = running.project("alice", "p")
    told = running.call("GET", "/api/v1/audit?limit=2", running.admin_auth).json()
    assert (told["items"][0]["actor"], told["items"][0]["action"]) == ("alice", "project.create")
    assert told["items"][0]["object"] == f"project:{id_}"
    assert told["total"] == told["items"][0]["sequence"]
    assert running.services is not None
    assert running.services.audit.verify()[0] == []


def test_health_and_metrics(running: RunningHub) -> None:
    health = running.call("GET", "/health")
    assert (health.status, health.json()["status"]) == (200, "ok")
    running.project("alice", "p")
    text = running.call("GET", "/metrics", running.admin_auth).body.decode()
    assert "dotscience_hub_projects 1.0" in text
    assert 'handler="ProjectsHandler",method="POST",status="201"} 1.0' in text


def test_health_tells_of_a_database_that_is_gone(
    running: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.api.errors import ApiError

    def gone() -> None:
        raise ApiError(503, "database", "It does not answer.")

    assert running.services is not None
    monkeypatch.setattr(running.services.database, "ping", gone)
    health = running.call("GET", "/health")
    assert (health.status, health.json()["status"]) == (503, "failed")


def test_datasets_are_made_and_told_apart(running: RunningHub) -> None:
    alice = running.user("alice")
    made = running.call("POST", "/api/v1/projects", alice, {"name": "iris", "kind": "dataset"})
    assert made.status == 201
    assert (made.json()["kind"], made.json()["dot"]) == ("dataset", "iris")
    running.project("alice", "iris")
    listed = running.call("GET", "/api/v1/projects", alice).json()["items"]
    assert sorted((each["kind"], each["name"]) for each in listed) == [
        ("dataset", "iris"),
        ("project", "iris"),
    ]
    for kind in ("dot", "nonsense", 3):
        refused = running.call("POST", "/api/v1/projects", alice, {"name": "x", "kind": kind})
        assert refused.status == 400, kind
    # clients of the original know it as a dot, and not as a project
    assert [each["name"] for each in running.call("GET", "/v2/projects", alice).json()] == ["iris"]
    body = {
        "jsonrpc": "2.0",
        "method": "DotmeshRPC.Lookup",
        "params": {"Namespace": "alice", "Name": "iris", "Branch": ""},
        "id": 1,
    }
    told = running.call("POST", "/v2/dotmesh/rpc", alice, body).json()
    assert told["result"] == made.json()["id"]
