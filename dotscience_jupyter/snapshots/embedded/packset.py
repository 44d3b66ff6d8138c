# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many packs, and which of them hold an object, at the same price however many they are."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator

from .packs import PREFIX, Pack

_FEW = 4
"""So many packs are asked one after the other at any rate."""
_TAG_BITS = 12
_TAG = (1 << _TAG_BITS) - 1
_NUMBERS = 1 << (32 - _TAG_BITS)


class PackSet:
    """Packs by name. Thread-safe.

    A table of all objects is made when the packs have been asked so often that it would have paid.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Pack] = {}
        self.packs: tuple[Pack, ...] = ()
        self._lock = threading.Lock()
        self._table: _Table | None = None
        self._objects = 0
        self._asked = 0

    def change(self, came: Iterable[Pack] = (), went: Iterable[Pack] = ()) -> None:
        """Add and remove packs."""
        with self._lock:
            packs = self.by_name.copy()
            new = [pack for pack in came if packs.setdefault(pack.name, pack) is pack]
            old = [pack for pack in went if packs.pop(pack.name, None) is not None]
            if not new and not old:
                return
            if self._table is not None and not self._table.change(new, old):
                self._table = None
                self._asked = 0
            self.by_name, self.packs = packs, tuple(packs.values())
            self._objects = sum(map(len, self.packs))

    def places(self, digest: bytes) -> Iterator[tuple[Pack, int]]:
        """Yield each pack that holds an object, and where in its index."""
        for pack in self._candidates(digest):
            at = pack.find(digest)
            if at >= 0:
                yield pack, at

    def first(self, digest: bytes) -> tuple[Pack, int] | None:
        """Return a pack that holds an object, and where in its index; None if there is none."""
        for pack in self._candidates(digest):
            at = pack.find(digest)
            if at >= 0:
                return pack, at
        return None

    def _candidates(self, digest: bytes) -> Iterable[Pack]:
        """Return the packs that may hold an object."""
        packs = self.packs
        if len(packs) <= _FEW:
            return packs
        table = self._table or self._paid_for()
        return packs if table is None else table.candidates(digest)

    def _paid_for(self) -> _Table | None:
        packs = self.packs
        self._asked += len(packs)
        if self._asked < self._objects:
            return None
        table = _Table(packs)
        with self._lock:
            if packs is self.packs:  # and no others came or went meanwhile
                self._table = table
        return table


class _Table:
    """A hash table of four bytes for each object: the pack's number and a few bits of the id.

    Ids are hashes, so their first bits say where to look; what was put where another one is
    follows it.
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        packs = tuple(packs)
        bits = max(8, (2 * sum(map(len, packs))).bit_length())
        self._slots = array("I", bytes(4 << bits))
        self._shift = 64 - bits
        self._mask = (1 << bits) - 1
        self._free = 1 << (bits - 1)
        self._packs: list[Pack | None] = [None]
        self._dead = 0
        for pack in packs:
            self._add(pack)

    def change(self, came: list[Pack], went: list[Pack]) -> bool:
        """Add and remove packs; False if it is better made anew."""
        self._dead += sum(map(len, went))
        if (
            sum(map(len, came)) > self._free
            or self._dead > len(self._slots) // 8
            or len(self._packs) + len(came) >= _NUMBERS
        ):
            return False
        for pack in went:
            self._packs[self._packs.index(pack)] = None
        for pack in came:
            self._add(pack)
        return True

    def _add(self, pack: Pack) -> None:
        number = len(self._packs) << _TAG_BITS
        self._packs.append(pack)
        slots, shift, mask = self._slots, self._shift, self._mask
        for prefix in pack.prefixes:
            slot = prefix >> shift
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = number | (prefix & _TAG)
        self._free -= len(pack)

    def candidates(self, digest: bytes) -> Iterator[Pack]:
        """Yield the packs that may hold an object."""
        prefix: int = PREFIX.unpack_from(digest)[0]
        tag = prefix & _TAG
        slots, mask = self._slots, self._mask
        slot = prefix >> self._shift
        while value := slots[slot]:
            if value & _TAG == tag:
                pack = self._packs[value >> _TAG_BITS]
                if pack is not None:
                    yield pack
            slot = (slot + 1) & mask
