# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a store notes beside its packs, in the bucket as well: maps of captures, equal snapshots.

Maps only ever grow, and two that grew on their own are made one by taking in both. So a map has a
name that its content gives it, and older ones go once a newer one has all of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from dotscience_jupyter.snapshots import CorruptStoreError
from dotscience_jupyter.snapshots.embedded.captures import Captures
from dotscience_jupyter.snapshots.embedded.equals import Equal, Equals, is_foreign
from dotscience_jupyter.snapshots.embedded.store import Store

from .bucket import Bucket, Stored
from .view import EQUAL, View, name_of

_DIGEST = 32
_EQUAL_KEPT = timedelta(days=8)  # the store itself keeps them for seven

log = logging.getLogger("dotscience.hub.storage")


class Notes:
    """Those of one store, below a project's prefix. Used by one thread at a time."""

    def __init__(self, bucket: Bucket, prefix: str, store: Store) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._captures = Captures(store)
        self._equals = Equals(store)
        self._folder = f"{store.folder}/equal"
        self._taken: set[str] = set()
        self._brought = -1
        self._names: tuple[int, dict[str, list[str]]] = (-1, {})

    def close(self) -> None:
        """Let go of open files."""
        self._captures.close()

    def take(self, view: View) -> None:
        """Take in what other processes brought to the bucket.

        Raises
        ------
        SnapshotError
            If the bucket cannot be read, or the store be written; the rest is for the next time.
        """
        for name in view.maps.keys() - self._taken:
            if self._map_name(name.partition(".")[0]) != name:
                with contextlib.suppress(FileNotFoundError):
                    data = self._bucket.read(f"{self._prefix}maps/{name}")
                    try:
                        self._captures.import_map(data)
                    except CorruptStoreError as error:
                        log.error("%smaps/%s: %s", self._prefix, name, error)
            self._taken.add(name)
        # where there are several of one snapshot the newest stays
        for each in sorted(view.equal.values(), key=lambda each: each.modified):
            name = name_of(each)
            match = EQUAL.fullmatch(name)
            if match is not None and name not in self._taken:
                if is_foreign(match[1]):
                    self._equals.put(match[1], Equal(match[2], match[3]))
                self._taken.add(name)

    def _map_name(self, capture: str) -> str:
        """Return the name that the map of a capture has in the bucket; "" if there is none."""
        path = self._captures.path(bytes.fromhex(capture), "map")
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(-_DIGEST, os.SEEK_END)
            return f"{capture}.{file.read().hex()[:32]}.map"
        return ""

    def bring_maps(self, known: Mapping[str, Stored]) -> Iterator[tuple[Stored, list[str]]]:
        """Upload maps that are only here; yield each with the names of those that it replaced.

        Raises
        ------
        UnavailableError
            If one cannot be uploaded now.
        CorruptStoreError
            If one is damaged here.
        """
        for capture in self._captures.ids("map"):
            if self._map_name(capture.hex()) in known:
                continue
            data = self._captures.export_map(capture)
            name = f"{capture.hex()}.{data[-_DIGEST:].hex()[:32]}.map"
            key = f"{self._prefix}maps/{name}"
            self._bucket.put(key, data)
            old = [
                other
                for other in known
                # what was not taken in may know more
                if other.startswith(capture.hex()) and other != name and other in self._taken
            ]
            self._taken.add(name)
            self._bucket.delete(f"{self._prefix}maps/{other}" for other in old)
            yield Stored(key, len(data), datetime.now(UTC)), old

    def bring_equals(self, known: Mapping[str, Stored]) -> None:
        """Upload what is noted of other engines' snapshots. May raise UnavailableError."""
        stamp = self._stamp()
        if stamp == self._brought:
            return
        for foreign, equal in self._equals.all().items():
            name = f"{foreign}.{equal.snapshot}.{equal.content}"
            if name not in known and name not in self._taken:
                self._bucket.put(f"{self._prefix}equal/{name}", b"")
                self._taken.add(name)
                # what was noted before and came to nothing
                old = [other for other in known if other.startswith(f"{foreign}.")]
                self._bucket.delete(f"{self._prefix}equal/{other}" for other in old)
        self._brought = stamp

    def drop_equals(self, known: Mapping[str, Stored]) -> None:
        """Delete notes that the store has dropped long ago. May raise UnavailableError."""
        noted = self._equals.all()
        before = datetime.now(UTC) - _EQUAL_KEPT
        self._bucket.delete(
            each.key
            for name, each in known.items()
            if each.modified < before and name.partition(".")[0] not in noted
        )

    def is_known(self, snapshot: str, recorded: Callable[[str], bool]) -> bool:
        """Whether a commit needs a snapshot by the id that another engine gave it."""
        stamp = self._stamp()
        if stamp != self._names[0]:
            names: dict[str, list[str]] = {}
            for foreign, equal in self._equals.all().items():
                names.setdefault(equal.snapshot, []).append(foreign)
            self._names = stamp, names
        return any(map(recorded, self._names[1].get(snapshot, ())))

    def _stamp(self) -> int:
        """Return when notes of equal snapshots came or went last; -2 if there never was any."""
        try:
            return os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            return -2
