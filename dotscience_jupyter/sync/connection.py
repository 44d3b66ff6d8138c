# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests to a hub: tried again where that can help, refused answers as errors in words.

Every request that is sent here may be sent twice: what a hub has taken in already it passes over.
"""

from __future__ import annotations

import errno
import io
import json
import os
import random
import ssl
import threading
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from dotscience_jupyter._version import __version__

from .credentials import is_local
from .errors import OfflineError, RefusedError, SyncError
from .jupyterhub import TOKEN
from .trust import untrusted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_T = TypeVar("_T")

_CONNECT = 10.0
_READ = 300.0  # a hub that takes in much is silent for long
_BUSY = frozenset({429, 502, 503, 504})
_LONGEST_ANSWER = 1 << 26
_LONGEST_WAIT = 120.0
_BLOCK = 1 << 18


@dataclass(slots=True)
class Patience:
    """How long a request is tried.

    Parameters
    ----------
    attempts
        How many times, when nothing at all succeeds in between.
    first, longest
        Seconds to wait after the first failure; they double up to the longest.
    stopped
        Set to give up at once.
    tell
        Told why it waits, whenever it does.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 16.0
    stopped: threading.Event = field(default_factory=threading.Event)
    tell: Callable[[OfflineError], None] | None = None

    def run(self, what: Callable[[], _T]) -> _T:
        """Do something until it succeeds. Raise the last OfflineError when that takes too long."""
        failed = 0
        while True:
            self.check()
            try:
                return what()
            except OfflineError as error:
                failed += 1
                self.wait(failed, error)

    def check(self) -> None:
        """Raise SyncError if whoever waits for this wants it to end."""
        if self.stopped.is_set():
            raise SyncError("stopped", "It was stopped. What was moved is kept.")

    def wait(self, failed: int, error: OfflineError) -> None:
        """Wait before the next attempt; raise the error if there have been enough."""
        if failed >= self.attempts:
            raise error
        if self.tell is not None:
            self.tell(error)
        self.stopped.wait(max(min(error.after, _LONGEST_WAIT), self.pause(failed)))
        self.check()

    def pause(self, failed: int) -> float:
        """Return how many seconds to wait after so many failures; others wait a little more."""
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - it keeps clients apart, no secret
        return float(min(self.longest, self.first * 2 ** (failed - 1)) * spread)


class Body(io.RawIOBase):
    """An answer as it arrives; that the connection is cut is an OSError, as with any file."""

    def __init__(self, answer: urllib3.BaseHTTPResponse, count: Callable[[int], None]) -> None:
        super().__init__()
        self._answer = answer
        self._count = count

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what there is, at most what fits; 0 at the end only."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._answer.read(len(view), decode_content=False)
        except (HTTPError, OSError) as error:
            raise OSError(f"the connection to the hub was lost ({_reason(error)})") from error
        view[: len(data)] = data
        self._count(len(data))
        return len(data)


