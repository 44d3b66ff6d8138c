# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Run metadata v1: from the flat map of a Dotmesh commit to runs, and back to the map as given.

The map is text to text. What its readers of 2018 took leniently is taken leniently here: a time, a
number or a list that cannot be read is left out, and the run's details say so under ``problems``.
What would lose a run (no list of runs that can be read, an id that no record can have) is refused.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from dotscience_jupyter.records import models
from dotscience_jupyter.records.metadata import dataset_versions
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.records.rows import RUN_ID
from dotscience_jupyter.records.store import NewDatasetFile, NewFile, NewRun, NewValue

from . import fields, fullrecord

RUN_TYPE = "dotscience.run.v1"
PLAIN_TYPE = "dotscience.files.v1"
GIVEN = "metadata.given"
"""Key of a commit's metadata that holds, as JSON, the map exactly as a client gave it."""

COMMIT_ID = "#commit-id"
NO_RUNS = "No run metadata was returned"

_OURS = frozenset(
    {"type", "author", "message", "timestamp", "runs", "changes-digest", "logs-digest", GIVEN}
)
_RECORD = "record"
_AUTHORITIES = frozenset({"workload", "derived", "correction", "remote"})
_KINDS = {
    "label": "label",
    "summary": "metric",
    "metric": "metric",
    "parameters": "parameter",
}
_DIGEST_SUFFIX = ".details-digest"


class MetadataError(ValueError):
    """A commit's metadata cannot be recorded; the message says why, for users."""


@dataclass(slots=True)
class Read:
    """What a commit's metadata says, ready to be recorded."""

    type: str
    message: str
    author: str
    metadata: dict[str, str]  # beyond type, message, author and what follows from the runs
    runs: list[NewRun] = field(default_factory=list)


def checked(metadata: object) -> dict[str, str]:
    """Return a client's metadata as the flat map that it must be.

    Raises
    ------
    MetadataError
        If it is no map of text to text, a key starts with an upper-case letter, or it asks for a
        commit id of its own.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise MetadataError("Metadata is an object of texts. Nothing was recorded.")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise MetadataError(
                f"The metadata field {key[:80]!r} is not a text. Write lists and numbers as JSON "
                "in a text. Nothing was recorded."
            )
        if not key or key[0].isupper():
            raise MetadataError(
                f"Metadata field names must start with lowercase characters: {key[:80]!r}. "
                "Nothing was recorded."
            )
    if COMMIT_ID in metadata:
        raise MetadataError(
            "The id of a commit is computed from what it holds, so it cannot be chosen. Leave "
            f"{COMMIT_ID} out. Nothing was recorded."
        )
    return metadata


def read(message: str, user: str, metadata: Mapping[str, str]) -> Read:
    """Return what a commit says.

    Parameters
    ----------
    message, user : str
        What the request says outside of the metadata, which wins over both.
    metadata : mapping
        As :func:`checked` returns it.

    Raises
    ------
    MetadataError
        If a run in it could not be recorded as one.
    """
    type_ = metadata.get("type") or PLAIN_TYPE
    if len(type_) > 64:
        raise MetadataError("A commit's type has at most 64 characters. Nothing was recorded.")
    kept = {k: v for k, v in metadata.items() if k not in _OURS and not k.startswith("run.")}
    # a record may be megabytes, and all of it is in the run's tables
    given = {k: v for k, v in metadata.items() if not (k.startswith("run.") and _is_record(k))}
    # escaped, so that what no database holds (NUL, lone surrogates) comes back as it was given
    kept[GIVEN] = json.dumps(given, sort_keys=True, separators=(",", ":"))
    found = Read(
        type=type_,
        message=metadata.get("message") or message,
        author=metadata.get("author") or user,
        metadata=kept,
    )
    if type_ == RUN_TYPE:
        if "runs" in metadata:
            found.runs = _runs(metadata, found.author)
        else:
            found.metadata["success"] = "false"
            found.message = found.message or NO_RUNS
    return found


def written(commit: models.Commit) -> dict[str, str]:
    """Return a commit's metadata as clients of the original expect it.

    What a client gave comes back as it was given (but for full records of runs), with ``author``,
    ``message`` and ``timestamp``.
    Of commits that came otherwise it is what the records hold, but for digests of ours.
    """
    details = commit.details
    if GIVEN not in details:
        return {
            key: value
            for key, value in details.items()
            if key not in ("changes-digest", "logs-digest") and not key.endswith(_DIGEST_SUFFIX)
        }
    given: dict[str, str] = json.loads(details[GIVEN])
    said = {"message": details["message"], "author": details["author"]}
    return said | given | {"timestamp": details["timestamp"]}


def outputs(runs: Collection[NewRun]) -> list[NewFile]:
    """Return the files inside of the workspace that the runs say they wrote."""
    return [
        file
        for run in runs
        for file in run.files
        if file.direction == "output" and file.path not in run.details.get("outside", ())
    ]


def settle_versions(
    runs: Collection[NewRun], known: Callable[[Collection[str]], Collection[str]]
) -> None:
    """Take versions of inputs that are no commits of this history out of the runs' files.

    They are kept in the run's details under ``unknown_versions``, by path.

    Parameters
    ----------
    runs : collection of NewRun
        As :func:`read` returns them; changed in place.
    known : callable
        Returns those of some ids that are commits.
    """
    wanted = {file.version for run in runs for file in run.files if file.version}
    if not wanted:
        return
    commits = frozenset(known(wanted))
    for run in runs:
        for file in run.files:
            if file.version and file.version not in commits:
                run.details.setdefault("unknown_versions", {})[file.path] = file.version
                file.version = ""


def _runs(metadata: Mapping[str, str], author: str) -> list[NewRun]:
    ids = _ids(metadata["runs"])
    said: dict[str, dict[str, str]] = {id_: {} for id_ in ids}
    for key, value in metadata.items():
        if key.startswith("run."):
            # ids have no dots
            id_, _, suffix = key[len("run.") :].partition(".")
            if id_ in said and suffix:
                said[id_][suffix] = value
    problems: list[str] = []
    versions = dataset_versions(metadata)
    made = {each.name: each.version for each in versions if each.direction == "output"}
    environment = fields.environment(metadata, problems)
    resources = fields.resources(metadata, problems)
    runs = []
    for id_ in ids:
        workload = metadata.get("workload.type") or "unknown"
        run = _run(id_, said[id_], author, workload, made)
        run.environment = environment
        if problems:
            run.details["problems"] = [*problems, *run.details.get("problems", ())]
        if resources:
            run.details["resources"] = resources
        if host := metadata.get("runner.name"):
            run.details["process"] = {"host": host}
        if record := said[id_].get(_RECORD):
            _complete(run, record)
        runs.append(run)
    return runs


def _complete(run: NewRun, record: str) -> None:
    """Add what the run's full record knows; one that cannot be read is told of."""
    try:
        inputs = fullrecord.complete(run, record)
    except ValueError as error:
        problems = run.details.setdefault("problems", [])
        problems.append(f"The full record of the run cannot be read: {error}"[:500])
        return
    outside = set(run.details.get("outside", ()))
    files = {file.path: file for file in run.files if file.direction == "input"}
    for each in inputs:
        file = _file("input", each.path, outside)
        if file.path not in files:
            files[file.path] = file
            file.version = ""
            run.files.append(file)
        files[file.path].digest, files[file.path].size = each.digest, each.size
    if outside:
        run.details["outside"] = sorted(outside)


