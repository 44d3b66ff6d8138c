# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Notebooks with runs in the public text format."""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

import nbformat

# a million bytes that nothing compresses, the same each time
DIGITS = random.Random(1).randbytes(1_000_000)


def run_text(run_id: str | None = None, **fields: Any) -> tuple[str, str]:
    """Return a run's id and its block of the public text format."""
    run_id = run_id or str(uuid.uuid4())
    body = {
        "version": "1",
        "input": [],
        "output": [],
        "labels": {},
        "summary": {},
        "parameters": {},
        "start": "20240102T030405.000001",
        "end": "20240102T030406.000001",
    } | fields
    text = json.dumps(body, sort_keys=True, indent=4)
    return run_id, f"[[DOTSCIENCE-RUN:{run_id}]]{text}[[/DOTSCIENCE-RUN:{run_id}]]\n"


def notebook(*texts: str) -> dict[str, Any]:
    """Return a notebook with a cell for each text that was printed."""
    cells = []
    for count, text in enumerate(texts, 1):
        output = nbformat.v4.new_output("stream", name="stdout", text=text)
        cells.append(nbformat.v4.new_code_cell("...", outputs=[output], execution_count=count))
    return nbformat.v4.new_notebook(cells=cells)
