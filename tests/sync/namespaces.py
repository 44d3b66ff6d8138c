# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Networks of their own, joined by links that can be cut, for threads of this process.

A thread that enters a network makes its connections there, and so do threads that it starts. The
machine's own network is not touched.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Networks:
    """A hub's network, and those of some sites, each with a link to it."""

    def __init__(self, sites: list[str]) -> None:
        self._names = {name: f"ds-{secrets.token_hex(4)}-{name}" for name in ["hub", *sites]}
        self._numbers = {name: number for number, name in enumerate(sites, 1)}
        self._made: list[str] = []

    def make(self) -> None:
        """Make them; OSError where this is not allowed."""
        for name in self._names.values():
            _ip("netns", "add", name)
            self._made.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
        for site, number in self._numbers.items():
            hub, own = self._names["hub"], self._names[site]
            _ip("-n", hub, "link", "add", f"to{number}", "type", "veth", "peer", "name", "wire",
                "netns", own)  # fmt: skip
            for name, device, last in ((hub, f"to{number}", 1), (own, "wire", 2)):
                address = f"10.213.{number}.{last}/24"
                _ip("-n", name, "address", "add", address, "dev", device)
                _ip("-n", name, "link", "set", device, "up")

    def address(self, site: str) -> str:
        """The hub's address as a site sees it."""
        return f"10.213.{self._numbers[site]}.1"

    def cut(self, site: str) -> None:
        """Take a site's link down, at the hub's end, as when a cable is pulled out."""
        _ip("-n", self._names["hub"], "link", "set", f"to{self._numbers[site]}", "down")

    def mend(self, site: str) -> None:
        _ip("-n", self._names["hub"], "link", "set", f"to{self._numbers[site]}", "up")

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Let this thread, and those that it starts, be in a network for a while."""
        before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        try:
            _enter(f"/run/netns/{self._names[name]}")
            try:
                yield
            finally:
                _set(before)
        finally:
            os.close(before)

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do something in a network."""
        with self.inside(name):
            return work()

    def close(self) -> None:
        for name in self._made:
            _ip("netns", "delete", name)


@contextmanager
def networks(*sites: str) -> Iterator[Networks]:
    """Make networks; skip the test, or fail it, where that cannot be."""
    reason = ""
    made = Networks(list(sites))
    if os.geteuid():
        reason = "a network can only be made as root"
    elif shutil.which("ip", path=_PATH) is None:
        reason = "the command 'ip' cannot be found"
    else:
        try:
            made.make()
        except OSError as error:
            made.close()
            reason = str(error)
    if reason:
        if os.environ.get("DOTSCIENCE_REQUIRE_REAL"):
            pytest.fail(f"networks of their own are required, but {reason}")
        pytest.skip(f"needs networks of its own: {reason}")
    try:
        yield made
    finally:
        made.close()


def _enter(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        _set(fd)
    finally:
        os.close(fd)


def _set(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "the network cannot be entered")


def _ip(*arguments: str) -> None:
    command = shutil.which("ip", path=_PATH) or "ip"
    done = subprocess.run([command, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
