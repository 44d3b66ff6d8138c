# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking on into other workspaces, where a file's content was made by a run of another one.

What ties workspaces together is content: a version that no run of its own workspace wrote is taken
for a copy of the newest version with the same digest that a run of another one had written before.
A version of a dataset's file is the same wherever the dataset is used, and in the dataset itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from dotscience_jupyter.records.datasetneighbours import DatasetNeighbours, in_dataset
from dotscience_jupyter.records.neighbours import Version
from dotscience_jupyter.records.store import Records

from .assembly import Direction, walk
from .graph import Edge, Graph, Key, Node, node_id
from .starts import Exists, resolve
from .walking import LIMIT, Walk

Place = tuple[str, Version]
"""A workspace's name and a version of a file in it."""


def across(
    workspaces: Mapping[str, Records],
    workspace: str,
    start: str,
    direction: Direction = "both",
    limit: int = LIMIT,
    *,
    depth: int = 0,
    exists: Exists = lambda path: False,
    own: str | None = None,
) -> Graph:
    """Return what something was made from, or what came of it, in all of several workspaces.

    Nodes have the name of their workspace, which also comes first in their ids: ``NAME|run:ID``.
    Their ``order`` is the time when they came, in milliseconds: sequences are each workspace's own.

    Parameters
    ----------
    workspaces : mapping of str to Records
        The workspaces by their names.
    workspace : str
        The one that the start is in.
    start : str
        As :func:`.starts.resolve` understands it.
    direction : str
        ``up``, ``down`` or ``both``.
    limit : int
        How many nodes at most in each workspace and direction.
    depth : int
        How many runs away at most, in whichever workspaces they are; 0 for any number.
    exists : callable
        Whether the newest commit of the start's workspace holds a path that nothing tells of.
    own : str, optional
        A workspace whose nodes go without its name.

    Raises
    ------
    RecordsError
        If there is no such start.
    """
    keys = resolve(workspaces[workspace], start, exists)
    merged = _Merged(own, [(workspace, key) for key in keys])
    with ExitStack() as stack:
        near = {
            name: stack.enter_context(records.neighbours()) for name, records in workspaces.items()
        }
        for way in ("up", "down"):
            if direction in (way, "both"):
                graphs, ties = _follow(near, workspace, keys, way == "up", limit)
                for name, graph in graphs.items():
                    merged.add(name, graph)
                merged.tie(ties)
    return merged.graph(direction, depth)


