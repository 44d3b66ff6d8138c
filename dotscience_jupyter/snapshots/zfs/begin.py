# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The record that a stream of ZFS begins with, looked at before ZFS sees any of the stream.

Its layout is ``dmu_replay_record_t`` of OpenZFS (``include/sys/zfs_ioctl.h``), with a ``drr_begin``
in it. A stream of one snapshot holds blocks and nothing else. One of several (``zfs send -R``) may
make data sets, set properties and destroy snapshots, so such a one is never handed on.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import SnapshotError

_LAYOUT = "IIQQQIIQQ256s"
SIZE = struct.calcsize(f"<{_LAYOUT}")
"""Bytes of the record."""

_BEGIN = 0  # DRR_BEGIN
_MAGIC = 0x2F5BACBAC
_ONE_SNAPSHOT = 1  # DMU_SUBSTREAM
_FILE_SYSTEM = 2  # DMU_OST_ZFS
_RAW = 1 << 24  # DMU_BACKUP_FEATURE_RAW


class Begin(NamedTuple):
    """What a record says of its stream."""

    guid: int
    since: int  # the guid of the snapshot that it builds upon; 0 for a whole one
    raw: bool

    @classmethod
    def parse(cls, record: bytes) -> Begin:
        """Read a record. Raise SnapshotError unless it begins a stream of one file system."""
        for order in "<>":
            fields = struct.unpack(f"{order}{_LAYOUT}", record)
            kind, _, magic, version, _, objects, _, guid, since, _ = fields
            if kind == _BEGIN and magic == _MAGIC:
                if version & 3 == _ONE_SNAPSHOT and objects == _FILE_SYSTEM:
                    return cls(guid, since, bool(version >> 2 & _RAW))
                break
        raise SnapshotError(
            "What was sent is no stream of one snapshot of a file system, so ZFS was not given any "
            "of it. Nothing was changed."
        )
