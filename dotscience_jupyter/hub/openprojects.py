# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The projects that are open: each once, those in use and some that were lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .project import Project, ProjectInfo


@dataclass(slots=True)
class _Open:
    """An open project and how many use it now."""

    project: Project
    users: int = 0


class OpenProjects:
    """Projects that are opened when they are needed and closed when others are. Thread-safe.

    Parameters
    ----------
    load
        Opens one.
    most
        So many stay open that nobody uses.
    """

    def __init__(self, load: Callable[[ProjectInfo], Project], most: int) -> None:
        self._load = load
        self._most = most
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)

    @contextmanager
    def using(self, info: ProjectInfo) -> Iterator[Project]:
        """Give the open project; raise what opening it does."""
        opened = self._acquire(info)
        try:
            yield opened.project
        finally:
            self._release(opened)

    def _acquire(self, info: ProjectInfo) -> _Open:
        with self._lock:
            if found := self._use(info):
                return found
            opening = self._opening.setdefault(info.id, threading.Lock())
        # opening takes a while: others' projects do not wait for it
        with opening:
            with self._lock:
                if found := self._use(info):
                    return found
            project = self._load(info)
            with self._lock:
                made = self._open[info.id] = _Open(project, 1)
                self._opening.pop(info.id, None)
        self._close_unused()
        return made

    def _use(self, info: ProjectInfo) -> _Open | None:
        found = self._open.get(info.id)
        if found is not None:
            found.users += 1
            found.project.info = info
            self._open.move_to_end(info.id)
        return found

    def _release(self, opened: _Open) -> None:
        with self._lock:
            opened.users -= 1
        self._close_unused()

    def _close_unused(self) -> None:
        over: list[Project] = []
        with self._lock:
            for id_, opened in list(self._open.items()):
                if len(self._open) <= self._most:
                    break
                if not opened.users:
                    del self._open[id_]
                    over.append(opened.project)
        for project in over:
            project.close()

    def close_one(self, id_: str) -> None:
        """Close a project that is open, although somebody may use it."""
        with self._lock:
            opened = self._open.pop(id_, None)
        if opened is not None:
            opened.project.close()

    def close(self) -> None:
        """Close all; nobody may use one any more."""
        with self._lock:
            opened, self._open = list(self._open.values()), OrderedDict()
        for each in opened:
            each.project.close()
