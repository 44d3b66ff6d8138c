# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots that are made from others by edits, and stores without a live folder."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from chance import often, seeded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import killed
from snapshot_helpers import returned_long_ago, state_of, write

from dotscience_jupyter.snapshots import (
    BadPathError,
    Edit,
    EmbeddedEngine,
    PathNotFoundError,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.embedded import (
    capture,
    chunking,
    database,
    editing,
    objects,
    output,
    pipeline,
)

KILLS = often(20, 500)
DAY = 86_400_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine.open_store(tmp_path / "store")
    yield engine
    engine.close()


def files(engine: EmbeddedEngine, snapshot: str) -> dict[str, bytes]:
    """Paths and contents of what is no folder; of links the target."""
    found: dict[str, bytes] = {}
    for entry in engine.walk(snapshot):
        if entry.target:
            found[entry.path] = b"-> " + os.fsencode(entry.target)
        elif entry.digest:
            with engine.open(snapshot, entry.path) as file:
                found[entry.path] = file.read()
    return found


def frozen(folder: Path, place: Path) -> Snapshot:
    """Freeze a folder in the ordinary way, with a store of its own."""
    engine = EmbeddedEngine(folder, place)
    try:
        return engine.snapshot()
    finally:
        engine.close()


# -- what an edit does -----------------------------------------------------------------------------


def test_files_links_and_folders(store: EmbeddedEngine) -> None:
    snapshot = store.edit(
        None,
        [
            Edit("a/b/file", b"one", mode=0o600, mtime_ns=7),
            Edit("a/stream", io.BytesIO(b"two"), mtime_ns=DAY),
            Edit("a/link", None, target="../ü"),
            Edit("empty", b""),
            Edit("folder", None, mode=0o700, mtime_ns=-3, folder=True),
        ],
    )
    assert (snapshot.files, snapshot.bytes, snapshot.skipped) == (3, 6, ())
    assert files(store, snapshot.id) == {
        "a/b/file": b"one",
        "a/stream": b"two",
        "a/link": "-> ../ü".encode(),
        "empty": b"",
    }
    file, stream = store.entry(snapshot.id, "a/b/file"), store.entry(snapshot.id, "a/stream")
    assert (file.mode, file.mtime_ns, stream.mode, stream.mtime_ns) == (0o600, 7, 0o644, DAY)
    folder = store.entry(snapshot.id, "folder")
    assert (folder.mode, folder.mtime_ns) == (0o700, -3)
    for path in ("", "a", "a/b"):
        made = store.entry(snapshot.id, path)
        assert made.mode == 0o755
        assert abs(made.mtime_ns - time.time_ns()) < 3600 * 10**9
    assert store.exists(snapshot.id)
    assert store.verify([snapshot.id]) == []


def test_what_is_not_edited_is_shared(store: EmbeddedEngine) -> None:
    base = store.edit(None, [Edit(f"d{n % 3}/{n}", b"content %d" % n) for n in range(30)])
    trees = {n: store._trees.lookup(base.id, f"d{n}").digest for n in range(3)}
    packs = {pack.name for pack in store._database.packs}
    new = store.edit(base.id, [Edit("d1/1", b"other")])
    assert files(store, new.id) == {**files(store, base.id), "d1/1": b"other"}
    assert store._trees.lookup(new.id, "d0").digest == trees[0]
    assert store._trees.lookup(new.id, "d2").digest == trees[2]
    added = [pack for pack in store._database.packs if pack.name not in packs]
    # the content, its folder, the root and the snapshot
    assert sum(map(len, added)) == 4
    assert store.entry(new.id, "d0").mtime_ns == store.entry(base.id, "d0").mtime_ns
    assert store.entry(new.id, "d1").mtime_ns > store.entry(base.id, "d1").mtime_ns


def test_nothing_different_is_the_same_snapshot(store: EmbeddedEngine) -> None:
    empty = store.edit(None, [])
    assert empty == store.edit(None, [])
    base = store.edit(empty.id, [Edit("a/file", b"content", mtime_ns=1)])
    assert store.edit(base.id, []) == base
    assert store.edit(base.id, [Edit("a/file", b"content", mtime_ns=1)]) == base
    entry = store.entry(base.id, "a")
    same = Edit("a", None, mode=0o755, mtime_ns=entry.mtime_ns, folder=True)
    assert store.edit(base.id, [same]) == base
    assert store.edit(base.id, [Edit("a/file", b"content", mtime_ns=2)]) != base


def test_a_file_replaces_a_folder_and_all_in_it(store: EmbeddedEngine) -> None:
    base = store.edit(None, [Edit("a/b/c", b"12"), Edit("a/d", b"345"), Edit("e", b"6")])
    new = store.edit(base.id, [Edit("a", b"file")])
    assert files(store, new.id) == {"a": b"file", "e": b"6"}
    assert (new.files, new.bytes) == (2, 5)
    linked = store.edit(base.id, [Edit("a/b", None, target="x")])
    assert files(store, linked.id) == {"a/b": b"-> x", "a/d": b"345", "e": b"6"}
    assert (linked.files, linked.bytes) == (2, 4)


def test_a_folder_replaces_a_file_and_keeps_a_folder(store: EmbeddedEngine) -> None:
    base = store.edit(None, [Edit("a", b"file"), Edit("b/c", b"1")])
    new = store.edit(
        base.id,
        [
            Edit("a", None, mode=0o711, folder=True),
            Edit("b", None, mode=0o700, mtime_ns=9, folder=True),
            Edit("", None, mode=0o750, mtime_ns=8, folder=True),
        ],
    )
    assert files(store, new.id) == {"b/c": b"1"}
    assert (new.files, new.bytes) == (1, 1)
    modes = {path: store.entry(new.id, path).mode for path in ("", "a", "b")}
    assert modes == {"": 0o750, "a": 0o711, "b": 0o700}
    assert store.entry(new.id, "").mtime_ns == 8


def test_removing(store: EmbeddedEngine) -> None:
    base = store.edit(None, [Edit("a/b/c", b"12"), Edit("a/d", b"345"), Edit("e", b"6")])
    one = store.edit(base.id, [Edit("a/b/c", None)])
    assert files(store, one.id) == {"a/d": b"345", "e": b"6"}
    assert [entry.path for entry in store.list(one.id, "a")] == ["a/b", "a/d"]
    whole = store.edit(base.id, [Edit("a", None)])
    assert files(store, whole.id) == {"e": b"6"}
    assert (whole.files, whole.bytes) == (1, 1)
    for path in ("x", "a/x", "a/b/c/d", "e/x", "x/y"):
        with pytest.raises(PathNotFoundError, match="cannot be removed"):
            store.edit(base.id, [Edit("e", b"other"), Edit(path, None)])
    gone = [Edit("new", b"1"), Edit("new", None), Edit("a", None)]
    with pytest.raises(PathNotFoundError):
        store.edit(base.id, [*gone, Edit("a/d", None)])


def test_edits_are_applied_in_order(store: EmbeddedEngine) -> None:
    new = store.edit(
        None,
        [
            Edit("a", b"1"),
            Edit("a", None),
            Edit("a/b", b"22"),
            Edit("a", b"333"),
            Edit("c/d", b"4"),
            Edit("c", None),
            Edit("c/e", b"5"),
            Edit("c/e", b"66"),
        ],
    )
    assert files(store, new.id) == {"a": b"333", "c/e": b"66"}
    assert (new.files, new.bytes) == (2, 5)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_can_be_below_what_is_no_folder(store: EmbeddedEngine, kind: str) -> None:
    first = Edit("a/b", b"1") if kind == "file" else Edit("a/b", None, target="..")
    base = store.edit(None, [first])
    for edit in (Edit("a/b/c", b"2"), Edit("a/b/c/d", b"2"), Edit("a/b/c", None, folder=True)):
        with pytest.raises(PathNotFoundError, match="'a/b' is not a folder"):
            store.edit(base.id, [edit])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        (".", "not a name"),
        ("..", "not a name"),
        ("a/../b", "not a name"),
        ("/a", "not a name"),
        ("a/", "not a name"),
        ("a//b", "not a name"),
        ("a/./b", "not a name"),
        ("a\0b", "NUL"),
        ("n" * 256, "longer than 255"),
        ("ü" * 128, "longer than 255"),
        ("/".join("a" * 201), "more than 200"),
        ("a\ud800", "characters"),
        (".git/config", "never part"),
        ("a/.dotscience/x", "never part"),
    ],
)
def test_paths_that_no_snapshot_can_hold(store: EmbeddedEngine, path: str, reason: str) -> None:
    for edit in (Edit(path, b"1"), Edit(path, None), Edit(path, None, target="x")):
        with pytest.raises(BadPathError, match=reason):
            store.edit(None, [edit])
    assert store.snapshots() == []


