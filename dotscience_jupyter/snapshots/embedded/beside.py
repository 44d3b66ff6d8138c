# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A child process that writes small files too, so that two processors are used."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import marshal
import os
import subprocess
import sys
from collections import deque
from typing import Generic, TypeVar

from . import newfile
from .newfile import HEAD, Small

_PIPE = 1 << 20
"""Bytes of messages that may wait, where the system lets a pipe be so long."""
_MOST = 8
"""So many batches wait: their folders are open here."""

_Token = TypeVar("_Token")


class Beside(Generic[_Token]):
    """Has batches of small files written by another process. Used by one thread.

    Each batch comes with a token of the caller's, which is handed back when it is written.

    Parameters
    ----------
    top
        The open folder that paths are relative to.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self, top: int) -> None:
        self._waiting: deque[tuple[_Token, int]] = deque()
        self._bytes = 0
        if not sys.executable:
            raise OSError(errno.ENOENT, "It is not known where Python is")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", newfile.__file__, str(top)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(top,),
            cwd=os.sep,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        self._room = _widened(self._to)

    def offer(self, batch: list[tuple[bytes, list[Small]]], size: int, token: _Token) -> bool:
        """Hand over files by folder, of ``size`` bytes, unless the process has enough to do.

        Raises
        ------
        OSError
            If what it was given before cannot be written, or the process ended.
        """
        waiting = len(self._waiting)
        if waiting >= _MOST or (waiting and self._bytes + size > self._room):
            return False
        described = [
            (path, [(name, mode, mtime_ns, len(data)) for name, mode, mtime_ns, data in files])
            for path, files in batch
        ]
        message = marshal.dumps(described)
        self._waiting.append((token, size))
        self._bytes += size
        contents = [data for _, files in batch for *_, data in files]
        try:
            _write_all(self._to, [HEAD.pack(len(message), size), message, *contents])
        except BrokenPipeError:
            self.written(wait=True)  # says why
            raise
        return True

    def written(self, *, wait: bool = False) -> list[_Token]:
        """Return the tokens of batches that were written since this was asked; ``wait`` for all.

        Raises
        ------
        OSError
            If one cannot be written, or the process ended.
        """
        found: list[_Token] = []
        os.set_blocking(self._from, wait)
        while self._waiting:
            try:
                answers = os.read(self._from, len(self._waiting))
            except BlockingIOError:
                break
            if not answers:
                raise OSError(errno.EPIPE, "The process that writes the files was ended")
            for answer in answers:
                if answer:
                    raise OSError(answer, os.strerror(answer))
                token, size = self._waiting.popleft()
                self._bytes -= size
                found.append(token)
        return found

    def close(self) -> None:
        """End the process; what it was not heard of to have written may be written in part."""
        self._process.kill()
        with self._process:  # closes the pipes and waits
            pass


def _write_all(fd: int, parts: list[bytes | memoryview]) -> None:
    done = os.writev(fd, parts)
    if done < sum(map(len, parts)):  # a signal came
        rest = memoryview(b"".join(parts))[done:]
        while rest:
            rest = rest[os.write(fd, rest) :]


def _widened(pipe: int) -> int:
    """Make a pipe longer if possible; return how many bytes may be in it."""
    if not hasattr(fcntl, "F_SETPIPE_SZ"):  # not everywhere
        return 1 << 16
    with contextlib.suppress(OSError):  # it is more than this user may have
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
