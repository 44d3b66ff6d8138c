# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits on their way to the hub: content first, then the commits, page by page from the oldest.

Whatever is interrupted leaves the hub with the history up to some commit, whole, and what arrived
of the content after it; the next push asks what is there and goes on with that.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Literal

from dotscience_jupyter.records import HEAD, Records
from dotscience_jupyter.snapshots import EmbeddedEngine, PortableEngine, Progress

from .errors import OfflineError, RefusedError, SyncError
from .hubproject import HubProject, LackingError, Published
from .streaming import StreamUpload

PushState = Literal["nothing", "current", "published", "behind", "diverged"]

BATCH = 1 << 25
"""Bytes of content in one request; what a cut connection can cost at most."""

PAGE = 200
"""Commits whose content is sent before they are."""

LINES = 1 << 24
"""Bytes of commits in one request, if one of them is not larger."""

_MOST_KNOWN = 1_000_000
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes
    ----------
    state : str
        ``nothing``: there is no commit. ``current``: the hub had it all. ``published``: the hub's
        head is the one here. ``behind``: the hub has it all, and more. ``diverged``: what is here
        is kept on the hub beside its head.
    commits : int
        How many were sent.
    head : str
        The hub's head; "" if it has none.
    ref : str
        Where on the hub the commits are.
    """

    state: PushState
    commits: int
    head: str
    ref: str


class Pushing:
    """One push.

    Parameters
    ----------
    records, engine
        The workspace's.
    hub
        Where to.
    progress
        Told of the bytes sent.
    """

    def __init__(
        self,
        records: Records,
        engine: PortableEngine,
        hub: HubProject,
        progress: Progress | None = None,
    ) -> None:
        self._records = records
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._content = ContentUpload(engine.exchange, hub, progress)

    def run(self) -> Pushed:
        """Send what the hub does not have. Raise SyncError, RecordsError or SnapshotError."""
        head = self._records.head()
        refs = self._hub.refs()
        theirs = refs.get(HEAD, "")
        if head is None:
            return Pushed("nothing", 0, theirs, "")
        if head.id == theirs:
            return Pushed("current", 0, theirs, HEAD)
        known = self._records.known_commits(refs.values())
        outbox = self._records.missing_from(head.id, known)
        if theirs and theirs not in known:
            # it has commits that are not here: what of ours they build upon, only the hub can say
            known |= self._hub.known_commits(outbox)
            outbox = self._records.missing_from(head.id, known)
        streams = StreamUpload(self._engine, self._hub, self._progress, is_first=not known)
        sent = 0
        published: Published | None = None
        for page in _pages(outbox, PAGE):
            commits = [self._records.get_commit(id_) for id_ in page]
            named = list(dict.fromkeys(commit.snapshot for commit in commits))
            streamed = streams.send(named)
            others = [each for each in named if each not in streamed]
            snapshots = self._brought(others)
            # whatever they build upon, the hub has by now
            parents = {each.parent_id for commit in commits for each in commit.parents}
            bases = [self._records.get_commit(id_).snapshot for id_ in sorted(parents - {*page})]
            self._content.send(snapshots, bases)
            if others:
                self._hub.equate(self._engine.exchange.equals(others))
            for last, count, lines in self._exported(page):
                published = self._publish(last, lines, named)
                sent += count
        if published is None:
            published = self._publish(head.id, io.BytesIO(), ())
        state: PushState = "diverged" if published.state == "diverged" else "behind"
        if published.head == head.id:
            state = "published" if sent else "current"
        return Pushed(state, sent, published.head, published.ref)

    def _exported(self, page: Sequence[str]) -> Iterator[tuple[str, int, BinaryIO]]:
        """Yield (last commit, how many, lines) of a page, in requests of bearable size."""
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, and replaced in between
        try:
            count = 0
            for id_, line in zip(page, self._records.export(page), strict=True):
                spool.write(line)
                count += 1
                if spool.tell() >= LINES or id_ == page[-1]:
                    yield id_, count, spool
                    spool.seek(0)
                    spool.truncate()
                    count = 0
        finally:
            spool.close()

    def _brought(self, snapshots: Iterable[str]) -> list[str]:
        """Return what snapshots are in the exchange store, each once; they are brought there."""
        return list(dict.fromkeys(self._engine.bring(each, self._progress) for each in snapshots))

    def _publish(self, last: str, lines: BinaryIO, snapshots: Sequence[str]) -> Published:
        """Publish commits of a page; content that the hub finds lacking is sent before."""
        for _ in range(_ROUNDS):
            try:
                return self._hub.publish(last, lines)
            except LackingError as error:
                # leftovers of a transfer that was cut long ago may lack what they refer to
                self._content.mend(self._brought(snapshots), error.ids)
        raise SyncError(
            "damaged",
            "The hub keeps lacking content that was sent to it. The commits are not published; "
            "they are safe here. Have 'verify' look at this workspace, and the hub's "
            "administrator at the hub.",
        )


class ContentUpload:
    """Objects on their way to the hub, in batches, what is there left out."""

    def __init__(
        self, engine: EmbeddedEngine, hub: HubProject, progress: Progress | None = None
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._settled: set[bytes] = set()  # it is there, or on its way
        self._lacking: set[bytes] = set()  # it is not there, and was not asked for yet
        self._deltas: dict[bytes, tuple[bytes, ...]] = {}
        self._bytes = 0

    def send(self, snapshots: Sequence[str], bases: Sequence[str] = ()) -> None:
        """Send what the hub lacks of snapshots; it has the bases whole."""
        self._deltas = {}
        if len(self._settled) > _MOST_KNOWN:
            self._settled.clear()
        there = {self._engine.equal(base) for base in bases}
        lacking = [snapshot for snapshot in snapshots if snapshot not in there]
        if len(lacking) > 1:  # with one question; of a single one the question is what is in it
            tops = [bytes.fromhex(snapshot) for snapshot in lacking]
            self._lacking.update(self._ask(tops))
            lacking = [top.hex() for top in tops if top in self._lacking]
        self._send_all(self._needed(lacking, bases))

    def mend(self, snapshots: Sequence[str], ids: Sequence[bytes]) -> None:
        """Send objects of snapshots of which the hub says that it lacks them after all."""
        self._settled.clear()
        self._deltas = {}
        self._send_all(self._needed(snapshots, (), ids))

    def _needed(
        self, snapshots: Iterable[str], bases: Sequence[str], also: Sequence[bytes] = ()
    ) -> Iterator[bytes]:
        for snapshot in snapshots:
            for id_ in self._engine.needed(
                snapshot, self._lacks, also=also, bases=bases, deltas=self._deltas
            ):
                self._lacking.discard(id_)
                self._settled.add(id_)
                yield id_

    def _send_all(self, rest: Iterator[bytes]) -> None:
        with ThreadPoolExecutor(1, "dotscience-pack") as beside:
            # the next batch is made while one is on its way
            coming = beside.submit(self._batch, rest)
            while True:
                batch, body = coming.result()
                if not batch:
                    return
                coming = beside.submit(self._batch, rest)
                self._send(batch, body)

    def _lacks(self, ids: list[bytes]) -> list[bytes]:
        self._lacking.update(self._ask(ids))
        return [id_ for id_ in ids if id_ in self._lacking]

    def _ask(self, ids: Sequence[bytes]) -> list[bytes]:
        """Ask of what nothing is known yet; return what is lacking."""
        unknown = [
            id_
            for id_ in dict.fromkeys(ids)
            if id_ not in self._settled and id_ not in self._lacking
        ]
        missing = self._hub.missing(unknown) if unknown else []
        self._settled.update(set(unknown).difference(missing))
        return missing

    def _batch(self, ids: Iterator[bytes]) -> tuple[list[bytes], BinaryIO]:
        """Pack the next objects, as many as go into a request."""
        taken: list[bytes] = []
        body = io.BytesIO()

        def some() -> Iterator[bytes]:
            while body.tell() < BATCH:
                id_ = next(ids, None)
                if id_ is None:
                    return
                taken.append(id_)
                yield id_

        self._engine.pack(some(), body, deltas=self._deltas)
        return taken, body

    def _send(self, ids: list[bytes], body: BinaryIO) -> None:
        """Send a batch; after a cut only what did not arrive."""
        patience = self._hub.connection.patience
        failed = 0
        while True:
            patience.check()
            try:
                self._hub.put_objects(body)
            except RefusedError as error:
                if error.code != "transfer_cut":
                    raise
                cut = OfflineError(error.message)
            except OfflineError as error:
                cut = error
            else:
                self._tell(body.seek(0, io.SEEK_END))
                return
            left = set(self._hub.missing(ids))
            # what arrived is progress, and whoever makes progress is not tired
            failed = 0 if len(left) < len(ids) else failed + 1
            if not left:
                return
            patience.wait(max(failed, 1), cut)
            ids = [id_ for id_ in ids if id_ in left]
            body = io.BytesIO()
            # as they are: what they differ from may be what the hub does not have
            self._engine.pack(ids, body)

    def _tell(self, count: int) -> None:
        self._bytes += count
        if self._progress is not None:
            self._progress(self._bytes, 0, "Sending content")


def _pages(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
