# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving the digest of a large file from the bytes of its chunks."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from dotscience_jupyter.snapshots import Edit, EmbeddedEngine
from dotscience_jupyter.snapshots.embedded import prefixes, wholes
from dotscience_jupyter.snapshots.embedded.database import MissingObjectError
from dotscience_jupyter.snapshots.embedded.objects import Item
from dotscience_jupyter.snapshots.embedded.packs import Pack
from dotscience_jupyter.snapshots.embedded.readahead import Reader
from dotscience_jupyter.snapshots.embedded.wholes import is_whole
from dotscience_jupyter.snapshots.engine import CorruptStoreError

MIB = 1 << 20


class Store:
    """A store, and how many bytes of it were read to be hashed."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.engine = EmbeddedEngine.open_store(folder)
        self.read = 0
        fetch = Reader.fetch

        def counted(reader: Reader, pack: Pack, offset: int, length: int) -> memoryview | None:
            self.read += length
            return fetch(reader, pack, offset, length)

        patch.setattr(Reader, "fetch", counted)
        # so that a few megabytes have several places, and several runs
        patch.setattr(prefixes, "STEP", 2 * MIB)
        patch.setattr(wholes, "RUN", MIB)

    def file(self, data: bytes) -> Item:
        snapshot = self.engine.edit(None, [Edit("file", io.BytesIO(data))]).id
        trees = self.engine._trees
        return trees.items(trees.root(snapshot).tree)["file"]

    def proves(self, item: Item) -> tuple[bool, int]:
        """Whether it is whole, and how many bytes were read for that."""
        self.read = 0
        return is_whole(self.engine._trees, item), self.read

    def reopened(self) -> None:
        """As after a start: what was kept in memory is gone."""
        self.engine.close()
        self.engine = EmbeddedEngine.open_store(self.folder)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    made = Store(tmp_path / "store", monkeypatch)
    yield made
    made.engine.close()


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


DATA = noise(12 * MIB)


@pytest.mark.parametrize(
    "data",
    [
        DATA,
        noise(2 * MIB) + bytes(20 * MIB) + noise(3 * MIB, 2),  # one chunk again and again
        b"".join(noise(40_000, seed) + bytes(40_000) for seed in range(60)),  # compressed
        noise(MIB + 1),
    ],
    ids=["noise", "zeros", "compressed", "small"],
)
def test_it_is_the_digest_of_the_bytes(store: Store, data: bytes) -> None:
    item = store.file(data)
    assert item.list_id and item.digest == blake3(data).digest()
    assert store.proves(item)[0]
    wrong = item._replace(digest=blake3(data + b"x").digest())
    assert not store.proves(wrong)[0]
    assert store.proves(item)[0]


def test_what_was_proven_before_is_not_read_again(store: Store) -> None:
    changed = DATA[: 7 * MIB] + noise(100_000, 5) + DATA[7 * MIB + 100_000 :]
    items = [store.file(DATA), store.file(changed), store.file(DATA + noise(MIB, 6))]
    whole, read = store.proves(items[0])
    assert whole and read >= len(DATA)
    # what is before the change, but for what is behind the last place
    whole, read = store.proves(items[1])
    assert whole and 4 * MIB < read < 9 * MIB
    whole, read = store.proves(items[2])
    assert whole and read < 4 * MIB
    store.reopened()
    whole, read = store.proves(items[2])
    assert whole and read > len(DATA)


def test_what_was_not_right_is_not_believed_later(store: Store) -> None:
    item = store.file(DATA)
    wrong = item._replace(digest=bytes(32))
    assert not store.proves(wrong)[0]
    whole, read = store.proves(item)
    assert whole and read >= len(DATA)
    # also not where all of its start is known
    assert not store.proves(wrong)[0]


def test_a_damaged_chunk_is_noticed(store: Store) -> None:
    item = store.file(DATA)
    (pack,) = (store.folder / "packs").iterdir()
    stored = bytearray(pack.read_bytes())
    stored[len(stored) // 2] ^= 1
    pack.write_bytes(stored)
    assert not store.proves(item)[0]


def test_all_chunks_have_to_be_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those whose bytes need not be looked at again."""
    item = store.file(DATA)
    assert store.proves(item)[0]
    database = store.engine._database
    chunks = [digest for digest, _ in store.engine._trees.chunks(item)]
    find = database.find
    lost: list[bytes] = []
    monkeypatch.setattr(database, "find", lambda each: None if each in lost else find(each))
    for gone in (chunks[0], chunks[-1]):
        lost[:] = [gone]
        with pytest.raises(CorruptStoreError):
            store.proves(item)


def test_a_pack_that_was_merged_meanwhile_is_read_where_it_went(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = store.file(DATA)
    calls = []

    def nothing(reader: Reader, pack: object, offset: int, length: int) -> None:
        calls.append(offset)

    monkeypatch.setattr(Reader, "fetch", nothing)
    assert store.proves(item)[0]
    assert len(calls) > 5

    def gone(digest: bytes, length: int) -> bytes:
        raise MissingObjectError("A stored object is missing.")

    monkeypatch.setattr(store.engine._trees, "read_chunk", gone)
    with pytest.raises(MissingObjectError):
        store.engine._trees.prefixes = prefixes.Prefixes()
        store.proves(item)
