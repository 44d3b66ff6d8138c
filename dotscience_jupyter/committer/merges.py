# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Merges of one workspace, for whoever has its committer at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dotscience_jupyter.snapshots.engine import Progress

from .merging import MergeWish, MergingRecorder
from .troubles import TROUBLES, reason
from .types import Committed, CommitterError

if TYPE_CHECKING:
    from .committer import Committer


class Merges:
    """Writes and commits what merges brought; thread-safe, every method blocks."""

    def __init__(self, committer: Committer, recorder: MergingRecorder) -> None:
        self._committer = committer
        self._recorder = recorder

    def commit(
        self, wish: MergeWish, author: str | None = None, progress: Progress | None = None
    ) -> Committed:
        """Write the files of a merge and commit it with both parents.

        What is there is committed first, with every run that is found, unless the folder as it is
        now is the result of the merge.

        Raises
        ------
        OverwrittenError
            If files that it would write were changed since it was begun.
        CommitterError
            If it cannot be done; the files are as they were.
        """
        committer = self._committer
        with self._failing("The merge was not made"):
            result = Committed()
            if not wish.in_place:
                message = f"Before merging {wish.merged[:12]}"
                result.add(committer.commit(message, author, progress))
            result.add(self._recorder.merge(wish, author or committer.author, progress))
            return result

    def write(self, wish: MergeWish, progress: Progress | None = None) -> None:
        """Write the files of a merge without committing it. Raise as :meth:`commit`."""
        with self._failing("No file was written"):
            self._recorder.write(wish, progress)

    def unwrite(self, snapshot: str, paths: list[str]) -> None:
        """Make files (folder paths) what they were in a snapshot, times and modes included.

        Raises
        ------
        CommitterError
            If it cannot be done, or not wholly; doing it again completes it.
        """
        with self._failing("Not all files are as they were; try again"):
            self._recorder.unwrite(snapshot, paths)

    def recover(self) -> None:
        """Put back what a merge that was killed had written. Raise CommitterError if it fails."""
        if self._recorder.journal.exists():
            with self._failing("Some files of a merge are not put back; try again"):
                self._recorder.recover()

    def is_made(self, merge: str) -> bool:
        """Whether the newest commit is that of a merge."""
        return self._recorder.is_made(merge)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        with self._committer.alone():
            try:
                yield
            except CommitterError:
                raise
            except TROUBLES as error:
                raise CommitterError(f"{reason(error)}. {what}.") from error
