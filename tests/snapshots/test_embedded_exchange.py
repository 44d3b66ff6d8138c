# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Objects that go from store to store: what is asked, sent, taken in, and proven."""

from __future__ import annotations

import functools
import io
import os
import random
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import loopfs
import pytest
import zstandard
from chance import seeded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import END, killed
from snapshot_helpers import returned_long_ago, state_of, write
from transfer_helpers import (
    KILLS,
    Record,
    Slow,
    fill_to_be_captured,
    framed,
    shrink,
    some_files,
    whole,
)

from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    Edit,
    EmbeddedEngine,
    SnapshotError,
    SnapshotNotFoundError,
    TransferError,
)
from dotscience_jupyter.snapshots.embedded import (
    arrivals,
    asking,
    capture,
    exchange,
    objects,
    partial,
)
from dotscience_jupyter.snapshots.embedded.captures import KEY, Resolution
from dotscience_jupyter.snapshots.embedded.packs import RAW, ZSTD, hash_bytes
from dotscience_jupyter.snapshots.embedded.transfer import MAP, OBJECT, RECORD
from dotscience_jupyter.snapshots.stream import header_of


class Side:
    """A store, and what it is asked."""

    def __init__(self, path: Path, grace: float = 900.0) -> None:
        self.path = path
        self.engine = EmbeddedEngine.open_store(path, grace=grace)
        self.asked: list[list[bytes]] = []

    def again(self) -> EmbeddedEngine:
        return EmbeddedEngine.open_store(self.path, grace=0.0)

    def lacks(self, ids: list[bytes]) -> list[bytes]:
        self.asked.append(ids)
        return self.engine.missing(ids)

    def unpacked(self, stream: bytes) -> int:
        return self.engine.unpack(io.BytesIO(stream))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path / "here")
    yield side
    side.engine.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path / "there")
    yield side
    side.engine.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a little content go through everything that much content goes through."""
    shrink_all(monkeypatch)


def shrink_all(patch: pytest.MonkeyPatch) -> None:
    shrink(patch)
    patch.setattr(objects, "GROUP_LIMIT", 4)
    patch.setattr(asking, "MAX_ASKED", 5)
    patch.setattr(asking, "_AHEAD", 3)


def content(seed: int = 1) -> list[Edit]:
    edits = [Edit(path, data) for path, data in some_files(seed).items()]
    edits.append(Edit("link", None, target="large"))
    edits += [Edit(f"twice/{n}/d/{m}", b"%d" % m) for n in range(3) for m in range(9)]
    return edits


def packed(side: Side, ids: Iterable[bytes]) -> bytes:
    stream = io.BytesIO()
    side.engine.pack(ids, stream)
    return stream.getvalue()


def push(here: Side, there: Side, snapshot: str, hold: str = "test") -> int:
    """Bring a snapshot over, as a client does; return the bytes that were sent."""
    size = 0
    lacking: list[bytes] = []
    for _ in range(2):
        # garbage may lack what is below it, which the first answer tells
        stream = packed(here, here.engine.needed(snapshot, there.lacks, also=lacking))
        size += len(stream)
        there.unpacked(stream)
        lacking = there.engine.adopt([snapshot], hold)
        if not lacking:
            break
    assert lacking == []
    return size


def all_of(side: Side, snapshot: str) -> set[bytes]:
    """The ids of all that a snapshot needs."""
    return set(side.engine.needed(snapshot, lambda ids: ids))


def below(side: Side, digest: bytes) -> set[bytes]:
    """The ids of the objects that one refers to, whatever it is."""
    data = side.engine._database.get(digest)
    if data[:4] == objects.SNAPSHOT_MAGIC:
        return {objects.decode_snapshot(data).tree}
    if data[:4] == objects.PAGES_MAGIC:
        return set(objects.decode_pages(data) or ())
    if data[:4] == objects.LIST_MAGIC:
        return {bytes(inner) for inner, _ in objects.decode_list(data)[1]}
    if data[:4] == objects.FOLDER_MAGIC:
        items = objects.decode_page(data)
        return {
            item.list_id or item.digest
            for item in items
            if item.digest and (item.size or item.code == 3)
        }
    return set()


# -- what is asked and sent ------------------------------------------------------------------------


def test_a_snapshot_goes_over(here: Side, there: Side, tmp_path: Path) -> None:
    snapshot = here.engine.edit(None, content()).id
    ids = list(here.engine.needed(snapshot, there.lacks))
    assert len(there.asked) == 1, "it is small"
    stream = io.BytesIO()
    assert here.engine.pack(iter(ids), stream) == len(ids)
    stream.write(b"more")
    stream.seek(0)
    assert there.engine.unpack(stream) == len(ids)
    assert stream.read() == b"more", "what is behind the end is not looked at"
    assert not there.engine.exists(snapshot)
    assert there.engine.snapshots() == []
    assert there.engine.missing([*ids, *ids]) == []
    assert there.engine.adopt([snapshot], "test") == []
    assert [(info.id, info.holds) for info in there.engine.snapshots()] == [(snapshot, ("test",))]
    assert there.engine.verify([snapshot]) == []
    assert there.engine.content_id(snapshot) == here.engine.content_id(snapshot)
    for side in (here, there):
        side.engine.restore(snapshot, tmp_path / f"from-{side.path.name}")
    expected = state_of(tmp_path / "from-here", folder_times=True)
    assert state_of(tmp_path / "from-there", folder_times=True) == expected
    there.asked.clear()
    assert list(here.engine.needed(snapshot, there.lacks)) == []
    assert len(there.asked) == 1


def test_missing(here: Side) -> None:
    snapshot = here.engine.edit(None, content()).id
    known, other = bytes.fromhex(snapshot), [bytes([n]) * 32 for n in range(3)]
    assert here.engine.missing([]) == []
    assert here.engine.missing([other[1], known, other[0], other[1], known]) == [other[1], other[0]]
    again = here.again()
    here.engine.edit(None, [Edit("x", b"new")])
    assert again.missing([hash_bytes(b"new")]) == [], "what another process added is seen"
    again.close()


def test_a_change_costs_what_changed(here: Side, there: Side) -> None:
    """A megabyte in a large file and ten small files: less than one and a half of that."""
    data = random.Random(1).randbytes(24 << 20)
    base = here.engine.edit(None, [Edit("large", data)]).id
    push(here, there, base)
    changed = random.Random(2).randbytes(1 << 20)
    data = data[: 11 << 20] + changed + data[12 << 20 :]
    edits = [Edit("large", io.BytesIO(data)), *(Edit(f"new/{n}", b"%d" % n) for n in range(10))]
    snapshot = here.engine.edit(base, edits).id
    there.asked.clear()
    # at most a chunk more at either end
    assert push(here, there, snapshot) < (1 << 20) + 2 * capture.CHUNK
    assert sum(map(len, there.asked)) < 200
    assert len(there.asked) == 1


def test_many_unchanged_files_are_one_question(here: Side, there: Side) -> None:
    edits = (Edit(f"d{n // 250}/{n}", b"%d" % n) for n in range(20_000))
    base = here.engine.edit(None, edits).id
    push(here, there, base)
    there.asked.clear()
    assert list(here.engine.needed(base, there.lacks)) == []
    assert len(there.asked) == 1
    there.asked.clear()
    snapshot = here.engine.edit(base, [Edit("d17/4300", b"new")]).id
    # content, its folder, the root and the snapshot
    assert len(list(here.engine.needed(snapshot, there.lacks))) == 4
    assert len(there.asked) <= 2
    assert sum(map(len, there.asked)) < 5000


def test_so_many_are_asked_at_a_time(
    here: Side, there: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_ASKED", 100)
    monkeypatch.setattr(asking, "_AHEAD", 10)
    snapshot = here.engine.edit(None, [Edit(f"{n % 7}/{n}", b"%d" % n) for n in range(950)]).id
    said: list[tuple[int, int, str]] = []
    ids = list(here.engine.needed(snapshot, there.lacks, lambda *words: said.append(words)))
    assert len(ids) == 950 + 7 + 2
    assert max(map(len, there.asked)) == 100
    assert len(there.asked) <= 13
    asked = [digest for ids in there.asked for digest in ids]
    assert len(asked) == len(set(asked)) == len(ids)
    assert said[-1][0] == len(ids)


NAMES = ["a", "b", "c", "d", "e"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map("/".join)
CONTENT = st.integers(0, 3).flatmap(
    lambda seed: st.sampled_from([0, 5, 900, 5000, 30_000]).map(
        lambda size: random.Random(seed).randbytes(size)
    )
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.lists(st.tuples(PATHS, CONTENT), min_size=1, max_size=12), min_size=1, max_size=3
    ),
    cuts=st.lists(st.floats(0, 1), max_size=3),
)
def test_whatever_arrived_is_complete_below(
    steps: list[list[tuple[str, bytes]]], cuts: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the same folders and contents are at several places and depths."""
    with monkeypatch.context() as patched, tempfile.TemporaryDirectory() as place:
        shrink_all(patched)
        here, there = Side(Path(place) / "here"), Side(Path(place) / "there")
        base: str | None = None
        for files in steps:
            edits = [Edit("", None, mode=0o755, mtime_ns=0, folder=True)]
            for path, data in files:
                try:
                    base = here.engine.edit(base, [Edit(path, data, mtime_ns=0)]).id
                except SnapshotError:
                    continue  # a file is in the way
                parents = path.split("/")[:-1]
                edits += [
                    Edit("/".join(parents[:n]), None, mode=0o755, mtime_ns=0, folder=True)
                    for n in range(1, len(parents) + 1)
                ]
                # equal folders are one object only if their times are equal
                base = here.engine.edit(base, edits).id
            assert base is not None
            for cut in [*cuts, 1.0]:
                wanted = there.engine.missing(sorted(all_of(here, base)))
                ids = list(here.engine.needed(base, there.lacks))
                assert len(ids) == len(set(ids))
                assert set(ids) == set(wanted)
                assert max(map(len, there.asked)) <= 5
                there.unpacked(packed(here, ids[: int(cut * len(ids))]))
                for digest in ids[: int(cut * len(ids))]:
                    assert there.engine.missing(sorted(below(here, digest))) == []
            assert there.engine.adopt([base], "test") == []
            assert there.engine.verify([base]) == []
        here.engine.close()
        there.engine.close()


