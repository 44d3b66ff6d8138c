# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The workspaces that a server has open: found, opened, watched, told of and closed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from traitlets import Bool, Float, Integer, Unicode
from traitlets.config import LoggingConfigurable

from dotscience_jupyter.api import ApiError, PathMapper, WorkspaceService
from dotscience_jupyter.api.clones import Clones
from dotscience_jupyter.api.service import create_workspace, no_workspace
from dotscience_jupyter.committer import Watcher
from dotscience_jupyter.records import Workspace, WorkspaceError
from dotscience_jupyter.records.workspace import refusal, suggest_root

from .cloning import open_clones
from .discovery import discover, has_waiting_work, holds_run
from .opened import Emit, OpenedWorkspace

Answer = TypeVar("Answer")


class WorkspaceManager(LoggingConfigurable):
    """Keeps the workspaces of one server open.

    All coroutines run on the server's event loop; whatever blocks runs in threads of the
    manager's own, so that neither can starve the other.
    """

    engine = Unicode(
        "auto",
        help="""The snapshot engine that freezes and keeps the files of workspaces, by the name of
        its entry point in the group dotscience_jupyter.engines: embedded (works anywhere), zfs or
        btrfs. "auto" takes what suits the folder. What a workspace was begun with stays its engine
        whatever is said here.""",
    ).tag(config=True)

    author = Unicode(
        "",
        help="""Who commits what nobody asked for by name: runs that were found, and manual commits
        of users that Jupyter does not know by name. Empty means Git's user.name, else the system's
        user.""",
    ).tag(config=True)

    watch = Bool(
        True,
        help="""Whether the files of open workspaces are watched, so that runs of scripts, papermill
        and other programs are found at once. Without it runs are found when a notebook is saved
        through this server, or when somebody commits.""",
    ).tag(config=True)

    observe_files = Bool(
        True,
        help="""Whether files that a run opened, or that changed while it was under way, are
        recorded as its inputs and outputs where its code declared none. They are marked as found,
        not declared. The environment variable DOTSCIENCE_OBSERVE_FILES=0 denies it as well.""",
    ).tag(config=True)

    create_on_publish = Bool(
        True,
        help="""Whether saving a notebook with a published run makes its folder a workspace when
        there is none: the root of its Git work tree, else the notebook's own folder. Never a home
        folder or the root of the file system.""",
    ).tag(config=True)

    discovery_depth = Integer(
        3,
        min=0,
        help="""How many levels of folders below the server's root are searched for workspaces when
        the server starts, so that runs that were published meanwhile are picked up. 0 looks at
        the root and above it only.""",
    ).tag(config=True)

    discovery_folders = Integer(
        2000, min=1, help="""How many folders that search looks into at most."""
    ).tag(config=True)

    open_at_start = Integer(
        20,
        min=0,
        help="""How many of the workspaces found at the start are opened and watched at once. Others
        are opened when they are first asked for, or when runs wait in their spool.""",
    ).tag(config=True)

    notebook_grace = Float(
        10.0,
        min=0.0,
        help="""How many seconds a run that a notebook published waits for that notebook to be
        saved, so that its commit holds the notebook with the run's output. After that it is
        committed as things are.""",
    ).tag(config=True)

    push_to_hub = Bool(
        True,
        help="""Whether new commits of a workspace that belongs to a hub are sent there without
        being asked: after each commit, and again until the hub can be reached.""",
    ).tag(config=True)

    stop_seconds = Float(
        10.0,
        help="""How long a stopping server waits for a commit that is being made. A commit that is
        cut off leaves the state before it and is made again at the next start.""",
    ).tag(config=True)

    def __init__(self, *, mapper: Callable[[], PathMapper], emit: Emit, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._mapper = mapper
        self._emit = emit
        self._quick = ThreadPoolExecutor(6, thread_name_prefix="dotscience-quick")
        self._slow = ThreadPoolExecutor(6, thread_name_prefix="dotscience-slow")
        self._apart = asyncio.Semaphore(6)
        self._opened: dict[Path, asyncio.Task[OpenedWorkspace]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clones: Clones | None = None
        self._stopped = False

    @property
    def mapper(self) -> PathMapper:
        """Converts paths as the server's contents manager does. Raise ApiError if it cannot."""
        return self._mapper()

    @property
    def committing(self) -> int:
        """How many workspaces are being committed right now."""
        known = [_result(task) for task in self._opened.values()]
        return sum(opened is not None and opened.committing for opened in known)

    @property
    def clones(self) -> Clones:
        """What is being cloned from hubs; on the event loop only."""
        if self._clones is None:
            self._clones = open_clones(self._emit, self.log)
        return self._clones

    @property
    def cloning(self) -> int:
        """How many projects are being cloned right now."""
        return 0 if self._clones is None else self._clones.under_way

    async def run(self, function: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Run something that takes a moment (a query, a few stats) in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._quick, lambda: function(*args, **kwargs))

    async def run_slow(self, function: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Run something that may take minutes (a commit, a restore) in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._slow, lambda: function(*args, **kwargs))

    async def run_apart(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """Run something that waits for another machine, in a thread that ends with the server.

        A hub that does not answer keeps neither those who ask for something else waiting, nor a
        server that stops.
        """
        done: Future[Answer] = Future()

        def work() -> None:
            try:
                done.set_result(function(*args))
            except BaseException as error:
                done.set_exception(error)

        async with self._apart:
            Thread(target=work, name="dotscience-apart", daemon=True).start()
            return await asyncio.wrap_future(done)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something in the background; what goes wrong is logged and nothing else suffers."""
        if self._stopped:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, ApiError):
            self.log.warning("%s", error.message)
        else:
            self.log.error("A background task failed.", exc_info=error)

    async def get(self, contents_path: str) -> OpenedWorkspace:
        """Return the workspace at or above a contents path, opened.

        Raises
        ------
        ApiError
            404 ``no_workspace``, 403 ``forbidden_path``, or what opening it raised.
        """
        workspace = await self.run(self._find, self.mapper, contents_path)
        if workspace is None:
            await self._close_vanished()
            raise no_workspace()
        return await self._open(workspace)

    async def create(
        self, contents_path: str, *, force: bool = False
    ) -> tuple[OpenedWorkspace, bool]:
        """Make a folder a workspace; return it and whether it is new."""
        mapper = self.mapper
        path = await self.run(mapper.to_write, contents_path)
        new = not Workspace.is_at(path)
        workspace = await self.run(create_workspace, path, mapper, force=force)
        return await self._open(workspace, created=new), new

    async def saved(self, contents_path: str) -> None:
        """Take notice of a file that was saved through the server; makes a workspace if need be."""
        try:
            mapper = self.mapper
            path = await self.run(mapper.to_os, contents_path)
            workspace = await self.run(self._find, mapper, contents_path)
        except ApiError:
            return  # it is not in a folder of this machine, or not one that is served
        notebook = path.suffix == ".ipynb"
        created = False
        if workspace is None:
            if not (notebook and self.create_on_publish and await self.run(holds_run, path)):
                return
            workspace = await self.run(self._make_for, path)
            if workspace is None:
                return
            created = True
        opened = await self._open(workspace, created=created)
        if not notebook:
            await self.changed(opened)
            return
        folder_path = await self.run(relative, path, opened.service.workspace.root)
        if opened.watcher is not None:
            opened.watcher.notebook_saved(folder_path)
        else:
            await self.run_slow(opened.service.committer.scan, [folder_path])

    async def changed(self, opened: OpenedWorkspace) -> None:
        """Take notice of files that changed in some way other than a saved notebook."""
        if opened.watcher is not None:
            opened.watcher.changed()
        else:
            await self.run(opened.service.committer.status, True)

    async def touched(self, contents_path: str) -> None:
        """Take notice of a file that was renamed, copied or deleted through the server."""
        try:
            workspace = await self.run(self._find, self.mapper, contents_path)
        except ApiError:
            return
        if workspace is not None:
            await self.changed(await self._open(workspace))

    async def around(self) -> list[Workspace]:
        """Return the workspaces that are open, and those around the server's root."""
        known = [_result(task) for task in self._opened.values()]
        found = [opened.service.workspace for opened in known if opened is not None]
        root = self.mapper.root
        if root is not None:
            found += await self.run_slow(
                discover, root, depth=self.discovery_depth, most=self.discovery_folders
            )
        return found

    async def discover(self) -> None:
        """Open the workspaces around the server's root, so that waiting runs are picked up."""
        root = self.mapper.root
        if root is None:
            return
        found = await self.run_slow(
            discover, root, depth=self.discovery_depth, most=self.discovery_folders
        )
        for number, workspace in enumerate(found):
            if number < self.open_at_start or await self.run(has_waiting_work, workspace):
                try:
                    opened = await self._open(workspace)
                    if opened.watcher is None:
                        await self.run_slow(opened.service.committer.scan)
                except ApiError as error:
                    self.log.warning("%s was not opened: %s", workspace.root, error.message)

    async def stop(self) -> None:
        """Close everything; what is being committed is given a moment to end."""
        self._stopped = True
        for opening in self._opened.values():
            if (opened := _result(opening)) is not None:
                opened.service.sync.give_up()
                opened.service.datasets.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._clones is not None:
            clones, self._clones = self._clones, None
            await self.run(clones.close)
        try:
            await asyncio.wait_for(self._end(), self.stop_seconds)
        except TimeoutError:
            self.log.warning(
                "A commit did not end in time. Nothing is lost: it is made at the next start."
            )
        self._quick.shutdown(wait=False, cancel_futures=True)

    async def _end(self) -> None:
        """Wait for what was begun, then close the workspaces."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: self._slow.shutdown(cancel_futures=True))
        closing = [self._close(root) for root in list(self._opened)]
        for result in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(result, BaseException):
                self.log.warning("A workspace was not closed properly: %s", result)

    def _find(self, mapper: PathMapper, contents_path: str) -> Workspace | None:
        try:
            return Workspace.find(mapper.to_os(contents_path))
        except WorkspaceError as error:
            raise ApiError(500, "unreadable", mapper.scrub(str(error))) from None

    def _make_for(self, notebook: Path) -> Workspace | None:
        root = suggest_root(notebook)
        if refusal(root):
            self.log.info("A run was published in a folder that is not tracked unless told to.")
            return None
        try:
            return Workspace.create(root)
        except WorkspaceError as error:
            self.log.warning("%s", error)
            return None

    async def _open(self, workspace: Workspace, *, created: bool = False) -> OpenedWorkspace:
        if self._stopped:
            raise ApiError(503, "stopping", "The server is stopping. Try again when it is back.")
        root = await self.run(_real, workspace.root)
        task = self._opened.get(root)
        if task is not None and (known := _result(task)) is not None:
            if known.service.workspace.id == workspace.id:
                return known
            await self._close(root)  # it was deleted and made anew
            task = self._opened.get(root)
        if task is None:
            task = asyncio.create_task(self._open_now(workspace, created))
            self._opened[root] = task
        try:
            # a request that is given up does not take the workspace from the others
            return await asyncio.shield(task)
        except BaseException:
            if task.done() and self._opened.get(root) is task:
                del self._opened[root]
            raise

    async def _open_now(self, workspace: Workspace, created: bool) -> OpenedWorkspace:
        opened = OpenedWorkspace(self.run, self._emit, self.log)
        service = await self.run(
            WorkspaceService.open,
            workspace.root,
            author=self.author or None,
            on_change=opened.told,
            engine=self.engine,
            mapper=self.mapper,
        )
        if not self.observe_files:
            service.committer.observe_files = False
        await opened.start(service, created=created)
        service.committer.settle_in_background()
        if self.push_to_hub:
            await self.run(service.sync.push_by_itself)
        if self.watch:
            opened.watcher = Watcher(
                service.committer, loop=asyncio.get_running_loop(), log=self.log
            )
            opened.watcher.start()
            service.committer.notebook_grace = self.notebook_grace
        return opened

    async def _close(self, root: Path) -> None:
        task = self._opened.pop(root, None)
        if task is None:
            return
        try:
            opened = await task
        except Exception as error:
            self.log.debug("A workspace that could not be opened is closed: %s", error)
            return
        await opened.close()

    async def _close_vanished(self) -> None:
        """Close workspaces whose folder is gone."""
        for root in list(self._opened):
            if not await self.run(Workspace.is_at, root):
                await self._close(root)


def _result(task: asyncio.Task[OpenedWorkspace]) -> OpenedWorkspace | None:
    """Return what a task has opened; None while it is under way or when it failed."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return None
    return task.result()


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def relative(path: Path, root: Path) -> str:
    """Return the folder path of a file of a workspace, also where links lead to it."""
    for candidate, base in ((path, root), (_real(path.parent) / path.name, _real(root))):
        if base in candidate.parents:
            return candidate.relative_to(base).as_posix()
    return path.name
