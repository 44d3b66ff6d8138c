# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions, from any start, in any direction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from provenance_world import add, arrows, commit, digest, run, short

from dotscience_jupyter.provenance import (
    Graph,
    affected,
    lineage,
    made_from,
    node_id,
    provenance,
    which_run,
)
from dotscience_jupyter.provenance.tree import tree
from dotscience_jupyter.records import AmbiguousError, NotFoundError
from dotscience_jupyter.records.neighbours import Version
from dotscience_jupyter.records.store import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


MODEL = json.dumps({"files": {"classes": "classes.json", "model": "model.pkl"}, "type": "x"})


@pytest.fixture
def story(records: Records) -> Records:
    """Fetch, clean, edit by hand, train a model, use it; and something unrelated."""
    add(
        records,
        commit(),
        commit(run("fetch", "", "raw.csv=r1")),
        commit(run("clean", "raw.csv=r1", "clean.csv=c1")),
        commit(run("fix", "", "config.yml=y2", authority="correction")),
        commit(
            run(
                "train",
                "clean.csv=c1 config.yml=y2 extra.csv=e",
                "model.pkl=m1 classes.json=k",
                labels={"artefact:tumours": MODEL},
            )
        ),
        commit(run("use", "model.pkl=m1", "report.html=h1", outside="/data/patients.csv")),
        commit(run("other", "raw.csv=r1", "plot.png=p")),
    )
    return records


def test_up_to_the_raw_data(story: Records) -> None:
    graph = provenance(story, "run:use", "up")
    assert arrows(graph) == {
        "/data/patients.csv > use",
        "model.pkl > use",
        "train > model.pkl",
        "clean.csv > train",
        "config.yml > train",
        "extra.csv > train",
        "clean > clean.csv",
        "raw.csv > clean",
        "fetch > raw.csv",
    }
    sources = {node.file.path for node in graph.sources() if node.file}
    assert sources == {"/data/patients.csv", "config.yml", "extra.csv"}
    depths = {(node.run.id if node.run else node.file.path): node.depth for node in graph.nodes}
    assert depths["use"] == 0 and depths["model.pkl"] == 0 and depths["train"] == 1
    assert depths["clean"] == 2 and depths["fetch"] == 3


def test_down_to_all_that_would_be_affected(story: Records) -> None:
    found = affected(story, "file:raw.csv")
    assert [node.run.id for node in found if node.run] == ["clean", "other", "train", "use"]
    assert {n.file.path for n in found if n.file} == {
        "clean.csv",
        "plot.png",
        "model.pkl",
        "classes.json",
        "report.html",
    }
    assert affected(story, "file:report.html") == []


def test_which_run_made_it(story: Records) -> None:
    for path, writer in (("model.pkl", "train"), ("raw.csv", "fetch"), ("config.yml", None)):
        head = which_run(story, path)
        assert (head.id if head else None) == writer


def test_a_model_and_both_directions(story: Records) -> None:
    graph = provenance(story, "model:tumours")
    (start,) = graph.start
    node = graph.by_id()[start]
    assert node.file is not None and node.file.path == "model.pkl" and node.models == ["tumours"]
    assert {"fetch", "use", "report.html"} <= short(graph)
    assert "other" not in short(graph)  # it only shares an ancestor
    train = next(node for node in graph.runs() if node.run and node.run.id == "train")
    assert train.models == ["tumours"] and train.hidden_down == 1  # classes.json
    raw = next(node for node in graph.files() if node.file and node.file.path == "raw.csv")
    assert (raw.hidden_up, raw.hidden_down) == (0, 1)  # other


def test_the_whole_workspace_newest_first(story: Records) -> None:
    graph = provenance(story)
    assert graph.start == [] and not graph.truncated
    assert "fix" not in short(graph)
    assert {"fetch", "clean", "train", "use", "other"} <= short(graph)
    few = provenance(story, limit=3)
    assert few.truncated and short(few) == {"other", "plot.png", "raw.csv"}
    (raw,) = (node for node in few.files() if node.file and node.file.path == "raw.csv")
    assert (raw.hidden_up, raw.hidden_down) == (1, 1)  # fetch; clean


