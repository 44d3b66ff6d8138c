# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking from a run to the runs that made its inputs, and so on to what no run made."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotscience_jupyter.records import models
from dotscience_jupyter.records.datasetneighbours import InDataset
from dotscience_jupyter.records.neighbours import Version
from dotscience_jupyter.records.store import Records

from .assembly import walk

_ANY = 2**31


@dataclass(frozen=True, slots=True)
class FileVersion:
    """An input as one run saw it, and where it came from.

    ``path`` is in text form; ``version`` is the commit that wrote it, None where that is not known;
    ``made_by`` is the run that did, or that wrote the same content under another name before;
    None where no run did or the walk could not tell.
    """

    path: str
    version: str | None
    digest: str | None
    size: int | None
    made_by: str | None


@dataclass(slots=True)
class LineageNode:
    """A run on the way, ``depth`` steps (at least) before the run that was asked for."""

    run: models.Run  # values, files, series, environment and commit loaded
    depth: int
    inputs: list[FileVersion]

    @property
    def outputs(self) -> list[models.RunFile]:
        """The files that the run wrote."""
        return [file for file in self.run.files if file.direction == "output"]


@dataclass(slots=True)
class LineageGraph:
    """All runs that a run depends on.

    ``nodes`` starts with the run itself and holds each run once, nearest first. ``sources`` are the
    inputs, each path and version once, that no run wrote: the raw data.
    """

    run: str
    nodes: list[LineageNode] = field(default_factory=list)
    sources: list[FileVersion] = field(default_factory=list)


def lineage(records: Records, run_id: str) -> LineageGraph:
    """Return all that a run was made from, transitively.

    A run depends on the runs that wrote its inputs, at the versions it read, or the same contents
    under other names. Versions are of earlier commits, so there are no cycles; should a damaged
    database hold one, each run is still visited once.

    Parameters
    ----------
    records : Records
        Where the runs are recorded.
    run_id : str
        A run's id or a unique prefix of it.

    Raises
    ------
    RecordsError
        If there is no such run.
    """
    start = records.get_run(run_id).id
    with records.neighbours() as near:
        found = walk(near, [start], "up", limit=_ANY, count=False)
    nodes = found.by_id()
    origins = {edge.target: edge.source for edge in found.edges if edge.kind == "same"}
    writers = {edge.target: edge.source for edge in found.edges if edge.kind == "wrote"}
    depths = {node.run.id: node.depth for node in found.nodes if node.run is not None}
    made_by: dict[Version, str | None] = {}
    for node in found.files():
        at, seen = node.id, {node.id}
        while at not in writers and origins.get(at, at) not in seen:
            at = origins[at]
            seen.add(at)
        writer = nodes[writers[at]].run if at in writers else None
        if node.file is not None:
            made_by[node.file] = None if writer is None else writer.id
    graph = LineageGraph(start)
    sources: dict[tuple[str, str | None], FileVersion] = {}
    runs = records.get_runs(depths).values()
    for run in sorted(runs, key=lambda run: (depths[run.id], -run.sequence)):
        step = LineageNode(run, depths[run.id], [])
        read: list[tuple[str, models.RunFile | models.RunDatasetFile]] = [
            (file.path, file) for file in run.files if file.direction == "input"
        ]
        read += [
            (str(InDataset(file.dataset, file.path)), file)
            for file in run.datasets
            if file.direction == "input"
        ]
        for path, file in read:
            key = Version.of(path, file.version, file.digest)
            writer_id = made_by.get(key)
            version = FileVersion(path, file.version, file.digest, file.size, writer_id)
            step.inputs.append(version)
            if writer_id is None:
                sources.setdefault((path, file.version), version)
        graph.nodes.append(step)
    graph.sources = sorted(sources.values(), key=lambda file: (file.path, file.version or ""))
    return graph


def writer_of(records: Records, path: str, version: str) -> models.Run | None:
    """Return the run that wrote a path (text form) in a commit, everything loaded, or None.

    Which run made this? A correction is not an answer: it tells of a change that no run explains.
    """
    id_ = records.writer_of(path, version)
    return None if id_ is None else records.get_runs([id_]).get(id_)
