# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One API, two hosts: a hub tells of a project what the workspace's own server tells of it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import hub

sys.path.append(str(Path(__file__).parents[1] / "sync"))

from sync_world import Site, World

from dotscience_jupyter.api.models import Body

SCRIPT = """
import dotscience as ds
ds.parameter("rate", 0.1)
for step in range(30):
    ds.metric("loss", 1 / (step + 1), step=step)
with open(ds.output("model <b>.bin"), "wb") as file:
    file.write(bytes(300_000))
print("it is done")
ds.publish("trained")
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Site]]:
    """A project and the workspace that it came from: two commits, the second one with a run."""
    base = tmp_path_factory.mktemp("both")
    with hub(base) as running:
        world = World(running, base)
        site = world.site("site")
        site.commit({"train.py": SCRIPT, "data/raw.csv": "1,2\n"})
        status, committed = site.service.committer.run_command(
            [sys.executable, "train.py"], stdout=io.BytesIO(), stderr=io.BytesIO(), cwd=site.root
        )
        assert (status, len(committed.runs)) == (0, 1)
        site.sync.push()
        yield world, site
        world.close()


def asked(world: World, path: str) -> Any:
    answer = world.hub.call(
        "GET", f"/api/v1/projects/{world.project}{path}", world.hub.user("alice")
    )
    assert answer.status == 200, (path, answer.body)
    return answer.json()


def told(body: Body) -> Any:
    return json.loads(body.model_dump_json())


def test_both_tell_the_same(both: tuple[World, Site]) -> None:
    world, site = both
    service = site.service
    run = service.runs().items[0].id
    first, second = (commit.id for commit in reversed(service.commits().items))
    log = service.run(run).logs[0].name
    for path, here in (
        ("/runs?sort=metrics.loss", service.runs(sort="metrics.loss")),
        (f"/runs/{run}", service.run(run)),
        (f"/runs/{run[:8]}", service.run(run)),
        (f"/runs/{run}/series/loss?points=5", service.series(run, "loss", 5)),
        (f"/runs/{run}/logs/{log}?tail=7", service.log(run, log, 7)),
        (f"/runs/{run}/lineage", service.lineage(run)),
        ("/commits", service.commits()),
        ("/commits/HEAD", service.commit_detail("HEAD")),
        (f"/commits/{first[:12]}/files?under=data", service.files(first, "data")),
        (f"/diff?old={first}&new={second}", service.diff(first, second)),
    ):
        assert asked(world, path) == told(here), path
    assert asked(world, f"/diff?old={first}&new={second}")["items"][0]["path"] == "model <b>.bin"


def test_a_file_is_sent_as_bytes_that_no_browser_runs(both: tuple[World, Site]) -> None:
    world, _ = both
    path = f"/api/v1/projects/{world.project}/commits/HEAD/files"
    answer = world.hub.call("GET", f"{path}/model%20%3Cb%3E.bin", world.hub.user("alice"))
    assert (answer.status, answer.body) == (200, bytes(300_000))
    assert (
        answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''model%20%3Cb%3E.bin"
    )
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "<" not in answer.headers["Content-Disposition"]
    for wrong, status in (("data", 400), ("nothing", 404), ("../records.db", 403)):
        assert world.hub.call("GET", f"{path}/{wrong}", world.hub.user("alice")).status == status


def test_what_is_wrong_is_said(both: tuple[World, Site]) -> None:
    world, _ = both
    path = f"/api/v1/projects/{world.project}"
    for wrong, status in (
        ("/runs/none", 404),
        ("/runs?where=%3C", 400),
        ("/commits/none", 404),
        ("/diff?old=HEAD", 400),
        ("/runs/none/series/loss?points=many", 400),
    ):
        answer = world.hub.call("GET", path + wrong, world.hub.user("alice"))
        assert answer.status == status, (wrong, answer.body)
        assert answer.json()["message"]
