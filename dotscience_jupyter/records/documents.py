# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A commit as one line of text, for another store: everything it is, and proof that it is that.

The line is canonical JSON, made of the very documents whose digests make up the commit's id (see
docs/records.md), so whoever takes it computes the id again from what it read. What is packed goes
along as it is stored. A seal over the whole line finds what was damaged on the way where no
digest would tell, such as a spare bit of the packing.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .metadata import canonical, change_list, commit_document, log_list, run_document
from .rows import clean_json, commit_row, parent_rows
from .stored import StoredCommit, StoredRun

FORMAT = 1

_ANY_DEPTH = -(10**6)


class Refused(Exception):  # noqa: N818 - a reason, which never leaves this package
    """Why a line cannot be taken, as the end of a sentence that says which line it is."""


@dataclass(slots=True)
class Told:
    """What a line tells of a commit."""

    id: str
    document: dict[str, Any]

    @classmethod
    def of(cls, document: dict[str, Any]) -> Told:
        """Return what a document tells that was proved before."""
        return cls(document["id"], document)


def write(
    commit: StoredCommit, environments: Mapping[str, Any], packed: Mapping[str, bytes]
) -> bytes:
    """Return the line of a commit.

    Parameters
    ----------
    commit : StoredCommit
        Its rows.
    environments : mapping
        The environments that go along, by id.
    packed : mapping
        The packed points and logs of the commit, by the digest of what they hold.
    """
    row = commit.row
    parents = [each["parent_id"] for each in sorted(commit.parents, key=lambda p: p["position"])]
    document = {
        "changes": change_list(commit.changes),
        "commit": commit_document(row["snapshot"], parents, row["details"]),
        "environments": dict(environments),
        "format": FORMAT,
        "id": row["id"],
        "logs": log_list(commit.logs),
        "packed": {key: b64encode(data).decode() for key, data in packed.items()},
        "runs": [
            run_document(run.row, run.values, run.files, run.series, run.datasets)
            for run in commit.runs
        ],
    }
    return _sealed(canonical(document)) + b"\n"


def read(line: bytes) -> Told:
    """Return what a line tells; nothing but its seal is proved yet.

    Raises
    ------
    Refused
        If it is not what another store has written.
    """
    try:
        document = json.loads(line)
        if not isinstance(document, dict):
            raise Refused("is not what a commit looks like")
        seal = document.pop("seal", None)
        if document.get("format") != FORMAT:
            raise Refused(
                "was written by another version of dotscience-jupyter; upgrade the older of the two"
            )
        body = canonical(document)
        if _sealed(body) != line.removesuffix(b"\n") or not isinstance(seal, str):
            raise Refused("was changed or damaged on the way")
    except (ValueError, RecursionError):
        raise Refused("is incomplete or damaged") from None
    # a lone surrogate has no canonical form
    if b"\\u0000" in body and clean_json(document, _ANY_DEPTH) != document:
        raise Refused("holds text that cannot be recorded")
    if not isinstance(document.get("id"), str):
        raise Refused("has no id")
    return Told(document["id"], document)


def unfold(told: Told) -> StoredCommit:
    """Return the rows of a commit whose line was proved.

    What depends on the store it is written to is left out: sequences, and the keys of its rows.
    """
    document = told.document
    commit = document["commit"]
    stored = StoredCommit(commit_row(told.id, commit["snapshot"], commit["metadata"]))
    stored.parents = parent_rows(commit["parents"])
    stored.changes = [
        {"path": path, "change": change, "digest": found}
        for path, change, found in document["changes"]
    ]
    packed = {key: b64decode(text) for key, text in document["packed"].items()}
    stored.logs = [
        {"name": name, "size": size, "digest": found, "data": packed[found]}
        for name, size, found in document["logs"]
    ]
    stored.runs = [_run(each, packed) for each in document["runs"]]
    return stored


def _run(document: dict[str, Any], packed: Mapping[str, bytes]) -> StoredRun:
    row = dict(document["run"])
    row["environment_id"] = row.pop("environment")
    row["started"], row["ended"] = _time(row["started"]), _time(row["ended"])
    run = StoredRun(row)
    run.values = [
        {"kind": kind, "name": name, "text": text, "type": type_, "number": _number(number)}
        for kind, name, text, type_, number in document["values"]
    ]
    for direction, path, version, found, size, *authority in document["files"]:
        run.files.append(
            {
                "direction": direction,
                "path": path,
                "version": version,
                "digest": found,
                "size": size,
                "authority": authority[0] if authority else "workload",
            }
        )
    for direction, dataset, path, version, found, size, said in document.get("datasets", ()):
        run.datasets.append(
            {
                "direction": direction,
                "dataset": dataset,
                "path": path,
                "version": version,
                "digest": found,
                "size": size,
                "authority": said,
            }
        )
    run.series = [
        {"name": name, "count": count, "digest": found, "data": packed[found]}
        for name, count, found in document["series"]
    ]
    return run


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _number(number: float | str | None) -> float | None:
    return None if number is None else float(number)


def _sealed(body: bytes) -> bytes:
    """Return the canonical form of a document with its seal, the last one of its keys."""
    return b'%s,"seal":"%s"}' % (body[:-1], hashlib.sha256(body).hexdigest().encode())
