# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The ``zfs`` command, for what libzfs_core does not offer or cannot be trusted with."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import IO

from .errors import ZfsError, errno_of, refused

_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"  # not on every user's PATH


def find(name: str = "zfs") -> str | None:
    """Return the path of a command, or None where it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_PLACES}")


def run(what: str, about: str, *arguments: str, name: str = "zfs") -> str:
    """Run ``zfs`` with these arguments and return what it prints.

    Parameters
    ----------
    what
        What is being done, for the message: verb and object.
    about
        The dataset or snapshot that it is done to, for the message.

    Raises
    ------
    ZfsError
        If it fails, or is not installed.
    """
    with start(*arguments, name=name, stdin=subprocess.DEVNULL) as process:
        out, error = process.communicate()
    if process.returncode:
        said = error.decode("utf-8", "replace")
        raise refused(what, about, errno_of(said), said)
    return out.decode("utf-8", "surrogateescape")


def start(
    *arguments: str,
    name: str = "zfs",
    stdin: int | IO[bytes] | None = None,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start ``zfs`` with these arguments, its errors on a pipe; raise ZfsError where there is none.

    Arguments are handed over as they are, never through a shell.
    """
    program = find(name)
    if program is None:
        raise ZfsError(
            f"The command {name!r} is not installed. Nothing was changed. Install OpenZFS's tools "
            "(Debian, Ubuntu: apt-get install zfsutils-linux), or choose another engine."
        )
    return subprocess.Popen(
        [program, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
    )


def table(what: str, about: str, *arguments: str) -> list[list[str]]:
    """Run ``zfs`` with these arguments and return the fields of each line that it prints."""
    lines = run(what, about, *arguments).split("\n")
    return [line.split("\t") for line in lines if line]
