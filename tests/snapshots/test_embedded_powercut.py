# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is left of a store after a power cut at any moment."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chance import often, seeded
from powercut import Recorder
from snapshot_helpers import State, state_of, write

from dotscience_jupyter.snapshots import COMMIT_HOLD, Edit, EmbeddedEngine, SnapshotError
from dotscience_jupyter.snapshots.embedded import database

pytestmark = pytest.mark.fault

STATES = int(os.environ.get("DOTSCIENCE_POWERCUTS", often(100, 0)))
"""Crash states to look at, half of them mixtures; of all moments, with ten mixtures each, if 0."""

Promise = tuple[int, str, Callable[[EmbeddedEngine], bool]]


class History:
    """What was done to a store, and what was promised when."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.states: dict[str, State] = {}
        self.given: dict[str, int] = {}  # snapshot -> number of operations when it was returned
        self.dropped: dict[str, int] = {}  # snapshot -> the same when it began to be dropped
        self.held: dict[str, int] = {}
        self.arrived: dict[bytes, int] = {}  # objects that were taken in on their own

    def took(self, snapshot: str, state: State) -> None:
        self.states[snapshot] = state
        self.given.setdefault(snapshot, len(self.recorder))
        self.dropped.pop(snapshot, None)

    def promised(self, count: int) -> list[str]:
        """Return the snapshots that have to be there after so many operations."""
        return [
            snapshot
            for snapshot, given in self.given.items()
            if given <= count and self.dropped.get(snapshot, count) >= count
        ]


def fill(folder: Path, step: int) -> State:
    """Change the folder; return what it holds."""
    rand = random.Random(step)
    for number in range(4):
        write(folder / f"d{number % 2}" / f"{number}", rand.randbytes(rand.randrange(3000)))
    write(folder / "large", random.Random(step // 2).randbytes(300_000))
    write(folder / f"only{step}", f"{step}")
    (folder / f"only{step - 1}").unlink(missing_ok=True)
    return state_of(folder)


def small_parts(patch: pytest.MonkeyPatch) -> None:
    """Let few bytes make many packs."""
    patch.setattr(database, "PACK_LIMIT", 64 << 10)
    patch.setattr(database, "MERGE_FROM", 6)


def check(recorder: Recorder, history: History, folder: Path, place: Path) -> None:
    """Look at crash states, and go on from each of them."""
    rand = seeded()
    ends = range(len(recorder) + 1)
    corners = [(count, corner) for count in ends for corner in range(4)]
    mixed = [(count, 4) for count in ends for _ in range(10)]
    if STATES:
        corners = rand.sample(corners, min(STATES // 2, len(corners)))
        mixed = rand.sample(mixed, min(STATES // 2, len(mixed)))
    for number, (count, how) in enumerate(corners + mixed):
        store, out = place / f"store{number}", place / f"out{number}"
        if how == 4:
            disk = recorder.mixture(count, rand)
        else:
            disk = recorder.disk(count, names=how % 2 > 0, data=how > 1)
        disk.write_to(store)
        what = f"after {count} of {len(recorder)} operations, in way {how}"
        engine = EmbeddedEngine(folder, store, grace=0.0)
        try:
            promised = history.promised(count)
            assert engine.verify(promised) == [], what
            for snapshot in promised[-2:]:
                engine.restore(snapshot, out)
                assert state_of(out) == history.states[snapshot], what
                shutil.rmtree(out)
            # whatever else is listed is whole as well
            assert engine.verify(info.id for info in engine.snapshots()) == [], what
            held = {info.id: info.holds for info in engine.snapshots()}
            for snapshot, at in history.held.items():
                if at <= count and snapshot in promised:
                    assert COMMIT_HOLD in held[snapshot], what
            arrived = [digest for digest, at in history.arrived.items() if at <= count]
            assert engine.missing(arrived) == [], what
            now = engine.snapshot().id
            engine.gc([now, *promised])
            engine.restore(now, out)
            assert state_of(out) == state_of(folder), what
            shutil.rmtree(out)
            assert engine.verify([now, *promised]) == [], what
        finally:
            engine.close()
        shutil.rmtree(store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_snapshots_and_gc(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)
    recorder = Recorder(tmp_path / "store")
    history = History(recorder)
    with recorder.recording(monkeypatch):
        engine = EmbeddedEngine(folder, tmp_path / "store", grace=0.0)
        for step in range(10):
            state = fill(folder, step)
            snapshot = engine.snapshot().id
            history.took(snapshot, state)
            if step % 2:
                engine.hold([snapshot], COMMIT_HOLD)
                history.held[snapshot] = len(recorder)
            if step % 4 == 3:
                keep = list(history.given)[-2:]
                for old in list(history.given)[:-2]:
                    history.dropped.setdefault(old, len(recorder))
                    history.held.pop(old, None)
                engine.gc(keep)
                for kept in keep:
                    history.held.setdefault(kept, len(recorder))
        engine.close()
    assert any(operation.kind == "rename" for operation in recorder.operations)
    check(recorder, history, folder, tmp_path)


def test_a_store_in_the_making(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What of it was on the disk is taken for a store or for none, and can be used."""
    recorder = Recorder(tmp_path / "store")
    with recorder.recording(monkeypatch):
        engine = EmbeddedEngine(folder, tmp_path / "store")
        snapshot = engine.snapshot().id
        engine.close()
    rand = seeded()
    for count in range(len(recorder) + 1):
        for _ in range(6):
            recorder.mixture(count, rand).write_to(tmp_path / "cut")
            engine = EmbeddedEngine(folder, tmp_path / "cut")
            assert engine.snapshots() == [] or engine.verify([snapshot]) == []
            engine.close()
            shutil.rmtree(tmp_path / "cut")


