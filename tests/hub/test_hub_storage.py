# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content of a hub in an S3 bucket: what is answered is there for good, and the rest are copies."""

from __future__ import annotations

import io
import logging
import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hub_world import CHEAP, RunningHub, hub, until
from s3_services import S3Service, moto
from sync_world import world

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.storage.copies import PACKS, TAILS
from dotscience_jupyter.records import ConflictError
from dotscience_jupyter.snapshots import COMMIT_HOLD, Edit, UnavailableError
from dotscience_jupyter.snapshots.embedded import database
from dotscience_jupyter.snapshots.embedded.captures import KEY, Resolution
from dotscience_jupyter.sync import OfflineError

LONG = 86400.0


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Service]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with moto() as service:
        yield service


@pytest.fixture(autouse=True)
def credentials(s3: S3Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)


class Place:
    """A bucket of its own, and hubs that keep their content in it."""

    def __init__(self, s3: S3Service, base: Path) -> None:
        self.s3 = s3
        self.base = base
        self.client = s3.client()
        self.bucket = s3.bucket()

    def options(self, **options: Any) -> dict[str, Any]:
        given = {"storage": f"s3://{self.bucket}/team/hub", "storage_endpoint": self.s3.url}
        return {**given, "storage_grace": LONG, **options}

    @contextmanager
    def services(self, name: str = "hub", **options: Any) -> Iterator[Services]:
        config = Config(self.base / name, hasher=CHEAP, **self.options(**options))
        opened = Services.open(config)
        try:
            yield opened
        finally:
            opened.close()

    def keys(self, kind: str = "") -> list[str]:
        """The keys in the bucket, those of packs for example."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        found = [each["Key"] for page in pages for each in page.get("Contents", ())]
        assert all(key.startswith("team/hub/projects/") for key in found)
        return [key for key in found if not kind or key.split("/")[4] == kind]

    def lose_copies(self, name: str = "hub") -> None:
        shutil.rmtree(self.base / name / "projects")


@pytest.fixture
def place(s3: S3Service, tmp_path: Path) -> Place:
    return Place(s3, tmp_path)


@contextmanager
def project(services: Services) -> Iterator[Project]:
    """The one project of a hub, made if need be."""
    found = services.projects.all()
    info = found[0] if found else None
    if info is None:
        user = services.identity.create_user("alice", "correct horse", admin=True)
        info = services.projects.create(user, "demo")
    with services.projects.open(info) as opened:
        yield opened


def put(opened: Project, **files: bytes) -> str:
    edits = [Edit(name, io.BytesIO(data)) for name, data in files.items()]
    return opened.write(edits, author="alice", message="put", type="upload").id


def get(opened: Project, name: str, commit: str = "HEAD") -> bytes:
    with opened.open(commit, name) as file:
        return file.read()


def sound(opened: Project) -> None:
    assert opened.records.verify() == []
    assert opened.engine.verify(opened.records.snapshots()) == []


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


# -- copies may be lost ------------------------------------------------------------------------


def test_all_is_there_again_when_the_folder_was_lost(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        first = put(opened, small=b"one", large=noise(9 << 20))
        put(opened, small=b"two")
    assert len(place.keys("packs")) == 2
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "small") == b"two"
        assert get(opened, "small", first) == b"one"
        assert get(opened, "large") == noise(9 << 20)
        sound(opened)
        put(opened, more=b"three")
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "more") == b"three"
        sound(opened)


def test_a_workspace_pushes_and_pulls(place: Place, isolated_sync: None, tmp_path: Path) -> None:
    def changed(number: int) -> dict[str, str | bytes]:
        return {"a.bin": noise(3 << 20, number), "b.txt": str(number), f"d/{number}.txt": "x"}

    with hub(tmp_path, **place.options()) as running, world(running, tmp_path) as made:
        site = made.site()
        for number in range(3):
            site.commit(changed(number))
        assert site.sync.push().head == site.head
        keys = place.keys("packs")
        assert keys
        site.sync.push()
        assert place.keys("packs") == keys
        id_, folder = made.project, running.data / "projects"
    shutil.rmtree(folder)
    with hub(tmp_path, **place.options()) as running:
        running._users = made.hub._users
        made.hub = running
        made.remote = made.through(running.url)
        other = made.clone("other")
        assert other.files() == site.files()
        other.commit({"new.txt": "from the other side"})
        assert other.sync.push().head == other.head
        assert running.services is not None
        with project(running.services) as opened:
            assert opened.info.id == id_
            sound(opened)
        made.close()


@pytest.fixture
def isolated_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "home" / "jupyter"))


def test_copies_stay_within_their_bounds(place: Place) -> None:
    limit = 3 << 20
    with place.services(storage_cache=limit) as services, project(services) as opened:
        for number in range(6):
            put(opened, **{f"file{number}": noise(1 << 20, number)})
        packs = place.base / "hub" / "projects" / opened.info.id / PACKS

        def taken() -> int:
            return sum(path.stat().st_size for path in packs.iterdir())

        assert taken() <= limit
        for number in (0, 5, 1, 4, 2, 3):
            assert get(opened, f"file{number}") == noise(1 << 20, number)
            assert taken() <= limit
        sound(opened)
    assert len(place.keys("packs")) == 6


def test_what_is_in_use_stays_at_hand(place: Place) -> None:
    with place.services(storage_cache=5 << 19) as services, project(services) as opened:
        put(opened, idle=noise(1 << 20, 1))
        packs = place.base / "hub" / "projects" / opened.info.id / PACKS
        (idle,) = packs.iterdir()
        put(opened, used=noise(1 << 20, 2))
        (used,) = set(packs.iterdir()) - {idle}
        for number, path in enumerate((used, idle), 1):
            os.utime(path, (number, number))
        assert services.storage is not None
        services.storage.copies._noted.clear()  # as after a while
        assert get(opened, "used") == noise(1 << 20, 2)
        put(opened, third=noise(1 << 20, 3))
        assert used.exists()
        assert not idle.exists()


def test_a_part_of_a_large_pack_is_read_without_the_rest(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, large=noise(24 << 20), small=b"small")
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "small") == b"small"
        packs = place.base / "hub" / "projects" / opened.info.id / PACKS
        assert list(packs.iterdir()) == []
        assert get(opened, "large") == noise(24 << 20)
        assert len(list(packs.iterdir())) == 1


def test_what_is_noted_of_content_is_there_again(place: Place) -> None:
    capture, digest = b"c" * 16, b"d" * 32
    foreign = "zfs-1a2b"
    with place.services() as services, project(services) as opened:
        put(opened, file=b"content")
        snapshot = opened.snapshot_of("HEAD")
        captures = opened.engine._trees.captures
        opened.engine.equate(foreign, "12" * 32, "ab" * 32)
        opened.engine.hold([snapshot], COMMIT_HOLD)
        opened.engine._store.depot.look(0.0)  # the hub's has one
        opened.engine.equate(foreign, snapshot, "ab" * 32)
        captures.write_map(capture, {(0, 5): Resolution(5, digest, b"")})
        opened.engine.hold([snapshot], COMMIT_HOLD)
        captures.write_map(
            capture, {(0, 5): Resolution(5, digest, b""), (4096, 7): Resolution(7, digest, b"")}
        )
        opened.engine.hold([snapshot], COMMIT_HOLD)
        (key,) = place.keys("maps")  # the newer one has all of the older one
        assert len(place.keys("equal")) == 1
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        captures = opened.engine._trees.captures
        found = captures.resolve(KEY.pack(capture, 4096, 7))
        assert found is not None
        assert found.digest == digest
        assert opened.engine.exists(foreign)
        with opened.engine.open(foreign, "file") as file:
            assert file.read() == b"content"
        assert services.storage is not None
        services.storage.grace = -1.0
        collect(opened)  # no file needs the map
    assert place.keys("maps") == []
    assert len(place.keys("equal")) == 1


# -- damage ------------------------------------------------------------------------------------


def test_a_damaged_copy_is_fetched_again(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=noise(1 << 20))
        folder = place.base / "hub" / "projects" / opened.info.id
    (pack,) = (folder / PACKS).iterdir()
    for at in (500_000, pack.stat().st_size - 40):
        data = bytearray(pack.read_bytes())
        data[at] ^= 0x20
        pack.write_bytes(data)
        with place.services() as services, project(services) as opened:
            assert get(opened, "file") == noise(1 << 20)
            sound(opened)
    (tail,) = (folder / TAILS).iterdir()
    tail.write_bytes(tail.read_bytes()[:-5] + b"xxxxx")
    pack.unlink()
    with place.services() as services, project(services) as opened:
        assert get(opened, "file") == noise(1 << 20)


def test_what_is_damaged_in_the_bucket_is_told(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=noise(1 << 20), other=b"whole")
    (key,) = place.keys("packs")
    data = bytearray(place.client.get_object(Bucket=place.bucket, Key=key)["Body"].read())
    data[500_000] ^= 0x20
    place.client.put_object(Bucket=place.bucket, Key=key, Body=bytes(data))
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        problems = opened.engine.verify(opened.records.snapshots())
        assert {problem.path for problem in problems} == {"file"}
        assert get(opened, "other") == b"whole"
        left = opened.engine.repair(opened.records.snapshots()).lost
        assert {problem.path for problem in left} == {"file"}
        assert get(opened, "other") == b"whole"
        # and bringing it again mends it
        put(opened, again=noise(1 << 20))
        assert get(opened, "file") == noise(1 << 20)
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "file") == noise(1 << 20)
        sound(opened)


# -- out of reach ------------------------------------------------------------------------------


class Outage:
    """Fails every request to the service, as a network does."""

    def begin(self, services: Services) -> None:
        from botocore.exceptions import EndpointConnectionError

        def fail(**_: object) -> None:
            raise EndpointConnectionError(endpoint_url="nowhere")

        assert services.storage is not None
        client = services.storage.bucket._client
        client.meta.events.register_first("before-send.s3", fail, unique_id="outage")

    def end(self, services: Services) -> None:
        assert services.storage is not None
        client = services.storage.bucket._client
        client.meta.events.unregister("before-send.s3", unique_id="outage")


@pytest.fixture
def outage() -> Outage:
    return Outage()


def test_without_the_storage_nothing_is_recorded_and_copies_are_read(
    place: Place, outage: Outage
) -> None:
    with place.services() as services, project(services) as opened:
        first = put(opened, file=b"before")
        outage.begin(services)
        with pytest.raises(UnavailableError, match="Try again"):
            put(opened, file=b"during")
        assert opened.commit_id("HEAD") == first
        assert get(opened, "file") == b"before"
        outage.end(services)
        put(opened, other=b"after")
        assert get(opened, "file") == b"before"
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "other") == b"after"
        outage.begin(services)
        for pack in (place.base / "hub" / "projects" / opened.info.id / PACKS).iterdir():
            pack.unlink()
        opened.engine._database.close()
        with pytest.raises(UnavailableError):
            get(opened, "file", first)
        outage.end(services)
        assert get(opened, "file", first) == b"before"


def test_a_hub_starts_without_its_storage_and_reads_copies(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=b"content")
    nowhere = "http://127.0.0.1:9"
    noted = place.base / "hub" / "storage.json"
    noted.write_text(noted.read_text().replace(place.s3.url, nowhere))
    with place.services(storage_endpoint=nowhere) as services, project(services) as opened:
        assert get(opened, "file") == b"content"
        with pytest.raises(UnavailableError):
            put(opened, file=b"new")
    with pytest.raises(ApiError) as failed, place.services("new", storage_endpoint=nowhere):
        pass
    assert (failed.value.status, failed.value.code) == (503, "unavailable")


def test_clients_are_told_503_and_lose_nothing(
    place: Place, outage: Outage, isolated_sync: None, tmp_path: Path
) -> None:
    with hub(tmp_path, **place.options()) as running, world(running, tmp_path) as made:
        services = running.services
        assert services is not None
        site = made.site(attempts=1)
        site.commit({"a.txt": "1"})
        site.sync.push()
        outage.begin(services)
        site.commit({"a.txt": "2"})
        with pytest.raises(OfflineError):
            site.sync.push()
        answer = running.call(
            "PUT", f"/v2/dotmesh/s3/alice:{_dot(running)}/file", running.user("alice"), b"data"
        )
        assert answer.status == 503
        assert "try again" in answer.body.decode().lower()
        client = S3Service(f"{running.url}/s3", *running.s3_key("alice")).client()
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            client.put_object(Bucket=made.name, Key="file", Body=b"data")
        body = client.get_object(Bucket=made.name, Key="a.txt")["Body"]
        assert body.read() == b"1"
        outage.end(services)
        assert site.sync.push().head == site.head
        assert made.refs() == {"HEAD": site.head}


def _dot(running: RunningHub) -> str:
    assert running.services is not None
    return running.services.projects.all()[0].dot


# -- cleaning up -------------------------------------------------------------------------------


def collect(opened: Project) -> int:
    opened.engine.grace = 0
    with opened.lock:
        return opened.engine.gc(opened.records.snapshots())


def test_garbage_goes_after_the_time_of_grace(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=b"kept")
        opened.engine.edit(None, [Edit("garbage", io.BytesIO(noise(100_000)))])
        put(opened, other=b"kept too")
        before = place.keys("packs")
        collect(opened)
        assert place.keys("packs") == before  # all of it came just now
        assert place.keys("condemned") == []
    with place.services(storage_grace=0) as services, project(services) as opened:
        collect(opened)
        assert place.keys("condemned")
        assert place.keys("packs") == before
        collect(opened)
        sound(opened)
    assert len(place.keys("packs")) < len(before)
    assert place.keys("condemned") == []
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "file") == b"kept"
        assert get(opened, "other") == b"kept too"
        sound(opened)


def test_what_somebody_relied_on_meanwhile_is_kept(place: Place) -> None:
    """Another hub's process counts on garbage that is being dropped by this one."""
    with place.services() as services, project(services) as opened:
        assert services.storage is not None
        put(opened, file=b"something")
        late = opened.engine.edit(None, [Edit("late", io.BytesIO(noise(100_000)))]).id
        opened.engine.hold([late], "test")
        opened.engine.release([late], "test")
        services.storage.grace = -1.0
        seen: list[str] = []

        def stay(self: object) -> None:
            seen.extend(place.keys("condemned"))

        depot = opened.engine._store.depot
        assert depot is not None
        purge, depot.purge = depot.purge, lambda began: stay(depot)
        collect(opened)
        assert seen  # condemned, and still there
        # the other process records a commit that needs it
        opened.records.needs_snapshot(late)
        from dotscience_jupyter.records import NewCommit

        head = opened.commit_id("HEAD")
        opened.records.commit([NewCommit(late, "upload", "late", "alice")], expected_head=head)
        assert get(opened, "late") == noise(100_000)
        depot.purge = purge
        collect(opened)
        assert place.keys("condemned") == []
        sound(opened)
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        assert get(opened, "late") == noise(100_000)
        sound(opened)


