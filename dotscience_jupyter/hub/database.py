# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Opening the hub's database: SQLite in the data folder, or the schema ``hub`` of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.records import RecordsError
from dotscience_jupyter.records.schema import (
    ForeignTablesError,
    NewerTablesError,
    OlderTablesError,
    SchemaDatabase,
    Tables,
    connect,
)

from .tables import Base

REVISION = "0003"
"""The newest migration; what this version of the software reads and writes."""

SCHEMA = "hub"
"""Where the tables are on PostgreSQL; each project's records have a schema of their own."""

TABLES = Tables(Base.metadata, REVISION, Path(__file__).parent / "migrations")

_OVERFLOW = 15  # connections to a server beyond the pool's: every request asks who it is from


class HubDatabase(SchemaDatabase):
    """The hub's own tables. Thread-safe; processes may share it.

    What is written raises IntegrityError where it breaks a rule of the tables, such as a name
    that is taken, and ApiError 503 where it cannot be written.
    """

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
        schema = None if url.startswith("sqlite:") else SCHEMA
        try:
            database = cls(connect(url, schema, overflow=_OVERFLOW), schema)
            database.prepare(TABLES, upgrade=upgrade)
        except NewerTablesError:
            raise ApiError(
                500,
                "newer_database",
                "The hub's database was written by a newer version of dotscience-jupyter. Nothing "
                "was changed. Upgrade dotscience-jupyter to serve it.",
            ) from None
        except OlderTablesError:
            raise ApiError(
                500,
                "older_database",
                "The hub's database was written by an older version of dotscience-jupyter. Nothing "
                "was changed. Make a backup, then run `jupyter dotscience hub upgrade`.",
            ) from None
        except ForeignTablesError as error:
            raise ApiError(500, "database", f"This database is not a hub's: {error}") from None
        except RecordsError as error:
            raise ApiError(500, "database", str(error)) from None
        return database

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
