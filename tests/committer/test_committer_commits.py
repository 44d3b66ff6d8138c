# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is committed for what was found: versions, digests, groups, corrections, manual commits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from committer_world import START, World, new_id, run_record, run_text, stream, when

from dotscience_jupyter.committer import Committer, contents, people
from dotscience_jupyter.records import Records
from dotscience_jupyter.snapshots import EmbeddedEngine, open_engine


def publish(world: World, *runs: str, path: str = "n.ipynb") -> list[str]:
    """Save a notebook with these run texts and scan it; returns the new runs' ids."""
    world.save(path, *[[stream(text)] for text in runs])
    return world.scan(path).runs


def set_time(path: Path, seconds: float) -> None:
    stamp = START.timestamp() + seconds
    os.utime(path, (stamp, stamp))


def test_the_first_commit_lists_nothing_and_explains_everything(world: World) -> None:
    world.write("data.csv")
    world.write("unrelated.txt")
    run_id = new_id()
    done_runs = publish(world, run_text(run_id, input=["data.csv"], output=["out"]))
    assert done_runs == [run_id]
    assert world.messages() == ["Initial commit", "Run of n.ipynb"]
    assert world.corrections() == []
    commits = world.records.list_commits()[0]
    assert commits[0].snapshot == commits[1].snapshot
    assert world.committer.status(fresh=True).state == "clean"


def test_unexplained_changes_become_a_correction(world: World) -> None:
    publish(world, run_text(new_id()))
    world.write("made.bin")
    world.write("forgotten.bin")
    world.write("folder/also.bin")
    (world.root / "n.ipynb").touch()
    run_id = new_id()
    runs = publish(world, run_text(run_id, output=["made.bin"]))
    assert len(runs) == 2
    [correction] = world.corrections()
    assert correction.description == (
        "File changes were detected that the run metadata did not explain"
    )
    assert correction.authority == "correction"
    assert correction.commit_id == world.run(run_id).commit_id
    assert [file.path for file in correction.files] == ["folder/also.bin", "forgotten.bin"]
    assert all(file.direction == "output" and file.digest for file in correction.files)


def test_removed_files_are_told_of(world: World) -> None:
    world.write("a.txt")
    publish(world, run_text(new_id()))
    (world.root / "a.txt").unlink()
    publish(world, run_text(new_id()))
    [correction] = world.corrections()
    assert (correction.files, correction.details["removed"]) == ([], ["a.txt"])


def test_only_the_notebook_changed_needs_no_correction(world: World) -> None:
    publish(world, run_text(new_id()))
    publish(world, run_text(new_id(), description="again"))
    assert world.corrections() == []
    assert world.messages()[-1] == "again"


def test_going_on_in_a_notebook_that_published_is_a_change_and_no_correction(world: World) -> None:
    publish(world, run_text(new_id()))
    other = world.save("other.ipynb", [stream(run_text(new_id()))])
    world.scan("other.ipynb")
    world.save("unrun.ipynb", [])
    other.write_text(other.read_text().replace('"cells"', ' "cells"'))
    assert world.committer.status(fresh=True).unclaimed == ["unrun.ipynb"]
    run_id = new_id()
    publish(world, run_text(run_id))
    [correction] = world.corrections()
    assert [file.path for file in correction.files] == ["unrun.ipynb"]
    assert world.records.last_written("other.ipynb") == world.run(run_id).commit_id

    other.write_text(other.read_text() + "\n")
    done = world.committer.commit("by hand")
    assert [commit.message for commit in done.commits] == ["by hand"]


def test_a_declared_folder_explains_and_stands_for_what_is_in_it(world: World) -> None:
    publish(world, run_text(new_id()))
    world.write("out/a")
    world.write("out/deep/b")
    world.write("outer")
    run_id = new_id()
    publish(world, run_text(run_id, output=["out/"]))
    assert list(world.files(run_id, "output")) == ["out/a", "out/deep/b"]
    [correction] = world.corrections()
    assert [file.path for file in correction.files] == ["outer"]


