# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files that no code declared: when they are a run's own, and when they are nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from committer_world import START, World, new_id, run_record, when

from dotscience_jupyter.committer import Committer

CHECKOUT = Path(__file__).parents[2]
NOTHING: dict[str, list[str]] = {"input": [], "output": []}


def write(world: World, path: str, at: float, content: str = "x") -> None:
    """Write a file as it was written so many seconds after the start of time."""
    full = world.write(path, content)
    os.utime(full, (START.timestamp() + at,) * 2)


def publish(
    world: World, observed: dict[str, list[str]] | None, begin: float = 100, **run: Any
) -> str:
    """Record a script's run of ten seconds that observed these files; returns its id."""
    run_id = new_id()
    extra: dict[str, Any] = {"source": {"kind": "script", "path": str(world.root / "t.py")}}
    if observed is not None:
        extra["observed"] = NOTHING | observed
    times = {"start": when(begin), "end": when(begin + 10)}
    world.spool(run_record(run_id, world.root, extra, **(times | run)))
    return run_id


def told(world: World, run_id: str) -> dict[str, set[tuple[str, str]]]:
    return {
        direction: {(f.path, f.authority) for f in world.files(run_id, direction).values()}
        for direction in ("input", "output")
    }


@pytest.fixture
def begun(world: World) -> World:
    """A workspace with a first commit."""
    write(world, "data.csv", 0)
    world.committer.commit("raw data")
    return world


def test_what_was_opened_is_recorded_as_derived(begun: World) -> None:
    write(begun, "model.bin", 105, "weights")
    first = begun.records.head().id
    run_id = publish(begun, {"input": ["data.csv"], "output": ["model.bin"]})
    assert begun.scan().runs == [run_id]
    assert told(begun, run_id) == {
        "input": {("data.csv", "derived")},
        "output": {("model.bin", "derived")},
    }
    assert begun.run(run_id).authority == "workload"
    assert begun.files(run_id, "input")["data.csv"].version == first
    assert begun.files(run_id, "output")["model.bin"].digest
    assert begun.corrections() == []
    # later runs find where it came from
    reader = publish(begun, {"input": ["model.bin"]}, 200)
    begun.scan()
    version = begun.files(reader, "input")["model.bin"].version
    assert begun.records.writers_of([("model.bin", version)]) == {("model.bin", version): run_id}


def test_what_is_declared_is_never_added_to(begun: World) -> None:
    write(begun, "other.csv", 0)
    begun.committer.commit("more")
    for path in ("model.bin", "log.txt"):
        write(begun, path, 105)
    observed = {"input": ["data.csv", "other.csv"], "output": ["model.bin", "log.txt"]}
    run_id = publish(begun, observed, input=["data.csv"])
    begun.scan()
    assert told(begun, run_id) == {
        "input": {("data.csv", "workload")},
        "output": {("model.bin", "derived"), ("log.txt", "derived")},
    }
    for path in ("model.bin", "log.txt"):
        write(begun, path, 205, "again")
    run_id = publish(begun, observed, 200, output=["model.bin"])
    begun.scan()
    assert told(begun, run_id) == {
        "input": {("data.csv", "derived"), ("other.csv", "derived")},
        "output": {("model.bin", "workload")},
    }
    [correction] = begun.corrections()
    assert [file.path for file in correction.files] == ["log.txt"]


def test_an_output_that_lies_outside_is_a_declared_one(begun: World) -> None:
    write(begun, "log.txt", 105)
    run_id = publish(begun, {"output": ["log.txt"]}, output=["/elsewhere/model.bin"])
    begun.scan()
    assert told(begun, run_id)["output"] == {("/elsewhere/model.bin", "workload")}
    assert len(begun.corrections()) == 1


def test_temporary_ignored_and_foreign_files_are_left_out(begun: World) -> None:
    begun.write(".dotscienceignore", "cache/\n")
    begun.write("cache/x.bin")
    begun.write("folder/in.txt")
    begun.root.joinpath("link").symlink_to("/etc/hostname")
    begun.committer.commit("more")
    paths = ["gone.tmp", "cache/x.bin", "folder", "link", "../up.csv", "/etc/hostname", "t.py"]
    run_id = publish(begun, {"input": paths, "output": paths})
    begun.write("t.py", "print()")
    begun.scan()
    assert told(begun, run_id) == {"input": set(), "output": set()}


def test_what_changed_while_the_only_run_was_under_way_is_its_output(begun: World) -> None:
    write(begun, "table.h5", 105)  # written by a library that opens files by itself
    run_id = publish(begun, NOTHING)
    begun.scan()
    assert told(begun, run_id)["output"] == {("table.h5", "derived")}
    assert begun.files(run_id, "output")["table.h5"].digest
    assert begun.corrections() == []
    [newest] = begun.records.list_commits(limit=1)[0]
    assert [run.id for run in newest.runs] == [run_id]


