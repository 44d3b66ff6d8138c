# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress

from dotscience_jupyter import provenance as room
from dotscience_jupyter.datasets import Attachments, DatasetError
from dotscience_jupyter.provenance import comparing, exports
from dotscience_jupyter.records import RecordsError, Workspace
from dotscience_jupyter.records.datasetneighbours import InDataset, in_dataset
from dotscience_jupyter.records.paths import from_text
from dotscience_jupyter.snapshots import Kind, SnapshotError

from . import models, provenanceacross
from .bodies import typed
from .core import Core
from .errors import ApiError

FORMATS = {
    "prov": ("application/json", "json"),
    "openlineage": ("application/json", "json"),
    "dot": ("text/vnd.graphviz", "dot"),
}
"""Formats of an export: media type and how a file's name ends."""

_EXPORTED = 20_000  # nodes
_MOST_NOTEBOOK = 64 * 1024 * 1024  # bytes of a notebook whose sources are told apart
_DIRECTIONS: dict[str, room.Direction] = {"": "both", "up": "up", "down": "down", "both": "both"}


class Provenance:
    """The graph of runs and file versions.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def graph(
        self,
        start: str = "",
        direction: str = "",
        depth: int = 0,
        limit: int = room.LIMIT,
        others: Sequence[Workspace] | None = None,
    ) -> models.Graph:
        """Return a part of the graph; see the route's parameters, and :meth:`across`."""
        if others is not None:
            return self.told(self.across(others, start, direction, depth, limit))
        return _graph(self.find(start, direction, depth, limit))

    def told(self, across: provenanceacross.Across) -> models.Graph:
        """Return a graph over several workspaces as the API tells it."""
        return _graph(across.graph, across.others)

    def across(
        self,
        others: Sequence[Workspace],
        start: str,
        direction: str,
        depth: int = 0,
        limit: int = _EXPORTED,
    ) -> provenanceacross.Across:
        """Return a part of the graph, followed into other workspaces.

        Raises
        ------
        ApiError
            400 ``invalid_request`` without a start; and as :meth:`find`.
        """
        way = _direction(direction)
        if not start:
            raise ApiError(
                400,
                "invalid_request",
                "Other workspaces are only looked into from a file, a run or a model. Name one.",
            )
        with self._core.errors():
            return provenanceacross.find(
                self._core, others, self._meant(start), way, depth, max(1, limit), self._exists
            )

    def find(
        self,
        start: str,
        direction: str,
        depth: int = 0,
        limit: int = _EXPORTED,
        count: bool = True,
    ) -> room.Graph:
        """Return a part of the graph as the room knows it; ``count`` what is hidden.

        Raises
        ------
        ApiError
            404 ``not_found`` or 400 ``ambiguous`` if the start is not one thing, 400
            ``invalid_request`` if the direction is none.
        """
        way = _direction(direction)
        with self._core.errors():
            meant = self._meant(start)
            return room.provenance(
                self._core.records, meant, way, depth, max(1, limit), self._exists, count
            )

    def has(self, start: str) -> bool:
        """Return whether a start means anything, be it several things."""
        try:
            with self._core.errors():
                return bool(room.resolve(self._core.records, self._meant(start), self._exists))
        except ApiError as error:
            if error.code in ("not_found", "invalid_request"):
                return False
            if error.code == "ambiguous":
                return True
            raise

    def export(
        self,
        start: str = "",
        direction: str = "",
        format: str = "prov",  # noqa: A002 - the API's own word
        depth: int = 0,
        others: Sequence[Workspace] | None = None,
    ) -> tuple[str, str]:
        """Return a part of the graph in a format of others, and its media type.

        Raises
        ------
        ApiError
            400 ``invalid_request`` if there is no such format; and as :meth:`find` or
            :meth:`across`.
        """
        if format not in FORMATS:
            raise ApiError(
                400,
                "invalid_request",
                f"{format[:40]!r} is no format of exports. Choose {', '.join(FORMATS)}.",
            )
        if others is None:
            found = self.find(start, direction, depth, count=False)
        else:
            found = self.across(others, start, direction, depth).graph
        return self.written(found, format), FORMATS[format][0]

    def written(self, found: room.Graph, format: str) -> str:  # noqa: A002 - the API's own word
        """Return a graph as the text of one of :data:`FORMATS`."""
        if format == "dot":
            return exports.dot(found)
        write = exports.prov if format == "prov" else exports.openlineage
        document = write(found, self._core.workspace.id)
        return json.dumps(document, indent=2, allow_nan=False) + "\n"

    def compare(self, a: str, b: str) -> models.LineageComparison:
        """Return what changed between the lineages of two things."""
        with self._core.errors():
            ends = self._meant(a), self._meant(b)
            found = comparing.compare(self._core.records, *ends, self._exists, self._program)
        return models.LineageComparison(
            a=found.a[0] if found.a else a,
            b=found.b[0] if found.b else b,
            files=[_change(change) for change in found.files],
            parameters=[_value(change) for change in found.parameters],
            programs=[_change(change) for change in found.programs],
            environments=[_value(change) for change in found.environments],
            only_a=[_node(node) for node in found.only_a],
            only_b=[_node(node) for node in found.only_b],
            truncated=found.truncated,
        )

    def _meant(self, start: str) -> str:
        """Return a start; a path below an attached dataset as the dataset's file that it is."""
        kind, colon, path = start.partition(":")
        if colon and kind == "file":
            with suppress(DatasetError):  # a file that cannot be read is told of by what needs it
                for attached in Attachments(self._core.workspace.root).all():
                    inner = path.removeprefix(f"{attached.path}/")
                    if inner != path:
                        return f"file:{InDataset(attached.name, inner)}"
        return start

    def _exists(self, path: str) -> bool:
        """Return whether the newest commit holds a file; the first one lists none of its own."""
        with suppress(RecordsError, SnapshotError, ValueError):
            head = self._core.records.head()
            if head is not None and path and not path.startswith("/"):
                entry = self._core.engine.entry(head.snapshot, from_text(path))
                return entry.kind is not Kind.FOLDER
        return False

    def _program(self, commit: str, path: str) -> str | None:
        """Return a digest of a program's sources; what a notebook put out is none of them."""
        with suppress(RecordsError, SnapshotError, ValueError):
            snapshot = self._core.records.get_commit(commit).snapshot
            entry = self._core.engine.entry(snapshot, from_text(path))
            if not path.endswith(".ipynb") or entry.size > _MOST_NOTEBOOK:
                return entry.digest or None
            with self._core.engine.open(snapshot, entry.path) as file:
                return _sources(file.read()) or entry.digest or None
        return None


