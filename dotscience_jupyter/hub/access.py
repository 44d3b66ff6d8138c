# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a request needs to be allowed, declared by every handler in one place."""

from __future__ import annotations

from enum import Enum

from .projects import Role


class Need(Enum):
    """What the user of a request has to be."""

    PUBLIC = "public"  # anybody, also without a login
    USER = "user"  # anybody who is logged in
    READ = "read"  # owner or collaborator of the request's project
    WRITE = "write"  # the same; told apart because a reading role may come
    OWNER = "owner"  # owner of the request's project
    ADMIN = "admin"  # an admin of the hub; admins have all of the above as well

    @property
    def of_project(self) -> bool:
        """Whether it is about the request's project."""
        return self in (Need.READ, Need.WRITE, Need.OWNER)

    def met_by(self, role: Role | None) -> bool:
        """Whether a role in the request's project is enough."""
        if self is Need.OWNER:
            return role in ("owner", "admin")
        return role is not None
