# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What native engines share, tried on plain folders: reading, comparing, copying."""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from snapshot_helpers import settle, state_of, write
from suite_base import MTIME

from dotscience_jupyter.snapshots import Change, CorruptStoreError, PathNotFoundError, SnapshotError
from dotscience_jupyter.snapshots.native import copying
from dotscience_jupyter.snapshots.native.compare import (
    Comparison,
    Touched,
    same_bytes,
    to_look_at,
    unchanged,
)
from dotscience_jupyter.snapshots.native.tree import FrozenFile, Node, Open, Tree


def is_other(status: os.stat_result, root: os.stat_result) -> bool:
    return status.st_dev != root.st_dev


def look(folder: Path) -> Tree:
    return Tree(str(folder), is_other)


def found(
    old: Path, new: Path, touched: Touched | None = None, under: str = ""
) -> dict[str, Change]:
    comparison = Comparison(look(old), look(new), time.time_ns(), same_bytes)
    differs = list(comparison.run(under, touched))
    assert len({each.path for each in differs}) == len(differs)
    return {each.path: each.change for each in differs}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tmp_path / "old"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


# -- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/f", "f/", "d//f", "d/..", "./f", "d/../f", "f\0", "missing", "f/x"]
)
def test_odd_paths_lead_nowhere(old: Path, path: str) -> None:
    write(old / "f", "f")
    write(old / "d" / "f", "f")
    tree = look(old)
    for call in (tree.node, tree.open, lambda path: list(tree.walk(path))):
        with pytest.raises(PathNotFoundError):
            call(path)


