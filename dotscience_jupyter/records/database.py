# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Opening a database: connections, schema, transactions, and errors in words for users."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema

from . import sqlite
from .errors import RecordsError
from .models import Base

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0003"
"""The newest migration; what this version of the software reads and writes."""

MIGRATIONS = Path(__file__).parent / "migrations"

# one number for all of ours among the server's advisory locks ("dots" in ASCII)
_POSTGRES_LOCK = 0x646F7473
_POSTGRES_OVERFLOW = 5  # connections beyond the pool's, closed as soon as they are given back
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")

# as Alembic defines it, so that opening needs no Alembic
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class Database:
    """A database with our schema in it, and the two ways to use it: reading and writing."""

    def __init__(self, engine: Engine, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema

    @classmethod
    def open(cls, url: str, *, schema: str | None = None, pool: int = 5) -> Database:
        """Open a database; create or migrate its schema where needed.

        Parameters
        ----------
        url : str
            ``sqlite:///PATH`` or an SQLAlchemy URL of a PostgreSQL database.
        schema : str, optional
            The schema of a PostgreSQL database that holds the tables; made if it is missing.
        pool : int
            So many connections are kept open at most.

        Raises
        ------
        RecordsError
            If it cannot be opened, or was made by a newer version (it is left as it is).
        """
        try:
            if url.startswith("sqlite:"):
                if schema is not None:
                    raise RecordsError("SQLite has no schemas: give each its own file.")
                engine = sqlite.engine(url, pool)
            else:
                engine = _server(url, schema, pool)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise RecordsError(
                f"{url.split('@')[-1]} is not a database that can be opened: {error}. "
                "Check the URL and that the database's driver is installed."
            ) from None
        database = cls(engine, schema)
        try:
            with database._translated("opened"):
                if _version(engine) != REVISION:
                    _set_up(engine, schema)
        except BaseException:
            engine.dispose()
            raise
        return database

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
        """Give a session in the only write transaction; all of it is kept in the end, or none."""
        with (
            self._translated("written"),
            _write(self.engine, self.schema) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    def damage(self) -> list[str]:
        """Return what the database itself finds wrong with its files."""
        if self.engine.dialect.name != "sqlite":
            return []
        with self._translated("read"), self.engine.connect() as connection:
            return sqlite.damage(connection)

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError as error:
            raise RecordsError(
                f"The records could not be {done}: too many connections are in use ({error}). "
                "Nothing was changed; try again."
            ) from error
        except DBAPIError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            raise RecordsError(
                f"The records in {where} could not be {done}: {error.orig}. Nothing was changed. "
                "Check that the disk is not full and that nothing else keeps the database locked."
            ) from error


def _server(url: str, schema: str | None, pool: int) -> Engine:
    """Return an engine whose connections see the tables of one schema."""
    if schema is not None and not _SCHEMA.fullmatch(schema):
        raise RecordsError(
            f"{schema!r} cannot be the name of a schema: names are up to 63 lower-case letters, "
            "digits and underscores, and do not start with a digit."
        )
    engine = create_engine(url, pool_size=pool, max_overflow=_POSTGRES_OVERFLOW, pool_pre_ping=True)
    if schema is None:
        return engine

    def look_there(connection: Any, record: object) -> None:
        before, connection.autocommit = connection.autocommit, True
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION search_path = {schema}")
        connection.autocommit = before

    # before SQLAlchemy's own look at a first connection, which asks for the default schema
    event.listen(engine, "connect", look_there, insert=True)
    return engine


def _lock_number(schema: str | None) -> int:
    """Return the number of the advisory lock that the writers of one schema hold."""
    if schema is None:
        return _POSTGRES_LOCK
    name = hashlib.sha256(f"dotscience {schema}".encode()).digest()
    return int.from_bytes(name[:8], "big", signed=True)


@contextmanager
def _write(engine: Engine, schema: str | None) -> Iterator[Connection]:
    with (
        engine.connect().execution_options(**{sqlite.WRITE_OPTION: True}) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(CAST(:number AS bigint))")
            connection.execute(lock, {"number": _lock_number(schema)})
        yield connection


@contextmanager
def _set_up_lock(engine: Engine, schema: str | None) -> Iterator[Connection]:
    """Hold off everybody else who would set up the database; give the transaction for it."""
    if engine.dialect.name == "sqlite":
        with sqlite.exclusive(engine), _write(engine, schema) as connection:
            yield connection
    else:
        with _write(engine, schema) as connection:
            if schema is not None:
                connection.execute(CreateSchema(schema, if_not_exists=True))
            yield connection


def _version(engine: Engine) -> str | None:
    """Return the schema's revision, or None where there is no schema of ours; one cheap query."""
    try:
        with engine.connect() as connection:
            return connection.scalar(select(_VERSION.c.version_num))
    except DBAPIError:
        with engine.connect() as connection:
            if not inspect(connection).has_table(_VERSION.name):
                return None
            # another process made it just now; what is really wrong is raised here
            return connection.scalar(select(_VERSION.c.version_num))


def _set_up(engine: Engine, schema: str | None) -> None:
    with _set_up_lock(engine, schema) as connection:
        tables = set(inspect(connection).get_table_names(schema))
        if _VERSION.name in tables:
            version = connection.scalar(select(_VERSION.c.version_num))
            if version != REVISION:  # else another process was faster
                migrate(connection, version)
        elif ours := sorted(tables & set(Base.metadata.tables)):
            raise RecordsError(
                f"{engine.url.render_as_string(hide_password=True)} holds tables that are not "
                f"ours ({', '.join(ours)}). Nothing was changed; choose another database."
            )
        else:
            Base.metadata.create_all(connection)
            _VERSION.create(connection)
            connection.execute(insert(_VERSION), {"version_num": REVISION})


def alembic_config(connection: Connection) -> Config:
    """Return the configuration with which Alembic finds our migrations and uses a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection, version: str | None, to: str = REVISION) -> None:
    """Bring the schema to a revision, within the connection's transaction.

    Raises
    ------
    RecordsError
        If the present revision is not one of ours: a newer version made it.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise RecordsError(
            f"{connection.engine.url.render_as_string(hide_password=True)} was written by a newer "
            "version of dotscience-jupyter. Nothing was changed. Upgrade dotscience-jupyter to "
            "work with it."
        )
    command.upgrade(config, to)
