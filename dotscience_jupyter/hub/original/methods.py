# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the methods of the Dotmesh API do; everything here blocks.

A method is a function of the asker, the dot that the call is about (None where it is about none),
and the call. Which it is and what it needs stands in the table of :mod:`.rpc`.
"""

from __future__ import annotations

from typing import Any

from dotscience_jupyter._version import __version__
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.hub.projects import Kind

from . import names
from .dots import Asker, Dot
from .forks import fork_of, parent_of
from .jsonrpc import INVALID_PARAMS, Call, RpcError
from .listings import timestamp
from .names import BadNameError, check_names

INITIAL = "dotmesh.initial"
_KIND: Kind = "dot"
RESET_KEY = "ResetApiKey"
"""What a key is called that :func:`reset_api_key` made."""


# -- the hub and its users ---------------------------------------------------------------------


def ping(asker: Asker, dot: None, call: Call) -> bool:
    """Acknowledge that the request was authenticated."""
    return True


def version(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Tell the hub's version."""
    return {
        "installed_version": __version__,
        "current_version": __version__,
        "current_release_date": 0,
        "current_download_url": "",
        "current_changelog_url": "",
        "project_website": "",
        "outdated": False,
    }


def check_name_is_valid(asker: Asker, dot: None, call: Call) -> str:
    """Tell what is wrong with a name; nothing is the empty text."""
    try:
        check_names(call.text("Namespace", ""), call.text("Name", ""), call.text("Branch", ""))
    except BadNameError as error:
        return str(error)
    return ""


