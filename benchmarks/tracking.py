# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the ds library costs the code that uses it, side by side with MLflow.

    python benchmarks/tracking.py [--repeats N] [--json FILE]

Both are measured in the same run, in turns, each in processes of its own, on local storage, the way
their documentation begins: ``ds.start ... ds.publish()`` in a workspace inside a Git repository;
``mlflow.start_run ... mlflow.end_run()`` with its SQLite store and with its file store. MLflow's
parameters and metrics are logged with its bulk calls, which is its fastest way. Every process may
use compiled bytecode, as after an installation. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from _table import describe, machine, markdown, median, ratio, seconds, write_json

CHECKOUT = Path(__file__).resolve().parents[1]

DS = """
import dotscience as tool
def once():
    tool.start("benchmark")
    for n in range(10): tool.param(f"parameter {n}", n)
    for n in range(10): tool.metric(f"metric {n}", n / 3)
    tool.publish()
def begin(): tool.start()
def point(n): tool.metric("loss", n * 0.1, step=n)
def end(): tool.publish()
POINTS = 100_000
"""
MLFLOW = """
import warnings; warnings.simplefilter("ignore")
import logging; logging.disable(logging.WARNING)
import mlflow as tool
tool.set_tracking_uri({uri!r})
tool.set_experiment("benchmark")
def once():
    tool.start_run()
    tool.log_params({{f"parameter {{n}}": n for n in range(10)}})
    tool.log_metrics({{f"metric {{n}}": n / 3 for n in range(10)}})
    tool.end_run()
def begin(): tool.start_run()
def point(n): tool.log_metric("loss", n * 0.1, step=n)
def end(): tool.end_run()
POINTS = 100
"""
MEASURE_RUNS = """
import json, sys, time
def timed(function, *arguments):
    start = time.perf_counter(); function(*arguments); return time.perf_counter() - start
figures = dict(first=timed(once), runs=[timed(once) for _ in range({repeats})])
"""
MEASURE_POINTS = """
begin()
start = time.perf_counter()
for n in range(POINTS): point(n)
figures["point"] = (time.perf_counter() - start) / POINTS
end()
"""
PLAIN_OUTPUT = """
def plain():
    print("x" * 700)
    display({{"text/plain": "x" * 200, "text/html": "x" * 3000}}, raw=True)
figures["plain"] = [timed(plain) for _ in range({repeats})]
"""
REPORT = "print(json.dumps(figures), file=sys.stderr)\n"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the measured processes."""
    result = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "HOME": str(folder),
    }
    result.pop("PYTHONDONTWRITEBYTECODE", None)
    result.pop("DOTSCIENCE_SPOOL", None)
    return result


def python(code: str, folder: Path) -> str:
    """Run code in a process of its own and return its stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder / "project",
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"A measured program failed:\n{done.stderr}")
    return done.stderr


def imports(tools: dict[str, str], folder: Path, repeats: int) -> dict[str, float]:
    """Return what ``import X`` takes in a process that has done nothing else, by tool.

    Timed inside: a whole process more or less varies by as much as our import takes.
    """
    code = (
        "import time; start = time.perf_counter(); import {}; "
        "end = time.perf_counter(); import sys; print(end - start, file=sys.stderr)"
    )
    times: dict[str, list[float]] = {name: [] for name in tools}
    for turn in range(repeats + 1):
        for name, module in tools.items():
            took = float(python(code.format(module), folder).strip().splitlines()[-1])
            if turn:  # the first one compiles
                times[name].append(took)
    return {name: median(times[name]) for name in tools}


