# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a filter that is being typed is completed with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.records.columns import ColumnFacts
from dotscience_jupyter.records.completing import complete
from dotscience_jupyter.records.where import Field, WhereError, parse_where

COLUMNS = [
    ColumnFacts(Field("column", "description"), "text", 9),
    ColumnFacts(Field("column", "status"), "text", 9, values=["succeeded"]),
    ColumnFacts(Field("column", "started"), "time", 9),
    ColumnFacts(Field("column", "seconds"), "number", 9, 0.5, 8.0),
    ColumnFacts(Field("parameter", "model"), "text", 9, values=["svm", "o'neill"]),
    ColumnFacts(Field("parameter", "batch size"), "number", 9, 1, 3, ["16", "32"]),
    ColumnFacts(Field("parameter", "deep"), "bool", 9, 0, 1, ["true", "false"]),
    ColumnFacts(Field("metric", "accuracy"), "number", 1, 0.25, 0.75),
    ColumnFacts(Field("metric", 'a"b'), "mixed", 1234, 0, 1, ["x"]),
    ColumnFacts(Field("label", "stage"), "text", 9, values=["dev"]),
]
FIELDS = [
    "description",
    "status",
    "started",
    "seconds",
    "parameters.model",
    'parameters."batch size"',
    "parameters.deep",
    "metrics.accuracy",
    'metrics."a""b"',
    "labels.stage",
]


def at(text: str) -> tuple[str, int]:
    """The filter and the cursor of a text in which ``|`` is the cursor."""
    before, _, after = text.partition("|")
    return before + after, len(before)


def texts(marked: str) -> list[str]:
    text, cursor = at(marked)
    return [each.text for each in complete(text, cursor, COLUMNS).items]


def done(marked: str, choice: str) -> str:
    """The filter after a suggestion was taken."""
    text, cursor = at(marked)
    found = complete(text, cursor, COLUMNS)
    assert choice in [each.text for each in found.items]
    return text[: found.start] + choice + text[found.end :]


@pytest.mark.parametrize("before", ["|", "status = 'x' and |", "(|", "not |", "a or (not (|"])
def test_where_a_field_is_expected(before: str) -> None:
    assert texts(before) == [*FIELDS, "not"]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("sta|", ["status", "started", "labels.stage"]),
        ("metrics.|", ["metrics.accuracy", 'metrics."a""b"']),
        ("METRICS.ACC|", ["metrics.accuracy"]),
        ("acc|", ["metrics.accuracy"]),
        ('parameters."bat|', ['parameters."batch size"']),
        ("batch|", ['parameters."batch size"']),
        (
            "seconds |",
            ["=", "!=", "<", "<=", ">", ">=", "in (", "not in (", "is null", "is not null"],
        ),
        ("status |", ["=", "!=", "~", "in (", "not in (", "is null", "is not null"]),
        ("parameters.deep |", ["=", "!=", "in (", "not in (", "is null", "is not null"]),
        ("status i|", ["in (", "is null", "is not null", "not in ("]),
        ("status is |", ["null", "not null"]),
        ("status not |", ["in ("]),
        ("status = |", ["'succeeded'", "'failed'"]),
        ("status = 'f|", ["'failed'"]),
        ("parameters.model in (|", ["'svm'", "'o''neill'"]),
        ("parameters.model in ('svm', |", ["'svm'", "'o''neill'"]),
        ("parameters.model in ('svm'|", [",", ")"]),
        ("parameters.deep = |", ["true", "false"]),
        ('parameters."batch size" = |', ["16", "32"]),
        ("parameters.'batch size' = 1|", ["16"]),
        ("metrics.accuracy > |", ["0.75", "0.25"]),
        ("metrics.nobody = |", []),
        ("seconds > 1 |", ["and", "or"]),
        ("(seconds > 1 |", ["and", "or", ")"]),
        ("(seconds > 1) |", ["and", "or"]),
        ("status is not null a|", ["and"]),
    ],
)
def test_suggestions(marked: str, expected: list[str]) -> None:
    assert texts(marked) == expected


@pytest.mark.parametrize(
    ("marked", "choice", "result"),
    [
        ("sta|tus = 'x'", "status", "status = 'x'"),
        ("seconds > 1 and metr|", "metrics.accuracy", "seconds > 1 and metrics.accuracy"),
        ("metrics.a|bc > 1", "metrics.accuracy", "metrics.accuracy > 1"),
        ('parameters."bat|', 'parameters."batch size"', 'parameters."batch size"'),
        ('parameters."bat|ch" > 3', 'parameters."batch size"', 'parameters."batch size" > 3'),
        ("status = 'suc|", "'succeeded'", "status = 'succeeded'"),
        ("status = 'suc|xyz' and id = 'a'", "'succeeded'", "status = 'succeeded' and id = 'a'"),
        ("status = 's| and id = 'a'", "'succeeded'", "status = 'succeeded' and id = 'a'"),
        ("status = |", "'failed'", "status = 'failed'"),
    ],
)
def test_what_is_replaced(marked: str, choice: str, result: str) -> None:
    assert done(marked, choice) == result


def test_every_suggestion_of_a_value_gives_a_filter_that_is_understood() -> None:
    for field in FIELDS:
        for operator in texts(f"{field} |")[:1]:
            for value in texts(f"{field} {operator} |"):
                parse_where(f"{field} {operator} {value}")


def test_details_say_what_there_is() -> None:
    found = {each.text: each for each in complete("", 0, COLUMNS).items}
    assert found["metrics.accuracy"].detail == "number, 1 run"
    assert found['metrics."a""b"'].detail == "mixed, 1,234 runs"
    assert found["metrics.accuracy"].kind == "metric"
    assert found["status"].kind == "field"


def test_the_error_is_that_of_the_whole_filter() -> None:
    found = complete("status = 'x' and seconds > 'a'", 3, COLUMNS)
    assert (found.position, found.error) == (
        27,
        "seconds is a number and compares with numbers only",
    )
    assert complete("", 0, COLUMNS).position == -1
    assert complete("status = 'x'", 0, COLUMNS).error == ""


PIECES = st.sampled_from(
    ["metrics.", "accuracy", "status", "=", "<", ">=", "'", '"', "svm", "(", ")", ",", " ", "\n"]
    + ["and", "or", "not", "in", "is", "null", "true", "1.5", "-", ".", "~", "!", "\x00", "é", "😀"]
    + ['parameters."batch size"', "''"]
)


@settings(deadline=None, max_examples=400)
@given(
    text=st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30),
    cursor=st.integers(-2, 60),
)
def test_no_text_and_no_position_is_too_odd(text: str, cursor: int) -> None:
    found = complete(text, cursor, COLUMNS)
    assert 0 <= found.start <= min(max(0, cursor), len(text)) <= found.end <= len(text)
    try:
        parse_where(text)
    except WhereError as error:
        assert (found.error, found.position) == (str(error), error.position)
    else:
        assert (found.error, found.position) == ("", -1)


def test_very_long_filters() -> None:
    found = complete("status = 'x' and " * 1000, 17, COLUMNS)
    assert found.items == []
    assert "Longer than" in found.error