def test_depth_counts_runs(story: Records) -> None:
    assert short(made_from(story, "run:use", depth=1)) >= {"train", "clean.csv"}
    assert "clean" not in short(made_from(story, "run:use", depth=1))
    near = made_from(story, "file:report.html", depth=1)
    assert short(near) == {"report.html", "use", "model.pkl", "/data/patients.csv"}
    model = next(node for node in near.files() if node.file and node.file.path == "model.pkl")
    assert model.hidden_up == 1 and not model.source


def test_the_limit_keeps_what_is_near(story: Records) -> None:
    whole = made_from(story, "run:use")
    for limit in range(1, len(whole.nodes)):
        graph = made_from(story, "run:use", limit=limit)
        assert graph.truncated and len(graph.nodes) == limit
        beyond = min(n.depth for n in whole.nodes if n.id not in graph.by_id())
        assert max(node.depth for node in graph.nodes) <= beyond
        assert sum(node.hidden_up for node in graph.nodes) > 0
    assert not made_from(story, "run:use", limit=len(whole.nodes)).truncated


# --- identical content ----------------------------------------------------------------


def test_a_copy_under_another_name_leads_to_who_made_it(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("make", "raw=r", "data.csv=x")),
        commit(changes="copy.csv=x"),
        commit(run("use", "copy.csv=x", "out=o")),
    )
    graph = made_from(records, "run:use")
    assert arrows(graph) == {
        "copy.csv > use",
        "data.csv = copy.csv",
        "make > data.csv",
        "raw > make",
    }
    assert {node.file.path for node in graph.sources() if node.file} == {"raw"}
    assert {node.run.id for node in affected(records, "file:raw") if node.run} == {"make", "use"}
    head = which_run(records, "copy.csv")
    assert head is not None and head.id == "make"
    assert [node.run.id for node in lineage(records, "use").nodes] == ["use", "make"]
    assert lineage(records, "use").nodes[0].inputs[0].made_by == "make"
    assert [file.path for file in lineage(records, "use").sources] == ["raw"]


def test_a_file_that_was_brought_back_is_what_it_was(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("one", "", "model=good")),
        commit(run("two", "", "model=bad")),
        commit(changes="model=good"),
        commit(run("use", "model=good")),
    )
    assert short(made_from(records, "run:use")) == {"use", "model", "one"}


def test_raw_data_that_was_copied_by_hand(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("first", "raw=x", "a")),
        commit(changes="copy=x"),
        commit(run("second", "copy=x", "b")),
    )
    assert {n.run.id for n in affected(records, "file:raw") if n.run} == {"first", "second"}
    assert {n.file.path for n in made_from(records, "run:second").sources() if n.file} == {"raw"}


def test_what_a_run_wrote_itself_is_no_copy(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("one", "a=x", "b=x")),
        commit(run("two", "", "c=x")),
        commit(run("use", "c=x", "d=y")),
    )
    assert arrows(made_from(records, "run:use")) == {"c > use", "two > c"}


def test_empty_files_are_not_identical(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("one", "", "a/__init__.py=EMPTY")),
        commit(changes="b/__init__.py=EMPTY"),
        commit(run("two", "b/__init__.py=EMPTY")),
    )
    assert short(made_from(records, "run:two")) == {"two", "b/__init__.py"}


def test_a_file_from_outside_with_known_content(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("export", "", "share.csv=x")),
        commit(run("use", outside="/mnt/share.csv=x")),
    )
    graph = made_from(records, "run:use")
    assert "share.csv = /mnt/share.csv" in arrows(graph)
    assert f"file:/mnt/share.csv@={digest('x')}" in graph.by_id()


# --- starts ---------------------------------------------------------------------------


def test_versions_of_one_path(records: Records) -> None:
    first, one, two, edited, *_ = add(
        records,
        commit(),
        commit(run("one", "", "data=1")),
        commit(run("two", "", "data=2")),
        commit(changes="data=3"),
        commit(run("use", "data=3 seed")),
    )

    def made(start: str) -> list[str]:
        return provenance(records, start, "up").start

    assert made("file:data") == made("data") == [f"file:data@{edited}"]
    assert made(f"file:data@{one}") == made(f"file:data@{one[:9]}") == [f"file:data@{one}"]
    assert made("file:data@HEAD~2") == [f"file:data@{two}"]
    assert made("file:data@HEAD") == [f"file:data@{edited}"]
    assert made("file:seed") == made("file:seed@HEAD") == [f"file:seed@{first}"]
    assert which_run(records, f"data@{two[:8]}").id == "two"  # type: ignore[union-attr]
    assert which_run(records, "data") is None


