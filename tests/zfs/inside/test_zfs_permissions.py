# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What works for a user who is not root, and what is said where something is missing."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from zfs_world import NOBODY, Pool, acting_as, zfs

from dotscience_jupyter.snapshots import Check, SnapshotError, check_engine, open_engine
from dotscience_jupyter.snapshots.zfs import ZfsEngine, binding
from dotscience_jupyter.snapshots.zfs.errors import PERMISSIONS


@pytest.fixture
def folder(pool: Pool, tmp_path: Path) -> Path:
    """A dataset of that user's, in a place that they can reach."""
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_mode & 0o5 != 0o5:
            place.chmod(0o755)
    folder = tmp_path / "work"
    pool.volume(folder)
    os.chown(folder, NOBODY, NOBODY)
    os.chown(tmp_path, NOBODY, NOBODY)
    # that user may not be able to import what is not loaded yet
    assert missing(folder) == []
    return folder


def dataset_of(folder: Path) -> str:
    return zfs("list", "-H", "-o", "name", str(folder)).strip()


def opened(folder: Path) -> ZfsEngine:
    return ZfsEngine(folder, folder / ".dotscience" / "store")


def missing(folder: Path) -> list[Check]:
    return [check for check in ZfsEngine.check(folder) if not check.ok]


def test_nothing_allowed(folder: Path, tmp_path: Path) -> None:
    with acting_as(NOBODY):
        checks = missing(folder)
        assert checks[0].what == "permissions"
        every = f"zfs allow -u nobody {','.join(PERMISSIONS)} {dataset_of(folder)}"
        assert checks[0].advice == f"As root, run: {every.rpartition('/')[0]}"
        assert [check.what for check in checks[1:]] == [f"permission {p!r}" for p in PERMISSIONS]
        assert not ZfsEngine.suits(folder)
        chosen = open_engine(folder, tmp_path / "other")
        assert chosen.name == "embedded"
        chosen.close()
        write(folder / "f", "f")
        engine = opened(folder)
        with pytest.raises(SnapshotError, match="not allowed to.*zfs allow -u"):
            engine.snapshot()
        assert engine.snapshots() == []
        engine.close()


def test_one_permission_missing(folder: Path, pool: Pool) -> None:
    dataset = dataset_of(folder)
    above = dataset.rpartition("/")[0]
    some = [name for name in PERMISSIONS if name not in ("diff", "hold", "send")]
    # by a set, on the dataset above, and to everyone
    zfs("allow", "-s", "@most", ",".join(some), above)
    zfs("allow", "-u", str(NOBODY), "@most", above)
    zfs("allow", "-e", "hold", dataset)
    zfs("allow", "-g", str(NOBODY), "send", dataset)
    zfs("allow", "-d", "-u", str(NOBODY), "diff", dataset)  # for what is below only
    try:
        with acting_as(NOBODY):
            checks = missing(folder)
        assert [check.what for check in checks] == ["permissions", "permission 'diff'"]
        assert checks[1].advice == f"As root, run: zfs allow -u nobody diff {above}"
    finally:
        zfs("unallow", "-u", str(NOBODY), above)


def test_all_that_works_without_root(folder: Path, pool: Pool, tmp_path: Path) -> None:
    far_folder = tmp_path / "far"
    pool.volume(far_folder)
    os.chown(far_folder, NOBODY, NOBODY)
    for place in (folder, far_folder):
        pool.allow(dataset_of(place), NOBODY)
    with acting_as(NOBODY):
        assert missing(folder) == []
        assert check_engine(folder, tmp_path / "new")[0] == "zfs"
        engine, far = opened(folder), opened(far_folder)
        write(folder / "f", "first")
        first = engine.snapshot()
        assert engine.snapshot() == first
        before = state_of(folder)
        write(folder / "f", "second")
        second = engine.snapshot().id
        assert [each.path for each in engine.diff(first.id, second)] == ["f"]
        with engine.open(first.id, "f") as file:
            assert file.read() == b"first"
        engine.hold([first.id], "tag")
        assert engine.snapshots()[0].holds == ("tag",)
        engine.release([first.id], "tag")
        engine.settle()
        assert engine.content_id(second, compute=False)
        engine.restore(first.id, tmp_path / "restored")
        assert state_of(tmp_path / "restored") == before
        engine.clone(first.id, tmp_path / "clone")
        assert state_of(tmp_path / "clone") == before, "a copy, because nothing can be mounted"
        assert not os.path.ismount(tmp_path / "clone")
        engine.rollback(first.id)
        assert state_of(folder) == before

        stream = io.BytesIO()
        engine.send(first.id, stream)
        assert far.receive(io.BytesIO(stream.getvalue())) == first.id
        assert far.exists(first.id)
        with pytest.raises(SnapshotError, match=r"only root may mount.*mount -t zfs") as caught:
            far.list(first.id)
        far.settle()
        assert far.usage(each=True).snapshots == 1
        onwards = io.BytesIO()
        far.send(first.id, onwards)
        assert len(onwards.getvalue()) > 1000
        with pytest.raises(SnapshotError, match=r"only root may mount.*zfs create"):
            ZfsEngine.create(folder / "new", folder / "new" / "store")
    command = str(caught.value).split("as root run: ")[1]
    assert os.system(command) == 0
    with acting_as(NOBODY):
        with far.open(first.id, "f") as file:
            assert file.read() == b"first"
        engine.destroy(first.id)
        assert not engine.exists(first.id)
        engine.close()
        far.close()


def test_what_is_missing_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing(folder) == []
    found = {check.what: check.found for check in ZfsEngine.check(folder)}
    assert found["ZFS in the kernel"].startswith("2.")
    assert found["libzfs_core for Python"].startswith("OpenZFS's own, 2.")
    assert found["the folder is a dataset"] == dataset_of(folder)
    assert [check.what for check in missing(tmp_path)] == ["the folder is a dataset"]
    assert missing(tmp_path)[0].found == "it is not on ZFS"
    # no binding: everything goes through the command
    monkeypatch.setattr(binding, "_loaded", binding.NoBindingError("none here"))
    found = {check.what: check.found for check in ZfsEngine.check(folder)}
    assert "the zfs command does all" in found["libzfs_core for Python"]
    engine = opened(folder)
    write(folder / "f", "f")
    assert [entry.path for entry in engine.list(engine.snapshot().id)] == ["f"]
    engine.close()
    # no command
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("dotscience_jupyter.snapshots.zfs.command._PLACES", "/nowhere")
    assert [(check.what, check.found) for check in missing(folder)] == [
        ("the zfs command", "not installed")
    ]
    with pytest.raises(SnapshotError, match="apt-get install zfsutils-linux"):
        opened(folder).snapshot()
