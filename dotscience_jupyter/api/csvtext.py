# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Rows as CSV that every spreadsheet reads, and none runs."""

from __future__ import annotations

from collections.abc import Iterable

from .models.base import Scalar

# what spreadsheets take for the beginning of a formula; OWASP, "CSV Injection"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ODD = frozenset(',"\r\n')


def csv_row(cells: Iterable[Scalar]) -> str:
    """Return one line of RFC 4180, with its end.

    A text that a spreadsheet would take for a formula begins with an apostrophe; numbers stay what
    they are, no value is an empty cell.

    >>> print(csv_row([7, -0.5, "-0.5", None, True, "a, b"]).rstrip())
    7,-0.5,'-0.5,,true,"a, b"
    """
    return ",".join(map(_cell, cells)) + "\r\n"


def _cell(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if value.startswith(_FORMULA) and value != "-inf":
        value = "'" + value
    if not _ODD.isdisjoint(value):
        return '"' + value.replace('"', '""') + '"'
    return value
