# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Pushing while a task has the project to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import RunningHub, hub, until
from sync_world import Site, World

from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import ProjectInfo
from dotscience_jupyter.sync import Credentials, Login, Pusher, RefusedError, pusher


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with hub(tmp_path) as running:
        made = World(running, tmp_path)
        yield made
        made.close()


def of_bob(world: World, name: str) -> Site:
    """A workspace of a collaborator, a clone."""
    running: RunningHub = world.hub
    user, key = running.user("bob")
    path = f"/api/v1/projects/{world.project}/members"
    assert running.call("POST", path, running.user("alice"), {"name": user}).status == 204
    cloned = world.clone(name)
    cloned.sync._credentials = Credentials(world.base / "bob.json")
    cloned.sync._credentials.put(Login(world.remote.url, user, key))
    return cloned


def take(world: World, user: str) -> str:
    """Let a task of a user have the project; return the lock's path."""
    path = f"/api/v1/projects/{world.project}/lock"
    given = {"task": "task-7", "holder": "runner 3", "seconds": 600}
    answer = world.hub.call("POST", path, world.hub.user(user), given)
    assert answer.status == 201, answer.body
    return f"{path}/{answer.json()['id']}"


def test_only_the_one_whose_task_it_is_pushes(world: World) -> None:
    alice = world.site("alice")
    alice.commit({"a.txt": "1"})
    alice.sync.push()
    bob = of_bob(world, "bob")
    lock = take(world, "alice")
    waits = bob.commit({"b.bin": os.urandom(1000)})
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            bob.sync.push()
        assert (refused.value.status, refused.value.code) == (423, "locked")
        assert "task-7 of runner 3" in refused.value.message
        assert "push again then" in refused.value.message
    assert world.refs() == {"HEAD": alice.head}
    assert bob.sync.status().last.code == "locked"
    # to have nothing new is no push, and the task brings back what it made
    assert alice.sync.push().state == "current"
    made = alice.commit({"model.bin": "trained"})
    assert alice.sync.push().state == "published"
    assert world.refs() == {"HEAD": made}
    assert world.hub.call("DELETE", lock, world.hub.user("alice")).status == 204
    assert bob.sync.push().state == "diverged"
    assert world.refs() == {"HEAD": made, f"side/{waits[:12]}": waits}
    world.verify()


def test_nothing_of_a_refused_push_is_kept_for_good(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that takes the project while a push is being proved is asked about as well."""
    alice = world.site("alice")
    alice.commit({"a.txt": "1"})
    alice.sync.push()
    bob = of_bob(world, "bob")
    commit = bob.commit({"b.txt": "2"})
    assert world.hub.services is not None
    locks = world.hub.services.locks
    asked: list[str] = []
    require = locks.require_push

    def late(info: ProjectInfo, user: User) -> None:
        asked.append(user.name)
        if len(asked) == 2:
            take(world, "alice")
        require(info, user)

    monkeypatch.setattr(locks, "require_push", late)
    with pytest.raises(RefusedError) as refused:
        bob.sync.push()
    assert refused.value.code == "locked"
    assert asked == ["bob", "bob"]
    assert world.refs() == {"HEAD": alice.head}
    folder = world.hub.data / "projects" / world.project
    snapshot = bob.records.get_commit(commit).snapshot
    assert not list((folder / "store" / "holds").glob(f"{snapshot}.*"))
    assert not world.call("POST", "/have", {"commits": [commit]})["commits"]


def test_it_is_tried_again_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "LOCKED", 0.05)
    monkeypatch.setattr(pusher, "REFUSED", 3600.0)
    alice = world.site("alice")
    alice.commit({"a.txt": "1"})
    alice.sync.push()
    bob = of_bob(world, "bob")
    lock = take(world, "alice")
    newest = bob.commit({"b.txt": "2"})
    told: list[str] = []
    pushing = Pusher(bob.sync, told.append)
    pushing.start()
    try:
        until(lambda: told.count("failed") >= 2)
        assert world.hub.call("DELETE", lock, world.hub.user("alice")).status == 204
        until(lambda: "pushed" in told)
        assert world.refs() == {"HEAD": newest}
        assert not bob.sync.status().last.error
    finally:
        assert pushing.stop()
