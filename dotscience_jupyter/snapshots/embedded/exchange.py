# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Objects that go from one store to another on their own, as far as the other lacks them.

The sender finds out what the other side lacks (:mod:`.asking`) and sends it, content before what
refers to it. The other side takes objects in as they come and, when all is there, proves it and
puts the snapshots on its list.

Nothing follows from an object being there but that it is there: objects that are garbage, or of a
transfer that was cut, may lack what they refer to. So what counts is the proof, which tells what is
still lacking.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.stream import FrameReader, FrameWriter, header_of

from . import arrivals, objects
from .captures import KEY, MAP_HEAD, MAP_MAGIC, encode_entry, map_parts
from .contents import ContentCache
from .database import Database
from .differing import Deltas, Differ
from .intake import Intake, records, wrong
from .objects import CAPTURED_FILE, FOLDER_MAGIC
from .packs import RAW, ZSTD, compress
from .proving import Proof
from .store import is_snapshot_id, require_tag
from .transfer import CAPTURE_ID, MAP, MAX_OBJECT, OBJECT, RECORD
from .trees import Trees

ENGINE = "embedded-objects"
"""What the header of a stream of objects names as its engine."""
FORMAT = 1
DELTA = 3
"""A kind of record: an object as a difference to others; see :mod:`.differing`."""
_BASES = 16
"""What so many of the newest snapshots have need not be proven again."""
_SAY_EVERY = 1 << 24
_OTHERWISE = "nothing was received"


def pack(
    database: Database,
    trees: Trees,
    ids: Iterable[bytes],
    to: BinaryIO,
    progress: Progress | None = None,
    deltas: Deltas | None = None,
) -> int:
    """Write objects as a stream; see :meth:`EmbeddedEngine.pack`."""
    differ = Differ(database)
    writer = FrameWriter(to, header_of(ENGINE, FORMAT))
    captured = bool(trees.captures.ids("map"))
    count = done = said = 0
    for digest in ids:
        codec, stored, data = database.both(digest)
        if max(len(data), len(stored)) > MAX_OBJECT:
            raise SnapshotError(
                f"The store holds an object of {len(data)} bytes, and none longer than "
                f"{MAX_OBJECT} can be sent. Nothing was changed."
            )
        if captured and data.startswith(FOLDER_MAGIC):
            for capture, known in _maps(trees, data):
                head = RECORD.pack(MAP, RAW, 0, len(known), len(known), capture.ljust(32, b"\0"))
                writer.write(head)
                writer.write(known)
                done += len(head) + len(known)
        kind = OBJECT
        references = deltas.get(digest) if deltas else None
        if references:
            with contextlib.suppress(CorruptStoreError):  # then it is sent as it is
                difference = differ.difference(data, references)
                if len(difference) < len(stored) - len(stored) // 16:
                    kind, codec, stored = DELTA, ZSTD, difference
        writer.write(RECORD.pack(kind, codec, 0, len(stored), len(data), digest))
        writer.write(stored)
        count += 1
        done += RECORD.size + len(stored)
        if progress is not None and done >= said:
            progress(done, 0, "Sending")
            said = done + _SAY_EVERY
    writer.finish()
    return count


