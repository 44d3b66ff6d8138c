# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Lists of a hub's project with very many runs, beside MLflow's server with as many.

    python benchmarks/hub.py [--runs N] [--mlflow PYTHON] [--postgresql URL] [--keep FOLDER]

Runs have eight parameters and six metrics. Each server is asked over HTTP on loopback for pages of
100 runs: those that match a filter on a parameter, sorted by a metric; the same with a condition on
a metric as well; the fiftieth page; those that tell of a number. No question is asked twice but for
one that is asked again and again. The hub keeps runs in SQLite, and in PostgreSQL if the URL of an
empty database is given. MLflow is measured if PYTHON has the whole of it, with its own schema in
SQLite, and fewer questions. Filled databases stay in FOLDER for the next time.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from _filling import filled
from _mlflow import is_whole, server
from _table import describe, machine, markdown, median, seconds, write_json

VALUES: dict[str, Sequence[str]] = {
    "model": ("svm", "forest", "linear"),
    "optimizer": ("adam", "sgd", "adamw"),
    "depth": tuple("0123456"),
    "batch_size": ("16", "32", "64", "128", "256", "512"),
}
SORTS = ("accuracy", "f1", "rmse", "val_loss", "loss", "train_seconds")
GOAL = 0.1
PATIENCE = 60.0  # seconds for one question to MLflow


@dataclass(frozen=True)
class Question:
    """A page that somebody wants to see."""

    parameter: str = ""
    value: str = ""
    metric: str = "accuracy"
    descending: bool = True
    more: tuple[str, str, float] | None = None  # a metric that is above or below a number
    word: str = ""
    offset: int = 0


def questions(count: int) -> dict[str, list[Question]]:
    """Return so many different questions of each kind, the same ones each time."""
    chance = random.Random(3)
    every = [
        Question(name, value, metric, descending)
        for name, values in VALUES.items()
        for value in values
        for metric in SORTS
        for descending in (True, False)
    ]
    ones = chance.sample(every, count)
    twos = [
        replace(each, more=("accuracy", chance.choice("<>"), round(chance.uniform(0.5, 0.9), 3)))
        for each in chance.sample(every, count)
    ]
    deep = [replace(each, offset=4900) for each in chance.sample(every, count)]
    words = [Question(word=str(number)) for number in chance.sample(range(100, 1000), count)]
    return {
        "filtered by a parameter, sorted by a metric": ones,
        "the same and a condition on a metric": twos,
        "the 50th page of the first": deep,
        "runs that tell of a number, newest first": words,
        "the same question again": [every[0]] * count,
    }


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


def ask_hub(url: str, project: str, key: str) -> Callable[[Question], int]:
    """Return a function that asks a hub for a page, and returns how many runs it has."""
    token = base64.b64encode(f"ada:{key}".encode()).decode()

    def ask(wanted: Question) -> int:
        terms = [f"parameters.{wanted.parameter} = '{wanted.value}'"] if wanted.parameter else []
        if wanted.more:
            terms.append("metrics.{} {} {}".format(*wanted.more))
        way = "desc" if wanted.descending else "asc"
        query = urllib.parse.urlencode(
            {
                "where": " and ".join(terms),
                "search": wanted.word,
                "sort": "" if wanted.word else f"metrics.{wanted.metric} {way}",
                "offset": wanted.offset,
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


def ask_mlflow(url: str) -> Callable[[Question], int]:
    """Return a function that asks MLflow for a page, and returns how many runs it has."""

    def ask(wanted: Question) -> int:
        terms = [f"params.{wanted.parameter} = '{wanted.value}'"] if wanted.parameter else []
        if wanted.more:
            terms.append("metrics.{} {} {}".format(*wanted.more))
        if wanted.word:
            terms.append(f"attributes.run_name ILIKE '%{wanted.word}%'")
        way = "DESC" if wanted.descending else "ASC"
        body: dict[str, object] = {
            "experiment_ids": ["0"],
            "filter": " and ".join(terms),
            "max_results": 100,
        }
        if not wanted.word:
            body["order_by"] = [f"metrics.{wanted.metric} {way}"]
        if wanted.offset:
            # as the server makes them itself: nobody has to turn 49 pages
            token = json.dumps({"offset": wanted.offset})
            body["page_token"] = base64.b64encode(token.encode()).decode()
        request = urllib.request.Request(
            f"{url}/api/2.0/mlflow/runs/search",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return len(json.load(answer)["runs"])

    return ask


def timed(ask: Callable[[Question], int], asked: Sequence[Question]) -> list[float]:
    """Return what each question takes, in seconds; infinite for the last if nobody waits for it."""
    took = []
    for each in asked:
        begin = time.perf_counter()
        try:
            found = ask(each)
        except TimeoutError:
            return [*took, math.inf]
        took.append(time.perf_counter() - begin)
        assert found == 100 or each.word, f"{each}: {found} runs"
    return took


def percentile(took: Sequence[float], share: float) -> float:
    """Return what so great a share of them did not exceed."""
    return sorted(took)[math.ceil(share * len(took)) - 1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=100, help="of each kind, to the hub")
    parser.add_argument("--mlflow", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--mlflow-questions", type=int, default=4)
    parser.add_argument("--postgresql", default="", metavar="URL")
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir()) / "dotscience-benchmarks"
    )
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    print(describe(machine("dotscience-jupyter", "sqlalchemy")), flush=True)
    figures: dict[str, dict[str, list[float]]] = {}
    for title, db in (("hub, SQLite", ""), ("hub, PostgreSQL", options.postgresql)):
        if not db and "Postgre" in title:
            print("No PostgreSQL was given, so it is left out.\n")
            continue
        data, project, key = filled(options.keep, options.runs, db)
        kinds = questions(options.questions)
        first = []
        for each in kinds["filtered by a parameter, sorted by a metric"][:3]:
            with hub(data, db) as url:
                first += timed(ask_hub(url, project, key), [each])
        with hub(data, db) as url:
            ask = ask_hub(url, project, key)
            figures[title] = {kind: timed(ask, asked) for kind, asked in kinds.items()}
            figures[title]["the very first question to a hub that has just started"] = first
    if is_whole(options.mlflow):
        slow = figures["MLflow server, SQLite"] = {}
        for kind, asked in questions(options.mlflow_questions).items():
            # one that nobody waited for would go on with that question
            with server(options.mlflow, options.runs, options.keep) as url:
                slow[kind] = timed(ask_mlflow(url), asked)
    else:
        print("The whole of MLflow is not there, so it is left out: pip install mlflow\n")
    print(f"\n{options.runs:,} runs, pages of 100; goal: first page in {seconds(GOAL)}\n")
    print(markdown(("", "asked for", "questions", "median", "99 %", "worst"), table(figures)))
    write_json(options.json, figures)


def table(figures: dict[str, dict[str, list[float]]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of question to each server."""
    for title, kinds in figures.items():
        for kind, took in kinds.items():
            numbers = (median(took), percentile(took, 0.99), max(took))
            yield title, kind, str(len(took)), *map(duration, numbers)


def duration(value: float) -> str:
    """Return a time for people."""
    return f"more than {PATIENCE:.0f} s" if math.isinf(value) else seconds(value)


if __name__ == "__main__":
    main()
