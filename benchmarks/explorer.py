# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the metric explorer's answers take on a workspace of very many runs.

    python benchmarks/explorer.py [--runs N] [--keep FOLDER] [--repeats N] [--json FILE]

The workspace is made in a temporary folder, or in FOLDER, where a later call finds it again: runs
with twelve parameters, eight metrics and a label, all written by the code that records real runs.
Figures are medians; ``cold`` ones are of a process that has just opened the workspace.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
import time
import uuid
from array import array
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from _table import describe, machine, markdown, median, seconds, write_json

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.api.explore import Exploring
from dotscience_jupyter.api.models import RunSummary
from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.records.store import NewCommit, NewRun, NewSeries, NewValue

START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("svm", "forest", "mlp", "boost")


def new_run(number: int, chance: random.Random) -> NewRun:
    """Return a run whose metrics depend on its parameters."""
    rate = 10 ** chance.uniform(-5, -1)
    depth = chance.randint(2, 12)
    model = chance.choice(MODELS)
    accuracy = 1 / (1 + math.exp(-(3 + math.log10(rate) / 2 + depth / 10 + chance.gauss(0, 0.4))))
    parameters: dict[str, object] = {
        "model": model,
        "learning_rate": rate,
        "depth": depth,
        "batch size": chance.choice((16, 32, 64, 128)),
        "optimizer": chance.choice(("adam", "sgd", "rmsprop")),
        "augment": chance.random() < 0.5,
        "seed": number % 10,
        "dropout": round(chance.uniform(0, 0.6), 3),
        "momentum": round(chance.uniform(0.8, 0.99), 4),
        "weight_decay": 10 ** chance.uniform(-6, -2),
        "epochs": chance.choice((5, 10, 20)),
        "scheduler": chance.choice(("none", "cosine", "step")),
    }
    metrics = {
        "accuracy": accuracy,
        "loss": -math.log(accuracy) + chance.gauss(0, 0.02),
        "val_accuracy": accuracy - abs(chance.gauss(0, 0.03)),
        "val_loss": -math.log(accuracy) + abs(chance.gauss(0, 0.05)),
        "f1": accuracy * chance.uniform(0.9, 1),
        "auc": min(1.0, accuracy + 0.03),
        "seconds_per_epoch": depth * chance.uniform(0.5, 1.5),
        "memory": depth * 1e8 + chance.uniform(0, 1e7),
    }
    if chance.random() < 0.05:
        del metrics["auc"]
    kinds = {bool: "bool", int: "int", float: "float", str: "str"}
    values = [NewValue("parameter", n, str(v), kinds[type(v)]) for n, v in parameters.items()]
    values += [NewValue("metric", name, repr(v), "float") for name, v in metrics.items()]
    values.append(NewValue("label", "stage", chance.choice(("dev", "test", "paper"))))
    started = START + timedelta(minutes=number)
    return NewRun(
        id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        authority="workload",
        description=f"{model} number {number}",
        error="ValueError: loss is nan" if chance.random() < 0.02 else None,
        author=chance.choice(("ada", "grace", "alan")),
        workload_file=chance.choice(("train.ipynb", "tune.ipynb", "scripts/train.py")),
        started=started,
        ended=started + timedelta(seconds=chance.uniform(1, 3000)),
        values=values,
        series=[_series(chance)] if number % 100 == 0 else [],
        details={"resources": {"cpu_seconds": 1.5, "peak_ram": 2**30}},
    )


def _series(chance: random.Random) -> NewSeries:
    count = 500
    steps = array("d", range(count))
    points = array("d", [math.exp(-n / 100) + chance.gauss(0, 0.02) for n in range(count)])
    times = array("d", [START.timestamp() + n for n in range(count)])
    return NewSeries("loss", count, steps.tobytes(), points.tobytes(), times.tobytes())


