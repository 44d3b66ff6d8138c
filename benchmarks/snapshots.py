# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Freezing and giving back a folder, beside what people would use instead.

    python benchmarks/snapshots.py [--corpus M S] [--rounds N] [--only peers reflink btrfs zfs]
        [--dvc PATH] [--folder DIR] [--json FILE]

Corpus M is 2,000 files of 4 to 64 KiB and one file of 1 GiB, S is 50,000 files of 2 KiB in 500
folders. Half of the small files are text, the others and the large one do not compress. All tools
freeze the same folder, in turns, each into a store of its own:

- first: everything is new;
- unchanged: nothing changed since, in a new process;
- edit: 1 MiB overwritten in the middle of the large file and ten small files rewritten;
- insert: 1 MiB inserted in the middle of the large file (M only);
- restore: the last state into a new folder, which is compared with the original.
- cold: the same with nothing of any file in the system's page cache, as long after the snapshot (as
  root; a file system in memory stays there).

A tool's time is that of its whole process, ours as well; "in a server" is the time of the call
alone, as in a Jupyter server that runs already, "watched" the same while the server watches the
folder. The disk is synced before each measurement. Restic, git and dvc do not wait for the disk
themselves, borg and we do. Bytes are those of the store and of the tool's own caches together.

Limits of the machine: reading, hashing (BLAKE3) and writing the same bytes to one file with
fsync; one walk with ``os.scandir`` and ``lstat``; ``cp -a``.

``reflink`` measures how soon a snapshot is acknowledged on XFS, ``btrfs`` how long a snapshot takes
by the size of the folder (both on loop devices, as root), ``zfs`` the same inside the virtual
machine of the tests, beside ``cp`` there; it takes half an hour and up to 12 GB of disk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from _table import describe, machine, markdown, median, ratio, seconds, write_json

from dotscience_jupyter.snapshots import open_engine

MIB = 1 << 20
BIG = "large.bin"
SECTIONS = ("peers", "reflink", "btrfs", "zfs")
OPERATIONS = ("first", "unchanged", "edit", "insert", "restore", "cold")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


# -- what is frozen ------------------------------------------------------------------------------


def text(chosen: random.Random, size: int) -> bytes:
    """Return lines like those of a table of measurements."""
    lines = []
    count = 0
    while count < size:
        line = f"{chosen.randrange(10**6)},{chosen.random():.6f},{chosen.choice('abcdef')},ok\n"
        lines.append(line)
        count += len(line)
    return "".join(lines).encode()[:size]


def small(chosen: random.Random, size: int) -> bytes:
    """Return the content of a small file, text or noise."""
    return text(chosen, size) if chosen.random() < 0.5 else chosen.randbytes(size)


def make_corpus(folder: Path, kind: str, scale: float) -> None:
    """Write a corpus; the same for the same kind and scale."""
    chosen = random.Random(kind)
    count, per_folder = (2000, 100) if kind == "M" else (50_000, 100)
    for number in range(max(20, int(count * scale))):
        place = folder / f"part{number // per_folder:03}" / f"{number:05}.dat"
        place.parent.mkdir(parents=True, exist_ok=True)
        size = chosen.randrange(4096, 65537) if kind == "M" else 2048
        place.write_bytes(small(chosen, size))
    if kind == "M":
        with (folder / BIG).open("wb") as file:
            for _ in range(max(16, int(1024 * scale))):
                file.write(chosen.randbytes(MIB))


