# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The event loop's side: what is noticed, how often is looked, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from committer_world import World, new_id, run_record, run_text, stream

from dotscience_jupyter.committer import Watcher, watch_files, watcher, watching


def watched(world: World, test: Callable[[Watcher], Awaitable[None]]) -> None:
    """Run a test beside a watcher that is ready."""

    async def main() -> None:
        looking = Watcher(world.committer)
        looking.start()
        try:
            if looking._watching:
                await until(lambda: looking._watch._process is not None)
                await asyncio.wait_for(armed.wait(), 60)
            await idle(looking)
            await test(looking)
        finally:
            await looking.stop()

    armed = asyncio.Event()
    heard = Watcher._heard

    def hear(self: Watcher, changes: Any) -> None:
        if changes is None:
            armed.set()
        heard(self, changes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Watcher, "_heard", hear)
        before = set(threading.enumerate())
        asyncio.run(main())
        left = {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}
        left.discard("dotscience-live")  # the engine's own: it goes on until the engine is closed
        assert not [name for name in left if name.startswith("dotscience")]


async def until(true: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


async def idle(looking: Watcher) -> None:
    await until(lambda: looking._task is None or looking._task.done())


def count_scans(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    scans: list[Any] = []
    real = world.committer.scan

    def scan(notebooks: Any = None, progress: Any = None) -> Any:
        scans.append(notebooks)
        return real(notebooks, progress)

    monkeypatch.setattr(world.committer, "scan", scan)
    return scans


def test_what_waited_is_found_at_the_start(world: World) -> None:
    first, second = new_id(), new_id()
    world.save("n.ipynb", [stream(run_text(first))])
    world.spool(run_record(second, world.root))

    async def test(looking: Watcher) -> None:
        assert sorted(world.ids()) == sorted([first, second])

    watched(world, test)
    assert world.committer.notebook_grace == 0


def test_saves_by_jupyter_and_by_others(world: World) -> None:
    async def test(looking: Watcher) -> None:
        for number, told in enumerate((True, False, True, False)):
            run_id = new_id()
            world.save("sub/n.ipynb" if number > 1 else "n.ipynb", [stream(run_text(run_id))])
            if told:
                looking.notebook_saved("sub/n.ipynb" if number > 1 else "n.ipynb")
            await until(lambda: run_id in world.ids())  # noqa: B023 - awaited in this turn

    watched(world, test)


def test_scripts_are_noticed_by_their_spool(world: World) -> None:
    async def test(looking: Watcher) -> None:
        run_id = new_id()
        world.spool(run_record(run_id, world.root))
        await until(lambda: run_id in world.ids())
        await until(lambda: world.spooled() == [])  # after it is recorded

    watched(world, test)


def test_new_folders_are_watched_and_ignored_ones_are_not(world: World) -> None:
    (world.root / ".venv").mkdir()
    world.write(".dotscienceignore", "noise/\n")

    async def test(looking: Watcher) -> None:
        assert looking._watch._folders == []
        first, second, moved = new_id(), new_id(), new_id()
        world.save("new/deep/n.ipynb", [stream(run_text(first))])
        await until(lambda: first in world.ids())
        folders = [str(world.root.resolve() / "new")]
        await until(lambda: looking._watch._folders == folders)
        (world.root / "noise").mkdir()
        world.save("new/deep/n.ipynb", [stream(run_text(second))])
        await until(lambda: second in world.ids())
        # a whole folder comes at once
        outside = world.root.parent / "outside"
        outside.mkdir()
        shutil.copy(world.root / "new/deep/n.ipynb", outside / "m.ipynb")
        text = (outside / "m.ipynb").read_text().replace(second, moved)
        (outside / "m.ipynb").write_text(text)
        outside.rename(world.root / "new" / "moved")
        await until(lambda: moved in world.ids())
        assert looking._watch._folders == folders

    watched(world, test)


def test_changed_files_are_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "QUIET", 0.05)
    world.write("folder/x")
    world.committer.commit("start")

    async def test(looking: Watcher) -> None:
        await until(lambda: world.committer.status().state == "clean")
        world.events.clear()
        world.write("folder/a.txt")
        await until(lambda: world.committer.status().state == "changed")
        await until(lambda: world.events == ["status"])
        (world.root / "folder/a.txt").unlink()
        await until(lambda: world.committer.status().state == "clean")
        world.write("by-jupyter.txt")
        looking.changed()
        await until(lambda: world.committer.status().state == "changed")

    watched(world, test)


def test_one_save_heard_of_twice_is_one_scan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(looking: Watcher) -> None:
        for number in range(5):
            scans.clear()
            run_id = new_id()
            path = world.save("n.ipynb", [stream(run_text(run_id))])
            # an ordinary save is older than the clock's tick when it is heard of
            os.utime(path, (time.time() - 1 - number, time.time() - 1 - number))
            for _ in range(50):
                looking.notebook_saved("n.ipynb")
            await until(lambda: run_id in world.ids())  # noqa: B023 - awaited in this turn
            await asyncio.sleep(0.3)
            await idle(looking)
            assert len(scans) <= 2

    scans = count_scans(world, monkeypatch)
    watched(world, test)


def test_never_two_scans_at_once_and_none_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    worst: list[int] = []
    real = world.engine.snapshot

    def slow(*arguments: Any) -> Any:
        running.append(1)
        worst.append(len(running))
        time.sleep(0.05)
        try:
            return real(*arguments)
        finally:
            running.pop()

    monkeypatch.setattr(world.engine, "snapshot", slow)
    ids = [new_id() for _ in range(15)]

    async def test(looking: Watcher) -> None:
        for number, run_id in enumerate(ids):
            world.save(f"n{number}.ipynb", [stream(run_text(run_id))])
            looking.notebook_saved(f"n{number}.ipynb")
            await asyncio.sleep(0.01)
        await until(lambda: len(world.ids()) == len(ids))

    watched(world, test)
    assert max(worst) == 1
    assert sorted(world.ids()) == sorted(ids)


def test_a_notebooks_record_is_taken_when_the_grace_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "GRACE", 0.4)

    async def test(looking: Watcher) -> None:
        run_id = new_id()
        begin = time.monotonic()
        source = {"source": {"kind": "notebook", "path": "n.ipynb"}}
        world.spool(run_record(run_id, world.root, source))
        await until(lambda: run_id in world.ids())
        assert time.monotonic() - begin > 0.3

    watched(world, test)


