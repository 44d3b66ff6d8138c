# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commands that are run for their runs, and what they leave behind when their tracker is killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from committer_world import World, new_id, notebook, run_record, run_text, stream

from dotscience_jupyter.committer import Committed, CommitterError, output, tasks

PUBLISH = """
import json, os, sys
def publish(record, name=None):
    folder = os.environ["DOTSCIENCE_SPOOL"]
    name = name or record["id"] + ".json"
    with open(os.path.join(folder, "." + name), "w") as f:
        json.dump(record, f)
    os.rename(os.path.join(folder, "." + name), os.path.join(folder, name))
"""


def run(
    world: World, code: str, *arguments: str, **options: Any
) -> tuple[int, Committed, bytes, bytes]:
    out, err = io.BytesIO(), io.BytesIO()
    world.write("script.py", PUBLISH + code)
    status, done = world.committer.run_command(
        [sys.executable, "script.py", *arguments],
        stdout=out,
        stderr=err,
        cwd=world.root,
        **options,
    )
    return status, done, out.getvalue(), err.getvalue()


def logs(world: World, commit: str) -> dict[str, bytes]:
    return {
        log.name.partition("/")[2]: zlib.decompress(log.data) for log in world.records.logs(commit)
    }


def no_tasks(world: World) -> bool:
    return not os.path.exists(world.workspace.tasks) or not os.listdir(world.workspace.tasks)


def test_text_on_stdout(world: World) -> None:
    run_id = new_id()
    text = run_text(run_id, output=["model"], **{"workload-file": "script.py"})
    code = f"print('begin'); open('model', 'w').write('m'); print({text!r}, file=sys.stdout)"
    status, done, out, err = run(world, code, description="Train it")
    assert (status, err) == (0, b"")
    assert out == b"begin\n" + text.encode() + b"\n"
    assert done.runs == [run_id]
    assert [commit.message for commit in done.commits] == [
        "Files changed before a command was run"
        if commit.type == "dotscience.files.v1"
        else commit.message
        for commit in done.commits
    ]
    assert done.commits[-1].message == "Train it"
    stored = world.run(run_id)
    assert (stored.workload_type, stored.workload_file) == ("command", "script.py")
    assert world.files(run_id, "output")["model"].size == 1
    details = done.commits[-1].details
    assert json.loads(details["workload.command"]) == [sys.executable, "script.py"]
    assert details["success"] == "true"
    assert details["workload.type"] == "command"
    assert json.loads(details["exec.logs"]) == [f"{details['exec.task']}/workload-stdout.log"]
    assert logs(world, done.commits[-1].id) == {"workload-stdout.log": out}
    assert float(details["exec.cpu-seconds"]) > 0
    assert world.corrections() == []
    assert no_tasks(world)


def test_a_record_in_the_private_spool_and_its_text_are_one_run(world: World) -> None:
    run_id = new_id()
    record = run_record(run_id, world.root, {"seeds": {"s": 1}, "source": {"kind": "script"}})
    code = f"publish({record!r}); print({run_text(run_id)!r})"
    status, done, _, _ = run(world, code)
    assert (status, done.runs) == (0, [run_id])
    assert world.run(run_id).details["seeds"] == {"s": 1}
    assert no_tasks(world)


def test_its_environment(world: World) -> None:
    code = "print(json.dumps({k: v for k, v in os.environ.items()}))"
    _, done, out, _ = run(
        world,
        code,
        env={"DOTSCIENCE_APIKEY": "secret", "DOTSCIENCE_X": "1", "PATH": os.environ["PATH"]},
    )
    seen = json.loads(out)
    task = seen["DOTSCIENCE_TASK_ID"]
    assert seen["DOTSCIENCE_WORKLOAD_TYPE"] == "command"
    assert seen["DOTSCIENCE_PROJECT_DOT_ROOT"] == str(world.root)
    assert seen["DOTSCIENCE_SPOOL"] == str(world.workspace.tasks / task / "spool")
    assert seen["PYTHONUNBUFFERED"] == "1"
    recorded = json.loads(done.commits[-1].details["workload.environment"])
    assert recorded["DOTSCIENCE_X"] == "1"
    assert "secret" not in json.dumps(done.commits[-1].details)
    assert "PATH" not in recorded


