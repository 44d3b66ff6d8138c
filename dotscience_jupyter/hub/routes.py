# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""All addresses that a hub serves."""

from __future__ import annotations

from . import original, s3
from .handlers import (
    account,
    admin,
    document,
    health,
    locks,
    projects,
    reading,
    streams,
    sync,
)
from .handlers.base import HubHandler
from .jupyterhub import handlers as jupyterhub

ROUTES: list[tuple[str, type[HubHandler]]] = [
    *account.ROUTES,
    *admin.ROUTES,
    *projects.ROUTES,
    *reading.ROUTES,
    *locks.ROUTES,
    *health.ROUTES,
    *document.ROUTES,
    *sync.ROUTES,
    *streams.ROUTES,
    *original.ROUTES,
    *s3.ROUTES,
    *jupyterhub.ROUTES,
]
