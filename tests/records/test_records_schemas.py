# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many records in one PostgreSQL database: a schema each, a lock each, few connections."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from records_world import add, commit, full_run
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from dotscience_jupyter.records.database import Database, alembic_config, migrate
from dotscience_jupyter.records.store import Records, RecordsError


@pytest.fixture
def server(postgresql_server: str) -> str:
    """A server without schemas of ours."""
    engine = create_engine(postgresql_server)
    with engine.begin() as connection:
        names = inspect(connection).get_schema_names()
        for name in [name for name in names if name.startswith(("p_", "s_"))]:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        connection.execute(text("DROP SCHEMA IF EXISTS public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgresql_server


def test_schemas_hold_records_of_their_own(server: str) -> None:
    first, second = (Records.open(server, schema=name) for name in ("p_1", "s_2"))
    plain = Records.open(server)
    new = full_run()
    [id_] = add(first, commit(new))
    [other] = add(second, commit(new), commit())[1:]
    assert first.refs() == {"HEAD": id_}
    assert second.refs() == {"HEAD": other}
    assert plain.refs() == {}
    assert first.get_run(new.id).commit_id == id_
    for records in (first, second, plain):
        assert records.verify() == []
        records.close()
    again = Records.open(server, schema="p_1")
    assert again.refs() == {"HEAD": id_}
    again.close()
    engine = create_engine(server)
    tables = {name: set(inspect(engine).get_table_names(name)) for name in ("p_1", "s_2")}
    engine.dispose()
    assert tables["p_1"] == tables["s_2"]
    assert {"commits", "commits_beside", "alembic_version"} <= tables["p_1"]


def test_a_schema_is_migrated(server: str) -> None:
    from alembic import command

    records = Records.open(server, schema="p_1")
    [id_] = add(records, commit(full_run(datasets=[])))
    records.close()
    database = Database.open(server, schema="p_1")
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    database.close()
    records = Records.open(server, schema="p_1")
    assert records.refs() == {"HEAD": id_}
    assert records.verify() == []
    records.close()
    database = Database.open(server, schema="p_1")
    with database.engine.begin() as connection:
        migrate(connection, "0005")
    database.close()


def test_writers_of_two_schemas_do_not_wait_for_each_other(server: str) -> None:
    first, second, third = (Database.open(server, schema=n) for n in ("p_1", "p_2", "p_1"))
    entered = threading.Event()

    def write() -> None:
        with third.writing():
            entered.set()

    waiting = threading.Thread(target=write)
    with first.writing():
        with second.writing():
            pass
        waiting.start()
        assert not entered.wait(0.5)
    assert entered.wait(60)
    waiting.join()
    for database in (first, second, third):
        database.close()


def test_many_open_a_schema_at_once(server: str) -> None:
    opened: list[Records] = []
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            opened.append(Records.open(server, schema="p_new", pool=1))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(opened) == 6
    for records in opened:
        assert records.counts() == (0, 0)
        records.close()


def test_few_connections_are_kept(server: str) -> None:
    records = Records.open(server, schema="p_1", pool=2)
    start = threading.Barrier(6)
    failures: list[BaseException] = []

    def look() -> None:
        try:
            start.wait()
            for _ in range(5):
                records.counts()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert records._database.engine.pool.checkedin() <= 2
    records.close()


def test_a_connection_that_the_server_closed_is_replaced(server: str) -> None:
    records = Records.open(server, schema="p_1", pool=1)
    [id_] = add(records, commit())
    engine = create_engine(server)
    with engine.begin() as connection:
        closing = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        connection.execute(text(closing))
    engine.dispose()
    assert records.refs() == {"HEAD": id_}
    assert records.last_written("a") == id_  # it looks into the same schema again
    records.close()


@pytest.mark.parametrize("name", ["", "Project", "1a", "a-b", 'a"; DROP', "a" * 64, "ä"])
def test_names_that_no_schema_has(server: str, name: str) -> None:
    with pytest.raises(RecordsError, match="cannot be the name of a schema"):
        Records.open(server, schema=name)


def test_sqlite_has_no_schemas(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="SQLite has no schemas"):
        Records.open(f"sqlite:///{tmp_path / 'records.db'}", schema="p_1")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="could not be opened") as caught:
        Records.open(f"postgresql+psycopg://u:secret@/x?host={tmp_path}", schema="p_1")
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OperationalError)
