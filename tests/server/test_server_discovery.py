# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Workspaces around the server's root are found, and nobody's home is crawled."""

from __future__ import annotations

import os

import pytest

from dotscience_jupyter.records import Workspace
from dotscience_jupyter.server.discovery import discover, has_waiting_work, holds_run


def roots(*args, **kwargs):
    return [workspace.root for workspace in discover(*args, **kwargs)]


def test_above_at_and_below(tmp_path):
    server = tmp_path / "project" / "notebooks"
    (server / "a" / "b").mkdir(parents=True)
    for folder in (tmp_path / "project", server / "a", server / "a" / "b"):
        Workspace.create(folder)
    assert roots(server) == [tmp_path / "project", server / "a", server / "a" / "b"]
    Workspace.create(server)
    assert roots(server)[0] == server


def test_the_depth_is_limited(tmp_path):
    deep = tmp_path / "1" / "2" / "3" / "4"
    deep.mkdir(parents=True)
    Workspace.create(deep)
    assert roots(tmp_path, depth=3) == []
    assert roots(tmp_path, depth=4) == [deep]
    Workspace.create(tmp_path)
    assert roots(tmp_path, depth=0) == [tmp_path]


def test_the_number_of_folders_is_limited_and_shallow_ones_come_first(tmp_path, monkeypatch):
    for a in range(10):
        for b in range(10):
            (tmp_path / f"{a}" / f"{b}").mkdir(parents=True)
    Workspace.create(tmp_path / "9")
    Workspace.create(tmp_path / "0" / "9")
    looked = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))
    assert roots(tmp_path, most=12) == [tmp_path / "9"]
    assert len(looked) == 12


@pytest.mark.parametrize("name", ["node_modules", ".cache", "venv", "__pycache__"])
def test_some_folders_are_not_looked_into(tmp_path, name):
    (tmp_path / name / "x").mkdir(parents=True)
    Workspace.create(tmp_path / name / "x")
    assert roots(tmp_path) == []


def test_virtual_environments_by_any_name(tmp_path):
    (tmp_path / "my" / "x").mkdir(parents=True)
    (tmp_path / "my" / "pyvenv.cfg").touch()
    Workspace.create(tmp_path / "my" / "x")
    assert roots(tmp_path) == []


def test_links_are_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    Workspace.create(tmp_path / "elsewhere")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    assert roots(tmp_path / "root") == []


def test_broken_workspaces_are_passed_over(tmp_path):
    (tmp_path / "a" / ".dotscience").mkdir(parents=True)
    (tmp_path / "b" / ".dotscience").mkdir(parents=True)
    (tmp_path / "b" / ".dotscience" / "workspace.json").write_text("{")
    (tmp_path / "c").mkdir()
    Workspace.create(tmp_path / "c")
    assert roots(tmp_path) == [tmp_path / "c"]
    assert roots(tmp_path / "b") == []
    assert roots(tmp_path / "missing") == []


def test_waiting_work(tmp_path):
    workspace = Workspace.create(tmp_path)
    assert not has_waiting_work(workspace)
    workspace.spool.mkdir()
    (workspace.spool / ".half-written").touch()
    assert not has_waiting_work(workspace)
    (workspace.spool / "a.json").touch()
    assert has_waiting_work(workspace)


@pytest.mark.parametrize("before", [0, 10, (1 << 20) - 7, (1 << 20) - 1, 3 << 20])
def test_a_run_is_seen_wherever_it_is(tmp_path, before):
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"x" * before + b"[[DOTSCIENCE-RUN:1]]" + b"y" * 100)
    assert holds_run(path)
    path.write_bytes(b"x" * before + b"[[DOTSCIENCE-RUN" + b"y" * 100)
    assert not holds_run(path)
    assert not holds_run(tmp_path / "missing")
