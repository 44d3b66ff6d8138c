# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Decimated series keep their ends and extremes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.api import bodies
from dotscience_jupyter.api.decimate import decimate

series = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300)


@given(series, st.integers(2, 60))
def test_what_is_kept(values, points):
    chosen = decimate(values, points)
    assert len(chosen) <= max(points, 2)
    assert chosen == sorted(set(chosen))
    assert all(0 <= index < len(values) for index in chosen)
    if values:
        assert chosen[0] == 0
        assert chosen[-1] == len(values) - 1


@given(series, st.integers(4, 60))
def test_extremes_are_kept(values, points):
    chosen = decimate(values, points)
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        kept = [values[index] for index in chosen if math.isfinite(values[index])]
        assert min(finite) == min(kept)
        assert max(finite) == max(kept)


def test_a_spike_in_a_million_points_stays():
    values = [0.0] * 1_000_000
    values[123_457] = 9.0
    values[765_431] = -9.0
    chosen = decimate(values, 2000)
    assert {123_457, 765_431} <= set(chosen)
    assert len(chosen) <= 2000


def test_short_series_are_whole():
    assert decimate([3.0, 1.0, 2.0], 3) == [0, 1, 2]
    assert decimate([], 2) == []


def test_fewer_than_two_points_are_refused():
    with pytest.raises(ValueError):
        decimate([1.0], 1)


def test_a_gap_is_still_a_gap():
    values = [1.0] * 40 + [math.nan] * 40 + [1.0] * 40
    body = bodies.series("loss", ([float(i) for i in range(120)], values, [0.0] * 120), 20)
    assert body.count == 120
    assert None in body.values
    assert len(body.steps) == len(body.values) == len(body.times) <= 20
    assert "NaN" not in body.model_dump_json()


def test_steps_and_times_are_always_numbers():
    points = ([math.nan, 1.0], [math.inf, -0.5], [0.0, math.inf])
    body = bodies.series("x", points, 10)
    assert (body.steps, body.values, body.times) == ([0.0, 1.0], [None, -0.5], [0.0, 1.0])