def test_inputs_name_the_commit_that_wrote_them(world: World) -> None:
    world.write("raw.csv")
    first, second, third = new_id(), new_id(), new_id()
    world.write("clean.csv", "1")
    publish(world, run_text(first, input=["raw.csv"], output=["clean.csv"]))
    world.write("model", "1")
    publish(world, run_text(second, input=["clean.csv"], output=["model"]))
    publish(world, run_text(third, input=["clean.csv", "model", "raw.csv"]))
    initial = world.records.list_commits()[0][-1].id
    versions = {path: file.version for path, file in world.files(third, "input").items()}
    assert versions == {
        "raw.csv": initial,
        "clean.csv": world.run(first).commit_id,
        "model": world.run(second).commit_id,
    }
    assert world.records.writer_of("model", world.run(second).commit_id) == second


def test_an_input_changed_by_hand_gets_a_commit_of_its_own(world: World) -> None:
    world.write("raw.csv", "1")
    publish(world, run_text(new_id(), input=["raw.csv"]))
    world.write("raw.csv", "2")
    world.write("new.csv", "3")
    run_id = new_id()
    publish(world, run_text(run_id, input=["raw.csv", "new.csv"], description="read"))
    assert world.messages()[-2:] == ["Files changed outside of a run: new.csv, raw.csv", "read"]
    by_hand = world.records.list_commits()[0][1]
    assert by_hand.type == "dotscience.files.v1"
    assert {file.version for file in world.files(run_id, "input").values()} == {by_hand.id}
    assert world.corrections() == []


def test_a_chain_in_one_save(world: World) -> None:
    publish(world, run_text(new_id()))
    ids = {name: new_id() for name in ("clean", "train", "test", "other")}
    for name in ("clean.csv", "model", "score"):
        world.write(name, name)
    runs = publish(
        world,
        # in the notebook in another order than they ran
        run_text(ids["test"], input=["model"], output=["score"], end=when(30)),
        run_text(ids["clean"], output=["clean.csv"], end=when(10)),
        run_text(ids["other"], input=["n/a"], end=when(11)),
        run_text(ids["train"], input=["clean.csv"], output=["model"], end=when(20)),
    )
    assert runs == [ids["clean"], ids["other"], ids["train"], ids["test"]]
    commits = {name: world.run(run_id).commit_id for name, run_id in ids.items()}
    assert commits["clean"] == commits["other"]
    assert len(set(commits.values())) == 3
    assert world.files(ids["train"], "input")["clean.csv"].version == commits["clean"]
    assert world.files(ids["test"], "input")["model"].version == commits["train"]
    # never part of the workspace: no commit can be named
    assert world.files(ids["other"], "input")["n/a"].version is None
    assert world.corrections() == []


def test_a_chain_in_the_very_first_save(world: World) -> None:
    first, second = new_id(), new_id()
    world.write("model")
    publish(
        world,
        run_text(first, output=["model"], end=when(1)),
        run_text(second, input=["model"], end=when(2)),
    )
    assert world.files(second, "input")["model"].version == world.run(first).commit_id


def test_bytes_that_were_never_frozen_have_no_digest(world: World) -> None:
    """Three runs of one cell write one file; only the last one's bytes are there to be frozen."""
    publish(world, run_text(new_id()))
    ids = [new_id() for _ in range(3)]
    set_time(world.write("model", "third"), 29)
    set_time(world.write("kept", "first"), 5)
    publish(
        world,
        run_text(ids[0], output=["model", "kept"], end=when(10)),
        run_text(ids[1], output=["model", "kept"], end=when(20)),
        run_text(ids[2], output=["model"], end=when(30)),
    )
    digests = [world.files(run_id, "output")["model"].digest for run_id in ids]
    assert digests[:2] == [None, None]
    assert digests[2] is not None
    # written before the first run ended: it is what every one of them left
    assert world.files(ids[0], "output")["kept"].digest is not None


