# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A dataset and a workspace that uses it, from one machine over a hub to another one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dataset_world import put
from hub_world import RunningHub, hub

from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.sync import Credentials, list_projects

SCRIPT = """
import dotscience as ds
text = open(ds.input("datasets/iris/a.csv")).read()
with open(ds.output("datasets/iris/b.csv"), "w") as file:
    file.write(text * 2)
ds.publish("doubled")
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    with hub(tmp_path) as found:
        yield found


class Machine:
    """A user's machine: datasets and logins of its own."""

    def __init__(self, base: Path, running: RunningHub) -> None:
        self.base = base
        base.mkdir()
        self.env = {
            "JUPYTER_DATA_DIR": str(base / "data"),
            "JUPYTER_CONFIG_DIR": str(base / "cfg"),
            "DOTSCIENCE_PUSH": "0",
        }
        _, key = running.user("alice")
        self.json(".", "login", running.url, "--key-stdin", given=f"{key}\n")

    def ds(self, folder: str, *arguments: str, given: str | None = None) -> Any:
        place = ["-C", str(self.base / folder)]
        return CliRunner().invoke(cli, [*place, *arguments], env=self.env, input=given)

    def json(self, folder: str, *arguments: str, given: str | None = None) -> Any:
        result = self.ds(folder, "--json", *arguments, given=given)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def test_from_one_machine_to_another(running: RunningHub, tmp_path: Path) -> None:
    one = Machine(tmp_path / "one", running)
    put(one.base, "work/train.py", SCRIPT)
    one.json("work", "init", ".")
    put(one.base, "raw/a.csv", "1,2")
    made = one.json(".", "dataset", "create", "iris", "raw")
    one.json("work", "dataset", "attach", "iris", "--write")
    script = str(one.base / "work/train.py")
    assert one.ds("work", "run", "--", sys.executable, script).exit_code == 0
    # a project and a dataset of one name are two things
    one.json("work", "remote", "add", "--create", "hub:iris")
    pushed = one.ds("work", "push")
    assert "the dataset iris belongs to no hub" in pushed.output
    one.json("raw", "remote", "add", "--create", "hub:iris")
    (waiting,) = one.json("work", "push")["datasets"]
    assert (waiting["name"], waiting["commits"]) == ("iris", 2)
    assert "2 versions that its hub lacks" in one.ds("work", "push").output
    one.json("raw", "push")
    assert one.json("work", "push")["datasets"] == []
    answer = running.call("GET", "/api/v1/projects", running.user("alice"))
    assert sorted((p["name"], p["kind"]) for p in answer.json()["items"]) == [
        ("iris", "dataset"),
        ("iris", "project"),
    ]
    logins = Credentials(one.base / "cfg/dotscience-hubs.json")
    (project,) = list_projects(running.url, credentials=logins)
    assert project.name == "alice/iris" and running.url in str(project)
    # now the workspace can say where the dataset is to be had
    (attached,) = one.json("work", "dataset", "attach")["items"]
    assert attached["remote"] == f"{running.url}/alice/iris"
    assert one.ds("work", "commit", "-m", "attached").exit_code == 0
    one.json("work", "push")

    two = Machine(tmp_path / "two", running)
    two.json(".", "clone", "hub:iris", "work")
    assert not (two.base / "work/datasets/iris").exists()
    (again,) = two.json("work", "dataset", "attach")["items"]
    assert (again["id"], again["mode"]) == (made["id"], "write")
    assert (two.base / "work/datasets/iris/b.csv").read_text() == "1,21,2"
    runs = {run["description"]: run["id"] for run in two.json("work", "runs")["items"]}
    detail = two.json("work", "show", runs["doubled"])
    assert [each["direction"] for each in detail["datasets"]] == ["input", "output"]
    assert detail == one.json("work", "show", runs["doubled"])
    # a version of one machine is pinned on the other
    put(one.base, "raw/c.csv", "3")
    newer = one.json(".", "dataset", "commit", "iris")["commit"]["id"]
    one.json("raw", "push")
    pinned = two.json("work", "dataset", "attach", f"iris@{newer}")
    assert pinned["version"] == newer
    assert (two.base / "work/datasets/iris/c.csv").read_text() == "3"
    # and a dataset alone, by its address
    other = Machine(tmp_path / "three", running)
    (other.base / "use").mkdir()
    other.json("use", "init", ".")
    there = other.json("use", "dataset", "attach", "hub:iris", "in", "--as", "flowers")
    assert (there["id"], there["name"]) == (made["id"], "flowers")
    assert (other.base / "use/in/c.csv").exists()
    # what arrived is whole
    for place in ("work", "data/dotscience/datasets/iris"):
        records = Records.open(Workspace.at(two.base / place).database_url)
        assert records.verify() == []
        records.close()
