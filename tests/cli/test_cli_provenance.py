# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``provenance``: from a file, run or model to where it came from and what came of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_project import HOSTILE, Project, make_project


def code_of(result: Any) -> str:
    problem = json.loads(result.stderr)["error"]
    assert problem["message"]
    return str(problem["code"])


def test_a_run_back_to_the_first(story: Project) -> None:
    text = story.ds("provenance", story.ids["train"]).stdout
    assert text.index("Train") < text.index("clean.csv") < text.index("Clean")
    assert text.index("Clean") < text.index("raw.csv") < text.index("Fetch")
    assert "Nothing else went in" in text
    answer = story.json("provenance", story.ids["train"][:8])
    runs = [node["run"] for node in answer["nodes"] if node["kind"] == "run"]
    assert runs == [story.ids[name] for name in ("raw", "clean", "train")]


def test_a_file_and_what_came_of_it(story: Project) -> None:
    up = story.ds("provenance", "data/clean.csv").stdout
    assert "Fetch" in up and "Train" not in up
    down = story.ds("provenance", "data/clean.csv", "--down").stdout
    assert "Train" in down and "model.bin" in down and "Fetch" not in down
    both = story.ds("provenance", "data/clean.csv", "--up", "--down").stdout
    assert both.index("Made from") < both.index("Fetch") < both.index("Went into")
    assert both.index("Went into") < both.index("Train")
    near = story.ds("provenance", "file:model.bin@HEAD~1", "--depth", "1")
    assert "Train" in near.stdout and "… 1 more" in near.stdout and "Clean" not in near.stdout
    assert "Nothing else went in" not in near.stdout and "Raw data" not in near.stdout


def test_paths_are_those_of_the_folder_one_is_in(story: Project) -> None:
    text = story.ds("-C", "data", "provenance", "clean.csv").stdout
    assert text == story.ds("provenance", "data/clean.csv").stdout
    assert text == story.ds("-C", "data", "provenance", "file:clean.csv@HEAD").stdout
    assert story.ds("-C", "data", "provenance", "data/clean.csv").exit_code == 1


def test_formats(story: Project) -> None:
    identity = story.ids["train"]
    document = json.loads(story.ds("provenance", identity, "--format", "prov").stdout)
    assert f"dsrun:{identity}" in document["activity"]
    events = json.loads(story.ds("provenance", identity, "--format", "openlineage").stdout)
    assert [event["run"]["runId"] for event in events][-1] == identity
    assert story.ds("provenance", identity, "--format", "dot").stdout.startswith("digraph")
    assert json.loads(story.ds("provenance", identity, "--format", "json").stdout) == story.json(
        "provenance", identity
    )
    everything = json.loads(story.ds("provenance", "--format", "prov").stdout)
    assert len(everything["activity"]) == 4


def test_two_lineages(story: Project) -> None:
    a, b = story.ids["train"], story.ids["failed"]
    text = story.ds("provenance", a, "--compare", b).stdout
    assert "data/clean.csv" in text and "only in the first" in text
    answer = story.json("provenance", a, "--compare", b)
    assert (answer["a"], answer["b"]) == (f"run:{a}", f"run:{b}")
    same = story.ds("provenance", a, "--compare", a).stdout
    assert same.strip() == "Nothing differs between the two lineages."


def test_a_model(project: Project) -> None:
    label = json.dumps({"files": {"model": "m.bin"}, "type": "x", "version": "1"})
    run = {"description": "Train", "output": ["m.bin"], "labels": {"artefact:tumours": label}}
    project.publish("train", run, files={"m.bin": "weights"})
    for name in ("tumours", "model:tumours", "m.bin"):
        text = project.ds("provenance", name).stdout
        assert text.startswith("m.bin@") and "model tumours" in text and "Train" in text
    project.publish("copy", {"description": "Copy", "output": ["tumours"]}, files={"tumours": "t"})
    unclear = project.ds("--json", "provenance", "tumours")
    assert unclear.exit_code == 1 and code_of(unclear) == "ambiguous"
    assert "file:tumours or model:tumours" in unclear.stderr
    assert "Copy" in project.ds("provenance", "file:tumours").stdout
    assert "Train" in project.ds("provenance", "model:tumours").stdout


