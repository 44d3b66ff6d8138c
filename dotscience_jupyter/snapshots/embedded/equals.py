# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which snapshots of this store are the same as snapshots that another engine took.

A commit names its content by the id that its engine gave it, and keeps that name wherever it goes.
So a store that has the content under an id of its own notes that the two are one::

    equal/<id of the other engine>    JSON: "snapshot", the id here, and "content", the content id
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import SnapshotError

from .store import Store, fsync_folder, is_snapshot_id, writing

_FOREIGN = re.compile(r"[a-z][a-z0-9]{0,31}-[0-9a-z][0-9a-z-]{0,99}")
_KEPT_SECONDS = 7 * 86400.0


class Equal(NamedTuple):
    """What a snapshot of another engine is here.

    Attributes
    ----------
    snapshot : str
        Its id in this store; it need not be there (yet).
    content : str
        The content id that both have to have.
    """

    snapshot: str
    content: str


def is_foreign(snapshot: str) -> bool:
    """Whether a text has the form of another engine's snapshot id, which is safe as a file name."""
    return _FOREIGN.fullmatch(snapshot) is not None


class Equals:
    """The notes of one store. Each is replaced in one step; safe for several processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = f"{store.folder}/equal"

    def get(self, foreign: str) -> Equal | None:
        """Return what is noted of another engine's snapshot; a damaged note is none."""
        if not is_foreign(foreign):
            return None
        try:
            with open(f"{self._folder}/{foreign}", encoding="utf-8") as file:
                document = json.load(file)
            found = Equal(document["snapshot"], document["content"])
            return found if all(map(is_snapshot_id, found)) else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def all(self) -> dict[str, Equal]:
        """Return all notes, by the id of the other engine."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return {}
        found = {name: self.get(name) for name in sorted(names)}
        return {name: equal for name, equal in found.items() if equal is not None}

    def put(self, foreign: str, equal: Equal) -> None:
        """Note what a snapshot is here, durably.

        Raises
        ------
        SnapshotError
            If these are no ids, or the store cannot be written.
        """
        if not is_foreign(foreign) or not all(map(is_snapshot_id, equal)):
            raise SnapshotError(
                f"What the snapshot {foreign[:64]!r} is said to be is not right. Nothing was "
                "changed."
            )
        if self.get(foreign) == equal:
            return
        with writing(self._store.folder):
            self._store.make_part(self._folder)
            self._store.replace(f"{self._folder}/{foreign}", json.dumps(equal._asdict()))
            fsync_folder(self._folder)

    def prune(self, is_there: Callable[[str], bool]) -> None:
        """Drop notes of what was not there for a week, and is not."""
        for foreign, equal in self.all().items():
            path = f"{self._folder}/{foreign}"
            with contextlib.suppress(OSError):  # it is for the next time
                old = time.time() - os.stat(path).st_mtime > _KEPT_SECONDS
                if old and not is_there(equal.snapshot):
                    os.unlink(path)
