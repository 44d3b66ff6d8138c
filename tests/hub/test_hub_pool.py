# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What of a hub on ZFS can be tested without ZFS; the rest is in tests/zfs/inside."""

from __future__ import annotations

import errno
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hub_world import CHEAP, RunningHub
from sync_world import quick

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.storage import parse_place
from dotscience_jupyter.hub.storage.pool import Pool, PoolPlace
from dotscience_jupyter.snapshots import Equal, SnapshotError, TransferError
from dotscience_jupyter.sync.errors import OfflineError, RefusedError, SyncError
from dotscience_jupyter.sync.streaming import StreamDownload, StreamUpload


def test_places() -> None:
    assert parse_place("zfs:tank/hub") == PoolPlace("tank/hub")
    assert str(parse_place("zfs:tank/hub")) == "zfs:tank/hub"
    assert str(parse_place("s3://bucket/prefix")) == "s3://bucket/prefix"
    for url in ("zfs:", "zfs://tank/hub", "zfs:-o", "zfs:tank@x", "zfs:tank/../x", "zfs:t" * 99):
        with pytest.raises(ApiError, match="POOL/ROOT"):
            parse_place(url)


def test_where_the_content_is_is_remembered(tmp_path: Path) -> None:
    Pool(PoolPlace("tank/hub"), tmp_path / "projects", 1).note(tmp_path)
    assert PoolPlace.of(tmp_path) == PoolPlace("tank/hub")
    with pytest.raises(ApiError, match="is in zfs:tank/hub, and not in zfs:tank/other"):
        Services.open(Config(data=tmp_path, storage="zfs:tank/other", hasher=CHEAP))
    with pytest.raises(ApiError, match="is in zfs:tank/hub, and not in s3://bucket"):
        Services.open(Config(data=tmp_path, storage="s3://bucket", hasher=CHEAP))
    for damaged in ("{", "[]", '{"dataset": "-R"}', '{"datasets": 1}'):
        (tmp_path / "storage.json").write_text(damaged)
        with pytest.raises(ApiError, match="cannot be read"):
            Services.open(Config(data=tmp_path, hasher=CHEAP))


def test_a_system_without_zfs_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("dotscience_jupyter.snapshots.zfs.command._PLACES", str(tmp_path))
    with pytest.raises(ApiError, match="The storage zfs:tank/hub cannot be used") as told:
        Services.open(Config(data=tmp_path / "hub", storage="zfs:tank/hub", hasher=CHEAP))
    assert (told.value.status, told.value.code) == (503, "storage_refused")
    assert not (tmp_path / "hub" / "storage.json").exists()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ApiError, match=r"only root may mount|ZFS"):
        Pool.open(PoolPlace("tank/hub"), tmp_path, 1)


def test_a_hub_that_is_not_on_zfs_takes_no_streams(running: RunningHub) -> None:
    project = running.project("alice", "demo")
    path, alice = f"/api/v1/projects/{project}", running.user("alice")
    assert running.call("GET", f"{path}/refs", alice).json() == {"refs": {}, "streams": []}
    zfs = "zfs-0123456789abcdef"
    for address, body in (
        ("streams", b"dssend1\n"),
        ("streams/have", {"snapshots": [zfs]}),
        ("streams/take", {"snapshot": zfs}),
        ("streams/offered", {"snapshots": [zfs]}),
        ("streams/get", {"snapshot": zfs}),
    ):
        answer = running.call("POST", f"{path}/{address}", alice, body)
        assert (answer.status, answer.json()["code"]) == (409, "no_streams")
        assert running.call("POST", f"{path}/{address}", running.user("eve"), body).status == 404


class Engine:
    """Snapshots one after the other; b is hidden by nothing, c by a file."""

    streams = "zfs"
    order = ("a", "b", "c", "d")

    def ancestors(self, snapshot: str) -> list[str] | None:
        return None if snapshot == "x" else list(self.order[: self.order.index(snapshot)])

    def unshown(self, snapshot: str, since: str) -> str:
        return "secret" if snapshot == "c" else ""

    def content_id(self, snapshot: str) -> str:
        return f"content of {snapshot}"

    def send(self, snapshot: str, to: Any, base: str | None, resume: str) -> None:
        to.write(f"{snapshot} since {base or 'nothing'} {resume}".strip().encode())


