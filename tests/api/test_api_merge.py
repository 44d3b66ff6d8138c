# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Merges in a real workspace: what comes together, what is in conflict, what is put back."""

from __future__ import annotations

import base64
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merge_world import Content, World, book, cell

from dotscience_jupyter.api import ApiError, WorkspaceService, models
from dotscience_jupyter.records import RecordsError

TEXT = "".join(f"line {number}\n" for number in range(1, 11))


def changed(text: str, **lines: str) -> str:
    """A text in which lines are others: ``line_3="three"``."""
    for name, line in lines.items():
        text = text.replace(f"{name.replace('_', ' ')}\n", f"{line}\n", 1)
    return text


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = World(tmp_path / "project")
    yield opened
    opened.check()
    opened.close()


def test_what_one_side_changed_is_that_sides(world: World) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "b.txt": "b\n", "gone.txt": "g\n", "deep/kept.txt": "k"},
        {"a.txt": "mine\n", "mine.txt": "new\n"},
        {"b.txt": "b2\n", "gone.txt": None, "deep/new.bin": b"\0\1"},
    )
    merge = world.service.merge.start(theirs)
    assert world.files(merge) == {
        "a.txt": ("yours", None, 0),
        "mine.txt": ("yours", None, 0),
        "b.txt": ("theirs", "modified", 0),
        "gone.txt": ("theirs", "removed", 0),
        "deep/new.bin": ("theirs", "added", 0),
    }
    assert merge.base.label.endswith("base") and not merge.stale
    assert world.text("b.txt") == "b\n", "nothing is written before the merge is finished"
    done = world.service.merge.finish()
    assert done.written == ["b.txt", "deep/new.bin", "gone.txt"]
    assert {path.name: path.read_bytes() for path in world.root.glob("*.txt")} == {
        "a.txt": b"mine\n",
        "b.txt": b"b2\n",
        "mine.txt": b"new\n",
    }
    assert (world.root / "deep/new.bin").read_bytes() == b"\0\1"
    commit = world.service.commit_detail("HEAD")
    assert commit.id == done.commit and commit.type == "dotscience.merge.v1"
    assert commit.parents == [merge.yours.ref, theirs]
    assert commit.metadata["merge.commit"] == theirs
    assert world.service.merge.get().merge is None
    assert world.service.status(fresh=True).status == "clean"


def test_text_that_both_changed(world: World) -> None:
    theirs = world.parted(
        {"a.txt": TEXT},
        {"a.txt": changed(TEXT, line_2="two", line_9="mine")},
        {"a.txt": changed(TEXT, line_5="five", line_9="theirs")},
    )
    merge = world.service.merge.start(theirs)
    assert world.files(merge) == {"a.txt": ("conflict", "modified", 1)} and merge.conflicts == 1
    detail = world.service.merge.file("a.txt")
    [conflict] = detail.conflicts
    assert (conflict.where, conflict.base, conflict.yours, conflict.theirs) == (
        "line 9",
        "line 9\n",
        "mine\n",
        "theirs\n",
    )
    assert [segment.state for segment in detail.segments] == [
        "same", "yours", "same", "theirs", "same", "conflict", "same",
    ]  # fmt: skip
    with pytest.raises(ApiError, match="Conflicts are open in a.txt") as error:
        world.service.merge.finish()
    assert (error.value.status, error.value.code) == (409, "conflict")
    for choice, text in (
        ("yours", "mine\n"),
        ("theirs", "theirs\n"),
        ("both", "mine\ntheirs\n"),
        ("base", "line 9\n"),
    ):
        found = world.choose("a.txt", choice, conflict.id)
        assert (found.file.state, found.conflicts[0].result) == ("resolved", text)
    assert world.choose("a.txt", None, conflict.id).file.state == "conflict"
    world.choose("a.txt", "edited", conflict.id, "by hand")
    world.service.merge.finish("together")
    result = changed(TEXT, line_2="two", line_5="five", line_9="by hand")
    assert world.text("a.txt") == result
    assert world.service.commit_detail("HEAD").message == "together"


