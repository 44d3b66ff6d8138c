# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who did what to which object when: append-only, every entry chained to the one before.

An entry's digest is an HMAC over the digest before it and everything the entry says. The key is
made from the hub's ``secret.key``, so that somebody who can write to the database, but not read
the data folder, can forge no entry. That the newest entries were cut off shows against a head
that was written down elsewhere (``hub audit verify`` prints it).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .database import HubDatabase
from .tables import AuditRow

_NOTHING = "0" * 64
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log."""

    sequence: int  # from 1
    time_ns: int  # since the epoch
    actor: str  # name of the user, or Audit.LOCAL or Audit.NOBODY
    action: str  # such as project.create
    object: str  # such as project:ID
    details: dict[str, Any]
    digest: str


class Audit:
    """The log of one hub.

    Parameters
    ----------
    database
        Where it is.
    key
        What the entries are signed with, 32 bytes.
    """

    LOCAL: Final = "(local)"
    """The actor of what is done on the hub's own machine, by who may read its data anyway."""

    NOBODY: Final = "(nobody)"
    """The actor of what somebody did who was not let in."""

    def __init__(
        self, database: HubDatabase, key: bytes, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock

    def append(
        self,
        actor: str,
        action: str,
        object: str,  # noqa: A002 - what it is
        details: Mapping[str, Any] | None = None,
        *,
        session: Session | None = None,
    ) -> None:
        """Add an entry, in the transaction that does what it tells of where one is given.

        Parameters
        ----------
        actor
            Name of the user, or :attr:`LOCAL` or :attr:`NOBODY`.
        action, object
            What was done to what, such as ``project.create`` and ``project:ID``.
        details
            JSON. No secret may be in it.
        session
            One of :meth:`HubDatabase.writing`.
        """
        if session is None:
            with self._database.writing() as own:
                self._append(own, actor, action, object, details or {})
        else:
            self._append(session, actor, action, object, details or {})

    def _append(
        self, session: Session, actor: str, action: str, subject: str, details: Mapping[str, Any]
    ) -> None:
        newest = session.scalars(
            select(AuditRow).order_by(AuditRow.sequence.desc()).limit(1)
        ).one_or_none()
        row = AuditRow(
            sequence=1 if newest is None else newest.sequence + 1,
            time_ns=str(self._clock()),
            actor=actor,
            action=action,
            object=subject,
            details=json.dumps(dict(details), sort_keys=True, separators=(",", ":")),
        )
        row.digest = self._digest(_NOTHING if newest is None else newest.digest, row)
        session.add(row)
        session.flush()

    def _digest(self, before: str, row: AuditRow) -> str:
        said = [before, row.sequence, row.time_ns, row.actor, row.action, row.object, row.details]
        text = json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def entries(self, *, offset: int = 0, limit: int = 100) -> tuple[list[AuditEntry], int]:
        """Return a page of entries, newest first, and how many there are."""
        query = select(AuditRow).order_by(AuditRow.sequence.desc()).offset(offset).limit(limit)
        with self._database.reading() as session:
            total = session.scalar(select(func.count()).select_from(AuditRow)) or 0
            return [_entry(row) for row in session.scalars(query)], total

    def verify(self, head: str = "") -> tuple[list[str], str]:
        """Recompute the chain; return what is wrong with it, and the digest of its newest entry.

        Parameters
        ----------
        head
            A digest that was the newest one's once: that it is still there is checked, too.
        """
        problems: list[str] = []
        before, expected, seen = _NOTHING, 1, not head
        with self._database.reading() as session:
            rows = session.scalars(
                select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=_PAGE)
            )
            for row in rows:
                if row.sequence != expected:
                    problems.append(
                        f"Entries {expected} to {row.sequence - 1} are missing: they were removed."
                    )
                elif not hmac.compare_digest(row.digest, self._digest(before, row)):
                    problems.append(
                        f"Entry {row.sequence} ({row.action} {row.object}) is not what was "
                        "written, or one before it is not."
                    )
                seen = seen or hmac.compare_digest(row.digest.encode(), head.encode())
                before, expected = row.digest, row.sequence + 1
        if not seen:
            problems.append(
                f"The entry with the digest {head} is not there any more: the log was cut."
            )
        return problems, before


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        row.sequence,
        int(row.time_ns),
        row.actor,
        row.action,
        row.object,
        json.loads(row.details),
        row.digest,
    )
