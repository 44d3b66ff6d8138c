# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One dataset in one find: as runs found it, as it is now, and the commits that lie between."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotscience_jupyter.datasets import FILES, RUN_OUTPUT, OpenDataset, change_of
from dotscience_jupyter.records import models
from dotscience_jupyter.records.metadata import canonical
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.records.store import NewCommit, NewDatasetFile
from dotscience_jupyter.snapshots.engine import Change, Difference, Entry, Kind

from .contents import Contents
from .mounts import Mount
from .observed import TICK, nanoseconds
from .planned import Use, UsedFile

_LOOKED_BACK = 50
"""Commits among which one is looked for that an earlier find made and did not live to record."""

_NAMED = 20
"""Files that a commit's message names."""


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of a dataset; None where it is not known."""

    commit: str | None
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """What an earlier find committed for a run that is not recorded in the workspace."""

    before: _Version
    after: _Version
    outputs: list[str] = field(default_factory=list)  # folder paths


class DatasetState:
    """A dataset and its versions, while the runs of a find are recorded.

    Parameters
    ----------
    mount
        Where it is attached.
    opened
        Its records and engine; None if it is not on this machine.

    Attributes
    ----------
    changed : dict
        What differs from the newest commit, by folder path; of one that runs may write to.
    done : dict
        What an earlier find committed, by run.
    """

    def __init__(self, mount: Mount, opened: OpenDataset | None) -> None:
        self.mount = mount
        self.changed: dict[str, Difference] = {}
        self.done: dict[str, Done] = {}
        self._opened = opened
        self._contents = None if opened is None else Contents(opened.engine)
        self._now: str | None = None  # snapshot
        self._head: models.Commit | None = None
        self._by_hand: set[str] = set()
        self._before = self._base = self._after = _Version(mount.version, None)
        if opened is not None and not mount.live:
            self._before = self._base = self._after = self._checked_out(opened)

    def _checked_out(self, opened: OpenDataset) -> _Version:
        version = self.mount.version
        if version is None:
            head = opened.records.head()
            version = None if head is None else head.id
        if version is None or not opened.records.known_commits([version]):
            return _Version(version, None)
        return _Version(version, opened.records.get_commit(version).snapshot)

    def freeze(self, look_at: Collection[str], runs: Sequence[str]) -> None:
        """Freeze one that runs may write to, and look for what was committed for them already."""
        assert self._opened is not None
        frozen = self._opened.freeze(look_at=look_at)
        self.changed = frozen.changed
        self._now, self._head = frozen.snapshot, frozen.head
        if frozen.head is not None:
            self._before = self._base = self._after = _Version(frozen.head.id, frozen.head.snapshot)
        self._find_done(runs)

    def _find_done(self, runs: Sequence[str]) -> None:
        assert self._opened is not None
        commits, _ = self._opened.records.list_commits(limit=_LOOKED_BACK)
        for commit in commits:
            for run in runs:
                text = commit.details.get(_outputs_key(run))
                if text is None or run in self.done or not commit.parents:
                    continue
                parent = self._opened.records.get_commit(commit.parents[0].parent_id)
                self.done[run] = Done(
                    _Version(parent.id, parent.snapshot),
                    _Version(commit.id, commit.snapshot),
                    [from_text(path) for path in json.loads(text)],
                )

    # -- what there is ----------------------------------------------------------------------------

    def there(self, path: str) -> Entry | None:
        """Return what there is under a folder path, as the runs left it."""
        return self._entry(self._now or self._base.snapshot, path)

    def is_data(self, path: str) -> bool:
        """Whether a file that a run opened is, or was, a file of the dataset.

        In a checkout whatever is a file is: of a dataset that only points to its content, files
        are there that no snapshot holds.
        """
        if not self.mount.live:
            target = self.mount.target
            return target is not None and os.path.isfile(os.path.join(target, path))
        entry = self.there(path) or self._entry(self._base.snapshot, path)
        return entry is not None and entry.kind is Kind.FILE

    def files(self, folder: str, most: int) -> list[str]:
        """Return the files below a folder; none if there are too many, or nobody knows."""
        snapshot = self._now or self._base.snapshot
        if self._contents is None or snapshot is None:
            return []
        return self._contents.files(snapshot, folder, most)

    def changed_to_be_read(self, paths: Iterable[str]) -> list[str]:
        """Return those of the paths that were added or modified since the newest commit."""
        return [
            path
            for path in paths
            if path in self.changed and self.changed[path].change is not Change.REMOVED
        ]

    def _entry(self, snapshot: str | None, path: str) -> Entry | None:
        if self._contents is None or snapshot is None:
            return None
        if snapshot == self._now and path in self.changed:
            return self._contents.known(snapshot, self.changed[path].new)
        return self._contents.find(snapshot, path)

    # -- commits ----------------------------------------------------------------------------------

    def commit(
        self,
        *,
        by_hand: Sequence[str],
        outputs: Mapping[str, Sequence[str]],
        message: str,
        author: str,
        workspace: str,
    ) -> None:
        """Commit what changed, if runs wrote it or read it; the dataset is locked.

        Parameters
        ----------
        by_hand : sequence of str
            Inputs that somebody else changed.
        outputs : mapping
            The files that each run wrote, by its id.
        message, author : str
            Of the commits.
        workspace : str
            Id of the workspace of the runs.

        Raises
        ------
        RecordsError
            Nothing was recorded.
        """
        assert self._opened is not None and self._now is not None
        left = dict(self.changed)
        wanted: list[NewCommit] = []
        writes = bool(outputs) and bool(left.keys() - set(by_hand))
        if by_hand:
            named = ", ".join(to_text(path) for path in by_hand[:_NAMED])
            if len(by_hand) > _NAMED:
                named += f" and {len(by_hand) - _NAMED} more"
            said = f"Files changed outside of a run: {named}"
            new = NewCommit(self._now, FILES, said, author)
            # without a commit after it, this one has to tell of all that changed
            mine = by_hand if writes else sorted(left)
            new.changes = [change_of(left.pop(path)) for path in mine]
            wanted.append(new)
        if writes:
            new = NewCommit(self._now, RUN_OUTPUT, message, author)
            new.changes = [change_of(each) for each in left.values()]
            new.metadata = {"workspace": workspace}
            for run, paths in outputs.items():
                listed = canonical([to_text(path) for path in paths]).decode()
                new.metadata[_outputs_key(run)] = listed
            wanted.append(new)
        if not wanted:
            return
        made = self._opened.record(self._head, wanted)
        if by_hand:
            self._base = _Version(made[0].id, self._now)
            self._by_hand = set(by_hand)
        self._after = _Version(made[-1].id, self._now)

    # -- what is to be recorded of runs -----------------------------------------------------------

    def inputs(
        self, read: Sequence[UsedFile], own: Collection[str], earlier: Mapping[str, str], use: Use
    ) -> tuple[list[NewDatasetFile], str | None]:
        """Return what a run read, and the version of the dataset that it read.

        Parameters
        ----------
        read : sequence of UsedFile
            Its inputs.
        own : collection of str
            What it wrote itself.
        earlier : mapping
            Which earlier run of this find wrote a path.
        use : Use
            The run.
        """
        done = self.done.get(use.run)
        base, before = (done.before, done.before) if done else (self._base, self._before)
        versions: dict[str, str | None] = {}
        if base.commit is not None and base.snapshot is not None and self._opened is not None:
            asked = [to_text(each.path) for each in read]
            versions = self._opened.records.last_written_before(asked, base.commit)
        version, files = base.commit, []
        for each in read:
            path = to_text(each.path)
            file = NewDatasetFile("input", self.mount.name, path)
            file.authority = "derived" if each.derived else "workload"
            if each.path in earlier:
                made = (
                    self.done[earlier[each.path]].after if earlier[each.path] in self.done else None
                )
                at = made or self._after
                file.version = version = at.commit
                entry = self._entry(at.snapshot, each.path)
            else:
                at = base if each.path in self._by_hand and done is None else before
                entry = self._entry(at.snapshot, each.path)
                # what no snapshot holds (content that is only pointed to) is as of the version
                file.version = versions.get(path) if entry is not None else base.commit
            _describe(file, entry)
            if entry is None and self.mount.target is not None and not self.mount.live:
                file.size = _size(self.mount.target / each.path)
            files.append(file)
        return files, version

    def outputs(
        self, wrote: Sequence[UsedFile], later: Collection[str], use: Use
    ) -> tuple[list[NewDatasetFile], str | None]:
        """Return what a run wrote, and the version of the dataset that holds it.

        Parameters
        ----------
        wrote : sequence of UsedFile
            Its outputs.
        later : collection of str
            What later runs of this find wrote as well.
        use : Use
            The run.
        """
        done = self.done.get(use.run)
        after = done.after if done else self._after
        version = after.commit if self.mount.live else None
        files = []
        for each in wrote:
            file = NewDatasetFile("output", self.mount.name, to_text(each.path), version)
            file.authority = "derived" if each.derived else "workload"
            entry = self._entry(after.snapshot, each.path) if self.mount.live else None
            # what a later run wrote over was never frozen: its digest is not known
            if entry is not None and (each.path not in later or _settled(entry, use)):
                _describe(file, entry)
            files.append(file)
        return files, version


def _outputs_key(run: str) -> str:
    return f"run.{run}.dataset-output-files"


def _describe(file: NewDatasetFile, entry: Entry | None) -> None:
    if entry is not None and entry.kind is Kind.FILE:
        file.digest, file.size = entry.digest or None, entry.size


def _size(path: Path) -> int | None:
    """Return the size of a file that no snapshot holds."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _settled(entry: Entry, use: Use) -> bool:
    """Whether a file was last written before a run ended, so that the run had it as it is now."""
    return use.ended is not None and entry.mtime_ns + TICK <= nanoseconds(use.ended)
