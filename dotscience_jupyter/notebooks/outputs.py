# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How the outputs of a cell differ, and their large parts."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from .documents import identity, joined, output_text, plain_output
from .sequences import gaps, matches
from .texts import compare_text
from .values import Blob, CellOutput, Document, OutputPair, Place

LARGE = 8 * 1024
"""Characters up to which a part of an output is sent with a comparison."""

TEXT = "text/plain"


def pair_outputs(
    old: Sequence[Document],
    new: Sequence[Document],
    counts: bool,
    where: tuple[tuple[Place, int], tuple[Place, int]],
    context: int = 3,
) -> list[OutputPair]:
    """Compare the outputs of a cell; ``where`` is the notebook and the cell's index, of each side.

    Those that are the same are not given, only counted by their pairs. ``context`` is how many
    unchanged lines of texts are kept around changed ones.
    """
    keys = [[identity(plain_output(o, counts)) for o in outputs] for outputs in (old, new)]
    found: list[OutputPair] = []
    i, j = 0, 0
    same = matches(*keys)
    between = {(gap[0], gap[2]): gap for gap in gaps(same, len(old), len(new))}
    for a, b, count in (*same, (len(old), len(new), 0)):
        if (i, j) in between:
            found += _changed(old, new, between[i, j], where, context)
        found += [OutputPair("same") for _ in range(count)]
        i, j = a + count, b + count
    return found


def _changed(
    old: Sequence[Document],
    new: Sequence[Document],
    gap: tuple[int, int, int, int],
    where: tuple[tuple[Place, int], tuple[Place, int]],
    context: int,
) -> list[OutputPair]:
    i, i1, j, j1 = gap
    found: list[OutputPair] = []
    while i < i1 or j < j1:
        before = without_large(old[i], where[0], i) if i < i1 else None
        after = without_large(new[j], where[1], j) if j < j1 else None
        if before is not None and after is not None:
            if _kind(old[i]) == _kind(new[j]):
                a, b = output_text(old[i]), output_text(new[j])
                text = None if a is None or b is None else compare_text(a, b, context, 2000)
                found.append(OutputPair("modified", before, after, text))
                i, j = i + 1, j + 1
            elif _kind(old[i]) in (_kind(each) for each in new[j:j1]):
                found.append(OutputPair("added", None, after))
                j += 1
            else:
                found.append(OutputPair("removed", before, None))
                i += 1
        elif before is not None:
            found.append(OutputPair("removed", before, None))
            i += 1
        else:
            found.append(OutputPair("added", None, after))
            j += 1
    return found


def _kind(output: Document) -> tuple[str, str]:
    """Return what outputs have in common that show the same thing."""
    kind = output["output_type"]
    if kind in ("display_data", "execute_result"):
        return "data", ""
    return kind, str(output.get("name", ""))


def without_large(output: Document, where: tuple[Place, int], index: int) -> CellOutput:
    """Return an output whose large parts are taken out, and where they are."""
    place, cell = where
    slim = dict(output)
    blobs: list[Blob] = []

    def take(mime: str, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        digest = blake3(data).hexdigest()
        blobs.append(Blob(place.ref, place.path, cell, index, mime, digest, len(data)))

    data = output.get("data")
    if isinstance(data, dict):
        slim["data"] = dict(data)
        for mime, value in data.items():
            text = _as_text(value)
            if len(text) > LARGE:
                del slim["data"][mime]
                take(mime, text)
    elif (whole := output_text(output)) is not None and len(whole) > LARGE:
        if "text" in slim:
            slim["text"] = whole[:LARGE]
        if "traceback" in slim:
            slim["traceback"] = [whole[:LARGE]]
        take(TEXT, whole)
    return CellOutput(slim, blobs)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def blob(cells: Sequence[Document], cell: int, output: int, mime: str) -> tuple[bytes, str] | None:
    """Return a part of an output and the digest under which it was told of, or None.

    Images other than SVG are decoded; all else is UTF-8.
    """
    if not (0 <= cell < len(cells) and 0 <= output < len(cells[cell].get("outputs", ()))):
        return None
    found = cells[cell]["outputs"][output]
    data = found.get("data")
    if isinstance(data, dict):
        if mime not in data:
            return None
        text = _as_text(joined(data[mime]))
    elif mime == TEXT and (whole := output_text(found)) is not None:
        text = whole
    else:
        return None
    content = text.encode("utf-8", "surrogatepass")
    digest = blake3(content).hexdigest()
    if mime.startswith("image/") and mime != "image/svg+xml":
        try:
            content = base64.b64decode(b"".join(content.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
    return content, digest
