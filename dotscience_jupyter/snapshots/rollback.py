# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making the live folder what it was, for every engine in the same way.

First the folder is frozen, so nothing can be lost. Then it is compared with the snapshot and
everything that would have to go without being frozen is refused. Only then what differs is
restored into a folder beside and put into place by renames, so that each file is the old or the
new one at any instant; what must go goes last.

Names of one file (hard links) are one file again where all of them are written anew; an entry does
not tell of the others, so a single one that is written anew is a file of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from .engine import (
    CorruptStoreError,
    Difference,
    Engine,
    Entry,
    Kind,
    PathNotFoundError,
    Progress,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
)
from .ignore import IGNORE_FILE, MARKERS, NEVER, RESTORE_PREFIX, Rules

HOLD = "rollback"
"""The tag under which the folder as it was is held until a rollback is complete."""

STAGE = RESTORE_PREFIX + "rollback"
"""The folder that a rollback fills first, in the root and in every other file system below it."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.SYMLINK}
_MOVED_ON = {
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
}
"""What the system says where another program has just put something else."""
_WRITTEN = "another program changed it meanwhile"
_NAMED = 5
"""How many paths a message names."""


def rollback(
    engine: Engine, root: str, snapshot: str, progress: Progress | None = None
) -> Snapshot:
    """Make a folder what it was; see :meth:`Engine.rollback`.

    Parameters
    ----------
    engine
        An engine on the folder.
    root
        The live folder.
    snapshot
        What to go back to.
    progress
        Called with what is being done.

    Returns
    -------
    Snapshot
        The folder as it was before.

    Raises
    ------
    SnapshotNotFoundError
        If there is no such snapshot.
    SnapshotError
        If something that is not frozen (ignored now, or unreadable) would have to go, which is
        found out before anything is touched; or if files were written meanwhile, which are left
        as they are while all others are done.
    """
    if not engine.exists(snapshot):
        raise SnapshotNotFoundError(f"There is no snapshot {snapshot[:64]!r} in this workspace.")
    before = engine.snapshot(progress)
    try:
        plan = _Planning(engine, root, before, snapshot).run(progress)
    except OSError as error:
        raise SnapshotError(
            f"Nothing was rolled back: {root} could not be looked at: {error.strerror or error}."
        ) from error
    if plan.refused:
        raise SnapshotError(
            "Nothing was rolled back or changed, because something that is not frozen would be "
            f"lost. {_told(plan.refused)} Move it out of the way and try again, or restore into a "
            "new folder."
        )
    if plan.is_empty():
        return before
    with contextlib.ExitStack() as stack:
        try:
            doing = stack.enter_context(_Doing(engine, root, snapshot, plan, progress))
        except OSError as error:
            raise SnapshotError(
                f"Nothing was rolled back or changed: {root} cannot be written: "
                f"{error.strerror or error}. Mend that and try again."
            ) from error
        # whoever kills this process never learns the id, so it must not be for gc to drop
        engine.hold([before.id], HOLD)
        saved = f"The folder as it was before is snapshot {before.id}, so nothing is lost."
        try:
            doing.run()
        except OSError as error:
            raise SnapshotError(
                f"The rollback was interrupted: {error.strerror or error}. Some files are as they "
                "were in the snapshot, the others as they were before. Do it again to complete "
                f"it. {saved}"
            ) from error
        finally:
            if not doing.touched:
                engine.release([before.id], HOLD)
    if plan.left:
        raise SnapshotError(
            f"The folder was rolled back, except for {_told(plan.left)} They were left as they "
            f"are. Roll back again when that is solved. {saved}"
        )
    engine.release([before.id], HOLD)
    return before


def _told(paths: dict[str, str]) -> str:
    told = " ".join(f"{path!r}: {paths[path]}." for path in sorted(paths)[:_NAMED])
    return f"{told} And {len(paths) - _NAMED} more." if len(paths) > _NAMED else told


@dataclass(slots=True)
class _Place:
    """A path to be put where it was."""

    path: str
    device: int  # of the folder that it is in
    over: Entry | None  # what is there now, as it was frozen
    clear: list[Entry] = field(default_factory=list)  # what must go first, children before folders


@dataclass(slots=True)
class _Plan:
    """What a rollback has to do."""

    places: list[_Place] = field(default_factory=list)
    touches: list[tuple[Entry, Entry]] = field(default_factory=list)  # frozen, to be
    gone: list[Entry] = field(default_factory=list)  # as frozen, children before folders
    folders: dict[str, Entry] = field(default_factory=dict)  # whose mode and time are set last
    tops: dict[int, str] = field(default_factory=dict)  # the topmost folder of each file system
    left: dict[str, str] = field(default_factory=dict)  # what cannot be done, and why
    refused: dict[str, str] = field(default_factory=dict)  # what must not be done, and why
    leftovers: bool = False  # of a rollback that was interrupted

    def is_empty(self) -> bool:
        work = (self.places, self.touches, self.gone, self.folders, self.left)
        return not any(work) and not self.leftovers


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


class _Planning:
    """Compares the live folder with what it should be, touching nothing."""

    def __init__(self, engine: Engine, root: str, before: Snapshot, snapshot: str) -> None:
        self._engine = engine
        self._root = root
        self._before = before.id
        self._snapshot = snapshot
        self._skipped = {skipped.path: skipped.reason for skipped in before.skipped}
        self._plan = _Plan()
        self._frames: list[_Frame] = []
        self._differing: dict[str, Difference] = {}

    def run(self, progress: Progress | None) -> _Plan:
        """Return what is to be done."""
        engine = self._engine
        self._differing = {
            difference.path: difference for difference in engine.diff(self._before, self._snapshot)
        }
        try:
            root = engine.entry(self._snapshot, "")
            fd = os.open(self._root, _FOLDER_FLAGS & ~os.O_NOFOLLOW)
            self._enter(_Frame("", fd, to_be=root))
            pairs = _merged(engine.walk(self._before), engine.walk(self._snapshot))
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
        if frame.to_be is not None and not _looks(status, frame.to_be):
            self._plan.folders[frame.path] = frame.to_be

    def _leave(self) -> None:
        frame = self._frames.pop()
        if frame.fd < 0:
            return
        try:
            if frame.must_go:
                for name in set(os.listdir(frame.fd)) - frame.names:
                    self._refuse(_join(frame.path, name))
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
            self._plan.refused[path] = _WRITTEN
        else:
            self._plan.left[path] = _WRITTEN

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
        elif _kind(live) is not to_be.kind:
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
            return os.open(name, _FOLDER_FLAGS, dir_fd=self._frames[-1].fd)
        except PermissionError:
            self._plan.refused[path] = "this program may not read it"
        except OSError:
            self._moved_on(path)
        self._enter(_Frame(path))
        return -1

    def _place(self, path: str, over: Entry | None, clear: list[Entry] | None = None) -> None:
        frame = self._frames[-1]
        self._plan.places.append(_Place(path, frame.device, over, [] if clear is None else clear))
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
        if _kind(live) is not frozen.kind or not (is_folder or _looks(live, frozen)):
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
        elif _kind(live) is not frozen.kind:
            self._moved_on(path)
            self._enter(_Frame(path))
        elif frozen.kind is Kind.FOLDER:
            clear: list[Entry] = []
            fd = self._opened(path, name)
            if fd >= 0:
                self._place(path, frozen, clear)
                self._enter(_Frame(path, fd, frozen=frozen, into=clear, must_go=True))
        elif not _looks(live, frozen):
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
            elif not _looks(live, to_be):
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
            if _looks(live, to_be):
                return
            if _looks(live, frozen):
                self._touch(live, frozen, to_be)
                return
        elif _looks(live, frozen):
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
            with open(os.open(name, _FILE_FLAGS, dir_fd=self._frames[-1].fd), "rb") as file:
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
        return any(_exists(f"{name}/{marker}", frame.fd) for marker in MARKERS)

    def _rules(self, number: int) -> Rules:
        """Return the rules that the snapshot has inside a folder."""
        frame = self._frames[number]
        if frame.rules is None:
            above = self._rules(number - 1) if number else Rules()
            content = self._ignore_file(_join(frame.path, IGNORE_FILE))
            frame.rules = above if content is None else above.child(frame.path, content)
        return frame.rules

    def _ignore_file(self, path: str) -> bytes | None:
        try:
            with self._engine.open(self._snapshot, path) as file:
                return file.read(1 << 20)
        except PathNotFoundError:
            return None


class _Doing:
    """Does what was planned. Owns the stages while in a ``with`` block, and removes them then.

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
        plan: _Plan,
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

    def __enter__(self) -> _Doing:
        self._live = _Folders(os.open(self._root, _FOLDER_FLAGS & ~os.O_NOFOLLOW))
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
                with _opened(STAGE, fd) as stage:
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
                self._plan.left[path] = _WRITTEN
        except PermissionError as error:
            self._plan.left[path] = f"this program may not change it ({error.strerror})"
        except OSError as error:
            if error.errno not in _MOVED_ON:
                raise
            self._plan.left[path] = _WRITTEN

    def _fill(self) -> dict[int, _Folders]:
        """Restore what is to be put into place, on the file system where its place is."""
        wanted: dict[int, list[str]] = {}
        for place in self._plan.places:
            wanted.setdefault(place.device, []).append(place.path)
        stages: dict[int, _Folders] = {}
        for device, top in self._plan.tops.items():
            fd = self._live.at(top)
            if device in wanted:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(STAGE, 0o700, dir_fd=fd)
            with contextlib.suppress(FileNotFoundError), _opened(STAGE, fd) as stage:
                for name in os.listdir(stage):
                    if name != "lock":
                        _remove_folder(name, stage)
        for device, paths in wanted.items():
            top = self._plan.tops[device]
            stage_path = _join(self._root, _join(top, STAGE))
            self._engine.restore(self._snapshot, Path(stage_path, "new"), paths, self._progress)
            with _opened(STAGE, self._live.at(top)) as stage:
                stages[device] = _Folders(os.open("new", _FOLDER_FLAGS, dir_fd=stage))
                # a power cut must not find a name in place whose bytes were not written yet
                _sync(stage)
        return stages

    def _put(self, place: _Place, stage: _Folders) -> bool:
        parent, _, name = place.path.rpartition("/")
        for entry in place.clear:
            if not self._drop(entry):
                return False
        live, new = self._live.at(parent), stage.at(parent)
        now = _lstat(name, live)
        if now is not None and (place.over is None or not _looks(now, place.over)):
            return False
        _make_writable(live)
        _make_writable(new)
        status = os.stat(name, dir_fd=new, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.rename(name, name, src_dir_fd=new, dst_dir_fd=live)
            return True
        # a folder can be moved only while it is writable
        os.chmod(name, stat.S_IMODE(status.st_mode) | 0o700, dir_fd=new)
        with _opened(name, new) as fd:
            os.rename(name, name, src_dir_fd=new, dst_dir_fd=live)
            os.fchmod(fd, stat.S_IMODE(status.st_mode))
            os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
        return True

    def _touch(self, now: Entry, to_be: Entry) -> bool:
        parent, _, name = to_be.path.rpartition("/")
        live = self._live.at(parent)
        status = _lstat(name, live)
        if status is None or not _looks(status, now):
            return False
        times = (to_be.mtime_ns, to_be.mtime_ns)
        if to_be.kind is Kind.SYMLINK:
            os.utime(name, ns=times, dir_fd=live, follow_symlinks=False)
            return True
        fd = os.open(name, _FILE_FLAGS, dir_fd=live)
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
        status = _lstat(name, live)
        if status is None:
            return True
        if entry.kind is not Kind.FOLDER:
            if not _looks(status, entry):
                return False
            _make_writable(live)
            os.unlink(name, dir_fd=live)
            return True
        _make_writable(live)
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
            if not _looks(os.fstat(fd), entry):
                os.fchmod(fd, entry.mode)
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        return True

    def _remove_stages(self) -> None:
        for top in self._plan.tops.values():
            fd = self._live.at(top)
            if _exists(STAGE, fd):
                with contextlib.suppress(OSError):  # it is ignored, and the next one removes it
                    _remove_folder(STAGE, fd)


class _Folders:
    """Opens folders below an open one, never through a link; keeps the last one open."""

    def __init__(self, base: int) -> None:
        self._base = base
        self._path = ""
        self._fd = base

    def at(self, path: str) -> int:
        """Return a descriptor of a folder, which is good until the next call."""
        if path != self._path:
            self._forget()
            fd = self._descend(path)
            self._path, self._fd = path, fd
        return self._fd

    @contextlib.contextmanager
    def reopened(self, path: str) -> Iterator[int]:
        """Open a folder anew."""
        self._forget()
        fd = self._descend(path)
        try:
            yield fd
        finally:
            if fd != self._base:
                os.close(fd)

    def _descend(self, path: str) -> int:
        fd = self._base
        for name in path.split("/") if path else ():
            try:
                below = os.open(name, _FOLDER_FLAGS, dir_fd=fd)
            finally:
                if fd != self._base:
                    os.close(fd)
            fd = below
        return fd

    def _forget(self) -> None:
        if self._fd != self._base:
            os.close(self._fd)
        self._path, self._fd = "", self._base

    def close(self) -> None:
        """Let go of the folders."""
        self._forget()
        os.close(self._base)


def _merged(
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


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _kind(status: os.stat_result) -> Kind | None:
    return _KINDS.get(stat.S_IFMT(status.st_mode))


def _looks(status: os.stat_result, entry: Entry) -> bool:
    """Whether all that lstat tells of something live is as in its entry."""
    kind = _kind(status)
    return (
        kind is entry.kind
        and status.st_mtime_ns == entry.mtime_ns
        and (kind is Kind.SYMLINK or stat.S_IMODE(status.st_mode) == entry.mode)
        and (kind is not Kind.FILE or status.st_size == entry.size)
    )


def _lstat(name: str, fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _exists(name: str, fd: int) -> bool:
    with contextlib.suppress(OSError):
        return _lstat(name, fd) is not None
    return False


@contextlib.contextmanager
def _opened(name: str, dir_fd: int) -> Iterator[int]:
    fd = os.open(name, _FOLDER_FLAGS, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _make_writable(fd: int) -> None:
    """Let this process change what is in a folder, whose mode is set again at the end."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o300 != 0o300:
        os.fchmod(fd, mode | 0o300)


def _remove_folder(name: str, fd: int) -> None:
    """Remove a folder of ours, read-only folders in it included."""
    for _, folders, _, below in os.fwalk(name, dir_fd=fd):
        for folder in folders:
            status = os.stat(folder, dir_fd=below, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.chmod(folder, 0o700, dir_fd=below)
    shutil.rmtree(name, dir_fd=fd)


def _sync(fd: int) -> None:
    """Write out what was written to a file system."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None or syncfs(fd):
        os.sync()
