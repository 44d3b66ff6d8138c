# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Having what programs wrote in a file system before it is frozen.

Not all that a program wrote is known to the file system at once: what it stored in mapped memory
is in the system's page cache only, and not every file system's own snapshot takes what is there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

_PAUSE = 0.01

_libc = ctypes.CDLL(None, use_errno=True)


def flush(folder: str | int) -> None:
    """Have all on disk that programs wrote to a file system before; waits for it.

    That is ``syncfs(2)``, for all of the file system that a folder, or an open one, is on.

    Raises
    ------
    OSError
        If something could not be written, maybe by another program and some time ago.
    """
    if isinstance(folder, str):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flush(fd)
        finally:
            os.close(fd)
    elif _libc.syncfs(folder):
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed))


def flush_by(path: str, push: Callable[[], None]) -> None:
    """Do the same where the file system is in no hurry unless it is pushed.

    Parameters
    ----------
    path
        The folder.
    push
        Called until all is on disk, if that takes more than a moment.
    """
    with ThreadPoolExecutor(1, "dotscience-flush") as thread:
        flushed = thread.submit(flush, path)
        while wait([flushed], _PAUSE).not_done:
            push()
        flushed.result()