def test_a_file_updated_in_place(world: World) -> None:
    world.write("model", "old")
    publish(world, run_text(new_id()))
    old = world.engine.entry(world.records.list_commits()[0][0].snapshot, "model")
    first, second = new_id(), new_id()
    set_time(world.write("model", "newest"), 15)
    publish(
        world,
        run_text(first, input=["model"], output=["model"], end=when(10)),
        run_text(second, input=["model"], output=["model"], end=when(20)),
    )
    initial = world.records.list_commits()[0][-1].id
    read = world.files(first, "input")["model"]
    assert (read.version, read.digest) == (initial, old.digest)
    assert world.files(first, "output")["model"].digest is None
    read = world.files(second, "input")["model"]
    assert (read.version, read.digest) == (world.run(first).commit_id, None)
    assert world.files(second, "output")["model"].digest not in (None, old.digest)


def test_an_input_removed_after_it_was_read(world: World) -> None:
    world.write("raw.csv", "1")
    publish(world, run_text(new_id()))
    initial = world.records.list_commits()[0][-1].id
    (world.root / "raw.csv").unlink()
    run_id = new_id()
    publish(world, run_text(run_id, input=["raw.csv"]))
    read = world.files(run_id, "input")["raw.csv"]
    assert (read.version, read.size) == (initial, 1)
    assert world.corrections() == []


def test_paths_beside_the_notebook(world: World) -> None:
    """Where only the text is known, a program's folder may have been the notebook's."""
    world.write("deep/data.csv", "1")
    world.write("both.csv", "1")
    world.write("deep/both.csv", "22")
    first, second = new_id(), new_id()
    publish(world, run_text(first, input=["data.csv"]), path="deep/a.ipynb")
    publish(world, run_text(second, input=["both.csv"]), path="deep/b.ipynb")
    assert list(world.files(first, "input")) == ["deep/data.csv"]
    assert world.files(second, "input")["both.csv"].size == 1


def test_paths_outside_and_odd_ones(world: World) -> None:
    run_id = new_id()
    world.write("b\udcff", "1")
    world.write("a/b", "1")
    inputs = [
        "../outside.csv",
        "/etc/hosts",
        "a//./b",
        "a/../b\udcff",
        ".dotscience/records.db",
        ".",
    ]
    publish(world, run_text(run_id, input=inputs))
    files = world.files(run_id, "input")
    above = world.root.parent
    outside = [
        f"{world.root}/.dotscience/records.db",
        "/etc/hosts",
        f"{above}/outside.csv",
    ]
    assert sorted(world.run(run_id).details["outside"]) == sorted(outside)
    for path in outside:
        assert (files[path].version, files[path].digest) == (None, None)
    assert files["a/b"].size == 1
    assert files["b\\xff"].size == 1


def test_a_failed_run_gives_the_message(world: World) -> None:
    publish(world, run_text(new_id(), description="fine"), run_text(new_id(), error="too hot"))
    assert world.messages()[-1] == "too hot"
    publish(world, run_text(new_id(), description="x" * 2000))
    assert len(world.messages()[-1]) == 500


def test_manual_commits(world: World) -> None:
    world.write("a")
    done = world.committer.commit("The beginning")
    assert [(c.type, c.message) for c in done.commits] == [("dotscience.initial", "The beginning")]
    assert world.committer.commit("Nothing new").commits == []
    world.write("b")
    done = world.committer.commit("  By hand ", author="Eve")
    assert [(c.type, c.message, c.author) for c in done.commits] == [
        ("dotscience.files.v1", "By hand", "Eve")
    ]
    (world.root / "a").unlink()
    assert world.committer.commit("").commits[0].message == "Saved by hand"
    (world.root / "empty").mkdir()
    assert len(world.committer.commit("A folder").commits) == 1
    assert world.corrections() == []
    assert world.events[-1] == "committed"


