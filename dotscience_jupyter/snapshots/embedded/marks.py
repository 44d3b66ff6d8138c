# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A byte for each object of some packs: a set of their ids would take a hundred times as much."""

from __future__ import annotations

from collections.abc import Iterable

from .database import MissingObjectError
from .packs import Pack
from .packset import PackSet


class Marks:
    """What somebody notes about objects, 0 at first. Packs that are removed stay known."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs = PackSet()
        self._packs.change(packs)
        self._marks = {pack.name: bytearray(len(pack)) for pack in self._packs.packs}

    def place(self, digest: bytes) -> tuple[Pack, int, bytearray]:
        """Return a pack with an object, its number there, and the marks of that pack.

        It is the same one each time. Raise MissingObjectError where there is none.
        """
        places = list(self._packs.places(digest))
        if not places:
            raise MissingObjectError("A stored object is missing.")
        pack, at = places[0] if len(places) == 1 else min(places, key=lambda place: place[0].name)
        return pack, at, self._marks[pack.name]
