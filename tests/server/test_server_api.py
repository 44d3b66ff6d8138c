# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every address of the API, with a real engine behind it."""

from __future__ import annotations

import asyncio
import json

from dotscience_jupyter.api import openapi
from dotscience_jupyter.api.routes import ROUTES
from dotscience_jupyter.server.handlers import HANDLERS

VERBS = ("get", "head", "post", "put", "patch", "delete")


def test_every_route_has_a_handler_and_every_handler_a_route():
    declared = {(route.method.lower(), route.path) for route in ROUTES}
    served = {
        (verb, handler.path) for handler in HANDLERS for verb in VERBS if verb in vars(handler)
    }
    assert served - declared == {("head", "/v1/commits/{commit}/files/{file...}")}
    assert declared <= served


async def test_version_and_document(api):
    status, body = await api("v1/version")
    assert status == 200 and set(body) == {"version"}
    status, body = await api("v1/openapi.json")
    assert (status, body) == (200, openapi.document())


async def test_workspace(api, tracked):
    for path in ("project", "project/odd", "project/train.ipynb", "project/not/there"):
        status, body = await api("v1/workspace", path=path)
        found = body["workspace"]
        assert status == 200
        assert (found["path"], found["name"], found["engine"]) == ("project", "project", "embedded")
        assert (found["commits"], found["runs"], found["prefix"]) == (2, 1, "")
        assert found["id"] == tracked.workspace.id


async def test_no_workspace_is_an_answer_with_a_suggestion(api, jp_root_dir):
    (jp_root_dir / "repo" / ".git").mkdir(parents=True)
    (jp_root_dir / "repo" / "deep").mkdir()
    (jp_root_dir / "repo" / "deep" / "a.ipynb").touch()
    status, body = await api("v1/workspace", path="repo/deep/a.ipynb")
    assert (status, body["workspace"], body["suggested_path"]) == (200, None, "repo")
    (jp_root_dir / "plain").mkdir()
    _, body = await api("v1/workspace", path="plain")
    assert body["suggested_path"] == "plain"
    _, body = await api("v1/workspace", path="missing/folder")
    assert body["suggested_path"] is None and body["reason"]


async def test_without_a_workspace_there_is_nothing(api, jp_root_dir):
    for route in ROUTES:
        if not route.workspace or route.method != "GET" or not route.path.startswith("/v1"):
            continue
        filled = route.path.strip("/").replace("...}", "}")
        for name in ("commit", "run", "file", "name"):
            filled = filled.replace("{" + name + "}", "abcd")
        required = {param.name: "0" for param in route.query if param.required}
        status, body = await api(filled, **required)
        assert (status, body["code"]) == (404, "no_workspace"), route
    # the original's panel takes an error for a broken server
    status, body = await api("status")
    assert (status, body["status"]) == (200, "no-workspace")
    assert body["message"]
    assert await api("commits") == (200, [])
    status, body = await api("commit", method="PUT", description="x")
    assert (status, body["code"]) == (404, "no_workspace")


async def test_starting_to_track(api, jp_root_dir, events):
    (jp_root_dir / "new").mkdir()
    status, body = await api("v1/workspace", method="POST", body={"path": "new"})
    assert (status, body["path"], body["runs"]) == (201, "new", 0)
    assert (jp_root_dir / "new" / ".dotscience" / "workspace.json").is_file()
    event = await events.action("created")
    assert (event["workspace"], event["workspace_id"]) == ("new", body["id"])
    status, again = await api("v1/workspace", method="POST", body={"path": "new"})
    assert (status, again["id"]) == (200, body["id"])


