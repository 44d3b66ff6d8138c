# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The flat metadata of a commit (run metadata format v1), its digests, and the id over all of it.

Everything here is a function of rows as the tables hold them, so that what is written and what
``verify`` reads later are hashed by the same code. ``docs/records.md`` describes the formats.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .errors import RecordsError
from .new import DatasetVersion, NewCommit
from .rows import Row, clean

_KINDS = {"label": "label", "metric": "summary", "parameter": "parameters"}
_NOT_OURS = re.compile(r"^[A-Z]|^$")
_DATE = "%Y%m%dT%H%M%S.%f"


def canonical(document: object) -> bytes:
    """Return the one JSON text of a document: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def digest(document: object) -> str:
    """Return the SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(canonical(document)).hexdigest()


def commit_id(snapshot: str, parents: Sequence[str], metadata: Mapping[str, str]) -> str:
    """Return a commit's id: the hash of all that it is."""
    return digest(commit_document(snapshot, parents, metadata))


def commit_document(
    snapshot: str, parents: Sequence[str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Return all that a commit is, as its id is made of."""
    return {
        "format": 1,
        "snapshot": snapshot,
        "parents": list(parents),
        "metadata": dict(metadata),
    }


def file_version(path: str, version: str | None) -> str:
    """Return ``FILE@COMMIT``; read it by splitting at the last ``@``."""
    return f"{path}@{version or ''}"


def run_metadata(
    run: Row, values: Iterable[Row], files: Iterable[Row], datasets: Iterable[Row] = ()
) -> dict[str, str]:
    """Return the keys of one run, without their prefix ``run.<ID>.``."""
    files = sorted(files, key=lambda row: str(row["path"]))
    inputs = [file_version(f["path"], f["version"]) for f in files if f["direction"] == "input"]
    outputs = [f["path"] for f in files if f["direction"] == "output"]
    flat = {
        "authority": run["authority"],
        "description": run["description"],
        "input-files": canonical(inputs).decode(),
        "output-files": canonical(outputs).decode(),
    }
    for key, column in (("workload-file", "workload_file"), ("error", "error")):
        if run[column] is not None:
            flat[key] = run[column]
    for key, column in (("start", "started"), ("end", "ended")):
        if run[column] is not None:
            flat[key] = _date(run[column])
    for value in values:
        flat[f"{_KINDS[value['kind']]}.{value['name']}"] = value["text"]
    named: dict[str, list[str]] = {}
    for file in sorted(datasets, key=lambda row: str(row["path"])):
        read = file["direction"] == "input"
        text = file_version(file["path"], file["version"]) if read else file["path"]
        named.setdefault(f"dataset-{file['direction']}-files.{file['dataset']}", []).append(text)
    return flat | {key: canonical(texts).decode() for key, texts in named.items()}


def dataset_versions(metadata: Mapping[str, str]) -> list[DatasetVersion]:
    """Return the datasets that a commit's metadata names, by direction and name.

    What is not ``ID@COMMIT`` is passed over.
    """
    found = []
    for key, text in sorted(metadata.items()):
        direction, dash, rest = key.partition("-dataset.")
        id_, at, version = text.rpartition("@")
        if dash and at and rest and id_ and direction in ("input", "output"):
            found.append(DatasetVersion(direction, rest, id_, version))
    return found


def run_digest(
    run: Row,
    values: Iterable[Row],
    files: Iterable[Row],
    series: Iterable[Row],
    datasets: Iterable[Row] = (),
) -> str:
    """Return the digest over every column of a run, for its key ``details-digest``."""
    return digest(run_document(run, values, files, series, datasets))


def run_document(
    run: Row,
    values: Iterable[Row],
    files: Iterable[Row],
    series: Iterable[Row],
    datasets: Iterable[Row] = (),
) -> dict[str, Any]:
    """Return every column of a run, as its digest is made of."""
    of_datasets = sorted(map(_dataset_file, datasets), key=lambda f: f[:3])
    # runs without datasets, which are all that were made before there were any, keep their digests
    found: dict[str, Any] = {"datasets": of_datasets} if of_datasets else {}
    return found | {
        "format": 1,
        "run": {
            "authority": run["authority"],
            "author": run["author"],
            "description": run["description"],
            "details": run["details"],
            "ended": iso(run["ended"]),
            "environment": run["environment_id"],
            "error": run["error"],
            "id": run["id"],
            "seconds": run["seconds"],
            "started": iso(run["started"]),
            "status": run["status"],
            "workload_file": run["workload_file"],
            "workload_type": run["workload_type"],
        },
        "values": sorted(
            [v["kind"], v["name"], v["text"], v["type"], _number(v["number"])] for v in values
        ),
        # absent ones sort as text does, and direction and path already tell two files apart
        "files": sorted(
            map(_file, files),
            key=lambda f: (f[0], f[1]),
        ),
        "series": sorted([s["name"], s["count"], s["digest"]] for s in series),
    }


def _file(file: Row) -> list[object]:
    found = [file["direction"], file["path"], file["version"], file["digest"], file["size"]]
    # commits that were made before files had an authority of their own keep their digests
    return found if file["authority"] == "workload" else [*found, file["authority"]]


def _dataset_file(file: Row) -> list[Any]:
    columns = ("direction", "dataset", "path", "version", "digest", "size", "authority")
    return [file[column] for column in columns]


def changes_digest(changes: Iterable[Row]) -> str:
    """Return the digest over the files that a commit changed."""
    return digest(change_list(changes))


def change_list(changes: Iterable[Row]) -> list[list[Any]]:
    """Return the files that a commit changed, as their digest is made of."""
    return sorted(([c["path"], c["change"], c["digest"]] for c in changes), key=lambda c: c[0])


def logs_digest(logs: Iterable[Row]) -> str:
    """Return the digest over a commit's logs (their names, sizes and content digests)."""
    return digest(log_list(logs))


def log_list(logs: Iterable[Row]) -> list[list[Any]]:
    """Return a commit's logs without their content, as their digest is made of."""
    return sorted([log["name"], log["size"], log["digest"]] for log in logs)


def commit_metadata(
    new: NewCommit,
    timestamp: int,
    runs: Sequence[tuple[Row, Sequence[Row], Sequence[Row], Sequence[Row], Sequence[Row]]],
    changes: Sequence[Row],
    logs: Sequence[Row],
) -> dict[str, str]:
    """Return the flat map of a commit.

    What describes the execution (``workload.*``, ``exec.*``, ``runner.*``, ``success``) follows
    from the runs unless ``new.metadata`` says it; the rest always follows from the fields.

    Parameters
    ----------
    new : NewCommit
        What is to be recorded.
    timestamp : int
        Nanoseconds since the epoch.
    runs : sequence
        For each run its row, and the rows of its values, files, series and datasets' files.
    changes, logs : sequence
        The rows of files changed and of logs.
    """
    flat = _execution(new, [rows[0] for rows in runs], logs)
    for key, value in new.metadata.items():
        if _NOT_OURS.match(key):
            raise RecordsError(
                f"{key!r} cannot be a key of a commit's metadata: "
                "keys do not start with an upper-case letter."
            )
        flat[clean(key)] = clean(value)
    error = next((rows[0]["error"] for rows in runs if rows[0]["error"]), "")
    flat |= {
        "type": clean(new.type),
        "author": clean(new.author),
        "message": clean(new.message) or error or "Dotscience runs",
        "timestamp": str(timestamp),
    }
    for dataset in new.datasets:
        key = f"{dataset.direction}-dataset.{dataset.name}"
        flat[clean(key)] = clean(f"{dataset.id}@{dataset.version}")
    if runs:
        flat["runs"] = canonical([rows[0]["id"] for rows in runs]).decode()
    for run, values, files, series, datasets in runs:
        prefix = f"run.{run['id']}."
        for key, text in run_metadata(run, values, files, datasets).items():
            flat[prefix + key] = text
        flat[prefix + "details-digest"] = run_digest(run, values, files, series, datasets)
    flat["changes-digest"] = changes_digest(changes)
    flat["logs-digest"] = logs_digest(logs)
    return flat


def _execution(new: NewCommit, runs: Sequence[Row], logs: Sequence[Row]) -> dict[str, str]:
    """Return what follows from the runs about the execution that they were part of."""
    flat = {"success": "false" if any(run["error"] is not None for run in runs) else "true"}
    if logs:
        flat["exec.logs"] = canonical(sorted(row["name"] for row in logs)).decode()
    # a correction tells of files, not of an execution
    executed = [run for run in runs if run["authority"] != "correction"]
    if not executed:
        return flat
    flat["workload.type"] = executed[0]["workload_type"]
    starts = [run["started"] for run in executed if run["started"] is not None]
    ends = [run["ended"] for run in executed if run["ended"] is not None]
    if starts:
        flat["exec.start"] = _date(min(starts))
    if ends:
        flat["exec.end"] = _date(max(ends))
    resources = [_mapping(run["details"].get("resources")) for run in executed]
    cpu = [r["cpu_seconds"] for r in resources if _is_number(r.get("cpu_seconds"))]
    ram = [r["peak_ram"] for r in resources if _is_number(r.get("peak_ram"))]
    if cpu:
        flat["exec.cpu-seconds"] = str(float(sum(cpu)))
    if ram:
        flat["exec.ram"] = str(int(max(ram)))
    published = [run for run in new.runs if run.authority != "correction"]
    flat |= _runner(published[0].environment or {})
    host = _mapping(executed[0]["details"].get("process")).get("host")
    if isinstance(host, str):
        flat["runner.name"] = host
    return {key: clean(value) for key, value in flat.items()}


def _runner(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the machine and image of an environment, under the names of the original."""
    flat = {}
    platform, cpu = _mapping(environment.get("platform")), _mapping(environment.get("cpu"))
    if isinstance(platform.get("system"), str):
        flat["runner.platform"] = platform["system"].lower()
    if isinstance(platform.get("text"), str):
        flat["runner.platform_version"] = platform["text"]
    if isinstance(cpu.get("model"), str) and isinstance(cpu.get("count"), int):
        flat["runner.cpu"] = canonical([clean(f"{cpu['count']}x {cpu['model']}")]).decode()
    gpu = environment.get("gpu")
    if isinstance(gpu, list):
        flat["runner.gpu"] = canonical([clean(str(name)) for name in gpu]).decode()
    if _is_number(environment.get("ram")):
        flat["runner.ram"] = str(int(environment["ram"]))
    image = _mapping(environment.get("image"))
    if isinstance(image.get("name"), str):
        flat["workload.image"] = image["name"]
        if isinstance(image.get("digest"), str):
            flat["workload.image.hash"] = f"{image['name'].partition('@')[0]}@{image['digest']}"
    return flat


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and not isinstance(value, bool)


def _number(value: float | None) -> float | str | None:
    # JSON has no infinities
    return value if value is None or math.isfinite(value) else str(value)


def _date(time: datetime) -> str:
    return time.astimezone(UTC).strftime(_DATE)


def iso(time: datetime | None) -> str | None:
    """Return a time as digests are made of it: UTC, with microseconds."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")