@pytest.mark.parametrize(
    ("path", "at", "times"),
    [
        ("notes.txt", 50, {}),  # before
        ("notes.txt", 150, {}),  # after
        ("helper.py", 105, {}),  # what people edit while it runs
        ("notes.txt", 105, {"start": None}),
        ("notes.txt", 105, {"end": None}),
    ],
)
def test_what_the_run_need_not_have_written_is_a_correction(
    begun: World, path: str, at: float, times: dict[str, Any]
) -> None:
    write(begun, path, at)
    run_id = publish(begun, NOTHING, **times)
    begun.scan()
    assert told(begun, run_id)["output"] == set()
    [correction] = begun.corrections()
    assert [(file.path, file.authority) for file in correction.files] == [(path, "workload")]


def test_a_removed_file_stays_a_correction(begun: World) -> None:
    (begun.root / "data.csv").unlink()
    publish(begun, NOTHING)
    begun.scan()
    [correction] = begun.corrections()
    assert correction.details["removed"] == ["data.csv"]


def test_of_several_runs_nobody_can_say_which_wrote(begun: World) -> None:
    write(begun, "table.h5", 105)
    runs = [publish(begun, NOTHING), publish(begun, NOTHING, 103)]
    begun.scan()
    assert all(told(begun, run_id)["output"] == set() for run_id in runs)
    assert len(begun.corrections()) == 1


def test_a_run_that_says_nothing_of_files_is_left_as_it_is(begun: World) -> None:
    write(begun, "table.h5", 105)
    run_id = publish(begun, None)
    begun.scan()
    assert told(begun, run_id) == {"input": set(), "output": set()}
    assert len(begun.corrections()) == 1


def test_an_input_that_was_changed_by_hand_before_gets_its_own_commit(begun: World) -> None:
    write(begun, "data.csv", 50, "by hand")
    run_id = publish(begun, {"input": ["data.csv"]})
    begun.scan()
    assert begun.messages()[-2] == "Files changed outside of a run: data.csv"
    version = begun.files(run_id, "input")["data.csv"].version
    assert version == begun.records.get_commit("HEAD~1").id


def test_an_input_that_changed_meanwhile_is_what_it_was(begun: World) -> None:
    first = begun.records.get_commit("HEAD")
    was = begun.engine.entry(first.snapshot, "data.csv").digest
    write(begun, "data.csv", 105, "written by a library, or somebody")
    run_id = publish(begun, {"input": ["data.csv"]})
    begun.scan()
    found = begun.files(run_id, "input")["data.csv"]
    assert (found.version, found.digest) == (first.id, was)
    assert told(begun, run_id)["output"] == {("data.csv", "derived")}
    assert "outside" not in begun.messages()[-1]


def test_runs_that_feed_each_other_get_commits_of_their_own(begun: World) -> None:
    write(begun, "mid.bin", 105)
    write(begun, "end.bin", 205)
    one = publish(begun, {"input": ["data.csv"], "output": ["mid.bin"]})
    two = publish(begun, {"input": ["mid.bin"], "output": ["end.bin"]}, 200)
    begun.scan()
    assert begun.files(two, "input")["mid.bin"].version == begun.run(one).commit_id
    assert begun.corrections() == []


def test_switched_off(begun: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(begun, "model.bin", 105)
    begun.committer.observe_files = False
    run_id = publish(begun, {"input": ["data.csv"], "output": ["model.bin"]})
    begun.scan()
    assert told(begun, run_id) == {"input": set(), "output": set()}
    assert len(begun.corrections()) == 1
    monkeypatch.setenv("DOTSCIENCE_OBSERVE_FILES", "0")
    other = Committer(begun.workspace, begun.records, begun.engine)
    assert not other.observe_files


@pytest.mark.parametrize("observed", ["x", [1], {"input": 3, "output": [None, 7, "", "data.csv"]}])
def test_what_a_record_lies_about_is_dropped(begun: World, observed: Any) -> None:
    run_id = new_id()
    begun.spool(run_record(run_id, begun.root, {"observed": observed}))
    assert begun.scan().runs == [run_id]


def test_a_thousand_at_most(begun: World) -> None:
    for number in range(1100):
        begun.write(f"many/{number}.txt")
    begun.committer.commit("many")
    run_id = publish(begun, {"input": [f"many/{number}.txt" for number in range(1100)]})
    begun.scan()
    assert len(begun.files(run_id, "input")) == 1000


def test_a_real_program(begun: World) -> None:
    begun.write(
        "t.py",
        "import dotscience as ds, shutil, subprocess\n"
        "ds.start('plain')\n"
        "text = open('data.csv').read()\n"
        "open('copy.csv', 'w').write(text)\n"
        "subprocess.run(['sh', '-c', 'echo x > native.bin'], check=True)\n"
        "ds.publish()\n",
    )
    begun.committer.commit("the program")
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    environment.pop("DOTSCIENCE_SPOOL", None)
    subprocess.run([sys.executable, "t.py"], cwd=begun.root, env=environment, check=True)
    [run_id] = begun.scan().runs
    assert told(begun, run_id) == {
        "input": {("data.csv", "derived")},
        "output": {("copy.csv", "derived"), ("native.bin", "derived")},
    }
    assert begun.corrections() == []