def test_a_file_with_the_bytes_of_a_folder(here: Side, there: Side, small_steps: None) -> None:
    """What it is as a file says nothing of what the folder needs."""
    edits = [Edit("z/inner", b"content", mtime_ns=0)]
    first = here.engine.edit(None, edits)
    bytes_of = here.engine._database.get(here.engine._trees.lookup(first.id, "z").digest)
    # the file is sent before the folder is come to
    edits = [Edit("a/file", bytes_of), *(Edit(f"b/{n}/x", b"%d" % n) for n in range(9))]
    edits += [Edit(f"c{n}", b"c%d" % n) for n in range(9)]
    snapshot = here.engine.edit(first.id, edits).id
    push(here, there, snapshot)
    assert there.engine.verify([snapshot]) == []
    third = Side(there.path.with_name("third"))
    file = here.engine.edit(None, [Edit("a", bytes_of)]).id
    push(here, third, file)
    stream = packed(here, here.engine.needed(snapshot, third.lacks))
    third.unpacked(stream)
    lacking = third.engine.adopt([snapshot], "test")
    assert lacking == [hash_bytes(b"content")], "it is there, as a file"
    third.unpacked(packed(here, here.engine.needed(snapshot, third.lacks, also=lacking)))
    assert third.engine.adopt([snapshot], "test") == []
    assert third.engine.verify([snapshot]) == []
    third.engine.close()


