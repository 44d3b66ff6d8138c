# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every route of the REST API, declared once.

The OpenAPI document is built from this table, the server's handlers read their parameters by it,
and a test holds that each entry has a handler and each handler an entry.
"""

from __future__ import annotations

from . import comparison, datasets, explore, history, merge, provenance, resources, sync
from .base import PATH, Param, Route, pattern, placeholders

__all__ = ["PATH", "ROUTES", "Param", "Route", "find_route", "pattern", "placeholders"]

ROUTES: tuple[Route, ...] = (
    *resources.ROUTES,
    *explore.ROUTES,
    *provenance.ROUTES,
    *comparison.ROUTES,
    *merge.ROUTES,
    *history.ROUTES,
    *sync.ROUTES,
    *datasets.ROUTES,
)


def find_route(method: str, path: str) -> Route:
    """Return the declaration of a verb on a path. Raise KeyError if there is none."""
    for route in ROUTES:
        if route.method == method and route.path == path:
            return route
    raise KeyError(f"{method} {path}")
