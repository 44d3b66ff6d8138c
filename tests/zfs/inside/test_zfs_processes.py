# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Several processes on one dataset, and processes that are killed."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chance import often, seeded
from snapshot_helpers import state_of, write
from zfs_world import Pool, zfs

from dotscience_jupyter.snapshots.zfs import ZfsEngine

FORK = multiprocessing.get_context("fork")  # importing all anew takes seconds in the machine


@pytest.fixture
def folder(pool: Pool, tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    pool.volume(folder)
    return folder


def opened(folder: Path) -> ZfsEngine:
    return ZfsEngine(folder, folder / ".dotscience" / "store")


def in_a_process(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    process = FORK.Process(target=work)
    process.start()
    return process


def test_two_processes_at_once(folder: Path, tmp_path: Path) -> None:
    for number in range(20):
        write(folder / f"{number}", f"{number}")

    def take(number: int) -> None:
        engine = opened(folder)
        for step in range(4):
            write(folder / f"by {number}", f"{step}")
            snapshot = engine.snapshot().id
            engine.hold([snapshot], f"process-{number}")
            with engine.open(snapshot, f"by {number}") as file:
                assert file.read() == f"{step}".encode()
        engine.close()

    processes = [in_a_process(lambda number=number: take(number)) for number in range(2)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    engine = opened(folder)
    held = [info for info in engine.snapshots() if info.holds]
    assert 4 <= len(held) <= 8
    assert {tag for info in held for tag in info.holds} == {"process-0", "process-1"}
    assert engine.verify(info.id for info in held) == []
    last = engine.snapshot().id
    engine.restore(last, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(folder)
    engine.close()


@pytest.mark.fault
def test_killed_while_it_takes_snapshots(folder: Path) -> None:
    write(folder / "f", random.Random(0).randbytes(300_000))
    acknowledged = folder.parent / "acknowledged"

    def take() -> None:
        engine = opened(folder)
        while True:
            content = os.urandom(10)
            write(folder / "f", content)
            snapshot = engine.snapshot().id
            with open(acknowledged, "ab") as file:
                file.write(f"{snapshot} {content.hex()}\n".encode())

    rand = seeded()
    for turn in range(often(5, 50)):
        process = in_a_process(take)
        deadline = time.monotonic() + 300
        while turn == 0 and not acknowledged.exists() and time.monotonic() < deadline:
            time.sleep(0.1)  # however slow the machine is, one at least is acknowledged
        time.sleep(rand.uniform(0.3, 2.5))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    engine = opened(folder)
    taken = dict(line.split(" ") for line in acknowledged.read_text().splitlines())
    assert taken
    for snapshot, content in taken.items():
        with engine.open(snapshot, "f") as file:
            assert file.read() == bytes.fromhex(content)
    there = [info.id for info in engine.snapshots()]
    assert set(taken) <= set(there)
    assert engine.verify(there) == []
    engine.grace = 0
    engine.gc([there[-1]])
    assert [info.id for info in engine.snapshots()] == there[-1:]
    engine.close()


@pytest.mark.fault
def test_killed_while_it_receives(folder: Path, pool: Pool, tmp_path: Path) -> None:
    for number in range(6):
        write(folder / f"{number}", random.Random(number).randbytes(500_000))
    engine = opened(folder)
    snapshot = engine.snapshot().id
    far_folder = tmp_path / "far"
    pool.volume(far_folder)
    rand = seeded()
    for _ in range(often(4, 40)):
        token = opened(far_folder).partial().get(snapshot, "")
        stream = io.BytesIO()
        engine.send(snapshot, stream, resume=token)
        data = stream.getvalue()
        reading, writing = os.pipe()

        def receive(source: int = reading) -> None:
            with open(source, "rb", buffering=0) as file:
                opened(far_folder).receive(file)

        process = in_a_process(receive)
        os.close(reading)
        with open(writing, "wb", buffering=0) as file:
            view = memoryview(data[: rand.randrange(len(data))])
            while view:
                view = view[file.write(view) :]
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
    far = opened(far_folder)
    assert not far.exists(snapshot)
    token = far.partial().get(snapshot, "")
    stream = io.BytesIO()
    engine.send(snapshot, stream, resume=token)
    assert far.receive(io.BytesIO(stream.getvalue())) == snapshot
    far.restore(snapshot, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(folder)
    assert far.partial() == {}
    # what was begun and left is cleaned up with the next that is dropped
    far.destroy(snapshot)
    assert zfs("list", "-H", "-r", "-o", "name", far.dataset).split() == [far.dataset]
    engine.close()
    far.close()
