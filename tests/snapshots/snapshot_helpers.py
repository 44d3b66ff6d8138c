# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the tests of snapshot engines share."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

State = dict[str, tuple[object, ...]]


def state_of(folder: Path, *, folder_times: bool = False) -> State:
    """Everything of a folder that a snapshot has to keep, by path; works below PATH_MAX too."""
    found: State = {}
    top = os.fspath(folder)
    for place, folders, files, fd in os.fwalk(top):
        if ".dotscience" in folders:
            folders.remove(".dotscience")
        prefix = "" if place == top else place[len(top) + 1 :] + "/"
        for name in folders + files:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(name, dir_fd=fd)
                found[prefix + name] = ("symlink", target, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode):
                times = (status.st_mtime_ns,) if folder_times else ()
                found[prefix + name] = ("folder", mode, *times)
            elif stat.S_ISREG(status.st_mode):
                with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as file:
                    content = file.read()
                found[prefix + name] = ("file", mode, content, status.st_mtime_ns)
            else:
                found[prefix + name] = ("special",)
    return found


def write(path: Path, content: bytes | str, mtime_ns: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def returned_long_ago(store: Path | str, snapshot: str) -> None:
    """Let an embedded store believe that nobody was given a snapshot for years."""
    path = Path(store) / "snapshots" / snapshot
    path.write_bytes(b"")
    os.utime(path, (0, 0))


def damage_pack(store: Path, content: bytes) -> None:
    """Flip a bit in the middle of what an embedded store keeps of some bytes."""
    piece = content[len(content) // 2 :][:64]
    for pack in (store / "packs").glob("*.pack"):
        data = pack.read_bytes()
        at = data.find(piece)
        if at >= 0:
            with pack.open("r+b") as file:
                file.seek(at + 5)
                file.write(bytes([data[at + 5] ^ 1]))
            return
    raise AssertionError("no pack has that content as it is")


def settle() -> None:
    """Wait until what was written is old enough to be recognised by its times alone."""
    time.sleep(0.15)


@contextlib.contextmanager
def without_privileges(folder: Path) -> Iterator[None]:
    """Run as a user whom permissions bind; the folder is made theirs where we are root."""
    if os.geteuid():
        yield
        return
    nobody = 65534
    for place, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(place, name), nobody, nobody, follow_symlinks=False)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
