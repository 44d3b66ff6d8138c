# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The main job without a browser (`make demo`): run the example, look at its runs, go back to one.

Executes the example's notebooks in real kernels and its script through ``ds run``, prints the table
of runs and what the model was made from, restores the commit of a training run and compares the
result, byte for byte, with the digests that were recorded and with a copy taken at the time.
Exits with 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from blake3 import blake3
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ("01-clean.ipynb", "02-train.ipynb")
TRAINING = "Train with all features"
VARIANT = "Train with few features"
EVALUATION = "Evaluate on the test rows"
CHAIN = [EVALUATION, VARIANT, "Clean the measurements", "Fetch the raw measurements"]
PUBLISHED = "[[DOTSCIENCE-RUN:"


class DemoError(Exception):
    """Something is not as it should be; the message says what."""


def check(holds: bool, otherwise: str) -> None:
    """Raise DemoError unless something holds."""
    if not holds:
        raise DemoError(otherwise)


class Demo:
    """One project, used the way a person would use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.copy = folder / "as-it-was"
        self.restored = folder / "restored"
        self.step = 0
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        # whether or not there is a terminal, the tables are to be read by people
        self.environment = {**os.environ, "FORCE_COLOR": "1"}
        if not sys.stdout.isatty():
            self.environment |= {"NO_COLOR": "1", "COLUMNS": "110", "LINES": "50"}
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))

    def title(self, text: str) -> None:
        """Print the heading of the next step."""
        self.step += 1
        line = f"{self.step}. {text}"
        print(f"\n\033[1;36m{line}\033[0m" if self.colours else f"\n{line}\n{'-' * len(line)}")

    def say(self, text: str) -> None:
        """Print one line about what was done."""
        print(f"   {text}", flush=True)

    def ds(self, *arguments: str, show: str = "") -> None:
        """Run ``ds`` in the project and let its output through."""
        shown = show or " ".join(arguments)
        print(f"\033[2m   $ ds {shown}\033[0m" if self.colours else f"   $ ds {shown}", flush=True)
        status = subprocess.run(
            [sys.executable, "-m", "dotscience_jupyter.cli", *arguments],
            cwd=self.project,
            env=self.environment,
            check=False,
        ).returncode
        check(status == 0, f"'ds {shown}' ended with exit code {status}.")

    def ask(self, *arguments: str) -> Any:
        """Run ``ds ... --json`` in the project and return its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "dotscience_jupyter.cli", "--json", *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        words = " ".join(arguments)
        error = done.stderr.decode(errors="replace")
        check(done.returncode == 0, f"'ds {words}' ended with exit code {done.returncode}: {error}")
        return json.loads(done.stdout)

    def execute(self, name: str) -> None:
        """Execute a notebook; save and record it when a cell published, as JupyterLab does."""
        path = self.project / name
        notebook = nbformat.read(path, as_version=4)

        def executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
            if cell.cell_type != "code" or PUBLISHED not in json.dumps(cell.outputs):
                return
            nbformat.write(notebook, path)
            result = self.ask("commit")["commit"]
            check(result is not None, f"The run published by cell '{cell.id}' was not recorded.")
            for identity in result["runs"]:
                run = self.ask("show", identity)
                self.say(f"{name}  run {identity[:8]}  {run['description']}")
                if run["description"] == TRAINING:
                    shutil.copytree(
                        self.project,
                        self.copy,
                        symlinks=True,
                        ignore=shutil.ignore_patterns(".dotscience"),
                    )

        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=300,
            resources={"metadata": {"path": str(self.project)}},
            on_cell_executed=executed,
        )
        with (self.folder / "kernels.log").open("ab") as log:
            try:
                client.execute(env=self.environment, stderr=log)
            except CellExecutionError as error:
                raise DemoError(f"A cell of {name} failed.\n{error}") from None
        nbformat.write(notebook, path)

    def play(self) -> None:
        """Do everything."""
        began = time.monotonic()
        self.title("A fresh copy of the example, tracked from now on")
        shutil.copytree(
            ROOT / "examples",
            self.project,
            ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", ".dotscience"),
        )
        self.ds("init", ".")
        self.ds("commit", "-m", "The example as it came", show='commit -m "The example as it came"')

        self.title("The notebooks, in real kernels")
        for name in NOTEBOOKS:
            self.execute(name)

        self.title("The script")
        self.ds("run", sys.executable, "evaluate.py", show="run python evaluate.py")

        self.title("The runs")
        self.ds("runs")
        runs = self.check_runs()

        self.title("What the model was made from")
        run = runs[EVALUATION]["id"]
        self.ds("provenance", f"run:{run}", show=f"provenance run:{run[:8]}")
        self.check_chain(runs[EVALUATION]["id"])

        training, variant = (runs[name]["id"][:8] for name in (TRAINING, VARIANT))
        self.title("What differs between the two trainings")
        self.ds("diff", training, variant)

        self.title(f'Back to "{TRAINING}"')
        self.ds(
            "restore",
            training,
            "--to",
            str(self.restored),
            show=f"restore {training} --to ../restored",
        )
        files = self.check_restored(runs[TRAINING])

        self.title("Everything that was recorded, read again")
        self.ds("verify")

        print(
            f"\nAll is as it should be: {len(runs)} runs, {files} files restored byte for byte, "
            f"{time.monotonic() - began:.0f} seconds."
        )
        near = os.path.relpath(self.project)
        print(f"Look around: cd {self.project if near.startswith('..') else near} && ds runs")

    def check_runs(self) -> dict[str, Any]:
        """Check that exactly the example's runs are recorded; return them by description."""
        found = [run for run in self.ask("runs")["items"] if run["authority"] == "workload"]
        runs = {run["description"]: run for run in found}
        expected = {*CHAIN, TRAINING}
        check(
            set(runs) == expected and len(found) == len(expected),
            f"Expected the runs {sorted(expected)}, found {[run['description'] for run in found]}.",
        )
        for run in found:
            check(
                run["status"] == "succeeded",
                f"The run '{run['description']}' failed: {run['error']}",
            )
        for name in (TRAINING, VARIANT, EVALUATION):
            accuracy = runs[name]["metrics"].get("accuracy")
            check(
                isinstance(accuracy, float) and accuracy > 0.9,
                f"'{name}' should have an accuracy above 0.9, it has {accuracy}.",
            )
        series = {
            item["name"]: item["count"] for item in self.ask("show", runs[TRAINING]["id"])["series"]
        }
        check(
            series == {"loss": 40, "accuracy": 40}, f"40 epochs were trained, recorded: {series}."
        )
        return runs

    def check_chain(self, run: str) -> None:
        """Check that the evaluation leads back to the raw data, step by step."""
        nodes = self.ask("provenance", f"run:{run}")["nodes"]
        steps = [node["label"] for node in nodes if node["kind"] == "run"]
        check(
            sorted(steps) == sorted(CHAIN),
            f"The evaluation should come from {CHAIN}, its lineage says {steps}.",
        )
        sources = [node["path"] for node in nodes if node["source"]]
        check(not sources, f"Some inputs are said to be written by no run: {sources}.")

    def check_restored(self, run: dict[str, Any]) -> int:
        """Compare the restored files with the record and the copy; return their number."""
        restored, copy = content(self.restored), content(self.copy)
        recorded = self.recorded(run["commit"])
        for what, other in (("the digests that were recorded", recorded), ("the copy", copy)):
            check(bool(other), f"There is nothing to compare with in {what}.")
            wrong = sorted(
                name for name in {*restored, *other} if restored.get(name) != other.get(name)
            )
            check(not wrong, f"These restored files differ from {what}: {', '.join(wrong)}.")
            self.say(f"{len(restored)} files are byte for byte the same as {what}")
        live = content(self.project)
        changed = sorted(name for name in restored if live.get(name) != restored[name])
        check("model/model.joblib" in changed, "The variant should have replaced the model since.")
        self.say(f"(since then changed in the project: {', '.join(changed)})")
        return len(restored)

    def recorded(self, commit: str) -> dict[str, tuple[str, int]]:
        """Return digest and mode of every file of a commit, as the snapshot recorded them."""
        sys.path.insert(0, str(ROOT))
        from dotscience_jupyter.api.service import WorkspaceService

        service = WorkspaceService.open(self.project)
        try:
            found: dict[str, tuple[str, int]] = {}
            folders = [""]
            while folders:
                for item in service.files(commit, folders.pop()).items:
                    if item.kind == "folder":
                        folders.append(item.path)
                    else:
                        found[item.path] = (item.digest, item.mode)
            return found
        finally:
            service.close()


def content(folder: Path) -> dict[str, tuple[str, int]]:
    """Return digest and mode of every file below a folder, ours left out."""

    def files() -> Iterator[Path]:
        for path in folder.rglob("*"):
            if path.is_file() and ".dotscience" not in path.relative_to(folder).parts:
                yield path

    return {
        path.relative_to(folder).as_posix(): (
            blake3(path.read_bytes()).hexdigest(),
            stat.S_IMODE(path.stat().st_mode),
        )
        for path in files()
    }


def main() -> int:
    """Play the demo in a new folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=ROOT / "sandbox" / f"demo-{datetime.now():%Y%m%d-%H%M%S}",
        help="where to play; new or empty (default: a new folder below sandbox/)",
    )
    folder = Path(os.path.abspath(parser.parse_args().folder))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        parser.error(f"{folder} is not empty; choose a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        Demo(folder).play()
    except DemoError as error:
        sys.stdout.flush()
        print(f"\nNot as it should be: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