def test_a_manual_commit_takes_runs_along(world: World) -> None:
    world.committer.commit("start")
    world.write("by-hand.txt")
    run_id = new_id()
    world.write("made")
    world.save("n.ipynb", [stream(run_text(run_id, output=["made"], description="the run"))])
    done = world.committer.commit("and the rest")
    assert done.runs == [run_id]
    assert [commit.message for commit in done.commits] == ["the run", "and the rest"]
    assert world.corrections() == []
    # nothing but the run: its commit is the one that was asked for
    again = new_id()
    world.save("n.ipynb", [stream(run_text(again, description="quiet"))])
    done = world.committer.commit("with words")
    assert [commit.message for commit in done.commits] == ["with words"]


def test_a_first_commit_by_hand_with_runs(world: World) -> None:
    run_id = new_id()
    world.save("n.ipynb", [stream(run_text(run_id))])
    done = world.committer.commit("words")
    assert [commit.type for commit in done.commits] == ["dotscience.initial", "dotscience.run.v1"]
    assert done.runs == [run_id]


def test_status(world: World) -> None:
    status = world.committer.status()
    assert (status.state, status.changed, status.notebooks) == ("clean", [], {})
    world.write("a b\udcff.txt", "12345")
    world.save("n.ipynb", [stream(run_text(new_id()))])
    status = world.committer.status(fresh=True)
    assert status.state == "changed"
    assert {each.path: each.change.value for each in status.changed} == {
        "a b\udcff.txt": "added",
        "n.ipynb": "added",
    }
    assert status.unclaimed == ["a b\\xff.txt", "n.ipynb"]
    assert status.message == "2 files have changed since the newest commit."
    world.scan()
    status = world.committer.status()
    assert (status.state, status.notebooks) == ("clean", {"n.ipynb": 1})
    assert status.message == "Everything is committed."
    world.write("c")
    assert world.committer.status().state == "clean"  # as last known
    assert world.committer.refresh()
    assert world.committer.status().state == "changed"
    assert not world.committer.refresh()


def test_what_a_waiting_run_explains_is_not_unclaimed(world: World) -> None:
    world.committer.commit("start")
    world.committer.notebook_grace = 60
    world.write("made")
    world.write("unknown")
    source = {"source": {"kind": "notebook", "path": "n.ipynb"}}
    world.spool(run_record(new_id(), world.root, source, output=["made"]))
    world.scan()
    assert world.committer.status(fresh=True).unclaimed == ["unknown"]


def test_status_while_the_folder_cannot_be_compared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.snapshots import SnapshotError

    def refuse(snapshot: str | None, *, renames: bool) -> Any:
        raise SnapshotError("The store is broken.")

    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "changes", refuse)
        status = world.committer.status(fresh=True)
    assert status.state == "error"
    assert "The store is broken. What has changed" in status.message
    assert world.committer.status(fresh=True).state == "clean"


def test_a_status_during_a_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    real = world.engine.snapshot

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go.wait(30)
        return real(*arguments)

    world.committer.status()
    monkeypatch.setattr(world.engine, "snapshot", slow)
    world.save("n.ipynb", [stream(run_text(new_id()))])
    thread = threading.Thread(target=world.scan)
    thread.start()
    assert begun.wait(30)
    status = world.committer.status(fresh=True)
    assert (status.state, status.message) == ("committing", "Committing.")
    assert not world.committer.looked_at("n.ipynb")
    go.set()
    thread.join()
    assert world.committer.status().state == "clean"


