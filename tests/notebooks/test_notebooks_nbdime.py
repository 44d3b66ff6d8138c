# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""nbdime's decisions as the measure of ours: the same where it asks nothing, and fewer asked."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime import apply_decisions
from nbdime.merging.notebooks import decide_notebook_merge
from notebook_world import book, code, sources, stream

from dotscience_jupyter.notebooks import merge_notebooks

EXAMPLES = 2000 if os.environ.get("DOTSCIENCE_THOROUGH") else 120

WORDS = ["load the data", "fit a model", "draw curves", "write results", "clean rows"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """nbdime logs each conflict that it leaves in metadata."""
    log = logging.getLogger("nbdime")
    level = log.level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(level)


def made(number: int) -> Any:
    words = WORDS[number]
    first = words.split()[0]
    source = f"# {words}\nvalue_{number} = {number}\nother_{number} = {7 * number}\n{first}()"
    return code(source, stream(f"out {number}\n"), name=f"id-{number}", count=1)


@st.composite
def changed(draw: Any, document: Any, mark: str) -> Any:
    """A side: cells of it changed in one line, removed, added, executed, tagged; none moved."""
    found: list[Any] = []
    for number, cell in enumerate(document["cells"]):
        kind = draw(
            st.sampled_from(["keep", "keep", "line", "line", "remove", "run", "add", "tag"])
        )
        if kind == "line":
            lines = cell["source"].split("\n")
            place = draw(st.integers(0, len(lines) - 1))
            lines[place] = draw(st.sampled_from([f"{lines[place]}  # {mark}", f"{mark}()"]))
            found.append({**cell, "source": "\n".join(lines)})
        elif kind == "run":
            found.append({**cell, "outputs": [stream(f"{mark} {number}\n")], "execution_count": 2})
        elif kind == "tag":
            key = draw(st.sampled_from(["tags", "collapsed"]))
            found.append({**cell, "metadata": {key: [mark]}})
        elif kind == "add":
            # what both sides add is often the same, or alike
            text = draw(
                st.sampled_from(["plt.show()", f"from {mark} import thing\nthing.{mark}()"])
            )
            found += [cell, code(text, name=f"{mark}-{number}")]
        elif kind == "keep":
            found.append(cell)
    return {**document, "cells": found}


def nbdimes(*notebooks: Any) -> list[Any] | None:
    """The cells as nbdime merges them; None where it asks."""
    nodes = [nbformat.from_dict(each) for each in notebooks]  # type: ignore[no-untyped-call]  # nbformat has no types
    decisions = decide_notebook_merge(*nodes)
    if any(each.conflict for each in decisions):
        return None
    cells: list[Any] = apply_decisions(nodes[0], decisions)["cells"]
    return cells


def told(cells: list[Any]) -> list[Any]:
    return [(cell["source"], cell["outputs"], cell["metadata"]) for cell in cells]


def test_where_nbdime_asks_nothing_the_result_is_the_same() -> None:
    agreed = 0

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.data())
    def same(data: Any) -> None:
        nonlocal agreed
        base = book(*(made(number) for number in range(data.draw(st.integers(1, len(WORDS))))))
        yours, theirs = data.draw(changed(base, "yours")), data.draw(changed(base, "theirs"))
        expected = nbdimes(base, yours, theirs)
        if expected is None:
            return
        merged = merge_notebooks(base, yours, theirs)
        assert not merged.conflicts()
        assert told(merged.result(lambda number: None)["cells"]) == told(expected)
        agreed += yours != base != theirs != yours

    same()
    assert agreed > EXAMPLES / 20, "otherwise this has shown nothing"


def test_what_both_added_at_two_places_is_two_cells() -> None:
    first, last = made(0), made(1)
    mine, other = code("plt.show()", name="mine"), code("plt.show()", name="other")
    notebooks = book(first, last), book(first, mine, last), book(first, last, other)
    result = merge_notebooks(*notebooks).result(lambda number: None)
    assert [cell["id"] for cell in result["cells"]] == ["id-0", "mine", "id-1", "other"]
    expected = nbdimes(*notebooks)
    assert expected is not None and told(result["cells"]) == told(expected)


ONE = made(0)


FEWER_QUESTIONS = {
    "both executed it": (
        book(ONE),
        book({**ONE, "outputs": [stream("yours")], "execution_count": 2}),
        book({**ONE, "outputs": [stream("theirs")], "execution_count": 3}),
        [ONE["source"]],
    ),
    "both gave one key of the metadata a value": (
        book(ONE),
        book({**ONE, "metadata": {"name": "yours"}}),
        book({**ONE, "metadata": {"name": "theirs"}}),
        [ONE["source"]],
    ),
    "both added a cell at one place, and they are not alike": (
        book(ONE),
        book(ONE, code("a.long.call(of_mine)", name="m")),
        book(ONE, code("# notes\nwith open('x') as f:\n    f.read()", name="t")),
        [ONE["source"], "a.long.call(of_mine)", "# notes\nwith open('x') as f:\n    f.read()"],
    ),
    "one removed it, the other executed it": (
        book(ONE, made(1)),
        book(made(1)),
        book({**ONE, "outputs": [stream("again")], "execution_count": 2}, made(1)),
        [made(1)["source"]],
    ),
    "one moved it, the other changed it": (
        book(ONE, made(1), made(2)),
        book(made(1), made(2), ONE),
        book({**ONE, "source": ONE["source"] + "\nmore()"}, made(1), made(2)),
        [made(1)["source"], made(2)["source"], ONE["source"] + "\nmore()"],
    ),
}


@pytest.mark.parametrize("what", FEWER_QUESTIONS)
def test_what_nbdime_asks_and_we_do_not(what: str) -> None:
    *notebooks, expected = FEWER_QUESTIONS[what]
    assert nbdimes(*notebooks) is None
    merged = merge_notebooks(*notebooks)
    assert not merged.conflicts()
    assert sources(merged.result(lambda number: None)) == expected
