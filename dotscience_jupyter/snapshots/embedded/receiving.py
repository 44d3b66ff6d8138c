# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking in a snapshot that was sent; see :mod:`.transfer` for the stream.

What arrives is made durable in steps: a pack with the objects of a step, then the record of the
transfer (:mod:`.partial`). So a cut, or a killed process, costs a step at most.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import BinaryIO

from dotscience_jupyter.snapshots.content import content_id
from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.stream import FrameReader, require_engine

from .contents import SNAPSHOTS, ContentCache, FolderIds
from .database import Database, MissingObjectError
from .intake import Intake, records
from .partial import Partial
from .proving import Proof
from .store import StoreWriteError
from .transfer import FORMAT, MAP, RECORD, Header
from .trees import Trees

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
        self._intake = Intake(database)

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
            self._intake.close()
        try:
            self._complete(header, partial)
        except StoreWriteError as error:
            raise _cut(error, partial) from error

    def _take(self, reader: FrameReader, header: Header, partial: Partial) -> None:
        """Take in all records; what is durable afterwards is all that was sent."""
        self._intake.begin_step()
        done = said = 0
        for kind, digest, codec, stored, length in records(reader):
            if kind == MAP:
                self._intake.keep_map(digest, stored)
            else:
                self._intake.put(digest, codec, stored, length)
                partial.arrived(digest)
            done += RECORD.size + len(stored)
            if self._progress is not None and done >= said:
                self._progress(done, header.bytes, "Receiving")
                said = done + _SAY_EVERY
            if self._intake.is_due:
                self._step(partial)
        if partial.at != header.resume + header.objects:
            raise TransferError("The stream holds another number of objects than it should.")
        self._step(partial)

    def _step(self, partial: Partial) -> None:
        """Make what arrived durable, and protect it from gc.

        What was not added because it was there may be gone; then the transfer ends before that.
        """
        with self._store.shared(_OTHERWISE):
            self._intake.commit()
            gone = [at for at, digest in partial.unsaved() if not self._database.has(digest)]
            if gone:
                partial.forget_from(gone[0])
            partial.save()
            self._database.merge_small()
        if gone:
            raise TransferError("Another program has cleaned the snapshot store meanwhile.")
        self._intake.begin_step()

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
        for capture, data in self._intake.maps.items():
            if os.path.exists(captures.path(capture)):
                with contextlib.suppress(SnapshotError):  # damaged: what arrived mends it
                    self._settle()
            captures.import_map(bytes(data))

    def _prove(self, header: Header) -> None:
        self._database.refresh(force=True)
        base = header.base
        if base is not None and not self._store.has_snapshot(base):
            base = None  # destroyed meanwhile; what it needs may still be there
        with ContentCache(self._store) as cache:
            proof = Proof(self._database, self._trees, cache)
            root = proof.run(header.snapshot, (base,) if base else ())
            if root is None:
                raise MissingObjectError("A stored object is missing.")
            folders = FolderIds(self._trees, cache)
            content = content_id(root.mode & 0o7777, folders.of(root.tree))
            if header.content and header.content != content:
                raise CorruptStoreError("It has another content id than where it was sent from.")
            folders.keep()
            cache.put(SNAPSHOTS, {bytes.fromhex(header.snapshot): bytes.fromhex(content)})


def _cut(error: SnapshotError, partial: Partial) -> TransferError:
    """Return the error that ends a transfer which can go on."""
    token = partial.token()
    return TransferError(f"{error}{_KEPT if token else ''}", token)


def _drain(reader: FrameReader) -> None:
    """Let the sender of something that is here come to its end."""
    with contextlib.suppress(TransferError):
        while reader.read(1 << 20):
            pass
