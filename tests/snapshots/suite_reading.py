# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How every engine must tell what differs, and read what is frozen."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from snapshot_helpers import state_of, write
from suite_base import MTIME, SuiteBase, changed

from dotscience_jupyter.snapshots import (
    Change,
    Engine,
    Kind,
    PathNotFoundError,
    SnapshotNotFoundError,
)


class ReadingSuite(SuiteBase):
    """How every engine must tell what differs, and read what is frozen."""

    # -- what differs --------------------------------------------------------------------------

    def test_diff_and_changes_tell_what_happened(self, engine: Engine, folder: Path) -> None:
        for name in ("keep", "edit", "grow", "gone", "touched", "chmod", "d/gone", "e/only"):
            write(folder / name, f"{name} content", MTIME)
        (folder / "link").symlink_to("keep")
        (folder / "relink").symlink_to("keep")
        (folder / "was-empty").mkdir()
        (folder / "filled").mkdir()
        (folder / "mode").mkdir()
        write(folder / "mode" / "f", "f")
        write(folder / "file-to-folder", "f")
        write(folder / "file-to-empty", "f")
        write(folder / "folder-to-file" / "below", "b")
        write(folder / "file-to-link", "keep")
        old = engine.snapshot().id

        write(folder / "edit", "EDIT content", MTIME)
        write(folder / "grow", "grow content and more")
        (folder / "gone").unlink()
        shutil.rmtree(folder / "d")
        (folder / "e" / "only").unlink()
        os.utime(folder / "touched")
        (folder / "chmod").chmod(0o600)
        (folder / "relink").unlink()
        (folder / "relink").symlink_to("edit")
        (folder / "was-empty").rmdir()
        write(folder / "filled" / "f", "f")
        (folder / "mode").chmod(0o700)
        for name in ("file-to-folder", "file-to-empty", "file-to-link"):
            (folder / name).unlink()
        write(folder / "file-to-folder" / "below", "b")
        (folder / "file-to-empty").mkdir()
        (folder / "file-to-link").symlink_to("keep")
        shutil.rmtree(folder / "folder-to-file")
        write(folder / "folder-to-file", "now a file")
        (folder / "new-empty").mkdir()
        write(folder / "new" / "deep" / "f", "f")

        expected = {
            "edit": Change.MODIFIED,
            "grow": Change.MODIFIED,
            "gone": Change.REMOVED,
            "d/gone": Change.REMOVED,
            "e/only": Change.REMOVED,
            "chmod": Change.MODIFIED,
            "relink": Change.MODIFIED,
            "was-empty": Change.REMOVED,
            "filled/f": Change.ADDED,
            "mode": Change.MODIFIED,
            "file-to-folder": Change.REMOVED,
            "file-to-folder/below": Change.ADDED,
            "file-to-empty": Change.MODIFIED,
            "file-to-link": Change.MODIFIED,
            "folder-to-file": Change.ADDED,
            "folder-to-file/below": Change.REMOVED,
            "new-empty": Change.ADDED,
            "new/deep/f": Change.ADDED,
        }
        live = engine.changes(old)
        assert changed(live) == expected
        kinds = {entry.path: (entry.kind, entry.size) for entry in live}
        assert kinds["relink"] == (Kind.SYMLINK, 4)
        assert kinds["new-empty"] == (Kind.FOLDER, 0)
        assert kinds["file-to-folder"] == (Kind.FILE, 1)
        assert kinds["grow"] == (Kind.FILE, 21)

        new = engine.snapshot().id
        found = engine.diff(old, new)
        assert changed(found) == expected
        for difference in found:
            assert (difference.old is None) == (difference.change is Change.ADDED)
            assert (difference.new is None) == (difference.change is Change.REMOVED)
            if difference.old is not None:
                assert difference.old == engine.entry(old, difference.path)
            if difference.new is not None:
                assert difference.new == engine.entry(new, difference.path)
        assert engine.changes(new) == []
        assert engine.diff(new, new) == []
        back = {
            Change.ADDED: Change.REMOVED,
            Change.REMOVED: Change.ADDED,
            Change.MODIFIED: Change.MODIFIED,
        }
        assert changed(engine.diff(new, old)) == {p: back[c] for p, c in expected.items()}
        # the live folder against something that is not the last snapshot
        assert changed(engine.changes(old)) == expected

    def test_everything_is_new_against_nothing(self, engine: Engine, folder: Path) -> None:
        write(folder / "a" / "f", "f")
        (folder / "empty").mkdir()
        assert changed(engine.changes(None)) == {"a/f": Change.ADDED, "empty": Change.ADDED}
        snapshot = engine.snapshot().id
        assert changed(engine.changes(None)) == {"a/f": Change.ADDED, "empty": Change.ADDED}
        assert changed(engine.diff(None, snapshot)) == {"a/f": Change.ADDED, "empty": Change.ADDED}

    def test_diff_below_a_path(self, engine: Engine, folder: Path) -> None:
        write(folder / "a" / "f", "1")
        write(folder / "b" / "f", "1")
        old = engine.snapshot().id
        write(folder / "a" / "f", "2")
        write(folder / "b" / "f", "2")
        write(folder / "c" / "f", "2")
        new = engine.snapshot().id
        assert changed(engine.diff(old, new, "a")) == {"a/f": Change.MODIFIED}
        assert changed(engine.diff(old, new, "a/f")) == {"a/f": Change.MODIFIED}
        assert changed(engine.diff(old, new, "c")) == {"c/f": Change.ADDED}
        assert changed(engine.diff(new, old, "c")) == {"c/f": Change.REMOVED}
        with pytest.raises(PathNotFoundError):
            engine.diff(old, new, "nowhere")

    def test_same_size_and_mtime_does_not_hide_an_edit(
        self, engine: Engine, folder: Path, again: Callable[[], Engine]
    ) -> None:
        path = write(folder / "f", "aaaa", MTIME)
        first = engine.snapshot().id
        for number, content in enumerate(("bbbb", "cccc", "dddd")):
            write(path, content, MTIME)
            current = engine if number % 2 else again()
            assert changed(current.changes(first)) == {"f": Change.MODIFIED}
            snapshot = current.snapshot().id
            with current.open(snapshot, "f") as file:
                assert file.read() == content.encode()

    def test_big_folders(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        for number in range(700):
            write(folder / f"file-{number}", str(number % 100))
        old = engine.snapshot().id
        write(folder / "file-600", "edited")
        (folder / "file-3").unlink()
        write(folder / "file-x", "new")
        expected = {
            "file-600": Change.MODIFIED,
            "file-3": Change.REMOVED,
            "file-x": Change.ADDED,
        }
        assert changed(engine.changes(old)) == expected
        new = engine.snapshot().id
        assert changed(engine.diff(old, new)) == expected
        assert engine.entry(new, "file-600").size == 6
        engine.restore(new, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)
        assert [entry.path for entry in engine.list(new)] == sorted(state_of(folder))

    # -- reading -------------------------------------------------------------------------------

    def test_entries(self, engine: Engine, folder: Path) -> None:
        path = write(folder / "d" / "f.bin", b"hello", MTIME)
        path.chmod(0o640)
        (folder / "d" / "to").symlink_to("f.bin")
        (folder / "d" / "sub").mkdir(mode=0o700)
        folder.chmod(0o750)
        snapshot = engine.snapshot().id
        entry = engine.entry(snapshot, "d/f.bin")
        assert (entry.path, entry.kind, entry.mode) == ("d/f.bin", Kind.FILE, 0o640)
        assert (entry.size, entry.mtime_ns, entry.target) == (5, MTIME, "")
        assert entry.digest == blake3(b"hello").hexdigest()
        link = engine.entry(snapshot, "d/to")
        assert (link.kind, link.target, link.size, link.digest) == (Kind.SYMLINK, "f.bin", 5, "")
        sub = engine.entry(snapshot, "d/sub")
        assert (sub.kind, sub.mode, sub.size, sub.digest) == (Kind.FOLDER, 0o700, 0, "")
        root = engine.entry(snapshot, "")
        assert (root.path, root.kind, root.mode) == ("", Kind.FOLDER, 0o750)
        assert [e.path for e in engine.list(snapshot)] == ["d"]
        assert [e.path for e in engine.list(snapshot, "d")] == ["d/f.bin", "d/sub", "d/to"]
        assert engine.list(snapshot, "d/sub") == []
        assert [e.path for e in engine.walk(snapshot)] == ["d", "d/f.bin", "d/sub", "d/to"]
        assert [e.path for e in engine.walk(snapshot, "d")] == ["d/f.bin", "d/sub", "d/to"]

    @pytest.mark.parametrize("path", ["no", "d/no", "d/f/no", "f/", "../f", "d/../f", "/d", "."])
    def test_no_such_path(self, engine: Engine, folder: Path, tmp_path: Path, path: str) -> None:
        write(folder / "d" / "f", "f")
        write(folder / "f", "f")
        snapshot = engine.snapshot().id
        with pytest.raises(PathNotFoundError):
            engine.entry(snapshot, path)
        with pytest.raises(PathNotFoundError):
            engine.open(snapshot, path)
        with pytest.raises(PathNotFoundError):
            engine.list(snapshot, path)
        with pytest.raises(PathNotFoundError):
            engine.restore(snapshot, tmp_path / "out", ["d", path])
        assert not (tmp_path / "out").exists()

    def test_wrong_kind(self, engine: Engine, folder: Path) -> None:
        write(folder / "d" / "f", "f")
        (folder / "link").symlink_to("d/f")
        snapshot = engine.snapshot().id
        for path in ("d", "link", ""):
            with pytest.raises(PathNotFoundError):
                engine.open(snapshot, path)
        for path in ("d/f", "link"):
            with pytest.raises(PathNotFoundError):
                engine.list(snapshot, path)
            with pytest.raises(PathNotFoundError):
                list(engine.walk(snapshot, path))

    @pytest.mark.parametrize("snapshot", ["0" * 64, "", "x", "../format", "0" * 63 + "g"])
    def test_no_such_snapshot(self, engine: Engine, tmp_path: Path, snapshot: str) -> None:
        good = engine.snapshot().id
        assert not engine.exists(snapshot)
        for call in (
            lambda: engine.entry(snapshot, ""),
            lambda: engine.list(snapshot),
            lambda: list(engine.walk(snapshot)),
            lambda: engine.open(snapshot, "f"),
            lambda: engine.changes(snapshot),
            lambda: engine.diff(snapshot, good),
            lambda: engine.diff(good, snapshot),
            lambda: engine.restore(snapshot, tmp_path / "out"),
            lambda: engine.gc([good, snapshot]),
        ):
            with pytest.raises(SnapshotNotFoundError):
                call()
        assert not (tmp_path / "out").exists()
        problems = engine.verify([good, snapshot])
        assert [problem.snapshot for problem in problems] == [snapshot]

    def test_ranges(self, engine: Engine, folder: Path) -> None:
        content = random.Random(2).randbytes(2_500_001)
        write(folder / "f", content)
        snapshot = engine.snapshot().id
        with engine.open(snapshot, "f") as file:
            assert file.readable()
            assert file.seekable()
            assert file.read(10) == content[:10]
            for start, count in [(0, 1), (1 << 20, 5), ((1 << 20) - 3, 6), (2_499_990, 100)]:
                assert file.seek(start) == start
                assert file.read(count) == content[start : start + count]
            assert file.seek(-5, io.SEEK_END) == 2_499_996
            assert file.read() == content[-5:]
            assert file.read() == b""
            assert file.seek(10_000_000) == 10_000_000
            assert file.read(1) == b""
            file.seek(0)
            assert file.read() == content
        with pytest.raises(ValueError, match="closed"):
            file.read()

    def test_empty_file_and_lines(self, engine: Engine, folder: Path) -> None:
        write(folder / "empty", b"")
        write(folder / "lines", b"a\nb\n")
        snapshot = engine.snapshot().id
        assert engine.entry(snapshot, "empty").digest == blake3(b"").hexdigest()
        with engine.open(snapshot, "empty") as file:
            assert file.read() == b""
        with engine.open(snapshot, "lines") as file:
            assert list(file) == [b"a\n", b"b\n"]
