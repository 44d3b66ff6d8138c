# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Signing in with a browser, for an API key: to JupyterHub, back, and a form.

The only cookie holds the browser's part of a sign-in under way; it is good for nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from tornado import web

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Body
from dotscience_jupyter.api.routes.base import Param
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.operations import Media, Operation

from . import pages
from .door import Door
from .signin import SECONDS

COOKIE = "dotscience-sign-in"
HTML = Media("text/html")
FORM = Media("application/x-www-form-urlencoded", {"type": "object"})
PAGE = "/login"
_CALLBACK = "/oauth_callback"
_KEY = "/login/key"
_REDIRECTED = Operation(status=302, errors=(403, 404))


class PageHandler(HubHandler):
    """Base of what a browser shows. Without JupyterHub there is no page."""

    problem: ClassVar[type[Body] | Media] = HTML

    door: Door

    def set_default_headers(self) -> None:
        """Keep the page out of frames, caches, and reach of other pages."""
        super().set_default_headers()
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", pages.POLICY)
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Referrer-Policy", "no-referrer")

    async def authenticate(self) -> User | None:
        """Ask nobody: who comes here has nothing yet to prove it with."""
        return None

    async def prepare(self) -> None:
        """Let nobody in but a person's browser that goes to this page."""
        await super().prepare()
        if self.hub.jupyterhub is None:
            raise web.HTTPError(404)
        self.door = self.hub.jupyterhub
        # a script of another user's page, which may share our origin, cannot forge these
        sent = self.request.headers
        mode, target = sent.get("Sec-Fetch-Mode"), sent.get("Sec-Fetch-Dest")
        # browsers leave them out where the connection is not encrypted
        is_odd = mode is None and self.is_encrypted
        if is_odd or mode not in (None, "navigate") or target not in (None, "document"):
            await self.refuse()
            raise ApiError(
                403,
                "forbidden",
                "This page is for a window of its own. Open its address in the browser.",
            )

    async def refuse(self) -> None:
        """Do what has to be done when the request is refused."""

    @property
    def is_encrypted(self) -> bool:
        """Whether the browser speaks TLS, with us or with a proxy."""
        scheme = urlsplit(self.hub.config.base_url).scheme or self.request.protocol
        return scheme == "https"

    def path(self, page: str) -> str:
        """Return the path of a page of ours, as browsers see it."""
        base = self.hub.config.base_url
        return f"{urlsplit(base).path.rstrip('/') if base else self.hub.config.prefix}{page}"

    def url(self) -> str:
        """Return how clients call the hub."""
        config = self.hub.config
        own = f"{self.request.protocol}://{self.request.host}{config.prefix}"
        return config.base_url or own

    def write_problem(self, error: ApiError) -> None:
        """Finish the page that tells of an error."""
        self.finish(pages.failed(error.message, self.path(PAGE)))


class LoginPageHandler(PageHandler):
    """Where signing in begins."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {"GET": _REDIRECTED}

    async def get(self) -> None:
        """Send the browser to JupyterHub."""
        settings = self.door.settings
        begun = self.door.sign_in.begin()
        self.set_cookie(
            COOKIE,
            begun.seed,
            path=self.path(_CALLBACK),
            max_age=SECONDS,
            httponly=True,
            secure=self.is_encrypted,
            samesite="Lax",
        )
        query = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": settings.redirect_uri,
            "state": begun.state,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        self.redirect(f"{settings.authorize_url}?{urlencode(query)}")


class CallbackHandler(PageHandler):
    """Where the browser comes back to."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(
            HTML,
            query=(
                Param("code", "As JupyterHub gave it to the browser"),
                Param("state", "As the browser was sent there with"),
            ),
            errors=(403, 404, 503),
        )
    }

    async def get(self) -> None:
        """Ask what the key is to be."""
        seed, state = self.get_cookie(COOKIE, ""), self.get_query_argument("state", "")
        code = self.get_query_argument("code", "")
        self.clear_cookie(COOKIE, path=self.path(_CALLBACK))
        verifier = self.door.sign_in.verifier(seed, state) if seed else None
        if verifier is None:
            await self.refuse()
            raise ApiError(
                403,
                "forbidden",
                "This is not the browser that began to sign in, or it took longer than ten "
                "minutes. Nothing was changed; begin again.",
            )
        if not code:
            raise ApiError(
                403, "forbidden", "JupyterHub did not let you sign in here. Nothing was changed."
            )
        token = await self.door.hub.exchange(code, verifier)
        user = await self.door.authenticate(token)
        if user is None:
            raise ApiError(403, "forbidden", "JupyterHub did not say who you are. Begin again.")
        ticket = self.door.sign_in.ticket(user.id)
        self.finish(pages.choose(user.name, self.path(_KEY), ticket))

    async def refuse(self) -> None:
        """Make the code worth nothing: who sent it here may know it."""
        if code := self.get_query_argument("code", ""):
            try:
                await self.door.hub.exchange(code, "refused")
            except ApiError:
                return


class MakeKeyHandler(PageHandler):
    """What the form is sent to."""

    needs: ClassVar[dict[str, Need]] = {"POST": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {
        "POST": Operation(HTML, 201, body=FORM, errors=(400, 403, 404))
    }

    async def post(self) -> None:
        """Make a key and show it."""
        name, days = self.get_body_argument("name", ""), self.get_body_argument("days", "")
        if days not in pages.DAYS:
            raise ApiError(400, "invalid_request", "For how long the key is good was not chosen.")
        id_ = self.door.sign_in.redeem(self.get_body_argument("ticket", ""))
        user = None if id_ is None else await self.run(self.door.people.by_id, id_)
        if user is None:
            raise ApiError(
                403,
                "forbidden",
                "This form was used already, or is older than ten minutes. No key was made; "
                "begin again.",
            )
        expires = datetime.now(UTC) + timedelta(days=int(days))
        _, key = await self.run(self.hub.identity.create_key, user, name, expires=expires)
        self.set_status(201)
        self.finish(pages.made(user.name, key, days, self.url()))


class RootHandler(PageHandler):
    """The hub's own address, which JupyterHub's menu of services leads to."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {"GET": _REDIRECTED}

    async def get(self) -> None:
        """Go on to the page for keys."""
        self.redirect(self.path(PAGE))


ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/", RootHandler),
    (PAGE, LoginPageHandler),
    (_CALLBACK, CallbackHandler),
    (_KEY, MakeKeyHandler),
]
