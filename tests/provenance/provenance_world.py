# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Short ways to write histories, for the tests of provenance."""

from __future__ import annotations

import hashlib
from typing import Any

from dotscience_jupyter.provenance import Graph
from dotscience_jupyter.records.store import (
    NewChange,
    NewCommit,
    NewFile,
    NewRun,
    NewValue,
    Records,
)


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def run(
    id_: str,
    reads: str = "",
    writes: str = "",
    *,
    parameters: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    outside: str = "",
    **fields: Any,
) -> NewRun:
    """``run("train", "a.csv=CONTENT", "m.pkl")``: paths, each with its content where it matters."""
    files = [_file("input", each) for each in reads.split()]
    files += [_file("input", each, version="") for each in outside.split()]
    files += [_file("output", each) for each in writes.split()]
    values = [NewValue("parameter", name, text) for name, text in (parameters or {}).items()]
    values += [NewValue("label", name, text) for name, text in (labels or {}).items()]
    fields.setdefault("authority", "workload")
    return NewRun(id=id_, files=files, values=values, **fields)


def _file(direction: str, text: str, version: str | None = None) -> NewFile:
    path, _, content = text.partition("=")
    file = NewFile(direction, path, version=version)
    if content:
        file.digest, file.size = digest(content), len(content)
    if content == "EMPTY":
        file.size = 0
    return file


def commit(*runs: NewRun, changes: str = "") -> NewCommit:
    listed = []
    for each in changes.split():
        path, _, content = each.partition("=")
        listed.append(NewChange(path, "modified", digest(content) if content else None))
    return NewCommit("s", "dotscience.run.v1", "m", "a", runs=list(runs), changes=listed)


def add(records: Records, *commits: NewCommit) -> list[str]:
    head = records.head()
    made = records.commit(commits, expected_head=head.id if head else None)
    return [each.id for each in made]


def short(graph: Graph) -> set[str]:
    """Return the nodes as people would say them: ``train``, ``a.csv``."""
    return {node.run.id if node.run else node.file.path for node in graph.nodes}  # type: ignore[union-attr]


def arrows(graph: Graph) -> set[str]:
    """Return the arrows: ``a.csv > train``, ``a.csv = b.csv`` for identical ones."""
    names = {
        node.id: node.run.id if node.run else node.file.path  # type: ignore[union-attr]
        for node in graph.nodes
    }
    signs = {"read": ">", "wrote": ">", "same": "="}
    return {f"{names[e.source]} {signs[e.kind]} {names[e.target]}" for e in graph.edges}
