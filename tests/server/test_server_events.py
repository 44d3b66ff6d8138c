# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From a save to the event: what the panel hears without asking."""

from __future__ import annotations

import asyncio
import json

import pytest
from server_helpers import notebook, run_text

from dotscience_jupyter.records import Workspace
from dotscience_jupyter.server.app import SCHEMA_FILE


async def test_a_saved_run_is_committed_and_told(api, save, events, tracked):
    run_id, text = run_text(description="hello", summary={"accuracy": "0.9"})
    await save("project/new.ipynb", notebook(text))
    event = await events.action("committed")
    assert (event["workspace"], event["workspace_id"]) == ("project", tracked.workspace.id)
    assert event["runs"] == [run_id]
    assert (event["total_runs"], event["state"]) == (1, "clean")
    _, body = await api("v1/runs", path="project")
    assert body["items"][0]["id"] == run_id
    assert event["head"] == body["items"][0]["commit"]
    assert body["items"][0]["workload_file"] == "new.ipynb"


async def test_a_first_run_makes_the_workspace(api, save, events, jp_root_dir):
    (jp_root_dir / "repo" / ".git").mkdir(parents=True)
    (jp_root_dir / "repo" / "deep").mkdir()
    (jp_root_dir / "repo" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    run_id, text = run_text()
    await save("repo/deep/a.ipynb", notebook(text))
    created = await events.action("created")
    committed = await events.action("committed")
    assert created["workspace"] == committed["workspace"] == "repo"
    assert committed["runs"] == [run_id]


async def test_notebooks_without_runs_make_no_workspace(save, events, jp_root_dir):
    (jp_root_dir / "plain").mkdir()
    await save("plain/a.ipynb", notebook("hello\n"))
    await save("plain/b.txt", "[[DOTSCIENCE-RUN:1]]")
    run_id, text = run_text()
    (jp_root_dir / "other").mkdir()
    await save("other/a.ipynb", notebook(text))
    await events.action("committed")
    assert not (jp_root_dir / "plain" / ".dotscience").exists()


async def test_a_home_folder_is_never_tracked_unasked(
    save, events, jp_root_dir, jp_serverapp, monkeypatch
):
    monkeypatch.setenv("HOME", str(jp_root_dir))
    _, text = run_text()
    await save("a.ipynb", notebook(text))
    (jp_root_dir / "project").mkdir()
    await save("project/a.ipynb", notebook(run_text()[1]))
    await events.action("committed")
    assert not (jp_root_dir / ".dotscience").exists()


class TestSwitchedOff:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        return jp_server_config | {"WorkspaceManager": {"create_on_publish": False, "watch": False}}

    async def test_only_what_is_tracked_is_committed(self, save, events, jp_root_dir, tracked):
        (jp_root_dir / "plain").mkdir()
        await save("plain/a.ipynb", notebook(run_text()[1]))
        run_id, text = run_text()
        await save("project/a.ipynb", notebook(text))
        event = await events.action("committed")
        assert event["runs"] == [run_id]
        assert not (jp_root_dir / "plain" / ".dotscience").exists()


async def test_commits_of_other_programs_are_told(api, events, tracked):
    await api("v1/status", path="project")
    tracked.write("data.csv", "from a terminal")
    commit = tracked.commit()
    event = await events.wait(lambda data: data["head"] == commit)
    assert event["action"] in ("committed", "status")


async def test_many_runs_are_counted_and_not_all_listed(save, events, tracked):
    texts = [run_text()[1] for _ in range(25)]
    await save("project/many.ipynb", notebook(*texts))
    event = await events.wait(lambda data: data["total_runs"] == 25)
    assert len(event["runs"]) == 20


async def test_a_broken_record_is_told_and_the_rest_works(api, save, events, tracked):
    run_id, text = run_text()
    broken = "[[DOTSCIENCE-RUN:abc]]{not json[[/DOTSCIENCE-RUN:abc]]\n"
    await save("project/a.ipynb", notebook(broken, text))
    event = await events.wait(lambda data: run_id in data["runs"])
    assert event["workspace"] == "project"
    await events.wait(lambda data: data["state"] == "error")
    _, body = await api("v1/status", path="project")
    (error,) = body["error_detail"]
    assert (error["type"], error["notebook"], error["cell"]) == ("json", "a.ipynb", 0)


async def test_renames_and_deletions_do_no_harm(api, jp_fetch, save, events, tracked):
    await save("project/a.ipynb", notebook(run_text()[1]))
    await events.action("committed")
    await jp_fetch(
        "api",
        "contents",
        "project/a.ipynb",
        method="PATCH",
        body=json.dumps({"path": "project/b.ipynb"}),
    )
    await jp_fetch("api", "contents", "project/b.ipynb", method="DELETE")
    await events.wait(lambda data: data["state"] == "changed")
    _, body = await api("v1/status", path="project", fresh=1)
    assert [item["filename"] for item in body["changed_files"]] == ["a.ipynb"]
    _, body = await api("v1/runs", path="project")
    assert body["total"] == 2


async def test_a_spool_that_was_written_while_nobody_watched(jp_serverapp, api, events, tracked):
    run_id, text = run_text()
    record = {"format": 1, "id": run_id, "run": json.loads(text.split("]]")[1].split("[[")[0])}
    record |= {"root": str(tracked.root), "source": {"kind": "script", "path": "a.py"}}
    tracked.workspace.spool.mkdir(exist_ok=True)
    (tracked.workspace.spool / f"{run_id}.json").write_text(json.dumps(record))
    app = jp_serverapp.extension_manager.extension_points["dotscience_jupyter"].app
    await app._start_jupyter_server_extension(jp_serverapp)
    event = await events.action("committed")
    assert event["runs"] == [run_id]


async def test_a_workspace_that_is_deleted_and_made_anew(api, tracked):
    import shutil

    _, body = await api("v1/workspace", path="project")
    first = body["workspace"]["id"]
    shutil.rmtree(tracked.root / ".dotscience")
    status, body = await api("v1/status", path="project")
    assert (status, body["code"]) == (404, "no_workspace")
    again = Workspace.create(tracked.root)
    _, body = await api("v1/workspace", path="project")
    assert body["workspace"]["id"] == again.id != first
    assert body["workspace"]["commits"] == 0


async def test_many_requests_at_once_open_one_workspace(api, tracked, jp_serverapp):
    answers = await asyncio.gather(*(api("v1/workspace", path="project") for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    app = jp_serverapp.extension_manager.extension_points["dotscience_jupyter"].app
    assert len(app.manager._opened) == 1


def test_the_schema_is_one_that_jupyter_takes():
    from jupyter_events import EventLogger

    logger = EventLogger()
    logger.register_event_schema(SCHEMA_FILE)
    assert "https://dotscience-jupyter.readthedocs.io/events/workspace/v1" in logger.schemas


async def test_a_commit_that_is_done_before_it_is_told_of_is_told_of_once(
    jp_serverapp, events, tracked
):
    """The event of 'committing' may be made when the commit is there already."""
    app = jp_serverapp.extension_manager.extension_points["dotscience_jupyter"].app
    app.manager.watch = False
    opened = await app.manager.get("project")
    run_id = tracked.publish("late.ipynb")
    for action in ("committing", "committed", "status"):
        opened.told(action)
    await events.wait(lambda data: data["action"] == "status")
    told = [(data["action"], data["runs"]) for data in events.heard]
    assert told == [("committing", []), ("committed", [run_id]), ("status", [])]
