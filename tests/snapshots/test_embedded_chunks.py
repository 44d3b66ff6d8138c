# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content on its way into packs and out of them: cut, hashed, compressed, written, restored."""

from __future__ import annotations

import errno
import itertools
import os
import random
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from snapshot_helpers import state_of, write

from dotscience_jupyter.snapshots import CorruptStoreError, EmbeddedEngine, SnapshotError
from dotscience_jupyter.snapshots.embedded import (
    batching,
    capture,
    chunking,
    newfile,
    objects,
    output,
    packs,
    pipeline,
    readahead,
)
from dotscience_jupyter.snapshots.embedded.batching import Batches
from dotscience_jupyter.snapshots.embedded.chunking import Cutter
from dotscience_jupyter.snapshots.embedded.database import Database
from dotscience_jupyter.snapshots.embedded.output import Output
from dotscience_jupyter.snapshots.embedded.packs import PackWriter
from dotscience_jupyter.snapshots.embedded.store import Store

LIMIT = 1024
"""The most bytes of a chunk here: as few as the chunker can cut."""
RANDOM = random.Random(11).randbytes(120_000)

unhurried = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store")


# -- cutting -------------------------------------------------------------------------------------


def cut(content: bytes, limit: int = LIMIT) -> list[bytes]:
    """Cut content at once."""
    return pieces(content, Cutter(limit).cut(memoryview(content), True))


def pieces(content: bytes, lengths: list[int]) -> list[bytes]:
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    return [content[end - length : end] for end, length in zip(ends, lengths, strict=True)]


SOME_CONTENT = st.tuples(
    st.integers(0, len(RANDOM)), st.integers(0, 9000), st.integers(0, 9000), st.booleans()
).map(lambda v: RANDOM[v[0] : v[0] + v[1]] + bytes([v[3]]) * v[2])


