# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What changed between the lineages of two things: files, programs, parameters, environments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dotscience_jupyter.records.neighbours import Neighbours, RunHead
from dotscience_jupyter.records.store import Records

from .assembly import walk
from .graph import Graph, Node
from .starts import Exists, resolve

COMPARED = 20_000
"""Nodes of a lineage that are compared at most."""

Program = Callable[[str, str], str | None]
"""What tells two versions of a program (commit, path) apart; None where it is not known."""

Value = tuple[str, str] | None
"""A recorded value's text and type."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that two lineages have in different versions, or only one has."""

    path: str
    a: str | None  # commit
    b: str | None
    a_digest: str | None = None
    b_digest: str | None = None


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A parameter, or something of an environment, that differs between runs of one program."""

    program: str | None
    name: str
    a: Value
    b: Value


@dataclass(slots=True)
class Comparison:
    """How two lineages differ; what is in both in the same version is left out."""

    a: list[str]
    b: list[str]
    files: list[FileChange] = field(default_factory=list)
    programs: list[FileChange] = field(default_factory=list)
    parameters: list[ValueChange] = field(default_factory=list)
    environments: list[ValueChange] = field(default_factory=list)
    only_a: list[Node] = field(default_factory=list)
    only_b: list[Node] = field(default_factory=list)
    truncated: bool = False


def compare(
    records: Records,
    a: str,
    b: str,
    exists: Exists = lambda path: False,
    program: Program = lambda commit, path: None,
) -> Comparison:
    """Return what changed between the lineages of two starts (see :func:`.starts.resolve`).

    Files are paired by path, the newest version in each lineage; versions with the same content are
    no change. Runs that only one lineage has are paired with those of the other by program and by
    the files that they wrote, newest first.

    Raises
    ------
    RecordsError
        As :func:`.answers.provenance`.
    """
    first, second = resolve(records, a, exists), resolve(records, b, exists)
    with records.neighbours() as near:
        left = walk(near, first, "up", limit=COMPARED, count=False)
        right = walk(near, second, "up", limit=COMPARED, count=False)
        result = Comparison(left.start, right.start)
        result.truncated = left.truncated or right.truncated
        ours, theirs = left.by_id(), right.by_id()
        result.only_a = [node for node in left.nodes if node.id not in theirs]
        result.only_b = [node for node in right.nodes if node.id not in ours]
        result.files = _files(left.files(), right.files())
        pairs = _pairs(left, right)
        result.programs = _programs(pairs, program)
        result.parameters = _parameters(near, pairs)
        result.environments = _environments(near, pairs)
    return result


def _files(left: Iterable[Node], right: Iterable[Node]) -> list[FileChange]:
    sides: tuple[dict[str, Node], dict[str, Node]] = ({}, {})
    for side, nodes in zip(sides, (left, right), strict=True):
        for node in nodes:  # oldest first, so the newest stays
            assert node.file is not None
            side[node.file.path] = node
    changes = []
    for path in sorted(sides[0].keys() | sides[1].keys()):
        a, b = sides[0].get(path), sides[1].get(path)
        if a is not None and b is not None:
            same = a.digest == b.digest if a.digest and b.digest else a.id == b.id
            if same:
                continue
        changes.append(
            FileChange(
                path,
                None if a is None else a.commit,
                None if b is None else b.commit,
                None if a is None else a.digest,
                None if b is None else b.digest,
            )
        )
    return changes


def _pairs(left: Graph, right: Graph) -> list[tuple[RunHead, RunHead]]:
    """Return runs of one lineage with those of the other that did the same step."""
    both = left.by_id().keys() & right.by_id().keys()
    sides = []
    for graph in (left, right):
        wrote: dict[str, list[str]] = {}
        paths = {node.id: node.file.path for node in graph.nodes if node.file is not None}
        for edge in graph.edges:
            if edge.kind == "wrote":
                wrote.setdefault(edge.source, []).append(paths[edge.target])
        sides.append(
            [
                (node.run, tuple(sorted(wrote.get(node.id, []))))
                for node in reversed(graph.nodes)
                if node.run is not None and node.id not in both
            ]
        )
    pairs: list[tuple[RunHead, RunHead]] = []
    for exact in (True, False):
        left_over: dict[tuple[object, ...], list[tuple[RunHead, tuple[str, ...]]]] = {}
        for run, files in sides[1]:
            key = (run.workload_file, files) if exact else (run.workload_file,)
            left_over.setdefault(key, []).append((run, files))
        rest = []
        for run, files in sides[0]:
            found = left_over.get((run.workload_file, files) if exact else (run.workload_file,))
            if found:
                pairs.append((run, found.pop(0)[0]))
            else:
                rest.append((run, files))
        taken = {pair[1].id for pair in pairs}
        sides = [rest, [each for each in sides[1] if each[0].id not in taken]]
    pairs.sort(key=lambda pair: pair[0].sequence)
    return pairs


def _programs(pairs: Iterable[tuple[RunHead, RunHead]], program: Program) -> list[FileChange]:
    changes: dict[str, FileChange] = {}
    for a, b in pairs:
        path = a.workload_file
        if path is None or a.commit == b.commit:
            continue
        one, other = program(a.commit, path), program(b.commit, path)
        if one != other:
            changes[path] = FileChange(path, a.commit, b.commit, one, other)
    return [change for _, change in sorted(changes.items())]


def _parameters(near: Neighbours, pairs: list[tuple[RunHead, RunHead]]) -> list[ValueChange]:
    known = near.parameters(run for pair in pairs for run in pair)
    return [
        change
        for a, b in pairs
        for change in _differences(a.workload_file, known.get(a.id, {}), known.get(b.id, {}))
    ]


def _environments(near: Neighbours, pairs: list[tuple[RunHead, RunHead]]) -> list[ValueChange]:
    ids = {run.environment for pair in pairs for run in pair if run.environment is not None}
    known = {id_: _flat(document) for id_, document in near.environments(ids).items()}
    changes: dict[ValueChange, None] = {}
    for a, b in pairs:
        if a.environment != b.environment:
            sides = known.get(a.environment or "", {}), known.get(b.environment or "", {})
            changes.update(dict.fromkeys(_differences(a.workload_file, *sides)))
    return list(changes)


def _differences(
    program: str | None, a: Mapping[str, tuple[str, str]], b: Mapping[str, tuple[str, str]]
) -> list[ValueChange]:
    return [
        ValueChange(program, name, a.get(name), b.get(name))
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]


def _flat(value: Any, before: str = "") -> dict[str, tuple[str, str]]:
    """Return what an environment's document holds, by name, such as ``python.version``."""
    if isinstance(value, Mapping):
        found: dict[str, tuple[str, str]] = {}
        for name, item in value.items():
            # packages are what people look for: they need no words before them
            inner = "" if not before and name == "packages" else f"{before}{name}."
            found |= _flat(item, inner)
        return found
    kinds = {bool: "bool", int: "int", float: "float", type(None): "none"}
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value)
    return {before.removesuffix("."): (str(value), kinds.get(type(value), "str"))}
