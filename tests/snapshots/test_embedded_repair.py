# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Repair of the embedded store: what can be saved is saved, what is lost is told exactly."""

from __future__ import annotations

import errno
import os
import random
import shutil
import struct
import time
from pathlib import Path

import pytest
from blake3 import blake3
from chance import seeded
from cuts import look, record_repair
from killing import killed
from snapshot_helpers import State, settle, state_of, write

from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    CorruptStoreError,
    EmbeddedEngine,
    Kind,
    SnapshotError,
)
from dotscience_jupyter.snapshots.embedded import captures, objects, packs
from dotscience_jupyter.snapshots.embedded.packs import Pack
from dotscience_jupyter.snapshots.embedded.store import Store


class Place:
    """A folder with three states frozen, of which the live folder still is the last."""

    def __init__(self, top: Path) -> None:
        self.folder, self.store = top / "work", top / "store"
        self.out = top / "out"
        self.states: dict[str, State] = {}
        self.ids: list[str] = []

    def fill(self) -> Place:
        write(self.folder / "same", b"the same in all of them" * 20)
        write(self.folder / "d" / "below" / "same", b"deeper" * 100)
        write(self.folder / "large", random.Random(1).randbytes(1_600_000))
        (self.folder / "link").symlink_to("same")
        for number in range(8):
            write(self.folder / "many" / f"{number}", b"%d" % number * 50)
        for version in range(3):
            write(self.folder / "edited", f"version {version}" * 30)
            write(self.folder / "old" / f"{version}", f"only in {version}" * 30)
            (self.folder / "old" / f"{version - 1}").unlink(missing_ok=True)
            settle()
            engine = self.opened()
            self.states[engine.snapshot().id] = state_of(self.folder)
            engine.close()
        self.ids = list(self.states)
        return self

    def copy(self, top: Path) -> Place:
        copy = Place(top)
        copy.states, copy.ids = self.states, self.ids
        for old, new in ((self.folder, copy.folder), (self.store, copy.store)):
            shutil.copytree(old, new, symlinks=True)
        return copy

    def opened(self) -> EmbeddedEngine:
        return EmbeddedEngine(self.folder, self.store, grace=0.0)

    def leave_alone(self) -> None:
        """Let there be nothing but the store to help."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.store / "stat-cache").unlink()

    def packs(self) -> list[Path]:
        return sorted((self.store / "packs").iterdir())

    def pack_with(self, digest: bytes) -> tuple[Path, int, int]:
        """Return where an object is: pack, offset of its record, its length with the head."""
        engine = self.opened()
        found = engine._database.find(digest)
        engine.close()
        assert found is not None
        pack, at = found
        return Path(pack.path), pack.offset(at), pack.stored(at)

    def spoil(self, digest: bytes) -> None:
        path, offset, length = self.pack_with(digest)
        flip(path, offset + length - 1)

    def check(self, engine: EmbeddedEngine, lost: set[tuple[str, str]]) -> None:
        """All that is not lost is there bit for bit, and verify tells what is lost."""
        problems = {(p.snapshot, p.path) for p in engine.verify(self.ids)}
        assert problems == lost
        for snapshot, state in self.states.items():
            gone = {path for name, path in lost if name == snapshot}
            if not gone:
                engine.restore(snapshot, self.out)
                assert state_of(self.out) == state
                shutil.rmtree(self.out)
                continue
            whole = [
                path
                for path, what in state.items()
                if what[0] != "folder" and not any(f"{path}/".startswith(f"{g}/") for g in gone)
            ]
            engine.restore(snapshot, self.out, whole)
            found = state_of(self.out)
            assert {path: found[path] for path in whole} == {path: state[path] for path in whole}
            shutil.rmtree(self.out)
            for path in gone:
                if state[path][0] == "file":
                    with pytest.raises(CorruptStoreError), engine.open(snapshot, path) as file:
                        file.read()


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def digest_of(content: bytes) -> bytes:
    return blake3(content).digest()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("filled")).fill()


@pytest.fixture
def place(filled: Place, tmp_path: Path) -> Place:
    return filled.copy(tmp_path)


def test_what_only_an_old_snapshot_had_is_lost_and_nothing_else(place: Place) -> None:
    first, second, _ = place.ids
    place.spoil(digest_of(b"only in 0" * 30))
    place.spoil(digest_of(b"version 1" * 30))
    damaged = {path.name for path in place.packs()}
    engine = place.opened()
    lost = {(first, "old/0"), (second, "edited")}
    assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == lost
    place.check(engine, lost)
    aside = {path.name for path in (place.store / "lost+found").iterdir()}
    assert len(aside) == 2
    assert aside <= damaged
    assert not aside & {path.name for path in place.packs()}
    # once more: nothing is left to be mended
    before = [(path.name, path.stat().st_mtime_ns) for path in place.packs()]
    assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == lost
    assert [(path.name, path.stat().st_mtime_ns) for path in place.packs()] == before
    # and it is not for gc to draw conclusions from damage
    engine.gc(place.ids)
    place.check(engine, lost)


def test_what_the_live_folder_has_comes_from_there(place: Place) -> None:
    place.spoil(digest_of(b"the same in all of them" * 20))
    place.spoil(digest_of(b"version 2" * 30))
    engine = place.opened()
    _, chunk = max(
        (engine._database.packs[n].length(at), engine._database.packs[n].digest(at))
        for n in range(len(engine._database.packs))
        for at in range(len(engine._database.packs[n]))
    )
    place.spoil(chunk)
    assert len(engine.verify(place.ids)) >= 5
    assert engine.repair(place.ids).lost == []
    place.check(engine, set())
    place.check(place.opened(), set())


def test_a_lost_folder_is_made_again_where_it_is_still_like_that(place: Place) -> None:
    engine = place.opened()
    first = place.ids[0]
    below = engine._trees.lookup(first, "d/below").digest
    old = engine._trees.lookup(first, "old").digest
    place.spoil(below)
    place.spoil(old)
    engine = place.opened()
    assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == {(first, "old")}
    place.check(engine, {(first, "old")})


@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_everything_is_mended_while_the_folder_is_as_it_was(place: Place, how: str) -> None:
    """All of the last snapshot is in the live folder, so nothing of it can be lost."""
    last = place.ids[-1]
    rand = random.Random(3)
    for path in place.packs():
        size = path.stat().st_size
        if how == "flip":
            for _ in range(5):
                flip(path, rand.randrange(size), rand.randrange(8))
        elif how == "cut":
            os.truncate(path, rand.randrange(size))
        else:
            path.unlink()
    engine = place.opened()
    engine.repair(place.ids)
    assert not {p.path for p in engine.verify(place.ids) if p.snapshot == last}
    engine.restore(last, place.out)
    assert state_of(place.out) == place.states[last]
    # and what is frozen next is whole in any case
    snapshot = engine.snapshot().id
    assert snapshot not in {p.snapshot for p in engine.verify([*place.ids, snapshot])}


def test_every_flipped_bit_is_mended_or_told(place: Place) -> None:
    """Of one pack at random places: what is told to be lost is that, everything else is there."""
    place.leave_alone()
    rand = random.Random(11)
    keep = place.store.with_name("keep")
    shutil.copytree(place.store, keep)
    small = min(place.packs(), key=lambda path: path.stat().st_size)
    size = small.stat().st_size
    for at in [3, *rand.sample(range(size), 12), size - 1]:
        flip(small, at, rand.randrange(8))
        engine = place.opened()
        lost = {(p.snapshot, p.path) for p in engine.repair(place.ids).lost}
        if len(lost) == 1 and next(iter(lost))[1] == "":
            # its root: nothing of that snapshot can be found without it
            ((snapshot, _),) = lost
            others = engine.verify([s for s in place.ids if s != snapshot])
            # the list of snapshots may be told to name what is gone, but nothing else
            assert [p for p in others if p.path != f"snapshots/{snapshot}"] == []
        else:
            place.check(engine, lost)
        engine.close()
        shutil.rmtree(place.store)
        shutil.copytree(keep, place.store)
    place.check(place.opened(), set())


def objects_in(path: Path) -> dict[bytes, tuple[int, int]]:
    """The objects of a pack and where their records are, start and end."""
    pack = Pack.load(os.fspath(path))
    return {
        pack.digest(at): (pack.offset(at), pack.offset(at) + pack.stored(at))
        for at in range(len(pack))
    }


def test_all_whole_records_of_a_cut_pack_are_saved(place: Place) -> None:
    place.leave_alone()
    path = max(place.packs(), key=lambda path: path.stat().st_size)
    found = objects_in(path)
    length = sorted(end for _, end in found.values())[len(found) // 2] + 5
    os.truncate(path, length)
    engine = place.opened()
    engine.repair(place.ids)
    saved = {digest for digest in found if engine._database.has(digest)}
    assert saved == {digest for digest, (_, end) in found.items() if end <= length}
    assert 0 < len(saved) < len(found)


@pytest.mark.parametrize("where", ["index", "footer", "magic", "all"])
def test_a_damaged_index_is_rebuilt(place: Place, where: str) -> None:
    path = max(place.packs(), key=lambda path: path.stat().st_size)
    size = path.stat().st_size
    end = max(end for _, end in objects_in(path).values())
    if where == "index":
        flip(path, end + 3)
    elif where == "footer":
        flip(path, size - 20)
    elif where == "magic":
        flip(path, 2)
    else:
        os.truncate(path, end)
    place.leave_alone()
    engine = place.opened()
    assert engine.verify(place.ids)
    assert engine.repair(place.ids).lost == []
    place.check(engine, set())


@pytest.mark.parametrize("index", ["whole", "flipped", "cut"])
def test_records_behind_a_damaged_head_are_saved(place: Place, index: str) -> None:
    """Also where the index does not tell where the next record is."""
    place.leave_alone()
    path = max(place.packs(), key=lambda path: path.stat().st_size)
    found = objects_in(path)
    heads = sorted(start for start, _ in found.values())
    victim = next(digest for digest, (start, _) in found.items() if start == heads[2])
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, heads[2] + 32, 0xFFFFFFF0)
    end = max(end for _, end in found.values())
    if index == "flipped":
        data[end + 8 * len(found) - 1] ^= 1
    elif index == "cut":
        data = data[:end]
    path.write_bytes(data)
    engine = place.opened()
    engine.repair(place.ids)
    saved = {digest for digest in found if engine._database.has(digest)}
    assert saved == (found.keys() - {victim} if index == "cut" else found.keys())


def test_a_disk_that_does_not_read_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where sectors are gone: the rest of the store can be used, and saved."""
    path = max(place.packs(), key=lambda path: path.stat().st_size)
    status = path.stat()
    found = objects_in(path)
    ends = sorted(end for _, end in found.values())
    bad = [(ends[1] + 44, ends[1] + 45), (ends[-1], status.st_size)]
    real = os.pread

    def pread(fd: int, count: int, offset: int) -> bytes:
        if os.path.samestat(os.fstat(fd), status):
            for start, end in bad:
                if offset < end and start < offset + count:
                    raise OSError(errno.EIO, "Input/output error")
        return real(fd, count, offset)

    place.leave_alone()
    monkeypatch.setattr(os, "pread", pread)
    engine = place.opened()
    assert any(p.path == f"packs/{path.name}" for p in engine.verify(place.ids))
    engine.repair(place.ids)
    saved = {digest for digest in found if engine._database.has(digest)}
    assert len(saved) == len(found) - 1
    assert not path.exists()


