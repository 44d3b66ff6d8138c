# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""kill -9 of the workspace's process and of the hub, at random moments of a push and a pull."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import loopfs
import pytest
from hub_world import RunningHub, hub
from nursery import Nursery, free_port, nursery
from sync_world import Site, World, world

from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.snapshots.btrfs import ioctls
from dotscience_jupyter.sync import OfflineError, clone

COMMITS = 10
SIZE = 700_000


@pytest.fixture(scope="module")
def processes() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


def history(site: Site) -> None:
    chance = random.Random(1)
    for number in range(COMMITS):
        site.commit(
            {
                f"{number}.bin": chance.randbytes(SIZE),
                "same.txt": str(number),
                **{f"small/{number}-{each}.txt": str(each) for each in range(20)},
            }
        )


def arrived(made: World, site: Site) -> int:
    """How much of the history the hub has, as its files tell: always whole commits, in order."""
    order = [each.id for each in site.records.list_commits(limit=1000)[0]][::-1]
    folder = made.hub.data / "projects" / made.project
    if not (folder / "records.db").exists():
        return 0
    records = Records.open(f"sqlite:///{folder / 'records.db'}")
    try:
        head = records.refs().get("HEAD")
        return 0 if head is None else order.index(head) + 1
    finally:
        records.close()


@pytest.fixture(params=["embedded", "btrfs"])
def roots(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Path]]:
    """Two folders for workspaces."""
    names = ["site", "other"]
    if request.param == "embedded":
        yield [tmp_path / name for name in names]
        return
    with loopfs.mounted("btrfs", 2 << 30) as place:
        for name in names:
            ioctls.create(str(place), name)
        yield [place / name for name in names]


def test_a_client_that_is_killed_goes_on(
    tmp_path: Path, processes: Nursery, roots: list[Path]
) -> None:
    chance = random.Random(3)
    native = not roots[0].is_relative_to(tmp_path)
    turns = 4 if native and not os.environ.get("DOTSCIENCE_THOROUGH") else 12
    with hub(tmp_path) as running, world(running, tmp_path) as made:
        site = made.site(root=roots[0])
        history(site)
        had = killed = 0
        walk = ["push", str(made.credentials.path)]
        for turn in range(turns):
            child = processes.start("walk", str(site.root), walk[1], walk[0])
            time.sleep(chance.uniform(0.0, 0.1 + 0.03 * turn))
            killed += processes.kill(child)
            now = arrived(made, site)
            assert now >= had
            had = now
        assert killed
        assert site.sync.push().head == site.head
        made.verify()
        other = made.site(root=roots[1])
        killed = 0
        for turn in range(turns):
            child = processes.start("walk", str(other.root), walk[1], "pull")
            time.sleep(chance.uniform(0.0, 0.1 + 0.03 * turn))
            killed += processes.kill(child)
            assert other.head in {"", site.head}
        assert killed
        assert other.sync.pull().head == site.head
        assert other.files() == site.files()
        assert other.records.verify() == []
        assert other.engine.verify(other.records.snapshots()) == []
        assert other.service.status(fresh=True).status == "clean"
        if not native:
            cloned(made, site, processes, min(turns, 6), chance)


def cloned(made: World, site: Site, processes: Nursery, turns: int, chance: random.Random) -> None:
    """A clone that is killed is no workspace, and another one goes on with what it has."""
    folder = made.base / "clone"
    killed = 0
    for turn in range(turns):
        child = processes.start("clone", str(folder), str(made.credentials.path), str(made.remote))
        time.sleep(chance.uniform(0.0, 0.1 + 0.03 * turn))
        killed += processes.kill(child)
        if Workspace.find(folder) is not None:
            break
    assert killed
    clone(made.remote, folder, credentials=made.credentials)
    last = made.open(folder)
    assert (last.head, last.files()) == (site.head, site.files())
    assert last.records.verify() == []
    assert last.service.status(fresh=True).status == "clean"


def test_a_hub_that_is_killed_has_a_whole_history(tmp_path: Path, processes: Nursery) -> None:
    chance = random.Random(5)
    port, data = free_port(), tmp_path / "hub"
    child = processes.hub(data, port)
    made = World(RunningHub(f"http://127.0.0.1:{port}", data), tmp_path)
    site = made.site()
    history(site)
    processes.kill(child)
    site.sync.patience.attempts = 1
    had = failed = 0
    for turn in range(8):
        child = processes.hub(data, port)
        killer = threading.Timer(chance.uniform(0.0, 0.1 + 0.05 * turn), processes.kill, [child])
        killer.start()
        try:
            site.sync.push()
        except OfflineError:
            failed += 1
        killer.join()
        now = arrived(made, site)
        assert now >= had
        had = now
    assert failed
    child = processes.hub(data, port)
    site.sync.patience.attempts = 5
    assert site.sync.push().head == site.head
    assert made.refs() == {"HEAD": site.head}
    processes.kill(child)
    made.verify()
    made.close()
