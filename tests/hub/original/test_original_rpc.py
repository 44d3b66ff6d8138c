# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The Dotmesh API over HTTP: every method, who may call it, what goes wrong."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hub_world import PASSWORD, RunningHub, hub

from dotscience_jupyter.hub.original.rpc import METHODS

RUN = "11111111-2222-4333-8444-555555555555"


class RpcFailed(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]


class Caller:
    """One user's calls."""

    def __init__(self, running: RunningHub, auth: tuple[str, str] | str) -> None:
        self.running = running
        self.auth = auth

    def __call__(self, method: str, params: object = None, **named: object) -> Any:
        body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "id": 7}
        if params is not None or named:
            body["params"] = params if params is not None else named
        answer = self.running.call("POST", "/v2/dotmesh/rpc", self.auth, body)
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"].startswith("application/json")
        document = answer.json()
        assert document["jsonrpc"] == "2.0" and document["id"] == 7
        assert set(document) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
        if "error" in document:
            raise RpcFailed(document["error"])
        return document["result"]

    def dot(self, method: str, **named: object) -> Any:
        """A call about alice's dot."""
        return self(method, **({"Namespace": "alice", "Name": "dot", "Branch": ""} | named))

    def put(self, key: str, data: bytes, bucket: str = "alice:dot") -> str:
        answer = self.running.call("PUT", f"/v2/dotmesh/s3/{bucket}/{key}", self.auth, data)
        assert answer.status == 200, answer.body
        return answer.headers["Snapshot"]


@pytest.fixture
def alice(running: RunningHub) -> Caller:
    return Caller(running, running.user("alice"))


@pytest.fixture
def bob(running: RunningHub) -> Caller:
    return Caller(running, running.user("bob"))


@pytest.fixture
def admin(running: RunningHub) -> Caller:
    return Caller(running, running.admin_auth)


@pytest.fixture
def dot(alice: Caller) -> str:
    """The id of alice's dot ``dot``."""
    assert alice("Create", Namespace="alice", Name="dot") is True
    return alice.dot("Lookup")


def test_who_asks_and_what_answers(alice: Caller, admin: Caller) -> None:
    assert alice("Ping") is True
    assert alice("Version")["installed_version"]
    user = alice("CurrentUser")
    assert user["Name"] == "alice" and user["Id"]
    assert alice("CheckNameIsValid", Namespace="a", Name="b", Branch="") == ""
    assert "dot" in alice("CheckNameIsValid", Namespace="a", Name="b c", Branch="")
    assert "branch" in alice("CheckNameIsValid", Namespace="a", Name="b", Branch="x" * 65)


def test_only_who_is_let_in_gets_any_answer(running: RunningHub) -> None:
    body = {"jsonrpc": "2.0", "method": "DotmeshRPC.Ping", "id": 1}
    for auth in (None, ("alice", "wrong"), ("nobody", PASSWORD)):
        answer = running.call("POST", "/v2/dotmesh/rpc", auth, body)
        assert answer.status == 401 and b"result" not in answer.body
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert running.call("GET", "/v2/dotmesh/rpc", running.admin_auth).status == 405