def test_paths_that_a_snapshot_can_hold(store: EmbeddedEngine, tmp_path: Path) -> None:
    paths = ["n" * 255, "ü" * 127, "/".join("a" * 200), " ", "x\ny", os.fsdecode(b"\xff/\xfe")]
    paths += [".gitignore", ".dotsciences", "...", "a\\b", "*"]
    snapshot = store.edit(None, [Edit(path, path.encode(errors="replace")) for path in paths])
    assert set(files(store, snapshot.id)) == set(paths)
    assert store.restore(snapshot.id, tmp_path / "out") == len(paths)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("a", b"", target="b"), "more than one"),
        (Edit("a", b"", folder=True), "more than one"),
        (Edit("a", b"", mode=0o10000), "permissions"),
        (Edit("a", b"", mode=-1), "permissions"),
        (Edit("a", None, target=""), "point to"),
        (Edit("a", None, target="a\0b"), "point to"),
        (Edit("a", None, target="a" * 4096), "point to"),
        (Edit("a", None, target="\ud800"), "point to"),
    ],
)
def test_edits_that_make_no_sense(store: EmbeddedEngine, edit: Edit, message: str) -> None:
    with pytest.raises(SnapshotError, match=message):
        store.edit(None, [Edit("b", b"1"), edit])
    assert store.snapshots() == []


