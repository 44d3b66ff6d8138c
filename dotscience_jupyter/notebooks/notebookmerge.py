# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Three-way merge of notebooks, cell by cell.

Which cell is which is found as in a comparison, by nbdime where hashes and ids do not tell. Each
cell is then merged on its own: sources by diff3, so that nothing is decided over several cells at
once and a conflict is always that of one cell. nbdime's own decisions are not used: they are paths
into nested differences, and its merge of a source starts git or diff3 for each cell.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from blake3 import blake3

from .alignment import align
from .documents import identity, outputs_identity
from .sequences import ascending
from .textmerge import Segment, Side, marked, merge_text, taken
from .textmerge import conflicts as text_conflicts
from .values import DamagedError, Document

CellState = Literal["same", "yours", "theirs", "merged", "conflict"]


@dataclass(slots=True)
class MergedCell:
    """A cell of the result, or what was one on some side.

    ``result`` is None where the cell is not in the result or nothing is chosen yet. ``indices`` are
    those of the cell in yours and in theirs.
    """

    state: CellState
    base: Document | None
    yours: Document | None
    theirs: Document | None
    result: Document | None
    segments: list[Segment]
    indices: tuple[int | None, int | None] = (None, None)

    @property
    def removal(self) -> bool:
        """Whether it is a conflict because one side does not have the cell."""
        return self.state == "conflict" and (self.yours is None or self.theirs is None)

    def source(self, side: Side) -> str | None:
        """Return the source with all conflicts decided for a side, None if it has no such cell."""
        if self.removal:
            cell = {"yours": self.yours, "theirs": self.theirs}.get(side, self.base)
            return None if cell is None else str(cell["source"])
        if side == "base" and self.base is None:
            return None
        return taken(self.segments, side)

    def choose(self, side: Side) -> list[Document]:
        """Return the cells with all conflicts decided for a side: one, or none if it has none.

        Both are two cells, yours first: the lines of two cells in one would be a program that
        neither side wrote.
        """
        if side == "both" and self.yours is not None and self.theirs is not None:
            mine, other = self.choose("yours")[0], self.choose("theirs")[0]
            if self.theirs.get("id") != mine.get("id"):
                other = _with_id(other, self.theirs, self.theirs)
            return [mine, other]
        source = self.source(side)
        return [] if source is None else [self.with_source(source, side)]

    def with_source(self, source: str, side: Side = "yours") -> Document:
        """Return the cell with a source of its own; outputs stay where they belong to it."""
        for cell in (self.theirs, self.yours) if side == "theirs" else (self.yours, self.theirs):
            if cell is not None and cell["source"] == source:
                result = dict(cell)
                if self.yours is not None and self.theirs is not None:
                    result["metadata"] = _merged_value(
                        {} if self.base is None else self.base["metadata"],
                        self.yours["metadata"],
                        self.theirs["metadata"],
                    )
                    result = _with_id(result, self.yours, self.theirs)
                return result
        model = self.yours or self.theirs or self.base
        if side == "theirs":
            model = self.theirs or model
        assert model is not None
        return _cleared({**model, "source": source})

    def marked(self) -> Document:
        """Return the cell with its conflict between markers in its source."""
        if not self.removal:
            return self.with_source(marked(self.segments))
        segment = Segment(
            "conflict",
            None if self.base is None else self.base["source"],
            "" if self.yours is None else self.yours["source"],
            "" if self.theirs is None else self.theirs["source"],
            1,
        )
        return self.with_source(marked([segment]))


@dataclass(slots=True)
class MergedNotebook:
    """How two notebooks come together."""

    cells: list[MergedCell]
    document: Document  # the result without its cells
    reordered: bool = False  # both sides moved cells; the order is yours

    def conflicts(self) -> list[MergedCell]:
        """Return the cells that are in conflict."""
        return [cell for cell in self.cells if cell.state == "conflict"]

    def result(self, choose: Callable[[int], list[Document] | None]) -> Document:
        """Return the notebook; ``choose`` gives the cells of a conflict by its place among them.

        Where it gives None the conflict is written between markers.
        """
        cells: list[Document] = []
        number = 0
        for cell in self.cells:
            if cell.state != "conflict":
                cells += [] if cell.result is None else [cell.result]
                continue
            chosen = choose(number)
            cells += [cell.marked()] if chosen is None else chosen
            number += 1
        return _valid({**self.document, "cells": cells})


def merge_notebooks(base: Document | None, yours: Document, theirs: Document) -> MergedNotebook:
    """Merge two notebooks as :func:`.documents.read_notebook` gives them.

    Parameters
    ----------
    base : dict or None
        The common ancestor; without one every cell that differs is a conflict.
    yours, theirs : dict
        The two sides; neither is changed.
    """
    y, t = yours["cells"], theirs["cells"]
    b = [] if base is None else base["cells"]
    order, reordered = _ordered(*_triples(b, y, t))
    cells: list[MergedCell] = []
    for i, j, k in order:
        cell = _merge((_at(b, i), _at(y, j), _at(t, k)), base is None)
        if cell is not None:
            cell.indices = (j, k)
            cells.append(cell)
    metadata = _merged_value(
        {} if base is None else base["metadata"], yours["metadata"], theirs["metadata"]
    )
    minor = max(yours["nbformat_minor"], theirs["nbformat_minor"])
    document = {"metadata": metadata, "nbformat": 4, "nbformat_minor": minor}
    return MergedNotebook(cells, document, reordered)


