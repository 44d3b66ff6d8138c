# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The commit of a merge: both parents, one lock, and what is left when its process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from committer_world import World, new_id, run_record
from filelock import FileLock

from dotscience_jupyter.committer import CommitterError, MergeWish, OverwrittenError, Placed
from dotscience_jupyter.records.store import NewCommit
from dotscience_jupyter.snapshots.engine import Kind

WRITER = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from committer_world import World
from dotscience_jupyter.committer import MergeWish, Placed, placing
from dotscience_jupyter.snapshots.engine import Kind

world = World(Path(sys.argv[1]))
when = sys.argv[3]
theirs, head = world.records.get_commit("HEAD~2").id, world.records.head()
things = [
    Placed("a.txt", Kind.FILE, b"theirs"),
    Placed("gone/b.txt", None),
    Placed("new/c.txt", Kind.FILE, b"c"),
]
wish = MergeWish("m1", "Merged", theirs, "x", head.snapshot, things)
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
if when == "journal":
    from dotscience_jupyter.committer import merging
    merging.place = die
elif when == "half":
    real, times = placing._write, []
    def write(*arguments):
        if times: die()
        times.append(1)
        return real(*arguments)
    placing._write = write
elif when == "written":
    real = world.engine.snapshot
    def snapshot(progress=None, look_at=()):
        if (world.root / "new/c.txt").exists(): die()
        return real(progress, look_at)
    world.engine.snapshot = snapshot
elif when == "recorded":
    world.committer._recorder._end_journal = die
