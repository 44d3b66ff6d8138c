# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How every engine must restore, clean up, and bear company."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from suite_base import MTIME, SuiteBase

from dotscience_jupyter.snapshots import (
    Engine,
    Snapshot,
    SnapshotError,
)


class KeepingSuite(SuiteBase):
    """How every engine must restore, clean up, and bear company."""

    # -- restore -------------------------------------------------------------------------------

    def test_restore_some_paths(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        for name in ("a/f", "a/g", "a/b/h", "c/f", "top"):
            write(folder / name, name, MTIME)
        (folder / "a").chmod(0o700)
        snapshot = engine.snapshot().id
        out = tmp_path / "out"
        assert engine.restore(snapshot, out, ["a/b/h", "a/f", "top", "a/f"]) == 3
        paths = set(state_of(out))
        assert paths == {"a", "a/b", "a/b/h", "a/f", "top"}
        before = state_of(folder)
        assert state_of(out) == {path: before[path] for path in paths}
        assert engine.restore(snapshot, tmp_path / "all", ["a/f", "a", "a/b/h"]) == 3
        assert set(state_of(tmp_path / "all")) == {"a", "a/b", "a/b/h", "a/f", "a/g"}

    def test_restore_into_an_empty_folder(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "d" / "f", "f")
        (folder / "d").chmod(0o555)
        snapshot = engine.snapshot().id
        out = tmp_path / "out"
        out.mkdir()
        inode = out.stat().st_ino
        engine.restore(snapshot, out)
        assert out.stat().st_ino == inode
        assert state_of(out, folder_times=True) == state_of(folder, folder_times=True)

    def test_restore_makes_missing_parents(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "f", "f")
        snapshot = engine.snapshot().id
        engine.restore(snapshot, tmp_path / "x" / "y" / "z")
        assert (tmp_path / "x" / "y" / "z" / "f").read_text() == "f"
        assert [p.name for p in (tmp_path / "x" / "y").iterdir()] == ["z"]

    def test_restore_never_writes_over_anything(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "f", "f")
        snapshot = engine.snapshot().id
        write(tmp_path / "out" / "mine", "mine")
        with pytest.raises(SnapshotError, match="not empty"):
            engine.restore(snapshot, tmp_path / "out")
        with pytest.raises(SnapshotError):
            engine.restore(snapshot, tmp_path / "out" / "mine")
        with pytest.raises(SnapshotError):
            engine.restore(snapshot, tmp_path / "out" / "mine" / "below")
        assert state_of(tmp_path / "out").keys() == {"mine"}
        assert (tmp_path / "out" / "mine").read_text() == "mine"

    # -- looking after it ----------------------------------------------------------------------

    def test_gc_keeps_what_is_needed(
        self, engine: Engine, folder: Path, tmp_path: Path, again: Callable[[], Engine]
    ) -> None:
        write(folder / "same", random.Random(3).randbytes(100_000))
        states: list[tuple[str, object]] = []
        for number in range(6):
            write(folder / "edited", random.Random(number).randbytes(200_000))
            states.append((engine.snapshot().id, state_of(folder)))
        kept = states[1::2]
        self.make_old(engine)
        freed = engine.gc([snapshot for snapshot, _ in kept])
        assert freed > 300_000
        assert engine.verify([snapshot for snapshot, _ in kept]) == []
        for current in (engine, again()):
            for snapshot, _ in states[0::2]:
                assert not current.exists(snapshot)
            for number, (snapshot, state) in enumerate(kept):
                out = tmp_path / f"{id(current)}-{number}"
                current.restore(snapshot, out)
                assert state_of(out) == state
        # what was dropped is stored anew when it comes back
        write(folder / "edited", random.Random(0).randbytes(200_000))
        for current in (engine, again()):
            snapshot = current.snapshot().id
            assert current.verify([snapshot]) == []

    def test_gc_spares_a_snapshot_that_was_just_taken(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "f")
        snapshot = engine.snapshot().id
        engine.gc([])
        assert engine.exists(snapshot)
        assert engine.verify([snapshot]) == []

    def test_usage(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", random.Random(4).randbytes(500_000))
        engine.snapshot()
        write(folder / "g", "small")
        engine.snapshot()
        usage = engine.usage()
        assert usage.snapshots == 2
        assert usage.logical_bytes == 1_000_005
        assert 500_000 < usage.stored_bytes < 700_000

    def test_equal_content_is_kept_once(self, engine: Engine, folder: Path) -> None:
        content = random.Random(5).randbytes(300_000)
        for number in range(20):
            write(folder / f"copy-{number}", content)
        engine.snapshot()
        assert engine.usage().stored_bytes < 500_000

    # -- several at once -----------------------------------------------------------------------

    def test_several_engines_and_threads_at_once(
        self, again: Callable[[], Engine], folder: Path, tmp_path: Path
    ) -> None:
        for number in range(50):
            write(folder / f"{number}", f"{number}" * 100)
        engines = [again(), again()]
        found: list[Snapshot] = []
        errors: list[BaseException] = []

        def take(engine: Engine, number: int) -> None:
            try:
                for step in range(4):
                    write(folder / f"by-{number}", f"{number} {step}")
                    found.append(engine.snapshot())
                    engine.changes(found[-1].id)
                    engine.list(found[0].id)
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=take, args=(engines[number % 2], number)) for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert again().verify({snapshot.id for snapshot in found}) == []
        last = again().snapshot()
        again().restore(last.id, tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(folder)
