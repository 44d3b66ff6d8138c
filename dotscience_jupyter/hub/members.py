# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who may use a project: its owner, collaborators who write, collaborators who only read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from dotscience_jupyter.api.errors import ApiError

from .access import Access, Role
from .audit import Audit
from .database import HubDatabase
from .identity import User
from .project import ProjectInfo
from .tables import CollaboratorRow, ProjectRow, UserRow

_OWNER = Role("owner")
_ADMIN = Role("admin")


class Members:
    """The members of a hub's projects. Thread-safe; processes may share its database."""

    def __init__(
        self,
        database: HubDatabase,
        audit: Audit,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def role(self, user: User, info: ProjectInfo) -> Role | None:
        """Return what a user is to a project: None for one who may not know that it exists."""
        if info.owner_id == user.id:
            return _OWNER
        if user.admin:
            return _ADMIN
        with self._database.reading() as session:
            row = session.get(CollaboratorRow, (info.id, user.id))
        return None if row is None else _collaborator(row)

    def of(self, info: ProjectInfo) -> list[tuple[User, Role]]:
        """Return the owner of a project, then its collaborators by name."""
        query = (
            select(UserRow, CollaboratorRow)
            .join(CollaboratorRow, CollaboratorRow.user_id == UserRow.id)
            .where(CollaboratorRow.project_id == info.id)
            .order_by(UserRow.name_key)
        )
        with self._database.reading() as session:
            owner = session.get_one(UserRow, info.owner_id)
            others = [(_user(user), _collaborator(row)) for user, row in session.execute(query)]
        return [(_user(owner), _OWNER), *others]

    def add(
        self,
        info: ProjectInfo,
        user: User,
        access: Access = "write",
        *,
        actor: str = Audit.LOCAL,
    ) -> None:
        """Let a user read a project, or read and write it.

        Who is a collaborator already has that access from then on; the owner stays the owner.

        Raises
        ------
        ApiError
            404 if the project was deleted.
        """
        if user.id == info.owner_id:
            return
        with self._database.writing() as session:
            project_row(session, info)
            row = session.get(CollaboratorRow, (info.id, user.id))
            if row is not None and row.access == access:
                return
            action = "collaborator.add" if row is None else "collaborator.change"
            if row is None:
                row = CollaboratorRow(project_id=info.id, user_id=user.id, added=self._clock())
                session.add(row)
            row.access = access
            self._note(session, actor, action, info, {"user": user.name, "access": access})

    def remove(self, info: ProjectInfo, user: User, *, actor: str = Audit.LOCAL) -> None:
        """Let a user see a project no more; that it may not already is no error.

        Raises
        ------
        ApiError
            409 ``refused`` for the owner, 404 if the project was deleted.
        """
        if user.id == info.owner_id:
            raise ApiError(409, "refused", f"{user.name} owns the project and stays a member.")
        with self._database.writing() as session:
            project_row(session, info)
            row = session.get(CollaboratorRow, (info.id, user.id))
            if row is not None:
                session.delete(row)
                self._note(session, actor, "collaborator.remove", info, {"user": user.name})

    def _note(
        self, session: Session, actor: str, action: str, info: ProjectInfo, details: dict[str, str]
    ) -> None:
        self._audit.append(actor, action, f"{info.kind}:{info.id}", details, session=session)


def project_row(session: Session, info: ProjectInfo) -> ProjectRow:
    """Return the row of a project. Raise ApiError 404 if it was deleted meanwhile."""
    row = session.get(ProjectRow, info.id)
    if row is None or row.deleted is not None:
        raise ApiError(404, "not_found", "There is no such project (any more).")
    return row


def _collaborator(row: CollaboratorRow) -> Role:
    return Role("collaborator", cast(Access, row.access))


def _user(row: UserRow) -> User:
    return User(row.id, row.name, row.admin)
