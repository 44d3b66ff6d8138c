# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which elements of two sequences are the same ones: a difference that stays fast on long inputs.

Equal ends are taken off first. What occurs once on both sides is matched in order (patience
difference); the gaps between are solved exactly by Myers' O(ND) algorithm as long as that takes
few steps, and count as replaced otherwise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence

Match = tuple[int, int, int]
"""First index in the old sequence, first index in the new one, and how many are equal."""

MOST_EDITS = 600
"""Insertions and removals that Myers' algorithm looks for in one gap."""

MOST_STEPS = 1_500_000
"""Steps that it may take in all; about a second."""


def matches(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Match]:
    """Return the runs of equal elements, ascending on both sides, as long as they can be."""
    numbers: dict[Hashable, int] = {}
    a = [numbers.setdefault(item, len(numbers)) for item in old]
    b = [numbers.setdefault(item, len(numbers)) for item in new]
    found: list[Match] = []
    left = MOST_STEPS
    gaps = [(0, len(a), 0, len(b))]
    while gaps:
        a0, a1, b0, b1 = gaps.pop()
        start, end = (a0, b0), (a1, b1)
        while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
            a0, b0 = a0 + 1, b0 + 1
        while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
        if a0 > start[0]:
            found.append((start[0], start[1], a0 - start[0]))
        if a1 < end[0]:
            found.append((a1, b1, end[0] - a1))
        if a0 == a1 or b0 == b1:
            continue
        anchors = _unique(a, b, (a0, a1, b0, b1))
        if anchors:
            i0, j0 = a0, b0
            for i, j in anchors:
                found.append((i, j, 1))
                gaps.append((i0, i, j0, j))
                i0, j0 = i + 1, j + 1
            gaps.append((i0, a1, j0, b1))
        else:
            exact, steps = _myers(a[a0:a1], b[b0:b1], min(MOST_EDITS, _edits(left)))
            left -= steps
            found += [(a0 + i, b0 + j, n) for i, j, n in exact]
    return _joined(found)


def _joined(found: list[Match]) -> list[Match]:
    found.sort()
    joined: list[Match] = []
    for i, j, n in found:
        if joined:
            li, lj, ln = joined[-1]
            if li + ln == i and lj + ln == j:
                joined[-1] = (li, lj, ln + n)
                continue
        joined.append((i, j, n))
    return joined


def _unique(a: list[int], b: list[int], gap: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Return the longest ascending pairs of what occurs once on each side of a gap."""
    a0, a1, b0, b1 = gap
    counts_a, counts_b = Counter(a[a0:a1]), Counter(b[b0:b1])
    places = {b[j]: j for j in range(b0, b1) if counts_b[b[j]] == 1}
    pairs = [(i, places[a[i]]) for i in range(a0, a1) if counts_a[a[i]] == 1 and a[i] in places]
    return [pairs[k] for k in ascending([j for _, j in pairs])]


def ascending(values: Sequence[int]) -> list[int]:
    """Return the indices of a longest strictly ascending subsequence."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, value in enumerate(values):
        place = bisect_left(tails, value)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(value)
            ends.append(index)
        else:
            tails[place], ends[place] = value, index
    chain: list[int] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(index)
        index = before[index]
    chain.reverse()
    return chain


def _edits(steps: int) -> int:
    return int(max(0, steps) ** 0.5)


def _myers(a: list[int], b: list[int], most: int) -> tuple[list[Match], int]:
    """Return the matches of a shortest edit script of at most so many edits, and the steps taken.

    Without matches where more edits are needed. E. W. Myers, "An O(ND) Difference Algorithm and
    Its Variations", Algorithmica 1 (1986), the greedy form with its trace kept.
    """
    n, m = len(a), len(b)
    reach = {1: 0}  # furthest x on each diagonal
    trace: list[dict[int, int]] = []
    steps = 0
    for edits in range(min(most, n + m) + 1):
        trace.append(dict(reach))
        steps += edits + 1
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            y = x - k
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            reach[k] = x
            if x >= n and y >= m:
                return _walk_back(trace, n, m), steps
    return [], steps


def _walk_back(trace: list[dict[int, int]], x: int, y: int) -> list[Match]:
    found: list[Match] = []
    for edits in range(len(trace) - 1, -1, -1):
        reach, k = trace[edits], x - y
        if edits == 0:
            if x:
                found.append((0, 0, x))
            break
        down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        before_k = k + 1 if down else k - 1
        before_x = reach[before_k]
        start_x = before_x if down else before_x + 1
        if x > start_x:
            found.append((start_x, start_x - k, x - start_x))
        x, y = before_x, before_x - before_k
    found.reverse()
    return found


def gaps(found: Sequence[Match], old: int, new: int) -> list[tuple[int, int, int, int]]:
    """Return what lies between matches as (old start, old end, new start, new end)."""
    between, i, j = [], 0, 0
    for a, b, n in (*found, (old, new, 0)):
        if a > i or b > j:
            between.append((i, a, j, b))
        i, j = a + n, b + n
    return between
