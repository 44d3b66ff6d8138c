# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Who the user is on which hub: a file in the user's own configuration, never in a workspace."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock, Timeout
from jupyter_core.paths import jupyter_config_dir

from .errors import SyncError
from .jupyterhub import URL, server_token

FILE = "dotscience-hubs.json"
_FORMAT = 1
_LOCK_SECONDS = 10.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Login:
    """A user of a hub and the API key that says so."""

    url: str
    user: str
    key: str

    def __repr__(self) -> str:
        """Return the login without its key, so that no log ever holds one."""
        return f"Login({self.url!r}, {self.user!r})"


class Credentials:
    """The logins of this user of the machine, readable by nobody else.

    Parameters
    ----------
    path
        The file; by default in Jupyter's configuration folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(jupyter_config_dir()) / FILE

    def all(self) -> list[Login]:
        """Return every login, by URL; that of JupyterHub's server first.

        Raises
        ------
        SyncError
            If the file cannot be read, or the server's address is none.
        """
        found = self._kept()
        own = self.of_server()
        # who logged in by themselves on the same hub meant to be that user
        if own is not None and all(login.url != own.url for login in found):
            found.insert(0, own)
        return found

    def of_server(self) -> Login | None:
        """Return the login that a single-user server of JupyterHub brings along; kept nowhere.

        Raises
        ------
        SyncError
            If what its administrator said is no address.
        """
        given = server_token(os.environ)
        if given is None:
            return None
        url, user, token = given
        try:
            return Login(clean_url(url), user, token)
        except SyncError as error:
            raise SyncError(
                "invalid_url",
                f"{error.message} It is in the environment variable {URL}, which JupyterHub's "
                "administrator sets.",
            ) from None

    def _kept(self) -> list[Login]:
        try:
            with open(self.path, encoding="utf-8") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(str(error)) from None
        if os.name == "posix" and mode & 0o077:
            raise SyncError(
                "unreadable",
                f"The file with your API keys can be read by others, so it is not used: "
                f"{self.path}. Do 'chmod 600' on it, and revoke the keys if others may have seen "
                "them.",
            )
        try:
            document = json.loads(text)
            if document["format"] != _FORMAT:
                raise self._unreadable("a newer version of dotscience-jupyter wrote it")
            return [
                Login(url, str(each["user"]), str(each["key"]))
                for url, each in sorted(document["hubs"].items())
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._unreadable("it is not as it was written") from None

    def get(self, url: str) -> Login | None:
        """Return the login on a hub, or None."""
        return next((login for login in self.all() if login.url == url), None)

    def put(self, login: Login) -> None:
        """Remember a login in place of an older one. Raise SyncError if that cannot be written."""
        with self._changing() as logins:
            logins[login.url] = login

    def remove(self, url: str) -> Login | None:
        """Forget the login on a hub and return it; None if there is none.

        Raises
        ------
        SyncError
            ``not_logged_in`` if it is the one that JupyterHub's server brings along.
        """
        with self._changing() as logins:
            found = logins.pop(url, None)
        own = self.of_server()
        if found is None and own is not None and own.url == url:
            raise SyncError(
                "not_logged_in",
                f"Nobody logged in on {url}: this server of JupyterHub has its own token for it. "
                "There is nothing to forget.",
            )
        return found

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Login]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(f"{self.path}.lock", timeout=_LOCK_SECONDS):
                logins = {login.url: login for login in self._kept()}
                yield logins
                self._write(logins)
        except (OSError, Timeout) as error:
            raise SyncError(
                "unreadable",
                f"The file with your API keys cannot be written ({error}). Nothing was changed.",
            ) from None

    def _write(self, logins: dict[str, Login]) -> None:
        document = {
            "format": _FORMAT,
            "hubs": {each.url: {"user": each.user, "key": each.key} for each in logins.values()},
        }
        temporary = f"{self.path}.new"
        if os.path.lexists(temporary):  # of somebody who was killed; we hold the lock
            os.unlink(temporary)
        # made with these permissions: there is no moment at which others could open it
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)

    def _unreadable(self, why: str) -> SyncError:
        return SyncError(
            "unreadable",
            f"The file with your API keys, {self.path}, cannot be read: {why}. Nothing was "
            "changed. Move it away and log in again.",
        )


def clean_url(text: str) -> str:
    """Return the one form of a hub's URL.

    Raises
    ------
    SyncError
        If it is none, or holds a user, a password or a query, which have no place there.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    scheme = parts.scheme.lower()
    plain = all(" " < each != "\x7f" for each in text.strip())
    if scheme not in _PORTS or not host or parts.query or parts.fragment or not plain:
        raise SyncError(
            "invalid_url",
            f"{text!r} is not the address of a hub. It looks like https://hub.example.org or "
            "http://localhost:8888.",
        )
    if parts.username is not None or parts.password is not None:
        raise SyncError(
            "invalid_url",
            "The address of a hub does not hold a name or a password. Leave them out, and say "
            "who you are with 'login'.",
        )
    where = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        where += f":{port}"
    return urlunsplit((scheme, where, parts.path.rstrip("/"), "", ""))


def is_exposed(url: str) -> bool:
    """Whether what is sent to a hub can be read on its way: not encrypted, to another machine."""
    return urlsplit(url).scheme == "http" and not is_local(url)


def is_local(url: str) -> bool:
    """Whether a hub is on this machine, as its address tells."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")
