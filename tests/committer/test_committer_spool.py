# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs in the spool: scripts, notebooks that were not saved yet, records that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from committer_world import World, display, new_id, packed, run_record, run_text, stream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.committer import CommitterError, reading

SCRIPT = {"source": {"kind": "script", "path": "train.py"}}
NOTEBOOK = {"source": {"kind": "notebook", "path": "n.ipynb", "execution_count": 2}}


def test_a_scripts_record_is_taken_at_once(world: World) -> None:
    run_id = new_id()
    world.write("scripts/train.py", "pass")
    world.committer.notebook_grace = 60
    world.spool(
        run_record(
            run_id,
            world.root,
            SCRIPT
            | {
                "series": {
                    "loss": {
                        "count": 2,
                        "steps": packed(0, 1),
                        "values": packed(1.5, 0.5),
                        "times": packed(10, 11),
                    }
                },
                "traceback": "ValueError: no (train.py, line 3)",
                "resources": {"cpu_seconds": 1.5, "peak_ram": 1000},
            },
            **{"workload-file": "scripts/train.py", "error": "no"},
        )
    )
    done = world.scan()
    assert done.runs == [run_id]
    run = world.run(run_id)
    assert (run.workload_type, run.workload_file) == ("command", "scripts/train.py")
    assert (run.status, run.error) == ("failed", "no")
    assert run.details["traceback"] == "ValueError: no (train.py, line 3)"
    assert run.details["process"]["user"] == "ada"
    assert "cell" not in run.details
    assert world.records.series(run_id, "loss") == ([0.0, 1.0], [1.5, 0.5], [10.0, 11.0])
    assert world.spooled() == []
    assert done.commits[-1].message == "no"
    assert done.commits[-1].details["success"] == "false"


def test_a_notebooks_record_waits_for_the_save(world: World) -> None:
    run_id = new_id()
    world.save("n.ipynb", [stream("not yet")])
    world.committer.commit("before")
    world.committer.notebook_grace = 60
    full = run_record(
        run_id,
        world.root,
        NOTEBOOK | {"environment": {"packages": {"numpy": "2.0"}}},
        description="d",
    )
    world.spool(full)
    assert world.scan().runs == []
    wait = world.committer.next_look()
    assert wait is not None
    assert 0 < wait <= 60
    assert world.spooled() == [f"{run_id}.json"]
    small = run_record(run_id, world.root, NOTEBOOK | {"reduced": True, "environment": {}})
    saved = world.save("n.ipynb", [stream(run_text(run_id, description="d")), display(small)])
    done = world.scan("n.ipynb")
    assert done.runs == [run_id]
    assert world.committer.next_look() is None
    assert world.spooled() == []
    run = world.run(run_id)
    # the fuller record won, the notebook's place was added
    assert run.environment.document == {"packages": {"numpy": "2.0"}}
    assert run.details["cell"] == {"id": "cell-0", "index": 0, "execution_count": 2}
    with world.engine.open(done.commits[-1].snapshot, "n.ipynb") as file:
        assert file.read() == saved.read_bytes()


def test_a_notebook_that_is_never_saved_is_committed_after_the_grace(world: World) -> None:
    run_id = new_id()
    world.write("deep/n.ipynb", "{}")
    world.committer.notebook_grace = 60
    path = world.spool(
        run_record(
            run_id,
            world.root,
            {"source": {"kind": "notebook", "path": "server/root/deep/n.ipynb", "cell_id": "c"}},
        )
    )
    assert world.scan().runs == []
    old = time.time() - 61
    os.utime(path, (old, old))
    assert world.scan().runs == [run_id]
    run = world.run(run_id)
    # the server's root was above the workspace
    assert (run.workload_file, run.workload_type) == ("deep/n.ipynb", "jupyter")
    assert run.details["cell"]["id"] == "c"


def test_a_clock_that_was_set_back_does_not_hold_a_record(world: World) -> None:
    run_id = new_id()
    world.committer.notebook_grace = 0.05
    path = world.spool(run_record(run_id, world.root, NOTEBOOK))
    future = time.time() + 86_400
    os.utime(path, (future, future))
    assert world.scan().runs == []
    time.sleep(0.06)
    assert world.scan().runs == [run_id]


def test_a_manual_commit_waits_for_nothing(world: World) -> None:
    run_id = new_id()
    world.committer.notebook_grace = 60
    world.spool(run_record(run_id, world.root, NOTEBOOK))
    assert world.committer.commit("now").runs == [run_id]
    assert world.spooled() == []