def test_a_snapshot_that_is_not_there(here: Side, there: Side) -> None:
    for snapshot in ("0" * 64, "no id"):
        with pytest.raises(SnapshotNotFoundError):
            here.engine.needed(snapshot, there.lacks)


def test_an_object_that_is_not_there(here: Side, there: Side) -> None:
    snapshot = here.engine.edit(None, content()).id
    good = list(here.engine.needed(snapshot, there.lacks))
    stream = io.BytesIO()
    with pytest.raises(CorruptStoreError, match="missing"):
        here.engine.pack([*good[:5], bytes(32)], stream)
    with pytest.raises(TransferError, match="cut"):
        there.unpacked(stream.getvalue())


def test_an_object_that_is_damaged(here: Side, there: Side) -> None:
    data = random.Random(1).randbytes(5000)
    snapshot = here.engine.edit(None, [Edit("a", data), Edit("b", b"fine")]).id
    damage(here, hash_bytes(data))
    with pytest.raises(CorruptStoreError, match="digest"):
        packed(here, here.engine.needed(snapshot, there.lacks))


def damage(side: Side, digest: bytes) -> None:
    """Flip a bit in every copy of an object."""
    for pack in side.engine._database.packs:
        at = pack.find(digest)
        if at >= 0:
            with open(pack.path, "r+b") as file:
                file.seek(pack.offset(at) + RECORD.size + 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 4]))


