# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``live``: what is under way, abandoning what is not any more; completing filters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import HOSTILE, Project, make_project
from click.testing import CliRunner

from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.committer import live


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def tell(project: Project, run_id: str, pid: int, description: str = "training") -> None:
    boot, namespace = live._machine()
    process = {"pid": pid, "host": "here", "boot": boot, "namespace": namespace}
    process["started"] = live.process_started(pid)
    start = "20260101T000000.000000"
    first = {"format": 1, "id": run_id, "start": start, "process": process}
    first["root"] = str(project.folder)
    told = {"description": description, "summary": {"loss": "0.5"}}
    told["types"] = {"summary": {"loss": "float"}}
    folder = project.folder / ".dotscience" / "live"
    folder.mkdir(exist_ok=True)
    (folder / f"{run_id}.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(told)}\n")


@pytest.fixture
def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_nothing_is_under_way(project: Project) -> None:
    assert project.json("live") == {"items": []}
    assert project.ds("live").stdout == ""  # a pipe is told nothing but rows


def test_runs_under_way_are_listed(project: Project, ended: int) -> None:
    tell(project, "aaaa1", os.getpid())
    tell(project, "bbbb2", ended, HOSTILE)
    items = {item["id"]: item for item in project.json("live")["items"]}
    assert {key: item["state"] for key, item in items.items()} == {
        "aaaa1": "running",
        "bbbb2": "gone",
    }
    text = project.ds("live").stdout
    assert "training" in text
    assert "loss=0.5" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_run_that_is_gone_is_abandoned(project: Project, ended: int) -> None:
    tell(project, "aaaa1", os.getpid())
    tell(project, "bbbb2", ended)
    result = project.ds("live", "abandon", "bb")
    assert result.exit_code == 0, result.output
    assert "recorded as failed" in result.stdout
    (run,) = project.json("runs")["items"]
    assert (run["id"], run["status"], run["metrics"]) == ("bbbb2", "failed", {"loss": 0.5})
    assert [item["id"] for item in project.json("live")["items"]] == ["aaaa1"]


def test_what_cannot_be_abandoned(project: Project, ended: int) -> None:
    tell(project, "aaaa1", os.getpid())
    tell(project, "aaaa2", ended)
    for name, code in (("aaaa1", "conflict"), ("nobody", "not_found"), ("aaaa", "ambiguous")):
        result = project.ds("--json", "live", "abandon", name)
        assert result.exit_code == 1
        assert json.loads(result.stderr)["error"]["code"] == code


def complete(project: Project, *words: str) -> list[str]:
    env = {
        "_DOTSCIENCE_COMPLETE": "fish_complete",
        "COMP_WORDS": " ".join(("ds", "-C", str(project.folder), *words[:-1])),
        "COMP_CWORD": words[-1],
    }
    output = CliRunner().invoke(cli, [], env=env, prog_name="ds").output
    return [line.split(",", 1)[1].split("\t")[0] for line in output.splitlines() if "," in line]


def test_filters_are_completed(project: Project) -> None:
    project.publish("a", {"summary": {"accuracy": "0.9"}, "parameters": {"model": "svm"}})
    assert "metrics.accuracy" in complete(project, "runs", "--where", "metr")
    assert complete(project, "runs", "--where", "\"parameters.model = 's") == [
        "parameters.model = 'svm'"
    ]


def test_abandoned_runs_are_completed(project: Project, ended: int) -> None:
    tell(project, "aaaa1", os.getpid())
    tell(project, "aaaa2", ended)
    assert complete(project, "live", "abandon", "a") == ["aaaa2"]
