# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Pushes to a hub: what travels, how long it takes, and that beside the least that it could take.

    python benchmarks/sync.py [--mebibytes N] [--files N] [--rounds N] [--folder DIR] [--json FILE]

A hub as a process of its own on loopback, with its data in DIR, and a workspace there as well: one
with a large file of random bytes and 10 small files, and one with very many small files. Pushed is
what the command line pushes, over HTTP, to a project of its own each.

The least, measured between the pushes: to send as many bytes as the push moved over a socket on
loopback to another process, and to hash the whole content of the files that changed with BLAKE3, in
memory, on one processor. The hub proves that the files are what the commit says, so it has to know
their digests.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from _table import describe, machine, markdown, median, seconds, write_json
from blake3 import blake3

from dotscience_jupyter.api.service import WorkspaceService
from dotscience_jupyter.records import NewCommit, NewRun, Workspace
from dotscience_jupyter.snapshots import PortableEngine
from dotscience_jupyter.sync import Connection, Credentials, HubProject, find_project, log_in
from dotscience_jupyter.sync.pushing import Pushing

PASSWORD = "correct horse battery"
MIB = 1 << 20
SMALL = 10
TELLING = 0.1
"""Seconds below which the least is all in the requests, and nothing to compare with."""


class Took(NamedTuple):
    """A push: what it cost, and what the least would have been."""

    moved: int
    requests: int
    took: float
    client: float  # seconds of processors
    hub: float
    least: float
    processors: float  # what the least used


class Hub:
    """A hub that runs."""

    def __init__(self, process: subprocess.Popen[str], url: str, credentials: Credentials) -> None:
        self.process = process
        self.url = url
        self.credentials = credentials
        self.login = log_in(url, "admin", PASSWORD, credentials=credentials)

    def processors(self) -> float:
        """Return how many seconds of processors it has used; 0 where that is not told."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(folder: Path) -> Iterator[Hub]:
    """Start a hub."""
    command = [sys.executable, "-m", "dotscience_jupyter.cli", "hub", "start", "--json"]
    command += ["--ip", "127.0.0.1", "--port", "0", "--data", str(folder / "hub")]
    environment = {**os.environ, "DOTSCIENCE_ADMIN_PASSWORD": PASSWORD}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        yield Hub(process, url, Credentials(folder / "hubs.json"))
    finally:
        process.terminate()
        process.wait()


class Site:
    """A workspace that belongs to a project of the hub; it is made if need be."""

    def __init__(self, hub: Hub, root: Path) -> None:
        if not root.exists():
            root.mkdir()
            Workspace.create(root)
        self.hub = hub
        self.root = root
        self.service = WorkspaceService.open(root, author="benchmark")
        address = f"{hub.url}/{root.name}"
        remote = find_project(address, create=True, credentials=hub.credentials)
        self.project = remote.project

    def commit(self) -> None:
        """Commit what is there."""
        assert self.service.commit("a commit").commit is not None

    def push(self, changed: list[Path]) -> Took:
        """Push; the files are those whose digests the hub has to prove."""
        engine = self.service.engine
        assert isinstance(engine, PortableEngine)
        connection = Connection(self.hub.url, self.hub.login.key)
        try:
            hub = HubProject(connection, self.project)
            used, own = self.hub.processors(), time.process_time()
            begin = time.perf_counter()
            Pushing(self.service.records, engine, hub).run()
            took = time.perf_counter() - begin
            used, own = self.hub.processors() - used, time.process_time() - own
        finally:
            connection.close()
        moved = connection.sent + connection.received
        return Took(moved, connection.requests, took, own, used, *least(moved, changed))

    def note(self) -> None:
        """Commit a run that changed no file."""
        head = self.service.records.head()
        assert head is not None
        run = NewRun(id=str(uuid.uuid4()), authority="workload", description="a run")
        commit = NewCommit(head.snapshot, "dotscience.run.v1", "a run", "benchmark", [run])
        self.service.records.commit([commit], expected_head=head.id)


def least(moved: int, changed: list[Path]) -> tuple[float, float]:
    """Return the seconds that sending bytes over a socket takes, and hashing files.

    First those that pass, then those of processors.
    """
    contents = [path.read_bytes() for path in changed]
    begin, own = time.perf_counter(), time.process_time()
    for content in contents:
        blake3(content).digest()
    hashing, own = time.perf_counter() - begin, time.process_time() - own
    sending, used = transfer(moved)
    return sending + hashing, used + own


def transfer(count: int) -> tuple[float, float]:
    """Return how long it takes to send bytes over loopback until the other process has them all.

    The second is how long processors work for that, on both sides.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        reader = multiprocessing.get_context("fork").Process(target=_read, args=(listener,))
        reader.start()
        with socket.create_connection(("127.0.0.1", port)) as there:
            there.recv(1)  # it is awake
            block = bytes(MIB)
            begin, own = time.perf_counter(), time.process_time()
            for start in range(0, count, MIB):
                there.sendall(block[: min(MIB, count - start)])
            there.shutdown(socket.SHUT_WR)
            there.recv(1)
            took, own = time.perf_counter() - begin, time.process_time() - own
            own += float(there.recv(100))
        reader.join()
    return took, own


