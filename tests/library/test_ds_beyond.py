# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the original had not: series, types, kinds of models, with blocks, threads and tasks."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np
import pytest
from ds_helpers import module, parse, spooled
from hypothesis import given
from hypothesis import strategies as st

import dotscience
from dotscience._values import Series, kind_of


def decoded(series):
    columns = []
    for key in ("steps", "values", "times"):
        data = base64.b64decode(series[key])
        columns.append(list(struct.unpack(f"<{len(data) // 8}d", data)))
    return columns


# values


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (3, "int"),
        (0.5, "float"),
        (float("nan"), "float"),
        (None, "none"),
        ("3", "str"),
        ("True", "str"),
        (np.float64(0.5), "float"),
        (np.float32(0.1), "float"),
        (np.int64(3), "int"),
        (np.bool_(True), "bool"),
        (np.array([1.0]), "str"),
        (Decimal("0.10"), "float"),
        (Fraction(1, 3), "str"),
        ([1], "str"),
        (object(), "str"),
    ],
)
def test_kinds(value, kind):
    assert kind_of(value, str(value)) == kind


def test_types_follow_the_last_value(session, publish, workspace, monkeypatch):
    monkeypatch.setattr(session, "_defaultDS", session.Dotscience())
    session.start()
    session.param("a", 1)
    session.param("a", "one")
    session.param("b", "x")
    session.param("b", 2.0)
    session.label("l", 1)
    session.metric("m", "x")
    session.metric("m", True)
    publish()
    (record,) = spooled(workspace)
    assert record["types"] == {
        "parameters": {"b": "float"},
        "labels": {"l": "int"},
        "summary": {"m": "bool"},
    }


# series


def test_a_series_and_its_final_value(session, publish, workspace, monkeypatch):
    monkeypatch.setattr(session, "_defaultDS", session.Dotscience())
    session.start()
    for step in range(1000):
        assert session.metric("loss", 1 / (step + 1), step=step) == 1 / (step + 1)
    session.add_metric("accuracy", np.float32(0.25), step=0)
    session.metric("plain", 1)
    assert publish()["summary"] == {"loss": "0.001", "accuracy": "0.25", "plain": "1"}
    (record,) = spooled(workspace)
    assert sorted(record["series"]) == ["accuracy", "loss"]
    loss = record["series"]["loss"]
    steps, values, times = decoded(loss)
    assert loss["count"] == len(times) == 1000
    assert steps == list(range(1000))
    assert values == [1 / (step + 1) for step in range(1000)]
    assert times == sorted(times) and times[0] > 1e9
    assert record["types"]["summary"] == {"loss": "float", "accuracy": "float", "plain": "int"}


def test_without_steps_there_is_no_series(session, publish, workspace, monkeypatch):
    monkeypatch.setattr(session, "_defaultDS", session.Dotscience())
    session.start()
    for value in range(3):
        session.metric("loss", value)
    assert publish()["summary"] == {"loss": "2"}
    assert "series" not in spooled(workspace)[0]


def test_a_value_without_a_step_is_the_final_one(session, publish):
    session.start()
    session.metric("loss", 0.5, step=1)
    session.metric("loss", "gave up")
    assert publish()["summary"] == {"loss": "gave up"}


def test_start_clears_series(session, publish):
    session.start()
    session.metric("loss", 0.5, step=1)
    session.start()
    assert publish()["summary"] == {}


@pytest.mark.parametrize(("value", "step"), [("high", 1), (None, 1), (0.5, "last"), ([1, 2], 0)])
def test_points_that_are_no_numbers(session, publish, value, step):
    session.start()
    session.metric("loss", 0.25, step=0)
    with pytest.raises(TypeError, match="'loss'"):
        session.metric("loss", value, step=step)
    assert publish()["summary"] == {"loss": "0.25"}
    assert len(session._defaultDS.currentRun.series()["loss"]) == 1


