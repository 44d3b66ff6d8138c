# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Three-way merge of texts, as diff3 does it.

S. Khanna, K. Kunal, B. C. Pierce, "A Formal Investigation of Diff3", FSTTCS 2007: what both sides
left as it was holds the pieces apart in between; a piece that one side changed is that side's, one
that both changed in the same way is theirs together, any other is a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .sequences import matches

Side = Literal["yours", "theirs", "base", "both"]
State = Literal["same", "yours", "theirs", "merged", "conflict"]

YOURS = "<<<<<<< yours"
BASE = "||||||| base"
MIDDLE = "======="
THEIRS = ">>>>>>> theirs"


@dataclass(frozen=True, slots=True)
class Segment:
    """Some lines of each side; ``base`` is None where there is no common ancestor."""

    state: State
    base: str | None
    yours: str
    theirs: str
    line: int  # from 1, in yours

    def text(self, side: Side = "yours") -> str:
        """Return the lines of the result; ``side`` decides where the segment is a conflict."""
        if self.state in ("same", "yours", "merged"):
            return self.yours
        if self.state == "theirs":
            return self.theirs
        if side == "both":
            return _ended(self.yours, self.theirs) + self.theirs
        if side == "base":
            return self.base or ""
        return self.yours if side == "yours" else self.theirs

    def where(self) -> str:
        """Return the place in yours, for people."""
        count = len(lines(self.yours))
        if count < 2:
            return f"line {self.line}"
        return f"lines {self.line} to {self.line + count - 1}"


def lines(text: str) -> list[str]:
    """Return the lines of a text with their ends; only line feeds end one."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def merge_text(base: str | None, yours: str, theirs: str) -> list[Segment]:
    """Merge two texts; without a base everything that differs is a conflict."""
    if yours == theirs:
        return [Segment("same" if base == yours else "merged", base, yours, theirs, 1)]
    if base is not None and base in (yours, theirs):
        state: State = "theirs" if base == yours else "yours"
        return [Segment(state, base, yours, theirs, 1)]
    y, t = lines(yours), lines(theirs)
    if base is None:
        return _two_ways(y, t)
    b = lines(base)
    in_yours, in_theirs = _places(b, y), _places(b, t)
    found: list[Segment] = []
    i = j = k = 0
    while True:
        start = i
        while i < len(b) and in_yours.get(i) == j + i - start and in_theirs.get(i) == k + i - start:
            i += 1
        if i > start:
            same = "".join(b[start:i])
            found.append(Segment("same", same, same, same, j + 1))
            j, k = j + i - start, k + i - start
        if i >= len(b) and j >= len(y) and k >= len(t):
            return found
        stop = i
        while stop < len(b) and not (stop in in_yours and stop in in_theirs):
            stop += 1
        to_y, to_t = in_yours.get(stop, len(y)), in_theirs.get(stop, len(t))
        found.append(_segment("".join(b[i:stop]), "".join(y[j:to_y]), "".join(t[k:to_t]), j + 1))
        i, j, k = stop, to_y, to_t


def _places(base: Sequence[str], side: Sequence[str]) -> dict[int, int]:
    return {i + n: j + n for i, j, count in matches(base, side) for n in range(count)}


def _segment(base: str, yours: str, theirs: str, line: int) -> Segment:
    state: State = "conflict"
    if yours == theirs:
        state = "merged"
    elif yours == base:
        state = "theirs"
    elif theirs == base:
        state = "yours"
    return Segment(state, base, yours, theirs, line)


def _two_ways(yours: list[str], theirs: list[str]) -> list[Segment]:
    found: list[Segment] = []
    j = k = 0
    for a, b, count in (*matches(yours, theirs), (len(yours), len(theirs), 0)):
        if a > j or b > k:
            found.append(
                Segment("conflict", None, "".join(yours[j:a]), "".join(theirs[k:b]), j + 1)
            )
        if count:
            same = "".join(yours[a : a + count])
            found.append(Segment("same", None, same, same, a + 1))
        j, k = a + count, b + count
    return found


def joined(segments: Sequence[Segment], choose: Callable[[int], str | None]) -> str:
    """Return the result; ``choose`` gives the text of a conflict by its place among them."""
    parts: list[str] = []
    number = 0
    for segment in segments:
        if segment.state != "conflict":
            parts.append(segment.text())
            continue
        chosen = choose(number)
        parts.append(_marked(segment) if chosen is None else chosen)
        number += 1
    return "".join(parts)


def conflicts(segments: Sequence[Segment]) -> list[Segment]:
    """Return the conflicts among segments."""
    return [segment for segment in segments if segment.state == "conflict"]


def taken(segments: Sequence[Segment], side: Side) -> str:
    """Return the result with all conflicts decided for a side."""
    return "".join(segment.text(side) for segment in segments)


def marked(segments: Sequence[Segment]) -> str:
    """Return the result with conflicts between the usual markers."""
    return joined(segments, lambda number: None)


def _marked(segment: Segment) -> str:
    parts = [YOURS + "\n", _line(segment.yours)]
    if segment.base is not None:
        parts += [BASE + "\n", _line(segment.base)]
    return "".join([*parts, MIDDLE + "\n", _line(segment.theirs), THEIRS + "\n"])


def has_markers(text: str) -> bool:
    """Whether markers of a conflict are left in a text."""
    found = {line.rstrip("\r\n") for line in lines(text)}
    return YOURS in found or THEIRS in found or BASE in found


def _line(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _ended(text: str, following: str) -> str:
    return _line(text) if following else text
