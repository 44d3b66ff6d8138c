# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Being told by the kernel which folders changed, so that the others need not be walked.

Linux puts an inotify event into our queue before the call that changed a file returns. So whoever
reads the queue *when a snapshot begins* knows of all that happened before, without a thread and
without waiting. What makes this right:

- A folder is watched before it is listed. What changes in it before it is watched is seen by the
  listing; what changes after that is in the queue, and marks the folder for the next walk.
- A folder that came (was made, or moved here) is walked with all that is below it, and watched
  again on the way: whatever a watch on it was thought to mean before, each now means its new path.
  Of a folder that went its parent is told, and lists what is left.
- Marks are dropped only when a snapshot that looked at them is complete, and only those that were
  there when it began.
- Where anything is in doubt (the queue ran over, a file system was mounted or unmounted, the root
  is another folder) all is walked, and then it goes on.

What the kernel does not tell is looked at in every snapshot: files with several names, which may
be written under one that is elsewhere, and folders on other file systems than the root. What it
tells late or never (shared memory maps, and names made elsewhere for a file that had one) is found
by an audit, a full walk now and then, when nobody waits.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import sys
import threading
from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, NamedTuple

from .scan import Marks

if TYPE_CHECKING:
    from inotify_simple import INotify

log = logging.getLogger(__name__)

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLY_FOLDERS, _IS_FOLDER = 0x0100_0000, 0x4000_0000
"""Bits of inotify(7), not the library's enumeration: to look into that costs more than to read."""

_SELF = _DELETE_SELF | _MOVE_SELF
_CAME = _CREATE | _MOVED_TO
_MASK = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _CAME | _DELETE | _SELF | _ONLY_FOLDERS

_PAUSE = 0.05
"""Seconds between two readings of the queue in the background, so that it does not run over."""

LOCAL = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "overlay"}
    | {"ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"}
)
"""File systems that only this kernel changes, so that it can tell of every change."""

_MANY = 256
"""A folder with so many changed names is listed."""
_NO_NAMES: set[str] = set()

_MOUNTS = "/proc/self/mountinfo"


class Ticket(NamedTuple):
    """What was told until a walk began.

    ``marks`` is where to look, None for everywhere.
    """

    marks: Marks | None
    epoch: int
    stamp: int


class _Told:
    """What events told of: names in folders, and folders with all that is below them."""

    __slots__ = ("_names", "deep")

    def __init__(self) -> None:
        self._names: dict[str, set[str] | None] = {}
        self.deep: set[str] = set()

    def add(self, path: str, name: str = "") -> None:
        """Note that something in a folder changed: a name, or without it anything."""
        names = self._names.get(path, _NO_NAMES)
        if names is None:
            return
        if not name or len(names) >= _MANY:
            self._names[path] = None
        elif names:
            names.add(name)
        else:
            self._names[path] = {name}

    def update(self, other: _Told) -> None:
        """Add what another one notes."""
        self.deep |= other.deep
        for path, names in other._names.items():
            for name in ("",) if names is None else names:
                self.add(path, name)

    def marks(self) -> Marks:
        """Return it as marks for a walk."""
        marks = Marks()
        for path, names in self._names.items():
            folder = marks.at(path)
            folder.here = names is None
            folder.names = set() if names is None else names.copy()
        for path in self.deep:
            marks.at(path).deep = True
        return marks


