# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Work on many objects at the same time, a few of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def work_through(
    jobs: Iterable[Job],
    work: Callable[[Job], Result],
    done: Callable[[Job, Result], None],
    stop: Callable[[], None],
    workers: int,
) -> None:
    """Do jobs in threads; the iterable is read, and ``done`` called, in the thread of the caller.

    Parameters
    ----------
    jobs
        Read as far as there is somebody to do them.
    work
        Does one.
    done
        Told of each that was done, in any order.
    stop
        Called when one fails, or the caller is interrupted: lets those under way end soon.
    workers
        Threads.

    Raises
    ------
    Exception
        What the first one that fails raises. Some that were done may not have been told then.
    """
    under_way: dict[Future[Result], Job] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="dotscience-s3")

    def finish(most: int) -> None:
        while len(under_way) > most:
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                done(under_way.pop(future), future.result())

    try:
        for job in jobs:
            under_way[pool.submit(work, job)] = job
            finish(2 * workers)
        finish(0)
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