@unhurried
@given(content=SOME_CONTENT, sizes=st.lists(st.integers(1, 3000), min_size=1))
def test_cuts_do_not_depend_on_how_the_content_comes(content: bytes, sizes: list[int]) -> None:
    cutter = Cutter(LIMIT)
    found: list[bytes] = []
    rest, at, number = b"", 0, 0
    while at < len(content):
        count = sizes[number % len(sizes)]
        data = rest + content[at : at + count]
        at, number = at + count, number + 1
        lengths = cutter.cut(memoryview(data), at >= len(content))
        found += pieces(data, lengths)
        rest = data[sum(lengths) :]
    assert rest == b""
    assert found == cut(content)
    assert b"".join(found) == content
    assert all(LIMIT // 8 <= len(piece) <= LIMIT for piece in found[:-1])


@unhurried
@given(content=SOME_CONTENT, more=st.binary(max_size=3000))
def test_what_grows_keeps_all_chunks_but_the_last(content: bytes, more: bytes) -> None:
    before = cut(content)
    assert cut(content + more)[: len(before) - 1] == before[:-1]


@settings(derandomize=True, deadline=None)  # how soon the cuts agree again is a matter of chance
@given(
    at=st.integers(0, len(RANDOM)),
    gone=st.integers(0, 500),
    new=st.integers(0, 500).map(lambda n: random.Random(n).randbytes(n)),
)
def test_an_insertion_or_edit_changes_few_chunks(at: int, gone: int, new: bytes) -> None:
    before = cut(RANDOM)
    after = cut(RANDOM[:at] + new + RANDOM[at + gone :])
    assert len(before) > 250
    assert len(set(after) - set(before)) <= 10


def test_long_content_is_cut_as_promised() -> None:
    """The parameters are part of what makes equal content equal chunks in different versions."""
    content = random.Random(1).randbytes(3 << 20)
    lengths = Cutter(capture.CHUNK).cut(memoryview(content), True)
    assert lengths[:3] == [204_367, 274_040, 398_271]
    assert sum(lengths) == len(content)


def test_without_the_compiled_chunker_chunks_are_of_one_length(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = random.Random(1).randbytes(2_500_000)
    write(folder / "f", content)
    cut_by_content = opened(folder).snapshot().id
    (tmp_path / "store").rename(tmp_path / "other")
    monkeypatch.setattr(chunking, "_FASTCDC", None)
    assert Cutter(1000).cut(memoryview(content), False) == [1000] * 2500
    assert Cutter(1000).cut(memoryview(content[:2001]), True) == [1000, 1000, 1]
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert snapshot != cut_by_content, "the list of chunks is another one"
    assert engine.entry(snapshot, "f").digest == blake3(content).hexdigest()
    engine.restore(snapshot, tmp_path / "out")
    assert (tmp_path / "out" / "f").read_bytes() == content


# -- the pipeline --------------------------------------------------------------------------------


class Read:
    """What a pipeline makes of a file."""

    def __init__(self, place: Path) -> None:
        self.database = Database(Store(place / "store"))

    def __call__(self, path: Path, start: int = 0, size: int = -1, mark: int = -1) -> Any:
        session = self.database.session()
        line = pipeline.Pipeline()
        fd = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(fd).st_size - start if size < 0 else size
            content = line.run(fd, start, size, limit=LIMIT, mark=mark, session=session)
            hashed = line.run(fd, start, size, limit=LIMIT, mark=mark, session=None)
            assert hashed == content._replace(chunks=[])
            session.commit()
        finally:
            line.close()
            session.close()
            os.close(fd)
        return content

    def check(self, found: Any, content: bytes) -> None:
        """Compare with content that is cut and hashed at once."""
        assert found.size == len(content)
        assert found.digest == blake3(content).digest()
        expected = cut(content)
        assert [length for _, length in found.chunks] == list(map(len, expected))
        assert [self.database.get(digest) for digest, _ in found.chunks] == expected


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    monkeypatch.setattr(pipeline, "SLAB", 5000)
    return Read(tmp_path)


@unhurried
@given(
    parts=st.lists(st.tuples(st.booleans(), st.integers(1, 60_000)), max_size=5),
    start=st.integers(0, 50_000),
)
@example(parts=[(True, 60_000)], start=0)
@example(parts=[(False, 9000), (True, 60_000), (False, 1), (True, 59_999)], start=1)
def test_a_file_with_holes_is_what_reading_it_gives(
    tmp_path: Path, read: Read, parts: list[tuple[bool, int]], start: int
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        for hole, size in parts:
            file.seek(size, os.SEEK_CUR) if hole else file.write(RANDOM[:size])
        file.truncate(file.tell())
    content = path.read_bytes()
    if start < len(content):
        read.check(read(path, start), content[start:])


def test_holes_are_not_read(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(8 << 20)
        file.write(b"end")
        file.truncate(16 << 20)
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system keeps no holes")
    count = 0
    real = os.preadv

    def preadv(fd: int, buffers: list[memoryview], *more: int) -> int:
        nonlocal count
        found = real(fd, buffers, *more)
        count += found
        return found

    content = path.read_bytes()
    monkeypatch.setattr(os, "preadv", preadv)
    found = read(path)
    monkeypatch.undo()
    assert count < 1 << 20
    read.check(found, content)


@pytest.mark.parametrize("mark", [0, 1, 4999, 5000, 5001, 23_456, 40_000, 40_001])
def test_the_digest_of_the_first_bytes(tmp_path: Path, read: Read, mark: int) -> None:
    content = RANDOM[:20_000] + bytes(20_000)
    (tmp_path / "f").write_bytes(content)
    expected = blake3(content[:mark]).digest() if mark <= len(content) else b""
    assert read(tmp_path / "f", mark=mark).at_mark == expected


@pytest.mark.parametrize("size", [0, 1, 4999, 5000, 5001, 12_345])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_file_that_is_shorter_than_it_was(
    tmp_path: Path, read: Read, size: int, sparse: bool
) -> None:
    with (tmp_path / "f").open("wb") as file:
        if sparse:
            file.truncate(size)
        else:
            file.write(RANDOM[:size])
    content = (tmp_path / "f").read_bytes()
    read.check(read(tmp_path / "f", 0, 20_000), content)


def test_a_file_that_shrinks_and_then_grows_without_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken of it is less than a large file has, and is there whole all the same."""
    path = write(folder / "f", RANDOM)
    monkeypatch.setattr(capture, "CHUNK", 100_000)
    monkeypatch.setattr(pipeline, "SLAB", 10_000)
    real = os.preadv
    content = capture.Capture._content
    calls = 0

    def preadv(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            os.truncate(path, 15_000)
        return real(*arguments)

    def then_grow(*arguments: Any) -> Any:
        found = content(*arguments)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(capture.Capture, "_content", then_grow)
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert calls > 1
    assert snapshot.skipped == ()
    with engine.open(snapshot.id, "f") as file:
        assert file.read() == RANDOM[:15_000]
    assert engine.verify([snapshot.id]) == []


def test_an_unreadable_part_of_a_large_file_ends_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "f", random.Random(1).randbytes(9 << 20))
    write(folder / "other", "other")
    real = os.preadv

    def preadv(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset > 4 << 20:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, buffers, offset)

    engine = opened(folder)
    with monkeypatch.context() as patched:
        patched.setattr(os, "preadv", preadv)
        snapshot = engine.snapshot()
    assert [(s.path, s.reason) for s in snapshot.skipped] == [
        ("f", "it cannot be read: Input/output error")
    ]
    assert [entry.path for entry in engine.list(snapshot.id)] == ["other"]
    assert engine.snapshot().skipped == ()


def test_a_part_of_an_open_file_can_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "CHUNK", LIMIT)
    (tmp_path / "f").write_bytes(RANDOM)
    database = Database(Store(tmp_path / "store"))
    session = database.session()
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    reader = capture.Capture(capture.Clock(os.fspath(tmp_path / "f"), 0), session)
    try:
        digest, list_id = reader.store_range(fd, 777, 30_000)
        assert digest == blake3(RANDOM[777:30_777]).digest()
        small = reader.store_range(fd, 5, 1000)
        assert small == (blake3(RANDOM[5:1005]).digest(), b"")
        assert reader.store_range(fd, 0, 0) == (blake3(b"").digest(), b"")
        for size in (1000, 5000):
            with pytest.raises(OSError, match="shorter"):
                reader.store_range(fd, len(RANDOM) - 10, size)
        session.commit()
    finally:
        reader.close()
        session.close()
        os.close(fd)
    assert database.get(small[0]) == RANDOM[5:1005]
    _, items = objects.decode_list(database.get(list_id))
    assert b"".join(database.get(chunk) for chunk, _ in items) == RANDOM[777:30_777]


# -- writing packs -------------------------------------------------------------------------------


@pytest.fixture
def new_file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "new"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    yield path, fd
    os.close(fd)


@unhurried
@given(
    sizes=st.lists(st.one_of(st.integers(0, 100), st.integers(0, 30_000)), max_size=12),
    direct=st.booleans(),
)
@example(sizes=[8192, 8192, 8192], direct=True)
def test_what_is_written_is_what_was_given(
    new_file: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, sizes: list[int], direct: bool
) -> None:
    path, fd = new_file
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    monkeypatch.setattr(output, "BLOCK", 8192)
    out = Output(fd, "store", direct=direct)
    memory = bytearray(30_000)
    expected = b""
    for number, size in enumerate(sizes):
        data = RANDOM[number * 1000 : number * 1000 + size]
        memory[:size] = data
        out.write(memoryview(memory)[:size])  # used again at once
        expected += data
    out.sync()
    assert path.read_bytes() == expected


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSPC])
def test_file_systems_that_take_no_direct_writes(
    new_file: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path, fd = new_file
    monkeypatch.setattr(output, "BLOCK", 8192)
    real = os.write
    refused = 0

    def refuse(fd: int, data: Any) -> int:
        nonlocal refused
        if len(data) == 8192 and not refused:
            refused += 1
            raise OSError(code, os.strerror(code))
        return real(fd, data)

    monkeypatch.setattr(os, "write", refuse)
    out = Output(fd, "store", direct=True)
    try:
        if code == errno.EINVAL and hasattr(os, "O_DIRECT"):
            out.write(RANDOM)
            out.sync()
            assert path.read_bytes() == RANDOM
        else:
            with pytest.raises(SnapshotError, match="untouched"):
                out.write(RANDOM)
                out.sync()
        assert refused == 1
    finally:
        out.close()


def test_a_disk_that_fails_early_is_noticed(
    new_file: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells of data that it could not write only once, so nobody may ignore that."""
    monkeypatch.setattr(output, "BLOCK", 8192)
    monkeypatch.setattr(output, "_SYNC", 2)

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    out = Output(new_file[1], "store", direct=False)
    try:
        with pytest.raises(SnapshotError, match="Input/output error"):
            out.write(RANDOM)
            out.sync()
    finally:
        out.close()


def test_a_pack_in_the_making_takes_little_memory_for_each_object(tmp_path: Path) -> None:
    writer = PackWriter(Store(tmp_path / "store"))
    ids = [number.to_bytes(32, "big") for number in range(20_000)]
    tracemalloc.start()
    try:
        for digest in ids:
            writer.add(digest, packs.RAW, b"x", 1)
        assert tracemalloc.get_traced_memory()[0] / len(ids) < 150
    finally:
        tracemalloc.stop()
        writer.abort()


def test_a_pack_writer_knows_what_it_holds(tmp_path: Path) -> None:
    writer = PackWriter(Store(tmp_path / "store"))
    contents = [RANDOM[number : number + 50] for number in range(500)]
    ids = [packs.hash_bytes(content) for content in contents]
    assert ids[0] not in writer
    for digest, content in zip(ids, contents, strict=True):
        writer.add(digest, packs.RAW, content, len(content))
    assert writer.count == 500
    assert all(digest in writer for digest in ids)
    pack = writer.publish()
    assert writer.count == 500
    assert all(digest in writer for digest in ids)
    assert packs.hash_bytes(b"") not in writer
    for known in (pack, packs.Pack.load(pack.path)):
        assert len(known) == 500
        assert [known.digest(at) for at in range(500)] == sorted(ids)
        assert [known.read(known.find(digest)) for digest in ids] == contents


# -- compressing ---------------------------------------------------------------------------------

TEXT = b"".join(b"%d,%f,measured\n" % (number, number / 7) for number in range(20_000))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 2000, 16_384, 16_385, 300_000])
def test_what_pays_is_compressed(size: int) -> None:
    noise = random.Random(size).randbytes(size)
    assert packs.compress(noise) == (packs.RAW, noise)
    codec, stored = packs.compress(TEXT[:size])
    assert codec == (packs.ZSTD if size >= 64 else packs.RAW)
    assert len(stored) <= size
    assert packs.decompress(codec, stored, size) == TEXT[:size]
    mixed = noise + TEXT[:size]  # what is in the middle is looked at too
    codec, stored = packs.compress(mixed)
    assert size < 2000 or codec == packs.ZSTD
    assert packs.decompress(codec, stored, len(mixed)) == mixed


@pytest.mark.parametrize("at_one_go", [True, False])
def test_many_are_compressed_as_one_is(at_one_go: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not at_one_go:  # as some builds of the library have it

        class Compressor:
            def compress(self, data: bytes) -> bytes:
                return real.compress(data)

        real = packs._compressor()
        monkeypatch.setattr(packs, "_compressor", Compressor)
    many = [TEXT[:number] for number in (64, 100, 5000)] + [RANDOM[:5000], TEXT]
    assert packs.compress_all(many) == [packs.compress(data) for data in many]


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_batches_store_everything_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_BATCH", 20_000)
    monkeypatch.setattr(batching, "_FEW", 5000)
    stored: dict[bytes, bytes] = {}

    def store(digest: bytes, codec: int, data: output.Data, length: int) -> None:
        assert digest not in stored
        stored[digest] = bytes(packs.decompress(codec, data, length))

    batches = Batches(store)
    contents = [(TEXT if number % 3 else RANDOM)[number : number + 900] for number in range(count)]
    contents += [TEXT, RANDOM, b"short"]
    ids = [packs.hash_bytes(content) for content in contents]
    try:
        for digest, content in zip(ids, contents, strict=True):
            batches.put(digest, content)
            assert digest in batches or digest in stored
        batches.flush()
        assert [stored[digest] for digest in ids] == contents
        assert not any(digest in batches for digest in ids)
    finally:
        batches.close()


def test_a_batch_that_cannot_be_stored_is_an_error() -> None:
    def store(*_: Any) -> None:
        raise SnapshotError("full")

    batches = Batches(store)
    for number in range(10):
        batches.put(packs.hash_bytes(b"%d" % number), TEXT[number : number + 15_000])
    with pytest.raises(SnapshotError, match="full"):
        batches.flush()
    batches.close()


# -- restoring -----------------------------------------------------------------------------------


@unhurried
@given(
    parts=st.lists(
        st.tuples(st.booleans(), st.integers(1, 3).map(lambda n: n * 50_000)), max_size=6
    ),
    odd=st.integers(0, 9000),
    offset=st.integers(0, 9000),
)
@example(parts=[(True, 150_000)], odd=0, offset=1)
def test_holes_are_what_need_not_be_written(
    parts: list[tuple[bool, int]], odd: int, offset: int
) -> None:
    data = RANDOM[:odd] + b"".join(bytes(n) if zero else RANDOM[:n] for zero, n in parts)
    with tempfile.TemporaryFile() as file:
        file.truncate(offset + len(data))
        written = newfile.write_at(file.fileno(), data, offset)
        file.seek(0)
        assert file.read() == bytes(offset) + data
    solid = list(newfile._solid(data, offset))
    assert written == bool(solid)
    assert sum(end - start for start, end in solid) <= len(data) - sum(
        max(0, n - 2 * 4096) for zero, n in parts if zero and n > 18 * 4096
    )
    if data and not data.strip(b"\0") and len(data) > 20 * 4096:
        assert solid == []


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read through the page cache."""
    monkeypatch.setattr(readahead, "_DIRECT", 0)
    refuse(monkeypatch)


def past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read past the page cache, if the file system can."""
    refuse(monkeypatch)


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read less than was asked for."""
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, views, at, how=0: real(fd, [views[0][:3000]], at))


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv

    def preadv(fd: int, views: list[memoryview], at: int, how: int = 0) -> int:
        if how:
            raise BlockingIOError
        return real(fd, views, at)

    monkeypatch.setattr(os, "preadv", preadv)


def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read where the file system does not say what is in memory."""
    real = os.preadv

    def preadv(fd: int, views: list[memoryview], at: int, how: int = 0) -> int:
        if how:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(fd, views, at)

    monkeypatch.setattr(os, "preadv", preadv)


def partly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what the page cache has some of."""
    real = os.preadv
    calls = itertools.count()

    def preadv(fd: int, views: list[memoryview], at: int, how: int = 0) -> int:
        if how and next(calls) % 3 == 2:
            raise BlockingIOError
        return real(fd, views, at, how)

    monkeypatch.setattr(os, "preadv", preadv)


def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what the page cache has."""


@pytest.mark.parametrize("way", [cached, partly, untold, past, plain, short])
def test_long_runs_are_read_in_every_way(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[pytest.MonkeyPatch], None],
) -> None:
    write(folder / "noise", random.Random(1).randbytes(9_000_000))
    write(folder / "text", TEXT * 10)
    write(folder / "twice", random.Random(1).randbytes(9_000_000)[3_000_000:])
    for number in range(300):
        write(folder / f"d{number % 7}" / f"{number}", RANDOM[number : number + 7000])
    engine = opened(folder)
    snapshot = engine.snapshot().id
    monkeypatch.setattr(readahead, "_DIRECT_FROM", 20_000)
    monkeypatch.setattr(readahead, "RUN", 1 << 20)
    monkeypatch.setattr(readahead, "_PART", 1 << 18)
    way(monkeypatch)
    assert engine.restore(snapshot, tmp_path / "out") == 303
    monkeypatch.undo()
    assert state_of(tmp_path / "out", folder_times=True) == state_of(folder, folder_times=True)


@pytest.mark.parametrize("what", ["pwrite", "write", "mkdir", "utime", "ftruncate"])
def test_a_restore_that_fails_anywhere_leaves_nothing_open(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write(folder / "a" / "large", random.Random(1).randbytes(9_000_000))
    for number in range(100):
        write(folder / f"d{number % 7}" / "e" / f"{number}", RANDOM[number : number + 70])
    engine = opened(folder)
    snapshot = engine.snapshot().id
    engine.entry(snapshot, "a/large")  # so that packs are open already
    before = sorted(os.listdir("/proc/self/fd"))
    real = getattr(os, what)
    calls = 0

    def failing(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **more)

    if what == "ftruncate":
        calls = 1  # one file is so large
    with monkeypatch.context() as patched:
        patched.setattr(os, what, failing)
        with pytest.raises(SnapshotError, match="removed again"):
            engine.restore(snapshot, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store", "work"]
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_damaged_part_of_a_large_file_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    write(folder / "f", random.Random(1).randbytes(9_000_000))
    engine = opened(folder)
    snapshot = engine.snapshot().id
    (pack,) = engine._database.packs
    with open(pack.path, "r+b") as file:
        file.seek(5_000_000)
        file.write(b"damage")
    with pytest.raises(CorruptStoreError, match="Nothing was restored"):
        engine.restore(snapshot, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_that_may_not_be_written_are_filled(folder: Path, tmp_path: Path) -> None:
    for number in range(40):
        write(folder / f"d{number % 3}" / f"{number % 5}" / f"{number}", RANDOM[:number])
    write(folder / "d0" / "large", random.Random(1).randbytes(3_000_000))
    for place in sorted(folder.rglob("*"), reverse=True):
        if place.is_dir():
            place.chmod(0o555)
            os.utime(place, ns=(0, 1_234_567_890_123_456_789))
    engine = opened(folder)
    engine.restore(engine.snapshot().id, tmp_path / "out")
    assert state_of(tmp_path / "out", folder_times=True) == state_of(folder, folder_times=True)


# -- hard links ----------------------------------------------------------------------------------


def test_names_of_one_file_are_links_again(folder: Path, tmp_path: Path) -> None:
    for name, size in (("small", 10), ("empty", 0), ("large", 2_500_000)):
        write(folder / "a" / name, random.Random(name).randbytes(size))
        (folder / "b").mkdir(exist_ok=True)
        os.link(folder / "a" / name, folder / "b" / name)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert engine.restore(snapshot, tmp_path / "out") == 6
    assert state_of(tmp_path / "out") == state_of(folder)
    for name in ("small", "empty", "large"):
        assert (tmp_path / "out" / "a" / name).samefile(tmp_path / "out" / "b" / name)


def test_a_file_that_cannot_be_linked_is_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "one", "content")
    os.link(folder / "one", folder / "two")
    engine = opened(folder)
    snapshot = engine.snapshot().id

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)
    engine.restore(snapshot, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(folder)
    assert (tmp_path / "out" / "one").stat().st_nlink == 1


def test_names_with_different_content_are_not_one_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was written to between the readings of its names, or somebody made this up."""
    write(folder / "one", "first")
    os.link(folder / "one", folder / "two")
    real = capture.Capture.read

    def read(this: capture.Capture, name: str, dir_fd: int | None) -> capture.Captured:
        found = real(this, name, dir_fd)
        (folder / "one").write_text("other")
        return found

    monkeypatch.setattr(capture.Capture, "read", read)
    engine = opened(folder)
    snapshot = engine.snapshot().id
    engine.restore(snapshot, tmp_path / "out")
    texts = {path.read_text() for path in (tmp_path / "out").iterdir()}
    assert texts == {"first", "other"}