class LiveWatch:
    """Watches the folders of one live folder. Thread-safe, and only for the process that made it.

    Attributes
    ----------
    failure
        Why it can watch no more, for people; "" while it can.
    """

    def __init__(self, root: str, inotify: INotify) -> None:
        self._root = root
        self._inotify = inotify
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._paths: dict[int, tuple[str, int]] = {}  # of a watch: path, and when it was set
        self._stamp = 0
        # changes whenever something may have been missed; what began before then arms nothing
        self._epoch = 0
        self._armed = False
        self._root_id = (-1, -1)
        self._mounts = ""
        # what was told of since the last snapshot began, and before
        self._fresh = _Told()
        self._taken = _Told()
        self.failure = ""
        self._ended = threading.Event()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._listen, name="dotscience-live", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """Whether this process made it; a forked one would take the events from its parent."""
        return os.getpid() == self._pid

    @property
    def armed(self) -> bool:
        """Whether all changes since the last snapshot are known."""
        with self._lock:
            self._catch_up()
            return self._armed

    def close(self) -> None:
        """Stop watching."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            self.failure = self.failure or "It was closed."
        if self.is_ours:
            os.eventfd_write(self._wake, 1)
            self._thread.join()
        self._inotify.close()
        os.close(self._wake)

    # -- walks ---------------------------------------------------------------------------------

    def take(self) -> Ticket:
        """Begin a walk whose result is to replace what is known; see :meth:`done`."""
        with self._lock:
            self._catch_up()
            if not self._armed:
                # the walk sees all that was told of until now; an audit under way began before
                self._lose()
                return Ticket(None, self._epoch, self._stamp)
            self._taken.update(self._fresh)
            self._fresh = _Told()
            return Ticket(self._taken.marks(), self._epoch, self._stamp)

    def done(self, ticket: Ticket, *, whole: bool, gone: Iterable[str]) -> None:
        """Note that a walk's result is known now, and which folders are not part of it."""
        with self._lock:
            if ticket.epoch != self._epoch or self.failure:
                return
            left = {""} if whole else self._taken.deep.union(gone)
            self._taken = _Told()
            self._armed = True
            self._forget(left, ticket.stamp)

    def peek(self) -> Marks | None:
        """Return what a walk has to look at whose result replaces nothing; None: everything."""
        with self._lock:
            self._catch_up()
            if not self._armed:
                return None
            told = _Told()
            told.update(self._taken)
            told.update(self._fresh)
            return told.marks()

    def begin(self) -> Ticket:
        """Begin an audit: a walk of everything whose result replaces nothing."""
        with self._lock:
            self._catch_up()
            return Ticket(None, self._epoch, self._stamp)

    def found(self, ticket: Ticket, paths: Iterable[str]) -> None:
        """End an audit: these folders are not as they are known, all others are."""
        with self._lock:
            if ticket.epoch != self._epoch or self.failure:
                return
            for path in paths:
                self._fresh.add(path)
            self._armed = True

    def enter(self, fd: int, path: str, audit: Ticket | None = None) -> None:
        """Watch an open folder from now on; called before it is listed.

        An audit, which may be slow, does not say where a folder is that a snapshot found since.
        """
        with self._lock:
            if self.failure:
                return
            try:
                # by its descriptor, so that it is this folder and no other of that name
                watch = self._inotify.add_watch(f"/proc/self/fd/{fd}", _MASK)
            except OSError as error:
                self._fail(error)
                return
            if audit is not None and self._paths.get(watch, ("", 0))[1] > audit.stamp:
                return
            self._stamp += 1
            self._paths[watch] = (path, self._stamp)
            if not path:
                self._root_id = _identity(os.fstat(fd))

    def _forget(self, left: Set[str], before: int) -> None:
        """Remove watches at or below paths, unless they were set again since."""
        for watch, (path, stamp) in list(self._paths.items()) if left else ():
            if stamp > before:
                continue
            while path and path not in left:
                path = path.rpartition("/")[0]
            if path in left:
                del self._paths[watch]
                with contextlib.suppress(OSError):  # it went with its folder
                    self._inotify.rm_watch(watch)

    # -- what the kernel tells -------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Read the queue, and look at what no event tells."""
        if self.failure:
            return
        self._drain()
        try:
            root, mounts = _identity(os.stat(self._root)), _mounts_below(self._root)
        except OSError:
            self._lose()
            return
        if (self._armed and root != self._root_id) or mounts != self._mounts:
            self._mounts = mounts
            self._lose()

    def _drain(self) -> None:
        for watch, mask, _, name in self._inotify.read(timeout=0):
            if mask & (_OVERFLOW | _UNMOUNT):
                self._lose()
                continue
            if watch not in self._paths:
                continue
            path = self._paths[watch][0]
            if mask & _IGNORED:
                del self._paths[watch]
            if mask & (_IGNORED | _SELF):
                # of other folders than the root the parent tells
                if not path:
                    self._lose()
                continue
            self._fresh.add(path, name)
            if mask & _CAME and mask & _IS_FOLDER:
                self._fresh.deep.add(f"{path}/{name}" if path else name)

    def _lose(self) -> None:
        self._armed = False
        self._epoch += 1
        self._fresh, self._taken = _Told(), _Told()

    def _fail(self, error: OSError) -> None:
        self.failure = _reason(error)
        self._lose()

    def _listen(self) -> None:
        """Read the queue whenever there is something in it; the thread."""
        poller = select.poll()
        poller.register(self._inotify.fileno(), select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while not self._ended.is_set():
            poller.poll()
            with self._lock:
                if not self._ended.is_set():
                    self._drain()
            self._ended.wait(_PAUSE)


def watch_folder(root: str) -> LiveWatch | None:
    """Begin to watch a folder; None, and a word in the log, where that is not possible."""
    if sys.platform != "linux":
        return None
    from inotify_simple import INotify

    try:
        file_system = _file_system(root)
        if file_system not in LOCAL:
            log.info("Changes in %s (%s) are looked for, not watched.", root, file_system)
            return None
        return LiveWatch(root, INotify(nonblocking=True))
    except OSError as error:
        log.warning("%s", _reason(error))
        return None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _reason(error: OSError) -> str:
    text = (
        "Changes cannot be watched, so that every snapshot has to look through the whole folder. "
        "Nothing is missed, it only takes longer. "
    )
    if error.errno == errno.ENOSPC:
        return text + (
            "Linux allows no more watches: raise fs.inotify.max_user_watches with sysctl, or keep "
            "folders out of snapshots that need not be in them (.dotscienceignore)."
        )
    if error.errno == errno.EMFILE:
        return text + "Linux allows no more watchers: raise fs.inotify.max_user_instances."
    return text + f"The system says: {error.strerror or error}."


def _mount_lines() -> list[str]:
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        return file.readlines()


def _escaped(path: str) -> str:
    """Return a path as it stands in mountinfo."""
    for character in "\\ \t\n":
        path = path.replace(character, f"\\{ord(character):03o}")
    return path


def _mounts_below(root: str) -> str:
    """Return what is mounted somewhere below a folder."""
    place = f" {_escaped(os.path.realpath(root)).rstrip('/')}/"
    return "".join(line for line in _mount_lines() if place in line)


def _file_system(root: str) -> str:
    """Return the type of the file system that a folder is on; "" if it cannot be told."""
    path = _escaped(os.path.realpath(root))
    found, length = "", 0
    for line in _mount_lines():
        point, _, kind = line.partition(" - ")
        point = point.split(" ")[4]
        if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= length:
            found, length = kind.split(" ")[0], len(point)
    return found
