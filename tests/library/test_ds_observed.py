# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files that a run opens are remembered, cheaply, and nobody ever notices."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ds_helpers import execute, run_python, spooled

import dotscience as ds
from dotscience import _observed


@pytest.fixture
def watched(workspace, monkeypatch):
    """A fresh session in a workspace; gives the ``observed`` of the run that is published."""
    monkeypatch.setattr(ds, "_defaultDS", ds.Dotscience())
    monkeypatch.setattr(_observed._State, "enabled", True)
    (workspace / "data").mkdir()
    (workspace / "data" / "in.csv").write_text("a\n1\n")

    def publish():
        ds.publish(stream=io.StringIO())
        return spooled(workspace)[-1].get("observed")

    return publish


def test_what_is_read_and_written(watched, workspace):
    Path("early.txt").write_text("before the run")
    ds.start()
    Path("data/in.csv").read_text()
    (workspace / "model.bin").write_bytes(b"m")
    np.save("weights.npy", np.zeros(3))
    np.load("weights.npy")  # its own
    with open("log.txt", "a"):
        pass
    with open("data/in.csv", "rb"):
        pass
    found = watched()
    assert found == {
        "input": ["data/in.csv"],
        "output": ["log.txt", "model.bin", "weights.npy"],
    }
    # the public text stays what it was
    assert spooled(workspace)[-1]["run"]["input"] == []


def test_careful_writers_are_known_by_the_final_name(watched):
    ds.start()
    for rename in (os.rename, os.replace):
        Path("new.tmp").write_text("x")
        rename("new.tmp", f"{rename.__name__}.json")
    assert watched() == {"input": [], "output": ["rename.json", "replace.json"]}


def test_a_file_that_is_changed_in_place_is_both(watched):
    Path("table.bin").write_bytes(b"1234")
    ds.start()
    with open("table.bin", "r+b") as file:
        file.write(b"5")
    with open("fresh.bin", "w+b"):
        pass
    assert watched() == {"input": ["table.bin"], "output": ["fresh.bin", "table.bin"]}


def test_what_is_nobodys_data_is_left_out(watched, workspace, tmp_path):
    places = [
        ".hidden/x",
        ".dotscience/x",
        "env/lib/python3/site-packages/lib/x.json",
        "pkg.egg-info/PKG-INFO",
        "__pycache__/x.bin",
        "node_modules/x",
    ]
    for place in places:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_text("x")
    Path("helper.py").write_text("VALUE = 1\n")
    (tmp_path / "outside.csv").write_text("x")
    ds.start()
    for place in [*places, "helper.py", str(tmp_path / "outside.csv"), "../outside.csv"]:
        Path(place).read_text()
    for place in places:
        Path(place).write_text("y")
    os.close(os.open("data", os.O_RDONLY | os.O_DIRECTORY))
    assert watched() == {"input": [], "output": []}


def test_only_while_a_run_is_under_way(watched):
    ds.start()
    ds.end()
    Path("data/in.csv").read_text()
    assert watched() == {"input": [], "output": []}
    Path("data/in.csv").read_text()  # no run is under way
    ds.param("a", 1)
    assert watched() == {"input": [], "output": []}


def test_the_next_run_keeps_what_was_read_and_not_what_was_written(watched):
    ds.start()
    Path("data/in.csv").read_text()
    Path("one.txt").write_text("1")
    assert watched() == {"input": ["data/in.csv"], "output": ["one.txt"]}
    ds.param("again", 1)
    Path("two.txt").write_text("2")
    assert watched() == {"input": ["data/in.csv"], "output": ["two.txt"]}
    ds.start()
    assert watched() == {"input": [], "output": []}


def test_blocks_and_threads_see_their_own(watched, workspace):
    def work(name):
        with ds.run(name, stream=io.StringIO()):
            Path(f"{name}.txt").write_text(name)
            barrier.wait()

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {each["run"]["description"]: each["observed"]["output"] for each in spooled(workspace)}
    assert found == {"a": ["a.txt"], "b": ["b.txt"]}


def test_switching_off(watched, monkeypatch):
    ds.observe_files(False)
    ds.start()
    Path("data/in.csv").read_text()
    assert watched() is None
    ds.observe_files()
    monkeypatch.setenv("DOTSCIENCE_OBSERVE_FILES", "0")
    ds.start()
    assert watched() is None
    monkeypatch.setenv("DOTSCIENCE_OBSERVE_FILES", "1")
    ds.start()
    Path("data/in.csv").read_text()
    assert watched() == {"input": ["data/in.csv"], "output": []}


def test_a_thousand_files_at_most(watched):
    ds.start()
    for number in range(1010):
        Path(f"{number}.txt").write_text("x")
    assert len(watched()["output"]) == 1000


def test_odd_names_come_through(watched, workspace):
    name = os.fsdecode(b"\xff\n.csv")
    Path(name).write_text("x")
    ds.start()
    Path(name).read_text()
    with open(os.fsencode(name)):
        pass
    assert watched()["input"] == [name]


def test_the_hook_never_raises(watched, monkeypatch):
    ds.start()
    monkeypatch.setattr(_observed.Observed, "note", lambda *_, **__: 1 / 0)
    assert Path("data/in.csv").read_text() == "a\n1\n"
    _observed._hook("open", ("too few",))
    _observed._hook("os.rename", (object(), object(), -1, -1))


def test_it_costs_next_to_nothing(watched):
    ds.start()

    def per_call(action, count):
        best = float("inf")
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(count):
                action()
            best = min(best, (time.perf_counter() - begin) / count)
        return best

    hook = _observed._hook
    assert per_call(lambda: hook("import", ()), 20_000) < 1e-6
    # of files that are elsewhere, which are most of those that libraries open
    elsewhere = ("/usr/lib/python3/x.txt", "r", os.O_RDONLY)
    assert per_call(lambda: hook("open", elsewhere), 5_000) < 20e-6


def test_a_script_and_a_kernel(workspace):
    Path("in.txt").write_text("x")
    code = (
        "import dotscience as ds\nds.start()\nopen('in.txt').read()\n"
        "open('out.txt', 'w').write('y')\nds.publish()\n"
    )
    run_python(code)
    assert spooled(workspace)[-1]["observed"] == {"input": ["in.txt"], "output": ["out.txt"]}
    (cell,) = execute(workspace, code)
    assert spooled(workspace)[-1]["observed"] == {"input": ["in.txt"], "output": ["out.txt"]}
    # the notebook's own copy stays small
    assert "observed" not in json.dumps(cell.outputs)


def test_importing_the_library_installs_nothing(workspace):
    code = (
        "import sys\nadded = []\nsys.addaudithook, keep = added.append, sys.addaudithook\n"
        "import dotscience as ds\nassert not added\n"
        "ds.start(); ds.start()\nassert len(added) == 1\n"
    )
    assert run_python(code).returncode == 0
    assert sys.modules["dotscience"] is ds
