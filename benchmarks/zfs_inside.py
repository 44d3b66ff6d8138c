# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Times the ZFS engine against ``cp -a`` of the same data, where there is ZFS; prints JSON.

Usage, on a host that has ZFS, as root:

    python benchmarks/zfs_inside.py [MEGABYTES...]

and anywhere else in the virtual machine of the tests (see ``docs/zfs.md``):

    python tests/zfs/vm/machine.py --disk 12 --timeout 10800 PYTHON benchmarks/zfs_inside.py

where PYTHON is that of the virtual environment, by its path. With such a disk, or another that is
named in VM_DISK and may be overwritten, there are up to 10 GB of data; else the pool is a file in
memory and there are less.

Each size is a folder of 100 files. All folders are there from the beginning, and are frozen in
turns, so that a busy moment of the machine falls on all alike:

- snapshot: after a small file was written;
- nothing changed: another one right after it;
- rollback: to the first snapshot, which puts that small file back;
- clone: a snapshot as a new writable folder;
- cp -a: of the 100 files; it does not wait for the disk, all others do.

Printed are lists of seconds, by what was done and to how many megabytes; on stderr how many times
as long as each of these ``cp -a`` took. Times of the machine compare only with other times of the
machine, because it emulates the processor.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dotscience_jupyter.snapshots.zfs import ZfsEngine

IN_MEMORY = (1, 100, 400)  # megabytes
ON_DISK = (1, 100, 1000, 10_000)
FILES = 100  # of each size
ROUNDS = 5
PIECE = 128 << 10  # bytes, as large as a block of ZFS
NOISE = PIECE // 4  # of them; the rest compresses to nothing, which spares room on the host's disk
COPIED_ONCE = 400  # megabytes, and all above


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


class Folder:
    """A dataset with some megabytes of data, and what was measured on it."""

    def __init__(self, pool: str, place: Path, megabytes: int) -> None:
        self.megabytes = megabytes
        self.path = place / f"data-{megabytes}"
        run("zfs", "create", "-o", f"mountpoint={self.path}", f"{pool}/{self.path.name}")
        self.seconds: dict[str, list[float]] = {}
        self._fill()
        self._engine = ZfsEngine(self.path, self.path / ".dotscience" / "store")
        (self.path / "note.txt").write_text("as it was")
        self._first = self._engine.snapshot().id

    def _fill(self) -> None:
        """Write files of which no two blocks are the same."""
        noise, rest = os.urandom(NOISE), bytes(PIECE - NOISE)
        size = self.megabytes * 1_000_000 // FILES
        for number in range(FILES):
            with open(self.path / f"{number}.bin", "wb", buffering=0) as file:
                left = size
                while left:
                    head = f"{number} {left} ".encode()
                    left -= file.write((head + noise[len(head) :] + rest)[:left])

    def note(self, what: str, work: Callable[[], object]) -> None:
        """Do something, and note how long it took."""
        self.seconds.setdefault(what, []).append(timed(work))

    def freeze(self, number: int) -> None:
        """Measure a round of what an engine does."""
        (self.path / "note.txt").write_text(f"round {number}")
        self.note("snapshot", self._engine.snapshot)
        self.note("nothing changed", self._engine.snapshot)
        self.note("rollback", lambda: self._engine.rollback(self._first))
        to = self.path.with_name(f"clone-{self.megabytes}-{number}")
        self.note("clone", lambda: self._engine.clone(self._first, to))
        run("zfs", "destroy", run("findmnt", "-n", "-o", "SOURCE", str(to)))

    def copy(self) -> None:
        """Measure what copying takes."""
        files = [str(path) for path in self.path.glob("*.bin")]
        to = self.path / "copy"
        for _ in range(1 if self.megabytes >= COPIED_ONCE else 3):
            to.mkdir()
            self.note("cp -a", lambda: run("cp", "-a", *files, str(to)))
            shutil.rmtree(to)

    def close(self) -> None:
        """Let go of the dataset, so that the pool can be destroyed."""
        self._engine.close()


def tell(folder: Folder) -> None:
    """Print how many times as long ``cp -a`` takes, by medians."""
    medians = {what: statistics.median(found) for what, found in folder.seconds.items()}
    copying = medians.pop("cp -a")
    times = ", ".join(f"{copying / took:.3g} of a {what}" for what, took in medians.items())
    say(f"{folder.megabytes} MB: cp -a takes {copying:.3g} s, the time {times}")


@contextlib.contextmanager
def new_pool(place: Path, megabytes: int) -> Iterator[str]:
    """Make a pool for so much data, and a copy of it; it is gone afterwards."""
    device = os.environ.get("VM_DISK")
    if not device:
        device = str(place / "disk")
        with open(device, "wb") as file:
            file.truncate(max(256, megabytes) << 20)
    name = f"bench{secrets.token_hex(4)}"
    options = ("-o", "cachefile=none", "-O", "mountpoint=none", "-O", "compression=lz4")
    run("zpool", "create", "-f", *options, name, device)
    try:
        yield name
    finally:
        run("zpool", "destroy", "-f", name)


def main() -> None:
    """Measure all sizes in turns."""
    usual = ON_DISK if os.environ.get("VM_DISK") else IN_MEMORY
    sizes = [int(text) for text in sys.argv[1:]] or list(usual)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dotscience-bench-", dir=memory) as name:
        place = Path(name)
        with new_pool(place, sum(sizes)) as pool:
            folders = []
            for megabytes in sizes:
                folders.append(Folder(pool, place, megabytes))
                say(f"{megabytes} MB are written")
            run("zpool", "sync", pool)
            for number in range(ROUNDS):
                for folder in folders:
                    folder.freeze(number)
            for folder in folders:
                folder.copy()
                tell(folder)
                folder.close()
    found = {
        f"{what}, {folder.megabytes} MB": seconds
        for folder in folders
        for what, seconds in folder.seconds.items()
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
