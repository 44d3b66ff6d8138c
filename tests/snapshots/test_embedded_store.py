# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The store of the embedded engine: failures, hostile content, garbage collection."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import threading
from pathlib import Path

import pytest
from snapshot_helpers import returned_long_ago, settle, state_of, write

from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    EmbeddedEngine,
    SnapshotError,
)
from dotscience_jupyter.snapshots.embedded import capture, objects, output, packs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def opened(folder: Path, grace: float = 900.0) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store", grace=grace)


# -- the store cannot be written -----------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_store_that_cannot_be_written_stays_valid(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, code: int
) -> None:
    write(folder / "f", "first")
    engine = opened(folder)
    first = engine.snapshot().id
    for number in range(3):
        write(folder / f"{number}", random.Random(number).randbytes(1_500_000))
    monkeypatch.setattr(output, "BLOCK", 1 << 20)  # more writes
    real = os.write
    calls = 0

    def failing(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(code, os.strerror(code))
        return real(fd, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing)
        with pytest.raises(SnapshotError, match="untouched") as caught:
            engine.snapshot()
    assert "store" in str(caught.value)
    assert list((folder.parent / "store" / "tmp").iterdir()) == []
    assert engine.verify([first]) == []
    second = engine.snapshot().id
    assert opened(folder).verify([first, second]) == []


def test_a_full_disk(tmp_path: Path, folder: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", os.fspath(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        engine = EmbeddedEngine(folder, small / "store")
        write(folder / "f", "first")
        first = engine.snapshot().id
        write(folder / "large", random.Random(1).randbytes(4_000_000))
        with pytest.raises(SnapshotError, match="disk is full"):
            engine.snapshot()
        assert engine.verify([first]) == []
        (folder / "large").unlink()
        write(folder / "g", "second")
        second = engine.snapshot().id
        assert engine.verify([first, second]) == []
        engine.close()
    finally:
        subprocess.run(["umount", os.fspath(small)], check=True)


def test_a_failed_restore_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/f", "b/g", "c"):
        write(folder / name, random.Random(name).randbytes(5000))
    (folder / "a").chmod(0o555)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    (tmp_path / "empty").mkdir()
    real = os.write
    calls = 0

    def failing(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", failing)
    for out in (tmp_path / "new" / "out", tmp_path / "empty"):
        calls = 0
        with pytest.raises(SnapshotError, match="removed again"):
            engine.restore(snapshot, out)
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "store", "work"]
    monkeypatch.undo()
    engine.restore(snapshot, tmp_path / "empty")
    assert state_of(tmp_path / "empty") == state_of(folder)


# -- the store as a whole ------------------------------------------------------------------------


def test_a_deleted_store_is_made_again(folder: Path, tmp_path: Path) -> None:
    write(folder / "f", "f")
    write(folder / "large", bytes(3 << 20))
    settle()
    engine = opened(folder)
    first = engine.snapshot()
    subprocess.run(["rm", "-rf", os.fspath(tmp_path / "store")], check=True)
    second = engine.snapshot()
    assert second == first
    assert engine.verify([second.id]) == []
    assert opened(folder).verify([second.id]) == []


def test_a_deleted_folder_is_not_an_emptied_one(folder: Path) -> None:
    write(folder / "f", "f")
    engine = EmbeddedEngine(folder, folder / ".dotscience" / "store")
    engine.snapshot()
    folder.rename(folder.parent / "moved")
    with pytest.raises(SnapshotError, match="not there"):
        engine.snapshot()
    assert not folder.exists()


@pytest.mark.parametrize(
    "content",
    ['{"format": 3, "engine": "embedded", "hash": "blake3"}', "{", "", "[]", '{"format": 1}'],
)
def test_an_unknown_format_is_refused(folder: Path, content: str) -> None:
    opened(folder).snapshot()
    (folder.parent / "store" / "format").write_text(content)
    with pytest.raises(SnapshotError, match="Nothing was changed"):
        opened(folder)


def test_a_store_that_is_no_folder(folder: Path) -> None:
    write(folder.parent / "store", "a file")
    with pytest.raises(SnapshotError, match="snapshot store"):
        opened(folder)


@pytest.mark.parametrize("name", [b"../evil", b"..", b".", b"a/b", b"", b"nul\0", b"/tmp/evil"])
def test_names_that_lead_out_of_their_folder_are_refused(
    folder: Path, tmp_path: Path, name: bytes
) -> None:
    engine = opened(folder)
    digest = packs.hash_bytes(b"evil")
    entry = objects.ENTRY_HEAD.pack(objects.FILE, 0o644, 0, 4, len(name)) + name + digest
    snapshot = forge(engine, objects.FOLDER_MAGIC + entry)
    with pytest.raises(CorruptStoreError):
        engine.restore(snapshot, tmp_path / "out" / "deep")
    with pytest.raises(CorruptStoreError):
        engine.list(snapshot)
    assert [problem.snapshot for problem in engine.verify([snapshot])] == [snapshot]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store", "work"]


def test_a_folder_that_names_something_twice_is_refused(folder: Path, tmp_path: Path) -> None:
    engine = opened(folder)
    (tmp_path / "outside").mkdir()
    link = objects.encode_link("x", 0, os.fspath(tmp_path / "outside"))
    child = objects.FOLDER_MAGIC + objects.encode_file(
        "evil", 0o644, 0, 4, packs.hash_bytes(b"evil"), b""
    )
    below = objects.encode_folder_entry("x", 0o755, 0, packs.hash_bytes(child))
    snapshot = forge(engine, objects.FOLDER_MAGIC + link + below, child)
    with pytest.raises(CorruptStoreError):
        engine.restore(snapshot, tmp_path / "out")
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (tmp_path / "out").exists()


def forge(engine: EmbeddedEngine, tree: bytes, *more: bytes) -> str:
    """Store a snapshot whose root folder is that object."""
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, packs.hash_bytes(tree)))
    session = engine._database.session()
    for data in (tree, root, b"evil", *more):
        session.put(packs.hash_bytes(data), data)
    session.commit()
    snapshot = packs.hash_bytes(root).hex()
    engine._store.register(snapshot)
    return snapshot