def _direction(name: str) -> room.Direction:
    way = _DIRECTIONS.get(name)
    if way is None:
        raise ApiError(
            400,
            "invalid_request",
            f"{name[:40]!r} is no direction. Choose up, down or both.",
        )
    return way


def _sources(data: bytes) -> str | None:
    """Return a digest of the sources of a notebook's cells, or None if it is not one."""
    try:
        cells = json.loads(data)["cells"]
        sources = [
            [cell["cell_type"], "".join(cell["source"])]
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _graph(found: room.Graph, others: Iterable[provenanceacross.Other] = ()) -> models.Graph:
    return models.Graph(
        start=found.start,
        nodes=[_node(node) for node in found.nodes],
        edges=[
            models.GraphEdge(
                source=edge.source, target=edge.target, kind=edge.kind, authority=edge.authority
            )
            for edge in found.edges
        ],
        truncated=found.truncated,
        workspaces=[
            models.GraphWorkspace(
                id=other.workspace.id,
                name=other.name,
                path=other.path,
                problem=other.problem or None,
            )
            for other in others
        ],
    )


def _node(node: room.Node) -> models.GraphNode:
    run, file = node.run, node.file
    place = None if file is None else in_dataset(file.path)
    return models.GraphNode(
        id=node.id,
        kind="file" if run is None else "run",
        label=node.label,
        order=node.order,
        workspace=node.workspace or None,
        run=None if run is None else run.id,
        status=None if run is None else "failed" if run.status == "failed" else "succeeded",
        authority=None if run is None else run.authority,
        workload_file=None if run is None else run.workload_file,
        author=None if run is None else run.author,
        # a dataset's commits are none of the workspace
        commit=node.commit if place is None else None,
        dataset=None if place is None else place.dataset,
        created=node.created,
        path=None if file is None else file.path,
        digest=node.digest,
        size=node.size,
        models=node.models,
        source=node.source,
        hidden_up=node.hidden_up,
        hidden_down=node.hidden_down,
        depth=node.depth,
    )


def _change(change: comparing.FileChange) -> models.LineageChange:
    return models.LineageChange(
        path=change.path,
        a=change.a,
        b=change.b,
        a_digest=change.a_digest,
        b_digest=change.b_digest,
    )


def _value(change: comparing.ValueChange) -> models.ValueChange:
    return models.ValueChange(
        run_file=change.program,
        name=change.name,
        a=None if change.a is None else typed(*change.a),
        b=None if change.b is None else typed(*change.b),
    )
