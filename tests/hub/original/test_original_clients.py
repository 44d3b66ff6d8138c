# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The original's own clients, as they are on PyPI, against our hub."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hub_world import RunningHub
from original_clients import installed, run_client

from dotscience_jupyter.hub.original import store

PUBLISH = """
import os, sys
import dotscience as ds
user, key, project, url = sys.argv[1:] if len(sys.argv) > 1 else os.environ["HUB"].split("|")
ds.connect(user, key, project, url)
"""

pytestmark = pytest.mark.usefixtures("real_clients")


@pytest.fixture(scope="session")
def real_clients() -> None:
    installed()


def publish(running: RunningHub, folder: Path, program: str, user: str = "alice", **env: str):
    """Run a program of the original library, which is connected to the project ``trials``."""
    name, key = running.user(user)
    login = "|".join((name, key, "trials", running.url))
    return run_client(PUBLISH + program, folder, HUB=login, **env)


def dot_of(running: RunningHub, user: str = "alice") -> tuple[dict, str]:
    """The project ``trials`` and its bucket."""
    (project,) = [
        each
        for each in running.call("GET", "/v2/projects", running.user(user)).json()
        if each["name"] == "trials"
    ]
    return project, f"{user}:project-{project['id'][:8]}-default-workspace"


def runs_of(running: RunningHub, user: str = "alice") -> list[dict]:
    project, _ = dot_of(running, user)
    found = running.call("GET", f"/api/v1/projects/{project['id']}/runs", running.user(user))
    return found.json()["items"]


def fetch(running: RunningHub, key: str, user: str = "alice") -> bytes:
    _, bucket = dot_of(running, user)
    path = f"/v2/dotmesh/s3/{bucket}/snapshot/latest/{key}"
    answer = running.call("GET", path, running.user(user))
    assert answer.status == 200, answer.body
    return answer.body


def test_a_run_without_files(running: RunningHub, tmp_path: Path) -> None:
    said = publish(
        running,
        tmp_path,
        """
ds.start("first")
ds.parameter("lr", 0.1); ds.metric("acc", 0.93)
ds.label("stage", "draft"); ds.label("dots.in.it", "x")
ds.publish("described")
ds.start("second"); ds.error("no luck"); ds.publish()
""",
    )
    assert "connected!" in said
    second, first = runs_of(running)
    assert first["description"] == "described" and first["status"] == "succeeded"
    assert first["authority"] == "remote" and first["author"] == "alice"
    assert first["parameters"] == {"lr": "0.1"} and first["metrics"] == {"acc": "0.93"}
    assert first["labels"] == {"stage": "draft", "dots.in.it": "x"}
    assert second["status"] == "failed" and second["error"] == "no luck"
    # the address that the client prints names project and run
    project, _ = dot_of(running)
    assert f"/project/{project['id']}/runs/metric/{first['id']}" in said


def test_one_output_is_in_the_commit_of_its_run(running: RunningHub, tmp_path: Path) -> None:
    # the client sends it in chunks to an absolute target, and hangs up without reading
    data = bytes(range(256)) * 20_000
    (tmp_path / "file.bin").write_bytes(data)
    publish(running, tmp_path, 'ds.start("one"); ds.output("file.bin"); ds.publish()')
    assert fetch(running, "file.bin") == data
    (run,) = runs_of(running)
    project, _ = dot_of(running)
    commits = running.call(
        "GET", f"/api/v1/projects/{project['id']}/commits", running.user("alice")
    ).json()["items"]
    assert [each["type"] for each in commits] == ["dotscience.run.v1", "upload"]
    assert run["commit"] == commits[0]["id"]
    assert commits[1]["message"] == "Uploaded file.bin (5.1 MB)"


def test_many_publishes_keep_each_file_with_its_run(running: RunningHub, tmp_path: Path) -> None:
    publish(
        running,
        tmp_path,
        """
for n in range(15):
    open("out.bin", "wb").write(bytes([n]) * 300_000)
    ds.start(str(n)); ds.output("out.bin"); ds.publish()
""",
    )
    runs = runs_of(running)
    _, bucket = dot_of(running)
    assert len(runs) == 15
    for run in runs:
        path = f"/v2/dotmesh/s3/{bucket}/snapshot/{run['commit']}/out.bin"
        body = running.call("GET", path, running.user("alice")).body
        assert body == bytes([int(run["description"])]) * 300_000


