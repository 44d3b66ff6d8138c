# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two notebooks differ, cell by cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from .alignment import align
from .documents import identity, language, outputs_identity
from .outputs import LARGE, pair_outputs
from .texts import compare_text
from .values import (
    CellPair,
    Check,
    Document,
    NotebookComparison,
    Options,
    Place,
    TextComparison,
    unchecked,
)

_SHORT = 40  # lines of a source that are all shown where only outputs differ


def compare_notebooks(
    old: Document | None,
    new: Document | None,
    options: Options,
    places: tuple[Place, Place],
    check: Check = unchecked,
) -> NotebookComparison:
    """Compare two notebooks as :func:`.documents.read_notebook` gives them.

    Parameters
    ----------
    old, new : dict or None
        None where there is none.
    options : Options
        What is compared.
    places : tuple of Place
        Where the two are, for the large parts of outputs.
    check : callable
        Called now and then; what it raises ends the comparison.
    """
    a, b = (_cells(document) for document in (old, new))
    alignment = align(a, b)
    check()
    new_to_old = {j: i for i, j in alignment.pairs}
    moved = {j: i for i, j in alignment.moved}
    gone = set(range(len(a))) - set(new_to_old.values()) - set(moved.values())
    comparing = _Comparing(a, b, options, places)
    cells: list[CellPair] = []
    i = 0
    for j in range(len(b)):
        if j in new_to_old:
            cells += [comparing.removed(k) for k in range(i, new_to_old[j]) if k in gone]
            i = new_to_old[j] + 1
            pair = comparing.both(new_to_old[j], j)
            if not _folds_into(pair, cells):
                cells.append(pair)
        elif j in moved:
            cells.append(comparing.both(moved[j], j, moved=True))
        else:
            # what went in front of what came, as with lines
            following = next((new_to_old[k] for k in range(j, len(b)) if k in new_to_old), len(a))
            cells += [comparing.removed(k) for k in range(i, following) if k in gone]
            i = max(i, following)
            cells.append(comparing.added(j))
        check()
    cells += [comparing.removed(k) for k in range(i, len(a)) if k in gone]
    changes = [cell.change for cell in cells]
    return NotebookComparison(
        cells,
        _notebook_metadata(old, new) if options.metadata else None,
        language(new or old or {"metadata": {}}),
        changes.count("added"),
        changes.count("removed"),
        changes.count("modified") + changes.count("moved"),
    )


def _folds_into(pair: CellPair, cells: list[CellPair]) -> bool:
    """Count an unchanged cell to the unchanged ones before it, if it follows them on both sides."""
    if pair.change != "folded" or not cells or cells[-1].change != "folded":
        return False
    last = cells[-1]
    for before, here in ((last.old_index, pair.old_index), (last.new_index, pair.new_index)):
        if before is None or here is None or before + last.count != here:
            return False
    last.count += 1
    return True


def counts(old: Document | None, new: Document | None) -> tuple[int, int]:
    """Return how many cells were added and removed; one that was modified is both."""
    a, b = (_cells(document) for document in (old, new))
    alignment = align(a, b)
    same = sum(_is_same(a[i], b[j], Options()) for i, j in (*alignment.pairs, *alignment.moved))
    return len(b) - same, len(a) - same


def _cells(document: Document | None) -> list[Document]:
    return [] if document is None else list(document["cells"])


def _is_same(a: Document, b: Document, options: Options) -> bool:
    return (
        a["source"] == b["source"]
        and a["cell_type"] == b["cell_type"]
        and a.get("attachments") == b.get("attachments")
        and (
            not options.outputs
            or outputs_identity(a, options.counts) == outputs_identity(b, options.counts)
        )
        and (not options.metadata or a["metadata"] == b["metadata"])
        and (not options.counts or a.get("execution_count") == b.get("execution_count"))
    )


