# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A clock that jumps. It is really set: in the machine only, when nothing else runs there."""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from zfs_world import Pool

from dotscience_jupyter.snapshots import Engine, open_engine

pytestmark = pytest.mark.skipif(
    "VM_OUT" not in os.environ, reason="the clock of this computer is not ours to set"
)

DAY = 86400.0
JUMPS = (0.0, -DAY, 700 * DAY, -2.0, -400 * DAY, -0.05, 0.05)
"""Seconds by which the clock is set, one after the other."""


@pytest.fixture
def clock() -> Iterator[None]:
    """The clock is right again afterwards."""
    ahead = time.time() - time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + ahead)


@pytest.mark.parametrize("name", ["zfs", "embedded"])
@pytest.mark.usefixtures("clock")
def test_a_clock_that_jumps(name: str, pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    pool.volume(folder)

    def opened() -> Engine:
        return open_engine(folder, folder / ".dotscience" / "store", name)

    write(folder / "stays", random.Random(1).randbytes(1_000_000))
    engine = opened()
    states: dict[str, object] = {}
    order = []
    for number, seconds in enumerate(JUMPS):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
        # the same size each time, so only times and content tell
        write(folder / "same", f"content {number}")
        write(folder / f"new{number}", "new")
        if number % 2:
            os.utime(folder / "same", ns=(1, 1))
        snapshot = engine.snapshot().id
        assert engine.snapshot().id == snapshot, "nothing changed in between"
        assert engine.changes(snapshot) == []
        states[snapshot] = state_of(folder)
        order.append(snapshot)
    engine.close()

    engine = opened()
    engine.hold(order, "commit")
    engine.gc(order)
    assert engine.verify(order) == []
    for number, snapshot in enumerate(order):
        with engine.open(snapshot, "same") as file:
            assert file.read() == f"content {number}".encode()
        engine.restore(snapshot, tmp_path / f"restored{number}")
        assert state_of(tmp_path / f"restored{number}") == states[snapshot]
    for number in range(1, len(order)):
        before, after = order[number - 1 : number + 1]
        changed = {found.path for found in engine.diff(before, after)}
        assert changed == {"same", f"new{number}"}
    # what is new since an earlier one is small, whatever the clock said
    for number in range(1, len(order)):
        since = io.BytesIO()
        engine.send(order[number], since, order[number - 1])
        all_of_it = io.BytesIO()
        engine.send(order[number], all_of_it)
        assert since.tell() < 500_000 < 1_000_000 < all_of_it.tell()
    if name == "zfs":
        assert engine.native.ancestors(order[-1]) == order[:-1]  # type: ignore[attr-defined]  # of this engine
    engine.close()
