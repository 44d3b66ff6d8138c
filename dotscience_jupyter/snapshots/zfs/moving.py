# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Sending snapshots of a dataset, and taking in those of others."""

from __future__ import annotations

import builtins
import errno
import os
from typing import BinaryIO, NamedTuple

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.native import NativeEngine
from dotscience_jupyter.snapshots.stream import FrameReader, FrameWriter, require_engine

from . import command, leaving, names, transfer
from .errors import ZfsError
from .libzfs import Libzfs
from .listing import Listing, properties
from .replicas import NotMountedError, Partial, Replicas
from .transfer import FORMAT, Header, Token

SENDER = "dotscience:sender"
"""The user property of received snapshots that says whose they are."""

_FOR_GOOD = {errno.EPERM, errno.EACCES, errno.EEXIST, errno.ENOTSUP, errno.EROFS}
"""Errors with which a transfer can never succeed, however often it is sent."""

_UNRELATED = {errno.EXDEV, errno.ENODEV, errno.EINVAL, errno.ENOENT, 0}
"""What ZFS says of a snapshot that is no ancestor of another."""


class _Plan(NamedTuple):
    """How a snapshot is sent."""

    name: str
    since: str | None
    flags: builtins.list[str]
    size: int  # bytes, estimated


class MovingEngine(NativeEngine):
    """The half of the ZFS engine that moves snapshots from one dataset to another.

    What is received lies in datasets below the volume; see :class:`Replicas`.
    """

    name = "zfs"
    streams = True

    dataset: str
    _libzfs: Libzfs
    _replicas: Replicas
    _listing: Listing

    # -- sending -------------------------------------------------------------------------------

    def _flags(self, name: str) -> builtins.list[str]:
        """Return how a snapshot is sent: as it is on disk, as far as that can be."""
        if properties(name, "encryption")[0] not in ("off", "-"):
            return ["raw"]
        return ["compress", "embedded_data", "large_blocks"]

    def _plan(self, snapshot: str, base: str | None) -> _Plan:
        """Return how to send a snapshot.

        From what is no ancestor nothing can be sent, so then all is.
        """
        name = self._listing.get(snapshot).name
        since = None if base is None else self._listing.get(base).name
        flags = self._flags(name)
        if since is not None:
            try:
                return _Plan(name, since, flags, self._libzfs.send_space(name, since, flags))
            except ZfsError as error:
                if error.errno not in _UNRELATED:
                    raise
        return _Plan(name, None, flags, self._libzfs.send_space(name, None, flags))

    def ancestors(self, snapshot: str) -> builtins.list[str] | None:
        """Return the earlier snapshots of the same dataset; see :meth:`NativeEngine.ancestors`."""
        found = self._listing.find(snapshot)
        if found is None or "raw" in self._flags(found.name):
            return None
        same = [each for each in self._listing.all() if each.dataset == found.dataset]
        return [each.id for each in same[: same.index(found)]]

    @property
    def reads_received(self) -> bool:
        """Whether this user may mount, so can read what was received."""
        return os.geteuid() == 0

    def set_sender(self, snapshot: str, sender: str) -> None:
        """Note whose snapshot was received; it is noted with it, and goes with it."""
        name = self._listing.get(snapshot).name
        command.run("note who sent", name, "set", f"{SENDER}={sender}", name)

    def senders(self) -> dict[str, str]:
        """Return whose the received snapshots are, of those of which it was noted."""
        lines = command.table(
            "look for who sent", self.dataset, "list", "-H", "-r", "-d", "2", "-t", "snapshot",
            "-o", f"name,{SENDER}", self.dataset,
        )  # fmt: skip
        said = {name: sender for name, sender in lines if sender != "-"}
        found = self._listing.all()
        return {each.id: said[each.name] for each in found if each.received and each.name in said}

    def unshown(self, snapshot: str, since: str = "") -> str:
        """Return what a stream would hold beyond; see :meth:`NativeEngine.unshown`."""
        paths = self._touched(since, snapshot) if since else None
        tree = self._tree(snapshot)
        return leaving.unshown(tree) if paths is None else leaving.unshown_of(tree, paths)

    def send_size(self, snapshot: str, base: str | None = None) -> int:
        """Estimate what :meth:`send` would write, as ZFS does."""
        return self._plan(snapshot, base).size

    def send(
        self,
        snapshot: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write a snapshot as ZFS sends it; see :meth:`Engine.send`."""
        plan = self._plan(snapshot, base)
        sent_base = "" if plan.since is None or base is None else base
        raw = "raw" in plan.flags
        if resume:
            token = Token.parse(resume)
            if token is None or token.snapshot != snapshot:
                raise SnapshotError(
                    "This is not a token of a transfer of this snapshot that was cut. Nothing was "
                    "sent. Begin anew, without a token."
                )
            sent_base, raw = token.base, token.raw
        content = self.content_id(snapshot, compute=False)
        short = plan.name.partition("@")[2]
        header = Header(snapshot, sent_base, short, content, raw, bool(resume), plan.size)

        def produce(fd: int) -> None:
            if resume:
                self._libzfs.send_rest(resume, fd)
            else:
                self._libzfs.send(plan.name, plan.since, fd, plan.flags)

        writer = FrameWriter(to, header.to_json())
        try:
            transfer.send(writer, produce, plan.size, progress)
        finally:
            writer.close()

    # -- receiving -----------------------------------------------------------------------------

    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in a snapshot into a dataset below the volume; see :meth:`Engine.receive`."""
        reader = FrameReader(source)
        require_engine(reader.header, self.name, FORMAT)
        header = Header.from_json(reader.header)
        self._store.prepare()
        with self._store.shared("the snapshot was not received"):
            there = self.exists(header.snapshot)
            if there:
                self._returned(header.snapshot)
        if there:
            transfer.drain(reader)
            return header.snapshot
        with self._replicas.receiving():
            name = self._receive(reader, header, progress)
        self._replicas.changed()
        self._prove(name, header)
        self._returned(header.snapshot)
        return header.snapshot

    def _receive(self, reader: FrameReader, header: Header, progress: Progress | None) -> str:
        """Take in a stream; return the name of the new snapshot."""
        name, origin = self._target(header)

        def consume(fd: int) -> None:
            self._libzfs.receive(
                name,
                fd,
                origin=origin,
                raw=header.raw,
                properties=self._replicas.properties(),
            )

        def on_last() -> None:
            # it is spared by gc from the moment when it is there
            self._returned(header.snapshot)

        self._returned(header.snapshot)  # and what arrives before a cut for a while
        try:
            transfer.receive(reader, header, consume, on_last, progress)
        except (TransferError, ZfsError) as error:
            partial = self._partial(header.snapshot)
            if partial is not None:
                raise TransferError(
                    f"{error} What arrived is kept here, and the transfer can go on behind it.",
                    partial.token,
                ) from error
            if isinstance(error, TransferError) or error.errno not in _FOR_GOOD:
                raise TransferError(f"{error} Nothing of it was kept.") from error
            raise
        return name

    def _target(self, header: Header) -> tuple[str, str | None]:
        """Return the snapshot to receive as, and the one to start from if the dataset is new."""
        partials = self._replicas.partials()
        partial = next((each for each in partials if each.snapshot == header.snapshot), None)
        if header.resume:
            if partial is None:
                raise TransferError(
                    "What was sent is the rest of a transfer of which nothing is kept here. "
                    "Nothing was changed. Send it from its beginning."
                )
            return f"{partial.dataset}@{header.name}", None
        base = None
        if header.base:
            base = self._listing.find(header.base)
            if base is None:
                raise SnapshotError(
                    f"What was sent is only what is new since the snapshot {header.base}, which is "
                    "not here. Nothing was changed. Receive that one first, or send all of it."
                )
        if partial is not None:
            self._replicas.abandon(partial)
        if base is None:
            return f"{names.new_replica(self.dataset)}@{header.name}", None
        dataset = base.dataset
        busy = {each.dataset for each in partials if each is not partial}
        if base.received and dataset not in busy and self._replicas.newest(dataset) == base.name:
            # whoever wrote to it after all is not to stand in the way
            self._libzfs.rollback(dataset)
            return f"{dataset}@{header.name}", None
        return f"{names.new_replica(self.dataset)}@{header.name}", base.name

    def _prove(self, name: str, header: Header) -> None:
        """Compare what arrived with what was said to be sent; drop it where it differs."""
        lines = command.table(
            "look for a snapshot", name, "get", "-Hp", "-o", "value", "guid", name
        )
        if names.identity(int(lines[0][0])) != header.snapshot:
            self._libzfs.destroy_snapshots([name])
            self._replicas.drop_empty()
            raise SnapshotError(
                "What arrived is another snapshot than was said to be sent. It was dropped again. "
                "Send it again."
            )
        try:
            self._check_arrived(header.snapshot, header.content)
        except CorruptStoreError:
            self._drop([header.snapshot])
            raise
        except NotMountedError:
            pass  # ZFS has verified its own checksums; the content id is proven once it is mounted

    def _partial(self, snapshot: str) -> Partial | None:
        return next((each for each in self._replicas.partials() if each.snapshot == snapshot), None)

    def partial(self) -> dict[str, str]:
        """Return transfers that were cut; see :meth:`Engine.partial`."""
        return {each.snapshot: each.token for each in self._replicas.partials()}
