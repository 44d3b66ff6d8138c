# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The extension as Jupyter Server sees it: entry points, start, stop, odd set-ups."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.manager import AsyncContentsManager
from traitlets.config import Config

import dotscience_jupyter
from dotscience_jupyter.server import DotscienceApp, WorkspaceManager

ROOT = Path(__file__).resolve().parents[2]


def extension(serverapp) -> DotscienceApp:
    return serverapp.extension_manager.extension_points["dotscience_jupyter"].app


def test_the_names_fit_together():
    (point,) = dotscience_jupyter._jupyter_server_extension_points()
    assert point == {"module": "dotscience_jupyter", "app": DotscienceApp}
    assert DotscienceApp.name == "dotscience_jupyter"
    enabled = json.loads(
        (ROOT / "jupyter-config/server-config/dotscience_jupyter.json").read_text()
    )
    assert enabled == {"ServerApp": {"jpserver_extensions": {"dotscience_jupyter": True}}}
    (lab,) = dotscience_jupyter._jupyter_labextension_paths()
    assert lab["dest"] == json.loads((ROOT / "package.json").read_text())["name"]


def test_importing_the_package_imports_no_server():
    code = (
        "import sys, dotscience_jupyter; dotscience_jupyter.__version__;"
        "print([m for m in ('tornado', 'sqlalchemy', 'pydantic', 'jupyter_server', 'blake3')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_trait_explains_itself():
    for name, trait in WorkspaceManager.class_own_traits(config=True).items():
        assert trait.help.strip().endswith("."), name
        assert name in (ROOT / "docs" / "api.md").read_text("utf-8")


class TestConfigured:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        return jp_server_config | {"WorkspaceManager": {"author": "Configured", "watch": False}}

    async def test_configuration_arrives(self, api, tracked):
        tracked.write("data.csv", "changed")
        _, body = await api("v1/commits", method="POST", body={}, path="project")
        assert body["commit"]["author"] == "Configured"


async def test_stopping_what_never_started(jp_serverapp):
    app = extension(jp_serverapp)
    await app.stop_extension()
    await app.stop_extension()
    assert app.current_activity() is None
    await DotscienceApp().stop_extension()


async def test_after_the_stop_nothing_is_served(jp_serverapp, api, tracked):
    await api("v1/status", path="project")
    app = extension(jp_serverapp)
    await app.stop_extension()
    status, body = await api("v1/status", path="project")
    assert (status, body["code"]) == (503, "stopping")
    # a save that comes late is no error either
    await app.on_contents(None, "", {"action": "save", "path": "project/a.ipynb"})


async def test_activity_is_told_while_a_commit_is_made(jp_serverapp, api, tracked, monkeypatch):
    app = extension(jp_serverapp)
    opened = await app.manager.get("project")
    assert app.current_activity() is None
    opened.committing = True
    assert app.current_activity()


async def test_two_servers_in_one_process(jp_serverapp, jp_root_dir, tracked, tmp_path):
    second = DotscienceApp()
    other = ServerApp(
        config=Config({"ServerApp": {"jpserver_extensions": {}}}),
        root_dir=str(jp_root_dir),
        allow_root=True,
        port=0,
    )
    other.init_signal = lambda: None
    other.initialize(argv=[], new_httpserver=False)
    second._link_jupyter_server_extension(other)
    second.initialize()
    first = await extension(jp_serverapp).manager.get("project")
    opened = await second.manager.get("project")
    assert first is not opened
    assert first.service.workspace.id == opened.service.workspace.id
    tracked.write("data.csv", "changed")
    results = await asyncio.gather(
        extension(jp_serverapp).manager.run_slow(first.service.commit, "one"),
        second.manager.run_slow(opened.service.commit, "two"),
    )
    assert sum(result.commit is not None for result in results) == 1
    await second.stop_extension()
    await other._cleanup()


class Elsewhere(AsyncContentsManager):
    """A contents manager whose files are not files of this machine."""


class TestElsewhere:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        config = Config(jp_server_config)
        config.ServerApp.contents_manager_class = Elsewhere
        return config

    async def test_it_is_said_clearly(self, api, jp_serverapp):
        for path in ("v1/workspace", "v1/runs", "v1/status"):
            status, body = await api(path)
            assert (status, body["code"]) == (501, "unsupported_contents")
        app = extension(jp_serverapp)
        await app._start_jupyter_server_extension(jp_serverapp)
        await app.manager.saved("a.ipynb")
        status, _ = await api("v1/version")
        assert status == 200


@pytest.mark.filterwarnings("ignore:The synchronous ContentsManager:DeprecationWarning")
class TestSynchronousContents:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        config = Config(jp_server_config)
        config.ServerApp.contents_manager_class = FileContentsManager
        return config

    async def test_it_works_as_well(self, api, tracked):
        status, body = await api("v1/runs", path="project")
        assert (status, body["total"]) == (200, 1)


class TestServerInsideAWorkspace:
    @pytest.fixture
    def jp_root_dir(self, tmp_path):
        root = tmp_path / "repo" / "notebooks"
        root.mkdir(parents=True)
        return root

    async def test_the_workspace_above_is_used(self, api, jp_root_dir, tmp_path):
        from dotscience_jupyter.records import Workspace

        workspace = Workspace.create(tmp_path / "repo")
        status, body = await api("v1/workspace")
        assert (status, body["workspace"]["id"]) == (200, workspace.id)
        assert (body["workspace"]["path"], body["workspace"]["prefix"]) == ("", "notebooks")
        assert str(tmp_path) not in json.dumps(body)
