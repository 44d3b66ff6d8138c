# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub below a real JupyterHub: its users, their servers, their browsers."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig
from click.testing import CliRunner
from hub_world import basic
from jupyterhub_world import CACHE, ENTER, PASSWORD, SERVICE, Client, RunningJupyterHub, until

from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.jupyterhub.people import People
from dotscience_jupyter.sync.jupyterhub import TOKEN, URL, USER

pytestmark = pytest.mark.xdist_group("jupyterhub")  # one JupyterHub for all

ADMIN = [ENTER, "custom:dotscience:admin"]
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def alice(hub_service: RunningJupyterHub) -> dict[str, str]:
    """What is in the environment of alice's server, which runs."""
    return hub_service.server("alice")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Commands as in a terminal with an environment; their documents."""

    def run(where: Path, environment: dict[str, str], *arguments: str, stdin: str = "") -> Any:
        for name in (TOKEN, URL, USER, "JUPYTER_CONFIG_DIR", "HOME"):
            if name in environment:
                monkeypatch.setenv(name, environment[name])
            else:
                monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(where)
        done = CliRunner().invoke(cli, [*arguments, "--json"], input=stdin, catch_exceptions=False)
        assert done.exit_code == 0, (arguments, done.output)
        return json.loads(done.stdout)

    return run


def test_a_server_of_jupyterhub_needs_no_login(
    hub_service: RunningJupyterHub, alice: dict[str, str], terminal: Callable[..., Any]
) -> None:
    home = hub_service.base / "home" / "alice"
    for name in ("typed", "clicked"):
        (home / name).mkdir()
        (home / name / "data.csv").write_text(f"{name},1\n")
    # in a terminal
    terminal(home / "typed", alice, "init")
    terminal(home / "typed", alice, "commit")
    added = terminal(home / "typed", alice, "remote", "add", "--create", "hub:typed")["remote"]
    assert added["name"] == "alice/typed"
    done = subprocess.run(
        [sys.executable, "-m", "dotscience_jupyter.cli", "push", "--json"],
        cwd=home / "typed", env=alice, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pushed = json.loads(done.stdout)
    assert (pushed["state"], pushed["commits"]) == ("published", 1)
    stood = terminal(home / "typed", alice, "remote")["remote"]
    assert (stood["ahead"], stood["behind"], stood["error"]) == (0, 0, "")
    # in the panel, which pushes by itself
    token, _ = hub_service.token("alice", ["access:servers!server=alice/"])

    def ask(method: str, what: str, body: Any = None) -> Any:
        path = f"/user/alice/dotscience/v1/{what}"
        answer = hub_service.client.call(method, path, token, body)
        assert answer.status < 300, (what, answer.body)
        return answer.json()

    url = hub_service.url + SERVICE
    hubs = ask("GET", "sync/hubs")["items"]
    assert [(each["url"], each["user"]) for each in hubs] == [(url, "alice")]
    ask("POST", "workspace", {"path": "clicked"})
    made = ask("POST", "commits?path=clicked", {"description": "first"})["commit"]
    joined = ask("POST", "sync/remote?path=clicked", {"url": url, "name": "clicked"})
    assert joined["remote"]["user"] == "alice"
    until(lambda: ask("GET", "sync?path=clicked")["theirs"] == made["id"])
    status = ask("GET", "sync?path=clicked")
    assert (status["ahead"], status["behind"], status["error"]) == (0, 0, "")
    # and its token is nowhere but in the environment, and where Jupyter Server itself puts it
    written = [path for path in (hub_service.base / "home").rglob("*") if path.is_file()]
    written += [path for path in hub_service.data.rglob("*") if path.is_file()]
    written = [path for path in written if path.parent.name != "runtime"]
    assert len(written) > 10
    secret = alice["JUPYTERHUB_API_TOKEN"].encode()
    assert not [path for path in written if secret in path.read_bytes()]


def test_a_revoked_token_is_refused_when_the_answer_is_old(hub_service: RunningJupyterHub) -> None:
    token, id_ = hub_service.token("rita")
    assert hub_service.call("GET", "/api/v1/user", token).json() == {"name": "rita", "admin": False}
    hub_service.api("DELETE", f"/users/rita/tokens/{id_}")
    began = time.monotonic()
    answer = until(
        lambda: (
            found
            if (found := hub_service.call("GET", "/api/v1/user", token)).status != 200
            else None
        )
    )
    assert answer.status == 401
    assert time.monotonic() - began < CACHE + 2


def test_names_that_the_hub_cannot_have_are_mapped(hub_service: RunningJupyterHub) -> None:
    token, _ = hub_service.token("ada@example.org")
    user = hub_service.call("GET", "/api/v1/user", token).json()
    assert user == {"name": "ada--40example--2eorg", "admin": False}
    made = hub_service.call("POST", "/api/v1/projects", token, {"name": "p"})
    assert made.status == 201
    assert made.headers["Location"] == f"{SERVICE}/api/v1/projects/{made.json()['id']}"
    # who already is ada--40example--2eorg at JupyterHub is somebody else
    other, _ = hub_service.token("ada--40example--2eorg")
    assert hub_service.call("GET", "/api/v1/user", other).json()["name"] != user["name"]
    assert hub_service.call("GET", "/api/v1/projects", other).json()["items"] == []


def test_every_protocol_works_below_the_prefix(hub_service: RunningJupyterHub) -> None:
    token, _ = hub_service.token("sam")
    url = hub_service.url + SERVICE
    # what programs of the original send: HTTP Basic
    rpc = {"jsonrpc": "2.0", "method": "DotmeshRPC.CurrentUser", "id": 1, "params": {}}
    headers = {"Authorization": basic("sam", token), "Content-Type": "application/json"}
    answer = hub_service.client.call("POST", f"{url}/v2/dotmesh/rpc", "", rpc, headers)
    assert answer.json()["result"]["Name"] == "sam"
    headers["Authorization"] = basic("rita", token)
    assert hub_service.client.call("GET", f"{url}/v2/projects", "", None, headers).status == 401
    headers["Authorization"] = basic("sam", "a wrong password")
    assert hub_service.client.call("GET", f"{url}/v2/projects", "", None, headers).status == 401
    # S3 with a key of the hub: the path that is signed has the prefix
    assert hub_service.call("POST", "/api/v1/projects", token, {"name": "models"}).status == 201
    key = hub_service.call("POST", "/api/v1/s3keys", token, {"name": "tests"}).json()
    client = boto3.client(
        "s3",
        endpoint_url=f"{url}/s3",
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        region_name="us-east-1",
        config=BotoConfig(s3={"addressing_style": "path"}, proxies={}, signature_version="s3v4"),
    )
    client.put_object(Bucket="models", Key="a folder/model ä.bin", Body=b"weights")
    found = client.list_objects_v2(Bucket="models")["Contents"]
    assert [each["Key"] for each in found] == ["a folder/model ä.bin"]
    body = client.get_object(Bucket="models", Key="a folder/model ä.bin")["Body"].read()
    assert body == b"weights"
    signed = client.generate_presigned_url(
        "get_object", {"Bucket": "models", "Key": "a folder/model ä.bin"}
    )
    assert Client("").call("GET", signed).body == b"weights"
    # and an API key, as anywhere
    made = hub_service.call("POST", "/api/v1/keys", token, {"name": "ci"}).json()
    assert hub_service.call("GET", "/api/v1/user", made["key"]).json()["name"] == "sam"


def test_tokens_that_are_not_good_for_the_hub(hub_service: RunningJupyterHub) -> None:
    token, _ = hub_service.token("tim", ["read:users:name!user=tim"])
    answer = hub_service.call("GET", "/api/v1/user", token)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert "access:services!service=dotscience" in answer.json()["message"]
    answer = hub_service.call("GET", "/api/v1/user", hub_service._token)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert "service" in answer.json()["message"]
    assert hub_service.call("GET", "/api/v1/user", "0" * 32).status == 401
    users = [each["name"] for each in _services_users(hub_service)]
    assert "tim" not in users  # who could not enter was not added


def _services_users(hub_service: RunningJupyterHub) -> list[dict[str, Any]]:
    token, _ = hub_service.token("boss", ADMIN)
    answer = hub_service.call("GET", "/api/v1/users", token)
    assert answer.status == 200, answer.body
    return list(answer.json()["items"])


def test_the_scope_makes_an_admin_for_as_long_as_the_token_has_it(
    hub_service: RunningJupyterHub,
) -> None:
    plain, _ = hub_service.token("boss")
    assert hub_service.call("GET", "/api/v1/users", plain).status == 403
    strong, _ = hub_service.token("boss", ADMIN)
    assert hub_service.call("GET", "/api/v1/user", strong).json()["admin"] is True
    # neither is it remembered, nor has a key that was made with it
    key = hub_service.call("POST", "/api/v1/keys", strong, {"name": "k"}).json()["key"]
    assert hub_service.call("GET", "/api/v1/user", key).json()["admin"] is False
    assert {"name": "boss", "admin": False}.items() <= next(
        user for user in _services_users(hub_service) if user["name"] == "boss"
    ).items()


def test_who_is_locked_out_stays_out(hub_service: RunningJupyterHub) -> None:
    token, _ = hub_service.token("dora")
    assert hub_service.call("GET", "/api/v1/user", token).status == 200
    admin, _ = hub_service.token("boss", ADMIN)
    # though the hub has no admin of its own
    for disabled, status in ((True, 403), (False, 200)):
        changed = hub_service.call("PATCH", "/api/v1/users/dora", admin, {"disabled": disabled})
        assert changed.status == 204, changed.body
        assert hub_service.call("GET", "/api/v1/user", token).status == status
        newer, _ = hub_service.token("dora")
        assert hub_service.call("GET", "/api/v1/user", newer).status == status


def test_nobody_is_taken_for_who_was_added_on_the_hub(hub_service: RunningJupyterHub) -> None:
    with closing(Services.open(Config(data=hub_service.data))) as services:
        services.identity.create_user("mallory", admin=True)
        token, _ = hub_service.token("mallory")
        answer = hub_service.call("GET", "/api/v1/user", token)
        assert (answer.status, answer.json()["code"]) == (403, "name_taken")
        assert People(services.database, services.audit).adopt("mallory") == "mallory"
        answer = hub_service.call("GET", "/api/v1/user", token)
        assert answer.json() == {"name": "mallory", "admin": True}
        problems, _ = services.audit.verify()
        assert problems == []


@pytest.fixture
def browser(hub_service: RunningJupyterHub) -> Iterator[Client]:
    """A browser that is signed in at JupyterHub as olga."""
    yield signed_in(hub_service, "olga")


def signed_in(hub_service: RunningJupyterHub, name: str) -> Client:
    client = Client(hub_service.url, cookies=True)
    client.call("GET", "/hub/login", headers=NAVIGATE)
    cookie = client.cookie("_xsrf")
    assert cookie is not None and cookie.value is not None
    form = {"username": name, "password": PASSWORD, "_xsrf": cookie.value}
    answer = client.call("POST", "/hub/login", body=urllib.parse.urlencode(form).encode(),
                         headers=NAVIGATE)  # fmt: skip
    assert answer.status == 302, answer.body
    return client


def authorize(client: Client) -> str:
    """Go from our page to JupyterHub and say yes there; return where that leads back to."""
    begun = client.call("GET", f"{SERVICE}/login", headers=NAVIGATE)
    assert begun.status == 302, begun.body
    answer = client.call("GET", begun.headers["Location"], headers=NAVIGATE)
    if answer.status == 200:  # it asks at the first time
        text = answer.body.decode()
        fields = dict(re.findall(r'name="(_xsrf|scopes)"[^>]*value="([^"]*)"', text))
        fields |= {
            name: value
            for value, name in re.findall(r'value="([^"]*)"[^>]*name="(_xsrf|scopes)"', text)
        }
        given = {name: html.unescape(value) for name, value in fields.items()}
        answer = client.call(
            "POST",
            begun.headers["Location"],
            body=urllib.parse.urlencode(given).encode(),
            headers=NAVIGATE | {"Referer": client.url + begun.headers["Location"]},
        )
    assert answer.status == 302, answer.body
    return str(answer.headers["Location"])


def ticket_of(page: bytes) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.decode())
    assert found is not None, page
    return found[1]


def test_a_browser_gets_a_key_for_the_command_line(
    hub_service: RunningJupyterHub,
    browser: Client,
    tmp_path: Path,
    terminal: Callable[..., Any],
) -> None:
    callback = authorize(browser)
    page = browser.call("GET", callback, headers=NAVIGATE)
    assert page.status == 200, page.body
    assert "<strong>olga</strong>" in page.body.decode()
    assert "sandbox allow-forms" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    form = {"ticket": ticket_of(page.body), "name": "laptop", "days": "30"}
    data = urllib.parse.urlencode(form).encode()
    # the form needs no cookie: its page has an origin of its own, which is sent none
    plain = Client(hub_service.url)
    shown = plain.call("POST", f"{SERVICE}/login/key", body=data, headers=NAVIGATE)
    assert shown.status == 201, shown.body
    found = re.search(r"dsk_[\w-]+", shown.body.decode())
    assert found is not None
    key = found[0]
    assert hub_service.call("GET", "/api/v1/user", key).json()["name"] == "olga"
    (known,) = hub_service.call("GET", "/api/v1/keys", key).json()["items"]
    assert known["name"] == "laptop" and known["expires"] is not None
    # once is enough
    again = plain.call("POST", f"{SERVICE}/login/key", body=data, headers=NAVIGATE)
    assert again.status == 403 and b"dsk_" not in again.body
    # nothing of it is left in the browser, and the code is worth nothing any more
    assert browser.cookie("dotscience-sign-in") is None
    assert browser.call("GET", callback, headers=NAVIGATE).status == 403
    # and the command line takes it
    url = hub_service.url + SERVICE
    environment = {"JUPYTER_CONFIG_DIR": str(tmp_path)}
    told = terminal(tmp_path, environment, "login", url, "--key-stdin", stdin=f"{key}\n")
    assert told == {"url": url, "user": "olga"}
    # which says where to go
    done = CliRunner().invoke(cli, ["login", url])
    assert done.exit_code == 2 and f"{url}/login " in done.stderr.replace("\n", " ")


def test_what_is_not_the_browser_that_began_gets_nothing(
    hub_service: RunningJupyterHub, browser: Client
) -> None:
    # the address with the code in another browser: that is who wants to be olga, or make
    # somebody else be them
    callback = authorize(browser)
    thief = signed_in(hub_service, "thief")
    thief.call("GET", f"{SERVICE}/login", headers=NAVIGATE)
    assert thief.call("GET", callback, headers=NAVIGATE).status == 403
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(authorize(thief)).query)
    theirs = urllib.parse.parse_qs(urllib.parse.urlsplit(callback).query)
    mixed = urllib.parse.urlencode({"code": theirs["code"][0], "state": query["state"][0]})
    page = thief.call("GET", f"{SERVICE}/oauth_callback?{mixed}", headers=NAVIGATE)
    assert page.status == 403 and b"ticket" not in page.body


def test_scripts_of_other_pages_get_nothing(
    hub_service: RunningJupyterHub, browser: Client
) -> None:
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    frame = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    for headers in (script, frame):
        answer = browser.call("GET", f"{SERVICE}/login", headers=headers)
        assert answer.status == 403 and "Location" not in answer.headers
        callback = authorize(browser)
        answer = browser.call("GET", callback, headers=headers)
        assert answer.status == 403 and b"ticket" not in answer.body


def test_who_says_no_is_told_so(browser: Client) -> None:
    begun = browser.call("GET", f"{SERVICE}/login", headers=NAVIGATE)
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(begun.headers["Location"]).query)["state"]
    query = urllib.parse.urlencode({"error": "access_denied", "state": state[0]})
    page = browser.call("GET", f"{SERVICE}/oauth_callback?{query}", headers=NAVIGATE)
    assert page.status == 403 and b"did not let you sign in" in page.body


def test_the_menu_of_services_leads_to_the_page(browser: Client) -> None:
    answer = browser.call("GET", f"{SERVICE}/", headers=NAVIGATE)
    assert (answer.status, answer.headers["Location"]) == (302, f"{SERVICE}/login")
