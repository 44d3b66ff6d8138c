# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs under way: reading what programs tell, noticing their end, recording what is left."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from committer_world import World, new_id, run_record
from test_committer_watcher import until, watched

import dotscience
from dotscience_jupyter.committer import LiveRun, Watcher, live
from dotscience_jupyter.committer.live import ENDED, LiveRuns


def facts(run_id: str, pid: int | None = None, **more: Any) -> dict[str, Any]:
    """What the first line of a file of this process holds."""
    boot, namespace = live._machine()
    process = {
        "pid": os.getpid() if pid is None else pid,
        "host": socket.gethostname(),
        "user": "ada",
        "boot": boot,
        "namespace": namespace,
        "started": live.process_started(os.getpid()),
    }
    first = {"format": 1, "id": run_id, "start": "20260101T000000.000000", "process": process}
    return {**first, **more}


def points(*triples: tuple[float, float, float]) -> dict[str, Any]:
    data = struct.pack(f"<{3 * len(triples)}d", *(number for each in triples for number in each))
    return {"count": len(triples), "data": base64.b64encode(data).decode()}


def tell(world: World, run_id: str, *lines: Any, end: str = "\n") -> Path:
    """Append lines to a run's file."""
    world.workspace.live.mkdir(exist_ok=True)
    path = world.workspace.live / f"{run_id}.jsonl"
    with path.open("a") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + end)
    return path


@pytest.fixture
def ended() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def only(world: World) -> LiveRun:
    (run,) = world.committer.live.look()
    return run


def test_what_is_told_is_read_as_it_grows(world: World) -> None:
    run_id = new_id()
    assert world.committer.live.look() == []
    tell(world, run_id, facts(run_id, root=str(world.root)))
    run = only(world)
    assert (run.id, run.running, run.author, run.description) == (run_id, True, "ada", "")
    assert run.start is not None
    assert run.start.isoformat() == "2026-01-01T00:00:00+00:00"
    tell(
        world,
        run_id,
        {"description": "a try", "parameters": {"lr": "0.1"}, "time": 1767225700.5},
        {"series": {"loss": points((0, 2, 10), (1, float("nan"), 11))}},
    )
    run = only(world)
    assert (run.description, run.parameters) == ("a try", {"lr": "0.1"})
    assert run.series["loss"][:4].tolist() == [0, 2, 10, 1]
    tell(world, run_id, {"parameters": {"depth": "3"}, "series": {"loss": points((2, 1, 12))}})
    run = only(world)
    assert run.parameters == {"lr": "0.1", "depth": "3"}
    assert run.series["loss"][6:].tolist() == [2, 1, 12]


def test_a_line_that_is_half_there_waits_for_its_rest(world: World) -> None:
    run_id = new_id()
    tell(world, run_id, facts(run_id))
    line = json.dumps({"parameters": {"lr": "0.1"}})
    tell(world, run_id, line[:9], end="")
    assert only(world).parameters == {}
    tell(world, run_id, line[9:])
    assert only(world).parameters == {"lr": "0.1"}


def test_a_file_that_was_written_anew(world: World) -> None:
    run_id = new_id()
    path = tell(world, run_id, facts(run_id), {"parameters": {"lr": "0.1", "long": "x" * 500}})
    assert only(world).parameters["lr"] == "0.1"
    path.unlink()
    assert world.committer.live.look() == []
    tell(world, run_id, facts(run_id), {"parameters": {"new": "1"}})
    assert only(world).parameters == {"new": "1"}


@pytest.mark.parametrize(
    "lines",
    [
        ["not json"],
        ["[]", "1", "null"],
        ["[" * 100_000],
        [{"format": 2, "id": "ID"}],
        [{"format": 1, "id": "another"}],
        [b"\xff\xfe".decode("latin-1")],
    ],
)
def test_what_is_no_run_is_none(world: World, lines: list[Any]) -> None:
    tell(world, "ID", *lines)
    assert world.committer.live.look() == []


def test_wild_lines_lose_what_is_wild_and_nothing_else(world: World) -> None:
    run_id = new_id()
    tell(
        world,
        run_id,
        facts(run_id, root="relative", workspace=7, source=[1], environment="x", start=True),
        {"parameters": {"a": 1, "b": "\x00\ud800", "c": ["x"]}, "labels": "none", "summary": None},
        {"types": {"parameters": {"b": "weird", "c": "int"}, "other": {}, "summary": 3}},
        {"input": "a.csv", "output": [1, "ok.csv"], "description": 5, "error": 3, "time": "now"},
        {"time": 1e300, "series": {"x": 1, "y": {"data": "!"}, "z": {"data": "AAAA"}, "w": {}}},
        "{torn",
        {"parameters": {"d": "whole"}, "series": {"loss": points((1, 2, 3))}},
    )
    run = only(world)
    assert run.parameters == {"b": "\\x00\\ud800", "d": "whole"}
    assert (run.root, run.workspace, run.source, run.environment, run.start) == (None,) * 2 + (
        {},
        None,
        None,
    )
    assert run.outputs == ["ok.csv"]
    assert (run.description, run.error) == ("", None)
    assert run.types == {"parameters": {"c": "int"}}
    assert run.series["loss"].tolist() == [1, 2, 3]
    assert abs(run.updated - time.time()) < 3600