def test_times_beyond_what_can_be_stored(store: EmbeddedEngine) -> None:
    snapshot = store.edit(
        None, [Edit("a", b"", mtime_ns=1 << 80), Edit("", None, mtime_ns=-(1 << 80), folder=True)]
    )
    assert store.entry(snapshot.id, "a").mtime_ns == (1 << 63) - 1
    assert store.entry(snapshot.id, "").mtime_ns == -(1 << 63)


def test_a_source_that_fails(store: EmbeddedEngine) -> None:
    class Failing(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            if self.tell() > 2_000_000:
                raise OSError(5, "Input/output error")
            return super().read(count)

    base = store.edit(None, [Edit("a", b"1")])
    for size in (0, 3_000_000):
        source = Failing(bytes(size + 3_000_000))
        source.seek(3_000_000 - size)
        with pytest.raises(SnapshotError, match=r"'b/c' could not be read: Input/output error"):
            store.edit(base.id, [Edit("b/c", source)])
    assert [info.id for info in store.snapshots()] == [base.id]
    assert list(Path(store._store.tmp).iterdir()) == []
    assert store.edit(base.id, [Edit("b/c", b"2")]).files == 2


def test_a_base_that_is_not_there(store: EmbeddedEngine) -> None:
    for base in ("0" * 64, "no id", "../" + "0" * 61):
        with pytest.raises(SnapshotNotFoundError):
            store.edit(base, [Edit("a", b"1")])


# -- the same as freezing a folder -----------------------------------------------------------------


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 1 << 22, (1 << 22) + 1, 9 << 20])
def test_a_stream_is_cut_as_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, compiled: bool
) -> None:
    if not compiled:
        monkeypatch.setattr(chunking, "_FASTCDC", None)
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    write(tmp_path / "work" / "file", data, mtime_ns=5)
    os.utime(tmp_path / "work", ns=(6, 6))
    expected = frozen(tmp_path / "work", tmp_path / "frozen")

    class Slow(io.BytesIO):
        """Gives less than it is asked for."""

        def read(self, count: int | None = -1) -> bytes:
            return super().read(min(count or 0, 300_000))

    store = EmbeddedEngine.open_store(tmp_path / "store")
    mode = stat.S_IMODE((tmp_path / "work").stat().st_mode)
    file_mode = stat.S_IMODE((tmp_path / "work" / "file").stat().st_mode)
    top = Edit("", None, mode=mode, mtime_ns=6, folder=True)
    sources: list[io.BytesIO | bytes] = [io.BytesIO(data), Slow(data), data]
    for source in sources:
        edit = Edit("file", source, mode=file_mode, mtime_ns=5)
        assert store.edit(None, [edit, top]) == expected
    store.close()


