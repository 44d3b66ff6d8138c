# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the tests of the server share: notebooks with runs, saves, events, and JSON requests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from server_helpers import DIGITS, notebook, run_text
from tornado.httpclient import HTTPClientError

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.records import Workspace
from dotscience_jupyter.server.opened import SCHEMA

sys.path.append(str(Path(__file__).parents[1] / "hub"))

from hub_world import RunningHub, hub


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """The extension under test and nothing else."""
    return {"ServerApp": {"jpserver_extensions": {"dotscience_jupyter": True}}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub of these tests' own."""
    with hub(tmp_path_factory.mktemp("running")) as found:
        yield found


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a hub here directly, whatever proxy this machine has."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class Api:
    """Requests to our addresses that answer a status and JSON."""

    def __init__(self, fetch: Callable[..., Any]) -> None:
        self._fetch = fetch

    async def __call__(
        self, address: str, /, *, method: str = "GET", body: Any = None, **params: Any
    ) -> tuple[int, Any]:
        status, answer, _ = await self.raw(address, method=method, body=body, **params)
        return status, json.loads(answer)

    async def raw(
        self,
        address: str,
        /,
        *,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **params: Any,
    ) -> tuple[int, bytes, Any]:
        options: dict[str, Any] = {"allow_nonstandard_methods": True}
        if body is not None:
            options["body"] = body if isinstance(body, bytes) else json.dumps(body)
        try:
            response = await self._fetch(
                "dotscience",
                address,
                method=method,
                headers=dict(headers or {}),
                params=params,
                **options,
            )
        except HTTPClientError as error:
            if error.response is None:
                raise
            response = error.response
        return response.code, response.body, response.headers


@pytest.fixture
def api(jp_fetch: Callable[..., Any]) -> Api:
    return Api(jp_fetch)


@pytest.fixture
def save(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Save a notebook or a text through the contents API, as a browser does."""

    async def save(path: str, content: Any) -> None:
        kind = "file" if isinstance(content, str) else "notebook"
        model = {"type": kind, "content": content}
        if kind == "file":
            model["format"] = "text"
        await jp_fetch("api", "contents", path, method="PUT", body=json.dumps(model))

    return save


class Events:
    """What a listener on the server's event bus hears of us."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    async def listen(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        self.heard.append(data)
        self._more.set()

    async def wait(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first event that matches, waiting for it if need be."""

        async def search() -> dict[str, Any]:
            while True:
                self._more.clear()
                for data in self.heard:
                    if matches(data):
                        return data
                await self._more.wait()

        return await asyncio.wait_for(search(), 60)

    async def action(self, action: str) -> dict[str, Any]:
        return await self.wait(lambda data: data["action"] == action)


@pytest.fixture
def events(jp_serverapp: Any) -> Events:
    found = Events()
    jp_serverapp.event_logger.add_listener(schema_id=SCHEMA, listener=found.listen)
    return found


class Tracked:
    """A workspace with history, made without a server."""

    def __init__(self, root: Path, runs: list[str]) -> None:
        self.root = root
        self.workspace = Workspace.create(root)
        self.runs = runs

    def write(self, name: str, content: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def publish(self, name: str, **fields: Any) -> str:
        """Write a notebook that publishes one more run; return the run's id."""
        run_id, text = run_text(**fields)
        self.write(name, json.dumps(notebook(text)))
        self.runs.append(run_id)
        with self.service() as service:
            assert run_id in service.committer.scan().runs
        return run_id

    def commit(self, description: str = "by hand") -> str:
        with self.service() as service:
            commit = service.commit(description).commit
            assert commit is not None
            return commit.id

    def service(self) -> closing[WorkspaceService]:
        return closing(WorkspaceService.open(self.root))


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """What :func:`tracked` is a copy of; made once."""
    root = tmp_path_factory.mktemp("history") / "project"
    root.mkdir()
    found = Tracked(root, [])
    found.write("data.csv", "a,b\n1,2\n")
    found.write("odd/ä b#?%.txt", "odd")
    found.write("odd/new\nline", "odder")
    found.write(os.fsdecode(b"odd/\xff"), "oddest")
    found.write("page.html", "<script>alert(1)</script>")
    found.write("digits.bin", DIGITS)
    (root / "link").symlink_to("/etc/passwd")
    found.commit("raw data")
    found.write("model.txt", "weights")
    found.publish(
        "train.ipynb",
        description="first",
        input=["data.csv"],
        output=["model.txt"],
        parameters={"lr": "0.1"},
        summary={"accuracy": "0.93"},
        labels={"stage": "dev", "artefact:m": "{}"},
    )
    return found


@pytest.fixture
def tracked(jp_root_dir: Path, history: Tracked) -> Tracked:
    """A tracked folder ``project`` below the server's root, with two commits and one run.

    In the first commit ``data.csv`` and a folder of odd names; in the second a run that read it
    and wrote ``model.txt``.
    """
    shutil.copytree(history.root, jp_root_dir / "project", symlinks=True)
    return Tracked(jp_root_dir / "project", list(history.runs))
