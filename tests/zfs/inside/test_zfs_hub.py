# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub whose content is on ZFS, and workspaces that push to it."""

from __future__ import annotations

import io
import random
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cutting import proxy
from hub_world import CHEAP, RunningHub, hub
from sync_world import Site, World, quick
from zfs_world import Pool, zfs

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.project import ProjectInfo
from dotscience_jupyter.hub.storage.arrivals import Arrivals
from dotscience_jupyter.snapshots import Edit, Equal, SnapshotError, open_engine
from dotscience_jupyter.snapshots.native.portable import PortableNative
from dotscience_jupyter.snapshots.stream import FrameWriter
from dotscience_jupyter.snapshots.zfs import names
from dotscience_jupyter.snapshots.zfs.transfer import Header
from dotscience_jupyter.sync import SyncError, clone, synced
from dotscience_jupyter.sync.connection import Connection, Patience
from dotscience_jupyter.sync.streaming import StreamDownload, StreamUpload

LARGE = random.Random(0).randbytes(4 << 20)


@pytest.fixture
def root(pool: Pool) -> str:
    """A data set for the projects of a hub."""
    root = f"{pool.root}/hub{secrets.token_hex(4)}"
    zfs("create", root)
    return root


@pytest.fixture
def running(tmp_path: Path, root: str) -> Iterator[RunningHub]:
    with hub(tmp_path, storage=f"zfs:{root}") as started:
        yield started


