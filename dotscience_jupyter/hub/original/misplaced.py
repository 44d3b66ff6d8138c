# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Outputs of runs that the original's client put elsewhere than the commit of the run says.

That client sends several outputs as one archive for the folder of the model, and it is unpacked
literally. It takes that folder off names that begin with it, but writes ``./model`` and ``model``
differently, and leaves the names of other outputs as they are: those are one folder too deep. A
model that is one file becomes a folder of its own name. What the commit says is right.

That something is where the commit says proves nothing: it may be that of the run before. What was
in the archive is known without looking at it again: unpacking empties the folder first, so the
folder held nothing else in the commit of that upload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import NewRun, from_text, models
from dotscience_jupyter.snapshots import Edit, Entry, Kind
from dotscience_jupyter.snapshots.ignore import NEVER

from . import runmetadata
from .store import EXTRACTED, FIRST, Frozen

_LOOKED_BACK = 50
"""Commits in which an archive is looked for that was unpacked at the wrong place."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the content of an output is."""

    where: Frozen
    entry: Entry


def misplaced(
    project: Project, now: Frozen, head: str, author: str, runs: Iterable[NewRun]
) -> dict[str, Placed]:
    """Return where outputs of an archive are, by where they should be.

    Parameters
    ----------
    now
        What the branch holds.
    head
        The branch's newest commit.
    author
        Who made the runs; archives of others are not looked at.
    """
    said = (from_text(file.path) for file in runmetadata.outputs(list(runs)))
    wanted = sorted({path for path in said if NEVER.isdisjoint(path.split("/"))})
    if not wanted:
        return {}
    archives = list(_archives(project, head, author))
    if archives and archives[0].newest:
        # the original's client puts every output of a run into one archive, and nothing else
        found = _whole(archives[0], wanted)
        if found is not None:
            return found
    return _missing(archives, now, wanted)


@dataclass(frozen=True, slots=True)
class _Archive:
    """An archive that was unpacked."""

    folder: str
    content: Frozen  # of everything, just after that
    first: Frozen | None  # with the first of names that the archive had twice
    newest: bool  # whether its author uploaded nothing after it


def _archives(project: Project, head: str, author: str) -> Iterator[_Archive]:
    """Yield the archives of an author since the last run, newest first."""
    waiting: models.Commit | None = None  # an archive's, while the commit before it is looked for
    newest = True
    for each in project.records.log(head, limit=_LOOKED_BACK)[0]:
        if each.author != author:
            continue
        kind = each.details.get(EXTRACTED)
        if waiting is not None:
            yield _archive(project, waiting, each if kind == FIRST else None, newest)
            waiting, newest = None, False
        if each.type == runmetadata.RUN_TYPE:
            return
        if kind == "true":
            waiting = each
        elif "upload.file" in each.details:
            newest = False
    if waiting is not None:
        yield _archive(project, waiting, None, newest)


def _archive(
    project: Project, commit: models.Commit, first: models.Commit | None, newest: bool
) -> _Archive:
    return _Archive(
        from_text(commit.details.get("upload.file", "")),
        Frozen(project, commit.snapshot),
        None if first is None else Frozen(project, first.snapshot),
        newest,
    )


def _whole(archive: _Archive, wanted: list[str]) -> dict[str, Placed] | None:
    """Return where the outputs are in an archive, None if it does not hold them and no others."""
    folder, content = archive.folder, archive.content
    for taken_off in (f"{folder}/", ""):  # for "model", and for "./model"
        found: dict[str, Placed] = {}
        seen: dict[str, str] = {}
        for path in wanted:
            name = path.removeprefix(taken_off)
            entry = content.find(f"{folder}/{name}")
            if entry is None or entry.kind is Kind.FOLDER:
                break
            # two outputs of one name: the client sends them sorted, so the first was the other
            if archive.first is not None and name in seen:
                before = archive.first.find(entry.path)
                if before is not None:
                    found[seen[name]] = Placed(archive.first, before)
            seen[name] = path
            found[path] = Placed(content, entry)
        else:
            files = sum(each.kind is not Kind.FOLDER for each in content.walk(folder))
            return found if files == len(seen) else None
    return None


def _missing(archives: list[_Archive], now: Frozen, wanted: list[str]) -> dict[str, Placed]:
    """Return where outputs are that are nowhere but in an archive."""
    found: dict[str, Placed] = {}
    missing = [path for path in wanted if now.find(path) is None]
    for archive in archives:
        for path in missing:
            entry = archive.content.find(f"{archive.folder}/{path}")
            if path not in found and entry is not None and entry.kind is not Kind.FOLDER:
                found[path] = Placed(archive.content, entry)
    return found


def moves(now: Frozen, found: dict[str, Placed]) -> list[Edit]:
    """Return the edits that bring files to where they should be; folders left empty go.

    Parameters
    ----------
    now
        What the branch holds; others may have written to it since the archive came.
    found
        As :func:`misplaced` returns it.
    """
    moved = {path: placed for path, placed in found.items() if now.find(path) != placed.entry}
    leaving = {
        placed.entry.path
        for placed in moved.values()
        if placed.entry.path not in found and now.find(placed.entry.path) == placed.entry
    }
    emptied: dict[str, bool] = {}
    gone = {_emptied(now, path, leaving, emptied) for path in leaving}
    gone |= {path for target in moved for path in _above(target) if _is_file(now, path)}
    # first what goes: a file may have to be where one of those folders was
    edits = [Edit(path, None) for path in sorted(gone) if gone.isdisjoint(_above(path))]
    edits += [_put(path, placed) for path, placed in sorted(moved.items())]
    return edits


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_file(now: Frozen, path: str) -> bool:
    there = now.find(path)
    return there is not None and there.kind is not Kind.FOLDER


def _emptied(now: Frozen, path: str, leaving: set[str], emptied: dict[str, bool]) -> str:
    """Return the highest folder above a file that holds nothing but what leaves; or the file."""
    highest = path
    folder = path.rpartition("/")[0]
    while "/" in folder:
        if folder not in emptied:
            inside = (each for each in now.walk(folder) if each.kind is not Kind.FOLDER)
            emptied[folder] = all(each.path in leaving for each in inside)
        if not emptied[folder]:
            break
        highest, folder = folder, folder.rpartition("/")[0]
    return highest


def _put(path: str, placed: Placed) -> Edit:
    entry = placed.entry
    if entry.kind is Kind.SYMLINK:
        return Edit(path, None, 0o777, entry.mtime_ns, entry.target)
    return Edit(path, cast(BinaryIO, _Later(placed)), entry.mode, entry.mtime_ns)


class _Later:
    """A frozen file that is opened when it is read, and closed at its end."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self._file: BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        if self._file is None:
            self._file = self._placed.where.open(self._placed.entry.path)
        data = self._file.read(size)
        if not data:
            self._file.close()
        return data
