# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Real file systems for tests: made in a sparse file and mounted, which takes root.

Where that cannot be had the test is skipped and says why. With ``DOTSCIENCE_REQUIRE_REAL`` set in
the environment, as in continuous integration, it fails instead: there nothing may be left out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MAKERS = {
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "ext4": ["mkfs.ext4", "-q", "-m", "0"],
}
SMALLEST = 320 << 20
"""Bytes; mkfs.xfs makes nothing below 300 MiB."""


def require(kind: str) -> None:
    """Skip the test, or fail it, unless file systems of that kind can be made and mounted here."""
    reason = ""
    if os.geteuid():
        reason = "a file system can only be mounted as root"
    elif missing := [tool for tool in (MAKERS[kind][0], "mount", "umount") if not _found(tool)]:
        reason = f"{' and '.join(missing)} cannot be found"
    elif not os.path.exists("/dev/loop-control"):
        reason = "this machine has no loop devices"
    if not reason:
        return
    if os.environ.get("DOTSCIENCE_REQUIRE_REAL"):
        pytest.fail(f"a real {kind} is required, but {reason}")
    pytest.skip(f"needs a real {kind}: {reason}")


def _found(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextlib.contextmanager
def mounted(kind: str, size: int = SMALLEST, options: str = "") -> Iterator[Path]:
    """Mount a new file system and yield the folder; all of it is gone afterwards.

    Parameters
    ----------
    kind
        "xfs" (with reflinks), "btrfs" or "ext4".
    size
        Bytes; the file behind it is sparse.
    options
        More mount options, separated by commas.
    """
    require(kind)
    place = Path(tempfile.mkdtemp(prefix=f"dotscience-{kind}-"))
    image, folder = place / "image", place / "mnt"
    try:
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(size)
        maker, *arguments = MAKERS[kind]
        _run(str(_found(maker)), *arguments, str(image))
        mount(folder, options)
        try:
            yield folder
        finally:
            unmount(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def mount(folder: Path, options: str = "") -> None:
    """Mount the file system of :func:`mounted` again."""
    options = ",".join(filter(None, ["loop", options]))
    _run("mount", "-o", options, str(folder.parent / "image"), str(folder))


def bind(source: Path, folder: Path) -> None:
    """Show a folder at a second place, until that is unmounted."""
    _run("mount", "--bind", str(source), str(folder))


def cut_power(folder: Path) -> None:
    """Stop an XFS as a power cut would, without writing its log, and mount what is on the disk.

    See ``XFS_IOC_GOINGDOWN``. Nobody may have a file open in it any more.
    """
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x8004587D, struct.pack("<I", 2))
    finally:
        os.close(fd)
    _run("umount", str(folder))
    mount(folder)


def unmount(folder: Path) -> None:
    """Unmount; where a process still holds a file in it, take it out of sight at least."""
    if subprocess.run(["umount", str(folder)], capture_output=True).returncode:
        _run("umount", "--lazy", str(folder))


def remount(folder: Path, options: str) -> None:
    """Change the options of what is mounted."""
    _run("mount", "-o", f"remount,{options}", str(folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
