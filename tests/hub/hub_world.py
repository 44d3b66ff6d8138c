# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub for tests: a real one, on a free port of loopback, in a thread or in a process."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import create_engine, text

from dotscience_jupyter.hub.app import HubServer
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.firstadmin import first_admin

PASSWORD = "correct horse"

# the recommended price of a password is paid in the tests that are about it only
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Answer:
    """What a hub answered."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningHub:
    """A hub that listens."""

    url: str
    data: Path
    services: Services | None = None  # of a hub in this process
    server: HubServer | None = None
    loop: asyncio.AbstractEventLoop | None = None
    process: subprocess.Popen[str] | None = None
    admin_auth: tuple[str, str] = ("admin", PASSWORD)
    _users: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def user(self, name: str, *, admin: bool = False) -> tuple[str, str]:
        """The name and an API key of a user, who is added at the first call."""
        if name not in self._users:
            given = {"name": name, "password": PASSWORD, "admin": admin}
            answer = self.call("POST", "/api/v1/users", self.admin_auth, given)
            assert answer.status == 201, answer.body
            self._users[name] = answer.json()["key"]
        return name, self._users[name]

    def s3_key(self, name: str) -> tuple[str, str]:
        """An access key id of S3 and its secret."""
        answer = self.call("POST", "/api/v1/s3keys", self.user(name), {"name": "tests"})
        assert answer.status == 201, answer.body
        return answer.json()["id"], answer.json()["secret"]

    def project(self, owner: str, name: str) -> str:
        """The id of a new project."""
        answer = self.call("POST", "/api/v1/projects", self.user(owner), {"name": name})
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])

    def call(
        self,
        method: str,
        path: str,
        auth: tuple[str, str] | str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """Ask: ``auth`` is a name with a password or key, or a Bearer token; JSON unless bytes."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        if isinstance(auth, str):
            request.add_header("Authorization", f"Bearer {auth}")
        elif auth is not None:
            request.add_header("Authorization", basic(*auth))
        try:
            with _opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def kill(self) -> None:
        """End a hub that is a process, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)


# no proxy of the environment is asked for loopback
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def basic(name: str, secret: str) -> str:
    """The header for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@contextmanager
def hub(tmp_path: Path, **options: Any) -> Iterator[RunningHub]:
    """A hub in a thread of this process; options are those of Config. Data in tmp_path/hub."""
    config = replace(Config(data=tmp_path / "hub", rate=0, hasher=CHEAP), **options)
    before = os.environ.get("DOTSCIENCE_ADMIN_PASSWORD")
    os.environ["DOTSCIENCE_ADMIN_PASSWORD"] = PASSWORD
    try:
        services = Services.open(config)
        first_admin(services)
    finally:
        if before is None:
            del os.environ["DOTSCIENCE_ADMIN_PASSWORD"]
        else:
            os.environ["DOTSCIENCE_ADMIN_PASSWORD"] = before
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hub-loop", daemon=True)
    thread.start()

    async def start() -> HubServer:
        server = HubServer(services)
        server.listen("127.0.0.1", 0)
        return server

    try:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        try:
            yield RunningHub(server.url("127.0.0.1"), config.data, services, server, loop)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(5), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
        services.close()


@contextmanager
def hub_process(
    data: Path, *options: str, port: int = 0, env: dict[str, str] | None = None
) -> Iterator[RunningHub]:
    """A hub as ``jupyter dotscience hub start`` in a process of its own; it may be killed."""
    command = [sys.executable, "-m", "dotscience_jupyter.cli", "hub", "start", "--json"]
    command += ["--ip", "127.0.0.1", "--port", str(port), "--data", str(data), *options]
    log = data.with_name(f"{data.name}.log").open("a")
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "DOTSCIENCE_ADMIN_PASSWORD": PASSWORD, **(env or {})},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, Path(log.name).read_text()
        yield RunningHub(json.loads(line)["url"], data, process=process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
        log.close()


def emptied(url: str) -> str:
    """Take all that is ours out of a PostgreSQL database; return its URL."""
    engine = create_engine(url)
    with engine.begin() as connection:
        schemas = connection.scalars(
            text(
                "SELECT schema_name FROM information_schema.schemata "
                "WHERE schema_name = 'hub' OR schema_name LIKE 'p\\_%'"
            )
        )
        for schema in list(schemas):
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
    return url


def until(condition: Any, seconds: float = 20.0) -> Any:
    """Wait for something to become true; return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found
