# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Ways to run real programs, and to read what they published."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

import dotscience as ds

CHECKOUT = Path(ds.__file__).parents[1]
# the pattern that readers of the original format use
RUN = re.compile(
    r"\[\[DOTSCIENCE-RUN:(.+)\]\](.*)\[\[/DOTSCIENCE-RUN:\1\]\]", re.DOTALL | re.MULTILINE
)


class Published:
    """A stream to publish to, and what was published to it."""

    def __init__(self):
        self.stream = io.StringIO()

    def __call__(self, description=None, **options):
        ds.publish(description, stream=self.stream, **options)
        return self.last

    @property
    def all(self):
        return parse(self.stream.getvalue())

    @property
    def last(self):
        return self.all[-1][1]


def parse(text):
    """Return (id, object) of every run in a text, one after the other as a reader does."""
    found = []
    while match := re.search(
        r"\[\[DOTSCIENCE-RUN:(.+?)\]\](.*?)\[\[/DOTSCIENCE-RUN:\1\]\]", text, re.DOTALL
    ):
        found.append((match[1], json.loads(match[2])))
        text = text[match.end() :]
    return found


def spooled(folder):
    """Return the records in a workspace's spool, oldest first."""
    spool = Path(folder) / ".dotscience" / "spool"
    files = sorted(spool.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text("ascii")) for path in files]


def environment(**more):
    # a stdout without a buffer would hide what a killed process loses
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": str(CHECKOUT), **more}


def run_python(code, *arguments, check=True, **more):
    """Run a script in a process of its own, in the current folder."""
    script = Path("script.py")
    script.write_text(code)
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=check,
        env=environment(**more),
    )


def module(name, version="1.2.3"):
    """Return a module that could be a machine learning library."""
    result = ModuleType(name)
    if version is not None:
        result.__version__ = version
    return result


# kernels

MIME_TYPE = "application/vnd.dotscience.run.v1+json"


def execute(folder, *sources, allow_errors=False, cell_id=None, **more):
    """Run cells in a kernel of their own, as nbclient (and papermill, nbconvert) does."""
    with Kernel(folder, **more) as kernel:
        return [kernel(source, allow_errors, cell_id) for source in sources]


class Kernel:
    """A real kernel; calling it with code returns the executed cell."""

    def __init__(self, folder, **more):
        self._notebook = new_notebook()
        self._client = NotebookClient(self._notebook, timeout=120, kernel_name="python3")
        self._context = self._client.setup_kernel(cwd=str(folder), env=environment(**more))

    def __enter__(self):
        self._context.__enter__()
        return self

    def __exit__(self, *error):
        return self._context.__exit__(*error)

    def __call__(self, source, allow_errors=True, cell_id=None):
        cell = new_code_cell(source)
        self._notebook.cells.append(cell)
        self._client.allow_errors = allow_errors
        if cell_id is None:
            return self._client.execute_cell(cell, len(self._notebook.cells) - 1)
        # with the metadata that JupyterLab sends along, which nbclient does not
        session, send = self._client.kc.session, self._client.kc.session.msg

        def msg(kind, *arguments, **options):
            message = send(kind, *arguments, **options)
            message["metadata"]["cellId"] = cell_id
            return message

        session.msg = msg
        try:
            return self._client.execute_cell(cell, len(self._notebook.cells) - 1)
        finally:
            session.msg = send


def printed(cell, name="stdout"):
    """Return what a cell wrote to a stream."""
    return "".join(
        output.text for output in cell.outputs if output.get("name") == name and "text" in output
    )
