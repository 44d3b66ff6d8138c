# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tasks that have a project to themselves: who is held off, by which protocol, for how long."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError
from hub_world import Answer, RunningHub

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.tasklocks import TaskLocks
from dotscience_jupyter.snapshots import Edit


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_lock_is_had_by_one_task_until_it_ends(services: Services) -> None:
    clock = Clock()
    locks = TaskLocks(services.database, services.audit, clock)
    alice, bob = (services.identity.create_user(name) for name in ("alice", "bob"))
    info, other = (services.projects.create(alice, name) for name in ("p", "q"))
    assert locks.find(info) is None
    held, taken = locks.take(info, alice, "task-1", 60, "runner 7")
    assert taken
    assert (held.task, held.holder, held.user) == ("task-1", "runner 7", "alice")
    assert held.until == clock.now + timedelta(seconds=60)
    locks.require_free(other)
    for user, task in ((bob, "task-2"), (bob, "task-1"), (alice, "task-2")):
        with pytest.raises(ApiError) as error:
            locks.take(info, user, task, 60)
        assert (error.value.status, error.value.code) == (423, "locked")
        assert "task-1" in error.value.message and "runner 7" in error.value.message
    # a task that asks again, and one that renews, go on
    clock.now += timedelta(seconds=50)
    again, taken = locks.take(info, alice, "task-1", 60)
    assert not taken and again.id == held.id and again.holder == "runner 7"
    clock.now += timedelta(seconds=50)
    assert locks.renew(info, alice, held.id, 10).until == clock.now + timedelta(seconds=10)
    with pytest.raises(ApiError) as error:
        locks.require_free(info)
    assert error.value.details == "task-1"
    # and one that does not, ends
    clock.now += timedelta(seconds=10)
    locks.require_free(info)
    with pytest.raises(ApiError) as error:
        locks.renew(info, alice, held.id, 10)
    assert error.value.status == 404
    later, taken = locks.take(info, bob, "task-2", 60)
    assert taken and later.holder == "bob" and later.id != held.id
    with pytest.raises(ApiError) as error:
        locks.release(info, alice, held.id, any_of_them=True)
    assert error.value.status == 404
    with pytest.raises(ApiError) as error:
        locks.release(info, alice, later.id, any_of_them=False)
    assert error.value.status == 403
    locks.release(info, alice, later.id, any_of_them=True)
    assert locks.find(info) is None
    told = [entry.action for entry in services.audit.entries()[0]]
    assert told[:3] == ["lock.release", "lock.take", "lock.take"]


