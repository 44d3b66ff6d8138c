# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The model library asked again and again: only what changed is opened, nothing is missed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from dotscience_jupyter.hub import stamps
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.original.library import Library
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.hub.projects import Projects
from dotscience_jupyter.records import NewRun, NewValue


def publish(services: Services, info: ProjectInfo, name: str) -> None:
    with services.projects.open(info) as project:
        label = NewValue("label", f"artefact:{name}", "{}")
        run = NewRun(str(uuid4()), "workload", values=[label])
        project.write([], author="alice", message="", type="dotscience.run.v1", runs=[run])


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the projects that are opened or used meanwhile."""
    names: list[str] = []
    real = Projects.open

    def noting(self: Projects, info: ProjectInfo):
        names.append(info.name)
        return real(self, info)

    with monkeypatch.context() as patch:
        patch.setattr(Projects, "open", noting)
        yield names


def listed(library: Library, user: User) -> list[tuple[str, str]]:
    return [(each["project_name"], each["name"]) for each in json.loads(library.all_models(user))]


def test_only_what_changed_is_opened_and_nothing_is_missed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = services.identity.create_user("alice")
    infos = [services.projects.create(alice, f"p{number}") for number in range(3)]
    for info in infos[:2]:
        publish(services, info, "first")
    library = Library(services)
    assert listed(library, alice) == [("p0", "first"), ("p1", "first")]
    time.sleep(2 * stamps._SETTLED_NS / 1e9)
    listed(library, alice)
    with opened(monkeypatch) as names:
        assert listed(library, alice) == [("p0", "first"), ("p1", "first")]
    assert set(names) <= {"p2"}  # where there never was a commit there may be no records
    # what is published now is there now
    for number in range(5):
        publish(services, infos[1], f"m{number}")
        assert listed(library, alice)[1] == ("p1", f"m{number}")
    time.sleep(2 * stamps._SETTLED_NS / 1e9)
    listed(library, alice)
    services.projects.rename(infos[0], "q")
    with opened(monkeypatch) as names:
        assert ("q", "first") in listed(library, alice)
    assert set(names) <= {"q", "p2"}
    # who may not see a project is not told of what is known of it
    assert listed(library, services.identity.create_user("bob")) == []
    services.projects.delete(infos[1], confirm="p1")
    assert listed(library, alice) == [("q", "first")]


def test_another_process_is_noticed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before the other's commit never passes for what is there after it."""
    alice = services.identity.create_user("alice")
    info = services.projects.create(alice, "p")
    publish(services, info, "first")
    time.sleep(2 * stamps._SETTLED_NS / 1e9)
    library = Library(services)
    real = Library._models

    def late(self: Library, info: ProjectInfo, stamp: str | None) -> str:
        found = real(self, info, stamp)
        if not late_ones:
            late_ones.append(info.name)
            publish(services, info, "second")  # after the models were read
        return found

    late_ones: list[str] = []
    monkeypatch.setattr(Library, "_models", late)
    assert listed(library, alice) == [("p", "first")]
    assert listed(library, alice) == [("p", "second"), ("p", "first")]


def test_what_is_remembered_is_bounded(services: Services) -> None:
    alice = services.identity.create_user("alice")
    for number in range(4):
        publish(services, services.projects.create(alice, f"p{number}"), "m" * 100)
    time.sleep(2 * stamps._SETTLED_NS / 1e9)
    library = Library(services, most_bytes=1500)
    for _ in range(2):
        assert len(listed(library, alice)) == 4
        assert library._bytes == sum(len(text) for _, text in library._listed.values()) <= 1500
        assert 0 < len(library._listed) < 4


def test_a_closed_project_has_the_stamp_that_it_had(tmp_path, monkeypatch) -> None:
    from hub_world import CHEAP

    from dotscience_jupyter.hub.config import Config

    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    alice = services.identity.create_user("alice")
    info = services.projects.create(alice, "p")
    publish(services, info, "m")
    services.close()
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    try:
        time.sleep(2 * stamps._SETTLED_NS / 1e9)
        before = services.projects.stamps([info])
        assert before[info.id]
        with services.projects.open(info) as project:
            assert project.records.counts() == (1, 1)  # reading alone changes nothing
            assert services.projects.stamps([info]) == before
            folder = project.tmp.parent
        Project.load(info, folder).close()
        assert services.projects.stamps([info]) == before
        os.utime(folder / "records.db")
        assert services.projects.stamps([info]) == {}  # too new to be relied on
    finally:
        services.close()
