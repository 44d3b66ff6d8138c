# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What only admins may: users, the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from dotscience_jupyter.hub import models
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import OFFSET, Operation, limit

from .base import HubHandler

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 1000


class UsersHandler(HubHandler):
    """All users."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.ADMIN, "POST": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.UserList),
        "POST": Operation(models.MadeUser, 201, body=models.NewUser, errors=(409,)),
    }

    async def get(self) -> None:
        """Answer with all."""
        found = await self.run(self.hub.identity.list_users)
        self.answer(
            models.UserList(
                items=[
                    models.UserState(
                        name=each.user.name,
                        admin=each.user.admin,
                        disabled=each.disabled,
                        created=each.created,
                    )
                    for each in found
                ]
            )
        )

    async def post(self) -> None:
        """Add one, with a first key."""
        given = self.body(models.NewUser)
        identity, actor = self.hub.identity, self.asker.name
        user = await self.hub.run_slow(
            identity.create_user, given.name, given.password, admin=given.admin, actor=actor
        )
        _, key = await self.run(identity.create_key, user, "first", actor=actor)
        self.answer(
            models.MadeUser(user=models.User(name=user.name, admin=user.admin), key=key), 201
        )


class OneUserHandler(HubHandler):
    """A user."""

    needs: ClassVar[dict[str, Need]] = {"PATCH": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = {
        "PATCH": Operation(status=204, body=models.ChangedUser, errors=(404, 409))
    }

    async def patch(self, name: str) -> None:
        """Lock out or let in, make an admin or none, replace the password."""
        given = self.body(models.ChangedUser)
        identity, actor = self.hub.identity, self.asker.name
        if given.password is not None:
            await self.hub.run_slow(identity.set_password, name, given.password, actor=actor)
        if given.admin is not None:
            await self.run(identity.set_admin, name, given.admin, actor=actor)
        if given.disabled is not None:
            await self.run(identity.set_disabled, name, given.disabled, actor=actor)
        self.set_status(204)


class AuditHandler(HubHandler):
    """The audit log."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.ADMIN}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.AuditList, query=(OFFSET, limit(_MOST)), errors=(400,))
    }

    async def get(self) -> None:
        """Answer with a page of it."""
        offset, limit = self.number("offset", 0), self.number("limit", 100, most=_MOST)
        found, total = await self.run(self.hub.audit.entries, offset=offset, limit=limit)
        self.answer(
            models.AuditList(
                items=[
                    models.AuditEntry(
                        sequence=entry.sequence,
                        time=_EPOCH + timedelta(microseconds=entry.time_ns // 1000),
                        actor=entry.actor,
                        action=entry.action,
                        object=entry.object,
                        details=entry.details,
                        digest=entry.digest,
                    )
                    for entry in found
                ],
                total=total,
                offset=offset,
            )
        )


ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/api/v1/users", UsersHandler),
    (r"/api/v1/users/(?P<name>[^/]+)", OneUserHandler),
    (r"/api/v1/audit", AuditHandler),
]
