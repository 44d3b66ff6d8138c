# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots that share blocks with the live files and are hashed later, on real file systems."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import random
import shutil
import struct
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import loopfs
import pytest
from blake3 import blake3
from chance import often, seeded
from cuts import look, record_captures
from engine_suite import EngineSuite, changed
from killing import killed
from snapshot_helpers import damage_pack, state_of, write
from snapshot_helpers import settle as age
from suite_freezing import FreezingSuite
from suite_keeping import KeepingSuite
from suite_reading import ReadingSuite

from dotscience_jupyter.snapshots import (
    Change,
    CorruptStoreError,
    EmbeddedEngine,
    Engine,
    Progress,
    Snapshot,
    SnapshotError,
    Usage,
)
from dotscience_jupyter.snapshots.embedded import captures, capturing, maintenance, settling
from dotscience_jupyter.snapshots.embedded.captures import KEY, Captures, Resolution
from dotscience_jupyter.snapshots.embedded.store import Store

SIZE = 2 << 30
KILLS = often(12, 200)


@pytest.fixture(scope="module")
def xfs() -> Iterator[Path]:
    with loopfs.mounted("xfs", SIZE) as place:
        yield place


@pytest.fixture(scope="module")
def btrfs() -> Iterator[Path]:
    with loopfs.mounted("btrfs", SIZE) as place:
        yield place


def fresh(place: Path) -> Iterator[Path]:
    path = place / os.urandom(8).hex()
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def capture_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture every file that has a whole block."""
    monkeypatch.setattr(capturing, "BUDGET", 0)


class PendingEngine(EmbeddedEngine):
    """Hashes what was captured only where room is asked for: captures share theirs."""

    def usage(self, *, each: bool = False) -> Usage:
        self.settle()
        return super().usage(each=each)

    def gc(self, keep: Iterable[str], progress: Progress | None = None) -> int:
        self.settle()
        return super().gc(keep, progress)


class TestCaptured(EngineSuite):
    """Everything, the folder as well as the store, is on a file system with reflinks."""

    sees_mapped_memory = False

    @pytest.fixture
    def tmp_path(self, xfs: Path) -> Iterator[Path]:
        yield from fresh(xfs)

    def make(self, folder: Path, place: Path) -> Engine:
        return PendingEngine(folder, folder / ".dotscience" / "store")

    def make_old(self, engine: Engine) -> None:
        assert isinstance(engine, EmbeddedEngine)
        engine.grace = 0.0

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[Path]:
        with loopfs.mounted("xfs") as disk:
            yield disk

    def damage(self, engine: Engine, snapshot: str, path: str, content: bytes) -> None:
        assert isinstance(engine, EmbeddedEngine)
        damage_pack(Path(engine._store.folder), content)


class SettledEngine(EmbeddedEngine):
    def snapshot(self, progress: Progress | None = None, look_at: Iterable[str] = ()) -> Snapshot:
        snapshot = super().snapshot(progress, look_at)
        self.settle()
        return snapshot


class TestSettled(FreezingSuite, ReadingSuite, KeepingSuite):
    sees_mapped_memory = False

    @pytest.fixture
    def tmp_path(self, btrfs: Path) -> Iterator[Path]:
        yield from fresh(btrfs)

    def make(self, folder: Path, place: Path) -> Engine:
        return SettledEngine(folder, folder / ".dotscience" / "store")

    def make_old(self, engine: Engine) -> None:
        assert isinstance(engine, EmbeddedEngine)
        engine.grace = 0.0


# -- what is captured, and when it is hashed -----------------------------------------------------


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder on a file system with reflinks."""
    yield from fresh(request.getfixturevalue(getattr(request, "param", "xfs")))


either = pytest.mark.parametrize("place", ["xfs", "btrfs"], indirect=True)


@pytest.fixture
def folder(place: Path) -> Path:
    folder = place / "work"
    folder.mkdir()
    return folder


def opened(folder: Path, grace: float = 900.0) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store", grace=grace)


def files_in(folder: Path, kind: str) -> list[Path]:
    return sorted((folder.parent / "store" / "captures").glob(f"*.{kind}"))


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


SIZES = {
    "block": 4096,
    "block-and-a-byte": 4097,
    "d/odd": 50_001,
    "d/part": 1 << 20,
    "d/more": (1 << 20) + 1,
    "large": 5_300_000,
    "sparse": 9_000_000,
}


