# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Push, fetch, pull and clone between workspaces and a real hub."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import RunningHub, hub, until
from sync_world import Site, World, quick, world

from dotscience_jupyter.snapshots import PathNotFoundError
from dotscience_jupyter.sync import (
    REMOTE_HEAD,
    OfflineError,
    Pusher,
    RefusedError,
    Remote,
    SyncError,
    clone,
    connection,
    hubproject,
    pushing,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub(tmp_path_factory.mktemp("hub")) as found:
        yield found


@pytest.fixture
def made(tmp_path: Path, running: RunningHub) -> Iterator[World]:
    with world(running, tmp_path) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that clients of this process make."""
    requests: list[str] = []
    before = connection.Connection._open

    def note(
        self: connection.Connection, method: str, path: str, body: object, kind: str
    ) -> object:
        requests.append(f"{method} {path.split('/')[-1].split('?')[0]}")
        return before(self, method, path, body, kind)

    monkeypatch.setattr(connection.Connection, "_open", note)
    return requests


def ids(site: Site) -> list[str]:
    return [each.id for each in site.records.list_commits(limit=1000)[0]]


def test_a_history_goes_up_and_comes_down_the_same(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one", "data/b.bin": b"\x00" * 300_000, "empty": ""})
    site.many(5, points=10)
    site.commit({"a.txt": "two"})
    done = site.sync.push()
    assert (done.state, done.commits, done.head) == ("published", 7, site.head)
    assert made.refs() == {"HEAD": site.head}
    assert site.sync.status().ahead == 0
    made.verify()
    other = made.clone("other")
    assert other.files() == site.files()
    assert ids(other) == ids(site)
    assert other.records.verify() == []
    assert other.service.status(fresh=True).status == "clean"
    runs, total = other.records.list_runs()
    assert total == 5
    assert other.records.series(runs[0].id, "loss")[0] == site.records.series(runs[0].id, "loss")[0]


def test_nothing_travels_twice(made: World, asked: list[str]) -> None:
    site = made.site()
    assert site.sync.push().state == "nothing"
    site.commit({"a.bin": bytes(range(256)) * 4000})
    site.sync.push()
    asked.clear()
    assert site.sync.push().state == "current"
    assert asked == ["GET refs"]
    asked.clear()
    site.many(1)  # the files are what they were in a commit that the hub has
    site.sync.push()
    assert asked == ["GET refs", "POST push"]


def test_many_small_unchanged_files_cost_one_question(made: World, asked: list[str]) -> None:
    site = made.site()
    site.commit({f"f{number // 200}/{number}.txt": str(number) for number in range(2000)})
    site.sync.push()
    asked.clear()
    site.commit({"f3/one.txt": "new"})
    done = site.sync.push()
    assert done.state == "published"
    assert asked == ["GET refs", "POST missing", "POST objects", "POST push"]
    made.verify()


def test_a_change_in_a_large_file_moves_little_more_than_itself(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[int] = []
    before = connection.Connection.close

    def close(self: connection.Connection) -> None:
        moved.append(self.sent + self.received)
        before(self)

    monkeypatch.setattr(connection.Connection, "close", close)
    site = made.site()
    chance = random.Random(9)
    content = bytearray(chance.randbytes(12 << 20))
    small = {f"small/{number}.txt": str(number) for number in range(10)}
    site.commit({"big.bin": bytes(content), **small})
    site.sync.push()
    for number in range(2):
        at = (3 << 20) + number * (4 << 20)
        content[at : at + (1 << 20)] = chance.randbytes(1 << 20)
        site.commit({"big.bin": bytes(content), **dict.fromkeys(small, f"{number}!")})
        site.sync.push()
        assert moved[-1] < 1.2 * (1 << 20)
    made.verify()
    assert made.clone("other").files() == site.files()


def test_programs_of_one_workspace_take_turns(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site = made.site()
    again = made.open(site.root)
    site.commit({"a.bin": b"a" * 300_000})
    told: list[str] = []
    inside = threading.Event()
    before = pushing.Pushing.run

    def run(self: pushing.Pushing) -> pushing.Pushed:
        inside.set()
        until(lambda: told)
        return before(self)

    monkeypatch.setattr(pushing.Pushing, "run", run)
    thread = threading.Thread(target=site.sync.push)
    thread.start()
    inside.wait(20)
    done = again.sync.push(lambda done, total, what: told.append(what))
    thread.join(20)
    assert told[0].startswith("Waiting for another program")
    assert done.state == "current"


def test_a_week_offline_goes_up_in_order(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "PAGE", 4)
    site = made.site()
    expected = [site.commit({"a.txt": str(number)}) for number in range(11)]
    heads: list[str] = []
    before = hubproject.HubProject.publish

    def publish(self: hubproject.HubProject, head: str, lines: object) -> object:
        done = before(self, head, lines)
        heads.append(done.head)
        return done

    monkeypatch.setattr(hubproject.HubProject, "publish", publish)
    assert site.sync.status().ahead == 11
    assert site.sync.push().commits == 11
    assert heads == [expected[3], expected[7], expected[10]]
    assert site.sync.status().ahead == 0


def test_pull_brings_files_and_head_forward(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one", "gone.txt": "x", ".dotscienceignore": "*.log\n"})
    site.sync.push()
    other = made.clone("other")
    other.commit({"a.txt": "two", "new/b.txt": "b"})
    (other.root / "gone.txt").unlink()
    other.commit()
    other.sync.push()
    (site.root / "notes.log").write_text("kept")
    fetched = site.sync.fetch()
    assert (fetched.commits, fetched.head) == (2, other.head)
    status = site.sync.status()
    assert (status.ahead, status.behind, status.diverged) == (0, 2, False)
    assert (site.root / "a.txt").read_text() == "one"
    done = site.sync.pull()
    assert (done.fetched, done.commits, done.head) == (0, 2, other.head)
    (site.root / "notes.log").unlink()
    assert site.files() == other.files()
    assert site.service.status(fresh=True).status == "clean"
    assert site.sync.status().behind == 0
    assert site.sync.pull().commits == 0


def test_pull_never_overwrites_what_is_not_committed(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one", "b.txt": "one"})
    site.sync.push()
    other = made.clone("other")
    other.commit({"a.txt": "two", "b.txt": "two"})
    other.sync.push()
    head = site.head
    site.write({"a.txt": "mine"})
    with pytest.raises(SyncError) as refused:
        site.sync.pull()
    assert refused.value.code == "uncommitted_changes"
    assert "'a.txt'" in refused.value.message
    assert "'b.txt'" not in refused.value.message
    assert site.head == head
    assert site.files() == {"a.txt": b"mine", "b.txt": b"one"}
    # files that are as they will be are what a pull leaves that was killed
    site.write({"a.txt": "one", "b.txt": "two"})
    assert site.sync.pull().head == other.head
    assert site.files() == other.files()


def test_a_workspace_without_commits_pulls_into_what_is_not_there(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    site.sync.push()
    other = made.site("other")
    other.write({"a.txt": "something else"})
    with pytest.raises(SyncError, match=r"a\.txt"):
        other.sync.pull()
    (other.root / "a.txt").unlink()
    assert other.sync.pull().head == site.head
    assert other.files() == site.files()


def test_diverged_histories_are_told_and_kept_on_both_sides(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "base"})
    site.sync.push()
    other = made.clone("other")
    other.commit({"theirs.txt": "theirs"})
    other.sync.push()
    mine = site.commit({"mine.txt": "mine"})
    done = site.sync.push()
    assert done.state == "diverged"
    assert made.refs() == {"HEAD": other.head, f"side/{mine[:12]}": mine}
    made.verify()
    status = site.sync.status()
    assert status.newer
    assert status.diverged
    # pushed again nothing is new; what goes on from it stands for it
    assert site.sync.push().commits == 0
    more = site.commit({"mine.txt": "more"})
    assert site.sync.push().state == "diverged"
    assert made.refs() == {"HEAD": other.head, f"side/{more[:12]}": more}
    with pytest.raises(SyncError) as refused:
        site.sync.pull()
    assert refused.value.code == "diverged"
    assert site.files()["mine.txt"] == b"more"
    status = site.sync.status()
    assert (status.ahead, status.behind, status.diverged, status.newer) == (2, 1, True, False)
    # whoever merges brings both together
    site.service.merge.start(other.head)
    site.service.merge.finish("both")
    assert site.sync.push().state == "published"
    assert made.refs() == {"HEAD": site.head}
    assert other.sync.pull().head == site.head
    assert (
        other.files()
        == site.files()
        == {"a.txt": b"base", "theirs.txt": b"theirs", "mine.txt": b"more"}
    )
    made.verify()


def test_what_is_behind_is_told_so(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    site.sync.push()
    other = made.clone("other")
    other.commit({"a.txt": "two"})
    other.sync.push()
    done = site.sync.push()
    assert (done.state, done.head) == ("behind", other.head)
    assert site.sync.status().newer
    assert made.refs() == {"HEAD": other.head}


def test_several_push_at_once(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "base"})
    site.sync.push()
    clones = [made.clone(f"clone{number}") for number in range(4)]
    for number, each in enumerate(clones):
        each.commit({f"{number}.bin": bytes([number]) * 200_000, "shared.bin": b"s" * 100_000})
    found: list[object] = []

    def push(each: Site) -> None:
        try:
            found.append(each.sync.push().state)
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=push, args=(each,)) for each in clones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, found)) == ["diverged", "diverged", "diverged", "published"]
    refs = made.refs()
    assert set(refs.values()) == {each.head for each in clones}
    made.verify()


def test_commits_that_the_hub_made_are_pulled(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    site.sync.push()
    services = made.hub.services
    assert services is not None
    info = services.projects.get(made.project)
    assert info is not None
    from dotscience_jupyter.snapshots import Edit

    with services.projects.open(info) as project:
        project.write([Edit("up.txt", b"loaded")], author="a", message="m", type="upload")
        with pytest.raises(PathNotFoundError):
            project.write([Edit("none", None)], author="a", message="m", type="upload")
    assert site.sync.pull().commits == 1
    assert site.files() == {"a.txt": b"one", "up.txt": b"loaded"}


def test_only_who_may_write_pushes_and_only_who_may_read_fetches(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    site.sync.push()
    name, key = made.hub.user("mallory")
    made.credentials.put(type(made.credentials.all()[0])(made.hub.url, name, key))
    for walk in (site.sync.push, site.sync.fetch, site.sync.pull):
        with pytest.raises(RefusedError) as refused:
            walk()
        assert refused.value.status == 404
    assert site.sync.status().last.code == "not_found"
    made.through(made.hub.url)
    assert site.sync.push().state == "current"
    assert site.sync.status().last.error == ""


def test_a_hub_that_is_away_is_told_and_nothing_is_lost(made: World) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    nowhere = made.through("http://127.0.0.1:9")
    site.sync.remove()
    site.sync.add(nowhere)
    with pytest.raises(OfflineError) as away:
        site.sync.push()
    assert "127.0.0.1:9 cannot be reached (Connection refused)" in away.value.message
    status = site.sync.status()
    assert (status.ahead, status.last.code) == (1, "offline")
    site.sync.remove()
    site.sync.add(made.remote)
    assert site.sync.push().state == "published"


def test_a_workspace_belongs_to_one_project(made: World) -> None:
    site = made.site()
    with pytest.raises(SyncError) as refused:
        site.sync.add(Remote(made.hub.url, "another", "alice/another"))
    assert refused.value.code == "exists"
    site.commit({"a.txt": "one"})
    site.sync.push()
    assert site.sync.remove() == made.remote
    assert REMOTE_HEAD not in site.records.refs()
    for walk in (site.sync.push, site.sync.fetch, site.sync.pull, site.sync.remove):
        with pytest.raises(SyncError) as refused:
            walk()
        assert refused.value.code == "no_remote"


def test_clone_touches_nothing_that_is_there(made: World, tmp_path: Path) -> None:
    site = made.site()
    site.commit({"a.txt": "one"})
    site.sync.push()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for folder in (tmp_path / "full", site.root / "a.txt"):
        with pytest.raises(SyncError) as refused:
            clone(made.remote, folder, credentials=made.credentials, patience=quick())
        assert refused.value.code == "exists"
    (tmp_path / "empty").mkdir()
    done = clone(made.remote, tmp_path / "empty", credentials=made.credentials, patience=quick())
    assert (done.commits, done.head) == (1, site.head)
    again = clone(made.remote, tmp_path / "empty", credentials=made.credentials, patience=quick())
    assert again == done


def test_a_pusher_pushes_when_woken_and_when_the_hub_is_back(made: World) -> None:
    site = made.site()
    told: list[str] = []
    pusher = Pusher(site.sync, told.append)
    pusher.start()
    until(lambda: told == ["pushing", "pushed"])
    site.commit({"a.txt": "one"})
    pusher.wake()
    until(lambda: made.refs().get("HEAD") == site.head)
    until(lambda: told[-1] == "pushed")
    made.credentials.remove(made.hub.url)
    site.commit({"a.txt": "two"})
    pusher.wake()
    until(lambda: told[-1] == "failed")
    assert site.sync.status().last.code == "not_logged_in"
    made.through(made.hub.url)
    pusher.wake()
    until(lambda: made.refs().get("HEAD") == site.head)
    started = time.monotonic()
    assert pusher.stop()
    assert time.monotonic() - started < 5
