# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Engines whose snapshots can go to a hub, and come from it, whatever engine took them."""

from __future__ import annotations

import builtins
from abc import abstractmethod
from typing import TYPE_CHECKING

from .engine import Engine, Progress

if TYPE_CHECKING:
    from .embedded import EmbeddedEngine


class PortableEngine(Engine):
    """Has a store through which snapshots move, in the one form that a hub keeps.

    What came through it is read like the engine's own snapshots.
    """

    @property
    @abstractmethod
    def exchange(self) -> EmbeddedEngine:
        """The store. Snapshots of other engines have ids of their own in it."""

    @property
    def streams(self) -> str:
        """The engine whose hubs may take what :meth:`send` writes; "" if none can."""
        return ""

    @property
    def takes_streams(self) -> str:
        """The engine whose hubs may give what :meth:`receive` takes; "" if none can."""
        return ""

    def bases(self) -> builtins.list[str]:
        """Return the snapshots since which what is new can be received so, the oldest first."""
        return []

    def ancestors(self, snapshot: str) -> builtins.list[str] | None:
        """Return the snapshots since which what is new in one can be sent so, the oldest first.

        None if the snapshot cannot be sent so.
        """
        return None

    def unshown(self, snapshot: str, since: str = "") -> str:
        """Return a path that would be sent so and that the snapshot does not show; "" if none is.

        With ``since`` only what is new since that snapshot is looked at.
        """
        return ""

    @abstractmethod
    def bring(self, snapshot: str, progress: Progress | None = None) -> str:
        """See to it that the exchange store has a snapshot, and return its id there.

        Raises
        ------
        SnapshotNotFoundError
            If there is no such snapshot.
        SnapshotError
            If it cannot be read, or the store cannot be written.
        """
