# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Killing a process in the middle of its work."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Callable

END = "end"
"""The last line of a process that was done before it was killed."""


def killed(work: Callable[[int], object], after: float, *, told: bool = False) -> list[str]:
    """Let a process do some work, kill it, and return the lines that it had told by then.

    Parameters
    ----------
    work
        What it does, given a descriptor to tell lines to. It may go on for ever, and must not fail.
    after
        Seconds after which it is killed.
    told
        Whether these begin with its first line, so that it gets something done however slow the
        machine is.

    Returns
    -------
    list of str
        With :data:`END` at the end if the work was done.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            work(writing)
            os.write(writing, f"{END}\n".encode())
            time.sleep(300)
        except BaseException:
            traceback.print_exc()  # pytest shows it where the test fails
        finally:
            os._exit(1)
    os.close(writing)
    if told:
        select.select([reading], [], [])
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    with open(reading, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "it failed before it was killed"
    return lines