def test_notebooks_come_together_cell_by_cell(world: World) -> None:
    base = [cell("import x", "1"), cell("a = 1\nb = 2\nc = 3"), cell("d = 4"), cell("e")]
    mine = [
        base[0],
        cell("a = 9\nb = 2\nc = 3", id_=base[1]["id"]),
        cell("d = 5", id_=base[2]["id"]),
        base[3],
    ]
    other = [
        cell("import x", "2"),
        cell("a = 1\nb = 2\nc = 8", id_=base[1]["id"]),
        cell("d = 6", id_=base[2]["id"]),
        base[3],
        cell("new = 1"),
    ]
    theirs = world.parted(
        {"n.ipynb": book(*base)}, {"n.ipynb": book(*mine)}, {"n.ipynb": book(*other)}
    )
    merge = world.service.merge.start(theirs)
    assert world.files(merge) == {"n.ipynb": ("conflict", "modified", 1)}
    detail = world.service.merge.file("n.ipynb")
    states = [each.state for each in detail.cells]
    assert states == ["theirs", "merged", "conflict", "same", "theirs"]
    assert detail.cells[1].result["source"] == "a = 9\nb = 2\nc = 8"
    [conflict] = detail.conflicts
    assert (conflict.where, conflict.yours, conflict.theirs) == ("cell 3", "d = 5", "d = 6")
    assert detail.cells[2].conflict == conflict.id
    world.choose("n.ipynb", "theirs", conflict.id)
    world.service.merge.finish()
    cells = json.loads(world.text("n.ipynb"))["cells"]
    assert ["".join(each["source"]) for each in cells] == [
        "import x",
        "a = 9\nb = 2\nc = 8",
        "d = 6",
        "e",
        "new = 1",
    ]
    assert cells[0]["outputs"][0]["text"] == ["2"]


def test_outputs_that_conflict_are_cleared(world: World) -> None:
    theirs = world.parted(
        {"n.ipynb": book(cell("x", "1", execution_count=1))},
        {"n.ipynb": book(cell("x", "2", execution_count=2))},
        {"n.ipynb": book(cell("x", "3", execution_count=3))},
    )
    merge = world.service.merge.start(theirs)
    assert merge.conflicts == 0
    [merged] = world.service.merge.file("n.ipynb").cells
    assert (merged.state, merged.cleared, merged.outputs) == ("merged", True, [])
    world.service.merge.finish()
    [found] = json.loads(world.text("n.ipynb"))["cells"]
    assert (found["outputs"], found["execution_count"]) == ([], None)


def drawn(source: str, picture: bytes, text: str, count: int) -> dict[str, Any]:
    """A cell that printed something and drew a picture."""
    data = {"image/png": base64.b64encode(picture).decode(), "text/plain": "<Figure>"}
    outputs = [
        nbformat.v4.new_output("stream", text="loading\n"),
        nbformat.v4.new_output("display_data", data),
        nbformat.v4.new_output("stream", text=text),
    ]
    return {**cell(source, id_="drawn", execution_count=count), "outputs": outputs}


def test_a_conflict_shows_what_both_sides_made(world: World) -> None:
    mine, other = (bytes([n]) + b"picture" * 2000 for n in (1, 2))
    theirs = world.parted(
        {"n.ipynb": book(drawn("rate = 1", b"0" * 20000, "loss 1\n", 1), cell("gone"))},
        {"n.ipynb": book(cell("new"), drawn("rate = 2", mine, "loss 2\n", 2))},
        {"n.ipynb": book(drawn("rate = 3", other, "loss 3\n", 3), cell("went", "made", "cgone"))},
    )
    merge = world.service.merge.start(theirs)
    assert merge.conflicts == 2
    detail = world.service.merge.file("n.ipynb")
    assert mine[:9] not in detail.model_dump_json().encode(), "large parts are not sent"
    _, first, second = detail.cells
    same, picture, text = first.outputs
    assert (same.change, same.old, same.new) == ("same", None, None)
    assert text.text is not None and text.change == "modified"
    [row] = text.text.rows
    assert (row.old, row.new) == ("loss 2", "loss 3")
    for found, expected in ((picture.old, mine), (picture.new, other)):
        assert found is not None
        assert found.output["data"] == {"text/plain": "<Figure>"}
        [blob] = found.blobs
        data, digest = world.service.comparison.blob(
            blob.ref, blob.path, blob.cell, blob.output, blob.mime
        )
        assert (data, digest) == (expected, blob.digest)
    assert all("outputs" not in side for side in (first.yours, first.theirs) if side)
    # a cell that you removed has theirs only
    [gone] = second.outputs
    assert gone.old is None and gone.new is not None and gone.new.output["text"] == "made"


