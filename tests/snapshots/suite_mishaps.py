# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What goes on around every engine, or goes wrong: others at work, a full disk, damage, a clock."""

from __future__ import annotations

import contextlib
import errno
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from snapshot_helpers import State, state_of, write
from suite_base import SuiteBase

from dotscience_jupyter.snapshots import Engine, PathNotFoundError, SnapshotError

FORK = multiprocessing.get_context("fork")  # importing all anew would take most of the time
DAY = 86400.0
ROOMS = (0, 5_000, 60_000, 700_000)
"""Bytes that are left on a disk which is almost full."""


def freeze(engine: Engine, states: dict[str, State], state: State) -> None:
    """Take a snapshot of a folder that is in a state, and note it."""
    states[engine.snapshot().id] = state


class Clock:
    """The time of day, set forth and back for this program; that of file systems stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        real, real_ns = time.time, time.time_ns
        monkeypatch.setattr(time, "time", lambda: real() + self._ahead)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(self._ahead * 1e9))

    def set(self, seconds: float) -> None:
        """Set it forth, or back, by some seconds."""
        self._ahead += seconds


@contextlib.contextmanager
def beside(work: Callable[[int], None]) -> Iterator[None]:
    """Call a function with 0, 1, 2, ... in another process meanwhile; it is awaited at first."""
    begun, stop = FORK.Event(), FORK.Event()

    def go_on() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            work(number)
            begun.set()

    process = FORK.Process(target=go_on)
    process.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        stop.set()
        process.join()
    assert process.exitcode == 0


@contextlib.contextmanager
def filled(disk: Path, room: int) -> Iterator[None]:
    """Leave only so many bytes on a disk, for a while."""
    number, left = 0, 1 << 27
    reserve = write(disk / "reserve", random.Random(9).randbytes(room))
    folder = disk / "filler"
    folder.mkdir()
    try:
        while left >= 512:
            try:
                with (folder / str(number)).open("wb", buffering=0) as file:
                    _take(file.fileno(), left)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                left //= 8
            number += 1
        reserve.unlink()
        os.sync()
        yield
    finally:
        for path in (*folder.iterdir(), reserve):
            path.unlink(missing_ok=True)
        folder.rmdir()
        os.sync()


def write_patiently(path: Path, content: bytes) -> None:
    """Write a file where what was deleted just now may come free in a while, as on ZFS."""
    end = time.monotonic() + 60
    while True:
        try:
            write(path, content)
            return
        except OSError as error:
            if error.errno != errno.ENOSPC or time.monotonic() > end:
                raise
        time.sleep(0.5)
        os.sync()


def _take(fd: int, count: int) -> None:
    try:
        os.posix_fallocate(fd, 0, count)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        piece = os.urandom(min(count, 1 << 20))
        while count > 0:
            count -= os.write(fd, piece[:count])
    os.fsync(fd)


class MishapsSuite(SuiteBase):
    """What goes on around every engine, and goes wrong."""

    # -- a new folder --------------------------------------------------------------------------

    def test_create(self, engine: Engine, folder: Path) -> None:
        place = folder / "made"
        made = type(engine).create(place, place / ".dotscience" / "store")
        assert list(made.list(made.snapshot().id)) == []
        write(place / "f", "f")
        snapshot = made.snapshot().id
        assert [entry.path for entry in made.walk(snapshot)] == ["f"]
        with pytest.raises(SnapshotError, match="already"):
            type(engine).create(place, place / ".dotscience" / "store")
        assert (place / "f").read_text() == "f"
        assert made.changes(snapshot) == []
        assert made.verify([snapshot]) == []
        made.close()

    # -- others at work ------------------------------------------------------------------------

    def test_two_processes_at_once(
        self, folder: Path, tmp_path: Path, again: Callable[[], Engine]
    ) -> None:
        for number in range(20):
            write(folder / "d" / f"{number}", f"{number}" * 50)
        again().snapshot()

        def take(number: int) -> None:
            engine = self.make(folder, tmp_path / "place")
            for step in range(5):
                write(folder / f"by {number}", f"{step}" * 200)
                snapshot = engine.snapshot().id
                engine.hold([snapshot], f"process-{number}")
                if number == step % 2:
                    engine.gc([])
                with engine.open(snapshot, f"by {number}") as file:
                    assert file.read() == f"{step}".encode() * 200
                with (tmp_path / f"taken {number}").open("a") as list_:
                    list_.write(f"{snapshot} {step}\n")
            engine.close()

        processes: list[BaseProcess] = [
            FORK.Process(target=take, args=(number,)) for number in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        engine = again()
        holds = {info.id: info.holds for info in engine.snapshots()}
        for number in range(2):
            lines = (tmp_path / f"taken {number}").read_text().splitlines()
            taken = [line.split() for line in lines]
            assert len(taken) == 5
            for snapshot, step in taken:
                assert f"process-{number}" in holds[snapshot]
                with engine.open(snapshot, f"by {number}") as file:
                    assert file.read() == step.encode() * 200
        assert engine.verify(holds) == []
        last = engine.snapshot().id
        engine.restore(last, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)

    def test_files_that_are_written_meanwhile_are_frozen_whole(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        """One that is replaced is frozen as it was before or after, one that grows to some point.

        One that never rests may be left out; it is said then.
        """
        write(folder / "still", "still")
        log = b"".join(b"line %d\n" % number for number in range(100_000))

        def work(number: int) -> None:
            new = write(folder / ".~new", b"%d " % (number % 10) * 30_000)
            new.rename(folder / "d" / f"{number % 7}")
            with (folder / "log").open("ab") as file:
                file.write(b"line %d\n" % number)

        (folder / "d").mkdir()
        taken = []
        with beside(work):
            for _ in range(8):
                snapshot = engine.snapshot().id
                taken.append(snapshot)
                engine.changes(snapshot)
                time.sleep(0.01)
        for snapshot in taken:
            assert engine.entry(snapshot, "still").size == 5
            for entry in engine.list(snapshot, "d"):
                with engine.open(snapshot, entry.path) as file:
                    content = file.read()
                assert content == content[:2] * 30_000
            with contextlib.suppress(PathNotFoundError), engine.open(snapshot, "log") as file:
                assert log.startswith(file.read())
        last = engine.snapshot().id
        assert engine.verify([*taken, last]) == []
        engine.restore(last, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)

    def test_files_that_vanish_meanwhile(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        for number in range(60):
            write(folder / "here" / f"{number % 3}" / f"{number}", f"{number}")
        write(folder / "still", "still")

        def work(number: int) -> None:
            # a whole folder goes elsewhere and comes back, files and links come and go
            (folder / "here").rename(folder / "there")
            gone = write(folder / "gone", "gone")
            (folder / "link").symlink_to("gone")
            gone.unlink()
            (folder / "link").unlink()
            (folder / "there").rename(folder / "here")
            (folder / "here" / "0" / f"{number % 60}").unlink(missing_ok=True)
            write(folder / "here" / "0" / f"{(number + 7) % 60}", "again")

        taken = []
        with beside(work):
            for _ in range(8):
                snapshot = engine.snapshot().id
                taken.append(snapshot)
                engine.changes(snapshot, renames=True)
                engine.settle()
        for snapshot in taken:
            with engine.open(snapshot, "still") as file:
                assert file.read() == b"still"
        last = engine.snapshot().id
        assert engine.verify([*taken, last]) == []
        assert engine.changes(last) == []
        engine.restore(last, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)

    # -- a full disk ---------------------------------------------------------------------------

    def test_a_full_disk_loses_nothing(self, tmp_path: Path) -> None:
        with self.small_disk() as disk:
            folder = self.new_folder(disk / "work")
            write(folder / "precious", random.Random(1).randbytes(1_500_000))
            engine = self.make(folder, disk / "place")
            states: dict[str, State] = {engine.snapshot().id: state_of(folder)}
            first = next(iter(states))
            refused = 0
            for number, room in enumerate(ROOMS):
                # written before, so that it is there to be frozen
                write_patiently(folder / f"new-{number}", random.Random(number).randbytes(900_000))
                state = state_of(folder)
                with filled(disk, room):
                    for what in (
                        partial(freeze, engine, states, state),
                        engine.settle,
                        partial(engine.hold, [first], f"at-{room}"),
                        lambda: engine.restore(first, disk / "out"),
                        lambda: engine.clone(first, disk / "clone"),
                        lambda: engine.gc(states),
                    ):
                        try:
                            what()
                        except SnapshotError as error:
                            refused += 1
                            assert "Errno" not in str(error)
                    assert {info.id for info in engine.snapshots()} >= states.keys()
                for name in ("out", "clone"):
                    if (disk / name).exists():
                        assert state_of(disk / name) == states[first]
                        self.remove_folder(disk / name)
                # as it was, and as another program finds it
                other = self.make(folder, disk / "place")
                for each in (engine, other):
                    assert each.verify(states) == []
                other.close()
            assert refused
            last = engine.snapshot().id
            states[last] = state_of(folder)
            engine.gc(states)
            for number, (snapshot, state) in enumerate(states.items()):
                engine.restore(snapshot, tmp_path / f"{number}")
                assert state_of(tmp_path / f"{number}") == state
            engine.close()

    # -- the clock -----------------------------------------------------------------------------

    def test_a_clock_that_jumps(
        self,
        engine: Engine,
        folder: Path,
        tmp_path: Path,
        again: Callable[[], Engine],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        clock = Clock(monkeypatch)
        states: dict[str, State] = {}
        for number, jump in enumerate((0.0, -DAY, 700 * DAY, -2.0, -400 * DAY, -0.05, 0.05)):
            clock.set(jump)
            # of the same size each time, so only times and content tell
            write(folder / "same", f"content {number}")
            if number % 2:
                os.utime(folder / "same", ns=(1, 1))
            snapshot = engine.snapshot().id
            assert engine.snapshot().id == snapshot, "nothing changed in between"
            assert again().snapshot().id == snapshot
            assert engine.changes(snapshot) == []
            states[snapshot] = state_of(folder)
            assert [info.id for info in again().snapshots()] == list(states)
        for number, (snapshot, state) in enumerate(states.items()):
            engine.restore(snapshot, tmp_path / f"{number}")
            assert state_of(tmp_path / f"{number}") == state
        taken = list(states)
        for before, after in itertools.pairwise(taken):
            assert [found.path for found in engine.diff(before, after)] == ["same"]
        assert engine.verify(taken) == []

    @pytest.mark.parametrize("jump", [700 * DAY, -700 * DAY])
    def test_gc_spares_what_was_just_taken_although_the_clock_jumps(
        self,
        engine: Engine,
        folder: Path,
        again: Callable[[], Engine],
        monkeypatch: pytest.MonkeyPatch,
        jump: float,
    ) -> None:
        clock = Clock(monkeypatch)
        write(folder / "f", "recorded")
        recorded = engine.snapshot().id
        write(folder / "f", "about to be recorded")
        snapshot = engine.snapshot().id
        clock.set(jump)
        for current in (engine, again()):
            current.gc([recorded])
            assert current.exists(snapshot)
            assert current.verify([recorded, snapshot]) == []
        if jump > 0:
            self.make_old(engine)
            engine.gc([recorded])
            assert not engine.exists(snapshot)

    # -- damage --------------------------------------------------------------------------------

    def test_damage_is_told_exactly(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        content = random.Random(7).randbytes(200_000)
        write(folder / "d" / "bad", content)
        write(folder / "d" / "good", random.Random(8).randbytes(200_000))
        first = engine.snapshot().id
        (folder / "d" / "bad").unlink()
        second = engine.snapshot().id
        engine.settle()
        assert engine.verify([first, second]) == []
        self.damage(engine, first, "d/bad", content)
        problems = engine.verify([first, second])
        assert [(problem.snapshot, problem.path) for problem in problems] == [(first, "d/bad")]
        assert problems[0].message
        assert [each.path for each in engine.repair([first, second]).lost] == ["d/bad"]
        engine.restore(second, tmp_path / "second")
        assert state_of(tmp_path / "second") == state_of(folder)
        engine.restore(first, tmp_path / "good", ["d/good"])
        good = (tmp_path / "good" / "d" / "good").read_bytes()
        assert good == (folder / "d" / "good").read_bytes()
