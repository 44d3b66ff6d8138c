# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs in saved notebooks, in every state that a notebook may be in."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from committer_world import (
    World,
    display,
    new_id,
    notebook,
    packed,
    run_record,
    run_text,
    stream,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.committer import notebooks, reading, scan_notebook
from dotscience_jupyter.records import Workspace


def test_a_run_is_found_and_recorded(world: World) -> None:
    run_id = new_id()
    world.write("data.csv", "1,2\n")
    world.write("model.bin", "weights")
    record = run_record(
        run_id,
        world.root,
        {
            "workspace": world.workspace.id,
            "types": {"summary": {"accuracy": "float"}, "parameters": {"n": "int"}},
            "series": {"loss": {"count": 3, "last": 0.1}},
            "environment": {"python": {"version": "3.11.7"}},
            "seeds": {"torch": 42},
            "source": {
                "kind": "notebook",
                "path": "train.ipynb",
                "cell_id": "cell-1",
                "execution_count": 7,
            },
            "reduced": True,
        },
    )
    text = run_text(
        run_id,
        input=["data.csv"],
        output=["model.bin"],
        summary={"accuracy": "0.9"},
        parameters={"n": "5"},
        labels={"k": "v"},
        description="Trained",
        start="20260101T000000.000000",
        end="20260101T000001.500000",
    )
    world.save("train.ipynb", [stream("hello\n")], [stream(text), display(record)])
    done = world.scan()
    assert done.runs == [run_id]
    assert done.errors == []
    assert [commit.type for commit in done.commits] == ["dotscience.initial", "dotscience.run.v1"]
    run = world.run(run_id)
    assert (run.description, run.author, run.workload_type) == ("Trained", "Ada", "jupyter")
    assert (run.workload_file, run.seconds, run.authority) == ("train.ipynb", 1.5, "workload")
    values = {(value.kind, value.name): (value.text, value.type) for value in run.values}
    assert values == {
        ("metric", "accuracy"): ("0.9", "float"),
        ("parameter", "n"): ("5", "int"),
        ("label", "k"): ("v", "str"),
    }
    assert run.details["cell"] == {"id": "cell-1", "index": 1, "execution_count": 7}
    assert run.details["seeds"] == {"torch": 42}
    assert run.environment.document == {"python": {"version": "3.11.7"}}
    data, model = world.files(run_id, "input")["data.csv"], world.files(run_id, "output")
    entry = world.engine.entry(done.commits[1].snapshot, "data.csv")
    assert (data.digest, data.size, data.version) == (entry.digest, 4, done.commits[0].id)
    assert model["model.bin"].size == 7
    assert world.events == ["committing", "committed"]
    # an unchanged notebook is not even read again, once its time cannot be another save's
    time.sleep(0.03)
    assert world.scan().commits == []
    assert world.committer.looked_at("train.ipynb")
    assert world.events == ["committing", "committed"]


def test_several_runs_in_one_save_and_old_outputs_kept(world: World) -> None:
    first, second, third = new_id(), new_id(), new_id()
    world.save("n.ipynb", [stream(run_text(first) + run_text(second))])
    assert set(world.scan().runs) == {first, second}
    world.save("n.ipynb", [stream(run_text(first) + run_text(second))], [stream(run_text(third))])
    assert world.scan("n.ipynb").runs == [third]
    world.save("n.ipynb", [stream(run_text(first))])
    assert world.scan("n.ipynb").runs == []
    assert sorted(world.ids()) == sorted([first, second, third])
    assert world.records.runs_by_notebook() == {"n.ipynb": 3}


def test_renamed_and_copied_notebooks_bring_no_runs(world: World) -> None:
    run_id = new_id()
    world.save("a.ipynb", [stream(run_text(run_id))])
    world.scan()
    shutil.copy(world.root / "a.ipynb", world.root / "copy.ipynb")
    (world.root / "a.ipynb").rename(world.root / "renamed.ipynb")
    assert world.scan().commits == []
    fresh = new_id()
    world.save("copy.ipynb", [stream(run_text(run_id))], [stream(run_text(fresh))])
    assert fresh in world.scan("copy.ipynb").runs
    assert sorted(world.ids()) == sorted([run_id, fresh])


def test_a_notebook_from_another_workspace_brings_no_runs(world: World) -> None:
    theirs, ours, unknown = new_id(), new_id(), new_id()
    cells = [
        [stream(run_text(run_id)), display(run_record(run_id, world.root, {"workspace": of}))]
        for run_id, of in (
            (theirs, "3c2f1f3e-0000-4000-8000-000000000000"),
            (ours, world.workspace.id),
            (unknown, None),
        )
    ]
    world.save("from-elsewhere.ipynb", *cells)
    assert sorted(world.scan().runs) == sorted([ours, unknown])


