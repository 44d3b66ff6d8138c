# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Opening the hub's database: SQLite in the data folder, or the schema ``hub`` of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.records import sqlite

from .tables import Base

REVISION = "0001"
"""The newest migration; what this version of the software reads and writes."""

SCHEMA = "hub"
"""Where the tables are on PostgreSQL; each project's records have a schema of their own."""

MIGRATIONS = Path(__file__).parent / "migrations"

# one number for all hubs' set-ups and writes among the server's advisory locks ("dhub" in ASCII)
_POSTGRES_LOCK = 0x64687562

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class HubDatabase:
    """The hub's own tables, and the two ways to use them. Thread-safe; processes may share it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str, *, upgrade: bool = False) -> HubDatabase:
        """Open a hub's database; make its tables where there are none.

        Parameters
        ----------
        url : str
            ``sqlite:///PATH`` or an SQLAlchemy URL of a PostgreSQL database.
        upgrade : bool
            Whether an older one is migrated; it is refused otherwise.

        Raises
        ------
        ApiError
            If it cannot be opened, or a newer version made it (it is left as it is).
        """
        engine = _engine(url)
        database = cls(engine)
        try:
            with database._translated("opened"):
                _set_up(engine, upgrade)
        except BaseException:
            engine.dispose()
            raise
        return database

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a PostgreSQL server's."""
        return self.engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one moment of the database; what it loads outlives it."""
        with self._translated("read"), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session in the only write transaction; all of it is kept in the end, or none.

        Raises
        ------
        IntegrityError
            If what is written breaks a rule of the tables, such as a name that is taken.
        ApiError
            503 if it cannot be written.
        """
        with (
            self._translated("written"),
            _write(self.engine) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    def ping(self) -> None:
        """Ask the database for nothing. Raise ApiError if it does not answer."""
        with self._translated("read"), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError as error:
            raise ApiError(
                503,
                "busy",
                f"The hub's database could not be {done}: too many connections are in use. "
                "Nothing was changed; try again.",
            ) from error
        except IntegrityError:
            raise  # for who knows which rule was to be broken
        except DBAPIError as error:
            raise ApiError(
                503,
                "database",
                f"The hub's database could not be {done}. Nothing was changed. The hub's log has "
                "the reason; check that the database runs and that the disk is not full.",
                str(error.orig),
            ) from error


def _engine(url: str) -> Engine:
    try:
        if url.startswith("sqlite:"):
            return sqlite.engine(url)
        engine = create_engine(url, pool_size=5, max_overflow=15, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ApiError(
            500,
            "database",
            f"{url.split('@')[-1]} is not a database that can be opened: {error}. Check the URL "
            "and that its driver is installed (pip install 'dotscience-jupyter[hub]').",
        ) from None
    if engine.dialect.name != "postgresql":
        engine.dispose()
        raise ApiError(500, "database", "A hub's database is SQLite or PostgreSQL.")
    event.listen(engine, "connect", _use_schema, insert=True)
    return engine


def _use_schema(connection: Any, record: object) -> None:
    before = connection.autocommit
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"SET search_path TO {SCHEMA}")
    cursor.close()
    connection.autocommit = before


@contextmanager
def _write(engine: Engine) -> Iterator[Connection]:
    with (
        engine.connect().execution_options(**{sqlite.WRITE_OPTION: True}) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
        yield connection


@contextmanager
def _set_up_lock(engine: Engine) -> Iterator[Connection]:
    """Hold off everybody else who would set up the database; give the transaction for it."""
    if engine.dialect.name == "sqlite":
        with sqlite.exclusive(engine), _write(engine) as connection:
            yield connection
    else:
        with _write(engine) as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            yield connection


def _set_up(engine: Engine, upgrade: bool) -> None:
    with _set_up_lock(engine) as connection:
        tables = set(inspect(connection).get_table_names())
        if _VERSION.name in tables:
            version = connection.scalar(select(_VERSION.c.version_num))
            if version != REVISION:
                migrate(connection, version, upgrade=upgrade)
        elif tables & set(Base.metadata.tables):
            raise ApiError(
                500,
                "database",
                f"{engine.url.render_as_string(hide_password=True)} holds tables that are not a "
                "hub's. Nothing was changed; choose another database.",
            )
        else:
            Base.metadata.create_all(connection)
            _VERSION.create(connection)
            connection.execute(insert(_VERSION), {"version_num": REVISION})


def migrate(connection: Connection, version: str | None, *, upgrade: bool) -> None:
    """Bring the tables to what this version of the software needs, within a transaction.

    Raises
    ------
    ApiError
        If a newer version made them, or they are older and ``upgrade`` is not set.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise ApiError(
            500,
            "newer_database",
            "The hub's database was written by a newer version of dotscience-jupyter. Nothing was "
            "changed. Upgrade dotscience-jupyter to serve it.",
        )
    if not upgrade:
        raise ApiError(
            500,
            "older_database",
            "The hub's database was written by an older version of dotscience-jupyter. Nothing "
            "was changed. Make a backup, then run `jupyter dotscience hub upgrade`.",
        )
    command.upgrade(config, REVISION)
