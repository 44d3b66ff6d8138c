# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Make a folder a workspace with many runs. Usage: make_runs.py FOLDER COUNT [wide [COPIES]].

With "wide" each run has eight parameters and six metrics, and every tenth a series. With COPIES all
runs with values and series are there so many times more, copied within the database in seconds:
enough to look at, while `verify` would rightly find that no commit vouches for the copies.
"""

from __future__ import annotations

import dataclasses
import math
import random
import sqlite3
import struct
import sys
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dotscience_jupyter.records import NewCommit, NewRun, NewSeries, NewValue, Records, Workspace
from dotscience_jupyter.snapshots import open_engine

BATCH = 500


def make_run(number: int, count: int, chance: random.Random) -> NewRun:
    """Return a run with two parameters and two metrics."""
    started = datetime.now(UTC) - timedelta(minutes=count - number)
    accuracy = round(chance.uniform(0.4, 1.0), 4)
    return NewRun(
        id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        authority="workload",
        description=f"run {number}",
        author="ada",
        workload_file="train.ipynb",
        started=started,
        ended=started + timedelta(seconds=30),
        values=[
            NewValue("parameter", "depth", str(number % 7), "int"),
            NewValue("parameter", "model", ("svm", "forest", "linear")[number % 3], "str"),
            NewValue("metric", "accuracy", str(accuracy), "float"),
            NewValue("metric", "loss", str(round(1 - accuracy, 4)), "float"),
        ],
    )


def floats(numbers: list[float]) -> bytes:
    """Return numbers as records keep them."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def make_wide_run(number: int, count: int, chance: random.Random) -> NewRun:
    """Return a run with eight parameters, six metrics and perhaps a series."""
    run = make_run(number, count, chance)
    rate = 10 ** chance.uniform(-4, -1)
    dropout = round(chance.uniform(0, 0.6), 2)
    quality = 0.95 - 0.08 * abs(math.log10(rate) + 2.5) - 0.2 * dropout**2
    quality += chance.gauss(0, 0.02)
    more = [
        NewValue("parameter", "learning_rate", f"{rate:.3g}", "float"),
        NewValue("parameter", "batch_size", str(2 ** chance.randint(4, 9)), "int"),
        NewValue("parameter", "dropout", str(dropout), "float"),
        NewValue("parameter", "optimizer", chance.choice(("adam", "sgd", "adamw")), "str"),
        NewValue("parameter", "augment", chance.choice(("True", "False")), "bool"),
        NewValue("parameter", "seed", str(chance.randint(0, 99)), "int"),
        NewValue("metric", "f1", f"{quality:.4f}", "float"),
        NewValue("metric", "rmse", f"{1.2 - quality:.4f}", "float"),
        NewValue("metric", "val_loss", f"{chance.uniform(0.2, 1.4):.4f}", "float"),
        NewValue("metric", "train_seconds", f"{chance.uniform(5, 900):.1f}", "float"),
    ]
    series = []
    if number % 10 == 0:
        values = [2.3 * math.exp(-0.03 * step) + chance.gauss(0.2, 0.08) for step in range(200)]
        started = (run.started or datetime.now(UTC)).timestamp()
        times = [started + 2.0 * step for step in range(200)]
        series.append(
            NewSeries("loss", 200, floats(list(range(200))), floats(values), floats(times))
        )
    return dataclasses.replace(run, values=[*run.values, *more], series=series)


def copy(database: Path, count: int, copies: int) -> None:
    """Put more runs like the first ones behind them."""
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
        wanted = {"id": "printf('%08x', :copy) || substr(id, 9)", "sequence": "sequence + :more"}
        runs = ", ".join(wanted.get(name, name) for name in columns)
        for number in range(1, copies + 1):
            at = {"copy": number, "more": number * count, "count": count}
            connection.execute(
                f"INSERT INTO runs SELECT {runs} FROM runs WHERE sequence <= :count", at
            )
            connection.execute(
                "INSERT INTO run_values SELECT run_sequence + :more, kind, name, text, type, number"
                " FROM run_values WHERE run_sequence <= :count",
                at,
            )
            connection.execute(
                "INSERT INTO series SELECT printf('%08x', :copy) || substr(run_id, 9), name,"
                ' series."count", digest, data FROM series JOIN runs ON runs.id = run_id'
                " WHERE sequence <= :count",
                at,
            )


def main() -> None:
    """Write the runs in a few large commits."""
    root, count = Path(sys.argv[1]), int(sys.argv[2])
    make = make_wide_run if sys.argv[3:4] == ["wide"] else make_run
    root.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    workspace = Workspace.create(root, force=True)
    engine = open_engine(root, workspace.store)
    snapshot = engine.snapshot().id
    records = Records.open(workspace.database_url)
    head = None
    for first in range(0, count, BATCH):
        runs = [make(n, count, chance) for n in range(first, min(first + BATCH, count))]
        commit = NewCommit(snapshot, "dotscience.run.v1", "Many runs", "ada", runs)
        head = records.commit([commit], expected_head=head)[0].id
    records.close()
    engine.close()
    if sys.argv[4:]:
        copy(Path(workspace.database_url.removeprefix("sqlite:///")), count, int(sys.argv[4]))


if __name__ == "__main__":
    main()