def test_text_that_the_kernel_cut_into_outputs(world: World) -> None:
    run_id = new_id()
    text = run_text(run_id, description="cut")
    parts = [text[:10], text[10:40], text[40:]]
    world.save(
        "n.ipynb",
        [stream(parts[0]), stream("warning\n", "stderr"), stream(parts[1]), stream(parts[2])],
    )
    assert world.scan().runs == [run_id]


def test_format_3_and_text_in_one_piece(world: World) -> None:
    run_id = new_id()
    document = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "prompt_number": 4,
                        "outputs": [
                            {"output_type": "stream", "stream": "stdout", "text": run_text(run_id)}
                        ],
                    }
                ]
            }
        ],
    }
    world.write("old.ipynb", json.dumps(document))
    assert world.scan().runs == [run_id]
    assert world.run(run_id).details["cell"]["execution_count"] == 4


def test_a_broken_run_is_reported_with_notebook_and_cell(world: World) -> None:
    good = new_id()
    world.save(
        "folder/n.ipynb",
        [stream("fine")],
        [stream("[[DOTSCIENCE-RUN:bad]]{oops[[/DOTSCIENCE-RUN:bad]]\n" + run_text(good))],
    )
    done = world.scan()
    assert done.runs == [good]
    assert [(error.type, error.notebook, error.cell) for error in done.errors] == [
        ("json", "folder/n.ipynb", 1)
    ]
    assert "Run bad" in done.errors[0].message
    status = world.committer.status()
    assert status.state == "error"
    assert status.errors == done.errors
    assert "error" in world.events
    # it stays until the notebook is mended
    assert world.scan().errors == done.errors
    world.save("folder/n.ipynb", [stream("fine")], [stream(run_text(good))])
    assert world.scan("folder/n.ipynb").errors == []
    assert world.committer.status().state != "error"


def test_an_unreadable_notebook_is_reported_and_hidden_once_it_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotscience_jupyter.committer.committer._PAUSES", (0.001,))
    good, later = new_id(), new_id()
    whole = json.dumps(notebook([stream(run_text(later))]))
    world.write("broken.ipynb", whole[:-30])
    world.save("good.ipynb", [stream(run_text(good))])
    done = world.scan()
    assert done.runs == [good]
    assert [(error.type, error.notebook, error.cell) for error in done.errors] == [
        ("json", "broken.ipynb", None)
    ]
    world.write("broken.ipynb", whole)
    done = world.scan("broken.ipynb")
    assert done.runs == [later]
    assert done.errors == []


def test_errors_of_a_deleted_notebook_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotscience_jupyter.committer.committer._PAUSES", (0.001,))
    world.write("broken.ipynb", "DOTSCIENCE-RUN:")
    assert len(world.scan().errors) == 1
    (world.root / "broken.ipynb").unlink()
    assert world.scan("broken.ipynb").errors == []


