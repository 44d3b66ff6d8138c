# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The committer of one workspace: finds runs, freezes the files, records both in one transaction.

What is found stays where it was found until it is recorded, and its id tells whether it is: a
process that dies anywhere in between leaves nothing to repair.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from dotscience_jupyter.records.errors import RecordsError
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.records.store import Records
from dotscience_jupyter.records.workspace import Workspace
from dotscience_jupyter.snapshots.engine import Engine, LiveChange, Progress
from dotscience_jupyter.snapshots.ignore import IgnoreRules

from . import people, tasks
from .live import LiveRuns
from .merges import Merges
from .merging import MergingRecorder
from .notebooks import SUFFIX as NOTEBOOK
from .notebooks import NotebookFinder
from .planned import Wish
from .record import FoundRun
from .recorder import before_going_back
from .settling import Settler, settle_briefly
from .spool import Spool
from .troubles import TROUBLES, reason, trouble
from .types import Committed, CommitterError, CommitterStatus, FoundError

log = logging.getLogger(__name__)

_OFF = frozenset({"0", "false", "no", "off"})
_PAUSES = (0.05, 0.1, 0.2, 0.4)  # between looks at a notebook that is being written


class Committer:
    """Finds and commits what happens in one workspace.

    One per open workspace and process; thread-safe; every method blocks. Several processes may have
    a committer on one workspace: a lock file lets them take turns, and run ids are recorded once.

    Parameters
    ----------
    workspace, records, engine
        The workspace, its records and its snapshot engine, all open.
    author : str, optional
        Who commits where nobody is named; by default Git's ``user.name``, else the login name.
    on_change : callable, optional
        Called from any thread with ``committing``, ``committed``, ``status`` or ``error``.

    Attributes
    ----------
    notebook_grace : float
        Seconds that a notebook's record in the spool waits for the notebook to be saved, so that
        the commit holds the notebook with its output. 0 takes it at once; a watcher sets it.
    notice : str
        A sentence that the status gives when there is nothing more important to say.
    watching : bool
        Whether the engine is told of changes, so that it need not look for them.
    merges : Merges
        Bringing another commit's changes into the folder.
    observe_files : bool
        Whether files that runs opened or changed are found for runs that declare none. By default
        as the environment variable ``DOTSCIENCE_OBSERVE_FILES`` says, which only ``0`` denies.
    """

    def __init__(
        self,
        workspace: Workspace,
        records: Records,
        engine: Engine,
        *,
        author: str | None = None,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self.workspace = workspace
        self.records = records
        self.engine = engine
        self.notebook_grace = 0.0
        self.notice = ""
        self.watching = False
        self.ignore = IgnoreRules(workspace.root)
        self._author = author
        self._on_change = on_change
        self._mutex = threading.RLock()  # finding and committing, one at a time
        self._state = threading.Lock()  # what status() tells; never held for long
        self._recorder = MergingRecorder(workspace, records, engine, self.tell)
        self.observe_files = os.environ.get("DOTSCIENCE_OBSERVE_FILES", "").lower() not in _OFF
        self.merges = Merges(self, self._recorder)
        self._notebooks = NotebookFinder(
            workspace.root, workspace.id, self.ignore.is_ignored, self._known
        )
        self._spool = Spool(workspace.spool, ".dotscience/spool")
        self.live = LiveRuns(workspace, records.known_runs)
        self._pending: dict[str, FoundRun] = {}
        self._refused: dict[str, FoundError] = {}  # runs that could not be recorded on their own
        self._trouble: FoundError | None = None  # why nothing can be recorded at present
        self.task_errors: list[FoundError] = []  # of tasks that cannot be committed
        self._blind: FoundError | None = None  # why the changed files are not known
        self._unsettled: FoundError | None = None  # why the engine could not do what it put off
        self._settler: Settler | None = None
        self._errors: tuple[FoundError, ...] = ()
        self._changed: list[LiveChange] | None = None

    @property
    def observe_files(self) -> bool:
        """Whether files that no code declared are found; see the class."""
        return self._recorder.observing

    @observe_files.setter
    def observe_files(self, on: bool) -> None:
        self._recorder.observing = on

    @property
    def author(self) -> str:
        """Who commits where nobody is named."""
        if self._author is None:
            self._author = people.default_author(self.workspace.root)
        return self._author

    # -- the engine, in a process that lives long -------------------------------------------------

    def watch(self) -> None:
        """Let the engine be told of changes, where it can be; blocks while it looks at all once."""
        try:
            self.watching = self.engine.watch()
        except TROUBLES as error:
            log.warning("%s. Changes are looked for instead.", reason(error))

    def settle_in_background(self) -> None:
        """Do what the engine puts off in a thread, now and after every commit, until the end."""
        if self._settler is None:
            self._settler = Settler(self.engine, lambda: self._recorder.working > 0, self._settled)
            self._settler.start()

    def settle(self, seconds: float | None = None) -> None:
        """Do what the engine put off: soon, in the background; or now, for so many seconds."""
        if seconds is not None:
            settle_briefly(self.engine, seconds)
        elif self._settler is not None:
            self._settler.ask()

    def _settled(self, error: Exception | None) -> None:
        found = None
        if error is not None:
            found = FoundError(
                "snapshot",
                f"{reason(error)}. What is committed is safe, but work on it that was put off "
                "(such as reading what was captured) could not be done. It is tried again.",
            )
        with self._state:
            before, self._unsettled = self._unsettled, found
        if before != found:
            self.tell("error" if found else "status")

    def close(self) -> None:
        """End what is done in the background; the engine and the records stay open."""
        if self._settler is not None:
            self._settler.close()
            self._settler = None

    # -- finding ----------------------------------------------------------------------------------

    def scan(
        self, notebooks: Iterable[str] | None = None, progress: Progress | None = None
    ) -> Committed:
        """Find runs that are not recorded yet and commit them.

        Parameters
        ----------
        notebooks : iterable of str, optional
            Folder paths of the notebooks to look at; by default every notebook of the workspace
            that is not as it was when last looked at. The spool and the remains of command tasks
            that died are looked at each time.
        progress : callable, optional
            Told of the snapshot's progress.

        Returns
        -------
        Committed
            What was committed, and everything that is wrong at present. Never raises for what is
            found: what cannot be recorded stays where it is and is tried again by the next scan.
        """
        with self._mutex:
            result = self._find(notebooks, lambda: self._commit_pending(progress))
            result.add(tasks.adopt(self, progress))
            result.errors += self._note_errors()
        return result

    def commit(
        self, description: str, author: str | None = None, progress: Progress | None = None
    ) -> Committed:
        """Commit the workspace as it is now, with every run that is found.

        Returns
        -------
        Committed
            Without commits when nothing has changed since the newest one.

        Raises
        ------
        CommitterError
            If it cannot be done; nothing was lost and nothing half done.
        """
        description = description.strip()
        with self._mutex:
            result = tasks.adopt(self, progress)
            self._find(None, Committed)
            runs = [run for run in self._pending.values() if run.id not in self._refused]
            wish = Wish(manual=description, author=author)
            if not runs and description:
                wish.initial = description
            try:
                try:
                    result.add(self.record(runs, wish, progress))
                except RecordsError:
                    if not runs:
                        raise
                    result.add(self._commit_pending(progress))
                    result.add(self.record([], wish, progress))
            except TROUBLES as error:
                self._trouble = trouble(error)
                raise CommitterError(self._trouble.message) from error
            finally:
                errors = self._note_errors()
            result.errors += errors
        return result

    def go_back(
        self, commit: str, author: str | None = None, progress: Progress | None = None
    ) -> Committed:
        """Make the files what they were in a commit; only ever on a person's explicit request.

        What is there is committed first, with every run that is found, so nothing is lost; what
        is there afterwards is committed as well.

        Parameters
        ----------
        commit : str
            Id, unique prefix, ``HEAD`` or ``HEAD~n``.
        author : str, optional
            Who goes back.
        progress : callable, optional
            Told of the progress.

        Returns
        -------
        Committed
            The commits of before, if there was anything to commit, and of after, if anything
            differs.

        Raises
        ------
        CommitterError
            If it cannot be done, or not wholly; the message says what that means for the files.
        """
        with self._mutex:
            try:
                target = self.records.get_commit(commit)
            except RecordsError as error:
                raise CommitterError(str(error)) from error
            result = self.commit(before_going_back(target.id), author, progress)
            try:
                result.add(self._recorder.go_back(target, author or self.author, progress))
            except TROUBLES as error:
                with self._state:
                    self._changed = None  # some of the files may be others now
                raise CommitterError(
                    f"{reason(error)}. Nothing is lost: what was there before is committed."
                ) from error
        return result

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Find and commit nothing meanwhile; for what writes files of its own."""
        with self._mutex:
            try:
                yield
            finally:
                with self._state:
                    self._changed = None  # some of the files may be others now

    def _find(self, notebooks: Iterable[str] | None, between: Callable[[], Committed]) -> Committed:
        """Take in what is found, until no notebook is half written; call ``between`` each time."""
        paths = (
            self._notebooks.walk()
            if notebooks is None
            else [path for path in dict.fromkeys(notebooks) if self._notebooks.belongs(path)]
        )
        result = Committed()
        for pause in (*_PAUSES, None):
            look = self._notebooks.look(paths, final=pause is None)
            self._take(look.runs)
            self._take(self._spool.look())
            # what is readable does not wait for what is being written
            result.add(between())
            paths = look.again
            if not paths or pause is None:
                break
            time.sleep(pause)
        return result

    def run_command(
        self,
        argv: list[str],
        *,
        description: str = "",
        author: str | None = None,
        stdout: BinaryIO,
        stderr: BinaryIO,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> tuple[int, Committed]:
        """Run a command, pass its output through, and commit what it published when it ends.

        Parameters
        ----------
        argv : list of str
            The command and its arguments; no shell is involved.
        description : str
            Used for the commit, and for the run when the command publishes none.
        author : str, optional
            Who committed.
        stdout, stderr : binary file
            Where its output goes, byte for byte as it comes.
        env : dict, optional
            Its environment, by default ours; a few ``DOTSCIENCE_*`` variables are added.
        cwd : Path, optional
            Where it runs, by default the current folder.

        Returns
        -------
        tuple of int and Committed
            Its exit status, 128 + n when signal n ended it, and what was committed.

        Raises
        ------
        CommitterError
            If the command could not be started.
        """
        return tasks.run_command(self, argv, description, author, stdout, stderr, env, cwd)

    def next_look(self) -> float | None:
        """Return after how many seconds a record that waits for its notebook is due, or None."""
        with self._mutex:
            waits = [
                self.notebook_grace - self._spool.age(run)
                for run in self._pending.values()
                if not self._ready(run)
            ]
        return max(min(waits), 0.0) if waits else None

    @property
    def troubled(self) -> bool:
        """Whether something that was found could not be recorded for now."""
        return self._trouble is not None

    def looked_at(self, path: str) -> bool:
        """Whether a notebook (folder path) was looked at as it is now; False when not known."""
        if not self._mutex.acquire(blocking=False):
            return False
        try:
            return self._notebooks.current(path)
        finally:
            self._mutex.release()

    @contextmanager
    def finding(self, runs: list[FoundRun]) -> Iterator[list[FoundRun]]:
        """Take in what a command task published; give back all that is to be committed now."""
        with self._mutex:
            published = {run.id for run in runs}
            # a notebook that the command executed was saved by it
            self._find(None, Committed)
            self._take(runs)
            yield [
                run
                for run in self._pending.values()
                if run.id in published or (self._ready(run) and run.id not in self._refused)
            ]

    def _take(self, runs: Iterable[FoundRun]) -> None:
        for run in runs:
            held = self._pending.get(run.id)
            self._pending[run.id] = run if held is None or held is run else held.merge(run)

    def _ready(self, run: FoundRun) -> bool:
        return (
            run.notebook is not None
            or not run.from_notebook
            or self._spool.age(run) >= self.notebook_grace
        )

    def _known(self, ids: set[str]) -> set[str]:
        try:
            return self.records.known_runs(ids)
        except RecordsError:
            return set()  # the commit that follows meets the same trouble and reports it

    # -- committing -------------------------------------------------------------------------------

    def _commit_pending(self, progress: Progress | None) -> Committed:
        """Commit what is ready. A run that cannot be recorded does not hold up the others."""
        ready = [run for run in self._pending.values() if self._ready(run)]
        result = Committed()
        together = [run for run in ready if run.id not in self._refused]
        alone = [run for run in ready if run.id in self._refused]
        suspects: list[FoundRun] = []
        if together:
            try:
                result.add(self.record(together, Wish(), progress))
            except TROUBLES as error:
                self._trouble = trouble(error)
                if not isinstance(error, RecordsError) or len(together) == 1:
                    return result
                suspects = together
        for run in (*suspects, *alone):
            try:
                result.add(self.record([run], Wish(), progress))
            except TROUBLES as error:
                self._refused[run.id] = trouble(error, run)
        if suspects and all(run.id in self._refused for run in suspects):
            for run in suspects:  # it is not the runs
                del self._refused[run.id]
        return result

    def record(
        self, runs: list[FoundRun], wish: Wish, progress: Progress | None = None
    ) -> Committed:
        """Record runs for this room; others call :meth:`scan` or :meth:`commit`.

        Raises
        ------
        SnapshotError, RecordsError, CommitterError, OSError
            Nothing was recorded (``troubles.TROUBLES``).
        """
        with self._mutex:
            made = self._recorder.record(runs, wish, self.author, self._forget, progress)
            if made.commits or not wish.only_runs:
                self._trouble = None
                with self._state:
                    self._changed = []
        return made

    def _forget(self, run: FoundRun) -> None:
        self._pending.pop(run.id, None)
        self._refused.pop(run.id, None)

    def tell(self, what: str) -> None:
        """Call ``on_change``; what it raises is its own affair."""
        if what == "committed":
            with self._state:  # before anybody hears of it and asks
                self._changed = []
            self.settle()
        if self._on_change is not None:
            try:
                self._on_change(what)
            except Exception:
                log.exception("A listener of the committer failed")

    # -- status -----------------------------------------------------------------------------------

    def status(self, fresh: bool = False) -> CommitterStatus:
        """Return what is not committed and what went wrong.

        Parameters
        ----------
        fresh : bool
            Look at the folder now; else what was last known is told.
        """
        if fresh or self._changed is None:
            self.refresh()
            if self._mutex.acquire(blocking=False):
                try:
                    self._note_errors()
                finally:
                    self._mutex.release()
        with self._state:
            errors = [*self._errors, *filter(None, (self._blind, self._unsettled))]
            changed = list(self._changed or ())
        committing = self._recorder.working > 0
        notebooks: dict[str, int] = {}
        try:
            notebooks = self.records.runs_by_notebook()
        except RecordsError as error:
            errors.append(trouble(error))
        state = "clean"
        if committing:
            state = "committing"
        elif errors:
            state = "error"
        elif changed:
            state = "changed"
        unclaimed = [
            path
            for path in self._unclaimed(changed)
            if not (path in notebooks and path.endswith(NOTEBOOK))
        ]
        return CommitterStatus(
            state, errors, changed, unclaimed, notebooks, self._sentence(state, errors, changed)
        )

    def refresh(self) -> bool:
        """Compare the folder with the newest commit; return whether either is another one."""
        try:
            head = self.records.head()
            moved = self._recorder.head != (None if head is None else head.id)
            self._recorder.head = None if head is None else head.id
            changed = self.engine.changes(None if head is None else head.snapshot, renames=True)
        except TROUBLES as error:
            with self._state:
                self._changed = self._changed or []
                self._blind = FoundError(
                    "snapshot",
                    f"{reason(error)}. What has changed since the newest commit is not known.",
                )
            return True
        with self._state:
            before, self._changed = self._changed, changed
            self._blind = None
        return moved or before != changed

    def others_committed(self) -> bool:
        """Return whether another program has made a commit since this was last asked or done."""
        try:
            head = self.records.head()
        except RecordsError:
            return False  # whoever wants to read next is told
        before, self._recorder.head = self._recorder.head, None if head is None else head.id
        return before != self._recorder.head

    def _unclaimed(self, changed: list[LiveChange]) -> list[str]:
        claimed: set[str] = set()
        for run in list(self._pending.values()):
            base = self._recorder.rebaser.base_of(run)
            observed = (run.observed or {}) if self.observe_files else {}
            for path in (*run.text.inputs, *run.text.outputs, *chain(*observed.values())):
                claimed.add(self._recorder.rebaser.resolve(base, path)[0])
            if run.notebook is not None:
                claimed.add(run.notebook)
        return [to_text(each.path) for each in changed if each.path not in claimed]

    def _sentence(self, state: str, errors: list[FoundError], changed: list[LiveChange]) -> str:
        if state == "error":
            return errors[0].message
        if state == "committing":
            return "Committing."
        if self.notice:
            return self.notice
        if not changed:
            return "Everything is committed."
        count = len(changed)
        return f"{count} file{' has' if count == 1 else 's have'} changed since the newest commit."

    def _note_errors(self) -> list[FoundError]:
        errors = [
            *([self._trouble] if self._trouble else []),
            *self._refused.values(),
            *self._notebooks.errors(),
            *self._spool.errors(),
            *self.task_errors,
        ]
        with self._state:
            before, self._errors = self._errors, tuple(errors)
        if before != self._errors:
            self.tell("error" if errors else "status")
        return errors
