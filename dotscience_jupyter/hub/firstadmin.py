# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The first admin of a hub, who is never lost: neither by a start that failed nor by a missed line.

A password that is made up logs in once. Until somebody has used it, it may be that nobody ever
read it, so that another start makes up another one.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta

from dotscience_jupyter.api.errors import ApiError

from .config import Services, log

ADMIN = "admin"
VARIABLE = "DOTSCIENCE_ADMIN_PASSWORD"

_OTHERS = timedelta(minutes=1)  # so long a password is that of another process, which starts too


def first_admin(hub: Services) -> str | None:
    """Make an admin where there is none yet; return the password if it was made up.

    Raises
    ------
    ApiError
        If the password that the environment gives is too short.
    """
    identity = hub.identity
    given = os.environ.get(VARIABLE)
    user = identity.find_user(ADMIN)
    unused = None if user is None else identity.one_time.unused_for(user.id)
    if unused is not None:
        return _again(hub, given, unused >= _OTHERS)
    if any(each.user.admin and not each.disabled for each in identity.list_users()):
        _say_if_ignored(hub, given)
        return None
    password = given or secrets.token_urlsafe(15)
    try:
        identity.create_user(ADMIN, password, admin=True, one_time=not given)
    except ApiError as error:
        if error.code != "exists":
            raise
        if not identity.get_user(ADMIN).admin:
            log.warning(
                "This hub has no admin: the user called %s is none. Make one with "
                "`jupyter dotscience hub user add NAME --admin`.",
                ADMIN,
            )
        return None  # else another process was faster
    return None if given else password


def _again(hub: Services, given: str | None, old: bool) -> str | None:
    """Replace a password that nobody has used; return the new one if it was made up."""
    if given:
        hub.identity.set_password(ADMIN, given)
        return None
    if not old:
        log.info(
            "The first admin's password was made up less than a minute ago, by another start. "
            "Where nobody saw it: start the hub again in a minute, and it shows another one."
        )
        return None
    password = secrets.token_urlsafe(15)
    hub.identity.set_password(ADMIN, password, one_time=True)
    return password


def _say_if_ignored(hub: Services, given: str | None) -> None:
    user = hub.identity.find_user(ADMIN)
    if given and (user is None or not hub.identity.check_password(user, given)):
        log.warning(
            "%s is set, but not used: this hub has an admin already. Passwords are replaced with "
            "`jupyter dotscience hub user password NAME`.",
            VARIABLE,
        )
