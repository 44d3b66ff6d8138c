# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Proving that a line from another store is the commit that its id stands for.

What passes is written as it is, and verifies and travels on with the same id. So everything must
have the one form in which our own rows are told, down to the order of lists.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from .documents import Refused, Told
from .metadata import canonical, digest, iso
from .rows import (
    AUTHORITIES,
    CHANGES,
    DATASET_LENGTH,
    DIRECTIONS,
    KINDS,
    NAME_LENGTH,
    RUN_ID,
    TYPES,
    clean_json,
    created,
)
from .stored import unpacks

_DOCUMENT = {"changes", "commit", "environments", "format", "id", "logs", "packed", "runs"}
_COMMIT = {"format", "metadata", "parents", "snapshot"}
_RUN = {
    "authority",
    "author",
    "description",
    "details",
    "ended",
    "environment",
    "error",
    "id",
    "seconds",
    "started",
    "status",
    "workload_file",
    "workload_type",
}
_RUN_DOCUMENT = {"files", "format", "run", "series", "values"}
_STATUS = {"succeeded", "failed"}
_NAME = 255
_ID = 64
_NUMBER = re.compile(r"[0-9]{1,20}")
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


def prove(told: Told) -> None:
    """Check everything that a line tells.

    Raises
    ------
    Refused
        If it is not the commit of that id, or could not be written down here.
    """
    try:
        _document(told.id, told.document)
    except _MALFORMED:
        raise Refused("is not what a commit looks like") from None


def _document(id_: str, document: Mapping[str, Any]) -> None:
    _need(document.keys() == _DOCUMENT)
    commit = document["commit"]
    _need(commit.keys() == _COMMIT)
    _whole(commit["format"], 1, least=1)
    if digest(commit) != id_:
        raise Refused(f"is not the commit {id_[:_ID]}: its content has another id")
    _text(commit["snapshot"], _NAME, least=1)
    parents, metadata = commit["parents"], commit["metadata"]
    _need(isinstance(parents, list) and all(type(parent) is str for parent in parents))
    _need(len(set(parents)) == len(parents))
    _need(all(type(text) is str for text in metadata.values()))
    _text(metadata["type"], _ID, least=1)
    _text(metadata["author"])
    _text(metadata["message"])
    _need(_NUMBER.fullmatch(metadata["timestamp"]) is not None)
    created(metadata["timestamp"])
    _changes(document["changes"], metadata)
    _logs(document["logs"], metadata)
    _need(isinstance(document["runs"], list))
    ids = [run["run"]["id"] for run in document["runs"]]
    if canonical(ids).decode() != metadata.get("runs", "[]"):
        raise Refused("has other runs than its metadata says")
    for run in document["runs"]:
        _run(run)
        if digest(run) != metadata.get(f"run.{run['run']['id']}.details-digest"):
            raise Refused(f"tells of a run {run['run']['id']} that is not the one of its metadata")
    _environments(document)
    _packed(document)


def _changes(changes: Sequence[Any], metadata: Mapping[str, str]) -> None:
    for path, change, found in changes:
        _text(path)
        _text(found, _ID, none=True)
        _need(change in CHANGES)
    _in_order(changes, lambda row: row[0])
    if digest(changes) != metadata.get("changes-digest"):
        raise Refused("tells of other changes of files than its metadata")


def _logs(logs: Sequence[Any], metadata: Mapping[str, str]) -> None:
    for name, size, found in logs:
        _text(name, _NAME)
        _text(found, _ID)
        _whole(size, least=0)
    _in_order(logs, lambda row: row[0])
    if digest(logs) != metadata.get("logs-digest"):
        raise Refused("tells of other logs than its metadata")


def _run(document: Mapping[str, Any]) -> None:
    _need(document.keys() - {"datasets"} == _RUN_DOCUMENT)
    _whole(document["format"], 1, least=1)
    run = document["run"]
    _need(run.keys() == _RUN and RUN_ID.fullmatch(run["id"]) is not None)
    _need(run["authority"] in AUTHORITIES and run["status"] in _STATUS)
    _text(run["author"])
    _text(run["description"])
    _text(run["error"], none=True)
    _text(run["environment"], _ID, none=True)
    _text(run["workload_file"], none=True)
    _text(run["workload_type"], 16)
    _need(run["seconds"] is None or type(run["seconds"]) is float)
    _need(isinstance(run["details"], dict) and clean_json(run["details"]) == run["details"])
    for time in (run["started"], run["ended"]):
        _need(time is None or iso(datetime.fromisoformat(time).astimezone(UTC)) == time)
    for kind, name, text, type_, number in document["values"]:
        _need(kind in KINDS and type_ in TYPES)
        _text(name, NAME_LENGTH)
        _text(text)
        # negative zero is none that every database gives back
        plain = type(number) is float and str(number) != "-0.0"
        _need(number is None or plain or number in ("inf", "-inf"))
    _in_order(document["values"], lambda row: (row[0], row[1]))
    for direction, path, version, found, size, *authority in document["files"]:
        _need(direction in DIRECTIONS)
        _text(path)
        _text(version, _ID, none=True)
        _text(found, _ID, none=True)
        _whole(size, none=True)
        _need(not authority or (authority[0] in AUTHORITIES - {"workload"} and len(authority) == 1))
    _in_order(document["files"], lambda row: (row[0], row[1]))
    if "datasets" in document:
        _dataset_files(document["datasets"])
    for name, count, found in document["series"]:
        _text(name, NAME_LENGTH)
        _text(found, _ID)
        _whole(count, 2**31 - 1, least=0)
    _in_order(document["series"], lambda row: row[0])


def _dataset_files(files: Sequence[Any]) -> None:
    _need(bool(files))
    for direction, dataset, path, version, found, size, authority in files:
        _need(direction in DIRECTIONS and authority in AUTHORITIES)
        _text(dataset, DATASET_LENGTH)
        _text(path)
        _text(version, _ID, none=True)
        _text(found, _ID, none=True)
        _whole(size, none=True)
    _in_order(files, lambda row: tuple(row[:3]))


def _environments(document: Mapping[str, Any]) -> None:
    used = {run["run"]["environment"] for run in document["runs"]}
    for id_, environment in document["environments"].items():
        _need(id_ in used and isinstance(environment, dict))
        _need(clean_json(environment) == environment)
        if digest(environment) != id_:
            raise Refused("tells of an environment that is not the one that its run names")


def _packed(document: Mapping[str, Any]) -> None:
    wanted = [(size, found) for _, size, found in document["logs"]]
    for run in document["runs"]:
        wanted += [(24 * count, found) for _, count, found in run["series"]]
    _need(document["packed"].keys() == {found for _, found in wanted})
    for size, found in wanted:
        if not unpacks(b64decode(document["packed"][found], validate=True), size, found):
            raise Refused("has points of a metric, or a log, that are damaged")


def _need(condition: bool) -> None:
    if not condition:
        raise Refused("is not what a commit looks like")


def _text(value: Any, most: int | None = None, *, least: int = 0, none: bool = False) -> None:
    if value is None:
        _need(none)
    else:
        _need(type(value) is str and len(value) >= least)
        _need(most is None or len(value) <= most)


def _whole(value: Any, most: int = 2**63 - 1, *, least: int = -(2**63), none: bool = False) -> None:
    if value is None:
        _need(none)
    else:
        _need(type(value) is int and least <= value <= most)


def _in_order(rows: Sequence[Any], key: Callable[[Any], Any]) -> None:
    _need(isinstance(rows, list) and all(isinstance(row, list) for row in rows))
    keys = [key(row) for row in rows]
    _need(all(one < other for one, other in pairwise(keys)))
