# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits that were pushed become part of a project, in one step, or stay beside its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.records import HEAD, Records, RefusedError
from dotscience_jupyter.snapshots import Equal
from dotscience_jupyter.snapshots.embedded.equals import is_foreign
from dotscience_jupyter.snapshots.embedded.store import StoreWriteError
from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    SnapshotError,
    TransferError,
    UnavailableError,
)
from dotscience_jupyter.sync.lines import Line

from .project import Project

SIDE = "side/"
"""Under refs of this kind is what diverged from the project's history."""

_BASES = 16


@dataclass(frozen=True, slots=True)
class Done:
    """What became of commits that were pushed.

    Attributes
    ----------
    state : str
        ``published``: the head is the newest of them. ``known``: the head contains them already.
        ``diverged``: they are kept beside the head.
    head : str
        The project's newest commit.
    ref : str
        Where they are.
    commits : int
        How many are new.
    """

    state: str
    head: str
    ref: str
    commits: int


class LackingError(Exception):
    """Content of commits is not there; ``ids`` are some of the objects. Nothing was recorded."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        super().__init__(f"{len(ids)} objects are lacking")
        self.ids = ids


def publish(
    project: Project,
    head: str,
    told: Iterable[Line],
    lines: BinaryIO,
    permit: Callable[[], None] = lambda: None,
) -> Done:
    """Record commits and make one of them the head, if the head now is contained in it.

    Parameters
    ----------
    project
        Where.
    head
        The commit to publish; known, or the last one of the lines.
    told
        What the lines say of the commits.
    lines
        A seekable file of what the records export.
    permit
        Raises ApiError if the one who pushes may not do so now; asked where something would change.

    Raises
    ------
    LackingError
        If content is not there; some of it may be, and is held until this succeeds or gc comes.
    ApiError
        400 if the lines do not end with the head, or lines or content are not what they are said
        to be; what ``permit`` raises. Nothing was recorded.
    RecordsError, SnapshotError
        If they cannot be kept. Nothing was recorded.
    """
    records = project.records
    commits = list(told)
    known = records.known_commits([head, *(line.id for line in commits)])
    new = {line.id: line for line in commits if line.id not in known}
    if commits[-1].id != head if commits else head not in known:
        raise ApiError(
            400, "invalid_request", "The commits do not end with the one that is to be published."
        )
    if new:
        permit()  # before all of the content is looked at
    named = dict.fromkeys(line.snapshot for line in new.values())
    snapshots = list(dict.fromkeys(project.engine.equal(each) for each in named))
    _require_noted(snapshots)
    if snapshots:
        # what those have that they build upon need not be proved again
        parents = _roots(records, head, new)[:_BASES]
        bases = [records.get_commit(id_).snapshot for id_ in parents]
        with blamed_on_sender():
            lacking = project.engine.adopt(snapshots, COMMIT_HOLD, bases)
        if lacking:
            raise LackingError(lacking)
    try:
        with project.lock, blamed_on_sender():
            _require_equal(project, named)
            return _record(records, head, new, lines if commits else None, permit)
    except BaseException:
        with project.lock:
            needed = {project.engine.equal(each) for each in records.snapshots()}
            project.engine.release([each for each in snapshots if each not in needed], COMMIT_HOLD)
        raise


def equate(project: Project, equals: Mapping[str, Equal]) -> None:
    """Note what snapshots of other engines are, which commits that are to be published name.

    Raises
    ------
    ApiError
        400 if these are no ids; 409 ``conflict`` if the project has a commit with one of the
        snapshots, and it is something else. Nothing was noted then.
    SnapshotError
        If it cannot be kept.
    """
    with project.lock, blamed_on_sender():
        known = project.engine.equals(equals)
        others = [each for each in known if known[each] != equals[each]]
        if others and (taken := sorted(set(project.records.snapshots()).intersection(others))):
            raise ApiError(
                409,
                "conflict",
                f"The project has the snapshot {taken[0]} already, and it is not what it is said "
                "to be now. Nothing was changed.",
            )
        for snapshot, equal in equals.items():
            project.engine.equate(snapshot, *equal)


def _require_noted(snapshots: Iterable[str]) -> None:
    for snapshot in snapshots:
        if is_foreign(snapshot):
            raise ApiError(
                400,
                "invalid_request",
                f"What the snapshot {snapshot} is on the hub was not said. Nothing was recorded.",
            )


def _require_equal(project: Project, snapshots: Iterable[str]) -> None:
    """Raise ApiError if a snapshot of another engine is not what it was said to be."""
    for snapshot, equal in project.engine.equals(snapshots).items():
        if project.engine.content_id(snapshot) != equal.content:
            raise ApiError(
                400,
                "refused",
                f"What arrived of the snapshot {snapshot} has another content id than it was said "
                "to have. Nothing was recorded. Have it verified where it was sent from.",
            )


@contextmanager
def blamed_on_sender() -> Iterator[None]:
    """Tell what is wrong with what was sent as a fault of the request, not of the hub."""
    try:
        yield
    except (TransferError, StoreWriteError, UnavailableError):
        raise
    except (SnapshotError, RefusedError) as error:
        raise ApiError(400, "refused", str(error)) from error


def _record(
    records: Records,
    head: str,
    new: dict[str, Line],
    lines: BinaryIO | None,
    permit: Callable[[], None],
) -> Done:
    refs = records.refs()
    now = refs.get(HEAD)
    known = bool(records.known_commits([head]))
    if now is not None and known and _contains(records, [now], head):
        return Done("known", now, HEAD, 0)
    forward = now is None or _contains(records, _roots(records, head, new), now)
    if not forward and known:
        for name, side in refs.items():
            if name.startswith(SIDE) and _contains(records, [side], head):
                return Done("diverged", now or "", name, 0)
    permit()
    ref = HEAD if forward else f"{SIDE}{head[:12]}"
    count = 0
    if lines is None:
        records.set_ref(ref, head, expected=refs.get(ref))
    else:
        lines.seek(0)
        count = len(records.take(lines, ref=ref, expected=refs.get(ref)).new)
    for name, side in refs.items():
        # what went on from a side, or took it in, stands for it
        if name.startswith(SIDE) and name != ref and _contains(records, [head], side):
            records.set_ref(name, None, expected=side)
    return Done("published" if forward else "diverged", head if forward else now or "", ref, count)


def _contains(records: Records, commits: Sequence[str], other: str) -> bool:
    """Whether a commit is one of some commits, or came before one of them."""
    return not records.missing_from(other, commits)


def _roots(records: Records, head: str, new: dict[str, Line]) -> list[str]:
    """Return the newest commits that are recorded of a head's history."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [head]
    while waiting:
        id_ = waiting.pop()
        if id_ in seen:
            continue
        seen.add(id_)
        line = new.get(id_)
        if line is None:
            found.add(id_)
        else:
            waiting += line.parents
    return sorted(records.known_commits(found))
