# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a rollback has to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotscience_jupyter.snapshots.engine import Entry
from dotscience_jupyter.snapshots.ignore import RESTORE_PREFIX

STAGE = RESTORE_PREFIX + "rollback"
"""The folder that a rollback fills first, in the root and in every other file system below it."""

WRITTEN = "another program changed it meanwhile"
"""Why a path is left as it is, or must not go."""


@dataclass(slots=True)
class Place:
    """A path to be put where it was."""

    path: str
    device: int  # of the folder that it is in
    over: Entry | None  # what is there now, as it was frozen
    clear: list[Entry] = field(default_factory=list)  # what must go first, children before folders


@dataclass(slots=True)
class Plan:
    """What a rollback has to do."""

    places: list[Place] = field(default_factory=list)
    touches: list[tuple[Entry, Entry]] = field(default_factory=list)  # frozen, to be
    gone: list[Entry] = field(default_factory=list)  # as frozen, children before folders
    folders: dict[str, Entry] = field(default_factory=dict)  # whose mode and time are set last
    tops: dict[int, str] = field(default_factory=dict)  # the topmost folder of each file system
    left: dict[str, str] = field(default_factory=dict)  # what cannot be done, and why
    refused: dict[str, str] = field(default_factory=dict)  # what must not be done, and why
    leftovers: bool = False  # of a rollback that was interrupted

    def is_empty(self) -> bool:
        """Whether the folder is what it was already."""
        work = (self.places, self.touches, self.gone, self.folders, self.left)
        return not any(work) and not self.leftovers
