# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two versions of one file differ, in words and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import (
        CellPair,
        NotebookComparison,
        TableComparison,
        TextComparison,
    )

CONTEXT = 3
_NO_END = "\\ No newline at end of file\n"


def unified(old: str | None, new: str | None, path: str, old_path: str = "") -> str:
    """Return a unified diff, as git writes it, of two texts; None stands for no file.

    Only line feeds end a line, so that form feeds and the like stay what they are.
    """
    from dotscience_jupyter.notebooks import line_gaps, lines

    a, b = lines(old or ""), lines(new or "")
    hunks = list(_hunks(a, b, line_gaps(a, b)))
    if not hunks and old is not None and new is not None:
        return ""
    before = "/dev/null" if old is None else f"a/{old_path or path}"
    after = "/dev/null" if new is None else f"b/{path}"
    return "".join([f"--- {before}\n", f"+++ {after}\n", *hunks])


Gap = tuple[int, int, int, int]


def _hunks(a: Sequence[str], b: Sequence[str], gaps: Sequence[Gap]) -> Iterator[str]:
    group: list[Gap] = []
    for gap in gaps:
        if group and gap[0] - group[-1][1] > 2 * CONTEXT:
            yield _hunk(a, b, group)
            group = []
        group.append(gap)
    if group:
        yield _hunk(a, b, group)


def _hunk(a: Sequence[str], b: Sequence[str], group: Sequence[Gap]) -> str:
    head = min(CONTEXT, group[0][0])
    tail = min(CONTEXT, len(a) - group[-1][1])
    i, j = group[0][0] - head, group[0][2] - head
    stop_a, stop_b = group[-1][1] + tail, group[-1][3] + tail
    parts = [f"@@ -{_range(i, stop_a)} +{_range(j, stop_b)} @@\n"]
    for a0, a1, b0, b1 in group:
        parts += [_line(" ", line) for line in a[i:a0]]
        parts += [_line("-", line) for line in a[a0:a1]]
        parts += [_line("+", line) for line in b[b0:b1]]
        i = a1
    parts += [_line(" ", line) for line in a[i:stop_a]]
    return "".join(parts)


def _range(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _line(mark: str, line: str) -> str:
    return f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{_NO_END}"


def notebook(found: NotebookComparison, path: str) -> str:
    """Return how two notebooks differ, cell by cell, in the manner of a unified diff."""
    parts = [f"--- a/{path}\n", f"+++ b/{path}\n"]
    for cell in found.cells:
        if cell.change != "folded":
            parts.append(f"@@ {_named(cell)} @@\n")
            if cell.source is not None and (cell.source.added or cell.source.removed):
                parts += _rows(cell.source)
            if cell.metadata is not None:
                parts.append("@ metadata\n")
                parts += _rows(cell.metadata)
    if found.metadata is not None:
        parts.append("@@ metadata of the notebook @@\n")
        parts += _rows(found.metadata)
    return "".join(parts) if len(parts) > 2 else ""


def _named(cell: CellPair) -> str:
    index = cell.new_index if cell.new_index is not None else cell.old_index
    text = f"cell {(index or 0) + 1} ({cell.type}), {cell.change}"
    changes = [output.change for output in cell.outputs if output.change != "same"]
    if cell.change in ("modified", "moved") and changes:
        told = ", ".join(f"{changes.count(each)} {each}" for each in dict.fromkeys(changes))
        text += f"; outputs: {told}"
    return text


def _rows(text: TextComparison) -> list[str]:
    parts: list[str] = []
    added: list[str] = []
    for row in text.rows:
        if row.change in ("added", "modified"):
            added.append(f"+{row.new}\n")
        if row.change in ("removed", "modified"):
            parts.append(f"-{row.old}\n")
        if row.change in ("same", "folded"):
            parts += added
            added = []
            same = f" {row.old}\n" if row.change == "same" else f"@ {row.count} unchanged lines\n"
            parts.append(same)
    return parts + added


def table(found: TableComparison, path: str) -> str:
    """Return how two tables differ, a line a row."""
    parts = [f"--- a/{path}\n", f"+++ b/{path}\n"]
    parts += [f"- column {name}\n" for name in found.removed_columns]
    parts += [f"+ column {name}\n" for name in found.added_columns]
    for row in found.rows:
        mark = {"added": "+", "removed": "-", "modified": "@"}[row.change]
        number = row.new_row if row.new_row is not None else row.old_row
        if row.change == "modified":
            values = [f"{v.column}: {v.old} -> {v.new}" for v in row.values]
        else:
            side = "new" if row.change == "added" else "old"
            values = [f"{v.column}: {getattr(v, side)}" for v in row.values]
        parts.append(f"{mark} row {number}  {', '.join(values)}\n")
    left = found.added + found.removed + found.modified - len(found.rows)
    if left:
        parts.append(f"@ and {left:,} more rows\n")
    if found.sampled:
        parts.append("@ only the first rows of the two were compared\n")
    return "".join(parts) if len(parts) > 2 else ""
