# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What stands in a cell of a table of runs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TypeAlias

Cell: TypeAlias = bool | int | float | str | None


def cell(text: str, type: str, number: float | None) -> Cell:  # noqa: A002 - as the column is called
    """Return a recorded value as it is shown, sorted and drawn.

    What reads as a number is one, also where a program of 2018 wrote it as text; the numbers that
    JSON cannot hold are ``"nan"``, ``"inf"`` and ``"-inf"``.

    >>> cell("0.5", "str", 0.5), cell("7", "int", 7.0), cell("True", "bool", 1.0)
    (0.5, 7, True)
    """
    if type == "none":
        return None
    if type == "bool":
        return number == 1.0
    if number is None:
        return text.lower() if type == "float" else text
    if not math.isfinite(number):
        return "inf" if number > 0 else "-inf"
    if type == "float":
        return number
    try:
        return int(text)
    except ValueError:
        return number


def time_text(time: datetime | None) -> str | None:
    """Return a time as bodies hold times: ISO 8601, UTC, ending in Z."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
