# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Putting files into the live folder, each whole or not at all, and never through a link."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots.engine import Engine, Entry, Kind, PathNotFoundError

PREFIX = ".~dotscience-"
"""How the names of files begin that are being written; such names are never frozen."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Placed:
    """What is to be at a folder path.

    Parameters
    ----------
    path
        Folder path.
    kind
        None where nothing is to be; a folder goes only if it is empty then.
    content
        The bytes of a file, or (snapshot, path) of the frozen file to take them from.
    mode
        Permission bits.
    target
        Where a link points.
    mtime_ns
        The time of modification, where it is to be as it was.
    """

    path: str
    kind: Kind | None
    content: bytes | tuple[str, str] = b""
    mode: int = 0o644
    target: str = ""
    mtime_ns: int | None = None


def place(engine: Engine, root: Path, things: Iterable[Placed]) -> None:
    """Make the folder hold these things: what goes first, the deepest first, then what comes.

    Raises
    ------
    OSError, SnapshotError
        Some of it is done and some is not; no file is half written.
    """
    things = sorted(things, key=lambda each: each.path.split("/"))
    folders: set[str] = set()
    for thing in reversed(things):
        if thing.kind is None or thing.kind is not _kind(root, thing.path):
            _remove(root, thing.path)
            folders.add(thing.path.rpartition("/")[0])
    for thing in things:
        if thing.kind is not None:
            _write(engine, root, thing)
            folders.add(thing.path.rpartition("/")[0])
    for folder in folders:
        with contextlib.suppress(OSError), _opened(root, f"{folder}/x" if folder else "x") as fd:
            os.fsync(fd)


def mark_of(engine: Engine, thing: Placed) -> str:
    """Return what tells that a thing is in the folder as it was placed."""
    if thing.kind is None or thing.kind is Kind.FOLDER:
        return str(thing.kind or "")
    if thing.kind is Kind.SYMLINK:
        return f"link {to_text(thing.target)}"
    if isinstance(thing.content, bytes):
        return f"file {blake3(thing.content).hexdigest()}"
    return f"file {engine.entry(*thing.content).digest}"


def live_mark(root: Path, path: str) -> str:
    """Return the mark of what is at a path now."""
    kind = _kind(root, path)
    if kind is None or kind is Kind.FOLDER:
        return str(kind or "")
    name = path.rpartition("/")[2]
    with _opened(root, path) as fd:
        if kind is Kind.SYMLINK:
            return f"link {to_text(os.readlink(name, dir_fd=fd))}"
        hasher = blake3()
        with os.fdopen(os.open(name, _READ, dir_fd=fd), "rb") as file:
            while piece := file.read(_CHUNK):
                hasher.update(piece)
        return f"file {hasher.hexdigest()}"


def put_back(engine: Engine, root: Path, snapshot: str, paths: Iterable[str]) -> None:
    """Make paths and the folders they lie in what they were in a snapshot, times included."""
    wanted = sorted(set(paths), key=lambda path: path.split("/"))
    parents = {parent for path in wanted for parent in _parents(path)}
    things: list[Placed] = []
    folders: list[Entry] = []
    for path in sorted({*wanted, *parents}, key=lambda path: path.split("/")):
        entry = _entry(engine, snapshot, path)
        if entry is None:
            things.append(Placed(path, None))
        elif entry.kind is Kind.FOLDER:
            folders.append(entry)
            things.append(Placed(path, Kind.FOLDER, mode=entry.mode))
        elif not _is_as(root, entry):
            things.append(
                Placed(
                    path,
                    entry.kind,
                    (snapshot, path),
                    entry.mode,
                    entry.target,
                    entry.mtime_ns,
                )
            )
    place(engine, root, things)
    for entry in reversed(folders):
        with contextlib.suppress(OSError), _opened(root, entry.path) as fd:
            name = entry.path.rpartition("/")[2]
            os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=fd, follow_symlinks=False)


def _entry(engine: Engine, snapshot: str, path: str) -> Entry | None:
    try:
        return engine.entry(snapshot, path)
    except PathNotFoundError:
        return None


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for number in range(1, len(parts) + 1):
        yield "/".join(parts[:number])


@contextlib.contextmanager
def _opened(root: Path, path: str, make: bool = False) -> Iterator[int]:
    """Open the folder that a path lies in; with ``make``, missing ones are made."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.split("/")[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=fd)
            below = os.open(name, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def _status(root: Path, path: str) -> os.stat_result | None:
    try:
        with _opened(root, path) as fd:
            return os.stat(path.rpartition("/")[2], dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _kind(root: Path, path: str) -> Kind | None:
    status = _status(root, path)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return Kind.FOLDER
    return Kind.SYMLINK if stat.S_ISLNK(status.st_mode) else Kind.FILE


def _is_as(root: Path, entry: Entry) -> bool:
    """Whether all that the system tells of a live file is as in its entry."""
    status = _status(root, entry.path)
    return (
        status is not None
        and _kind(root, entry.path) is entry.kind
        and status.st_mtime_ns == entry.mtime_ns
        and (entry.kind is Kind.SYMLINK or stat.S_IMODE(status.st_mode) == entry.mode)
        and (entry.kind is not Kind.FILE or status.st_size == entry.size)
    )


def _remove(root: Path, path: str) -> None:
    kind = _kind(root, path)
    if kind is None:
        return
    with _opened(root, path) as fd:
        name = path.rpartition("/")[2]
        if kind is not Kind.FOLDER:
            os.unlink(name, dir_fd=fd)
            return
        try:
            os.rmdir(name, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def _write(engine: Engine, root: Path, thing: Placed) -> None:
    name = thing.path.rpartition("/")[2]
    with _opened(root, thing.path, make=True) as fd:
        if thing.kind is Kind.FOLDER:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
            below = os.open(name, _FOLDER, dir_fd=fd)
            try:
                os.fchmod(below, thing.mode)
            finally:
                os.close(below)
            return
        temporary = PREFIX + secrets.token_hex(8)
        try:
            if thing.kind is Kind.SYMLINK:
                os.symlink(thing.target, temporary, dir_fd=fd)
            else:
                _fill(engine, temporary, fd, thing)
            if thing.mtime_ns is not None:
                times = (thing.mtime_ns, thing.mtime_ns)
                os.utime(temporary, ns=times, dir_fd=fd, follow_symlinks=False)
            os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=fd)
            raise


def _fill(engine: Engine, name: str, folder: int, thing: Placed) -> None:
    with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=folder), "wb") as file:
        if isinstance(thing.content, bytes):
            file.write(thing.content)
        else:
            with engine.open(*thing.content) as source:
                shutil.copyfileobj(source, file, _CHUNK)
        file.flush()
        os.fchmod(file.fileno(), thing.mode)
        os.fsync(file.fileno())
