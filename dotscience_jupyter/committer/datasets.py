# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the runs of one find did with datasets: which versions they read, and new ones they made.

A dataset that runs wrote to is committed before the workspace is: a process that dies in between
leaves a version of the dataset that names the runs, and the next find takes that for theirs. One
find makes one such version of a dataset, and before it one more if inputs were changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from dotscience_jupyter.datasets import DatasetError, OpenDataset
from dotscience_jupyter.records.store import DatasetVersion
from dotscience_jupyter.snapshots.engine import Kind

from .datasetstate import DatasetState
from .filepaths import Rebaser
from .mounts import Mount, Mounts
from .observed import changed_meanwhile, written_between
from .planned import Planned, Use, UsedFile, Wish
from .troubles import TROUBLES, reason
from .types import CommitterError

MAX_EXPANDED = 100_000
"""Files that a declared folder may stand for; a bigger one is recorded as the folder it is."""


class DatasetUses:
    """Finds out what runs did with datasets, and makes the versions that they wrote.

    Parameters
    ----------
    mounts
        What is attached to the workspace.
    rebaser
        Of the workspace.
    workspace
        Its id.
    author
        Who commits.
    observing
        Whether files that no code declared are found.
    """

    def __init__(
        self, mounts: Mounts, rebaser: Rebaser, workspace: str, author: str, *, observing: bool
    ) -> None:
        self._mounts = mounts
        self._rebaser = rebaser
        self._workspace = workspace
        self._author = author
        self._observing = observing

    def claim(self, used: list[UsedFile], path: str, inside: bool) -> bool:
        """Take a declared path that belongs to a dataset; return whether it does."""
        found = self._mounts.find(path, inside)
        if found is not None:
            used.append(UsedFile(*found))
        return found is not None

    def record(self, runs: Sequence[Planned], wish: Wish, message: str) -> None:
        """Commit what runs wrote, and note in each what it read and wrote.

        Parameters
        ----------
        runs : sequence of Planned
            In their order; the use of each is completed.
        wish : Wish
            Its derived run, if there is one, wrote what changed meanwhile.
        message : str
            Of the commits.

        Raises
        ------
        CommitterError, RecordsError, SnapshotError, OSError
            Datasets that were committed by then stay so, and the next find goes on from there.
        """
        uses = [run.use for run in runs]
        if self._mounts.trouble:
            why = f"Which datasets it used is not recorded: {self._mounts.trouble}"
            for use in uses:
                _complain(use, why)
        if not self._mounts.all():
            return
        for run in runs:
            run.use.position = run.position
            self._observe(run.use)
        if wish.derived is not None:
            derived = wish.derived
            uses.append(Use(derived.id, derived.started, derived.ended, position=len(runs)))
        for mount in self._mounts.all():
            unseen = self._unseen(uses)
            if any(_of(mount, each) for use in uses for each in (*use.read, *use.wrote)) or (
                mount.live and unseen is not None
            ):
                try:
                    self._record(mount, uses, unseen, message)
                except DatasetError as error:
                    raise CommitterError(error.message.rstrip(".")) from error
        if wish.derived is not None:
            wish.derived.datasets, wish.datasets = uses[-1].files, uses[-1].versions

    def _observe(self, use: Use) -> None:
        """Add the files of datasets that a run opened, where its code declared none."""
        found = use.found
        if not self._observing or found is None or found.observed is None:
            return
        base = self._rebaser.base_of(found)
        for direction, declared, target in (
            ("input", found.text.inputs, use.read),
            ("output", found.text.outputs, use.wrote),
        ):
            for path in () if declared else found.observed[direction]:
                of = self._mounts.find(*self._rebaser.resolve(base, path))
                if of is not None and of[1]:
                    target.append(UsedFile(*of, True))

    def _unseen(self, uses: Sequence[Use]) -> Use | None:
        """Return the run that wrote what changed while it was under way, if that can be told."""
        if len(uses) != 1:
            return None
        found = uses[0].found
        if found is None:
            return uses[0]
        seen = found.observed is None or found.text.outputs
        return uses[0] if self._observing and not seen else None

    def _record(self, mount: Mount, uses: Sequence[Use], unseen: Use | None, message: str) -> None:
        with ExitStack() as stack:
            opened = self._opened(stack, mount, uses)
            state = DatasetState(mount, opened)
            if mount.live:
                used = [each for use in uses for each in (*use.read, *use.wrote)]
                state.freeze(
                    {each.path for each in used if _of(mount, each) and each.path},
                    [use.run for use in uses],
                )
            for use in uses:
                self._complete(state, use)
            if mount.live:
                self._write(state, uses, unseen, message)
            for use in uses:
                self._note(state, uses, use)

    @staticmethod
    def _opened(stack: ExitStack, mount: Mount, uses: Sequence[Use]) -> OpenDataset | None:
        """Open a dataset, and let nobody else commit to one that runs may write to."""
        if mount.dataset is None:
            return None
        if mount.live:
            opened = stack.enter_context(mount.dataset.opened())
            stack.enter_context(mount.dataset.locked())
            return opened
        try:
            return stack.enter_context(mount.dataset.opened())
        except (DatasetError, *TROUBLES) as error:
            # what was read is known from the checkout; only who wrote it when is not
            for use in uses:
                if any(_of(mount, each) for each in use.read):
                    _complain(
                        use,
                        f"Which versions of its files it read of the dataset {mount.name} is not "
                        f"recorded: {reason(error)}.",
                    )
            return None

    def _complete(self, state: DatasetState, use: Use) -> None:
        """Put files in the place of declared folders; leave out what was opened and is no data."""
        use.read = self._expanded(state, use.read)
        use.wrote = self._expanded(state, use.wrote)
        done = state.done.get(use.run)
        if done is not None:
            known = use.writes
            use.wrote += [
                UsedFile(state.mount, path, True)
                for path in done.outputs
                if (state.mount.name, path) not in known
            ]
        if use.found is None or not state.mount.live or done is not None:
            return
        opened = {each.path for each in use.read if each.derived and _of(state.mount, each)}
        wrote = {each.path for each in use.wrote if _of(state.mount, each)}
        late = changed_meanwhile(use.found, opened, state.changed) - wrote
        use.read = [
            each
            for each in use.read
            # what was read is not what is there now, and nobody changed it before the run
            if each.path not in late or not _of(state.mount, each)
        ]

    def _expanded(self, state: DatasetState, used: Iterable[UsedFile]) -> list[UsedFile]:
        found: dict[tuple[str, str], UsedFile] = {}
        for each in used:
            paths = [each.path]
            if _of(state.mount, each):
                entry = state.there(each.path)
                if entry is not None and entry.kind is Kind.FOLDER:
                    paths = state.files(each.path, MAX_EXPANDED) or paths
                elif each.derived and not state.is_data(each.path):
                    continue
            for path in paths:
                one = UsedFile(each.mount, path, each.derived)
                found.setdefault(one.key, one)
        return list(found.values())

    def _write(
        self, state: DatasetState, uses: Sequence[Use], unseen: Use | None, message: str
    ) -> None:
        """Commit a dataset, if runs wrote to it or read what had been changed by hand."""
        mount = state.mount
        new = [use for use in uses if use.run not in state.done]
        read = {each.path for use in new for each in use.read if _of(mount, each)}
        if unseen is not None and unseen.run not in state.done:
            explained = read | {each.path for each in unseen.wrote if _of(mount, each)}
            for path in written_between(unseen.started, unseen.ended, state.changed, explained):
                unseen.wrote.append(UsedFile(mount, path, True))
        wrote = {
            use.run: sorted({each.path for each in use.wrote if _of(mount, each)}) for use in new
        }
        written = {path for paths in wrote.values() for path in paths}
        state.commit(
            by_hand=sorted(state.changed_to_be_read(read - written)),
            outputs={run: paths for run, paths in wrote.items() if paths},
            message=message,
            author=self._author,
            workspace=self._workspace,
        )

    def _note(self, state: DatasetState, uses: Sequence[Use], use: Use) -> None:
        """Note the files and versions of one dataset in what a run is recorded with."""
        mount = state.mount
        read = [each for each in use.read if _of(mount, each)]
        wrote = [each for each in use.wrote if _of(mount, each)]
        earlier = {
            each.path: other
            for other in uses
            if other.position < use.position
            for each in other.wrote
            if _of(mount, each)
        }
        own = {each.path for each in wrote}
        files, version = state.inputs(
            read, own, {p: other.run for p, other in earlier.items()}, use
        )
        use.files += files
        if read and version is not None:
            use.versions.append(DatasetVersion("input", mount.name, mount.attached.id, version))
        later = {
            each.path
            for other in uses
            if other.position > use.position
            for each in other.wrote
            if _of(mount, each)
        }
        files, version = state.outputs(wrote, later, use)
        use.files += files
        if wrote and version is not None:
            use.versions.append(DatasetVersion("output", mount.name, mount.attached.id, version))
        if wrote and not mount.live:
            where = "is attached for reading" if mount.dataset else "is not on this machine"
            _complain(
                use,
                f"What it wrote to the dataset {mount.name} is in none of its versions, since the "
                f"dataset {where}.",
            )


def versions_of(uses: Iterable[Use]) -> list[DatasetVersion]:
    """Return the versions that the runs of one commit read and made; of several the last one."""
    found = {(each.direction, each.name): each for use in uses for each in use.versions}
    return [found[key] for key in sorted(found)]


def _of(mount: Mount, used: UsedFile) -> bool:
    return used.mount is mount


def _complain(use: Use, problem: str) -> None:
    if use.found is not None and problem not in use.found.problems:
        use.found.problems.append(problem)