world.committer.merges.commit(wish)
"""


def tree(root: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(root.rglob("*")):
        if ".dotscience" in path.parts or path.is_dir():
            continue
        status = path.stat()
        found[str(path.relative_to(root))] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
    return found


@pytest.fixture
def past(world: World) -> Any:
    """Three commits; the first one is to be merged again."""
    for text in ("one", "two", "three"):
        world.write("a.txt", text)
        world.write("gone/b.txt", "b")
        done = world.committer.commit(text)
    return done.commits[-1]


def wish(world: World, *things: Placed, **fields: Any) -> MergeWish:
    head = world.records.head()
    other = world.records.get_commit("HEAD~2").id
    values = {"theirs": other, "merged": other, "expected": head.snapshot} | fields
    return MergeWish("m1", "Merged it", things=list(things), **values)


def test_a_merge_has_two_parents_and_says_so(world: World, past: Any) -> None:
    things = [Placed("a.txt", Kind.FILE, b"both", 0o755), Placed("gone/b.txt", None)]
    done = world.committer.merges.commit(wish(world, *things), "Grace")
    [merge] = done.commits
    other = world.records.get_commit("HEAD~3").id
    assert [parent.parent_id for parent in merge.parents] == [past.id, other]
    assert (merge.type, merge.author, merge.message) == (
        "dotscience.merge.v1",
        "Grace",
        "Merged it",
    )
    assert merge.details["merge.commit"] == other
    assert world.events[-2:] == ["committing", "committed"]
    assert world.committer.status(fresh=True).state == "clean"
    assert (world.root / "a.txt").stat().st_mode & 0o777 == 0o755
    ancestry = world.records.ancestry
    assert ancestry.is_ancestor(other, merge.id) and not ancestry.is_ancestor(merge.id, other)


def test_a_merge_that_changes_nothing_is_recorded_all_the_same(world: World, past: Any) -> None:
    [merge] = world.committer.merges.commit(wish(world)).commits
    assert merge.snapshot == past.snapshot and len(merge.parents) == 2


def test_a_second_parent_is_part_of_the_id(world: World, past: Any) -> None:
    [merge] = world.committer.merges.commit(wish(world)).commits
    database = world.records._database
    from sqlalchemy import delete, text

    from dotscience_jupyter.records.models import CommitParent

    first = merge.parents[1].parent_id
    with database.writing() as session:
        session.execute(
            delete(CommitParent).where(
                CommitParent.commit_id == merge.id, CommitParent.position == 1
            )
        )
    assert any("not those that its id stands for" in told for _, told in world.records.verify())
    with database.writing() as session:
        session.execute(
            text("insert into commit_parents values (:c, 1, :p)"), {"c": merge.id, "p": first}
        )


def test_parents_that_are_not_here_are_refused(world: World, past: Any) -> None:
    from dotscience_jupyter.records import RecordsError

    new = NewCommit(past.snapshot, "x", "x", "x", parents=["f" * 64])
    with pytest.raises(RecordsError, match="not recorded here"):
        world.records.commit([new], expected_head=past.id)
    assert world.records.head().id == past.id


def test_what_is_there_and_runs_that_wait_are_committed_first(world: World, past: Any) -> None:
    run_id = new_id()
    world.write("other.txt", "mine")
    world.spool(run_record(run_id, world.root))
    done = world.committer.merges.commit(wish(world, Placed("a.txt", Kind.FILE, b"x")))
    assert run_id in done.runs
    assert done.commits[-1].message == "Merged it"
    assert world.records.verify() == []


@pytest.mark.parametrize(
    ("mine", "placed"),
    [("a.txt", "a.txt"), ("gone/b.txt", "gone"), ("new", "new/c.txt"), ("gone/x", "gone")],
)
def test_what_changed_since_is_not_overwritten(
    world: World, past: Any, mine: str, placed: str
) -> None:
    wanted = wish(world, Placed(placed, Kind.FILE, b"theirs"))
    world.write(mine, "mine")
    with pytest.raises(OverwrittenError, match=mine) as error:
        world.committer.merges.commit(wanted)
    assert error.value.paths == [mine]
    assert (world.root / mine).read_text() == "mine"


def test_others_wait_for_it(world: World, past: Any) -> None:
    done = threading.Event()

    def merge() -> None:
        world.committer.merges.commit(wish(world, Placed("a.txt", Kind.FILE, b"x")))
        done.set()

    thread = threading.Thread(target=merge)
    with FileLock(world.workspace.lock):
        thread.start()
        assert not done.wait(0.3)
        assert (world.root / "a.txt").read_text() == "three"
    thread.join()
    assert (world.root / "a.txt").read_text() == "x"


@pytest.mark.parametrize("when", ["journal", "half", "written", "recorded"])
def test_a_merge_that_is_killed_leaves_the_old_state_or_the_new_one(
    world: World, past: Any, when: str
) -> None:
    before = tree(world.root)
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(world.root), str(Path(__file__).parent), when],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (world.workspace.folder / "merge/journal.json").exists()
    if when == "half":
        assert tree(world.root) != before
    world.committer.merges.recover()
    if when == "recorded":
        assert (world.root / "a.txt").read_text() == "theirs"
        assert len(world.records.head().parents) == 2
        assert world.committer.merges.is_made("m1")
    else:
        assert tree(world.root) == before and not (world.root / "new").exists()
        assert world.records.head().id == past.id
    assert not (world.workspace.folder / "merge/journal.json").exists()
    assert world.committer.status(fresh=True).state == "clean"


def test_whoever_commits_next_puts_back_first(world: World, past: Any) -> None:
    _killed(world)
    world.write("note.txt", "new")
    world.committer.commit("next")
    assert (world.root / "a.txt").read_text() == "three"
    assert [
        change.path for change in world.engine.diff(past.snapshot, world.records.head().snapshot)
    ] == ["note.txt"]


def test_work_that_was_done_since_is_not_put_back(world: World, past: Any) -> None:
    _killed(world)
    world.write("a.txt", "work of an hour")
    world.committer.merges.recover()
    assert (world.root / "a.txt").read_text() == "work of an hour"
    assert (world.root / "gone/b.txt").read_text() == "b"


def _killed(world: World) -> None:
    arguments = [sys.executable, "-c", WRITER, str(world.root), str(Path(__file__).parent)]
    subprocess.run([*arguments, "written"], check=False, timeout=120)
    assert (world.root / "a.txt").read_text() == "theirs"


def test_a_journal_that_was_not_whole_is_nothing(world: World, past: Any) -> None:
    journal = world.workspace.folder / "merge/journal.json"
    journal.parent.mkdir()
    journal.write_text('{"merge": ')
    world.committer.merges.recover()
    assert not journal.exists()


def test_files_that_cannot_be_put_back_are_said_so(
    world: World, past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("dotscience_jupyter.committer.merging.put_back", refuse)
        patched.setattr(world.records, "commit", refuse)
        with pytest.raises(CommitterError, match="could not be put back: No space left"):
            world.committer.merges.commit(wish(world, Placed("a.txt", Kind.FILE, b"x")))
    assert (world.root / "a.txt").read_text() == "x"
    world.committer.merges.recover()
    assert (world.root / "a.txt").read_text() == "three"


def test_nothing_is_written_through_a_link(world: World, past: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.root / "way").symlink_to(outside)
    world.committer.commit("a link")
    with pytest.raises(CommitterError):
        world.committer.merges.commit(wish(world, Placed("way/in.txt", Kind.FILE, b"x")))
    assert list(outside.iterdir()) == []
    assert json.dumps(world.messages()).count("Merged") == 0


def test_what_is_ignored_is_not_overwritten(world: World, past: Any) -> None:
    world.write(".dotscienceignore", "cache/\n")
    world.write("cache/kept.bin", "never frozen")
    world.committer.commit("ignoring")
    with pytest.raises(OverwrittenError, match="not part of any commit: cache/kept.bin"):
        world.committer.merges.commit(wish(world, Placed("cache/kept.bin", Kind.FILE, b"x")))
    assert (world.root / "cache/kept.bin").read_text() == "never frozen"


def test_folders_come_and_go_with_their_files(world: World, past: Any) -> None:
    things = [
        Placed("gone/b.txt", None),
        Placed("gone", None),
        Placed("new/deep/file", Kind.FILE, b"x"),
        Placed("empty", Kind.FOLDER, mode=0o750),
    ]
    world.committer.merges.commit(wish(world, *things))
    assert not (world.root / "gone").exists()
    assert (world.root / "empty").stat().st_mode & 0o777 == 0o750
    things = [
        Placed("new/deep/file", None),
        Placed("new/deep", None),
        Placed("new", Kind.FILE, b"f"),
    ]
    world.committer.merges.commit(wish(world, *things))
    assert (world.root / "new").read_bytes() == b"f"
