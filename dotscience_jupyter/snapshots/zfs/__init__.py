# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The ZFS engine: the folder is a dataset, and a snapshot is one of ZFS; see ``docs/zfs.md``."""

from .engine import ZfsEngine

__all__ = ["ZfsEngine"]
