# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A store whose packs are for good somewhere else: its own folder only keeps copies of them then.

Packs never change, so a copy may go at any time and come back when it is read. What is published
here is brought there before a snapshot is held (:meth:`Depot.settle`): what a commit needs is there
when the commit is recorded.

Objects leave a depot in two steps, because others may be writing to it meanwhile who count on them:
a pack without anything needed is *condemned* first. Then it is still read, but nobody relies on it
any more for what is to be stored. Only when it has been condemned for long, and still nothing needs
it, it is deleted.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from dotscience_jupyter.snapshots.engine import CorruptStoreError

from .packs import Handle, Pack, index_of

if TYPE_CHECKING:
    from .store import Store

LOOK_EVERY = 30.0
"""Seconds for which it is believed that nothing came or went."""
LOOK_AGAIN = 0.05
"""The same for one who misses something."""

_ATTEMPTS = 3
_Result = TypeVar("_Result")


class Depot(ABC):
    """Where the packs of one store are for good. Thread-safe; other processes may use it too.

    What needs it while it is out of reach raises UnavailableError.
    """

    def __init__(self) -> None:
        self.on_evicted: Callable[[str], None] = lambda name: None
        """Told of each pack whose copy was removed to make room."""

    @abstractmethod
    def open(self, store: Store) -> None:
        """Belong to a store from now on."""

    @abstractmethod
    def close(self) -> None:
        """Let what is under way end."""

    # -- what is there -------------------------------------------------------------------------

    @abstractmethod
    def look(self, within: float = LOOK_EVERY) -> None:
        """Find out what is there, unless that was done so many seconds ago.

        Never raises UnavailableError: what was known is believed then.
        """

    @property
    @abstractmethod
    def stamp(self) -> int:
        """Another number whenever something came or went."""

    @property
    @abstractmethod
    def is_out_of_reach(self) -> bool:
        """Whether the last look failed, so that there may be more than is known."""

    @abstractmethod
    def packs(self) -> Mapping[str, int]:
        """Return the names and sizes of all packs that are not condemned."""

    @abstractmethod
    def condemned(self) -> Mapping[str, int]:
        """Return the names and sizes of those that are."""

    @abstractmethod
    def is_gone(self, name: str) -> bool:
        """Whether a pack of which there is a copy here is in the depot no more, or condemned."""

    @abstractmethod
    def is_young(self, name: str) -> bool:
        """Whether a pack came so lately that its snapshots may not be recorded yet."""

    @abstractmethod
    def is_recorded(self, snapshot: str) -> bool:
        """Whether a commit needs a snapshot, which then is whole."""

    # -- reading -------------------------------------------------------------------------------

    @abstractmethod
    def tail(self, name: str, size: int, *, anew: bool = False) -> bytes:
        """Return a pack's index with what follows it; see :func:`.packs.index_of`.

        With ``anew`` not what was kept of it here. Raises FileNotFoundError if it is gone.
        """

    @abstractmethod
    def fetch(self, name: str) -> None:
        """Bring a copy of a pack into the store's folder. Raises FileNotFoundError if it is gone.

        One that is there already stays.
        """

    @abstractmethod
    def renew(self, name: str) -> bool:
        """Replace a copy that is damaged; False if there is no other, or that was done before."""

    @abstractmethod
    def part(self, name: str, offset: int, length: int) -> bytes | None:
        """Return some bytes of a pack; None if it is better fetched. Raises as :meth:`fetch`."""

    @abstractmethod
    def used(self, name: str) -> None:
        """Note that the copy of a pack is being read, so that others go before it."""

    # -- writing -------------------------------------------------------------------------------

    @abstractmethod
    def published(self, packs: Iterable[Pack]) -> None:
        """Take notice of packs that were made here; large ones go on their way at once."""

    @abstractmethod
    def settle(self) -> None:
        """Bring everything there that is only here, durably."""

    @abstractmethod
    def supersede(self, names: Iterable[str]) -> None:
        """Delete packs all objects of which are in another one, once that one is there."""

    @abstractmethod
    def condemn(self, names: Iterable[str]) -> None:
        """Condemn packs; what is needed of them is in others that are there."""

    @abstractmethod
    def revive(self, names: Iterable[str]) -> None:
        """Take that back: something needs them."""

    @abstractmethod
    def sort_maps(self, unneeded: Collection[bytes]) -> None:
        """Condemn the maps of these captures, and take it back of all others."""

    @abstractmethod
    def purge(self, began: float) -> None:
        """Delete what was condemned long before a time, and what was left of uploads that were cut.

        ``began`` is when it was found out what is needed, seconds since the epoch.
        """


class DepotPack(Pack):
    """A pack of a depot, whether there is a copy of it here or not."""

    depot: Depot

    @classmethod
    def of(cls, pack: Pack, depot: Depot) -> DepotPack:
        """Return what a pack of the store's folder is as one of the depot."""
        self = cls(pack.path, pack.size, pack._columns, pack.damage)
        self.depot = depot
        return self

    @classmethod
    def load_from(cls, path: str, size: int, depot: Depot) -> DepotPack:
        """Read a pack's index, from its copy if there is one.

        Raises
        ------
        FileNotFoundError
            If it is gone.
        UnavailableError
            If its index is not at hand, and the depot is out of reach.
        """
        name = os.path.basename(path)
        if not os.path.exists(path):
            for anew in (False, True):
                try:
                    columns = index_of(depot.tail(name, size, anew=anew), size)
                except CorruptStoreError:
                    continue
                return cls.of(Pack(path, size, columns), depot)
            depot.fetch(name)
        pack = Pack.load(path)
        if pack.damage and depot.renew(name):
            pack = Pack.load(path)
        return cls.of(pack, depot)

    def _fd(self) -> Handle:
        handle = self._handle
        if handle is not None:
            return handle
        for attempt in range(_ATTEMPTS):
            try:
                handle = self._handle = Handle(self.path)
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self.depot.fetch(self.name)  # and it may go again before it is opened
            else:
                break
        assert handle is not None
        return handle

    def _pread(self, offset: int, length: int) -> bytes:
        if self._handle is None and not os.path.exists(self.path):
            found = self.depot.part(self.name, offset, length)
            if found is not None:
                return found
        return super()._pread(offset, length)

    def _read(self, at: int) -> tuple[bytes, bytes]:
        return self._sound(lambda: super(DepotPack, self)._read(at))

    def check(self, at: int) -> None:
        """Raise CorruptStoreError if an object is damaged in the depot as well."""
        self._sound(lambda: super(DepotPack, self).check(at))

    def check_frame(self) -> None:
        """Raise CorruptStoreError if what is not an object is damaged in the depot as well."""
        self._sound(super().check_frame)

    def _sound(self, work: Callable[[], _Result]) -> _Result:
        """Do something that reads, once more with another copy if this one is damaged."""
        try:
            return work()
        except CorruptStoreError:
            if not self.depot.renew(self.name):
                raise
            self.forget_handle()
            return work()
