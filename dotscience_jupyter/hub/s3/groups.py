# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests that change one bucket at the same time are one commit.

A tool that copies a folder sends many files at once. What arrives within a short window is written
together; every request is answered once its commit is on disk. Who sends one file after the other
does not wait for others: the window closes as soon as nobody is sending any more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import ProjectInfo
from dotscience_jupyter.snapshots import UnavailableError

from . import writing
from .listing import FolderCache
from .writing import Change

WINDOW = 0.5
"""Seconds that the first of a group waits for others that are being sent, at most."""
PAUSE = 0.02
"""Seconds that it waits for others that may begin."""
MOST = 1000
"""Requests in one commit."""


@dataclass
class _Waiting:
    info: ProjectInfo
    user: User
    change: Change
    done: asyncio.Future[None]


@dataclass
class _Bucket:
    waiting: deque[_Waiting] = field(default_factory=deque)
    sending: int = 0
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Groups:
    """The changes of one hub that wait to be written, by project. Used on the event loop."""

    def __init__(self, hub: Services) -> None:
        self._hub = hub
        self._buckets: defaultdict[str, _Bucket] = defaultdict(_Bucket)

    def begin(self, info: ProjectInfo) -> None:
        """Note that a change is being sent."""
        self._buckets[info.id].sending += 1

    def end(self, info: ProjectInfo) -> None:
        """Note that it is not being sent any more: it waits now, or it was refused."""
        bucket = self._buckets[info.id]
        bucket.sending -= 1
        if not bucket.sending:
            bucket.quiet.set()
            self._forget(info.id)

    async def change(self, info: ProjectInfo, user: User, change: Change) -> None:
        """Write a change, with others perhaps; return when it is on disk.

        Raises
        ------
        S3Error
            If it may not be done.
        """
        bucket = self._buckets[info.id]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        bucket.waiting.append(_Waiting(info, user, change, done))
        if bucket.task is None:
            bucket.task = asyncio.create_task(self._write(info.id, bucket))
        await done

    async def _write(self, project: str, bucket: _Bucket) -> None:
        try:
            while bucket.waiting:
                await self._linger(bucket)
                group = _leading(bucket.waiting)
                outcomes = await self._try(group)
                for each, outcome in zip(group, outcomes, strict=True):
                    if each.done.cancelled():
                        continue
                    if outcome is None:
                        each.done.set_result(None)
                    else:
                        each.done.set_exception(outcome)
        finally:
            bucket.task = None
            self._forget(project)

    async def _try(self, group: list[_Waiting]) -> list[Exception | None]:
        """Write a group; if that fails, each for itself, so that one spoils nothing for others."""
        try:
            return await self._hub.run(self._work, group)
        except Exception as error:
            busy = isinstance(error, UnavailableError) or (
                isinstance(error, ApiError) and error.status == 503
            )
            if len(group) == 1 or busy:
                return [error for _ in group]
        return [outcome for each in group for outcome in await self._try([each])]

    async def _linger(self, bucket: _Bucket) -> None:
        """Wait for others, as long as that is worth it."""
        await asyncio.sleep(PAUSE)
        bucket.quiet.clear()
        if bucket.sending and len(bucket.waiting) < MOST:
            try:
                await asyncio.wait_for(bucket.quiet.wait(), WINDOW - PAUSE)
            except TimeoutError:
                return

    def _work(self, group: list[_Waiting]) -> list[Exception | None]:
        with self._hub.projects.open(group[0].info) as project:
            found: list[Exception | None] = []
            changes = [each.change for each in group]
            found.extend(writing.write(project, group[0].user, changes))
        self._note(group[0], [change for change in changes if change.version])
        return found

    def _note(self, first: _Waiting, done: list[Change]) -> None:
        """Write into the audit log what a group did; nothing of it may have changed anything."""
        if not done:
            return
        deletes = all(change.type == writing.DELETE for change in done)
        details = {"commit": done[0].version, "keys": len({change.key for change in done})}
        self._hub.audit.append(
            first.user.name,
            "s3.delete" if deletes else "s3.put",
            f"{first.info.kind}:{first.info.id}",
            details | {"key": done[0].key},
        )

    def _forget(self, project: str) -> None:
        bucket = self._buckets[project]
        if not bucket.sending and not bucket.waiting and bucket.task is None:
            del self._buckets[project]


class Shared:
    """What all requests to the buckets of one hub share."""

    def __init__(self, hub: Services) -> None:
        self.groups = Groups(hub)
        self.folders = FolderCache()


def _leading(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take those off the front that are of one user, who is the author of their commit."""
    group = [waiting.popleft()]
    while waiting and len(group) < MOST and waiting[0].user.id == group[0].user.id:
        group.append(waiting.popleft())
    return group
