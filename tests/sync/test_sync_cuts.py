# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Connections that are cut or damage what passes: all arrives in the end, little of it twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutting import Proxy, proxy
from hub_world import hub
from sync_world import World, world

from dotscience_jupyter.sync import OfflineError, SyncError, fetching, pushing

SIZE = 12 << 20


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[World, Proxy]]:
    with (
        hub(tmp_path) as running,
        proxy(running.port) as between,
        world(running, tmp_path) as found,
    ):
        found.remote = found.through(between.url)
        yield found, between


def test_an_upload_that_is_cut_goes_on_within_a_file(made: tuple[World, Proxy]) -> None:
    world, between = made
    site = world.site(attempts=1000)
    site.commit({"big.bin": random.Random(1).randbytes(2 * SIZE), "a.txt": "a"})
    between.budget = 5 << 20  # a connection passes no more than this: the batch is never whole
    done = site.sync.push()
    between.budget = None
    assert done.state == "published"
    assert between.cuts >= 4
    # what the hub's machine has not handed on to it when the cut comes goes once more: the busier
    # it is, the more of it
    assert between.passed < 8 * SIZE
    world.verify()
    other = world.clone("other")
    assert other.files() == site.files()


def test_a_download_that_is_cut_goes_on_within_a_file(made: tuple[World, Proxy]) -> None:
    world, between = made
    site = world.site()
    site.commit({"big.bin": random.Random(2).randbytes(SIZE)})
    site.commit({"a.txt": "a"})
    site.sync.push()
    other = world.site("other", attempts=1000)
    before = between.passed
    between.budget = 3 << 20
    assert other.sync.pull().head == site.head
    between.budget = None
    assert between.cuts >= 4
    assert between.passed - before < 2 * SIZE
    assert other.files() == site.files()
    assert other.engine.verify(other.records.snapshots()) == []
    assert other.engine.partial() == {}


def test_cuts_anywhere_lose_nothing(
    made: tuple[World, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PAGE", 3)
    monkeypatch.setattr(pushing, "BATCH", 1 << 18)
    monkeypatch.setattr(pushing, "LINES", 1 << 12)
    monkeypatch.setattr(fetching, "STREAMS", 2)
    world, between = made
    site = world.site(attempts=10_000)
    chance = random.Random(7)
    for number in range(8):
        site.commit({f"{number}.bin": chance.randbytes(150_000), "same.txt": str(number)})
        site.many(2, points=50)
    between.random = random.Random(11)
    between.budget = 300_000
    site.sync.push()
    between.random, between.budget = None, None
    assert between.cuts > 5
    assert world.refs() == {"HEAD": site.head}
    world.verify()
    other = world.site("other", attempts=10_000)
    between.random = random.Random(12)
    between.budget = 300_000
    other.sync.pull()
    between.random, between.budget = None, None
    assert other.files() == site.files()
    assert other.records.verify() == []
    assert other.engine.verify(other.records.snapshots()) == []


def test_what_is_damaged_on_the_way_is_never_taken(
    made: tuple[World, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "BATCH", 1 << 20)
    world, between = made
    site = world.site(attempts=50)
    site.commit({"big.bin": random.Random(3).randbytes(4 << 20), "a.txt": "a"})
    between.damage = True
    between.random = random.Random(5)
    between.budget = 2 << 20
    for _ in range(50):
        try:
            site.sync.push()
        except SyncError:
            continue  # a header was damaged: what the hub refuses is not tried again by itself
        break
    between.random, between.budget, between.damage = None, None, False
    assert between.cuts
    assert site.sync.push().state == "current"
    world.verify()
    other = world.site("other", attempts=50)
    between.damage = True
    between.random = random.Random(6)
    between.budget = 2 << 20
    for _ in range(50):
        try:
            other.sync.pull()
        except Exception:
            continue
        break
    between.random, between.budget = None, None
    assert other.head == site.head
    assert other.files() == site.files()
    assert other.records.verify() == []
    assert other.engine.verify(other.records.snapshots()) == []


def test_who_is_cut_for_good_is_told_and_goes_on_later(made: tuple[World, Proxy]) -> None:
    world, between = made
    site = world.site(attempts=2)
    site.commit({"big.bin": random.Random(4).randbytes(SIZE)})
    between.budget = 0
    with pytest.raises(OfflineError):
        site.sync.push()
    assert site.sync.status().last.code == "offline"
    assert site.sync.status().ahead == 1
    between.budget = None
    assert site.sync.push().state == "published"