class Hub:
    """Takes streams, and cuts the first ones."""

    streams = frozenset({"zfs"})

    def __init__(self, have: Sequence[str] = (), cuts: int = 0) -> None:
        self.have = set(have)
        self.cuts = cuts
        self.got: list[bytes] = []
        self.tokens: dict[str, str] = {}
        self.connection = self
        self.patience = quick()
        self.wrong = ""

    def streamed(self, snapshots: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        return self.have & set(snapshots), self.tokens

    def put_stream(self, parts: Generator[bytes]) -> Equal:
        data = b"".join(parts)
        self.got.append(data)
        snapshot = data.decode().partition(" ")[0]
        if self.cuts:
            self.cuts -= 1
            self.tokens[snapshot] = f"token {self.cuts}"
            raise OfflineError("cut")
        self.have.add(snapshot)
        return self.take_streamed(snapshot)

    def take_streamed(self, snapshot: str) -> Equal:
        if snapshot == self.wrong:
            raise RefusedError(400, "refused", "no", {})
        return Equal("", f"content of {snapshot}")


def upload(hub: Hub, *, is_first: bool = False) -> StreamUpload:
    return StreamUpload(Engine(), hub, is_first=is_first)  # type: ignore[arg-type]  # a part of one


def test_what_is_new_since_what_the_hub_has_is_sent() -> None:
    hub = Hub(have="a")
    assert upload(hub).send(["b", "x"]) == {"b"}
    assert hub.got == [b"b since a"]
    assert upload(hub).send(["b"]) == {"b"}, "what is there is not sent again"
    assert len(hub.got) == 1


def test_all_of_it_is_sent_only_to_a_hub_that_has_nothing() -> None:
    hub = Hub()
    assert upload(hub).send(["a", "b"]) == set()
    assert upload(hub, is_first=True).send(["a", "b"]) == {"a", "b"}
    assert hub.got == [b"a since nothing", b"b since a"]


def test_what_would_take_something_along_goes_as_objects() -> None:
    hub = Hub(have="a")
    assert upload(hub).send(["b", "c", "d"]) == {"b"}
    assert hub.got == [b"b since a"]


def test_a_stream_that_is_cut_goes_on_by_its_token() -> None:
    hub = Hub(cuts=6)  # more often than one is patient without progress
    assert upload(hub, is_first=True).send(["a"]) == {"a"}
    assert hub.got[:2] == [b"a since nothing", b"a since nothing token 5"]
    assert len(hub.got) == 7
    hub = Hub(have="a")
    hub.tokens["b"] = "token of an earlier push"
    assert upload(hub).send(["b"]) == {"b"}
    assert hub.got == [b"b since a token of an earlier push"]


def test_who_is_stopped_ends_in_the_middle() -> None:
    hub = Hub(have="a")
    hub.patience.stopped.set()
    with pytest.raises(SyncError, match="stopped"):
        upload(hub).send(["b"])
    with pytest.raises(SyncError, match="stopped"):
        list(upload(hub)._parts("b", "a", ""))
    assert hub.got == []


def test_what_the_hub_refuses_goes_as_objects() -> None:
    hub = Hub(have="a")
    hub.wrong = "b"
    assert upload(hub).send(["b", "c"]) == set()


class Receiver:
    """Receives what :class:`Giver` gives; at first only the beginning of it."""

    takes_streams = "zfs"

    def __init__(self, have: Sequence[str] = (), cuts: int = 0, error: int = 0) -> None:
        self.have = list(have)
        self.cuts = cuts
        self.error = error
        self.tokens: dict[str, str] = {}
        self.held: list[str] = []

    def bases(self) -> list[str]:
        return self.have

    def partial(self) -> dict[str, str]:
        return self.tokens

    def receive(self, source: str, progress: object) -> str:
        snapshot = source.partition(" ")[0]
        if self.cuts:
            self.cuts -= 1
            self.tokens[snapshot] = f"token {self.cuts}"
            raise TransferError("cut") from OSError(self.error, "")
        self.tokens.pop(snapshot, None)
        self.have.append(snapshot)
        return snapshot

    def content_id(self, snapshot: str) -> str:
        return f"content of {snapshot}"

    def hold(self, snapshots: list[str], tag: str) -> None:
        self.held += snapshots

    def destroy(self, snapshot: str) -> None:
        self.have.remove(snapshot)


class Giver:
    """Gives streams; of a it does not know any token."""

    streams = frozenset({"zfs"})

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.connection = self
        self.patience = quick()
        self.offers = {"a", "b", "c"}

    def offered(self, snapshots: Sequence[str]) -> set[str]:
        return self.offers & {*snapshots}

    @contextmanager
    def stream(self, snapshot: str, have: Sequence[str], resume: str) -> Iterator[str]:
        if snapshot == "a" and resume:
            raise RefusedError(409, "resume", "no such token", {})
        self.asked.append(f"{snapshot} since {''.join(have)} {resume}".strip())
        yield self.asked[-1]


def download(receiver: Receiver, giver: Giver, snapshots: str, content: str = "") -> list[str]:
    """Take snapshots; return what was asked for."""
    equals = {each: Equal("", content or f"content of {each}") for each in snapshots}
    StreamDownload(receiver, giver).take(equals)  # type: ignore[arg-type]  # parts of them
    return giver.asked


def test_what_the_hub_offers_comes_and_is_held() -> None:
    receiver = Receiver("x")
    assert download(receiver, Giver(), "abd") == ["a since x", "b since xa"]
    assert receiver.held == ["a", "b"]
    for give, take in ((frozenset[str](), "zfs"), (frozenset({"zfs"}), "")):
        giver = Giver()
        giver.streams, receiver.takes_streams = give, take
        assert download(receiver, giver, "c") == []


def test_what_comes_and_is_cut_goes_on_by_its_token() -> None:
    receiver = Receiver(cuts=6)  # more often than one is patient without progress
    asked = download(receiver, Giver(), "b")
    assert (asked[0], asked[1], len(asked)) == ("b since", "b since  token 5", 7)
    receiver = Receiver()
    receiver.tokens["a"] = "of long ago"
    assert download(receiver, Giver(), "a") == ["a since"], "it is begun anew"
    receiver = Receiver(cuts=1, error=errno.ENOSPC)
    with pytest.raises(SyncError) as told:
        download(receiver, Giver(), "b")
    assert told.value.code == "unwritable"
    giver = Giver()
    giver.patience.stopped.set()
    with pytest.raises(SyncError, match="stopped"):
        download(receiver, giver, "b")


def test_what_is_not_what_it_should_be_goes_and_nothing_comes_so_any_more() -> None:
    receiver = Receiver()
    assert download(receiver, Giver(), "ab", "content of b") == ["a since"]
    assert (receiver.have, receiver.held) == ([], [])

    class Broken(Receiver):
        def receive(self, source: str, progress: object) -> str:
            raise SnapshotError("it cannot be received")

    assert download(Broken(), Giver(), "ab") == ["a since"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whoever makes a stream ends with it."""
    yield
    assert "dotscience-stream" not in {each.name for each in threading.enumerate()}