@pytest.mark.parametrize(
    ("choice", "cleared", "kept"),
    [
        ("yours", False, [["2"]]),
        ("theirs", False, [["3"]]),
        ("both", False, [["2"], ["3"]]),
        ("base", True, [[]]),
        ("edited", True, [[]]),
    ],
)
def test_a_choice_tells_whether_its_outputs_are_kept(
    world: World, choice: str, cleared: bool, kept: list[list[str]]
) -> None:
    theirs = world.parted(
        {"n.ipynb": book(cell("x = 1", "1", "c"))},
        {"n.ipynb": book(cell("x = 2", "2", "c"))},
        {"n.ipynb": book(cell("x = 3", "3", "c"))},
    )
    world.service.merge.start(theirs)
    [told] = world.service.merge.file("n.ipynb").cells
    assert told.conflict is not None and not told.cleared
    text = "x = 4" if choice == "edited" else None
    detail = world.choose("n.ipynb", choice, told.conflict, text)
    [told] = detail.cells
    assert (told.cleared, told.outputs[0].change) == (cleared, "modified")
    world.service.merge.finish()
    cells = json.loads(world.text("n.ipynb"))["cells"]
    assert [[line for o in c["outputs"] for line in o["text"]] for c in cells] == kept


def test_binaries_and_removals_are_chosen_as_a_whole(world: World) -> None:
    theirs = world.parted(
        {"m.bin": b"\0base", "r.txt": "r\n", "s.txt": "s\n"},
        {"m.bin": b"\0mine", "r.txt": None, "s.txt": "s mine\n"},
        {"m.bin": b"\0theirs", "r.txt": "r theirs\n", "s.txt": None},
    )
    merge = world.service.merge.start(theirs)
    assert world.files(merge) == {
        "m.bin": ("conflict", None, 1),
        "r.txt": ("conflict", None, 1),
        "s.txt": ("conflict", None, 1),
    }
    told = {each.path: each.message for each in merge.files}
    assert told["r.txt"] == "removed by you, changed by them"
    assert told["s.txt"] == "removed by them, changed by you"
    with pytest.raises(ApiError, match="chosen as a whole"):
        world.choose("m.bin", "both")
    world.choose("m.bin", "theirs")
    assert world.choose("r.txt", "theirs", "file").file.change == "added"
    assert world.choose("s.txt", "theirs").file.change == "removed"
    world.service.merge.finish()
    assert (world.root / "m.bin").read_bytes() == b"\0theirs"
    assert world.text("r.txt") == "r theirs\n" and not (world.root / "s.txt").exists()


def test_a_file_that_one_side_renamed_and_the_other_changed(world: World) -> None:
    theirs = world.parted(
        {"one.txt": TEXT, "two.bin": b"\0two" * 9, "x": "x"},
        {"one.txt": None, "1.txt": TEXT, "two.bin": b"\0mine"},
        {"one.txt": changed(TEXT, line_3="three"), "two.bin": None, "2.bin": b"\0two" * 9},
    )
    merge = world.service.merge.start(theirs)
    assert merge.conflicts == 0
    told = {each.path: (each.state, each.change, each.message) for each in merge.files}
    assert told == {
        "1.txt": ("theirs", "modified", "renamed by you, from one.txt"),
        "2.bin": ("yours", "added", "renamed by them, from two.bin"),
        "two.bin": ("theirs", "removed", "renamed by them, to 2.bin"),
    }
    world.service.merge.finish()
    assert sorted(world.tree()) == ["1.txt", "2.bin", "x"]
    assert world.text("1.txt") == changed(TEXT, line_3="three")
    assert (world.root / "2.bin").read_bytes() == b"\0mine"


@pytest.mark.parametrize("choice", ["yours", "theirs"])
@pytest.mark.parametrize("folder", ["yours", "theirs"])
def test_a_file_against_a_folder(world: World, choice: str, folder: str) -> None:
    file = {"thing": "a file\n"}
    inside = {"thing/a.txt": "a\n", "thing/deep/b.txt": "b\n"}
    mine, other = (inside, file) if folder == "yours" else (file, inside)
    world.put({"x": "x"})
    first = world.commit("base")
    world.put(other)
    theirs = world.commit("theirs")
    world.service.rollback(first)
    world.put(mine)
    merge = world.service.merge.start(theirs)
    assert world.files(merge) == {"thing": ("conflict", None, 1)}
    assert "a folder on" in merge.files[0].message
    world.choose("thing", choice)
    world.service.merge.finish()
    chosen = mine if choice == "yours" else other
    assert {
        str(path.relative_to(world.root)): path.read_text()
        for path in world.root.rglob("*")
        if path.is_file() and ".dotscience" not in path.parts
    } == {"x": "x", **chosen}