def current_user(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Tell who asks."""
    return _safe(asker.user)


def get_api_key(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Refuse: keys are kept in a form from which nobody can get them back."""
    raise RpcError(
        "An API key is shown once, when it is made, and cannot be shown again. Make a new one with "
        "DotmeshRPC.ResetApiKey (with your password), or with POST /api/v1/keys."
    )


def reset_api_key(asker: Asker, dot: None, call: Call) -> dict[str, str]:
    """Make a new API key; the one that this made before is worth nothing any more."""
    _require_password(asker)
    identity = asker.services.identity
    old = [key for key in identity.list_keys(asker.user) if key.name == RESET_KEY]
    _, key = identity.create_key(asker.user, RESET_KEY)
    for each in old:
        identity.revoke_key(asker.user, each.id)
    return {"ApiKey": key}


def update_password(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Replace one's own password."""
    _require_password(asker)
    name = asker.user.name
    asker.services.identity.set_password(name, call.text("NewPassword"), actor=name)
    return _safe(asker.user)


def register_new_user(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Add a user. An e-mail address is taken and not kept: the hub sends none."""
    user = asker.services.identity.create_user(
        call.text("Name"), call.text("Password"), actor=asker.user.name
    )
    return _safe(user)


# -- dots --------------------------------------------------------------------------------------


def lookup(asker: Asker, dot: Dot, call: Call) -> str:
    """Return the id of a branch's file system."""
    with asker.services.projects.open(dot.info) as project:
        if not asker.has_branch(project, dot):
            raise no_branch(dot)
    return names.filesystem_id(dot.info.id, dot.branch)


def exists(asker: Asker, dot: Dot | None, call: Call) -> str:
    """Return the id of a branch's file system, "" where there is none."""
    if dot is None:
        return ""
    with asker.services.projects.open(dot.info) as project:
        there = asker.has_branch(project, dot)
    return names.filesystem_id(dot.info.id, dot.branch) if there else ""


def get(asker: Asker, dot: Dot, call: Call) -> dict[str, Any]:
    """Tell of one branch."""
    with asker.services.projects.open(dot.info) as project:
        if not asker.has_branch(project, dot):
            raise no_branch(dot)
        return _volume(project, dot.branch)


def list_dots(asker: Asker, dot: None, call: Call) -> dict[str, dict[str, Any]]:
    """Tell of the master branches of all dots that the user may see, by namespace and name."""
    found: dict[str, dict[str, Any]] = {}
    projects = asker.services.projects
    for project, volume in projects.visit(
        projects.visible_to(asker.user), lambda each: (each.info, _volume(each, ""))
    ):
        found.setdefault(project.owner, {})[project.dot] = volume
    return found


def all_dots_and_branches(asker: Asker, dot: None, call: Call) -> dict[str, Any]:
    """Tell of all branches of all dots that the user may see, and of who else may."""
    projects = asker.services.projects

    def told(project: Project) -> dict[str, Any]:
        others = [_volume(project, each) for each in names.branches(project.records.refs())]
        master = _volume(project, "")
        (owner, _), *members = asker.services.members.of(project.info)
        return {
            "MasterBranch": master,
            "OtherBranches": others,
            "Owner": _safe(owner),
            "Collaborators": [_safe(user) for user, _ in members],
            "ForkParentId": master["ForkParentId"],
            "ForkParentSnapshotId": master["ForkParentSnapshotId"],
        }

    dots = projects.visit(projects.visible_to(asker.user), told)
    return {"Dots": dots, "Servers": []}


def create(asker: Asker, dot: None, call: Call) -> bool:
    """Make a dot with an empty first commit, in one's own namespace."""
    namespace, name = asker.namespace(call.text("Namespace")), call.text("Name")
    check_names(namespace, name)
    owner = _owner(asker, namespace)
    projects = asker.services.projects
    info = projects.create(owner, name, _KIND, actor=asker.user.name)
    with projects.open(info) as project:
        project.write([], author=asker.user.name, message="Initial commit", type=INITIAL)
    return True


def delete(asker: Asker, dot: Dot, call: Call) -> bool:
    """Delete a dot with all its branches; the workspace of a project is deleted with that only."""
    if dot.info.kind != _KIND:
        raise RpcError(
            f"{dot.info.dot} is the workspace of the project {dot.info.name!r}, with all its runs. "
            "Nothing was deleted. Delete the project itself instead: DELETE "
            f"/api/v1/projects/{dot.info.id}."
        )
    asker.services.projects.delete(dot.info, confirm=dot.info.name, actor=asker.user.name)
    return True


def fork(asker: Asker, dot: Dot, call: Call) -> str:
    """Make a new dot that shares the history of a master branch; return its id."""
    if dot.branch:
        raise RpcError("Only master branches are forked.")
    namespace, name = asker.namespace(call.text("ForkNamespace")), call.text("ForkName")
    check_names(namespace, name)
    return fork_of(asker, dot, _owner(asker, namespace), name).id


def add_collaborator(asker: Asker, dot: Dot, call: Call) -> bool:
    """Let another user read and write a dot."""
    asker.services.members.add(dot.info, _member(asker, dot, call), actor=asker.user.name)
    return True


def remove_collaborator(asker: Asker, dot: Dot, call: Call) -> bool:
    """Let another user see a dot no more."""
    asker.services.members.remove(dot.info, _member(asker, dot, call), actor=asker.user.name)
    return True


def last_modified(asker: Asker, dot: Dot, call: Call) -> dict[str, str]:
    """Tell when a dot's newest commit was made."""
    with asker.services.projects.open(dot.info) as project:
        head = project.records.refs().get(dot.ref)
        if head is None:
            made = int(dot.info.created.timestamp() * 10**9)
        else:
            made = int(project.records.get_commit(head).details["timestamp"])
    return {"Time": timestamp(made)}


# -- of several of them ------------------------------------------------------------------------


def no_branch(dot: Dot) -> RpcError:
    """Return the error for a branch that is not there."""
    return RpcError(f"There is no branch {dot.branch!r} of {dot.info.owner}/{dot.info.dot}.")


def _owner(asker: Asker, namespace: str) -> User:
    """Return the user whose namespace that is. Raise RpcError unless it is the asker's."""
    if namespace.lower() == asker.user.name.lower():
        return asker.user
    if not asker.user.admin:
        raise RpcError(
            f"User {asker.user.name} is not the administrator of namespace {namespace}, so nothing "
            "was made there. Use your own user name as the namespace."
        )
    return asker.services.identity.get_user(namespace)


def _member(asker: Asker, dot: Dot, call: Call) -> User:
    if dot.branch:
        raise RpcError("Please name the master branch of the dot.", INVALID_PARAMS)
    return asker.services.identity.get_user(call.text("Collaborator"))


def _require_password(asker: Asker) -> None:
    if not asker.by_password:
        raise RpcError("Password authentication is required for this method.")


def _safe(user: User) -> dict[str, Any]:
    return {"Id": user.id, "Name": user.name, "Email": "", "EmailHash": ""}


def _volume(project: Project, branch: str) -> dict[str, Any]:
    """Return what the original tells of a branch."""
    info, records = project.info, project.records
    head = records.refs().get(names.branch_ref(branch))
    size = count = 0
    if head is not None:
        _, size = project.engine.totals(records.get_commit(head).snapshot)
        _, count = records.log(head, limit=1)
    parent, commit = parent_of(records)
    return {
        "Id": names.filesystem_id(info.id, branch),
        "Name": {"Namespace": info.owner, "Name": info.dot},
        "Branch": branch,
        "Master": "",
        "SizeBytes": size,
        "DirtyBytes": 0,
        "CommitCount": count,
        "ServerStates": {},
        "ServerStatuses": {},
        "ForkParentId": parent,
        "ForkParentSnapshotId": commit,
    }
