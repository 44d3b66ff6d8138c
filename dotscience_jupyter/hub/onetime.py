# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Passwords that were made up for somebody, and do nothing but log in, once.

In the database a word in front of a password's hash tells of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from dotscience_jupyter.api.errors import ApiError

from .audit import Audit
from .database import HubDatabase
from .tables import UserRow

_UNUSED = "first:"  # and the second since 1970 in which it was made up
_USED = "used:"


def plain(kept: str) -> str:
    """Return the hash of any password without what is in front of it."""
    return kept.rpartition(":")[2]  # a hash has no colon


class OneTimePasswords:
    """The passwords of a hub's users that are good for one login."""

    def __init__(self, database: HubDatabase, audit: Audit, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def marked(self, hashed: str) -> str:
        """Return what is kept of such a password."""
        return f"{_UNUSED}{self._clock().timestamp():.0f}:{hashed}"

    def unused_for(self, user_id: str) -> timedelta | None:
        """Return how long nobody used a user's; None if there is none such."""
        kept = self._kept(user_id)
        if not kept.startswith(_UNUSED):
            return None
        return self._clock() - datetime.fromtimestamp(int(kept.split(":")[1]), UTC)

    def refuse(self, user_id: str) -> None:
        """Raise ApiError 401 if a user's password is one, for all but logging in."""
        if self._kept(user_id).startswith((_UNUSED, _USED)):
            raise ApiError(
                401,
                "one_time_password",
                "The password that was made up for the first admin only logs in, once: "
                "`jupyter dotscience login` gets an API key for it. Use that key, or replace the "
                "password.",
            )

    def refuse_used(self, user_id: str) -> None:
        """Raise ApiError 401 if a user's password is one that has logged in."""
        if self._kept(user_id).startswith(_USED):
            raise ApiError(
                401,
                "one_time_password",
                "This password was good for one login, and somebody has used it. If that was not "
                "you, or the API key is lost, `jupyter dotscience hub user password NAME` on the "
                "hub's machine sets another one.",
            )

    def use(self, user_id: str, name: str) -> None:
        """Note that a user has logged in, if the password is one."""
        kept = self._kept(user_id)
        if not kept.startswith(_UNUSED):
            return
        with self._database.writing() as session:
            session.execute(
                update(UserRow)
                .where(UserRow.id == user_id, UserRow.password == kept)
                .values(password=_USED + plain(kept))
            )
            self._audit.append(name, "user.first_login", f"user:{name}", session=session)

    def _kept(self, user_id: str) -> str:
        with self._database.reading() as session:
            return session.get_one(UserRow, user_id).password or ""
