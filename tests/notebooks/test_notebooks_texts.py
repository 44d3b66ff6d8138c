# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Texts: what differs, line by line and within lines."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.notebooks import DamagedError, compare_text, decode, text_counts
from dotscience_jupyter.notebooks.sequences import _myers, ascending, gaps, matches
from dotscience_jupyter.notebooks.texts import MOST_LINE, spans, utf16

items = st.lists(st.sampled_from("abcd"), max_size=12)
lines = st.lists(st.sampled_from(["a", "b", "", "c d", "c e", "\x0c", "é😀", "é😀x"]), max_size=10)
texts = st.one_of(
    st.none(), st.tuples(lines, st.booleans()).map(lambda t: "\n".join(t[0]) + "\n" * t[1])
)


@given(items, items)
def test_matches_are_equal_ascending_and_whole(a: list[str], b: list[str]) -> None:
    found = matches(a, b)
    last = (0, 0)
    for i, j, count in found:
        assert (i, j) >= last and i >= last[0] and j >= last[1] and count > 0
        assert a[i : i + count] == b[j : j + count]
        last = (i + count, j + count)
    rebuilt: list[str] = []
    place = 0
    for i0, _, j0, j1 in gaps(found, len(a), len(b)):
        rebuilt += b[place:j0] + b[j0:j1]
        place = j1
        assert i0 <= len(a)
    assert rebuilt + b[place:] == b


@given(st.lists(st.integers(0, 2), max_size=9), st.lists(st.integers(0, 2), max_size=9))
def test_the_difference_within_a_gap_is_the_shortest(a: list[int], b: list[int]) -> None:
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = longest[i][j] + 1 if a[i] == b[j] else 0
            longest[i + 1][j + 1] = max(same, longest[i][j + 1], longest[i + 1][j])
    found, _ = _myers(a, b, 99)
    assert all(a[i : i + n] == b[j : j + n] for i, j, n in found)
    assert sum(n for _, _, n in found) == longest[-1][-1]


@given(st.lists(st.integers(0, 9), max_size=12))
def test_the_longest_ascending_part(values: list[int]) -> None:
    found = [values[k] for k in ascending(values)]
    assert found == sorted(set(found))
    best = 0
    ends: list[int] = []
    for value in values:
        ends.append(
            1 + max((e for v, e in zip(values, ends, strict=False) if v < value), default=0)
        )
        best = max(best, ends[-1])
    assert len(found) == best


@given(texts, texts, st.sampled_from([None, 0, 1, 3]))
def test_rows_rebuild_both_texts(old: str | None, new: str | None, context: int | None) -> None:
    found = compare_text(old, new, None)
    a = [row.old for row in found.rows if row.old is not None]
    b = [row.new for row in found.rows if row.new is not None]
    for text, told, other in ((old, a, new), (new, b, old)):
        if not text:
            assert told in ([], [""]) or text is None
            continue
        ended = text.endswith("\n") and (not other or other.endswith("\n"))
        assert "\n".join(told) + "\n" * ended == text
    assert [row.old_line for row in found.rows if row.old_line] == list(range(1, len(a) + 1))
    assert [row.new_line for row in found.rows if row.new_line] == list(range(1, len(b) + 1))
    assert (found.added, found.removed) == text_counts(old, new)
    folded = compare_text(old, new, context)
    assert sum(row.count for row in folded.rows if row.change in ("same", "folded")) == sum(
        row.change == "same" for row in found.rows
    )
    assert [row for row in folded.rows if row.change not in ("same", "folded")] == [
        row for row in found.rows if row.change != "same"
    ]


@given(
    st.text(st.sampled_from("ab 😀é()"), max_size=20),
    st.text(st.sampled_from("ab 😀é()"), max_size=20),
)
def test_what_is_outside_of_spans_is_the_same(a: str, b: str) -> None:
    left = []
    for text, found in zip((a, b), spans(a, b), strict=True):
        units = text.encode("utf-16-le")
        rest, place = b"", 0
        for start, end in found:
            assert place <= start < end <= utf16(text)
            rest += units[2 * place : 2 * start]
            place = end
        left.append(rest + units[2 * place :])
    assert left[0] == left[1]


def test_lines_that_are_alike_are_one_row() -> None:
    found = compare_text("a\nvalue = 10\nz\n", "a\nnew line\nvalue = 12\nz\n")
    told = [(row.change, row.old, row.new) for row in found.rows]
    assert told == [
        ("same", "a", "a"),
        ("added", None, "new line"),
        ("modified", "value = 10", "value = 12"),
        ("same", "z", "z"),
    ]
    assert found.rows[2].old_spans == [[8, 10]] == found.rows[2].new_spans


def test_a_last_line_without_its_end_is_told() -> None:
    assert [r.change for r in compare_text("a\n", "a").rows] == ["same", "removed"]
    assert [r.change for r in compare_text("a", "a").rows] == ["same"]


def test_unchanged_lines_are_folded() -> None:
    old = "".join(f"{n}\n" for n in range(100))
    rows = compare_text(old, old.replace("50\n", "fifty\n"), 2).rows
    assert [(r.change, r.count) for r in rows][:2] == [("folded", 48), ("same", 1)]
    assert (rows[0].old_line, rows[0].new_line, rows[0].old) == (1, 1, None)
    assert rows[-1].change == "folded" and rows[-1].count == 47


def test_very_long_texts_are_cut_and_said_so() -> None:
    found = compare_text(None, "\n".join(map(str, range(50))), most=20)
    assert found.truncated and len(found.rows) == 20 and found.added == 50
    long = compare_text("x" * 3 * MOST_LINE, "x" * 3 * MOST_LINE + "y")
    assert long.truncated and len(long.rows[0].new or "") == MOST_LINE
    assert long.rows[0].new_spans == []


def test_bytes_that_are_no_text() -> None:
    for data in (b"\xff", b"a\0b"):
        with pytest.raises(DamagedError):
            decode(data)
    assert decode(b"\xef\xbb\xbfa") == "a"


@pytest.mark.parametrize("kind", ["unique", "repeated", "shuffled"])
def test_long_texts_take_no_long_time(kind: str) -> None:
    chance = random.Random(1)
    if kind == "unique":
        old = [f"line {n}" for n in range(100_000)]
        new = [f"{line}!" if chance.random() < 0.02 else line for line in old]
    elif kind == "repeated":
        old = [chance.choice("abc") for _ in range(100_000)]
        new = [chance.choice("abc") for _ in range(100_000)]
    else:
        old = [f"line {n}" for n in range(50_000)]
        new = old.copy()
        chance.shuffle(new)
    started = time.perf_counter()
    found = compare_text("\n".join(old), "\n".join(new))
    # a second or so; a busy machine gets more
    assert time.perf_counter() - started < 10
    assert found.added > 0
