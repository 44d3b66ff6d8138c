# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tasks that have a project to themselves: while one does, nobody uploads or changes it in place.

A lock is a lease: it ends by itself unless it is renewed, so that a task that died holds up nobody
for long. What the task made arrives by a push of the user who took the lock; other users' commits
wait on their machines until it ends, so that the task's build upon what it began with.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dotscience_jupyter.api.errors import ApiError

from .audit import Audit
from .database import HubDatabase
from .identity import User
from .project import ProjectInfo
from .tables import TaskLockRow, UserRow

MOST_TEXT = 100


@dataclass(frozen=True, slots=True)
class TaskLock:
    """A lock that counts now."""

    id: str
    task: str
    holder: str
    user_id: str
    user: str  # name
    taken: datetime
    until: datetime

    @property
    def problem(self) -> ApiError:
        """What somebody else is told who would change the project."""
        return ApiError(
            423,
            "locked",
            f"The task {self.task} of {self.holder} has this workspace to itself until "
            f"{self.until:%Y-%m-%d %H:%M:%S} UTC, or until it is done. Nothing was changed; try "
            "again then.",
            self.task,
        )

    @property
    def push_problem(self) -> ApiError:
        """What somebody else is told who would push."""
        return ApiError(
            423,
            "locked",
            f"The task {self.task} of {self.holder} has this project to itself until "
            f"{self.until:%Y-%m-%d %H:%M:%S} UTC, or until it is done, so your commits were not "
            "taken in. They are kept where they were made; push again then.",
            self.task,
        )


class TaskLocks:
    """The locks of a hub. Thread-safe; processes may share its database."""

    def __init__(
        self,
        database: HubDatabase,
        audit: Audit,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def find(self, info: ProjectInfo) -> TaskLock | None:
        """Return the lock that a project is under now."""
        with self._database.reading() as session:
            return self._find(session, info)

    def require_free(self, info: ProjectInfo) -> None:
        """Raise ApiError 423 ``locked`` while a task has the project to itself."""
        held = self.find(info)
        if held is not None:
            raise held.problem

    def require_push(self, info: ProjectInfo, user: User) -> None:
        """Raise ApiError 423 ``locked`` while a task of somebody else has the project to itself."""
        held = self.find(info)
        if held is not None and held.user_id != user.id:
            raise held.push_problem

    def take(
        self, info: ProjectInfo, user: User, task: str, seconds: int, holder: str = ""
    ) -> tuple[TaskLock, bool]:
        """Let a task have a project to itself for a while.

        Parameters
        ----------
        user
            Who asks.
        task
            Its id. If the same user's same task has the lock already, it is renewed.
        seconds
            Until it ends by itself.
        holder
            Who others are told of; the user if it is empty.

        Returns
        -------
        lock : TaskLock
        taken : bool
            False if it was renewed.

        Raises
        ------
        ApiError
            423 ``locked`` while another task has it; 400 for texts that cannot be told.
        """
        _check_text("task", task)
        _check_text("holder", holder or user.name)
        now = self._clock()
        with self._database.writing() as session:
            held = self._find(session, info)
            if held is not None and (held.user_id, held.task) != (user.id, task):
                raise held.problem
            if held is not None:
                return self._renew(session, info, held, seconds), False
            session.execute(delete(TaskLockRow).where(TaskLockRow.project_id == info.id))
            row = TaskLockRow(
                project_id=info.id,
                id=str(uuid.uuid4()),
                user_id=user.id,
                holder=holder or user.name,
                task=task,
                taken=now,
                until=now + timedelta(seconds=seconds),
            )
            session.add(row)
            self._note(session, user, "lock.take", info, row.task)
            session.flush()
        return _lock(row, user.name), True

    def renew(self, info: ProjectInfo, user: User, id_: str, seconds: int) -> TaskLock:
        """Let a lock go on for so many seconds from now.

        Raises
        ------
        ApiError
            404 if there is no such lock (any more), 403 if it is another user's.
        """
        with self._database.writing() as session:
            held = self._needed(session, info, id_)
            if held.user_id != user.id:
                raise ApiError(403, "forbidden", f"This lock is one of {held.user}.")
            return self._renew(session, info, held, seconds)

    def release(self, info: ProjectInfo, user: User, id_: str, *, any_of_them: bool) -> None:
        """End a lock.

        Parameters
        ----------
        any_of_them
            Whether it may be another user's.

        Raises
        ------
        ApiError
            As :meth:`renew`.
        """
        with self._database.writing() as session:
            held = self._needed(session, info, id_)
            if held.user_id != user.id and not any_of_them:
                raise ApiError(
                    403,
                    "forbidden",
                    f"This lock is one of {held.user}. The project's owner may end it as well.",
                )
            session.execute(delete(TaskLockRow).where(TaskLockRow.project_id == info.id))
            self._note(session, user, "lock.release", info, held.task)

    def _find(self, session: Session, info: ProjectInfo) -> TaskLock | None:
        query = (
            select(TaskLockRow, UserRow.name)
            .join(UserRow, UserRow.id == TaskLockRow.user_id)
            .where(TaskLockRow.project_id == info.id, TaskLockRow.until > self._clock())
        )
        found = session.execute(query).one_or_none()
        return None if found is None else _lock(*found)

    def _needed(self, session: Session, info: ProjectInfo, id_: str) -> TaskLock:
        held = self._find(session, info)
        if held is None or held.id != id_:
            raise ApiError(
                404, "not_found", "There is no such lock any more: it ended, or was released."
            )
        return held

    def _renew(self, session: Session, info: ProjectInfo, held: TaskLock, seconds: int) -> TaskLock:
        row = session.get_one(TaskLockRow, info.id)
        row.until = self._clock() + timedelta(seconds=seconds)
        return _lock(row, held.user)

    def _note(
        self, session: Session, user: User, action: str, info: ProjectInfo, task: str
    ) -> None:
        about = f"{info.kind}:{info.id}"
        self._audit.append(user.name, action, about, {"task": task}, session=session)


def _lock(row: TaskLockRow, user: str) -> TaskLock:
    return TaskLock(row.id, row.task, row.holder, row.user_id, user, row.taken, row.until)


def _check_text(what: str, text: str) -> None:
    if not 1 <= len(text) <= MOST_TEXT or not text.isprintable() or not text.strip():
        raise ApiError(
            400,
            "invalid_request",
            f"The {what} of a lock has 1 to {MOST_TEXT} characters that can be seen.",
        )
