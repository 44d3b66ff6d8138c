# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every address of the hub, asked by every kind of identity: who may not, gets nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hub_identities import EXPECTED, IDENTITIES, REFUSED, Auth, asking, credentials, let_in
from hub_world import RunningHub, hub
from tornado import web

from dotscience_jupyter.hub import limits
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers import base
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.routes import ROUTES

UNIMPLEMENTED = web.RequestHandler._unimplemented_method
World = tuple[RunningHub, str, dict[str, Auth]]


def verbs(handler: type[HubHandler]) -> set[str]:
    return {
        method
        for method in web.RequestHandler.SUPPORTED_METHODS
        if getattr(handler, method.lower(), UNIMPLEMENTED) is not UNIMPLEMENTED
    }


def cases() -> list[tuple[str, type[HubHandler], str]]:
    return [(path, handler, method) for path, handler in ROUTES for method in sorted(handler.needs)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("access")
    with pytest.MonkeyPatch.context() as patch, hub(path) as running:
        patch.setattr(base, "_AFTER_WRONG", 0.0)
        # a wrong password for every address: all of them are to be looked at
        patch.setattr(limits.Attempts, "wait", lambda self, who: 0.0)
        id_ = running.project("owner", "p")
        known = credentials(running)
        let_in(running, id_)
        yield running, id_, known


def address(pattern: str, id_: str) -> str:
    """An address that a route matches: about the project, or about nothing that there is."""
    values = {
        "project": id_,
        "bucket": f"owner:project-{id_[:8]}-default-workspace",
        "key": str(uuid4()),
        "name": "nobody-of-that-name",
    }
    text = re.sub(
        r"\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)\??", lambda m: values.get(m[1], "x"), pattern
    )
    text = text.replace("/s3/(?:[^/]+)", "/s3/owner.p")
    text = re.sub(r"\(\?:[^()]*\)\??", "x", text)
    text = text.replace("/?", "").replace(".+", "x").replace("\\.", ".")
    assert re.fullmatch(pattern, text), (pattern, text)
    return text


def test_every_verb_says_what_it_needs() -> None:
    assert len(ROUTES) > 30
    for path, handler in ROUTES:
        unsaid = verbs(handler) - set(handler.needs)
        assert unsaid <= ({"HEAD"} if "GET" in handler.needs else set()), (path, unsaid)
        assert set(handler.needs) - {"HEAD"} <= verbs(handler), path
        assert issubclass(handler, HubHandler), path


def test_no_address_is_answered_by_two(world: World) -> None:
    _, id_, _ = world
    for path, handler in ROUTES:
        found = [other for pattern, other in ROUTES if re.fullmatch(pattern, address(path, id_))]
        assert found[0] is handler, (path, found)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_who_may_ask_what(world: World, identity: str) -> None:
    running, id_, known = world
    auth = known[identity]
    failed = []
    with asking(running) as ask:
        for pattern, handler, method in cases():
            need = handler.needs[method]
            answer = ask(method, address(pattern, id_), auth)
            where = f"{method} {pattern} ({need.name}) by {identity}: {answer.status}"
            # a protocol with credentials of its own has its own words as well
            own = handler.authenticate is HubHandler.authenticate
            if answer.status >= 500 and answer.status != 501:  # not implemented is honest
                failed.append(f"{where} {answer.body[:200]!r}")
            elif auth is not None and identity in REFUSED and own and plain(handler):
                if answer.status != 401:
                    failed.append(where)
            elif identity in EXPECTED[need]:
                if answer.status in (401, 403):
                    failed.append(where)
            elif answer.status not in refusals(handler, need, identity):
                failed.append(where)
    assert not failed, "\n".join(failed)


def plain(handler: type[HubHandler]) -> bool:
    """Whether who asks is looked at before anything else."""
    return handler.prepare is HubHandler.prepare


def refusals(handler: type[HubHandler], need: Need, identity: str) -> tuple[int, ...]:
    if handler.authenticate is not HubHandler.authenticate:
        return (401, 403, 404)
    if identity in REFUSED:
        return (401,)
    if need is Need.ADMIN:
        return (403,)
    # who may not see a project is not told that there is one
    if identity == "stranger":
        # the original's file endpoint says 401, whether there is a dot or not
        return (401,) if handler.__module__.endswith("original.files") else (404,)
    return (403,)


def test_what_was_refused_was_not_done(world: World) -> None:
    running, id_, known = world
    owner = running.user("owner")
    for auth in (known[name] for name in ("nobody", "stranger", "reader", "collaborator")):
        for method, path, body in (
            ("PATCH", f"/api/v1/projects/{id_}", {"name": "taken over"}),
            ("DELETE", f"/api/v1/projects/{id_}?confirm=p", None),
            ("POST", f"/api/v1/projects/{id_}/members", {"name": "stranger"}),
            ("DELETE", f"/api/v1/projects/{id_}/members/collaborator", None),
            ("POST", "/api/v1/users", {"name": "another"}),
            ("PATCH", "/api/v1/users/admin", {"disabled": True}),
            ("PATCH", "/api/v1/users/stranger", {"admin": True}),
        ):
            answer = running.call(method, path, auth, body)
            assert answer.status in (401, 403, 404), (method, path, auth)
            told = json.loads(answer.body)
            assert told["code"] in ("unauthenticated", "forbidden", "not_found")
    project = running.call("GET", f"/api/v1/projects/{id_}", owner).json()
    assert project["name"] == "p"
    members = running.call("GET", f"/api/v1/projects/{id_}/members", owner).json()
    assert [(each["name"], each["access"]) for each in members["items"]] == [
        ("owner", "write"),
        ("collaborator", "write"),
        ("reader", "read"),
    ]
    users = running.call("GET", "/api/v1/users", running.admin_auth).json()["items"]
    assert "another" not in [user["name"] for user in users]
    assert [user["name"] for user in users if user["admin"]] == ["admin"]


def test_a_project_that_one_may_not_see_is_as_one_that_is_not_there(
    world: World,
) -> None:
    running, id_, _ = world
    stranger = running.user("stranger")
    there = running.call("GET", f"/api/v1/projects/{id_}", stranger)
    nowhere = running.call("GET", f"/api/v1/projects/{uuid4()}", stranger)
    assert (there.status, there.body) == (nowhere.status, nowhere.body)


def test_who_is_no_member_any_more_sees_nothing(tmp_path: Path) -> None:
    with hub(tmp_path) as running:
        id_ = running.project("owner", "p")
        owner, guest = running.user("owner"), running.user("guest")
        members = f"/api/v1/projects/{id_}/members"
        assert running.call("POST", members, owner, {"name": "guest"}).status == 204
        assert running.call("GET", f"/api/v1/projects/{id_}", guest).json()["role"] == (
            "collaborator"
        )
        assert running.call("DELETE", f"{members}/guest", owner).status == 204
        assert running.call("GET", f"/api/v1/projects/{id_}", guest).status == 404
        # and who is disabled, nothing at all, at once
        state = running.call("PATCH", "/api/v1/users/owner", running.admin_auth, {"disabled": True})
        assert state.status == 204
        assert running.call("GET", f"/api/v1/projects/{id_}", owner).status == 401
