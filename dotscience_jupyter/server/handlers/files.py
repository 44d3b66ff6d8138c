# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The bytes of a commit's files, streamed, with ranges, and nothing that a browser would run."""

from __future__ import annotations

import mimetypes
import re
from typing import BinaryIO

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from dotscience_jupyter.api import ApiError, WorkspaceService, models

from .base import BaseHandler, ProblemError

CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last that a Range header asks for.

    None where the header is to be ignored: not understood, or of several ranges, which a server
    may answer with the whole file (RFC 9110, 14.2).

    Raises
    ------
    ValueError
        If the file has no such range.

    >>> parse_range("bytes=2-3", 10), parse_range("bytes=-3", 10), parse_range("lines=1-2", 10)
    ((2, 4), (7, 10), None)
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0 or size == 0:
            raise ValueError(header)
        return max(0, size - length), size
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise ValueError(header)
    return start, min(int(match[2]) + 1, size) if match[2] else size


class FileHandler(BaseHandler):
    """A file as it was."""

    path = "/v1/commits/{commit}/files/{file...}"

    @property
    def content_security_policy(self) -> str:
        """Confine what a browser might show of the file to nothing at all."""
        return super().content_security_policy + "; sandbox"

    @web.authenticated
    @authorized
    async def get(self, commit: str, file: str) -> None:
        """Answer the bytes, or the range of them that is asked for."""
        await self._send(commit, file, body=True)

    @web.authenticated
    @authorized
    async def head(self, commit: str, file: str) -> None:
        """Answer the headers only."""
        await self._send(commit, file, body=False)

    async def _send(self, commit: str, file: str, *, body: bool) -> None:
        service = await self.service()
        manager = self.manager
        try:
            entry, opener = await manager.run(service.find_file, commit, file)
        except ApiError as error:
            raise ProblemError(error) from error
        kind = mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
        self.set_header("Etag", f'"{entry.digest}"')
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Last-Modified", entry.modified)
        self.set_header("Cache-Control", "private, no-cache")
        self.set_attachment_header(entry.name)
        if self.check_etag_header():
            self.set_status(304)
            self.finish(set_content_type=kind)
            return
        start, stop = self._wanted(entry)
        if not body:
            self.set_header("Content-Length", stop - start)
            self.finish(set_content_type=kind)
            return
        reader: BinaryIO | None = None
        try:
            reader = await manager.run(opener)
            await manager.run(reader.seek, start)
            left = stop - start
            while left:
                chunk = await manager.run(_read, service, reader, min(CHUNK, left))
                if left == stop - start:  # nothing was sent before the first piece was verified
                    self.set_header("Content-Length", left)
                    self.set_header("Content-Type", kind)
                left -= len(chunk)
                self.write(chunk)
                await self.flush()
            self.finish(set_content_type=kind)
        except StreamClosedError:
            self.log.debug("The client went away while a file was sent.")
        except ApiError as error:
            # once headers are out, tornado cuts the connection: a length was promised and not kept
            if self._headers_written:
                self.log.error("A file was not sent whole: %s", error.message)
            raise ProblemError(error) from error
        finally:
            if reader is not None:
                await manager.run(reader.close)

    def _wanted(self, entry: models.FileEntry) -> tuple[int, int]:
        """Return the range to send and set the status; all of the file when none is asked for."""
        header = self.request.headers.get("Range")
        condition = self.request.headers.get("If-Range")
        if header is None or (condition is not None and condition != f'"{entry.digest}"'):
            return 0, entry.size
        try:
            wanted = parse_range(header, entry.size)
        except ValueError:
            raise ProblemError(
                ApiError(
                    416, "invalid_range", f"The file has {entry.size} bytes, so no such range."
                ),
                {"Content-Range": f"bytes */{entry.size}"},
            ) from None
        if wanted is None:
            return 0, entry.size
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {wanted[0]}-{wanted[1] - 1}/{entry.size}")
        return wanted


def _read(service: WorkspaceService, reader: BinaryIO, size: int) -> bytes:
    """Read some of a file. Raise ApiError if the store is damaged or it ends too soon."""
    with service.errors():
        data = reader.read(size)
    if not data:
        raise ApiError(500, "unreadable", "The stored file is shorter than it was recorded.")
    return data


HANDLERS: list[type[BaseHandler]] = [FileHandler]
