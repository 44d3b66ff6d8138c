# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine: the shared suite, and what only this engine has to promise."""

from __future__ import annotations

import contextlib
import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import loopfs
import pytest
from engine_suite import EngineSuite, changed
from snapshot_helpers import damage_pack, settle, write

from dotscience_jupyter.snapshots import Change, EmbeddedEngine, Engine, SnapshotError
from dotscience_jupyter.snapshots.embedded import (
    capture,
    database,
    livefolder,
    objects,
    packs,
    scan,
    statcache,
    store,
)


class TestEmbedded(EngineSuite):
    """The store is where a workspace has it: inside the folder that is frozen."""

    sees_mapped_memory = False

    def make(self, folder: Path, place: Path) -> Engine:
        return EmbeddedEngine(folder, folder / ".dotscience" / "store")

    def make_old(self, engine: Engine) -> None:
        assert isinstance(engine, EmbeddedEngine)
        engine.grace = 0.0

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[Path]:
        with loopfs.mounted("ext4", 16 << 20) as disk:
            yield disk

    def damage(self, engine: Engine, snapshot: str, path: str, content: bytes) -> None:
        assert isinstance(engine, EmbeddedEngine)
        damage_pack(Path(engine._store.folder), content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def opened(folder: Path, grace: float = 900.0) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store", grace=grace)


class Reads:
    """Counts the files that the engine reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        real = capture.Capture.read

        def read(this: capture.Capture, name: str, dir_fd: int | None) -> capture.Captured:
            self.names.append(name)
            return real(this, name, dir_fd)

        monkeypatch.setattr(capture.Capture, "read", read)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


# -- the stat cache ------------------------------------------------------------------------------


def test_an_unchanged_file_is_never_read_again(folder: Path, reads: Reads) -> None:
    for number in range(20):
        write(folder / "d" / f"{number}", f"{number}")
    write(folder / "e" / "large", bytes(3 << 20))
    (folder / "link").symlink_to("d")
    settle()
    engine = opened(folder)
    first = engine.snapshot()
    assert len(reads.names) == 21
    reads.names.clear()
    assert engine.snapshot() == first
    assert engine.changes(first.id) == []
    engine.close()
    engine = opened(folder)  # as another process
    assert engine.changes(first.id) == []
    assert engine.snapshot() == first
    assert reads.names == []
    write(folder / "d" / "7", "edited")
    assert changed(engine.changes(first.id)) == {"d/7": Change.MODIFIED}
    assert reads.names == [], "another size says enough"
    engine.snapshot()
    assert reads.names == ["7"]


def test_a_touched_file_is_hashed_once_and_not_called_modified(folder: Path, reads: Reads) -> None:
    write(folder / "f", bytes(2 << 20))
    settle()
    engine = opened(folder)
    first = engine.snapshot().id
    os.utime(folder / "f")
    settle()
    reads.names.clear()
    for _ in range(3):
        assert engine.changes(first) == []
    assert len(reads.names) == 1
    second = engine.snapshot().id
    assert engine.diff(first, second) == []


def test_two_writes_that_look_the_same_are_told_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a file system whose clock ticks every ten seconds, so that times never tell
    monkeypatch.setattr(capture, "_TICK_NS", 10**10)
    for module in (capture, scan, livefolder):
        monkeypatch.setattr(module, "fingerprint", lambda status: (0, status.st_size, 0, 0, 1))
    path = write(folder / "f", "aaaa")
    engine = opened(folder)
    first = engine.snapshot()
    write(path, "bbbb")
    assert changed(engine.changes(first.id)) == {"f": Change.MODIFIED}
    second = engine.snapshot()
    with engine.open(second.id, "f") as file:
        assert file.read() == b"bbbb"
    write(path, "cccc")
    engine.close()
    other = opened(folder)
    with other.open(other.snapshot().id, "f") as file:
        assert file.read() == b"cccc"


@pytest.mark.parametrize(
    ("age_ns", "settled"),
    [(0, False), (10_000_000, False), (100_000_000, True), (-(10**12), False)],
)
def test_what_counts_as_settled(folder: Path, age_ns: int, settled: bool) -> None:
    status = write(folder / "f", "f").stat()
    newest = max(status.st_ctime_ns, status.st_mtime_ns)
    assert capture.is_settled(status, newest + age_ns) is settled


def test_a_coarse_clock_takes_longer_to_settle() -> None:
    second = 1_600_000_000
    status = cast(
        os.stat_result,
        SimpleNamespace(st_mtime_ns=second * 10**9, st_ctime_ns=second * 10**9),
    )
    assert not capture.is_settled(status, (second + 2) * 10**9)
    assert capture.is_settled(status, (second + 3) * 10**9)


def test_a_file_from_the_future_is_read_each_time(folder: Path, reads: Reads) -> None:
    future = 4_000_000_000 * 10**9
    write(folder / "f", "aaaa", future)
    settle()
    engine = opened(folder)
    first = engine.snapshot()
    assert engine.snapshot() == first
    assert len(reads.names) == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "garbage", "gone"])
def test_a_damaged_stat_cache_is_no_cache(folder: Path, reads: Reads, damage: str) -> None:
    for number in range(5):
        write(folder / "d" / f"{number}", f"{number}" * 100)
    settle()
    engine = opened(folder)
    first = engine.snapshot()
    engine.close()
    path = folder.parent / "store" / "stat-cache"
    data = bytearray(path.read_bytes())
    reads.names.clear()
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes(
        {"cut": data[:-5], "empty": b"", "garbage": random.Random(1).randbytes(999)}.get(
            damage, bytes(data)
        )
    )
    if damage == "gone":
        path.unlink()
    engine = opened(folder)
    assert engine.snapshot().id == first.id
    assert len(reads.names) == 5


def test_stat_cache_round_trip(folder: Path) -> None:
    for name in ("a", "b/c", "b/\udcff", "b/d/e", "node_modules/x"):
        write(folder / name, name.encode("utf-8", "surrogateescape"))
    (folder / "b" / "link").symlink_to("c")
    settle()
    engine = opened(folder)
    engine.snapshot()
    engine.close()
    loaded = statcache.load(store.Store(folder.parent / "store"))
    assert loaded is not None

    def flat(folder: scan.Folder) -> object:
        values = [getattr(folder, name) for name in scan.Folder.__slots__ if name != "folders"]
        return values, {name: flat(child) for name, child in folder.folders.items()}

    known = engine._live_folder()._known.get()[0]
    assert known is not None
    assert flat(loaded[0]) == flat(known)


# -- files that do not stand still ---------------------------------------------------------------


def interfere(monkeypatch: pytest.MonkeyPatch, act: object, times: int) -> None:
    """Call ``act(number)`` after each of the first readings of a file's bytes."""
    real = capture.Capture._content
    count = 0

    def content(
        this: capture.Capture, fd: int, size: int, mark: int
    ) -> tuple[int, bytes, bytes, bytes]:
        nonlocal count
        result = real(this, fd, size, mark)
        if count < times:
            count += 1
            act(count)  # type: ignore[operator]  # a callable; typed loosely for lambdas
        return result

    monkeypatch.setattr(capture.Capture, "_content", content)


@pytest.mark.parametrize("size", [1000, 2_500_000])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = write(folder / "f", b"a" * size)
    interfere(monkeypatch, lambda number: path.write_bytes(b"%d" % number * size), 2)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert snapshot.skipped == ()
    with engine.open(snapshot.id, "f") as file:
        assert file.read() == b"2" * size
    assert engine.verify([snapshot.id]) == []


@pytest.mark.parametrize("size", [0, 1000, 2_500_000])
def test_a_file_that_keeps_growing_is_taken_as_it_once_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = write(folder / "log", b"a" * size)

    def append(number: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    interfere(monkeypatch, append, 1000)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert snapshot.skipped == ()
    with engine.open(snapshot.id, "log") as file:
        assert file.read() == b"a" * size
    monkeypatch.undo()
    after = engine.snapshot()
    with engine.open(after.id, "log") as file:
        assert file.read() == path.read_bytes()


def test_a_file_that_never_stands_still_is_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder / "f", "start")
    write(folder / "other", "o")
    interfere(monkeypatch, lambda number: path.write_text(f"version {number}"), 1000)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert [(skipped.path, "being written" in skipped.reason) for skipped in snapshot.skipped] == [
        ("f", True)
    ]
    assert [entry.path for entry in engine.walk(snapshot.id)] == ["other"]
    monkeypatch.undo()
    assert engine.snapshot().skipped == ()


def test_a_file_that_vanishes_or_turns_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        write(folder / name, name)
    real = capture.Capture.read

    def read(this: capture.Capture, name: str, dir_fd: int | None) -> capture.Captured:
        if name == "a":
            (folder / "a").unlink()
        if name == "b":
            (folder / "b").unlink()
            (folder / "b").symlink_to("/etc/passwd")
        return real(this, name, dir_fd)

    monkeypatch.setattr(capture.Capture, "read", read)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert [entry.path for entry in engine.walk(snapshot.id)] == ["c"]
    assert [skipped.path for skipped in snapshot.skipped] == ["b"]


def test_too_many_open_files_is_an_error_and_not_a_hole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "f", "f")
    engine = opened(folder)

    def content(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(capture.Capture, "_content", content)
    with pytest.raises(SnapshotError, match="Nothing was frozen"):
        engine.snapshot()


def test_folders_nested_too_deeply_are_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "MAX_DEPTH", 3)
    write(folder / "a/b/c/d/e/f", "f")
    write(folder / "a/b/c/g", "g")
    snapshot = opened(folder).snapshot()
    assert snapshot.files == 1
    assert [skipped.path for skipped in snapshot.skipped] == ["a/b/c/d"]