@pytest.fixture
def world(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    world = World(running, tmp_path)
    yield world
    for site in world.sites:
        site.close()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that pushes and fetches make."""
    made: list[Connection] = []

    class Noted(Connection):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(synced, "Connection", Noted)
    return made


def on_zfs(world: World, pool: Pool, name: str, *, attempts: int = 3) -> Site:
    """A workspace that is a data set."""
    pool.volume(world.base / name)
    site = world.site(name, root=world.base / name, attempts=attempts)
    assert site.engine.name == "zfs"
    return site


def received(root: str) -> list[str]:
    """The snapshots that a hub received."""
    lines = zfs("list", "-H", "-r", "-t", "snapshot", "-o", "name", root).split()
    return [line for line in lines if "/received-" in line]


def test_pushes_are_streams_of_what_is_new(
    world: World, pool: Pool, root: str, connections: list[Connection]
) -> None:
    site = on_zfs(world, pool, "work")
    site.commit({"large": LARGE, "notes": "one"})
    assert site.sync.push().state == "published"
    assert connections[-1].sent > len(LARGE)
    with open(site.root / "large", "r+b") as file:
        file.seek(2 << 20)
        file.write(bytes(reversed(LARGE[: 1 << 20])))
    site.commit({"notes": "two"})
    assert site.sync.push().state == "published"
    assert connections[-1].sent < 3 << 19
    assert len({name.partition("@")[0] for name in received(root)}) == 1
    assert len(received(root)) == 2
    assert list(site.engine.exchange.references()) == [], "nothing was cut here"

    # others need not know how it came
    elsewhere = world.clone("elsewhere")
    assert elsewhere.engine.name == "embedded"
    assert elsewhere.files() == site.files()
    folder = world.hub.data / "projects" / world.project
    packs = sum(path.stat().st_size for path in (folder / "store").rglob("*.pack"))
    assert packs < 60_000, "the content is kept once"
    services = world.hub.services
    assert services is not None
    info = services.projects.get(world.project)
    assert info is not None
    with services.projects.open(info) as project:
        project.gc()
        assert project.engine.verify(project.records.snapshots()) == []
    assert len(received(root)) == 2

    # what somebody on another file system made comes back and goes on
    elsewhere.commit({"more": "from there"})
    assert elsewhere.sync.push().state == "published"
    site.sync.pull()
    site.commit({"notes": "three"})
    before = len(connections)
    assert site.sync.push().state == "published"
    assert sum(each.sent for each in connections[before:]) < 1 << 20
    elsewhere.sync.pull()
    assert elsewhere.files() == site.files()

    services.projects.delete(info, confirm=info.name)
    services.projects.purge(info.id)
    assert not folder.exists()
    assert received(root) == []


def test_a_stream_that_is_cut_goes_on(
    world: World, pool: Pool, root: str, connections: list[Connection]
) -> None:
    site = on_zfs(world, pool, "work", attempts=1)
    site.commit({f"part{number}": LARGE[number << 18 : number + 4 << 18] for number in range(12)})
    with proxy(world.hub.port) as between:
        site.sync.remove()
        site.sync.add(world.through(between.url))
        between.budget = 8 << 20
        with pytest.raises(SyncError, match="cannot be reached"):
            site.sync.push()
        between.budget = None
        assert site.sync.push().state == "published"
    assert between.cuts == 1
    assert sum(each.sent for each in connections) < 19 << 20, "it was not begun anew"
    assert len(received(root)) == 1


def test_what_one_sent_comes_back_as_streams(
    world: World, pool: Pool, root: str, connections: list[Connection], tmp_path: Path
) -> None:
    site = on_zfs(world, pool, "work")
    site.commit({"large": LARGE, "notes": "one"})
    site.commit({"notes": "two"})
    assert site.sync.push().state == "published"
    assert len(received(root)) == 2

    clones = pool.volume(tmp_path / "elsewhere")
    with proxy(world.hub.port) as between:
        # only once: what arrived is gone on with
        between.budget = 3 << 20
        direct, world.remote = world.remote, world.through(between.url)
        with pytest.raises(SyncError, match="cannot be reached|connection"):
            clone(world.remote, tmp_path / "elsewhere", credentials=world.credentials,
                  patience=quick(1))  # fmt: skip
        between.budget = None
        other = world.clone("elsewhere")
        world.remote = direct
        assert between.cuts == 1
    assert other.engine.name == "zfs"
    assert other.files() == site.files()
    assert len(received(clones)) == 2
    assert sum(each.received for each in connections) < 7 << 20, "it was not begun anew"
    assert [info.holds for info in other.engine.snapshots()][:2] == [("commit",)] * 2
    assert other.service.verify().problems == []
    packs = (tmp_path / "elsewhere" / ".dotscience" / "store").rglob("*.pack")
    assert sum(path.stat().st_size for path in packs) < 60_000, "nothing came as objects"

    with open(site.root / "large", "r+b") as file:
        file.seek(2 << 20)
        file.write(bytes(reversed(LARGE[: 1 << 20])))
    site.commit({"notes": "three"})
    site.sync.push()
    before = len(connections)
    assert other.sync.pull().commits == 1
    assert sum(each.received for each in connections[before:]) < 3 << 19
    assert other.files() == site.files()

    # to somebody else the stream would tell more than the commits do
    path = f"/api/v1/projects/{world.project}"
    world.hub.user("bob")
    added = world.hub.call("POST", f"{path}/members", world.hub.user("alice"), {"name": "bob"})
    assert added.status == 204
    heads = [info.id for info in site.engine.snapshots()]
    asked = {"snapshots": heads}
    answer = world.hub.call("POST", f"{path}/streams/offered", world.hub.user("bob"), asked)
    assert answer.json() == {"snapshots": []}
    answer = world.hub.call(
        "POST", f"{path}/streams/get", world.hub.user("bob"), {"snapshot": heads[0]}
    )
    assert answer.status == 404


def test_what_is_ignored_stays_here(world: World, pool: Pool, root: str) -> None:
    site = on_zfs(world, pool, "work")
    site.write({".dotscienceignore": "secret\n", "secret": "of mine"})
    site.commit({"large": LARGE})
    assert site.sync.push().state == "published"
    assert received(root) == []


def new_project(services: Services) -> ProjectInfo:
    services.identity.create_user("alice", "correct horse")
    return services.projects.create(services.identity.get_user("alice"), "demo")


def config(tmp_path: Path, storage: str = "") -> Config:
    return Config(data=tmp_path / "hub", storage=storage, hasher=CHEAP)


def test_what_a_hub_has_moves_into_the_pool(tmp_path: Path, root: str) -> None:
    def written(services: Services, id_: str) -> bytes:
        info = services.projects.get(id_)
        assert info is not None
        with services.projects.open(info) as project, project.open("HEAD", "a") as file:
            return file.read()

    services = Services.open(config(tmp_path))
    info = new_project(services)
    id_ = info.id
    with services.projects.open(info) as project:
        project.write([Edit("a", LARGE)], author="alice", message="", type="upload")
    services.close()
    # one that was killed before all of it was there
    zfs(
        "create", "-u", "-o", "canmount=noauto", "-o", "dotscience:project=filling", f"{root}/{id_}"
    )
    for _ in range(2):
        services = Services.open(config(tmp_path, f"zfs:{root}"))
        assert written(services, id_) == LARGE
        services.close()
        folder = tmp_path / "hub" / "projects" / id_
        assert names.mounted_at(str(folder)) == f"{root}/{id_}"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", id_]
        # as after the system has started
        zfs("unmount", f"{root}/{id_}")
    (folder / "file").touch()
    services = Services.open(config(tmp_path))  # it remembers where the content is
    with pytest.raises(SnapshotError, match="has files in it although"):
        written(services, id_)
    services.close()


@pytest.fixture
def demo(pool: Pool, tmp_path: Path) -> Iterator[tuple[Services, ProjectInfo, str]]:
    """A hub without a server, a project in it, and its data set."""
    root = f"{pool.root}/hub{secrets.token_hex(4)}"
    zfs("create", root)
    services = Services.open(config(tmp_path, f"zfs:{root}"))
    info = new_project(services)
    yield services, info, f"{root}/{info.id}"
    services.close()


@contextmanager
def opened(pool: Pool, folder: Path) -> Iterator[PortableNative]:
    """The engine of a folder that is a new data set."""
    pool.volume(folder)
    engine = open_engine(folder, folder / ".dotscience" / "store")
    assert isinstance(engine, PortableNative)
    yield engine
    engine.close()


@pytest.fixture
def engine(pool: Pool, tmp_path: Path) -> Iterator[PortableNative]:
    with opened(pool, tmp_path / "work") as engine:
        yield engine


class Direct:
    """A project on a hub, without what is between."""

    streams = frozenset({"zfs"})

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self.connection = self
        self.patience = Patience(attempts=1)
        self.sent: list[int] = []
        self.gave: list[int] = []

    def streamed(self, snapshots: list[str]) -> tuple[list[str], dict[str, str]]:
        return self._arrivals.state(snapshots)

    def put_stream(self, parts: Iterator[bytes]) -> Equal:
        data = b"".join(parts)
        self.sent.append(len(data))
        return self.take_streamed(self._arrivals.receive(io.BytesIO(data), "alice"))

    def take_streamed(self, snapshot: str) -> Equal:
        return self._arrivals.take(snapshot)

    def offered(self, snapshots: list[str]) -> set[str]:
        return set(self._arrivals.offered(snapshots, "alice"))

    @contextmanager
    def stream(self, snapshot: str, have: list[str], resume: str) -> Iterator[io.BytesIO]:
        data = io.BytesIO()
        self._arrivals.send(snapshot, "alice", have, resume, data)
        self.gave.append(data.tell())
        data.seek(0)
        yield data


def test_what_arrives_is_content_and_leaves_again(
    engine: PortableNative, demo: tuple[Services, ProjectInfo, str], pool: Pool, tmp_path: Path
) -> None:
    services, info, dataset = demo
    folder = Path(engine.root)
    (folder / "large").write_bytes(LARGE[: 5 << 18])  # of more than one chunk
    (folder / "link").symlink_to("large")
    first = engine.snapshot().id
    with open(folder / "large", "r+b") as file:
        file.write(b"begins otherwise")
    second = engine.snapshot().id
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("a password")
    (folder / "small").write_text("and a commit")
    third = engine.snapshot().id
    with services.projects.open(info) as project:
        assert project.arrivals is not None
        hub = Direct(project.arrivals)
        upload = StreamUpload(engine, hub, is_first=True)  # type: ignore[arg-type]  # a part of one
        assert upload.send([first, second, third]) == {first, second}
        assert hub.sent[0] > 5 << 18 > 2 * hub.sent[1]
        for snapshot in (first, second):
            assert project.engine.content_id(snapshot) == engine.content_id(snapshot)
        with project.engine.open(second, "large") as read:
            assert read.read() == (folder / "large").read_bytes()
        assert project.engine.verify([second]) == []
        packs = Path(project.tmp.parent, "store").rglob("*.pack")
        assert sum(path.stat().st_size for path in packs) < 50_000, "the content is kept once"
        project.gc()
        assert len(received(dataset)) == 2
        assert len({name.partition("@")[0] for name in received(dataset)}) == 1
        # as long as it is referred to
        held = zfs("holds", "-H", *received(dataset))
        assert held.count("dotscience:exchange") == 2

        # it is given to nobody but the one who sent it, who has it elsewhere then
        assert project.arrivals.offered([first, second, third], "eve") == []
        with pytest.raises(ApiError, match="was not sent to this hub as a stream by you"):
            project.arrivals.send(first, "eve", [], "", io.BytesIO())
        with opened(pool, tmp_path / "elsewhere") as other:
            wanted = {each: project.engine.equals([each])[each] for each in (first, second)}
            StreamDownload(other, hub).take(wanted)  # type: ignore[arg-type]  # a part of one
            assert hub.gave[0] > 5 << 18 > 2 * hub.gave[1]
            with other.open(second, "large") as read:
                assert read.read() == (folder / "large").read_bytes()
            other.rollback(second)
            assert (Path(other.root) / "large").read_bytes() == (folder / "large").read_bytes()
            assert {info.id: info.holds for info in other.snapshots()}[second] == ("received",)
    services.projects.delete(info, confirm=info.name)
    services.projects.purge(info.id)
    assert not zfs("list", "-H", "-r", "-o", "name", dataset.rpartition("/")[0]).count(info.id)
    assert not project.tmp.parent.exists()


def test_only_streams_of_one_snapshot_reach_zfs(
    engine: PortableNative, demo: tuple[Services, ProjectInfo, str]
) -> None:
    services, info, dataset = demo
    (Path(engine.root) / "file").write_bytes(b"content")
    snapshot = engine.snapshot().id
    volume = names.mounted_at(engine.root)
    name = zfs("list", "-H", "-t", "snapshot", "-o", "name", volume).strip()
    zfs("set", "setuid=on", volume)

    def stream(*options: str) -> io.BytesIO:
        content = subprocess.run(
            ["zfs", "send", *options, name], capture_output=True, check=True
        ).stdout
        header = Header(snapshot, "", name.partition("@")[2], "", False, False, len(content))
        out = io.BytesIO()
        writer = FrameWriter(out, header.to_json())
        writer.write(content)
        writer.finish()
        out.seek(0)
        return out

    with services.projects.open(info) as project:
        before = received(dataset)
        arrivals = project.arrivals
        assert arrivals is not None
        for options in (("-R",), ("-p",)):
            with pytest.raises(SnapshotError, match="no stream of one snapshot"):
                arrivals.receive(stream(*options), "alice")
        assert received(dataset) == before
        with pytest.raises(ApiError, match="is not here"):
            arrivals.take(snapshot)
        assert arrivals.receive(stream("-c"), "alice") == snapshot
        made = {name.partition("@")[0] for name in received(dataset)}.difference(
            name.partition("@")[0] for name in before
        )
        found = zfs("get", "-H", "-o", "value", "setuid,exec,canmount,mountpoint", *made).split()
        assert found == ["off", "off", "noauto", "none"]
        assert arrivals.take(snapshot).content == engine.content_id(snapshot)
