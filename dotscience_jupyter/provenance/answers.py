# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The questions that people ask of the graph, as functions."""

from __future__ import annotations

from dotscience_jupyter.records.neighbours import RunHead, Version
from dotscience_jupyter.records.store import Records

from .assembly import Direction, newest, walk
from .graph import Graph, Node
from .starts import Exists, resolve
from .walking import LIMIT

__all__ = ["LIMIT", "affected", "made_from", "provenance", "which_run"]


def provenance(
    records: Records,
    start: str = "",
    direction: Direction = "both",
    depth: int = 0,
    limit: int = LIMIT,
    exists: Exists = lambda path: False,
    count: bool = True,
) -> Graph:
    """Return the graph around a start (see :func:`.starts.resolve`), or the newest of all.

    Parameters
    ----------
    records : Records
        Where to look.
    start : str
        What to begin with; "" for the workspace's newest runs with their files.
    direction : str
        ``up``, ``down`` or ``both``.
    depth : int
        How many runs away at most; 0 for any number.
    limit : int
        How many nodes at most, nearest (or newest) first.
    exists : callable
        Whether the newest commit holds a path that nothing else tells of.
    count : bool
        Whether to count the readers of files that are not in the graph; takes a query a file.

    Raises
    ------
    RecordsError
        NotFoundError if there is no such thing, AmbiguousError if it could be several.
    """
    if not start:
        with records.neighbours() as near:
            return newest(near, limit, count)
    keys = resolve(records, start, exists)
    with records.neighbours() as near:
        return walk(near, keys, direction, depth, limit, count)


def which_run(records: Records, path: str) -> RunHead | None:
    """Return the run that made a file (``PATH`` or ``PATH@COMMIT``), or the same content before.

    None where no run did: the file is raw data, or was changed by hand.
    """
    graph = made_from(records, f"file:{path}", depth=1)
    runs = [node for node in graph.runs() if node.depth == 1]
    return runs[-1].run if runs else None


def made_from(records: Records, start: str, depth: int = 0, limit: int = LIMIT) -> Graph:
    """Return all that something was made from, transitively; its ``sources()`` are the raw data."""
    return provenance(records, start, "up", depth, limit)


def affected(records: Records, start: str, limit: int = LIMIT) -> list[Node]:
    """Return all runs and files that would be affected if something is wrong, nearest first."""
    graph = provenance(records, start, "down", 0, limit)
    begun = set(graph.start)
    later = [node for node in graph.nodes if node.id not in begun]
    return sorted(later, key=lambda node: (node.depth, isinstance(node.file, Version), node.order))
