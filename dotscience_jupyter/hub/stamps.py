# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Whether a project has changed since one last looked, without opening it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import bindparam, text

from .database import HubDatabase
from .project import Project

_TOGETHER = 200  # projects that one query asks for
_SETTLED_NS = 50_000_000
"""A file that changed within so long may change again without another time in its inode."""


def of_files(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the stamps of projects whose records are SQLite files.

    Every transaction writes to the log beside the file, and what closes the file moves the log
    into it. There is none for a file that changed just now, and none where there is no file.
    """
    found: dict[str, str] = {}
    for id_, path in files.items():
        newest, marks = 0, []
        try:
            for each in (path, path.with_name(f"{path.name}-wal")):
                try:
                    told = os.stat(each)
                except FileNotFoundError:
                    if each == path:
                        raise
                    continue
                if told.st_size:  # whoever only reads leaves an empty log
                    newest = max(newest, told.st_mtime_ns)
                    marks.append(f"{told.st_ino}.{told.st_size}.{told.st_mtime_ns}")
        except OSError:
            continue
        if time.time_ns() - newest > _SETTLED_NS:
            found[id_] = " ".join(marks)
    return found


def of_schemas(database: HubDatabase, ids: Sequence[str]) -> dict[str, str]:
    """Return the stamps of projects whose records are schemas of the hub's PostgreSQL.

    They are the refs, since commits never change and nothing is committed without one.
    """
    found: dict[str, str] = {}
    there = text("SELECT nspname FROM pg_namespace WHERE nspname IN :names").bindparams(
        bindparam("names", expanding=True)
    )
    for start in range(0, len(ids), _TOGETHER):
        some = {Project.schema_of(id_): id_ for id_ in ids[start : start + _TOGETHER]}
        with database.reading() as session:
            names = session.scalars(there, {"names": list(some)}).all()
            queries = [
                f"SELECT '{name}', string_agg(name || ' ' || commit_id, ' ' ORDER BY name) "  # noqa: S608 - schemas are named by hexadecimal digits
                f"FROM {name}.refs"
                for name in names
            ]
            if queries:
                for name, refs in session.execute(text(" UNION ALL ".join(queries))):
                    found[some[name]] = refs or ""
    return found