class _Comparing:
    """Makes the pairs of one comparison."""

    def __init__(
        self,
        old: Sequence[Document],
        new: Sequence[Document],
        options: Options,
        places: tuple[Place, Place],
    ) -> None:
        self._old = old
        self._new = new
        self._options = options
        self._places = places

    def both(self, i: int, j: int, moved: bool = False) -> CellPair:
        """Return a cell that both sides have; folded where it is the same."""
        a, b, options = self._old[i], self._new[j], self._options
        same = _is_same(a, b, options)
        if same and not moved:
            return CellPair("folded", 1, i, j)
        whole = a["source"] == b["source"] and a["source"].count("\n") < _SHORT
        pair = self._pair("moved" if moved else "modified", b, i, j)
        pair.source = compare_text(a["source"], b["source"], None if whole else options.context)
        if options.outputs and not same:
            pair.outputs = pair_outputs(
                a.get("outputs", ()),
                b.get("outputs", ()),
                options.counts,
                ((self._places[0], i), (self._places[1], j)),
                options.context,
            )
        pair.metadata = self._metadata(a, b)
        return pair

    def added(self, j: int) -> CellPair:
        """Return a cell of the new side only."""
        cell = self._new[j]
        pair = self._pair("added", cell, None, j)
        pair.source = compare_text(None, cell["source"], self._options.context)
        self._outputs(pair, (), cell.get("outputs", ()), j)
        return pair

    def removed(self, i: int) -> CellPair:
        """Return a cell of the old side only."""
        cell = self._old[i]
        pair = self._pair("removed", cell, i, None)
        pair.source = compare_text(cell["source"], None, self._options.context)
        self._outputs(pair, cell.get("outputs", ()), (), i)
        return pair

    def _outputs(
        self, pair: CellPair, old: Sequence[Document], new: Sequence[Document], index: int
    ) -> None:
        if self._options.outputs:
            where = ((self._places[0], index), (self._places[1], index))
            pair.outputs = pair_outputs(old, new, self._options.counts, where)

    def _pair(self, change: Any, cell: Document, i: int | None, j: int | None) -> CellPair:
        return CellPair(
            change,
            1,
            i,
            j,
            cell.get("id"),
            cell["cell_type"],
            old_count=None if i is None else _count(self._old[i]),
            new_count=None if j is None else _count(self._new[j]),
        )

    def _metadata(self, a: Document, b: Document) -> TextComparison | None:
        before, after = _extras(a, self._options.metadata), _extras(b, self._options.metadata)
        if a["cell_type"] != b["cell_type"]:
            before["cell_type"], after["cell_type"] = a["cell_type"], b["cell_type"]
        return None if before == after else _as_json(before, after)


def _count(cell: Document) -> int | None:
    count = cell.get("execution_count")
    return count if isinstance(count, int) else None


def _extras(cell: Document, metadata: bool) -> Document:
    """Return what a cell has beside source and outputs, as it is shown."""
    extras: Document = {}
    if metadata and cell["metadata"]:
        extras["metadata"] = cell["metadata"]
    if cell.get("attachments"):
        extras["attachments"] = _slim(cell["attachments"])
    return extras


def _slim(value: Any) -> Any:
    """Return a JSON value whose long texts are told by size and digest."""
    if isinstance(value, dict):
        return {key: _slim(item) for key, item in value.items()}
    if isinstance(value, str) and len(value) > LARGE // 8:
        data = value.encode("utf-8", "surrogatepass")
        return f"{len(data)} bytes, digest {blake3(data).hexdigest()[:16]}"
    return value


def _notebook_metadata(old: Document | None, new: Document | None) -> TextComparison | None:
    a, b = ({} if document is None else document["metadata"] for document in (old, new))
    return None if identity(a) == identity(b) else _as_json(a, b)


def _as_json(a: Document, b: Document) -> TextComparison:
    before, after = (
        json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) if value else None
        for value in (a, b)
    )
    return compare_text(before, after, 3, 2000)
