# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets of a workspace, through a real server, and one of them through a real hub."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hub_world import PASSWORD, hub

from dotscience_jupyter.api import ApiError, datasetwork
from dotscience_jupyter.api.datasetwork import Work, Worker
from dotscience_jupyter.datasets import Dataset, Datasets
from dotscience_jupyter.snapshots.embedded import EmbeddedEngine
from dotscience_jupyter.sync import Remote, Sync, find_project

READ = """
import dotscience as ds
ds.input("datasets/iris/a.csv")
ds.publish("a reader")
"""


class Panel:
    """What the panel does with the datasets of the workspace ``project``."""

    def __init__(self, api: Any) -> None:
        self._api = api

    async def get(self, what: str = "", **query: Any) -> dict[str, Any]:
        status, found = await self._api(f"v1/datasets{what}", path="project", **query)
        assert status == 200, found
        return dict(found)

    async def post(self, what: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return await self._api(f"v1/datasets/{what}", method="POST", path="project", body=body)

    async def done(self, what: str, **body: Any) -> dict[str, dict[str, Any]]:
        """Do something, wait for its end, and return what is attached then, by name."""
        status, found = await self.post(what, **body)
        assert status == 200, found
        async with asyncio.timeout(60):
            while found["work"]:
                await asyncio.sleep(0.05)
                found = await self.get()
        assert not found["error"], found
        return {each["name"]: each for each in found["items"]}

    async def refused(self, what: str, **body: Any) -> tuple[int, str, str]:
        status, found = await self.post(what, **body)
        return status, found["code"], found["message"]


@pytest.fixture
def panel(api: Any, tracked: Any) -> Panel:
    return Panel(api)


def put(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


async def test_from_a_folder_to_versions_and_back(
    panel: Panel, jp_root_dir: Path, tracked: Any, events: Any
) -> None:
    assert (await panel.get())["items"] == []
    assert (await panel.get("/known"))["items"] == []
    put(jp_root_dir / "raw", "a.csv", "1")
    made = await panel.done("create", name="iris", folder="raw", message="As downloaded")
    iris = made["iris"]
    assert (iris["path"], iris["folder"]) == ("datasets/iris", "project/datasets/iris")
    assert (iris["mode"], iris["place"], iris["newer"]) == ("read", "there", False)
    assert iris["version"]["message"] == "As downloaded" and iris["version"] == iris["newest"]
    told = await events.wait(lambda event: event.get("datasets", {}).get("items"))
    assert told["action"] == "datasets" and told["datasets"]["items"][0]["id"] == iris["id"]
    (known,) = (await panel.get("/known"))["items"]
    assert (known["folder"], known["attached"], known["error"]) == ("raw", True, "")
    # a run reads it
    tracked.write("read.py", READ)
    with tracked.service() as service:
        argv, out = [sys.executable, str(tracked.root / "read.py")], io.BytesIO()
        _, done = service.committer.run_command(argv, stdout=out, stderr=out, cwd=tracked.root)
        (run,) = done.runs
    # somebody else makes a version: the panel is told what it asks for
    put(jp_root_dir / "raw", "b.csv", "2")
    newer = Datasets().get("iris").commit("more", author="Bob")
    assert newer is not None
    (iris,) = (await panel.get())["items"]
    assert iris["newer"] and iris["newest"]["id"] == newer.id != iris["version"]["id"]
    listed = await panel.get("/versions", name="iris", limit=1)
    assert (listed["total"], [each["message"] for each in listed["items"]]) == (2, ["more"])
    (first,) = (await panel.get("/versions", name="iris", offset=1))["items"]
    assert (first["total_uses"], first["runs"]) == (1, [])
    assert first["uses"] == [{"run": run, "description": "a reader", "direction": "input"}]
    # the newest, then a version that stays, then the live folder
    folder = tracked.root / "datasets" / "iris"
    assert not (folder / "b.csv").exists()
    iris = (await panel.done("attach", name="iris"))["iris"]
    assert (folder / "b.csv").exists() and (iris["newer"], iris["pinned"]) == (False, None)
    iris = (await panel.done("attach", name="iris", version=first["id"][:8]))["iris"]
    assert iris["pinned"] == first["id"] and iris["newer"] and not (folder / "b.csv").exists()
    iris = (await panel.done("attach", name="iris", mode="write", to="data/in"))["iris"]
    assert (iris["path"], iris["mode"], iris["newer"]) == ("data/in", "write", False)
    assert not folder.exists() and os.path.samefile(tracked.root / "data/in", jp_root_dir / "raw")
    put(tracked.root / "data/in", "c.csv", "3")
    iris = (await panel.done("save", name="iris", message="by hand"))["iris"]
    assert iris["newest"]["message"] == "by hand"
    status, code, message = await panel.refused("save", name="iris")
    assert (status, code) == (409, "unchanged") and "Nothing has changed in iris" in message
    # a clone of the workspace has no links; then the dataset's own folder is gone
    (tracked.root / "data/in").unlink()
    (iris,) = (await panel.get())["items"]
    assert (iris["place"], iris["version"]) == ("lost", None)
    assert (await panel.done("restore"))["iris"]["place"] == "there"
    shutil.move(jp_root_dir / "raw", jp_root_dir / "moved")
    (iris,) = (await panel.get())["items"]
    assert iris["place"] == "absent" and "is not on this machine" in iris["error"]
    assert (await panel.refused("restore", name="iris"))[:2] == (404, "not_found")
    assert await panel.done("detach", name="iris") == {}
    assert (jp_root_dir / "moved" / "c.csv").exists()


async def test_a_folder_of_the_workspace_is_copied(
    panel: Panel, jp_root_dir: Path, tracked: Any
) -> None:
    put(tracked.root / "data", "a.csv", "1")
    (tracked.root / "data" / "link").symlink_to("a.csv")
    os.mkfifo(tracked.root / "data" / "pipe")
    inner = (await panel.done("create", name="inner", folder="project/data"))["inner"]
    assert inner["place"] == "there"
    copy = Datasets().get("inner").root
    assert sorted(os.listdir(copy)) == [".dotscience", "a.csv", "link"]
    assert (copy / "link").is_symlink()
    assert (tracked.root / "data" / "a.csv").read_text() == "1"
    # where it lies is nobody's business
    (known,) = (await panel.get("/known"))["items"]
    assert known["folder"] is None
    refused = {
        "exists": {"name": "inner", "folder": "project/data"},
        "invalid_request": {"name": "two words"},
        "not_found": {"name": "none", "folder": "nowhere"},
        "forbidden_path": {"name": "out", "folder": "../out"},
    }
    for code, body in refused.items():
        assert (await panel.refused("create", **body))[1] == code, body
    for body in (
        {"name": "all", "folder": "project"},
        {"name": "up", "to": "../up"},
        {"name": "taken", "to": "data"},
    ):
        status, _, message = await panel.refused("create", **body)
        assert status in (400, 403, 409) and str(jp_root_dir) not in message, body
    assert [each.name for each in Datasets().all()] == ["inner"]
    # what cannot be copied leaves nothing behind
    put(tracked.root / "broken", "a.csv", "1")
    if os.geteuid() != 0:
        (tracked.root / "broken" / "a.csv").chmod(0)
    else:
        Datasets().home("broken").mkdir()
        put(Datasets().home("broken"), "mine", "1")
    status, _, message = await panel.refused("create", name="broken", folder="project/broken")
    assert status in (409, 500) and "as they were" in message or "was changed" in message
    assert not [name for name in os.listdir(copy.parent) if name.startswith(".~")]


async def test_what_is_wrong_is_said_in_words(panel: Panel, api: Any, tracked: Any) -> None:
    assert (await panel.refused("attach"))[:2] == (400, "invalid_request")
    assert (await panel.refused("attach", name="none"))[:2] == (404, "not_found")
    assert (await panel.refused("attach", url="https://x.example"))[:2] == (400, "invalid_request")
    body = {"url": "https://x.example", "project": "p"}
    assert (await panel.refused("attach", **body))[:2] == (409, "not_logged_in")
    for what in ("detach", "fetch", "save", "restore"):
        assert (await panel.refused(what, name="none"))[:2] == (404, "not_found"), what
    status, found = await api("v1/datasets/versions", path="project", name="none")
    assert (status, found["code"]) == (404, "not_found")
    status, found = await api("v1/datasets/hub", url="https://x.example")
    assert (status, found["code"]) == (409, "not_logged_in")
    tracked.write("dotscience-datasets.json", "{")
    status, found = await api("v1/datasets", path="project")
    assert (status, found["code"]) == (500, "unreadable")
    assert str(tracked.root) not in found["message"]


async def test_one_of_a_hub_is_cloned_renewed_and_stopped(
    panel: Panel,
    api: Any,
    jp_root_dir: Path,
    tmp_path: Path,
    tracked: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with hub(tmp_path) as running:
        running.user("ada")
        body = {"url": running.url, "user": "ada", "password": PASSWORD}
        assert (await api("v1/sync/login", method="POST", body=body))[0] == 200
        # one that somebody pushed from elsewhere, which is no dataset of this machine
        put(tmp_path / "far", "a.csv", "1")
        far = Datasets(tmp_path / "data").create("iris", tmp_path / "far", author="Bob")
        remote = find_project(f"{running.url}/iris", create=True, kind="dataset")
        push(far, remote)
        status, found = await api("v1/datasets/hub", url=running.url)
        iris = {"project": remote.project, "name": "ada/iris", "kind": "dataset"}
        assert (status, found["items"]) == (200, [iris])
        # a clone that takes long is told of, and can be stopped; what arrived is kept
        monkeypatch.setattr(datasetwork, "WAIT", 0.0)
        wanted = {"url": running.url, "project": remote.project, "name": "flowers"}
        slow = asyncio.Event()
        restore = EmbeddedEngine.restore
        loop = asyncio.get_running_loop()

        def wait(self: Any, snapshot: str, to: Path, paths: Any = (), progress: Any = None) -> Any:
            loop.call_soon_threadsafe(slow.set)
            for _ in range(600):
                progress(1, 2, "Restoring")
                time.sleep(0.05)
            return restore(self, snapshot, to, paths, progress)

        with monkeypatch.context() as patch:
            patch.setattr(EmbeddedEngine, "restore", wait)
            status, found = await panel.post("attach", **wanted)
            assert (status, found["work"]["activity"], found["items"]) == (200, "attaching", [])
            async with asyncio.timeout(60):
                await slow.wait()
            assert (await panel.refused("attach", **wanted))[:2] == (409, "busy")
            assert await panel.done("stop") == {}
        flowers = (await panel.done("attach", **wanted))["flowers"]
        assert flowers["remote"] == f"{running.url}/ada/iris" and flowers["place"] == "there"
        # somebody pushes a version
        put(tmp_path / "far", "b.csv", "2")
        far.commit("more", author="Bob")
        push(far, remote)
        assert not flowers["newer"]
        flowers = (await panel.done("fetch", name="flowers"))["flowers"]
        assert flowers["newer"] and flowers["newest"]["message"] == "more"
        assert not (tracked.root / "datasets/flowers" / "b.csv").exists()
        # the panel in a dataset's folder makes a dataset on the hub, and not a project
        put(jp_root_dir / "raw", "a", "1")
        await panel.done("create", name="own", folder="raw")
        body = {"url": running.url, "name": "own"}
        assert (await api("v1/sync/remote", method="POST", path="raw", body=body))[0] == 200
        _, found = await api("v1/datasets/hub", url=running.url)
        assert [each["name"] for each in found["items"]] == ["ada/iris", "ada/own"]
    # a hub that is away: what went wrong after the answer is in the status
    status, found = await panel.post("fetch", name="flowers")
    assert status == 200
    async with asyncio.timeout(60):
        while (found := await panel.get())["work"]:
            await asyncio.sleep(0.05)
    assert (found["code"], found["items"][0]["place"]) == ("offline", "there"), found
    assert running.url in found["error"]


def push(dataset: Dataset, remote: Remote) -> None:
    with dataset.opened() as opened:
        sync = Sync(dataset.workspace, opened.records, opened.engine)
        sync.add(remote)
        sync.push()


def test_work_that_breaks_is_told_in_words(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(lambda: None)

    def broken(_: Work) -> None:
        raise RuntimeError("secret")

    with pytest.raises(ApiError, match="the server's log says what") as caught:
        worker.run("saving", "iris", broken)
    assert caught.value.status == 500 and "secret" in caplog.text
    assert worker.state() == (None, None)
    worker.close()
    with pytest.raises(ApiError, match="is being closed"):
        worker.run("saving", "iris", broken)