def test_a_folder_that_they_made_a_file_of(world: World) -> None:
    world.put({"thing/a": "a", "thing/deep/b": "b", "x": "x", "left/c": "c", "other/d": "d"})
    first = world.commit("base")
    for name in ("thing", "left"):
        shutil.rmtree(world.root / name)
    world.put({"thing": "a file", "other/d": None})
    theirs = world.commit("theirs")
    world.service.rollback(first)
    world.put({"x": "mine"})
    merge = world.service.merge.start(theirs)
    assert merge.conflicts == 0
    done = world.service.merge.finish()
    assert done.written == ["left/c", "other/d", "thing", "thing/a", "thing/deep/b"]
    assert world.text("thing") == "a file" and not (world.root / "left").exists()
    assert (world.root / "other").is_dir(), "they have the folder, only empty"


def test_permissions_and_links(world: World) -> None:
    world.put({"run.sh": "echo\n", "note.txt": "n\n"})
    (world.root / "link").symlink_to("note.txt")
    first = world.commit("base")
    (world.root / "run.sh").chmod(0o755)
    (world.root / "link").unlink()
    (world.root / "link").symlink_to("run.sh")
    (world.root / "empty").mkdir()
    theirs = world.commit("theirs")
    world.service.rollback(first)
    world.put({"run.sh": "echo mine\n"})
    world.service.merge.start(theirs)
    world.service.merge.finish()
    assert (world.root / "run.sh").stat().st_mode & 0o777 == 0o755
    assert world.text("run.sh") == "echo mine\n"
    assert (world.root / "link").readlink() == Path("run.sh")
    assert (world.root / "empty").is_dir()


def test_aborting_changes_nothing(world: World) -> None:
    theirs = world.parted({"a.txt": TEXT}, {"a.txt": "mine\n"}, {"a.txt": "theirs\n", "b": "b"})
    world.put({"unsaved.txt": "not committed yet\n"})
    before, content = world.tree(), world.content_id()
    world.service.merge.start(theirs)
    world.choose("a.txt", "theirs")
    assert world.service.merge.abort().written == []
    assert world.tree() == before and world.content_id() == content
    with pytest.raises(ApiError, match="No merge is under way"):
        world.service.merge.abort()


def test_a_merge_survives_a_restart(world: World) -> None:
    theirs = world.parted({"a.txt": TEXT}, {"a.txt": "mine\n"}, {"a.txt": "theirs\n"})
    started = world.service.merge.start(theirs)
    world.choose("a.txt", "both", world.service.merge.file("a.txt").conflicts[0].id)
    world.reopen()
    merge = world.service.merge.get().merge
    assert merge is not None and merge.id == started.id and merge.conflicts == 0
    with pytest.raises(ApiError, match="under way already"):
        world.service.merge.start(theirs)
    world.service.merge.finish()
    assert world.text("a.txt") == "mine\ntheirs\n"


def test_what_changed_meanwhile_is_never_overwritten(world: World) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "b.txt": "b\n"}, {"b.txt": "mine\n"}, {"a.txt": "theirs\n", "d/e": "e"}
    )
    world.service.merge.start(theirs)
    world.put({"a.txt": "work\n", "other.txt": "other\n", "d/e": "also mine"})
    assert world.service.merge.get().merge.stale
    with pytest.raises(ApiError) as error:
        world.service.merge.finish()
    assert (error.value.status, error.value.code) == (409, "stale")
    assert error.value.details == "a.txt, d/e"
    assert world.text("a.txt") == "work\n" and world.text("d/e") == "also mine"
    world.put({"a.txt": "a\n", "d/e": None})
    world.service.merge.finish()
    assert world.text("a.txt") == "theirs\n" and world.text("other.txt") == "other\n"
    assert [c.message.split()[0] for c in world.service.commits(limit=2).items] == [
        "Merged",
        "Before",
    ]


