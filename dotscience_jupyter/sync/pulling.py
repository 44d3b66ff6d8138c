# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Bringing the workspace's head and files to a commit that builds upon them.

The files come first and the head after them: who is killed in between leaves files of which each is
the old or the new one, and doing it again completes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dotscience_jupyter.records import HEAD, Records
from dotscience_jupyter.records.models import Commit
from dotscience_jupyter.snapshots import Engine, Progress

from .errors import SyncError

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Relation:
    """How two histories stand to each other, in commits that the other one does not have."""

    ahead: int
    behind: int

    @property
    def diverged(self) -> bool:
        """Whether both have some."""
        return bool(self.ahead and self.behind)


def relation(records: Records, ours: str | None, theirs: str | None) -> Relation:
    """Compare two commits that are here; None is a history without commits."""
    if ours == theirs:
        return Relation(0, 0)
    return Relation(
        len(records.missing_from(ours, [theirs] if theirs else [])) if ours else 0,
        len(records.missing_from(theirs, [ours] if ours else [])) if theirs else 0,
    )


def forward(records: Records, engine: Engine, target: str, progress: Progress | None = None) -> int:
    """Make files and head those of a commit that is here; return by how many commits that is.

    The caller sees to it that nobody commits meanwhile.

    Raises
    ------
    SyncError
        ``diverged`` if the head is not contained in the commit, ``uncommitted_changes`` if files
        would be overwritten that are in no commit. Nothing is changed then.
    SnapshotError
        As :meth:`Engine.rollback` says.
    """
    head = records.head()
    ours = None if head is None else head.id
    found = relation(records, ours, target)
    if not found.behind:
        return 0
    if found.diverged:
        raise SyncError(
            "diverged",
            f"There are {found.ahead} commits here and {found.behind} on the hub that do not build "
            "upon each other. No file was changed, and both are kept. Bring the hub's into yours "
            f"with 'ds merge {target[:12]}', and push.",
        )
    wanted = records.get_commit(target)
    _require_clean(engine, head, wanted)
    engine.rollback(wanted.snapshot, progress)
    records.set_ref(HEAD, target, expected=ours)
    # whoever looks for changes next need not read all of it again
    engine.snapshot(progress)
    return found.behind


def _require_clean(engine: Engine, head: Commit | None, wanted: Commit) -> None:
    """Raise SyncError if a file is neither as it was committed nor as it will be.

    Files that are as they will be are what a pull has left that was killed.
    """
    before = {change.path for change in engine.changes(None if head is None else head.snapshot)}
    after = {change.path for change in engine.changes(wanted.snapshot)} if before else set()
    if changed := sorted(before & after):
        names = ", ".join(repr(path) for path in changed[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise SyncError(
            "uncommitted_changes",
            f"The hub's commits are here now, but no file was changed, because some are not "
            f"committed: {names}{more}. Commit them and merge, or put them back and pull "
            "again.",
        )