def test_what_is_no_call_is_answered_as_json_rpc(running: RunningHub, alice: Caller) -> None:
    for body, code in ((b"{", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0"}', -32600)):
        answer = running.call("POST", "/v2/dotmesh/rpc", alice.auth, body)
        assert answer.status == 200 and answer.json()["error"]["code"] == code
    with pytest.raises(RpcFailed, match="no method") as caught:
        alice("Procure")
    assert caught.value.code == -32601
    quiet = b'{"jsonrpc":"2.0","method":"DotmeshRPC.Ping"}'
    assert running.call("POST", "/v2/dotmesh/rpc", alice.auth, quiet).status == 204


def test_dots_are_made_found_and_deleted(alice: Caller, dot: str) -> None:
    volume = alice("Get", dot)
    assert volume["Id"] == dot and volume["Name"] == {"Namespace": "alice", "Name": "dot"}
    assert volume["Branch"] == "" and volume["CommitCount"] == 1 and volume["SizeBytes"] == 0
    alice.put("a/b.bin", b"x" * 1000)
    assert alice("Get", dot)["SizeBytes"] == 1000
    assert alice.dot("Exists") == dot and alice.dot("Exists", Name="other") == ""
    assert alice.dot("Exists", Branch="side") == ""
    assert set(alice("List")["alice"]) == {"dot"}
    with pytest.raises(RpcFailed, match="alice has"):
        alice("Create", Namespace="alice", Name="dot")
    with pytest.raises(RpcFailed, match="is not the name") as caught:
        alice("Create", Namespace="alice", Name="a b")
    assert caught.value.code == -32602
    assert alice.dot("Delete") is True
    assert alice.dot("Exists") == "" and alice("List") == {}
    for method in ("Lookup", "Commits", "Delete"):
        with pytest.raises(RpcFailed, match="There is no dot alice/dot"):
            alice.dot(method)


def test_the_workspace_of_a_project_is_a_dot(running: RunningHub, alice: Caller) -> None:
    made = running.call("POST", "/v2/projects", alice.auth, {"name": "p"}).json()
    name = f"project-{made['id'][:8]}-default-workspace"
    assert made["dots"] == [name]
    assert alice.dot("Lookup", Name=name) == made["id"]
    assert alice.dot("Commits", Name=name) == []
    with pytest.raises(RpcFailed, match="Nothing was deleted"):
        alice.dot("Delete", Name=name)
    assert alice.dot("Lookup", Name=name) == made["id"]
    with pytest.raises(RpcFailed, match="no commit yet"):
        alice.dot("Branch", Name=name, SourceBranch="", NewBranchName="b", SourceCommitId="")


def test_commits_keep_their_metadata(alice: Caller, dot: str) -> None:
    given = {"key": "value", "author": "someone", "message": "within", "date": "1", "ü": "\0\udcff"}
    made = alice.dot("Commit", Message="outside", Metadata=given)
    second = alice.dot("Commit", Message="second")
    found = alice.dot("Commits")
    assert [each["Id"] for each in found][1:] == [made, second]
    assert found == alice("CommitsById", dot) == alice("CommitsById", {"Id": dot})
    metadata = found[1]["Metadata"]
    assert int(metadata.pop("timestamp")) > 10**18
    assert metadata == given
    last = found[2]["Metadata"]
    assert last.pop("timestamp") and last == {"author": "alice", "message": "second"}
    assert alice.dot("LastModified")["Time"].endswith("Z")
    assert alice("Diff", FilesystemID=dot) == {"Files": []}


def test_metadata_that_cannot_be_recorded_changes_nothing(alice: Caller, dot: str) -> None:
    for metadata in ({"Upper": "x"}, {"n": 1}, [], {"#commit-id": "x"}, {"type": "x" * 65}):
        with pytest.raises(RpcFailed, match="[Nn]othing was recorded") as caught:
            alice.dot("Commit", Message="m", Metadata=metadata)
        assert caught.value.code == -32602
    assert len(alice.dot("Commits")) == 1


def run_metadata(**more: str) -> dict[str, str]:
    prefix = f"run.{RUN}."
    return {
        "type": "dotscience.run.v1",
        "runs": json.dumps([RUN]),
        "workload.type": "command",
        f"{prefix}authority": "workload",
        f"{prefix}parameters.lr": "0.5",
        f"{prefix}label.artefact:net": '{"files":{"model":"net.h5"},"type":"tensorflow-model"}',
        f"{prefix}output-files": '["net.h5", "missing.h5"]',
        **{f"{prefix}{key.replace('_', '-')}": value for key, value in more.items()},
    }


def test_runs_of_a_commit_are_runs_at_once(running: RunningHub, alice: Caller, dot: str) -> None:
    uploaded = alice.put("net.h5", b"weights")
    inputs = json.dumps([f"net.h5@{uploaded}", "data.csv@elsewhere"])
    made = alice.dot("Commit", Message="trained", Metadata=run_metadata(input_files=inputs))
    found = running.call("GET", f"/api/v1/projects/{dot}/runs", alice.auth).json()
    assert [run["id"] for run in found["items"]] == [RUN] and found["items"][0]["commit"] == made
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(dot)) as project:
        run = project.records.get_run(RUN)
        files = {(f.direction, f.path): (f.version, f.size) for f in run.files}
        assert files == {
            ("input", "net.h5"): (uploaded, None),
            ("input", "data.csv"): (None, None),
            ("output", "net.h5"): (None, 7),
            ("output", "missing.h5"): (None, None),
        }
        assert run.details["unknown_versions"] == {"data.csv": "elsewhere"}
        assert project.records.verify() == []
    # the same run again is told of, and makes no commit
    with pytest.raises(RpcFailed, match="Recorded already"):
        alice.dot("Commit", Message="again", Metadata=run_metadata())
    assert len(alice.dot("Commits")) == 3
    (model,) = running.call("GET", "/v2/models", alice.auth).json()
    assert (model["run_id"], model["name"], model["project_id"]) == (RUN, "net", dot)


def test_datasets_of_a_run_are_recorded_as_such(
    running: RunningHub, alice: Caller, dot: str
) -> None:
    said = run_metadata(
        **{
            "dataset_input_files.iris": '["raw/a.csv@C1", "versionless"]',
            "dataset_output_files.iris": '["b.csv"]',
        }
    ) | {"input-dataset.iris": "the-dot@C1", "output-dataset.iris": "the-dot@C2"}
    made = alice.dot("Commit", Message="trained", Metadata=said)
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(dot)) as project:
        run = project.records.get_run(RUN)
        assert {(f.direction, f.dataset, f.path, f.version) for f in run.datasets} == {
            ("input", "iris", "raw/a.csv", "C1"),
            ("input", "iris", "versionless", None),
            ("output", "iris", "b.csv", "C2"),
        }
        assert "names no version" in run.details["problems"][0]
        assert project.records.get_commit(made).details["input-dataset.iris"] == "the-dot@C1"
        assert project.records.verify() == []
    told = alice.dot("Commits")[-1]["Metadata"]
    assert {key: told[key] for key in said} == said


