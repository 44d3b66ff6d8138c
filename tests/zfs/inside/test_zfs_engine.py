# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What only the ZFS engine has to promise."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from suite_base import ODD_NAMES, changed
from zfs_world import Pool, zfs

from dotscience_jupyter.snapshots import (
    Change,
    EmbeddedEngine,
    HeldError,
    SnapshotError,
    TransferError,
    check_engine,
    open_engine,
)
from dotscience_jupyter.snapshots.native.portable import PortableNative
from dotscience_jupyter.snapshots.zfs import ZfsEngine, differences

Opener = Callable[[str], ZfsEngine]


def opened(folder: Path) -> ZfsEngine:
    return ZfsEngine(folder, folder / ".dotscience" / "store")


@pytest.fixture
def make(pool: Pool, tmp_path: Path) -> Iterator[Opener]:
    """Open an engine on a new dataset."""
    engines = []

    def make(name: str) -> ZfsEngine:
        folder = tmp_path / name
        if not folder.exists():
            pool.volume(folder)
        engine = opened(folder)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(make: Opener) -> ZfsEngine:
    return make("work")


@pytest.fixture
def far(make: Opener) -> ZfsEngine:
    """On another machine, as it were."""
    return make("far")


@pytest.fixture
def folder(engine: ZfsEngine) -> Path:
    return Path(engine.root)


def sent(engine: ZfsEngine, snapshot: str, base: str | None = None, resume: str = "") -> bytes:
    stream = io.BytesIO()
    engine.send(snapshot, stream, base, resume)
    return stream.getvalue()


def name_of(engine: ZfsEngine, snapshot: str) -> str:
    """The snapshot's name, as ZFS has it."""
    lines = zfs("list", "-Hp", "-r", "-t", "snapshot", "-o", "name,guid", engine.dataset)
    guids = dict(reversed(line.split("\t")) for line in lines.splitlines())
    return guids[str(int(snapshot.removeprefix("zfs-"), 16))]


# -- choosing ------------------------------------------------------------------------------------


def test_a_dataset_gets_this_engine(engine: ZfsEngine, folder: Path, tmp_path: Path) -> None:
    assert check_engine(folder, tmp_path / "new")[0] == "zfs"
    with_engine = open_engine(folder, folder / ".dotscience" / "store")
    assert isinstance(with_engine, PortableNative)
    assert isinstance(with_engine.native, ZfsEngine)
    with_engine.close()
    # a folder inside of one cannot be frozen on its own
    inside = folder / "inside"
    inside.mkdir()
    with pytest.raises(SnapshotError, match="not where a ZFS dataset is mounted"):
        open_engine(inside, tmp_path / "new", "zfs")
    chosen = open_engine(inside, tmp_path / "other")
    assert isinstance(chosen, EmbeddedEngine)
    chosen.close()
    name, checks = check_engine(inside, tmp_path / "new")
    assert name == "embedded"
    advice = [check.advice for check in checks if not check.ok]
    assert len(advice) == 1
    assert f"zfs create -o mountpoint={inside} {engine.dataset}/inside" in advice[0]


def test_create_makes_a_dataset(engine: ZfsEngine, folder: Path, tmp_path: Path) -> None:
    new = folder / "new data.v1"
    made = ZfsEngine.create(new, new / ".dotscience" / "store")
    assert isinstance(made, ZfsEngine)
    assert made.dataset == f"{engine.dataset}/new data.v1"
    write(new / "f", "f")
    snapshot = made.snapshot().id
    assert [entry.path for entry in made.list(snapshot)] == ["f"]
    made.close()
    for place, why in (
        (new, "exists already"),
        (folder / "no=name", "cannot be the name"),
        (tmp_path / "elsewhere", "not on ZFS"),
    ):
        with pytest.raises(SnapshotError, match=why):
            ZfsEngine.create(place, tmp_path / "store")
        assert not (tmp_path / "store").exists()
    # what is another dataset is none of the folder's own
    assert [entry.path for entry in engine.list(engine.snapshot().id)] == ["new data.v1"]


def test_a_dataset_that_is_not_mounted_is_not_an_empty_folder(
    engine: ZfsEngine, folder: Path
) -> None:
    write(folder / "f", "f")
    snapshot = engine.snapshot().id
    engine.close()
    zfs("unmount", "-f", engine.dataset)
    with pytest.raises(SnapshotError, match=r"not mounted.*zfs mount"):
        engine.snapshot()
    zfs("mount", engine.dataset)
    again = opened(folder)
    assert [info.id for info in again.snapshots()] == [snapshot]
    assert again.snapshot().id == snapshot
    again.close()


