# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Rollback under faults, with the embedded engine; what every engine must do is in the suite."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import loopfs
import pytest
from blake3 import blake3
from chance import often, seeded
from cuts import look, others, record_rollback, some
from killing import END, killed
from snapshot_helpers import State, settle, state_of, write
from suite_returning import fill, stir
from test_embedded_store import forge

from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    EmbeddedEngine,
    Entry,
    Kind,
    SnapshotError,
)
from dotscience_jupyter.snapshots.embedded import objects, packs
from dotscience_jupyter.snapshots.rollback.doing import Doing
from dotscience_jupyter.snapshots.rollback.going_back import HOLD
from dotscience_jupyter.snapshots.rollback.plan import STAGE
from dotscience_jupyter.snapshots.rollback.planning import merged

KILLS = often(6, 100)
CUTS = often(3, 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder, folder.parent / "store", grace=0.0)


def check_each_is_one_of(folder: Path, *states: State) -> None:
    """Whether the content of each file is what it was in one of some states."""
    for path, what in state_of(folder).items():
        if what[0] == "file" and not path.startswith(".dotscience-restore"):
            known = {state[path][2] for state in states if state.get(path, "?")[0] == "file"}
            assert what[2] in known, path


@pytest.mark.fault
def test_killed_at_any_instant(folder: Path) -> None:
    """Each file is the old or the new one; doing it again completes it and leaves nothing over."""
    fill(folder)
    for number in range(60):
        write(folder / "many" / f"{number % 3}" / f"{number}", f"then {number}" * 50)
    engine = opened(folder)
    target = engine.snapshot().id
    then = state_of(folder, folder_times=True)
    stir(folder)
    for number in range(60):
        write(folder / "many" / f"{number % 3}" / f"{number}", f"now {number}" * 90)
    now = state_of(folder, folder_times=True)
    settle()
    started = time.monotonic()
    before = engine.rollback(target)
    took = time.monotonic() - started
    assert state_of(folder, folder_times=True) == then
    engine.hold([before.id], "test")
    engine.close()
    rand = seeded()
    midway = kills = 0
    while kills < KILLS or (not midway and kills < 10 * KILLS):
        kills += 1
        engine = opened(folder)
        engine.rollback(before.id)
        assert state_of(folder, folder_times=True) == now
        engine.close()
        said = killed(lambda _: opened(folder).rollback(target), rand.uniform(0, took))
        if END in said:
            took *= 0.8  # other processes may have had the machine when it was measured
        else:
            midway += 1
        check_each_is_one_of(folder, then, now)
        engine = opened(folder)
        engine.rollback(target)
        assert state_of(folder, folder_times=True) == then
        assert not [name for name in os.listdir(folder) if name.startswith(".dotscience-")]
        assert engine.exists(before.id)
        assert engine.verify([before.id, target]) == []
        engine.close()
    assert midway, "none was killed before it was done"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("make", "change"),
    [(some, others), (some, lambda folder: write(folder / "new", "new")), (fill, stir)],
    ids=["some", "nothing comes", "everything"],
)
def test_a_power_cut_at_any_moment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    change: Callable[[Path], object],
) -> None:
    """Each file is the old or the new one, and both ways are open; gc does not close one."""
    look(record_rollback(tmp_path, monkeypatch, make, change), tmp_path, 0.2)


@pytest.mark.fault
def test_power_cuts_of_a_real_file_system() -> None:
    """Where it is killed and the power fails at once, so that nothing more is written."""
    rand = seeded()
    with loopfs.mounted("xfs", 1 << 30) as place:
        folder = place / "work"
        folder.mkdir()
        fill(folder)
        engine = opened(folder)
        target = engine.snapshot().id
        then = state_of(folder)
        stir(folder)
        now = state_of(folder)
        settle()
        started = time.monotonic()
        before = engine.rollback(target).id
        took = time.monotonic() - started
        engine.hold([before], "test")
        engine.close()
        del engine
        for number in range(CUTS):
            engine = opened(folder)
            engine.rollback(before)
            assert state_of(folder) == now
            engine.close()
            del engine
            os.sync()  # what people wrote long ago is on the disk
            # also when it is done: then the new names are on the disk
            killed(lambda _: opened(folder).rollback(target), rand.uniform(0, 3 * took))
            loopfs.cut_power(place)
            check_each_is_one_of(folder, then, now)
            engine = opened(folder)
            engine.gc([before, target])
            assert engine.verify([before, target]) == []
            for snapshot in (target, before) if number % 2 else (before, target):
                engine.rollback(snapshot)
                assert state_of(folder) == (then if snapshot == target else now)
            engine.close()
            del engine


