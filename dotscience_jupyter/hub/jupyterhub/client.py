# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What JupyterHub knows: whose a token is, and what it is good for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from dotscience_jupyter.api.errors import ApiError

from .settings import ADMIN_SCOPE, JupyterHubSettings

_CONNECT = 5.0
_ANSWER = 15.0
_LONGEST_ANSWER = 1 << 20
_MOST = 10_000  # tokens that are remembered
_AT_ONCE = 16  # questions that wait for an answer; a flood of wrong tokens is not passed on
_TOKEN = re.compile(r"[\x21-\x7e]{8,512}")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose a token is.

    Attributes
    ----------
    name : str
        At JupyterHub.
    is_user : bool
        Whether it is a person's, not another service's.
    may_enter : bool
        Whether it has a scope that opens this hub.
    is_admin : bool
        Whether it has the scope of admins.
    """

    name: str
    is_user: bool
    may_enter: bool
    is_admin: bool


class JupyterHub:
    """Questions to JupyterHub; answers are remembered for a short time.

    Used on one event loop.
    """

    def __init__(
        self, settings: JupyterHubSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._own = secrets.token_bytes(32)
        # no token is kept, only what tells that it is the same one
        self._known: OrderedDict[bytes, tuple[float, Caller | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Caller | None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def who(self, token: str) -> Caller | None:
        """Return whose a token is; None if JupyterHub does not know it.

        Raises
        ------
        ApiError
            503 ``jupyterhub`` if it cannot be asked.
        """
        if not _TOKEN.fullmatch(token):
            return None
        mark = hmac.new(self._own, token.encode(), hashlib.sha256).digest()
        until, caller = self._known.get(mark, (0.0, None))
        if until > self._clock():
            return caller
        # requests that come at once with one token ask once
        task = self._asking.get(mark)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(token))
            self._asking[mark] = task
            task.add_done_callback(lambda done: self._answered(mark, done))
        return await asyncio.shield(task)

    def _answered(self, mark: bytes, task: asyncio.Task[Caller | None]) -> None:
        del self._asking[mark]
        if task.cancelled() or task.exception() is not None:
            return
        self._known.pop(mark, None)
        self._known[mark] = (self._clock() + self.settings.cache, task.result())
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    async def _ask(self, token: str) -> Caller | None:
        async with self._turns:
            answer = await self._fetch(
                HTTPRequest(
                    f"{self.settings.api_url}/user",
                    headers={"Authorization": f"token {token}", "Accept": "application/json"},
                )
            )
        # it says 403 of tokens that it does not know
        if answer.code in (401, 403):
            return None
        found = _document(answer)
        name, kind, scopes = found.get("name"), found.get("kind", "user"), found.get("scopes")
        if not isinstance(name, str) or not isinstance(scopes, list):
            raise _odd()
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            return None  # nobody to whom a name can be given here
        held = {scope for scope in scopes if isinstance(scope, str)}
        return Caller(
            name,
            is_user=kind == "user",
            may_enter=bool(held & self.settings.access_scopes),
            is_admin=ADMIN_SCOPE in held,
        )

    async def exchange(self, code: str, verifier: str) -> str:
        """Return the token for a code with which a browser came back.

        Parameters
        ----------
        code
            As JupyterHub gave it to the browser.
        verifier
            The secret of RFC 7636 (PKCE) whose digest the browser was sent there with.

        Raises
        ------
        ApiError
            403 ``forbidden`` if JupyterHub does not accept the code, 503 ``jupyterhub`` if it
            cannot be asked.
        """
        body = urlencode(
            {
                "grant_type": "authorization_code",
                "client_id": self.settings.client_id,
                "client_secret": self.settings.api_token,
                "redirect_uri": self.settings.redirect_uri,
                "code": code,
                "code_verifier": verifier,
            }
        )
        answer = await self._fetch(
            HTTPRequest(
                f"{self.settings.api_url}/oauth2/token",
                method="POST",
                body=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        )
        if 400 <= answer.code < 500:
            raise ApiError(
                403,
                "forbidden",
                "JupyterHub did not confirm that it was you who signed in; it may have taken too "
                "long. Nothing was changed; begin again.",
            )
        token = _document(answer).get("access_token")
        if not isinstance(token, str):
            raise _odd()
        return token

    async def _fetch(self, request: HTTPRequest) -> HTTPResponse:
        """Return the answer, which may tell of an error. Raise ApiError if there is none."""
        request.follow_redirects = False
        request.connect_timeout, request.request_timeout = _CONNECT, _ANSWER
        client = AsyncHTTPClient(force_instance=True, max_body_size=_LONGEST_ANSWER)
        try:
            answer = await client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError, ValueError) as error:
            raise _away(str(error)) from None
        finally:
            client.close()
        # 599 is tornado's own word for an answer that did not come
        if answer.code >= 500:
            raise _away(str(answer.error))
        return answer


def _document(answer: HTTPResponse) -> dict[str, Any]:
    if answer.code != 200:
        raise _odd()
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _odd() from None
    if not isinstance(found, dict):
        raise _odd()
    return found


def _away(why: str) -> ApiError:
    return ApiError(
        503,
        "jupyterhub",
        "JupyterHub, which knows who you are, cannot be asked at the moment. Nothing was changed; "
        "try again in a moment. API keys of this hub go on working.",
        f"JupyterHub cannot be asked: {why}",
    )


def _odd() -> ApiError:
    return ApiError(
        503,
        "jupyterhub",
        "JupyterHub, which knows who you are, gave an answer that is not understood. Nothing was "
        "changed. Whoever runs this hub finds more in its log.",
        "JupyterHub's answer is none of its REST API; check JUPYTERHUB_API_URL.",
    )
