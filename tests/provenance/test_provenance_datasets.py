# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of datasets in the graph: within one workspace, and across to the dataset and others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from provenance_world import add, arrows, commit, digest, run, short

from dotscience_jupyter.provenance import (
    Graph,
    affected,
    lineage,
    made_from,
    provenance,
    which_run,
)
from dotscience_jupyter.provenance.across import across
from dotscience_jupyter.records import NotFoundError
from dotscience_jupyter.records.new import NewDatasetFile, NewRun
from dotscience_jupyter.records.store import Records

V1, V2, V3 = ("1" * 64, "2" * 64, "3" * 64)


def using(made: NewRun, *files: str) -> NewRun:
    """``using(run("x"), "<iris//a.csv@VERSION=content", ">iris//b.csv@VERSION")``."""
    for text in files:
        place, _, rest = text[1:].partition("@")
        version, _, content = rest.partition("=")
        dataset, _, path = place.partition("//")
        file = NewDatasetFile("input" if text[0] == "<" else "output", dataset, path)
        file.version = version or None
        if content:
            file.digest, file.size = digest(content), len(content)
        made.datasets.append(file)
    return made


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    add(
        opened,
        commit(),
        commit(using(run("clean"), f"<iris//raw.csv@{V1}=r", f">iris//clean.csv@{V2}=c")),
        commit(using(run("train", "", "model=m"), f"<iris//clean.csv@{V2}=c")),
        commit(using(run("other", "", "x"), f"<iris//clean.csv@{V3}=d", "<gone//a.csv@=g")),
        commit(run("judge", "model=m", "report")),
    )
    yield opened
    assert opened.verify() == []
    opened.close()


def test_up_to_the_raw_data_of_a_dataset(records: Records) -> None:
    graph = made_from(records, "run:judge")
    assert arrows(graph) == {
        "iris//raw.csv > clean",
        "clean > iris//clean.csv",
        "iris//clean.csv > train",
        "train > model",
        "model > judge",
    }
    assert [node.file.path for node in graph.sources() if node.file] == ["iris//raw.csv"]
    assert which_run(records, "iris//clean.csv") is None  # version 3 came from elsewhere
    made = which_run(records, f"iris//clean.csv@{V2[:8]}")
    assert made is not None and made.id == "clean"


def test_down_to_all_that_would_be_affected(records: Records) -> None:
    found = [node.run.id for node in affected(records, "file:iris//raw.csv") if node.run]
    assert found == ["clean", "train", "judge"]
    graph = provenance(records, f"file:iris//clean.csv@{V3}", "down")
    assert short(graph) == {"iris//clean.csv", "other", "x"}
    assert graph.start == [f"file:iris//clean.csv@{V3}"]


def test_neighbours_that_are_left_out_are_counted(records: Records) -> None:
    graph = provenance(records, f"file:iris//clean.csv@{V2}", "up", depth=1)
    (node,) = [node for node in graph.files() if node.id in graph.start]
    assert (node.hidden_up, node.hidden_down) == (0, 1)
    assert node.size == 1 and node.digest == digest("c") and not node.source


def test_starts(records: Records) -> None:
    found = provenance(records, f"digest:{digest('c')}").start
    assert found == [f"file:iris//clean.csv@{V2}"]
    for text in ("file:iris//none", f"file:iris//clean.csv@{V1}", "file:none//a", "iris//none"):
        with pytest.raises(NotFoundError):
            provenance(records, text)
    newest = provenance(records)
    assert {"iris//raw.csv", "gone//a.csv", "judge"} <= short(newest)


def test_the_lineage_of_a_run(records: Records) -> None:
    found = lineage(records, "judge")
    assert [node.run.id for node in found.nodes] == ["judge", "train", "clean"]
    assert [(each.path, each.version) for each in found.sources] == [("iris//raw.csv", V1)]
    train = found.nodes[1]
    assert [(each.path, each.made_by) for each in train.inputs] == [("iris//clean.csv", "clean")]


def test_who_made_a_version_that_several_wrote(records: Records) -> None:
    add(
        records,
        # of one commit the last one made it; who writes the same bytes later made nothing
        commit(using(run("one"), f">iris//both@{V3}=b"), using(run("two"), f">iris//both@{V3}=b")),
        commit(using(run("again"), f">iris//both@{V3}=b")),
    )
    made = which_run(records, f"iris//both@{V3}")
    assert made is not None and made.id == "two"
    assert records.dataset_writers("iris", [("both", V3), ("clean.csv", V2), ("no", V1)]) == {
        ("both", V3): "two",
        ("clean.csv", V2): "clean",
    }
    assert arrows(made_from(records, "run:again")) == set()


def test_a_copy_of_what_a_dataset_holds(records: Records) -> None:
    add(records, commit(changes="copy=c"), commit(run("use", "copy=c")))
    graph = made_from(records, "run:use")
    assert "iris//clean.csv = copy" in arrows(graph)
    assert "clean" in short(graph)


@pytest.fixture
def several(tmp_path: Path) -> Iterator[dict[str, Any]]:
    names = ("maker", "user", "set")
    opened = {name: Records.open(f"sqlite:///{tmp_path / name}.db") for name in names}
    # the dataset has a run of its own, and versions that others made
    first, own = add(opened["set"], commit(), commit(run("fetch", "", "raw.csv=r")))
    second, third = add(opened["set"], commit(changes="clean.csv"), commit(changes="hand.csv"))
    add(
        opened["maker"],
        commit(),
        commit(using(run("clean"), f"<iris//raw.csv@{own}=r", f">iris//clean.csv@{second}")),
    )
    add(
        opened["user"],
        commit(),
        commit(
            using(
                run("train", "", "model"),
                # called otherwise here
                f"<flowers//clean.csv@{second}",
                f"<flowers//hand.csv@{third}",
            )
        ),
    )
    yield opened
    for records in opened.values():
        records.close()


def named(graph: Graph) -> set[str]:
    names = {}
    for node in graph.nodes:
        if node.run is None:
            assert node.file is not None
            names[node.id] = f"{node.workspace}:{node.file.path}"
        else:
            names[node.id] = f"{node.workspace}:{node.run.id}"
    signs = {"read": ">", "wrote": ">", "same": "="}
    return {f"{names[e.source]} {signs[e.kind]} {names[e.target]}" for e in graph.edges}


def test_across_to_the_datasets_own_history(several: dict[str, Any]) -> None:
    up = {
        "set:fetch > set:raw.csv",
        "set:raw.csv = maker:iris//raw.csv",
        "maker:iris//raw.csv > maker:clean",
        "maker:clean > maker:iris//clean.csv",
        "maker:iris//clean.csv = user:flowers//clean.csv",
        "user:flowers//clean.csv > user:train",
        "set:hand.csv = user:flowers//hand.csv",
        "user:flowers//hand.csv > user:train",
    }
    found = named(across(several, "user", "run:train", "up"))
    assert found - {"set:clean.csv = user:flowers//clean.csv"} == up
    down = named(across(several, "set", "run:fetch", "down"))
    assert down == {
        "set:fetch > set:raw.csv",
        "set:raw.csv = maker:iris//raw.csv",
        "maker:iris//raw.csv > maker:clean",
        "maker:clean > maker:iris//clean.csv",
        "maker:iris//clean.csv = user:flowers//clean.csv",
        "user:flowers//clean.csv > user:train",
        "user:train > user:model",
    }
