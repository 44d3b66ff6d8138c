# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What every engine must freeze, and what it must leave out."""

from __future__ import annotations

import mmap
import os
import random
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from snapshot_helpers import settle, state_of, without_privileges, write
from suite_base import MTIME, ODD_NAMES, SuiteBase, changed

from dotscience_jupyter.snapshots import (
    Change,
    Engine,
    Kind,
    SnapshotError,
)


class FreezingSuite(SuiteBase):
    """What every engine must freeze, and what it must leave out."""

    # -- snapshot and restore ------------------------------------------------------------------

    def test_empty_folder(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        snapshot = engine.snapshot()
        assert re.fullmatch("[A-Za-z0-9_-]{8,64}", snapshot.id)
        assert (snapshot.files, snapshot.bytes, snapshot.skipped) == (0, 0, ())
        assert engine.list(snapshot.id) == []
        assert list(engine.walk(snapshot.id)) == []
        assert engine.restore(snapshot.id, tmp_path / "out") == 0
        assert list((tmp_path / "out").iterdir()) == []

    def test_what_is_in_mapped_memory_is_in_a_snapshot(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        """As numpy.memmap writes it, and nobody has told it to flush yet."""
        path = write(folder / "array", bytes(1 << 20))
        os.sync()
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as array:
            for number in range(3):
                for place in (number << 12, 500_000):
                    array[place : place + 8] = b"%08d" % (number + 1)
                if not self.sees_mapped_memory:
                    os.utime(path)  # as the docs say
                snapshot = engine.snapshot().id
                with engine.open(snapshot, "array") as frozen:
                    assert frozen.read() == array[:]
            engine.restore(snapshot, tmp_path / "out")
            assert (tmp_path / "out" / "array").read_bytes() == array[:]

    def test_everything_survives_a_restore(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        for number, name in enumerate(ODD_NAMES):
            write(folder / name, f"content of {number}", MTIME + number)
            write(folder / "odd" / name / name, name.encode("utf-8", "surrogateescape"))
        write(folder / "empty", b"")
        write(folder / "large", random.Random(1).randbytes(3_500_000), MTIME)
        write(folder / "exactly-a-chunk", b"x" * (1 << 20))
        write(folder / "one-more", b"x" * ((1 << 20) + 1))
        write(folder / "text.csv", b"1.5,2.5,3.5\n" * 200_000)
        for mode in (0o400, 0o755, 0o640, 0o4711, 0o2750, 0o1777, 0o000):
            path = write(folder / f"mode-{mode:o}", "m")
            path.chmod(mode)
        (folder / "empty-folder" / "below").mkdir(parents=True)
        (folder / "private").mkdir(mode=0o700)
        write(folder / "private" / "f", "p")
        (folder / "to-file").symlink_to("text.csv")
        (folder / "to-folder").symlink_to("odd", target_is_directory=True)
        (folder / "dangling").symlink_to(os.fsdecode(b"no/such/\xff"))
        (folder / "outside").symlink_to("/etc")
        (folder / "loop").symlink_to("loop")
        os.utime(folder / "dangling", ns=(MTIME, MTIME), follow_symlinks=False)
        os.link(folder / "large", folder / "hard-link")
        with open(folder / "sparse", "wb") as file:
            file.seek(5_000_000)
            file.write(b"end")
        os.utime(folder / "empty-folder", ns=(MTIME, MTIME))
        (folder / "read-only").mkdir()
        write(folder / "read-only" / "f", "r")
        (folder / "read-only").chmod(0o555)

        snapshot = self.described(engine, engine.snapshot())
        before = state_of(folder, folder_times=True)
        assert snapshot.skipped == ()
        files = [value for value in before.values() if value[0] == "file"]
        assert snapshot.files == len(files)
        assert snapshot.bytes == sum(len(value[2]) for value in files)  # type: ignore[arg-type]  # bytes
        count = engine.restore(snapshot.id, tmp_path / "out")
        assert count == len(files)
        assert state_of(tmp_path / "out", folder_times=True) == before
        assert {entry.path for entry in engine.walk(snapshot.id)} == set(before)
        assert engine.verify([snapshot.id]) == []

    def test_paths_longer_than_the_system_takes(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fd = os.open(folder, os.O_RDONLY)
        for number in range(30):
            name = f"{number:0200}"
            os.mkdir(name, dir_fd=fd)
            child = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = child
        with open(os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "w") as file:
            file.write("down here")
        os.close(fd)
        snapshot = self.described(engine, engine.snapshot())
        assert snapshot.files == 1
        assert snapshot.skipped == ()
        engine.restore(snapshot.id, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)

    def test_unchanged_folder_gives_the_same_id(
        self, engine: Engine, again: Callable[[], Engine], folder: Path
    ) -> None:
        write(folder / "a" / "b.txt", "b")
        (folder / "link").symlink_to("a")
        first = engine.snapshot()
        assert engine.snapshot() == first
        assert again().snapshot() == first
        settle()
        assert engine.snapshot() == first

    def test_files_that_are_not_frozen_do_not_make_a_new_snapshot(
        self, engine: Engine, folder: Path
    ) -> None:
        write(folder / "a" / "b.txt", "b")
        first = engine.snapshot()
        write(folder / "a" / ".ipynb_checkpoints" / "b-checkpoint.txt", "old")
        write(folder / "a" / ".~b.txt", "half written")
        write(folder / ".dotscience" / "records.db", "ours")
        assert engine.snapshot().id == first.id
        assert engine.changes(first.id) == []

    def test_content_comes_back_from_every_snapshot(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        states = []
        for number in range(4):
            write(folder / "same", "same")
            write(folder / f"new-{number}", f"{number}")
            write(folder / "edited", f"version {number}" * 1000)
            (folder / f"new-{number - 2}").unlink(missing_ok=True)
            states.append((engine.snapshot().id, state_of(folder)))
        assert len({snapshot for snapshot, _ in states}) == 4
        for number, (snapshot, state) in enumerate(states):
            assert engine.exists(snapshot)
            engine.restore(snapshot, tmp_path / f"out{number}")
            assert state_of(tmp_path / f"out{number}") == state

    def test_snapshot_outlives_the_folder_and_the_engine(
        self, again: Callable[[], Engine], folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "f", "precious")
        engine = again()
        snapshot = engine.snapshot()
        engine.close()
        (folder / "f").unlink()
        restored = again()
        restored.restore(snapshot.id, tmp_path / "out")
        assert (tmp_path / "out" / "f").read_text() == "precious"

    def test_special_files_are_skipped_and_said_so(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "f")
        os.mkfifo(folder / "pipe")
        (folder / "d").mkdir()
        here = os.getcwd()
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(folder / "d")  # a socket's path may not be long
            try:
                server.bind("s")
            finally:
                os.chdir(here)
            snapshot = self.described(engine, engine.snapshot())
            assert [entry.path for entry in engine.walk(snapshot.id)] == ["d", "f"]
            reasons = {skipped.path: skipped.reason for skipped in snapshot.skipped}
            assert set(reasons) == {"pipe", "d/s"}
            assert "pipe" in reasons["pipe"]
            assert "socket" in reasons["d/s"]
            assert engine.snapshot() == snapshot
            assert engine.changes(snapshot.id) == []

    def test_unreadable_files_are_skipped_and_said_so(self) -> None:
        with self.open_place() as top:
            folder = self.new_folder(top / "work")
            write(folder / "readable", "r")
            write(folder / "secret", "s").chmod(0o000)
            write(folder / "closed" / "f", "f")
            (folder / "closed").chmod(0o000)
            try:
                with without_privileges(top):
                    engine = self.make(folder, top / "place")
                    snapshot = self.described(engine, engine.snapshot())
                    paths = [entry.path for entry in engine.walk(snapshot.id)]
                    skipped = {entry.path for entry in snapshot.skipped}
                    changes = engine.changes(snapshot.id)
                    engine.close()
                assert paths == ["readable"]
                assert skipped == {"secret", "closed"}
                assert changes == []
            finally:
                (folder / "closed").chmod(0o700)

    def test_what_cannot_be_read_any_more_is_not_called_removed(self) -> None:
        with self.open_place() as top:
            folder = self.new_folder(top / "work")
            write(folder / "d" / "f", "f")
            try:
                with without_privileges(top):
                    engine = self.make(folder, top / "place")
                    snapshot = engine.snapshot()
                    (folder / "d").chmod(0o000)
                    changes = changed(engine.changes(snapshot.id))
                    engine.close()
                assert Change.REMOVED not in changes.values()
            finally:
                (folder / "d").chmod(0o700)

    def test_progress_is_told(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        for number in range(120):
            write(folder / str(number), str(number))
        heard: list[tuple[int, int, str]] = []
        snapshot = engine.snapshot(lambda *said: heard.append(said))
        assert heard
        heard.clear()
        engine.restore(snapshot.id, tmp_path / "out", progress=lambda *said: heard.append(said))
        assert heard
        for done, total, text in heard:
            assert done <= total or total == 0
            assert text

    def test_missing_folder_is_an_error(self, engine: Engine, folder: Path) -> None:
        shutil.rmtree(folder)
        with pytest.raises(SnapshotError, match="cannot be read"):
            engine.snapshot()

    # -- what is left out ----------------------------------------------------------------------

    def test_defaults_are_left_out(self, engine: Engine, folder: Path) -> None:
        kept = ["nb.ipynb", ".gitignore", ".env", "env/f", "venv/f", "data.tmp", "x~", "#1"]
        for name in kept:
            write(folder / name, "k")
        for name in (
            ".git/HEAD",
            "sub/.git",
            ".dotscience/records.db",
            "sub/.ipynb_checkpoints/nb.ipynb",
            "__pycache__/m.pyc",
            "node_modules/x/index.js",
            ".venv/lib/x",
            "myenv/pyvenv.cfg",
            "myenv/lib/x",
            "conda/conda-meta/history",
            "conda/bin/python",
            ".DS_Store",
            ".~nb.ipynb",
            ".nb.ipynb.swp",
            ".#emacs",
            "#emacs#",
        ):
            write(folder / name, "ignored")
        snapshot = self.described(engine, engine.snapshot())
        files = [e.path for e in engine.walk(snapshot.id) if e.kind is Kind.FILE]
        assert sorted(files) == sorted(kept)
        assert snapshot.skipped == ()

    def test_ignore_file(self, engine: Engine, folder: Path, again: Callable[[], Engine]) -> None:
        write(folder / ".dotscienceignore", "*.log\n/build/\n!node_modules\n!.git\n")
        write(folder / "sub" / ".dotscienceignore", "!keep.log\n/here\n")
        for name in ("a.log", "build/x", "sub/build/x", "sub/keep.log", "sub/a.log", "sub/here"):
            write(folder / name, "x")
        for name in ("sub/deeper/here", "node_modules/m.js", ".git/HEAD", "keep.log"):
            write(folder / name, "x")

        def files(engine: Engine) -> list[str]:
            snapshot = engine.snapshot().id
            assert engine.changes(snapshot) == []
            return [e.path for e in engine.walk(snapshot) if e.kind is Kind.FILE]

        expected = [
            ".dotscienceignore",
            "node_modules/m.js",
            "sub/.dotscienceignore",
            "sub/build/x",
            "sub/deeper/here",
            "sub/keep.log",
        ]
        assert files(engine) == expected
        assert files(again()) == expected
        # the rules change while nothing else does
        write(folder / ".dotscienceignore", "*.js\n")
        expected = [".dotscienceignore", "a.log", "build/x", "keep.log", *expected[2:5]]
        expected += ["sub/a.log", "sub/keep.log"]
        assert sorted(files(engine)) == sorted(expected)
        assert sorted(files(again())) == sorted(expected)

    def test_environment_that_comes_and_goes(self, engine: Engine, folder: Path) -> None:
        write(folder / "e" / "lib.py", "x")
        first = engine.snapshot().id
        write(folder / "e" / "pyvenv.cfg", "home = /usr")
        second = engine.snapshot().id
        assert changed(engine.diff(first, second)) == {"e/lib.py": Change.REMOVED}
        (folder / "e" / "pyvenv.cfg").unlink()
        third = engine.snapshot().id
        assert engine.diff(first, third) == []
