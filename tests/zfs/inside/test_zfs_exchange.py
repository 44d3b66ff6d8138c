# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots of ZFS in the form that a hub keeps, and others' in a folder on ZFS.

What goes over the network is the same as from any workspace, so here two stores stand for the hub.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from zfs_world import Pool

from dotscience_jupyter.snapshots import COMMIT_HOLD, Edit, EmbeddedEngine, open_engine
from dotscience_jupyter.snapshots.native.portable import HOLD, PortableNative

LARGE = random.Random(0).randbytes(2 << 20)


@pytest.fixture
def folder(pool: Pool, tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    pool.volume(folder)
    return folder


@pytest.fixture
def engine(folder: Path) -> Iterator[PortableNative]:
    engine = open_engine(folder, folder / ".dotscience" / "store")
    assert isinstance(engine, PortableNative)
    assert engine.name == "zfs"
    yield engine
    engine.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    other = EmbeddedEngine.open_store(tmp_path / "other")
    yield other
    other.close()


def give(engine: PortableNative, snapshot: str, other: EmbeddedEngine) -> int:
    """What a push does; returns the bytes."""
    brought = engine.bring(snapshot)
    stream = io.BytesIO()
    engine.exchange.pack(engine.exchange.needed(brought, other.missing), stream)
    stream.seek(0)
    other.unpack(stream)
    for foreign, equal in engine.exchange.equals([snapshot]).items():
        other.equate(foreign, *equal)
    assert other.adopt([brought], COMMIT_HOLD) == []
    return len(stream.getvalue())


def test_there_and_back(
    engine: PortableNative, other: EmbeddedEngine, folder: Path, tmp_path: Path
) -> None:
    write(folder / "notes", "one")
    write(folder / "data" / "large", LARGE)
    first = engine.snapshot().id
    give(engine, first, other)
    write(folder / "notes", "two")
    second = engine.snapshot().id
    assert give(engine, second, other) < 2000  # the large file is there
    assert other.verify([first, second]) == []
    assert other.content_id(second) == engine.content_id(second)
    other.restore(second, tmp_path / "restored")
    assert state_of(tmp_path / "restored") == state_of(folder)
    room = sum(path.stat().st_size for path in (tmp_path / "work").rglob("*.pack"))
    assert room < 50_000  # of the contents there are references
    assert {info.id for info in engine.snapshots() if HOLD in info.holds} == {first, second}

    # what comes from elsewhere builds upon what ZFS has
    third = other.edit(second, [Edit("new", b"from there"), Edit("notes", None)]).id
    stream = io.BytesIO()
    other.send(third, stream, second)
    assert len(stream.getvalue()) < 5000
    stream.seek(0)
    assert engine.exchange.receive(stream) == third
    assert engine.content_id(third) == other.content_id(third)
    assert [each.path for each in engine.changes(third)] == ["new", "notes"]
    engine.hold([third], COMMIT_HOLD)
    engine.rollback(third)
    assert sorted(state_of(folder)) == ["data", "data/large", "new"]
    assert engine.changes(third) == []
    with engine.open(third, "data/large") as file:
        assert file.read() == LARGE
    assert engine.verify([third]) == []
    assert give(engine, engine.snapshot().id, other) < 5000
