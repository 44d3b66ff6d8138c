# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The methods of the Dotmesh API that are about commits and branches; everything here blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.publishing import SIDE
from dotscience_jupyter.records import HEAD, NewRun, NotFoundError, from_text, models
from dotscience_jupyter.snapshots import Edit, Kind

from . import names, runmetadata
from .dots import Asker, Dot
from .jsonrpc import Call, RpcError
from .methods import no_branch
from .misplaced import Placed, misplaced, moves
from .store import Frozen

_PAGE = 1000


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
            moved = misplaced(project, now, head, asker.user.name, said.runs)
            edits = moves(now, moved)
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


def _describe(now: Frozen, moved: dict[str, Placed], runs: Iterable[NewRun]) -> None:
    """Add digest and size to the outputs that are there."""
    for file in runmetadata.outputs(list(runs)):
        path = from_text(file.path)
        entry = moved[path].entry if path in moved else now.find(path)
        if entry is not None and entry.kind is Kind.FILE:
            file.digest, file.size = entry.digest or None, entry.size