def test_a_failure_puts_everything_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "gone/x": "x"},
        {"b.txt": "b\n"},
        {"a.txt": "theirs\n", "gone/x": None, "new/deep/y": "y"},
    )
    world.service.merge.start(theirs)
    before, head = world.tree(), world.service.info().head
    real = world.service.records.commit

    def refuse(commits: Any, **options: Any) -> Any:
        if any(each.parents for each in commits):
            assert world.text("a.txt") == "theirs\n"
            raise RecordsError("The disk is full.")
        return real(commits, **options)

    with monkeypatch.context() as patched:
        patched.setattr(world.service.records, "commit", refuse)
        with pytest.raises(ApiError, match="The disk is full. The merge was not made"):
            world.service.merge.finish()
    assert world.tree() == before and world.service.info().head == head
    assert world.service.merge.get().merge is not None
    world.service.merge.finish()
    assert world.text("new/deep/y") == "y" and not (world.root / "gone/x").exists()


def test_what_is_merged_already_and_what_can_be_merged_again(world: World) -> None:
    theirs = world.parted({"a.txt": TEXT}, {"b.txt": "b"}, {"a.txt": changed(TEXT, line_1="one")})
    base = world.service.commits().items[-1].id
    for name in (base, "HEAD", "HEAD~1"):
        with pytest.raises(ApiError, match="part of your history already") as error:
            world.service.merge.start(name)
        assert (error.value.status, error.value.code) == (409, "merged")
    world.service.merge.start(theirs)
    world.service.merge.finish()
    with pytest.raises(ApiError, match="part of your history already"):
        world.service.merge.start(theirs)
    # from here on the merge is the base
    merged = world.service.info().head
    world.put({"a.txt": changed(world.text("a.txt"), line_2="two")})
    later = world.commit("later")
    world.service.rollback(merged)
    merge = world.service.merge.start(later)
    assert merge.base.ref == merged
    with pytest.raises(ApiError, match="cannot be merged into itself"):
        world.service.merge.abort() and world.service.merge.start("now")


def test_a_base_of_ones_own(world: World) -> None:
    theirs = world.parted(
        {"a.txt": TEXT}, {"a.txt": changed(TEXT, line_2="two")}, {"a.txt": TEXT + "end\n"}
    )
    merge = world.service.merge.start(theirs, base=theirs)
    assert world.files(merge) == {"a.txt": ("yours", None, 0)}


def test_received_content_that_no_commit_has(world: World, tmp_path: Path) -> None:
    world.put({"a.txt": TEXT, "b.txt": "b\n"})
    base = world.commit("base")
    other = world.copy(tmp_path / "other")
    other.put({"a.txt": changed(TEXT, line_2="two"), "c.txt": "c\n"})
    other.put({"n.ipynb": book(drawn("y", b"picture" * 2000, "", 1))})
    sent = io.BytesIO()
    other.service.send(other.commit("elsewhere"), sent)
    other.close()
    sent.seek(0)
    snapshot = world.service.receive(sent)
    world.put({"a.txt": changed(TEXT, line_9="nine"), "n.ipynb": book(cell("x", id_="drawn"))})
    merge = world.service.merge.start(snapshot)
    # nothing is known to be in common, so that every difference is a question
    assert world.files(merge) == {
        "a.txt": ("conflict", "modified", 2),
        "c.txt": ("conflict", None, 1),
        "n.ipynb": ("conflict", "modified", 1),
    }
    assert (merge.base.ref, merge.theirs.ref) == ("", snapshot)
    outputs = [p.new for c in world.service.merge.file("n.ipynb").cells for p in c.outputs if p.new]
    [blob] = [blob for output in outputs for blob in output.blobs]
    place = (blob.ref, blob.path, blob.cell, blob.output, blob.mime)
    assert world.service.comparison.blob(*place)[0] == b"picture" * 2000
    world.service.gc(received=True)
    world.service.merge.abort()
    snapshot = world.service.receive(io.BytesIO(sent.getvalue()))
    merge = world.service.merge.start(snapshot, base=base)
    assert [each.path for each in merge.files if each.conflicts] == ["n.ipynb"]
    world.choose("n.ipynb", "yours")
    world.service.merge.finish()
    assert world.text("a.txt") == changed(TEXT, line_2="two", line_9="nine")
    assert len(world.service.commit_detail("HEAD").parents) == 1


def test_a_preview_notes_nothing(world: World) -> None:
    theirs = world.parted({"a.txt": TEXT}, {"a.txt": "mine\n"}, {"a.txt": "theirs\n"})
    world.put({"loose.txt": "x"})
    commits = world.service.commits().total
    merge = world.service.merge.preview(theirs)
    assert merge.conflicts == 1
    assert world.service.merge.get().merge is None and world.service.commits().total == commits


