# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs that are under way tell of themselves, at no cost to the program and never in its way."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ds_helpers import environment, parse, printed, run_python, spooled

from dotscience import _live


@pytest.fixture(autouse=True)
def nothing_under_way():
    """Leave the runs of other tests alone; as their sessions live on, so do they."""
    with _live._State.lock:
        for live in _live._State.lives:
            live.ended = True


def files(folder):
    return sorted((folder / ".dotscience" / "live").glob("*.jsonl"))


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def merged(path):
    """What a file tells in all: the facts of its first line, values, and points by metric."""
    first, *rest = lines(path)
    told = {"labels": {}, "parameters": {}, "summary": {}}
    points = {}
    for line in rest:
        for name, each in line.pop("series", {}).items():
            data = base64.b64decode(each["data"])
            numbers = struct.unpack(f"<{len(data) // 8}d", data)
            assert len(numbers) == 3 * each["count"]
            points.setdefault(name, []).extend(zip(numbers[0::3], numbers[1::3], strict=True))
        for section in ("labels", "parameters", "summary"):
            told[section].update(line.pop(section, {}))
        told.update(line)
    return first, told, points


def wait(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def test_what_is_recorded_is_told_within_a_second(session, workspace, publish):
    session.start("try")
    session.param("rate", 0.5)
    session.label("stage", "dev")
    session.input("data.csv")
    for step in range(5):
        session.metric("loss", 1 / (step + 1), step=step)
    session.metric("bad", float("nan"), step=1)
    begun = time.monotonic()
    (path,) = wait(lambda: files(workspace))
    wait(lambda: len(path.read_text().splitlines()) > 1)
    assert time.monotonic() - begun < 10  # a second, on a machine that is not busy
    first, told, points = merged(path)
    assert (first["format"], first["id"]) == (1, path.stem)
    assert first["workspace"] == "0d2b7a52-32c8-4a2c-8d5e-5f1c8d1a9b11"
    assert first["root"] == str(workspace)
    assert first["process"]["pid"] == os.getpid()
    assert "packages" in first["environment"]
    assert told["description"] == "try"
    assert told["parameters"] == {"rate": "0.5"}
    assert told["labels"] == {"stage": "dev"}
    assert told["input"] == ["data.csv"]
    assert told["types"]["parameters"] == {"rate": "float"}
    assert points["loss"] == [(step, 1 / (step + 1)) for step in range(5)]
    assert str(points["bad"][0][1]) == "nan"
    # while the program waits in something else
    session.metric("loss", 0.01, step=9)
    session.param("late", "x")
    wait(lambda: len(merged(path)[2]["loss"]) == 6)
    first, told, points = merged(path)
    assert points["loss"][-1] == (9, 0.01)
    assert told["parameters"] == {"rate": "0.5", "late": "x"}
    assert told["summary"]["loss"] == "0.01"
    # each point once
    assert len(points["loss"]) == 6
    publish()
    assert publish.all[0][0] == path.stem
    assert files(workspace) == []
    assert [record["id"] for record in spooled(workspace)] == [path.stem]


def test_a_run_that_is_published_at_once_leaves_no_trace(session, workspace, publish):
    for _ in range(3):
        session.start()
        session.metric("a", 1)
        publish()
    assert not (workspace / ".dotscience" / "live").exists() or files(workspace) == []
    assert len({run_id for run_id, _ in publish.all}) == 3


def test_publishing_again_is_a_run_of_its_own(session, workspace, publish):
    session.start()
    session.param("a", 1)
    (path,) = wait(lambda: files(workspace))
    publish()
    session.param("b", 2)
    (again,) = wait(lambda: files(workspace))
    assert again.stem != path.stem
    wait(lambda: merged(again)[1]["parameters"] == {"a": "1", "b": "2"})
    publish()
    assert [run_id for run_id, _ in publish.all] == [path.stem, again.stem]
    publish()  # nothing new was recorded
    assert len({run_id for run_id, _ in publish.all}) == 3


def test_a_run_that_is_dropped_goes_away(session, workspace):
    session.start("first")
    session.param("a", 1)
    (first,) = wait(lambda: files(workspace))
    session.start("second")
    session.param("a", 2)
    (second,) = wait(lambda: [path for path in files(workspace) if path != first])
    wait(lambda: files(workspace) == [second])


def test_with_blocks_and_threads_have_files_of_their_own(session, workspace):
    import threading

    inside = threading.Event()
    seen = threading.Event()

    def work():
        session.start("in a thread")
        session.metric("loss", 2.0, step=1)
        inside.set()
        seen.wait(30)
        session.publish(stream=io.StringIO())

    thread = threading.Thread(target=work)
    thread.start()
    with session.run("block", stream=io.StringIO()):
        session.metric("loss", 1.0, step=1)
        assert inside.wait(30)
        wait(lambda: len(files(workspace)) == 2)
        wait(lambda: all(len(lines(path)) > 1 for path in files(workspace)))
        told = {merged(path)[1]["description"]: merged(path)[2] for path in files(workspace)}
        assert told == {"block": {"loss": [(1, 1.0)]}, "in a thread": {"loss": [(1, 2.0)]}}
        seen.set()
        thread.join()
    assert files(workspace) == []


def test_our_own_files_are_none_of_the_runs(session, workspace, publish):
    session.start()
    session.metric("loss", 1.0, step=1)
    wait(lambda: files(workspace))
    Path("result.csv").write_text("1")
    publish()
    (record,) = spooled(workspace)
    assert record["observed"] == {"input": [], "output": ["result.csv"]}


def test_it_can_be_switched_off(session, workspace, publish, monkeypatch):
    monkeypatch.setenv("DOTSCIENCE_LIVE", "0")
    session.start()
    session.metric("loss", 1.0, step=1)
    assert all(live.ended for live in _live._State.lives)
    publish()
    assert files(workspace) == []
    assert len(spooled(workspace)) == 1


def test_without_a_workspace_nothing_is_written(session, folder, publish):
    session.start()
    session.param("a", 1)
    wait(lambda: all(live.ended for live in _live._State.lives))
    publish()
    assert list(folder.iterdir()) == []


def test_very_many_points_are_told_in_pieces(session, workspace, monkeypatch):
    monkeypatch.setattr(_live, "MOST_POINTS", 1000)
    session.start()
    for step in range(3500):
        session.metric("loss", float(step), step=step)
    (path,) = wait(lambda: files(workspace))
    wait(lambda: len(merged(path)[2].get("loss", ())) == 3500)
    assert (
        max(each["count"] for line in lines(path)[1:] for each in line["series"].values()) == 1000
    )
    assert merged(path)[2]["loss"] == [(step, float(step)) for step in range(3500)]


@pytest.mark.parametrize("kind", ["read-only", "a file", "a link"])
def test_what_cannot_be_written_does_no_harm(session, workspace, publish, kind, tmp_path):
    place = workspace / ".dotscience" / "live"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "a file":
        place.write_text("")
    elif kind == "a link":
        place.symlink_to(elsewhere)
    elif os.geteuid() == 0:
        # nothing is forbidden to root, but for what is no folder
        place.symlink_to("/proc/self")
    else:
        (workspace / ".dotscience").chmod(0o500)
    session.start("it works")
    session.metric("a", 1.0, step=1)
    wait(lambda: all(live.ended for live in _live._State.lives))
    session.metric("a", 2.0, step=2)
    assert publish()["summary"] == {"a": "2.0"}
    assert list(elsewhere.iterdir()) == []
    (workspace / ".dotscience").chmod(0o700)


def test_the_folder_is_removed_meanwhile(session, workspace, publish):
    import shutil

    session.start()
    session.metric("a", 1.0, step=1)
    wait(lambda: files(workspace))
    shutil.rmtree(workspace / ".dotscience" / "live")
    session.metric("a", 2.0, step=2)
    wait(lambda: all(live.ended for live in _live._State.lives))
    assert publish()["summary"] == {"a": "2.0"}


def test_a_process_that_is_killed_leaves_its_run(workspace):
    Path("script.py").write_text(
        "import dotscience as ds, time\n"
        "ds.start('killed')\n"
        "for n in range(10): ds.metric('loss', n / 2, step=n)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "script.py"], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert process.stdout.readline() == "ready\n"
        (path,) = wait(lambda: files(workspace))
        wait(lambda: len(lines(path)) > 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    first, told, points = merged(path)
    assert first["process"]["pid"] == process.pid
    assert first["source"] == {"kind": "script", "path": str(workspace / "script.py")}
    assert points["loss"] == [(n, n / 2) for n in range(10)]


def test_what_was_recorded_last_is_told_at_the_end_of_the_program(workspace):
    run_python(
        "import dotscience as ds, time, os\n"
        "ds.start('never published')\n"
        "while not os.path.isdir('.dotscience/live') or not os.listdir('.dotscience/live'):\n"
        "    time.sleep(0.01)\n"
        "ds.metric('loss', 7.0, step=7)\n"
    )
    (path,) = files(workspace)
    assert merged(path)[2]["loss"] == [(7, 7.0)]


def test_a_program_that_started_and_recorded_nothing_leaves_nothing(workspace):
    run_python(
        "import dotscience as ds, time, os\n"
        "ds.start()\n"
        "while not os.path.isdir('.dotscience/live') or not os.listdir('.dotscience/live'):\n"
        "    time.sleep(0.01)\n"
    )
    assert files(workspace) == []


def test_a_program_that_ends_at_once_is_not_held_up(workspace):
    begin = time.monotonic()
    done = run_python("import dotscience as ds\nds.start('x')\nds.param('a', 1)\n")
    assert time.monotonic() - begin < 30
    assert done.stderr == ""
    assert files(workspace) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_children_neither_touch_nor_end_the_run_of_their_parent(workspace):
    done = run_python(
        "import dotscience as ds, os, sys, time\n"
        "live = '.dotscience/live'\n"
        "def names(): return sorted(os.listdir(live)) if os.path.isdir(live) else []\n"
        "ds.start('parent')\n"
        "ds.param('who', 'parent')\n"
        "while not names(): time.sleep(0.01)\n"
        "before = names()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    ds.publish('from the child', stream=open(os.devnull, 'w'))\n"
        "    ds.start('of the child')\n"
        "    ds.param('who', 'child')\n"
        "    while len(names()) < 2: time.sleep(0.01)\n"
        "    ds.publish(stream=open(os.devnull, 'w'))\n"
        "    os._exit(0 if names() == before else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert names() == before\n"
        "ds.publish()\n"
        "assert names() == []\n"
    )
    ((run_id, _),) = parse(done.stdout)
    records = {record["run"]["description"]: record["id"] for record in spooled(workspace)}
    assert set(records) == {"from the child", "of the child", "parent"}
    assert records["parent"] == run_id
    assert len(set(records.values())) == 3


def test_a_run_can_still_be_copied(session, workspace):
    import copy

    session.start("original")
    session.metric("loss", 1.0, step=1)
    assert copy.copy(session._defaultDS.currentRun)._description == "original"


def test_in_a_kernel_the_cell_is_the_one_that_started(workspace):
    from ds_helpers import Kernel

    with Kernel(workspace) as kernel:
        kernel("import dotscience as ds\nds.start('under way')\nds.param('a', 1)", cell_id="first")
        (path,) = wait(lambda: files(workspace))
        kernel("ds.metric('loss', 0.5, step=1)")
        wait(lambda: merged(path)[2].get("loss") == [(1, 0.5)])
        first, told, _ = merged(path)
        assert first["source"]["kind"] == "notebook"
        assert first["source"]["cell_id"] == "first"
        assert told["parameters"] == {"a": "1"}
        cell = kernel("ds.publish()")
        assert parse(printed(cell))[0][0] == path.stem
        assert files(workspace) == []
