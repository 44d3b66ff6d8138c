# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking in a snapshot that was sent; see :mod:`.transfer` for the stream.

What arrives is made durable in steps: a pack with the objects of a step, then the record of the
transfer (:mod:`.partial`). So a cut, or a killed process, costs a step at most.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from blake3 import blake3

from dotscience_jupyter.snapshots.content import content_id
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.stream import FrameReader, require_engine

from . import objects
from .contents import SNAPSHOTS, ContentCache, FolderIds
from .database import Database, MissingObjectError, Session
from .objects import CAPTURED_FILE, FILE, FOLDER, LISTED_FILE, Item, Root
from .packs import RAW, decompress, hash_bytes
from .partial import Partial
from .store import StoreWriteError
from .transfer import CAPTURE_ID, FORMAT, MAP, MAX_OBJECT, OBJECT, RECORD, Header
from .trees import Trees

STEP_BYTES = 1 << 26
"""What arrived is made durable when it has come to this many bytes,"""
STEP_SECONDS = 30.0
"""or when this much time has passed, whichever is first."""

_EMPTY = hash_bytes(b"")
_MAX_DEPTH = 400
_MAX_MAPS = 1 << 28
_SAY_EVERY = 1 << 24
_OTHERWISE = "the snapshot was not received"
_KEPT = " What arrived is kept here, and the transfer can go on behind it."