def test_a_reader_that_goes_away(here: Side, there: Side) -> None:
    class Gone(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    snapshot = here.engine.edit(None, content()).id
    with pytest.raises(SnapshotError, match="Broken pipe"):
        here.engine.pack(here.engine.needed(snapshot, there.lacks), Gone())


def test_memory_stays_flat(here: Side, there: Side, tmp_path: Path) -> None:
    class Zeros(io.RawIOBase):
        """Bytes that cannot be compressed, never the same ones."""

        def __init__(self, size: int) -> None:
            self.left = size
            self.random = random.Random(1)

        def read(self, count: int = -1) -> bytes:
            part = self.random.randbytes(min(count, self.left))
            self.left -= len(part)
            return part

    snapshot = here.engine.edit(None, [Edit("large", Zeros(100 << 20))]).id  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        with open(tmp_path / "stream", "w+b") as stream:
            here.engine.pack(here.engine.needed(snapshot, there.lacks), stream)
            stream.seek(0)
            there.engine.unpack(stream)
        assert there.engine.adopt([snapshot], "test") == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20


# -- streams that are cut or wrong -----------------------------------------------------------------


def test_a_stream_that_is_cut_anywhere(here: Side, there: Side, small_steps: None) -> None:
    snapshot = here.engine.edit(None, content()).id
    whole = packed(here, here.engine.needed(snapshot, there.lacks))
    rand = random.Random(2)
    arrived = 0
    for cut in sorted(rand.randrange(len(whole)) for _ in range(25)):
        stream = packed(here, here.engine.needed(snapshot, there.lacks))
        assert len(stream) <= len(whole)
        with pytest.raises(TransferError, match="cut"):
            there.unpacked(stream[: min(cut, len(stream) - 1)])
        assert there.engine.snapshots() == []
        count = len(all_of(here, snapshot)) - len(
            there.engine.missing(list(all_of(here, snapshot)))
        )
        assert count >= arrived
        arrived = count
    assert arrived > 10
    push(here, there, snapshot)
    assert there.engine.verify([snapshot]) == []


def test_a_flipped_bit_anywhere(here: Side, there: Side, small_steps: None) -> None:
    """It is noticed, and nothing that is wrong gets in."""
    snapshot = here.engine.edit(None, content()).id
    stream = packed(here, here.engine.needed(snapshot, there.lacks))
    rand = random.Random(3)
    for at in [*range(0, 200, 3), *(rand.randrange(len(stream)) for _ in range(60))]:
        bad = bytearray(stream)
        bad[at] ^= 1 << rand.randrange(8)
        with pytest.raises(SnapshotError):
            there.unpacked(bytes(bad))
    there.unpacked(stream)
    assert there.engine.adopt([snapshot], "test") == []
    assert there.engine.verify([snapshot]) == []


def forged(*records: Record, version: object = 1) -> bytes:
    """A stream with right frames."""
    return framed({**header_of(exchange.ENGINE, 1), "format": version}, list(records))


@pytest.mark.parametrize(
    "record",
    [
        (OBJECT, RAW, b"evil", 4, hash_bytes(b"good")),
        (OBJECT, RAW, b"good", 5, hash_bytes(b"good")),
        (OBJECT, RAW, b"good", (1 << 32) - 1, hash_bytes(b"good")),
        (OBJECT, ZSTD, b"good", 4, hash_bytes(b"good")),
        (OBJECT, ZSTD, zstandard.ZstdCompressor().compress(bytes(1 << 27)), 1 << 27, bytes(32)),
        (OBJECT, 7, b"good", 4, hash_bytes(b"good")),
        (9, RAW, b"good", 4, hash_bytes(b"good")),
        (MAP, RAW, b"nonsense", 8, bytes(32)),
        (MAP, RAW, b"", 0, bytes(32)),
    ],
)
def test_records_that_are_wrong(there: Side, record: tuple[int, int, bytes, int, bytes]) -> None:
    with pytest.raises(TransferError, match="not what it is said to be"):
        there.unpacked(forged(whole(b"before"), record))
    missing = there.engine.missing([hash_bytes(b"good"), hash_bytes(b"before")])
    assert hash_bytes(b"good") in missing
    if record[0] != MAP:
        assert missing == [hash_bytes(b"good")], "what was right before it is not lost"


@pytest.mark.parametrize("version", [2, "1", None, 0, True, [1]])
def test_other_versions(there: Side, version: object) -> None:
    with pytest.raises(SnapshotError, match="Nothing was changed"):
        there.unpacked(forged(whole(b"good"), version=version))
    assert there.engine.missing([hash_bytes(b"good")])


def test_other_streams(here: Side, there: Side) -> None:
    snapshot = here.engine.edit(None, content()).id
    stream = io.BytesIO()
    here.engine.send(snapshot, stream)
    with pytest.raises(SnapshotError, match="not a stream of objects"):
        there.unpacked(stream.getvalue())
    with pytest.raises(SnapshotError, match="not a stream"):
        there.unpacked(b"GET / HTTP/1.1\r\n")
    objects_of = packed(here, here.engine.needed(snapshot, there.lacks))
    with pytest.raises(SnapshotError, match="embedded-objects"):
        there.engine.receive(io.BytesIO(objects_of))
    with pytest.raises(TransferError):
        there.unpacked(b"")


def test_an_empty_stream(there: Side) -> None:
    assert there.unpacked(forged()) == 0
    assert there.engine.usage().extra["objects"] == 0


# -- adopting --------------------------------------------------------------------------------------


def test_what_lacks_is_told_and_none_is_adopted(here: Side, there: Side, small_steps: None) -> None:
    one = here.engine.edit(None, content()).id
    two = here.engine.edit(one, [Edit("more/x", random.Random(8).randbytes(9000))]).id
    assert there.engine.adopt([one, two], "test") == [bytes.fromhex(one), bytes.fromhex(two)]
    ids = list(here.engine.needed(one, there.lacks))
    there.unpacked(packed(here, ids))
    assert there.engine.adopt([two, one], "test") == [bytes.fromhex(two)]
    assert there.engine.snapshots() == []
    # only the last objects, so that most is to be told at once
    new = list(here.engine.needed(two, there.lacks))
    there.unpacked(packed(here, new[-3:]))
    lacking = there.engine.adopt([one, two], "test")
    assert lacking
    assert set(lacking) <= set(new[:-3])
    assert there.engine.snapshots() == []
    for _ in range(10):
        there.unpacked(packed(here, lacking))
        lacking = there.engine.adopt([one, two], "test")
        if not lacking:
            break
    assert {info.id: info.holds for info in there.engine.snapshots()} == {
        one: ("test",),
        two: ("test",),
    }
    assert there.engine.verify([one, two]) == []


@pytest.mark.parametrize("part", ["page", "folder", "list", "chunk", "file", "snapshot"])
def test_each_kind_of_object_may_lack(
    here: Side, there: Side, small_steps: None, part: str
) -> None:
    snapshot = here.engine.edit(None, content()).id
    trees = here.engine._trees
    large = trees.lookup(snapshot, "large")
    digest = {
        "page": trees.pages(trees.lookup(snapshot, "many").digest)[1],
        "folder": trees.lookup(snapshot, "twice/1").digest,
        "list": list(trees.lists(large))[-1],
        "chunk": list(trees.chunks(large))[3][0],
        "file": trees.lookup(snapshot, "many/7").digest,
        "snapshot": bytes.fromhex(snapshot),
    }[part]
    ids = list(here.engine.needed(snapshot, there.lacks))
    there.unpacked(packed(here, [each for each in ids if each != digest]))
    assert there.engine.adopt([snapshot], "test") == [digest]
    there.unpacked(packed(here, [digest]))
    assert there.engine.adopt([snapshot], "test") == []
    # and one that is damaged is replaced by what arrives
    there.engine.release([snapshot], "test")
    there.engine.destroy(snapshot)
    damage(there, digest)
    there.engine.close()
    (there.path / "content.db").unlink()
    again = Side(there.path)
    if part != "file":  # what is one object was proven when it arrived, and is not read again
        assert again.engine.adopt([snapshot], "test") == [digest]
    again.unpacked(packed(here, [digest]))
    assert again.engine.adopt([snapshot], "test") == []
    assert (
        again.again().open(snapshot, "large").read() == here.engine.open(snapshot, "large").read()
    )
    again.engine.close()


def test_the_ids_that_lack_are_not_too_many(
    here: Side, there: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.snapshots.embedded import proving

    monkeypatch.setattr(proving, "MAX_LACKING", 20)
    snapshot = here.engine.edit(None, [Edit(f"{n}", b"%d" % n) for n in range(500)]).id
    ids = list(here.engine.needed(snapshot, there.lacks))
    there.unpacked(packed(here, ids[-2:]))
    assert len(there.engine.adopt([snapshot], "test")) == 20


def test_garbage_that_lacks_what_is_below_it(here: Side, there: Side) -> None:
    """A folder object may be there without its files; then all of it comes in one round more."""
    snapshot = here.engine.edit(None, content()).id
    trees = here.engine._trees
    folder = trees.lookup(snapshot, "twice").digest
    there.unpacked(packed(here, [folder]))
    there.unpacked(packed(here, here.engine.needed(snapshot, there.lacks)))
    lacking = there.engine.adopt([snapshot], "test")
    assert lacking
    stream = packed(here, here.engine.needed(snapshot, there.lacks, also=lacking))
    there.unpacked(stream)
    assert there.engine.adopt([snapshot], "test") == []
    assert there.engine.verify([snapshot]) == []


def test_adopting_again_changes_nothing_and_holds(here: Side, there: Side) -> None:
    snapshot = here.engine.edit(None, content()).id
    push(here, there, snapshot, "one")
    assert there.engine.adopt([snapshot, snapshot], "two") == []
    assert there.engine.adopt([], "two") == []
    assert [info.holds for info in there.engine.snapshots()] == [("one", "two")]


def test_bad_ids_and_tags(here: Side, there: Side) -> None:
    snapshot = here.engine.edit(None, content()).id
    push(here, there, snapshot)
    for bad in ("", "x", "../" + "0" * 61, "0" * 63 + "\n", "A" * 64):
        with pytest.raises(SnapshotError, match="no snapshot's id"):
            there.engine.adopt([snapshot, bad], "other")
    for tag in ("", "a/b", "..", "x" * 101):
        with pytest.raises(SnapshotError, match="tag"):
            there.engine.adopt([snapshot], tag)
    assert [info.holds for info in there.engine.snapshots()] == [("test",)]


GOOD = objects.encode_file("f", 0o644, 0, 4, hash_bytes(b"good"), b"")


def wrong_folders() -> dict[str, list[bytes]]:
    chunks, _ = objects.encode_lists([(hash_bytes(b"good"), 4)], 0)[0]
    listed = hash_bytes(chunks)
    return {
        "folder that is none": [objects.encode_folder_entry("d", 0o755, 0, hash_bytes(b"good"))],
        "size": [objects.encode_file("f", 0o644, 0, 5, hash_bytes(b"good"), b"")],
        "empty": [objects.encode_file("f", 0o644, 0, 0, hash_bytes(b"good"), b"")],
        "order": [GOOD, objects.encode_file("a", 0o644, 0, 4, hash_bytes(b"good"), b"")],
        "twice": [GOOD, GOOD],
        "git": [objects.encode_folder_entry(".git", 0o755, 0, hash_bytes(objects.FOLDER_MAGIC))],
        "ours": [objects.encode_link(".dotscience", 0, "/etc")],
        "mode": [objects.encode_file("f", 0o10644, 0, 4, hash_bytes(b"good"), b"")],
        "link to nothing": [objects.encode_link("l", 0, "")],
        "list": [objects.encode_file("f", 0o644, 0, 4, hash_bytes(b"good"), hash_bytes(b"good"))],
        "listed size": [objects.encode_file("f", 0o644, 0, 5, hash_bytes(b"good"), listed)],
        "listed digest": [objects.encode_file("f", 0o644, 0, 4, hash_bytes(b"evil"), listed)],
    }


@pytest.mark.parametrize("name", wrong_folders())
def test_snapshots_that_do_not_fit_together(there: Side, name: str) -> None:
    folder = objects.FOLDER_MAGIC + b"".join(wrong_folders()[name])
    chunks, _ = objects.encode_lists([(hash_bytes(b"good"), 4)], 0)[0]
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, hash_bytes(folder)))
    there.unpacked(forged(*map(whole, (b"good", chunks, objects.FOLDER_MAGIC, folder, root))))
    for _ in range(2):
        with pytest.raises(SnapshotError, match="cannot be taken in, because it is not right"):
            there.engine.adopt([hash_bytes(root).hex()], "test")
    assert there.engine.snapshots() == []


