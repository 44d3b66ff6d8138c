# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""An open workspace, as all that answers for it has it at hand."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress

from dotscience_jupyter.committer import Committer
from dotscience_jupyter.records import NotFoundError, Records, Workspace
from dotscience_jupyter.snapshots import Engine, SnapshotError

from .paths import PathMapper
from .translate import translated


class Core:
    """An open workspace: its records, its engine, its committer."""

    def __init__(
        self,
        workspace: Workspace,
        records: Records,
        engine: Engine,
        committer: Committer,
        mapper: PathMapper,
    ) -> None:
        self.workspace = workspace
        self.records = records
        self.engine = engine
        self.committer = committer
        self.mapper = mapper

    def snapshot_of(self, name: str) -> str:
        """Return the snapshot of a commit (id, unique prefix, ``HEAD~n``), or one by its own id.

        Raises
        ------
        RecordsError
            If there is neither.
        """
        try:
            return self.records.get_commit(name).snapshot
        except NotFoundError:
            if self.engine.exists(name):
                return name
            raise

    def known_content_id(self, snapshot: str) -> str:
        """Return a content id if it is known. Damage is for others to report."""
        with suppress(SnapshotError):
            return self.engine.content_id(snapshot, compute=False)
        return ""

    def clean(self, message: str) -> str:
        """Return a message without the folders of this machine that are nobody's business."""
        return self.mapper.scrub(message, self.workspace.root)

    def errors(self) -> AbstractContextManager[None]:
        """Return a context in which errors of the rooms below become errors of the API."""
        return translated(self.mapper, self.workspace.root)