def test_files_that_are_none_of_ours(world: World, tmp_path: Path) -> None:
    run_id = new_id()
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(facts(run_id)) + "\n")
    folder = world.workspace.live
    folder.mkdir()
    (folder / f"{run_id}.jsonl").symlink_to(secret)
    (folder / "no id!.jsonl").write_text(json.dumps(facts("no id!")) + "\n")
    (folder / f"{new_id()}.txt").write_text("x")
    (folder / f"{new_id()}.jsonl").mkdir()
    os.mkfifo(folder / f"{new_id()}.jsonl")
    assert world.committer.live.look() == []
    for entry in folder.iterdir():
        entry.rmdir() if entry.is_dir() else entry.unlink()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{run_id}.jsonl").write_text(json.dumps(facts(run_id)) + "\n")
    folder.symlink_to(tmp_path / "elsewhere")
    assert world.committer.live.look() == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_whose_process_is_gone(world: World, ended: int) -> None:
    mine = LiveRun("a", process=facts("a")["process"], updated=time.time())
    assert live.is_running(mine)
    gone = LiveRun("a", process=facts("a", pid=ended)["process"], updated=time.time())
    assert not live.is_running(gone)
    # another process has its number now
    reused = LiveRun("a", process={**facts("a")["process"], "started": 1}, updated=time.time())
    assert not live.is_running(reused)
    # on another machine, or in a container: nothing but its signs of life can be seen
    for other in ({"boot": "another"}, {"namespace": "pid:[1]"}):
        process = {**facts("a", pid=ended)["process"], **other}
        assert live.is_running(LiveRun("a", process=process, updated=time.time()))
        assert not live.is_running(LiveRun("a", process=process, updated=time.time() - 120))
    for pid in (None, 0, -1, True, 2**40, "1"):
        process = {**facts("a")["process"], "pid": pid}
        assert not live.is_running(LiveRun("a", process=process, updated=time.time()))


