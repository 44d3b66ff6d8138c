# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Collaborators who only read: they read by every protocol, and write by none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import Answer, RunningHub, hub
from sync_world import Site, World

from dotscience_jupyter.sync import Credentials, Login, RefusedError

WORDS = "You may read this project, but not write to it."


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with hub(tmp_path) as running:
        made = World(running, tmp_path)
        running.user("bob")
        let_in(made, "read")
        yield made
        made.close()


def let_in(world: World, access: str) -> None:
    path = f"/api/v1/projects/{world.project}/members"
    member = {"name": "bob", "access": access}
    assert world.hub.call("POST", path, world.hub.user("alice"), member).status == 204


def of_bob(world: World) -> Site:
    """A clone that bob made."""
    theirs = world.credentials
    world.credentials = Credentials(world.base / "bob.json")
    world.credentials.put(Login(world.remote.url, *world.hub.user("bob")))
    try:
        return world.clone("bob")
    finally:
        world.credentials = theirs


def test_a_reader_pulls_and_is_told_why_nothing_is_pushed(world: World) -> None:
    alice = world.site("alice")
    alice.commit({"a.txt": "1"})
    alice.sync.push()
    bob = of_bob(world)
    assert bob.files()["a.txt"] == b"1"
    newest = alice.commit({"a.txt": "2"})
    alice.sync.push()
    assert bob.sync.pull().head == newest
    made = bob.commit({"b.txt": "by bob"})
    with pytest.raises(RefusedError) as refused:
        bob.sync.push()
    assert (refused.value.status, refused.value.code) == (403, "read_only")
    assert refused.value.message.startswith(WORDS)
    assert "Ask alice" in refused.value.message
    assert world.refs() == {"HEAD": newest}
    # what the panel shows is the same sentence, and that the commit is still to go
    status = bob.sync.status()
    assert (status.ahead, status.last.code) == (1, "read_only")
    assert status.last.error == refused.value.message
    let_in(world, "write")
    bob.sync.push()
    assert world.refs() == {"HEAD": made}
    world.verify()


def test_a_reader_writes_by_no_protocol(world: World) -> None:
    running: RunningHub = world.hub
    alice = world.site("alice")
    head = alice.commit({"a.txt": "1"})
    alice.sync.push()
    bob, id_ = running.user("bob"), world.project
    dot = f"project-{id_[:8]}-default-workspace"
    files, bucket = f"/v2/dotmesh/s3/alice:{dot}", f"/s3/{id_}"
    one = f"/api/v1/projects/{id_}"

    def rpc(method: str, **params: object) -> Any:
        given = {"Namespace": "alice", "Name": dot, "Branch": "", **params}
        body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": given, "id": 1}
        return running.call("POST", "/v2/dotmesh/rpc", bob, body).json()

    # all of it reads
    for path in (f"{files}/snapshot/latest/a.txt", f"{bucket}/a.txt"):
        answer = running.call("GET", path, bob)
        assert (answer.status, answer.body) == (200, b"1"), path
    assert rpc("Commits")["result"][-1]["Id"] == head
    assert running.call("GET", f"{one}/lock", bob).status == 200
    told = running.call("GET", one, bob).json()
    assert (told["role"], told["access"]) == ("collaborator", "read")

    # and none of it writes
    delete = b"<Delete><Object><Key>a.txt</Key></Object></Delete>"
    large = {"Content-Type": "application/octet-stream"}
    refused: list[Answer] = [
        running.call("PUT", f"{files}/a.txt", bob, b"2"),
        running.call("PUT", f"{files}/a.txt", bob, b"2" * 3_000_000, large),
        running.call("DELETE", f"{files}/a.txt", bob),
        running.call("PUT", f"{bucket}/a.txt", bob, b"2"),
        running.call("DELETE", f"{bucket}/a.txt", bob),
        running.call("POST", f"{bucket}/a.txt?uploads", bob, b""),
        running.call("POST", f"{bucket}?delete", bob, delete),
        running.call("PUT", f"{bucket}/b.txt", bob, headers={"x-amz-copy-source": f"{id_}/a.txt"}),
        running.call("POST", f"{one}/lock", bob, {"task": "t"}),
        running.call("POST", f"{one}/have", bob, {"commits": [head]}),
        running.call("POST", f"{one}/objects", bob, b""),
        running.call("POST", f"{one}/push?head={head}", bob, b""),
        running.call("PUT", f"{one}/equal", bob, {"equal": []}),
    ]
    for number, answer in enumerate(refused):
        assert answer.status == 403, (number, answer.status, answer.body)
        assert b"but not write to it" in answer.body, number
    assert "<Code>AccessDenied</Code>" in refused[3].body.decode()
    for method, more in (
        ("Commit", {"Message": "m"}),
        ("Branch", {"SourceBranch": "", "NewBranchName": "b", "SourceCommitId": head}),
    ):
        error = rpc(method, **more)["error"]
        assert error["message"].startswith(f"You may read alice/{dot}, but not write"), error
    for method, path, body in (
        ("PATCH", one, {"name": "of bob"}),
        ("DELETE", f"{one}?confirm={world.name}", None),
        ("POST", f"{one}/members", {"name": "bob"}),
        ("DELETE", f"{one}/members/bob", None),
    ):
        assert running.call(method, path, bob, body).json()["code"] == "forbidden"
    assert world.refs() == {"HEAD": head}
    # what is one's own is one's own: a fork, and a copy into another bucket
    bobs = running.project("bob", "mine")
    copy = {"x-amz-copy-source": f"{id_}/a.txt"}
    assert running.call("PUT", f"/s3/{bobs}/b.txt", bob, b"", copy).status == 200
    assert running.call("GET", f"/s3/{bobs}/b.txt", bob).body == b"1"


def test_one_who_wrote_and_now_reads_keeps_no_way_in(world: World) -> None:
    running: RunningHub = world.hub
    let_in(world, "write")
    bob, one = running.user("bob"), f"/api/v1/projects/{world.project}"
    taken = running.call("POST", f"{one}/lock", bob, {"task": "t"})
    assert taken.status == 201
    lock = f"{one}/lock/{taken.json()['id']}"
    let_in(world, "read")
    assert running.call("PUT", lock, bob, {"seconds": 60}).status == 403
    assert running.call("DELETE", lock, bob).status == 403
    # the owner ends what the reader had begun
    assert running.call("DELETE", lock, running.user("alice")).status == 204
