# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One find made permanent: the files frozen, the commits and runs recorded in one transaction.

A process that dies before the transaction has changed nothing that counts; one that dies after it
leaves spool files whose ids are known, and the next look removes them.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain

from filelock import FileLock, Timeout

from dotscience_jupyter.records import models
from dotscience_jupyter.records.ancestry import WENT_BACK
from dotscience_jupyter.records.errors import ConflictError, DuplicateRunError
from dotscience_jupyter.records.paths import from_text
from dotscience_jupyter.records.store import Records
from dotscience_jupyter.records.workspace import Workspace
from dotscience_jupyter.snapshots.engine import (
    COMMIT_HOLD,
    Engine,
    Progress,
    Snapshot,
    SnapshotError,
)

from .datasets import DatasetUses
from .filepaths import Rebaser
from .mounts import Mounts
from .notebooks import SUFFIX as NOTEBOOK
from .people import GitAsker
from .plan import Planner
from .planned import Wish
from .record import FoundRun
from .troubles import TROUBLES, reason
from .types import Committed, CommitterError, FoundError

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 600.0
"""Seconds to wait for another program's commit."""

_ATTEMPTS = 10  # at a commit that others come before


def before_going_back(target: str) -> str:
    """Return the message of the commit that keeps what was there."""
    return f"Before going back to {target[:12]}"


