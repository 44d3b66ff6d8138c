# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A clone that does not come to its end: what is left, and how it goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import loopfs
import pytest
from filelock import FileLock
from hub_world import RunningHub, hub
from sync_world import Site, World, quick, world

from dotscience_jupyter.records import RecordsError, Workspace
from dotscience_jupyter.snapshots import SnapshotError
from dotscience_jupyter.sync import (
    Credentials,
    Login,
    Newest,
    OfflineError,
    Patience,
    RefusedError,
    RemoteStore,
    SyncError,
    clone,
    list_all,
    newest_commits,
)

LARGE = bytes(range(256)) * 4096  # a million bytes


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with hub(tmp_path_factory.mktemp("running")) as found:
        yield found


@pytest.fixture
def made(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    with world(running, tmp_path) as found:
        yield found


def pushed(made: World, files: int = 2) -> Site:
    site = made.site()
    site.commit({f"{number}.bin": LARGE + bytes([number]) for number in range(files)})
    site.commit({"notes.txt": "two"})
    site.sync.push()
    return site


def refused(made: World, folder: Path, kind: type[SyncError] = SyncError) -> SyncError:
    with pytest.raises(kind) as error:
        clone(made.remote, folder, credentials=made.credentials, patience=quick())
    return error.value


def whole(made: World, site: Site, folder: Path) -> None:
    """The folder is a workspace that belongs to the project and has all of it."""
    other = made.open(folder)
    assert (other.head, other.files()) == (site.head, site.files())
    status = other.sync.status()
    assert (status.remote, status.ahead, status.behind) == (made.remote, 0, 0)
    assert other.service.status(fresh=True).status == "clean"


def test_it_is_a_workspace_in_the_last_step_only(made: World, tmp_path: Path) -> None:
    site = pushed(made)
    folder = tmp_path / "new" / "clone"
    seen: list[Workspace | None] = []

    def look(done: int, total: int, what: str) -> None:
        seen.append(Workspace.find(folder))

    done = clone(made.remote, folder, credentials=made.credentials, patience=quick(), progress=look)
    assert (done.folder, done.commits, done.head) == (folder, 2, site.head)
    assert len(seen) > 3 and set(seen) == {None}
    whole(made, site, folder)


@pytest.mark.parametrize("when", ["receiving", "writing"])
def test_one_that_was_stopped_goes_on(made: World, tmp_path: Path, when: str) -> None:
    site = pushed(made)
    folder = tmp_path / "clone"
    patience = Patience(attempts=1)

    def stop(done: int, total: int, what: str) -> None:
        there = {
            "receiving": done > 0,
            "writing": (folder / "0.bin").exists(),
        }
        if there[when]:
            patience.stopped.set()
        patience.check()

    with pytest.raises(SyncError) as stopped:
        clone(made.remote, folder, credentials=made.credentials, patience=patience, progress=stop)
    assert stopped.value.code == "stopped"
    assert folder.is_dir() and Workspace.find(folder) is None
    # nobody else's project is mixed into it
    other = World(made.hub, made.base)
    assert "clone of another project" in refused(other, folder).message
    clone(made.remote, folder, credentials=made.credentials, patience=quick())
    whole(made, site, folder)


def test_where_the_answer_is_no_no_folder_is_made(made: World, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    made.credentials.put(Login(made.hub.url, *made.hub.user("mallory")))
    assert refused(made, folder, RefusedError).code == "not_found"
    made.credentials.remove(made.hub.url)
    assert refused(made, folder).code == "not_logged_in"
    made.remote = made.through("http://127.0.0.1:9")
    assert refused(made, folder, OfflineError).code == "offline"
    assert not folder.exists()


def test_two_at_once_do_not_meet(made: World, tmp_path: Path) -> None:
    pushed(made, 1)
    folder = tmp_path / "clone"
    workspace = Workspace.begin(make(folder))
    RemoteStore(workspace.folder).put(made.remote)
    with FileLock(workspace.folder / "sync" / "clone.lock"):
        assert refused(made, folder).code == "busy"
    assert Workspace.find(folder) is None
    # one that was killed before it had said whose it is
    early = tmp_path / "early"
    Workspace.begin(make(early))
    clone(made.remote, early, credentials=made.credentials, patience=quick())
    assert Workspace.at(early).root == early


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_an_empty_project_is_an_empty_workspace(made: World, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    done = clone(made.remote, folder, credentials=made.credentials, patience=quick())
    assert (done.commits, done.head) == (0, "")
    assert RemoteStore(Workspace.at(folder).folder).get() == made.remote


@pytest.mark.xdist_group("ext4-sync")
def test_a_full_disk_is_told_and_the_clone_goes_on(made: World, tmp_path: Path) -> None:
    site = made.site()
    site.commit({"large.bin": random.Random(1).randbytes(3 << 20)})
    site.sync.push()
    with loopfs.mounted("ext4", 16 << 20) as disk:
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(1 << 20))
        # while it is received, and while its files are written
        for free in (1 << 20, 4 << 20):
            with filler.open("r+b") as file:
                file.truncate(filler.stat().st_size - free)
            with pytest.raises(
                (SyncError, SnapshotError, RecordsError), match="disk is full|No space left"
            ):
                clone(
                    made.remote,
                    disk / "clone",
                    credentials=made.credentials,
                    patience=quick(),
                )
            assert Workspace.find(disk / "clone") is None
        filler.unlink()
        clone(made.remote, disk / "clone", credentials=made.credentials, patience=quick())
        whole(made, site, disk / "clone")
        made.close()
        made.sites.clear()


def test_what_there_is_to_clone(made: World, tmp_path: Path) -> None:
    site = pushed(made, 1)
    auth = made.hub.user("alice")
    dataset = {"name": f"{made.name}-data", "kind": "dataset"}
    answer = made.hub.call("POST", "/api/v1/projects", auth, dataset).json()
    found = list_all(made.hub.url, credentials=made.credentials, patience=quick())
    kinds = {each.remote.project: each.kind for each in found}
    assert kinds[made.project] == "project"
    assert kinds[answer["id"]] == "dataset"
    commit = site.records.head()
    assert commit is not None
    asked = [made.project, answer["id"], "nothing", "../projects"]
    assert newest_commits(
        made.hub.url, asked, credentials=made.credentials, patience=Patience(attempts=1)
    ) == [
        Newest(made.project, 2, commit.created, "tester", "a commit"),
        Newest(answer["id"], 0, None, "", ""),
    ]
    with pytest.raises(SyncError) as nobody:
        newest_commits(made.hub.url, asked, credentials=Credentials(tmp_path / "none"))
    assert nobody.value.code == "not_logged_in"
