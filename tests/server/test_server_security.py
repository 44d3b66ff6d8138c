# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Nobody gets in without Jupyter's identity and authorizer; errors tell nothing they should not."""

from __future__ import annotations

import json
import logging
import warnings

import pytest
from jupyter_server.auth import Authorizer, IdentityProvider, User
from jupyter_server.serverapp import JupyterServerAuthWarning, ServerApp
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.api.routes import ROUTES

EXTENSION = {"ServerApp": {"jpserver_extensions": {"dotscience_jupyter": True}}}


def served_with(**traits) -> Config:
    return Config({"ServerApp": EXTENSION["ServerApp"] | traits})


def filled(path: str) -> str:
    for name in ("commit", "run", "file", "name"):
        path = path.replace("{" + name + "}", "HEAD").replace("{" + name + "...}", "a")
    return path.strip("/")


async def test_nothing_without_a_token(jp_fetch, jp_root_dir):
    for route in ROUTES:
        for header in ({"Authorization": ""}, {"Authorization": "token wrong"}):
            with pytest.raises(HTTPClientError) as caught:
                await jp_fetch(
                    "dotscience",
                    filled(route.path),
                    method=route.method,
                    headers=dict(header),
                    allow_nonstandard_methods=True,
                    follow_redirects=False,
                )
            assert caught.value.code in (401, 403), route
            code = json.loads(caught.value.response.body)["code"]
            assert code in ("unauthenticated", "forbidden"), route


class ReadOnly(Authorizer):
    """Everybody may look and nobody may touch."""

    def is_authorized(self, handler, user, action, resource):
        return action == "read" if resource == "dotscience" else True


class TestReadOnly:
    @pytest.fixture
    def jp_server_config(self):
        return served_with(authorizer_class=ReadOnly)

    async def test_reading_is_allowed_and_writing_is_not(self, api, tracked):
        before = tracked.workspace
        status, _ = await api("v1/runs", path="project")
        assert status == 200
        for route in ROUTES:
            if route.method == "GET":
                continue
            status, body = await api(
                filled(route.path), method=route.method, body={}, path="project"
            )
            assert (status, body["code"]) == (403, "forbidden"), route
        _, body = await api("v1/commits", path="project")
        assert body["total"] == 2
        assert before.id


class Nobody(Authorizer):
    """Nobody may look either."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "dotscience"


class TestNobody:
    @pytest.fixture
    def jp_server_config(self):
        return served_with(authorizer_class=Nobody)

    async def test_every_verb_asks_the_authorizer(self, api, tracked):
        for route in ROUTES:
            status, body = await api(filled(route.path), method=route.method, path="project")
            assert (status, body["code"]) == (403, "forbidden"), route


class Named(IdentityProvider):
    """A hub that knows who asks."""

    def get_user(self, handler):
        return User("ada", "Ada", "Ada Lovelace")


class TestNamedUser:
    @pytest.fixture
    def jp_server_config(self):
        return served_with(identity_provider_class=Named)

    @pytest.fixture
    def jp_base_url(self):
        """As JupyterHub serves it."""
        return "/user/ada%40example.org/"

    async def test_commits_are_theirs(self, jp_fetch, api, tracked, jp_base_url):
        tracked.write("data.csv", "changed")
        # without a token XSRF is checked: the page's cookie and header are needed
        status, body = await api(
            "v1/commits", method="POST", body={"description": "x"}, path="project"
        )
        assert (status, body["code"]) == (403, "forbidden")
        assert "_xsrf" in body["message"]
        status, raw, headers = await api.raw(
            "v1/commits",
            method="POST",
            body={"description": "x"},
            headers={"Cookie": "_xsrf=abc", "X-XSRFToken": "abc"},
            path="project",
        )
        assert (status, json.loads(raw)["commit"]["author"]) == (201, "Ada Lovelace")
        assert headers["Location"].startswith(f"{jp_base_url}dotscience/v1/commits/")


def test_every_endpoint_is_decorated(jp_environ, jp_asyncio_loop, tmp_path):
    """What jupyter_server itself warns of when unauthenticated access is off."""

    async def start() -> ServerApp:
        app = ServerApp.instance(
            config=Config(EXTENSION),
            root_dir=str(tmp_path),
            allow_unauthenticated_access=False,
            allow_root=True,
            log_level=logging.CRITICAL,
        )
        app.init_signal = lambda: None
        app.initialize(argv=[], new_httpserver=False)
        return app

    with warnings.catch_warnings():
        warnings.simplefilter("error", JupyterServerAuthWarning)
        app = jp_asyncio_loop.run_until_complete(start())
    assert app.extension_manager.extension_apps["dotscience_jupyter"]


async def test_paths_stay_inside(api):
    for path in ("../up", "..", "a/../../b", "/../etc"):
        for address in ("v1/workspace", "v1/status", "v1/runs"):
            status, body = await api(address, path=path)
            assert (status, body["code"]) == (403, "forbidden_path"), path


async def test_an_absolute_path_is_one_below_the_root(api, tracked):
    """As in Jupyter's contents API, where a leading slash means the server's root."""
    status, body = await api("v1/workspace", path="/project")
    assert (status, body["workspace"]["path"]) == (200, "project")
    status, body = await api("v1/workspace", path=str(tracked.root))
    assert body["workspace"] is None


async def test_faults_tell_nothing_but_an_id(api, tracked, monkeypatch, caplog):
    def fault(*args, **kwargs):
        raise RuntimeError(f"secret of {tracked.root}")

    monkeypatch.setattr(WorkspaceService, "runs", fault)
    status, body = await api("v1/runs", path="project")
    assert (status, body["code"]) == (500, "internal")
    text = json.dumps(body)
    assert "secret" not in text and str(tracked.root) not in text and "Traceback" not in text
    assert body["details"] in body["message"]
    assert any(body["details"] in record.getMessage() for record in caplog.records)


async def test_errors_hold_no_paths_of_the_machine(api, tracked, tmp_path):
    (tracked.root / ".dotscience" / "workspace.json").write_text('{"format": 99}')
    status, body = await api("v1/runs", path="project")
    assert (status, body["code"]) == (500, "unreadable")
    assert str(tmp_path) not in json.dumps(body)
