# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Names of datasets and snapshots, and which dataset is mounted where.

The layout is ``<pool>/<root>/<volume>``: a volume is the dataset whose mount point is the folder
that is frozen. Snapshots that were received are in datasets ``<volume>/received-<hex>``.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

MAX_NAME = 255
_COMPONENT = r"[A-Za-z0-9_.:\- ]+"
_DATASET = re.compile(rf"(?=[A-Za-z]){_COMPONENT}(/{_COMPONENT})*")
_OURS = re.compile(r"ds-(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{8}")
_RECEIVED = re.compile(r"received-[0-9a-f]{16}")
_ID = re.compile(r"zfs-[0-9a-f]{16}")
_TIME = "%Y%m%dT%H%M%S.%fZ"


def is_dataset(name: str) -> bool:
    """Whether a name can be that of a dataset (``zfs(8)``, "Dataset names")."""
    return (
        bool(_DATASET.fullmatch(name))
        and len(name) <= MAX_NAME
        and not {".", ".."} & set(name.split("/"))
    )


def is_component(name: str) -> bool:
    """Whether a name can be one part of a dataset's name."""
    return bool(re.fullmatch(_COMPONENT, name)) and name not in (".", "..")


def new_snapshot(now: float) -> str:
    """Return the name (behind the ``@``) for a snapshot that is taken right after ``now``."""
    taken = datetime.fromtimestamp(now, UTC).strftime(_TIME)
    return f"ds-{taken}-{secrets.token_hex(4)}"


def is_ours(name: str) -> bool:
    """Whether a snapshot's name (behind the ``@``) is one of :func:`new_snapshot`."""
    return _OURS.fullmatch(name) is not None


def taken(name: str) -> float:
    """Return when a snapshot of ours was about to be taken, seconds since 1970.

    ZFS itself notes whole seconds only.
    """
    match = _OURS.fullmatch(name)
    if match is None:
        return 0.0
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def new_replica(volume: str) -> str:
    """Return the name of a dataset to receive into."""
    return f"{volume}/received-{secrets.token_hex(8)}"


def is_replica(dataset: str, volume: str) -> bool:
    """Whether a dataset was made by :func:`new_replica`."""
    above, _, name = dataset.rpartition("/")
    return above == volume and _RECEIVED.fullmatch(name) is not None


def identity(guid: int) -> str:
    """Return a snapshot's id; its guid stays the same wherever it is sent."""
    return f"zfs-{guid:016x}"


def is_identity(snapshot: str) -> bool:
    """Whether a string can be a snapshot's id."""
    return _ID.fullmatch(snapshot) is not None


class Mount(NamedTuple):
    """A dataset and where it is mounted."""

    dataset: str
    point: str


def mounts(table: str = "/proc/self/mountinfo") -> Iterator[Mount]:
    """Yield mounted datasets, not their snapshots; in the order of mounting (``proc(5)``)."""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError:
        return
    for line in lines:
        fields, _, rest = line.partition(" - ")
        kind, _, source = rest.partition(" ")
        if kind != "zfs":
            continue
        parts = fields.split(" ")
        dataset = _unescaped(source.split(" ")[0])
        if parts[3] == "/" and is_dataset(dataset):
            yield Mount(dataset, _unescaped(parts[4]))


def _unescaped(text: str) -> str:
    raw = re.sub(
        rb"\\([0-7]{3})",
        lambda match: bytes([int(match[1], 8)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return os.fsdecode(raw)


def mounted_at(folder: str) -> str:
    """Return the dataset of which a folder is the mount point; "" where it is none's."""
    place = os.path.realpath(folder)
    found = ""
    for mount in mounts():
        if mount.point == place:
            found = mount.dataset
    return found if found and os.path.ismount(place) else ""


def mount_point(dataset: str) -> str:
    """Return where a dataset is mounted; "" if nowhere."""
    return next((mount.point for mount in mounts() if mount.dataset == dataset), "")


def holding(folder: str) -> Mount | None:
    """Return the dataset that a folder is in, by the longest mount point above it."""
    place = os.path.realpath(folder)
    found: Mount | None = None
    for mount in mounts():
        point = mount.point.rstrip("/")
        above = place == mount.point or place.startswith(f"{point}/")
        if above and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    if found is None:
        return None
    try:
        same = os.stat(found.point).st_dev == os.stat(place).st_dev
    except OSError:
        return None
    return found if same else None
