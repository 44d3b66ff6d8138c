# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots on their way to and from a hub as streams of the file system that both sides are on.

Only blocks travel that are new since a snapshot that the other side has, and nothing is cut into
chunks for it in the workspace. Whatever cannot go so goes as objects, as between all others.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Generator, Mapping, Sequence

from dotscience_jupyter.snapshots import (
    Equal,
    PortableEngine,
    Progress,
    SnapshotError,
    TransferError,
)

from .errors import OfflineError, RefusedError, SyncError
from .hubproject import MOST_EQUALS, HubProject

HOLD = "received"
"""The tag of content whose commit is not recorded yet; what was received by hand has it too."""

_PIECE = 1 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

log = logging.getLogger("dotscience.sync")


class StreamUpload:
    """Streams of one push.

    Parameters
    ----------
    engine
        The workspace's.
    hub
        Where to.
    is_first
        Whether the hub has nothing of the workspace's history: only then all of a snapshot goes so,
        because what others pushed is not left out of it.
    """

    def __init__(
        self,
        engine: PortableEngine,
        hub: HubProject,
        progress: Progress | None = None,
        *,
        is_first: bool,
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._may = bool(engine.streams) and engine.streams in hub.streams
        self._is_first = is_first
        self._sent: set[str] = set()  # the hub has them, by this or an earlier push
        self._tokens: dict[str, str] = {}  # of earlier pushes that were cut
        self._bytes = 0

    def send(self, snapshots: Sequence[str]) -> set[str]:
        """Send those snapshots that can go so, the oldest first.

        Returns
        -------
        set of str
            Those that the hub has now, read by it and found to be what they are here.

        Raises
        ------
        SyncError
            If the connection is cut for longer than it is waited for.
        """
        done: set[str] = set()
        try:
            self._ask(snapshots)
            for snapshot in snapshots:
                if self._may and self._send(snapshot):
                    done.add(snapshot)
        except (RefusedError, SnapshotError) as error:
            # the other way tells what is wrong, if it is wrong for that too
            log.warning("Snapshots go to the hub as objects: %s", error)
            self._may = False
        return done

    def _ask(self, snapshots: Sequence[str]) -> None:
        """Ask which of some snapshots and of those before them the hub has received."""
        for snapshot in snapshots if self._may else ():
            ancestors = self._engine.ancestors(snapshot)
            if ancestors is not None:
                asked = list(dict.fromkeys([*ancestors, *snapshots]))[-MOST_EQUALS:]
                have, tokens = self._hub.streamed(asked)
                self._sent.update(have)
                self._tokens.update(tokens)
                return

    def _send(self, snapshot: str) -> bool:
        ancestors = self._engine.ancestors(snapshot)
        if ancestors is None:
            return False
        equal: Equal | None = None
        if snapshot not in self._sent:
            base = next((each for each in reversed(ancestors) if each in self._sent), "")
            if not base and not self._is_first:
                return False
            if hidden := self._engine.unshown(snapshot, base):
                log.info("%s goes to the hub as objects, without %r", snapshot, hidden)
                self._may = False
                return False
            equal = self._stream(snapshot, base)
        if equal is None:
            equal = self._hub.take_streamed(snapshot)
        self._is_first = False
        return equal.content == self._engine.content_id(snapshot)

    def _stream(self, snapshot: str, base: str) -> Equal | None:
        """Send a snapshot; after a cut what is left of it.

        Returns
        -------
        Equal or None
            What it is on the hub; None if that was cut off.
        """
        patience = self._hub.connection.patience
        failed, token = 0, self._tokens.get(snapshot, "")
        while True:
            patience.check()
            try:
                with contextlib.closing(self._parts(snapshot, base, token)) as parts:
                    equal = self._hub.put_stream(parts)
                self._sent.add(snapshot)
                return equal
            except RefusedError as error:
                if error.code != "transfer_cut":
                    raise
                cut = OfflineError(error.message)
            except OfflineError as error:
                cut = error
            have, tokens = self._hub.streamed([snapshot])
            if snapshot in have:
                self._sent.add(snapshot)
                return None
            before, token = token, tokens.get(snapshot, "")
            # what arrived is progress, and whoever makes progress is not tired
            failed = 0 if token not in ("", before) else failed + 1
            patience.wait(max(failed, 1), cut)

    def _parts(self, snapshot: str, base: str, token: str) -> Generator[bytes]:
        """Yield a stream as it is made; raise what making it does before its end."""
        reading, writing = os.pipe()
        failed: list[BaseException] = []

        def make() -> None:
            try:
                with open(writing, "wb", buffering=0) as to:
                    self._engine.send(snapshot, to, base or None, token)
            except BaseException as error:
                failed.append(error)

        worker = threading.Thread(target=make, name="dotscience-stream", daemon=True)
        worker.start()
        try:
            while data := os.read(reading, _PIECE):
                self._hub.connection.patience.check()
                yield data
                self._tell(len(data))
        finally:
            os.close(reading)  # a worker that still writes is told so
            worker.join()
        if failed:
            raise failed[0]

    def _tell(self, count: int) -> None:
        self._bytes += count
        if self._progress is not None:
            self._progress(self._bytes, 0, "Sending content")


class StreamDownload:
    """Streams of one fetch. The parameters are those of :class:`StreamUpload`."""

    def __init__(
        self, engine: PortableEngine, hub: HubProject, progress: Progress | None = None
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._failed = False

    def take(self, snapshots: Mapping[str, Equal]) -> None:
        """Take and hold those snapshots that can come so and are what they should be.

        Parameters
        ----------
        snapshots
            What they are on the hub, the oldest first.

        Raises
        ------
        SyncError
            If the connection is cut for longer than it is waited for, or there is no room.
        """
        kind = self._engine.takes_streams
        if self._failed or not snapshots or not kind or kind not in self._hub.streams:
            return
        try:
            offered = self._hub.offered([*snapshots])
            for snapshot in snapshots:
                if snapshot in offered:
                    self._take(snapshot, snapshots[snapshot].content)
        except (RefusedError, SnapshotError) as error:
            # the other way tells what is wrong, if it is wrong for that too
            log.warning("Snapshots come from the hub as objects: %s", error)
            self._failed = True

    def _take(self, snapshot: str, content: str) -> None:
        """Take one; after a cut what is left of it."""
        patience = self._hub.connection.patience
        failed, anew = 0, False
        while True:
            patience.check()
            token = "" if anew else self._token(snapshot)
            try:
                with self._hub.stream(snapshot, self._engine.bases(), token) as source:
                    found = self._engine.receive(source, self._progress)
                break
            except TransferError as error:
                if getattr(error.__cause__, "errno", 0) in _NO_ROOM:
                    raise SyncError("unwritable", str(error)) from error
                cut = OfflineError(str(error))
            except RefusedError as error:
                if error.code != "resume" or anew:
                    raise
                anew = True
                cut = OfflineError(error.message)
            except OfflineError as error:
                cut = error
            # what arrived is progress, and whoever makes progress is not tired
            failed = 0 if self._token(snapshot) not in ("", token) else failed + 1
            patience.wait(max(failed, 1), cut)
        if found != snapshot or self._engine.content_id(snapshot) != content:
            self._engine.destroy(found)
            raise SnapshotError(f"The hub sent something else than the snapshot {snapshot}.")
        # whoever is killed before the commit is recorded has it to go on from
        self._engine.hold([snapshot], HOLD)

    def _token(self, snapshot: str) -> str:
        return self._engine.partial().get(snapshot, "")