# -- unchanged, and what changed -----------------------------------------------------------------


def test_what_does_not_count_makes_no_snapshot(engine: ZfsEngine, folder: Path) -> None:
    write(folder / "d" / "f", "f")
    first = engine.snapshot()
    assert engine.snapshot() == first
    (folder / "d" / "f").read_text()
    write(folder / ".dotscience" / "records.db", os.urandom(100_000))
    write(folder / ".git" / "HEAD", "x")
    write(folder / "d" / ".~f", "being written")
    assert engine.snapshot() == first
    (folder / "d" / ".~f").rename(folder / "d" / "g")
    second = engine.snapshot()
    assert second != first
    assert len(zfs("list", "-H", "-t", "snapshot", "-o", "name", engine.dataset).split()) == 2


def test_odd_names_and_hard_links_in_differences(engine: ZfsEngine, folder: Path) -> None:
    for name in ODD_NAMES:
        write(folder / name, name.encode("utf-8", "surrogateescape"))
    (folder / "gone").mkdir()
    write(folder / "gone" / "f", "f")
    write(folder / "linked", "one")
    os.link(folder / "linked", folder / "other name")
    first = engine.snapshot().id
    expected = {}
    for number, name in enumerate(ODD_NAMES):
        if number % 3 == 0:
            write(folder / name, "edited")
            expected[name] = Change.MODIFIED
        elif number % 3 == 1:
            (folder / name).rename(folder / f"{number} renamed")
            expected[name] = Change.REMOVED
            expected[f"{number} renamed"] = Change.ADDED
        else:
            (folder / name).unlink()
            expected[name] = Change.REMOVED
    (folder / "gone").rename(folder / "come")
    expected |= {"gone/f": Change.REMOVED, "come/f": Change.ADDED}
    second = engine.snapshot().id
    touched = engine._touched(first, second)
    assert touched is not None
    assert set(expected) - {"gone/f", "come/f"} <= set(touched)
    assert touched["gone"]
    assert touched["come"]
    assert changed(engine.diff(first, second)) == expected
    # zfs diff names a file once, whatever names it has
    write(folder / "linked", "two")
    third = engine.snapshot().id
    assert engine._touched(second, third) is None
    assert changed(engine.diff(second, third)) == {
        "linked": Change.MODIFIED,
        "other name": Change.MODIFIED,
    }


