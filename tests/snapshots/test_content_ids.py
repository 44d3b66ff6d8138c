# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content ids of the embedded engine: what is computed, and that what is kept is a cache."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from pathlib import Path

import pytest
from chance import seeded
from snapshot_helpers import settle, write
from suite_returning import content_of

from dotscience_jupyter.snapshots import CorruptStoreError, EmbeddedEngine
from dotscience_jupyter.snapshots.content import Part, content_id, folder_id, link_hash
from dotscience_jupyter.snapshots.embedded import contents, trees
from dotscience_jupyter.snapshots.engine import Kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    for number in range(30):
        write(folder / f"d{number % 5}" / "below" / f"{number}", f"{number}")
    write(folder / "top", "top")
    return folder


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store", grace=0.0)


def test_known_values() -> None:
    """For those who compute it elsewhere; see docs/content-id.md."""
    empty = folder_id([])
    assert empty.hex() == "c5f35d588ca944155684ac3836c1405718791958833fdb150a198f45b17520d1"
    assert (
        content_id(0o755, empty)
        == "5c9e91fba0eb63aa8becc30dceef82acc0328852bc4e89c1b06ba03d61452427"
    )
    digest = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
    parts = [
        Part("b", Kind.FOLDER, 0o700, empty),
        Part("a", Kind.FILE, 0o644, digest),
        Part("\udcff", Kind.SYMLINK, 0, link_hash("a")),
    ]
    assert (
        content_id(0o755, folder_id(parts))
        == "c1cb26e8d98ce5cd663485b15ba9aac5734916b977bd3430257e99d5f31747e1"
    )
    assert folder_id(reversed(parts)) == folder_id(parts)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Which folders' entries are looked at."""
    seen: list[bytes] = []
    real = trees.Trees.children

    def children(this: trees.Trees, tree: bytes) -> list[object]:
        seen.append(tree)
        return real(this, tree)  # type: ignore[return-value]  # of any kind

    monkeypatch.setattr(trees.Trees, "children", children)
    return seen


def test_only_what_is_new_is_computed(folder: Path, decoded: list[bytes]) -> None:
    engine = opened(folder)
    first = engine.snapshot().id
    decoded.clear()
    engine.settle()
    assert len(decoded) == 11, "the root and ten folders"
    decoded.clear()
    engine.settle()
    assert engine.content_id(first) == content_of(folder)
    write(folder / "d3" / "below" / "3", "changed")
    second = engine.snapshot().id
    decoded.clear()
    assert opened(folder).content_id(second) == content_of(folder)
    assert len(decoded) == 3, "the root and two folders"


def test_a_snapshot_does_not_compute_it(folder: Path, decoded: list[bytes]) -> None:
    engine = opened(folder)
    snapshot = engine.snapshot().id
    assert decoded == []
    assert not (folder.parent / "store" / "content.db").exists()
    assert engine.content_id(snapshot, compute=False) == ""