def test_memory_stays_flat(store: EmbeddedEngine) -> None:
    class Endless(io.RawIOBase):
        def __init__(self, size: int) -> None:
            self.left = size
            self.random = random.Random(1)

        def read(self, count: int = -1) -> bytes:
            part = self.random.randbytes(min(count, self.left))
            self.left -= len(part)
            return part

    tracemalloc.start()
    try:
        snapshot = store.edit(None, [Edit("large", Endless(100 << 20))])  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert snapshot.bytes == 100 << 20
    assert peak < 48 << 20


NAMES = ["a", "b", "c", "ü", "x\ny", os.fsdecode(b"\xff"), "é" * 60, "d", "e", "f"]
SOME = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CONTENT = st.one_of(
    st.binary(max_size=8),
    st.tuples(st.integers(0, 3), st.integers(0, 9000)).map(lambda v: bytes([v[0]]) * v[1]),
    st.tuples(st.integers(0, 3), st.integers(0, 9000)).map(
        lambda v: random.Random(v[0]).randbytes(v[1])
    ),
)
TIME = st.integers(0, 2**60)
EDIT = st.one_of(
    st.builds(Edit, SOME, CONTENT, st.sampled_from([0o600, 0o644, 0o755, 0o444]), TIME),
    st.builds(Edit, SOME, CONTENT.map(io.BytesIO), st.just(0o644), TIME),
    st.builds(Edit, SOME, st.none(), st.just(0o644), TIME, SOME),
    st.builds(Edit, SOME, st.none(), st.sampled_from([0o700, 0o755]), TIME, folder=st.just(True)),
    st.builds(Edit, SOME, st.none()),
    st.builds(Edit, SOME, st.none()),
)


def apply(folder: Path, edit: Edit) -> None:
    """Do to a real folder what an edit does."""
    path = folder / edit.path
    if edit.source is None and edit.target is None and not edit.folder:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if edit.folder and not path.is_symlink():
        if path.is_file():
            path.unlink()
        path.mkdir(exist_ok=True)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()
    if edit.folder:
        path.mkdir(exist_ok=True)
        path.chmod(edit.mode)
    elif edit.target is not None:
        path.symlink_to(edit.target)
    else:
        source = edit.source
        assert source is not None
        path.write_bytes(source if isinstance(source, bytes) else source.read())
        path.chmod(edit.mode)
    assert edit.mtime_ns is not None
    os.utime(path, ns=(0, edit.mtime_ns), follow_symlinks=False)


def possible(folder: Path, edit: Edit) -> bool:
    """Whether there is what is to be removed, and nothing but folders on the way."""
    above = folder
    for name in edit.path.split("/")[:-1]:
        above /= name
        if above.is_symlink() or above.is_file():
            return False
    removes = edit.source is None and edit.target is None and not edit.folder
    return not removes or os.path.lexists(folder / edit.path)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(groups=st.lists(st.lists(EDIT, max_size=12), min_size=1, max_size=4))
