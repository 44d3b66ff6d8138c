# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The methods of the Dotmesh API that are about commits and branches; everything here blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.publishing import SIDE
from dotscience_jupyter.records import HEAD, NewRun, NotFoundError, from_text, models
from dotscience_jupyter.snapshots import Edit, Entry, Kind

from . import names, runmetadata
from .dots import Asker, Dot
from .jsonrpc import Call, RpcError
from .methods import no_branch
from .store import EXTRACTED, Frozen

_PAGE = 1000
_LOOKED_BACK = 50
"""Commits in which an archive is looked for that was unpacked at the wrong place."""


def commit(asker: Asker, dot: Dot, call: Call) -> str:
    """Make a commit, with the runs that its metadata tells of; return its id."""
    metadata = runmetadata.checked(call.value("Metadata"))
    said = runmetadata.read(call.text("Message", ""), asker.user.name, metadata)
    with asker.services.projects.open(dot.info) as project, project.lock:
        head = _head(project, dot)
        runmetadata.settle_versions(said.runs, project.records.known_commits)
        edits: list[Edit] = []
        if head is not None and said.runs:
            now = Frozen(project, project.records.get_commit(head).snapshot)
            moved = _misplaced(project, now, head, asker.user.name, said.runs)
            edits = _moves(now, moved)
            _describe(now, moved, said.runs)
        made = project.write(
            edits,
            author=said.author,
            message=said.message,
            type=said.type,
            metadata=said.metadata,
            runs=said.runs,
            ref=dot.ref,
        )
    _note(asker, dot, "commit", commit=made.id)
    return made.id


def commits(asker: Asker, dot: Dot, call: Call) -> list[dict[str, Any]]:
    """Return the commits of a branch, oldest first."""
    with asker.services.projects.open(dot.info) as project:
        head = _head(project, dot)
        if head is None:
            return []
        found: list[models.Commit] = []
        while True:
            page, total = project.records.log(head, offset=len(found), limit=_PAGE)
            found += page
            if not page or len(found) >= total:
                break
    return [{"Id": each.id, "Metadata": runmetadata.written(each)} for each in reversed(found)]


def branch(asker: Asker, dot: Dot, call: Call) -> bool:
    """Make a branch that begins at a commit of the dot, or at the newest of a branch."""
    name = call.text("NewBranchName")
    names.check_names(dot.info.owner, dot.info.dot, name)
    if name in ("", names.MASTER):
        raise RpcError("A new branch needs a name other than master. Nothing was changed.")
    with asker.services.projects.open(dot.info) as project, project.lock:
        source = call.text("SourceCommitId", "") or _head(project, dot)
        if source is None:
            raise RpcError(
                "There is no commit yet that a branch could begin at. Make a commit first."
            )
        ref = names.branch_ref(name)
        if ref in project.records.refs():
            raise RpcError(f"There is a branch {name} already. Nothing was changed.")
        project.records.set_ref(ref, _commit(project, source), expected=None)
    _note(asker, dot, "branch", branch=name, commit=source)
    return True


def branches(asker: Asker, dot: Dot, call: Call) -> list[str]:
    """Return the names of the branches but for master, sorted."""
    with asker.services.projects.open(dot.info) as project:
        return names.branches(project.records.refs())


def rollback(asker: Asker, dot: Dot, call: Call) -> bool:
    """Make an earlier commit of a branch its newest; those after it are kept beside it."""
    with asker.services.projects.open(dot.info) as project, project.lock:
        project.require_free()
        records = project.records
        head = _head(project, dot)
        target = _commit(project, call.text("SnapshotId"))
        if head is None or records.missing_from(target, [head]):
            raise RpcError("The branch does not hold that commit. Nothing was changed.")
        if head != target:
            aside = SIDE + head[:12]
            if aside not in records.refs():
                records.set_ref(aside, head, expected=None)
            records.set_ref(dot.ref, target, expected=head)
    _note(asker, dot, "rollback", commit=target)
    return True


def diff(asker: Asker, dot: Dot, call: Call) -> dict[str, Any]:
    """Tell what is not committed: nothing ever, since every change on a hub is a commit."""
    return {"Files": []}


