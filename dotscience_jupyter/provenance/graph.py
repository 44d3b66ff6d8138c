# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the graph consists of: runs and file versions, and the arrows between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dotscience_jupyter.records.neighbours import RunHead, Version

Key = str | Version
"""A node within one workspace: a run's id, or a version of a file."""

Kind = Literal["read", "wrote", "same"]


@dataclass(slots=True)
class Node:
    """A run or a version of a file.

    ``order`` is the sequence of the commit that a node came with (of what no commit holds: the
    first that read it), so that a layout by it never moves older nodes. ``hidden_up`` and
    ``hidden_down`` tell how many neighbours towards its origin, and how many that came of it, are
    not in the graph; of a file's readers at most :data:`.assembly.COUNTED` are counted.
    """

    id: str
    order: int
    depth: int  # runs between it and the start
    commit: str | None
    created: datetime | None
    run: RunHead | None = None
    file: Version | None = None
    digest: str | None = None
    size: int | None = None
    models: list[str] = field(default_factory=list)
    source: bool = False  # nothing that is recorded is its origin
    hidden_up: int = 0
    hidden_down: int = 0
    workspace: str = ""  # its name, in a graph of several

    @property
    def label(self) -> str:
        """A run's description, a file's name."""
        if self.run is not None:
            return self.run.description or self.run.workload_file or self.run.id[:8]
        assert self.file is not None
        return self.file.path.rsplit("/", 1)[-1] or self.file.path


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow in the direction of time: file to run, run to file, or file to identical file."""

    source: str
    target: str
    kind: Kind
    authority: str = "workload"


@dataclass(slots=True)
class Graph:
    """A part of the graph; nodes oldest first, origins before what came of them."""

    start: list[str]
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    truncated: bool = False

    def by_id(self) -> dict[str, Node]:
        """Return the nodes by their ids."""
        return {node.id: node for node in self.nodes}

    def runs(self) -> list[Node]:
        """Return the nodes that are runs."""
        return [node for node in self.nodes if node.run is not None]

    def files(self) -> list[Node]:
        """Return the nodes that are versions of files."""
        return [node for node in self.nodes if node.file is not None]

    def sources(self) -> list[Node]:
        """Return the raw data: files that nothing recorded is the origin of."""
        return [node for node in self.nodes if node.source]


def node_id(key: Key) -> str:
    """Return ``run:ID``, ``file:PATH@COMMIT``, or ``file:PATH@`` where no commit holds it.

    Contents that no commit holds and whose digest is known are ``file:PATH@=DIGEST``.
    """
    if isinstance(key, str):
        return f"run:{key}"
    if key.version:
        return f"file:{key.path}@{key.version}"
    return f"file:{key.path}@={key.digest}" if key.digest else f"file:{key.path}@"
