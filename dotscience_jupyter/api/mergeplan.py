# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which files a merge is about, and how each of them comes together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dotscience_jupyter.notebooks import DamagedError
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Change, Difference, Engine, Entry, Kind, PathNotFoundError

from . import models
from .comparison import MOST_NOTEBOOK, MOST_TEXT
from .mergefiles import DecidedFile, FileMerge, Part, Triple, WholeFile
from .mergeinside import notebook_file, text_file
from .sides import Found, file_type, looks_like_text

_SNIFFED = 4096


def plan(engine: Engine, base: str | None, yours: str, theirs: str) -> dict[str, FileMerge]:
    """Return how each file comes together that a side changed, by the path of the result.

    Parameters
    ----------
    engine : Engine
        Where the snapshots are.
    base, yours, theirs : str
        Snapshots; without a base every difference is a conflict.
    """
    planning = _Planning(engine, base, yours, theirs)
    triples = planning.two_ways() if base is None else planning.three_ways()
    return {triple.path: planning.decide(triple) for triple in planning.without_clashes(triples)}


@dataclass(slots=True)
class _Changes:
    """What one side did to the base: what is at each path that it touched, and its renames."""

    now: dict[str, Part | None] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)  # old -> new


class _Planning:
    def __init__(self, engine: Engine, base: str | None, yours: str, theirs: str) -> None:
        self._engine = engine
        self._base = base
        self._yours = yours
        self._theirs = theirs
        self._clashes: dict[str, tuple[list[str], list[Part]]] = {}
        self._there: dict[str, bool] = {}  # folders of theirs that were looked for

    def _part(self, snapshot: str, entry: Entry) -> Part:
        digest = entry.digest
        if entry.kind is Kind.FILE and not digest:
            digest = self._engine.entry(snapshot, entry.path).digest
        found = Found(entry.kind, entry.size, entry.mode, digest, entry.target)
        return Part(found, snapshot, entry.path)

    def _lookup(self, snapshot: str, path: str) -> Part | None:
        try:
            return self._part(snapshot, self._engine.entry(snapshot, path))
        except PathNotFoundError:
            return None

    def _changes(self, side: str) -> _Changes:
        changes = _Changes()
        if self._base is None or self._base == side:
            return changes
        for each in self._engine.diff(self._base, side, renames=True):
            changes.now[each.path] = self._new(side, each)
            if each.change is Change.RENAMED and each.old is not None:
                changes.renames[each.old.path] = each.path
                changes.now.setdefault(each.old.path, None)
        return changes

    def _new(self, side: str, each: Difference) -> Part | None:
        return None if each.new is None else self._part(side, each.new)

    def two_ways(self) -> list[Triple]:
        """Return all that differs where nothing is known to be in common."""
        found = []
        for each in self._engine.diff(self._yours, self._theirs):
            yours = None if each.old is None else self._part(self._yours, each.old)
            theirs = None if each.new is None else self._part(self._theirs, each.new)
            found.append(Triple(each.path, None, yours, theirs))
        return found

    def three_ways(self) -> list[Triple]:
        """Return what either side changed; what one renamed and the other changed is one file."""
        assert self._base is not None
        y, t = self._changes(self._yours), self._changes(self._theirs)
        found: list[Triple] = []
        done: set[str] = set()
        for old, new in y.renames.items():
            # they changed what you renamed: their change goes where the file is now
            if t.now.get(old) is not None and new not in t.now:
                base = self._lookup(self._base, old)
                message = f"renamed by you, from {to_text(old)}"
                found.append(Triple(new, base, y.now[new], t.now[old], message))
                done |= {old, new}
        for old, new in t.renames.items():
            if y.now.get(old) is not None and new not in y.now and old not in done:
                base = self._lookup(self._base, old)
                message = f"renamed by them, from {to_text(old)}"
                found.append(Triple(new, base, y.now[old], t.now[new], message))
                found.append(Triple(old, base, base, None, f"renamed by them, to {to_text(new)}"))
                done |= {old, new}
        for path in sorted((y.now.keys() | t.now.keys()) - done):
            base = self._lookup(self._base, path)
            yours = y.now.get(path, base)
            theirs = t.now.get(path, base)
            found.append(Triple(path, base, yours, theirs, _told(path, y, t)))
        return sorted(found, key=lambda triple: triple.path.split("/"))

    def without_clashes(self, triples: list[Triple]) -> list[Triple]:
        """Take what lies below a path that is a file on one side and a folder on the other."""
        # a folder that only lies there, while they made a file of it, is no reason to ask
        folders = (
            {p for t in triples if t.yours and not _equal(t.base, t.yours) for p in _above(t.path)},
            {
                p
                for t in triples
                if t.theirs and not _equal(t.base, t.theirs)
                for p in _above(t.path)
            },
        )
        result: list[Triple] = []
        below: list[str] = []
        for triple in triples:
            path = triple.path
            if any(path.startswith(f"{clash}/") for clash in below):
                continue
            if _is_leaf(triple.theirs) and not _is_leaf(triple.yours) and path in folders[0]:
                gone = [entry.path for entry in self._engine.walk(self._yours, path)]
                self._clashes[path] = ([*gone, path], [])
                message = "a file on their side, a folder on yours"
            elif _is_leaf(triple.yours) and not _is_leaf(triple.theirs) and path in folders[1]:
                entries = self._engine.walk(self._theirs, path)
                come = [self._part(self._theirs, entry) for entry in entries]
                self._clashes[path] = ([path], come)
                message = "a folder on their side, a file on yours"
            else:
                result.append(triple)
                continue
            below.append(path)
            result.append(replace(triple, message=message))
        return result

    def decide(self, triple: Triple) -> FileMerge:
        """Return how a file comes together."""
        base, yours, theirs = triple.base, triple.yours, triple.theirs
        kind = self._type(triple)
        if triple.path in self._clashes:
            gone, come = self._clashes[triple.path]
            return WholeFile(triple, kind, gone, come)
        if self._base is None:
            return self._inside(triple, kind)
        if _equal(base, yours):
            gone = self._gone_above(triple.path) if theirs is None else []
            return DecidedFile(triple, kind, "theirs", theirs, gone)
        if _equal(base, theirs) or (yours is None and theirs is None):
            return DecidedFile(triple, kind, "yours", yours)
        if yours is None or theirs is None:
            message = "removed by you, changed by them"
            if theirs is None:
                message = "removed by them, changed by you"
            return WholeFile(replace(triple, message=triple.message or message), kind)
        if yours.is_same(theirs):
            return DecidedFile(triple, kind, "merged", yours)
        if base is not None and base.is_same(yours):
            return DecidedFile(triple, kind, "theirs", theirs)
        if base is not None and base.is_same(theirs):
            return DecidedFile(triple, kind, "yours", yours)
        return self._inside(triple, kind)

    def _gone_above(self, path: str) -> list[str]:
        """Return the folders around a path that they do not have (any more)."""
        gone = []
        for folder in _above(path):
            if folder not in self._there:
                self._there[folder] = self._lookup(self._theirs, folder) is not None
            if not self._there[folder]:
                gone.append(folder)
        return gone

    def _inside(self, triple: Triple, kind: models.FileType) -> FileMerge:
        parts = [part for part in (triple.base, triple.yours, triple.theirs) if part is not None]
        if triple.yours is None or triple.theirs is None:
            side = "you" if triple.theirs is None else "them"
            return WholeFile(replace(triple, message=f"only there with {side}"), kind)
        if any(part.found.kind is not Kind.FILE for part in parts):
            return WholeFile(triple, kind)
        size = max(part.found.size for part in parts)
        try:
            if kind == "notebook" and size <= MOST_NOTEBOOK:
                return notebook_file(triple, self._read)
            if kind in ("text", "table") and size <= MOST_TEXT:
                return text_file(triple, kind, self._read)
        except DamagedError as error:
            return WholeFile(replace(triple, message=f"cannot be merged inside: {error}"), kind)
        return WholeFile(triple, kind)

    def _read(self, part: Part) -> bytes:
        with self._engine.open(part.snapshot, part.path) as stream:
            return stream.read()

    def _type(self, triple: Triple) -> models.FileType:
        part = triple.yours if _is_leaf(triple.yours) else triple.theirs or triple.yours
        if part is None:
            return file_type(triple.path) or "binary"
        found = file_type(triple.path, part.found)
        if found is not None:
            return found
        with self._engine.open(part.snapshot, part.path) as stream:
            return "text" if looks_like_text(stream.read(_SNIFFED)) else "binary"


def _equal(a: Part | None, b: Part | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.path == b.path and a.is_same(b) and a.found.mode == b.found.mode


def _is_leaf(part: Part | None) -> bool:
    return part is not None and part.found.kind is not Kind.FOLDER


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _told(path: str, y: _Changes, t: _Changes) -> str:
    """Say what happened to a file that both sides renamed, each in its own way."""
    for old, new in t.renames.items():
        other = y.renames.get(old)
        if other is not None and other != new and path in (new, other):
            mine, name = ("them", new) if path == other else ("you", other)
            return f"renamed by both; by {mine} to {to_text(name)}"
    return ""
