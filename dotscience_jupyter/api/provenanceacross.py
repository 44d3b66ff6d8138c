# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions, followed into other workspaces of the same machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dotscience_jupyter import provenance as room
from dotscience_jupyter.provenance.across import across
from dotscience_jupyter.provenance.starts import Exists
from dotscience_jupyter.records import Records, RecordsError, Workspace

from .core import Core

MOST = 100
"""So many other workspaces are looked into at most."""


@dataclass(slots=True)
class Other:
    """Another workspace that is looked into, or why it cannot be."""

    workspace: Workspace
    name: str
    path: str | None  # contents path
    problem: str = ""


@dataclass(slots=True)
class Across:
    """A graph over several workspaces, and the others that were looked into."""

    graph: room.Graph
    others: list[Other]


def find(
    core: Core,
    workspaces: Iterable[Workspace],
    start: str,
    direction: room.Direction,
    depth: int,
    limit: int,
    exists: Exists,
) -> Across:
    """Walk from a start in this workspace, or in one of the others, through all of them.

    Nodes of others have the id of their workspace, which comes before theirs: ``ID|run:...``.
    What begins with one of these is a start as well.

    Raises
    ------
    RecordsError
        If there is no such start.
    """
    with _opened(core, workspaces) as (records, others):
        own = core.workspace.id
        where, bar, inner = start.partition("|")
        if not bar or where not in records:
            where, inner = own, start
        graph = across(
            records,
            where,
            inner,
            direction,
            limit,
            depth=depth,
            # what the newest commits of others hold is not asked
            exists=lambda path: where == own and exists(path),
            own=own,
        )
    return Across(graph, others)


@contextmanager
def _opened(
    core: Core, workspaces: Iterable[Workspace]
) -> Iterator[tuple[dict[str, Records], list[Other]]]:
    """Open the records of workspaces by their ids; those that cannot be read say why."""
    records = {core.workspace.id: core.records}
    others: list[Other] = []
    seen = {_place(core.workspace)}
    with ExitStack() as stack:
        for workspace in workspaces:
            if _place(workspace) in seen:
                continue
            seen.add(_place(workspace))
            path = core.mapper.to_contents(workspace.root)
            other = Other(workspace, workspace.root.name or "/", path)
            others.append(other)
            if workspace.id in records:
                other.problem = (
                    "It is a copy of a workspace that is looked into already, with the same id."
                )
            elif len(records) > MOST:
                other.problem = f"More than {MOST} workspaces are not looked into at once."
            elif (workspace.folder / "records.db").is_file():  # else nothing was recorded yet
                try:
                    opened = Records.open(workspace.database_url)
                    stack.callback(opened.close)
                    with opened.neighbours() as near:  # damage shows here, not in the midst
                        near.newest(1)
                    records[workspace.id] = opened
                except RecordsError as error:
                    other.problem = core.mapper.scrub(str(error), workspace.root)
        yield records, others


def _place(workspace: Workspace) -> str:
    return os.path.realpath(workspace.root)