def test_a_full_record_says_more(running: RunningHub, alice: Caller, dot: str) -> None:
    points = base64.b64encode(struct.pack("<300000d", *range(300_000))).decode()
    record = {
        "format": 1,
        "id": RUN,
        "run": {"version": "1", "parameters": {"lr": "0.5"}, "summary": {"loss": "3"}},
        "types": {"parameters": {"lr": "float"}, "summary": {"loss": "int"}},
        "series": {"loss": {"count": 300_000, "steps": points, "values": points, "times": points}},
        "environment": {"python": {"version": "3.11"}, "packages": {"numpy": "2.1"}},
        "seeds": {"torch": 42},
        "resources": {"cpu_seconds": 1.5},
        "source": {"kind": "script", "path": "train.py"},
        "inputs": {"data.csv": {"digest": "a" * 64, "size": 12}, "../x": {"digest": "bad"}},
    }
    text = json.dumps(record)
    assert len(text) > 9_000_000
    metadata = run_metadata(record=text, input_files='["data.csv@"]')
    alice.dot("Commit", Message="full", Metadata=metadata)
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(dot)) as project:
        run = project.records.get_run(RUN)
        assert {(v.kind, v.name, v.text, v.type) for v in run.values} == {
            ("parameter", "lr", "0.5", "float"),
            ("metric", "loss", "3", "int"),
        }
        assert project.records.series(RUN, "loss")[1][-1] == 299_999
        assert run.environment is not None and run.environment.document["packages"]
        assert run.details["seeds"] == {"torch": 42}
        inputs = {f.path: (f.digest, f.size) for f in run.files if f.direction == "input"}
        assert inputs == {"data.csv": ("a" * 64, 12), "../x": (None, None)}
        assert run.details["outside"] == ["../x"]
    back = alice.dot("Commits")[-1]["Metadata"]
    del metadata[f"run.{RUN}.record"]
    assert {key: back[key] for key in metadata} == metadata and len(json.dumps(back)) < 5000


