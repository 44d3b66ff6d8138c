# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The server extension: configuration, settings, routes, events, start and stop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from jupyter_events import EventLogger
from jupyter_server.extension.application import ExtensionApp
from traitlets import Instance
from traitlets.config import Configurable

from dotscience_jupyter.api import ApiError, PathMapper

from .handlers import default_handlers
from .manager import WorkspaceManager
from .opened import SCHEMA

CONTENTS_SCHEMA = "https://events.jupyter.org/jupyter_server/contents_service/v1"
SCHEMA_FILE = Path(__file__).parent / "event_schemas" / "workspace" / "v1.yaml"


class DotscienceApp(ExtensionApp):
    """Tracks runs of notebooks and scripts below the server's root and serves them to panels.

    What can be configured is on :class:`WorkspaceManager`.
    """

    name = "dotscience_jupyter"
    load_other_extensions = True
    classes: ClassVar[list[type[Configurable]]] = [WorkspaceManager]  # type: ignore[misc]  # an instance variable in the base class

    manager = Instance(WorkspaceManager, allow_none=True)

    def initialize(self, argv: list[str] | None = None) -> None:
        """Register the event schema and listen to saves; handlers come after that."""
        self.manager = WorkspaceManager(parent=self, mapper=self.mapper, emit=self.emit)
        logger = self._logger()
        logger.register_event_schema(SCHEMA_FILE)
        logger.add_listener(schema_id=CONTENTS_SCHEMA, listener=self.on_contents)
        super().initialize()  # type: ignore[no-untyped-call]  # jupyter_server's is untyped

    def initialize_handlers(self) -> None:
        """Add the routes of the API, as its table declares them."""
        self.handlers.extend(
            (pattern, handler, {"app": self}) for pattern, handler in default_handlers
        )

    def mapper(self) -> PathMapper:
        """Return the conversion of paths that fits the server's contents manager.

        Raises
        ------
        ApiError
            501 ``unsupported_contents`` if its files are not files of this machine.
        """
        assert self.serverapp is not None
        contents = self.serverapp.contents_manager
        resolve = getattr(contents, "_get_os_path", None)
        if resolve is None or not contents.root_dir:
            raise ApiError(
                501,
                "unsupported_contents",
                "This server keeps its files somewhere else than in a folder "
                f"({type(contents).__name__}), and only folders can be tracked.",
            )
        return PathMapper(
            Path(contents.root_dir), resolve=resolve, allow_hidden=bool(contents.allow_hidden)
        )

    def _logger(self) -> EventLogger:
        assert self.serverapp is not None
        logger = self.serverapp.event_logger
        assert logger is not None
        return logger

    def emit(self, data: dict[str, Any]) -> None:
        """Send an event to whoever listens; on the event loop only."""
        assert self.serverapp is not None
        if data["action"] in ("committing", "committed"):
            # a commit that is being made counts as activity, so that no hub culls the server then
            self.serverapp.web_app.settings["dotscience_last_activity"] = datetime.now(UTC)
        self._logger().emit(schema_id=SCHEMA, data=data)

    async def on_contents(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        """Hear of what the contents manager did. Never raises and never blocks."""
        if self.manager is None:
            return
        action, path = data.get("action"), str(data.get("path", ""))
        if action in ("save", "upload"):
            self.manager.spawn(self.manager.saved(path))
        elif action in ("rename", "copy", "delete"):
            self.manager.spawn(self.manager.touched(path))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Look for workspaces once the event loop runs."""
        if self.manager is not None:
            self.manager.spawn(self.manager.discover())

    async def stop_extension(self) -> None:
        """Stop listening and watching; also when nothing was ever started."""
        if self.manager is None or self.serverapp is None:
            return
        self._logger().remove_listener(schema_id=CONTENTS_SCHEMA, listener=self.on_contents)
        manager, self.manager = self.manager, None
        await manager.stop()

    def current_activity(self) -> list[str] | None:
        """Return what is under way, so that an idle server is not shut down meanwhile."""
        if self.manager is None:
            return None
        under_way = {
            "workspaces are being committed": self.manager.committing,
            "projects are being cloned": self.manager.cloning,
        }
        return [f"{count} {what}" for what, count in under_way.items() if count] or None