def test_a_file_with_the_bytes_of_a_folder_object(folder: Path, tmp_path: Path) -> None:
    """Equal bytes are one object, whatever they are used for; gc must not mix the uses up."""
    write(folder / "d" / "f", "needed")
    settle()
    engine = opened(folder, grace=0.0)
    engine.snapshot()
    tree = next(
        pack.read(at)
        for pack in engine._database.packs
        for at in range(len(pack))
        if pack.read(at).startswith(objects.FOLDER_MAGIC)
        and b"f" + packs.hash_bytes(b"needed") in pack.read(at)
    )
    write(folder / "a-copy", tree)
    snapshot = engine.snapshot().id
    write(folder / "garbage", random.Random(1).randbytes(10_000))
    engine.snapshot()
    engine.gc([snapshot])
    assert engine.verify([snapshot]) == []
    engine.restore(snapshot, tmp_path / "out")
    assert (tmp_path / "out" / "d" / "f").read_text() == "needed"


# -- garbage collection --------------------------------------------------------------------------


def test_gc_waits_for_a_snapshot_under_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a running snapshot has found to be stored already must not vanish under it."""
    write(folder / "a", random.Random(1).randbytes(50_000))
    write(folder / "z", "z")
    engine = opened(folder, grace=0.0)
    first = engine.snapshot().id
    (folder / "a").unlink()
    keep = engine.snapshot().id
    write(folder / "a", random.Random(1).randbytes(50_000))  # as in the one to be dropped
    write(folder / "z", "now z is new")
    reached, go_on = threading.Event(), threading.Event()
    real = capture.Capture.read

    def read(this: capture.Capture, name: str, dir_fd: int | None) -> capture.Captured:
        if name == "z":
            reached.set()
            assert go_on.wait(30)
        return real(this, name, dir_fd)

    monkeypatch.setattr(capture.Capture, "read", read)
    found: list[str] = []
    taking = threading.Thread(target=lambda: found.append(engine.snapshot().id))
    taking.start()
    assert reached.wait(30)
    other = opened(folder, grace=900.0)
    returned_long_ago(tmp_path / "store", first)
    collecting = threading.Thread(target=lambda: other.gc([keep]))
    collecting.start()
    collecting.join(0.3)
    assert collecting.is_alive(), "gc waits before it drops anything"
    go_on.set()
    taking.join()
    collecting.join()
    assert not engine.exists(first)
    assert engine.verify([keep, *found]) == []
    assert other.verify([keep, *found]) == []


def test_gc_beside_snapshots_of_other_engines(folder: Path) -> None:
    """Contents come back again and again just when they were dropped."""
    contents = [random.Random(number).randbytes(30_000) for number in range(4)]
    for number in range(4):
        write(folder / f"{number}", contents[number])
    taker, collector = opened(folder), opened(folder)
    taken: list[str] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def collect() -> None:
        try:
            while not stop.is_set():
                known = list(dict.fromkeys(taken))
                keep, drop = known[-3:], known[:-3]
                for snapshot in drop:
                    if collector.exists(snapshot) and snapshot not in keep:
                        returned_long_ago(collector._store.folder, snapshot)
                collector.gc(keep)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=collect)
    thread.start()
    rand = random.Random(7)
    try:
        for _ in range(60):
            write(folder / f"{rand.randrange(4)}", rand.choice(contents))
            taken.append(taker.snapshot().id)
            assert taker.verify([taken[-1]]) == []
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert opened(folder).verify(list(dict.fromkeys(taken))[-3:]) == []


def test_gc_removes_what_killed_writers_left(folder: Path, tmp_path: Path) -> None:
    engine = opened(folder)
    snapshot = engine.snapshot().id
    left = write(tmp_path / "store" / "tmp" / "0123", bytes(5000))
    path, fd = engine._store.temporary()  # somebody is writing this one
    assert engine.gc([snapshot]) >= 5000
    assert not left.exists()
    assert Path(path).exists()
    os.close(fd)


def test_gc_of_damaged_content_drops_nothing(folder: Path, tmp_path: Path) -> None:
    write(folder / "d" / "f", "f" * 1000)
    engine = opened(folder, grace=0.0)
    first = engine.snapshot().id
    write(folder / "d" / "f", "g" * 1000)
    second = engine.snapshot().id
    pack = next(p for p in engine._database.packs if p.find(bytes.fromhex(first)) >= 0)
    with open(pack.path, "r+b") as file:
        file.write(bytes(pack.size // 2))
    with pytest.raises(CorruptStoreError, match="Nothing was dropped"):
        opened(folder, grace=0.0).gc([first, second])
    assert Path(pack.path).exists()
    assert opened(folder).exists(first)
