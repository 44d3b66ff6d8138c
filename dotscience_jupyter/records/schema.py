# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tables in a database: made, found again, brought along, and written to by one at a time.

Records and the hub keep their tables in the same two ways: a SQLite file, or a schema of a
PostgreSQL database. What they say when that cannot be done is their own.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
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
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema

from . import sqlite
from .errors import RecordsError

if TYPE_CHECKING:
    from alembic.config import Config

# one number for all of ours outside of schemas among the server's advisory locks ("dots" in ASCII)
_POSTGRES_LOCK = 0x646F7473
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")

# as Alembic defines it, so that opening needs no Alembic
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class UnusableURLError(RecordsError):
    """A URL is none of a database that can be opened."""


class ForeignTablesError(RecordsError):
    """A database holds tables of somebody else under our names; nothing was changed."""


class NewerTablesError(RecordsError):
    """A newer version of the software made the tables; nothing was changed."""


class OlderTablesError(RecordsError):
    """An older version of the software made the tables, which are not to be migrated now."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that belong together.

    Attributes
    ----------
    metadata
        How they are made where there are none.
    revision
        The newest migration, which leads to the same.
    migrations
        The folder of Alembic's environment.
    """

    metadata: MetaData
    revision: str
    migrations: Path


class SchemaDatabase(ABC):
    """A database with tables of ours, and the two ways to use it: reading and writing.

    Attributes
    ----------
    engine : Engine
    schema : str or None
        Of PostgreSQL, where the tables are in one of their own.
    """

    def __init__(self, engine: Engine, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a PostgreSQL server's."""
        return self.engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    def prepare(self, tables: Tables, *, upgrade: bool = True) -> None:
        """Make the tables where there are none, or bring them along; close it if that fails.

        Raises
        ------
        ForeignTablesError, NewerTablesError
            If they are not ours, or a newer version made them.
        OlderTablesError
            If they need to be migrated and ``upgrade`` is not set.
        """
        try:
            with self._translated("opened"):
                if _version(self.engine) != tables.revision:
                    _set_up(self.engine, self.schema, tables, upgrade)
        except BaseException:
            self.close()
            raise

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
            write(self.engine, self.schema) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    @abstractmethod
    def _translated(self, done: str) -> AbstractContextManager[None]:
        """Give a context in which errors of the database become words; ``done`` is what failed."""


def connect(url: str, schema: str | None = None, *, pool: int = 5, overflow: int = 5) -> Engine:
    """Return an engine for a database; on PostgreSQL its connections see the tables of a schema.

    Parameters
    ----------
    url : str
        ``sqlite:///PATH`` or an SQLAlchemy URL of a PostgreSQL database.
    schema : str, optional
        Of PostgreSQL; SQLite has none.
    pool : int
        So many connections are kept open at most.
    overflow : int
        To a server: so many more are made for moments.

    Raises
    ------
    UnusableURLError
        If it is no URL of such a database.
    RecordsError
        If the name of the schema is none.
    """
    try:
        if url.startswith("sqlite:"):
            if schema is not None:
                raise RecordsError("SQLite has no schemas: give each its own file.")
            return sqlite.engine(url, pool)
        if schema is not None and not _SCHEMA.fullmatch(schema):
            raise RecordsError(
                f"{schema!r} cannot be the name of a schema: names are up to 63 lower-case "
                "letters, digits and underscores, and do not start with a digit."
            )
        engine = create_engine(url, pool_size=pool, max_overflow=overflow, pool_pre_ping=True)
        if engine.dialect.name != "postgresql":
            raise ArgumentError(f"{engine.dialect.name} is neither SQLite nor PostgreSQL")
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise UnusableURLError(
            f"{url.split('@')[-1]} is not a database that can be opened: {error}. "
            "Check the URL and that the database's driver is installed."
        ) from None
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
def write(engine: Engine, schema: str | None) -> Iterator[Connection]:
    """Give the only transaction that writes to a schema."""
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
        with sqlite.exclusive(engine), write(engine, schema) as connection:
            yield connection
    else:
        with write(engine, schema) as connection:
            if schema is not None:
                connection.execute(CreateSchema(schema, if_not_exists=True))
            yield connection


def _version(engine: Engine) -> str | None:
    """Return the tables' revision, or None where there are none of ours; one cheap query."""
    try:
        with engine.connect() as connection:
            return connection.scalar(select(_VERSION.c.version_num))
    except DBAPIError:
        with engine.connect() as connection:
            if not inspect(connection).has_table(_VERSION.name):
                return None
            # another process made it just now; what is really wrong is raised here
            return connection.scalar(select(_VERSION.c.version_num))


def _set_up(engine: Engine, schema: str | None, tables: Tables, upgrade: bool) -> None:
    with _set_up_lock(engine, schema) as connection:
        there = set(inspect(connection).get_table_names(schema))
        if _VERSION.name in there:
            version = connection.scalar(select(_VERSION.c.version_num))
            if version != tables.revision:  # else another process was faster
                migrate(connection, tables, version, upgrade=upgrade)
        elif theirs := sorted(there & set(tables.metadata.tables)):
            raise ForeignTablesError(
                f"{engine.url.render_as_string(hide_password=True)} holds tables that are not "
                f"ours ({', '.join(theirs)}). Nothing was changed; choose another database."
            )
        else:
            tables.metadata.create_all(connection)
            _VERSION.create(connection)
            connection.execute(insert(_VERSION), {"version_num": tables.revision})


def alembic_config(connection: Connection, tables: Tables) -> Config:
    """Return the configuration with which Alembic finds migrations and uses a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(tables.migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(
    connection: Connection,
    tables: Tables,
    version: str | None,
    to: str | None = None,
    *,
    upgrade: bool = True,
) -> None:
    """Bring tables from a revision to another (the newest), within the connection's transaction.

    Raises
    ------
    NewerTablesError
        If the present revision is not one of ours: a newer version made it.
    OlderTablesError
        If it is, and ``upgrade`` is not set.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection, tables)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    where = connection.engine.url.render_as_string(hide_password=True)
    if version is not None and version not in known:
        raise NewerTablesError(
            f"{where} was written by a newer version of dotscience-jupyter. Nothing was changed. "
            "Upgrade dotscience-jupyter to work with it."
        )
    if not upgrade:
        raise OlderTablesError(
            f"{where} was written by an older version of dotscience-jupyter. Nothing was changed."
        )
    command.upgrade(config, to or tables.revision)
