# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which cell of one notebook is which of another.

Identical cells are matched first, then equal sources, then equal ids, each within the gaps that
the step before left. Only what is left goes to nbdime, whose comparison takes time with the square
of the cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .documents import identity, outputs_identity
from .sequences import ascending, gaps, matches
from .values import Document

MOST_PAIRS = 400
"""Pairs of cells (old times new, in one gap) that nbdime compares; beyond, their lines tell."""

MOST_WORK = 6_000_000
"""Characters times characters that it compares in all; it may take 0.3 us for each, in seconds."""


@dataclass(slots=True)
class Alignment:
    """Pairs of (old, new) indices: in the order of both sides, and those that crossed it."""

    pairs: list[tuple[int, int]]
    moved: list[tuple[int, int]]


def align(old: Sequence[Document], new: Sequence[Document]) -> Alignment:
    """Match the cells of two notebooks."""
    sources = (_source_key(old), _source_key(new))
    pairs = _run((0, len(old), 0, len(new)), _whole(old, sources[0]), _whole(new, sources[1]))
    pairs = _refined(pairs, len(old), len(new), lambda gap: _run(gap, *sources))
    ids = _common_ids(old, new)
    pairs = _refined(pairs, len(old), len(new), lambda gap: _by_id(gap, old, new, ids))
    pairs = _refined(pairs, len(old), len(new), _Likeness(old, new).find)
    return Alignment(pairs, _moved(pairs, old, new, ids, sources))


def _source_key(cells: Sequence[Document]) -> list[Hashable]:
    return [(cell["cell_type"], cell["source"]) for cell in cells]


def _whole(cells: Sequence[Document], keys: list[Hashable]) -> list[Hashable]:
    return [
        (key, outputs_identity(cell), identity(cell.get("attachments")))
        for key, cell in zip(keys, cells, strict=True)
    ]


Gap = tuple[int, int, int, int]


def _run(gap: Gap, old: list[Hashable], new: list[Hashable]) -> list[tuple[int, int]]:
    i0, i1, j0, j1 = gap
    return [
        (i0 + i + k, j0 + j + k) for i, j, n in matches(old[i0:i1], new[j0:j1]) for k in range(n)
    ]


def _refined(
    pairs: list[tuple[int, int]], old: int, new: int, find: Callable[[Gap], list[tuple[int, int]]]
) -> list[tuple[int, int]]:
    found = list(pairs)
    for gap in gaps([(i, j, 1) for i, j in pairs], old, new):
        if gap[0] < gap[1] and gap[2] < gap[3]:
            found += find(gap)
    found.sort()
    return found


def _common_ids(old: Sequence[Document], new: Sequence[Document]) -> dict[str, tuple[int, int]]:
    """Return the ids that one cell of each side has; the cell's type may have been changed."""
    places: list[dict[str, int]] = []
    for cells in (old, new):
        times = Counter(cell["id"] for cell in cells if "id" in cell)
        places.append({c["id"]: k for k, c in enumerate(cells) if times.get(c.get("id", "")) == 1})
    return {id_: (i, places[1][id_]) for id_, i in places[0].items() if id_ in places[1]}


def _by_id(
    gap: Gap, old: Sequence[Document], new: Sequence[Document], ids: dict[str, tuple[int, int]]
) -> list[tuple[int, int]]:
    i0, i1, j0, j1 = gap
    inside = [
        ids[old[i]["id"]]
        for i in range(i0, i1)
        if old[i].get("id") in ids and j0 <= ids[old[i]["id"]][1] < j1
    ]
    return [inside[k] for k in ascending([j for _, j in inside])]


class _Likeness:
    """Matches what is alike, as long as that takes no long time."""

    def __init__(self, old: Sequence[Document], new: Sequence[Document]) -> None:
        self._old = old
        self._new = new
        self._left = MOST_WORK

    def find(self, gap: Gap) -> list[tuple[int, int]]:
        """Return the pairs in one gap."""
        i0, i1, j0, j1 = gap
        a, b = self._old[i0:i1], self._new[j0:j1]
        lengths = [sum(len(cell["source"]) for cell in cells) for cells in (a, b)]
        work = 2 * lengths[0] * lengths[1]
        if len(a) * len(b) > MOST_PAIRS or work > self._left:
            return [(i0 + i, j0 + j) for i, j in _by_lines(a, b)]
        self._left -= work
        # nbdime's package imports much that only its programs need
        from nbdime.diffing.notebooks import compare_cell_approximate
        from nbdime.diffing.snakes import compute_snakes_multilevel

        snakes = compute_snakes_multilevel(a, b, [compare_cell_approximate, _close])
        return [(i0 + i + k, j0 + j + k) for i, j, n in snakes for k in range(n)]


def _close(a: Document, b: Document) -> bool:
    """Whether two cells are so much alike that they are matched before others are."""
    from nbdime.diffing.generic import compare_strings_approximate

    return a["cell_type"] == b["cell_type"] and bool(
        compare_strings_approximate(a["source"], b["source"], threshold=0.9)
    )


def _by_lines(a: Sequence[Document], b: Sequence[Document]) -> list[tuple[int, int]]:
    """Match cells, in order, that share at least half of their lines."""
    lines = [
        [frozenset(line.strip() for line in cell["source"].split("\n")) - {""} for cell in cells]
        for cells in (a, b)
    ]
    rows: dict[str, list[int]] = {}
    for j, found in enumerate(lines[1]):
        for line in found:
            rows.setdefault(line, []).append(j)
    candidates: list[tuple[int, int]] = []
    for i, found in enumerate(lines[0]):
        shared = Counter(
            j for line in found if len(rows.get(line, ())) <= 20 for j in rows.get(line, ())
        )
        for j, count in shared.most_common(1):
            if (
                2 * count >= max(len(found), len(lines[1][j]))
                and a[i]["cell_type"] == b[j]["cell_type"]
            ):
                candidates.append((i, j))
    return [candidates[k] for k in ascending([j for _, j in candidates])]


def _moved(
    pairs: list[tuple[int, int]],
    old: Sequence[Document],
    new: Sequence[Document],
    ids: dict[str, tuple[int, int]],
    sources: tuple[list[Hashable], list[Hashable]],
) -> list[tuple[int, int]]:
    done_old, done_new = {i for i, _ in pairs}, {j for _, j in pairs}
    found = []
    for i, j in ids.values():
        if i not in done_old and j not in done_new:
            found.append((i, j))
            done_old.add(i)
            done_new.add(j)
    waiting: dict[Hashable, list[int]] = {}
    for j, key in enumerate(sources[1]):
        if j not in done_new and new[j]["source"].strip():
            waiting.setdefault(key, []).append(j)
    for i, key in enumerate(sources[0]):
        if i not in done_old and waiting.get(key):
            found.append((i, waiting[key].pop(0)))
    return sorted(found, key=lambda pair: pair[1])
