# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the engine needs of a folder, and saying what of it is missing."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from dotscience_jupyter.snapshots.engine import Check, SnapshotError

from . import ioctls

_CAP_SYS_ADMIN = 21


def require_subvolume(root: Path) -> None:
    """Raise SnapshotError unless a folder is a subvolume of btrfs."""
    place = os.path.abspath(root)
    try:
        if ioctls.is_subvolume(place):
            return
        on_btrfs = ioctls.is_btrfs(place)
    except OSError as error:
        raise SnapshotError(
            f"The folder {root} cannot be read: {error.strerror or error}. Nothing was frozen or "
            "changed."
        ) from error
    if not on_btrfs:
        raise SnapshotError(
            f"The folder {root} is not on a btrfs file system. Nothing was changed. Use another "
            "engine for it."
        )
    raise SnapshotError(
        f"The folder {root} is no btrfs subvolume, and only these can be frozen. Nothing was "
        f"changed. Make it one: {_conversion(place)}"
    )


def has_own_id(place: str) -> bool:
    """Whether a subvolume is told apart from others by its own id.

    One that was received, and made writable, hands the id that it had elsewhere on to all its
    snapshots.
    """
    return not ioctls.info(place).received.int


def require_own_id(place: str) -> None:
    """Raise SnapshotError where snapshots of a subvolume could not be told apart."""
    if not has_own_id(place):
        raise SnapshotError(
            f"The subvolume {place} was received from elsewhere and then made writable, so its "
            "snapshots could not be told apart. Nothing was frozen or changed. Take a writable "
            f"snapshot and use that instead: {_renewal(place)}"
        )


def _renewal(place: str) -> str:
    old, new = shlex.quote(f"{place}.old"), shlex.quote(place)
    return f"mv {new} {old} && btrfs subvolume snapshot {old} {new}"


def _conversion(place: str) -> str:
    old = shlex.quote(f"{place}.old")
    new = shlex.quote(place)
    return (
        f"mv {new} {old} && btrfs subvolume create {new} && "
        f"cp -a --reflink=always {old}/. {new}/ && rm -r {old}"
    )


def may_snapshot(folder: Path) -> bool:
    """Whether btrfs lets this program take snapshots of a subvolume."""
    status = os.stat(folder)
    return os.geteuid() in (0, status.st_uid) and os.access(folder, os.W_OK)


def _may_everything() -> bool:
    """Whether this process has CAP_SYS_ADMIN, which btrfs asks for where it is not said else."""
    with open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    return False


def checks(folder: Path) -> Iterator[Check]:
    """Yield what is needed, and whether it is there; OSError if the folder cannot be read."""
    place = os.path.abspath(folder)
    exists = os.path.isdir(place)
    above = place
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    on_btrfs = ioctls.is_btrfs(above)
    yield Check(
        "a btrfs file system",
        on_btrfs,
        f"{above} is on {'btrfs' if on_btrfs else 'another file system'}",
        "" if on_btrfs else "Choose a folder on btrfs, or another engine.",
    )
    if not on_btrfs:
        return
    is_subvolume = exists and ioctls.is_subvolume(place)
    yield Check(
        "a folder that is a subvolume",
        is_subvolume or not exists,
        "it is one" if is_subvolume else "a plain folder" if exists else "it can be made",
        _conversion(place) if exists and not is_subvolume else "",
    )
    if is_subvolume and not has_own_id(place):
        what = "a subvolume with an id of its own"
        yield Check(what, False, "it was received, then made writable", _renewal(place))
    if exists:
        may = may_snapshot(folder)
        yield Check(
            "permission to take snapshots",
            may,
            "this program is root or owns the folder" if may else "the folder is someone else's",
            "" if may else f"chown {os.geteuid()} {shlex.quote(place)}",
        )
    root = _may_everything()
    yield Check(
        "permission to send, receive, and compare quickly (CAP_SYS_ADMIN)",
        root,
        "this program has it" if root else "this program runs without it",
        ""
        if root
        else "Run as root for these. Without it, snapshots are taken, read, restored and dropped "
        "as well, but comparing looks at every file, and dropping takes one file after the "
        "other unless the file system is mounted with user_subvol_rm_allowed.",
    )
    tool = find_tool()
    yield Check(
        "the command 'btrfs', to receive snapshots",
        tool is not None,
        tool or "it cannot be found",
        "" if tool else "apt install btrfs-progs",
    )


def find_tool() -> str | None:
    """Return where the command of btrfs is; it may not be on an ordinary user's path."""
    return shutil.which("btrfs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
