# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace and its hub, through a real server and a real hub."""

from __future__ import annotations

import asyncio
import itertools
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from hub_world import PASSWORD, RunningHub, hub, hub_process

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.snapshots import Progress
from dotscience_jupyter.sync import (
    Credentials,
    Fetched,
    Login,
    Remote,
    RemoteStore,
    Sync,
    SyncError,
    clone,
)

_users = itertools.count()


class Project:
    """What the tests do with the workspace ``project``."""

    def __init__(self, api: Any, tracked: Any, running: RunningHub) -> None:
        self.api = api
        self.tracked = tracked
        self.hub = running
        self.user = f"user-{next(_users)}"  # whose projects are those of one test
        running.user(self.user)

    async def get(self) -> dict[str, Any]:
        status, found = await self.api("v1/sync", path="project")
        assert status == 200, found
        return dict(found)

    async def post(self, what: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        return await self.api(f"v1/sync/{what}", method="POST", path="project", body=body)

    async def done(self, what: str, body: Any = None) -> dict[str, Any]:
        status, found = await self.post(what, body)
        assert status == 200, found
        return found

    async def fetch(self) -> dict[str, Any]:
        """Fetch, and wait until that has ended, as the status tells."""
        return await self._taken("fetch", "fetched")

    async def pull(self) -> dict[str, Any]:
        """Pull, as :meth:`fetch`."""
        return await self._taken("pull", "pulled")

    async def _taken(self, what: str, told: str) -> dict[str, Any]:
        assert (await self.done(what))[told] is None
        deadline = time.monotonic() + 20
        while (found := (await self.get())[told]) is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        return dict(found)

    async def log_in(self) -> None:
        body = {"url": self.hub.url, "user": self.user, "password": PASSWORD}
        await self.done("login", body)

    async def connect(self) -> dict[str, Any]:
        await self.log_in()
        return await self.done("remote", {"url": self.hub.url, "name": "demo"})

    async def commit(self, name: str, text: str) -> str:
        self.tracked.write(name, text)
        status, found = await self.api(
            "v1/commits", method="POST", path="project", body={"description": name}
        )
        assert status == 201, found
        return str(found["commit"]["id"])

    def head_there(self) -> str:
        """The head of the only project that there is on the hub."""
        auth = self.hub.user(self.user)
        (project,) = self.hub.call("GET", "/api/v1/projects", auth).json()["items"]
        found = self.hub.call("GET", f"/api/v1/projects/{project['id']}/refs", auth).json()
        return str(found["refs"].get("HEAD", ""))

    async def arrived(self, commit: str) -> None:
        async with asyncio.timeout(60):
            while await asyncio.to_thread(self.head_there) != commit:
                await asyncio.sleep(0.05)

    def other(self, folder: Path, name: str, text: str) -> str:
        """Commit in another workspace of the project, and push that; return the commit."""
        auth = self.hub.user(self.user)
        (project,) = self.hub.call("GET", "/api/v1/projects", auth).json()["items"]
        credentials = Credentials(folder.with_suffix(".json"))
        credentials.put(Login(self.hub.url, *auth))
        remote = Remote(self.hub.url, project["id"], f"{self.user}/demo")
        if not folder.exists():
            clone(remote, folder, credentials=credentials)
        service = WorkspaceService.open(folder, author="bob")
        try:
            (folder / name).write_text(text)
            made = service.commit(f"other {name}").commit
            assert made is not None
            sync = Sync(service.workspace, service.records, service.engine, credentials=credentials)
            assert sync.push().state in ("published", "diverged")
            return made.id
        finally:
            service.close()


@pytest.fixture
def project(api: Any, tracked: Any, running: RunningHub) -> Project:
    return Project(api, tracked, running)


def settled(data: dict[str, Any]) -> bool:
    """Whether an event tells of a hub that has everything."""
    sync = data.get("sync") or {}
    return bool(
        data["action"] == "sync"
        and sync["remote"]
        and sync["activity"] == "idle"
        and sync["asked"]
        and not sync["ahead"]
    )


async def test_what_is_committed_is_sent_by_itself(project: Project, events: Any) -> None:
    before = await project.get()
    assert (before["supported"], before["remote"], before["activity"]) == (True, None, "idle")
    found = await project.connect()
    assert found["remote"]["name"] == f"{project.user}/demo"
    assert found["remote"]["user"] == project.user
    told = await events.wait(settled)
    assert told["workspace"] == "project"
    head = (await project.api("v1/commits", path="project"))[1]["items"][0]["id"]
    assert project.head_there() == head
    newer = await project.commit("more.txt", "more")
    await project.arrived(newer)
    # not one word about the hub was asked for in between
    await events.wait(lambda data: settled(data) and data["head"] == newer)
    activities = [data["sync"]["activity"] for data in events.heard if data["action"] == "sync"]
    assert "pushing" in activities
    assert (await project.get())["theirs"] == newer


async def test_who_the_user_is_stays_with_the_user(project: Project) -> None:
    assert await project.api("v1/sync/hubs") == (200, {"items": []})
    body = {"url": project.hub.url + "/", "user": project.user, "password": "not the password"}
    status, problem = await project.post("login", body)
    assert (status, problem["code"]) == (409, "unauthenticated")
    assert "not the password" not in str(problem)
    status, problem = await project.post("login", {"url": "ftp://somewhere", "user": "a"})
    assert (status, problem["code"]) == (400, "invalid_url")
    status, problem = await project.post("login", {"url": "http://127.0.0.1:1", "key": "x"})
    assert (status, problem["code"]) == (502, "offline")
    status, problem = await project.api("v1/sync/projects", url=project.hub.url)
    assert (status, problem["code"]) == (409, "not_logged_in")
    # with a key in place of a password
    key = project.hub.user(project.user)[1]
    login = await project.done("login", {"url": project.hub.url, "key": key})
    assert login == {"url": project.hub.url, "user": project.user, "exposed": False}
    assert await project.api("v1/sync/hubs") == (200, {"items": [login]})
    kept = Credentials().path
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert project.tracked.root not in kept.parents
    project.hub.project(project.user, "first")
    project.hub.project(project.user, "a second")
    _, found = await project.api("v1/sync/projects", url=project.hub.url)
    assert [each["name"] for each in found["items"]] == [
        f"{project.user}/a second",
        f"{project.user}/first",
    ]


async def test_logging_out_forgets_the_key(project: Project) -> None:
    await project.connect()
    status, problem = await project.post("logout", {"url": "ftp://somewhere"})
    assert (status, problem["code"]) == (400, "invalid_url")
    assert await project.done("logout", {"url": project.hub.url + "/"}) == {"items": []}
    key = project.hub.user(project.user)[1]
    assert key not in Credentials().path.read_text("utf-8")
    found = await project.get()
    # the workspace goes on to belong to its project, and nobody is logged in there
    assert (found["remote"]["name"], found["remote"]["user"]) == (f"{project.user}/demo", None)
    status, problem = await project.post("push")
    assert (status, problem["code"]) == (409, "not_logged_in")
    status, problem = await project.post("logout", {"url": project.hub.url})
    assert (status, problem["code"]) == (409, "not_logged_in")
    await project.log_in()
    assert (await project.done("push"))["state"] in ("published", "current")


async def test_which_project(project: Project) -> None:
    status, problem = await project.post("push")
    assert (status, problem["code"]) == (409, "no_remote")
    await project.log_in()
    url = project.hub.url
    for body, expected in (
        ({"url": url}, (400, "invalid_request")),
        ({"url": url, "project": "x", "name": "y"}, (400, "invalid_request")),
        ({"url": url, "project": "0" * 8}, (404, "not_found")),
        ({"url": "http://localhost:1", "name": "x"}, (409, "not_logged_in")),
    ):
        status, problem = await project.post("remote", body)
        assert (status, problem["code"]) == expected
    first = project.hub.project(project.user, "a b/c?#%")
    other = project.hub.project(project.user, "other")
    found = await project.done("remote", {"url": url, "project": first})
    assert (found["remote"]["project"], found["remote"]["name"]) == (
        first,
        f"{project.user}/a b/c?#%",
    )
    # again, by its name
    found = await project.done("remote", {"url": url, "name": "a b/c?#%"})
    assert found["remote"]["project"] == first
    status, problem = await project.post("remote", {"url": url, "project": other})
    assert (status, problem["code"]) == (409, "exists")
    found = await project.done("disconnect")
    assert found["remote"] is None
    status, problem = await project.post("disconnect")
    assert (status, problem["code"]) == (409, "no_remote")
    found = await project.done("remote", {"url": url, "project": other})
    assert found["remote"]["project"] == other
    head = (await project.api("v1/commits", path="project"))[1]["items"][0]["id"]
    refs = f"/api/v1/projects/{other}/refs"
    async with asyncio.timeout(30):
        while project.hub.call("GET", refs, project.hub.user(project.user)).json()["refs"] != {
            "HEAD": head
        }:
            await asyncio.sleep(0.05)


async def test_commits_of_others_come_and_go_on(
    project: Project, events: Any, tmp_path: Path
) -> None:
    await project.connect()
    assert (await project.done("push"))["state"] in ("published", "current")
    await events.wait(settled)
    theirs = await asyncio.to_thread(project.other, tmp_path / "other", "theirs.txt", "theirs")
    assert (await project.get())["behind"] == 0
    found = await project.fetch()
    assert (found["state"], found["commits"], found["head"]) == ("fetched", 1, theirs)
    assert not (project.tracked.root / "theirs.txt").exists()
    state = await project.get()
    assert (state["ahead"], state["behind"], state["theirs"]) == (0, 1, theirs)
    events.heard.clear()
    found = await project.pull()
    assert (found["state"], found["commits"]) == ("pulled", 1)
    assert (project.tracked.root / "theirs.txt").read_text() == "theirs"
    told = await events.action("committed")
    assert told["head"] == theirs
    await events.wait(lambda data: settled(data) and not data["sync"]["behind"])
    assert (await project.pull())["state"] == "current"
    assert (await project.api("v1/status", path="project"))[1]["status"] == "clean"


async def test_nothing_is_overwritten(project: Project, events: Any, tmp_path: Path) -> None:
    await project.connect()
    await events.wait(settled)
    theirs = await asyncio.to_thread(project.other, tmp_path / "other", "data.csv", "theirs")
    project.tracked.write("data.csv", "mine")
    failed = await project.pull()
    assert (failed["state"], failed["code"]) == ("failed", "uncommitted_changes")
    assert "data.csv" in failed["message"]
    assert (await project.get())["error"] == ""  # the hub is all right
    assert (project.tracked.root / "data.csv").read_text() == "mine"
    await project.commit("data.csv", "mine")
    await events.wait(lambda data: data["action"] == "sync" and data["sync"]["diverged"])
    found = await project.done("push")
    assert (found["state"], found["head"]) == ("diverged", theirs)
    failed = await project.pull()
    assert (failed["state"], failed["code"]) == ("failed", "diverged")
    state = await project.get()
    assert (state["diverged"], state["ahead"], state["behind"]) == (True, 1, 1)
    assert state["theirs"] == theirs
    assert (project.tracked.root / "data.csv").read_text() == "mine"


async def test_both_sides_are_brought_together(
    project: Project, events: Any, tmp_path: Path
) -> None:
    await project.connect()
    await events.wait(settled)
    theirs = await asyncio.to_thread(project.other, tmp_path / "other", "theirs.txt", "theirs")
    await project.commit("mine.txt", "mine")
    told = await events.wait(lambda data: data["action"] == "sync" and data["sync"]["diverged"])
    assert told["sync"]["newer"]  # it was only seen, not fetched
    await project.fetch()
    state = await project.get()
    assert (state["ahead"], state["behind"], state["theirs"]) == (1, 1, theirs)
    for what, body in (("merge", {"theirs": theirs}), ("merge/finish", {"description": "both"})):
        status, found = await project.api(f"v1/{what}", method="POST", path="project", body=body)
        assert status in (200, 201), found
    assert (project.tracked.root / "theirs.txt").read_text() == "theirs"
    assert (project.tracked.root / "mine.txt").read_text() == "mine"
    head = (await project.api("v1/commits", path="project"))[1]["items"][0]["id"]
    await project.arrived(head)
    await events.wait(
        lambda data: settled(data) and data["head"] == head and not data["sync"]["diverged"]
    )


async def test_how_far_it_has_come_is_told(project: Project) -> None:
    Credentials().put(Login(project.hub.url, *project.hub.user(project.user)))
    remote = Remote(
        project.hub.url, project.hub.project(project.user, "demo"), f"{project.user}/demo"
    )
    RemoteStore(project.tracked.workspace.folder).put(remote)
    told = []
    with project.tracked.service() as service:
        service.sync.listen(lambda: told.append(service.sync.status()))
        assert await asyncio.to_thread(service.sync.push)
        assert service.sync.stop()
    assert [each.activity for each in told] == ["pushing", "pushing", "idle"]
    assert [each.ahead for each in told] == [2, 2, 0]
    moved = [each.progress.done if each.progress else None for each in told]
    assert (moved[0], moved[2]) == (None, None)
    assert 1_000_000 < moved[1] < 1_200_000


async def test_what_waited_is_sent_when_the_workspace_is_opened(project: Project) -> None:
    Credentials().put(Login(project.hub.url, *project.hub.user(project.user)))
    remote = Remote(
        project.hub.url, project.hub.project(project.user, "demo"), f"{project.user}/demo"
    )
    RemoteStore(project.tracked.workspace.folder).put(remote)
    project.tracked.write("offline.txt", "made without a server")
    head = project.tracked.commit()
    assert project.head_there() == ""
    await project.get()
    await project.arrived(head)


@pytest.mark.parametrize(
    "jp_server_config",
    [
        {
            "ServerApp": {"jpserver_extensions": {"dotscience_jupyter": True}},
            "WorkspaceManager": {"push_to_hub": False},
        }
    ],
)
async def test_only_when_asked_where_that_is_configured(project: Project, events: Any) -> None:
    await project.connect()
    head = await project.commit("more.txt", "more")
    await events.action("committed")
    assert project.head_there() == ""
    found = await project.done("push")
    assert (found["state"], found["head"]) == ("published", head)
    assert project.head_there() == head


async def test_a_hub_that_says_nothing_keeps_no_server_from_stopping(
    api: Any, tracked: Any, jp_serverapp: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        Credentials().put(Login(url, "alice", "key"))
        remote = Remote(url, "0a" * 16, "alice/demo")
        RemoteStore(tracked.workspace.folder).put(remote)
        asked = asyncio.create_task(api("v1/sync/push", method="POST", path="project"))
        async with asyncio.timeout(20):
            while True:
                _, found = await api("v1/sync", path="project")
                if found["activity"] == "pushing":
                    break
        extension = jp_serverapp.extension_manager.extension_apps["dotscience_jupyter"]
        (app,) = extension
        before = time.monotonic()
        await app.manager.stop()
        assert time.monotonic() - before < 8
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


@pytest.mark.slow
async def test_a_hub_that_is_away_for_long(
    api: Any, tracked: Any, events: Any, tmp_path: Path
) -> None:
    with hub(tmp_path) as first:
        project = Project(api, tracked, first)
        await project.connect()
        await events.wait(settled)
    await project.commit("one.txt", "1")
    head = await project.commit("two.txt", "2")
    told = await events.wait(lambda each: bool(each.get("sync")) and each["sync"]["ahead"] == 2)
    told = await events.wait(
        lambda each: (
            each["action"] == "sync"
            and each["sync"]["activity"] == "idle"
            and each["sync"]["code"] == "offline"
            and each["sync"]["ahead"] == 2
        )
    )
    assert told["sync"]["retries"]
    assert "Nothing is lost" in told["sync"]["error"]
    status, problem = await project.post("push")
    assert (status, problem["code"]) == (502, "offline")
    events.heard.clear()
    with hub_process(first.data, port=first.port) as again:
        project.hub = RunningHub(again.url, first.data, _users=first._users)
        # nobody asks for it
        told = await events.wait(settled)
        assert (told["sync"]["error"], told["head"]) == ("", head)
        assert project.head_there() == head


@pytest.mark.parametrize(("what", "activity", "told"), [
    ("fetch", "fetching", "fetched"), ("pull", "pulling", "pulled"),
])  # fmt: skip
async def test_taking_that_takes_long_holds_up_nobody(
    project: Project, events: Any, what: str, activity: str, told: str
) -> None:
    status, problem = await project.post(what)
    assert (status, problem["code"]) == (409, "no_remote")
    await project.connect()
    await events.wait(settled)
    slow = threading.Event()

    def came(data: dict[str, Any]) -> str:
        return str(((data.get("sync") or {}).get(told) or {}).get("state"))

    with pytest.MonkeyPatch.context() as patch:
        take = getattr(Sync, what)

        def waiting(self: Sync, progress: Progress | None = None) -> Fetched:
            assert slow.wait(20)
            return cast(Fetched, take(self, progress))

        patch.setattr(Sync, what, waiting)
        events.heard.clear()
        begun = await project.done(what)
        assert (begun["activity"], begun[told]) == (activity, None)
        assert (await project.done(what))["activity"] == activity  # it is the same one
        await events.wait(lambda data: data["action"] == "sync" and came(data) == "None")
        slow.set()
        await events.wait(lambda data: came(data) == "current")
        patch.setattr(Sync, what, failing)
        await project.done(what)
        found = await events.wait(lambda data: came(data) == "failed")
    assert found["sync"][told]["code"] == "busy"
    assert found["sync"][told]["message"] == "Somebody else is at it."
    assert (found["sync"]["error"], found["sync"]["activity"]) == ("", "idle")


def failing(self: Sync, progress: Progress | None = None) -> Fetched:
    raise SyncError("busy", "Somebody else is at it.")