class _Merged:
    """Graphs of several workspaces, put together."""

    def __init__(self, own: str | None, start: Iterable[tuple[str, Key]]) -> None:
        self._own = own
        self._start = [self._id(name, node_id(key)) for name, key in start]
        self._nodes: dict[str, Node] = {}
        self._edges: dict[Edge, None] = {}
        self._neighbours: dict[tuple[str, bool], int] = {}  # how many there are in its workspace
        self._truncated = False

    def _id(self, name: str, id_: str) -> str:
        return id_ if name == self._own else f"{name}|{id_}"

    def add(self, name: str, graph: Graph) -> None:
        """Add what a walk found in one workspace."""
        self._truncated |= graph.truncated
        told = Counter(
            end for edge in graph.edges for end in ((edge.target, True), (edge.source, False))
        )
        for node in graph.nodes:
            id_ = self._id(name, node.id)
            self._nodes.setdefault(
                id_, replace(node, id=id_, workspace="" if name == self._own else name)
            )
            for up, hidden in ((True, node.hidden_up), (False, node.hidden_down)):
                known = self._neighbours.get((id_, up), 0)
                self._neighbours[id_, up] = max(known, told[node.id, up] + hidden)
        for edge in graph.edges:
            ends = self._id(name, edge.source), self._id(name, edge.target)
            self._edges[Edge(*ends, edge.kind, edge.authority)] = None

    def tie(self, ties: Iterable[tuple[Place, Place]]) -> None:
        """Add arrows between workspaces."""
        for ends in ties:
            source, target = (self._id(at, node_id(file)) for at, file in ends)
            edge = Edge(source, target, "same")
            if source in self._nodes and target in self._nodes and edge not in self._edges:
                self._edges[edge] = None
                self._nodes[target].source = False
                for end in ((target, True), (source, False)):
                    self._neighbours[end] = self._neighbours.get(end, 0) + 1

    def graph(self, direction: Direction, depth: int) -> Graph:
        """Return what is at most so many runs away from the start, oldest first."""
        away = self._distances(direction)
        kept = {id_ for id_ in away if not depth or away[id_] <= depth}
        edges = [edge for edge in self._edges if edge.source in kept and edge.target in kept]
        shown = Counter(end for e in edges for end in ((e.target, True), (e.source, False)))
        order = self._orders()
        found = Graph([id_ for id_ in self._start if id_ in kept], truncated=self._truncated)
        for id_ in kept:
            node = self._nodes[id_]
            node.depth, node.order = away[id_], order[id_]
            # a file's readers are counted up to a limit only
            node.hidden_up = max(0, self._neighbours[id_, True] - shown[id_, True])
            node.hidden_down = max(0, self._neighbours[id_, False] - shown[id_, False])
            found.nodes.append(node)
        # of one time: what was changed by hand, the runs, what these wrote
        wrote = {edge.target for edge in edges if edge.kind == "wrote"}
        found.nodes.sort(
            key=lambda node: (
                node.order,
                1 if node.run is not None else 2 if node.id in wrote else 0,
                node.id,
            )
        )
        place = {node.id: number for number, node in enumerate(found.nodes)}
        found.edges = sorted(edges, key=lambda e: (place[e.target], place[e.source], e.kind))
        return found

    def _distances(self, direction: Direction) -> dict[str, int]:
        """Return how many runs lie between the start and each node that leads to it or follows."""
        found: dict[str, int] = {}
        for up in (True, False):
            if direction not in ("both", "up" if up else "down"):
                continue
            beside: dict[str, list[str]] = {}
            for edge in self._edges:
                near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
                beside.setdefault(near, []).append(far)
            away: dict[str, int] = {}
            ahead = deque((id_, 0) for id_ in self._start if id_ in self._nodes)
            while ahead:
                at, runs = ahead.popleft()
                if away.get(at, runs + 1) <= runs:
                    continue
                away[at] = runs
                for id_ in beside.get(at, ()):
                    if self._nodes[id_].run is not None:
                        ahead.append((id_, runs + 1))
                    else:
                        ahead.appendleft((id_, runs))
            for id_, runs in away.items():
                found[id_] = min(runs, found.get(id_, runs))
        return found

    def _orders(self) -> dict[str, int]:
        """Return when each node came; of what no commit holds, when it was read first."""
        found = {
            id_: int(node.created.timestamp() * 1000)
            for id_, node in self._nodes.items()
            if node.created is not None
        }
        for edge in self._edges:
            if self._nodes[edge.source].created is None and edge.target in found:
                first = found.get(edge.source, found[edge.target])
                found[edge.source] = min(first, found[edge.target])
        return {id_: found.get(id_, 0) for id_ in self._nodes}


def _follow(
    near: Mapping[str, DatasetNeighbours],
    workspace: str,
    start: Iterable[Key],
    up: bool,
    limit: int,
) -> tuple[dict[str, Graph], set[tuple[Place, Place]]]:
    """Walk in one workspace, on in those that it is tied to, until nothing new is met."""
    starts: dict[str, dict[Key, None]] = {workspace: dict.fromkeys(start)}
    graphs: dict[str, Graph] = {}
    ties: set[tuple[Place, Place]] = set()
    left = [workspace]
    while left:
        name = left.pop(0)
        graphs[name] = walk(near[name], list(starts[name]), "up" if up else "down", 0, limit)
        files = graphs[name].files()
        for other in near:
            if other == name:
                continue
            new = (
                _origins(near[other], other, name, files)
                if up
                else _copies(near[name], near[other], name, other, files)
            )
            new |= _of_datasets(near[other], other, name, files, up)
            ties |= new
            reached = {(origin if up else copy)[1] for origin, copy in new}
            known = starts.setdefault(other, {})
            if more := sorted(reached - known.keys(), key=lambda f: (f.path, f.version or "")):
                known.update(dict.fromkeys(more))
                if other not in left:
                    left.append(other)
    return graphs, ties