def _maps(trees: Trees, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ids and maps of captures, with what a folder object needs of them."""
    found: dict[bytes, dict[int, bytes]] = {}
    with contextlib.suppress(CorruptStoreError):  # it is a file that begins like a folder
        for item in objects.decode_page(data):
            if item.code == CAPTURED_FILE:
                capture, where, tail = KEY.unpack(item.digest)
                known = trees.captures.resolve(item.digest)
                if known is not None:
                    found.setdefault(capture, {})[where] = encode_entry(where, tail, known)
    for capture, entries in found.items():
        yield capture, b"".join(map_parts(capture, *(entries[at] for at in sorted(entries))))


class Unpacking:
    """One stream of objects that is taken in; see :meth:`EmbeddedEngine.unpack`."""

    def __init__(
        self,
        database: Database,
        trees: Trees,
        settle: Callable[[], None],
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._store = database.store
        self._captures = trees.captures
        self._settle = settle
        self._progress = progress
        self._intake = Intake(database)
        self._differ = Differ(database)
        self._arrived: list[bytes] = []
        self._count = 0

    def run(self, source: BinaryIO) -> int:
        """Take the stream in; return the number of objects in it."""
        reader = FrameReader(source)
        header = reader.header
        version = header.get("format")
        if header.get("engine") != ENGINE or type(version) is not int or version != FORMAT:
            raise SnapshotError(
                "What was sent is not a stream of objects that this version knows "
                f"({str(header.get('engine'))[:80]} {str(header.get('format'))[:80]}). Nothing was "
                "changed. Use the same version of dotscience-jupyter on both sides."
            )
        self._store.prepare()
        self._database.refresh(force=True)
        try:
            self._take(reader)
        except TransferError as error:
            with contextlib.suppress(SnapshotError):
                self._step()
            raise TransferError(
                f"{error} What arrived before is kept, and need not be sent again."
            ) from error
        except BaseException:  # an interrupt as well
            with contextlib.suppress(SnapshotError):
                self._step()
            raise
        finally:
            self._intake.close()
        return self._count

    def _take(self, reader: FrameReader) -> None:
        done = said = 0
        for kind, digest, codec, stored, length in records(reader, (OBJECT, MAP, DELTA)):
            if kind == MAP:
                self._intake.keep_map(digest, stored)
            else:
                if kind == DELTA:
                    self._put_difference(digest, stored, length)
                else:
                    self._intake.put(digest, codec, stored, length)
                self._arrived.append(digest)
                self._count += 1
            done += RECORD.size + len(stored)
            if self._progress is not None and done >= said:
                self._progress(done, 0, "Receiving")
                said = done + _SAY_EVERY
            if self._intake.is_due:
                self._step()
        self._step()

    def _put_difference(self, digest: bytes, difference: bytes, length: int) -> None:
        try:
            data = self._differ.whole(difference, length, digest)
        except CorruptStoreError as error:
            raise TransferError(
                f"An object was sent as a difference to others, and cannot be made of it: {error} "
                "Send it again as a whole."
            ) from error
        codec, stored = compress(data)
        self._intake.put(digest, codec, bytes(stored), length)

    def _step(self) -> None:
        """Make what arrived durable, and protect it from gc."""
        maps, arrived = self._intake.maps, self._arrived
        self._arrived = []
        if any(os.path.exists(self._captures.path(capture)) for capture in maps):
            with contextlib.suppress(SnapshotError):  # damaged: what arrived mends it
                self._settle()
        with self._store.shared(_OTHERWISE):
            keys = [self._import(capture, bytes(data)) for capture, data in maps.items()]
            self._intake.commit()
            there = [digest for digest in arrived if self._database.has(digest)]
            arrivals.note(self._store, chain(keys, there))
            self._database.merge_small()
        maps.clear()
        self._intake.begin_step()
        if len(there) < len(arrived):
            raise TransferError("Another program has cleaned the snapshot store meanwhile.")

    def _import(self, capture: bytes, data: bytes) -> bytes:
        """Take in a map; return a key that protects it."""
        place = data[MAP_HEAD.size : MAP_HEAD.size + KEY.size - CAPTURE_ID]
        try:
            if data[: len(MAP_MAGIC) + CAPTURE_ID] != MAP_MAGIC + capture:
                raise CorruptStoreError("It is another capture's.")
            self._captures.import_map(data, strict=True)
        except CorruptStoreError:
            raise wrong() from None
        return capture + place


def adopt(
    database: Database,
    trees: Trees,
    snapshots: Iterable[str],
    hold: str,
    bases: Sequence[str] = (),
) -> list[bytes]:
    """Put snapshots on the list whose objects arrived; see :meth:`EmbeddedEngine.adopt`."""
    require_tag(hold)
    wanted = list(dict.fromkeys(snapshots))
    for snapshot in wanted:
        if not is_snapshot_id(snapshot):
            raise SnapshotError(f"{snapshot[:80]!r} is no snapshot's id. Nothing was changed.")
    store = database.store
    store.prepare()
    generation = store.generation()
    lacking = _lacking(database, trees, wanted, bases)
    if lacking:
        return lacking
    with store.shared(_OTHERWISE):
        if store.generation() != generation:
            # something was dropped meanwhile
            lacking = _lacking(database, trees, wanted, bases)
            if lacking:
                return lacking
        for snapshot in wanted:
            store.register(snapshot)
        store.hold(wanted, hold)
    return []


def _lacking(
    database: Database, trees: Trees, snapshots: list[str], bases: Sequence[str]
) -> list[bytes]:
    """Return what snapshots lack that are not on the list; raise if one can never be."""
    database.refresh(force=True)
    store = database.store
    new = [snapshot for snapshot in snapshots if not store.has_snapshot(snapshot)]
    if not new:
        return []
    bases = [*bases, *sorted(store.snapshot_ids(), key=store.age)[:_BASES]]
    with ContentCache(store) as cache:
        proof = Proof(database, trees, cache)
        for snapshot in new:
            try:
                proof.run(snapshot, bases)
            except CorruptStoreError as error:
                raise SnapshotError(
                    f"The snapshot {snapshot} cannot be taken in, because it is not right: {error} "
                    "Nothing was changed. Have it verified where it was sent from."
                ) from error
    return list(proof.lacking)