@pytest.mark.parametrize(
    "name", ["nothing.csv", "file:nothing.csv", "run:nothing", "model:x", "digest:" + "0" * 64]
)
@pytest.mark.parametrize("form", ["tree", "json", "dot", "prov", "openlineage"])
def test_what_is_not_there(story: Project, name: str, form: str) -> None:
    result = story.ds("--json", "provenance", name, "--format", form)
    assert result.exit_code == 1 and result.stdout == ""
    assert code_of(result) == "not_found"
    again = story.ds("--json", "provenance", story.ids["train"], "--compare", name)
    assert again.exit_code == 1 and code_of(again) == "not_found"


def test_a_file_that_no_run_touched(story: Project) -> None:
    (story.folder / "untouched.txt").write_text("x")
    assert code_of(story.ds("--json", "provenance", "untouched.txt")) == "not_found"


@pytest.mark.parametrize("form", ["tree", "json", "dot", "prov", "openlineage"])
@pytest.mark.parametrize("terminal", [False, True])
def test_text_of_others_never_commands_a_terminal(
    story: Project, form: str, terminal: bool
) -> None:
    env = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "120"} if terminal else None
    result = story.ds("provenance", story.ids["failed"], "--format", form, env=env)
    assert result.exit_code == 0 and "evil" in result.stdout
    assert not set(result.stdout) & set("\x1b\x07\x9b\x7f\r\u202e")
    if form == "tree":
        assert "[bold red]markup[/]" in result.stdout
    elif form == "prov":
        labels = [a["prov:label"] for a in json.loads(result.stdout)["activity"].values()]
        assert labels == [HOSTILE]


@pytest.fixture
def shop(story: Project, tmp_path: Path) -> Project:
    """A workspace that took a file of the story's, and made something of it."""
    shop = make_project(tmp_path)
    taken = (story.folder / "data" / "clean.csv").read_text()
    sold = {"description": "Sell", "input": ["in.csv"], "output": ["bill.txt"]}
    shop.publish("other", {"description": "Other"}, files={"in.csv": taken})
    shop.publish("sell", sold, files={"bill.txt": "1 euro"})
    return shop


def test_on_into_another_workspace(story: Project, shop: Project) -> None:
    alone = shop.ds("provenance", "bill.txt").stdout
    assert "in.csv" in alone and "raw data" in alone and "Fetch" not in alone
    result = shop.ds("provenance", "bill.txt", "--with", str(story.folder))
    text = result.stdout
    assert text.index("Sell") < text.index("identical to data/clean.csv") < text.index("Fetch")
    assert f"in {story.folder}" in text and "raw data" not in text and result.stderr == ""
    down = story.ds("provenance", "data/raw.csv", "--down", "--with", str(shop.folder)).stdout
    assert "Sell" in down and "bill.txt" in down
    near = shop.ds("provenance", "bill.txt", "--with", str(story.folder), "--depth", "2").stdout
    assert "Clean" in near and "… 1 more" in near and "Fetch" not in near

    graph = shop.json("provenance", "bill.txt", "--with", str(story.folder))
    (other,) = graph["workspaces"]
    assert (other["name"], other["problem"]) == (story.folder.name, None)
    runs = {node["run"]: node for node in graph["nodes"] if node["kind"] == "run"}
    assert runs[story.ids["clean"]]["workspace"] == other["id"]
    assert runs[shop.ids["sell"]]["workspace"] is None
    for form, known in (("prov", f":file:{other['id']}:"), ("openlineage", f"//{other['id']}")):
        written = shop.ds("provenance", "bill.txt", "--with", str(story.folder), "--format", form)
        assert known in written.stdout and story.ids["raw"] in written.stdout


def test_what_cannot_be_looked_into_is_said(story: Project, shop: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    missing = shop.ds("--json", "provenance", "bill.txt", "--with", str(tmp_path / "empty"))
    assert missing.exit_code == 1 and code_of(missing) == "no_workspace"
    damaged = tmp_path / "damaged"
    shutil.copytree(story.folder, damaged)
    (damaged / ".dotscience" / "records.db").write_bytes(b"no database" * 1000)
    arguments = ("provenance", "bill.txt", "--with", str(damaged))
    for form in ("tree", "dot", "prov"):
        result = shop.ds(*arguments, "--format", form)
        assert result.exit_code == 0 and "bill.txt" in result.stdout
        assert f"{damaged} was not looked into" in result.stderr
        assert "Traceback" not in result.stderr
    (other,) = shop.json(*arguments)["workspaces"]
    assert other["problem"]
    for odd in (["--with", str(damaged)], ["bill.txt", "--compare", "x", "--with", str(damaged)]):
        assert shop.ds("provenance", *odd, "--format", "prov").exit_code == 2
