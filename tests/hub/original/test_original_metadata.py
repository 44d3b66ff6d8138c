# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Run metadata v1: what is read of it, and that it comes back as it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.original import runmetadata
from dotscience_jupyter.hub.original.runmetadata import MetadataError, checked, outputs, read
from dotscience_jupyter.records import NewCommit, Records

RUN = "02ecdc93-be4d-4a2b-bc4a-08ecc6d4ff05"

# as the specification's own sample has it, and more of what readers know
SAMPLE = {
    "type": "dotscience.run.v1",
    "author": "452342",
    "date": "1538658370073482093",
    "message": "Dotscience runs",
    "workload.type": "jupyter",
    "workload.image": "busybox",
    "workload.image.hash": f"busybox@sha256:{'2a' * 32}",
    "exec.start": "20181004T130607.101",
    "exec.end": "20181004T130610.223123456",
    "exec.logs": '["16204868-ae5a-4574-907b-8d4774aad497/agent-stdout.log"]',
    "exec.cpu-seconds": "54.3",
    "exec.ram": "1048576",
    "runner.name": "bob",
    "runner.version": "Runner=Dotscience Docker Executor rev. 63db3d0 Agent=b1acc85",
    "runner.platform": "linux",
    "runner.platform_version": "Linux a1bc10a2fb6e 4.14.60 x86_64 GNU/Linux",
    "runner.cpu": '["Intel(R) Core(TM) i7 CPU", "Intel(R) Core(TM) i7 CPU"]',
    "runner.gpu": '["V100"]',
    "runner.ram": "16579702784",
    "runner.ram.ecc": "true",
    "input-dataset.b": "<ID of dot b>@<commit ID of dot b before the run>",
    "output-dataset.c": "<ID of dot c>@D3",
    "runs": json.dumps([RUN]),
    f"run.{RUN}.authority": "derived",
    f"run.{RUN}.description": "tuned",
    f"run.{RUN}.workload-file": "nb.ipynb",
    f"run.{RUN}.error": "it broke",
    f"run.{RUN}.start": "20181004T130607.225",
    f"run.{RUN}.end": "20181004T130608.225123987",
    f"run.{RUN}.input-files": '["foo.csv@C1", "na@me.csv@C2"]',
    f"run.{RUN}.output-files": '["./log.csv", "a//b.bin"]',
    f"run.{RUN}.dataset-input-files.b": '["input.csv@C9"]',
    f"run.{RUN}.dataset-output-files.c": '["cache.sqlite"]',
    f"run.{RUN}.label.artefact:mnist": "{}",
    f"run.{RUN}.label.dots.in.it": "x",
    f"run.{RUN}.summary.rms_error": "0.057",
    f"run.{RUN}.metric.other": "1",
    f"run.{RUN}.parameters.smoothing": "1.0",
    f"run.{RUN}.comments-count": "2",
    f"run.{RUN}.nobody-knows": "this",
}