def edit(folder: Path) -> None:
    """Overwrite 1 MiB in the middle of the large file and ten small files."""
    chosen = random.Random(time.time_ns())
    big = folder / BIG
    if big.exists():
        with big.open("r+b") as file:
            file.seek(big.stat().st_size // 2 + 12345)
            file.write(chosen.randbytes(MIB))
    for place in chosen.sample(sorted(folder.glob("part*/*.dat")), 10):
        place.write_bytes(small(chosen, place.stat().st_size))


def insert(folder: Path) -> None:
    """Insert 1 MiB in the middle of the large file."""
    big = folder / BIG
    other = folder / "large.new"
    half = big.stat().st_size // 2 + 54321
    with big.open("rb") as file, other.open("wb") as new:
        for size in [MIB] * (half // MIB) + [half % MIB]:
            new.write(file.read(size))
        new.write(random.Random(time.time_ns()).randbytes(MIB))
        shutil.copyfileobj(file, new, MIB)
    other.rename(big)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size
        for place, _, names in os.walk(folder)
        for name in names
    )


# -- who freezes it ------------------------------------------------------------------------------


def run(command: list[str], cwd: Path | None = None, **env: str) -> str:
    """Run a command, quietly; raise with what it said where it fails."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


class Peer:
    """A tool with a store of its own for the folder ``data`` below ``work``."""

    name = ""

    def __init__(self, work: Path, store: Path) -> None:
        self.work, self.data, self.store = work, work / "data", store
        self.prepare()

    def prepare(self) -> None:
        """Make an empty store."""

    def freeze(self) -> float | None:
        """Freeze; return the time of the call alone where that is known."""
        raise NotImplementedError

    def restore(self, to: Path) -> float | None:
        """Write the last frozen state to a folder that does not exist."""
        raise NotImplementedError


class Ours(Peer):
    name = "embedded"

    def _call(self, what: str, *more: str) -> float:
        command = [sys.executable, __file__, "--call", what, str(self.data), str(self.store), *more]
        return float(run(command))

    def freeze(self) -> float | None:
        return self._call("freeze")

    def restore(self, to: Path) -> float | None:
        return self._call("restore", str(to))


class Borg(Peer):
    name = "borg"

    def prepare(self) -> None:
        self._env = {
            "BORG_REPO": str(self.store / "repo"),
            "BORG_BASE_DIR": str(self.store / "borg"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        self._count = 0
        run(["borg", "init", "-e", "none"], **self._env)

    def freeze(self) -> None:
        self._count += 1
        run(["borg", "create", f"::a{self._count}", "data"], self.work, **self._env)

    def restore(self, to: Path) -> None:
        to.mkdir()
        run(["borg", "extract", "--strip-components", "1", f"::a{self._count}"], to, **self._env)


class Restic(Peer):
    name = "restic"

    def prepare(self) -> None:
        self._env = {
            "RESTIC_REPOSITORY": str(self.store / "repo"),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(self.store / "restic"),
        }
        run(["restic", "init"], **self._env)

    def freeze(self) -> None:
        run(["restic", "backup", "-q", "data"], self.work, **self._env)

    def restore(self, to: Path) -> None:
        run(["restic", "restore", "-q", "latest", "--target", str(to)], **self._env)
        found = [to / "data"] if (to / "data").exists() else list(to.rglob("data"))
        found[0].rename(to.with_suffix(".moved"))
        shutil.rmtree(to)
        to.with_suffix(".moved").rename(to)


class Git(Peer):
    name = "git"

    def prepare(self) -> None:
        self._git = ["git", f"--git-dir={self.store}/repo", f"--work-tree={self.data}"]
        self._git += ["-c", "gc.auto=0", "-c", "user.name=b", "-c", "user.email=b@example.org"]
        run(["git", "init", "-q", "--bare", f"{self.store}/repo"])

    def freeze(self) -> None:
        run([*self._git, "add", "-A"], self.data)
        run([*self._git, "commit", "-q", "--allow-empty", "-m", "now"], self.data)

    def restore(self, to: Path) -> None:
        to.mkdir()
        run([*self._git, "checkout-index", "-a", f"--prefix={to}/"], self.data)


class Dvc(Peer):
    name = "dvc"
    command = "dvc"

    def prepare(self) -> None:
        self._dvc("init", "-q", "--no-scm")
        self._dvc("config", "core.analytics", "false")
        self._dvc("cache", "dir", "-q", str(self.store / "cache"))

    def _dvc(self, *arguments: str) -> None:
        run([self.command, *arguments], self.work, DVC_NO_ANALYTICS="1")

    def freeze(self) -> None:
        self._dvc("add", "-q", "data")

    def restore(self, to: Path) -> None:
        """Check out where the data is: dvc knows no other place."""
        self.data.rename(self.work / "aside")
        try:
            started = time.perf_counter()
            self._dvc("checkout", "-q", "data.dvc")
            self.took = time.perf_counter() - started
        finally:
            self.data.rename(to)
            (self.work / "aside").rename(self.data)


class Copy(Peer):
    """What a copy costs, as a measure."""

    name = "cp -a"

    def freeze(self) -> None:
        shutil.rmtree(self.store / "copy", ignore_errors=True)
        os.sync()
        started = time.perf_counter()
        run(["cp", "-a", str(self.data), str(self.store / "copy")])
        self.took = time.perf_counter() - started

    def restore(self, to: Path) -> None:
        run(["cp", "-a", str(self.store / "copy"), str(to)])


def call(what: str, data: str, store: str, to: str = "") -> None:
    """Be the process in which our engine works once; print the time of the call."""
    started = time.perf_counter()
    engine = open_engine(Path(data), Path(store), "embedded")
    if what == "freeze":
        Path(f"{store}.last").write_text(engine.snapshot().id)
    else:
        engine.restore(Path(f"{store}.last").read_text(), Path(to))
    print(time.perf_counter() - started)
    engine.close()


# -- measuring -----------------------------------------------------------------------------------


def timed(
    action: Callable[[], Any], peer: Peer | None = None, *, cold: bool = False
) -> tuple[float, float | None]:
    """Return how long an action took, and the time it tells itself."""
    os.sync()
    if cold:
        DROP_CACHES.write_text("3")
    if peer is not None:
        peer.__dict__.pop("took", None)
    started = time.perf_counter()
    inner = action()
    took = time.perf_counter() - started
    return getattr(peer, "took", took), inner


def read_hash_write(folder: Path, to: Path) -> None:
    """Do what no snapshot can do without: read all, hash it, write it down."""
    from blake3 import blake3

    with to.open("wb", buffering=MIB) as out:
        for place, _, names in os.walk(folder):
            for name in names:
                hasher = blake3()
                with open(os.path.join(place, name), "rb", buffering=0) as file:
                    while data := file.read(4 * MIB):
                        hasher.update(data)
                        out.write(data)
                hasher.digest()
        out.flush()
        os.fsync(out.fileno())


def walk(folder: str) -> int:
    """Look at every entry once."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += walk(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count


def same(first: Path, second: Path) -> bool:
    """Whether two folders hold the same files."""
    return not subprocess.run(["diff", "-rq", first, second], stdout=subprocess.DEVNULL).returncode


Figures = dict[str, dict[str, list[float]]]


def peers(base: Path, kind: str, names: list[type[Peer]], scale: float) -> Figures:
    """Run one round on one corpus."""
    figures: Figures = {}

    def note(name: str, what: str, value: float | None) -> None:
        if value is not None:
            figures.setdefault(name, {}).setdefault(what, []).append(value)

    work = base / "work"
    (work / "data").mkdir(parents=True)
    make_corpus(work / "data", kind, scale)
    tools = []
    for make in names:
        store = base / f"store-{make.name}"
        store.mkdir()
        tools.append(make(work, store))
    random.shuffle(tools)
    data = work / "data"
    for operation in OPERATIONS:
        if operation == "insert" and kind != "M":
            continue
        if operation == "cold" and not os.access(DROP_CACHES, os.W_OK):
            continue
        if operation == "edit":
            edit(data)
        elif operation == "insert":
            insert(data)
        if operation in ("first", "unchanged"):
            whole = timed(lambda: read_hash_write(data, base / "raw"))[0]
            (base / "raw").unlink()
            note("read + BLAKE3 + write", operation, whole if operation == "first" else None)
            once = timed(lambda: walk(str(data)))[0]
            note("scandir + lstat", operation, once if operation == "unchanged" else None)
        for tool in tools:
            if operation in ("restore", "cold"):
                to = base / f"restored-{tool.name}"
                take = partial(tool.restore, to)
                took, inner = timed(take, tool, cold=operation == "cold")
                if not same(data, to):
                    raise RuntimeError(f"{tool.name} restored something else")
                shutil.rmtree(to)
            else:
                before = size_of(tool.store)
                took, inner = timed(tool.freeze, tool)
                note(tool.name, f"{operation} bytes", size_of(tool.store) - before)
            note(tool.name, operation, took)
            note(f"{tool.name}, in a server", operation, inner)
    watched(data, base, note)
    return figures


def watched(data: Path, base: Path, note: Callable[[str, str, float], None]) -> None:
    """Measure our engine as a server has it, that watches."""
    store = base / f"store-{Ours.name}"
    engine = open_engine(data, store, "embedded")
    engine.snapshot()
    engine.watch()
    engine.snapshot()
    time.sleep(0.1)
    for _ in range(5):
        note(f"{Ours.name}, watched", "unchanged", timed(engine.snapshot)[0])
    edit(data)
    note(f"{Ours.name}, watched", "edit", timed(engine.snapshot)[0])
    engine.close()


def chosen_peers(args: argparse.Namespace) -> list[type[Peer]]:
    """Return the tools that are there."""
    found: list[type[Peer]] = [Ours, Copy]
    for peer in (Borg, Restic, Git, Dvc):
        command = args.dvc if peer is Dvc else peer.name
        if peer.name in args.without:
            continue
        if shutil.which(command) is None:
            print(f"{peer.name} is not installed and left out")
            continue
        if peer is Dvc:
            Dvc.command = command
        found.append(peer)
    return found


def tools_versions(names: list[type[Peer]]) -> dict[str, str]:
    """Return what each tool says of its version."""
    asks = {
        "borg": ["borg", "--version"],
        "restic": ["restic", "version"],
        "git": ["git", "--version"],
        "dvc": [Dvc.command, "--version"],
    }
    return {peer.name: run(asks[peer.name]).splitlines()[0] for peer in names if peer.name in asks}


# -- file systems --------------------------------------------------------------------------------


@contextlib.contextmanager
def loop(base: Path, make: list[str], size: str) -> Iterator[Path]:
    """Mount a new file system on a file."""
    image, place = base / "image", base / "mount"
    place.mkdir()
    run(["truncate", "-s", size, str(image)])
    run([*make, str(image)])
    run(["mount", "-o", "loop", str(image), str(place)])
    try:
        yield place
    finally:
        run(["umount", str(place)])
        place.rmdir()
        image.unlink()


def reflink(base: Path, rounds: int, scale: float) -> dict[str, list[float]]:
    """Measure how soon a first snapshot is acknowledged where files can be cloned."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        with loop(base, ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"], "8G") as place:
            data = place / "data"
            data.mkdir()
            make_corpus(data, "M", scale)
            engine = open_engine(data, place / "store", "embedded")
            found.setdefault("first", []).append(timed(engine.snapshot)[0])
            found.setdefault("hashing behind it", []).append(timed(engine.settle)[0])
            edit(data)
            found.setdefault("edit", []).append(timed(engine.snapshot)[0])
            found.setdefault("unchanged", []).append(timed(engine.snapshot)[0])
            engine.close()
    return found


def btrfs(base: Path, rounds: int, scale: float) -> dict[str, list[float]]:
    """Measure snapshots of folders of several sizes."""
    from dotscience_jupyter.snapshots.btrfs import BtrfsEngine

    found: dict[str, list[float]] = {}
    with loop(base, ["mkfs.btrfs", "-q"], "16G") as place:
        for size in (1, 100, 1000, 10_000):
            folder = place / f"data{size}"
            engine = BtrfsEngine.create(folder, folder / ".dotscience" / "store")
            with (folder / BIG).open("wb") as file:
                block = random.randbytes(MIB)
                for number in range(max(1, int(size * scale))):
                    file.write(number.to_bytes(8, "little") + block[8:])
            for number in range(rounds):
                (folder / "small").write_text(str(number))
                found.setdefault(f"{size} MB", []).append(timed(engine.snapshot)[0])
            engine.close()
            run(["btrfs", "filesystem", "sync", str(place)])
    return found


def zfs() -> dict[str, list[float]]:
    """Measure ZFS in the virtual machine of the tests."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, str(root / "tests/zfs/vm/machine.py")]
    command += ["--disk", "12", "--timeout", "10800", sys.executable]
    out = run([*command, str(root / "benchmarks/zfs_inside.py")], root)
    return dict(json.loads(out[out.index("{") : out.rindex("}") + 1]))


# -- telling -------------------------------------------------------------------------------------


def tell(kind: str, figures: Figures) -> None:
    """Print a corpus' tables."""
    rows = []
    ours = figures[Ours.name]
    others = [name for name in ("borg", "restic") if name in figures]
    operations = [what for what in OPERATIONS if what in ours]
    for name, values in figures.items():
        cells = []
        for operation in operations:
            took = median(values[operation]) if operation in values else None
            added = values.get(f"{operation} bytes")
            size = f" ({median(added) / MIB:,.2f} MiB)" if added else ""
            cells.append(f"{seconds(took)}{size}" if took is not None else "-")
        rows.append([name, *cells])
    print(f"\n### Corpus {kind}: medians, and bytes added to the store\n")
    print(markdown(["", *operations], rows))
    rows = []
    for name in [*others, "dvc", "git", "cp -a", "read + BLAKE3 + write", "scandir + lstat"]:
        if name in figures:
            values = figures[name]
            rows.append(
                [f"{name} / {Ours.name}"]
                + [
                    ratio(median(values[what]), median(ours[what])) if what in values else "-"
                    for what in operations
                ]
            )
    print()
    print(markdown(["how many times longer", *operations], rows))


def main() -> None:
    """Run what was asked for."""
    if sys.argv[1:2] == ["--call"]:
        call(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", nargs="+", choices=["M", "S"], default=["M", "S"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--without", nargs="+", default=[], help="tools to leave out")
    parser.add_argument("--dvc", default="dvc", help="the dvc command, where not on the PATH")
    parser.add_argument("--scale", type=float, default=1.0, help="of the corpora, to try it out")
    parser.add_argument("--folder", help="where to work; 20 GB, on the file system to measure")
    parser.add_argument("--json", help="write all figures there")
    args = parser.parse_args()
    facts = machine("blake3", "zstandard", "pyfastcdc")
    names = chosen_peers(args) if "peers" in args.only else []
    facts["versions"] |= tools_versions(names)
    print(describe(facts))
    document: dict[str, Any] = {"machine": facts}
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="bench-snapshots-") as place:
        base = Path(place)
        for kind in args.corpus if "peers" in args.only else ():
            figures: Figures = {}
            for number in range(args.rounds):
                once = base / f"{kind}{number}"
                once.mkdir()
                for name, values in peers(once, kind, names, args.scale).items():
                    for what, found in values.items():
                        figures.setdefault(name, {}).setdefault(what, []).extend(found)
                shutil.rmtree(once)
            document[kind] = figures
            tell(kind, figures)
        if os.geteuid() and {"reflink", "btrfs"} & set(args.only):
            print("\nreflink and btrfs need root, to mount file systems, and are left out")
        for name, measure in (("reflink", reflink), ("btrfs", btrfs)):
            if name in args.only and not os.geteuid():
                document[name] = found = measure(base, args.rounds, args.scale)
                print(f"\n### {name}\n")
                rows = [[what, seconds(median(took))] for what, took in found.items()]
                print(markdown(["", "median"], rows))
        if "zfs" in args.only:
            document["zfs"] = found = zfs()
            print("\n### zfs, inside the virtual machine\n")
            print(markdown(["", "median"], [[w, seconds(median(t))] for w, t in found.items()]))
    write_json(args.json, document)


if __name__ == "__main__":
    main()
