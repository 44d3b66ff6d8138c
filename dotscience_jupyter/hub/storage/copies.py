# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Copies of packs in the data folder: bounded; what was not used for longest goes first."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

PACKS = "store/packs"
TAILS = "store/tails"
"""In a project's folder, the index of each pack that is in the bucket; it tells that it is."""
TAIL = ".idx"

_LEFT = 0.9
"""To this share of the bound they are reduced, so that it need not be done at each pack."""
_NOTED_EVERY = 60.0


class _Copy(NamedTuple):
    used: float
    size: int
    path: str
    project: str
    name: str


class Copies:
    """All copies of a hub. Thread-safe; several processes may share the folder.

    Parameters
    ----------
    folder
        With the projects' folders.
    limit
        Bytes that they may take together. What is not in the bucket yet stays in any case.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._total = -1  # unknown
        self._noted: dict[str, float] = {}
        self._opened: dict[str, Callable[[str], None]] = {}

    def watch(self, project: str, evicted: Callable[[str], None]) -> None:
        """Have the owner of an open project told of each pack that goes."""
        self._opened[project] = evicted

    def unwatch(self, project: str) -> None:
        """Tell nobody of that project any more."""
        self._opened.pop(project, None)

    def used(self, path: str) -> None:
        """Note that a copy is in use; its file's time tells it to other processes."""
        now = time.time()
        if now - self._noted.get(path, 0.0) > _NOTED_EVERY:
            if len(self._noted) > 10_000:
                self._noted.clear()
            self._noted[path] = now
            with contextlib.suppress(OSError):
                os.utime(path)

    def came(self, path: str, size: int) -> None:
        """Make room for a copy that has just come, if need be."""
        went: list[_Copy] = []
        with self._lock:
            if self._total >= 0:
                self._total += size
            if self._total < 0 or self._total > self._limit:
                went = self._make_room(path)
        # not with the lock: those who are told have locks of their own
        for copy in went:
            if evicted := self._opened.get(copy.project):
                evicted(copy.name)

    def _make_room(self, keep: str) -> list[_Copy]:
        went: list[_Copy] = []
        found = sorted(self._all())
        total = sum(copy.size for copy in found)
        if total > self._limit:
            for copy in found:
                if total <= _LEFT * self._limit:
                    break
                tail = f"{self._folder}/{copy.project}/{TAILS}/{copy.name}{TAIL}"
                if copy.path == keep or not os.path.exists(tail):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(copy.path)
                self._noted.pop(copy.path, None)
                total -= copy.size
                went.append(copy)
        self._total = total
        return went

    def _all(self) -> Iterator[_Copy]:
        with os.scandir(self._folder) as projects:
            names = [entry.name for entry in projects if entry.is_dir()]
        for project in names:
            with (
                contextlib.suppress(FileNotFoundError),
                os.scandir(self._folder / project / PACKS) as packs,
            ):
                for entry in packs:
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        yield _Copy(
                            status.st_mtime, status.st_size, entry.path, project, entry.name
                        )