def test_a_second_copy_mends(place: Place) -> None:
    path = max(place.packs(), key=lambda path: path.stat().st_size)
    copy = path.with_name(f"{'0' * 32}.pack")
    shutil.copy(path, copy)
    rand = random.Random(4)
    for _ in range(6):
        flip(path, rand.randrange(path.stat().st_size))
    place.leave_alone()
    engine = place.opened()
    assert engine.repair(place.ids).lost == []
    assert not path.exists()
    place.check(engine, set())


def test_what_is_whole_is_read_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it was verified, looked through for damage, and verified again."""
    nobodys = b"an object that no snapshot needs" * 9
    engine = place.opened()
    session = engine._database.session()
    session.put(digest_of(nobodys), nobodys)
    session.commit()
    engine.close()
    spoilt, _, _ = place.pack_with(digest_of(b"version 1" * 30))
    place.spoil(digest_of(b"version 1" * 30))
    whole = {path.name for path in place.packs()} - {spoilt.name}
    assert len(whole) == 3
    read: dict[str, list[bytes]] = {}
    real = Pack.check

    def check(pack: Pack, at: int) -> None:
        read.setdefault(pack.name, []).append(pack.digest(at))
        real(pack, at)

    monkeypatch.setattr(Pack, "check", check)
    engine = place.opened()
    found, lost = engine.repair(place.ids)
    assert [(p.snapshot, p.path) for p in found] == [(place.ids[1], "edited")]
    assert [(p.snapshot, p.path) for p in lost] == [(place.ids[1], "edited")]
    for name in whole:
        assert len(set(read[name])) == len(read[name]) > 0
    assert sum(map(len, read.values())) == sum(map(len, engine._database.packs)) + len(
        read[spoilt.name]
    )
    monkeypatch.undo()
    place.check(engine, {(place.ids[1], "edited")})


def test_a_snapshot_that_fell_off_the_list_is_put_there_again(place: Place) -> None:
    first, second, _ = place.ids
    for snapshot in (first, second):
        (place.store / "snapshots" / snapshot).unlink()
    engine = place.opened()
    assert len(engine.verify(place.ids)) == 2
    assert engine.repair([first]).lost == []
    assert engine.exists(first)
    assert not engine.exists(second), "nobody asked for it"
    assert [p.snapshot for p in engine.repair([first, "f" * 64, "no id"]).lost] == [
        "f" * 64,
        "no id",
    ]
    engine.repair([second])
    place.check(engine, set())


def test_a_snapshot_that_is_held_is_put_on_the_list_again(place: Place) -> None:
    """Whoever holds it needs it, also if nobody asks for it now."""
    first, second, _ = place.ids
    engine = place.opened()
    engine.hold([first], "mine")
    (place.store / "snapshots" / first).unlink()
    assert [p.path for p in engine.verify([second])] == [f"holds/{first}.mine"]
    assert engine.repair([second]).lost == []
    place.check(engine, set())


def test_a_list_that_names_nothing_is_told(place: Place) -> None:
    (place.store / "snapshots" / ("a" * 64)).touch()
    engine = place.opened()
    assert [p.path for p in engine.verify(place.ids)] == [f"snapshots/{'a' * 64}"]
    engine.repair(place.ids)
    assert engine.exists("a" * 64), "repair drops nothing"
    engine.destroy("a" * 64)
    assert engine.verify(place.ids) == []


def test_chunks_of_another_way_to_divide_a_file_come_from_the_live_file(place: Place) -> None:
    engine = place.opened()
    content = (place.folder / "large").read_bytes()
    chunks = [content[at : at + 50_000] for at in range(0, len(content), 50_000)]
    lists = objects.encode_lists([(digest_of(part), len(part)) for part in chunks], 0)
    while len(lists) > 1:
        lists += objects.encode_lists([(digest_of(d), n) for d, n in lists], 1)
        break
    stored = [data for data, _ in lists]
    entry = objects.encode_file(
        "large", 0o644, 5, len(content), digest_of(content), digest_of(stored[-1])
    )
    tree = objects.FOLDER_MAGIC + entry
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, len(content), digest_of(tree)))
    session = engine._database.session()
    for data in (*stored, *chunks, tree, root):
        session.put(digest_of(data), data)
    session.commit()
    snapshot = digest_of(root).hex()
    engine._store.register(snapshot)
    assert engine.verify([snapshot]) == []
    for number in (3, 20, 31):
        place.spoil(digest_of(chunks[number]))
    with (place.folder / "large").open("r+b") as file:
        file.seek(20 * 50_000)
        file.write(b"this one is lost for good")
    engine = place.opened()
    assert {(p.snapshot, p.path) for p in engine.repair([snapshot]).lost} == {(snapshot, "large")}
    missing = [
        number for number, part in enumerate(chunks) if not engine._database.has(digest_of(part))
    ]
    assert missing == [20]


def test_a_digest_that_is_not_that_of_the_content_is_found(place: Place) -> None:
    """All objects are whole, and the folder says something else of what they are together."""
    engine = place.opened()
    item = engine._trees.lookup(place.ids[0], "large")
    wrong = objects.encode_file("large", 0o644, 5, item.size, bytes(32), item.list_id)
    right = objects.encode_file("right", 0o644, 5, item.size, item.digest, item.list_id)
    tree = objects.FOLDER_MAGIC + wrong + right
    root = objects.encode_snapshot(objects.Root(0o755, 0, 2, 2 * item.size, digest_of(tree)))
    session = engine._database.session()
    for data in (tree, root):
        session.put(digest_of(data), data)
    session.commit()
    snapshot = digest_of(root).hex()
    engine._store.register(snapshot)
    for _ in range(2):
        assert [(p.snapshot, p.path) for p in engine.verify([*place.ids, snapshot])] == [
            (snapshot, "large")
        ]


def test_a_page_of_a_large_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other pages of the folder list is there for the asking."""
    monkeypatch.setattr(objects, "PAGED_FROM", 6)
    monkeypatch.setattr(objects.zlib, "crc32", lambda data: 0x100 * len(data) + data[-1] % 4)
    for number in range(20):
        write(place.folder / "many" / f"{number}", b"%d" % number * 50)
    engine = place.opened()
    snapshot = engine.snapshot().id
    state = state_of(place.folder)
    pages = engine._trees.pages(engine._trees.lookup(snapshot, "many").digest)
    assert len(pages) > 2
    names = {item.name for item in engine._trees.page(pages[1])}
    place.spoil(pages[1])
    shutil.rmtree(place.folder / "many")
    engine.close()
    (place.store / "stat-cache").unlink()
    engine = place.opened()
    assert {(p.snapshot, p.path) for p in engine.repair([snapshot]).lost} == {(snapshot, "many")}
    for path, what in state.items():
        if path.startswith("many/"):
            if path[5:] in names:
                with pytest.raises(CorruptStoreError):
                    engine.entry(snapshot, path)
            else:
                with engine.open(snapshot, path) as file:
                    assert file.read() == what[2]
    whole = [f"many/{number}" for number in range(20) if f"{number}" not in names]
    assert engine.restore(snapshot, place.out, whole) == len(whole)


