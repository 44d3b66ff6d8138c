# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hubs that the user of this machine knows: who they are there, and what projects there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from dotscience_jupyter.sync import (
    Credentials,
    Login,
    OfflineError,
    Patience,
    RefusedError,
    SyncError,
    clean_url,
    is_exposed,
    list_all,
    log_in,
    log_in_with_key,
    newest_commits,
    not_logged_in,
)

from . import models
from .errors import ApiError

ATTEMPTS = 2
"""How often a hub is asked while somebody waits; what goes on by itself has more patience."""

MOST_NEWEST = 40
"""Projects whose newest commits are asked for at once; a list shows no more of them."""

_STATUS = {
    "invalid_url": 400,
    "not_found": 404,
    "unreadable": 500,
    "stopped": 503,
    "damaged": 502,
    "untrusted": 502,
}


@contextmanager
def translated_sync(clean: Callable[[str], str] = str) -> Iterator[None]:
    """Turn what sync raises into errors of the API.

    The hub's own 401 and 403 must not look as if this server had refused the user.
    """
    try:
        yield
    except SyncError as error:
        status = 409 if isinstance(error, RefusedError) else _STATUS.get(error.code, 409)
        if isinstance(error, OfflineError):
            status = 502
        raise ApiError(status, error.code, clean(error.message)) from error


def hubs() -> models.HubLogins:
    """Return the hubs on which the user of this machine is logged in. Raise ApiError."""
    with translated_sync():
        return models.HubLogins(items=[_login(login) for login in Credentials().all()])


def log_in_on(wanted: models.LogIn) -> models.HubLogin:
    """Log in on a hub and remember it; a password is kept nowhere.

    Raises
    ------
    ApiError
        400 ``invalid_url``, 409 ``unauthenticated``, 502 ``offline``, or what the hub says.
    """
    patience = Patience(attempts=ATTEMPTS)
    key = wanted.key.get_secret_value().strip()
    with translated_sync():
        if key:
            return _login(log_in_with_key(wanted.url, key, patience=patience))
        password = wanted.password.get_secret_value()
        return _login(log_in(wanted.url, wanted.user, password, patience=patience))


def log_out_on(wanted: models.LogOut) -> models.HubLogins:
    """Forget who the user is on a hub, and return the hubs that are left.

    The key goes on to work for whoever else has it; it is revoked on the hub.

    Raises
    ------
    ApiError
        400 ``invalid_url``, 409 ``not_logged_in``, 500 ``unreadable``.
    """
    with translated_sync():
        url = clean_url(wanted.url)
        if Credentials().remove(url) is None:
            raise not_logged_in(url)
    return hubs()


def projects(url: str, datasets: bool = False) -> models.HubProjects:
    """Return the projects of a hub that the user may see, their own first, by name.

    Parameters
    ----------
    url
        The hub's address.
    datasets
        Whether datasets are among them.

    Raises
    ------
    ApiError
        400 ``invalid_url``, 409 ``not_logged_in``, 502 ``offline``, or what the hub says.
    """
    return _listed(url, {"project", "dataset"} if datasets else {"project"})


def datasets(url: str) -> models.HubProjects:
    """Return the datasets of a hub that the user may see. Raise ApiError as :func:`projects`."""
    return _listed(url, {"dataset"})


def _listed(url: str, kinds: Collection[str]) -> models.HubProjects:
    with translated_sync():
        found = list_all(url, patience=Patience(attempts=ATTEMPTS))
    return models.HubProjects(
        items=[
            models.HubProject(
                project=each.remote.project,
                name=each.remote.name,
                kind="dataset" if each.kind == "dataset" else "project",
            )
            for each in found
            if each.kind in kinds
        ]
    )


def newest(url: str, projects: str) -> models.NewestCommits:
    """Return the newest commits of some projects of a hub.

    Parameters
    ----------
    url
        The hub's address.
    projects
        The ids of at most :data:`MOST_NEWEST` projects, with commas between.

    Raises
    ------
    ApiError
        400 ``invalid_request`` or ``invalid_url``, 409 ``not_logged_in``.
    """
    wanted = list(dict.fromkeys(filter(None, projects.split(","))))
    if len(wanted) > MOST_NEWEST:
        raise ApiError(400, "invalid_request", f"At most {MOST_NEWEST} projects are asked about.")
    with translated_sync():
        found = newest_commits(url, wanted, patience=Patience(attempts=1))
    return models.NewestCommits(
        items=[
            models.NewestCommit(
                project=each.project,
                commits=each.commits,
                created=each.created,
                author=each.author,
                message=each.message,
            )
            for each in found
        ]
    )


def known(url: str) -> Login:
    """Return who the user is on a hub. Raise SyncError ``invalid_url`` or ``not_logged_in``."""
    url = clean_url(url)
    login = Credentials().get(url)
    if login is None:
        raise not_logged_in(url)
    return login


def _login(login: Login) -> models.HubLogin:
    return models.HubLogin(url=login.url, user=login.user, exposed=is_exposed(login.url))
