# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects: who has which, what is in them, and that all of it stays together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hub_world import CHEAP, until
from sqlalchemy import inspect

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import project as project_module
from dotscience_jupyter.hub.access import Role
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project, ProjectInfo, ProjectLock
from dotscience_jupyter.records import NewRun, NotFoundError
from dotscience_jupyter.snapshots import PathNotFoundError
from dotscience_jupyter.snapshots.embedded.editing import Edit


@pytest.fixture
def alice(services: Services) -> User:
    return services.identity.create_user("alice")


@pytest.fixture
def bob(services: Services) -> User:
    return services.identity.create_user("bob")


def code_of(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.status, error.value.code


def write(project: Project, path: str, data: bytes | None, **more: object) -> str:
    given = {"author": "alice", "message": f"Write {path}", "type": "upload", **more}
    return project.write([Edit(path, data)], **given).id  # type: ignore[arg-type]


# -- names, members ----------------------------------------------------------------------------


def test_a_project_is_found_by_id_name_and_dot(services: Services, alice: User) -> None:
    made = services.projects.create(alice, "Hello world: ü")
    assert made.dot == f"project-{made.id[:8]}-default-workspace"
    assert services.projects.get(made.id) == made
    assert services.projects.by_name("ALICE", "Hello world: ü") == made
    assert services.projects.by_dot("alice", made.dot) == made
    assert services.projects.by_dot("alice", "Hello world: ü") is None
    assert services.projects.by_name("bob", "Hello world: ü") is None
    assert services.projects.count() == 1
    for id_ in ("", "x", made.id.upper(), made.id + "\n", "../" + made.id, made.id[:-1]):
        assert services.projects.get(id_) is None


def test_a_dataset_is_a_project_of_its_own_kind(services: Services, alice: User) -> None:
    project = services.projects.create(alice, "iris")
    made = services.projects.create(alice, "iris", "dataset")
    assert (made.kind, made.name, made.dot) == ("dataset", "iris", "iris")
    assert services.projects.by_name("alice", "iris") == project
    assert services.projects.by_dot("alice", "iris") == made
    assert services.projects.visible_to(alice, "dataset") == [made]
    for kind in ("dataset", "dot"):  # one address, one thing
        with pytest.raises(ApiError) as error:
            services.projects.create(alice, "iris", kind)
        assert code_of(error) == (409, "exists")
    with pytest.raises(ApiError, match="A dataset's name has 1 to 64 letters"):
        services.projects.create(alice, "with spaces", "dataset")
    with pytest.raises(ApiError, match="A dataset's name is its address"):
        services.projects.rename(made, "other")


def test_a_dot_is_a_project_of_its_own_kind(services: Services, alice: User) -> None:
    dot = services.projects.create(alice, "data", "dot")
    project = services.projects.create(alice, "data")
    assert services.projects.by_dot("alice", "data") == dot
    assert services.projects.by_name("alice", "data") == project
    assert services.projects.visible_to(alice, "dot") == [dot]
    with pytest.raises(ApiError) as error:
        services.projects.create(alice, project.dot, "dot")
    assert code_of(error) == (409, "exists")
    with pytest.raises(ApiError):
        services.projects.rename(dot, "other")


def test_two_that_make_the_same_project_at_once_make_one(services: Services, alice: User) -> None:
    barrier = threading.Barrier(6)

    def make() -> str:
        barrier.wait()
        try:
            return services.projects.create(alice, "same").id
        except ApiError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        found = [each.result() for each in [pool.submit(make) for _ in range(6)]]
    assert found.count("exists") == 5
    assert len(services.projects.all()) == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "\x1b[2J", "\u202e", "\ud800"])
def test_names_that_no_project_may_have(services: Services, alice: User, name: str) -> None:
    with pytest.raises(ApiError) as error:
        services.projects.create(alice, name)
    assert code_of(error) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "..", "a\n"])
def test_names_that_no_dot_may_have(services: Services, alice: User, name: str) -> None:
    with pytest.raises(ApiError) as error:
        services.projects.create(alice, name, "dot")
    assert code_of(error) == (400, "invalid_request")


def test_who_sees_which_project(services: Services, alice: User, bob: User) -> None:
    root = services.identity.create_user("root", admin=True)
    projects = services.projects
    first, second = projects.create(alice, "first"), projects.create(bob, "second")
    assert projects.visible_to(alice) == [first]
    assert projects.visible_to(bob) == [second]
    assert projects.visible_to(root) == [first, second]
    members = services.members
    assert [members.role(user, first) for user in (alice, bob, root)] == [
        Role("owner"),
        None,
        Role("admin"),
    ]
    members.add(first, bob)
    members.add(first, bob)
    assert projects.visible_to(bob) == [first, second]
    assert members.role(bob, first) == Role("collaborator", "write")
    assert [(user.name, role.name) for user, role in members.of(first)] == [
        ("alice", "owner"),
        ("bob", "collaborator"),
    ]
    members.add(first, bob, "read")
    assert members.role(bob, first) == members.of(first)[1][1] == Role("collaborator", "read")
    assert projects.visible_to(bob) == [first, second]
    members.add(first, root, "read")
    assert members.role(root, first) == Role("admin")  # who may do all reads and writes
    members.remove(first, root)
    members.remove(first, bob)
    members.remove(first, bob)
    assert members.role(bob, first) is None
    members.add(first, alice, "read")  # owns it already
    assert len(members.of(first)) == 1
    assert members.role(alice, first) == Role("owner")
    with pytest.raises(ApiError) as error:
        members.remove(first, alice)
    assert code_of(error) == (409, "refused")
    projects.delete(first, confirm="first")
    for change in (members.add, members.remove):
        with pytest.raises(ApiError) as error:
            change(first, bob)
        assert code_of(error) == (404, "not_found")


