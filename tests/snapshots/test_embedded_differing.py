# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a snapshot has in common with a base, and chunks that are sent as differences."""

from __future__ import annotations

import io
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.snapshots import Edit, EmbeddedEngine, SnapshotError, TransferError
from dotscience_jupyter.snapshots.embedded import capture, differing, exchange, objects
from dotscience_jupyter.snapshots.embedded.differing import Deltas
from dotscience_jupyter.snapshots.embedded.packs import ZSTD, hash_bytes
from dotscience_jupyter.snapshots.embedded.transfer import RECORD
from dotscience_jupyter.snapshots.stream import FrameWriter, header_of


@pytest.fixture
def here(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine.open_store(tmp_path / "here")
    yield engine
    engine.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine.open_store(tmp_path / "there")
    yield engine
    engine.close()


class Push:
    """What one push asked and sent."""

    def __init__(
        self,
        here: EmbeddedEngine,
        there: EmbeddedEngine,
        snapshot: str,
        *bases: str,
        differences: bool = True,
    ) -> None:
        self.asked: list[bytes] = []
        self.deltas: Deltas | None = {} if differences else None

        def lacks(ids: list[bytes]) -> list[bytes]:
            self.asked += ids
            return there.missing(ids)

        self.ids = list(here.needed(snapshot, lacks, bases=bases, deltas=self.deltas))
        stream = io.BytesIO()
        assert here.pack(self.ids, stream, deltas=self.deltas) == len(self.ids)
        self.stream = stream.getvalue()

    def to(self, there: EmbeddedEngine, snapshot: str) -> None:
        assert there.unpack(io.BytesIO(self.stream)) == len(self.ids)
        assert there.adopt([snapshot], "test") == []


def large(count: int, seed: int = 1) -> bytes:
    rand = random.Random(seed)
    return b"".join(rand.randbytes(1 << 20) for _ in range(count))


@pytest.mark.parametrize("change", ["overwrite", "insert", "remove", "append", "start"])
def test_a_change_in_a_large_file_costs_what_is_new(
    here: EmbeddedEngine, there: EmbeddedEngine, change: str
) -> None:
    data, new = large(24), random.Random(2).randbytes(1 << 20)
    at = random.Random(3).randrange(8 << 20, 12 << 20)
    after = {
        "overwrite": data[:at] + new + data[at + len(new) :],
        "insert": data[:at] + new + data[at:],
        "remove": data[:at] + new[:100] + data[at + len(new) :],
        "append": data + new,
        "start": new + data[len(new) :],
    }[change]
    base = here.edit(None, [Edit("data/large", data)]).id
    Push(here, there, base).to(there, base)
    edits = [Edit("data/large", io.BytesIO(after)), *(Edit(f"n/{n}", b"%d" % n) for n in range(10))]
    snapshot = here.edit(base, edits).id
    plain = Push(here, there, snapshot)
    push = Push(here, there, snapshot, base)
    expected = 100 if change == "remove" else len(new)
    assert len(push.stream) + 33 * len(push.asked) < expected * 1.02 + 20_000
    assert len(push.stream) < len(plain.stream)
    assert set(push.ids) == set(plain.ids)
    assert len(push.asked) < 40 < len(plain.asked)
    push.to(there, snapshot)
    assert there.verify([snapshot]) == []
    with there.open(snapshot, "data/large") as file:
        assert file.read() == after


def test_what_a_base_has_is_not_asked_about(here: EmbeddedEngine, there: EmbeddedEngine) -> None:
    edits = [Edit(f"d{n // 40}/{n}", b"%d" % n) for n in range(2000)]
    base = here.edit(None, edits).id
    Push(here, there, base).to(there, base)
    snapshot = here.edit(base, [Edit("d7/300", b"new"), Edit("d9", None), Edit("e/f", b"f")]).id
    push = Push(here, there, snapshot, base)
    # two contents, two folders, the root and the snapshot
    assert len(push.ids) == 6
    assert set(push.asked) == set(push.ids)
    push.to(there, snapshot)
    assert there.verify([snapshot]) == []
    assert Push(here, there, snapshot, snapshot).ids == []


def test_bases_that_are_not_here_or_damaged(here: EmbeddedEngine, there: EmbeddedEngine) -> None:
    base = here.edit(None, [Edit("a", large(2)), Edit("b/c", b"1")]).id
    Push(here, there, base).to(there, base)
    snapshot = here.edit(base, [Edit("b/c", b"2")]).id
    tree = here._trees.lookup(base, "").digest
    push = Push(here, there, snapshot, "0" * 64, "no id")
    for pack in here._database.packs:
        at = pack.find(tree)
        if at >= 0:
            with open(pack.path, "r+b") as file:
                file.seek(pack.offset(at) + RECORD.size + 5)
                file.write(b"\xff\xff\xff")
    here._trees._kept.clear()
    assert set(Push(here, there, snapshot, base).ids) == set(push.ids)
    push.to(there, snapshot)


def test_a_base_that_is_not_there_after_all(here: EmbeddedEngine, there: EmbeddedEngine) -> None:
    """Then something lacks, and comes without bases."""
    data = large(3)
    base = here.edit(None, [Edit("large", data), Edit("d/x", b"x")]).id
    snapshot = here.edit(base, [Edit("large", data[:1000] + b"new" + data[1000:])]).id
    push = Push(here, there, snapshot, base)
    with pytest.raises(TransferError, match=r"difference to others.*missing.*as a whole"):
        push.to(there, snapshot)
    lacking = there.adopt([snapshot], "test")
    assert lacking
    stream = io.BytesIO()
    deltas: Deltas = {}
    ids = here.needed(snapshot, there.missing, also=lacking, bases=[base], deltas=deltas)
    here.pack(ids, stream, deltas=deltas)
    assert deltas == {}
    there.unpack(io.BytesIO(stream.getvalue()))
    assert there.adopt([snapshot], "test") == []
    assert there.verify([snapshot]) == []


def test_without_differences(here: EmbeddedEngine, there: EmbeddedEngine) -> None:
    data = large(3)
    base = here.edit(None, [Edit("large", data)]).id
    Push(here, there, base).to(there, base)
    snapshot = here.edit(base, [Edit("large", data[:1000] + b"new" + data[1000:])]).id
    push = Push(here, there, snapshot, base, differences=False)
    assert len(push.stream) > 100_000
    push.to(there, snapshot)
    assert there.verify([snapshot]) == []


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    splices=st.lists(
        st.tuples(st.integers(0, 60_000), st.integers(0, 9000), st.integers(0, 9000)),
        min_size=1,
        max_size=5,
    ),
    zeros=st.booleans(),
)
def test_any_changes_arrive(
    splices: list[tuple[int, int, int]], zeros: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, tempfile.TemporaryDirectory() as place:
        patched.setattr(capture, "CHUNK", 2048)
        patched.setattr(objects, "GROUP_LIMIT", 4)
        here = EmbeddedEngine.open_store(Path(place) / "here")
        there = EmbeddedEngine.open_store(Path(place) / "there")
        data = random.Random(1).randbytes(40_000) + bytes(20_000 if zeros else 0)
        base = here.edit(None, [Edit("a/large", data)]).id
        Push(here, there, base).to(there, base)
        for number, (at, removed, added) in enumerate(splices):
            data = data[:at] + random.Random(number).randbytes(added) + data[at + removed :]
            snapshot = here.edit(base, [Edit("a/large", data)]).id
            push = Push(here, there, snapshot, base)
            assert set(push.ids) == set(Push(here, there, snapshot).ids)
            push.to(there, snapshot)
            assert there.verify([snapshot]) == []
            with there.open(snapshot, "a/large") as file:
                assert file.read() == data
            base = snapshot
        here.close()
        there.close()


# -- differences that are wrong --------------------------------------------------------------------

BEFORE, AFTER = random.Random(1).randbytes(3000), random.Random(1).randbytes(3000) + b"more"


def difference(references: list[bytes], data: bytes = AFTER, known: bytes = BEFORE) -> bytes:
    known_dict = zstandard.ZstdCompressionDict(known, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    frame = zstandard.ZstdCompressor(dict_data=known_dict).compress(data)
    return bytes([len(references)]) + b"".join(references) + frame


def forged(
    stored: bytes, length: int = len(AFTER), digest: bytes = hash_bytes(AFTER)
) -> io.BytesIO:
    out = io.BytesIO()
    writer = FrameWriter(out, header_of(exchange.ENGINE, exchange.FORMAT))
    writer.write(RECORD.pack(exchange.DELTA, ZSTD, 0, len(stored), length, digest) + stored)
    writer.finish()
    return io.BytesIO(out.getvalue())


def test_a_difference_that_is_made_by_hand_is_taken(there: EmbeddedEngine) -> None:
    """So what is refused below is refused for what is wrong in it."""
    there.edit(None, [Edit("a", BEFORE)])
    good = difference([hash_bytes(BEFORE)])
    assert len(good) < 100
    assert there.unpack(forged(good)) == 1
    assert there.missing([hash_bytes(AFTER)]) == []


@pytest.mark.parametrize(
    ("stored", "length", "digest"),
    [
        (b"", len(AFTER), hash_bytes(AFTER)),
        (b"\0" + difference([])[1:], len(AFTER), hash_bytes(AFTER)),
        (b"\1short", len(AFTER), hash_bytes(AFTER)),
        (b"\xff" * 9000, len(AFTER), hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)])[:-3], len(AFTER), hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)]) + b"x", 5, hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)]), len(AFTER), hash_bytes(b"another")),
        (difference([hash_bytes(b"not there")]), len(AFTER), hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)] * 9), len(AFTER), hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)], bytes(1 << 25)), 1 << 25, hash_bytes(AFTER)),
        (difference([hash_bytes(BEFORE)], known=AFTER + bytes(50)), len(AFTER), hash_bytes(AFTER)),
    ],
    ids=["empty", "none", "cut", "many", "frame", "length", "id", "lost", "nine", "bomb", "other"],
)
def test_differences_that_are_wrong(
    there: EmbeddedEngine, stored: bytes, length: int, digest: bytes
) -> None:
    there.edit(None, [Edit("a", BEFORE)])
    with pytest.raises(TransferError, match="cannot be made of it"):
        there.unpack(forged(stored, length, digest))
    assert there.missing([hash_bytes(AFTER)]) == [hash_bytes(AFTER)]
    assert len(list(Path(there._store.packs).iterdir())) == 1