def test_odd_requests(world: World) -> None:
    theirs = world.parted(
        {"a.txt": TEXT, "b": "b"}, {"a.txt": "mine\n"}, {"a.txt": "theirs\n", "b": "c"}
    )
    with pytest.raises(ApiError, match="No merge is under way"):
        world.service.merge.file("a.txt")
    world.service.merge.start(theirs)
    for path, choice, conflict, status in (
        ("nothing.txt", "yours", "", 404),
        ("../a.txt", "yours", "", 403),
        ("a.txt", "yours", "7-abc", 400),
        ("a.txt", "edited", "", 400),
        ("b", "yours", "", 400),
    ):
        with pytest.raises(ApiError) as error:
            world.choose(path, choice, conflict)
        assert error.value.status == status, path
    world.choose("a.txt", "edited", text="all of it")
    assert world.service.merge.file("a.txt").segments[0].text == "all of it"
    world.service.merge.finish()
    assert world.text("a.txt") == "all of it"


def test_a_damaged_notebook_is_chosen_as_a_whole(world: World) -> None:
    theirs = world.parted(
        {"n.ipynb": book(cell("a"))}, {"n.ipynb": book(cell("b"))}, {"n.ipynb": "{"}
    )
    merge = world.service.merge.start(theirs)
    assert merge.files[0].message.startswith("cannot be merged inside: it is not valid JSON")
    world.choose("n.ipynb", "yours")
    world.service.merge.finish()


def test_what_was_noted_and_cannot_be_read_is_said_so(world: World) -> None:
    (world.workspace.folder / "merge").mkdir()
    state = world.workspace.folder / "merge/state.json"
    for text in ("", "{}", '{"format": 2}', "[]"):
        state.write_text(text)
        with pytest.raises(ApiError, match=r"Remove .dotscience/merge/state.json") as error:
            world.service.merge.get()
        assert error.value.code == "unreadable"
    assert isinstance(models.MergeAnswer(merge=None), models.MergeAnswer)


KILLED = """
import os, signal, sys
from pathlib import Path
from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.committer import merging, placing

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

service = WorkspaceService.open(Path(sys.argv[1]), author="Ada")
when = sys.argv[2]
if when == "half":
    real, done = placing._write, []
    placing._write = lambda *a: die() if done else (done.append(1), real(*a))
elif when == "recorded":
    service.committer._recorder._end_journal = die
elif when == "ended":
    service.merge._end = die
getattr(service.merge, sys.argv[3])()
"""


def kill(world: World, when: str, what: str) -> None:
    world.service.close()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(world.root), when, what],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    world.service = WorkspaceService.open(world.root, author="Ada")


@pytest.mark.parametrize("when", ["half", "recorded", "ended"])
def test_a_server_that_is_killed_while_it_finishes(world: World, when: str) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "b.txt": "b\n"}, {"c.txt": "c\n"}, {"a.txt": "1\n", "b.txt": "2\n"}
    )
    world.service.merge.start(theirs)
    before, content = world.tree(), world.content_id()
    kill(world, when, "finish")
    merge = world.service.merge.get().merge
    if when == "half":
        assert merge is not None and not merge.stale
        assert world.tree() == before and world.content_id() == content
        world.service.merge.finish()
    else:
        assert merge is None
    assert (world.text("a.txt"), world.text("b.txt"), world.text("c.txt")) == ("1\n", "2\n", "c\n")
    assert len(world.service.commit_detail("HEAD").parents) == 2
    assert [c.message.split()[0] for c in world.service.commits().items].count("Merged") == 1


def test_killed_while_conflicts_are_written(world: World) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "b.txt": "b\n"},
        {"a.txt": "mine\n", "b.txt": "mine\n"},
        {"a.txt": "1\n", "b.txt": "2\n"},
    )
    world.service.merge.start(theirs)
    before = world.tree()
    kill(world, "half", "write_markers")
    assert world.service.merge.get().merge is not None
    world.service.merge.abort()
    assert world.tree() == before and world.service.merge.get().merge is None


