# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From the save of a notebook to the run being told of, and what the server's event loop feels.

    python benchmarks/committer.py [--files N] [--publishes N] [--json FILE]

A real Jupyter server with the extension serves a workspace of many files. A client does what
JupyterLab does: it saves the notebook through the contents API after a run was published in it (the
record in the spool, text and MIME bundle in the notebook, an output file written) and waits
for the event ``committed`` on the server's event stream, which is when the panel asks for its
table.
The same saves are made on a server without the extension, to tell what is Jupyter's own.

A probe on the server's event loop sleeps for 2 ms again and again; what it oversleeps is how long
the loop could not answer. Jupyter writes the notebook on that loop, so the time until the save is
answered is told apart from the time after it. Client, server and probe share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _table import describe, machine, markdown, median, seconds, write_json
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

SCHEMA = "https://dotscience-jupyter.readthedocs.io/events/workspace/v1"
PROBE = 0.002
SETTLE = 2.0


def serve(root: str, port: int, token: str, extension: bool, lags: str) -> None:
    """Be the server, with the probe on its loop."""
    from jupyter_server.serverapp import ServerApp

    late: list[tuple[float, float]] = []

    async def probe() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(PROBE)
            late.append((time.time(), time.perf_counter() - begin - PROBE))
            if len(late) % 50 == 0 and os.path.exists(lags + ".ask"):
                Path(lags).write_text(json.dumps(late))
                os.unlink(lags + ".ask")

    app = ServerApp()
    app.initialize(
        [
            f"--ServerApp.root_dir={root}",
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.jpserver_extensions=dotscience_jupyter={extension}",
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            "--ServerApp.log_level=ERROR",
        ]
    )
    app.io_loop.add_callback(lambda: asyncio.ensure_future(probe()))
    app.start()


def workspace(root: Path, files: int) -> None:
    """Make a project of many small files in folders of fifty."""
    chosen = random.Random(7)
    for number in range(files - 1):
        folder = root / "data" / f"{number // 50:04}"
        if number % 50 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.csv").write_bytes(chosen.randbytes(chosen.randint(200, 8000)))


def published(root: Path, workspace_id: str | None, number: int, old: list[Any]) -> dict[str, Any]:
    """Publish a run as the library does in a notebook; return the notebook as it is saved."""
    run_id = str(uuid.uuid4())
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    (root / "model.bin").write_bytes(secrets.token_bytes(20_000))
    run = {
        "version": "1",
        "input": [f"data/{n:04}/{n * 50}.csv" for n in range(3)],
        "output": ["model.bin"],
        "labels": {},
        "parameters": {f"parameter {n}": str(n) for n in range(10)},
        "summary": {f"metric {n}": str(number / (n + 1)) for n in range(10)},
        "start": now,
        "end": now,
        "description": f"Publish {number}",
    }
    record = {
        "format": 1,
        "id": run_id,
        "run": run,
        "root": str(root),
        "workspace": workspace_id,
        "environment": {"packages": {f"package-{n}": "1.0" for n in range(200)}},
        "source": {"kind": "notebook", "path": "train.ipynb"},
    }
    if workspace_id is not None:
        spool = root / ".dotscience" / "spool"
        spool.mkdir(exist_ok=True)
        (spool / f".{run_id}").write_text(json.dumps(record))
        os.rename(spool / f".{run_id}", spool / f"{run_id}.json")
    body = json.dumps(run, sort_keys=True, indent=4)
    text = f"[[DOTSCIENCE-RUN:{run_id}]]{body}[[/DOTSCIENCE-RUN:{run_id}]]\n"
    image = {"image/png": secrets.token_hex(50_000)}
    mime = {"application/vnd.dotscience.run.v1+json": record | {"reduced": True}}
    old.append(
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": number + 1,
            "metadata": {},
            "source": "ds.publish()",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": text},
                {"output_type": "display_data", "data": mime, "metadata": {}},
                {"output_type": "display_data", "data": image, "metadata": {}},
            ],
        }
    )
    return {"run": run_id, "cells": old[-10:]}