Triple = tuple[int | None, int | None, int | None]
"""Indices of one cell in base, yours and theirs."""


def _at(cells: Sequence[Document], index: int | None) -> Document | None:
    return None if index is None else cells[index]


def _triples(
    b: Sequence[Document], y: Sequence[Document], t: Sequence[Document]
) -> tuple[dict[int, Triple], dict[int, Triple]]:
    """Return the triple of each cell of yours and of theirs, in their order."""
    in_yours, in_theirs = (_matched(b, side) for side in (y, t))
    from_yours = {j: i for i, j in in_yours.items()}
    from_theirs = {k: i for i, k in in_theirs.items()}
    # what both added at one place may be the same cell
    added_y, added_t = _added(len(y), from_yours), _added(len(t), from_theirs)
    together: dict[int, int] = {}
    for place, new_y in added_y.items():
        new_t = added_t.get(place, [])
        alignment = align([y[j] for j in new_y], [t[k] for k in new_t])
        together |= {new_y[j]: new_t[k] for j, k in (*alignment.pairs, *alignment.moved)}
    of_yours: dict[int, Triple] = {}
    of_theirs: dict[int, Triple] = {}
    for j in range(len(y)):
        i = from_yours.get(j)
        k = together.get(j) if i is None else in_theirs.get(i)
        of_yours[j] = (i, j, k)
        if k is not None:
            of_theirs[k] = (i, j, k)
    for k in range(len(t)):
        if k not in of_theirs:
            of_theirs[k] = (from_theirs.get(k), None, k)
    return of_yours, of_theirs


def _added(count: int, origins: dict[int, int]) -> dict[int, list[int]]:
    """Return the cells that a side added, by the cell of the base that they follow there."""
    found: dict[int, list[int]] = {}
    last = -1
    for n in range(count):
        if n in origins:
            last = origins[n]
        else:
            found.setdefault(last, []).append(n)
    return found


def _matched(base: Sequence[Document], side: Sequence[Document]) -> dict[int, int]:
    alignment = align(base, side)
    return dict((*alignment.pairs, *alignment.moved))


def _ordered(
    of_yours: dict[int, Triple], of_theirs: dict[int, Triple]
) -> tuple[list[Triple], bool]:
    """Return the cells in the order of the result, and whether both sides had moved some.

    One side's order is the skeleton: that of the side which moved cells, else yours. The cells
    that only the other one has follow what they follow there.
    """
    moved_y = _is_moved([of_yours[j][0] for j in range(len(of_yours))])
    moved_t = _is_moved([of_theirs[k][0] for k in range(len(of_theirs))])
    theirs_first = moved_t and not moved_y
    skeleton, other = (of_theirs, of_yours) if theirs_first else (of_yours, of_theirs)
    order = [skeleton[n] for n in range(len(skeleton))]
    place = {triple: n for n, triple in enumerate(order)}
    following: dict[int, list[Triple]] = {}
    last = -1
    for n in range(len(other)):
        triple = other[n]
        if triple in place:
            last = place[triple]
        else:
            following.setdefault(last, []).append(triple)
    result: list[Triple] = []
    waiting = following.get(-1, [])
    own = 1 if not theirs_first else 2
    for n, triple in enumerate(order):
        added = triple[0] is None and triple[3 - own] is None
        # what both added at one place: yours comes first
        if waiting and not (added and not theirs_first):
            result += waiting
            waiting = []
        result.append(triple)
        waiting = waiting + following.get(n, [])
        if theirs_first:
            result += waiting
            waiting = []
    result += waiting
    return result, moved_y and moved_t


def _is_moved(origins: list[int | None]) -> bool:
    known = [i for i in origins if i is not None]
    return len(ascending(known)) < len(known)


def _merge(
    triple: tuple[Document | None, Document | None, Document | None], two_ways: bool
) -> MergedCell | None:
    b, y, t = triple
    if y is None or t is None:
        return _one_side(b, y, t, two_ways)
    segments = merge_text(None if b is None else b["source"], y["source"], t["source"])
    kinds = {y["cell_type"], t["cell_type"]}
    torn = len(kinds) > 1 and (b is None or b["cell_type"] not in kinds)
    if text_conflicts(segments) or torn:
        if torn and not text_conflicts(segments):
            base = None if b is None else b["source"]
            segments = [Segment("conflict", base, y["source"], t["source"], 1)]
        return MergedCell("conflict", b, y, t, None, segments)
    if identity(y) == identity(t):
        state: CellState = "same" if b is not None and identity(b) == identity(y) else "merged"
        return MergedCell(state, b, y, t, y, segments)
    result = _combined(b, y, t, taken(segments, "yours"))
    state = "merged"
    if identity(_plain(result)) == identity(_plain(y)):
        state = "same" if b is not None and identity(_plain(b)) == identity(_plain(y)) else "yours"
    elif identity(_plain(result)) == identity(_plain(t)):
        state = "theirs"
    return MergedCell(state, b, y, t, result, segments)