def test_a_command_that_publishes_nothing_gives_a_derived_run(world: World) -> None:
    world.write("mine.txt", "by hand, before")
    status, done, _, err = run(
        world, "open('out.txt', 'w').write('1'); sys.stderr.write('oh'); sys.exit(3)"
    )
    assert (status, err) == (3, b"oh")
    [run_id] = done.runs
    stored = world.run(run_id)
    assert (stored.authority, stored.status, stored.error) == ("derived", "failed", "Exit status 3")
    assert stored.description == f"{sys.executable} script.py"
    assert stored.workload_type == "command"
    assert stored.seconds is not None
    # what had been changed before it began is not its work
    assert list(world.files(run_id, "output")) == ["out.txt"]
    assert done.commits[-1].details["success"] == "false"
    assert logs(world, done.commits[-1].id) == {"workload-stderr.log": b"oh"}
    assert world.corrections() == []


def test_runs_of_a_failing_command_keep_their_state(world: World) -> None:
    run_id = new_id()
    status, done, _, _ = run(world, f"print({run_text(run_id)!r}); sys.exit(1)")
    assert (status, done.runs) == (1, [run_id])
    assert world.run(run_id).status == "succeeded"
    commit = done.commits[-1]
    assert commit.details["success"] == "false"
    assert commit.message.startswith("Exit status 1: ")