def test_conflicts_that_are_in_the_files_are_decided_there_or_as_a_whole(world: World) -> None:
    theirs = world.parted(
        {"a.txt": "a\n", "b.txt": "b\n", "m.bin": b"\0base", "n.ipynb": book(cell("x = 1"))},
        {"a.txt": "A\n", "b.txt": "B\n", "m.bin": b"\0mine", "n.ipynb": book(cell("x = 2"))},
        {"a.txt": "1\n", "b.txt": "2\n", "m.bin": b"\0theirs", "n.ipynb": book(cell("x = 3"))},
    )
    merging = world.service.merge
    merging.start(theirs)
    before = world.tree()
    assert merging.write_markers().conflicts == 4
    with pytest.raises(ApiError, match="edit the file itself, or choose one side"):
        world.choose("a.txt", "yours", merging.file("a.txt").conflicts[0].id)
    # what has no lines is a conflict as a whole, so both ways to name it are the same
    assert world.choose("m.bin", "theirs", "file").file.state == "resolved"
    assert (world.root / "m.bin").read_bytes() == b"\0theirs"
    assert world.choose("m.bin", "yours").file.conflicts == 0
    # edited by hand: the detail tells it as the list does
    assert merging.file("a.txt").file.conflicts == 1
    world.write(a_txt="by hand\n")
    told = merging.file("a.txt").file
    assert (told.state, told.conflicts) == ("resolved", 0)
    assert world.choose("b.txt", "theirs").conflicts[0].choice == "theirs"
    assert world.text("b.txt") == "2\n"
    detail = world.choose("n.ipynb", "both")
    assert detail.conflicts[0].result == "x = 2\n\nx = 3"
    cells = json.loads(world.text("n.ipynb"))["cells"]
    assert [each["source"] for each in cells] == [["x = 2"], ["x = 3"]]
    body = merging.get().merge
    assert body is not None and body.conflicts == 0 and body.markers
    # what was chosen can be opened again, and what was written is given up as a whole
    assert world.choose("b.txt", None).file.conflicts == 1
    assert "<<<<<<< yours" in world.text("b.txt")
    merging.abort()
    assert world.tree() == before


NAMES = ["a", "b", "d/a", "d/b", "d/e/f", "d", "e"]


@st.composite
def trees(draw: Any) -> dict[str, Content]:
    """Files of which none lies below another one."""
    found: dict[str, Content] = {}
    for name in draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]:
        if not any(name.startswith(f"{o}/") or o.startswith(f"{name}/") for o in found):
            found[name] = draw(st.sampled_from(["1\n", "2\n", "1\n2\n", "\0x", "\0y"]))
    return found


def become(world: World, tree: dict[str, Content]) -> None:
    for path in world.root.iterdir():
        if path.name != ".dotscience":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    world.put(tree)


def files(world: World) -> dict[str, Content]:
    return {
        str(path.relative_to(world.root)): path.read_text()
        for path in world.root.rglob("*")
        if path.is_file() and ".dotscience" not in path.parts
    }


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees(), trees(), trees(), st.sampled_from(["yours", "theirs"]))
def test_any_trees_come_together(
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, Content],
    yours: dict[str, Content],
    theirs: dict[str, Content],
    side: str,
) -> None:
    world = World(tmp_path_factory.mktemp("trees") / "project")
    try:
        world.put(base | {"keep": "k"})
        first = world.commit("base")
        become(world, theirs | {"keep": "k", "theirs": "t"})
        other = world.commit("theirs")
        world.service.rollback(first)
        become(world, yours | {"keep": "k"})
        before, content = files(world), world.content_id()
        world.service.merge.start(other)
        world.service.merge.write_markers()
        world.service.merge.abort()
        # the time of a file that was only touched since its commit is the recorded one
        assert files(world) == before and world.content_id() == content
        merge = world.service.merge.start(other)
        assert files(world) == before
        for each in merge.files:
            if each.conflicts:
                world.choose(each.path, side)
        world.service.merge.finish()
        result = files(world)
        assert (result.pop("keep"), result.pop("theirs")) == ("k", "t")
        if yours == base:
            assert result == theirs
        if theirs == base or yours == theirs:
            assert result == yours
        # what only one side had anew is there, unless a folder or a file took its place
        for mine, others in ((yours, theirs), (theirs, yours)):
            for name, text in mine.items():
                alone = name not in base and name not in others
                clash = any(o.startswith(f"{name}/") or name.startswith(f"{o}/") for o in others)
                renamed = text in base.values()
                assert not alone or clash or renamed or result.get(name) == text
        world.check()
    finally:
        world.close()
