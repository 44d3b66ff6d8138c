# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Log-ins that were refused: in the audit log, without any secret, and never a flood of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import CHEAP, PASSWORD, RunningHub, hub

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import audit as audit_module
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.failedlogins import BURST, FailedLogins
from dotscience_jupyter.hub.handlers import base


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Services]:
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    yield services
    services.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_AFTER_WRONG", 0.0)


def entries(services: Services) -> list[tuple[str, dict[str, Any]]]:
    """Objects and details of the refused log-ins, oldest first."""
    found, _ = services.audit.entries(limit=1000)
    failed = [each for each in reversed(found) if each.action == "login.failed"]
    assert {each.actor for each in failed} <= {"(nobody)"}
    return [(each.object, each.details) for each in failed]


def test_a_spell_is_written_less_and_less_often(opened: Services) -> None:
    clock = Clock()
    failed = FailedLogins(opened.audit, clock)
    for _ in range(100):
        failed.note("alice", "password", "192.0.2.1")
    failed.note("alice", "password", "192.0.2.2")  # from elsewhere: another spell
    failed.note("alice", "key", "192.0.2.1")
    found = entries(opened)
    assert [each["times"] for _, each in found] == [1, 2, 4, 8, 16, 32, 64, 1, 1]
    assert found[0] == (
        "user:alice", {"address": "192.0.2.1", "times": 1, "with": "password"},
    )  # fmt: skip
    clock.now += 3600
    failed.note("alice", "password", "192.0.2.1")
    assert entries(opened)[-1][1]["times"] == 1
    assert opened.audit.verify()[0] == []


def test_a_flood_cannot_fill_the_log(opened: Services) -> None:
    clock = Clock()
    failed = FailedLogins(opened.audit, clock)
    for number in range(20 * BURST):
        failed.note(f"name-{number}", "password", f"192.0.2.{number % 250}")
    assert len(entries(opened)) == BURST
    clock.now += 60
    failed.note("alice", "password", "192.0.2.1")
    failed.note("bob", "password", "192.0.2.1")
    found = entries(opened)
    assert len(found) == BURST + 1
    # nobody who looks at it thinks that this was all
    assert found[-1][0] == "user:alice" and found[-1][1]["left_out"] == 19 * BURST
    assert len(failed._tries._failed) <= 10_000


@pytest.mark.parametrize(
    "name",
    [
        "my secret pass phrase",
        "dsk_" + "x" * 43,
        "0123456789abcdef" * 2,
        "p@ssw0rd",
        "x" * 65,
        "\0",
    ],
)
def test_what_may_be_a_secret_is_not_written(opened: Services, name: str) -> None:
    failed = FailedLogins(opened.audit)
    failed.note(name, "password", "192.0.2.1")
    failed.note("", "s3key", "192.0.2.1", name)
    assert entries(opened) == [
        ("address:192.0.2.1", {"address": "192.0.2.1", "times": 1, "with": "password"}),
        ("address:192.0.2.1", {"address": "192.0.2.1", "times": 1, "with": "s3key"}),
    ]


def test_a_log_that_cannot_be_written_lets_nobody_in_and_holds_up_nobody(
    opened: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise ApiError(503, "database", "The disk is full.")

    monkeypatch.setattr(audit_module.Audit, "_append", full)
    opened.failed_logins.note("alice", "password", "192.0.2.1")
    assert "not in the audit log: The disk is full." in caplog.text


def test_every_way_in_tells_of_those_who_were_not_let_in(running: RunningHub, quick: None) -> None:
    services = running.services
    assert services is not None
    _, alices = running.user("alice")
    key, secret = running.s3_key("alice")
    signed = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/s3/aws4_request, "
    signed += "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "0" * 64
    login = {"user": "alice", "password": "wrong one"}
    assert running.call("GET", "/api/v1/user", ("alice", "wrong one")).status == 401
    assert running.call("POST", "/api/v1/login", None, login).status == 401
    assert running.call("GET", "/api/v1/user", "dsk_wrong").status == 401
    assert running.call("GET", "/api/v1/user", ("alice", "dsk_wrong")).status == 401
    assert running.call("GET", "/api/v1/user", ("bob", alices)).status == 401
    replaced = {"password": "wrong one", "new": "another one"}
    changed = running.call("PUT", "/api/v1/user/password", running.user("alice"), replaced)
    assert changed.status == 403
    for access_key in (key, "DS" + "0" * 18):
        headers = s3_headers(signed.format(access_key))
        answer = running.call("GET", "/s3/", None, headers=headers)
        assert answer.status == 403, answer.body
    found = [(about, each["with"], each["times"]) for about, each in entries(services)]
    assert found == [
        ("user:alice", "password", 1),
        ("user:alice", "password", 2),
        ("address:127.0.0.1", "key", 1),
        ("user:alice", "key", 1),
        ("user:bob", "key", 1),
        # the third wrong password of a spell is counted, and told of with the fourth
        ("user:alice", "s3key", 1),
        ("address:127.0.0.1", "s3key", 1),
    ]
    assert [each.get("access_key") for _, each in entries(services)][-2:] == [key, "DS" + "0" * 18]
    # an admin reads it, by the same address as everything else that was done
    told = running.call("GET", "/api/v1/audit?limit=1000", running.admin_auth).body.decode()
    assert "login.failed" in told
    for hidden in ("wrong one", "dsk_wrong", alices, secret, PASSWORD, "another one"):
        assert hidden not in told


def s3_headers(authorization: str) -> dict[str, str]:
    from datetime import UTC, datetime

    return {
        "Authorization": authorization.replace("20260101", f"{datetime.now(UTC):%Y%m%d}"),
        "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD",
    }


def test_who_is_let_in_leaves_no_such_entry(running: RunningHub) -> None:
    services = running.services
    assert services is not None
    alice = running.user("alice")
    assert running.call("GET", "/api/v1/user", alice).status == 200
    assert running.call("GET", "/api/v1/user", ("alice", PASSWORD)).status == 200
    assert running.call("GET", "/api/v1/user").status == 401  # nobody tried to be anybody
    assert running.call("GET", "/api/v1/users", alice).status == 403
    assert entries(services) == []


def test_guesses_that_have_to_wait_are_not_written(tmp_path: Path, quick: None) -> None:
    with hub(tmp_path) as running:
        services = running.services
        assert services is not None
        running.user("alice")
        statuses = [
            running.call("GET", "/api/v1/user", ("alice", f"guess {number}")).status
            for number in range(12)
        ]
        assert statuses[:5] == [401] * 5 and 429 in statuses
        # what was not looked at is no failure
        assert [each["times"] for _, each in entries(services)] == [1, 2, 4]