def _one_side(
    b: Document | None, y: Document | None, t: Document | None, two_ways: bool
) -> MergedCell | None:
    cell = y if y is not None else t
    if cell is None:
        return None
    mine: CellState = "yours" if y is not None else "theirs"
    if two_ways:
        return MergedCell("conflict", b, y, t, None, [])
    if b is None:
        return MergedCell(mine, b, y, t, cell, [])
    # that a cell was executed again is no reason to keep what the other side removed
    if cell["source"] == b["source"] and cell["cell_type"] == b["cell_type"]:
        return MergedCell("theirs" if y is not None else "yours", b, y, t, None, [])
    return MergedCell("conflict", b, y, t, None, [])


def _combined(b: Document | None, y: Document, t: Document, source: str) -> Document:
    """Return a cell whose source is decided; what else differs is merged quietly."""
    base: Document = {} if b is None else b
    kind = t["cell_type"] if y["cell_type"] == base.get("cell_type") else y["cell_type"]
    result: Document = {
        "cell_type": kind,
        "metadata": _merged_value(base.get("metadata", {}), y["metadata"], t["metadata"]),
        "source": source,
    }
    result = _with_id(result, y, t)
    attachments = _merged_value(
        base.get("attachments", {}), y.get("attachments", {}), t.get("attachments", {})
    )
    if kind != "code":
        return {**result, "attachments": attachments} if attachments else result
    result |= _merged_outputs(b, y, t)
    return result


def _merged_outputs(b: Document | None, y: Document, t: Document) -> Document:
    """Return the outputs and the execution count; cleared where both sides made other ones."""
    of_y, of_t = outputs_identity(y), outputs_identity(t)
    of_b = None if b is None else outputs_identity(b)
    if of_y == of_t:
        same = y.get("execution_count") == t.get("execution_count")
        count = y.get("execution_count") if same else None
        outputs = y.get("outputs", [])
        return {"execution_count": count, "outputs": outputs if same else _uncounted(outputs)}
    if of_b in (of_y, of_t):
        chosen = t if of_b == of_y else y
        return {
            "execution_count": chosen.get("execution_count"),
            "outputs": chosen.get("outputs", []),
        }
    return {"execution_count": None, "outputs": []}


def _uncounted(outputs: list[Document]) -> list[Document]:
    return [
        {**output, "execution_count": None} if "execution_count" in output else output
        for output in outputs
    ]


def _cleared(cell: Document) -> Document:
    return {**cell, "execution_count": None, "outputs": []} if "outputs" in cell else cell


def _with_id(cell: Document, y: Document, t: Document) -> Document:
    id_ = y.get("id", t.get("id"))
    return cell if id_ is None else {**cell, "id": id_}


def _plain(cell: Document) -> Document:
    return {key: value for key, value in cell.items() if key not in ("id", "execution_count")}


def _merged_value(base: Any, yours: Any, theirs: Any) -> Any:
    """Merge metadata: key by key; where both sides changed one, yours counts."""
    if isinstance(yours, dict) and isinstance(theirs, dict):
        before = base if isinstance(base, dict) else {}
        merged = {}
        for key in dict.fromkeys((*yours, *theirs)):
            value = _merged_value(*(each.get(key, _ABSENT) for each in (before, yours, theirs)))
            if value is not _ABSENT:
                merged[key] = value
        return merged
    if yours is not _ABSENT and base is not _ABSENT and identity(yours) == identity(base):
        return theirs
    if yours is _ABSENT and base is _ABSENT:
        return theirs
    return yours


class _Absent:
    """Stands for a key that is not there."""


_ABSENT = _Absent()


def _valid(document: Document) -> Document:
    """Make cell ids unique where the format wants them, and let go of them where it knows none."""
    cells = [dict(cell) for cell in document["cells"]]
    taken_ids: set[str] = set()
    for number, cell in enumerate(cells):
        if document["nbformat_minor"] < 5:
            cell.pop("id", None)
            continue
        id_ = cell.get("id")
        while id_ is None or id_ in taken_ids:
            seed = f"{id_} {number} {cell['source']}".encode("utf-8", "surrogatepass")
            id_ = blake3(seed).hexdigest()[:8]
            number += 1
        cell["id"] = id_
        taken_ids.add(id_)
        if cell["cell_type"] == "code":
            cell.setdefault("execution_count", None)
            cell.setdefault("outputs", [])
    return copy.deepcopy({**document, "cells": cells})


def check_valid(document: Document) -> None:
    """Raise DamagedError if a notebook is not as its format says."""
    import nbformat

    try:
        nbformat.validate(document, relax_add_props=True)
    except nbformat.ValidationError as error:
        raise DamagedError(str(error.message)[:200]) from None
