# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every method of the Dotmesh API, called by every kind of identity: who may not, does nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_identities import EXPECTED, IDENTITIES, REFUSED, Ask, Auth, asking, credentials, let_in
from hub_world import PASSWORD, Answer, RunningHub, hub

from dotscience_jupyter.hub import limits
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers import base
from dotscience_jupyter.hub.original.rpc import METHODS

REFUSAL = {
    Need.READ: "There is no dot",
    Need.WRITE: "You may read ",
    Need.OWNER: "Only the owner of ",
    Need.ADMIN: "Only an admin ",
}


@dataclass
class Dot:
    """A dot of the owner's, with two commits."""

    id: str
    name: str
    first: str

    def named(self, **more: object) -> dict[str, object]:
        return {"Namespace": "owner", "Name": self.name, "Branch": "", **more}


# what each method is called with so that whoever may call it gets a result; "{who}" is the asker
CALLS: dict[str, Callable[[Dot], Any]] = {
    "Ping": lambda dot: {},
    "Version": lambda dot: {},
    "CheckNameIsValid": lambda dot: {"Namespace": "a", "Name": "b", "Branch": ""},
    "CurrentUser": lambda dot: {},
    "GetApiKey": lambda dot: {},
    "ResetApiKey": lambda dot: {},
    "UpdatePassword": lambda dot: {"NewPassword": f"new {PASSWORD}"},
    "RegisterNewUser": lambda dot: {"Name": f"user-{dot.name}", "Password": PASSWORD},
    "List": lambda dot: {},
    "AllDotsAndBranches": lambda dot: {},
    "Create": lambda dot: {"Namespace": "{who}", "Name": f"made-{dot.name}"},
    "Lookup": lambda dot: dot.named(),
    "Exists": lambda dot: dot.named(),
    "Get": lambda dot: dot.id,
    "Fork": lambda dot: {
        "MasterBranchID": dot.id, "ForkNamespace": "{who}", "ForkName": f"fork-{dot.name}",
    },
    "AddCollaborator": lambda dot: {"MasterBranchID": dot.id, "Collaborator": "stranger"},
    "RemoveCollaborator": lambda dot: {"MasterBranchID": dot.id, "Collaborator": "collaborator"},
    "LastModified": lambda dot: dot.named(),
    "Commit": lambda dot: dot.named(Message="m"),
    "Commits": lambda dot: dot.named(),
    "CommitsById": lambda dot: dot.id,
    "Branch": lambda dot: dot.named(
        SourceBranch="", NewBranchName="side", SourceCommitId=dot.first
    ),
    "Branches": lambda dot: dot.named(),
    "Rollback": lambda dot: dot.named(SnapshotId=dot.first),
    "Diff": lambda dot: {"FilesystemID": dot.id},
    "Delete": lambda dot: dot.named(),  # the last one
}  # fmt: skip

# what they say to those who came with a key, or to everybody
ALWAYS = {
    "GetApiKey": "shown once",
    "ResetApiKey": "Password authentication is required",
    "UpdatePassword": "Password authentication is required",
}


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningHub, dict[str, Auth]]]:
    path: Path = tmp_path_factory.mktemp("rpc-access")
    with pytest.MonkeyPatch.context() as patch, hub(path) as running:
        patch.setattr(base, "_AFTER_WRONG", 0.0)
        patch.setattr(limits.Attempts, "wait", lambda self, who: 0.0)
        known = credentials(running)
        # an admin with a key: by password some methods do more
        known["admin"] = running.user("root", admin=True)
        yield running, known


def call(ask: Ask, auth: Auth, method: str, params: Any) -> Answer:
    body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": params, "id": 1}
    return ask("POST", "/v2/dotmesh/rpc", auth, json.dumps(body).encode())


@pytest.fixture(scope="module")
def dots() -> dict[str, Dot]:
    """Those that there are, by name."""
    return {}


def dot_of(dots: dict[str, Dot], running: RunningHub, ask: Ask, name: str) -> Dot:
    """A dot of the owner's that the reader and the collaborator see."""
    if name not in dots:
        owner = running.user("owner")
        given = {"Namespace": "owner", "Name": name}
        assert call(ask, owner, "Create", given).json()["result"] is True
        id_ = call(ask, owner, "Lookup", given).json()["result"]
        made = [call(ask, owner, "Commit", given | {"Message": "m"}) for _ in range(2)]
        let_in(running, id_)
        dots[name] = Dot(id_, name, made[0].json()["result"])
    return dots[name]


def state(running: RunningHub, dot: Dot) -> list[object]:
    """What only those may change who have the right to."""
    services = running.services
    assert services is not None
    info = services.projects.get(dot.id)
    assert info is not None
    with services.projects.open(info) as project:
        refs = project.records.refs()
    owners = [each for each in services.projects.all() if each.owner == "owner"]
    owners = [each for each in owners if not each.name.startswith("fork-")]  # who sees it may
    users = [each.user for each in services.identity.list_users()]
    keys = services.identity.list_keys(services.identity.get_user("owner"))
    return [refs, services.members.of(info), owners, users, [key.id for key in keys]]


def test_every_method_is_called() -> None:
    assert CALLS.keys() == METHODS.keys()
    assert list(CALLS)[-1] == "Delete"


@pytest.mark.parametrize("identity", IDENTITIES)
def test_who_may_call_what(
    world: tuple[RunningHub, dict[str, Auth]], dots: dict[str, Dot], identity: str
) -> None:
    running, known = world
    with asking(running) as ask:
        # who owns it leaves nothing of it to others
        name = identity if identity in EXPECTED[Need.OWNER] else "others"
        failed = walk(running, ask, dot_of(dots, running, ask, name), identity, known[identity])
    assert not failed, "\n".join(failed)


def walk(running: RunningHub, ask: Ask, dot: Dot, identity: str, auth: Auth) -> list[str]:
    """Call every method; return what was not as it should be."""
    who = auth[0] if isinstance(auth, tuple) else ""
    failed = []

    def changes(name: str) -> bool:
        need = METHODS[name].need
        return identity in EXPECTED[need] and need is not Need.READ

    before = state(running, dot)
    looked = False
    for name in sorted(CALLS, key=changes):  # first all that must change nothing
        need = METHODS[name].need
        if changes(name) and not looked:
            looked = True
            assert state(running, dot) == before
        params = CALLS[name](dot)
        if isinstance(params, dict):
            params = {key: who if value == "{who}" else value for key, value in params.items()}
        allowed = identity in EXPECTED[need]
        answer = call(ask, auth, name, params)
        where = f"{name} ({need.name}) by {identity}: {answer.status} {answer.body[:300]!r}"
        if identity in REFUSED:
            fits = answer.status == 401 and b"jsonrpc" not in answer.body
        elif allowed and name in ALWAYS:
            fits = ALWAYS[name] in answer.json()["error"]["message"]
        elif allowed:
            fits = "result" in answer.json()
        elif METHODS[name].missing:
            fits = answer.json()["result"] == ""
        else:
            # who does not see the dot is told that there is none, whatever else is needed
            unseen = need.of_project and identity not in EXPECTED[Need.READ]
            told = REFUSAL[Need.READ if unseen else need]
            fits = answer.json()["error"]["message"].startswith(told)
        if not fits:
            failed.append(where)
    assert looked or state(running, dot) == before
    return failed
