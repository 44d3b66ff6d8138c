# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Hubs with one project of very many runs, made once and found again.

On SQLite runs are recorded as real ones are, 500 in a commit. A PostgreSQL database gets the same
rows by ``COPY`` from there, and its indexes afterwards: what is there in the end is what recording
them one after the other makes.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Table, create_engine, text

from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import NewCommit
from dotscience_jupyter.records.database import REVISION
from dotscience_jupyter.records.models import Base, UTCDateTime

sys.path.append(str(Path(__file__).resolve().parent.parent / "ui-tests"))
from make_runs import make_wide_run  # the runs that the explorer is measured with

BATCH = 500


def filled(folder: Path, count: int, db: str = "") -> tuple[Path, str, str]:
    """Return the data folder of a hub with one project of many runs, its id and a key for it.

    Parameters
    ----------
    folder
        Where hubs are kept from one call to the next.
    count
        How many runs.
    db
        URL of a PostgreSQL database that has nothing, or what an earlier call put into it.
    """
    where = f"postgresql-{count}" if db else f"sqlite-{count}"
    data, note = folder / where, folder / f"{where}-{REVISION}.json"
    if note.is_file() and (not db or _is_there(db, json.loads(note.read_text("utf-8"))[0])):
        return data, *json.loads(note.read_text("utf-8"))
    source = None if not db else _records(*filled(folder, count)[:2])
    shutil.rmtree(data, ignore_errors=True)
    services = Services.open(Config(data=data, db=db))
    try:
        ada = services.identity.create_user("ada", admin=True)
        key = services.identity.create_key(ada, "benchmark")[1]
        info = services.projects.create(ada, "many")
        with services.projects.open(info) as project:
            snapshot = project.engine.edit(None, []).id
            if source is None:
                _record(project, snapshot, count)
    finally:
        services.close()
    if source is not None:
        _copy(source, db, Project.schema_of(info.id))
    note.write_text(json.dumps([info.id, key]), "utf-8")
    return data, info.id, key


def _record(project: Project, snapshot: str, count: int) -> None:
    chance = random.Random(7)
    head = None
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count)
        runs = [make_wide_run(number, count, chance) for number in range(first, last)]
        commit = NewCommit(snapshot, "dotscience.run.v1", "Many runs", "ada", runs)
        head = project.records.commit([commit], expected_head=head)[0].id


def _records(data: Path, project: str) -> Path:
    return data / "projects" / project / "records.db"


def _is_there(db: str, project: str) -> bool:
    engine = create_engine(db)
    try:
        with engine.connect() as connection:
            query = text("SELECT count(*) FROM pg_namespace WHERE nspname = :name")
            return bool(connection.scalar(query, {"name": Project.schema_of(project)}))
    finally:
        engine.dispose()


def _copy(source: Path, db: str, schema: str) -> None:
    engine = create_engine(db)
    tables = Base.metadata.sorted_tables
    with closing(sqlite3.connect(source)) as old, engine.begin() as new:
        new.exec_driver_sql(f"SET search_path = {schema}")
        indexes = [index for table in tables for index in table.indexes]
        for index in indexes:
            index.drop(new)
        for table in tables:
            _copy_table(old, new.connection.driver_connection, table)
        for index in indexes:
            index.create(new)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # as PostgreSQL does by itself within a minute
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _copy_table(old: sqlite3.Connection, new: Any, table: Table) -> None:
    times = (DateTime, UTCDateTime)
    # SQLite keeps UTC without saying so
    read = [
        f"\"{each.name}\" || '+00'" if isinstance(each.type, times) else f'"{each.name}"'
        for each in table.columns
    ]
    names = ", ".join(f'"{each.name}"' for each in table.columns)
    copying = f'COPY "{table.name}" ({names}) FROM STDIN'
    with new.cursor() as cursor, cursor.copy(copying) as copy:
        for row in old.execute(f'SELECT {", ".join(read)} FROM "{table.name}"'):
            copy.write_row(row)
