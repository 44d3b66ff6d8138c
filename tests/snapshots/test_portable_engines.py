# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a store keeps of other engines' snapshots: notes of what they are, references to content."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    CorruptStoreError,
    Edit,
    EmbeddedEngine,
    Equal,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
)
from dotscience_jupyter.snapshots.embedded import objects
from dotscience_jupyter.snapshots.embedded.database import Session
from dotscience_jupyter.snapshots.embedded.equals import is_foreign
from dotscience_jupyter.snapshots.embedded.objects import Root
from dotscience_jupyter.snapshots.embedded.packs import REFERENCE, hash_bytes
from dotscience_jupyter.snapshots.embedded.scan import store_pages
from dotscience_jupyter.snapshots.embedded.trees import Trees
from dotscience_jupyter.snapshots.native.references import Reference, References

ZFS = "zfs-00000000000000aa"


@pytest.mark.parametrize("wrong", ["", "zfs", "zfs-", "zfs-../x", "Zfs-1", "zfs-a/b", "ab" * 32])
def test_names_that_are_no_other_engines(wrong: str, tmp_path: Path) -> None:
    assert not is_foreign(wrong)
    store = EmbeddedEngine.open_store(tmp_path)
    with pytest.raises(SnapshotError):
        store.equate(wrong, "ab" * 32, "cd" * 32)
    store.close()


def test_a_note_stands_for_the_snapshot_everywhere(tmp_path: Path) -> None:
    store = EmbeddedEngine.open_store(tmp_path / "store", grace=0.0)
    first = store.edit(None, [Edit("a/f", b"one")]).id
    assert not store.exists(ZFS)
    with pytest.raises(SnapshotNotFoundError):
        store.bring(ZFS)
    store.equate(ZFS, first, store.content_id(first))
    assert store.exists(ZFS)
    assert (store.bring(ZFS), store.equal(ZFS), store.equal(first)) == (first, first, first)
    assert store.equals([ZFS, first, "zfs-1"]) == {ZFS: Equal(first, store.content_id(first))}
    second = store.edit(ZFS, [Edit("b", b"two")]).id
    assert [each.path for each in store.diff(ZFS, second)] == ["b"]
    assert [entry.path for entry in store.walk(ZFS)] == ["a", "a/f"]
    assert store.totals(ZFS) == (1, 3)
    store.restore(ZFS, tmp_path / "out")
    assert (tmp_path / "out" / "a" / "f").read_bytes() == b"one"
    store.hold([ZFS], "mine")
    assert [(info.id, info.holds) for info in store.snapshots()][0] == (ZFS, ("mine",))
    store.release([ZFS], "mine")
    store.gc([ZFS])
    assert not store.exists(second)
    assert store.verify([ZFS]) == []
    assert store.usage(each=True).each[0].id == ZFS
    # a damaged note is none, and one of other content is told
    store.equate("zfs-2", first, "ab" * 32)
    assert [each.snapshot for each in store.verify([ZFS, "zfs-2"])] == ["zfs-2"]
    repaired = store.repair([ZFS, "zfs-2"])
    assert [each.snapshot for each in repaired.lost] == ["zfs-2"]
    assert repaired.found == repaired.lost
    (tmp_path / "store" / "equal" / ZFS).write_text("{")
    assert not store.exists(ZFS)
    store.close()


def test_notes_of_what_never_came_go(tmp_path: Path) -> None:
    store = EmbeddedEngine.open_store(tmp_path)
    there = store.edit(None, [Edit("f", b"one")]).id
    for name, snapshot in (("zfs-1", there), ("zfs-2", "ab" * 32), ("zfs-3", "cd" * 32)):
        store.equate(name, snapshot, "ef" * 32)
    for name in ("zfs-1", "zfs-2"):
        os.utime(tmp_path / "equal" / name, (0, time.time() - 8 * 86400))
    store.gc([there])
    assert sorted(os.listdir(tmp_path / "equal")) == ["zfs-1", "zfs-3"]
    store.close()


def referring(store: EmbeddedEngine, files: dict[str, tuple[bytes, Reference]]) -> str:
    """Add a snapshot of which the store has references to the contents only."""

    def make(trees: Trees, session: Session) -> Snapshot:
        entries = {}
        for name, (content, reference) in files.items():
            digest = hash_bytes(content)
            session.append(digest, REFERENCE, reference.encode(), len(content))
            entries[name] = objects.encode_file(name, 0o644, 0, len(content), digest, b"")
        tree = store_pages(entries, session)
        size = sum(len(content) for content, _ in files.values())
        data = objects.encode_snapshot(Root(0o755, 0, len(files), size, tree))
        session.put(hash_bytes(data), data)
        return Snapshot(hash_bytes(data).hex(), len(files), size)

    return store.build(make).id


def test_content_that_is_elsewhere(tmp_path: Path) -> None:
    native = EmbeddedEngine.open_store(tmp_path / "native")  # stands for the file system
    content = os.urandom(100_000)
    taken = native.edit(None, [Edit("data/\udcff", content)]).id
    references = References(native)
    store = EmbeddedEngine.open_store(tmp_path / "store", grace=0.0, elsewhere=references.read)
    parts = {
        name: (content[at : at + 1000], Reference(taken, "data/\udcff", at))
        for name, at in (("a", 0), ("b", 5000), ("c", 99_000))
    }
    found = referring(store, parts)
    for name, (part, _) in parts.items():
        with store.open(found, name) as file:
            assert file.read() == part
    assert store.verify([found]) == []
    assert [Reference.decode(each) for each in sorted(store.references())] == sorted(
        (reference for _, reference in parts.values()), key=Reference.encode
    )
    # others are given the content itself, and so is whoever restores
    with (tmp_path / "stream").open("w+b") as stream:
        store.send(found, stream)
        stream.seek(0)
        other = EmbeddedEngine.open_store(tmp_path / "other")
        assert other.receive(stream) == found
    assert list(other.references()) == []
    other.close()
    store.restore(found, tmp_path / "out")
    assert (tmp_path / "out" / "b").read_bytes() == parts["b"][0]
    # cleaning up moves references as they are
    garbage = store.edit(None, [Edit("garbage", os.urandom(50_000))]).id
    store.gc([found])
    assert not store.exists(garbage)
    assert len(list(store.references())) == 3
    assert sum(path.stat().st_size for path in (tmp_path / "store" / "packs").iterdir()) < 5000
    # without what it refers to it is damaged, and says where the content was
    native.destroy(taken)
    with pytest.raises(CorruptStoreError, match="data/"), store.open(found, "a") as file:
        file.read()
    problems = store.verify([found])
    assert {problem.path for problem in problems} == {"a", "b", "c"}
    store.hold([found], COMMIT_HOLD)
    references.close()
    store.close()
    native.close()


def test_what_is_no_reference() -> None:
    for data in (b"", b"\0" * 9, b"\0" * 8 + b"\1\0\xff"):
        with pytest.raises(CorruptStoreError):
            Reference.decode(data)
