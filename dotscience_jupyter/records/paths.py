# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""Paths of a workspace as text that every database, JSON reader and browser can hold.

A *folder path* is ``str`` as ``os.fsdecode`` makes it: relative to the workspace, ``/`` separated.
On POSIX a name is bytes, and bytes that are not UTF-8 become lone surrogates, which PostgreSQL and
``encodeURIComponent`` refuse. Its *text form* writes each such byte as ``\xNN`` and doubles every
backslash, so the two forms map one to one. Names that no file has but a program may declare are
covered too: NUL is ``\x00``, and a surrogate that stands for no byte is ``\uNNNN``.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile("[\\\\\x00\ud800-\udfff]")
_UNESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})")


def to_text(path: str) -> str:
    r"""Return the text form of a folder path.

    >>> to_text("data/a.csv"), to_text("b\udcff"), to_text("c\\d")
    ('data/a.csv', 'b\\xff', 'c\\\\d')
    """
    return _ESCAPE.sub(_escaped, path)


def from_text(text: str) -> str:
    r"""Return the folder path that a text form stands for; the inverse of :func:`to_text`."""
    return _UNESCAPE.sub(_unescaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\\"):
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape == "\\":
        return "\\"
    code = int(escape[1:], 16)
    return chr(0xDC00 + code) if escape[0] == "x" and code >= 0x80 else chr(code)