def test_all_of_a_run_is_read() -> None:
    said = read("given outside", "alice", SAMPLE)
    assert (said.type, said.message, said.author) == (
        "dotscience.run.v1",
        "Dotscience runs",
        "452342",
    )
    (run,) = said.runs
    assert (run.id, run.authority, run.error) == (RUN, "derived", "it broke")
    assert (run.description, run.workload_file, run.workload_type, run.author) == (
        "tuned",
        "nb.ipynb",
        "jupyter",
        "452342",
    )
    assert run.started == datetime(2018, 10, 4, 13, 6, 7, 225_000, tzinfo=UTC)
    assert run.ended == datetime(2018, 10, 4, 13, 6, 8, 225_123, tzinfo=UTC)
    assert {(v.kind, v.name, v.text) for v in run.values} == {
        ("label", "artefact:mnist", "{}"),
        ("label", "dots.in.it", "x"),
        ("metric", "rms_error", "0.057"),
        ("metric", "other", "1"),
        ("parameter", "smoothing", "1.0"),
    }
    assert {(f.direction, f.path, f.version) for f in run.files} == {
        ("input", "foo.csv", "C1"),
        ("input", "na@me.csv", "C2"),
        ("output", "log.csv", None),
        ("output", "a/b.bin", None),
    }
    assert run.environment == {
        "platform": {"system": "linux", "text": "Linux a1bc10a2fb6e 4.14.60 x86_64 GNU/Linux"},
        "cpu": {"model": "Intel(R) Core(TM) i7 CPU", "count": 2},
        "gpu": ["V100"],
        "ram": 16579702784,
        "image": {
            "name": "busybox",
            "digest": f"sha256:{'2a' * 32}",
        },
        "runner": {"version": SAMPLE["runner.version"], "ecc": "true"},
    }
    assert run.details == {
        "resources": {"cpu_seconds": 54.3, "peak_ram": 1048576},
        "process": {"host": "bob"},
    }
    assert {(f.direction, f.dataset, f.path, f.version) for f in run.datasets} == {
        ("input", "b", "input.csv", "C9"),
        ("output", "c", "cache.sqlite", "D3"),
    }
    assert said.metadata["output-dataset.c"] == SAMPLE["output-dataset.c"]


def test_what_cannot_be_read_is_left_out_and_told_of() -> None:
    said = read(
        "",
        "alice",
        {
            "type": "dotscience.run.v1",
            "runs": f'["{RUN}", "{RUN}"]',
            "exec.cpu-seconds": "-1",
            "exec.ram": "much",
            "runner.cpu": "8x Intel",
            "runner.gpu": "null",
            f"run.{RUN}.authority": "guessed",
            f"run.{RUN}.start": "yesterday",
            f"run.{RUN}.end": "20181399T130607.1",
            f"run.{RUN}.input-files": '["versionless"]',
            f"run.{RUN}.output-files": '["../../out", "/abs", "", "ok", "b\\\\c", "bad\\udcff"]',
            f"run.{RUN}.dataset-input-files.d": '{"not": "a list"}',
            f"run.{RUN}.label.": "no name",
        },
    )
    (run,) = said.runs
    assert run.authority == "correction" and run.workload_type == "unknown"
    assert run.started is None and run.ended is None and run.values == []
    assert [f.path for f in outputs(said.runs)] == ["ok", "b\\\\c", "bad\\xff"]
    assert run.details["outside"] == ["", "../../out", "/abs"]
    found = " ".join(run.details["problems"])
    for key in ("exec.ram", "runner.cpu", "start", "end", "versionless", "dataset-input-files.d"):
        assert key in found
    assert "cpu-seconds" not in found and "gpu" not in found
    assert "resources" not in run.details


@pytest.mark.parametrize(
    "runs", ["", "no json", "{}", '"x"', "[1]", '["a b"]', '["' + "x" * 65 + '"]', "[" * 5000]
)
def test_runs_that_would_be_lost_are_refused(runs: str) -> None:
    with pytest.raises(MetadataError, match="Nothing was recorded"):
        read("m", "alice", {"type": "dotscience.run.v1", "runs": runs})


def test_no_runs_is_a_failed_commit_as_readers_have_it() -> None:
    said = read("", "alice", {"type": "dotscience.run.v1"})
    assert said.runs == [] and said.metadata["success"] == "false"
    assert said.message == "No run metadata was returned"
    other = read("m", "alice", {"type": "something.else", "runs": "whatever"})
    assert other.runs == [] and other.type == "something.else"


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        "text",
        {"Upper": "x"},
        {"": "x"},
        {"number": 1},
        {"none": None},
        {"#commit-id": "0" * 64},
    ],
)
def test_metadata_that_no_commit_has_is_refused(metadata: object) -> None:
    with pytest.raises(MetadataError, match="Nothing was recorded"):
        checked(metadata)
    assert checked(None) == {}


