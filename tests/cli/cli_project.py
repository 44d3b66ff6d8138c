# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A project that the tests of the command line work on."""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from dotscience_jupyter.cli.app import cli

ROOT = Path(__file__).resolve().parents[2]

# does what it is told: writes and removes files, prints, publishes one run as text
EMIT = """
import json, os, pathlib, sys
task = json.loads(sys.argv[1])
for name, text in task["files"].items():
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin-1"))
for name in task["remove"]:
    os.remove(name)
print(task["say"])
if task["run"] is not None:
    identity = task["id"]
    body = json.dumps(task["run"], sort_keys=True, indent=4)
    print(f"[[DOTSCIENCE-RUN:{identity}]]{body}[[/DOTSCIENCE-RUN:{identity}]]")
sys.exit(task["exit"])
"""

HOSTILE = (
    "evil \x1b[2J\x1b]0;title\x07 \x9b31m \u202ereversed [bold red]markup[/] \x7f\r\nsecond line"
)


@dataclass
class Project:
    """A tracked folder and what can be done in it."""

    folder: Path
    emit: Path
    ids: dict[str, str] = field(default_factory=dict)

    def ds(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(cli, ["-C", str(self.folder), *arguments], env=env)

    def json(self, *arguments: str) -> Any:
        """Run a command that succeeds and return its JSON answer."""
        result = self.ds("--json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def emitting(
        self,
        run: dict[str, Any] | None = None,
        *,
        identity: str | None = None,
        files: dict[str, str] | None = None,
        remove: tuple[str, ...] = (),
        say: str = "working",
        exit_code: int = 0,
    ) -> list[str]:
        """Return a command that publishes a run."""
        if run is not None:
            empty: dict[str, Any] = {"labels": {}, "parameters": {}, "summary": {}}
            run = {"version": "1", "input": [], "output": [], **empty, **run}
        task = {
            "run": run,
            "id": identity or str(uuid.uuid4()),
            "files": files or {},
            "remove": list(remove),
            "say": say,
            "exit": exit_code,
        }
        return [sys.executable, str(self.emit), json.dumps(task)]

    def publish(self, name: str, run: dict[str, Any], **options: Any) -> str:
        """Publish a run through ``ds run`` and return its id."""
        identity = str(uuid.uuid4())
        result = self.ds("run", "--", *self.emitting(run, identity=identity, **options))
        assert result.exit_code == 0, result.output
        self.ids[name] = identity
        return identity


def make_project(base: Path) -> Project:
    """Return a fresh tracked folder."""
    folder = base / "project"
    folder.mkdir()
    emit = base / "emit.py"
    emit.write_text(EMIT)
    project = Project(folder, emit)
    assert project.ds("init", ".").exit_code == 0
    return project


def notebook(source: str, output: str) -> str:
    """Return a notebook of one cell."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}]
    cell = {
        "cell_type": "code",
        "id": "abc",
        "metadata": {},
        "execution_count": 1,
        "source": source.splitlines(keepends=True),
        "outputs": outputs,
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
