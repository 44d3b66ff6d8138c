# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One workspace that a server has open: its service, its watcher, and the events about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from dotscience_jupyter.api import ApiError, WorkspaceService
from dotscience_jupyter.committer import Watcher

SCHEMA = "https://dotscience-jupyter.readthedocs.io/events/workspace/v1"
LISTED_RUNS = 20  # an event names at most so many runs
SYNC_SECONDS = 0.5  # between two events about the hub, or about datasets, at least
_PAGE = 50

Emit = Callable[[dict[str, Any]], None]
Run = Callable[..., Awaitable[Any]]
Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class OpenedWorkspace:
    """An open workspace. Used on the event loop only, except for :meth:`told`.

    What the committer tells is turned into events one after another, in order, so that
    ``committed`` never overtakes ``committing``.
    """

    def __init__(self, run: Run, emit: Emit, log: Log) -> None:
        self.service: WorkspaceService
        self.watcher: Watcher | None = None
        self._run = run
        self._emit = emit
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._tellers: list[asyncio.Task[None]] = []
        self._changed = {"sync": asyncio.Event(), "datasets": asyncio.Event()}
        self._seen = 0  # sequence of the newest commit that an event has told of
        self.committing = False

    def told(self, action: str) -> None:
        """Take what the committer says; may be called from any thread, also after the end."""
        try:
            self._loop.call_soon_threadsafe(self._told.put_nowait, action)
        except RuntimeError:
            self._log.debug("The server has stopped; %r is not told any more.", action)

    async def start(self, service: WorkspaceService, *, created: bool = False) -> None:
        """Begin to tell of a workspace that was opened with :meth:`told` as its listener."""
        self.service = service
        head = await self._run(service.records.head)
        self._seen = 0 if head is None else head.sequence
        if created:
            self._told.put_nowait("created")
        # a look at the status finds the commits and the files that came
        service.sync.listen(lambda: self._told_of("sync"), lambda: self.told("status"))
        service.datasets.listen(lambda: self._told_of("datasets"))
        self._tellers = [
            asyncio.create_task(self._tell(), name="dotscience-events"),
            asyncio.create_task(self._tell_of("sync"), name="dotscience-sync-events"),
            asyncio.create_task(self._tell_of("datasets"), name="dotscience-datasets-events"),
        ]

    async def close(self) -> None:
        """Stop watching, telling and pushing, and release the workspace."""
        if self.watcher is not None:
            await self.watcher.stop()
            self.watcher = None
        for teller in self._tellers:
            teller.cancel()
        await asyncio.gather(*self._tellers, return_exceptions=True)
        self._tellers = []
        self.service.datasets.close()  # it uses nothing of what is closed here
        if not await self._run(self.service.sync.stop):
            # what still reads from it must not find it closed; it ends with the server
            self._log.warning("Pushing to the hub did not end in time. It goes on the next time.")
            return
        await self._run(self.service.close)

    def _told_of(self, action: str) -> None:
        """Take it that the hub or datasets are otherwise now; may be called as :meth:`told`."""
        try:
            self._loop.call_soon_threadsafe(self._changed[action].set)
        except RuntimeError:
            self._log.debug("The server has stopped; %r is not told any more.", action)

    async def _tell_of(self, action: str) -> None:
        """Tell how the hub or the datasets are; of much that happens at once, the end."""
        changed = self._changed[action]
        while True:
            await changed.wait()
            changed.clear()
            try:
                self._emit(await self._run(self._event, action))
            except ApiError as error:
                self._log.warning("An event of a workspace was not sent: %s", error.message)
            except Exception:
                self._log.exception("An event of a workspace was not sent.")
            await asyncio.sleep(SYNC_SECONDS)

    async def _tell(self) -> None:
        while True:
            action = await self._told.get()
            # many files change at once: what will be told again right away needs no telling now
            while action == "status" and not self._told.empty():
                action = self._told.get_nowait()
            self.committing = action == "committing"
            try:
                self._emit(await self._run(self._event, action))
            except ApiError as error:
                self._log.warning("An event of a workspace was not sent: %s", error.message)
            except Exception:
                # an event is a hint; the panel's next look shows what it would have said
                self._log.exception("An event of a workspace was not sent.")

    def _event(self, action: str) -> dict[str, Any]:
        """Return the event's data; blocks."""
        service = self.service
        status = service.status()
        runs: list[str] | None = None
        if action in ("committed", "status"):
            # not before: a commit may be there by the time that "committing" is told
            head, runs = self._news()
            if runs is not None:
                action = "committed"  # perhaps by another program, on the same workspace
                service.sync.wake()
        else:
            newest = service.commits(0, 1).items
            head = newest[0].id if newest else None
        ids = runs or []
        event: dict[str, Any] = {
            "workspace": service.mapper.to_contents(service.workspace.root) or "",
            "workspace_id": service.workspace.id,
            "action": action,
            "state": "committing" if action == "committing" else status.status,
            "changed": len(status.changed_files) + status.more_changed_files,
            "message": status.message,
            "head": head,
            "runs": ids[:LISTED_RUNS],
            "total_runs": len(ids),
        }
        if action == "sync":
            event["sync"] = service.sync.status().model_dump(mode="json")
        elif action == "datasets":
            event["datasets"] = service.datasets.status().model_dump(mode="json")
        return event

    def _news(self) -> tuple[str | None, list[str] | None]:
        """Return the newest commit and the runs, newest first, of commits not told of yet.

        The runs are None when there is no new commit.
        """
        newest, runs, offset = None, None, 0
        seen = self._seen
        while True:
            page = self.service.commits(offset, _PAGE)
            if newest is None and page.items:
                newest = page.items[0]
                self._seen = newest.sequence
            new = [commit for commit in page.items if commit.sequence > seen]
            for commit in new:
                runs = (runs or []) + list(reversed(commit.runs))
            offset += len(page.items)
            if len(new) < len(page.items) or offset >= page.total:
                return (None if newest is None else newest.id), runs