def test_names_with_an_at_sign(records: Records) -> None:
    _, made = add(records, commit(), commit(run("one", "", "me@work.csv we@ir@d")))
    assert provenance(records, "file:me@work.csv").start == [f"file:me@work.csv@{made}"]
    assert provenance(records, f"file:me@work.csv@{made}").start == [f"file:me@work.csv@{made}"]
    assert provenance(records, "we@ir@d", "up").start == [f"file:we@ir@d@{made}"]


def test_content_by_its_digest(story: Records) -> None:
    for text in (digest("r1"), digest("r1")[:12], digest("r1").upper()):
        graph = provenance(story, f"digest:{text}", "up")
        assert short(graph) == {"raw.csv", "fetch"}
    for text in ("0" * 64, "abc", "nothex!!", ""):
        with pytest.raises(NotFoundError):
            provenance(story, f"digest:{text}")


def test_what_could_be_several_things(records: Records) -> None:
    add(records, commit(), commit(run("train", "", "train", labels={"artefact:train": "{}"})))
    with pytest.raises(AmbiguousError, match="file:train or run:train or model:train"):
        provenance(records, "train")
    assert provenance(records, "run:train", "up").start == ["run:train"]


def test_run_prefixes_that_several_have(records: Records) -> None:
    add(records, commit(), commit(run("abcd-1")), commit(run("abcd-2")))
    with pytest.raises(AmbiguousError):
        provenance(records, "abcd")
    assert provenance(records, "abcd-1").start == ["run:abcd-1"]


@pytest.mark.parametrize(
    "start", ["x", "file:x", "run:xxxx", "model:x", "file:raw.csv@ffffffff", "file:", "run:", "\0"]
)
def test_what_is_not_there(story: Records, start: str) -> None:
    with pytest.raises(NotFoundError):
        provenance(story, start)


def test_a_file_that_only_a_commit_holds(story: Records) -> None:
    graph = provenance(story, "file:notes.txt", exists=lambda path: path == "notes.txt")
    (node,) = graph.nodes
    assert node.source and node.file == Version("notes.txt", node.commit)


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 3}', '{"files": {"model": 3}}', "null"])
def test_a_model_that_names_no_file_is_its_run(records: Records, text: str) -> None:
    add(records, commit(), commit(run("train", "", "m", labels={"artefact:x": text})))
    assert provenance(records, "model:x", "up").start == ["run:train"]


# --- details --------------------------------------------------------------------------


def test_of_several_runs_in_a_commit_the_last_made_the_version(records: Records) -> None:
    add(
        records,
        commit(),
        commit(run("first", "", "m=1"), run("last", "", "m=2")),
        commit(run("use", "m=2")),
    )
    assert arrows(made_from(records, "run:use")) == {"m > use", "last > m"}
    assert affected(records, "run:first") == []


def test_what_was_observed_says_so(records: Records) -> None:
    add(records, commit(), commit(run("seen", "a", "b", authority="derived")))
    assert {edge.authority for edge in provenance(records).edges} == {"derived"}


def test_a_run_that_updates_a_file_in_place(records: Records) -> None:
    add(records, commit(), *(commit(run(f"r{i}", "state", "state")) for i in range(30)))
    assert len(made_from(records, "run:r29").runs()) == 30
    assert len(made_from(records, "run:r5").runs()) == 6
    assert len([node for node in affected(records, "run:r5") if node.run]) == 24


