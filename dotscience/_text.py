# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Writing the public text of a run, without importing anything that costs time.

``json`` brings ``re`` with it, which is most of what a first publish in a plain script would
otherwise spend. What is written here is byte for byte what ``json.dumps(..., sort_keys=True)``
writes; a property test holds the two together.
"""

from __future__ import annotations

import os

try:
    from _json import encode_basestring_ascii as quote
except ImportError:  # an interpreter without the C accelerator
    from json.encoder import py_encode_basestring_ascii as quote


class Raw(str):
    """JSON that is written already; put into the output as it is."""

    __slots__ = ()


def dumps(value: object, indent: int = 0, compact: bool = False) -> str:
    """Return a value as JSON with sorted keys, as ``json.dumps`` would.

    Parameters
    ----------
    value
        Nested dictionaries with string keys, lists, tuples, strings, numbers, booleans and None.
        Numbers must be finite.
    indent
        Spaces per level; 0 writes one line.
    compact
        Leave out the spaces after ``,`` and ``:`` (``separators=(",", ":")``).

    Raises
    ------
    TypeError
        If there is anything else in it.
    """
    return _dump(value, indent, "\n", ":" if compact else ": ", "," if compact or indent else ", ")


def _dump(value: object, indent: int, newline: str, colon: str, comma: str) -> str:
    if type(value) is str:  # nearly always
        return quote(value)
    if isinstance(value, Raw):
        return value[:]
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    inner = newline + " " * indent
    if isinstance(value, dict):
        parts = [
            quote(key) + colon + _dump(value[key], indent, inner, colon, comma)
            for key in sorted(value)
        ]
        start, end = "{", "}"
    elif isinstance(value, list | tuple):
        parts = [_dump(item, indent, inner, colon, comma) for item in value]
        start, end = "[", "]"
    else:
        raise TypeError(f"{type(value).__name__} is not JSON")
    if not parts:
        return start + end
    if indent:
        return start + inner + (comma + inner).join(parts) + newline + end
    return start + comma.join(parts) + end


def new_id() -> str:
    """Return a random UUID (version 4) as text; ``uuid`` takes longer to import than to use."""
    data = bytearray(os.urandom(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def block(id: str | None, metadata: dict[str, object]) -> str:
    """Return the public text of a run: the format of 2018, which must never change."""
    return f"[[DOTSCIENCE-RUN:{id}]]{dumps(metadata, indent=4)}[[/DOTSCIENCE-RUN:{id}]]"
