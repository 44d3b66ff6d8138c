# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Forks: new dots that begin with the history of another one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.records import HEAD, Records
from dotscience_jupyter.snapshots import SnapshotError
from dotscience_jupyter.snapshots.engine import COMMIT_HOLD

from .dots import Asker, Dot

_PARENT = "fork/"
"""A ref of that beginning names the project that was forked, at the commit where it was."""


def parent_of(records: Records) -> tuple[str, str]:
    """Return the id of the project that was forked and the commit; two empty texts if none was."""
    for name, commit in records.refs().items():
        if name.startswith(_PARENT):
            return name[len(_PARENT) :], commit
    return "", ""


def fork_of(asker: Asker, dot: Dot, owner: User, name: str) -> ProjectInfo:
    """Make a dot with all commits of another one's master branch, and their content.

    Raises
    ------
    ApiError
        409 ``exists`` if the owner has a dot of that name.
    RecordsError, SnapshotError
        If what is forked cannot be read; the new dot is gone again then.
    """
    projects = asker.services.projects
    made = projects.create(owner, name, "dot", actor=asker.user.name)
    try:
        with projects.open(dot.info) as old, projects.open(made) as new:
            head = old.records.refs().get(HEAD)
            if head is not None:
                _copy(old, new, head)
    except BaseException:
        projects.delete(made, confirm=made.name, actor=asker.user.name)
        raise
    return made


def _copy(old: Project, new: Project, head: str) -> None:
    ids = old.records.missing_from(head, [])
    with new.lock:
        for snapshots in _snapshots(old.records, ids):
            _copy_content(old, new, snapshots)
        new.records.take(old.records.export(ids), ref=HEAD)
        new.records.set_ref(_PARENT + old.info.id, head, expected=None)


def _snapshots(records: Records, ids: list[str]) -> Iterator[list[str]]:
    """Yield the snapshots of commits, each once, some at a time."""
    seen: set[str] = set()
    batch: list[str] = []
    for id_ in ids:
        snapshot = records.get_commit(id_).snapshot
        if snapshot not in seen:
            seen.add(snapshot)
            batch.append(snapshot)
        if len(batch) == 100:
            yield batch
            batch = []
    if batch:
        yield batch


def _copy_content(old: Project, new: Project, snapshots: list[str]) -> None:
    for snapshot in snapshots:
        with tempfile.TemporaryFile(dir=new.tmp) as file:
            stream = cast(BinaryIO, file)
            if old.engine.pack(old.engine.needed(snapshot, new.engine.missing), stream):
                stream.seek(0)
                new.engine.unpack(stream)
    for snapshot, equal in old.engine.equals(snapshots).items():
        new.engine.equate(snapshot, *equal)
    if new.engine.adopt(map(old.engine.equal, snapshots), COMMIT_HOLD):
        raise SnapshotError(
            "The content of the dot could not be copied whole, so it was not forked. Try again."
        )
