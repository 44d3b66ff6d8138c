# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Sending a snapshot: which objects go into the stream, in which order, and how.

The stream is framed by :mod:`dotscience_jupyter.snapshots.stream`. In its frames are records, each
with the head :data:`RECORD`: objects as they are stored in a pack, and behind them the maps that
tell what captured content became. The order of the objects follows from the snapshot (and the base)
alone, so a transfer that was cut can go on behind any of them.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from blake3 import blake3

from dotscience_jupyter.snapshots.engine import CorruptStoreError, Progress, SnapshotError
from dotscience_jupyter.snapshots.stream import FrameWriter, header_of

from .database import Database
from .marks import Marks
from .objects import CAPTURED_FILE, FILE, FOLDER, LISTED_FILE, Item
from .packs import RAW
from .partial import Token
from .store import is_snapshot_id
from .trees import Trees

FORMAT = 1
RECORD = struct.Struct("<BBHII32s")
"""What it is (:data:`OBJECT` or :data:`MAP`), how it is stored, 0, lengths as stored and as it is,
id."""
OBJECT, MAP = 1, 2
"""An object; a part of a map, whose id is that of the capture and 16 zero bytes."""
MAX_OBJECT = 1 << 26
"""The longest object that is sent or received; those that we make are much shorter."""

CAPTURE_ID = 16
"""Bytes at the start of a captured file's key."""

_MAP_PART = 1 << 20
_SAY_EVERY = 1 << 24


class UnsettledError(SnapshotError):
    """The snapshot has content that was captured and not hashed yet."""