def test_versions_of_other_histories_are_set_aside() -> None:
    said = read("", "alice", SAMPLE)
    runmetadata.settle_versions(said.runs, lambda ids: {"C1"} & set(ids))
    (run,) = said.runs
    assert {f.path: f.version for f in run.files if f.direction == "input"} == {
        "foo.csv": "C1",
        "na@me.csv": "",
    }
    assert run.details["unknown_versions"] == {"na@me.csv": "C2"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    folder: Path = tmp_path_factory.mktemp("records")
    opened = Records.open(f"sqlite:///{folder / 'records.db'}")
    yield opened
    assert opened.verify() == [], "everything that was recorded by these tests is sound"
    opened.close()


def record(records: Records, message: str, metadata: dict[str, str]) -> dict[str, str]:
    said = read(message, "alice", checked(metadata))
    head = records.head()
    new = NewCommit(
        "snapshot", said.type, said.message, said.author, said.runs, metadata=said.metadata
    )
    (made,) = records.commit([new], expected_head=head.id if head else None)
    return runmetadata.written(records.get_commit(made.id))


def test_what_was_given_comes_back(records: Records) -> None:
    back = record(records, "outside", SAMPLE)
    assert back.pop("timestamp").isdigit()
    assert back == SAMPLE
    assert records.verify() == []


def test_other_commits_are_told_without_our_digests(records: Records) -> None:
    head = records.head()
    new = NewCommit("s", "upload", "Uploaded x", "bob", metadata={"upload.file": "x"})
    (made,) = records.commit([new], expected_head=head.id if head else None)
    back = runmetadata.written(records.get_commit(made.id))
    assert back.pop("timestamp").isdigit()
    assert back == {
        "type": "upload",
        "message": "Uploaded x",
        "author": "bob",
        "success": "true",
        "upload.file": "x",
    }


IDS = ["a", "b-1", "C_2", "d.e", "ü", ""]
KEYS = st.one_of(
    st.sampled_from(sorted(SAMPLE)),
    st.builds(
        "run.{}.{}".format,
        st.sampled_from(IDS),
        st.sampled_from(
            [
                "authority",
                "error",
                "start",
                "input-files",
                "output-files",
                "label.x",
                "summary.",
                "",
            ]
        ),
    ),
    st.text(max_size=8),
)
VALUES = st.one_of(
    st.sampled_from([*sorted(SAMPLE.values()), "null", "[]", "[[", '["a@b@c", "@", "x/.."]']),
    st.text(max_size=12),
    st.lists(st.text(max_size=5)).map(json.dumps),
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(KEYS, VALUES, max_size=12),
    st.lists(st.sampled_from(IDS[:4]), max_size=3),
    st.text(max_size=5),
    st.sampled_from(["dotscience.run.v1", "dotscience.run.v1", "dotscience.run-output.v1", ""]),
)
def test_anything_is_recorded_or_refused_in_words(
    records: Records, metadata: dict[str, str], ids: list[str], message: str, kind: str
) -> None:
    fresh = {id_: f"{id_}-{uuid4().hex[:8]}" for id_ in IDS}
    metadata = {
        key.replace(f".{id_}.", f".{fresh[id_]}.") if id_ else key: value
        for key, value in metadata.items()
        for id_ in [key.split(".")[1] if key.startswith("run.") and key.count(".") > 1 else ""]
        if not id_ or id_ in fresh
    }
    metadata |= {"type": kind, "runs": json.dumps([fresh[id_] for id_ in ids])}
    try:
        back = record(records, message, metadata)
    except MetadataError as error:
        assert str(error)
        return
    metadata.pop("timestamp", None)
    back.pop("timestamp")
    metadata = {key: value for key, value in metadata.items() if not key.endswith(".record")}
    assert {key: back[key] for key in metadata} == metadata
    assert back.keys() - metadata.keys() <= {"message", "author"}
