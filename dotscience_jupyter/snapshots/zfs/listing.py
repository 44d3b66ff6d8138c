# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which snapshots a volume has, without asking ZFS each time.

``.zfs/snapshot`` names those of the volume itself; names never come back, so what was learnt of one
stays true. For what was received, whoever receives or drops something says so in the store.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import SnapshotError, SnapshotNotFoundError

from . import command, names
from .errors import refused
from .libzfs import Libzfs
from .replicas import Replicas

_ASK = "look for snapshots"
_AUTOMOUNT_TRIES = 50


class Frozen(NamedTuple):
    """A snapshot of ours."""

    id: str
    name: str  # dataset@snapshot
    created: float  # seconds since 1970, by a clock that may have been wrong
    received: bool
    transaction: int  # of the pool, in which it came: tells which of two is the earlier one

    @property
    def dataset(self) -> str:
        """The dataset that it is of."""
        return self.name.partition("@")[0]

    @property
    def short(self) -> str:
        """Its name behind the ``@``."""
        return self.name.partition("@")[2]


class Listing:
    """The snapshots of one volume and its replicas. Thread-safe.

    Parameters
    ----------
    point
        Where the volume is mounted.
    """

    def __init__(self, libzfs: Libzfs, volume: str, point: str, replicas: Replicas) -> None:
        self._libzfs = libzfs
        self._volume = volume
        self._point = point
        self._replicas = replicas
        self._lock = threading.RLock()
        self._found: dict[str, Frozen] = {}  # by name
        self._by_id: dict[str, Frozen] = {}
        self._seen = -1

    def all(self) -> list[Frozen]:
        """Return all snapshots, the oldest first; asks ZFS only if there is something new.

        One that was received although the volume has it is the volume's.
        """
        with self._lock:
            live = self._live()
            state = self._replicas.state()
            if state != self._seen or not live <= self._found.keys():
                self._look()
                self._seen = state
            there = [each for each in self._found.values() if each.received or each.name in live]
            there.sort(key=lambda each: not each.received)
            self._by_id = {each.id: each for each in there}
            return sorted(self._by_id.values(), key=lambda each: (each.transaction, each.name))

    def named(self, snapshots: set[str]) -> list[Frozen]:
        """Return all that have one of these ids, those of which there are two twice."""
        with self._lock:
            self.all()
            return [each for each in self._found.values() if each.id in snapshots]

    def find(self, snapshot: str) -> Frozen | None:
        """Return a snapshot that is there; None where there is none, whatever the string."""
        if not names.is_identity(snapshot):
            return None
        with self._lock:
            found = self._by_id.get(snapshot)
            if found is not None and self._replicas.state() == self._seen:
                # ".zfs/snapshot" lists what is there, but may still find what was there
                if self._libzfs.binding is None:
                    there = found.received or found.name in self._live()
                else:
                    there = self._libzfs.exists(found.name)
                if there:
                    return found
            self.all()
            return self._by_id.get(snapshot)

    def get(self, snapshot: str) -> Frozen:
        """Return a snapshot that is there, or raise SnapshotNotFoundError."""
        found = self.find(snapshot)
        if found is None:
            raise SnapshotNotFoundError(
                f"There is no snapshot {snapshot[:64]!r} in this workspace."
            )
        return found

    def learn(self, name: str, guid: int, transaction: int) -> Frozen:
        """Note a snapshot that was just taken."""
        found = self._frozen(name, guid, transaction)
        with self._lock:
            self._found[name] = found
            self._by_id[found.id] = found
        return found

    def forget(self, name: str) -> None:
        """Note that a snapshot is gone."""
        with self._lock:
            found = self._found.pop(name, None)
            if found is not None and self._by_id.get(found.id) == found:
                del self._by_id[found.id]

    def place(self, found: Frozen) -> str:
        """Return where a snapshot's tree is, or would be if its dataset were mounted."""
        point = self._replicas.place(found.dataset) if found.received else self._point
        return f"{point}/.zfs/snapshot/{found.short}"

    def enter(self, found: Frozen) -> None:
        """Have a snapshot mounted; raise NotMountedError where only root could do that."""
        if found.received:
            self._replicas.mount(found.dataset)
        _automount(self.place(found))

    def _live(self) -> set[str]:
        folder = f"{self._point}/.zfs/snapshot"
        try:
            found = os.listdir(folder)
        except OSError as error:
            raise refused("read its snapshots", folder, error.errno or 0, str(error)) from error
        return {f"{self._volume}@{name}" for name in found if names.is_ours(name)}

    def _look(self) -> None:
        lines = command.table(
            _ASK, self._volume, "list", "-Hp", "-r", "-d", "2", "-t", "snapshot",
            "-o", "name,guid,createtxg", self._volume,
        )  # fmt: skip
        self._found = {}
        for name, guid, transaction in lines:
            dataset, _, short = name.partition("@")
            ours = dataset == self._volume or names.is_replica(dataset, self._volume)
            if ours and names.is_ours(short):
                self._found[name] = self._frozen(name, int(guid), int(transaction))

    def _frozen(self, name: str, guid: int, transaction: int) -> Frozen:
        dataset, _, short = name.partition("@")
        received = dataset != self._volume
        return Frozen(names.identity(guid), name, names.taken(short), received, transaction)


def properties(name: str, wanted: str) -> list[str]:
    """Return properties of a dataset or snapshot, numbers in full, in the order asked for.

    Raises
    ------
    SnapshotError
        If it is not there.
    """
    lines = command.table(_ASK, name, "get", "-Hp", "-o", "value", wanted, name)
    if len(lines) != len(wanted.split(",")):
        raise SnapshotError(f"ZFS does not say what it should of {name}. Nothing was changed.")
    return [line[0] for line in lines]


def _automount(place: str) -> None:
    """Have the kernel mount a snapshot, which it does when somebody enters it.

    Two who enter at once can be told of a loop or a stale place for a moment.
    """
    for _ in range(_AUTOMOUNT_TRIES):
        try:
            os.close(os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            return
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ESTALE, errno.EREMOTE, errno.EBUSY):
                return  # whoever looks at it says why
        time.sleep(0.02)
