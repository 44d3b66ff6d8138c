# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the parts of the shared suite have in common."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dotscience_jupyter.snapshots import (
    Change,
    Difference,
    Engine,
    LiveChange,
    Snapshot,
)

MTIME = 1_600_000_000_123_456_789

ODD_NAMES = [
    "with space",
    "new\nline",
    "tab\tand\rreturn",
    "back\\slash",
    "quote'\"`$",
    "-rf",
    "ünï😀",
    "e\u0301",  # decomposed
    os.fsdecode(b"not-utf8-\xff\xfe"),
    "*?[a]",
    "...",
    "a" * 255,
    "COM1",
]


def changed(found: list[LiveChange] | list[Difference]) -> dict[str, Change]:
    paths = [entry.path for entry in found]
    assert paths == sorted(paths), "sorted by path"
    assert len(set(paths)) == len(paths), "no path twice"
    return {entry.path: entry.change for entry in found}


class SuiteBase:
    """``folder`` is the live folder, ``engine`` an engine on it.

    Attributes
    ----------
    links_from_outside
        Whether a file in a live folder can have another name outside of it.
    sees_mapped_memory
        Whether what was stored in mapped memory is noticed where no time of the file tells of it.
    """

    links_from_outside = True
    sees_mapped_memory = True

    def make(self, folder: Path, place: Path) -> Engine:
        """Open an engine on a folder; ``place`` is where it may keep what it needs."""
        raise NotImplementedError

    def new_folder(self, path: Path) -> Path:
        """Make an empty folder that the engine can be opened on."""
        path.mkdir(parents=True)
        return path

    @contextlib.contextmanager
    def open_place(self) -> Iterator[Path]:
        """Give a folder to make live folders in that users without privileges can get at."""
        with tempfile.TemporaryDirectory() as place:
            Path(place).chmod(0o755)
            yield Path(place)

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[Path]:
        """Give the folder of a file system of its own that is small and may be filled."""
        raise NotImplementedError

    def remove_folder(self, path: Path) -> None:
        """Remove a folder, such as a clone, with all that is in it."""
        shutil.rmtree(path)

    def damage(self, engine: Engine, snapshot: str, path: str, content: bytes) -> None:
        """Change a byte of what is kept of a frozen file, which has that content."""
        raise NotImplementedError

    def described(self, engine: Engine, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what an engine may find out later than when it takes it."""
        return snapshot

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return self.new_folder(tmp_path / "work")

    @pytest.fixture
    def again(self, folder: Path, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
        """Open one more engine on the same folder, as another process would."""
        with contextlib.ExitStack() as stack:

            def opened() -> Engine:
                engine = self.make(folder, tmp_path / "place")
                stack.callback(engine.close)
                return engine

            yield opened

    @pytest.fixture
    def engine(self, again: Callable[[], Engine]) -> Engine:
        return again()

    def make_old(self, engine: Engine) -> None:
        """Let the time pass after which gc takes an unrecorded snapshot for a forgotten one."""
