# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Going back: the files are as they were, and what was there before is committed."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from committer_world import World, new_id, run_record
from filelock import FileLock

from dotscience_jupyter.committer import WENT_BACK, CommitterError
from dotscience_jupyter.records import RecordsError
from dotscience_jupyter.snapshots import HeldError, SnapshotError


def commit(world: World, message: str) -> Any:
    return world.committer.commit(message).commits[-1]


def tree(world: World) -> dict[str, bytes]:
    found = {}
    for folder, names, files in os.walk(world.root):
        names[:] = [name for name in names if name != ".dotscience"]
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, world.root)] = file.read()
    return found


@pytest.fixture
def past(world: World) -> Any:
    """A first commit; since then a file changed, one went, one came. Not committed yet."""
    world.write("changed.txt", "old")
    world.write("gone/deep.txt", "gone")
    world.write(".dotscienceignore", "cache/\n")
    first = commit(world, "first")
    world.write("changed.txt", "new")
    (world.root / "gone/deep.txt").unlink()
    (world.root / "gone").rmdir()
    world.write("come.txt", "come")
    world.write("cache/big.bin", "ignored")
    return first


def test_the_files_are_as_they_were_and_nothing_is_lost(world: World, past: Any) -> None:
    before = tree(world)
    done = world.committer.go_back(past.id[:12], "Eve")
    short = past.id[:12]
    assert tree(world) == {
        "changed.txt": b"old",
        "gone/deep.txt": b"gone",
        ".dotscienceignore": b"cache/\n",
        "cache/big.bin": b"ignored",
    }
    assert [row.message for row in done.commits] == [
        f"Before going back to {short}",
        f"Went back to {short}",
    ]
    saved, back = (world.records.get_commit(row.id) for row in done.commits)
    assert (saved.author, back.author) == ("Eve", "Eve")
    assert back.details[WENT_BACK] == past.id
    assert WENT_BACK not in saved.details
    assert sorted((change.path, change.change) for change in world_changes(world, back)) == [
        ("changed.txt", "modified"),
        ("come.txt", "removed"),
        ("gone/deep.txt", "added"),
    ]
    assert world.committer.status().state == "clean"
    # forward again, the same way
    world.committer.go_back(saved.id)
    assert tree(world) == before


def world_changes(world: World, row: Any) -> list[Any]:
    older = world.records.get_commit(row.parents[0].parent_id).snapshot
    return world.engine.diff(older, row.snapshot)


def test_going_back_to_what_is_there_does_nothing(world: World) -> None:
    world.write("a.txt", "one")
    first = commit(world, "first")
    assert world.committer.go_back("HEAD").commits == []
    world.write("a.txt", "two")
    commit(world, "second")
    world.write("a.txt", "one")
    done = world.committer.go_back(first.id)
    assert [row.message for row in done.commits] == [f"Before going back to {first.id[:12]}"]
    assert tree(world) == {"a.txt": b"one"}


def test_runs_that_wait_are_recorded_before(world: World, past: Any) -> None:
    run_id = new_id()
    world.spool(run_record(run_id, world.root, output=["come.txt"]))
    world.committer.notebook_grace = 60
    done = world.committer.go_back(past.id)
    assert run_id in done.runs and world.spooled() == []
    snapshot = world.run(run_id).commit.snapshot
    assert world.engine.open(snapshot, "come.txt").read() == b"come"
    assert "come.txt" not in tree(world)


def test_others_commit_before_or_after_but_not_meanwhile(world: World, past: Any) -> None:
    done = threading.Event()

    def go_back() -> None:
        world.committer.go_back(past.id)
        done.set()

    thread = threading.Thread(target=go_back)
    with FileLock(world.workspace.lock):
        thread.start()
        assert not done.wait(0.3)
        assert tree(world)["changed.txt"] == b"new"
    thread.join()
    assert tree(world)["changed.txt"] == b"old"


def test_a_commit_that_does_not_exist(world: World, past: Any) -> None:
    before = tree(world)
    with pytest.raises(CommitterError, match="abcdefab"):
        world.committer.go_back("abcdefabcdef")
    assert tree(world) == before
    assert world.messages() == ["first"]


def test_a_rollback_that_fails_loses_nothing(
    world: World, past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(world)

    def refuse(*arguments: Any) -> Any:
        raise SnapshotError("The folder cannot be written.")

    monkeypatch.setattr(world.engine, "rollback", refuse)
    with pytest.raises(CommitterError, match="cannot be written. Nothing is lost"):
        world.committer.go_back(past.id)
    assert tree(world) == before
    assert world.messages()[-1].startswith("Before going back")
    assert world.committer.status().state == "clean"


def test_what_is_there_without_being_recorded_is_recorded_by_the_next_commit(
    world: World, past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.records.commit

    def refuse(commits: Any, **options: Any) -> Any:
        if any(WENT_BACK in each.metadata for each in commits):
            raise RecordsError("The disk is full.")
        return real(commits, **options)

    with monkeypatch.context() as patched:
        patched.setattr(world.records, "commit", refuse)
        with pytest.raises(CommitterError, match="but that could not be recorded: The disk"):
            world.committer.go_back(past.id)
    assert tree(world)["changed.txt"] == b"old"
    commit(world, "after")
    assert world.committer.status().state == "clean"


def test_a_rollback_that_got_half_way_shows_what_differs_and_can_be_completed(
    world: World, past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(*arguments: Any) -> Any:
        world.write("changed.txt", "old")
        raise SnapshotError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "rollback", half)
        with pytest.raises(CommitterError):
            world.committer.go_back(past.id)
    assert [change.path for change in world.committer.status().changed] == ["changed.txt"]
    world.committer.go_back(past.id)
    assert set(tree(world)) == {
        "changed.txt",
        "gone/deep.txt",
        ".dotscienceignore",
        "cache/big.bin",
    }


def test_what_a_commit_needs_cannot_be_destroyed(world: World, past: Any) -> None:
    world.committer.go_back(past.id)
    for snapshot in world.records.snapshots():
        with pytest.raises(HeldError):
            world.engine.destroy(snapshot)
