# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Rows become bodies: types come back, nothing wild reaches JSON."""

from __future__ import annotations

import importlib
import inspect
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.api import bodies, models
from dotscience_jupyter.committer import CommitterStatus, FoundError
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.snapshots import Change, Difference, Entry, Kind, LiveChange


@given(st.booleans() | st.integers() | st.floats() | st.text() | st.none())
def test_types_come_back(value):
    kind = {type(None): "none"}.get(type(value), type(value).__name__)
    back = bodies.typed(str(value), kind)
    if isinstance(value, float) and not math.isfinite(value):
        assert back == str(value)
    else:
        assert back == value
        assert type(back) is type(value)
    json.dumps(back, allow_nan=False)


@given(st.text(max_size=30), st.sampled_from(["str", "int", "float", "bool", "none", "other"]))
def test_any_text_of_any_type_is_some_value(text, kind):
    json.dumps(bodies.typed(text, kind), allow_nan=False)


def test_every_body_is_found_where_it_is_looked_for():
    for name in models.__all__:
        assert getattr(models, name) is not None
    assert sorted(models.__all__) == sorted(models._MODULE_OF)
    listed = [name for names in models._MODULES.values() for name in names.split()]
    assert len(listed) == len(models._MODULE_OF), "a name is in two modules"
    for file in Path(models.__file__).parent.glob("[!_]*.py"):
        module = importlib.import_module(f"{models.__name__}.{file.stem}")
        for name, body in vars(module).items():
            if inspect.isclass(body) and body.__module__ == module.__name__:
                assert name.startswith("_") or models._MODULE_OF[name] == file.stem
    with pytest.raises(AttributeError, match="NoSuchBody"):
        models.NoSuchBody  # noqa: B018 - to look for it is to fail


def test_what_does_not_fit_its_type_stays_text():
    assert bodies.typed("many", "int") == "many"
    assert bodies.typed("9" * 5000, "int") == "9" * 5000  # more digits than Python converts
    assert bodies.typed("maybe", "bool") == "maybe"


documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(documents)
def test_documents_hold_only_what_json_can(document):
    json.dumps(bodies.finite(document), allow_nan=False)


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_file_time_is_a_time(nanoseconds):
    assert bodies.instant(nanoseconds).tzinfo is UTC


def test_file_times_are_exact_to_the_microsecond():
    assert bodies.instant(1_700_000_000_123_456_789) == datetime(
        2023, 11, 14, 22, 13, 20, 123456, UTC
    )


def a_run(**details) -> rows.Run:
    commit = rows.Commit(id="c" * 64, sequence=1, created=datetime(2024, 1, 1, tzinfo=UTC))
    return rows.Run(
        id="r1",
        sequence=7,
        commit=commit,
        commit_id=commit.id,
        authority="workload",
        status="failed",
        description="d",
        error="e",
        author="ada",
        workload_type="jupyter",
        workload_file="a.ipynb",
        started=None,
        ended=None,
        seconds=math.inf,
        details=details,
        values=[
            rows.RunValue(kind="parameter", name="lr", text="0.1", type="float"),
            rows.RunValue(kind="metric", name="loss", text="nan", type="float"),
            rows.RunValue(kind="label", name="artefact:m1", text="{}", type="str"),
            rows.RunValue(kind="label", name="n", text="3", type="int"),
        ],
        files=[
            rows.RunFile(
                direction=direction, path="a", version="v", digest="d", size=1, authority=authority
            )
            for direction, authority in (("input", "workload"), ("output", "derived"))
        ],
        series=[rows.Series(name="loss", count=3)],
        environment=rows.Environment(id="x", document={"ram": math.nan}),
    )


def test_a_run_with_everything():
    log = rows.Log(name="t/workload-stdout.log", size=5)
    detail = bodies.run_detail(
        a_run(
            traceback="ValueError: x",
            cell={"id": "abc", "index": 2, "execution_count": 5},
            seeds={"numpy": 1, "odd": [1]},
            resources={"cpu_seconds": math.inf},
        ),
        [log],
        {("a", "v"): "r0"},
    )
    assert detail.parameters == {"lr": 0.1}
    assert detail.metrics == {"loss": "nan"}
    assert detail.labels == {"artefact:m1": "{}", "n": "3"}
    assert detail.models == ["m1"]
    assert detail.seconds is None
    assert [item.made_by for item in detail.inputs + detail.outputs] == ["r0", None]
    assert [item.authority for item in detail.inputs + detail.outputs] == ["workload", "derived"]
    assert detail.cell is not None and detail.cell.index == 2
    assert detail.seeds == {"numpy": 1}
    assert detail.resources == {"cpu_seconds": "inf"}
    assert detail.environment == {"ram": "nan"}
    assert detail.logs[0].size == 5
    json.loads(detail.model_dump_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"cell": "no", "seeds": [], "resources": 3, "traceback": 5},
        {"cell": {"id": 5, "index": "x", "execution_count": True}},
    ],
)
def test_wild_details_do_no_harm(details):
    detail = bodies.run_detail(a_run(**details), [], {})
    assert (detail.cell, detail.traceback, detail.seeds, detail.resources) == (None, None, {}, {})


def an_entry(path: str, size: int = 1) -> Entry:
    return Entry(path, Kind.FILE, 0o644, size, 0, "d" * 64)


def test_paths_leave_in_text_form():
    entry = bodies.file_entry(
        Entry("a/\udcff\\", Kind.SYMLINK, 0o777, 3, 0, "", target="../\udcfe")
    )
    assert (entry.path, entry.name, entry.target) == (r"a/\xff\\", r"\xff\\", r"../\xfe")
    entry.model_dump_json()


def test_differences():
    old, new = an_entry("a", 1), an_entry("a", 2)
    body = bodies.file_difference(Difference("a", Change.MODIFIED, old, new))
    assert (body.change, body.old_size, body.new_size) == ("modified", 1, 2)
    body = bodies.file_difference(Difference("a", Change.REMOVED, old, None))
    assert (body.change, body.old_size, body.new_size) == ("removed", 1, None)
    body = bodies.file_difference(Difference("a", Change.MODIFIED, old, new))
    assert body.old_path is None
    moved = an_entry("b\udcff", 2)
    body = bodies.file_difference(Difference("a", Change.RENAMED, moved, new))
    assert (body.change, body.old_path, body.path) == ("renamed", r"b\xff", "a")
    with pytest.raises(ValueError):
        bodies.file_difference(Difference("a", Change.REMOVED, None, None))


def test_a_status_lists_some_and_counts_the_rest():
    changed = [LiveChange(f"{i}", Change.ADDED, Kind.FILE, 1) for i in range(500)]
    found = CommitterStatus(
        "changed",
        errors=[FoundError("json", "/secret/a.ipynb is broken", "a.ipynb", 3)],
        changed=changed,
        unclaimed=[f"{i}" for i in range(300)],
        notebooks={"a.ipynb": 2},
        message="/secret/x",
    )
    body = bodies.status(found, lambda text: text.replace("/secret/", ""))
    assert len(body.changed_files) + body.more_changed_files == 500
    assert len(body.unclaimed_files) + body.more_unclaimed_files == 300
    assert body.error_detail[0].message == "a.ipynb is broken"
    assert (body.error_detail[0].notebook, body.error_detail[0].cell) == ("a.ipynb", 3)
    assert body.notebooks["a.ipynb"].runs == 2
    assert body.message == "x"
