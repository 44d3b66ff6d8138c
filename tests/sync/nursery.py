# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Processes that are made to be killed: forks of one that has imported everything already."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:]
from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.cli import hub
from dotscience_jupyter.hub import app, routes
from dotscience_jupyter.sync import Credentials, clone, find_project, pushing
from sync_world import Site

def walk(root, credentials, name):
    pushing.BATCH, pushing.PAGE = 1 << 19, 2
    site = Site(Path(root), Credentials(Path(credentials)), attempts=3)
    getattr(site.sync, name)()
    site.close()

def clone_to(folder, credentials, address):
    logins = Credentials(Path(credentials))
    clone(find_project(address, credentials=logins), Path(folder), credentials=logins)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if task["do"] == "walk":
                walk(*task["arguments"])
            elif task["do"] == "clone":
                clone_to(*task["arguments"])
            else:
                cli.main(task["arguments"], standalone_mode=False)
        finally:
            os._exit(0)
    print(child, flush=True)
"""


class Nursery:
    """The process whose forks do the work."""

    def __init__(self) -> None:
        here = Path(__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(here), str(here.parent / "hub")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DOTSCIENCE_ADMIN_PASSWORD": "correct horse"},
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._out, self._in = self._process.stdout, self._process.stdin
        assert self._out.readline() == "ready\n"
        self._children: list[int] = []

    def start(self, do: str, *arguments: str) -> int:
        """Begin something in a process of its own; return its id."""
        self._in.write(json.dumps({"do": do, "arguments": arguments}) + "\n")
        self._in.flush()
        child = int(self._out.readline())
        self._children.append(child)
        return child

    def hub(self, data: Path, port: int, *options: str) -> int:
        """Start a hub and wait until it listens."""
        where = ["--ip", "127.0.0.1", "--port", str(port), "--data", str(data)]
        child = self.start("command", "hub", "start", "--json", *where, *options)
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return child
            assert time.monotonic() < deadline
            assert alive(child)
            time.sleep(0.01)

    def kill(self, child: int) -> bool:
        """Kill -9; return whether it was still there."""
        was = alive(child)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        wait(child)
        return was

    def close(self) -> None:
        for child in self._children:
            self.kill(child)
        self._in.close()
        self._process.wait(30)
        self._out.close()


def alive(child: int) -> bool:
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return False
    return True


def wait(child: int, seconds: float = 60) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + seconds
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    try:
        yield made
    finally:
        made.close()
