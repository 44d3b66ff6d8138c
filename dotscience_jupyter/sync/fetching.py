# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits on their way from the hub: content first, then the commits, page by page from the oldest.

They are recorded beside the workspace's own history; its head and its files are not touched.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from dotscience_jupyter.records import HEAD, NotFoundError, Records
from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    EmbeddedEngine,
    Equal,
    PortableEngine,
    Progress,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.embedded.equals import is_foreign

from .errors import OfflineError, RefusedError, SyncError
from .hubproject import HubProject
from .lines import Line, read_line
from .streaming import HOLD, StreamDownload

REMOTE_HEAD = "remote/HEAD"
"""The ref of the records that says which of the hub's commits are here."""

STREAMS = 100
"""Snapshots that are asked for at once."""

_SAMPLES = 40


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought.

    Attributes
    ----------
    commits : int
        How many are new here.
    head : str
        The hub's head; "" if it has none.
    """

    commits: int
    head: str


class Fetching:
    """One fetch. The parameters are those of :class:`.pushing.Pushing`."""

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
        self._streams = StreamDownload(engine, hub, progress)
        self._bases: dict[str, str] = {}  # by the id of the engine that took them

    def run(self) -> Fetched:
        """Take what is not here. Raise SyncError, RecordsError or SnapshotError."""
        head = self._hub.refs().get(HEAD, "")
        if not head:
            return Fetched(0, "")
        new = 0
        if not self._records.known_commits([head]):
            have = self._have()
            last = ""
            while last != head:
                with tempfile.TemporaryFile() as page:
                    lines = self._page(head, have, page)
                    last = lines[-1].id
                    new += self._take(lines, page)
                have = [*have, *(line.id for line in lines)]
        note_remote_head(self._records, head)
        return Fetched(new, head)

    def _have(self) -> list[str]:
        """Return commits that tell the hub what is here: the heads, and fewer the older."""
        found = list(dict.fromkeys(self._records.refs().values()))
        if self._records.head() is None:
            return found
        step = 1
        for _ in range(_SAMPLES):
            commits, _total = self._records.log(HEAD, offset=step, limit=1)
            if not commits:
                break
            found.append(commits[0].id)
            step *= 2
        return found

    def _page(self, want: str, have: list[str], page: BinaryIO) -> list[Line]:
        """Write the next commits down; return what they are."""

        def attempt() -> list[Line]:
            page.seek(0)
            page.truncate()
            lines = []
            with self._hub.commits(want, have) as source:
                try:
                    for text in source:
                        lines.append(_line(text))
                        page.write(text)
                except OSError as error:
                    raise OfflineError(f"The hub's commits did not arrive: {error}.") from error
            if not lines:
                raise SyncError("damaged", "The hub sent no commit where it should have.")
            return lines

        return self._hub.connection.patience.run(attempt)

    def _take(self, lines: list[Line], page: BinaryIO) -> int:
        """Record commits whose content is taken before; return how many are new."""
        known = self._records.known_commits([line.id for line in lines])
        new = [line for line in lines if line.id not in known]
        exchange = self._engine.exchange
        equals = self._equals(new)
        self._streams.take(self._absent(equals))
        for snapshot, equal in self._absent(equals).items():
            exchange.equate(snapshot, *equal)
        if bases := self._wanted(new, equals):
            ContentDownload(exchange, self._hub, self._progress).take(bases)
        for snapshot, equal in equals.items():
            if self._engine.content_id(snapshot) != equal.content:
                raise SyncError(
                    "damaged",
                    f"What the hub has of the snapshot {snapshot} is not what its content id says. "
                    "Nothing was changed here. Tell the hub's administrator; where it was pushed "
                    "from it is whole.",
                )
        page.seek(0)
        taken = self._records.take(
            page, ref=REMOTE_HEAD, expected=self._records.refs().get(REMOTE_HEAD)
        )
        snapshots = {line.snapshot for line in lines}
        self._engine.hold(snapshots, COMMIT_HOLD)
        exchange.release(snapshots, HOLD)
        self._engine.release(equals, HOLD)
        return len(taken.new)

    def _equals(self, lines: list[Line]) -> dict[str, Equal]:
        """Return what snapshots of other engines are; those that are here may be left out."""
        foreign = dict.fromkeys(line.snapshot for line in lines if is_foreign(line.snapshot))
        found = self._hub.equals(foreign) if foreign else {}
        for snapshot in foreign:
            if snapshot not in found and not self._engine.exists(snapshot):
                raise SyncError(
                    "damaged",
                    f"The hub does not say what it has of the snapshot {snapshot}, so its commits "
                    "cannot be taken. Nothing was changed here. Tell the hub's administrator.",
                )
        return {each: found[each] for each in foreign if each in found}

    def _absent(self, equals: Mapping[str, Equal]) -> dict[str, Equal]:
        return {each: equals[each] for each in equals if not self._engine.exists(each)}

    def _wanted(self, lines: list[Line], equals: Mapping[str, Equal]) -> dict[str, str]:
        """Return the hub's ids of snapshots that are not here, and what each builds upon."""
        coming = {line.id: line.snapshot for line in lines}
        wanted: dict[str, str] = {}
        for line in lines:
            if self._engine.exists(line.snapshot):
                continue
            there = equals[line.snapshot].snapshot if line.snapshot in equals else line.snapshot
            if there in wanted:
                continue
            base = ""
            if line.parents:
                base = coming.get(line.parents[0]) or self._snapshot_of(line.parents[0])
                base = equals[base].snapshot if base in equals else base
            wanted[there] = base if base in wanted else self._base(base)
        return wanted

    def _snapshot_of(self, commit: str) -> str:
        try:
            return self._records.get_commit(commit).snapshot
        except NotFoundError:
            return ""

    def _base(self, snapshot: str) -> str:
        """Return the hub's id of a snapshot that both have, "" if one of them has not."""
        if not snapshot or not self._engine.exists(snapshot):
            return ""
        if not is_foreign(snapshot):
            return snapshot
        if snapshot not in self._bases:
            there = self._hub.equals([snapshot]).get(snapshot)
            here = ""
            with contextlib.suppress(SnapshotError):  # then all is sent
                here = self._engine.bring(snapshot, self._progress) if there else ""
            self._bases[snapshot] = here if there and there.snapshot == here else ""
        return self._bases[snapshot]


