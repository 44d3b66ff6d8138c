# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every kind of identity that a hub is asked by, and what each of them may, said once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, RemoteDisconnected
from typing import Protocol

from hub_world import PASSWORD, Answer, RunningHub, basic

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.identity import User

Auth = tuple[str, str] | str | None

REFUSED = ("nobody", "wrong key", "wrong password", "revoked key", "expired key", "locked out")
"""Who is not let in."""

IDENTITIES = (*REFUSED, "stranger", "reader", "collaborator", "owner", "admin")

EXPECTED = {
    Need.PUBLIC: IDENTITIES,
    Need.USER: ("stranger", "reader", "collaborator", "owner", "admin"),
    Need.READ: ("reader", "collaborator", "owner", "admin"),
    Need.WRITE: ("collaborator", "owner", "admin"),
    Need.OWNER: ("owner", "admin"),
    Need.ADMIN: ("admin",),
}
"""Who may do what needs that."""


def let_in(running: RunningHub, project: str) -> None:
    """Let the reader and the collaborator into a project of the owner's."""
    services = running.services
    assert services is not None
    info = services.projects.get(project)
    assert info is not None
    services.members.add(info, _user(running, "reader"), "read")
    services.members.add(info, _user(running, "collaborator"))


def credentials(running: RunningHub) -> dict[str, Auth]:
    """What each identity sends; the users are added, none of them to any project."""
    services = running.services
    assert services is not None
    identity = services.identity
    for name in ("stranger", "reader", "collaborator", "owner", "locked-out"):
        running.user(name)
    owner = _user(running, "owner")
    revoked, revoked_text = identity.create_key(owner, "revoked")
    identity.revoke_key(owner, revoked.id)
    _, expired = identity.create_key(
        owner, "expired", expires=datetime.now(UTC) - timedelta(seconds=1)
    )
    identity.set_disabled("locked-out", True)
    found: dict[str, Auth] = {
        "nobody": None,
        "wrong key": "dsk_" + "x" * 43,
        "wrong password": ("owner", f"not {PASSWORD}"),
        "revoked key": revoked_text,
        "expired key": ("owner", expired),
        "locked out": running.user("locked-out"),
        "admin": running.admin_auth,
    }
    return found | {name: running.user(name) for name in IDENTITIES if name not in found}


class Ask(Protocol):
    """Asks a hub, as an identity."""

    def __call__(self, method: str, path: str, auth: Auth, body: bytes = b"") -> Answer: ...


@contextmanager
def asking(running: RunningHub) -> Iterator[Ask]:
    """Give what asks over one connection: a walk asks thousands of times."""
    with closing(HTTPConnection("127.0.0.1", running.port, timeout=30)) as connection:

        def ask(method: str, path: str, auth: Auth, body: bytes = b"") -> Answer:
            headers = {}
            if auth is not None:
                sent = basic(*auth) if isinstance(auth, tuple) else f"Bearer {auth}"
                headers["Authorization"] = sent
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
            except (RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                connection.close()  # the hub ended it after the answer before
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

        yield ask


def _user(running: RunningHub, name: str) -> User:
    running.user(name)
    assert running.services is not None
    return running.services.identity.get_user(name)
