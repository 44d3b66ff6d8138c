# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the tests of the command line share: a project that is tracked, and ways to run commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_project import HOSTILE, ROOT, Project, make_project, notebook


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the user's home, Git configuration, terminal or our own variables."""
    _isolate(monkeypatch, tmp_path_factory.mktemp("home"))


def _isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("DOTSCIENCE_", "GIT_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh tracked folder of one's own."""
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project with a history, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _isolate(monkeypatch, tmp_path_factory.mktemp("home"))
        project = make_project(tmp_path_factory.mktemp("story"))
        project.publish(
            "raw",
            {"description": "Fetch", "output": ["data/raw.csv"], "summary": {"rows": "3"}},
            files={"data/raw.csv": "a,b\n1,2\n3,4\n", "notes.txt": "one\ntwo\nthree"},
        )
        project.publish(
            "clean",
            {"description": "Clean", "input": ["data/raw.csv"], "output": ["data/clean.csv"]},
            files={"data/clean.csv": "a,b\n1,2\n", "notes.txt": "one\nTWO\nthree"},
        )
        project.publish(
            "train",
            {
                "description": "Train",
                "input": ["data/clean.csv"],
                "output": ["model.bin"],
                "parameters": {"alpha": "0.5", "kind": "svm"},
                "summary": {"accuracy": "0.93"},
                "labels": {"colour": "blue"},
            },
            files={"model.bin": "\x00\x01\xff", "book.ipynb": notebook("x = 1\n", "out 1")},
        )
        project.publish(
            "failed",
            {
                "description": HOSTILE,
                "error": f"ValueError: {HOSTILE}",
                "parameters": {"kind": HOSTILE, "alpha": "0.1"},
                "summary": {"accuracy": "nan"},
                "labels": {HOSTILE: HOSTILE},
            },
            files={"model.bin": "\x00\x02\xfe", "book.ipynb": notebook("x = 2\n", "out 2")},
            remove=("notes.txt",),
        )
        yield project


@pytest.fixture
def spawn() -> Any:
    """Start ``ds`` as a process of its own, in a process group of its own; killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dotscience_jupyter.cli", *arguments],
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr, process.stdin):
            if stream is not None:
                stream.close()
