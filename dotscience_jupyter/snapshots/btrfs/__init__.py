# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The engine on btrfs: a snapshot is a read-only subvolume. See ``docs/btrfs.md``."""

from .engine import BtrfsEngine

__all__ = ["BtrfsEngine"]
