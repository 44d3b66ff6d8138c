# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Two workspaces and a hub, each in a network of its own, whose links are cut."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import RunningHub, hub, until
from namespaces import Networks, networks
from snapshot_helpers import state_of
from sync_world import Site, World, world

from dotscience_jupyter.sync import OfflineError, Pusher, connection, pushing

PORT = 8765


@pytest.fixture
def nets() -> Iterator[Networks]:
    with networks("one", "two") as made:
        yield made


@pytest.fixture
def running(nets: Networks, tmp_path: Path) -> Iterator[RunningHub]:
    """A hub that listens in its network, and on loopback for the tests' own questions."""
    with hub(tmp_path / "data") as made:
        server, loop = made.server, made.loop
        assert server is not None
        assert loop is not None
        done = threading.Event()

        def listen() -> None:
            with nets.inside("hub"):
                server.listen("0.0.0.0", PORT)
            done.set()

        loop.call_soon_threadsafe(listen)
        assert done.wait(10)
        yield made


@pytest.fixture
def here(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    with world(running, tmp_path) as made:
        yield made


def bytes_of(seed: int) -> bytes:
    # more than a connection holds that nobody reads from
    return random.Random(seed).randbytes(24 << 20)


class Cutting:
    """A progress that cuts a site's link once so much was moved, and mends it later."""

    def __init__(self, nets: Networks, site: str, after: int, seconds: float) -> None:
        self._nets, self._site, self._after = nets, site, after
        self._timer = threading.Timer(seconds, nets.mend, [site])
        self.cut = False

    def __call__(self, done: int, total: int, what: str) -> None:
        if done >= self._after and not self.cut:
            self.cut = True
            self._nets.cut(self._site)
            self._timer.start()

    def wait(self) -> None:
        """Wait until the link is there again."""
        self._timer.join()


def test_links_that_are_cut(here: World, nets: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "BATCH", 1 << 19)
    monkeypatch.setattr(connection, "_READ", 1.0)
    monkeypatch.setattr(connection, "_CONNECT", 1.0)
    one = here.site("one", attempts=100)
    first = here.through(f"http://{nets.address('one')}:{PORT}")
    one.sync.remotes.put(first)
    one.commit({"a": "1", "large": bytes_of(1)})
    assert nets.run("one", one.sync.push).state == "published"
    two = nets.run("two", lambda: cloned(here, nets))
    assert state_of(two.root) == state_of(one.root)

    # a week without a network: commits wait, and go by themselves when it is there
    nets.cut("one")
    made = [one.commit({"a": f"{number}"}) for number in range(3)]
    one.sync.patience.attempts = 1
    with pytest.raises(OfflineError, match="Nothing is lost"):
        nets.run("one", one.sync.push)
    assert one.sync.status().ahead == 3
    assert nets.run("two", two.sync.fetch).commits == 0
    monkeypatch.setattr("dotscience_jupyter.sync.pusher.FIRST", 0.2)
    failed = threading.Event()
    pusher = Pusher(one.sync, lambda what: failed.set() if what == "failed" else None)
    nets.run("one", pusher.start)
    assert failed.wait(20)
    assert here.refs()["HEAD"] != made[-1]
    nets.mend("one")
    until(lambda: here.refs()["HEAD"] == made[-1], 30)
    assert pusher.stop()
    one.sync.patience.stopped.clear()

    # cut in the middle: both go on where they were
    one.sync.patience.attempts = 100
    (one.root / "large").write_bytes(bytes_of(2))
    one.commit()
    began = time.monotonic()
    up, down = Cutting(nets, "one", 2 << 20, 2.5), Cutting(nets, "two", 0, 2.5)
    assert nets.run("one", lambda: one.sync.push(up)).state == "published"
    assert nets.run("two", lambda: two.sync.pull(down)).commits == 4
    assert up.cut
    assert down.cut
    took = time.monotonic() - began
    for each in (up, down):
        each.wait()
    assert took > 5  # neither was done before its link was there again
    assert (two.head, state_of(two.root)) == (one.head, state_of(one.root))
    assert two.engine.verify(two.records.snapshots()) == []
    here.verify()


def cloned(here: World, nets: Networks) -> Site:
    here.remote = here.through(f"http://{nets.address('two')}:{PORT}")
    site = here.clone("two")
    site.sync.patience.attempts = 100
    return site
