# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits and runs go in and come out; on both databases."""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from datetime import timedelta

import pytest
from records_world import (
    START,
    add,
    commit,
    full_run,
    head_of,
    run,
    series,
    values,
)
from sqlalchemy import event

from dotscience_jupyter.records.metadata import dataset_versions
from dotscience_jupyter.records.store import (
    AmbiguousError,
    ConflictError,
    DatasetVersion,
    DuplicateRunError,
    NewFile,
    NewValue,
    NotFoundError,
    Records,
    RecordsError,
)


def test_an_empty_database_has_nothing(records: Records) -> None:
    assert records.head() is None
    assert records.list_commits() == ([], 0)
    assert records.list_runs() == ([], 0)
    assert records.counts() == (0, 0)
    assert records.last_written("a") is None
    assert records.known_runs(["a"]) == set()
    assert records.snapshots() == []
    assert records.runs_by_notebook() == {}
    assert records.value_names() == {"parameter": [], "metric": [], "label": []}
    assert records.verify() == []
    with pytest.raises(NotFoundError, match="no commit yet"):
        records.get_commit("HEAD")
    assert records.commit([], expected_head=None) == []


def test_a_run_comes_back_as_it_went_in(records: Records) -> None:
    new = full_run()
    [first] = add(records, commit())
    [made] = records.commit(
        [commit(new, logs={"t/workload-stdout.log": b"hi"})], expected_head=first
    )
    got = records.get_run(new.id)
    assert got.commit.id == made.id == got.commit_id
    assert (got.status, got.error, got.authority) == ("failed", "ValueError: no", "workload")
    assert (got.description, got.author) == ("tuning äöü", "ada")
    assert (got.workload_type, got.workload_file) == ("command", "train.py")
    assert (got.started, got.seconds) == (START, 1.25)
    assert got.ended == START + timedelta(seconds=1.25)
    assert got.environment is not None
    assert got.environment.document == new.environment
    assert got.details == new.details
    assert [(v.kind, v.name, v.text, v.type, v.number) for v in got.values] == [
        ("label", "artefact:m", "x", "str", None),
        ("metric", "acc", "0.9", "float", 0.9),
        ("metric", "bad", "nan", "float", None),
        ("metric", "loss", "inf", "float", float("inf")),
        ("parameter", "deep", "True", "bool", 1.0),
        ("parameter", "lr", "0.1", "float", 0.1),
        ("parameter", "n", "7", "int", 7.0),
        ("parameter", "seed", "None", "none", None),
    ]
    assert [(f.direction, f.path, f.version, f.digest, f.size) for f in got.files] == [
        ("input", "gone.csv", first, None, None),
        ("input", "raw.csv", first, None, None),
        ("output", "model.pkl", None, "d" * 64, 3),
    ]
    assert [(s.name, s.count) for s in got.series] == [("loss", 3)]
    assert records.series(new.id, "loss") == ([0.0, 1.0, 2.0], [3.0, 2.0, 1.0], [1.5, 2.5, 3.5])
    [log] = records.logs(made.id)
    assert (log.name, log.size, zlib.decompress(log.data)) == ("t/workload-stdout.log", 2, b"hi")
    assert log.digest == hashlib.sha256(b"hi").hexdigest()
    with pytest.raises(NotFoundError):
        records.series(new.id, "acc")


