# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Notebooks for tests, by hand and at random."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

Cell = dict[str, Any]


def code(source: str, *outputs: Cell, name: str | None = None, count: int | None = None) -> Cell:
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}
    cell["execution_count"] = count
    return cell if name is None else {**cell, "id": name}


def markdown(source: str, name: str | None = None, **fields: Any) -> Cell:
    cell = {"cell_type": "markdown", "metadata": {}, "source": source, **fields}
    return cell if name is None else {**cell, "id": name}


def stream(text: str) -> Cell:
    return {"output_type": "stream", "name": "stdout", "text": text}


def display(count: int | None = None, **data: Any) -> Cell:
    found = {name.replace("_", "/", 1): value for name, value in data.items()}
    if count is None:
        return {"output_type": "display_data", "data": found, "metadata": {}}
    return {
        "output_type": "execute_result",
        "data": found,
        "metadata": {},
        "execution_count": count,
    }


def book(*cells: Cell, minor: int = 5, **metadata: Any) -> Cell:
    made = []
    for number, cell in enumerate(cells):
        made.append(cell if "id" in cell or minor < 5 else {**cell, "id": f"auto-{number}"})
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def raw(*cells: Cell, **fields: Any) -> bytes:
    return json.dumps(book(*cells, **fields)).encode()


def sources(document: Cell) -> list[str]:
    return [cell["source"] for cell in document["cells"]]


lines = st.sampled_from(["a = 1", "b = 2", "", "print(a)", "é 😀", "for x in y:", "    pass"])
texts = st.lists(lines, max_size=5).map("\n".join)
outputs = st.lists(
    st.one_of(
        st.sampled_from(["1\n", "2\n"]).map(stream),
        st.sampled_from(["x", "y"]).map(lambda text: display(text_plain=text)),
    ),
    max_size=2,
)


@st.composite
def cells(draw: Any) -> Cell:
    if draw(st.booleans()):
        return code(draw(texts), *draw(outputs), count=draw(st.sampled_from([None, 1, 2])))
    return markdown(draw(texts))


@st.composite
def books(draw: Any) -> Cell:
    made = draw(st.lists(cells(), max_size=6))
    return book(*({**cell, "id": f"id-{n}"} for n, cell in enumerate(made)))


@st.composite
def edited(draw: Any, document: Cell, mark: str) -> Cell:
    """The notebook after some edits: cells changed, removed, added, moved, executed."""
    made = [dict(cell) for cell in document["cells"]]
    for step in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["change", "remove", "add", "move", "execute"]))
        place = draw(st.integers(0, max(0, len(made) - 1)))
        if kind == "add" or not made:
            made.insert(place, {**draw(cells()), "id": f"{mark}-{step}"})
        elif kind == "change":
            made[place] = {**made[place], "source": draw(texts)}
        elif kind == "remove":
            del made[place]
        elif kind == "move":
            cell = made.pop(place)
            made.insert(draw(st.integers(0, len(made))), cell)
        elif made[place]["cell_type"] == "code":
            made[place] = {**made[place], "outputs": draw(outputs), "execution_count": step}
    return {**document, "cells": made}
