# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From runs that were found and two snapshots to the commits that record them.

Nothing of the workspace is written here: :class:`.recorder.Recorder` records the plan in one
transaction. What runs wrote into datasets is committed there before, by :class:`.DatasetUses`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from dotscience_jupyter.datasets import ATTACHMENTS
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.records.store import NewChange, NewCommit, NewFile, NewRun, NewValue
from dotscience_jupyter.snapshots.engine import (
    Change,
    Difference,
    Engine,
    Entry,
    Kind,
)
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE

from .contents import Contents
from .datasets import DatasetUses, versions_of
from .filepaths import Rebaser
from .notebooks import is_notebook
from .observed import TICK, changed_meanwhile, nanoseconds, opened, written_unseen
from .planned import Declared, Planned, Use, Wish
from .record import FoundRun

CORRECTION = "File changes were detected that the run metadata did not explain"
INITIAL = "dotscience.initial"
FILES = "dotscience.files.v1"
RUN = "dotscience.run.v1"
MAX_MESSAGE = 500
MAX_EXPANDED = 100_000
"""Files that a declared folder may stand for; a bigger one is recorded as the folder it is."""

UNKNOWN = ""
"""Version of an input that was never part of the workspace: there is none to be resolved."""


class Planner:
    """Makes the commits for one find. One planner a find: it remembers what it asked the engine."""

    def __init__(
        self,
        engine: Engine,
        rebaser: Rebaser,
        snapshot: str,
        head_snapshot: str | None,
        author: str,
        publishers: Callable[[], set[str]] = set,
        *,
        observing: bool = True,
        datasets: DatasetUses | None = None,
    ) -> None:
        self._engine = engine
        self._observing = observing  # whether files that the code did not declare are found
        self._publishers = publishers  # folder paths of the notebooks that have published runs
        self._rebaser = rebaser
        self._snapshot = snapshot
        self._base = head_snapshot
        self._author = author
        self._entries: dict[tuple[str, str], Entry | None] = {}
        self._contents = Contents(engine)
        self._datasets = datasets
        self._writes: dict[str, list[int]] = {}  # which runs of this find wrote a path, ascending
        differences = (
            engine.diff(head_snapshot, snapshot)
            if head_snapshot is not None and head_snapshot != snapshot
            else []
        )
        self.folders_changed = any(_is_folder(each) for each in differences)
        self.changed = {each.path: each for each in differences if not _is_folder(each)}

    def plan(self, found: Iterable[FoundRun], wish: Wish) -> list[NewCommit]:
        """Return the commits for runs that are not recorded yet, oldest first; perhaps none."""
        manual = wish.manual
        runs = _ordered([self._planned(run) for run in found])
        self._writes.clear()
        for position, run in enumerate(runs):
            run.position = position
            for path in run.writes:
                self._writes.setdefault(path, []).append(position)
        if self._observing:
            self._observe(runs)
        if self._datasets is not None:
            self._datasets.record(runs, wish, _message(runs) if runs else wish.message)
        commits: list[NewCommit] = []
        if self._base is None:
            commits.append(self._new(INITIAL, wish.initial))
        left = dict(self.changed)
        claimed = self.claims(runs)
        if manual is None:
            # what attaching a dataset writes is a setting, which nobody has to explain
            claimed |= {ATTACHMENTS, IGNORE_FILE}
        if manual is None and any(is_notebook(path.rpartition("/")[2]) for path in left):
            # what executes a notebook saves it once more after its last run, and people go on
            # working in it: that is recorded as a change, but nothing is amiss
            claimed |= self._publishers()
        outside = self._changed_before(runs)
        if outside:
            names = ", ".join(to_text(path) for path in outside)
            commits.append(self._new(FILES, _short(f"Files changed outside of a run: {names}")))
            commits[-1].changes = [_change(left.pop(path)) for path in outside]
        groups = _grouped(runs)
        writers = {
            path: number
            for number, group in enumerate(groups)
            for run in group
            for path in run.writes
        }
        for number, group in enumerate(groups):
            commit = self._new(RUN, _message(group))
            commit.runs = [self._run(run) for run in group]
            commit.datasets = versions_of(run.use for run in group)
            mine = {path for path, writer in writers.items() if writer == number}
            commit.changes = [_change(left.pop(path)) for path in sorted(mine & left.keys())]
            commits.append(commit)
        if wish.derived is not None:
            claimed |= left.keys()
        if wish.derived is not None or wish.logs or (groups and wish.metadata):
            self._add_task(commits, wish, left)
        unexplained = [left[path] for path in left if not _claims(claimed, path)]
        explained = [left[path] for path in left if _claims(claimed, path)]
        last = commits[-1] if commits and commits[-1].type == RUN else None
        if last is not None:
            last.changes += [_change(each) for each in explained]
            if manual is None and unexplained:
                last.changes += [_change(each) for each in unexplained]
                last.runs.append(self._correction(unexplained))
        if manual is not None and self._base is not None:
            if unexplained or (last is None and self.folders_changed):
                commits.append(self._new(FILES, manual or "Saved by hand"))
                commits[-1].changes = [_change(each) for each in unexplained]
            elif last is not None and manual:
                last.message = manual
        return commits

    def claims(self, runs: Iterable[Planned]) -> set[str]:
        """Return what these runs explain: folder paths, a trailing ``/`` for all below a folder."""
        claimed: set[str] = set()
        for run in runs:
            claimed |= run.reads
            claimed |= run.writes
            claimed |= {f"{folder}/" for folder in run.folders}
            claimed |= {path for path in (run.workload, run.found.notebook) if path is not None}
        return claimed

    def _new(self, type_: str, message: str) -> NewCommit:
        return NewCommit(self._snapshot, type_, message, self._author)

    def _entry(self, path: str, snapshot: str | None = None) -> Entry | None:
        """Return an entry, or None; the digest of a large file may be "" while it is not known.

        A commit must not wait until a hundred gigabytes were read that the engine froze at once.
        """
        key = (snapshot or self._snapshot, path)
        if key not in self._entries:
            self._entries[key] = self._look_up(*key)
        return self._entries[key]

    def _look_up(self, snapshot: str, path: str) -> Entry | None:
        if snapshot == self._snapshot:
            if path in self.changed:
                return self._contents.known(snapshot, self.changed[path].new)
            if self._base is not None:
                # as it was, and there it may have been read already
                entry = self._contents.find(self._base, path)
                if entry is not None and entry.kind is not Kind.FOLDER:
                    return entry
        return self._contents.find(snapshot, path)

    def _planned(self, run: FoundRun) -> Planned:
        base = self._rebaser.base_of(run)
        planned = Planned(run, [], [], None, Use.of(run))
        for paths, target, used in (
            (run.text.inputs, planned.inputs, planned.use.read),
            (run.text.outputs, planned.outputs, planned.use.wrote),
        ):
            seen: set[str] = set()
            for path in paths:
                resolved, inside = self._rebaser.resolve(base, path)
                if self._datasets is not None and self._datasets.claim(used, resolved, inside):
                    continue
                entry = self._entry(resolved) if inside else None
                each = [resolved]
                if entry is not None and entry.kind is Kind.FOLDER:
                    planned.folders.append(resolved)
                    files = self._contents.files(self._snapshot, resolved, MAX_EXPANDED)
                    each = files or each
                target += [Declared(item, inside) for item in each if item not in seen]
                seen.update(each)
        hint = run.source.get("path")
        if run.from_notebook:
            planned.workload = run.notebook or self._rebaser.notebook_hint(hint)
        elif script := run.text.workload_file or (hint if isinstance(hint, str) else None):
            path, inside = self._rebaser.resolve(base, script)
            planned.workload = path if inside and self._entry(path) is not None else None
        if self._observing:
            for direction, target in (("input", planned.inputs), ("output", planned.outputs)):
                then = self._base if direction == "input" else None
                found = opened(
                    run,
                    direction,
                    lambda path: self._rebaser.resolve(base, path),
                    lambda path, then=then: self._entry(path) or (then and self._entry(path, then)),  # type: ignore[misc]  # mypy infers no default's type
                )
                target += [Declared(path, True, True) for path in found if path != planned.workload]
        planned.reads = frozenset(each.path for each in planned.inputs if each.inside)
        planned.writes = frozenset(each.path for each in planned.outputs if each.inside)
        return planned

    def _observe(self, runs: list[Planned]) -> None:
        """Find what only the snapshot tells of the files of runs that declared none."""
        for run in runs:
            unseen = [each.path for each in run.inputs if each.derived]
            late = changed_meanwhile(run.found, unseen, self.changed) - self._writes.keys()
            # what was read is not what is there now, and nobody changed it before the run
            run.reads -= late
            run.inputs = [
                each
                for each in run.inputs
                if each.path not in late or self.changed[each.path].old is not None
            ]
        if len(runs) == 1:
            (run,) = runs
            explained = {*run.reads, *run.writes, run.workload or "", run.found.notebook or ""}
            for path in written_unseen(run.found, self.changed, explained):
                run.outputs.append(Declared(path, True, True))
                run.writes |= {path}
                self._writes[path] = [0]

    def _changed_before(self, runs: list[Planned]) -> list[str]:
        """Return the inputs that somebody else changed since the last commit, sorted."""
        written = {path for run in runs for path in run.writes}
        read = {path for run in runs for path in run.reads}
        return sorted(
            path
            for path in (read - written) & self.changed.keys()
            if self.changed[path].change is not Change.REMOVED
        )

    def _run(self, run: Planned) -> NewRun:
        found, text = run.found, run.found.text
        jupyter = found.from_notebook
        workload = None if run.workload is None else to_text(run.workload)
        new = NewRun(
            id=found.id,
            authority="workload",
            description=text.description,
            error=text.error,
            author=self._author,
            workload_type="jupyter" if jupyter else "command",
            workload_file=workload,
            started=text.start,
            ended=text.end,
            environment=found.environment,
            series=found.series,
        )
        types = {**text.types, **found.types}
        new.values = [
            NewValue(kind, name, value, types.get((key, name), "str"))
            for kind, key, values in (
                ("parameter", "parameters", text.parameters),
                ("metric", "summary", text.metrics),
                ("label", "labels", text.labels),
            )
            for name, value in values.items()
        ]
        new.files = [self._input(each, run) for each in run.inputs]
        new.files += [self._output(each, run) for each in run.outputs]
        new.datasets = run.use.files
        new.details = self._details(run)
        return new

    def _details(self, run: Planned) -> dict[str, Any]:
        found = run.found
        outside = [d.path for d in (*run.inputs, *run.outputs) if not d.inside]
        details: dict[str, Any] = {
            "traceback": found.traceback,
            "seeds": found.seeds,
            "resources": found.resources,
            "process": found.process,
            "source": found.source,
            "outside": sorted({to_text(path) for path in outside}),
            "problems": found.problems,
            "task": found.task,
        }
        if found.from_notebook or found.notebook is not None:
            details["cell"] = {
                "id": found.cell_id,
                "index": found.cell,
                "execution_count": found.execution_count,
            }
        return {key: value for key, value in details.items() if value}

    def _output(self, declared: Declared, run: Planned) -> NewFile:
        file = _new_file("output", declared)
        entry = self._entry(declared.path) if declared.inside else None
        overwritten = self._writes.get(declared.path, [0])[-1] > run.position
        # what a later run of the same find wrote over was never frozen: its digest is not known
        if entry is not None and (not overwritten or _settled(entry, run)):
            _describe(file, entry)
        return file

    def _input(self, declared: Declared, run: Planned) -> NewFile:
        file = _new_file("input", declared)
        if not declared.inside:
            file.version = UNKNOWN
            return file
        path = declared.path
        writers = self._writes.get(path, [])
        entry = self._entry(path)
        as_now = path in run.reads and (not writers or writers[-1] < run.position)
        if not as_now and entry is not None and path not in run.writes:
            as_now = _settled(entry, run)
        if entry is not None and as_now:
            _describe(file, entry)
        elif not writers or writers[0] >= run.position:
            # it was written over or removed after it was read, by this run or later;
            # what was read is what the last commit holds
            entry = None if self._base is None else self._entry(path, self._base)
            _describe(file, entry)
            if entry is None and not writers:
                file.version = UNKNOWN  # missing or ignored: no commit holds it
        return file

    def _correction(self, differences: list[Difference]) -> NewRun:
        removed = [to_text(each.path) for each in differences if each.new is None]
        run = NewRun(
            id=str(uuid.uuid4()),
            authority="correction",
            description=CORRECTION,
            author=self._author,
            details={"removed": removed} if removed else {},
        )
        run.files = _outputs(differences)
        return run

    def _add_task(self, commits: list[NewCommit], wish: Wish, left: dict[str, Difference]) -> None:
        if wish.derived is not None:
            wish.derived.files += _outputs(left.values())
            commits.append(self._new(RUN, wish.message))
            commits[-1].runs = [wish.derived]
            commits[-1].datasets = wish.datasets
        elif not commits or commits[-1].type != RUN:
            commits.append(self._new(RUN, wish.message))  # others recorded its runs already
        elif wish.message:
            commits[-1].message = wish.message
        commits[-1].metadata |= wish.metadata
        commits[-1].logs |= wish.logs


