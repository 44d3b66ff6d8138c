# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A file's versions and bringing one back, through a real server; as checkpoints, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from dotscience_jupyter.api import placing


async def test_the_versions_of_a_file(api: Any, tracked: Any) -> None:
    tracked.write("data.csv", "a,b\n3,4\n")
    second = tracked.commit("more data")
    status, found = await api("v1/history", path="project", file="data.csv")
    assert status == 200
    assert [(v["change"], v["message"]) for v in found["items"]][0] == ("modified", "more data")
    assert found["items"][0]["commit"] == second
    assert found["present"] == placing.digest_of(tracked.root / "data.csv")
    _, found = await api("v1/history", path="project", file="model.txt")
    assert [run["id"] for run in found["items"][0]["runs"]] == tracked.runs
    _, page = await api("v1/history", path="project", file="data.csv", offset="1", limit="1")
    assert (len(page["items"]), page["total"]) == (1, 2)


async def test_a_version_comes_back(api: Any, tracked: Any) -> None:
    tracked.write("data.csv", "not committed\n")
    shown = placing.digest_of(tracked.root / "data.csv")
    body = {"path": "data.csv", "expected": shown}
    address = "v1/commits/HEAD/bring-back"
    status, answer = await api(address, method="POST", path="project", body=body)
    assert (status, answer["path"]) == (200, "project/data.csv")
    assert (tracked.root / "data.csv").read_text() == "a,b\n1,2\n"
    with tracked.service() as service:
        _, reader = service.find_file(answer["before"], "data.csv")
        assert reader().read() == b"not committed\n"
    # the same once more: what is there is not what was shown
    status, problem = await api(address, method="POST", path="project", body=body)
    assert (status, problem["code"]) == (409, "changed")


async def test_expected_must_be_said(api: Any, tracked: Any) -> None:
    address = "v1/commits/HEAD/bring-back"
    status, _ = await api(address, method="POST", path="project", body={"path": "data.csv"})
    assert status == 400


async def test_a_scratch_copy(api: Any, tracked: Any) -> None:
    tracked.write("more.txt", "x")
    head = tracked.commit("again")
    body = {"path": "odd/ä b#?%.txt"}
    address = f"v1/commits/{head}/scratch-copy"
    status, answer, headers = await api.raw(address, method="POST", path="project", body=body)
    assert status == 201
    path = json.loads(answer)["path"]
    assert path == f"project/odd/ä b#?%-{head[:8]}.txt"
    assert "%23%3F%25" in headers["Location"]
    assert (tracked.root.parent / path).read_text() == "odd"


async def test_faults_are_told_without_paths_of_the_machine(
    api: Any, tracked: Any, jp_root_dir: Any
) -> None:
    for address, query, body in (
        ("v1/history", {"file": "../secret"}, None),
        ("v1/history", {"file": "missing"}, None),
        ("v1/commits/HEAD/bring-back", {}, {"path": "/etc/passwd", "expected": None}),
        (
            "v1/commits/HEAD/bring-back",
            {},
            {"path": "data.csv", "to": "../x.csv", "expected": None},
        ),
        ("v1/commits/HEAD/scratch-copy", {}, {"path": "link"}),
    ):
        method = "GET" if body is None else "POST"
        status, problem = await api(address, method=method, path="project", body=body, **query)
        assert 400 <= status < 500
        assert str(jp_root_dir) not in json.dumps(problem)


async def test_finding_files_can_be_switched_off(api: Any, tracked: Any, jp_serverapp: Any) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["dotscience_jupyter"]
    app.manager.observe_files = False
    await api("v1/workspace", path="project")
    opened = await app.manager.get("project")
    assert not opened.service.committer.observe_files


# checkpoints


class Checkpoints:
    """Requests to Jupyter's own addresses for checkpoints."""

    def __init__(self, fetch: Any) -> None:
        self._fetch = fetch

    async def __call__(self, path: str, id_: str = "", method: str = "GET") -> tuple[int, Any]:
        parts = ["api", "contents", *path.split("/"), "checkpoints", *([id_] if id_ else [])]
        options = {"allow_nonstandard_methods": True}
        try:
            response = await self._fetch(*parts, method=method, **options)
        except HTTPClientError as error:
            assert error.response is not None
            response = error.response
        return response.code, json.loads(response.body) if response.body else None


