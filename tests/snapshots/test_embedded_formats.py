# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Stores of other versions and other engines, and what protects the snapshots in a store."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write

from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    EmbeddedEngine,
    HeldError,
    SnapshotError,
)
from dotscience_jupyter.snapshots.embedded import store as stores
from dotscience_jupyter.snapshots.embedded.store import Store, engine_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store"


def files(place: Path) -> dict[str, bytes]:
    """Everything that is in a store, folders too."""
    found = {}
    for path in sorted(place.rglob("*")):
        found[os.fspath(path.relative_to(place))] = b"" if path.is_dir() else path.read_bytes()
    return found


def make_old(place: Path) -> None:
    """Make a store what the first version left."""
    old = {"format": 1, "engine": "embedded", "hash": "blake3"}
    (place / "format").write_text(json.dumps(old) + "\n")
    for name in ("holds", "partial"):
        shutil.rmtree(place / name)


def version(place: Path) -> int:
    found = json.loads((place / "format").read_text())
    assert (found.pop("engine"), found.pop("hash")) == ("embedded", "blake3")
    number = found.pop("format")
    assert found == {}
    assert isinstance(number, int)
    return number


# -- versions ------------------------------------------------------------------------------------


def test_reading_an_older_store_changes_nothing(folder: Path, place: Path, tmp_path: Path) -> None:
    write(folder / "f", "content")
    engine = EmbeddedEngine(folder, place)
    snapshot = engine.snapshot().id
    engine.content_id(snapshot)
    assert version(place) == 2
    engine.close()
    make_old(place)
    before = files(place)
    engine = EmbeddedEngine(folder, place)
    assert engine.changes(snapshot) == []
    engine.restore(snapshot, tmp_path / "out")
    assert engine.verify([snapshot]) == []
    assert [info.id for info in engine.snapshots()] == [snapshot]
    assert engine.partial() == {}
    engine.release([snapshot], "tag")
    engine.send(snapshot, io.BytesIO())
    assert files(place) == before
    engine.close()