@pytest.mark.parametrize("record", ["no json", "[]", '{"format": 1, "id": "other", "run": {}}'])
def test_a_record_that_cannot_be_read_is_passed_over(
    running: RunningHub, alice: Caller, dot: str, record: str
) -> None:
    alice.dot("Commit", Message="m", Metadata=run_metadata(record=record))
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(dot)) as project:
        run = project.records.get_run(RUN)
        assert {v.name for v in run.values} == {"lr", "artefact:net"}
        assert "full record" in run.details["problems"][0]


def test_branches_go_their_own_way(running: RunningHub, alice: Caller, dot: str) -> None:
    first = alice.put("f", b"1")
    make = {"SourceBranch": "master", "NewBranchName": "side"}
    assert alice.dot("Branch", **make, SourceCommitId=first) is True
    alice.put("f", b"2")
    alice.put("f", b"on the side", "alice:dot@side")
    assert alice.dot("Branches") == ["side"]
    side = alice.dot("Lookup", Branch="side")
    assert side != dot and alice("Get", side)["Branch"] == "side"
    assert alice("Get", side)["CommitCount"] == 3 == len(alice("CommitsById", side))
    read = "/v2/dotmesh/s3/alice:dot{}/snapshot/latest/f"
    assert running.call("GET", read.format(""), alice.auth).body == b"2"
    assert running.call("GET", read.format("@master"), alice.auth).body == b"2"
    assert running.call("GET", read.format("@side"), alice.auth).body == b"on the side"
    for wrong, words in (
        (make | {"SourceCommitId": first}, "already"),
        (make | {"NewBranchName": "master", "SourceCommitId": first}, "other than master"),
        (make | {"NewBranchName": "b", "SourceCommitId": "0" * 64}, "no commit"),
        (make | {"NewBranchName": "b c", "SourceCommitId": first}, "not the name"),
        (make | {"NewBranchName": "b", "SourceBranch": "nowhere"}, "no branch"),
    ):
        with pytest.raises(RpcFailed, match=words):
            alice.dot("Branch", **wrong)
    assert alice.dot("Branches") == ["side"]
    dots = alice("AllDotsAndBranches")["Dots"]
    assert [each["Branch"] for each in dots[0]["OtherBranches"]] == ["side"]
    assert alice.dot("Delete") is True


def test_rollback_keeps_what_it_leaves(running: RunningHub, alice: Caller, dot: str) -> None:
    first = alice.put("f", b"1")
    second = alice.put("f", b"2")
    assert alice.dot("Rollback", SnapshotId=first) is True
    read = "/v2/dotmesh/s3/alice:dot/snapshot/{}/f"
    assert running.call("GET", read.format("latest"), alice.auth).body == b"1"
    assert alice.dot("Commits")[-1]["Id"] == first
    assert running.call("GET", read.format(second), alice.auth).body == b"2"
    third = alice.put("f", b"3")
    assert [each["Id"] for each in alice.dot("Commits")][-2:] == [first, third]
    with pytest.raises(RpcFailed, match="does not hold"):
        alice.dot("Rollback", SnapshotId=second)
    with pytest.raises(RpcFailed, match="no commit"):
        alice.dot("Rollback", SnapshotId="0" * 64)
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(dot)) as project:
        assert second in project.records.refs().values()