def test_any_edits_are_the_same_folder_frozen(
    groups: list[list[Edit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, tempfile.TemporaryDirectory() as place:
        patched.setattr(capture, "CHUNK", 2048)
        patched.setattr(pipeline, "SLAB", 3000)
        patched.setattr(objects, "GROUP_LIMIT", 3)
        patched.setattr(objects, "PAGED_FROM", 3)
        # pages of about two names
        patched.setattr(objects.zlib, "crc32", lambda data: 0x100 + sum(data) % 2)
        patched.setattr(capture, "_TICK_NS", 0)
        patched.setattr(database, "MERGE_FROM", 4)
        folder = Path(place) / "work"
        folder.mkdir(mode=0o755)
        store = EmbeddedEngine.open_store(Path(place) / "store")
        base = store.edit(None, [])
        for number, edits in enumerate(groups):
            done: list[Edit] = []
            for edit in edits:
                if possible(folder, edit):
                    if isinstance(edit.source, io.BytesIO):
                        edit.source.seek(0)
                    apply(folder, edit)
                    done.append(edit)
                else:
                    with pytest.raises(PathNotFoundError):
                        store.edit(base.id, [*map(again, done), again(edit)])
            base = store.edit(base.id, map(again, done))
            times = {}
            for path in [folder, *folder.rglob("*")]:
                if path.is_dir() and not path.is_symlink():
                    name = os.fspath(path.relative_to(folder)).removeprefix(".")
                    times[path] = store.entry(base.id, name).mtime_ns
            for path, mtime_ns in times.items():
                os.utime(path, ns=(0, mtime_ns))
            # one that knew the folder before would not look at times of folders alone
            assert base == frozen(folder, Path(place) / f"frozen{number}")
            assert store.verify([base.id]) == []
        out = Path(place) / "out"
        store.restore(base.id, out)
        assert state_of(out, folder_times=True) == state_of(folder, folder_times=True)
        store.close()


def again(edit: Edit) -> Edit:
    """Return an edit whose stream is at its start."""
    if isinstance(edit.source, io.BytesIO):
        edit.source.seek(0)
    return edit


def test_a_change_in_a_large_folder_reads_a_few_pages(
    store: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "_MAX_ENTRY", 100)  # these names are short
    rand = random.Random(3)
    names = {f"{number:05}" for number in range(20_000)}
    base = store.edit(None, [Edit(f"d/{name}", b"x", mtime_ns=1) for name in names])
    read: list[bytes] = []
    real = store._database.get

    def get(digest: bytes) -> bytes:
        read.append(digest)
        return real(digest)

    monkeypatch.setattr(store._database, "get", get)
    for removed, ends, added in ((0, 0, 3), (2, 0, 1), (0, 2, 1), (1, 3, 0)):
        store._trees._kept.clear()
        read.clear()
        last = [name for name in sorted(names) if zlib.crc32(name.encode()) & 0xFF == 0]
        gone = rand.sample(sorted(names), removed) + rand.sample(last, ends)
        came = [f"{rand.randrange(20_000):05}+" for _ in range(added)]
        edits = [Edit(f"d/{name}", None) for name in gone]
        edits += [Edit(f"d/{name}", b"y", mtime_ns=1) for name in came]
        base = store.edit(base.id, edits)
        assert len(set(read)) < 45
        names.difference_update(gone)
        names.update(came)
        same = store.edit(
            None, [Edit(f"d/{n}", b"xy"[len(n) - 5 :][:1], mtime_ns=1) for n in names]
        )
        trees = [store._trees.lookup(each.id, "d").digest for each in (base, same)]
        assert trees[0] == trees[1]
        assert (base.files, base.bytes) == (same.files, same.bytes)
    read.clear()
    store._trees._kept.clear()
    assert store.entry(base.id, "d/00007").size == 1
    assert len(read) < 15
    with pytest.raises(PathNotFoundError):
        store.entry(base.id, "d/0000")


@pytest.mark.parametrize("left", [511, 512, 513, 0])
def test_a_folder_that_becomes_small(store: EmbeddedEngine, left: int) -> None:
    names = [f"{number}" for number in range(700)]
    base = store.edit(None, [Edit(f"d/{name}", b"x", mtime_ns=1) for name in names])
    small = store.edit(base.id, [Edit(f"d/{name}", None) for name in names[left:]])
    edits = [
        Edit("d", None, folder=True),
        *(Edit(f"d/{n}", b"x", mtime_ns=1) for n in names[:left]),
    ]
    same = store.edit(None, edits)
    assert store._trees.lookup(small.id, "d").digest == store._trees.lookup(same.id, "d").digest
    assert (small.files, small.bytes) == (left, left)


# -- a store without a live folder -----------------------------------------------------------------


def test_what_needs_a_live_folder_says_so(store: EmbeddedEngine) -> None:
    snapshot = store.edit(None, [Edit("a", b"1")]).id
    for call in (
        store.snapshot,
        store.watch,
        lambda: store.changes(snapshot),
        lambda: store.rollback(snapshot),
    ):
        with pytest.raises(SnapshotError, match="without a folder to freeze"):
            call()


def test_the_rest_of_the_engine_works_without_one(store: EmbeddedEngine, tmp_path: Path) -> None:
    one = store.edit(None, [Edit("a", b"1"), Edit("b/c", b"2")]).id
    two = store.edit(one, [Edit("a", b"3"), Edit("b/c", None)]).id
    assert [(d.path, d.change) for d in store.diff(one, two)] == [
        ("a", "modified"),
        ("b", "modified"),
        ("b/c", "removed"),
    ] or [d.path for d in store.diff(one, two)] == ["a", "b/c"]
    store.settle()
    assert all(info.content for info in store.snapshots())
    store.clone(one, tmp_path / "clone")
    assert (tmp_path / "clone" / "b" / "c").read_bytes() == b"2"
    stream = io.BytesIO()
    store.send(one, stream)
    stream.seek(0)
    other = EmbeddedEngine.open_store(tmp_path / "other")
    assert other.receive(stream) == one
    other.close()
    store.grace = 0.0
    store.gc([two])
    assert [info.id for info in store.snapshots()] == [two]
    assert store.verify([two]) == store.repair([two]).lost == []
    assert store.usage(each=True).snapshots == 1


def test_repair_without_a_live_folder_reads_no_other_files(
    store: EmbeddedEngine, tmp_path: Path
) -> None:
    """What is lost stays lost, also where a file of that path and content is on the machine."""
    elsewhere = write(tmp_path / "elsewhere", random.Random(1).randbytes(5000))
    path = os.fspath(elsewhere).lstrip("/")
    snapshot = store.edit(None, [Edit(path, elsewhere.read_bytes())]).id
    (pack,) = store._database.packs
    at = pack.find(store._trees.lookup(snapshot, path).digest)
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + 100)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    again = EmbeddedEngine.open_store(Path(store._store.folder))
    assert [problem.path for problem in again.repair([snapshot]).lost] == [path]
    again.close()


def test_a_live_folders_store_can_be_edited(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    write(folder / "a", b"1")
    engine = EmbeddedEngine(folder, tmp_path / "store")
    first = engine.snapshot()
    edited = engine.edit(first.id, [Edit("b", b"2")])
    assert engine.snapshot() == first
    assert not (folder / "b").exists()
    assert files(engine, edited.id) == {"a": b"1", "b": b"2"}
    engine.close()


def test_hard_links_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    write(folder / "a", b"1")
    os.link(folder / "a", folder / "b")
    os.link(folder / "a", folder / "c")
    engine = EmbeddedEngine(folder, tmp_path / "store")
    edited = engine.edit(engine.snapshot().id, [Edit("c", b"2"), Edit("d", b"1")])
    engine.restore(edited.id, tmp_path / "out")
    engine.close()
    assert (tmp_path / "out" / "a").stat().st_ino == (tmp_path / "out" / "b").stat().st_ino
    assert (tmp_path / "out" / "a").stat().st_nlink == 2
    assert (tmp_path / "out" / "c").read_bytes() == b"2"


# -- faults ----------------------------------------------------------------------------------------


def test_gc_waits_for_an_edit(store: EmbeddedEngine) -> None:
    """What an edit relies on, because it is stored, is not dropped before it is done."""
    content = random.Random(1).randbytes(5000)
    base = store.edit(None, [])
    lost = store.edit(None, [Edit("a", content)])
    returned_long_ago(store._store.folder, lost.id)
    begun, go_on = threading.Event(), threading.Event()
    found: list[Snapshot] = []

    def edits() -> Iterator[Edit]:
        yield Edit("copy", content)
        begun.set()
        go_on.wait(30)

    thread = threading.Thread(target=lambda: found.append(store.edit(base.id, edits())))
    thread.start()
    assert begun.wait(30)
    collecting = threading.Thread(target=lambda: store.gc([base.id]))
    collecting.start()
    time.sleep(0.3)
    assert store.exists(lost.id)
    go_on.set()
    thread.join(30)
    collecting.join(30)
    assert store.verify([found[0].id]) == []
    assert not store.exists(lost.id)


def test_many_edit_at_once(store: EmbeddedEngine) -> None:
    base = store.edit(None, [Edit("shared/x", b"x")]).id
    found: dict[int, str] = {}

    def work(number: int) -> None:
        mine = base
        for step in range(5):
            data = random.Random(100 * number + step).randbytes(20_000)
            mine = store.edit(mine, [Edit(f"shared/{number}-{step}", data)]).id
        found[number] = mine

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 6
    assert store.verify(found.values()) == []
    for number, snapshot in found.items():
        names = {"shared/x", *(f"shared/{number}-{step}" for step in range(5))}
        assert set(files(store, snapshot)) == names


def edit_until_killed(place: Path, base: str, step: int, out: int) -> None:
    engine = EmbeddedEngine.open_store(place, grace=0.0)
    while True:
        step += 1
        base = engine.edit(base, edits_of(step)).id
        os.write(out, f"{step} {base}\n".encode())
        if step % 4 == 0:
            engine.gc([base])


def edits_of(step: int) -> list[Edit]:
    rand = random.Random(step)
    edits = [Edit(f"d{step % 3}/{number}", rand.randbytes(4000), mtime_ns=1) for number in range(3)]
    edits.append(Edit("large", io.BytesIO(rand.randbytes(60_000)), mtime_ns=1))
    return edits


@pytest.mark.fault
def test_killed_while_editing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every snapshot that was returned, and not given up to gc, is there bit for bit."""
    monkeypatch.setattr(capture, "CHUNK", 16 << 10)
    monkeypatch.setattr(pipeline, "SLAB", 24 << 10)
    monkeypatch.setattr(output, "BLOCK", 16 << 10)
    monkeypatch.setattr(database, "PACK_LIMIT", 64 << 10)
    monkeypatch.setattr(database, "MERGE_FROM", 6)
    place = tmp_path / "store"
    engine = EmbeddedEngine.open_store(place)
    base, step = engine.edit(None, []).id, 0
    engine.close()
    rand = seeded()
    for kill in range(KILLS):
        work = partial(edit_until_killed, place, base, step)
        said = killed(work, rand.uniform(0.0, 0.1), told=kill % 2 == 1)
        if said:
            text, base = said[-1].split()
            step = int(text)
        engine = EmbeddedEngine.open_store(place, grace=0.0)
        assert engine.verify([base]) == []
        expected: dict[str, bytes] = {}
        for number in range(max(1, step - 2), step + 1):
            for edit in edits_of(number):
                source = edit.source
                assert source is not None
                expected[edit.path] = source if isinstance(source, bytes) else source.read()
        assert files(engine, base) == expected
        engine.close()
    assert step >= KILLS // 2
    engine = EmbeddedEngine.open_store(place, grace=0.0)
    engine.gc([base])
    assert engine.verify([base]) == []
    assert list((place / "tmp").iterdir()) == []
    engine.close()
