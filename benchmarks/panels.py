# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a user waits for in the browser, beside MLflow's page with as many runs.

    python benchmarks/panels.py [--runs N] [--mlflow PYTHON] [--keep FOLDER] [--only VIEW ...]

VIEW is explorer, mlflow, panel, difference or provenance. Drives JupyterLab in Chromium
(``ui-tests/benchmarks``) and prints a table for each view. MLflow is measured if PYTHON (by default
this interpreter) has the whole of it, not only ``mlflow-skinny``: its store is filled by SQL with
runs of eight parameters and six metrics, its server is started on loopback, and its list of runs is
opened, sorted, filtered and scrolled. Runs are written anew each time, which takes minutes for the
explorer and for MLflow, unless they are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from _mlflow import is_whole, server
from _table import describe, machine

UI_TESTS = Path(__file__).resolve().parent.parent / "ui-tests"


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
    specs = ("explorer", "mlflow", "panel", "difference", "provenance")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--mlflow", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--only", choices=specs, action="append")
    options = parser.parse_args()
    print(describe(machine("jupyterlab", "dotscience-jupyter")))
    kept = {}
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        kept["DOTSCIENCE_BENCH_KEEP"] = str(options.keep.resolve())
    failed = 0
    for spec in options.only or specs:
        if spec != "mlflow":
            failed += drive(spec, options.runs, **kept) != 0
            continue
        if not is_whole(options.mlflow):
            print("The whole of MLflow is not there, so its page is left out: pip install mlflow\n")
            continue
        with server(options.mlflow, options.runs, options.keep) as url:
            failed += drive(spec, options.runs, DOTSCIENCE_BENCH_MLFLOW=url) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