def test_a_fork_shares_history_and_goes_its_own_way(
    running: RunningHub, alice: Caller, bob: Caller, dot: str
) -> None:
    data = bytes(range(256)) * 5000
    alice.put("big", data)
    alice.dot("Commit", Message="trained", Metadata=run_metadata())
    head = alice.put("f", b"1")
    assert alice("AddCollaborator", MasterBranchID=dot, Collaborator="bob") is True
    made = bob("Fork", MasterBranchID=dot, ForkNamespace="bob", ForkName="mine")
    volume = bob("Get", made)
    assert (volume["ForkParentId"], volume["ForkParentSnapshotId"]) == (dot, head)
    assert bob("CommitsById", made) == alice.dot("Commits")
    read = "/v2/dotmesh/s3/{}/snapshot/latest/{}"
    assert running.call("GET", read.format("bob:mine", "big"), bob.auth).body == data
    bob.put("f", b"bob's", "bob:mine")
    assert running.call("GET", read.format("alice:dot", "f"), alice.auth).body == b"1"
    assert running.call("GET", read.format("bob:mine", "f"), bob.auth).body == b"bob's"
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(made)) as project:
        assert project.records.verify() == []
        assert not project.engine.verify(project.records.snapshots())
    with pytest.raises(RpcFailed, match="bob has"):
        bob("Fork", MasterBranchID=dot, ForkNamespace="bob", ForkName="mine")
    with pytest.raises(RpcFailed, match="not the administrator"):
        bob("Fork", MasterBranchID=dot, ForkNamespace="alice", ForkName="mine")


def test_others_see_nothing_until_they_are_let_in(
    running: RunningHub, alice: Caller, bob: Caller, admin: Caller, dot: str
) -> None:
    for method, named in (
        ("Lookup", {}),
        ("Commits", {}),
        ("Commit", {"Message": "m"}),
        ("Branches", {}),
        ("Branch", {"SourceBranch": "", "NewBranchName": "b"}),
        ("Rollback", {"SnapshotId": "0" * 64}),
        ("LastModified", {}),
        ("Delete", {}),
    ):
        with pytest.raises(RpcFailed, match="There is no dot alice/dot, or you may not see it"):
            bob.dot(method, **named)
    assert bob.dot("Exists") == "" and bob("List") == {} and bob("AllDotsAndBranches")["Dots"] == []
    for method, params in (
        ("Get", dot),
        ("CommitsById", dot),
        ("Diff", {"FilesystemID": dot}),
        ("Fork", {"MasterBranchID": dot, "ForkNamespace": "bob", "ForkName": "x"}),
        ("AddCollaborator", {"MasterBranchID": dot, "Collaborator": "bob"}),
        ("RemoveCollaborator", {"MasterBranchID": dot, "Collaborator": "bob"}),
    ):
        with pytest.raises(RpcFailed, match="There is no dot"):
            bob(method, params)
    with pytest.raises(RpcFailed, match="not the administrator of namespace alice"):
        bob("Create", Namespace="alice", Name="bobs")
    # a collaborator reads and writes, and no more
    alice("AddCollaborator", MasterBranchID=dot, Collaborator="bob")
    assert bob.dot("Lookup") == dot and len(bob.dot("Commits")) == 1
    assert bob.dot("Commit", Message="bob's")
    assert bob("AllDotsAndBranches")["Dots"][0]["Collaborators"][0]["Name"] == "bob"
    for method, named in (("Delete", {}), ("Rollback", {"SnapshotId": "0" * 64})):
        with pytest.raises(RpcFailed, match="Only the owner"):
            bob.dot(method, **named)
    with pytest.raises(RpcFailed, match="Only the owner"):
        bob("AddCollaborator", MasterBranchID=dot, Collaborator="bob")
    assert alice("RemoveCollaborator", MasterBranchID=dot, Collaborator="bob") is True
    assert bob.dot("Exists") == ""
    # an admin may do all of it
    assert admin.dot("Lookup") == dot
    assert admin("Create", Namespace="alice", Name="given") is True
    assert set(admin("List")["alice"]) == {"dot", "given"}
    assert admin.dot("Delete") is True


