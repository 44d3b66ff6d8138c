# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The service itself, for what the server's tests do not reach."""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import sys
from contextlib import closing
from io import BytesIO

import pytest
from blake3 import blake3
from filelock import FileLock

from dotscience_jupyter.api import ApiError, PathMapper, WorkspaceService, service, store
from dotscience_jupyter.committer import CommitterError
from dotscience_jupyter.records import RecordsError, Workspace
from dotscience_jupyter.records.store import NewCommit, NewFile, NewRun
from dotscience_jupyter.snapshots import CorruptStoreError, SnapshotError, TransferError


@pytest.fixture
def opened(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    Workspace.create(root)
    (root / "a.txt").write_text("one")
    with closing(WorkspaceService.open(root, author="Ada", contents_root=tmp_path)) as found:
        yield found


def pack(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()


def spool(opened: WorkspaceService, run_id: str, **record) -> None:
    run = {"version": "1", "input": [], "output": [], "labels": {}, "summary": {}}
    document = {
        "format": 1,
        "id": run_id,
        "run": run | {"parameters": {}} | record.pop("run", {}),
        "root": str(opened.workspace.root),
        "source": {"kind": "script", "path": "train.py"},
    }
    opened.workspace.spool.mkdir(exist_ok=True)
    (opened.workspace.spool / f"{run_id}.json").write_text(json.dumps(document | record))


def code(call, *args, **kwargs) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        call(*args, **kwargs)
    return caught.value.status, caught.value.code


def test_nothing_is_opened_where_nothing_is_tracked(tmp_path):
    assert code(WorkspaceService.open, tmp_path) == (404, "no_workspace")


def test_an_unreadable_database_is_said_so(opened, tmp_path):
    opened.close()
    for name in ("records.db", "records.db-wal", "records.db-shm"):
        path = opened.workspace.folder / name
        if path.exists() or name == "records.db":
            path.write_bytes(b"not a database, for sure" * 100)
    with pytest.raises(ApiError) as caught:
        WorkspaceService.open(opened.workspace.root, contents_root=tmp_path)
    assert caught.value.code == "unreadable"
    assert str(tmp_path) not in caught.value.message


def test_series_and_types_of_a_spooled_run(opened):
    count = 5000
    spool(
        opened,
        "run-1",
        run={"parameters": {"lr": "0.1", "n": "3"}, "summary": {"loss": "nan"}},
        types={"parameters": {"lr": "float", "n": "int"}, "summary": {"loss": "float"}},
        series={
            "loss/train": {
                "count": count,
                "steps": pack(*range(count)),
                "values": pack(*[9.0 if i == 2345 else 1.0 for i in range(count)]),
                "times": pack(*[1e9] * count),
            }
        },
        environment={"python": {"version": "3.12"}},
        traceback="ValueError: no (train.py, line 1)",
        seeds={"numpy": 42},
    )
    assert opened.committer.scan().runs == ["run-1"]
    run = opened.run("run-1")
    assert run.parameters == {"lr": 0.1, "n": 3}
    assert run.metrics == {"loss": "nan"}
    assert run.environment == {"python": {"version": "3.12"}}
    assert run.traceback == "ValueError: no (train.py, line 1)"
    assert run.seeds == {"numpy": 42}
    assert [(item.name, item.count) for item in run.series] == [("loss/train", count)]
    points = opened.series("run-", "loss/train", 100)
    assert points.count == count and len(points.steps) <= 100
    assert 2345.0 in points.steps
    assert code(opened.series, "run-1", "none") == (404, "not_found")
    assert code(opened.series, "zzzz", "none") == (404, "not_found")


def test_a_digest_that_was_not_known_at_the_commit_is_told_once_it_is(opened):
    """Of a large file that the engine froze without reading it."""
    content = b"m" * 5000
    (opened.workspace.root / "big.bin").write_bytes(content)
    first = opened.commit("one").commit
    assert first
    files = [
        NewFile("input", "big.bin", size=5000),
        NewFile("output", "big.bin", size=5000),
        NewFile("output", "other.bin", size=5000),  # not there
        NewFile("output", "a.txt", size=77),  # written over since
        NewFile("output", "unknown.bin"),
    ]
    run = NewRun("run-1", "workload", files=files)
    new = NewCommit(first.snapshot, "dotscience.run.v1", "two", "Ada", runs=[run])
    opened.records.commit([new], expected_head=first.id)

    def digests() -> list[str | None]:
        detail = opened.run("run-1")
        return [file.digest for file in (*detail.inputs, *detail.outputs)]

    assert digests() == [None] * 5
    opened.engine.settle()
    known = blake3(content).hexdigest()
    assert sorted(digests(), key=str) == sorted([known, known, None, None, None], key=str)
    assert opened.verify().problems == []


def test_logs_and_their_ends(opened):
    text = "ä" * 1000
    program = f"import sys; sys.stdout.buffer.write(({text!r} + 'end').encode())"
    status, done = opened.committer.run_command(
        [sys.executable, "-c", program], stdout=BytesIO(), stderr=BytesIO()
    )
    assert status == 0 and len(done.runs) == 1
    run = opened.run(done.runs[0])
    log = next(log for log in run.logs if log.name.endswith("workload-stdout.log"))
    assert log.size == 2003
    whole = opened.log(run.id, log.name)
    assert (whole.text, whole.truncated, whole.size) == (text + "end", False, 2003)
    for tail in (0, 1, 3, 4, 5, 6, 2002):
        part = opened.log(run.id, log.name, tail)
        assert part.truncated
        assert whole.text.endswith(part.text) and "\ufffd" not in part.text
        assert len(part.text.encode()) in (tail, tail - 1)
    assert code(opened.log, run.id, "no.log") == (404, "not_found")


def test_names_of_commits(opened):
    first = opened.commit("one").commit
    (opened.workspace.root / "a.txt").write_text("two")
    second = opened.commit("two").commit
    assert first and second
    assert opened.commit_detail("HEAD").id == second.id
    assert opened.commit_detail("HEAD~1").id == first.id
    assert opened.commit_detail(first.id[:10]).author == "Ada"
    assert code(opened.commit_detail, "HEAD~7") == (404, "not_found")
    assert code(opened.files, "HEAD", "../x") == (403, "forbidden_path")


def test_an_ambiguous_prefix(opened):
    for run_id in ("same-1", "same-2"):
        spool(opened, run_id)
    opened.committer.scan()
    assert code(opened.run, "same") == (400, "ambiguous")
    assert opened.run("same-1").id == "same-1"


def test_verify_and_gc(opened):
    opened.commit("one")
    (opened.workspace.root / "a.txt").write_text("two")
    opened.commit("two")
    result = opened.verify()
    assert (result.commits, result.snapshots, result.problems) == (2, 2, [])
    freed = opened.gc()
    assert freed.stored_bytes > 0
    assert opened.verify().problems == []


def test_damage_is_found_and_blamed_on_its_commit(opened):
    (opened.workspace.root / "big.bin").write_bytes(random.Random(1).randbytes(1_000_000))
    commit = opened.commit("one").commit
    damage(opened)
    with closing(WorkspaceService.open(opened.workspace.root)) as again:
        problems = again.verify().problems
    assert problems and commit
    assert {problem.commit for problem in problems} == {commit.id}


def damage(opened: WorkspaceService) -> None:
    """Flip a byte in the middle of every large file of the store."""
    opened.close()
    for path in opened.workspace.store.rglob("*"):
        if path.is_file() and path.stat().st_size > 500_000:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.chmod(0o600)
            path.write_bytes(bytes(data))


@pytest.mark.parametrize("still_there", [True, False])
def test_repair_says_what_it_mended_and_what_is_lost(opened, still_there):
    big = opened.workspace.root / "big.bin"
    big.write_bytes(random.Random(1).randbytes(1_000_000))
    commit = opened.commit("one").commit
    assert opened.repair().mended == opened.repair().lost == []
    damage(opened)
    if not still_there:
        big.write_bytes(b"overwritten")
    with closing(WorkspaceService.open(opened.workspace.root)) as again:
        result = again.repair()
        told, other = (result.mended, result.lost)[:: 1 if still_there else -1]
        assert {problem.path for problem in told} == {"big.bin"} and other == []
        assert commit and {problem.commit for problem in told} == {commit.id}
        assert bool(again.verify().problems) is not still_there
        assert again.open_file("HEAD", "a.txt")[1].read() == b"one"


def test_a_commit_says_what_it_could_not_freeze(opened):
    root = opened.workspace.root
    for number in range(2):
        os.mkfifo(root / f"pipe{number}")
    assert opened.commit("one").message.endswith(
        " Left out: pipe0 (it is a named pipe, which has no content to freeze),"
        " pipe1 (it is a named pipe, which has no content to freeze)."
    )
    for number in range(2, 6):
        os.mkfifo(root / f"pipe{number}")
    (root / "a.txt").write_text("two")
    assert opened.commit("two").message.endswith("freeze), 3 more.")


def test_content_goes_to_another_workspace_and_stays_there(opened, tmp_path):
    first = opened.commit("one").commit
    (opened.workspace.root / "a.txt").write_text("two")
    second = opened.commit("two").commit
    assert first and second
    (tmp_path / "other").mkdir()
    Workspace.create(tmp_path / "other")
    with closing(WorkspaceService.open(tmp_path / "other", contents_root=tmp_path)) as other:
        for commit, base in ((first, None), (second, "HEAD~1")):
            stream = BytesIO()
            opened.send(commit.id, stream, base)
            stream.seek(0)
            assert other.receive(stream) == commit.snapshot
        assert other.commits().total == 0
        other.engine.grace = 0
        other.gc()
        other.restore(second.snapshot, tmp_path / "back")
        assert (tmp_path / "back" / "a.txt").read_text() == "two"
        other.clone(first.snapshot, tmp_path / "cloned")
        assert (tmp_path / "cloned" / "a.txt").read_text() == "one"
        other.gc(received=True)
        assert not other.engine.exists(first.snapshot)
        assert code(other.restore, first.snapshot, tmp_path / "no") == (404, "not_found")


def test_a_transfer_that_is_cut_can_go_on(opened, tmp_path):
    (opened.workspace.root / "big.bin").write_bytes(random.Random(1).randbytes(5_000_000))
    commit = opened.commit("one").commit
    assert commit
    stream = BytesIO()
    opened.send("HEAD", stream)
    (tmp_path / "other").mkdir()
    Workspace.create(tmp_path / "other")
    with closing(WorkspaceService.open(tmp_path / "other", contents_root=tmp_path)) as other:
        with pytest.raises(ApiError) as caught:
            other.receive(BytesIO(stream.getvalue()[:3_000_000]))
        assert (caught.value.status, caught.value.code) == (409, "transfer_cut")
        assert isinstance(caught.value.__cause__, TransferError)
        token = caught.value.__cause__.token
        assert other.partial() == {commit.snapshot: token}
        rest = BytesIO()
        opened.send("HEAD", rest, resume=token)
        assert len(rest.getvalue()) < len(stream.getvalue())
        rest.seek(0)
        assert other.receive(rest) == commit.snapshot
        assert other.partial() == {}


def test_what_cannot_be_received(opened):
    for data in (b"", b"not a stream at all" * 100):
        status, _ = code(opened.receive, BytesIO(data))
        assert status in (409, 500)
    assert code(opened.send, "ffffffff", BytesIO()) == (404, "not_found")
    opened.commit("one")
    assert code(opened.send, "HEAD", BytesIO(), "ffffffff") == (404, "not_found")


def test_gc_waits_for_commits_and_gives_up_with_a_sentence(opened, monkeypatch):
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.1)
    with FileLock(opened.workspace.lock):
        assert code(opened.gc) == (409, "conflict")


def test_metadata_is_the_originals_array(opened):
    opened.commit("one")
    (opened.workspace.root / "a.txt").write_text("two")
    opened.commit("two")
    found = opened.metadata()
    assert [item["Metadata"]["message"] for item in found] == ["one", "two"]
    for item in found:
        assert set(item) == {"Id", "Metadata"}
        assert all(isinstance(value, str) for value in item["Metadata"].values())
        assert item["Metadata"]["timestamp"].isdigit()


def test_long_histories_are_read_in_pages(opened, monkeypatch):
    monkeypatch.setattr(store, "_PAGE", 2)
    for number in range(5):
        (opened.workspace.root / "a.txt").write_text(str(number))
        opened.commit(str(number))
    assert [item["Metadata"]["message"] for item in opened.metadata()] == list("01234")


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (CorruptStoreError, 500, "unreadable"),
        (SnapshotError, 500, "unreadable"),
        (RecordsError, 500, "unreadable"),
        (CommitterError, 409, "conflict"),
    ],
)
def test_errors_from_below(opened, monkeypatch, tmp_path, error, status, expected):
    def fail(*args):
        raise error(f"{opened.workspace.root}/a.txt is gone")

    monkeypatch.setattr(opened.committer, "status", fail)
    with pytest.raises(ApiError) as caught:
        opened.status()
    assert (caught.value.status, caught.value.code) == (status, expected)
    assert caught.value.message == "a.txt is gone"


def test_without_a_server_paths_are_absolute(opened):
    with closing(WorkspaceService.open(opened.workspace.root / "deep" / "er")) as found:
        assert found.info().path == str(opened.workspace.root)
        assert found.info().prefix == ""


def test_what_happened_is_told(tmp_path):
    Workspace.create(tmp_path)
    (tmp_path / "a.txt").touch()
    told: list[str] = []
    with closing(WorkspaceService.open(tmp_path, on_change=told.append)) as found:
        found.commit("x")
    assert told.index("committing") < told.index("committed")


def test_suggestions(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "project" / "deep").mkdir(parents=True)
    (tmp_path / "home" / "project" / ".git").mkdir()
    mapper = PathMapper(tmp_path / "home")
    deep = tmp_path / "home" / "project" / "deep"
    assert service.suggest(deep / "a.ipynb", mapper) == ("project", "")
    assert service.suggest(tmp_path / "home", mapper)[0] is None
    # the work tree's root is outside of what is served: the folder itself can be tracked
    assert service.suggest(deep, PathMapper(deep)) == ("", "")