# -- parts -------------------------------------------------------------------------------------


def _head(project: Project, dot: Dot) -> str | None:
    head = project.records.refs().get(dot.ref)
    if head is None and dot.ref != HEAD:
        raise no_branch(dot)
    return head


def _commit(project: Project, id_: str) -> str:
    if id_ not in project.records.known_commits([id_]):
        raise NotFoundError(f"There is no commit {id_[:80]!r} in this dot. Nothing was changed.")
    return id_


def _note(asker: Asker, dot: Dot, action: str, **details: str) -> None:
    asker.services.audit.append(
        asker.user.name, action, f"{dot.info.kind}:{dot.info.id}", details | {"ref": dot.ref}
    )


def _describe(now: Frozen, moved: dict[str, str], runs: Iterable[NewRun]) -> None:
    """Add digest and size to the outputs that are there."""
    for file in runmetadata.outputs(list(runs)):
        path = from_text(file.path)
        entry = now.find(moved.get(path, path))
        if entry is not None and entry.kind is Kind.FILE:
            file.digest, file.size = entry.digest or None, entry.size


def _misplaced(
    project: Project, now: Frozen, head: str, author: str, runs: Iterable[NewRun]
) -> dict[str, str]:
    """Return where outputs lie that are not where the runs say, by where they should be.

    The original's client sends several outputs as one archive for the folder of the model. It
    takes that folder off names that begin with it, but writes ``./model`` and ``model`` differently
    and leaves the names of other outputs as they are. Unpacked literally, those files are one
    folder too deep. What the commit says is right.
    """
    wanted = [from_text(file.path) for file in runmetadata.outputs(list(runs))]
    missing = {path for path in wanted if now.find(path) is None}
    found: dict[str, str] = {}
    if not missing:
        return found
    for each in project.records.log(head, limit=_LOOKED_BACK)[0]:
        if each.author != author:
            continue
        if each.type == runmetadata.RUN_TYPE or not missing:
            break
        if each.details.get(EXTRACTED) == "true":
            folder = from_text(each.details.get("upload.file", ""))
            for path in sorted(missing):
                entry = now.find(f"{folder}/{path}")
                if entry is not None and entry.kind is not Kind.FOLDER:
                    found[path] = entry.path
                    missing.discard(path)
    return found


def _moves(now: Frozen, moved: dict[str, str]) -> list[Edit]:
    """Return the edits that bring files to where they should be; folders left empty go."""
    leaving = set(moved.values())
    emptied: dict[str, bool] = {}
    gone = {_emptied(now, path, leaving, emptied) for path in leaving}
    # first what goes: a file may have to be where one of those folders was
    edits = [Edit(path, None) for path in sorted(gone)]
    edits += [_put(now, path, now.entry(old)) for path, old in sorted(moved.items())]
    return edits


def _emptied(now: Frozen, path: str, leaving: set[str], emptied: dict[str, bool]) -> str:
    """Return the highest folder above a file that holds nothing but what leaves; or the file."""
    highest = path
    folder = path.rpartition("/")[0]
    while "/" in folder:
        if folder not in emptied:
            inside = (each for each in now.walk(folder) if each.kind is not Kind.FOLDER)
            emptied[folder] = all(each.path in leaving for each in inside)
        if not emptied[folder]:
            break
        highest, folder = folder, folder.rpartition("/")[0]
    return highest


def _put(now: Frozen, path: str, entry: Entry) -> Edit:
    if entry.kind is Kind.SYMLINK:
        return Edit(path, None, 0o777, entry.mtime_ns, entry.target)
    return Edit(path, cast(BinaryIO, _Later(now, entry.path)), entry.mode, entry.mtime_ns)


class _Later:
    """A frozen file that is opened when it is read, and closed at its end."""

    def __init__(self, now: Frozen, path: str) -> None:
        self._now = now
        self._path = path
        self._file: BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        if self._file is None:
            self._file = self._now.open(self._path)
        data = self._file.read(size)
        if not data:
            self._file.close()
        return data