@pytest.mark.parametrize("folder", ["model", "./model", "deep/model", "./deep/model"])
def test_a_model_is_where_its_commit_says(running: RunningHub, tmp_path: Path, folder: str) -> None:
    plain = folder.removeprefix("./")
    (tmp_path / plain / "variables").mkdir(parents=True)
    (tmp_path / plain / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / plain / "variables" / "data").write_bytes(b"weights")
    (tmp_path / plain / "classes.json").write_text('{"0": "zero"}')
    (tmp_path / "scores.csv").write_text("1,2")
    said = publish(
        running,
        tmp_path,
        f"""
import types
tensorflow = types.ModuleType("tensorflow"); tensorflow.__version__ = "2.1.0"
ds.start("trained")
ds.output("scores.csv")
ds.model(tensorflow, "digits", {folder!r}, classes={folder + "/classes.json"!r})
ds.publish()
""",
    )
    assert "Traceback" not in said
    assert fetch(running, f"{plain}/saved_model.pb") == b"graph"
    assert fetch(running, f"{plain}/variables/data") == b"weights"
    assert fetch(running, "scores.csv") == b"1,2"
    with tarfile.open(fileobj=io.BytesIO(fetch(running, plain))) as archive:
        names = set(archive.getnames())
    # and nothing is left of where the client had put them
    assert names == {"saved_model.pb", "variables", "variables/data", "classes.json"}
    (run,) = runs_of(running)
    project, _ = dot_of(running)
    whole = running.services
    assert whole is not None
    with whole.projects.open(whole.projects.get(project["id"])) as opened:
        files = {f.path: f.digest for f in opened.records.get_run(run["id"]).files}
        assert opened.records.verify() == []
    assert set(files) == {
        "scores.csv",
        f"{plain}/saved_model.pb",
        f"{plain}/variables/data",
        f"{plain}/classes.json",
    }
    assert all(files.values()), "every output was found in the snapshot"
    (model,) = running.call("GET", "/v2/models", running.user("alice")).json()
    assert (model["run_id"], model["name"], model["type"]) == (
        run["id"],
        "digits",
        "tensorflow-model",
    )
    assert model["files"] == {"model": plain, "classes": f"{plain}/classes.json"}


def in_commit(running: RunningHub, run: dict) -> dict[str, bytes]:
    """All files of a run's commit; their digests are those that the run's record has."""
    project, bucket = dot_of(running)
    base = f"/v2/dotmesh/s3/{bucket}/snapshot/{run['commit']}"
    alice = running.user("alice")
    keys = [
        each["key"] for each in running.call("GET", base + "?Format=json", alice).json()["contents"]
    ]
    files = {key: running.call("GET", f"{base}/{key}", alice).body for key in keys}
    services = running.services
    assert services is not None
    with services.projects.open(services.projects.get(project["id"])) as opened:
        said = {file.path: file.digest for file in opened.records.get_run(run["id"]).files}
    assert said == {key: blake3(files[key]).hexdigest() for key in said}
    return files


def test_published_again_every_output_is_the_new_one(running: RunningHub, tmp_path: Path) -> None:
    publish(
        running,
        tmp_path,
        """
import os, types
tensorflow = types.ModuleType("tensorflow"); tensorflow.__version__ = "2.1.0"
for n in "12":
    for folder in ("a", "b"):
        os.makedirs(folder, exist_ok=True)
        for name in ("saved_model.pb", "classes.json", "scores.csv"):
            open(folder + "/" + name, "w").write(folder + name + n)
    open("scores.csv", "w").write("top" + n)
    for folder in ("a", "./b"):
        ds.start(folder + n); ds.output("scores.csv")
        ds.model(tensorflow, "digits", folder, classes=folder + "/classes.json"); ds.publish()
""",
    )
    runs = {run["description"]: in_commit(running, run) for run in runs_of(running)}
    assert set(runs) == {"a1", "./b1", "a2", "./b2"}
    for name, files in runs.items():
        folder, n = name[-2], name[-1]
        mine = {k: v for k, v in files.items() if "/" not in k or k.startswith(f"{folder}/")}
        inside = ("saved_model.pb", "classes.json", "scores.csv")
        assert mine == {
            "scores.csv": f"top{n}".encode(),
            # the archive for "a" has two of the name scores.csv
            **{f"{folder}/{each}": f"{folder}{each}{n}".encode() for each in inside},
        }


def test_an_archive_of_a_run_that_was_never_told_of_is_left_alone(
    running: RunningHub, tmp_path: Path
) -> None:
    running.project("alice", "trials")
    _, bucket = dot_of(running)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("scores.csv")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"old"))
    sent = running.call(
        "PUT",
        f"/v2/dotmesh/s3/{bucket}/model",
        running.user("alice"),
        archive.getvalue(),
        {"Extract": "true"},
    )
    assert sent.status == 200
    (tmp_path / "scores.csv").write_text("new")
    publish(running, tmp_path, 'ds.start("one"); ds.output("scores.csv"); ds.publish()')
    (run,) = runs_of(running)
    _, bucket = dot_of(running)
    path = f"/v2/dotmesh/s3/{bucket}/snapshot/{run['commit']}/"
    assert running.call("GET", path + "scores.csv", running.user("alice")).body == b"new"
    assert running.call("GET", path + "model/scores.csv", running.user("alice")).body == b"old"


