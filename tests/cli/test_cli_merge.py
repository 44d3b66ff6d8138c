# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Merging on the command line: conflicts between markers, going on, giving up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from cli_project import Project, notebook

TERMINAL = {"FORCE_COLOR": "1", "COLUMNS": "120", "NO_COLOR": "1"}


def write(project: Project, **files: str | bytes | None) -> None:
    for name, content in files.items():
        path = project.folder / name.replace("_", ".")
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(project: Project, message: str) -> str:
    return str(project.json("commit", "-m", message)["commit"]["id"])


def tree(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if ".dotscience" not in path.parts and path.is_file():
            status = path.stat()
            found[path.name] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
    return found


@pytest.fixture
def parted(project: Project) -> str:
    """A project with conflicts in a text, a notebook and a binary; returns their commit."""
    write(
        project,
        a_txt="one\ntwo\nthree\n",
        n_ipynb=notebook("x = 1", "1"),
        m_bin=b"\0",
        free_txt="f\n",
    )
    base = commit(project, "base")
    write(
        project,
        a_txt="one\n2 theirs\nthree\n",
        n_ipynb=notebook("x = 3", "3"),
        m_bin=b"\0t",
        free_txt="t\n",
    )
    theirs = commit(project, "theirs")
    assert project.ds("rollback", base, "--yes").exit_code == 0
    write(project, a_txt="one\n2 mine\nthree\n", n_ipynb=notebook("x = 2", "2"), m_bin=b"\0m")
    os.utime(project.folder / "a.txt", ns=(10**18, 10**18 + 123))
    return theirs


def test_without_conflicts_it_is_done_at_once(project: Project) -> None:
    write(project, a_txt="a\n", b_txt="b\n")
    base = commit(project, "base")
    write(project, b_txt="theirs\n")
    theirs = commit(project, "theirs")
    project.ds("rollback", base, "--yes")
    write(project, a_txt="mine\n")
    result = project.ds("merge", theirs[:10], "-m", "both of us")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Merged {theirs[:12]} as commit ") and "b.txt" in result.stdout
    assert (project.folder / "b.txt").read_text() == "theirs\n"
    head = project.json("log", "--limit", "1")["items"][0]
    assert head["message"] == "both of us" and head["parents"][1] == theirs
    again = project.ds("--json", "merge", theirs)
    assert again.exit_code == 1 and json.loads(again.stderr)["error"]["code"] == "merged"
    assert project.ds("verify").exit_code == 0


def test_conflicts_are_written_between_markers(project: Project, parted: str) -> None:
    result = project.ds("merge", parted)
    assert result.exit_code == 1
    assert "3 conflicts to solve" in result.stderr
    assert "ds merge --take yours|theirs m.bin" in result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert ["conflict", "a.txt", "modified", "1"] in [row[:4] for row in rows]
    assert (project.folder / "a.txt").read_text() == (
        "one\n<<<<<<< yours\n2 mine\n||||||| base\ntwo\n=======\n2 theirs\n>>>>>>> theirs\nthree\n"
    )
    document = json.loads((project.folder / "n.ipynb").read_bytes())
    nbformat.validate(document)
    source = "".join(document["cells"][0]["source"])
    assert source == ("<<<<<<< yours\nx = 2\n||||||| base\nx = 1\n=======\nx = 3\n>>>>>>> theirs\n")
    assert document["cells"][0]["outputs"] == []
    assert (project.folder / "m.bin").read_bytes() == b"\0m"
    assert (project.folder / "free.txt").read_text() == "t\n"
    refused = project.ds("--json", "merge", "--continue")
    assert refused.exit_code == 1
    told = json.loads(refused.stderr)["error"]["message"]
    assert "Conflicts are open in a.txt, m.bin, n.ipynb" in told
    assert project.ds("merge", parted).exit_code == 1, "one merge at a time"


def test_going_on_when_all_is_solved(project: Project, parted: str) -> None:
    project.ds("merge", parted)
    write(project, a_txt="one\n2 both\nthree\n", n_ipynb=notebook("x = 5", "5"))
    status = project.json("merge", "--status")["merge"]
    assert status["markers"] and status["conflicts"] == 1
    assert "m.bin is theirs now" in project.ds("merge", "--take", "theirs", "m.bin").stdout
    assert (project.folder / "m.bin").read_bytes() == b"\0t"
    result = project.ds("merge", "--continue")
    assert result.exit_code == 0, result.output
    head = project.json("log", "--limit", "1")["items"][0]
    assert head["parents"][1] == parted
    assert (project.folder / "a.txt").read_text() == "one\n2 both\nthree\n"
    assert project.json("status")["status"] == "clean"
    assert project.json("merge", "--status") == {"merge": None}
    assert project.ds("verify").exit_code == 0


def test_giving_up_leaves_everything_as_it_was(project: Project, parted: str) -> None:
    before = tree(project.folder)
    content = project.json("status")
    assert content["status"] == "changed"
    project.ds("merge", parted)
    write(project, a_txt="half solved\n")
    project.ds("merge", "--take", "theirs", "m.bin")
    assert tree(project.folder) != before
    result = project.ds("merge", "--abort")
    assert result.exit_code == 0 and "as they were before" in result.stdout
    assert tree(project.folder) == before
    assert project.ds("merge", "--abort").exit_code == 1


def test_a_side_can_be_taken_back_and_forth(project: Project, parted: str) -> None:
    project.ds("merge", parted)
    for side, mine in (("theirs", b"\0t"), ("yours", b"\0m"), ("theirs", b"\0t")):
        assert project.ds("merge", "--take", side, "m.bin").exit_code == 0
        assert (project.folder / "m.bin").read_bytes() == mine
    for path in ("a.txt", "n.ipynb"):
        assert project.ds("merge", "--take", "yours", path).exit_code == 0
    assert (project.folder / "a.txt").read_text() == "one\n2 mine\nthree\n"
    assert project.ds("merge", "--continue").exit_code == 0


def test_a_notebook_that_was_broken_while_it_was_solved(project: Project, parted: str) -> None:
    project.ds("merge", parted)
    write(project, a_txt="x\n", n_ipynb='{"cells": [')
    project.ds("merge", "--take", "yours", "m.bin")
    result = project.ds("merge", "--continue")
    assert result.exit_code == 1 and "not valid JSON" in result.stderr
    assert project.ds("merge", "--abort").exit_code == 0


def test_a_dry_run_changes_nothing(project: Project, parted: str) -> None:
    before, commits = tree(project.folder), project.json("log")["total"]
    shown = project.ds("merge", "--dry-run", parted, env=TERMINAL)
    assert shown.exit_code == 0 and "m.bin" in shown.stdout and "In common" in shown.stdout
    answer = project.json("merge", "-n", parted)["merge"]
    assert answer["conflicts"] == 3
    assert tree(project.folder) == before and project.json("log")["total"] == commits
    assert project.json("merge", "--status") == {"merge": None}


@pytest.mark.parametrize(
    "arguments",
    [[], ["HEAD", "--abort"], ["--continue", "--abort"], ["--base", "HEAD", "--status"],
     ["--dry-run", "--abort"], ["--take", "ours", "a.txt"]],
)  # fmt: skip
def test_wrong_usage(project: Project, arguments: list[str]) -> None:
    assert project.ds("merge", *arguments).exit_code == 2


def test_names_of_others_never_command_a_terminal(project: Project) -> None:
    write(project, a_txt="a")
    base = commit(project, "base")
    (project.folder / "evil\x1b[2J.txt").write_text("x")
    theirs = commit(project, "evil \x1b]0;title\x07")
    project.ds("rollback", base, "--yes")
    shown = project.ds("merge", "--dry-run", theirs, env=TERMINAL).stdout
    assert "\x1b[2J" not in shown and "\x1b]0" not in shown and "\\x1b" in shown
