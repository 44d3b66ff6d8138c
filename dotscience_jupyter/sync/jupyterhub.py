# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Users of JupyterHub on a hub of ours: what they are called there, and their servers' tokens."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

URL = "DOTSCIENCE_HUB_URL"
"""The environment variable with which an administrator tells single-user servers of the hub."""

TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
USER = "JUPYTERHUB_USER"

LONGEST = 64
"""Characters of a user's name on a hub."""

_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_HASHED = "--h"


def hub_name(name: str) -> str:
    """Return what a user of JupyterHub is called on a hub; no two users are called the same.

    Small letters (a-z), digits, ``_`` and ``-`` are themselves. Everything else is, byte by byte
    of its UTF-8, ``--`` and two hexadecimal digits (``ada@example.org`` is
    ``ada--40example--2eorg``); so is a ``-`` that has another one or such an escape behind it. Of
    what would be longer than a name may be, the beginning is kept and ``--h`` with the SHA-256
    takes the place of the rest.
    """
    parts = []
    for at, here in enumerate(name):
        after = name[at + 1 : at + 2]
        # a single '-' before anything that begins with '--' would be read as a part of that
        if here in _KEPT or (here == "-" and (after == "" or after in _KEPT)):
            parts.append(here)
        else:
            data = here.encode("utf-8", "surrogatepass")
            parts.append("".join(f"--{byte:02x}" for byte in data))
    text = "".join(parts)
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]
    mark = _HASHED + base64.b32encode(digest).decode().rstrip("=").lower()
    return text[: LONGEST - len(mark)] + mark


def server_token(environment: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return the hub's URL, the user's name there and the token that a single-user server has.

    It is None anywhere else, and where no administrator told of a hub.
    """
    url, token, user = (environment.get(name, "").strip() for name in (URL, TOKEN, USER))
    return (url, hub_name(user), token) if url and token and user else None
