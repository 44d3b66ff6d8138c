# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Logging in on a hub, and finding a project there by what people call it."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from .connection import Connection, Patience
from .credentials import Credentials, Login, clean_url
from .errors import RefusedError, SyncError
from .remote import Remote
from .synced import not_logged_in

_KEYS = {"id", "owner", "name"}
_PAGE = re.compile(r"/[A-Za-z0-9/_\-]{0,100}")  # it is the hub's, and people are to go there

PROJECT = "project"
DATASET = "dataset"

_TOGETHER = 4  # projects that a hub is asked about at once

SHORT = "hub:"
"""What stands for the address of the hub, where the user is logged in on one only.

In a single-user server of JupyterHub it is the hub that the server brings a token for.
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A project of a hub, or a dataset, as ``kind`` says."""

    remote: Remote
    kind: str


@dataclass(frozen=True, slots=True)
class Newest:
    """How many commits a project has, and its newest; ``created`` is None where it has none."""

    project: str
    commits: int
    created: datetime | None
    author: str
    message: str


def is_address(text: str) -> bool:
    """Whether a text names something on a hub."""
    return text.startswith(("http://", "https://", SHORT))


def login_page(url: str, *, patience: Patience | None = None) -> str:
    """Return the address of the page where a browser gets an API key; "" if none is known."""
    url = clean_url(url)
    connection = Connection(url, patience=patience)
    try:
        page = connection.json("GET", "/api/v1/login", again=False).get("page")
    except SyncError:  # what is wrong is told when somebody logs in
        return ""
    finally:
        connection.close()
    known = isinstance(page, str) and _PAGE.fullmatch(page)
    return f"{url}{page}" if known else ""


def log_in(
    url: str,
    user: str,
    password: str,
    *,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
) -> Login:
    """Exchange a password for an API key, and remember that. Raise SyncError."""
    url = clean_url(url)
    connection = Connection(url, patience=patience)
    try:
        document = {"user": user, "password": password, "name": f"login on {platform.node()}"}
        # a wrong password is counted, so it is not tried again by itself
        answer = connection.json("POST", "/api/v1/login", document, again=False)
    finally:
        connection.close()
    return _remember(url, answer.get("user"), answer.get("key"), credentials)


def log_in_with_key(
    url: str,
    key: str,
    *,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
) -> Login:
    """Ask whose an API key is, and remember it. Raise SyncError."""
    url = clean_url(url)
    connection = Connection(url, key, patience)
    try:
        answer = connection.json("GET", "/api/v1/user")
    except RefusedError as error:
        if error.status == 401:
            raise SyncError("unauthenticated", f"{url} does not know this API key.") from None
        raise
    finally:
        connection.close()
    return _remember(url, answer, key, credentials)


def _remember(url: str, user: Any, key: Any, credentials: Credentials | None) -> Login:
    name = user.get("name") if isinstance(user, dict) else None
    if not isinstance(name, str) or not isinstance(key, str):
        raise SyncError("damaged", f"What answers at {url} is not a hub of this kind.")
    login = Login(url, name, key)
    (credentials or Credentials()).put(login)
    return login


def find_project(
    address: str,
    *,
    create: bool = False,
    kind: str = PROJECT,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
) -> Remote:
    """Return the project that an address means.

    Parameters
    ----------
    address
        ``URL/OWNER/PROJECT``, ``URL/PROJECT`` for one's own, or ``URL/ID``; ``hub:`` in place of
        ``URL/`` for those who are logged in on one hub only.
    create
        Make it if it is not there; it is one's own then.
    kind
        ``project`` or ``dataset``: which is meant where both have the name, and is made.
    credentials, patience
        As :class:`.synced.Sync` has them.

    Raises
    ------
    SyncError
        ``not_logged_in``, ``invalid_url``, ``not_found``, or what the hub says.
    """
    login, name = _split(address, credentials or Credentials())
    connection = Connection(login.url, login.key, patience)
    try:
        # of those with one name the last counts
        items = sorted(_items(connection), key=lambda item: item["kind"] == kind)
        found = _choose(items, login.user, name)
        if create and (found is None or found["kind"] != kind):
            given = {"name": name.removeprefix(f"{login.user}/")}
            if kind != PROJECT:
                given["kind"] = kind
            made = connection.json("POST", "/api/v1/projects", given, again=False)
            if not made.keys() >= _KEYS:
                raise SyncError("damaged", f"What answers at {login.url} is not a hub.")
            found = made
    finally:
        connection.close()
    if found is None:
        raise SyncError(
            "not_found",
            f"There is no project {name!r} on {login.url}, or you may not see it. Nothing was "
            "changed. 'ds remote add --create' makes one.",
        )
    return _remote(login.url, found)