async def test_what_cannot_be_tracked(api, jp_root_dir, monkeypatch):
    status, body = await api("v1/workspace", method="POST", body={"path": "missing"})
    assert (status, body["code"]) == (404, "not_found")
    monkeypatch.setenv("HOME", str(jp_root_dir))
    status, body = await api("v1/workspace", method="POST", body={"path": ""})
    assert (status, body["code"]) == (409, "refused")
    assert not (jp_root_dir / ".dotscience").exists()
    status, body = await api("v1/workspace", method="POST", body={"path": "", "force": True})
    assert (status, body["path"]) == (201, "")


async def test_status(api, tracked):
    status, body = await api("v1/status", path="project")
    assert (status, body["status"], body["changed_files"]) == (200, "clean", [])
    assert body["notebooks"] == {"train.ipynb": {"runs": 1}}
    tracked.write("data.csv", "a,b\n1,2\n3,4\n")
    tracked.write("odd/new\nline 2", "x")
    status, body = await api("v1/status", path="project", fresh=1)
    assert (status, body["status"]) == (200, "changed")
    changed = {item["filename"]: item["file_status"] for item in body["changed_files"]}
    assert changed == {"data.csv": "modified", "odd/new\nline 2": "added"}
    assert body["more_changed_files"] == 0


async def test_commits(api, tracked):
    status, body = await api("v1/commits", path="project")
    assert (status, body["total"], body["offset"]) == (200, 2, 0)
    newest, oldest = body["items"]
    assert newest["parents"] == [oldest["id"]]
    assert newest["runs"] == tracked.runs
    assert oldest["message"] == "raw data"
    _, page = await api("v1/commits", path="project", offset=1, limit=1)
    assert page["items"] == [oldest]
    for name in (newest["id"], newest["id"][:8], "HEAD"):
        status, detail = await api(f"v1/commits/{name}", path="project")
        assert (status, detail["id"]) == (200, newest["id"])
    assert detail["metadata"][f"run.{tracked.runs[0]}.parameters.lr"] == "0.1"
    status, body = await api("v1/commits/0000000000", path="project")
    assert (status, body["code"]) == (404, "not_found")


async def test_manual_commit(api, tracked, jp_base_url):
    tracked.write("data.csv", "changed")
    status, raw, headers = await api.raw(
        "v1/commits", method="POST", body={"description": "by me"}, path="project"
    )
    body = json.loads(raw)
    assert (status, body["commit"]["message"]) == (201, "by me")
    assert headers["Location"] == f"{jp_base_url}dotscience/v1/commits/{body['commit']['id']}"
    # Jupyter knows the token and no name: the commit is the folder's default author's
    with tracked.service() as service:
        assert body["commit"]["author"] == service.committer.author
    status, body = await api("v1/commits", method="POST", body={}, path="project")
    assert (status, body["commit"]) == (200, None)
    assert body["message"]


async def test_runs(api, tracked):
    second = tracked.publish("train.ipynb", description="second", summary={"accuracy": "0.5"})
    status, body = await api("v1/runs", path="project")
    assert (status, body["total"]) == (200, 2)
    assert [run["id"] for run in body["items"]] == [second, tracked.runs[0]]
    assert body["metrics"] == ["accuracy"] and body["parameters"] == ["lr"]
    first = body["items"][1]
    assert first["workload_file"] == "train.ipynb"
    assert first["seconds"] == 1.0
    assert first["started"] == "2024-01-02T03:04:05.000001Z"
    _, body = await api("v1/runs", path="project", sort="metrics.accuracy desc", limit=1)
    assert [run["id"] for run in body["items"]] == [tracked.runs[0]]
    _, body = await api("v1/runs", path="project", where="metrics.accuracy < 0.6")
    assert [run["id"] for run in body["items"]] == [second]
    _, body = await api("v1/runs", path="project", search="first")
    assert [run["id"] for run in body["items"]] == [tracked.runs[0]]


async def test_conditions_that_make_no_sense(api, tracked):
    for parameters in ({"where": "metrics. >"}, {"sort": "!"}):
        status, body = await api("v1/runs", path="project", **parameters)
        assert (status, body["code"]) == (400, "invalid_where")