def test_one_of_many_that_ask_at_once_has_it(services: Services) -> None:
    alice = services.identity.create_user("alice")
    info = services.projects.create(alice, "p")
    start = threading.Barrier(6)
    found: list[str] = []

    def ask(number: int) -> None:
        start.wait()
        try:
            services.locks.take(info, alice, f"task-{number}", 60)
            found.append("taken")
        except ApiError as error:
            found.append(error.code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["locked"] * 5 + ["taken"]


def test_who_waits_for_the_project_is_held_off_as_well(services: Services) -> None:
    """The lock is looked at when it is one's turn to write, not when one begins to wait."""
    alice = services.identity.create_user("alice")
    info = services.projects.create(alice, "p")
    outcome: list[object] = []

    with services.projects.open(info) as project:

        def write() -> None:
            try:
                project.write([Edit("a", b"1")], author="alice", message="", type="upload")
            except ApiError as error:
                outcome.append(error.code)

        with project.lock:
            thread = threading.Thread(target=write)
            thread.start()
            services.locks.take(info, alice, "task", 60)
        thread.join()
        assert outcome == ["locked"]
        assert project.records.counts() == (0, 0)


def test_a_purged_project_takes_its_lock_along(services: Services) -> None:
    alice = services.identity.create_user("alice")
    info = services.projects.create(alice, "p")
    services.locks.take(info, alice, "task", 60)
    services.projects.delete(info, confirm="p")
    services.projects.purge(info.id)
    assert services.projects.deleted() == []


@pytest.fixture
def locked(running: RunningHub) -> tuple[RunningHub, str, str]:
    """A hub, the id of a project of alice's that bob works on, and that of a lock of bob's."""
    id_ = running.project("alice", "p")
    running.user("bob")
    members = f"/api/v1/projects/{id_}/members"
    assert running.call("POST", members, running.user("alice"), {"name": "bob"}).status == 204
    bucket = f"/v2/dotmesh/s3/alice:project-{id_[:8]}-default-workspace"
    put = running.call("PUT", f"{bucket}/before", running.user("alice"), b"1")
    assert put.status == 200
    given = {"task": "task-77", "holder": "runner 7", "seconds": 600}
    answer = running.call("POST", f"/api/v1/projects/{id_}/lock", running.user("bob"), given)
    assert answer.status == 201, answer.body
    return running, id_, answer.json()["id"]


def test_nobody_writes_by_any_protocol_meanwhile(locked: tuple[RunningHub, str, str]) -> None:
    running, id_, lock = locked
    dot = f"project-{id_[:8]}-default-workspace"
    bucket = f"/v2/dotmesh/s3/alice:{dot}"
    alice = running.user("alice")
    head = running.call("GET", f"/api/v1/projects/{id_}", alice).json()["head"]

    def rpc(method: str, **params: object) -> dict[str, object]:
        given = {"Namespace": "alice", "Name": dot, "Branch": "", **params}
        body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": given, "id": 1}
        return dict(running.call("POST", "/v2/dotmesh/rpc", alice, body).json())

    def told(answer: Answer) -> None:
        assert answer.status == 423, answer.body
        assert b"task-77" in answer.body and b"runner 7" in answer.body
        assert answer.headers["Content-Type"].startswith("text/plain")

    told(running.call("PUT", f"{bucket}/a", alice, b"x"))
    told(running.call("PUT", f"{bucket}/a", alice, b"x" * 3_000_000))
    told(running.call("PUT", f"{bucket}/d", alice, b"no tar", {"Extract": "true"}))
    told(running.call("DELETE", f"{bucket}/before", alice))
    for method, more in (
        ("Commit", {"Message": "m", "Metadata": {}}),
        ("Rollback", {"SnapshotId": head}),
    ):
        answer = rpc(method, **more)
        assert "task-77" in answer["error"]["message"], answer
    key, secret = running.s3_key("alice")
    client = boto3.client(
        "s3",
        endpoint_url=f"{running.url}/s3",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="eu-west-1",
        config=BotoConfig(signature_version="s3v4", retries={"max_attempts": 1}),
    )
    for call in (
        lambda: client.put_object(Bucket="p", Key="a", Body=b"x"),
        lambda: client.delete_object(Bucket="p", Key="before"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        error = caught.value.response["Error"]
        assert error["Code"] == "OperationAborted" and "task-77" in error["Message"]
    # reading goes on, and so does what loses nothing
    assert running.call("GET", f"{bucket}/snapshot/latest/before", alice).body == b"1"
    assert "result" in rpc("Branch", NewBranchName="b", SourceBranch="", SourceCommitId=head)
    assert running.call("GET", f"/api/v1/projects/{id_}", alice).json()["head"] == head
    # and when it is over, so does all
    path = f"/api/v1/projects/{id_}/lock/{lock}"
    assert running.call("DELETE", path, running.user("bob")).status == 204
    assert running.call("PUT", f"{bucket}/a", alice, b"x").status == 200
    assert "result" in rpc("Commit", Message="m", Metadata={})
    client.put_object(Bucket="p", Key="b", Body=b"x")


def test_the_lock_over_http(locked: tuple[RunningHub, str, str]) -> None:
    running, id_, lock = locked
    alice, bob = running.user("alice"), running.user("bob")
    path = f"/api/v1/projects/{id_}/lock"
    state = running.call("GET", path, alice).json()["lock"]
    assert (state["id"], state["task"], state["holder"], state["user"]) == (
        lock, "task-77", "runner 7", "bob",
    )  # fmt: skip
    refused = running.call("POST", path, alice, {"task": "another"})
    assert (refused.status, refused.json()["code"]) == (423, "locked")
    again = running.call("POST", path, bob, {"task": "task-77", "seconds": 900})
    assert again.status == 200 and again.json()["id"] == lock
    assert again.json()["until"] > state["until"]
    renewed = running.call("PUT", f"{path}/{lock}", bob, {"seconds": 5})
    assert renewed.status == 200 and renewed.json()["until"] < state["until"]
    assert running.call("PUT", f"{path}/{lock}", alice, {"seconds": 5}).status == 403
    assert running.call("PUT", f"{path}/nonsense", bob, {}).status == 404
    for body in ({"task": ""}, {"task": "a\nb"}, {"task": "x" * 101}, {"task": "t", "seconds": 0}):
        assert running.call("POST", path, bob, body).status == 400, body
    # who owns the project may end it, a stranger knows nothing of it
    assert running.call("DELETE", f"{path}/{lock}", running.user("eve")).status == 404
    assert running.call("DELETE", f"{path}/{lock}", alice).status == 204
    assert running.call("GET", path, alice).json() == {"lock": None}
