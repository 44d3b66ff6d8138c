# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A power cut, by replaying what was written below a folder up to some moment.

What the system calls did there is recorded in order. A crash state is then made from a
prefix of it, as a journaling file system may leave it: of data and of names, only what was synced
is sure to be there; what came later may be there or not. The four corners are tried: nothing that
was not synced, all of it, names without data, data without names; and mixtures by chance,
where each single write and each single name came or did not. What a buffered file object writes is
recorded when the file is synced or renamed.

To find out what a single fsync is good for it can be left out: :meth:`Recorder.without`. Nothing
needs to be done anew for that, since to sync has no effect but on what a power cut leaves.

Nothing is really synced while it is recorded, which would take most of the time.
"""

from __future__ import annotations

import fcntl
import os
import random
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from operator import is_not
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from dotscience_jupyter.snapshots.rollback import doing

OURS = os.path.dirname(os.path.dirname(doing.__file__))
"""The folder with the code whose syncs are told apart."""

SYNCING = frozenset({"fsync_folder", "sync", "Store.replace", "Store.make_part"})
"""Functions that sync for others: what matters is who calls them. See :func:`site_of`."""

_CLONE_RANGE = 0x4020940D
_CLONE = struct.Struct("<qQQQ")
_CONTENT = ("write", "truncate", "mode", "time")
_EVERYTHING = "everything"


@dataclass(eq=False)
class Operation:
    """One thing done.

    ``kind`` is create, mkdir, symlink, write, truncate, mode, time, sync, rename, unlink, link.
    """

    kind: str
    file: int = -1  # which file; numbers are never used again, unlike inodes
    path: str = ""
    to: str = ""
    offset: int = 0  # the size, mode or time as well
    data: bytes = b""
    site: str = ""  # of what syncs: where in the code


@dataclass
class Disk:
    """Names and contents, as far as they reached the disk."""

    names: dict[str, int] = field(default_factory=dict)  # path -> file; -1 for folders
    contents: dict[int, bytearray] = field(default_factory=dict)
    targets: dict[int, bytes] = field(default_factory=dict)  # of symbolic links
    modes: dict[int, int] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)

    def write_to(self, place: Path) -> None:
        """Make a folder of it. What is in a folder that did not reach the disk is not there."""
        place.mkdir(parents=True)
        made: dict[int, Path] = {}
        folders = {""}  # a link to one may have taken the place of another one
        for path, number in sorted(self.names.items()):
            target = place / path
            if os.path.dirname(path) not in folders:
                continue
            if number < 0:
                target.mkdir(exist_ok=True)  # the uppermost one is there
                folders.add(path)
            elif number in made:
                os.link(made[number], target, follow_symlinks=False)
            else:
                made[number] = target
                self._make(target, number)

    def _make(self, target: Path, number: int) -> None:
        if number in self.targets:
            target.symlink_to(os.fsdecode(self.targets[number]))
        else:
            target.write_bytes(self.contents.get(number, b""))
            if number in self.modes:
                target.chmod(self.modes[number])
        if number in self.times:
            os.utime(target, ns=(self.times[number],) * 2, follow_symlinks=False)

    def apply(self, operation: Operation) -> None:
        """Do something."""
        kind, file = operation.kind, operation.file
        if kind in _CONTENT:
            self._change(operation)
        elif kind in ("create", "mkdir", "symlink"):
            self.names[operation.path] = file
            if kind == "symlink":
                self.targets[file] = operation.data
        elif kind == "rename":
            self._rename(operation.path, operation.to, file)
        elif kind == "link":
            self.names[operation.to] = file
        elif kind == "unlink":
            self.names.pop(operation.path, None)

    def _change(self, operation: Operation) -> None:
        kind, file, offset = operation.kind, operation.file, operation.offset
        if kind == "mode":
            self.modes[file] = offset
            return
        if kind == "time":
            self.times[file] = offset
            return
        content = self.contents.setdefault(file, bytearray())
        if kind == "truncate":
            del content[offset:]
            content.extend(bytes(offset - len(content)))
            return
        end = offset + len(operation.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[offset:end] = operation.data

    def _rename(self, path: str, to: str, file: int) -> None:
        names = self.names
        if file >= 0:
            # a file's new name may be there although the first one never was
            if names.get(path) == file:
                del names[path]
            names[to] = file
        elif path in names:
            names[to] = names.pop(path)
            below = path + "/"
            for name in [name for name in names if name.startswith(below)]:
                names[f"{to}/{name[len(below) :]}"] = names.pop(name)

    def take_content(self, other: Disk, file: int) -> None:
        """Have a file's content as another disk has it."""
        if file in other.contents:
            self.contents[file] = bytearray(other.contents[file])
        for mine, theirs in ((self.modes, other.modes), (self.times, other.times)):
            if file in theirs:
                mine[file] = theirs[file]


