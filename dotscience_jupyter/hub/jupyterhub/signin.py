# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The secrets of signing in with a browser, which the hub need not remember.

A browser that is sent to JupyterHub is given a random *seed* in a cookie. The state that goes to
JupyterHub and back (RFC 6749, section 10.12) and the verifier of the code (RFC 7636) are made from
it with the hub's own secret: a code that comes with another browser, or later, is worth nothing.
Who came back is written into a *ticket* in the page's form, readable for the hub alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dotscience_jupyter.hub.secret import Secret

SECONDS = 600
"""How long signing in may take, and how long a ticket is good."""

_ABOUT = "ticket of JupyterHub"
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a browser is sent to JupyterHub with.

    Attributes
    ----------
    seed : str
        For the cookie.
    state, challenge : str
        For the address.
    """

    seed: str
    state: str
    challenge: str


class SignIn:
    """Makes and checks them. Thread-safe; processes with one ``secret.key`` know each other's."""

    def __init__(self, secret: Secret, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._key = secret.key("JupyterHub sign-in")
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}  # tickets of this process, until they are worth nothing

    def begin(self) -> Beginning:
        """Return what a browser needs to sign in."""
        seed = secrets.token_urlsafe(32)
        until = f"{self._clock() + SECONDS:.0f}"
        challenge = _text(hashlib.sha256(self._verifier(seed).encode()).digest())
        return Beginning(seed, f"{until}.{self._state(seed, until)}", challenge)

    def verifier(self, seed: str, state: str) -> str | None:
        """Return the verifier for the code with which a browser came back.

        It is None if the state is not of this browser, or too old.
        """
        until, _, proof = state.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 16):
            return None
        good = hmac.compare_digest(self._state(seed, until).encode(), _bytes(proof))
        return self._verifier(seed) if good and int(until) > self._clock() else None

    def ticket(self, user: str) -> str:
        """Return what proves for a while that a user, given by id, has signed in."""
        document = {
            "user": user,
            "until": self._clock() + SECONDS,
            "once": secrets.token_urlsafe(16),
        }
        return _text(self._secret.encrypt(json.dumps(document).encode(), _ABOUT))

    def redeem(self, ticket: str) -> str | None:
        """Return the user of a ticket; None if it is none, too old, or was redeemed here."""
        if len(ticket) > _LONGEST:
            return None
        try:
            sealed = base64.urlsafe_b64decode(_bytes(ticket) + b"==")
        except ValueError:
            return None
        data = self._secret.decrypt(sealed, _ABOUT)
        if data is None:
            return None
        document = json.loads(data)
        now, until, once = self._clock(), float(document["until"]), str(document["once"])
        with self._lock:
            self._used = {each: end for each, end in self._used.items() if end > now}
            if until <= now or once in self._used:
                return None
            self._used[once] = until
        return str(document["user"])

    def _state(self, seed: str, until: str) -> str:
        return self._made(f"state {until} {seed}")

    def _verifier(self, seed: str) -> str:
        return self._made(f"verifier {seed}")

    def _made(self, what: str) -> str:
        return _text(hmac.new(self._key, _bytes(what), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