# -- content that is stored in parts -------------------------------------------------------------


def test_lists_of_lists_and_ranges(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "CHUNK", 1024)
    monkeypatch.setattr(objects, "GROUP_LIMIT", 8)
    content = bytearray(random.Random(1).randbytes(200_000))
    write(folder / "f", content)
    engine = opened(folder)
    first = engine.snapshot().id
    before = engine.usage().extra["objects"]
    content[100_000] ^= 1
    write(folder / "f", content)
    second = engine.snapshot().id
    # the chunk and perhaps one or two around it, the lists above, the folder and the root
    assert engine.usage().extra["objects"] - before <= 12
    with engine.open(second, "f") as file:
        assert file.read() == content
        for _ in range(100):
            start = random.randrange(len(content))
            file.seek(start)
            assert file.read(3000) == content[start : start + 3000]
    assert [d.path for d in engine.diff(first, second)] == ["f"]
    assert engine.verify([first, second]) == []


def test_only_the_chunks_of_a_range_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "f", random.Random(1).randbytes(8 << 20))
    engine = opened(folder)
    snapshot = engine.snapshot().id
    lengths: list[int] = []
    real = packs.Pack.read

    def read(this: packs.Pack, at: int) -> bytes:
        data = real(this, at)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(packs.Pack, "read", read)
    with engine.open(snapshot, "f") as file:
        file.seek(5 << 20)
        file.read(1000)
    assert sum(lengths) < 2 << 20