def test_two_committers_of_one_process(world: World) -> None:
    """Threads and committers, all at once, over one notebook and one spool."""
    records = Records.open(world.workspace.database_url)
    engine = open_engine(world.root, world.workspace.store)
    other = Committer(world.workspace, records, engine, author="Eve")
    ids = [new_id() for _ in range(12)]
    for run_id in ids[:6]:
        world.spool(run_record(run_id, world.root))
    world.save("n.ipynb", *[[stream(run_text(run_id))] for run_id in ids[6:]])
    found: list[str] = []

    def work(committer: Committer) -> None:
        found.extend(committer.scan().runs)

    threads = [threading.Thread(target=work, args=(each,)) for each in (world.committer, other) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    records.close()
    assert sorted(found) == sorted(ids)
    assert sorted(world.ids()) == sorted(ids)


def test_a_thousand_runs_in_one_save(world: World) -> None:
    ids = [new_id() for _ in range(1000)]
    for number in range(20):
        world.write(f"out/{number}")
    outputs = [f"out/{number}" for number in range(20)]
    texts = [run_text(run_id, output=outputs, end=when(i)) for i, run_id in enumerate(ids)]
    begin = time.monotonic()
    assert publish(world, "".join(texts)) == ids
    assert time.monotonic() - begin < 30


def test_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr(people.getpass, "getuser", lambda: "login")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert people.default_author(tmp_path) == "login"
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.name", "Ada Lovelace"], check=True)
    assert people.default_author(tmp_path) == "Ada Lovelace"
    monkeypatch.setenv("PATH", "")

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(people.getpass, "getuser", nobody)
    assert people.default_author(tmp_path) == "unknown"
    assert people.is_dirty(str(tmp_path)) is None
    assert people.is_dirty("/nonexistent") is None


def test_details_are_json(world: World) -> None:
    run_id = new_id()
    record = run_record(
        run_id,
        world.root,
        {"seeds": {"a": float("nan"), "b": 2**70, "c": [1]}, "process": {"user": "a\0b"}},
    )
    world.spool(record)
    world.scan()
    details = world.run(run_id).details
    json.dumps(details, allow_nan=False)
    assert details["seeds"] == {"a": "nan", "b": str(2**70)}
    assert details["process"] == {"user": "a\\x00b"}


def test_a_commit_does_not_wait_for_large_files_to_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands in for an engine that freezes without reading: it knows no digest until it settled."""
    settled: set[str] = set()
    real = world.engine
    assert isinstance(real, EmbeddedEngine)

    def unread(snapshot: str, entry: Any) -> Any:
        known = entry is None or snapshot in settled
        return entry if known else dataclasses.replace(entry, digest="")

    def diff(old: str, new: str) -> Any:
        return [
            dataclasses.replace(each, old=unread(old, each.old), new=unread(new, each.new))
            for each in EmbeddedEngine.diff(real, old, new)
        ]

    def list_(snapshot: str, path: str = "") -> Any:
        return [unread(snapshot, each) for each in EmbeddedEngine.list(real, snapshot, path)]

    def entry(snapshot: str, path: str) -> Any:
        found = EmbeddedEngine.entry(real, snapshot, path)
        assert found.size <= contents.EAGER or snapshot in settled, f"{path} is read"
        return found

    monkeypatch.setattr(contents, "EAGER", 1000)
    for name, method in (("diff", diff), ("list", list_), ("entry", entry)):
        monkeypatch.setattr(real, name, method)
    monkeypatch.setattr(real, "content_id", lambda snapshot, compute: "x" * (snapshot in settled))

    world.write("data/big.bin", b"b" * 5000)
    world.write("data/small.csv", b"s" * 500)
    first, second, third = new_id(), new_id(), new_id()
    inputs = ["data/big.bin", "data/small.csv", "data/none"]
    world.save("n.ipynb", [stream(run_text(first, input=inputs))])
    world.scan()
    assert {path: bool(file.digest) for path, file in world.files(first, "input").items()} == {
        "data/big.bin": False,
        "data/small.csv": True,
        "data/none": False,
    }
    assert world.files(first, "input")["data/big.bin"].size == 5000
    head = world.records.head()
    assert head is not None
    settled.add(head.snapshot)
    # what did not change is known from before; what is new and large is not
    world.write("out/model.bin", b"m" * 5000)
    run = run_text(second, input=inputs, output=["out/model.bin", "out"])
    world.save("n.ipynb", [stream(run)])
    world.scan()
    assert len(world.files(second, "input")["data/big.bin"].digest) == 64
    assert world.files(second, "output")["out/model.bin"].digest is None
    # a correction and a derived run read nothing either
    world.write("data/big.bin", b"B" * 5000)
    world.save("n.ipynb", [stream(run_text(third))])
    world.scan()
    (correction,) = world.corrections()
    assert [(file.path, file.digest) for file in correction.files] == [("data/big.bin", None)]
