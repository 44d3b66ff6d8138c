# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What somebody means who asks where something came from: a run, a file, a model, a digest."""

from __future__ import annotations

import re
from collections.abc import Callable

from dotscience_jupyter.records import AmbiguousError, NotFoundError
from dotscience_jupyter.records.datasetneighbours import (
    DatasetNeighbours,
    InDataset,
    in_dataset,
)
from dotscience_jupyter.records.neighbours import Neighbours, Version
from dotscience_jupyter.records.store import Records

from .assembly import model_files
from .graph import Key

Exists = Callable[[str], bool]
"""Whether the newest commit holds a path (text form)."""

_KINDS = ("run", "file", "model", "digest")
_COMMIT = re.compile(r"HEAD(~\d*)?|[0-9a-f]{4,64}")


def resolve(records: Records, text: str, exists: Exists = lambda path: False) -> list[Key]:
    """Return the nodes that a text means.

    Parameters
    ----------
    records : Records
        Where to look.
    text : str
        ``run:ID`` (or the first characters of one), ``file:PATH`` for its newest version,
        ``file:PATH@COMMIT`` for the version that a commit had, ``model:NAME`` for the file of the
        newest model of that name, ``digest:HEX`` for all that has that content; or, where only
        one of them is there, a path, run or model without the word before it.
    exists : callable
        Asked about paths that no run and no change tells of.

    Raises
    ------
    NotFoundError
        If there is no such thing; it says what was looked for.
    AmbiguousError
        If it means several things; it says how to name each.
    """
    kind, colon, name = text.partition(":")
    if colon and kind in _KINDS:
        return _FINDERS[kind](records, name, exists)
    found: dict[str, list[Key]] = {}
    several: AmbiguousError | None = None
    for kind in ("file", "run", "model"):
        try:
            found[kind] = _FINDERS[kind](records, text, exists)
        except NotFoundError:
            continue
        except AmbiguousError as error:
            several = error
    if len(found) == 1 and several is None:
        return next(iter(found.values()))
    if found:
        kinds = [*found, "run"] if several is not None else list(found)
        names = " or ".join(f"{kind}:{text}" for kind in dict.fromkeys(kinds))
        raise AmbiguousError(f"{text!r} means several things. Say which: {names}.")
    if several is not None:
        raise several
    raise NotFoundError(
        f"There is no file, run or model {text!r} in what is recorded. Paths are relative to the "
        "workspace; a file that is new is recorded with the next commit."
    )


def _run(records: Records, name: str, exists: Exists) -> list[Key]:
    return [records.get_run(name).id]


def _file(records: Records, name: str, exists: Exists) -> list[Key]:
    with records.neighbours() as near:
        if (place := in_dataset(name)) is not None:
            return [_in_dataset(near, place)]
        whole = _newest(near, name, exists)
        path, at, version = name.rpartition("@")
        if whole is not None or not at:
            if whole is None:
                raise _no_file(name)
            return [whole]
        if version == "":
            return [Version(path, None)]
        if version.startswith("="):
            return [Version(path, None, version[1:])]
        if not _COMMIT.fullmatch(version):
            raise _no_file(name)
    commit = records.get_commit(version)
    with records.neighbours() as near:
        found = near.newest_version(path, commit.sequence)
        if found is not None and found.version:
            since = near.commits([found.version])[found.version][0]
            if since <= commit.sequence:
                return [found]
        if found is not None or exists(path):
            return [near.first_version(path)]
    raise _no_file(path)


def _in_dataset(near: DatasetNeighbours, place: InDataset) -> Version:
    """Return a file of a dataset: the version that a run used last, or that of a commit of it."""
    found = near.newest_in_dataset(place)
    path, at, version = place.path.rpartition("@")
    if found is None and at and _COMMIT.fullmatch(version):
        found = near.newest_in_dataset(InDataset(place.dataset, path), version)
    if found is None:
        raise NotFoundError(
            f"No run is recorded that read or wrote {place.path!r} of a dataset {place.dataset!r}."
        )
    return found


def _newest(near: Neighbours, path: str, exists: Exists) -> Version | None:
    found = near.newest_version(path)
    if found is None and path and exists(path):
        return near.first_version(path)
    return found


def _model(records: Records, name: str, exists: Exists) -> list[Key]:
    with records.neighbours() as near:
        found = near.model(name)
        if found is None:
            raise NotFoundError(
                f"No run has registered a model {name!r}. `jupyter dotscience runs` lists the runs."
            )
        run, text = found
        written = {row.file.path: row.file for row in near.outputs([run])}
    for path in model_files(text):
        if path in written:
            return [written[path]]
    return [run]  # its file is not among what the run wrote


def _digest(records: Records, name: str, exists: Exists) -> list[Key]:
    digest = name.lower()
    if not re.fullmatch(r"[0-9a-f]{8,128}", digest):
        raise NotFoundError(
            f"{name!r} is no digest. Give at least the first eight characters of one, in hex."
        )
    with records.neighbours() as near:
        found = near.with_digest(digest)
    if not found:
        raise NotFoundError(f"No recorded file has the digest {name!r}.")
    return list(found)


def _no_file(path: str) -> NotFoundError:
    return NotFoundError(
        f"No commit tells of a file {path!r}. Paths are relative to the workspace; a file that is "
        "new is recorded with the next commit."
    )


_FINDERS: dict[str, Callable[[Records, str, Exists], list[Key]]] = {
    "run": _run,
    "file": _file,
    "model": _model,
    "digest": _digest,
}
