# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Ignore rules: the same answer for a walk and for single paths, and gitignore's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshot_helpers import write

from dotscience_jupyter.snapshots import EmbeddedEngine, IgnoreRules

IGNORED = [
    ("__pycache__", True),
    ("a/__pycache__/m.pyc", False),
    (".git", True),
    (".git", False),
    ("sub/.git/config", False),
    (".dotscience/store/packs/x", False),
    ("a/.ipynb_checkpoints/n-checkpoint.ipynb", False),
    ("node_modules/x/y/z.js", False),
    (".venv/bin/python", False),
    (".~nb.ipynb", False),
    (".nb.ipynb.swp", False),
    (".hidden.tmp", False),
    ("d/.DS_Store", False),
    (".dotscience-restore-0123/f", False),
]
KEPT = [
    ("", True),
    ("a", False),
    ("__pycache__", False),  # a file of that name is somebody's
    ("node_modules", False),
    ("venv/x", False),
    ("env/x", False),
    ("data.tmp", False),
    (".env", False),
    (".gitignore", False),
    ("\udcff", False),
    ("x\ny", False),
]


@pytest.mark.parametrize(("path", "is_dir"), IGNORED)
def test_ignored_by_default(tmp_path: Path, path: str, is_dir: bool) -> None:
    assert IgnoreRules(tmp_path).is_ignored(path, is_dir)


@pytest.mark.parametrize(("path", "is_dir"), KEPT)
def test_kept_by_default(tmp_path: Path, path: str, is_dir: bool) -> None:
    assert not IgnoreRules(tmp_path).is_ignored(path, is_dir)


def test_environments_are_known_by_what_they_hold(tmp_path: Path) -> None:
    rules = IgnoreRules(tmp_path)
    assert not rules.is_ignored("any/lib/x.py")
    write(tmp_path / "any" / "pyvenv.cfg", "")
    # whoever watches hears of the marker itself, and that is enough
    assert rules.is_ignored("any/pyvenv.cfg")
    assert rules.is_ignored("any/lib/x.py")
    assert rules.is_ignored("any", True)
    write(tmp_path / ".dotscienceignore", "!any/\n")
    assert not rules.is_ignored(".dotscienceignore")
    assert not rules.is_ignored("any/lib/x.py")


def test_a_workspace_that_is_an_environment_is_not_ignored(tmp_path: Path) -> None:
    write(tmp_path / "pyvenv.cfg", "")
    assert not IgnoreRules(tmp_path).is_ignored("notebook.ipynb")


def test_ours_and_gits_cannot_be_brought_back(tmp_path: Path) -> None:
    write(tmp_path / ".dotscienceignore", "!*\n!.git\n!.dotscience\n!.git/**\n")
    rules = IgnoreRules(tmp_path)
    assert rules.is_ignored(".git", True)
    assert rules.is_ignored(".git/HEAD")
    assert rules.is_ignored("sub/.dotscience", True)
    assert not rules.is_ignored("__pycache__", True)


@pytest.mark.parametrize(
    "content",
    [b"!\n*.log\n", b"\xef\xbb\xbf*.log\n", b"*.log\r\n", b"\xff\xfe\n*.log", b"*.log  \n# c\n\n"],
)
def test_odd_ignore_files(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / ".dotscienceignore", content)
    rules = IgnoreRules(tmp_path)
    assert rules.is_ignored("x.log")
    assert not rules.is_ignored("x.txt")


def test_an_ignore_file_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".dotscienceignore").mkdir()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".dotscienceignore").symlink_to("/etc/passwd")
    rules = IgnoreRules(tmp_path)
    assert not rules.is_ignored("x")
    assert not rules.is_ignored("d/x")


NAME = st.sampled_from(["a", "b", "c.log", "keep.log"])
PATTERN = st.builds(
    lambda bang, start, names, end: bang + start + "/".join(names) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/", "**/"]),
    st.lists(st.one_of(NAME, st.sampled_from(["*", "*.log", "[ab]", "?"])), min_size=1, max_size=2),
    st.sampled_from(["", "/", "/**"]),
)
PATHS = st.lists(NAME, min_size=1, max_size=3).map("/".join)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    top=st.lists(PATTERN, max_size=4),
    below=st.lists(PATTERN, max_size=3),
    paths=st.sets(PATHS, min_size=1, max_size=8),
)
def test_the_rules_are_gits(
    top: list[str], below: list[str], paths: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("work")
    for path in sorted(paths):
        try:
            write(folder / path, "x")
        except OSError:
            continue  # a file of that name is in the way
    for name in (".gitignore", ".dotscienceignore"):
        write(folder / name, "\n".join(top))
        if (folder / "a").is_dir():
            write(folder / "a" / name, "\n".join(below))
    subprocess.run(["git", "init", "-q", os.fspath(folder)], check=True)
    command = ["git", "-C", os.fspath(folder), "-c", "core.excludesFile=", "ls-files", "-coz"]
    said = subprocess.run([*command, "--exclude-standard"], check=True, capture_output=True).stdout
    expected = {name for name in said.decode().split("\0") if name}
    engine = EmbeddedEngine(folder, folder / ".dotscience" / "store")
    snapshot = engine.snapshot().id
    frozen = {entry.path for entry in engine.walk(snapshot) if entry.kind == "file"}
    assert frozen == expected
    rules = IgnoreRules(folder)
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), folder)
            assert rules.is_ignored(path) == (path not in expected), path
    engine.close()
