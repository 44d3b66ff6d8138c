# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""CSV that reads back as it was, and that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.api.csvtext import csv_row

CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=5), max_size=5))
def test_what_is_read_is_what_was_written(rows: list[list[object]]) -> None:
    found = read("".join(csv_row(row) for row in rows))  # type: ignore[arg-type]  # cells
    assert len(found) == len(rows)
    for row, cells in zip(rows, found, strict=True):
        assert len(row) == len(cells)
        for value, cell in zip(row, cells, strict=True):
            if isinstance(value, str):
                assert cell in (value, "'" + value)
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or cell == "-inf"
            elif value is None:
                assert cell == ""
            elif isinstance(value, bool):
                assert cell == str(value).lower()
            else:
                assert float(cell) == value or value != value


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C x'!A1"]
)
def test_texts_that_a_spreadsheet_would_run_begin_with_an_apostrophe(text: str) -> None:
    assert read(csv_row([text, "x"])) == [["'" + text, "x"]]


@pytest.mark.parametrize("number", [-1, -0.5, 1e-7, -1e300])
def test_numbers_stay_numbers(number: float) -> None:
    assert csv_row([number]) == f"{number}\r\n"
