# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Doing what was planned, so that whoever dies meanwhile leaves whole files, old ones or new ones.

What is done is always done in this order, and doing it all again completes it:

1. The stage in the root is made and locked, so there is one rollback at a time.
2. What a killed one left goes. What comes is restored into the stages and written to the disk.
3. It is renamed into place, each path after what is in its way as something of another kind.
4. Files that have the right content already get their modes and times.
5. What the snapshot does not have goes, and so do the stages.
6. Folders get their modes and times.

A path is changed only while it looks as it was frozen; else it is left as it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

from dotscience_jupyter.snapshots.engine import Engine, Entry, Kind, Progress, SnapshotError
from dotscience_jupyter.snapshots.staging import FOLDER_FLAGS, opened

from .folders import (
    FILE_FLAGS,
    Folders,
    exists,
    join,
    looks,
    lstat,
    make_writable,
    remove_folder,
    sync,
)
from .plan import STAGE, WRITTEN, Place, Plan

_MOVED_ON = {
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
}
"""What the system says where another program has just put something else."""


class Doing:
    """Does what was planned. Owns the stages while in a ``with`` block, and removes them then.

    Parameters
    ----------
    engine
        An engine on the folder.
    root
        The live folder.
    snapshot
        What to go back to.
    plan
        What to do.
    progress
        Called with what is being done.

    Attributes
    ----------
    touched
        Whether anything in the live folder may have been changed.
    """

    def __init__(
        self,
        engine: Engine,
        root: str,
        snapshot: str,
        plan: Plan,
        progress: Progress | None,
    ) -> None:
        self._engine = engine
        self._root = root
        self._snapshot = snapshot
        self._plan = plan
        self._progress = progress
        self._lock = -1
        self.touched = False
        self._times: dict[str, os.stat_result] = {}

    def __enter__(self) -> Doing:
        self._live = Folders(os.open(self._root, FOLDER_FLAGS & ~os.O_NOFOLLOW))
        try:
            for top in self._plan.tops.values():
                self._times[top] = os.fstat(self._live.at(top))
            self._lock = self._locked()
        except BaseException:
            self._live.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._remove_stages()
            if not self.touched:
                for top, status in self._times.items():
                    os.utime(self._live.at(top), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.close(self._lock)
        self._live.close()

    def _locked(self) -> int:
        """Make the stage in the root, and be the only rollback that has it."""
        fd = self._live.at("")
        while True:
            with contextlib.suppress(FileExistsError):
                os.mkdir(STAGE, 0o700, dir_fd=fd)
            try:
                with opened(STAGE, fd) as stage:
                    lock = os.open(
                        "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=stage
                    )
            except FileNotFoundError:
                continue  # another rollback is just done
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                raise SnapshotError(
                    "Another rollback of this folder is under way, so this one changed nothing."
                ) from None
            if os.fstat(lock).st_nlink:
                return lock
            os.close(lock)

    def run(self) -> None:
        """Do it all. What cannot be done is added to the plan's ``left``."""
        plan = self._plan
        stages = self._fill()
        self.touched = True
        try:
            for number, place in enumerate(plan.places):
                self._say(number, len(plan.places), "Putting files into place")
                self._attempt(place.path, self._put, place, stages[place.device])
        finally:
            for stage in stages.values():
                stage.close()
        for now, to_be in plan.touches:
            self._attempt(to_be.path, self._touch, now, to_be)
        for entry in plan.gone:
            self._attempt(entry.path, self._drop, entry)
        self._remove_stages()
        # a folder's time moves with what is in it, and its mode may forbid that: so from below
        for path in sorted(plan.folders, key=lambda path: (-path.count("/"), path == "")):
            self._attempt(path, self._set, path, plan.folders[path])

    def _say(self, done: int, total: int, text: str) -> None:
        if self._progress is not None and done % 100 == 0:
            self._progress(done, total, text)

    def _attempt(self, path: str, step: Callable[..., bool], *arguments: object) -> None:
        """Take a step; note a path that is not as it was, or may not be changed."""
        try:
            if not step(*arguments):
                self._plan.left[path] = WRITTEN
        except PermissionError as error:
            self._plan.left[path] = f"this program may not change it ({error.strerror})"
        except OSError as error:
            if error.errno not in _MOVED_ON:
                raise
            self._plan.left[path] = WRITTEN

    def _fill(self) -> dict[int, Folders]:
        """Restore what is to be put into place, on the file system where its place is."""
        wanted: dict[int, list[str]] = {}
        for place in self._plan.places:
            wanted.setdefault(place.device, []).append(place.path)
        stages: dict[int, Folders] = {}
        for device, top in self._plan.tops.items():
            fd = self._live.at(top)
            if device in wanted:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(STAGE, 0o700, dir_fd=fd)
            with contextlib.suppress(FileNotFoundError), opened(STAGE, fd) as stage:
                for name in os.listdir(stage):
                    if name != "lock":
                        remove_folder(name, stage)
        for device, paths in wanted.items():
            top = self._plan.tops[device]
            stage_path = join(self._root, join(top, STAGE))
            self._engine.restore(self._snapshot, Path(stage_path, "new"), paths, self._progress)
            with opened(STAGE, self._live.at(top)) as stage:
                stages[device] = Folders(os.open("new", FOLDER_FLAGS, dir_fd=stage))
                # a power cut must not find a name in place whose bytes were not written yet
                sync(stage)
        return stages

    def _put(self, place: Place, stage: Folders) -> bool:
        parent, _, name = place.path.rpartition("/")
        for entry in place.clear:
            if not self._drop(entry):
                return False
        live, new = self._live.at(parent), stage.at(parent)
        now = lstat(name, live)
        if now is not None and (place.over is None or not looks(now, place.over)):
            return False
        make_writable(live)
        make_writable(new)
        status = os.stat(name, dir_fd=new, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.rename(name, name, src_dir_fd=new, dst_dir_fd=live)
            return True
        # a folder can be moved only while it is writable
        os.chmod(name, stat.S_IMODE(status.st_mode) | 0o700, dir_fd=new)
        with opened(name, new) as fd:
            os.rename(name, name, src_dir_fd=new, dst_dir_fd=live)
            os.fchmod(fd, stat.S_IMODE(status.st_mode))
            os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
        return True

    def _touch(self, now: Entry, to_be: Entry) -> bool:
        parent, _, name = to_be.path.rpartition("/")
        live = self._live.at(parent)
        status = lstat(name, live)
        if status is None or not looks(status, now):
            return False
        times = (to_be.mtime_ns, to_be.mtime_ns)
        if to_be.kind is Kind.SYMLINK:
            os.utime(name, ns=times, dir_fd=live, follow_symlinks=False)
            return True
        fd = os.open(name, FILE_FLAGS, dir_fd=live)
        try:
            if not os.path.samestat(os.fstat(fd), status):
                return False
            if now.mode != to_be.mode:
                os.fchmod(fd, to_be.mode)
            os.utime(fd, ns=times)
        finally:
            os.close(fd)
        return True

    def _drop(self, entry: Entry) -> bool:
        """Remove what was frozen; a folder in which something else is stays."""
        parent, _, name = entry.path.rpartition("/")
        live = self._live.at(parent)
        status = lstat(name, live)
        if status is None:
            return True
        if entry.kind is not Kind.FOLDER:
            if not looks(status, entry):
                return False
            make_writable(live)
            os.unlink(name, dir_fd=live)
            return True
        make_writable(live)
        try:
            os.rmdir(name, dir_fd=live)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise
            return self._set(entry.path, entry)
        return True

    def _set(self, path: str, entry: Entry) -> bool:
        """Give a folder the mode and the time that it should have."""
        with self._live.reopened(path) as fd:
            if not looks(os.fstat(fd), entry):
                os.fchmod(fd, entry.mode)
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        return True

    def _remove_stages(self) -> None:
        for top in self._plan.tops.values():
            fd = self._live.at(top)
            if exists(STAGE, fd):
                with contextlib.suppress(OSError):  # it is ignored, and the next one removes it
                    remove_folder(STAGE, fd)
