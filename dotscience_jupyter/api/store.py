# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The stored content of a workspace: whether it is whole, how large it is, and its moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from filelock import FileLock, Timeout

from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Problem, Progress

from . import bodies, models
from .core import Core
from .errors import ApiError

RECEIVED = "received"
"""The tag under which snapshots are held that came from elsewhere and no commit needs yet."""

_PAGE = 500
_LOCK_SECONDS = 120.0  # a commit of a very large folder may take so long before gc gives up


class StoreService(Core):
    """The part of :class:`.service.WorkspaceService` that looks after stored content."""

    def verify(self, progress: Progress | None = None) -> models.VerifyResult:
        """Recompute the hash chain and read every stored byte that a commit needs."""
        with self.errors():
            commits, _ = self.records.counts()
            snapshots = self.records.snapshots()
            problems = [
                models.VerifyProblem(commit=commit, path=None, message=self.clean(message))
                for commit, message in self.records.verify(progress)
            ]
            found = self.engine.verify(snapshots, progress)
        return models.VerifyResult(
            commits=commits,
            snapshots=len(set(snapshots)),
            problems=problems + self._problems(found),
        )

    def repair(self, progress: Progress | None = None) -> models.RepairResult:
        """Mend what is damaged of what commits need, and tell what is lost."""
        with self.errors():
            snapshots = self.records.snapshots()
            found, lost = self.engine.repair(snapshots, progress)
        still = {(problem.snapshot, problem.path) for problem in lost}
        mended = [each for each in found if (each.snapshot, each.path) not in still]
        return models.RepairResult(
            snapshots=len(set(snapshots)),
            mended=self._problems(mended),
            lost=self._problems(lost),
        )

    def _problems(self, found: Iterable[Problem]) -> list[models.VerifyProblem]:
        found = list(found)
        owners = self._owners({problem.snapshot for problem in found})
        return [
            models.VerifyProblem(
                commit=next(iter(owners.get(problem.snapshot, ())), None),
                path=to_text(problem.path),
                message=self.clean(problem.message),
            )
            for problem in found
        ]

    def gc(self, progress: Progress | None = None, *, received: bool = False) -> models.GcResult:
        """Drop stored content that no commit needs; with ``received`` also what was received.

        The workspace's lock is held, as a snapshot that is taken just now has no commit yet.
        """
        try:
            with FileLock(self.workspace.lock, timeout=_LOCK_SECONDS), self.errors():
                if received:
                    there = self.engine.snapshots()
                    self.engine.release(
                        [each.id for each in there if RECEIVED in each.holds], RECEIVED
                    )
                freed = self.engine.gc(self.records.snapshots(), progress)
                stored = self.engine.usage().stored_bytes
        except Timeout:
            raise ApiError(
                409,
                "conflict",
                "Another program has been committing to this workspace for minutes. Nothing was "
                "dropped; try again when it is done.",
            ) from None
        return models.GcResult(freed_bytes=freed, stored_bytes=stored)

    def usage(self, each: bool = False) -> models.Usage:
        """Return how much room the stored content takes; with ``each`` of every snapshot."""
        with self.errors():
            found = self.engine.usage(each=each)
            owners = self._owners({item.id for item in found.each})
        return bodies.usage(found, self.engine.name, owners)

    def send(
        self,
        commit: str,
        to: BinaryIO,
        base: str | None = None,
        resume: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Write the content of a commit, or of a snapshot by its id, as a stream.

        Parameters
        ----------
        commit : str
            What to send.
        to : binary file
            Where to.
        base : str, optional
            A commit or snapshot that the receiver has.
        resume : str
            The token of a transfer that was cut.
        progress : callable, optional
            Told of the bytes sent.
        """
        with self.errors():
            known = None if base is None else self.snapshot_of(base)
            self.engine.send(self.snapshot_of(commit), to, known, resume, progress)

    def receive(self, source: BinaryIO, progress: Progress | None = None) -> str:
        """Take in what :meth:`send` wrote and return the snapshot's id. It stays until it is freed.

        Raises
        ------
        ApiError
            409 ``transfer_cut`` if the transfer can go on, with a TransferError as its cause.
        """
        with self.errors():
            snapshot = self.engine.receive(source, progress)
            self.engine.hold([snapshot], RECEIVED)
        return snapshot

    def partial(self) -> dict[str, str]:
        """Return transfers that were cut: snapshot -> token for the sender."""
        with self.errors():
            return self.engine.partial()

    def _all_commits(self) -> Iterator[rows.Commit]:
        """Yield every commit, newest first."""
        with self.errors():
            offset, total = 0, 1
            while offset < total:
                page, total = self.records.list_commits(offset=offset, limit=_PAGE)
                if not page:
                    return
                yield from page
                offset += len(page)

    def _owners(self, snapshots: set[str]) -> dict[str, list[str]]:
        """Return the commits of each snapshot, oldest first."""
        owners: dict[str, list[str]] = {}
        if snapshots:
            for row in self._all_commits():
                if row.snapshot in snapshots:
                    owners.setdefault(row.snapshot, []).insert(0, row.id)
        return owners