class Tensor:
    """A number that changes in place, as tensors do."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


def test_the_final_value_is_what_it_was_when_it_was_recorded(session, publish):
    session.start()
    tensor, array = Tensor(0.5), np.array(0.75)
    session.metric("tensor", tensor, step=1)
    session.metric("array", array, step=1)
    tensor.value = 9.0
    array[...] = 9.0
    assert publish()["summary"] == {"tensor": "0.5", "array": "0.75"}


@given(
    st.lists(st.tuples(st.floats(width=64), st.integers(-(2**53), 2**53)), min_size=1, max_size=50)
)
def test_series_keep_every_bit(points):
    series = Series("x")
    for value, step in points:
        series.add(value, step)
    steps, values, _times = decoded(series.encoded())
    assert steps == [step for _, step in points]
    assert struct.pack(f"{len(values)}d", *values) == struct.pack(
        f"{len(points)}d", *(value for value, _ in points)
    )


def test_points_of_threads_do_not_tear(session):
    session.start()

    def record(thread):
        for number in range(2000):
            session.metric("shared", thread * 10_000 + number, step=thread * 10_000 + number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(4)))
    series = session._defaultDS.currentRun.series()["shared"].encoded()
    steps, values, _times = decoded(series)
    assert len(steps) == 8000 and steps == values


# files and models


def test_paths_may_be_any_path(session, publish, folder):
    session.start()
    path = PurePosixPath("data/a.csv")
    assert session.input(path) is path
    session.add_output(b"out/\xff.bin")
    session.add_output(folder / "c.txt")
    assert session.model("generic", "m", PurePosixPath("m.bin")) == PurePosixPath("m.bin")
    run = publish()
    assert run["input"] == ["data/a.csv"]
    assert run["output"] == sorted(["c.txt", "m.bin", "out/\udcff.bin"])


@pytest.mark.parametrize(
    "name", ["sklearn", "tensorflow", "keras", "torch", "xgboost", "lightgbm", "onnx"]
)
def test_kinds_of_models(session, publish, name):
    session.start()
    session.model(module(name, "7.1"), "m", "file")
    label = json.loads(publish()["labels"]["artefact:m"])
    assert label == {"files": {"model": "file"}, "type": f"{name}-model", "version": "7.1"}


def test_parts_of_libraries_are_the_library(session, publish, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", module("keras", "3.5"))
    session.start()
    session.model(module("keras.api._v2.keras", None), "m", "file")
    label = json.loads(publish()["labels"]["artefact:m"])
    assert (label["type"], label["version"]) == ("keras-model", "3.5")


@pytest.mark.parametrize(
    ("kind", "options", "version"),
    [("generic", {}, ""), ("mlpackage", {"version": "1.2"}, "1.2"), ("a b", {"version": 3}, "3")],
)
def test_other_kinds_are_asked_for_by_name(session, publish, kind, options, version):
    session.start()
    session.model(kind, "m", "file", classes="c.json", **options)
    label = json.loads(publish()["labels"]["artefact:m"])
    assert (label["type"], label["version"]) == (f"{kind}-model", version)
    assert label["files"] == {"model": "file", "classes": "c.json"}


# with blocks


def test_with_publishes_at_its_end(session, publish):
    with session.run("tiny", stream=publish.stream) as run:
        session.param("a", 1)
        run.metric("b", 2)
        assert session._defaultDS.currentRun is run and run.id is None
        assert publish.all == []
    assert session._defaultDS.currentRun is None
    ((run_id, tiny),) = publish.all
    assert run_id == run.id
    assert (tiny["description"], tiny["parameters"]) == ("tiny", {"a": "1"})
    assert tiny["summary"] == {"b": "2"} and "error" not in tiny


class CustomError(Exception):
    pass


def test_with_publishes_a_failure_and_lets_it_pass(session, publish, workspace, monkeypatch):
    monkeypatch.setattr(session, "_defaultDS", session.Dotscience())
    error = CustomError("two\nlines")
    with pytest.raises(CustomError) as raised, session.run("x", stream=publish.stream):
        session.metric("a", 1)
        raise error
    assert raised.value is error
    (run,) = [run for _, run in publish.all]
    assert run["error"] == f"{__name__}.CustomError: two\nlines" and run["summary"] == {"a": "1"}
    (record,) = spooled(workspace)
    here = raised.traceback[0].lineno + 1  # counted from 0
    assert record["traceback"] == (f"{__name__}.CustomError: two (test_ds_beyond.py, line {here})")


def test_what_the_program_said_of_its_failure_is_kept(session, publish):
    with pytest.raises(ValueError), session.run(stream=publish.stream):
        session.error("diverged")
        raise ValueError("nan")
    assert publish.last["error"] == "diverged"


@pytest.mark.parametrize(
    ("code", "error"), [(None, None), (0, None), (3, "SystemExit: 3"), ("no", "SystemExit: no")]
)
def test_sys_exit_in_a_with_block(session, publish, code, error):
    with pytest.raises(SystemExit), session.run(stream=publish.stream):
        sys.exit(code)
    assert publish.last.get("error") == error


def test_interrupts_are_failures(session, publish):
    with pytest.raises(KeyboardInterrupt), session.run(stream=publish.stream):
        raise KeyboardInterrupt
    assert publish.last["error"] == "KeyboardInterrupt"


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_errors_without_a_text(session, publish):
    with pytest.raises(Unprintable), session.run(stream=publish.stream):
        raise Unprintable
    assert "cannot be shown" in publish.last["error"]


def test_a_broken_stream_does_not_hide_the_programs_error(session, capsys):
    stream = io.StringIO()
    stream.close()
    with pytest.raises(ZeroDivisionError), session.run(stream=stream):
        raise ZeroDivisionError
    assert "could not be published" in capsys.readouterr().err


def test_published_inside_is_not_published_again(session, publish):
    with session.run(stream=publish.stream) as run:
        run.metric("a", 1)
        publish()
    assert len(publish.all) == 1


def test_published_inside_and_recorded_on_is_published_again(session, publish):
    with session.run(stream=publish.stream) as run:
        run.metric("a", 1, step=1)
        publish()
        run.metric("a", 1, step=2)
    assert len(publish.all) == 2
    assert "start" in publish.last and "end" in publish.last


def test_blocks_nest(session, publish):
    session.start("outside")
    with session.run("outer", stream=publish.stream):
        with session.run("inner", stream=publish.stream):
            session.metric("a", "inner")
        session.metric("a", "outer")
    session.metric("a", "outside")
    publish()
    assert [(run["description"], run["summary"]["a"]) for _, run in publish.all] == [
        ("inner", "inner"),
        ("outer", "outer"),
        ("outside", "outside"),
    ]


def test_start_inside_a_block_ends_with_it(session, publish):
    with session.run("outer", stream=publish.stream):
        session.start("old code")
        session.metric("a", 1)
        publish()
    assert [(run["description"], run["summary"]) for _, run in publish.all] == [
        ("old code", {"a": "1"}),
        ("outer", {}),
    ]
    assert session._defaultDS.currentRun is None


def test_a_run_has_one_block(session, publish):
    with session.run(stream=publish.stream) as run:
        pass
    with pytest.raises(RuntimeError, match="one with block"), run:
        pass
    assert len(publish.all) == 1


@pytest.mark.parametrize(
    "late",
    [
        lambda run: run.metric("late", 1),
        lambda run: run.metric("late", 1, step=1),
        lambda run: run.add_parameters(late=1),
        lambda run: run.label("late", 1),
        lambda run: run.input("late"),
        lambda run: run.output("late"),
        lambda run: run.error("late"),
        lambda run: run.description("late"),
        lambda run: run.model("generic", "late", "file"),
    ],
)
def test_what_is_recorded_too_late_is_said(session, publish, late):
    with session.run(stream=publish.stream) as run:
        late(run)
    with pytest.warns(UserWarning, match="in no run"):
        late(run)
    assert len(publish.all) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_run_to_its_parent(folder):
    from ds_helpers import run_python

    done = run_python(
        "import os, sys\nimport dotscience as ds\n"
        "with ds.run('parent'):\n"
        "    if os.fork() == 0:\n"
        "        raise ValueError('of the child')\n"
        "    os.wait()\n"
    )
    assert [run.get("error") for _, run in parse(done.stdout)] == [None]


# threads and tasks


def test_threads_that_start_do_not_mix(session, publish):
    session.start("main")
    barrier = threading.Barrier(3)

    def work(name):
        barrier.wait()
        session.start(name)
        for step in range(200):
            session.metric("who", name)
            session.metric("n", step, step=step)
        barrier.wait()
        session.publish(stream=publish.stream)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.metric("who", "main")
    publish()
    runs = [run for _, run in publish.all]
    assert sorted(run["description"] for run in runs) == ["main", "t0", "t1", "t2"]
    assert all(run["summary"]["who"] == run["description"] for run in runs)


def test_threads_that_do_not_start_share(session, publish):
    session.start("main")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: session.metric(n, n), range(5)))
    assert publish()["summary"] == {str(n): str(n) for n in range(5)}


def test_workers_of_a_block_record_into_it(session, publish):
    session.start("other")
    with session.run("block", stream=publish.stream), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: session.metric(n, n), range(5)))
    assert publish.last["summary"] == {str(n): str(n) for n in range(5)}
    assert publish()["summary"] == {}


def test_blocks_of_threads_do_not_mix(session, publish):
    barrier = threading.Barrier(2)

    def work(name):
        with session.run(name, stream=publish.stream):
            barrier.wait()
            session.metric("who", name)
            barrier.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ["a", "b"]))
    assert all(run["summary"]["who"] == run["description"] for _, run in publish.all)
    assert len(publish.all) == 2


def test_blocks_of_tasks_do_not_mix(session, publish):
    async def work(name, turns):
        with session.run(name, stream=publish.stream):
            for _ in range(turns):
                await asyncio.sleep(0)
            session.metric("who", name)
            await inner(name)

    async def inner(name):
        await asyncio.sleep(0)
        session.label("who", name)

    async def main():
        await asyncio.gather(*(work(f"t{n}", n * 2 % 5) for n in range(6)))

    asyncio.run(main())
    runs = [run for _, run in publish.all]
    assert len(runs) == 6
    for run in runs:
        assert run["summary"]["who"] == run["labels"]["who"] == run["description"]
    assert session._defaultDS._open == []


def test_two_threads_that_publish_one_run_make_two_ids(session):
    session.start()
    stream = io.StringIO()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: session.publish(stream=stream), range(40)))
    ids = [run_id for run_id, _ in parse(stream.getvalue())]
    assert len(ids) == len(set(ids)) == 40


def test_documented_examples(session):
    import doctest

    assert doctest.testmod(dotscience).failed == 0
