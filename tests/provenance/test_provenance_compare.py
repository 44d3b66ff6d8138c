# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What changed between the lineages of two models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from provenance_world import add, commit, digest, run

from dotscience_jupyter.provenance.comparing import compare
from dotscience_jupyter.records import NotFoundError
from dotscience_jupyter.records.store import Records

OLD = {"python": {"version": "3.11"}, "packages": {"numpy": "1.26", "pandas": "2.1"}}
NEW = {"python": {"version": "3.12"}, "packages": {"numpy": "2.0", "pandas": "2.1", "polars": "1"}}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


@pytest.fixture
def commits(records: Records) -> list[str]:
    """Two models: other settings, another cleaning of the same raw data, other packages."""
    return add(
        records,
        commit(),
        commit(run("fetch", "", "raw=r", workload_file="fetch.py")),
        commit(run("clean1", "raw=r", "clean=c1", workload_file="clean.py")),
        commit(
            run(
                "train1",
                "clean=c1 labels=l",
                "model=m1",
                workload_file="train.ipynb",
                parameters={"lr": "0.1", "seed": "1", "old": "x"},
                environment=OLD,
            )
        ),
        commit(run("clean2", "raw=r", "clean=c2", workload_file="clean.py")),
        commit(
            run(
                "train2",
                "clean=c2 labels=l extra=e",
                "model=m2",
                workload_file="train.ipynb",
                parameters={"lr": "0.2", "seed": "1"},
                environment=NEW,
            )
        ),
    )


def test_two_models(records: Records, commits: list[str]) -> None:
    _, _, clean1, train1, clean2, train2 = commits
    sources = {(train1, "train.ipynb"): "A", (train2, "train.ipynb"): "B"}
    found = compare(
        records, "run:train1", "file:model", program=lambda c, path: sources.get((c, path), "same")
    )
    changes = {change.path: (change.a, change.b) for change in found.files}
    # the raw data and the labels are the same; extra is in the second only
    assert changes == {
        "clean": (clean1, clean2),
        "extra": (None, commits[0]),
        "model": (None, train2),
    }
    (clean,) = (change for change in found.files if change.path == "clean")
    assert (clean.a_digest, clean.b_digest) == (digest("c1"), digest("c2"))
    values = {c.name: (c.a and c.a[0], c.b and c.b[0], c.program) for c in found.parameters}
    assert values == {
        "lr": ("0.1", "0.2", "train.ipynb"),
        "old": ("x", None, "train.ipynb"),
    }
    packages = {c.name: (c.a and c.a[0], c.b and c.b[0]) for c in found.environments}
    assert packages == {
        "numpy": ("1.26", "2.0"),
        "polars": (None, "1"),
        "python.version": ("3.11", "3.12"),
    }
    assert [(c.path, c.a, c.b, c.a_digest) for c in found.programs] == [
        ("train.ipynb", train1, train2, "A")
    ]
    assert {node.run.id for node in found.only_a if node.run} == {"clean1", "train1"}
    assert {node.run.id for node in found.only_b if node.run} == {"clean2", "train2"}


def test_a_lineage_and_itself(records: Records, commits: list[str]) -> None:
    found = compare(records, "run:train1", "train1")
    assert found.a == found.b == ["run:train1"]
    for part in (found.files, found.programs, found.parameters, found.environments, found.only_a):
        assert part == []


def test_turned_around_it_is_the_same_the_other_way(records: Records, commits: list[str]) -> None:
    there = compare(records, "run:train1", "run:train2")
    back = compare(records, "run:train2", "run:train1")
    assert [(c.path, c.a, c.b) for c in there.files] == [(c.path, c.b, c.a) for c in back.files]
    assert [(c.name, c.a, c.b) for c in there.parameters] == [
        (c.name, c.b, c.a) for c in back.parameters
    ]
    assert [n.id for n in there.only_a] == [n.id for n in back.only_b]


def test_the_same_content_is_no_change(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("one", "", "data=x")),
        commit(run("two", "", "data=x")),
    )
    assert compare(records, "run:one", "run:two").files == []


def test_runs_are_paired_by_what_they_wrote(records: Records) -> None:
    """One notebook that cleans and trains: each step is compared with the same step."""
    steps = []
    for number in ("1", "2"):
        steps += [
            commit(
                run(f"c{number}", "raw", "clean", workload_file="all", parameters={"rows": "5"})
            ),
            commit(
                run(
                    f"t{number}",
                    "clean",
                    "model",
                    workload_file="all",
                    parameters={"lr": number},
                )
            ),
        ]
    add(records, commit(), *steps)
    found = compare(records, "run:t1", "run:t2")
    assert [(c.name, c.a, c.b) for c in found.parameters] == [("lr", ("1", "str"), ("2", "str"))]


def test_what_is_not_there(records: Records, commits: list[str]) -> None:
    with pytest.raises(NotFoundError):
        compare(records, "run:train1", "run:nothing")