def fill(folder: Path) -> dict[str, bytes]:
    """Write files of all sizes that matter, and return them."""
    files = {name: content(size, size) for name, size in SIZES.items() if name != "sparse"}
    files |= {"empty": b"", "small": b"below a block"}
    for name, data in files.items():
        write(folder / name, data)
    with (folder / "sparse").open("wb") as file:
        file.seek(SIZES["sparse"] - 5)
        file.write(b"an end"[-5:])
    files["sparse"] = (folder / "sparse").read_bytes()
    age()
    return files


def check(engine: EmbeddedEngine, snapshot: str, files: dict[str, bytes]) -> None:
    """Whether every way of reading gives what was written."""
    found = [entry.path for entry in engine.walk(snapshot) if entry.kind == "file"]
    assert sorted(found) == sorted(files)
    for name, data in files.items():
        assert engine.entry(snapshot, name).digest == blake3(data).hexdigest()
        with engine.open(snapshot, name) as file:
            assert file.read() == data
            for start in (0, len(data) // 2, len(data) - 3, 4095, 1 << 20):
                file.seek(max(0, start))
                assert file.read(5000) == data[max(0, start) :][:5000]
    assert engine.verify([snapshot]) == []


def restored(engine: EmbeddedEngine, snapshot: str, out: Path) -> dict[str, bytes]:
    engine.restore(snapshot, out)
    found = state_of(out)
    shutil.rmtree(out)
    return {path: value[2] for path, value in found.items() if value[0] == "file"}  # type: ignore[misc]


@either
def test_captured_first_and_hashed_later(folder: Path) -> None:
    files = fill(folder)
    before = state_of(folder)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert len(files_in(folder, "cap")) == 1
    assert len(files_in(folder, "map")) == 0
    packs = sum(path.stat().st_size for path in (folder.parent / "store" / "packs").iterdir())
    assert packs < 100_000, "nothing was read that could be shared"
    assert not engine.list(snapshot.id)[0].digest, "not known yet"
    # what happens to the live files is nothing to the snapshot
    for name in files:
        (folder / name).write_bytes(b"other content")
    (folder / "large").unlink()
    check(engine, snapshot.id, files)
    engine.restore(snapshot.id, folder.parent / "out")
    assert state_of(folder.parent / "out") == before
    said: list[tuple[int, int]] = []
    engine.settle(lambda done, total, what: said.append((done, total)))
    assert len(files_in(folder, "cap")) == 0
    assert len(files_in(folder, "map")) == 1
    assert any(total >= sum(SIZES.values()) >= done > 0 for done, total in said)
    for current in (engine, opened(folder)):
        check(current, snapshot.id, files)
        assert all(e.digest for e in current.walk(snapshot.id) if e.kind == "file")
        assert restored(current, snapshot.id, folder.parent / "again") == files
        current.close()


@either
def test_an_unchanged_folder_has_the_same_id_before_and_after(folder: Path) -> None:
    fill(folder)
    engine = opened(folder)
    first = engine.snapshot()
    assert engine.snapshot() == first
    engine.settle()
    assert engine.snapshot() == first
    assert engine.changes(first.id) == []
    engine.close()
    engine = opened(folder)
    assert engine.snapshot() == first
    assert len(files_in(folder, "map")) == 1
    assert files_in(folder, "cap") == []
    content_id = engine.content_id(first.id)
    engine.close()
    # captured anew by somebody who knows nothing of it
    (folder.parent / "store" / "stat-cache").unlink()
    engine = opened(folder)
    second = engine.snapshot()
    for _ in range(2):
        assert engine.diff(first.id, second.id) == []
        assert engine.changes(first.id) == engine.changes(second.id) == []
        assert engine.content_id(second.id) == content_id
        engine.settle()
    engine.close()


def test_two_captures_are_compared_by_their_content(folder: Path) -> None:
    for name in ("same", "edited", "longer"):
        write(folder / name, content(40_000))
    age()
    engine = opened(folder)
    first = engine.snapshot().id
    for name in ("same", "edited", "longer"):
        write(folder / name, content(40_000))
    with (folder / "edited").open("r+b") as file:
        file.write(b"!")
    with (folder / "longer").open("ab") as file:
        file.write(b"!")
    os.rename(folder / "same", folder / "renamed")
    os.link(folder / "renamed", folder / "same")
    age()
    second = engine.snapshot().id
    assert len(files_in(folder, "cap")) == 2
    expected = {"edited": Change.MODIFIED, "longer": Change.MODIFIED, "renamed": Change.ADDED}
    assert changed(engine.diff(first, second)) == expected
    assert changed(engine.changes(first)) == expected
    assert engine.changes(second) == []
    engine.settle()
    assert changed(engine.diff(first, second)) == expected


def test_renames_are_told_before_anything_is_hashed(folder: Path) -> None:
    for number in range(4):
        write(folder / "before" / f"{number}", content(20_000, number))
    write(folder / "gone", content(30_000))
    age()
    engine = opened(folder)
    first = engine.snapshot().id
    os.rename(folder / "before", folder / "after")
    (folder / "gone").unlink()
    write(folder / "came", content(40_000))
    age()
    second = engine.snapshot().id
    for _ in range(2):
        assert changed(engine.diff(first, second, renames=True)) == {
            **{f"after/{number}": Change.RENAMED for number in range(4)},
            "came": Change.ADDED,
            "gone": Change.REMOVED,
        }
        assert changed(engine.diff(None, second, renames=True)).keys() == {
            *(f"after/{number}" for number in range(4)),
            "came",
        }
        engine.settle()


def test_a_small_change_is_hashed_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = fill(folder)
    engine = opened(folder)
    engine.snapshot()
    engine.settle()
    monkeypatch.setattr(capturing, "BUDGET", 1 << 20)
    files["block"] = b"new" * 9000
    files["new"] = content(300_000)
    for name in ("block", "new"):
        write(folder / name, files[name])
    age()
    second = engine.snapshot().id
    assert files_in(folder, "cap") == []
    check(engine, second, files)
    files["large"] += b"more"  # too large to be read at once
    write(folder / "large", files["large"])
    for number in range(50):  # too many
        files[f"{number}"] = content(50_000, number)
        write(folder / f"{number}", files[f"{number}"])
    age()
    third = engine.snapshot().id
    assert len(files_in(folder, "cap")) == 1
    digests = {entry.path: entry.digest for entry in engine.walk(third)}
    assert digests["large"] == ""
    known = [number for number in range(50) if digests[f"{number}"]]
    assert 10 < len(known) < 30, "until they were too many"
    check(engine, third, files)
    engine.close()


@either
def test_names_of_one_file_share_a_capture(folder: Path) -> None:
    write(folder / "a", content(3 << 20))
    for name in ("b", "c"):
        os.link(folder / "a", folder / name)
    age()
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert files_in(folder, "cap")[0].stat().st_size < 4 << 20
    engine.settle()
    check(engine, snapshot, dict.fromkeys("abc", content(3 << 20)))


def test_a_file_with_a_wrong_time_is_read(folder: Path) -> None:
    """Its times vouch for nothing, so it is looked at each time; another key is another id."""
    write(folder / "f", content(3 << 20), 4_000_000_000 * 10**9)
    age()
    engine = opened(folder)
    first = engine.snapshot()
    assert engine.snapshot() == first
    assert files_in(folder, "cap") == []


@either
def test_a_large_file_that_never_stands_still(folder: Path) -> None:
    """What is captured is what it was at one moment."""
    size = 3_000_001

    def whole(number: int) -> bytes:
        return (number.to_bytes(8, "big") * (size // 8 + 1))[:size]

    path = write(folder / "f", whole(0))
    stop = threading.Event()

    def scribble() -> None:
        fd = os.open(path, os.O_WRONLY)
        number = 0
        while not stop.is_set():
            number += 1
            os.pwrite(fd, whole(number), 0)
        os.close(fd)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        engine = opened(folder)
        taken = [engine.snapshot() for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert files_in(folder, "cap")
    for _ in range(2):
        for snapshot in taken:
            assert snapshot.skipped == ()
            with engine.open(snapshot.id, "f") as file:
                data = file.read()
            assert data == whole(int.from_bytes(data[:8], "big"))
        assert engine.verify([snapshot.id for snapshot in taken]) == []
        engine.settle()


@pytest.mark.parametrize(("steady", "said"), [(False, True), (True, True), (True, False)])
def test_a_file_that_is_shared_in_part_only_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, steady: bool, said: bool
) -> None:
    """ZFS shares a file up to the first block that is not on disk yet.

    Then it fails, but OpenZFS 2.2.0 to 2.2.2 do not when they are asked for all of the file.
    """
    files = {"a": content(6 << 20, 1), "b": content(2 << 20, 2), "c": content(6 << 20, 3)}
    for name, data in files.items():
        write(folder / name, data)
    age()
    whole = fcntl.ioctl

    def ioctl(fd: int, code: int, argument: bytes) -> object:
        source, start, size, at = struct.unpack("<qQQQ", argument)
        if os.fstat(source).st_size != 6 << 20:
            return whole(fd, code, argument)
        assert size in (0, 6 << 20)
        whole(fd, code, struct.pack("<qQQQ", source, start, 4 << 20, at))
        if said:
            raise OSError(errno.EINVAL, "Invalid argument")
        return argument

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    if steady:
        monkeypatch.setattr(capturing, "is_settled", lambda status, now: False)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    digests = {entry.path: entry.digest for entry in engine.walk(snapshot)}
    assert [name for name in files if not digests[name]] == ["b"]
    for _ in range(2):
        check(engine, snapshot, files)
        engine.settle()
    engine.close()


def test_nothing_is_captured_where_blocks_cannot_be_shared(tmp_path: Path, xfs: Path) -> None:
    """The store is on another file system, and part of the folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    files = fill(folder)
    (folder / "mounted").mkdir()
    loopfs.bind(xfs, folder / "mounted")
    try:
        write(folder / "mounted" / "f", content(9000))
        files["mounted/f"] = content(9000)
        engine = opened(folder)
        check(engine, engine.snapshot().id, files)
        assert files_in(folder, "cap") == []
        engine.settle()
        (folder / "mounted" / "f").unlink()
    finally:
        loopfs.unmount(folder / "mounted")


# -- settling ------------------------------------------------------------------------------------


@either
def test_readers_do_not_notice_when_a_capture_goes(folder: Path) -> None:
    files = fill(folder)
    engine, other = opened(folder), opened(folder)
    snapshot = engine.snapshot().id
    items = {name: engine._trees.lookup(snapshot, name) for name in files}
    chunks = {name: list(engine._trees.chunks(item)) for name, item in items.items()}
    held = engine.open(snapshot, "large")
    assert held.read(10) == files["large"][:10]
    other.settle()
    assert files_in(folder, "cap") == []
    assert held.read() == files["large"][10:]
    engine._trees.captures.close()
    for name, parts in chunks.items():
        data = b"".join(engine._trees.read_chunk(*part) for part in parts)
        assert data == files[name]
    check(engine, snapshot, files)


def test_settling_beside_snapshots(folder: Path) -> None:
    engine = opened(folder, grace=0.0)
    taken: dict[str, dict[str, bytes]] = {}
    errors: list[BaseException] = []
    stop = threading.Event()

    def settle_on(current: EmbeddedEngine) -> None:
        try:
            while not stop.is_set():
                current.settle()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=settle_on, args=[e]) for e in (engine, opened(folder))]
    for thread in threads:
        thread.start()
    try:
        for step in range(12):
            files = {f"{n}": content(30_000 + n, step // (n + 1)) for n in range(8)}
            files["large"] = content(2_000_000, step)
            for name, data in files.items():
                write(folder / name, data)
            taken[engine.snapshot().id] = files
            if step % 5 == 4:
                engine.gc(list(taken)[-3:])
                taken = dict(list(taken.items())[-3:])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    engine.settle()
    assert files_in(folder, "cap") == []
    for snapshot, files in taken.items():
        check(engine, snapshot, files)


def test_one_process_at_a_time_hashes_a_capture(folder: Path) -> None:
    files = fill(folder)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    with files_in(folder, "cap")[0].open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        engine.settle()
        assert len(files_in(folder, "cap")) == 1, "left to the other"
        assert files_in(folder, "map") == []
    engine.settle()
    assert files_in(folder, "cap") == []
    check(engine, snapshot, files)


def test_settling_ends_when_the_engine_is_closed(folder: Path) -> None:
    files = fill(folder) | {"huge": content(40 << 20)}
    write(folder / "huge", files["huge"])
    age()
    engine = opened(folder)
    snapshot = engine.snapshot().id
    at_work = threading.Event()

    def at_work_until_closing(*_: object) -> None:
        at_work.set()
        assert engine._closing.wait(60)

    settling = threading.Thread(target=engine.settle, args=[at_work_until_closing])
    settling.start()
    assert at_work.wait(60)
    engine.close()
    settling.join(60)
    assert not settling.is_alive()
    assert len(files_in(folder, "cap")) == 1, "it was not done yet"
    again = opened(folder)
    check(again, snapshot, files)
    again.settle()
    assert files_in(folder, "cap") == []
    check(again, snapshot, files)


def test_settling_goes_on_where_it_was_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the map and the removal, or before the map."""
    files = fill(folder)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    cap = files_in(folder, "cap")[0]
    shutil.copyfile(cap, folder.parent / "kept")

    def fail(*_: object) -> None:
        raise SnapshotError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Captures, "write_entries", fail)
        with pytest.raises(SnapshotError, match="killed"):
            engine.settle()
    check(opened(folder), snapshot, files)
    engine.settle()
    shutil.copyfile(folder.parent / "kept", cap)
    check(opened(folder), snapshot, files)
    monkeypatch.setattr(Captures, "write_entries", fail)
    engine.settle()
    assert files_in(folder, "cap") == []
    check(engine, snapshot, files)


def test_hashing_is_done_in_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done stays done, and whatever happens in between, all can be read."""
    monkeypatch.setattr(settling, "_STEP_BYTES", 1000)
    files = fill(folder)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    real = Captures.write_entries
    written: list[int] = []

    def write_entries(this: Captures, capture: bytes, *parts: bytes | memoryview) -> None:
        real(this, capture, *parts)
        written.append(sum(map(len, parts)) // captures.ENTRY)
        if len(written) in (1, 3):
            raise SnapshotError("killed")

    monkeypatch.setattr(Captures, "write_entries", write_entries)
    with pytest.raises(SnapshotError, match="killed"):
        engine.settle()
    with pytest.raises(SnapshotError, match="killed"):
        opened(folder).settle()
    assert written == [1, 2, 3]
    for current in (engine, opened(folder)):
        check(current, snapshot, files)
        known = [e.path for e in current.walk(snapshot) if e.digest and e.path in SIZES]
        assert len(known) == 3
    cleaner = opened(folder, grace=0.0)
    cleaner.gc([snapshot])
    check(cleaner, snapshot, files)
    cleaner.settle()
    assert files_in(folder, "cap") == []
    assert written == list(range(1, len(SIZES) + 1))
    for current in (engine, cleaner):
        check(current, snapshot, files)


def test_the_room_of_a_capture_is_given_back(xfs: Path) -> None:
    for place in fresh(xfs):
        folder = place / "work"
        write(folder / "f", content(30 << 20))
        age()
        engine = opened(folder)
        snapshot = engine.snapshot().id
        (folder / "f").unlink()
        engine.settle()
        engine.destroy(snapshot)
        engine.grace = 0.0
        assert engine.gc([]) > 30 << 20
        assert list((place / "store" / "captures").iterdir()) == []
        room = sum(path.stat().st_blocks for path in place.rglob("*")) * 512
        assert room < 1 << 20


# -- gc ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [False, True])
def test_gc_keeps_captures_that_are_needed(folder: Path, settled: bool) -> None:
    write(folder / "stays", content(40_000))
    age()
    engine = opened(folder, grace=0.0)
    taken = []
    for step in range(4):
        write(folder / "edited", content(60_000, step))
        age()
        taken.append(engine.snapshot().id)
    if settled:
        engine.settle()
    kind = "map" if settled else "cap"
    assert len(files_in(folder, kind)) == 4
    engine.gc(taken[2:])
    # the first is needed for what stays
    assert len(files_in(folder, kind)) == 3
    assert engine.snapshot().id == taken[-1]
    for _ in range(2):
        for step, snapshot in enumerate(taken[2:], 2):
            check(engine, snapshot, {"stays": content(40_000), "edited": content(60_000, step)})
        engine.settle()
        engine.gc(taken[2:])
    # what was dropped is frozen anew when it comes back
    write(folder / "edited", content(60_000, 0))
    age()
    for current in (engine, opened(folder)):
        snapshot = current.snapshot().id
        check(current, snapshot, {"stays": content(40_000), "edited": content(60_000, 0)})


def test_what_the_stat_cache_knows_and_gc_dropped_is_captured_again(folder: Path) -> None:
    files = fill(folder)
    engine, cleaner = opened(folder), opened(folder, grace=0.0)
    engine.snapshot()
    cleaner.settle()
    cleaner.gc([])
    assert files_in(folder, "map") == []
    snapshot = engine.snapshot().id
    check(engine, snapshot, files)


def test_gc_while_a_capture_is_hashed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it becomes may be in a pack that is garbage to those that looked before."""
    data = content(3 << 20)
    engine = opened(folder, grace=0.0)
    write(folder / "f", data)
    with monkeypatch.context() as patch:
        patch.setattr(capturing, "BUDGET", 1 << 40)
        age()
        engine.snapshot()
    assert files_in(folder, "cap") == []
    (folder / "f").unlink()
    write(folder / "g", data)
    age()
    kept = engine.snapshot().id
    assert len(files_in(folder, "cap")) == 1
    real = maintenance.Collection._copy_out

    def copy_out(this: maintenance.Collection, sparing: bool) -> tuple[set[str], int]:
        result = real(this, sparing)
        opened(folder).settle()
        return result

    monkeypatch.setattr(maintenance.Collection, "_copy_out", copy_out)
    engine.gc([kept])
    assert files_in(folder, "cap") == []
    check(opened(folder), kept, {"g": data})


# -- faults --------------------------------------------------------------------------------------


def work_until_killed(folder: Path, step: int, out: int) -> None:
    capturing.BUDGET = 0
    engine = opened(folder, grace=0.0)
    taken: list[str] = []
    while True:
        step += 1
        for number in range(6):
            write(folder / f"{number}", content(9000 * number, step // (1 + number)))
        write(folder / "large", content(1_200_000, step))
        age()
        taken.append(engine.snapshot().id)
        os.write(out, f"{json.dumps(['taken', taken[-1], step])}\n".encode())
        if step % 2:
            engine.settle()
        if step % 5 == 0:
            taken = taken[-2:]
            os.write(out, f"{json.dumps(['keep', taken, step])}\n".encode())
            engine.gc(taken)


@pytest.mark.fault
def test_killed_at_any_instant(xfs: Path) -> None:
    rand = seeded()
    for place in fresh(xfs):
        folder = place / "work"
        folder.mkdir()
        good: dict[str, int] = {}
        step = 0
        for kill in range(KILLS):
            work = partial(work_until_killed, folder, step)
            said = killed(work, rand.uniform(0.0, 0.6), told=kill % 2 == 1)
            for what, value, at in map(json.loads, said):
                step = max(step, at)
                if what == "taken":
                    good[value] = at
                else:
                    good = {snapshot: good[snapshot] for snapshot in value}
            engine = opened(folder)
            for snapshot, at in good.items():
                files = {f"{n}": content(9000 * n, at // (1 + n)) for n in range(6)}
                files["large"] = content(1_200_000, at)
                assert restored(engine, snapshot, place / "out") == files
            assert engine.verify(good) == []
            engine.close()
        assert good
        engine = opened(folder, grace=0.0)
        engine.settle()
        engine.gc(good)
        assert files_in(folder, "cap") == []
        assert engine.verify(good) == []
        assert list((place / "store" / "tmp").iterdir()) == []


@pytest.mark.parametrize("settled", [False, True])
def test_power_cut(settled: bool) -> None:
    """Of a real file system, as soon as the snapshot was returned or hashed."""
    with loopfs.mounted("xfs") as place:
        folder = place / "work"
        files = {f"{n}": content(3000 * n, n) for n in range(30)} | {"large": content(3_000_001)}
        for name, data in files.items():
            write(folder / name, data)
        age()
        engine = opened(folder)
        snapshot = engine.snapshot().id
        assert len(files_in(folder, "cap")) == 1
        if settled:
            engine.settle()
            assert files_in(folder, "cap") == []
        engine.close()
        del engine
        loopfs.cut_power(place)
        engine = opened(folder)
        check(engine, snapshot, files)
        engine.settle()
        check(engine, snapshot, files)
        engine.close()
        del engine


@pytest.mark.fault
def test_power_cuts_at_any_moment(
    xfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it captures, hashes in steps, and cleans up: what was returned is not lost."""
    for place in fresh(xfs):
        look(record_captures(place, monkeypatch, clones=False), tmp_path, 0.3)


def test_a_full_disk_loses_nothing() -> None:
    with loopfs.mounted("xfs") as place:
        folder = place / "work"
        files = {"f": content(60 << 20), "g": content(20_000)}
        for name, data in files.items():
            write(folder / name, data)
        age()
        engine = opened(folder)
        snapshot = engine.snapshot().id
        with (place / "filler").open("wb") as filler, pytest.raises(OSError):
            while True:
                os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, 4 << 20)
        with pytest.raises(SnapshotError, match="The disk is full"):
            engine.settle()
        check(engine, snapshot, files)
        (place / "filler").unlink()
        engine.settle()
        assert files_in(folder, "cap") == []
        check(engine, snapshot, files)
        engine.close()
        del engine


# -- damage --------------------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_damaged_table_is_not_needed(folder: Path) -> None:
    files = fill(folder)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    cap = files_in(folder, "cap")[0]
    with cap.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(bytes(20))
    check_except_store(engine, snapshot, files)
    engine.settle()
    assert files_in(folder, "cap") == []
    check(engine, snapshot, files)


def check_except_store(engine: EmbeddedEngine, snapshot: str, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        with engine.open(snapshot, name) as file:
            assert file.read() == data
    assert all(not problem.snapshot for problem in engine.verify([snapshot]))


def test_a_capture_that_is_cut_or_gone(folder: Path) -> None:
    files = fill(folder)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    cap = files_in(folder, "cap")[0]
    for size in (cap.stat().st_size // 2, 0, None):
        if size is None:
            cap.unlink()
        else:
            os.truncate(cap, size)
        engine = opened(folder)
        problems = {p.path for p in engine.verify([snapshot]) if p.snapshot}
        for name, data in files.items():
            if name in problems:
                with pytest.raises(CorruptStoreError), engine.open(snapshot, name) as file:
                    file.read()
            else:
                with engine.open(snapshot, name) as file:
                    assert file.read() == data
        assert {"small", "empty"}.isdisjoint(problems)
        assert len(problems) > (0 if size else 6)
        if size is not None:
            with pytest.raises(SnapshotError, match="could not be hashed"):
                engine.settle()
        assert len(engine.list(snapshot)) == 7, "the listing is there all the same"


def test_every_flipped_bit_of_a_map_is_found_and_spoils_one_file(folder: Path) -> None:
    files = {f"{n}": content(5000 + n, n) for n in range(4)}
    for name, data in files.items():
        write(folder / name, data)
    age()
    engine = opened(folder)
    snapshot = engine.snapshot().id
    engine.settle()
    path = files_in(folder, "map")[0]
    whole = path.read_bytes()
    lost: set[str] = set()
    for at in range(len(whole)):
        flip(path, at)
        engine = opened(folder)
        problems = engine.verify([snapshot])
        assert problems, f"byte {at}"
        spoilt = {problem.path for problem in problems if problem.snapshot}
        assert len(spoilt) <= 1, f"byte {at}"
        lost |= spoilt
        if at % 16 == 0:
            for name, data in files.items():
                if name not in spoilt:
                    with engine.open(snapshot, name) as file:
                        assert file.read() == data
        path.write_bytes(whole)
    assert lost == set(files)
    for size in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:size])
        engine = opened(folder)
        assert engine.verify([snapshot])
        for name, data in files.items():
            try:
                with engine.open(snapshot, name) as file:
                    assert file.read() == data
            except CorruptStoreError:
                continue


def test_maps_travel(place: Path) -> None:
    first, second = Captures(Store(place / "a")), Captures(Store(place / "b"))
    found = {
        (4096 * n, 7 * n): Resolution(n, bytes([n]) * 32, bytes([n]) * 32 if n % 2 else b"")
        for n in range(1, 200)
    }
    name = os.urandom(16)
    first.write_map(name, found)
    data = first.export_map(name)
    for _ in range(2):
        second.import_map(data)
        for (where, tail), resolution in found.items():
            assert second.resolve(KEY.pack(name, where, tail)) == resolution
    assert second.ids("map") == [name]
    with pytest.raises(CorruptStoreError):
        second.resolve(KEY.pack(name, 12345, 0))
    assert second.resolve(KEY.pack(os.urandom(16), 4096, 7)) is None
    for at in (0, 10, 50, len(data) - 1):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(CorruptStoreError):
            second.import_map(bytes(damaged))
    flip(Path(first.path(name, "map")), 77)
    with pytest.raises(CorruptStoreError):
        first.export_map(name)
    first.import_map(data)
    assert first.export_map(name) == data
    # what was known here is right, what was not is learnt
    place, (other, *_) = (4096 * 5, 7 * 5), found
    second.write_map(name, {place: found[other]})
    second.import_map(data)
    assert second.resolve(KEY.pack(name, *place)) == found[other]
    assert second.resolve(KEY.pack(name, *other)) == found[other]
