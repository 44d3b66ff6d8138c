# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The public text of a run, sound and hostile."""

from __future__ import annotations

import doctest
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from committer_world import new_id, run_text
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.committer import runtext
from dotscience_jupyter.committer.runtext import parse, parse_time

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        "[[DOTSCIENCE-RUN:",
        "[[/DOTSCIENCE-RUN:",
        "a]]",
        "b]]",
        "{",
        "}",
        '"',
        "\\",
        ":",
        ",",
        "[",
        "{}",
        '"summary"',
        "\n",
        "\ud800",
        "\0",
        "1e999",
    ]
)


def test_docstrings() -> None:
    assert doctest.testmod(runtext).failed == 0


def test_a_block_among_other_text() -> None:
    first, second = new_id(), new_id()
    text = (
        "Epoch 1\n"
        + run_text(first, summary={"accuracy": "0.9"}, description="d", start="20260101T000000.5")
        + "between"
        + run_text(second, input=["b", "a", "b"], error="no")
        + "after"
    )
    runs, errors = parse(text)
    assert errors == []
    assert [run.id for run in runs] == [first, second]
    assert runs[0].metrics == {"accuracy": "0.9"}
    assert runs[0].description == "d"
    assert runs[0].start == datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC)
    assert runs[1].inputs == ["b", "a"]
    assert runs[1].error == "no"


def test_values_that_are_no_text_keep_their_type() -> None:
    runs, errors = parse(run_text("a", parameters={"n": 3, "x": 1.5, "b": True, "z": None}))
    assert errors == []
    assert runs[0].parameters == {"n": "3", "x": "1.5", "b": "True", "z": "None"}
    assert runs[0].types == {
        ("parameters", "n"): "int",
        ("parameters", "x"): "float",
        ("parameters", "b"): "bool",
        ("parameters", "z"): "none",
    }


def test_the_marker_inside_of_a_text_ends_nothing() -> None:
    runs, errors = parse(run_text("a", description="see [[/DOTSCIENCE-RUN:a]] {"))
    assert errors == []
    assert runs[0].description == "see [[/DOTSCIENCE-RUN:a]] {"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "ends before its closing marker|is broken"),
        ('{"summary": {"a": ', "ends before|broken"),
        ("[]", "not an object"),
        ('{"input": "a"}', '"input" is not a list'),
        ('{"input": [1]}', '"input" is not a list'),
        ('{"summary": []}', '"summary" is not an object'),
        ('{"labels": {"a": []}}', "neither a text nor a number"),
        ('{"start": "yesterday"}', "not a time of the form"),
        ('{"start": "20269999T000000"}', "not a time that exists"),
        ('{"description": {}}', '"description" is not a text'),
        ('{"workload-file": 1}', '"workload-file" is not a text'),
        ('{"a": ' + "[" * 100_000, "nested too deeply|ends before|broken"),
        ("{} {}", "not followed by its closing marker"),
        ('{"a": ' + "9" * 10_000 + "}", "broken|integer"),
    ],
)
def test_a_broken_block_is_reported_and_hides_no_other(body: str, says: str) -> None:
    good = run_text("good")
    for text in (
        f"[[DOTSCIENCE-RUN:bad]]{body}[[/DOTSCIENCE-RUN:bad]]\n{good}",
        f"[[DOTSCIENCE-RUN:bad]]{body}\n{good}",
        f"{good}[[DOTSCIENCE-RUN:bad]]{body}",
    ):
        runs, errors = parse(text)
        assert [run.id for run in runs] == ["good"]
        assert [error.id for error in errors] == ["bad"]
        if text.endswith("bad]]\n" + good):
            assert any(part in errors[0].message for part in says.split("|")), errors


@pytest.mark.parametrize("run_id", ["", "a b", "a" * 65, "../x", "ä"])
def test_ids_that_are_none(run_id: str) -> None:
    runs, errors = parse(run_text(run_id))
    assert runs == []
    assert errors[0].id is None


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("20260102T030405", 0),
        ("20260102T030405.1", 100_000),
        ("20260102T030405.123456", 123_456),
        ("20260102T030405.123456789", 123_456),
        ("20260102T030405.000001Z", 1),
    ],
)
def test_times(text: str, microseconds: int) -> None:
    assert parse_time(text) == datetime(2026, 1, 2, 3, 4, 5, microseconds, UTC)


@pytest.mark.parametrize("text", ["", "20260102", "20260102T030405.1234567891", "٢0260102T030405"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@given(st.lists(st.tuples(st.uuids(version=4), JSON, st.text()), max_size=4))
def test_any_json_is_taken_or_reported(blocks: list[tuple[Any, Any, str]]) -> None:
    text = ""
    for run_id, value, around in blocks:
        text += (
            f"{around}[[DOTSCIENCE-RUN:{run_id}]]{json.dumps(value)}[[/DOTSCIENCE-RUN:{run_id}]]"
        )
    runs, errors = parse(text)
    told = {run.id for run in runs} | {error.id for error in errors}
    assert {str(run_id) for run_id, _, _ in blocks} <= told
    for run in runs:
        for value in (run.description, *run.labels, *run.metrics.values()):
            value.encode("utf-8")
            assert "\0" not in value


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=300)
def test_a_sound_block_is_found_after_any_noise(pieces: list[str]) -> None:
    runs, _ = parse("".join(pieces) + "\n" + run_text("sound", description="x"))
    assert [run.description for run in runs if run.id == "sound"] == ["x"]


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        parse(text)
        best = min(best, time.perf_counter() - begin)
    return best


@pytest.mark.parametrize(
    "unit",
    [
        "[[DOTSCIENCE-RUN:",
        "[[DOTSCIENCE-RUN:a]]",
        "[[DOTSCIENCE-RUN:a]]{",
        '[[DOTSCIENCE-RUN:a]]{"',
        '[[DOTSCIENCE-RUN:a]]{"a": "',
        '[[DOTSCIENCE-RUN:a]]{"a": [',
        '[[DOTSCIENCE-RUN:a]]{"a": "\\',
        "[[DOTSCIENCE-RUN:a]]{}",
        "[[DOTSCIENCE-RUN:a]]{} ",
        "[[/DOTSCIENCE-RUN:a]]",
        "[[DOTSCIENCE-RUN:a]]" + " " * 50,
        "[[DOTSCIENCE-RUN:a]]{" + '"k": "v",\n' * 3,
    ],
)
def test_hostile_text_takes_time_in_proportion(unit: str) -> None:
    small, big = unit * 4_000, unit * 32_000
    # eight times the text: a quadratic reader takes 64 times as long
    assert _seconds(big) < 25 * _seconds(small) + 0.05


def test_a_block_that_is_too_long_is_reported() -> None:
    text = (
        '[[DOTSCIENCE-RUN:a]]{"description": "'
        + "x" * (9 * 1024 * 1024)
        + '"}[[/DOTSCIENCE-RUN:a]]'
    )
    runs, errors = parse(text + run_text("b"))
    assert [run.id for run in runs] == ["b"]
    assert "longer than 8 MiB" in errors[0].message


def test_many_broken_blocks_are_summed_up() -> None:
    _, errors = parse("[[DOTSCIENCE-RUN:a]]{" * 100)
    assert len(errors) == runtext.MAX_ERRORS + 1
    assert "80 more" in errors[-1].message
