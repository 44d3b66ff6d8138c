# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Open JupyterLab on a fresh copy of the examples (`make lab`)."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

from dotscience_jupyter.records import Workspace

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Copy the examples to a new folder and become JupyterLab there."""
    folder = ROOT / "sandbox" / f"lab-{datetime.now():%Y%m%d-%H%M%S}"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    # else the first run would track this whole checkout, the Git work tree that the copy lies in
    Workspace.create(folder)
    print(f"A fresh copy of the examples is in {folder.relative_to(ROOT)}; it is tracked.")
    print("Open 01-clean.ipynb and choose Run > Run All Cells.")
    arguments = ["jupyter", "lab", "--LabApp.default_url=/lab/tree/01-clean.ipynb", *sys.argv[1:]]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    os.chdir(folder)
    os.execvp("jupyter", arguments)


if __name__ == "__main__":
    main()
