# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Make a folder a workspace whose history parts. Usage: make_branches.py FOLDER SOURCE.

SOURCE holds the folders ``base``, ``theirs`` and ``yours``: the content of the common ancestor and
of the two commits that follow it. The workspace ends with yours; the id of theirs is printed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sqlalchemy import create_engine, text

from dotscience_jupyter.records import NewCommit, Records, Workspace
from dotscience_jupyter.snapshots import open_engine


def fill(root: Path, source: Path) -> None:
    """Make the files of a workspace what a folder holds."""
    for path in root.iterdir():
        if path.name == ".dotscience":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(source, root, dirs_exist_ok=True)


def main() -> None:
    """Write the three commits."""
    root, source = Path(sys.argv[1]), Path(sys.argv[2])
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace.create(root, force=True)
    engine = open_engine(root, workspace.store)
    ids: dict[str, str] = {}
    for name in ("base", "theirs", "yours"):
        fill(root, source / name)
        records = Records.open(workspace.database_url)
        commit = NewCommit(engine.snapshot().id, "dotscience.files.v1", name, name)
        ids[name] = records.commit([commit], expected_head=ids.get("base"))[0].id
        records.close()
        if name == "theirs":
            # what was made elsewhere is no part of the history here
            database = create_engine(workspace.database_url)
            with database.begin() as connection:
                connection.execute(text("UPDATE refs SET commit_id = :id"), {"id": ids["base"]})
            database.dispose()
    engine.close()
    sys.stdout.write(f"{ids['theirs']}\n")


if __name__ == "__main__":
    main()
