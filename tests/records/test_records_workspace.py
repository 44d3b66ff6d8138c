# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making and finding workspaces."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from dotscience_jupyter.records import Workspace, WorkspaceError, suggest_root


def test_created_found_and_opened(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert Workspace.find(below) is None
    made = Workspace.create(tmp_path)
    assert Workspace.find(below) == Workspace.find(tmp_path) == Workspace.at(tmp_path) == made
    assert Workspace.find(below / "notebook.ipynb") == made
    assert Workspace.create(tmp_path) == made
    assert (tmp_path / ".dotscience" / ".gitignore").read_text() == "*\n"
    document = json.loads((tmp_path / ".dotscience" / "workspace.json").read_text())
    assert document == {"format": 1, "id": made.id, "created": made.created.isoformat()}
    inner = Workspace.create(tmp_path / "a")
    assert Workspace.find(below) == inner != made


def test_creators_at_once_agree(tmp_path: Path) -> None:
    made = []
    barrier = threading.Barrier(8)

    def create() -> None:
        barrier.wait()
        made.append(Workspace.create(tmp_path))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.id for each in made}) == 1
    assert len(made) == 8
    assert sorted(each.name for each in (tmp_path / ".dotscience").iterdir()) == [
        ".gitignore",
        "workspace.json",
    ]


def test_homes_and_the_root_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WorkspaceError, match="home folder.*--force"):
        Workspace.create(tmp_path)
    with pytest.raises(WorkspaceError, match="--force"):
        Workspace.create(Path("/"))
    assert list(tmp_path.iterdir()) == []
    assert Workspace.create(tmp_path, force=True).root == tmp_path


def test_what_is_no_workspace_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not a folder"):
        Workspace.create(tmp_path / "missing")
    with pytest.raises(WorkspaceError, match="not a workspace"):
        Workspace.at(tmp_path)
    folder = tmp_path / ".dotscience"
    folder.mkdir()
    for text in ("", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "id": "x", "created": 3}'):
        (folder / "workspace.json").write_text(text)
        with pytest.raises(WorkspaceError, match="cannot be read"):
            Workspace.at(tmp_path)
    (folder / "workspace.json").write_text('{"format": 2, "id": "x"}')
    with pytest.raises(WorkspaceError, match="newer version.*Nothing was changed"):
        Workspace.find(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".dotscience").write_text("a file is in the way")
    with pytest.raises(WorkspaceError, match=r"cannot be tracked.*Nothing was changed"):
        Workspace.create(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [".dotscience"]


def test_the_suggested_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    below = project / "notebooks"
    below.mkdir(parents=True)
    notebook = below / "a.ipynb"
    notebook.touch()
    assert suggest_root(notebook) == suggest_root(below) == below
    (project / ".git").mkdir()
    assert suggest_root(notebook) == suggest_root(project) == project
    # a home folder under Git (dot files) is not a project
    monkeypatch.setenv("HOME", str(project))
    assert suggest_root(notebook) == below