@pytest.mark.parametrize("action", ["snapshot", "hold", "gc", "receive"])
def test_the_first_write_brings_a_store_up_to_date(
    folder: Path, place: Path, tmp_path: Path, action: str
) -> None:
    write(folder / "f", "content")
    engine = EmbeddedEngine(folder, place)
    first = engine.snapshot().id
    engine.close()
    make_old(place)
    write(tmp_path / "other" / "g", "other")
    other = EmbeddedEngine(tmp_path / "other", tmp_path / "other-store")
    stream = io.BytesIO()
    other.send(other.snapshot().id, stream)
    stream.seek(0)
    engine = EmbeddedEngine(folder, place)
    actions: dict[str, Callable[[], object]] = {
        "snapshot": engine.snapshot,
        "hold": lambda: engine.hold([first], "tag"),
        "gc": lambda: engine.gc([first]),
        "receive": lambda: engine.receive(stream),
    }
    actions[action]()
    assert version(place) == 2
    assert engine.verify([first]) == []
    engine.restore(first, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(folder)


def test_a_format_that_could_not_be_written_stays_the_old_one(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedEngine(folder, place)
    first = engine.snapshot().id
    make_old(place)

    def failing(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", failing)
        with pytest.raises(SnapshotError, match="disk is full"):
            engine.snapshot()
    assert version(place) == 1
    assert list((place / "tmp").iterdir()) == []
    assert engine.snapshot().id == first
    assert version(place) == 2


@pytest.mark.parametrize("number", ["0", "3", "-1", "true", '"2"', "2.0", "null", "[2]"])
def test_formats_that_are_not_known(folder: Path, place: Path, number: str) -> None:
    EmbeddedEngine(folder, place).snapshot()
    text = f'{{"format": {number}, "engine": "embedded", "hash": "blake3"}}'
    (place / "format").write_text(text)
    before = files(place)
    with pytest.raises(SnapshotError, match="Upgrade"):
        EmbeddedEngine(folder, place)
    assert files(place) == before


def test_a_store_that_became_newer_is_not_written(folder: Path, place: Path) -> None:
    """By an engine that was open when another program upgraded it."""
    engine = EmbeddedEngine(folder, place)
    engine.snapshot()
    (place / "format").write_text('{"format": 3, "engine": "embedded", "hash": "blake3"}')
    before = files(place)
    with pytest.raises(SnapshotError, match="Upgrade"):
        engine.snapshot()
    assert files(place) == before


# -- engines -------------------------------------------------------------------------------------


def test_the_store_of_another_engine_is_refused(folder: Path, place: Path) -> None:
    store = Store(place, "btrfs")
    store.register("0" * 64)
    store.hold(["0" * 64], "tag")
    before = files(place)
    with pytest.raises(SnapshotError, match=r"'btrfs'.*'embedded'.*Nothing was changed"):
        EmbeddedEngine(folder, place)
    with pytest.raises(SnapshotError, match="'zfs'"):
        Store(place, "zfs")
    assert files(place) == before
    assert Store(place, "btrfs").held() == {"0" * 64: ("tag",)}


def test_whose_store_it_is(folder: Path, place: Path, tmp_path: Path) -> None:
    assert engine_of(place) is None
    EmbeddedEngine(folder, place)
    assert engine_of(place) == "embedded"
    Store(tmp_path / "other", "zfs")
    assert engine_of(tmp_path / "other") == "zfs"
    for text in ("", "{", "[]", "{}", '{"engine": 1}', "\udc80", "[" * 100_000):
        (place / "format").write_text(text, errors="surrogateescape")
        assert engine_of(place) is None
    assert engine_of(tmp_path / "other" / "format") is None


# -- holds ---------------------------------------------------------------------------------------


def test_what_is_no_hold_does_not_count(folder: Path, place: Path) -> None:
    engine = EmbeddedEngine(folder, place, grace=0.0)
    write(folder / "f", "first")
    snapshot = engine.snapshot().id
    for name in ("nonsense", f"{snapshot}", f"{'0' * 64}.tag", ".tag"):
        (place / "holds" / name).touch()
    assert [(info.id, info.holds) for info in engine.snapshots()] == [(snapshot, ())]
    write(folder / "f", "second")
    engine.gc([engine.snapshot().id])
    assert not engine.exists(snapshot)


def test_gc_keeps_a_snapshot_that_is_held_while_it_runs(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "f", "first")
    engine = EmbeddedEngine(folder, place, grace=0.0)
    first = engine.snapshot().id
    write(folder / "f", "second")
    second = engine.snapshot().id
    real = Store.exclusive

    def exclusive(self: Store, patience: float) -> object:
        EmbeddedEngine(folder, place).hold([first], "tag")
        return real(self, patience)

    monkeypatch.setattr(Store, "exclusive", exclusive)
    engine.gc([second])
    assert engine.exists(first)
    assert engine.verify([first, second]) == []


def test_holding_and_destroying_at_once(folder: Path, place: Path) -> None:
    """Either it is held, or it is gone and nobody was told that it is held."""
    write(folder / "f", "f")
    engine, other = EmbeddedEngine(folder, place), EmbeddedEngine(folder, place)
    for _ in range(30):
        snapshot = engine.snapshot().id
        start = threading.Barrier(2)
        done: list[str] = []

        def hold(snapshot: str = snapshot, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                other.hold([snapshot], "tag")
            except SnapshotError:
                return
            done.append("held")  # noqa: B023

        thread = threading.Thread(target=hold)
        thread.start()
        start.wait()
        try:
            engine.destroy(snapshot)
            done.append("destroyed")
        except HeldError:
            pass
        thread.join()
        assert len(done) == 1
        assert engine.exists(snapshot) is (done == ["held"])
        engine.release([snapshot], "tag")


def test_destroying_waits_for_a_snapshot_under_way(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedEngine(folder, place)
    snapshot = engine.snapshot().id
    monkeypatch.setattr(stores, "_PATIENCE", 0.05)
    with Store(place).shared(), pytest.raises(SnapshotError, match="Try again"):
        engine.destroy(snapshot)
    assert engine.exists(snapshot)
    engine.destroy(snapshot)


def test_a_hold_is_durable_before_others_are_released(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever gc is killed, what it was told to keep is held."""
    write(folder / "f", "first")
    engine = EmbeddedEngine(folder, place, grace=0.0)
    first = engine.snapshot().id
    write(folder / "f", "second")
    second = engine.snapshot().id
    engine.hold([first], COMMIT_HOLD)
    calls: list[str] = []
    for name in ("fsync", "unlink", "open"):
        real = getattr(os, name)

        def call(*args: object, real: Callable[..., object] = real, name: str = name, **kw: object):  # type: ignore[no-untyped-def]
            if name == "fsync":
                calls.append(f"fsync {os.readlink(f'/proc/self/fd/{args[0]}')}")
            else:
                calls.append(f"{name} {args[0]}")
            return real(*args, **kw)

        monkeypatch.setattr(os, name, call)
    engine.gc([second])
    monkeypatch.undo()
    held = calls.index(f"open {place}/holds/{second}.{COMMIT_HOLD}")
    synced = calls.index(f"fsync {place}/holds")
    released = calls.index(f"unlink {place}/holds/{first}.{COMMIT_HOLD}")
    synced_again = calls.index(f"fsync {place}/holds", synced + 1)
    dropped = calls.index(f"unlink {place}/snapshots/{first}")
    assert held < synced < released < synced_again < dropped
    assert engine.snapshots()[0].holds == (COMMIT_HOLD,)


def test_the_time_of_a_snapshot_is_exact(folder: Path, place: Path) -> None:
    engine = EmbeddedEngine(folder, place)
    for number in range(5):
        write(folder / "f", f"{number}")
        before = time.time()
        snapshot = engine.snapshot().id
        (created,) = (info.created for info in engine.snapshots() if info.id == snapshot)
        assert before <= created + 1e-6
        assert created <= time.time() + 1e-6


def test_locks_are_let_go_after_an_error(folder: Path, place: Path) -> None:
    engine = EmbeddedEngine(folder, place)
    engine.snapshot()
    with pytest.raises(SnapshotError):
        engine.hold(["0" * 64], "tag")
    with pytest.raises(SnapshotError):
        engine.destroy("0" * 64)
    with open(place / "lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