async def test_run_detail(api, tracked):
    status, body = await api(f"v1/runs/{tracked.runs[0]}", path="project")
    assert status == 200
    (read,) = body["inputs"]
    (wrote,) = body["outputs"]
    assert (read["path"], read["size"], read["made_by"]) == ("data.csv", 8, None)
    assert len(read["version"]) == 64 and read["version"] != body["commit"]
    assert (wrote["path"], wrote["version"], wrote["made_by"]) == ("model.txt", None, None)
    assert body["models"] == ["m"]
    assert body["cell"]["index"] == 0
    status, body = await api("v1/runs/ffffffff", path="project")
    assert (status, body["code"]) == (404, "not_found")


async def test_lineage(api, tracked):
    second = tracked.publish("use.ipynb", input=["model.txt"])
    status, body = await api(f"v1/runs/{second[:13]}/lineage", path="project")
    assert (status, body["run"]) == (200, second)
    assert [node["run"]["id"] for node in body["nodes"]] == [second, tracked.runs[0]]
    assert body["nodes"][0]["inputs"][0]["made_by"] == tracked.runs[0]
    assert [source["path"] for source in body["sources"]] == ["data.csv"]


async def test_what_a_run_does_not_have(api, tracked):
    for path in ("series/loss", "series/a/b", "logs/x/stdout.log"):
        status, body = await api(f"v1/runs/{tracked.runs[0]}/{path}", path="project")
        assert (status, body["code"]) == (404, "not_found")


async def test_diff(api, tracked):
    tracked.write("data.csv", "changed")
    tracked.commit()
    status, body = await api("v1/diff", path="project", old="HEAD~1", new="HEAD")
    assert (status, body["total"]) == (200, 1)
    (item,) = body["items"]
    assert (item["path"], item["change"], item["kind"]) == ("data.csv", "modified", "file")
    assert (item["old_size"], item["new_size"]) == (8, 7)
    _, body = await api("v1/diff", path="project", old="HEAD~2", new="HEAD", offset=1, limit=1)
    assert len(body["items"]) == 1 and body["total"] == 3
    _, body = await api("v1/diff", path="project", old="HEAD~2", new="HEAD", under="odd")
    assert body["items"] == []


async def test_a_renamed_file_is_one_difference(api, tracked):
    (tracked.root / "model.txt").rename(tracked.root / "odd" / "model.txt")
    tracked.commit()
    _, body = await api("v1/diff", path="project", old="HEAD~1", new="HEAD")
    (item,) = body["items"]
    assert (item["change"], item["old_path"]) == ("renamed", "model.txt")
    assert (item["path"], item["old_size"], item["new_size"]) == ("odd/model.txt", 7, 7)
    # backwards as well
    _, body = await api("v1/diff", path="project", old="HEAD", new="HEAD~1")
    (item,) = body["items"]
    assert (item["old_path"], item["path"]) == ("odd/model.txt", "model.txt")
    _, body = await api("v1/diff", path="project", old="HEAD~2", new="HEAD~1")
    assert {item["old_path"] for item in body["items"]} == {None}


async def test_the_content_id_is_computed_on_request(api, tracked):
    _, body = await api("v1/commits/HEAD", path="project", content_id=1)
    computed = body["content_id"]
    assert len(computed) == 64
    _, body = await api("v1/commits/HEAD", path="project")
    assert body["content_id"] == computed
    _, other = await api("v1/commits/HEAD~1", path="project", content_id=1)
    assert other["content_id"] != computed


async def test_the_engine_tells_of_itself(api, tracked):
    """In a server it is told of changes, and what it puts off is done after a moment."""
    for _ in range(600):
        _, body = await api("v1/workspace", path="project")
        if body["workspace"]["engine_state"] == {"watching": True, "put_off": False}:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError(body)