def _concerns(folder: str, operation: Operation) -> bool:
    """Whether something was done to a name in a folder."""
    if operation.kind in _CONTENT:
        return False
    paths = filter(None, (operation.path, operation.to))
    return any((os.path.dirname(path) or ".") == folder for path in paths)


class Replay:
    """A disk, and what was done and not synced since, so that it may be there or not.

    To sync a folder makes only what happened to names in it sure, to sync a file only its content:
    ext4, XFS and btrfs then keep a new file's own name as well, others need not.
    """

    def __init__(self) -> None:
        self.disk = Disk()
        self.loose: list[Operation] = []

    def do(self, operation: Operation) -> None:
        """Do the next thing."""
        if operation.kind != "sync":
            if operation.kind != "nothing":
                self.loose.append(operation)
        elif operation.path == _EVERYTHING:
            self._settle(lambda _: True)
        elif operation.file >= 0:
            self._settle(lambda op: op.file == operation.file and op.kind in _CONTENT)
        else:
            self._settle(lambda op: _concerns(operation.path, op))

    def _settle(self, is_sure: Callable[[Operation], bool]) -> None:
        sure = {id(operation) for operation in self.loose if is_sure(operation)}
        moved = {op.file for op in self.loose if id(op) in sure and op.kind == "rename"} - {-1}
        left = []
        for operation in self.loose:
            if id(operation) in sure or (operation.kind == "create" and operation.file in moved):
                self.disk.apply(operation)
            else:
                left.append(operation)
        self.loose = left

    def end(self, came: Callable[[Operation], bool]) -> Disk:
        """Return what is on disk if some of what was not synced came there as well."""
        for operation in self.loose:
            if came(operation):
                self.disk.apply(operation)
        return self.disk


