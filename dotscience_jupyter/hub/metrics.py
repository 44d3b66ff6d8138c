# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """What one hub process counts. Thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "dotscience_hub_requests",
            "Requests that were answered",
            ["method", "handler", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "dotscience_hub_request_seconds",
            "Time from the head of a request to the end of its answer",
            ["handler"],
            buckets=(0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0),
            registry=self._registry,
        )
        self._projects = Gauge(
            "dotscience_hub_projects", "Projects and dots", registry=self._registry
        )
        self._open = Gauge(
            "dotscience_hub_open_projects", "Projects that are open now", registry=self._registry
        )
        self._users = Gauge("dotscience_hub_users", "Users", registry=self._registry)

    def request(self, method: str, handler: str, status: int, seconds: float) -> None:
        """Count a request; ``handler`` is the class that answered it, ``seconds`` how long."""
        self._requests.labels(method, handler, str(status)).inc()
        self._seconds.labels(handler).observe(seconds)

    def text(self, *, projects: int, open_projects: int, users: int) -> bytes:
        """Return all numbers in Prometheus' text format."""
        self._projects.set(projects)
        self._open.set(open_projects)
        self._users.set(users)
        return generate_latest(self._registry)
