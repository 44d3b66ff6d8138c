# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The btrfs engine on a real btrfs: the shared suite, and what only this engine has to promise."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import mmap
import os
import random
import secrets
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import loopfs
import pytest
import test_snapshot_properties as properties
from blake3 import blake3
from chance import often, seeded
from engine_suite import EngineSuite, changed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import killed
from snapshot_helpers import State, state_of, without_privileges, write
from suite_base import MTIME
from suite_moving import sent

from dotscience_jupyter.snapshots import (
    Change,
    CorruptStoreError,
    Engine,
    Snapshot,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.btrfs import BtrfsEngine, ioctls, receiving, transfer
from dotscience_jupyter.snapshots.native import building, differing, tree

pytestmark = pytest.mark.xdist_group("btrfs")


@pytest.fixture(scope="module")
def btrfs() -> Iterator[Path]:
    """A new file system, for all the tests of this module."""
    with loopfs.mounted("btrfs", 8 << 30) as place:
        place.parent.chmod(0o755)
        yield place


@pytest.fixture
def tmp_path(btrfs: Path) -> Path:
    """A folder on it, for one test."""
    place = btrfs / secrets.token_hex(4)
    place.mkdir()
    return place


def subvolume(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    ioctls.create(str(place.parent), place.name)
    return place


class TestBtrfs(EngineSuite):
    """The store is where a workspace has it: inside the folder that is frozen."""

    links_from_outside = False

    @pytest.fixture(autouse=True)
    def _place(self, btrfs: Path) -> None:
        self.btrfs = btrfs

    def make(self, folder: Path, place: Path) -> Engine:
        return BtrfsEngine(folder, folder / ".dotscience" / "store")

    def make_elsewhere(self, folder: Path, place: Path) -> Engine:
        """A restored folder is no subvolume, so it is made one."""
        folder.rename(folder.with_name("restored"))
        subvolume(folder)
        subprocess.run(["cp", "-a", f"{folder.with_name('restored')}/.", folder], check=True)
        return self.make(folder, place)

    def new_folder(self, path: Path) -> Path:
        return subvolume(path)

    @contextlib.contextmanager
    def open_place(self) -> Iterator[Path]:
        place = self.btrfs / secrets.token_hex(4)
        place.mkdir()
        yield place

    def described(self, engine: Engine, snapshot: Snapshot) -> Snapshot:
        assert (snapshot.files, snapshot.bytes, snapshot.skipped) == (0, 0, ())
        assert isinstance(engine, BtrfsEngine)
        engine.settle()
        return engine._described(snapshot.id)

    def make_old(self, engine: Engine) -> None:
        assert isinstance(engine, BtrfsEngine)
        engine.grace = 0.0

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[Path]:
        with loopfs.mounted("btrfs") as disk:
            yield disk

    def remove_folder(self, path: Path) -> None:
        if ioctls.is_subvolume(str(path)):
            ioctls.destroy(str(path.parent), path.name)
        else:
            super().remove_folder(path)

    def damage(self, engine: Engine, snapshot: str, path: str, content: bytes) -> None:
        """Where it is on the disk is looked for, and found by btrfs's own checksum, elsewhere."""
        assert isinstance(engine, BtrfsEngine)
        place = engine._place(snapshot)
        ioctls.make_writable(place)
        with open(f"{place}/{path}", "r+b") as file:
            file.write(bytes([content[0] ^ 1]))
        subprocess.run(["btrfs", "property", "set", "-ts", place, "ro", "true"], check=True)

    def test_equal_content_is_kept_once(self, engine: Engine, folder: Path) -> None:
        """Only where it is shared in the live folder: btrfs looks for no equal content."""
        content = random.Random(5).randbytes(300_000)
        write(folder / "copy-0", content)
        for number in range(1, 20):
            subprocess.run(
                ["cp", "--reflink=always", folder / "copy-0", folder / f"copy-{number}"], check=True
            )
        engine.snapshot()
        engine.snapshot()
        assert engine.usage().stored_bytes < 500_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return subvolume(tmp_path / "work")


def opened(folder: Path, grace: float = 900.0) -> BtrfsEngine:
    return BtrfsEngine(folder, folder / ".dotscience" / "store", grace=grace)


# -- choosing ------------------------------------------------------------------------------------


def test_create_and_suits(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    engine = BtrfsEngine.create(folder, folder / ".dotscience" / "store")
    write(folder / "f", "f")
    assert engine.verify([engine.snapshot().id]) == []
    engine.close()
    assert BtrfsEngine.suits(folder)
    assert all(check.ok for check in BtrfsEngine.check(folder))
    with pytest.raises(SnapshotError, match="there already"):
        BtrfsEngine.create(folder, folder / "store")
    (tmp_path / "plain").mkdir()
    assert not BtrfsEngine.suits(tmp_path / "plain")
    assert not BtrfsEngine.suits(tmp_path / "nowhere")
    assert not BtrfsEngine.suits(Path("/proc"))
    missing = [check for check in BtrfsEngine.check(tmp_path / "plain") if not check.ok]
    assert [check.what for check in missing] == ["a folder that is a subvolume"]
    assert all(check.ok for check in BtrfsEngine.check(tmp_path / "to be" / "made"))


def test_the_advice_makes_a_folder_a_subvolume(tmp_path: Path) -> None:
    folder = tmp_path / "it's plain"
    write(folder / "d" / "f", "f", MTIME)
    before = state_of(folder)
    with pytest.raises(SnapshotError, match="no btrfs subvolume"):
        opened(folder)
    (check,) = [check for check in BtrfsEngine.check(folder) if not check.ok]
    subprocess.run(["sh", "-ec", check.advice], check=True)
    assert state_of(folder) == before
    opened(folder).close()
    assert os.listdir(tmp_path) == [folder.name]


def test_what_is_not_on_btrfs_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(SnapshotError, match="not on a btrfs"):
        opened(elsewhere)
    with pytest.raises(SnapshotError, match="not on the same file system"):
        BtrfsEngine(folder, elsewhere / "store")
    with pytest.raises(SnapshotError, match="not on a btrfs"):
        BtrfsEngine.create(elsewhere / "new", elsewhere / "store")
    assert [check.ok for check in BtrfsEngine.check(elsewhere)] == [False]


def test_a_received_subvolume_made_writable_is_refused(folder: Path, tmp_path: Path) -> None:
    """All its snapshots would have the id of what was received."""
    write(folder / "f", "f")
    engine, far = opened(folder), opened(subvolume(tmp_path / "far"))
    snapshot = engine.snapshot().id
    far.receive(io.BytesIO(sent(engine, snapshot)))
    place = Path(far._place(snapshot))
    far.close()
    ioctls.make_writable(str(place))
    far = opened(tmp_path / "far")
    assert not far.exists(snapshot)
    assert not BtrfsEngine.suits(place)
    (check,) = [check for check in BtrfsEngine.check(place) if not check.ok]
    engine.close()
    engine = opened(place)
    with pytest.raises(SnapshotError, match="could not be told apart"):
        engine.snapshot()
    engine.close()
    ioctls.destroy(str(place / ".dotscience"), "store")
    subprocess.run(["sh", "-ec", check.advice], check=True)
    assert BtrfsEngine.suits(place)
    far.close()


def test_folders_as_deep_as_they_may_be(folder: Path, tmp_path: Path) -> None:
    deepest = folder / "/".join("d" * 199)
    write(deepest / "f", "f")
    write(deepest / ".ipynb_checkpoints" / "f", "ignored")
    engine = opened(folder)
    first = engine.snapshot().id
    write(deepest / "f", "other")
    second = engine.snapshot().id
    path = str(deepest.relative_to(folder) / "f")
    assert changed(engine.diff(first, second)) == {path: Change.MODIFIED}
    assert changed(engine.changes(first)) == {path: Change.MODIFIED}
    (folder / "d").rename(folder / "e")
    third = engine.snapshot().id
    assert changed(engine.diff(second, third, renames=True)) == {"e" + path[1:]: Change.RENAMED}
    engine.settle()
    assert engine.verify([first, second, third]) == []
    assert changed(engine.diff(first, second)) == {path: Change.MODIFIED}
    engine.restore(first, tmp_path / "out")
    assert (tmp_path / "out" / path).read_text() == "f"
    engine.clone(first, tmp_path / "clone")
    assert os.listdir((tmp_path / "clone" / path).parent) == ["f"]
    shutil.rmtree(folder / ("e" + path[1:-2]) / ".ipynb_checkpoints")
    engine.rollback(first)
    assert engine.changes(first) == []
    engine.close()


# -- freezing ------------------------------------------------------------------------------------


def test_nothing_is_looked_at_when_a_snapshot_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither read nor listed, but for what changed: so it costs the same for any size."""
    for number in range(50):
        write(folder / f"d{number % 5}" / f"{number}", f"{number}")
    engine = opened(folder)
    first = engine.snapshot().id
    looked: list[str] = []
    real = tree.Tree._node

    def look(self: tree.Tree, above: tree.Open, name: str, *rest: object) -> tree.Node | None:
        looked.append(name)
        return real(self, above, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tree.Tree, "_node", look)
    monkeypatch.setattr(building, "hash_open", None)
    assert engine.snapshot().id == first
    write(folder / "d1" / "6", "edited")
    assert engine.snapshot().id != first
    assert set(looked) <= {"d1", "6"}
    engine.close()


def test_digests_are_made_from_what_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        write(folder / f"d{number % 5}" / f"{number}", f"{number}")
    engine = opened(folder)
    first = engine.snapshot()
    assert {entry.digest for entry in engine.walk(first.id)} == {""}
    assert (first.files, first.bytes) == (0, 0)
    read: list[int] = []
    real = building.hash_open
    monkeypatch.setattr(building, "hash_open", lambda fd, tell: (read.append(fd), real(fd))[1])
    engine.settle()
    assert len(read) == 50
    assert engine.snapshot().files == 50
    assert "" not in {entry.digest for entry in engine.walk(first.id) if entry.size}
    (folder / "d2").rename(folder / "moved")
    write(folder / "d1" / "6", "edited")
    os.link(folder / "d3" / "3", folder / "linked")
    second = engine.snapshot()
    read.clear()
    engine.settle()
    assert len(read) == 1 + 10 + 2  # a new name changes a file's ctime
    read.clear()
    engine.settle()
    assert read == []
    assert engine.snapshot().files == 51
    assert engine.content_id(second.id) != engine.content_id(first.id)
    assert engine.verify([first.id, second.id]) == []
    engine.close()


def test_a_comparison_reads_little(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of what is new are found out as long as that is quick."""
    engine = opened(folder)
    first = engine.snapshot().id
    write(folder / "large", random.Random(1).randbytes(3_000_000))
    write(folder / "small", "small")
    second = engine.snapshot().id
    monkeypatch.setattr(differing, "_MAX_HASHED", 1_000_000)

    def digests(old: str, new: str, **how: bool) -> dict[str, str]:
        entries = [each.new or each.old for each in engine.diff(old, new, **how)]
        return {entry.path: entry.digest for entry in entries if entry is not None}

    known = {name: blake3((folder / name).read_bytes()).hexdigest() for name in ("large", "small")}
    assert digests(first, second) == known | {"large": ""}
    assert engine.entry(second, "large").digest == known["large"]
    assert digests(first, second) == known, "what was read once is known"
    (folder / "large").rename(folder / "moved")
    third = engine.snapshot().id
    assert changed(engine.diff(second, third, renames=True)) == {"moved": Change.RENAMED}
    engine.settle()
    assert digests(first, second) == known
    assert digests(second, third, renames=True) == {"moved": known["large"]}
    engine.close()


def test_an_edit_in_a_large_file_is_found_without_reading_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 20 << 20
    path = write(folder / "large", random.Random(1).randbytes(size))
    engine = opened(folder)
    first = engine.snapshot().id
    with path.open("r+b") as file:
        file.seek(size - 100_000)
        file.write(b"edited")
    second = engine.snapshot().id
    with path.open("r+b") as file:  # what was there is written again
        file.seek(size - 100_000)
        file.write(random.Random(1).randbytes(size)[-100_000 : -100_000 + 6])
    third = engine.snapshot().id
    read = 0
    real = os.pread

    def pread(fd: int, count: int, at: int) -> bytes:
        nonlocal read
        data = real(fd, count, at)
        read += len(data)
        return data

    monkeypatch.setattr(differing, "_MAX_HASHED", 0)
    monkeypatch.setattr(os, "pread", pread)
    assert changed(engine.diff(first, second)) == {"large": Change.MODIFIED}
    assert engine.diff(first, third) == []
    assert changed(engine.changes(second)) == {"large": Change.MODIFIED}
    assert engine.changes(third) == []
    assert 0 < read < 1 << 20
    engine.close()


def test_all_names_of_a_file_are_told(folder: Path) -> None:
    """btrfs tells a change of a file under one of its names."""
    write(folder / "d" / "one", "first")
    for name in ("two", "d/three", ".ipynb_checkpoints/four"):
        (folder / name).parent.mkdir(exist_ok=True)
        os.link(folder / "d" / "one", folder / name)
    write(folder / "other", "other")
    engine = opened(folder)
    old = engine.snapshot().id
    write(folder / ".ipynb_checkpoints" / "four", "second")
    new = engine.snapshot().id
    expected = dict.fromkeys(["d/one", "d/three", "two"], Change.MODIFIED)
    assert changed(engine.diff(old, new)) == expected
    engine.settle()
    assert changed(engine.diff(old, new)) == expected
    engine.close()


def test_a_subvolume_inside_is_left_out_and_said_so(folder: Path, tmp_path: Path) -> None:
    write(folder / "f", "f")
    subvolume(folder / "d" / "inside")
    write(folder / "d" / "inside" / "g", "g")
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert [entry.path for entry in engine.walk(snapshot)] == ["d", "f"]
    assert engine.changes(snapshot) == []
    engine.settle()
    assert [skipped.path for skipped in engine.snapshot().skipped] == ["d/inside"]
    engine.restore(snapshot, tmp_path / "out")
    assert set(state_of(tmp_path / "out")) == {"d", "f"}
    engine.close()


LINE = b"%015d\n"
APPENDING = f"""
import os, sys, threading, time

def append(writer):
    files = [f"{{sys.argv[1]}}-{{writer}}-{{number}}" for number in range(5)]
    fds = [os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for file in files]
    count = 0
    while True:
        for fd in fds:
            os.write(fd, {LINE!r} % count)
            # not to write more, but because whoever wakes up interrupts the one who snapshots
            time.sleep(0.00002)
        count += 1

for writer in range(4):
    threading.Thread(target=append, args=(writer,), daemon=True).start()
print("begun", flush=True)
sys.stdin.read()
os._exit(0)
"""


@contextlib.contextmanager
def appending(folder: Path) -> Iterator[None]:
    """Append lines to forty files, each from its own beginning, by two other processes."""
    with contextlib.ExitStack() as stack:
        for name in ("a", "b"):
            process = subprocess.Popen(
                [sys.executable, "-c", APPENDING, name],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.enter_context(process)  # at its end stdin is closed, and so is the process
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
        yield


def test_all_that_was_written_before_is_in_a_snapshot(folder: Path) -> None:
    """The kernel's flush of a snapshot passes over files that are written to just then."""
    engine = opened(folder)
    taken: list[tuple[str, dict[str, int]]] = []
    with appending(folder):
        for _ in range(16):
            before = {path.name: path.stat().st_size for path in folder.glob("?-*")}
            taken.append((engine.snapshot().id, before))
    longest = max(taken[-1][1].values())
    lines = b"".join(LINE % number for number in range(longest // len(LINE)))
    assert len(taken[-1][1]) == 40
    assert longest > 0
    for snapshot, before in taken:
        place = Path(engine._place(snapshot))
        for name, size in before.items():
            content = (place / name).read_bytes()
            assert len(content) >= size, f"{name} in {ioctls.info(str(place))}"
            assert content[:size] == lines[:size]
    engine.close()


def test_no_snapshot_where_the_disk_takes_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk's refusal is a fake."""
    engine = opened(folder)
    write(folder / "a", b"one")

    def refuse(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    with monkeypatch.context() as patch:
        patch.setattr("dotscience_jupyter.snapshots.btrfs.engine.flush", refuse)
        with pytest.raises(SnapshotError, match="Input/output error"):
            engine.snapshot()
    assert engine.snapshots() == []
    assert engine.entry(engine.snapshot().id, "a").size == 3
    engine.close()


def test_a_snapshot_stops_no_other_thread(folder: Path) -> None:
    """Not even while the kernel writes what is new: a server does all its work in one process."""
    stop = threading.Event()
    times: list[float] = []

    def look_at_the_clock() -> None:
        while not stop.is_set():
            times.append(time.monotonic())
            time.sleep(0.001)

    (folder / "large").write_bytes(bytes(128 << 20))
    thread = threading.Thread(target=look_at_the_clock)
    thread.start()
    try:
        begin = time.monotonic()
        ioctls.snapshot(str(folder), str(folder.parent), "frozen", read_only=True)
        end = time.monotonic()
    finally:
        stop.set()
        thread.join()
    assert [at for at in times if begin + (end - begin) / 4 < at < end - (end - begin) / 4]


def test_beside_writers_only_what_is_not_there_yet_is_zeros(folder: Path) -> None:
    """What came while it was taken may count for a file's size and not be in it: docs/btrfs.md."""
    stop = threading.Event()
    line = b"%015d\n"
    written = {"a": 0, "b": 0}

    def append(name: str) -> None:
        with (folder / name).open("wb", buffering=0) as file:
            while not stop.is_set():
                file.write(line % written[name])
                written[name] += 1

    threads = [threading.Thread(target=append, args=(name,)) for name in written]
    engine = opened(folder)
    for thread in threads:
        thread.start()
    taken: list[tuple[str, dict[str, int]]] = []
    try:
        for _ in range(12):
            before = dict(written)
            while min(written[name] - before[name] for name in written) < 5:
                time.sleep(0.001)
            before = dict(written)
            taken.append((engine.snapshot().id, before))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len({snapshot for snapshot, _ in taken}) == 12
    sizes = []
    for snapshot, before in taken:
        for name, count in before.items():
            with engine.open(snapshot, name) as file:
                content = file.read()
            assert len(content) >= 16 * count, "all that was written before is in it"
            right = b"".join(line % number for number in range(len(content) // 16))
            assert len(content) == len(right)
            arrived = content.rstrip(b"\0")
            assert arrived == right[: len(arrived)]
            assert len(arrived) >= 16 * count
            assert len(arrived) in (len(content), len(arrived) // 4096 * 4096), "whole blocks"
            assert len(content) == engine.entry(snapshot, name).size
        sizes.append(engine.entry(snapshot, "a").size)
    assert sizes == sorted(sizes)
    engine.settle()
    assert engine.verify([snapshot for snapshot, _ in taken]) == []
    engine.close()


PLAIN = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=3).map("/".join)
SWAP = st.tuples(st.just("swap"), PLAIN, PLAIN)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(operations=st.lists(st.one_of(properties.OPERATION, SWAP), min_size=5, max_size=40))
def test_any_sequence_is_told_and_restored_as_it_was(
    operations: list[tuple[object, ...]], tmp_path: Path
) -> None:
    """Differences by btrfs, by looking at all files, and by manifests are the real ones."""
    place = tmp_path / secrets.token_hex(4)
    folder = subvolume(place / "work")
    engine = opened(folder, 0.0)
    taken: dict[str, State] = {}

    def take() -> None:
        snapshot = engine.snapshot().id
        state = state_of(folder)
        assert taken.setdefault(snapshot, state) == state
        assert engine.snapshot().id == snapshot
        assert engine.changes(snapshot) == []

    for what, *arguments in operations:
        with contextlib.suppress(OSError):  # it makes no sense here
            if what == "snapshot":
                take()
            elif what == "restart":
                engine.settle()
            elif what == "swap":
                one, other = (folder / str(path) for path in arguments)
                os.rename(one, folder / "c" / "between")
                os.rename(other, one)
                os.rename(folder / "c" / "between", other)
            elif what != "gc":
                properties.apply(folder, (what, *arguments))
    take()

    def check() -> None:
        for old, before in taken.items():
            for new, after in taken.items():
                expected = properties.expected_changes(before, after)
                assert changed(engine.diff(old, new)) == expected

    check()
    touched = engine._touched
    engine._touched = lambda *_: None  # type: ignore[method-assign]
    check()
    engine._touched = touched  # type: ignore[method-assign]
    engine.settle()
    check()
    manifests = [engine._manifests.find(snapshot) for snapshot in taken]
    assert "" not in manifests
    for number, (snapshot, state) in enumerate(taken.items()):
        engine.restore(snapshot, place / f"{number}")
        assert state_of(place / f"{number}") == state
        engine._manifests.forget(snapshot)
    engine._settling._base = lambda *_: None  # type: ignore[method-assign]
    engine.settle()
    assert [engine._manifests.find(snapshot) for snapshot in taken] == manifests
    assert engine.verify(taken) == []
    engine.close()


# -- giving back ---------------------------------------------------------------------------------


def test_a_clone_is_a_subvolume_that_shares_its_room(
    folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(folder / "large", random.Random(1).randbytes(5_000_000))
    write(folder / "d" / "f", "f")
    for name in (".git/HEAD", "d/.ipynb_checkpoints/x", "env/pyvenv.cfg", ".dotscience/records.db"):
        write(folder / name, "not frozen")
    (folder / "d").chmod(0o555)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    state = {path: value for path, value in state_of(folder).items() if "." not in path}
    del state["env"]
    engine.clone(snapshot, tmp_path / "clone")
    assert state_of(tmp_path / "clone") == state
    assert ioctls.is_subvolume(str(tmp_path / "clone"))
    with (tmp_path / "clone" / "large").open("rb") as copy, (folder / "large").open("rb") as first:
        places = [[e.physical for e in ioctls.extents(file.fileno())] for file in (copy, first)]
    assert places[0] == places[1] != []
    write(tmp_path / "clone" / "large", "changed")
    engine.destroy(snapshot)
    assert (tmp_path / "clone" / "d" / "f").read_text() == "f"
    other = opened(tmp_path / "clone")
    assert other.snapshots() == []
    other.close()
    with pytest.raises(SnapshotError, match="not on the same file system"):
        engine.clone(engine.snapshot().id, tmp_path_factory.mktemp("elsewhere") / "clone")
    engine.close()


def test_a_restore_shares_room_where_it_can(folder: Path, tmp_path: Path) -> None:
    write(folder / "large", random.Random(1).randbytes(5_000_000))
    engine = opened(folder)
    engine.restore(engine.snapshot().id, tmp_path / "out")
    with (tmp_path / "out" / "large").open("rb") as copy, (folder / "large").open("rb") as first:
        places = [[e.physical for e in ioctls.extents(file.fileno())] for file in (copy, first)]
    assert places[0] == places[1] != []
    engine.close()


# -- without privileges --------------------------------------------------------------------------


def test_what_works_without_privileges(btrfs: Path) -> None:
    top = btrfs / secrets.token_hex(4)
    top.mkdir()
    folder = subvolume(top / "work")
    write(folder / "a", "first")
    write(folder / "d" / "b", "b")
    with without_privileges(top):
        assert BtrfsEngine.suits(folder)
        missing = [check for check in BtrfsEngine.check(folder) if not check.ok]
        assert ["CAP_SYS_ADMIN" in check.what for check in missing] == [True]
        engine = opened(folder, 0.0)
        first = engine.snapshot().id
        assert engine.snapshot().id == first
        write(folder / "a", "second")
        second = engine.snapshot().id
        assert changed(engine.diff(first, second)) == {"a": Change.MODIFIED}
        engine.settle()
        assert engine.usage(each=True).snapshots == 2
        for call in (
            lambda: engine.send(second, io.BytesIO()),
            lambda: engine.send_size(second),
        ):
            with pytest.raises(SnapshotError, match="root"):
                call()
        engine.gc([second])
        assert [info.id for info in engine.snapshots()] == [second]
        assert engine.verify([second]) == []
        engine.release([second], "commit")
        engine.destroy(second)
        assert os.listdir(folder / ".dotscience" / "store" / "subvolumes") == []
        engine.close()
    stream = io.BytesIO()
    other = opened(subvolume(top / "other"))
    write(top / "other" / "f", "f")
    other.send(other.snapshot().id, stream)
    other.close()
    with without_privileges(folder):
        engine = opened(folder)
        with pytest.raises(SnapshotError, match="btrfs says"):
            engine.receive(io.BytesIO(stream.getvalue()))
        assert engine.snapshots() == []
        engine.close()


# -- moving --------------------------------------------------------------------------------------


def test_a_beginning_that_does_not_fit_is_sent_anew(folder: Path, tmp_path: Path) -> None:
    write(folder / "f", random.Random(1).randbytes(4_000_000))
    engine, far = opened(folder), opened(subvolume(tmp_path / "far"))
    snapshot = engine.snapshot().id
    stream = sent(engine, snapshot)
    with pytest.raises(TransferError) as caught:
        far.receive(io.BytesIO(stream[: len(stream) // 2]))
    token = caught.value.token
    assert len(sent(engine, snapshot, resume=token)) < len(stream)
    head, _, digest = token.rpartition(".")
    wrong = f"{head}.{digest[::-1]}"
    said: list[str] = []
    whole = io.BytesIO()
    engine.send(snapshot, whole, resume=wrong, progress=lambda *what: said.append(what[2]))
    assert whole.getvalue() == stream
    assert "all of it" in said[0]
    assert far.receive(io.BytesIO(stream)) == snapshot
    assert far.partial() == {}
    assert far.verify([snapshot]) == []
    with pytest.raises(SnapshotError, match="another transfer"):
        engine.send(snapshot, io.BytesIO(), base=snapshot, resume=token)
    engine.close()
    far.close()


def test_what_was_sent_must_be_what_arrives(folder: Path, tmp_path: Path) -> None:
    """A sender that knows the content id lets the receiver prove it."""
    write(folder / "f", "content")
    engine, far = opened(folder), opened(subvolume(tmp_path / "far"))
    snapshot = engine.snapshot().id
    engine.settle()
    content = engine.content_id(snapshot)
    lying = io.BytesIO()
    number = engine._number(snapshot)
    place = engine._place(snapshot)
    assert number
    transfer.send(transfer.Sent(snapshot, None, "0" * 64, place, 0), lying, "", None)
    with pytest.raises(SnapshotError, match="not right"):
        far.receive(io.BytesIO(lying.getvalue()))
    assert far.snapshots() == []
    assert far.partial() == {}
    far.receive(io.BytesIO(sent(engine, snapshot)))
    assert [info.content for info in far.snapshots()] == [content]
    # nor is the stream of one snapshot taken for another one
    write(folder / "f", "other")
    other = engine.snapshot().id
    transfer.send(transfer.Sent(other, None, "", place, 0), stream := io.BytesIO(), "", None)
    with pytest.raises(SnapshotError, match="another snapshot"):
        far.receive(io.BytesIO(stream.getvalue()))
    assert [info.id for info in far.snapshots()] == [snapshot]
    engine.close()
    far.close()


def test_gc_removes_what_transfers_left(folder: Path, tmp_path: Path) -> None:
    engine, far = opened(folder), opened(subvolume(tmp_path / "far"))
    streams = {}
    for number in range(2):
        write(folder / "f", random.Random(number).randbytes(3_000_000))
        snapshot = engine.snapshot().id
        streams[snapshot] = sent(engine, snapshot)
        with pytest.raises(TransferError):
            far.receive(io.BytesIO(streams[snapshot][:2_000_000]))
    store = tmp_path / "far" / ".dotscience" / "store"
    old, recent = streams
    long_ago = time.time() - receiving.MAX_AGE - 60
    os.utime(store / "partial" / f"{old}..stream", (long_ago, long_ago))
    # what a receiver that was killed leaves: not read-only yet
    subvolume(store / "received" / "half")
    write(store / "received" / "half" / "f", "half")
    assert far.snapshots() == []
    far.gc([])
    assert list(far.partial()) == [recent]
    assert os.listdir(store / "received") == []
    engine.close()
    far.close()


# -- faults --------------------------------------------------------------------------------------


def find(image: Path, content: bytes) -> int:
    """Return where on disk some bytes are."""
    with image.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as found:
        return found.find(content)


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    with loopfs.mounted("btrfs") as place:
        folder = subvolume(place / "work")
        mark = random.Random(1).randbytes(64)
        write(folder / "d" / "bad", bytes(100_000) + mark + bytes(100_000))
        write(folder / "d" / "good", random.Random(2).randbytes(100_000))
        engine = opened(folder)
        first = engine.snapshot().id
        write(folder / "new", "new")
        second = engine.snapshot().id
        engine.settle()
        assert engine.verify([first, second]) == []
        (folder / "d" / "bad").unlink()
        third = engine.snapshot().id
        at = find(place.parent / "image", mark)
        assert at > 0
        with (place.parent / "image").open("r+b") as image:
            image.seek(at)
            image.write(b"!")
        problems = engine.verify([first, second, third])
        assert {(p.snapshot, p.path) for p in problems} == {(first, "d/bad"), (second, "d/bad")}
        assert engine.repair([first, third]).lost == [p for p in problems if p.snapshot == first]
        with engine.open(first, "d/bad") as file, pytest.raises(CorruptStoreError, match="bad"):
            file.read()
        with engine.open(first, "d/bad") as file:
            assert file.read(10) == bytes(10)
        engine.restore(first, tmp_path / "good", ["d/good"])
        with pytest.raises(CorruptStoreError, match="Nothing was restored"):
            engine.restore(first, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        # without what was known of it before, it is found as well
        engine._manifests.forget(first)
        with pytest.raises(SnapshotError, match="bad"):
            engine.settle()
        assert [p.path for p in engine.verify([first])] == ["d/bad"]
        with pytest.raises(SnapshotError):
            sent(engine, first)
        engine.close()


def test_damaged_manifests_are_made_anew(folder: Path) -> None:
    for number in range(20):
        write(folder / f"d{number % 3}" / f"{number}", f"{number}")
    engine = opened(folder)
    first = engine.snapshot().id
    write(folder / "f", "f")
    second = engine.snapshot().id
    engine.settle()
    known = [engine.content_id(first), engine.content_id(second)]
    listing = list(engine.walk(second))
    engine.close()
    store = folder / ".dotscience" / "store"
    rand = random.Random(3)
    for round_ in range(8):
        for pack in (store / "packs").iterdir():
            data = bytearray(pack.read_bytes())
            for _ in range(len(data) // 200 + 1):
                data[rand.randrange(8, len(data))] ^= 1 << rand.randrange(8)
            pack.write_bytes(data)
        if round_ % 2:
            (store / "content.db").write_bytes(b"no database")
            (store / "manifests" / first).write_text("no manifest")
        engine = opened(folder)
        assert [e.path for e in engine.walk(second)] == [e.path for e in listing]
        assert changed(engine.diff(first, second)) == {"f": Change.ADDED}
        assert engine.entry(second, "f") in listing
        assert engine.verify([first, second]) == []
        assert [engine.content_id(first), engine.content_id(second)] == known
        assert list(engine.walk(second)) == listing
        engine.gc([first, second])
        engine.close()


def test_a_full_file_system(tmp_path: Path) -> None:
    with loopfs.mounted("btrfs") as place:
        folder = subvolume(place / "work")
        write(folder / "precious", random.Random(1).randbytes(3_000_000))
        engine = opened(folder, 0.0)
        far = opened(subvolume(place / "far"))
        first = engine.snapshot().id
        engine.settle()
        state = state_of(folder)
        write(folder / "more", random.Random(2).randbytes(30_000_000))
        second = engine.snapshot().id
        stream = sent(engine, second)
        (place / "filler").mkdir()
        number, left = 0, 1 << 26
        while left >= 1024:
            with (place / "filler" / str(number)).open("wb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, left)
                    os.fsync(file.fileno())
                except OSError:
                    left //= 8
            number += 1
        failed = 0
        taken = [second]
        for step in range(6):
            with contextlib.suppress(OSError):
                write(folder / f"few-{step}", "few")
            for call in (
                lambda: taken.append(engine.snapshot().id),
                engine.settle,
                lambda: far.receive(io.BytesIO(stream)),
                lambda: engine.hold([first], "tag"),
            ):
                try:
                    call()
                except SnapshotError:
                    failed += 1
        assert failed >= 6
        assert far.snapshots() == []
        assert [problem for problem in engine.verify([first, *taken]) if problem.path] == []
        shutil.rmtree(place / "filler")
        os.sync()
        token = far.partial().get(second, "")
        assert far.receive(io.BytesIO(sent(engine, second, resume=token))) == second
        assert far.verify([second]) == []
        engine.settle()
        last = engine.snapshot().id
        assert engine.verify([first, *taken, last]) == []
        engine.restore(first, tmp_path / "out")
        assert state_of(tmp_path / "out") == state
        engine.gc([last])
        far.close()
        engine.close()


def test_a_snapshot_survives_a_power_cut(tmp_path: Path) -> None:
    """All that a snapshot needs is on disk, or on its way there, when it is returned."""
    with loopfs.mounted("btrfs") as place:
        folder = subvolume(place / "work")
        write(folder / "d" / "f", random.Random(1).randbytes(1_000_000))
        engine = opened(folder)
        engine.snapshot()
        write(folder / "d" / "f", random.Random(2).randbytes(1_000_000))
        write(folder / "late", "not flushed by anybody")
        state = state_of(folder)
        snapshot = engine.snapshot().id
        # the disk as it is now, with none of what the file system has yet to write
        subprocess.run(
            ["cp", "--sparse=always", place.parent / "image", tmp_path / "cut"], check=True
        )
        engine.close()
        loopfs.unmount(place)
        subprocess.run(["mount", "-o", "loop", tmp_path / "cut", place], check=True)
        engine = opened(folder)
        assert engine.exists(snapshot)
        assert engine.verify([snapshot]) == []
        engine.restore(snapshot, tmp_path / "out")
        assert state_of(tmp_path / "out") == state
        engine.close()


KILLS = often(16, 100)


def content_at(step: int) -> dict[str, bytes]:
    rand = random.Random(step)
    files = {f"d{step % 3}/{number}": rand.randbytes(rand.randrange(20_000)) for number in range(5)}
    return files | {"large": random.Random(step // 2).randbytes(300_000), "same": b"same"}


def work_until_killed(folder: Path, far_folder: Path, step: int, out: int) -> None:
    """Change, snapshot, settle, send to another place and clean up there and here, for ever."""
    engine, far = opened(folder, 0.0), opened(far_folder, 0.0)
    taken: list[str] = []

    def tell(*what: object) -> None:
        os.write(out, f"{json.dumps(what)}\n".encode())

    while True:
        step += 1
        for path in folder.iterdir():
            if path.name != ".dotscience":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, data in content_at(step).items():
            write(folder / name, data)
        taken.append(engine.snapshot().id)
        tell("taken", taken[-1], step)
        if step % 2:
            engine.settle()
        base = next((s for s in reversed(taken[:-1]) if far.exists(s)), None)
        token = far.partial().get(taken[-1], "")
        far.receive(io.BytesIO(sent(engine, taken[-1], base, token)))
        tell("received", taken[-1], step)
        if step % 3 == 0:
            taken = taken[-2:]
            tell("keep", taken, step)
            engine.gc(taken)
            far.gc([snapshot for snapshot in taken if far.exists(snapshot)])


@pytest.mark.fault
def test_killed_at_any_instant(folder: Path, tmp_path: Path) -> None:
    """Every snapshot that was returned, and not given up to gc, is there bit for bit."""
    far_folder = subvolume(tmp_path / "far")
    rand = seeded()
    good: dict[str, dict[str, int]] = {"taken": {}, "received": {}}
    step = returned = 0
    for kill in range(KILLS):
        work = partial(work_until_killed, folder, far_folder, step)
        said = killed(work, rand.uniform(0.0, 0.15), told=kill % 2 == 1)
        for what, value, at in map(json.loads, said):
            step = max(step, at)
            if what == "keep":
                for known in good.values():
                    for snapshot in known.keys() - set(value):
                        del known[snapshot]
            else:
                good[what][value] = at
                returned += 1
        engines = {"taken": opened(folder), "received": opened(far_folder)}
        for what, engine in engines.items():
            assert engine.verify(good[what]) == []
            for snapshot, at in good[what].items():
                files = {
                    entry.path: entry.size
                    for entry in engine.walk(snapshot)
                    if stat.S_ISREG(os.lstat(f"{engine._place(snapshot)}/{entry.path}").st_mode)
                }
                assert files == {name: len(data) for name, data in content_at(at).items()}
                for name, data in content_at(at).items():
                    with engine.open(snapshot, name) as file:
                        assert file.read() == data
            engine.settle()
            engine.close()
    assert returned >= KILLS // 2
    for engine, known in ((opened(folder, 0.0), "taken"), (opened(far_folder, 0.0), "received")):
        engine.gc(good[known])
        assert engine.verify(good[known]) == []
        store = Path(engine._store.folder)
        assert list((store / "tmp").iterdir()) == []
        assert len(os.listdir(store / "subvolumes") + os.listdir(store / "received")) == len(
            good[known]
        )
        engine.close()
