# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Make a folder a workspace with many runs. Usage: make_runs.py FOLDER COUNT."""

from __future__ import annotations

import random
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dotscience_jupyter.records import NewCommit, NewRun, NewValue, Records, Workspace
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


def main() -> None:
    """Write the runs in a few large commits."""
    root, count = Path(sys.argv[1]), int(sys.argv[2])
    root.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    workspace = Workspace.create(root, force=True)
    engine = open_engine(root, workspace.store)
    snapshot = engine.snapshot().id
    records = Records.open(workspace.database_url)
    head = None
    for first in range(0, count, BATCH):
        runs = [make_run(n, count, chance) for n in range(first, min(first + BATCH, count))]
        commit = NewCommit(snapshot, "dotscience.run.v1", "Many runs", "ada", runs)
        head = records.commit([commit], expected_head=head)[0].id
    records.close()
    engine.close()


if __name__ == "__main__":
    main()
