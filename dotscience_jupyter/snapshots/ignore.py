# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What of a folder is not frozen: defaults, and ``.dotscienceignore`` files in gitignore syntax.

As in Git, an ignore file speaks for its own folder and what is below it, the deepest file with a
matching pattern decides, and nothing below an ignored folder can be brought back on its own.
``!pattern`` brings a default back, except our own folder and Git's.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

IGNORE_FILE = ".dotscienceignore"

NEVER = frozenset({".dotscience", ".git"})
"""Names that no pattern brings back: a restore of them would damage history."""

FOLDERS = frozenset(
    {
        ".hg",
        ".svn",
        ".venv",
        ".tox",
        ".nox",
        ".ipynb_checkpoints",
        ".virtual_documents",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        "node_modules",
    }
)
FILES = frozenset({".DS_Store", "Thumbs.db"})
MARKERS = frozenset({"pyvenv.cfg", "conda-meta"})
"""What makes the folder that holds it a virtual (or conda) environment, whatever its name."""

# What programs leave for a moment beside the file that is being edited: Jupyter (.~), Emacs (.#),
# LibreOffice (.~lock), NFS and FUSE (files deleted while open), Vim, Office.
_TEMPORARY_PREFIXES = (".~", ".#", ".nfs", ".fuse_hidden")
_TEMPORARY_SUFFIXES = (".swp", ".swo", ".swx", ".tmp")

RESTORE_PREFIX = ".dotscience-restore-"
"""A folder that a restore is filling, beside or inside the one that it was asked for."""

_MAX_IGNORE_FILE = 1 << 20
_CHECK_AGAIN_AFTER = 2.0


def ignored_by_default(name: str, is_dir: bool) -> bool:
    """Whether a name is left out when no pattern speaks of it."""
    if name in NEVER:
        return True
    if is_dir:
        return name in FOLDERS or name.startswith(RESTORE_PREFIX)
    if name[0] == ".":
        return (
            name.startswith(_TEMPORARY_PREFIXES)
            or name.endswith(_TEMPORARY_SUFFIXES)
            or name in FILES
        )
    return name in FILES or name.startswith("~$") or (name[0] == "#" and name[-1] == "#")


class Rules:
    """The patterns that are in force inside one folder: its own and those of the folders above.

    Attributes
    ----------
    id
        Equal for equal patterns, so that decisions made under them can be kept.
    """

    __slots__ = ("_base", "_parent", "_patterns", "id")

    def __init__(
        self,
        parent: Rules | None = None,
        base: str = "",
        patterns: Sequence[tuple[re.Pattern[str], bool]] = (),
    ) -> None:
        self._parent = parent
        self._base = base
        self._patterns = patterns  # the last of the file first
        self.id = b"\0" * 16

    def verdict(self, path: str, is_dir: bool) -> bool | None:
        """Return True (ignored), False (brought back) or None (no pattern matches)."""
        level: Rules | None = self
        while level is not None:
            below = path[len(level._base) + 1 :] if level._base else path
            for regex, include in level._patterns:
                if _matches(regex, below, is_dir):
                    return include
            level = level._parent
        return None

    def ignored(self, path: str, name: str, is_dir: bool) -> bool:
        """Whether a path whose folder is not ignored is left out. Looks at names only."""
        if self._parent is not None and name not in NEVER:
            verdict = self.verdict(path, is_dir)
            if verdict is not None:
                return verdict
        return ignored_by_default(name, is_dir)

    def keeps_environment(self, path: str) -> bool:
        """Whether a pattern brings a virtual environment back."""
        return self.verdict(path, True) is False

    def child(self, base: str, content: bytes) -> Rules:
        """Return the rules inside a folder with an ignore file of that content."""
        from pathspec import GitIgnoreSpec  # slow to import, and rarely needed

        patterns: list[tuple[re.Pattern[str], bool]] = []
        for line in content.decode("utf-8", "surrogateescape").removeprefix("\ufeff").splitlines():
            try:
                spec = GitIgnoreSpec.from_lines([line])
            except ValueError:
                continue  # one bad line must not switch the others off
            for pattern in spec.patterns:
                if pattern.include is not None and pattern.regex is not None:
                    patterns.append((pattern.regex, pattern.include))
        rules = Rules(self, base, patterns[::-1])
        name = base.encode("utf-8", "surrogateescape")
        rules.id = blake3(self.id + blake3(name).digest() + content).digest()[:16]
        return rules


def _matches(regex: re.Pattern[str], path: str, is_dir: bool) -> bool:
    """Whether a pattern means this very path, and not only a folder above it.

    pathspec's expressions match what is below a matching folder too, because it asks about files
    only. As in Git, folders are asked about first here, so a folder above is known to be kept, and
    a pattern that means it says nothing of this path. The group ``ps_d`` is the slash behind what
    the pattern means.
    """
    match = regex.search(path)
    if match is not None and not match.groupdict().get("ps_d"):
        return True
    if not is_dir:
        return False
    slash = len(path)
    # from the last slash on for "**/", which means every folder and would be found at the first
    for start in (0, slash):
        match = regex.search(path + "/", start)
        if match is None or not match.groupdict().get("ps_d"):
            continue
        if match.start("ps_d") == slash:
            return True
    return False


def read_ignore_file(name: str, dir_fd: int | None = None) -> bytes | None:
    """Return the content of an ignore file; None where there is no readable regular file."""
    try:
        fd = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd
        )
    except OSError:
        return None
    try:
        return os.read(fd, _MAX_IGNORE_FILE)
    except OSError:
        return None
    finally:
        os.close(fd)


class IgnoreRules:
    """The rules of a whole folder, for those who hear of single paths (a watcher).

    Decisions are kept for a short while, and dropped as soon as a path that could change them
    (an ignore file, the marker of an environment) is asked about.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._folders: dict[str, tuple[Rules, bool]] = {}
        self._since = 0.0

    def clear(self) -> None:
        """Forget what was read of ignore files."""
        self._folders = {}

    def is_ignored(self, path: str, is_dir: bool = False) -> bool:
        """Whether a folder path is not part of snapshots. Cheap; never raises for odd paths."""
        if not path:
            return False
        folder, _, name = path.rpartition("/")
        now = time.monotonic()
        if name == IGNORE_FILE or name in MARKERS or now - self._since > _CHECK_AGAIN_AFTER:
            self._folders = {}
            self._since = now
        rules, ignored = self._folder(folder)
        if ignored or rules.ignored(path, name, is_dir):
            return True
        return is_dir and self._folder(path)[1]

    def _folder(self, folder: str) -> tuple[Rules, bool]:
        known = self._folders.get(folder)
        if known is not None:
            return known
        place = f"{self._root}/{folder}" if folder else self._root
        if not folder:
            rules, ignored = Rules(), False
        else:
            parent, _, name = folder.rpartition("/")
            rules, ignored = self._folder(parent)
            ignored = ignored or rules.ignored(folder, name, True)
            if not ignored and any(os.path.lexists(f"{place}/{marker}") for marker in MARKERS):
                ignored = not rules.keeps_environment(folder)
        if not ignored and (content := read_ignore_file(f"{place}/{IGNORE_FILE}")) is not None:
            rules = rules.child(folder, content)
        self._folders[folder] = (rules, ignored)
        return rules, ignored
