# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Moving snapshots: btrfs's own streams in our frame, kept on arrival until they are whole.

A stream of btrfs cannot go on where it was cut. What arrived is kept, verified, in a file; on the
way to the rest the sender has the stream made anew, and leaves out its beginning if that is the
same, which its hash tells.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
)
from dotscience_jupyter.snapshots.stream import FrameWriter, header_of

from . import sendstream

FORMAT = 1
_PIECE = 1 << 20
ID = r"btrfs-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TOKEN = re.compile(rf"({ID})\.({ID})?\.([0-9]{{1,18}})\.([0-9a-f]{{64}})")
_NO_HASH = blake3(b"").hexdigest()


class Token(NamedTuple):
    """Up to where a transfer came."""

    snapshot: str
    base: str | None
    length: int  # bytes of btrfs's stream that arrived
    digest: str  # their BLAKE3

    def __str__(self) -> str:
        """Return the token as it is handed around."""
        return f"{self.snapshot}.{self.base or ''}.{self.length}.{self.digest}"


def _parse(resume: str, snapshot: str, base: str | None) -> Token:
    """Read a token. Raise SnapshotError if it is none, or another transfer's."""
    match = _TOKEN.fullmatch(resume)
    if match is None:
        raise SnapshotError(
            "This is not a token of a transfer that was cut. Nothing was sent. Begin anew, without "
            "a token."
        )
    token = Token(match[1], match[2] or None, int(match[3]), match[4])
    if (token.snapshot, token.base) != (snapshot, base):
        raise SnapshotError(
            f"The token is of another transfer (of snapshot {token.snapshot}, based on "
            f"{token.base or 'none'}). Nothing was sent. Send that one, or begin anew, without a "
            "token."
        )
    return token


# -- sending -------------------------------------------------------------------------------------


class Sent(NamedTuple):
    """What is to be sent."""

    snapshot: str
    base: str | None
    content: str  # content id, "" if it is not known
    place: str
    parent: int  # the number of the base, 0 if there is none


@contextlib.contextmanager
def sending() -> Iterator[None]:
    """Say in words why btrfs does not make a stream."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise SnapshotError(
                "Snapshots of btrfs can only be sent by root (CAP_SYS_ADMIN). Nothing was sent."
            ) from error
        raise SnapshotError(
            f"btrfs could not send the snapshot: {error.strerror or error}. Nothing is lost; run "
            "'jupyter dotscience verify' to see whether something is damaged, then send it again."
        ) from error
    except CorruptStoreError as error:
        raise SnapshotError(f"btrfs could not send the snapshot: {error} Send it again.") from error


def send(sent: Sent, to: BinaryIO, resume: str, progress: Progress | None) -> None:
    """Write a snapshot as a stream; see :meth:`Engine.send`.

    Where what arrived is not the beginning of what btrfs sends now, all is sent anew.
    """
    token = _parse(resume, sent.snapshot, sent.base) if resume else None
    with sending():
        total = sendstream.size_of(sent.place, sent.parent)
    if token is not None:
        with _stream(sent) as stream:
            if _skip(stream, token):
                _write(sent, stream, token, total, to, progress)
                return
        if progress is not None:
            progress(0, total, "Sending all of it: what arrived before does not fit any more")
    with _stream(sent) as stream:
        _write(sent, stream, None, total, to, progress)


@contextlib.contextmanager
def _stream(sent: Sent) -> Iterator[BinaryIO]:
    with sendstream.stream_of(sent.place, sent.parent) as stream:
        yield stream


def _read(stream: BinaryIO, count: int) -> bytes:
    with sending():
        return stream.read(count)


def _skip(stream: BinaryIO, token: Token) -> bool:
    """Read what arrived already; False if it is not the same any more."""
    hasher = blake3()
    left = token.length
    while left:
        data = _read(stream, min(_PIECE, left))
        if not data:
            return False
        hasher.update(data)
        left -= len(data)
    return hasher.hexdigest() == token.digest


def _write(
    sent: Sent,
    stream: BinaryIO,
    token: Token | None,
    total: int,
    to: BinaryIO,
    progress: Progress | None,
) -> None:
    done = token.length if token is not None else 0
    header = header_of("btrfs", FORMAT) | {
        "snapshot": sent.snapshot,
        "base": sent.base,
        "content": sent.content,
        "resume": done,
        "before": token.digest if token is not None else _NO_HASH,
        "bytes": total,
    }
    data = _read(stream, _PIECE)  # an error of btrfs comes before anything was written
    writer = FrameWriter(to, header)
    while data:
        writer.write(data)
        done += len(data)
        if progress is not None:
            progress(done, max(done, total), "Sending")
        data = _read(stream, _PIECE)
    writer.finish()
