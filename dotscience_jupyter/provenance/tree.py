# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A graph as an indented tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .graph import Graph, Kind, Node


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the tree: ``before`` stands before the node, ``margin`` before more about it."""

    before: str
    margin: str
    node: Node
    kind: Kind | None  # how it is tied to the line that it hangs on; None for a root
    again: bool  # its branches were shown above


def tree(graph: Graph, up: bool) -> Iterator[Branch]:
    """Yield the tree that hangs on the starts: what they came from, or what came of them.

    Each node's branches are shown once, where the node is met first, depth first.
    """
    nodes = graph.by_id()
    beside: dict[str, list[tuple[str, Kind]]] = {}
    for edge in graph.edges:
        near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
        beside.setdefault(near, []).append((far, edge.kind))
    for ends in beside.values():
        ends.sort(key=lambda item: (nodes[item[0]].order, item[0]))
    told: set[str] = set()
    # no recursion: a chain may be thousands of runs long
    left: list[tuple[str, Kind | None, str, str]] = [(s, None, "", "") for s in graph.start[::-1]]
    while left:
        at, kind, before, margin = left.pop()
        again = at in told
        told.add(at)
        children = [] if again else beside.get(at, [])
        yield Branch(before, margin + ("│  " if children else "   "), nodes[at], kind, again)
        for number, (child, how) in enumerate(reversed(children)):
            last = number == 0
            left.append(
                (
                    child,
                    how,
                    margin + ("└─ " if last else "├─ "),
                    margin + ("   " if last else "│  "),
                )
            )
