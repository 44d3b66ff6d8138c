# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How every engine must tell that content is the same, and go back to it."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from snapshot_helpers import settle, state_of, without_privileges, write
from suite_base import MTIME, ODD_NAMES, SuiteBase, changed

from dotscience_jupyter.snapshots import (
    Change,
    Engine,
    SnapshotError,
    SnapshotNotFoundError,
)


def content_of(folder: Path) -> str:
    """The content id of a live folder in which nothing is ignored, straight from its definition."""

    def folder_id(place: bytes) -> bytes:
        found = b"dotscience folder 1\0"
        for name in sorted(os.listdir(place)):
            if name == b".dotscience":
                continue
            path = place + b"/" + name
            status = os.lstat(path)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                kind, mode, digest = b"l", 0o777, blake3(os.readlink(path)).digest()
            elif stat.S_ISDIR(status.st_mode):
                kind, digest = b"d", folder_id(path)
            else:
                kind, digest = b"f", blake3(Path(os.fsdecode(path)).read_bytes()).digest()
            found += kind + mode.to_bytes(2, "little") + len(name).to_bytes(2, "little")
            found += name + digest
        return blake3(found).digest()

    mode = stat.S_IMODE(folder.stat().st_mode).to_bytes(2, "little")
    return blake3(b"dotscience root 1\0" + mode + folder_id(os.fsencode(folder))).hexdigest()


def copied(folder: Path, to: Path) -> None:
    """Copy a folder without what is ours in it, as another program would."""
    shutil.copytree(folder, to, symlinks=True, ignore=shutil.ignore_patterns(".dotscience"))


def fill(folder: Path) -> None:
    """Something of everything."""
    for name in ("keep", "edit", "gone", "touched", "chmod", "d/edit", "d/gone", "e/f", "g/deep/f"):
        write(folder / name, f"{name} content", MTIME)
    for number, name in enumerate(ODD_NAMES):
        write(folder / "odd" / name, f"content of {number}", MTIME + number)
        write(folder / "more" / name / name, f"{number}")
    write(folder / "large", random.Random(1).randbytes(2_500_000), MTIME)
    write(folder / "empty", b"")
    (folder / "link").symlink_to("keep")
    (folder / "relink").symlink_to("keep")
    (folder / "dangling").symlink_to("no/such")
    os.utime(folder / "dangling", ns=(MTIME, MTIME), follow_symlinks=False)
    (folder / "empty-folder" / "below").mkdir(parents=True)
    (folder / "private").mkdir(mode=0o700)
    write(folder / "file-to-folder", "f")
    write(folder / "file-to-link", "f")
    write(folder / "folder-to-file" / "below" / "deeper", "b")
    write(folder / "folder-to-link" / "below", "b")
    (folder / "link-to-folder").symlink_to("e")
    (folder / "link-to-file").symlink_to("e")
    write(folder / "read-only" / "f", "r")
    write(folder / "read-only" / "g", "r")
    os.utime(folder / "e", ns=(MTIME, MTIME))
    (folder / "read-only").chmod(0o555)


def stir(folder: Path) -> None:
    """Change everything that :func:`fill` made in some way."""
    (folder / "read-only").chmod(0o755)
    write(folder / "edit", "EDIT content", MTIME)
    write(folder / "d" / "edit", "longer than it was")
    for name in ("gone", "d/gone", "file-to-folder", "file-to-link", "relink", "empty"):
        (folder / name).unlink()
    for name in ("link-to-folder", "link-to-file", "read-only/g"):
        (folder / name).unlink()
    for name in ("empty-folder", "folder-to-file", "folder-to-link", "g"):
        shutil.rmtree(folder / name)
    os.utime(folder / "touched")
    (folder / "chmod").chmod(0o600)
    (folder / "private").chmod(0o755)
    (folder / "relink").symlink_to("edit")
    os.utime(folder / "dangling", ns=(MTIME + 1, MTIME + 1), follow_symlinks=False)
    write(folder / "file-to-folder" / "below", "b")
    (folder / "file-to-link").symlink_to("keep")
    write(folder / "folder-to-file", "now a file")
    (folder / "folder-to-link").symlink_to("e")
    write(folder / "link-to-folder" / "f", "f")
    write(folder / "link-to-file", "f")
    with (folder / "large").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"in the middle")
    write(folder / "new" / "deep" / "f", "new")
    (folder / "new" / "empty").mkdir()
    write(folder / "e" / "new", "new")
    for name in ODD_NAMES[::2]:
        (folder / "odd" / name).unlink()
        write(folder / "more" / name / "new", "n")
    (folder / "read-only").chmod(0o555)


