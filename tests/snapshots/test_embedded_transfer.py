# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots of the embedded engine on their way: cuts, damage, forgery, kills, a full disk."""

from __future__ import annotations

import functools
import io
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loopfs
import pytest
import zstandard
from blake3 import blake3
from chance import often, seeded
from killing import END, killed
from snapshot_helpers import State, state_of, write
from transfer_helpers import (
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
    EmbeddedEngine,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots import stream as framing
from dotscience_jupyter.snapshots.embedded import (
    captures,
    intake,
    objects,
    partial,
    receiving,
)
from dotscience_jupyter.snapshots.embedded.packs import RAW, ZSTD, hash_bytes
from dotscience_jupyter.snapshots.embedded.partial import Token
from dotscience_jupyter.snapshots.embedded.transfer import MAP, OBJECT, RECORD, Header, Plan
from dotscience_jupyter.snapshots.stream import FrameWriter


class Place:
    """A folder and its engine."""

    def __init__(self, path: Path, store: Path | None = None) -> None:
        self.folder = path
        self.store = store or path.with_name(f"{path.name}-store")
        path.mkdir(exist_ok=True)
        self.engine = self.again()

    def again(self, grace: float = 0.0) -> EmbeddedEngine:
        return EmbeddedEngine(self.folder, self.store, grace=grace)

    def sent(self, snapshot: str, base: str | None = None, resume: str = "") -> bytes:
        stream = io.BytesIO()
        self.engine.send(snapshot, stream, base, resume)
        return stream.getvalue()

    def received(self, stream: bytes) -> str:
        return self.engine.receive(io.BytesIO(stream))

    def cut(self, stream: bytes, at: int) -> str:
        """Receive a part and return the token."""
        with pytest.raises(TransferError) as caught:
            self.received(stream[:at])
        return caught.value.token

    def files(self) -> set[str]:
        """All that is in the store, but what only speeds things up."""
        found = {
            os.fspath(path.relative_to(self.store))
            for path in self.store.rglob("*")
            if path.is_file()
        }
        return {name for name in found if not name.startswith(("content.db", "lock", "gc.lock"))}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "here")
    yield place
    place.engine.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "there")
    yield place
    place.engine.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a little content go through everything that much content goes through."""
    shrink(monkeypatch)


def fill(folder: Path, seed: int = 1) -> State:
    for path, data in some_files(seed).items():
        write(folder / path, data)
    return state_of(folder)


def arrived_whole(there: Place, snapshot: str, state: State, out: Path) -> None:
    assert there.engine.verify([snapshot]) == []
    there.engine.restore(snapshot, out)
    assert state_of(out) == state
    other = there.again()  # as another process sees it
    assert other.verify([snapshot]) == []
    assert other.partial() == {}


# -- cut -----------------------------------------------------------------------------------------


@pytest.mark.fault
def test_cut_anywhere_again_and_again(
    here: Place, there: Place, tmp_path: Path, small_steps: None
) -> None:
    """However often it is cut it comes to its end, and little is sent twice."""
    rand = seeded()
    base: str | None = None
    for round_ in range(3):
        state = fill(here.folder, round_)
        snapshot = here.engine.snapshot().id
        whole = here.sent(snapshot, base)
        token, total = "", 0
        while not there.engine.exists(snapshot):
            stream = here.sent(snapshot, base, token)
            cut = rand.randrange(len(stream) + 1) if total < 2 * len(whole) else len(stream)
            total += cut
            if cut == len(stream):
                assert there.received(stream) == snapshot
                break
            found = there.cut(stream, cut)
            token = there.engine.partial().get(snapshot, "")
            assert found in ("", token), "none where not even the header arrived"
            if rand.random() < 0.3:
                there.engine.close()
                there.engine = there.again()
            if rand.random() < 0.3:
                there.engine.gc([info.id for info in there.engine.snapshots()])
                assert there.engine.partial().get(snapshot, "") == token, "gc keeps what arrived"
            if rand.random() < 0.3:
                here.engine.gc([info.id for info in here.engine.snapshots()])
        arrived_whole(there, snapshot, state, tmp_path / f"out{round_}")
        base = snapshot


def test_cut_at_every_byte(here: Place, there: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_FRAME", 100)
    write(here.folder / "d" / "f", "content")
    write(here.folder / "g", "more")
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    tokens = []
    for at in sorted({*range(0, len(stream), 5), *range(len(stream) - 80, len(stream))}):
        tokens.append(there.cut(stream, at))
        assert not there.engine.exists(snapshot)
    counts = [int(token.split(".")[2]) if token else 0 for token in tokens]
    assert counts == sorted(counts)
    assert counts[-1] == 5, "a snapshot, two folders, two files"
    # a token is as good when more has arrived since
    for token in dict.fromkeys(tokens):
        assert len(here.sent(snapshot, resume=token)) <= len(stream)
    assert there.received(here.sent(snapshot, resume=tokens[-1])) == snapshot
    assert there.engine.verify([snapshot]) == []


def test_an_old_token_will_do(here: Place, there: Place, small_steps: None, tmp_path: Path) -> None:
    state = fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    first = there.cut(stream, len(stream) // 3)
    second = there.cut(here.sent(snapshot, resume=first), len(stream) // 3)
    assert int(second.split(".")[2]) > int(first.split(".")[2])
    assert there.received(here.sent(snapshot, resume=first)) == snapshot
    arrived_whole(there, snapshot, state, tmp_path / "out")


def test_beginning_anew_keeps_what_arrived(here: Place, there: Place, small_steps: None) -> None:
    fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    token = there.cut(stream, len(stream) // 2)
    assert there.cut(stream, len(stream) // 4) == token


def test_another_base_begins_anew(
    here: Place, there: Place, small_steps: None, tmp_path: Path
) -> None:
    fill(here.folder, 1)
    first = here.engine.snapshot().id
    there.received(here.sent(first))
    state = fill(here.folder, 2)
    second = here.engine.snapshot().id
    full, part = here.sent(second), here.sent(second, first)
    token = there.cut(full, len(full) // 2)
    assert token
    assert there.cut(part, len(part) // 2).split(".")[1] == first
    with pytest.raises(TransferError, match="another transfer") as caught:
        there.received(here.sent(second, resume=token))
    assert there.received(here.sent(second, first, caught.value.token)) == second
    arrived_whole(there, second, state, tmp_path / "out")


def test_tokens_that_do_not_fit(here: Place, there: Place, small_steps: None) -> None:
    fill(here.folder, 1)
    first = here.engine.snapshot().id
    fill(here.folder, 2)
    second = here.engine.snapshot().id
    stream = here.sent(second)
    token = there.cut(stream, len(stream) - 40)
    good = Token.parse(token)
    assert good is not None
    for wrong, words in (
        ("nonsense", "not a token"),
        (token + "0", "not a token"),
        (str(good._replace(arrived=10**9)), "does not fit"),
        (str(good._replace(digest="0" * 64)), "does not fit"),
        (str(good._replace(arrived=good.arrived - 1)), "does not fit"),
        (str(good._replace(base=first)), "another transfer"),
        (str(good._replace(snapshot=first)), "another transfer"),
    ):
        out = io.BytesIO()
        with pytest.raises(SnapshotError, match=words):
            here.engine.send(second, out, resume=wrong)
        assert out.getvalue() == b"", "nothing was sent"
    # the receiver does not go on behind what it does not have
    (there.store / "partial" / second).unlink()
    with pytest.raises(TransferError, match="another transfer") as caught:
        there.received(here.sent(second, resume=token))
    assert caught.value.token == ""
    assert there.received(stream) == second


def test_a_transfer_that_was_cut_long_ago_is_given_up(
    here: Place, there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here.folder / "f", random.Random(1).randbytes(300_000))
    write(here.folder / "g", "g")
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    assert there.cut(stream, len(stream) - 10)
    there.engine.gc([])
    assert there.engine.usage().stored_bytes > 300_000
    record = there.store / "partial" / snapshot
    old = time.time() - partial.MAX_AGE - 60
    os.utime(record, (old, old))
    assert there.engine.gc([]) > 300_000
    assert not record.exists()
    assert there.engine.partial() == {}
    assert there.engine.usage().stored_bytes < 100_000
    assert there.received(stream) == snapshot


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise", "empty", "head"])
def test_a_damaged_record_of_a_transfer(
    here: Place, there: Place, small_steps: None, tmp_path: Path, damage: str
) -> None:
    """As a power cut may leave it: what cannot be true does not count."""
    state = fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    assert there.cut(stream, len(stream) // 2)
    record = there.store / "partial" / snapshot
    data = record.read_bytes()
    record.write_bytes(
        {
            "cut": data[:-40],
            "zeros": data + bytes(1000),
            "noise": data[:-70] + random.Random(1).randbytes(500),
            "empty": b"",
            "head": b"?" + data[1:],
        }[damage]
    )
    there.engine.gc([])
    token = there.engine.partial().get(snapshot, "")
    assert bool(token) is (damage in ("cut", "zeros", "noise"))
    assert there.received(here.sent(snapshot, resume=token)) == snapshot
    arrived_whole(there, snapshot, state, tmp_path / "out")


def test_two_receivers_of_one_snapshot(here: Place, there: Place, small_steps: None) -> None:
    fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    reading, writing = os.pipe()
    os.write(writing, stream[: len(stream) // 2])
    other = there.again()
    begun = threading.Event()
    results: list[object] = []

    def receive() -> None:
        with open(reading, "rb", buffering=0) as pipe:
            results.append(there.engine.receive(pipe, lambda *_: begun.set()))

    thread = threading.Thread(target=receive)
    thread.start()
    assert begun.wait(30)
    with pytest.raises(SnapshotError, match="being received already"):
        other.receive(io.BytesIO(stream))
    with open(writing, "wb", buffering=0) as pipe:
        pipe.write(stream[len(stream) // 2 :])
    thread.join()
    assert results == [snapshot]
    assert other.receive(io.BytesIO(stream)) == snapshot


# -- what is sent --------------------------------------------------------------------------------


def test_what_the_base_has_is_not_sent(here: Place) -> None:
    """Wherever it is there."""
    contents = [random.Random(number).randbytes(50_000) for number in range(4)]
    for number, content in enumerate(contents):
        write(here.folder / "d" / f"{number}", content)
    write(here.folder / "large", contents[0] * 60)
    first = here.engine.snapshot().id
    (here.folder / "d").rename(here.folder / "moved")
    write(here.folder / "again" / "copy of 1", contents[1])
    write(here.folder / "again" / "large", contents[0] * 60)
    write(here.folder / "new", "new")
    second = here.engine.snapshot().id
    engine = here.engine
    plan = Plan(engine._database, engine._trees, second, first)
    ids = list(plan.ids())
    assert len(set(ids)) == len(ids)
    assert len(ids) == 4, "the snapshot, two folders, one file"
    assert plan.size() < 2000
    nothing = Plan(engine._database, engine._trees, second, second)
    assert len(nothing) == 0
    everything = set(Plan(engine._database, engine._trees, second).ids())
    before = set(Plan(engine._database, engine._trees, first).ids())
    assert set(ids) == everything - before


def test_a_file_with_the_bytes_of_a_folder_object(
    here: Place, there: Place, tmp_path: Path
) -> None:
    """Equal bytes are one object; that a file of the base has them says nothing of a folder."""
    write(here.folder / "d" / "f", "needed", 10**18)
    os.utime(here.folder / "d", ns=(10**18, 10**18))
    tree = objects.FOLDER_MAGIC + objects.encode_file(
        "f", (here.folder / "d" / "f").stat().st_mode & 0o777, 10**18, 6, hash_bytes(b"needed"), b""
    )
    (here.folder / "d").rename(tmp_path / "aside")
    write(here.folder / "a-copy", tree)
    first = here.engine.snapshot().id
    (tmp_path / "aside").rename(here.folder / "d")
    second = here.engine.snapshot().id
    assert hash_bytes(tree) in set(Plan(here.engine._database, here.engine._trees, second).ids()), (
        "or this test tests nothing"
    )
    there.received(here.sent(first))
    there.received(here.sent(second, first))
    arrived_whole(there, second, state_of(here.folder), tmp_path / "out")


def test_what_is_there_is_not_stored_twice(here: Place, there: Place) -> None:
    content = random.Random(1).randbytes(500_000)
    for place in (here, there):
        write(place.folder / "f", content)
    write(here.folder / "g", "only here")
    there.engine.snapshot()
    snapshot = here.engine.snapshot().id
    assert there.received(here.sent(snapshot)) == snapshot
    assert there.engine.usage().stored_bytes < 600_000


def test_a_damaged_copy_is_mended_by_what_arrives(here: Place, there: Place) -> None:
    content = random.Random(1).randbytes(500_000)
    for place in (here, there):
        write(place.folder / "f", content)
    write(here.folder / "g", "only here")
    own = there.engine.snapshot().id
    found = there.engine._database.find(hash_bytes(content))
    assert found is not None
    pack, at = found
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + 1000)
        file.write(b"damage")
    assert [problem.path for problem in there.engine.verify([own])] == ["f"]
    snapshot = here.engine.snapshot().id
    there.received(here.sent(snapshot))
    for taken in (own, snapshot):
        with there.again().open(taken, "f") as file:
            assert file.read() == content


def test_damaged_content_is_not_sent(here: Place, there: Place) -> None:
    write(here.folder / "f", random.Random(1).randbytes(500_000))
    write(here.folder / "g", "g")
    snapshot = here.engine.snapshot().id
    (pack,) = here.engine._database.packs
    at = pack.find(hash_bytes((here.folder / "f").read_bytes()))
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + 1000)
        file.write(b"damage")
    out = io.BytesIO()
    with pytest.raises(CorruptStoreError, match="cannot be sent whole"):
        here.again().send(snapshot, out)
    with pytest.raises(TransferError):
        there.received(out.getvalue())
    os.unlink(pack.path)
    with pytest.raises(CorruptStoreError):
        here.again().send(snapshot, out)


# -- damaged and forged --------------------------------------------------------------------------


@pytest.mark.fault
def test_damage_at_random_bytes(
    here: Place, there: Place, tmp_path: Path, small_steps: None
) -> None:
    fill(here.folder, 1)
    first = here.engine.snapshot().id
    there.received(here.sent(first))
    state = fill(here.folder, 2)
    second = here.engine.snapshot().id
    stream = here.sent(second, first)
    rand = seeded()
    for _ in range(60):
        damaged = bytearray(stream)
        for _ in range(rand.choice((1, 1, 5))):
            damaged[rand.randrange(len(stream))] ^= 1 << rand.randrange(8)
        if rand.random() < 0.3:
            place = rand.randrange(len(stream))
            damaged[place:place] = rand.randbytes(rand.randrange(1, 100))
        if rand.random() < 0.3:
            place = rand.randrange(len(stream))
            del damaged[place : place + rand.randrange(1, 100)]
        with pytest.raises(SnapshotError):
            there.received(bytes(damaged))
        assert not there.engine.exists(second)
        assert there.engine.verify([first]) == []
    token = there.engine.partial().get(second, "")
    assert there.received(here.sent(second, first, token)) == second
    arrived_whole(there, second, state, tmp_path / "out")


def forged(of: bytes, records: list[Record], **changes: Any) -> bytes:
    """A stream whose frames are right, whatever is in them."""
    header = Header(of.hex(), None, "", 0, blake3(b"").hexdigest(), len(records), 0)
    return framed(header.to_json() | changes, records)


def snapshot_of(*entries: bytes) -> tuple[bytes, list[Record]]:
    tree = objects.FOLDER_MAGIC + b"".join(entries)
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, hash_bytes(tree)))
    return hash_bytes(root), [whole(root), whole(tree)]


GOOD = objects.encode_file("f", 0o644, 0, 4, hash_bytes(b"good"), b"")


def test_a_stream_that_is_made_by_hand_is_taken(there: Place) -> None:
    """So what is refused below is refused for what is wrong in it."""
    snapshot, records = snapshot_of(GOOD)
    small = zstandard.ZstdCompressor().compress(b"good")
    for stored in (whole(b"good"), (OBJECT, ZSTD, small, 4, hash_bytes(b"good"))):
        assert there.received(forged(snapshot, [*records, stored])) == snapshot.hex()
        there.engine.destroy(snapshot.hex())
        there.engine.gc([])
        assert not list((there.store / "packs").iterdir())


def bomb() -> bytes:
    """A gigabyte that says it is 4 bytes."""
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return b"".join(compressor.compress(bytes(1 << 20)) for _ in range(64)) + compressor.flush()


@pytest.mark.parametrize(
    "record",
    [
        (OBJECT, RAW, b"evil", 4, hash_bytes(b"good")),
        (OBJECT, RAW, b"good", 5, hash_bytes(b"good")),
        (OBJECT, RAW, b"good", (1 << 32) - 1, hash_bytes(b"good")),
        (OBJECT, ZSTD, b"good", 4, hash_bytes(b"good")),
        (OBJECT, ZSTD, zstandard.ZstdCompressor().compress(b"good"), 5, hash_bytes(b"good")),
        (OBJECT, ZSTD, bomb(), 4, hash_bytes(b"good")),
        (OBJECT, ZSTD, zstandard.ZstdCompressor().compress(bytes(1 << 27)), 1 << 27, bytes(32)),
        (OBJECT, 7, b"good", 4, hash_bytes(b"good")),
        (9, RAW, b"good", 4, hash_bytes(b"good")),
    ],
    ids=["content", "length", "huge", "codec", "size", "bomb", "large bomb", "unknown", "kind"],
)
def test_records_that_are_wrong(there: Place, record: Record) -> None:
    snapshot, records = snapshot_of(GOOD)
    before = there.files()
    with pytest.raises(TransferError, match="not what it is said to be") as caught:
        there.received(forged(snapshot, [*records, record]))
    assert not there.engine.exists(snapshot.hex())
    arrived = {name for name in there.files() - before if not name.startswith("packs/")}
    assert arrived == {f"partial/{snapshot.hex()}"}
    # what was right before it is not lost
    token = Token.parse(caught.value.token)
    assert token is not None
    assert token.arrived == 2
    resumed = forged(snapshot, [whole(b"good")], resume=2, before=token.digest)
    assert there.received(resumed) == snapshot.hex()
    assert there.engine.verify([snapshot.hex()]) == []


def test_records_that_are_cut_off(there: Place) -> None:
    snapshot, records = snapshot_of(GOOD)
    for rest in (b"", b"x", RECORD.pack(OBJECT, RAW, 0, 4, 4, hash_bytes(b"good")) + b"go"):
        out = io.BytesIO()
        header = Header(snapshot.hex(), None, "", 0, blake3(b"").hexdigest(), 3, 0)
        writer = FrameWriter(out, header.to_json())
        for kind, codec, stored, length, digest in records:
            writer.write(RECORD.pack(kind, codec, 0, len(stored), length, digest) + stored)
        writer.write(rest)
        writer.finish()
        with pytest.raises(TransferError):
            there.received(out.getvalue())
        assert not there.engine.exists(snapshot.hex())


def listed(*contents: bytes, digest: bytes = b"", total: int = -1) -> tuple[bytes, list[Record]]:
    """An entry for a file in chunks, and its objects."""
    (data, _), *_ = objects.encode_lists([(hash_bytes(c), len(c)) for c in contents], 0)
    content = b"".join(contents)
    size = len(content) if total < 0 else total
    entry = objects.encode_file(
        "f", 0o644, 0, size, digest or hash_bytes(content), hash_bytes(data)
    )
    return entry, [whole(data), *map(whole, contents)]


def deep(levels: int) -> tuple[bytes, list[Record]]:
    tree = objects.FOLDER_MAGIC + GOOD
    records = [whole(b"good")]
    for _ in range(levels):
        records.append(whole(tree))
        tree = objects.FOLDER_MAGIC + objects.encode_folder_entry("d", 0o755, 0, hash_bytes(tree))
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, hash_bytes(tree)))
    return hash_bytes(root), [whole(root), whole(tree), *records]


def evil_name(name: bytes) -> bytes:
    head = objects.ENTRY_HEAD.pack(objects.FILE, 0o644, 0, 4, len(name))
    return head + name + hash_bytes(b"good")


def wrong_snapshots() -> dict[str, tuple[bytes, list[Record]]]:
    """Streams in which every object has its id, but the snapshot does not fit together."""
    found: dict[str, tuple[bytes, list[Record]]] = {}

    def add(name: str, entries: list[bytes], *more: Record) -> None:
        snapshot, records = snapshot_of(*entries)
        found[name] = (snapshot, [*records, *more])

    good = whole(b"good")
    add("missing file", [GOOD])
    folder = objects.encode_folder_entry("d", 0o755, 0, hash_bytes(b"no"))
    add("missing folder", [folder])
    add("folder that is none", [folder], whole(b"no"))
    add("size", [objects.encode_file("f", 0o644, 0, 5, hash_bytes(b"good"), b"")], good)
    add("empty", [objects.encode_file("f", 0o644, 0, 0, hash_bytes(b"good"), b"")], good)
    add("order", [GOOD, objects.encode_file("a", 0o644, 0, 4, hash_bytes(b"good"), b"")], good)
    add("twice", [GOOD, GOOD], good)
    for name in (b"../evil", b"..", b"a/b", b"", b"nul\0", b"/evil"):
        add(f"name {name!r}", [evil_name(name)], good)
    add("mode", [objects.encode_file("f", 0o10644, 0, 4, hash_bytes(b"good"), b"")], good)
    add("link to nothing", [objects.encode_link("l", 0, "")])
    add("link to NUL", [objects.encode_link("l", 0, "a\0b")])
    entry, records = listed(b"go", b"od", digest=hash_bytes(b"evil"))
    add("digest of a file in chunks", [entry], *records)
    entry, records = listed(b"go", b"od")
    add("missing chunk", [entry], *records[:-1])
    add("missing list", [entry], *records[1:])
    entry, records = listed(b"go", b"od", total=5)
    add("size of a file in chunks", [entry], *records)
    key = bytes(range(32))
    add("captured", [objects.encode_file("f", 0o644, 0, 4, key, b"", captured=True)], good)
    found["deep"] = deep(500)
    found["no snapshot"] = (hash_bytes(b"good"), [good])
    found["nothing at all"] = (hash_bytes(b"good"), [])
    return found


WRONG = wrong_snapshots()


@pytest.mark.parametrize("name", WRONG)
def test_snapshots_that_do_not_fit_together(there: Place, tmp_path: Path, name: str) -> None:
    snapshot, records = WRONG[name]
    with pytest.raises(SnapshotError, match="not right or not whole") as caught:
        there.received(forged(snapshot, records))
    assert not isinstance(caught.value, TransferError), "it would never get better"
    assert there.engine.snapshots() == []
    assert there.engine.partial() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "there-store"]
    there.engine.gc([])
    assert not list((there.store / "packs").iterdir())


def test_a_deep_folder_is_taken_if_it_could_have_been_frozen(there: Place) -> None:
    snapshot, records = deep(200)
    assert there.received(forged(snapshot, records)) == snapshot.hex()


def test_folders_that_hold_the_same_again_and_again(there: Place) -> None:
    """2**60 files in 60 objects take no longer than 60 folders."""
    tree = objects.FOLDER_MAGIC + GOOD
    records = [whole(b"good"), whole(tree)]
    for _ in range(60):
        inner = hash_bytes(tree)
        tree = objects.FOLDER_MAGIC + b"".join(
            objects.encode_folder_entry(name, 0o755, 0, inner) for name in "ab"
        )
        records.append(whole(tree))
    root = objects.encode_snapshot(objects.Root(0o755, 0, 1, 4, hash_bytes(tree)))
    snapshot = hash_bytes(root)
    assert there.received(forged(snapshot, [*records, whole(root)])) == snapshot.hex()
    assert there.sent(snapshot.hex())


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshot": "../../../evil"},
        {"snapshot": "0" * 63},
        {"snapshot": "0" * 63 + "\n"},
        {"snapshot": None},
        {"snapshot": 1},
        {"snapshot": ["0" * 64]},
        {"base": "../evil"},
        {"base": 1},
        {"content": "../evil"},
        {"content": None},
        {"resume": -1},
        {"resume": True},
        {"resume": 1.5},
        {"resume": "1"},
        {"objects": 1 << 70},
        {"bytes": -5},
        {"before": "x"},
        {"before": None},
        {"format": 2},
        {"format": "1"},
        {"format": True},
        {"engine": "zfs"},
        {"engine": None},
        {"engine": ["embedded"]},
    ],
)
def test_headers_that_are_wrong(there: Place, tmp_path: Path, changes: dict[str, Any]) -> None:
    snapshot, records = snapshot_of(GOOD)
    with pytest.raises(SnapshotError, match="Nothing was changed"):
        there.received(forged(snapshot, [*records, whole(b"good")], **changes))
    assert there.files() == {"format", "generation"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "there-store"]


@pytest.mark.parametrize("name", Header._fields)
def test_headers_without_something(there: Place, name: str) -> None:
    snapshot, records = snapshot_of(GOOD)
    header = Header(snapshot.hex(), None, "", 0, blake3(b"").hexdigest(), 3, 0).to_json()
    del header[name]
    out = io.BytesIO()
    FrameWriter(out, header).finish()
    with pytest.raises(SnapshotError, match="Nothing was changed"):
        there.received(out.getvalue())


def test_another_number_of_objects_than_announced(there: Place) -> None:
    snapshot, records = snapshot_of(GOOD)
    for count in (2, 4):
        with pytest.raises(TransferError, match="number of objects"):
            there.received(forged(snapshot, [*records, whole(b"good")], objects=count))
        assert not there.engine.exists(snapshot.hex())


def test_another_content_id_than_announced(here: Place, there: Place) -> None:
    snapshot, records = snapshot_of(GOOD)
    with pytest.raises(SnapshotError, match="content id"):
        there.received(forged(snapshot, [*records, whole(b"good")], content="0" * 64))
    assert not there.engine.exists(snapshot.hex())
    assert there.received(forged(snapshot, [*records, whole(b"good")])) == snapshot.hex()
    content = there.engine.content_id(snapshot.hex(), compute=False)
    assert len(content) == 64, "known as soon as it is here"
    assert b'"content": "%b"' % content.encode() in there.sent(snapshot.hex())[:2000]
    there.engine.destroy(snapshot.hex())
    stream = forged(snapshot, [*records, whole(b"good")], content=content)
    assert there.received(stream) == snapshot.hex()


# -- company -------------------------------------------------------------------------------------


def test_objects_that_were_there_and_go_while_it_is_received(
    here: Place, there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not stored because it was there is dropped by gc before it is protected."""
    content = random.Random(1).randbytes(200_000)
    write(there.folder / "f", content)
    write(here.folder / "f", content)
    write(here.folder / "g", "g")
    there.engine.snapshot()
    there.folder.joinpath("f").unlink()
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    real = receiving.Receiving._step
    done: list[int] = []

    def step(self: receiving.Receiving, record: partial.Partial) -> None:
        if not done:
            done.append(1)
            there.again().gc([])
        real(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(receiving.Receiving, "_step", step)
        with pytest.raises(TransferError, match="cleaned the snapshot store") as caught:
            there.received(stream)
    assert there.received(here.sent(snapshot, resume=caught.value.token)) == snapshot
    arrived_whole(there, snapshot, state_of(here.folder), tmp_path / "out")


@pytest.mark.parametrize("dropped", [False, True])
def test_a_base_that_goes_while_the_rest_is_received(
    here: Place, there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dropped: bool
) -> None:
    write(here.folder / "f", random.Random(1).randbytes(200_000))
    first = here.engine.snapshot().id
    write(here.folder / "g", "g")
    second = here.engine.snapshot().id
    stream = here.sent(second, first)
    there.received(here.sent(first))
    real = receiving.Receiving._prove

    def prove(self: receiving.Receiving, header: Header) -> None:
        real(self, header)
        if there.engine.exists(first):
            other = there.again()
            other.destroy(first)
            if dropped:
                other.gc([])

    monkeypatch.setattr(receiving.Receiving, "_prove", prove)
    if dropped:
        with pytest.raises(SnapshotError, match="missing"):
            there.received(stream)
        assert there.engine.snapshots() == []
        stream = here.sent(second)
    assert there.received(stream) == second
    there.engine.gc([second])
    arrived_whole(there, second, state_of(here.folder), tmp_path / "out")


def test_receiving_beside_gc_and_merging(
    here: Place, there: Place, tmp_path: Path, small_steps: None
) -> None:
    """Another process collects and merges all the time; the contents are the same ones."""
    streams: list[tuple[str, bytes, State]] = []
    base = None
    for number in range(6):
        fill(here.folder, number % 3)
        write(here.folder / "one more", f"{number}")
        state = state_of(here.folder)
        snapshot = here.engine.snapshot().id
        streams.append((snapshot, here.sent(snapshot, base if number % 2 else None), state))
        base = snapshot
    stop = threading.Event()
    errors: list[BaseException] = []

    def disturb() -> None:
        other = there.again()
        number = 0
        try:
            while not stop.is_set():
                fill(there.folder, number % 3)
                other.gc([other.snapshot().id, *(info.id for info in other.snapshots()[-3:])])
                number += 1
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for snapshot, stream, _ in streams:
            for _ in range(50):
                try:
                    assert there.received(stream) == snapshot
                    there.engine.hold([snapshot], "test")
                    break
                except TransferError:
                    continue  # what was there went
                except SnapshotError as error:
                    assert "no snapshot" in str(error) or "not here" in str(error), error
                    stream = here.sent(snapshot)
            assert there.engine.verify([snapshot]) == []
    finally:
        stop.set()
        thread.join()
    assert errors == []
    for number, (snapshot, _, state) in enumerate(streams):
        there.engine.restore(snapshot, tmp_path / f"out{number}")
        assert state_of(tmp_path / f"out{number}") == state


# -- kills ---------------------------------------------------------------------------------------


def receive_all(place: Place, streams: list[bytes], out: int) -> None:
    engine = place.again()
    os.write(out, b"begin\n")
    for data in streams:
        os.write(out, engine.receive(Slow(data)).encode() + b"\n")


@pytest.mark.fault
def test_killed_while_receiving(
    here: Place, there: Place, tmp_path: Path, small_steps: None
) -> None:
    """At any instant: what was returned is there whole, and the next one goes on."""
    kills = often(40, 3000)
    rand = seeded()
    states: dict[str, State] = {}
    plan: list[tuple[str, str | None]] = []
    base = None
    for number in range(4):
        state = fill(here.folder, number)
        base, before = here.engine.snapshot().id, base
        states[base] = state
        plan.append((base, before))
    resumed = arrived = midway = 0
    span = 0.06
    for kill in range(kills):
        engine = there.again()
        if len(engine.snapshots()) == len(plan):  # all of them again, in another order of packs
            engine.gc([])
        tokens = engine.partial()
        known = [info.id for info in engine.snapshots()]
        engine.close()
        resumed += bool(tokens)
        todo = [(s, b) for s, b in plan if s not in known][:2]
        streams = [here.sent(s, b, tokens.get(s, "")) for s, b in todo]
        work = functools.partial(receive_all, there, streams)
        said = killed(work, rand.uniform(0.0, span), told=kill % 4 > 0)
        if "begin" in said:
            midway += END not in said
            span = min(max(span * (0.9 if END in said else 1.1), 0.005), 2.0)
        engine = there.again()
        returned = [snapshot for snapshot in said if snapshot not in ("begin", END)]
        assert all(map(engine.exists, returned))
        arrived += len(returned)
        known = [info.id for info in engine.snapshots()]
        assert engine.verify(known) == []
        if returned:
            engine.restore(returned[-1], tmp_path / "out")
            assert state_of(tmp_path / "out") == states[returned[-1]]
            shutil.rmtree(tmp_path / "out")
        if kill % 5 == 4:
            before_gc = engine.partial()
            engine.gc(known)
            assert engine.verify(known) == []
            assert engine.partial() == before_gc
        engine.close()
    assert midway >= kills // 4, "too few kills fell into a transfer"
    assert resumed, "no transfer ever went on"
    assert arrived, "no transfer ever ended"
    engine = there.again()
    for snapshot, base in plan:
        token = engine.partial().get(snapshot, "")
        if not engine.exists(snapshot):
            assert there.received(here.sent(snapshot, base, token)) == snapshot
    there.engine.gc(states)
    for number, (snapshot, state) in enumerate(states.items()):
        there.engine.restore(snapshot, tmp_path / f"out{number}")
        assert state_of(tmp_path / f"out{number}") == state
    assert list((there.store / "tmp").iterdir()) == []
    engine.close()


# -- a full disk ---------------------------------------------------------------------------------


def test_a_full_disk_while_receiving(
    here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "STEP_BYTES", 1 << 20)
    for number in range(12):
        write(here.folder / f"{number}", random.Random(number).randbytes(1_000_000))
    snapshot = here.engine.snapshot().id
    with loopfs.mounted("ext4", 32 << 20) as small:
        there = Place(tmp_path / "there", small / "store")
        write(there.folder / "mine", "mine")
        own = there.engine.snapshot().id
        with open(small / "filler", "wb") as filler:
            room = os.statvfs(small)
            filler.write(bytes(room.f_bavail * room.f_frsize - 6_000_000))
        with pytest.raises(TransferError, match=r"disk is full.*can go on") as caught:
            there.received(here.sent(snapshot))
        assert there.engine.verify([own]) == []
        assert not there.engine.exists(snapshot)
        assert there.engine.partial() == {snapshot: caught.value.token}
        token = Token.parse(caught.value.token)
        assert token is not None
        assert token.arrived >= 3, "what arrived before is kept"
        # it stays full
        with pytest.raises(TransferError, match="disk is full"):
            there.received(here.sent(snapshot, resume=caught.value.token))
        os.unlink(small / "filler")
        stream = here.sent(snapshot, resume=there.engine.partial()[snapshot])
        assert len(stream) < 10_000_000
        assert there.received(stream) == snapshot
        arrived_whole(there, snapshot, state_of(here.folder), tmp_path / "out")
        there.engine.close()


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_a_disk_that_fails_while_receiving(
    here: Place, there: Place, tmp_path: Path, small_steps: None, after: int
) -> None:
    state = fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)
    with pytest.MonkeyPatch.context() as patched:
        calls = 0

        def failing(name: str) -> None:
            real = getattr(os, name)

            def call(*args: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls > after:
                    raise OSError(5, "Input/output error")
                return real(*args)

            patched.setattr(os, name, call)

        for name in ("write", "pwrite", "fsync"):
            failing(name)
        with pytest.raises(SnapshotError, match="untouched"):
            there.received(stream)
    assert there.engine.partial().get(snapshot, "") in ("", *there.again().partial().values())
    token = there.engine.partial().get(snapshot, "")
    assert there.received(here.sent(snapshot, resume=token)) == snapshot
    arrived_whole(there, snapshot, state, tmp_path / "out")


def test_an_interrupt_keeps_what_arrived(here: Place, there: Place, small_steps: None) -> None:
    fill(here.folder)
    snapshot = here.engine.snapshot().id
    stream = here.sent(snapshot)

    class Interrupted(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            if self.tell() > len(stream) - 100:
                raise KeyboardInterrupt
            return super().read(count)

    with pytest.raises(KeyboardInterrupt):
        there.engine.receive(Interrupted(stream))
    token = there.engine.partial()[snapshot]
    assert there.received(here.sent(snapshot, resume=token)) == snapshot


# -- captured content ----------------------------------------------------------------------------


class Captured:
    """Two engines on a file system where content is captured and hashed later."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here, self.there = Place(path / "here"), Place(path / "there")
        fill_to_be_captured(self.here.folder, monkeypatch)
        self.snapshot = self.here.engine.snapshot().id
        assert list((self.here.store / "captures").glob("*.cap")), "nothing was captured"


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Captured]:
    with loopfs.mounted("xfs") as path:
        both = Captured(path, monkeypatch)
        yield both
        both.here.engine.close()
        both.there.engine.close()


def test_captured_content_is_hashed_to_be_sent(captured: Captured, tmp_path: Path) -> None:
    here, there = captured.here, captured.there
    state = state_of(here.folder)
    stream = here.sent(captured.snapshot)
    assert not list((here.store / "captures").glob("*.cap")), "all is hashed"
    assert there.received(stream) == captured.snapshot
    arrived_whole(there, captured.snapshot, state, tmp_path / "out")
    there.engine.gc([captured.snapshot])
    assert there.engine.verify([captured.snapshot]) == []
    # only what is new, and what that became
    write(here.folder / "1", random.Random(9).randbytes(60_000), 10**18 + 1)
    time.sleep(0.1)
    second = here.engine.snapshot().id
    part = here.sent(second, captured.snapshot)
    assert len(part) < 70_000
    assert there.received(part) == second
    arrived_whole(there, second, state_of(here.folder), tmp_path / "again")


def test_maps_that_are_forged(captured: Captured) -> None:
    """Nobody else says what captured content became."""
    here, there = captured.here, captured.there
    there.received(here.sent(captured.snapshot))
    (path,) = (there.store / "captures").iterdir()
    mine = path.read_bytes()
    capture_id = bytes.fromhex(path.stem)
    engine = here.engine
    found = {
        (where, tail): captures.Resolution(size, hash_bytes(b"evil" * (size // 4)), b"")
        for where, tail, size in (
            (*captures.KEY.unpack(item.digest)[1:], item.size)
            for _, item in engine._trees.walk(engine._trees.root(captured.snapshot).tree)
        )
    }
    assert len(found) == 3
    (here.store / "captures" / path.name).unlink()
    engine._trees.captures.write_map(capture_id, found)
    evil = (here.store / "captures" / path.name).read_bytes()
    assert len(evil) == len(mine)
    snapshot, records = snapshot_of(GOOD)

    def with_map(data: bytes) -> bytes:
        part = (MAP, RAW, data, len(data), capture_id.ljust(32, b"\0"))
        return forged(snapshot, [*records, whole(b"good"), part], objects=3)

    assert there.received(with_map(evil)) == snapshot.hex()
    assert path.read_bytes() == mine
    assert there.again().verify([captured.snapshot]) == []
    there.engine.destroy(snapshot.hex())
    for data in (b"nonsense", evil[:-1], evil[:-200] + bytes(200), b""):
        with pytest.raises(SnapshotError, match="not right or not whole"):
            there.received(with_map(data))
        assert path.read_bytes() == mine
        assert [item.name for item in (there.store / "captures").iterdir()] == [path.name]


def test_what_cannot_be_hashed_cannot_be_sent(captured: Captured) -> None:
    here = captured.here

    class Busy(EmbeddedEngine):
        def settle(self, progress: Progress | None = None) -> None:
            """As if another process were at it."""

    out = io.BytesIO()
    with pytest.raises(SnapshotError, match="not hashed"):
        Busy(here.folder, here.store).send(captured.snapshot, out)
    assert out.getvalue() == b""
    assert here.engine.send_size(captured.snapshot) > 150_000