def test_a_signal_gives_128_and_its_number(world: World) -> None:
    status, done, _, _ = run(world, "import signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert status == 128 + signal.SIGTERM
    assert world.run(done.runs[0]).error == "Stopped by signal 15"


def test_a_command_that_does_not_start(world: World) -> None:
    sink = io.BytesIO()
    for argv, says in (
        ([], "no command"),
        (["no-such-command-here"], "could not be started"),
        ([str(world.root)], "could not be started"),
    ):
        with pytest.raises(CommitterError, match=says):
            world.committer.run_command(argv, stdout=sink, stderr=sink)
    assert no_tasks(world)
    assert world.ids() == []


def test_a_broken_block_on_stdout_is_reported(world: World) -> None:
    good = new_id()
    code = f"print('[[DOTSCIENCE-RUN:bad]]{{oops'); print({run_text(good)!r})"
    _, done, _, _ = run(world, code)
    assert done.runs == [good]
    assert [error.type for error in done.errors] == ["task"]
    assert "Run bad" in done.errors[0].message


def test_a_broken_record_of_a_command_is_kept(world: World) -> None:
    _, done, _, _ = run(world, "publish({'format': 1}, 'broken.json')")
    assert len(done.runs) == 1
    [kept] = (world.workspace.spool / "bad").iterdir()
    assert json.loads(kept.read_text()) == {"format": 1}
    assert no_tasks(world)
    assert [error.type for error in world.scan().errors] == ["spool"]


def test_a_notebook_that_the_command_executed(world: World) -> None:
    run_id = new_id()
    document = json.dumps(notebook([stream(run_text(run_id, description="in it"))]))
    record = run_record(run_id, world.root, {"source": {"kind": "notebook", "path": None}})
    code = f"publish({record!r}); open('made.ipynb', 'w').write({document!r})"
    _, done, _, _ = run(world, code)
    assert done.runs == [run_id]
    assert world.run(run_id).workload_file == "made.ipynb"


def test_its_runs_were_recorded_by_another_committer(world: World) -> None:
    """A server saw the notebook first: the command's log is kept, and no run is made up."""
    run_id = new_id()
    world.spool(run_record(run_id, world.root))
    world.scan()
    _, done, _, _ = run(world, f"print({run_text(run_id)!r})")
    assert done.runs == []
    assert "workload-stdout.log" in logs(world, done.commits[-1].id)
    assert world.ids() == [run_id]


def test_output_is_passed_on_as_it_comes(world: World) -> None:
    class Sink(io.RawIOBase):
        def __init__(self) -> None:
            self.parts: list[tuple[float, bytes]] = []

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            part = bytes(data[:3])  # a raw file may take less than it is given
            self.parts.append((time.monotonic(), part))
            return len(part)

    sink = Sink()
    world.write("slow.py", "import time\nprint('first')\ntime.sleep(0.4)\nprint('second')")
    world.committer.run_command(
        [sys.executable, "slow.py"],
        stdout=sink,
        stderr=sink,
        cwd=world.root,  # type: ignore[arg-type] # a raw file is one
    )
    assert b"".join(part for _, part in sink.parts) == b"first\nsecond\n"
    assert sink.parts[-1][0] - sink.parts[0][0] > 0.2


def test_a_sink_that_is_closed_ends_the_command(world: World) -> None:
    """As in ``jupyter dotscience run yes | head``."""

    class Closed(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    status, done = world.committer.run_command(
        ["yes"], stdout=Closed(), stderr=io.BytesIO(), cwd=world.root
    )
    assert status in (1, 128 + signal.SIGPIPE)
    assert world.run(done.runs[0]).status == "failed"


def test_what_it_left_running_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_QUIET", 0.2)
    begin = time.monotonic()
    status, _, out, _ = run(
        world,
        "import subprocess; subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(20)']); print('done')",
    )
    assert (status, out) == (0, b"done\n")
    assert time.monotonic() - begin < 15
    assert no_tasks(world)


def test_a_long_log_keeps_its_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "HALF", 1000)
    first, middle = new_id(), new_id()
    code = (
        f"print('BEGIN' + 'a' * 3000); print({run_text(middle)!r}); "
        f"print('b' * 7000); print({run_text(first)!r}); print('END')"
    )
    _, done, out, _ = run(world, code)
    assert set(done.runs) == {first, middle}  # the one in the middle as well
    log = logs(world, done.commits[-1].id)["workload-stdout.log"]
    assert log.startswith(out[:1000])
    assert log.endswith(out[-1000:])
    assert b"output left out" in log
    assert len(log) < 2200


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 1999, 2000, 2001, 3000, 3500, 4000, 9999])
@pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
def test_log_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, step: int) -> None:
    monkeypatch.setattr(output, "HALF", 1000)
    data = bytes(i % 251 for i in range(size))
    log = output.LogFile(tmp_path, "stdout")
    for begin in range(0, size, step):
        log.write(data[begin : begin + step])
    log.close()
    kept = output.LogFile(tmp_path, "stdout").read()
    if size <= 2000:
        assert kept == data
    else:
        assert kept[:1000] == data[:1000]
        assert kept[-1000:] == data[-1000:]
        assert b"left out" in kept


@pytest.mark.parametrize("step", [1, 3, 50, 100_000])
def test_blocks_are_kept_however_output_is_cut(tmp_path: Path, step: int) -> None:
    texts = [run_text(new_id(), description=f"[[ {i} [[DOTSCIENCE-RUN:") for i in range(3)]
    data = (
        "[" * 50 + "noise [[DOTSCIENCE-RUN:lost]]{" + "x".join(texts) + "[[" + "y" * 500
    ).encode()
    blocks = output.BlockFile(tmp_path / "runs.txt")
    for begin in range(0, len(data), step):
        blocks.write(data[begin : begin + step])
    blocks.close()
    from dotscience_jupyter.committer import runtext

    kept = (tmp_path / "runs.txt").read_text()
    assert len(runtext.parse(kept)[0]) == 3
    assert "y" * 100 not in kept


