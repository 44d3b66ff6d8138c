# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine in a folder on ZFS, whose blocks it shares where OpenZFS clones them."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from zfs_world import Pool, zpool

from dotscience_jupyter.snapshots import EmbeddedEngine
from dotscience_jupyter.snapshots.embedded import capturing

SWITCH = Path("/sys/module/zfs/parameters/zfs_bclone_enabled")
SIZES = (4096, 5000, 8192, 65_536, 131_072, 300_001, 1 << 20, (1 << 20) + 7, 3 << 20, 5_300_000)


def clones_blocks(pool: Pool) -> bool:
    """Whether this OpenZFS (from 2.2 on) shares blocks between files when it is asked to."""
    if not SWITCH.exists() or SWITCH.read_text().strip() != "1":
        return False
    return zpool("get", "-H", "-o", "value", "feature@block_cloning", pool.name).strip() in (
        "enabled",
        "active",
    )


def write_all(folder: Path, number: int) -> dict[str, bytes]:
    """Write files of all sizes that matter to blocks of up to 128 KiB, and one with a hole."""
    chance = random.Random(number)
    files = {str(size): chance.randbytes(size) for size in SIZES}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with (folder / "hole").open("wb") as file:
        file.seek(2 << 20)
        file.write(files["5000"])
    files["hole"] = bytes(2 << 20) + files["5000"]
    return files


def wrong(engine: EmbeddedEngine, snapshot: str, files: dict[str, bytes]) -> list[str]:
    """Return the files of a snapshot that are not what they were."""
    found = []
    for name, data in files.items():
        with engine.open(snapshot, name) as file:
            if file.read() != data:
                found.append(name)
    return found


@pytest.mark.parametrize("recordsize", ["128K", "4K"])
def test_what_is_captured_is_right(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recordsize: str
) -> None:
    """Files that were written just now, so their blocks are not on disk yet; then part of one."""
    monkeypatch.setattr(capturing, "BUDGET", 0)
    place = tmp_path / "place"
    pool.volume(place, "-o", f"recordsize={recordsize}")
    folder = place / "work"
    folder.mkdir()
    with contextlib.closing(EmbeddedEngine(folder, place / "store")) as engine:
        first = write_all(folder, 1)
        taken = [(engine.snapshot().id, first)]
        second = write_all(folder, 2)
        zpool("sync", pool.name)
        with (folder / "5300000").open("r+b") as file:
            file.seek(5_000_000)
            file.write(b"changed")
        second["5300000"] = (folder / "5300000").read_bytes()
        taken.append((engine.snapshot().id, second))
        write_all(folder, 3)
        captures = [path.stat().st_size for path in (place / "store" / "captures").glob("*.cap")]
        if clones_blocks(pool):
            assert len(captures) == 2
            assert sum(captures) > 16 << 20
        else:
            assert captures == []
        for _ in range(2):
            for snapshot, files in taken:
                assert wrong(engine, snapshot, files) == []
                assert engine.verify([snapshot]) == []
            engine.settle()
