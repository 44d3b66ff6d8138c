# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From a run back to the raw data."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from dotscience_jupyter.provenance import lineage, writer_of
from dotscience_jupyter.records.store import (
    NewChange,
    NewCommit,
    NewFile,
    NewRun,
    NotFoundError,
    Records,
)


def _commit(*runs: NewRun, changes: tuple[str, ...] = ()) -> NewCommit:
    return NewCommit(
        snapshot="s",
        type="dotscience.run.v1",
        message="m",
        author="a",
        runs=list(runs),
        changes=[NewChange(path, "modified") for path in changes],
    )


def _run(id_: str, reads: str = "", writes: str = "", authority: str = "workload") -> NewRun:
    files = [NewFile("input", path, size=1) for path in reads.split()]
    files += [NewFile("output", path) for path in writes.split()]
    return NewRun(id=id_, authority=authority, files=files)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


def _add(records: Records, *commits: NewCommit) -> list[str]:
    head = records.head()
    made = records.commit(commits, expected_head=head.id if head else None)
    return [each.id for each in made]


def test_a_model_back_to_the_raw_data(records: Records) -> None:
    first, cleaned, edited, trained, _ = _add(
        records,
        _commit(),
        _commit(_run("clean", "raw.csv", "clean.csv")),
        _commit(_run("fix", "", "config.yml", authority="correction")),
        _commit(_run("train", "clean.csv config.yml extra.csv", "model.pkl")),
        _commit(_run("unrelated", "raw.csv", "other.csv"), _run("test", "model.pkl clean.csv")),
    )
    graph = lineage(records, "test")
    assert graph.run == "test"
    assert [(n.run.id, n.depth) for n in graph.nodes] == [("test", 0), ("train", 1), ("clean", 1)]
    came_from = {n.run.id: {(f.path, f.version, f.made_by) for f in n.inputs} for n in graph.nodes}
    assert came_from == {
        "test": {("model.pkl", trained, "train"), ("clean.csv", cleaned, "clean")},
        "train": {
            ("clean.csv", cleaned, "clean"),
            ("config.yml", edited, None),  # changed by hand: no run explains it
            ("extra.csv", first, None),
        },
        "clean": {("raw.csv", first, None)},
    }
    assert [(f.path, f.version, f.size) for f in graph.sources] == [
        ("config.yml", edited, 1),
        ("extra.csv", first, 1),
        ("raw.csv", first, 1),
    ]
    assert [f.path for f in graph.nodes[1].outputs] == ["model.pkl"]
    assert graph.nodes[0].run.commit.author == "a"  # everything is loaded
    found = writer_of(records, "model.pkl", trained)
    assert found is not None
    assert found.id == "train"
    assert writer_of(records, "config.yml", edited) is None
    assert writer_of(records, "raw.csv", first) is None


def test_versions_are_told_apart(records: Records) -> None:
    _add(
        records,
        _commit(),
        _commit(_run("one", "", "data")),
        _commit(_run("early", "data", "early.out")),
        _commit(_run("two", "", "data")),
        _commit(_run("late", "data early.out")),
    )
    assert [n.run.id for n in lineage(records, "late").nodes] == ["late", "two", "early", "one"]
    assert [n.run.id for n in lineage(records, "early").nodes] == ["early", "one"]
    # edited by hand after the run that made it
    _add(records, _commit(changes=("data",)), _commit(_run("last", "data")))
    graph = lineage(records, "last")
    assert [n.run.id for n in graph.nodes] == ["last"]
    assert [f.path for f in graph.sources] == ["data"]


def test_a_run_that_updates_a_file_in_place(records: Records) -> None:
    _add(records, _commit(), *(_commit(_run(f"r{i}", "state", "state")) for i in range(5)))
    graph = lineage(records, "r4")
    assert [n.run.id for n in graph.nodes] == ["r4", "r3", "r2", "r1", "r0"]
    assert len(graph.sources) == 1


def test_a_missing_run(records: Records) -> None:
    with pytest.raises(NotFoundError):
        lineage(records, "nothing")


def test_a_damaged_database_with_a_cycle_ends(records: Records, tmp_path: Path) -> None:
    _, one, two = _add(
        records, _commit(), _commit(_run("one", "b", "a")), _commit(_run("two", "a", "b"))
    )
    connection = sqlite3.connect(tmp_path / "records.db")
    connection.execute(
        "UPDATE run_files SET version = ? WHERE run_id = 'one' AND direction = 'input'", [two]
    )
    connection.commit()
    connection.close()
    assert [n.run.id for n in lineage(records, "two").nodes] == ["two", "one"]
    assert [n.run.id for n in lineage(records, "one").nodes] == ["one", "two"]


def test_queries_grow_with_depth_not_with_files(records: Records) -> None:
    many = " ".join(f"f{i}" for i in range(300))
    _add(
        records,
        _commit(),
        *(_commit(_run(f"w{i}", "raw", f"f{i}")) for i in range(300)),
        _commit(_run("all", many)),
    )
    statements: list[str] = []
    engine = records._database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    graph = lineage(records, "all")
    assert len(graph.nodes) == 301
    assert len(statements) <= 40


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from("abcd"), max_size=3),
            st.sets(st.sampled_from("abcd"), max_size=2),
            st.sampled_from(["workload", "workload", "correction"]),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_any_history(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[set[str], set[str], str]],
) -> None:
    path = tmp_path_factory.mktemp("history") / "records.db"
    records = Records.open(f"sqlite:///{path}")
    runs = [
        _run(f"r{i}", " ".join(reads), " ".join(writes), authority)
        for i, (reads, writes, authority) in enumerate(steps)
    ]
    _add(records, _commit(), *map(_commit, runs))
    # who made what each run read, by walking the history forward
    made: dict[str, str | None] = {}
    reached: dict[str, set[str]] = {}
    for i, (reads, writes, authority) in enumerate(steps):
        direct = {writer for path in reads if (writer := made.get(path))}
        reached[f"r{i}"] = {f"r{i}"}.union(*(reached[writer] for writer in direct))
        made |= dict.fromkeys(writes, None if authority == "correction" else f"r{i}")
    for id_, expected in reached.items():
        graph = lineage(records, id_)
        assert {node.run.id for node in graph.nodes} == expected
        assert len(graph.nodes) == len(expected)
        assert graph.nodes[0].run.id == id_
        assert [n.depth for n in graph.nodes] == sorted(n.depth for n in graph.nodes)
    records.close()