def in_kernel(folder: Path, repeats: int) -> dict[str, float]:
    """Return what a run takes in a notebook cell, card and all, and what showing anything takes."""
    if find_spec("nbclient") is None or find_spec("ipykernel") is None:
        return {}
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    code = DS + MEASURE_RUNS.format(repeats=repeats) + PLAIN_OUTPUT.format(repeats=repeats) + REPORT
    notebook = new_notebook(cells=[new_code_cell(code)])
    client = NotebookClient(notebook, kernel_name="python3", timeout=600)
    client.execute(cwd=str(folder / "project"), env=environment(folder))
    text = "".join(o.text for o in notebook.cells[0].outputs if o.get("name") == "stderr")
    figures = json.loads(text.strip().splitlines()[-1])
    return {name: median(figures[name]) for name in ("runs", "plain")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=20, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    facts = machine("mlflow-skinny", "sqlalchemy")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        marker = project / ".dotscience"
        marker.mkdir(parents=True)
        (marker / "workspace.json").write_text(
            '{"format": 1, "id": "b1a7b4f2-6a3d-4b63-9d0a-d50e1a3a0c55",'
            ' "created": "2026-01-01T00:00:00+00:00"}'
        )
        subprocess.run(["git", "init", "-q", str(project)], check=False)
        programs = {"ds": DS}
        modules = {"ds": "dotscience"}
        if find_spec("mlflow"):
            modules["mlflow"] = "mlflow"
            programs["mlflow, SQLite"] = MLFLOW.format(uri=f"sqlite:///{folder}/mlflow.db")
            programs["mlflow, files"] = "import os; os.environ['MLFLOW_ALLOW_FILE_STORE'] = '1'\n"
            programs["mlflow, files"] += MLFLOW.format(uri=(folder / "mlruns").as_uri())
        else:
            print("MLflow is not installed, so it is left out: pip install mlflow-skinny\n")
        importing = imports(modules, folder, options.repeats)
        measured: dict[str, list[dict[str, object]]] = {tool: [] for tool in programs}
        for turn in range(5):
            for tool, code in programs.items():
                runs = MEASURE_RUNS.format(repeats=options.repeats)
                text = python(code + runs + MEASURE_POINTS + REPORT, folder)
                if turn:  # the first one makes databases and bytecode
                    measured[tool].append(json.loads(text.strip().splitlines()[-1]))
        kernel = in_kernel(folder, options.repeats)

    def of(tool: str, kind: str) -> float | None:
        found = measured.get(tool)
        if not found:
            return None
        if kind == "runs":
            return median([value for turn in found for value in turn["runs"]])
        return median([turn[kind] for turn in found])

    figures: dict[str, dict[str, float | None]] = {
        "import": {
            "ds": importing["ds"],
            "mlflow, SQLite": importing.get("mlflow"),
            "mlflow, files": importing.get("mlflow"),
        }
    }
    for title, kind in (
        ("start + 10 parameters + 10 metrics + publish", "runs"),
        ("the same, first time in a process", "first"),
        ("one metric point", "point"),
    ):
        figures[title] = {tool: of(tool, kind) for tool in programs}
    in_notebook = "the same in a notebook, with its card"
    figures[in_notebook] = {"ds": kernel.get("runs")}
    figures["of which a print and a display take there"] = {"ds": kernel.get("plain")}
    goals = {
        "import": 15e-3,
        "start + 10 parameters + 10 metrics + publish": 2e-3,
        in_notebook: 2e-3,
        "one metric point": 5e-6,
    }
    others = ("mlflow, SQLite", "mlflow, files")
    rows = []
    for title, row in figures.items():
        cells = [title, seconds(row["ds"]), seconds(goals.get(title))]
        for other in others:
            cells += [seconds(row.get(other)), ratio(row.get(other), row["ds"])]
        rows.append(cells)
    head = ["median of", "ds", "goal", "MLflow, SQLite", "ratio", "MLflow, files", "ratio"]
    print(markdown(head, rows))
    print(f"\n{describe(facts)}")
    write_json(options.json, {"machine": facts, "goals": goals, "seconds": figures})
    # most of a notebook's time is the kernel's own, which waits for its other thread
    missed = [
        title
        for title, goal in goals.items()
        if title != in_notebook and (figures[title]["ds"] or 0) > goal
    ]
    if missed:
        raise SystemExit(f"Goal missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
