# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who may log in, and with what: passwords, API keys, access keys of S3."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import secrets
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from dotscience_jupyter.api.errors import ApiError

from . import onetime
from .audit import Audit
from .database import HubDatabase
from .limits import Attempts
from .onetime import OneTimePasswords
from .secret import Secret
from .tables import ApiKeyRow, S3KeyRow, UserRow

NAME = re.compile(r"[a-zA-Z0-9_\-]{1,64}")
KEY_PREFIX = "dsk_"
S3_KEY = re.compile(r"DS[0-9A-F]{18}")
"""What the id of an access key of S3 looks like."""

PASSWORD_LENGTH = 7
MOST_PASSWORD = 1000

_USED_EVERY = timedelta(minutes=10)  # how exactly the last use of a key is known
_REMEMBERED = 60.0  # seconds for which a password that was right needs no hashing again
_MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is logged in, or could be."""

    id: str
    name: str
    admin: bool


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What an admin is told of a user."""

    user: User
    disabled: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What is known of an API key or an S3 key without its secret."""

    id: str
    name: str
    created: datetime
    expires: datetime | None = None
    used: datetime | None = None


class Identity:
    """The users of a hub. Thread-safe; every method may block (a password takes 50 ms).

    Attributes
    ----------
    one_time : OneTimePasswords
        Those that were made up for somebody.
    """

    def __init__(
        self,
        database: HubDatabase,
        secret: Secret,
        audit: Audit,
        *,
        hasher: PasswordHasher | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._secret = secret
        self._audit = audit
        self._hasher = hasher or PasswordHasher()
        self._clock = clock
        self.one_time = OneTimePasswords(database, audit, clock)
        self._attempts = Attempts()
        self._own = secrets.token_bytes(32)
        self._remembering = threading.Lock()
        self._remembered: OrderedDict[bytes, float] = OrderedDict()

    # -- users ---------------------------------------------------------------------------------

    def create_user(
        self,
        name: str,
        password: str | None = None,
        *,
        admin: bool = False,
        one_time: bool = False,
        actor: str = Audit.LOCAL,
    ) -> User:
        """Add a user; without a password, only keys open the door.

        Parameters
        ----------
        one_time
            Whether the password logs in once only: see :meth:`log_in`.

        Raises
        ------
        ApiError
            409 ``exists`` if there is one (upper and lower case are one), 400 for a bad name or
            password.
        """
        if not NAME.fullmatch(name):
            raise ApiError(
                400,
                "invalid_request",
                "A user name has 1 to 64 letters (a-z), digits, '-' and '_'.",
            )
        hashed = None if password is None else self._kept(password, one_time)
        with self._database.writing() as session:
            if self._row(session, name) is not None:
                raise ApiError(409, "exists", f"There is a user {name} already.")
            row = UserRow(
                id=str(uuid.uuid4()),
                name=name,
                name_key=name.lower(),
                password=hashed,
                admin=admin,
                disabled=False,
                created=self._clock(),
            )
            session.add(row)
            self._audit.append(
                actor, "user.create", f"user:{name}", {"admin": admin}, session=session
            )
        return _user(row)

    def find_user(self, name: str) -> User | None:
        """Return the user of that name, disabled or not."""
        with self._database.reading() as session:
            row = self._row(session, name)
            return None if row is None else _user(row)

    def get_user(self, name: str) -> User:
        """Return the user of that name. Raise ApiError 404 where there is none."""
        user = self.find_user(name)
        if user is None:
            raise _no_user(name)
        return user

    def list_users(self) -> list[UserInfo]:
        """Return all users by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(UserRow).order_by(UserRow.name_key))
            return [UserInfo(_user(row), row.disabled, row.created) for row in rows]

    def count_users(self) -> int:
        """Return how many users there are."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(UserRow)) or 0

    def set_password(
        self, name: str, password: str, *, one_time: bool = False, actor: str = Audit.LOCAL
    ) -> None:
        """Replace a user's password; its keys stay. Raise ApiError 404, or 400 for a bad one."""
        hashed = self._kept(password, one_time)
        with self._database.writing() as session:
            self._needed(session, name).password = hashed
            self._audit.append(actor, "user.password", f"user:{name}", session=session)

    def set_disabled(self, name: str, disabled: bool, *, actor: str = Audit.LOCAL) -> None:
        """Lock a user out, at once and with all keys, or let it in again.

        Raises
        ------
        ApiError
            404 ``not_found``; 409 ``refused`` if no admin would be left.
        """
        with self._database.writing() as session:
            row = self._needed(session, name)
            was_admin = row.admin and not row.disabled
            row.disabled = disabled
            session.flush()
            self._require_admin(session, was_admin)
            action = "user.disable" if disabled else "user.enable"
            self._audit.append(actor, action, f"user:{row.name}", session=session)

    def set_admin(self, name: str, admin: bool, *, actor: str = Audit.LOCAL) -> None:
        """Make a user an admin, or no admin any more; errors as :meth:`set_disabled`."""
        with self._database.writing() as session:
            row = self._needed(session, name)
            was_admin = row.admin and not row.disabled
            row.admin = admin
            session.flush()
            self._require_admin(session, was_admin)
            details = {"admin": admin}
            self._audit.append(actor, "user.admin", f"user:{row.name}", details, session=session)

    def _require_admin(self, session: Session, was_admin: bool) -> None:
        """Refuse to lose the last admin; a hub under JupyterHub may have none of its own."""
        if not was_admin:
            return
        left = select(func.count()).select_from(UserRow).where(UserRow.admin, ~UserRow.disabled)
        if not session.scalar(left):
            raise ApiError(
                409,
                "refused",
                "This is the hub's only admin, so it stays one. Make another user an admin first.",
            )

    def _row(self, session: Session, name: str) -> UserRow | None:
        if not NAME.fullmatch(name):
            return None
        query = select(UserRow).where(UserRow.name_key == name.lower())
        return session.scalars(query).one_or_none()

    def _needed(self, session: Session, name: str) -> UserRow:
        row = self._row(session, name)
        if row is None:
            raise _no_user(name)
        return row

    # -- passwords -----------------------------------------------------------------------------

    def authenticate_basic(self, name: str, secret: str, address: str = "") -> User | None:
        """Return the user with that name and password or API key, or None.

        Parameters
        ----------
        address
            Of the client: wrong attempts are counted by name and address.

        Raises
        ------
        ApiError
            429 ``too_many_attempts`` after several wrong ones; ``details`` are seconds to wait.
        """
        if secret.startswith(KEY_PREFIX):
            user = self.authenticate_bearer(secret)
            return user if user is not None and user.name.lower() == name.lower() else None
        return self.authenticate_password(name, secret, address)

    def authenticate_password(self, name: str, password: str, address: str = "") -> User | None:
        """Return the user with that name and password, or None; see :meth:`authenticate_basic`."""
        who = f"{address} {name.lower()[:64]}"
        if wait := self._attempts.wait(who):
            raise ApiError(
                429,
                "too_many_attempts",
                f"There were too many wrong passwords. Try again in {wait:.0f} seconds.",
                f"{wait:.0f}",
            )
        with self._database.reading() as session:
            row = self._row(session, name)
        if not self._is_password(row, password) or row is None or row.disabled:
            self._attempts.failed(who)
            return None
        self._attempts.succeeded(who)
        return _user(row)

    def log_in(self, user: User, key_name: str) -> str:
        """Return a new API key for who came with the password.

        Raises
        ------
        ApiError
            401 if it was good for once, and that was.
        """
        self.one_time.refuse_used(user.id)
        _, key = self.create_key(user, key_name)
        # after the key: a hub that dies in between must not have ended the only way in
        self.one_time.use(user.id, user.name)
        return key

    def check_password(self, user: User, password: str) -> bool:
        """Whether that is the user's password."""
        with self._database.reading() as session:
            return self._is_password(self._row(session, user.name), password)

    @functools.cached_property
    def _nobody(self) -> str:
        # checked instead of a password where there is none, so that both take equally long
        return self._hasher.hash(secrets.token_hex(16))

    def _is_password(self, row: UserRow | None, password: str) -> bool:
        hashed = (
            self._nobody if row is None or row.password is None else onetime.plain(row.password)
        )
        if len(password) > MOST_PASSWORD:
            password = ""
        # clients of the original send the password with every request
        mark = hmac.new(self._own, f"{hashed}\0{password}".encode(), hashlib.sha256).digest()
        now = time.monotonic()
        with self._remembering:
            if self._remembered.get(mark, 0.0) > now:
                return True
        try:
            self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False
        with self._remembering:
            self._remembered[mark] = now + _REMEMBERED
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return True

    def _kept(self, password: str, one_time: bool) -> str:
        hashed = self._hash(password)
        return self.one_time.marked(hashed) if one_time else hashed

    def _hash(self, password: str) -> str:
        if not PASSWORD_LENGTH <= len(password) <= MOST_PASSWORD:
            raise ApiError(
                400,
                "invalid_request",
                f"A password has at least {PASSWORD_LENGTH} characters, "
                f"and at most {MOST_PASSWORD}.",
            )
        return self._hasher.hash(password)

    # -- API keys ------------------------------------------------------------------------------

    def create_key(
        self, user: User, name: str, *, expires: datetime | None = None, actor: str | None = None
    ) -> tuple[KeyInfo, str]:
        """Make an API key; return what is known of it and the key itself, now and never again."""
        _check_key_name(name)
        text = KEY_PREFIX + secrets.token_urlsafe(32)
        row = ApiKeyRow(
            id=str(uuid.uuid4()),
            user_id=user.id,
            name=name,
            digest=_digest(text),
            created=self._clock(),
            expires=expires,
        )
        with self._database.writing() as session:
            session.add(row)
            who = user.name if actor is None else actor
            self._audit.append(
                who, "key.create", f"user:{user.name}", {"id": row.id, "name": name},
                session=session,
            )  # fmt: skip
        return KeyInfo(row.id, row.name, row.created, row.expires), text

    def list_keys(self, user: User) -> list[KeyInfo]:
        """Return the API keys that open the door, oldest first."""
        query = (
            select(ApiKeyRow)
            .where(ApiKeyRow.user_id == user.id, ApiKeyRow.revoked.is_(None))
            .order_by(ApiKeyRow.created, ApiKeyRow.id)
        )
        with self._database.reading() as session:
            return [
                KeyInfo(row.id, row.name, row.created, row.expires, row.used)
                for row in session.scalars(query)
                if not _over(row.expires, self._clock())
            ]

    def revoke_key(self, user: User, id_: str, *, actor: str | None = None) -> None:
        """Make an API key worth nothing, at once. Raise ApiError 404 if the user has none such."""
        with self._database.writing() as session:
            row = session.get(ApiKeyRow, id_)
            if row is None or row.user_id != user.id or row.revoked is not None:
                raise ApiError(404, "not_found", f"{user.name} has no key with the id {id_}.")
            row.revoked = self._clock()
            who = user.name if actor is None else actor
            self._audit.append(
                who, "key.revoke", f"user:{user.name}", {"id": id_, "name": row.name},
                session=session,
            )  # fmt: skip

    def authenticate_bearer(self, token: str) -> User | None:
        """Return the user of an API key, or None."""
        if not token.startswith(KEY_PREFIX) or len(token) > 200:
            return None
        query = (
            select(ApiKeyRow, UserRow)
            .join(UserRow, UserRow.id == ApiKeyRow.user_id)
            .where(ApiKeyRow.digest == _digest(token))
        )
        now = self._clock()
        with self._database.reading() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            return None
        key, user = found
        if key.revoked is not None or user.disabled or _over(key.expires, now):
            return None
        if key.used is None or now - key.used > _USED_EVERY:
            with self._database.writing() as session:
                session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key.id).values(used=now))
        return _user(user)

    # -- access keys of S3 ---------------------------------------------------------------------

    def create_s3_key(
        self, user: User, name: str, *, actor: str | None = None
    ) -> tuple[KeyInfo, str]:
        """Make an access key; return it (``id`` is the access key id) and its secret, once."""
        _check_key_name(name)
        id_ = "DS" + secrets.token_hex(9).upper()
        text = secrets.token_urlsafe(30)
        row = S3KeyRow(
            id=id_,
            user_id=user.id,
            name=name,
            secret=self._secret.encrypt(text.encode(), f"s3:{id_}"),
            created=self._clock(),
        )
        with self._database.writing() as session:
            session.add(row)
            who = user.name if actor is None else actor
            details = {"id": id_, "name": name}
            self._audit.append(who, "s3key.create", f"user:{user.name}", details, session=session)
        return KeyInfo(row.id, row.name, row.created), text

    def list_s3_keys(self, user: User) -> list[KeyInfo]:
        """Return the access keys that are good, oldest first."""
        query = (
            select(S3KeyRow)
            .where(S3KeyRow.user_id == user.id, S3KeyRow.revoked.is_(None))
            .order_by(S3KeyRow.created, S3KeyRow.id)
        )
        with self._database.reading() as session:
            return [KeyInfo(row.id, row.name, row.created) for row in session.scalars(query)]

    def revoke_s3_key(self, user: User, id_: str, *, actor: str | None = None) -> None:
        """Make an access key worth nothing. Raise ApiError 404 if the user has none such."""
        with self._database.writing() as session:
            row = session.get(S3KeyRow, id_)
            if row is None or row.user_id != user.id or row.revoked is not None:
                raise ApiError(404, "not_found", f"{user.name} has no access key {id_}.")
            row.revoked = self._clock()
            row.secret = b""
            who = user.name if actor is None else actor
            details = {"id": id_, "name": row.name}
            self._audit.append(who, "s3key.revoke", f"user:{user.name}", details, session=session)

    def s3_secret(self, access_key_id: str) -> tuple[User, str] | None:
        """Return whose access key that is, and its secret; None if nobody's who may log in."""
        query = (
            select(S3KeyRow, UserRow)
            .join(UserRow, UserRow.id == S3KeyRow.user_id)
            .where(S3KeyRow.id == access_key_id[:32])
        )
        with self._database.reading() as session:
            found = session.execute(query).one_or_none()
        if found is None or found[0].revoked is not None or found[1].disabled:
            return None
        text = self._secret.decrypt(found[0].secret, f"s3:{found[0].id}")
        return None if text is None else (_user(found[1]), text.decode())


def _user(row: UserRow) -> User:
    return User(row.id, row.name, row.admin)


def _no_user(name: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no user {name[:64]}.")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _over(expires: datetime | None, now: datetime) -> bool:
    return expires is not None and expires <= now


def _check_key_name(name: str) -> None:
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ApiError(
            400, "invalid_request", "The name of a key has 1 to 100 printable characters."
        )
