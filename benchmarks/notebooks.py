# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What comparing and merging notebooks, texts and tables takes, beside nbdime's own difference.

    python benchmarks/notebooks.py [--repeats N] [--json FILE]

``answer`` is all that the server does for one file: find the moments, read the store, parse,
compare, make the JSON. ``compare`` is parsing and comparing; nbdime's figure is parsing with
``nbformat.reads`` and ``diff_notebooks``. Figures are medians.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
from _table import describe, machine, markdown, median, seconds, write_json
from nbdime import diff_notebooks, merge_notebooks

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.notebooks import (
    Options,
    Place,
    compare_notebooks,
    compare_tables,
    compare_text,
    read_notebook,
)
from dotscience_jupyter.notebooks import merge_notebooks as merge
from dotscience_jupyter.records import Workspace

PLACES = (Place("a", "n"), Place("b", "n"))
CHANCE = random.Random(1)


def book(cells: int, text: int, images: int = 0, image: int = 600_000) -> dict[str, Any]:
    made = []
    for number in range(cells):
        outputs = [nbformat.v4.new_output("stream", text=f"step {number}\n" + "x" * text)]
        if number < images:
            picture = {"image/png": "".join(CHANCE.choices("ABCDEFGH", k=64)) * (image // 64)}
            outputs.append(nbformat.v4.new_output("display_data", data=picture))
        source = (
            f"# part {number}\nvalue_{number} = load({number})\nprint(value_{number})\n" + "y\n" * 5
        )
        made.append(nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=number))
    return dict(nbformat.v4.new_notebook(cells=made))


def changed(document: dict[str, Any], every: int, mark: str = "") -> dict[str, Any]:
    found = copy.deepcopy(document)
    for number in range(0, len(found["cells"]), every):
        cell = found["cells"][number]
        cell["source"] = cell["source"].replace("load(", f"load{mark}(")
        cell["outputs"][0]["text"] += "more\n"
    return found


def without_ids(document: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(document)
    for cell in found["cells"]:
        cell["id"] = f"{CHANCE.getrandbits(32):08x}"
    return found


def took(repeats: int, function: Callable[[], Any]) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return median(times)


def ours(old: bytes, new: bytes) -> None:
    compare_notebooks(read_notebook(old), read_notebook(new), Options(), PLACES)


def nbdimes(old: bytes, new: bytes) -> None:
    diff_notebooks(nbformat.reads(old.decode(), 4), nbformat.reads(new.decode(), 4))


def answer(service: WorkspaceService, root: Path, old: bytes, new: bytes) -> Callable[[], Any]:
    (root / "n.ipynb").write_bytes(old)
    first = service.commit("old").commit
    (root / "n.ipynb").write_bytes(new)
    second = service.commit("new").commit
    assert first is not None and second is not None
    return lambda: service.comparison.compare_file(first.id, second.id, "n.ipynb").model_dump_json()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    repeats = arguments.repeats
    small, large, heavy = book(200, 9500), book(500, 2000), book(50, 500, 50)
    cases = [
        ("200 cells, 2 MB, 2 changed", small, changed(small, 100), "60 ms"),
        ("500 cells, 1 MB, 100 changed", large, changed(large, 5), "250 ms"),
        ("the same, all ids new", large, without_ids(changed(large, 5)), "-"),
        ("50 cells, 30 MB of images, 2 changed", heavy, changed(heavy, 25), "1 s"),
    ]
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        Workspace.create(root)
        with closing(WorkspaceService.open(root)) as service:
            for name, old, new, goal in cases:
                a, b = json.dumps(old).encode(), json.dumps(new).encode()
                found = {
                    "answer": took(repeats, answer(service, root, a, b)),
                    "compare": took(repeats, lambda: ours(a, b)),  # noqa: B023 - called at once
                    "nbdime": took(min(3, repeats), lambda: nbdimes(a, b)),  # noqa: B023 - as above
                }
                figures[name] = found
                rows.append([name, *(seconds(value) for value in found.values()), goal])
    print(describe(machine()), "\n")
    print(markdown(["difference of notebooks", "answer", "compare", "nbdime", "goal"], rows), "\n")
    mine, other = changed(large, 5, "_mine"), changed(large, 7, "_theirs")
    nodes = [nbformat.from_dict(each) for each in (large, mine, other)]
    rows = []
    for name, work in (
        ("merge, 500 cells, 100 and 72 changed", lambda: merge(large, mine, other)),
        ("the same by nbdime", lambda: merge_notebooks(*nodes)),
    ):
        figures[name] = {"merge": took(min(3, repeats), work)}
        rows.append([name, seconds(figures[name]["merge"])])
    lines = [f"line {number} {CHANCE.random()}" for number in range(100_000)]
    others = [f"{line}!" if CHANCE.random() < 0.02 else line for line in lines]
    text = ["\n".join(each) for each in (lines, others)]
    table = "id,x,y\n" + "".join(f"{n},{CHANCE.random()},a\n" for n in range(200_000))
    for name, work in (
        ("text of 100,000 lines, 2,000 changed", lambda: compare_text(*text)),
        (
            "table of 200,000 rows, 20,000 changed",
            lambda: compare_tables(table.encode(), table.replace("7,a", "7,b").encode(), "t.csv"),
        ),
    ):
        figures[name] = {"compare": took(min(3, repeats), work)}
        rows.append([name, seconds(figures[name]["compare"])])
    print(markdown(["beyond notebooks", "median"], rows))
    if arguments.json:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
