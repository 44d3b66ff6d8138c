# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Comparing the live folder with what it should be."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    Kind,
    PathNotFoundError,
    Progress,
    Snapshot,
)
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, MARKERS, NEVER, Rules
from dotscience_jupyter.snapshots.staging import FOLDER_FLAGS

from .folders import FILE_FLAGS, exists, join, kind_of, looks
from .plan import STAGE, WRITTEN, Place, Plan


@dataclass(slots=True)
class _Frame:
    """A folder that is being compared."""

    path: str
    fd: int = -1  # -1: what is below needs no look, because it stays or comes as a whole
    device: int = 0
    to_be: Entry | None = None  # None: it goes
    frozen: Entry | None = None
    into: list[Entry] | None = None  # where what goes is written down
    must_go: bool = False
    names: set[str] = field(default_factory=set)  # that were frozen, where all of it must go
    rules: Rules | None = None


class Planning:
    """Compares the live folder with what it should be, touching nothing.

    Parameters
    ----------
    engine
        An engine on the folder.
    root
        The live folder.
    before
        The folder as it is, frozen a moment ago.
    snapshot
        What to go back to.
    """

    def __init__(self, engine: Engine, root: str, before: Snapshot, snapshot: str) -> None:
        self._engine = engine
        self._root = root
        self._before = before.id
        self._snapshot = snapshot
        self._skipped = {skipped.path: skipped.reason for skipped in before.skipped}
        self._plan = Plan()
        self._frames: list[_Frame] = []
        self._differing: dict[str, Difference] = {}

    def run(self, progress: Progress | None) -> Plan:
        """Return what is to be done.

        Raises
        ------
        OSError
            If the folder cannot be looked at.
        """
        engine = self._engine
        self._differing = {
            difference.path: difference for difference in engine.diff(self._before, self._snapshot)
        }
        try:
            root = engine.entry(self._snapshot, "")
            fd = os.open(self._root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
            self._enter(_Frame("", fd, to_be=root))
            pairs = merged(engine.walk(self._before), engine.walk(self._snapshot))
            for number, (path, frozen, to_be) in enumerate(pairs):
                if progress is not None and number % 1000 == 0:
                    progress(number, 0, "Comparing with the snapshot")
                self._compare(path, frozen, to_be)
        finally:
            while self._frames:
                self._leave()
        return self._plan

    def _enter(self, frame: _Frame) -> None:
        self._frames.append(frame)
        if frame.fd < 0:
            return
        status = os.fstat(frame.fd)
        frame.device = status.st_dev
        if frame.device not in self._plan.tops:
            self._plan.tops[frame.device] = frame.path
            with contextlib.suppress(FileNotFoundError):
                os.stat(STAGE, dir_fd=frame.fd, follow_symlinks=False)
                self._plan.leftovers = True
                if frame.to_be is not None:
                    self._plan.folders[frame.path] = frame.to_be
        if frame.to_be is not None and not looks(status, frame.to_be):
            self._plan.folders[frame.path] = frame.to_be

    def _leave(self) -> None:
        frame = self._frames.pop()
        if frame.fd < 0:
            return
        try:
            if frame.must_go:
                for name in set(os.listdir(frame.fd)) - frame.names:
                    self._refuse(join(frame.path, name))
            if frame.into is not None and frame.frozen is not None:
                frame.into.append(frame.frozen)
        finally:
            os.close(frame.fd)

    def _refuse(self, path: str) -> None:
        reason = self._skipped.get(path, "it is ignored, or came up just now")
        self._plan.refused[path] = f"{reason}, so it is not in the snapshot that was taken first"

    def _moved_on(self, path: str) -> None:
        """Note that a path is not any more what was frozen a moment ago."""
        if self._frames[-1].must_go:
            self._plan.refused[path] = WRITTEN
        else:
            self._plan.left[path] = WRITTEN

    def _compare(self, path: str, frozen: Entry | None, to_be: Entry | None) -> None:
        while self._frames[-1].path and not path.startswith(self._frames[-1].path + "/"):
            self._leave()
        frame = self._frames[-1]
        name = path.rpartition("/")[2]
        if to_be is not None and name in NEVER:
            raise CorruptStoreError(
                f"Nothing was rolled back: the snapshot holds {path!r}, which is never frozen, so "
                "it was not made by this program."
            )
        if frame.fd < 0:
            return
        if frozen is not None:
            frame.names.add(name)
        try:
            live = os.stat(name, dir_fd=frame.fd, follow_symlinks=False)
        except FileNotFoundError:
            live = None
        if to_be is None:
            assert frozen is not None
            self._going(path, name, live, frozen)
        elif live is None:
            self._place(path, None)
            if to_be.kind is Kind.FOLDER:
                self._enter(_Frame(path))
        elif path in self._skipped:
            self._refuse(path)
            self._enter(_Frame(path))
        elif kind_of(live) is not to_be.kind:
            self._other_kind(path, name, live, frozen, to_be)
        elif to_be.kind is Kind.FOLDER:
            fd = self._opened(path, name)
            if fd >= 0:
                self._enter(_Frame(path, fd, to_be=to_be, frozen=frozen))
        else:
            self._same_kind(path, name, live, frozen, to_be)

    def _opened(self, path: str, name: str) -> int:
        """Open a live folder; -1, and all below passed over, if it is none any more."""
        try:
            return os.open(name, FOLDER_FLAGS, dir_fd=self._frames[-1].fd)
        except PermissionError:
            self._plan.refused[path] = "this program may not read it"
        except OSError:
            self._moved_on(path)
        self._enter(_Frame(path))
        return -1

    def _place(self, path: str, over: Entry | None, clear: list[Entry] | None = None) -> None:
        frame = self._frames[-1]
        self._plan.places.append(Place(path, frame.device, over, [] if clear is None else clear))
        assert frame.to_be is not None
        self._plan.folders[frame.path] = frame.to_be

    def _going(self, path: str, name: str, live: os.stat_result | None, frozen: Entry) -> None:
        """Plan for a path that the snapshot does not have."""
        frame = self._frames[-1]
        is_folder = frozen.kind is Kind.FOLDER
        if live is None or (not frame.must_go and self._was_ignored(path, name, is_folder)):
            if is_folder:
                self._enter(_Frame(path))
            return
        if kind_of(live) is not frozen.kind or not (is_folder or looks(live, frozen)):
            self._moved_on(path)
            if is_folder:
                self._enter(_Frame(path))
            return
        into = self._plan.gone if frame.into is None else frame.into
        if frame.to_be is not None:
            self._plan.folders[frame.path] = frame.to_be
        if not is_folder:
            into.append(frozen)
            return
        fd = self._opened(path, name)
        if fd >= 0:
            self._enter(_Frame(path, fd, frozen=frozen, into=into, must_go=frame.must_go))

    def _other_kind(
        self, path: str, name: str, live: os.stat_result, frozen: Entry | None, to_be: Entry
    ) -> None:
        """Plan for a path under which there is something else now."""
        if frozen is None:
            self._refuse(path)
            self._enter(_Frame(path))
        elif kind_of(live) is not frozen.kind:
            self._moved_on(path)
            self._enter(_Frame(path))
        elif frozen.kind is Kind.FOLDER:
            clear: list[Entry] = []
            fd = self._opened(path, name)
            if fd >= 0:
                self._place(path, frozen, clear)
                self._enter(_Frame(path, fd, frozen=frozen, into=clear, must_go=True))
        elif not looks(live, frozen):
            self._moved_on(path)
            self._enter(_Frame(path))
        elif to_be.kind is Kind.FOLDER:
            self._place(path, frozen, [frozen])
            self._enter(_Frame(path))
        else:
            self._place(path, frozen)

    def _same_kind(
        self, path: str, name: str, live: os.stat_result, frozen: Entry | None, to_be: Entry
    ) -> None:
        """Plan for a file or a link that stays one."""
        if frozen is None:
            # ignored now, and not then: it may stay only if it is what it was
            if not self._is_equal(name, live, to_be):
                self._refuse(path)
            elif not looks(live, to_be):
                now = Entry(
                    path,
                    to_be.kind,
                    stat.S_IMODE(live.st_mode),
                    live.st_size,
                    live.st_mtime_ns,
                    "",
                )
                self._touch(live, now, to_be)
            return
        if self._is_unchanged(path):
            if looks(live, to_be):
                return
            if looks(live, frozen):
                self._touch(live, frozen, to_be)
                return
        elif looks(live, frozen):
            self._place(path, frozen)
            return
        self._moved_on(path)

    def _touch(self, live: os.stat_result, now: Entry, to_be: Entry) -> None:
        # another name of the same file may be outside the folder, and is to keep its mode and time
        if live.st_nlink > 1:
            self._place(to_be.path, now)
        else:
            self._plan.touches.append((now, to_be))

    def _is_unchanged(self, path: str) -> bool:
        """Whether what was frozen first has the content that is wanted."""
        difference = self._differing.get(path)
        if difference is None:
            return True
        old, new = difference.old, difference.new
        return (
            old is not None
            and new is not None
            and old.kind is new.kind is Kind.FILE
            and old.digest == new.digest != ""
        )

    def _is_equal(self, name: str, live: os.stat_result, to_be: Entry) -> bool:
        """Whether something that is not frozen has the content that is wanted."""
        try:
            if to_be.kind is Kind.SYMLINK:
                return os.readlink(name, dir_fd=self._frames[-1].fd) == to_be.target
            if live.st_size != to_be.size:
                return False
            digest = to_be.digest or self._engine.entry(self._snapshot, to_be.path).digest
            with open(os.open(name, FILE_FLAGS, dir_fd=self._frames[-1].fd), "rb") as file:
                hasher = blake3()
                while data := file.read(1 << 20):
                    hasher.update(data)
                return hasher.hexdigest() == digest
        except OSError:
            return False

    def _was_ignored(self, path: str, name: str, is_folder: bool) -> bool:
        """Whether the snapshot's own ignore rules leave a path alone."""
        rules = self._rules(len(self._frames) - 1)
        if rules.ignored(path, name, is_folder):
            return True
        if not is_folder or rules.keeps_environment(path):
            return False
        frame = self._frames[-1]
        return any(exists(f"{name}/{marker}", frame.fd) for marker in MARKERS)

    def _rules(self, number: int) -> Rules:
        """Return the rules that the snapshot has inside a folder."""
        frame = self._frames[number]
        if frame.rules is None:
            above = self._rules(number - 1) if number else Rules()
            content = self._ignore_file(join(frame.path, IGNORE_FILE))
            frame.rules = above if content is None else above.child(frame.path, content)
        return frame.rules

    def _ignore_file(self, path: str) -> bytes | None:
        try:
            with self._engine.open(self._snapshot, path) as file:
                return file.read(1 << 20)
        except PathNotFoundError:
            return None


def merged(
    first: Iterator[Entry], second: Iterator[Entry]
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Yield each path of two walks with its entry in the first and in the second."""
    a, b = next(first, None), next(second, None)
    last: list[str] = []
    while a is not None or b is not None:
        keys = [entry.path.split("/") for entry in (a, b) if entry is not None]
        key = min(keys)
        assert last < key, "engines walk in the order of names"
        last = key
        path = "/".join(key)
        left = a if a is not None and a.path == path else None
        right = b if b is not None and b.path == path else None
        yield path, left, right
        if left is not None:
            a = next(first, None)
        if right is not None:
            b = next(second, None)
