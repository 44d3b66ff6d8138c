# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of a file, followed through renamings, and bringing one back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from dotscience_jupyter.api import ApiError, WorkspaceService, models, placing
from dotscience_jupyter.committer import CommitterError
from dotscience_jupyter.records import Workspace
from dotscience_jupyter.records.store import NewChange, NewCommit, NewFile, NewRun
from dotscience_jupyter.snapshots.ignore import RESTORE_PREFIX


@pytest.fixture
def opened(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    Workspace.create(root)
    (root / "a.txt").write_text("one")
    with closing(WorkspaceService.open(root, author="Ada", contents_root=tmp_path)) as found:
        yield found


def write(opened: WorkspaceService, name: str, content: str) -> Path:
    path = opened.workspace.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def commit(opened: WorkspaceService, message: str) -> str:
    made = opened.commit(message).commit
    assert made is not None
    return made.id


def publish(opened: WorkspaceService, **run: object) -> str:
    run_id = str(uuid.uuid4())
    empty = {"version": "1", "input": [], "output": [], "labels": {}, "summary": {}}
    document = {
        "format": 1,
        "id": run_id,
        "run": empty | {"parameters": {}} | run,
        "root": str(opened.workspace.root),
        "source": {"kind": "script", "path": str(opened.workspace.root / "t.py")},
    }
    opened.workspace.spool.mkdir(exist_ok=True)
    (opened.workspace.spool / f"{run_id}.json").write_text(json.dumps(document))
    assert run_id in opened.committer.scan().runs
    return run_id


def told(opened: WorkspaceService, file: str, **page: int) -> list[tuple[str, str, str]]:
    items = opened.history.versions(file, **page).items
    return [(item.message, item.path, item.change) for item in items]


def code(call, *args, **kwargs) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        call(*args, **kwargs)
    return caught.value.status, caught.value.code


def litter(opened: WorkspaceService) -> list[str]:
    return [p.name for p in opened.workspace.root.rglob(f"{RESTORE_PREFIX}*")]


# looking


def test_the_versions_of_a_file(opened):
    first = commit(opened, "first")
    write(opened, "other.txt", "x")
    commit(opened, "not of it")
    write(opened, "a.txt", "second")
    second = commit(opened, "changed")
    (opened.workspace.root / "a.txt").unlink()
    commit(opened, "gone")
    found = opened.history.versions("a.txt")
    assert [(v.message, v.change) for v in found.items] == [
        ("gone", "removed"),
        ("changed", "modified"),
        ("first", "first"),
    ]
    assert [v.size for v in found.items] == [None, 6, 3]
    assert [v.commit for v in found.items][1:] == [second, first]
    assert found.items[1].author == "Ada"
    assert found.items[1].digest == opened.find_file(second, "a.txt")[0].digest
    assert found.items[2].digest == opened.find_file(first, "a.txt")[0].digest
    assert (found.total, found.changed, found.present) == (3, False, None)
    write(opened, "a.txt", "again")
    found = opened.history.versions("a.txt")
    assert found.changed
    assert found.present == placing.digest_of(opened.workspace.root / "a.txt")


def test_a_file_that_came_later_has_no_first_version(opened):
    commit(opened, "first")
    write(opened, "b.txt", "b")
    commit(opened, "added")
    assert told(opened, "b.txt") == [("added", "b.txt", "added")]


def test_renamings_are_followed(opened):
    root = opened.workspace.root
    write(opened, "a.txt", "one " * 100)
    commit(opened, "first")
    write(opened, "a.txt", "two " * 100)
    commit(opened, "two")
    (root / "folder").mkdir()
    (root / "a.txt").rename(root / "folder" / "b.txt")
    commit(opened, "moved")
    write(opened, "folder/b.txt", "three " * 100)
    # another file of the old name is none of its history
    write(opened, "a.txt", "another")
    commit(opened, "three")
    (root / "folder" / "b.txt").rename(root / "c.txt")
    commit(opened, "moved again")
    assert told(opened, "c.txt") == [
        ("moved again", "c.txt", "renamed"),
        ("three", "folder/b.txt", "modified"),
        ("moved", "folder/b.txt", "renamed"),
        ("two", "a.txt", "modified"),
        ("first", "a.txt", "first"),
    ]
    # the old name ends with its removal, and begins anew
    assert told(opened, "a.txt") == [
        ("three", "a.txt", "added"),
        ("moved", "a.txt", "removed"),
        ("two", "a.txt", "modified"),
        ("first", "a.txt", "first"),
    ]
    assert told(opened, "c.txt", offset=1, limit=2) == told(opened, "c.txt")[1:3]


def test_runs_that_wrote_a_version(opened):
    commit(opened, "first")
    write(opened, "t.py", "print()")
    write(opened, "model.bin", "weights")
    one = publish(opened, output=["model.bin"])
    again = publish(opened, output=["model.bin"])  # the same bytes once more
    write(opened, "model.bin", "other weights")
    two = publish(opened, output=["model.bin"])
    write(opened, "model.bin", "by hand")
    commit(opened, "by hand")
    found = opened.history.versions("model.bin")
    assert [[run.id for run in v.runs] for v in found.items] == [[], [two], [again, one]]
    assert [v.total_runs for v in found.items] == [0, 1, 2]
    page = opened.history.versions("model.bin", offset=1, limit=1)
    assert [[run.id for run in v.runs] for v in page.items] == [[two]]
    # of a script, the runs that it made are of its version
    assert [run.id for run in opened.history.versions("t.py").items[0].runs] == [one]


def test_a_correction_wrote_nothing(opened):
    commit(opened, "first")
    write(opened, "stray.bin", "x")
    publish(opened, output=["other"])
    (version,) = opened.history.versions("stray.bin").items
    assert version.runs == []


def test_what_is_asked_for_badly(opened):
    history = opened.history
    write(opened, "folder/x", "x")
    commit(opened, "first")
    assert code(history.versions, "missing") == (404, "not_found")
    assert code(history.versions, "folder") == (400, "invalid_request")
    assert code(history.versions, "../a.txt") == (403, "forbidden_path")
    assert code(history.versions, "/etc/passwd") == (403, "forbidden_path")
    write(opened, "new.txt", "x")
    found = history.versions("new.txt")
    assert (found.items, found.total, found.changed) == ([], 0, True)
    assert history.versions("a.txt", offset=5).items == []


def test_odd_names_and_links(opened):
    root = opened.workspace.root
    name = os.fsdecode(b"\xff\n<b>.txt")
    (root / name).write_text("odd")
    (root / "link").symlink_to("a.txt")
    commit(opened, "first")
    text = r"\xff\x0a<b>.txt"
    (version,) = opened.history.versions(text).items
    assert version.path == "\\xff\n<b>.txt"
    link = opened.history.versions("link")
    assert (link.items[0].change, link.changed, link.present) == ("first", False, None)
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")
    assert opened.history.versions("link").changed


def test_ten_thousand_commits_take_a_moment(opened):
    snapshot = opened.engine.snapshot().id
    run = [NewRun("r1", "workload", files=[NewFile("output", "a.txt")])]
    head = None
    for start in range(0, 10_000, 1000):
        made = opened.records.commit(
            [
                NewCommit(
                    snapshot,
                    "dotscience.run.v1",
                    f"commit {number}",
                    "Ada",
                    runs=run if number == 5000 else [],
                    changes=[
                        NewChange("a.txt", "modified", "d" * 64),
                        NewChange(f"other/{number}", "added"),
                    ],
                )
                for number in range(start, start + 1000)
            ],
            expected_head=head,
        )
        head = made[-1].id
    times = []
    for _ in range(3):
        # what it costs, whatever else the machine is doing
        begin = time.process_time()
        found = opened.history.versions("a.txt", offset=4950)
        times.append(time.process_time() - begin)
    assert (found.total, len(found.items)) == (10_000, 100)
    assert [v.message for v in found.items] == [f"commit {n}" for n in range(5049, 4949, -1)]
    assert [run.id for version in found.items for run in version.runs] == ["r1"]
    assert min(times) < 0.2
    assert opened.history.versions("other/9000").total == 1


# bringing back


def bring(opened, commit_id, path="a.txt", *, expected="now", to=""):
    live = opened.workspace.root / (to.removeprefix("project/") or path)
    if expected == "now":
        expected = placing.digest_of(live)
    wanted = models.BringBack(path=path, to=to, expected=expected)
    return opened.history.bring_back(commit_id, wanted, "Eve")


def test_a_version_comes_back_and_what_was_there_is_kept(opened):
    path = opened.workspace.root / "a.txt"
    path.chmod(0o755)
    old = commit(opened, "first")
    os.utime(path, (1e9, 1e9))
    write(opened, "a.txt", "not committed")
    path.chmod(0o644)
    result = bring(opened, old)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one", 0o755)
    assert time.time() - path.stat().st_mtime < 60
    assert opened.open_file(result.before, "a.txt")[1].read() == b"not committed"
    assert opened.open_file(result.commit, "a.txt")[1].read() == b"one"
    assert (result.path, result.commit) == ("project/a.txt", opened.commits().items[0].id)
    assert [c.message for c in opened.commits().items] == [
        f"Brought back a.txt as of {old[:12]}",
        f"Before bringing back a.txt as of {old[:12]}",
        "first",
    ]
    assert opened.commits().items[0].author == "Eve"
    assert litter(opened) == []


def test_a_removed_file_comes_back_with_its_folder(opened):
    write(opened, "deep/er/b.txt", "b")
    old = commit(opened, "first")
    (opened.workspace.root / "deep/er/b.txt").unlink()
    (opened.workspace.root / "deep/er").rmdir()
    (opened.workspace.root / "deep").rmdir()
    result = bring(opened, old, "deep/er/b.txt")
    assert (opened.workspace.root / "deep/er/b.txt").read_text() == "b"
    assert result.before is None
    assert "before" not in result.message


def test_to_another_place(opened):
    old = commit(opened, "first")
    write(opened, "b.txt", "b")
    result = bring(opened, old, to="project/b.txt")
    assert (opened.workspace.root / "b.txt").read_text() == "one"
    assert opened.open_file(result.before, "b.txt")[1].read() == b"b"


def test_what_changed_since_it_was_shown_stays(opened):
    old = commit(opened, "first")
    write(opened, "a.txt", "two")
    shown = placing.digest_of(opened.workspace.root / "a.txt")
    write(opened, "a.txt", "three")
    assert code(bring, opened, old, expected=shown) == (409, "changed")
    assert code(bring, opened, old, expected=None) == (409, "changed")
    (opened.workspace.root / "a.txt").unlink()
    assert code(bring, opened, old, expected=shown) == (409, "changed")
    assert opened.commits().total == 1
    assert litter(opened) == []


def test_what_changes_at_the_last_moment_stays(opened, monkeypatch):
    old = commit(opened, "first")
    path = write(opened, "a.txt", "two")
    restore = opened.engine.restore

    def slow(*args, **kwargs):
        path.write_text("typed meanwhile")
        return restore(*args, **kwargs)

    monkeypatch.setattr(opened.engine, "restore", slow)
    assert code(bring, opened, old) == (409, "changed")
    assert path.read_text() == "typed meanwhile"
    path.write_text("four")
    monkeypatch.setattr(opened.engine, "restore", restore)
    replace = os.replace

    def replaced(source, target):
        if target == path and path.read_text() == "four":
            path.write_text("in the very last moment")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    assert code(bring, opened, old) == (409, "changed")
    assert path.read_text() == "in the very last moment"
    assert litter(opened) == []


def test_an_ignored_file_is_not_overwritten(opened):
    old = commit(opened, "first")
    write(opened, ".dotscienceignore", "a.txt\n")
    write(opened, "a.txt", "only here")
    assert code(bring, opened, old) == (409, "refused")
    assert (opened.workspace.root / "a.txt").read_text() == "only here"


def test_places_that_are_none(opened, tmp_path):
    root = opened.workspace.root
    write(opened, "folder/x", "x")
    (root / "link").symlink_to("a.txt")
    old = commit(opened, "first")
    (tmp_path / "outside").mkdir()
    (root / "way").symlink_to(tmp_path / "outside")
    for to in ("elsewhere.txt", "project/../up.txt", "project/.dotscience/records.db"):
        assert code(bring, opened, old, to=to, expected=None) == (403, "forbidden_path"), to
    assert code(bring, opened, old, to="project/folder", expected=None) == (409, "exists")
    assert code(bring, opened, old, to="project/link", expected=None) == (409, "exists")
    assert code(bring, opened, old, to="project/a.txt/b", expected=None) == (409, "exists")
    assert code(bring, opened, old, "folder", expected=None) == (400, "invalid_request")
    assert code(bring, opened, old, "link", expected=None) == (400, "invalid_request")
    assert code(bring, opened, old, "missing", expected=None) == (404, "not_found")
    assert code(bring, opened, "beef", expected=None) == (404, "not_found")
    assert (root / "a.txt").read_text() == "one"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_commit_that_fails_afterwards_is_said_so(opened, monkeypatch):
    old = commit(opened, "first")
    write(opened, "a.txt", "two")
    whole = opened.committer.commit

    def half(description, author=None):
        if description.startswith("Brought"):
            raise CommitterError("The disk is full")
        return whole(description, author)

    monkeypatch.setattr(opened.committer, "commit", half)
    result = bring(opened, old)
    assert result.commit is None
    assert "not committed yet: The disk is full" in result.message
    assert (opened.workspace.root / "a.txt").read_text() == "one"


KILLED = """
import os, signal, sys
from pathlib import Path
from dotscience_jupyter.api import WorkspaceService, models, placing
service = WorkspaceService.open(Path(sys.argv[1]))
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "before":
    placing._staged = die
elif sys.argv[3] == "written":
    placing.os.replace = die
else:
    placing._sync = die
live = service.workspace.root / "a.txt"
service.history.bring_back(
    sys.argv[2], models.BringBack(path="a.txt", to="", expected=placing.digest_of(live))
)
"""


@pytest.mark.parametrize(
    ("moment", "there"), [("before", "two"), ("written", "two"), ("after", "one")]
)
def test_killed_at_any_moment_nothing_is_lost(opened, moment, there):
    old = commit(opened, "first")
    path = write(opened, "a.txt", "two")
    arguments = [sys.executable, "-c", KILLED, str(opened.workspace.root), old, moment]
    assert subprocess.run(arguments, check=False, timeout=120).returncode == -9
    assert path.read_text() == there
    newest = opened.commits().items[0]
    assert newest.message.startswith("Before bringing back")
    assert opened.open_file(newest.id, "a.txt")[1].read() == b"two"
    assert opened.verify().problems == []
    bring(opened, old)
    assert path.read_text() == "one"


# scratch copies


def test_a_scratch_copy_takes_a_name_that_is_free(opened):
    path = write(opened, "sub/train.ipynb", "{}")
    path.chmod(0o444)
    old = commit(opened, "first")
    path.chmod(0o644)
    path.write_text("new")
    wanted = models.ScratchCopy(path="sub/train.ipynb")
    names = [opened.history.scratch_copy(old, wanted).path for _ in range(3)]
    stem = f"project/sub/train-{old[:8]}"
    assert names == [f"{stem}.ipynb", f"{stem}-2.ipynb", f"{stem}-3.ipynb"]
    copy = opened.workspace.root / "sub" / f"train-{old[:8]}-3.ipynb"
    assert copy.read_text() == "{}"
    assert copy.stat().st_mode & 0o600 == 0o600
    assert copy.stat().st_nlink == 1
    assert path.read_text() == "new"
    assert litter(opened) == []


def test_scratch_copies_of_what_is_none(opened):
    write(opened, "folder/x", "x")
    old = commit(opened, "first")
    for path, expected in (
        ("folder", (400, "invalid_request")),
        ("missing", (404, "not_found")),
        ("../a.txt", (403, "forbidden_path")),
    ):
        wanted = models.ScratchCopy(path=path)
        assert code(opened.history.scratch_copy, old, wanted) == expected
    (opened.workspace.root / "folder" / "x").unlink()
    (opened.workspace.root / "folder").rmdir()
    write(opened, "folder", "a file now")
    wanted = models.ScratchCopy(path="folder/x")
    assert code(opened.history.scratch_copy, old, wanted) == (409, "exists")


def test_where_file_systems_have_no_second_names(opened, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "not permitted")

    old = commit(opened, "first")
    monkeypatch.setattr(placing.os, "link", refuse)
    wanted = models.ScratchCopy(path="a.txt")
    names = [opened.history.scratch_copy(old, wanted).path for _ in range(2)]
    assert names == [f"project/a-{old[:8]}.txt", f"project/a-{old[:8]}-2.txt"]
    write(opened, "a.txt", "two")
    bring(opened, old)
    assert (opened.workspace.root / "a.txt").read_text() == "one"
