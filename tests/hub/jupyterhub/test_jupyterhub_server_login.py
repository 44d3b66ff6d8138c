# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The login that a single-user server of JupyterHub brings along, on the client's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotscience_jupyter.sync import Credentials, Login, SyncError
from dotscience_jupyter.sync.connection import Connection, Patience
from dotscience_jupyter.sync.jupyterhub import TOKEN, URL, USER
from dotscience_jupyter.sync.projects import _split

HUB = "https://jupyter.example.org/services/dotscience"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setenv(URL, f"{HUB}/")
    monkeypatch.setenv(TOKEN, "f" * 32)
    monkeypatch.setenv(USER, "ada@example.org")
    return Credentials(tmp_path / "hubs.json")


def test_it_is_there_and_in_no_file(credentials: Credentials) -> None:
    own = Login(HUB, "ada--40example--2eorg", "f" * 32)
    assert credentials.all() == [own]
    assert credentials.get(HUB) == own
    assert credentials.get("https://elsewhere.example.org") is None
    credentials.put(Login("https://a.example.org", "ada", "dsk_1"))
    assert "f" * 32 not in credentials.path.read_text()
    assert [login.url for login in credentials.all()] == [HUB, "https://a.example.org"]


@pytest.mark.parametrize("name", [URL, TOKEN, USER])
def test_without_any_of_it_there_is_none(
    credentials: Credentials, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    assert credentials.all() == []


def test_who_logged_in_by_themselves_is_that_user(credentials: Credentials) -> None:
    credentials.put(Login(HUB, "root", "dsk_1"))
    assert credentials.get(HUB) == Login(HUB, "root", "dsk_1")
    assert credentials.remove(HUB) == Login(HUB, "root", "dsk_1")
    found = credentials.get(HUB)
    assert found is not None and found.user == "ada--40example--2eorg"


def test_there_is_nothing_to_forget(credentials: Credentials) -> None:
    with pytest.raises(SyncError, match="nothing to forget") as error:
        credentials.remove(HUB)
    assert error.value.code == "not_logged_in"
    assert credentials.remove("https://elsewhere.example.org") is None


def test_the_short_address_means_the_servers_hub(credentials: Credentials) -> None:
    credentials.put(Login("https://a.example.org", "ada", "dsk_1"))
    login, name = _split("hub:churn", credentials)
    assert (login.url, name) == (HUB, "churn")
    login, name = _split("https://a.example.org/churn", credentials)
    assert (login.url, name) == ("https://a.example.org", "churn")


def test_an_administrators_mistake_is_told(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, "jupyter.example.org")
    with pytest.raises(SyncError, match=URL) as error:
        credentials.all()
    assert error.value.code == "invalid_url"


def test_a_refused_token_is_told_as_what_it_is(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_world import hub

    with hub(tmp_path) as running:
        monkeypatch.setenv(URL, running.url)
        login = credentials.get(running.url)
        assert login is not None
        connection = Connection(login.url, login.key, Patience(attempts=1))
        with pytest.raises(SyncError, match="Restart your server"):
            connection.json("GET", "/api/v1/user")
        connection.close()
