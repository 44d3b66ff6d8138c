# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Uploads of which what arrived is taken in although the connection was cut."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import BinaryIO, ClassVar

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.snapshots import SnapshotError

from .uploading import UploadHandler

_SECONDS = 60.0


class CutHandler(UploadHandler, ABC):
    """Base of handlers of such uploads to a project."""

    _cut_ones: ClassVar[dict[str, set[asyncio.Future[None]]]]  # by project

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._cut_ones = {}

    @classmethod
    async def settled(cls, project: str) -> None:
        """Wait a while until what was cut is taken in: whoever was cut asks at once what is there.

        Parameters
        ----------
        project
            Its id.
        """
        if under_way := cls._cut_ones.get(project):
            await asyncio.wait([*under_way], timeout=_SECONDS)

    async def cut(self) -> None:
        """Take in what arrived; the client goes on behind it."""
        done = asyncio.get_running_loop().create_future()
        under_way = self._cut_ones.setdefault(self.info.id, set())
        under_way.add(done)
        try:
            file = await self.upload.finish()
            with contextlib.suppress(SnapshotError, ApiError):  # nobody is there to be told
                await self.in_project(self.take_in, file)
        finally:
            done.set_result(None)
            under_way.discard(done)
            if not under_way:
                self._cut_ones.pop(self.info.id, None)

    @abstractmethod
    def take_in(self, opened: Project, file: BinaryIO) -> object:
        """Take in a body, or the beginning of one. Raise SnapshotError or ApiError."""