def test_the_flat_metadata_is_that_of_the_original(records: Records) -> None:
    new = full_run(id="r1")
    [first] = add(records, commit())
    new.files.append(NewFile("input", "odd@name.csv", version="f" * 64))
    metadata = {"workload.command": '["python","train.py"]', "exec.start": "19990101T000000.5"}
    [made] = records.commit(
        [
            commit(
                new,
                metadata=metadata,
                logs={"t/workload-stdout.log": b""},
                datasets=[
                    DatasetVersion("input", "iris", "the-id", "c" * 64),
                    DatasetVersion("output", "iris", "the-id", "d" * 64),
                ],
            )
        ],
        expected_head=first,
    )
    flat = dict(made.details)
    digests = {key: flat.pop(key) for key in list(flat) if key.endswith("-digest")}
    assert sorted(digests) == ["changes-digest", "logs-digest", "run.r1.details-digest"]
    timestamp = flat.pop("timestamp")
    assert int(timestamp) // 1000 == int(made.created.timestamp() * 10**6)
    assert flat == {
        "type": "dotscience.run.v1",
        "author": "grace",
        "message": "a message",
        "success": "false",
        "workload.type": "command",
        "workload.command": '["python","train.py"]',
        "workload.image": "img:1",
        "workload.image.hash": "img:1@sha256:ab",
        "exec.start": "19990101T000000.5",
        "exec.end": "20260301T120001.250000",
        "exec.logs": '["t/workload-stdout.log"]',
        "exec.cpu-seconds": "1.5",
        "exec.ram": "2048",
        "runner.name": "laptop",
        "runner.platform": "linux",
        "runner.platform_version": "Linux-6.1",
        "runner.cpu": '["2x EPYC"]',
        "runner.gpu": '["A100"]',
        "runner.ram": "1024",
        "runs": '["r1"]',
        "run.r1.authority": "workload",
        "run.r1.description": "tuning äöü",
        "run.r1.workload-file": "train.py",
        "run.r1.error": "ValueError: no",
        "run.r1.start": "20260301T120000.000000",
        "run.r1.end": "20260301T120001.250000",
        "run.r1.input-files": f'["gone.csv@{first}","odd@name.csv@{"f" * 64}","raw.csv@{first}"]',
        "run.r1.output-files": '["model.pkl"]',
        "input-dataset.iris": f"the-id@{'c' * 64}",
        "output-dataset.iris": f"the-id@{'d' * 64}",
        "run.r1.dataset-input-files.iris": f'["raw/a.csv@{"c" * 64}"]',
        "run.r1.dataset-output-files.iris": '["raw/b.csv"]',
        "run.r1.label.artefact:m": "x",
        "run.r1.summary.acc": "0.9",
        "run.r1.summary.bad": "nan",
        "run.r1.summary.loss": "inf",
        "run.r1.parameters.deep": "True",
        "run.r1.parameters.lr": "0.1",
        "run.r1.parameters.n": "7",
        "run.r1.parameters.seed": "None",
    }
    assert dataset_versions(made.details) == [
        DatasetVersion("input", "iris", "the-id", "c" * 64),
        DatasetVersion("output", "iris", "the-id", "d" * 64),
    ]


def test_a_run_without_datasets_is_told_as_before_there_were_any(records: Records) -> None:
    add(records, commit(full_run(datasets=[])), commit(full_run()))
    first, second = records.export([c.id for c in reversed(records.list_commits()[0])])
    keys = {"files", "format", "run", "series", "values"}
    assert json.loads(first)["runs"][0].keys() == keys
    assert json.loads(second)["runs"][0].keys() == keys | {"datasets"}


def test_who_wrote_a_file_last_as_of_a_commit(records: Records) -> None:
    first, second, third = add(
        records,
        commit(),
        commit(changes={"a": "added", "b": "added"}),
        commit(changes={"a": "modified", "b": "removed"}),
    )
    assert records.last_written_before(["a", "b", "c"], second) == {
        "a": second,
        "b": second,
        "c": first,
    }
    assert records.last_written_before(["a", "b"], third) == {"a": third, "b": None}
    assert records.last_written_before(["a"], first) == {"a": first}