def test_what_does_not_compress_is_stored_as_it_is(folder: Path) -> None:
    write(folder / "noise", random.Random(1).randbytes(3 << 20))
    write(folder / "text", b"the same line again and again\n" * 100_000)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    stored = engine.usage().stored_bytes
    assert 3 << 20 < stored < (3 << 20) + 100_000
    codecs = [codec for pack in engine._database.packs for codec in pack._columns.codecs]
    assert packs.RAW in codecs
    assert packs.ZSTD in codecs
    assert engine.verify([snapshot]) == []


def test_sparse_files_are_restored_sparse(folder: Path, tmp_path: Path) -> None:
    with (folder / "f").open("wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
        file.truncate(96 << 20)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert engine.usage().stored_bytes < 1 << 20
    engine.restore(snapshot, tmp_path / "out")
    status = (tmp_path / "out" / "f").stat()
    assert status.st_size == 96 << 20
    assert status.st_blocks * 512 < 8 << 20
    with (tmp_path / "out" / "f").open("rb") as file:
        file.seek(64 << 20)
        assert file.read(4) == b"end\0"


def test_small_packs_are_merged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MERGE_FROM", 8)
    engine = opened(folder)
    reader = opened(folder)
    taken = []
    for number in range(40):
        write(folder / "f", f"{number}")
        taken.append((engine.snapshot().id, f"{number}"))
        if number == 10:
            assert reader.verify([s for s, _ in taken]) == []
    assert engine.usage().extra["packs"] < 12
    # one that has not looked since finds its way to the merged packs
    for current in (reader, engine, opened(folder)):
        for snapshot, content in taken:
            with current.open(snapshot, "f") as file:
                assert file.read() == content.encode()
    assert engine.verify([s for s, _ in taken]) == []


def test_large_snapshots_fill_several_packs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PACK_LIMIT", 1 << 20)
    for number in range(8):
        write(folder / f"{number}", random.Random(number).randbytes(700_000))
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert engine.usage().extra["packs"] >= 4
    assert opened(folder).verify([snapshot]) == []