def test_a_damaged_map_of_captures(place: Place) -> None:
    """What is whole of it is kept, what is not is lost, and nothing else is."""
    engine = place.opened()
    capture = bytes(range(16))
    contents = [b"captured %d" % number * 40 for number in range(4)]
    keys = [captures.KEY.pack(capture, number * 4096 + 12, 1 << 20) for number in range(4)]
    entries = b"".join(
        objects.encode_file(
            f"{number}", 0o644, 5, len(contents[number]), keys[number], b"", 0, True
        )
        for number in range(4)
    )
    tree = objects.FOLDER_MAGIC + entries
    root = objects.encode_snapshot(objects.Root(0o755, 0, 4, 1440, digest_of(tree)))
    session = engine._database.session()
    for data in (*contents, tree, root):
        session.put(digest_of(data), data)
    session.commit()
    snapshot = digest_of(root).hex()
    engine._trees.captures.write_map(
        capture,
        {
            (number * 4096 + 12, 1 << 20): captures.Resolution(
                len(content), digest_of(content), b""
            )
            for number, content in enumerate(contents)
        },
    )
    engine._store.register(snapshot)
    assert engine.verify([snapshot]) == []
    assert [e.digest for e in engine.walk(snapshot)] == [digest_of(c).hex() for c in contents]
    path = Path(engine._trees.captures.path(capture, "map"))
    good = path.read_bytes()
    flip(path, len(good) - 1)
    engine = place.opened()
    assert [p.path for p in engine.verify([snapshot])] == [f"captures/{capture.hex()}.map"]
    assert engine.repair([snapshot]).lost == []
    assert path.read_bytes() == good
    flip(path, captures.MAP_HEAD.size + captures.MAP_ENTRY.size + captures.CHECK + 30)
    engine = place.opened()
    assert {p.path for p in engine.verify([snapshot])} == {"1", f"captures/{capture.hex()}.map"}
    for _ in range(2):
        assert [(p.snapshot, p.path) for p in engine.repair([snapshot]).lost] == [(snapshot, "1")]
    for name in ("0", "2", "3"):
        with engine.open(snapshot, name) as file:
            assert file.read() == contents[int(name)]
    assert sorted(p.name for p in (place.store / "lost+found").iterdir()) == [path.name]


