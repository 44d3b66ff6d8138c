# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Snapshots without a walk: whatever happened, they are those that a walk would have given."""

from __future__ import annotations

import contextlib
import errno
import itertools
import mmap
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshot_helpers import settle, write

from dotscience_jupyter.snapshots import EmbeddedEngine, Snapshot, SnapshotError
from dotscience_jupyter.snapshots.embedded import capture, live, livefolder, scan, store

inotify_simple = pytest.importorskip("inotify_simple")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or live._file_system(tempfile.gettempdir()) not in live.LOCAL,
    reason="folders are not watched here",
)


class Listings:
    """Notes the folders that are listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.paths: list[str] = []
        real = os.scandir

        def scandir(place: object = ".") -> object:
            if isinstance(place, int):
                path = os.readlink(f"/proc/self/fd/{place}")
                if Path(path).is_relative_to(root):
                    self.paths.append(os.path.relpath(path, root))
            return real(place)  # type: ignore[call-overload]

        monkeypatch.setattr(scan.os, "scandir", scandir)

    def take(self) -> list[str]:
        found, self.paths = sorted(self.paths), []
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Listings:
    return Listings(monkeypatch, folder)


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store")


@pytest.fixture
def engine(folder: Path) -> Iterator[EmbeddedEngine]:
    for path in ("a/1", "a/2", "b/c/3", "b/d/4", "top"):
        write(folder / path, path)
    settle()
    engine = opened(folder)
    assert engine.watch()
    engine.snapshot()
    yield engine
    engine.close()


def told(engine: EmbeddedEngine) -> live.LiveWatch | None:
    """What tells the engine of changes."""
    return engine._live_folder()._live


def walked(folder: Path, engine: EmbeddedEngine) -> Snapshot:
    """What another process gives, which is told of nothing and walks."""
    engine._live_folder()._known.save()
    other = opened(folder)
    try:
        return other.snapshot()
    finally:
        other.close()


def test_an_unchanged_folder_is_not_walked(
    folder: Path, engine: EmbeddedEngine, listings: Listings
) -> None:
    first = engine.snapshot()
    assert engine.changes(first.id) == []
    write(folder / "b" / "c" / "new", "new")
    settle()
    assert [change.path for change in engine.changes(first.id)] == ["b/c/new"]
    second = engine.snapshot()
    assert [difference.path for difference in engine.diff(first.id, second.id)] == ["b/c/new"]
    assert engine.snapshot() == second
    assert listings.take() == []
    assert walked(folder, engine) == second
    assert listings.take() == [".", "a", "b", "b/c", "b/d"]


def test_after_a_restart_one_walk_tells_what_changed(
    folder: Path, engine: EmbeddedEngine, listings: Listings
) -> None:
    first = engine.snapshot()
    engine.close()
    write(folder / "b" / "d" / "4", "edited")
    settle()
    other = opened(folder)
    assert other.watch()
    assert listings.take() == [".", "a", "b", "b/c", "b/d"]
    second = other.snapshot()
    assert listings.take() == [".", "b", "b/d"]
    assert [difference.path for difference in other.diff(first.id, second.id)] == ["b/d/4"]
    assert other.snapshot() == second
    assert listings.take() == []
    other.close()
    assert walked(folder, engine) == second


# -- what is told ----------------------------------------------------------------------------------


def test_a_folder_that_came_is_watched_with_all_below_it(
    folder: Path, engine: EmbeddedEngine, listings: Listings
) -> None:
    write(folder.parent / "elsewhere" / "x" / "y", "y")
    (folder.parent / "elsewhere").rename(folder / "came")
    engine.snapshot()
    assert listings.take() == ["came", "came/x"]
    write(folder / "came" / "x" / "z", "z")
    assert engine.snapshot() == walked(folder, engine)


def test_watches_move_with_their_folders(folder: Path, engine: EmbeddedEngine) -> None:
    (folder / "b").rename(folder / "e")
    write(folder / "e" / "c" / "new", "new")
    (folder / "a").rename(folder / "b")
    assert engine.snapshot() == walked(folder, engine)
    write(folder / "e" / "c" / "new", "edited")
    write(folder / "b" / "1", "edited")
    assert engine.snapshot() == walked(folder, engine)
    (folder / "e").rename(folder.parent / "gone")
    write(folder / "e" / "c" / "new", "anew")
    engine.snapshot()
    write(folder.parent / "gone" / "c" / "new", "not ours any more")
    write(folder / "e" / "c" / "new", "again")
    assert engine.snapshot() == walked(folder, engine)
    assert told(engine) is not None
    assert sorted(path for path, _ in told(engine)._paths.values()) == ["", "b", "e", "e/c"]


def test_an_audit_does_not_know_better_than_a_snapshot(
    folder: Path, engine: EmbeddedEngine
) -> None:
    assert told(engine) is not None
    audit = told(engine).begin()
    fd = os.open(folder / "b", os.O_RDONLY)
    (folder / "b").rename(folder / "e")
    engine.snapshot()
    told(engine).enter(fd, "b", audit)  # it was about to when it had to wait
    os.close(fd)
    write(folder / "e" / "new", "new")
    assert engine.snapshot() == walked(folder, engine)


def test_rules_that_change_are_heeded_below(folder: Path, engine: EmbeddedEngine) -> None:
    for name, content in (
        (".dotscienceignore", "c\n4\n"),
        ("b/.dotscienceignore", "!4\n"),
        (".dotscienceignore", "1\n"),
    ):
        write(folder / name, content)
        write(folder / "b" / "c" / "3", content)
        assert engine.snapshot() == walked(folder, engine)
    (folder / ".dotscienceignore").unlink()
    assert engine.snapshot() == walked(folder, engine)
    (folder / "b" / "conda-meta").mkdir()
    assert engine.snapshot().files == 3
    write(folder / "b" / "c" / "3", "in an environment")
    assert engine.snapshot().files == 3
    (folder / "b" / "conda-meta").rmdir()
    assert engine.snapshot() == walked(folder, engine)
    write(folder / "b" / "c" / "3", "at home again")
    assert engine.snapshot() == walked(folder, engine)


def test_an_environment_costs_nothing(
    folder: Path, engine: EmbeddedEngine, listings: Listings
) -> None:
    write(folder / "env" / "pyvenv.cfg", "home = /usr")
    write(folder / "env" / "lib" / "module.py", "x = 1")
    first = engine.snapshot()
    assert first.files == 5
    listings.take()
    assert engine.snapshot() == first
    assert listings.take() == []
    (folder / "env" / "pyvenv.cfg").rename(folder / "env" / "other")
    assert engine.snapshot().files == 7
    write(folder / "env" / "lib" / "module.py", "x = 2")
    assert engine.snapshot() == walked(folder, engine)
    (folder / "env" / "other").rename(folder / "env" / "pyvenv.cfg")
    assert engine.snapshot().files == 5
    (folder / "env" / "pyvenv.cfg").unlink()
    assert engine.snapshot().files == 6


def test_what_is_skipped_is_reported_each_time(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "b" / "socket"))
    first = engine.snapshot()
    assert [skipped.path for skipped in first.skipped] == ["b/socket"]
    assert engine.snapshot() == first
    write(folder / "a" / "1", "edited")
    assert engine.snapshot().skipped == first.skipped
    monkeypatch.setattr(scan, "MAX_DEPTH", 2)
    write(folder / "b" / "d" / "deep" / "file", "new")
    for _ in range(2):
        assert [skipped.path for skipped in engine.snapshot().skipped] == ["b/d/deep", "b/socket"]


def test_a_file_that_was_just_written_is_looked_at_again(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_TICK_NS", 10**18)
    for module in (capture, scan):
        monkeypatch.setattr(module, "fingerprint", lambda status: (1, status.st_size, 0, 0, 1))
    write(folder / "a" / "1", "one")
    engine.snapshot()
    assert told(engine) is not None
    write(folder / "a" / "1", "two")
    told(engine).take()  # as if the event had not come
    told(engine)._taken = live._Told()
    second = engine.snapshot()
    with engine.open(second.id, "a/1") as file:
        assert file.read() == b"two"


# -- what is not told ------------------------------------------------------------------------------


def test_a_shared_memory_map_is_looked_at_when_asked(folder: Path, engine: EmbeddedEngine) -> None:
    first = engine.snapshot()
    write(folder / "b" / "c" / "map", bytes(100))
    settle()
    first = engine.snapshot()
    with (folder / "b" / "c" / "map").open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        engine.snapshot()
        view[0] = 1
        watch = told(engine)
        assert watch is not None
        # a map's times need not change before it is written back, which is another matter
        os.utime(f"/proc/self/fd/{file.fileno()}")
        watch.take()
        watch._taken = live._Told()
        settle()
        assert engine.snapshot() == first
        for path in ("../x", "b/../..", "/", "", "\0", "nowhere/x"):
            assert engine.snapshot(look_at=[path] if path else []) == first
        second = engine.snapshot(look_at=["b/c/map"])
        with engine.open(second.id, "b/c/map") as frozen:
            assert frozen.read(2) == b"\1\0"
    watch.take()


def test_another_name_of_a_file_elsewhere(folder: Path, engine: EmbeddedEngine) -> None:
    outside = folder.parent / "outside"
    os.link(folder / "b" / "c" / "3", outside)
    (folder / "b" / "c" / "3").chmod(0o600)
    engine.snapshot()
    outside.write_text("written elsewhere")
    assert engine.changes(engine.snapshot().id) == []
    assert engine.snapshot() == walked(folder, engine)
    os.link(folder / "a" / "1", folder / "b" / "linked")
    (folder / "b" / "linked").write_text("seen under both names")
    snapshot = engine.snapshot()
    assert engine.entry(snapshot.id, "a/1").digest == engine.entry(snapshot.id, "b/linked").digest
    assert snapshot == walked(folder, engine)
    (folder / "b" / "link").symlink_to("3")
    os.link(folder / "b" / "link", folder.parent / "link", follow_symlinks=False)
    settle()
    engine.snapshot()
    os.utime(folder.parent / "link", ns=(0, 0), follow_symlinks=False)
    snapshot = engine.snapshot()
    assert engine.entry(snapshot.id, "b/link").mtime_ns == 0
    assert snapshot == walked(folder, engine)


def test_an_audit_finds_what_was_not_told(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(folder / "b" / "c" / "3", folder.parent / "outside")
    (folder.parent / "outside").write_text("nothing tells of this")
    settle()
    before = engine.snapshot()
    engine.settle()
    assert engine.snapshot() == before, "an audit is for now and then"
    monkeypatch.setattr(livefolder, "_AUDIT", 0.0)
    monkeypatch.setattr(livefolder, "_AUDIT_SHARE", 0)
    engine.settle()
    after = engine.snapshot()
    assert after != before
    assert after == walked(folder, engine)


# -- when in doubt ---------------------------------------------------------------------------------


def test_a_queue_that_ran_over_means_a_walk(
    folder: Path, engine: EmbeddedEngine, listings: Listings, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip("too many events are kept here")
    without_the_thread(folder, monkeypatch)
    for number in range(limit // 2 + 10):
        os.utime(folder / "a" / f"{number % 2 + 1}")
        os.utime(folder / "b" / "c" / "3")
    write(folder / "b" / "d" / "4", "of this no event is left")
    settle()
    changes = engine.changes(engine._live_folder()._known.get()[0] and engine.snapshots()[-1].id)
    assert [change.path for change in changes] == ["a/1", "b/d/4"]
    assert listings.take() == [".", "a", "b", "b/c", "b/d"]
    second = engine.snapshot()
    assert listings.take() == [".", "a", "b", "b/c", "b/d"]
    assert second == walked(folder, engine)
    listings.take()
    assert engine.snapshot() == second
    assert listings.take() == []


def lose(engine: EmbeddedEngine) -> None:
    """Let all events be lost that came until now."""
    watch = told(engine)
    assert watch is not None
    with watch._lock:
        watch._drain()
        watch._lose()


def test_an_overflow_is_set_right_when_nobody_waits(
    folder: Path, engine: EmbeddedEngine, listings: Listings
) -> None:
    assert told(engine) is not None
    write(folder / "a" / "1", "edited")
    settle()
    lose(engine)
    engine.settle()
    assert listings.take() == [".", "a", "b", "b/c", "b/d"]
    snapshot = engine.snapshot()
    assert listings.take() == [".", "a"]
    assert snapshot == walked(folder, engine)
    # a watch on what is not ours any more does not stay, though another folder has its name
    (folder / "b").rename(folder.parent / "gone")
    lose(engine)
    write(folder / "b" / "c" / "other", "other")
    assert engine.snapshot() == walked(folder, engine)
    assert sorted(path for path, _ in told(engine)._paths.values()) == ["", "a", "b", "b/c"]
    listings.take()
    engine.snapshot()
    assert listings.take() == [], "that walk has seen what was told before it"


def test_events_that_are_lost_during_a_snapshot(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.Store.register

    def register(self: store.Store, snapshot: str) -> None:
        write(folder / "a" / "1", "edited")
        lose(engine)
        real(self, snapshot)

    with monkeypatch.context() as patched:
        patched.setattr(store.Store, "register", register)
        first = engine.snapshot()
    second = engine.snapshot()
    assert [difference.path for difference in engine.diff(first.id, second.id)] == ["a/1"]
    assert second == walked(folder, engine)


def test_another_folder_in_place_of_the_root(folder: Path, engine: EmbeddedEngine) -> None:
    first = engine.snapshot()
    folder.rename(folder.parent / "old")
    write(folder / "other", "other")
    second = engine.snapshot()
    assert [entry.path for entry in engine.walk(second.id)] == ["other"]
    write(folder / "other", "edited")
    assert engine.snapshot() == walked(folder, engine)
    shutil.rmtree(folder)
    with pytest.raises(SnapshotError, match="not there"):
        engine.snapshot()
    (folder.parent / "old").rename(folder)
    assert engine.snapshot() == first
    write(folder / "a" / "1", "edited")
    assert engine.snapshot() == walked(folder, engine)


def test_another_folder_above_the_root(tmp_path: Path) -> None:
    above = tmp_path / "above"
    write(above / "work" / "f", "f")
    with contextlib.closing(EmbeddedEngine(above / "work", tmp_path / "store")) as engine:
        engine.snapshot()
        assert engine.watch()
        above.rename(tmp_path / "other")
        write(above / "work" / "g", "g")
        assert [entry.path for entry in engine.walk(engine.snapshot().id)] == ["g"]
        write(above / "work" / "h", "h")
        assert engine.snapshot().files == 2


def test_mounts_below_the_root(folder: Path, engine: EmbeddedEngine) -> None:
    mount = ["mount", "-t", "tmpfs", "none", os.fspath(folder / "b" / "c")]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        assert engine.snapshot().files == 4
        # on another file system than the root all is looked at each time
        write(folder / "b" / "c" / "x" / "mounted", "mounted")
        assert engine.snapshot() == walked(folder, engine)
        settle()
        write(folder / "b" / "c" / "x" / "mounted", "edited")
        assert engine.snapshot() == walked(folder, engine)
    finally:
        subprocess.run(["umount", folder / "b" / "c"], check=True)
    assert engine.snapshot().files == 5
    write(folder / "b" / "c" / "3", "edited")
    assert engine.snapshot() == walked(folder, engine)


def test_a_snapshot_that_failed_loses_no_marks(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a" / "1", "edited")
    (folder / "b").rename(folder / "e")
    settle()

    def fail(*arguments: object) -> None:
        raise SnapshotError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(store.Store, "register", fail)
        for _ in range(2):
            with pytest.raises(SnapshotError):
                engine.snapshot()
    assert engine.snapshot() == walked(folder, engine)


def test_changes_during_a_snapshot_are_in_the_next(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.Store.register

    def register(self: store.Store, snapshot: str) -> None:
        write(folder / "a" / "1", "edited")
        write(folder / "new" / "x" / "y", "new")
        time.sleep(0.2)  # the thread hears of it
        engine.changes(None)
        real(self, snapshot)

    write(folder / "a" / "2", "edited")
    with monkeypatch.context() as patched:
        patched.setattr(store.Store, "register", register)
        first = engine.snapshot()
    second = engine.snapshot()
    paths = [difference.path for difference in engine.diff(first.id, second.id)]
    assert paths == ["a/1", "new/x/y"]
    assert second == walked(folder, engine)


def without_the_thread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only snapshots read the queue from now on."""
    monkeypatch.setattr(live, "_PAUSE", 1000.0)
    (folder / "a" / "1").chmod(0o600)
    time.sleep(0.2)