class Header(NamedTuple):
    """What is said first."""

    snapshot: str
    base: str | None
    content: str  # content id of the snapshot, "" if the sender did not know it
    resume: int  # objects that arrived before, when this transfer was cut
    before: str  # BLAKE3 of their ids
    objects: int  # that follow
    bytes: int  # that follow in records

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the stream."""
        return header_of("embedded", FORMAT) | self._asdict()

    @classmethod
    def from_json(cls, header: dict[str, Any]) -> Header:
        """Read a header that somebody sent. Raise SnapshotError if it is not right."""
        try:
            self = cls(*(header[name] for name in cls._fields))
            ids = (self.snapshot, self.before, *((self.base,) if self.base is not None else ()))
            numbers = (self.resume, self.objects, self.bytes)
            right = (
                all(isinstance(text, str) and is_snapshot_id(text) for text in ids)
                and (self.content == "" or is_snapshot_id(self.content))
                and all(type(number) is int and 0 <= number < 1 << 62 for number in numbers)
            )
        except (KeyError, TypeError):
            right = False
        if not right:
            raise SnapshotError("The stream's header is not right. Nothing was changed.")
        return self


class Plan:
    """What a snapshot needs and its base does not: objects, in the order of the stream, and maps.

    Raises
    ------
    SnapshotNotFoundError
        If there is no such snapshot or base.
    UnsettledError
        If something has to be hashed first.
    CorruptStoreError
        If a part of it is missing or damaged.
    """

    def __init__(
        self, database: Database, trees: Trees, snapshot: str, base: str | None = None
    ) -> None:
        root = database.store.require_snapshot(snapshot)
        known = None if base is None else database.store.require_snapshot(base)
        database.refresh(force=True)
        self.snapshot = snapshot
        self.base = base
        self._trees = trees
        self._taken = Marks(database.packs)
        self._opened: set[bytes] = set()
        self._captures: dict[bytes, None] = {}
        self._ids = bytearray()
        self._sizes = array("Q")
        if known is not None:
            for digest in self._reached(known):
                self._take(digest)
        there = len(self._captures)
        for digest in self._reached(root):
            if size := self._take(digest):
                self._ids += digest
                self._sizes.append(size)
        self.maps = list(self._captures)[there:]

    def __len__(self) -> int:
        return len(self._sizes)

    def ids(self, start: int = 0) -> Iterator[bytes]:
        """Yield the ids of the objects, from the given number on."""
        for at in range(start, len(self)):
            yield bytes(self._ids[32 * at : 32 * at + 32])

    def size(self, start: int = 0) -> int:
        """Return the bytes that all take in the stream, without the first objects."""
        total = sum(self._sizes[start:])
        for capture in self.maps:
            size = os.stat(self._trees.captures.path(capture, "map")).st_size
            total += size + RECORD.size * -(-size // _MAP_PART)
        return total

    def digest(self, count: int) -> str:
        """Return the BLAKE3 of the ids of the first ``count`` objects."""
        return blake3(bytes(self._ids[: 32 * count])).hexdigest()

    def _take(self, digest: bytes) -> int:
        """Return what an object takes in a pack, and in the stream; 0 if it was taken before."""
        pack, at, marks = self._taken.place(digest)
        if marks[at]:
            return 0
        marks[at] = 1
        return pack.stored(at)

    def _reached(self, snapshot: bytes) -> Iterator[bytes]:
        """Yield the ids of a snapshot's objects, folders before what is in them.

        Folders and lists that were gone through before are left out. Other objects may come
        more than once.
        """
        yield snapshot
        pending = [iter((self._trees.root_item(snapshot.hex()),))]
        while pending:
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif item.code == FOLDER:
                if item.digest in self._opened:
                    continue
                self._opened.add(item.digest)
                pages = self._trees.pages(item.digest)
                if pages != [item.digest]:
                    yield item.digest
                    pages = [page for page in pages if page not in self._opened]
                    self._opened.update(pages)
                yield from pages
                pending.append(chain.from_iterable(map(self._trees.page, pages)))
            else:
                yield from self._content(item)

    def _content(self, item: Item) -> Iterator[bytes]:
        """Yield the ids of what a file consists of."""
        if item.code == CAPTURED_FILE:
            self._captures[item.digest[:CAPTURE_ID]] = None
            item = self._trees.resolved(item)
            if item.code == CAPTURED_FILE:
                raise UnsettledError(
                    f"The snapshot {self.snapshot} cannot be sent yet: what was captured for it is "
                    "not hashed. Nothing is lost. Another program may be at it; try again in a "
                    "while, or run 'jupyter dotscience verify' to see whether it is damaged."
                )
        if item.code == LISTED_FILE:
            if item.list_id not in self._opened:
                self._opened.add(item.list_id)
                yield from self._trees.lists(item)
                yield from (chunk for chunk, _ in self._trees.chunks(item))
        elif item.code == FILE and item.size:
            yield item.digest


def send(
    database: Database,
    trees: Trees,
    plan: Plan,
    to: BinaryIO,
    resume: str = "",
    content: str = "",
    progress: Progress | None = None,
) -> None:
    """Write a planned stream; see :meth:`Engine.send`. ``content`` is the content id, if known."""
    start, before = 0, plan.digest(0)
    if resume:
        token = _fitting(resume, plan)
        start, before = token.arrived, token.digest
    total = plan.size(start)
    header = Header(plan.snapshot, plan.base, content, start, before, len(plan) - start, total)
    writer = FrameWriter(to, header.to_json())
    done = said = 0
    try:
        for record in chain(_objects(database, plan, start), _maps(trees, plan)):
            for part in record:
                writer.write(part)
                done += len(part)
            if progress is not None and done >= said:
                progress(done, total, "Sending")
                said = done + _SAY_EVERY
    except CorruptStoreError as error:
        raise CorruptStoreError(
            f"The snapshot {plan.snapshot} cannot be sent whole: {error} Run 'jupyter dotscience "
            "verify' to see what is lost. What the other side has received so far is kept there."
        ) from error
    writer.finish()


def _objects(database: Database, plan: Plan, start: int) -> Iterator[tuple[bytes, bytes]]:
    for digest in plan.ids(start):
        codec, stored, length = database.stored(digest)
        if max(length, len(stored)) > MAX_OBJECT:
            raise SnapshotError(
                f"The snapshot {plan.snapshot} holds an object of {length} bytes, and none longer "
                f"than {MAX_OBJECT} can be sent. Nothing was changed."
            )
        yield RECORD.pack(OBJECT, codec, 0, len(stored), length, digest), stored


def _maps(trees: Trees, plan: Plan) -> Iterator[tuple[bytes, bytes]]:
    for capture in plan.maps:
        data = trees.captures.export_map(capture)
        for at in range(0, len(data), _MAP_PART):
            part = data[at : at + _MAP_PART]
            yield RECORD.pack(MAP, RAW, 0, len(part), len(part), capture.ljust(32, b"\0")), part


def _fitting(resume: str, plan: Plan) -> Token:
    token = Token.parse(resume)
    if token is None:
        raise SnapshotError(
            "This is not a token of a transfer that was cut. Nothing was sent. Begin anew, without "
            "a token."
        )
    if (token.snapshot, token.base) != (plan.snapshot, plan.base):
        based = f"based on {token.base}" if token.base else "based on none"
        raise SnapshotError(
            f"The token is of another transfer (of snapshot {token.snapshot}, {based}). Nothing "
            "was sent. Send that one, or begin anew, without a token."
        )
    if token.arrived > len(plan) or token.digest != plan.digest(token.arrived):
        raise SnapshotError(
            "The token does not fit this snapshot: what arrived is not what is sent from here. "
            "Nothing was sent. Begin anew, without a token."
        )
    return token
