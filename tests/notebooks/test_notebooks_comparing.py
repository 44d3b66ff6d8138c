# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Notebooks: which cell is which, and what of it differs."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_world import book, books, code, display, edited, markdown, raw, stream

from dotscience_jupyter.notebooks import (
    DamagedError,
    Options,
    Place,
    blob,
    compare_notebooks,
    notebook_counts,
    read_notebook,
)
from dotscience_jupyter.notebooks.alignment import align

PLACES = (Place("old", "a.ipynb"), Place("new", "b.ipynb"))


def compare(old: Any, new: Any, **options: Any) -> Any:
    return compare_notebooks(old, new, Options(**options), PLACES)


def told(found: Any) -> list[tuple[str, int | None, int | None, int]]:
    return [(c.change, c.old_index, c.new_index, c.count) for c in found.cells]


@given(st.data())
def test_every_cell_is_told_once(data: Any) -> None:
    old = data.draw(books())
    new = data.draw(edited(old, "new"))
    found = compare(old, new)
    seen_old, seen_new = [], []
    for cell in found.cells:
        if cell.old_index is not None:
            seen_old += range(cell.old_index, cell.old_index + cell.count)
        if cell.new_index is not None:
            seen_new += range(cell.new_index, cell.new_index + cell.count)
    assert seen_new == list(range(len(new["cells"])))
    assert sorted(seen_old) == list(range(len(old["cells"])))
    assert compare(old, old).cells == ([] if not old["cells"] else compare(old, old).cells[:1])


@given(st.data())
def test_cells_are_matched_once_and_in_order(data: Any) -> None:
    old = data.draw(books())
    new = data.draw(edited(old, "new"))
    found = align(old["cells"], new["cells"])
    assert found.pairs == sorted(found.pairs, key=lambda pair: pair[1])
    every = [*found.pairs, *found.moved]
    assert len({i for i, _ in every}) == len({j for _, j in every}) == len(every)


def test_ids_and_counts_are_ignored_unless_asked_for() -> None:
    old = book(code("x", display(1, text_plain="1"), name="a", count=1))
    new = book(code("x", display(7, text_plain="1"), name="b", count=7))
    assert told(compare(old, new)) == [("folded", 0, 0, 1)]
    [cell] = compare(old, new, counts=True).cells
    assert (cell.change, cell.old_count, cell.new_count) == ("modified", 1, 7)
    assert [pair.change for pair in cell.outputs] == ["modified"]


def test_unchanged_cells_are_folded_together() -> None:
    cells = [code(f"x{n}", name=f"c{n}") for n in range(6)]
    new = [*cells[:2], {**cells[2], "source": "y"}, *cells[3:]]
    assert told(compare(book(*cells), book(*new))) == [
        ("folded", 0, 0, 2),
        ("modified", 2, 2, 1),
        ("folded", 3, 3, 3),
    ]


def test_a_cell_that_moved() -> None:
    a, b, c = code("first one", name="a"), code("second one", name="b"), code("third one", name="c")
    found = compare(book(a, b, c), book(b, c, a))
    assert told(found) == [("folded", 1, 0, 2), ("moved", 0, 2, 1)]
    assert found.cells[1].source.rows[0].change == "same"
    # also by its source alone
    del a["id"]
    found = compare(book(a, b, c, minor=4), book(b, c, a, minor=4))
    assert [cell.change for cell in found.cells] == ["folded", "moved"]


def test_cells_without_ids_are_matched_by_likeness() -> None:
    old = book(code("import numpy\nx = numpy.ones(3)\nprint(x)"), minor=4)
    new = book(
        code("%matplotlib inline"), code("import numpy\nx = numpy.ones(4)\nprint(x)"), minor=4
    )
    assert [cell.change for cell in compare(old, new).cells] == ["added", "modified"]


def test_many_changed_cells_without_ids() -> None:
    def cells(value: str) -> list[Any]:
        return [code(f"name_{n} = load({n})\nshow_{n}()\n{value}") for n in range(60)]

    found = compare(book(*cells("old"), minor=4), book(*cells("new"), minor=4))
    assert {cell.change for cell in found.cells} == {"modified"}