def test_a_process_that_nobody_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert live.process_started(process.pid) is not None
    process.kill()
    deadline = time.monotonic() + 30
    while live.process_started(process.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def test_news_are_told_once_and_signs_of_life_are_none(world: World) -> None:
    runs = world.committer.live
    assert not runs.changed()
    run_id = new_id()
    path = tell(world, run_id, facts(run_id))
    assert runs.changed()
    assert not runs.changed()
    os.utime(path)
    assert not runs.changed()
    tell(world, run_id, {"parameters": {"a": "1"}})
    assert runs.changed()
    path.unlink()
    assert runs.changed()
    assert not runs.changed()


def test_the_newest_is_first(world: World) -> None:
    ids = [new_id() for _ in range(3)]
    for second, run_id in enumerate(ids):
        tell(world, run_id, facts(run_id, start=f"20260101T00000{second}.000000"))
    assert [run.id for run in world.committer.live.look()] == ids[::-1]


def test_what_is_recorded_of_a_run_whose_process_is_gone(world: World, ended: int) -> None:
    run_id = new_id()
    world.write("data.csv", "1")
    tell(
        world,
        run_id,
        facts(
            run_id,
            pid=ended,
            root=str(world.root),
            source={"kind": "notebook", "path": "n.ipynb", "cell_id": "c1"},
            environment={"python": {"version": "3.13"}, "packages": {"numpy": "2"}},
        ),
        {
            "description": "long training",
            "parameters": {"lr": "0.1"},
            "summary": {"loss": "0.5"},
            "labels": {"stage": "dev"},
            "types": {"parameters": {"lr": "float"}, "summary": {"loss": "float"}},
            "input": ["data.csv"],
            "output": ["model.bin"],
            "series": {"loss": points((0, 2, 100), (1, 0.5, 101))},
            "time": 1767225700.5,
        },
    )
    world.committer.live.hand_over(only(world))
    assert world.committer.live.look() == []
    assert world.spooled() == [f"{run_id}.json"]
    world.committer.notebook_grace = 10.0  # as when a server watches
    assert world.committer.scan([]).runs == [run_id]
    run = world.records.get_run(run_id)
    assert (run.status, run.error, run.authority) == ("failed", ENDED, "workload")
    assert run.description == "long training"
    assert {(v.kind, v.name): (v.text, v.type) for v in run.values} == {
        ("parameter", "lr"): ("0.1", "float"),
        ("metric", "loss"): ("0.5", "float"),
        ("label", "stage"): ("dev", "str"),
    }
    assert world.records.series(run_id, "loss") == ([0, 1], [2, 0.5], [100, 101])
    assert [file.path for file in run.files if file.direction == "input"] == ["data.csv"]
    assert run.environment is not None
    assert run.environment.document["packages"] == {"numpy": "2"}
    assert run.started is not None
    assert run.ended is not None


def test_what_the_program_said_of_its_failure_stays(world: World, ended: int) -> None:
    run_id = new_id()
    tell(world, run_id, facts(run_id, pid=ended), {"error": "diverged"})
    world.committer.live.hand_over(only(world))
    world.committer.scan([])
    assert world.records.get_run(run_id).error == "diverged"


def test_a_published_run_whose_file_was_left_behind(world: World, ended: int) -> None:
    run_id = new_id()
    path = tell(world, run_id, facts(run_id, pid=ended))
    run = only(world)
    world.committer.live.hand_over(run)
    world.committer.scan([])
    tell(world, run_id, facts(run_id, pid=ended))
    assert world.committer.live.look() == []
    assert not path.exists()


def test_a_run_that_waits_in_the_spool_stays_what_it_is_there(world: World, ended: int) -> None:
    """Its process was killed between publishing it and taking it out of the runs under way."""
    run_id = new_id()
    tell(world, run_id, facts(run_id, pid=ended))
    world.spool(run_record(run_id, world.root, description="published"))
    world.committer.live.hand_over(only(world))
    world.committer.scan([])
    run = world.records.get_run(run_id)
    assert (run.description, run.status) == ("published", "succeeded")
    assert world.committer.live.look() == []


def test_a_spool_that_leads_elsewhere_gets_nothing(
    world: World, ended: int, tmp_path: Path
) -> None:
    run_id = new_id()
    tell(world, run_id, facts(run_id, pid=ended))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    world.workspace.spool.symlink_to(elsewhere)
    with pytest.raises(OSError, match="link"):
        world.committer.live.hand_over(only(world))
    assert list(elsewhere.iterdir()) == []


def test_what_cannot_be_handed_over_stays(world: World, ended: int) -> None:
    run_id = new_id()
    path = tell(world, run_id, facts(run_id, pid=ended))
    world.workspace.spool.write_text("in the way")
    with pytest.raises(OSError):
        world.committer.live.hand_over(only(world))
    assert path.exists()
    assert only(world).id == run_id


def test_more_files_than_anybody_starts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_MOST_FILES", 5)
    for _ in range(8):
        run_id = new_id()
        tell(world, run_id, facts(run_id))
    assert len(world.committer.live.look()) == 5


# ---- a watcher beside real programs ----

PROGRAM = """
import sys; sys.path.insert(0, {library!r})
import dotscience as ds
ds.start("training")
ds.param("lr", 0.1)
step = 0
for line in sys.stdin:
    for _ in range(100):
        ds.metric("loss", 1 / (step + 1), step=step)
        step += 1
    if line == "publish\\n":
        ds.publish()
"""


@pytest.fixture
def program(world: World) -> Iterator[subprocess.Popen[str]]:
    code = PROGRAM.format(library=str(Path(dotscience.__file__).parents[1]))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=world.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def count(runs: LiveRuns) -> int:
    return sum(len(run.series.get("loss", ())) // 3 for run in runs.look())


def test_a_run_is_followed_until_it_is_published(
    world: World, program: subprocess.Popen[str]
) -> None:
    async def test(looking: Watcher) -> None:
        await until(lambda: "live" in world.events)
        await until(lambda: len(world.committer.live.look()) == 1)
        (run,) = world.committer.live.look()
        assert run.running
        say(program, "go")
        await until(lambda: count(world.committer.live) == 100)
        say(program, "publish")
        await until(lambda: run.id in world.ids())
        assert world.committer.live.look() == []
        assert len(world.records.series(run.id, "loss")[0]) == 200

    watched(world, test)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_the_end_of_a_process_is_told_though_no_file_changes(
    world: World, program: subprocess.Popen[str]
) -> None:
    async def test(looking: Watcher) -> None:
        say(program, "go")
        await until(lambda: count(world.committer.live) == 100)
        await until(lambda: looking._followed)
        await asyncio.sleep(1)
        world.events.clear()
        begun = time.monotonic()
        program.send_signal(signal.SIGKILL)
        await until(lambda: "live" in world.events)
        assert time.monotonic() - begun < 10  # far less than until the next housekeeping
        (run,) = world.committer.live.look()
        assert not run.running
        assert looking._followed == {}

    watched(world, test)


def test_a_busy_run_is_told_at_most_twice_a_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(looking: Watcher) -> None:
        run_id = new_id()
        tell(world, run_id, facts(run_id))
        await until(lambda: "live" in world.events)
        world.events.clear()
        begun = time.monotonic()
        while time.monotonic() - begun < 2:
            tell(world, run_id, {"parameters": {"n": str(time.monotonic())}})
            await asyncio.sleep(0.02)
        passed = time.monotonic() - begun
        told = world.events.count("live")
        assert 1 <= told <= passed / 0.5 + 1

    watched(world, test)