def _is_record(key: str) -> bool:
    return key.partition(".")[2].partition(".")[2] == _RECORD


def _ids(text: str) -> list[str]:
    ids = fields.texts(text)
    if ids is None:
        raise MetadataError(
            'The metadata field "runs" must be a JSON list of the ids of the runs. Nothing was '
            "recorded."
        )
    for id_ in ids:
        if not RUN_ID.fullmatch(id_):
            raise MetadataError(
                f"{id_[:80]!r} is not the id of a run: ids are up to 64 letters, digits, dashes "
                "and underscores. Nothing was recorded."
            )
    return list(dict.fromkeys(ids))


def _run(
    id_: str,
    said: Mapping[str, str],
    author: str,
    workload_type: str,
    made: Mapping[str, str],
) -> NewRun:
    problems: list[str] = []
    authority = said.get("authority", "")
    run = NewRun(
        id=id_,
        authority=authority if authority in _AUTHORITIES else "correction",
        description=said.get("description", ""),
        error=said.get("error"),
        author=author,
        workload_type=workload_type,
        workload_file=said.get("workload-file"),
        started=fields.time(said, "start", problems),
        ended=fields.time(said, "end", problems),
    )
    for key, value in said.items():
        kind, dot, name = key.partition(".")
        if dot and name and kind in _KINDS:
            run.values.append(NewValue(_KINDS[kind], name, value))
    outside: set[str] = set()
    for path in fields.strings(said, "output-files", problems):
        run.files.append(_file("output", path, outside))
    for text in fields.strings(said, "input-files", problems):
        path, at, version = text.rpartition("@")
        if not at:
            path, version = text, ""
            problems.append(f"The input {text[:80]!r} names no version.")
        run.files.append(_file("input", path, outside))
        # "" is a version that is not known; of what is outside there is none
        run.files[-1].version = "" if run.files[-1].path in outside else version
    run.datasets = _dataset_files(said, made, problems)
    details = {
        "outside": sorted(outside),
        "problems": problems,
    }
    run.details = {key: value for key, value in details.items() if value}
    return run


def _dataset_files(
    said: Mapping[str, str], made: Mapping[str, str], problems: list[str]
) -> list[NewDatasetFile]:
    """Return the files of datasets that a run says it read and wrote.

    ``made`` has the versions of the datasets that the commit's runs made, by name.
    """
    found = []
    for key in sorted(said):
        for direction in ("input", "output"):
            name = key.removeprefix(f"dataset-{direction}-files.")
            if name == key or not name:
                continue
            for text in fields.strings(said, key, problems):
                path, version = text, made.get(name)
                if direction == "input":
                    path, at, version = text.rpartition("@")
                    if not at:
                        path, version = text, ""
                        problems.append(f"The input {text[:80]!r} of {name!r} names no version.")
                found.append(
                    NewDatasetFile(direction, to_text(name), to_text(path), version or None)
                )
    return found


def _file(direction: str, path: str, outside: set[str]) -> NewFile:
    normal = posixpath.normpath(path) if path else ""
    if not normal or normal in (".", "..") or normal.startswith(("/", "../")):
        text = to_text(path)
        outside.add(text)
        return NewFile(direction, text)
    return NewFile(direction, to_text(normal))
