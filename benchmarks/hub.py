# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Lists of a hub's project with very many runs, beside MLflow's server with as many.

    python benchmarks/hub.py [--runs N] [--mlflow PYTHON] [--postgresql URL]

Runs have eight parameters and six metrics. Each server is asked over HTTP on loopback for the first
100 runs that match a filter on a parameter, sorted by a metric: filters and metrics that it was not
asked for before, then the same again. The hub keeps them in SQLite, and in PostgreSQL if the URL of
an empty database is given. MLflow is measured if PYTHON has the whole of it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _mlflow import is_whole, server
from _table import describe, machine, markdown, median, seconds

from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.records import NewCommit

sys.path.append(str(Path(__file__).resolve().parent.parent / "ui-tests"))
from make_runs import make_wide_run  # the runs that the explorer is measured with

BATCH = 500
ASKED = [
    (name, metric)
    for name in ("model", "depth", "optimizer", "batch_size")
    for metric in ("accuracy", "f1", "rmse", "val_loss")
]
VALUES = {"model": "svm", "depth": "3", "optimizer": "adam", "batch_size": "64"}


def fill(data: Path, db: str, count: int) -> tuple[str, str]:
    """Make a hub with one project of many runs; return the project's id and a key."""
    services = Services.open(Config(data=data, db=db))
    try:
        ada = services.identity.create_user("ada", admin=True)
        key = services.identity.create_key(ada, "benchmark")[1]
        info = services.projects.create(ada, "many")
        chance = random.Random(7)
        with services.projects.open(info) as project:
            snapshot = project.engine.edit(None, []).id
            head = None
            for first in range(0, count, BATCH):
                last = min(first + BATCH, count)
                runs = [make_wide_run(n, count, chance) for n in range(first, last)]
                commit = NewCommit(snapshot, "dotscience.run.v1", "Many runs", "ada", runs)
                head = project.records.commit([commit], expected_head=head)[0].id
        return info.id, key
    finally:
        services.close()


@contextmanager
def hub(data: Path, db: str) -> Iterator[str]:
    """Start a hub; give its address."""
    command = [sys.executable, "-m", "dotscience_jupyter.cli", "hub", "start", "--json"]
    command += ["--port", "0", "--data", str(data), *(["--db", db] if db else [])]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


def timed(ask: Callable[[str, str], int]) -> tuple[list[float], list[float]]:
    """Ask everything twice; return what the first and the second time took, in seconds."""
    rounds: list[list[float]] = []
    for _ in range(2):
        took = []
        for name, metric in ASKED:
            begin = time.perf_counter()
            assert ask(name, metric) == 100
            took.append(time.perf_counter() - begin)
        rounds.append(took)
    return rounds[0], rounds[1]


def ask_hub(url: str, project: str, key: str) -> Callable[[str, str], int]:
    """Return a function that asks a hub for a page, and returns how many runs it has."""
    token = base64.b64encode(f"ada:{key}".encode()).decode()

    def ask(name: str, metric: str) -> int:
        query = urllib.parse.urlencode(
            {
                "where": f"parameters.{name} = '{VALUES[name]}'",
                "sort": f"metrics.{metric} desc",
                "limit": 100,
            }
        )
        request = urllib.request.Request(
            f"{url}/api/v1/projects/{project}/runs?{query}",
            headers={"Authorization": f"Basic {token}"},
        )
        with urllib.request.urlopen(request) as answer:
            return len(json.load(answer)["items"])

    return ask


def ask_mlflow(url: str) -> Callable[[str, str], int]:
    """Return a function that asks MLflow for a page, and returns how many runs it has."""

    def ask(name: str, metric: str) -> int:
        value = VALUES[name]
        body = {
            "experiment_ids": ["0"],
            "filter": f"params.{name} = '{value}'",
            "order_by": [f"metrics.{metric} DESC"],
            "max_results": 100,
        }
        request = urllib.request.Request(
            f"{url}/api/2.0/mlflow/runs/search",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return len(json.load(answer)["runs"])

    return ask


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--mlflow", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--postgresql", default="", metavar="URL")
    options = parser.parse_args()
    print(describe(machine("dotscience-jupyter", "sqlalchemy")))
    rows = []
    for title, db in (("hub, SQLite", ""), ("hub, PostgreSQL", options.postgresql)):
        if not db and "Postgre" in title:
            print("No PostgreSQL was given, so it is left out.\n")
            continue
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "hub"
            project, key = fill(data, db, options.runs)
            with hub(data, db) as url:
                rows.append((title, *timed(ask_hub(url, project, key))))
    if is_whole(options.mlflow):
        with server(options.mlflow, options.runs) as url:
            rows.append(("MLflow server, SQLite", *timed(ask_mlflow(url))))
    else:
        print("The whole of MLflow is not there, so it is left out: pip install mlflow\n")
    print(f"\n{options.runs:,} runs; {len(ASKED)} pages of 100, filtered and sorted\n")
    print(
        markdown(
            ("", "a new question, median", "worst", "the same again, median"),
            [
                (title, seconds(median(first)), seconds(max(first)), seconds(median(again)))
                for title, first, again in rows
            ],
        )
    )


if __name__ == "__main__":
    main()
