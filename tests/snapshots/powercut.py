# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A power cut, by replaying what was written to a store up to some moment.

What the system calls below a folder did is recorded in order. A crash state is then made from a
prefix of it, as a journaling file system may leave it: of data and of names, only what was synced
is sure to be there; what came later may be there or not. The four corners are tried: nothing that
was not synced, all of it, names without data, data without names; and mixtures by chance,
where each single write and each single name came or did not. Times are not kept, and what is
written through a buffered file object counts as never written (only caches are).
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Operation:
    """One thing done: ``kind`` is create, mkdir, write, truncate, sync, rename, unlink, link."""

    kind: str
    file: int = -1  # which file; numbers are never used again, unlike inodes
    path: str = ""
    to: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """Names and contents, as far as they reached the disk."""

    names: dict[str, int] = field(default_factory=dict)  # path -> file; -1 for folders
    contents: dict[int, bytearray] = field(default_factory=dict)

    def write_to(self, place: Path) -> None:
        place.mkdir(parents=True)
        for path, number in sorted(self.names.items()):
            target = place / path
            if number < 0:
                target.mkdir(parents=True, exist_ok=True)
            elif target.parent.is_dir():  # else its folder did not reach the disk
                target.write_bytes(self.contents.get(number, b""))


def _concerns(folder: str, operation: Operation) -> bool:
    """Whether something was done to a name in a folder."""
    paths = filter(None, (operation.path, operation.to))
    return any((os.path.dirname(path) or ".") == folder for path in paths)


def _writes(number: int, operation: Operation) -> bool:
    """Whether a file was made or written."""
    return operation.file == number


