# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Pages of other sites (CORS): none may read, unless the settings let it; no login comes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import Answer, RunningHub, hub

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.app import Hub
from dotscience_jupyter.hub.origins import checked

APP = "https://app.example.org"
CORS = "Access-Control-"


@pytest.fixture(scope="module")
def open_to_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    path: Path = tmp_path_factory.mktemp("origins")
    origins = (APP, "http://localhost:3000")
    with hub(path, allow_origins=origins, prefix="/outer") as running:
        yield running


def told(answer: Answer) -> dict[str, str]:
    """The headers of an answer that a browser goes by."""
    return {
        name.title(): value  # those of S3 are in lower case
        for name, value in answer.headers.items()
        if name.title().startswith(CORS) or name.title() == "Vary"
    }


def preflight(running: RunningHub, path: str, origin: str, headers: str = "") -> Answer:
    asked = {"Origin": origin, f"{CORS}Request-Method": "PUT"}
    if headers:
        asked[f"{CORS}Request-Headers"] = headers
    return running.call("OPTIONS", path, None, headers=asked)


def test_it_is_closed_by_default(running: RunningHub) -> None:
    for path in ("/api/v1/user", "/s3/p/key", "/v2/projects", "/health"):
        assert preflight(running, path, APP).status == 405, path
        for auth in (None, running.user("alice")):
            assert not told(running.call("GET", path, auth, headers={"Origin": APP})), path


def test_pages_that_are_let_in_read_answers_and_errors(open_to_app: RunningHub) -> None:
    alice = open_to_app.user("alice")
    expected = {f"{CORS}Allow-Origin": APP, f"{CORS}Expose-Headers": "*", "Vary": "Origin"}
    for path, auth, status in (
        ("/api/v1/user", alice, 200),
        ("/outer/api/v1/user", alice, 200),
        ("/api/v1/user", None, 401),
        ("/api/v1/nothing", alice, 404),
        ("/s3", alice, 200),
        ("/s3/nothing/x", alice, 404),
    ):
        answer = open_to_app.call("GET", path, auth, headers={"Origin": APP})
        assert (answer.status, told(answer)) == (status, expected), path


def test_pages_that_are_not_let_in_read_nothing(open_to_app: RunningHub) -> None:
    alice = open_to_app.user("alice")
    for origin in (
        "https://evil.example.org",
        "https://app.example.org.evil.example",
        "http://app.example.org",
        "https://app.example.org:8443",
        "null",
        "*",
    ):
        answer = open_to_app.call("GET", "/api/v1/user", alice, headers={"Origin": origin})
        assert told(answer) == {"Vary": "Origin"}, origin
        assert told(preflight(open_to_app, "/api/v1/user", origin)) == {"Vary": "Origin"}
    # and none reads the pages, the original's protocols or what the hub tells of itself
    for path in ("/login", "/v2/projects", "/v2/dotmesh/rpc", "/metrics", "/health", "/s3x"):
        assert not told(open_to_app.call("GET", path, alice, headers={"Origin": APP})), path
        assert not told(preflight(open_to_app, path, APP)), path


def test_a_browser_is_told_what_a_page_may_send(open_to_app: RunningHub) -> None:
    wanted = "authorization,content-type,x-amz-meta-a"
    for path in ("/s3/p/key", "/outer/api/v1/projects"):
        answer = preflight(open_to_app, path, APP, wanted)
        assert (answer.status, answer.body) == (204, b"")
        found = told(answer)
        assert found[f"{CORS}Allow-Origin"] == APP
        assert found[f"{CORS}Allow-Headers"] == wanted
        assert {"GET", "PUT", "DELETE"} <= set(found[f"{CORS}Allow-Methods"].split(", "))
        assert f"{CORS}Allow-Credentials" not in found
    assert f"{CORS}Allow-Headers" not in told(preflight(open_to_app, "/api/v1/user", APP, "a;b"))
    assert open_to_app.call("OPTIONS", "/api/v1/user", None, headers={"Origin": APP}).status == 405


def test_all_may_be_let_in_without_any_login(tmp_path: Path) -> None:
    with hub(tmp_path, allow_origins=("*",)) as running:
        answer = running.call("GET", "/api/v1/user", None, headers={"Origin": "https://a.example"})
        assert told(answer) == {f"{CORS}Allow-Origin": "*", f"{CORS}Expose-Headers": "*"}
        assert f"{CORS}Allow-Credentials" not in told(
            preflight(running, "/s3/p/k", "https://a.example", "authorization")
        )


def test_what_is_no_origin_is_refused_at_the_start(tmp_path: Path) -> None:
    assert checked(["https://App.example.org/", "*"]) == (APP, "*")
    assert checked(["http://[::1]:8888"]) == ("http://[::1]:8888",)
    for wrong in (
        "app.example.org",
        f"{APP}/path",
        "https://*.example.org",
        "",
        "null",
        "a\nb",
    ):
        with pytest.raises(ApiError, match="is no origin"):
            checked([wrong])
    settings = Hub(data=str(tmp_path / "hub"), allow_origins=["nonsense"])
    with pytest.raises(ApiError, match="was not started"):
        settings.services()
    assert not (tmp_path / "hub").exists()
