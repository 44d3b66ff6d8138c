# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much each parameter has to do with a metric; ``docs/explorer.md`` explains the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .models.base import Scalar

MOST_RUNS = 10_000
"""Of more runs so many are taken, evenly chosen: the figures do not get any better."""

MOST_GROUPS = 20
FEWEST_RUNS = 3

_NOT_FINITE = frozenset({"nan", "inf", "-inf"})


@dataclass(frozen=True, slots=True)
class Weight:
    """How much one parameter has to do with the metric."""

    key: str
    runs: int
    distinct: int
    pearson: float | None
    spearman: float | None
    importance: float


def weights(
    metric: Sequence[Scalar], columns: Mapping[str, Sequence[Scalar]]
) -> tuple[int, list[Weight]]:
    """Return how many runs have the metric, and the parameters, heaviest first.

    Parameters
    ----------
    metric : sequence
        The metric of each run; what is no finite number does not count.
    columns : mapping
        The parameters by key, each with one value a run.
    """
    numbers = [_number(value) for value in metric]
    runs = sum(number is not None for number in numbers)
    found = [_weight(key, values, numbers) for key, values in columns.items()]
    found.sort(key=lambda each: (-each.importance, -abs(each.spearman or 0.0), each.key))
    return runs, found


def _weight(key: str, values: Sequence[Scalar], numbers: Sequence[float | None]) -> Weight:
    pairs = [
        (value, number)
        for value, number in zip(values, numbers, strict=True)
        if value is not None and number is not None
    ]
    if any(not isinstance(value, str) for value, _ in pairs):
        # the names of what JSON cannot hold are no category beside numbers
        pairs = [pair for pair in pairs if pair[0] not in _NOT_FINITE]
    xs: list[Scalar] = [value for value, _ in pairs]
    ys = [number for _, number in pairs]
    distinct = len(set(xs))
    if len(pairs) < FEWEST_RUNS or distinct < 2:
        return Weight(key, len(pairs), distinct, None, None, 0.0)
    if any(isinstance(value, str) for value in xs):
        return Weight(key, len(pairs), distinct, None, None, explained([str(x) for x in xs], ys))
    floats = [float(x) for x in xs if x is not None]
    return Weight(
        key,
        len(pairs),
        distinct,
        pearson(floats, ys),
        pearson(ranks(floats), ranks(ys)),
        explained(groups(floats), ys),
    )


def _number(value: Scalar) -> float | None:
    if value is None or isinstance(value, bool | str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def pearson(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Return Pearson's product-moment correlation, None where one of them does not vary."""
    count = len(xs)
    if count < 2:
        return None
    xs, ys = _scaled(xs), _scaled(ys)
    x_mean, y_mean = math.fsum(xs) / count, math.fsum(ys) / count
    across = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    x_own = math.fsum((x - x_mean) ** 2 for x in xs)
    y_own = math.fsum((y - y_mean) ** 2 for y in ys)
    # below that there is nothing but the error of rounding
    if x_own <= 1e-24 * count or y_own <= 1e-24 * count:
        return None
    return max(-1.0, min(1.0, across / math.sqrt(x_own) / math.sqrt(y_own)))


def _scaled(numbers: Sequence[float]) -> list[float]:
    """Return numbers of at most 1 either way, as squares of very large ones are infinite."""
    largest = max(map(abs, numbers), default=0.0)
    return [number / largest for number in numbers] if largest else list(numbers)


def ranks(numbers: Sequence[float]) -> list[float]:
    """Return the rank of each number from 1; equal ones share the mean of their ranks."""
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    result = [0.0] * len(numbers)
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and numbers[order[stop]] == numbers[order[start]]:
            stop += 1
        for index in order[start:stop]:
            result[index] = (start + 1 + stop) / 2
        start = stop
    return result


def groups(numbers: Sequence[float]) -> list[int]:
    """Return a group for each number: of few different ones each its own, else equal shares.

    There are at most 20 shares, and no more than half the square root of the numbers, at least 2.
    Equal numbers are always in one group.
    """
    different = sorted(set(numbers))
    most = max(2, min(MOST_GROUPS, int(math.sqrt(len(numbers)) / 2)))
    if len(different) <= most:
        places = {number: place for place, number in enumerate(different)}
    else:
        places = {}
        for place, number in enumerate(sorted(numbers)):
            places.setdefault(number, place * most // len(numbers))
    return [places[number] for number in numbers]


def explained(of: Sequence[object], ys: Sequence[float]) -> float:
    """Return the share of a metric's variance that groups explain, 0 to 1.

    The correlation ratio eta squared, adjusted for the number of groups (epsilon squared; T. L.
    Kelley, "An unbiased correlation ratio measure", PNAS 21, 1935):
    ``1 - (SS_within / (n - k)) / (SS_total / (n - 1))`` for ``n`` runs in ``k`` groups.
    """
    members: dict[object, list[float]] = {}
    for group, y in zip(of, _scaled(ys), strict=True):
        members.setdefault(group, []).append(y)
    count = len(ys)
    if not 1 < len(members) < count:
        return 0.0
    everything = [y for part in members.values() for y in part]
    total = _spread(everything)
    if total <= 1e-24 * count:
        return 0.0
    within = math.fsum(map(_spread, members.values()))
    share = 1 - (within / (count - len(members))) / (total / (count - 1))
    return max(0.0, min(1.0, share))


def _spread(numbers: Sequence[float]) -> float:
    """Return the sum of squared distances from the mean."""
    mean = math.fsum(numbers) / len(numbers)
    return math.fsum((number - mean) ** 2 for number in numbers)
