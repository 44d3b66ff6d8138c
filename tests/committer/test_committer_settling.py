# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the engine puts off is done in the background, after commits and never in their way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from committer_world import World, new_id, run_text, stream

from dotscience_jupyter.committer import settling
from dotscience_jupyter.snapshots import SnapshotError

Progress = Callable[[int, int, str], None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "DELAY", 0.05)
    monkeypatch.setattr(settling, "RETRY", 0.1)


@pytest.fixture
def background(world: World) -> Iterator[World]:
    yield world
    world.committer.close()
    assert "dotscience-settler" not in {thread.name for thread in threading.enumerate()}


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def content_id(world: World) -> str:
    head = world.records.head()
    return "" if head is None else world.engine.content_id(head.snapshot, compute=False)


def test_after_a_commit_its_content_id_becomes_known(background: World) -> None:
    background.write("a.txt", "one")
    background.committer.settle_in_background()
    background.committer.commit("first")
    until(lambda: content_id(background))
    background.write("a.txt", "two")
    background.committer.commit("second")
    until(lambda: content_id(background))


def test_what_others_left_is_done_at_the_start(background: World) -> None:
    background.write("a.txt", "one")
    background.committer.commit("by a program that ended at once")
    assert not content_id(background)
    background.committer.settle_in_background()
    until(lambda: content_id(background))


def test_it_is_done_now_and_then_also_without_a_commit(
    background: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "EVERY", 0.05)
    calls: list[int] = []
    monkeypatch.setattr(background.engine, "settle", lambda progress: calls.append(1))
    background.committer.settle_in_background()
    until(lambda: len(calls) > 2)


def test_many_commits_are_followed_by_one_settling(
    background: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "DELAY", 0.5)
    calls = []
    monkeypatch.setattr(background.engine, "settle", lambda progress: calls.append(1))
    background.committer.settle_in_background()
    begun = time.monotonic()
    for number in range(5):
        background.write("a.txt", str(number))
        background.committer.commit(str(number))
    seconds = time.monotonic() - begun
    until(lambda: calls)
    time.sleep(0.2)
    assert len(calls) <= 1 + seconds / 0.5


def test_a_commit_goes_first(background: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settling does not begin while one is made, and gives way to one that begins."""
    in_snapshot, go = threading.Event(), threading.Event()
    settled = threading.Event()
    real = background.engine.snapshot

    def slow(*arguments: Any) -> Any:
        in_snapshot.set()
        assert go.wait(30)
        return real(*arguments)

    monkeypatch.setattr(background.engine, "snapshot", slow)
    monkeypatch.setattr(background.engine, "settle", lambda progress: settled.set())
    background.save("n.ipynb", [stream(run_text(new_id()))])
    scan = threading.Thread(target=background.scan)
    scan.start()
    assert in_snapshot.wait(30)
    background.committer.settle_in_background()
    assert not settled.wait(0.3)
    go.set()
    scan.join()
    assert settled.wait(30)


def test_what_cannot_be_done_is_told_once_and_tried_again(
    background: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    works = threading.Event()

    def settle(progress: Progress) -> None:
        tries.append(1)
        if not works.is_set():
            raise SnapshotError("The disk is full.")

    monkeypatch.setattr(background.engine, "settle", settle)
    background.committer.settle_in_background()
    until(lambda: len(tries) > 3)
    status = background.committer.status()
    assert status.state == "error"
    assert "The disk is full. What is committed is safe" in status.message
    assert background.events.count("error") == 1
    works.set()
    until(lambda: background.committer.status().state == "clean")


def test_a_defect_ends_nothing(background: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def settle(progress: Progress) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError("a defect")

    monkeypatch.setattr(background.engine, "settle", settle)
    background.committer.settle_in_background()
    until(lambda: len(tries) > 1)
    until(lambda: background.committer.status().state == "clean")


def test_the_end_does_not_wait_for_all_of_it(
    background: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = threading.Event(), threading.Event()

    def settle(progress: Progress) -> None:
        begun.set()
        for number in range(100_000):
            progress(number, 100_000, "Hashing")
            time.sleep(0.001)
        done.set()

    monkeypatch.setattr(background.engine, "settle", settle)
    background.committer.settle_in_background()
    assert begun.wait(30)
    background.committer.close()
    assert not done.is_set()
    assert background.committer.status().state == "clean"


def test_a_program_that_is_about_to_end_gives_up_soon(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a.txt", "one")
    world.committer.commit("first")
    world.committer.settle(10)
    assert content_id(world)

    def settle(progress: Progress) -> None:
        while True:
            progress(0, 0, "Hashing")
            time.sleep(0.001)

    monkeypatch.setattr(world.engine, "settle", settle)
    begun = time.monotonic()
    world.committer.settle(0.1)
    assert 0.1 <= time.monotonic() - begun < 10
    monkeypatch.setattr(world.engine, "settle", refuse)
    world.committer.settle(0.1)  # not a reason for a commit to fail


def refuse(*arguments: Any) -> Any:
    raise SnapshotError("The disk is full.")


def test_a_hold_that_fails_fails_no_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("a.txt", "one")
    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "hold", refuse)
        assert world.committer.commit("first").commits
    head = world.records.head()
    assert head is not None
    assert holds(world)[head.snapshot] == ()
    world.engine.gc(world.records.snapshots())
    assert holds(world)[head.snapshot] == ("commit",)


def test_what_commits_need_is_held(world: World) -> None:
    world.write("a.txt", "one")
    world.committer.commit("first")
    world.write("a.txt", "two")
    world.committer.commit("second")
    assert holds(world) == dict.fromkeys(world.records.snapshots(), ("commit",))


def holds(world: World) -> dict[str, tuple[str, ...]]:
    return {each.id: each.holds for each in world.engine.snapshots()}


def test_what_runs_declare_is_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in a shared memory map may have changed without anybody having been told."""
    looked: list[set[str]] = []
    real = world.engine.snapshot

    def snapshot(progress: Any = None, look_at: Any = ()) -> Any:
        looked.append(set(look_at))
        return real(progress, look_at)

    monkeypatch.setattr(world.engine, "snapshot", snapshot)
    world.write("sub/in.csv")
    run = run_text(new_id(), input=["sub/in.csv", "/etc/hosts"], output=["model.bin", "out"])
    world.save("n.ipynb", [stream(run)])
    world.scan()
    assert looked == [{"sub/in.csv", "model.bin", "out", "n.ipynb"}]
