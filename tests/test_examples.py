# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The example is in order, and the demo that plays it finds everything as it should be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.cells[0].cell_type == "markdown"
    for cell in notebook.cells:
        # ids that somebody chose, so that they stay the same when the notebook is edited
        assert cell.id.replace("-", "").isalpha()
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            compile(cell.source, f"{path.name}:{cell.id}", "exec")


def test_the_readme_names_every_file() -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    for path in (ROOT / "examples").iterdir():
        if path.suffix in (".ipynb", ".py"):
            assert path.name in text


@pytest.mark.slow
def test_the_demo_plays(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'examples'")
    pytest.importorskip("pandas", reason="needs the extra 'examples'")
    home = tmp_path / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("DOTSCIENCE_")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), str(tmp_path / "demo")],
        env={**env, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All is as it should be: 5 runs" in done.stdout
    assert (tmp_path / "demo/restored/model/model.joblib").is_file()
    again = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), str(tmp_path / "demo")],
        capture_output=True,
        check=False,
    )
    assert again.returncode == 2, "a folder with something in it is left alone"