def test_long_cells_that_are_hardly_alike_take_no_long_time() -> None:
    chance = random.Random(1)

    def cells(length: int) -> list[Any]:
        return [code("".join(chance.choices("ab\n", k=length))) for _ in range(20)]

    started = time.perf_counter()
    compare(book(*cells(4000), minor=4), book(*cells(4000), minor=4))
    compare(book(*cells(60), minor=4), book(*cells(60), minor=4))
    # all pairs in full would take half an hour
    assert time.perf_counter() - started < 30
    long = [f"row_{n} = load({n})\n" for n in range(500)]
    other = [*long[:100], "new = 1\n", *long[105:]]
    [cell] = compare(book(code("".join(long)), minor=4), book(code("".join(other)), minor=4)).cells
    assert cell.change == "modified"


def test_what_outputs_differ() -> None:
    same = display(image_png="A" * 9000)
    old = book(code("x", stream("1\n"), same, display(text_plain="a"), name="a"))
    new = book(code("x", stream("2\n"), same, name="a"))
    [cell] = compare(old, new).cells
    assert [pair.change for pair in cell.outputs] == ["modified", "same", "removed"]
    assert cell.outputs[1].old is None and cell.outputs[1].new is None
    assert [row.change for row in cell.outputs[0].text.rows] == ["removed", "added"]
    assert told(compare(old, new, outputs=False)) == [("folded", 0, 0, 1)]


def test_more_lines_of_a_printed_text_can_be_had() -> None:
    log = "".join(f"step {n}\n" for n in range(30))
    old, new = (book(code("x", stream(f"{log}{n}\n"), name="a")) for n in (1, 2))
    for context, kept in ((3, 3), (1000, 30)):
        [cell] = compare(old, new, context=context).cells
        rows = cell.outputs[0].text.rows
        assert [row.change for row in rows].count("same") == kept


def test_large_parts_are_taken_out_and_can_be_asked_for() -> None:
    picture = base64.b64encode(b"P" * 9000).decode()
    page, data = "<b>é</b>" * 2000, {"x": ["y"] * 4000}
    output = display(image_png=picture, text_html=page, application_json=data, text_plain="p")
    new = book(code("x", stream("s" * 9000), output, name="a"))
    [cell] = compare(book(code("x", name="a")), new).cells
    log, shown = (pair.new for pair in cell.outputs)
    assert shown.output["data"] == {"text/plain": "p"}
    assert len(log.output["text"]) == 8192 and [b.mime for b in log.blobs] == ["text/plain"]
    found = {}
    for each in (*log.blobs, *shown.blobs):
        content = blob(new["cells"], each.cell, each.output, each.mime)
        assert content is not None and content[1] == each.digest
        assert (each.ref, each.path) == ("new", "b.ipynb")
        found[each.mime] = content[0]
    assert found == {
        "text/plain": b"s" * 9000,
        "image/png": b"P" * 9000,
        "text/html": page.encode(),
        "application/json": json.dumps(data).encode(),
    }
    for wrong in ((1, 0, "text/plain"), (0, 5, "x"), (0, 1, "image/gif"), (-1, 0, "text/plain")):
        assert blob(new["cells"], *wrong) is None
    broken = book(code("x", display(image_png="no base64!")))
    assert blob(broken["cells"], 0, 0, "image/png") is None


def test_metadata_and_attachments() -> None:
    old = book(markdown("![](a.png)", "a", attachments={"a.png": {"image/png": "A" * 5000}}))
    new = book(markdown("![](a.png)", "a", attachments={"a.png": {"image/png": "B" * 5000}}), k=1)
    [cell] = compare(old, new).cells
    assert cell.change == "modified" and "digest" in str(cell.metadata) and "AAAA" not in str(cell)
    old["cells"][0] = {**new["cells"][0], "metadata": {"tags": ["x"]}}
    assert told(compare(old, new)) == [("folded", 0, 0, 1)]
    found = compare(old, new, metadata=True)
    assert found.cells[0].change == "modified" and found.metadata.added > 0