async def measure(root: Path, publishes: int, extension: bool) -> dict[str, Any]:
    """Start a server, publish, and return what was measured, in seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    lags = str(root.parent / f"lags-{extension}")
    arguments = ["--serve", str(root), str(port), token, str(extension), lags]
    server = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = AsyncHTTPClient()
    headers = {"Authorization": f"token {token}"}
    base = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(300):
            try:
                await client.fetch(base + "api/status", headers=headers)
                break
            except OSError:
                await asyncio.sleep(0.1)
        request = HTTPRequest(f"ws://127.0.0.1:{port}/api/events/subscribe", headers=headers)
        events = await websocket_connect(request)
        workspace_id = None
        if extension:
            body = json.dumps({"path": ""})
            url = base + "dotscience/v1/workspace"
            answer = await client.fetch(url, method="POST", body=body, headers=headers)
            workspace_id = json.loads(answer.body)["id"]
            # the first commit reads every file; that is not what is measured here
            await client.fetch(
                base + "dotscience/v1/commits",
                method="POST",
                body=json.dumps({"description": "start"}),
                headers=headers,
                request_timeout=600,
            )
        await asyncio.sleep(SETTLE)

        async def committed(run_id: str) -> float:
            while True:
                told = json.loads(await events.read_message() or "{}")
                ours = told.get("schema_id", told.get("__schema__")) == SCHEMA
                if ours and told["action"] == "committed" and run_id in told["runs"]:
                    return time.perf_counter()

        sent, answered, windows = [], [], []
        cells: list[Any] = []
        for number in range(publishes):
            found = published(root, workspace_id, number, cells)
            content = {
                "cells": found["cells"],
                "metadata": {},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
            body = json.dumps({"type": "notebook", "content": content})
            window, begin = [time.time()], time.perf_counter()
            url = base + "api/contents/train.ipynb"
            await client.fetch(url, method="PUT", body=body, headers=headers)
            done = time.perf_counter()
            window.append(time.time())
            if extension:
                told = await asyncio.wait_for(committed(found["run"]), 60)
                sent.append(told - begin)
                answered.append(max(told - done, 0.0))
            # what follows a commit (the comparison with the folder) belongs to its cost
            await asyncio.sleep(SETTLE)
            windows.append((*window, time.time()))
        Path(lags + ".ask").touch()
        while os.path.exists(lags + ".ask"):
            await asyncio.sleep(0.05)
        late = json.loads(Path(lags).read_text())
        events.close()
    finally:
        server.terminate()
        server.wait(30)

    def worst(first: int, last: int) -> list[float]:
        return [
            max((lag for moment, lag in late if w[first] <= moment <= w[last]), default=0.0)
            for w in windows
        ]

    return {"sent": sent, "answered": answered, "saving": worst(0, 1), "after": worst(1, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--publishes", type=int, default=20)
    parser.add_argument("--json")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        root, port, token, extension, lags = options.serve
        serve(root, int(port), token, extension == "True", lags)
        return
    facts = machine("jupyter_server", "watchfiles", "sqlalchemy")
    print(describe(facts), "\n")
    figures: dict[str, Any] = {}
    for extension in (True, False):
        with tempfile.TemporaryDirectory(prefix="dotscience-benchmark-") as folder:
            root = Path(folder) / "project"
            root.mkdir()
            workspace(root, options.files)
            name = "with" if extension else "without"
            figures[name] = asyncio.run(measure(root, options.publishes, extension))
    rows = [
        ("save sent -> committed event received", figures["with"]["sent"], "300 ms"),
        ("save answered -> committed event received", figures["with"]["answered"], ""),
        ("loop blocked at most after the save's answer", figures["with"]["after"], "20 ms"),
        ("the same without the extension", figures["without"]["after"], ""),
        ("loop blocked at most during the save itself", figures["with"]["saving"], ""),
        ("the same without the extension", figures["without"]["saving"], ""),
    ]
    print(f"{options.files:,} files, {options.publishes} publishes\n")
    print(
        markdown(
            ["", "median", "worst", "goal"],
            [
                (text, seconds(median(times)), seconds(max(times)), goal)
                for text, times, goal in rows
            ],
        )
    )
    write_json(options.json, {"machine": facts, "files": options.files, "seconds": figures})


if __name__ == "__main__":
    main()