class Recorder:
    """Records what is done below a folder that does not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.abspath(root)
        self.operations: list[Operation] = []
        self._lock = threading.RLock()
        self._files: dict[int, int] = {}  # inode -> file
        self._folders: dict[int, str] = {}  # inode -> path
        self._count = 0

    def __len__(self) -> int:
        return len(self.operations)

    def _inside(self, path: Any) -> str | None:
        try:
            text = os.path.abspath(os.fsdecode(path))
        except TypeError:
            return None  # a descriptor
        if text == self.root:
            return "."
        return text[len(self.root) + 1 :] if text.startswith(self.root + "/") else None

    def _add(self, *args: Any, **kwargs: Any) -> None:
        self.operations.append(Operation(*args, **kwargs))

    def _file(self, fd: int) -> int | None:
        return self._files.get(os.fstat(fd).st_ino)

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Record what happens meanwhile."""
        with monkeypatch.context() as patch:
            for name in dir(self):
                if name.startswith("do_"):
                    real = getattr(os, name[3:])
                    patch.setattr(os, name[3:], self._wrapped(real, getattr(self, name)))
            yield

    def _wrapped(self, real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return ours(real, *args, **kwargs)

        return call

    def do_open(self, real: Any, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        inside = None if kwargs.get("dir_fd") is not None else self._inside(path)
        new = inside is not None and flags & os.O_CREAT and not os.path.lexists(path)
        fd: int = real(path, flags, *args, **kwargs)
        if inside is None:
            return fd
        inode = os.fstat(fd).st_ino
        if new:
            self._count += 1
            self._files[inode] = self._count
            self._add("create", self._count, inside)
        elif flags & os.O_TRUNC and inode in self._files:
            self._add("truncate", self._files[inode])
        elif flags & os.O_DIRECTORY:
            self._files[inode] = -1
            self._folders[inode] = inside
        return fd

    def do_mkdir(self, real: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        real(path, *args, **kwargs)
        if kwargs.get("dir_fd") is None and (inside := self._inside(path)) is not None:
            self._add("mkdir", -1, inside)

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

    def do_fsync(self, real: Any, fd: int) -> None:
        real(fd)
        if (number := self._file(fd)) is not None:
            self._add("sync", number, self._folders.get(os.fstat(fd).st_ino, ""))

    def do_fdatasync(self, real: Any, fd: int) -> None:
        self.do_fsync(real, fd)

    def do_rename(self, real: Any, source: Any, target: Any, **kwargs: Any) -> None:
        real(source, target, **kwargs)
        first, second = self._inside(source), self._inside(target)
        if first is not None and second is not None and not kwargs:
            self._add("rename", path=first, to=second)

    do_replace = do_rename

    def do_link(self, real: Any, source: Any, target: Any, **kwargs: Any) -> None:
        real(source, target, **kwargs)
        first, second = self._inside(source), self._inside(target)
        if first is not None and second is not None:
            self._add("link", path=first, to=second)

    def do_unlink(self, real: Any, path: Any, **kwargs: Any) -> None:
        real(path, **kwargs)
        if kwargs.get("dir_fd") is None and (inside := self._inside(path)) is not None:
            self._add("unlink", path=inside)

    do_remove = do_unlink
    do_rmdir = do_unlink

    def disk(self, count: int, *, names: bool, data: bool) -> Disk:
        """Return what is on disk if the power fails after so many operations.

        ``names`` and ``data`` tell whether what was not synced reached it nevertheless.
        """
        done = self.operations[:count]
        disk, synced = Disk(), Disk()
        for operation in done:
            self._apply(disk, operation)
            if operation.kind == "sync" and operation.file >= 0:
                content = disk.contents.get(operation.file, bytearray())
                synced.contents[operation.file] = bytearray(content)
                # what ext4, XFS and btrfs do: a new file's own name comes with it
                for path, number in disk.names.items():
                    if number == operation.file:
                        synced.names.setdefault(path, number)
            elif operation.kind == "sync":
                synced.names = dict(disk.names)
        return Disk(
            disk.names if names else synced.names, disk.contents if data else synced.contents
        )

    def mixture(self, count: int, rand: random.Random) -> Disk:
        """Return what may be on disk if each thing that was not synced came there by chance.

        To sync a folder makes only what happened to names in it sure.
        """
        disk, now = Disk(), Disk()
        loose: list[Operation] = []  # what was not synced, in order

        def settle(is_sure: Callable[[Operation], bool]) -> None:
            for operation in filter(is_sure, loose):
                self._apply(disk, operation)
            loose[:] = [operation for operation in loose if not is_sure(operation)]

        for operation in self.operations[:count]:
            self._apply(now, operation)
            if operation.kind != "sync":
                loose.append(operation)
            elif operation.file >= 0:
                # what ext4, XFS and btrfs do: a new file's own name comes with it
                settle(partial(_writes, operation.file))
            else:
                settle(partial(_concerns, operation.path))
        likely = rand.random()
        for operation in loose:
            if rand.random() < likely:
                self._apply(disk, operation)
        return disk

    @staticmethod
    def _apply(disk: Disk, operation: Operation) -> None:
        names, contents = disk.names, disk.contents
        kind, path = operation.kind, operation.path
        if kind in ("create", "mkdir"):
            names[path] = operation.file
            if operation.file >= 0:
                contents.setdefault(operation.file, bytearray())
        elif kind == "write":
            content = contents.setdefault(operation.file, bytearray())
            end = operation.offset + len(operation.data)
            if len(content) < end:
                content.extend(bytes(end - len(content)))
            content[operation.offset : end] = operation.data
        elif kind == "truncate":
            content = contents.setdefault(operation.file, bytearray())
            del content[operation.offset :]
            content.extend(bytes(operation.offset - len(content)))
        elif kind == "rename":
            if path not in names:
                return  # that it was made did not reach the disk
            names[operation.to] = names.pop(path)
            below = path + "/"
            for name in [name for name in names if name.startswith(below)]:
                names[f"{operation.to}/{name[len(below) :]}"] = names.pop(name)
        elif kind == "link":
            if path in names:
                names[operation.to] = names[path]
        elif kind == "unlink":
            names.pop(path, None)
