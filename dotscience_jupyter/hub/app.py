# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub as a program: its settings, its listeners, its start and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_data_dir
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets
from traitlets import Bool, Enum, Float, Integer, List, Unicode, default
from traitlets.config import Application

from dotscience_jupyter._version import __version__
from dotscience_jupyter.api.errors import ApiError

from . import logs, origins
from .config import Config, Services, log
from .firstadmin import first_admin
from .handlers.base import SMALL_BODY, HubHandler, NotFound
from .handlers.preflight import PreflightHandler
from .jupyterhub.settings import CACHE, from_environment, public_url, service_address
from .routes import ROUTES
from .storage import CACHE as STORAGE_CACHE
from .storage import GRACE as STORAGE_GRACE

PORT = 8770
_IDLE_SECONDS = 120.0  # without a request, or in the middle of its head
_LOOK_EVERY = 0.05
_MOST_HEADERS = 1 << 20  # beyond that the connection is closed without an answer
_MOST_LOGGED = 1000  # characters of an address


class HubApplication(web.Application):
    """The addresses, with what is the same for all of them."""

    def __init__(self, hub: Services) -> None:
        self.hub = hub
        routes = list(ROUTES)
        if prefix := re.escape(hub.config.prefix):
            routes += [(prefix + pattern, handler) for pattern, handler in ROUTES]
        super().__init__(routes, hub=hub, default_handler_class=NotFound)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Find who answers, also for a target in absolute form (RFC 9112, section 3.2.2)."""
        for scheme in ("http://", "https://"):
            if request.uri is not None and request.uri.lower().startswith(scheme):
                _, slash, rest = request.uri[len(scheme) :].partition("/")
                request.uri = slash + rest if slash else "/"
                request.path, _, request.query = request.uri.partition("?")
        if request.method == "OPTIONS" and self.hub.config.allow_origins:
            return self.get_handler_delegate(request, PreflightHandler)
        return super().find_handler(request, **kwargs)

    def log_request(self, handler: web.RequestHandler) -> None:
        """Log a request and count it."""
        request, status = handler.request, handler.get_status()
        seconds = request.request_time()
        name = type(handler).__name__
        method = request.method or ""
        known = method if method in handler.SUPPORTED_METHODS else "other"
        self.hub.metrics.request(known, name, status, seconds)
        user = handler.user.name if isinstance(handler, HubHandler) and handler.user else ""
        log.log(
            logging.WARNING if status >= 500 else logging.INFO,
            "%s %s %s %.3f s %s",
            method,
            request.path[:_MOST_LOGGED],
            status,
            seconds,
            user,
            extra={
                "method": method,
                "path": request.path[:_MOST_LOGGED],
                "status": status,
                "seconds": round(seconds, 4),
                "user": user,
                "address": request.remote_ip,
            },
        )


class _Server(HTTPServer):
    """Believes what proxies say of their clients only where the proxy is one of ours."""

    def start_request(self, server_conn: object, request_conn: Any) -> Any:
        if request_conn.context.remote_ip in (self.trusted_downstream or ()):
            return super().start_request(server_conn, request_conn)
        application = cast(web.Application, self.request_callback)
        return application.start_request(server_conn, request_conn)

    @property
    def is_writing(self) -> bool:
        """Whether a part of an answer is still to be sent."""
        return any(connection.stream.writing() for connection in self._connections)


class HubServer:
    """A hub that listens. All methods are called on its event loop.

    Parameters
    ----------
    hub
        Opened, and closed by whoever opened it.
    trusted_proxies
        Addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """

    def __init__(
        self,
        hub: Services,
        *,
        tls: ssl.SSLContext | None = None,
        trusted_proxies: list[str] | None = None,
    ) -> None:
        self.hub = hub
        self._tls = tls
        self._server = _Server(
            HubApplication(hub),
            ssl_options=tls,
            xheaders=True,
            trusted_downstream=trusted_proxies,
            max_body_size=SMALL_BODY,
            idle_connection_timeout=_IDLE_SECONDS,
            max_header_size=_MOST_HEADERS,
        )
        self._sockets: list[socket.socket] = []
        self.port = 0

    def listen(self, ip: str, port: int) -> None:
        """Begin to serve; ``port`` 0 takes a free one. Raise ApiError if it cannot be had."""
        self.bind(ip, port)
        self.start()

    def bind(self, ip: str, port: int) -> None:
        """Take an address, where clients wait until :meth:`start`. Raise ApiError as above."""
        try:
            self._sockets = bind_sockets(port, ip)
        except OSError as error:
            raise ApiError(
                500,
                "address_in_use",
                f"The hub cannot listen at {ip}:{port}: {error.strerror or error}. "
                "Choose another address with --ip and --port.",
            ) from None
        self.port = self._sockets[0].getsockname()[1]

    def start(self) -> None:
        """Begin to answer."""
        self._server.add_sockets(self._sockets)

    def url(self, ip: str) -> str:
        """Return where the hub is reached from this machine."""
        everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - told
        host = everywhere.get(ip, f"[{ip}]" if ":" in ip else ip)
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def stop(self, grace: float) -> None:
        """Accept nothing new, let requests end for ``grace`` seconds, then close connections."""
        self._server.stop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while (self.hub.active or self._server.is_writing) and loop.time() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
        await self._server.close_all_connections()


class Hub(Application):
    """A server that keeps a team's projects; it never executes user code."""

    name = "dotscience-hub"
    description = "A server that keeps a team's projects."
    version = __version__

    ip = Unicode(help="Address to listen at.").tag(config=True)
    port = Integer(help="Port to listen at; 0 for any free one.").tag(config=True)
    data = Unicode(help="Data folder.").tag(config=True)
    db = Unicode("", help="URL of a PostgreSQL database; SQLite in the data folder without.").tag(
        config=True
    )
    storage = Unicode(
        "", help="s3://BUCKET/PREFIX or zfs:POOL/ROOT for content; the data folder without."
    ).tag(config=True)
    storage_endpoint = Unicode("", help="URL of the S3 service, if not Amazon's.").tag(config=True)
    storage_cache = Integer(
        STORAGE_CACHE, help="Bytes of content in S3 of which the data folder keeps copies."
    ).tag(config=True)
    storage_grace = Float(
        STORAGE_GRACE, help="Seconds for which content that nothing needs stays in S3."
    ).tag(config=True)
    certfile = Unicode("", help="TLS certificate with its chain, PEM.").tag(config=True)
    keyfile = Unicode("", help="Key of the certificate, PEM.").tag(config=True)
    base_url = Unicode("", help="How clients call the hub, if not by its address.").tag(config=True)
    trusted_proxies = List(
        Unicode(), help="Addresses of proxies whose X-Forwarded-For is believed."
    ).tag(config=True)
    max_body = Integer(1 << 40, help="Bytes of one upload at most.").tag(config=True)
    allow_origins = List(
        Unicode(), help="Origins of pages of other sites that may read from the hub (CORS)."
    ).tag(config=True)
    rate = Float(200.0, help="Requests a second and key; 0 for no limit.").tag(config=True)
    burst = Float(1000.0, help="Requests that may be made at once with a key.").tag(config=True)
    workers = Integer(32, help="Threads that answer requests.").tag(config=True)
    grace = Float(30.0, help="Seconds that requests have to end when the hub stops.").tag(
        config=True
    )
    jupyterhub = Bool(
        False, help="Serve as the service of JupyterHub that the environment says."
    ).tag(config=True)
    jupyterhub_cache = Float(
        CACHE, help="Seconds for which what JupyterHub says of a token is believed."
    ).tag(config=True)
    log_style = Enum(["text", "json"], "text", help="Form of the log's lines.").tag(config=True)

    @default("data")
    def _data(self) -> str:
        return os.path.join(jupyter_data_dir(), "dotscience-hub")

    @default("ip")
    def _ip(self) -> str:
        address = service_address(os.environ) if self.jupyterhub else None
        return address[0] if address else "127.0.0.1"

    @default("port")
    def _port(self) -> int:
        address = service_address(os.environ) if self.jupyterhub else None
        return address[1] if address else PORT

    def services(self, *, upgrade: bool = False, serving: bool = False) -> Services:
        """Open the data folder and the database as configured.

        Parameters
        ----------
        upgrade
            Whether an older database is migrated.
        serving
            Whether requests are to be answered; only then has JupyterHub to be there.

        Raises
        ------
        ApiError
            If that cannot be done, or something is asked for that this version does not have.
        """
        jupyterhub = None
        base_url = self.base_url.rstrip("/")
        if self.jupyterhub and serving:
            jupyterhub = from_environment(os.environ, self.jupyterhub_cache)
            base_url = base_url or public_url(os.environ)
        config = Config(
            data=Path(self.data).absolute(),
            db=database_url(self.db),
            base_url=base_url,
            prefix=jupyterhub.prefix if jupyterhub else urlsplit(base_url).path,
            jupyterhub=jupyterhub,
            allow_origins=origins.checked(self.allow_origins),
            max_body=self.max_body,
            rate=self.rate,
            burst=self.burst,
            workers=self.workers,
            storage=self.storage,
            storage_endpoint=self.storage_endpoint,
            storage_cache=self.storage_cache,
            storage_grace=self.storage_grace,
            # a user can be added without its credentials
            storage_check=serving,
        )
        return Services.open(config, upgrade=upgrade)

    def tls(self) -> ssl.SSLContext | None:
        """Return the context for TLS, None if none is configured. Raise ApiError if it is bad."""
        if not self.certfile and not self.keyfile:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certfile, self.keyfile or None)
        except (OSError, ssl.SSLError) as error:
            raise ApiError(
                400,
                "bad_certificate",
                f"The certificate {self.certfile!r} with the key {self.keyfile!r} cannot be used: "
                f"{error}. The hub was not started.",
            ) from None
        return context

    def serve(self, ready: Callable[[str, str | None], None]) -> None:
        """Serve until SIGTERM or SIGINT.

        Parameters
        ----------
        ready
            Called once the hub listens, with its URL and the first admin's password where one
            was made up.
        """
        logs.set_up(self.log_style)
        tls = self.tls()
        hub = self.services(serving=True)
        try:
            asyncio.run(self._serve(hub, tls, ready))
        finally:
            hub.close()

    async def _serve(
        self,
        hub: Services,
        tls: ssl.SSLContext | None,
        ready: Callable[[str, str | None], None],
    ) -> None:
        server = HubServer(hub, tls=tls, trusted_proxies=list(self.trusted_proxies))
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        server.bind(self.ip, self.port)
        # only now: a password of a start that fails would not be shown. Under JupyterHub
        # everybody comes from there, and so do admins
        password = None if self.jupyterhub else first_admin(hub)
        ready(hub.config.base_url or server.url(self.ip), password)
        server.start()
        await stop.wait()
        log.info("Stopping; requests have %.0f seconds to end", self.grace)
        await server.stop(self.grace)


def database_url(text: str) -> str:
    """Return the URL with the driver that we bring along, where it names none."""
    if not text:
        return ""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ApiError(
            400,
            "invalid_request",
            "The database's URL cannot be understood. It looks like "
            "postgresql://USER:PASSWORD@HOST/DATABASE.",
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)
