# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects of a real hub that become folders of a real server."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hub_world import RunningHub

from dotscience_jupyter.api import WorkspaceService, clones
from dotscience_jupyter.records import Workspace
from dotscience_jupyter.snapshots import Progress
from dotscience_jupyter.sync import Cloned, Credentials, Login, Remote, Sync, find_project

_users = itertools.count()


class Hubs:
    """What a user has on the hub, and asks of the server."""

    def __init__(self, api: Any, running: RunningHub) -> None:
        self.api = api
        self.hub = running
        self.user = f"cloner-{next(_users)}"
        self.project = ""

    def address(self, name: str = "demo") -> str:
        return f"{self.hub.url}/{self.user}/{name}"

    def log_in(self) -> None:
        Credentials().put(Login(self.hub.url, *self.hub.user(self.user)))

    def push(self, folder: Path) -> None:
        """Make the project ``demo`` of a workspace with two files."""
        self.project = self.hub.project(self.user, "demo")
        Workspace.create(folder)
        service = WorkspaceService.open(folder, author="ada")
        try:
            (folder / "data.csv").write_text("a,b\n1,2\n")
            (folder / "large.bin").write_bytes(bytes(range(256)) * 4096)
            service.commit("raw data")
            sync = Sync(service.workspace, service.records, service.engine)
            sync.add(Remote(self.hub.url, self.project, f"{self.user}/demo"))
            sync.push()
        finally:
            service.close()

    async def clone(self, folder: str, address: str = "") -> tuple[int, dict[str, Any]]:
        body = {"address": address or self.address(), "folder": folder}
        return await self.api("v1/sync/clones", method="POST", body=body)

    async def end(self, id_: str) -> list[dict[str, Any]]:
        status, found = await self.api("v1/sync/clones/end", method="POST", body={"id": id_})
        assert status == 200, found
        return list(found["items"])

    async def all(self) -> list[dict[str, Any]]:
        status, found = await self.api("v1/sync/clones")
        assert status == 200, found
        return list(found["items"])


@pytest.fixture
def hubs(api: Any, running: RunningHub, tmp_path: Path) -> Hubs:
    found = Hubs(api, running)
    found.log_in()
    (tmp_path / "elsewhere").mkdir()
    found.push(tmp_path / "elsewhere")
    return found


def ended(data: dict[str, Any], state: str) -> bool:
    return data["action"] == "clone" and data["clone"]["state"] == state


async def test_a_project_becomes_a_folder(hubs: Hubs, events: Any, jp_root_dir: Path) -> None:
    url, name = hubs.hub.url, f"{hubs.user}/demo"
    assert await hubs.all() == []
    auth = hubs.hub.user(hubs.user)
    hubs.hub.call("POST", "/api/v1/projects", auth, {"name": "raw", "kind": "dataset"})
    _, found = await hubs.api("v1/sync/projects", url=url, datasets="1")
    assert [(each["name"], each["kind"]) for each in found["items"]] == [
        (name, "project"),
        (f"{hubs.user}/raw", "dataset"),
    ]
    _, found = await hubs.api("v1/sync/projects/newest", url=url, projects=hubs.project)
    (newest,) = found["items"]
    assert (newest["commits"], newest["author"], newest["message"]) == (1, "ada", "raw data")
    many = ",".join(map(str, range(41)))
    status, found = await hubs.api("v1/sync/projects/newest", url=url, projects=many)
    assert (status, found["code"]) == (400, "invalid_request")

    # by its id, as who chooses from a list does
    status, begun = await hubs.clone("team/copy", f"{url}/{hubs.project}")
    assert status == 201, begun
    assert (begun["name"], begun["folder"], begun["code"]) == (name, "team/copy", "")
    told = await events.wait(lambda data: ended(data, "cloned"))
    assert (told["workspace"], told["workspace_id"]) == ("team/copy", "")
    assert told["clone"] in await hubs.all()
    assert (jp_root_dir / "team/copy/data.csv").read_text() == "a,b\n1,2\n"
    status, sync = await hubs.api("v1/sync", path="team/copy")
    assert (sync["remote"]["name"], sync["ahead"], sync["behind"]) == (name, 0, 0)
    assert (await hubs.api("v1/status", path="team/copy"))[1]["status"] == "clean"
    # what is there already is not cloned over
    status, problem = await hubs.clone("team/copy")
    assert (status, problem["code"]) == (409, "exists")
    assert "pull in it" in problem["message"]
    assert await hubs.end(begun["id"]) == []
    assert await hubs.end("nothing") == []


