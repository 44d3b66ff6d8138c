# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Objects on their way from a stream into a store; see :mod:`.transfer` for the records."""

from __future__ import annotations

import io
import time
from collections.abc import Container, Iterator

from dotscience_jupyter.snapshots.engine import CorruptStoreError, TransferError
from dotscience_jupyter.snapshots.stream import FrameReader

from .database import Database, Session
from .packs import RAW, decompress, hash_bytes
from .transfer import CAPTURE_ID, MAP, MAX_OBJECT, OBJECT, RECORD

STEP_BYTES = 1 << 26
"""What arrived is made durable when it has come to this many bytes,"""
STEP_SECONDS = 30.0
"""or when this much time has passed, whichever is first."""

_MAX_MAPS = 1 << 28


class Intake:
    """Takes in the records of a stream, a step at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Session | None = None
        self._maps: dict[bytes, bytearray] = {}
        self._gathered = 0
        self._since = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time to make durable what arrived."""
        return self._gathered >= STEP_BYTES or time.monotonic() - self._since >= STEP_SECONDS

    def put(self, digest: bytes, codec: int, stored: bytes, length: int) -> None:
        """Add an object unless a whole copy is there."""
        if self._session is None:
            self._session = self._database.session()
        self._gathered += RECORD.size + len(stored)
        if self._database.has(digest):
            try:
                self._database.get(digest)
                return
            except CorruptStoreError:
                pass  # the copy that arrived mends it
        elif self._session.has(digest):
            return
        self._session.append(digest, codec, stored, length)

    def keep_map(self, digest: bytes, part: bytes) -> None:
        """Keep a part of a map until it is complete."""
        self._maps.setdefault(digest[:CAPTURE_ID], bytearray()).extend(part)
        if sum(map(len, self._maps.values())) > _MAX_MAPS:
            raise wrong()

    @property
    def maps(self) -> dict[bytes, bytearray]:
        """The maps that arrived, by capture."""
        return self._maps

    def commit(self) -> None:
        """Make what was added durable; the caller holds the store's shared lock."""
        session, self._session = self._session, None
        if session is not None:
            session.commit()
        self._database.refresh(force=True)

    def begin_step(self) -> None:
        """Begin the next step."""
        self._gathered = 0
        self._since = time.monotonic()

    def close(self) -> None:
        """Drop what was not committed."""
        if self._session is not None:
            self._session.close()
            self._session = None


def records(
    reader: FrameReader, kinds: Container[int] = (OBJECT, MAP)
) -> Iterator[tuple[int, bytes, int, bytes, int]]:
    """Yield (kind, id, codec, stored form, length) of all records, objects verified."""
    source = io.BufferedReader(reader, 1 << 20)
    while head := source.read(RECORD.size):
        if len(head) < RECORD.size:
            raise wrong()
        kind, codec, zero, size, length, digest = RECORD.unpack(head)
        if kind not in kinds or zero or max(size, length) > MAX_OBJECT:
            raise wrong()
        stored = source.read(size)
        if len(stored) < size or (codec == RAW and size != length):
            raise wrong()
        if kind == OBJECT:
            try:
                data = decompress(codec, stored, length)
            except CorruptStoreError:
                raise wrong() from None
            if hash_bytes(data) != digest:
                raise wrong()
        yield kind, digest, codec, stored, length


def wrong() -> TransferError:
    """Return the error for records that no sender makes of a whole store."""
    return TransferError(
        "What was sent is not what it is said to be; it was damaged before it was sent. Send it "
        "again."
    )
