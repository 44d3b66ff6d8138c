# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two texts differ, line by line and within lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from .sequences import Match, matches
from .values import Check, DamagedError, TextComparison, TextRow, unchecked

MOST_ROWS = 20_000
"""Rows of a comparison; what comes after is left out."""

MOST_LINE = 10_000
"""Characters of a line that are shown."""

_CHECKED = 100  # rows between two looks whether anybody still wants the answer
_MOST_PAIRS = 900  # lines of a hunk that are compared with each other: old times new
_MOST_LOOKS = 3000  # comparisons of two lines in one comparison of texts
_LONG = 1000  # characters of a line of which only equal ends are told apart
_ALIKE = 0.5  # from here on a line counts as modified
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


def decode(data: bytes) -> str:
    """Return bytes as text. Raise DamagedError if they are not UTF-8 text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DamagedError("it is not UTF-8 text") from None
    if "\0" in text:
        raise DamagedError("it holds NUL bytes, as binary files do")
    return text.removeprefix("\ufeff")


def split(old: str | None, new: str | None) -> tuple[list[str], list[str]]:
    """Return the lines of two texts; None stands for a text that does not exist.

    Only line feeds end a line. Where one text lacks the last line feed, the other one has an empty
    line at its end.
    """
    a, b = ([] if text is None else text.split("\n") for text in (old, new))
    if all(not lines or not lines[-1] for lines in (a, b)):
        return a[:-1], b[:-1]
    # the empty text has no lines, not one empty line
    return [] if a == [""] else a, [] if b == [""] else b


def compare_text(
    old: str | None,
    new: str | None,
    context: int | None = 3,
    most: int = MOST_ROWS,
    check: Check = unchecked,
) -> TextComparison:
    """Compare two texts.

    Parameters
    ----------
    old, new : str or None
        The texts; None where there is none.
    context : int or None
        How many unchanged lines to keep around changes; the others are folded. None: all.
    most : int
        How many rows to give.
    check : callable
        Called now and then; what it raises ends the comparison.
    """
    a, b = split(old, new)
    found = [(0, 0, len(a))] if a == b else matches(a, b)
    added = len(b) - sum(n for _, _, n in found)
    removed = len(a) - sum(n for _, _, n in found)
    rows: list[TextRow] = []
    truncated = False
    for row in _folded(_rows(a, b, found), context):
        if len(rows) == most:
            truncated = True
            break
        if len(rows) % _CHECKED == 0:
            check()
        truncated = _cut(row) or truncated
        rows.append(row)
    return TextComparison(rows, added, removed, truncated)


def _rows(a: list[str], b: list[str], found: list[Match]) -> Iterator[TextRow]:
    pairing = _Pairing()
    i, j = 0, 0
    for start_a, start_b, count in (*found, (len(a), len(b), 0)):
        for x, y in pairing.pairs(a[i:start_a], b[j:start_b]):
            old = None if x is None else a[i + x]
            new = None if y is None else b[j + y]
            row = TextRow(
                "modified"
                if x is not None and y is not None
                else "added"
                if x is None
                else "removed",
                None if x is None else i + x + 1,
                None if y is None else j + y + 1,
                old,
                new,
            )
            if old is not None and new is not None:
                row.old_spans, row.new_spans = spans(old, new)
            yield row
        for k in range(count):
            line = a[start_a + k]
            yield TextRow("same", start_a + k + 1, start_b + k + 1, line, line)
        i, j = start_a + count, start_b + count


def _folded(rows: Iterator[TextRow], context: int | None) -> Iterator[TextRow]:
    if context is None:
        yield from rows
        return
    run: list[TextRow] = []
    begun = False  # whether there was a change before the run
    for row in rows:
        if row.change == "same":
            run.append(row)
            continue
        yield from _fold(run, context if begun else 0, context)
        run, begun = [], True
        yield row
    yield from _fold(run, context if begun else 0, 0)


def _fold(run: list[TextRow], head: int, tail: int) -> Iterator[TextRow]:
    count = len(run) - head - tail
    if count < 2:
        yield from run
        return
    yield from run[:head]
    first = run[head]
    yield TextRow("folded", first.old_line, first.new_line, count=count)
    yield from run[head + count :]


def _cut(row: TextRow) -> bool:
    """Cut what is too long to be shown; return whether anything was."""
    if len(row.old or "") <= MOST_LINE and len(row.new or "") <= MOST_LINE:
        return False
    if row.old is not None:
        row.old = row.old[:MOST_LINE]
        row.old_spans = _clipped(row.old_spans, utf16(row.old))
    if row.new is not None:
        row.new = row.new[:MOST_LINE]
        row.new_spans = _clipped(row.new_spans, utf16(row.new))
    return True


def _clipped(found: list[list[int]], length: int) -> list[list[int]]:
    return [[start, min(end, length)] for start, end in found if start < length]


class _Pairing:
    """Decides which removed line became which added one."""

    def __init__(self) -> None:
        self._looks = _MOST_LOOKS

    def pairs(self, a: list[str], b: list[str]) -> list[tuple[int | None, int | None]]:
        """Return indices of lines; each once, in the order of both sides."""
        if not a or not b:
            return [(i, None) for i in range(len(a))] + [(None, j) for j in range(len(b))]
        if len(a) * len(b) <= min(_MOST_PAIRS, self._looks):
            self._looks -= len(a) * len(b)
            chosen = _alike(a, b)
        else:
            chosen = []
            for k in range(min(len(a), len(b))):
                if self._looks <= 0:
                    break
                self._looks -= 1
                if _likeness(a[k], b[k]) >= _ALIKE:
                    chosen.append((k, k))
        result: list[tuple[int | None, int | None]] = []
        i, j = 0, 0
        for x, y in (*chosen, (len(a), len(b))):
            result += [(k, None) for k in range(i, x)]
            result += [(None, k) for k in range(j, y)]
            if x < len(a):
                result.append((x, y))
            i, j = x + 1, y + 1
        return result


def _alike(a: list[str], b: list[str]) -> list[tuple[int, int]]:
    """Return the pairs, in order, with the largest sum of likenesses."""
    likeness = [[_likeness(x, y) for y in b] for x in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if likeness[i][j] >= _ALIKE:
                best[i][j] = max(best[i][j], likeness[i][j] + best[i + 1][j + 1])
    chosen, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if likeness[i][j] >= _ALIKE and best[i][j] == likeness[i][j] + best[i + 1][j + 1]:
            chosen.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return chosen


def _likeness(a: str, b: str) -> float:
    """Return how much of two lines is the same, 0 to 1; blank lines are like nothing."""
    if not a.strip() or not b.strip():
        return 0.0
    if max(len(a), len(b)) > _LONG:
        start, end = _ends(a, b)
        return 2 * (start + end) / (len(a) + len(b))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    x, y = _TOKEN.findall(a), _TOKEN.findall(b)
    blocks = SequenceMatcher(None, x, y, autojunk=False).get_matching_blocks()
    same = sum(len(token) for i, _, n in blocks for token in x[i : i + n])
    start, end = _ends(a, b)
    return 2 * max(same, start + end) / (len(a) + len(b))


def _ends(a: str, b: str) -> tuple[int, int]:
    """Return how many characters at the start and at the end are equal."""
    most = min(len(a), len(b))
    start = 0
    while start < most and a[start] == b[start]:
        start += 1
    end = 0
    while end < most - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return start, end


def spans(a: str, b: str) -> tuple[list[list[int]], list[list[int]]]:
    """Return what differs within two lines, on each side, in UTF-16 units."""
    start, end = _ends(a, b)
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    found_a: list[tuple[int, int]] = []
    found_b: list[tuple[int, int]] = []
    if not middle_a or not middle_b or max(len(middle_a), len(middle_b)) > _LONG:
        found_a.append((start, len(a) - end))
        found_b.append((start, len(b) - end))
    else:
        x, y = _TOKEN.findall(a), _TOKEN.findall(b)
        places_a, places_b = _places(x), _places(y)
        for tag, i0, i1, j0, j1 in SequenceMatcher(None, x, y, autojunk=False).get_opcodes():
            if tag != "equal":
                found_a.append((places_a[i0], places_a[i1]))
                found_b.append((places_b[j0], places_b[j1]))
    return _units(a, found_a), _units(b, found_b)


def _places(tokens: list[str]) -> list[int]:
    places = [0]
    for token in tokens:
        places.append(places[-1] + len(token))
    return places


def _units(line: str, found: list[tuple[int, int]]) -> list[list[int]]:
    found = [(start, end) for start, end in found if start < end]
    if line.isascii() or utf16(line) == len(line):
        return [[start, end] for start, end in found]
    return [[utf16(line[:start]), utf16(line[:end])] for start, end in found]


def utf16(text: str) -> int:
    """Return the length of a text as browsers count it."""
    return len(text) + sum(character > "\uffff" for character in text)


def counts(old: str | None, new: str | None) -> tuple[int, int]:
    """Return how many lines were added and removed."""
    a, b = split(old, new)
    same = len(a) if a == b else sum(n for _, _, n in matches(a, b))
    return len(b) - same, len(a) - same
