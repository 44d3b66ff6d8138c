# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tasks that take a project for themselves, for a while."""

from __future__ import annotations

from typing import ClassVar

from dotscience_jupyter.hub import models
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import Operation
from dotscience_jupyter.hub.tasklocks import TaskLock

from .base import HubHandler


class LockHandler(HubHandler):
    """Whether a task has a project to itself."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.READ, "POST": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.LockState),
        "POST": Operation(
            models.Lock, 201, also={200: models.Lock}, body=models.NewLock, errors=(423,)
        ),
    }

    async def get(self, project: str) -> None:
        """Answer with its lock, or with none."""
        held = await self.run(self.hub.locks.find, self.info)
        self.answer(models.LockState(lock=None if held is None else _lock(held)))

    async def post(self, project: str) -> None:
        """Let a task have it; 200 if it had it already and goes on."""
        given = self.body(models.NewLock)
        held, taken = await self.run(
            self.hub.locks.take, self.info, self.asker, given.task, given.seconds, given.holder
        )
        self.answer(_lock(held), 201 if taken else 200)


class OneLockHandler(HubHandler):
    """The lock of a task."""

    needs: ClassVar[dict[str, Need]] = {"PUT": Need.WRITE, "DELETE": Need.WRITE}
    operations: ClassVar[dict[str, Operation]] = {
        "PUT": Operation(models.Lock, body=models.RenewedLock, errors=(403,)),
        "DELETE": Operation(status=204, errors=(403,)),
    }

    async def put(self, project: str, lock: str) -> None:
        """Let it go on."""
        given = self.body(models.RenewedLock)
        held = await self.run(self.hub.locks.renew, self.info, self.asker, lock, given.seconds)
        self.answer(_lock(held))

    async def delete(self, project: str, lock: str) -> None:
        """End it: one's own, or any of a project that one owns."""
        role = await self.run(self.hub.members.role, self.asker, self.info)
        await self.run(
            self.hub.locks.release,
            self.info,
            self.asker,
            lock,
            any_of_them=Need.OWNER.met_by(role),
        )
        self.set_status(204)


def _lock(held: TaskLock) -> models.Lock:
    return models.Lock(
        id=held.id,
        task=held.task,
        holder=held.holder,
        user=held.user,
        taken=held.taken,
        until=held.until,
    )


_LOCK = r"/api/v1/projects/(?P<project>[^/]+)/lock"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (_LOCK, LockHandler),
    (rf"{_LOCK}/(?P<lock>[^/]+)", OneLockHandler),
]
