# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub whose content is in a real S3 service, Ceph's, which goes away, as does the hub."""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hub_world import CHEAP, RunningHub, hub
from nursery import Nursery, free_port, nursery
from s3_services import S3Service, shared_ceph
from sync_world import Site, World, world

from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.records import Records
from dotscience_jupyter.sync import SyncError

# one gateway for all tests of a run
pytestmark = pytest.mark.xdist_group("ceph")

THOROUGH = bool(os.environ.get("DOTSCIENCE_THOROUGH"))


@pytest.fixture(scope="module")
def s3() -> S3Service:
    return shared_ceph()


@pytest.fixture(autouse=True)
def surroundings(s3: S3Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "home" / "jupyter"))


def sound(data: Path) -> None:
    """Everything that a hub recorded is there, as the bucket alone tells."""
    shutil.rmtree(data / "projects")
    services = Services.open(Config(data, hasher=CHEAP))
    try:
        for info in services.projects.all():
            with services.projects.open(info) as opened:
                assert opened.records.verify() == []
                assert opened.engine.verify(opened.records.snapshots()) == []
    finally:
        services.close()


def test_push_pull_put_and_get(s3: S3Service, tmp_path: Path) -> None:
    chance = random.Random(1)
    large = chance.randbytes(12 << 20)  # goes up in parts
    options = {"storage": f"s3://{s3.bucket()}/hub", "storage_endpoint": s3.url}
    with hub(tmp_path, **options) as running, world(running, tmp_path) as made:
        site = made.site()
        site.commit({"large.bin": large, "small.txt": "1"})
        site.commit({"small.txt": "2"})
        assert site.sync.push().head == site.head
        client = S3Service(f"{running.url}/s3", *running.s3_key("alice")).client()
        client.put_object(Bucket=made.name, Key="put.bin", Body=large[:1000])
        users = running._users
    shutil.rmtree(running.data / "projects")
    with hub(tmp_path, **options) as running:
        running._users = users
        made.hub = running
        client = S3Service(f"{running.url}/s3", *running.s3_key("alice")).client()
        body = client.get_object(Bucket=made.name, Key="put.bin")["Body"]
        assert body.read() == large[:1000]
        made.remote = made.through(running.url)
        other = made.clone("other")
        assert other.files() == {"large.bin": large, "small.txt": b"2", "put.bin": large[:1000]}
        made.close()
    sound(running.data)


def test_the_service_goes_away_during_a_push(s3: S3Service, tmp_path: Path) -> None:
    chance = random.Random(2)
    options = {"storage": f"s3://{s3.bucket()}", "storage_endpoint": s3.url}
    with hub(tmp_path, **options) as running, world(running, tmp_path) as made:
        site = made.site(attempts=1)
        first = site.commit({"small.txt": "1"})
        site.sync.push()
        site.commit({"large.bin": chance.randbytes(17 << 20)})
        assert running.services is not None
        storage = running.services.storage
        assert storage is not None
        # the upload in parts was begun
        storage.bucket._client.meta.events.register(
            "before-send.s3.UploadPart", Once(s3.stop), unique_id="outage"
        )
        with pytest.raises(SyncError):
            site.sync.push()
        assert made.refs() == {"HEAD": first}
        # what is at hand can be read while it is away
        other = made.clone("other")
        assert other.files() == {"small.txt": b"1"}
        s3.start()
        assert site.sync.push().head == site.head
        assert other.sync.pull().head == site.head
        assert other.files() == site.files()
        made.close()
    sound(running.data)


class Once:
    """Does something at the first call, whoever else calls."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._work: Callable[[], None] | None = work

    def __call__(self, **_: object) -> None:
        with self._lock:
            work, self._work = self._work, None
            if work is not None:
                work()


class Killer:
    """A proxy to the service that kills the hub after so many bytes went up."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._budget: int | None = None
        self._kill = lambda: None
        self._lock = threading.Lock()
        self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, budget: int, nursery: Nursery, child: int) -> None:
        def kill() -> None:
            nursery.kill(child)

        with self._lock:
            self._budget, self._kill = budget, kill

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    service = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                for source, target, up in ((client, service, True), (service, client, False)):
                    threading.Thread(
                        target=self._pass, args=(source, target, up), daemon=True
                    ).start()

    def _pass(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 14):
                if up:
                    self._count(len(data))
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _count(self, count: int) -> None:
        with self._lock:
            self.passed += count
            if self._budget is None:
                return
            self._budget -= count
            if self._budget > 0:
                return
            self._budget = None
            kill = self._kill
        kill()

    def close(self) -> None:
        self._listener.close()


def test_a_hub_that_is_killed_while_it_brings_content_there(s3: S3Service, tmp_path: Path) -> None:
    chance = random.Random(3)
    killer = Killer(s3.port)
    port, data = free_port(), tmp_path / "hub"
    where = ["--storage", f"s3://{s3.bucket()}/x", "--storage-endpoint", killer.url]
    with nursery() as processes:
        child = processes.hub(data, port, *where)
        made = World(RunningHub(f"http://127.0.0.1:{port}", data), tmp_path)
        site = made.site(attempts=1)
        for number in range(3):
            site.commit({f"{number}.bin": chance.randbytes(3 << 20), "same.txt": str(number)})
        processes.kill(child)
        failed = had = 0
        for turn in range(40 if THOROUGH else 4):
            child = processes.hub(data, port, *where)
            killer.arm(chance.randrange(1, (10 << 20) if turn % 2 else 40_000), processes, child)
            try:
                site.sync.push()
            except SyncError:
                failed += 1
            processes.kill(child)
            now = arrived(made, site)
            assert now >= had
            had = now
            if turn % 3 == 2:
                shutil.rmtree(data / "projects")
        assert failed
        child = processes.hub(data, port, *where)
        site.sync.patience.attempts = 5
        assert site.sync.push().head == site.head
        processes.kill(child)
    made.close()
    sound(data)
    killer.close()


def arrived(made: World, site: Site) -> int:
    """How much of the history the hub has recorded: always whole commits, in order."""
    order = [each.id for each in site.records.list_commits(limit=1000)[0]][::-1]
    file = made.hub.data / "records" / f"{made.project}.db"
    if not file.exists():
        return 0
    records = Records.open(f"sqlite:///{file}")
    try:
        head = records.refs().get("HEAD")
        return 0 if head is None else order.index(head) + 1
    finally:
        records.close()
