# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""login, remote, push, pull, fetch, clone and status on the command line, with a real hub."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hub_world import PASSWORD, RunningHub, hub

from dotscience_jupyter.cli.app import cli


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    with hub(tmp_path) as found:
        found.user("alice")
        yield found


def ds(folder: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["-C", str(folder), *arguments], input=given)


def answer(folder: Path, *arguments: str, given: str | None = None) -> Any:
    result = ds(folder, "--json", *arguments, given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def told(folder: Path, *arguments: str, given: str | None = None) -> str:
    result = ds(folder, *arguments, given=given)
    assert result.exit_code == 0, result.output
    return result.output


def refused(folder: Path, *arguments: str, exit_code: int = 1, given: str | None = None) -> Any:
    result = ds(folder, "--json", *arguments, given=given)
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stderr)["error"]


def tracked(base: Path, name: str) -> Path:
    folder = base / name
    folder.mkdir()
    told(folder, "init", ".")
    return folder


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pushed while a test looks at what is ahead."""
    monkeypatch.setenv("DOTSCIENCE_PUSH", "0")


def test_commits_go_to_the_hub_by_themselves(
    running: RunningHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tracked(tmp_path, "one")
    monkeypatch.delenv("DOTSCIENCE_PUSH")
    told(one, "login", running.url, "--user", "alice", "--password-stdin", given=f"{PASSWORD}\n")
    told(one, "remote", "add", "hub:demo", "--create")
    for number, command in enumerate((["commit"], ["run", "true"], ["run", "true"]), 1):
        (one / "a.txt").write_text(str(number))
        began = time.monotonic()
        told(one, *command)
        while answer(one, "status")["hub"]["ahead"]:
            assert time.monotonic() < began + 60
            time.sleep(0.2)
    told(tmp_path, "clone", "hub:alice/demo", "two")
    assert (tmp_path / "two" / "a.txt").read_text() == "3"


def test_from_login_to_a_second_workspace(running: RunningHub, tmp_path: Path) -> None:
    one = tracked(tmp_path, "one")
    assert refused(one, "push")["code"] == "no_remote"
    assert "belongs to no hub" in told(one, "remote")
    assert refused(one, "remote", "add", f"{running.url}/demo")["code"] == "not_logged_in"
    login = ["login", running.url, "--user", "alice", "--password-stdin"]
    assert refused(one, *login, given="wrong\n")["code"] == "unauthenticated"
    assert "as alice" in told(one, *login, given=f"{PASSWORD}\n")
    assert refused(one, "remote", "add", "hub:demo")["code"] == "not_found"
    assert f"{running.url}/alice/demo" in told(one, "remote", "add", "hub:demo", "--create")
    assert "no commit yet" in told(one, "push")
    (one / "a.txt").write_text("one")
    told(one, "commit", "-m", "first")
    assert "1 ahead" in told(one, "status")
    assert answer(one, "status")["hub"]["ahead"] == 1
    assert "Sent 1 commit" in told(one, "push")
    assert "The hub has every commit." in told(one, "push")
    assert "everything is there" in told(one, "status")
    told(tmp_path, "clone", "hub:alice/demo", "two")
    two = tmp_path / "two"
    assert (two / "a.txt").read_text() == "one"
    (two / "a.txt").write_text("two")
    told(two, "commit", "-m", "second")
    pushed = answer(two, "push")
    assert (pushed["state"], pushed["commits"]) == ("published", 1)
    assert "Fetched 1 commit" in told(one, "fetch")
    assert "Every commit of the hub is here" in told(one, "fetch")
    assert "1 behind" in told(one, "status")
    assert "1 commit further" in told(one, "pull")
    assert (one / "a.txt").read_text() == "two"
    assert "nothing newer" in told(one, "pull")
    # both go on
    (one / "b.txt").write_text("b")
    told(one, "commit")
    told(one, "push")
    (two / "c.txt").write_text("c")
    told(two, "commit")
    failed = refused(two, "push")
    assert failed["code"] == "diverged"
    assert failed["ref"].startswith("side/")
    assert refused(two, "pull")["code"] == "diverged"
    assert answer(two, "remote")["remote"]["diverged"] is True
    assert "diverged" in told(two, "status")
    told(two, "merge", failed["head"])
    assert answer(two, "push")["state"] == "published"
    told(one, "pull")
    assert (one / "c.txt").read_text() == "c"
    assert "does not belong" in told(one, "remote", "remove")
    assert "hub" not in answer(one, "status")
    assert "forgotten" in told(one, "logout", running.url)
    assert refused(one, "logout", running.url)["code"] == "not_logged_in"
    assert refused(two, "pull")["code"] == "not_logged_in"
    assert "You are not logged in" in told(two, "status")


def test_a_key_does_for_a_password(running: RunningHub, tmp_path: Path) -> None:
    _, key = running.user("alice")
    found = answer(tmp_path, "login", running.url, "--key-stdin", given=f"{key}\n")
    assert found == {"url": running.url, "user": "alice"}
    wrong = refused(tmp_path, "login", running.url, "--key-stdin", given="dsk_wrong\n")
    assert wrong["code"] == "unauthenticated"
    assert refused(tmp_path, "login", running.url, exit_code=2)["code"] == "usage"
    both = ["login", running.url, "--key-stdin", "--password-stdin"]
    assert refused(tmp_path, *both, exit_code=2)["code"] == "usage"
    assert refused(tmp_path, "login", "nonsense")["code"] == "invalid_url"


def test_clone_of_a_commit_is_what_it_was(tmp_path: Path) -> None:
    one = tracked(tmp_path, "one")
    (one / "a.txt").write_text("one")
    told(one, "commit")
    assert "Cloned" in told(one, "clone", "HEAD", "../copy")
    assert (tmp_path / "copy" / "a.txt").read_text() == "one"
    assert not (tmp_path / "copy" / ".dotscience").exists()
    assert answer(one, "clone", "HEAD", "../copy2")["path"].endswith("copy2")
    assert refused(one, "clone", "HEAD", "../copy")["code"] == "exists"
