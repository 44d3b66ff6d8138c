# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Killed at any instant, and several processes at once: no run lost, none doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from committer_world import World, new_id, run_record, run_text, stream

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="processes are made by fork, so that starting them is cheap"
)

POINTS = 45  # steps of a commit at which it is killed
MOMENTS = 15  # kills at any time, between two steps as well

STEPS = frozenset(
    {
        "close",
        "commit",
        "execute",
        "executemany",
        "fdatasync",
        "flock",
        "fsync",
        "ftruncate",
        "link",
        "mkdir",
        "open",
        "remove",
        "rename",
        "replace",
        "unlink",
        "write",
        "writev",
    }
)
"""Calls after which a file, or the database, may be in another state than before."""


def forked(work: object, *arguments: object) -> multiprocessing.Process:
    assert callable(work)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process  # type: ignore[return-value] # a process of that context is one


def commit_all(root: str, last_step: int, answer: int) -> None:
    """Open the workspace as a server does when it starts, commit what is there, perhaps die."""
    steps = 0

    def count(frame: object, event: str, called: object) -> None:
        nonlocal steps
        if event in ("c_call", "c_return") and getattr(called, "__name__", "") in STEPS:
            steps += 1
            if steps == last_step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    world = World(Path(root))
    world.scan()
    world.committer.commit("and the rest")
    world.close()
    sys.setprofile(None)
    os.write(answer, str(steps).encode())
    os._exit(0)


class Publisher:
    """Publishes three runs at a time: two in a notebook, a chain, and one in the spool."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.world = World(root)
        self.world.close()
        self.root = root
        self.expected: list[str] = []
        self.rounds = 0

    def publish(self) -> None:
        ids = [new_id() for _ in range(3)]
        self.expected += ids
        number, world = self.rounds, self.world
        self.rounds += 1
        world.write("data.csv", str(number))
        world.write(f"out/{number}", "x" * number * 1000)
        world.write("stray", str(number))
        world.save(
            f"n{number}.ipynb",
            [stream(run_text(ids[0], input=["data.csv"], output=[f"out/{number}"]))],
            [stream(run_text(ids[1], input=[f"out/{number}"]))],
        )
        world.spool(run_record(ids[2], self.root))

    def restart(self, thorough: bool) -> None:
        """Everything is there, once, and whole."""
        again = World(self.root)
        again.scan()
        assert sorted(again.ids()) == sorted(self.expected)
        assert again.spooled() == []
        assert again.scan().commits == []
        if thorough:
            again.check()
        again.close()


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "project")
    read, write = os.pipe()
    steps = 0
    for _ in range(2):  # the first one makes the store, too
        publisher.publish()
        process = forked(commit_all, str(publisher.root), 0, write)
        process.join(60)
        assert process.exitcode == 0
        process.close()
        steps = int(os.read(read, 100))
    assert steps > POINTS
    killed = 0
    for number in range(POINTS):
        publisher.publish()
        process = forked(commit_all, str(publisher.root), 1 + number * (steps - 1) // POINTS, write)
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        process.close()
        publisher.restart(thorough=number % 15 == 14)
    os.close(read)
    os.close(write)
    assert killed >= 40


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "project")
    chosen = random.Random(20260101)
    read, write = os.pipe()
    killed, longest = 0, 0.5
    for _ in range(20 * MOMENTS):
        publisher.publish()
        begin = time.monotonic()
        process = forked(commit_all, str(publisher.root), 0, write)
        process.join(chosen.random() * longest)
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        if process.exitcode == -signal.SIGKILL:
            killed += 1
        else:
            longest = time.monotonic() - begin  # how long an undisturbed commit takes just now
        process.close()
        if killed == MOMENTS:
            break
    assert killed == MOMENTS
    publisher.restart(thorough=True)
    os.close(read)
    os.close(write)


def publish_and_scan(root: str, mine: list[str], start: float) -> None:
    world = World(Path(root))
    time.sleep(max(0.0, start - time.time()))
    for number, run_id in enumerate(mine):
        if number % 2:
            world.spool(run_record(run_id, world.root))
        else:
            world.save(f"{os.getpid()}-{number}.ipynb", [stream(run_text(run_id))])
        world.scan()
        if number % 5 == 4:
            world.committer.commit("by hand")
    world.close()
    os._exit(0)


def test_three_processes_on_one_workspace(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    shares = [[new_id() for _ in range(10)] for _ in range(3)]
    start = time.time() + 0.3
    processes = [forked(publish_and_scan, str(root), share, start) for share in shares]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    world = World(root)
    world.scan()
    assert sorted(world.ids()) == sorted(run_id for share in shares for run_id in share)
    assert world.spooled() == []
    # one history: each commit has one parent, the one before it
    commits = list(reversed(world.records.list_commits(limit=1000)[0]))
    assert [[p.parent_id for p in commit.parents] for commit in commits[1:]] == [
        [commit.id] for commit in commits[:-1]
    ]
    world.check()
    world.close()


def test_a_writer_that_dies_with_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    world = World(root)
    read, write = os.pipe()

    def hold() -> None:
        from filelock import FileLock

        with FileLock(world.workspace.lock):
            os.write(write, b"x")
            time.sleep(60)
        sys.exit(1)

    process = forked(hold)
    assert os.read(read, 1) == b"x"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    process.close()
    os.close(read)
    os.close(write)
    run_id = new_id()
    world.save("n.ipynb", [stream(run_text(run_id))])
    assert world.scan().runs == [run_id]
    world.check()
    world.close()