TRACKER = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from committer_world import World
world = World(Path({root!r}))
code, done = world.committer.run_command(
    [sys.executable, "script.py"], stdout=sys.stdout.buffer, stderr=sys.stderr.buffer,
    cwd=world.root,
)
world.close()
sys.exit(code)
"""


def tracker(world: World) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", TRACKER.format(here=here, root=str(world.root))],
        stdout=subprocess.PIPE,
        start_new_session=True,  # no terminal: signals are passed on
    )


def test_ctrl_c_reaches_the_command_and_we_outlive_it(world: World) -> None:
    run_id = new_id()
    world.write(
        "script.py",
        "import time\ntry:\n    print('up', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        f"    print({run_text(run_id, description='stopped')!r})\n    raise SystemExit(7)",
    )
    process = tracker(world)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        out.read()
    assert process.wait(60) == 7
    assert world.run(run_id).description == "stopped"
    assert no_tasks(world)


@pytest.mark.parametrize("published", [True, False])
def test_a_killed_tracker_leaves_everything_behind(world: World, published: bool) -> None:
    run_id = new_id()
    world.write(
        "script.py",
        PUBLISH
        + f"import time\nprint({run_text(run_id) if published else 'nothing'!r})\n"
        + "time.sleep(1.5)\nopen('late', 'w').close()\n",
    )
    process = tracker(world)
    assert process.stdout is not None
    with process.stdout as out:
        # to the very end: a write of the command after the kill would meet a closed pipe
        while out.readline().strip() not in (b"", b"nothing"):
            pass
        process.kill()
        process.wait()
        # the command is still running: it may publish, and must not lose its spool
        assert world.scan().runs == []
        assert not no_tasks(world)
        deadline = time.monotonic() + 30
        while not (done := world.scan()).commits and time.monotonic() < deadline:
            time.sleep(0.05)
    assert (world.root / "late").exists()
    assert no_tasks(world)
    commit = done.commits[-1]
    assert commit.details["success"] == "false"
    assert "stopped together with what tracked it" in commit.message
    assert b"workload-stdout.log" in json.dumps(list(logs(world, commit.id))).encode()
    if published:
        assert run_id in done.runs
    else:
        [derived] = [world.run(each) for each in done.runs]
        assert (derived.authority, derived.status) == ("derived", "failed")
        assert "late" in world.files(derived.id, "output")
    assert world.scan().commits == []


def test_a_task_that_was_committed_just_before_the_kill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path] = []
    monkeypatch.setattr(tasks.shutil, "rmtree", lambda path, **_: kept.append(path))
    _, done, _, _ = run(world, "print('x')")
    assert len(kept) == 1
    monkeypatch.undo()
    before = world.records.counts()
    assert world.scan().commits == []
    assert world.records.counts() == before
    assert no_tasks(world)


def test_a_task_whose_commit_failed_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.records import RecordsError

    run_id = new_id()
    real = world.records.commit

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise RecordsError("The disk is full.")

    monkeypatch.setattr(world.records, "commit", refuse)
    status, done, _, _ = run(world, f"print({run_text(run_id)!r}); sys.exit(4)")
    assert (status, done.runs) == (4, [])
    assert "The disk is full" in done.errors[0].message
    assert world.scan().errors
    monkeypatch.setattr(world.records, "commit", real)
    done = world.scan()
    assert (done.runs, done.errors) == ([run_id], [])
    assert done.commits[-1].details["exec.status"] == "4"
    assert no_tasks(world)


def test_odd_folders_among_the_tasks(world: World) -> None:
    for name, content in (("new", None), ("broken", "{"), ("strange", '{"format": 1, "argv": 3}')):
        folder = world.workspace.tasks / name
        folder.mkdir(parents=True)
        if content is not None:
            (folder / "task.json").write_text(content)
    (world.workspace.tasks / "file").write_text("x")
    errors = world.scan().errors
    assert sorted(error.type for error in errors) == ["task", "task"]
    assert len(os.listdir(world.workspace.tasks)) == 4
    old = time.time() - 2 * tasks.ABANDONED
    os.utime(world.workspace.tasks / "new", (old, old))
    world.scan()
    assert "new" not in os.listdir(world.workspace.tasks)
