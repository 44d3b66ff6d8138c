# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A network that fails: a proxy between a workspace and its hub which cuts, and damages."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Passes bytes on, on a port of its own.

    Attributes
    ----------
    budget
        Bytes of one connection and direction that pass before it is cut; None for all of them.
        A function is asked for each connection.
    damage
        Whether a byte of each cut connection is changed instead.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.budget: int | None = None
        self.random: random.Random | None = None
        self.damage = False
        self.passed = 0
        self.cuts = 0
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                hub = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                client.close()
                continue
            budget = self.budget
            if budget is not None and self.random is not None:
                budget = self.random.randrange(budget)
            for source, target in ((client, hub), (hub, client)):
                threading.Thread(
                    target=self._pass, args=(source, target, budget), daemon=True
                ).start()

    def _pass(self, source: socket.socket, target: socket.socket, budget: int | None) -> None:
        left = budget
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if left is not None and len(data) > left:
                    self.cuts += 1
                    if not self.damage:
                        target.sendall(data[:left])
                        self.passed += left
                        break
                    data = data[:left] + bytes([data[left] ^ 0x40]) + data[left + 1 :]
                    left = None
                target.sendall(data)
                self.passed += len(data)
                if left is not None:
                    left -= len(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._closing = True
        self._listener.close()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