def test_pages_that_are_out_of_order(here: Side, there: Side, small_steps: None) -> None:
    """Also where each of the pages is that of a snapshot which is trusted."""
    base = here.engine.edit(None, content()).id
    push(here, there, base)
    pages = here.engine._trees.pages(here.engine._trees.lookup(base, "many").digest)
    assert len(pages) > 2
    for wrong in (pages[::-1], [pages[0], pages[0]], [pages[1], pages[0]], [*pages, pages[0]]):
        listing = objects.encode_pages(wrong)
        tree = objects.FOLDER_MAGIC + objects.encode_folder_entry("many", 0, 0, hash_bytes(listing))
        root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, hash_bytes(tree)))
        there.unpacked(forged(whole(listing), whole(tree), whole(root)))
        with pytest.raises(SnapshotError, match="out of order"):
            there.engine.adopt([hash_bytes(root).hex()], "test")


def test_what_was_proven_is_not_read_again(
    here: Side, there: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(1).randbytes(8 << 20)
    edits = [Edit("large", data), *(Edit(f"d{n % 20}/{n}", b"%d" % n) for n in range(2000))]
    base = here.engine.edit(None, edits).id
    push(here, there, base)
    read: list[int] = []
    real = there.engine._database._read

    def counted(digest: bytes, how: object) -> object:
        found = real(digest, how)  # type: ignore[arg-type, var-annotated]
        read.append(len(found) if isinstance(found, bytes) else 0)
        return found

    for edit in (Edit("d7/7", b"new"), Edit("moved", data), Edit("d3", None)):
        snapshot = here.engine.edit(base, [edit]).id
        there.unpacked(packed(here, here.engine.needed(snapshot, there.lacks)))
        with monkeypatch.context() as patched:
            patched.setattr(there.engine._database, "_read", counted)
            read.clear()
            assert there.engine.adopt([snapshot], "test") == []
        assert sum(read) < 100_000
    assert there.engine.verify([info.id for info in there.engine.snapshots()]) == []


# -- company ---------------------------------------------------------------------------------------


def test_gc_spares_what_arrived_for_a_week(here: Side, there: Side, small_steps: None) -> None:
    there.engine.grace = 0.0
    snapshot = here.engine.edit(None, content()).id
    ids = list(here.engine.needed(snapshot, there.lacks))
    there.unpacked(packed(here, ids[:30]))
    there.engine.gc([])
    assert there.again().missing(ids) == ids[30:]
    (record,) = (there.path / "partial").iterdir()
    week_ago = time.time() - partial.MAX_AGE
    os.utime(record, (week_ago + 60, week_ago + 60))
    there.engine.gc([])
    assert there.again().missing(ids) == ids[30:]
    os.utime(record, (week_ago - 60, week_ago - 60))
    there.engine.gc([])
    assert there.again().missing(ids) == ids
    assert list((there.path / "partial").iterdir()) == []
    push(here, there, snapshot)
    assert there.engine.verify([snapshot]) == []


def test_a_record_of_arrivals_that_is_damaged(here: Side, there: Side) -> None:
    """What a power cut left of it is passed over, and what comes behind it counts."""
    there.engine.grace = 0.0
    path = there.path / "partial" / f"arrived-{int(time.time() // 86400)}"
    for left in (b"", b"ds", b"dsarrv1\n" + b"x" * 45, bytes(100), b"dsarrv1\n" + bytes(64)):
        path.write_bytes(left)
        data = os.urandom(40)
        there.unpacked(forged(whole(data)))
        there.engine.gc([])
        assert there.again().missing([hash_bytes(data)]) == []
        assert hash_bytes(data) in set(arrivals.protected(there.engine._store))


def test_what_was_there_and_goes_before_it_is_adopted(here: Side, there: Side) -> None:
    """The other side said that it has a folder, and dropped it then."""
    there.engine.grace = 0.0
    base = here.engine.edit(None, content()).id
    push(here, there, base)
    snapshot = here.engine.edit(base, [Edit("new", b"new")]).id
    stream = packed(here, here.engine.needed(snapshot, there.lacks))
    there.engine.release([base], "test")
    os.utime(next((there.path / "partial").iterdir()), (0, 0))
    there.engine.gc([])
    assert not there.engine.exists(base)
    there.unpacked(stream)
    lacking = there.engine.adopt([snapshot], "test")
    assert lacking
    there.unpacked(packed(here, here.engine.needed(snapshot, there.lacks, also=lacking)))
    assert there.engine.adopt([snapshot], "test") == []
    assert there.engine.verify([snapshot]) == []


def test_objects_that_go_while_they_are_unpacked(
    here: Side, there: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not stored because it was there is looked for again."""
    there.engine.grace = 0.0
    lost = there.engine.edit(None, [Edit("a", b"content")]).id
    assert there.engine.missing([hash_bytes(b"content")]) == []
    returned_long_ago(there.path, lost)
    real = exchange.Unpacking._step
    done: list[int] = []

    def step(self: exchange.Unpacking) -> None:
        if not done:
            done.append(there.again().gc([]))
        real(self)

    monkeypatch.setattr(exchange.Unpacking, "_step", step)
    with pytest.raises(TransferError, match="cleaned the snapshot store"):
        there.unpacked(forged(whole(b"other"), whole(b"content")))
    assert there.engine.missing([hash_bytes(b"other"), hash_bytes(b"content")]) == [
        hash_bytes(b"content")
    ]
    there.unpacked(forged(whole(b"content")))
    assert there.engine.missing([hash_bytes(b"content")]) == []


def test_objects_that_go_while_they_are_proven(
    here: Side, there: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gc gives up the arrivals between the proof and the list: then it is proven again."""
    snapshot = here.engine.edit(None, content()).id
    there.unpacked(packed(here, here.engine.needed(snapshot, there.lacks)))
    real = there.engine._store.shared

    def shared(otherwise: str = "") -> object:
        os.utime(next((there.path / "partial").iterdir()), (0, 0))
        there.again().gc([])
        return real(otherwise)

    monkeypatch.setattr(there.engine._store, "shared", shared)
    assert there.engine.adopt([snapshot], "test") == [bytes.fromhex(snapshot)]
    assert there.engine.snapshots() == []


def test_beside_gc_and_others(here: Side, there: Side, small_steps: None) -> None:
    """Several push, and another process collects and merges all the time."""
    there.engine.grace = 0.0
    snapshots = [here.engine.edit(None, content(seed % 3)).id for seed in range(3)]
    snapshots += [
        here.engine.edit(snapshots[n % 3], [Edit(f"many/{n}", os.urandom(3000))]).id
        for n in range(9)
    ]
    stop = threading.Event()
    errors: list[BaseException] = []
    adopted: list[str] = []

    def disturb() -> None:
        other = there.again()
        try:
            while not stop.is_set():
                known = [info.id for info in other.snapshots()]
                other.gc(known[1::2])
        except SnapshotNotFoundError:
            disturb()
        except BaseException as error:
            errors.append(error)
        finally:
            other.close()

    def client(mine: list[str]) -> None:
        engine = EmbeddedEngine.open_store(there.path, grace=0.0)
        source = EmbeddedEngine.open_store(here.path)
        try:
            for snapshot in mine:
                lacking: list[bytes] = []
                for _ in range(50):
                    stream = io.BytesIO()
                    source.pack(source.needed(snapshot, engine.missing, also=lacking), stream)
                    stream.seek(0)
                    try:
                        engine.unpack(stream)
                    except TransferError:
                        continue
                    lacking = engine.adopt([snapshot], "kept")
                    if not lacking:
                        adopted.append(snapshot)
                        break
        except BaseException as error:
            errors.append(error)
        finally:
            engine.close()
            source.close()

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    clients = [threading.Thread(target=client, args=(snapshots[n::3],)) for n in range(3)]
    try:
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
    finally:
        stop.set()
        disturbing.join(60)
    assert errors == []
    assert sorted(adopted) == sorted(snapshots)
    assert there.again().verify(snapshots) == []


# -- kills -----------------------------------------------------------------------------------------


def unpack_all(place: Path, streams: list[tuple[str, bytes]], out: int) -> None:
    engine = EmbeddedEngine.open_store(place, grace=0.0)
    for snapshot, data in streams:
        engine.unpack(Slow(data))
        if engine.adopt([snapshot], "test") == []:
            os.write(out, snapshot.encode() + b"\n")


@pytest.mark.fault
def test_killed_while_unpacking(here: Side, there: Side, small_steps: None) -> None:
    """At any instant: what was adopted is there whole, and what arrived is not dropped."""
    rand = seeded()
    todo: list[str] = []
    base: str | None = None
    for number in range(2 * KILLS):
        base = here.engine.edit(base, content(number)).id
        todo.append(base)
    arrived = 0
    for kill in range(KILLS):
        side = Side(there.path, grace=0.0)
        streams = []
        for snapshot in todo[:2]:
            streams.append((snapshot, packed(here, here.engine.needed(snapshot, side.lacks))))
        side.engine.close()
        work = functools.partial(unpack_all, there.path, streams)
        said = killed(work, rand.uniform(0.0, 0.05), told=kill % 4 == 0)
        returned = [line for line in said if line != END]
        engine = there.again()
        known = {info.id: info.holds for info in engine.snapshots()}
        assert all(known[snapshot] == ("test",) for snapshot in returned)
        assert engine.verify(known) == []
        if kill % 5 == 4:
            # a step that was killed before its end is not protected yet
            spared = list(arrivals.protected(engine._store))
            arrived += len(spared)
            engine.gc([])
            assert there.again().missing(spared) == []
            assert engine.verify(snapshot for snapshot in known if known[snapshot]) == []
        todo = [snapshot for snapshot in todo if snapshot not in known]
        engine.close()
    assert arrived, "nothing ever arrived"
    assert len(todo) < 2 * KILLS, "none was ever adopted"
    push(here, Side(there.path), todo[0])
    engine = there.again()
    engine.gc([])
    assert engine.verify([todo[0]]) == []
    assert list((there.path / "tmp").iterdir()) == []
    engine.close()


# -- captured content ------------------------------------------------------------------------------


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EmbeddedEngine, Side, str]]:
    """A live folder where content is captured and hashed later, another store, a snapshot."""
    with loopfs.mounted("xfs") as path:
        folder = path / "work"
        fill_to_be_captured(folder, monkeypatch)
        engine = EmbeddedEngine(folder, path / "store", grace=0.0)
        snapshot = engine.snapshot().id
        assert list((path / "store" / "captures").glob("*.cap")), "nothing was captured"
        there = Side(path / "there", grace=0.0)
        yield engine, there, snapshot
        engine.close()
        there.engine.close()


