# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""The frame around a snapshot on its way to another machine, the same for every engine.

A stream is ``b"dssend1\n"``, a header, frames, and an end::

    header: length (4) | JSON in UTF-8 | BLAKE3 of the JSON (32)
    frame:  length, not 0 (4) | bytes | BLAKE3 of the bytes (32)
    end:    0 (4) | BLAKE3 of all frames' digests one after the other (32)

with lengths little-endian. Each frame is verified before its bytes are handed on, so a reader never
acts on damaged bytes, and a stream that was cut is told from one that is whole.

The header says at least ``engine``, whose stream it is, and ``format``, the version of what that
engine has put into the frames.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from blake3 import blake3

from .engine import SnapshotError, TransferError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAGIC = b"dssend1\n"
MAX_FRAME = 1 << 24
_MAX_HEADER = 1 << 20
_FRAME = 1 << 20
_LENGTH = struct.Struct("<I")


_DAMAGED = "The transfer was damaged on its way. Send it again."
_CUT = "The transfer was cut. Send it again."


def header_of(engine: str, version: int) -> dict[str, Any]:
    """Return what every header has; add to it what the engine needs."""
    return {"engine": engine, "format": version}


def require_engine(header: dict[str, Any], engine: str, version: int) -> None:
    """Raise SnapshotError unless a stream is one of this engine, in a version that it knows."""
    sender, theirs = header.get("engine"), header.get("format")
    if sender != engine:
        raise SnapshotError(
            f"This snapshot was sent by the engine {str(sender)[:80]!r}, and cannot be received by "
            f"the engine {engine!r} of this folder. Nothing was changed. Receive it into a folder "
            "with that engine."
        )
    if type(theirs) is not int or not 1 <= theirs <= version:
        raise SnapshotError(
            f"This snapshot was sent in a format that this version does not know ({engine} "
            f"{str(theirs)[:80]}). Nothing was changed. Upgrade dotscience-jupyter."
        )


class FrameWriter(io.RawIOBase):
    """A writable file whose bytes go out in frames; :meth:`finish` ends the stream.

    Raises SnapshotError when the bytes cannot be handed on. Closing it sends nothing.
    """

    def __init__(self, out: BinaryIO, header: dict[str, Any]) -> None:
        super().__init__()
        self._out = out
        self._all = blake3()
        self._pending: list[bytes] = []
        self._count = 0
        text = json.dumps(header, sort_keys=True).encode()
        self._put(MAGIC + _LENGTH.pack(len(text)) + text + blake3(text).digest())

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Take all of the bytes; they go out when there is a frame of them."""
        part = bytes(data)
        self._pending.append(part)
        self._count += len(part)
        if self._count >= _FRAME:
            self.flush()
        return len(part)

    def flush(self) -> None:
        """Send what was written so far."""
        if not self._count:
            return
        data = memoryview(b"".join(self._pending))
        self._pending, self._count = [], 0
        while data:
            part = data[:MAX_FRAME]
            data = data[MAX_FRAME:]
            digest = blake3(part).digest()
            self._all.update(digest)
            self._put(_LENGTH.pack(len(part)))
            self._put(part)
            self._put(digest)

    def finish(self) -> None:
        """Write the end; without it the stream counts as cut."""
        self.flush()
        self._put(_LENGTH.pack(0) + self._all.digest())
        with _handing_on():
            self._out.flush()

    def close(self) -> None:
        """Drop what was not sent, so that a stream that failed ends where it failed."""
        self._pending, self._count = [], 0
        super().close()

    def _put(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        with _handing_on():
            while view:
                count = self._out.write(view)  # a raw file may take only a part
                if not count:
                    raise BlockingIOError(errno.EAGAIN, "the other side takes nothing")
                view = view[count:]


@contextlib.contextmanager
def _handing_on() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotError(
            f"The snapshot was not sent whole: {error.strerror or error}. Nothing is lost; what "
            "arrived on the other side is kept there, and the transfer can go on with the token "
            "that the other side tells."
        ) from error


class FrameReader(io.RawIOBase):
    """The bytes that were written to a FrameWriter, verified.

    Attributes
    ----------
    header
        What the writer said first.
    complete
        Whether the end was reached and is right.

    Raises
    ------
    SnapshotError
        If this is no such stream.
    TransferError
        From reading as well: if the stream is cut or damaged. What was read before is right.
    """

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._all = blake3()
        self._frame = memoryview(b"")
        self.complete = False
        magic = self._up_to(len(MAGIC))
        if magic != MAGIC:
            if MAGIC.startswith(magic):
                raise TransferError(_CUT)
            raise SnapshotError(
                "This is not a stream that a snapshot was sent in. Nothing was changed."
            )
        text = self._checked(_MAX_HEADER)[0]
        try:
            header = json.loads(text)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise SnapshotError("The stream's header cannot be read. Nothing was changed.")
        self.header: dict[str, Any] = header

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read up to as many bytes as fit; 0 only at a right end."""
        if not self._frame and not self.complete:
            self._next()
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._frame))
        view[:count] = self._frame[:count]
        self._frame = self._frame[count:]
        return count

    def _next(self) -> None:
        data, digest = self._checked(MAX_FRAME, end=True)
        if digest:
            self._all.update(digest)
            self._frame = memoryview(data)
        else:
            self.complete = True

    def _checked(self, limit: int, end: bool = False) -> tuple[bytes, bytes]:
        """Return the next bytes and their digest; two times nothing at the end."""
        length = _LENGTH.unpack(self._exactly(4))[0]
        if length == 0 and end:
            if self._exactly(32) != self._all.digest():
                raise TransferError(_DAMAGED)
            return b"", b""
        if length > limit:
            raise TransferError(_DAMAGED)
        data = self._exactly(length)
        digest = self._exactly(32)
        if blake3(data).digest() != digest:
            raise TransferError(_DAMAGED)
        return data, digest

    def _exactly(self, count: int) -> bytes:
        data = self._up_to(count)
        if len(data) < count:
            raise TransferError(_CUT)
        return data

    def _up_to(self, count: int) -> bytes:
        """Return that many bytes, or fewer where the stream ends."""
        parts: list[bytes] = []
        while count:
            try:
                part = self._source.read(count)
            except OSError as error:
                raise TransferError(
                    f"The transfer was cut: {error.strerror or error}. Send it again."
                ) from error
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
