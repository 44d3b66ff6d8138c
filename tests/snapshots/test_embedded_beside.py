# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Restores of many small files, some of which a child process writes."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snapshot_helpers import state_of, write

from dotscience_jupyter.snapshots import CorruptStoreError, EmbeddedEngine, SnapshotError
from dotscience_jupyter.snapshots.embedded import beside, newfile, restoring

RANDOM = random.Random(1).randbytes(100_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started; a restore starts one for its first small file."""
    monkeypatch.setattr(restoring, "_MANY", 0)
    monkeypatch.setattr(restoring, "_BATCH_FILES", 10)
    monkeypatch.setattr(restoring, "processors", lambda: 2)
    found: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def popen(*arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        found.append(real(*arguments, **more))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return found


def fill(folder: Path) -> None:
    """Write what is special: names, permissions, times, holes, links, nested folders."""
    for number in range(60):
        place = write(
            folder / f"d{number % 3}" / f"e{number % 5}" / f"{number}", RANDOM[: number * 7]
        )
        place.chmod((0o600, 0o644, 0o444, 0o755, 0o000, 0o666)[number % 6])
        os.utime(place, ns=(0, 10**18 + number))
    write(folder / os.fsdecode(b"\xff") / os.fsdecode(b"new\n\xfe"), "odd")
    write(folder / "zeros", bytes(200_000))
    write(folder / "half", RANDOM + bytes(200_000) + RANDOM)
    write(folder / "large", RANDOM * 15)
    (folder / "link").symlink_to("d0")
    (folder / "d0" / "out").symlink_to("/")
    os.link(folder / "half", folder / "d1" / "other name")
    (folder / "empty").mkdir()
    deep = folder
    for name in ("deep" * 60, "deeper" * 40, "deepest" * 30):
        deep = deep / name
    write(deep / "f", "at the end of a long path")
    for place in sorted(folder.rglob("e*")):
        place.chmod(0o555)
        os.utime(place, ns=(0, 1_234_567_890_123_456_789))


def frozen(folder: Path) -> tuple[EmbeddedEngine, str]:
    engine = EmbeddedEngine(folder, folder.parent / "store")
    return engine, engine.snapshot().id


def never(folder: int, files: list[newfile.Small]) -> None:
    raise AssertionError("the child process has time for this")


def test_what_the_child_process_writes_is_as_it_was(
    folder: Path,
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(folder)
    monkeypatch.setattr(beside, "_MOST", 1000)
    monkeypatch.setattr(restoring, "write_small", never)
    engine, snapshot = frozen(folder)
    engine.entry(snapshot, "large")  # so that packs are open already
    before = sorted(os.listdir("/proc/self/fd"))
    assert engine.restore(snapshot, tmp_path / "out") == 66
    assert state_of(tmp_path / "out", folder_times=True) == state_of(folder, folder_times=True)
    assert (tmp_path / "out" / "zeros").stat().st_blocks == 0
    (process,) = started
    assert process.returncode is not None
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_both_processes_write_when_one_has_enough_to_do(
    folder: Path,
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(folder)
    here: list[int] = []

    def written_here(folder: int, files: list[newfile.Small]) -> None:
        here.append(len(files))
        newfile.write_small(folder, files)

    given: list[bool] = []
    real = beside.Beside.offer

    def every_other(this: Any, *arguments: Any) -> bool:
        given.append(len(given) % 2 == 0 and real(this, *arguments))
        return given[-1]

    # a signal may end the system's call before all is written
    monkeypatch.setattr(os, "writev", lambda fd, parts: os.write(fd, b"".join(parts)[:100]))
    monkeypatch.setattr(restoring, "write_small", written_here)
    monkeypatch.setattr(beside.Beside, "offer", every_other)
    engine, snapshot = frozen(folder)
    engine.restore(snapshot, tmp_path / "out")
    assert state_of(tmp_path / "out", folder_times=True) == state_of(folder, folder_times=True)
    assert here and any(given)


def one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "processors", lambda: 1)


def no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")


def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter inside of another program does not know where it is."""
    monkeypatch.setattr(sys, "executable", None)


@pytest.mark.parametrize("lack", [one_processor, no_python, no_program])
def test_without_a_child_process_it_goes_on_alone(
    folder: Path,
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    lack: Callable[[pytest.MonkeyPatch], None],
) -> None:
    fill(folder)
    engine, snapshot = frozen(folder)
    lack(monkeypatch)
    engine.restore(snapshot, tmp_path / "out")
    assert state_of(tmp_path / "out", folder_times=True) == state_of(folder, folder_times=True)
    assert started == []


def nothing_left(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    assert sorted(place.name for place in tmp_path.iterdir()) == ["store", "work"]
    (process,) = started
    assert process.returncode is not None


def test_why_the_child_process_cannot_write_is_told(
    folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for number in range(100):
        write(folder / f"{number}", RANDOM[:number])
    engine, snapshot = frozen(folder)

    def in_the_way(done: int, total: int, what: str) -> None:
        (stage,) = tmp_path.glob(".dotscience-restore-*")
        write(stage / "70", "somebody else's")

    with pytest.raises(SnapshotError, match=r"File exists\. What had been written was removed"):
        engine.restore(snapshot, tmp_path / "out", progress=in_the_way)
    nothing_left(tmp_path, started)


def test_a_child_process_that_is_killed_leaves_nothing(
    folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for number in range(300):
        write(folder / f"{number}", RANDOM[:number])
    engine, snapshot = frozen(folder)

    def kill(done: int, total: int, what: str) -> None:
        if started:
            started[0].kill()

    engine.entry(snapshot, "0")  # so that packs are open already
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(SnapshotError, match="removed again; the snapshot is untouched"):
        engine.restore(snapshot, tmp_path / "out", progress=kill)
    nothing_left(tmp_path, started)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_damage_ends_the_child_process(
    folder: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for number in range(100):
        write(folder / f"{number}", RANDOM[number * 900 :][:900])
    engine, snapshot = frozen(folder)
    (pack,) = engine._database.packs
    with open(pack.path, "r+b") as file:
        file.seek(50_000)
        file.write(b"damage")
    with pytest.raises(CorruptStoreError, match="Nothing was restored"):
        engine.restore(snapshot, tmp_path / "out")
    nothing_left(tmp_path, started)


def test_the_child_process_follows_no_link(tmp_path: Path) -> None:
    """Who may write to the stage could put a link where a folder was made."""
    (tmp_path / "top").mkdir()
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    (tmp_path / "top" / "a").symlink_to(tmp_path / "elsewhere")
    top = os.open(tmp_path / "top", os.O_RDONLY)
    writer: beside.Beside[str] = beside.Beside(top)
    try:
        assert writer.offer([(b"", [(b"f", 0o640, 5, b"content")])], 7, "first")
        assert writer.written(wait=True) == ["first"]
        assert (tmp_path / "top" / "f").read_bytes() == b"content"
        assert writer.offer([(b"a/b", [(b"f", 0o640, 5, b"content")])], 7, "second")
        with pytest.raises(OSError) as raised:
            writer.written(wait=True)
        assert raised.value.errno in (errno.ELOOP, errno.ENOTDIR)
    finally:
        writer.close()
        os.close(top)
    assert list((tmp_path / "elsewhere" / "b").iterdir()) == []
