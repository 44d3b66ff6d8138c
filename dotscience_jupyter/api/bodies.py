# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From what the rooms below know to the bodies of answers; no queries, no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots.engine import Change, Difference, Entry, Usage

from . import models
from .decimate import decimate

if TYPE_CHECKING:
    from dotscience_jupyter.committer import CommitterStatus
    from dotscience_jupyter.provenance import FileVersion, LineageGraph
    from dotscience_jupyter.records.reading import RunHead

LISTED_FILES = 200  # a status names at most so many changed or unclaimed files

MadeBy = Mapping[tuple[str, str], str]
"""Which run wrote a (path, commit); as from ``Records.writers_of``."""


def number(value: float) -> float | str:
    """Return a number, or its name when JSON cannot hold it."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def typed(text: str, kind: str) -> models.Scalar:
    """Return a recorded value with its type; the text itself where it does not fit its type.

    >>> typed("0.5", "float"), typed("3", "int"), typed("True", "bool"), typed("x", "int")
    (0.5, 3, True, 'x')
    """
    if kind == "none":
        return None
    if kind == "bool":
        return {"True": True, "False": False}.get(text, text)
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return number(float(text))
    except ValueError:
        pass  # a writer that says 'int' of what is none: its text is all there is
    return text


def values(run: rows.Run | RunHead, kind: str) -> dict[str, models.Scalar]:
    """Return the parameters or metrics of a run."""
    return {row.name: typed(row.text, row.type) for row in run.values if row.kind == kind}


def labels(run: rows.Run | RunHead) -> dict[str, str]:
    """Return the labels of a run; always text."""
    return {row.name: row.text for row in run.values if row.kind == "label"}


def commit(
    row: rows.Commit, runs: Iterable[str] | None = None, files: int | None = None
) -> models.Commit:
    """Return a commit as a row of a list; ``files`` is how many it changed."""
    return models.Commit(**_commit(row, runs), files=files if row.parents else None)


def commit_detail(row: rows.Commit, content_id: str = "") -> models.CommitDetail:
    """Return a commit with its flat metadata."""
    return models.CommitDetail(
        **_commit(row, None), metadata=dict(row.details), content_id=content_id
    )


def _commit(row: rows.Commit, runs: Iterable[str] | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "sequence": row.sequence,
        "parents": [parent.parent_id for parent in row.parents],
        "snapshot": row.snapshot,
        "type": row.type,
        "message": row.message,
        "author": row.author,
        "created": row.created,
        "runs": [run.id for run in row.runs] if runs is None else list(runs),
    }


def run_summary(row: rows.Run | RunHead) -> models.RunSummary:
    """Return a run as a row of a table."""
    return models.RunSummary(**_run(row))


def _run(row: rows.Run | RunHead) -> dict[str, Any]:
    seconds = row.seconds
    return {
        "id": row.id,
        "sequence": row.sequence,
        "commit": row.commit_id,
        "description": row.description,
        "authority": row.authority,
        "status": row.status,
        "error": row.error,
        "author": row.author,
        "workload_type": row.workload_type,
        "workload_file": row.workload_file,
        "started": row.started,
        "ended": row.ended,
        "seconds": seconds if seconds is None or math.isfinite(seconds) else None,
        "created": row.commit.created,
        "parameters": values(row, "parameter"),
        "metrics": values(row, "metric"),
        "labels": labels(row),
    }


def run_detail(
    row: rows.Run,
    logs: Iterable[rows.Log],
    made_by: MadeBy,
    datasets: Iterable[models.RunDataset] = (),
) -> models.RunDetail:
    """Return everything known of a run."""
    details = row.details or {}
    environment = None if row.environment is None else finite(row.environment.document)
    return models.RunDetail(
        **_run(row),
        inputs=run_files(row, "input", made_by),
        outputs=run_files(row, "output", made_by),
        datasets=list(datasets),
        series=[models.SeriesInfo(name=item.name, count=item.count) for item in row.series],
        environment=cast("dict[str, object] | None", environment),
        traceback=_text(details.get("traceback")),
        cell=cell(details),
        seeds=_scalars(details.get("seeds")),
        resources=_scalars(details.get("resources")),
        logs=[models.LogInfo(name=log.name, size=log.size) for log in logs],
        models=sorted(
            name.removeprefix(rows.MODEL_LABEL)
            for name in labels(row)
            if name.startswith(rows.MODEL_LABEL)
        ),
    )


def run_files(row: rows.Run, direction: str, made_by: MadeBy) -> list[models.RunFile]:
    """Return what a run read or wrote, by path."""
    return [
        models.RunFile(
            path=item.path,
            version=item.version,
            digest=item.digest,
            size=item.size,
            made_by=made_by.get((item.path, item.version or "")) if direction == "input" else None,
            authority=row.authority if item.authority == "workload" else item.authority,
        )
        for item in row.files
        if item.direction == direction
    ]


def lineage(graph: LineageGraph) -> models.Lineage:
    """Return all that a run was made from."""
    return models.Lineage(
        run=graph.run,
        nodes=[
            models.LineageNode(
                run=run_summary(node.run),
                inputs=[_version(item) for item in node.inputs],
                outputs=run_files(node.run, "output", {}),
            )
            for node in graph.nodes
        ],
        sources=[_version(item) for item in graph.sources],
    )


def _version(item: FileVersion) -> models.RunFile:
    return models.RunFile(
        path=item.path,
        version=item.version,
        digest=item.digest,
        size=item.size,
        made_by=item.made_by,
    )


def cell(details: Mapping[str, Any]) -> models.Cell | None:
    """Return the cell that published, from what the run's record told."""
    found = details.get("cell")
    if not isinstance(found, Mapping):
        return None
    known = {
        "id": _text(found.get("id")),
        "index": _whole(found.get("index")),
        "execution_count": _whole(found.get("execution_count")),
    }
    if all(value is None for value in known.values()):
        return None
    return models.Cell(**known)  # type: ignore[arg-type]  # each value was checked just above


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _scalars(value: object) -> dict[str, models.Scalar]:
    if not isinstance(value, Mapping):
        return {}
    return {
        str(name): number(item) if isinstance(item, float) else item
        for name, item in value.items()
        if item is None or isinstance(item, bool | int | float | str)
    }


