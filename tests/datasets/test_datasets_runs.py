# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What runs did with datasets is recorded: which versions they read, which they made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset_world import DatasetWorld, changes, history, listed, put

from dotscience_jupyter.api.datasets import Attaching
from dotscience_jupyter.datasets import DatasetError
from dotscience_jupyter.records import RecordsError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DatasetWorld]:
    root = tmp_path / "project"
    root.mkdir()
    opened = DatasetWorld(root)
    yield opened
    opened.check()
    opened.close()


def test_a_run_that_reads_and_writes(world: DatasetWorld) -> None:
    iris = world.dataset("iris", raw__a_csv="1,2", raw__b_csv="3,4")
    world.attach("iris", write=True)
    world.scan()
    run = world.publish(
        lambda: put(world.root, "datasets/iris/clean.csv", "5,6"),
        input=["datasets/iris/raw/a.csv"],
        output=["datasets/iris/clean.csv", "model"],
    )
    world.write("model")
    world.scan()
    first, second = history(iris)
    assert (second.type, second.parents[0].parent_id) == ("dotscience.run-output.v1", first.id)
    assert second.details["workspace"] == world.workspace.id
    assert listed(second, run) == ["clean.csv"]
    assert changes(iris, second) == {"clean.csv": "added"}
    # as the original's readers read it
    told = world.metadata(run)
    assert told["input-dataset.iris"] == f"{iris.id}@{first.id}"
    assert told["output-dataset.iris"] == f"{iris.id}@{second.id}"
    assert json.loads(told[f"run.{run}.dataset-input-files.iris"]) == [f"raw/a.csv@{first.id}"]
    assert json.loads(told[f"run.{run}.dataset-output-files.iris"]) == ["clean.csv"]
    # and not as files of the workspace
    assert json.loads(told[f"run.{run}.input-files"]) == []
    assert json.loads(told[f"run.{run}.output-files"]) == ["model"]
    read, wrote = world.used(run, "input"), world.used(run, "output")
    assert read["iris:raw/a.csv"].size == 3 and len(read["iris:raw/a.csv"].digest or "") == 64
    assert wrote["iris:clean.csv"].version == second.id and wrote["iris:clean.csv"].size == 3
    assert world.corrections() == []
    # the next run reads what this one wrote
    after = world.publish(input=["datasets/iris/clean.csv", "datasets/iris/raw/b.csv"])
    world.scan()
    files = world.used(after, "input")
    assert files["iris:clean.csv"].version == second.id
    assert files["iris:raw/b.csv"].version == first.id
    assert world.metadata(after)["input-dataset.iris"] == f"{iris.id}@{second.id}"
    assert "output-dataset.iris" not in world.metadata(after)
    assert len(history(iris)) == 2


def test_the_workspace_holds_no_dataset(world: DatasetWorld) -> None:
    world.dataset("iris", a_csv="1")
    world.attach("iris", write=True)
    world.attach("iris", write=True)
    world.committer.commit("all")
    head = world.records.head()
    assert head is not None
    held = {entry.path for entry in world.engine.walk(head.snapshot)}
    assert held == {"dotscience-datasets.json", ".dotscienceignore", "datasets"}
    put(world.root, "datasets/iris/a.csv", "changed")
    assert world.committer.status(fresh=True).changed == []


def test_a_checkout_is_read_as_of_its_version(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="one", b_csv="b")
    (first,) = history(iris)
    put(iris.root, "a.csv", "second")
    second = iris.commit("newer", author="Ada")
    assert second is not None
    world.attach("iris", version=first.id[:10], path="in/old")
    run = world.publish(input=["in/old/a.csv"])
    world.scan()
    assert world.used(run, "input")["iris:a.csv"].size == 3
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{first.id}"
    # the newest, and through the folder that the link leads to
    world.attach("iris", path="in/old")
    real = os.path.realpath(world.root / "in/old")
    run = world.publish(input=[os.path.relpath(f"{real}/a.csv", world.root), f"{real}/b.csv"])
    world.scan()
    files = world.used(run, "input")
    assert (files["iris:a.csv"].version, files["iris:a.csv"].size) == (second.id, 6)
    assert files["iris:b.csv"].version == first.id
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{second.id}"


