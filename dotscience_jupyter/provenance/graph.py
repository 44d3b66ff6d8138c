# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking from a run to the runs that made its inputs, and so on to what no run made."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotscience_jupyter.records import models
from dotscience_jupyter.records.store import Records


@dataclass(frozen=True, slots=True)
class FileVersion:
    """An input as one run saw it, and where it came from.

    ``path`` is in text form; ``version`` is the commit that wrote it, None where that is not known;
    ``made_by`` is the run that did, None where no run did or the walk could not tell.
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

    A run depends on the runs that wrote its inputs, at the versions it read. Versions are of
    earlier commits, so there are no cycles; should a damaged database hold one, each run is still
    visited once. The number of queries grows with the depth of the graph, not with its size.

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
    start = records.get_run(run_id)
    graph = LineageGraph(start.id)
    sources: dict[tuple[str, str | None], FileVersion] = {}
    level, seen, depth = [start], {start.id}, 0
    while level:
        wanted = {
            (file.path, file.version)
            for run in level
            for file in run.files
            if file.direction == "input" and file.version is not None
        }
        writers = records.writers_of(wanted)
        following: dict[str, None] = {}
        for run in level:
            node = LineageNode(run, depth, [])
            for file in run.files:
                if file.direction != "input":
                    continue
                writer = writers.get((file.path, file.version)) if file.version else None
                version = FileVersion(file.path, file.version, file.digest, file.size, writer)
                node.inputs.append(version)
                if writer is None:
                    sources.setdefault((file.path, file.version), version)
                elif writer not in seen:
                    seen.add(writer)
                    following[writer] = None
            graph.nodes.append(node)
        found = records.get_runs(following)
        level = sorted(found.values(), key=lambda run: run.sequence, reverse=True)
        depth += 1
    graph.sources = sorted(sources.values(), key=lambda file: (file.path, file.version or ""))
    return graph


def writer_of(records: Records, path: str, version: str) -> models.Run | None:
    """Return the run that wrote a path (text form) in a commit, everything loaded, or None.

    Which run made this? A correction is not an answer: it tells of a change that no run explains.
    """
    id_ = records.writer_of(path, version)
    return None if id_ is None else records.get_runs([id_]).get(id_)