def test_what_zfs_diff_leaves_out_did_not_change(
    engine: ZfsEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rand = random.Random(1)
    snapshots = [engine.snapshot().id]
    known = 0
    for _ in range(5):
        for _ in range(6):
            _do_something(rand, folder)
        snapshots.append(engine.snapshot().id)
    found = []
    for old, new in zip(snapshots, snapshots[1:], strict=False):
        known += engine._touched(old, new) is not None
        found.append(engine.diff(old, new, renames=True))
    assert known >= 2, "most differences are found by zfs diff"
    monkeypatch.setattr(differences, "touched", lambda *_: None)
    for old, new, quick in zip(snapshots, snapshots[1:], found, strict=False):
        assert engine.diff(old, new, renames=True) == quick


def _do_something(rand: random.Random, folder: Path) -> None:
    """One operation of a person or program, on paths that may or may not be there."""
    there = sorted(path for path in folder.rglob("*") if ".dotscience" not in path.parts)
    files = [path for path in there if path.is_file()]
    folders = [folder, *(path for path in there if path.is_dir())]
    new = rand.choice(folders) / rand.choice(["a", "b", "c d", "ü", "\n"])
    what = rand.randrange(9)
    if what < 3 and not new.exists():
        new.write_bytes(rand.randbytes(rand.choice([0, 10, 5000])))
    elif what == 3 and not new.exists():
        new.mkdir()
    elif what == 4 and files:
        rand.choice(files).write_bytes(rand.randbytes(10))
    elif what == 5 and there and not new.exists():
        path = rand.choice(there)
        if path not in new.parents:
            path.rename(new)
    elif what == 6 and files:
        rand.choice(files).unlink()
    elif what == 7 and there:
        rand.choice(there).chmod(rand.choice([0o700, 0o755, 0o640]))
    elif what == 8 and files and not new.exists():
        os.link(rand.choice(files), new)


# -- holds ---------------------------------------------------------------------------------------


def test_a_held_snapshot_cannot_be_destroyed_behind_our_back(
    engine: ZfsEngine, folder: Path
) -> None:
    write(folder / "f", "f")
    snapshot = engine.snapshot().id
    engine.hold([snapshot], "commit")
    name = name_of(engine, snapshot)
    said = zfs("destroy", name, fine=False)
    assert "dataset is busy" in said or "it's being held" in said, "2.1's words, and 2.3's"
    assert zfs("holds", "-H", name).split("\t")[1] == "dotscience:commit"
    assert engine.exists(snapshot)
    engine.release([snapshot], "commit")
    zfs("hold", "theirs", name)
    assert engine.snapshots()[0].holds == ()
    with pytest.raises(HeldError, match="held in ZFS as theirs"):
        engine.destroy(snapshot)
    zfs("release", "theirs", name)
    zfs("destroy", name)
    assert not engine.exists(snapshot)
    assert engine.snapshots() == []


def test_a_clone_keeps_its_snapshot(engine: ZfsEngine, folder: Path, tmp_path: Path) -> None:
    write(folder / "d" / "f", "f")
    write(folder / "d" / "__pycache__" / "f.pyc", "ignored")
    snapshot = engine.snapshot().id
    before = state_of(folder, folder_times=True)
    to = tmp_path / "clones" / "one"
    engine.clone(snapshot, to)
    assert os.path.ismount(to)
    del before["d/__pycache__"], before["d/__pycache__/f.pyc"]
    assert state_of(to, folder_times=True) == before
    assert not (to / ".dotscience").exists()
    write(to / "d" / "f", "mine")
    with engine.open(snapshot, "d/f") as file:
        assert file.read() == b"f"
    with pytest.raises(HeldError, match=r"the clone \S+-clone-\S+ shares") as caught:
        engine.destroy(snapshot)
    clone = str(caught.value).split("the clone ")[1].split(" ")[0]
    assert engine.exists(snapshot)
    engine.grace = 0
    engine.gc([])
    assert engine.exists(snapshot), "gc passes it over"
    zfs("destroy", clone)
    engine.destroy(snapshot)
    assert not engine.exists(snapshot)


# -- going back ----------------------------------------------------------------------------------


def test_rollback_keeps_later_snapshots(engine: ZfsEngine, folder: Path) -> None:
    write(folder / "f", "first")
    write(folder / "same", "same")
    first = engine.snapshot().id
    before = state_of(folder)
    write(folder / "f", "second")
    second = engine.snapshot().id
    write(folder / "f", "third")
    write(folder / ".dotscience" / "records.db", "ours")
    third = engine.rollback(first).id
    assert state_of(folder) == before
    assert (folder / ".dotscience" / "records.db").read_text() == "ours"
    for snapshot, content in ((first, b"first"), (second, b"second"), (third, b"third")):
        with engine.open(snapshot, "f") as file:
            assert file.read() == content


# -- moving --------------------------------------------------------------------------------------


def test_a_cut_transfer_goes_on_where_it_ended(
    engine: ZfsEngine, far: ZfsEngine, folder: Path, tmp_path: Path
) -> None:
    for number in range(6):
        write(folder / f"{number}", random.Random(number).randbytes(1_000_000))
    snapshot = engine.snapshot().id
    stream = sent(engine, snapshot)
    with pytest.raises(TransferError, match="can go on") as caught:
        far.receive(io.BytesIO(stream[:4_500_000]))
    token = caught.value.token
    assert far.partial() == {snapshot: token}
    assert not far.exists(snapshot)
    assert far.snapshots() == []
    rest = sent(engine, snapshot, resume=token)
    assert len(rest) < 0.6 * len(stream)
    # the rest of something else, or of nothing that is here
    write(folder / "other", "other")
    other = engine.snapshot().id
    for bad in (token.replace("-", "--"), "1-0-0-0", "no token"):
        with pytest.raises(SnapshotError, match="not a token"):
            engine.send(snapshot, io.BytesIO(), resume=bad)
    with pytest.raises(SnapshotError, match="not a token"):
        engine.send(other, io.BytesIO(), resume=token)
    again = opened(Path(far.root))
    assert again.receive(io.BytesIO(rest)) == snapshot
    assert again.partial() == {}
    assert far.exists(snapshot)
    far.restore(snapshot, tmp_path / "out")
    names = {f"{number}" for number in range(6)}
    assert state_of(tmp_path / "out") == {
        path: value for path, value in state_of(folder).items() if path in names
    }
    again.destroy(snapshot)
    with pytest.raises(TransferError, match="nothing is kept here"):
        again.receive(io.BytesIO(rest))
    again.close()


def test_increments_build_on_each_other(
    engine: ZfsEngine, far: ZfsEngine, folder: Path, tmp_path: Path
) -> None:
    write(folder / "large", random.Random(1).randbytes(1_000_000))
    states = []
    for number in range(3):
        write(folder / "f", f"{number}")
        states.append((engine.snapshot().id, state_of(folder)))
    first, second, third = (snapshot for snapshot, _ in states)
    far.receive(io.BytesIO(sent(engine, first)))
    far.receive(io.BytesIO(sent(engine, second, first)))
    # an increment on what is not the newest any more becomes a clone of it
    part = sent(engine, third, first)
    assert len(part) < 100_000
    far.receive(io.BytesIO(part))
    for number, (snapshot, state) in enumerate(states):
        far.restore(snapshot, tmp_path / f"out{number}")
        assert state_of(tmp_path / f"out{number}") == state
        assert far.content_id(snapshot) == engine.content_id(snapshot)
    assert changed(far.diff(first, third)) == {"f": Change.MODIFIED}
    datasets = zfs("list", "-H", "-r", "-o", "name,canmount,readonly", far.dataset).splitlines()
    assert len(datasets) == 3
    assert all(line.endswith("noauto\ton") for line in datasets[1:])
    with pytest.raises(HeldError, match="was received as new since then"):
        far.destroy(first)
    far.destroy(third)
    far.destroy(first)
    far.destroy(second)
    assert zfs("list", "-H", "-r", "-o", "name", far.dataset).split() == [far.dataset]


def test_a_replica_that_somebody_wrote_to_takes_the_next_increment(
    engine: ZfsEngine, far: ZfsEngine, folder: Path, tmp_path: Path
) -> None:
    write(folder / "f", "first")
    first = engine.snapshot().id
    far.receive(io.BytesIO(sent(engine, first)))
    replica = name_of(far, first).partition("@")[0]
    zfs("set", "readonly=off", replica)
    zfs("set", f"mountpoint={tmp_path / 'rw'}", replica)
    if not os.path.ismount(tmp_path / "rw"):
        zfs("mount", replica)
    write(tmp_path / "rw" / "f", "tampered with")
    zfs("set", "readonly=on", replica)
    with far.open(first, "f") as file:
        assert file.read() == b"first"
    write(folder / "f", "second")
    second = engine.snapshot().id
    far.receive(io.BytesIO(sent(engine, second, first)))
    with far.open(second, "f") as file:
        assert file.read() == b"second"
    assert name_of(far, second).startswith(f"{replica}@"), "one dataset holds both"


def test_encrypted_snapshots_travel_as_they_are(pool: Pool, far: ZfsEngine, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    options = ("encryption=on", "keyformat=raw", f"keylocation=file://{key}")
    folder = tmp_path / "secret"
    pool.volume(folder, *(part for option in options for part in ("-o", option)))
    engine = opened(folder)
    secret = b"a secret, told often. " * 1000
    write(folder / "f", secret)
    first = engine.snapshot().id
    write(folder / "g", "more")
    second = engine.snapshot().id
    for snapshot, base in ((first, None), (second, first)):
        stream = sent(engine, snapshot, base)
        assert b"told often" not in stream
        assert far.receive(io.BytesIO(stream)) == snapshot
    assert far.exists(second)
    with pytest.raises(SnapshotError, match="could not be mounted"):
        far.list(second)
    replica = name_of(far, second).partition("@")[0]
    zfs("load-key", "-L", f"file://{key}", replica)
    with far.open(second, "f") as file:
        assert file.read() == secret
    engine.close()


def test_no_room_is_said_and_loses_nothing(engine: ZfsEngine, far: ZfsEngine) -> None:
    write(Path(engine.root) / "large", random.Random(1).randbytes(8_000_000))
    large = engine.snapshot().id
    write(Path(far.root) / "f", "f")
    kept = far.snapshot().id
    zfs("set", "quota=4M", far.dataset)
    with pytest.raises(SnapshotError, match="quota is used up"):
        far.receive(io.BytesIO(sent(engine, large)))
    assert not far.exists(large)
    assert [info.id for info in far.snapshots()] == [kept]
    zfs("set", "quota=none", far.dataset)
    token = far.partial().get(large, "")
    assert far.receive(io.BytesIO(sent(engine, large, resume=token))) == large
    assert far.verify([kept, large]) == []