def test_a_type_that_was_changed() -> None:
    [cell] = compare(book(code("# t", name="a")), book(markdown("# t", "a"))).cells
    assert (cell.change, cell.type) == ("modified", "markdown")
    assert [row.change for row in cell.metadata.rows if row.change != "same"] == ["modified"]


def test_one_side_only() -> None:
    new = book(code("x", stream("1")), markdown("y"), language_info={"name": "python"})
    found = compare(None, new)
    assert [cell.change for cell in found.cells] == ["added", "added"]
    assert (found.added, found.removed, found.language) == (2, 0, "python")
    assert [cell.change for cell in compare(new, None).cells] == ["removed", "removed"]


def test_counts_of_a_list() -> None:
    old = book(code("a", name="a"), code("b", name="b"), code("c", name="c"))
    new = book(code("a", name="a"), code("b2", name="b"), code("c", name="c"), code("d", name="d"))
    assert notebook_counts(old, new) == (2, 1)
    assert notebook_counts(None, new) == (4, 0)


def test_what_a_person_cannot_wait_for_ends() -> None:
    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        compare_notebooks(book(code("a")), book(code("b")), Options(), PLACES, check)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"nbformat": 5, "cells": []}',
        b'{"nbformat": 4}',
        b'{"nbformat": 4, "cells": [1]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "other", "source": ""}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": [3]}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": {}}]}',
        b'{"nbformat": 4, "cells": [], "metadata": []}',
        b'{"nbformat": 3, "worksheets": 5}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read_notebook(data)


def test_what_others_write_is_read() -> None:
    document = book(code("x"))
    document["cells"][0] |= {"source": ["a\n", "b"], "outputs": [display(text_plain=["1\n", "2"])]}
    del document["cells"][0]["metadata"]
    [cell] = read_notebook(json.dumps(document).encode())["cells"]
    assert cell["source"] == "a\nb" and cell["outputs"][0]["data"]["text/plain"] == "1\n2"


def test_old_formats_are_upgraded() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": ["Title"], "metadata": {}},
                    {
                        "cell_type": "code",
                        "input": ["x = 1"],
                        "outputs": [{"output_type": "stream", "stream": "stdout", "text": ["1"]}],
                        "prompt_number": 3,
                        "language": "python",
                        "collapsed": False,
                        "metadata": {},
                    },
                ]
            }
        ],
    }
    document = read_notebook(json.dumps(old).encode())
    assert [cell["source"] for cell in document["cells"]] == ["## Title", "x = 1"]
    new = read_notebook(raw(markdown("## Title"), code("x = 1", stream("1"), count=3)))
    assert [cell.change for cell in compare(document, new).cells] == ["folded"]


def test_nbdime_is_imported_only_where_it_is_needed() -> None:
    program = """
import sys
from dotscience_jupyter.notebooks import *
import dotscience_jupyter.api.service, dotscience_jupyter.cli.diff
one = {"cells": [{"cell_type": "code", "id": "a", "source": "x", "outputs": [], "metadata": {}}],
       "metadata": {}, "nbformat_minor": 5}
two = {**one, "cells": [{**one["cells"][0], "source": "y"}]}
compare_notebooks(one, two, Options(), (Place("", ""), Place("", "")))
sys.exit("nbdime" in sys.modules or "nbformat" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_nbdimes_own_settings_do_not_matter() -> None:
    from nbdime.diffing.notebooks import reset_notebook_differ, set_notebook_diff_targets

    old = book(code("a\nb", stream("1")), minor=4)
    new = book(code("a\nc", stream("2")), minor=4)
    expected = compare(old, new)
    try:
        set_notebook_diff_targets(sources=False, outputs=False, metadata=False)
        assert compare(old, new) == expected
    finally:
        reset_notebook_differ()