def test_a_recorded_run_in_the_spool_is_only_removed(world: World) -> None:
    run_id = new_id()
    record = run_record(run_id, world.root, SCRIPT)
    world.spool(record)
    world.scan()
    world.spool(record)
    world.spool(record, "another-name.json")
    assert world.scan().commits == []
    assert world.spooled() == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff", "codec"),
        (b"[]", "not an object"),
        (b"{}", "format is not 1"),
        (b'{"format": 2, "id": "a", "run": {}}', "format is not 1"),
        (b'{"format": 1, "id": "../a", "run": {}}', "no usable id"),
        (b'{"format": 1, "id": "a"}', "not an object"),
        (b'{"format": 1, "id": "a", "run": {"input": 3}}', '"input" is not a list'),
        (b'{"format": 1, "id": "a", "run": {}, "x": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
@pytest.mark.parametrize("by_child", [False, True])
def test_a_broken_record_is_set_aside_not_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str, by_child: bool
) -> None:
    if by_child:
        monkeypatch.setattr(reading, "IN_THREAD", -1)
    good = new_id()
    world.spool(run_record(good, world.root, SCRIPT))
    path = world.workspace.spool / "broken.json"
    path.write_bytes(content)
    done = world.scan()
    assert done.runs == [good]
    assert [error.type for error in done.errors] == ["spool"]
    assert says in done.errors[0].message
    kept = world.workspace.spool / "bad" / "broken.json"
    assert kept.read_bytes() == content
    assert world.committer.status().errors == done.errors
    path.write_bytes(b"again")  # never over what is kept
    assert len(world.scan().errors) == 2
    assert (world.workspace.spool / "bad" / "broken-1.json").read_bytes() == b"again"
    for each in kept.parent.iterdir():
        each.unlink()
    assert world.scan().errors == []


def test_files_under_way_are_left_alone(world: World) -> None:
    world.workspace.spool.mkdir()
    (world.workspace.spool / ".half.json").write_text("{")
    (world.workspace.spool / "notes.txt").write_text("x")
    (world.workspace.spool / "folder.json").mkdir()
    assert world.scan().errors == []
    assert len(os.listdir(world.workspace.spool)) == 3


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"count": 2, "steps": packed(0), "values": packed(1), "times": packed(2)}, "as many"),
        ({"count": 1, "steps": packed(0, 1), "values": packed(1), "times": packed(2)}, "equal"),
        ({"count": 1, "steps": "AAA", "values": packed(1), "times": packed(2)}, "cannot be read"),
        ({"count": 1, "steps": "AAAA", "values": "AAAA", "times": "AAAA"}, "equal number"),
        ({"count": 1, "steps": 3, "values": None}, "cannot be read"),
        ({"bytes": [8, 8, 8]}, "cannot be read"),
        (7, "cannot be read"),
    ],
)
@pytest.mark.parametrize("by_child", [False, True])
def test_series_that_lie_are_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch, entry: Any, says: str, by_child: bool
) -> None:
    if by_child:
        monkeypatch.setattr(reading, "IN_THREAD", -1)
    run_id = new_id()
    good = {"count": 1, "steps": packed(1), "values": packed(2), "times": packed(3)}
    series = {"a": entry, "good": good, "z": entry}
    world.spool(run_record(run_id, world.root, SCRIPT | {"series": series}))
    done = world.scan()
    assert done.runs == [run_id]
    assert [each.name for each in world.run(run_id).series] == ["good"]
    assert world.records.series(run_id, "good") == ([1.0], [2.0], [3.0])
    assert len([error for error in done.errors if says in error.message]) == 2
    assert world.scan().errors == []  # told once: the run is recorded


def test_series_of_a_hundred_thousand_points(world: World) -> None:
    run_id, count = new_id(), 100_000
    points = packed(*[float(i) for i in range(count)])
    entry = {"count": count, "steps": points, "values": points, "times": points}
    world.spool(run_record(run_id, world.root, SCRIPT | {"series": {"a": entry, "b": entry}}))
    assert world.scan().runs == [run_id]
    steps, values, _ = world.records.series(run_id, "b")
    assert (len(steps), values[-1]) == (count, 99_999.0)


def test_dirty_git_is_asked_for(world: World) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(world.root), "-c", "user.name=A", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    world.write("code.py", "1")
    git("init", "-q")
    git("add", "code.py")
    git("commit", "-q", "-m", "x")
    found = {}
    for dirty in (False, True):
        if dirty:
            world.write("code.py", "2")
        run_id = new_id()
        document = {"git": {"root": str(world.root), "commit": "a" * 40, "dirty": None}}
        world.spool(run_record(run_id, world.root, SCRIPT | {"environment": document}))
        world.scan()
        found[dirty] = world.run(run_id).environment.document["git"]["dirty"]
    assert found == {False: False, True: True}


def test_git_of_another_machine_is_not_asked(world: World) -> None:
    run_id = new_id()
    document = {"git": {"root": str(world.root), "dirty": None}}
    record = run_record(run_id, world.root, SCRIPT | {"environment": document})
    record["process"]["host"] = "elsewhere"
    world.spool(record)
    world.scan()
    assert world.run(run_id).environment.document["git"]["dirty"] is None


