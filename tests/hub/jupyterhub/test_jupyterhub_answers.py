# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A JupyterHub that is slow, ill or somebody else; the settings; the secrets of signing in."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from hub_world import PASSWORD, RunningHub, basic, hub
from jupyterhub_world import Client

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.hub.app import Hub
from dotscience_jupyter.hub.handlers import base
from dotscience_jupyter.hub.jupyterhub import client as asking
from dotscience_jupyter.hub.jupyterhub.settings import (
    JupyterHubSettings,
    from_environment,
    service_address,
)
from dotscience_jupyter.hub.jupyterhub.signin import SECONDS, SignIn
from dotscience_jupyter.hub.original.turns import Turn, turns_of
from dotscience_jupyter.hub.secret import Secret
from dotscience_jupyter.sync.jupyterhub import hub_name

ENTER = "access:services!service=dotscience"
GOOD = "a" * 32
OTHER = "b" * 32


class Pretender:
    """Something that answers where JupyterHub is said to be."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str], tuple[int, bytes]] = self.usual
        self.names = {GOOD: "ann", OTHER: "bea"}

    def usual(self, token: str) -> tuple[int, bytes]:
        if token not in self.names:
            return 403, b'{"status": 403, "message": "Missing or invalid credentials."}'
        model = {"name": self.names[token], "kind": "user", "scopes": [ENTER, "read:users!user=x"]}
        return 200, json.dumps(model).encode()


@pytest.fixture
def pretender() -> Iterator[tuple[Pretender, str]]:
    found = Pretender()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("token ")
            found.asked.append(token)
            status, body = found.answer(token)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the hub does not read more than it expects
                self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found, f"http://127.0.0.1:{server.server_port}/hub/api"
    server.shutdown()
    server.server_close()
    thread.join(10)


def settings(api_url: str, cache: float = 30.0) -> JupyterHubSettings:
    environment = {
        "JUPYTERHUB_API_URL": api_url,
        "JUPYTERHUB_API_TOKEN": "s" * 32,
        "JUPYTERHUB_SERVICE_NAME": "dotscience",
    }
    return from_environment(environment, cache)


@pytest.fixture
def served(
    pretender: tuple[Pretender, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningHub, Pretender]]:
    monkeypatch.setattr(base, "_AFTER_WRONG", 0.0)
    monkeypatch.setattr(asking, "_ANSWER", 1.0)
    found, url = pretender
    with hub(tmp_path, jupyterhub=settings(url), prefix="/services/dotscience") as running:
        yield running, found


def test_it_is_asked_once_for_requests_that_come_together_and_remembered(
    served: tuple[RunningHub, Pretender],
) -> None:
    running, found = served
    usual = found.answer

    def slowly(token: str) -> tuple[int, bytes]:
        time.sleep(0.3)
        return usual(token)

    found.answer = slowly
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: running.call("GET", "/api/v1/user", GOOD), range(8)))
    assert [answer.json()["name"] for answer in answers] == ["ann"] * 8
    assert found.asked == [GOOD]
    # and they are one user, who appeared once
    users = running.call("GET", "/api/v1/users", running.admin_auth).json()["items"]
    assert [user["name"] for user in users] == ["admin", "ann"]
    # a wrong one is remembered as well
    for _ in range(3):
        assert running.call("GET", "/api/v1/user", "c" * 32).status == 401
    assert found.asked == [GOOD, "c" * 32]
    # what cannot be a token is not sent to anybody
    for token in ("short", "x" * 600, "dsk_" + "x" * 40):
        assert running.call("GET", "/api/v1/user", token).status == 401
    assert running.call("GET", "/api/v1/user", running.admin_auth).status == 200  # a password
    assert len(found.asked) == 2


def test_a_password_is_not_shown_to_jupyterhub(served: tuple[RunningHub, Pretender]) -> None:
    running, found = served
    assert running.call("GET", "/api/v1/user", ("admin", PASSWORD)).status == 200
    assert running.call("GET", "/api/v1/user", ("admin", "wrong password")).status == 401
    assert found.asked == []
    # a token in a password's place has to be the user's own
    assert running.call("GET", "/api/v1/user", ("ann", GOOD)).json()["name"] == "ann"
    assert running.call("GET", "/api/v1/user", ("bea", GOOD)).status == 401


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"),
        (502, b"<html>"),
        (302, b""),
        (404, b'{"status": 404}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"name": 7, "scopes": []}'),
        (200, b"[" * 100_000),
        (200, b"x" * (2 << 20)),
    ],
)
def test_an_answer_that_is_none_lets_nobody_in(
    served: tuple[RunningHub, Pretender], status: int, body: bytes
) -> None:
    running, found = served
    found.answer = lambda _token: (status, body)
    answer = running.call("GET", "/api/v1/user", GOOD)
    assert (answer.status, answer.json()["code"]) == (503, "jupyterhub"), answer.body
    assert "try again" in answer.json()["message"] or "log" in answer.json()["message"]
    # it is not remembered: as soon as it answers, all is well
    found.answer = found.usual
    assert running.call("GET", "/api/v1/user", GOOD).json()["name"] == "ann"


def test_while_it_is_down_keys_and_passwords_are_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(tmp_path, jupyterhub=settings("http://127.0.0.1:9/hub/api")) as running:
        user = running.user("ann")
        answer = running.call("GET", "/api/v1/user", GOOD)
        assert (answer.status, answer.json()["code"]) == (503, "jupyterhub")
        assert answer.headers["Retry-After"]
        assert "127.0.0.1" not in answer.body.decode()
        assert running.call("GET", "/api/v1/user", user).status == 200
        assert running.call("GET", "/api/v1/user", running.admin_auth).status == 200


def test_one_that_does_not_answer_is_not_waited_for(served: tuple[RunningHub, Pretender]) -> None:
    running, found = served
    released = threading.Event()

    def never(_token: str) -> tuple[int, bytes]:
        released.wait(20)
        return 500, b""

    found.answer = never
    try:
        began = time.monotonic()
        assert running.call("GET", "/api/v1/user", GOOD).status == 503
        assert time.monotonic() - began < 10
        # nobody else waits with it
        assert running.call("GET", "/api/v1/user", running.admin_auth).status == 200
    finally:
        released.set()


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b"])
def test_names_that_nobody_can_have(served: tuple[RunningHub, Pretender], name: str) -> None:
    running, found = served
    found.names[GOOD] = name
    assert running.call("GET", "/api/v1/user", GOOD).status == 401


def test_a_hub_without_jupyterhub_has_no_pages(tmp_path: Path) -> None:
    with hub(tmp_path) as running:
        for path in ("/", "/login", "/oauth_callback"):
            assert running.call("GET", path).status == 404
        assert running.call("POST", "/login/key", body=b"").status == 404
        assert running.call("GET", "/api/v1/login").json() == {"page": None}
        assert running.call("GET", "/api/v1/user", GOOD).status == 401


def test_every_address_is_there_with_the_prefix_and_without(
    served: tuple[RunningHub, Pretender],
) -> None:
    running, _ = served
    for path in ("/health", "/v2/version", "/api/v1/login"):
        plain = running.call("GET", path)
        below = running.call("GET", f"/services/dotscience{path}")
        assert (below.status, below.body) == (plain.status, plain.body)
        assert plain.status != 404
    assert running.call("GET", "/services/other/health").status == 404
    assert running.call("GET", "/services/dotscience/api/v1/user").status == 401


def test_over_tls_a_browser_has_to_say_what_it_is(
    pretender: tuple[Pretender, str], tmp_path: Path
) -> None:
    outside = "https://jh.example.org/services/dotscience"
    with hub(tmp_path, jupyterhub=settings(pretender[1]), base_url=outside) as running:
        client = Client(running.url)
        assert client.call("GET", "/login").status == 403
        page = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        begun = client.call("GET", "/login", headers=page)
        assert begun.status == 302
        cookie = begun.headers["Set-Cookie"]
        assert "; Secure" in cookie and "; HttpOnly" in cookie and "SameSite=Lax" in cookie
        assert "Path=/services/dotscience/oauth_callback" in cookie


def test_adopting_is_said_on_the_hubs_machine(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data"), "--json"]
    assert CliRunner().invoke(cli, ["hub", "user", "adopt", "a@b", *data]).exit_code == 1
    assert CliRunner().invoke(cli, ["hub", "user", "add", "a--40b", *data]).exit_code == 0
    done = CliRunner().invoke(cli, ["hub", "user", "adopt", "a@b", *data])
    assert json.loads(done.stdout) == {"user": "a--40b", "jupyterhub": "a@b"}
    again = CliRunner().invoke(cli, ["hub", "user", "adopt", "a@b", *data])
    assert again.exit_code == 1 and "already" in again.stderr


def test_forged_forms_make_no_key(served: tuple[RunningHub, Pretender]) -> None:
    running, _ = served
    client = Client(running.url)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data in (b"", b"days=30&name=x", b"days=30&name=x&ticket=%FF%00", b"days=1&ticket=a",
                 b"days=30&name=x&ticket=" + b"A" * 5000):  # fmt: skip
        answer = client.call("POST", "/login/key", body=data, headers=form)
        assert answer.status in (400, 403) and b"dsk_" not in answer.body, data
    for query in ("", "?state=1", "?code=x&state=9999999999.abc", "?state=%FF.%00&code=%FF"):
        headers = {"Cookie": 'dotscience-sign-in="\\303\\050"'}
        answer = client.call("GET", f"/oauth_callback{query}", headers=headers)
        assert answer.status in (400, 403), (query, answer.body)


def test_tickets_and_states_are_good_once_here_and_for_a_while(tmp_path: Path) -> None:
    now = [1000.0]
    secret = Secret.open(tmp_path / "secret.key")
    ours = SignIn(secret, lambda: now[0])
    other = SignIn(Secret.open(tmp_path / "other.key"), lambda: now[0])
    begun, another = ours.begin(), ours.begin()
    verifier = ours.verifier(begun.seed, begun.state)
    assert verifier is not None and len(verifier) >= 43  # RFC 7636, section 4.1
    # another process of the same hub knows them
    assert SignIn(secret, lambda: now[0]).verifier(begun.seed, begun.state) == verifier
    assert other.verifier(begun.seed, begun.state) is None
    assert ours.verifier(another.seed, begun.state) is None
    until, _, proof = begun.state.partition(".")
    assert ours.verifier(begun.seed, f"{int(until) + 1}.{proof}") is None
    assert ours.verifier(begun.seed, f"{until}.ä") is None
    ticket, late = ours.ticket("some-id"), ours.ticket("some-id")
    assert other.redeem(ticket) is None
    assert ours.redeem(ticket[:-2] + "AA") is None
    assert ours.redeem(ticket) == "some-id"
    assert ours.redeem(ticket) is None
    now[0] += SECONDS + 1
    assert ours.redeem(late) is None
    assert ours.verifier(begun.seed, begun.state) is None


def test_the_environment_of_a_service() -> None:
    given = {
        "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/jh/hub/api/",
        "JUPYTERHUB_API_TOKEN": "secret-token",
        "JUPYTERHUB_SERVICE_NAME": "hub",
        "JUPYTERHUB_BASE_URL": "/jh/",
    }
    found = from_environment(given)
    assert found.prefix == "/jh/services/hub"
    assert found.api_url == "http://127.0.0.1:8081/jh/hub/api"
    assert found.authorize_url == "/jh/hub/api/oauth2/authorize"
    assert found.redirect_uri == "/jh/services/hub/oauth_callback"
    assert found.client_id == "service-hub"
    assert "secret-token" not in repr(found)
    public = given | {"JUPYTERHUB_PUBLIC_HUB_URL": "https://jh.example.org/jh/hub/"}
    assert from_environment(public).authorize_url == (
        "https://jh.example.org/jh/hub/api/oauth2/authorize"
    )
    own_host = given | {"JUPYTERHUB_HOST": "https://hub.example.org"}
    assert from_environment(own_host).authorize_url == (
        "https://hub.example.org/jh/hub/api/oauth2/authorize"
    )
    assert service_address({"JUPYTERHUB_SERVICE_URL": "http://10.0.0.1:99"}) == ("10.0.0.1", 99)
    assert service_address({"JUPYTERHUB_SERVICE_URL": "http://10.0.0.1:x"}) is None
    assert service_address({}) is None


@pytest.mark.parametrize(
    "name", ["JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_NAME"]
)
def test_a_hub_that_is_no_service_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as in a terminal of somebody's server, which has a token, but is no service
    for each in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_NAME"):
        monkeypatch.setenv(each, "http://127.0.0.1:9/hub/api")
    monkeypatch.delenv(name)
    app = Hub(data=str(tmp_path / "data"), jupyterhub=True)
    with pytest.raises(ApiError, match=name) as error:
        app.services(serving=True)
    assert error.value.code == "not_a_service"
    app.services().close()  # commands that look after it need no JupyterHub


def test_it_listens_where_jupyterhub_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", "http://127.0.0.2:9123")
    app = Hub(jupyterhub=True)
    assert (app.ip, app.port) == ("127.0.0.2", 9123)
    app = Hub(jupyterhub=True, port=5)
    assert (app.ip, app.port) == ("127.0.0.2", 5)
    app = Hub()
    assert (app.ip, app.port) == ("127.0.0.1", 8770)


def test_basic_with_the_name_at_jupyterhub(served: tuple[RunningHub, Pretender]) -> None:
    running, found = served
    found.names[GOOD] = "ada@example.org"
    for name in ("ada@example.org", "ada--40example--2eorg"):
        headers = {"Authorization": basic(name, GOOD)}
        answer = running.call("GET", "/api/v1/user", headers=headers)
        assert answer.json()["name"] == "ada--40example--2eorg"


@pytest.mark.parametrize("name", ["ada@example.org", "Ada", "a.b"])
def test_ones_own_namespace_may_be_called_as_at_jupyterhub(
    served: tuple[RunningHub, Pretender], name: str
) -> None:
    running, found = served
    found.names[GOOD] = name
    me = {"Authorization": basic(name, GOOD)}
    own = running.call("GET", "/api/v1/user", headers=me).json()["name"]
    assert own == hub_name(name) != name
    key = running.call("POST", "/api/v1/keys", headers=me, body={"name": "job"}).json()["key"]
    me = {"Authorization": basic(name, key)}
    made = running.call("POST", "/v2/projects", headers=me, body={"name": "p"}).json()
    dot = f"project-{made['id'][:8]}-default-workspace"
    there = quote(f"{name}:{dot}")

    def ask(method: str, headers: dict[str, str] = me, **params: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": params, "id": 1}
        return running.call("POST", "/v2/dotmesh/rpc", headers=headers, body=body).json()

    assert ask("Lookup", Namespace=name, Name=dot)["result"] == made["id"]
    put = running.call("PUT", f"/v2/dotmesh/s3/{there}/f", headers=me, body=b"1")
    assert put.status == 200, put.body
    # an upload that is still coming is noted under the name that its request gives
    turn = asyncio.run_coroutine_threadsafe(_begin(running, name, dot), running.loop).result(10)
    threading.Timer(0.3, lambda: running.loop.call_soon_threadsafe(turn.end)).start()
    done = ask("Commit", Namespace=name, Name=dot, Message="m", Metadata={})
    assert turn.over.is_set() and "result" in done
    path = f"/v2/dotmesh/s3/{there}/snapshot/latest/f"
    assert running.call("GET", path, headers=me).body == b"1"
    assert ask("Create", Namespace=name, Name="data")["result"] is True
    assert set(ask("List")["result"]) == {own}
    # nobody else's: who is called so elsewhere finds nothing there
    found.names[OTHER] = own
    other = {"Authorization": basic(own, OTHER)}
    assert "error" in ask("Lookup", other, Namespace=name, Name=dot)
    assert running.call("GET", path, headers=other).status in (400, 401)


async def _begin(running: RunningHub, user: str, dot: str) -> Turn:
    assert running.services is not None
    return turns_of(running.services).begin(user, dot, "")
