# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Make a folder a workspace with a long lineage. Usage: make_lineage.py FOLDER RUNS.

Between two real commits of ``notes.txt`` and ``train.ipynb`` before, and one behind, there are RUNS
runs in chains of fifty, as ``benchmarks/provenance.py`` writes them: enough to look at, while
`verify` would rightly find that no commit vouches for them. The ids of the first and of the last
commit are printed.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.records import Records, Workspace
from provenance import build


def write(root: Path, version: int) -> None:
    """Make the files those of one version."""
    (root / "notes.txt").write_text("".join(f"line {n} of {version}\n" for n in range(3)))
    cell = {
        "cell_type": "code",
        "id": "one",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": f"version = {version}",
    }
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "train.ipynb").write_text(json.dumps(document))


def commit(root: Path, version: int) -> str:
    """Write one version, commit it, and return the commit."""
    write(root, version)
    service = WorkspaceService.open(root, author="ada")
    try:
        made = service.commit(f"version {version}").commit
        assert made is not None
        return made.id
    finally:
        service.close()


def tell_changes(database: Path) -> None:
    """Let what runs wrote be changes of their commits, as it is where real files changed."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO file_changes (commit_id, path, change, digest, sequence)"
            " SELECT runs.commit_id, run_files.path, 'modified', run_files.digest, commits.sequence"
            " FROM run_files JOIN runs ON runs.id = run_files.run_id"
            " JOIN commits ON commits.id = runs.commit_id WHERE run_files.direction = 'output'"
        )


def main() -> None:
    """Write the commits and the runs."""
    root, runs = Path(sys.argv[1]), int(sys.argv[2])
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace.create(root, force=True)
    first = commit(root, 1)
    commit(root, 2)
    records = Records.open(workspace.database_url)
    build(records, runs)
    records.close()
    tell_changes(Path(workspace.database_url.removeprefix("sqlite:///")))
    last = commit(root, 3)
    sys.stdout.write(f"{first} {last}\n")


if __name__ == "__main__":
    main()
