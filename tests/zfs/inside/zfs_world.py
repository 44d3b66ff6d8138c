# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A real pool on a file, and folders on it."""

from __future__ import annotations

import _strptime  # noqa: F401 - who acts as nobody cannot read root's Python any more
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from dotscience_jupyter.snapshots.zfs.errors import PERMISSIONS

NOBODY = 65534


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Be another user for a while, in the group of the same number."""
    before = os.geteuid(), os.getegid()
    _become(user, user)
    try:
        yield
    finally:
        _become(*before)


def _become(user: int, group: int) -> None:
    os.seteuid(0)
    os.setegid(group)
    os.seteuid(user)


def as_root() -> AbstractContextManager[None]:
    """Be root for a while, whoever the test acts as."""
    return acting_as(0)


def zfs(*arguments: str, user: int = 0, fine: bool = True) -> str:
    """Run the zfs command, also as another user; its output, or its errors with ``fine=False``."""
    return _run(["zfs", *arguments], user, fine)


def zpool(*arguments: str) -> str:
    return _run(["zpool", *arguments], 0, True)


def _run(command: list[str], user: int, fine: bool) -> str:
    who = {"user": user, "group": user, "extra_groups": []} if user else {}
    done = subprocess.run(command, capture_output=True, text=True, **who)
    assert (done.returncode == 0) is fine, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout if fine else done.stderr


class Pool:
    """A pool and the datasets that tests make on it: ``<pool>/root/<volume>``."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.file = file
        self.root = f"{name}/root"

    def allow(self, dataset: str, user: int, permissions: Iterable[str] = PERMISSIONS) -> None:
        """Delegate permissions on a dataset."""
        zfs("allow", "-u", str(user), ",".join(permissions), dataset)

    def volume(self, folder: Path, *options: str) -> str:
        """Make a new folder a dataset; return its name."""
        dataset = f"{self.root}/{secrets.token_hex(4)}"
        zfs("create", *options, "-o", f"mountpoint={folder}", dataset)
        return dataset


@contextmanager
def new_pool(megabytes: int = 1200) -> Iterator[Pool]:
    """Make a pool on a sparse file; it is destroyed at the end."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dotscience-pool-", dir=memory) as place:
        file = Path(place) / "disk"
        with open(file, "wb") as disk:
            disk.truncate(megabytes << 20)
        name = f"dotscience{secrets.token_hex(4)}"
        zpool("create", "-o", "cachefile=none", "-O", "mountpoint=none", name, str(file))
        try:
            zfs("create", f"{name}/root")
            yield Pool(name, file)
        finally:
            _destroy(name)


def _destroy(pool: str) -> None:
    """Destroy a pool, as soon as nothing below ``.zfs/snapshot`` is in use any more."""
    for _ in range(30):
        if subprocess.run(["zpool", "destroy", "-f", pool], capture_output=True).returncode == 0:
            return
        time.sleep(1)
    zpool("destroy", "-f", pool)
