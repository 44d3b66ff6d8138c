# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""JupyterHub's users as users of the hub; they appear at their first request."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import select

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.audit import Audit
from dotscience_jupyter.hub.database import HubDatabase
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.tables import UserRow
from dotscience_jupyter.sync.jupyterhub import hub_name


class People:
    """Who is who. Thread-safe; every method may block.

    Nobody of JupyterHub is ever taken for a user who was made on the hub itself: who names
    JupyterHub's users is not always who names the hub's. :meth:`adopt` says that two are one.
    """

    def __init__(self, database: HubDatabase, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def user(self, name: str) -> User:
        """Return the user who is called that at JupyterHub; made at the first time.

        Raises
        ------
        ApiError
            403 ``disabled``, or ``name_taken`` by somebody who does not come from JupyterHub.
        """
        query = select(UserRow).where(UserRow.jupyterhub == name)
        with self._database.reading() as session:
            row = session.scalars(query).one_or_none()
        if row is None:
            with self._database.writing() as session:
                # another request of theirs may have been faster
                row = session.scalars(query).one_or_none()
                if row is None:
                    own = hub_name(name)
                    taken = select(UserRow.id).where(UserRow.name_key == own.lower())
                    if session.scalar(taken) is not None:
                        raise _taken(name, own)
                    row = UserRow(
                        id=str(uuid.uuid4()),
                        name=own,
                        name_key=own.lower(),
                        password=None,
                        admin=False,
                        disabled=False,
                        created=datetime.now(UTC),
                        jupyterhub=name,
                    )
                    session.add(row)
                    details = {"admin": False, "jupyterhub": name}
                    self._audit.append(own, "user.create", f"user:{own}", details, session=session)
        if row.disabled:
            raise ApiError(
                403,
                "disabled",
                f"The user {row.name} is locked out on this hub, so nothing was done. An admin of "
                "the hub can let you in again.",
            )
        return User(row.id, row.name, row.admin)

    def by_id(self, id_: str) -> User | None:
        """Return the user with an id, if they may come in."""
        with self._database.reading() as session:
            row = session.get(UserRow, id_)
        return None if row is None or row.disabled else User(row.id, row.name, row.admin)

    def adopt(self, name: str) -> str:
        """Let the user who was made here be who is called that at JupyterHub; return their name.

        Raises
        ------
        ApiError
            404 if there is no user whom :func:`hub_name` means; 409 ``exists`` if they come from
            JupyterHub already.
        """
        own = hub_name(name)
        with self._database.writing() as session:
            query = select(UserRow).where(UserRow.name_key == own.lower())
            row = session.scalars(query).one_or_none()
            if row is None:
                raise ApiError(
                    404,
                    "not_found",
                    f"There is no user {own}, so there is nobody to adopt: who comes from "
                    "JupyterHub is added by themselves.",
                )
            if row.jupyterhub is not None:
                raise ApiError(409, "exists", f"{row.name} comes from JupyterHub already.")
            row.jupyterhub = name
            details = {"jupyterhub": name}
            self._audit.append(
                self._audit.LOCAL, "user.adopt", f"user:{row.name}", details, session=session
            )
            return row.name


def _taken(name: str, own: str) -> ApiError:
    return ApiError(
        403,
        "name_taken",
        f"On this hub {own} is somebody who was added there, not by JupyterHub, so you are not "
        "taken for them. Nothing was done. If that is you, whoever runs the hub can say so: "
        f"jupyter dotscience hub user adopt {name}",
    )
