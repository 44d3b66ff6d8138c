# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a command prints: passed on as it comes, kept on disk in bounded room, searched for runs."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import BinaryIO

from .runtext import CLOSING, MAX_BLOCK

HALF = 5 * 1024 * 1024
"""Bytes kept of the beginning and of the end of a log that is longer than twice this."""

_OPEN = re.compile(rb"\[\[DOTSCIENCE-RUN:([0-9A-Za-z_-]{1,64})\]\]")
_LONGEST_MARK = len(CLOSING) + 64 + 2


class LogFile:
    """A log on disk: its first 5 MB, and the last 5 MB in two files that are written in turn.

    What is written is there for another process at once, so the log of a command whose tracker was
    killed is complete up to that moment.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._paths = [folder / f"{name}.log", folder / f"{name}.tail-0", folder / f"{name}.tail-1"]
        self._file: BinaryIO | None = None
        self._current = 0
        self._room = HALF

    def write(self, data: bytes) -> None:
        """Append to the log."""
        while data:
            if self._file is None or not self._room:
                self._next()
            assert self._file is not None
            part, data = data[: self._room], data[self._room :]
            self._file.write(part)
            self._room -= len(part)

    def _next(self) -> None:
        if self._file is not None:
            self._file.close()
            self._current = 2 if self._current == 1 else 1
        self._file = self._paths[self._current].open("wb", buffering=0)
        self._room = HALF

    def close(self) -> None:
        """Stop writing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> bytes:
        """Return the log, with a line in the middle that says so when something is left out."""
        head, *tails = (path.read_bytes() if path.exists() else b"" for path in self._paths)
        if not tails[1]:
            return head + tails[0]
        # the one that is not full is the one that was begun last
        first_is_newer = len(tails[0]) < len(tails[1])
        if len(tails[0]) == len(tails[1]):
            times = [path.stat().st_mtime_ns for path in self._paths[1:]]
            first_is_newer = times[0] > times[1]
        tail = tails[1] + tails[0] if first_is_newer else tails[0] + tails[1]
        note = (
            f"\n[... output left out: the first and the last {HALF // 1024**2} MB are kept ...]\n"
        )
        return head + note.encode() + tail[-HALF:]


class BlockFile:
    """Keeps the run blocks of an endless output, and little else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._held = b""  # the end of what was seen, where a marker may have been cut in two
        self._closing = b""  # of the block that is open, if one is
        self._taken = 0  # bytes of that block

    def write(self, data: bytes) -> None:
        """Look at more output."""
        data = self._held + data
        # what may be the beginning of a marker is looked at again with what follows; a whole one
        # never waits, for we may be killed before anything follows
        mark = data.rfind(b"[[", max(len(data) - _LONGEST_MARK, 0))
        if mark < 0 or b"]]" in data[mark:]:
            mark = len(data) - data.endswith(b"[")
        self._held = data[mark:]
        self._feed(data[:mark])

    def _feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            opening = _OPEN.search(data, position)
            start = opening.start() if opening is not None else len(data)
            if not self._closing:
                if opening is None:
                    return
                position = start
            else:
                end = data.find(self._closing, position, start)
                if end >= 0:
                    end += len(self._closing)
                    self._keep(data[position:end] + b"\n")
                    self._closing, position = b"", end
                    continue
                self._keep(data[position:start])
                position = start
            if opening is not None:
                # an opening inside of an open block: that one was never finished, or says so in
                # a text; either way all of it is kept
                self._closing = CLOSING.encode() + opening[1] + b"]]"
                self._taken = 0
                self._keep(opening[0])
                position = opening.end()

    def _keep(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data)
        self._taken += len(data)
        if self._taken > MAX_BLOCK:
            self._closing, self._taken = b"", 0

    def close(self) -> None:
        """Stop looking."""
        if self._held:
            self._feed(self._held)
            self._held = b""
        if self._file is not None:
            self._file.close()
            self._file = None


class Pump(threading.Thread):
    """Passes a pipe on until it ends, keeping what goes through."""

    def __init__(
        self, source: BinaryIO, sink: BinaryIO, log: LogFile, blocks: BlockFile | None
    ) -> None:
        super().__init__(daemon=True, name="dotscience-output")
        self._source = source
        self._sink = sink
        self._log = log
        self._blocks = blocks
        self._stopping = False
        self._guard = threading.Lock()
        self.moved = 0  # bytes so far
        self.failure: OSError | None = None  # why the log is not complete

    def run(self) -> None:
        """Pass on, until the other side closes the pipe."""
        passing = True
        while data := os.read(self._source.fileno(), 65536):
            with self._guard:
                if self._stopping:
                    continue
                self.moved += len(data)
                self._store(data)
            if not passing:
                continue
            try:
                _write_all(self._sink, data)
            except BrokenPipeError:
                # nobody listens: the command shall meet the closed pipe as it would without us
                break
            except (OSError, ValueError):
                passing = False
        self._source.close()

    def _store(self, data: bytes) -> None:
        try:
            if self.failure is None:
                self._log.write(data)
            if self._blocks is not None:
                self._blocks.write(data)
        except OSError as error:  # a full disk must not stop the command's output
            self.failure = error

    def finish(self) -> None:
        """Keep nothing of what still comes (from what the command left running)."""
        with self._guard:
            self._stopping = True
            self._log.close()
            if self._blocks is not None:
                self._blocks.close()


def _write_all(sink: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = sink.write(view)
        view = view[written if written is not None else len(view) :]
    sink.flush()