def test_links_are_not_followed(old: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret", "s")
    old.mkdir()
    (old / "link").symlink_to(tmp_path / "outside")
    tree = look(old)
    assert [node.path for node in tree.walk()] == ["link"]
    for path in ("link/secret", "link"):
        with pytest.raises(PathNotFoundError):
            tree.open(path)
    with pytest.raises(PathNotFoundError):
        tree.node("link/secret")


def test_what_is_nested_too_deeply_is_said(old: Path) -> None:
    folder = old
    folder.mkdir()
    for _ in range(203):
        folder = folder / "d"
        folder.mkdir()
    tree = look(old)
    assert len(list(tree.walk())) == 200
    assert [skipped.path.count("/") for skipped in tree.skipped] == [200]


def test_a_missing_folder_is_an_error(old: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be read"):
        look(old)


def test_a_disk_that_fails_is_damage(old: Path) -> None:
    """A file that was opened for writing cannot be read, as one on a broken disk cannot."""
    file = io.BufferedReader(FrozenFile(os.open(old, os.O_WRONLY | os.O_CREAT), "name"))
    for read in (file.read, lambda: file.read(1), lambda: file.readinto(bytearray(1))):
        with pytest.raises(CorruptStoreError, match="'name' cannot be read"):
            read()
    file.close()


# -- comparing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("touched", "under", "expected"),
    [
        ({"a": False, "a/b": False}, "", {"a": False, "a/b": False}),
        ({"a": True, "a/b": False, "ab": False}, "", {"a": True, "ab": False}),
        ({"": True, "a": False}, "", {"": True}),
        ({"a/.dotscienceignore": False, "a/x": False}, "", {"a": True}),
        ({"a/pyvenv.cfg": True, "b": False}, "", {"a": True, "b": False}),
        ({"a": True}, "a/b/c", {"a/b/c": True}),
        ({"a": False, "a/b": False, "ab": True}, "a/b", {"a/b": False}),
        ({"ab": True, "": False}, "a", {}),
    ],
)
def test_what_is_to_be_looked_at(touched: Touched, under: str, expected: Touched) -> None:
    assert dict(to_look_at(touched, under)) == expected


def test_only_what_is_touched_is_looked_at(old: Path, new: Path) -> None:
    for number in range(5):
        write(old / "d" / f"{number}", f"{number}")
        write(new / "d" / f"{number}", "other")
    assert len(found(old, new)) == 5
    assert found(old, new, {"d/3": False}) == {"d/3": Change.MODIFIED}
    assert len(found(old, new, {"d": True, "d/3": False})) == 5
    # another folder of the same name is looked at as a whole
    assert len(found(old, new, {"d": False, "d/3": False})) == 5
    assert found(old, new, {"d": True}, "d/2") == {"d/2": Change.MODIFIED}
    assert found(old, new, {}) == {}
    with pytest.raises(PathNotFoundError):
        found(old, new, {}, "nowhere")


def test_the_same_times_say_nothing_of_a_file_written_just_before(old: Path) -> None:
    path = write(old / "f", "aaaa")
    settle()
    tree = look(old)
    node = tree.node("f")
    changed_at = path.stat().st_ctime_ns
    assert unchanged(node, tree.node("f"), time.time_ns())
    assert not unchanged(node, tree.node("f"), changed_at)
    assert not unchanged(node, tree.node("f"), changed_at + 1_000_000)
    path.chmod(0o600)
    assert not unchanged(node, look(old).node("f"), time.time_ns())


@pytest.mark.parametrize(
    "change", [lambda d: d, lambda d: d[:-1], lambda d: d[:-1] + b"!", bytes.upper]
)
def test_bytes_are_compared_to_the_end(old: Path, change: Callable[[bytes], bytes]) -> None:
    data = random.Random(1).randbytes(2_500_000) + b"end"
    write(old / "one", data)
    write(old / "two", change(data))
    with (old / "one").open("rb") as one, (old / "two").open("rb") as two:
        equal = same_bytes(one.fileno(), two.fileno(), len(data))
    assert equal == (change(data) == data)


# -- copying -------------------------------------------------------------------------------------


def test_a_copy_without_shared_blocks_keeps_everything(
    old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_FICLONE", 0)  # as on a file system that cannot share
    monkeypatch.setattr(copying, "_PIECE", 3000)
    for name, mode in (("f", 0o640), ("d/g", 0o4755), ("d/e/h", 0o400)):
        write(old / name, random.Random(name).randbytes(10_000), MTIME).chmod(mode)
    os.link(old / "d" / "g", old / "same")
    with (old / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(3 << 20)
        file.write(b"middle")
    with (old / "hole").open("wb") as file:
        file.truncate(5 << 20)
    (old / "link").symlink_to("nowhere")
    os.utime(old / "d", ns=(MTIME, MTIME))
    assert copying.restore(look(old), new, (), None) == 6
    assert state_of(new, folder_times=True) == state_of(old, folder_times=True)
    assert (new / "same").stat().st_ino == (new / "d" / "g").stat().st_ino
    if (old / "sparse").stat().st_blocks < 1 << 10:
        assert (new / "sparse").stat().st_blocks < 1 << 10
        assert (new / "hole").stat().st_blocks == 0


def test_a_copy_that_fails_leaves_nothing(
    old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        write(old / "d" / f"{number}", f"{number}")
    (old / "d").chmod(0o555)

    def give_up(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    for to in (new, new / "x" / "y"):
        with pytest.raises(KeyboardInterrupt):
            copying.restore(look(old), to, (), give_up)
        assert not new.exists()
    new.mkdir()
    with pytest.raises(KeyboardInterrupt):
        copying.restore(look(old), new, (), give_up)
    assert os.listdir(new) == []
    with pytest.raises(PathNotFoundError, match="nothing was restored"):
        copying.restore(look(old), new, ["d/1", "d/x"], None)
    assert os.listdir(new) == []


def test_a_file_that_goes_after_it_was_listed_is_another(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live folder changes while it is compared."""
    new = tmp_path / "new"
    for folder in (old, new):
        write(folder / "d" / "goes", folder.name)
        write(folder / "d" / "stays", folder.name)
    live = look(new)
    listed = live.children

    def children(folder: Open) -> list[Node]:
        nodes = list(listed(folder))
        if folder.path == "d":
            (new / "d" / "goes").unlink()
        return nodes

    monkeypatch.setattr(live, "children", children)
    differs = Comparison(look(old), live, time.time_ns(), same_bytes).run()
    assert {each.path: each.change for each in differs} == {
        "d/goes": Change.MODIFIED,
        "d/stays": Change.MODIFIED,
    }