def test_a_difference_to_too_much(there: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differing, "MAX_BEFORE", 5000)
    there.edit(None, [Edit("a", BEFORE)])
    with pytest.raises(TransferError, match="too much"):
        there.unpack(forged(difference([hash_bytes(BEFORE)] * 2)))


def test_a_difference_in_another_kind_of_stream(there: EmbeddedEngine) -> None:
    """Only streams of objects hold differences."""
    there.edit(None, [Edit("a", BEFORE)])
    out = io.BytesIO()
    header = {"snapshot": "0" * 64, "base": None, "content": "", "resume": 0, "objects": 1}
    before = hash_bytes(b"").hex()
    writer = FrameWriter(out, header_of("embedded", 1) | header | {"before": before, "bytes": 1})
    stored = difference([hash_bytes(BEFORE)])
    head = RECORD.pack(exchange.DELTA, ZSTD, 0, len(stored), len(AFTER), hash_bytes(AFTER))
    writer.write(head + stored)
    writer.finish()
    with pytest.raises(SnapshotError, match="not what it is said to be"):
        there.receive(io.BytesIO(out.getvalue()))


def test_what_a_difference_is_based_on_is_damaged(
    here: EmbeddedEngine, there: EmbeddedEngine
) -> None:
    """Whichever side: the chunk goes as a whole, or the other side says so."""
    data = large(3)
    base = here.edit(None, [Edit("large", data)]).id
    Push(here, there, base).to(there, base)
    snapshot = here.edit(base, [Edit("large", data[:1000] + b"new" + data[1000:])]).id
    push = Push(here, there, snapshot, base)
    assert push.deltas
    ((_, references), *_) = push.deltas.items()
    for engine in (there, here):
        for pack in engine._database.packs:
            at = pack.find(references[0])
            if at >= 0:
                with open(pack.path, "r+b") as file:
                    file.seek(pack.offset(at) + RECORD.size + 5)
                    file.write(os.urandom(3))
        if engine is there:
            with pytest.raises(TransferError, match="cannot be made of it"):
                push.to(there, snapshot)
    again = Push(here, there, snapshot, base)
    assert len(again.stream) > len(push.stream) + 100_000
    again.to(there, snapshot)
