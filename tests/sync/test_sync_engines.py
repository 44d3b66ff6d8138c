# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Workspaces on btrfs and elsewhere that share a project: push, fetch, pull and clone between."""

from __future__ import annotations

import logging
import os
import random
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import loopfs
import pytest
from cutting import proxy
from hub_world import RunningHub, hub
from s3_services import S3Service, moto
from snapshot_helpers import state_of
from sync_world import Site, World, quick, world

from dotscience_jupyter.records import models
from dotscience_jupyter.snapshots import EmbeddedEngine, Kind, SnapshotNotFoundError
from dotscience_jupyter.snapshots.btrfs import ioctls
from dotscience_jupyter.snapshots.native.portable import HOLD, PortableNative
from dotscience_jupyter.sync import SyncError, clone

pytestmark = pytest.mark.xdist_group("btrfs-sync")

LARGE = 6 << 20


@pytest.fixture(scope="module")
def btrfs() -> Iterator[Path]:
    """A new file system, for all the tests of this module."""
    with loopfs.mounted("btrfs", 4 << 30) as place:
        yield place


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub(tmp_path_factory.mktemp("hub")) as made:
        yield made


@pytest.fixture
def here(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    with world(running, tmp_path) as made:
        yield made


@pytest.fixture
def volume(btrfs: Path) -> Path:
    """A new subvolume."""
    name = secrets.token_hex(4)
    ioctls.create(str(btrfs), name)
    return btrfs / name


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Service]:
    """An imitation of an S3 service."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with moto() as service:
        for name, value in service.environment().items():
            monkeypatch.setenv(name, value)
        yield service


def bytes_of(seed: int, size: int = LARGE) -> bytes:
    return random.Random(seed).randbytes(size)


def first(site: Site) -> str:
    """A commit with one of everything."""
    (site.root / "empty").mkdir()
    (site.root / "link").symlink_to("notes.txt")
    site.write(
        {
            "notes.txt": "one",
            "nothing": b"",
            "data/large.bin": bytes_of(1),
            "data/small.bin": bytes_of(2, 5000),
            os.fsdecode(b"data/odd \xff name"): "odd",
        }
    )
    os.link(site.root / "notes.txt", site.root / "data" / "same notes")
    (site.root / "data" / "small.bin").chmod(0o750)
    return site.commit(message="first")


def native(site: Site) -> PortableNative:
    assert isinstance(site.engine, PortableNative)
    return site.engine


def stored(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def exchange_of(site: Site) -> Path:
    return site.root / ".dotscience" / "store" / "exchange"


def test_there_and_back_between_a_subvolume_and_a_plain_folder(here: World, volume: Path) -> None:
    site = here.site(root=volume)
    assert site.engine.name == "btrfs"
    first(site)
    site.commit({"notes.txt": "two"}, "second")
    done = site.sync.push()
    assert (done.state, done.commits) == ("published", 2)
    assert here.refs()["HEAD"] == site.head
    here.verify()

    other = here.clone("other")
    assert isinstance(other.engine, EmbeddedEngine)
    assert other.head == site.head
    assert state_of(other.root) == state_of(site.root)
    # what was frozen by btrfs is read under its name
    commits, _ = other.records.log("HEAD")
    assert all(commit.snapshot.startswith("btrfs-") for commit in commits)
    for commit in commits:
        assert other.engine.content_id(commit.snapshot) == site.engine.content_id(commit.snapshot)
    changed = other.engine.diff(commits[1].snapshot, commits[0].snapshot)
    # the two names of one file are two files after one of them was written anew
    assert {each.path for each in changed} == {"notes.txt", "data/same notes"}
    assert other.engine.verify(other.records.snapshots()) == []

    (other.root / "data" / "large.bin").write_bytes(bytes_of(1)[:-5] + b"other")
    (other.root / "link").unlink()
    other.commit({"more/new.txt": "from there"}, "third")
    assert other.sync.push().state == "published"

    assert site.sync.pull().commits == 1
    assert site.head == other.head
    assert state_of(site.root) == state_of(other.root)
    assert site.engine.changes(commit_of(site).snapshot) == []
    assert site.service.commit("nothing").commit is None
    third = commit_of(site).snapshot
    assert not third.startswith("btrfs-")
    with site.engine.open(third, "more/new.txt") as file:
        assert file.read() == b"from there"
    assert {each.path for each in site.engine.diff(commits[0].snapshot, third)} == {
        "data/large.bin",
        "link",
        "more/new.txt",
    }
    assert site.engine.verify(site.records.snapshots()) == []

    site.commit({"notes.txt": "four"}, "fourth")
    assert site.sync.push().commits == 1
    assert other.sync.pull().commits == 1
    assert state_of(other.root) == state_of(site.root)
    here.verify()


def commit_of(site: Site) -> models.Commit:
    head = site.records.head()
    assert head is not None
    return head


def test_nothing_is_kept_twice_and_only_what_changed_travels(
    here: World, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = here.site(root=volume)
    first(site)
    assert site.sync.push().commits == 1
    # what the file system has is referred to
    assert stored(exchange_of(site)) < 100_000
    content = bytearray(bytes_of(1))
    content[LARGE // 2 : LARGE // 2 + 1000] = bytes_of(3, 1000)
    site.write({"data/large.bin": bytes(content)})
    site.commit({"notes.txt": "two"})
    with proxy(here.hub.port) as between:
        site.sync.remotes.put(here.through(between.url))
        read: list[str] = []
        engine = native(site).native
        opened = engine.open

        def noted(snapshot: str, path: str) -> BinaryIO:
            read.append(path)
            return opened(snapshot, path)

        monkeypatch.setattr(engine, "open", noted)
        assert site.sync.push().commits == 1
        assert between.passed < 200_000
    assert set(read) <= {"data/large.bin", "notes.txt", "data/same notes"}
    assert stored(exchange_of(site)) < 100_000
    here.verify()


def test_a_clone_in_a_subvolume_is_frozen_by_btrfs(here: World, volume: Path) -> None:
    plain = here.site("plain")
    first(plain)
    plain.commit({"notes.txt": "two"}, "second")
    plain.sync.push()
    site = here.clone("clone", volume)
    assert site.engine.name == "btrfs"
    assert (site.head, state_of(site.root)) == (plain.head, state_of(plain.root))
    commits, _ = site.records.log("HEAD")
    for commit in commits:
        assert list(site.engine.walk(commit.snapshot)) == list(plain.engine.walk(commit.snapshot))
    assert site.engine.list(commits[1].snapshot, "data")[0].kind is Kind.FILE
    with pytest.raises(SnapshotNotFoundError):
        site.engine.entry("btrfs-00000000-0000-0000-0000-000000000000", "notes.txt")
    # a state of which the file system has nothing is compared all the same
    assert {each.path for each in site.engine.changes(commits[1].snapshot)} == {
        "notes.txt",
        "data/same notes",
    }
    site.write({"notes.txt": "mine"})
    with pytest.raises(SyncError) as refused:
        plain.commit({"notes.txt": "theirs"})
        plain.sync.push()
        site.sync.pull()
    assert refused.value.code == "uncommitted_changes"
    assert (site.root / "notes.txt").read_text() == "mine"
    site.commit(message="mine")
    assert site.sync.push().state == "diverged"
    here.verify()
    site.engine.restore(commits[0].snapshot, here.base / "out")
    assert (here.base / "out" / "data" / "same notes").read_text() == "two"
    site.service.rollback(commits[1].id)
    assert (site.root / "notes.txt").read_text() == "one"


def test_cleaning_up_and_what_is_lost_is_made_anew(here: World, volume: Path) -> None:
    site = here.site(root=volume)
    engine = native(site)
    engine.native.grace = 0.0
    first(site)
    site.sync.push()
    other = here.clone("other")
    other.commit({"notes.txt": "two"})
    other.sync.push()
    site.sync.pull()
    kept = commit_of(site).snapshot
    assert site.service.gc().stored_bytes > 0
    assert [info.id for info in engine.native.snapshots() if HOLD in info.holds]
    assert site.engine.verify(site.records.snapshots()) == []
    site.commit({"notes.txt": "three"})
    assert site.sync.push().commits == 1
    site.close()
    # the store that snapshots move through can be made anew, except for what came from elsewhere
    shutil.rmtree(exchange_of(site))
    again = here.open(volume)
    problems = again.engine.verify(again.records.snapshots())
    assert {problem.snapshot for problem in problems} == {kept}
    again.commit({"notes.txt": "four"})
    assert again.sync.push().commits == 1
    here.verify()
    with pytest.raises(SnapshotNotFoundError, match="Nothing was dropped"):
        again.engine.gc(again.records.snapshots())


def test_connections_that_are_cut(here: World, volume: Path) -> None:
    site = here.site(root=volume, attempts=100)
    first(site)
    with proxy(here.hub.port) as between:
        site.sync.remotes.put(here.through(between.url))
        between.random = random.Random(7)
        between.budget = 2 << 20
        for number in range(2):
            (site.root / "data" / "large.bin").write_bytes(bytes_of(number + 10))
            site.commit({"notes.txt": f"{number}"})
            assert site.sync.push().state == "published"
        assert between.cuts > 0
    here.verify()
    other = here.clone("other")
    (other.root / "data" / "large.bin").write_bytes(bytes_of(20))
    other.commit()
    other.sync.push()
    with proxy(here.hub.port) as between:
        site.sync.remotes.put(here.through(between.url))
        between.random = random.Random(8)
        between.budget = 4 << 20
        assert site.sync.pull().commits == 1
        assert between.cuts > 0
    assert state_of(site.root) == state_of(other.root)
    assert site.engine.verify(site.records.snapshots()) == []


def test_a_hub_takes_nobodys_word_for_what_a_snapshot_is(
    here: World, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = here.site(root=volume)
    first(site)
    taken = commit_of(site).snapshot
    brought = native(site).bring(taken)
    said = {"snapshot": taken, "equal": brought, "content": site.engine.content_id(taken)}
    wrong = {**said, "content": "ab" * 32}
    path = f"/api/v1/projects/{here.project}"
    alice = here.hub.user("alice")
    line = b"".join(site.records.export([site.head]))

    def push() -> tuple[int, str]:
        answer = here.hub.call("POST", f"{path}/push?head={site.head}", alice, line)
        return answer.status, answer.json().get("code", "")

    def equate(said: dict[str, str]) -> int:
        answer = here.hub.call("PUT", f"{path}/equal", alice, {"equal": [said]})
        return int(answer.status)

    assert push() == (400, "invalid_request")
    assert equate({**said, "snapshot": "../../etc"}) == 400
    assert equate({**said, "equal": "../../etc"}) == 400
    assert equate(wrong) == 200
    assert push() == (409, "lacking")
    with monkeypatch.context() as patch:
        patch.setattr(site.engine.exchange, "equals", lambda _: {})  # it does not say it again
        with pytest.raises(SyncError) as refused:
            site.sync.push()
    assert refused.value.code == "refused"
    assert "content id" in refused.value.message
    assert here.refs() == {}
    assert site.sync.push().state == "published"
    assert equate(said) == 200
    assert equate(wrong) == 409
    assert here.call("POST", "/equal", {"snapshots": [taken, "zfs-1"]}) == {"equal": [said]}
    here.verify()


def test_two_subvolumes_and_a_fork(here: World, volume: Path, btrfs: Path) -> None:
    site = here.site(root=volume)
    first(site)
    site.sync.push()
    ioctls.create(str(btrfs), f"{volume.name}-other")
    other = here.clone("", btrfs / f"{volume.name}-other")
    assert (other.engine.name, state_of(other.root)) == ("btrfs", state_of(site.root))
    assert not native(other).native.exists(commit_of(site).snapshot)
    assert other.engine.verify(other.records.snapshots()) == []
    other.commit({"notes.txt": "two"})
    other.sync.push()
    assert site.sync.pull().commits == 1
    assert {site.engine.exists(each) for each in site.records.snapshots()} == {True}
    assert site.engine.verify(site.records.snapshots()) == []
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "DotmeshRPC.Fork",
        "params": {
            "MasterBranchID": here.project,
            "ForkNamespace": "alice",
            "ForkName": f"fork-{volume.name}",
        },
    }
    answer = here.hub.call("POST", "/v2/dotmesh/rpc", here.hub.user("alice"), call).json()
    here.project = answer["result"]
    assert here.refs()["HEAD"] == site.head
    here.verify()


def test_a_hub_that_has_other_content_is_found_out(here: World, volume: Path) -> None:
    site = here.site(root=volume)
    first(site)
    site.sync.push()
    taken = commit_of(site).snapshot
    note = here.hub.data / "projects" / here.project / "store" / "equal" / taken
    other = here.site("other")
    other.commit({"a": "b"})
    note.write_text(note.read_text().replace(site.engine.content_id(taken), "cd" * 32))
    engine = EmbeddedEngine.open_store(note.parents[1])
    assert [problem.snapshot for problem in engine.verify([taken])] == [taken]
    engine.close()
    with pytest.raises(SyncError) as damaged:
        clone(here.remote, here.base / "clone", credentials=here.credentials, patience=quick())
    assert damaged.value.code == "damaged"
    assert "administrator" in damaged.value.message


def test_a_hub_that_keeps_its_content_in_a_bucket(
    bucket: S3Service, volume: Path, tmp_path: Path
) -> None:
    """What a subvolume froze is in the bucket, with what it is called there, and comes back."""
    storage = {"storage": f"s3://{bucket.bucket()}/hub", "storage_endpoint": bucket.url}
    with hub(tmp_path, **storage) as running, world(running, tmp_path) as made:
        site = made.site(root=volume)
        first(site)
        site.commit({"notes.txt": "two"}, "second")
        assert site.sync.push().commits == 2
        project, name = made.project, made.name
        site.close()
    # the machine is gone, and with it all that were only copies
    shutil.rmtree(tmp_path / "hub" / "projects")
    with hub(tmp_path, **storage) as again:
        again._users = running._users
        made = World(again, tmp_path)
        made.project, made.name = project, name
        made.remote = made.through(again.url)
        site = made.open(volume)
        site.sync.remotes.put(made.remote)
        assert site.sync.push().state == "current"
        plain = made.clone("plain")
        assert (plain.head, state_of(plain.root)) == (site.head, state_of(site.root))
        (plain.root / "data" / "large.bin").write_bytes(bytes_of(1)[:-5] + b"other")
        plain.commit({"more.txt": "from there"}, "third")
        assert plain.sync.push().state == "published"
        assert site.sync.pull().commits == 1
        assert state_of(site.root) == state_of(plain.root)
        site.commit({"notes.txt": "four"}, "fourth")
        assert site.sync.push().commits == 1
        assert plain.sync.pull().commits == 1
        for each in (site, plain):
            assert each.engine.verify(each.records.snapshots()) == []
        assert again.services is not None
        info = again.services.projects.get(project)
        assert info is not None
        made.close()
        with again.services.projects.open(info) as opened:
            assert opened.records.verify() == []
            assert opened.engine.verify(opened.records.snapshots()) == []