def _is_folder(difference: Difference) -> bool:
    entry = difference.new or difference.old
    return entry is not None and entry.kind is Kind.FOLDER


def _new_file(direction: str, declared: Declared) -> NewFile:
    authority = "derived" if declared.derived else "workload"
    return NewFile(direction, to_text(declared.path), authority=authority)


def _describe(file: NewFile, entry: Entry | None) -> None:
    if entry is not None and entry.kind is Kind.FILE:
        file.digest, file.size = entry.digest or None, entry.size


def _settled(entry: Entry, run: Planned) -> bool:
    """Whether a file was last written before a run ended, so that the run had it as it is now."""
    end = run.found.text.end
    return end is not None and entry.mtime_ns + TICK <= nanoseconds(end)


def _change(difference: Difference) -> NewChange:
    digest = difference.new.digest if difference.new is not None else ""
    return NewChange(to_text(difference.path), difference.change.value, digest or None)


def _outputs(differences: Iterable[Difference]) -> list[NewFile]:
    files = []
    for each in sorted(differences, key=lambda each: each.path):
        if each.new is not None:
            files.append(NewFile("output", to_text(each.path)))
            _describe(files[-1], each.new)
    return files


def _claims(claimed: set[str], path: str) -> bool:
    if path in claimed:
        return True
    position = path.find("/")
    while position >= 0:
        if path[: position + 1] in claimed:
            return True
        position = path.find("/", position + 1)
    return False


def _ordered(runs: list[Planned]) -> list[Planned]:
    """Return runs by when they ended; those that do not tell come last, in the order found."""

    def when(run: Planned) -> float:
        time = run.found.text.end or run.found.text.start
        return math.inf if time is None else nanoseconds(time)

    return sorted(runs, key=when)


def _grouped(runs: list[Planned]) -> list[list[Planned]]:
    """Split runs into commits: what a run read may be named only as of an earlier commit."""
    groups: list[list[Planned]] = []
    written: set[str | tuple[str, str]] = set()
    for run in runs:
        if not groups or (run.reads | run.use.reads) & written:
            groups.append([])
            written = set()
        groups[-1].append(run)
        written |= run.writes | run.use.writes
    return groups


def _message(runs: list[Planned]) -> str:
    error = next((run.found.text.error for run in runs if run.found.text.error), None)
    if error is not None:
        return _short(error)
    said = dict.fromkeys(run.found.text.description.strip() for run in runs)
    said.pop("", None)
    if said:
        return _short("; ".join(said))
    files = dict.fromkeys(to_text(run.workload) for run in runs if run.workload)
    return _short(f"Run of {', '.join(files)}") if files else "Dotscience runs"


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
