# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading notebooks: as plain dicts, texts joined, older formats upgraded."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from .values import DamagedError, Document

TYPES = frozenset({"code", "markdown", "raw"})


def read_notebook(data: bytes) -> Document:
    """Return a notebook in format 4; what is checked is what the rest of this room relies on.

    Raises
    ------
    DamagedError
        If it is none.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise DamagedError("it is not valid JSON") from None
    if not isinstance(document, dict):
        raise DamagedError("it is JSON, but not a notebook")
    version = document.get("nbformat")
    if isinstance(version, int) and 1 <= version < 4:
        document = _upgraded(document)
    elif version != 4:
        raise DamagedError("its format is not one that is known")
    if not isinstance(document.setdefault("metadata", {}), dict):
        raise DamagedError("its metadata are not as in a notebook")
    if not isinstance(document.setdefault("nbformat_minor", 0), int):
        raise DamagedError("its format is not one that is known")
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise DamagedError("it has no list of cells")
    for number, cell in enumerate(cells, 1):
        _check(cell, number)
    return dict(document)


def _upgraded(document: Document) -> Document:
    import nbformat

    read: Any = nbformat  # it has no types
    try:
        node = read.convert(read.reader.reads(json.dumps(document)), 4)
        upgraded: Document = json.loads(read.v4.writes_json(node))
    except (nbformat.ValidationError, ValueError, KeyError, TypeError, AttributeError):
        raise DamagedError("it is a notebook of an old format that cannot be upgraded") from None
    for cell in upgraded["cells"]:
        cell.pop("id", None)  # made up by chance, so never the same on two sides
    upgraded["nbformat_minor"] = min(upgraded.get("nbformat_minor", 4), 4)
    return upgraded


def _check(cell: Any, number: int) -> None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in TYPES:
        raise DamagedError(f"its cell {number} is not one")
    source = joined(cell.get("source", ""))
    if not isinstance(source, str) or not isinstance(cell.setdefault("metadata", {}), dict):
        raise DamagedError(f"its cell {number} is damaged")
    cell["source"] = source
    if not isinstance(cell.get("id"), str | None):
        del cell["id"]
    if cell["cell_type"] != "code":
        cell.pop("outputs", None)
        return
    outputs = cell.setdefault("outputs", [])
    if not isinstance(outputs, list):
        raise DamagedError(f"the outputs of its cell {number} are damaged")
    for output in outputs:
        if not isinstance(output, dict) or not isinstance(output.get("output_type"), str):
            raise DamagedError(f"an output of its cell {number} is damaged")
        if "text" in output:
            output["text"] = joined(output["text"])
        data = output.get("data")
        if data is not None and not isinstance(data, dict):
            raise DamagedError(f"an output of its cell {number} is damaged")
        if data is not None:
            output["data"] = {mime: joined(value) for mime, value in data.items()}


def joined(value: Any) -> Any:
    """Return a text that was written as a list of lines as one; anything else as it is."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def identity(value: Any) -> Hashable:
    """Return a number that is the same for equal JSON values, within this process."""
    if isinstance(value, dict):
        return hash(frozenset((key, identity(item)) for key, item in value.items()))
    if isinstance(value, list):
        return hash(tuple(identity(item) for item in value))
    return hash(value)


def plain_output(output: Document, counts: bool = False) -> Document:
    """Return an output without what is not compared: the execution count, unless asked for."""
    if counts or "execution_count" not in output:
        return output
    return {key: value for key, value in output.items() if key != "execution_count"}


def outputs_identity(cell: Document, counts: bool = False) -> Hashable:
    """Return a number that is the same for cells with equal outputs."""
    return identity([plain_output(output, counts) for output in cell.get("outputs", ())])


def language(document: Document) -> str:
    """Return the name of the notebook's language, as CodeMirror may know it."""
    metadata = document["metadata"]
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        part = metadata.get(key)
        if isinstance(part, dict) and isinstance(part.get(name), str):
            return str(part[name])
    return ""


def output_text(output: Document) -> str | None:
    """Return the text of an output that is only text, else None."""
    kind = output["output_type"]
    if kind == "stream":
        text = output.get("text", "")
        return text if isinstance(text, str) else None
    if kind == "error":
        return error_text(output)
    data = output.get("data") or {}
    if set(data) == {"text/plain"} and isinstance(data["text/plain"], str):
        return str(data["text/plain"])
    return None


def error_text(output: Document) -> str:
    """Return the traceback of an error, or its name and message where there is none."""
    traceback = output.get("traceback")
    if isinstance(traceback, list) and traceback:
        return "\n".join(line for line in traceback if isinstance(line, str))
    return f"{output.get('ename', '')}: {output.get('evalue', '')}"
