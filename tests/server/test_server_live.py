# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs under way, as a browser sees them: from their start to their end, however that is."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dotscience

PROGRAM = """
import sys; sys.path.insert(0, {library!r})
import dotscience as ds
ds.start("<script>alert(1)</script>")
ds.param("lr", 0.1)
ds.label("stage", "dev")
for step in range(1000):
    ds.metric("loss", 1 / (step + 1), step=step)
for line in sys.stdin:
    ds.publish()
"""


@pytest.fixture
def program(tracked: Any) -> Iterator[subprocess.Popen[str]]:
    (tracked.root / "train.py").write_text(
        PROGRAM.format(library=str(Path(dotscience.__file__).parents[1]))
    )
    process = subprocess.Popen(
        [sys.executable, "train.py"],
        cwd=tracked.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


async def live_run(api: Any, matches: Any = bool) -> dict[str, Any]:
    """The one run that is under way, once it is as it should be."""

    async def search() -> dict[str, Any]:
        while True:
            status, body = await api("v1/live", path="project")
            assert status == 200
            for item in body["items"]:
                if matches(item):
                    return item
            await asyncio.sleep(0.05)

    return await asyncio.wait_for(search(), 60)


async def test_a_run_shows_while_it_goes_on_and_is_recorded_when_published(
    api, events, tracked, program
):
    await api("v1/status", path="project")
    event = await events.action("live")
    assert (event["workspace"], event["runs"]) == ("project", [])
    run = await live_run(api, lambda item: item["series"] and item["series"][0]["count"] == 1000)
    assert run["state"] == "running"
    assert run["description"] == "<script>alert(1)</script>"
    assert run["workload_file"] == "train.py"
    assert run["parameters"] == {"lr": 0.1}
    assert run["metrics"] == {"loss": 0.001}
    assert run["labels"] == {"stage": "dev"}
    assert run["series"] == [{"name": "loss", "count": 1000, "last": 0.001, "step": 999.0}]
    ids = json.dumps([run["id"], tracked.runs[0]])
    _, body = await api("v1/overlay", path="project", name="loss", runs=ids, points=100)
    (series,) = body["items"]
    assert (series["run"], series["live"], series["count"]) == (run["id"], True, 1000)
    assert len(series["steps"]) <= 100
    assert (series["values"][0], series["values"][-1]) == (1.0, 0.001)
    status, body = await api(f"v1/live/{run['id']}/abandon", method="POST", path="project")
    assert (status, body["code"]) == (409, "conflict")
    program.stdin.write("publish\n")
    program.stdin.flush()
    event = await events.action("committed")
    assert event["runs"] == [run["id"]]
    _, body = await api("v1/live", path="project")
    assert body["items"] == []
    _, body = await api("v1/overlay", path="project", name="loss", runs=ids)
    assert [(item["live"], item["count"]) for item in body["items"]] == [(False, 1000)]


async def test_a_run_whose_process_was_killed_is_abandoned(api, events, tracked, program):
    await api("v1/status", path="project")
    run = await live_run(api, lambda item: item["series"] and item["series"][0]["count"] == 1000)
    program.send_signal(signal.SIGKILL)
    run = await live_run(api, lambda item: item["state"] == "gone")
    status, body = await api(f"v1/live/{run['id']}/abandon", method="POST", path="project")
    assert status == 200
    assert body == {"run": run["id"], "message": "The run is recorded as failed."}
    event = await events.wait(lambda data: run["id"] in data["runs"])
    assert event["action"] == "committed"
    status, detail = await api(f"v1/runs/{run['id']}", path="project")
    assert status == 200
    assert (detail["status"], detail["authority"]) == ("failed", "workload")
    assert detail["error"] == "The process ended before the run was published."
    assert detail["workload_file"] == "train.py"
    assert detail["parameters"] == {"lr": 0.1}
    assert detail["series"] == [{"name": "loss", "count": 1000}]
    assert detail["environment"]["packages"]
    _, body = await api("v1/live", path="project")
    assert body["items"] == []
    status, body = await api(f"v1/live/{run['id']}/abandon", method="POST", path="project")
    assert (status, body["code"]) == (404, "not_found")


async def test_no_such_run(api, tracked):
    _, body = await api("v1/live", path="project")
    assert body == {"items": []}
    for name in ("nobody", "..%2F..%2Fworkspace", "x" * 500):
        status, body = await api(f"v1/live/{name}/abandon", method="POST", path="project")
        assert (status, body["code"]) == (404, "not_found")
