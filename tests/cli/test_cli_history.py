# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``ds history``: the versions of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_project import HOSTILE, Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = make_project(tmp_path)
    (found.folder / "data.csv").write_text("a\n")
    found.ds("commit", "-m", "raw data")
    found.publish("one", {"output": ["model.bin"]}, files={"model.bin": "weights"})
    (found.folder / "sub").mkdir()
    (found.folder / "model.bin").rename(found.folder / "sub" / "best.bin")
    found.ds("commit", "-m", HOSTILE)
    return found


def test_the_versions_with_the_runs_that_made_them(project: Project) -> None:
    result = project.ds("history", "sub/best.bin")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "renamed" in lines[1]
    assert "sub/best.bin" in lines[1]
    assert "model.bin" in lines[2]
    assert project.ids["one"] in lines[2]
    assert "\x1b" not in result.stdout
    assert len(lines) == 3


def test_as_json_and_in_pages(project: Project) -> None:
    answer = project.json("history", "sub/best.bin")
    assert [item["change"] for item in answer["items"]] == ["renamed", "added"]
    page = project.json("history", "--offset", "1", "--limit", "1", "sub/best.bin")
    assert page["items"] == answer["items"][1:]
    assert (answer["total"], answer["changed"]) == (2, False)


def test_a_file_that_differs_or_has_no_version(project: Project) -> None:
    (project.folder / "data.csv").write_text("b\n")
    assert "differs from its newest version" in project.ds("history", "data.csv").stderr
    (project.folder / "new.txt").write_text("x")
    new = project.ds("history", "new.txt")
    assert (new.exit_code, new.output) == (0, "")
    missing = project.ds("history", "missing.txt")
    assert missing.exit_code == 1
    assert "There is no file" in missing.stderr
    assert project.ds("history", "../outside").exit_code == 2
