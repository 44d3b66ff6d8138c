# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""All that is particular to SQLite: how it is connected to, locked, created and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from .errors import RecordsError

PREFIX = "sqlite:///"
WRITE_OPTION = "dotscience_write"
_LOCK_SECONDS = 60


def url(text: str) -> URL:
    """Return the URL of a database file, even where its path holds ``?``, ``#`` or ``%``."""
    path = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or path in ("", ":memory:"):
        raise RecordsError(
            "Records are kept in a file or on a database server, not in memory: "
            "give a URL such as sqlite:////path/of/records.db."
        )
    return URL.create("sqlite", database=path)


def engine(text: str, pool: int = 5) -> Engine:
    """Return an engine whose connections are durable and never dead-lock; it keeps ``pool`` open.

    A commit that returned survives power loss (``synchronous=FULL`` syncs the WAL at each commit).
    Writers take the write lock when they begin, so two of them wait for each other instead of
    failing half way; readers never wait.
    """
    result = create_engine(url(text), pool_size=pool, max_overflow=20)
    event.listen(result, "connect", _connected)
    event.listen(result, "begin", _begin)
    return result


def _connected(connection: Any, record: object) -> None:
    # the driver's own implicit BEGIN comes too late and leaves DDL outside of transactions
    connection.isolation_level = None
    for pragma in ("busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()
    connection.create_function("dotscience_lower", 1, _lower, deterministic=True)


def _lower(text: object) -> object:
    # SQLite's own lower() knows ASCII only
    return text.lower() if isinstance(text, str) else text


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def exclusive(target: Engine) -> Iterator[None]:
    """Hold the lock beside the database file while its schema is made or changed.

    ``journal_mode=WAL`` stays in the file; changing it does not wait for others as statements do,
    which is why it happens in here.
    """
    import filelock

    lock = filelock.FileLock(f"{target.url.database}.lock")
    try:
        with lock.acquire(timeout=_LOCK_SECONDS):
            connection = target.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.close()
            finally:
                connection.close()
            yield
    except filelock.Timeout:
        raise RecordsError(
            f"Another program has been setting up {target.url.database} for more than "
            f"{_LOCK_SECONDS} seconds. Nothing was changed; try again when it is done."
        ) from None
    except OSError as error:
        raise RecordsError(
            f"{target.url.database} cannot be set up: {error.strerror or error}. Nothing was "
            "changed; check that its folder exists and that you can write to it."
        ) from None


def damage(connection: Connection) -> list[str]:
    """Return what SQLite finds wrong with the file: damaged pages, indexes, dangling keys."""
    found = [
        f"The database file is damaged: {row[0]}"
        for row in connection.exec_driver_sql("PRAGMA integrity_check")
        if row[0] != "ok"
    ]
    found += [
        f"A row of the table {row[0]} belongs to a row of {row[2]} that does not exist."
        for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
    ]
    return found
