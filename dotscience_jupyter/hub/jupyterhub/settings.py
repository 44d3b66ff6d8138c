# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What JupyterHub tells a service about itself: the variables of its environment.

See `JupyterHub's documentation <https://jupyterhub.readthedocs.io/en/stable/reference/services.html>`_;
a service that JupyterHub does not start itself is given the same ones by whoever starts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dotscience_jupyter.api.errors import ApiError

CACHE = 30.0
"""Seconds for which what JupyterHub says of a token is believed."""

ADMIN_SCOPE = "custom:dotscience:admin"
"""The scope of a token that may do what an admin of the hub may."""


@dataclass(frozen=True, slots=True)
class JupyterHubSettings:
    """Where JupyterHub is, and who this service is to it.

    Attributes
    ----------
    api_url : str
        Of its REST API, for this process; no ``/`` at the end.
    api_token : str
        The service's own, which is the secret of its OAuth client as well.
    service : str
        The service's name; who may use it has the scope ``access:services!service=NAME``.
    client_id : str
        Of OAuth.
    prefix : str
        What the paths of requests begin with, as ``/services/NAME``; "" for nothing.
    authorize_url : str
        Where browsers sign in.
    redirect_uri : str
        Where they come back to.
    cache : float
        Seconds for which what it says of a token is believed.
    """

    api_url: str
    api_token: str = field(repr=False)
    service: str
    client_id: str
    prefix: str
    authorize_url: str
    redirect_uri: str
    cache: float = CACHE

    @property
    def access_scopes(self) -> frozenset[str]:
        """Scopes of which a token needs one to be good for anything here."""
        return frozenset({"access:services", f"access:services!service={self.service}"})


def from_environment(environment: Mapping[str, str], cache: float = CACHE) -> JupyterHubSettings:
    """Return what the environment says.

    Raises
    ------
    ApiError
        If it is not that of a service.
    """
    needed = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_NAME")
    missing = [name for name in needed if not environment.get(name)]
    if missing:
        raise ApiError(
            400,
            "not_a_service",
            f"The hub is to be a service of JupyterHub, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set. JupyterHub sets them for services "
            "that it starts; for one that you start yourself, set them as docs/jupyterhub.md says.",
        )
    api_url, token, service = (environment[name] for name in needed)
    if urlsplit(api_url).scheme not in ("http", "https"):
        raise ApiError(
            400, "invalid_request", "JUPYTERHUB_API_URL is no address: it begins with http(s)://."
        )
    base = environment.get("JUPYTERHUB_BASE_URL") or "/"
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX") or f"{base}services/{service}/"
    prefix = prefix.rstrip("/")
    host = environment.get("JUPYTERHUB_HOST", "").rstrip("/")
    # of JupyterHub 5 and later, where its administrator said how it is reached
    public = environment.get("JUPYTERHUB_PUBLIC_HUB_URL") or f"{host}{base}hub/"
    return JupyterHubSettings(
        api_url=api_url.rstrip("/"),
        api_token=token,
        service=service,
        client_id=environment.get("JUPYTERHUB_CLIENT_ID") or f"service-{service}",
        prefix=prefix,
        authorize_url=f"{public.rstrip('/')}/api/oauth2/authorize",
        redirect_uri=environment.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{prefix}/oauth_callback",
        cache=cache,
    )


def service_address(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """Return where JupyterHub wants the service to listen; None if it does not say."""
    try:
        parts = urlsplit(environment.get("JUPYTERHUB_SERVICE_URL", ""))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if host and port else None


def public_url(environment: Mapping[str, str]) -> str:
    """Return how clients call the service, "" if JupyterHub does not know."""
    return environment.get("JUPYTERHUB_PUBLIC_URL", "").rstrip("/")
