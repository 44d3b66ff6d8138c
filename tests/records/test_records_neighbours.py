# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who read and who wrote file versions, on both databases."""

from __future__ import annotations

import pytest
from records_world import add, commit, run, values

from dotscience_jupyter.provenance import affected, made_from, provenance
from dotscience_jupyter.records import NewFile
from dotscience_jupyter.records.neighbours import Life, Neighbours, Version
from dotscience_jupyter.records.store import Records

X, Y = "a" * 64, "b" * 64


def file(direction: str, path: str, digest: str | None = X, **fields: object) -> NewFile:
    return NewFile(direction, path, digest=digest, size=3, **fields)  # type: ignore[arg-type]


@pytest.fixture
def commits(records: Records) -> list[str]:
    make, use, other = run(id="make"), run(id="use"), run(id="other")
    make.files = [file("input", "raw", Y), file("output", "data")]
    use.files = [
        file("input", "copy"),
        file("input", "/out", None, version=""),
        file("output", "m"),
    ]
    use.values = values(parameter={"lr": 0.1}, label={"artefact:best": '{"files": {"model": "m"}}'})
    other.files = [file("input", "data", "d" * 64)]
    return add(
        records,
        commit(),
        commit(make),
        commit(changes={"copy": "added"}),
        commit(use),
        commit(run(id="fix", authority="correction", writes=("data",))),
        commit(other),
    )


def test_what_lies_beside(records: Records, commits: list[str]) -> None:
    first, made, copied, _, fixed, _ = commits
    with records.neighbours() as near:
        assert {(r.file, r.writer) for r in near.inputs(["use", "other", "make"])} == {
            (Version("copy", copied), None),
            (Version("/out", None), None),
            (Version("data", fixed), None),  # a correction is no writer
            (Version("raw", first), None),
        }
        (output,) = near.outputs(["make", "fix", "other"])
        assert (output.file, output.life) == (Version("data", made), Life(2, 5))
        assert near.life(Version("data", made)) == Life(2, 5)
        assert near.life(Version("data", fixed)) == Life(5, None)
        assert near.life(Version("data", "0" * 64)) is None
        found = near.writers([Version("data", made), Version("data", fixed), Version("raw", first)])
        assert {file: row.run for file, row in found.items()} == {Version("data", made): "make"}
        assert _readers(near, Version("data", fixed)) == ["other"]
        assert _readers(near, Version("data", made)) == []
        assert _readers(near, Version("/out", None)) == ["use"]
        assert near.newest(5) == ["other", "use", "make"]
        assert near.runs(["make"])["make"].order == 2
        assert near.first_readings(["/out"]) == {Version("/out", None): 4}
        assert near.model("best") == ("use", '{"files": {"model": "m"}}')
        assert near.model("worst") is None
        head = near.runs(["use"]).values()
        assert near.parameters(head) == {"use": {"lr": ("0.1", "float")}}
        assert near.models(head) == {"use": {"best": '{"files": {"model": "m"}}'}}


def _readers(near: Neighbours, file: Version) -> list[str]:
    life = near.life(file)
    found = [row.run for row in near.readers({file: life})]
    assert near.count_readers(file, life, 10) == len(found)
    return found


def test_the_same_content(records: Records, commits: list[str]) -> None:
    _, made, copied, *_ = commits
    with records.neighbours() as near:
        read, written = near.identical({X}, "input", "output")
        assert Version("copy", copied) in {row.file for row in read}
        assert Version("data", made) in {row.file for row in written}
        assert near.identical({X}, "input")[1] == []
        assert near.identical({"c" * 64}, "input", "output") == ([], [])
        assert Version("copy", copied) in near.with_digest("aaaa")
        assert near.with_digest("cccc") == []


def test_versions_of_a_path(records: Records, commits: list[str]) -> None:
    first, made, _, _, fixed, _ = commits
    with records.neighbours() as near:
        assert near.newest_version("data") == Version("data", fixed)
        assert near.newest_version("data", 4) == Version("data", made)
        assert near.newest_version("raw") == Version("raw", first)
        assert near.newest_version("/out") == Version("/out", None)
        assert near.newest_version("nothing") is None
        assert near.described(Version("raw", first)).digest == Y
        assert near.described(Version("data", made)).digest == X


def test_walks(records: Records, commits: list[str]) -> None:
    runs = [node.run.id for node in made_from(records, "model:best").runs() if node.run]
    assert runs == ["make", "use"]
    assert [node.run.id for node in affected(records, "file:raw") if node.run] == ["make", "use"]
    assert len(provenance(records).runs()) == 3


def test_a_file_that_was_observed(records: Records) -> None:
    seen = run(id="seen")
    seen.files = [file("input", "a"), file("input", "b", authority="derived")]
    add(records, commit(), commit(seen))
    told = {edge.source.partition("@")[0]: edge.authority for edge in provenance(records).edges}
    assert told == {"file:a": "workload", "file:b": "derived"}
