# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How long questions about provenance take in a workspace of a hundred thousand runs.

    python benchmarks/provenance.py [--runs N] [--repeats N] [--json FILE]

The database is made by writing its tables at once, in a temporary folder. It holds chains of fifty
runs, each reading what the one before wrote, always under the same fifty names, and a file of
settings that every run reads; raw data that is changed by hand after every twenty chains, so that a
thousand runs come of each version of it; one run in a hundred reads a copy, under another name, of
what the run before it wrote. Figures are medians; the first asking, which also prepares the
statements, is told apart, and so is the processor's part of the time, which others on the machine
do not add to.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from _table import describe, machine, markdown, median, seconds, write_json
from sqlalchemy import insert

from dotscience_jupyter.provenance import Graph, lineage, provenance
from dotscience_jupyter.provenance.comparing import compare
from dotscience_jupyter.provenance.exports import openlineage, prov
from dotscience_jupyter.records import models
from dotscience_jupyter.records.store import Records

DEPTH = 50
CHAINS = 20  # that read one version of the raw data
START = datetime(2026, 1, 1, tzinfo=UTC)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def run_id(number: int) -> str:
    return digest(f"run {number}")[:32]


class Tables:
    """Rows, written in large portions, behind what is there."""

    def __init__(self, records: Records) -> None:
        self._records = records
        head = records.head()
        self.sequence = head.sequence if head else 0
        self._head = head.id if head else ""
        self._snapshot = head.snapshot if head else ""
        self._rows: dict[type[models.Base], list[dict[str, Any]]] = {}

    def add(self, table: type[models.Base], **row: Any) -> None:
        self._rows.setdefault(table, []).append(row)

    def commit(self, kind: str) -> str:
        self.sequence += 1
        id_ = digest(f"commit {self.sequence}")
        self.add(
            models.Commit,
            id=id_,
            sequence=self.sequence,
            snapshot=self._snapshot or f"s{self.sequence}",
            type=kind,
            message="",
            author="ada",
            created=START + timedelta(seconds=self.sequence),
            details={},
        )
        if self._head:
            self.add(models.CommitParent, commit_id=id_, position=0, parent_id=self._head)
        self._head = id_
        return id_

    def change(self, path: str, commit: str, content: str) -> None:
        self.add(
            models.FileChange,
            commit_id=commit,
            path=path,
            change="modified",
            digest=digest(content),
            sequence=self.sequence,
        )

    def file(self, run: str, direction: str, path: str, version: str | None, content: str) -> None:
        self.add(
            models.RunFile,
            run_id=run,
            direction=direction,
            path=path,
            version=version,
            digest=digest(content),
            size=1000,
            sequence=self.sequence,
        )

    def flush(self) -> None:
        order = (
            models.Commit,
            models.CommitParent,
            models.Run,
            models.RunFile,
            models.FileChange,
            models.RunValue,
        )
        with self._records._database.writing() as session:
            for table in order:
                if rows := self._rows.pop(table, []):
                    session.execute(insert(table), rows)
            session.merge(models.Ref(name="HEAD", commit_id=self._head))