def list_projects(
    url: str,
    *,
    kind: str = PROJECT,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
) -> list[Remote]:
    """Return the projects on a hub that the user may see, one's own first, by name.

    Parameters
    ----------
    url
        The hub's address.
    kind
        ``project`` or ``dataset``: which of both.
    credentials, patience
        As :class:`.synced.Sync` has them.

    Raises
    ------
    SyncError
        ``not_logged_in``, or what the hub says.
    """
    found = list_all(url, credentials=credentials, patience=patience)
    return [each.remote for each in found if each.kind == kind]


def list_all(
    url: str, *, credentials: Credentials | None = None, patience: Patience | None = None
) -> list[Listed]:
    """Return the projects and the datasets on a hub, in the order of :func:`list_projects`."""
    login = _known(url, credentials)
    connection = Connection(login.url, login.key, patience)
    try:
        items = [item for item in _items(connection) if item["kind"] in (PROJECT, DATASET)]
    finally:
        connection.close()
    items.sort(key=lambda item: (item["owner"] != login.user, item["owner"], item["name"]))
    return [Listed(_remote(login.url, item), item["kind"]) for item in items]


def newest_commits(
    url: str,
    projects: Sequence[str],
    *,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
) -> list[Newest]:
    """Return what the newest commits of some projects are.

    It is for people who look for one of them, so a project of which the hub does not tell is left
    out.

    Parameters
    ----------
    url
        The hub's address.
    projects
        Their ids; few, since each is asked about.
    credentials, patience
        As :class:`.synced.Sync` has them.

    Raises
    ------
    SyncError
        ``invalid_url`` or ``not_logged_in``.
    """
    login = _known(url, credentials)
    connection = Connection(login.url, login.key, patience)
    try:
        with ThreadPoolExecutor(_TOGETHER, "dotscience-newest") as threads:
            found = threads.map(lambda project: _newest(connection, project), projects)
            return [each for each in found if each is not None]
    finally:
        connection.close()


def _newest(connection: Connection, project: str) -> Newest | None:
    path = f"/api/v1/projects/{quote(project, safe='')}/commits?limit=1"
    try:
        found = connection.json("GET", path)
        commit = next(iter(found["items"]), None)
        if commit is None:
            return Newest(project, 0, None, "", "")
        return Newest(
            project,
            int(found["total"]),
            datetime.fromisoformat(commit["created"]),
            str(commit["author"]),
            str(commit["message"]),
        )
    except (SyncError, KeyError, TypeError, ValueError):
        return None


def _known(url: str, credentials: Credentials | None) -> Login:
    """Return who the user is on a hub. Raise SyncError ``invalid_url`` or ``not_logged_in``."""
    url = clean_url(url)
    login = (credentials or Credentials()).get(url)
    if login is None:
        raise not_logged_in(url)
    return login


def _items(connection: Connection) -> list[dict[str, str]]:
    found = connection.json("GET", "/api/v1/projects").get("items")
    return [
        {key: str(item[key]) for key in _KEYS} | {"kind": str(item.get("kind", PROJECT))}
        for item in (found if isinstance(found, list) else [])
        if isinstance(item, dict) and item.keys() >= _KEYS
    ]


def _remote(url: str, item: dict[str, Any]) -> Remote:
    return Remote(url, str(item["id"]), f"{item['owner']}/{item['name']}")


def _split(address: str, credentials: Credentials) -> tuple[Login, str]:
    """Return the login on the hub that an address is on, and what it names there."""
    logins = credentials.all()
    if address.startswith(SHORT):
        own = credentials.of_server()
        if own is not None:
            logins = [login for login in logins if login.url == own.url]
        if len(logins) != 1:
            known = ", ".join(login.url for login in logins) or "none"
            raise SyncError(
                "not_logged_in" if not logins else "invalid_url",
                f"'{SHORT}' stands for the hub on which you are logged in, and there has to be "
                f"just one (there is: {known}). Give its whole address, or log in: 'ds login URL'.",
            )
        login, name = logins[0], address.removeprefix(SHORT)
    else:
        url = clean_url(address)
        # the longest first: a hub may be served below another one's address
        for login in sorted(logins, key=lambda each: -len(each.url)):
            if url.startswith(f"{login.url}/"):
                name = unquote(url.removeprefix(f"{login.url}/"))
                break
        else:
            if any(login.url == url for login in logins):
                raise _no_name(address)
            raise not_logged_in("/".join(url.split("/")[:3]))
    if not name:
        raise _no_name(address)
    return login, name


def _no_name(address: str) -> SyncError:
    return SyncError(
        "invalid_url",
        f"{address!r} names no project. It looks like https://hub.example.org/alice/project, or "
        f"{SHORT}project.",
    )


def _choose(items: list[dict[str, str]], user: str, name: str) -> dict[str, Any] | None:
    """Return the project that is called that: by owner and name, one's own by name, by id."""
    found = {item["id"]: item for item in items}
    found |= {item["name"]: item for item in items if item["owner"] == user}
    found |= {f"{item['owner']}/{item['name']}": item for item in items}
    return found.get(name)
