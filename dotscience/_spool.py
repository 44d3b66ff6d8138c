# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The spool: where the record of a run waits for the committer (run format, section 2)."""

from __future__ import annotations

import os
import sys

from . import _new_workspace, _workspace

_said: set[str] = set()
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_WRITE |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def say_once(message: str) -> None:
    """Write one line to stderr, unless it was written before."""
    if message in _said or sys.stderr is None:
        return
    _said.add(message)
    try:
        sys.stderr.write(f"dotscience: {message}\n")
    except (OSError, ValueError):
        _said.discard(message)  # nobody could read it


def workspace_for(root: str, notebook: str | None, may_make: bool) -> str | None:
    """Return the workspace that a run belongs to, made now if a notebook has none, or None.

    Parameters
    ----------
    root
        The folder that the run's paths are relative to.
    notebook
        The notebook's path, where it is known.
    may_make
        Whether to make one; only a notebook does, other programs never.
    """
    root = os.path.abspath(root)
    found = _workspace.find_workspace(root)
    if found or not may_make:
        return found
    folder = root
    if notebook and os.path.isabs(notebook) and os.path.isdir(os.path.dirname(notebook)):
        folder = os.path.dirname(notebook)
        found = _workspace.find_workspace(folder)
        if found:
            return found
    try:
        return _new_workspace.create_workspace(_new_workspace.suggest_root(folder))
    except _new_workspace.WorkspaceRefusedError as error:
        say_once(
            f"{error}, so runs are kept in this notebook's output only. To have their files kept "
            "too, move the notebook to a project's folder, or choose one with "
            "`jupyter dotscience init`."
        )
        return None


def write(workspace: str | None, id: str, text: str) -> bool:
    """Write a record to the spool, complete or not at all; return whether there it is.

    Once this returns, a killed process loses nothing: the file has its final name.
    """
    told = os.environ.get("DOTSCIENCE_SPOOL")
    if told:
        place = os.path.abspath(told)
    elif workspace is not None:
        place = os.path.join(workspace, _workspace.MARKER, "spool")
    else:
        return False
    try:
        if told:
            os.makedirs(place, exist_ok=True)
            _write_in(place, id, text, nofollow=0)
        else:
            try:
                _write_in(place, id, text, nofollow=_NOFOLLOW)
            except FileNotFoundError:
                os.mkdir(place)
                _write_in(place, id, text, nofollow=_NOFOLLOW)
    except OSError as error:
        say_once(
            f"the record of a run could not be written to {place} ({error.strerror or error}). "
            "The run's text was published, but types, series and environment are not kept. Make "
            "the folder writable, and publish again."
        )
        return False
    return True


def _write_in(place: str, id: str, text: str, nofollow: int) -> None:
    temporary, final = f".{id}.tmp", f"{id}.json"
    if os.open not in os.supports_dir_fd:  # Windows
        _write_file(os.path.join(place, temporary), os.path.join(place, final), text, None)
        return
    # through the folder's descriptor, and not through a link: a workspace that came from elsewhere
    # must not send our files to places of its choice
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | nofollow)
    try:
        _write_file(temporary, final, text, descriptor)
    finally:
        os.close(descriptor)


def _write_file(temporary: str, final: str, text: str, folder: int | None) -> None:
    descriptor = os.open(temporary, _WRITE, 0o666, dir_fd=folder)
    try:
        try:
            data = memoryview(text.encode("ascii"))
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        os.rename(temporary, final, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise
