# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A request's body on its way to disk."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from dotscience_jupyter.api.errors import ApiError

from .config import Services

_SPOOL_STEP = 1 << 20


class Upload:
    """A request's body in a file without a name, which is gone when it is closed or we are.

    Parameters
    ----------
    hub
        Whose threads write it.
    folder
        On whose disk it is.
    """

    def __init__(self, hub: Services, folder: Path) -> None:
        self._hub = hub
        self._waiting: list[bytes] = []
        self._count = 0  # bytes that wait
        self._writing = asyncio.Lock()
        self.size = 0
        """Bytes that were written so far."""
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed in close()
        self.file = cast(BinaryIO, file)
        """The file; what is in it is complete after :meth:`finish`."""

    async def write(self, data: bytes) -> None:
        """Add bytes, to the file after a while."""
        self._waiting.append(data)
        self._count += len(data)
        self.size += len(data)
        if self._count >= _SPOOL_STEP:
            await self._flush()

    async def finish(self) -> BinaryIO:
        """Write what waits; return the file, at its beginning."""
        await self._flush()
        self.file.seek(0)
        return self.file

    async def _flush(self) -> None:
        try:
            async with self._writing:
                parts, self._waiting, self._count = self._waiting, [], 0
                await self._hub.run(_write_all, self.file, parts)
        except OSError as error:
            raise ApiError(
                507,
                "unwritable",
                f"The hub could not store the upload: {error.strerror or error}. Nothing was "
                "changed; its disk may be full.",
            ) from None

    def close(self) -> None:
        """Remove it. Closing twice is closing once."""
        self.file.close()


def _write_all(file: BinaryIO, parts: list[bytes]) -> None:
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[file.write(view) :]