def send(engine: EmbeddedEngine, there: Side, snapshot: str) -> bytes:
    stream = io.BytesIO()
    engine.pack(engine.needed(snapshot, there.lacks), stream)
    return stream.getvalue()


def test_what_captured_content_became_goes_along(
    captured: tuple[EmbeddedEngine, Side, str], tmp_path: Path
) -> None:
    engine, there, snapshot = captured
    there.unpacked(send(engine, there, snapshot))
    there.engine.gc([])
    assert there.engine.adopt([snapshot], "test") == []
    there.engine.gc([])
    again = there.again()
    assert again.verify([snapshot]) == []
    again.restore(snapshot, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(Path(engine.root))
    # only what is new, and what that became
    write(Path(engine.root) / "1", random.Random(9).randbytes(60_000), 10**18 + 1)
    time.sleep(0.1)
    second = engine.snapshot().id
    part = send(engine, there, second)
    assert len(part) < 70_000
    there.unpacked(part)
    assert there.engine.adopt([second], "test") == []
    assert there.again().verify([second]) == []
    # from the hub on to somebody else, and to where it came from
    third = Side(there.path.with_name("third"))
    third.unpacked(send(again, third, second))
    assert third.engine.adopt([second], "test") == []
    assert third.engine.verify([second]) == []
    assert list(again.needed(second, engine.missing)) == []
    again.close()
    third.engine.close()


def test_a_map_that_is_lost_is_sent_again(captured: tuple[EmbeddedEngine, Side, str]) -> None:
    engine, there, snapshot = captured
    there.unpacked(send(engine, there, snapshot))
    for path in (there.path / "captures").iterdir():
        path.unlink()
    again = Side(there.path)
    lacking = again.engine.adopt([snapshot], "test")
    assert lacking == [engine._trees.lookup(snapshot, "").digest]
    stream = io.BytesIO()
    engine.pack(engine.needed(snapshot, again.lacks, also=lacking), stream)
    again.unpacked(stream.getvalue())
    assert again.engine.adopt([snapshot], "test") == []
    assert again.engine.verify([snapshot]) == []


def test_nobody_else_says_what_captured_content_became(
    captured: tuple[EmbeddedEngine, Side, str],
) -> None:
    engine, there, snapshot = captured
    good = send(engine, there, snapshot)
    there.unpacked(good)
    maps = {path: path.read_bytes() for path in (there.path / "captures").iterdir()}
    found: dict[bytes, dict[tuple[int, int], Resolution]] = {}
    for _, item in engine._trees.walk(engine._trees.root(snapshot).tree):
        name, where, tail = KEY.unpack(item.digest)
        evil = Resolution(item.size, hash_bytes(b"evil" * (item.size // 4)), b"")
        found.setdefault(name, {})[where, tail] = evil
    for name, entries in found.items():
        os.unlink(engine._trees.captures.path(name, "map"))
        engine._trees.captures.write_map(name, entries)
    tree = engine._trees.lookup(snapshot, "").digest
    stream = io.BytesIO()
    engine.pack([tree], stream)
    with pytest.raises(TransferError, match="not what it is said to be"):
        there.unpacked(stream.getvalue())
    assert {path: path.read_bytes() for path in (there.path / "captures").iterdir()} == maps
    assert there.engine.adopt([snapshot], "test") == []
    assert there.again().verify([snapshot]) == []


def test_what_cannot_be_hashed_cannot_be_sent(
    captured: tuple[EmbeddedEngine, Side, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, there, snapshot = captured

    def busy(progress: object = None) -> None:
        """As if another process were at it."""

    monkeypatch.setattr(engine, "settle", busy)
    with pytest.raises(SnapshotError, match="not hashed"):
        list(engine.needed(snapshot, there.lacks))
