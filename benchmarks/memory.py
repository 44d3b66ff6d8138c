# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much memory a snapshot takes, of one very large file and of very many.

    python benchmarks/memory.py [--gigabytes N] [--files N] [--names N] [--folder DIR]

Each snapshot is taken by the embedded engine in a process of its own; the figure is the most that
the process ever held in memory (``ru_maxrss``), Python and all modules included, beside what a
process holds that has only opened the engine. The file is random, so nothing in it is the same as
anything else; *edit* writes 1 MiB in the middle of it, or ten files. With a watch the process
learns of the changes as a server does. The large file needs twice its room on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from _table import describe, machine, markdown, seconds

from dotscience_jupyter.snapshots import open_engine

MIB = 1 << 20
PER_FOLDER = 1000


def large(folder: Path, gigabytes: float) -> None:
    """Write one file that does not compress."""
    with (folder / "large.bin").open("wb") as file:
        for _ in range(int(gigabytes * 1024)):
            file.write(os.urandom(MIB))


def edit_large(folder: Path) -> None:
    """Overwrite 1 MiB in its middle."""
    place = folder / "large.bin"
    with place.open("r+b") as file:
        file.seek(place.stat().st_size // 2)
        file.write(os.urandom(MIB))


def many(folder: Path, files: float, length: int) -> None:
    """Write small files with names of so many characters, a thousand in each folder."""
    for number in range(int(files)):
        place = folder / f"{number // PER_FOLDER // 100:02}" / f"{number // PER_FOLDER:04}"
        if number % PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number:0{length - 4}}.txt").write_text(f"file number {number}\n")


def edit_many(folder: Path) -> None:
    """Change ten of them."""
    for place in sorted(folder.glob("00/0000/*.txt"))[:10]:
        place.write_text(f"changed at {time.time_ns()}\n")


def child(what: str, folder: str, store: str) -> None:
    """Do one thing in this process and print what it took."""
    engine = open_engine(Path(folder), Path(store), "embedded")
    begun = time.perf_counter()
    if what == "watch":
        engine.watch()
    if what != "open":
        engine.snapshot()
    took = time.perf_counter() - begun
    if what == "watch":
        (edit_large if Path(folder, "large.bin").exists() else edit_many)(Path(folder))
        time.sleep(1)
        begun = time.perf_counter()
        engine.snapshot()
        took = time.perf_counter() - begun
    engine.close()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": took, "bytes": most}))


def measured(what: str, data: Path, store: Path) -> list[str]:
    """Run one child; return its figures as cells."""
    command = [sys.executable, __file__, "--child", what, str(data), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return [f"{found['bytes'] / MIB:,.0f} MiB", seconds(found["seconds"])]


def main() -> None:
    """Measure both."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=36, help="characters of each file's name")
    parser.add_argument("--folder", help="where to work")
    args = parser.parse_args()
    print(describe(machine("blake3", "zstandard", "pyfastcdc")))
    for name, make, size, edit in (
        (f"one file of {args.gigabytes:g} GiB", large, args.gigabytes, edit_large),
        (
            f"{args.files:,} files with names of {args.names} characters",
            partial(many, length=args.names),
            args.files,
            edit_many,
        ),
    ):
        if not size:
            continue
        rows = []
        with tempfile.TemporaryDirectory(dir=args.folder, prefix="bench-memory-") as place:
            data, store = Path(place, "data"), Path(place, "store")
            data.mkdir()
            make(data, size)
            rows.append(["opened", *measured("open", data, store)])
            rows.append(["first snapshot", *measured("snapshot", data, store)])
            rows.append(["unchanged", *measured("snapshot", data, store)])
            edit(data)
            rows.append(["edit", *measured("snapshot", data, store)])
            rows.append(["edit, watched", *measured("watch", data, store)])
        print(f"\n### {name}\n")
        print(markdown(["", "most memory", "time"], rows))


if __name__ == "__main__":
    main()
