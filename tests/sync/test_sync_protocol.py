# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the hub answers to requests that are wrong, false or out of turn; PostgreSQL behind it."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import Answer, hub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sync_world import Site, World, quick, world

from dotscience_jupyter.hub.handlers import sync as handlers
from dotscience_jupyter.snapshots import COMMIT_HOLD, SnapshotError
from dotscience_jupyter.sync import Connection, HubProject, SyncError, fetching
from dotscience_jupyter.sync.hubproject import LackingError
from dotscience_jupyter.sync.pushing import ContentUpload

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Site]]:
    """A hub with a history that no test here may change."""
    base = tmp_path_factory.mktemp("shared")
    with hub(base) as running, world(running, base) as made:
        site = made.site()
        site.commit({"a.txt": "one", "b.bin": b"b" * 100_000})
        site.many(3)
        site.sync.push()
        yield made, site


def ask(world: World, path: str, body: object, method: str = "POST") -> Answer:
    return world.hub.call(
        method, f"/api/v1/projects/{world.project}{path}", world.hub.user("alice"), body
    )


def refused(world: World, path: str, body: object, status: int) -> dict[str, Any]:
    answer = ask(world, path, body)
    assert answer.status == status, answer.body
    found: dict[str, Any] = answer.json()
    assert found["message"]
    return found


def lines(site: Site) -> list[bytes]:
    ids = [each.id for each in site.records.list_commits(limit=100)[0]][::-1]
    return list(site.records.export(ids))


def unsent(made: World, name: str) -> tuple[Site, bytes]:
    """A workspace one commit ahead of the hub, and that commit's line."""
    site = made.clone(name)
    site.commit({f"{name}.txt": name})
    return site, next(iter(site.records.export([site.head])))


def client(made: World) -> HubProject:
    login = made.credentials.get(made.hub.url)
    assert login is not None
    return HubProject(Connection(made.hub.url, login.key, quick()), made.project)


def test_wrong_bodies_are_refused_in_words(shared: tuple[World, Site]) -> None:
    made, site = shared
    head = site.head
    none = "0" * 64
    for path, body, status in (
        ("/have", b"[", 400),
        ("/have", {"commits": ["x"] * 10_001}, 400),
        ("/objects/missing", b"\x00" * 31, 400),
        ("/objects/missing", b"\x00" * 32 * 65_537, 400),
        ("/objects", b"", 409),
        ("/objects", b"dssend1\n", 409),
        ("/objects", b"something else", 400),
        ("/push", b"", 400),
        (f"/push?head={none}", b"", 400),
        (f"/push?head={head.upper()}", b"", 400),
        (f"/push?head={none}", b"{}\n", 400),
        (f"/push?head={none}", b'{"id":', 400),
        (f"/push?head={none}", lines(site)[0], 400),
        ("/pull", {"want": none}, 404),
        ("/pull", {"want": 5}, 400),
        ("/objects/get", {"items": []}, 400),
        ("/objects/get", {"items": [{"snapshot": none}]}, 404),
        ("/objects/get", {"items": [{"snapshot": "../../x"}]}, 404),
    ):
        refused(made, path, body, status)
    snapshot = site.records.get_commit(head).snapshot
    item = {"snapshot": snapshot, "base": "", "resume": f"{snapshot}..1.{none}"}
    assert refused(made, "/objects/get", {"items": [item]}, 409)["code"] == "resume"
    assert refused(made, "/objects/get", {"items": [item | {"base": none}]}, 404)
    assert made.refs() == {"HEAD": head}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(
        ["/have", "/objects/missing", "/objects", f"/push?head={'a' * 64}", "/pull", "/objects/get"]
    ),
    body=st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["commits", "want", "have", "items", "snapshot"]),
        st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5),
    ).map(lambda found: json.dumps(found).encode()),
)
def test_no_body_is_a_fault_of_the_hub(shared: tuple[World, Site], path: str, body: bytes) -> None:
    made, site = shared
    assert ask(made, path, body).status < 500
    assert made.refs() == {"HEAD": site.head}


def test_commits_without_their_content_are_not_recorded(shared: tuple[World, Site]) -> None:
    made, first = shared
    site, line = unsent(made, "without")
    with pytest.raises(LackingError) as lacking:
        client(made).publish(site.head, io.BytesIO(line))
    snapshot = site.records.get_commit(site.head).snapshot
    assert bytes.fromhex(snapshot) in lacking.value.ids
    assert made.refs() == {"HEAD": first.head}
    assert made.call("POST", "/have", {"commits": [site.head]}) == {"commits": []}


