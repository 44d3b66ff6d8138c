# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a user waits for in the browser, beside MLflow's page with as many runs.

    python benchmarks/panels.py [--runs N] [--mlflow PYTHON] [--only VIEW ...]

VIEW is explorer, mlflow, panel or difference. Drives JupyterLab in Chromium
(``ui-tests/benchmarks``) and prints a table for each view. MLflow is measured if PYTHON (by default
this interpreter) has the whole of it, not only ``mlflow-skinny``: its store is filled by SQL with
runs of eight parameters and six metrics, its server is started on loopback, and its list of runs is
opened, sorted, filtered and scrolled.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from _table import describe, machine

UI_TESTS = Path(__file__).resolve().parent.parent / "ui-tests"
PARAMETERS = (
    "depth", "model", "learning_rate", "batch_size", "dropout", "optimizer", "augment", "seed"
)  # fmt: skip
METRICS = ("accuracy", "loss", "f1", "rmse", "val_loss", "train_seconds")
MAKE_STORE = """
import sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore("sqlite:///" + sys.argv[1], sys.argv[2])
"""


def fill(database: Path, count: int) -> None:
    """Write runs into MLflow's tables."""
    chance = random.Random(7)
    now = int(time.time() * 1000)
    runs = [
        (
            uuid.UUID(int=chance.getrandbits(128)).hex,
            f"run {number}",
            now - (count - number) * 60000,
        )
        for number in range(count)
    ]
    metrics = [(key, chance.random(), now, run) for run, _, _ in runs for key in METRICS]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time,"
            " lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'LOCAL', 'ada', 'FINISHED', ?, ?, 'active', '', 0)",
            ((run, name, start, start + 30000) for run, name, start in runs),
        )
        connection.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.runName', ?, ?)",
            ((name, run) for run, name, _ in runs),
        )
        connection.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            (
                (key, ("svm", "forest", "linear")[number % 3] if key == "model"
                 else str(chance.randint(0, 99)), run)
                for number, (run, _, _) in enumerate(runs)
                for key in PARAMETERS
            ),
        )  # fmt: skip
        for table in ("metrics", "latest_metrics"):
            connection.executemany(
                f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan)"
                " VALUES (?, ?, ?, ?, 0, 0)",
                metrics,
            )


@contextmanager
def server(python: str, count: int) -> Iterator[str]:
    """Give the address of an MLflow server with that many runs."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mlflow.db"
        subprocess.run(
            [python, "-c", MAKE_STORE, str(database), folder], check=True, capture_output=True
        )
        fill(database, count)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}",
             "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait()


def drive(spec: str, runs: int, **env: str) -> int:
    """Run one of the browser's benchmarks."""
    return subprocess.run(
        ["jlpm", "playwright", "test", "--config", "playwright.bench.config.js",
         f"benchmarks/{spec}.spec.ts"],
        cwd=UI_TESTS,
        env={**os.environ, "DOTSCIENCE_BENCH_RUNS": str(runs), **env},
    ).returncode  # fmt: skip


def main() -> int:
    """Measure what was asked for."""
    specs = ("explorer", "mlflow", "panel", "difference")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--mlflow", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--only", choices=specs, action="append")
    options = parser.parse_args()
    print(describe(machine("jupyterlab", "dotscience-jupyter")))
    failed = 0
    for spec in options.only or specs:
        if spec != "mlflow":
            failed += drive(spec, options.runs) != 0
            continue
        has = subprocess.run([options.mlflow, "-c", "import mlflow.server, flask"],
                             capture_output=True)  # fmt: skip
        if has.returncode:
            print("The whole of MLflow is not there, so its page is left out: pip install mlflow\n")
            continue
        with server(options.mlflow, options.runs) as url:
            failed += drive(spec, options.runs, DOTSCIENCE_BENCH_MLFLOW=url) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