class Recorder:
    """Records what is done below a folder.

    Parameters
    ----------
    root
        The folder. What is in it already is on the disk, if :meth:`adopt` is called.
    clones
        Whether to play a file system that can share blocks, by copying them.
    """

    def __init__(self, root: Path, *, clones: bool = False) -> None:
        self.root = os.path.abspath(root)
        self.operations: list[Operation] = []
        self.begin = 0
        self.marks: set[int] = set()
        self._clones = clones
        self._lock = threading.RLock()
        self._files: dict[tuple[int, int], int] = {}  # device and inode -> file
        self._folders: dict[tuple[int, int], str] = {}  # the same -> path
        self._written: set[int] = set()
        self._count = 0

    def __len__(self) -> int:
        return len(self.operations)

    def mark(self) -> int:
        """Return the number of operations by now, at which something was promised."""
        self.marks.add(len(self))
        return len(self)

    def adopt(self) -> None:
        """Take what is below the root for being on the disk since long ago."""
        for place, folders, files in os.walk(self.root):
            for name in folders + files:
                self._adopt(os.path.join(place, name))
        self._add("sync", path=_EVERYTHING)
        self.begin = len(self)

    def _adopt(self, path: str) -> None:
        inside = self._inside(path)
        assert inside is not None
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            self._add("mkdir", -1, inside)
            return
        known = self._files.get(_inode(status))
        if known is not None:
            self._add("link", known, to=inside)
            return
        number = self._new(status)
        if stat.S_ISLNK(status.st_mode):
            self._add("symlink", number, inside, data=os.fsencode(os.readlink(path)))
        else:
            self._add("create", number, inside)
            self._add("write", number, data=Path(path).read_bytes())
            self._add("mode", number, offset=stat.S_IMODE(status.st_mode))
        self._add("time", number, offset=status.st_mtime_ns)

    def _inside(self, path: Any, dir_fd: int | None = None) -> str | None:
        try:
            text = os.fsdecode(path)
        except TypeError:
            return None  # a descriptor
        if dir_fd is not None:
            text = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), text)
        text = os.path.abspath(text)
        if text == self.root:
            return "."
        return text[len(self.root) + 1 :] if text.startswith(self.root + "/") else None

    def _add(self, *args: Any, **kwargs: Any) -> None:
        operation = Operation(*args, **kwargs)
        if operation.kind in ("write", "truncate"):
            self._written.add(operation.file)
        self.operations.append(operation)

    def _new(self, status: os.stat_result) -> int:
        self._count += 1
        self._files[_inode(status)] = self._count
        return self._count

    def _file(self, fd: int) -> int | None:
        return self._files.get(_inode(os.fstat(fd)))

    def _named(self, path: Any, dir_fd: int | None = None) -> int:
        """Return which file has a name; -1 for a folder, and what is not recorded."""
        status = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        return -1 if stat.S_ISDIR(status.st_mode) else self._files.get(_inode(status), -1)

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Record what happens meanwhile."""
        with monkeypatch.context() as patch:
            for name in dir(self):
                if name.startswith("do_"):
                    owner: Any = fcntl if name == "do_ioctl" else os
                    real = getattr(owner, name[3:])
                    patch.setattr(owner, name[3:], self._wrapped(real, getattr(self, name)))
            patch.setattr(doing, "sync", self._sync_all)
            yield

    def _wrapped(self, real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return ours(real, *args, **kwargs)

        return call

    def do_open(self, real: Any, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        dir_fd = kwargs.get("dir_fd")
        inside = self._inside(path, dir_fd)
        new = False
        if inside is not None and flags & os.O_CREAT:
            new = not os.path.lexists(os.path.join(self.root, inside))
        fd: int = real(path, flags, *args, **kwargs)
        if inside is None:
            return fd
        status = os.fstat(fd)
        if new:
            self._add("create", self._new(status), inside)
        elif flags & os.O_TRUNC and _inode(status) in self._files:
            self._add("truncate", self._files[_inode(status)])
        elif stat.S_ISDIR(status.st_mode):
            self._files[_inode(status)] = -1
            self._folders[_inode(status)] = inside
        return fd

    def do_mkdir(self, real: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        real(path, *args, **kwargs)
        if (inside := self._inside(path, kwargs.get("dir_fd"))) is not None:
            self._add("mkdir", -1, inside)

    def do_symlink(self, real: Any, target: Any, path: Any, **kwargs: Any) -> None:
        real(target, path, **kwargs)
        dir_fd = kwargs.get("dir_fd")
        if (inside := self._inside(path, dir_fd)) is not None:
            number = self._new(os.stat(path, dir_fd=dir_fd, follow_symlinks=False))
            self._add("symlink", number, inside, data=os.fsencode(target))

    def do_write(self, real: Any, fd: int, data: Any) -> int:
        number = self._file(fd)
        offset = os.lseek(fd, 0, os.SEEK_CUR) if number is not None else 0
        count: int = real(fd, data)
        if number is not None:
            self._add("write", number, offset=offset, data=bytes(memoryview(data)[:count]))
        return count

    def do_writev(self, real: Any, fd: int, buffers: Any) -> int:
        number = self._file(fd)
        offset = os.lseek(fd, 0, os.SEEK_CUR) if number is not None else 0
        count: int = real(fd, buffers)
        if number is not None:
            self._add("write", number, offset=offset, data=b"".join(buffers)[:count])
        return count

    def do_pwrite(self, real: Any, fd: int, data: Any, offset: int) -> int:
        count: int = real(fd, data, offset)
        if (number := self._file(fd)) is not None:
            self._add("write", number, offset=offset, data=bytes(memoryview(data)[:count]))
        return count

    def do_ftruncate(self, real: Any, fd: int, length: int) -> None:
        real(fd, length)
        if (number := self._file(fd)) is not None:
            self._add("truncate", number, offset=length)

    def do_posix_fallocate(self, real: Any, fd: int, offset: int, length: int) -> None:
        real(fd, offset, length)
        if (number := self._file(fd)) is not None:
            self._add("truncate", number, offset=max(os.fstat(fd).st_size, offset + length))

    def do_copy_file_range(self, real: Any, source: int, target: int, *args: Any) -> int:
        assert self._file(target) is None, "what is copied by the kernel is not recorded"
        return int(real(source, target, *args))

    def do_ioctl(self, real: Any, fd: int, request: int, argument: Any = 0) -> Any:
        number = self._file(fd) if request == _CLONE_RANGE else None
        if number is None:
            return real(fd, request, argument)
        source, start, length, at = _CLONE.unpack(argument)
        if self._clones:
            # 0 is all that there is, as the kernel has it
            os.pwrite(fd, os.pread(source, length or os.fstat(source).st_size, start), at)
            return 0
        result = real(fd, request, argument)
        count = length or os.fstat(fd).st_size - at
        self._add("write", number, offset=at, data=os.pread(fd, count, at))
        return result

    def do_utime(self, real: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        real(path, *args, **kwargs)
        if isinstance(path, int):
            number, status = self._file(path), os.fstat(path)
        elif self._inside(path, kwargs.get("dir_fd")) is None:
            return
        else:
            number = self._named(path, kwargs.get("dir_fd"))
            status = os.stat(path, dir_fd=kwargs.get("dir_fd"), follow_symlinks=False)
        if number is not None and number >= 0:
            self._add("time", number, offset=status.st_mtime_ns)

    def do_fchmod(self, real: Any, fd: int, mode: int) -> None:
        real(fd, mode)
        if (number := self._file(fd)) is not None and number >= 0:
            self._add("mode", number, offset=mode)

    def do_fsync(self, _real: Any, fd: int) -> None:
        if (number := self._file(fd)) is not None:
            path = self._folders.get(_inode(os.fstat(fd)), "")
            if number >= 0:
                self._read_unseen(number, f"/dev/fd/{fd}")
            self._add("sync", number, path, site=site_of(sys._getframe()))

    do_fdatasync = do_fsync

    def _sync_all(self, _fd: int) -> None:
        with self._lock:
            self._add("sync", path=_EVERYTHING, site=site_of(sys._getframe()))

    def do_rename(self, real: Any, source: Any, target: Any, **kwargs: Any) -> None:
        first = self._inside(source, kwargs.get("src_dir_fd"))
        second = self._inside(target, kwargs.get("dst_dir_fd"))
        number = -1
        if first is not None:
            number = self._named(source, kwargs.get("src_dir_fd"))
            if number >= 0 and not os.path.islink(os.path.join(self.root, first)):
                self._read_unseen(number, os.path.join(self.root, first))
        if second is not None:
            self._forget_last(os.path.join(self.root, second))
        real(source, target, **kwargs)
        if first is not None and second is not None:
            self._add("rename", number, first, second)

    do_replace = do_rename

    def _read_unseen(self, number: int, path: str) -> None:
        """Record what was written to a file through a buffered file object, if at all."""
        if number not in self._written and (data := Path(path).read_bytes()):
            self._add("write", number, data=data)

    def do_link(self, real: Any, source: Any, target: Any, **kwargs: Any) -> None:
        real(source, target, **kwargs)
        second = self._inside(target, kwargs.get("dst_dir_fd"))
        if second is not None:
            number = self._named(target, kwargs.get("dst_dir_fd"))
            assert number >= 0, "what is linked has to be below the folder"
            self._add("link", number, to=second)

    def do_unlink(self, real: Any, path: Any, **kwargs: Any) -> None:
        inside = self._inside(path, kwargs.get("dir_fd"))
        if inside is not None:
            self._forget_last(os.path.join(self.root, inside))
        real(path, **kwargs)
        if inside is not None:
            self._add("unlink", path=inside)

    do_remove = do_unlink
    do_rmdir = do_unlink

    def _forget_last(self, path: str) -> None:
        """Forget a file that loses its last name: another one may get its inode."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
            self._files.pop(_inode(status), None)
            self._folders.pop(_inode(status), None)

    # -- what a power cut leaves -----------------------------------------------------------------

    def disk(self, count: int, *, names: bool, data: bool) -> Disk:
        """Return what is on disk if the power fails after so many operations.

        ``names`` and ``data`` tell whether what was not synced reached it nevertheless. Here to
        sync a folder makes all names sure, and a new file's own name comes with its content.
        """
        disk, synced = Disk(), Disk()
        for operation in self.operations[:count]:
            disk.apply(operation)
            if operation.kind != "sync":
                continue
            if operation.file >= 0:
                synced.take_content(disk, operation.file)
                for path, number in disk.names.items():
                    if number == operation.file:
                        synced.names.setdefault(path, number)
            else:
                synced.names = dict(disk.names)
                if operation.path == _EVERYTHING:
                    for number in disk.names.values():
                        synced.take_content(disk, number)
        content = disk if data else synced
        return Disk(
            disk.names if names else synced.names,
            content.contents,
            disk.targets,
            content.modes,
            content.times,
        )

    def mixture(self, count: int, rand: random.Random) -> Disk:
        """Return what may be on disk if each thing that was not synced came there by chance."""
        likely = rand.random()
        return self._replay(count).end(lambda _: rand.random() < likely)

    def _replay(self, count: int) -> Replay:
        replay = Replay()
        for operation in self.operations[:count]:
            replay.do(operation)
        return replay

    # -- what a single fsync is good for ---------------------------------------------------------

    def sites(self) -> list[str]:
        """Return where in the code something was synced."""
        return sorted({op.site for op in self.operations if op.site})

    def without(self, site: str) -> Recorder:
        """Return the same, without what was synced at a place in the code."""
        other = Recorder(Path(self.root))
        other.operations = [
            Operation("nothing") if operation.site == site else operation
            for operation in self.operations
        ]
        other.begin, other.marks = self.begin, self.marks
        return other

    def harmed(self, other: Recorder) -> list[tuple[int, set[int]]]:
        """Return after how many operations something is loose only in the other.

        Those at which something was promised come first, then the ends of the times for which
        it is. With each the ids of the operations.
        """
        mine, theirs = Replay(), Replay()
        found: list[tuple[int, set[int]]] = []
        for count, (first, second) in enumerate(
            zip(self.operations, other.operations, strict=True), 1
        ):
            mine.do(first)
            theirs.do(second)
            extra = {id(op) for op in theirs.loose} - {id(op) for op in mine.loose}
            if extra and count >= self.begin:
                found.append((count, extra))
        last = {count for count, _ in found} - {count - 1 for count, _ in found}
        return sorted(found, key=lambda each: (each[0] not in self.marks, each[0] not in last))

    def leavings(self, count: int, extra: set[int]) -> Iterator[Disk]:
        """Yield what may be on disk, the worst first, where some operations did not come there."""

        def is_extra(operation: Operation) -> bool:
            return id(operation) in extra

        def is_data(operation: Operation) -> bool:
            return operation.kind in _CONTENT

        yield self._replay(count).end(lambda op: not is_extra(op))
        yield self._replay(count).end(lambda op: not (is_extra(op) and is_data(op)))
        yield self._replay(count).end(lambda op: not is_extra(op) or is_data(op))
        yield self._replay(count).end(lambda _: False)
        # a single one alone, since another one may be what makes it matter
        loose = self._replay(count).loose
        for single in [op for op in loose if is_extra(op) and not is_data(op)]:
            yield self._replay(count).end(partial(is_not, single))


def do_not_sync(patch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for the disk: what a look at a crash state leaves there is thrown away."""
    for name in ("fsync", "fdatasync", "sync"):
        patch.setattr(os, name, lambda *_: None)
    patch.setattr(doing, "sync", lambda _: None)


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@cache
def _module(path: str) -> str | None:
    """Return the name of a module of ours, without what all of them have in common."""
    if not path.startswith(OURS + "/"):
        return None
    return path[len(OURS) + 1 : -len(".py")].replace("/", ".")


def site_of(frame: FrameType | None) -> str:
    """Return which line of which function of ours wants something synced."""
    while frame is not None:
        module = _module(frame.f_code.co_filename)
        if module is not None and frame.f_code.co_qualname not in SYNCING:
            return f"{module}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