def shuffle(folder: Path, rand: random.Random) -> None:
    """Change a small folder at random: whatever was under a name may be something else then."""
    for _ in range(rand.randrange(1, 12)):
        path = folder.joinpath(*rand.choices("abc", k=rand.randrange(1, 4)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = rand.choice(["file", "file", "edit", "folder", "link", "hard", "gone", "mode"])
            if kind == "edit" and path.is_file():
                with path.open("ab") as file:
                    file.write(b"more")
                continue
            if kind == "mode":
                path.chmod(rand.choice([0o700, 0o755, 0o555]) if path.is_dir() else 0o600)
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if kind == "file":
                write(path, rand.choice(["", "x", "y" * 100]), rand.choice([None, 10**18]))
            elif kind == "folder":
                path.mkdir()
            elif kind == "link":
                path.symlink_to(rand.choice("abc"))
            elif kind == "hard":
                others = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
                if others:
                    os.link(rand.choice(others), path)
        except (FileExistsError, NotADirectoryError, FileNotFoundError):
            continue  # a file or a dangling link is in the way
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise


@pytest.mark.fault
def test_from_any_state_to_any_other(folder: Path) -> None:
    rand = seeded()
    engine = opened(folder)
    states = []
    for _ in range(8):
        shuffle(folder, rand)
        states.append((engine.snapshot().id, state_of(folder)))
    for _ in range(15):
        if rand.random() < 0.7:
            shuffle(folder, rand)
        now = state_of(folder)
        target, then = rand.choice(states)
        before = engine.rollback(target)
        assert state_of(folder) == then
        assert engine.changes(target) == []
        # a folder's time is that of the last change that a snapshot saw, so not compared with then
        for entry in engine.walk(target):
            assert (folder / entry.path).lstat().st_mtime_ns == entry.mtime_ns, entry.path
        states.append((before.id, now))


def test_what_it_was_is_held_when_it_is_killed(folder: Path) -> None:
    """Nobody learnt the id of the snapshot that was taken first, and gc must not drop it."""
    write(folder / "f", "then")
    engine = opened(folder)
    target = engine.snapshot().id
    write(folder / "f", "now")
    pid = os.fork()
    if pid == 0:
        real = os.rename

        def rename(*args: object, **kwargs: object) -> None:
            if "src_dir_fd" in kwargs:  # the first one in the live folder
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args, **kwargs)  # type: ignore[arg-type]  # as they came

        os.rename = rename
        try:
            opened(folder).rollback(target)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert (folder / "f").read_text() == "now"
    engine.gc([target])
    (held,) = [info for info in engine.snapshots() if HOLD in info.holds]
    with engine.open(held.id, "f") as file:
        assert file.read() == b"now"
    engine.rollback(target)
    assert (folder / "f").read_text() == "then"


@pytest.mark.parametrize("after", [0, 1, 3, 8, 20])
def test_a_failure_in_the_middle(folder: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    fill(folder)
    engine = opened(folder)
    target = engine.snapshot().id
    then = state_of(folder, folder_times=True)
    stir(folder)
    now = state_of(folder, folder_times=True)
    real = os.rename
    count = 0

    def rename(*args: object, **kwargs: object) -> None:
        nonlocal count
        if "src_dir_fd" in kwargs:
            count += 1
            if count > after:
                raise OSError(errno.EIO, "Input/output error")
        real(*args, **kwargs)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename)
        with pytest.raises(SnapshotError, match="interrupted") as caught:
            engine.rollback(target)
    assert not [name for name in os.listdir(folder) if name.startswith(".dotscience-")]
    (held,) = [info.id for info in engine.snapshots() if info.holds]
    assert held in str(caught.value)
    engine.restore(held, folder.parent / "out")
    assert state_of(folder.parent / "out", folder_times=True) == now
    engine.rollback(target)
    assert state_of(folder, folder_times=True) == then


def test_a_full_disk_or_a_damaged_store_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "f", random.Random(1).randbytes(20_000))
    write(folder / "g", "g")
    engine = opened(folder)
    target = engine.snapshot().id
    write(folder / "f", "now")
    (folder / "g").unlink()
    now = state_of(folder, folder_times=True)
    times = folder.stat().st_mtime_ns
    found = engine._database.find(bytes.fromhex(engine.entry(target, "f").digest))
    assert found is not None
    pack, at = found
    whole = Path(pack.path).read_bytes()
    damaged = bytearray(whole)
    damaged[pack.offset(at) + 1000] ^= 1
    Path(pack.path).write_bytes(damaged)
    with pytest.raises(CorruptStoreError):
        engine.rollback(target)
    Path(pack.path).write_bytes(whole)
    assert state_of(folder, folder_times=True) == now
    assert folder.stat().st_mtime_ns == times
    assert not [info for info in engine.snapshots() if info.holds]
    engine.rollback(target)
    assert (folder / "f").stat().st_size == 20_000


