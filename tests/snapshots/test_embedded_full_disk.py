# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A disk that gets full at every stage of everything that is done with a store.

A small file system is filled but for so many blocks, from none up, until what is tried has room.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from gc import collect
from pathlib import Path

import loopfs
import pytest
from chance import THOROUGH
from snapshot_helpers import State, settle, state_of, write
from test_embedded_formats import make_old

from dotscience_jupyter.snapshots import COMMIT_HOLD, Edit, EmbeddedEngine, SnapshotError
from dotscience_jupyter.snapshots.embedded import database, intake

pytestmark = pytest.mark.fault

SIZE = 12 << 20
ROOM = [0, 4, 64, 1024]
"""Free blocks of 1 KiB; with DOTSCIENCE_THOROUGH all numbers up to the last one."""
if THOROUGH:
    ROOM = list(range(ROOM[-1] + 1))


@pytest.fixture(scope="module")
def small() -> Iterator[Path]:
    with loopfs.mounted("ext4", SIZE) as place:
        yield place


@contextlib.contextmanager
def filled(small: Path, blocks: int) -> Iterator[None]:
    """Leave so many free blocks on a file system."""
    collect()  # what is deleted, but open, takes room
    filler = os.open(small / "filler", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        size, before = 0, -1
        while size != before:  # what was deleted just now may come free only when that is synced
            before = size
            for piece in (1 << 16, 1 << 10):
                with contextlib.suppress(OSError):
                    while True:
                        size += os.write(filler, bytes(piece))
            os.fsync(filler)
        os.ftruncate(filler, size - (blocks << 10))
        os.fsync(filler)
        yield
    finally:
        os.close(filler)
        os.unlink(small / "filler")


@dataclass
class Case:
    """A store, the folder that it is of, and what was promised."""

    folder: Path
    store: Path
    states: dict[str, State] = field(default_factory=dict)
    streams: list[bytes] = field(default_factory=list)
    is_spoilt: bool = False
    """Whether a pack has lost its index, which costs no content."""

    @contextlib.contextmanager
    def engine(self) -> Iterator[EmbeddedEngine]:
        with contextlib.closing(EmbeddedEngine(self.folder, self.store, grace=0.0)) as engine:
            yield engine

    def take(self) -> str:
        """Take a snapshot; from now on it has to be there."""
        with self.engine() as engine:
            snapshot = engine.snapshot().id
        self.states[snapshot] = state_of(self.folder)
        return snapshot

    def keep(self, count: int) -> list[str]:
        """Ask only for the last snapshots from now on."""
        kept = list(self.states)[-count:]
        self.states = {snapshot: self.states[snapshot] for snapshot in kept}
        return kept

    def moved(self, small: Path, *, folder: bool) -> Case:
        """Return a copy of which the store, or the folder too, is in the small file system."""
        store, live = small / "store", small / "live" if folder else self.folder
        for path in (store, small / "live"):
            shutil.rmtree(path, ignore_errors=True)
        if self.store.exists():
            shutil.copytree(self.store, store)
        if folder:
            shutil.copytree(self.folder, live)
        return Case(live, store, dict(self.states), self.streams, self.is_spoilt)

    def check(self, out: Path) -> None:
        """All that was promised is there, bit for bit; what else is listed is whole."""
        with self.engine() as engine:
            listed = [info.id for info in engine.snapshots()]
            assert all(map(engine.exists, self.states))
            problems = engine.verify(listed)
            assert all(self.is_spoilt and "index" in problem.message for problem in problems)
            for snapshot in list(self.states)[-2:]:
                engine.restore(snapshot, out)
                assert state_of(out) == self.states[snapshot]
                shutil.rmtree(out)

    def packed(self) -> int:
        return sum(path.stat().st_size for path in (self.store / "packs").iterdir())


def data(seed: int, kib: int) -> bytes:
    return random.Random(seed).randbytes(kib << 10)


@pytest.fixture
def ready(tmp_path: Path) -> Case:
    """A store with a pack that is garbage, and three of which half is, once all but one go."""
    case = Case(tmp_path / "work", tmp_path / "ready")
    case.folder.mkdir()
    for number, (stays, goes) in enumerate([(0, 150), (10, 20), (60, 70), (120, 130)]):
        if stays:
            write(case.folder / "d" / f"stays{number}", data(stays, stays))
        goer = write(case.folder / f"goes{number}", data(goes, goes))
        case.take()
        goer.unlink()
    settle()
    case.take()
    return case


Work = Callable[[Case, Path], None]


def next_snapshot(case: Case, out: Path) -> None:
    write(case.folder / "new", data(7, 100))
    case.take()


def gc(case: Case, out: Path) -> None:
    with case.engine() as engine:
        engine.gc(case.keep(1))


def hold(case: Case, out: Path) -> None:
    """Names that are long, so that their folder grows."""
    with case.engine() as engine:
        for number in range(20):
            engine.hold(case.states, f"{number:0100}")
        assert all(len(info.holds) == 20 for info in engine.snapshots())


def release_and_destroy(case: Case, out: Path) -> None:
    last = case.keep(1)
    with case.engine() as engine:
        for info in engine.snapshots():
            engine.release([info.id], COMMIT_HOLD)
            if info.id not in last:
                engine.destroy(info.id)


def edit(case: Case, out: Path) -> None:
    with case.engine() as engine:
        base = list(case.states)[-1]
        made = engine.edit(base, [Edit("d/edited", io.BytesIO(data(8, 200)), mtime_ns=7)])
        with engine.open(made.id, "d/edited") as file:
            assert file.read() == data(8, 200)


def receive(case: Case, out: Path) -> None:
    with case.engine() as engine:
        for stream in case.streams:
            engine.receive(io.BytesIO(stream))


def unpack(case: Case, out: Path) -> None:
    snapshot, stream = case.streams
    with case.engine() as engine:
        engine.unpack(io.BytesIO(stream))
        assert engine.adopt([snapshot.decode()], COMMIT_HOLD) == []
        assert engine.snapshots()[-1].holds == (COMMIT_HOLD,)


def repair(case: Case, out: Path) -> None:
    with case.engine() as engine:
        assert engine.repair(case.states).lost == []
    case.is_spoilt = False


def content_ids(case: Case, out: Path) -> None:
    with case.engine() as engine:
        engine.settle()
        assert all(map(engine.content_id, case.states))


def equate(case: Case, out: Path) -> None:
    snapshot = list(case.states)[-1]
    with case.engine() as engine:
        content = engine.content_id(snapshot)
        for number in range(20):
            engine.equate(f"btrfs-{number:090}", snapshot, content)
            assert engine.equal(f"btrfs-{number:090}") == snapshot


def restore(case: Case, out: Path) -> None:
    target = case.store.parent / "restored"
    with case.engine() as engine:
        try:
            for snapshot in case.states:
                engine.restore(snapshot, target)
                assert state_of(target) == case.states[snapshot]
                shutil.rmtree(target)
        finally:
            assert not target.exists()


def rollback(case: Case, out: Path) -> None:
    """What the folder was is in a snapshot before anything of it is touched."""
    target = list(case.states)[1]
    before = state_of(case.folder)
    with case.engine() as engine:
        try:
            engine.rollback(target)
        except SnapshotError as error:
            if "Do it again to complete it" in str(error):
                case.states[str(error).partition("before is snapshot ")[2][:64]] = before
            else:
                assert state_of(case.folder) == before
            raise
    assert state_of(case.folder) == case.states[target]


def attempt(ready: Case, small: Path, work: Work, *, folder: bool = False) -> int:
    """Try it with less and with more room; return how often there was too little."""
    out = ready.folder.parent / "out"
    for failures, blocks in enumerate(ROOM):
        case = ready.moved(small, folder=folder)
        told = ""
        with filled(small, blocks):
            try:
                work(case, out)
            except SnapshotError as error:
                told = str(error)
            assert "full" in told or "No space left" in told or not told
            if (case.store / "format").exists():
                case.check(out)
        if not told:
            return failures
        # there is room again, and nothing is in the way
        work(case, out)
        with case.engine() as engine:
            engine.gc(case.states)
        case.check(out)
        assert list((case.store / "tmp").iterdir()) == []
    raise AssertionError(f"there never was room enough: {told}")


WORK: list[tuple[Work, int]] = [
    (next_snapshot, 2),
    (release_and_destroy, 0),
    (hold, 1),
    (edit, 2),
    (repair, 2),
    (content_ids, 0),
    (equate, 1),
]


@pytest.mark.parametrize(("work", "failures"), WORK, ids=[work.__name__ for work, _ in WORK])
def test_whatever_is_done_to_a_store(ready: Case, small: Path, work: Work, failures: int) -> None:
    if work is repair:
        # all that is in it is saved, which takes room
        pack, *_ = sorted((ready.store / "packs").iterdir(), key=lambda path: -path.stat().st_size)
        spoilt = bytearray(pack.read_bytes())
        spoilt[-1] ^= 1
        pack.write_bytes(spoilt)
        ready.is_spoilt = True
    assert attempt(ready, small, work) >= failures


def test_the_first_snapshot(ready: Case, small: Path, tmp_path: Path) -> None:
    fresh = Case(ready.folder, tmp_path / "none")
    assert attempt(fresh, small, next_snapshot) >= 3


def test_a_snapshot_that_has_packs_merged(
    ready: Case, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it was taken counts, and not that there is no room for merging."""
    monkeypatch.setattr(database, "MERGE_FROM", 3)
    assert attempt(ready, small, next_snapshot) <= sum(blocks < 128 for blocks in ROOM)


def test_a_store_of_the_first_format(ready: Case, small: Path) -> None:
    make_old(ready.store)
    assert attempt(ready, small, edit) >= 2


def test_cleaning_up(ready: Case, small: Path) -> None:
    """It begins with what takes no room, so that all goes whatever room there is."""
    assert attempt(ready, small, gc) == 0
    roomy = ready.moved(small, folder=False)
    gc(roomy, small)
    for blocks in (0, 1):
        case = ready.moved(small, folder=False)
        with filled(small, blocks):
            gc(case, small)
            assert case.packed() < 1.05 * roomy.packed()


def test_cleaning_up_without_any_room(ready: Case, small: Path) -> None:
    """Where nothing is garbage altogether there has to be room for a copy: how much is told."""
    ready.keep(4)
    with ready.engine() as engine:
        engine.gc(ready.states)
    before = ready.packed()
    for blocks in range(5):
        case = ready.moved(small, folder=False)
        with filled(small, blocks):
            with pytest.raises(SnapshotError, match=r"Nothing could be dropped.*Free about 1 MB"):
                gc(case, small)
            case.check(ready.folder.parent / "out")
            assert case.packed() == before
    for blocks, garbage in ((24, 20), (64, 20 + 70 + 130)):
        case = ready.moved(small, folder=False)
        with filled(small, blocks):  # enough for a copy, which makes room for the next one, or not
            gc(case, small)
            case.check(ready.folder.parent / "out")
            assert before - case.packed() >= garbage << 10


def test_receiving(ready: Case, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "STEP_BYTES", 20_000)
    base = None
    with ready.engine() as engine:
        for snapshot in ready.states:
            stream = io.BytesIO()
            engine.send(snapshot, stream, base)
            ready.streams.append(stream.getvalue())
            base = snapshot
    there = Case(ready.folder, ready.folder.parent / "there", {}, ready.streams)
    with there.engine() as engine:
        engine.edit(None, [Edit("f", b"what is there is not lost", mtime_ns=7)])
    assert attempt(there, small, receive) >= 3


def test_unpacking(ready: Case, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "STEP_BYTES", 20_000)
    there = Case(ready.folder, ready.folder.parent / "there")
    with there.engine() as receiver, ready.engine() as engine:
        last = list(ready.states)[-1]
        stream = io.BytesIO()
        engine.pack(list(engine.needed(last, receiver.missing)), stream)
    there.streams = [last.encode(), stream.getvalue()]
    assert attempt(there, small, unpack) >= 3


@pytest.mark.parametrize("work", [restore, rollback])
def test_going_back(ready: Case, small: Path, work: Work) -> None:
    assert attempt(ready, small, work, folder=True) >= 2
