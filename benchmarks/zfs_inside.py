# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Times the ZFS engine against ``cp -a`` of the same data, where there is ZFS; prints JSON.

Usage, on a host that has ZFS, as root:

    python benchmarks/zfs_inside.py [MEGABYTES...]

and anywhere else in the virtual machine of the tests (see ``docs/zfs.md``):

    python tests/zfs/vm/machine.py PYTHON benchmarks/zfs_inside.py [MEGABYTES...]

where PYTHON is that of the virtual environment, by its path. Printed are lists of seconds, by what
was done and to how many megabytes; on stderr how many times as long as a snapshot ``cp -a`` took.
Times of the machine compare only with other times of the machine, because it emulates the
processor.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dotscience_jupyter.snapshots.zfs import ZfsEngine

SIZES = (1, 100, 400)  # megabytes; the machine's memory holds the pool
ROUNDS = 5
FILE = 1_000_000  # bytes of each file
ROOM = 2.5  # of the pool, as a multiple of the data: it is there twice while it is copied


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def fill(folder: Path, megabytes: int) -> None:
    """Write files of a megabyte that do not compress, from one random block turned round."""
    block = os.urandom(FILE)
    for number in range(megabytes):
        at = number * 997 % FILE
        (folder / f"{number}.bin").write_bytes(block[at:] + block[:at])


def measure(pool: str, place: Path, megabytes: int) -> dict[str, list[float]]:
    """Return seconds by what was done, for one size of data."""
    folder = place / f"data-{megabytes}"
    run("zfs", "create", "-o", f"mountpoint={folder}", f"{pool}/data-{megabytes}")
    engine = ZfsEngine(folder, folder / ".dotscience" / "store")
    fill(folder, megabytes)
    run("zpool", "sync", pool)
    found: dict[str, list[float]] = {
        f"snapshot, {megabytes} MB": [],
        f"nothing changed, {megabytes} MB": [],
        f"cp -a, {megabytes} MB": [],
    }
    changed, same, copied = found.values()
    for number in range(ROUNDS):
        (folder / "note.txt").write_text(f"round {number}")
        changed.append(timed(engine.snapshot))
        same.append(timed(engine.snapshot))
    files = [str(path) for path in folder.glob("*.bin")]
    copy = folder / ".dotscience" / "copy"
    for _ in range(1 if megabytes > 100 else 3):
        copy.mkdir()
        copied.append(timed(lambda: run("cp", "-a", *files, str(copy))))
        shutil.rmtree(copy)
    engine.close()
    run("zfs", "destroy", "-r", f"{pool}/data-{megabytes}")
    ratio = statistics.median(copied) / statistics.median(changed)
    print(f"{megabytes} MB: cp -a takes {ratio:.2f} times as long as a snapshot", file=sys.stderr)
    return found


def main() -> None:
    """Measure on a pool on a file, which is gone afterwards."""
    sizes = [int(text) for text in sys.argv[1:]] or list(SIZES)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dotscience-bench-", dir=memory) as name:
        place = Path(name)
        disk = place / "disk"
        with open(disk, "wb") as file:
            file.truncate(int(max(256, max(sizes) * ROOM)) << 20)
        pool = f"bench{secrets.token_hex(4)}"
        run("zpool", "create", "-o", "cachefile=none", "-O", "mountpoint=none", pool, str(disk))
        try:
            found: dict[str, list[float]] = {}
            for megabytes in sizes:
                found |= measure(pool, place, megabytes)
        finally:
            run("zpool", "destroy", "-f", pool)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
