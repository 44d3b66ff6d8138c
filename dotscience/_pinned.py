# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of datasets that only point to S3: brought when a program opens or declares them.

A folder with a manifest (``dotscience-s3.json``, docs/datasets-s3.md) lacks the files that nobody
has read yet. Python tells of every file before it opens it, so one that a manifest above it names
and that is not there can still be brought. A program of ours does that, in a process of its own:
what talks to S3 is not loaded here.
"""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MANIFEST = "dotscience-s3.json"
ATTACHED = "dotscience-datasets.json"

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_NO_FILE = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
_OFF = frozenset({"0", "false", "no", "off"})


# threads that are bringing something: what they open is not looked at
_busy: set[int] = set()


class _State:
    """What the hook looks at; there is one, since a hook can never be taken out again."""

    installed = False


def watch(root: str) -> None:
    """Bring what programs open from now on, if the workspace uses datasets at all."""
    if _State.installed or _off() or not os.path.exists(os.path.join(root, ATTACHED)):
        return
    _State.installed = True
    # what already watches this interpreter may refuse, silently
    sys.addaudithook(_hook)


def bring(path: str) -> None:
    """Bring a file, or all files of a folder, if a manifest names what is not there.

    Says on standard error why if it cannot be done, and never raises: whoever opens the file then
    is told that it is not there.
    """
    thread = _thread.get_ident()
    if thread in _busy or _off():
        return
    _busy.add(thread)
    try:
        _bring(path)
    except Exception as error:
        _say(path, f"{type(error).__name__}: {error}")
    finally:
        _busy.discard(thread)


def _off() -> bool:
    return os.environ.get("DOTSCIENCE_FETCH", "").lower() in _OFF


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # every import, every object made by ctypes comes by here: the first line is all they cost
    if event != "open":
        return
    try:
        path, _, flags = args
        if flags & (_WRITES | _NO_FILE) or isinstance(path, int):
            return
        if _thread.get_ident() not in _busy and not os.path.exists(path):
            bring(os.fsdecode(path))
    except Exception:  # noqa: S110 - an error here would be one of the program's own open()
        pass


def _bring(path: str) -> None:
    real = os.path.realpath(path)
    root = real
    while not os.path.exists(os.path.join(root, MANIFEST)):
        parent = os.path.dirname(root)
        if parent == root:
            return
        root = parent
    inside = "" if root == real else os.path.relpath(real, root).replace(os.sep, "/")
    if _lacks(root, inside):
        code, told = _run([*_program(), "dataset", "fetch", os.path.join(root, inside), "--json"])
        if code:
            _say(path, told)


def _lacks(root: str, inside: str) -> bool:
    """Whether the manifest of a folder names a file at or below a path that is not there."""
    import json

    with open(os.path.join(root, MANIFEST), "rb") as file:
        text = file.read()
    # most files that are not there are not in it either, and that is told sooner so
    if inside and json.dumps(inside)[1:-1].encode() not in text:
        return False
    names = [each["path"] for each in json.loads(text)["objects"]]
    return any(
        (name == inside or not inside or name.startswith(f"{inside}/"))
        and not os.path.lexists(os.path.join(root, name))
        for name in names
    )


def _program() -> list[str]:
    """Return how our program is started: with this Python, else with the one on the PATH."""
    import importlib.util
    import shutil

    if importlib.util.find_spec("dotscience_jupyter") is not None:
        return [sys.executable, "-m", "dotscience_jupyter.cli"]
    program = shutil.which("jupyter-dotscience")
    if program is None:
        raise RuntimeError(
            "the package dotscience-jupyter, which could fetch it, is not installed here"
        )
    return [program]


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Run the program; return its exit code and what it said of a failure."""
    import json
    import subprocess

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    text = done.stderr.decode("utf-8", "replace")
    try:
        return done.returncode, str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return done.returncode, text[-2000:].strip()


def _say(path: str, why: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"dotscience: {path} is in S3 and was not fetched: {why}\n")
