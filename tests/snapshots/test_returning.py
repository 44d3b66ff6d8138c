# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The lines that say when, and in which order, snapshots were returned."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from snapshot_helpers import write
from suite_mishaps import DAY, FORK, Clock

from dotscience_jupyter.snapshots import returning
from dotscience_jupyter.snapshots.embedded import EmbeddedEngine


def noted(place: Path, name: str = "mark") -> Path:
    """Note that something is returned now."""
    returning.note(f"{place}/{name}", f"{place}/newest")
    return place / name


def test_a_file_is_new_once(tmp_path: Path) -> None:
    mark, newest = f"{tmp_path}/mark", f"{tmp_path}/newest"
    assert returning.age(mark) == float("inf")
    assert returning.note(mark, newest)
    assert not returning.note(mark, newest)
    assert 0 <= returning.age(mark) < 60
    assert os.path.getsize(mark) == returning._WIDTH == 85


def test_the_clock_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    last = 0
    for number, jump in enumerate((0.0, -DAY, 700 * DAY, -400 * DAY, -0.05)):
        clock.set(jump)
        mark = noted(tmp_path, f"{number}")
        assert abs(mark.stat().st_mtime - time.time()) < 30
        order = returning.order(f"{mark}", 0)
        assert order > last
        last = order
    clock.set(-2000 * DAY)
    assert returning.age(f"{mark}") < 0, "the mtime is in the future"
    clock.set(4000 * DAY)
    assert 0 <= returning.age(f"{mark}") < 60


def test_another_start_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = noted(tmp_path)
    order = returning.order(f"{mark}", 0)
    Clock(monkeypatch).set(DAY)
    monkeypatch.setattr(returning, "_boot", lambda: b"another")
    assert returning.age(f"{mark}") >= DAY
    assert returning.order(f"{mark}", 0) == order


def test_a_system_that_does_not_tell_its_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returning, "_boot", lambda: returning._UNKNOWN)
    mark = noted(tmp_path)
    clock = Clock(monkeypatch)
    clock.set(DAY)
    assert returning.age(f"{mark}") >= DAY
    clock.set(-2 * DAY)
    assert returning.order(f"{noted(tmp_path, 'later')}", 0) > returning.order(f"{mark}", 0)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 85, b"0", b" ", b"\n" * 85, b"\xff" * 200, b"- 1 2 00000000"]
)
def test_what_is_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Of an earlier version, or left so by a power cut."""
    mark = noted(tmp_path)
    write(mark, content)
    write(tmp_path / "newest", content)
    assert returning.order(f"{mark}", 7) == 7
    Clock(monkeypatch).set(DAY)
    assert returning.age(f"{mark}") >= DAY
    before = time.time_ns()
    assert returning.order(f"{noted(tmp_path)}", 7) >= before


def test_a_line_that_is_half_written(tmp_path: Path) -> None:
    """A reader may meet one: it is no line, wherever the new one ends and the old one goes on."""
    old = noted(tmp_path).read_bytes()
    before = returning.order(f"{tmp_path}/mark", 7)
    time.sleep(0.02)
    new = noted(tmp_path).read_bytes()
    after = returning.order(f"{tmp_path}/mark", 7)
    assert before < after
    found = []
    for cut in range(len(new) + 1):
        for torn in (new[:cut] + old[cut:], new[:cut]):
            order = returning.order(f"{write(tmp_path / 'torn', torn)}", 7)
            whole = torn.rstrip(b"\n") in (old.rstrip(b"\n"), new.rstrip(b"\n"))
            assert (order != 7) is whole
            found.append(order)
    assert set(found) == {before, after, 7}


@pytest.mark.parametrize("room", [0, 50])
def test_no_room_for_a_line(tmp_path: Path, room: int) -> None:
    """The system writes a part of the line, or none of it; neither an error nor a line is left."""
    folder = tmp_path / "work"
    write(folder / "f", "f")
    with_line = EmbeddedEngine(folder, tmp_path / "store").snapshot().id
    mark = tmp_path / "store" / "snapshots" / with_line
    assert mark.stat().st_size
    before = time.time_ns()
    os.utime(mark, (0, 0))

    def take() -> None:
        engine = EmbeddedEngine(folder, tmp_path / "store")
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        assert engine.snapshot().id == with_line

    process = FORK.Process(target=take)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert mark.stat().st_size == 0
    assert (tmp_path / "store" / "newest").stat().st_size == 0
    assert mark.stat().st_mtime_ns >= before
    assert EmbeddedEngine(folder, tmp_path / "store").snapshot().id == with_line
    assert returning.order(f"{mark}", 0) > before


@pytest.mark.skipif("os.geteuid() != 0", reason="only root can act as two users")
def test_what_is_someone_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    mark = noted(tmp_path)
    (tmp_path / "newest").chmod(0o644)
    mark.chmod(0o644)
    os.utime(mark, (0, 0))
    line, order = mark.read_bytes(), returning.order(f"{mark}", 0)
    clock = Clock(monkeypatch)
    clock.set(-DAY)
    monkeypatch.chdir(tmp_path)  # the folders above are root's alone
    os.seteuid(65534)
    try:
        assert not returning.note("mark", "newest")
        assert mark_of("mark") == (line, 0)
        assert returning.note("mine", "newest")
        assert returning.note("mine too", "newest")
        numbers = [returning.order(name, 0) for name in ("mine", "mine too")]
        # one's own that is not to be written still has an mtime
        os.chmod("mine", 0o444)
        os.utime("mine", (0, 0))
        assert not returning.note("mine", "newest")
        assert mark_of("mine")[1] > 0
    finally:
        os.seteuid(0)
    assert [order, *numbers] == sorted({order, *numbers})
    # who may write it, although it is not theirs, may say now
    mark.chmod(0o666)
    os.seteuid(65534)
    try:
        assert not returning.note("mark", "newest")
        assert returning.order("mark", 0) > numbers[-1]
        assert mark_of("mark")[1] > 0
    finally:
        os.seteuid(0)


def mark_of(name: str) -> tuple[bytes, int]:
    with open(name, "rb") as file:
        return file.read(), os.stat(name).st_mtime_ns


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    """Who may write to a shared store may not have others write over their own files."""
    precious = write(tmp_path / "precious", "precious")
    (tmp_path / "mark").symlink_to(precious)
    (tmp_path / "newest").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic"):
        noted(tmp_path)
    noted(tmp_path, "other")
    assert precious.read_text() == "precious"
