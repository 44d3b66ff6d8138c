# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Opening, creating and migrating databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from records_world import add, commit, full_run, run
from sqlalchemy import create_engine, inspect, text

from dotscience_jupyter.records import database as module
from dotscience_jupyter.records.database import Database, alembic_config, migrate
from dotscience_jupyter.records.models import Base
from dotscience_jupyter.records.store import Records, RecordsError


def _schema(url: str) -> dict[str, object]:
    """All that can be seen of a database's tables."""
    engine = create_engine(url)
    seen = inspect(engine)
    tables: dict[str, object] = {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)],
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in seen.get_foreign_keys(table)
            ),
            sorted((i["name"], i["column_names"], i["unique"]) for i in seen.get_indexes(table)),
            sorted(u["column_names"] for u in seen.get_unique_constraints(table)),
        )
        for table in seen.get_table_names()
    }
    # which part of a table an index has, and how it compares, is in its definition only
    definitions = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            query = text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")
            tables["without rowid"] = sorted(connection.scalars(query))
            definitions = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
        tables["indexes"] = sorted(connection.scalars(text(definitions)))
    engine.dispose()
    return tables


def test_created_and_migrated_are_the_same_and_are_the_models(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database.open(url).close()
    created = _schema(url)
    assert {"commits", "runs", "run_values", "alembic_version"} <= created.keys()
    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0005"
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    with engine.begin() as connection:
        migrate(connection, None)
    assert _schema(url) == created
    with engine.begin() as connection:
        # Alembic does not know what collation an index has; the definitions are equal, see above
        known: dict[str, object] = {"compare_type": True}
        if engine.dialect.name == "postgresql":
            known["include_object"] = lambda _, name, *__: name != "ix_run_values_text"
        context = MigrationContext.configure(connection, opts=known)
        assert compare_metadata(context, Base.metadata) == []
        scripts = ScriptDirectory.from_config(alembic_config(connection))
        assert scripts.get_heads() == [module.REVISION]
    engine.dispose()
    Database.open(url).close()


def test_migrations_can_be_undone(sqlite_url: str) -> None:
    from alembic import command

    database = Database.open(sqlite_url)
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert set(_schema(sqlite_url)) == {"alembic_version", "without rowid", "indexes"}
    database.close()


def test_a_migration_that_fails_changes_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    made = []

    def create_index(*arguments: object, **options: object) -> None:
        made.append(arguments)
        raise RuntimeError("no more")

    monkeypatch.setattr(op, "create_index", create_index)
    engine = module.sqlite.engine(sqlite_url)
    with pytest.raises(RuntimeError), engine.begin() as connection:
        migrate(connection, None)
    assert made
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_records_survive_closing(url: str) -> None:
    records = Records.open(url)
    new = full_run()
    [first] = add(records, commit(new))
    records.close()
    again = Records.open(url)
    assert again.get_run(new.id).commit_id == first
    again.close()


def test_opening_what_is_up_to_date_needs_no_alembic(sqlite_url: str) -> None:
    Records.open(sqlite_url).close()
    code = (
        "import sys; from dotscience_jupyter.records.store import Records;"
        f"Records.open({sqlite_url!r}).close();"
        "print([m for m in sys.modules if m.split('.')[0] in ('alembic', 'filelock', 'mako')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_finding_a_workspace_needs_no_sqlalchemy() -> None:
    code = (
        "import sys; from dotscience_jupyter.records import Workspace, NewRun, to_text;"
        "print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_newer_database_is_left_alone(url: str) -> None:
    database = Database.open(url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("DROP TABLE logs"))
    database.close()
    before = _schema(url)
    with pytest.raises(RecordsError, match="newer version.*Upgrade"):
        Records.open(url)
    assert _schema(url) == before


def test_tables_of_somebody_else_are_left_alone(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    engine.dispose()
    with pytest.raises(RecordsError, match="not ours .runs."):
        Records.open(url)
    assert set(_schema(url)) - {"without rowid", "indexes"} == {"runs"}


def test_durable_and_concurrent_settings(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    with database.engine.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        got = [connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in pragmas]
    assert got == ["wal", 2, 1, 30000]
    database.close()


@pytest.mark.parametrize("name", ["a ?b=c&d#e%41%", "ünï 'q\"", "b\udcff\udc80", "new\nline"])
def test_odd_folder_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    records = Records.open(f"sqlite:///{folder / 'records.db'}")
    add(records, commit(run()))
    records.close()
    assert (folder / "records.db").stat().st_size > 0
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "nosuch://host/db", "sqlite://", "sqlite:///", "sqlite:///:memory:"],
)
def test_urls_that_make_no_sense(url: str) -> None:
    with pytest.raises(RecordsError):
        Records.open(url)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="Nothing was changed"):
        Records.open(f"sqlite:///{tmp_path / 'no' / 'records.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_bytes(b"this is not a database at all, whatever its name says" * 100)
    before = path.read_bytes()
    with pytest.raises(RecordsError, match="not a database"):
        Records.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_full_disk_or_a_locked_database_is_said_in_words(sqlite_url: str) -> None:
    records = Records.open(sqlite_url)
    [first] = add(records, commit())
    engine = records._database.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(RecordsError, match="full.*Nothing was changed"):
        big = [run(description="x" * 100_000) for _ in range(20)]
        records.commit([commit(*big)], expected_head=first)
    assert records.counts() == (1, 0)
    records.close()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    records = Records.open(sqlite_url)
    with records._database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    other.execute("BEGIN IMMEDIATE")
    assert records.counts() == (1, 0)  # readers do not wait
    with pytest.raises(RecordsError, match="locked"):
        records.commit([commit(run())], expected_head=first)
    other.execute("ROLLBACK")
    other.close()
    records.commit([commit(run())], expected_head=first)
    records.close()


_OPENER = """
import sys
from dotscience_jupyter.records.store import Records
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
records = Records.open(sys.argv[1])
print(records.counts())
records.close()
"""


def test_processes_that_open_a_fresh_database_at_once(url: str) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", _OPENER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "error"},
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        out, err = opener.communicate(timeout=60)
        assert (out, err, opener.returncode) == ("(0, 0)\n", "", 0)