async def test_usage(api, tracked):
    status, body = await api("v1/usage", path="project")
    assert (status, body["snapshots"], body["each"]) == (200, 2, [])
    assert body["stored_bytes"] > 0 and body["engine"] == "embedded"
    _, commits = await api("v1/commits", path="project")
    _, body = await api("v1/usage", path="project", each=1)
    assert [(item["snapshot"], item["commits"]) for item in body["each"]] == [
        (commit["snapshot"], [commit["id"]]) for commit in reversed(commits["items"])
    ]
    assert all(item["logical"] > 0 for item in body["each"])


async def test_clone(api, tracked, jp_root_dir):
    status, raw, headers = await api.raw(
        "v1/commits/HEAD~1/clone", method="POST", body={"to": "branch"}, path="project"
    )
    assert (status, json.loads(raw)) == (201, {"path": "branch"})
    assert headers["Location"].endswith("api/contents/branch")
    assert (jp_root_dir / "branch" / "odd" / "new\nline").read_text() == "odder"
    assert not (jp_root_dir / "branch" / "model.txt").exists()
    assert not (jp_root_dir / "branch" / ".dotscience").exists()
    (jp_root_dir / "empty").mkdir()
    for to, code in (
        ("branch", (409, "exists")),
        ("empty", (409, "exists")),
        ("project/data.csv", (409, "exists")),
        ("../out", (403, "forbidden_path")),
        ("project/.dotscience/x", (403, "forbidden_path")),
    ):
        status, body = await api(
            "v1/commits/HEAD/clone", method="POST", body={"to": to}, path="project"
        )
        assert (status, body["code"]) == code, to
    status, body = await api(
        "v1/commits/ffffffff/clone", method="POST", body={"to": "new"}, path="project"
    )
    assert (status, body["code"]) == (404, "not_found")
    assert not (jp_root_dir / "new").exists()


async def test_rollback(api, tracked, events):
    tracked.write("data.csv", "worked on")
    status, body = await api(
        "v1/commits/HEAD~1/rollback", method="POST", body={"confirm": True}, path="project"
    )
    assert status == 200
    assert (tracked.root / "data.csv").read_text() == "a,b\n1,2\n"
    assert not (tracked.root / "model.txt").exists()
    assert body["commit"]["message"].startswith("Went back to ")
    assert body["commit"]["parents"] == [body["before"]["id"]]
    before = body["before"]["id"]
    _, raw, _ = await api.raw(f"v1/commits/{before}/files/data.csv", path="project")
    assert raw == b"worked on"
    assert (await events.action("committed"))["workspace"] == "project"
    status, body = await api(
        "v1/commits/HEAD/rollback", method="POST", body={"confirm": True}, path="project"
    )
    assert (status, body["commit"]) == (200, None)
    assert "already" in body["message"]


async def test_nothing_is_rolled_back_unless_somebody_wants_it(api, tracked):
    for body in ({}, {"confirm": False}, {"confirm": "yes"}):
        status, answer = await api(
            "v1/commits/HEAD~1/rollback", method="POST", body=body, path="project"
        )
        assert (status, answer["code"]) == (400, "invalid_request"), body
    status, answer = await api(
        "v1/commits/ffffffff/rollback", method="POST", body={"confirm": True}, path="project"
    )
    assert (status, answer["code"]) == (404, "not_found")
    _, commits = await api("v1/commits", path="project")
    assert commits["total"] == 2
    assert (tracked.root / "model.txt").exists()


async def test_restore(api, tracked, jp_root_dir):
    tracked.write("data.csv", "changed")
    status, body = await api(
        "v1/commits/HEAD~1/restore", method="POST", body={"to": "back"}, path="project"
    )
    assert (status, body["path"]) == (201, "back")
    assert (jp_root_dir / "back" / "data.csv").read_text() == "a,b\n1,2\n"
    assert (jp_root_dir / "back" / "odd" / "new\nline").read_text() == "odder"
    assert not (jp_root_dir / "back" / "model.txt").exists()
    status, body = await api(
        "v1/commits/HEAD/restore",
        method="POST",
        body={"to": "some", "paths": ["odd", r"odd/\xff"]},
        path="project",
    )
    assert status == 201
    assert sorted(path.name for path in (jp_root_dir / "some").iterdir()) == ["odd"]


