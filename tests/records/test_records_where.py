# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Filters, sorts and searches mean what they say, against an evaluation in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records_world import START, add, commit, run, values

from dotscience_jupyter.records import models
from dotscience_jupyter.records.store import NewValue, Records
from dotscience_jupyter.records.where import (
    COLUMNS,
    And,
    Comparison,
    Field,
    In,
    IsNull,
    Literal,
    Node,
    Not,
    Or,
    Sort,
    WhereError,
    parse_sort,
    parse_time,
    parse_where,
)

ATTRIBUTES = {"file": "workload_file", "commit": "commit_id"}


# ---- an evaluation in Python ----


def _column(each: models.Run, name: str) -> Any:
    return each.commit.created if name == "created" else getattr(each, ATTRIBUTES.get(name, name))


def _values(each: models.Run, field: Field) -> models.RunValue | None:
    return next((v for v in each.values if (v.kind, v.name) == (field.kind, field.name)), None)


def _compare(operator: str, left: Any, right: Any) -> bool:
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def matches(each: models.Run, node: Node) -> bool:
    """What the language promises, in Python."""
    match node:
        case And(nodes):
            return all(matches(each, inner) for inner in nodes)
        case Or(nodes):
            return any(matches(each, inner) for inner in nodes)
        case Not(inner):
            return not matches(each, inner)
        case IsNull(field):
            if field.kind == "column":
                return _column(each, field.name) is None
            value = _values(each, field)
            return value is None or value.type == "none"
        case In(field, literals):
            return any(matches(each, Comparison(field, "=", literal)) for literal in literals)
        case Comparison(field, operator, literal):
            return _matches(each, field, operator, literal)


def _matches(each: models.Run, field: Field, operator: str, literal: Literal) -> bool:
    value = literal.value
    if field.kind == "column":
        got = _column(each, field.name)
        if got is None:
            return False
        if operator == "~":
            return literal.source.lower() in got.lower()
        match COLUMNS[field.name]:
            case "number":
                return _compare(operator, got, value)
            case "time":
                return _compare(operator, got, parse_time(literal.source))
            case "id" if operator in ("=", "!="):
                return bool(got.startswith(literal.source)) == (operator == "=")
        return _compare(operator, got, literal.source)
    row = _values(each, field)
    if row is None:
        return False
    if operator == "~":
        return literal.source.lower() in row.text.lower()
    if isinstance(value, bool) and operator in ("=", "!="):
        return (row.text.lower() == literal.source) == (operator == "=")
    if isinstance(value, bool | float):
        if row.number is None:
            return operator == "!="
        return _compare(operator, row.number, float(value))
    return _compare(operator, row.text, value)


# ---- text of a tree ----


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def render(node: Node) -> str:
    match node:
        case And(nodes):
            return "(" + " and ".join(map(render, nodes)) + ")"
        case Or(nodes):
            return "(" + " OR ".join(map(render, nodes)) + ")"
        case Not(inner):
            return f"not ({render(inner)})"
        case IsNull(field):
            return f"{_field(field)} is null"
        case In(field, literals):
            return f"{_field(field)} in ({', '.join(map(_literal, literals))})"
        case Comparison(field, operator, literal):
            return f"{_field(field)} {operator} {_literal(literal)}"


def _field(field: Field) -> str:
    if field.kind == "column":
        return field.name
    name = field.name.replace('"', '""')
    return f'{field.kind}s."{name}"'


def _literal(literal: Literal) -> str:
    return _quoted(literal.source) if isinstance(literal.value, str) else literal.source


def plain(node: Node) -> Node:
    """The tree without positions, which rendering does not keep."""
    match node:
        case And(nodes) | Or(nodes):
            return type(node)(tuple(map(plain, nodes)))
        case Not(inner):
            return Not(plain(inner))
        case In(field, literals):
            return In(field, tuple(replace(literal, position=0) for literal in literals))
        case Comparison(field, operator, literal):
            return Comparison(field, operator, replace(literal, position=0))
        case _:
            return node


# ---- strategies ----

NAMES = ["lr", "learning rate", "a.b", "q\"uo'te", "é", "model", "%_"]
TEXTS = [
    "svm",
    "SVM",
    "0.5",
    "1",
    "True",
    "é",
    "É",
    "",
    "50%",
    "a_b",
    "a/b",
    "o'neill",
    "None",
    "z",
]
NUMBERS = [0.0, 0.5, 1.0, -2.0, 1e300, 7.0]