def test_a_notebook_that_is_being_written(world: World) -> None:
    waiting, late = new_id(), new_id()
    whole = json.dumps(notebook([stream(run_text(late))])).encode()
    world.write("slow.ipynb", whole[: len(whole) // 2])
    world.save("ready.ipynb", [stream(run_text(waiting))])
    recorded_first: list[list[str]] = []

    def finish() -> None:
        deadline = time.monotonic() + 20
        while not world.ids() and time.monotonic() < deadline:
            time.sleep(0.005)
        recorded_first.append(world.ids())
        with open(world.root / "slow.ipynb", "ab") as file:
            file.write(whole[len(whole) // 2 :])

    writer = threading.Thread(target=finish)
    writer.start()
    done = world.scan()
    writer.join()
    # what could be read did not wait for what could not
    assert recorded_first == [[waiting]]
    if late not in done.runs:  # a very slow writer: the next event brings it
        done.add(world.scan("slow.ipynb"))
    assert done.runs[:2] == [waiting, late]


def test_a_change_while_reading_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = new_id(), new_id()
    path = world.save("n.ipynb", [stream(run_text(first))])
    real = notebooks._ids
    calls: list[str] = []

    def meddle(full: str, stamp: reading.Stamp) -> Any:
        calls.append(full)
        if len(calls) == 1:
            world.save("n.ipynb", [stream(run_text(first))], [stream(run_text(second))])
        return real(full, stamp)

    monkeypatch.setattr(notebooks, "_ids", meddle)
    assert set(world.scan().runs) == {first, second}
    assert len(calls) == 2
    assert calls[0] == str(path)


def test_two_saves_within_one_tick_of_the_clock(world: World) -> None:
    """Equal length and equal time: a notebook saved just now is not trusted to be the same."""
    first, second = new_id(), new_id()
    path = world.save("n.ipynb", [stream(run_text(first))])
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    world.scan()
    path.write_bytes(path.read_bytes().replace(first.encode(), second.encode()))
    os.utime(path, ns=(now, now))
    seen = world.committer._notebooks._seen["n.ipynb"]
    if seen.racy:  # it was scanned within the tick
        assert second in world.scan("n.ipynb").runs


def test_ignored_and_nested_notebooks_are_left_alone(world: World) -> None:
    for path in (
        ".ipynb_checkpoints/n-checkpoint.ipynb",
        ".venv/n.ipynb",
        ".~n.ipynb",
        "ignored/n.ipynb",
        "inner/n.ipynb",
        "inner/deeper/n.ipynb",
    ):
        world.save(path, [stream(run_text(new_id()))])
    world.write(".dotscienceignore", "ignored/\n")
    Workspace.create(world.root / "inner")
    assert world.scan().runs == []
    assert world.scan("inner/deeper/n.ipynb", "ignored/n.ipynb", "../n.ipynb").runs == []


def test_what_is_no_regular_file_is_not_opened(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside.ipynb"
    outside.write_text(json.dumps(notebook([stream(run_text(new_id()))])))
    os.mkfifo(world.root / "fifo.ipynb")
    (world.root / "link.ipynb").symlink_to(outside)
    (world.root / "folder.ipynb").mkdir()
    done = world.scan()
    assert (done.runs, done.errors) == ([], [])
    assert world.scan("fifo.ipynb", "link.ipynb", "folder.ipynb", "gone.ipynb").runs == []


def test_a_notebook_that_may_not_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = new_id()
    world.save("secret.ipynb", [stream(run_text(run_id))])

    def refuse(path: str) -> int:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(notebooks, "open_regular", refuse)
        errors = world.scan().errors
    assert [(error.type, error.notebook) for error in errors] == [("json", "secret.ipynb")]
    assert "because Permission denied" in errors[0].message
    # permissions change without the file changing
    done = world.scan("secret.ipynb")
    assert (done.runs, done.errors) == ([run_id], [])


def test_odd_names(world: World) -> None:
    run_ids = {
        name: new_id()
        for name in ("a b\n.ipynb", "ünï.ipynb", "back\\slash.ipynb", "b\udcff.ipynb")
    }
    for name, run_id in run_ids.items():
        world.save(name, [stream(run_text(run_id))])
    assert set(world.scan().runs) == set(run_ids.values())
    assert world.run(run_ids["b\udcff.ipynb"]).workload_file == "b\\xff.ipynb"
    assert world.run(run_ids["back\\slash.ipynb"]).workload_file == "back\\\\slash.ipynb"


def test_a_notebook_above_a_megabyte_is_parsed_by_a_child(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "IN_THREAD", 1000)
    monkeypatch.setattr("dotscience_jupyter.committer.committer._PAUSES", (0.001,))
    run_id = new_id()
    record = run_record(run_id, world.root, {"seeds": {"a": 1}})
    world.save("big.ipynb", [stream("x" * 2000 + run_text(run_id)), display(record)])
    monkeypatch.setattr(json, "loads", _small_only(json.loads))
    done = world.scan()
    assert (done.runs, done.errors) == ([run_id], [])
    assert world.run(run_id).details["seeds"] == {"a": 1}
    world.write("broken.ipynb", '{"cells": [[[' + " " * 2000 + "DOTSCIENCE-RUN:")
    world.write("no.ipynb", '["DOTSCIENCE-RUN:"' + " " * 2000 + "]")
    errors = {error.notebook: error.message for error in world.scan().errors}
    assert "it is not a notebook" in errors["no.ipynb"]
    assert "Expecting" in errors["broken.ipynb"]


def _small_only(real: Any) -> Any:
    def loads(text: Any, *arguments: Any, **options: Any) -> Any:
        assert len(text) < 2000, "a big document was decoded in the server's process"
        return real(text, *arguments, **options)

    return loads


def test_a_child_that_hangs_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = world.root.parent / "hanging.py"
    hanging.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(reading, "IN_THREAD", 10)
    monkeypatch.setattr(reading, "TIMEOUT", 0.2)
    monkeypatch.setattr(scan_notebook, "__file__", str(hanging))
    monkeypatch.setattr("dotscience_jupyter.committer.committer._PAUSES", ())
    world.save("n.ipynb", [stream(run_text(new_id()))])
    begin = time.monotonic()
    errors = world.scan().errors
    assert time.monotonic() - begin < 20
    assert "took more than" in errors[0].message


@pytest.mark.slow
def test_a_hundred_megabytes_of_images(world: World) -> None:
    first, second = new_id(), new_id()
    image = {
        "output_type": "display_data",
        "data": {"image/png": "iVBORw0KGgo" * (1_000_000 // 11)},
        "metadata": {},
    }
    world.write(".dotscienceignore", "big.ipynb.txt\n")
    cells: list[list[dict[str, Any]]] = [[image] for _ in range(105)]
    path = world.save("big.ipynb", [stream(run_text(first))], *cells, [stream(run_text(second))])
    assert path.stat().st_size > 100_000_000
    done = world.scan()
    assert set(done.runs) == {first, second}
    assert done.errors == []
    assert world.run(second).details["cell"]["index"] == 106
    # nothing new in it: the bytes are searched, no JSON is decoded
    os.utime(path)
    begin = time.perf_counter()
    assert world.scan("big.ipynb").runs == []
    assert time.perf_counter() - begin < 2


def test_markers_are_found_wherever_reads_cut(tmp_path: Path) -> None:
    wanted = new_id()
    marker = f"[[DOTSCIENCE-RUN:{wanted}]]".encode()
    path = tmp_path / "x"
    real = notebooks._CHUNK
    try:
        for chunk in (7, 64, 100, 101, 150, 4096):
            notebooks._CHUNK = chunk
            for before in range(0, 300, 7):
                path.write_bytes(b"-" * before + marker + b"-" * 250)
                stamp = reading.stamp_of(str(path))
                assert stamp is not None
                assert notebooks._ids(str(path), stamp) == {wanted}
            path.write_bytes(b"-" * 500 + b"[[DOTSCIENCE-RUN:..." + b"-" * 500)
            stamp = reading.stamp_of(str(path))
            assert stamp is not None
            assert notebooks._ids(str(path), stamp) is None
    finally:
        notebooks._CHUNK = real


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
OUTPUT = st.one_of(
    JSON,
    st.fixed_dictionaries({"output_type": st.just("stream"), "text": JSON}),
    st.fixed_dictionaries(
        {
            "output_type": st.just("display_data"),
            "data": st.fixed_dictionaries({"application/vnd.dotscience.run.v1+json": JSON}),
        }
    ),
)
CELL = st.one_of(JSON, st.fixed_dictionaries({"outputs": JSON | st.lists(OUTPUT, max_size=4)}))


@given(st.lists(CELL, max_size=4))
@settings(max_examples=200)
def test_any_notebook_can_be_looked_at(cells: list[Any]) -> None:
    run_id = new_id()
    cells.append({"outputs": [stream(run_text(run_id))]})
    found = scan_notebook.extract({"cells": cells})
    assert any(run_id in cell["text"] for cell in found)
    json.dumps(found)


@given(cells=st.lists(CELL, max_size=3))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_notebook_beside_a_good_one(world: World, cells: list[Any]) -> None:
    run_id = new_id()
    world.write("wild.ipynb", json.dumps({"cells": cells}))
    world.save("good.ipynb", [stream(run_text(run_id))])
    assert run_id in world.scan("wild.ipynb", "good.ipynb").runs


def test_a_reduced_record_needs_no_arrays_but_may_not_lie(world: World) -> None:
    run_id = new_id()
    record = run_record(
        run_id, world.root, {"series": {"loss": {"count": 1, "steps": packed(0.0), "bytes": [8]}}}
    )
    world.save("n.ipynb", [stream(run_text(run_id)), display(record)])
    assert world.scan().runs == [run_id]
    assert world.run(run_id).series == []


def test_a_script_that_a_cell_started(world: World) -> None:
    """``!python train.py``: its text is in the notebook, its record in the spool."""
    first, second = new_id(), new_id()
    world.write("train.py")
    told = {"workload-file": "train.py"}
    world.spool(run_record(first, world.root, {"source": {"kind": "script"}}, **told))
    world.save("n.ipynb", [stream(run_text(first, **told))], [stream(run_text(second, **told))])
    assert set(world.scan().runs) == {first, second}
    for run_id in (first, second):
        run = world.run(run_id)
        assert (run.workload_type, run.workload_file) == ("command", "train.py")
        assert run.details["cell"]["index"] in (0, 1)
    assert world.corrections() == []
