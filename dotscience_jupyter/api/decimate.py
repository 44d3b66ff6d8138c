# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Fewer points of a long series, so that the chart looks the same.

The points between the first and the last are cut into equal buckets; of each bucket the lowest and
the highest point are kept, in their order. A spike of one point in a million stays visible, which
neither taking every n-th point nor averages would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def decimate(values: Sequence[float], points: int) -> list[int]:
    """Return the indices, ascending, of at most ``points`` values to draw.

    Parameters
    ----------
    values : sequence of float
        The series; NaN and infinities may occur. They are kept only where a bucket holds nothing
        else, so that a gap is still a gap.
    points : int
        How many to keep at most, 2 or more. All are kept if there are no more than that.
    """
    count = len(values)
    if points < 2:
        raise ValueError("a series cannot be drawn with fewer than two points")
    if count <= points:
        return list(range(count))
    buckets = (points - 2) // 2
    inner = count - 2
    chosen = [0]
    for bucket in range(buckets):
        start = 1 + inner * bucket // buckets
        stop = 1 + inner * (bucket + 1) // buckets
        finite = [index for index in range(start, stop) if math.isfinite(values[index])]
        if not finite:
            chosen.append(start)
            continue
        low = min(finite, key=values.__getitem__)
        high = max(finite, key=values.__getitem__)
        chosen += [low] if low == high else sorted((low, high))
    chosen.append(count - 1)
    return chosen