def finite(value: object) -> object:
    """Return a JSON document in which every number is one that JSON can hold."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def series(
    name: str,
    points: tuple[Sequence[float], Sequence[float], Sequence[float]],
    most: int,
) -> models.SeriesPoints:
    """Return a metric's points, at most ``most`` of them; extremes are kept.

    A value that is not finite is None, so that a chart shows a gap; a step or time that is not
    takes the point's position.
    """
    steps, heights, times = points
    chosen = decimate(heights, most)
    return models.SeriesPoints(
        name=name,
        count=len(heights),
        steps=[steps[i] if math.isfinite(steps[i]) else float(i) for i in chosen],
        values=[heights[i] if math.isfinite(heights[i]) else None for i in chosen],
        times=[times[i] if math.isfinite(times[i]) else float(i) for i in chosen],
    )


def file_entry(entry: Entry) -> models.FileEntry:
    """Return a file, folder or link of a commit."""
    path = to_text(entry.path)
    return models.FileEntry(
        path=path,
        name=path.rsplit("/", 1)[-1],
        kind=entry.kind.value,
        size=entry.size,
        mode=entry.mode,
        modified=instant(entry.mtime_ns),
        digest=entry.digest,
        target=to_text(entry.target),
    )


def instant(nanoseconds: int) -> datetime:
    """Return a file's time; clamped to what a calendar can hold, as files may say anything."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000 / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        edge = datetime.max if nanoseconds > 0 else datetime.min
        return edge.replace(tzinfo=UTC)


def file_difference(item: Difference) -> models.FileDifference:
    """Return a path that differs between two commits."""
    known = item.new or item.old
    if known is None:
        raise ValueError(f"a difference without either side: {item.path!r}")
    return models.FileDifference(
        path=to_text(item.path),
        old_path=(
            to_text(item.old.path)
            if item.change is Change.RENAMED and item.old is not None
            else None
        ),
        change=item.change.value,
        kind=known.kind.value,
        old_size=None if item.old is None else item.old.size,
        new_size=None if item.new is None else item.new.size,
        old_digest=None if item.old is None else item.old.digest,
        new_digest=None if item.new is None else item.new.digest,
    )


def usage(found: Usage, engine: str, commits: Mapping[str, Sequence[str]]) -> models.Usage:
    """Return how much room is taken; ``commits`` has those of each snapshot."""
    return models.Usage(
        engine=engine,
        snapshots=found.snapshots,
        stored_bytes=found.stored_bytes,
        logical_bytes=found.logical_bytes,
        extra=found.extra,
        each=[
            models.SnapshotUsage(
                snapshot=each.id,
                commits=list(commits.get(each.id, ())),
                alone=each.alone,
                shared=each.shared,
                logical=each.logical,
            )
            for each in found.each
        ],
    )


def status(found: CommitterStatus, clean: Callable[[str], str]) -> models.Status:
    """Return the committer's state; ``clean`` takes OS paths out of messages."""
    changed = [
        models.ChangedFile(
            filename=to_text(change.path),
            file_status=change.change.value,
            size=change.size,
            old_filename=to_text(change.old_path) if change.old_path else None,
        )
        for change in found.changed[:LISTED_FILES]
    ]
    return models.Status(
        status=found.state,
        error_detail=[
            models.ErrorDetail(
                type=error.type,
                notebook=error.notebook,
                cell=error.cell,
                message=clean(error.message),
            )
            for error in found.errors
        ],
        changed_files=changed,
        more_changed_files=len(found.changed) - len(changed),
        unclaimed_files=found.unclaimed[:LISTED_FILES],
        more_unclaimed_files=max(0, len(found.unclaimed) - LISTED_FILES),
        notebooks={
            name: models.NotebookRuns(runs=count) for name, count in found.notebooks.items()
        },
        message=clean(found.message),
    )
