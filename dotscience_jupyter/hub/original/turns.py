# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Uploads that are under way, so that what the same user asks next of a dot waits for them.

The original's client sends a file, hangs up without reading the answer, and asks for a commit on
another connection at once. The commit must hold the file, so it waits for every upload to the same
branch that the same user began before it. Everything here happens on the event loop.
"""

from __future__ import annotations

import asyncio
import base64
import weakref

from dotscience_jupyter.hub.config import Services

PATIENCE = 600.0
"""Seconds for which a request waits for uploads."""

# the user and the branch; not the namespace: a shared dot may be named in either of two
_Key = tuple[str, str, str]


class Turn:
    """An upload from its first line on; :meth:`end` may be called more than once."""

    def __init__(self, turns: Turns, key: _Key) -> None:
        self._turns = turns
        self._key = key
        self.over = asyncio.Event()

    def end(self) -> None:
        """Let those who wait go on."""
        self.over.set()
        self._turns.forget(self._key, self)


class Turns:
    """The uploads of one hub."""

    def __init__(self) -> None:
        self._under_way: dict[_Key, list[Turn]] = {}

    def begin(self, user: str, dot: str, branch: str) -> Turn:
        """Note an upload, before it is known whether the user may do that."""
        key = (user.lower(), dot, branch)
        turn = Turn(self, key)
        self._under_way.setdefault(key, []).append(turn)
        return turn

    def forget(self, key: _Key, turn: Turn) -> None:
        """Take an upload that has ended out of the books."""
        others = self._under_way.get(key, [])
        if turn in others:
            others.remove(turn)
        if not others:
            self._under_way.pop(key, None)

    async def wait(self, user: str, dot: str, branch: str) -> bool:
        """Wait for the uploads that the user has begun until now; return whether they ended."""
        turns = list(self._under_way.get((user.lower(), dot, branch), ()))
        try:
            async with asyncio.timeout(PATIENCE):
                for turn in turns:
                    await turn.over.wait()
        except TimeoutError:
            return False
        return True


_TURNS: weakref.WeakKeyDictionary[Services, Turns] = weakref.WeakKeyDictionary()


def turns_of(services: Services) -> Turns:
    """Return the uploads of a hub."""
    return _TURNS.setdefault(services, Turns())


def claimed_user(authorization: str) -> str:
    """Return the user that a header of Basic credentials names, before anything is checked."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip()).partition(b":")[0].decode("utf-8", "replace")
    except ValueError:
        return ""
