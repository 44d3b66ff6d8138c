# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making datasets, and letting them appear in workspaces."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from pathlib import Path

import pytest
from dataset_world import history, put

from dotscience_jupyter.api.datasets import Attaching
from dotscience_jupyter.datasets import Attachments, DatasetError, Datasets
from dotscience_jupyter.records import Workspace
from dotscience_jupyter.snapshots import IgnoreRules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return Workspace.create(folder).root


@pytest.fixture
def attaching(root: Path) -> Attaching:
    return Attaching(root)


def make(name: str = "iris", **files: str) -> Datasets:
    datasets = Datasets()
    for file, content in (files or {"a": "1"}).items():
        put(datasets.home(name), file, content)
    datasets.create(name, author="Ada")
    return datasets


def test_a_dataset_is_a_workspace_with_an_id_of_its_history(tmp_path: Path) -> None:
    datasets = make(a="one")
    iris = datasets.get("iris")
    assert uuid.UUID(iris.id).version == 4
    (first,) = history(iris)
    assert iris.id.replace("-", "")[:12] == first.id[:12]
    assert [each.name for each in datasets.all()] == ["iris"]
    assert datasets.by_id(iris.id) is not None and datasets.at(iris.root) is not None
    assert iris.commit("nothing", author="Ada") is None
    put(iris.root, "b", "two")
    made = iris.commit("more", {"source": "a tap"}, author="Bob")
    assert made is not None and made.details["source"] == "a tap" and made.author == "Bob"
    # moved: said again, it is the same one
    elsewhere = tmp_path / "elsewhere"
    iris.root.rename(elsewhere)
    with pytest.raises(DatasetError, match="not where it should be.*dataset create iris"):
        iris.commit("lost", author="Ada")
    assert datasets.create("iris", elsewhere, author="Ada").id == iris.id
    assert datasets.get("iris").root == elsewhere


def test_a_workspace_with_a_history_becomes_one(root: Path) -> None:
    before = Datasets().create("first", root, author="Ada")
    with pytest.raises(DatasetError, match="is the dataset first already"):
        Datasets().create("second", root, author="Ada")
    assert len(history(before)) == 1


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "ü", "x" * 65, "a/b", "a.b", "a\n"])
def test_names_that_none_can_have(name: str) -> None:
    with pytest.raises(DatasetError, match="cannot be the name of a dataset") as refused:
        Datasets().create(name, author="Ada")
    assert refused.value.code == "invalid_request"


def test_what_cannot_become_one(root: Path, tmp_path: Path) -> None:
    datasets = make("Iris")
    with pytest.raises(DatasetError, match="There is a dataset Iris already"):
        datasets.create("iris", author="Ada")
    (root / "data").mkdir()
    with pytest.raises(DatasetError, match="lies inside of the workspace"):
        datasets.create("inner", root / "data", author="Ada")
    with pytest.raises(DatasetError, match="is not a folder"):
        datasets.create("none", tmp_path / "missing", author="Ada")
    assert [each.name for each in datasets.all()] == ["Iris"]


