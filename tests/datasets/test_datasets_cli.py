# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``ds dataset``: for people and for programs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dataset_world import put

from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.records import Workspace

SCRIPT = """
import dotscience as ds
ds.script()
ds.start("clean")
text = open("datasets/iris/a.csv").read()
with open("datasets/iris/clean.csv", "w") as file:
    file.write(text * 2)
ds.publish()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return Workspace.create(folder).root


def ds(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["-C", str(root), *arguments])


def answer(root: Path, *arguments: str) -> Any:
    result = ds(root, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(root: Path, *arguments: str) -> tuple[str, str]:
    result = ds(root, "--json", *arguments)
    assert result.exit_code == 1, result.output
    told = json.loads(result.stderr)["error"]
    return told["code"], told["message"]


def test_from_a_folder_to_a_run(root: Path, tmp_path: Path) -> None:
    put(tmp_path, "raw/a.csv", "1,2")
    made = answer(root, "dataset", "create", "iris", "../raw", "-m", "As downloaded")
    assert made["path"] == str(tmp_path / "raw")
    used = answer(root, "dataset", "attach", "iris", "--write")
    assert (used["path"], used["mode"], used["id"]) == ("datasets/iris", "write", made["id"])
    (known,) = answer(root, "dataset", "list")["items"]
    assert known["attached"]["path"] == "datasets/iris" and known["version"] == made["version"]
    put(root, "clean.py", SCRIPT)
    result = ds(root, "run", "--", sys.executable, str(root / "clean.py"))
    assert result.exit_code == 0, result.output
    # nothing was declared: all of it was observed, below the workspace's own root
    (run,) = answer(root, "runs")["items"]
    detail = answer(root, "show", run["id"])
    read, wrote = detail["datasets"]
    versions = answer(root, "dataset", "versions", "iris")
    newest, first = versions["items"]
    assert versions["total"] == 2 and first["message"] == "As downloaded"
    assert newest["runs"] == [run["id"]] and newest["type"] == "dotscience.run-output.v1"
    for each, direction, version in ((read, "input", first), (wrote, "output", newest)):
        assert (each["name"], each["dataset"], each["direction"]) == ("iris", made["id"], direction)
        assert (each["version"], each["path"]) == (version["id"], "datasets/iris")
    assert [(f["path"], f["authority"]) for f in read["files"]] == [("a.csv", "derived")]
    assert [(f["path"], f["size"]) for f in wrote["files"]] == [("clean.csv", 6)]
    assert detail["inputs"] == [] and detail["outputs"] == []
    shown = ds(root, "show", run["id"]).output
    assert f"Read of the dataset iris at {first['id'][:8]}" in shown
    assert f"Wrote of the dataset iris at {newest['id'][:8]}" in shown
    # where a file came from, by its path here and by its name
    for name in ("datasets/iris/clean.csv", "file:iris//clean.csv", "iris//clean.csv"):
        graph = answer(root, "provenance", "--up", name)
        made = {node["path"]: node for node in graph["nodes"] if node["kind"] == "file"}
        assert made.keys() == {"iris//a.csv", "iris//clean.csv"}, name
        file = made["iris//clean.csv"]
        assert (file["dataset"], file["commit"], file["source"]) == ("iris", None, False)
        assert file["id"] == f"file:iris//clean.csv@{newest['id']}"
    # a later reader is told which run made what it read
    put(
        root,
        "clean.py",
        'import dotscience as ds; ds.input("datasets/iris/clean.csv"); ds.publish()',
    )
    assert ds(root, "run", "--", sys.executable, str(root / "clean.py")).exit_code == 0
    later = answer(root, "runs")["items"][0]["id"]
    (file,) = answer(root, "show", later)["datasets"][0]["files"]
    assert (file["made_by"], file["version"]) == (run["id"], newest["id"])
    assert file["made_in"] is None
    # and another workspace, from what the dataset itself tells
    other = tmp_path / "other"
    other.mkdir()
    assert ds(other, "init", ".").exit_code == 0
    answer(other, "dataset", "attach", "iris@HEAD", "in")
    put(other, "use.py", 'import dotscience as ds; ds.input("in/clean.csv"); ds.publish()')
    assert ds(other, "run", "--", sys.executable, str(other / "use.py")).exit_code == 0
    (used_there,) = answer(other, "runs")["items"]
    (file,) = answer(other, "show", used_there["id"])["datasets"][0]["files"]
    # which nobody can open there, so it is said where it is
    where = json.loads((root / ".dotscience" / "workspace.json").read_text())["id"]
    assert (file["made_by"], file["made_in"]) == (run["id"], where)
    shown = ds(other, "show", used_there["id"]).output
    assert f"written by run {run['id'][:8]} of another workspace" in shown


def test_words_for_people(root: Path, tmp_path: Path) -> None:
    assert answer(root, "dataset", "list") == {"items": []}
    assert "No dataset is attached" in ds(root, "dataset", "attach").output
    assert "is in" in ds(root, "dataset", "create", "iris").output
    assert "attached at datasets/iris (the newest" in ds(root, "dataset", "attach", "iris").output
    assert "datasets/iris (newest)" in ds(root, "dataset", "list").output
    assert "Nothing has changed" in ds(root, "dataset", "commit", "iris").output
    (known,) = answer(root, "dataset", "list")["items"]
    put(Path(known["path"]), "b.csv", "2")
    made = answer(root, "dataset", "commit", "iris", "-m", "more", "--author", "Bob")["commit"]
    assert (made["author"], made["message"], made["runs"]) == ("Bob", "more", [])
    assert answer(root, "dataset", "commit", "iris") == {"commit": None}
    assert "more" in ds(root, "dataset", "versions", "iris").output
    # a copy of the workspace on another machine: the links are made anew
    shutil.copytree(root, tmp_path / "copy", ignore=shutil.ignore_patterns("datasets"))
    (again,) = answer(tmp_path / "copy", "dataset", "attach")["items"]
    assert (tmp_path / "copy" / again["path"] / "b.csv").read_text() == "2"
    assert "not attached" in ds(root, "dataset", "detach", "iris").output
    shutil.rmtree(known["path"])
    (gone,) = answer(root, "dataset", "list")["items"]
    assert "not where it should be" in gone["error"]
    assert "not where it should be" in ds(root, "dataset", "list").output


def test_what_is_wrong_is_said_in_words(root: Path, tmp_path: Path) -> None:
    assert failure(root, "dataset", "create", "a b")[0] == "invalid_request"
    code, message = failure(root, "dataset", "versions", "mnist")
    assert code == "not_found" and "'ds dataset create' makes one" in message
    assert failure(root, "dataset", "attach", "mnist")[0] == "not_found"
    assert failure(root, "dataset", "detach", "mnist")[0] == "not_found"
    assert failure(root, "dataset", "attach", "https://hub.example.org/a/b")[0] == "not_logged_in"
    answer(root, "dataset", "create", "iris")
    assert failure(root, "dataset", "create", "iris")[0] == "exists"
    assert failure(root, "dataset", "attach", "iris@abcd")[0] == "not_found"
    assert failure(root, "dataset", "attach", "iris", "..")[0] == "invalid_request"
    assert failure(root, "dataset", "attach", "iris", str(tmp_path / "x"))[0] == "invalid_request"
    result = ds(tmp_path, "--json", "dataset", "attach", "iris")
    assert (result.exit_code, json.loads(result.stderr)["error"]["code"]) == (4, "no_workspace")
    assert ds(root, "dataset", "--help").exit_code == 0
