# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The ZFS engine passes the suite that every engine has to pass."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from engine_suite import EngineSuite
from snapshot_helpers import write
from zfs_world import Pool, as_root, new_pool, zfs, zpool

from dotscience_jupyter.snapshots import Engine, Snapshot, SnapshotError
from dotscience_jupyter.snapshots.zfs import ZfsEngine, names

CORE = {
    "test_a_base_that_is_not_there_is_named",
    "test_a_destroyed_snapshot_is_gone",
    "test_a_held_snapshot_is_not_destroyed",
    "test_a_receiver_that_goes_away",
    "test_a_snapshot_arrives_as_it_was_sent",
    "test_all_are_held_or_none",
    "test_clone_is_independent",
    "test_content_id_is_what_it_is_defined_to_be",
    "test_diff_and_changes_tell_what_happened",
    "test_entries",
    "test_everything_survives_a_restore",
    "test_gc_frees_what_was_destroyed",
    "test_gc_keeps_what_is_needed",
    "test_gc_spares_a_snapshot_that_was_just_taken",
    "test_gc_spares_what_was_just_taken_although_the_clock_jumps",
    "test_hard_links_survive",
    "test_holes_survive",
    "test_ignore_file",
    "test_missing_folder_is_an_error",
    "test_only_what_is_new_is_sent",
    "test_ranges",
    "test_renames_are_told_on_request",
    "test_restore_some_paths",
    "test_rollback_brings_everything_back",
    "test_rollback_changes_nothing_outside",
    "test_rollback_never_drops_what_is_not_frozen",
    "test_same_size_and_mtime_does_not_hide_an_edit",
    "test_snapshots_are_listed_in_order",
    "test_the_receiver_can_send_it_on",
    "test_the_size_is_estimated",
    "test_unchanged_folder_gives_the_same_id",
    "test_usage",
    "test_what_is_in_mapped_memory_is_in_a_snapshot",
}
"""What is run in the machine, where Python is slow, unless DOTSCIENCE_ZFS_TESTS is "all".

Each goes through another part of what this engine has of its own. What is left out is run on
other engines, too, but there through other code: a whole run tells more.
"""


def _place_of(disk: int, content: bytes) -> int:
    """Return where on a pool's device some content is, which fills at least a sector."""
    at, end = 0, os.fstat(disk).st_size
    while at < end:
        at = os.lseek(disk, at, os.SEEK_DATA)
        found = os.pread(disk, 1 << 22, at).find(content)
        if found >= 0:
            return at + found
        at += (1 << 22) - len(content)
    raise AssertionError("it is not on the device as it is")


class TestZfs(EngineSuite):
    """The store is where a workspace has it: inside the folder that is frozen."""

    links_from_outside = False

    @pytest.fixture(autouse=True)
    def on_zfs(self, pool: Pool) -> None:
        self.pool = pool

    def make(self, folder: Path, place: Path) -> Engine:
        user = os.geteuid()
        if user:
            with as_root():
                self.pool.allow(names.mounted_at(str(folder)), user)
        return ZfsEngine(folder, folder / ".dotscience" / "store")

    def make_elsewhere(self, folder: Path, place: Path) -> Engine:
        """A restored folder is no dataset, so it is made one."""
        restored = folder.with_name("restored")
        folder.rename(restored)
        self.new_folder(folder)
        subprocess.run(["cp", "-a", f"{restored}/.", folder], check=True)
        return self.make(folder, place)

    def new_folder(self, path: Path) -> Path:
        self.pool.volume(path)
        return path

    @contextlib.contextmanager
    def open_place(self) -> Iterator[Path]:
        place = Path(tempfile.mkdtemp())  # not removed: datasets stay mounted in it
        place.chmod(0o755)
        yield place

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[Path]:
        """Room that is taken beforehand is not taken on ZFS, so it has to be written."""
        unsupported = OSError(errno.EOPNOTSUPP, "cannot be promised")
        usual = self.pool
        with (
            tempfile.TemporaryDirectory() as place,
            new_pool(megabytes=80) as self.pool,
            mock.patch("os.posix_fallocate", side_effect=unsupported),
        ):
            disk = Path(place) / "disk"
            self.pool.volume(disk)
            yield disk
        self.pool = usual

    def remove_folder(self, path: Path) -> None:
        dataset = names.mounted_at(str(path))
        if dataset:
            zfs("destroy", "-f", dataset)
            path.rmdir()
        else:
            super().remove_folder(path)

    def damage(self, engine: Engine, snapshot: str, path: str, content: bytes) -> None:
        """Where it is on the disk is found by what it is."""
        zpool("sync")
        with open(self.pool.file, "r+b", buffering=0) as disk:
            at = _place_of(disk.fileno(), content[:512])
            os.pwrite(disk.fileno(), bytes([content[0] ^ 1]), at)

    def described(self, engine: Engine, snapshot: Snapshot) -> Snapshot:
        assert (snapshot.files, snapshot.bytes, snapshot.skipped) == (0, 0, ())
        assert isinstance(engine, ZfsEngine)
        engine.settle()
        return engine._described(snapshot.id)

    def make_old(self, engine: Engine) -> None:
        assert isinstance(engine, ZfsEngine)
        engine.grace = 0.0

    def test_missing_folder_is_an_error(self, engine: Engine, folder: Path) -> None:
        """A mount point cannot be removed, but what is mounted there can go."""
        zfs("unmount", "-f", names.mounted_at(str(folder)))
        folder.rmdir()
        with pytest.raises(SnapshotError, match="cannot be read"):
            engine.snapshot()

    def test_damage_is_told_exactly(self, engine: Engine, folder: Path, tmp_path: Path) -> None:
        """ZFS is told to keep no content in memory, where it would still be right."""
        zfs("set", "primarycache=metadata", names.mounted_at(str(folder)))
        super().test_damage_is_told_exactly(engine, folder, tmp_path)

    def test_equal_content_is_kept_once(self, engine: Engine, folder: Path) -> None:
        """Only what snapshots share: ZFS looks for no equal content unless it is told to."""
        write(folder / "f", random.Random(5).randbytes(300_000))
        for number in range(5):
            write(folder / "other", f"{number}")
            engine.snapshot()
        assert engine.usage().stored_bytes < 600_000