def _read(listener: socket.socket) -> None:
    with listener.accept()[0] as here:
        buffer = bytearray(MIB)
        own = time.process_time()
        here.sendall(b"a")
        while here.recv_into(buffer):
            pass
        here.sendall(b"z")
        here.sendall(str(time.process_time() - own).encode())


def large(hub: Hub, folder: Path, mebibytes: int, rounds: int) -> dict[str, list[Took]]:
    """Push a large file and some small ones, then again what was changed of them."""
    site = Site(hub, folder / "large")
    chance = random.Random(7)
    big = site.root / "data.bin"
    with big.open("wb") as file:
        for _ in range(mebibytes):
            file.write(chance.randbytes(MIB))
    small = [site.root / f"small{number}.txt" for number in range(SMALL)]
    found: dict[str, list[Took]] = {"first": [], "changed": [], "nothing": []}
    for turn in range(rounds + 1):
        if turn:
            change(big, mebibytes // 2 + turn)
        for path in small:
            path.write_bytes(chance.randbytes(1000))
        site.commit()
        found["changed" if turn else "first"].append(site.push([big, *small]))
        found["nothing"].append(site.push([]))
    site.service.close()
    return found


def change(big: Path, place: int) -> None:
    """Write a mebibyte over what is there, somewhere between two others."""
    with big.open("r+b") as file:
        file.seek(place * MIB + 12345)
        file.write(os.urandom(MIB))


def started_anew(hub: Hub, folder: Path, mebibytes: int) -> dict[str, list[Took]]:
    """Push what was changed of the large file to a hub that has only just been started."""
    site = Site(hub, folder / "large")
    big = site.root / "data.bin"
    change(big, mebibytes // 2)
    site.commit()
    found = {"anew": [site.push([big])]}
    site.service.close()
    return found


def many(hub: Hub, folder: Path, files: int, rounds: int) -> dict[str, list[Took]]:
    """Push many small files, then one more, and a commit that changes none."""
    site = Site(hub, folder / "many")
    chance = random.Random(7)
    for number in range(files):
        place = site.root / f"{number // 200:04}"
        if number % 200 == 0:
            place.mkdir()
        (place / f"{number}.txt").write_bytes(chance.randbytes(16))
    site.commit()
    found: dict[str, list[Took]] = {"many": [site.push([])], "one more": [], "a run": []}
    for turn in range(rounds):
        more = site.root / "0000" / f"more{turn}.txt"
        more.write_bytes(chance.randbytes(16))
        site.commit()
        found["one more"].append(site.push([more]))
        site.note()
        found["a run"].append(site.push([]))
    site.service.close()
    return found


def row(title: str, results: list[Took]) -> tuple[str, ...]:
    """Return a line of the table."""
    took, lower = (median([each[at] for each in results]) for at in (2, 5))
    worked, beneath = (
        median(values)
        for values in (
            [each.client + each.hub for each in results],
            [each.processors for each in results],
        )
    )
    return (
        title,
        f"{max(each.moved for each in results):,}",
        str(max(each.requests for each in results)),
        seconds(took),
        seconds(lower),
        f"{took / lower:.1f} x" if lower >= TELLING else "",
        seconds(worked),
        seconds(beneath),
        f"{worked / beneath:.1f} x" if lower >= TELLING else "",
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of the large file")
    parser.add_argument("--files", type=int, default=100_000, help="how many small ones")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", metavar="DIR", help="where to work; there must be room")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    facts = machine("dotscience-jupyter", "blake3")
    print(describe(facts))
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        with started(folder) as hub:
            found = large(hub, folder, options.mebibytes, options.rounds)
            if options.files:
                found |= many(hub, folder, options.files, options.rounds)
        with started(folder) as hub:
            found |= started_anew(hub, folder, options.mebibytes)
    titles = {
        "first": f"{options.mebibytes:,} MiB in one file, {SMALL} small files",
        "changed": f"1 MiB in the middle of it changed, and the {SMALL} small files",
        "anew": "1 MiB of it changed, and the hub has just been started",
        "nothing": "nothing new",
        "many": f"{options.files:,} small files",
        "one more": "one more small file beside them",
        "a run": "a run that changed none of them",
    }
    print(f"\n{options.rounds} rounds, medians; bytes of both directions\n")
    head = ("", "bytes", "requests", "push", "least", "", "processors", "least", "")
    print(markdown(head, [row(titles[key], found[key]) for key in titles if key in found]))
    write_json(
        options.json,
        {
            "machine": facts,
            "pushes": {key: [each._asdict() for each in took] for key, took in found.items()},
        },
    )


if __name__ == "__main__":
    main()
