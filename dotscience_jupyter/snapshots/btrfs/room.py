# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much room snapshots take, each alone and all together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

_SEVERAL = -1


@dataclass(slots=True)
class Room:
    """Adds up pieces that several owners may share.

    Attributes
    ----------
    all
        Bytes of all pieces, each counted once.
    """

    all: int = 0
    _total: list[int] = field(default_factory=list)
    _alone: list[int] = field(default_factory=list)
    _owners: dict[Hashable, int] = field(default_factory=dict)

    def add(self, pieces: Iterable[tuple[Hashable, int]]) -> int:
        """Add an owner of pieces (key, bytes), which may come more than once; return its number."""
        owner = len(self._total)
        self._total.append(0)
        self._alone.append(0)
        for key, size in dict(pieces).items():
            self._total[owner] += size
            before = self._owners.get(key)
            if before is None:
                self.all += size
                self._alone[owner] += size
                self._owners[key] = owner
            elif before != _SEVERAL:
                self._alone[before] -= size
                self._owners[key] = _SEVERAL
        return owner

    def of(self, owner: int) -> tuple[int, int]:
        """Return the bytes that an owner has alone, and those that it shares."""
        return self._alone[owner], self._total[owner] - self._alone[owner]