async def test_nothing_is_restored_over_work_or_elsewhere(api, tracked, jp_root_dir, tmp_path):
    (tmp_path / "outside").mkdir()
    (jp_root_dir / "link").symlink_to(tmp_path / "outside")
    for to, paths, status, code in (
        ("project", [], 409, "not_empty"),
        ("project/data.csv", [], 409, "exists"),
        ("../out", [], 403, "forbidden_path"),
        ("link/new", [], 403, "forbidden_path"),
        (".hidden", [], 403, "forbidden_path"),
        ("project/.dotscience/x", [], 403, "forbidden_path"),
        ("new", ["missing"], 404, "not_found"),
        ("new", ["../../etc"], 403, "forbidden_path"),
    ):
        got, body = await api(
            "v1/commits/HEAD/restore",
            method="POST",
            body={"to": to, "paths": paths},
            path="project",
        )
        assert (got, body["code"]) == (status, code), to
        assert str(tmp_path) not in json.dumps(body)
        assert not (jp_root_dir / "new").exists()
        assert not list((tmp_path / "outside").iterdir())


async def test_the_originals_addresses(api, tracked):
    status, body = await api("status", path="project")
    assert status == 200
    assert {"status", "error_detail", "changed_files", "unclaimed_files"} <= set(body)
    status, body = await api("commits", path="project")
    assert status == 200
    assert [set(item) for item in body] == [{"Id", "Metadata"}] * 2
    assert body[0]["Metadata"]["message"] == "raw data"
    metadata = body[1]["Metadata"]
    assert metadata["type"] == "dotscience.run.v1"
    assert json.loads(metadata["runs"]) == tracked.runs
    assert int(metadata["timestamp"]) > 1_500_000_000 * 10**9
    tracked.write("data.csv", "changed")
    status, body = await api("commit", method="PUT", path="project", description="héllo")
    assert (status, body["commit"]["message"]) == (200, "héllo")
    status, body = await api("commit", method="PUT", path="project")
    assert (status, body["code"]) == (400, "invalid_request")
    status, body = await api("commit", method="PUT", path="project", description="")
    assert (status, body["commit"]) == (200, None)


async def test_wrong_parameters(api, tracked):
    for name, value in (
        ("limit", "many"),
        ("limit", -1),
        ("limit", 10**9),
        ("offset", "1.5"),
        ("offset", ""),
    ):
        status, body = await api("v1/commits", path="project", **{name: value})
        assert (status, body["code"]) == (400, "invalid_request"), value
        assert name in body["message"]
    status, body = await api("v1/status", path="project", fresh="maybe")
    assert (status, body["code"]) == (400, "invalid_request")


async def test_wrong_bodies(api, tracked):
    for body in (b"{", b"[]", b"1", b'{"description": 1}', b'{"other": ""}', b'"\xff"'):
        status, answer = await api("v1/commits", method="POST", body=body, path="project")
        assert (status, answer["code"]) == (400, "invalid_request"), body
        assert "http" not in answer["message"]


async def test_missing_parameters(api, tracked):
    status, body = await api("v1/diff", path="project", old="HEAD")
    assert (status, body["code"]) == (400, "invalid_request")
    assert "'new'" in body["message"]


async def test_what_is_no_address_of_ours(api):
    for path in ("v1/nothing", "v2/runs", "", "v1/runs/a/b/c"):
        status, body = await api(path)
        assert (status, body["code"]) == (404, "not_found")
    status, body = await api("v1/runs", method="DELETE")
    assert (status, body["code"]) == (405, "method_not_allowed")
