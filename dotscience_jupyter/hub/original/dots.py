# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Dots: projects under the names and ids by which the original's clients call them."""

from __future__ import annotations

from dataclasses import dataclass

from dotscience_jupyter.hub.access import Role
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.sync.jupyterhub import hub_name

from .names import BadNameError, branch_ref, check_names, project_prefix, split_filesystem_id


@dataclass(frozen=True, slots=True)
class Dot:
    """A branch of a project, and what somebody is to it."""

    info: ProjectInfo
    branch: str  # "" is master
    role: Role

    @property
    def ref(self) -> str:
        """The ref that the branch is."""
        return branch_ref(self.branch)


class Asker:
    """What one user sees of a hub.

    Parameters
    ----------
    services
        The hub.
    user
        Who asks.
    by_password
        Whether the request came with the password, and not with a key.
    """

    def __init__(self, services: Services, user: User, by_password: bool = False) -> None:
        self.services = services
        self.user = user
        self.by_password = by_password

    def dot(self, namespace: str, name: str, branch: str = "") -> Dot | None:
        """Return a dot that the user may see; None where there is none such.

        Clients of the original look for the workspace of every project in their own namespace, so
        that of a project which is shared with the user is found there, too.

        Raises
        ------
        BadNameError
            If these are no names.
        """
        namespace = self.namespace(namespace)
        check_names(namespace, name, branch)
        info = self.services.projects.by_dot(namespace, name)
        if info is None and namespace.lower() == self.user.name.lower():
            info = self._shared(name)
        return None if info is None else self._seen(info, branch)

    def namespace(self, given: str) -> str:
        """Return a namespace: one's own may be called as JupyterHub calls the user."""
        if self.services.jupyterhub is not None and hub_name(given) == self.user.name:
            return self.user.name
        return given

    def by_id(self, filesystem: str) -> Dot | None:
        """Return the dot whose branch has that file system's id; as :meth:`dot`."""
        project, branch = split_filesystem_id(filesystem)
        try:
            check_names("any", "any", branch)
        except BadNameError:
            return None
        info = self.services.projects.get(project)
        return None if info is None else self._seen(info, branch)

    def has_branch(self, project: Project, dot: Dot) -> bool:
        """Whether the branch is there; master always is."""
        return not dot.branch or dot.ref in project.records.refs()

    def _seen(self, info: ProjectInfo, branch: str) -> Dot | None:
        role = self.services.members.role(self.user, info)
        if role is None:
            return None
        return Dot(info, "" if branch_ref(branch) == "HEAD" else branch, role)

    def _shared(self, name: str) -> ProjectInfo | None:
        prefix = project_prefix(name)
        if prefix is None:
            return None
        found = [
            info
            for info in self.services.projects.visible_to(self.user)
            if info.id.startswith(prefix) and info.dot == name
        ]
        return found[0] if len(found) == 1 else None
