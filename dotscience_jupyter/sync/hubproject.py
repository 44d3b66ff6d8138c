# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a workspace says to its project on a hub; docs/sync.md describes each request."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from dotscience_jupyter.snapshots import Equal

from .connection import Connection, parsed
from .errors import RefusedError, SyncError

_ID = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,255}")
_STATE = re.compile(r"published|known|diverged")

IDS = "application/octet-stream"
OBJECTS = "application/vnd.dotscience.objects"
COMMITS = "application/x-ndjson"

MOST_IDS = 65_536
"""Ids of objects that are asked about at once."""

MOST_COMMITS = 10_000
"""Commits that are asked about at once."""

MOST_EQUALS = 1000
"""Snapshots of other engines that are spoken of at once."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of commits that were sent.

    Attributes
    ----------
    state : str
        ``published``: the hub's head is the newest of them. ``known``: the hub has them all and
        more. ``diverged``: they are kept on the hub beside its head, under ``ref``.
    head : str
        The hub's head afterwards.
    ref : str
        Where they are.
    """

    state: str
    head: str
    ref: str


class LackingError(Exception):
    """The hub lacks objects of snapshots that it was told to have; ``ids`` are some of them."""

    def __init__(self, ids: list[bytes]) -> None:
        super().__init__(f"{len(ids)} objects are lacking")
        self.ids = ids