def test_a_renamed_project_keeps_its_dot_and_frees_its_name(
    services: Services, alice: User
) -> None:
    made = services.projects.create(alice, "one")
    taken = services.projects.create(alice, "two")
    renamed = services.projects.rename(made, "three")
    assert (renamed.id, renamed.dot, renamed.name) == (made.id, made.dot, "three")
    assert services.projects.by_name("alice", "one") is None
    with pytest.raises(ApiError) as error:
        services.projects.rename(renamed, "two")
    assert code_of(error) == (409, "exists")
    assert services.projects.get(taken.id) == taken
    services.projects.create(alice, "one")


# -- deleting ----------------------------------------------------------------------------------


def test_a_deleted_project_comes_back_whole(services: Services, alice: User, bob: User) -> None:
    projects = services.projects
    info = projects.create(alice, "mine")
    services.members.add(info, bob)
    with projects.open(info) as project:
        commit = write(project, "a.txt", b"hello")
    with pytest.raises(ApiError) as error:
        projects.delete(info, confirm="other")
    assert code_of(error) == (409, "refused")
    projects.delete(info, confirm="mine")
    assert projects.get(info.id) is None and projects.by_dot("alice", info.dot) is None
    assert projects.visible_to(bob) == [] == projects.all()
    assert [each.id for each in projects.deleted()] == [info.id]
    with pytest.raises(ApiError):
        projects.delete(info, confirm="mine")
    other = projects.create(alice, "mine")  # its name is free
    with pytest.raises(ApiError) as error:
        projects.restore(info.id)
    assert code_of(error) == (409, "exists")
    projects.delete(other, confirm="mine")
    projects.restore(info.id)
    assert projects.visible_to(bob) == [info]
    with projects.open(info) as project:
        assert project.open(commit, "a.txt").read() == b"hello"


