# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is known of the live folder from the last walk, in this process or an earlier one."""

from __future__ import annotations

import threading

from . import statcache
from .scan import Folder
from .store import Store

_SAVING = 5e-7
"""Seconds that it takes to save what is known of one file."""
_SHARE = 20


class Known:
    """The result of the last walk, and whether the stat cache on disk has it. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._loaded = False
        # the result, and the generation of the store that it holds for
        self._now: tuple[Folder, str] | None = None
        self._saved: tuple[Folder, str] | None = None

    def get(self) -> tuple[Folder | None, str]:
        """Return the last walk's result and the store's generation then."""
        with self._lock:
            if not self._loaded:
                self._loaded = True
                self._now = self._saved = statcache.load(self._store)
            return self._now or (None, "")

    def replace(self, folder: Folder, generation: str) -> None:
        """Take a new result. It counts from the moment when this returns."""
        with self._lock:
            self._loaded = True
            before = self._now
            if before is None or before[0] is not folder or before[1] != generation:
                self._now = (folder, generation)

    def save(self, spent: float | None = None) -> None:
        """Save the stat cache if it is out of date.

        With ``spent``, the seconds that a snapshot took, only where this is little beside them.
        """
        with self._saving:
            now = self._now
            if now is None or now is self._saved:
                return
            if spent is not None and spent < _SHARE * _SAVING * now[0].files:
                return
            statcache.save(self._store, *now)
            self._saved = now