def test_a_commit_id_is_the_documented_hash(records: Records) -> None:
    first, second = add(records, commit(snapshot="one"), commit(full_run(), snapshot="two"))
    for id_, snapshot, parents in ((first, "one", []), (second, "two", [first])):
        document = {
            "format": 1,
            "snapshot": snapshot,
            "parents": parents,
            "metadata": records.get_commit(id_).details,
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert id_ == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_commits_of_one_call_are_a_chain(records: Records) -> None:
    runs = [run(), run(), run()]
    made = records.commit([commit(), commit(*runs[:2]), commit(runs[2])], expected_head=None)
    assert [[p.parent_id for p in c.parents] for c in made] == [[], [made[0].id], [made[1].id]]
    assert [c.sequence for c in made] == [1, 2, 3]
    assert [r.id for r in made[1].runs] == [runs[0].id, runs[1].id]
    assert head_of(records) == made[2].id
    page, total = records.list_commits(offset=1, limit=1)
    assert (total, [c.id for c in page]) == (3, [made[1].id])
    assert [r.id for r in page[0].runs] == [runs[0].id, runs[1].id]
    assert records.counts() == (3, 3)
    assert records.snapshots() == [c.snapshot for c in made]
    newest, _ = records.list_runs()
    assert [r.id for r in newest] == [r.id for r in reversed(runs)]
    assert newest[0].commit.created == made[2].created


def test_a_moved_head_writes_nothing(records: Records) -> None:
    [first] = add(records, commit())
    with pytest.raises(ConflictError):
        records.commit([commit(run())], expected_head=None)
    with pytest.raises(ConflictError):
        records.commit([commit(run())], expected_head="0" * 64)
    assert (records.counts(), head_of(records)) == ((1, 0), first)


def test_a_known_run_writes_nothing(records: Records) -> None:
    known, new = run(), run()
    [first] = add(records, commit(known))
    with pytest.raises(DuplicateRunError) as caught:
        records.commit([commit(new), commit(known)], expected_head=first)
    assert caught.value.ids == {known.id}
    with pytest.raises(DuplicateRunError):
        records.commit([commit(new), commit(new)], expected_head=first)
    assert records.known_runs([known.id, new.id]) == {known.id}
    assert records.counts() == (1, 1)
    many = [f"id-{i}" for i in range(1200)]
    assert records.known_runs([*many, known.id]) == {known.id}


def test_commits_and_runs_are_found_by_prefix(records: Records) -> None:
    runs = [run(id="abcd-1"), run(id="abcd-2"), run(id="xy")]
    made = add(records, commit(), commit(*runs), commit())
    assert records.get_commit("HEAD").id == made[2]
    assert records.get_commit("HEAD~").id == made[1]
    assert records.get_commit("HEAD~2").id == records.get_commit(f"{made[2]}~2").id == made[0]
    assert records.get_commit(f"{made[1][:12].upper()}~0").id == made[1]
    for wrong in ("HEAD~3", "HEAD~999999999", "", "0000000", "HEAD~x", made[0][:3], "%%%%"):
        with pytest.raises(NotFoundError):
            records.get_commit(wrong)
    assert records.get_run("abcd-1").id == "abcd-1"
    assert records.get_run("xy").id == "xy"  # whole ids may be short
    with pytest.raises(AmbiguousError):
        records.get_run("abcd")
    for wrong in ("abc", "abcd-3", "%%%%", "____", ""):
        with pytest.raises(NotFoundError):
            records.get_run(wrong)


def test_inputs_get_the_commit_that_wrote_them_last(records: Records) -> None:
    first, second, third, fourth = add(
        records,
        commit(),
        commit(run(writes=("a", "b"))),
        commit(run(reads=("a", "c"), writes=("a",)), changes={"c": "modified", "d": "added"}),
        commit(run(id="last", reads=("a", "b", "c", "d", "e"))),
    )
    got = {f.path: f.version for f in records.get_run("last").files}
    assert got == {"a": third, "b": second, "c": third, "d": third, "e": first}
    assert {path: records.last_written(path) for path in got} == got
    assert fourth == head_of(records)
    # the same over several calls
    add(records, commit(run(id="again", reads=("a", "b", "c", "d", "e"))))
    assert {f.path: f.version for f in records.get_run("again").files} == got


def test_a_removed_path_has_no_version_until_it_is_written_again(records: Records) -> None:
    add(records, commit(), commit(changes={"a": "added"}), commit(changes={"a": "removed"}))
    assert records.last_written("a") is None
    *_, back = add(records, commit(run(id="r1", reads=("a",))), commit(run(writes=("a",))))
    assert records.last_written("a") == back
    assert records.get_run("r1").files[0].version is None
    _, read = add(records, commit(changes={"a": "removed"}), commit(run(id="r2", reads=("a",))))
    assert records.get_run("r2").files[0].version is None
    # an output that was gone by the time of the commit
    add(records, commit(run(writes=("b",)), changes={"b": "removed"}))
    assert records.last_written("b") is None


def test_an_input_is_never_of_its_own_commit(records: Records) -> None:
    first, second = add(records, commit(), commit(run(id="r", reads=("a",), writes=("a",))))
    assert records.get_run("r").files[0].version == first
    [made] = records.commit(
        [commit(run(id="new", reads=("a",)), changes={"a": "modified"})], expected_head=second
    )
    assert records.get_run("new").files[0].version == second
    assert records.last_written("a") == made.id


def test_the_very_first_commit_knows_no_versions(records: Records) -> None:
    add(records, commit(run(id="r", reads=("a",))))
    assert records.get_run("r").files[0].version is None
    flat = records.get_commit("HEAD").details
    assert flat["run.r.input-files"] == '["a@"]'
    assert records.verify() == []


def test_the_writer_of_a_version(records: Records) -> None:
    _, made = add(
        records,
        commit(),
        commit(
            run(id="one", writes=("a", "b")),
            run(id="two", writes=("b",)),
            run(id="rest", writes=("c",), authority="correction"),
        ),
    )
    assert records.writer_of("a", made) == "one"
    assert records.writer_of("b", made) == "two"  # the later one
    assert records.writer_of("c", made) is None  # a correction explains nothing
    assert records.writer_of("d", made) is None
    assert records.writer_of("a", "0" * 64) is None
    pairs = [("a", made), ("b", made), ("c", made), ("a", "0" * 64)]
    assert records.writers_of(pairs) == {("a", made): "one", ("b", made): "two"}


def test_wild_text_is_recorded_and_proved(records: Records) -> None:
    wild = "a\x00b\ud800c\udc80\U0001f600" + "'; drop table runs; --"
    long = "n" * 5000
    new = run(
        description=wild,
        error=wild,
        author=wild,
        workload_file=wild,
        workload_type=long,
        values=[
            NewValue("metric", wild, wild),
            NewValue("metric", long, "1"),
            NewValue("metric", long + "x", "2"),
            NewValue("parameter", "", ""),
            NewValue("label", "twice", "first"),
            NewValue("label", "twice", "second", "no such type"),
        ],
        series=[series(long, 1.0)],
        environment={wild: [float("nan"), float("-inf"), 1e308, 2**70, {"deep": (1, None)}]},
        details={"x": wild, "y": {1: object}},
        reads=(wild, long),
        writes=(wild,),
    )
    add(records, commit(), commit(new, message=wild, author=wild, logs={long: b"\0\xff"}))
    got = records.get_run(new.id)
    shown = "a\ufffdb\ufffdc\ufffd\U0001f600" + "'; drop table runs; --"
    assert (got.description, got.error, got.author, got.workload_file) == (shown,) * 4
    assert len([v for v in got.values if v.name.startswith("nnn") and len(v.name) == 512]) == 2
    assert {v.name: v.text for v in got.values}["twice"] == "second"
    assert got.environment is not None
    assert got.environment.document[shown] == ["nan", "-inf", 1e308, 2**70, {"deep": [1, None]}]
    assert records.verify() == []


@pytest.mark.parametrize("wild", ["\x00\x00\x00\x00", "abcd\udcff", "\ud800", "x" * 100_000])
def test_wild_questions_get_plain_answers(records: Records, wild: str) -> None:
    new = run(values=values(metric={wild: 1}), series=[series(wild, 1.0)], writes=(wild,))
    first, made = add(records, commit(), commit(new))
    for ask in (records.get_commit, records.get_run):
        with pytest.raises(NotFoundError):
            ask(wild)
    assert records.known_runs([wild, new.id]) == {new.id}
    assert records.get_runs([wild, new.id]).keys() == {new.id}
    assert records.last_written(wild) == made
    assert records.last_written(wild + "other") == first
    assert records.writer_of(wild, made) == new.id
    assert records.writers_of([(wild, made), (wild, wild)]) == {(wild, made): new.id}
    assert records.series(new.id, wild)[1] == [1.0]
    with pytest.raises(NotFoundError):
        records.series(wild, wild)
    assert records.logs(wild) == []
    assert len(records.list_runs(search=wild)[0]) == 1
    assert records.list_runs(where=f"description ~ '{wild[:100]}'") == ([], 0)
    with pytest.raises(RecordsError):
        records.list_runs(sort=wild)
    assert records.list_runs(offset=2**80, limit=2**80) == ([], 1)
    assert records.list_commits(offset=-5, limit=-5) == ([], 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: commit(run(id="")),
        lambda: commit(run(id="a.b")),
        lambda: commit(run(id="x" * 65)),
        lambda: commit(run(authority="god")),
        lambda: commit(run(values=[NewValue("thing", "a", "b")])),
        lambda: commit(run(started=START.replace(tzinfo=None))),
        lambda: commit(changes={"a": "renamed"}),
        lambda: commit(snapshot=""),
        lambda: commit(metadata={"Upper": "x"}),
    ],
)
def test_what_makes_no_sense_is_refused(records: Records, make: object) -> None:
    with pytest.raises(RecordsError):
        records.commit([make()], expected_head=None)  # type: ignore[operator]
    bad = series("loss", 1.0, 2.0)
    bad.count = 3
    with pytest.raises(RecordsError, match="incomplete"):
        records.commit([commit(run(series=[bad]))], expected_head=None)
    assert records.counts() == (0, 0)


