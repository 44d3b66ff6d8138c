# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Moving snapshots: ZFS's own streams, framed by :mod:`dotscience_jupyter.snapshots.stream`."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from dotscience_jupyter.snapshots.engine import Progress, SnapshotError
from dotscience_jupyter.snapshots.stream import FrameReader, FrameWriter, header_of

from . import begin, command, names

FORMAT = 1
_PIECE = 1 << 20
_SAY_EVERY = 1 << 24
_TOKEN = re.compile(r"[0-9]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+")
_CONTENT = re.compile(r"([0-9a-f]{64})?")


class Header(NamedTuple):
    """What is said first."""

    snapshot: str
    base: str  # "" for a whole snapshot
    name: str  # of the snapshot, behind the "@"
    content: str  # content id, "" if the sender did not know it
    raw: bool  # as it is on disk, because it is encrypted there
    resume: bool  # goes on where an earlier transfer was cut
    bytes: int  # that follow, estimated

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the stream."""
        return header_of("zfs", FORMAT) | self._asdict()

    @classmethod
    def from_json(cls, header: dict[str, Any]) -> Header:
        """Read a header that somebody sent. Raise SnapshotError if it is not right."""
        try:
            self = cls(*(header[name] for name in cls._fields))
            right = (
                names.is_identity(self.snapshot)
                and (self.base == "" or names.is_identity(self.base))
                and names.is_ours(self.name)
                and _CONTENT.fullmatch(self.content) is not None
                and isinstance(self.raw, bool)
                and isinstance(self.resume, bool)
                and type(self.bytes) is int
                and 0 <= self.bytes < 1 << 62
            )
        except (KeyError, TypeError):
            right = False
        if not right:
            raise SnapshotError("The stream's header is not right. Nothing was changed.")
        return self


class Token(NamedTuple):
    """What ZFS's token of a transfer that was cut says."""

    snapshot: str
    base: str  # "" for a whole snapshot
    raw: bool

    @classmethod
    def parse(cls, token: str) -> Token | None:
        """Read a token; None if it is none. The command prints it, here or elsewhere."""
        if not _TOKEN.fullmatch(token):
            return None
        with command.start("send", "-nvt", token) as process:
            # it fails where the snapshot is not, and has printed the token all the same
            out, error = process.communicate()
        text = (out + error).decode("utf-8", "replace")
        found = dict(re.findall(r"^\s*(\w+) = (\S+)$", text, re.MULTILINE))
        try:
            to, since = int(found["toguid"], 0), int(found.get("fromguid", "0"), 0)
        except (KeyError, ValueError):
            return None
        base = names.identity(since) if since else ""
        return cls(names.identity(to), base, "rawok" in found)


class _Worker(threading.Thread):
    """Runs what blocks in the kernel, and closes its end of the pipe when that is over."""

    def __init__(self, work: Callable[[int], None], fd: int) -> None:
        super().__init__(name="dotscience-zfs", daemon=True)
        self._work = work
        self._fd = fd
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work, and keep the error for whoever joins."""
        try:
            self._work(self._fd)
        except BaseException as error:
            self.error = error
        finally:
            os.close(self._fd)


def send(
    writer: FrameWriter, produce: Callable[[int], None], total: int, progress: Progress | None
) -> None:
    """Write what a function writes to a descriptor into frames, and end the stream.

    Raises whatever ``produce`` raises; the stream is then not ended and counts as cut.
    """
    reading, writing = os.pipe()
    worker = _Worker(produce, writing)
    worker.start()
    said = _Said(total, progress, "Sending")
    try:
        while data := os.read(reading, _PIECE):
            writer.write(data)
            said.add(len(data))
    finally:
        os.close(reading)  # a worker that still writes is told so
        worker.join()
    if worker.error is not None:
        raise worker.error
    writer.finish()


def receive(
    reader: FrameReader,
    header: Header,
    consume: Callable[[int], None],
    on_last: Callable[[], None],
    progress: Progress | None,
) -> None:
    """Hand what is in the frames to a function that reads it from a descriptor.

    The last piece is handed on when the end of the stream was found right, so what needs all of it
    is never made of a stream that was cut.

    Parameters
    ----------
    header
        What the stream was said to be.
    on_last
        Called before that.

    Raises
    ------
    TransferError
        If the stream is cut or damaged; ``consume`` has then come to an end, by an error.
    SnapshotError
        If it is something else than it was said to be; ``consume`` was not called.
    Exception
        Whatever ``consume`` raises.
    """
    last = _first(reader, header)
    reading, writing = os.pipe()
    worker = _Worker(consume, reading)
    worker.start()
    said = _Said(header.bytes, progress, "Receiving")
    try:
        while data := reader.read(_PIECE):
            _write(writing, last)
            last = data
            said.add(len(data))
        on_last()
        _write(writing, last)
    except BrokenPipeError:
        pass  # the worker says why
    finally:
        os.close(writing)
        worker.join()
    if worker.error is not None:
        raise worker.error


def _first(reader: FrameReader, header: Header) -> bytes:
    """Return what the stream begins with, when that is what was said."""
    data = b""
    while len(data) < begin.SIZE:
        part = reader.read(begin.SIZE - len(data))
        if not part:
            raise SnapshotError("The stream is too short to be one of ZFS. Nothing was changed.")
        data += part
    found = begin.Begin.parse(data)
    since = names.identity(found.since) if found.since else ""
    if (names.identity(found.guid), since, found.raw) != (*header[:2], header.raw):
        raise SnapshotError(
            "What was sent is another snapshot than it was said to be, so ZFS was not given any of "
            "it. Nothing was changed."
        )
    return data


def drain(reader: FrameReader) -> None:
    """Read a stream to its end; what is in it is not needed."""
    while reader.read(_PIECE):
        pass


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class _Said:
    """Tells a progress callback how far a transfer is, not too often."""

    def __init__(self, total: int, progress: Progress | None, text: str) -> None:
        self._total = total
        self._progress = progress
        self._text = text
        self._done = 0
        self._next = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None and self._done >= self._next:
            # the total is an estimate
            self._progress(self._done, max(self._total, self._done), self._text)
            self._next = self._done + _SAY_EVERY
