# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The commit of a merge: files written and recorded with both parents, or everything put back.

What is about to be touched is noted in a journal first. Whoever takes the workspace's lock and
finds a journal knows that its writer has died: the files are put back before anything else
happens, unless the commit was made.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotscience_jupyter.records import models
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.records.store import NewCommit
from dotscience_jupyter.snapshots.engine import (
    Difference,
    Kind,
    PathNotFoundError,
    Progress,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
)

from .placing import Placed, live_mark, mark_of, place, put_back
from .plan import Planner
from .planned import Wish
from .recorder import Recorder
from .troubles import TROUBLES, reason
from .types import Committed, CommitterError

log = logging.getLogger(__name__)

MERGE = "dotscience.merge.v1"
"""Type of a commit that brought two others together."""

MERGED = "merge.commit"
"""Key of a merge commit's metadata: the commit (or snapshot) whose changes were taken in."""

MERGE_ID = "merge.id"
"""Key of a merge commit's metadata: which merge made it."""

MERGE_HOLD = "merge"
"""The tag under which the folder as it was is held while a merge writes files."""

_NAMED = 5


class OverwrittenError(CommitterError):
    """Files that a merge would write were changed meanwhile; nothing was written.

    Attributes
    ----------
    paths : list of str
        Folder paths.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        names = ", ".join(to_text(path) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        super().__init__(
            f"The merge would overwrite files that changed since it was begun, or that are not "
            f"part of any commit: {names}{more}. Nothing was written. Move them out of the way, or "
            "abort the merge and begin it again, so that it takes in what changed."
        )
        self.paths = list(paths)


@dataclass(slots=True)
class MergeWish:
    """A merge that is decided.

    Attributes
    ----------
    id
        Of the merge; tells its commit from others.
    message
        Of the commit.
    theirs
        Id of the second parent, or "" where what is merged is no commit.
    merged
        What is merged: a commit's or a snapshot's id.
    expected
        The snapshot that what is about to be written must still be as in.
    things
        What is written; nothing where the result is in the folder already.
    in_place
        Whether the folder as it is now is the result.
    """

    id: str
    message: str
    theirs: str
    merged: str
    expected: str
    things: list[Placed]
    in_place: bool = False


class MergingRecorder(Recorder):
    """Records runs and merges of one workspace."""

    @property
    def journal(self) -> Path:
        """Where it is noted which files are being written."""
        return self._workspace.folder / "merge" / "journal.json"

    def merge(self, wish: MergeWish, author: str, progress: Progress | None = None) -> Committed:
        """Write the files of a merge and record it.

        Raises
        ------
        OverwrittenError
            If files that it would write are not as expected.
        SnapshotError, RecordsError, CommitterError, OSError
            If it cannot be done; the files are as they were.
        """
        made: list[models.Commit] = []
        try:
            with self._busy(), self._locked():
                before = self._before(wish, progress)
                with self._journaled(wish, before):
                    place(self._engine, self._workspace.root, wish.things)
                    after = before
                    if wish.things:
                        paths = [thing.path for thing in wish.things]
                        after = self._engine.snapshot(progress, paths)
                    made = self._record_merge(wish, before, after, author)
        finally:
            self._tell("committed" if made else "status")
        self._hold([commit.snapshot for commit in made])
        return Committed(made, skipped=after.skipped)

    def write(self, wish: MergeWish, progress: Progress | None = None) -> None:
        """Write files without recording them.

        Raises as :meth:`merge`.
        """
        with self._locked():
            before = self._before(wish, progress)
            with self._journaled(wish, before):
                place(self._engine, self._workspace.root, wish.things)
        self._tell("status")

    def unwrite(self, snapshot: str, paths: Sequence[str]) -> None:
        """Make files what they were in a snapshot.

        Raises
        ------
        SnapshotError, CommitterError, OSError
            If it cannot be done, or not wholly; doing it again completes it.
        """
        with self._locked():
            put_back(self._engine, self._workspace.root, snapshot, paths)
        self._tell("status")

    def recover(self) -> None:
        """Put back what a merge that died had written; does nothing where none did."""
        if self.journal.exists():
            with self._locked():
                pass  # taking the lock does it

    def is_made(self, id_: str) -> bool:
        """Whether the newest commit is that of a merge."""
        head = self._records.head()
        return head is not None and head.details.get(MERGE_ID) == id_

    def _before(self, wish: MergeWish, progress: Progress | None) -> Snapshot:
        paths = {thing.path for thing in wish.things}
        before = self._engine.snapshot(progress, paths)
        clash: set[str] = set()
        if before.id != wish.expected and paths:
            changed = self._engine.diff(wish.expected, before.id)
            clash.update(each.path for each in changed if _touches(each, paths))
        clash.update(
            thing.path
            for thing in wish.things
            # what is there and not frozen (it is ignored, or was not readable) would be lost
            if thing.kind not in (None, Kind.FOLDER)
            and live_mark(self._workspace.root, thing.path)
            and not self._has(before.id, thing.path)
        )
        if clash:
            raise OverwrittenError(sorted(clash))
        return before

    def _has(self, snapshot: str, path: str) -> bool:
        try:
            self._engine.entry(snapshot, path)
        except PathNotFoundError:
            return False
        return True

    def _record_merge(
        self, wish: MergeWish, before: Snapshot, after: Snapshot, author: str
    ) -> list[models.Commit]:
        head = self._records.head()
        if head is None:
            raise CommitterError("There is no commit yet that something could be merged into")
        commits: list[NewCommit] = []
        base = head.snapshot
        if not wish.in_place:
            planner = Planner(self._engine, self.rebaser, before.id, base, author)
            commits += planner.plan([], Wish(manual=f"Before merging {wish.merged[:12]}"))
            base = before.id
        planner = Planner(self._engine, self.rebaser, after.id, base, author)
        found = planner.plan([], Wish(manual=wish.message))
        merged = found[-1] if found else NewCommit(after.id, MERGE, wish.message, author)
        merged.type = MERGE
        merged.metadata |= {MERGED: wish.merged, MERGE_ID: wish.id}
        merged.parents = [wish.theirs] if wish.theirs else []
        commits.append(merged)
        made = self._records.commit(commits, expected_head=head.id)
        self.head = made[-1].id
        return made

    @contextmanager
    def _journaled(self, wish: MergeWish, before: Snapshot) -> Iterator[None]:
        """Note what is about to be touched; put it back if that fails."""
        if not wish.things:
            yield
            return
        marks = {thing.path: mark_of(self._engine, thing) for thing in wish.things}
        self._engine.hold([before.id], MERGE_HOLD)
        told = {to_text(path): mark for path, mark in marks.items()}
        write_json(self.journal, {"merge": wish.id, "before": before.id, "paths": told})
        try:
            yield
        except BaseException as error:
            try:
                self._restore(before.id, marks)
            except TROUBLES as problem:
                # the journal stays: whoever takes the lock next tries again
                raise CommitterError(
                    f"The merge failed ({reason_of(error)}) and some of its files could not be put "
                    f"back: {reason(problem)}. Nothing is lost: what was there before is snapshot "
                    f"{before.id}, and the next command tries to put them back again"
                ) from error
            self._end_journal(before.id)
            raise
        self._end_journal(before.id)

    def _restore(self, before: str, marks: dict[str, str]) -> None:
        """Put back what is still as the merge wrote it; work that was done since stays."""
        root = self._workspace.root
        paths = [path for path, mark in marks.items() if live_mark(root, path) == mark]
        put_back(self._engine, root, before, paths)

    def _end_journal(self, before: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.journal)
        with suppress(SnapshotError, OSError):
            self._engine.release([before], MERGE_HOLD)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with super()._locked():
            if self.journal.exists():
                self._put_back()
            yield

    def _put_back(self) -> None:
        note = read_json(self.journal)
        if note is None:
            with suppress(FileNotFoundError):
                os.unlink(self.journal)  # nothing is touched before it is whole
            return
        before = str(note["before"])
        if not self.is_made(note["merge"]):
            log.warning("A merge was interrupted; its files are put back.")
            try:
                marks = {from_text(path): str(mark) for path, mark in note["paths"].items()}
                self._restore(before, marks)
            except SnapshotNotFoundError as error:
                raise CommitterError(
                    "A merge was interrupted, and what was there before cannot be found. Nothing "
                    f"was changed. Remove {self.journal.name} from .dotscience/merge to go on"
                ) from error
        self._end_journal(before)


def _touches(changed: Difference, paths: set[str]) -> bool:
    """Whether what changed is one of some paths, lies below one, or is a file in the way of one."""
    path, entry = changed.path, changed.new
    in_the_way = entry is not None and entry.kind is not Kind.FOLDER
    return path in paths or any(
        path.startswith(f"{each}/") or (in_the_way and each.startswith(f"{path}/"))
        for each in paths
    )


def reason_of(error: BaseException) -> str:
    """Return what any error says."""
    return reason(error) if isinstance(error, Exception) else type(error).__name__


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a small document so that it is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a document that :func:`write_json` wrote, or None where there is none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