def test_other_file_systems_below(folder: Path) -> None:
    """Nothing can be renamed from one to the other, so each has its own stage."""
    other = folder / "other"
    other.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", os.fspath(other)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        write(other / "d" / "f", "then")
        write(other / "top", "then")
        write(folder / "f", "then")
        engine = opened(folder)
        target = engine.snapshot().id
        then = state_of(folder, folder_times=True)
        write(other / "d" / "f", "it is now")
        (other / "top").unlink()
        write(other / "new", "new")
        write(folder / "f", "now")
        engine.rollback(target)
        assert state_of(folder, folder_times=True) == then
        # what one that was killed left there goes as well
        write(other / STAGE / "new" / "x", "x")
        engine.rollback(target)
        assert state_of(folder, folder_times=True) == then
        engine.close()
    finally:
        subprocess.run(["umount", os.fspath(other)], check=True)


def test_one_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "f", "then")
    engine = opened(folder)
    target = engine.snapshot().id
    write(folder / "f", "now")
    errors: list[str] = []
    real = Doing.run

    def run(this: Doing) -> None:
        monkeypatch.setattr(Doing, "run", real)
        with pytest.raises(SnapshotError) as caught:
            opened(folder).rollback(target)
        errors.append(str(caught.value))
        real(this)

    monkeypatch.setattr(Doing, "run", run)
    engine.rollback(target)
    assert "Another rollback" in errors[0]
    assert (folder / "f").read_text() == "then"


@pytest.mark.parametrize(
    "meddle",
    [
        lambda folder: write(folder / "edited", "by somebody else"),
        lambda folder: (folder / "edited").unlink(),
        lambda folder: ((folder / "edited").unlink(), (folder / "edited").mkdir()),
        lambda folder: write(folder / "gone" / "new", "not frozen"),
        lambda folder: write(folder / "gone" / "f", "not frozen"),
        lambda folder: write(folder / "missing", "not frozen"),
        lambda folder: os.utime(folder / "touched"),
        lambda folder: shutil.rmtree(folder / "gone"),
        lambda folder: (shutil.rmtree(folder / "d"), (folder / "d").symlink_to("/tmp")),
        lambda folder: write(folder / "folder" / "new", "not frozen"),
    ],
)
def test_what_others_do_meanwhile_is_not_undone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[Path], object]
) -> None:
    """Between the comparison and the change: what is not frozen is never dropped."""
    for name in ("edited", "touched", "missing", "d/f", "folder", "rest"):
        write(folder / name, "then")
    engine = opened(folder)
    target = engine.snapshot().id
    then = state_of(folder)
    for name in ("edited", "d/f", "rest"):
        write(folder / name, "it is now")
    os.utime(folder / "touched")
    (folder / "missing").unlink()
    (folder / "folder").unlink()
    write(folder / "folder" / "below", "b")
    write(folder / "gone" / "f", "goes")
    real = Doing.run
    states = []

    def run(this: Doing) -> None:
        meddle(folder)
        states.append(state_of(folder))
        real(this)

    monkeypatch.setattr(Doing, "run", run)
    told = ""
    try:
        before = engine.rollback(target).id
    except SnapshotError as error:
        told = str(error)
        (before,) = [info.id for info in engine.snapshots() if info.holds]
        assert before in told
    frozen = {entry.digest for entry in engine.walk(before)}
    after = state_of(folder)
    assert after["rest"] == then["rest"], "the others are done"
    for path, what in states[0].items():
        if what[0] == "file" and path != "touched" and not path.startswith(".dotscience"):
            digest = blake3(what[2]).hexdigest()
            assert digest in frozen or after.get(path) == what, path
    monkeypatch.setattr(Doing, "run", real)
    if told:
        engine.rollback(target)
    assert {path: after for path, after in state_of(folder).items() if path in then} == then


def test_a_snapshot_with_what_is_never_frozen_is_refused(folder: Path) -> None:
    """Nobody's history is overwritten by a snapshot that somebody else made up."""
    write(folder / ".git" / "config", "mine")
    engine = opened(folder)
    below = objects.FOLDER_MAGIC + objects.encode_file(
        "config", 0o644, 0, 4, packs.hash_bytes(b"evil"), b""
    )
    tree = objects.FOLDER_MAGIC + objects.encode_folder_entry(
        ".git", 0o755, 0, packs.hash_bytes(below)
    )
    snapshot = forge(engine, tree, below)
    with pytest.raises(CorruptStoreError, match="never frozen"):
        engine.rollback(snapshot)
    assert (folder / ".git" / "config").read_text() == "mine"


def test_walks_are_merged_by_names() -> None:
    def entries(*paths: str) -> list[Entry]:
        return [Entry(path, Kind.FILE, 0, 0, 0, "") for path in paths]

    first = entries("a", "a b", "a/c", "d")
    second = entries("a", "a/b", "a/c", "e")
    with pytest.raises(AssertionError):
        list(merged(iter(first), iter(second)))
    first = entries("a", "a/c", "a b", "d")
    found = [(p, bool(a), bool(b)) for p, a, b in merged(iter(first), iter(second))]
    assert found == [
        ("a", True, True),
        ("a/b", False, True),
        ("a/c", True, True),
        ("a b", True, False),
        ("d", True, False),
        ("e", False, True),
    ]
