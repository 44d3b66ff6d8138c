# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading files that others write: whole, unchanged meanwhile, never holding up the server."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import scan_notebook

IN_THREAD = 1024 * 1024
"""Bytes of JSON that are decoded in this process; decoding more would hold up other threads."""

TIMEOUT = 120.0
"""Seconds that a child process may take for one file."""

Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, size and inode: what tells that a file is as it was."""


class ChangedError(Exception):
    """The file changed while it was read; reading it again will do."""


class NotReadableError(Exception):
    """The file holds no usable JSON; the message goes on after "because"."""


def stamp_of(path: str) -> Stamp | None:
    """Return the stamp of a regular file, or None when there is none (a link counts as none)."""
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return _stamp(info) if stat.S_ISREG(info.st_mode) else None


def _stamp(info: os.stat_result) -> Stamp:
    return (info.st_mtime_ns, info.st_size, info.st_ino)


def open_regular(path: str) -> int:
    """Open a regular file for reading. A FIFO or a link in its place is refused, not waited for."""
    descriptor = os.open(
        path,
        os.O_RDONLY
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_CLOEXEC", 0)
        | getattr(os, "O_BINARY", 0),
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


def read_document(path: str, kind: str, stamp: Stamp) -> tuple[Any, list[bytes]]:
    """Return what :mod:`.scan_notebook` takes out of a ``notebook`` or a ``record``.

    Raises
    ------
    ChangedError
        If the file is not what ``stamp`` says, before or after.
    NotReadableError
        If it holds no usable JSON.
    OSError
        If it cannot be read.
    """
    if stamp[1] <= IN_THREAD:
        descriptor = open_regular(path)
        with open(descriptor, "rb") as file:
            data = file.read(IN_THREAD + 1)
            if _stamp(os.fstat(descriptor)) != stamp:
                raise ChangedError
        try:
            document = json.loads(data)
            if kind == "record":
                return scan_notebook.split_record(document)
            return scan_notebook.extract(document), []
        except RecursionError:
            raise NotReadableError("it is nested too deeply") from None
        except ValueError as error:
            raise NotReadableError(str(error)) from None
    try:
        answer = subprocess.run(
            # isolated and without site: nothing of the user's environment is imported
            [sys.executable, "-I", "-S", "-X", "utf8", scan_notebook.__file__, kind, path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise NotReadableError(f"reading it took more than {TIMEOUT:.0f} seconds") from None
    if stamp_of(path) != stamp:
        raise ChangedError
    if answer.returncode:
        reason = answer.stderr.decode("utf-8", "replace").strip().splitlines()
        if answer.returncode == 3:
            raise OSError(reason[-1] if reason else "it cannot be opened")
        raise NotReadableError(
            reason[-1] if reason and answer.returncode == 2 else "it is too big to be read"
        )
    head, _, rest = answer.stdout.partition(b"\n")
    document = json.loads(head)
    if kind == "notebook":
        return document, []
    arrays, position = [], 0
    for entry in (document.get("series") or {}).values():
        for length in entry.get("bytes", ()) if isinstance(entry, dict) else ():
            arrays.append(rest[position : position + length])
            position += length
    return document, arrays


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