def test_a_locked_cache_holds_up_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_PATIENCE", 0.05)
    engine = opened(folder)
    first = engine.snapshot().id
    engine.settle()
    expected = content_of(folder)
    other = sqlite3.connect(folder.parent / "store" / "content.db")
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert engine.content_id(first) == expected
        assert engine.content_id(first, compute=False) == ""
        write(folder / "top", "changed")
        second = engine.snapshot().id
        assert engine.content_id(second) == content_of(folder)
        engine.settle()
        assert engine.verify([first, second]) == []
    finally:
        other.rollback()
        other.close()
    assert engine.content_id(first, compute=False) == expected


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "flip", "newer", "other", "folder"])
def test_the_cache_may_be_anything(folder: Path, damage: str) -> None:
    engine = opened(folder)
    snapshot = engine.snapshot().id
    expected = engine.content_id(snapshot)
    path = folder.parent / "store" / "content.db"
    data = bytearray(path.read_bytes())
    rand = random.Random(2)
    for _ in range(12 if damage == "flip" else 1):
        if damage == "flip":
            changed = bytearray(data)
            for _ in range(3):
                changed[rand.randrange(len(data))] ^= 1 << rand.randrange(8)
            path.write_bytes(changed)
        elif damage == "folder":
            path.unlink()
            path.mkdir()
        elif damage in ("newer", "other"):
            database = sqlite3.connect(path)
            if damage == "newer":
                database.execute("PRAGMA user_version = 99")
            else:
                database.execute("DROP TABLE folders")
                database.execute("CREATE TABLE folders (x)")
            database.commit()
            database.close()
        else:
            size = {"garbage": 0, "empty": 0, "cut": len(data) // 2}[damage]
            path.write_bytes(data[:size] or (rand.randbytes(9000) if damage == "garbage" else b""))
        current = opened(folder)
        assert current.content_id(snapshot, compute=False) in ("", expected)
        assert current.content_id(snapshot) == expected
        assert current.verify([snapshot]) == []
        write(folder / "top", f"{rand.random()}")
        later = current.snapshot().id
        assert current.content_id(later) == content_of(folder)
        current.settle()
        assert {info.content for info in current.snapshots()} <= {"", *map(current.content_id, [
            info.id for info in current.snapshots()
        ])}  # fmt: skip
        if damage not in ("flip", "folder"):
            assert opened(folder).content_id(snapshot, compute=False) == expected, "made anew"
        current.close()


def test_the_cache_is_not_synced(folder: Path) -> None:
    """A power cut leaves some pages as they were and others as they are."""
    path = folder.parent / "store" / "content.db"
    engine = opened(folder)
    expected: dict[str, str] = {}
    states: list[bytes] = []
    for step in range(2):
        for number in range(150):
            write(folder / f"{number}" / "f", f"{step}")
        snapshot = engine.snapshot().id
        expected[snapshot] = engine.content_id(snapshot)
        states.append(path.read_bytes())
    engine.close()
    rand = seeded()
    for _ in range(12):
        pages = range(0, len(states[1]), 4096)
        mixed = b"".join(rand.choice([*states, states[1]])[at : at + 4096] for at in pages)
        path.write_bytes(mixed)
        current = opened(folder)
        for snapshot, content in expected.items():
            assert current.content_id(snapshot, compute=False) in ("", content)
            assert current.content_id(snapshot) == content
        assert current.verify(expected) == []
        current.close()


def test_verify_proves_it(folder: Path) -> None:
    engine = opened(folder)
    first = engine.snapshot().id
    write(folder / "top", "changed")
    second = engine.snapshot().id
    engine.settle()
    assert engine.verify([first, second]) == []
    with contents.ContentCache(engine._store) as cache:
        cache.put(contents.SNAPSHOTS, {bytes.fromhex(first): bytes(32)})
    assert engine.content_id(first) == "0" * 64
    problems = engine.verify([first, second])
    assert [(p.snapshot, p.path) for p in problems] == [(first, "")]
    assert "content id" in problems[0].message
    # it was forgotten, so that it can be right again
    assert engine.content_id(first, compute=False) == ""
    engine.settle()
    assert engine.verify([first, second]) == []


def test_gc_forgets_with_the_store(folder: Path) -> None:
    engine = opened(folder)
    first = engine.snapshot().id
    write(folder / "large", random.Random(1).randbytes(3_000_000))
    write(folder / "d1" / "below" / "new", "new")
    second = engine.snapshot().id
    engine.settle()
    assert engine.verify([first, second]) == []

    def rows() -> dict[str, int]:
        with contents.ContentCache(engine._store) as cache:
            tables = (contents.SNAPSHOTS, contents.FOLDERS, contents.FILES)
            return {table: len(cache.all(table)) for table in tables}

    assert rows() == {"snapshots": 2, "folders": 14, "files": 1}
    engine.gc([first])
    assert rows() == {"snapshots": 1, "folders": 11, "files": 0}
    assert engine.content_id(first, compute=False)


def test_damaged_snapshots_do_not_keep_the_others_from_it(folder: Path) -> None:
    engine = opened(folder)
    first = engine.snapshot().id
    write(folder / "d1" / "below" / "new", "new")
    expected = content_of(folder)
    settle()
    second = engine.snapshot().id
    tree = engine._trees.lookup(first, "d1/below").digest
    found = engine._database.find(tree)
    assert found is not None
    pack, at = found
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + pack.stored(at) - 1)
        file.write(b"!")
    engine = opened(folder)
    engine.settle()
    assert engine.content_id(second, compute=False) == expected
    assert engine.content_id(first, compute=False) == ""
    with pytest.raises(CorruptStoreError):
        engine.content_id(first)


def test_many_threads_at_once(folder: Path) -> None:
    engines = [opened(folder), opened(folder)]
    taken = []
    for number in range(4):
        write(folder / f"d{number}" / "below" / "x", f"{number}")
        taken.append((engines[0].snapshot().id, content_of(folder)))
    errors: list[BaseException] = []

    def compute(number: int) -> None:
        try:
            for snapshot, expected in taken if number % 2 else reversed(taken):
                assert engines[number % 2].content_id(snapshot) == expected
            engines[number % 2].settle()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(folder.parent / "store" / "tmp") == []
