# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What Git knows: who works here, and whether a work tree is dirty. Git may be missing or slow."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from .record import FoundRun

_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
"""Variables that would make Git look at another repository than the one that is asked about."""

TIMEOUT = 5.0
"""Seconds after which Git's answer is not waited for any longer."""


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what a Git command prints, or None when it fails in any way."""
    environment = {name: value for name, value in os.environ.items() if name not in _PLACES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace") if answer.returncode == 0 else None


def default_author(folder: Path) -> str:
    """Return Git's ``user.name`` for a folder, else the login name, else ``unknown``."""
    name = (_git(folder, "config", "user.name") or "").strip()
    if name:
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "unknown"


def is_dirty(root: str) -> bool | None:
    """Return whether a Git work tree differs from its commit, or None when Git does not tell."""
    if not os.path.isdir(root):
        return None
    # fsmonitor is a command that the repository names; asking must not run it
    answer = _git(Path(root), "-c", "core.fsmonitor=false", "status", "--porcelain")
    return None if answer is None else bool(answer.strip())


class GitAsker:
    """Asks Git about dirty work trees while the snapshot is being made."""

    def __init__(self, runs: Iterable[FoundRun]) -> None:
        here = {platform.node(), socket.gethostname()}
        self._trees: dict[str, list[dict[str, object]]] = {}
        for run in runs:
            git = (run.environment or {}).get("git")
            if (
                isinstance(git, dict)
                and isinstance(git.get("root"), str)
                and git.get("dirty") is None
                and run.process.get("host") in here
            ):
                self._trees.setdefault(git["root"], []).append(git)
        self._threads = [
            threading.Thread(target=self._ask, args=(root, found), daemon=True)
            for root, found in self._trees.items()
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _ask(root: str, found: list[dict[str, object]]) -> None:
        dirty = is_dirty(root)
        for git in found:
            git["dirty"] = dirty

    def answer(self) -> None:
        """Wait for Git."""
        for thread in self._threads:
            thread.join()
