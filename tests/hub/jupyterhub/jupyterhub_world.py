# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A real JupyterHub for tests: its proxy, single-user servers, a hub of ours as its service."""

from __future__ import annotations

import http.cookiejar
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hub_world import Answer
from records_world import missing

ROOT = Path(__file__).parents[3]
PASSWORD = "open sesame"
CACHE = 1.0  # seconds for which the hub believes JupyterHub
SERVICE = "/services/dotscience"
ENTER = "access:services!service=dotscience"

CONFIG = """
import os, sys
c = get_config()
base = {base!r}
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.db_url = "sqlite:///" + base + "/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = base + "/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.interrupt_timeout = 1
c.Spawner.http_timeout = c.Spawner.start_timeout = 200
c.SimpleLocalProcessSpawner.home_dir_template = base + "/home/{{username}}"
c.Spawner.args = [
    "--allow-root",
    "--ServerApp.jpserver_extensions={{'dotscience_jupyter': True}}",
    "--LabApp.news_url=None",
]
c.Spawner.environment = {{
    "DOTSCIENCE_HUB_URL": "http://127.0.0.1:{public}/services/dotscience",
    "PYTHONPATH": {path!r},
}}
c.JupyterHub.custom_scopes = {{
    "custom:dotscience:admin": {{"description": "Administer the hub of projects"}}
}}
enter = "access:services!service=dotscience"
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", enter]}},
    {{"name": "server", "scopes": ["users:activity!user", "access:servers!server", enter]}},
    {{"name": "dotscience-admin", "scopes": ["custom:dotscience:admin"], "users": ["boss"]}},
    {{
        "name": "tests",
        "scopes": ["admin:users", "admin:servers", "access:servers", "tokens", "access:services",
                   "custom:dotscience:admin"],
        "services": ["tests"],
    }},
]
c.JupyterHub.services = [
    {{
        "name": "dotscience",
        "url": "http://127.0.0.1:{service}",
        "command": [
            sys.executable, "-m", "dotscience_jupyter.cli", "hub", "start",
            "--jupyterhub", "--data", base + "/data", "--config", base + "/hub_config.py",
        ],
        "environment": {{"PYTHONPATH": {path!r}}},
    }},
    {{"name": "tests", "api_token": {token!r}}},
]
"""

HUB_CONFIG = """
c.Hub.trusted_proxies = ["127.0.0.1"]
c.Hub.jupyterhub_cache = {cache}
c.Hub.rate = 0
"""


class Client:
    """Requests as a program makes them, or with ``cookies`` as a browser does."""

    def __init__(self, url: str, *, cookies: bool = False) -> None:
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        handlers: list[Any] = [urllib.request.ProxyHandler({}), _Stay()]
        if cookies:
            handlers.append(urllib.request.HTTPCookieProcessor(self.jar))
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        token: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask; redirections are not followed. A body is JSON, or a form if it is bytes."""
        data: bytes | None = None
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data, headers or {}, method=method)
        if data is not None and not isinstance(body, bytes):
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def cookie(self, name: str) -> http.cookiejar.Cookie | None:
        return next((each for each in self.jar if each.name == name), None)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class RunningJupyterHub:
    """A JupyterHub that runs."""

    def __init__(self, url: str, base: Path, token: str) -> None:
        self.url = url
        self.base = base
        self.data = base / "data"
        self._token = token
        self.client = Client(url)

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Ask JupyterHub's REST API as an administrator; return the answer's document."""
        answer = self.client.call(method, f"/hub/api{path}", self._token, body)
        assert answer.status < 300, (path, answer.status, answer.body)
        return answer.json() if answer.body else None

    def user(self, name: str) -> str:
        """The path of a user, who is made if need be."""
        path = f"/users/{urllib.parse.quote(name, safe='')}"
        if self.client.call("GET", f"/hub/api{path}", self._token).status == 404:
            self.api("POST", path)
        return path

    def token(self, name: str, scopes: list[str] | None = None) -> tuple[str, str]:
        """A new token of a user, and its id; one that opens the hub unless told otherwise."""
        given = (
            [f"access:services!service={SERVICE.rpartition('/')[2]}"] if scopes is None else scopes
        )
        made = self.api("POST", f"{self.user(name)}/tokens", {"scopes": given})
        return made["token"], made["id"]

    def call(self, method: str, path: str, token: str = "", body: object = None) -> Answer:
        """Ask our hub, through JupyterHub's proxy."""
        return self.client.call(method, SERVICE + path, token, body)

    def server(self, name: str) -> dict[str, str]:
        """Start a user's server; return its environment."""
        self.user(name)
        (self.base / "home" / name).mkdir(parents=True, exist_ok=True)
        self.api("POST", f"/users/{name}/server")
        try:
            until(lambda: self.api("GET", f"/users/{name}")["servers"].get("", {}).get("ready"))
        except AssertionError:
            sys.stderr.write((self.base / "log").read_text()[-20_000:])
            raise
        state = self.api("GET", f"/users/{name}?include_stopped_servers=1")
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                text = (process / "environ").read_bytes().decode(errors="replace")
                found = dict(each.split("=", 1) for each in text.split("\0") if "=" in each)
                if (
                    found.get("JUPYTERHUB_USER") == name
                    and found.get("JUPYTERHUB_API_URL", "").startswith("http://127.0.0.1:")
                    and found.get("HOME") == str(self.base / "home" / name)
                ):
                    return found
        raise AssertionError(state)


def until(condition: Any, seconds: float = 200.0) -> Any:
    """Wait for something to become true; return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def find_proxy() -> str:
    """Where configurable-http-proxy is: among the tools of the browser tests, or on the PATH."""
    ours = ROOT / "ui-tests" / "node_modules" / ".bin" / "configurable-http-proxy"
    found = str(ours) if ours.exists() else shutil.which("configurable-http-proxy")
    if found is None:
        missing("configurable-http-proxy is not installed (cd ui-tests && jlpm install)")
    assert found is not None
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def jupyterhub() -> Iterator[RunningJupyterHub]:
    """A JupyterHub that runs as long as the block."""
    try:
        import jupyterhub.app  # noqa: F401 - the program that is started; a folder here has its name
        import jupyterlab  # noqa: F401 - what its servers show
    except ImportError:
        missing("JupyterHub or JupyterLab is not installed")
    proxy = find_proxy()
    base = Path(tempfile.mkdtemp(prefix="ds-jh-"))
    public, hub, api, service = free_ports(4)
    token = secrets.token_hex(20)
    (base / "hub_config.py").write_text(HUB_CONFIG.format(cache=CACHE))
    (base / "jupyterhub_config.py").write_text(
        CONFIG.format(
            base=str(base), public=public, hub=hub, api=api, service=service, proxy=proxy,
            password=PASSWORD, path=str(ROOT), token=token,
        )
    )  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if "DOTSCIENCE" not in name}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["JUPYTER_CONFIG_DIR"] = str(base / "config")
    with (base / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(base / "jupyterhub_config.py")],
            cwd=base,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    started = RunningJupyterHub(f"http://127.0.0.1:{public}", base, token)
    try:
        until(lambda: _is_up(started, process))
        yield started
    except BaseException:
        sys.stderr.write((base / "log").read_text()[-20_000:])
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        # servers, proxy and service are in JupyterHub's session if it could not end them
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        shutil.rmtree(base, ignore_errors=True)


def _is_up(started: RunningJupyterHub, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "JupyterHub ended"
    try:
        return started.call("GET", "/health").status == 200
    except OSError:
        return False