class ReturningSuite(SuiteBase):
    """How every engine must tell that content is the same, and go back to it."""

    # -- content ids ---------------------------------------------------------------------------

    def test_content_id_is_what_it_is_defined_to_be(self, engine: Engine, folder: Path) -> None:
        assert engine.content_id(engine.snapshot().id) == content_of(folder)
        fill(folder)
        snapshot = engine.snapshot().id
        assert engine.content_id(snapshot) == content_of(folder)
        assert engine.content_id(snapshot, compute=False) == content_of(folder)
        folder.chmod(0o700)
        assert engine.content_id(engine.snapshot().id) == content_of(folder)
        stir(folder)
        later = engine.snapshot().id
        assert engine.content_id(later) == content_of(folder)
        assert engine.verify([snapshot, later]) == []

    def test_content_id_is_not_computed_unless_asked_for(
        self, engine: Engine, folder: Path, again: Callable[[], Engine]
    ) -> None:
        write(folder / "f", "f")
        snapshot = engine.snapshot().id
        assert engine.content_id(snapshot, compute=False) in ("", content_of(folder))
        engine.settle()
        assert engine.content_id(snapshot, compute=False) == content_of(folder)
        assert again().content_id(snapshot, compute=False) == content_of(folder)
        assert {info.id: info.content for info in engine.snapshots()} == {
            snapshot: content_of(folder)
        }
        for compute in (False, True):
            with pytest.raises(SnapshotNotFoundError):
                engine.content_id("0" * 64, compute=compute)

    def test_content_id_is_equal_for_equal_content(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        first = engine.snapshot().id
        content = engine.content_id(first)
        for name in ("keep", "d", "large"):
            os.utime(folder / name)
        os.utime(folder / "link", follow_symlinks=False)
        os.link(folder / "keep", folder / "z")
        (folder / "keep").unlink()
        (folder / "z").rename(folder / "keep")
        write(folder / ".ipynb_checkpoints" / "x", "ignored")
        second = engine.snapshot().id
        assert engine.content_id(second) == content
        copy = tmp_path / "copy" / "work"
        engine.restore(first, copy)
        other = self.make_elsewhere(copy, tmp_path / "copy" / "place")
        try:
            assert other.content_id(other.snapshot().id) == content
        finally:
            other.close()

    def make_elsewhere(self, folder: Path, place: Path) -> Engine:
        """Open an engine on another folder, which exists and has content."""
        return self.make(folder, place)

    @pytest.mark.parametrize(
        "change",
        [
            lambda folder: write(folder / "d" / "f", "G"),
            lambda folder: (folder / "d" / "f").rename(folder / "d" / "g"),
            lambda folder: (folder / "d" / "f").rename(folder / "f"),
            lambda folder: (folder / "d" / "f").chmod(0o600),
            lambda folder: (folder / "d").chmod(0o711),
            lambda folder: folder.chmod(0o711),
            lambda folder: write(folder / "d" / "empty", ""),
            lambda folder: (folder / "d" / "below").mkdir(),
            lambda folder: (folder / "nothing").rmdir(),
            lambda folder: (folder / "d" / "link").unlink(),
            lambda folder: (
                (folder / "d" / "link").unlink(),
                (folder / "d" / "link").symlink_to("g"),
            ),
            lambda folder: ((folder / "d" / "link").unlink(), write(folder / "d" / "link", "f")),
        ],
    )
    def test_content_id_is_another_after_each_change(
        self, engine: Engine, folder: Path, change: Callable[[Path], object]
    ) -> None:
        write(folder / "d" / "f", "F")
        (folder / "d" / "link").symlink_to("f")
        (folder / "nothing").mkdir()
        before = engine.content_id(engine.snapshot().id)
        change(folder)
        after = engine.content_id(engine.snapshot().id)
        assert after != before
        assert after == content_of(folder)

    # -- renames -------------------------------------------------------------------------------

    def test_renames_are_told_on_request(self, engine: Engine, folder: Path) -> None:
        for number in range(6):
            write(folder / "a" / f"{number}", f"content {number}", MTIME)
        write(folder / "edited", "one content")
        write(folder / "empty", "")
        (folder / "link").symlink_to("edited")
        old = engine.snapshot().id
        (folder / "a" / "0").rename(folder / "a" / "zero")
        (folder / "b").mkdir()
        (folder / "a" / "1").rename(folder / "b" / "1")
        (folder / "a" / "2").rename(folder / "two")
        (folder / "two").chmod(0o600)
        (folder / "a" / "3").unlink()
        write(folder / "b" / "new", "other content")
        (folder / "edited").rename(folder / "edited-too")
        write(folder / "edited-too", "another content")
        (folder / "empty").rename(folder / "still-empty")
        (folder / "link").rename(folder / "same-link")
        new = engine.snapshot().id
        found = engine.diff(old, new, renames=True)
        assert changed(found) == {
            "a/zero": Change.RENAMED,
            "b/1": Change.RENAMED,
            "two": Change.RENAMED,
            "a/3": Change.REMOVED,
            "b/new": Change.ADDED,
            "edited": Change.REMOVED,
            "edited-too": Change.ADDED,
            "empty": Change.REMOVED,
            "still-empty": Change.ADDED,
            "link": Change.REMOVED,
            "same-link": Change.ADDED,
        }
        olds = {d.path: d.old.path for d in found if d.change is Change.RENAMED and d.old}
        assert olds == {"a/zero": "a/0", "b/1": "a/1", "two": "a/2"}
        for difference in found:
            if difference.change is Change.RENAMED:
                assert difference.new == engine.entry(new, difference.path)
                assert difference.old == engine.entry(old, olds[difference.path])
        back = engine.diff(new, old, renames=True)
        assert {d.path: d.old.path for d in back if d.change is Change.RENAMED and d.old} == {
            old: new for new, old in olds.items()
        }
        assert Change.RENAMED not in changed(engine.diff(old, new)).values()

    def test_renames_in_the_live_folder_are_those_of_a_diff(
        self, engine: Engine, again: Callable[[], Engine], folder: Path
    ) -> None:
        for name in ("a/x", "b/y", "c/1", "c/2", "d/only", "keep"):
            write(folder / name, "all of these are equal", MTIME)
        write(folder / "other", "this has another size", MTIME)
        write(folder / "same size", "content of 22 bytes...", MTIME)
        write(folder / "empty", "")
        write(folder / "to-folder", "becomes a folder")
        (folder / "link").symlink_to("keep")
        old = engine.snapshot().id
        (folder / "e").mkdir()
        for before, after in (
            ("a/x", "c/y"),
            ("b/y", "c/x"),
            ("c/1", "e/1"),
            ("other", "e/other"),
            ("same size", "e/written"),
            ("empty", "e/empty"),
            ("link", "e/link"),
        ):
            (folder / before).rename(folder / after)
        (folder / "e" / "written").write_text("content of 22 bytes!!!")
        (folder / "e" / "other").chmod(0o600)
        (folder / "d" / "only").unlink()
        write(folder / "new", "all of these are equal")
        (folder / "to-folder").rename(folder / "as-it-was")
        write(folder / "to-folder" / "f", "f")

        untold = engine.changes(old)
        assert Change.RENAMED not in changed(untold).values()
        assert {each.old_path for each in untold} == {""}
        live = engine.changes(old, renames=True)
        assert again().changes(old, renames=True) == live
        below = engine.changes(old, "c", renames=True)
        assert {each.path for each in untold if each.path.startswith("c/")} == {
            path for each in below for path in (each.path, each.old_path) if path
        }
        new = engine.snapshot().id
        assert engine.changes(old, renames=True) == live, "now its content is stored"
        found = engine.diff(old, new, renames=True)
        assert [(each.path, each.change) for each in live] == [
            (each.path, each.change) for each in found
        ]
        olds = {each.path: each.old_path for each in live if each.change is Change.RENAMED}
        assert olds == {
            each.path: each.old.path
            for each in found
            if each.change is Change.RENAMED and each.old is not None
        }
        assert (olds["c/x"], olds["c/y"]) == ("a/x", "b/y")
        assert (olds["e/other"], olds["as-it-was"]) == ("other", "to-folder")
        assert "e/written" not in olds
        assert engine.changes(new, renames=True) == []
        back = engine.diff(new, old, "c", renames=True)
        assert sorted(changed(back)) == sorted(each.old_path or each.path for each in below)

    # -- rollback ------------------------------------------------------------------------------

    def test_rollback_brings_everything_back(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        target = engine.snapshot().id
        then = state_of(folder, folder_times=True)
        inode = (folder / "keep").stat().st_ino
        touched = (folder / "touched").stat().st_ino
        stir(folder)
        later = engine.snapshot()
        write(folder / "unfrozen", "only in the live folder")
        now = state_of(folder, folder_times=True)
        settle()

        before = engine.rollback(target)
        assert state_of(folder, folder_times=True) == then
        assert engine.changes(target) == []
        assert (folder / "keep").stat().st_ino == inode, "what is right is not written again"
        assert (folder / "touched").stat().st_ino == touched
        # nothing is lost
        assert engine.verify([target, later.id, before.id]) == []
        engine.restore(before.id, tmp_path / "before")
        assert state_of(tmp_path / "before", folder_times=True) == now
        assert {target, later.id, before.id} <= {info.id for info in engine.snapshots()}
        assert all(not info.holds for info in engine.snapshots())
        # and back again
        engine.rollback(before.id)
        assert state_of(folder, folder_times=True) == now
        # a second time is no work
        again = engine.rollback(before.id)
        assert engine.diff(before.id, again.id) == []
        assert state_of(folder, folder_times=True) == now

    def test_rollback_of_an_unknown_snapshot(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "f")
        with pytest.raises(SnapshotNotFoundError):
            engine.rollback("0" * 64)
        assert engine.snapshots() == []

    def test_rollback_leaves_ignored_files_alone(self, engine: Engine, folder: Path) -> None:
        write(folder / ".dotscienceignore", "*.log\n/cache/\n")
        write(folder / "f", "f")
        write(folder / "old" / "a.log", "old log")
        write(folder / "old" / "f", "f")
        target = engine.snapshot().id
        write(folder / "f", "f changed")
        shutil.rmtree(folder / "old")
        write(folder / "old", "a file now")
        write(folder / "a.log", "log")
        write(folder / "cache" / "x", "cached")
        write(folder / "new" / "f", "goes")
        write(folder / "new" / "b.log", "stays")
        write(folder / "new" / "deep" / "f", "goes")
        write(folder / ".dotscience" / "mine", "ours")
        engine.rollback(target)
        found = state_of(folder)
        frozen = {".dotscienceignore", "f", "old", "old/f"}
        assert found.keys() == frozen | {"a.log", "cache", "cache/x", "new", "new/b.log"}
        assert (folder / "f").read_text() == "f"
        assert (folder / ".dotscience" / "mine").read_text() == "ours"
        assert changed(engine.changes(target)) == {"new": Change.ADDED}

    def test_rollback_to_other_ignore_rules(self, engine: Engine, folder: Path) -> None:
        """What the snapshot's own rules leave alone stays; what only today's do is compared."""
        write(folder / ".dotscienceignore", "/data/\n*.big\n")
        write(folder / "f", "f")
        first = engine.snapshot().id
        write(folder / "data" / "set", "precious")
        write(folder / "d" / "x.big", "big")
        write(folder / "d" / "other", "goes")
        (folder / ".dotscienceignore").unlink()
        second = engine.rollback(first)
        assert state_of(folder).keys() == {
            ".dotscienceignore", "f", "data", "data/set", "d", "d/x.big"
        }  # fmt: skip
        # it is ignored now, and as it was then
        engine.rollback(second.id)
        assert engine.changes(second.id) == []
        assert (folder / "data" / "set").read_text() == "precious"
        # it is ignored now, and something else
        engine.rollback(first)
        write(folder / "data" / "set", "not frozen anywhere")
        state = state_of(folder, folder_times=True)
        with pytest.raises(SnapshotError, match="data/set"):
            engine.rollback(second.id)
        assert state_of(folder, folder_times=True) == state, "nothing was touched"

    def test_rollback_never_drops_what_is_not_frozen(self, engine: Engine, folder: Path) -> None:
        write(folder / "a", "a file")
        write(folder / "b", "b file")
        write(folder / "c", "c file")
        target = engine.snapshot().id
        for name in "abc":
            (folder / name).unlink()
        os.mkfifo(folder / "a")
        write(folder / "b" / "__pycache__" / "x", "ignored")
        state = state_of(folder, folder_times=True)
        times = folder.stat().st_mtime_ns
        with pytest.raises(SnapshotError, match="not frozen") as caught:
            engine.rollback(target)
        assert "'a'" in str(caught.value)
        assert "b/__pycache__" in str(caught.value)
        assert state_of(folder, folder_times=True) == state
        assert folder.stat().st_mtime_ns == times
        assert all(not info.holds for info in engine.snapshots())

    def test_rollback_refuses_what_it_cannot_read(self) -> None:
        with self.open_place() as top:
            folder = self.new_folder(top / "work")
            write(folder / "secret", "s")
            write(folder / "d" / "f", "f")
            write(folder / "other", "o")
            try:
                with without_privileges(top):
                    engine = self.make(folder, top / "place")
                    target = engine.snapshot().id
                    write(folder / "other", "changed")
                    for name in ("secret", "d"):
                        (folder / name).chmod(0o000)
                        with pytest.raises(SnapshotError, match=name):
                            engine.rollback(target)
                        (folder / name).chmod(0o755)
                        assert (folder / "other").read_text() == "changed"
                    engine.rollback(target)
                    assert (folder / "other").read_text() == "o"
                    assert engine.changes(target) == []
                    engine.close()
            finally:
                (folder / "d").chmod(0o700)

    def test_rollback_without_privileges(self) -> None:
        with self.open_place() as top:
            folder = self.new_folder(top / "work")
            fill(folder)
            with without_privileges(top):
                engine = self.make(folder, top / "place")
                target = engine.snapshot().id
                then = state_of(folder, folder_times=True)
                stir(folder)
                before = engine.rollback(target)
                assert state_of(folder, folder_times=True) == then
                engine.rollback(before.id)
                assert engine.changes(before.id) == []
                engine.close()

    def test_rollback_changes_nothing_outside(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        """Neither through a link, nor through another name of a file."""
        outside = write(tmp_path / "outside" / "f", "outside", MTIME)
        write(folder / "d" / "f", "inside", MTIME)
        write(folder / "linked", "outside", MTIME + 5)
        write(folder / "edited", "inside", MTIME)
        target = engine.snapshot().id
        shutil.rmtree(folder / "d")
        (folder / "d").symlink_to(tmp_path / "outside")
        for name in ("linked", "edited"):
            (folder / name).unlink()
            if self.links_from_outside:
                os.link(outside, folder / name)
        engine.rollback(target)
        assert engine.changes(target) == []
        assert (folder / "linked").stat().st_mtime_ns == MTIME + 5
        assert outside.read_text() == "outside"
        assert outside.stat().st_mtime_ns == MTIME
        assert os.listdir(tmp_path / "outside") == ["f"]

    def test_rollback_beside_a_writer(self, engine: Engine, folder: Path) -> None:
        for number in range(40):
            write(folder / f"{number % 4}" / f"{number}", f"first {number}")
        target = engine.snapshot().id
        for number in range(40):
            write(folder / f"{number % 4}" / f"{number}", f"second version {number}")
        stop = threading.Event()

        def write_on() -> None:
            count = 0
            while not stop.is_set():
                count += 1
                write(folder / "0" / "0", f"written {count}")
                write(folder / "1" / f"new-{count % 7}", f"{count}")
                (folder / "1" / f"new-{(count + 3) % 7}").unlink(missing_ok=True)

        thread = threading.Thread(target=write_on)
        thread.start()
        try:
            for _ in range(5):
                try:
                    engine.rollback(target)
                except SnapshotError as error:
                    assert "'0/0'" in str(error) or "new-" in str(error)
        finally:
            stop.set()
            thread.join()
        for number in range(1, 40):
            assert (folder / f"{number % 4}" / f"{number}").read_text() == f"first {number}"
        engine.rollback(target)
        assert engine.changes(target) == []

    # -- clone ---------------------------------------------------------------------------------

    def test_clone_is_independent(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        fill(folder)
        then = state_of(folder, folder_times=True)
        snapshot = engine.snapshot().id
        content = engine.content_id(snapshot)
        place = self.place_for_clone(tmp_path)
        engine.clone(snapshot, place)
        assert state_of(place, folder_times=True) == then
        stir(place)
        write(place / "d" / "new", "new")
        assert state_of(folder, folder_times=True) == then
        assert engine.changes(snapshot) == []
        assert engine.content_id(snapshot) == content
        assert engine.verify([snapshot]) == []
        engine.restore(snapshot, tmp_path / "out")
        assert state_of(tmp_path / "out", folder_times=True) == then
        for taken in (place, place / "keep"):
            with pytest.raises(SnapshotError):
                engine.clone(snapshot, taken)
        with pytest.raises(SnapshotNotFoundError):
            engine.clone("0" * 64, place.parent / "other")
        assert not (place.parent / "other").exists()

    def place_for_clone(self, tmp_path: Path) -> Path:
        """Where a clone can be made."""
        return tmp_path / "clone"

    # -- what survives -------------------------------------------------------------------------

    def test_hard_links_survive(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        write(folder / "a" / "one", "linked", MTIME)
        (folder / "b").mkdir()
        os.link(folder / "a" / "one", folder / "b" / "two")
        os.link(folder / "a" / "one", folder / "three")
        write(folder / "same-content", "linked", MTIME)
        half = write(tmp_path / "outside" if self.links_from_outside else folder / "half", "half")
        if self.links_from_outside:
            os.link(half, folder / "half")
        snapshot = engine.snapshot().id
        engine.restore(snapshot, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)

        def groups(place: Path) -> set[int]:
            return {(place / n).stat().st_ino for n in ("a/one", "b/two", "three", "same-content")}

        assert len(groups(tmp_path / "out")) == 2
        assert (tmp_path / "out" / "same-content").stat().st_nlink == 1
        assert (tmp_path / "out" / "half").stat().st_nlink == 1
        engine.restore(snapshot, tmp_path / "some", ["b/two", "three", "half"])
        assert (tmp_path / "some" / "three").stat().st_nlink == 2
        # all names of a file that is written anew are one file again
        write(folder / "three", "changed in place")
        engine.rollback(snapshot)
        assert len(groups(folder)) == 2

    def test_holes_survive(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        path = folder / "sparse"
        with path.open("wb") as file:
            file.truncate(32 << 20)
            file.seek(8 << 20)
            file.write(random.Random(1).randbytes(100_000))
        if path.stat().st_blocks * 512 > 1 << 20:
            pytest.skip("this file system keeps no holes")
        snapshot = engine.snapshot().id
        engine.restore(snapshot, tmp_path / "out")
        assert (tmp_path / "out" / "sparse").read_bytes() == path.read_bytes()
        status = (tmp_path / "out" / "sparse").stat()
        assert status.st_blocks * 512 < 4 << 20
        write(path, "short")
        engine.rollback(snapshot)
        assert path.stat().st_size == 32 << 20
        assert path.stat().st_blocks * 512 < 4 << 20

    def test_what_has_no_content_is_left_where_it_is(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "f")
        target = engine.snapshot().id
        write(folder / "f", "changed")
        os.mkfifo(folder / "pipe")
        (folder / "d").mkdir()
        write(folder / "d" / "f", "goes")
        here = os.getcwd()
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(folder / "d")  # a socket's path may not be long
            try:
                server.bind("s")
            finally:
                os.chdir(here)
            before = self.described(engine, engine.rollback(target))
        assert {skipped.path for skipped in before.skipped} == {"pipe", "d/s"}
        assert state_of(folder) == {
            "f": state_of(folder)["f"],
            "pipe": ("special",),
            "d": ("folder", 0o755),
            "d/s": ("special",),
        }
        assert (folder / "f").read_text() == "f"

    # -- looking after it ----------------------------------------------------------------------

    def test_repair_of_a_healthy_store_changes_nothing(
        self, engine: Engine, folder: Path, again: Callable[[], Engine]
    ) -> None:
        fill(folder)
        first = engine.snapshot().id
        stir(folder)
        second = engine.snapshot().id
        live = state_of(folder, folder_times=True)
        engine.settle()
        known = engine.snapshots()
        stored = engine.usage().stored_bytes
        assert engine.repair([first, second]).lost == []
        assert engine.snapshots() == known
        assert engine.usage().stored_bytes == stored
        assert state_of(folder, folder_times=True) == live
        assert again().verify([first, second]) == []
        problems = engine.repair([first, "0" * 64]).lost
        assert [problem.snapshot for problem in problems] == ["0" * 64]

    def test_usage_of_each_snapshot(self, engine: Engine, folder: Path) -> None:
        write(folder / "shared", random.Random(1).randbytes(3_000_000))
        taken = []
        for number in range(3):
            write(folder / "own", random.Random(number + 2).randbytes(1_000_000 * (number + 1)))
            taken.append(engine.snapshot().id)
        usage = engine.usage(each=True)
        assert [snapshot.id for snapshot in usage.each] == taken
        for number, snapshot in enumerate(usage.each):
            own = 1_000_000 * (number + 1)
            assert snapshot.logical == 3_000_000 + own
            assert 0.95 * 3_000_000 < snapshot.shared + snapshot.alone < 4_200_000 + own
        # the last one's own file is the live folder's too, which some engines count as sharing
        for number, snapshot in enumerate(usage.each[:-1]):
            own = 1_000_000 * (number + 1)
            assert 0.95 * own < snapshot.alone < 1.3 * own + 200_000
            assert 0.95 * 3_000_000 < snapshot.shared < 3_600_000
        assert usage.each[-1].shared + usage.each[-1].alone > 0.95 * 6_000_000
        assert usage.snapshots == 3
        assert usage.logical_bytes == 3 * 3_000_000 + 6_000_000
        assert engine.usage().each == []
