# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Our own library's ``ds.connect`` against a real hub, in programs of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from blake3 import blake3
from hub_world import RunningHub

CHECKOUT = Path(__file__).parents[2]

TRAIN = """
import dotscience as ds
ds.connect({user!r}, {key!r}, "Tumours", {url!r})
ds.start("first \\u00e9")
open(ds.input("data.csv")).read()
ds.parameter("depth", 3)
for step in range(50):
    ds.metric("loss", 1 / (step + 1), step=step)
ds.metric("accuracy", 0.9)
import os, types
os.makedirs("model/1", exist_ok=True)
open("model/1/saved", "w").write("weights")
open("model/classes.json", "w").write("{{}}")
open(ds.output("report b#.txt"), "w").write("report")
kind = types.ModuleType("sklearn"); kind.__version__ = "1.9"
ds.output("model")
ds.model(kind, "tumours", "model", classes="model/classes.json")
ds.publish()
"""


def program(
    folder: Path, text: str, hub: RunningHub, **more: Any
) -> subprocess.CompletedProcess[str]:
    user, key = hub.user("ada")
    folder.mkdir(exist_ok=True)
    (folder / "data.csv").write_text("a,b\n1,2\n")
    given = {"user": user, "key": key, "url": hub.url, **more}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DOTSCIENCE_")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "no_proxy": "*", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", text.format(**given)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_run_from_anywhere_with_all_that_is_known_of_it(
    running: RunningHub, tmp_path: Path
) -> None:
    done = program(tmp_path / "work", TRAIN, running)
    assert (done.returncode, done.stderr) == (0, "")
    found = re.fullmatch(
        r"Checking connection... connected!\n"
        r"Run published: (\S+)/project/(\S+)/runs/metric/(\S+)\n",
        done.stdout,
    )
    assert found and found[1] == running.url
    project, run = found[2], found[3]
    ada = running.user("ada")
    [listed] = running.call("GET", f"/api/v1/projects/{project}/runs", ada).json()["items"]
    assert listed["id"] == run
    assert listed["description"] == "first \xe9"
    assert listed["parameters"] == {"depth": 3}
    assert float(listed["metrics"]["accuracy"]) == 0.9

    assert running.services is not None
    info = running.services.projects.get(project)
    with running.services.projects.open(info) as opened:
        whole = opened.records.get_run(run)
        steps, values, _ = opened.records.series(run, "loss")
        assert (steps[:2], values[:2], len(values)) == ([0.0, 1.0], [1.0, 0.5], 50)
        assert whole.environment is not None
        assert whole.environment.document["python"]["version"].startswith("3.")
        [read] = [file for file in whole.files if file.direction == "input"]
        assert read.path == "data.csv"
        assert read.digest == blake3(b"a,b\n1,2\n").hexdigest()
        wrote = {file.path for file in whole.files if file.direction == "output"}
        assert wrote == {"model/1/saved", "model/classes.json", "report b#.txt"}
        types = {value.name: value.type for value in whole.values}
        assert (types["depth"], types["accuracy"]) == ("int", "float")
        # the files are where the commit says
        head = whole.commit_id
        for name, content in {
            "model/1/saved": b"weights",
            "model/classes.json": b"{}",
            "report b#.txt": b"report",
        }.items():
            with opened.open(head, name) as file:
                assert file.read() == content
        assert opened.records.verify() == []
    [model] = running.call("GET", "/v2/models", ada).json()
    assert model["run_id"] == run


def test_what_cannot_be_published_is_kept(running: RunningHub, tmp_path: Path) -> None:
    text = """
import dotscience as ds
ds.connect({user!r}, {key!r}, "P", {url!r})
ds.start("again")
ds.metric("a", 1)
ds.output("missing.txt")
try:
    ds.publish()
except OSError as error:
    print("no", error.filename)
open("missing.txt", "w").write("x")
ds.publish()
try:
    ds._defaultDS.publish(build=True)
except ds.HubError as error:
    print(error)
"""
    done = program(tmp_path / "work", text, running)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith("no ") and lines[1].endswith("missing.txt")
    assert lines[2].startswith("Run published")
    assert "no model of it" in lines[-1]
    [project] = running.call("GET", "/v2/projects", running.user("ada")).json()
    answer = running.call("GET", f"/api/v1/projects/{project['id']}/runs", running.user("ada"))
    assert [run["metrics"] for run in answer.json()["items"]] == [{"a": 1}, {"a": 1}]


def test_errors_are_told_in_words(running: RunningHub, tmp_path: Path) -> None:
    text = """
import dotscience as ds
for url in [{url!r}, "http://127.0.0.1:9", "nonsense"]:
    try:
        ds.connect("ada", "wrong", "P", url)
    except ds.HubError as error:
        print("said:", error)
ds.remote()
try:
    ds.publish()
except ds.HubError as error:
    print("said:", error)
"""
    done = program(tmp_path / "work", text, running)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("said:")]
    for line, words in zip(
        said,
        ["does not know this user", "could not be reached", "not the address", "not connected"],
        strict=True,
    ):
        assert words in line
    assert "Traceback" not in done.stderr


def test_a_block_that_fails_is_published_as_failed(running: RunningHub, tmp_path: Path) -> None:
    text = """
import dotscience as ds
ds.connect({user!r}, {key!r}, "P", {url!r})
with ds.run("dies"):
    ds.metric("a", 1)
    raise ValueError("bad")
"""
    done = program(tmp_path / "work", text, running)
    assert done.returncode == 1
    assert "ValueError: bad" in done.stderr
    [project] = running.call("GET", "/v2/projects", running.user("ada")).json()
    answer = running.call("GET", f"/api/v1/projects/{project['id']}/runs", running.user("ada"))
    [run] = answer.json()["items"]
    assert run["status"] == "failed"
    assert "ValueError: bad" in json.dumps(run)