def test_more_readers_than_are_counted(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotscience_jupyter.provenance.assembly.COUNTED", 3)
    add(records, commit(), *(commit(run(f"r{i}", "raw")) for i in range(9)))
    raw = next(node for node in made_from(records, "run:r0").files())
    assert raw.hidden_down == 3
    few = provenance(records, "file:raw", "down", limit=4)
    assert few.truncated and few.by_id()[few.start[0]].hidden_down == 3


def test_a_damaged_database_with_a_cycle_ends(records: Records, tmp_path: Path) -> None:
    _, _, two = add(
        records, commit(), commit(run("one", "b=1", "a=2")), commit(run("two", "a=2", "b=1"))
    )
    connection = sqlite3.connect(tmp_path / "records.db")
    connection.execute(
        "UPDATE run_files SET version = ? WHERE run_id = 'one' AND direction = 'input'", [two]
    )
    connection.commit()
    connection.close()
    for direction in ("up", "down", "both"):
        graph = provenance(records, "run:one", direction)  # type: ignore[arg-type]
        check(graph)
        for up in (True, False):
            assert len(list(tree(graph, up))) <= 2 * len(graph.edges) + 1
    assert short(made_from(records, "run:one")) == {"one", "two", "a", "b"}


# --- any history ----------------------------------------------------------------------


def check(graph: Graph) -> None:
    """What holds for every graph."""
    ids = [node.id for node in graph.nodes]
    assert len(ids) == len(set(ids))
    assert set(graph.start) <= set(ids)
    for edge in graph.edges:
        assert edge.source in ids and edge.target in ids
    assert len({(e.source, e.target, e.kind) for e in graph.edges}) == len(graph.edges)
    assert [node.order for node in graph.nodes] == sorted(node.order for node in graph.nodes)
    for node in graph.nodes:
        assert node.hidden_up >= 0 and node.hidden_down >= 0
        # raw data is what nothing leads to, shown or not
        if node.file is not None:
            into = sum(edge.target == node.id for edge in graph.edges)
            assert not (node.source and into + node.hidden_up)
    for node, key in ((node, node.run.id if node.run else node.file) for node in graph.nodes):
        assert key is not None and node.id == node_id(key)


PATHS = "abcd"
steps = st.lists(
    st.tuples(
        st.sets(st.sampled_from(PATHS), max_size=3),  # reads
        st.dictionaries(st.sampled_from(PATHS), st.sampled_from("xyz"), max_size=2),  # writes
        st.dictionaries(st.sampled_from(PATHS), st.sampled_from("xyz"), max_size=2),  # by hand
        st.sampled_from(["workload", "workload", "derived"]),
    ),
    min_size=1,
    max_size=9,
)


@pytest.mark.slow
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
def test_any_history(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[set[str], dict[str, str], dict[str, str], str]],
) -> None:
    path = tmp_path_factory.mktemp("history") / "records.db"
    records = Records.open(f"sqlite:///{path}")
    content = {path: f"first-{path}" for path in PATHS}
    commits = [commit()]
    for number, (reads, writes, edits, authority) in enumerate(steps):
        content |= edits
        commits.append(commit(changes=" ".join(f"{p}={c}" for p, c in sorted(edits.items()))))
        read = " ".join(f"{p}={content[p]}" for p in sorted(reads))
        wrote = " ".join(f"{p}={c}" for p, c in sorted(writes.items()))
        commits.append(commit(run(f"r{number}", read, wrote, authority=authority)))
        content |= writes
    add(records, *commits)

    whole = provenance(records)
    check(whole)
    assert whole == provenance(records)
    ids = [node.id for node in whole.nodes]
    up, down = {}, {}
    for id_ in ids:
        for direction, found in (("up", up), ("down", down)):
            graph = provenance(records, id_, direction)  # type: ignore[arg-type]
            check(graph)
            assert graph.start == [id_]
            assert graph == provenance(records, id_, direction)  # type: ignore[arg-type]
            found[id_] = set(graph.by_id())
            # the same arrows as in the whole, none missing
            inside = {e for e in whole.edges if {e.source, e.target} <= found[id_]}
            assert set(graph.edges) == inside
            hidden = "hidden_up" if direction == "up" else "hidden_down"
            assert all(getattr(node, hidden) == 0 for node in graph.nodes)
    for x in ids:
        for y in ids:
            assert (y in up[x]) == (x in down[y]), (x, y)
    # what is reached is what the arrows of the whole lead to
    into: dict[str, set[str]] = {}
    for edge in whole.edges:
        into.setdefault(edge.target, set()).add(edge.source)
    for id_ in ids:
        reached, left = {id_}, [id_]
        while left:
            for each in into.get(left.pop(), set()) - reached:
                reached.add(each)
                left.append(each)
        assert up[id_] == reached
    records.close()
