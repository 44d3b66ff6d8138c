# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who comes in with a token of JupyterHub, and as whom."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.sync.jupyterhub import hub_name

from .client import Caller, JupyterHub
from .people import People
from .settings import JupyterHubSettings
from .signin import SignIn

# what JupyterHub makes up as a token; passwords of users here do not look like that, so that
# they are not shown to JupyterHub
_MADE = re.compile(r"[0-9a-f]{32}")


class Door:
    """Where JupyterHub's users come in.

    Parameters
    ----------
    settings
        Of JupyterHub.
    people
        Who is who.
    sign_in
        Secrets of browsers that sign in.
    run
        Does something that blocks in a thread.
    """

    def __init__(
        self,
        settings: JupyterHubSettings,
        people: People,
        sign_in: SignIn,
        run: Callable[[Callable[[str], User], str], Awaitable[User]],
    ) -> None:
        self.settings = settings
        self.hub = JupyterHub(settings)
        self.people = people
        self.sign_in = sign_in
        self._run = run

    async def authenticate(self, token: str) -> User | None:
        """Return the user of a token; None if JupyterHub does not know it.

        Raises
        ------
        ApiError
            403 ``forbidden`` if it is not good for this hub or not a person's; 403 ``disabled``
            or ``name_taken``; 503 ``jupyterhub`` if JupyterHub cannot be asked.
        """
        caller = await self.hub.who(token)
        return None if caller is None else await self._enter(caller)

    async def authenticate_basic(self, name: str, secret: str) -> User | None:
        """Return the user if a name and what goes for its password are theirs; errors as above.

        The name is the one at JupyterHub, or the one here.
        """
        if not _MADE.fullmatch(secret):
            return None
        caller = await self.hub.who(secret)
        if caller is None or name.lower() not in (caller.name.lower(), hub_name(caller.name)):
            return None
        return await self._enter(caller)

    async def _enter(self, caller: Caller) -> User:
        service = self.settings.service
        if not caller.is_user:
            raise ApiError(
                403,
                "forbidden",
                "This token of JupyterHub is a service's, and only its users are known here. "
                "Nothing was done. Services use an API key of the hub: hub key add USER.",
            )
        if not caller.may_enter:
            raise ApiError(
                403,
                "forbidden",
                "Your token of JupyterHub is not good for this hub, so nothing was done: it lacks "
                f"the scope access:services!service={service}. An administrator of JupyterHub adds "
                "it to the roles 'user' and 'server'; then restart your server.",
            )
        user = await self._run(self.people.user, caller.name)
        return replace(user, admin=user.admin or caller.is_admin)
