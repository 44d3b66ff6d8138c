# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The card: everything a run says is shown, as text and never as markup."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience import _card, _notebook
from dotscience._values import Series


def record(**run):
    return {
        "id": "01234567-89ab-4cde-8f01-23456789abcd",
        "run": {
            "version": "1", "input": [], "output": [], "labels": {}, "summary": {},
            "parameters": {}, "start": "20260131T101112.000000", "end": "20260131T101142.250000",
        } | run,
    }  # fmt: skip


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.open = [], "", []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + "\n"


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


ALLOWED = {"div", "strong", "span", "code", "table", "tr", "td", "svg", "polyline"}
said = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'&lt;", "]]>", "\udcff"]
)
names = st.dictionaries(said, said, max_size=4)


@given(names, names, names, st.lists(said, max_size=4), said, st.none() | said)
def test_whatever_a_run_says_is_only_text(metrics, parameters, labels, files, description, error):
    run = record(
        summary=metrics, parameters=parameters, labels=labels, input=files, description=description
    )
    if error is not None:
        run["run"]["error"] = error
    html = _card.html(run)
    assert set(read(html).tags) <= ALLOWED
    html.encode("utf-8")
    text = _card.text(run)
    text.encode("utf-8")
    assert all(line.isprintable() for line in text.split("\n"))


def test_everything_is_shown():
    run = record(
        description="my run",
        summary={"accuracy": "0.93"},
        parameters={"rate": "0.1"},
        labels={"stage": "test"},
        input=["in.csv"],
        output=["out.bin"],
    )
    said = ["my run", "accuracy", "0.93", "rate", "0.1", "stage", "test", "in.csv", "out.bin"]
    for shown in (read(_card.html(run)).text, _card.text(run)):
        assert "published" in shown
        for part in said:
            assert part in shown
        assert "failed" not in shown
    assert "30 s" in read(_card.html(run)).text


def test_failures_are_seen():
    run = record(error="ValueError: nan") | {"traceback": "ValueError: nan (a.py, line 3)"}
    for shown in (read(_card.html(run)).text, _card.text(run)):
        assert "failed" in shown and "ValueError: nan (a.py, line 3)" in shown


def test_long_things_are_cut_and_it_is_said():
    run = record(input=[f"f{n}" for n in range(100)], parameters={"a": "x" * 10_000})
    for shown in (_card.html(run), _card.text(run)):
        assert "and 70 more" in shown and len(shown) < 10_000


def test_a_series_is_drawn():
    series = Series("loss")
    for step in range(10_000):
        series.add(1 / (step + 1), step)
    run = record(summary={"loss": "0.0001"}) | {"series": {"loss": series.encoded()}}
    html = _card.html(run)
    assert "10000 points" in html and len(html) < 10_000


@given(st.lists(st.floats(), max_size=400))
def test_sparklines_of_any_numbers(values):
    svg = _card.sparkline(values)
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        assert svg == ""
        return
    points = ElementTree.fromstring(svg)[0].get("points").split()
    for point in points:
        x, y = map(float, point.split(","))
        assert 0 <= x <= 90 and 0 <= y <= 18


@pytest.mark.parametrize(
    ("value", "last"),
    [(0.5, 0.5), (float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf")],
)
def test_the_notebook_holds_a_reduced_record(value, last):
    series = Series("loss")
    series.add(1.0, 0)
    series.add(value, 1)
    full = record(input=["a\udcff"]) | {
        "series": {"loss": series.encoded()},
        "environment": {"ram": 5, "packages": {"numpy": "2"}},
    }
    reduced = _notebook.reduce(full)
    assert reduced["series"] == {"loss": {"count": 2, "last": last}}
    assert reduced["environment"] == {"ram": 5} and reduced["reduced"] is True
    assert reduced["run"]["input"] == ["a\\udcff"]
    json.dumps(reduced, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert "packages" in full["environment"] and "steps" in full["series"]["loss"]
