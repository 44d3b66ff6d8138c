# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Hearing of files that change: a child process watches, a thread sorts what it tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dotscience_jupyter.records.workspace import MARKER, Workspace
from dotscience_jupyter.snapshots.ignore import IgnoreRules

from . import watch_files

_STOP_TIMEOUT = 5.0


@dataclass(slots=True)
class Changes:
    """What changed together."""

    paths: list[str] = field(default_factory=list)  # folder paths of what is not ignored
    folders: bool = False  # a folder came, which may hold anything
    top_folders: bool = False  # one of those that are watched came or went
    spool: bool = False
    live: bool = False  # a run that is under way began, went on or ended
    records: bool = False  # some program wrote to the records

    def __bool__(self) -> bool:
        told = self.folders or self.top_folders or self.spool or self.live or self.records
        return bool(self.paths) or told


class FileWatch:
    """Watches a workspace's files, but for ignored folders at its top, its spool and live runs.

    Parameters
    ----------
    workspace : Workspace
        What is watched.
    heard : callable
        Called in a thread with what changed, and with None once a watch is armed.
    failed : callable
        Called in a thread with the reason when watching is not possible (any more).
    """

    def __init__(
        self,
        workspace: Workspace,
        heard: Callable[[Changes | None], None],
        failed: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._rules = IgnoreRules(workspace.root)
        self._heard = heard
        self._failed = failed
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._folders: list[str] | None = None
        self._closing = False
        # the child tells real paths
        self._root = os.path.realpath(workspace.root)

    def arm(self) -> None:
        """Begin, or begin anew if the folders at the top have changed. Blocks a little."""
        if self._closing:
            return
        try:
            self._workspace.spool.mkdir(parents=True, exist_ok=True)
            self._workspace.live.mkdir(exist_ok=True)
            folders = self._top_folders()
            if self._process is None:
                self._process = subprocess.Popen(
                    # the folder of the script is not on the path: its names are not for import
                    [sys.executable, "-P", "-X", "utf8", watch_files.__file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    errors="surrogatepass",
                    cwd=os.sep,
                )
                self._thread = threading.Thread(
                    target=self._listen, args=(self._process,), daemon=True, name="dotscience-watch"
                )
                self._thread.start()
            elif folders == self._folders:
                return
            self._folders = folders
            assert self._process.stdin is not None
            own = f"{self._root}/{MARKER}"
            request = {"flat": [self._root, own, f"{own}/spool", f"{own}/live"], "deep": folders}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            self._failed(error.strerror or str(error))

    def close(self) -> None:
        """End the child and the thread."""
        self._closing = True
        if self._process is None:
            return
        assert self._process.stdin is not None
        with suppress(OSError):  # it ended already
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT)

    def _top_folders(self) -> list[str]:
        self._rules.clear()
        with os.scandir(self._root) as entries:
            return sorted(
                entry.path
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and entry.name != MARKER
                and not self._rules.is_ignored(entry.name, True)
            )

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                message = json.loads(line)
                if "error" in message:
                    self._failed(str(message["error"]).strip() or "an unknown error")
                elif "armed" in message:
                    self._heard(None)
                elif changes := self._sorted(message["changes"]):
                    self._heard(changes)
        if not self._closing:
            self._failed("the watching process ended")

    def _sorted(self, told: list[tuple[str, str]]) -> Changes:
        changes = Changes()
        prefix = self._root.rstrip(os.sep) + os.sep
        spool = f"{MARKER}/spool/"
        for kind, full in told:
            if not full.startswith(prefix):
                continue
            path = full[len(prefix) :].replace(os.sep, "/")
            if path.startswith(spool):
                name = path[len(spool) :]
                changes.spool |= (
                    kind != "deleted" and name.endswith(".json") and not name.startswith(".")
                )
                continue
            if path.startswith(f"{MARKER}/live/"):
                changes.live = True
                continue
            if path == MARKER or path.startswith(MARKER + "/"):
                changes.records |= path.startswith(f"{MARKER}/records.db")
                continue
            is_folder = kind != "deleted" and os.path.isdir(full)
            if self._rules.is_ignored(path, is_folder):
                continue
            if "/" not in path and (
                is_folder
                if kind == "added"
                else kind == "deleted" and full in (self._folders or ())
            ):
                changes.top_folders = True
            # the watch cannot spell names that are not UTF-8: a look at everything can
            if (is_folder and kind == "added") or "\ufffd" in path:
                changes.folders = True
            if not is_folder or kind == "added":
                changes.paths.append(path)
        return changes
