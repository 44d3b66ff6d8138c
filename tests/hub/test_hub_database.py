# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub's own tables: made, found again, brought along; refused where they are not ours."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hub_world import CHEAP
from sqlalchemy import create_engine, inspect, text

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import database as database_module
from dotscience_jupyter.hub.app import database_url
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.database import REVISION, TABLES, HubDatabase
from dotscience_jupyter.hub.tables import Base
from dotscience_jupyter.records.schema import migrate, write


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    return str(request.getfixturevalue("hub_postgresql"))


def version(database: HubDatabase) -> str | None:
    with database.reading() as session:
        return session.scalar(text("SELECT version_num FROM alembic_version"))


def shape(database: HubDatabase) -> dict[str, object]:
    """Tables with columns, keys and indexes, as the database tells them."""
    found = inspect(database.engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(str(f["constrained_columns"]) for f in found.get_foreign_keys(name)),
            sorted((str(i["column_names"]), bool(i["unique"])) for i in found.get_indexes(name)),
            sorted(str(u["column_names"]) for u in found.get_unique_constraints(name)),
        )
        for name in Base.metadata.tables
    }


def test_it_is_made_once_and_found_again(url: str) -> None:
    database = HubDatabase.open(url)
    assert version(database) == REVISION
    database.close()
    again = HubDatabase.open(url)
    again.ping()
    again.close()


def test_migrations_make_the_same_tables(url: str) -> None:
    database = HubDatabase.open(url)
    made = shape(database)
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            table.drop(connection)
        connection.execute(text("DELETE FROM alembic_version"))
    with write(database.engine, database.schema) as connection:
        migrate(connection, TABLES, None)
    assert shape(database) == made
    assert version(database) == REVISION
    database.close()


def test_a_newer_one_is_refused_and_left_as_it_is(url: str) -> None:
    database = HubDatabase.open(url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for upgrade in (False, True):
        with pytest.raises(ApiError) as error:
            HubDatabase.open(url, upgrade=upgrade)
        assert error.value.code == "newer_database"
    assert version(database) == "9999"
    database.close()


def test_an_older_one_is_brought_along_only_when_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    HubDatabase.open(url).close()
    monkeypatch.setattr(database_module, "TABLES", replace(TABLES, revision="9998"))
    with pytest.raises(ApiError) as error:
        HubDatabase.open(url)
    assert error.value.code == "older_database"
    assert "hub upgrade" in error.value.message


def test_the_first_version_is_brought_along_with_what_is_in_it(url: str) -> None:
    made = shape(HubDatabase.open(url))
    database = HubDatabase.open(url)
    with write(database.engine, database.schema) as connection:
        for table in reversed(Base.metadata.sorted_tables):
            table.drop(connection)
        connection.execute(text("DELETE FROM alembic_version"))
        migrate(connection, TABLES, None, "0001")
        user = "'u', 'alice', 'alice', NULL, :no, :no, '2026-01-01 00:00:00'"
        project = "'p', 'u', 'project', 'n', 'd', '2026-01-01 00:00:00', NULL, 'n', 'd'"
        connection.execute(text(f"INSERT INTO users VALUES ({user})"), {"no": False})
        connection.execute(text(f"INSERT INTO projects VALUES ({project})"))
        connection.execute(
            text("INSERT INTO collaborators VALUES ('p', 'u', '2026-01-01 00:00:00')")
        )
    database.close()
    with pytest.raises(ApiError) as error:
        HubDatabase.open(url)
    assert error.value.code == "older_database"
    database = HubDatabase.open(url, upgrade=True)
    assert version(database) == REVISION
    assert shape(database) == made
    with database.reading() as session:
        found = session.execute(text("SELECT name, jupyterhub FROM users")).all()
        assert [tuple(row) for row in found] == [("alice", None)]
        assert session.scalar(text("SELECT owner_id FROM projects")) == "u"
        assert session.scalar(text("SELECT access FROM collaborators")) == "write"
    database.close()


def test_somebody_elses_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (x INTEGER)"))
    engine.dispose()
    with pytest.raises(ApiError, match="not a hub's"):
        HubDatabase.open(f"sqlite:///{path}")


def test_on_postgresql_nothing_is_outside_of_our_schemas(
    hub_postgresql: str, tmp_path: Path
) -> None:
    services = Services.open(Config(data=tmp_path, db=hub_postgresql, hasher=CHEAP))
    info = services.projects.create(services.identity.create_user("alice"), "p")
    with services.projects.open(info) as project:
        project.write([], author="alice", message="", type="upload")
    found = inspect(services.database.engine)
    assert found.get_table_names(schema="public") == []
    assert "commits" in found.get_table_names(schema=project.schema_of(info.id))
    assert "users" in found.get_table_names(schema="hub")
    assert not (tmp_path / "hub.db").exists()
    services.close()


def test_several_that_start_at_once_make_it_once(url: str) -> None:
    barrier = threading.Barrier(4)
    failed: list[BaseException] = []

    def start() -> None:
        barrier.wait()
        try:
            HubDatabase.open(url).close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql+nothing://x", "postgresql+psycopg://nobody@/x?host=/nowhere"]
)
def test_what_cannot_be_opened_is_said_in_words(url: str) -> None:
    with pytest.raises(ApiError) as error:
        HubDatabase.open(url).close()
    assert error.value.code == "database"


def test_a_lost_database_is_said_in_words(tmp_path: Path) -> None:
    database = HubDatabase.open(f"sqlite:///{tmp_path / 'hub.db'}")
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE users"))
    with pytest.raises(ApiError) as error, database.reading() as session:
        session.execute(text("SELECT * FROM users"))
    assert (error.value.status, error.value.code) == (503, "database")
    database.close()


def test_a_password_in_a_url_is_not_told() -> None:
    with pytest.raises(ApiError) as error:
        HubDatabase.open("mysql+nothing://user:hunter22@host/db")
    assert "hunter22" not in error.value.message


def test_the_driver_that_we_bring_along_is_taken() -> None:
    assert database_url("") == ""
    assert database_url("postgresql://a:b@c/d") == "postgresql+psycopg://a:b@c/d"
    assert database_url("postgres://c/d") == "postgresql+psycopg://c/d"
    assert database_url("postgresql+pg8000://c/d") == "postgresql+pg8000://c/d"
    with pytest.raises(ApiError, match="cannot be understood"):
        database_url("///")