class Recorder:
    """Records runs of one workspace; takes turns with every other recorder of it.

    Parameters
    ----------
    workspace, records, engine
        The workspace, its records and its snapshot engine, all open.
    tell : callable
        Told ``committing`` before something is recorded; then ``committed``, or ``status`` if
        nothing was.
    """

    def __init__(
        self,
        workspace: Workspace,
        records: Records,
        engine: Engine,
        tell: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._records = records
        self._engine = engine
        self._tell = tell
        self.rebaser = Rebaser(workspace.root, workspace.id)
        self.observing = True  # whether files that no code declared are found for it
        self.working = 0  # commits being made, also those waiting for their turn
        self.head: str | None = None  # newest commit as far as this recorder knows

    def record(
        self,
        runs: list[FoundRun],
        wish: Wish,
        author: str,
        forget: Callable[[FoundRun], None],
        progress: Progress | None = None,
    ) -> Committed:
        """Freeze the files and record runs, in one transaction.

        Parameters
        ----------
        runs : list of FoundRun
            Those that are recorded already are left out, whoever recorded them.
        wish : Wish
            What the commit should be beyond them.
        author : str
            Who commits, if the wish names nobody.
        forget : callable
            Called with each run that is recorded, now or before.
        progress : callable, optional
            Told of the snapshot's progress.

        Raises
        ------
        SnapshotError, RecordsError, CommitterError, OSError
            Nothing was recorded.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return self._record(runs, wish, author, forget, progress)
            except (ConflictError, DuplicateRunError):
                # somebody who does not take our lock (a copy of it, another version) was faster
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.01 * 2**attempt)
        raise AssertionError  # the loop returns or raises

    def _record(
        self,
        runs: list[FoundRun],
        wish: Wish,
        author: str,
        forget: Callable[[FoundRun], None],
        progress: Progress | None,
    ) -> Committed:
        if wish.only_runs:
            # most looks find nothing new: that needs no lock
            runs = self._unknown(runs, forget)
            if not runs:
                return Committed()
        made: list[models.Commit] = []
        snapshot: Snapshot | None = None
        try:
            with self._busy(), self._locked():
                runs = self._unknown(runs, forget)
                if runs or not wish.only_runs:
                    made, snapshot = self._write(runs, wish, author, progress)
        finally:
            self._tell("committed" if made else "status")
        if made and snapshot is not None:
            self._hold([snapshot.id])
        for run in runs:
            self._done(run, forget)
        return Committed(
            made,
            [run.id for commit in made for run in commit.runs],
            [
                FoundError("record", f"Run {run.id} was recorded, but: {problem}", None, run.cell)
                for run in runs
                for problem in run.problems
            ],
            snapshot.skipped if snapshot is not None else (),
        )

    def _write(
        self, runs: list[FoundRun], wish: Wish, author: str, progress: Progress | None
    ) -> tuple[list[models.Commit], Snapshot]:
        git = GitAsker(runs)
        mounts = Mounts(self._workspace.root)
        snapshot = self._engine.snapshot(progress, self._declared(runs, mounts))
        git.answer()
        head = self._records.head()
        planner = Planner(
            self._engine,
            self.rebaser,
            snapshot.id,
            None if head is None else head.snapshot,
            wish.author or author,
            lambda: {
                from_text(path)
                for path in self._records.runs_by_notebook()
                if path.endswith(NOTEBOOK)
            },
            observing=self.observing,
            datasets=DatasetUses(
                mounts,
                self.rebaser,
                self._workspace.id,
                wish.author or author,
                observing=self.observing,
            ),
        )
        commits = planner.plan(runs, wish)
        if not commits:
            return [], snapshot
        made = self._records.commit(commits, expected_head=None if head is None else head.id)
        self.head = made[-1].id
        return made, snapshot

    def _declared(self, runs: Iterable[FoundRun], mounts: Mounts) -> set[str]:
        """Return the folder paths of what these runs are about: they may have changed just now."""
        found = set()
        for run in runs:
            base = self.rebaser.base_of(run)
            observed = (run.observed or {}) if self.observing else {}
            for path in (*run.text.inputs, *run.text.outputs, *chain(*observed.values())):
                resolved, inside = self.rebaser.resolve(base, path)
                if inside and mounts.find(resolved, inside) is None:
                    found.add(resolved)
            if run.notebook is not None:
                found.add(run.notebook)
        return found

    def _hold(self, snapshots: Iterable[str]) -> None:
        """Keep what commits need from being destroyed; if that fails, the next gc does it."""
        try:
            self._engine.hold(snapshots, COMMIT_HOLD)
        except (SnapshotError, OSError) as error:
            log.warning("A snapshot that a commit needs is not protected yet: %s", error)

    def go_back(self, target: models.Commit, author: str, progress: Progress | None) -> Committed:
        """Make the folder what it was in a commit, and record what was there and what is there.

        Raises
        ------
        SnapshotError, RecordsError, CommitterError, OSError
            The message says what that means for the files.
        """
        made: list[models.Commit] = []
        name = target.id[:12]
        try:
            with self._busy(), self._locked():
                before = self._engine.rollback(target.snapshot, progress)
                try:
                    after = self._engine.snapshot(progress)
                    made = self._record_way(before, after, author, target.id)
                except TROUBLES as error:
                    raise CommitterError(
                        f"The files are as they were in commit {name}, but that could not be "
                        f"recorded: {reason(error)}. The next commit records it"
                    ) from error
        finally:
            self._tell("committed" if made else "status")
        self._hold([commit.snapshot for commit in made])
        return Committed(made, skipped=after.skipped)

    def _record_way(
        self, before: Snapshot, after: Snapshot, author: str, target: str
    ) -> list[models.Commit]:
        """Record a going back: what was there unless it is recorded, and what is there if new."""
        for attempt in range(_ATTEMPTS):
            head = self._records.head()
            base = None if head is None else head.snapshot
            planner = Planner(self._engine, self.rebaser, before.id, base, author)
            commits = planner.plan([], Wish(manual=before_going_back(target)))
            planner = Planner(self._engine, self.rebaser, after.id, before.id, author)
            for commit in planner.plan([], Wish(manual=f"Went back to {target[:12]}")):
                commit.metadata[WENT_BACK] = target
                commits.append(commit)
            if not commits:
                return []
            try:
                made = self._records.commit(
                    commits, expected_head=None if head is None else head.id
                )
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.01 * 2**attempt)
                continue
            self.head = made[-1].id
            return made
        raise AssertionError  # the loop returns or raises

    def _unknown(self, runs: list[FoundRun], forget: Callable[[FoundRun], None]) -> list[FoundRun]:
        known = self._records.known_runs([run.id for run in runs]) if runs else set()
        for run in runs:
            if run.id in known:
                self._done(run, forget)
        return [run for run in runs if run.id not in known]

    @staticmethod
    def _done(run: FoundRun, forget: Callable[[FoundRun], None]) -> None:
        forget(run)
        for path in run.spool:
            with suppress(OSError):  # it is known, so the next look tries again
                os.unlink(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            # a new lock object each time: one object would let the threads of a process in together
            with FileLock(self._workspace.lock, timeout=LOCK_TIMEOUT, poll_interval=0.01):
                yield
        except Timeout:
            raise CommitterError(
                "Another program has been committing to this workspace for ten minutes"
            ) from None

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self.working += 1
        self._tell("committing")
        try:
            yield
        finally:
            self.working -= 1