def _origins(
    there: DatasetNeighbours, other: str, name: str, files: Iterable[Node]
) -> set[tuple[Place, Place]]:
    """Return the ties from what another workspace wrote to the sources among files here."""
    sources = [node for node in files if node.source and node.digest and node.size != 0]
    wrote = _written(there, {node.digest for node in sources if node.digest})
    found: set[tuple[Place, Place]] = set()
    for node in sources:
        origin = _newest(wrote.get(node.digest or "", []), node.created)
        if origin is not None and node.file is not None:
            found.add(((other, origin), (name, node.file)))
    return found


def _of_datasets(
    there: DatasetNeighbours, other: str, name: str, files: Iterable[Node], up: bool
) -> set[tuple[Place, Place]]:
    """Return the ties between versions of datasets' files here and the very same ones elsewhere.

    Where one came from is what a run of another workspace wrote, or the dataset's own history.
    """
    here: dict[Version, list[Version]] = {}
    for node in files:
        if node.file is not None and node.file.version and (node.source or not up):
            place = in_dataset(node.file.path)
            if place is not None or not up:
                path = node.file.path if place is None else place.path
                here.setdefault(Version(path, node.file.version), []).append(node.file)
    found: set[tuple[Place, Place]] = set()
    for version, others in there.in_datasets("output" if up else "input", here.keys()).items():
        for one in here[version]:
            for tied in others:
                found.add(((other, tied), (name, one)) if up else ((name, one), (other, tied)))
    if up:
        own = there.commits({version.version for version in here if version.version})
        for version, ours in here.items():
            if version.version in own:
                found |= {((other, version), (name, one)) for one in ours}
    return found


def _copies(
    here: DatasetNeighbours, there: DatasetNeighbours, name: str, other: str, files: Iterable[Node]
) -> set[tuple[Place, Place]]:
    """Return the ties from files here to what nobody in another workspace wrote."""
    digests = {node.digest for node in files if node.digest and node.size != 0}
    rows, _ = there.identical(digests, "input")
    if not rows:
        return set()
    made = there.writers(row.file for row in rows)
    path = Walk(there, 0, LIMIT)
    path.take(row.file for row in rows)
    for row in rows:
        path.note(row)
    path.look_for_identical(row.file for row in rows)
    own = {copy for _, copy in path.links.pairs}
    copies = [row for row in rows if row.file not in made and row.file not in own]
    wrote = _written(here, {row.digest for row in copies if row.digest})
    times = there.commits({row.file.version for row in copies if row.file.version})
    present = {node.file for node in files}
    found: set[tuple[Place, Place]] = set()
    for row in copies:
        created = times[row.file.version][1] if row.file.version in times else None
        origin = _newest(wrote.get(row.digest or "", []), created)
        if origin in present and origin is not None:
            found.add(((name, origin), (other, row.file)))
    return found


def _written(
    near: DatasetNeighbours, digests: Iterable[str]
) -> dict[str, list[tuple[datetime, Version]]]:
    """Return the versions with these digests that runs made, and when, by digest."""
    _, rows = near.identical(set(digests), "output")
    times = near.commits({row.file.version for row in rows if row.file.version})
    found: dict[str, list[tuple[datetime, Version]]] = {}
    for row in rows:
        if row.digest and row.file.version in times:
            found.setdefault(row.digest, []).append((times[row.file.version][1], row.file))
    return found


def _newest(
    versions: Iterable[tuple[datetime, Version]], before: datetime | None
) -> Version | None:
    """Return the newest version from before a time, from any time where that is not known."""
    earlier = [(time, file) for time, file in versions if before is None or time < before]
    return max(earlier, key=lambda each: (each[0], each[1].path), default=(None, None))[1]