def test_receiving(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)
    sender = EmbeddedEngine(folder, tmp_path / "sender")
    streams: list[tuple[str, State, bytes]] = []
    base: str | None = None
    for step in range(3):
        state = fill(folder, step)
        snapshot = sender.snapshot().id
        stream = io.BytesIO()
        sender.send(snapshot, stream, base)
        streams.append((snapshot, state, stream.getvalue()))
        base = snapshot
    other = tmp_path / "other"
    other.mkdir()
    recorder = Recorder(tmp_path / "store")
    history = History(recorder)
    with recorder.recording(monkeypatch):
        receiver = EmbeddedEngine(other, tmp_path / "store", grace=0.0)
        for snapshot, state, sent in streams:
            assert receiver.receive(io.BytesIO(sent)) == snapshot
            history.took(snapshot, state)
        receiver.close()
    sender.close()
    check(recorder, history, other, tmp_path)


def edits_of(step: int) -> list[Edit]:
    rand = random.Random(step)
    edits = [Edit(f"d{step % 2}/{n}", rand.randbytes(3000), mtime_ns=step) for n in range(3)]
    large = io.BytesIO(random.Random(step // 2).randbytes(200_000))
    return [*edits, Edit("large", large, mtime_ns=step // 2)]


def test_editing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)
    states: list[State] = []
    base: str | None = None
    twin = EmbeddedEngine.open_store(tmp_path / "twin")
    for step in range(6):
        base = twin.edit(base, edits_of(step)).id
        twin.restore(base, tmp_path / f"state{step}")
        states.append(state_of(tmp_path / f"state{step}"))
    twin.close()
    recorder = Recorder(tmp_path / "store")
    history = History(recorder)
    base = None
    with recorder.recording(monkeypatch):
        engine = EmbeddedEngine.open_store(tmp_path / "store", grace=0.0)
        for step, state in enumerate(states):
            base = engine.edit(base, edits_of(step)).id
            history.took(base, state)
            if step % 3 == 2:
                for old in list(history.given)[:-1]:
                    history.dropped.setdefault(old, len(recorder))
                engine.gc([base])
        engine.close()
    check(recorder, history, folder, tmp_path)


def test_exchanging(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)
    sender = EmbeddedEngine(folder, tmp_path / "sender")
    receiver = EmbeddedEngine.open_store(tmp_path / "other", grace=0.0)
    streams: list[tuple[str, State, list[bytes], bytes]] = []
    for step in range(3):
        state = fill(folder, step)
        snapshot = sender.snapshot().id
        ids = list(sender.needed(snapshot, receiver.missing))
        stream = io.BytesIO()
        sender.pack(ids, stream)
        streams.append((snapshot, state, ids, stream.getvalue()))
        receiver.unpack(io.BytesIO(stream.getvalue()))
    receiver.close()
    recorder = Recorder(tmp_path / "store")
    history = History(recorder)
    with recorder.recording(monkeypatch):
        receiver = EmbeddedEngine.open_store(tmp_path / "store", grace=0.0)
        for snapshot, state, ids, data in streams:
            receiver.unpack(io.BytesIO(data))
            history.arrived.update(dict.fromkeys(ids, len(recorder)))
            assert receiver.adopt([snapshot], COMMIT_HOLD) == []
            history.took(snapshot, state)
            history.held[snapshot] = len(recorder)
        receiver.close()
    sender.close()
    check(recorder, history, folder, tmp_path)


def test_the_replay_can_fail(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one fsync the same check finds the loss."""
    recorder = Recorder(tmp_path / "store")
    history = History(recorder)

    def no_sync(_self: Recorder, real: Any, fd: int) -> None:
        real(fd)

    monkeypatch.setattr(Recorder, "do_fsync", no_sync)
    with recorder.recording(monkeypatch):
        engine = EmbeddedEngine(folder, tmp_path / "store")
        state = fill(folder, 1)
        history.took(engine.snapshot().id, state)
        engine.close()
    store = tmp_path / "after"
    recorder.disk(len(recorder), names=True, data=False).write_to(store)
    try:
        problems = EmbeddedEngine(folder, store).verify(history.promised(len(recorder)))
    except SnapshotError:
        return  # not even its format can be read
    assert problems
