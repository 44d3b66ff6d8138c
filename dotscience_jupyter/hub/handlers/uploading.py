# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Bodies of any size: on their way to disk before a method runs, refused ones read to their end."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any, cast

from tornado import web

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.uploads import Upload

from .base import HubHandler

_DRAINED = 8 << 20  # bytes of a refused upload that are read, so that its client reads the answer
_PART = 1 << 20  # bytes of a large upload that are taken at a time: each time costs the same


@web.stream_request_body
class UploadHandler(HubHandler):
    """Base of handlers that take bodies of any size; :attr:`upload` has it when a method runs.

    A refused upload that is not large is read to its end, so that the client sees the answer.
    """

    upload: Upload
    _refused: BaseException | None = None
    _upload: Upload | None = None
    _cutting = False
    _stream: Any = None  # the connection's, where it reads in larger parts than usual
    _usual_part = 0

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super()._execute(*args, **kwargs)
        finally:
            # also where the client went away before there was room for its body
            if self._upload is not None and not self._cutting:
                self._upload.close()
            if self._stream is not None:
                self._stream.read_chunk_size = self._usual_part

    async def prepare(self) -> None:
        """Allow the request as others, then make room for its body."""
        try:
            await super().prepare()
            if self._length() > self.hub.config.max_body:
                raise web.HTTPError(413)
            cast(Any, self.request.connection).set_max_body_size(self.hub.config.max_body)
            self._upload = self.upload = await self.run(
                Upload, self.hub, await self.run(self.upload_folder)
            )
            if self._length() >= _PART:
                self._read_in_large_parts()
        except Exception as error:
            if not 0 <= self._length() <= _DRAINED:
                raise
            cast(Any, self.request.connection).set_max_body_size(_DRAINED)
            self._refused = error
            setattr(self, (self.request.method or "").lower(), self._refuse)

    def _read_in_large_parts(self) -> None:
        connection = cast(Any, self.request.connection)
        # those of this request only; the others of the server share theirs
        connection.params = copy.copy(connection.params)
        connection.params.chunk_size = _PART
        self._stream, self._usual_part = connection.stream, connection.stream.read_chunk_size
        self._stream.read_chunk_size = _PART

    def _length(self) -> int:
        """Return how long the body says it is, -1 if it does not."""
        text = self.request.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1

    def upload_folder(self) -> Path:
        """Return the folder for the body: the project's, or that of all (called in a thread)."""
        if self._info is not None:
            return self.hub.projects.tmp(self._info)
        folder = self.hub.config.data / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    async def _refuse(self, *args: Any, **kwargs: Any) -> None:
        assert self._refused is not None
        raise self._refused

    async def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        if self._refused is None and self._upload is not None:
            try:
                await self._upload.write(chunk)
            except ApiError as error:
                self._refused = error
                setattr(self, (self.request.method or "").lower(), self._refuse)

    def on_connection_close(self) -> None:
        """Tell :meth:`cut` if the client went away in the middle of the body."""
        future = self.request._body_future
        was_cut = not future.done()
        super().on_connection_close()
        if was_cut and self._upload is not None:
            self._cutting = True
            # the hub waits for it when it stops; a task that nobody knows could be collected
            task = asyncio.get_running_loop().create_task(self._cut())
            self.hub.active.add(task)
            task.add_done_callback(self.hub.active.discard)

    async def _cut(self) -> None:
        assert self._upload is not None
        try:
            await self.cut()
        except Exception as error:
            self.log_exception(type(error), error, error.__traceback__)
        finally:
            self._upload.close()

    async def cut(self) -> None:
        """Do what can be done with a body that did not come to its end; nothing by default.

        Nobody waits for an answer any more.
        """