def test_equal_environments_are_kept_once(records: Records) -> None:
    same = {"python": {"version": "3"}, "packages": {"a": "1", "b": "2"}}
    turned = {"packages": {"b": "2", "a": "1"}, "python": {"version": "3"}}
    runs = [run(environment=same), run(environment=turned), run(environment={"x": 1})]
    add(records, commit(runs[0]), commit(runs[1], runs[2]))
    ids = [records.get_run(r.id).environment_id for r in runs]
    assert ids[0] == ids[1] != ids[2]


def test_names_and_notebooks(records: Records) -> None:
    add(
        records,
        commit(run(workload_file="a.ipynb", values=values(parameter={"b": 1, "a": 2}))),
        commit(run(workload_file="a.ipynb", values=values(metric={"b": 1}, label={"é": "x"}))),
        commit(run(workload_file="b.py", values=values(parameter={"a": 1, "Z": 1})), run()),
    )
    assert records.runs_by_notebook() == {"a.ipynb": 2, "b.py": 1}
    assert records.value_names() == {"parameter": ["Z", "a", "b"], "metric": ["b"], "label": ["é"]}


def test_a_page_takes_a_few_queries_however_long_it_is(records: Records) -> None:
    add(records, *(commit(full_run()) for _ in range(30)))
    statements: list[str] = []
    engine = records._database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def cost(limit: int) -> int:
        statements.clear()
        page, total = records.list_runs(sort="metrics.acc desc", limit=limit)
        assert (len(page), total) == (limit, 30)
        assert all(len(each.values) == 8 and each.commit.created for each in page)
        return len(statements)

    assert cost(5) <= 8  # the order is worked out once
    assert cost(30) == cost(2) <= 5
    statements.clear()
    page, _ = records.list_commits(limit=30)
    assert all(len(each.runs) == 1 for each in page)
    assert len(statements) <= 5


def test_threads_lose_nothing(records: Records) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                new = commit(run())
                while True:
                    try:
                        records.commit([new], expected_head=head_of(records))
                        break
                    except ConflictError:
                        pass
                records.list_runs(limit=3)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert records.counts() == (20, 20)
    assert records.verify() == []
