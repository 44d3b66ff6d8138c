# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The database of records: what is in it, and its errors in words for users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from . import schema as schemas
from . import sqlite
from .errors import RecordsError
from .models import Base
from .schema import SchemaDatabase, Tables

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0005"
"""The newest migration; what this version of the software reads and writes."""

TABLES = Tables(Base.metadata, REVISION, Path(__file__).parent / "migrations")


class Database(SchemaDatabase):
    """A database with the tables of records in it."""

    @classmethod
    def open(
        cls, url: str, *, schema: str | None = None, pool: int = 5, upgrade: bool = True
    ) -> Database:
        """Open a database; create or migrate its schema where needed.

        Parameters
        ----------
        url : str
            ``sqlite:///PATH`` or an SQLAlchemy URL of a PostgreSQL database.
        schema : str, optional
            The schema of a PostgreSQL database that holds the tables; made if it is missing.
        pool : int
            So many connections are kept open at most.
        upgrade : bool
            Whether an older one is migrated; it is refused otherwise.

        Raises
        ------
        RecordsError
            If it cannot be opened, or was made by a newer version (NewerTablesError), or by an
            older one that is not to be migrated (OlderTablesError); it is left as it is.
        """
        database = cls(schemas.connect(url, schema, pool=pool), schema)
        database.prepare(TABLES, upgrade=upgrade)
        return database

    def damage(self) -> list[str]:
        """Return what the database itself finds wrong with its files."""
        if self.is_postgresql:
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


def alembic_config(connection: Connection) -> Config:
    """Return the configuration with which Alembic finds our migrations and uses a connection."""
    return schemas.alembic_config(connection, TABLES)


def migrate(connection: Connection, version: str | None, to: str = REVISION) -> None:
    """Bring the schema to a revision, within the connection's transaction.

    Raises
    ------
    RecordsError
        If the present revision is not one of ours: a newer version made it.
    """
    schemas.migrate(connection, TABLES, version, to)
