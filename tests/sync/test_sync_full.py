# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub whose disk is full: whose disk it is is said, nothing is lost, and reading goes on."""

from __future__ import annotations

import random
from pathlib import Path

import loopfs
import pytest
from hub_world import hub
from sync_world import world

from dotscience_jupyter.sync import RefusedError

FREE = 6 << 20


@pytest.mark.xdist_group("ext4-sync")
def test_a_hub_whose_disk_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        loopfs.mounted("ext4", 64 << 20) as disk,
        hub(disk) as running,
        world(running, tmp_path) as made,
    ):
        site = made.site()
        first = site.commit({"a.txt": "1"})
        site.sync.push()
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(1 << 20))
        for free in (FREE, 0):
            # what arrives fits, but not twice; or it does not fit at all
            with filler.open("r+b") as file:
                file.truncate(filler.stat().st_size - free)
            site.commit({"large.bin": random.Random(free).randbytes(4 << 20)})
            with pytest.raises(RefusedError) as error:
                site.sync.push()
            assert (error.value.status, error.value.code) == (507, "unwritable")
            assert error.value.message.startswith("The hub could not")
            assert "No space left on device" in error.value.message
            assert str(disk) not in error.value.message
            with filler.open("ab", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(bytes(4096))
        assert not [each for each in caplog.records if each.exc_info]
        assert made.refs() == {"HEAD": first}
        assert made.clone("clone").head == first
        filler.unlink()
        assert site.sync.push().state == "published"
        made.verify()
