# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Names that move along the history: ``HEAD``, branches, what another store had when last seen."""

from __future__ import annotations

import re

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from .errors import ConflictError, RecordsError
from .graph import sequence_of
from .lines import head_moved
from .models import Ref

HEAD = "HEAD"

# with a slash, so that no name can be taken for the id of a commit
_NAME = re.compile(r"HEAD|[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+")
_LENGTH = 255


def is_name(text: str) -> bool:
    """Whether a text can be the name of a ref: ``HEAD``, or words with slashes between them."""
    return len(text) <= _LENGTH and _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raise RecordsError where a text cannot be the name of a ref."""
    if not is_name(name):
        raise RecordsError(
            f"{name[:80]!r} cannot be the name of a ref: names are HEAD, or words of letters, "
            f"digits, '_', '-' and '.' with slashes between them (branch/x), up to {_LENGTH} "
            "characters. Nothing was changed."
        )


def all_refs(session: Session) -> dict[str, str]:
    """Return the commit of every ref, by name."""
    rows = session.execute(select(Ref.name, Ref.commit_id).order_by(Ref.name))
    return {row[0]: row[1] for row in rows}


def ref_id(session: Session, name: str) -> str | None:
    """Return the id of the commit that a ref stands at, or None."""
    return session.scalar(select(Ref.commit_id).where(Ref.name == name))


def compare(name: str, now: str | None, expected: str | None) -> None:
    """Raise ConflictError where a ref does not stand where it is expected to."""
    if now == expected:
        return
    if name == HEAD:
        raise ConflictError(
            "Another program has made a commit in the meantime, so nothing was written. Try again."
        )
    raise ConflictError(
        f"{name} is at {now or 'no commit'} and not at {expected or 'no commit'} as was expected: "
        "another program moved it in the meantime. Nothing was written. Try again."
    )


def move(session: Session, name: str, commit: str | None) -> None:
    """Let a ref stand at a commit (whole id), or delete it.

    Raises
    ------
    RecordsError
        NotFoundError if there is no such commit; or if it is HEAD that would be deleted.
    """
    check_name(name)
    if commit is None:
        if name == HEAD:
            raise RecordsError("HEAD cannot be deleted: the records would have no newest commit.")
        session.execute(delete(Ref).where(Ref.name == name))
        return
    sequence_of(session, commit)
    if name == HEAD:
        head_moved(session, commit)
    point(session, name, commit)


def point(session: Session, name: str, commit: str) -> None:
    """Write down where a ref stands."""
    if ref_id(session, name) is None:
        session.execute(insert(Ref), {"name": name, "commit_id": commit})
    else:
        session.execute(update(Ref).where(Ref.name == name).values(commit_id=commit))
