# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets below a volume in which received snapshots are.

A replica is never mounted by ZFS itself (``canmount=noauto``), because it would be inside the live
folder; it is mounted read-only in the store when one of its snapshots is to be read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dotscience_jupyter.snapshots.embedded.store import Store, writing
from dotscience_jupyter.snapshots.engine import SnapshotError

from . import command, names
from .errors import ZfsError
from .libzfs import Libzfs
from .transfer import Token

KEPT_SECONDS = 7 * 86400.0
"""Seconds for which what arrived of a transfer that was cut is kept."""

_ASK = "look for received snapshots"


class NotMountedError(SnapshotError):
    """A received snapshot cannot be read, because this user may not mount it."""


class Partial(NamedTuple):
    """A transfer that was cut."""

    dataset: str
    token: str
    snapshot: str  # the id of what was being received


class Replicas:
    """The received snapshots of one volume."""

    def __init__(self, libzfs: Libzfs, volume: str, store: Store) -> None:
        self._libzfs = libzfs
        self.volume = volume
        self._store = store
        self._places = f"{store.folder}/received"
        self._mounting = threading.Lock()
        with writing(store.folder):
            os.makedirs(self._places, exist_ok=True)

    def properties(self) -> dict[str, str]:
        """Return the properties that a replica is made with."""
        return {"canmount": "noauto", "readonly": "on", "mountpoint": "none"}

    # -- what there is -------------------------------------------------------------------------

    def state(self) -> int:
        """Return what changes whenever :meth:`changed` was called, in any process."""
        return os.stat(self._places).st_mtime_ns

    def changed(self) -> None:
        """Tell every engine on this store to look anew which snapshots were received."""
        with writing(self._store.folder):
            os.utime(self._places)

    def _all(self) -> list[tuple[str, str]]:
        """Return the datasets and the tokens of what is arriving in them, "-" if nothing is."""
        lines = command.table(
            _ASK, self.volume, "list", "-H", "-d", "1", "-t", "filesystem",
            "-o", "name,receive_resume_token", self.volume,
        )  # fmt: skip
        return [(name, token) for name, token in lines if names.is_replica(name, self.volume)]

    def datasets(self) -> list[str]:
        """Return the datasets, also those in which nothing is yet."""
        return [dataset for dataset, _ in self._all()]

    def partials(self) -> list[Partial]:
        """Return the transfers that were cut and can go on."""
        found: list[Partial] = []
        for dataset, token in self._all():
            said = Token.parse(token)
            if said is not None:
                found.append(Partial(dataset, token, said.snapshot))
        return found

    def newest(self, dataset: str) -> str:
        """Return the full name of a dataset's newest snapshot; "" if it has none."""
        lines = command.table(
            _ASK, dataset, "list", "-H", "-d", "1", "-t", "snapshot", "-s", "createtxg",
            "-o", "name", dataset,
        )  # fmt: skip
        return lines[-1][0] if lines else ""

    # -- reading -------------------------------------------------------------------------------

    def place(self, dataset: str) -> str:
        """Return where a replica is mounted, or would be."""
        mounted = names.mount_point(dataset)
        return mounted or f"{self._places}/{dataset.rpartition('/')[2]}"

    def mount(self, dataset: str) -> None:
        """Mount a replica if it is not. Raise NotMountedError where only root could."""
        with self._mounting:
            if names.mount_point(dataset):
                return
            place = self.place(dataset)
            if os.geteuid():
                raise NotMountedError(
                    f"The snapshot was received into {dataset}, which is not mounted, and on Linux "
                    "only root may mount. Nothing is lost; the snapshot is there whole, and can be "
                    f"sent on. To read it here, as root run: mkdir -p {place} && mount -t zfs -o "
                    f"zfsutil,ro {dataset} {place}"
                )
            with writing(self._store.folder):
                os.makedirs(place, exist_ok=True)
            options = "zfsutil,ro,nosuid,nodev,noexec"
            done = subprocess.run(
                ["mount", "-t", "zfs", "-o", options, dataset, place],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**os.environ, "LC_ALL": "C"},
            )
            # another process may have been first
            if done.returncode and not names.mount_point(dataset):
                said = done.stderr.decode("utf-8", "replace").strip()
                raise NotMountedError(
                    f"The snapshot was received into {dataset}, which could not be mounted: {said}."
                    " Nothing is lost."
                )

    # -- looking after them --------------------------------------------------------------------

    @contextlib.contextmanager
    def receiving(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold off those who would take a dataset that is being filled for a leftover.

        With ``wait=False`` be such a one; yields False where somebody is receiving.
        """
        with writing(self._store.folder):
            path = f"{self._store.folder}/receiving.lock"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if wait:
                fcntl.flock(fd, fcntl.LOCK_SH)
                yield True
            else:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
                yield True
        finally:
            os.close(fd)

    def abandon(self, partial: Partial) -> None:
        """Drop what arrived of a transfer; the dataset goes if it was made for it."""
        command.run("drop what was received", partial.dataset, "receive", "-A", partial.dataset)

    def drop_abandoned(self, arrived: Mapping[str, float]) -> None:
        """Drop what arrived of transfers that nobody went on with, unless something is arriving.

        Parameters
        ----------
        arrived
            When something of each snapshot came last, seconds since 1970.
        """
        with self.receiving(wait=False) as alone:
            for partial in self.partials() if alone else ():
                if time.time() - arrived.get(partial.snapshot, 0.0) > KEPT_SECONDS:
                    with contextlib.suppress(ZfsError):
                        self.abandon(partial)

    def drop_empty(self) -> None:
        """Destroy the datasets in which nothing is (any more), unless something is arriving."""
        with self.receiving(wait=False) as alone:
            if not alone:
                return
            lines = command.table(
                _ASK, self.volume, "list", "-H", "-d", "2", "-t", "snapshot", "-o", "name",
                self.volume,
            )  # fmt: skip
            full = {name.partition("@")[0] for (name,) in lines}
            for dataset, arriving in self._all():
                if arriving == "-" and dataset not in full:
                    with contextlib.suppress(ZfsError):
                        self._libzfs.destroy(dataset)
                        with contextlib.suppress(OSError):
                            os.rmdir(f"{self._places}/{dataset.rpartition('/')[2]}")