class Connection:
    """Requests to one hub. Thread-safe.

    Parameters
    ----------
    url
        The hub's address, as :func:`.credentials.clean_url` gives it.
    key
        An API key; "" before one is known.
    patience
        How long to try.

    Attributes
    ----------
    sent, received, requests
        Bytes of bodies, and how many requests there were.
    """

    def __init__(self, url: str, key: str = "", patience: Patience | None = None) -> None:
        self.url = url
        self.patience = patience or Patience()
        self.sent = self.received = self.requests = 0
        self._headers = {"User-Agent": f"dotscience-jupyter/{__version__}"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._has_server_token = bool(key) and key == os.environ.get(TOKEN)
        self._pool = _pool(url)

    def close(self) -> None:
        """Let go of open connections."""
        self._pool.clear()

    def json(
        self, method: str, path: str, document: object = None, *, again: bool = True
    ) -> dict[str, Any]:
        """Ask, and return the answer's document.

        Parameters
        ----------
        method, path
            What is asked; the path below the hub's URL.
        document
            What is said.
        again
            Whether to try again where that may help.

        Raises
        ------
        SyncError
            OfflineError, or RefusedError with what the hub said.
        """
        body = None if document is None else json.dumps(document).encode()
        return parsed(self.post(path, body, "application/json", method=method, again=again))

    def post(
        self,
        path: str,
        body: bytes | BinaryIO | Generator[bytes] | None,
        kind: str,
        *,
        method: str = "POST",
        again: bool = True,
    ) -> bytes:
        """Send a body (a file from its beginning) and return the answer's; raise as json does.

        Of a generator, which cannot be sent again, also what that raises is raised.
        """

        def attempt() -> bytes:
            with self._open(method, path, body, kind) as answer:
                data = _all(answer)
            self.received += len(data)
            return data

        return self.patience.run(attempt) if again else attempt()

    @contextmanager
    def stream(self, path: str, document: object) -> Iterator[BinaryIO]:
        """Ask, and give the answer's body as it arrives; it is not tried again.

        Raises
        ------
        SyncError
            As :meth:`json`. That the connection is cut meanwhile is an OSError of reading.
        """
        body = json.dumps(document).encode()
        with self._open("POST", path, body, "application/json") as answer:
            raw = Body(answer, self._arrived)
            yield io.BufferedReader(raw, 1 << 18)

    def _arrived(self, count: int) -> None:
        self.received += count

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | Generator[bytes] | None,
        kind: str,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        headers = dict(self._headers)
        size = 0
        if body is not None:
            headers["Content-Type"] = kind
        if isinstance(body, Generator):
            body = self._counted(body)
        elif body is not None:
            size = len(body) if isinstance(body, bytes) else _size(body)
            headers["Content-Length"] = str(size)
        self.requests += 1
        try:
            answer = self._pool.request(
                method,
                f"{self.url}{path}",
                body=body,
                headers=headers,
                preload_content=False,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
            )
        except (HTTPError, OSError) as error:
            raise self._offline(error) from error
        self.sent += size
        whole = False
        try:
            if answer.status >= 300:
                raise self._refused(answer)
            yield answer
            whole = True
        except HTTPError as error:
            raise self._offline(error) from error
        finally:
            if whole:
                answer.release_conn()
            else:
                answer.close()  # what is left of it must not be read as the next answer

    def _counted(self, parts: Generator[bytes]) -> Generator[bytes]:
        for part in parts:
            self.sent += len(part)
            yield part

    def _offline(self, error: Exception) -> SyncError:
        if (doubt := untrusted(self.url, error)) is not None:
            return doubt
        text = (
            f"The hub {self.url} cannot be reached ({_reason(error)}). Nothing is lost: what is "
            "committed is here, and goes there the next time."
        )
        if self.url.startswith("http:") and _was_cut(error):
            text += " If this is always so: does its address begin with https://?"
        return OfflineError(text)

    def _refused(self, answer: urllib3.BaseHTTPResponse) -> SyncError:
        status = answer.status
        try:
            document = parsed(_all(answer))
        except SyncError:
            document = {}
        text = str(document.get("message") or "")[:2000]
        if status in _BUSY:
            try:
                after = float(answer.headers.get("Retry-After", 0))
            except ValueError:
                after = 0.0
            return OfflineError(
                text or f"The hub {self.url} is busy (status {status}). Try again later.",
                code="busy",
                after=after,
            )
        if status == 401 and self._has_server_token:
            text = (
                f"The hub {self.url} does not accept this server's token of JupyterHub; it may "
                "have been revoked. Nothing was moved. Restart your server, from JupyterHub's "
                "control panel."
            )
        elif status == 401 and "Authorization" in self._headers:
            text = (
                f"The hub {self.url} does not accept your API key; it may have expired or been "
                f"revoked. Nothing was moved. Log in again: ds login {self.url}"
            )
        if not text:
            text = (
                f"{self.url} answered with status {status} and no word of a hub. Nothing was "
                "changed here. Is it the address of a hub?"
            )
        return RefusedError(status, str(document.get("code") or "refused"), text, document)


def _pool(url: str) -> urllib3.PoolManager:
    """Return connections as the environment wants them: its proxy, its authorities."""
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not is_local(url) and not urllib.request.proxy_bypass(parts.netloc):
        return urllib3.ProxyManager(proxy, ssl_context=context, maxsize=4, blocksize=_BLOCK)
    return urllib3.PoolManager(ssl_context=context, maxsize=4, blocksize=_BLOCK)


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _all(answer: urllib3.BaseHTTPResponse) -> bytes:
    data = answer.read(_LONGEST_ANSWER, decode_content=False)
    if answer.read(1, decode_content=False):
        raise SyncError("damaged", "The hub's answer is larger than any that is expected.")
    return data


def parsed(data: bytes) -> dict[str, Any]:
    """Return the document that an answer is. Raise SyncError if it is none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SyncError(
            "damaged", "What answered is not a hub of this kind; nothing was changed here."
        )
    return document


def _was_cut(error: BaseException) -> bool:
    """Whether the other side ended the connection instead of answering."""
    return _reason(error) in (os.strerror(errno.ECONNRESET), "RemoteDisconnected")


def _reason(error: BaseException) -> str:
    """Return why a connection failed, short and without addresses of objects."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    while isinstance(inner, HTTPError) and (inner.__cause__ or inner.__context__):
        inner = inner.__cause__ or inner.__context__
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "it did not answer in time"
    return type(inner or error).__name__
