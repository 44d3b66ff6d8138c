# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Very many rows of numbers and texts, as the database's driver gives them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.orm import Session

_AT_ONCE = 500  # the garbage collector looks at new objects when there are 700 more


def raw(session: Session, query: Executable) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query on numbers and texts, see :func:`batches`."""
    return chain.from_iterable(batches(session, query))


def batches(session: Session, query: Executable) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a query on numbers and texts, some hundreds at a time, to the last one.

    A third of the time of rows that know their columns' names and types, which tells where there
    are a hundred thousand of them. Never all at once: so many new objects would have the garbage
    collector look through everything that a server holds.
    """
    result = session.connection().execute(query)
    try:
        assert result.cursor is not None
        while rows := result.cursor.fetchmany(_AT_ONCE):
            yield list(rows)
    finally:
        result.close()


def numbers(session: Session, query: Executable, head: int) -> list[int]:
    """Return the sequences that a query finds, but for runs that came after the head."""
    found: list[int] = []
    for rows in batches(session, query):
        found += [row[0] for row in rows if row[0] <= head]
    return found