def test_what_is_only_opened_belongs_to_the_dataset(world: DatasetWorld) -> None:
    iris = world.dataset("iris", raw__a_csv="1,2")
    world.attach("iris", write=True)
    world.write("own.csv")
    world.scan()

    def work() -> None:
        put(world.root, "datasets/iris/seen.bin", "1")
        put(world.root, "datasets/iris/unseen.parquet", "2")

    observed = {
        "input": ["datasets/iris/raw/a.csv", "datasets/iris/.dotscience/records.db", "own.csv"],
        "output": ["datasets/iris/seen.bin", "datasets/iris/gone.tmp"],
    }
    run = world.publish(work, observed=observed)
    world.scan()
    assert {path: file.authority for path, file in world.used(run, "input").items()} == {
        "iris:raw/a.csv": "derived"
    }
    assert {path: file.authority for path, file in world.used(run, "output").items()} == {
        "iris:seen.bin": "derived",
        "iris:unseen.parquet": "derived",
    }
    assert list(world.files(run, "input")) == ["own.csv"]
    assert listed(history(iris)[-1], run) == ["seen.bin", "unseen.parquet"]
    # with declared ones, nothing is guessed
    run = world.publish(input=["own.csv"], observed=observed | {"output": []})
    world.scan()
    assert world.used(run, "input") == {}


def test_folders_are_expanded(world: DatasetWorld) -> None:
    world.dataset("iris", raw__a_csv="1", raw__b_csv="2", c_csv="3")
    world.attach("iris", write=True)
    run = world.publish(input=["datasets/iris/raw"], output=["datasets/iris"])
    world.scan()
    assert set(world.used(run, "input")) == {"iris:raw/a.csv", "iris:raw/b.csv"}
    assert set(world.used(run, "output")) == {"iris:raw/a.csv", "iris:raw/b.csv", "iris:c.csv"}


def test_inputs_that_were_changed_by_hand_have_a_version_first(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="1", b_csv="b")
    world.attach("iris", write=True)
    put(iris.root, "a.csv", "by hand")
    put(iris.root, "unrelated", "x")
    run = world.publish(
        lambda: put(iris.root, "out.csv", "o"),
        input=["datasets/iris/a.csv", "datasets/iris/b.csv"],
        output=["datasets/iris/out.csv"],
    )
    world.scan()
    first, hand, made = history(iris)
    assert hand.type == "dotscience.files.v1" and "a.csv" in hand.message
    assert changes(iris, hand) == {"a.csv": "modified"}
    assert changes(iris, made) == {"out.csv": "added", "unrelated": "added"}
    files = world.used(run, "input")
    assert (files["iris:a.csv"].version, files["iris:a.csv"].size) == (hand.id, 7)
    assert files["iris:b.csv"].version == first.id
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{hand.id}"
    # read and not written: a version with all that was changed, and it is none of the run's
    put(iris.root, "b.csv", "again")
    put(iris.root, "unrelated", "y")
    run = world.publish(input=["datasets/iris/b.csv"])
    world.scan()
    last = history(iris)[-1]
    assert (last.type, last.parents[0].parent_id) == ("dotscience.files.v1", made.id)
    assert changes(iris, last) == {"b.csv": "modified", "unrelated": "modified"}
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{last.id}"
    # nobody read it: it stays until somebody commits it
    put(iris.root, "unrelated", "z")
    world.publish(input=["datasets/iris/a.csv"])
    world.scan()
    assert history(iris)[-1].id == last.id


def test_a_run_that_changes_what_it_read(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="old")
    world.attach("iris", write=True)
    name = "datasets/iris/a.csv"
    run = world.publish(lambda: put(iris.root, "a.csv", "longer"), input=[name], output=[name])
    world.scan()
    first, second = history(iris)
    read, wrote = world.used(run, "input")["iris:a.csv"], world.used(run, "output")["iris:a.csv"]
    assert (read.version, read.size) == (first.id, 3)
    assert (wrote.version, wrote.size) == (second.id, 6)


def test_one_find_makes_one_version(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="a")
    world.attach("iris", write=True)
    one = world.publish(lambda: put(iris.root, "one", "1"), output=["datasets/iris/one"])
    two = world.publish(
        lambda: put(iris.root, "two", "22"),
        input=["datasets/iris/one", "datasets/iris/a.csv"],
        output=["datasets/iris/two"],
    )
    made = world.scan()
    first, second = history(iris)
    assert listed(second, one) == ["one"] and listed(second, two) == ["two"]
    # what the second one read is a version that the first one's commit made
    assert [commit.type for commit in made.commits][-2:] == ["dotscience.run.v1"] * 2
    assert world.used(two, "input")["iris:one"].version == second.id
    assert world.used(two, "input")["iris:a.csv"].version == first.id
    assert world.metadata(two)["input-dataset.iris"] == f"{iris.id}@{second.id}"
    assert world.metadata(one)["output-dataset.iris"] == f"{iris.id}@{second.id}"