def test_nothing_is_lost_while_the_records_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.records import RecordsError

    run_id, seen = new_id(), new_id()
    world.spool(run_record(run_id, world.root, SCRIPT))
    world.save("n.ipynb", [stream(run_text(seen))])
    real = world.records.commit

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise RecordsError("The disk is full.")

    monkeypatch.setattr(world.records, "commit", refuse)
    done = world.scan()
    assert (done.runs, [error.type for error in done.errors]) == ([], ["records"])
    assert "The disk is full. What was published is not recorded yet" in done.errors[0].message
    assert world.committer.troubled
    assert world.committer.status().state == "error"
    with pytest.raises(CommitterError, match="The disk is full"):
        world.committer.commit("by hand")
    monkeypatch.setattr(world.records, "commit", real)
    # the notebook has not changed since; its run is not forgotten
    done = world.scan("other.ipynb")
    assert (set(done.runs), done.errors) == ({run_id, seen}, [])
    assert not world.committer.troubled
    assert world.committer.status().state == "clean"


def test_nothing_is_lost_while_no_snapshot_can_be_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.snapshots import SnapshotError

    run_id = new_id()
    world.spool(run_record(run_id, world.root, SCRIPT))

    def refuse(*arguments: Any) -> Any:
        raise SnapshotError("The store is read-only.")

    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "snapshot", refuse)
        done = world.scan()
        assert (done.runs, [error.type for error in done.errors]) == ([], ["snapshot"])
    assert world.scan().runs == [run_id]


def test_a_run_that_cannot_be_recorded_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.records import RecordsError

    bad, good, later = new_id(), new_id(), new_id()
    real = world.records.commit

    def picky(commits: Any, **options: Any) -> Any:
        if any(run.id == bad for commit in commits for run in commit.runs):
            raise RecordsError("I do not like it.")
        return real(commits, **options)

    monkeypatch.setattr(world.records, "commit", picky)
    world.spool(run_record(bad, world.root, SCRIPT))
    world.spool(run_record(good, world.root, SCRIPT))
    done = world.scan()
    assert done.runs == [good]
    assert [bad in error.message for error in done.errors] == [True]
    world.spool(run_record(later, world.root, SCRIPT))
    assert world.scan().runs == [later]
    assert world.spooled() == [f"{bad}.json"]
    assert world.committer.commit("still works").errors
    monkeypatch.setattr(world.records, "commit", real)
    done = world.scan()
    assert (done.runs, done.errors) == ([bad], [])


def test_a_listener_that_fails_does_not_stop_a_commit(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(what: str) -> None:
        raise RuntimeError(what)

    world.committer._on_change = listen
    run_id = new_id()
    world.spool(run_record(run_id, world.root, SCRIPT))
    assert world.scan().runs == [run_id]
    assert "listener" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
KEYS = [
    "root",
    "workspace",
    "types",
    "series",
    "traceback",
    "environment",
    "seeds",
    "resources",
    "source",
    "process",
    "reduced",
]


@given(
    extra=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5),
    values=st.dictionaries(st.text(max_size=600), st.text(max_size=30), max_size=4),
    paths=st.lists(st.text(min_size=1, max_size=30), max_size=3),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_record_with_an_id_and_a_run_is_recorded(
    world: World, extra: dict[str, Any], values: dict[str, str], paths: list[str]
) -> None:
    run_id = new_id()
    record = run_record(
        run_id, world.root, extra, summary=values, parameters=values, input=paths, output=paths
    )
    world.spool(record)
    assert run_id in world.scan().runs
    assert json.dumps(world.run(run_id).details)
    assert world.spooled() == []


def test_root_of_the_record(world: World, tmp_path: Path) -> None:
    """Paths are relative to where the program's root was, wherever that is."""
    world.write("sub/in.csv", "1")
    world.write("in.csv", "22")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "way-in").symlink_to(world.root)
    cases = {
        str(world.root): ("in.csv", 2),
        str(world.root / "sub"): ("sub/in.csv", 1),
        str(tmp_path / "way-in" / "sub"): ("sub/in.csv", 1),
        str(tmp_path / "elsewhere"): (f"{tmp_path}/elsewhere/in.csv", None),
    }
    for root, (path, size) in cases.items():
        run_id = new_id()
        record = run_record(run_id, world.root, SCRIPT, input=["./x/../in.csv"])
        record["root"] = root
        world.spool(record)
        world.scan()
        assert {name: file.size for name, file in world.files(run_id, "input").items()} == {
            path: size
        }
        assert world.run(run_id).details.get("outside") == ([path] if size is None else None)
        if size is None:
            assert world.files(run_id, "input")[path].version is None


def test_a_workspace_that_was_moved(world: World) -> None:
    run_id = new_id()
    world.write("in.csv", "1")
    record = run_record(run_id, world.root, SCRIPT, input=["in.csv"])
    record |= {"root": "/where/it/was/before", "workspace": world.workspace.id}
    world.spool(record)
    world.scan()
    assert list(world.files(run_id, "input")) == ["in.csv"]