def test_a_forked_process_takes_no_events(
    folder: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_thread(folder, monkeypatch)
    child = os.fork()
    if not child:
        try:
            write(folder / "a" / "1", "edited")
            snapshot = engine.snapshot()
            assert engine.watch()
            write(folder / "a" / "2", "edited")
            assert engine.snapshot() == walked(folder, engine)
            with engine.open(snapshot.id, "a/1") as file:
                os._exit(0 if file.read() == b"edited" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    snapshot = engine.snapshot()
    for name in ("a/1", "a/2"):
        with engine.open(snapshot.id, name) as file:
            assert file.read() == b"edited"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOENT])
def test_too_few_watches(
    folder: Path,
    engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    def add_watch(self: object, path: str, mask: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(inotify_simple.INotify, "add_watch", add_watch)
    (folder / "new").mkdir()
    assert engine.snapshot() == walked(folder, engine)
    for _ in range(3):
        write(folder / "new" / "file", os.urandom(5))
        assert engine.snapshot() == walked(folder, engine)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert ("max_user_watches" in caplog.text) == (number == errno.ENOSPC)
    assert engine.watch() is False
    write(folder / "new" / "file", "still walked")
    assert engine.snapshot() == walked(folder, engine)


def test_not_on_file_systems_that_others_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = (
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        f"30 22 0:50 / {tmp_path} rw - nfs4 server:/home rw\n"
        "31 22 0:51 / /a\\040b rw - btrfs /dev/sdb rw\n"
        "32 31 0:52 / /a\\040b/c rw - fuse.sshfs host: rw\n"
    )
    mounts = write(tmp_path / "mounts", lines)
    monkeypatch.setattr(live, "_MOUNTS", os.fspath(mounts))
    assert live._file_system("/etc") == "ext4"
    assert live._file_system("/a b") == "btrfs"
    assert live._file_system("/a b/cd") == "btrfs"
    assert live._file_system("/a b/c/d") == "fuse.sshfs"
    assert live._mounts_below("/a b").count("\n") == 1
    engine = opened(folder)
    assert engine.watch() is False
    write(folder / "f", "f")
    assert engine.snapshot().files == 1
    engine.close()


def test_a_folder_renamed_while_it_is_written_to(folder: Path, engine: EmbeddedEngine) -> None:
    stop = threading.Event()

    def write_on() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            for place in ("b", "e", "f"):
                with contextlib.suppress(OSError):
                    (folder / place / "c" / f"n{number % 50}").write_text(f"{number}")

    def rename_on() -> None:
        names = itertools.cycle(["b", "e", "f"])
        last = next(names)
        while not stop.is_set():
            name = next(names)
            (folder / last).rename(folder / name)
            last = name

    threads = [threading.Thread(target=work) for work in (write_on, rename_on)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        engine.snapshot()
    stop.set()
    for thread in threads:
        thread.join()
    assert engine.snapshot() == walked(folder, engine)
    assert told(engine) is not None
    assert told(engine).armed


def test_many_threads(folder: Path, engine: EmbeddedEngine) -> None:
    def use(number: int) -> None:
        for count in range(5):
            write(folder / "a" / f"by{number}", f"{count}")
            snapshot = engine.snapshot()
            engine.changes(snapshot.id)
            engine._live_folder()._walked = 0.0
            engine.settle()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert engine.snapshot() == walked(folder, engine)


# -- any sequence ----------------------------------------------------------------------------------

NAMES = ["a", "b", "ü", os.fsdecode(b"\xff"), ".dotscienceignore", "pyvenv.cfg", "x.log"]
CONTENT = [b"", b"*\n", b"a\n", b"/b/\n", b"!a\n*.log\n", b"text" * 500]
WHAT = (
    *(
        "write",
        "write",
        "append",
        "truncate",
        "remove",
        "folder",
        "link",
        "mode",
        "touch",
        "socket",
    ),
    *("hard-link", "hard-link-out", "write-outside", "rename", "rename", "out", "in", "swap"),
    *("snapshot", "snapshot", "snapshot", "restart", "settle"),
)
OPERATION = st.tuples(
    st.sampled_from(WHAT),
    st.integers(0, 50),
    st.integers(0, 50),
    st.sampled_from(NAMES),
    st.sampled_from(CONTENT),
)


def apply(
    folder: Path, outside: Path, what: str, some: int, other: int, name: str, content: bytes
) -> None:
    """Do something to an entry of the folder, or with a new name somewhere in it."""
    found = sorted(folder.rglob("*"))
    folders = [folder, *(path for path in found if path.is_dir() and not path.is_symlink())]
    new = folders[some % len(folders)] / name
    found = found or [folder / "nothing"]
    old, second = (found[number % len(found)] for number in (some, other))
    to = folders[other % len(folders)] / name
    if what == "write":
        new.write_bytes(content)
    elif what == "append":
        with old.open("ab") as file:
            file.write(content)
    elif what == "truncate":
        os.truncate(old, other % 4)
    elif what == "remove":
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    elif what == "folder":
        (new / name / name).mkdir(parents=True)
    elif what == "link":
        new.symlink_to(os.path.relpath(old, folder))
    elif what == "hard-link":
        os.link(old, to, follow_symlinks=False)
    elif what == "hard-link-out":
        os.link(old, outside / "linked", follow_symlinks=False)
        with old.open("ab") as file:  # without this nothing would tell of the second name
            file.write(content + b".")
    elif what == "write-outside":
        with (outside / "linked").open("ab") as file:
            file.write(content)
    elif what == "rename":
        old.rename(to)
    elif what == "out":
        old.rename(outside / "moved")
    elif what == "in":
        (outside / "moved").rename(to)
    elif what == "swap":
        old.rename(outside / "swapped")
        try:
            second.rename(old)
            (outside / "swapped").rename(second)
        except OSError:  # one was in the other
            (outside / "swapped").rename(old)
    elif what == "mode":
        old.chmod(0o755 if other % 2 else 0o700)
    elif what == "touch":
        os.utime(old, ns=(0, other**10), follow_symlinks=False)
    elif what == "socket":
        os.mknod(new, 0o140644)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(operations=st.lists(OPERATION, min_size=5, max_size=40))
def test_any_sequence_gives_what_a_walk_gives(
    operations: list[tuple[str, int, int, str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        monkeypatch.context() as patched,
        tempfile.TemporaryDirectory() as place,
        contextlib.ExitStack() as stack,
    ):
        patched.setattr(capture, "_TICK_NS", 0)  # only one process writes: no need to wait
        patched.setattr(os, "fsync", lambda fd: None)  # the power stays on
        folder, outside = Path(place) / "work", Path(place) / "outside"
        folder.mkdir()
        outside.mkdir()
        engine = opened(folder)
        stack.callback(lambda: engine.close())
        assert engine.watch()
        taken: list[str] = []

        def take() -> None:
            told = engine.changes(taken[-1]) if taken else []
            snapshot = engine.snapshot()
            engine._live_folder()._known.save()
            other = opened(folder)
            stack.callback(other.close)
            assert not taken or told == other.changes(taken[-1])
            assert other.snapshot() == snapshot
            assert engine.changes(snapshot.id) == []
            taken.append(snapshot.id)

        for operation in operations:
            if operation[0] == "snapshot":
                take()
            elif operation[0] == "settle":
                engine._live_folder()._walked = 0.0
                engine.settle()
            elif operation[0] == "restart":
                engine.close()
                engine = opened(folder)
                assert engine.watch()
            else:
                try:
                    apply(folder, outside, *operation)
                except OSError:
                    continue  # it makes no sense here: nothing to remove, a file in the way
        take()
