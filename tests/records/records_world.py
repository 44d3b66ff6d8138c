# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Builders of commits and runs, and a PostgreSQL server of our own, for the tests of records."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dotscience_jupyter.records.store import (
    NewChange,
    NewCommit,
    NewDatasetFile,
    NewFile,
    NewRun,
    NewSeries,
    NewValue,
    Records,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Nanoseconds that go on by one second with every look."""

    def __init__(self) -> None:
        self.now = int(START.timestamp()) * 10**9 + 123_456_789

    def __call__(self) -> int:
        self.now += 10**9
        return self.now


def values(**kinds: dict[str, object]) -> list[NewValue]:
    """``values(parameter={"lr": 0.1}, label={"a": "b"})``, types from Python's."""
    names = {str: "str", int: "int", float: "float", bool: "bool", type(None): "none"}
    return [
        NewValue(kind, name, str(value), names[type(value)])
        for kind, named in kinds.items()
        for name, value in named.items()
    ]


def series(name: str, *points: float) -> NewSeries:
    numbers = array("d", points)
    steps = array("d", range(len(points)))
    times = array("d", [1.5 + step for step in range(len(points))])
    return NewSeries(name, len(points), steps.tobytes(), numbers.tobytes(), times.tobytes())


def run(
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    authority: str = "workload",
    **fields: object,
) -> NewRun:
    files = [NewFile("input", path) for path in reads]
    files += [NewFile("output", path, digest="d" * 64, size=3) for path in writes]
    fields.setdefault("id", str(uuid4()))
    return NewRun(authority=authority, files=files, **fields)


def full_run(**fields: object) -> NewRun:
    """A run with something in every table and column."""
    given: dict[str, object] = {
        "description": "tuning äöü",
        "error": "ValueError: no",
        "author": "ada",
        "workload_type": "command",
        "workload_file": "train.py",
        "started": START,
        "ended": START + timedelta(seconds=1.25),
        "values": values(
            parameter={"lr": 0.1, "deep": True, "seed": None, "n": 7},
            metric={"acc": 0.9, "loss": float("inf"), "bad": float("nan")},
            label={"artefact:m": "x"},
        ),
        "series": [series("loss", 3.0, 2.0, 1.0)],
        "environment": {
            "python": {"version": "3.11"},
            "platform": {"system": "Linux", "text": "Linux-6.1"},
            "cpu": {"model": "EPYC", "count": 2},
            "gpu": ["A100"],
            "ram": 1024,
            "image": {"name": "img:1", "digest": "sha256:ab"},
        },
        "details": {
            "traceback": "ValueError: no (train.py, line 1)",
            "seeds": {"torch": 42},
            "resources": {"cpu_seconds": 1.5, "peak_ram": 2048},
            "process": {"host": "laptop", "pid": 1},
            "cell": {"id": "abc"},
        },
        "datasets": [
            NewDatasetFile("input", "iris", "raw/a.csv", "c" * 64, "d" * 64, 3),
            NewDatasetFile("output", "iris", "raw/b.csv", "c" * 64, authority="derived"),
        ],
    }
    return run(reads=("raw.csv", "gone.csv"), writes=("model.pkl",), **(given | fields))


def commit(*runs: NewRun, changes: dict[str, str] | None = None, **fields: object) -> NewCommit:
    fields.setdefault("snapshot", f"snapshot-{uuid4()}")
    fields.setdefault("type", "dotscience.run.v1" if runs else "dotscience.files.v1")
    fields.setdefault("message", "a message")
    fields.setdefault("author", "grace")
    listed = [NewChange(path, change, "e" * 64) for path, change in (changes or {}).items()]
    return NewCommit(runs=list(runs), changes=listed, **fields)


def head_of(records: Records) -> str | None:
    newest = records.head()
    return None if newest is None else newest.id


def add(records: Records, *commits: NewCommit) -> list[str]:
    """Record commits on whatever the head is; return their ids."""
    return [made.id for made in records.commit(commits, expected_head=head_of(records))]


def missing(reason: str) -> None:
    """Skip, unless every real part is required."""
    if os.environ.get("DOTSCIENCE_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server that only we can reach; give the URL of an empty database."""
    try:
        import psycopg  # noqa: F401 - the driver that the URL names
    except ImportError:
        missing("psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    on_path = shutil.which("pg_ctl")
    if not found and not on_path:
        missing("there is no PostgreSQL server on this machine")
    programs = found[0].parent if found else Path(str(on_path)).resolve().parent
    # a socket's path may have 107 characters, fewer than pytest's folders take
    folder = tempfile.mkdtemp(prefix="ds-pg-")
    # the server refuses to run as root
    user = "postgres" if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(folder, user, user)

        def call(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [programs / program, *arguments],
                user=user,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=120,
                text=True,
            )
            assert done.returncode == 0, done.stderr

        data = f"{folder}/data"
        call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -k {folder} -F"
        call("pg_ctl", "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
