# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""An open workspace, as all that answers for it has it at hand."""

from __future__ import annotations

from dotscience_jupyter.committer import Committer
from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.snapshots import Engine

from .paths import PathMapper
from .reading import Reading
from .translate import translated


class Core(Reading):
    """An open workspace: its records, its engine, its committer."""

    def __init__(
        self,
        workspace: Workspace,
        records: Records,
        engine: Engine,
        committer: Committer,
        mapper: PathMapper,
    ) -> None:
        super().__init__(
            records, engine, workspace.root, lambda: translated(mapper, workspace.root)
        )
        self.workspace = workspace
        self.committer = committer
        self.mapper = mapper

    def clean(self, message: str) -> str:
        """Return a message without the folders of this machine that are nobody's business."""
        return self.mapper.scrub(message, self.workspace.root)
