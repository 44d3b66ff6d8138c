# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking the graph from where somebody asks, nearest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dotscience_jupyter.records.neighbours import (
    FileRow,
    Life,
    Neighbours,
    Version,
)

from .graph import Key

LIMIT = 2000


@dataclass(slots=True)
class Known:
    """What is known of file versions, from whichever row told it first."""

    digest: str | None = None
    size: int | None = None
    since: int | None = None  # sequence of its commit
    writer: str | None = None
    asked: bool = False  # whether it is known that no run wrote it, if none did
    life: Life | None = None


@dataclass(slots=True)
class Links:
    """Identical contents: pairs of an earlier and a later version that no run wrote."""

    looked: set[str] = field(default_factory=set)
    pairs: set[tuple[Version, Version]] = field(default_factory=set)


class Walk:
    """One walk over the records; all that it learns on the way is kept for putting it together."""

    def __init__(self, near: Neighbours, depth: int, limit: int) -> None:
        self.near = near
        self.depths: dict[Key, int] = {}
        self.files: dict[Version, Known] = {}
        self.links = Links()
        self.readers: dict[Version, int] = {}  # how many there are, where all were asked for
        self.truncated = False
        self._depth = depth or 2**31
        self._limit = max(1, limit)
        self._reached: dict[tuple[Key, bool], int] = {}  # up, or down
        self._queue: dict[int, list[tuple[Key, bool]]] = {}
        self._first = 1  # sequence of the first commit: nothing is earlier

    def go(self, start: Iterable[Key], ways: Sequence[bool]) -> None:
        """Walk from nodes up (True) to what they came from, down (False) to what came of them."""
        for key in start:
            if isinstance(key, Version):
                self.note(self.near.described(key))
            for up in ways:
                self._reach(key, 0, up)
        while self._queue and not self.truncated:
            while self._queue and not self.truncated:
                self._step(min(self._queue))
            for up in ways:
                self._follow_identical(up)

    def _step(self, depth: int) -> None:
        """Take one step from all nodes of a depth."""
        # a shorter way to a node may have been found since it was put here
        batch = [each for each in self._queue.pop(depth) if self._reached[each] == depth]
        for up, step in ((True, self._up), (False, self._down)):
            keys = [key for key, way in batch if way is up]
            runs = [key for key in keys if isinstance(key, str)]
            if keys:
                step(runs, [key for key in keys if isinstance(key, Version)], depth)

    def take(self, keys: Iterable[Key]) -> None:
        """Take nodes without walking on from them."""
        for key in keys:
            self._reach(key, 0, True)
        self._queue.clear()

    def _reach(self, key: Key, depth: int, up: bool) -> None:
        """Note a node and that it is to be walked on from, if it was not reached sooner."""
        known = self._reached.get((key, up))
        if known is not None and known <= depth:
            return
        if key not in self.depths and len(self.depths) >= self._limit:
            self.truncated = True
            return
        if isinstance(key, Version):
            self.files.setdefault(key, Known())
        self._reached[key, up] = depth
        self.depths[key] = min(depth, self.depths.get(key, depth))
        self._queue.setdefault(depth, []).append((key, up))

    def note(self, row: FileRow) -> None:
        """Keep what a row tells of a file version."""
        known = self.files.setdefault(row.file, Known())
        known.digest = known.digest or row.digest
        known.size = row.size if known.size is None else known.size
        known.since = row.since if known.since is None else known.since
        known.writer = known.writer or row.writer
        known.life = known.life or row.life

    def _up(self, runs: Sequence[str], files: Sequence[Version], depth: int) -> None:
        self.find_writers(file for file in files if not self.files[file].asked)
        for file in files:
            writer = self.files[file].writer
            if writer is not None and depth < self._depth:
                self._reach(writer, depth + 1, True)
        for row in sorted(self.near.inputs(runs), key=by_file):
            self.note(row)
            self.files[row.file].asked = True
            self._reach(row.file, depth, True)

    def _down(self, runs: Sequence[str], files: Sequence[Version], depth: int) -> None:
        if files and depth < self._depth:
            readers = dict.fromkeys(files, 0)
            for row in self.near.readers(self.lives(files)):
                self.note(row)
                readers[row.file] += 1
                self._reach(row.run, depth + 1, False)
                if self.truncated:
                    return
            self.readers |= readers
        for row in sorted(self.near.outputs(runs), key=by_file):
            self.note(row)
            self.files[row.file].asked = True
            self._reach(row.file, depth, False)

    def lives(self, files: Iterable[Version]) -> dict[Version, Life | None]:
        """Return between which commits versions were the newest of their paths."""
        files = list(files)
        for file in files:
            known = self.files[file]
            if known.life is None and file.version:
                known.life = self.near.life(file)
        return {file: self.files[file].life for file in files}

    def find_writers(self, files: Iterable[Version]) -> None:
        """Find out which runs wrote versions, if any did."""
        wanted = list(files)
        for row in self.near.writers(wanted).values():
            self.note(row)
        for file in wanted:
            self.files[file].asked = True

    def _follow_identical(self, up: bool) -> None:
        """Go on from the same contents under other names."""
        reached = {key: d for (key, way), d in self._reached.items() if way is up}
        files = [key for key in reached if isinstance(key, Version)]
        if up:
            files = [file for file in files if self.may_have_origin(file)]
        self.look_for_identical(files, at_once=up)
        for earlier, later in sorted(self.links.pairs, key=pair_order):
            near, far = (later, earlier) if up else (earlier, later)
            if near in reached:
                self._reach(far, reached[near], up)

    def may_have_origin(self, file: Version) -> bool:
        """Return whether a version may be a copy: no run wrote it, and others were there before."""
        known = self.files[file]
        return known.writer is None and (known.since is None or known.since > self._first)

    def look_for_identical(self, files: Iterable[Version], at_once: bool = False) -> None:
        """Find the links between versions that have the digests of these ones.

        With ``at_once`` the files are likely to be copies, so that their origins are asked for in
        the same query; else it takes one more where there are copies.
        """
        digests = {
            known.digest
            for known in (self.files[file] for file in files)
            if known.digest is not None and known.size != 0
        } - self.links.looked
        if not digests:
            return
        self.links.looked |= digests
        ways: tuple[Literal["input", "output"], ...] = (
            ("input", "output") if at_once else ("input",)
        )
        read, made = self.near.identical(digests, *ways)
        groups: dict[str, dict[Version, FileRow]] = {}
        for row in read:
            groups.setdefault(row.digest or "", {})[row.file] = row
        for file, known in self.files.items():
            # an unwritten version that was asked for may be one that no run has read
            if known.digest in digests and file in self.depths and known.size != 0:
                row = FileRow("", file, known.digest, known.size, known.since or 0, known.since)
                groups.setdefault(known.digest or "", {}).setdefault(file, row)
        written = self._written(file for group in groups.values() for file in group)
        copies = {
            digest: [row for file, row in group.items() if file not in written]
            for digest, group in groups.items()
        }
        wanted = {d for d, rows in copies.items() if any(_moment(r) > self._first for r in rows)}
        if wanted and not at_once:
            _, made = self.near.identical(wanted, "output")
        outputs: dict[str, list[FileRow]] = {}
        for row in made:
            outputs.setdefault(row.digest or "", []).append(row)
        for digest in sorted(wanted):
            # an output's own row lacks the digest where the file was too large to be read at once
            told = [row for file, row in groups[digest].items() if file in written]
            for row in copies[digest]:
                origin = _origin(row, [*outputs.get(digest, []), *told], copies[digest])
                if origin is not None:
                    self._link(origin, row, digest)

    def _written(self, files: Iterable[Version]) -> set[Version]:
        """Return those of the versions that runs wrote."""
        known = {file: self.files.get(file) for file in files}
        found = {file for file, each in known.items() if each is not None and each.writer}
        unasked = [file for file, each in known.items() if each is None or not each.asked]
        return found | self.near.writers(unasked).keys()

    def _link(self, origin: FileRow, copy: FileRow, digest: str) -> None:
        self.links.pairs.add((origin.file, copy.file))
        for row in (origin, copy):
            self.note(row)
            self.files[row.file].digest = digest
        self.files[copy.file].asked = True


def _origin(
    row: FileRow, outputs: Iterable[FileRow], unwritten: Iterable[FileRow]
) -> FileRow | None:
    """Return the version that an unwritten one is taken to be a copy of.

    The newest earlier one that a run made; else the first that there was.
    """
    moment = _moment(row)
    earlier = [each for each in outputs if _moment(each) < moment]
    if earlier:
        return max(earlier, key=lambda each: (_moment(each), each.file.path))
    others = [each for each in unwritten if _moment(each) < moment]
    return min(others, key=lambda each: (_moment(each), each.file.path), default=None)


def _moment(row: FileRow) -> int:
    """Return the commit's sequence with which a version came to be known."""
    return row.sequence if row.since is None else row.since


def by_file(row: FileRow) -> tuple[int, str, str]:
    """Return what puts files in order, newest first."""
    return -(row.since or row.sequence), row.file.path, row.run


def pair_order(pair: tuple[Version, Version]) -> tuple[str, str, str, str]:
    """Return what puts pairs of versions in order."""
    first, second = pair
    return first.path, first.version or "", second.path, second.version or ""