def test_commits_that_were_tampered_with_are_refused(shared: tuple[World, Site]) -> None:
    made, first = shared
    site, line = unsent(made, "tampered")
    snapshot = site.records.get_commit(site.head).snapshot
    ContentUpload(site.engine.exchange, client(made)).send([snapshot])
    document = json.loads(line)
    document.pop("seal")
    document["commit"]["metadata"]["message"] = "something else"
    body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    seal = hashlib.sha256(body).hexdigest()
    false = body[:-1] + b',"seal":"' + seal.encode() + b'"}\n'
    refused(made, f"/push?head={site.head}", false, 400)
    # bytes of the line that are not part of any digest as well
    refused(made, f"/push?head={site.head}", line.replace(b"tester", b"testes", 1), 400)
    assert made.refs() == {"HEAD": first.head}
    # what was held for a commit that never came is not held any more
    services = made.hub.services
    assert services is not None
    info = services.projects.get(made.project)
    assert info is not None
    with services.projects.open(info) as project:
        held = {each.id for each in project.engine.snapshots() if COMMIT_HOLD in each.holds}
        assert held == set(project.records.snapshots())
    made.verify()


def test_what_the_hub_is_told_is_there_and_is_not_is_sent_again(tmp_path: Path) -> None:
    with hub(tmp_path) as running, world(running, tmp_path) as made:
        site = made.site()
        site.commit({f"{n}/{m}.txt": f"{n} {m}" for n in range(5) for m in range(5)})
        snapshot = site.records.get_commit(site.head).snapshot
        ids = list(site.engine.exchange.needed(snapshot, lambda asked: asked))
        # the top of a snapshot without what is below it, as a transfer leaves it that was long ago
        stream = io.BytesIO()
        site.engine.exchange.pack(ids[-4:], stream)
        client(made).put_objects(stream)
        assert site.sync.push().state == "published"
        made.verify()


def test_pages_of_commits_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "PAGE", 3)
    monkeypatch.setattr(fetching, "STREAMS", 2)
    with hub(tmp_path) as running, world(running, tmp_path) as made:
        site = made.site()
        for number in range(5):
            site.commit({"a.txt": str(number)})
            site.many(1)
        site.sync.push()
        other = made.clone("other")
        # both go on, and are merged: a history that is not a line
        for each in (site, other):
            for number in range(4):
                each.commit({f"{each.root.name}.txt": str(number)})
        other.sync.push()
        site.sync.fetch()
        site.service.merge.start(other.head)
        site.service.merge.finish("both")
        assert site.sync.push().state == "published"
        third = made.clone("third")
        assert third.files() == site.files()
        assert third.records.list_commits()[1] == site.records.list_commits()[1]
        assert third.records.verify() == []
        assert other.sync.pull().head == site.head
        assert set(other.records.refs()) == {"HEAD", fetching.REMOTE_HEAD}


def test_a_token_that_the_hub_does_not_know_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(tmp_path) as running, world(running, tmp_path) as made:
        site = made.site()
        site.commit({"a.txt": "one"})
        site.sync.push()
        snapshot = site.records.get_commit(site.head).snapshot
        other = made.site("other")
        token = f"{snapshot}..1.{'0' * 64}"
        monkeypatch.setattr(other.engine, "partial", lambda: {snapshot: token})
        assert other.sync.pull().head == site.head


def test_content_that_is_damaged_on_the_hub_is_not_taken(tmp_path: Path) -> None:
    with hub(tmp_path) as running, world(running, tmp_path) as made:
        site = made.site()
        site.commit({"a.bin": bytes(range(256)) * 2000})
        site.sync.push()
        store = made.hub.data / "projects" / made.project / "store"
        for pack in store.rglob("*.pack"):
            data = bytearray(pack.read_bytes())
            for at in range(len(data) // 3, len(data) // 2):
                data[at] ^= 0xFF
            pack.chmod(0o600)
            pack.write_bytes(data)
        other = made.site("other")
        with pytest.raises((SyncError, SnapshotError)):
            other.sync.pull()
        assert other.head == ""
        assert other.files() == {}


def test_a_hub_on_postgresql(tmp_path: Path) -> None:
    from records_world import postgresql

    with postgresql() as url, hub(tmp_path, db=url) as running, world(running, tmp_path) as made:
        site = made.site()
        site.commit({"a.txt": "one"})
        site.many(3, points=5)
        assert site.sync.push().state == "published"
        other = made.clone("other")
        other.commit({"b.txt": "two"})
        other.sync.push()
        site.commit({"c.txt": "three"})
        assert site.sync.push().state == "diverged"
        site.sync.fetch()
        site.service.merge.start(other.head)
        site.service.merge.finish("both")
        assert site.sync.push().state == "published"
        assert other.sync.pull().head == site.head
        assert other.files() == site.files()
        assert other.records.verify() == []