def test_a_purged_project_leaves_nothing(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")
    folder = services.config.data / "projects" / info.id
    with services.projects.open(info) as project:
        write(project, "a.txt", b"hello")
    assert folder.exists()
    with pytest.raises(ApiError):  # only what was deleted before
        services.projects.purge(info.id)
    services.projects.delete(info, confirm="mine")
    services.projects.purge(info.id)
    assert not folder.exists()
    assert services.projects.deleted() == []
    assert services.projects.count_open() == 0
    if services.database.is_postgresql:
        schemas = inspect(services.database.engine).get_schema_names()
        assert Project.schema_of(info.id) not in schemas
    with pytest.raises(ApiError) as error:
        services.projects.restore(info.id)
    assert code_of(error) == (404, "not_found")


# -- content -----------------------------------------------------------------------------------


def test_what_was_written_is_read_at_every_commit(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")
    with services.projects.open(info) as project:
        assert project.commit_id("HEAD") is None
        with pytest.raises(NotFoundError):
            project.snapshot_of("HEAD")
        first = write(project, "data/a.txt", b"one")
        second = write(project, "data/a.txt", b"two", metadata={"x": "y"})
        third = write(project, "data/a.txt", None)
        for commit, text in ((first, b"one"), (second, b"two"), (second[:12], b"two")):
            with project.open(commit, "data/a.txt") as file:
                assert file.read() == text
        assert project.commit_id("HEAD") == third
        with pytest.raises(PathNotFoundError):
            project.open("HEAD", "data/a.txt")
        assert [entry.path for entry in project.entries(first, "data")] == ["data/a.txt"]
        assert project.entry(first, "data/a.txt").size == 3
        assert project.records.get_commit(second).details["x"] == "y"
        assert project.records.get_commit(second).author == "alice"
        commits, total = project.records.log("HEAD")
        assert ([commit.id for commit in commits], total) == ([third, second, first], 3)
        # which commit wrote a file is known
        assert project.records.last_written("data/a.txt") is None
        assert project.records.verify() == []
        held = {info.id: info.holds for info in project.engine.snapshots()}
        assert all("commit" in holds for holds in held.values())


def test_a_commit_without_edits_has_what_the_one_before_had(
    services: Services, alice: User
) -> None:
    info = services.projects.create(alice, "mine")
    with services.projects.open(info) as project:
        empty = project.write([], author="alice", message="begin", type="upload")
        assert project.entries(empty.id) == []
        first = write(project, "a", b"1")
        run = NewRun(id="r1234567", authority="remote", workload_type="remote")
        second = project.write(
            [], author="alice", message="a run", type="dotscience.run.v1", runs=[run]
        )
        assert second.snapshot == project.snapshot_of(first)
        assert [run.id for run in second.runs] == ["r1234567"]


def test_branches_have_their_own_line(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")
    with services.projects.open(info) as project:
        first = write(project, "a", b"1")
        project.records.set_ref("branch/try", first, expected=None)
        there = write(project, "a", b"2", ref="branch/try")
        here = write(project, "b", b"3")
        assert project.commit_id("branch/try") == there
        assert project.commit_id("HEAD") == here
        assert [entry.path for entry in project.entries("branch/try")] == ["a"]
        assert [entry.path for entry in project.entries("HEAD")] == ["a", "b"]
        with project.open("branch/try", "a") as file:
            assert file.read() == b"2"


def test_equal_bytes_that_were_written_again_are_a_version(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")
    with services.projects.open(info) as project:
        write(project, "a", b"0")
        first = write(project, "b", b"1")
        assert project.records.last_written("b") == first
        second = write(project, "b", b"1", wrote=["b"])
        assert project.records.last_written("b") == second
        assert project.records.last_written("a") not in (first, second)


def test_an_edit_that_fails_changes_nothing(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")
    with services.projects.open(info) as project:
        head = write(project, "a", b"1")
        with pytest.raises(PathNotFoundError):
            write(project, "missing", None)
        assert project.commit_id("HEAD") == head
        assert project.records.counts()[0] == 1


def test_many_writers_at_once_lose_nothing(services: Services, alice: User) -> None:
    info = services.projects.create(alice, "mine")

    def work(number: int) -> None:
        with services.projects.open(info) as project:
            write(project, f"file-{number}", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    with services.projects.open(info) as project:
        assert len(project.entries("HEAD")) == 16
        assert project.records.log("HEAD")[1] == 16
        assert project.records.verify() == []


# -- open projects -----------------------------------------------------------------------------


def test_few_projects_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    monkeypatch.setattr(services.projects._opened, "_most", 2)
    closed: list[str] = []
    close = Project.close
    monkeypatch.setattr(Project, "close", lambda self: (closed.append(self.info.name), close(self)))
    alice = services.identity.create_user("alice")
    infos = [services.projects.create(alice, f"p{number}") for number in range(4)]
    with services.projects.open(infos[0]) as used:
        for info in infos[1:]:
            with services.projects.open(info):
                pass
        assert services.projects.count_open() == 2
        assert closed == ["p1", "p2"]  # never one in use
        write(used, "a", b"1")
        with services.projects.open(infos[0]) as again:
            assert again is used
    services.close()
    assert sorted(closed) == ["p0", "p1", "p2", "p3"]


def test_one_project_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    info = services.projects.create(services.identity.create_user("alice"), "p")
    opened: list[ProjectInfo] = []
    load = Project.load

    def slow(info: ProjectInfo, *args: Any, **more: Any) -> Project:
        opened.append(info)
        return load(info, *args, **more)

    monkeypatch.setattr(Project, "load", slow)
    barrier = threading.Barrier(8)

    def use() -> int:
        barrier.wait()
        with services.projects.open(info) as project:
            return id(project)

    with ThreadPoolExecutor(8) as pool:
        found = {each.result() for each in [pool.submit(use) for _ in range(8)]}
    assert len(found) == 1 == len(opened)
    services.close()


def test_a_project_that_cannot_be_opened_says_why_and_can_be_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    info = services.projects.create(services.identity.create_user("alice"), "p")
    folder = tmp_path / "hub" / "projects" / info.id
    folder.write_text("in the way")
    with pytest.raises(ApiError) as error, services.projects.open(info):
        pass
    assert code_of(error) == (503, "unwritable")
    folder.unlink()
    with services.projects.open(info) as project:
        assert project.commit_id("HEAD") is None
    services.close()


def test_a_lock_is_held_by_one_thread_and_may_be_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, other = ProjectLock(tmp_path / "lock"), ProjectLock(tmp_path / "lock")
    monkeypatch.setattr(project_module, "LOCK_SECONDS", 0.2)
    with lock, lock:
        with pytest.raises(ApiError) as error:
            other.acquire()  # as another process would
        assert code_of(error) == (503, "busy")
        with ThreadPoolExecutor(1) as pool, pytest.raises(ApiError):
            pool.submit(lock.acquire).result()
    with other:
        pass
    with lock:
        pass


def test_not_all_threads_wait_for_one_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = ProjectLock(tmp_path / "lock")
    monkeypatch.setattr(project_module, "MOST_WAITING", 2)

    def wait() -> str:
        try:
            with lock:
                return "got it"
        except ApiError as error:
            return error.code

    with ThreadPoolExecutor(5) as pool:
        with lock:
            asked = [pool.submit(wait) for _ in range(5)]
            until(lambda: sum(each.done() for each in asked) == 3)
        assert sorted(each.result() for each in asked) == ["busy"] * 3 + ["got it"] * 2
    assert wait() == "got it"