def test_small_packs_are_merged_in_the_bucket_as_well(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MERGE_FROM", 6)
    with place.services() as services, project(services) as opened:
        for number in range(14):
            put(opened, **{f"file{number}": noise(500, number)})
        assert len(place.keys("packs")) < 10
        sound(opened)
    place.lose_copies()
    with place.services() as services, project(services) as opened:
        for number in range(14):
            assert get(opened, f"file{number}") == noise(500, number)
        sound(opened)


def test_a_purged_project_leaves_nothing(place: Place, outage: Outage) -> None:
    with place.services() as services:
        with project(services) as opened:
            put(opened, file=b"content")
            info = opened.info
        services.projects.delete(info, confirm="demo")
        outage.begin(services)
        with pytest.raises(UnavailableError):
            services.projects.purge(info.id)
        outage.end(services)
        services.projects.purge(info.id)
        assert place.keys() == []
        assert not list((place.base / "hub" / "records").iterdir())


# -- several processes, and other beginnings ---------------------------------------------------


def test_two_folders_with_one_bucket(place: Place, hub_postgresql: str) -> None:
    """As two machines have it, which share the database."""
    with (
        place.services("one", db=hub_postgresql) as one,
        project(one) as here,
        place.services("two", db=hub_postgresql) as two,
        project(two) as there,
    ):
        for number in range(3):
            commit = put(here, **{f"one{number}": noise(2000, number)})
            assert get(there, f"one{number}", commit) == noise(2000, number)
            commit = put(there, **{f"two{number}": noise(2000, 10 + number)})
            assert get(here, f"two{number}", commit) == noise(2000, 10 + number)
        for services, opened in ((one, here), (two, there)):
            assert services.storage is not None
            services.storage.grace = -1.0
            collect(opened)
            collect(opened)
        for opened in (here, there):
            sound(opened)
            for number in range(3):
                assert get(opened, f"one{number}") == noise(2000, number)


def test_two_machines_write_and_clean_up_at_once(place: Place, hub_postgresql: str) -> None:
    def write(services: Services, name: str) -> None:
        info = services.projects.all()[0]
        with services.projects.open(info) as opened:
            for number in range(5):
                while True:
                    try:
                        # a half of it is what the other one writes too
                        put(
                            opened,
                            **{f"{name}{number}": noise(3000, number), "same": name.encode()},
                        )
                    except ConflictError:
                        continue  # the other one was faster
                    break
                if number == 2:
                    collect(opened)

    with place.services("one", db=hub_postgresql) as one, project(one) as here:
        put(here, first=b"first")
        with place.services("two", db=hub_postgresql) as two:
            both = ((one, "a"), (two, "b"))
            with ThreadPoolExecutor(2) as workers:
                for done in [workers.submit(write, *each) for each in both]:
                    done.result()
    place.lose_copies("one")
    place.lose_copies("two")
    with place.services("one", db=hub_postgresql) as one, project(one) as here:
        sound(here)
        for number in range(5):
            assert get(here, f"a{number}") == get(here, f"b{number}") == noise(3000, number)


def test_what_another_machine_has_dropped_is_not_believed_to_be_there(
    place: Place, hub_postgresql: str
) -> None:
    edits = [Edit("late", io.BytesIO(noise(5000)))]
    with (
        place.services("one", db=hub_postgresql) as one,
        project(one) as here,
        place.services("two", db=hub_postgresql) as two,
        project(two) as there,
    ):
        put(here, first=b"first")
        late = here.engine.edit(None, edits).id
        here.engine.hold([late], COMMIT_HOLD)
        here.engine.release([late], COMMIT_HOLD)
        assert two.storage is not None
        two.storage.grace = -1.0
        for _ in range(2):
            collect(there)
        # it was on the list here, long ago, and the bucket was listed since
        depot = here.engine._store.depot
        assert depot is not None
        before = set(here.engine._database.packs)
        until(lambda: depot.look(0.0) or any(depot.is_gone(pack.name) for pack in before))
        marker = Path(here.engine._store.snapshots, late)
        marker.unlink()  # with what is noted at it beside its time
        marker.touch()
        os.utime(marker, (1, 1))
        assert not here.engine.exists(late)
        assert here.engine.adopt([late], COMMIT_HOLD)  # lacks content
        sound(here)


def test_cleaning_up_waits_for_the_storage(place: Place, outage: Outage) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=b"content")
        outage.begin(services)
        with pytest.raises(UnavailableError, match="Nothing was dropped"):
            collect(opened)
        outage.end(services)
        collect(opened)
        sound(opened)