def make(folder: Path, runs: int, seed: int = 1) -> Workspace:
    """Make a workspace with that many runs, or return the one that is there."""
    found = Workspace.find(folder)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    workspace = Workspace.create(folder)
    records = Records.open(workspace.database_url)
    chance = random.Random(seed)
    head = None
    for start in range(0, runs, 1000):
        made = [new_run(n, chance) for n in range(start, min(runs, start + 1000))]
        commit = NewCommit(
            snapshot=f"benchmark-{start}",
            type="dotscience.run.v1",
            message=f"runs from {start}",
            author="ada",
            runs=made,
        )
        head = records.commit([commit], expected_head=head)[-1].id
    records.close()
    return workspace


def timed(function: Callable[[], object], repeats: int) -> float:
    """Return the median of what some calls take."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return median(times)


SORTS = (
    "",
    "metrics.accuracy desc",
    "parameters.learning_rate",
    "parameters.model",
    "seconds desc",
)
WHERES = (
    "metrics.accuracy > 0.8",
    "metrics.accuracy > 0.8 and parameters.model = 'svm'",
    "status = 'failed'",
    "started >= '2026-02-01' and labels.stage in ('dev', 'test')",
)


def measure(workspace: Workspace, repeats: int) -> dict[str, float]:
    """Return what each kind of answer takes, in seconds."""
    figures: dict[str, list[float]] = {}

    def note(title: str, function: Callable[[], object], times: int = 1) -> None:
        figures.setdefault(title, []).append(timed(function, times))

    with closing(WorkspaceService.open(workspace.root)) as service:
        found = service.explore.columns().items
    keys = [item.key for item in found if item.kind in ("parameter", "metric")]
    columns = json.dumps(keys)
    ids = [item.id for item in service_runs(workspace)]
    for _ in range(repeats):
        # opened anew, so that nothing is remembered
        with closing(WorkspaceService.open(workspace.root)) as service:
            explore = service.explore
            note("columns, first time", explore.columns)
            note("columns, again", explore.columns)
            for sort in SORTS:
                page = partial(explore.table, sort=sort, columns=columns)
                note(f"first page, sort '{sort}'", page)
                note("another page of the same", partial(page, offset=1000), 5)
                note("another page, far down", partial(page, offset=70_000), 5)
            for where in WHERES:
                sort = "metrics.f1 desc"
                page = partial(explore.table, where=where, sort=sort, columns=columns)
                note(f"first page, where {where}", page)
                note("another page of the same", partial(page, offset=1000), 5)
            three = json.dumps([*keys[:2], "metrics.accuracy"])
            note("5,000 points of 3 columns", partial(explore.points, columns=three))
            note("importance of 12 parameters", partial(explore.importance, "metrics.accuracy"))
            note("series of 50 runs", partial(explore.overlay, "loss", json.dumps(ids)))
            note("completion of a filter", partial(explore.complete, "metrics.ac", 10), 5)
            note("CSV of all runs, 20 columns", partial(whole_csv, explore, columns))
    return {title: median(times) for title, times in figures.items()}


def whole_csv(explore: Exploring, columns: str) -> int:
    """Return how long all runs are as CSV."""
    return sum(map(len, explore.csv(columns=columns)))


def service_runs(workspace: Workspace) -> list[RunSummary]:
    """Return runs that have a series."""
    with closing(WorkspaceService.open(workspace.root)) as service:
        where = " or ".join(f"description ~ 'number {n}00'" for n in range(1, 6))
        return service.runs(where=where, limit=50).items


GOALS = {"first page": 0.3, "another page": 0.03}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000, metavar="N")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make or find it there")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    facts = machine("sqlalchemy")
    with tempfile.TemporaryDirectory() as name:
        workspace = make(options.keep or Path(name) / "project", options.runs)
        figures = measure(workspace, options.repeats)

    def goal(title: str) -> float | None:
        return next((value for start, value in GOALS.items() if title.startswith(start)), None)

    rows = [[title, seconds(took), seconds(goal(title))] for title, took in figures.items()]
    print(markdown([f"median of, at {options.runs:,} runs", "takes", "goal"], rows))
    print(f"\n{describe(facts)}")
    write_json(options.json, {"machine": facts, "runs": options.runs, "seconds": figures})
    missed = [title for title, took in figures.items() if took > (goal(title) or took)]
    if missed:
        raise SystemExit(f"Goal missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