class Receiving:
    """One transfer into a store."""

    def __init__(
        self,
        database: Database,
        trees: Trees,
        settle: Callable[[], None],
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._store = database.store
        self._trees = trees
        self._settle = settle
        self._progress = progress
        self._maps: dict[bytes, bytearray] = {}
        self._session: Session | None = None
        self._gathered = 0
        self._since = 0.0

    def run(self, source: BinaryIO) -> str:
        """Take in a snapshot and return its id; see :meth:`Engine.receive`."""
        reader = FrameReader(source)
        require_engine(reader.header, "embedded", FORMAT)
        header = Header.from_json(reader.header)
        self._store.prepare()
        with self._store.shared(_OTHERWISE):
            there = self._store.has_snapshot(header.snapshot)
            if there:
                self._store.register(header.snapshot)
        if there:
            _drain(reader)
            return header.snapshot
        if header.base is not None and not self._store.has_snapshot(header.base):
            raise SnapshotError(
                f"What was sent is only what is new since the snapshot {header.base}, which is not "
                "here. Nothing was changed. Receive that one first, or send all of it."
            )
        partial = Partial(self._store, header.snapshot, header.base)
        try:
            self._receive(reader, header, partial)
        finally:
            partial.close()
        return header.snapshot

    def _receive(self, reader: FrameReader, header: Header, partial: Partial) -> None:
        self._database.refresh(force=True)
        partial.limit(self._database.has)
        if not partial.skip(header.resume, header.before):
            raise TransferError(
                "What was sent goes on where another transfer ended than the one that is kept "
                "here. Nothing was changed. Send it again with the token from here.",
                partial.token(),
            )
        try:
            self._take(reader, header, partial)
        except TransferError as error:
            with contextlib.suppress(SnapshotError):
                self._step(partial)
            raise _cut(error, partial) from error
        except StoreWriteError as error:
            raise _cut(error, partial) from error
        except BaseException:  # an interrupt as well
            with contextlib.suppress(SnapshotError):
                self._step(partial)
            raise
        finally:
            self._drop_session()
        try:
            self._complete(header, partial)
        except StoreWriteError as error:
            raise _cut(error, partial) from error

    def _take(self, reader: FrameReader, header: Header, partial: Partial) -> None:
        """Take in all records; what is durable afterwards is all that was sent."""
        self._since = time.monotonic()
        done = said = 0
        for kind, digest, codec, stored, length in _records(reader):
            if kind == MAP:
                self._keep_map(digest, stored)
            else:
                self._put(digest, codec, stored, length)
                partial.arrived(digest)
            done += RECORD.size + len(stored)
            if self._progress is not None and done >= said:
                self._progress(done, header.bytes, "Receiving")
                said = done + _SAY_EVERY
            if self._gathered >= STEP_BYTES or time.monotonic() - self._since >= STEP_SECONDS:
                self._step(partial)
        if partial.at != header.resume + header.objects:
            raise TransferError("The stream holds another number of objects than it should.")
        self._step(partial)

    def _keep_map(self, digest: bytes, part: bytes) -> None:
        """Keep a part of a map until the snapshot is complete."""
        self._maps.setdefault(digest[:CAPTURE_ID], bytearray()).extend(part)
        if sum(map(len, self._maps.values())) > _MAX_MAPS:
            raise _wrong()

    def _put(self, digest: bytes, codec: int, stored: bytes, length: int) -> None:
        """Add an object unless a whole copy is there."""
        if self._session is None:
            self._session = self._database.session()
        self._gathered += len(stored)
        if self._database.has(digest):
            try:
                self._database.get(digest)
                return
            except CorruptStoreError:
                pass  # the copy that arrived mends it
        elif self._session.has(digest):
            return
        self._session.append(digest, codec, stored, length)

    def _step(self, partial: Partial) -> None:
        """Make what arrived durable, and protect it from gc.

        What was not added because it was there may be gone; then the transfer ends before that.
        """
        with self._store.shared(_OTHERWISE):
            session, self._session = self._session, None
            if session is not None:
                session.commit()
            self._database.refresh(force=True)
            gone = [at for at, digest in partial.unsaved() if not self._database.has(digest)]
            if gone:
                partial.forget_from(gone[0])
            partial.save()
            self._database.merge_small()
        if gone:
            raise TransferError("Another program has cleaned the snapshot store meanwhile.")
        self._gathered = 0
        self._since = time.monotonic()

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _complete(self, header: Header, partial: Partial) -> None:
        """Prove that the snapshot is there whole, and put it on the list."""
        if self._progress is not None:
            self._progress(header.bytes, header.bytes, "Checking what arrived")
        try:
            generation = self._store.generation()
            self._import_maps()
            self._prove(header)
            with self._store.shared(_OTHERWISE):
                if self._store.generation() != generation:
                    # something was dropped meanwhile
                    self._import_maps()
                    self._prove(header)
                self._store.register(header.snapshot)
        except CorruptStoreError as error:
            partial.remove()
            raise SnapshotError(
                f"The snapshot {header.snapshot} was not received, because it is not right or not "
                f"whole: {error} Earlier snapshots are untouched. Have it verified where it was "
                "sent from, then send all of it again."
            ) from error
        partial.remove()

    def _import_maps(self) -> None:
        """Take in what captured content became; what this store knows of it itself is right."""
        captures = self._trees.captures
        for capture, data in self._maps.items():
            if os.path.exists(captures.path(capture)):
                with contextlib.suppress(SnapshotError):  # damaged: what arrived mends it
                    self._settle()
            captures.import_map(bytes(data))

    def _prove(self, header: Header) -> None:
        self._database.refresh(force=True)
        base = header.base
        if base is not None and not self._store.has_snapshot(base):
            base = None  # destroyed meanwhile; what it needs may still be there
        root = Proof(self._database, self._trees).run(header.snapshot, base)
        with ContentCache(self._store) as cache:
            folders = FolderIds(self._trees, cache)
            content = content_id(root.mode & 0o7777, folders.of(root.tree))
            if header.content and header.content != content:
                raise CorruptStoreError("It has another content id than where it was sent from.")
            folders.keep()
            cache.put(SNAPSHOTS, {bytes.fromhex(header.snapshot): bytes.fromhex(content)})


class Proof:
    """Proves that all that a snapshot needs is there, and fits together."""

    def __init__(self, database: Database, trees: Trees) -> None:
        self._database = database
        self._trees = trees
        self._proven: set[bytes] = set()

    def run(self, snapshot: str, base: str | None) -> Root:
        """Go through a snapshot that is not on the list yet; what ``base`` has is trusted.

        Returns the snapshot's object.

        Raises
        ------
        CorruptStoreError
            If something is missing, damaged, or not what the snapshot says of it.
        """
        root = objects.decode_snapshot(self._database.get(bytes.fromhex(snapshot)))
        item = Item("", FOLDER, root.mode, root.mtime_ns, 0, root.tree, b"", "")
        known = None if base is None else self._trees.root_item(base)
        pending: list[tuple[Item, Item | None, int]] = [(item, known, 0)]
        while pending:
            item, known, depth = pending.pop()
            if depth > _MAX_DEPTH:
                raise CorruptStoreError("Its folders are nested deeper than any that we freeze.")
            if item.mode > 0o7777:
                raise CorruptStoreError("It holds permissions that no file can have.")
            if item.code == FOLDER:
                pending.extend((*pair, depth + 1) for pair in self._folder(item, known))
            else:
                self._file(item, known)
        return root

    def _folder(self, item: Item, known: Item | None) -> Iterator[tuple[Item, Item | None]]:
        """Yield a folder's entries that are not trusted, with those of the same name before."""
        if item.digest in self._proven or (known is not None and known.digest == item.digest):
            return
        self._proven.add(item.digest)
        pages = self._trees.pages(item.digest)
        trusted: set[bytes] = set()
        before: dict[str, Item] = {}
        if known is not None and known.code == FOLDER:
            trusted.update(self._trees.pages(known.digest))
            before = {
                old.name: old
                for page in trusted.difference(pages)
                for old in self._trees.page(page)
                if old.code in (FOLDER, LISTED_FILE, CAPTURED_FILE)
            }
        last = b""
        for page in pages:
            for entry in self._trees.page(page):
                name = os.fsencode(entry.name)
                if name <= last:
                    raise CorruptStoreError("A folder's listing is out of order.")
                last = name
                if page not in trusted:
                    yield entry, before.get(entry.name)

    def _file(self, item: Item, known: Item | None) -> None:
        if known is not None and _content(known) == _content(item):
            return
        item = self._trees.resolved(item)
        if item.code == CAPTURED_FILE:
            raise CorruptStoreError("What captured content became did not arrive.")
        if item.code == FILE:
            if item.size:
                self._require(item.digest, item.size)
            elif item.digest != _EMPTY:
                raise CorruptStoreError("An empty file is said to have a content.")
        elif item.code == LISTED_FILE:
            if item.list_id + item.digest in self._proven:
                return
            hasher = blake3()
            for chunk, length in self._trees.chunks(item):
                hasher.update(self._trees.read_chunk(chunk, length))
            if hasher.digest() != item.digest:
                raise CorruptStoreError("A file is not what it is said to be.")
            self._proven.add(item.list_id + item.digest)
        elif not item.target or "\0" in item.target:
            raise CorruptStoreError("A link points to what no link can point to.")

    def _require(self, digest: bytes, length: int) -> None:
        found = self._database.find(digest)
        if found is None:
            raise MissingObjectError("A stored object is missing.")
        pack, at = found
        if pack.length(at) != length:
            raise CorruptStoreError("A file does not have the size that it is said to have.")


def _content(item: Item) -> tuple[int, int, bytes, bytes]:
    return item.code, item.size, item.digest, item.list_id


def _cut(error: SnapshotError, partial: Partial) -> TransferError:
    """Return the error that ends a transfer which can go on."""
    token = partial.token()
    return TransferError(f"{error}{_KEPT if token else ''}", token)


def _records(reader: FrameReader) -> Iterator[tuple[int, bytes, int, bytes, int]]:
    """Yield (kind, id, codec, stored form, length) of all records, objects verified."""
    source = io.BufferedReader(reader, 1 << 20)
    while head := source.read(RECORD.size):
        if len(head) < RECORD.size:
            raise _wrong()
        kind, codec, zero, size, length, digest = RECORD.unpack(head)
        if kind not in (OBJECT, MAP) or zero or max(size, length) > MAX_OBJECT:
            raise _wrong()
        stored = source.read(size)
        if len(stored) < size or (codec == RAW and size != length):
            raise _wrong()
        if kind == OBJECT:
            try:
                data = decompress(codec, stored, length)
            except CorruptStoreError:
                raise _wrong() from None
            if hash_bytes(data) != digest:
                raise _wrong()
        yield kind, digest, codec, stored, length


def _wrong() -> TransferError:
    return TransferError(
        "What was sent is not what it is said to be; it was damaged before it was sent. Send it "
        "again."
    )


def _drain(reader: FrameReader) -> None:
    """Let the sender of something that is here come to its end."""
    with contextlib.suppress(TransferError):
        while reader.read(1 << 20):
            pass
