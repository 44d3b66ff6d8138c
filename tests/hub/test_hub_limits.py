# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Limits on clients, metrics and log lines."""

from __future__ import annotations

import io
import json
import logging

import pytest

from dotscience_jupyter.hub import logs
from dotscience_jupyter.hub.limits import Attempts, RateLimit
from dotscience_jupyter.hub.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_ask_in_bursts_and_then_at_its_rate() -> None:
    clock = Clock()
    limit = RateLimit(2, 4, clock)
    assert [limit.take("a") for _ in range(4)] == [0] * 4
    assert limit.take("a") == pytest.approx(0.5)
    assert limit.take("b") == 0  # others are not held up
    clock.now += 0.5
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    clock.now += 100  # a pause is worth no more than a burst
    assert sum(limit.take("a") == 0 for _ in range(20)) == 4


def test_no_rate_is_no_limit() -> None:
    limit = RateLimit(0, 0, Clock())
    assert not any(limit.take("a") for _ in range(1000))


def test_who_was_turned_away_does_not_wait_longer_for_it() -> None:
    clock = Clock()
    limit = RateLimit(1, 1, clock)
    assert limit.take("a") == 0
    for _ in range(50):
        assert limit.take("a") == pytest.approx(1)
    clock.now += 1
    assert limit.take("a") == 0


def test_clients_that_never_come_back_take_no_room() -> None:
    limit = RateLimit(1, 1, Clock())
    for number in range(20_000):
        limit.take(str(number))
    assert len(limit._buckets) <= 10_000


def test_guessing_gets_slower_and_slower() -> None:
    clock = Clock()
    attempts = Attempts(free=3, longest=8, clock=clock)
    waits = []
    for _ in range(8):
        waits.append(attempts.wait("a"))
        clock.now += waits[-1]
        attempts.failed("a")
    assert waits == [0, 0, 0, 1, 2, 4, 8, 8]
    assert attempts.wait("b") == 0
    attempts.succeeded("a")
    assert attempts.wait("a") == 0


def test_wrong_passwords_of_long_ago_are_forgotten() -> None:
    clock = Clock()
    attempts = Attempts(free=3, longest=8, clock=clock)
    for _ in range(10):
        attempts.failed("a")
    clock.now += 81
    attempts.failed("a")
    assert attempts.wait("a") == 0
    for number in range(20_000):
        attempts.failed(str(number))
    assert len(attempts._failed) <= 10_000


def test_metrics_count_requests() -> None:
    metrics = Metrics()
    metrics.request("GET", "UserHandler", 200, 0.01)
    metrics.request("GET", "UserHandler", 200, 3.0)
    text = metrics.text(projects=3, open_projects=2, users=1).decode()
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    one = 'method="GET",status="200"'
    assert told[f'dotscience_hub_requests_total{{handler="UserHandler",{one}}}'] == "2.0"
    assert told['dotscience_hub_request_seconds_bucket{handler="UserHandler",le="0.02"}'] == "1.0"
    assert told["dotscience_hub_projects"] == "3.0"
    assert told["dotscience_hub_open_projects"] == "2.0"
    assert told["dotscience_hub_users"] == "1.0"


@pytest.fixture
def logged():  # type: ignore[no-untyped-def]
    root = logging.getLogger()
    before = list(root.handlers), root.level, logging.getLogger("tornado.access").level

    def set_up(kind: str) -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(kind, stream=stream)
        return stream

    yield set_up
    root.handlers[:], level, access = before
    root.setLevel(level)
    logging.getLogger("tornado.access").setLevel(access)


def test_json_logs_are_one_object_a_line(logged) -> None:  # type: ignore[no-untyped-def]
    stream = logged("json")
    log = logging.getLogger("dotscience.hub")
    log.info("line\nbreak %s", "\x1b[2J", extra={"status": 200, "user": "ü"})
    try:
        raise ValueError("inside")
    except ValueError:
        log.exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "line\nbreak \x1b[2J"
    assert (first["status"], first["user"], first["level"]) == (200, "ü", "info")
    assert first["time"].endswith("+00:00")
    assert "ValueError: inside" in second["trace"]
    assert stream.getvalue().isascii()


def test_what_clients_send_begins_no_line_of_the_log(logged) -> None:  # type: ignore[no-untyped-def]
    stream = logged("text")
    logging.getLogger("dotscience.hub").info("GET /%s", "a\n2026 ERROR forged\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "a\\n2026 ERROR forged" in stream.getvalue()
