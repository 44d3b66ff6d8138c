# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``diff`` with one side, with none, with runs and now, in words, counts and addresses."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest
from cli_project import Project
from jupyter_server import serverapp

TERMINAL = {"FORCE_COLOR": "1", "COLUMNS": "120", "NO_COLOR": "1"}


def book(*cells: tuple[str, str]) -> str:
    made = []
    for number, (source, output) in enumerate(cells):
        outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
        made.append(nbformat.v4.new_code_cell(source, outputs=outputs, id=f"c{number}"))
    return json.dumps(nbformat.v4.new_notebook(cells=made))


@pytest.fixture
def changed(project: Project) -> Project:
    """Two runs, and files that changed since."""
    (project.folder / "t.csv").write_text("id,x\n1,a\n2,b\n")
    (project.folder / "n.ipynb").write_text(book(("a = 1", "1"), ("b", ""), ("c", "")))
    project.publish("first", {"parameters": {"lr": "0.1"}, "summary": {"acc": "0.5"}})
    project.publish("second", {"parameters": {"lr": "0.2"}, "summary": {"acc": "0.5"}})
    (project.folder / "t.csv").write_text("id,x\n1,a\n2,c\n3,d\n")
    (project.folder / "n.ipynb").write_text(book(("a = 2", "2"), ("b", ""), ("c", "")))
    return project


def test_without_sides_it_is_the_newest_commit_and_now(changed: Project) -> None:
    answer = changed.json("diff")
    assert [item["path"] for item in answer["items"]] == ["n.ipynb", "t.csv"]
    assert answer["new"] == "now"
    assert changed.json("diff", "HEAD") == answer == changed.json("diff", "HEAD", "now")
    assert changed.json("diff", changed.ids["second"][:8])["items"] == answer["items"]
    assert changed.json("diff", "now", "now")["items"] == []


def test_a_path_alone(changed: Project) -> None:
    text = changed.ds("diff", "t.csv").stdout
    assert text.splitlines()[2:] == ["+ row 3  id: 3, x: d", "@ row 2  x: b -> c"] or (
        "@ row 2  x: b -> c" in text and "+ row 3  id: 3, x: d" in text
    )
    assert changed.ds("diff", "HEAD", "t.csv").stdout == text
    assert changed.ds("diff", "no-such.csv").exit_code == 1


def test_a_notebook_cell_by_cell(changed: Project) -> None:
    text = changed.ds("diff", "n.ipynb").stdout
    assert "@@ cell 1 (code), modified; outputs: 1 modified @@\n-a = 1\n+a = 2\n" in text
    assert "cell 2" not in text
    answer = changed.json("diff", "n.ipynb")
    assert answer["notebook"]["cells"][0]["change"] == "modified" and answer["diff"] == text


def test_values_of_runs_on_top(changed: Project) -> None:
    first, second = changed.ids["first"], changed.ids["second"]
    answer = changed.json("diff", f"run:{first}", second[:10])
    assert answer["values"] == [{"kind": "parameter", "name": "lr", "old": "0.1", "new": "0.2"}]
    assert answer["sides"]["old"]["run"] == first
    shown = changed.ds("diff", first, second, env=TERMINAL).stdout
    assert "parameter lr" in shown and shown.index("parameter lr") < shown.index("No file differs")


def test_counts(changed: Project) -> None:
    rows = [line.split("\t") for line in changed.ds("diff", "--stat").stdout.splitlines()]
    assert rows == [
        ["Change", "File", "+", "-"],
        ["modified", "n.ipynb", "1", "1"],
        ["modified", "t.csv", "2", "1"],
    ]
    shown = changed.ds("diff", "--stat", env=TERMINAL).stdout
    assert "2 files, 3 lines or cells added, 2 removed" in shown


def test_the_page_of_a_running_server(changed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[dict[str, Any]] = []
    monkeypatch.setattr(serverapp, "list_running_servers", lambda: iter(servers))
    result = changed.ds("diff", "--web")
    assert result.exit_code == 1 and "Start one with 'jupyter lab'" in result.stderr
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    servers += [
        {"url": "http://h:1/", "root_dir": str(changed.folder.parent), "token": "t&k"},
        {"url": "http://h:2/", "root_dir": "/nowhere/else", "token": ""},
    ]
    head = changed.json("log", "--limit", "1")["items"][0]["id"]
    address = changed.json("diff", "--web", "t.csv")["url"]
    assert address == (
        f"http://h:1/lab?dotscience-view=difference&dotscience-old={head}&dotscience-new=now"
        "&dotscience-file=t.csv&dotscience-workspace=project&token=t%26k"
    )
    assert opened == []
    assert changed.ds("diff", "--web", "t.csv").exit_code == 0 and opened == [address]


def test_a_file_with_many_lines_is_compared_all_the_same(changed: Project) -> None:
    path = changed.folder / "long.txt"
    lines = [f"line {number}\n" for number in range(60_000)]
    path.write_text("".join(lines))
    changed.json("commit", "-m", "long")
    lines[30_000] = "other\n"
    path.write_text("".join(lines))
    text = changed.ds("diff", "long.txt").stdout
    assert "@@ -29998,7 +29998,7 @@" in text and text.count("\n") == 11