def test_commits_of_another_program_are_told_of(world: World) -> None:
    async def test(looking: Watcher) -> None:
        world.events.clear()
        other = World(world.root)
        other.write("x")
        await asyncio.to_thread(other.committer.commit, "by another")
        other.close()
        await until(lambda: "status" in world.events)
        await until(lambda: world.committer.status().state == "clean")

    watched(world, test)


def test_what_failed_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from dotscience_jupyter.records import RecordsError

    monkeypatch.setattr(watcher, "RETRY", 0.1)
    real, left = world.records.commit, [3]

    def refuse(*arguments: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise RecordsError("Not now.")
        return real(*arguments, **options)

    monkeypatch.setattr(world.records, "commit", refuse)

    async def test(looking: Watcher) -> None:
        run_id = new_id()
        world.spool(run_record(run_id, world.root))
        await until(lambda: run_id in world.ids())
        await until(lambda: world.committer.status().state == "clean")

    watched(world, test)


def test_a_defect_does_not_end_the_watching(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(looking: Watcher) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(world.committer, "next_look", lambda: 1 / 0)
            looking.notebook_saved("n.ipynb")
            await until(lambda: "failed" in caplog.text)
            await idle(looking)
        run_id = new_id()
        world.save("n.ipynb", [stream(run_text(run_id))])
        looking.notebook_saved("n.ipynb")
        await until(lambda: run_id in world.ids())

    watched(world, test)


@pytest.mark.parametrize("how", ["error", "death", "start"])
def test_where_files_cannot_be_watched(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    monkeypatch.setattr(watcher, "POLL", 0.1)
    child = world.root.parent / "child.py"
    child.write_text(
        "import sys\nsys.stdin.readline()\nprint('{\"armed\": true}', flush=True)\n"
        + ('print(\'{"error": "OS file watch limit reached."}\', flush=True)\n' * 2)
        + "sys.stdin.readline()\n"
        if how == "error"
        else "import sys\nsys.stdin.readline()\nprint('{\"armed\": true}')\n"
    )
    monkeypatch.setattr(watch_files, "__file__", str(child))
    if how == "start":
        monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    async def test(looking: Watcher) -> None:
        await until(lambda: world.committer.notice)
        assert "Files cannot be watched" in world.committer.status().message
        script, saved = new_id(), new_id()
        world.spool(run_record(script, world.root))
        await until(lambda: script in world.ids())
        world.save("n.ipynb", [stream(run_text(saved))])
        looking.notebook_saved("n.ipynb")
        await until(lambda: saved in world.ids())

    if how == "start":

        async def main() -> None:
            looking = Watcher(world.committer)
            looking.start()
            await test(looking)
            await looking.stop()

        asyncio.run(main())
    else:
        watched(world, test)
    assert caplog.text.count("cannot be watched") == 1


def test_a_dead_task_is_found_by_housekeeping(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "HOUSEKEEPING", 0.1)

    async def test(looking: Watcher) -> None:
        from dotscience_jupyter.committer.tasks import Task

        folder = world.workspace.tasks / "3c2f1f3e-0000-4000-8000-000000000000"
        (folder / "spool").mkdir(parents=True)
        Task(folder, ["train"], started="20260101T000000.0").save()
        await until(lambda: len(world.ids()) == 1)
        assert world.run(world.ids()[0]).description == "train"

    watched(world, test)


def test_stopping_twice_and_events_after_the_end(world: World) -> None:
    async def main() -> None:
        looking = Watcher(world.committer)
        await looking.stop()
        looking.start()
        await looking.stop()
        await looking.stop()
        looking.notebook_saved("n.ipynb")
        looking.changed()
        await asyncio.sleep(0.05)

    asyncio.run(main())


def test_sorting_what_the_child_tells(world: World) -> None:
    heard: list[Any] = []
    watch = watching.FileWatch(world.workspace, heard.append, heard.append)
    root = os.path.realpath(world.root)
    watch._folders = [f"{root}/gone"]
    (world.root / "came").mkdir()
    (world.root / "sub/came").mkdir(parents=True)

    def sort(kind: str, path: str) -> watching.Changes:
        return watch._sorted([(kind, path)])

    assert not sort("added", "/elsewhere/x")
    assert not sort("added", root)
    assert not sort("modified", f"{root}/.dotscience/store/x")
    assert not sort("modified", f"{root}/.git/index")
    assert not sort("added", f"{root}/.dotscience/spool/.half.json")
    assert not sort("deleted", f"{root}/.dotscience/spool/a.json")
    assert sort("added", f"{root}/.dotscience/spool/a.json").spool
    assert sort("modified", f"{root}/.dotscience/records.db-wal").records
    assert sort("added", f"{root}/came").top_folders
    assert sort("deleted", f"{root}/gone").top_folders
    assert not sort("deleted", f"{root}/file").top_folders
    assert sort("added", f"{root}/sub/came").folders
    assert not sort("modified", f"{root}/sub/came")
    assert sort("modified", f"{root}/odd\ufffd").folders
    assert sort("modified", f"{root}/a/n.ipynb").paths == ["a/n.ipynb"]


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-P", watch_files.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(f'{{"flat": ["{tmp_path}/spool"], "deep": ["{tmp_path}/gone"]}}\n')
        process.stdin.flush()
        lines = [process.stdout.readline()]
        while "armed" not in lines[-1]:
            lines.append(process.stdout.readline())
        (tmp_path / "spool" / "x").write_text("x")
        assert "spool/x" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == 0
