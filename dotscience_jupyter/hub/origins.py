# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which pages of other sites may read from the hub (CORS): none, unless its settings name them.

A page that may gets nothing without a key or a signature that it brings itself: browsers are never
told to send along what they remember (there is no ``Access-Control-Allow-Credentials``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dotscience_jupyter.api.errors import ApiError

EVERYBODY = "*"

_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_NAMES = re.compile(r"[A-Za-z0-9\-, ]{1,2000}")  # of headers
_OPEN = ("/api/v1/", "/s3/")  # the REST API and S3; no page of ours, and nothing of the original
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REMEMBERED = 600  # seconds for which browsers need not ask again


def checked(origins: Sequence[str]) -> tuple[str, ...]:
    """Return origins as browsers write them. Raise ApiError 400 for a text that is none."""
    found = tuple(origin.strip().lower().rstrip("/") for origin in origins)
    for origin in found:
        if origin != EVERYBODY and not _ORIGIN.fullmatch(origin):
            raise ApiError(
                400,
                "invalid_request",
                f"allow_origins: {origin!r} is no origin. One looks like https://app.example.org "
                "or http://localhost:3000, without a path; '*' means all. The hub was not started.",
            )
    return found


def headers(
    origins: Sequence[str], path: str, origin: str | None, wanted: str | None = None
) -> Mapping[str, str]:
    """Return the headers that let a page read an answer; none for most.

    Parameters
    ----------
    origins
        That are let in, as :func:`checked` gives them.
    path
        Of the request, without what a proxy has put before it.
    origin
        Of the page, as its browser says.
    wanted
        Where a browser asks what it may: the names of the headers that the page would send, "" for
        none. None for any other request.
    """
    if not origins or not f"{path}/".startswith(_OPEN):
        return {}
    everybody = EVERYBODY in origins
    # what is kept on the way for one page must not be given to another
    found = {} if everybody else {"Vary": "Origin"}
    if origin is None or not (everybody or origin.lower() in origins):
        return found
    found["Access-Control-Allow-Origin"] = EVERYBODY if everybody else origin
    if wanted is None:
        found["Access-Control-Expose-Headers"] = "*"
        return found
    found["Access-Control-Allow-Methods"] = _METHODS
    found["Access-Control-Max-Age"] = str(_REMEMBERED)
    if _NAMES.fullmatch(wanted):
        found["Access-Control-Allow-Headers"] = wanted
    return found