def build(records: Records, runs: int) -> None:
    """Write the history that the module's docstring tells of, behind what is there.

    Files of the commits that are there stay what they are: all that come have the same snapshot.
    """
    tables = Tables(records)
    first = raw = tables.commit("dotscience.initial")
    raw_content = "raw 1"
    previous = ""
    for number in range(runs):
        step = number % DEPTH
        if number and number % (DEPTH * CHAINS) == 0:
            raw, raw_content = tables.commit("dotscience.files.v1"), f"raw {number}"
            tables.change("data/raw.csv", raw, raw_content)
        content = f"out {number - 1}"
        copied = ""
        if number % 100 == 75:
            copied = tables.commit("dotscience.files.v1")
            tables.change("data/copy.csv", copied, content)
        commit = tables.commit("dotscience.run.v1")
        run = run_id(number)
        tables.add(
            models.Run,
            id=run,
            commit_id=commit,
            position=0,
            sequence=number + 1,
            authority="workload",
            status="succeeded",
            description=f"Step {step}",
            author="ada",
            workload_type="jupyter",
            workload_file=f"step{step % 5}.ipynb",
            started=START,
            ended=START,
            seconds=1.0,
            details={},
        )
        tables.add(
            models.RunValue,
            run_sequence=number + 1,
            kind="parameter",
            name="rate",
            text=str(number),
            type="int",
            number=float(number),
        )
        if step == 0:
            tables.file(run, "input", "data/raw.csv", raw, raw_content)
        elif copied:
            tables.file(run, "input", "data/copy.csv", copied, content)
        else:
            tables.file(run, "input", f"data/step{step - 1}.csv", previous, content)
        tables.file(run, "input", "config.yml", first, "config")
        tables.file(run, "output", f"data/step{step}.csv", None, f"out {number}")
        if step == DEPTH - 1:
            tables.file(run, "output", "model.pkl", None, f"model {number}")
            label = '{"files": {"model": "model.pkl"}}'
            tables.add(
                models.RunValue,
                run_sequence=number + 1,
                kind="label",
                name="artefact:model",
                text=label,
                type="str",
            )
        previous = commit
        if number % 2000 == 1999:
            tables.flush()
    tables.flush()


def measure(question: Callable[[], object], repeats: int) -> tuple[float, float, float, object]:
    """Return seconds of the first asking, medians of the others (by the clock, of the processor).

    The last answer is returned as well.
    """
    times, worked = [], []
    answer: object = None
    for _ in range(repeats + 1):
        start, begun = time.perf_counter(), time.process_time()
        answer = question()
        times.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    return times[0], median(times[1:]), median(worked[1:]), answer


def size(answer: object) -> str:
    if isinstance(answer, Graph):
        return f"{len(answer.runs()):,} / {len(answer.files()):,}"
    return "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    facts = machine("sqlalchemy")
    with tempfile.TemporaryDirectory() as folder:
        records = Records.open(f"sqlite:///{Path(folder) / 'records.db'}")
        start = time.perf_counter()
        build(records, options.runs)
        print(f"{options.runs:,} runs written in {seconds(time.perf_counter() - start)}\n")
        last = run_id(options.runs - 1)
        middle = options.runs // 2 // (DEPTH * CHAINS) * DEPTH * CHAINS
        with records.neighbours() as near:
            (raw,) = (r.file.version for r in near.inputs([run_id(middle)]) if "raw" in r.file.path)
        whole = provenance(records, f"run:{last}", "up")
        questions: dict[str, Callable[[], object]] = {
            "ancestors of a model": lambda: provenance(records, "model:model", "up"),
            "ancestors of a run": lambda: provenance(records, f"run:{last}", "up"),
            "lineage of a run, with its records": lambda: lineage(records, last),
            "descendants of raw data": lambda: provenance(
                records, f"file:data/raw.csv@{raw}", "down", limit=20_000
            ),
            "descendants of what all read, nearest 2,000": lambda: provenance(
                records, "file:config.yml", "down"
            ),
            "both directions of a run in the middle": lambda: provenance(
                records, f"run:{run_id(middle + 25)}"
            ),
            "the newest 2,000 nodes": lambda: provenance(records),
            "the newest 20,000 nodes": lambda: provenance(records, limit=20_000),
            "two models compared": lambda: compare(
                records, f"run:{last}", f"run:{run_id(options.runs - 1 - DEPTH)}"
            ),
            "PROV-JSON of a lineage": lambda: prov(whole, "w"),
            "OpenLineage of a lineage": lambda: openlineage(whole, "w"),
        }
        rows, figures = [], {}
        for name, question in questions.items():
            first, usual, worked, answer = measure(question, options.repeats)
            rows.append([name, size(answer), *map(seconds, (first, usual, worked))])
            figures[name] = {"first": first, "median": usual, "processor": worked}
        records.close()
    print(markdown(["question", "runs / files", "first", "median", "processor"], rows))
    print(f"\n{describe(facts)}")
    write_json(options.json, {"machine": facts, "runs": options.runs, "seconds": figures})


if __name__ == "__main__":
    main()