def test_nothing_that_can_be_read_is_dropped_by_gc_after_damage(place: Place) -> None:
    first, second, last = place.ids
    engine = place.opened()
    place.spoil(engine._trees.lookup(first, "old").digest)
    engine = place.opened()
    engine.repair(place.ids)
    with pytest.raises(CorruptStoreError, match="Nothing was dropped"):
        engine.gc(place.ids)
    place.check(engine, {(first, "old")})
    # once it is given up, room is freed again
    engine.gc([second, last])
    assert not engine.exists(first)
    assert engine.verify([second, last]) == []


@pytest.mark.parametrize("look", ["held", "snapshot_ids"])
def test_what_gc_drops_just_then_is_no_damage(
    place: Place, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """Between the look at one list and the look at another one."""
    first, *_, last = place.ids
    engine = place.opened()
    engine.hold([first], COMMIT_HOLD)
    real = getattr(Store, look)

    def looked(store: Store) -> object:
        found = real(store)
        monkeypatch.setattr(Store, look, real)
        place.opened().gc([last])
        engine._database.refresh(force=True)
        return found

    monkeypatch.setattr(Store, look, looked)
    assert engine.verify([last]) == []
    assert getattr(Store, look) is real
    assert not engine.exists(first)


@pytest.mark.fault
def test_killed_while_it_repairs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the instant, doing it again gives what it would have given."""
    first, second, _ = place.ids
    place.spoil(digest_of(b"only in 0" * 30))
    place.spoil(digest_of(b"version 1" * 30))
    place.spoil(digest_of(b"the same in all of them" * 20))
    lost = {(first, "old/0"), (second, "edited")}
    keep = place.store.with_name("keep")
    shutil.copytree(place.store, keep)
    started = time.monotonic()
    engine = place.opened()
    engine.repair(place.ids)
    place.check(engine, lost)
    engine.close()
    took = time.monotonic() - started
    rand = seeded()
    for _ in range(6):
        shutil.rmtree(place.store)
        shutil.copytree(keep, place.store)
        killed(lambda _: place.opened().repair(place.ids), rand.uniform(0, took))
        engine = place.opened()
        assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == lost
        place.check(engine, lost)
        engine.gc([])
        assert list((place.store / "tmp").iterdir()) == []
        engine.close()


@pytest.mark.fault
def test_a_power_cut_while_it_repairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is damaged than before, and doing it again gives what it would have given."""
    look(record_repair(tmp_path, monkeypatch), tmp_path, 0.3)


def test_a_store_that_cannot_be_written_is_not_harmed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.spoil(digest_of(b"version 1" * 30))
    engine = place.opened()
    before = {path.name: path.read_bytes() for path in place.packs()}

    def failing(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing)
        with pytest.raises(SnapshotError, match="disk is full"):
            engine.repair(place.ids)
    assert {path.name: path.read_bytes() for path in place.packs()} == before
    lost = {(place.ids[1], "edited")}
    assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == lost
    place.check(engine, lost)


def test_a_folder_that_is_gone_has_nothing_to_offer(place: Place) -> None:
    place.spoil(digest_of(b"version 2" * 30))
    engine = place.opened()
    place.folder.rename(place.folder.with_name("elsewhere"))
    lost = {(place.ids[2], "edited")}
    assert {(p.snapshot, p.path) for p in engine.repair(place.ids).lost} == lost
    assert not place.folder.exists()
    kinds = {entry.kind for entry in engine.walk(place.ids[2])}
    assert kinds == {Kind.FILE, Kind.FOLDER, Kind.SYMLINK}
    assert packs.RAW == 0
