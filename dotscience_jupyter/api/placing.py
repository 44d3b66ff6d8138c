# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Single files of a commit, put among the present ones: each whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from dotscience_jupyter.snapshots import Engine
from dotscience_jupyter.snapshots.ignore import RESTORE_PREFIX

_PIECE = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class ChangedError(Exception):
    """What is there is not what it was expected to be; nothing was changed."""


class NoFileError(Exception):
    """What is there is no regular file."""


def digest_of(path: Path) -> str | None:
    """Return the BLAKE3 digest of a file as engines tell it; None where there is nothing.

    Raises
    ------
    NoFileError
        If there is a folder, a link or something else.
    OSError
        If it cannot be read.
    """
    found = _read(path)
    return None if found is None else found[1]


def _read(path: Path) -> tuple[os.stat_result, str] | None:
    """Return what a file looks like, and its digest, of one and the same moment."""
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise NoFileError from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NoFileError
    with os.fdopen(descriptor, "rb") as file:
        digest = blake3()
        while piece := file.read(_PIECE):
            digest.update(piece)
        return status, digest.hexdigest()


def _looks(path: Path) -> tuple[int, ...]:
    status = os.stat(path, follow_symlinks=False)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def _staged(engine: Engine, snapshot: str, path: str, folder: Path) -> Iterator[Path]:
    """Give a file of a snapshot in a hidden folder, which no snapshot holds, inside of another."""
    stage = folder / f"{RESTORE_PREFIX}{secrets.token_hex(8)}"
    try:
        engine.restore(snapshot, stage, [path])
        staged = stage / path
        # it is changed now, whenever it was written; whoever looks at times has to notice
        os.utime(staged)
        descriptor = os.open(staged, _READ)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield staged
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def replace(engine: Engine, snapshot: str, path: str, to: Path, expected: str | None) -> None:
    """Put a file of a snapshot in the place of the present one, in one step.

    Parameters
    ----------
    engine, snapshot, path
        Where it comes from; ``path`` is a folder path of a regular file.
    to
        Where it goes; its folder is made if need be.
    expected
        The digest of what is there; None if there is nothing.

    Raises
    ------
    ChangedError, NoFileError, SnapshotError, OSError
        Nothing was changed.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    with _staged(engine, snapshot, path, to.parent) as staged:
        found = _read(to)
        if (None if found is None else found[1]) != expected:
            raise ChangedError
        if found is None:
            _link(staged, to)
            _sync(to.parent)
            return
        status, _ = found
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        # a second name keeps what is there, should somebody write to it at this very moment
        kept = staged.with_name(secrets.token_hex(8))
        with suppress(OSError):
            os.link(to, kept)
        if _looks(to) != seen:
            raise ChangedError
        os.replace(staged, to)
        with suppress(FileNotFoundError):
            if _looks(kept) != seen:
                os.replace(kept, to)
                raise ChangedError
        _sync(to.parent)


def copy(engine: Engine, snapshot: str, path: str, folder: Path, stem: str, suffix: str) -> Path:
    """Put a file of a snapshot into a folder under a name that is not taken.

    The names are ``<stem><suffix>``, ``<stem>-2<suffix>`` and so on. Whoever owns it may write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _staged(engine, snapshot, path, folder) as staged:
        os.chmod(staged, stat.S_IMODE(os.stat(staged).st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        number = 1
        while True:
            to = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
            try:
                _link(staged, to)
            except ChangedError:
                number += 1
                continue
            _sync(folder)
            return to


def _link(staged: Path, to: Path) -> None:
    """Give a file its name unless that is taken."""
    try:
        os.link(staged, to)
    except FileExistsError:
        raise ChangedError from None
    except OSError:
        # a file system without second names: the look and the renaming are two steps there
        if os.path.lexists(to):
            raise ChangedError from None
        os.rename(staged, to)


def _sync(folder: Path) -> None:
    """Make sure that a new name survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