_texts = st.sampled_from(TEXTS).map(lambda text: Literal(text, text))
_numbers = st.sampled_from(NUMBERS).map(lambda number: Literal(number, repr(number)))
_booleans = st.booleans().map(lambda value: Literal(value, str(value).lower()))
_times = st.sampled_from(
    ["2026-03-01", "2026-03-01T12:00:02", "2026-03-01T13:00:02+01:00", "2027-01-01 00:00Z"]
).map(lambda text: Literal(text, text))
_prefixes = st.sampled_from(["run-1", "run-", "run", "x", "", "run-12"]).map(
    lambda t: Literal(t, t)
)
_columns = st.sampled_from([name for name in COLUMNS if name != "commit"])
_ordering = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


@st.composite
def _comparisons(draw: Callable[..., Any]) -> Node:
    if draw(st.booleans()):
        field = Field(
            draw(st.sampled_from(["parameter", "metric", "label"])), draw(st.sampled_from(NAMES))
        )
        literals, operators = _texts | _numbers | _booleans, _ordering | st.just("~")
    else:
        field = Field("column", draw(_columns))
        literals, operators = {
            "number": (_numbers, _ordering),
            "time": (_times, _ordering),
            "id": (_prefixes, _ordering),
            "text": (_texts | _numbers | _booleans, _ordering | st.just("~")),
        }[COLUMNS[field.name]]
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return IsNull(field)
    if kind == 1:
        return In(field, tuple(draw(st.lists(literals, min_size=1, max_size=3))))
    return Comparison(field, draw(operators), draw(literals))


