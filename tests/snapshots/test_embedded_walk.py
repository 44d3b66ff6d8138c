# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many files and many packs: what is known of them is small, and found again."""

from __future__ import annotations

import os
import random
import tracemalloc
from pathlib import Path

import pytest
from snapshot_helpers import settle, write

from dotscience_jupyter.snapshots import EmbeddedEngine
from dotscience_jupyter.snapshots.embedded import (
    capture,
    database,
    known,
    listing,
    objects,
    packs,
    packset,
    scan,
    statcache,
    store,
)
from dotscience_jupyter.snapshots.embedded.listing import Listing
from dotscience_jupyter.snapshots.embedded.packs import hash_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store")


# -- what is known of a folder -------------------------------------------------------------------


def test_a_listing_gives_back_what_was_put_in() -> None:
    names = ["b", "a", "new\nline", os.fsdecode(b"\xff\xfe"), "ünï😀", "linked", "unread", "late"]
    raw: dict[str, bytes | None] = {
        name: objects.encode_file(name, 0o644, 5, 7, bytes(32), b"", 9 if name == "linked" else 0)
        for name in names
    }
    raw["link"] = objects.encode_link("link", -1, "to\udcff")
    raw["unread"] = None
    print_ = (0o100644, 7, -5, 2**62, 2**64 - 1)
    prints: dict[str, capture.Fingerprint | None] = dict.fromkeys(raw, print_)
    prints["a"] = None
    prints["unread"] = None
    prints["late"] = (0o100644, 7, 2**63, 0, 1)  # such a time does not fit, and is not relied on
    packed = Listing.of(raw, prints)
    assert len(packed) == 9
    assert list(packed) == sorted(raw, key=os.fsencode)
    assert packed.raw() == raw
    found = packed.fingerprints()
    known = {name for name, value in found.items() if listing.is_known(value)}
    assert known == raw.keys() - {"a", "unread", "late"}
    assert all(found[name] == print_ for name in known)
    assert packed.unsure
    assert packed.unsure_names() == {"a", "unread", "late", "linked"}
    assert not Listing.of({"b": raw["b"]}, {"b": print_}).unsure
    assert Listing.of({}, {}) is listing.EMPTY
    assert (list(listing.EMPTY), listing.EMPTY.raw(), listing.EMPTY.fingerprints()) == ([], {}, {})


def test_a_listing_keeps_nothing_twice_and_notices_what_an_entry_says() -> None:
    now = (0o100640, 7, 5, 6, 1)
    raw: dict[str, bytes | None] = {
        "f": objects.encode_file("f", 0o640, 5, 7, bytes(32), b"", 9),
        "link": objects.encode_link("link", 5, "f"),
        "listed": objects.encode_file("listed", 0o640, 5, 7, bytes(32), bytes(32), captured=False),
    }
    prints = {"f": now, "link": (0o120777, 1, 5, 6, 2), "listed": now}
    packed = Listing.of(raw, prints)
    assert packed.raw() == raw
    assert packed.fingerprints() == prints
    # a byte for what each is, and what only the entry says: digests, a group, where a link leads
    assert len(packed.entries) == (1 + 32 + 8) + (1 + 1) + (1 + 64)
    assert packed.unsure_names() == {"f"}
    later = (0o100640, 7, 5, 99, 1)
    assert packed.same_entries(Listing.of(raw, {**prints, "f": later})), "only the ctime is another"
    assert packed.same_entries(Listing.of(raw, {**prints, "f": None})), "it is not known any more"
    for entry, print_ in (
        (objects.encode_file("f", 0o640, 8, 7, bytes(32), b"", 9), (0o100640, 7, 8, 6, 1)),
        (objects.encode_file("f", 0o600, 5, 7, bytes(32), b"", 9), (0o100600, 7, 5, 6, 1)),
        (objects.encode_file("f", 0o640, 5, 8, bytes(32), b"", 9), (0o100640, 8, 5, 6, 1)),
        (objects.encode_file("f", 0o640, 5, 7, bytes(31) + b"1", b"", 9), now),
    ):
        other = Listing.of({**raw, "f": entry}, {**prints, "f": print_})
        assert other.raw()["f"] == entry
        assert not packed.same_entries(other)


