# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Following content from one workspace into others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from provenance_world import add, commit, run

from dotscience_jupyter.provenance import Graph
from dotscience_jupyter.provenance.across import across
from dotscience_jupyter.records.store import Records


class Clock:
    """One time for all workspaces, a second later with each look."""

    now = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        Clock.now += 10**9
        return Clock.now


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[dict[str, Records]]:
    found = {
        name: Records.open(f"sqlite:///{tmp_path / name}.db", clock=Clock())
        for name in ("lab", "shop")
    }
    yield found
    for records in found.values():
        records.close()


def arrows(graph: Graph) -> set[str]:
    names = {
        node.id: f"{node.workspace}:{node.run.id if node.run else node.file.path}"  # type: ignore[union-attr]
        for node in graph.nodes
    }
    signs = {"read": ">", "wrote": ">", "same": "="}
    return {f"{names[e.source]} {signs[e.kind]} {names[e.target]}" for e in graph.edges}


ALL = {
    "lab:raw > lab:clean",
    "lab:clean > lab:clean.csv",
    "lab:clean.csv = shop:in.csv",
    "shop:in.csv > shop:train",
    "shop:train > shop:model",
}


@pytest.fixture
def story(opened: dict[str, Records]) -> dict[str, Records]:
    """The lab cleans data; the shop gets the file and trains a model with it."""
    add(opened["lab"], commit(), commit(run("clean", "raw=r", "clean.csv=c")))
    add(
        opened["shop"],
        commit(),
        commit(changes="in.csv=c"),
        commit(run("train", "in.csv=c", "model=m")),
    )
    return opened


def test_up_into_the_workspace_that_made_it(story: dict[str, Records]) -> None:
    graph = across(story, "shop", "run:train", "up")
    assert arrows(graph) == ALL - {"shop:train > shop:model"}
    assert graph.start == ["shop|run:train"]
    assert [n.file.path for n in graph.sources() if n.file] == ["raw"]


def test_down_into_the_workspaces_that_took_it(story: dict[str, Records]) -> None:
    graph = across(story, "lab", "file:raw", "down")
    assert arrows(graph) == ALL
    assert arrows(across(story, "lab", "run:clean", "both")) == ALL
    ids = [node.id for node in graph.nodes]
    assert len(ids) == len(set(ids))
    assert all(e.source in ids and e.target in ids for e in graph.edges)
    assert graph == across(story, "lab", "file:raw", "down")


def test_what_came_later_is_no_origin(opened: dict[str, Records]) -> None:
    add(opened["shop"], commit(), commit(run("train", "in.csv=c", "model=m")))
    add(opened["lab"], commit(), commit(run("clean", "raw=r", "clean.csv=c")))
    assert {n.workspace for n in across(opened, "shop", "run:train", "up").nodes} == {"shop"}
    assert {n.workspace for n in across(opened, "lab", "run:clean", "down").nodes} == {"lab"}


def test_own_history_comes_first(opened: dict[str, Records]) -> None:
    add(opened["lab"], commit(), commit(run("clean", "", "clean.csv=c")))
    add(
        opened["shop"],
        commit(),
        commit(run("make", "", "made.csv=c")),
        commit(changes="in.csv=c"),
        commit(run("train", "in.csv=c")),
    )
    graph = across(opened, "shop", "run:train", "up")
    assert arrows(graph) == {
        "shop:make > shop:made.csv",
        "shop:made.csv = shop:in.csv",
        "shop:in.csv > shop:train",
    }
    assert {n.workspace for n in across(opened, "lab", "run:clean", "down").nodes} == {"lab"}


def test_there_and_back_again(opened: dict[str, Records]) -> None:
    add(opened["lab"], commit(), commit(run("clean", "raw=r", "clean.csv=c")))
    add(
        opened["shop"],
        commit(),
        commit(changes="in.csv=c"),
        commit(run("train", "in.csv=c", "model=m")),
    )
    add(opened["lab"], commit(changes="model=m"), commit(run("use", "model=m", "report=p")))
    graph = across(opened, "lab", "run:use", "up")
    assert arrows(graph) >= ALL | {"shop:model = lab:model", "lab:model > lab:use"}
    down = across(opened, "lab", "file:raw", "down")
    assert "lab:use > lab:report" in arrows(down)


def test_as_many_runs_away_as_asked(story: dict[str, Records]) -> None:
    near = across(story, "shop", "file:model", "up", depth=1, own="shop")
    assert arrows(near) == {":in.csv > :train", ":train > :model", "lab:clean.csv = :in.csv"}
    assert {n.id.partition("@")[0] for n in near.nodes} == {
        "file:in.csv",
        "file:model",
        "run:train",
        "lab|file:clean.csv",
    }
    (end,) = (n for n in near.nodes if n.workspace == "lab")
    assert (end.hidden_up, end.hidden_down, end.source) == (1, 0, False)
    assert {n.depth for n in near.nodes} == {0, 1}
    both = across(story, "lab", "run:clean", "both")
    assert sum(n.hidden_up + n.hidden_down for n in both.nodes) == 0
    assert [n.order for n in both.nodes] == sorted(n.order for n in both.nodes)
    middle = across(story, "shop", "run:train", "up")
    (train,) = (n for n in middle.nodes if n.id == "shop|run:train")
    assert (train.hidden_up, train.hidden_down, train.depth) == (0, 1, 0)