TREES = st.recursive(
    _comparisons(),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@pytest.fixture
def many(records: Records) -> Records:
    """Runs with all kinds of values, present and missing."""
    kinds = ("parameter", "metric", "label")
    types: list[tuple[str, str]] = [(text, "str") for text in TEXTS]
    types += [(repr(number), "float") for number in NUMBERS]
    types += [("True", "bool"), ("False", "bool"), ("None", "none"), ("nan", "float")]
    types += [("inf", "float"), ("-inf", "float")]
    runs = []
    for i in range(40):
        chosen = {
            (kinds[(i + k) % 3], NAMES[(i * k) % len(NAMES)]): types[(i * 5 + k * 7) % len(types)]
            for k in range(8)
        }
        runs.append(
            run(
                id=f"run-{i}",
                description=TEXTS[i % len(TEXTS)],
                error=TEXTS[i % 5] if i % 3 == 0 else None,
                author=TEXTS[i % 4] or "ada",
                workload_file=None if i % 4 == 0 else f"dir/{TEXTS[i % 7]}.py",
                authority="workload" if i % 5 else "derived",
                started=None if i % 6 == 0 else START + timedelta(seconds=i),
                ended=None if i % 7 == 0 else START + timedelta(seconds=i + i % 3),
                values=[NewValue(kind, n, t, y) for (kind, n), (t, y) in chosen.items()],
            )
        )
    add(records, *(commit(*runs[i : i + 8]) for i in range(0, 40, 8)))
    return records


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(node=TREES)
@example(node=Not(Comparison(Field("metric", "lr"), ">", Literal(0.5, "0.5"))))
@example(node=Comparison(Field("column", "description"), "~", Literal("É", "É")))
@example(node=Comparison(Field("column", "description"), "<", Literal("a", "a")))
@example(node=Comparison(Field("parameter", "lr"), "<=", Literal(True, "true")))
def test_sql_agrees_with_python(many: Records, node: Node) -> None:
    text = render(node)
    parsed = parse_where(text)
    assert parsed is not None
    assert plain(parsed) == node
    everything, _ = many.list_runs(limit=1000)
    expected = [each.id for each in everything if matches(each, node)]
    page, total = many.list_runs(where=text, limit=1000)
    assert [each.id for each in page] == expected
    assert total == len(expected)
    few, total = many.list_runs(where=text, offset=2, limit=3)
    assert ([each.id for each in few], total) == (expected[2:5], len(expected))


def _key(each: models.Run, field: Field) -> tuple[Any, ...] | None:
    if field.kind == "column":
        got = _column(each, field.name)
        return None if got is None else (got,)
    row = _values(each, field)
    if row is None or row.type == "none":
        return None
    return (0, row.number) if row.number is not None else (1, row.text)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    sorts=st.lists(
        st.builds(
            Sort,
            st.builds(Field, st.just("column"), st.sampled_from(sorted(COLUMNS)))
            | st.builds(Field, st.sampled_from(["parameter", "metric"]), st.sampled_from(NAMES)),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_sorting_agrees_with_python(many: Records, sorts: list[Sort]) -> None:
    text = ", ".join(f"{_field(s.field)} {'desc' if s.descending else 'asc'}" for s in sorts)
    assert parse_sort(text) == sorts
    expected, _ = many.list_runs(limit=1000)  # newest first: what ties are left in
    for sort in reversed(sorts):
        there = [each for each in expected if _key(each, sort.field) is not None]
        missing = [each for each in expected if _key(each, sort.field) is None]
        if sort.field.kind == "column":
            there.sort(key=lambda e, f=sort.field: _key(e, f), reverse=sort.descending)
        else:
            # numbers before texts in either direction
            keys = {each.id: _key(each, sort.field) or () for each in there}
            numbers = [each for each in there if keys[each.id][0] == 0]
            texts = [each for each in there if keys[each.id][0] == 1]
            for part in (numbers, texts):
                part.sort(key=lambda e, k=keys: k[e.id], reverse=sort.descending)
            there = numbers + texts
        expected = there + missing
    page, total = many.list_runs(sort=text, limit=1000)
    assert [each.id for each in page] == [each.id for each in expected]
    assert total == 40


def _ids(records: Records, **query: Any) -> list[str]:
    return sorted(each.id for each in records.list_runs(**query)[0])


def test_the_examples_of_the_documentation(records: Records) -> None:
    good = run(
        id="good",
        description="Tuning the SVM, 50% of it",
        workload_file="train.ipynb",
        author="Ada",
        started=datetime(2026, 3, 2, tzinfo=UTC),
        values=values(
            parameter={"model": "svm", "learning rate": 0.1, "n": 20, "deep": True},
            metric={"accuracy": 0.95, "val-loss": 1e-3},
            label={"artefact:digits": "digits.pkl"},
        ),
    )
    bad = run(id="bad", error="boom", values=values(parameter={"model": "forest"}))
    old = run(id="old", values=[NewValue("metric", "accuracy", "0.97")])  # text without types
    *_, head = add(records, commit(), commit(good), commit(bad), commit(old))
    for where, expected in {
        "metrics.accuracy > 0.9 and parameters.model = 'svm'": ["good"],
        "metrics.accuracy>.9": ["good", "old"],
        "summary.accuracy >= 9.5e-1": ["good", "old"],
        'parameters."learning rate" == 0.1': ["good"],
        "params.'learning rate' <> 0.1": [],
        "metrics.val-loss < 0.01 and labels.artefact:digits ~ 'DIGITS'": ["good"],
        "not metrics.accuracy > 0.9": ["bad"],
        "status = 'failed'": ["bad"],
        'status = "failed"': ["bad"],
        "error is null": ["good", "old"],
        "error is not null and NOT description ~ 'x'": ["bad"],
        "parameters.model in ('svm', 'forest')": ["bad", "good"],
        "parameters.model not in ('svm')": ["bad", "old"],
        "parameters.model is null": ["old"],
        "parameters.model = null": ["old"],
        "parameters.model != null": ["bad", "good"],
        "parameters.deep = true or parameters.deep = false": ["good"],
        "parameters.deep = 1": ["good"],
        "parameters.n ~ 2": ["good"],
        "started >= '2026-03-02' and started < '2026-03-03T00:00+00:00'": ["good"],
        "author = 'Ada' and file ~ '.ipynb' and authority = 'workload'": ["good"],
        "description ~ '50%'": ["good"],
        "description ~ '5_%'": [],
        "id = 'goo'": ["good"],
        f"commit = '{head[:8]}'": ["old"],
        f"commit != '{head[:8]}'": ["bad", "good"],
        "": ["bad", "good", "old"],
        "   ": ["bad", "good", "old"],
        "parameters.model = 'x''; drop table runs; --'": [],
    }.items():
        assert _ids(records, where=where) == expected, where
    for search, expected in {
        "svm tuning": ["good"],
        "svm forest": [],
        "ADA": ["good"],
        "TRAIN.ipynb": ["good"],
        "boom": ["bad"],
        "accuracy": ["good", "old"],
        "learning": ["good"],
        "digits.pkl": ["good"],
        "50%": ["good"],
        "%": ["good"],
        "_": [],
        "": ["bad", "good", "old"],
    }.items():
        assert _ids(records, search=search) == expected, search
    assert [r.id for r in records.list_runs(sort="metrics.accuracy desc")[0]] == [
        "old",
        "good",
        "bad",
    ]
    assert [r.id for r in records.list_runs(sort="metrics.accuracy")[0]] == ["good", "old", "bad"]
    assert _ids(records, search="svm", where="metrics.accuracy > 0.96") == []


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("metrics.accuracy >", 18, "a number"),
        ("metrics.accuracy", 16, "comparison"),
        ("metrics.accuracy > 'x", 19, "closing ' is missing"),
        ("metrics.accuracy > 1 metrics.b > 2", 21, "'and' or 'or'"),
        ("(status = 'failed'", 18, "parenthesis"),
        ("status = failed", 9, "quotes: 'failed'"),
        ("accuracy > 1", 0, "no field accuracy"),
        ("metrics. > 1", 8, "name right after"),
        ("metrics. 'a' > 1", 8, "name right after"),
        ("> 1", 0, "a field"),
        ("status = 'a' and", 16, "a field"),
        ("not", 3, "a field"),
        ("status is 'a'", 10, "null"),
        ("status not 'a'", 11, "'in'"),
        ("status in 'a'", 10, "parenthesis"),
        ("status in ('a' 'b')", 15, "comma"),
        ("status in ()", 11, "a number"),
        ("status in (null)", 11, "is null"),
        ("metrics.a > null", 12, "is null"),
        ("seconds > 'a'", 10, "number"),
        ("seconds ~ 1", 10, "number"),
        ("started > 1", 10, "date"),
        ("started > 'yesterday'", 10, "date"),
        ("started ~ '2026'", 10, "date"),
        ("metrics.a ; 1", 10, "Unexpected ;"),
        ("metrics.a > 1x", 12, "Unexpected 1x"),
        ("__import__('os') = 1", 0, "no field __import__"),
    ],
)
def test_mistakes_are_pointed_at(text: str, position: int, says: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_where(text)
    assert says in str(caught.value)
    assert caught.value.position == position
    shown, caret = caught.value.pointer().split("\n")
    assert shown == text
    assert caret == " " * position + "^"


@pytest.mark.parametrize(
    ("text", "position"),
    [("nothing", 0), ("started up", 8), ("started desc,", 13), (",", 0), ("seconds desc desc", 13)],
)
def test_mistakes_in_sorts(text: str, position: int) -> None:
    with pytest.raises(WhereError) as caught:
        parse_sort(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "not " * 900 + "status = 'a'",
        "(" * 51 + "status = 'a'" + ")" * 51,
        " or ".join(["id='a'"] * 201),
        f"id in ({','.join(['1'] * 300)})",
        "x" * 4001,
        "'" * 3999,
        "status = '" + "a" * 5000 + "'",
    ],
)
def test_hostile_input_costs_nothing(text: str) -> None:
    with pytest.raises(WhereError):
        parse_where(text)
    with pytest.raises(WhereError):
        parse_sort(text)
    with pytest.raises(WhereError):
        parse_sort(",".join(["id"] * 9))


def test_the_largest_allowed_filter_runs(records: Records) -> None:
    add(records, commit(run(id="here", values=values(metric={"a": 1}))))
    wide = " or ".join(["metrics.a=1"] * 200)
    assert _ids(records, where=wide) == ["here"]
    deep = "(" * 49 + "metrics.a = 1" + ")" * 49
    assert _ids(records, where=deep) == ["here"]
    nots = "not " * 48 + "metrics.a = 1"
    assert _ids(records, where=nots) == ["here"]
    assert _ids(records, where=f"metrics.a in ({', '.join(['1'] * 200)})") == ["here"]
    assert _ids(records, search=" ".join(["a"] * 3000)) == ["here"]


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "metrics.a",
                "(",
                ")",
                "and",
                "or",
                "not",
                "in",
                "is",
                "null",
                "'x'",
                "1",
                "=",
                "~",
                ",",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_parses_or_fails_with_a_position(text: str) -> None:
    for parse in (parse_where, parse_sort):
        try:
            parse(text)
        except WhereError as error:
            assert 0 <= error.position <= len(text)
            assert error.pointer().count("\n") == 1


@given(st.floats(allow_nan=False))
def test_numbers_are_read_as_they_are_written(number: float) -> None:
    if math.isfinite(number):
        node = parse_where(f"metrics.a = {number!r}")
        assert isinstance(node, Comparison)
        assert node.literal.value == number