@pytest.fixture
def jp_server_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    config: dict[str, Any] = {"ServerApp": {"jpserver_extensions": {"dotscience_jupyter": True}}}
    if "checkpoints" in request.fixturenames:
        name = "dotscience_jupyter.server.checkpoints.DotscienceCheckpoints"
        config["ContentsManager"] = {"checkpoints_class": name}
    return config


@pytest.fixture
def checkpoints(jp_fetch: Any) -> Checkpoints:
    return Checkpoints(jp_fetch)


async def test_versions_are_listed_as_checkpoints(checkpoints: Checkpoints, tracked: Any) -> None:
    tracked.write("data.csv", "two\n")
    second = tracked.commit("more data")
    status, found = await checkpoints("project/data.csv")
    assert status == 200
    assert [each["id"] for each in found][-1] == second
    assert len(found) == 2
    assert found[0]["last_modified"] < found[1]["last_modified"]
    # Jupyter's own comes with them, by its time
    status, made = await checkpoints("project/data.csv", method="POST")
    assert (status, made["id"]) == (201, "checkpoint")
    _, found = await checkpoints("project/data.csv")
    assert {each["id"] for each in found[1:]} == {second, "checkpoint"}
    times = [each["last_modified"] for each in found]
    assert times == sorted(times)


async def test_going_back_to_a_checkpoint(checkpoints: Checkpoints, tracked: Any) -> None:
    _, (first,) = await checkpoints("project/data.csv")
    tracked.write("data.csv", "not committed\n")
    assert (await checkpoints("project/data.csv", first["id"], "POST"))[0] == 204
    assert (tracked.root / "data.csv").read_text() == "a,b\n1,2\n"
    with tracked.service() as service:
        messages = [commit.message for commit in service.commits(0, 2).items]
        assert [m.split()[0] for m in messages] == ["Brought", "Before"]
        _, reader = service.find_file("HEAD~1", "data.csv")
        assert reader().read() == b"not committed\n"
    # Jupyter's own, as always
    await checkpoints("project/data.csv", method="POST")
    tracked.write("data.csv", "x\n")
    assert (await checkpoints("project/data.csv", "checkpoint", "POST"))[0] == 204
    assert (tracked.root / "data.csv").read_text() == "a,b\n1,2\n"


async def test_a_version_from_before_a_renaming(checkpoints: Checkpoints, tracked: Any) -> None:
    (tracked.root / "model.txt").rename(tracked.root / "best.txt")
    tracked.commit("renamed")
    tracked.write("best.txt", "other")
    _, found = await checkpoints("project/best.txt")
    assert (await checkpoints("project/best.txt", found[0]["id"], "POST"))[0] == 204
    assert (tracked.root / "best.txt").read_text() == "weights"
    assert not (tracked.root / "model.txt").exists()


async def test_commits_are_not_deleted(
    checkpoints: Checkpoints, tracked: Any, jp_fetch: Any
) -> None:
    _, (first,) = await checkpoints("project/data.csv")
    status, problem = await checkpoints("project/data.csv", first["id"], "DELETE")
    assert status == 409
    assert "commits are kept" in problem["message"]
    assert (await checkpoints("project/data.csv", "f" * 64, "POST"))[0] == 404
    # files can be renamed and deleted all the same, and their own checkpoint goes along
    await checkpoints("project/data.csv", method="POST")
    await jp_fetch(
        "api",
        "contents",
        "project",
        "data.csv",
        method="PATCH",
        body=json.dumps({"path": "project/table.csv"}),
    )
    _, found = await checkpoints("project/table.csv")
    assert [each["id"] for each in found] == ["checkpoint"]
    await jp_fetch("api", "contents", "project", "table.csv", method="DELETE")
    assert not (tracked.root / "table.csv").exists()
    assert not (tracked.root / ".ipynb_checkpoints" / "table-checkpoint.csv").exists()


async def test_outside_of_workspaces_all_is_as_always(
    checkpoints: Checkpoints, jp_root_dir: Any, save: Any
) -> None:
    await save("plain.txt", "one")
    assert await checkpoints("plain.txt") == (200, [])
    assert (await checkpoints("plain.txt", method="POST"))[0] == 201
    await save("plain.txt", "two")
    assert [each["id"] for each in (await checkpoints("plain.txt"))[1]] == ["checkpoint"]
    assert (await checkpoints("plain.txt", "checkpoint", "POST"))[0] == 204
    assert (jp_root_dir / "plain.txt").read_text() == "one"
    assert (await checkpoints("plain.txt", "checkpoint", "DELETE"))[0] == 204
