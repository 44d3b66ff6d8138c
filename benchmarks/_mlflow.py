# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""An MLflow server with many runs, to measure beside."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PARAMETERS: dict[str, Callable[[int, random.Random], object]] = {
    "depth": lambda number, chance: number % 7,
    "model": lambda number, chance: ("svm", "forest", "linear")[number % 3],
    "learning_rate": lambda number, chance: f"{10 ** chance.uniform(-4, -1):.3g}",
    "batch_size": lambda number, chance: 2 ** chance.randint(4, 9),
    "dropout": lambda number, chance: round(chance.uniform(0, 0.6), 2),
    "optimizer": lambda number, chance: chance.choice(("adam", "sgd", "adamw")),
    "augment": lambda number, chance: chance.choice((True, False)),
    "seed": lambda number, chance: chance.randint(0, 99),
}
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
                (key, str(choose(number, chance)), run)
                for number, (run, _, _) in enumerate(runs)
                for key, choose in PARAMETERS.items()
            ),
        )
        for table in ("metrics", "latest_metrics"):
            connection.executemany(
                f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan)"
                " VALUES (?, ?, ?, ?, 0, 0)",
                metrics,
            )


@contextmanager
def server(python: str, count: int, keep: Path | None = None) -> Iterator[str]:
    """Give the address of an MLflow server with that many runs, kept in a folder if one is given.

    They are written into MLflow's own tables, which its own code has made.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = (keep or Path(folder)) / f"mlflow-{count}.db"
        if not database.is_file():
            making = database.with_suffix(".new")
            making.unlink(missing_ok=True)
            subprocess.run(
                [python, "-c", MAKE_STORE, str(making), folder], check=True, capture_output=True
            )
            fill(making, count)
            making.rename(database)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}",
             "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                raise RuntimeError("MLflow's server does not answer.")
            yield url
        finally:
            # its workers would first end what they are at, which may take minutes
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_whole(python: str) -> bool:
    """Whether an interpreter has the whole of MLflow, not only ``mlflow-skinny``."""
    found = subprocess.run([python, "-c", "import mlflow.server, flask"], capture_output=True)
    return found.returncode == 0
