# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The files that a program opens while a run is under way, for runs that declare none.

Python tells of every file that is opened through it. Libraries that open files by themselves
(Arrow, HDF5, SQLite, PyTorch's writer) are not seen here; what they wrote shows in the snapshot.
"""

from __future__ import annotations

import _thread
import os
import sys

from . import _pinned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._dotscience import Dotscience
    from ._run import Run

LIMIT = 1000
"""Files of one direction that are remembered of a run."""

_WRITES = os.O_WRONLY | os.O_RDWR
_MAKES = os.O_CREAT | os.O_TRUNC
_NO_FILE = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
# what belongs to programs, not to their data; whatever starts with a dot is left out as well
_FOLDERS = frozenset({"site-packages", "dist-packages", "__pycache__", "node_modules"})
_PACKAGES = (".egg-info", ".dist-info")
# read because they are imported, or shown in a traceback
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll")
_OFF = frozenset({"0", "false", "no", "off"})


class _State:
    """What the hook looks at; there is one, since a hook can never be taken out again."""

    installed = False
    enabled = True
    session: Dotscience | None = None  # the one that began a run last
    below = ""  # what all paths of interest begin with
    own_thread = 0  # the thread that writes files of ours


class Observed:
    """What was opened while one run was under way, as absolute paths."""

    __slots__ = ("below", "inputs", "outputs")

    def __init__(self, root: str) -> None:
        self.below = os.path.abspath(root).rstrip(os.sep) + os.sep
        self.inputs: set[str] = set()
        self.outputs: set[str] = set()

    def note(self, path: object, *, reads: bool, writes: bool) -> None:
        """Remember a file if it lies below the run's root and can be somebody's data."""
        if isinstance(path, int):
            return  # a descriptor: the file was opened before
        name = os.fsdecode(path)  # type: ignore[arg-type]  # a path, else a TypeError
        if os.path.isabs(name) and not name.startswith(self.below):
            return
        name = os.path.abspath(name)
        if not name.startswith(self.below) or not _is_data(name, len(self.below)):
            return
        if reads and name not in self.outputs and not name.endswith(_CODE):
            _add(self.inputs, name)
        if writes:
            _add(self.outputs, name)

    def renamed(self, old: object, new: object) -> None:
        """Take notice of a file that got its final name, as careful programs write."""
        self.note(new, reads=False, writes=True)
        self.outputs.discard(os.path.abspath(os.fsdecode(old)))  # type: ignore[arg-type]  # as above

    def described(self, root: str) -> dict[str, list[str]]:
        """Return the ``observed`` of a run's full record: paths relative to its root."""
        return {
            "input": sorted(os.path.relpath(path, start=root) for path in self.inputs.copy()),
            "output": sorted(os.path.relpath(path, start=root) for path in self.outputs.copy()),
        }


def observe_files(on: bool) -> None:
    """Switch observing on or off, for what is opened from now on."""
    _State.enabled = bool(on)


def begin(session: Dotscience, run: Run) -> None:
    """Observe a run that begins, unless that is switched off. Never raises."""
    _pinned.watch(run._root)
    if not _State.enabled or os.environ.get("DOTSCIENCE_OBSERVE_FILES", "").lower() in _OFF:
        run._observed = None
        return
    if run._observed is None:
        run._observed = Observed(run._root)
    below = run._observed.below
    # most programs have one root, so most files that they open can be told to be elsewhere at once
    _State.below = below if _State.session is None or below == _State.below else ""
    _State.session = session
    if not _State.installed:
        _State.installed = True
        # what already watches this interpreter may refuse, silently
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # every import, every object made by ctypes comes by here: the first line is all they cost
    if event != "open" and event != "os.rename":
        return
    try:
        path = args[0]
        if (
            event == "open"
            and type(path) is str
            and path[:1] == "/"
            and not path.startswith(_State.below)
        ):
            return
        session = _State.session
        run = session._current() if session is not None else None
        if run is None or run._start is None or run._end is not None or not _State.enabled:
            return
        observed = run._observed
        if observed is None or _thread.get_ident() == _State.own_thread:
            return
        if event == "open":
            flags = args[2]
            writes = bool(flags & _WRITES)
            if not flags & _NO_FILE:
                # "r+" changes what is there: it needs what was there before
                reads = not writes or bool(flags & os.O_RDWR and not flags & _MAKES)
                observed.note(path, reads=reads, writes=writes)
        elif args[2] == args[3] == -1:
            # names relative to an open folder cannot be told from here
            observed.renamed(args[0], args[1])
    except Exception:  # noqa: S110 - an error here would be one of the program's own open()
        pass


def _is_data(path: str, start: int) -> bool:
    if path.startswith(_prefix()):
        return False
    return not any(
        part[:1] == "." or part in _FOLDERS or part.endswith(_PACKAGES)
        for part in path[start:].split(os.sep)
    )


def _prefix() -> str:
    """Return the folder of this Python where it is a virtual environment, else what no path is."""
    return sys.prefix + os.sep if sys.prefix != sys.base_prefix else "\0"


def _add(paths: set[str], path: str) -> None:
    if len(paths) < LIMIT:
        paths.add(path)