def test_a_model_that_is_one_file_is_one(running: RunningHub, tmp_path: Path) -> None:
    publish(
        running,
        tmp_path,
        """
import os, types
sklearn = types.ModuleType("sklearn"); sklearn.__version__ = "0.22"
for n in "12":
    for folder in ("", "deep/"):
        if folder: os.makedirs(folder, exist_ok=True)
        open(folder + "model.joblib", "w").write(folder + "pickle" + n)
        open("classes.json", "w").write(folder + "classes" + n)
        ds.start(folder + n)
        ds.model(sklearn, "iris", folder + "model.joblib", classes="classes.json"); ds.publish()
# what was a file is a folder now
os.remove("classes.json"); os.mkdir("classes.json"); open("classes.json/all", "w").write("all")
ds.start("last"); ds.model(sklearn, "iris", "model.joblib", classes="classes.json/all")
ds.publish()
""",
    )
    runs = {run["description"]: in_commit(running, run) for run in runs_of(running)}
    assert runs["1"] == {"model.joblib": b"pickle1", "classes.json": b"classes1"}
    first = {"deep/model.joblib": b"deep/pickle1", "model.joblib": b"pickle1"}
    assert runs["deep/1"] == {**first, "classes.json": b"deep/classes1"}
    assert runs["2"] == {**first, "model.joblib": b"pickle2", "classes.json": b"classes2"}
    second = {"deep/model.joblib": b"deep/pickle2", "model.joblib": b"pickle2"}
    assert runs["deep/2"] == {**second, "classes.json": b"deep/classes2"}
    assert runs["last"] == {**second, "classes.json/all": b"all"}


def test_two_programs_share_a_new_project(running: RunningHub, tmp_path: Path) -> None:
    failed: list[BaseException] = []
    running.user("alice")

    def work(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "f").write_text(str(number))
        try:
            publish(
                running,
                folder,
                f'ds.start("{number}"); ds.output("f"); ds.publish()',
            )
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(run["description"] for run in runs_of(running)) == ["0", "1", "2"]


def test_a_collaborator_publishes_to_a_shared_project(running: RunningHub, tmp_path: Path) -> None:
    id_ = running.project("alice", "trials")
    bob, _ = running.user("bob")
    path = f"/api/v1/projects/{id_}/members"
    assert running.call("POST", path, running.user("alice"), {"name": bob}).status < 300
    (tmp_path / "f").write_text("bob's")
    publish(running, tmp_path, 'ds.start("shared"); ds.output("f"); ds.publish()', user="bob")
    (run,) = runs_of(running)
    assert (run["description"], run["author"]) == ("shared", "bob")
    assert fetch(running, "f") == b"bob's"


def test_a_wrong_key_is_told_of(running: RunningHub, tmp_path: Path) -> None:
    running.user("alice")
    login = "|".join(("alice", "dsk_wrong", "trials", running.url))
    said = run_client(PUBLISH, tmp_path, ok=False, HUB=login)
    assert "401" in said


DATADOTS = """
import json, os
from dotscience import DotmeshClient, DotName
user, key, url = os.environ["HUB"].split("|")
client = DotmeshClient(cluster_url=url + "/v2/dotmesh/rpc", username=user, api_key=key)
"""


def test_the_dotmesh_client(running: RunningHub, tmp_path: Path) -> None:
    name, key = running.user("alice")
    said = run_client(
        DATADOTS
        + """
out = {"ping": client.ping()}
name = DotName(user, "frob")
dot = client.createDot(name)
assert client.getDot("frob", ns=user).id == dot.id
master = dot.getBranch("master")
out["first"] = [c["Metadata"]["message"] for c in master.log()]
out["made"] = master.commit("hello", {"key": "value"})
out["log"] = master.log()
side = master.createBranch("side", "master")
side.commit("on the side")
early = master.createBranch("early", "side", commit_id=master.log()[0]["Id"])
out["early"] = [c["Metadata"]["message"] for c in early.log()]
out["side"] = [c["Metadata"]["message"] for c in dot.getBranch("side").log()]
out["master"] = [c["Metadata"]["message"] for c in master.log()]
out["deleted"] = client.deleteDot(name)
try:
    client.getDot(name)
except Exception as error:
    out["gone"] = str(error)
print(json.dumps(out))
""",
        tmp_path,
        HUB="|".join((name, key, running.url)),
    )
    out = json.loads(said.splitlines()[-1])
    assert out["ping"] is True and out["first"] == ["Initial commit"]
    assert len(out["log"]) == 2
    assert out["log"][1]["Id"] == out["made"]
    metadata = out["log"][1]["Metadata"]
    assert metadata.pop("timestamp").isdigit()
    assert metadata == {"author": "alice", "message": "hello", "key": "value"}
    assert out["early"] == ["Initial commit"] and out["deleted"] is True
    assert out["side"] == ["Initial commit", "hello", "on the side"]
    assert out["master"] == ["Initial commit", "hello"]
    assert "frob" in out["gone"]


def test_a_commit_waits_for_a_slow_upload(
    running: RunningHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.put

    def slow(*args: Any) -> Any:
        time.sleep(1.0)
        return real(*args)

    (tmp_path / "f").write_bytes(b"late")
    monkeypatch.setattr(store, "put", slow)
    publish(running, tmp_path, 'ds.start("late"); ds.output("f"); ds.publish()')
    (run,) = runs_of(running)
    _, bucket = dot_of(running)
    path = f"/v2/dotmesh/s3/{bucket}/snapshot/{run['commit']}/f"
    assert running.call("GET", path, running.user("alice")).body == b"late"
