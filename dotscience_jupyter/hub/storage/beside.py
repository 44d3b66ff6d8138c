# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Where the SQLite records of projects are whose folders only keep copies of what is in a bucket.

Records are never copies. So they lie beside the folder with the projects, which may be lost.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from dotscience_jupyter.snapshots.embedded.store import fsync_folder

FOLDER = "records"


def records_beside(project: Path) -> Path:
    """Return the file with the records of the project that has a folder."""
    return project.parent.parent / FOLDER / f"{project.name}.db"


def move_records(old: Path) -> Path:
    """Move records that lie in their project's folder to where they belong; return that place.

    Killed in between it leaves them where they were. Nobody else may have them open.
    """
    new = records_beside(old.parent)
    new.parent.mkdir(exist_ok=True)
    if old.exists() and not new.exists():
        temporary = new.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        with (
            contextlib.closing(sqlite3.connect(old)) as source,
            contextlib.closing(sqlite3.connect(temporary)) as target,
        ):
            source.backup(target)
        fd = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(new)
        fsync_folder(str(new.parent))
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return new