class ContentDownload:
    """Snapshots on their way from the hub."""

    def __init__(
        self, engine: EmbeddedEngine, hub: HubProject, progress: Progress | None = None
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._anew: set[str] = set()  # what the hub would not go on with

    def take(self, bases: Mapping[str, str]) -> None:
        """Take snapshots in this order, each what is new since its base ("" for none)."""
        patience = self._hub.connection.patience
        rest = dict(bases)
        failed = 0
        while rest:
            patience.check()
            before = self._state(rest)
            try:
                self._some(rest)
                failed = 0
            except OfflineError as error:
                failed = 0 if self._state(rest) != before else failed + 1
                patience.wait(max(failed, 1), error)

    def _state(self, rest: Mapping[str, str]) -> tuple[int, str]:
        """Return what tells whether anything arrived since."""
        first = next(iter(rest), "")
        return len(rest), self._engine.partial().get(first, "")

    def _some(self, rest: dict[str, str]) -> None:
        """Take the next ones, and leave in ``rest`` what is still to come."""
        tokens = self._engine.partial()
        asked = list(rest.items())[:STREAMS]
        items = [
            {"snapshot": snapshot, "base": base, "resume": self._resume(tokens, snapshot, base)}
            for snapshot, base in asked
        ]
        try:
            with self._hub.content(items) as source:
                for snapshot, _ in asked:
                    found = self._engine.receive(source, self._progress)
                    if found != snapshot:
                        raise SyncError("damaged", "The hub sent other content than was asked for.")
                    # whoever is killed before the commit is recorded has it to go on from
                    self._engine.hold([snapshot], HOLD)
                    del rest[snapshot]
        except TransferError as error:
            raise OfflineError(str(error)) from error
        except RefusedError as error:
            if error.code != "resume" or items[0]["snapshot"] in self._anew:
                raise
            self._anew.update(item["snapshot"] for item in items if item["resume"])
            raise OfflineError(error.message) from error

    def _resume(self, tokens: Mapping[str, str], snapshot: str, base: str) -> str:
        """Return the token of a transfer that was cut, if it was on the same base."""
        token = tokens.get(snapshot, "")
        fits = token.startswith(f"{snapshot}.{base}.") and snapshot not in self._anew
        return token if fits else ""


def _line(text: bytes) -> Line:
    try:
        return read_line(text)
    except ValueError:
        raise SyncError(
            "damaged", "The hub sent a commit that cannot be read. Nothing was changed here."
        ) from None


def note_remote_head(records: Records, head: str) -> None:
    """Note which of the hub's commits is here; that somebody else notes it now is fine."""
    expected = records.refs().get(REMOTE_HEAD)
    if expected != head:
        records.set_ref(REMOTE_HEAD, head, expected=expected)
