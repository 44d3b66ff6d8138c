# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Values with their types, series of values, and paths as text."""

from __future__ import annotations

import os
import sys
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any

_EXACT = {bool: "bool", int: "int", float: "float", type(None): "none"}


def kind_of(value: object, text: str) -> str:
    """Return the type that the text form of a value should be read back as.

    ``str``, ``int``, ``float``, ``bool`` or ``none``. Numbers of other libraries (NumPy's, Decimal)
    count as what their text says they are; whatever does not read back as a number is a ``str``.
    """
    exact = _EXACT.get(type(value))
    if exact is not None:
        return exact
    if isinstance(value, str) or not hasattr(type(value), "__float__"):
        return "str"
    if text in ("True", "False"):
        return "bool"
    for kind, read in (("int", int), ("float", float)):
        try:
            read(text)
        except ValueError:
            continue
        return kind
    return "str"


def path_text(path: object) -> str:
    """Return a path (text, bytes, ``os.PathLike``) as text; other objects as ``str`` does."""
    if isinstance(path, str):
        return path
    if isinstance(path, bytes | os.PathLike):
        return os.fsdecode(path)
    return str(path)


def files_below(path: str) -> list[str]:
    """Return every file below a folder, each as the folder's path with the rest joined to it."""
    return [
        os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names
    ]


class Series:
    """The points of one metric: ``(step, value, time)`` triples in one array of float64.

    One array, because one ``extend`` is one step for every other thread: triples cannot tear.
    """

    __slots__ = ("data", "extend", "name")

    def __init__(self, name: str) -> None:
        # imported here: most programs record no series
        from array import array

        self.name = name
        self.data: array[float] = array("d")
        self.extend: Any = self.data.extend

    def add(self, value: object, step: object) -> object:
        """Add a point, and return the value in the form that its final text is made from.

        Raises
        ------
        TypeError
            If the value or the step is not a number.
        """
        cls = type(value)
        try:
            if cls is float and (type(step) is int or type(step) is float):
                # what nearly every loop records; a step that is no float64 fails before anything
                # is added
                self.extend((step, value, time()))
                return value
            number = float(value)  # type: ignore[arg-type]  # the except says what it is not
            self.extend((float(step), number, time()))  # type: ignore[arg-type]  # as above
        except (TypeError, ValueError, OverflowError):
            raise TypeError(
                f"A metric with a step is a series of numbers, but {self.name!r} was given "
                f"{value!r} at step {step!r}. Leave the step out to record something else."
            ) from None
        if cls is int or cls is bool or cls.__module__ == "numpy":
            # NumPy arrays can change after the fact, NumPy scalars cannot
            return number if hasattr(value, "__setitem__") else value
        return number

    def __len__(self) -> int:
        return len(self.data) // 3

    def copy(self) -> array[float]:
        """Return the points so far, safe from what other threads add meanwhile."""
        return self.data[:]

    def encoded(self) -> dict[str, object]:
        """Return the series as the full record holds it (base64 of little-endian float64)."""
        from binascii import b2a_base64

        data = self.copy()
        if sys.byteorder == "big":
            data.byteswap()
        steps, values, times = (
            b2a_base64(data[offset::3].tobytes(), newline=False).decode() for offset in range(3)
        )
        return {"count": len(data) // 3, "steps": steps, "values": values, "times": times}