async def test_what_cannot_be_is_said_before_anything_is_made(
    hubs: Hubs, jp_root_dir: Path, tmp_path: Path
) -> None:
    (jp_root_dir / "full").mkdir()
    (jp_root_dir / "full" / "notes.txt").write_text("mine")
    (jp_root_dir / "out").symlink_to(tmp_path)
    hubs.hub.project("somebody-else", "secret")
    Credentials().put(Login("http://127.0.0.1:9", "ada", "key"))
    for folder, address, status, code in (
        ("", "", 400, "invalid_request"),
        (" / ", "", 400, "invalid_request"),
        ("../escaped", "", 403, "forbidden_path"),
        ("out/there", "", 403, "forbidden_path"),
        (".hidden", "", 403, "forbidden_path"),
        ("full", "", 409, "exists"),
        ("full/notes.txt", "", 409, "exists"),
        ("new", " ", 400, "invalid_request"),
        ("new", hubs.address("none"), 404, "not_found"),
        ("new", f"{hubs.hub.url}/somebody-else/secret", 404, "not_found"),
        ("new", "https://nobody.example.org/x", 409, "not_logged_in"),
        ("new", "demo", 400, "invalid_url"),
        ("new", "http://127.0.0.1:9/x", 502, "offline"),
    ):
        found = await hubs.clone(folder, address)
        assert (found[0], found[1]["code"]) == (status, code), (folder, address, found)
        assert str(jp_root_dir) not in found[1]["message"]
    assert await hubs.all() == []
    assert sorted(os.listdir(jp_root_dir)) == ["full", "out"]
    assert os.listdir(jp_root_dir / "full") == ["notes.txt"]


class Slow:
    """A clone that waits at its first word about the progress, and what it was told then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self._clone = clones.clone
        monkeypatch.setattr(clones, "clone", self)

    def __call__(self, remote: Remote, folder: Path, **given: Any) -> Cloned:
        tell: Progress = given["progress"]

        def slow(done: int, total: int, what: str) -> None:
            tell(done, total, what)
            assert self.go_on.wait(20)
            tell(done, total, what)

        return self._clone(remote, folder, **given | {"progress": slow})


async def test_one_that_is_stopped_is_no_workspace_and_goes_on(
    hubs: Hubs, events: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    _, first = await hubs.clone("copy")
    await events.wait(lambda data: ended(data, "cloning") and data["clone"]["progress"])
    status, problem = await hubs.clone("copy")
    assert (status, problem["code"]) == (409, "busy")
    # it goes on, whoever asks meanwhile
    (under_way,) = await hubs.end(first["id"])
    assert (under_way["id"], under_way["state"]) == (first["id"], "cloning")
    slow.go_on.set()
    told = await events.wait(lambda data: ended(data, "stopped"))
    assert told["clone"]["message"] == "It was stopped."
    assert (await hubs.api("v1/workspace", path="copy"))[1]["workspace"] is None
    assert (jp_root_dir / "copy").is_dir()
    status, again = await hubs.clone("copy")
    assert (status, again["state"]) == (201, "cloning")
    await events.wait(lambda data: ended(data, "cloned"))
    # it is told of once
    assert [each["id"] for each in await hubs.all()] == [again["id"]]
    assert (await hubs.api("v1/workspace", path="copy"))[1]["workspace"]["head"]


async def test_what_goes_wrong_is_told_in_words(
    hubs: Hubs, events: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    await hubs.clone("copy")
    await events.wait(lambda data: ended(data, "cloning") and data["clone"]["progress"])
    # somebody puts a file where one of the project's is to be
    (jp_root_dir / "copy" / "data.csv").write_text("mine")
    slow.go_on.set()
    told = await events.wait(lambda data: ended(data, "failed"))
    assert told["state"] == "error"
    assert told["clone"]["code"] == "uncommitted_changes"
    assert "'data.csv'" in told["clone"]["message"]
    assert (jp_root_dir / "copy" / "data.csv").read_text() == "mine"
    assert Workspace.find(jp_root_dir / "copy") is None

    def broken(*_: Any, **__: Any) -> Cloned:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(clones, "clone", broken)
    _, begun = await hubs.clone("other")
    told = await events.wait(
        lambda data: ended(data, "failed") and data["clone"]["id"] == begun["id"]
    )
    assert told["clone"]["message"] == "It failed; the server's log says why."


async def test_a_server_that_stops_ends_it(
    hubs: Hubs, events: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    await hubs.clone("copy")
    await events.wait(lambda data: ended(data, "cloning") and data["clone"]["progress"])
    (app,) = jp_serverapp.extension_manager.extension_apps["dotscience_jupyter"]
    assert app.current_activity() == ["1 projects are being cloned"]
    threading.Timer(0.2, slow.go_on.set).start()
    before = time.monotonic()
    known = app.manager.clones
    await app.manager.stop()
    assert time.monotonic() - before < 8
    assert [each.state for each in known.all().items] == ["stopped"]
    with pytest.raises(clones.ApiError, match="stopping"):
        await asyncio.to_thread(
            known.begin,
            clones.models.CloneProject(address=hubs.address(), folder="more"),
            app.mapper(),
            "auto",
        )
    assert find_project(hubs.address()).name == f"{hubs.user}/demo"