def test_little_memory_for_a_file(folder: Path) -> None:
    count = 5000
    raw: dict[str, bytes | None] = {}
    prints: dict[str, capture.Fingerprint | None] = {}
    for number in range(count):
        name = f"image-{number:06}.png"
        raw[name] = objects.encode_file(name, 0o644, 10**18, number, os.urandom(32), b"")
        prints[name] = (0o100644, number, 10**18, 10**18 + number, number + 1)
    root = scan.Folder()
    root.listing = Listing.of(raw, prints)
    root.tree, root.rules_id, root.files = bytes(32), bytes(16), count
    place = store.Store(folder.parent / "store")
    statcache.save(place, root, "generation")
    tracemalloc.start()
    try:
        loaded = statcache.load(place)
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert loaded is not None
    assert loaded[0].listing == root.listing
    assert loaded[1] == "generation"
    assert size / count < 95
    # a folder at a time: what is read is not held twice, apart from a buffer
    assert peak - size < 1.2 * size + (1 << 19)


def test_a_cache_of_another_version_is_no_cache(folder: Path) -> None:
    write(folder / "f", "f")
    engine = opened(folder)
    first = engine.snapshot()
    engine.close()
    cache = folder.parent / "store" / "stat-cache"
    cache.write_bytes(cache.read_bytes().replace(b"dsstat4\n", b"dsstat3\n"))
    assert statcache.load(store.Store(folder.parent / "store")) is None
    assert opened(folder).snapshot() == first


def test_the_cache_is_written_when_that_is_little_beside_the_snapshot(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "f", "f")
    cache = folder.parent / "store" / "stat-cache"
    monkeypatch.setattr(known, "_SAVING", 1000.0)
    engine = opened(folder)
    engine.snapshot()
    assert not cache.exists()
    engine.settle()
    written = cache.stat().st_ino
    engine.settle()
    assert cache.stat().st_ino == written, "nothing new, nothing written"
    write(folder / "f", "edited")
    engine.snapshot()
    assert cache.stat().st_ino == written
    engine.close()
    assert cache.stat().st_ino != written
    monkeypatch.setattr(known, "_SAVING", 0.0)
    cache.unlink()
    engine = opened(folder)
    engine.snapshot()
    assert cache.exists()


def test_times_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    late = 2**63 + 10**18  # in the year 2293
    write(folder / "d" / "f", "f")
    for path in (folder / "d" / "f", folder / "d"):
        os.utime(path, ns=(0, late))
    if (folder / "d").stat().st_mtime_ns != late:
        pytest.skip("this file system has no such times")
    engine = opened(folder)
    snapshot = engine.snapshot()
    assert engine.entry(snapshot.id, "d/f").mtime_ns == 2**63 - 1
    engine.restore(snapshot.id, tmp_path / "out")
    assert (tmp_path / "out" / "d" / "f").read_text() == "f"
    assert engine.snapshot() == snapshot


def test_files_are_counted_again_after_something_was_dropped(folder: Path) -> None:
    for number in range(10):
        write(folder / "d" / f"{number}", f"{number}")
    os.link(folder / "d" / "1", folder / "d" / "one")
    settle()
    engine = opened(folder)
    first = engine.snapshot()
    lost = engine._database.find(hash_bytes(b"7"))
    assert lost is not None
    engine._database.remove([lost[0]])
    engine._store.next_generation()
    assert engine.snapshot() == first
    assert engine.verify([first.id]) == []


# -- many packs ----------------------------------------------------------------------------------


