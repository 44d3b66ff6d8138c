# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Answers that something writes into a file: as fast as the client reads, and no faster."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from tornado.iostream import StreamClosedError

from dotscience_jupyter.api.errors import ApiError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from .base import HubHandler

MOST = 64
"""Answers under way at a time; each has a thread, which waits mostly."""

STALLED = 300.0
"""Seconds after which a client that takes nothing is given up."""

_PART = 1 << 18
_slots = threading.BoundedSemaphore(MOST)


class Sending:
    """One such answer.

    Parameters
    ----------
    handler
        Whose.
    """

    def __init__(self, handler: HubHandler) -> None:
        self._handler = handler
        self._loop = asyncio.get_running_loop()

    async def run(self, work: Callable[[BinaryIO], None]) -> None:
        """Call something with a file, in a thread of its own; what it writes is the answer.

        Raises
        ------
        ApiError
            503 ``busy`` if there are too many at a time.
        Exception
            What the call raises; nothing if it is that the client went away.
        """
        if not _slots.acquire(blocking=False):
            raise ApiError(
                503, "busy", "The hub is sending to many others just now. Try again in a while."
            )
        done: asyncio.Future[None] = self._loop.create_future()

        def finish(error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def thread() -> None:
            failed: BaseException | None = None
            file = _Parts(self._flush)
            try:
                work(cast(BinaryIO, file))
                file.finish()
            except BaseException as error:
                failed = None if file.gone else error
            finally:
                _slots.release()
            self._loop.call_soon_threadsafe(finish, failed)

        # not one of the hub's threads: a few slow clients must not hold up all others
        threading.Thread(target=thread, name="hub-sending", daemon=True).start()
        await done

    def _flush(self, data: bytes) -> None:
        """Hand bytes to the connection, and wait until it has taken them."""

        async def flush() -> None:
            self._handler.write(data)
            await self._handler.flush()

        asyncio.run_coroutine_threadsafe(flush(), self._loop).result(STALLED)


class _Parts(io.RawIOBase):
    """A file that hands on what is written in larger parts."""

    def __init__(self, flush: Callable[[bytes], None]) -> None:
        super().__init__()
        self._flush_part = flush
        self._waiting = bytearray()
        self.gone = False
        """Whether the client went away, or takes nothing."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Take all of the bytes. Raise OSError when the client has gone."""
        part = memoryview(data).cast("B")
        self._waiting += part
        if len(self._waiting) >= _PART:
            self.finish()
        return len(part)

    def finish(self) -> None:
        """Hand on what waits. Raise OSError when the client has gone."""
        data, self._waiting = bytes(self._waiting), bytearray()
        if not data:
            return
        try:
            self._flush_part(data)
        except (StreamClosedError, concurrent.futures.TimeoutError, RuntimeError) as error:
            self.gone = True
            raise OSError("the client has gone") from error
