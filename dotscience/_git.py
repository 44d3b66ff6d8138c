# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which Git commit a folder is at, by reading Git's own files: no process is started.

The layout read here is that of gitrepository-layout(5): ``.git`` is a folder, or (work trees,
submodules) a file ``gitdir: PATH``; references are files, or lines of ``packed-refs``. Whether the
work tree differs from the commit cannot be read off cheaply; a background thread asks Git.
"""

from __future__ import annotations

import os

_LIMIT = 64 * 2**20  # bytes of packed-refs that are looked at: some 700,000 references

_packed: dict[str, tuple[tuple[int, int], bytes]] = {}


def find(path: str) -> tuple[str, str] | None:
    """Return the work tree that holds a folder and its Git directory, or None."""
    folder = os.path.abspath(path)
    while True:
        candidate = os.path.join(folder, ".git")
        if os.path.isdir(candidate):
            return folder, candidate
        text = _read(candidate, 4096)
        if text.startswith("gitdir: "):
            # relative to the folder that holds the file
            return folder, os.path.normpath(os.path.join(folder, text[8:].rstrip("\r\n")))
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def head(git_directory: str) -> tuple[str | None, str | None]:
    """Return the commit and the branch that a Git directory is at; None for what there is not."""
    common_text = _read(os.path.join(git_directory, "commondir"), 4096).rstrip("\r\n")
    common = os.path.normpath(os.path.join(git_directory, common_text)) if common_text else ""
    places = (git_directory, common) if common else (git_directory,)
    text = _read(os.path.join(git_directory, "HEAD"), 4096).strip()
    branch = None
    # a reference may point at another one; Git follows five
    for _ in range(5):
        if not text.startswith("ref:"):
            break
        reference = text[4:].strip()
        if branch is None:
            branch = reference.removeprefix("refs/heads/")
        text = ""
        for place in places:
            text = _read(os.path.join(place, reference), 4096).strip()
            if text:
                break
        else:
            text = _packed_reference(places[-1], reference)
    if len(text) not in (40, 64) or text.strip("0123456789abcdef"):
        return None, branch  # no commit yet, or a kind of storage that we cannot read
    return text, branch


def _packed_reference(directory: str, reference: str) -> str:
    path = os.path.join(directory, "packed-refs")
    try:
        status = os.stat(path)
        stamp = status.st_mtime_ns, status.st_size
        known = _packed.get(path)
        if known is None or known[0] != stamp:
            with open(path, "rb") as file:
                known = stamp, b"\n" + file.read(_LIMIT)
            _packed[path] = known
    except OSError:
        return ""
    content = known[1]
    end = content.find(b" " + os.fsencode(reference) + b"\n")
    start = content.rfind(b"\n", 0, max(end, 0)) + 1
    return "" if end < 0 else content[start:end].decode("ascii", "replace")


def is_dirty(work_tree: str) -> bool | None:
    """Ask Git whether the work tree differs from the commit; None if it cannot say.

    Files that Git neither tracks nor ignores count: the code may have used them.

    Starts a process, so this is not for the thread that somebody waits for.
    """
    import subprocess

    try:
        result = subprocess.run(
            # without locks: a ``git add`` of the user's must never find the index locked by us;
            # without the file system monitor: it would run a program that the repository names
            [
                "git",
                "--no-optional-locks",
                "-c",
                "core.fsmonitor=false",
                "status",
                "--porcelain",
            ],
            cwd=work_tree,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(result.stdout.strip()) if result.returncode == 0 else None


def _read(path: str, limit: int) -> str:
    """Return the start of a file as text, or an empty text."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return ""
    try:
        return os.fsdecode(os.read(descriptor, limit))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