class HubProject:
    """One project of a hub. Every method raises SyncError.

    Attributes
    ----------
    streams : frozenset of str
        The engines whose streams the hub takes and gives, as far as :meth:`refs` told.
    """

    def __init__(self, connection: Connection, project: str) -> None:
        self.connection = connection
        self._path = f"/api/v1/projects/{quote(project, safe='')}"
        self.streams: frozenset[str] = frozenset()

    def refs(self) -> dict[str, str]:
        """Return the heads of the project's histories by name."""
        document = self.connection.json("GET", f"{self._path}/refs")
        refs, streams = document.get("refs"), document.get("streams", [])
        if not isinstance(refs, dict) or not isinstance(streams, list):
            raise _wrong()
        self.streams = frozenset(map(str, streams))
        return {_checked(_NAME, name): _checked(_ID, id_) for name, id_ in refs.items()}

    def known_commits(self, ids: Collection[str]) -> set[str]:
        """Return those of the commits that the hub has."""
        found: set[str] = set()
        rest = list(ids)
        while rest:
            document = {"commits": rest[:MOST_COMMITS]}
            found.update(map(str, self._list("have", document, "commits")))
            rest = rest[MOST_COMMITS:]
        return found

    def missing(self, ids: Sequence[bytes]) -> list[bytes]:
        """Return those of the objects that the hub does not have."""
        found: list[bytes] = []
        for start in range(0, len(ids), MOST_IDS):
            body = b"".join(ids[start : start + MOST_IDS])
            data = self.connection.post(f"{self._path}/objects/missing", body, IDS)
            if len(data) % 32 or len(data) > len(body):
                raise _wrong()
            found += (data[at : at + 32] for at in range(0, len(data), 32))
        return found

    def put_objects(self, stream: BinaryIO) -> None:
        """Send objects as the store packs them. Not tried again: what arrived need not go again."""
        self.connection.post(f"{self._path}/objects", stream, OBJECTS, again=False)

    def publish(self, head: str, lines: BinaryIO) -> Published:
        """Publish a commit; what the hub does not have of its history, as the records export it.

        Raises
        ------
        LackingError
            If content is not there after all.
        """
        try:
            data = self.connection.post(f"{self._path}/push?head={quote(head)}", lines, COMMITS)
        except RefusedError as error:
            if error.code != "lacking":
                raise
            ids = error.document.get("lacking")
            try:
                raise LackingError([bytes.fromhex(id_) for id_ in ids or ()]) from None
            except (TypeError, ValueError):
                raise _wrong() from None
        document = parsed(data)
        return Published(
            _checked(_STATE, document.get("state")),
            _checked(_ID, document.get("head")),
            _checked(_NAME, document.get("ref")),
        )

    def streamed(self, snapshots: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Ask which snapshots the hub received as streams, and with which tokens cut ones go on."""
        document = {"snapshots": list(snapshots)}
        found = self.connection.json("POST", f"{self._path}/streams/have", document)
        have, resume = found.get("have"), found.get("resume")
        if not isinstance(have, list) or not isinstance(resume, dict):
            raise _wrong()
        return set(map(str, have)), {str(key): str(token) for key, token in resume.items()}

    def put_stream(self, parts: Generator[bytes]) -> Equal:
        """Send a snapshot as a stream; return what it is on the hub.

        Not tried again: what arrived need not go again.
        """
        return _equal(
            parsed(self.connection.post(f"{self._path}/streams", parts, IDS, again=False))
        )

    def take_streamed(self, snapshot: str) -> Equal:
        """Ask for a snapshot that was received to be read; return what it is on the hub."""
        document = {"snapshot": snapshot}
        return _equal(self.connection.json("POST", f"{self._path}/streams/take", document))

    def offered(self, snapshots: Sequence[str]) -> set[str]:
        """Ask which snapshots can be had as streams, because this user had sent them so."""
        found: set[str] = set()
        for start in range(0, len(snapshots), MOST_EQUALS):
            document = {"snapshots": list(snapshots[start : start + MOST_EQUALS])}
            found.update(map(str, self._list("streams/offered", document, "snapshots")))
        return found

    def stream(
        self, snapshot: str, have: Sequence[str], resume: str
    ) -> AbstractContextManager[BinaryIO]:
        """Ask for a snapshot as a stream: what is new since the newest of those that are here."""
        document = {"snapshot": snapshot, "have": list(have[-MOST_EQUALS:]), "resume": resume}
        return self.connection.stream(f"{self._path}/streams/get", document)

    def equate(self, equals: Mapping[str, Equal]) -> None:
        """Tell what snapshots of other engines are, before commits with these are published."""
        said = [
            {"snapshot": snapshot, "equal": equal.snapshot, "content": equal.content}
            for snapshot, equal in equals.items()
        ]
        for start in range(0, len(said), MOST_EQUALS):
            document = {"equal": said[start : start + MOST_EQUALS]}
            self.connection.json("PUT", f"{self._path}/equal", document)

    def equals(self, snapshots: Collection[str]) -> dict[str, Equal]:
        """Ask what snapshots of other engines are, of those of which the hub knows it."""
        found: dict[str, Equal] = {}
        rest = list(snapshots)
        while rest:
            document = {"snapshots": rest[:MOST_EQUALS]}
            for said in self._list("equal", document, "equal"):
                if not isinstance(said, dict) or said.get("snapshot") not in document["snapshots"]:
                    raise _wrong()
                found[said["snapshot"]] = _equal(said)
            rest = rest[MOST_EQUALS:]
        return found

    def commits(self, want: str, have: Sequence[str]) -> AbstractContextManager[BinaryIO]:
        """Ask for commits up to one that are not contained in others, parents first; a page."""
        return self.connection.stream(f"{self._path}/pull", {"want": want, "have": list(have)})

    def content(self, items: Sequence[dict[str, str]]) -> AbstractContextManager[BinaryIO]:
        """Ask for snapshots as streams, one after the other."""
        return self.connection.stream(f"{self._path}/objects/get", {"items": list(items)})

    def _list(self, what: str, document: dict[str, Any], key: str) -> Iterator[Any]:
        found = self.connection.json("POST", f"{self._path}/{what}", document).get(key)
        if not isinstance(found, list):
            raise _wrong()
        return iter(found)


def _equal(said: dict[str, Any]) -> Equal:
    return Equal(*(_checked(_ID, said.get(key)) for key in ("equal", "content")))


def _checked(pattern: re.Pattern[str], value: object) -> str:
    """Return what is shown to people and used as a name; it is the hub's, so it is not trusted."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _wrong()
    return value


def _wrong() -> SyncError:
    return SyncError("damaged", "The hub's answer cannot be understood; nothing was changed here.")
