# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub for the tests of this folder that ask for one; its parts, on both databases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import CHEAP, RunningHub, emptied, hub

from dotscience_jupyter.hub.config import Config, Services

# how a PostgreSQL server and S3 services of our own are started, and workspaces that push
for _folder in ("records", "s3world", "sync"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub of its own, SQLite, in a thread."""
    with hub(tmp_path) as started:
        yield started


@pytest.fixture(scope="session")
def hub_postgresql_server() -> Iterator[str]:
    from records_world import postgresql

    with postgresql() as url:
        yield url


@pytest.fixture
def hub_postgresql(hub_postgresql_server: str) -> str:
    """The URL of a PostgreSQL database with nothing of ours in it."""
    return emptied(hub_postgresql_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    """An open hub without a server, on each kind of database."""
    db = "" if request.param == "sqlite" else str(request.getfixturevalue("hub_postgresql"))
    opened = Services.open(Config(data=tmp_path / "hub", db=db, hasher=CHEAP))
    yield opened
    opened.close()
