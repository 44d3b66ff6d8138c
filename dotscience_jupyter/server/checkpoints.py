# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of a file as Jupyter's own checkpoints, where that is switched on.

``c.ContentsManager.checkpoints_class`` is then the full name of :class:`DotscienceCheckpoints`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from tornado.web import HTTPError

from dotscience_jupyter.api import ApiError, WorkspaceService, models
from dotscience_jupyter.api.placing import NoFileError, digest_of
from dotscience_jupyter.records.paths import to_text

from .manager import relative

if TYPE_CHECKING:
    from .manager import WorkspaceManager

LISTED = 100
"""How many versions of a file are listed; its history shows them all."""

_OURS = 64  # characters of a commit's id; Jupyter's own checkpoint is called "checkpoint"


class DotscienceCheckpoints(AsyncFileCheckpoints):
    """Jupyter's checkpoints in files, and beside them every version that a commit holds.

    Making a checkpoint is what it always was, so saving is, too. Files that are in no workspace
    have Jupyter's own checkpoints only.
    """

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """Return Jupyter's checkpoint and the versions of a file, oldest first."""
        found = await self._own(path)
        versions = await self._versions(path)
        found += [{"id": each.commit, "last_modified": each.created} for each in versions]

        def when(checkpoint: dict[str, Any]) -> datetime:
            time: datetime = checkpoint["last_modified"]
            return time

        return sorted(found, key=when)

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        """Put a version in the place of the present file, which is committed before."""
        if len(checkpoint_id) != _OURS:
            jupyter: Any = super()
            await jupyter.restore_checkpoint(contents_mgr, checkpoint_id, path)
            return
        for version in await self._versions(path):
            if version.commit == checkpoint_id:
                break
        else:
            raise HTTPError(404, f"Checkpoint does not exist: {path}@{checkpoint_id}")
        manager = self._manager()
        assert manager is not None  # it told of the versions a moment ago
        try:
            opened = await manager.get(path)
            await manager.run_slow(_restore, opened.service, path, version)
        except ApiError as error:
            raise HTTPError(error.status, error.message) from None

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        """Delete Jupyter's own checkpoint; a commit is not to be deleted."""
        if len(checkpoint_id) == _OURS:
            raise HTTPError(
                409, "This version is part of a commit, and commits are kept. Nothing was deleted."
            )
        jupyter: Any = super()
        await jupyter.delete_checkpoint(checkpoint_id, path)

    async def delete_all_checkpoints(self, path: str) -> None:
        """Delete Jupyter's own checkpoint along with its file."""
        for checkpoint in await self._own(path):
            await self.delete_checkpoint(checkpoint["id"], path)

    async def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        """Rename Jupyter's own checkpoint along with its file."""
        jupyter: Any = super()
        for checkpoint in await self._own(old_path):
            await jupyter.rename_checkpoint(checkpoint["id"], old_path, new_path)

    async def _own(self, path: str) -> list[dict[str, Any]]:
        """Return Jupyter's own checkpoint, if there is one."""
        jupyter: Any = super()
        found: list[dict[str, Any]] = await jupyter.list_checkpoints(path)
        return found

    def _manager(self) -> WorkspaceManager | None:
        """Return the open workspaces of the server; None where the extension is not in it."""
        extensions = getattr(getattr(self.parent, "parent", None), "extension_manager", None)
        for app in getattr(extensions, "extension_apps", {}).get("dotscience_jupyter", ()):
            manager: WorkspaceManager | None = app.manager
            return manager
        return None

    async def _versions(self, path: str) -> list[models.FileVersion]:
        """Return the versions of a file that can be brought back, newest first; perhaps none."""
        manager = self._manager()
        if manager is None:
            return []
        try:
            opened = await manager.get(path)
            return await manager.run(_versions, opened.service, path)
        except ApiError as error:
            if error.code != "no_workspace":
                self.log.warning("The versions of %s cannot be listed: %s", path, error.message)
            return []


def _versions(service: WorkspaceService, path: str) -> list[models.FileVersion]:
    file = to_text(relative(service.mapper.to_os(path), service.workspace.root))
    try:
        found = service.history.versions(file, 0, LISTED).items
    except ApiError as error:
        if error.code == "not_found":
            return []
        raise
    return [each for each in found if each.change != "removed"]


def _restore(service: WorkspaceService, path: str, version: models.FileVersion) -> None:
    try:
        expected = digest_of(service.mapper.to_os(path))
    except (NoFileError, OSError):
        expected = None  # it is no file any more; bringing back says so
    wanted = models.BringBack(path=version.path, to=path, expected=expected)
    service.history.bring_back(version.commit, wanted)