def test_a_hub_that_had_its_content_on_disk(place: Place) -> None:
    plain = Services.open(Config(place.base / "hub", hasher=CHEAP))
    try:
        with project(plain) as opened:
            put(opened, file=b"on disk")
            old = place.base / "hub" / "projects" / opened.info.id / "records.db"
    finally:
        plain.close()
    assert old.exists()
    with place.services() as services, project(services) as opened:
        assert get(opened, "file") == b"on disk"
    assert not old.exists()
    place.lose_copies()
    # it need not be said again, and nothing else may be said
    again = Services.open(Config(place.base / "hub", hasher=CHEAP))
    try:
        with project(again) as opened:
            assert get(opened, "file") == b"on disk"
            sound(opened)
    finally:
        again.close()
    with pytest.raises(ApiError) as failed, place.services(storage="s3://elsewhere"):
        pass
    assert failed.value.code == "storage_differs"


@pytest.mark.parametrize(
    ("url", "endpoint", "words"),
    [
        ("file:///tmp", "", "s3://BUCKET"),
        ("s3://", "", "s3://BUCKET"),
        ("s3://bu cket/x", "", "s3://BUCKET"),
        ("s3://bucket", "localhost:80", "no URL"),
    ],
)
def test_what_cannot_be_a_storage(tmp_path: Path, url: str, endpoint: str, words: str) -> None:
    with pytest.raises(ApiError, match=words) as failed:
        Services.open(Config(tmp_path / "hub", storage=url, storage_endpoint=endpoint))
    assert failed.value.status == 400


def test_a_bucket_that_is_not_there(place: Place) -> None:
    with (
        pytest.raises(ApiError, match="Check the bucket's name") as failed,
        place.services(storage="s3://there-is-none"),
    ):
        pass
    assert failed.value.code == "storage_refused"
    assert not (place.base / "hub" / "storage.json").exists()


def test_users_are_added_without_credentials(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=b"content")
    for name in place.s3.environment():
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(place.base))
    with pytest.raises(ApiError, match="credentials"), place.services():
        pass
    with place.services(storage_check=False) as services:
        services.identity.create_user("bob")
        with project(services) as opened:
            assert get(opened, "file") == b"content"
            with pytest.raises(UnavailableError):
                put(opened, file=b"new")


def test_no_credentials_are_kept(place: Place) -> None:
    with place.services() as services, project(services) as opened:
        put(opened, file=b"content")
    for path in (place.base / "hub").rglob("*"):
        if path.is_file():
            assert place.s3.secret.encode() not in path.read_bytes()