def test_the_same_bytes_again_make_no_version(world: DatasetWorld) -> None:
    iris = world.dataset("iris", out_csv="same")
    world.attach("iris", write=True)
    run = world.publish(lambda: put(iris.root, "out.csv", "same"), output=["datasets/iris/out.csv"])
    world.scan()
    (only,) = history(iris)
    assert world.metadata(run)["output-dataset.iris"] == f"{iris.id}@{only.id}"
    assert world.used(run, "output")["iris:out.csv"].size == 4


def test_writing_to_a_checkout_is_told_of(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris")
    run = world.publish(output=["datasets/iris/b.csv"])
    errors = world.scan().errors
    assert "attached for reading" in errors[0].message
    assert world.used(run, "output")["iris:b.csv"].version is None
    assert "output-dataset.iris" not in world.metadata(run)
    assert len(history(iris)) == 1


def test_a_command_that_publishes_nothing(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris", write=True)
    script = "open('datasets/iris/made.bin', 'w').write('x')"
    with open(os.devnull, "wb") as null:
        code, made = world.committer.run_command(
            [sys.executable, "-c", script], stdout=null, stderr=null, cwd=world.root
        )
    assert code == 0
    (run,) = made.runs
    assert set(world.used(run, "output")) == {"iris:made.bin"}
    last = history(iris)[-1]
    assert listed(last, run) == ["made.bin"]
    assert world.metadata(run)["output-dataset.iris"] == f"{iris.id}@{last.id}"


def test_a_dataset_that_is_gone_loses_no_run(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris")
    (only,) = history(iris)
    shutil.rmtree(iris.root)
    run = world.publish(input=["datasets/iris/a.csv"])
    world.scan()
    # the checkout is there still, so its version is known
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{only.id}"
    assert world.used(run, "input")["iris:a.csv"].version == only.id
    world.write("dotscience-datasets.json", "{}")
    run = world.publish(input=["datasets/iris/a.csv"])
    errors = world.scan().errors
    assert "Which datasets it used is not recorded" in errors[0].message
    assert world.used(run, "input") == {}


def test_a_dataset_that_cannot_be_read_loses_no_run(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris")
    (only,) = history(iris)
    (iris.root / ".dotscience/records.db").write_bytes(b"no database at all" * 100)
    run = world.publish(input=["datasets/iris/a.csv"])
    errors = world.scan().errors
    assert "Which versions of its files it read of the dataset iris" in errors[0].message
    assert world.metadata(run)["input-dataset.iris"] == f"{iris.id}@{only.id}"


def test_what_is_only_pointed_to(world: DatasetWorld) -> None:
    """A file of a checkout that no snapshot holds: one that was fetched when it was read."""
    world.dataset("iris", manifest="{}")
    world.attach("iris")
    place = (world.root / "datasets/iris").resolve()
    place.chmod(0o755)
    put(place, "big.bin", "12345")
    (only,) = history(world.datasets.get("iris"))
    seen = world.publish(observed={"input": ["datasets/iris/big.bin"], "output": []})
    said = world.publish(input=["datasets/iris/big.bin"])
    world.scan()
    for run in (seen, said):
        file = world.used(run, "input")["iris:big.bin"]
        assert (file.version, file.size, file.digest) == (only.id, 5, None)


def test_two_that_would_wait_for_each_other(world: DatasetWorld) -> None:
    iris = world.dataset("iris", a="1")
    other = world.dataset("other", b="2")
    inside = Attaching(iris.root, world.datasets)
    with pytest.raises(DatasetError, match="cannot be attached to itself"):
        inside.attach("iris")
    with pytest.raises(DatasetError, match="for reading only"):
        inside.attach("other", write=True)
    inside.attach("other")
    assert (iris.root / "datasets/other/b").exists()
    assert other.commit("nothing", author="Ada") is None


def test_two_workspaces_write_to_one(world: DatasetWorld, tmp_path: Path) -> None:
    iris = world.dataset("iris", a="1")
    (tmp_path / "second").mkdir()
    worlds = [world, DatasetWorld(tmp_path / "second")]
    made: dict[str, str] = {}

    def work(number: int) -> None:
        for turn in range(3):
            name = f"{number}-{turn}"
            mine = worlds[number]
            run = mine.publish(
                lambda name=name: put(iris.root, name, name),
                input=["datasets/iris/a"],
                output=[f"datasets/iris/{name}"],
            )
            mine.scan()
            made[name] = mine.used(run, "output")[f"iris:{name}"].version or ""

    for each in worlds:
        each.attach("iris", write=True)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commits = {commit.id: commit for commit in history(iris)}
    assert len(made) == 6 and made.keys() | {"a"} == {
        path.name for path in iris.root.iterdir() if path.name != ".dotscience"
    }
    with iris.opened() as opened:
        for name, version in made.items():
            with opened.engine.open(commits[version].snapshot, name) as file:
                assert file.read().decode() == name
    worlds[1].check()
    worlds[1].close()


def test_a_find_that_died_goes_on(world: DatasetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris", write=True)
    world.scan()
    put(iris.root, "a.csv", "by hand")
    run = world.publish(
        lambda: put(iris.root, "out.csv", "o"),
        input=["datasets/iris/a.csv"],
        observed={"input": [], "output": ["datasets/iris/out.csv"]},
    )

    with monkeypatch.context() as patch:
        patch.setattr(type(world.records), "commit", _only_datasets(world))
        assert world.scan().commits == []
    _, hand, made = history(iris)
    put(iris.root, "out.csv", "of somebody else")
    world.scan()
    assert len(history(iris)) == 3
    told = world.metadata(run)
    assert told["input-dataset.iris"] == f"{iris.id}@{hand.id}"
    assert told["output-dataset.iris"] == f"{iris.id}@{made.id}"
    assert world.used(run, "input")["iris:a.csv"].version == hand.id
    wrote = world.used(run, "output")["iris:out.csv"]
    assert (wrote.version, wrote.size, wrote.authority) == (made.id, 1, "derived")


def _only_datasets(world: DatasetWorld) -> object:
    """Let the records of datasets commit, and the workspace's not."""
    real = type(world.records).commit

    def commit(self: object, *arguments: object, **named: object) -> object:
        if self is world.records:
            raise RecordsError("no room")
        return real(self, *arguments, **named)

    return commit


_THOROUGH = pytest.mark.skipif(
    "DOTSCIENCE_THOROUGH" not in os.environ, reason="DOTSCIENCE_THOROUGH is not set"
)

_KILL = """
import os, signal, sys
from pathlib import Path
from dotscience_jupyter.records.store import Records
sys.path[:0] = sys.argv[3:]
from dataset_world import DatasetWorld
place, root = sys.argv[1], Path(sys.argv[2])
world = DatasetWorld(root)
real = Records.commit
def commit(self, *arguments, **named):
    mine = self is world.records
    if place == ("before workspace" if mine else "before dataset"):
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(self, *arguments, **named)
    if place == ("after workspace" if mine else "after dataset"):
        os.kill(os.getpid(), signal.SIGKILL)
    return done
Records.commit = commit
world.scan()
"""


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("before dataset", marks=_THOROUGH),
        "after dataset",
        pytest.param("before workspace", marks=_THOROUGH),
        "after workspace",
    ],
)
def test_killed_anywhere_nothing_is_lost_or_twice(world: DatasetWorld, place: str) -> None:
    iris = world.dataset("iris", a_csv="1")
    world.attach("iris", write=True)
    world.committer.commit("all")
    run = world.publish(
        lambda: put(iris.root, "out.csv", "o"),
        input=["datasets/iris/a.csv"],
        output=["datasets/iris/out.csv"],
    )
    here = Path(__file__).parent
    command = [sys.executable, "-c", _KILL, place, str(world.root)]
    done = subprocess.run([*command, str(here), str(here.parent / "committer")])
    assert done.returncode == -signal.SIGKILL
    world.scan()
    first, second = history(iris)
    assert listed(second, run) == ["out.csv"]
    told = world.metadata(run)
    assert told["input-dataset.iris"] == f"{iris.id}@{first.id}"
    assert told["output-dataset.iris"] == f"{iris.id}@{second.id}"
    assert world.ids() == [run]
    assert world.spooled() == []