def test_many_are_made_at_once() -> None:
    names = [f"set-{number}" for number in range(4)]
    threads = [threading.Thread(target=make, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.name for each in Datasets().all()] == names


def test_a_damaged_list_is_told_of_and_kept() -> None:
    datasets = make()
    file = datasets.folder / "datasets.json"
    for text in ("{", '{"format": 2}', '{"format": 1, "datasets": {"a": {}}}', "[]"):
        file.write_text(text)
        with pytest.raises(DatasetError, match="cannot be read") as refused:
            datasets.create("other", author="Ada")
        assert refused.value.code == "unreadable" and file.read_text() == text


def test_attached_for_reading_is_a_version_that_stays(attaching: Attaching, root: Path) -> None:
    datasets = make(a="one")
    iris = datasets.get("iris")
    (first,) = history(iris)
    made = attaching.attach("iris")
    assert (made.path, made.mode, made.version) == ("datasets/iris", "read", None)
    inside = root / "datasets/iris"
    assert inside.is_symlink() and (inside / "a").read_text() == "one"
    assert not (inside / "a").stat().st_mode & 0o222
    assert not inside.stat().st_mode & 0o222
    put(iris.root, "a", "two")
    second = iris.commit("second", author="Ada")
    assert second is not None
    assert (inside / "a").read_text() == "one"
    attaching.attach_all()
    assert (inside / "a").read_text() == "two"
    # pinned, it stays
    assert attaching.attach("iris", "HEAD~1").version == first.id
    attaching.attach_all()
    assert (inside / "a").read_text() == "one"
    found = datasets.owner(inside / "a")
    assert found is not None and (found[0].id, found[1]) == (iris.id, first.id)
    found = datasets.owner(iris.root / "a")
    assert found is not None and found[1] is None
    assert datasets.owner(root) is None
    # for everybody the same folder
    assert datasets.checkout(iris, first.id) == inside.resolve()
    # as after a kill before it was protected whole
    inside.resolve().chmod(0o755)
    (inside / "a").chmod(0o644)
    datasets.checkout(iris, first.id)
    assert not (inside.stat().st_mode | (inside / "a").stat().st_mode) & 0o222


def test_attached_for_writing_is_the_live_folder(attaching: Attaching, root: Path) -> None:
    iris = make().get("iris")
    attaching.attach("iris", path="live", write=True)
    put(root, "live/b", "2")
    assert (iris.root / "b").read_text() == "2"
    with pytest.raises(DatasetError, match="A version never changes"):
        attaching.attach("iris", "HEAD", write=True)
    # elsewhere: the old link goes
    attaching.attach("iris", path="other/place")
    assert not os.path.lexists(root / "live") and (root / "other/place/b").exists() is False
    assert (root / ".dotscienceignore").read_text() == "/other/place\n"
    attaching.detach("iris")
    assert not (root / "other").exists()
    assert not (root / ".dotscienceignore").exists()
    assert not (root / "dotscience-datasets.json").exists()
    with pytest.raises(DatasetError, match="No dataset 'iris' is attached"):
        attaching.detach("iris")


def test_the_file_is_for_people(attaching: Attaching, root: Path) -> None:
    iris = make().get("iris")
    make("other")
    (root / ".dotscienceignore").write_text("*.log")
    attaching.attach("other", write=True)
    attaching.attach("iris", "HEAD", path="in/iris")
    (first,) = history(iris)
    assert json.loads((root / "dotscience-datasets.json").read_text()) == {
        "format": 1,
        "datasets": {
            "iris": {"id": iris.id, "path": "in/iris", "version": first.id, "mode": "read"},
            "other": {
                "id": Datasets().get("other").id,
                "path": "datasets/other",
                "version": None,
                "mode": "write",
            },
        },
    }
    text = (root / ".dotscienceignore").read_text()
    assert text == "*.log\n/datasets/other\n/in/iris\n"
    attaching.detach("other")
    assert (root / ".dotscienceignore").read_text() == "*.log\n/in/iris\n"


@pytest.mark.parametrize(
    "path", [".", "..", "../x", "/abs", "a//b", "a/../b", ".dotscience/x", "a\nb", ".git"]
)
def test_paths_where_none_can_be(attaching: Attaching, root: Path, path: str) -> None:
    make()
    with pytest.raises(DatasetError, match="cannot be the path of a dataset"):
        attaching.attach("iris", path=path)
    assert not (root / "dotscience-datasets.json").exists()
    assert not (root / ".dotscienceignore").exists()


def test_nothing_of_the_user_is_replaced(attaching: Attaching, root: Path, tmp_path: Path) -> None:
    make()
    make("other")
    put(root, "file", "mine")
    put(root, "folder/file", "mine")
    (root / "link").symlink_to(tmp_path)
    (root / "dead").symlink_to("nowhere")
    for path, reason in (
        ("file", "something at file already"),
        ("folder", "something at folder already"),
        ("link", "link of yours"),
        ("dead", "link of yours"),
        ("link/inside", "leads out of the workspace"),
        ("file/below", "below a file"),
    ):
        with pytest.raises(DatasetError, match=reason):
            attaching.attach("iris", path=path)
    attaching.attach("other", path="data")
    for path in ("data", "data/inner"):
        with pytest.raises(DatasetError, match="where the dataset other is attached"):
            attaching.attach("iris", path=path)
    assert (root / "file").read_text() == "mine"
    assert [each.name for each in Attachments(root).all()] == ["other"]


@pytest.mark.parametrize(
    "path", ["a b", "trailing ", "#x", "!x", "*", "[a]", "back\\\\slash", "ünï", "b\\xff", "a?/b"]
)
def test_odd_paths_are_kept_out_of_snapshots(attaching: Attaching, root: Path, path: str) -> None:
    from dotscience_jupyter.records import from_text

    make()
    attaching.attach("iris", path=path)
    name = from_text(path)
    assert (root / name).is_symlink()
    rules = IgnoreRules(root)
    assert rules.is_ignored(name)
    assert not rules.is_ignored("x") and not rules.is_ignored(f"elsewhere/{name}")
    attaching.attach("iris", path=path)
    assert len((root / ".dotscienceignore").read_bytes().splitlines()) == 1
    attaching.detach("iris")
    assert not (root / ".dotscienceignore").exists()


def test_what_the_workspace_says_is_checked(attaching: Attaching, root: Path) -> None:
    iris = make().get("iris")
    good = {"id": iris.id, "path": "data", "version": None, "mode": "read"}
    for bad in (
        good | {"path": "../outside"},
        good | {"path": 5},
        good | {"mode": "own"},
        good | {"id": None},
        {"id": iris.id},
        "text",
    ):
        put(
            root,
            "dotscience-datasets.json",
            json.dumps({"format": 1, "datasets": {"iris": bad}}),
        )
        with pytest.raises(DatasetError, match=r"dotscience-datasets\.json.*cannot be read"):
            attaching.attach_all()
    assert not (root.parent / "outside").exists()


def test_one_that_is_not_here(attaching: Attaching, root: Path) -> None:
    datasets = make()
    iris = datasets.get("iris")
    with pytest.raises(DatasetError, match="no dataset 'mnist' on this machine. There is: iris"):
        attaching.attach("mnist")
    with pytest.raises(DatasetError, match="no version 'abcdef'"):
        attaching.attach("iris", "abcdef")
    attaching.attach("iris")
    (root / "datasets/iris").unlink()
    attaching.attach_all()
    assert (root / "datasets/iris/a").exists()
    shutil.rmtree(iris.root)
    with pytest.raises(DatasetError, match=r"not on this machine.*does not know a hub"):
        attaching.attach_all()