def test_users_keys_and_passwords(running: RunningHub, alice: Caller, admin: Caller) -> None:
    with pytest.raises(RpcFailed, match="Only an admin"):
        alice("RegisterNewUser", Name="carol", Email="c@example.org", Password="secret1")
    with pytest.raises(RpcFailed, match="at least 7"):
        admin("RegisterNewUser", Name="carol", Email="c@example.org", Password="short")
    made = admin("RegisterNewUser", Name="carol", Email="c@example.org", Password="secret1")
    assert made["Name"] == "carol"
    by_password = Caller(running, ("carol", "secret1"))
    first = by_password("ResetApiKey")["ApiKey"]
    by_key = Caller(running, ("carol", first))
    assert by_key("Ping") is True
    assert Caller(running, first)("CurrentUser")["Name"] == "carol"
    for method, named in (("ResetApiKey", {}), ("UpdatePassword", {"NewPassword": "another1"})):
        with pytest.raises(RpcFailed, match="Password authentication is required"):
            by_key(method, **named)
    with pytest.raises(RpcFailed, match="shown once"):
        by_key("GetApiKey")
    second = by_password("ResetApiKey")["ApiKey"]
    assert Caller(running, ("carol", second))("Ping") is True
    body = {"jsonrpc": "2.0", "method": "DotmeshRPC.Ping", "id": 1}
    assert running.call("POST", "/v2/dotmesh/rpc", ("carol", first), body).status == 401
    with pytest.raises(RpcFailed, match="at least 7"):
        by_password("UpdatePassword", NewPassword="short")
    assert by_password("UpdatePassword", NewPassword="another1")["Name"] == "carol"
    assert running.call("POST", "/v2/dotmesh/rpc", ("carol", "secret1"), body).status == 401
    assert Caller(running, ("carol", "another1"))("Ping") is True


def test_no_parameters_break_no_method(running: RunningHub, alice: Caller, dot: str) -> None:
    wild: list[object] = [
        None, {}, "", "x", "\0", dot + "@", dot + "@\0", [None], [{}], ["x"],
        {"Namespace": None}, {"Namespace": 1, "Name": {}, "Branch": []},
        {"Namespace": "alice", "Name": "dot", "Branch": "../x"},
        {"Namespace": "alice", "Name": "dot", "SourceBranch": "", "NewBranchName": "\udcff"},
        {"Namespace": "alice", "Name": "dot", "SnapshotId": "\0\udcff"},
        {"Namespace": "alice", "Name": "dot", "Message": 3, "Metadata": "x"},
        {"MasterBranchID": dot, "Collaborator": "\0", "ForkNamespace": "\0", "ForkName": "\0"},
    ]  # fmt: skip
    for method in METHODS:
        for params in wild:
            if method in ("Create", "Delete"):
                continue
            try:
                alice(method, params)
            except RpcFailed as error:
                assert error.code in (-32602, -32000), (method, params, str(error))


def test_the_same_on_postgresql(hub_postgresql: str, tmp_path: Path) -> None:
    with hub(tmp_path, db=hub_postgresql) as running:
        alice = Caller(running, running.user("alice"))
        alice("Create", Namespace="alice", Name="dot")
        dot = alice.dot("Lookup")
        first = alice.put("net.h5", b"weights")
        made = alice.dot("Commit", Message="trained \0", Metadata=run_metadata() | {"odd": "\0"})
        assert alice.dot("Commits")[-1]["Metadata"]["odd"] == "\0"
        make = {"SourceBranch": "master", "NewBranchName": "side", "SourceCommitId": first}
        assert alice.dot("Branch", **make) is True
        alice.put("f", b"on the side", "alice:dot@side")
        assert len(alice.dot("Commits", Branch="side")) == 3
        fork = alice("Fork", MasterBranchID=dot, ForkNamespace="alice", ForkName="mine")
        assert alice("CommitsById", fork)[-1]["Id"] == made
        assert alice.dot("Rollback", SnapshotId=first) is True
        found = running.call("GET", "/v2/models", alice.auth).json()
        assert {each["project_id"] for each in found} == {dot, fork}
        services = running.services
        assert services is not None
        for each in (dot, fork):
            with services.projects.open(services.projects.get(each)) as project:
                assert project.records.verify() == []


def test_what_a_hub_does_not_do_says_what_to_do_instead(running: RunningHub) -> None:
    for method in ("MountCommit", "Transfer", "GetTransfer", "S3Transfer"):
        body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": {}, "id": 1}
        told = running.call("POST", "/v2/dotmesh/rpc", running.user("alice"), body).json()["error"]
        assert told["code"] == -32601
        assert "Nothing was" in told["message"]
