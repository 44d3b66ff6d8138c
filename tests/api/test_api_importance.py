# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much parameters have to do with a metric, on data of which the answer is known."""

from __future__ import annotations

import math
import random
import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.api.importance import explained, groups, pearson, ranks, weights


def one(xs: list[object], ys: list[object]):
    _, (weight,) = weights(ys, {"x": xs})  # type: ignore[arg-type]  # cells
    return weight


def test_a_straight_line() -> None:
    weight = one(list(range(100)), [3 * x + 1 for x in range(100)])
    assert weight.pearson == pytest.approx(1)
    assert weight.spearman == pytest.approx(1)
    assert weight.importance > 0.9
    assert (weight.runs, weight.distinct) == (100, 100)


def test_a_curve_that_only_rises_has_all_of_spearman() -> None:
    weight = one([x / 10 for x in range(100)], [math.exp(x / 10) for x in range(100)])
    assert weight.spearman == pytest.approx(1)
    assert weight.pearson is not None
    assert weight.pearson < 0.8


def test_a_valley_has_no_correlation_and_much_importance() -> None:
    xs = [x / 10 for x in range(-100, 101)]
    weight = one(list(xs), [x * x for x in xs])
    assert weight.pearson == pytest.approx(0, abs=1e-9)
    assert weight.spearman == pytest.approx(0, abs=1e-9)
    assert weight.importance > 0.8


def test_noise_explains_next_to_nothing() -> None:
    chance = random.Random(3)
    ys = [chance.gauss(0, 1) for _ in range(2000)]
    columns = {
        "number": [chance.random() for _ in ys],
        "many texts": [str(chance.randrange(500)) for _ in ys],
        "few texts": [chance.choice("abc") for _ in ys],
        "all different": [str(n) for n in range(len(ys))],
        "constant": [1] * len(ys),
    }
    _, found = weights(ys, columns)
    assert {each.key: each.importance < 0.05 for each in found} == dict.fromkeys(columns, True)


def test_texts_and_bools() -> None:
    weight = one(["a", "b"] * 50, [0.0, 1.0] * 50)
    assert (weight.pearson, weight.spearman, weight.distinct) == (None, None, 2)
    assert weight.importance == pytest.approx(1)
    weight = one([True, False] * 50, [1.0, 0.0] * 50)
    assert weight.pearson == pytest.approx(1)
    assert weight.importance == pytest.approx(1)


def test_heaviest_first_and_runs_that_lack_something() -> None:
    metric = [0.0, 1.0, 2.0, 3.0, None, "nan", 4.0, 5.0, True]
    runs, found = weights(
        metric,
        {
            "noise": [3, 1, 2, 3, 1, 2, 3, 1, 2],
            "cause": [0, 1, 2, 3, 9, 9, 4, None, 9],
            "rare": [1, None, None, None, None, None, None, None, 2],
            "inf": [0, "inf", 2, 3, 9, 9, 4, 5, 9],
        },
    )
    assert runs == 6
    by_key = {each.key: each for each in found}
    assert found[0].key in ("cause", "inf")
    assert by_key["cause"].runs == 5
    assert by_key["cause"].pearson == pytest.approx(1)
    assert by_key["inf"].runs == 5
    assert (by_key["rare"].runs, by_key["rare"].importance) == (1, 0)


@given(
    xs=st.lists(st.floats(-1e300, 1e300), min_size=0, max_size=30),
    seed=st.integers(0, 2**32),
)
def test_figures_are_in_their_range_whatever_the_numbers(xs: list[float], seed: int) -> None:
    chance = random.Random(seed)
    ys = [chance.choice([chance.uniform(-1e308, 1e308), chance.random()]) for _ in xs]
    _, (weight,) = weights(ys, {"x": xs})
    for figure in (weight.pearson, weight.spearman):
        assert figure is None or -1 <= figure <= 1
    assert 0 <= weight.importance <= 1


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=40))
def test_pearson_is_that_of_the_standard_library(pairs: list[tuple[int, int]]) -> None:
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    if len(set(xs)) < 2 or len(set(ys)) < 2:
        assert pearson(xs, ys) is None
    else:
        assert pearson(xs, ys) == pytest.approx(statistics.correlation(xs, ys), abs=1e-9)


def test_ranks_share() -> None:
    assert ranks([10, 30, 20, 20]) == [1, 4, 2.5, 2.5]
    assert ranks([5, 5, 5]) == [2, 2, 2]
    assert ranks([]) == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=3000))
def test_groups_are_few_in_order_and_hold_equals_together(numbers: list[int]) -> None:
    found = groups(numbers)
    assert len(set(found)) <= max(2, min(20, int(math.sqrt(len(numbers)) / 2)))
    of = {}
    for number, group in zip(numbers, found, strict=True):
        assert of.setdefault(number, group) == group
    assert [of[number] for number in sorted(of)] == sorted(of[number] for number in of)


def test_the_share_by_hand() -> None:
    # SS_total 10, SS_within 2 + 2 of 2 groups of 3 and 2: 1 - (2.5 / 3) / (10 / 4)
    ys = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert explained(["a", "a", "a", "b", "b"], ys) == pytest.approx(1 - (2.5 / 3) / (10 / 4))


def test_ten_thousand_runs_of_twenty_parameters_take_a_moment() -> None:
    chance = random.Random(5)
    ys = [chance.random() for _ in range(10_000)]
    columns = {
        f"p{n}": [chance.random() for _ in ys]
        if n % 2
        else [chance.choice(["a", "b", "c"]) for _ in ys]
        for n in range(20)
    }
    begin = time.process_time()
    weights(ys, columns)
    assert time.process_time() - begin < 3
