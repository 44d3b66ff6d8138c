# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace with a committer, and programs that publish in it."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dotscience_jupyter.committer import Committed, Committer
from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.snapshots import open_engine

MIME = "application/vnd.dotscience.run.v1+json"
START = datetime(2026, 1, 1, tzinfo=UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def when(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%S.%f")


def run_object(**extra: Any) -> dict[str, Any]:
    return {
        "version": "1",
        "input": [],
        "output": [],
        "labels": {},
        "summary": {},
        "parameters": {},
        **extra,
    }


def run_text(run_id: str, **extra: Any) -> str:
    body = json.dumps(run_object(**extra), sort_keys=True, indent=4)
    return f"[[DOTSCIENCE-RUN:{run_id}]]{body}[[/DOTSCIENCE-RUN:{run_id}]]\n"


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode()


def run_record(
    run_id: str, root: Path, extra: dict[str, Any] | None = None, **run: Any
) -> dict[str, Any]:
    return {
        "format": 1,
        "id": run_id,
        "run": run_object(**run),
        "root": str(root),
        "workspace": None,
        "process": {"pid": 1, "host": socket.gethostname(), "user": "ada"},
        **(extra or {}),
    }


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


def display(record: dict[str, Any]) -> dict[str, Any]:
    data = {MIME: record, "text/html": "<b>card</b>", "text/plain": "card"}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def notebook(*cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A notebook whose code cells have these outputs."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "execution_count": number + 1,
                "metadata": {},
                "source": "ds.publish()",
                "outputs": list(outputs),
            }
            for number, outputs in enumerate(cells)
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class World:
    """A workspace in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace.create(root)
        self.records = Records.open(self.workspace.database_url)
        self.engine = open_engine(root, self.workspace.store)
        self.events: list[str] = []
        self.committer = Committer(
            self.workspace,
            self.records,
            self.engine,
            author="Ada",
            on_change=self.events.append,
        )

    def close(self) -> None:
        self.engine.close()
        self.records.close()

    def write(self, path: str, content: str | bytes = "x") -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content if isinstance(content, bytes) else content.encode())
        return full

    def save(self, path: str, *cells: Sequence[dict[str, Any]]) -> Path:
        return self.write(path, json.dumps(notebook(*cells)))

    def spool(self, record: dict[str, Any], name: str | None = None) -> Path:
        self.workspace.spool.mkdir(parents=True, exist_ok=True)
        name = name or f"{record['id']}.json"
        temporary = self.workspace.spool / f".{name}"
        temporary.write_text(json.dumps(record))
        temporary.rename(self.workspace.spool / name)
        return self.workspace.spool / name

    def scan(self, *notebooks: str) -> Committed:
        return self.committer.scan(notebooks or None)

    def run(self, run_id: str) -> Any:
        return self.records.get_run(run_id)

    def files(self, run_id: str, direction: str) -> dict[str, Any]:
        return {file.path: file for file in self.run(run_id).files if file.direction == direction}

    def ids(self) -> list[str]:
        runs, _ = self.records.list_runs(limit=100_000)
        return [run.id for run in runs if run.authority != "correction"]

    def corrections(self) -> list[Any]:
        runs, _ = self.records.list_runs(limit=100_000)
        return [self.run(run.id) for run in runs if run.authority == "correction"]

    def messages(self) -> list[str]:
        """Of all commits, oldest first."""
        return [commit.message for commit in reversed(self.records.list_commits(limit=10_000)[0])]

    def check(self) -> None:
        """Everything that is recorded is whole."""
        assert self.records.verify() == []
        assert self.engine.verify(self.records.snapshots()) == []

    def spooled(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.workspace.spool) if name.endswith(".json")]
        except FileNotFoundError:
            return []