class Finds:
    """Counts how often a pack is searched."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = packs.Pack.find

        def find(this: packs.Pack, digest: bytes) -> int:
            self.count += 1
            return real(this, digest)

        monkeypatch.setattr(packs.Pack, "find", find)


def fill(database: database.Database, numbers: range) -> None:
    """Add a pack with some objects, which are numbers in words."""
    session = database.session()
    for number in numbers:
        data = b"%d" % number
        session.put(hash_bytes(data), data)
    session.commit()


def test_many_packs_are_searched_like_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = database.Database(store.Store(folder.parent / "store"))
    for first in range(0, 900, 3):
        fill(base, range(first, first + 3))
    assert len(base.packs) == 300
    finds = Finds(monkeypatch)
    for number in range(900):
        assert base.has(hash_bytes(b"%d" % number))
    for number in range(1000, 2000):
        assert not base.has(hash_bytes(b"%d" % number))
    assert finds.count < 900 + 2 * 900, "a search of each, and what it took to see that it pays"
    # what comes and goes is known at once, here and to those who look again
    other = database.Database(base.store)
    for number in range(10):
        assert other.get(hash_bytes(b"%d" % number)) == b"%d" % number
    fill(base, range(1000, 2000))
    gone = [pack for pack in base.packs if pack.find(hash_bytes(b"4")) >= 0]
    base.remove(gone)
    for searched in (base, other):
        searched.refresh(force=True)
        finds.count = 0
        found = [n for n in range(2100) if searched.has(hash_bytes(b"%d" % n))]
        assert found == [*range(3), *range(6, 900), *range(1000, 2000)]
        assert finds.count < 12_000
    base.replace(list(base.packs))
    assert len(base.packs) == 1
    other.refresh(force=True)
    assert {pack.name for pack in other.packs} == {pack.name for pack in base.packs}
    assert other.get(hash_bytes(b"1500")) == b"1500"
    assert not other.has(hash_bytes(b"4"))


def test_a_pack_set_is_what_its_packs_are(folder: Path) -> None:
    base = database.Database(store.Store(folder.parent / "store"))
    for first in range(0, 400, 4):
        fill(base, range(first, first + 6))  # two of each are in the pack before, so not again
    every = list(base.packs)
    found = packset.PackSet()
    choice = random.Random(1)
    held: set[int] = set()
    for _ in range(300):
        number = choice.randrange(len(every))
        if number in held:
            held.discard(number)
            found.change((), [every[number]])
        else:
            held.add(number)
            found.change([every[number]])
        for digest in (every[number].digest(0), every[choice.randrange(len(every))].digest(1)):
            expected = {every[at].name for at in held if every[at].find(digest) >= 0}
            assert {pack.name for pack, _ in found.places(digest)} == expected
            assert found.first(digest) == next(found.places(digest), None)
    assert found._table is not None, "it was searched often enough"


def test_damage_in_one_copy_is_mended_by_another(folder: Path) -> None:
    place = store.Store(folder.parent / "store")
    first, second = database.Database(place), database.Database(place)
    fill(first, range(50))
    fill(second, range(50))  # it has not looked since, so it adds the same
    both = database.Database(place)
    assert len(both.packs) == 2
    digest = hash_bytes(b"7")
    (pack, at), _ = both._packs.places(digest)
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + packs.RECORD.size)
        file.write(b"x")
    assert both.get(digest) == b"7"


def test_a_pack_is_closed_when_it_holds_many_objects(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PACK_OBJECTS", 50)
    for number in range(300):
        write(folder / f"{number}", f"{number}")
    engine = opened(folder)
    snapshot = engine.snapshot()
    sizes = [len(pack) for pack in engine._database.packs]
    assert len(sizes) >= 6
    assert max(sizes) <= 50
    assert sum(sizes) == engine.usage().extra["objects"]
    assert opened(folder).verify([snapshot.id]) == []
    write(folder / "again", "7")
    objects_before = engine.usage().extra["objects"]
    engine.snapshot()
    assert engine.usage().extra["objects"] == objects_before + 2, "the folder and the root"


def test_packs_that_were_closed_for_their_objects_are_not_merged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PACK_OBJECTS", 50)
    monkeypatch.setattr(database, "MERGE_FROM", 6)
    base = database.Database(store.Store(folder.parent / "store"))
    fill(base, range(400))
    assert [len(pack) for pack in base.packs] == [50] * 8
    for number in range(1000, 1005):
        fill(base, range(number, number + 1))
    base.merge_small()
    assert len(base.packs) == 13, "5 are small"
    fill(base, range(1005, 1006))
    base.merge_small()
    assert sorted(len(pack) for pack in base.packs) == [6] + [50] * 8
