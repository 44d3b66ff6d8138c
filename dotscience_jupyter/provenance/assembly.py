# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From what a walk met to a graph: all arrows between the nodes, and what is hidden around them."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from dotscience_jupyter.records.neighbours import FileRow, Neighbours, RunHead, Version

from .graph import Edge, Graph, Key, Node, node_id
from .walking import LIMIT, Known, Walk, by_file, pair_order

Direction = Literal["up", "down", "both"]

COUNTED = 1000
"""Readers of a file version are counted up to so many, when they are not in the graph."""


def walk(
    near: Neighbours,
    start: Sequence[Key],
    direction: Direction = "both",
    depth: int = 0,
    limit: int = LIMIT,
    count: bool = True,
) -> Graph:
    """Return what nodes came from, what came of them, or both.

    Parameters
    ----------
    near : Neighbours
        The records.
    start : sequence of str or Version
        Runs by their whole ids, and versions of files.
    direction : str
        ``up`` to the raw data, ``down`` to all that would be affected, or ``both``; the runs that
        merely share an ancestor with a start are in none of them.
    depth : int
        How many runs away at most; 0 for any number.
    limit : int
        How many nodes at most, nearest first.
    count : bool
        Whether to count the readers that are not in the graph; takes a query a file.
    """
    path = Walk(near, depth, limit)
    path.go(start, {"up": [True], "down": [False], "both": [True, False]}[direction])
    return assemble(path, start, count)


def newest(near: Neighbours, limit: int = LIMIT, count: bool = True) -> Graph:
    """Return the newest runs of a workspace with what they read and wrote, as many as fit."""
    path = Walk(near, 0, limit)
    runs = near.newest(max(1, limit))
    for some in range(0, len(runs), 500):
        batch = runs[some : some + 500]
        files: dict[str, list[FileRow]] = {run: [] for run in batch}
        for row in (*near.inputs(batch), *near.outputs(batch)):
            path.note(row)
            path.files[row.file].asked = True
            files[row.run].append(row)
        for run in batch:
            path.take([run, *(row.file for row in sorted(files[run], key=by_file))])
            if path.truncated:
                break
        if path.truncated:
            break
    versions = [key for key in path.depths if isinstance(key, Version)]
    path.look_for_identical(filter(path.may_have_origin, versions), at_once=True)
    return assemble(path, [], count)


def assemble(path: Walk, start: Iterable[Key], count: bool = True) -> Graph:
    """Put the nodes that were met and all arrows between them together."""
    near, met = path.near, path.depths
    heads = near.runs(key for key in met if isinstance(key, str))
    files = {key: path.files[key] for key in met if isinstance(key, Version)}
    up: dict[Key, int] = dict.fromkeys(met, 0)  # how many neighbours there are
    down: dict[Key, int] = dict.fromkeys(met, 0)
    edges: list[tuple[Key, Key, Edge]] = []

    def arrow(source: Key, target: Key, kind: Literal["read", "wrote", "same"], by: str) -> None:
        if source in met and target in met:
            edges.append((source, target, Edge(node_id(source), node_id(target), kind, by)))

    readers = Counter[Version]()
    for row in near.inputs(heads):
        up[row.run] += 1
        readers[row.file] += row.file in met
        path.note(row)
        path.files[row.file].asked = True
        arrow(row.file, row.run, "read", row.authority)
    for row in near.outputs(heads):
        down[row.run] += 1
        path.note(row)
        path.files[row.file].asked = True
        arrow(row.run, row.file, "wrote", row.authority)
    path.find_writers(file for file, known in files.items() if not known.asked)
    for earlier, later in sorted(path.links.pairs, key=pair_order):
        arrow(earlier, later, "same", "workload")
        if earlier in down:
            down[earlier] += 1
        if later in up:
            up[later] += 1
    uncounted = [file for file in files if file not in path.readers] if count else []
    lives = path.lives(uncounted)
    for source, target, _ in edges:
        down[source] -= 1
        up[target] -= 1
    for file, known in files.items():
        up[file] += known.writer is not None
        if file in lives:
            down[file] += near.count_readers(file, lives[file], readers[file] + COUNTED)
        else:
            down[file] += path.readers.get(file, readers[file])
    made = _Nodes(path, heads, files, {later for _, later in path.links.pairs})
    nodes = [made.of(key) for key in met]
    for key, node in zip(met, nodes, strict=True):
        # a damaged database may tell of readers that are found on one way only
        node.hidden_up, node.hidden_down = max(0, up[key]), max(0, down[key])
    nodes.sort(key=lambda node: _node_order(node, path))
    place = {node.id: number for number, node in enumerate(nodes)}
    arrows = [edge for _, _, edge in edges]
    arrows.sort(key=lambda edge: (place[edge.target], place[edge.source], edge.kind))
    return Graph([node_id(key) for key in start if key in met], nodes, arrows, path.truncated)


class _Nodes:
    """Makes nodes of what was met."""

    def __init__(
        self,
        path: Walk,
        heads: dict[str, RunHead],
        files: dict[Version, Known],
        copies: set[Version],
    ) -> None:
        self._depths, self._heads, self._files, self._copies = path.depths, heads, files, copies
        near = path.near
        self._commits = near.commits({file.version for file in files if file.version})
        self._first_read = near.first_readings({f.path for f in files if not f.version})
        models = near.models(heads.values())
        self._models = {run: sorted(named) for run, named in models.items()}
        self._model_files: dict[tuple[str, str], list[str]] = {}
        for run, named in models.items():
            for name, text in sorted(named.items()):
                for each in model_files(text):
                    self._model_files.setdefault((run, each), []).append(name)

    def of(self, key: Key) -> Node:
        depth = self._depths[key]
        if isinstance(key, str):
            head = self._heads[key]
            node = Node(node_id(key), head.order, depth, head.commit, head.created, run=head)
            node.models = self._models.get(key, [])
            return node
        known = self._files[key]
        order, created = self._commits.get(key.version or "", (None, None))
        if order is None:
            order = self._first_read.get(key, known.since or 0)
        node = Node(node_id(key), order, depth, key.version, created, file=key)
        node.digest, node.size = known.digest or key.digest, known.size
        node.models = self._model_files.get((known.writer or "", key.path), [])
        node.source = known.writer is None and key not in self._copies
        return node


def _node_order(node: Node, path: Walk) -> tuple[int, int, int, str]:
    # of one commit: what was changed by hand, the runs, what these wrote
    if node.run is not None:
        return node.order, 1, node.run.sequence, node.id
    written = node.file is not None and path.files[node.file].writer is not None
    return node.order, 2 if written else 0, 0, node.id


def model_files(text: str) -> list[str]:
    """Return the paths of a registered model's files, the model itself first.

    ``text`` is what the run recorded; it may be anything.
    """
    try:
        files = json.loads(text)["files"]
        paths = [files["model"]] if "model" in files else []
        paths += [path for name, path in sorted(files.items()) if name != "model"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
    return [posixpath.normpath(path) for path in paths if isinstance(path, str) and path]
