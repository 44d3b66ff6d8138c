# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a request needs to be allowed, declared by every handler in one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Access = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Role:
    """What somebody is to a project."""

    name: Literal["owner", "collaborator", "admin"]
    access: Access = "write"  # only collaborators may be let in to read alone


class Need(Enum):
    """What the user of a request has to be."""

    PUBLIC = "public"  # anybody, also without a login
    USER = "user"  # anybody who is logged in
    READ = "read"  # owner or collaborator of the request's project
    WRITE = "write"  # the same, but for collaborators who only read
    OWNER = "owner"  # owner of the request's project
    ADMIN = "admin"  # an admin of the hub; admins have all of the above as well

    @property
    def of_project(self) -> bool:
        """Whether it is about the request's project."""
        return self in (Need.READ, Need.WRITE, Need.OWNER)

    def met_by(self, role: Role | None) -> bool:
        """Whether a role in the request's project is enough."""
        if role is None:
            return False
        if self is Need.OWNER:
            return role.name != "collaborator"
        return self is not Need.WRITE or role.access == "write"

    def refusal(self, what: str, owner: str) -> str:
        """Return what somebody is told who sees a project, and whose role is not enough.

        Parameters
        ----------
        what
            What the project is called in the sentence.
        owner
            The name of its owner.
        """
        if self is Need.WRITE:
            return (
                f"You may read {what}, but not write to it. Nothing was changed on the hub, and "
                f"what you have is kept. Ask {owner}, who owns it, to let you write."
            )
        return f"Only the owner of {what} may do that. Nothing was changed."
