# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Any sequence of file operations and snapshots, restored, equals the folder as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from engine_suite import changed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshot_helpers import State, state_of

from dotscience_jupyter.snapshots import Change, EmbeddedEngine
from dotscience_jupyter.snapshots.embedded import capture, database, objects, pipeline

# few names, so that operations meet; some that are ignored, some that are odd
NAMES = ["a", "b", "c", "ü", "x\ny", os.fsdecode(b"\xff"), ".dotscienceignore", "é" * 60]
SOME = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CONTENT = st.one_of(
    st.binary(max_size=8),
    st.integers(0, 5000).map(lambda count: b"text " * count),
    st.tuples(st.integers(0, 3), st.integers(0, 9000)).map(lambda v: bytes([v[0]]) * v[1]),
)
OPERATION = st.one_of(
    st.tuples(st.just("write"), SOME, CONTENT),
    st.tuples(st.just("keep-times"), SOME, CONTENT),
    st.tuples(st.just("append"), SOME, CONTENT),
    st.tuples(st.just("remove"), SOME),
    st.tuples(st.just("folder"), SOME),
    st.tuples(st.just("link"), SOME, SOME),
    st.tuples(st.just("hard-link"), SOME, SOME),
    st.tuples(st.just("rename"), SOME, SOME),
    st.tuples(st.just("mode"), SOME, st.sampled_from([0o600, 0o644, 0o755, 0o444])),
    st.tuples(st.just("touch"), SOME, st.integers(0, 2**62)),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("gc"), st.integers(0, 100)),
)


def apply(folder: Path, operation: tuple[object, ...]) -> None:
    what, *arguments = operation
    path = folder / str(arguments[0])
    if what in ("write", "keep-times", "append"):
        content = arguments[1]
        assert isinstance(content, bytes)
        if path.name == ".dotscienceignore":
            content = b""  # what is ignored cannot come back, so nothing is
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat() if path.is_file() else None
        with path.open("ab" if what == "append" else "wb") as file:
            file.write(content)
        if what == "keep-times" and before is not None:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == "remove":
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    elif what == "folder":
        path.mkdir(parents=True)
    elif what == "link":
        path.symlink_to(str(arguments[1]))
    elif what == "hard-link":
        os.link(path, folder / str(arguments[1]), follow_symlinks=False)
    elif what == "rename":
        path.rename(folder / str(arguments[1]))
    elif what == "mode":
        mode = int(str(arguments[1]))
        path.chmod(mode | 0o700 if path.is_dir() else mode)
    elif what == "touch":
        os.utime(path, ns=(0, int(str(arguments[1]))), follow_symlinks=False)


def leaves(state: State) -> State:
    """What :meth:`Engine.diff` compares: files, links, and folders with nothing in them."""
    full = {path.rpartition("/")[0] for path in state}
    return {
        path: value[:3] if value[0] == "file" else value[:2]
        for path, value in state.items()
        if value[0] != "folder" or path not in full
    }


def expected_changes(old: State, new: State) -> dict[str, Change]:
    before, after = leaves(old), leaves(new)
    found: dict[str, Change] = {}
    for path in before.keys() | after.keys():
        if path not in before:
            # a folder that lost its content is no new one
            if not (after[path][0] == "folder" and old.get(path, ("",))[0] == "folder"):
                found[path] = Change.ADDED
        elif path not in after:
            if not (before[path][0] == "folder" and new.get(path, ("",))[0] == "folder"):
                found[path] = Change.REMOVED
        elif before[path] != after[path]:
            found[path] = Change.MODIFIED
    for path, value in new.items():
        before_it = old.get(path, value)
        if value[0] == before_it[0] == "folder" and before_it != value:
            found[path] = Change.MODIFIED
    return found


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(operations=st.lists(OPERATION, min_size=3, max_size=30))
def test_any_sequence_restores_as_it_was(
    operations: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, tempfile.TemporaryDirectory() as place:
        # small parts, so that small files go through all the code
        patched.setattr(capture, "CHUNK", 1024)
        patched.setattr(pipeline, "SLAB", 1500)
        patched.setattr(objects, "GROUP_LIMIT", 3)
        patched.setattr(objects, "PAGED_FROM", 2)
        patched.setattr(database, "MERGE_FROM", 4)
        patched.setattr(capture, "_TICK_NS", 0)  # only one process writes: no need to wait
        folder, store = Path(place) / "work", Path(place) / "store"
        folder.mkdir()
        engine = EmbeddedEngine(folder, store, grace=0.0)
        taken: dict[str, State] = {}

        def take() -> None:
            snapshot = engine.snapshot()
            assert snapshot.skipped == ()
            state = state_of(folder)
            assert engine.changes(snapshot.id) == []
            for old, before in taken.items():
                expected = expected_changes(before, state)
                assert changed(engine.diff(old, snapshot.id)) == expected
                assert changed(engine.changes(old)) == expected
            if snapshot.id in taken:
                assert taken[snapshot.id] == state
            taken[snapshot.id] = state

        for operation in operations:
            if operation[0] == "snapshot":
                take()
            elif operation[0] == "restart":
                engine.close()
                engine = EmbeddedEngine(folder, store, grace=0.0)
            elif operation[0] == "gc":
                for snapshot in list(taken)[:: int(str(operation[1])) % 3 + 1][1:]:
                    del taken[snapshot]
                engine.gc(taken)
            else:
                try:
                    apply(folder, operation)
                except OSError:
                    continue  # it makes no sense here: nothing to remove, a file in the way
        take()
        assert engine.verify(taken) == []
        other = EmbeddedEngine(folder, store)
        for number, (snapshot, state) in enumerate(taken.items()):
            out = Path(place) / f"out{number}"
            other.restore(snapshot, out)
            assert state_of(out) == state
            assert {entry.path for entry in other.walk(snapshot)} == set(state)
        other.close()
        engine.close()
