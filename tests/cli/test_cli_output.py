# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Safe text, tables that fit, numbers for people."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dotscience_jupyter.cli import output
from dotscience_jupyter.cli.output import Column, Printer, fit, safe

anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
BIDI = set("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(anything)
def test_safe_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    result = safe(text)
    assert not [c for c in result if unicodedata.category(c) in ("Cc", "Cs") or c in BIDI]


@given(anything)
def test_safe_text_may_keep_lines(text: str) -> None:
    result = safe(text, newlines=True)
    assert result.count("\n") == text.count("\n")
    assert not [c for c in result if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"]


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Größe 数据 😀 a\\b [bold]x[/bold]"
    assert safe(text) == text


def test_what_is_escaped_can_be_read() -> None:
    assert safe("a\x1b[31m\nb\u202e\x9b") == "a\\x1b[31m\\nb\\u202e\\x9b"


columns = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=15),
        st.lists(st.text(max_size=30), min_size=2, max_size=2),
        st.integers(0, 4),
        st.none() | st.integers(3, 12),
    ),
    min_size=1,
    max_size=8,
)


@given(columns, st.integers(10, 200))
def test_columns_fit_unless_the_ones_that_stay_do_not(specs: list, width: int) -> None:  # type: ignore[type-arg]
    given_columns = [Column(safe(t), [safe(c) for c in cells], i, le) for t, cells, i, le in specs]
    shown, widths = fit(given_columns, width)
    assert len(shown) == len(widths)
    assert all(c in shown for c in given_columns if c.importance == 0)
    total = sum(widths) + 2 * (len(widths) - 1)
    assert total <= width or all(c.importance == 0 for c in shown)
    # what was left out is never more important than what is shown
    left = [c.importance for c in given_columns if c not in shown]
    assert not left or max((c.importance for c in shown), default=0) <= max(left)


def test_a_wide_terminal_shows_every_cell_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    text = table(monkeypatch, 200)
    assert "a description of some length" in text
    assert "0.125" in text
    assert "No room" not in text


def test_a_narrow_terminal_leaves_columns_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = table(monkeypatch, 36)
    assert "0.125" not in text
    assert "No room for: metric" in text
    assert all(cell_len(line) <= 36 for line in text.splitlines())
    assert "…" in text


def table(monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "30")
    stream = io.StringIO()
    Printer(False, stream=stream).table(
        [
            Column("Run", ["12345678", "abcdefgh"]),
            Column("Description", ["a description of some length", "数据数据数据数据"], least=10),
            Column("metric", ["0.125", "-"], 4, least=6, right=True),
            Column("File", ["folder/train.ipynb", "x.py"], 1, least=8),
        ]
    )
    return stream.getvalue()


def test_no_color_means_no_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in table(monkeypatch, 80)


def test_a_pipe_gets_every_cell_between_tabs() -> None:
    stream = io.StringIO()
    Printer(False, stream=stream).table(
        [Column("A", ["x" * 300, "y"]), Column("B", ["1", "2"], importance=9)]
    )
    rows = [line.split("\t") for line in stream.getvalue().splitlines()]
    assert rows == [["A", "B"], ["x" * 300, "1"], ["y", "2"]]


@given(st.dictionaries(anything, anything | st.floats() | st.none() | st.lists(anything)))
def test_a_document_is_strict_json_in_printable_ascii(value: dict) -> None:  # type: ignore[type-arg]
    stream = io.StringIO()
    Printer(True, stream=stream).document(value)
    text = stream.getvalue()
    assert all(" " <= c <= "~" or c == "\n" for c in text)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse).keys() == value.keys()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1536, "1.54 kB"),
        (999_999, "1 MB"),
        (5_400_000_000, "5.4 GB"),
        (12_345_000_000_000_000, "1.23e+04 TB"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert output.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0123, "12 ms"), (1.25, "1.2 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert output.duration(seconds) == text


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as show:
        assert show is None
    assert capsys.readouterr().err == ""
